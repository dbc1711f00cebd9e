"""What is as dense at the same place of the other side: sclerotic bone is, and cement seldom leaks so alike."""

from __future__ import annotations

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, maximum_filter

from leakseg.providers.builtin.frames import Frames, to_canal
from leakseg.providers.builtin.working import Block

PLAY_MM = 3.0
"""The two sides of a vertebra lie alike to so much."""
ALIKE_SHARE = 0.85
"""The other side is as dense as a piece where it reaches this share of the piece's median above soft tissue."""


def alike_on_both_sides(
    mask: NDArray[np.bool_], block: Block, frames: Frames, soft_hu: float, most_hu: float
) -> NDArray[np.bool_]:
    """Those pieces of a mask on the block whose mirror image about the canal is as dense as they are.

    But for those of a median above ``most_hu``: needles leave tracks on both sides.
    """
    pieces = cc3d.connected_components(mask, connectivity=26).astype(np.int32)
    alike = np.zeros(mask.shape, bool)
    for number, box in enumerate(find_objects(pieces), start=1):
        own = pieces[box] == number
        median_hu = np.median(block.hu[box][own])
        if median_hu > most_hu:
            continue
        index = np.argwhere(own) + [side.start for side in box]
        other_hu = _densest_near(_mirrored(index, block, frames), block)
        if np.median(other_hu) - soft_hu >= ALIKE_SHARE * (median_hu - soft_hu):
            alike[box] |= own
    return alike


def _mirrored(index: NDArray[np.int64], block: Block, frames: Frames) -> NDArray[np.int64]:
    """Where voxels ``(M, 3)`` come to lie on the other side of the canal, at the block's rim if beyond it."""
    points_mm = index * block.step_mm + block.origin_mm
    suv = to_canal(frames, points_mm)
    row = np.clip(np.rint(suv[:, 0]), 0, len(frames) - 1).astype(np.int64)
    mirrored = np.rint(block.to_index(points_mm - 2.0 * suv[:, 2:] * frames.left[row])).astype(np.int64)
    return np.clip(mirrored, 0, np.array(block.hu.shape) - 1)


def _densest_near(index: NDArray[np.int64], block: Block) -> NDArray[np.float32]:
    """``(M,)`` the highest HU within `PLAY_MM` of voxels ``(M, 3)``."""
    play = round(PLAY_MM / block.step_mm)
    low, high = np.maximum(index.min(axis=0) - play, 0), index.max(axis=0) + play + 1
    room = block.hu[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    return np.asarray(maximum_filter(room, 2 * play + 1)[tuple((index - low).T)])
