"""What the bone's blur explains just outside it, held against a plain look at every voxel."""

import numpy as np
import pytest
from scipy import ndimage

from leakseg.criteria import CementCriteria
from leakseg.geometry import Grid, half_voxel_mm
from leakseg.halo import bone_halo
from leakseg.pieces import ScanDensities

SPACING_MM = (1.0, 0.8, 0.8)


@pytest.fixture
def scene():
    rng = np.random.default_rng(2)
    vertebrae = np.zeros((60, 56, 58), np.uint8)
    vertebrae[8:28, 12:40, 10:44], vertebrae[30:52, 14:42, 12:46] = 20, 21
    own = ndimage.gaussian_filter(np.where(vertebrae > 0, 700.0, 40.0), 1.0)
    hu = (own + rng.normal(0, 25, own.shape)).astype(np.int16)
    inner, metal = np.zeros(hu.shape, np.bool_), np.zeros(hu.shape, np.bool_)
    inner[12:18, 20:26, 16:22] = metal[40:44, 30:48, 30:34] = True
    affine = np.diag([*SPACING_MM[::-1], 1.0])[:, [2, 1, 0, 3]]
    window = tuple(slice(0, size) for size in hu.shape)
    densities = ScanDensities(window, Grid(hu.shape, affine), 40.3, 300.0, 650.0, 2400.0, inner, metal)
    return hu, vertebrae, inner, densities


def _plainly(hu, vertebrae, inner, densities, criteria):
    """As `bone_halo` tells it, of every voxel of the scan."""
    share, half_voxel = densities.share(hu).astype(np.float32), half_voxel_mm(SPACING_MM)

    def away_mm(mask):
        return ndimage.distance_transform_edt(~mask, sampling=SPACING_MM) - half_voxel

    filled = np.where((vertebrae > 0) & ~densities.metal, share.clip(0), np.float32(0))
    sigma = [max(criteria.halo_blur_mm, 0.5 * step) / step for step in SPACING_MM]
    seen = ndimage.gaussian_filter(filled, sigma, truncate=3.0) + np.float32(0.02)
    from_bone, quiet = away_mm(vertebrae > 0), (away_mm(inner) > criteria.halo_away_mm) & ~densities.metal
    halo = np.zeros(hu.shape, np.float32)
    for end in np.arange(0.5, criteria.halo_mm + 0.1, 0.5):
        layer = (from_bone > max(end - 0.5, 0.0)) & (from_bone <= end)
        known = (share / seen)[layer & quiet]
        halo[layer] = seen[layer] * (np.percentile(known, criteria.halo_percentile) if len(known) >= 500 else np.inf)
    return halo


def test_the_halo_is_the_blurred_bone_as_far_as_the_scan_shows_it_layer_by_layer(scene):
    hu, _, _, densities = scene
    expected = _plainly(*scene, CementCriteria())
    halo = bone_halo(*scene, CementCriteria())
    found, denser = halo.within(densities.window), hu > densities.soft
    assert (expected[denser] > 0).sum() > 3000
    assert np.allclose(found[denser], expected[denser], rtol=1e-5)
    room = np.s_[20:41, 3:30, 25:58]
    assert np.array_equal(halo.within(room), found[room])


def test_there_is_no_halo_without_bone_nor_where_nothing_is_denser_than_soft_tissue(scene):
    hu, vertebrae, inner, densities = scene
    for values, bone in ((hu, np.zeros_like(vertebrae)), (np.full_like(hu, 40), vertebrae)):
        assert not bone_halo(values, bone, inner, densities, CementCriteria()).within(densities.window).any()
