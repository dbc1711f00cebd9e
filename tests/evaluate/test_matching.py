"""Which told leak stands for which truth leak."""

import pytest

BOX = ((2, 7), (2, 7), (2, 7))
FAR = ((20, 25), (20, 25), (20, 25))


def outcomes(bench):
    return [(row.outcome, row.truth and row.truth.id, row.told and row.told.id) for row in bench.score().rows()]


def test_place_alone_decides_whatever_type_and_level_are_told(bench, leak):
    bench.truth_case("a", [leak(1), leak(2, "venous", "L2")], {1: BOX, 2: FAR})
    bench.told_case("a", [leak(1, "venous", "L2"), leak(2)], {1: FAR, 2: BOX})
    assert outcomes(bench) == [("detected", 1, 2), ("detected", 2, 1)]
    (first, _) = bench.score().rows()
    assert first.overlap_mm3 == pytest.approx(125.0)


def test_a_leak_told_as_several_pieces_counts_once(bench, leak):
    bench.truth_case("a", [leak(1)], {1: ((2, 12), (2, 7), (2, 7))})
    bench.told_case(
        "a", [leak(1), leak(2), leak(3)], {1: ((2, 5), (2, 7), (2, 7)), 2: ((6, 12), (2, 7), (2, 7)), 3: FAR}
    )
    assert outcomes(bench) == [("detected", 1, 2), ("extra_piece", 1, 1), ("false_positive", None, 3)]


def test_two_leaks_told_as_one_are_one_found_and_one_missed(bench, leak):
    bench.truth_case(
        "a", [leak(1), leak(2, "foraminal")], {1: ((2, 10), (2, 7), (2, 7)), 2: ((10, 12), (2, 7), (2, 7))}
    )
    bench.told_case("a", [leak(1)], {1: ((2, 12), (2, 7), (2, 7))})
    assert outcomes(bench) == [("detected", 1, 1), ("missed", 2, None)]
    assert bench.score().rows()[1].note == "told as part of leak 1 (epidural), which stands for truth leak 1"


def test_the_pairing_with_the_largest_shared_volume_is_taken(bench, leak):
    """Greedy by largest overlap would leave the second truth leak alone."""
    bench.truth_case("a", [leak(1), leak(2)], {1: ((0, 10), (0, 5), (0, 5)), 2: ((10, 15), (0, 5), (0, 5))})
    bench.told_case("a", [leak(1), leak(2)], {1: ((0, 4), (0, 5), (0, 5)), 2: ((4, 14), (0, 5), (0, 5))})
    assert outcomes(bench) == [("detected", 1, 1), ("detected", 2, 2)]


def test_a_touch_of_less_than_a_tenth_is_no_match(bench, leak):
    bench.truth_case("a", [leak(1)], {1: ((0, 12), (0, 5), (0, 5))})
    bench.told_case("a", [leak(1)], {1: ((11, 24), (0, 5), (0, 5))})
    assert outcomes(bench) == [("missed", 1, None), ("false_positive", None, 1)]
    assert bench.score().rows()[0].note == "nothing told there"


@pytest.mark.parametrize(("spacing_mm", "origin_mm", "ends"), [(0.5, -10.25, (28, 44)), (2.0, -9.5, (7, 11))])
def test_labelmaps_on_different_grids_are_compared_in_patient_mm(bench, leak, spacing_mm, origin_mm, ends):
    """The same cube of 8 mm, drawn on voxels of 1 mm and on others."""
    bench.truth_case("a", [leak(1)], {1: ((4, 12), (4, 12), (4, 12))})
    bench.told_case("a", [leak(1)], {1: (ends,) * 3}, grid=bench.grid((50, 50, 50), spacing_mm, (origin_mm,) * 3))
    (row,) = bench.score().rows()
    assert (row.outcome, row.overlap_mm3) == ("detected", pytest.approx(512.0))


def test_without_labelmaps_the_centroids_decide(bench, leak):
    bench.truth_case("a", [leak(1, centroid_mm=[0, 0, 0]), leak(2, centroid_mm=[50, 0, 0])])
    bench.told_case("a", [leak(1, centroid_mm=[50, 3, 4]), leak(2, centroid_mm=[0, 0, 10.5])])
    assert outcomes(bench) == [("missed", 1, None), ("detected", 2, 1), ("false_positive", None, 2)]
    assert bench.score().rows()[1].distance_mm == pytest.approx(5.0)


def test_a_truth_leak_too_small_for_a_voxel_is_found_by_its_centroid(bench, leak):
    bench.truth_case("a", [leak(1, centroid_mm=[4, 4, 4]), leak(2)], {2: FAR})
    bench.told_case("a", [leak(1), leak(2)], {1: BOX, 2: FAR})
    assert outcomes(bench) == [("detected", 1, 1), ("detected", 2, 2)]


def test_tables_of_two_readers_are_matched_by_words(bench, leak):
    """Side before type: the reader who calls it venous on the right means the leak on the right."""
    bench.truth_case("a", [leak(1, "epidural", side="left"), leak(2, "venous", side="right"), leak(3, "venous", "L3")])
    told = [leak(1, "venous", side="left"), leak(2, "foraminal", side="right"), leak(3, "venous", "L2")]
    bench.told_case("a", told)
    assert outcomes(bench) == [
        ("detected", 1, 1),
        ("detected", 2, 2),
        ("missed", 3, None),
        ("false_positive", None, 3),
    ]
    assert {row.matched_by for row in bench.score().rows() if row.outcome == "detected"} == {"words"}


def test_words_match_nothing_that_has_a_place(bench, leak):
    bench.truth_case("a", [leak(1)], {1: BOX})
    bench.told_case("a", [leak(1)], {1: FAR})
    assert outcomes(bench) == [("missed", 1, None), ("false_positive", None, 1)]


@pytest.mark.parametrize("centroid_mm", ["left of it", [1, 2], [1, 2, float("nan")], [1, 2, "3"]])
def test_a_centroid_that_is_no_point_is_told(bench, leak, centroid_mm):
    bench.truth_case("a", [leak(1)], {1: BOX})
    bench.told_case("a", [leak(1, centroid_mm=centroid_mm)])
    told = bench.score()
    assert [case.status for case in told.cases] == ["unreadable"]
    assert "not a point" in told.bad_results[0].message


def test_volumes_nobody_told_come_from_the_voxels(bench, leak):
    bench.truth_case("a", [leak(1)], {1: BOX})
    bench.told_case("a", [leak(1, volume_mm3=99.0)], {1: BOX})
    (row,) = bench.score().rows()
    assert (row.truth.number("volume_mm3"), row.told.number("volume_mm3")) == (pytest.approx(125.0), 99.0)
