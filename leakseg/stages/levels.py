"""Cement inside bone, vertebra by vertebra: how much, how full the body is, and which vertebrae count as treated."""

from __future__ import annotations

import numpy as np

from leakseg.anatomy import SpineAnatomy, SpineMasks, VertebraLevel
from leakseg.balls import grown_by
from leakseg.criteria import LeakCriteria
from leakseg.geometry import voxels_of
from leakseg.pieces import INSIDE, OUTSIDE, CementMap
from leakseg.reach import near, widened, window_round


def cement_by_level(cement: CementMap, masks: SpineMasks) -> dict[VertebraLevel, float]:
    """Cement inside each vertebra's bone, mm3."""
    inside = cement.bone_fraction > 0
    levels = masks.vertebrae[cement.window][inside]
    sums = np.bincount(levels, weights=cement.bone_fraction[inside], minlength=64) * cement.grid.voxel_volume_mm3
    return {level: float(sums[level.number]) for level in masks.levels()}


def fill_by_level(cement: CementMap, masks: SpineMasks, spine: SpineAnatomy) -> dict[VertebraLevel, float]:
    """Share of each body that is cement; levels without a measurable body are left out."""
    inside = voxels_of(cement.bone_fraction > 0)
    suv = spine.axis.to_canal(cement.grid.to_patient(inside))
    in_body = spine.lattice.lookup(spine.body, suv).astype(bool)
    index = tuple(inside[in_body].T)
    levels = masks.vertebrae[cement.window][index]
    sums = np.bincount(levels, weights=cement.bone_fraction[index], minlength=64) * cement.grid.voxel_volume_mm3
    return {
        vertebra.level: float(min(1.0, sums[vertebra.level.number] / vertebra.body_volume_mm3))
        for vertebra in spine.vertebrae
        if vertebra.body_volume_mm3
    }


def treated_levels(cement: CementMap, masks: SpineMasks, criteria: LeakCriteria) -> tuple[VertebraLevel, ...]:
    """Vertebrae that hold at least the stated volume of cement, the rim beside a leak not counted.

    A mask that swallows a neighbour's leak must not make a treated level: cement near the vertebra's
    outline that goes on outside is left out.
    """
    inside = cement.labels == INSIDE
    vertebrae = masks.vertebrae[cement.window]
    spacing = cement.grid.spacing_mm
    outside = cement.labels == OUTSIDE
    counted = inside
    beside = window_round(outside, 2 * criteria.treated_rim_mm, spacing)
    if beside is not None:
        room = widened(beside, outside.shape, criteria.treated_rim_mm, spacing)
        at_rim = grown_by(vertebrae[room] == 0, criteria.treated_rim_mm, spacing)
        counted = inside.copy()
        counted[room] &= ~(at_rim & near(outside[room], 2 * criteria.treated_rim_mm, spacing))
    sums = (
        np.bincount(vertebrae[counted], weights=cement.bone_fraction[counted], minlength=64)
        * cement.grid.voxel_volume_mm3
    )
    return tuple(level for level in masks.levels() if sums[level.number] >= criteria.min_treated_volume_mm3)
