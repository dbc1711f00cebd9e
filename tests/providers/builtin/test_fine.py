"""Bone's rim follows the scan's own voxels, where these are finer than those that the bone was drawn on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from leakseg.geometry import Grid
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.fine import highest_near, trim_rim
from leakseg.providers.builtin.working import Block
from leakseg.volume import Volume

DENSITIES = Densities(40.0, 170.0)


def trimmed(spacing_mm: float, *, cement: bool = False, filled: bool = False) -> tuple[NDArray[Any], NDArray[Any]]:
    """Of a ball of bone 10 mm in radius, drawn 1 mm too large: what is left, and the ball."""
    size = round(30 / spacing_mm)
    away = np.linalg.norm(spacing_mm * (np.indices((size,) * 3) - (size - 1) / 2), axis=0)
    true, drawn = away < 10, away < 11
    hu = np.where(true, 600, 40).astype(np.int16)
    affine = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])[[2, 1, 0, 3]]
    volume = Volume(Grid(hu.shape, affine), hu)
    block = Block(np.zeros((2, 2, 2), np.float32), np.zeros(3), 1.0)
    bone = true if filled else drawn
    hidden = drawn if cement else np.zeros(hu.shape, bool)
    out = trim_rim(drawn.astype(np.uint8), bone, hidden, volume, block, DENSITIES)
    return out > 0, true


@pytest.mark.parametrize("reach", [(0, 1, 2), (3, 5, 4), (7, 30, 1)])
def test_the_highest_value_near_is_that_of_a_box_within_the_array(reach: tuple[int, int, int]) -> None:
    values = np.random.default_rng(2).normal(size=(6, 17, 11)).astype(np.float32)
    expected = maximum_filter(values, [2 * far + 1 for far in reach], mode="constant", cval=-np.inf)
    assert np.array_equal(highest_near(values, reach), expected)


def test_a_rim_of_soft_tissue_is_taken_off() -> None:
    left, true = trimmed(0.6)
    assert 2 * (left & true).sum() / (left.sum() + true.sum()) > 0.97


def test_a_scan_no_finer_than_the_block_keeps_its_masks() -> None:
    left, true = trimmed(1.0)
    assert (left & ~true).any()


def test_what_was_filled_in_and_what_lies_in_cement_is_kept() -> None:
    for kept in (trimmed(0.6, filled=True), trimmed(0.6, cement=True)):
        assert (kept[0] & ~kept[1]).any()
