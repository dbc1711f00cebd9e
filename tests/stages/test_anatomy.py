"""The spine read from masks: canal, bodies, pedicles, discs and foramina where the boxes were put."""

from __future__ import annotations

from dataclasses import replace

import edt
import numpy as np
import pytest
from scipy import ndimage, signal

from leakseg.anatomy import Place, SpineMasks, VertebraLevel
from leakseg.coordinates import CanalAxis
from leakseg.criteria import Criteria
from leakseg.errors import AnatomyError
from leakseg.geometry import bounding_box
from leakseg.pedicles import with_unseen_pedicles
from leakseg.reach import relative_to, widened
from leakseg.stages.axis import _savitzky_golay, _tube_sections
from leakseg.stages.coarse import _steps_between_planes
from leakseg.tracing import describe_anatomy


def _bent_axis() -> CanalAxis:
    angle = np.linspace(-0.4, 0.4, 161)
    line = np.stack([np.zeros_like(angle), 200 * np.cos(angle), 200 * np.sin(angle)], axis=1)
    up = np.stack([np.zeros_like(angle), -np.sin(angle), np.cos(angle)], axis=1)
    back = np.stack([np.zeros_like(angle), np.cos(angle), np.sin(angle)], axis=1)
    left = np.tile([1.0, 0.0, 0.0], (len(angle), 1))
    return CanalAxis(line, up, back, left)


def test_canal_coordinates_come_back_on_a_bent_spine():
    axis = _bent_axis()
    suv = np.random.default_rng(0).uniform([5, -60, -40], [155, 40, 40], (500, 3))
    assert np.abs(axis.to_canal(axis.to_patient(suv)) - suv).max() < 0.1


@pytest.mark.parametrize("source", ["mask", "cord", "vertebrae"])
def test_the_canal_is_found_from_each_source(spine, source: str):
    masks = spine.masks(canal=source == "mask")
    if source == "cord":
        cord = spine.box((-5, 5), (-4, 4), (-1, 1e3))
        masks = SpineMasks(spine.grid, masks.vertebrae, cord=cord)
    found = describe_anatomy(masks, Criteria())
    assert found.canal_from == source
    middle = found.axis.points_mm[10:-10]
    assert np.abs(middle[:, 0]).max() < 1.5
    assert np.abs(middle[:, 1]).max() < 1.5
    area = found.canal[20:-20].sum(axis=(1, 2)).mean()
    assert area == pytest.approx(2 * spine.half_canal_mm * spine.canal_depth_mm, rel=0.15)


def test_pedicles_and_bodies_have_their_true_size(spine):
    found = describe_anatomy(spine.masks(), Criteria())
    assert [vertebra.level for vertebra in found.vertebrae] == [VertebraLevel(level) for level in spine.levels]
    for vertebra in found.vertebrae:
        assert vertebra.body_half_width_mm == pytest.approx(spine.body_half_width_mm, abs=1.5)
        assert vertebra.s_top_mm - vertebra.s_bottom_mm == pytest.approx(24.0, abs=2.0)
        for pedicle in vertebra.pedicles.values():
            assert pedicle.medial_mm == pytest.approx(spine.half_canal_mm, abs=1.5)
            assert pedicle.lateral_mm == pytest.approx(spine.half_canal_mm + spine.pedicle_width_mm, abs=1.5)
            assert pedicle.s_top_mm - pedicle.s_bottom_mm == pytest.approx(12.0, abs=2.5)
        assert set(vertebra.pedicles) == {"left", "right"}


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_sliver_of_a_body_at_the_scans_end_is_no_vertebra_with_endplates(spine):
    """Where no column of it was as high as five steps its endplates lay at height 0, or nowhere."""
    masks, level = spine.masks(), spine.levels[0]
    own = masks.vertebrae == VertebraLevel(level).number
    low = spine.points[..., 2] < spine.middle_z(level) - 8.0
    cut = np.where(own & ~low, 0, masks.vertebrae).astype(np.uint8)
    found = describe_anatomy(SpineMasks(spine.grid, cut, canal=masks.canal), Criteria())
    assert [vertebra.level.value for vertebra in found.vertebrae] == list(spine.levels[1:])


@pytest.mark.parametrize(
    ("point", "place"),
    [
        ((0, 0, 0), Place.CANAL),
        ((7, -6, 17), Place.CANAL),
        ((0, -23, -17), Place.DISC),
        ((14, -4, -14), Place.FORAMEN),
        ((-14, -4, -14), Place.FORAMEN),
        ((30, -23, 0), Place.OUTSIDE),
        ((0, -45, 0), Place.OUTSIDE),
        ((25, 15, 0), Place.OUTSIDE),
    ],
)
def test_each_point_has_its_place(spine, point: tuple[int, int, int], place: Place):
    found = describe_anatomy(spine.masks(), Criteria())
    patient = np.array([[point[0], point[1], spine.middle_z("L3") + point[2]]], dtype=float)
    assert found.lattice.lookup(found.place, found.axis.to_canal(patient))[0] == place


