"""The one codec for NIfTI and NRRD files; the only place where RAS exists.

Arrays come back in canonical ``SPL`` order on a `Grid` in DICOM patient space (see
`leakseg.geometry`) and are written from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from leakseg.errors import InputError
from leakseg.geometry import MOST_VOXELS, Grid, bounding_box, canonical, too_large
from leakseg.nrrd_header import check_nrrd

T = TypeVar("T")
_Window: TypeAlias = tuple[slice, slice, slice]
_Shown: TypeAlias = "tuple[NDArray[np.float64], tuple[int, int, int], tuple[_Window, NDArray[Any]] | None]"
"""Affine and shape of an image as stored, and its block that holds anything but 0."""

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
NIFTI_ENDINGS = (".nii", ".nii.gz")
NRRD_ENDINGS = (".nrrd", ".nhdr")
_ENDINGS = NIFTI_ENDINGS + NRRD_ENDINGS
_NIFTI_2 = {540, int.from_bytes((540).to_bytes(4, "big"), "little")}
"""A NIfTI-2 header begins with its own length, in either byte order."""
_PACKED = 2
"""ISA-L's level: files of masks become three quarters larger than by zlib's sixth, in a thirtieth of its time."""
_GZIP = 31
"""What zlib calls the format of gzip, its window as wide as can be."""
_BEST_RATIO = 1032
"""Deflate cannot pack better."""
_AT_ONCE = 1 << 20
"""Voxels unpacked at a time: as many as stay in the processor's cache."""
_MM_PER_UNIT = {"mm": 1.0, "meter": 1000.0, "micron": 0.001}


def is_image_file(path: Path) -> bool:
    """Whether the name ends like a NIfTI or NRRD file."""
    return is_image_name(path.name)


def is_image_name(name: str) -> bool:
    """Whether a name ends like a NIfTI or NRRD file's."""
    return name.lower().endswith(_ENDINGS)


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
    affine, array = _guarded(path, _read_nrrd, _read_nifti)
    shape = (array.shape[0], array.shape[1], array.shape[2])
    grid, array = canonical(Grid(shape, affine), array)
    return grid, np.ascontiguousarray(array)


def read_shown(path: Path) -> tuple[Grid, tuple[Grid, NDArray[Any]] | None]:
    """The grid of a mask or labelmap, and the block of it that holds anything but 0 (None where nothing does).

    Only the block is kept: a mask of a long scan is zeros for the most part.

    Raises
    ------
    InputError
        As `read_image`.
    """
    affine, shape, shown = _guarded(path, _nrrd_shown, _nifti_shown)
    grid = Grid(shape, affine)
    field = canonical(grid, np.broadcast_to(np.int8(0), shape))[0]
    if shown is None:
        return field, None
    window, block = shown
    cropped, block = canonical(grid.crop(window), block)
    return field, (cropped, np.ascontiguousarray(block))


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
    """Write an array on its grid as NIfTI-1, a slice at a time; the same input gives the same bytes."""
    import nibabel as nib

    affine = _RAS_TO_LPS @ grid.affine
    image = nib.Nifti1Image(np.transpose(array, (2, 1, 0)), affine[:, [2, 1, 0, 3]])
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    image.header.set_slope_inter(1.0, 0.0)
    head = BytesIO()
    image.header.write_to(head)
    parts: Iterator[Any] = chain([head.getvalue()], map(np.ascontiguousarray, array))
    with path.open("wb") as stream:
        for part in _packed(parts) if path.name.endswith(".gz") else parts:
            stream.write(part)


def _packed(parts: Iterable[Any]) -> Iterator[bytes]:
    """Parts of a file as parts of a gzip file."""
    from isal import isal_zlib

    packer = isal_zlib.compressobj(_PACKED, wbits=_GZIP)
    yield from map(packer.compress, parts)
    yield packer.flush()


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


def _nrrd_shown(path: Path) -> _Shown:
    affine, array = _read_nrrd(path)
    return _shown_of(affine, array)


def _nifti_shown(path: Path) -> _Shown:
    with _loaded(path) as image:
        affine, stored = _nifti_affine(image), image.dataobj
        _check_size(image, path)
        if stored.slope == 1.0 and stored.inter == 0.0 and image.ndim == 3:
            shape = (int(stored.shape[0]), int(stored.shape[1]), int(stored.shape[2]))
            return affine, shape, _block_of(image)
    return _shown_of(*_read_nifti(path))


def _shown_of(affine: NDArray[np.float64], array: NDArray[Any]) -> _Shown:
    box = bounding_box(array)
    shape = (array.shape[0], array.shape[1], array.shape[2])
    return affine, shape, None if box is None else (box, array[box])


def _block_of(image: Any) -> tuple[_Window, NDArray[Any]] | None:
    """The block that holds anything but 0, of voxels unpacked a few slices at a time."""
    stored = image.dataobj
    slices, rows, columns = stored.shape[::-1]
    some = np.empty((max(1, min(slices, _AT_ONCE // max(1, rows * columns))), rows, columns), stored.dtype)
    kept: list[tuple[_Window, NDArray[Any]]] = []
    with image.file_map["image"].get_prepare_fileobj("rb") as stream:
        stream.seek(stored.offset)
        for first in range(0, slices, len(some)):
            here = some[: slices - first]
            if stream.readinto(here) != here.nbytes:
                raise EOFError  # as what unpacks raises of a file cut short
            box = bounding_box(here)
            if box is not None:
                there = (slice(first + box[0].start, first + box[0].stop), box[1], box[2])
                kept.append((there, here[box].copy()))
    if not kept:
        return None
    low = [min(window[axis].start for window, _ in kept) for axis in range(3)]
    high = [max(window[axis].stop for window, _ in kept) for axis in range(3)]
    block = np.zeros([stop - start for start, stop in zip(low, high, strict=True)], stored.dtype)
    for window, part in kept:
        block[tuple(slice(w.start - start, w.stop - start) for w, start in zip(window, low, strict=True))] = part
    return (slice(low[2], high[2]), slice(low[1], high[1]), slice(low[0], high[0])), block.T


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
