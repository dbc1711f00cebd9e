"""The figures of a small cohort, worked out by hand."""

import numpy as np
import pytest

from leakseg.evaluate import evaluate
from leakseg.evaluate.voxels import compare_masks, labels_of

BOXES = {1: ((0, 5), (0, 5), (0, 5)), 2: ((10, 15), (10, 15), (10, 15)), 3: ((20, 25), (20, 25), (20, 25))}


def full(leak, number, kind, volume_mm3, **changes):
    fields = {"segment": "L1", "side": "left", "route": None, "subtype": None, "confidence": 0.9}
    return leak(number, kind, volume_mm3=volume_mm3, **fields | changes)


@pytest.fixture
def cohort(bench, leak):
    """Seven truth leaks in three cases: five detected, one missed, one small and missed; one false positive.

    One case without leaks is told rightly.
    """
    a = [full(leak, 1, "epidural", 100.0), full(leak, 2, "venous", 60.0), full(leak, 3, "venous", 30.0)]
    b = [full(leak, 1, "foraminal", 40.0), full(leak, 2, "epidural", 1500.0), full(leak, 3, "epidural", 12.0)]
    bench.truth_case("a", a, BOXES)
    bench.truth_case("b", b, BOXES)
    bench.truth_case("c", [full(leak, 1, "intradiscal", 400.0)], {1: BOXES[1]})
    bench.truth_case("d", [])
    told = [
        full(leak, 1, "epidural", 110.0, confidence=0.95),
        full(leak, 2, "paravertebral", 54.0, confidence=0.55),
        full(leak, 3, "venous", 30.0, side="right", confidence=0.85),
    ]
    bench.told_case("a", told, BOXES)
    bench.told_case("b", [full(leak, 2, "epidural", 1200.0, confidence=None)], {2: BOXES[2]})
    told = [full(leak, 1, "intradiscal", 400.0, confidence=0.75), full(leak, 2, "venous", 25.0, confidence=0.65)]
    bench.told_case("c", told, {1: BOXES[1], 2: BOXES[2]})
    bench.told_case("d", [])
    return bench


@pytest.fixture
def document(cohort):
    return evaluate(cohort.results, cohort.truth).document


def counts(share):
    return (share["k"], share["n"])


def test_sensitivity_by_size_and_false_positives(document):
    found = document["detection"]
    assert counts(found["sensitivity"]["all"]) == (5, 7)
    assert counts(found["sensitivity"]["from_20_mm3"]) == (5, 6)
    assert [counts(one) for one in found["by_size"]] == [(0, 0), (0, 1), (1, 2), (2, 2), (1, 1), (1, 1)]
    assert counts(found["false_positives_per_case"]) == (1, 4)
    assert counts(found["extra_pieces_per_case"]) == (0, 4)
    assert counts(found["leak_free_cases_told_so"]) == (1, 1)


def test_froc_moves_with_the_threshold(document):
    """The leak without a confidence counts at every threshold."""
    points = {
        one["min_confidence"]: (one["sensitivity"], one["false_positives_per_case"])
        for one in document["detection"]["froc"]
    }
    assert points[0.95] == (pytest.approx(2 / 7, abs=1e-6), 0.0)
    assert points[0.75] == (pytest.approx(4 / 7, abs=1e-6), 0.0)
    assert points[0.65] == (pytest.approx(4 / 7, abs=1e-6), 0.25)
    assert points[None] == (pytest.approx(5 / 7, abs=1e-6), 0.25)


