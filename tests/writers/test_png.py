"""Key images: the leak is seen at once, where it is, on the right side."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.cli import run_command
from leakseg.findings import (
    CaseFindings,
    CaseReport,
    CaseResult,
    CementReport,
    Evidence,
    Leak,
    LeakSubtype,
    LeakType,
    LevelReport,
    MasksReport,
    PatientPattern,
    Provenance,
    SeriesReport,
    Side,
)
from leakseg.geometry import Grid
from leakseg.pictures import region
from leakseg.volume import LabelMap, Volume
from leakseg.wording import COLOURS, evidence_row, leak_title, measures, percent, verdict
from leakseg.writers import png_pictures

SHAPE = (60, 70, 80)
SPACING = (2.0, 1.0, 1.0)
SPOT = (slice(40, 46), slice(15, 20), slice(55, 60))
"""In front of, above and to the left of the middle."""


def a_leak(**changes):
    leak = Leak(
        id=1,
        type=LeakType.EPIDURAL,
        subtype=LeakSubtype.PARACENTRAL,
        route=None,
        level=VertebraLevel.L1,
        segment="L1",
        exiting_root=None,
        side=Side.LEFT,
        volume_mm3=300.0,
        centroid_mm=(0.0, 0.0, 0.0),
        component=1,
        extent_mm=(5.0, 5.0, 12.0),
        mean_hu=1700.0,
        canal_encroachment_fraction=0.27,
        max_sagittal_diameter_mm=5.2,
        foraminal_occupation_fraction=None,
        distance_to_canal_mm=0.0,
        confidence=0.93,
        evidence=(),
    )
    return replace(leak, **changes)


def a_report(leaks, treated=True):
    total = 1000.0 if treated else 0.0
    return CaseReport(
        case_id="case-007",
        needs_review=False,
        series=SeriesReport("CT", None, None, SPACING, SHAPE[0], None, None, None),
        masks=MasksReport("precomputed", "", "verse", "mask"),
        levels=(LevelReport(VertebraLevel.L1, "whole", treated, total, None, None, None, None),),
        cement=CementReport(total, total, 0.0, None, "", 0.0, 0.0),
        leaks=tuple(leaks),
        patient_pattern=PatientPattern((), False, False, False),
        surgical_note=None,
        quality=(),
        criteria={},
        provenance=Provenance("0", "rules", "", ""),
    )


def a_result(leaks, turn_deg=0.0):
    """A block of bone with one dense spot at its left, front and top."""
    across, back = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    affine = np.array([[0, -back, across, 0], [0, across, back, 0], [SPACING[0], 0, 0, 0], [0, 0, 0, 1]], float)
    grid = Grid(SHAPE, affine)
    hu = np.full(SHAPE, 40, np.int16)
    vertebrae, cement, found = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    vertebrae[20:40, 20:50, 25:55] = VertebraLevel.L1.number
    canal = np.zeros(SHAPE, bool)
    canal[:, 50:60, 35:45] = True
    hu[SPOT], cement[SPOT], found[SPOT] = 1700, 2, 1
    report = a_report(leaks)
    findings = CaseFindings(
        report.masks, report.levels, report.cement, report.leaks, report.patient_pattern, (), False,
        LabelMap(grid, cement), LabelMap(grid, found),
    )  # fmt: skip
    return CaseResult(report, Volume(grid, hu), SpineMasks(grid, vertebrae, canal), findings)


def panels(path):
    """The four panels of a key image: axial, axial soft, sagittal, coronal."""
    page = np.asarray(Image.open(path).convert("RGB")).astype(int)
    half = page.shape[1] // 2
    head = page.shape[0] - page.shape[1]
    return [page[head + y : head + y + half, x : x + half] for y in (0, half) for x in (0, half)]


def middle_of(panel, colour):
    """Row and column of the middle of what has that colour, as shares of the panel."""
    rows, columns = np.nonzero(np.abs(panel - np.array(ImageColor.getrgb(colour))).max(axis=2) < 8)
    assert len(rows) > 30, "the leak's contour is not seen"
    return rows.mean() / panel.shape[0], columns.mean() / panel.shape[1]


def test_the_patients_left_is_on_the_pictures_right_and_front_and_head_are_up_and_left(tmp_path):
    result = a_result([a_leak()])
    names = [path.name for path in png_pictures.write(result, tmp_path)]
    assert names == ["leak-1.png", "levels.png", "solid.png"]
    axial, soft, sagittal, coronal = panels(tmp_path / "leak-1.png")
    colour = COLOURS[LeakType.EPIDURAL]
    for panel, (high, across) in (
        (axial, ("up", "right")),
        (soft, ("up", "right")),
        (sagittal, ("up", "left")),
        (coronal, ("up", "right")),
    ):
        row, column = middle_of(panel, colour)
        assert (row < 0.5) == (high == "up")
        assert (column > 0.5) == (across == "right")


def test_no_leak_no_key_image(tmp_path):
    assert [path.name for path in png_pictures.write(a_result([]), tmp_path)] == ["levels.png", "solid.png"]


def test_the_same_result_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        png_pictures.write(a_result([a_leak()]), tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("turn_deg", "right", "down"), [(0, "L", "P"), (10, "L", "P"), (30, "LP", "PR"), (-30, "LA", "PL")]
)
def test_side_letters_say_where_slanted_axes_run(turn_deg, right, down):
    grid = a_result([], turn_deg).volume.grid
    assert region.letters(grid, 2, forward=True) == right
    assert region.letters(grid, 1, forward=True) == down
    assert region.letters(grid, 0, forward=True) == "S"
    assert region.letters(grid, 0, forward=False) == "I"
    assert region.tilt_deg(grid, 2) == pytest.approx(abs(turn_deg), abs=1e-3)


def test_lengths_in_the_picture_are_true(tmp_path):
    png_pictures.write(a_result([a_leak()]), tmp_path)
    _, _, sagittal, _ = panels(tmp_path / "leak-1.png")
    seen = np.abs(sagittal - np.array(ImageColor.getrgb(COLOURS[LeakType.EPIDURAL]))).max(axis=2) < 8
    rows, columns = np.nonzero(seen)
    high, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert high / wide == pytest.approx(12 / 5, rel=0.1)
    assert sagittal.shape[0] / high == pytest.approx(100 / 12, rel=0.1)


def test_titles_and_verdicts_say_what_was_found():
    leak = a_leak()
    assert leak_title(leak) == "Leak 1: epidural, paracentral left, L1"
    assert verdict(a_report([leak])) == "Epidural leak at L1, left paracentral, 27 % of the canal"
    venous = a_leak(id=2, type=LeakType.VENOUS, subtype=None, canal_encroachment_fraction=None)
    assert verdict(a_report([venous, leak])).endswith("27 % of the canal; 1 more leak")
    assert verdict(a_report([])) == "Cement in L1; no leak found"
    assert verdict(a_report([], treated=False)) == "No cement found"


def test_what_was_not_measured_is_said_and_is_no_zero():
    assert percent(None) == "not measurable"
    rows = dict(measures(a_leak(canal_encroachment_fraction=None, max_sagittal_diameter_mm=None)))
    assert rows["Share of the canal's area"] == rows["Largest depth in the canal"] == "not measurable"


def test_evidence_is_told_in_plain_words_and_a_strangers_as_it_is():
    told = evidence_row(Evidence("canal_fraction >= limit", 0.98, 0.5, "1", True))
    assert told == ("Share of it inside the spinal canal", "98 %", "at least 50 %", True)
    told = evidence_row(Evidence("forest_vote", 0.7, None, "1", True))
    assert told == ("Forest vote", "0.7", "", True)


def test_a_canal_that_was_rebuilt_is_drawn_dashed_and_told(tmp_path):
    samples = Path(__file__).parents[2] / "sample_dicom"
    if not samples.is_dir():
        pytest.skip("sample_dicom is not there")
    scan, masks = (samples / part / "three-leaks" for part in ("scans", "masks"))
    yellow = {}
    for name, specs in {
        "mask": ["vertebrae", "canal"],
        "rebuilt": ["vertebrae"],
    }.items():
        chosen = [word for role in specs for word in ("--masks", f"{role}={masks / role}.nii.gz")]
        out = tmp_path / name
        asked = ["run", str(scan), "-o", str(out), "--write", "json,png,html", "--workers", "0", *chosen]
        assert run_command(asked) == 0
        with Image.open(out / "three-leaks" / "leak-2.png") as picture:
            drawn = np.asarray(picture.convert("RGB"))[:400, :400]
        yellow[name] = (drawn == ImageColor.getrgb("#F0E442")).all(axis=2)
        page = (out / "three-leaks" / "report.html").read_text(encoding="utf-8")
        assert ("yellow, dashed: the spinal canal as rebuilt from the vertebrae" in page) == (name == "rebuilt")
    where = {name: np.argwhere(found) for name, found in yellow.items()}
    assert 0.3 < len(where["rebuilt"]) / len(where["mask"]) < 0.7, "dashes are half a line"
    for edge in (np.min, np.max):
        assert np.abs(edge(where["rebuilt"], axis=0) - edge(where["mask"], axis=0)).max() < 16, "within 4 mm"
