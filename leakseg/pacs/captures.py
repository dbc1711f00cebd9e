"""Key images as DICOM secondary captures (PS3.3 A.8.1) of the patient and study that the SR names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import leakseg
from leakseg.dicom_series import quiet

SR_NAME, SEG_NAME = "report.sr.dcm", "leaks.seg.dcm"
_PICTURES = ("leak-*.png", "levels.png")
_SERIES_NUMBER = 9803
_WHERE_TOLD = ("IssuerOfPatientID", "StudyDescription", "PatientIdentityRemoved", "DeidentificationMethod")


def captures(case: Path) -> Iterator[Any]:
    """A secondary capture of each key image in a case's folder; none where the case has no SR.

    The same SR and the same picture give the same UIDs, so that an object sent again is the same object.
    """
    sr = case / SR_NAME
    if not sr.is_file():
        return
    import pydicom

    with quiet():
        source = pydicom.dcmread(sr)
        pictures = [path for pattern in _PICTURES for path in sorted(case.glob(pattern), key=_in_order)]
        for number, path in enumerate(pictures, start=1):
            yield _capture(path, source, number)


def _in_order(path: Path) -> tuple[int, str]:
    return len(path.name), path.name


def _capture(path: Path, source: Any, number: int) -> Any:
    import numpy as np
    from highdicom.sc import SCImage
    from PIL import Image
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    report = str(source.SOPInstanceUID)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    image = SCImage.from_ref_dataset(
        source,
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        series_instance_uid=generate_uid(entropy_srcs=[report, "key images"]),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=generate_uid(entropy_srcs=[report, path.name, digest]),
        instance_number=number,
        manufacturer="leakseg",
        patient_orientation=("L", "P"),
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    image.Modality, image.ConversionType = "OT", "WSD"
    image.SeriesDescription = "leakseg key images"
    image.ManufacturerModelName = "leakseg"
    image.SoftwareVersions = leakseg.__version__
    image.BurnedInAnnotation = "NO"
    image.BodyPartExamined = "SPINE"
    image.PatientOrientation = []  # the picture holds several planes, each with letters at its sides
    image.ImageComments = path.stem
    image.SpecificCharacterSet = source.SpecificCharacterSet
    for keyword in ("SeriesDate", "SeriesTime"):
        image.pop(keyword, None)
    for kind in ("Date", "Time"):
        setattr(image, f"Content{kind}", source[f"Content{kind}"].value)
        for name in (f"InstanceCreation{kind}", f"{kind}OfSecondaryCapture"):
            image.pop(name, None)
    for item in image.get("ContributingEquipmentSequence", ()):
        item.pop("ContributionDateTime", None)
    for keyword in _WHERE_TOLD:
        if keyword in source:
            image[keyword] = source[keyword]
    return image
