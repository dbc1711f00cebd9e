"""Thin cement on the sides and the front of a body, in its veins: denser than the wall of that body anywhere else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.bodies import RAYS, Outline
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import Frames, to_canal
from leakseg.providers.builtin.levels import Cuts
from leakseg.providers.builtin.working import Block

WAIST_MM = 7.0
"""Nearer to the middle of a disc, spurs and sclerosis are as dense as cement."""
DENSER = 1.8
"""Cement is so much denser, above soft tissue, than `USUAL_PERCENT` of the wall. Measured at the waists of
verse005, thoracic_dicom and totalsegmentator_ct: no wall reaches more than 1.67, 1.57 and 1.78 times that."""
USUAL_PERCENT = 90.0
LEAST_ABOVE_SOFT_HU = 350.0
LEAST_SEEN = 200
"""Places of a wall, free of cement, that tell how dense it is."""
FORWARD = 0.3
"""Cosine, from straight back, of the rays that reach the sides and the front of a body."""
ACROSS_WALL_MM = np.arange(-2.5, 2.6, 0.5)
OUTSIDE_MM, INSIDE_MM = 6.0, 3.0
"""So far outside and inside the outline strands are sought."""
LEAST_MM3 = 15.0


def strands_on_bodies(
    block: Block, cement: NDArray[np.bool_], frames: Frames, outline: Outline, cuts: Cuts, densities: Densities
) -> NDArray[np.bool_]:
    """Voxels of the block that are too dense for the wall of the body they lie on, with their blurred rim.

    ``cement``, shaped as the block, is what was found before; beside it no wall is judged.
    """
    import cc3d

    least_hu = _least_hu(block, cement, frames, outline, cuts, densities)  # (N,)
    dense = block.hu > least_hu.min()
    index = np.argwhere(dense)
    dense[:] = False
    if len(index):
        suv = to_canal(frames, index * block.step_mm + block.origin_mm)
        row = np.rint(suv[:, 0]).astype(np.int64)
        within = (row >= 0) & (row < len(frames))
        row = np.clip(row, 0, len(frames) - 1)
        deep = outline.depth(suv)
        within &= (deep > -OUTSIDE_MM) & (deep < INSIDE_MM)
        du = suv[:, 1] - outline.middle_u_mm[row]
        within &= du < FORWARD * np.hypot(du, suv[:, 2])
        within &= block.hu[tuple(index.T)] > least_hu[row]
        dense[tuple(index[within].T)] = True
    pieces = cc3d.connected_components(dense, connectivity=26)
    kept = np.bincount(pieces.ravel()) * block.step_mm**3 >= LEAST_MM3
    kept[0] = False
    return np.asarray(binary_dilation(kept[pieces]), dtype=bool)


def _least_hu(
    block: Block, cement: NDArray[np.bool_], frames: Frames, outline: Outline, cuts: Cuts, densities: Densities
) -> FloatArray:
    """``(N,)`` HU that cement on the body of each section is denser than; infinite near discs and where none tells."""
    N = len(frames)
    angles = 2 * np.pi * np.arange(RAYS) / RAYS
    angles = angles[np.cos(angles) < FORWARD]
    radius = outline.radius_mm[:, np.cos(2 * np.pi * np.arange(RAYS) / RAYS) < FORWARD]
    radius = radius[..., None] + ACROSS_WALL_MM
    u = outline.middle_u_mm[:, None, None] + np.cos(angles)[:, None] * radius
    places = frames.place(u, np.sin(angles)[:, None] * radius)
    peak = (block.sample(places) - densities.soft_hu).max(axis=2)
    peak[(block.sample(places, cement.astype(np.float32)) > 0).any(axis=2)] = np.nan
    rows = np.arange(N)
    waist = np.abs(rows[:, None] - cuts.s_mm).min(axis=1) > WAIST_MM
    level = np.searchsorted(cuts.s_mm, rows)
    out = np.full(N, np.inf)
    for number in np.unique(level):
        own = waist & (level == number)
        wall = peak[own]
        wall = wall[np.isfinite(wall)]
        if len(wall) >= LEAST_SEEN:
            usual = float(np.percentile(wall, USUAL_PERCENT))
            out[own] = densities.soft_hu + max(LEAST_ABOVE_SOFT_HU, DENSER * usual)
    return out
