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
from typing import Annotated, Any, get_args, get_type_hints

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True)
class Unit:
    """Unit of a criterion; ``"1"`` for plain ratios and counts."""

    symbol: str


@dataclass(frozen=True)
class Source:
    """Where a criterion's value comes from."""

    text: str


CONVENTION = Source("convention")


@dataclass(frozen=True, kw_only=True)
class ReadingCriteria:
    """What makes a series fit for analysis, and what a reader may make exact."""

    min_slices: Annotated[int, Ge(1), Unit("1"), CONVENTION] = 10
    """Series with fewer slices are refused."""
    min_coverage_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 20.0
    """Series that cover less than this are refused."""
    max_bridged_gap_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 3.0
    """A single missing slice is bridged by interpolation where the gap stays under this."""


@dataclass(frozen=True, kw_only=True)
class LeakCriteria:
    """Which cement outside bone counts as a leak."""

    min_leak_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 10.0
    """Smaller pieces outside bone are counted in the leaked volume but are no leaks."""
    min_treated_volume_mm3: Annotated[float, Gt(0), Unit("mm3"), CONVENTION] = 200.0
    """A vertebra with at least this much cement inside its bone counts as treated."""


@dataclass(frozen=True, kw_only=True)
class ReviewCriteria:
    """When a case asks for a human reader."""

    min_confidence: Annotated[float, Ge(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """A leak whose confidence is under this asks for a review."""
    min_label_confidence: Annotated[float, Ge(0), Le(1), Unit("1"), CONVENTION] = 0.7
    """A level whose name is less sure than this asks for a review."""


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """All criteria of an analysis, one group a stage."""

    reading: ReadingCriteria = field(default_factory=ReadingCriteria)
    leaks: LeakCriteria = field(default_factory=LeakCriteria)
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
        hints = get_type_hints(type(group), include_extras=True)
        for item in fields(group):
            marks = get_args(hints[item.name])[1:]
            unit = next((mark.symbol for mark in marks if isinstance(mark, Unit)), "")
            source = next((mark.text for mark in marks if isinstance(mark, Source)), "")
            default: Any = item.default
            rows.append(CriterionRow(group_field.name, item.name, getattr(group, item.name), unit, source, default))
    return tuple(rows)


def values(criteria: Criteria) -> dict[str, float | int | str | bool]:
    """Effective values by name, as they stand in a report; names are unique over all groups."""
    return {row.name: row.value for row in table(criteria)}


def digest(criteria: Criteria) -> str:
    """``sha256:...`` over the effective values: equal digests, equal criteria."""
    text = json.dumps({f"{row.group}.{row.name}": row.value for row in table(criteria)}, sort_keys=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
