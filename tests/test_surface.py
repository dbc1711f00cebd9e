"""A surface carried over from trusted bone: it is the bone's own, whatever the mask took in."""

from __future__ import annotations

import numpy as np
import pytest

from leakseg.geometry import distance_to_surface_mm
from leakseg.surface import _heights_mm, carry_surface

SPACING = (1.5, 0.8, 0.8)
RADIUS_MM = 14.0


@pytest.fixture(scope="module")
def points():
    shape = (30, 56, 56)
    centre = (np.array(shape) - 1) / 2
    return (np.stack(np.indices(shape), axis=-1) - centre) * np.array(SPACING)


@pytest.mark.parametrize("hollow", [False, True])
def test_a_swallowed_lump_lies_as_far_beyond_the_carried_surface_as_beyond_the_bone(points, hollow):
    """On a ball as on the wall of a hole: no hull of the bone tells the second."""
    far = np.linalg.norm(points, axis=-1)
    beyond = RADIUS_MM - far if hollow else far - RADIUS_MM
    bone = beyond <= 0
    tip = np.array([0.0, 0.0, RADIUS_MM])
    lump = (np.linalg.norm(points - tip, axis=-1) <= 3.0) & ~bone
    doubtful = np.linalg.norm(points - tip, axis=-1) <= 5.5
    surface = carry_surface(bone | lump, doubtful, SPACING)
    assert surface is not None
    index = np.argwhere(lump)
    assert np.abs(surface.height_mm(index) - beyond[lump]).max() < 1.0
    assert np.abs(surface.height_mm(index) - beyond[lump]).mean() < 0.4
    away = surface.away_mm(index, 10.0)
    assert 3.0 < away.max() < 7.0
    near = surface.away_mm(index, 3.0)
    assert np.array_equal(near, np.where(away <= 3.0, away, np.inf))


def test_nothing_is_carried_from_bone_that_is_doubted_all_over(points):
    bone = np.linalg.norm(points, axis=-1) <= RADIUS_MM
    assert carry_surface(bone, np.ones_like(bone), SPACING) is None
    assert carry_surface(bone, np.zeros_like(bone), SPACING) is None


@pytest.mark.parametrize("spacing", [SPACING, (1.0, 1.0, 1.0)])
def test_heights_at_a_few_nodes_are_those_of_the_whole_distance_map(points, spacing):
    bone = np.linalg.norm(points, axis=-1) <= RADIUS_MM
    whole = distance_to_surface_mm(~bone, spacing) - distance_to_surface_mm(bone, spacing)
    nodes = np.argwhere(np.ones(bone.shape, bool))[::7]
    heights, wanted = _heights_mm(bone, nodes, spacing), whole[tuple(nodes.T)]
    in_shell = np.abs(wanted) <= 3.0
    assert 100 < in_shell.sum() < len(nodes)
    assert np.allclose(heights[in_shell], wanted[in_shell], atol=1e-5)
    assert (np.abs(heights[~in_shell]) > 3.0 - 1e-5).all()
    corner = nodes[(nodes < np.array(bone.shape) / 2).all(axis=1)]
    assert np.array_equal(_heights_mm(bone, corner, spacing), heights[(nodes < np.array(bone.shape) / 2).all(axis=1)])
