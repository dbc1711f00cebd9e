"""Endplates follow the image; where cement hides them, they go on as they curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.bodies import RAYS as OUTLINE_RAYS
from leakseg.providers.builtin.bodies import Outline
from leakseg.providers.builtin.canal import RAYS, Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import Straight
from leakseg.providers.builtin.levels import Cuts
from leakseg.providers.builtin.plates import REACH, Endplates, carry, find_endplates, find_rise

SHAPE = (30, 40)
V, U = np.meshgrid(np.linspace(-1, 1, SHAPE[1]), np.linspace(-1, 1, SHAPE[0]))
DISHED_MM = 4 + 4 * (1 - V**2 - U**2).clip(0)
"""A biconcave fracture's endplate: farthest from the disc's middle in the centre."""
HEIGHT = np.arange(REACH + 1.0)
PLATE = (DISHED_MM[..., None] <= HEIGHT) & (DISHED_MM[..., None] + 2 > HEIGHT)
HU = np.where(PLATE, 450, np.where(DISHED_MM[..., None] < HEIGHT, 150, 80)).astype(np.float32)
DISC_HU, INSIDE = np.full(SHAPE, 80.0), np.ones(SHAPE, bool)


def surface(columns: NDArray[np.float32], cement: NDArray[np.bool_], unsure_mm: float) -> FloatArray:
    return carry(find_rise(columns, DISC_HU, INSIDE, cement), unsure_mm)


def test_an_endplate_lies_where_it_rises_from_the_disc() -> None:
    found = surface(HU, np.zeros(HU.shape, bool), 1.0)
    assert np.abs(found - DISHED_MM).mean() < 0.6


def test_under_cement_in_the_disc_a_dished_endplate_stays_dished() -> None:
    cement = ((np.hypot(V, U) < 0.45)[..., None]) & (HEIGHT > 2)
    found = surface(np.where(cement, np.float32(580), HU), cement, 0.0)
    middle = np.hypot(V, U) < 0.3
    assert np.abs(found[middle] - DISHED_MM[middle]).mean() < 1.0


def test_under_cement_that_fills_the_body_thick_slices_give_it_their_doubtful_half() -> None:
    cement = ((np.hypot(V, U) < 0.45)[..., None]) & (DISHED_MM[..., None] - 1 < HEIGHT)
    hu = np.where(cement, np.float32(580), HU)
    sharp, thick = (surface(hu, cement, unsure_mm) for unsure_mm in (0.0, 2.0))
    middle, seen = np.hypot(V, U) < 0.3, np.hypot(V, U) > 0.7
    assert np.allclose(sharp[middle] - thick[middle], 2.0, atol=0.3)
    assert np.allclose(sharp[seen], thick[seen], atol=0.7)


def test_the_dense_endplate_of_a_thick_slice_carries_a_body_no_farther_into_its_disc() -> None:
    """Of a disc of 80, a plate of 450 and marrow of 150 HU, averaged over 5 mm, wherever the slices happen to lie."""
    fine = np.arange(-10, 40, 0.1)
    hu = np.select([fine < 5, fine < 6.5], [80.0, 450.0], 150.0)
    found = []
    for start in np.arange(-10.0, -5.0, 0.5):
        centres = np.arange(start + 2.5, 37, 5)
        means = [hu[np.abs(fine - centre) < 2.5].mean() for centre in centres]
        column = np.interp(HEIGHT, centres, means).astype(np.float32)
        columns = np.broadcast_to(column, (*SHAPE, len(column)))
        found.append(float(np.median(surface(columns, np.zeros(columns.shape, bool), 2.0))))
    assert abs(np.mean(found) - 5) < 0.9


LENGTH, RADIUS_MM = 150, 18.0
CUTS = Cuts(np.array([25.0, 50, 75, 100, 125]), np.zeros(5), np.ones(5), 0.0)
WALL = Wall(2 * np.pi * np.arange(RAYS) / RAYS, np.full((LENGTH, RAYS), 8.0), np.ones(LENGTH), np.ones(LENGTH))
OUTLINE = Outline(np.full(LENGTH, -28.0), np.full((LENGTH, OUTLINE_RAYS), RADIUS_MM))
S, AT_U, AT_V = np.meshgrid(np.arange(LENGTH), np.arange(-60.0, 10), np.arange(-40.0, 41), indexing="ij")
FROM_MIDDLE_MM = np.hypot(AT_U + 28, AT_V)
TO_CUT_MM = np.abs(S[..., None] - CUTS.s_mm).min(axis=-1)
DISC = (TO_CUT_MM < 4.1) & (FROM_MIDDLE_MM < RADIUS_MM - 4)
"""Discs of 8 mm, whose rim has ossified."""
COLUMN = np.where(DISC, 70, np.where(TO_CUT_MM < 6.1, 450, 180)).astype(np.float32)
INNER = (np.hypot(AT_U + 28, AT_V) < RADIUS_MM - 6)[0][np.arange(-60, 10) <= 0]


def endplates_under(cement: NDArray[np.bool_], cuts: Cuts = CUTS) -> Endplates:
    hu = np.where(cement, np.float32(2000), COLUMN)
    straight = Straight(hu, np.arange(-60.0, 10), np.arange(-40.0, 41))
    return find_endplates(straight, cement, WALL, OUTLINE, cuts, Densities(50.0, 200.0))


def test_a_disc_full_of_cement_is_as_high_as_the_discs_around() -> None:
    """All that is seen of it is its ossified rim, where it has no height."""
    full = (np.abs(S - 75) < 10) & (FROM_MIDDLE_MM < RADIUS_MM - 4)
    plates = endplates_under(full)
    heights = [float((plates.above[at] - plates.below[at])[INNER].mean()) for at in range(5)]
    assert heights[0] > 7
    assert abs(heights[2] - heights[1]) < 1


def test_what_is_seen_of_a_disc_beside_cement_says_how_high_it_is() -> None:
    """A disc half as high again as the others, with no bone at its rim, of which cement hides a third."""
    high = np.abs(S - 75) < 6.1
    plate = (np.abs(S - 75) < 8.1) & ~high
    hu = np.where(high, np.float32(70), np.where(plate, np.float32(450), COLUMN))
    cement = (np.abs(S - 75) < 10) & (FROM_MIDDLE_MM < RADIUS_MM - 4) & (AT_V > 5)
    straight = Straight(np.where(cement, np.float32(2000), hu), np.arange(-60.0, 10), np.arange(-40.0, 41))
    plates = find_endplates(straight, cement, WALL, OUTLINE, CUTS, Densities(50.0, 200.0))
    hidden = INNER & (np.arange(-40, 41) > 7)
    assert (plates.above[2] - plates.below[2])[hidden].mean() > 10


def test_a_disc_that_cement_hides_is_told_as_unsure_unless_what_is_left_of_it_is_clear() -> None:
    full = (np.abs(S - 75) < 10) & (FROM_MIDDLE_MM < RADIUS_MM - 4)
    half, small = full & (AT_V > -3), full & (AT_V > 6)
    faint = Cuts(CUTS.s_mm, CUTS.tilt_deg, np.array([1.0, 1.0, 0.3, 1.0, 0.3]), 0.0)
    assert endplates_under(full).unsure_discs(CUTS) == [2]
    assert endplates_under(half, faint).unsure_discs(faint) == [2]
    assert endplates_under(half).unsure_discs(CUTS) == []
    assert endplates_under(small, faint).unsure_discs(faint) == []
