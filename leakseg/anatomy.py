"""Names and masks of the spine: vertebral levels, and the masks an analysis starts from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leakseg.errors import AnatomyError, GeometryError
from leakseg.geometry import CANONICAL_ORIENTATION, FloatArray, Grid


class VertebraLevel(StrEnum):
    """Vertebrae by name, from the head down; a whole sacrum is ``S1``."""

    C1 = "C1"
    C2 = "C2"
    C3 = "C3"
    C4 = "C4"
    C5 = "C5"
    C6 = "C6"
    C7 = "C7"
    T1 = "T1"
    T2 = "T2"
    T3 = "T3"
    T4 = "T4"
    T5 = "T5"
    T6 = "T6"
    T7 = "T7"
    T8 = "T8"
    T9 = "T9"
    T10 = "T10"
    T11 = "T11"
    T12 = "T12"
    T13 = "T13"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    L5 = "L5"
    L6 = "L6"
    S1 = "S1"
    S2 = "S2"

    @property
    def number(self) -> int:
        """Label number inside leakseg (C1 = 1 ... S2 = 28), cranial to caudal.

        It is never written to a file
        without its name.
        """
        return _NUMBERS[self]

    @classmethod
    def from_number(cls, number: int) -> VertebraLevel:
        """The level with that label number inside leakseg."""
        return _LEVELS[number - 1]


_LEVELS = tuple(VertebraLevel)
_NUMBERS = {level: position + 1 for position, level in enumerate(_LEVELS)}


@dataclass(frozen=True, eq=False)
class SpineMasks:
    """Masks of one scan, on the scan's own grid (canonical orientation).

    Parameters
    ----------
    grid
        The scan's grid.
    vertebrae
        ``(K, J, I)`` uint8, `VertebraLevel.number` of the whole vertebra at each voxel, 0 elsewhere.
    canal, cord, bodies, discs
        ``(K, J, I)`` bool, or None where the source has none.
    provider, version, scheme
        Who drew them and what the numbers meant.
    label_confidence
        How sure the provider is of each level's name, 0 to 1; None where it does not say.
    from_builtin
        True where the canal was drawn by leakseg itself.
    """

    grid: Grid
    vertebrae: NDArray[np.uint8]
    canal: NDArray[np.bool_] | None = None
    cord: NDArray[np.bool_] | None = None
    bodies: NDArray[np.bool_] | None = None
    discs: NDArray[np.bool_] | None = None
    provider: str = "precomputed"
    version: str = ""
    scheme: str | None = None
    label_confidence: dict[VertebraLevel, float | None] = field(default_factory=dict)
    from_builtin: bool = False

    def __post_init__(self) -> None:
        if self.grid.orientation != CANONICAL_ORIENTATION:
            raise GeometryError(f"Masks must be in {CANONICAL_ORIENTATION} orientation, not {self.grid.orientation}.")
        arrays: list[NDArray[Any] | None] = [self.vertebrae, self.canal, self.cord, self.bodies, self.discs]
        for array in arrays:
            if array is None:
                continue
            if array.shape != self.grid.shape:
                raise GeometryError(f"A mask's shape {array.shape} is not the scan's {self.grid.shape}.")
            array.setflags(write=False)

    def levels(self) -> tuple[VertebraLevel, ...]:
        """Levels present, cranial to caudal.

        Raises
        ------
        AnatomyError
            Where the masks hold no vertebra at all.
        """
        counts = np.bincount(self.vertebrae.ravel(), minlength=len(_LEVELS) + 1)
        present = tuple(level for level in _LEVELS if counts[level.number])
        if not present:
            raise AnatomyError("The masks hold no vertebra: nothing to compare cement with.")
        return present


CanalSource = Literal["mask", "cord", "vertebrae", "builtin"]
"""What the canal was taken from."""


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
        s = np.clip(suv[..., 0], 0, self.length_mm)
        beyond = suv[..., 0] - s
        return np.asarray(
            self._at(self.points_mm, s)
            + self._at(self.superior, s) * beyond[..., None]
            + self._at(self.posterior, s) * suv[..., 1, None]
            + self._at(self.left, s) * suv[..., 2, None],
            dtype=np.float64,
        )

    def to_canal(self, points_mm: FloatArray) -> FloatArray:
        """Canal coordinates ``(N, 3)`` of patient points ``(N, 3)``.

        Solves ``(p - c(s)) . t(s) = 0`` by damped fixed-point steps from the point of equal height.
        """
        points = np.asarray(points_mm, dtype=np.float64)
        s = np.interp(points[:, 2], self.points_mm[:, 2], np.arange(len(self.points_mm), dtype=np.float64))
        for _ in range(12):
            offset = points - self._at(self.points_mm, s)
            s = np.clip(s + 0.8 * np.sum(offset * self._at(self.superior, s), axis=-1), 0, self.length_mm)
        offset = points - self._at(self.points_mm, s)
        beyond = np.sum(offset * self._at(self.superior, s), axis=-1)
        at_end = (s <= 0) | (s >= self.length_mm)
        return np.stack(
            [
                s + np.where(at_end, beyond, 0.0),
                np.sum(offset * self._at(self.posterior, s), axis=-1),
                np.sum(offset * self._at(self.left, s), axis=-1),
            ],
            axis=-1,
        )

    @staticmethod
    def _at(values: FloatArray, s: FloatArray) -> FloatArray:
        lower = np.clip(s.astype(np.int64), 0, len(values) - 2)
        weight = (s - lower)[..., None]
        return np.asarray(values[lower] * (1 - weight) + values[lower + 1] * weight, dtype=np.float64)


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


class Place(IntEnum):
    """Where a point outside bone lies; where places meet, the lower number wins."""

    OUTSIDE = 0
    CANAL = 1
    FORAMEN = 2
    DISC = 3


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


@dataclass(frozen=True)
class Pedicle:
    """One pedicle in canal coordinates: from ``s_bottom`` to ``s_top``, medial and lateral wall as |v|."""

    s_bottom_mm: float
    s_top_mm: float
    medial_mm: float
    lateral_mm: float


@dataclass(frozen=True, eq=False)
class Vertebra:
    """One vertebra in canal coordinates."""

    level: VertebraLevel
    in_view_whole: bool
    s_bottom_mm: float
    s_top_mm: float
    body_centre_suv_mm: tuple[float, float, float]
    body_half_width_mm: float
    body_depth_mm: float
    body_volume_mm3: float | None
    pedicles: dict[str, Pedicle]
    """By side, ``"left"`` and ``"right"``; absent where none could be found."""

    @property
    def s_middle_mm(self) -> float:
        """Mid-height of the body."""
        return (self.s_bottom_mm + self.s_top_mm) / 2


@dataclass(frozen=True, eq=False)
class BonySpine:
    """The bone round the canal on a lattice in canal coordinates, and the vertebrae found in it.

    ``bone`` ``(S, U, V)`` uint8 holds `VertebraLevel.number`, ``body`` is true for bone in front of the
    posterior wall; ``posterior_wall_u_mm`` and ``canal_half_width_mm`` are ``(S,)``.
    """

    axis: CanalAxis
    wall: CanalWall
    lattice: Lattice
    bone: NDArray[np.uint8]
    body: NDArray[np.bool_]
    posterior_wall_u_mm: FloatArray
    canal_half_width_mm: FloatArray
    vertebrae: tuple[Vertebra, ...]


@dataclass(frozen=True, eq=False)
class SpineAnatomy:
    """The spine round the canal: axis, canal wall, vertebrae, and the place of every point.

    Parameters
    ----------
    axis, lattice
        Canal coordinates and the lattice that the arrays below stand on, each ``(S, U, V)``.
    bone
        uint8, `VertebraLevel.number` of the bone there, 0 outside bone.
    body
        bool, bone of a vertebral body.
    place
        uint8, `Place` of each node if it is not bone.
    gap
        uint8, for foramen and disc nodes: 1 + index into ``gaps``.
    canal
        bool, inside the bony canal (cement and retropulsed bone included).
    canal_distance_mm
        float32, distance to the canal, 0 inside.
    posterior_wall_u_mm
        ``(S,)`` where the posterior wall of bodies and discs stands.
    canal_half_width_mm
        ``(S,)`` half the canal's width.
    gaps
        Motion segments: pairs of neighbouring levels, upper first.
    foramen_volume_mm3
        By ``(gap index, side)``.
    """

    axis: CanalAxis
    lattice: Lattice
    bone: NDArray[np.uint8]
    body: NDArray[np.bool_]
    place: NDArray[np.uint8]
    gap: NDArray[np.uint8]
    canal: NDArray[np.bool_]
    canal_distance_mm: NDArray[np.float32]
    posterior_wall_u_mm: FloatArray
    canal_half_width_mm: FloatArray
    vertebrae: tuple[Vertebra, ...]
    gaps: tuple[tuple[VertebraLevel, VertebraLevel], ...]
    foramen_volume_mm3: dict[tuple[int, str], float]
    canal_from: CanalSource
    canal_certain: NDArray[np.bool_]
    """``(S,)``: the canal's wall was seen there, not continued beyond the masks."""

    def vertebra(self, level: VertebraLevel) -> Vertebra:
        """The vertebra of that level."""
        return next(vertebra for vertebra in self.vertebrae if vertebra.level == level)
