"""The canal's section where masks do not give it whole: rays out to bone, and thin gaps closed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray

_ANGLES = 72
_MAX_RADIUS_MM = 20.0
_LOCAL_MM = 25.0
_OPEN_RATIO = 1.1
"""A ray this much longer than the shorter quarter of its neighbours within 25 mm looks out of a foramen."""


def section_from_rays(
    bone: NDArray[np.bool_], core: NDArray[np.bool_], step_mm: float, u: FloatArray, v: FloatArray
) -> NDArray[np.bool_]:
    """The canal round a cord: in each section rays run from the line to bone.

    Rays that escape through a foramen or a disc take the wall of the nearest sections that show it; sections
    that no cord reaches stay empty.

    Parameters
    ----------
    bone, core
        ``(S, U, V)`` bone of any vertebra, and the cord.
    step_mm, u, v
        The lattice: its step, and node positions along u and v with the line at (0, 0).
    """
    from scipy.ndimage import gaussian_filter1d, median_filter, percentile_filter

    angles = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
    radii = np.arange(step_mm, _MAX_RADIUS_MM, step_mm / 2)
    j = np.rint((radii[None, :] * np.cos(angles)[:, None] - u[0]) / step_mm).astype(int)
    i = np.rint((radii[None, :] * np.sin(angles)[:, None] - v[0]) / step_mm).astype(int)
    hit = bone[:, j, i]
    wall = np.where(hit.any(axis=2), radii[np.argmax(hit, axis=2)], np.nan)
    rows = np.arange(len(bone))
    with_cord = core.any(axis=(1, 2))
    for angle in range(_ANGLES):
        ray = wall[:, angle]
        closed = np.where(np.isfinite(ray), ray, _MAX_RADIUS_MM)
        typical = percentile_filter(closed, 25, size=2 * round(_LOCAL_MM / step_mm) + 1, mode="nearest")
        ray = np.where(closed > _OPEN_RATIO * typical, np.nan, closed)
        ray = np.where(closed >= _MAX_RADIUS_MM, np.nan, ray)
        known = np.isfinite(ray)
        wall[:, angle] = np.interp(rows, rows[known], ray[known]) if known.any() else np.nan
    wall = np.where(np.isnan(wall), np.nanmedian(wall), wall)
    wall = median_filter(np.concatenate([wall, wall, wall], axis=1), (5, 3), mode="nearest")[:, _ANGLES : 2 * _ANGLES]
    wall = gaussian_filter1d(wall, 1.0, axis=1, mode="wrap")
    turn = np.mod(np.arctan2(v[None, :], u[:, None]), 2 * np.pi) / (2 * np.pi) * _ANGLES
    nearest = np.rint(turn).astype(int) % _ANGLES
    distance = np.hypot(u[:, None], v[None, :])
    canal = (distance[None] < wall[:, nearest]) & ~bone
    canal[~with_cord] = False
    return np.asarray(canal)


def close_to_bone(canal: NDArray[np.bool_], bone: NDArray[np.bool_], step_mm: float) -> NDArray[np.bool_]:
    """Give the canal the thin gaps (up to 1.5 mm) that a mask leaves between it and the bone round it."""
    from scipy.ndimage import binary_closing, binary_dilation

    steps = max(1, round(0.75 / step_mm))
    closed = binary_closing(np.pad(canal | bone, 4), iterations=steps)[4:-4, 4:-4, 4:-4] & ~bone
    near = binary_dilation(canal, iterations=2 * steps)
    return np.asarray(canal | (closed & near))


def close_in_plane(canal: NDArray[np.bool_], bone: NDArray[np.bool_], pixel_mm: float) -> NDArray[np.bool_]:
    """The same slice by slice, for masks: corners between wall, pedicle and canal belong to the canal."""
    from scipy.ndimage import binary_closing, binary_dilation

    plane = np.array([[[False, True, False], [True, True, True], [False, True, False]]])
    steps = max(1, round(1.0 / pixel_mm))
    padded = np.pad(canal | bone, ((0, 0), (4, 4), (4, 4)))
    closed = binary_closing(padded, structure=plane, iterations=steps)[:, 4:-4, 4:-4] & ~bone
    near = binary_dilation(canal, structure=plane, iterations=2 * steps)
    return np.asarray(canal | (closed & near))
