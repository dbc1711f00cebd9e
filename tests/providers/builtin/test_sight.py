"""What is said of the canal: how sure it is, and a sac full of contrast told from bone that is as bright."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from leakseg.providers.builtin.contrast import sac_like
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


def upright(radius_mm: float, length_mm: float, hu: float) -> tuple[Block, NDArray[np.bool_]]:
    """A cylinder along z in soft tissue, on the coarse grid."""
    z, y, x = np.indices((40, 40, 40)) * 2.0
    inside = (np.hypot(y - 40, x - 40) < radius_mm) & (np.abs(z - 40) < length_mm / 2)
    return Block(np.where(inside, np.float32(hu), np.float32(40.0)), np.zeros(3), 2.0), inside


def test_a_sac_full_of_contrast_is_found_with_its_rim() -> None:
    block, inside = upright(8, 60, 500)
    found = sac_like(block, DENSITIES)
    assert (found & inside).sum() > 0.9 * inside.sum()


@pytest.mark.parametrize(("radius_mm", "length_mm", "hu"), [(18, 60, 220), (8, 14, 500), (8, 60, 120)])
def test_bodies_short_lumps_and_soft_tissue_are_no_sac(radius_mm: float, length_mm: float, hu: float) -> None:
    block, _ = upright(radius_mm, length_mm, hu)
    assert not sac_like(block, DENSITIES).any()


def test_a_sac_that_touches_bone_is_found_by_what_is_denser_than_that() -> None:
    z, y, x = np.indices((40, 40, 40)) - np.array([0, 26, 20])[:, None, None, None]
    sac = np.hypot(x, y) < 4
    hu = np.where((np.abs(x) < 16) & (y < -2) & (y > -22), np.float32(280), np.float32(40))
    block = Block(np.where(sac & (z > 3), np.float32(400), hu), np.zeros(3), 2.0)
    found = sac_like(block, DENSITIES)
    assert found[sac & (z > 6) & (z < 36)].mean() > 0.9
    assert not found[y < -12].any()
