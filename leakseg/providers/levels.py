"""Size, place and pieces of each level of the masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.geometry import FloatArray, Grid


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


def level_windows(vertebrae: NDArray[np.uint8]) -> dict[VertebraLevel, tuple[slice, slice, slice]]:
    """The block that each level present fills, cranial to caudal."""
    from scipy import ndimage

    found = enumerate(ndimage.find_objects(vertebrae))
    return {VertebraLevel.from_number(position + 1): window for position, window in found if window is not None}


def level_shapes(masks: SpineMasks) -> list[LevelShape]:
    """Shapes of the levels present, cranial to caudal."""
    grid = masks.grid
    shapes = []
    for level, window in level_windows(masks.vertebrae).items():
        mask = masks.vertebrae[window] == level.number
        shapes.append(_shape(level, mask, grid.crop(window), (window[0].start, window[0].stop, grid.shape[0])))
    return shapes


def _shape(level: VertebraLevel, mask: NDArray[np.bool_], grid: Grid, span: tuple[int, int, int]) -> LevelShape:
    import cc3d

    found: Any = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=26, return_N=True)
    labels, count = found
    statistics = cc3d.statistics(labels)
    counts = statistics["voxel_counts"][1 : count + 1].astype(np.int64)
    order = np.argsort(-counts, kind="stable")
    total = int(counts.sum())
    boxes = statistics["bounding_boxes"]
    main = boxes[int(order[0]) + 1]
    pieces = tuple(
        Piece(float(counts[index] / total), _box_distance_mm(main, boxes[int(index) + 1], grid.spacing_mm))
        for index in order[:20]
    )
    centroid = grid.to_patient(counts @ statistics["centroids"][1 : count + 1] / total)
    edge = span[0] == 0 or span[1] == span[2]
    return LevelShape(level, total * grid.voxel_volume_mm3, centroid, pieces, edge)


def _box_distance_mm(
    first: tuple[slice, slice, slice], second: tuple[slice, slice, slice], spacing_mm: tuple[float, float, float]
) -> float:
    """Shortest distance between two boxes of voxels: no more than that between the pieces in them."""
    gaps = [
        max(0, b.start - a.stop + 1, a.start - b.stop + 1) * step
        for a, b, step in zip(first, second, spacing_mm, strict=True)
    ]
    return float(np.linalg.norm(gaps))
