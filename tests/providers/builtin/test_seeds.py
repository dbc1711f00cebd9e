"""Bone far before a body belongs to no vertebra; a spur at its rim may."""

from __future__ import annotations

import numpy as np

from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.levels import Cuts
from leakseg.providers.builtin.posterior import OTHER, Column, plant_seeds


def test_a_calcified_vessel_before_the_body_is_foreign_and_a_spur_is_not() -> None:
    suv = np.array([[45, -50, 0], [45, -42, 0]], np.float32)  # body's front at 40 mm: vessel, spur
    count = 100
    wall = Wall(2 * np.pi * np.arange(72) / 72, np.full((count, 72), 9.0), np.ones(count), np.ones(count))
    cuts = Cuts(np.array([30.0, 60.0]), np.zeros(2), np.ones(2), 0.0)
    nothing = np.zeros(2, np.uint8)
    column = Column(nothing, nothing > 0, np.full(2, 2, np.uint8), np.array([-10, -2], np.float32))
    seeds = plant_seeds(
        suv, np.ones(2, bool), column, wall, cuts, np.array([25.0, 55.0]), np.full(count, 22.0), np.zeros(3, bool)
    )
    assert list(seeds) == [OTHER, 0]
