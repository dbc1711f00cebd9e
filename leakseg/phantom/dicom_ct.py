"""CT Image objects (DICOM PS3.3 A.3) of a phantom: explicit VR little endian, the same bytes every time.

Identifiers come from the phantom's seed; no date of today, no machine's name goes in. Slices lie as the patient lay:
prone and decubitus images are turned so that the table is below. A tilted gantry's slices follow one another straight
along the table, so each is the leaning grid's slice moved within its plane, by cubic convolution.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.errors import OutputError
from leakseg.geometry import FloatArray
from leakseg.phantom.look import Position, ScannerLook
from leakseg.phantom.scanner import shift
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
    look: ScannerLook | None = None,
) -> tuple[Path, ...]:
    """Write one file a slice, from the feet up where the patient lay head first, else from the head down.

    Parameters
    ----------
    volume
        The scan; canonical orientation makes rows run to the left and columns backward.
    seed_text
        What the UIDs are made from.
    description
        SeriesDescription.
    skip
        Slices left out, to make a series that must be refused; numbered from the caudal end.
    look
        How the patient lay and the gantry stood; None: supine, head first, no tilt.

    Raises
    ------
    OutputError
        Where a file cannot be written.
    """
    from pydicom.dataset import FileMetaDataset
    from pydicom.filewriter import dcmwrite
    from pydicom.uid import UID, ExplicitVRLittleEndian

    look = look or ScannerLook()
    base = _series_level(volume, case_id, seed_text, description, look)
    stored = np.asarray(volume.hu, dtype=np.int32) - _INTERCEPT
    stored = np.clip(stored, -32768, 32767).astype("<i2")
    count = volume.grid.shape[0]
    offsets, rows = _drift(volume, look)
    increment = base.SpacingBetweenSlices
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for k in range(count) if look.position.startswith("HF") else range(count - 1, -1, -1):
            if k in skip:
                continue
            number = k + 1 if look.position.startswith("HF") else count - k
            image, first = _laid(_sheared(stored[k], offsets[k], rows), look.position)
            base.SOPInstanceUID = uid_of("instance", seed_text, k)
            base.InstanceNumber = number
            at = volume.grid.to_patient([k, first[0] + offsets[k], first[1]])
            base.ImagePositionPatient = [_ds(value) for value in at]
            base.SliceLocation = _ds(k * float(increment))
            base.PixelData = np.ascontiguousarray(image).tobytes()
            base["PixelData"].VR = "OW"
            meta = FileMetaDataset()
            meta.FileMetaInformationVersion = b"\x00\x01"
            meta.MediaStorageSOPClassUID = UID(_CT_IMAGE_STORAGE)
            meta.MediaStorageSOPInstanceUID = base.SOPInstanceUID
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            meta.ImplementationClassUID = UID(_IMPLEMENTATION_UID)
            base.file_meta = meta
            path = folder / f"{number:04d}.dcm"
            dcmwrite(path, base, enforce_file_format=True)
            paths.append(path)
    except OSError as error:
        raise OutputError(f"The phantom's DICOM files could not be written: {error.strerror}.") from error
    return tuple(paths)


def _drift(volume: Volume, look: ScannerLook) -> tuple[FloatArray, int]:
    """By how many rows each slice of a leaning grid is moved for the stack to stand straight, and the rows left."""
    count, rows, _columns = volume.grid.shape
    if look.tilt_deg == 0:
        return np.zeros(count), rows
    step = volume.grid.spacing_mm[0] * np.tan(np.deg2rad(look.tilt_deg)) / volume.grid.spacing_mm[1]
    offsets = np.arange(count) * step
    offsets -= offsets.min()
    return offsets, rows - int(np.ceil(offsets.max()))


def _sheared(image: NDArray[Any], offset: float, rows: int) -> NDArray[Any]:
    if image.shape[0] == rows and offset == 0:
        return image
    whole = shift(image.astype(np.float32), float(offset), 0)[:rows]
    return np.clip(np.rint(whole), image.min(), image.max()).astype("<i2")


def _laid(image: NDArray[Any], position: Position) -> tuple[NDArray[Any], tuple[int, int]]:
    """A slice (rows backward, columns leftward) turned so that the table is below, and the pixel it begins with."""
    last_row, last_column = image.shape[0] - 1, image.shape[1] - 1
    if position.endswith("P"):
        return image[::-1, ::-1], (last_row, last_column)
    if position.endswith("DR"):
        return image.T[::-1], (0, last_column)
    if position.endswith("DL"):
        return image.T[:, ::-1], (last_row, 0)
    return image, (0, 0)


def _series_level(volume: Volume, case_id: str, seed_text: str, description: str, look: ScannerLook) -> Any:
    from pydicom.dataset import Dataset

    grid, series = volume.grid, volume.series
    backward, leftward = grid.affine[:3, 1] / grid.spacing_mm[1], grid.affine[:3, 2] / grid.spacing_mm[2]
    down, across = {
        "P": (-backward, -leftward),
        "DR": (-leftward, backward),
        "DL": (leftward, -backward),
    }.get(look.position[2:], (backward, leftward))
    increment = grid.spacing_mm[0] / np.cos(np.deg2rad(look.tilt_deg))
    _offsets, rows_left = _drift(volume, look)
    lying = look.position[2:] in {"DR", "DL"}
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
    data.SliceThickness = _ds(series.slice_thickness_mm or increment)
    data.KVP = _ds(series.kvp or 120.0)
    data.SpacingBetweenSlices = _ds(increment)
    data.ConvolutionKernel = series.kernel or "PHANTOM"
    data.PatientPosition = look.position
    if look.tilt_deg:
        data.GantryDetectorTilt = _ds(look.tilt_deg)
    data.StudyInstanceUID = uid_of("study", seed_text)
    data.SeriesInstanceUID = uid_of("series", seed_text)
    data.StudyID, data.SeriesNumber, data.AcquisitionNumber = "1", 1, 1
    data.FrameOfReferenceUID = uid_of("frame", seed_text)
    data.PositionReferenceIndicator = ""
    data.ImageOrientationPatient = [_ds(value) for value in (*across, *down)]
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    size, pixel = (rows_left, grid.shape[2]), (_ds(grid.spacing_mm[1]), _ds(grid.spacing_mm[2]))
    data.Rows, data.Columns = size[::-1] if lying else size
    data.PixelSpacing = list(pixel[::-1] if lying else pixel)
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
