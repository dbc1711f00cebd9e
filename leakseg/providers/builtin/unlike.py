"""What is denser than its place usually is: than the same place of the patient's other levels and of the other side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cc3d
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

PLAY_MM = 2
"""The levels and sides of one patient differ by so much: bone within reach counts as bone at the place."""
LEVELS_AWAY, LEAST_OTHERS = 2, 6
"""Of up to eight: four levels, two sides. Facets of the lumbosacral joint and of a view's last levels stand alone."""
USUAL_PERCENT = 75.0
"""Of the other levels one in four may hold cement there, too; the other side of the level itself counts whole."""
UNLIKE_HU, PLAINLY_UNLIKE_HU = 150.0, 450.0
"""Cement is so much denser than its place usually is, and somewhere in it plainly so; facets and ribs of one side
differ by 150 HU now and then in some cm3 of one scan, by 450 HU in a few voxels."""
CEMENT_PERCENT = 90.0
"""Of the cement found elsewhere in this scan: what is plainly unlike its place reaches a share of it."""
LEAST_PLAIN_MM3 = 5.0
"""There is so much of it in a leak; 0 to 4 mm3 were met in facets and ribs' heads, 8 to 54 in most leaks."""
LEAST_ABOVE_SOFT_HU = 450.0
"""Looked at at all; less dense matter is no cement that the drawing of bone would take in."""
TREATED_MM3 = 200.0
"""Levels with so much cement, and their neighbours, are looked at."""
LEAST_MM3, RIM_VOXELS = 15.0, 2
"""The least piece, and how far its blurred rim goes. All are conventions, weighed on cement put into the real scans."""


class Room(NamedTuple):
    """Where is looked: in mm from the canal's side ``outward``, and from the posterior wall of the bodies ``back``.

    ``least_share``: how dense cement there is at least, of the cement found elsewhere. ``muscle``: only places where
    the patient's other levels and other side hold no bone are looked at.
    """

    outward_mm: FloatArray
    back_mm: FloatArray
    least_share: float
    muscle: bool


@dataclass(frozen=True, eq=False)
class Known:
    """A scan straightened along its canal, and the cement found in it so far: on the block, and straightened.

    Cement tells which levels were treated, and nothing of what is usual; what touches it is its own rim.
    """

    block: Block
    straight: Straight
    frames: Frames
    wall: Wall
    cuts: Cuts
    densities: Densities
    cement: NDArray[np.bool_]
    hidden: NDArray[np.bool_]


def unlike_its_place(known: Known, room: Room) -> NDArray[np.bool_]:
    """Voxels of the block too dense for their place, with their dense rim, by hysteresis."""
    block, cement, densities = known.block, known.cement, known.densities
    if not cement.any():
        return np.zeros(block.hu.shape, bool)
    least_hu = densities.soft_hu + LEAST_ABOVE_SOFT_HU
    asked = (block.hu > least_hu) & ~binary_dilation(cement, iterations=RIM_VOXELS)
    usual_hu = _usual_hu(known, room)
    if room.muscle:
        usual_hu[usual_hu > densities.bone_hu] = np.inf
    excess_hu = _excess_hu(known, asked, room, usual_hu)
    dense_hu = room.least_share * np.percentile(block.hu[cement], CEMENT_PERCENT)
    plain = (excess_hu > PLAINLY_UNLIKE_HU) & (block.hu > dense_hu)
    pieces = cc3d.connected_components(excess_hu > UNLIKE_HU, connectivity=26)
    mm3, plain_mm3 = (
        np.bincount(part, minlength=pieces.max() + 1) * block.step_mm**3 for part in (pieces.ravel(), pieces[plain])
    )
    kept = (mm3 >= LEAST_MM3) & (plain_mm3 >= LEAST_PLAIN_MM3)
    kept[0] = False  # what is like its place
    return np.asarray(binary_dilation(kept[pieces], iterations=RIM_VOXELS) & (block.hu > least_hu), dtype=bool)


def _excess_hu(known: Known, asked: NDArray[np.bool_], room: Room, usual_hu: Image) -> Image:
    """How much denser each voxel asked about is than its place is elsewhere; minus infinity where that is unknown."""
    block, frames, wall = known.block, known.frames, known.wall
    index = np.argwhere(asked)
    suv = to_canal(frames, index * block.step_mm + block.origin_mm)
    row = np.rint(suv[:, 0]).astype(np.int64)
    left = (suv[:, 2] > 0).astype(np.int64)
    inside = (row >= 0) & (row < len(frames))
    row = np.clip(row, 0, len(frames) - 1)
    outward = np.rint(np.abs(suv[:, 2]) - _sides(wall)[left, row] - room.outward_mm[0]).astype(np.int64)
    back = np.rint(suv[:, 1] + wall.front_mm[row] - room.back_mm[0]).astype(np.int64)
    inside &= (outward >= 0) & (outward < len(room.outward_mm)) & (back >= 0) & (back < len(room.back_mm))
    at = tuple(index[inside].T)
    excess_hu = np.full(block.hu.shape, -np.inf, np.float32)
    excess_hu[at] = block.hu[at] - usual_hu[left[inside], row[inside], back[inside], outward[inside]]
    return excess_hu


def _sides(wall: Wall) -> FloatArray:
    """``(2, N)`` from the axis to the wall on the right and on the left."""
    return np.stack([wall.towards(-np.pi / 2), wall.towards(np.pi / 2)])


def _usual_hu(known: Known, room: Room) -> Image:
    """``(2, N, back, outward)`` HU that other levels, and the other side, reach at this place; infinite where unknown.

    Sides: right, left.
    """
    cuts, hidden = known.cuts, known.hidden
    places = _beside_canal(known, room)
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
        if others:
            usual[:, own] = np.fmax(_most(np.concatenate(others)), places[::-1, own])
    return usual


def _most(others_hu: Image) -> Image:
    """What most of ``(O, ...)`` reach, `USUAL_PERCENT` of the known ones; infinite where too few are known."""
    count = np.isfinite(others_hu).sum(axis=0)
    ordered = np.sort(others_hu, axis=0)  # NaN last
    rank = USUAL_PERCENT / 100 * np.maximum(count - 1, 0)
    low = np.floor(rank).astype(np.int64)
    below, above = (
        np.take_along_axis(ordered, at[None], axis=0)[0] for at in (low, np.minimum(low + 1, np.maximum(count - 1, 0)))
    )
    most = below + (rank - low) * (above - below)
    return np.where(count >= LEAST_OTHERS, most, np.inf).astype(np.float32)


def _beside_canal(known: Known, room: Room) -> Image:
    """``(2, N, back, outward)``, right and left: the highest HU within `PLAY_MM` of each place; NaN: unknown."""
    straight, wall, hidden = known.straight, known.wall, known.hidden
    bare = np.where(hidden, -np.inf, np.nan_to_num(straight.hu, nan=-np.inf))
    highest = maximum_filter(bare, 2 * PLAY_MM + 1)
    highest[hidden | np.isinf(highest)] = np.nan
    rows = np.arange(len(bare))[:, None, None]
    u = np.rint(room.back_mm[:, None] - wall.front_mm[:, None, None] - straight.u_mm[0])
    u = np.clip(u, 0, len(straight.u_mm) - 1).astype(np.int64)
    sides = []
    for way, side in zip((-1, 1), _sides(wall), strict=True):
        v = np.rint(way * (side[:, None, None] + room.outward_mm) - straight.v_mm[0])
        v = np.clip(v, 0, len(straight.v_mm) - 1).astype(np.int64)
        sides.append(highest[rows, u, v])
    return np.stack(sides).astype(np.float32)
