"""A run stopped anywhere, or on a disk that takes nothing, and run again: the same results, byte for byte."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[2] / "sample_dicom"
TOLD = {0, 1, 3}
"""Done, a case refused or failed, or the run ended by one sentence."""

pytestmark = pytest.mark.skipif(not SAMPLE.is_dir(), reason="sample_dicom is not there")


def stepwise(tmp_path, mode):
    arguments = [sys.executable, Path(__file__).with_name("stepwise.py"), SAMPLE, tmp_path, mode]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("mode", ["kill", "full", "denied", "torn"])
def test_a_second_run_ends_as_an_undisturbed_one(tmp_path, mode):
    told = stepwise(tmp_path, mode)
    steps = told["steps"]
    assert len(steps) == (6 if mode == "torn" else told["changes"]) >= 6
    assert {"leaks.csv", "three-leaks/report.json", "treated-no-leak/leaks.nii.gz"} <= set(told["files"])
    if mode == "kill":
        assert {step["first"] for step in steps} == {-9}, "every step was reached and killed"
    else:
        assert {step["first"] for step in steps} <= TOLD
    assert [step for step in steps if step["second"] != 0 or step["differ"] or step["left"]] == []


def leakseg(*arguments, **more):
    command = [sys.executable, "-m", "leakseg", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200, **more)


def one_sentence(done):
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_is_full_and_then_is_not(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        scan, out = SAMPLE / "scans" / "three-leaks", disk / "out"
        choices = ("--masks", SAMPLE / "masks", "--write", "json,csv,nifti", "--workers", "0")
        full = leakseg("run", scan, "-o", out, *choices)
        assert full.returncode in {1, 2, 70}, full.stderr
        assert "space" in one_sentence(full)
        assert not list(out.glob(".tmp-*"))
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        assert leakseg("run", scan, "-o", out, *choices).returncode == 0
        assert leakseg("run", scan, "-o", tmp_path / "calm", *choices).returncode == 0
        for name in ("three-leaks/report.json", "three-leaks/leaks.nii.gz", "leaks.csv"):
            assert (out / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()
    finally:
        subprocess.run(["umount", disk], check=False)


def test_a_worker_without_memory_costs_its_case_and_says_so(tmp_path):
    code = (
        "import resource, sys, leakseg.analysis, leakseg.case, nibabel, pydicom\n"
        "from leakseg.__main__ import main\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (12 << 20),) * 2)\n"
        "sys.argv = ['leakseg', *sys.argv[1:]]\n"
        "main()\n"
    )
    run = ["run", SAMPLE / "scans" / "three-leaks", "--masks", SAMPLE / "masks", "--write", "json,csv", "-o"]
    arguments = [sys.executable, "-c", code, *run, tmp_path / "out", "--workers", "0"]
    starved = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=200)
    assert "Traceback" not in starved.stderr
    assert starved.returncode in {1, 70}
    assert not list((tmp_path / "out").glob(".tmp-*"))
    assert leakseg(*run, tmp_path / "out", "--workers", "0").returncode == 0


def test_files_from_the_future_and_from_before_time(tmp_path):
    """The clock is no part of a result, and a file that became older is a file that changed."""
    import shutil

    scan, out = tmp_path / "scan", tmp_path / "out"
    shutil.copytree(SAMPLE / "scans" / "three-leaks", scan)
    shutil.copytree(SAMPLE / "masks" / "three-leaks", scan / "masks")
    choices = ("-o", out, "--write", "json,csv", "--workers", "0", "--json")
    reports = []
    for moment in (4_000_000_000, 0, 0):
        for path in scan.rglob("*.*"):
            os.utime(path, (moment, moment))
        done = leakseg("run", scan, *choices)
        assert done.returncode == 0, done.stderr
        report = json.loads((out / "scan" / "report.json").read_text(encoding="utf-8"))
        del report["provenance"]["input_digest"]
        reports.append((json.loads(done.stdout)["counts"]["done"], report))
    assert [done for done, _ in reports] == [1, 1, 0]
    assert reports[0][1] == reports[1][1] == reports[2][1]
