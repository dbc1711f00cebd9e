"""Names and masks of the spine: vertebral levels, and the masks an analysis starts from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.errors import AnatomyError, GeometryError
from leakseg.geometry import CANONICAL_ORIENTATION, Grid


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
