"""``leaks.seg.dcm`` after a reader's corrections: the first SEG's frames, under their new names.

No scan is needed: the first SEG has every voxel. A leak struck out as "not cement" loses its frames; one that is
"in bone" gives them to the segment of cement inside bone, frame by frame where both lie in one slice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import VertebraLevel
from leakseg.dicom_series import quiet
from leakseg.findings import CaseReport
from leakseg.writers.dicom_seg import NAME, Segment, describe, segments_of

_INSIDE = "cement inside bone"


def rewrite_seg(
    first: Path,
    folder: Path,
    report: CaseReport,
    names: Mapping[VertebraLevel, VertebraLevel],
    struck: Mapping[int, str],
) -> tuple[Path, ...]:
    """Write the SEG anew from the first one; nothing where there is none, or nothing is left to show.

    Parameters
    ----------
    names
        New name of each level of the first result.
    struck
        Leaks struck out, by id, and what they are instead.
    """
    import pydicom

    if not (first / NAME).is_file():
        return ()
    with quiet():
        seg = pydicom.dcmread(first / NAME)
        old = {str(item.TrackingID): item for item in seg.SegmentSequence}
        levels = [names[VertebraLevel(name)] for name in old if name in set(names)]
        wanted = {one.tracking_id: one for one in segments_of(report, levels, canal="canal" in old)}
        moved = _moves(old, {str(level): str(new) for level, new in names.items()}, struck)
        frames, groups, order = _frames(seg, moved, [name for name in wanted if name in set(moved.values())])
        if not order:
            return ()
        _identify(seg, report)
        seg.SegmentSequence = [
            _described(wanted[name], number, report, old, moved) for number, name in enumerate(order, 1)
        ]
        _store(seg, frames, groups)
        path = folder / NAME
        seg.save_as(path)
    return (path,)


def _moves(old: Mapping[str, Any], levels: Mapping[str, str], struck: Mapping[int, str]) -> dict[int, str]:
    """Where the frames of each old segment go, by its number; segments that vanish are left out."""
    moved = {}
    for name, item in old.items():
        number = int(item.SegmentNumber)
        kind, _, leak = name.partition(" ")
        fate = struck.get(int(leak)) if kind == "leak" and leak.isdecimal() else None
        if fate is None:
            moved[number] = levels.get(name, name)
        elif fate == "in bone":
            moved[number] = _INSIDE
    return moved


def _frames(
    seg: Any, moved: Mapping[int, str], order: list[str]
) -> tuple[list[NDArray[np.uint8]], list[Any], list[str]]:
    """Frames and their functional groups in the new segments' order, each segment's by place."""
    pixels = seg.pixel_array.reshape(-1, int(seg.Rows), int(seg.Columns))
    kept: dict[tuple[str, tuple[int, ...]], tuple[NDArray[np.uint8], Any]] = {}
    for frame, group in zip(pixels, seg.PerFrameFunctionalGroupsSequence, strict=True):
        name = moved.get(int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber))
        if name is None:
            continue
        values = group.FrameContentSequence[0].DimensionIndexValues
        key = (name, tuple(int(value) for value in list(values)[1:]))
        before = kept.get(key)
        kept[key] = (frame if before is None else before[0] | frame, group if before is None else before[1])
    order = [name for name in order if any(key[0] == name for key in kept)]
    keys = sorted(kept, key=lambda key: (order.index(key[0]), key[1]))
    groups = []
    for name, place in keys:
        group = kept[name, place][1]
        number = order.index(name) + 1
        group.SegmentIdentificationSequence[0].ReferencedSegmentNumber = number
        group.FrameContentSequence[0].DimensionIndexValues = [number, *place]
        groups.append(group)
    _count_places_anew(groups)
    return [kept[key][0] for key in keys], groups, order


def _count_places_anew(groups: list[Any]) -> None:
    """Dimension indices count from 1 without gaps; a place that shows nothing any more leaves one."""
    values = [list(group.FrameContentSequence[0].DimensionIndexValues) for group in groups]
    for axis in range(1, len(values[0]) if values else 1):
        used = {value: place for place, value in enumerate(sorted({row[axis] for row in values}), 1)}
        for row in values:
            row[axis] = used[row[axis]]
    for group, row in zip(groups, values, strict=True):
        group.FrameContentSequence[0].DimensionIndexValues = row


def _described(
    segment: Segment, number: int, report: CaseReport, old: Mapping[str, Any], moved: Mapping[int, str]
) -> Any:
    """The new segment's item; it stays the object that viewers track."""
    before = [item for item in old.values() if moved.get(int(item.SegmentNumber)) == segment.tracking_id]
    own = next((item for item in before if item.TrackingID == segment.tracking_id), before[0])
    item = describe(segment, number, report.provenance.leakseg, str(own.TrackingUID))
    changed = any(
        getattr(item, key, None) != getattr(own, key, None)
        for key in ("SegmentLabel", "SegmentedPropertyTypeCodeSequence", "AnatomicRegionSequence")
    )
    if changed or len(before) > 1:
        item.SegmentAlgorithmType = "SEMIAUTOMATIC"
    return item


def _identify(seg: Any, report: CaseReport) -> None:
    """Another object than the first, of the amendment's moment."""
    from pydicom.uid import generate_uid

    assert report.amended is not None
    identity = [str(seg.SOPInstanceUID), repr(report.amended)]
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        setattr(seg, keyword, generate_uid(entropy_srcs=[*identity, keyword]))
    seg.file_meta.MediaStorageSOPInstanceUID = seg.SOPInstanceUID
    day, _, moment = report.amended.when.partition("T")
    seg.ContentDate = seg.SeriesDate = day.replace("-", "")
    seg.ContentTime = seg.SeriesTime = moment[:8].replace(":", "")
    seg.SeriesDescription = "leakseg: leaks, amended"


def _store(seg: Any, frames: list[NDArray[np.uint8]], groups: list[Any]) -> None:
    packed = np.packbits(np.stack(frames).astype(bool).ravel(), bitorder="little").tobytes()
    seg.PixelData = packed + b"\0" * (len(packed) % 2)
    seg.NumberOfFrames = len(frames)
    seg.PerFrameFunctionalGroupsSequence = groups
