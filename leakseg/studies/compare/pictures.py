"""The same place in every scan, side by side: each later scan is brought to the first by its vertebrae."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from leakseg.findings import LeakType
from leakseg.geometry import FloatArray, Grid
from leakseg.pictures import canvas
from leakseg.studies.compare.study import Comparison, Later
from leakseg.wording import COLOURS

_PANEL, _HEAD, _GAP = 380, 34, 4
_FIELD_MM = 90.0
_RESECTED, _HEALED = "#FFFFFF", "#56B4E9"
_NAMES = {"pre": "before surgery", "post": "after surgery", "followup": "at follow-up"}


def on_first(later: Later, grid: Grid, middles: Mapping[Any, float], to_canal: Any) -> NDArray[np.int16]:
    """A later scan on a grid of the first; between two vertebrae their places pass into each other evenly.

    Parameters
    ----------
    middles
        Height along the first scan's canal of each vertebra that was found again.
    to_canal
        Canal coordinates of patient points in the first scan.
    """
    from scipy.ndimage import map_coordinates

    levels = sorted(middles, key=lambda level: middles[level])
    heights = np.array([middles[level] for level in levels])
    out = np.empty(grid.shape, np.float32)
    source = later.scan.volume
    for k in range(grid.shape[0]):
        points = grid.to_patient(_plane_index(grid, k)).reshape(-1, 3)
        s = np.clip(to_canal(points)[:, 0], heights[0], heights[-1])
        above = np.clip(np.searchsorted(heights, s), 1, max(len(heights) - 1, 1))
        share = np.ones(len(s)) if len(heights) == 1 else (s - heights[above - 1]) / np.diff(heights)[above - 1]
        moved = np.zeros_like(points)
        for place, level in enumerate(levels):
            weight = np.where(above == place, share, np.where(above - 1 == place, 1 - share, 0.0))
            weight = np.ones(len(s)) if len(heights) == 1 else weight
            here = weight > 0
            moved[here] += weight[here, None] * later.matches[level].to_other(points[here])
        values = map_coordinates(source.hu, source.grid.to_index(moved).T, order=1, cval=-1024, output=np.float32)
        out[k] = values.reshape(grid.shape[1:])
    return np.asarray(np.rint(out), dtype=np.int16)


def _plane_index(grid: Grid, k: int) -> FloatArray:
    rows, columns = np.mgrid[: grid.shape[1], : grid.shape[2]].astype(np.float64)
    return np.stack([np.full(rows.shape, float(k)), rows, columns], axis=-1)


def leak_pictures(
    comparison: Comparison, scans: Mapping[str, NDArray[np.int16]], grid: Grid, offset: Any
) -> dict[str, Image.Image]:
    """A picture for each leak: the axial slice with most of it, in every scan; resected bone outlined.

    Parameters
    ----------
    scans
        Every scan on ``grid``, by name, the first one first.
    offset
        Where ``grid`` begins in the first scan's own array.
    """
    pre = comparison.pre
    box = tuple(slice(int(start), int(start + size)) for start, size in zip(offset, grid.shape, strict=True))
    labels = pre.leak_labels[box]
    gone = np.zeros(grid.shape, bool)
    back = np.zeros(grid.shape, bool)
    for bone in comparison.resected:
        index = bone.index - np.asarray(offset)
        inside = np.all((index >= 0) & (index < np.array(grid.shape)), axis=1)
        gone[tuple(index[inside].T)] = True
        if bone.healed is not None:
            back[tuple(index[inside & bone.healed].T)] = True
    found = {}
    for leak in pre.leaks:
        mask = labels == leak["id"]
        if not mask.any():
            continue
        k = int(mask.sum(axis=(1, 2)).argmax())
        centre = np.argwhere(mask[k]).mean(axis=0)
        step = _FIELD_MM / _PANEL
        steps = (step / grid.spacing_mm[1], step / grid.spacing_mm[2])
        view = canvas.View(
            centre[0] - steps[0] * _PANEL / 2, centre[1] - steps[1] * _PANEL / 2, steps, (_PANEL, _PANEL)
        )
        page = Image.new("RGB", (len(scans) * (_PANEL + _GAP) - _GAP, _HEAD + _PANEL), canvas.PAPER)
        title = f"Leak {leak['id']}: {leak['type']}, {leak['segment']}, {leak['side']}"
        ImageDraw.Draw(page).text((10, _HEAD / 2), title, font=canvas.font(19), fill=canvas.INK, anchor="lm")
        for place, (name, hu) in enumerate(scans.items()):
            panel = canvas.grey(hu[k], view, canvas.BONE_WINDOW)
            canvas.contour(panel, mask[k], view, COLOURS[LeakType(leak["type"])])
            if name != "pre":
                canvas.contour(panel, gone[k], view, _RESECTED, 1)
            if name == "followup":
                canvas.contour(panel, back[k], view, _HEALED, 1)
            canvas.side_letters(panel, "R", "L", "A", "P")
            canvas.scale_bar(panel, step)
            canvas.write(panel, (_PANEL - 8, 6), _NAMES[name], 14, "ra", canvas.FAINT)
            page.paste(panel, (place * (_PANEL + _GAP), _HEAD))
        found[f"leak-{leak['id']}"] = page
    return found
