"""Cement inside bone, where cortex is as dense as cement and where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.criteria import CementCriteria
from leakseg.geometry import Grid
from leakseg.pieces import ScanDensities
from leakseg.stages.cement import segment_inner_cement
from leakseg.volume import Volume

SHAPE = (40, 24, 24)
UPPER = slice(20, 38)


@pytest.mark.parametrize(("cement_hu", "cortex_hu", "goes_on"), [(1100, 1300, False), (2000, 800, True)])
def test_cement_no_denser_than_cortex_is_not_followed_into_the_next_vertebra(
    cement_hu: int, cortex_hu: int, goes_on: bool
) -> None:
    """Dense matter runs from the cement of one vertebra into the next, as facets that touch let it."""
    grid = Grid(SHAPE, np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]))
    vertebrae = np.zeros(SHAPE, np.uint8)
    vertebrae[2:20, 2:22, 2:22] = VertebraLevel("T8").number
    vertebrae[UPPER, 2:22, 2:22] = VertebraLevel("T7").number
    hu = np.where(vertebrae > 0, 200, 40).astype(np.int16)
    lump = (slice(8, 14), slice(9, 15), slice(9, 15))
    hu[4:36, 11:13, 11:13] = max(cement_hu, cortex_hu)
    hu[lump] = cement_hu
    seeds = np.zeros(SHAPE, bool)
    seeds[lump] = True
    whole = (slice(0, SHAPE[0]), slice(0, SHAPE[1]), slice(0, SHAPE[2]))
    densities = ScanDensities(whole, grid, 40.0, 200.0, cortex_hu, cement_hu, seeds, np.zeros(SHAPE, bool))
    masks = SpineMasks(grid, vertebrae)
    inner = segment_inner_cement(Volume(grid, hu), masks, densities, CementCriteria())
    assert inner[lump].all()
    assert inner[UPPER].any() == goes_on
