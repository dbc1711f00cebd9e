"""The bony canal's wall, section by section, from the vertebrae's rings and the canal's or cord's mask.

Where bone rings the canal its inner wall is taken; at foramina, discs and between laminae, and where a
mask is dented (cement left out of a canal mask, or swallowed by a vertebra's), the wall is carried over
from the neighbouring sections.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import SpineMasks
from leakseg.coordinates import CanalAxis, CanalSpace, CanalWall, Lattice
from leakseg.criteria import SpineCriteria
from leakseg.geometry import FloatArray

_ANGLES = 72
_RADIAL_STEP_MM = 0.5
_STEP_MM, _U_MM, _V_MM = 1.0, (-80.0, 60.0), (-60.0, 60.0)
"""The lattice of what lies round the canal: its step, and how far it reaches forward, backward and to the sides."""
_DENTED_RANK = 0.9
"""A canal mask reaches as far as this share of its sections show, where cement dents it less often."""


def trace_canal_wall(
    masks: SpineMasks, axis: CanalAxis, tube: NDArray[np.bool_] | None, criteria: SpineCriteria
) -> CanalWall:
    """The wall as seen from the axis in ``_ANGLES`` directions.

    Parameters
    ----------
    tube
        Canal mask on the scan's grid, or None where the wall must come from the vertebrae alone. A cord
        is no tube: it does not fill the canal.
    """
    angles = np.asarray(np.arange(_ANGLES) * (2 * np.pi / _ANGLES), dtype=np.float64)
    radii = np.asarray(np.arange(_RADIAL_STEP_MM, criteria.max_canal_radius_mm, _RADIAL_STEP_MM), dtype=np.float64)
    rays = _ray_voxels(masks, axis, angles, radii)
    bone = _sample(masks.vertebrae, *rays)
    hit = _first(bone, radii)
    hit[hit < criteria.min_canal_radius_mm] = np.nan
    seen = np.isfinite(hit).mean(axis=1) >= criteria.min_ring_fraction
    if tube is None:
        expected = _carried_over(_without_far(hit, criteria), criteria.canal_memory_mm)
        certain = ndimage.binary_closing(seen, iterations=int(criteria.canal_memory_mm))
    else:
        inside = _sample(tube, *rays)
        own = _first(~inside, radii)
        own[~inside[..., 0]] = np.nan
        certain = np.isfinite(own).mean(axis=1) > 0.9
        expected = _carried_over(_without_dents(own, hit, criteria), criteria.canal_memory_mm)
        expected = np.fmax(expected, np.where(np.isfinite(own), np.fmin(own, expected + criteria.wall_play_mm), 0))
    close = np.abs(hit - expected) <= criteria.wall_play_mm
    wall = np.where(close, np.fmax(hit, expected - criteria.wall_dent_mm), expected)
    wall = _carry_along(wall)
    around = np.pad(np.pad(wall, ((0, 0), (1, 1)), mode="wrap"), ((1, 1), (0, 0)), mode="edge")
    wall = ndimage.median_filter(around, size=(3, 3))[1:-1, 1:-1]
    wall = ndimage.gaussian_filter(wall, (1.0, 0.7), mode=("nearest", "wrap"))
    return CanalWall(angles, wall, certain | seen)


def space_round(axis: CanalAxis, wall: CanalWall) -> CanalSpace:
    """The canal on a lattice straightened along it."""
    u_nodes, v_nodes = (round((last - first) / _STEP_MM) + 1 for first, last in (_U_MM, _V_MM))
    lattice = Lattice((len(axis.points_mm), u_nodes, v_nodes), _STEP_MM, _U_MM[0], _V_MM[0])
    return CanalSpace(axis, wall, lattice, _canal_nodes(lattice, wall))


def _canal_nodes(lattice: Lattice, wall: CanalWall) -> NDArray[np.bool_]:
    u, v = lattice.sections()
    radius = np.hypot(u, v)[0]
    angle = np.mod(np.arctan2(np.broadcast_to(v[0], radius.shape), np.broadcast_to(u[0], radius.shape)), 2 * np.pi)
    may_be = radius <= wall.radius_mm.max()
    column = angle[may_be] / (2 * np.pi) * len(wall.angles_rad)
    low = np.floor(column).astype(int) % len(wall.angles_rad)
    high = (low + 1) % len(wall.angles_rad)
    weight = column - np.floor(column)
    edge = wall.radius_mm[:, low] * (1 - weight) + wall.radius_mm[:, high] * weight
    canal = np.zeros(lattice.shape, np.bool_)
    canal[:, may_be] = radius[may_be] <= edge
    return canal


def _ray_voxels(
    masks: SpineMasks, axis: CanalAxis, angles: FloatArray, radii: FloatArray
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The place in a raveled mask of every point of every ray, ``(S, A, R)``, and whether it lies in the scan."""
    directions = (
        np.cos(angles)[None, :, None] * axis.posterior[:, None, :]
        + np.sin(angles)[None, :, None] * axis.left[:, None, :]
    )
    inverse = masks.grid.inverse
    start = axis.points_mm @ inverse[:3, :3].T + inverse[:3, 3]
    step = directions @ inverse[:3, :3].T
    shape = (len(start), len(angles), len(radii))
    inside, voxel = np.ones(shape, np.bool_), np.zeros(shape, np.int64)
    for way, size in enumerate(masks.grid.shape):
        place = start[:, None, None, way] + radii * step[:, :, None, way]
        along = np.rint(place, out=place).astype(np.int64)
        inside &= (along >= 0) & (along < size)
        voxel *= size
        voxel += along
    voxel[~inside] = 0
    return voxel, inside


