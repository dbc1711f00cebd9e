"""Vertebrae, canal and cement in three dimensions, as a surgeon looks at a reconstruction: bone like glass."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor
from scipy import ndimage

from leakseg.findings import CaseResult
from leakseg.geometry import bounding_box
from leakseg.pictures import canvas
from leakseg.pictures.planes import CANAL_COLOUR, METAL_COLOUR
from leakseg.pictures.region import Region, bounds, level_boxes, widened
from leakseg.wording import COLOURS

_STEP_MM = 1.0
_ZOOM = 4
_BONE, _CEMENT = "#E8DCC4", "#F7F7F7"
_BACK = "#10141A"
_VIEWS = (("from the left and behind", 50.0), ("from the front", 180.0), ("from the right and behind", -50.0))
"""Turns about the body's long axis; 0 looks from behind."""
_MAX_MM = 260.0
_OUTLINE = 0.45
_SOFT_EDGE, _SOFT_LOOK = 3, 9
"""Voxels, and pixels of a look, beyond which smoothing brings nothing of a thing."""

Field = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Surface:
    """What one look sees of one thing: depth in steps (NaN beside it) and brightness 0 to 1, picture rows down."""

    depth: Field
    light: Field


def solid_picture(result: CaseResult, region: Region) -> Image.Image:
    """Three looks side by side, from both sides behind and from the front."""
    small, spacing = _thinned(_near_findings(region))
    things: list[tuple[Field, str]] = [(_field(small.cement == 1), _CEMENT), (_field(small.cement == 3), METAL_COLOUR)]
    for kind, colour in COLOURS.items():
        ids = [leak.id for leak in result.report.leaks if leak.type == kind]
        if ids:
            things.append((_field(np.isin(small.leaks, ids)), colour))
    bone = _field(small.vertebrae > 0)
    canal = None if small.canal is None else _field(small.canal)
    panels = [_look(bone, canal, things, spacing, turn, title) for title, turn in _VIEWS]
    _name_levels(panels, small.vertebrae)
    page = Image.new("RGB", (sum(panel.size[0] for panel in panels), panels[0].size[1]), _BACK)
    left = 0
    for panel in panels:
        page.paste(panel, (left, 0))
        left += panel.size[0]
    return page


def _name_levels(panels: list[Image.Image], vertebrae: NDArray[np.uint8]) -> None:
    """Level names at the left edges, at the height of each vertebra's middle."""
    for level, box in level_boxes(vertebrae).items():
        middle = vertebrae.shape[0] - (box[0].start + box[0].stop) / 2
        for panel in panels:
            canvas.write(panel, (8, middle * _ZOOM), level, 15, "lm")


def _near_findings(region: Region) -> Region:
    """The vertebrae round the cement; all of them where they are few or there is none."""
    box = bounds(region.cement) if region.grid.shape[0] * region.grid.spacing_mm[0] > _MAX_MM else None
    shown = [one for one in (bounds(region.vertebrae), region.leaks_box) if one]
    if box is None or not shown:
        return region.crop(widened(shown, region.grid, 4.0))
    layers = widened([box], region.grid, 40.0)[0]
    _, rows, columns = widened(shown, region.grid, 0.0)
    return region.crop((layers, rows, columns))


def _thinned(region: Region) -> tuple[Region, float]:
    """The region on a cubic grid by nearest neighbour, and that grid's step."""
    spacing = region.grid.spacing_mm
    length = max(size * step for size, step in zip(region.grid.shape, spacing, strict=True))
    step = max(_STEP_MM, length / 240)
    picks = [
        np.minimum((np.arange(int(size * part / step) or 1) * step / part).round().astype(int), size - 1)
        for size, part in zip(region.grid.shape, spacing, strict=True)
    ]
    return region.thinned(picks), step


def _field(mask: NDArray[np.bool_]) -> Field:
    """A soft-edged mask, at least half where the mask is: small things do not melt away."""
    box = bounding_box(mask, _SOFT_EDGE)
    if box is None:
        return np.zeros((0, 0, 0), np.float32)
    own, field = mask[box], np.zeros(mask.shape, np.float32)
    soft = ndimage.gaussian_filter(own.astype(np.float32), 0.8, truncate=2.0)
    field[box] = soft / max(0.5, min(1.0, 2 * float(soft[own].mean())))
    return field


def _look(
    bone: Field, canal: Field | None, things: list[tuple[Field, str]], step_mm: float, turn: float, title: str
) -> Image.Image:
    """One look at all things from one side."""
    behind = _surface(bone, turn)
    page = np.empty((*behind.depth.shape, 3), np.float32)
    page[:] = ImageColor.getrgb(_BACK)
    nearest = np.full(behind.depth.shape, np.inf, np.float32)
    if canal is not None and canal.size:
        _paint(page, _surface(canal, turn), CANAL_COLOUR, 0.45, None)
    for field, colour in things:
        if field.size:
            _paint(page, _surface(field, turn), colour, 1.0, nearest)
    in_front = behind.depth < nearest - 1.0
    seen = np.where(in_front, behind.depth, np.nan).astype(np.float32)
    _paint(page, Surface(seen, behind.light), _BONE, 0.55, None)
    picture = Image.fromarray(np.clip(page, 0, 255).astype(np.uint8))
    canvas.write(picture, (8, 6), title, 15, ink=canvas.FAINT)
    canvas.scale_bar(picture, step_mm / _ZOOM)
    return picture


