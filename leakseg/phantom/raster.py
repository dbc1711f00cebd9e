"""From solids to voxels: distances sampled on a grid, cover fractions with honest partial volume.

The *fine grid* divides each voxel of a scan into whole numbers of parts no longer than a wanted step, so
that averages over parts are exact partial volumes of the scan's voxels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray, Grid
from leakseg.phantom.solids import Solid

Window = tuple[slice, slice, slice]
_RAMP = 0.6


def fine_grid(grid: Grid, step_mm: float) -> tuple[Grid, tuple[int, int, int]]:
    """The grid whose voxels divide those of ``grid`` into parts of at most ``step_mm``, and the factors."""
    first, second, third = (max(1, int(np.ceil(mm / step_mm - 1e-6))) for mm in grid.spacing_mm)
    factors = (first, second, third)
    affine = grid.affine.copy()
    affine[:3, :3] = grid.affine[:3, :3] / factors
    affine[:3, 3] = grid.to_patient([(1 / factor - 1) / 2 for factor in factors])
    shape = tuple(size * factor for size, factor in zip(grid.shape, factors, strict=True))
    return Grid((shape[0], shape[1], shape[2]), affine, grid.frame_of_reference_uid), factors


def refine(array: NDArray[Any], factors: tuple[int, int, int]) -> NDArray[Any]:
    """Each voxel repeated over its parts."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            array = np.repeat(array, factor, axis=axis)
    return array


def coarsen(array: NDArray[Any], factors: tuple[int, int, int]) -> NDArray[np.float32]:
    """Mean over each voxel's parts, float32."""
    array = np.asarray(array, dtype=np.float32)
    for axis in (2, 1, 0):
        factor = factors[axis]
        if factor == 1:
            continue
        pick: list[slice] = [slice(None)] * 3
        total = np.zeros((*array.shape[:axis], array.shape[axis] // factor, *array.shape[axis + 1 :]), np.float32)
        for part in range(factor):
            pick[axis] = slice(part, None, factor)
            total += array[tuple(pick)]
        array = total * np.float32(1 / factor)
    return array


def window_of(grid: Grid, solid: Solid, margin_mm: float = 1.0) -> Window | None:
    """Part of the grid that holds the solid; None where the solid lies wholly beside the grid."""
    low, high = solid.box()
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    index = grid.to_index(corners)
    margin = margin_mm / np.asarray(grid.spacing_mm)
    start = np.maximum(np.floor(index.min(axis=0) - margin), 0).astype(int)
    stop = np.minimum(np.ceil(index.max(axis=0) + margin) + 1, grid.shape).astype(int)
    if (stop <= start).any():
        return None
    return (slice(start[0], stop[0]), slice(start[1], stop[1]), slice(start[2], stop[2]))


def points_of(grid: Grid, window: Window | None = None) -> FloatArray:
    """Patient points ``(k, j, i, 3)`` of the grid's voxel centres, in a window of it where given."""
    part = grid if window is None else grid.crop(window)
    k, j, i = (np.arange(size, dtype=np.float64) for size in part.shape)
    affine = part.affine
    return np.asarray(
        affine[:3, 3]
        + k[:, None, None, None] * affine[:3, 0]
        + j[None, :, None, None] * affine[:3, 1]
        + i[None, None, :, None] * affine[:3, 2],
        dtype=np.float64,
    )


def cover(distance_mm: NDArray[Any], grid: Grid) -> NDArray[np.float32]:
    """Cover fraction of each voxel from the signed distance at its centre.

    Linear over 0.6 of a voxel's mean width: a wider ramp makes small round things too large (a ball of radius r
    and a ramp w by w²/4r²), a narrower one makes them jitter with where they lie.
    """
    width = _RAMP * grid.voxel_volume_mm3 ** (1 / 3)
    return np.asarray(np.clip(0.5 - np.asarray(distance_mm, dtype=np.float32) / np.float32(width), 0.0, 1.0))


def distance_near(solid: Solid, grid: Grid, window: Window, within_mm: float = 1.2) -> NDArray[np.float32]:
    """Signed distances in a window, worked out where the solid is at most ``within_mm`` away; far voxels hold 99.

    A look at every third voxel tells which those are, for distances change no faster than place does.
    """
    points = points_of(grid, window)
    step = 3
    if min(points.shape[:3]) <= step:
        return np.asarray(solid.distance_mm(points), dtype=np.float32)
    coarse = solid.distance_mm(points[1::step, 1::step, 1::step])
    reach = within_mm + 1.3 * step * float(np.linalg.norm(grid.spacing_mm)) / 2
    close = coarse < reach
    for axis in range(3):
        close = np.repeat(close, step, axis=axis)
    missing = [(0, max(full - have, 0)) for full, have in zip(points.shape[:3], close.shape, strict=True)]
    close = np.pad(close, missing, mode="edge")[: points.shape[0], : points.shape[1], : points.shape[2]]
    found = np.full(points.shape[:3], 99.0, np.float32)
    found[close] = solid.distance_mm(points[close])
    return found
