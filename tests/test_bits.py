"""Packed masks say what masks of bytes say."""

import numpy as np
import pytest

from leakseg.bits import Bits


@pytest.fixture(params=[1, 63, 64, 65, 200])
def masks(request):
    rng = np.random.default_rng(3)
    return rng.random((5, 7, request.param)) < 0.4, rng.random((5, 7, request.param)) < 0.7


def test_packed_and_unpacked_is_the_mask_itself(masks):
    assert np.array_equal(Bits.of(masks[0]).mask(), masks[0])
    assert Bits.of(masks[0]).shape == masks[0].shape


def test_set_operations_and_counts(masks):
    one, other = masks
    packed, others = Bits.of(one), Bits.of(other)
    assert np.array_equal((packed & others).mask(), one & other)
    assert np.array_equal((packed | others).mask(), one | other)
    assert np.array_equal((packed - others).mask(), one & ~other)
    assert np.array_equal((~packed).mask(), ~one)
    assert (~packed).count() == np.count_nonzero(~one)


def test_a_block_is_that_of_the_whole_mask(masks):
    for block in (np.s_[1:4, 2:7, :], np.s_[0:5, 3:4, masks[0].shape[2] // 2 :], np.s_[2:2, 0:7, 0:1]):
        assert np.array_equal(Bits.of(masks[0]).block(block), masks[0][block])


def test_some_slices_are_those_of_the_whole_mask(masks):
    for some in (slice(1, 3), slice(3, 9), slice(2, 2)):
        assert np.array_equal(Bits.of(masks[0]).sections(some).mask(), masks[0][some])


def test_voxels_and_their_values(masks):
    one, other = masks
    values = np.arange(one.size).reshape(one.shape)
    assert np.array_equal(Bits.of(one).index(), np.nonzero(one))
    assert np.array_equal(Bits.of(one).values(values), values[one])
    assert np.array_equal(Bits.of(one).held_by([Bits.of(~one), Bits.of(other)]), [(~one)[one], other[one]])
    assert Bits.of(np.zeros_like(one)).values(values).size == 0


def test_what_comes_after_and_before_in_a_row(masks):
    few = masks[0] & (np.random.default_rng(4).random(masks[0].shape) < 0.02)
    assert np.array_equal(Bits.of(few).upward().mask(), np.logical_or.accumulate(few, axis=2))
    assert np.array_equal(Bits.of(few).downward().mask(), np.logical_or.accumulate(few[..., ::-1], axis=2)[..., ::-1])
