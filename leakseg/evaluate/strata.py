"""What sets the cases of a study apart, as truth tells it under ``strata``: any of these keys.

``cohort`` (``phantom``, ``implant`` or any other word), ``slice_mm`` (slice thickness, or the longest side of a voxel),
``distractors`` (dense things that are no cement are in view), ``mask_fault`` (how the masks given err; null: not at
all) and ``same_as`` (the case of which this one is the same scan with other masks).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from leakseg.errors import InputError
from leakseg.evaluate.values import CaseScore

THIN_MM = 2.0
"""Slices up to this thickness are thin [convention]."""
MIDDLE_MM = 4.0
"""Those above it and up to this are told as 3 mm slices, those beyond as 5 mm slices [convention]."""

_TEXTS = ("cohort", "mask_fault", "same_as")


def checked_strata(told: Any, where: str) -> Mapping[str, Any]:
    """A document's strata; empty where it tells none.

    Raises
    ------
    InputError
        Where they are no object or a value is not of its kind.
    """
    if told is None:
        return {}
    if not isinstance(told, dict):
        raise InputError(f"'strata' in {where} is no object.")
    for name in _TEXTS:
        if not isinstance(told.get(name), str | None):
            raise InputError(f"'strata.{name}' in {where} is no text.")
    mm = told.get("slice_mm")
    if mm is not None and (isinstance(mm, bool) or not isinstance(mm, int | float) or not isfinite(mm) or mm <= 0):
        raise InputError(f"'strata.slice_mm' in {where} is no length in mm.")
    if not isinstance(told.get("distractors"), bool | None):
        raise InputError(f"'strata.distractors' in {where} is neither true nor false.")
    return told


def cohort(case: CaseScore) -> str:
    """The case's cohort; ``cases`` where truth names none."""
    return str(case.strata.get("cohort") or "cases")


def mask_fault(case: CaseScore) -> str | None:
    """How the masks given err; None: not at all, for all that truth says."""
    fault = case.strata.get("mask_fault")
    return None if fault is None else str(fault)


def is_thin(case: CaseScore) -> bool:
    """Slices of 2 mm and less."""
    return _slice_mm(case) <= THIN_MM


def is_middle(case: CaseScore) -> bool:
    """Slices of about 3 mm."""
    return THIN_MM < _slice_mm(case) <= MIDDLE_MM


def is_thick(case: CaseScore) -> bool:
    """Slices of about 5 mm."""
    return _slice_mm(case) > MIDDLE_MM


def _slice_mm(case: CaseScore) -> float:
    """Slice thickness; 0 where truth tells none, for then no stratum of thick ones may claim the case."""
    return float(case.strata.get("slice_mm") or 0.0)
