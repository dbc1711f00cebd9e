"""The command as users run it: in a process of its own, by its exit codes, its two streams and its files."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from leakseg.cli import run_command
from leakseg.cli.table import _OTHER_SERIES, closing_table
from leakseg.geometry import Grid
from leakseg.nifti import write_nifti
from leakseg.replaced import OTHER_SERIES

COMMAND = [sys.executable, "-m", "leakseg"]
SAMPLES = Path(__file__).parents[1] / "sample_dicom"
GRID = Grid((60, 60, 40), np.array([[0, 0, 1.0, -20], [0, 1.0, 0, -20], [1.5, 0, 0, -500], [0, 0, 0, 1]]))


def leakseg(*arguments, cwd=None, **more):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=240, cwd=cwd, **more
    )


def write_scan(folder):
    """Three vertebrae as boxes with a canal, in soft tissue; a few seconds' work for the analysis."""
    folder.mkdir(parents=True)
    vertebrae = np.zeros(GRID.shape, np.uint8)
    for position, verse in enumerate((23, 22, 21)):
        low = 5 + 18 * position
        vertebrae[low : low + 14, 10:32, 8:32] = verse
        vertebrae[low + 2 : low + 12, 32:52, 8:32] = verse
    vertebrae[:, 34:46, 14:26] = 0
    canal = np.zeros(GRID.shape, np.uint8)
    canal[:, 34:46, 14:26] = 1
    noise = np.random.default_rng(3).normal(0, 10, GRID.shape)
    hu = np.where(vertebrae > 0, 250, 40) + noise
    hu[:, :4] -= 1040
    write_nifti(folder / "scan.nii.gz", GRID, hu.astype(np.int16))
    (folder / "masks").mkdir()
    write_nifti(folder / "masks" / "vertebrae.nii.gz", GRID, vertebrae)
    write_nifti(folder / "masks" / "canal.nii.gz", GRID, canal)
    return folder


@pytest.fixture(scope="module")
def one_scan(tmp_path_factory):
    return write_scan(tmp_path_factory.mktemp("made") / "scan")


def lay_out(one_scan, folder, names):
    """The same scan under several names, as ``scans/NAME.nii.gz`` and ``masks/NAME/``."""
    (folder / "scans").mkdir()
    for name in names:
        shutil.copy2(one_scan / "scan.nii.gz", folder / "scans" / f"{name}.nii.gz")
        shutil.copytree(one_scan / "masks", folder / "masks" / name)
    return folder / "scans"


@pytest.fixture
def scans(one_scan, tmp_path):
    """Two cases."""
    return lay_out(one_scan, tmp_path, ["case-1", "case-2"])


def run(scans, out, *more, workers=0):
    """Without worker processes where the test is not about them: they take a second to start."""
    return leakseg("run", scans, "-o", out, *masks_of(scans), "--workers", workers, *more)


def masks_of(scans):
    return ["--masks", str(scans.parent / "masks"), "--label-scheme", "verse"]


def cases_of(out):
    document = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return {case["case_id"]: case for case in document["cases"]}


