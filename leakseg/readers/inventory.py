"""What lies in the folders: studies, their series, what would be analysed, and what was passed over."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from leakseg.findings import QualityNote
from leakseg.volume import ScanSource, Volume


@dataclass(frozen=True)
class SeriesEntry:
    """One series or image file.

    ``source.case_id`` is empty for series that make no case. ``analysable`` says whether the headers
    allow an analysis, ``reason`` why not; ``chosen`` whether it is the one of its study to analyse and
    ``choice`` why, in one sentence, where there was a choice. ``z_range_mm`` are the patient heights of
    its lowest and highest voxels.
    """

    source: ScanSource
    modality: str
    slices: int
    spacing_mm: tuple[float, float, float] | None
    analysable: bool
    reason: str | None = None
    chosen: bool = False
    choice: str = ""
    notes: tuple[QualityNote, ...] = ()
    z_range_mm: tuple[float, float] | None = None


@dataclass(frozen=True)
class StudyEntry:
    """One study; an image file that is no DICOM is a study of its own, without a UID."""

    study_instance_uid: str | None
    path: Path
    series: tuple[SeriesEntry, ...]


@dataclass(frozen=True)
class IgnoredFile:
    """A file or folder that was passed over, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Inventory:
    """Everything found under SCANS."""

    studies: tuple[StudyEntry, ...] = ()
    ignored: tuple[IgnoredFile, ...] = ()
    _cases: tuple[SeriesEntry, ...] = field(default=(), repr=False)

    def cases(self) -> tuple[SeriesEntry, ...]:
        """The series to analyse or to list as refused, in a fixed order, each with a case_id of its own.

        For each study with CT its chosen series (every analysable one where all were asked for), or one
        refused entry where none can be analysed.
        """
        return self._cases


@dataclass(frozen=True, eq=False)
class ReadScan:
    """A volume and what a reader of its report must know of how it was read."""

    volume: Volume
    notes: tuple[QualityNote, ...] = ()
