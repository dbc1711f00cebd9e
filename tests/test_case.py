"""One case from files to files; a method of our own stands in for the analysis through its seam."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leakseg.anchor import parse_anchor
from leakseg.batch.plan import plan_case
from leakseg.case import CaseOutcome, run_case
from leakseg.config import AnalysisConfig
from leakseg.findings import CaseFindings, CementReport, LevelReport, MasksReport, PatientPattern, QualityNote
from leakseg.geometry import Grid
from leakseg.nifti import write_nifti
from leakseg.readers import take_inventory
from leakseg.volume import LabelMap

AFFINE = np.array([[0, 0, 1.0, -20], [0, 1.0, 0, -20], [1.5, 0, 0, -500], [0, 0, 0, 1]], float)
SHAPE = (60, 60, 40)


def write_scan(folder):
    """A block of soft tissue with three vertebrae and a canal, and their masks beside it."""
    folder.mkdir(parents=True)
    grid = Grid(SHAPE, AFFINE)
    hu = np.full(SHAPE, 40, np.int16)
    vertebrae = np.zeros(SHAPE, np.uint8)
    for position, verse in enumerate((23, 22, 21)):
        low = 5 + 18 * position
        vertebrae[low : low + 14, 10:32, 8:32] = verse
        vertebrae[low + 2 : low + 12, 32:52, 8:32] = verse
    vertebrae[:, 34:46, 14:26] = 0
    canal = np.zeros(SHAPE, np.uint8)
    canal[:, 34:46, 14:26] = 1
    hu[vertebrae > 0] = 300
    hu[:, :4] = -1000
    write_nifti(folder / "scan.nii.gz", grid, hu)
    (folder / "masks").mkdir()
    write_nifti(folder / "masks" / "vertebrae.nii.gz", grid, vertebrae)
    write_nifti(folder / "masks" / "canal.nii.gz", grid, canal)
    return folder


def findings(volume, masks, criteria, classifier, *, notes=()):
    """Nothing found, honestly reported."""
    nothing = LabelMap(volume.grid, np.zeros(volume.grid.shape, np.uint8))
    levels = tuple(LevelReport(level, "whole", False, 0.0, None, None, None, None) for level in masks.levels())
    return CaseFindings(
        masks=MasksReport(masks.provider, masks.version, masks.scheme, "mask"),
        levels=levels,
        cement=CementReport(0.0, 0.0, 0.0, None, "no cement", 0.0, 0.0),
        leaks=(),
        patient_pattern=PatientPattern((), False, False, False),
        notes=tuple(notes),
        needs_review=False,
        cement_labels=nothing,
        leak_labels=nothing,
    )


def raising(error):
    def method(volume, masks, criteria, classifier):
        raise error

    return method


def request_for(scans, out, **choices):
    config = AnalysisConfig(label_scheme="verse", **choices)
    entries = take_inventory((scans,), config.criteria.reading, all_series=False).cases()
    assert len(entries) == 1
    return plan_case(entries[0], config, out, None, config.digest())


@pytest.fixture
def request_one(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    return request_for(write_scan(tmp_path / "scans" / "case-1"), out)


def report_of(request):
    return json.loads((request.out / request.source.case_id / "report.json").read_text(encoding="utf-8"))


def test_a_case_leaves_its_folder_whole_and_nothing_else(request_one):
    outcome = run_case(request_one, findings)
    assert (outcome.status, outcome.reason) == ("done", None)
    assert [path.name for path in request_one.out.iterdir()] == [request_one.source.case_id]
    folder = request_one.out / request_one.source.case_id
    pages = {"report.html", "thumbnail.jpg", "levels.png", "solid.png"}
    files = {"report.json", "features.csv", "cement.nii.gz", "leaks.nii.gz"}
    assert {path.name for path in folder.iterdir()} == files | pages
    assert folder.stat().st_mode == request_one.out.stat().st_mode


def test_the_report_says_what_made_it(request_one):
    run_case(request_one, findings)
    report = report_of(request_one)
    assert report["provenance"]["classifier"].startswith("rules ")
    assert report["provenance"]["input_digest"] == request_one.input_digest
    assert report["series"]["slices"] == SHAPE[0]
    assert report["series"]["spacing_mm"] == [1.5, 1.0, 1.0]
    assert [level["level"] for level in report["levels"]] == ["L2", "L3", "L4"]
    assert report["criteria"]["min_leak_volume_mm3"] == 10.0
    assert report["surgical_note"] is None


def test_the_same_case_gives_the_same_bytes(request_one):
    def all_bytes():
        run_case(request_one, findings)
        folder = request_one.out / request_one.source.case_id
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    assert all_bytes() == all_bytes()


def test_notes_of_every_step_stand_in_the_report_once(request_one):
    note = QualityNote("of_the_analysis", "info", "Seen.")
    twice = replace(request_one, notes=(QualityNote("of_the_choice", "info", "Chosen."), note))
    run_case(twice, lambda *given: findings(*given, notes=[note]))
    codes = [note["code"] for note in report_of(twice)["quality"]]
    assert codes.count("of_the_analysis") == codes.count("of_the_choice") == 1


@pytest.mark.parametrize(("severity", "review"), [("info", False), ("warning", True), ("error", True)])
def test_a_note_of_weight_asks_for_a_review(request_one, severity, review):
    quiet = replace(request_one, notes=(QualityNote("code", severity, "Words."),))
    run_case(quiet, findings)
    others = [note for note in report_of(quiet)["quality"] if note["severity"] != "info" and note["code"] != "code"]
    assert report_of(quiet)["needs_review"] is (review or bool(others))


def test_an_anchor_renames_the_levels_and_says_so(request_one):
    anchored = replace(request_one, anchor=parse_anchor("L1@-452"))
    run_case(anchored, findings)
    report = report_of(anchored)
    assert [level["level"] for level in report["levels"]] == ["T12", "L1", "L2"]
    assert "level_anchored" in [note["code"] for note in report["quality"]]


def test_an_anchor_between_the_bodies_refuses_the_case(request_one):
    outcome = run_case(replace(request_one, anchor=parse_anchor("L1@-3000")), findings)
    assert outcome.status == "refused"
    assert "No vertebral body" in outcome.reason


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (MemoryError(), "failed", "Memory ran out"),
        (ZeroDivisionError("secret of Doe^John"), "failed", "ZeroDivisionError"),
        (OSError(28, "No space left on device"), "failed", "OSError"),
    ],
)
def test_a_fault_of_ours_is_a_value_without_the_patients_words(request_one, error, status, told):
    outcome = run_case(request_one, raising(error))
    assert outcome.status == status
    assert told in outcome.reason
    assert "Doe" not in repr(outcome)
    assert any("in method" in place for place in outcome.trace), "the place is kept for the ledger"
    assert not list(request_one.out.iterdir())


def test_ctrl_c_is_no_failed_case(request_one):
    with pytest.raises(KeyboardInterrupt):
        run_case(request_one, raising(KeyboardInterrupt()))
    assert not list(request_one.out.iterdir())


def test_a_case_that_is_refused_now_leaves_no_folder_of_an_earlier_run(request_one):
    run_case(request_one, findings)
    (request_one.source.files[0]).write_bytes(b"not an image any more")
    outcome = run_case(request_one, findings)
    assert outcome.status == "refused"
    assert [path.name for path in request_one.out.iterdir()] == [".superseded"]
    assert (request_one.out / ".superseded" / request_one.source.case_id / "report.json").is_file()


def test_results_that_cannot_be_written_are_told(request_one):
    def not_finite(*given):
        found = findings(*given)
        return replace(found, cement=replace(found.cement, total_volume_mm3=float("nan")))

    outcome = run_case(request_one, not_finite)
    assert outcome.status == "failed"
    assert "cement.total_volume_mm3" in outcome.reason
    assert not list(request_one.out.iterdir())


def test_a_folder_that_is_not_ours_is_never_removed(request_one):
    foreign = request_one.out / request_one.source.case_id
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years of work", encoding="utf-8")
    outcome = run_case(request_one, findings)
    assert outcome.status == "failed"
    assert (foreign / "thesis.tex").is_file()


def test_a_scan_without_masks_is_refused_before_any_work(tmp_path):
    folder = write_scan(tmp_path / "scans" / "case-1")
    for path in (folder / "masks").iterdir():
        path.unlink()
    planned = request_for(folder, tmp_path / "out", masks=(str(tmp_path / "nowhere"),))
    assert isinstance(planned, CaseOutcome)
    assert planned.status == "refused"
    assert planned.reason
    assert "\n" not in planned.reason


def test_changed_masks_change_the_input_digest(tmp_path):
    folder = write_scan(tmp_path / "scans" / "case-1")
    first = request_for(folder, tmp_path)
    canal = folder / "masks" / "canal.nii.gz"
    canal.write_bytes(canal.read_bytes() + b"\0")
    assert request_for(folder, tmp_path).input_digest != first.input_digest
    assert Path(folder / "scan.nii.gz") in first.source.files


def test_a_disk_that_fails_without_a_cause_is_told_in_words(request_one, monkeypatch):
    def full(*_):
        raise OSError  # as the encoders of image libraries do

    monkeypatch.setattr("leakseg.case.write_case", full)
    outcome = run_case(request_one, findings)
    assert outcome.status == "failed"
    assert outcome.reason == "The results could not be written: the disk did not take them, and may be full."


def of_series(request, uid):
    return replace(request, source=replace(request.source, series_instance_uid=uid))


def notes_of(request):
    return {note["code"]: note["message"] for note in report_of(request)["quality"]}


def kept_series(request, folder):
    reports = (request.out / folder).glob(f"{request.source.case_id}*/report.json")
    return sorted(json.loads(path.read_bytes())["series"]["series_instance_uid"] for path in reports)


def test_another_series_of_the_same_name_does_not_cost_the_results_of_the_first(request_one):
    """The next patient's disc lies under the name of the last one's: /media/cdrom is always that."""
    for uid, replaces in (("1.2.1", False), ("1.2.2", True), ("1.2.2", False), ("1.2.3", True)):
        run_case(of_series(request_one, uid), findings)
        assert report_of(request_one)["series"]["series_instance_uid"] == uid
        assert ("other_series_set_aside" in notes_of(request_one)) is replaces
    assert kept_series(request_one, ".superseded") == ["1.2.1", "1.2.2"]
    run_case(of_series(request_one, "1.2.4"), raising(MemoryError()))
    run_case(of_series(request_one, "1.2.5"), findings)
    run_case(of_series(request_one, "1.2.5"), raising(MemoryError()))
    assert kept_series(request_one, ".superseded") == ["1.2.1", "1.2.2", "1.2.3", "1.2.5"]


def test_a_readers_corrections_are_not_told_to_hold_for_another_series(request_one):
    run_case(of_series(request_one, "1.2.1"), findings)
    (request_one.out / request_one.source.case_id / "original").mkdir()
    run_case(of_series(request_one, "1.2.2"), findings)
    assert "amendment_set_aside" not in notes_of(request_one)
    assert ".amended" in notes_of(request_one)["other_series_set_aside"]
    assert kept_series(request_one, ".amended") == ["1.2.1"]
