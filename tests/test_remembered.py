"""What an OUT remembers of its scans: a resumed run opens no scan, and a changed file is read again."""

import json
import os
import pickle
import shutil
import stat
from pathlib import Path

import pytest

from leakseg.batch import remembered
from leakseg.batch.job import Job, run_job
from leakseg.batch.output import INVENTORY
from leakseg.batch.remembered import find_cases
from leakseg.case import outcome
from leakseg.config import load_config
from leakseg.criteria import ReadingCriteria
from leakseg.readers import take_inventory
from leakseg.spelt import SpeltPaths

SAMPLES = Path(__file__).parents[1] / "sample_dicom"


@pytest.fixture
def scans(tmp_path):
    """Three studies, one of which must be refused, under the name of no one."""
    if not SAMPLES.is_dir():
        pytest.skip("sample_dicom is not there")
    shutil.copytree(SAMPLES / "scans", tmp_path / "scans")
    (tmp_path / "out").mkdir()
    return tmp_path / "scans"


@pytest.fixture
def read(monkeypatch):
    """How often the headers were read."""
    times = []

    def counted(*arguments, **more):
        times.append(1)
        return take_inventory(*arguments, **more)

    monkeypatch.setattr(remembered, "take_inventory", counted)
    return times


def cases(scans, *, all_series=False, criteria=None):
    return find_cases([scans], criteria or ReadingCriteria(), scans.parent / "out", all_series=all_series).cases


def test_the_second_time_no_scan_is_opened_and_the_cases_are_the_same(scans, read):
    first = cases(scans)
    assert {entry.analysable for entry in first} == {True, False}
    assert first == take_inventory([scans], ReadingCriteria()).cases()
    for path in scans.rglob("*.dcm"):
        state = path.stat()
        path.write_bytes(bytes(state.st_size))
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert cases(scans) == first, "of zeros nothing could be read"
    assert len(read) == 1


def test_what_is_kept_holds_no_path_and_is_ours_alone(scans):
    cases(scans)
    path = scans.parent / "out" / INVENTORY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text(encoding="utf-8")
    assert ".dcm" not in text
    assert str(scans) not in text
    assert "three-leaks/" not in text


def test_a_changed_a_new_and_a_lost_file_are_noticed(scans, read):
    first = cases(scans)
    slices = sorted((scans / "three-leaks").rglob("*.dcm"))
    slices[0].touch()
    assert cases(scans) == first
    assert len(read) == 2, "a new time"
    shutil.copytree(scans / "three-leaks", scans.parent / "more" / "copy")
    (scans.parent / "more" / "copy").rename(scans / "copy")
    cases(scans)
    assert len(read) == 3, "new files"
    shutil.rmtree(scans / "copy")
    slices[-1].unlink()
    now, before = ({one.source.case_id: one.slices for one in entries} for entries in (cases(scans), first))
    assert now["three-leaks"] == before["three-leaks"] - 1
    assert len(read) == 4, "a lost file"


def test_other_criteria_and_choices_are_noticed(scans, read):
    cases(scans)
    cases(scans, all_series=True)
    cases(scans, all_series=True, criteria=ReadingCriteria(min_slices=5))
    assert len(read) == 3


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"key": 1}', "keyless"])
def test_a_damaged_memory_is_no_memory(scans, read, damage):
    first = cases(scans)
    path = scans.parent / "out" / INVENTORY
    known = json.loads(path.read_text(encoding="utf-8"))
    text = json.dumps({"key": known["key"], "cases": [{"runs": []}]}) if damage == "keyless" else damage
    path.write_text(text, encoding="utf-8")
    assert cases(scans) == first
    assert len(read) == 2


