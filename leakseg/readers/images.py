"""NIfTI and NRRD files: is it a scan or a label image, and the volume of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leakseg.criteria import ReadingCriteria
from leakseg.errors import GeometryError, SeriesError
from leakseg.findings import QualityNote
from leakseg.geometry import Grid
from leakseg.nifti import read_grid, read_image, read_sample
from leakseg.readers.hounsfield import AIR_HU
from leakseg.readers.inventory import ReadScan
from leakseg.volume import ScanSource, SeriesInfo, Volume

NOT_HOUNSFIELD = (
    "The image is not in Hounsfield units: no voxel is below 0, where air is -1000 and fat -100. "
    "Export it again with the rescale applied."
)
_MOST_LABELS = 256
_INT16 = np.iinfo(np.int16)


def meaning_of_values(path: Path) -> Literal["densities", "labels", "unknown"]:
    """What the voxels may be: labels are whole numbers, none negative, few different ones.

    A CT answers from its first slices, for air is negative; only a file without any is read whole.
    ``"unknown"`` is neither: no voxel is negative, so they are no Hounsfield units.

    Raises
    ------
    InputError
        Where the file cannot be read.
    """
    if _any_negative(read_sample(path)):
        return "densities"
    _, array = read_image(path)
    if _any_negative(array):
        return "densities"
    whole = array.dtype.kind in "uib" or (array.dtype.kind == "f" and np.array_equal(array, np.rint(array)))
    return "labels" if whole and len(np.unique(array)) <= _MOST_LABELS else "unknown"


def fault_of(grid: Grid, criteria: ReadingCriteria) -> str | None:
    """Why a grid is too small to analyse; None where it is not."""
    slices = grid.shape[0]
    if slices < criteria.min_slices:
        return f"Too few slices: {slices} where at least {criteria.min_slices} are needed."
    covered = min(size * spacing for size, spacing in zip(grid.shape, grid.spacing_mm, strict=True))
    if covered < criteria.min_coverage_mm:
        return f"Too little coverage: {covered:.1f} mm where at least {criteria.min_coverage_mm:g} mm are needed."
    return None


def read_scan_image(source: ScanSource, criteria: ReadingCriteria) -> ReadScan:
    """Read one file; see `leakseg.readers.read_volume`."""
    path = source.files[0]
    fault = fault_of(read_grid(path), criteria)
    if fault:
        raise GeometryError(fault)
    grid, array = read_image(path)
    if array.dtype.kind not in "iufb":
        raise SeriesError("The image holds colours or complex numbers, not Hounsfield units.")
    hu, padding, notes = _hounsfield(array)
    info = SeriesInfo(modality="CT", slices=grid.shape[0], spacing_mm=grid.spacing_mm)
    return ReadScan(Volume(grid, hu, info, padding), notes)


def _hounsfield(array: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_] | None, tuple[QualityNote, ...]]:
    """Values as int16 where all are whole and fit, else float32; what is no number becomes padding."""
    notes: list[QualityNote] = []
    padding: NDArray[np.bool_] | None = None
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
        unknown = ~np.isfinite(array)
        if unknown.any():
            padding = unknown
            array[unknown] = AIR_HU
            notes.append(
                QualityNote(
                    "pixel_padding",
                    "info",
                    f"{unknown.mean():.1%} of the voxels hold no number, set to {AIR_HU} HU.",
                )
            )
    if array.min() >= 0:
        raise SeriesError(NOT_HOUNSFIELD)
    if array.min() >= _INT16.min and array.max() <= _INT16.max and np.array_equal(array, np.rint(array)):
        array = array.astype(np.int16)
    elif array.dtype.kind != "f":
        array = array.astype(np.float32)
    notes.append(
        QualityNote("no_dicom_header", "info", "The file carries no DICOM header: kVp, kernel and UIDs are not known.")
    )
    return array, padding, tuple(notes)


def _any_negative(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "if" and bool((array < 0).any())