def test_confusion_kappa_and_per_type(document):
    named = document["naming"]
    confusion = named["confusion"]
    table = np.array(confusion["counts"])
    cell = {
        (row, column): int(table[i, j])
        for i, row in enumerate(confusion["rows_truth"])
        for j, column in enumerate(confusion["columns_told"])
        if table[i, j]
    }
    assert cell == {
        ("epidural", "epidural"): 2,
        ("epidural", "missed"): 1,
        ("foraminal", "missed"): 1,
        ("venous", "venous"): 1,
        ("venous", "paravertebral"): 1,
        ("intradiscal", "intradiscal"): 1,
        ("no leak", "venous"): 1,
    }
    assert counts(named["accuracy"]) == (4, 5)
    chance = (2 * 2 + 2 * 1 + 1 * 1) / 25
    assert named["kappa"]["value"] == pytest.approx((0.8 - chance) / (1 - chance), abs=1e-6)
    by_type = {one["type"]: (counts(one["recall"]), counts(one["precision"])) for one in named["per_type"]}
    assert by_type["venous"] == ((1, 2), (1, 2))
    assert by_type["epidural"] == ((2, 3), (2, 2))
    assert by_type["foraminal"] == ((0, 1), (0, 0))


def test_fields_and_all_right(document):
    named = document["naming"]
    assert counts(named["fields"]["side"]) == (4, 5)
    assert counts(named["fields"]["level"]) == (5, 5)
    assert counts(named["fields"]["route"]) == (5, 5), "null told where truth has null is right"
    assert counts(named["fields"]["exiting_root"]) == (0, 0)
    assert counts(named["all_right"]["of_truth_leaks_from_20_mm3"]) == (3, 6)
    assert counts(named["all_right"]["of_all_truth_leaks"]) == (3, 7)


def test_volumes(document):
    volume = document["measures"]["volume_mm3"]
    assert volume["n"] == 5
    assert volume["bias"]["value"] == pytest.approx((10 - 6 + 0 - 300 + 0) / 5)
    assert volume["median_absolute_error"]["value"] == 6.0
    assert document["measures"]["volume_mm3_from_50_mm3"]["n"] == 4
    assert document["measures"]["volume_mm3_from_50_mm3"]["median_relative_error"]["value"] == pytest.approx(0.1)
    assert document["measures"]["canal_encroachment_fraction"]["n"] == 0
    assert document["measures"]["canal_encroachment_fraction"]["bias"]["value"] is None


def test_calibration(document):
    """Confidences 0.95, 0.85, 0.75 right; 0.55 (wrong type) and 0.65 (false positive) wrong; one without."""
    calibrated = document["calibration"]
    error = (0.05 + 0.15 + 0.25 + 0.55 + 0.65) / 5
    assert calibrated["expected_calibration_error"]["value"] == pytest.approx(error, abs=1e-6)
    assert calibrated["expected_calibration_error"]["n"] == 5
    assert calibrated["without_confidence"] == 1
    assert [one["n"] for one in calibrated["bins"]] == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]


def test_confidences_that_are_right_as_often_as_they_say_have_no_error(bench, leak):
    for number in range(4):
        kind = "venous" if number else "foraminal"
        bench.truth_case(f"{number}", [leak(1, kind)], {1: BOXES[1]})
        bench.told_case(f"{number}", [leak(1, "venous", confidence=0.75)], {1: BOXES[1]})
    calibrated = evaluate(bench.results, bench.truth).document["calibration"]
    assert calibrated["expected_calibration_error"]["value"] == 0.0


def test_dice_and_surface_distance_of_two_shifted_cubes(bench):
    grid = bench.grid((20, 20, 20), 0.5)
    first, second = np.zeros(grid.shape, int), np.zeros(grid.shape, int)
    first[4:14, 4:14, 4:14] = 1
    second[6:16, 4:14, 4:14] = 2
    told = compare_masks(labels_of(grid, first), labels_of(grid, second), (1, 2))
    assert told.dice == pytest.approx(0.8)
    assert (told.truth_mm3, told.told_mm3) == (pytest.approx(125.0), pytest.approx(125.0))
    assert told.hausdorff95_mm == pytest.approx(1.0)
    assert 0 < told.surface_distance_mm < 1.0
    same = compare_masks(labels_of(grid, first), labels_of(grid, first), (1,))
    assert (same.dice, same.surface_distance_mm, same.hausdorff95_mm) == (1.0, 0.0, 0.0)


