"""``leaks.seg.dcm``: what was found, as a DICOM SEG (PS3.3 A.51, BINARY) on exactly the source's slices.

Every voxel belongs to one segment: cement is taken before canal, and canal before vertebra, so that no
colour hides another and a vertebra shows without the cement in it. Frames that show nothing are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg import terminology as terms
from leakseg.anatomy import VertebraLevel
from leakseg.dicom_series import DicomSeries, Layout, quiet
from leakseg.findings import CaseResult, Leak
from leakseg.terminology import Code
from leakseg.wording import COLOURS, plain

NAME = "leaks.seg.dcm"
_INSIDE = 1
"""Cement inside bone in `CaseFindings.cement_labels`."""
_CEMENT_COLOUR, _BONE_COLOUR, _CANAL_COLOUR = "#F0E442", "#D9CBB0", "#0072B2"
_SERIES_NUMBER = 9801


@dataclass(frozen=True)
class _Segment:
    label: str
    tracking_id: str
    category: Code
    kind: Code
    colour: str
    region: Code | None = None
    side: Code | None = None


def write(result: CaseResult, series: DicomSeries | None, folder: Path) -> tuple[Path, ...]:
    """Write the SEG; nothing where the case holds no cement or the source's slices cannot be used.

    A vertebra and the canal stand in it where leakseg drew them itself. The same scan and the same findings
    give the same bytes and UIDs.
    """
    if series is None or series.layout is None:
        return ()
    drawn = _drawn(result, series.layout)
    if drawn is None:
        return ()
    segments, planes, places = drawn
    with quiet():
        seg = _object(result, series, segments, planes, places)
        path = folder / NAME
        seg.save_as(path)
    return (path,)


def _drawn(result: CaseResult, layout: Layout) -> tuple[list[_Segment], NDArray[Any], NDArray[np.intp]] | None:
    """Segments that show, ``(slices, rows, columns)`` segment numbers, and each slice's place in the stack."""
    cement = layout.planes(result.findings.cement_labels.labels)
    leaks = layout.planes(result.findings.leak_labels.labels)
    masks = result.masks
    shown = (cement == _INSIDE).any(axis=(1, 2)) | leaks.any(axis=(1, 2))
    if not shown.any():
        return None
    if masks.from_builtin:
        vertebrae = layout.planes(masks.vertebrae)
        canal = None if masks.canal is None else layout.planes(masks.canal)
        shown |= vertebrae.any(axis=(1, 2))
        shown |= False if canal is None else canal.any(axis=(1, 2))
    places = np.intersect1d(np.flatnonzero(shown), layout.places)
    segments = list(_segments(result))
    number = {segment.tracking_id: position + 1 for position, segment in enumerate(segments)}
    planes = np.zeros((len(places), *cement.shape[1:]), np.uint8 if len(segments) < 256 else np.uint16)
    if masks.from_builtin:
        planes[:] = _table(vertebrae, {level.number: number[str(level)] for level in masks.levels()})[vertebrae[places]]
        if canal is not None:
            planes[canal[places]] = number["canal"]
    planes[cement[places] == _INSIDE] = number["cement inside bone"]
    told = {leak.id: number[f"leak {leak.id}"] for leak in result.report.leaks}
    leaked = _table(leaks, told)[leaks[places]]
    np.copyto(planes, leaked, where=leaked > 0, casting="same_kind")
    return _only_shown(segments, planes, places)


def _only_shown(
    segments: list[_Segment], planes: NDArray[Any], places: NDArray[np.intp]
) -> tuple[list[_Segment], NDArray[Any], NDArray[np.intp]] | None:
    counts = np.bincount(planes.ravel(), minlength=len(segments) + 1)[1:]
    present = np.flatnonzero(counts)
    if len(present) == len(segments):
        return segments, planes, places
    table = np.zeros(len(segments) + 1, planes.dtype)
    table[present + 1] = np.arange(1, len(present) + 1)
    return ([segments[one] for one in present], table[planes], places) if len(present) else None


def _table(labels: NDArray[Any], numbers: dict[int, int]) -> NDArray[Any]:
    """Segment number by label; labels that are no segment become 0."""
    highest = max(int(labels.max(initial=0)), *numbers, 0)
    table = np.zeros(highest + 1, np.uint8 if len(numbers) < 200 else np.uint16)
    for label, number in numbers.items():
        table[label] = number
    return table


