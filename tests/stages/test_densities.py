"""What a scan says of its own tissues, counted in a quick way and in a plain one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from leakseg.stages.densities import _soft_tissue_hu


def _plainly(hu: np.ndarray, vertebrae: np.ndarray) -> float:
    soft = hu[(hu > -40) & (hu < 140) & (vertebrae == 0)]
    counts, _ = np.histogram(np.floor(soft + 40.0), bins=180, range=(0, 180))
    return float(np.argmax(ndimage.gaussian_filter1d(counts.astype(float), 10.0)[20:160])) - 20.0


@pytest.mark.parametrize("kind", [np.int16, np.float32])
@pytest.mark.parametrize("middle_hu", [-25, 12, 57, 130])
def test_soft_tissue_is_the_mode_of_what_is_no_bone(middle_hu: int, kind: type):
    rng = np.random.default_rng(middle_hu + 100)
    hu = rng.normal(middle_hu, 25, (7, 31, 33)).astype(kind)  # an odd number of voxels: they are counted in pairs
    hu[0], hu[1, :5] = -40, -1000
    vertebrae = np.zeros(hu.shape, np.uint8)
    vertebrae[2:5, 10:20] = 7
    hu[vertebrae > 0] = 90
    assert _soft_tissue_hu(hu, vertebrae) == _plainly(hu, vertebrae)


def test_too_little_soft_tissue_is_taken_for_what_is_usual():
    assert _soft_tissue_hu(np.full((3, 5, 5), 900, np.int16), np.zeros((3, 5, 5), np.uint8)) == 40.0
