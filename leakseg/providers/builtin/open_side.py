"""Cement that drawn bone closes round, but that is open to the canal from the side: it lies in a foramen."""

from __future__ import annotations

import cc3d
import numpy as np
from numpy.typing import NDArray

from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.frames import Frames, to_canal
from leakseg.providers.builtin.working import Block

LEAST_MM3 = 10.0
OPEN_SHARE = 0.5
"""So much of a piece sees the canal. Measured on real scans with cement put in: of 12 pieces that leaked 7 reach it, of
12 inside bone one, beside a calcified disc."""
LOOKS = 60


def open_to_canal(
    filled: NDArray[np.bool_], bone: NDArray[np.bool_], block: Block, frames: Frames, wall: Wall
) -> NDArray[np.bool_]:
    """Those pieces of cement of which most lies behind the canal's front, with no bone between it and the canal.

    ``filled`` is cement that vertebrae took in beside their bodies, ``bone`` what was theirs before; on the block.
    """
    if not filled.any():
        return filled
    pieces = cc3d.connected_components(filled, connectivity=26)
    index = np.argwhere(filled)
    owner = pieces[filled]
    points_mm = index * block.step_mm + block.origin_mm
    suv = to_canal(frames, points_mm)
    row = np.clip(np.rint(suv[:, 0]).astype(np.int64), 0, len(frames) - 1)
    sees = suv[:, 1] > -wall.front_mm[row]
    for share in np.arange(1, LOOKS) / LOOKS:
        at = np.rint(block.to_index(points_mm + share * (frames.points_mm[row] - points_mm))).astype(np.int64)
        sees &= ~bone[tuple(np.clip(at, 0, np.array(bone.shape) - 1).T)]
    size, seen = np.bincount(owner), np.bincount(owner, weights=sees)
    taken = (seen >= OPEN_SHARE * size) & (size * block.step_mm**3 >= LEAST_MM3)
    taken[0] = False
    return np.asarray(taken[pieces], dtype=bool)
