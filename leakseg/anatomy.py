"""Names and masks of the spine: vertebral levels, and the masks an analysis starts from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leakseg.coordinates import CanalSpace
from leakseg.errors import AnatomyError, GeometryError
from leakseg.geometry import CANONICAL_ORIENTATION, FloatArray, Grid, bounding_box
from leakseg.reach import Window, boxes_of_labels, within


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

        It is never written to a file without its name.
        """
        return _NUMBERS[self]

    @classmethod
    def from_number(cls, number: int) -> VertebraLevel:
        """The level with that label number inside leakseg."""
        return _LEVELS[number - 1]

    def usual_neighbour(self, step: int) -> VertebraLevel | None:
        """The next name up (-1) or down (1) that every spine has: no T13 and no L6; None beyond C1 and S1."""
        ahead = _LEVELS[self.number : VertebraLevel.S1.number] if step > 0 else reversed(_LEVELS[: self.number - 1])
        return next((level for level in ahead if level not in _OPTIONAL), None)


_LEVELS = tuple(VertebraLevel)
_OPTIONAL = (VertebraLevel.T13, VertebraLevel.L6)
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
    canal_confidence
        How sure the provider is of the canal where it is least sure, 0 to 1; None where it does not say.
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
    canal_confidence: float | None = None

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
        if not self.windows:
            raise AnatomyError("The masks hold no vertebra: nothing to compare cement with.")
        return tuple(self.windows)

    @cached_property
    def windows(self) -> dict[VertebraLevel, Window]:
        """The block that each level present fills, cranial to caudal."""
        spine = bounding_box(self.vertebrae)
        return {} if spine is None else _windows_in(self.vertebrae, spine)

    @cached_property
    def block(self) -> Window | None:
        """The smallest block that holds all vertebrae; None where there is none."""
        if not self.windows:
            return None
        k, j, i = (
            slice(min(side.start for side in sides), max(side.stop for side in sides))
            for sides in zip(*self.windows.values(), strict=True)
        )
        return k, j, i

    def lying_in(self, room: Window) -> SpineMasks:
        """The masks, no vertebra of which is known to reach beyond a block: only there are they looked for."""
        masks = replace(self)
        masks.__dict__["windows"] = _windows_in(self.vertebrae, room)
        return masks

    def filled(self, vertebrae: NDArray[np.uint8]) -> SpineMasks:
        """The masks with voxels given to levels inside the blocks that these fill already: the blocks stay."""
        masks = replace(self, vertebrae=vertebrae)
        masks.__dict__["windows"] = self.windows
        return masks

    def to_relabel(self) -> NDArray[np.uint8]:
        """The vertebrae anew, to be written to; no memory is touched where there is none."""
        vertebrae = np.zeros(self.grid.shape, np.uint8)
        if self.block is not None:
            vertebrae[self.block] = self.vertebrae[self.block]
        return vertebrae


def _windows_in(vertebrae: NDArray[np.uint8], room: Window) -> dict[VertebraLevel, Window]:
    boxes = boxes_of_labels(vertebrae[room]).items()
    return {VertebraLevel.from_number(number): within(box, room) for number, box in boxes}


CanalSource = Literal["mask", "cord", "vertebrae", "builtin"]
"""What the canal was taken from."""


class Place(IntEnum):
    """Where a point outside bone lies; where places meet, the lower number wins."""

    OUTSIDE = 0
    CANAL = 1
    FORAMEN = 2
    DISC = 3


@dataclass(frozen=True)
class Pedicle:
    """One pedicle in canal coordinates: from ``s_bottom`` to ``s_top``, medial and lateral wall as |v|."""

    s_bottom_mm: float
    s_top_mm: float
    medial_mm: float
    lateral_mm: float


@dataclass(frozen=True)
class Endplate:
    """The plane of an endplate in canal coordinates: ``s = per_u * u + per_v * v + s_mm``.

    A lordotic or wedged body is not square to the canal: heights are measured between these planes.
    """

    per_u: float
    per_v: float
    s_mm: float

    def s_at(self, suv: FloatArray) -> FloatArray:
        """``(N,)`` s of the plane over points ``(N, 3)``."""
        return np.asarray(self.per_u * suv[..., 1] + self.per_v * suv[..., 2] + self.s_mm, dtype=np.float64)


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
    lower_endplate: Endplate
    upper_endplate: Endplate

    @property
    def s_middle_mm(self) -> float:
        """Mid-height of the body."""
        return (self.s_bottom_mm + self.s_top_mm) / 2

    def height_fraction(self, suv: FloatArray) -> FloatArray:
        """Height ``(N,)`` between the endplates, 0 at the lower and 1 at the upper one, of points ``(N, 3)``."""
        bottom, top = self.lower_endplate.s_at(suv), self.upper_endplate.s_at(suv)
        return np.asarray((suv[..., 0] - bottom) / np.maximum(top - bottom, 1.0), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class BonySpine(CanalSpace):
    """The bone round the canal, and the vertebrae found in it.

    Parameters
    ----------
    bone
        uint8, `VertebraLevel.number` of the bone there, 0 outside bone.
    body
        bool, bone of a vertebral body: in front of the posterior wall.
    posterior_wall_u_mm
        ``(S,)`` where the posterior wall of bodies and discs stands.
    canal_half_width_mm
        ``(S,)`` half the canal's width.
    """

    bone: NDArray[np.uint8]
    body: NDArray[np.bool_]
    posterior_wall_u_mm: FloatArray
    canal_half_width_mm: FloatArray
    vertebrae: tuple[Vertebra, ...]

    @cached_property
    def blocks(self) -> dict[int, Window]:
        """By `VertebraLevel.number` the block of nodes that each vertebra's bone fills."""
        return boxes_of_labels(self.bone)


@dataclass(frozen=True, eq=False)
class SpineAnatomy(BonySpine):
    """The spine round the canal, and the place of every point.

    Parameters
    ----------
    place
        uint8, `Place` of each node if it is not bone.
    gap
        uint8, for foramen and disc nodes: 1 + index into ``gaps``.
    gaps
        Motion segments: pairs of neighbouring levels, upper first.
    foramen_volume_mm3
        By ``(gap index, side)``.
    """

    place: NDArray[np.uint8]
    gap: NDArray[np.uint8]
    gaps: tuple[tuple[VertebraLevel, VertebraLevel], ...]
    foramen_volume_mm3: dict[tuple[int, str], float]
    canal_from: CanalSource

    def vertebra(self, level: VertebraLevel) -> Vertebra:
        """The vertebra of that level."""
        return next(vertebra for vertebra in self.vertebrae if vertebra.level == level)

    def behind_wall_mm(self, suv: FloatArray) -> FloatArray:
        """How far canal coordinates ``(N, 3)`` lie behind the posterior wall of their section, ``(N,)``."""
        rows = np.clip(np.rint(suv[:, 0] / self.lattice.step_mm).astype(int), 0, len(self.posterior_wall_u_mm) - 1)
        return np.asarray(suv[:, 1] - self.posterior_wall_u_mm[rows])
