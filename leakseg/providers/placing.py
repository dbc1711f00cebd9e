"""Bring a mask from its own grid onto the scan's, through the affines: nearest neighbour, nothing smoothed."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import Grid

Window: TypeAlias = tuple[slice, slice, slice]
"""A block of a grid's voxels."""

_TIE = 1e-6
_MAX_DRIFT = 1e-3


def place(source: Grid, array: NDArray[Any], target: Grid) -> tuple[Window, NDArray[Any]] | None:
    """Values of ``array`` at the voxels of ``target``, for the block where the two grids overlap.

    A mask that differs from the scan only in the order or direction of its axes comes out exact.

    Parameters
    ----------
    source, array
        A grid and what stands on it, ``(K, J, I)``.
    target
        The scan's grid.

    Returns
    -------
    window, values
        The block of ``target`` and the values there, not to be written to: where the grids share their voxels, they
        are the array's own. None where the grids do not overlap.
    """
    corners = np.array([(k, j, i) for k in (0, 1) for j in (0, 1) for i in (0, 1)]) * source.shape - 0.5
    box = target.to_index(source.to_patient(corners))
    lower = np.clip(np.floor(box.min(axis=0)).astype(int), 0, target.shape)
    upper = np.clip(np.ceil(box.max(axis=0)).astype(int) + 1, 0, target.shape)
    if (upper <= lower).any():
        return None
    window = (slice(lower[0], upper[0]), slice(lower[1], upper[1]), slice(lower[2], upper[2]))
    matrix = source.inverse @ target.crop(window).affine
    shape = upper - lower
    drift = np.abs(matrix[:3, :3] - np.diag(np.diag(matrix[:3, :3]))) @ shape
    if drift.max() < _MAX_DRIFT:
        return _along_axes(array, matrix, window)
    return window, _oblique(array, matrix, shape)


def share_inside(source: Grid, mask: NDArray[Any], target: Grid) -> float:
    """Share of the mask's voxels (every so many of them) whose centres lie within the target's bounds."""
    corners = target.to_index(source.corners_mm())
    if ((corners > -0.5) & (corners < np.array(target.shape) - 0.5)).all():
        return 1.0
    found = np.flatnonzero(mask)
    points = np.stack(np.unravel_index(found[:: max(1, len(found) // 50_000)], mask.shape), axis=-1)
    index = target.to_index(source.to_patient(points))
    return float(np.all((index > -0.5 - _TIE) & (index < np.array(target.shape) - 0.5 + _TIE), axis=-1).mean())


def _along_axes(array: NDArray[Any], matrix: NDArray[np.float64], window: Window) -> tuple[Window, NDArray[Any]] | None:
    """The values and the part of the window that lies within the array; there is none outside."""
    picks, parts = [], []
    for axis, part in enumerate(window):
        index = _nearest(np.arange(part.stop - part.start) * matrix[axis, axis] + matrix[axis, 3])
        inside = np.flatnonzero((index >= 0) & (index < array.shape[axis]))
        if not len(inside):
            return None
        picks.append(index[inside])
        parts.append(slice(part.start + int(inside[0]), part.start + int(inside[-1]) + 1))
    within = (parts[0], parts[1], parts[2])
    if all((np.diff(pick) == 1).all() for pick in picks):
        return within, array[tuple(slice(int(pick[0]), int(pick[-1]) + 1) for pick in picks)]
    return within, array[np.ix_(*picks)]


def _oblique(array: NDArray[Any], matrix: NDArray[np.float64], shape: NDArray[np.int64]) -> NDArray[Any]:
    values = np.zeros(shape, array.dtype)
    rows, columns = np.meshgrid(np.arange(shape[1]), np.arange(shape[2]), indexing="ij")
    for k in range(shape[0]):
        index = [
            _nearest(row[0] * k + row[1] * rows + row[2] * columns + row[3])
            for row in (matrix[0], matrix[1], matrix[2])
        ]
        inside = np.ones(rows.shape, bool)
        for part, size in zip(index, array.shape, strict=True):
            inside &= (part >= 0) & (part < size)
        values[k][inside] = array[index[0][inside], index[1][inside], index[2][inside]]
    return values


def _nearest(index: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(index + 0.5 - _TIE).astype(np.int64)
