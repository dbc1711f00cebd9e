"""Pieces of a vertebra that the masks give to its neighbour, given back: models mix neighbouring vertebrae.

A piece that lies apart from the rest of its level and is grown onto the next one by a broad face is the next one's.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, spatial

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.balls import grown_by, worn_by
from leakseg.criteria import SpineCriteria
from leakseg.findings import QualityNote
from leakseg.geometry import Grid, voxels_of
from leakseg.reach import widened

_SHARES = (1 / 3, 2 / 3, 1.0)
"""Of the thickest bridge: what hangs on by a thin one is told first."""


def unmix_neighbours(masks: SpineMasks, criteria: SpineCriteria) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks with such pieces under their own vertebra's name, and a warning for each level that had one."""
    renamed: NDArray[np.uint8] | None = None
    notes = []
    neighbours: dict[VertebraLevel, list[VertebraLevel]] = {}
    for upper, lower in pairwise(masks.levels()):
        neighbours.setdefault(upper, []).append(lower)
        neighbours.setdefault(lower, []).append(upper)
    for level, beside in neighbours.items():
        near_by = [other for other in beside if _touching_mm2(masks, level, other) >= criteria.mixed_min_contact_mm2]
        if not near_by:  # no piece of it can be grown onto a neighbour more broadly than the whole
            continue
        box = widened(masks.windows[level], masks.grid.shape, 0.0, masks.grid.spacing_mm)
        labels = masks.vertebrae[box]
        own = labels == level.number
        touching = {other: labels == other.number for other in near_by}
        given = np.zeros(labels.shape, np.bool_)
        for parted, left in _pieces(own, touching, masks.grid, criteria):
            piece = parted & ~given
            to_rest = _contact_mm2(piece, left & ~given, masks.grid)
            contacts = {other: _contact_mm2(piece, bone, masks.grid) for other, bone in touching.items()}
            other = max(contacts, key=lambda one: contacts[one])
            if contacts[other] < max(criteria.mixed_min_contact_mm2, criteria.mixed_contact_ratio * to_rest):
                continue
            renamed = masks.to_relabel() if renamed is None else renamed
            renamed[box][piece] = other.number
            given |= piece
            volume_mm3 = float(piece.sum()) * masks.grid.voxel_volume_mm3
            notes.append(
                QualityNote(
                    "mask_piece_renamed",
                    "warning",
                    f"A piece of {volume_mm3:.0f} mm3 that the masks call {level.value} is grown onto {other.value} "
                    f"and lies apart from the rest of {level.value}: it was counted to {other.value}.",
                )
            )
    return (masks if renamed is None else replace(masks, vertebrae=renamed)), tuple(notes)


def _pieces(
    own: NDArray[np.bool_], touching: dict[VertebraLevel, NDArray[np.bool_]], grid: Grid, criteria: SpineCriteria
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """The level's pieces without its largest, each with the rest of it, for thicker and thicker bridges cut."""
    cut = (worn_by(own, share * criteria.mixed_bridge_mm, grid.spacing_mm) for share in _SHARES)
    return [pair for core in cut for pair in _parted(own, core, touching, grid, criteria)]


def _parted(
    own: NDArray[np.bool_],
    core: NDArray[np.bool_],
    touching: dict[VertebraLevel, NDArray[np.bool_]],
    grid: Grid,
    criteria: SpineCriteria,
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    cores = cc3d.connected_components(core, connectivity=6)
    numbers = cores[core]
    sizes = np.bincount(numbers) * grid.voxel_volume_mm3
    counted = sizes >= criteria.mixed_min_mm3
    if np.count_nonzero(counted) < 2:
        return []
    cores[core] = np.where(counted[numbers], numbers, 0)
    largest = int(np.argmax(sizes))
    if _most_shared_mm2(own, cores, largest, touching, grid) < criteria.mixed_min_contact_mm2:
        return []
    nearest = ndimage.distance_transform_edt(
        cores == 0, sampling=grid.spacing_mm, return_distances=False, return_indices=True
    )
    parts = np.where(own, cores[tuple(nearest)], 0)
    return [(parts == number, own & (parts != number)) for number in np.unique(parts) if number not in (0, largest)]


def _most_shared_mm2(
    own: NDArray[np.bool_],
    cores: NDArray[np.integer[Any]],
    largest: int,
    touching: dict[VertebraLevel, NDArray[np.bool_]],
    grid: Grid,
) -> float:
    """Area of the faces that pieces round the smaller cores share with one neighbour, at the most.

    Told by the voxels beside the neighbours, which are few: to which core all others are nearest takes far longer.
    """
    scale, most = np.array(grid.spacing_mm), 0.0
    rim = (cores > 0) & ~worn_by(cores > 0, 1.0, (1.0, 1.0, 1.0))
    trees = [
        spatial.cKDTree(voxels_of(rim & part) * scale, compact_nodes=False, balanced_tree=False)
        for part in (cores == largest, cores != largest)
    ]
    for other in touching.values():
        index = voxels_of(own & grown_by(other, 1.0, (1.0, 1.0, 1.0)))
        to_largest, to_smaller = (tree.query(index * scale)[0] for tree in trees)
        may_be = np.zeros_like(own)
        may_be[tuple(index[to_smaller <= to_largest + scale.sum()].T)] = True  # a rim lies within its core
        most = max(most, _contact_mm2(may_be, other, grid))
    return most


def _touching_mm2(masks: SpineMasks, one: VertebraLevel, other: VertebraLevel) -> float:
    """Area of the voxel faces that two levels share: they lie where both levels' blocks are, or beside them."""
    blocks = (widened(masks.windows[level], masks.grid.shape, 0.0, masks.grid.spacing_mm) for level in (one, other))
    k, j, i = (slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(*blocks, strict=True))
    labels = masks.vertebrae[k, j, i]
    return _contact_mm2(labels == one.number, labels == other.number, masks.grid)


def _contact_mm2(one: NDArray[np.bool_], other: NDArray[np.bool_], grid: Grid) -> float:
    """Area of the voxel faces that two masks share."""
    area = 0.0
    for axis, step in enumerate(grid.spacing_mm):
        ahead = np.moveaxis(one, axis, 0)[:-1] & np.moveaxis(other, axis, 0)[1:]
        behind = np.moveaxis(one, axis, 0)[1:] & np.moveaxis(other, axis, 0)[:-1]
        area += float(np.count_nonzero(ahead) + np.count_nonzero(behind)) * grid.voxel_volume_mm3 / step
    return area
