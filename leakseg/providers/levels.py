"""Size, place and pieces of each level of the masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.geometry import FloatArray, Grid, counted
from leakseg.reach import connected_pieces


@dataclass(frozen=True)
class Piece:
    """One connected piece of a level: its share of the level and how far from the largest piece it lies."""

    share: float
    distance_mm: float


@dataclass(frozen=True, eq=False)
class LevelShape:
    """One level of the masks; ``pieces`` from the largest down."""

    level: VertebraLevel
    volume_mm3: float
    centroid_mm: FloatArray
    pieces: tuple[Piece, ...]
    touches_edge: bool
    """Reaches the upper or lower end of the scan."""


def level_shapes(masks: SpineMasks) -> list[LevelShape]:
    """Shapes of the levels present, cranial to caudal."""
    grid = masks.grid
    shapes = []
    for level, window in masks.windows.items():
        mask = masks.vertebrae[window] == level.number
        shapes.append(_shape(level, mask, grid.crop(window), (window[0].start, window[0].stop, grid.shape[0])))
    return shapes


def _shape(level: VertebraLevel, mask: NDArray[np.bool_], grid: Grid, span: tuple[int, int, int]) -> LevelShape:
    from scipy import ndimage

    labels = connected_pieces(mask)
    count = int(labels.max())
    counts = np.bincount(labels.ravel())[1:] if count > 1 else np.array([np.count_nonzero(mask)])
    order = np.argsort(-counts, kind="stable")
    total = int(counts.sum())
    boxes = ndimage.find_objects(labels) if count > 1 else [(slice(0, 1),) * 3]
    main = boxes[int(order[0])]
    pieces = tuple(
        Piece(float(counts[index] / total), _box_distance_mm(main, boxes[int(index)], grid.spacing_mm))
        for index in order[:20]
    )
    edge = span[0] == 0 or span[1] == span[2]
    return LevelShape(level, total * grid.voxel_volume_mm3, grid.to_patient(_centroid(mask)), pieces, edge)


def _centroid(mask: NDArray[np.bool_]) -> FloatArray:
    """Mean index of a mask's voxels."""
    seen_from_above = counted(mask, 0)
    sections = np.array([np.count_nonzero(section) for section in mask])
    along = sections, seen_from_above.sum(axis=1), seen_from_above.sum(axis=0)
    return np.array([np.average(np.arange(len(counts)), weights=counts) for counts in along])


def _box_distance_mm(
    first: tuple[slice, slice, slice], second: tuple[slice, slice, slice], spacing_mm: tuple[float, float, float]
) -> float:
    """Shortest distance between two boxes of voxels: no more than that between the pieces in them."""
    gaps = [
        max(0, b.start - a.stop + 1, a.start - b.stop + 1) * step
        for a, b, step in zip(first, second, spacing_mm, strict=True)
    ]
    return float(np.linalg.norm(gaps))
