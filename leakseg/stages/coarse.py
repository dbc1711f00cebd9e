"""Masks drawn on coarser voxels than the scan's, their stairs smoothed before anything is compared with them.

A fast model draws on voxels of 3 mm. On the scan's own the mask is built of blocks: a surface goes on from one plane
between voxels to the next only where a block ends. Half of what fills its neighbourhood is a better surface, and as
far as blocks are sure of nothing, half a block, what is as dense as cortex beside it is bone.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import SpineMasks
from leakseg.criteria import SpineCriteria
from leakseg.findings import QualityNote
from leakseg.geometry import bounding_box
from leakseg.reach import near, widened
from leakseg.volume import Volume

_REACH = 4.0
"""Where the smoothing ends, in its own widths."""
_FEWEST_GAPS, _REGULAR = 10, 0.8
"""Blocks come in rows, and all are of one size."""


def smooth_coarse_masks(
    volume: Volume, masks: SpineMasks, criteria: SpineCriteria
) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks without the stairs of coarse voxels, and a note where they had some."""
    block = None if masks.block is None else _block_size(masks.vertebrae[masks.block])
    if block is None:
        return masks, ()
    coarse = [
        size >= criteria.coarse_block and size * step >= criteria.coarse_mm
        for size, step in zip(block, masks.grid.spacing_mm, strict=True)
    ]
    if not any(coarse):
        return masks, ()
    widths = [criteria.coarse_smoothing * size * stairs for size, stairs in zip(block, coarse, strict=True)]
    vertebrae = np.zeros_like(masks.vertebrae)
    best = np.full(masks.grid.shape, 0.5, np.float32)
    for level, box in masks.windows.items():
        room = widened(box, masks.grid.shape, _REACH * max(widths), (1.0, 1.0, 1.0))
        share = _smooth(masks.vertebrae[room] == level.number, widths)
        wins = share >= best[room]
        vertebrae[room][wins] = level.number
        best[room][wins] = share[wins]
    canal = masks.canal
    if canal is not None:
        canal = (_smooth(canal, widths) >= 0.5) & (vertebrae == 0)
    reach_mm = 0.5 * max(size * step for size, step in zip(block, masks.grid.spacing_mm, strict=True))
    _take_cortex(volume, vertebrae, canal, reach_mm, criteria)
    size_mm = " x ".join(f"{size * step:.1f}" for size, step in zip(block, masks.grid.spacing_mm, strict=True))
    note = QualityNote(
        "coarse_masks_smoothed",
        "info",
        f"The vertebra masks are built of blocks of about {size_mm} mm, coarser than the scan's voxels: "
        "their stairs were smoothed.",
    )
    return replace(masks, vertebrae=vertebrae, canal=canal), (note,)


def _take_cortex(
    volume: Volume,
    vertebrae: NDArray[np.uint8],
    canal: NDArray[np.bool_] | None,
    reach_mm: float,
    criteria: SpineCriteria,
) -> None:
    """Give what is as dense as the vertebrae's rim, within reach of one and outside the canal, to the nearest."""
    room = bounding_box(vertebrae, int(np.ceil(reach_mm / min(volume.grid.spacing_mm))) + 1)
    if room is None:
        return
    labels, hu, spacing = vertebrae[room], volume.hu[room], volume.grid.spacing_mm
    bone = labels > 0
    rim = bone & near(~bone, max(spacing), spacing)
    dense_hu = criteria.coarse_soft_hu + criteria.coarse_dense_share * (
        float(np.median(hu[rim])) - criteria.coarse_soft_hu
    )
    taken = ~bone & (hu > dense_hu) & near(bone, reach_mm, spacing)
    if canal is not None:
        taken &= ~canal[room]
    nearest = ndimage.distance_transform_edt(~bone, sampling=spacing, return_distances=False, return_indices=True)
    labels[taken] = labels[tuple(nearest)][taken]


def _block_size(labels: NDArray[np.uint8]) -> list[float] | None:
    """Along each axis, from how many planes to the next a surface goes on; None where that is not regular."""
    sizes = []
    for axis in range(3):
        gaps = np.diff(np.flatnonzero(_steps_between_planes(labels, axis)))
        if len(gaps) < _FEWEST_GAPS or np.mean(gaps <= np.median(gaps) + 1) < _REGULAR:
            return None
        sizes.append(float(np.mean(gaps)))
    return sizes


def _steps_between_planes(labels: NDArray[np.uint8], axis: int) -> NDArray[np.bool_]:
    """Whether each plane along an axis differs anywhere from the next."""
    if axis == 0:
        return np.array([(one != other).any() for one, other in pairwise(labels)], np.bool_)
    steps = np.zeros(labels.shape[axis] - 1, np.bool_)
    for section in labels:
        one, other = (section[1:], section[:-1]) if axis == 1 else (section[:, 1:], section[:, :-1])
        steps |= (one != other).any(axis=2 - axis)
        if steps.all():
            break
    return steps


def _smooth(mask: NDArray[np.bool_], widths: list[float]) -> NDArray[np.float32]:
    return np.asarray(ndimage.gaussian_filter(mask.astype(np.float32), widths, mode="nearest", truncate=_REACH))
