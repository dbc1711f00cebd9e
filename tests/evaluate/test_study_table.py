"""The study's table: each row from its own stratum, a mask fault against the same phantoms, every miss listed."""

import csv
import json

import pytest

from leakseg.cli import run_command
from leakseg.evaluate.folders import read_cohort
from leakseg.evaluate.study_table import study_tables

BOX = {1: ((5, 10), (5, 10), (5, 10))}
ELSEWHERE = {1: ((20, 25), (20, 25), (20, 25))}


def strata(**told):
    return {"cohort": "phantom", "slice_mm": 1.0, "distractors": False, "mask_fault": None, "same_as": None, **told}


@pytest.fixture
def study(bench, leak):
    """A thin case that is right, the same with a fault told wrong, one of 3 mm missed, a control with a false leak."""
    one = leak(1, segment="L1", side="left", volume_mm3=125.0)
    wrong = leak(1, "venous", evidence=[{"criterion": "a >= limit", "measured": 2.0, "limit": 1.0, "met": False}])
    bench.truth_case("a", [one], BOX, group="thin", strata=strata())
    bench.told_case("a", [one], BOX)
    bench.truth_case("b", [one], BOX, strata=strata(mask_fault="wide", same_as="a"))
    bench.told_case("b", [wrong], BOX)
    bench.truth_case("c", [one], BOX, strata=strata(slice_mm=3.0))
    bench.told_case("c", [], {})
    bench.truth_case("d", [], {}, strata=strata(distractors=True))
    bench.told_case("d", [leak(1)], ELSEWHERE)
    return bench


def rows(bench):
    table, _ = study_tables(bench.score())
    return {row[1]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


def test_each_row_counts_its_own_stratum(study):
    told = rows(study)
    assert (told["sensitivity, leaks ≥ 20 mm³"]["k"], told["sensitivity, leaks ≥ 20 mm³"]["n"]) == (1, 1)
    assert told["3 mm slices: sensitivity, leaks ≥ 20 mm³"]["value"] == 0
    assert told["3 mm slices: sensitivity, leaks ≥ 20 mm³"]["reached"] == "no"
    false = told["false positives per case, distractors included"]
    assert (false["k"], false["n"], false["reached"]) == (1, 2, "no")
    assert told["type accuracy, detected leaks"]["reached"] == "yes"
    assert "5 mm slices: type accuracy" not in told


def test_a_fault_is_held_against_the_same_phantom_without_it(study):
    told = rows(study)
    loss = told["loss in type accuracy, mask fault wide"]
    assert (loss["value"], loss["n"], loss["reached"]) == (1.0, 1, "no")
    assert told["loss in sensitivity, leaks ≥ 20 mm³, wide"]["value"] == 0


def test_a_loss_tells_how_many_leaks_it_rests_on(study, leak):
    """Of three leaks one is too small to be scored, and one is not found without the fault."""
    three = [leak(1, volume_mm3=125.0), leak(2, volume_mm3=12.0), leak(3, volume_mm3=125.0)]
    boxes = {**BOX, 2: ((12, 14), (12, 14), (12, 15)), 3: ((20, 25), (20, 25), (20, 25))}
    for case_id, told in (("f", strata()), ("g", strata(mask_fault="coarse", same_as="f"))):
        study.truth_case(case_id, three, boxes, strata=told)
        study.told_case(case_id, three[:2], {number: boxes[number] for number in (1, 2)})
    told = rows(study)
    assert told["loss in type accuracy, mask fault coarse"]["n"] == 2
    assert told["loss in sensitivity, leaks ≥ 20 mm³, coarse"]["n"] == 2
    assert told["loss in sensitivity, leaks ≥ 20 mm³, wide"]["n"] == 1


def test_a_phantom_with_other_leaks_is_no_pair_whatever_truth_calls_the_same(study, leak):
    other = leak(1, segment="L1", side="right", volume_mm3=77.0)
    study.truth_case("e", [other], BOX, strata=strata(slice_mm=3.0, mask_fault="narrow", same_as="a"))
    study.told_case("e", [], {})
    told = rows(study)
    assert not any("narrow" in figure for figure in told)
    assert told["loss in type accuracy, mask fault wide"]["n"] == 1


def test_a_fault_that_hides_every_leak_loses_all(study, leak):
    folder = study.results / "b"
    (folder / "report.json").write_text(json.dumps({"case_id": "b", "leaks": []}))
    (folder / "leaks.nii.gz").unlink()
    told = rows(study)
    assert told["loss in type accuracy, mask fault wide"]["value"] == 1.0
    assert told["loss in sensitivity, leaks ≥ 20 mm³, wide"]["value"] == 1.0


def test_misses_are_listed_one_by_one_with_their_evidence(study):
    _, misses = study_tables(study.score())
    told = [dict(zip(misses.columns, row, strict=True)) for row in misses.rows]
    assert [(row["case_id"], row["outcome"]) for row in told] == [
        ("b", "detected"),
        ("c", "missed"),
        ("d", "false_positive"),
    ]
    assert told[0]["wrong"].startswith("type")
    assert told[0]["mask_fault"] == "wide"
    assert told[0]["evidence"] == "!a >= limit (2.0 / 1.0)"
    assert told[0]["around"] == ""
    assert told[1]["around"] == "no told leak"
    assert told[2]["around"].startswith("no true leak")


def test_cohorts_stand_apart(study, leak):
    study.truth_case("e", [leak(1)], BOX, strata=strata(cohort="implant"))
    study.told_case("e", [leak(1)], BOX)
    table, _ = study_tables(study.score())
    assert list(dict.fromkeys(row[0] for row in table.rows)) == ["phantom", "implant"]


def test_the_command_prints_and_writes_the_table(study, tmp_path, capsys):
    out = tmp_path / "out"
    assert run_command(["evaluate", str(study.results), str(study.truth), "-o", str(out)]) == 0
    assert "Right on hard scans" in capsys.readouterr().out
    for name in ("study_table", "misses"):
        with (out / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            listed = list(csv.DictReader(stream))
        document = json.loads((out / f"{name}.json").read_text(encoding="utf-8"))
        assert len(document["rows"]) == len(listed) > 0
        assert (out / f"{name}.md").read_text(encoding="utf-8").count("\n|") == len(listed) + 2


def test_truth_without_strata_has_no_study_table(bench, leak):
    bench.truth_case("a", [leak(1)], BOX)
    bench.told_case("a", [leak(1)], BOX)
    assert study_tables(bench.score()) == ()


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("thin", "'strata' in truth.json is no object"),
        ({"slice_mm": "thin"}, "no length in mm"),
        ({"slice_mm": -1}, "no length in mm"),
        ({"mask_fault": 3}, "'strata.mask_fault' in truth.json is no text"),
        ({"distractors": "many"}, "neither true nor false"),
    ],
)
def test_strata_that_make_no_sense_are_told(bench, leak, told, sentence):
    bench.truth_case("a", [leak(1)], BOX, strata=told)
    (problem,) = read_cohort(bench.truth, "truth").problems
    assert sentence in problem.message
