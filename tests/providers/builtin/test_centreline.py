"""The canal's centreline: no marrow of another bone, which is dark and ringed by bone as well, is taken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter

from leakseg.nifti import read_image
from leakseg.providers.builtin.canal_reward import canal_reward
from leakseg.providers.builtin.centreline import Centreline, _with_straight_ends, believed, find_centreline
from leakseg.providers.builtin.densities import Densities, measure_densities
from leakseg.providers.builtin.working import Block, resample

TRUNK = Path(__file__).resolve().parents[3] / "../shared/data/totalsegmentator_ct"
STEP_MM = 2.0
SKELETON = (*range(25, 51), *range(75, 79), *range(92, 116))
"""Vertebrae, sacrum, hips and thighs, ribs."""
CORD = 79


def tubes(left: int, right: int) -> Block:
    """Slices of a patient 260 mm broad with a tube of bone in the middle and one 70 mm aside; columns cut to some."""
    y, x = np.indices((90, 150))
    section = np.where(np.hypot((y - 45) / 40, (x - 75) / 65) < 1, 40.0, -300.0)
    for middle in (75, 40):
        section[np.hypot(y - 50, x - middle) < 9] = 400
        section[np.hypot(y - 50, x - middle) < 6] = 30
    return Block(np.tile(section[:, left:right], (20, 1, 1)).astype(np.float32), np.zeros(3), STEP_MM)


def test_a_tube_far_from_the_patients_middle_is_less_of_a_canal_where_the_middle_shows() -> None:
    densities = Densities(40.0, 190.0)
    whole, cut = canal_reward(tubes(0, 150), densities)[10, 50], canal_reward(tubes(15, 120), densities)[10, 50]
    assert whole[75] == pytest.approx(whole[40] + 1.6, abs=0.3)
    assert cut[75 - 15] == pytest.approx(cut[40 - 15], abs=0.3)


@pytest.mark.skipif(not TRUNK.is_dir(), reason="the real scans of ../shared/data are not here")
@pytest.mark.parametrize("marrow_hu", [60.0, 0.0, -40.0])
def test_the_path_stays_in_the_canal_of_a_weak_skeleton(marrow_hu: float) -> None:
    """All marrow in view so dense: that of hips and thighs is ringed by bone for longer than the canal."""
    grid, hu = read_image(TRUNK / "ct.nii.gz")
    _, parts = read_image(TRUNK / "seg_total_v2.nii.gz")
    depth = distance_transform_edt(np.isin(parts, SKELETON), sampling=grid.spacing_mm) - grid.spacing_mm[0] / 2
    weak = hu + np.clip((depth - 1.5) / 1.5, 0, 1) * (marrow_hu - np.median(hu[depth > 3]))
    coarse = resample(weak.astype(np.float32), grid.spacing_mm, STEP_MM)
    line = find_centreline(coarse, measure_densities(coarse.hu))
    assert line is not None
    cord = np.argwhere(parts == CORD) * np.array(grid.spacing_mm)
    heights = np.unique(cord[:, 0])
    centres = np.array([cord[cord[:, 0] == height].mean(axis=0) for height in heights])
    at = [np.interp(heights, line.points_mm[:, 0], line.points_mm[:, axis]) for axis in (1, 2)]
    off_mm = np.hypot(at[0] - centres[:, 1], at[1] - centres[:, 2])
    assert np.mean(off_mm < 9) > 0.9
    assert line.points_mm[0, 0] > 90  # nothing of the pelvis below the sacrum


@pytest.mark.skipif(not TRUNK.is_dir(), reason="the real scans of ../shared/data are not here")
@pytest.mark.parametrize(("radius_mm", "cement_hu"), [(5.0, 1200), (6.0, 1700)])
def test_the_path_goes_on_beyond_cement_that_fills_the_canal(radius_mm: float, cement_hu: int) -> None:
    """Thirty mm of it, and only 15 mm of open canal above."""
    grid, hu = read_image(TRUNK / "ct.nii.gz")
    _, parts = read_image(TRUNK / "seg_total_v2.nii.gz")
    _, y_mm, x_mm = np.indices(hu.shape) * 3.0
    cement = np.zeros(hu.shape, np.float32)
    for row in range(len(hu) - 15, len(hu) - 5):
        middle = np.argwhere(parts[row] == CORD).mean(axis=0) * 3.0
        cement[row] = np.hypot(y_mm[row] - middle[0], x_mm[row] - middle[1]) < radius_mm
    share = gaussian_filter(cement, 0.35)
    coarse = resample((hu * (1 - share) + share * cement_hu).astype(np.float32), grid.spacing_mm, STEP_MM)
    line = find_centreline(coarse, measure_densities(coarse.hu))
    assert line is not None
    assert line.points_mm[-1, 0] > (len(hu) - 3) * 3.0


def test_an_end_that_turns_into_a_body_goes_straight_on_and_one_that_bends_as_spines_do_is_left() -> None:
    height = np.arange(0.0, 200.0, STEP_MM)
    arc = np.stack([height, 60 + 100 - np.sqrt(100.0**2 - np.clip(height - 140, 0, None) ** 2), 0 * height], axis=1)
    assert np.array_equal(_with_straight_ends(arc), arc)
    for turn in (-1.0, 1.0):  # forward, into a body; backward, as the sacral canal does
        astray = np.stack([height, 60 + turn * np.clip(height - 186, 0, None), 40 + 0 * height], axis=1)
        mended = _with_straight_ends(astray)
        assert np.ptp(mended[:, 1]) == pytest.approx(4 if turn < 0 else 12, abs=2)


@pytest.mark.parametrize(
    ("plain", "through_contrast", "is_canal"), [(0.79, 1.04, False), (0.9, 1.37, True), (1.3, 1.4, False)]
)
def test_a_way_through_contrast_is_believed_where_it_looks_like_a_canal_and_more_so_than_another(
    plain: float, through_contrast: float, *, is_canal: bool
) -> None:
    """The first: dense thoracic scan, canal 9 mm wide: the marrow before it passed for contrast round a cord."""
    points_mm = np.zeros((70, 3))
    ways = [Centreline(points_mm, np.full(70, score)) for score in (through_contrast, plain)]
    assert believed(*ways) is is_canal
