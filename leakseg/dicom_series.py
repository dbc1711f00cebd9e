"""What DICOM results take over from the series they are about: who, which study, and where each slice lies.

Headers are copies: the patient and study as the source names them, what must stand in every object but
is absent or malformed there left empty, and the geometry as measured, never as told by SpacingBetweenSlices.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray, Grid
from leakseg.source_headers import source_headers, uid_of
from leakseg.volume import ScanSource

_NEVER_ABSENT = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
    "StudyID", "ReferringPhysicianName",
)  # fmt: skip
"""Type 2 attributes of patient and study (PS3.3 C.7.1.1, C.7.2.1): always there, empty where unknown."""
_WHERE_TOLD = ("IssuerOfPatientID", "StudyDescription", "PatientIdentityRemoved", "DeidentificationMethod")
SOURCE_KEYWORDS = frozenset({*_NEVER_ABSENT, *_WHERE_TOLD, "StudyInstanceUID", "SpecificCharacterSet"})
_MALFORMED = (ValueError, TypeError, AttributeError, LookupError, OverflowError, NotImplementedError)
"""What pydicom raises of a value that is not what its attribute should hold."""
_MOMENTS = ("Content", "Acquisition", "Series", "Study")
_VALID = {
    "Date": re.compile(r"\d{8}"),
    "Time": re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?"),
    "Name": re.compile(r"[^\\]*", re.DOTALL),
    "PatientSex": re.compile(r"[MFO]"),
    "PatientIdentityRemoved": re.compile(r"YES|NO"),
}
"""What values must look like, by the end of their keyword (PS3.5 6.2); others are left out."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the source's frames lie on the canonical grid.

    Parameters
    ----------
    axes
        The grid's axes that the stack, the rows and the columns of the frames follow.
    flipped
        Which of the three run the other way.
    places
        For each frame its place along the stack, counted as `planes` counts.
    """

    axes: tuple[int, int, int]
    flipped: tuple[bool, bool, bool]
    places: tuple[int, ...]

    def planes(self, array: NDArray[Any]) -> NDArray[Any]:
        """``(stack, rows, columns)`` view of an array on the canonical grid, as the source's frames lie."""
        turned = np.transpose(array, self.axes)
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flipped)]


@dataclass(frozen=True, eq=False)
class Slice:
    """What is a slice's own; a multi-frame object is one slice here, and its position its first frame's."""

    sop_class_uid: str
    sop_instance_uid: str
    position_mm: FloatArray


@dataclass(frozen=True, eq=False)
class DicomSeries:
    """A series as results refer to it.

    Parameters
    ----------
    common
        Header of what all slices share; the whole header of a multi-frame object.
    slices
        One a file, in the order in which `layout` speaks of them.
    layout
        Where the source's frames lie; None where voxels cannot be put back onto them exactly.
    why_not
        Why not, as part of a sentence.
    date, time
        The moment that results bear: the source's own, so that the same scan gives the same bytes and a
        result sent again is the same object; the present one where the source is silent.
    """

    common: Any
    slices: tuple[Slice, ...]
    layout: Layout | None
    why_not: str
    date: str
    time: str

    @property
    def multi_frame(self) -> bool:
        """Whether one object holds all slices."""
        return "PerFrameFunctionalGroupsSequence" in self.common

    def headers(self, numbers: Iterable[int]) -> Iterator[Any]:
        """The headers of slices, whole."""
        from pydicom.dataset import Dataset

        shared = {element.tag: element for element in self.common}
        for one in (self.slices[number] for number in numbers):
            header = Dataset(dict(shared))
            header.SOPClassUID, header.SOPInstanceUID = one.sop_class_uid, one.sop_instance_uid
            if not self.multi_frame:
                header.ImagePositionPatient = _decimals(one.position_mm)
            yield header


