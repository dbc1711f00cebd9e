"""The two real scans with their masks: read right, and noticed when they are put wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.criteria import MaskCriteria
from leakseg.errors import AnatomyError
from leakseg.nifti import read_image
from leakseg.providers import load_masks, plan_masks
from leakseg.providers.checks import check_masks
from leakseg.volume import ScanSource, Volume

DATA = Path(__file__).resolve().parents[2] / "../shared/data"
CASES = {"verse005": ("vertebrae.nii.gz", "verse"), "totalsegmentator_ct": ("seg_total_v2.nii.gz", "totalsegmentator")}

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the real scans of ../shared/data are not here")


def real(case: str) -> tuple[Volume, ScanSource]:
    folder = DATA / case
    grid, hu = read_image(folder / "ct.nii.gz")
    return Volume(grid, hu), ScanSource(case, "ct", folder, (folder / "ct.nii.gz",), "nifti")


@pytest.fixture(scope="module", params=sorted(CASES))
def case(request) -> tuple[Volume, SpineMasks]:
    volume, scan = real(request.param)
    name, scheme = CASES[request.param]
    read = load_masks(plan_masks([str(DATA / request.param / name)], scan, scheme), volume)
    assert read.notes == ()
    return volume, read.masks


def test_verse_masks_found_beside_the_scan() -> None:
    volume, scan = real("verse005")
    read = load_masks(plan_masks([], scan, "verse"), volume)
    _, labels = read_image(DATA / "verse005/vertebrae.nii.gz")
    expected = np.where(labels > 0, labels.astype(int) - 20 + VertebraLevel.L1.number, 0)
    np.testing.assert_array_equal(read.masks.vertebrae, expected)
    assert read.masks.canal is not None
    assert read.masks.cord is None
    assert read.notes == ()


def test_totalsegmentators_own_names_need_no_scheme() -> None:
    volume, scan = real("totalsegmentator_ct")
    folder = DATA / "totalsegmentator_ct"
    specs = [str(folder / "seg_total_v2.nii.gz"), f"bodies={folder / 'seg_body1_disc2.nii.gz'}"]
    masks = load_masks(plan_masks(specs, scan), volume).masks
    assert masks.levels() == tuple(VertebraLevel(name) for name in ("T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1"))
    _, labels = read_image(folder / "seg_total_v2.nii.gz")
    np.testing.assert_array_equal(masks.vertebrae == VertebraLevel.S1.number, (labels == 25) | (labels == 26))
    np.testing.assert_array_equal(masks.cord, labels == 79)
    assert masks.canal is None
    _, parts = read_image(folder / "seg_body1_disc2.nii.gz")
    np.testing.assert_array_equal(masks.bodies, parts == 1)
    np.testing.assert_array_equal(masks.discs, parts == 2)


def test_builtin_masks_come_through_the_same_door() -> None:
    volume, scan = real("verse005")
    masks = load_masks(plan_masks(["builtin"], scan), volume).masks
    assert masks.grid.same_as(volume.grid)
    assert masks.provider == "builtin"
    assert masks.canal is not None


def moved(case: tuple[Volume, SpineMasks], axis: int, mm: float) -> SpineMasks:
    volume, masks = case
    by = round(mm / volume.grid.spacing_mm[axis])
    vertebrae = np.roll(masks.vertebrae, by, axis)
    edge: list[slice] = [slice(None)] * 3
    edge[axis] = slice(0, by) if by > 0 else slice(by, None)
    vertebrae[tuple(edge)] = 0
    return SpineMasks(volume.grid, vertebrae)


@pytest.mark.parametrize("mm", [30, -30, 6])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_masks_moved_from_their_place_are_refused(case, axis, mm) -> None:
    with pytest.raises(AnatomyError, match=r"do not lie on this spine|mirrored"):
        check_masks(moved(case, axis, mm), case[0], MaskCriteria())


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_masks_turned_over_are_refused(case, axis) -> None:
    volume, masks = case
    turned = SpineMasks(volume.grid, np.ascontiguousarray(np.flip(masks.vertebrae, axis)))
    with pytest.raises(AnatomyError):
        check_masks(turned, volume, MaskCriteria())


def test_masks_half_a_voxel_off_are_used(case) -> None:
    """Converters differ by half a voxel; that is no reason to refuse."""
    volume, masks = case
    if volume.grid.spacing_mm[0] > 2:
        pytest.skip("a voxel of this scan is 3 mm")
    check_masks(moved((volume, masks), 0, 1.0), volume, MaskCriteria())
