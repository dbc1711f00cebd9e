"""Anchors: a reader pins the name of one vertebra, and the others follow.

Written ``[CASE:]LEVEL@Z``: the vertebra whose body holds patient height ``Z`` (mm, DICOM patient
coordinates, up is positive) is ``LEVEL``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.errors import AnatomyError, ConfigError

_SACRAL = (VertebraLevel.S1, VertebraLevel.S2)


@dataclass(frozen=True)
class Anchor:
    """One pinned level; ``case_id`` is None where it means the only case of a run."""

    level: VertebraLevel
    z_mm: float
    case_id: str | None = None

    def __str__(self) -> str:
        case = f"{self.case_id}:" if self.case_id is not None else ""
        return f"{case}{self.level}@{self.z_mm:g}"


def parse_anchor(text: str) -> Anchor:
    """The anchor written as ``[CASE:]LEVEL@Z``.

    Raises
    ------
    ConfigError
        Where the text is something else.

    Examples
    --------
    >>> parse_anchor("case-7:L1@-412.5")
    Anchor(level=<VertebraLevel.L1: 'L1'>, z_mm=-412.5, case_id='case-7')
    """
    front, at, height = text.rpartition("@")
    case, colon, name = front.rpartition(":")
    try:
        level, z_mm = VertebraLevel(name.upper()), float(height)
    except ValueError:
        level, z_mm = VertebraLevel.L1, math.nan
    if not at or not math.isfinite(z_mm) or (colon and not case):
        raise ConfigError(
            f"The anchor {text!r} is not of the form [CASE:]LEVEL@Z, such as case-7:L1@-412.5 (Z in mm, patient "
            "coordinates)."
        )
    return Anchor(level, z_mm, case or None)


def apply_anchor(masks: SpineMasks, anchor: Anchor) -> SpineMasks:
    """The same masks with the vertebra at the anchor's height renamed, and the others after it.

    Names keep their distances: where ``L2`` becomes ``L1``, ``L4`` becomes ``L3``. A sacrum stays a
    sacrum, and T13 is counted only where the masks or the anchor name it.

    Raises
    ------
    AnatomyError
        Where no vertebra lies at that height, or where a name would run beyond the spine.
    """
    found = _level_at(masks, anchor.z_mm)
    renamed = _rename(masks.levels(), found, anchor)
    lookup = np.arange(256, dtype=np.uint8)
    for old, new in renamed.items():
        lookup[old.number] = new.number
    confidence: dict[VertebraLevel, float | None] = dict.fromkeys(renamed.values(), 1.0)
    return replace(masks, vertebrae=lookup[masks.vertebrae], label_confidence=confidence)


def _level_at(masks: SpineMasks, z_mm: float) -> VertebraLevel:
    """The level with the most of its body in the slice-thick plane at that height."""
    index = np.argwhere(masks.vertebrae)
    numbers = masks.vertebrae[tuple(index.T)]
    point = masks.grid.to_patient(index)
    in_body = masks.bodies[tuple(index.T)] if masks.bodies is not None else _in_front(numbers, point[:, 1])
    half_slice = np.abs(masks.grid.affine[2, :3]).max() / 2
    at_height = np.abs(point[:, 2] - z_mm) <= half_slice
    counts = np.bincount(numbers[in_body & at_height], minlength=2)
    if not counts.any():
        low, high = (point[in_body, 2].min(), point[in_body, 2].max()) if in_body.any() else (0.0, 0.0)
        raise AnatomyError(
            f"No vertebral body lies at the anchor's height z = {z_mm:g} mm: the bodies in the masks reach from "
            f"{low:.1f} to {high:.1f} mm with discs between them; choose a height inside a body."
        )
    return VertebraLevel.from_number(int(np.argmax(counts)))


def _in_front(numbers: NDArray[np.uint8], y_mm: NDArray[Any]) -> NDArray[np.bool_]:
    """Voxels in front of their own vertebra's centre: body, no spinous process that hangs a level lower."""
    counts = np.maximum(np.bincount(numbers), 1)
    centres = np.bincount(numbers, weights=y_mm) / counts
    return np.asarray(y_mm < centres[numbers], dtype=np.bool_)


def _rename(
    levels: tuple[VertebraLevel, ...], found: VertebraLevel, anchor: Anchor
) -> dict[VertebraLevel, VertebraLevel]:
    if found == anchor.level:
        return {level: level for level in levels}
    if found in _SACRAL or anchor.level in _SACRAL:
        raise AnatomyError(
            f"The anchor names {anchor.level} where the masks have {found}: a sacrum and a vertebra cannot stand "
            "for each other; anchor a vertebra above the sacrum."
        )
    old, new = _chain(levels), _chain((*levels, anchor.level))
    names = {}
    for level in levels:
        if level in _SACRAL:
            names[level] = level
            continue
        position = new.index(anchor.level) + old.index(level) - old.index(found)
        if not 0 <= position < len(new):
            raise AnatomyError(
                f"The anchor makes {found} to {anchor.level}; {level} would then lie beyond {new[0]} to {new[-1]}. "
                "Check the anchor's level and height."
            )
        names[level] = new[position]
    return names


def _chain(named: tuple[VertebraLevel, ...]) -> list[VertebraLevel]:
    """Levels above the sacrum in their order, T13 only where it is named."""
    has_t13 = VertebraLevel.T13 in named
    return [level for level in VertebraLevel if level not in _SACRAL and (has_t13 or level != VertebraLevel.T13)]
