"""A Dask cluster of two real worker processes: the same bytes as here, and a killed worker loses nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from leakseg.geometry import Grid
from leakseg.nifti import write_nifti

pytest.importorskip("distributed", reason="the extra leakseg[dask] is not installed")

COMMAND = [sys.executable, "-m", "leakseg"]
GRID = Grid((60, 60, 40), np.array([[0, 0, 1.0, -20], [0, 1.0, 0, -20], [1.5, 0, 0, -500], [0, 0, 0, 1]]))
CASES = [f"case-{number}" for number in range(1, 7)]


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Six scans of three boxes in soft tissue, under relative paths: ``scans/NAME.nii.gz`` and ``masks/NAME/``."""
    folder = tmp_path_factory.mktemp("shared")
    vertebrae = np.zeros(GRID.shape, np.uint8)
    for position, verse in enumerate((23, 22, 21)):
        low = 5 + 18 * position
        vertebrae[low : low + 14, 10:32, 8:32] = verse
        vertebrae[low + 2 : low + 12, 32:52, 8:32] = verse
    vertebrae[:, 34:46, 14:26] = 0
    (folder / "scans").mkdir()
    for seed, name in enumerate(CASES):
        noise = np.random.default_rng(seed).normal(0, 10, GRID.shape)
        hu = np.where(vertebrae > 0, 250, 40) + noise
        hu[:, :4] -= 1040
        hu[10:14, 20:26, 18:22] = 2000
        write_nifti(folder / "scans" / f"{name}.nii.gz", GRID, hu.astype(np.int16))
        (folder / "masks" / name).mkdir(parents=True)
        write_nifti(folder / "masks" / name / "vertebrae.nii.gz", GRID, vertebrae)
    return folder


class Cluster:
    """A scheduler and its workers, each a process, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "scheduler.json"
        self._started: list[subprocess.Popen[bytes]] = []
        self._start("dask_scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(self._file))
        wait_for(self._file.is_file)
        self.address = wait_for(lambda: json.loads(self._file.read_text(encoding="utf-8") or "{}").get("address"))

    def worker(self, *more: str) -> "subprocess.Popen[bytes]":
        return self._start("dask_worker", self.address, "--no-nanny", "--no-dashboard", *(more or ("--nthreads", "1")))

    def lose_scheduler(self) -> None:
        self._started[0].kill()

    def _start(self, module: str, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments]
        process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._started.append(process)
        return process

    def end(self) -> None:
        for process in reversed(self._started):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    made = Cluster(folder)
    yield made
    made.end()


def wait_for(ready, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := ready():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come about in time")


def arguments(out, *more):
    masks = ["--masks", "masks", "--label-scheme", "verse", "--write", "json,csv,nifti"]
    return [*COMMAND, "run", "scans", "-o", str(out), *masks, *map(str, more)]


def results(out):
    """Every file of every case, and the rows without their seconds."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.glob("case-*/*"))}


def ledger(out):
    path = out / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def test_a_killed_worker_costs_no_case_and_the_bytes_are_those_of_local_work(scans, cluster, tmp_path):
    cluster.worker()
    victim = cluster.worker()
    out, here = tmp_path / "out", tmp_path / "here"
    with subprocess.Popen(
        arguments(out, "--scheduler", cluster.address), cwd=scans, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        wait_for(lambda: ledger(out))
        os.kill(victim.pid, signal.SIGKILL)
        told = process.communicate(timeout=200)[1].decode()
    assert process.returncode == 0, told
    assert sorted(line["case_id"] for line in ledger(out)) == CASES, "every case once"
    assert {line["status"] for line in ledger(out)} == {"done"}
    assert not list(out.glob(".tmp-*")), "what the killed worker left is swept away"
    local = subprocess.run(
        arguments(here, "--workers", 0), cwd=scans, check=False, capture_output=True, text=True, timeout=200
    )
    assert local.returncode == 0, local.stderr
    assert results(out) == results(here)
    again = subprocess.run(
        arguments(out, "--workers", 0), cwd=scans, check=False, capture_output=True, text=True, timeout=200
    )
    assert "6 skipped" in again.stdout, "what a cluster did, local work needs not do again"


def test_workers_of_another_version_or_of_several_threads_are_told(scans, cluster, tmp_path):
    from leakseg.batch.cluster import _on_worker
    from leakseg.errors import ConfigError

    with pytest.raises(ConfigError, match=r"has leakseg \S+ where this command is 0\.0\.0"):
        _on_worker("0.0.0", str, (), {})
    cluster.worker("--nthreads", "2")
    wait_for(lambda: _threads(cluster.address) == [2])
    done = subprocess.run(
        arguments(tmp_path / "out", "--scheduler", cluster.address),
        cwd=scans, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "--nthreads 1" in done.stderr


def test_a_scheduler_that_does_not_answer_is_told_in_one_sentence(scans, tmp_path):
    for address in ("tcp://127.0.0.1:1", "nowhere", "ftp://x"):
        done = subprocess.run(
            arguments(tmp_path / "out", "--scheduler", address),
            cwd=scans, check=False, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("leakseg: No Dask scheduler answers at")
        assert len(done.stderr.splitlines()) == 1


def test_a_scheduler_that_dies_midway_ends_the_run_in_one_sentence_and_keeps_what_is_done(scans, cluster, tmp_path):
    cluster.worker()
    out = tmp_path / "out"
    with subprocess.Popen(
        arguments(out, "--scheduler", cluster.address), cwd=scans, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        wait_for(lambda: ledger(out))
        cluster.lose_scheduler()
        told = process.communicate(timeout=200)[1].decode()
    assert process.returncode == 2, told
    assert "No Dask scheduler answers" in told
    assert "Traceback" not in told
    done = {line["case_id"] for line in ledger(out)}
    again = subprocess.run(
        arguments(out, "--workers", 0), cwd=scans, check=False, capture_output=True, text=True, timeout=200
    )
    assert again.returncode == 0
    assert f"{len(done)} skipped" in again.stdout


def _threads(address):
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        return list(client.nthreads().values())