def test_a_missing_level_makes_no_disc(spine):
    masks = spine.masks()
    labels = np.where(masks.vertebrae == VertebraLevel.L3.number, 0, masks.vertebrae).astype(np.uint8)
    found = describe_anatomy(SpineMasks(spine.grid, labels, canal=masks.canal), Criteria())
    assert found.gaps == ()


def test_bodies_alone_show_no_canal(spine):
    labels = np.where(spine.box((-99, 99), (-99, -8), (-99, 1e3)), spine.masks().vertebrae, 0).astype(np.uint8)
    with pytest.raises(AnatomyError, match="canal cannot be rebuilt"):
        describe_anatomy(SpineMasks(spine.grid, labels), Criteria())


def test_ways_to_the_canal_are_those_of_the_distance_map(spine):
    found = describe_anatomy(spine.masks(), Criteria())
    suv = np.random.default_rng(1).uniform([20, -60, -60], [60, 30, 60], (400, 3))
    whole = edt.edt(~found.canal, anisotropy=(found.lattice.step_mm,) * 3)
    distance = found.lattice.lookup(whole, suv, outside=np.inf)
    assert 0 < (distance <= 2.0).sum() < len(suv)
    for reach_mm in (0.0, 1.0, 2.0):
        assert np.array_equal(found.near_canal(suv, reach_mm), distance <= reach_mm)
    for some in (suv[distance > 3.0], suv, suv[distance > 3.0][:1]):
        assert found.lattice.shortest_way_mm(found.canal, some) == found.lattice.lookup(whole, some).min()
    assert found.lattice.shortest_way_mm(found.canal, np.array([[1e4, 0.0, 0.0]])) == np.inf


@pytest.mark.parametrize("margin", [0, 1, 200])
@pytest.mark.parametrize("room", [0, 3])
def test_the_block_in_a_window_is_the_one_found_there(spine, room: int, margin: int):
    masks = spine.masks()
    assert masks.block is not None
    window = widened(masks.block, masks.grid.shape, float(room), (1.0, 1.0, 1.0), spare=0)
    assert relative_to(masks.block, window, margin) == bounding_box(masks.vertebrae[window], margin)


def test_masks_filled_inside_their_blocks_keep_them(spine):
    masks = spine.masks()
    level, box = next(iter(masks.windows.items()))
    vertebrae = masks.to_relabel()
    vertebrae[box][vertebrae[box] == 0] = level.number
    filled = masks.filled(vertebrae)
    assert filled.vertebrae is vertebrae
    assert filled.windows == SpineMasks(masks.grid, vertebrae).windows


@pytest.mark.parametrize(("rows", "window"), [(60, 31), (31, 31), (200, 15)])
def test_a_line_is_smoothed_as_scipy_does_it(rows, window):
    line = np.cumsum(np.random.default_rng(rows).normal(size=(rows, 2)), axis=0)
    assert np.allclose(_savitzky_golay(line, window), signal.savgol_filter(line, window, 2, axis=0), atol=1e-12)


def test_a_sliver_of_bone_beside_a_pedicle_is_not_taken_for_it(spine):
    """A facet's edge or a lamina's stands medial of it in some sections; the foramina lie between whole pedicles."""
    z = spine.middle_z("L3")
    sliver = spine.box((5, 7), (-5, 2), (z + 1, z + 11))
    masks = spine.masks()
    labels = np.where(sliver & (masks.vertebrae == 0), VertebraLevel.L3.number, masks.vertebrae)
    anatomy = describe_anatomy(SpineMasks(spine.grid, labels, canal=masks.canal), Criteria())
    for side in ("left", "right"):
        pedicle = anatomy.vertebra(VertebraLevel.L3).pedicles[side]
        assert pedicle.medial_mm == pytest.approx(10.0, abs=1.0)
        assert pedicle.lateral_mm == pytest.approx(18.0, abs=1.0)


def _without_pedicles(spine, level: str, x: tuple[float, float]) -> SpineMasks:
    """The masks, one vertebra's pedicles left out between two sagittal planes, with the arch beside the canal."""
    masks, z = spine.masks(), spine.middle_z(level)
    gone = spine.box(x, (-8, 14), (z - 99, z + 99)) & (masks.vertebrae == VertebraLevel(level).number)
    return SpineMasks(spine.grid, np.where(gone, 0, masks.vertebrae).astype(np.uint8), canal=masks.canal)


