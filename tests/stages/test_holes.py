"""Lines of sight from voxels beside bone."""

import numpy as np

from leakseg.stages.holes import _meets


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
