"""The batch: any executor, any order, dead workers, ledgers, and folders that belong to one run."""

import csv
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from leakseg.batch.engine import run_batch
from leakseg.batch.executors import default_workers, processes, serial

WORK = """
import os, signal, time
from pathlib import Path

def double(number):
    return 2 * number

def double_or_die(number, mortal, marks):
    Path(marks, f"{number}-{time.monotonic_ns()}").touch()
    if number == mortal:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return 2 * number

def die_once(number, mortal, marks):
    first = not list(Path(marks).glob(f"{number}-*"))
    Path(marks, f"{number}-{time.monotonic_ns()}").touch()
    if number == mortal and first:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return 2 * number

def pid_and_sleep(seconds, marks):
    Path(marks, str(os.getpid())).touch()
    time.sleep(seconds)

def raises(number):
    raise KeyError(number)

def environment(name):
    return os.environ.get(name)
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A module that workers can import, for they take over sys.path."""
    folder = tmp_path / "importable"
    folder.mkdir()
    (folder / "batch_work.py").write_text(WORK, encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()
    yield importlib.import_module("batch_work")
    sys.modules.pop("batch_work", None)


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def lost(number):
    return f"lost {number}"


@pytest.mark.parametrize("make", [serial, partial(processes, 2)], ids=["serial", "processes"])
def test_every_request_has_one_result_whatever_the_executor(work, make):
    requests = list(range(30))
    random.Random(7).shuffle(requests)
    results = list(run_batch(requests, work.double, make, in_flight=3, lost=lost))
    assert sorted(results) == [2 * number for number in range(30)]


def test_requests_are_taken_only_as_they_are_needed(work):
    taken = []

    def requests():
        for number in range(100):
            taken.append(number)
            yield number

    for done, _ in enumerate(run_batch(requests(), work.double, serial, in_flight=2, lost=lost), start=1):
        assert len(taken) <= done + 2


def test_an_executor_is_replaced_when_it_has_done_its_share(work):
    made = []

    def make():
        made.append(1)
        return serial()

    results = list(run_batch(range(25), work.double, make, in_flight=2, lost=lost, share=10))
    assert sorted(results) == [2 * number for number in range(25)]
    assert len(made) == 3


def test_a_worker_that_dies_costs_its_own_request_alone(work, marks):
    deadly = partial(work.double_or_die, mortal=5, marks=str(marks))
    results = list(run_batch(range(12), deadly, partial(processes, 2), in_flight=4, lost=lost))
    assert sorted(results, key=str) == sorted(["lost 5", *(2 * number for number in range(12) if number != 5)], key=str)
    assert len(list(marks.glob("5-*"))) == 2, "the suspect is tried once more, alone"


def test_a_worker_killed_once_costs_nothing(work, marks):
    mortal = partial(work.die_once, mortal=5, marks=str(marks))
    results = list(run_batch(range(12), mortal, partial(processes, 2), in_flight=4, lost=lost))
    assert sorted(results) == [2 * number for number in range(12)]


def test_what_is_no_dead_worker_passes_through(work):
    with pytest.raises(KeyError):
        list(run_batch([1], work.raises, partial(processes, 1), in_flight=1, lost=lost))


def test_stopping_early_ends_the_workers_at_once(work, marks):
    sleepy = partial(work.pid_and_sleep, marks=str(marks))
    results = run_batch([0.0, 600.0, 600.0], sleepy, partial(processes, 2), in_flight=3, lost=lost)
    next(results)
    deadline = time.monotonic() + 30
    while len(list(marks.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    results.close()
    assert not [path.name for path in marks.iterdir() if psutil.pid_exists(int(path.name))]


def test_workers_use_one_thread_unless_told_otherwise(work, monkeypatch):
    monkeypatch.delenv("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    names = ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS"]
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from batch_work import environment\n"
        "from leakseg.batch.executors import processes\n"
        "if __name__ == '__main__':\n"
        "    with processes(1) as pool:\n"
        f"        print(*pool.map(environment, {names!r}))\n"
    )
    script = Path(work.__file__).with_name("threads.py")
    script.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, str(script.parent)], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    assert done.stdout.split() == ["1", "3"]


def test_workers_end_when_their_parent_is_killed(work, marks):
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from batch_work import pid_and_sleep\n"
        "from leakseg.batch.executors import processes\n"
        "if __name__ == '__main__':\n"
        "    with processes(2) as pool:\n"
        "        list(pool.map(pid_and_sleep, [600, 600], [sys.argv[2]] * 2))\n"
    )
    script = Path(work.__file__).with_name("orphans.py")
    script.write_text(program, encoding="utf-8")
    parent = subprocess.Popen([sys.executable, script, str(script.parent), str(marks)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(marks.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = [psutil.Process(int(path.name)) for path in marks.iterdir()]
    assert len(workers) == 2
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=30)
    for process in alive:
        process.kill()
    assert not alive


def test_the_number_of_workers_is_what_this_process_may_use():
    assert 1 <= default_workers() <= (os.cpu_count() or 1)


# --- ledger and output folder ----------------------------------------------------------------------------


def an_outcome(case_id="case-1", status="done", **changes):
    from leakseg.case import CaseOutcome

    values = {"reason": None, "seconds": 1.0, "input_digest": "sha256:in", "recipe_digest": "sha256:recipe"}
    return CaseOutcome(case_id=case_id, status=status, **(values | changes))


def finished(out, case_id):
    (out / case_id).mkdir()
    (out / case_id / "report.json").write_text("{}", encoding="utf-8")


def test_the_ledger_knows_what_is_done_with_the_same_input_recipe_and_version(tmp_path, monkeypatch):
    from leakseg.batch.ledger import Ledger

    finished(tmp_path, "case-1")
    ledger = Ledger(tmp_path)
    ledger.append(an_outcome())
    ledger.append(an_outcome("case-2", "refused", reason="No."))
    ledger.append(an_outcome("case-3"))
    ledger.close()
    again = Ledger(tmp_path)
    before = again.done_before("case-1", "sha256:in", "sha256:recipe")
    assert before is not None
    assert (before.status, before.seconds) == ("skipped", 1.0)
    assert again.done_before("case-1", "sha256:other", "sha256:recipe") is None
    assert again.done_before("case-1", "sha256:in", "sha256:other") is None
    assert again.done_before("case-2", "sha256:in", "sha256:recipe") is None, "a refusal is looked at again"
    assert again.done_before("case-3", "sha256:in", "sha256:recipe") is None, "its folder is gone"
    monkeypatch.setattr("leakseg.__version__", "99.0")
    assert Ledger(tmp_path).done_before("case-1", "sha256:in", "sha256:recipe") is None


@pytest.mark.parametrize("damage", [b"", b'{"leaks": [', bytes(4096)], ids=["empty", "cut short", "zeros"])
def test_a_case_whose_report_is_damaged_is_not_done(tmp_path, damage):
    from leakseg.batch.ledger import Ledger

    finished(tmp_path, "case-1")
    ledger = Ledger(tmp_path)
    ledger.append(an_outcome())
    ledger.close()
    assert ledger.done_before("case-1", "sha256:in", "sha256:recipe") is not None
    (tmp_path / "case-1" / "report.json").write_bytes(damage)
    assert ledger.done_before("case-1", "sha256:in", "sha256:recipe") is None


def test_a_report_damaged_in_its_middle_is_told_of_in_the_tables_and_stops_nothing(tmp_path):
    from leakseg.batch.job import write_batch

    finished(tmp_path, "case-1")
    (tmp_path / "case-1" / "report.json").write_bytes(b'{"leaks": [' + bytes(4096) + b"}")
    write_batch([an_outcome()], tmp_path, ["csv", "html"])
    (row,) = csv.DictReader((tmp_path / "summary.csv").read_text(encoding="utf-8").splitlines())
    assert row["status"] == "failed"
    assert "remove the case's folder" in row["reason"]


@pytest.mark.parametrize("complete", [True, False])
def test_the_page_of_an_interrupted_run_says_that_cases_are_to_come(tmp_path, complete):
    from leakseg.batch.job import write_batch

    write_batch([an_outcome(status="refused", reason="No masks.")], tmp_path, ["html"], complete=complete)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert ("The run was interrupted" in page) is not complete


def test_a_ledger_torn_by_a_power_cut_keeps_its_whole_lines(tmp_path):
    from leakseg.batch.ledger import NAME, Ledger

    for case_id in ("case-1", "case-2", "case-3"):
        finished(tmp_path, case_id)
    ledger = Ledger(tmp_path)
    ledger.append(an_outcome("case-1"))
    ledger.append(an_outcome("case-2"))
    ledger.close()
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-20])
    ledger = Ledger(tmp_path)
    assert ledger.done_before("case-2", "sha256:in", "sha256:recipe") is None
    ledger.append(an_outcome("case-3"))
    ledger.close()
    again = Ledger(tmp_path)
    assert again.done_before("case-1", "sha256:in", "sha256:recipe") is not None
    assert again.done_before("case-3", "sha256:in", "sha256:recipe") is not None


