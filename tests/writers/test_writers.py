"""What is written, read back by something that did not write it."""

import csv
import json
import math
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.errors import ConfigError, OutputError
from leakseg.findings import (
    CaseFindings,
    CaseReport,
    CaseResult,
    CementReport,
    Evidence,
    Leak,
    LeakRoute,
    LeakSubtype,
    LeakType,
    LevelReport,
    MasksReport,
    PatientPattern,
    Provenance,
    QualityNote,
    SeriesReport,
    Side,
)
from leakseg.geometry import Grid
from leakseg.volume import LabelMap, Volume
from leakseg.writers import check_names, csv_tables, default_names, write_case
from leakseg.writers.json_report import report_json, report_schema


def a_leak(number=1, **changes):
    leak = Leak(
        id=number,
        type=LeakType.EPIDURAL,
        subtype=LeakSubtype.PARACENTRAL,
        route=LeakRoute.BASIVERTEBRAL,
        level=VertebraLevel.L1,
        segment="L1",
        exiting_root=None,
        side=Side.LEFT,
        volume_mm3=214.6,
        centroid_mm=(12.3, -40.1, -412.5),
        component=2,
        extent_mm=(9.1, 6.4, 14.0),
        mean_hu=1714.0,
        canal_encroachment_fraction=0.27,
        max_sagittal_diameter_mm=5.2,
        foraminal_occupation_fraction=None,
        distance_to_canal_mm=0.0,
        confidence=0.93,
        evidence=(Evidence("behind_posterior_wall", 3.1, 0.0, "mm", True),),
    )
    return replace(leak, **changes)


def a_report(leaks=(), **changes):
    report = CaseReport(
        case_id="case-007",
        needs_review=True,
        series=SeriesReport("CT", 120.0, "B31s", (1.0, 0.42, 0.42), 212, "1.2.3", "1.2.3.4", None),
        masks=MasksReport("precomputed", "0.1.0", "verse", "mask"),
        levels=(LevelReport(VertebraLevel.L1, "whole", True, 3120.4, 31840.0, 0.098, None, 0.27),),
        cement=CementReport(3340.0, 3120.4, 219.6, 842.0, "between two peaks", 0.0, 0.0),
        leaks=tuple(leaks),
        patient_pattern=PatientPattern((LeakType.EPIDURAL,), False, False, False),
        surgical_note=None,
        quality=(QualityNote("slice_thickness", "warning", "Slices are 3 mm thick; ≥ 2 leaks may be one."),),
        criteria={"min_leak_volume_mm3": 10.0},
        provenance=Provenance("0.1.0", "rules 1.0", "sha256:a", "sha256:b"),
    )
    return replace(report, **changes)


def a_result(report):
    shape = (4, 5, 6)
    affine = np.array([[0, 0, 0.5, -30], [0, 0.7, 0, 12], [1.5, 0, 0, -400], [0, 0, 0, 1]], float)
    grid = Grid(shape, affine)
    cement = np.zeros(shape, np.uint8)
    cement[1, 2, 3], cement[3, 4, 5], cement[0, 0, 0] = 1, 2, 3
    leaks = np.zeros(shape, np.uint16)
    leaks[3, 4, 5] = 300
    volume = Volume(grid, np.zeros(shape, np.int16))
    masks = SpineMasks(grid, np.ones(shape, np.uint8))
    findings = CaseFindings(
        masks=report.masks,
        levels=report.levels,
        cement=report.cement,
        leaks=report.leaks,
        patient_pattern=report.patient_pattern,
        notes=report.quality,
        needs_review=report.needs_review,
        cement_labels=LabelMap(grid, cement),
        leak_labels=LabelMap(grid, leaks),
    )
    return CaseResult(report, volume, masks, findings)


CONTRACT_ORDER = [
    "schema_version", "case_id", "status", "needs_review", "disclaimer", "series", "masks", "levels", "cement", "leaks",
    "patient_pattern", "surgical_note", "quality", "criteria", "provenance",
]  # fmt: skip


def test_the_report_stands_in_the_order_of_the_contract_and_fits_its_schema():
    document = json.loads(report_json(a_report([a_leak(), a_leak(2, confidence=None)])))
    assert list(document) == CONTRACT_ORDER
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)
    assert schema["required"] == CONTRACT_ORDER
    assert list(schema["properties"]) == [*CONTRACT_ORDER, "amended"], "only where a reader corrected the case"
    assert document["leaks"][0]["type"] == "epidural"
    assert document["leaks"][0]["centroid_mm"] == [12.3, -40.1, -412.5]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("leaks", 0, "type"), "elsewhere"),
        (("leaks", 0, "volume_mm3"), "much"),
        (("leaks", 0, "exiting_root"), "L1/L2"),
        (("leaks", 0, "confidence"), 7.0),
        (("status",), "refused"),
        (("levels", 0), {}),
    ],
)
def test_the_schema_refuses_what_the_contract_does(path, value):
    document = json.loads(report_json(a_report([a_leak()])))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, report_schema())


