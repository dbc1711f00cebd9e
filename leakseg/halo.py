"""What bone's own blur shows outside it: how dense a voxel beside the masks may be without any cement there."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.balls import grown_by
from leakseg.criteria import CementCriteria
from leakseg.geometry import half_voxel_mm
from leakseg.pieces import ScanDensities
from leakseg.reach import Window, near, window_round

_LAYER_MM, _MIN_LAYER, _FAINT = 0.5, 500, 0.02
"""Layers in which the halo is measured: thickness, least voxels; a share that noise has anywhere."""


def bone_halo(
    hu: NDArray[Any],
    vertebrae: NDArray[np.uint8],
    metal: NDArray[np.bool_],
    inner: NDArray[np.bool_],
    densities: ScanDensities,
    criteria: CementCriteria,
) -> tuple[NDArray[np.float32], Window | None]:
    """The share that a voxel just outside bone may have by the blur of the bone and the cement in it alone, and where.

    What lies inside the masks is blurred once more; how much of that is seen outside is measured in this scan
    itself, layer by layer, where no cement is near: masks drawn too narrow have a wide halo, and say so. Zero
    farther out; infinite where too little of a layer is in view.
    """
    spacing = densities.grid.spacing_mm
    room = window_round(vertebrae, criteria.halo_mm + max(spacing), spacing)
    if room is None:
        return np.zeros((0, 0, 0), np.float32), None
    own, iron, half_voxel = vertebrae[room] > 0, metal[room], half_voxel_mm(spacing)
    blurred = np.zeros(own.shape, np.float32)
    for section, values, solid in zip(blurred, hu[room], own & ~iron, strict=True):
        section[solid] = _share(values[solid], densities).clip(0)
    sigma = [max(criteria.halo_blur_mm, 0.5 * step) / step for step in spacing]
    ndimage.gaussian_filter(blurred, sigma, truncate=3.0, output=blurred)
    noisy = iron | near(inner[room], criteria.halo_away_mm, spacing, half_voxel)
    ends = np.arange(0.0, criteria.halo_mm, _LAYER_MM) + _LAYER_MM
    shell = np.flatnonzero(grown_by(own, ends[-1], spacing, half_voxel) & ~grown_by(own, 0.0, spacing, half_voxel))
    beyond = (~grown_by(own, end, spacing, half_voxel).ravel()[shell] for end in ends[:-1])
    layer = sum(beyond, np.zeros(len(shell), np.uint8))
    seen_through = blurred.ravel()[shell] + np.float32(_FAINT)
    quiet, share = ~noisy.ravel()[shell], _share(hu[room].ravel()[shell], densities)
    for number in range(len(ends)):
        there = layer == number
        known = there & quiet
        enough = int(known.sum()) >= _MIN_LAYER
        seen = np.percentile(share[known] / seen_through[known], criteria.halo_percentile) if enough else np.inf
        seen_through[there] *= float(seen)
    blurred[...] = 0
    blurred.ravel()[shell] = seen_through
    return blurred, room


def _share(hu: NDArray[Any], densities: ScanDensities) -> NDArray[np.float32]:
    """Share of the way from soft tissue to the cement's plateau."""
    return ((hu - densities.soft) / (densities.plateau - densities.soft)).astype(np.float32)
