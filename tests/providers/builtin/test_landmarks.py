"""Ribs are told by bars of bone that leave one level; padding beside a scan and cement beside a body tell of none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import make_frames
from leakseg.providers.builtin.landmarks import Landmarks, measure_landmarks, plain_sacra
from leakseg.providers.builtin.levels import Cuts, Signals
from leakseg.providers.builtin.working import Block

LENGTH_MM = 120
CUTS_MM = np.array([30.0, 60.0, 90.0])
DENSITIES = Densities(40.0, 170.0)
SHAPE = (LENGTH_MM // 2, 90, 90)
Z, Y, X = np.indices(SHAPE) * 2.0 - np.array([0.0, 90.0, 90.0])[:, None, None, None]
"""Patient mm with the canal's axis at y = x = 0."""
NONE = np.zeros(SHAPE, bool)


def measure(
    bone: NDArray[np.bool_],
    *,
    air: NDArray[np.bool_] = NONE,
    cement: NDArray[np.bool_] = NONE,
    faint: NDArray[np.bool_] = NONE,
    noise_hu: float = 0.0,
    half_width_mm: float = 22.0,
    cuts_mm: FloatArray = CUTS_MM,
    opening_mm: FloatArray | None = None,
    metal: NDArray[np.bool_] = NONE,
    back_mm: float = 90.0,
    side_mm: float = 90.0,
) -> Landmarks:
    """Landmarks of four levels of 30 mm along a straight axis; the scan ends ``back_mm`` and ``side_mm`` from it."""
    hu = np.where(bone, np.float32(600), np.float32(40))
    hu = np.where(faint, np.float32(110), hu) + np.random.default_rng(1).normal(0, noise_hu, SHAPE)
    hu = np.where(cement, np.float32(1600), hu)
    hu = np.where(metal, np.float32(3000), hu)
    hu = np.where(air, np.float32(-300), hu).astype(np.float32)
    inside = (slice(None), slice(0, 45 + int(back_mm / 2)), slice(45 - int(side_mm / 2), 45 + int(side_mm / 2)))
    block = Block(hu[inside], np.array([0.0, -90.0, -2.0 * int(side_mm / 2)]), 2.0)
    frames = make_frames(np.stack([np.arange(0.0, LENGTH_MM - 1), *np.zeros((2, LENGTH_MM - 1))], axis=1))
    count = len(frames)
    angles = 2 * np.pi * np.arange(72) / 72
    wall = Wall(angles, np.full((count, 72), 9.0), np.ones(count), np.ones(count))
    flat = np.zeros(count)
    signals = Signals(flat, flat, flat, flat, np.full(count, half_width_mm))
    cuts = Cuts(cuts_mm, np.zeros(3), np.ones(3), 0.0)
    return measure_landmarks(block, frames, wall, signals, cuts, DENSITIES, (block, cement[inside]), opening_mm)


def bar(z_mm: float, *, droop: float = 0.0, to_mm: float = 74.0) -> NDArray[np.bool_]:
    """A rod from beside the left of the body outward, falling by ``droop`` mm a mm."""
    return (np.hypot(Z - (z_mm - droop * (X - 24)), Y - 10) < 5) & (X > 22) & (to_mm > X)


def test_a_rib_belongs_to_the_level_it_leaves() -> None:
    left, right = measure(bar(82)).rib_mm.T
    assert list(left > 38) == [False, False, True, False]
    assert list(right) == [0, 0, 0, 0]


@pytest.mark.parametrize("droop", [0.4, 0.7])
def test_a_rib_that_droops_past_the_next_level_is_not_that_ones(droop: float) -> None:
    left = measure(bar(72, droop=droop)).rib_mm[:, 0]
    assert list(left > 38) == [False, False, True, False]
    assert left[1] < 31


def test_the_side_of_a_large_patients_body_is_no_rib_and_hides_none() -> None:
    body = (np.abs(X) < 29) & (Y > -45) & (Y < -9) & (np.abs(Z % 30 - 15) < 11)
    corner = (np.hypot(X - 27, Y + 6) < 5) & (np.abs(Z % 30 - 15) < 11)
    marks = measure(body | corner | bar(82), half_width_mm=29.0)
    left = marks.rib_mm[:, 0]
    assert left[2] > 38
    assert np.delete(left, 2).max() < 31


def test_a_transverse_process_that_the_rib_above_touches_is_no_rib() -> None:
    """In thick slices a drooping twelfth rib and the process of L1 below it are one piece of bone."""
    head = (np.hypot(Z - 78, Y + 9) < 6) & (X > 22) & (X < 30)
    left, right = measure(head | bar(82, droop=1.5) | bar(50, to_mm=40.0)).rib_mm.T
    assert left[2] > 38
    assert np.isnan(left[1])
    assert not np.isnan(right).any()


