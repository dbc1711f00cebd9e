"""Vertebra masks drawn wider than the bone, thinned to it: a wide mask hides thin leaks that hug the bone.

A mask that ends at the cortex has bone in its outermost layer of voxels; one drawn too wide has soft tissue
there, and the cortex in the layer under it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import SpineMasks
from leakseg.criteria import OutlineCriteria
from leakseg.findings import QualityNote
from leakseg.geometry import bounding_box
from leakseg.volume import Volume

_MOST_LAYERS = 2


def thin_wide_masks(
    volume: Volume, masks: SpineMasks, criteria: OutlineCriteria
) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks without the layers of voxels that lie outside the bone all round, and a note where there were any."""
    box = bounding_box(masks.vertebrae, 1)
    if box is None:
        return masks, ()
    hu = volume.hu[box]
    bone = masks.vertebrae[box] > 0
    layers = 0
    while layers < _MOST_LAYERS:
        under = ndimage.binary_erosion(bone, border_value=1)
        deeper = ndimage.binary_erosion(under, border_value=1)
        outermost, second = _soft_share(hu, bone & ~under, criteria), _soft_share(hu, under & ~deeper, criteria)
        if outermost < criteria.wide_soft_share or outermost - second < criteria.wide_soft_step:
            break
        bone, layers = under, layers + 1
    if not layers:
        return masks, ()
    vertebrae = masks.vertebrae.copy()
    vertebrae[box][~bone] = 0
    note = QualityNote(
        "wide_masks_thinned",
        "info",
        f"The vertebra masks reach beyond the bone all round: their outermost {layers} "
        f"{'layer' if layers == 1 else 'layers'} of voxels, soft tissue for the most part, counted as outside bone.",
    )
    return replace(masks, vertebrae=vertebrae), (note,)


def _soft_share(hu: NDArray[Any], layer: NDArray[np.bool_], criteria: OutlineCriteria) -> float:
    values = hu[layer]
    return float((values < criteria.soft_max_hu).mean()) if values.size else 0.0
