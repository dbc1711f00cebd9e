"""Orthogonal slices as a radiologist hangs them: the patient's left on the right, the front on the left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leakseg.anatomy import VertebraLevel
from leakseg.findings import Leak
from leakseg.pictures import canvas
from leakseg.pictures.canvas import View
from leakseg.pictures.region import Region, letters, tilt_deg
from leakseg.wording import COLOURS

PlaneName = Literal["axial", "coronal", "sagittal"]
AXES: Mapping[PlaneName, int] = {"axial": 0, "coronal": 1, "sagittal": 2}
"""The array axis that each plane stands across."""
BONE_COLOUR, CANAL_COLOUR, METAL_COLOUR = "#8FB8DE", "#F0E442", "#0072B2"
_NAME_AREA_MM2 = 150.0
"""A vertebra is named in a slice that shows this much of it."""
_TILTED_DEG = 5.0
_EDGE = 12
"""Names nearer to the picture's edge, in pixels, would be cut off."""


def hung(array: NDArray[Any], plane: PlaneName, index: int) -> NDArray[Any]:
    """One slice with rows down and columns right: front or head up."""
    cut: NDArray[Any] = np.ascontiguousarray(np.moveaxis(array, AXES[plane], 0)[index])
    return cut if plane == "axial" else cut[::-1]


def plane_view(region: Region, plane: PlaneName, centre: tuple[int, int, int], mm: float, pixels: int) -> View:
    """A square of ``mm`` millimetres and ``pixels`` pixels round a voxel, moved to show little beyond the scan."""
    down, right = [axis for axis in range(3) if axis != AXES[plane]]
    rows = region.grid.shape[down]
    row = centre[down] if plane == "axial" else rows - 1 - centre[down]
    spacing = region.grid.spacing_mm
    high, wide = mm / spacing[down], mm / spacing[right]
    top = _kept_inside(row + 0.5, high, rows)
    left = _kept_inside(centre[right] + 0.5, wide, region.grid.shape[right])
    return View(top, left, (high / pixels, wide / pixels), (pixels, pixels))


def _kept_inside(middle: float, length: float, available: int) -> float:
    """Where a stretch of that length begins: round its middle, but inside what there is if it fits."""
    if length >= available:
        return (available - length) / 2
    return min(max(middle - length / 2, 0.0), available - length)


def draw_plane(
    region: Region,
    plane: PlaneName,
    index: int,
    view: View,
    window: tuple[float, float],
    leaks: tuple[Leak, ...],
) -> Image.Image:
    """One slice with its contours, side letters, level names and scale bar."""
    picture = canvas.grey(hung(region.hu, plane, index), view, window)
    vertebrae = hung(region.vertebrae, plane, index)
    if region.canal is not None:
        canal = hung(region.canal, plane, index)
        canvas.contour(picture, canal, view, CANAL_COLOUR, 1, dashed=region.canal_rebuilt)
    draw_findings(picture, hung(region.cement, plane, index), hung(region.leaks, plane, index), view, leaks)
    down, right = [axis for axis in range(3) if axis != AXES[plane]]
    grid = region.grid
    canvas.side_letters(
        picture,
        letters(grid, right, forward=False),
        letters(grid, right, forward=True),
        letters(grid, down, forward=plane != "axial"),
        letters(grid, down, forward=plane == "axial"),
    )
    mm_per_pixel = view.step[1] * grid.spacing_mm[right]
    canvas.scale_bar(picture, mm_per_pixel)
    pixel_mm2 = grid.spacing_mm[down] * grid.spacing_mm[right]
    if plane == "axial":
        _name_slice(picture, vertebrae, pixel_mm2)
    else:
        name_levels(picture, vertebrae, view, pixel_mm2)
    tilt = tilt_deg(grid, AXES[plane])
    title = plane if tilt < _TILTED_DEG else f"{plane}, tilted by {tilt:.0f} degrees"
    canvas.write(picture, (8, 6), title, 15, ink=canvas.FAINT)
    return picture


def draw_findings(
    picture: Image.Image,
    cement: NDArray[Any],
    leaks: NDArray[Any],
    view: View,
    known: tuple[Leak, ...],
) -> None:
    """Contours of metal and leaks, in each leak's type's colour."""
    canvas.contour(picture, cement == 3, view, METAL_COLOUR, 1)
    present = set(np.unique(leaks).tolist())
    for leak in known:
        if leak.id in present:
            canvas.contour(picture, leaks == leak.id, view, COLOURS[leak.type], 2)


def name_levels(picture: Image.Image, vertebrae: NDArray[Any], view: View, pixel_mm2: float) -> None:
    """Name each vertebra at its height at the picture's left edge, where it hides nothing."""
    for number in _well_shown(vertebrae, pixel_mm2):
        rows, columns = np.nonzero(vertebrae == number)
        # In a sagittal slice the front half is the body: the spinous process lies lower and farther back.
        front = columns <= np.median(columns)
        _, y = view.to_picture(float(np.median(rows[front])), 0.0)
        if _EDGE < y < picture.size[1] - _EDGE:
            canvas.write(picture, (34, y), VertebraLevel.from_number(number), 16, "lm")


def _name_slice(picture: Image.Image, vertebrae: NDArray[Any], pixel_mm2: float) -> None:
    """Say in an axial picture which vertebra it mostly shows."""
    shown = _well_shown(vertebrae, pixel_mm2)
    if shown:
        most = max(shown, key=lambda number: int((vertebrae == number).sum()))
        canvas.write(picture, (8, picture.size[1] - 6), f"at {VertebraLevel.from_number(most)}", 16, "ld")


def _well_shown(vertebrae: NDArray[Any], pixel_mm2: float) -> list[int]:
    areas = np.bincount(vertebrae.ravel()) * pixel_mm2
    return [int(number) for number in np.flatnonzero(areas >= _NAME_AREA_MM2) if number]
