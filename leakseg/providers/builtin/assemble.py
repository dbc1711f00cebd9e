"""Masks on the scan's own grid from those on the fine block."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import Grid
from leakseg.providers.builtin.working import Block


def onto_grid(array: NDArray[Any], block: Block, grid: Grid) -> NDArray[Any]:
    """An array of the block on the scan's grid by nearest neighbour; zero outside the block."""
    out = np.zeros(grid.shape, array.dtype)
    targets: list[slice] = []
    for axis in (2, 1, 0):  # whole rows and sections are copied at last
        index = np.rint((np.arange(grid.shape[axis]) * grid.spacing_mm[axis] - block.origin_mm[axis]) / block.step_mm)
        inside = np.flatnonzero((index >= 0) & (index < array.shape[axis]))
        targets.insert(0, slice(int(inside[0]), int(inside[-1]) + 1))
        array = np.take(array, index[inside].astype(np.int64), axis=axis)
    out[tuple(targets)] = array
    return out
