"""A thin vein of cement on a body is told from its wall, and a wall that is everywhere as dense is wall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leakseg.providers.builtin.bodies import RAYS, Outline
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import make_frames
from leakseg.providers.builtin.levels import Cuts
from leakseg.providers.builtin.strands import strands_on_bodies
from leakseg.providers.builtin.working import Block

LENGTH = 72
Z, Y, X = np.indices((LENGTH, 70, 60)) - np.array([0, 50, 30])[:, None, None, None]
FROM_MIDDLE_MM = np.hypot(X, Y + 26)
WALL = (FROM_MIDDLE_MM > 16) & (FROM_MIDDLE_MM <= 18)
VEIN = (FROM_MIDDLE_MM > 18) & (FROM_MIDDLE_MM <= 20) & (np.abs(Z - 36) < 2) & (X > 0) & (Y < -26)
"""On the side and the front of the body, at its waist."""
FRAMES = make_frames(np.stack([np.arange(float(LENGTH)), *np.zeros((2, LENGTH))], axis=1))
OUTLINE = Outline(np.full(len(FRAMES), -26.0), np.full((len(FRAMES), RAYS), 18.0))
CUTS = Cuts(np.array([20.0, 52.0]), np.zeros(2), np.ones(2), 0.0)


def found(wall_hu: float, vein_hu: float, at: NDArray[np.bool_] = VEIN) -> NDArray[np.bool_]:
    hu = np.where(WALL, np.float32(wall_hu), np.float32(40))
    block = Block(np.where(at, np.float32(vein_hu), hu), np.array([0.0, -50, -30]), 1.0)
    return strands_on_bodies(block, np.zeros(hu.shape, bool), FRAMES, OUTLINE, CUTS, Densities(40.0, 170.0))


def test_a_vein_denser_than_the_wall_it_lies_on_is_cement() -> None:
    strands = found(450, 1100)
    assert strands[VEIN].all()
    assert strands.sum() < 4 * VEIN.sum()


def test_what_is_little_denser_than_the_wall_is_bone() -> None:
    assert not found(750, 1100).any()


def test_a_spur_beside_a_disc_is_bone() -> None:
    assert not found(450, 1100, np.roll(VEIN, 15, axis=0)).any()
