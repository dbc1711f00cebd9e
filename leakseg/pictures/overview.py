"""The levels at a glance: sagittal and coronal pictures along the spine with outlines and names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor
from scipy import ndimage

from leakseg.findings import CaseResult
from leakseg.pictures import canvas
from leakseg.pictures.canvas import View
from leakseg.pictures.planes import BONE_COLOUR, CANAL_COLOUR, draw_findings, name_levels
from leakseg.pictures.region import Region, letters, levels_in

_HEIGHT, _GAP = 820, 4
_PIXELS_PER_MM = 4.0
_SMOOTH_MM = 8.0


def levels_picture(result: CaseResult, region: Region) -> Image.Image:
    """Two slices that follow the spine's course: through the canal, and through the bodies."""
    grid = region.grid
    middle = _course(_counts(region.vertebrae, 0), 0.5, grid.spacing_mm[0])
    bodies = _course(_counts(region.vertebrae, 1), 0.3, grid.spacing_mm[0])
    rows = np.arange(grid.shape[0])
    panels = [
        _panel(result, region, lambda array: array[rows, :, middle], 1, "sagittal, along the spine"),
        _panel(result, region, lambda array: array[rows, bodies, :], 2, "coronal, along the bodies"),
    ]
    width = sum(panel.size[0] for panel in panels) + _GAP
    page = Image.new("RGB", (width, panels[0].size[1]), ImageColor.getrgb(canvas.PAPER))
    page.paste(panels[0], (0, 0))
    page.paste(panels[1], (panels[0].size[0] + _GAP, 0))
    return page


def _panel(result: CaseResult, region: Region, cut: Any, right: int, title: str) -> Image.Image:
    """One slice, made by ``cut`` from any of the region's arrays, its columns along axis ``right``."""
    grid = region.grid
    high_mm, wide_mm = grid.shape[0] * grid.spacing_mm[0], grid.shape[right] * grid.spacing_mm[right]
    scale = min(_PIXELS_PER_MM, _HEIGHT / high_mm)
    size = (max(1, round(wide_mm * scale)), max(1, round(high_mm * scale)))
    view = View(0.0, 0.0, (grid.shape[0] / size[1], grid.shape[right] / size[0]), size)

    def hung(array: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(cut(array))[::-1]

    picture = canvas.grey(hung(region.hu), view, canvas.BONE_WINDOW)
    vertebrae = hung(region.vertebrae)
    for number in levels_in(vertebrae):
        canvas.contour(picture, vertebrae == number, view, BONE_COLOUR, 1)
    if region.canal is not None:
        canvas.contour(picture, hung(region.canal), view, CANAL_COLOUR, 1, dashed=region.canal_rebuilt)
    draw_findings(picture, hung(region.cement), hung(region.leaks), view, result.report.leaks)
    name_levels(picture, vertebrae, view, grid.spacing_mm[0] * grid.spacing_mm[right])
    canvas.side_letters(
        picture,
        letters(grid, right, forward=False),
        letters(grid, right, forward=True),
        letters(grid, 0, forward=True),
        letters(grid, 0, forward=False),
    )
    canvas.scale_bar(picture, 1 / scale)
    canvas.write(picture, (6, 4), title, 13, ink=canvas.FAINT)
    return picture


def _counts(labels: NDArray[np.uint8], axis: int) -> NDArray[np.int64]:
    """For each slice how many labelled voxels lie along an axis of it, ``(K, ...)``."""
    return np.array([np.add.reduce(section > 0, axis=axis, dtype=np.uint16) for section in labels], dtype=np.int64)


def _course(counts: NDArray[Any], quantile: float, spacing_mm: float) -> NDArray[np.int64]:
    """For each slice where that share of its bone lies before, smoothed and carried on where there is no bone."""
    totals = counts.sum(axis=1)
    seen = np.flatnonzero(totals)
    rows = np.arange(len(totals))
    if not len(seen):
        return np.full(len(totals), counts.shape[1] // 2)
    share = np.cumsum(counts[seen], axis=1) / totals[seen, None]
    places = np.interp(rows, seen, np.argmax(share >= quantile, axis=1))
    smooth = ndimage.gaussian_filter1d(places, _SMOOTH_MM / spacing_mm, mode="nearest")
    return np.asarray(np.clip(np.rint(smooth), 0, counts.shape[1] - 1), dtype=np.int64)
