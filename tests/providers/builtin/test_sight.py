"""What is said of the canal: how sure it is, and a sac full of contrast told from bone that is as bright."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from leakseg.providers.builtin.contrast import Tube, dim_sac, one_canal, tubes_of_contrast, with_rim
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.sight import Sight
from leakseg.providers.builtin.working import Block

DENSITIES = Densities(40.0, 170.0)


def sight(seen: list[float], *, contrast: bool = False) -> Sight:
    return Sight(np.array(seen), np.zeros(len(seen)), contrast)


def test_the_canal_is_as_sure_as_its_least_seen_level() -> None:
    one = sight([0.8, 0.3, 0.7])
    assert one.canal_confidence([0, 2]) > 0.9
    assert one.canal_confidence([0, 1, 2]) == pytest.approx(0.4)
    assert 0 < one.canal_confidence([1]) < one.canal_confidence([2]) <= 1


def test_contrast_in_the_canal_makes_it_less_sure() -> None:
    assert sight([0.7], contrast=True).canal_confidence([0]) < 0.6


def tubes_in(block: Block, *, round_cord: bool = False) -> NDArray[np.bool_]:
    tubes = tubes_of_contrast(block, DENSITIES, round_cord=round_cord)
    return np.logical_or.reduce([np.zeros(block.hu.shape, bool), *(tube.mask(block.hu.shape) for tube in tubes)])


def upright(radius_mm: float, length_mm: float, hu: float) -> tuple[Block, NDArray[np.bool_]]:
    """A cylinder along z in soft tissue, on the coarse grid."""
    z, y, x = np.indices((40, 40, 40)) * 2.0
    inside = (np.hypot(y - 40, x - 40) < radius_mm) & (np.abs(z - 40) < length_mm / 2)
    return Block(np.where(inside, np.float32(hu), np.float32(40.0)), np.zeros(3), 2.0), inside


def spine(sac_hu: float) -> tuple[Block, NDArray[np.bool_]]:
    """Bodies of even marrow with endplates and discs between them, and behind them, touching, a sac of contrast."""
    z, y, x = np.indices((60, 40, 40)) * 2.0
    body = (np.abs(x - 40) < 22) & (y > 6) & (y < 40)
    height = z % 34
    hu = np.select([body & (height < 8), body & ((height < 12) | (height > 30)), body], [90.0, 420.0, 210.0], 40.0)
    sac = np.hypot(y - 48, x - 40) < 8
    return Block(np.where(sac, sac_hu, hu).astype(np.float32), np.zeros(3), 2.0), sac


@pytest.mark.parametrize("hu", [150, 200, 250, 300, 500, 1200])
def test_a_sac_full_of_contrast_is_found_with_its_rim(hu: float) -> None:
    block, sac = spine(hu)
    tubes = tubes_in(block)
    assert (with_rim(tubes, block, DENSITIES) & sac).sum() > 0.9 * sac.sum()
    assert tubes[~sac].sum() < 0.02 * sac.sum()


@pytest.mark.parametrize(("radius_mm", "length_mm", "hu"), [(18, 30, 220), (8, 14, 500), (8, 80, 85)])
def test_bodies_short_lumps_and_soft_tissue_are_no_sac(radius_mm: float, length_mm: float, hu: float) -> None:
    block, _ = upright(radius_mm, length_mm, hu)
    assert not tubes_in(block).any()


def test_of_several_tubes_the_best_rewarded_and_what_goes_on_from_it_is_the_canal() -> None:
    z, y, x = np.indices((60, 40, 40))
    sac = (np.hypot(y - 20, x - 20) < 3) & (z > 20) & (z != 40)
    vessel, thigh = np.hypot(y - 8, x - 24) < 3, (np.hypot(y - 20, x - 34) < 3) & (z < 19)
    below, above = sac & (z < 40), sac & (z > 40)
    tubes = [Tube(np.argwhere(mask), 400.0) for mask in (vessel, below, thigh, above)]
    assert one_canal(tubes, [18.0, 28.0, 20.0, 28.0], 2.0) == [tubes[1], tubes[3]]


def myelogram() -> tuple[Block, NDArray[np.bool_]]:
    """Contrast 3 mm thick round a dark cord, bodies before it and laminae behind."""
    block, _ = spine(40.0)
    _, y, x = np.indices((60, 40, 40)) * 2.0
    from_axis = np.hypot((y - 48) / 0.9, x - 40)
    ring = (from_axis < 8) & (from_axis > 4.5)
    hu = gaussian_filter(np.where(ring, np.float32(500), block.hu), 0.4)
    return Block(hu, np.zeros(3), 2.0), from_axis < 8


def test_contrast_round_the_cord_is_a_sac_with_the_cord_counted_as_contrast() -> None:
    block, sac = myelogram()
    assert not (tubes_in(block) & sac).any()
    tubes = tubes_in(block, round_cord=True)
    assert (tubes & sac).any(axis=(1, 2)).all()
    assert (with_rim(tubes, block, DENSITIES) & sac).sum() > 0.9 * (sac & (block.hu > 200)).sum()


def test_only_what_lies_beyond_a_sac_is_told_where_that_is_asked() -> None:
    block, _ = spine(400.0)
    lower = Tube(np.argwhere(tubes_in(block))[:40], 400.0)
    beyond = list(tubes_of_contrast(block, DENSITIES, beyond=[lower]))
    assert beyond
    assert min(tube.index[:, 0].min() for tube in beyond) == lower.index[:, 0].max() + 1


def test_round_the_cord_all_that_is_as_dense_as_the_contrast_is_dimmed() -> None:
    block, sac = myelogram()
    points_mm = np.array([[2.0 * k, 48.0, 40.0] for k in range(60)])
    bright = sac & (block.hu > DENSITIES.soft_hu + 80)
    left = {
        round_cord_hu: float((dim_sac(block, DENSITIES, points_mm, round_cord_hu).hu[bright] > 120).mean())
        for round_cord_hu in (None, 420.0)
    }
    assert left[420.0] < 0.1 < left[None]
