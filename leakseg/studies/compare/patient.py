"""Whether the scans of a comparison are of one patient and in their order, as far as their headers say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from leakseg.volume import ScanSource

_TAGS = ("PatientIdentityRemoved", "PatientID", "PatientBirthDate", "StudyDate")


@dataclass(frozen=True)
class Taken:
    """Of whom and when a scan was taken; compared, and never told: all empty where the header names no patient."""

    patient_id: str = field(default="", repr=False)
    birth_date: str = field(default="", repr=False)
    date: str = field(default="", repr=False)


def taken(source: ScanSource) -> Taken:
    """What the scan's first header says; a de-identified one may name a patient in many ways, and counts as empty."""
    if source.kind != "dicom":
        return Taken()
    import pydicom

    header = pydicom.dcmread(source.files[0], stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
    removed, *values = (str(header.get(keyword) or "").strip() for keyword in _TAGS)
    return Taken() if removed.upper() == "YES" else Taken(*values)


def doubts(scans: Sequence[tuple[str, Taken]]) -> list[str]:
    """One sentence for each pair of scans, named in the order they were given, that hardly belong together so."""
    told = []
    for (name, one), (later_name, other) in pairwise(scans):
        unlike = [
            what
            for what, was, now in (
                ("patient IDs", one.patient_id, other.patient_id),
                ("birth dates", one.birth_date, other.birth_date),
            )
            if was and now and was != now
        ]
        if unlike:
            told.append(
                f"The headers of the {name} and the {later_name} scan hold different {' and '.join(unlike)}: "
                "check that both are of one patient."
            )
        if one.date and other.date and other.date < one.date:
            told.append(
                f"By its header the {later_name} scan was taken before the {name} scan: "
                "check that they are named in their order."
            )
    return told
