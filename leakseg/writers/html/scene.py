"""What the page's interactive view shows: the scan round the spine made small, its labels, and surfaces.

Voxels are one byte each: a code for a density, finer for soft tissue than for cement; `HU_OF_CODE` turns it back.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from isal import igzip
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import VertebraLevel
from leakseg.findings import CaseResult
from leakseg.geometry import voxels_of
from leakseg.pictures.planes import BONE_COLOUR, CANAL_COLOUR, METAL_COLOUR
from leakseg.pictures.region import Region, bounds, leak_centre, letters, levels_in, spine_region, widened
from leakseg.wording import COLOURS, leak_title, worst_first

MAX_VOXELS = 1_600_000
"""Of the embedded scan; longer scans are shown in coarser voxels, so that a page stays under its size."""
MAX_FACES = 60_000
_MARGIN_MM = 18.0
_LONGEST_MM = 320.0
_CEMENT_COLOUR = "#FFFFFF"
_MESH_MM = 1.5
_POINT_MM = 0.05
"""Step in which surface points are stored."""
_CEMENT, _METAL, _CANAL, _LEAKS, _LEVELS = 1, 3, 4, 10, 200
"""Codes of the label bytes: leaks count on from 10 in order, vertebrae from 200 by number."""
REBUILT_CANAL = "canal, rebuilt"
"""Name in the legend of a canal that no mask shows."""
_MOST_LEAKS = _LEVELS - _LEAKS
HU_OF_CODE = np.concatenate([np.linspace(-1024, -200, 40), np.linspace(-195, 305, 126), np.linspace(330, 3071, 90)])
"""``(256,)`` HU, rising."""


def scene(result: CaseResult) -> dict[str, Any]:
    """The scene as JSON can hold it; the same result gives the same bytes."""
    region, steps = _thinned(_worth_showing(spine_region(result, _MARGIN_MM)))
    labels, legend = _labels(result, region)
    grid = region.grid
    return {
        "shape": list(region.hu.shape),
        "spacing_mm": [round(float(step), 5) for step in steps],
        "letters": [[letters(grid, axis, forward=forward) for forward in (False, True)] for axis in range(3)],
        "hu": [round(float(value)) for value in HU_OF_CODE],
        "voxels": _packed(_codes(region.hu)),
        "labels": _packed(labels),
        "legend": legend,
        "leaks": [
            {"id": leak.id, "title": leak_title(leak), "at": list(at)}
            for leak in worst_first(result.report.leaks)
            if (at := leak_centre(region, leak)) is not None
        ],
        "surfaces": _surfaces(result, region, steps),
        "names": _level_names(region, steps),
    }


def _worth_showing(region: Region) -> Region:
    """The stretch round the cement where the spine in view is long."""
    length = region.grid.shape[0] * region.grid.spacing_mm[0]
    box = bounds(region.cement)
    if length <= _LONGEST_MM or box is None:
        return region
    layers = widened([box], region.grid, 50.0)[0]
    return region.crop((layers, slice(0, region.grid.shape[1]), slice(0, region.grid.shape[2])))


def _thinned(region: Region) -> tuple[Region, tuple[float, float, float]]:
    """Nearest voxels on a coarser grid: labels stay what they are, and so do densities."""
    spacing = np.array(region.grid.spacing_mm)
    sizes = np.array(region.grid.shape)
    step = max(0.8, float(np.prod(sizes * spacing) / MAX_VOXELS) ** (1 / 3))
    steps = np.maximum(spacing, step)
    picks = []
    for size, own, wanted in zip(sizes, spacing, steps, strict=True):
        count = max(1, int(size * own / wanted))
        picks.append(np.minimum(np.rint(np.arange(count) * wanted / own).astype(int), size - 1))
    return region.thinned(picks), (float(steps[0]), float(steps[1]), float(steps[2]))


def _codes(hu: NDArray[Any]) -> NDArray[np.uint8]:
    """The code of each density; of whole numbers each is looked for once, not at every voxel."""
    edges = ((HU_OF_CODE[1:] + HU_OF_CODE[:-1]) / 2).astype(np.float32)
    if hu.dtype != np.int16:
        return np.searchsorted(edges, hu.astype(np.float32)).astype(np.uint8)
    every = np.arange(1 << 16, dtype=np.uint16)  # the place of a density in the table: its bits as a whole number
    table = np.searchsorted(edges, every.view(np.int16).astype(np.float32)).astype(np.uint8)
    return np.asarray(table[hu.view(np.uint16)])


def _labels(result: CaseResult, region: Region) -> tuple[NDArray[np.uint8], list[dict[str, Any]]]:
    """One byte a voxel, and what each means; what matters more lies on top."""
    labels = np.zeros(region.vertebrae.shape, np.uint8)
    legend: list[dict[str, Any]] = []
    for number in levels_in(region.vertebrae):
        labels[region.vertebrae == number] = _LEVELS + number
        name = str(VertebraLevel.from_number(number))
        legend.append({"code": _LEVELS + number, "kind": "vertebrae", "name": name, "colour": BONE_COLOUR})
    if region.canal is not None:
        labels[region.canal] = _CANAL
        name = REBUILT_CANAL if region.canal_rebuilt else "canal"
        legend.append({"code": _CANAL, "kind": "canal", "name": name, "colour": CANAL_COLOUR})
    for code, kind, colour in ((_CEMENT, "cement", _CEMENT_COLOUR), (_METAL, "metal", METAL_COLOUR)):
        labels[region.cement == code] = code
        legend.append({"code": code, "kind": kind, "name": kind, "colour": colour})
    for position, leak in enumerate(result.report.leaks[:_MOST_LEAKS]):
        code = _LEAKS + position
        labels[region.leaks == leak.id] = code
        legend.append({"code": code, "kind": "leaks", "name": leak_title(leak), "colour": COLOURS[leak.type]})
    return labels, legend


def _surfaces(result: CaseResult, region: Region, steps: tuple[float, float, float]) -> list[dict[str, Any]]:
    """Surfaces in mm from the region's middle: x to the patient's left, y back, z up."""
    things = [
        ("vertebrae", "#E8DCC4", 0.25, region.vertebrae > 0, 2.0),
        ("cement in bone", "#FFFFFF", 1.0, region.cement == _CEMENT, 1.0),
        ("metal", METAL_COLOUR, 1.0, region.cement == _METAL, 1.0),
    ]
    if region.canal is not None:
        things.insert(1, ("canal", CANAL_COLOUR, 0.25, region.canal, 2.0))
    things += [
        (leak_title(leak), COLOURS[leak.type], 1.0, region.leaks == leak.id, 1.0) for leak in result.report.leaks
    ]
    found = []
    budget = MAX_FACES
    for name, colour, opacity, mask, coarseness in things:
        surface = _surface(mask, steps, coarseness * _MESH_MM, budget)
        if surface is not None:
            points, faces = surface
            found.append(
                {"name": name, "colour": colour, "opacity": opacity, "points": _packed(points), "faces": _packed(faces)}
            )
    return found


def _surface(
    mask: NDArray[np.bool_], steps: tuple[float, float, float], wanted_mm: float, budget: int
) -> tuple[NDArray[np.int16], NDArray[np.uint32]] | None:
    """Points ``(N, 3)`` (x, y, z) in units of `_POINT_MM` and triangles ``(M, 3)``; None for an empty mask."""
    from skimage.measure import marching_cubes

    box = bounds(mask)
    if box is None:
        return None
    start = np.array([part.start for part in box])
    shape_mm = np.array(mask.shape) * steps
    solid = np.pad(mask[box].astype(np.float32), 3)
    zoom = [min(1.0, step / wanted_mm) for step in steps]
    field = solid
    while True:
        field = ndimage.gaussian_filter(solid, [0.45 / part for part in zoom], truncate=2.5)
        sizes = [max(4, round(size * part)) for size, part in zip(solid.shape, zoom, strict=True)]
        axes = [
            np.linspace(0, size - 1, count).round().astype(int) for size, count in zip(solid.shape, sizes, strict=True)
        ]
        coarse = field[np.ix_(*axes)]
        level = min(0.5, 0.6 * float(coarse.max()))
        points, faces, _, _ = marching_cubes(coarse, level)
        if len(faces) <= budget:
            break
        zoom = [part * 0.8 for part in zoom]
    places = [np.interp(points[:, axis], np.arange(len(axes[axis])), axes[axis]) for axis in range(3)]
    index = np.stack(places, axis=1) - 3 + start
    from_middle = (index * steps - shape_mm / 2)[:, ::-1]
    return np.rint(from_middle / _POINT_MM).astype("<i2"), faces.astype("<u4")


def _level_names(region: Region, steps: tuple[float, float, float]) -> list[dict[str, Any]]:
    """Where each level's name stands in the 3-D view: beside the vertebra, to the patient's right."""
    shape_mm = np.array(region.vertebrae.shape) * steps
    names = []
    for number in levels_in(region.vertebrae):
        where = voxels_of(region.vertebrae == number)
        middle = np.median(where, axis=0) * steps - shape_mm / 2
        right = float(where[:, 2].min() * steps[2] - shape_mm[2] / 2) - 4.0
        at = [round(right, 1), round(float(middle[1]), 1), round(float(middle[0]), 1)]
        names.append({"name": str(VertebraLevel.from_number(number)), "at": at})
    return names


def _packed(array: NDArray[Any]) -> str:
    return base64.b64encode(igzip.compress(np.ascontiguousarray(array).tobytes(), 3, mtime=0)).decode("ascii")
