"""Densities of one scan: its own soft tissue and bone, for no absolute HU holds in every scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from leakseg.providers.builtin.working import Image


@dataclass(frozen=True)
class Densities:
    """``soft_hu`` is the commonest soft tissue; ``bone_hu`` separates bone from it."""

    soft_hu: float
    bone_hu: float

    @property
    def rim_hu(self) -> float:
        """Where the blurred wall between soft tissue and bone begins."""
        return self.soft_hu + 0.65 * (self.bone_hu - self.soft_hu)


def measure_densities(hu: Image) -> Densities:
    """Soft tissue from the histogram's mode, bone from the denser voxels' upper quartile."""
    values = hu.ravel()[:: max(1, hu.size // 2_000_000)]
    edges = np.arange(-60, 152, 2)
    histogram = gaussian_filter1d(np.histogram(values, edges)[0].astype(float), 4)
    centres = edges[:-1] + 1.0
    inside = (centres > -30) & (centres < 120)
    soft = float(centres[inside][np.argmax(histogram[inside])])
    dense = values[(values > soft + 130) & (values < 1100)]
    upper = float(np.percentile(dense, 75)) if dense.size else soft + 400
    return Densities(soft, soft + float(np.clip(0.35 * (upper - soft), 120, 220)))
