"""What a mask closes in is what filling its holes adds."""

import numpy as np
import pytest
from scipy import ndimage

from leakseg.bits import Bits
from leakseg.closed import closed_in


@pytest.mark.parametrize("share", [0.3, 0.5, 0.6, 0.7, 0.9])
@pytest.mark.parametrize("shape", [(14, 30, 70), (9, 12, 64), (3, 3, 3), (1, 5, 9)])
def test_closed_in_is_what_filling_holes_adds(shape, share):
    mask = np.random.default_rng(3).random(shape) < share
    expected = ndimage.binary_fill_holes(mask) & ~mask
    closed = closed_in(Bits.of(mask))
    assert np.array_equal(closed, expected) if closed is not None else not expected.any()


def test_a_winding_way_out_leaves_nothing_closed():
    mask = np.zeros((12, 20, 20), bool)
    mask[2:10, 3:17, 3:17] = True
    mask[5, 6, 6:12] = mask[5, 6:10, 11] = mask[5:12, 10, 11] = False
    assert closed_in(Bits.of(mask)) is None
    mask[9, 10, 11] = True
    closed = closed_in(Bits.of(mask))
    assert closed is not None
    assert closed.sum() == 6 + 3 + 4


def test_nothing_is_closed_in_by_nothing():
    assert closed_in(Bits.of(np.zeros((3, 4, 5), bool))) is None
    assert closed_in(Bits.of(np.ones((3, 4, 5), bool))) is None