@dataclass(frozen=True, eq=False)
class _Frame:
    """A frame's file and place; ``layers`` are the datasets that speak of it, the most particular first."""

    dataset: Any
    position: FloatArray
    layers: tuple[Any, ...]

    @property
    def orientation(self) -> FloatArray:
        return _numbers(self.layers, "ImageOrientationPatient")

    @property
    def spacing(self) -> FloatArray:
        return _numbers(self.layers, "PixelSpacing")

    @property
    def thickness(self) -> float:
        try:
            thickness = float(_numbers(self.layers, "SliceThickness"))
        except (StopIteration, *_MALFORMED):
            return 0.0
        return thickness if 0.0 < thickness < float("inf") else 0.0


def read_series(source: ScanSource, grid: Grid) -> DicomSeries | None:
    """Headers of a DICOM scan, completed, and where its frames lie on the grid it was analysed on.

    None where the source names no study or no instances that a result could refer to.
    """
    with quiet():
        datasets = list(source_headers(source))
        frames = [frame for dataset in datasets for frame in _frames(dataset)]
        first = {id(frame.dataset): frame.position for frame in reversed(frames)}
        slices = tuple(
            Slice(uid_of(one, "SOPClassUID"), uid_of(one, "SOPInstanceUID"), first[id(one)]) for one in datasets
        )
        if not slices or not uid_of(datasets[0], "StudyInstanceUID") or not all(one.sop_instance_uid for one in slices):
            return None
        layout, why_not = _layout(frames, datasets, grid)
        common = _common(frames, datasets, layout, grid)
        moment = _moment(datasets[0])
    return DicomSeries(common, slices, layout, why_not, *moment)


@contextmanager
def quiet() -> Iterator[None]:
    """Let pydicom pass malformed values without warnings that name files and values: they are judged here."""
    from pydicom.config import disable_value_validation

    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def _frames(dataset: Any) -> Iterator[_Frame]:
    shared = [item for group in dataset.get("SharedFunctionalGroupsSequence") or () for item in _macros(group)]
    groups = [_macros(group) for group in dataset.get("PerFrameFunctionalGroupsSequence") or ()]
    for macros in groups or [[]]:
        layers = (*macros, *shared, dataset)
        yield _Frame(dataset, _numbers(layers, "ImagePositionPatient"), layers)


def _macros(group: Any) -> list[Any]:
    return [element.value[0] for element in group if element.VR == "SQ" and element.value]


def _numbers(layers: tuple[Any, ...], keyword: str) -> FloatArray:
    values = (layer.get(keyword) for layer in layers)
    return np.array(next(value for value in values if value not in (None, "")), dtype=np.float64)


def _layout(frames: list[_Frame], datasets: list[Any], grid: Grid) -> tuple[Layout | None, str]:
    uids = {uid_of(dataset, "FrameOfReferenceUID") for dataset in datasets}
    if len(uids) > 1 or not all(uids):
        return None, "the source does not name one frame of reference"
    if len(frames) > len(datasets) > 1:
        return None, "the series is spread over several multi-frame objects"
    first = frames[0]
    rows, columns = int(first.dataset.Rows), int(first.dataset.Columns)
    orientation, spacing = first.orientation, first.spacing
    steps = grid.inverse[:3, :3] @ np.stack([orientation[3:] * spacing[0], orientation[:3] * spacing[1]], axis=1)
    row_axis, column_axis = (int(axis) for axis in np.argmax(np.abs(steps), axis=0))
    if row_axis == column_axis or (grid.shape[row_axis], grid.shape[column_axis]) != (rows, columns):
        return None, "the scan was resampled onto a straight grid, and its voxels have no exact place in the source"
    stack_axis = 3 - row_axis - column_axis
    axes = (stack_axis, row_axis, column_axis)
    starts = grid.to_index([frame.position for frame in frames])
    ends = starts + steps @ [rows - 1, columns - 1]
    places = np.rint(starts[:, stack_axis])
    flipped = (False, bool(steps[row_axis, 0] < 0), bool(steps[column_axis, 1] < 0))
    off = [np.abs(starts[:, stack_axis] - places), np.abs(ends[:, stack_axis] - places)]
    for axis, flip in zip(axes[1:], flipped[1:], strict=True):
        last = grid.shape[axis] - 1
        off += [np.abs(starts[:, axis] - (last if flip else 0)), np.abs(ends[:, axis] - (0 if flip else last))]
    if max(float(one.max()) for one in off) >= 0.5:
        return None, "the analysed voxels do not lie on the source's slices"
    if len(frames) > len(datasets) and len(set(places)) < len(frames):
        return None, "two frames of the multi-frame object lie in one place"
    return Layout(axes, flipped, tuple(int(place) for place in places)), ""