def _sample(mask: NDArray[Any], voxel: NDArray[np.int64], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray((mask.reshape(-1).take(voxel) != 0) & inside, dtype=np.bool_)


def _first(reached: NDArray[np.bool_], radii: FloatArray) -> FloatArray:
    """Radius at which each ray is first true (half a step before it), NaN where it never is."""
    radius = radii[np.argmax(reached, axis=-1)] - _RADIAL_STEP_MM / 2
    return np.where(reached.any(axis=-1), radius, np.nan)


def _without_far(hit: FloatArray, criteria: SpineCriteria) -> FloatArray:
    """Hits without those through an open foramen: much farther than the section's middle one."""
    middle = _nanmedian(hit, axis=1)
    smooth = _carried_over(middle[:, None], criteria.canal_memory_mm)
    return np.where(hit <= criteria.far_hit_ratio * smooth, hit, np.nan)


def _without_dents(own: FloatArray, hit: FloatArray, criteria: SpineCriteria) -> FloatArray:
    """The canal mask's radii, out to the bone where they end short of it and reach as far elsewhere."""
    widest = _carried_over(own, 2 * criteria.canal_memory_mm, _DENTED_RANK)
    dented = (hit - own > criteria.wall_dent_mm) & (hit <= widest + criteria.wall_dent_mm)
    return np.where(dented, hit, own)


def _carried_over(radius: FloatArray, memory_mm: float, rank: float = 0.5) -> FloatArray:
    """Running median (or other rank) along the axis over ``memory_mm`` to both sides; gaps filled from the nearest."""
    reach = int(memory_mm)
    padded = np.pad(radius, ((reach, reach), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    return _carry_along(_nanmedian(windows, axis=-1, rank=rank))


def _carry_along(radius: FloatArray) -> FloatArray:
    """NaN replaced along each direction from the nearest section that has a value, else round the section."""
    filled = radius.copy()
    missing = np.isnan(filled)
    if not missing.any():
        return filled
    for angle in np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0)):
        good = np.flatnonzero(~missing[:, angle])
        filled[:, angle] = np.interp(np.arange(len(filled)), good, filled[good, angle])
    empty = np.asarray(np.isnan(filled).all(axis=0), dtype=np.bool_)
    if empty.all():
        return np.full_like(filled, np.nan)
    if empty.any():
        nearest = ndimage.distance_transform_edt(np.tile(empty, 3), return_distances=False, return_indices=True)[0]
        columns = nearest[len(empty) : 2 * len(empty)] % len(empty)
        filled = filled[:, columns]
    return filled


def _nanmedian(values: NDArray[Any], axis: int, rank: float = 0.5) -> FloatArray:
    """Median (or other rank) without NaN, NaN where nothing is left, without numpy's warning for that."""
    ordered = np.sort(values, axis=axis)
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    at = rank * np.maximum(count - 1, 0)
    low = np.take_along_axis(ordered, np.floor(at).astype(np.intp), axis=axis)
    high = np.take_along_axis(ordered, np.ceil(at).astype(np.intp), axis=axis)
    middle = np.where(count > 0, (low + np.where(count > 0, high, low)) / 2, np.nan)
    return np.asarray(np.squeeze(middle, axis=axis), dtype=np.float64)
