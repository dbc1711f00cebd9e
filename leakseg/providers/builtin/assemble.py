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
    targets, sources = [], []
    for size, spacing, origin, length in zip(grid.shape, grid.spacing_mm, block.origin_mm, array.shape, strict=True):
        index = np.rint((np.arange(size) * spacing - origin) / block.step_mm).astype(np.int64)
        inside = np.flatnonzero((index >= 0) & (index < length))
        targets.append(slice(int(inside[0]), int(inside[-1]) + 1))
        sources.append(index[inside])
    out[tuple(targets)] = array[np.ix_(*sources)]
    return out
