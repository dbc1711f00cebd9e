"""Seeds of every vertebra: its body, its pedicles, its laminae; and of what is no vertebra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.bodies import Outline
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import Straight
from leakseg.providers.builtin.levels import Cuts
from leakseg.providers.builtin.plates import Endplates, cut_plane

OTHER = 250
"""Label of bone that belongs to no vertebra: ribs, ilium."""
FARTHEST_SPUR_MM = 6.0
"""Farther before a body, what is as bright as bone is a vessel, its calcified wall, or leaked cement."""
USUAL_GAP, CLEAR_OF_OPEN_MM = 0.17, 4.0
"""The gap between two laminae lies this share of a level's height below the disc; where the disc is only guessed from
the heights below, farther up by the second."""
FARTHEST_DISC_MM = 12.0
"""Farther beyond the last endplate in view, what shows is another vertebra, and none that is drawn."""
OPEN_SHARE = 1.15
"""A level without a cut at its far end is followed this many heights of its neighbour."""


@dataclass(frozen=True, eq=False)
class Column:
    """The front column at voxels ``(M,)``: number of the level (from 1, caudal first), 0 outside or in a disc."""

    body: NDArray[np.uint8]
    disc: NDArray[np.bool_]
    interval: NDArray[np.uint8]
    """Number of the level whose cuts enclose the voxel, anywhere."""
    depth: NDArray[np.float32]
    """Millimetres inside the outline of the bodies; far outside, just very negative."""


def sort_column(suv: NDArray[np.float32], wall: Wall, outline: Outline, endplates: Endplates, cuts: Cuts) -> Column:
    """Body or disc, and of which level, for points ``(M, 3)`` in canal coordinates."""
    interval = (np.searchsorted(cuts.s_mm, suv[:, 0]) + 1).astype(np.uint8)
    for number, (s, tilt) in enumerate(zip(cuts.s_mm, cuts.tilt_deg, strict=True)):
        if tilt:
            close = np.flatnonzero(np.abs(suv[:, 0] - s) < 25)
            above = suv[close, 0] > cut_plane(s, tilt, wall, suv[close, 1])
            interval[close] = np.where(
                above, np.maximum(interval[close], number + 2), np.minimum(interval[close], number + 1)
            )
    last = len(wall.radius_mm) - 1
    row = np.clip(np.rint(suv[:, 0]).astype(np.int64), 0, last)
    depth = np.full(len(suv), -99, np.float32)
    front = np.flatnonzero((suv[:, 1] < 4) & (np.abs(suv[:, 2]) < 48))
    depth[front] = outline.depth(suv[front])
    inside = (depth > 0) & (suv[:, 1] < -wall.front_mm[row]) & (suv[:, 0] >= 0) & (suv[:, 0] <= last)
    heights = level_heights(cuts)
    inside &= suv[:, 0] > cuts.s_mm[0] - OPEN_SHARE * heights[0]
    inside &= suv[:, 0] < cuts.s_mm[-1] + OPEN_SHARE * heights[-1]
    disc = np.zeros(len(suv), bool)
    at = np.flatnonzero(inside)
    for number, s in enumerate(cuts.s_mm):
        close = at[np.abs(suv[at, 0] - s) < 25]
        points = suv[close]
        low, high = endplates.at(endplates.below[number], points), endplates.at(endplates.above[number], points)
        disc[close] |= (points[:, 0] > low) & (points[:, 0] < high)
    beyond = np.zeros(len(at), bool)
    if endplates.lowest is not None:
        below = np.minimum(endplates.at(endplates.lowest, suv[at]), cuts.s_mm[0])
        beyond |= suv[at, 0] < below
        disc[at] |= (suv[at, 0] < below) & (suv[at, 0] > below - FARTHEST_DISC_MM)
    if endplates.highest is not None:
        above = np.maximum(endplates.at(endplates.highest, suv[at]), cuts.s_mm[-1])
        beyond |= suv[at, 0] > above
        disc[at] |= (suv[at, 0] > above) & (suv[at, 0] < above + FARTHEST_DISC_MM)
    inside[at[beyond & ~disc[at]]] = False
    return Column(np.where(inside & ~disc, interval, 0).astype(np.uint8), disc & inside, interval, depth)


def interlaminar_gaps(straight: Straight, wall: Wall, cuts: Cuts, densities: Densities) -> FloatArray:
    """``(C,)`` s of the gap between the laminae of the levels above and below each cut, at the midline."""
    N = len(straight.hu)
    central = np.abs(straight.v_mm) < 7
    behind = wall.towards(0.0)[:, None] + np.arange(0, 11)
    index = np.clip(np.rint(behind - straight.u_mm[0]).astype(np.int64), 0, len(straight.u_mm) - 1)
    hu = np.nan_to_num(straight.hu[np.arange(N)[:, None], index][:, :, central], nan=densities.soft_hu)
    profile = gaussian_filter1d(np.clip(hu - densities.soft_hu, 0, 400).mean(axis=(1, 2)), 1.5)
    scale = max(float(np.percentile(profile, 80)), 40.0)
    heights = level_heights(cuts)
    out = []
    for number, s in enumerate(cuts.s_mm):
        share = np.arange(-0.05, 0.40, 0.02)
        at = s - share * heights[number]
        cost = np.interp(at, np.arange(N), profile) / scale + 6 * (share - USUAL_GAP) ** 2
        out.append(float(at[cost.argmin()]))
    return np.array(out)


def level_heights(cuts: Cuts) -> FloatArray:
    """``(C + 1,)`` height of each level; the two open ones as high as their neighbours."""
    gaps = np.diff(cuts.s_mm)
    if len(gaps) == 0:
        return np.full(len(cuts.s_mm) + 1, 30.0)
    return np.concatenate([gaps[:1], gaps, gaps[-1:]])


def plant_seeds(
    suv: NDArray[np.float32],
    bone: NDArray[np.bool_],
    column: Column,
    wall: Wall,
    cuts: Cuts,
    gaps: FloatArray,
    half_width_mm: FloatArray,
    rib_bearing: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Seed label of each point: number of its level, `OTHER` for ribs and ilium, 0 for none."""
    s, u, v = suv.T
    side = np.abs(v)
    last = len(wall.radius_mm) - 1
    row = np.clip(np.rint(s).astype(np.int64), 0, last)
    inside = (s >= 0) & (s <= last)
    seeds = column.body.copy()
    heights = level_heights(cuts)
    tops = np.append(cuts.s_mm, (cuts.s_mm[-1] if len(cuts.s_mm) else 0) + heights[-1])
    lateral = np.maximum(wall.towards(np.pi / 2), wall.towards(-np.pi / 2))
    beside = bone & inside & (u > -wall.front_mm[row]) & (u < 4) & (side > lateral[row] - 2) & (side < lateral[row] + 9)
    behind_by = u - wall.towards(0.0)[row]
    lamina = bone & inside & (side < 7) & (behind_by > -1) & (behind_by < 5)
    gap_below = np.concatenate([[-np.inf], gaps])
    gap_above = np.concatenate([gaps, [np.inf]])
    for number, (top, height) in enumerate(zip(tops, heights, strict=True)):
        pedicle = beside & (s < top - 0.15 * height) & (s > top - 0.55 * height)
        seeds[pedicle & (seeds == 0)] = number + 1
        arch = lamina & (s > gap_below[number] + 1.5) & (s < gap_above[number] - 1.5)
        seeds[arch & (seeds == 0)] = number + 1
    beyond = tops[-1] - USUAL_GAP * heights[-1] + CLEAR_OF_OPEN_MM  # the arch above the uppermost level drawn
    seeds[(lamina | beside) & (s > beyond) & (seeds == 0)] = OTHER
    ribbed = rib_bearing[np.minimum(column.interval, len(rib_bearing)) - 1]
    width = np.clip(half_width_mm, 12, 28)[row]
    foreign = side > np.where(ribbed, 38.0, 54.0)
    foreign |= (u < -wall.front_mm[row] - 4) & (side > width + 14)
    foreign |= (u < -wall.front_mm[row] - width) & (column.depth < -FARTHEST_SPUR_MM)
    # the neck of a rib runs in front of the transverse process, from the side of the body outward and backward
    neck = ribbed & (side > width + 2) & (u < 0.65 * side - 17) & (column.depth < -2.5)
    seeds[bone & (column.body == 0) & (foreign | neck)] = OTHER
    return seeds
