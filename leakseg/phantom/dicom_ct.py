"""CT Image objects (DICOM PS3.3 A.3) of a phantom: explicit VR little endian, the same bytes every time.

Identifiers come from the phantom's seed; no date of today, no machine's name goes in.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from leakseg.errors import OutputError
from leakseg.volume import Volume

_SLOPE, _INTERCEPT = 1, -1024
_CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
_IMPLEMENTATION_UID = "2.25.163542719824610387294618273546192837465"


def uid_of(*parts: object) -> str:
    """A UID under 2.25 (PS3.5 B.2) that depends on nothing but the parts.

    >>> uid_of("study", 1) == uid_of("study", 1)
    True
    """
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    number = bytearray(digest[:16])
    number[6] = (number[6] & 0x0F) | 0x80
    number[8] = (number[8] & 0x3F) | 0x80
    return f"2.25.{int.from_bytes(bytes(number), 'big')}"


def write_series(
    folder: Path,
    volume: Volume,
    *,
    case_id: str,
    seed_text: str,
    description: str,
    skip: tuple[int, ...] = (),
) -> tuple[Path, ...]:
    """Write one file a slice, caudal to cranial.

    Parameters
    ----------
    volume
        The scan; canonical orientation makes rows run to the left and columns backward.
    seed_text
        What the UIDs are made from.
    description
        SeriesDescription.
    skip
        Slices left out, to make a series that must be refused.

    Raises
    ------
    OutputError
        Where a file cannot be written.
    """
    from pydicom.dataset import FileMetaDataset
    from pydicom.filewriter import dcmwrite
    from pydicom.uid import UID, ExplicitVRLittleEndian

    base = _series_level(volume, case_id, seed_text, description)
    stored = np.asarray(volume.hu, dtype=np.int32) - _INTERCEPT
    stored = np.clip(stored, -32768, 32767).astype("<i2")
    spacing = volume.grid.spacing_mm
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for k in range(volume.grid.shape[0]):
            if k in skip:
                continue
            base.SOPInstanceUID = uid_of("instance", seed_text, k)
            base.InstanceNumber = k + 1
            base.ImagePositionPatient = [_ds(value) for value in volume.grid.to_patient([k, 0, 0])]
            base.SliceLocation = _ds(k * spacing[0])
            base.PixelData = stored[k].tobytes()
            base["PixelData"].VR = "OW"
            meta = FileMetaDataset()
            meta.FileMetaInformationVersion = b"\x00\x01"
            meta.MediaStorageSOPClassUID = UID(_CT_IMAGE_STORAGE)
            meta.MediaStorageSOPInstanceUID = base.SOPInstanceUID
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            meta.ImplementationClassUID = UID(_IMPLEMENTATION_UID)
            base.file_meta = meta
            path = folder / f"{k + 1:04d}.dcm"
            dcmwrite(path, base, enforce_file_format=True)
            paths.append(path)
    except OSError as error:
        raise OutputError(f"The phantom's DICOM files could not be written: {error.strerror}.") from error
    return tuple(paths)


def _series_level(volume: Volume, case_id: str, seed_text: str, description: str) -> Any:
    from pydicom.dataset import Dataset

    grid, series = volume.grid, volume.series
    rows, columns = grid.affine[:3, 1] / grid.spacing_mm[1], grid.affine[:3, 2] / grid.spacing_mm[2]
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.SOPClassUID = _CT_IMAGE_STORAGE
    data.StudyDate, data.StudyTime = "20000101", "120000"
    data.AccessionNumber = ""
    data.Modality = "CT"
    data.Manufacturer = "leakseg"
    data.ReferringPhysicianName = ""
    data.StudyDescription = "Digital phantom, no patient"
    data.SeriesDescription = description[:64]
    data.ManufacturerModelName = "leakseg phantom"
    data.PatientName = f"Phantom^{case_id}"[:64]
    data.PatientID = f"PHANTOM-{hashlib.sha256(seed_text.encode()).hexdigest()[:8]}"
    data.PatientBirthDate, data.PatientSex = "", ""
    data.PatientIdentityRemoved = "YES"
    data.DeidentificationMethod = "Digital phantom: cement and truth are synthetic"
    data.BodyPartExamined = "LSPINE"
    data.SliceThickness = _ds(series.slice_thickness_mm or grid.spacing_mm[0])
    data.KVP = _ds(series.kvp or 120.0)
    data.SpacingBetweenSlices = _ds(grid.spacing_mm[0])
    data.ConvolutionKernel = series.kernel or "PHANTOM"
    data.PatientPosition = "HFS"
    data.StudyInstanceUID = uid_of("study", seed_text)
    data.SeriesInstanceUID = uid_of("series", seed_text)
    data.StudyID, data.SeriesNumber, data.AcquisitionNumber = "1", 1, 1
    data.FrameOfReferenceUID = uid_of("frame", seed_text)
    data.PositionReferenceIndicator = ""
    data.ImageOrientationPatient = [_ds(value) for value in (*columns, *rows)]
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.Rows, data.Columns = grid.shape[1], grid.shape[2]
    data.PixelSpacing = [_ds(grid.spacing_mm[1]), _ds(grid.spacing_mm[2])]
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = _INTERCEPT, _SLOPE, "HU"
    data.WindowCenter, data.WindowWidth = "600", "2600"
    return data


def _ds(value: float) -> str:
    """A decimal string of at most 16 characters (PS3.5 6.2, DS)."""
    for digits in range(10, 0, -1):
        text = f"{round(float(value), digits) + 0.0:.{digits}f}".rstrip("0").rstrip(".")
        if len(text) <= 16:
            return text
    return f"{value:.8e}"
