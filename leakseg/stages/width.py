"""Vertebra masks drawn wider or narrower than the bone, brought to it.

A wide mask hides thin leaks that hug the bone, and a narrow one makes leaks of cement under the cortex. The bone's
surface lies where its blurred cortex falls to half: a mask that ends there has cortex in its outermost layer of voxels
and less than half of it in the next; one drawn too wide has less already, and one drawn too narrow has the cortex
outside.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import SpineMasks
from leakseg.balls import grown_bits, worn_bits
from leakseg.bits import Bits
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
    hu, bone = volume.hu[box], Bits.of(masks.vertebrae[box] > 0)
    soft_hu = criteria.soft_max_hu / 2
    layers = 0
    while layers < _MOST_LAYERS:
        under = _without_layer(bone)
        deeper = _without_layer(under)
        rims = (bone - under, under - deeper, deeper - _without_layer(deeper))
        outermost, *rest = (_median(rim.values(hu)) - soft_hu for rim in rims)
        if not outermost < criteria.wide_share * max(rest) > 0:
            break
        bone, layers = under, layers + 1
    if not layers:
        return masks, ()
    vertebrae = masks.to_relabel()
    vertebrae[box][~bone.mask()] = 0
    note = QualityNote(
        "wide_masks_thinned",
        "info",
        f"The vertebra masks reach beyond the bone all round: their outermost {layers} "
        f"{'layer' if layers == 1 else 'layers'} of voxels, less than half as dense as those under them, counted as "
        "outside bone.",
    )
    return replace(masks, vertebrae=vertebrae), (note,)


def _without_layer(bone: Bits) -> Bits:
    """Bone whose six neighbours are bone; what lies beyond the array counts as bone."""
    return worn_bits(bone, 1.0, (1.0, 1.0, 1.0))


def _with_layer(bone: Bits) -> Bits:
    return grown_bits(bone, 1.0, (1.0, 1.0, 1.0))


def widen_narrow_masks(
    volume: Volume, masks: SpineMasks, criteria: OutlineCriteria
) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks with the layers of voxels in which the cortex lies all round, and a note where there were any."""
    if masks.block is None:
        return masks, ()
    box = widened(masks.block, masks.grid.shape, 0.0, masks.grid.spacing_mm, spare=_MOST_LAYERS + 1)
    hu, labels = volume.hu[box], masks.vertebrae[box]
    canal = Bits.of(np.zeros(labels.shape, np.bool_) if masks.canal is None else masks.canal[box])
    by_canal = _with_layer(canal)
    soft_hu = criteria.soft_max_hu / 2
    layers = 0
    while layers < _MOST_LAYERS:
        bone = Bits.of(labels > 0)
        under = _without_layer(bone)
        rim = [_median(layer.values(hu)) for layer in (bone - under, under - _without_layer(under))]
        outside = _with_layer(bone) - bone - canal
        cortex_hu = _median((outside - by_canal).values(hu))
        if not cortex_hu - soft_hu >= criteria.narrow_share * (max(rim) - soft_hu) > 0:
            break
        wider = ndimage.grey_dilation(labels, footprint=ndimage.generate_binary_structure(3, 1))
        labels = np.where(outside.mask() & (hu > criteria.soft_max_hu), wider, labels)
        layers += 1
    if not layers:
        return masks, ()
    vertebrae = masks.to_relabel()
    vertebrae[box] = labels
    note = QualityNote(
        "narrow_masks_widened",
        "info",
        f"The vertebra masks end short of the bone's surface all round: the next {layers} "
        f"{'layer' if layers == 1 else 'layers'} of voxels, cortex for the most part, counted as bone.",
    )
    return replace(masks, vertebrae=vertebrae), (note,)


def _median(layer_hu: NDArray[Any]) -> float:
    return float(np.median(layer_hu)) if layer_hu.size else float("nan")
