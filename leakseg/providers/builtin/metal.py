"""Levels with screws or rods behind them: their streaks pass for bone, and hide it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.working import Block, Image

METAL_HU = 2600.0
"""Denser than bone and than nearly all cement; blur and thick slices leave screws of titanium above it [convention]."""
LEAST_METAL_MM3 = 100.0
"""Of one level: less are clips, which streak little [convention]."""
WITHIN_MM = 75.0


def levels_with_metal(block: Block, suv: Image, bottoms: FloatArray, tops: FloatArray) -> NDArray[np.bool_]:
    """``(L,)`` whether metal lies in a level's height, from ``suv`` ``(k, j, i, 3)`` of the block.

    Behind the canal's middle, where cement as dense does not come.
    """
    s, u, v = suv[block.hu > METAL_HU].T
    near = s[(u > 0) & (u < WITHIN_MM) & (np.abs(v) < WITHIN_MM)]
    voxels = [np.count_nonzero((near > low) & (near < high)) for low, high in zip(bottoms, tops, strict=True)]
    return np.asarray(np.array(voxels) * block.step_mm**3 >= LEAST_METAL_MM3)
