"""TotalSegmentator as an outside program, by a stand-in with its options, files, names and numbers."""

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.cli import run_command
from leakseg.criteria import MaskCriteria
from leakseg.errors import AnatomyError, ConfigError, PluginError
from leakseg.nifti import write_nifti
from leakseg.providers.totalsegmentator import STRUCTURES, TotalSegmentator, _version, read_totalsegmentator
from leakseg.volume import Volume

PROGRAM = Path(__file__).with_name("totalsegmentator_stand_in.py")
COMMAND = shlex.join([sys.executable, str(PROGRAM)])
NUMBERS = {"L1": 31, "L2": 30, "L3": 29, "L4": 28}


class StandIn:
    """What the stand-in is told to draw and to do wrong, and what it was asked."""

    def __init__(self, folder, spine):
        self._folder = folder
        (folder / "marks").mkdir(parents=True)
        self.labels = spine.numbered({VertebraLevel[name]: number for name, number in NUMBERS.items()})
        self.labels[spine.canal] = 79
        self.spine = spine
        self.cache = folder / "cache"
        self.says()

    def says(self, **changes):
        truth = self._folder / "truth.nii.gz"
        write_nifti(truth, self.spine.volume.grid, self.labels)
        told = {"truth": str(truth), "marks": str(self._folder / "marks")} | changes
        (self._folder / "told.json").write_text(json.dumps(told), encoding="utf-8")
        return str(self._folder / "told.json")

    def calls(self):
        path = self._folder / "marks" / "calls"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def mark(self, name):
        return self._folder / "marks" / name

    def draw(self, volume=None, **options):
        options = {"command": COMMAND, "cache": str(self.cache)} | options
        return read_totalsegmentator(volume or self.spine.volume, TotalSegmentator(**options), MaskCriteria())


@pytest.fixture
def stand_in(tmp_path, spine, monkeypatch):
    made = StandIn(tmp_path / "stand-in", spine)
    monkeypatch.setenv("STAND_IN", str(tmp_path / "stand-in" / "told.json"))
    _version.cache_clear()
    return made


def test_both_tasks_are_asked_for_and_read_by_their_names(stand_in, spine):
    read = stand_in.draw(device="cpu")
    assert [call[0] for call in stand_in.calls()] == ["total", "vertebrae_body"]
    assert stand_in.calls()[0] == ["total", False, "cpu", list(STRUCTURES)]
    masks = read.masks
    assert (masks.provider, masks.version, masks.scheme) == ("totalsegmentator", "2.4.0", "totalsegmentator")
    np.testing.assert_array_equal(masks.vertebrae, spine.vertebrae)
    np.testing.assert_array_equal(masks.cord, spine.canal)
    np.testing.assert_array_equal(masks.bodies, spine.vertebrae > 0)


def test_masks_are_kept_for_the_same_scan_version_and_options_in_a_private_folder(stand_in, spine):
    first = stand_in.draw()
    again = stand_in.draw()
    assert len(stand_in.calls()) == 2, "the second time nothing is run"
    np.testing.assert_array_equal(first.masks.vertebrae, again.masks.vertebrae)
    assert stat.S_IMODE(stand_in.cache.stat().st_mode) == 0o700
    kept = list(stand_in.cache.iterdir())
    assert len(kept) == 1
    assert stat.S_IMODE(kept[0].stat().st_mode) == 0o700
    assert sorted(path.name for path in kept[0].iterdir()) == ["total.nii.gz", "vertebrae_body.nii.gz"]
    stand_in.draw(fast=True, bodies=False)
    assert stand_in.calls()[2:] == [["total", True, "gpu", list(STRUCTURES)]]
    stand_in.draw(Volume(spine.volume.grid, np.asarray(spine.volume.hu) + np.int16(1)), bodies=False)
    assert len(stand_in.calls()) == 4, "another scan"
    _version.cache_clear()
    stand_in.says(version="2.5.1")
    assert stand_in.draw(bodies=False).masks.version == "2.5.1"
    assert len(stand_in.calls()) == 5, "another version"


def test_mixed_neighbours_and_missing_levels_are_noticed(stand_in, spine):
    mixed = np.argwhere(spine.vertebrae == VertebraLevel.L2.number)
    far = mixed[mixed[:, 0] < mixed[:, 0].min() + 4]
    lower = np.argwhere(spine.vertebrae == VertebraLevel.L4.number)
    part = lower[lower[:, 0] < lower[:, 0].min() + 8]
    stand_in.labels[tuple(part.T)] = NUMBERS["L2"]
    assert len(far)
    stand_in.labels[spine.vertebrae == VertebraLevel.L3.number] = 0
    stand_in.says()
    codes = {note.code for note in stand_in.draw(bodies=False).notes}
    assert {"mask_in_pieces", "mask_level_skipped"} <= codes


