"""What is noticed of masks that are wrong: each fault planted alone in masks that raise no note."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.criteria import MaskCriteria
from leakseg.errors import AnatomyError
from leakseg.providers.checks import check_masks
from leakseg.volume import Volume

L1, L2, L3, L4, L5 = (VertebraLevel(name) for name in ("L1", "L2", "L3", "L4", "L5"))


def check(spine, vertebrae: np.ndarray, volume: Volume | None = None, **parts: np.ndarray) -> dict[str, str]:
    masks = SpineMasks(spine.volume.grid, np.ascontiguousarray(vertebrae, dtype=np.uint8), **parts)
    told: dict[str, str] = {}
    for note in check_masks(masks, volume or spine.volume, MaskCriteria()):
        told[note.code] = f"{told.get(note.code, '')} {note.message}".strip()
    return told


def renamed(spine, *names: str) -> np.ndarray:
    vertebrae = np.zeros_like(spine.vertebrae)
    for old, new in zip((L1, L2, L3, L4), names, strict=True):
        vertebrae[spine.vertebrae == old.number] = VertebraLevel(new).number
    return vertebrae


def test_right_masks_raise_no_note(spine) -> None:
    assert check(spine, spine.vertebrae, canal=spine.canal) == {}


def test_names_swapped_along_the_spine_are_refused(spine) -> None:
    with pytest.raises(AnatomyError, match=r"wrong order along the spine \(L2 below L3\)"):
        check(spine, renamed(spine, "L1", "L3", "L2", "L4"))


def test_names_upside_down_are_refused(spine) -> None:
    with pytest.raises(AnatomyError, match="upside down"):
        check(spine, renamed(spine, "L4", "L3", "L2", "L1"))


@pytest.mark.parametrize(("names", "missing"), [(("L1", "L3", "L4", "L5"), "L2"), (("T11", "L1", "L2", "L3"), "T12")])
def test_a_skipped_level_is_told(spine, names, missing) -> None:
    assert f"without {missing}:" in check(spine, renamed(spine, *names))["mask_level_skipped"]


@pytest.mark.parametrize("names", [("T11", "T12", "L1", "L2"), ("T12", "T13", "L1", "L2"), ("L4", "L5", "L6", "S1")])
def test_levels_that_not_everyone_has_are_not_missed(spine, names) -> None:
    assert check(spine, renamed(spine, *names)) == {}


def test_a_level_in_far_pieces_is_told_with_its_share(spine) -> None:
    vertebrae = spine.vertebrae.copy()
    height = np.arange(vertebrae.shape[0])[:, None, None]
    vertebrae[(vertebrae == L1.number) & (height > 62)] = L3.number
    told = check(spine, vertebrae)["mask_in_pieces"]
    assert "mask of L3" in told
    assert "% of it" in told


def test_pieces_close_by_are_nothing_to_tell(spine) -> None:
    vertebrae = spine.vertebrae.copy()
    vertebrae[:, 40:41, :] = 0  # the spinous processes come off by one voxel
    assert "mask_in_pieces" not in check(spine, vertebrae)


def test_two_vertebrae_under_one_name_are_told(spine) -> None:
    vertebrae = spine.vertebrae.copy()
    vertebrae[spine.vertebrae == L3.number] = L2.number
    notes = check(spine, vertebrae)
    assert notes["mask_size_jump"].startswith("The mask of L2 is 2.0 times")
    assert "mask of L1" not in notes["mask_size_jump"]
    assert "without L3" in notes["mask_level_skipped"]


def test_a_speck_is_told_and_upsets_no_order(spine) -> None:
    vertebrae = spine.vertebrae.copy()
    vertebrae[70:72, 15:17, 15:17] = L5.number
    notes = check(spine, vertebrae)
    assert "L5 holds only 64 mm³" in notes["mask_speck"]
    assert set(notes) == {"mask_speck"}


@pytest.mark.parametrize(
    ("axis", "mm"), [(0, 30), (0, -30), (0, 18), (1, 30), (2, 20), (2, -30), (0, 6), (1, 6), (2, 6)]
)
def test_masks_that_lie_elsewhere_are_refused(spine, axis, mm) -> None:
    vertebrae = np.roll(spine.vertebrae, mm // 2, axis=axis)
    edge: list[slice] = [slice(None)] * 3
    edge[axis] = slice(0, mm // 2) if mm > 0 else slice(mm // 2, None)
    vertebrae[tuple(edge)] = 0
    with pytest.raises(AnatomyError, match=r"do not lie on this spine|mirrored"):
        check(spine, vertebrae)


def test_mirrored_masks_are_refused_where_the_spine_is_not_symmetrical(spine) -> None:
    turned = np.flip(spine.vertebrae, axis=2)
    with pytest.raises(AnatomyError, match="mirrored left to right"):
        check(spine, turned)


def test_masks_on_a_scan_of_nothing_are_refused(spine) -> None:
    empty = Volume(spine.volume.grid, np.full(spine.vertebrae.shape, -1000, np.int16))
    with pytest.raises(AnatomyError, match=r"contrast 0\.50"):
        check(spine, spine.vertebrae, empty)


@pytest.mark.parametrize("fault", ["thick", "thin", "noise", "porous", "cement"])
def test_rough_masks_and_hard_scans_are_not_refused(spine, fault) -> None:
    from scipy import ndimage

    vertebrae, hu, rng = spine.vertebrae, spine.volume.hu.astype(np.float32), np.random.default_rng(5)
    if fault == "thick":
        vertebrae = ndimage.grey_dilation(vertebrae, size=3)
    elif fault == "thin":
        vertebrae = np.where(ndimage.binary_erosion(vertebrae > 0), vertebrae, 0)
    elif fault == "noise":
        hu = hu + rng.normal(0, 200, hu.shape).astype(np.float32)
    elif fault == "porous":
        hu = np.where(spine.vertebrae > 0, hu - 200, hu) + rng.normal(0, 60, hu.shape).astype(np.float32)
    else:
        hu = hu.copy()
        hu[40:50, 14:24, 10:26] = 2000  # fills a body and spills to its front
    notes = check(spine, vertebrae, Volume(spine.volume.grid, hu))
    assert not set(notes) & {"mask_displaced", "mask_place_unknown"}


def test_a_canal_mask_far_from_the_vertebrae_is_refused(spine) -> None:
    canal = np.zeros(spine.vertebrae.shape, bool)
    canal[:, 1:3, 0:3] = True
    vertebrae = np.where(np.arange(canal.shape[1])[None, :, None] > 20, spine.vertebrae, 0)
    with pytest.raises(AnatomyError, match=r"canal mask lies .* mm from the vertebrae"):
        check(spine, vertebrae, canal=canal)


def test_a_cord_that_ends_above_the_vertebrae_is_told(spine) -> None:
    cord = spine.canal & (np.arange(spine.canal.shape[0]) > 60)[:, None, None]
    lower = np.where(spine.vertebrae >= L3.number, spine.vertebrae, 0)
    assert "does not reach" in check(spine, lower, cord=cord)["mask_canal_elsewhere"]


def test_a_canal_mask_through_the_bodies_is_told(spine) -> None:
    assert (
        "inside vertebra masks"
        in check(spine, spine.vertebrae, canal=np.roll(spine.canal, -10, axis=1))["mask_canal_in_bone"]
    )


def test_the_limits_are_the_criterias(spine) -> None:
    masks = SpineMasks(spine.volume.grid, spine.vertebrae)
    strict = replace(MaskCriteria(), min_level_volume_mm3=1e9)
    assert [note.code for note in check_masks(masks, spine.volume, strict)] == ["mask_speck"] * 4
