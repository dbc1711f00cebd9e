"""A reader's corrections of a finished sample case, in every file that tells of it."""

import csv
import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import nibabel as nib
import numpy as np
import pydicom
import pytest
from PIL import Image, ImageColor

from leakseg.batch.job import Job, run_job
from leakseg.cli import run_command
from leakseg.config import load_config
from leakseg.errors import ConfigError
from leakseg.studies.amend import parse_edits
from leakseg.wording import COLOURS
from leakseg.writers.html.amendment import starter
from leakseg.writers.json_report import report_schema

SAMPLES = Path(__file__).parents[2] / "sample_dicom"
CASE = "scans-three-leaks"
READER = 'reader = "Dr. Zoë Müller"\nwhen = 2026-11-22T10:00:00+00:00\n'
CORRECTIONS = (
    READER
    + """
comment = "Read on the workstation."
shift_levels = -1
[leaks.1]
strike = "not cement"
comment = "calcified vessel"
[leaks.2]
type = "foraminal"
segment = "L2/L3"
[leaks.3]
strike = "in bone"
"""
)

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="sample_dicom is not there")


class Nobody:
    def found(self, cases):
        pass

    def ended(self, outcome):
        pass


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Results of the samples without the refused one; leaks 1 to 3 are venous, epidural, paravertebral."""
    out = tmp_path_factory.mktemp("amend") / "out"
    scans = tuple(SAMPLES / "scans" / name for name in ("three-leaks", "treated-no-leak"))
    run_job(Job(scans=scans, out=out, config=load_config(None, {"workers": 0})), Nobody())
    return out


@pytest.fixture
def out(finished, tmp_path):
    return Path(shutil.copytree(finished, tmp_path / "out"))


def case_of(out):
    return next(path for path in out.iterdir() if path.name.endswith("three-leaks"))


def amend(out, text, *more):
    edits = out.parent / "edits.toml"
    edits.write_text(text, encoding="utf-8")
    return run_command(["amend", str(case_of(out)), "--edits", str(edits), *more])


def report_of(case):
    return json.loads((case / "report.json").read_text(encoding="utf-8"))


def files_in(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def dciodvfy(path):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian: apt-get install dicom3tools)")
    told = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    return [line for line in (told.stdout + told.stderr).splitlines() if line.startswith("Error")]


def test_the_report_says_what_the_reader_said_and_what_follows_from_it(out):
    before = report_of(case_of(out))
    assert amend(out, CORRECTIONS) == 0
    report = report_of(case_of(out))
    jsonschema.validate(report, report_schema())
    assert [level["level"] for level in report["levels"]] == ["L1", "L2", "L3"]
    (leak,) = report["leaks"]
    assert (leak["id"], leak["type"], leak["subtype"]) == (2, "foraminal", None)
    assert (leak["level"], leak["segment"], leak["exiting_root"]) == ("L2", "L2/L3", "L2")
    assert (leak["confidence"], leak["evidence"]) == (None, [])
    assert leak["volume_mm3"] == before["leaks"][1]["volume_mm3"]
    assert report["patient_pattern"]["types"] == ["foraminal"]
    volumes = {leak["id"]: leak["volume_mm3"] for leak in before["leaks"]}
    was, now = before["cement"], report["cement"]
    assert now["leaked_volume_mm3"] == pytest.approx(was["leaked_volume_mm3"] - volumes[1] - volumes[3], abs=0.02)
    assert now["inside_volume_mm3"] == pytest.approx(was["inside_volume_mm3"] + volumes[3], abs=0.02)
    assert now["total_volume_mm3"] == pytest.approx(was["total_volume_mm3"] - volumes[1], abs=0.02)
    amended = report["amended"]
    assert (amended["who"], amended["when"]) == ("Dr. Zoë Müller", "2026-11-22T10:00:00+00:00")
    assert {"of": "leak 2", "what": "type", "was": "epidural", "now": "foraminal"} in amended["edits"]
    assert {"of": "leak 1", "what": "comment", "was": None, "now": "calcified vessel"} in amended["edits"]


def test_the_first_result_is_kept_whole(out):
    case = case_of(out)
    before = files_in(case)
    amend(out, CORRECTIONS)
    kept = files_in(case / "original")
    kept[Path("report.json")] = kept.pop(Path("first-report.json"))
    assert kept == before
    assert len(list(out.rglob("report.json"))) == 2, "who looks for reports finds each case once"


def test_the_tables_and_the_index_follow(out):
    amend(out, CORRECTIONS)
    with (out / "leaks.csv").open(encoding="utf-8", newline="") as stream:
        (leak,) = csv.DictReader(stream)
    assert (leak["type"], leak["segment"], leak["confidence"]) == ("foraminal", "L2/L3", "")
    with (out / "summary.csv").open(encoding="utf-8", newline="") as stream:
        row = next(row for row in csv.DictReader(stream) if row["case_id"] == case_of(out).name)
    assert (row["leaks"], row["types"], row["treated_levels"]) == ("1", "foraminal", "L1;L2;L3")
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "Foraminal leak at L2/L3, left" in index
    assert "amended by Dr. Zoë Müller" in index


def test_the_masks_lose_what_was_struck_out(out):
    case = case_of(out)
    amend(out, CORRECTIONS)

    def voxels(folder, name):
        image = nib.Nifti1Image.from_bytes(gzip.decompress((folder / name).read_bytes()))
        return np.asanyarray(image.dataobj)

    first, leaks = (voxels(folder, "leaks.nii.gz") for folder in (case / "original", case))
    was, cement = (voxels(folder, "cement.nii.gz") for folder in (case / "original", case))
    assert np.array_equal(leaks, np.where(first == 2, 2, 0))
    assert (cement[first == 1] == 0).all()
    assert (cement[first == 3] == 1).all()
    elsewhere = (first == 0) | (first == 2)
    assert np.array_equal(cement[elsewhere], was[elsewhere])


def points_by_label(path):
    """Indices of the voxels of each segment, by source slice: (slice UID, row, column)."""
    seg = pydicom.dcmread(path)
    names = {item.SegmentNumber: item.SegmentLabel for item in seg.SegmentSequence}
    assert list(names) == list(range(1, len(names) + 1))
    found = {name: set() for name in names.values()}
    pixels = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    for frame, group in zip(pixels, seg.PerFrameFunctionalGroupsSequence, strict=True):
        name = names[group.SegmentIdentificationSequence[0].ReferencedSegmentNumber]
        source = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        assert frame.any(), "no empty frame"
        found[name] |= {(source, row, column) for row, column in np.argwhere(frame).tolist()}
    return found


def test_the_seg_bears_the_new_names_on_the_same_voxels(out):
    case = case_of(out)
    amend(out, CORRECTIONS)
    first, now = (points_by_label(folder / "leaks.seg.dcm") for folder in (case / "original", case))
    assert set(now) == {"L2 foraminal left", "cement inside bone"}
    assert now["L2 foraminal left"] == first["L3 epidural left"]
    assert now["cement inside bone"] == first["cement inside bone"] | first["L4 paravertebral left"]
    old, seg = (pydicom.dcmread(folder / "leaks.seg.dcm") for folder in (case / "original", case))
    assert seg.SOPInstanceUID != old.SOPInstanceUID
    assert seg.SeriesInstanceUID != old.SeriesInstanceUID
    assert (seg.PatientID, seg.StudyInstanceUID) == (old.PatientID, old.StudyInstanceUID)
    assert seg.SegmentSequence[0].TrackingUID == old.SegmentSequence[1].TrackingUID, "it is the same object still"
    assert seg.SegmentSequence[0].AnatomicRegionSequence[0].CodeMeaning == "L2 vertebra"
    assert not dciodvfy(case / "leaks.seg.dcm")


def test_the_sr_names_reader_predecessor_and_the_new_seg(out):
    case = case_of(out)
    amend(out, CORRECTIONS)
    old, new = (pydicom.dcmread(folder / "report.sr.dcm") for folder in (case / "original", case))
    predecessor = new.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert predecessor.ReferencedSOPInstanceUID == old.SOPInstanceUID
    texts = [item.TextValue for item in new.ContentSequence if "TextValue" in item]
    assert any("Dr. Zoë Müller, 2026-11-22 10:00" in text and "now foraminal" in text for text in texts)
    assert any(str(item.PersonName) == "Dr. Zoë Müller^" for item in new.ContentSequence if "PersonName" in item)
    everything = str(new)
    assert str(pydicom.dcmread(case / "leaks.seg.dcm").SOPInstanceUID) in everything
    assert "leak 1" not in [line.rpartition(": ")[2].strip("'") for line in everything.splitlines()]
    slices = [
        {
            one.ReferencedSOPInstanceUID
            for series in study[0].ReferencedSeriesSequence
            for one in series[0x00081199].value
        }
        for study in (old.CurrentRequestedProcedureEvidenceSequence, new.CurrentRequestedProcedureEvidenceSequence)
    ]
    assert len(slices[0] & slices[1]) == len(slices[0]) - 1, "the same slices, another SEG"
    assert not dciodvfy(case / "report.sr.dcm")


def test_pictures_and_page_tell_both_versions(out):
    case = case_of(out)
    amend(out, CORRECTIONS)
    page = (case / "report.html").read_text(encoding="utf-8")
    assert "<h1>Foraminal leak at L2/L3, left" in page
    assert "Amended by Dr. Zoë Müller" in page
    assert "Epidural leak at L3, left paracentral" in page
    assert "calcified vessel" in page
    assert sorted(path.name for path in case.glob("leak-*.png")) == ["leak-2.png"]
    with Image.open(case / "leak-2.png") as picture, Image.open(case / "original" / "leak-2.png") as first:
        counts = [
            [int((np.asarray(one) == ImageColor.getrgb(COLOURS[kind])).all(axis=2).sum()) for kind in COLOURS]
            for one in (first, picture)
        ]
        assert picture.height > first.height, "what the picture cannot show is said below it"
    assert counts[0][0] > 100
    assert (counts[0][1], counts[1][0]) == (0, 0)
    assert counts[1][1] == counts[0][0]


def test_a_second_reader_goes_on_from_the_first(out):
    amend(out, CORRECTIONS)
    assert (
        amend(out, 'reader = "Second"\nwhen = 2026-11-23T08:00:00+00:00\nreviewed = true\n[leaks.2]\nside = "right"\n')
        == 0
    )
    report = report_of(case_of(out))
    assert [one["who"] for one in (*report["amended"]["earlier"], report["amended"])] == ["Dr. Zoë Müller", "Second"]
    (leak,) = report["leaks"]
    assert (leak["type"], leak["side"]) == ("foraminal", "right")
    assert set(points_by_label(case_of(out) / "leaks.seg.dcm")) == {"L2 foraminal right", "cement inside bone"}
    assert not (case_of(out) / "original" / "original").exists()
    assert amend(out, READER + 'from_first = true\n[leaks.1]\nsubtype = "caval"\n') == 0
    report = report_of(case_of(out))
    assert [leak["type"] for leak in report["leaks"]] == ["venous", "epidural", "paravertebral"]
    assert len(report["amended"]["earlier"]) == 2
    assert set(points_by_label(case_of(out) / "leaks.seg.dcm")) >= {"L2 venous right", "L4 paravertebral left"}


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ("", "does not say who"),
        (READER, "changes nothing"),
        (READER + '[leaks.2]\ntype = "epidural"\n', "changes nothing"),
        (READER + '[leaks.9]\nstrike = "not cement"\n', "no leak 9; its leaks are 1, 2, 3"),
        (READER + '[leaks.1]\nstrike = "yes"\n', '"not cement" or "in bone"'),
        (READER + '[leaks.1]\nstrike = "in bone"\nside = "left"\n', "do one of both"),
        (READER + '[leaks.1]\nside = "lefft"\n', '"left", "right", "midline" or "bilateral"'),
        (READER + '[leaks.1]\nlevle = "L1"\n', "did you mean 'level'"),
        (READER + '[leaks.1]\nlevel = "L9"\n', "C1 to C7"),
        (READER + '[leaks.1]\nlevel = "T4"\n', "the case has L2, L3, L4"),
        (READER + '[leaks.1]\nsubtype = "central"\n', "venous has segmental"),
        (READER + '[leaks.2]\ntype = "intradiscal"\nsubtype = "caval"\n', "no subtypes"),
        (READER + '[leaks.2]\ntype = "foraminal"\n', "between two vertebrae"),
        (READER + '[leaks.2]\ntype = "foraminal"\nsegment = "L2/L4"\n', "between two vertebrae"),
        (READER + '[leaks.2]\nsegment = "L2/L3"\n', "at one level"),
        (READER + '[levels]\nL2 = "L3"\n', "L2 and L3 would both be L3"),
        (READER + '[levels]\nL2 = "L5"\n', "would lie above"),
        (READER + '[levels]\nT4 = "T5"\n', "no level T4"),
        (READER + "shift_levels = 9\n", "beyond the spine"),
        (READER + 'shift_levels = 1\n[levels]\nL2 = "L1"\n', "in one way"),
        ('reader = "A=B"\n', "without"),
        ("reader = \n", "not valid TOML"),
    ],
)  # fmt: skip
def test_an_edit_that_makes_no_sense_is_told_and_changes_nothing(out, capsys, edits, told):
    before = files_in(out)
    assert amend(out, edits) == 2
    sentence = capsys.readouterr().err
    assert told in sentence
    assert sentence.count("\n") == 1
    assert files_in(out) == before


def test_the_page_prints_an_edits_file_that_can_be_used_as_it_stands(out):
    text = (case_of(out) / "report.html").read_text(encoding="utf-8")
    assert "leakseg amend three-leaks --edits edits.toml" in text or f"leakseg amend {CASE} --edits" in text
    from leakseg.studies.amend.rewrite import read_report

    report = read_report(case_of(out) / "report.json")
    printed = starter(report)
    with pytest.raises(ConfigError, match="who the reader is"):
        parse_edits(printed)
    filled = printed.replace('reader = ""', 'reader = "R"')
    assert set(parse_edits(filled).leaks) == {1, 2, 3}
    every_line = "\n".join(
        line.removeprefix("# ") for line in filled.splitlines() if "strike" not in line and "shift" not in line
    )
    edits = parse_edits(every_line)
    assert (edits.reviewed, edits.leaks[2].type) == (True, "epidural")
    assert set(edits.levels) == {"L2", "L3", "L4"}


def test_a_reviewed_case_needs_no_review(out):
    case = case_of(out)
    report = report_of(case)
    report["quality"].append({"code": "slice_thickness", "severity": "warning", "message": "Slices are thick."})
    report["needs_review"] = True
    (case / "report.json").write_text(json.dumps(report), encoding="utf-8")
    assert amend(out, READER + '[leaks.2]\ntype = "undetermined"\n') == 0
    assert report_of(case)["needs_review"], "the warning stands"
    assert amend(out, READER + "reviewed = true\n") == 0
    assert not report_of(case)["needs_review"]
    page = (case / "report.html").read_text(encoding="utf-8")
    assert "Reviewed; the program had noted" in page
    assert "Slices are thick." in page


def test_what_cannot_be_written_leaves_the_case_as_it_was(out, capsys, monkeypatch):
    page = case_of(out) / "report.html"
    page.write_text("<html>of another version</html>", encoding="utf-8")
    before = files_in(out)
    assert amend(out, CORRECTIONS) == 1
    assert "run the case again" in capsys.readouterr().err
    assert files_in(out) == before
    assert not list(out.glob(".tmp-*"))


def test_a_case_caught_between_two_names_comes_back(out):
    case = case_of(out)
    (out / ".amended").mkdir()
    case.rename(out / ".amended" / f"{case.name}.amending")
    edits = out.parent / "edits.toml"
    edits.write_text(CORRECTIONS, encoding="utf-8")
    assert run_command(["amend", str(case), "--edits", str(edits)]) == 0
    assert report_of(case)["amended"]["who"] == "Dr. Zoë Müller"
    assert not (out / ".amended" / f"{case.name}.amending").exists()


def test_json_is_the_report_and_a_folder_that_is_no_case_is_told(out, capsys):
    assert amend(out, CORRECTIONS, "--json") == 0
    assert json.loads(capsys.readouterr().out) == report_of(case_of(out))
    edits = str(out.parent / "edits.toml")
    assert run_command(["amend", str(out.parent / "nothing"), "--edits", edits]) == 2
    assert run_command(["amend", str(case_of(out)), "--edits", edits + "x"]) == 2


def test_a_run_goes_on_past_an_amended_case_and_keeps_it_when_told_to_do_it_anew(out):
    amend(out, CORRECTIONS)
    arguments = ["-m", "leakseg", "run", SAMPLES / "scans" / "three-leaks", "-o", out, "--workers", "0"]

    def run(*more):
        return subprocess.run([sys.executable, *arguments, *more], capture_output=True, check=False, timeout=200)

    assert run().returncode == 0
    assert report_of(case_of(out))["amended"]["who"] == "Dr. Zoë Müller", "skipped as done, amended as it is"
    assert run("--no-resume").returncode == 0
    report = report_of(case_of(out))
    assert "amended" not in report
    assert any(note["code"] == "amendment_set_aside" for note in report["quality"])
    (kept,) = (out / ".amended").iterdir()
    assert report_of(kept)["amended"]["who"] == "Dr. Zoë Müller"
