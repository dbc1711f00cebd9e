"""Metal is told by its shape: screws with their rod are, dense cement at the clip is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from leakseg.criteria import CementCriteria
from leakseg.geometry import Grid
from leakseg.stages.metal import find_metal

CLIP_HU = 3071.0
GRID = Grid((70, 110, 90), np.diag([0.8, 0.6, 0.6, 1.0])[[2, 1, 0, 3]].copy())


def points():
    return GRID.to_patient(np.stack(np.mgrid[tuple(slice(size) for size in GRID.shape)], axis=-1))


def tube(start, stop, radius_mm):
    way = np.subtract(stop, start)
    share = np.clip((points() - start) @ way / (way @ way), 0, 1)
    return np.linalg.norm(points() - start - share[..., None] * way, axis=-1) <= radius_mm


def ball(centre, radii_mm):
    return np.sum(((points() - centre) / radii_mm) ** 2, axis=-1) <= 1


BONE = points()[..., 1] > 25.0


def scan(metal=None, cement=None, cement_hu=2000.0, noise=0.0):
    hu = np.full(GRID.shape, 60.0)
    if cement is not None:
        hu[cement] = cement_hu
    if metal is not None:
        hu[metal] = 8000.0
    return np.minimum(gaussian_filter(hu, 1.0) + noise, CLIP_HU).astype(np.int16)


def construct():
    """Two screws, their heads and the rod between them: one connected piece that is straight nowhere as a whole."""
    ends = [(15.0, 10.0, 15.0), (15.0, 10.0, 42.0)]
    whole = tube(ends[0], ends[1], 2.75)
    for end in ends:
        whole |= tube(end, (25.0, 48.0, end[2]), 3.0) | ball(end, (5.0, 5.0, 5.0))
    return whole


def test_screws_with_heads_and_rod_are_metal_with_the_blur_round_them():
    metal = construct()
    found = find_metal(scan(metal), BONE, GRID, CLIP_HU, CementCriteria())
    assert found[metal].mean() > 0.98
    assert (scan(metal)[~found] > 1200).sum() == 0


@pytest.mark.parametrize("radii", [(9.0, 10.0, 8.0), (6.0, 14.0, 5.0), (5.0, 13.0, 5.0)])
def test_dense_cement_at_the_clip_is_none(radii):
    cement = ball((25.0, 30.0, 28.0), radii)
    hu = scan(cement=cement, cement_hu=4500.0)
    assert (hu >= CLIP_HU - 1).sum() > 500
    assert not find_metal(hu, BONE, GRID, CLIP_HU, CementCriteria()).any()


def test_a_screw_beside_cement_leaves_the_cement():
    metal, cement = tube((15.0, 8.0, 20.0), (15.0, 48.0, 20.0), 3.0), ball((34.0, 40.0, 20.0), (8.0, 8.0, 8.0))
    found = find_metal(scan(metal, cement), BONE, GRID, CLIP_HU, CementCriteria())
    assert found[metal].mean() > 0.98
    assert not found[cement].any()


def noise(seed):
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=GRID.shape), 1.0)
    return 130.0 * smooth / smooth.std()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_long_strand_of_noisy_cement_that_passes_metals_density_here_and_there_is_none(seed):
    strand = tube((25.0, 12.0, 12.0), (25.0, 12.0, 42.0), 3.5)  # straight, even and alone: a rod but for its holes
    hu = scan(cement=strand, cement_hu=3000.0, noise=noise(seed))
    assert (hu[strand] >= 3000).sum() > 200
    assert not find_metal(hu, BONE, GRID, None, CementCriteria()).any()


def test_a_screw_in_noisy_cement_is_metal_still():
    screw = tube((25.0, 12.0, 12.0), (25.0, 12.0, 42.0), 2.75)
    hu = scan(screw, ball((25.0, 12.0, 34.0), (7.0, 7.0, 7.0)), cement_hu=2950.0, noise=noise(4))
    assert find_metal(hu, BONE, GRID, None, CementCriteria())[screw].mean() > 0.95


def test_a_scan_without_anything_dense_has_no_metal():
    assert not find_metal(scan(), BONE, GRID, None, CementCriteria()).any()
