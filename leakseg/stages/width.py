"""Vertebra masks drawn wider or narrower than the bone, brought to it.

A wide mask hides thin leaks that hug the bone, and a narrow one makes leaks of cement under the cortex. The bone's
surface lies where its blurred cortex falls to half: a mask that ends there has cortex in its outermost layer of voxels
and less than half of it in the next; one drawn too wide has less already, and one drawn too narrow has the cortex
outside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.anatomy import SpineMasks
from leakseg.balls import grown_bits, worn_bits
from leakseg.bits import Bits
from leakseg.criteria import OutlineCriteria
from leakseg.findings import QualityNote
from leakseg.reach import Window, widened
from leakseg.volume import Volume

_MOST_LAYERS = 2


@dataclass(frozen=True, eq=False)
class _Bone:
    """Bone in a block of the scan, and layer by layer what lies under its surface."""

    hu: NDArray[Any]
    bits: Bits

    @cached_property
    def under(self) -> _Bone:
        """The bone without its outermost layer of voxels; what lies beyond the block counts as bone."""
        return _Bone(self.hu, worn_bits(self.bits, 1.0, (1.0, 1.0, 1.0)))

    @cached_property
    def rim_hu(self) -> float:
        """Median density of its outermost layer."""
        return _median((self.bits - self.under.bits).values(self.hu))


def bring_to_bone(
    volume: Volume, masks: SpineMasks, criteria: OutlineCriteria
) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    """The masks without the layers of voxels that lie outside the bone all round, and with those that hold its cortex.

    With a note where there were any of either.
    """
    if masks.block is None:
        return masks, ()
    box = widened(masks.block, masks.grid.shape, 0.0, masks.grid.spacing_mm, spare=_MOST_LAYERS + 1)
    bone = _Bone(volume.hu[box], Bits.of(masks.vertebrae[box] > 0))
    masks, bone, wide = _thin(masks, bone, box, criteria)
    masks, narrow = _widen(masks, bone, box, criteria)
    return masks, (*wide, *narrow)


def _thin(
    masks: SpineMasks, bone: _Bone, box: Window, criteria: OutlineCriteria
) -> tuple[SpineMasks, _Bone, tuple[QualityNote, ...]]:
    soft_hu = criteria.soft_max_hu / 2
    layers = 0
    while layers < _MOST_LAYERS:
        outermost, *rest = (one.rim_hu - soft_hu for one in (bone, bone.under, bone.under.under))
        if not outermost < criteria.wide_share * max(rest) > 0:
            break
        bone, layers = bone.under, layers + 1
    if not layers:
        return masks, bone, ()
    vertebrae = masks.to_relabel()
    vertebrae[box][~bone.bits.mask()] = 0
    note = QualityNote(
        "wide_masks_thinned",
        "info",
        f"The vertebra masks reach beyond the bone all round: their outermost {layers} "
        f"{'layer' if layers == 1 else 'layers'} of voxels, less than half as dense as those under them, counted as "
        "outside bone.",
    )
    return replace(masks, vertebrae=vertebrae), bone, (note,)


def _with_layer(bone: Bits) -> Bits:
    return grown_bits(bone, 1.0, (1.0, 1.0, 1.0))


def _widen(
    masks: SpineMasks, bone: _Bone, box: Window, criteria: OutlineCriteria
) -> tuple[SpineMasks, tuple[QualityNote, ...]]:
    hu, labels = bone.hu, masks.vertebrae[box]
    canal = Bits.of(np.zeros(labels.shape, np.bool_) if masks.canal is None else masks.canal[box])
    by_canal = _with_layer(canal)
    soft_hu = criteria.soft_max_hu / 2
    layers = 0
    while layers < _MOST_LAYERS:
        rim_hu = max(bone.rim_hu, bone.under.rim_hu)
        outside = _with_layer(bone.bits) - bone.bits - canal
        cortex_hu = _median((outside - by_canal).values(hu))
        if not cortex_hu - soft_hu >= criteria.narrow_share * (rim_hu - soft_hu) > 0:
            break
        wider = ndimage.grey_dilation(labels, footprint=ndimage.generate_binary_structure(3, 1))
        labels = np.where(outside.mask() & (hu > criteria.soft_max_hu), wider, labels)
        bone, layers = _Bone(hu, Bits.of(labels > 0)), layers + 1
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
