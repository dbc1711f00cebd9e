"""Whole vertebrae on the fine block: seeds grown through bone, each to its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, grey_closing

from leakseg.providers.builtin.axis import give_dens
from leakseg.providers.builtin.bodies import Outline
from leakseg.providers.builtin.canal import LONGEST_RAY_MM, Wall, met_late
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.fine import bone_floor
from leakseg.providers.builtin.frames import Frames, Straight, canal_field
from leakseg.providers.builtin.levels import Cuts, Signals
from leakseg.providers.builtin.open_side import open_to_canal
from leakseg.providers.builtin.partition import geodesic_partition
from leakseg.providers.builtin.pedicles import fill_pedicles
from leakseg.providers.builtin.plates import Endplates
from leakseg.providers.builtin.posterior import OTHER, interlaminar_gaps, plant_seeds, sort_column
from leakseg.providers.builtin.tidy import tidy_labels
from leakseg.providers.builtin.working import Block, Image

SIDE_MM, FRONT_MM, BACK_MM = 60.0, 62.0, 75.0
LEAK_AT_WALL_MM = 1.8
"""The wall between sections is interpolated and may be off by this much."""
LEAK_ABOVE_SOFT_HU = 900.0
PLATE_ABOVE_BONE_HU = 120.0
LONGEST_WAY = 420
"""In thirds of a millimetre of dense bone."""


@dataclass(frozen=True, eq=False)
class Shapes:
    """On the fine block: ``levels`` uint8 (number of the level, caudal first, from 1), and bool masks.

    ``bone`` is what is as dense as bone, of a vertebra or not.
    """

    levels: NDArray[np.uint8]
    canal: NDArray[np.bool_]
    bodies: NDArray[np.bool_]
    discs: NDArray[np.bool_]
    bone: NDArray[np.bool_]


def draw_vertebrae(
    block: Block,
    cement: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    spill_mm: tuple[float, ...],
    straight: Straight,
    frames: Frames,
    wall: Wall,
    signals: Signals,
    cuts: Cuts,
    outline: Outline,
    endplates: Endplates,
    densities: Densities,
    rib_bearing: NDArray[np.bool_],
    axis: int | None = None,
) -> Shapes:
    """Every vertebra with its posterior elements, the canal, the bodies and the discs.

    ``cement`` is vertebra only where it lies in the outline of a body, or enclosed by bone, and where it lies
    ``outside`` (known to have left the bone) nowhere; it brightens what lies beside it as far as ``spill_mm``, a
    standard deviation an axis. ``axis``: the level of C2, where the skull tells it.
    """
    suv = canal_field(block, frames)
    s, u, v = (suv[..., axis] for axis in range(3))
    smooth = gaussian_filter(block.hu, 0.5)
    near = (np.abs(v) < SIDE_MM) & (u > -FRONT_MM) & (u < BACK_MM) & (s > -6) & (s < len(frames) + 5)
    near &= (smooth > densities.bone_hu) | ((np.abs(v) < 34) & (u < 20) & (u > -52))
    below, above = wall.beyond_mm
    near |= (np.hypot(u, v) < LONGEST_RAY_MM) & (s > -1 - below) & (s < len(frames) + above)
    at = np.flatnonzero(near)
    points = suv.reshape(-1, 3)[at]
    del suv, s, u, v, near
    hu = smooth.ravel()[at]
    floor = bone_floor(smooth, cement, densities, (block.step_mm,) * 3).ravel()[at]
    bone = (hu - _spill(smooth, cement, spill_mm, densities).ravel()[at] > floor) & ~cement.ravel()[at]
    deep = wall.depth(points)
    canal = deep > 0
    canal |= _leaks_at_wall(block, at, deep, densities)
    column = sort_column(points, wall, outline, endplates, cuts)
    if axis is not None:
        column = give_dens(column, points, bone, wall, cuts, axis)
    gaps = interlaminar_gaps(straight, wall, cuts, densities)
    seeds = plant_seeds(points, bone & ~canal, column, wall, cuts, gaps, signals.half_width_mm, rib_bearing)
    seeds[canal] = 0
    cost = step_cost(smooth, hu, at, densities)
    plate = hu > densities.bone_hu + PLATE_ABOVE_BONE_HU  # sclerosis and spurs that the smooth endplates leave out
    axis_ends = (points[:, 0] <= -6) | (points[:, 0] >= len(frames) + 5)
    cost[~(bone | (seeds > 0)) | axis_ends | canal | (column.disc & ~(bone & plate))] = 0

    def whole(values: NDArray[np.generic]) -> NDArray[np.generic]:
        out = np.zeros(block.hu.size, values.dtype)
        out[at] = values
        return out.reshape(block.hu.shape)

    labels, _ = geodesic_partition(np.asarray(whole(seeds), np.uint8), np.asarray(whole(cost), np.uint8), LONGEST_WAY)
    labels[labels == OTHER] = 0
    before = labels > 0
    barred, disc_mask = np.asarray(whole(canal), bool) | outside, np.asarray(whole(column.disc), bool)
    labels = tidy_labels(labels, barred | disc_mask, cement)
    if cement.any():
        inner = (cement & ~outside).ravel()[at] & ~canal & ~column.disc
        labels.ravel()[at] = fill_pedicles(labels.ravel()[at], inner, points, column.interval, wall, cuts)
        taken_in = cement & (labels > 0) & ~before & (np.asarray(whole(column.body)) == 0)
        labels[open_to_canal(taken_in, before, block, frames, wall)] = 0
    dense = block.hu.ravel()[at] > densities.soft_hu + LEAK_ABOVE_SOFT_HU
    canal_mask = np.asarray(whole(canal & (dense | (deep > met_late(points)))), bool)
    bodies = (np.asarray(whole(column.body)) > 0) & (labels > 0)
    return Shapes(labels, canal_mask, bodies, disc_mask & (labels == 0), np.asarray(whole(bone), bool))


def _spill(smooth: Image, cement: NDArray[np.bool_], spill_mm: tuple[float, ...], densities: Densities) -> Image:
    """How much cement brightens what lies beside it, in HU: without this, leaked cement wears a shell of bone."""
    if not cement.any():
        return np.zeros_like(smooth)
    excess: Image = np.where(cement, smooth - np.float32(densities.soft_hu), np.float32(0))
    return np.asarray(gaussian_filter(excess, spill_mm), dtype=np.float32)


def _leaks_at_wall(
    block: Block, at: NDArray[np.int64], deep: NDArray[np.float32], densities: Densities
) -> NDArray[np.bool_]:
    """``(M,)`` cement at the canal's wall that goes on inside it: canal, for the wall there is interpolated."""
    import cc3d

    dense = (block.hu.ravel()[at] > densities.soft_hu + LEAK_ABOVE_SOFT_HU) & (deep > -LEAK_AT_WALL_MM)
    if not dense.any():
        return dense
    mask = np.zeros(block.hu.size, bool)
    mask[at[dense]] = True
    piece = cc3d.connected_components(mask.reshape(block.hu.shape), connectivity=6).ravel()[at]
    size = np.bincount(piece)
    inner = np.bincount(piece, weights=deep > 0.5)
    leak = (size * block.step_mm**3 >= 15) & (inner >= 0.4 * size)
    leak[0] = False
    return np.asarray(leak[piece], dtype=bool)


def step_cost(smooth: Image, hu: NDArray[np.float32], at: NDArray[np.int64], densities: Densities) -> NDArray[np.uint8]:
    """Price of a step into each voxel ``at``: dense bone is cheap, a thin dark valley (a joint) dear."""
    dark = np.clip((densities.soft_hu + 450 - hu) / 450, 0, 1) ** 2
    clipped = np.clip(smooth, -100, 800)
    valley = grey_closing(clipped, (5, 5, 5)).ravel()[at] - clipped.ravel()[at]  # black top-hat
    return np.asarray(np.rint(1 + 6 * dark + 15 * np.clip(valley / 120, 0, 1)), dtype=np.uint8)