def _common(frames: list[_Frame], datasets: list[Any], layout: Layout | None, grid: Grid) -> Any:
    """One orientation, one pixel spacing and the measured distance between slices for all."""
    first = frames[0]
    common = _identity(datasets[0])
    spacing = grid.spacing_mm[layout.axes[0]] if layout else grid.spacing_mm[0]
    measures = {
        "PixelSpacing": _decimals(first.spacing),
        "SliceThickness": _decimals([first.thickness or spacing])[0],
        "SpacingBetweenSlices": _decimals([spacing])[0],
    }
    orientation = {"ImageOrientationPatient": _decimals(first.orientation)}
    if len(frames) == len(datasets):
        for keyword, value in (measures | orientation).items():
            setattr(common, keyword, value)
        return common
    common.NumberOfFrames = len(frames)
    common.SharedFunctionalGroupsSequence = [
        _item(PlaneOrientationSequence=[_item(**orientation)], PixelMeasuresSequence=[_item(**measures)])
    ]
    common.PerFrameFunctionalGroupsSequence = [
        _item(PlanePositionSequence=[_item(ImagePositionPatient=_decimals(frame.position))]) for frame in frames
    ]
    return common


def _identity(dataset: Any) -> Any:
    """What all slices share, every value one that may be written; text as Unicode."""
    values: dict[str, Any] = {key: _checked(dataset, key) for key in (*_NEVER_ABSENT, *_WHERE_TOLD)}
    if values["PatientIdentityRemoved"] == "YES":
        values["DeidentificationMethod"] = values["DeidentificationMethod"] or "Not told by the source"
    values = {key: value for key, value in values.items() if value or key in _NEVER_ABSENT}
    common = _item(**values)
    common.SpecificCharacterSet = "ISO_IR 192"
    common.StudyInstanceUID, common.SeriesInstanceUID = (
        uid_of(dataset, keyword) for keyword in ("StudyInstanceUID", "SeriesInstanceUID")
    )
    common.Modality = _text(dataset, "Modality")
    if frame := uid_of(dataset, "FrameOfReferenceUID"):
        common.FrameOfReferenceUID = frame
    common.PositionReferenceIndicator = ""
    common.LossyImageCompression = "01" if _text(dataset, "LossyImageCompression") == "01" else "00"
    common.Rows, common.Columns = int(dataset.Rows), int(dataset.Columns)
    return common


def _checked(dataset: Any, keyword: str) -> str:
    text = _text(dataset, keyword)
    pattern = next((valid for end, valid in _VALID.items() if keyword.endswith(end)), None)
    try:
        if keyword.endswith("Date"):
            date.fromisoformat(text)  # no 30th of February
    except ValueError:
        return ""
    return text if pattern is None or pattern.fullmatch(text) else ""


def _moment(dataset: Any) -> tuple[str, str]:
    for moment in _MOMENTS:
        if day := _checked(dataset, f"{moment}Date"):
            return day, _checked(dataset, f"{moment}Time") or "000000"
    now = datetime.now(UTC)
    return f"{now:%Y%m%d}", f"{now:%H%M%S}"


def _text(dataset: Any, keyword: str) -> str:
    from pydicom.multival import MultiValue

    try:
        value = dataset.get(keyword)
        several = "\\".join(map(str, value)) if isinstance(value, MultiValue) else value
        return "" if several is None else str(several).strip(" \0")
    except _MALFORMED:
        return ""


def _decimals(values: Any) -> list[Any]:
    """Decimal strings (DS) of at most 16 characters."""
    from pydicom.valuerep import DSfloat

    return [DSfloat(float(value), auto_format=True) for value in values]


def _item(**values: Any) -> Any:
    from pydicom.dataset import Dataset

    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset
