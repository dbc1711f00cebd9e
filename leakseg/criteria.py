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
class SpineCriteria:
    """How the canal, the bodies, the pedicles and the foramina are read from the masks."""

    min_axis_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 10.0
    """The canal must be followed at least this far."""
    axis_smoothing_mm: Annotated[float, Ge(5), Unit("mm"), CONVENTION] = 15.0
    """Half window of the quadratic that smooths the canal's centreline."""
    axis_margin_mm: Annotated[float, Ge(0), Unit("mm"), CONVENTION] = 8.0
    """The axis is continued this far beyond the vertebrae in view."""
    ring_closing_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 3.0
    """Gaps of the bony ring up to twice this are closed when the canal is looked for in the vertebra masks."""
    min_canal_area_mm2: Annotated[
        float, Gt(0), Unit("mm2"), Source("convention; normal bony canals measure 150 mm2 and more")
    ] = 60.0
    """Smaller holes of the vertebrae are no canal."""
    max_canal_area_mm2: Annotated[float, Gt(0), Unit("mm2"), CONVENTION] = 1200.0
    """Larger holes of the vertebrae are no canal."""
    min_canal_radius_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 2.5
    """Bone nearer to the axis is no wall."""
    max_canal_radius_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 24.0
    """Bone farther from the axis is no wall."""
    min_ring_fraction: Annotated[float, Gt(0), Le(1), Unit("1"), CONVENTION] = 0.6
    """A section whose rays meet bone in at least this share shows the canal."""
    far_hit_ratio: Annotated[float, Gt(1), Unit("1"), CONVENTION] = 1.7
    """Bone farther than this many times the section's middle radius is seen through a foramen."""
    canal_memory_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 20.0
    """The wall is carried over from sections up to this far away."""
    wall_play_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 3.0
    """Bone counts as the wall where it lies within this of the wall carried over."""
    pedicle_depth_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 6.0
    """Pedicles are looked for in this depth behind the posterior wall."""
    min_pedicle_height_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 4.0
    """Lower runs of bone beside the canal are no pedicle."""
    max_pedicle_width_mm: Annotated[
        float, Gt(0), Unit("mm"), Source("Zindrick 1987, Spine 12:160-166")
    ] = 29.0
    """Bone farther lateral of the medial pedicle wall is transverse process."""
    max_disc_height_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 22.0
    """A wider space between two bodies is no disc: a level is missing from the masks."""
    foramen_depth_mm: Annotated[float, Gt(0), Unit("mm"), CONVENTION] = 16.0
    """A foramen reaches at most this far behind the posterior wall where no facet closes it."""


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
    spine: SpineCriteria = field(default_factory=SpineCriteria)
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
