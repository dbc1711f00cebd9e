"""Names follow from ribs and sacrum, and are told as sure only where the evidence is clear and agrees."""

from __future__ import annotations

import numpy as np
import pytest

from leakseg.providers.builtin.landmarks import Landmarks
from leakseg.providers.builtin.naming import Naming
from leakseg.providers.builtin.naming import name_levels as name_trusted_levels

NAN = float("nan")
LUMBAR_MM = np.array([26.0, 26, 25, 24, 23, 22, 21, 20, 18])


def landmarks(
    rib_mm: list[float],
    wing: list[float],
    head: list[float] | None = None,
    to_skull_mm: list[float] | None = None,
    leaves: list[bool] | None = None,
    by_below: list[bool] | None = None,
) -> Landmarks:
    """The same on both sides; caudal first. Without ``head``, the body's corners are not in view."""
    corner = head or [NAN] * len(rib_mm)
    rib, wings, heads = (np.array([values, values]).T for values in (rib_mm, wing, corner))
    going = np.array([leaves or [False] * len(rib_mm)] * 2).T
    below = np.array(by_below or [False] * len(rib_mm))
    return Landmarks(rib, going, wings, heads, np.array(to_skull_mm or [NAN] * len(rib_mm)), below)


def name_levels(marks: Landmarks, half_width_mm: np.ndarray, trusted: list[bool] | None = None) -> Naming:
    return name_trusted_levels(marks, half_width_mm, np.array(trusted or [True] * len(half_width_mm)))


def names(found: Naming) -> list[str | None]:
    return [None if level is None else str(level) for level in found.levels]


def test_sacrum_and_last_rib_that_agree_give_sure_names() -> None:
    found = name_levels(landmarks([NAN, 20, 22, 25, 22, 20, 55, 60], [0.5, 0, 0, 0, 0, 0, 0, 0]), LUMBAR_MM[:8])
    assert names(found) == ["S1", "L5", "L4", "L3", "L2", "L1", "T12", "T11"]
    assert min(found.confidence) > 0.9
    assert not found.doubts


@pytest.mark.parametrize("between", [4, 6])
def test_a_wrong_count_between_sacrum_and_ribs_is_said_and_doubted(between: int) -> None:
    ribs = [NAN, *[20.0] * between, 55.0, 60.0]
    found = name_levels(landmarks(ribs, [0.5] + [0.0] * (between + 2)), np.full(between + 3, 23.0))
    assert names(found)[0] == "S1"
    assert names(found)[-2:] == ["T12", "T11"]
    assert ("L6" in names(found)) == (between == 6)
    assert max(found.confidence) < 0.7
    assert f"{between} lumbar" in found.doubts[0]


def test_rib_remnants_do_not_count() -> None:
    found = name_levels(landmarks([20, 20, 30, 55, 60], [0.0] * 5), LUMBAR_MM[3:8])
    assert names(found) == ["L3", "L2", "L1", "T12", "T11"]


def test_ribs_seen_nowhere_do_not_tell_that_no_vertebra_bears_one() -> None:
    """Weak bone in thick slices hides every rib at once; an unclear sacrum alone then gives no sure names."""
    wing = [0.3, 0.25, 0.14, *[0.0] * 6]
    heads = [NAN, NAN, 0.3, *[0.0] * 5, 0.12]
    marks = landmarks([NAN, 0.0, NAN, 30, 26, 22, 17, 19, 14], wing, heads)
    found = name_levels(marks, np.array([26.0, 26, 26, 26.7, 26.1, 25.2, 23.9, 22.9, 22.6]), [False] * 3 + [True] * 6)
    assert max(found.confidence) < 0.7


def test_a_rib_of_doubtful_length_makes_the_names_doubtful() -> None:
    found = name_levels(landmarks([20, 20, 35, 55, 60], [0.0] * 5), LUMBAR_MM[3:8])
    assert max(found.confidence) < 0.7


def test_ribs_cut_off_by_a_narrow_scan_count_as_ribs() -> None:
    found = name_levels(landmarks([20, 22, float("inf"), float("inf")], [0.0] * 4, [0, 0, 0.4, 0.4]), LUMBAR_MM[3:7])
    assert names(found) == ["L2", "L1", "T12", "T11"]
    assert min(found.confidence) > 0.8
    assert found.landmarks == ("last rib",)


