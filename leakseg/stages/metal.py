"""Metal told from cement by its shape, never by its density alone: dense cement reaches the clip too."""

from __future__ import annotations

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leakseg.criteria import CementCriteria
from leakseg.pieces import ScanDensities
from leakseg.volume import Volume

_DENSER = 1.3
_LEAST_HU = 2000.0


def find_metal(volume: Volume, densities: ScanDensities, criteria: CementCriteria) -> NDArray[np.bool_]:
    """Straight, long, even pieces denser than cement: screws, rods, needles (by shape, never by HU alone)."""
    hu, clip_hu, spacing_mm = volume.hu[densities.window], volume.series.clip_hu, densities.grid.spacing_mm
    ceiling = min(densities.plateau * _DENSER, clip_hu if clip_hu is not None else np.inf)
    dense = hu >= max(ceiling, _LEAST_HU)
    metal = np.zeros(hu.shape, bool)
    if not dense.any():
        return metal
    pieces = cc3d.connected_components(dense, connectivity=26)
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        if box is None:
            continue
        own = pieces[box] == number
        if own.sum() < 20:
            continue
        points = np.argwhere(own) * np.array(spacing_mm)
        points -= points.mean(axis=0)
        _, _, axes = np.linalg.svd(points[:: max(1, len(points) // 20000)], full_matrices=False)
        along = points @ axes[0]
        across = np.linalg.norm(points - along[:, None] * axes[0], axis=1)
        if np.ptp(along) >= criteria.metal_min_length_mm and np.percentile(across, 90) <= criteria.metal_max_radius_mm:
            metal[box] |= own
    if metal.any():
        halo = ndimage.binary_dilation(metal, iterations=2)
        metal = halo & (hu > densities.edge(densities.soft, criteria.edge_share))
    return metal
