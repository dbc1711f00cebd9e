"""The bone's halo: how dense a voxel just outside bone may be by the blur of the scan alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.balls import grown_bits
from leakseg.bits import Bits
from leakseg.blur import blurred_at, values_at
from leakseg.criteria import CementCriteria
from leakseg.geometry import half_voxel_mm
from leakseg.pieces import ScanDensities
from leakseg.reach import Window, near, window_round

_LAYER_MM, _MIN_LAYER, _FAINT = 0.5, 500, 0.02
"""Layers in which the bone's halo is measured: thickness, least voxels; a share that noise has anywhere."""


def bone_halo(
    hu: NDArray[Any],
    vertebrae: NDArray[np.uint8],
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
    shell, seen_through = _seen_through(
        hu[room], vertebrae[room] > 0, densities.metal[room], inner[room], densities, criteria
    )
    halo = np.zeros(inner[room].shape, np.float32)
    halo.ravel()[shell] = seen_through
    return halo, room


def _seen_through(
    hu: NDArray[Any],
    own: NDArray[np.bool_],
    iron: NDArray[np.bool_],
    inner: NDArray[np.bool_],
    densities: ScanDensities,
    criteria: CementCriteria,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The voxels just outside bone, by their flat place, and the share that each may have."""
    spacing = densities.grid.spacing_mm
    half_voxel = half_voxel_mm(spacing)
    noisy = near(inner, criteria.halo_away_mm, spacing, half_voxel)
    ends = np.arange(0.0, criteria.halo_mm, _LAYER_MM) + _LAYER_MM
    bone = Bits.of(own)
    *within, around = (grown_bits(bone, reach_mm, spacing, half_voxel) for reach_mm in (0.0, *ends))
    shell = np.flatnonzero((around - within[0]).mask())
    layer = sum((~reached.mask().ravel()[shell] for reached in within[1:]), np.zeros(len(shell), np.uint8))
    blur_mm = (max(criteria.halo_blur_mm, 0.5 * step) for step in spacing)
    sigma = [mm / step for mm, step in zip(blur_mm, spacing, strict=True)]
    inside = partial(_inside_share, densities=densities)
    blurred = own & ~iron if iron.any() else own
    seen_through = blurred_at(hu, blurred, shell, sigma, inside) + np.float32(_FAINT)
    quiet = ~(noisy.ravel()[shell] | values_at(iron, shell))
    share = _share(values_at(hu, shell), densities)
    for number in range(len(ends)):
        there = layer == number
        known = there & quiet
        enough = np.count_nonzero(known) >= _MIN_LAYER
        seen = np.percentile(share[known] / seen_through[known], criteria.halo_percentile) if enough else np.inf
        seen_through[there] *= float(seen)
    return shell, seen_through


def _inside_share(hu: NDArray[Any], densities: ScanDensities) -> NDArray[np.float32]:
    return _share(hu, densities).clip(0)


def _share(hu: NDArray[Any], densities: ScanDensities) -> NDArray[np.float32]:
    return densities.share(hu).astype(np.float32)
