"""Growing in machine words gives what a distance map held against the reach gives."""

import edt
import numpy as np
import pytest

from leakseg.balls import grown_by, worn_by
from leakseg.geometry import distance_to_surface_mm
from leakseg.reach import deeper

SPACINGS = [(0.6, 0.4, 0.4), (1.0, 1.0, 1.0), (2.5, 0.7, 0.3), (0.25, 0.25, 0.25)]


@pytest.mark.parametrize("share", [0.0005, 0.05, 0.97])
@pytest.mark.parametrize("reach_mm", [0.0, 0.4, 1.0, 3.0])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_within_reach_is_what_a_distance_map_says(spacing, reach_mm, share):
    mask = np.random.default_rng(3).random((9, 30, 131)) < share
    mask[4, 15, 63] = True
    expected = edt.edt(~mask, anisotropy=spacing, black_border=False) <= reach_mm
    assert np.array_equal(grown_by(mask, reach_mm, spacing), expected)


def test_growing_goes_on_over_the_blocks_that_are_grown_at_a_time():
    mask = np.random.default_rng(3).random((9, 130, 1300)) < 0.0005
    expected = edt.edt(~mask, anisotropy=SPACINGS[0], black_border=False) <= 2.0
    assert np.array_equal(grown_by(mask, 2.0, SPACINGS[0]), expected)


@pytest.mark.parametrize("reach_mm", [0.4, 2.0, 9.0])
def test_what_fills_few_rows_of_each_slice_is_grown_and_worn_as_a_distance_map_says(reach_mm):
    mask = np.zeros((40, 90, 700), bool)
    for section in range(3, 34):  # a slanting beam, and a ball at the array's corner
        mask[section, section + 20 : section + 45, 60:330] = True
    mask[-6:, -9:, -9:] = True
    outward = edt.edt(~mask, anisotropy=SPACINGS[0], black_border=False) <= reach_mm
    inward = edt.edt(mask, anisotropy=SPACINGS[0], black_border=False) > reach_mm
    assert np.array_equal(grown_by(mask, reach_mm, SPACINGS[0]), outward)
    assert np.array_equal(worn_by(mask, reach_mm, SPACINGS[0]), inward)


@pytest.mark.parametrize("reach_mm", [0.4, 3.0])
@pytest.mark.parametrize("length", [63, 64, 131])
def test_worn_is_what_growing_the_outside_leaves(length, reach_mm):
    mask = np.random.default_rng(3).random((9, 30, length)) < 0.99
    assert np.array_equal(worn_by(mask, reach_mm, SPACINGS[0]), ~grown_by(~mask, reach_mm, SPACINGS[0]))


@pytest.mark.parametrize("depth_mm", [0.0, 0.5, 2.5])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_deeper_is_farther_from_the_surface(spacing, depth_mm):
    mask = np.random.default_rng(3).random((12, 40, 70)) < 0.995
    assert np.array_equal(deeper(mask, depth_mm, spacing), distance_to_surface_mm(mask, spacing) > depth_mm)


def test_nothing_is_deep_in_nothing():
    assert not deeper(np.zeros((3, 4, 5), bool), 1.0, SPACINGS[0]).any()
