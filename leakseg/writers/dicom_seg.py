"""``leaks.seg.dcm``: what was found, as a DICOM SEG (PS3.3 A.51, BINARY) on exactly the source's slices.

Every voxel belongs to one segment: cement is taken before canal, and canal before vertebra, so that no
colour hides another and a vertebra shows without the cement in it. Frames that show nothing are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg import terminology as terms
from leakseg.anatomy import VertebraLevel
from leakseg.dicom_series import DicomSeries, Layout, quiet
from leakseg.findings import CaseReport, CaseResult, Leak
from leakseg.geometry import bounding_box
from leakseg.terminology import Code
from leakseg.wording import COLOURS, plain

NAME = "leaks.seg.dcm"
_INSIDE = 1
"""Cement inside bone in `CaseFindings.cement_labels`."""
_CEMENT_COLOUR, _BONE_COLOUR, _CANAL_COLOUR = "#F0E442", "#D9CBB0", "#0072B2"
_SERIES_NUMBER = 9801


@dataclass(frozen=True)
class Segment:
    """One segment: its name, who it is among the results, what it is, and how it looks."""

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
    with quiet():
        seg = _object(result, series, series.layout, drawn)
        path = folder / NAME
        seg.save_as(path)
    return (path,)


@dataclass(frozen=True, eq=False)
class _Drawing:
    """Segment numbers within a window of the source's stack; the rest of the stack shows nothing.

    ``numbers`` is ``(slices, rows, columns)``, ``places`` each slice's place in the stack, ``rows`` and
    ``columns`` where the window lies in a slice.
    """

    segments: list[Segment]
    numbers: NDArray[Any]
    places: NDArray[np.intp]
    rows: slice
    columns: slice

    def frame(self, position: int, shape: tuple[int, int]) -> NDArray[Any]:
        """A whole slice."""
        frame = np.zeros(shape, self.numbers.dtype)
        frame[self.rows, self.columns] = self.numbers[position]
        return frame


def _drawn(result: CaseResult, layout: Layout) -> _Drawing | None:
    cement = layout.planes(result.findings.cement_labels.labels)
    leaks = layout.planes(result.findings.leak_labels.labels)
    masks = (result.masks.vertebrae, result.masks.canal) if result.masks.from_builtin else (None, None)
    vertebrae, canal = (None if mask is None else layout.planes(mask) for mask in masks)
    window = _window([array for array in (cement, leaks, vertebrae, canal) if array is not None])
    if window is None:
        return None
    inside, leaked = cement[window] == _INSIDE, leaks[window]
    if not (inside.any() or leaked.any()):
        return None
    numbers = np.zeros(leaked.shape, np.uint16)
    levels: list[VertebraLevel] = []
    if vertebrae is not None:
        vertebrae = vertebrae[window]
        levels = [VertebraLevel.from_number(int(one)) for one in np.unique(vertebrae) if one]
    segments = list(segments_of(result.report, levels, canal=canal is not None))
    number = {segment.tracking_id: position + 1 for position, segment in enumerate(segments)}
    if vertebrae is not None:
        numbers[:] = _table(vertebrae, {level.number: number[str(level)] for level in levels})[vertebrae]
    if canal is not None:
        numbers[canal[window]] = number["canal"]
    numbers[inside] = number["cement inside bone"]
    told = _table(leaked, {leak.id: number[f"leak {leak.id}"] for leak in result.report.leaks})[leaked]
    np.copyto(numbers, told, where=told > 0)
    return _only_shown(segments, numbers, layout, window)


def _window(arrays: list[NDArray[Any]]) -> tuple[slice, slice, slice] | None:
    """The smallest window of the stack that holds everything that is drawn."""
    boxes = [box for array in arrays if (box := bounding_box(array)) is not None]
    if not boxes:
        return None
    stack, rows, columns = (
        slice(min(one.start for one in sides), max(one.stop for one in sides)) for sides in zip(*boxes, strict=True)
    )
    return stack, rows, columns


def _only_shown(
    segments: list[Segment], numbers: NDArray[Any], layout: Layout, window: tuple[slice, slice, slice]
) -> _Drawing | None:
    """Leave out slices that show nothing or were never acquired, and segments that show nowhere."""
    first = window[0].start
    places = np.intersect1d(np.flatnonzero(numbers.any(axis=(1, 2))) + first, layout.places)
    numbers = numbers[places - first]
    present = np.flatnonzero(np.bincount(numbers.ravel(), minlength=len(segments) + 1)[1:])
    table = np.zeros(len(segments) + 1, np.uint8 if len(present) < 256 else np.uint16)
    table[present + 1] = np.arange(1, len(present) + 1)
    shown = [segments[one] for one in present]
    return _Drawing(shown, table[numbers], places, window[1], window[2]) if shown else None


def _table(labels: NDArray[Any], numbers: dict[int, int]) -> NDArray[np.uint16]:
    """Segment number by label; labels that are no segment become 0."""
    table = np.zeros(max(int(labels.max(initial=0)), *numbers, 0) + 1, np.uint16)
    for label, number in numbers.items():
        table[label] = number
    return table


def segments_of(report: CaseReport, levels: Sequence[VertebraLevel], *, canal: bool) -> Iterator[Segment]:
    """All segments that a case may have, in their order: leaks, cement in bone, those vertebrae, the canal."""
    labels: dict[str, int] = {}
    for leak in report.leaks:
        label = leak_label(leak)
        labels[label] = labels.get(label, 0) + 1
        yield Segment(
            label if labels[label] == 1 else f"{label} {labels[label]}",
            f"leak {leak.id}",
            terms.PHYSICAL_OBJECT,
            terms.LEAK_TYPE_CODES[leak.type],
            COLOURS[leak.type],
            terms.level_code(leak.level),
            terms.SIDE_CODES[leak.side],
        )
    inside = "cement inside bone"
    yield Segment(inside, inside, terms.PHYSICAL_OBJECT, terms.CEMENT_IN_BONE, _CEMENT_COLOUR, terms.VERTEBRA)
    for level in levels:
        yield _vertebra(level)
    if canal:
        kind = terms.VERTEBRAL_CANAL
        yield Segment("spinal canal", "canal", terms.ANATOMICAL_STRUCTURE, kind, _CANAL_COLOUR)


def leak_label(leak: Leak) -> str:
    """E.g. "L1 epidural left"."""
    return f"{leak.level} {plain(leak.type)} {plain(leak.side)}"


def _vertebra(level: VertebraLevel) -> Segment:
    kind = terms.level_code(level)
    return Segment(f"{level} vertebra", str(level), terms.ANATOMICAL_STRUCTURE, kind, _BONE_COLOUR)


def _object(result: CaseResult, series: DicomSeries, layout: Layout, drawn: _Drawing) -> Any:
    from highdicom.coding_schemes import CodingSchemeIdentificationItem
    from highdicom.seg import Segmentation, SegmentationTypeValues
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    version = result.report.provenance.leakseg
    sources, frames = _frames(series, layout, drawn)
    window = f"{drawn.places.tolist()} {drawn.rows} {drawn.columns}"
    digest = hashlib.sha256(np.ascontiguousarray(drawn.numbers).data).hexdigest()
    content = [version, repr(drawn.segments), window, digest, series.date, series.time]
    identity = [str(series.common.SeriesInstanceUID), "SEG", *content]
    seg = Segmentation(
        source_images=sources,
        pixel_array=frames,
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[
            describe(one, position + 1, version, generate_uid(entropy_srcs=[*identity, one.tracking_id]))
            for position, one in enumerate(drawn.segments)
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


def _frames(series: DicomSeries, layout: Layout, drawn: _Drawing) -> tuple[list[Any], NDArray[Any]]:
    """Headers, and ``(frames, rows, columns)`` segment numbers to go with them."""
    shape = (int(series.common.Rows), int(series.common.Columns))
    order = {place: position for position, place in enumerate(drawn.places.tolist())}
    if series.multi_frame:
        frames = np.zeros((len(layout.places), *shape), drawn.numbers.dtype)
        for frame, place in enumerate(layout.places):
            if place in order:
                frames[frame] = drawn.frame(order[place], shape)
        return list(series.headers([0])), frames
    slice_at = {place: number for number, place in reversed(list(enumerate(layout.places)))}
    frames = np.stack([drawn.frame(position, shape) for position in order.values()])
    return list(series.headers(slice_at[place] for place in order)), frames


def describe(segment: Segment, number: int, version: str, uid: str) -> Any:
    """The item of the Segment Sequence (PS3.3 C.8.20.2) for a segment."""
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