def _paint(page: Field, surface: Surface, colour: str, opacity: float, nearest: Field | None) -> None:
    hit = np.isfinite(surface.depth)
    if nearest is not None:
        hit &= surface.depth < nearest
        nearest[hit] = surface.depth[hit]
    pixels, at = page.reshape(-1, 3), np.flatnonzero(hit)
    shade = surface.light.ravel()[at, None] * np.array(ImageColor.getrgb(colour)[:3], np.float32)
    pixels[at] = shade if opacity == 1 else (1 - opacity) * pixels[at] + opacity * shade


def _surface(field: Field, turn: float) -> Surface:
    """Where rays from behind, turned about the body's axis, first meet the field's half level."""
    layers, rows, columns = field.shape
    rays = _rays(rows, columns, turn)
    size = (layers, len(rays))
    depth_there, hit = np.zeros(size, np.float32), np.zeros(size, np.bool_)
    downward = field.reshape(layers, -1)[::-1]
    shown = np.flatnonzero((downward >= 0.5).any(axis=1))
    if len(shown):
        there = slice(int(shown[0]), int(shown[-1]) + 1)
        depth_there[there], hit[there] = _first_met(downward[there], rays)
    return _lit(depth_there, hit)


@lru_cache(maxsize=len(_VIEWS))
def _rays(rows: int, columns: int, turn: float) -> NDArray[np.int64]:
    """The places in a layer that each ray meets one after the other, ``(A, D)``; ``rows * columns`` is beside it."""
    side = int(np.ceil(np.hypot(rows, columns))) | 1
    angle = np.radians(turn)
    across, depth = np.meshgrid(np.arange(side) - side // 2, np.arange(side) - side // 2, indexing="ij")
    # Seen from behind, the patient's left is on the left, and depth runs to the front.
    left = -across * np.cos(angle) - depth * np.sin(angle)
    back = -depth * np.cos(angle) + across * np.sin(angle)
    j, i = np.rint(back + rows / 2).astype(int), np.rint(left + columns / 2).astype(int)
    valid = (j >= 0) & (j < rows) & (i >= 0) & (i < columns)
    return np.where(valid, j * columns + i, rows * columns)


def _first_met(values: Field, rays: NDArray[np.int64]) -> tuple[Field, NDArray[np.bool_]]:
    """How far along its ray each row of values ``(L, N)`` first reaches the half level, ``(L, A)``, and where it does.

    ``rays`` are those of `_rays`; ``N`` is a place beside them.
    """
    padded = np.concatenate([values, np.zeros((len(values), 1), np.float32)], axis=1)
    first = (padded >= 0.5).take(rays, axis=1).argmax(axis=2)
    layer, ray = np.arange(len(values))[:, None], np.arange(len(rays))
    here, before = (padded[layer, rays[ray, at]] for at in (first, np.maximum(first - 1, 0)))
    exact = first - np.clip((here - 0.5) / np.maximum(here - before, 1e-3), 0, 1)
    return exact.astype(np.float32), here >= 0.5


def _lit(depth: Field, hit: NDArray[np.bool_]) -> Surface:
    """Depth and brightness on the picture's finer pixels, light coming from the looker's upper left.

    Made where something is met and a little round it; the rest is empty.
    """
    size = (hit.shape[0] * _ZOOM, hit.shape[1] * _ZOOM)
    surface = Surface(np.full(size, np.nan, np.float32), np.zeros(size, np.float32))
    box = bounding_box(hit[None], _SOFT_LOOK)
    if box is not None:
        part = _lit_part(depth[box[1:]], hit[box[1:]])
        down, right = (slice(side.start * _ZOOM, side.stop * _ZOOM) for side in box[1:])
        surface.depth[down, right], surface.light[down, right] = part.depth, part.light
    return surface


def _lit_part(depth: Field, hit: NDArray[np.bool_]) -> Surface:
    weight = ndimage.gaussian_filter(hit.astype(np.float32), 0.9)
    filled = ndimage.gaussian_filter(np.where(hit, depth, 0.0).astype(np.float32), 0.9) / np.maximum(weight, 1e-3)
    down, right = np.gradient(filled)
    edge = 1.0 / np.sqrt(1.0 + down**2 + right**2)
    light = np.clip(0.4 + 0.6 * edge * (1.0 + 0.4 * down + 0.35 * right), 0.3, 1.0)
    large = (hit.shape[1] * _ZOOM, hit.shape[0] * _ZOOM)
    seen = np.asarray(_resized(weight, large)) > _OUTLINE
    far = np.asarray(_resized(filled.astype(np.float32), large))
    return Surface(
        np.where(seen, far, np.nan).astype(np.float32), np.asarray(_resized(light.astype(np.float32), large))
    )


def _resized(values: Field, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(values).resize(size, Image.Resampling.BICUBIC)
