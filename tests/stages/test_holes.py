"""Lines of sight from voxels beside bone, and cavities closed in by it."""

import numpy as np
import pytest
from scipy import ndimage

from leakseg.balls import grown_by, worn_by
from leakseg.geometry import bounding_box
from leakseg.stages.holes import _meets
from leakseg.stages.repair import _cavities, _in_crevices


def test_a_line_of_sight_meets_bone_at_one_of_its_steps_within_the_array():
    steps = np.array([(0.0, 0.0, 2.5), (0.5, -1.25, 0.3), (-0.25, 0.7, -2.0)])
    own = np.random.default_rng(3).random((14, 30, 33)) < 0.004
    index = np.argwhere(~own)
    for step, met in zip(steps, _meets(own, index, steps), strict=True):
        seen = np.zeros(len(index), bool)
        for mm in range(1, 30):
            at = np.rint(index + mm * step).astype(int)
            inside = ((at >= 0) & (at < own.shape)).all(axis=1)
            seen[inside] |= own[tuple(at[inside].T)]
        assert 0 < seen.sum() < len(seen)
        assert np.array_equal(met, seen)


@pytest.mark.parametrize("crack_mm", [1.0, 1.5, 2.5])
def test_cavities_and_crevices_in_a_block_are_those_in_an_array_with_room_round_it(crack_mm):
    spacing, rng = (1.0, 0.6, 0.8), np.random.default_rng(5)
    pads = [(12, 12)] * 3
    inner = (slice(12, -12),) * 3
    found = 0
    for _ in range(12):
        bone = ndimage.binary_dilation(rng.random((14, 22, 18)) < 0.012, iterations=2)
        bone = bone[bounding_box(bone)]
        wide = np.pad(bone, pads)
        cavities, expected = _cavities(bone, spacing, crack_mm), _cavities(wide, spacing, crack_mm)
        assert (cavities is None) == (expected is None)
        if cavities is not None:
            found += 1
            assert np.array_equal(cavities, expected[inner])
        closed = worn_by(grown_by(wide, 3.0, spacing), 3.0, spacing)[inner]
        mask = rng.random(bone.shape) < 0.01
        assert np.array_equal(_in_crevices(mask, bone, spacing), mask & closed)
    assert found >= 3