def test_the_same_report_gives_the_same_bytes():
    assert report_json(a_report([a_leak()])) == report_json(a_report([a_leak()]))


def test_measures_are_rounded_by_their_unit_and_the_scans_own_numbers_are_not():
    leak = a_leak(volume_mm3=214.6049, mean_hu=1714.26, centroid_mm=(1.004, -0.0001, 3.0), confidence=0.123456)
    series = SeriesReport("CT", 120.0, "B31s", (1.25, 0.48828125, 0.48828125), 212, "1.2.3", "1.2.3.4", None)
    document = json.loads(report_json(a_report([leak], series=series, criteria={"step_mm": 0.12345})))
    told = document["leaks"][0]
    assert (told["volume_mm3"], told["mean_hu"], told["confidence"]) == (214.6, 1714.3, 0.1235)
    assert told["centroid_mm"] == [1.0, 0.0, 3.0]
    assert "-0.0," not in report_json(a_report([leak]))
    assert document["series"]["spacing_mm"] == [1.25, 0.48828125, 0.48828125]
    assert document["criteria"]["step_mm"] == 0.12345


def test_numbers_of_numpy_are_numbers():
    text = report_json(a_report([a_leak(volume_mm3=np.float64(2.5), component=np.int64(3))]))
    leak = json.loads(text)["leaks"][0]
    assert (leak["volume_mm3"], leak["component"]) == (2.5, 3)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_is_not_finite_is_refused_by_name(value):
    with pytest.raises(OutputError, match=r"leaks\[0\].mean_hu"):
        report_json(a_report([a_leak(mean_hu=value)]))


def test_labelmaps_come_back_in_place_through_another_library(tmp_path):
    write_case(a_result(a_report([a_leak()])), tmp_path, default_names())
    expected = {"cement.nii.gz": {(1, 2, 3): 1, (3, 4, 5): 2, (0, 0, 0): 3}, "leaks.nii.gz": {(3, 4, 5): 300}}
    grid = a_result(a_report()).volume.grid
    for name, voxels in expected.items():
        image = sitk.ReadImage(str(tmp_path / name))
        array = sitk.GetArrayFromImage(image)
        assert np.count_nonzero(array) == len(voxels)
        for index, value in voxels.items():
            position = image.TransformPhysicalPointToIndex(grid.to_patient(index).tolist())
            assert image.GetPixel(*position) == value


def test_a_case_is_written_twice_to_the_same_bytes_with_the_report_last(tmp_path):
    written = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written.append(write_case(a_result(a_report([a_leak()])), tmp_path / name, default_names()))
    assert [path.name for path in written[0]][-1] == "report.json"
    assert [path.read_bytes() for path in written[0]] == [path.read_bytes() for path in written[1]]


def test_the_report_is_written_whatever_else_is_not(tmp_path):
    write_case(a_result(a_report()), tmp_path, ("csv",))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features.csv", "report.json"]


@pytest.mark.parametrize(("name", "told"), [("pdf", "no writer 'pdf'"), ("", "no writer")])
def test_a_writer_that_is_not_there_is_told(name, told):
    with pytest.raises(ConfigError, match=told):
        check_names(("json", name))


def test_tables_hold_a_row_a_case_and_a_row_a_leak(tmp_path):
    report = json.loads(report_json(a_report([a_leak(), a_leak(2, type=LeakType.VENOUS, side=Side.RIGHT)])))
    cases = [
        csv_tables.TableCase("case-007", "done", None, "1.2.3", "1.2.3.4", 2.345, report),
        csv_tables.TableCase("case, 8", "refused", 'A slice is missing, it says "so".', None, None, 0.0, None),
    ]
    csv_tables.write(cases, tmp_path)
    with (tmp_path / "summary.csv").open(encoding="utf-8", newline="") as stream:
        summary = list(csv.DictReader(stream))
    assert [row["case_id"] for row in summary] == ["case-007", "case, 8"]
    done, refused = summary
    assert (done["leaks"], done["types"], done["treated_levels"]) == ("2", "epidural;venous", "L1")
    assert (done["needs_review"], done["notes"], done["seconds"]) == ("true", "slice_thickness", "2.35")
    assert refused["reason"] == 'A slice is missing, it says "so".'
    assert refused["leaks"] == refused["needs_review"] == "", "not known is empty, never zero"
    with (tmp_path / "leaks.csv").open(encoding="utf-8", newline="") as stream:
        leaks = list(csv.DictReader(stream))
    scalars = {key for key, value in report["leaks"][0].items() if not isinstance(value, list | dict)}
    assert set(leaks[0]) == {"case_id"} | scalars
    assert [(leak["id"], leak["side"], leak["subtype"]) for leak in leaks] == [
        ("1", "left", "paracentral"),
        ("2", "right", "paracentral"),
    ]
    assert leaks[0]["foraminal_occupation_fraction"] == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["leaks.csv", "summary.csv"]