def _segments(result: CaseResult) -> Iterator[_Segment]:
    labels: dict[str, int] = {}
    for leak in result.report.leaks:
        label = leak_label(leak)
        labels[label] = labels.get(label, 0) + 1
        yield _Segment(
            label if labels[label] == 1 else f"{label} {labels[label]}",
            f"leak {leak.id}",
            terms.PHYSICAL_OBJECT,
            terms.LEAK_TYPE_CODES[leak.type],
            COLOURS[leak.type],
            terms.level_code(leak.level),
            terms.SIDE_CODES[leak.side],
        )
    inside = "cement inside bone"
    yield _Segment(inside, inside, terms.PHYSICAL_OBJECT, terms.CEMENT_IN_BONE, _CEMENT_COLOUR, terms.VERTEBRA)
    if not result.masks.from_builtin:
        return
    for level in result.masks.levels():
        yield _vertebra(level)
    if result.masks.canal is not None:
        kind = terms.VERTEBRAL_CANAL
        yield _Segment("spinal canal", "canal", terms.ANATOMICAL_STRUCTURE, kind, _CANAL_COLOUR)


def leak_label(leak: Leak) -> str:
    """E.g. "L1 epidural left"."""
    return f"{leak.level} {plain(leak.type)} {plain(leak.side)}"


def _vertebra(level: VertebraLevel) -> _Segment:
    kind = terms.level_code(level)
    return _Segment(f"{level} vertebra", str(level), terms.ANATOMICAL_STRUCTURE, kind, _BONE_COLOUR)


def _object(
    result: CaseResult,
    series: DicomSeries,
    segments: list[_Segment],
    planes: NDArray[Any],
    places: NDArray[np.intp],
) -> Any:
    from highdicom.coding_schemes import CodingSchemeIdentificationItem
    from highdicom.seg import Segmentation, SegmentationTypeValues
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    layout = series.layout
    assert layout is not None
    version = result.report.provenance.leakseg
    digest = hashlib.sha256(planes.data).hexdigest()
    content = [version, repr(segments), repr(places.tolist()), digest, series.date, series.time]
    identity = [str(series.first.SeriesInstanceUID), "SEG", *content]
    order = {place: position for position, place in enumerate(places.tolist())}
    if series.multi_frame:
        sources: list[Any] = list(series.headers)
        frames = np.zeros((len(layout.places), *planes.shape[1:]), planes.dtype)
        for frame, place in enumerate(layout.places):
            if place in order:
                frames[frame] = planes[order[place]]
    else:
        header_at = dict(zip(reversed(layout.places), reversed(series.headers), strict=True))
        sources = [header_at[place] for place in places.tolist()]
        frames = planes
    seg = Segmentation(
        source_images=sources,
        pixel_array=frames,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[
            _description(one, position + 1, version, generate_uid(entropy_srcs=[*identity, one.tracking_id]))
            for position, one in enumerate(segments)
        ],
        series_instance_uid=generate_uid(entropy_srcs=[*identity, "series"]),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=generate_uid(entropy_srcs=[*identity, "instance"]),
        instance_number=1,
        manufacturer="leakseg",
        manufacturer_model_name="leakseg",
        software_versions=version,
        device_serial_number=version,
        content_label="LEAKSEG",
        content_description="Bone cement and its leaks; research use only",
        content_creator_name="leakseg^",
        series_description="leakseg: bone cement leaks",
        content_date=series.date,
        content_time=series.time,
        coding_schemes=[CodingSchemeIdentificationItem(terms.PRIVATE_SCHEME, name="leakseg's own codes")],
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    _same_every_time(seg, generate_uid(entropy_srcs=[*identity, "dimensions"]))
    return seg


def _description(segment: _Segment, number: int, version: str, uid: str) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    def coded(code: Code) -> CodedConcept:
        return CodedConcept(value=code[1], scheme_designator=code[0], meaning=code[2])

    colour = tuple(int(segment.colour[start : start + 2], 16) for start in (1, 3, 5))
    description = SegmentDescription(
        segment_number=number,
        segment_label=segment.label,
        segmented_property_category=coded(segment.category),
        segmented_property_type=coded(segment.kind),
        algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=AlgorithmIdentificationSequence(
            "leakseg", codes.cid7162.MorphologicalOperations, version
        ),
        tracking_uid=uid,
        tracking_id=segment.tracking_id,
        anatomic_regions=None if segment.region is None else [coded(segment.region)],
        display_color=CIELabColor.from_rgb(*colour),
    )
    if segment.side is not None:
        description.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [coded(segment.side)]
    return description


def _same_every_time(seg: Any, dimensions_uid: str) -> None:
    """Take out the moments and the random UID that highdicom puts in."""
    del seg.InstanceCreationDate, seg.InstanceCreationTime
    for item in seg.get("ContributingEquipmentSequence", ()):
        if "ContributionDateTime" in item:
            del item.ContributionDateTime
    seg.DimensionOrganizationSequence[0].DimensionOrganizationUID = dimensions_uid
    for item in seg.DimensionIndexSequence:
        item.DimensionOrganizationUID = dimensions_uid