def test_distances_are_those_between_the_borders_point_by_point(bench):
    """Every border voxel of a ball against every one of another, by brute force."""
    from scipy.spatial.distance import cdist

    grid = bench.grid((24, 24, 24), 0.8, (5.0, -3.0, 100.0))
    k, j, i = np.indices(grid.shape)
    balls = [(k - 11) ** 2 + (j - 11) ** 2 + (i - centre) ** 2 <= radius**2 for centre, radius in ((10, 7), (13, 6))]
    neighbours = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
    borders = [
        grid.to_patient(np.argwhere(ball & ~np.all([np.roll(ball, step, (0, 1, 2)) for step in neighbours], axis=0)))
        for ball in balls
    ]
    apart = cdist(*borders)
    told = compare_masks(*(labels_of(grid, ball.astype(int)) for ball in balls), (1,))
    assert told.surface_distance_mm == pytest.approx((apart.min(axis=0).mean() + apart.min(axis=1).mean()) / 2)
    assert told.hausdorff95_mm == pytest.approx(max(np.percentile(apart.min(axis=axis), 95) for axis in (0, 1)))
    assert told.dice == pytest.approx(2 * (balls[0] & balls[1]).sum() / (balls[0].sum() + balls[1].sum()))


def test_empty_masks_are_not_compared_and_half_empty_ones_are_zero(bench):
    grid = bench.grid((6, 6, 6))
    none, some = np.zeros(grid.shape, int), np.zeros(grid.shape, int)
    some[2, 2, 2] = 1
    assert compare_masks(labels_of(grid, none), labels_of(grid, none), (1, 2)).dice is None
    half = compare_masks(labels_of(grid, some), labels_of(grid, none), (1, 2))
    assert (half.dice, half.surface_distance_mm) == (0.0, None)


def test_cement_is_compared_whole_and_outside_bone(bench):
    for case_id in ("a", "b"):
        bench.truth_case(case_id, [])
        bench.told_case(case_id, [])
        labels = np.zeros((30, 30, 30), np.uint8)
        labels[5:15, 5:15, 5:15] = 1
        labels[15:17, 5:15, 5:15] = 2 if case_id == "a" else 1
        bench.cement(bench.truth / case_id / "truth_cement.nii.gz", labels)
        labels[15:17] = np.where(labels[15:17] == 2, 1, labels[15:17])
        bench.cement(bench.results / case_id / "cement.nii.gz", labels)
    cement = evaluate(bench.results, bench.truth).document["measures"]["cement"]
    assert cement["all"]["median_dice"]["value"] == 1.0
    (table,) = [table for table in evaluate(bench.results, bench.truth).tables() if table.name == "per_case"]
    by_case = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["all_dice"], row["outside_bone_dice"]) for row in by_case] == [(1.0, 0.0), (1.0, None)]
    assert (cement["outside_bone"]["both_empty"], cement["outside_bone"]["median_dice"]["value"]) == (1, 0.0)


def test_other_results_are_compared_by_mcnemar(cohort, leak, tmp_path):
    """The others miss leak 1 of case a and find leak 1 of case b: one and one, p = 1."""
    other = tmp_path / "theirs"
    told = [full(leak, 2, "paravertebral", 54.0), full(leak, 3, "venous", 30.0)]
    cohort.told_case("a", told, {2: BOXES[2], 3: BOXES[3]}, into=other)
    told = [full(leak, 1, "foraminal", 40.0), full(leak, 2, "epidural", 1200.0)]
    cohort.told_case("b", told, {1: BOXES[1], 2: BOXES[2]}, into=other)
    cohort.told_case("c", [full(leak, 1, "intradiscal", 400.0)], {1: BOXES[1]}, into=other)
    detected, named, right = evaluate(cohort.results, cohort.truth, [other]).document["comparisons"]
    assert (detected["against"], detected["question"]) == ("theirs", "detected")
    assert [(one["only_these_right"], one["only_others_right"]) for one in (detected, named)] == [(1, 1), (1, 1)]
    assert (detected["p"], detected["these"]["n"]) == (1.0, 6)
    assert detected["others_cases_done"] == 3, "case d is not among theirs"
    assert (right["only_these_right"], right["only_others_right"]) == (1, 2)
    assert right["p"] == pytest.approx(1.0)
