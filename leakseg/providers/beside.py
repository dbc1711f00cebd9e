"""What ``--masks auto`` finds beside a scan: a DICOM SEG of its study, or files named by role."""

from __future__ import annotations

import os
from itertools import chain, islice
from pathlib import Path
from typing import Any

from leakseg.errors import AnatomyError
from leakseg.findings import QualityNote
from leakseg.providers.folder import role_named
from leakseg.providers.names import VERTEBRAE, stem_of
from leakseg.providers.schemes import Scheme
from leakseg.providers.segments import holds_vertebrae, read_seg_header
from leakseg.providers.values import MaskFile, all_beside, own_files
from leakseg.volume import ScanSource

_DICOM_ENDINGS = (".dcm", "")
_MOST_SERIES_FOLDERS = 64
_LARGEST_SEG_FOLDER = 8


def masks_beside(scan: ScanSource, scheme: Scheme | None) -> tuple[tuple[MaskFile, ...], tuple[QualityNote, ...]]:
    """The masks beside the scan, or none; the notes say what was passed over and why."""
    notes: list[QualityNote] = []
    own = own_files(scan)
    beside = [all_beside(place, own) for place in _places(scan) if place.is_dir()]
    seg = _seg_of_study(scan, beside, own, notes)
    if seg is not None:
        return (MaskFile(seg, "seg"),), tuple(notes)
    for paths in beside:
        try:
            masks = role_named(paths, own, scheme)
        except AnatomyError as error:
            notes.append(_passed(f"Masks beside the scan were passed over: {error}"))
            continue
        if any(mask.role == VERTEBRAE or mask.role[:1] in "CTLS" for mask in masks):
            return tuple(masks), tuple(notes)
        if masks:
            notes.append(_passed("Masks beside the scan were passed over: they hold no vertebrae."))
    return (), tuple(notes)


def _places(scan: ScanSource) -> list[Path]:
    """The scan's folder, its ``masks/``, and its counterpart under ``masks/`` beside ``scans/``."""
    folder = scan.folder.absolute()
    places = [folder, folder / "masks"]
    for ancestor in (folder, *folder.parents):
        if ancestor.name == "scans":
            counterpart = ancestor.parent / "masks" / folder.relative_to(ancestor)
            if scan.kind != "dicom" and scan.files:
                places.append(counterpart / stem_of(scan.files[0].name))
            if ancestor != folder:
                places.append(counterpart)
            break
    return places


def _seg_of_study(scan: ScanSource, beside: list[list[Path]], own: set[str], notes: list[QualityNote]) -> Path | None:
    """The newest DICOM SEG of the scan's study and frame that holds vertebrae, its own series' first."""
    if scan.study_instance_uid is None:
        return None
    found: list[tuple[tuple[bool, str, str], Path]] = []
    for path in _dicom_files([*beside, *(all_beside(place, own) for place in _series_folders(scan))], own):
        header = read_seg_header(path)
        if header is None or str(header.get("StudyInstanceUID", "")) != scan.study_instance_uid or _ours(header):
            continue
        try:
            usable = holds_vertebrae(header) and _same_frame(header, scan)
        except AnatomyError as error:
            notes.append(_passed(f"A DICOM SEG beside the scan was passed over: {error}"))
            continue
        if usable:
            moment = f"{header.get('ContentDate', '')}{header.get('ContentTime', '')}"
            found.append(((_refers_to(header, scan), moment, path.name), path))
    if len(found) > 1:
        notes.append(
            QualityNote(
                "mask_seg_choice",
                "warning",
                f"{len(found)} DICOM SEG of this study hold vertebrae; the newest that refers to this series was used.",
            )
        )
    return max(found)[1] if found else None


def _dicom_files(beside: list[list[Path]], own: set[str]) -> list[Path]:
    files = {}
    for path in chain.from_iterable(beside):
        if path.suffix.lower() in _DICOM_ENDINGS and path.is_file() and (real := os.path.realpath(path)) not in own:
            files[real] = path
    return list(files.values())


def _series_folders(scan: ScanSource) -> list[Path]:
    """The study's other series folders, where PACS exports put a SEG: small ones, beside the scan's own."""
    if scan.kind != "dicom" or "/" not in scan.relative_path:
        return []
    folder = scan.folder.absolute()
    with os.scandir(folder.parent) as entries:
        others = (Path(entry.path) for entry in entries if entry.name != folder.name)
        siblings = list(islice((path for path in others if path.is_dir()), _MOST_SERIES_FOLDERS + 1))
    if len(siblings) > _MOST_SERIES_FOLDERS:  # no study's, and not to be gone through for each of its thousand cases
        return []
    return [path for path in sorted(siblings) if sum(1 for _ in path.iterdir()) <= _LARGEST_SEG_FOLDER]


def _ours(header: Any) -> bool:
    """Whether leakseg's own results lie there: they are no masks to start from."""
    return str(header.get("ManufacturerModelName", "")).strip().lower() == "leakseg"


def _same_frame(header: Any, scan: ScanSource) -> bool:
    import pydicom

    first = pydicom.dcmread(scan.files[0], stop_before_pixels=True, specific_tags=["FrameOfReferenceUID"])
    frames = {str(header.get("FrameOfReferenceUID", "")), str(first.get("FrameOfReferenceUID", ""))} - {""}
    return len(frames) < 2


def _refers_to(header: Any, scan: ScanSource) -> bool:
    series = {str(item.get("SeriesInstanceUID", "")) for item in header.get("ReferencedSeriesSequence", ())}
    return scan.series_instance_uid in series


def _passed(text: str) -> QualityNote:
    return QualityNote("masks_passed_over", "info", text)