def test_a_run_leaves_what_the_contract_says(scans, tmp_path):
    out = tmp_path / "out"
    done = run(scans, out)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == {
        "case-1", "case-2", "index.html", "summary.csv", "leaks.csv", "run.json", "ledger.jsonl"
    }  # fmt: skip
    assert {path.name for path in (out / "case-1").iterdir()} == {
        "report.json", "cement.nii.gz", "leaks.nii.gz", "features.csv",
        "report.html", "thumbnail.jpg", "levels.png", "solid.png",
    }  # fmt: skip
    with (out / "summary.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["case_id"], row["status"]) for row in rows] == [("case-1", "done"), ("case-2", "done")]
    document = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert document["complete"] is True
    assert document["counts"] == {"done": 2, "refused": 0, "failed": 0, "skipped": 0}
    assert all(case["input_digest"].startswith("sha256:") for case in document["cases"])
    assert "2 done" in done.stdout


def test_a_second_run_skips_and_tells_earlier_results(scans, tmp_path):
    out = tmp_path / "out"
    run(scans, out)
    before = (out / "case-1" / "report.json").stat().st_mtime_ns
    with (out / "summary.csv").open(encoding="utf-8", newline="") as stream:
        first = list(csv.DictReader(stream))
    assert run(scans, out).returncode == 0
    assert (out / "case-1" / "report.json").stat().st_mtime_ns == before
    with (out / "summary.csv").open(encoding="utf-8", newline="") as stream:
        second = list(csv.DictReader(stream))
    assert [row.pop("status") for row in second] == ["skipped", "skipped"]
    assert [row.pop("status") for row in first] == ["done", "done"]
    assert [row | {"seconds": ""} for row in second] == [row | {"seconds": ""} for row in first]


@pytest.mark.slow
def test_what_changed_is_done_again_and_only_that(scans, tmp_path):
    out = tmp_path / "out"
    run(scans, out)
    os.utime(scans.parent / "masks" / "case-1" / "canal.nii.gz", ns=(1, 1))
    run(scans, out)
    assert {name: case["status"] for name, case in cases_of(out).items()} == {"case-1": "done", "case-2": "skipped"}
    run(scans, out, "--anchor", "case-2:L1@-452")
    assert {name: case["status"] for name, case in cases_of(out).items()} == {"case-1": "skipped", "case-2": "done"}
    run(scans, out, "--no-resume")
    assert {name: case["status"] for name, case in cases_of(out).items()} == {"case-1": "done", "case-2": "done"}


def test_json_is_one_document_on_stdout_and_all_else_on_stderr(scans, tmp_path):
    done = run(scans, tmp_path / "out", "--json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert "2 cases found" in done.stderr
    assert "\x1b" not in done.stderr, "plain lines where there is no terminal"


def test_any_number_of_workers_gives_the_same_bytes(scans, tmp_path):
    results = []
    for workers in (0, 2):
        out = tmp_path / f"out-{workers}"
        assert run(scans, out, workers=workers).returncode == 0
        results.append(
            {p.relative_to(out): p.read_bytes() for p in out.glob("case-*/*")} | {0: (out / "leaks.csv").read_bytes()}
        )
    assert results[0] == results[1]
    assert len(results[0]) == 17


@pytest.mark.slow
def test_shards_share_the_cases_and_merge_joins_them(scans, tmp_path):
    parts = [tmp_path / "part-1", tmp_path / "part-2"]
    for index, part in enumerate(parts, start=1):
        assert run(scans, part, "--shard", f"{index}/2").returncode == 0
    assert [set(cases_of(part)) for part in parts] == [{"case-1"}, {"case-2"}]
    whole = tmp_path / "whole"
    run(scans, whole)
    joined = tmp_path / "joined"
    assert leakseg("merge", *parts, "-o", joined).returncode == 0
    assert set(cases_of(joined)) == {"case-1", "case-2"}
    assert {p.relative_to(joined): p.read_bytes() for p in joined.glob("case-*/*")} == {
        p.relative_to(whole): p.read_bytes() for p in whole.glob("case-*/*")
    }
    assert run(scans, joined).returncode == 0
    assert {case["status"] for case in cases_of(joined).values()} == {"skipped"}, "a merged OUT can be resumed"
    again = leakseg("merge", *parts, parts[0], "-o", tmp_path / "twice")
    assert again.returncode == 2
    assert "case-1" in again.stderr


def test_a_broken_labels_file_costs_its_own_case_alone(scans, tmp_path):
    (tmp_path / "masks" / "case-1" / "labels.toml").write_text("20 = = L1", encoding="utf-8")
    (tmp_path / "masks" / "case-2" / "labels.toml").write_text('21 = "L2"\n22 = "L3"\n23 = "L4"\n', encoding="utf-8")
    masks = ["--masks", str(tmp_path / "masks"), "--workers", "0"]
    done = leakseg("run", scans, "-o", tmp_path / "out", *masks)
    assert done.returncode == 1, done.stderr
    statuses = {name: case["status"] for name, case in cases_of(tmp_path / "out").items()}
    assert statuses == {"case-1": "refused", "case-2": "done"}


def test_a_full_disk_is_told_in_one_sentence(scans, tmp_path):
    out = tmp_path / "out"
    run(scans, out)
    (out / "ledger.jsonl").unlink()
    (out / "ledger.jsonl").symlink_to("/dev/full")
    done = run(scans, out)
    assert done.returncode == 1
    assert "ledger.jsonl could not be written: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_that_are_no_text_break_no_output(scans, tmp_path):
    odd = bytes(scans / "bad") + b"\xff\n[red].nii.gz"
    shutil.copy(scans / "case-1.nii.gz", odd)
    masks = ["--masks", str(tmp_path / "masks" / "case-1"), "--label-scheme", "verse", "--workers", "0"]
    assert leakseg("run", scans, "-o", tmp_path / "out", *masks).returncode == 0
    with Path(os.fsdecode(odd)).open("wb") as stream:
        stream.write(b"no image")
    done = leakseg("run", scans, "-o", tmp_path / "out", "--json", *masks)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["counts"] == {"done": 0, "refused": 1, "failed": 0, "skipped": 2}


def test_a_study_without_a_scan_is_told_and_ends_with_1(tmp_path):
    (tmp_path / "empty").mkdir()
    done = run(tmp_path / "empty", tmp_path / "out", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["cases"] == []


def test_cases_of_earlier_runs_that_the_tables_leave_out_are_told(scans, tmp_path):
    """Who gives each day's study the same results folder may take index.html for all of them."""
    out = tmp_path / "out"
    masks = ["--masks", tmp_path / "masks" / "case-1", "--label-scheme", "verse", "--workers", 0, "--write", "json"]
    first = leakseg("run", scans / "case-1.nii.gz", "-o", out, *masks)
    assert "of earlier runs" not in first.stdout
    second = leakseg("run", scans / "case-2.nii.gz", "-o", out, *masks)
    assert f"1 case of earlier runs lies in {out} too; index.html and the tables tell of this run's" in second.stdout


def test_a_case_that_takes_the_place_of_another_series_says_so(tmp_path):
    assert _OTHER_SERIES == OTHER_SERIES
    for sample in ("three-leaks", "treated-no-leak"):
        shutil.rmtree(tmp_path / "cdrom", ignore_errors=True)
        shutil.copytree(SAMPLES / "scans" / sample, tmp_path / "cdrom")
        given = ["--masks", SAMPLES / "masks" / sample, "--workers", 0, "--write", "json"]
        done = leakseg("run", tmp_path / "cdrom", "-o", tmp_path / "out", *given)
        assert ("took the place of another series" in " ".join(done.stdout.split())) is (sample == "treated-no-leak")


def test_nothing_found_says_what_lies_there_instead(tmp_path):
    folder = tmp_path / "from the PACS"
    folder.mkdir()
    (folder / "Schmidt.zip").write_bytes(b"PK\x03\x04" + bytes(200))
    done = run(folder, tmp_path / "out")
    assert done.returncode == 1
    assert "1 x A packed archive (ZIP): unpack it" in done.stdout
    assert "Schmidt" not in (tmp_path / "out" / "run.json").read_text(encoding="utf-8")


def test_an_interrupted_run_without_an_ended_case_does_not_say_that_there_is_no_study(tmp_path):
    told = io.StringIO()
    closing_table({"cases": [], "complete": False, "shard": None, "passed_over": {"Not CT.": 3}}, tmp_path, told)
    assert told.getvalue() == "No case had ended yet.\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "nowhere", "-o", "out"], "no file or folder 'nowhere'"),
        (["run", "scans"], "Missing option '-o'"),
        (["run", "scans", "-o", "out", "--colour"], "No such option"),
        (["run", "scans", "-o", "out", "--workers", "many"], "--workers"),
        (["run", "scans", "-o", "out", "--write", "pdf"], "no writer 'pdf'"),
        (["run", "scans", "-o", "out", "--classifier", "oracle"], "no leak classifier 'oracle'"),
        (["run", "scans", "-o", "out", "--label-scheme", "guess"], "no label scheme named 'guess'"),
        (["run", "scans", "-o", "out", "--masks", "auto", "--masks", "builtin"], "stands alone"),
        (["run", "scans", "-o", "out", "--masks", "spleen=x.nii.gz"], "no role"),
        (["run", "scans", "-o", "out", "--anchor", "L1"], "[CASE:]LEVEL@Z"),
        (["run", "scans", "-o", "out", "--anchor", "L1@-400"], "which of the 2 cases"),
        (["run", "scans", "-o", "out", "--anchor", "case-9:L1@-400"], "not among those found"),
        (["run", "scans", "-o", "out", "--shard", "3/2"], "I/N"),
        (["run", "scans", "-o", "out", "--pipeline", "none.toml"], "cannot be read"),
        (["run", "scans", "-o", "scans"], "not leakseg's"),
        (["run", "scans", "-o", "scans/case-1.nii.gz"], "is a file"),
        (["run", "", "-o", "out"], "is empty"),
        (["run", "scans", "-o", ""], "is empty"),
        (["inspect", ""], "is empty"),
        (["inspect", "nowhere"], "no file or folder 'nowhere'"),
        (["merge", "scans", "-o", "out"], "no results folder"),
        (["show", "labels", "guess"], "no label scheme 'guess'"),
        (["dance"], "No such command"),
        (["runs"], "No such command 'runs'. Did you mean 'run'? See `leakseg --help`."),
        (["phantom", "make", "out", "--seed", "-1"], "Invalid value for '--seed'"),
        (["phantom", "surgery", "out", "--seed", "-1"], "Invalid value for '--seed'"),
    ],
)
def test_wrong_usage_is_one_sentence_and_ends_with_2(scans, arguments, told, monkeypatch, capsys):
    monkeypatch.chdir(scans.parent)
    assert run_command(arguments) == 2
    printed = capsys.readouterr()
    assert told in printed.err
    assert printed.out == ""
    complaint = [line for line in printed.err.splitlines() if not line.endswith("found")]
    assert len(complaint) == 1
    assert complaint[0].startswith("leakseg: ")


def test_the_same_folder_is_never_written_by_two_runs(scans, tmp_path):
    from filelock import FileLock

    out = tmp_path / "out"
    out.mkdir()
    with FileLock(out / ".leakseg.lock"):
        done = run(scans, out)
    assert done.returncode == 2
    assert "Another run" in done.stderr


def test_a_fault_of_ours_is_one_sentence_and_ends_with_70(monkeypatch, capsys):
    def broken(*_given, **_more):
        raise ZeroDivisionError("Doe^John")

    monkeypatch.setattr("leakseg.cli.run.run_scans", broken)
    assert run_command(["run", ".", "-o", "out"]) == 70
    told = capsys.readouterr().err
    assert "ZeroDivisionError" in told
    assert "Doe" not in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [["show", "criteria"], ["show", "schema"], ["show", "plugins"], ["show", "config"], ["show", "labels"]],
    ids=" ".join,
)
def test_show_prints_for_people_and_for_programs(arguments, capsys):
    assert run_command(arguments) == 0
    assert capsys.readouterr().out
    assert run_command([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_inspect_names_the_cases_that_run_would_analyse(scans, capsys):
    assert run_command(["inspect", str(scans), "--json"]) == 0
    series = [one for study in json.loads(capsys.readouterr().out)["studies"] for one in study["series"]]
    assert [(one["case_id"], one["analysable"], one["slices"]) for one in series] == [
        ("case-1", True, 60),
        ("case-2", True, 60),
    ]


def test_a_labels_page_says_what_26_means_in_each_scheme(capsys):
    assert run_command(["show", "labels", "--json"]) == 0
    schemes = json.loads(capsys.readouterr().out)["schemes"]
    assert schemes["verse"]["20"] == "L1"
    assert schemes["totalsegmentator"]["27"] == "L5"
    assert all(scheme["26"] == "S1" for name, scheme in schemes.items() if name in {"verse", "totalsegmentator"})


def test_version_and_help(capsys):
    assert leakseg("--version").stdout.split()[0] == "leakseg"
    for command in (
        [],
        ["run"],
        ["inspect"],
        ["merge"],
        ["phantom", "make"],
        ["phantom", "implant"],
        ["show", "config"],
    ):
        assert run_command([*command, "--help"]) == 0
        assert "Usage: leakseg" in capsys.readouterr().out


# --- the batch under fire --------------------------------------------------------------------------------


def workers_of(process):
    """Processes two floors down: the command starts a fork server, and that starts the workers."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if child.ppid() != process.pid and child.is_running():
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("waited in vain")


@pytest.fixture
def start(tmp_path):
    """Start a run of two workers; the process and the file with what it says."""
    started = []

    def begin(scans, out):
        arguments = [*COMMAND, "run", scans, "-o", out, *masks_of(scans), "--workers", "2"]
        # A job that a shell started in the background ignores Ctrl-C and hands that on: not to this process.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        with (tmp_path / "log.txt").open("w", encoding="utf-8") as log:
            started.append(subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=log))
        signal.signal(signal.SIGINT, before)
        return started[-1], tmp_path / "log.txt"

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_twelve_cases_one_corrupt_one_without_masks_one_worker_killed(one_scan, tmp_path, start):
    scans, out = lay_out(one_scan, tmp_path, [f"case-{number:02}" for number in range(12)]), tmp_path / "out"
    corrupt = scans / "case-03.nii.gz"
    corrupt.write_bytes(corrupt.read_bytes()[:5000])
    shutil.rmtree(tmp_path / "masks" / "case-07")

    process, log = start(scans, out)
    wait_for(lambda: "[2/12]" in log.read_text(encoding="utf-8"))
    victim = wait_for(lambda: workers_of(process))[0]
    victim.send_signal(signal.SIGKILL)
    assert process.wait(timeout=200) == 1
    told = cases_of(out)
    assert len(told) == 12
    refused = {name: case["reason"] for name, case in told.items() if case["status"] != "done"}
    assert set(refused) == {"case-03", "case-07"}
    assert all(told[name]["status"] == "refused" and reason for name, reason in refused.items())
    folders = {path.name for path in out.iterdir() if path.is_dir()}
    assert folders == {f"case-{number:02}" for number in range(12)} - set(refused)
    assert not list(out.glob(".tmp-*"))

    again = run(scans, out, "--json", workers=2)
    assert again.returncode == 1
    assert json.loads(again.stdout)["counts"] == {"done": 0, "refused": 2, "failed": 0, "skipped": 10}


KILLER = """
import multiprocessing, os, signal

class Killer:
    name, version = "killer", "1"
    def __init__(self):
        if multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
    def classify(self, candidate):
        raise NotImplementedError
"""


def test_a_case_that_kills_its_worker_every_time_has_failed_and_says_so(scans, tmp_path):
    (tmp_path / "killer.py").write_text(KILLER, encoding="utf-8")
    done = leakseg("run", scans, "-o", "out", *masks_of(scans), "--classifier", "killer:Killer", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    told = cases_of(tmp_path / "out")
    assert [case["status"] for case in told.values()] == ["failed", "failed"]
    assert all("died twice" in case["reason"] for case in told.values())


@pytest.mark.slow
def test_ctrl_c_ends_at_once_keeps_what_is_done_and_the_next_run_goes_on(one_scan, tmp_path, start):
    scans, out = lay_out(one_scan, tmp_path, [f"case-{number}" for number in range(8)]), tmp_path / "out"
    process, log = start(scans, out)
    wait_for(lambda: "[2/8]" in log.read_text(encoding="utf-8"))
    workers = workers_of(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert not psutil.wait_procs(workers, timeout=10)[1], "no worker goes on"
    kept = cases_of(out)
    assert 2 <= len(kept) < 8
    assert json.loads((out / "run.json").read_text(encoding="utf-8"))["complete"] is False
    assert not list(out.glob(".tmp-*"))
    assert "Interrupted; what is done is kept" in log.read_text(encoding="utf-8")
    assert "Traceback" not in log.read_text(encoding="utf-8")

    assert run(scans, out).returncode == 0
    statuses = {name: case["status"] for name, case in cases_of(out).items()}
    assert {name for name, status in statuses.items() if status == "skipped"} == set(kept)
    assert len(statuses) == 8


@pytest.mark.slow
def test_a_run_killed_outright_is_resumed_to_the_same_results(one_scan, tmp_path, start):
    scans, out = lay_out(one_scan, tmp_path, [f"case-{number}" for number in range(5)]), tmp_path / "out"
    process, log = start(scans, out)
    wait_for(lambda: "[2/5]" in log.read_text(encoding="utf-8"))
    workers = workers_of(process)
    process.kill()
    process.wait(timeout=60)
    psutil.wait_procs(workers, timeout=20)
    assert run(scans, out).returncode == 0
    undisturbed = tmp_path / "undisturbed"
    run(scans, undisturbed)
    assert {p.relative_to(out): p.read_bytes() for p in out.glob("case-*/*")} == {
        p.relative_to(undisturbed): p.read_bytes() for p in undisturbed.glob("case-*/*")
    }
    assert not list(out.glob(".tmp-*"))
