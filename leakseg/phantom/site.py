"""Where cement goes: one vertebra with everything a leak's shape needs to know of its surroundings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import FloatArray, Grid
from leakseg.phantom.frames import STEP_MM, VertebraFrame
from leakseg.phantom.solids import Solid
from leakseg.phantom.survey import CANAL, FORAMEN, Survey, lattice_axes

BoneAt = Callable[[FloatArray], NDArray[np.uint8]]
"""Level number of the bone at patient points ``(..., 3)``, 0 outside bone."""


class Unplaceable(Exception):  # noqa: N818 - no fault: the word for "draw again"
    """The draw of a shape does not fit; another may."""


@dataclass(frozen=True, eq=False)
class LeakShape:
    """A leak drawn but not yet placed: its solid, the channels that feed it, and the place it claims.

    ``gap`` is the index of the motion segment, None outside foramina and discs. ``also`` names further places that
    the same piece lies in; ``further`` are channels in the neighbour that it bridges to.
    """

    solid: Solid
    channels: tuple[Solid, ...]
    place: int
    gap: int | None = None
    also: tuple[tuple[int, int | None], ...] = ()
    further: tuple[Solid, ...] = ()


@dataclass(frozen=True, eq=False)
class Ground:
    """A spine to put cement into: survey, bone by patient point, and the scan's grid."""

    survey: Survey
    bone_at: BoneAt
    grid: Grid
    clefts: Mapping[VertebraLevel, Solid] = field(default_factory=dict)
    """Fracture clefts that cement may fill, patient mm."""
    metal: NDArray[np.bool_] | None = None
    """``(K, J, I)`` screws, rods and clips on ``grid``: no leak is where metal is. None: there is none."""

    def taken_at(self, points: FloatArray) -> NDArray[np.bool_]:
        """Whether metal stands at patient points ``(..., 3)``, by the nearest voxel."""
        if self.metal is None:
            return np.zeros(points.shape[:-1], np.bool_)
        return bone_from_mask(self.grid, self.metal.view(np.uint8))(points) > 0


@dataclass(frozen=True, eq=False)
class Site:
    """One vertebra of the ground, and the side (+1 left, -1 right, 0 neither) the leak is wanted on."""

    ground: Ground
    frame: VertebraFrame
    sign: float
    size: float
    hearts: tuple[tuple[float, float, float], ...] = ()
    """Where the inner cement has its middle, or middles; none: the body's centre."""

    @property
    def core(self) -> tuple[float, float, float]:
        """The middle of inner cement that is nearest to the wanted side, canal coordinates."""
        return max(self.hearts, key=lambda heart: self.sign * heart[2]) if self.hearts else self.frame.centre

    def point(self, s: float, u: float, v: float) -> FloatArray:
        """Patient point of canal coordinates."""
        return self.ground.survey.line.to_patient(np.asarray(s), np.asarray(u), np.asarray(v))

    def axes(self) -> FloatArray:
        """Rows superior, posterior, left at the vertebra's mid-height."""
        return np.stack(self.ground.survey.line.frame(self.frame.middle_mm))

    def run_of_bone(self, start: tuple[float, float, float], way: tuple[float, float, float], reach_mm: float) -> float:
        """How far own bone goes on from a canal-coordinate start along a way; holes up to 1.5 mm are passed."""
        step = 0.25
        t = np.arange(0.0, reach_mm, step)[:, None]
        suv = np.asarray(start) + t * np.asarray(way) / np.linalg.norm(way)
        points = self.ground.survey.line.to_patient(suv[:, 0], suv[:, 1], suv[:, 2])
        own = np.flatnonzero(self.ground.bone_at(points) == self.frame.level.number)
        if len(own) == 0:
            raise Unplaceable
        breaks = np.flatnonzero(np.diff(own) * step > 1.5)
        return float(own[breaks[0]] if len(breaks) else own[-1]) * step + step / 2

    def first_of(self, place: int, s: float, v: float) -> float:
        """Front (lowest u) of a place in the column at ``(s, v)``, the middle of its neighbours'."""
        _rows, u, across = lattice_axes(self.ground.survey.line)
        row, column = round(s / STEP_MM), int(np.argmin(np.abs(across - v)))
        near = (slice(max(row - 1, 0), row + 2), slice(None), slice(max(column - 1, 0), column + 2))
        block = (self.ground.survey.place[near] == place) & (self.ground.survey.bone[near] == 0)
        seen = block.any(axis=1)
        if not seen.any():
            raise Unplaceable
        return float(np.median(u[np.argmax(block, axis=1)][seen])) - STEP_MM / 2

    def canal_front(self, s: float, v: float) -> float:
        """Where the canal begins behind body or disc."""
        return self.first_of(CANAL, s, v)

    def foramen_front(self, s: float, v: float) -> float:
        """Where the foramen begins behind body or disc."""
        return self.first_of(FORAMEN, s, v)

    def canal_half_width(self) -> float:
        """Half the canal's width at the vertebra's mid-height."""
        return self.ground.survey.at_s(self.ground.survey.canal_half_width_mm, self.frame.middle_mm)

    def pedicle_side(self) -> str:
        """Name of the wanted side."""
        return "left" if self.sign > 0 else "right"


def bone_from_mask(grid: Grid, vertebrae: NDArray[np.uint8]) -> BoneAt:
    """Bone by nearest voxel of a vertebra mask."""

    def bone_at(points: FloatArray) -> NDArray[np.uint8]:
        index = np.rint(grid.to_index(points)).astype(np.int64)
        inside = np.all((index >= 0) & (index < np.array(grid.shape)), axis=-1)
        index[~inside] = 0
        return np.where(inside, vertebrae[index[..., 0], index[..., 1], index[..., 2]], 0).astype(np.uint8)

    return bone_at