@pytest.mark.parametrize("x", [(8, 99), (-99, 99)])
def test_foramina_beside_a_pedicle_that_masks_leave_out_are_told_by_the_other_side_or_the_neighbours(spine, x):
    """As in the 3 mm scan, whose mask shows L5's pedicle on one side: its foramina were outside everything."""
    masks = _without_pedicles(spine, "L3", x)
    found = describe_anatomy(masks, Criteria())
    assert "left" not in found.vertebra(VertebraLevel.L3).pedicles
    for level, above in (("L3", -14), ("L3", 20)):
        point = np.array([[14.0, -4.0, spine.middle_z(level) + above]])
        assert found.lattice.lookup(found.place, found.axis.to_canal(point))[0] == Place.FORAMEN
    assert {number for number, side in found.foramen_volume_mm3 if side == "left"} == set()


def test_beyond_the_last_vertebra_too(spine):
    """As below L5 in masks that hold no sacrum."""
    found = describe_anatomy(_without_pedicles(spine, "L4", (8, 99)), Criteria())
    assert "left" not in found.vertebra(VertebraLevel.L4).pedicles
    for v in (14.0, -14.0):
        point = np.array([[v, -4.0, spine.middle_z("L4") - 4]])
        assert found.lattice.lookup(found.place, found.axis.to_canal(point))[0] == Place.FORAMEN


def test_the_pedicle_of_a_vertebra_that_the_view_cuts_off_stands_where_its_neighbours_does(spine):
    """The endplate that the two turn to each other is in view; a sacrum is told by its other side alone."""
    top, middle, bottom = describe_anatomy(spine.masks(), Criteria()).vertebrae
    cut = replace(bottom, pedicles={}, s_bottom_mm=bottom.s_top_mm - 6.0)
    carried = with_unseen_pedicles((top, middle, cut))[-1].pedicles
    for side, pedicle in carried.items():
        assert pedicle.s_top_mm == pytest.approx(bottom.pedicles[side].s_top_mm, abs=1.0)
        assert pedicle.lateral_mm == middle.pedicles[side].lateral_mm
    assert set(carried) == {"left", "right"}
    sacrum = replace(cut, level=VertebraLevel.S1)
    assert with_unseen_pedicles((top, middle, sacrum))[-1].pedicles == {}
    one = replace(sacrum, pedicles={"left": bottom.pedicles["left"]})
    assert with_unseen_pedicles((top, middle, one))[-1].pedicles["right"] == bottom.pedicles["left"]


def test_the_root_of_a_lamina_under_a_pedicle_is_none_of_it(spine):
    """In the chest it fills nearly half of the room beside the canal, and the foramen began below it."""
    z = spine.middle_z("L3")
    root = spine.box((10, 13), (-8, 2), (z - 8, z))
    masks = spine.masks()
    labels = np.where(root, VertebraLevel.L3.number, masks.vertebrae)
    found = describe_anatomy(SpineMasks(spine.grid, labels, canal=masks.canal), Criteria())
    whole = describe_anatomy(masks, Criteria())
    seen, true = (anatomy.vertebra(VertebraLevel.L3).pedicles["left"] for anatomy in (found, whole))
    assert seen.s_bottom_mm == pytest.approx(true.s_bottom_mm, abs=1.5)


def test_a_tubes_sections_have_their_centres_of_mass():
    tube = np.zeros((40, 30, 35), np.bool_)
    tube[4:33] = np.random.default_rng(3).random((29, 30, 35)) < np.linspace(0.02, 0.6, 29)[:, None, None]
    counts = tube.sum(axis=(1, 2))
    told = [k for k in range(40) if counts[k] >= 0.25 * np.median(counts[counts > 0])]
    assert len(told) < np.count_nonzero(counts)
    assert np.array_equal(_tube_sections(tube), [(k, *ndimage.center_of_mass(tube[k])) for k in told])


def test_steps_between_planes_are_those_of_all_planes():
    labels = np.random.default_rng(3).integers(0, 3, (12, 13, 14), np.uint8)
    labels[:, 5:9] = labels[:, 4:5]
    for array in (labels, np.repeat(np.repeat(labels, 3, axis=1), 2, axis=2)):
        for axis in range(3):
            between = np.diff(array.astype(int), axis=axis) != 0
            other = tuple(one for one in range(3) if one != axis)
            assert np.array_equal(_steps_between_planes(array, axis), between.any(axis=other))


def test_levels_blocks_are_the_same_where_it_is_known_where_to_look(spine):
    masks = spine.masks()
    k, j, i = masks.block
    wider = (slice(max(k.start - 2, 0), k.stop), j, slice(max(i.start - 3, 0), i.stop + 1))
    assert masks.lying_in(wider).windows == masks.windows
