"""Cement beside the canal, in the foramina: denser than the same place of the patient's other levels and other side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, maximum_filter

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import Frames, Straight, to_canal
from leakseg.providers.builtin.levels import Cuts
from leakseg.providers.builtin.posterior import level_heights
from leakseg.providers.builtin.working import Block, Image
from leakseg.reach import pieces_of

OUTWARD_MM, BACK_MM = np.arange(0.0, 16.0), np.arange(-4.0, 16.0)
"""Looked at: from the canal's side outward, and from the posterior wall of the bodies backward."""
PLAY_MM = 2
"""The levels and sides of one patient differ by so much: bone within reach counts as bone at the place."""
LEVELS_AWAY, LEAST_OTHERS = 2, 3
USUAL_PERCENT = 75.0
"""Of the other levels one in four may hold cement there, too; the other side of the level itself counts whole."""
UNLIKE_HU = 150.0
"""Cement is so much denser than its place usually is; facets and ribs of one side differ by more now and then, far
from cement, in some 100 mm3 of each scan of thoracic_dicom."""
LEAST_ABOVE_SOFT_HU = 450.0
TREATED_MM3 = 200.0
"""Levels with so much cement, and their neighbours, are looked at."""
LEAST_MM3, RIM_VOXELS = 15.0, 2


def cement_in_foramina(
    block: Block,
    straight: Straight,
    frames: Frames,
    wall: Wall,
    cuts: Cuts,
    densities: Densities,
    cement: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Voxels of the block too dense for their place beside the canal, with their dense rim.

    ``cement`` on the block, and ``hidden``, the same shaped as the straightened scan, were found before: they tell
    which levels were treated, and nothing of what is usual; what they touch is their own rim.
    """
    found = np.zeros(block.hu.shape, bool)
    if not cement.any():
        return found
    least_hu = densities.soft_hu + LEAST_ABOVE_SOFT_HU
    index = np.argwhere((block.hu > least_hu) & ~binary_dilation(cement, iterations=RIM_VOXELS))
    suv = to_canal(frames, index * block.step_mm + block.origin_mm)
    row = np.rint(suv[:, 0]).astype(np.int64)
    left = (suv[:, 2] > 0).astype(np.int64)
    inside = (row >= 0) & (row < len(frames))
    row = np.clip(row, 0, len(frames) - 1)
    outward = np.rint(np.abs(suv[:, 2]) - _sides(wall)[left, row] - OUTWARD_MM[0]).astype(np.int64)
    back = np.rint(suv[:, 1] + wall.front_mm[row] - BACK_MM[0]).astype(np.int64)
    inside &= (outward >= 0) & (outward < len(OUTWARD_MM)) & (back >= 0) & (back < len(BACK_MM))
    usual = _usual_hu(straight, wall, cuts, hidden)
    index, place = index[inside], (left[inside], row[inside], back[inside], outward[inside])
    unlike = block.hu[tuple(index.T)] > usual[place] + UNLIKE_HU
    found[tuple(index[unlike].T)] = True
    found = pieces_of(found, LEAST_MM3 / block.step_mm**3, 1.0)
    return np.asarray(binary_dilation(found, iterations=RIM_VOXELS) & (block.hu > least_hu), dtype=bool)


def _sides(wall: Wall) -> FloatArray:
    """``(2, N)`` from the axis to the wall on the right and on the left."""
    return np.stack([wall.towards(-np.pi / 2), wall.towards(np.pi / 2)])


def _usual_hu(straight: Straight, wall: Wall, cuts: Cuts, hidden: NDArray[np.bool_]) -> Image:
    """``(2, N, back, outward)`` HU that other levels, and the other side, reach at this place; infinite where unknown.

    Sides: right, left.
    """
    places = _beside_canal(straight, wall, hidden)
    rows = np.arange(places.shape[1])
    heights = level_heights(cuts)
    tops = np.append(cuts.s_mm, cuts.s_mm[-1] + heights[-1])
    level = np.searchsorted(cuts.s_mm, rows)
    held_mm3 = np.bincount(level, weights=hidden.sum(axis=(1, 2)), minlength=len(tops))
    usual = np.full(places.shape, np.inf, np.float32)
    for number in np.flatnonzero(binary_dilation(held_mm3 > TREATED_MM3)):
        own = rows[level == number]
        down = (tops[number] - own) / heights[number]
        others = []
        for other in range(max(int(number) - LEVELS_AWAY, 0), min(int(number) + LEVELS_AWAY + 1, len(tops))):
            at = np.rint(tops[other] - down * heights[other]).astype(np.int64)
            seen = (at >= 0) & (at < len(rows))
            if other != number:
                others.append(np.where(seen[:, None, None], places[:, np.where(seen, at, 0)], np.nan))
        mirrored = places[::-1, own]
        if not others:
            continue
        others_hu = np.concatenate(others)  # (others, own rows, back, outward)
        known = np.isfinite(others_hu).sum(axis=0) >= LEAST_OTHERS
        most_hu = np.nanpercentile(np.where(known, others_hu, 0), USUAL_PERCENT, axis=0)
        usual[:, own] = np.where(known, np.fmax(most_hu, mirrored), np.inf)
    return usual


def _beside_canal(straight: Straight, wall: Wall, hidden: NDArray[np.bool_]) -> Image:
    """``(2, N, back, outward)``, right and left: the highest HU within `PLAY_MM` of each place; NaN: unknown."""
    bare = np.where(hidden, -np.inf, np.nan_to_num(straight.hu, nan=-np.inf))
    highest = maximum_filter(bare, 2 * PLAY_MM + 1)
    highest[hidden | np.isinf(highest)] = np.nan
    rows = np.arange(len(bare))[:, None, None]
    u = np.rint(BACK_MM[:, None] - wall.front_mm[:, None, None] - straight.u_mm[0])
    u = np.clip(u, 0, len(straight.u_mm) - 1).astype(np.int64)
    sides = []
    for way, side in zip((-1, 1), _sides(wall), strict=True):
        v = np.rint(way * (side[:, None, None] + OUTWARD_MM) - straight.v_mm[0])
        v = np.clip(v, 0, len(straight.v_mm) - 1).astype(np.int64)
        sides.append(highest[rows, u, v])
    return np.stack(sides).astype(np.float32)