def test_nifti_scans_and_single_files_are_remembered_too(tmp_path, read, one_nifti):
    (tmp_path / "out").mkdir()
    (tmp_path / "scans" / "deep").mkdir(parents=True)
    shutil.copy2(one_nifti, tmp_path / "scans" / "deep" / "a.nii.gz")
    shutil.copy2(one_nifti, tmp_path / "single.nii.gz")
    roots = [tmp_path / "scans", tmp_path / "single.nii.gz"]
    first = find_cases(roots, ReadingCriteria(), tmp_path / "out", all_series=False).cases
    assert [entry.source.case_id for entry in first] == ["deep-a", "single"]
    assert find_cases(roots, ReadingCriteria(), tmp_path / "out", all_series=False).cases == first
    assert len(read) == 1


@pytest.fixture
def one_nifti(tmp_path):
    import numpy as np

    from leakseg.geometry import Grid
    from leakseg.nifti import write_nifti

    grid = Grid((12, 8, 8), np.array([[0, 0, 1.0, 0], [0, 1.0, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1]]))
    hu = np.random.default_rng(1).normal(0, 200, grid.shape).astype(np.int16) - np.int16(600)
    write_nifti(tmp_path / "made.nii.gz", grid, hu)
    return tmp_path / "made.nii.gz"


def test_what_was_passed_over_is_counted_by_reason_the_second_time_too(scans, read):
    (scans / "three-leaks" / "letter.txt").write_text("Dear colleague")
    (scans / "empty").touch()
    out = scans.parent / "out"
    first = find_cases([scans], ReadingCriteria(), out, all_series=False)
    assert first.passed_over == {
        "Not DICOM (no DICM mark, and no header at its start), NIfTI or NRRD.": 1,
        "The file is empty.": 1,
    }
    (scans / "empty too").touch()
    again = find_cases([scans], ReadingCriteria(), out, all_series=False)
    assert len(read) == 1
    assert again.cases == first.cases
    assert again.passed_over == first.passed_over | {"The file is empty.": 2}


class Touching:
    """A watcher that lets a file change once the scans are found: too late for a run to see."""

    def __init__(self, *paths):
        self.paths, self.statuses = paths, {}

    def found(self, cases):
        for path in self.paths:
            path.touch()

    def ended(self, outcome):
        self.statuses[outcome.case_id] = outcome.status


def test_a_file_that_changes_while_a_run_goes_on_is_noticed_by_the_next(scans, monkeypatch):
    def work(request):
        """Stands in for the analysis."""
        (request.out / request.source.case_id).mkdir(exist_ok=True)
        (request.out / request.source.case_id / "report.json").write_text("{}\n", encoding="utf-8")
        return outcome(request, "done", None, 0.0)

    def run(*touched):
        watcher = Touching(*touched)
        config = load_config(None, {"workers": 0, "masks": ["builtin"], "write": ["json"]})
        run_job(Job(scans=(scans,), out=scans.parent / "out", config=config), watcher)
        return watcher.statuses

    monkeypatch.setattr("leakseg.batch.job.run_case", work)
    shutil.rmtree(scans / "missing-slices")
    first, second = (next((scans / case_id).iterdir()) for case_id in ("three-leaks", "treated-no-leak"))
    assert run(first) == {"three-leaks": "done", "treated-no-leak": "done"}
    assert run(second) == {"three-leaks": "done", "treated-no-leak": "skipped"}, "the first was read before or after"
    assert run() == {"three-leaks": "skipped", "treated-no-leak": "done"}
    assert run() == {"three-leaks": "skipped", "treated-no-leak": "skipped"}


def test_paths_kept_as_text_are_the_paths(tmp_path):
    paths = tuple(tmp_path / f"{number}.dcm" for number in range(5))
    kept = SpeltPaths(map(str, paths))
    assert kept == paths
    assert paths == kept
    assert kept == SpeltPaths(map(str, paths)) != SpeltPaths(map(str, paths[:-1]))
    assert hash(kept) == hash(paths)
    assert (kept[1], tuple(kept[-2:]), list(kept)) == (paths[1], paths[-2:], list(paths))
    assert pickle.loads(pickle.dumps(kept)) == paths, "as it travels to a worker"
