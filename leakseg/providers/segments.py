"""What the segments of a DICOM SEG stand for, read from its header (PS3.3 C.8.20.4)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leakseg.anatomy import VertebraLevel
from leakseg.errors import AnatomyError, LeaksegError
from leakseg.providers.names import Meaning, Structure, meaning_of
from leakseg.terminology import (
    BONE,
    INTERVERTEBRAL_DISC,
    LEVEL_CODES,
    SACRUM,
    SPINAL_CORD,
    VERTEBRA,
    VERTEBRAL_BODY,
    VERTEBRAL_CANAL,
    Code,
)

SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage and Label Map Segmentation Storage."""

_CODES: tuple[tuple[Code, Meaning], ...] = (
    *((code, level) for level, code in LEVEL_CODES.items()),
    (SACRUM, VertebraLevel.S1),
    (VERTEBRAL_BODY, Structure.BODY),
    (VERTEBRAL_CANAL, Structure.CANAL),
    (SPINAL_CORD, Structure.CORD),
    (INTERVERTEBRAL_DISC, Structure.DISC),
)


def read_seg_header(path: Path) -> Any | None:
    """Header of a DICOM SEG, without its frames; None where the file is something else."""
    import pydicom
    from pydicom.filereader import read_file_meta_info

    try:
        if str(read_file_meta_info(path).get("MediaStorageSOPClassUID", "")) not in SEG_CLASSES:
            return None
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        return dataset if str(dataset.get("SOPClassUID", "")) in SEG_CLASSES else None
    except Exception:  # whatever a damaged header makes pydicom raise: it is no SEG that can be read
        return None


def segment_meanings(dataset: Any) -> dict[int, Meaning | None]:
    """What each segment shows, by segment number; None where neither code nor label names it.

    Raises
    ------
    AnatomyError
        Where a segment's code and its label name different vertebrae, or the segments cannot be read.
    """
    try:
        return _meanings(dataset)
    except LeaksegError:
        raise
    except Exception as error:  # values are read when they are asked for, and a damaged one may raise anything
        raise AnatomyError("The segments of the DICOM SEG are damaged; export it again.") from error


def _meanings(dataset: Any) -> dict[int, Meaning | None]:
    meanings: dict[int, Meaning | None] = {}
    for segment in dataset.get("SegmentSequence", ()):
        number = int(segment.SegmentNumber)
        by_code = _by_code(segment)
        by_label = meaning_of(str(segment.get("SegmentLabel", "")))
        if by_code is not None and by_label is not None and by_code != by_label:
            if isinstance(by_code, VertebraLevel) and isinstance(by_label, VertebraLevel):
                raise AnatomyError(
                    f"Segment {number} of the DICOM SEG is labelled {by_label} but coded as {by_code}; "
                    "correct one of them and export it again."
                )
            by_code = None
        meanings[number] = by_code or by_label
    return meanings


def holds_vertebrae(dataset: Any) -> bool:
    """Whether any segment names a vertebra."""
    return any(isinstance(meaning, VertebraLevel) for meaning in segment_meanings(dataset).values())


def _by_code(segment: Any) -> Meaning | None:
    kind = next(iter(segment.get("SegmentedPropertyTypeCodeSequence", ())), None)
    if kind is None:
        return None
    direct = _meaning_of_code(kind)
    if direct is not None or not any(_same(kind, code) for code in (VERTEBRA, BONE)):
        return direct
    for keyword in ("AnatomicRegionSequence", "PrimaryAnatomicStructureSequence"):
        for region in segment.get(keyword, ()):
            meaning = _meaning_of_code(region)
            if isinstance(meaning, VertebraLevel):
                return meaning
    return None


def _meaning_of_code(item: Any) -> Meaning | None:
    return next((meaning for code, meaning in _CODES if _same(item, code)), None)


def _same(item: Any, code: Code) -> bool:
    """Whether a code sequence item is that code; pydicom knows SNOMED's older RT values too."""
    from pydicom.sr.coding import Code as DicomCode

    value, scheme = str(item.get("CodeValue", "")), str(item.get("CodingSchemeDesignator", ""))
    wanted = DicomCode(code[1], code[0], code[2])
    return bool(value and scheme and DicomCode(value, scheme, str(item.get("CodeMeaning", ""))) == wanted)
