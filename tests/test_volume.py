"""Densities held against a limit."""

import numpy as np
import pytest

from leakseg.geometry import Grid
from leakseg.volume import LabelMap, denser_inside, denser_than, percentile_hu


@pytest.mark.parametrize("kind", [np.int16, np.float32])
@pytest.mark.parametrize("least_hu", [-0.5, 299.0, 299.5, float("nan"), 40000.0])
def test_dense_voxels_are_told_as_by_a_plain_comparison_and_only_where_there_is_a_label(kind, least_hu):
    rng = np.random.default_rng(1)
    hu = rng.integers(-1000, 1500, (5, 6, 7)).astype(kind)
    hu[0, 0, :3] = 299, 300, 301
    labels = rng.integers(0, 3, hu.shape).astype(np.uint8)
    labels[3] = 0
    dense = hu.astype(np.float64) > least_hu
    assert np.array_equal(denser_than(hu, least_hu), dense)
    metal = rng.random(hu.shape) < 0.1
    assert np.array_equal(denser_inside(hu, least_hu, labels, metal), dense & (labels > 0) & ~metal)


@pytest.mark.parametrize("kind", [np.int16, np.float32])
@pytest.mark.parametrize("percent", [0.0, 0.3, 50.0, 66.6, 95.0, 100.0])
def test_percentiles_of_densities_are_numpys(kind, percent):
    rng = np.random.default_rng(3)
    for count in (1, 2, 3, 21, 400):
        hu = rng.integers(-1024, 3071, count).astype(kind)
        assert percentile_hu(hu, percent) == np.percentile(hu, percent)


def test_a_block_of_labels_is_laid_out_over_the_whole_grid_where_it_lies():
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[::-1]
    grid, window = Grid((5, 6, 7), affine), np.s_[1:3, 2:6, 4:7]
    block = np.arange(24, dtype=np.uint16).reshape(2, 4, 3)
    labels = LabelMap(grid, block, window=window).labels
    expected = np.zeros(grid.shape, np.uint16)
    expected[window] = block
    assert np.array_equal(labels, expected)
    assert labels.dtype == np.uint16
    with pytest.raises(ValueError, match="read-only"):
        labels[0] = 1
    assert np.array_equal(LabelMap(grid, labels).labels, labels)
