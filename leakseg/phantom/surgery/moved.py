"""The same spine in another scan: the patient lies differently, and the spine is bent at its discs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.geometry import FloatArray, Grid
from leakseg.phantom.survey import Survey

_COARSE_MM = 2.0
_SHARP_MM, _POWER = 0.3, 4.0
"""How fast a vertebra's own motion takes over near its bone: inside it, it is rigid to a part in a thousand."""
_ROUNDS = 8


@dataclass(frozen=True, kw_only=True)
class Posture:
    """How a later scan lies: turned, shifted, and bent by so much over the vertebrae in view."""

    turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """About the long axis, to the side, forward."""
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    bend_deg: float = 0.0
    lean_deg: float = 0.0


def motions(found: Survey, posture: Posture, middle_mm: FloatArray) -> dict[VertebraLevel, FloatArray]:
    """Where each vertebra goes, ``(4, 4)`` patient mm: rigid each, turned against its neighbour about their disc.

    Parameters
    ----------
    middle_mm
        Patient point about which the whole patient turns.
    """
    from scipy.spatial.transform import Rotation

    levels = sorted(found.vertebrae, key=lambda level: level.number)
    steps = max(len(levels) - 1, 1)
    step = Rotation.from_euler("xy", (posture.bend_deg / steps, posture.lean_deg / steps), degrees=True).as_matrix()
    whole = _about(Rotation.from_euler("zyx", posture.turn_deg, degrees=True).as_matrix(), middle_mm)
    whole[:3, 3] += posture.shift_mm
    told = {levels[0]: np.eye(4)}
    for upper, lower in pairwise(levels):
        ends = found.vertebrae[upper], found.vertebrae[lower]
        height = (ends[0].bottom_mm + ends[1].top_mm) / 2
        depth = (ends[0].wall_u_mm + ends[0].front_u_mm) / 2
        disc = point_of(found, height, depth, ends[0].middle_v_mm)
        told[lower] = told[upper] @ _about(step, disc)
    return {level: whole @ matrix for level, matrix in told.items()}


def point_of(found: Survey, s: float, u: float, v: float) -> FloatArray:
    """Patient point of canal coordinates."""
    return found.line.to_patient(np.array(s), np.array(u), np.array(v))


def _about(turn: FloatArray, point_mm: FloatArray) -> FloatArray:
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = point_mm - turn @ point_mm
    return matrix


def source_points(masks: SpineMasks, told: dict[VertebraLevel, FloatArray], grid: Grid) -> FloatArray:
    """For every voxel of the later scan's grid, the patient point of the first scan that it shows, ``(K, J, I, 3)``.

    Between vertebrae their motions pass into each other by distance; solved by fixed-point steps on every few
    millimetres, evenly in between.
    """
    from scipy.ndimage import map_coordinates

    factors = np.array([max(1, round(_COARSE_MM / mm)) for mm in grid.spacing_mm])
    sizes = [int(np.ceil((size - 1) / factor)) + 1 for size, factor in zip(grid.shape, factors, strict=True)]
    index = np.stack(np.meshgrid(*(np.arange(size) for size in sizes), indexing="ij"), axis=-1) * factors
    moved = _before(masks, told, grid.to_patient(index.reshape(-1, 3))) - grid.to_patient(index.reshape(-1, 3))
    steps = moved.reshape(*sizes, 3)
    k, j, i = (np.arange(size) / factor for size, factor in zip(grid.shape, factors, strict=True))
    fine = np.stack(np.meshgrid(k, j, i, indexing="ij"))
    offset = np.stack([map_coordinates(steps[..., axis], fine, order=1, mode="nearest") for axis in range(3)], axis=-1)
    whole = np.stack(np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij"), axis=-1)
    return np.asarray(grid.to_patient(whole) + offset, dtype=np.float64)


def _before(masks: SpineMasks, told: dict[VertebraLevel, FloatArray], goal: FloatArray) -> FloatArray:
    """Points ``(N, 3)`` of the first scan that come to lie at ``goal``."""
    from scipy.ndimage import distance_transform_edt, map_coordinates

    factors = [max(1, round(_COARSE_MM / mm)) for mm in masks.grid.spacing_mm]
    coarse = masks.vertebrae[:: factors[0], :: factors[1], :: factors[2]]
    spacing = [mm * factor for mm, factor in zip(masks.grid.spacing_mm, factors, strict=True)]
    away = {
        level: distance_transform_edt(coarse != level.number, sampling=spacing).astype(np.float32) for level in told
    }
    inverse = {level: np.linalg.inv(matrix) for level, matrix in told.items()}
    middle = inverse[sorted(told, key=lambda level: level.number)[len(told) // 2]]
    point = goal @ middle[:3, :3].T + middle[:3, 3]
    for _ in range(_ROUNDS):
        place = masks.grid.to_index(point) / factors
        total, moved = np.zeros(len(goal)), np.zeros_like(goal)
        for level, matrix in inverse.items():
            distance = map_coordinates(away[level], place.T, order=1, mode="nearest")
            weight = 1.0 / (distance + _SHARP_MM) ** _POWER
            total += weight
            moved += weight[:, None] * (goal @ matrix[:3, :3].T + matrix[:3, 3])
        point = moved / total[:, None]
    return np.asarray(point, dtype=np.float64)


def shown(values: NDArray[np.generic], place: FloatArray, order: int, outside: float) -> NDArray[np.float32]:
    """A field of the first scan as the later one shows it; ``place`` are its fractional indices ``(K, J, I, 3)``."""
    from scipy.ndimage import map_coordinates

    field = np.asarray(values, dtype=np.float32)
    return np.asarray(
        map_coordinates(field, np.moveaxis(place, -1, 0), order=order, mode="constant", cval=outside), dtype=np.float32
    )