def test_levels_in_the_wrong_order_refuse_the_case(stand_in):
    upper, lower = stand_in.labels == NUMBERS["L1"], stand_in.labels == NUMBERS["L3"]
    stand_in.labels[upper], stand_in.labels[lower] = NUMBERS["L3"], NUMBERS["L1"]
    stand_in.says()
    with pytest.raises(AnatomyError, match="wrong order"):
        stand_in.draw(bodies=False)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("crash", "task total ended with exit code 1: run"),
        ("licence", "task vertebrae_body ended with exit code 1: it needs a licence"),
        ("silent", "ended without writing its masks"),
        ("killed", "it was killed, most likely because memory ran out"),
    ],
)
def test_its_failures_are_one_sentence_without_its_words(stand_in, fault, told):
    stand_in.says(fault=fault)
    with pytest.raises(PluginError) as error:
        stand_in.draw()
    assert told in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert "Traceback" not in str(error.value)
    assert "/" not in str(error.value), "no path"
    assert not list(stand_in.cache.iterdir()), "nothing half-drawn is kept"


def test_it_is_ended_when_its_time_is_up(stand_in):
    stand_in.says(fault="hang")
    with pytest.raises(PluginError, match="ended after 4 s"):
        stand_in.draw(timeout_s=4)
    assert_gone(stand_in.mark("pids"))


def test_a_version_that_is_too_old_or_no_answer_is_told(stand_in):
    stand_in.says(version="1.5.7")
    with pytest.raises(PluginError, match="too old"):
        stand_in.draw()
    _version.cache_clear()
    with pytest.raises(PluginError, match="does not answer to --version"):
        stand_in.draw(command=shlex.join([sys.executable, "-c", "pass"]))
    with pytest.raises(ConfigError, match="was not found"):
        stand_in.draw(command="no-such-program")


def test_a_killed_parent_leaves_no_orphan(stand_in, tmp_path):
    stand_in.says(fault="hang")
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom leakseg.providers.leash import on_a_leash\n"
        "on_a_leash([sys.executable, sys.argv[1], '-i', 'x', '-o', 'y'], Path(sys.argv[2]), os.environ, 600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(PROGRAM), str(tmp_path / "log")])
    deadline = time.monotonic() + 60
    while not stand_in.mark("pids").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert_gone(stand_in.mark("pids"))


def assert_gone(pids):
    alive = [psutil.Process(int(pid)) for pid in pids.read_text().split() if psutil.pid_exists(int(pid))]
    _, alive = psutil.wait_procs(alive, timeout=20)
    for process in alive:
        process.kill()
    assert not alive


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_run_at_a_time_than_was_said(stand_in, spine, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stand_in.says(seconds=1.5)
    volumes = [replace(spine.volume, hu=np.asarray(spine.volume.hu) + np.int16(step)) for step in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda volume: stand_in.draw(volume, bodies=False, at_once=at_once), volumes))
    (first, second) = sorted(tuple(map(int, path.read_text().split())) for path in stand_in.mark(".").glob("spell-*"))
    assert (second[0] >= first[1]) is (at_once == 1)


def test_a_run_draws_keeps_and_tells(stand_in, spine, tmp_path, capsys):
    for name in ("case-1", "case-2"):
        (tmp_path / "scans").mkdir(exist_ok=True)
        step = np.int16(int(name[-1]))
        write_nifti(tmp_path / "scans" / f"{name}.nii.gz", spine.volume.grid, np.asarray(spine.volume.hu) + step)
    out = tmp_path / "out"
    words = ["run", str(tmp_path / "scans"), "-o", str(out), "--masks", "totalsegmentator", "--workers", "0"]
    words += ["--write", "json", "--totalsegmentator-device", "cpu"]
    assert run_command([*words, "--totalsegmentator-command", "no-such-program"]) == 2
    assert "TotalSegmentator was not found" in capsys.readouterr().err
    stand_in.says(fault="crash")
    assert run_command([*words, "--totalsegmentator-command", COMMAND]) == 1
    cases = json.loads((out / "run.json").read_text(encoding="utf-8"))["cases"]
    assert {case["status"] for case in cases} == {"failed"}
    assert all("exit code 1" in case["reason"] for case in cases)
    stand_in.says()
    assert run_command([*words, "--totalsegmentator-command", COMMAND]) == 0
    report = json.loads((out / "case-1" / "report.json").read_text(encoding="utf-8"))
    assert report["masks"]["provider"] == "totalsegmentator"
    assert report["masks"]["version"] == "2.4.0"
    assert [one["level"] for one in report["levels"]] == list(NUMBERS)
    calls = len(stand_in.calls())
    assert run_command([*words, "--totalsegmentator-command", COMMAND, "--no-resume"]) == 0
    assert len(stand_in.calls()) == calls, "done again from the masks kept in OUT"
    assert stat.S_IMODE((out / ".totalsegmentator").stat().st_mode) == 0o700
