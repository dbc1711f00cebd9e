"""The one codec for NIfTI and NRRD files; the only place where RAS exists.

Arrays come back in canonical ``SPL`` order on a `Grid` in DICOM patient space (see
`leakseg.geometry`) and are written from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.errors import InputError
from leakseg.geometry import Grid, canonical

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
NIFTI_ENDINGS = (".nii", ".nii.gz")
NRRD_ENDINGS = (".nrrd", ".nhdr")


def is_image_file(path: Path) -> bool:
    """Whether the name ends like a NIfTI or NRRD file."""
    return path.name.lower().endswith(NIFTI_ENDINGS + NRRD_ENDINGS)


def read_image(path: Path) -> tuple[Grid, NDArray[Any]]:
    """Read a 3-D NIfTI or NRRD image with its scaling applied.

    Returns
    -------
    grid, array
        In canonical orientation; the array keeps an integer type where the file holds plain integers.

    Raises
    ------
    InputError
        Where the file cannot be read, is not 3-D, or does not say where it lies.
    """
    try:
        if path.name.lower().endswith(NRRD_ENDINGS):
            affine, array = _read_nrrd(path)
        else:
            affine, array = _read_nifti(path)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path.name} cannot be read as an image: {_first_line(error)}.") from error
    shape = (array.shape[0], array.shape[1], array.shape[2])
    grid, array = canonical(Grid(shape, affine), array)
    return grid, np.ascontiguousarray(array)


def write_nifti(path: Path, grid: Grid, array: NDArray[Any]) -> None:
    """Write an array on its grid as NIfTI-1; the same input gives the same bytes."""
    import gzip
    import io

    import nibabel as nib

    affine = _RAS_TO_LPS @ grid.affine
    flipped = np.transpose(array, (2, 1, 0))
    image = nib.Nifti1Image(np.ascontiguousarray(flipped), affine[:, [2, 1, 0, 3]])
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    data = image.to_bytes()
    if path.name.endswith(".gz"):
        buffer = io.BytesIO()
        with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=6, mtime=0) as stream:
            stream.write(data)
        data = buffer.getvalue()
    path.write_bytes(data)


def _read_nifti(path: Path) -> tuple[NDArray[np.float64], NDArray[Any]]:
    import nibabel as nib

    image: Any = nib.load(path)
    header = image.header
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        raise InputError(
            f"{path.name} does not say how it lies in the patient (sform and qform codes are both 0); "
            "export it again with an orientation."
        )
    slope, intercept = header.get_slope_inter()
    plain = slope in (None, 1.0) and intercept in (None, 0.0)
    array = np.asarray(image.dataobj) if plain else image.get_fdata(dtype=np.float32)
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3:
        raise InputError(f"{path.name} has {array.ndim} dimensions; a single 3-D image is expected.")
    return _RAS_TO_LPS @ np.asarray(image.affine, dtype=np.float64), array


def _read_nrrd(path: Path) -> tuple[NDArray[np.float64], NDArray[Any]]:
    import SimpleITK as sitk

    if "space directions" not in _nrrd_header(path):
        raise InputError(
            f"{path.name} does not say how it lies in the patient (no 'space directions'); export it again."
        )
    image = sitk.ReadImage(str(path))
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(f"{path.name} is not a single 3-D image.")
    direction = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine = np.eye(4)
    affine[:3, :3] = direction[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    return affine, sitk.GetArrayFromImage(image)


def _nrrd_header(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(65536).split(b"\n\n", 1)[0].split(b"\r\n\r\n", 1)[0]
    return head.decode("latin-1").lower()


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
