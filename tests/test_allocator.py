"""Masks of which few voxels are set, and memory kept: settings that change no number."""

import gc

import numpy as np
import pytest

from leakseg.allocator import in_huge_pages, keep_freed_memory, making_what_lasts, untouched


@pytest.mark.parametrize("shape", [(2, 3, 4), (40, 512, 512)])
def test_an_untouched_mask_holds_nothing_and_takes_what_is_set(shape):
    mask = untouched(shape)
    assert mask.shape == shape
    assert mask.dtype == np.bool_
    assert not mask.any()
    mask[1, 2, 3] = True
    assert np.argwhere(mask).tolist() == [[1, 2, 3]]


def test_an_array_in_huge_pages_holds_zeros_of_its_kind():
    array = in_huge_pages((9, 700, 701), np.int16)
    assert array.dtype == np.int16
    assert array.shape == (9, 700, 701)
    assert not array.any()
    array[...] = -5
    assert array.min() == array.max() == -5


def test_more_memory_than_there_is_is_refused_as_such():
    with pytest.raises(MemoryError):
        in_huge_pages((1 << 20, 1 << 20, 1 << 10), np.int16)


def test_keeping_memory_says_whether_it_could():
    assert keep_freed_memory() is keep_freed_memory()


def test_garbage_is_looked_for_again_after_what_lasts_was_made():
    with making_what_lasts():
        assert not gc.isenabled()
        lasting = [[number] for number in range(10)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= len(lasting)
    gc.unfreeze()
