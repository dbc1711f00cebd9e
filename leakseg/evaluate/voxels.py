"""Two labelmaps of one patient compared in patient millimetres, whatever grid each stands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.errors import InputError
from leakseg.evaluate.values import CementScore
from leakseg.geometry import FloatArray, Grid
from leakseg.nifti import read_image


@dataclass(frozen=True, eq=False)
class Labels:
    """Whole numbers on a grid, cut down to where they are; ``centroids_mm`` and ``volumes_mm3`` by number."""

    grid: Grid
    array: NDArray[np.int64]
    centroids_mm: dict[int, FloatArray]
    volumes_mm3: dict[int, float]


def read_labels(path: Path) -> Labels:
    """A labelmap from NIfTI or NRRD.

    Raises
    ------
    InputError
        Where the file is no labelmap.
    """
    try:
        grid, array = read_image(path)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
    if array.dtype.kind == "f":
        if not np.array_equal(array, np.rint(array)):
            raise InputError(f"{path.name} is no labelmap: it holds values that are not whole numbers.")
        array = array.astype(np.int64)
    return labels_of(grid, array)


def labels_of(grid: Grid, array: NDArray[Any]) -> Labels:
    """Labels of an array on its grid."""
    where = np.argwhere(array)
    if len(where):
        low, high = where.min(axis=0), where.max(axis=0) + 1
        window = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        grid, array = grid.crop((window[0], window[1], window[2])), array[window]
        where = where - low
    array = np.asarray(array, dtype=np.int64)
    numbers, inverse, counts = np.unique(array[tuple(where.T)], return_inverse=True, return_counts=True)
    sums = [np.bincount(inverse.ravel(), weights=where[:, axis], minlength=len(numbers)) for axis in range(3)]
    centres = grid.to_patient(np.stack(sums, axis=1) / counts[:, None]) if len(numbers) else np.zeros((0, 3))
    return Labels(
        grid,
        array,
        {int(number): centre for number, centre in zip(numbers, centres, strict=True)},
        {int(n): float(c) * grid.voxel_volume_mm3 for n, c in zip(numbers, counts, strict=True)},
    )


def overlaps_mm3(truth: Labels, told: Labels) -> dict[tuple[int, int], float]:
    """Volume shared by each pair (truth number, told number) that shares any.

    Voxels of the finer labelmap are looked up in the other, at the nearest voxel.
    """
    if truth.grid.voxel_volume_mm3 < told.grid.voxel_volume_mm3:
        return {(b, a): volume for (a, b), volume in overlaps_mm3(told, truth).items()}
    index = np.argwhere(told.array)
    if not len(index) or not truth.volumes_mm3:
        return {}
    theirs = told.array[tuple(index.T)]
    ours = values_at(truth, told.grid.to_patient(index))
    both = ours != 0
    pairs, counts = np.unique(np.stack([ours[both], theirs[both]], axis=1), axis=0, return_counts=True)
    return {
        (int(pair[0]), int(pair[1])): float(count) * told.grid.voxel_volume_mm3
        for pair, count in zip(pairs, counts, strict=True)
    }


def compare_masks(truth: Labels, told: Labels, values: tuple[int, ...]) -> CementScore:
    """Dice and distance between borders of the voxels that have one of those values.

    Both empty: nothing to compare, every figure None. One empty: Dice 0, distances None.
    """
    first, second = _only(truth, values), _only(told, values)
    size_1, size_2 = sum(first.volumes_mm3.values()), sum(second.volumes_mm3.values())
    if not size_1 and not size_2:
        return CementScore(None, None, None, 0.0, 0.0)
    if not size_1 or not size_2:
        return CementScore(0.0, None, None, size_1, size_2)
    shared = sum(overlaps_mm3(first, second).values())
    distances = _border_distances(first, second)
    return CementScore(
        dice=min(1.0, 2 * shared / (size_1 + size_2)),
        surface_distance_mm=float((distances[0].mean() + distances[1].mean()) / 2),
        hausdorff95_mm=float(max(np.percentile(one, 95) for one in distances)),
        truth_mm3=size_1,
        told_mm3=size_2,
    )


def _only(labels: Labels, values: tuple[int, ...]) -> Labels:
    return labels_of(labels.grid, np.isin(labels.array, values).astype(np.int64))


def _border_distances(first: Labels, second: Labels) -> tuple[FloatArray, FloatArray]:
    from scipy.spatial import cKDTree

    ours, theirs = _border(first), _border(second)
    return np.asarray(cKDTree(theirs).query(ours)[0]), np.asarray(cKDTree(ours).query(theirs)[0])


def _border(labels: Labels) -> FloatArray:
    """Centres of the voxels that touch the outside by a face, ``(N, 3)`` patient mm."""
    from scipy.ndimage import binary_erosion

    mask = labels.array != 0
    return labels.grid.to_patient(np.argwhere(mask & ~binary_erosion(mask)))


def values_at(labels: Labels, points_mm: FloatArray) -> NDArray[np.int64]:
    """Values of a labelmap at points ``(N, 3)`` in patient mm, at the nearest voxel; 0 beyond it."""
    index = np.rint(labels.grid.to_index(points_mm)).astype(np.int64)
    inside = np.all((index >= 0) & (index < np.array(labels.grid.shape)), axis=1)
    found = np.zeros(len(index), np.int64)
    found[inside] = labels.array[tuple(index[inside].T)]
    return found
