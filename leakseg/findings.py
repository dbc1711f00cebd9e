"""What leakseg says of a case: notes, levels, cement, leaks; plain data, `report.json` field by field.

Lengths are mm, volumes mm3, densities HU; points are DICOM patient coordinates (LPS). ``None`` means
"not measurable", never zero.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leakseg.amendments import Amended
from leakseg.anatomy import SpineAnatomy, SpineMasks, VertebraLevel
from leakseg.geometry import Grid
from leakseg.volume import LabelMap, Volume

SCHEMA_VERSION = "1.0"
DISCLAIMER = (
    "Research and quality work only: not a medical device, not for diagnosis, no advice. "
    "Every finding must be checked on the images by a qualified reader."
)

Point = tuple[float, float, float]


class LeakType(StrEnum):
    """Where leaked cement lies (place)."""

    EPIDURAL = "epidural"
    FORAMINAL = "foraminal"
    VENOUS = "venous"
    INTRADISCAL = "intradiscal"
    PARAVERTEBRAL = "paravertebral"
    UNDETERMINED = "undetermined"


class LeakSubtype(StrEnum):
    """Finer place or shape within a type."""

    CENTRAL = "central"
    PARACENTRAL = "paracentral"
    PEDICLE_BREACH = "pedicle_breach"
    SEGMENTAL = "segmental"
    ANTERIOR_EXTERNAL = "anterior_external"
    ASCENDING_LUMBAR = "ascending_lumbar"
    CAVAL = "caval"
    OTHER = "other"
    NEEDLE_TRACK = "needle_track"
    SOFT_TISSUE = "soft_tissue"


class LeakRoute(StrEnum):
    """How cement got out (Yeom et al. 2003, J Bone Joint Surg Br 85:83-9, and its extension D)."""

    BASIVERTEBRAL = "B"
    SEGMENTAL = "S"
    CORTICAL = "C"
    DISC = "D"
    NEEDLE = "needle"


class Side(StrEnum):
    """The patient's side, not the picture's."""

    LEFT = "left"
    RIGHT = "right"
    MIDLINE = "midline"
    BILATERAL = "bilateral"


Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class QualityNote:
    """Something a reader of the report must know; ``warning`` and ``error`` ask for a review."""

    code: str
    severity: Severity
    message: str


@dataclass(frozen=True)
class Evidence:
    """One criterion of a decision: what was measured, against which limit, met or not."""

    criterion: str
    measured: float | None
    limit: float | None
    unit: str
    met: bool


@dataclass(frozen=True)
class SeriesReport:
    """The scan, as far as a report may name it."""

    modality: str
    kvp: float | None
    kernel: str | None
    spacing_mm: tuple[float, float, float]
    slices: int
    study_instance_uid: str | None
    series_instance_uid: str | None
    frame_of_reference_uid: str | None


@dataclass(frozen=True)
class MasksReport:
    """Where the masks came from."""

    provider: str
    version: str
    scheme: str | None
    canal_from: Literal["mask", "cord", "vertebrae", "builtin"]
    canal_confidence: float | None = None
    """How well the image shows the wall of a canal that leakseg drew itself, where it shows it least, 0 to 1."""


@dataclass(frozen=True)
class LevelReport:
    """One vertebra."""

    level: VertebraLevel
    in_view: Literal["whole", "part"]
    treated: bool
    cement_volume_mm3: float
    body_volume_mm3: float | None
    fill_fraction: float | None
    label_confidence: float | None
    canal_encroachment_fraction: float | None


@dataclass(frozen=True)
class CementReport:
    """All cement of the scan."""

    total_volume_mm3: float
    inside_volume_mm3: float
    leaked_volume_mm3: float
    threshold_hu: float | None
    threshold_method: str
    clipped_voxel_fraction: float
    metal_volume_mm3: float


@dataclass(frozen=True)
class Leak:
    """One leak: cement outside bone, in one place, from one vertebra."""

    id: int
    type: LeakType
    subtype: LeakSubtype | None
    route: LeakRoute | None
    level: VertebraLevel
    segment: str
    exiting_root: str | None
    side: Side
    volume_mm3: float
    centroid_mm: Point
    component: int
    extent_mm: Point
    mean_hu: float
    canal_encroachment_fraction: float | None
    max_sagittal_diameter_mm: float | None
    foraminal_occupation_fraction: float | None
    distance_to_canal_mm: float | None
    confidence: float | None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class PatientPattern:
    """The leaks of one patient taken together."""

    types: tuple[LeakType, ...]
    bilateral: bool
    combined: bool
    profuse: bool


@dataclass(frozen=True)
class SurgicalNote:
    """What the founding study reports for such a leak; never advice."""

    approach: Literal["A", "B"] | None
    staged: bool
    basis: str


@dataclass(frozen=True)
class Provenance:
    """What made the report."""

    leakseg: str
    classifier: str
    criteria_digest: str
    input_digest: str


@dataclass(frozen=True)
class CaseReport:
    """`report.json`, whole; ``amended`` stands in it only where a reader corrected the case."""

    case_id: str
    needs_review: bool
    series: SeriesReport
    masks: MasksReport
    levels: tuple[LevelReport, ...]
    cement: CementReport
    leaks: tuple[Leak, ...]
    patient_pattern: PatientPattern
    surgical_note: SurgicalNote | None
    quality: tuple[QualityNote, ...]
    criteria: dict[str, float | int | str | bool]
    provenance: Provenance
    schema_version: str = SCHEMA_VERSION
    status: Literal["done"] = "done"
    disclaimer: str = field(default=DISCLAIMER)
    amended: Amended | None = None


@dataclass(frozen=True)
class Judgement:
    """What a classifier says of one candidate."""

    type: LeakType
    subtype: LeakSubtype | None = None
    route: LeakRoute | None = None
    confidence: float | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, eq=False)
class LeakCandidate:
    """One piece of cement outside bone in one place: what was measured, before anyone judges it.

    Parameters
    ----------
    id, component
        Number of the leak to be, and of the connected piece of cement it belongs to.
    features
        Measured values by name, units in the names; None where not measurable.
    place
        The place that geometry gives it (``"canal"``, ``"foramen"``, ``"disc"``, ``"outside"``).
    level, segment, side, exiting_root
        As in `Leak`.
    hu
        ``(k, j, i)`` crop of the scan round the candidate, with its ``mask`` (same shape) and ``grid``.
    """

    id: int
    component: int
    place: str
    level: VertebraLevel
    segment: str
    side: Side
    exiting_root: str | None
    features: dict[str, float | None]
    hu: NDArray[Any]
    mask: NDArray[np.bool_]
    grid: Grid


@dataclass(frozen=True, eq=False)
class CaseFindings:
    """What the analysis of one volume found; the hall (`leakseg.case`) makes the report of it."""

    masks: MasksReport
    levels: tuple[LevelReport, ...]
    cement: CementReport
    leaks: tuple[Leak, ...]
    patient_pattern: PatientPattern
    notes: tuple[QualityNote, ...]
    needs_review: bool
    cement_labels: LabelMap
    """0 none, 1 cement inside bone, 2 cement outside bone, 3 metal."""
    leak_labels: LabelMap
    """Voxel value = leak id."""
    candidates: tuple[LeakCandidate, ...] = ()
    anatomy: SpineAnatomy | None = None
    """The spine that the leaks were placed by; pictures draw its canal where no mask shows one."""


@dataclass(frozen=True, eq=False)
class CaseResult:
    """What a writer receives: the report and the voxels behind it."""

    report: CaseReport
    volume: Volume
    masks: SpineMasks
    findings: CaseFindings
