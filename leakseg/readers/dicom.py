"""A DICOM series becomes a volume: read, bridged, straightened, turned to canonical ``SPL``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.criteria import ReadingCriteria
from leakseg.errors import SeriesError
from leakseg.geometry import FloatArray, Grid, canonical
from leakseg.readers.header_reader import HeaderReader
from leakseg.readers.headers import SliceHeader, UnreadableError
from leakseg.readers.hounsfield import AIR_HU, densities_of
from leakseg.readers.inventory import ReadScan
from leakseg.readers.series import judge
from leakseg.readers.stack import Stack, one_frame
from leakseg.volume import ScanSource, SeriesInfo, Volume

_EDGE = 1e-6
"""Rounding allowed at a slice's last pixel (pixels)."""


def read_dicom(source: ScanSource, criteria: ReadingCriteria) -> ReadScan:
    """Read one series; see `leakseg.readers.read_volume`."""
    judged = judge(_slices(source), criteria)
    if judged.refusal is not None:
        raise judged.refusal
    stack = judged.stack
    assert stack is not None
    densities = densities_of(stack)
    hu, padding = densities.hu, densities.padding
    _bridge(hu, padding, stack)
    affine = _affine(stack)
    if stack.tilt_deg is not None:
        hu, padding, affine = _straightened(hu, padding, stack, affine)
    image = stack.slices[0].image
    frame = one_frame(list({one.image for one in stack.slices})) or ""
    grid, hu = canonical(Grid((hu.shape[0], hu.shape[1], hu.shape[2]), affine, frame), hu)
    if padding is not None:
        padding = np.ascontiguousarray(canonical(Grid(padding.shape, affine), padding)[1])
    volume = Volume(
        grid,
        np.ascontiguousarray(hu),
        SeriesInfo(
            modality="CT",
            kvp=image.kvp,
            kernel=image.kernel or None,
            slices=len(stack.slices),
            spacing_mm=_rounded(grid),
            slice_thickness_mm=image.slice_thickness_mm,
            study_instance_uid=image.study_uid or None,
            series_instance_uid=image.series_uid or None,
            frame_of_reference_uid=frame or None,
            clip_hu=densities.clip_hu,
        ),
        padding,
        tuple(dict.fromkeys(one.path for one in judged.slices)),
    )
    return ReadScan(volume, (*judged.notes, *densities.notes))


def _rounded(grid: Grid) -> tuple[float, float, float]:
    k, j, i = (round(length, 6) for length in grid.spacing_mm)
    return k, j, i


def _slices(source: ScanSource) -> list[SliceHeader]:
    slices: list[SliceHeader] = []
    reader = HeaderReader()
    for path in source.files:
        try:
            slices.extend(reader.read(path))
        except UnreadableError as error:
            raise SeriesError(f"A file of the series can no longer be read: {error}") from error
    wanted = source.series_instance_uid
    mine = [one for one in slices if wanted is None or one.image.series_uid == wanted]
    if not mine:
        raise SeriesError("The files hold no slice of the series that was asked for.")
    others = {one.image.series_uid for one in mine}
    if len(others) > 1:
        raise SeriesError(f"{len(others)} series where one is expected; name the one to read.")
    return mine


def _affine(stack: Stack) -> FloatArray:
    """Index ``(k, j, i)`` to patient mm, the slice axis square to the slices where the gantry was tilted."""
    affine = np.eye(4)
    step = stack.step_mm if stack.tilt_deg is None else stack.normal * float(stack.step_mm @ stack.normal)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = step, stack.rows, stack.columns
    affine[:3, 3] = stack.origin_mm
    return affine


def _bridge(hu: NDArray[Any], padding: NDArray[np.bool_] | None, stack: Stack) -> None:
    """Fill a missing slice with the mean of its neighbours, in place."""
    for place in sorted(set(range(stack.count)) - set(stack.index)):
        mean = (hu[place - 1].astype(np.float32) + hu[place + 1]) / 2
        hu[place] = np.rint(mean) if hu.dtype == np.int16 else mean
        if padding is not None:
            padding[place] = padding[place - 1] | padding[place + 1]


def _straightened(
    hu: NDArray[Any], padding: NDArray[np.bool_] | None, stack: Stack, affine: FloatArray
) -> tuple[NDArray[Any], NDArray[np.bool_], FloatArray]:
    """Shift each slice within its plane so that the stack stands square; nothing is cut off.

    Slices keep their planes, so there is no interpolation between them.
    """
    import SimpleITK as sitk

    count, rows, columns = hu.shape
    spacing = stack.spacing_mm
    shift = np.array([stack.step_mm @ stack.rows / spacing[1] ** 2, stack.step_mm @ stack.columns / spacing[2] ** 2])
    ends = shift * (count - 1)
    first = np.floor(np.minimum(ends, 0)).astype(int)
    last = np.ceil(np.maximum(ends, 0)).astype(int)
    size = (int(columns + last[1] - first[1]), int(rows + last[0] - first[0]), count)
    shear = sitk.AffineTransform(3)
    shear.SetMatrix((1.0, 0.0, -shift[1], 0.0, 1.0, -shift[0], 0.0, 0.0, 1.0))

    def resampled(array: NDArray[np.float32], outside: float) -> NDArray[np.float32]:
        image = sitk.GetImageFromArray(array)
        moved = sitk.Resample(
            image,
            size,
            shear,
            sitk.sitkLinear,
            (float(first[1]), float(first[0]), 0.0),
            (1.0, 1.0, 1.0),
            (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
            outside,
        )
        return np.asarray(sitk.GetArrayFromImage(moved), dtype=np.float32)

    outside = _beyond(rows, size[1], first[0], shift[0], count)[:, :, None]
    outside = outside | _beyond(columns, size[0], first[1], shift[1], count)[:, None, :]
    if padding is not None:
        outside |= resampled(padding.astype(np.float32), 1.0) > 0
    straight = resampled(hu.astype(np.float32), float(AIR_HU))
    straight = np.rint(straight).astype(np.int16) if hu.dtype == np.int16 else straight
    straight[outside] = AIR_HU
    moved = affine.copy()
    moved[:3, 3] += stack.rows * first[0] + stack.columns * first[1]
    return straight, outside, moved


def _beyond(size: int, wide: int, first: int, shift: float, count: int) -> NDArray[np.bool_]:
    """``(count, wide)``: which places along one straightened axis lie beyond the pixels of their slice."""
    place = np.arange(wide) + first - shift * np.arange(count)[:, None]
    return np.asarray((place < -_EDGE) | (place > size - 1 + _EDGE))