def test_a_thin_rib_that_fades_between_slices_is_one_rib() -> None:
    rib = bar(82)
    gap = rib & (X > 36) & (X < 46)
    left = measure(rib & ~gap, faint=gap, noise_hu=5.0).rib_mm[:, 0]
    assert list(left > 38) == [False, False, True, False]


def test_much_noise_makes_no_wings_and_no_heads() -> None:
    found = measure(bar(82), noise_hu=90.0)
    assert found.wing.max() < 0.05
    assert found.head.max() < 0.08


def test_faint_tissue_beside_a_process_makes_it_no_rib() -> None:
    """A kidney, a liver full of contrast medium: no bone, and not close to any."""
    organ = (np.abs(Z - 70) < 24) & (np.abs(Y) < 20) & (X > 34)
    left = measure(bar(80, to_mm=34.0), faint=organ & ~bar(80, to_mm=34.0)).rib_mm[:, 0]
    assert left[2] < 31


def test_a_transverse_process_is_no_rib() -> None:
    left = measure(bar(80, to_mm=40.0)).rib_mm[:, 0]
    assert 0 < left[2] < 31


def test_a_rib_that_leaves_a_narrow_scan_is_a_rib_and_a_process_that_ends_in_it_none() -> None:
    narrow = np.abs(X) > 50
    left, right = measure(bar(82) | np.flip(bar(48, to_mm=40.0), 2), air=narrow).rib_mm.T
    assert list(np.isinf(left)) == [False, False, True, False]
    assert not np.isinf(right).any()
    assert 0 < right[1] < 31


def test_a_rib_that_leaves_the_scan_behind_is_as_long_as_it_is_seen_at_least() -> None:
    """A turned patient in a narrow field: the side is in view beyond the place where the rib leaves it."""
    backward = (np.hypot(Z - 82, Y - 6 - 0.6 * (X - 24)) < 5) & (X > 22) & (X < 74)
    left = measure(backward, back_mm=24.0).rib_mm[:, 0]
    assert list(np.isinf(left)) == [False, False, True, False]
    left = measure(backward, back_mm=38.0).rib_mm[:, 0]
    assert 38 < left[2] < 74


def test_a_process_at_the_side_of_a_narrow_scan_is_no_rib_and_does_not_tell_that_there_is_none() -> None:
    found = measure(bar(82, to_mm=60.0), side_mm=46.0)
    assert list(found.leaves[:, 0]) == [False, False, True, False]
    assert not found.leaves[:, 1].any()
    assert np.isnan(found.rib_mm[2, 0])
    assert found.rib_mm[1, 0] == 0


def test_streaks_of_metal_are_ribs_only_where_a_ribs_head_is() -> None:
    rod = (np.hypot(Y - 34, X - 18) < 4) & (Z > 62) & (Z < 86)
    head = (np.hypot(Z - 78, Y + 9) < 6) & (X > 22) & (X < 30)
    assert measure(bar(82)).rib_mm[2, 0] > 38
    assert np.isnan(measure(bar(82), metal=rod).rib_mm[2, 0])
    assert measure(bar(82) | head, metal=rod).rib_mm[2, 0] > 38
    assert np.all(measure(bar(82), metal=rod).rib_mm[1] == 0)


@pytest.mark.parametrize(("below", "believed"), [(0.0, True), (5.0, False)])
def test_heads_beside_metal_are_believed_above_a_vertebra_with_metal_that_shows_none(
    below: float, believed: bool
) -> None:
    """The ribs themselves are lost in the streaks. L5 and L4 show such bone, too, but more of it the lower they lie."""
    rods = (np.hypot(Y - 34, np.abs(X) - 18) < 4) & (Z > 32) & (Z < 118)
    heads = [np.hypot(Z - z, Y + 9) < radius for z, radius in ((48, below), (78, 6.0))]
    bone = np.any(heads, axis=0) & (np.abs(X) > 22) & (np.abs(X) < 30)
    found = measure(bone, metal=rods)
    assert list(found.by_below) == [False, False, believed, False]
    assert np.all(found.head[2] >= 0.2) if believed else np.isnan(found.head[2]).all()
    assert not measure(bone, metal=rods & (Z > 62)).by_below.any()  # without streaks below there is nothing to compare


def test_heads_of_a_vertebra_that_the_scan_cuts_off_above_are_believed_where_the_next_shows_none() -> None:
    """A window that ends in the middle of T12: its ribs leave it above."""
    corners = (np.abs(X) > 22) & (np.abs(X) < 30) & (np.abs(Y + 9) < 6)
    cuts_mm = np.array([36.0, 66.0, 96.0]) + LENGTH_MM - 114
    found = measure(corners & (cuts_mm[2] + 6 < Z), cuts_mm=cuts_mm)
    assert list(found.by_below) == [False, False, False, True]
    assert np.all(found.head[3] >= 0.2)
    found = measure(corners & (cuts_mm[1] + 6 < Z), cuts_mm=cuts_mm)
    assert not found.by_below.any()
    assert np.isnan(found.head[3]).all()


