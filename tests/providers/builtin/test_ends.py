"""The open levels end at the disc beyond them where that shows, and nowhere where it does not."""

from __future__ import annotations

import numpy as np

from leakseg.providers.builtin.canal import RAYS, Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.ends import End, find_ends
from leakseg.providers.builtin.frames import Straight
from leakseg.providers.builtin.levels import Cuts

DENSITIES = Densities(40.0, 170.0)
LENGTH, GAP = 122, 32
CUTS = Cuts(np.array([38.0, 70, 102]), np.zeros(3), np.ones(3), 3.0)
U, V = np.arange(-60.0, 10), np.arange(-40.0, 41)
WALL = Wall(2 * np.pi * np.arange(RAYS) / RAYS, np.full((LENGTH, RAYS), 8.0), np.ones(LENGTH), np.ones(LENGTH))


def ends(discs: list[int], *, marrow_hu: float = 150) -> tuple[End | None, End | None]:
    """Of a straight column with discs of 8 mm between endplates of 2 mm."""
    hu = np.full(LENGTH, marrow_hu)
    for middle in discs:
        hu[max(middle - 6, 0) : max(middle + 7, 0)] = 500
        hu[max(middle - 4, 0) : max(middle + 5, 0)] = 60
    whole = np.broadcast_to(hu[:, None, None], (LENGTH, len(U), len(V))).astype(np.float32)
    return find_ends(Straight(whole, U, V), WALL, CUTS, DENSITIES, np.zeros(whole.shape, bool))


def test_the_disc_below_the_lowest_body_ends_it() -> None:
    lowest, highest = ends([6, 38, 70, 102])
    assert lowest is not None
    assert 2 <= lowest.s_mm <= 10
    assert highest is None  # the scan ends within the body


def test_a_body_that_the_scan_cuts_off_has_no_end() -> None:
    assert ends([38, 70, 102]) == (None, None)


def test_marrow_as_dark_as_the_disc_is_no_end() -> None:
    lowest, _ = ends([6, 38, 70, 102], marrow_hu=60)
    assert lowest is not None
    assert lowest.s_mm <= 10


def test_what_falls_off_at_the_very_rim_of_the_scan_is_no_disc() -> None:
    assert ends([-2, 38, 70, 102])[0] is None
