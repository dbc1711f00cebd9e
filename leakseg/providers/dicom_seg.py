"""A DICOM SEG -> `Drawing`, in patient mm: BINARY, FRACTIONAL and LABELMAP (PS3.3 A.51, A.89).

Frames are put where their own positions say, for empty ones are commonly left out and
SpacingBetweenSlices is commonly copied from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import VertebraLevel
from leakseg.errors import AnatomyError, GeometryError, InputError, LeaksegError
from leakseg.findings import QualityNote
from leakseg.geometry import Grid, canonical
from leakseg.providers.names import Meaning, Structure
from leakseg.providers.segments import SEG_CLASSES, segment_meanings
from leakseg.providers.values import Drawing, MaskFile

_TOLERANCE_MM = 0.01


def read_seg(mask: MaskFile) -> tuple[Drawing, tuple[QualityNote, ...]]:
    """Vertebrae, canal and whatever else of the spine the SEG's segments name.

    Raises
    ------
    AnatomyError
        Where no segment names a part of the spine, or the named ones are empty.
    GeometryError
        Where its frames do not say where they lie, or make no straight grid.
    InputError
        Where it cannot be decoded.
    """
    try:
        return _read(mask)
    except LeaksegError:
        raise
    except Exception as error:  # values are read when they are asked for, and a damaged one may raise anything
        raise InputError("The DICOM SEG is damaged; export it again.") from error


def _read(mask: MaskFile) -> tuple[Drawing, tuple[QualityNote, ...]]:
    import pydicom

    try:
        dataset = pydicom.dcmread(mask.path)
    except Exception as error:
        raise InputError("The DICOM SEG cannot be read; export it again.") from error
    if str(dataset.get("SOPClassUID", "")) not in SEG_CLASSES:
        raise InputError("The DICOM file given as mask is not a DICOM SEG.")
    meanings = segment_meanings(dataset)
    used: dict[int, Meaning] = {
        number: meaning for number, meaning in meanings.items() if meaning is not None and meaning != Structure.OTHER
    }
    if not used:
        raise AnatomyError(
            f"None of the {len(meanings)} segments of the DICOM SEG names a part of the spine; vertebrae are "
            'recognised by label ("L1", "vertebrae_L1") or by SNOMED code.'
        )
    grid, slices = _grid(dataset)
    notes = [*_left_out(list(meanings.values()).count(None)), *_fractional(dataset)]
    levels = np.zeros(grid.shape, np.uint8)
    parts: dict[Structure, NDArray[np.bool_]] = {}
    doubled = 0
    for frame, number, shown in _frames(dataset, used):
        meaning, k = used[number], slices[frame]
        if isinstance(meaning, VertebraLevel):
            doubled += int(np.count_nonzero(shown & (levels[k] != 0) & (levels[k] != meaning.number)))
            levels[k][shown & (levels[k] == 0)] = meaning.number
        else:
            parts.setdefault(meaning, np.zeros(grid.shape, np.bool_))[k] |= shown
    if doubled:
        notes.append(
            QualityNote(
                "mask_overlap",
                "warning",
                f"{doubled} voxels of the DICOM SEG belong to two vertebrae; each went to the lower segment number.",
            )
        )
    return _drawing(grid, levels, parts), tuple(notes)


def _drawing(grid: Grid, levels: NDArray[np.uint8], parts: dict[Structure, NDArray[np.bool_]]) -> Drawing:
    stood, turned = canonical(grid, levels)
    return Drawing(
        stood,
        turned if levels.any() else None,
        {structure: canonical(grid, part)[1] for structure, part in parts.items() if part.any()},
    )


def _frames(dataset: Any, used: dict[int, Meaning]) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
    """Frame index, segment number and mask of every frame that shows a wanted segment, by segment number."""
    labelmap = str(dataset.get("SegmentationType", "")) == "LABELMAP"
    cut = int(dataset.get("MaximumFractionalValue", 1)) / 2
    count = int(dataset.NumberOfFrames)
    numbers = [0] * count if labelmap else [_segment_number(dataset, frame) for frame in range(count)]
    wanted = [frame for frame in range(count) if labelmap or numbers[frame] in used]
    wanted.sort(key=lambda frame: numbers[frame])
    try:
        for frame, pixels in zip(wanted, _pixels(dataset, wanted), strict=True):
            if not labelmap:
                yield frame, numbers[frame], np.asarray(pixels) > (cut if cut > 0.5 else 0)
                continue
            for number in np.unique(pixels):
                if int(number) in used:
                    yield frame, int(number), np.asarray(pixels) == number
    except (RuntimeError, NotImplementedError, ValueError, AttributeError, KeyError) as error:
        raise InputError("The frames of the DICOM SEG cannot be decoded; export it uncompressed.") from error


def _pixels(dataset: Any, wanted: list[int]) -> Iterator[NDArray[Any]]:
    """Those frames one by one; all at once where frames of single bits do not end on whole bytes.

    pydicom 3.0 cannot take such a frame alone (PS3.5 8.1.1 packs frames without filling).
    """
    from pydicom.pixels.utils import iter_pixels

    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if int(dataset.BitsAllocated) == 1 and rows * columns % 8:
        frames = np.asarray(dataset.pixel_array).reshape(-1, rows, columns)
        yield from (frames[frame] for frame in wanted)
        return
    yield from iter_pixels(dataset, indices=wanted)


def _grid(dataset: Any) -> tuple[Grid, list[int]]:
    """The SEG's grid in the order of its positions, and for each frame its slice in it."""
    count = int(dataset.get("NumberOfFrames", 1))
    try:
        orientation = _macro(dataset, 0, "PlaneOrientationSequence").ImageOrientationPatient
        spacing = [float(value) for value in _macro(dataset, 0, "PixelMeasuresSequence").PixelSpacing]
        positions = np.array(
            [_macro(dataset, frame, "PlanePositionSequence").ImagePositionPatient for frame in range(count)], float
        )
    except (AttributeError, IndexError, KeyError) as error:
        raise GeometryError("The frames of the DICOM SEG do not say where they lie in the patient.") from error
    along_row, along_column = np.array(orientation[:3], float), np.array(orientation[3:], float)
    normal = np.cross(along_row, along_column)
    heights = positions @ normal
    in_plane = positions - heights[:, None] * normal
    if np.abs(in_plane - in_plane[0]).max() > _TOLERANCE_MM * 10:
        raise GeometryError(
            "The frames of the DICOM SEG are shifted against one another (gantry tilt, or several stacks in one); "
            "a straight stack is expected."
        )
    ordered = np.unique(np.round(heights / _TOLERANCE_MM).astype(np.int64)) * _TOLERANCE_MM
    step = _step(dataset, np.diff(ordered))
    slices = np.rint((heights - heights.min()) / step).astype(int)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = normal * step, along_column * spacing[0], along_row * spacing[1]
    affine[:3, 3] = positions[int(np.argmin(heights))]
    shape = (int(slices.max()) + 1, int(dataset.Rows), int(dataset.Columns))
    return Grid(shape, affine, str(dataset.get("FrameOfReferenceUID", ""))), [int(k) for k in slices]