def test_a_head_beside_the_posterior_corner_is_told() -> None:
    head = (np.hypot(Z - 78, Y + 9) < 6) & (X > 22) & (X < 30)
    left, right = measure(head).head.T
    assert list(left >= 0.2) == [False, False, True, False]
    assert list(right) == [0, 0, 0, 0]


@pytest.mark.parametrize("heads_mm", [3.0, 6.0])
def test_heads_are_told_by_those_of_the_plain_ribs_however_thin_the_scan_shows_them(heads_mm: float) -> None:
    """Slices of 4 mm and more thin them all; the last rib breaks off, and only its head is left."""
    sides = [np.hypot(Z - z, Y + 9) < heads_mm for z in (48, 78, 108)]
    heads = np.any(sides, axis=0) & (np.abs(X) > 22) & (np.abs(X) < 30)
    ribs = bar(82) | bar(108)
    found = measure(heads | ribs | np.flip(ribs, 2)).head
    assert np.all(found[1:3] >= 0.2)
    assert np.all(found[0] == 0)


def test_the_sacrum_is_plain_by_broad_wings_unless_it_may_hold_a_lumbar_level_too() -> None:
    unseen, none = np.full((3, 2), np.nan), np.zeros(3, bool)
    marks = Landmarks(unseen, unseen > 0, np.array([[0.5, 0.6], [0.5, 0.1], [0.5, 0.5]]), unseen, unseen[:, 0], none)
    assert list(plain_sacra(marks, np.array([35.0, 35.0, 60.0]))) == [True, False, False]


def test_padding_beside_a_turned_scan_tells_nothing_of_ribs() -> None:
    found = measure(bar(82), air=np.abs(X) > 40).rib_mm
    assert np.isnan(found).all()


def test_a_level_that_the_scan_cuts_off_below_its_rib_is_not_told_to_bear_none() -> None:
    """A window over the thoracic spine: the vertebra at its lower edge shows its upper endplate only."""
    found = measure(bar(50) | bar(80), cuts_mm=np.array([6.0, 36.0, 66.0]))
    assert np.isnan(found.rib_mm[0]).all()
    assert np.isnan(found.head[0]).all()
    found = measure(bar(60) | bar(90), cuts_mm=np.array([16.0, 46.0, 76.0]))  # its upper half, which would bear one
    assert np.all(found.rib_mm[0] == 0)
    assert np.all(found.head[0] == 0)
    assert np.isfinite(found.rib_mm[1:3]).all()


@pytest.mark.parametrize(
    ("top_mm", "root_mm", "told"), [(80.0, 95.0, True), (80.0, 110.0, False), (90.0, 108.0, True), (90.0, 114.0, False)]
)
def test_a_rib_above_the_highest_level_or_at_the_scans_end_may_be_the_next_vertebras(
    top_mm: float, root_mm: float, told: bool
) -> None:
    """A window that ends above L1: T12's rib comes into view, its vertebra does not."""
    left, right = measure(bar(root_mm), cuts_mm=top_mm - np.array([54.0, 27.0, 0.0])).rib_mm.T
    assert left[3] > 38 if told else np.isnan(left[3])
    assert list(left[:3]) == list(right[:3]) == [0, 0, 0]


def test_a_level_that_the_scan_cuts_off_is_not_told_to_have_no_wings() -> None:
    """A window that ends below the upper endplate of S1."""
    cuts_mm = np.array([12.0, 42.0, 72.0])
    wings = (np.abs(X) > 24) & (np.abs(X) < 45) & (Y > -30) & (Y < -8) & (Z < 10)
    unseen, seen = (measure(bone, cuts_mm=cuts_mm).wing for bone in (NONE, wings))
    assert np.isnan(unseen[0]).all()
    assert (seen[0] > 0.2).all()
    assert list(unseen[1:3].ravel()) == [0, 0, 0, 0]


def test_cement_beside_a_body_is_no_rib() -> None:
    left = measure(NONE, cement=bar(82)).rib_mm[:, 0]
    assert list(left) == [0, 0, 0, 0]


def test_how_far_the_skull_lies_above_every_disc_is_told_and_the_neck_has_no_ribs_heads() -> None:
    corner = (np.hypot(X - 27, Y + 6) < 8) & (np.abs(X) > 22)
    found = measure(corner, opening_mm=np.array([118.0, 0.0, 0.0]))
    assert np.isnan(found.to_skull_mm[0])
    assert np.allclose(found.to_skull_mm[1:], [88, 58, 28], atol=1)
    assert np.isnan(found.head[1:]).all()
    assert np.isnan(found.rib_mm[3]).all()
    assert np.isnan(measure(corner).to_skull_mm).all()
    assert np.isfinite(measure(corner).head[1:]).all()
