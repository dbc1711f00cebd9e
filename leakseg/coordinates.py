"""Canal coordinates: along the spinal canal, backward from it, and to the patient's left.

Leaks are described in them: "behind the posterior wall" and "between the pedicles" are then plain
inequalities, whatever the spine's curve and the patient's position.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.balls import worn_by
from leakseg.geometry import FloatArray, voxels_of
from leakseg.reach import near

_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class CanalAxis:
    """The canal's centreline with a frame at every millimetre: the coordinates leaks are described in.

    Canal coordinates ``(s, u, v)`` in mm: ``s`` along the centreline toward the head, ``u`` backward
    (posterior) and ``v`` to the patient's left in the section square to the canal.

    Parameters
    ----------
    points_mm
        ``(N, 3)`` centreline, patient mm, one point a millimetre of arc, from caudal to cranial.
    superior, posterior, left
        ``(N, 3)`` unit vectors, right-angled to each other.
    """

    points_mm: FloatArray
    superior: FloatArray
    posterior: FloatArray
    left: FloatArray

    @property
    def length_mm(self) -> float:
        """Arc length of the centreline."""
        return float(len(self.points_mm) - 1)

    def to_patient(self, suv: FloatArray) -> FloatArray:
        """Patient mm ``(..., 3)`` of canal coordinates ``(..., 3)``."""
        return self.sections_to_patient(suv[..., 0], suv[..., 1], suv[..., 2])

    def sections_to_patient(self, s: FloatArray, u: FloatArray, v: FloatArray) -> FloatArray:
        """Patient mm of coordinates that broadcast to one another: the frame is asked once for what shares an s."""
        at = np.clip(s, 0, self.length_mm)
        return np.asarray(
            self._at(self.points_mm, at)
            + self._at(self.superior, at) * (s - at)[..., None]
            + self._at(self.posterior, at) * u[..., None]
            + self._at(self.left, at) * v[..., None],
            dtype=np.float64,
        )

    def to_canal(self, points_mm: FloatArray) -> FloatArray:
        """Canal coordinates ``(N, 3)`` of patient points ``(N, 3)``.

        Solves ``(p - c(s)) . t(s) = 0`` by damped fixed-point steps from the point of equal height.
        """
        points = np.asarray(points_mm, dtype=np.float64)
        suv = np.empty(points.shape, np.float64)
        for first in range(0, len(points), _AT_ONCE):
            there = slice(first, first + _AT_ONCE)
            suv[there] = self._some_to_canal(np.ascontiguousarray(points[there].T)).T
        return suv

    def _some_to_canal(self, points: FloatArray) -> FloatArray:
        """``(3, N)`` of ``(3, N)``, coordinate by coordinate: as many at a time as stay in the processor's cache."""
        centre, superior, posterior, left = (
            np.ascontiguousarray(values.T) for values in (self.points_mm, self.superior, self.posterior, self.left)
        )
        s = np.interp(points[2], centre[2], np.arange(centre.shape[1], dtype=np.float64))
        for _ in range(12):
            lower, weight = self._between(s)
            offset = points - _weighed(centre, lower, weight)
            s = np.clip(s + 0.8 * _dot(offset, _weighed(superior, lower, weight)), 0, self.length_mm)
        lower, weight = self._between(s)
        offset = points - _weighed(centre, lower, weight)
        along, back, aside = (_dot(offset, _weighed(way, lower, weight)) for way in (superior, posterior, left))
        at_end = (s <= 0) | (s >= self.length_mm)
        return np.stack([s + np.where(at_end, along, 0.0), back, aside])

    def _between(self, s: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
        """The point of the centreline before each s, and how far s lies on the way to the next."""
        lower = np.clip(s.astype(np.int64), 0, len(self.points_mm) - 2)
        return lower, np.asarray(s - lower, dtype=np.float64)

    @staticmethod
    def _at(values: FloatArray, s: FloatArray) -> FloatArray:
        lower = np.clip(s.astype(np.int64), 0, len(values) - 2)
        weight = (s - lower)[..., None]
        return np.asarray(values[lower] * (1 - weight) + values[lower + 1] * weight, dtype=np.float64)


def _weighed(values: FloatArray, lower: NDArray[np.int64], weight: FloatArray) -> FloatArray:
    """``(3, N)`` values between those of the points before and after."""
    before, after = values.take(lower, axis=1), values.take(lower + 1, axis=1)
    before *= 1 - weight
    after *= weight
    before += after
    return before


def _dot(one: FloatArray, other: FloatArray) -> FloatArray:
    product = one * other
    return np.asarray(product[0] + (product[1] + product[2]), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class CanalWall:
    """The bony canal's wall as distances from the axis, section by section.

    Parameters
    ----------
    angles_rad
        ``(A,)``; 0 points backward (posterior), a quarter turn to the patient's left.
    radius_mm
        ``(S, A)`` distance from the axis to the wall at every millimetre of the axis.
    certain
        ``(S,)`` true where the masks show the canal, false where it is continued beyond them.
    """

    angles_rad: FloatArray
    radius_mm: FloatArray
    certain: NDArray[np.bool_]


@dataclass(frozen=True)
class Lattice:
    """A regular lattice in canal coordinates: ``(S, U, V)`` nodes one step apart."""

    shape: tuple[int, int, int]
    step_mm: float
    u_start_mm: float
    v_start_mm: float

    def to_index(self, suv: FloatArray) -> FloatArray:
        """Fractional lattice indices ``(..., 3)`` of canal coordinates ``(..., 3)``."""
        origin = np.array([0.0, self.u_start_mm, self.v_start_mm])
        return np.asarray((suv - origin) / self.step_mm, dtype=np.float64)

    def to_suv(self, index: FloatArray) -> FloatArray:
        """Canal coordinates ``(..., 3)`` of lattice indices ``(..., 3)``."""
        origin = np.array([0.0, self.u_start_mm, self.v_start_mm])
        return np.asarray(index * self.step_mm + origin, dtype=np.float64)

    def sections(self) -> tuple[FloatArray, FloatArray]:
        """Node coordinates u ``(1, U, 1)`` and v ``(1, 1, V)``, mm: they broadcast to the lattice."""
        u = np.arange(self.shape[1]) * self.step_mm + self.u_start_mm
        v = np.arange(self.shape[2]) * self.step_mm + self.v_start_mm
        return np.asarray(u[None, :, None], dtype=np.float64), np.asarray(v[None, None, :], dtype=np.float64)

    def lookup(self, values: NDArray[Any], suv: FloatArray, outside: float = 0) -> NDArray[Any]:
        """Values at the nearest nodes; ``outside`` beyond the lattice."""
        index = np.rint(self.to_index(suv)).astype(np.int64)
        inside = np.all((index >= 0) & (index < np.array(self.shape)), axis=-1)
        index = np.where(inside[..., None], index, 0)
        found = values[index[..., 0], index[..., 1], index[..., 2]]
        return np.where(inside, found, outside).astype(values.dtype)

    def shortest_way_mm(self, mask: NDArray[np.bool_], suv: FloatArray) -> float:
        """The least distance to a mask of the nodes nearest to points ``(N, 3)``; infinite beyond the lattice."""
        from scipy import spatial

        nodes = np.rint(self.to_index(suv)).astype(np.int64)
        nodes = nodes[((nodes >= 0) & (nodes < np.array(self.shape))).all(axis=1)]
        if not len(nodes) or not mask.any():
            return np.inf
        if mask[tuple(nodes.T)].any():
            return 0.0
        wall = voxels_of(mask & ~worn_by(mask, 1.0, (1.0, 1.0, 1.0)))
        steps, _ = spatial.cKDTree(wall).query(np.unique(nodes, axis=0))
        return float(np.float32(steps.min() * self.step_mm))


@dataclass(frozen=True, eq=False)
class CanalSpace:
    """The canal between its walls, in its own coordinates.

    Parameters
    ----------
    axis, wall, lattice
        Canal coordinates, and the lattice that arrays stand on, each ``(S, U, V)``.
    canal
        bool, inside the bony canal (cement and retropulsed bone included).
    """

    axis: CanalAxis
    wall: CanalWall
    lattice: Lattice
    canal: NDArray[np.bool_]
    _near_canal: dict[float, NDArray[np.bool_]] = field(default_factory=dict, init=False, repr=False)

    def near_canal(self, suv: FloatArray, reach_mm: float) -> NDArray[np.bool_]:
        """Whether the nodes nearest to points ``(N, 3)`` lie so near to the canal; False beyond the lattice."""
        if reach_mm not in self._near_canal:
            self._near_canal[reach_mm] = near(self.canal, reach_mm, (self.lattice.step_mm,) * 3)
        return self.lattice.lookup(self._near_canal[reach_mm], suv)


@dataclass(frozen=True)
class Pose:
    """Where one vertebra's shape is laid along the canal to stand for another.

    Shifts in mm, sizes along the canal and across it, and how far it rises per mm toward the back and the left.
    """

    s_mm: float
    u_mm: float = 0.0
    v_mm: float = 0.0
    height: float = 1.0
    width: float = 1.0
    pitch: float = 0.0
    roll: float = 0.0

    def place(self, about: FloatArray, middle: FloatArray) -> FloatArray:
        """Canal coordinates of the model's nodes, told about its middle."""
        return np.asarray(about @ self._way().T + middle + np.array([self.s_mm, self.u_mm, self.v_mm]))

    def home(self, suv: FloatArray, middle: FloatArray) -> FloatArray:
        """The nodes of the model, in its own place, that come to lie at these canal coordinates."""
        back = np.linalg.inv(self._way())
        return np.asarray((suv - middle - np.array([self.s_mm, self.u_mm, self.v_mm])) @ back.T + middle)

    def _way(self) -> FloatArray:
        return np.array(
            [
                [self.height, self.pitch * self.width, self.roll * self.width],
                [0.0, self.width, 0.0],
                [0.0, 0.0, self.width],
            ]
        )
