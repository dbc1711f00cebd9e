"""Every threshold of the method, once: value, unit, bound and source.

One frozen dataclass a stage, one field a number. The source says which kind it is: a publication (with
DOI), a standard (DICOM part), *measured here* (with the command that measures it) or *convention*.
A recipe may override any of them; the effective values and their digest go into every report.
`leakseg show criteria` prints the table.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

from leakseg.criteria.anatomy import BuiltinCriteria, MaskCriteria, MissingCriteria, OutlineCriteria, SpineCriteria
from leakseg.criteria.cement import CementCriteria
from leakseg.criteria.distant import DistantCriteria
from leakseg.criteria.leaks import ClassifyCriteria, LeakCriteria, ReviewCriteria
from leakseg.criteria.marks import CONVENTION, Source, Unit
from leakseg.criteria.scan import QualityCriteria, ReadingCriteria

__all__ = [
    "CONVENTION",
    "BuiltinCriteria",
    "CementCriteria",
    "ClassifyCriteria",
    "Criteria",
    "CriterionRow",
    "DistantCriteria",
    "LeakCriteria",
    "MaskCriteria",
    "MissingCriteria",
    "OutlineCriteria",
    "QualityCriteria",
    "ReadingCriteria",
    "ReviewCriteria",
    "Source",
    "SpineCriteria",
    "Unit",
    "digest",
    "table",
    "values",
]


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """All criteria of an analysis, one group a stage."""

    reading: ReadingCriteria = field(default_factory=ReadingCriteria)
    masks: MaskCriteria = field(default_factory=MaskCriteria)
    spine: SpineCriteria = field(default_factory=SpineCriteria)
    outline: OutlineCriteria = field(default_factory=OutlineCriteria)
    missing: MissingCriteria = field(default_factory=MissingCriteria)
    builtin: BuiltinCriteria = field(default_factory=BuiltinCriteria)
    cement: CementCriteria = field(default_factory=CementCriteria)
    leaks: LeakCriteria = field(default_factory=LeakCriteria)
    classify: ClassifyCriteria = field(default_factory=ClassifyCriteria)
    distant: DistantCriteria = field(default_factory=DistantCriteria)
    quality: QualityCriteria = field(default_factory=QualityCriteria)
    review: ReviewCriteria = field(default_factory=ReviewCriteria)


@dataclass(frozen=True)
class CriterionRow:
    """One line of `leakseg show criteria`."""

    group: str
    name: str
    value: float | int | str | bool
    unit: str
    source: str
    default: float | int | str | bool


def table(criteria: Criteria | None = None) -> tuple[CriterionRow, ...]:
    """Every criterion with its effective value, unit and source, in order of definition.

    >>> [row.value for row in table() if row.name == "min_leak_volume_mm3"]
    [10.0]
    """
    effective = criteria or Criteria()
    rows = []
    for group_field in fields(effective):
        group = getattr(effective, group_field.name)
        assert is_dataclass(group)
        kind: Any = type(group)
        hints = _hints(kind)
        for item in fields(group):
            marks = get_args(hints[item.name])[1:]
            unit = next((mark.symbol for mark in marks if isinstance(mark, Unit)), "")
            source = next((mark.text for mark in marks if isinstance(mark, Source)), "")
            default: Any = item.default
            rows.append(CriterionRow(group_field.name, item.name, getattr(group, item.name), unit, source, default))
    return tuple(rows)


@cache
def _hints(group: Any) -> dict[str, Any]:
    """Types of a group's criteria with their marks; made out once, for every case's report has them."""
    return get_type_hints(group, include_extras=True)


def values(criteria: Criteria) -> dict[str, float | int | str | bool]:
    """Effective values by name, as they stand in a report; names are unique over all groups."""
    return {row.name: row.value for row in table(criteria)}


def digest(criteria: Criteria) -> str:
    """``sha256:...`` over the effective values: equal digests, equal criteria."""
    text = json.dumps({f"{row.group}.{row.name}": row.value for row in table(criteria)}, sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
