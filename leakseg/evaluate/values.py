"""What an evaluation speaks of: leaks as documents tell them, cases, and how each leak fared.

Lengths are mm, volumes mm3; points are DICOM patient coordinates (LPS).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from leakseg.anatomy import VertebraLevel
from leakseg.findings import LeakType

Outcome: TypeAlias = Literal["detected", "missed", "false_positive", "extra_piece"]
"""How a leak fared: a truth leak is detected or missed; a told leak that stands for none is a false positive, or
one more piece of a truth leak that another told leak stands for already."""
MatchedBy: TypeAlias = Literal["overlap", "centroid", "words"]
"""What matched two leaks: shared voxels, their centroids, or what is told of their place."""
CaseStatus: TypeAlias = Literal["done", "refused", "failed", "no_result", "unreadable"]
"""How a truth case ended in the results; `no_result`: they do not name it; `unreadable`: theirs cannot be read."""


@dataclass(frozen=True, eq=False)
class LeakEntry:
    """One leak as a document tells it; ``told`` holds every field under its contract name.

    A field that is missing was not told; one that is None was told to be none or not measurable.
    """

    id: int
    type: LeakType
    level: VertebraLevel
    told: Mapping[str, Any]

    def number(self, name: str) -> float | None:
        """The field as a number; None where it is not told or not measurable."""
        value = self.told.get(name)
        return None if value is None else float(value)


@dataclass(frozen=True, eq=False)
class CaseEntry:
    """One case of the truth or of the results; truth may put it in a ``group``, which is scored on its own too.

    ``strata`` is what truth says sets the case apart; `leakseg.evaluate.strata` names the keys that are read.
    """

    case_id: str
    status: CaseStatus = "done"
    reason: str | None = None
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    leaks: tuple[LeakEntry, ...] = ()
    leaks_file: Path | None = None
    cement_file: Path | None = None
    group: str | None = None
    strata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Codes of the result's quality notes."""


@dataclass(frozen=True)
class Problem:
    """A case that could not be used as it stands, in one sentence."""

    case_id: str
    message: str


@dataclass(frozen=True, eq=False)
class Cohort:
    """All cases of one folder, and what was wrong in it."""

    cases: tuple[CaseEntry, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, eq=False)
class LeakRow:
    """How one leak fared.

    ``truth`` is None for a false positive, ``told`` for a miss. ``matched_by`` says what matched them, with
    ``overlap_mm3`` or ``distance_mm`` where these did; ``note`` says where a missed leak's cement went, ``around`` what
    was measured round a leak that has no counterpart.
    """

    case_id: str
    outcome: Outcome
    truth: LeakEntry | None = None
    told: LeakEntry | None = None
    matched_by: MatchedBy | None = None
    overlap_mm3: float | None = None
    distance_mm: float | None = None
    note: str = ""
    around: str = ""


@dataclass(frozen=True)
class CementScore:
    """Agreement of two masks of cement; None where nothing can be compared.

    ``dice`` in [0, 1]; distances are mm between the masks' borders: the mean of both directions and the 95th
    percentile.
    """

    dice: float | None
    surface_distance_mm: float | None
    hausdorff95_mm: float | None
    truth_mm3: float
    told_mm3: float


@dataclass(frozen=True, eq=False)
class CaseScore:
    """How one truth case fared; ``cement`` by part: ``all`` and ``outside_bone``."""

    case_id: str
    status: CaseStatus
    reason: str | None
    rows: tuple[LeakRow, ...]
    cement: Mapping[str, CementScore]
    group: str | None = None
    strata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