def test_processes_that_leave_a_narrow_scan_do_not_hide_the_last_rib() -> None:
    ribs, heads = [NAN, NAN, float("inf"), float("inf")], [0, 0, 0.4, 0.4]
    found = name_levels(landmarks(ribs, [0.0] * 4, heads, leaves=[True, True, False, False]), LUMBAR_MM[3:7])
    assert names(found) == ["L2", "L1", "T12", "T11"]
    assert min(found.confidence) > 0.8
    assert found.landmarks == ("last rib",)


def test_heads_alone_tell_the_last_rib_in_the_narrowest_scan() -> None:
    found = name_levels(landmarks([NAN] * 4, [0.0] * 4, [0, 0, 0.4, 0.4]), LUMBAR_MM[3:7])
    assert names(found) == ["L2", "L1", "T12", "T11"]
    assert found.landmarks == ("last rib",)


def test_heads_without_ribs_of_4_cm_are_remnants_and_doubted() -> None:
    found = name_levels(landmarks([20, 20, 28, 55, 60], [0.0] * 5, [0, 0, 0.4, 0.4, 0.4]), LUMBAR_MM[3:8])
    assert max(found.confidence) < 0.7
    assert "remnants" in found.doubts[0]


def test_heads_as_those_of_the_ribs_above_make_the_last_rib_doubtful() -> None:
    """Slices of 4.5 mm broke the ribs of T12 off after 2 cm; its heads were no fainter than those of T11 and T10."""
    ribs, faint = [16.0, 16, 20, 62, 58], [0.0, 0, 0.17, 0.2, 0.17]
    found = name_levels(landmarks(ribs, [0.0] * 5, faint), LUMBAR_MM[3:8])
    assert max(found.confidence) < 0.7
    assert "remnants" in found.doubts[0]
    for other in ([0.0, 0, 0.06, 0.2, 0.17], [0.0, 0, 0.17, 0.6, 0.5]):
        found = name_levels(landmarks(ribs, [0.0] * 5, other), LUMBAR_MM[3:8])
        assert names(found) == ["L3", "L2", "L1", "T12", "T11"]
        assert not found.doubts


@pytest.mark.parametrize("at_the_edge", ["below", "above"])
def test_ribs_beside_a_level_that_cannot_be_judged_are_neither_the_last_nor_the_first(at_the_edge: str) -> None:
    ribs = [NAN, 60, 60, 60] if at_the_edge == "below" else [60.0, 60, 60, NAN]
    found = name_levels(landmarks(ribs, [0.0] * 4), np.full(4, 15.0))
    assert not found.landmarks
    assert max(found.confidence) < 0.5


def test_twelve_vertebrae_with_ribs_are_named_by_their_count() -> None:
    found = name_levels(landmarks([60.0] * 12 + [NAN], [0.0] * 13), np.linspace(18, 12, 13))
    assert names(found) == [*[f"T{n}" for n in range(12, 0, -1)], "C7"]
    assert found.landmarks == ("all ribs",)
    assert min(found.confidence) > 0.7


@pytest.mark.parametrize(("doubtful", "sure"), [((4,), True), ((4, 5), True), ((2, 7), False), ((4, 5, 6), False)])
def test_twelve_ribs_in_a_row_bear_out_one_doubtful_disc(doubtful: tuple[int, ...], sure: bool) -> None:
    """Two such may be a disc passed over and one too many: the levels between them would have wrong names."""
    trusted = [level not in doubtful for level in range(13)]
    found = name_levels(landmarks([60.0] * 12 + [NAN], [0.0] * 13), np.linspace(18, 12, 13), trusted)
    assert names(found)[:12] == [f"T{number}" for number in range(12, 0, -1)]
    assert (min(found.confidence) > 0.8) == sure


def test_nothing_in_view_is_a_guess_and_says_so() -> None:
    found = name_levels(landmarks([NAN] * 2, [0.0] * 2), LUMBAR_MM[3:5])
    assert len(found.levels) == 2
    assert max(found.confidence) < 0.5
    assert not found.landmarks


def test_a_guess_from_doubtful_bodies_goes_by_their_size() -> None:
    found = name_levels(landmarks([NAN] * 3, [0.0] * 3), LUMBAR_MM[1:4], [False] * 3)
    assert all(level is not None and level.startswith(("L", "T1")) for level in names(found))
    assert max(found.confidence) < 0.5


