"""What a DICOM file says of its slices: plain values from its header, one `SliceHeader` a frame.

Nothing is judged here and nothing is filled in: what is absent or malformed is ``None``.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from leakseg.readers.bombs import bomb_in
from leakseg.readers.elements import number, numbers, parts, sequence, text, whole
from leakseg.readers.foreign import what_it_is

Vector: TypeAlias = tuple[float, float, float]

NATIVE_LITTLE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
NATIVE = (*NATIVE_LITTLE, "1.2.840.10008.1.2.2")
"""Transfer syntaxes whose pixels lie in the file as they are (PS3.5 A.1-A.3)."""
# fmt: off
_TAGS = [
    "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "Manufacturer", "ManufacturerModelName",
    "VolumetricProperties", "VolumeBasedCalculationTechnique", "AccessionNumber", "PatientName", "PatientID",
    "PatientBirthDate", "PatientIdentityRemoved", "KVP", "SliceThickness", "ConvolutionKernel",
    "ContrastBolusAgent", "ContrastBolusAgentSequence",
    "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "AcquisitionNumber", "InstanceNumber",
    "ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID", "SamplesPerPixel",
    "NumberOfFrames", "Rows", "Columns", "PixelSpacing", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleIntercept", "RescaleSlope",
    "RescaleType", "LossyImageCompression", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]
# fmt: on
OWN_TAGS = frozenset({0x00080018, 0x00200013, 0x00200012, 0x00200032})
"""Of these a slice has its own; an `ImageHeader` holds none: SOP instance, instance and acquisition number, place."""
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00")
_NO_AGENT = frozenset({"", "NONE", "NO", "N", "0", "NATIVE", "NATIV", "WITHOUT", "OHNE", "UNENHANCED", "NA", "N/A"})


class UnreadableError(Exception):
    """The file holds nothing to read; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What names the patient; kept to keep it out of case ids, and out of every ``repr``."""

    name: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)
    birth_date: str = field(default="", repr=False)
    accession: str = field(default="", repr=False)
    removed: bool = False


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What slices of one series have in common; the same object for all that agree."""

    study_uid: str
    series_uid: str
    series_number: int | None
    modality: str
    sop_class: str
    image_type: tuple[str, ...]
    technique: str
    volumetric: str
    manufacturer: str
    frame_uid: str
    stack_id: str
    transfer_syntax: str
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    pixel_spacing: tuple[float, float] | None
    orientation: tuple[float, ...] | None
    slice_thickness_mm: float | None
    padding: tuple[int, int] | None
    slope: float | None
    intercept: float | None
    rescale_type: str
    kernel: str
    kvp: float | None
    lossy: bool
    contrast: bool
    identity: Identity


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """One slice: a file, or a frame of a multi-frame file."""

    image: ImageHeader
    path: Path
    frame: int
    frames: int
    sop_uid: str
    position: Vector | None
    pixel_offset: int | None
    """Where the Pixel Data element begins in the file; None where pixels need a decoder or are absent."""
    file_size: int


@contextmanager
def quiet() -> Iterator[None]:
    """Keep pydicom from warning of what is judged here anyway, in sentences that name files and values."""
    logger = logging.getLogger("pydicom")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def read_dataset(stream: BinaryIO) -> Any:
    """The attributes asked for, pixels unread; the stream is left at them.

    Raises
    ------
    UnreadableError
        Where the file is not DICOM, or would take too much to read.
    """
    import pydicom

    head = stream.read(132)
    preamble = head[128:] == b"DICM"
    if not preamble and head[:2] not in _FIRST_GROUPS:
        raise UnreadableError(what_it_is(head, stream))
    if bomb := bomb_in(stream):
        raise UnreadableError(bomb)
    return pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=asked_for(), force=not preamble)


@cache
def asked_for() -> list[Any]:
    """Tags of the attributes that are read."""
    from pydicom.tag import Tag

    return [Tag(keyword) for keyword in _TAGS]


def slices_of(
    dataset: Any, path: Path, offset: int | None, size: int, known: dict[tuple[Any, ...], ImageHeader]
) -> list[SliceHeader]:
    """The slices that the attributes of one file speak of.

    Parameters
    ----------
    offset
        Where its pixels begin.
    known
        What was made sense of before, by its bytes; added to.
    """
    meta = getattr(dataset, "file_meta", None)
    syntax = str(getattr(meta, "TransferSyntaxUID", "") or "")
    if str(getattr(meta, "MediaStorageSOPClassUID", "")) == "1.2.840.10008.1.3.10":
        raise UnreadableError("A DICOMDIR index, not an image: name its folder, where the images lie.")
    if not text(dataset, "SeriesInstanceUID"):
        raise UnreadableError("A DICOM file that does not say which series it belongs to (no SeriesInstanceUID).")
    groups = list(_frames(dataset))
    plain = len(groups) == 1 and len(groups[0]) == 1  # one frame, and no functional groups that speak of it
    alike = (syntax, _in_common(dataset)) if plain else None
    slices = []
    for frame, items in enumerate(groups):
        image = known.get(alike) if alike else None
        if image is None:
            image = _image(dataset, items, syntax, _identity(dataset))
            if alike:
                known[alike] = image
        position = numbers(_Layers(items), "ImagePositionPatient", 3)
        native = offset if syntax in NATIVE or not syntax else None
        slices.append(
            SliceHeader(
                image,
                path,
                frame,
                len(groups),
                text(dataset, "SOPInstanceUID"),
                None if position is None else (position[0], position[1], position[2]),
                native,
                size,
            )
        )
    return slices


