"""The canal's wall: as the other side's where cement hides it, and carried on to the ends of the scan."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from leakseg.providers.builtin.canal import carry_to_ends, trace_wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import make_frames
from leakseg.providers.builtin.working import Block

DENSITIES = Densities(40.0, 170.0)
Z, Y, X = np.indices((80, 70, 70)) - np.array([0, 35, 35])[:, None, None, None]
WIDE_MM = np.where(np.abs(Z - 40) < 7, 9.0, 11.0)
"""Half the canal's width: narrower between one level's pedicles."""
RING = (np.hypot(X / WIDE_MM, Y / 9.0) > 1) & (np.hypot(X / (WIDE_MM + 5), Y / 14.0) < 1)
FRAMES = make_frames(np.stack([np.arange(80.0), *np.zeros((2, 80))], axis=1))


def test_a_wall_under_cement_is_as_the_other_sides() -> None:
    hu = np.where(RING, np.float32(700), np.float32(40))
    cement = RING & (X > 4) & (np.abs(Z - 40) < 7)
    hu = np.where(cement, np.float32(2000), hu).astype(np.float32)
    _, wall = trace_wall(
        Block(hu, np.array([0.0, -35, -35]), 1.0), FRAMES, DENSITIES, binary_dilation(cement, iterations=2)
    )
    left, right = wall.towards(np.pi / 2)[40], wall.towards(-np.pi / 2)[40]
    assert left == pytest.approx(right, abs=0.4)
    assert left < wall.towards(np.pi / 2)[15] - 0.8


@pytest.mark.parametrize(("below", "reach"), [(12.0, 12.0), (60.0, 0.0)])
def test_the_canal_goes_on_to_a_near_end_of_the_scan_and_to_no_far_one(below: float, reach: float) -> None:
    block = Block(np.where(RING, np.float32(700), np.float32(40)), np.array([0.0, -35, -35]), 1.0)
    frames, wall = trace_wall(block, FRAMES, DENSITIES, np.zeros(RING.shape, bool))
    carried = carry_to_ends(wall, frames, -below, 79.0)
    assert carried.beyond_mm[0] == pytest.approx(reach, abs=0.5)
    inside = carried.depth(np.array([[-8.0, 0, 0], [-30.0, 0, 0], [40.0, 0, 0]], np.float32)) > 0
    assert list(inside) == [reach > 0, False, True]


@pytest.mark.parametrize(("behind", "stands_in"), [(True, True), (False, False)])
def test_a_lamina_that_stands_into_the_canal_is_its_wall_and_a_leak_before_the_sac_is_not(
    behind: bool, stands_in: bool
) -> None:
    far = Y if behind else -Y
    edge = (far > 4.5) & (far < 10) & (np.abs(X) < 9) & (np.abs(Z - 40) < 4)
    hu = np.where(RING | edge, np.float32(700), np.float32(40))
    _, wall = trace_wall(Block(hu, np.array([0.0, -35, -35]), 1.0), FRAMES, DENSITIES, np.zeros(RING.shape, bool))
    radius = wall.towards(0.0 if behind else np.pi)
    assert (radius[40] < radius[15] - 3) == stands_in


def test_the_noise_of_a_sharp_kernel_is_not_taken_for_the_wall() -> None:
    grain = np.random.default_rng(4).normal(0, 180, RING.shape)
    hu = (np.where(RING, 700, 40) + grain).astype(np.float32)
    _, wall = trace_wall(Block(hu, np.array([0.0, -35, -35]), 1.0), FRAMES, DENSITIES, np.zeros(RING.shape, bool))
    assert np.median(np.abs(wall.towards(np.pi)[10:-10] - 9)) < 2
    assert np.median(np.abs(wall.towards(np.pi / 2)[10:30] - 11)) < 2
