"""Which images of a series can be a CT volume in Hounsfield units, told from one header at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leakseg.readers.headers import ImageHeader

CT_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT Image",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT Image",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT Image",
}
"""SOP classes that hold CT (PS3.4 B.5)."""
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_RENDERED = {
    "MIP": "a maximum intensity projection",
    "MAX_IP": "a maximum intensity projection",
    "MINIP": "a minimum intensity projection",
    "MIN_IP": "a minimum intensity projection",
    "VRT": "a 3D rendering",
    "VR": "a 3D rendering",
    "SSD": "a 3D rendering",
    "3D": "a 3D rendering",
    "RENDERED": "a 3D rendering",
    "VOLUME_RENDER": "a 3D rendering",
    "VOLUME_RENDERED": "a 3D rendering",
    "SURFACE_RENDER": "a 3D rendering",
    "CURVED": "a curved reformat",
    "CPR": "a curved reformat",
    "CURVED_MPR": "a curved reformat",
    "PROJECTION IMAGE": "a projection",
}
_LOCALIZER = frozenset({"LOCALIZER", "SCOUT", "TOPOGRAM"})
_DOSE = frozenset({"DOSE", "DOSE_INFO", "DOSEREPORT", "DOSE REPORT"})
_REFORMAT = frozenset({"MPR", "REFORMATTED", "CSAMPR", "CSA MPR", "MPR_THICK", "REFORMAT"})
SHARP = "sharp"
SOFT = "soft"


@dataclass(frozen=True)
class Flaw:
    """Why an image cannot be used; ``apart`` where it plainly does not belong to the stack it stands beside."""

    reason: str
    apart: bool


def flaw_of(image: ImageHeader) -> Flaw | None:
    """Why this image cannot be part of a CT volume; None where it can."""
    return next((flaw for check in (_other_kind, _missing) for flaw in check(image)), None)


def is_reformat(image: ImageHeader) -> bool:
    """Whether the image was computed from another series (ImageType DERIVED with MPR)."""
    return image.technique == "MPR" or (
        "DERIVED" in image.image_type[:1] and bool(_REFORMAT & set(_words(image.image_type)))
    )


def kernel_kind(kernel: str) -> str | None:
    """Whether a reconstruction kernel is soft or sharp; None where its name does not say.

    >>> kernel_kind("B31s"), kernel_kind("BONEPLUS"), kernel_kind("FC08")
    ('soft', 'sharp', 'soft')
    """
    name = kernel.split("\\", 1)[0].strip().upper()
    if any(word in name for word in ("BONE", "EDGE", "LUNG", "ULTRA", "SHARP")):
        return SHARP
    if any(word in name for word in ("STANDARD", "STND", "SOFT", "SMOOTH", "CHST", "CHEST")):
        return SOFT
    digits = "".join(character for character in name if character.isdecimal())[:2]
    if name.startswith("FC") and digits:
        return SOFT if int(digits) < 30 else SHARP
    if name[:1] in {"B", "H", "U", "I", "Q", "D", "J"} and digits:
        return SOFT if int(digits) < 50 else SHARP
    return None


def _other_kind(image: ImageHeader) -> Iterator[Flaw]:
    words = set(_words(image.image_type)) | {image.technique}
    if image.modality != "CT":
        by_us = "; leakseg wrote it" if "leakseg" in image.manufacturer.lower() else ""
        yield Flaw(f"Not CT: its modality is {_code(image.modality) or 'not given'}{by_us}.", apart=False)
    if words & _DOSE:
        yield Flaw("A dose report, not a scan.", apart=True)
    if image.sop_class.startswith(_SECONDARY_CAPTURE):
        yield Flaw("A secondary capture (a picture of a screen), not a scan.", apart=True)
    if image.sop_class not in CT_CLASSES:
        yield Flaw(f"Not a CT image: its SOP class is {_code(image.sop_class) or 'not given'}.", apart=True)
    if words & _LOCALIZER:
        yield Flaw("A localizer (scout view), not a scan.", apart=True)
    for word, what in _RENDERED.items():
        if word in words:
            yield Flaw(f"Not slices of the patient: {what} (ImageType {word}).", apart=True)
    if image.volumetric == "DISTORTED":
        yield Flaw("Not slices of the patient: its volumetric properties are DISTORTED.", apart=True)
    if image.samples != 1:
        yield Flaw(f"A colour image ({image.samples} samples a pixel), not Hounsfield units.", apart=True)


def _missing(image: ImageHeader) -> Iterator[Flaw]:
    if not image.rows or not image.columns:
        yield Flaw("It holds no image (no Rows or Columns).", apart=False)
    if image.bits_allocated not in {8, 16, 32} or not 0 < image.bits_stored <= image.bits_allocated:
        yield Flaw(
            f"Its pixel format cannot be read: {image.bits_stored} bits stored in {image.bits_allocated}.", apart=False
        )
    if image.orientation is None:
        yield Flaw("It does not say how it lies in the patient (no usable ImageOrientationPatient).", apart=False)
    if image.pixel_spacing is None:
        yield Flaw("It does not say how large its pixels are (no usable PixelSpacing).", apart=False)
    if not image.slope or image.intercept is None:
        name = "RescaleIntercept" if image.slope else "RescaleSlope"
        yield Flaw(
            f"Its values cannot be turned into Hounsfield units (no usable {name}), and they are not guessed.",
            apart=False,
        )
    if image.rescale_type not in {"", "HU", "HU_MOD"}:
        yield Flaw(f"Its values are not Hounsfield units: RescaleType is {_code(image.rescale_type)}.", apart=False)


def _words(image_type: Sequence[str]) -> list[str]:
    """The values of ImageType and, as vendors write several words into one, the words in them."""
    return [*image_type, *(word for value in image_type for word in value.replace("_", " ").split())]


def _code(text: str) -> str:
    """A coded value as a message may show it."""
    return "".join(character for character in text if character.isalnum() or character in "._ -")[:64]