def test_a_wing_on_one_side_only_above_one_with_both_may_be_l5_and_is_doubted() -> None:
    """The 3 mm scan bent, of dense marrow, in a view 60 mm wide: L5 showed a wing on one side and was S1, surely."""
    rib = np.array([[NAN, np.inf, np.inf, np.inf, NAN], [NAN, NAN, np.inf, np.inf, NAN]]).T
    wing = np.array([[NAN, 0.33, 0.11, 0.0, 0.0], [NAN, 0.61, 0.34, 0.0, 0.0]]).T
    head = np.array([[NAN, 0.44, 0.44, 0.27, 0.23], [NAN, 0.42, 0.42, 0.23, 0.0]]).T
    marks = Landmarks(rib, rib < 0, wing, head, np.full(5, NAN), np.zeros(5, bool))
    widths_mm = np.array([35.6, 33.7, 30.1, 28.0, 26.5])
    assert max(name_levels(marks, widths_mm).confidence) < 0.7
    wing[2] = 0.3
    assert max(name_levels(marks, widths_mm).confidence) > 0.7


def test_ilium_beside_the_lowest_levels_is_no_rib() -> None:
    found = name_levels(landmarks([70, 80, 90, 25, 22, 20, 55], [0.5, 0.1, 0, 0, 0, 0, 0]), LUMBAR_MM[:7])
    assert names(found) == ["S1", "L5", "L4", "L3", "L2", "L1", "T12"]


def test_a_canal_followed_astray_into_the_pelvis_leaves_the_names_above_the_sacrum_right() -> None:
    below = [NAN] * 6
    marks = landmarks([*below, NAN, 30, 20, 22, 20, 18, 65], [0.1, 0.2, 0, 0.1, 0, 0.1, 0.4, 0.1, *[0.0] * 5])
    found = name_levels(marks, np.concatenate([np.full(6, 17.0), LUMBAR_MM[:7]]), [False] * 6 + [True] * 7)
    assert names(found)[6:] == ["S1", "L5", "L4", "L3", "L2", "L1", "T12"]
    assert min(found.confidence[6:]) > 0.7


def test_broad_bodies_are_never_guessed_to_be_cervical() -> None:
    """Evidence that no spine explains: wings beside every body."""
    found = name_levels(landmarks([NAN] * 6, [0.4] * 6), LUMBAR_MM[1:7])
    assert not any(str(name).startswith("C") for name in names(found))


def test_a_neck_without_landmarks_is_named_cervical_and_doubted() -> None:
    found = name_levels(landmarks([20.0] * 5, [0.0] * 5), np.array([11.5, 11, 10.5, 10.5, 11]))
    assert all(str(name).startswith("C") for name in names(found))
    assert max(found.confidence) < 0.5


def test_the_first_rib_alone_names_a_neck_and_leaves_it_doubtful() -> None:
    """No scan of a neck was at hand to measure how often the first rib is missed."""
    neck = [12.0] * 5
    found = name_levels(landmarks([60.0, 60.0, *neck], [0.0] * 7), np.array([14.5, 15, 13, 11.5, 11, 10.5, 10.5]))
    assert names(found) == ["T2", "T1", "C7", "C6", "C5", "C4", "C3"]
    assert max(found.confidence) < 0.7
    assert "first rib" in found.doubts[0]


def test_thirteen_rib_bearing_vertebrae_name_t13() -> None:
    ribs = [20.0] * 2 + [60.0] * 13 + [10.0]
    found = name_levels(landmarks(ribs, [0.0] * 16), np.linspace(22, 12, 16))
    assert names(found) == ["L2", "L1", "T13", *[f"T{n}" for n in range(12, 0, -1)], "C7"]
    assert max(found.confidence) < 0.7


def test_a_doubtful_disc_makes_the_names_beyond_it_doubtful() -> None:
    marks = landmarks([NAN] * 5, [0.5, 0, 0, 0, 0])
    found = name_levels(marks, LUMBAR_MM[:5], [True, True, True, False, True])
    assert names(found) == ["S1", "L5", "L4", "L3", "L2"]
    assert [value > 0.7 for value in found.confidence] == [True, True, True, False, False]


