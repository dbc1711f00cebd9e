"""Masks of which few voxels are set, and memory kept: settings that change no number."""

import gc

import numpy as np
import pytest

from leakseg.allocator import keep_freed_memory, making_what_lasts, untouched


@pytest.mark.parametrize("shape", [(2, 3, 4), (40, 512, 512)])
def test_an_untouched_mask_holds_nothing_and_takes_what_is_set(shape):
    mask = untouched(shape)
    assert mask.shape == shape
    assert mask.dtype == np.bool_
    assert not mask.any()
    mask[1, 2, 3] = True
    assert np.argwhere(mask).tolist() == [[1, 2, 3]]


def test_keeping_memory_says_whether_it_could():
    assert keep_freed_memory() is keep_freed_memory()


def test_garbage_is_looked_for_again_after_what_lasts_was_made():
    with making_what_lasts():
        assert not gc.isenabled()
        lasting = [[number] for number in range(10)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= len(lasting)
    gc.unfreeze()
