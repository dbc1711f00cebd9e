"""Cement that fills a pedicle is bone where the patient's other pedicles are; beyond them, and below, it has leaked."""

from __future__ import annotations

import numpy as np

from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.levels import Cuts
from leakseg.providers.builtin.pedicles import fill_pedicles

COUNT = 91
S, U, V = (axis.ravel() for axis in np.meshgrid(np.arange(1, 90), np.arange(-12, 8), np.arange(-30, 31), indexing="ij"))
SUV = np.stack([S, U, V], axis=1).astype(np.float32)
INTERVAL = (np.searchsorted([30.0, 60.0], S) + 1).astype(np.uint8)
WALL = Wall(2 * np.pi * np.arange(72) / 72, np.full((COUNT, 72), 9.0), np.ones(COUNT), np.ones(COUNT))
CUTS = Cuts(np.array([30.0, 60.0]), np.zeros(2), np.ones(2), 0.0)
PEDICLE = (S % 30 > 14) & (S % 30 < 27) & (np.abs(V) > 9) & (np.abs(V) < 18)
"""In the upper half of each of three levels, 9 mm wide, on both sides."""


def test_cement_is_bone_only_where_the_other_pedicles_are() -> None:
    treated = (INTERVAL == 2) & (V > 0)
    inside = treated & PEDICLE
    beside = treated & (S > 44) & (S < 57) & (V > 20) & (V < 26)
    below = treated & (S > 32) & (S < 41) & (V > 9) & (V < 18)
    labels = np.where(PEDICLE & ~treated, INTERVAL, 0).astype(np.uint8)
    filled = fill_pedicles(labels, inside | beside | below, SUV, INTERVAL, WALL, CUTS)
    assert (filled[inside] == 2).mean() > 0.8
    assert (filled[beside] > 0).mean() < 0.05
    assert (filled[below] > 0).mean() < 0.05
    assert (filled == labels)[~(inside | beside | below)].all()


def test_without_cement_nothing_changes() -> None:
    labels = np.where(PEDICLE, INTERVAL, 0).astype(np.uint8)
    assert (fill_pedicles(labels, np.zeros(len(S), bool), SUV, INTERVAL, WALL, CUTS) == labels).all()
