"""Cement that vertebrae take in beside their bodies lies in a foramen where it is open to the canal."""

from __future__ import annotations

import numpy as np

from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.frames import make_frames
from leakseg.providers.builtin.open_side import open_to_canal
from leakseg.providers.builtin.working import Block

LENGTH = 90
Z, Y, X = np.indices((LENGTH, 60, 80)) - np.array([0, 40, 40])[:, None, None, None]
FRAMES = make_frames(np.stack([np.arange(float(LENGTH)), *np.zeros((2, LENGTH))], axis=1))
WALL = Wall(2 * np.pi * np.arange(72) / 72, np.full((len(FRAMES), 72), 9.0), np.ones(len(FRAMES)), np.ones(len(FRAMES)))
BLOCK = Block(np.zeros(Z.shape, np.float32), np.array([0.0, -40, -40]), 1.0)
SHELL = (np.abs(X) > 9) & (np.abs(X) < 20) & (np.abs(Y) < 7) & (Z % 30 > 14) & (Z % 30 < 27)
PEDICLE = SHELL & (np.abs(X) > 11) & (np.abs(X) < 18) & (np.abs(Y) < 5) & (Z % 30 > 16) & (Z % 30 < 25)
FORAMEN = (X > 11) & (X < 17) & (np.abs(Y) < 4) & (Z > 33) & (Z < 41)
BODY_HOLE = (np.abs(X) < 4) & (Y < -12) & (Y > -20) & (Z > 35) & (Z < 45)


def test_only_what_lies_in_a_foramen_is_given_back() -> None:
    filled = (PEDICLE & (X > 0) & (Z > 30) & (Z < 60)) | FORAMEN | BODY_HOLE
    assert np.array_equal(open_to_canal(filled, SHELL & ~PEDICLE, BLOCK, FRAMES, WALL), FORAMEN)


def test_where_nothing_was_taken_in_nothing_is_given_back() -> None:
    none = np.zeros(Z.shape, bool)
    assert not open_to_canal(none, SHELL, BLOCK, FRAMES, WALL).any()