@pytest.mark.parametrize("between", [4, 5, 6])
def test_a_doubtful_level_without_ribs_ends_the_ribs_above_it(between: int) -> None:
    """A crushed L1: sacrum and last rib bear its count out, or contradict each other."""
    ribs = [NAN] + [20.0] * between + [55.0, 60.0]
    wing = [0.5] + [0.0] * (between + 2)
    trusted = [level != between for level in range(between + 3)]
    found = name_levels(landmarks(ribs, wing), LUMBAR_MM[: between + 3], trusted)
    assert names(found)[-2] == "T12"
    assert (min(found.confidence) > 0.8) == (between == 5)
    assert max(found.confidence) < 0.7 or between == 5


def test_a_doubtful_level_that_looks_like_the_sacrum_is_no_proof_by_itself() -> None:
    """As measured in a noisy scan of 3 mm, in which wrong discs were found and L5 looked like S1."""
    inf = float("inf")
    rib = np.array([[NAN, 0, NAN, inf, inf, NAN], [NAN, 9, NAN, inf, NAN, NAN]]).T
    wing = np.array([[0.25, 0.11, 0.23, 0.14, 0.23, 0.03], [0.30, 0.07, 0.65, 0.07, 0.15, 0.02]]).T
    head = np.array([[0.0, 0.04, 0.31, 0.02, 0.40, 0.05], [0.02, 0.39, 0.82, 0.11, 0.38, 0.0]]).T
    marks = Landmarks(rib, rib < 0, wing, head, np.full(6, NAN), np.zeros(6, bool))
    found = name_levels(marks, np.array([17.6, 21.3, 31.1, 34.5, 34.7, 32.9]), [False] * 5 + [True])
    assert names(found)[4] == "S1"
    assert max(found.confidence) < 0.7


def test_a_long_spine_whose_landmarks_contradict_each_other_keeps_its_vertebrae() -> None:
    """In much noise: bone beside every body. Levels beyond the head have no name and would not be drawn."""
    found = name_levels(landmarks([20.0, 60.0] * 6, [0.3, 0.0, 0.15] * 4), np.full(12, 14.0), [False] * 12)
    assert names(found).count(None) <= 2
    assert max(sure for name, sure in zip(found.levels, found.confidence, strict=True) if name) < 0.7


def test_more_levels_than_any_spine_has_are_doubted() -> None:
    found = name_levels(landmarks([20.0] * 40, [0.0] * 40), np.full(40, 20.0))
    assert np.isfinite(found.confidence).all()
    assert max(found.confidence) < 0.7


def to_skull(levels: int, above: int = 2, height_mm: float = 20.0) -> list[float]:
    """Distances of levels whose last but ``above`` is C2."""
    axis = levels - above
    return [NAN if level == 0 else 48 + height_mm * (axis - level) for level in range(levels)]


NECK_MM = np.array([14.0, 14.5, 15, 13, 11.5, 11, 10.5, 10.5, 11, 16])
NECK = ["T3", "T2", "T1", "C7", "C6", "C5", "C4", "C3", "C2", "C1"]


def test_the_skull_alone_names_a_neck_downward_less_sure_with_every_disc() -> None:
    marks = landmarks([NAN] * 10, [NAN] * 10, None, to_skull(10))
    found = name_levels(marks, NECK_MM, [True] * 9 + [False])
    assert names(found) == NECK
    assert found.landmarks == ("skull",)
    assert not found.doubts
    assert list(found.confidence[:9]) == sorted(found.confidence[:9])
    assert 0.8 < found.confidence[8] < 0.9
    assert found.confidence[9] == found.confidence[8]


def test_skull_and_first_rib_that_agree_give_sure_names() -> None:
    marks = landmarks([60.0, 60, 60, 12, *[NAN] * 6], [0.0] * 10, None, to_skull(10))
    found = name_levels(marks, NECK_MM, [True] * 9 + [False])
    assert names(found) == NECK
    assert set(found.landmarks) == {"skull", "first rib"}
    assert min(found.confidence) > 0.9
    assert not found.doubts


def test_skull_and_first_rib_that_agree_across_a_doubtful_disc_leave_names_doubtful() -> None:
    """Where the first rib was missed and a disc, too, they agree, and all between is wrong."""
    marks = landmarks([60.0, 60, 60, 12, *[NAN] * 6], [0.0] * 10, None, to_skull(10))
    found = name_levels(marks, NECK_MM, [True] * 6 + [False] + [True] * 2 + [False])
    assert max(found.confidence) < 0.7
    assert "first rib" in found.doubts[0]


