"""Blurring at some voxels gives what blurring the whole array gives there."""

import numpy as np
import pytest
from scipy import ndimage

from leakseg.blur import blurred_at, values_at


@pytest.mark.parametrize("sigma", [(1.7, 2.5, 2.5), (0.5, 1.4, 1.4), (1.0, 1.0, 1.0)])
def test_the_blur_round_a_mask_is_the_blur_of_the_whole_array(sigma):
    random = np.random.default_rng(0)
    hu = random.integers(-200, 2000, (130, 60, 70)).astype(np.int16)
    mask = random.random(hu.shape) < 0.3
    mask[:, :20] = mask[50:110, :, :15] = mask[:40, :, 50:] = False
    whole = ndimage.gaussian_filter(np.where(mask, hu, 0).astype(np.float32), sigma, truncate=3.0)
    wanted = np.flatnonzero(ndimage.binary_dilation(mask, iterations=2))
    found = blurred_at(hu, mask, wanted, sigma, lambda values: values.astype(np.float32))
    assert np.array_equal(found, whole.ravel()[wanted])


def test_values_of_a_block_are_found_by_their_place_in_it():
    block = np.arange(10 * 20 * 30).reshape(10, 20, 30)[2:8, 3:15, 4:20]
    wanted = np.flatnonzero(np.random.default_rng(0).random(block.shape) < 0.2)
    assert np.array_equal(values_at(block, wanted), block.ravel()[wanted])