def _step(dataset: Any, gaps: NDArray[np.float64]) -> float:
    """Distance between slices: the header's where the positions agree with it, else the smallest gap."""
    measures = _macro(dataset, 0, "PixelMeasuresSequence")
    told = float(measures.get("SpacingBetweenSlices", 0) or measures.get("SliceThickness", 0) or 0)
    for step in (told, float(gaps.min()) if len(gaps) else 0.0):
        if step > 0 and (not len(gaps) or np.abs(gaps / step - np.rint(gaps / step)).max() * step < _TOLERANCE_MM * 5):
            return step
    raise GeometryError(
        f"The frames of the DICOM SEG are unevenly spaced (gaps from {gaps.min():.2f} to {gaps.max():.2f} mm)."
        if len(gaps)
        else "The DICOM SEG has a single slice and does not say how thick it is."
    )


def _macro(dataset: Any, frame: int, name: str) -> Any:
    """A functional group's item: the frame's own, else the shared one."""
    own = dataset.PerFrameFunctionalGroupsSequence[frame]
    if name in own:
        return own[name].value[0]
    return dataset.SharedFunctionalGroupsSequence[0][name].value[0]


def _segment_number(dataset: Any, frame: int) -> int:
    try:
        return int(_macro(dataset, frame, "SegmentIdentificationSequence").ReferencedSegmentNumber)
    except (AttributeError, IndexError, KeyError) as error:
        raise InputError("The frames of the DICOM SEG do not say which segment they show.") from error


def _left_out(count: int) -> tuple[QualityNote, ...]:
    if not count:
        return ()
    text = f"{count} segments of the DICOM SEG name no part of the spine and were left out."
    return (QualityNote("mask_segments_left_out", "info", text),)


def _fractional(dataset: Any) -> tuple[QualityNote, ...]:
    if str(dataset.get("SegmentationType", "")) != "FRACTIONAL":
        return ()
    return (QualityNote("mask_fractional", "info", "The DICOM SEG is fractional; its segments were cut at one half."),)
