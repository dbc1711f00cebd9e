"""Blurring round some voxels gives what blurring the whole array gives there."""

import numpy as np
import pytest
from scipy import ndimage

from leakseg.blur import blurred_at


@pytest.mark.parametrize("sigma", [(1.7, 2.5, 2.5), (0.5, 1.4, 1.4), (1.0, 1.0, 1.0)])
def test_the_blur_round_a_mask_is_the_blur_of_the_whole_array(sigma):
    random = np.random.default_rng(0)
    hu = random.integers(-200, 2000, (130, 60, 70)).astype(np.int16)
    mask = random.random(hu.shape) < 0.3
    mask[:, :20] = mask[50:110, :, :15] = mask[:40, :, 50:] = False
    whole = ndimage.gaussian_filter(np.where(mask, hu, 0).astype(np.float32), sigma, truncate=3.0)
    wanted = ndimage.binary_dilation(mask, iterations=2)
    wanted[:3] = wanted[:, :, 40:] = False
    found = blurred_at(hu, mask, np.nonzero(wanted), sigma, np.float32)
    assert np.array_equal(found, whole[wanted])


def test_nothing_is_blurred_where_nothing_is_asked_for_and_nothing_is_seen_far_from_the_mask():
    hu, mask = np.full((60, 30, 30), 500, np.int16), np.zeros((60, 30, 30), np.bool_)
    wanted = np.zeros_like(mask)
    wanted[50, 10, 10] = True
    mask[0, 5, 5] = True
    for index in (np.nonzero(wanted), np.nonzero(mask & wanted)):
        assert not blurred_at(hu, mask, index, (1.0, 1.0, 1.0), np.float32).any()
