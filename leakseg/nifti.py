"""The one codec for NIfTI and NRRD files; the only place where RAS exists.

Arrays come back in canonical ``SPL`` order on a `Grid` in DICOM patient space (see
`leakseg.geometry`) and are written from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from leakseg.errors import InputError
from leakseg.geometry import MOST_VOXELS, Grid, canonical, too_large
from leakseg.nrrd_header import check_nrrd

T = TypeVar("T")

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
NIFTI_ENDINGS = (".nii", ".nii.gz")
NRRD_ENDINGS = (".nrrd", ".nhdr")
_NIFTI_2 = {540, int.from_bytes((540).to_bytes(4, "big"), "little")}
"""A NIfTI-2 header begins with its own length, in either byte order."""
_PACKED = 2
"""ISA-L's level: files of masks become two thirds larger than by zlib's sixth, in a thirtieth of its time."""
_BEST_RATIO = 1032
"""Deflate cannot pack better."""
_MM_PER_UNIT = {"mm": 1.0, "meter": 1000.0, "micron": 0.001}


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
    grid, array = open_image(path)
    return grid, np.ascontiguousarray(array)


def open_image(path: Path) -> tuple[Grid, NDArray[Any]]:
    """As `read_image`, but the array is a view of the file's own order: for those who crop before they compute."""
    affine, array = _guarded(path, _read_nrrd, _read_nifti)
    shape = (array.shape[0], array.shape[1], array.shape[2])
    return canonical(Grid(shape, affine), array)


def read_grid(path: Path) -> Grid:
    """Where the voxels of a NIfTI or NRRD image lie, in canonical orientation; no voxel is read.

    Raises
    ------
    InputError
        As `read_image`.
    """
    affine, shape = _guarded(path, _nrrd_place, _nifti_place)
    if len(shape) != 3:
        raise InputError(f"The image has {len(shape)} dimensions; a single 3-D image is expected.")
    grid = Grid((shape[0], shape[1], shape[2]), affine)
    return canonical(grid, np.broadcast_to(np.int8(0), grid.shape))[0]


def read_sample(path: Path) -> NDArray[Any]:
    """Values of the first slices as stored in a NIfTI file, scaling applied; all values of an NRRD.

    Raises
    ------
    InputError
        As `read_image`.
    """
    return np.asarray(_guarded(path, lambda one: _read_nrrd(one)[1], _nifti_sample))


def write_nifti(path: Path, grid: Grid, array: NDArray[Any]) -> None:
    """Write an array on its grid as NIfTI-1; the same input gives the same bytes."""
    import nibabel as nib
    from isal import igzip

    affine = _RAS_TO_LPS @ grid.affine
    flipped = np.transpose(array, (2, 1, 0))
    image = nib.Nifti1Image(flipped, affine[:, [2, 1, 0, 3]])
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    data = image.to_bytes()
    if path.name.endswith(".gz"):
        data = igzip.compress(data, _PACKED, mtime=0)
    path.write_bytes(data)


def _guarded(path: Path, nrrd: Callable[[Path], T], nifti: Callable[[Path], T]) -> T:
    """What the reader for this kind of file returns; whatever it stumbles over becomes one sentence.

    The file's name is not told: hospitals name files after patients.
    """
    try:
        return nrrd(path) if path.name.lower().endswith(NRRD_ENDINGS) else nifti(path)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            "The file cannot be read as an image: it is damaged, cut short, or of another kind."
        ) from error


def _nifti_place(path: Path) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    with _loaded(path) as image:
        shape = tuple(int(size) for size in image.shape)
        while len(shape) > 3 and shape[-1] == 1:
            shape = shape[:-1]
        return _nifti_affine(image), shape


@contextmanager
def _loaded(path: Path) -> Iterator[Any]:
    """The image, its voxels not yet read; gzip is unpacked by ISA-L, eight times as fast as by zlib."""
    import nibabel as nib

    if not path.name.lower().endswith(".gz"):
        yield nib.load(path)
        return
    from isal import igzip

    with igzip.open(path) as stream:
        kind = nib.Nifti2Image if int.from_bytes(stream.read(4), "little") in _NIFTI_2 else nib.Nifti1Image
        stream.seek(0)
        yield kind.from_stream(stream)


def _nifti_affine(image: Any) -> NDArray[np.float64]:
    """Index to patient mm (LPS); the file's own unit of length is honoured.

    A unit that is not told means mm, as in every tool.
    """
    header = image.header
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        raise InputError(
            "The image does not say how it lies in the patient (sform and qform codes are both 0); "
            "export it again with an orientation."
        )
    unit = header.get_xyzt_units()[0]
    to_mm = np.diag([_MM_PER_UNIT.get(unit, 1.0)] * 3 + [1.0])
    return np.asarray(to_mm @ _RAS_TO_LPS @ np.asarray(image.affine, dtype=np.float64))


def _nifti_sample(path: Path) -> NDArray[Any]:
    with _loaded(path) as image:
        return np.asarray(image.dataobj[:, :, :2] if image.ndim >= 3 else image.dataobj)


def _nrrd_place(path: Path) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    import SimpleITK as sitk

    check_nrrd(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1:
        raise InputError("The file is not a single 3-D image.")
    return _nrrd_affine(reader), tuple(reversed(reader.GetSize()))


def _nrrd_affine(image: Any) -> NDArray[np.float64]:
    direction = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine = np.eye(4)
    affine[:3, :3] = direction[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    return affine


def _read_nifti(path: Path) -> tuple[NDArray[np.float64], NDArray[Any]]:
    with _loaded(path) as image:
        affine = _nifti_affine(image)
        _check_size(image, path)
        plain = image.dataobj.slope == 1.0 and image.dataobj.inter == 0.0
        array = _stored(image) if plain else np.asarray(image.dataobj)
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3:
        raise InputError(f"The image has {array.ndim} dimensions; a single 3-D image is expected.")
    return affine, array


def _stored(image: Any) -> NDArray[Any]:
    """The voxels as they are stored, unpacked straight to where they stay."""
    stored = image.dataobj
    array = np.empty(stored.shape[::-1], stored.dtype)
    with image.file_map["image"].get_prepare_fileobj("rb") as stream:
        stream.seek(stored.offset)
        if stream.readinto(array) != array.nbytes:
            raise EOFError  # as what unpacks raises of a file cut short
    return array.T


def _check_size(image: Any, path: Path) -> None:
    """Memory for what a header claims is taken only where the file may hold it."""
    if math.prod(image.shape) > MOST_VOXELS:
        raise InputError(too_large(image.shape))
    if math.prod(image.shape) * image.get_data_dtype().itemsize > path.stat().st_size * _BEST_RATIO:
        raise InputError("The file is cut short: it is too small for the voxels that its header claims.")


def _read_nrrd(path: Path) -> tuple[NDArray[np.float64], NDArray[Any]]:
    import SimpleITK as sitk

    check_nrrd(path)
    image = sitk.ReadImage(str(path))
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError("The file is not a single 3-D image.")
    return _nrrd_affine(image), sitk.GetArrayFromImage(image)