@pytest.mark.parametrize("between", [5, 7])
def test_a_wrong_count_between_skull_and_ribs_is_said_and_doubted(between: int) -> None:
    """Six are between: C7 to C2 itself."""
    ribs = [60.0, 60, 60, *[12.0] * between, NAN]
    count = len(ribs)
    found = name_levels(landmarks(ribs, [0.0] * count, None, to_skull(count)), np.full(count, 12.0))
    assert max(found.confidence) < 0.7
    assert "does not bear out" in found.doubts[0]


def test_no_disc_where_that_of_c2_should_be_is_said_and_doubted() -> None:
    skull = [value + 10 for value in to_skull(8)]
    found = name_levels(landmarks([NAN] * 8, [NAN] * 8, None, skull), NECK_MM[2:])
    assert max(found.confidence) < 0.7
    assert "no clear disc" in found.doubts[0]


def test_a_doubtful_disc_in_the_neck_makes_the_names_below_it_doubtful() -> None:
    marks = landmarks([NAN] * 10, [NAN] * 10, None, to_skull(10))
    found = name_levels(marks, NECK_MM, [True] * 5 + [False] + [True] * 3 + [False])
    assert [value > 0.7 for value in found.confidence] == [False] * 6 + [True] * 4


WHOLE = [
    "S1",
    *[f"L{n}" for n in range(5, 0, -1)],
    *[f"T{n}" for n in range(12, 0, -1)],
    *[f"C{n}" for n in range(7, 0, -1)],
]
WHOLE_MM = np.array([26.0, 26, 24.5, 23.5, 22, 21, 20, 18.5, 17, 16, 15, 14, 13.5, 13, 13, 13, 14, 15, *NECK_MM[3:]])


def whole(between: int = 6) -> Landmarks:
    ribs = [NAN, *[20.0] * 5, *[60.0] * 12, *[12.0] * between, NAN]
    return landmarks(ribs, [0.5, *[0.0] * (len(ribs) - 1)], None, to_skull(len(ribs)))


def test_skull_ribs_and_sacrum_that_agree_give_sure_names() -> None:
    found = name_levels(whole(), WHOLE_MM, [True] * 24 + [False])
    assert names(found) == WHOLE
    assert {"sacrum", "last rib", "first rib", "skull"} <= set(found.landmarks)
    assert min(found.confidence) > 0.9
    assert not found.doubts


def test_a_block_vertebra_in_the_neck_leaves_what_sacrum_and_last_rib_name_sure() -> None:
    found = name_levels(whole(5), np.delete(WHOLE_MM, 20), [True] * 23 + [False])
    assert names(found)[:7] == WHOLE[:7]
    assert min(found.confidence[:7]) > 0.9
    assert max(found.confidence[7:]) < 0.7
    assert "does not bear out" in found.doubts[0]


def test_eleven_ribs_under_a_skull_that_does_not_agree_are_doubted() -> None:
    """No vertebra is named T12 there."""
    ribs = [NAN, *[20.0] * 5, *[60.0] * 11, *[12.0] * 5, NAN]
    marks = landmarks(ribs, [0.5, *[0.0] * (len(ribs) - 1)], None, to_skull(len(ribs)))
    found = name_levels(marks, np.full(len(ribs), 15.0))
    assert max(found.confidence[7:]) < 0.7
    assert found.doubts


def test_heads_alone_do_not_make_twelve_ribs_of_cervical_processes() -> None:
    """Beside a cervical body lies bone always, and the flesh of a neck ends too near to show that no rib goes on."""
    marks = landmarks([NAN, *[60.0] * 4, *[NAN] * 7], [0.0] * 12, [0.5] * 12)
    found = name_levels(marks, np.linspace(14, 10, 12))
    assert "all ribs" not in found.landmarks
    assert max(found.confidence) < 0.7


def test_a_last_rib_told_by_the_vertebra_below_gives_names_that_are_doubted() -> None:
    told = [False, False, True]
    marks = landmarks([16, 16, NAN], [0.0] * 3, [0.0, 0.0, 0.4], by_below=told)
    found = name_levels(marks, LUMBAR_MM[3:6])
    assert names(found) == ["L2", "L1", "T12"]
    assert found.landmarks == ("last rib",)
    assert max(found.confidence) < 0.7
    assert "only the heads" in found.doubts[0]
