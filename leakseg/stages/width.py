"""Vertebra masks drawn wider than the bone, thinned to it: a wide mask hides thin leaks that hug the bone.

A mask that ends at the cortex has bone in its outermost layer of voxels; one drawn too wide has soft tissue
there, and the cortex in the layer under it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks
from leakseg.balls import worn_by
from leakseg.criteria import OutlineCriteria
from leakseg.findings import QualityNote
from leakseg.reach import widened
from leakseg.volume import Volume

_MOST_LAYERS = 2


def thin_wide_masks(
    volume: Volume, masks: SpineMasks, criteria: OutlineCriteria
) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks without the layers of voxels that lie outside the bone all round, and a note where there were any."""
    if masks.block is None:
        return masks, ()
    box = widened(masks.block, masks.grid.shape, 0.0, masks.grid.spacing_mm)
    soft = volume.hu[box] < criteria.soft_max_hu
    bone = masks.vertebrae[box] > 0
    layers = 0
    while layers < _MOST_LAYERS:
        under = _without_layer(bone)
        outermost, second = _share(soft, bone & ~under), _share(soft, under & ~_without_layer(under))
        if outermost < criteria.wide_soft_share or outermost - second < criteria.wide_soft_step:
            break
        bone, layers = under, layers + 1
    if not layers:
        return masks, ()
    vertebrae = masks.to_relabel()
    vertebrae[box][~bone] = 0
    note = QualityNote(
        "wide_masks_thinned",
        "info",
        f"The vertebra masks reach beyond the bone all round: their outermost {layers} "
        f"{'layer' if layers == 1 else 'layers'} of voxels, soft tissue for the most part, counted as outside bone.",
    )
    return replace(masks, vertebrae=vertebrae), (note,)


def _without_layer(bone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Bone whose six neighbours are bone; what lies beyond the array counts as bone."""
    return worn_by(bone, 1.0, (1.0, 1.0, 1.0))


def _share(soft: NDArray[np.bool_], layer: NDArray[np.bool_]) -> float:
    """Share of a layer that is soft tissue."""
    size = np.count_nonzero(layer)
    return np.count_nonzero(soft & layer) / size if size else 0.0