def _in_common(dataset: Any) -> tuple[Any, ...]:
    """What the header holds, as it stands in the file, but for what is a slice's own."""
    raw = [dataset.get_item(tag) for tag in dataset.keys() if tag not in OWN_TAGS]  # noqa: SIM118  # items() would convert
    return tuple((one.tag, one.VR, one.value if one.is_raw else repr(one.value)) for one in raw)


def _identity(dataset: Any) -> Identity:
    return Identity(
        text(dataset, "PatientName"),
        text(dataset, "PatientID"),
        text(dataset, "PatientBirthDate"),
        text(dataset, "AccessionNumber"),
        text(dataset, "PatientIdentityRemoved").upper() == "YES",
    )


def _frames(dataset: Any) -> Iterator[list[Any]]:
    """For each frame the datasets that speak of it, the most particular first (PS3.3 C.7.6.16)."""
    per_frame = sequence(dataset, "PerFrameFunctionalGroupsSequence")
    shared = sequence(dataset, "SharedFunctionalGroupsSequence")
    common = [item for group in shared for item in _macros(group)]
    for group in per_frame:
        yield [*_macros(group), *common, dataset]
    if not per_frame:
        count = whole(dataset, "NumberOfFrames") or 1
        if count > 65535:  # 100 times the frames of any CT
            raise UnreadableError(f"Its header is damaged: it claims {count} frames and describes none.")
        yield from ([*common, dataset] for _ in range(max(count, 1)))


def _macros(group: Any) -> list[Any]:
    return [element.value[0] for element in group if element.VR == "SQ" and element.value]


class _Layers:
    """Looks a keyword up in several datasets, the first that has it wins."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def get(self, keyword: str) -> Any:
        for item in self._items:
            value = item.get(keyword)
            if value not in (None, ""):
                return value
        return None


def _image(dataset: Any, items: list[Any], syntax: str, identity: Identity) -> ImageHeader:
    layers = _Layers(items)
    spacing = numbers(layers, "PixelSpacing", 2)
    signed = whole(layers, "PixelRepresentation") == 1
    bits = whole(layers, "BitsStored") or 0
    kernel = layers.get("ConvolutionKernel")
    # FrameType is the enhanced objects' word for ImageType, and nearer to the frame
    kind = layers.get("FrameType") or layers.get("ImageType")
    return ImageHeader(
        study_uid=text(dataset, "StudyInstanceUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        series_number=whole(dataset, "SeriesNumber"),
        modality=text(dataset, "Modality").upper(),
        sop_class=text(dataset, "SOPClassUID"),
        image_type=tuple(part.strip().upper() for part in parts(kind)),
        technique=text(layers, "VolumeBasedCalculationTechnique").upper(),
        volumetric=text(layers, "VolumetricProperties").upper(),
        manufacturer=f"{text(dataset, 'Manufacturer')} {text(dataset, 'ManufacturerModelName')}".strip(),
        frame_uid=text(dataset, "FrameOfReferenceUID"),
        stack_id=text(layers, "StackID"),
        transfer_syntax=syntax,
        rows=whole(dataset, "Rows") or 0,
        columns=whole(dataset, "Columns") or 0,
        samples=whole(dataset, "SamplesPerPixel") or 0,
        bits_allocated=whole(dataset, "BitsAllocated") or 0,
        bits_stored=bits,
        high_bit=_high_bit(whole(dataset, "HighBit"), bits),
        signed=signed,
        pixel_spacing=None if spacing is None or min(spacing) <= 0 else (spacing[0], spacing[1]),
        orientation=numbers(layers, "ImageOrientationPatient", 6),
        slice_thickness_mm=number(layers, "SliceThickness"),
        padding=_padding(dataset, signed=signed),
        slope=number(layers, "RescaleSlope"),
        intercept=number(layers, "RescaleIntercept"),
        rescale_type=text(layers, "RescaleType").upper(),
        kernel="\\".join(parts(kernel)),
        kvp=number(layers, "KVP"),
        lossy=text(dataset, "LossyImageCompression") == "01",
        contrast=_contrast(dataset),
        identity=identity,
    )


def _contrast(dataset: Any) -> bool:
    """Whether the header names a contrast agent; some scanners write there that none was given."""
    agent = text(dataset, "ContrastBolusAgent").upper()
    return (agent not in _NO_AGENT) or bool(sequence(dataset, "ContrastBolusAgentSequence"))


def _padding(dataset: Any, *, signed: bool) -> tuple[int, int] | None:
    """Stored values from .. to that mean "nothing measured here" (PS3.3 C.7.5.1.1.2).

    The value has the sign of the pixels; files that write it as if unsigned (63536 for -2000) are read so.
    """
    first = whole(dataset, "PixelPaddingValue")
    if first is None:
        return None
    last = whole(dataset, "PixelPaddingRangeLimit")
    ends = [value - 65536 if signed and value > 32767 else value for value in (first, first if last is None else last)]
    return min(ends), max(ends)


def _high_bit(value: int | None, bits: int) -> int:
    return bits - 1 if value is None else value