def test_an_output_folder_belongs_to_one_run(tmp_path):
    from leakseg.batch.output import claimed
    from leakseg.errors import ConfigError

    with (
        claimed(tmp_path / "out"),
        pytest.raises(ConfigError, match="Another run"),
        claimed(tmp_path / "out"),
    ):
        pass
    with claimed(tmp_path / "out"):
        pass


def test_an_output_folder_holds_nothing_but_results(tmp_path):
    from leakseg.batch.output import claimed
    from leakseg.errors import ConfigError

    (tmp_path / "scan.dcm").touch()
    with pytest.raises(ConfigError, match="not leakseg's"), claimed(tmp_path):
        pass
    with pytest.raises(ConfigError, match="is a file"), claimed(tmp_path / "scan.dcm"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["scan.dcm"]


def test_what_a_crashed_run_left_is_swept_away_and_results_are_not(tmp_path):
    from leakseg.batch.output import claimed

    finished(tmp_path, "case-1")
    finished(tmp_path, ".tmp-0123")
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    with claimed(tmp_path):
        assert not (tmp_path / ".tmp-0123").exists()
    assert (tmp_path / "case-1" / "report.json").is_file()


def test_the_input_digest_follows_names_sizes_and_times_and_not_the_place(tmp_path):
    from leakseg.batch.plan import input_digest

    def written(folder, text="abc", stamp=1_000_000_000):
        folder.mkdir(parents=True)
        for name in ("1.dcm", "2.dcm"):
            (folder / name).write_text(text, encoding="utf-8")
            os.utime(folder / name, ns=(stamp, stamp))
        return input_digest(sorted(folder.iterdir()), folder)

    first = written(tmp_path / "a")
    assert written(tmp_path / "b") == first
    assert written(tmp_path / "c", "abcd") != first
    assert written(tmp_path / "d", stamp=2_000_000_000) != first
    folder = tmp_path / "a"
    assert input_digest(sorted(folder.iterdir(), reverse=True), folder) == first


@pytest.mark.parametrize("text", ["", "1", "0/3", "4/3", "a/b", "1/0", "1/2/3", "-1/2", "1.0/2"])
def test_a_shard_of_another_form_is_told(text):
    from leakseg.batch.plan import parse_shard
    from leakseg.errors import ConfigError

    with pytest.raises(ConfigError, match="I/N"):
        parse_shard(text)


def test_shards_share_all_cases_once():
    from leakseg.batch.plan import parse_shard

    cases = list(range(11))
    parts = [parse_shard(f"{index}/3").of(cases) for index in (1, 2, 3)]
    assert sorted(case for part in parts for case in part) == cases


def test_run_json_is_whole_or_absent(tmp_path):
    from leakseg.batch.output import write_json

    write_json(tmp_path / "run.json", {"cases": []})
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8")) == {"cases": []}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_the_tables_are_whole_whatever_becomes_of_the_page(tmp_path, monkeypatch):
    from leakseg.batch.job import write_batch
    from leakseg.errors import OutputError
    from leakseg.writers import html

    def after_one_case(cases, folder, *, complete):
        next(iter(cases))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(html, "write_index", after_one_case)
    ended = [an_outcome(f"case-{number}", "refused", reason="Too few slices.") for number in range(3)]
    with pytest.raises(OutputError, match="The page of all cases could not be written: No space left on device"):
        write_batch(ended, tmp_path, {"csv", "html"})
    assert len((tmp_path / "summary.csv").read_text().splitlines()) == 1 + len(ended)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["leaks.csv", "summary.csv"]
