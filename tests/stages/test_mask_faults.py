"""Masks that err as drawn ones do: leaks are found all the same, and bone is not taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from leakseg.analysis import analyse
from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.criteria import Criteria
from leakseg.findings import LeakType
from leakseg.geometry import Grid
from leakseg.likeness import beyond_likeness, trusted_bone
from leakseg.stages.classify import RuleClassifier
from leakseg.stages.coarse import smooth_coarse_masks
from leakseg.stages.mixed import _contact_mm2, _most_shared_mm2, _touching_mm2, unmix_neighbours
from leakseg.stages.outline import _drop_contradicted, free_swallowed_cement
from leakseg.stages.repair import fill_cavities
from leakseg.stages.width import bring_to_bone
from leakseg.tracing import describe_anatomy, read_scan, trace_cement
from leakseg.volume import Volume

WALL_Y = -8.0


def leaks_of(spine):
    """One leak in each place, painted beside a filled L3 together with the way it took out of the bone."""
    z, edge = spine.middle_z("L3"), spine.body_half_width_mm
    canal = spine.box((1, 7), (WALL_Y, WALL_Y + 5), (z - 8, z + 8))
    channel = spine.box((-1.5, 1.5), (WALL_Y - 12, WALL_Y + 1), (z - 1.5, z + 1.5))
    out = spine.box((edge - 14, edge + 1.5), (WALL_Y - 17, WALL_Y - 13), (z - 2, z + 2))
    lump = spine.box((edge, edge + 5), (WALL_Y - 20, WALL_Y - 10), (z - 5, z + 5))
    end = spine.box((-3, 3), (WALL_Y - 18, WALL_Y - 12), (z - 14, z - 4))
    disc = spine.box((-6, 6), (WALL_Y - 21, WALL_Y - 9), (z - 17, z - 12))
    return {"epidural": canal | channel, "paravertebral": lump | out, "intradiscal": disc | end}


@pytest.mark.parametrize("kind", ["epidural", "paravertebral", "intradiscal"])
def test_a_leak_that_the_vertebra_mask_swallows_is_found(spine, kind):
    leak = leaks_of(spine)[kind]
    masks = spine.masks()
    labels = masks.vertebrae.copy()
    labels[ndimage.binary_dilation(leak) & (labels == 0)] = VertebraLevel.L3.number
    volume = spine.volume(spine.fill("L3"), leak)
    found = analyse(volume, SpineMasks(spine.grid, labels, canal=masks.canal), Criteria(), RuleClassifier())
    (told,) = found.leaks
    assert (told.type, told.level) == (LeakType(kind), "L3")
    assert told.volume_mm3 == pytest.approx(float((leak & (masks.vertebrae == 0)).sum()), rel=0.3)
    assert "mask_swallowed_cement" in [note.code for note in found.notes]


def test_a_leak_in_the_disc_that_the_mask_swallows_far_from_other_cement_is_found(spine):
    """Nothing leads there from the cement in the body: it is known by its density alone."""
    z = spine.middle_z("L3")
    disc = spine.box((-6, 6), (WALL_Y - 21, WALL_Y - 9), (z - 22, z - 12))
    cement = spine.box((-6, 6), (WALL_Y - 22, WALL_Y - 8), (z, z + 10))
    masks = spine.masks()
    labels = masks.vertebrae.copy()
    labels[ndimage.binary_dilation(disc) & (labels == 0)] = VertebraLevel.L3.number
    found = analyse(
        spine.volume(cement, disc), SpineMasks(spine.grid, labels, canal=masks.canal), Criteria(), RuleClassifier()
    )
    (told,) = found.leaks
    assert (told.type, told.volume_mm3) == (LeakType.INTRADISCAL, pytest.approx(float(disc.sum()), rel=0.3))
    assert "mask_swallowed_cement" in [note.code for note in found.notes]


@pytest.mark.parametrize(("place", "hu"), [("beside", 1800), ("canal", 1800), ("canal", 1250)])
def test_a_small_leak_that_the_mask_swallows_far_from_other_cement_is_found(spine, place, hu):
    """By its density alone where cement is plainly denser than cortex (700 HU), in the canal in other scans too."""
    z, edge = spine.middle_z("L3"), spine.body_half_width_mm
    leak = {
        "beside": spine.box((edge, edge + 3), (WALL_Y - 16, WALL_Y - 11), (z - 2, z + 2)),
        "canal": spine.box((-3, 3), (WALL_Y, WALL_Y + 4), (z - 2, z + 1)),
    }[place]
    cement = spine.box((-12, -4), (WALL_Y - 24, WALL_Y - 14), (z - 8, z + 8))
    masks = spine.masks()
    labels = masks.vertebrae.copy()
    labels[ndimage.binary_dilation(leak) & (labels == 0)] = VertebraLevel.L3.number
    volume = spine.volume(cement, leak, hu=hu)
    found = analyse(volume, SpineMasks(spine.grid, labels, canal=masks.canal), Criteria(), RuleClassifier())
    (told,) = found.leaks
    assert told.volume_mm3 == pytest.approx(float(leak.sum()), rel=0.35)
    assert told.type == (LeakType.EPIDURAL if place == "canal" else told.type)


def test_matter_as_dense_as_cement_in_a_vertebra_without_cement_is_told(spine):
    """Facets are denser than cortex too, and nobody wants to be told of each: behind the canal cement is denser yet."""
    z = spine.middle_z("L4")
    lump = spine.box((16, 20), (WALL_Y - 20, WALL_Y - 10), (z - 4, z + 4))
    facet = spine.box((11, 17), (8, 15), (z, z + 12))
    for painted, hu, told in ((lump, 1150, True), (facet, 1150, False), (facet, 1700, True)):
        volume = spine.volume(spine.fill("L2"), other=((painted, hu),))
        found = analyse(volume, spine.masks(), Criteria(), RuleClassifier())
        assert found.leaks == ()
        notes = [note.message for note in found.notes if note.code == "dense_matter_in_mask"]
        assert [("in the mask of L4" in note) for note in notes] == [True] * told
        assert found.needs_review == told


@pytest.mark.parametrize("place", ["wall", "endplate", "side", "pedicle"])
def test_cement_that_reaches_the_bones_outline_is_not_cut_off(spine, place):
    z, edge = spine.middle_z("L3"), spine.body_half_width_mm
    cement = {
        "wall": spine.box((-6, 6), (WALL_Y - 14, WALL_Y), (z - 6, z + 6)),
        "endplate": spine.box((-8, 8), (WALL_Y - 22, WALL_Y - 8), (z - 12, z + 4)),
        "side": spine.box((0, edge), (WALL_Y - 22, WALL_Y - 8), (z - 6, z + 6)),
        "pedicle": spine.box((12, 16), (WALL_Y - 16, WALL_Y + 14), (z + 3, z + 7)),
    }[place]
    found = analyse(spine.volume(spine.fill("L3"), cement), spine.masks(), Criteria(), RuleClassifier())
    assert found.leaks == ()
    assert "mask_swallowed_cement" not in [note.code for note in found.notes]


def test_an_osteophyte_in_the_mask_beside_cement_is_bone(spine):
    z, edge = spine.middle_z("L3"), spine.body_half_width_mm
    spur = spine.box((edge, edge + 6), (WALL_Y - 20, WALL_Y - 10), (z - 12, z - 4))
    cement = spine.box((0, edge - 1), (WALL_Y - 22, WALL_Y - 8), (z - 6, z + 6))
    masks = spine.masks()
    labels = np.where(spur, VertebraLevel.L3.number, masks.vertebrae)
    volume = spine.volume(spine.fill("L3"), cement, other=((spur, 1050),))
    found = analyse(volume, SpineMasks(spine.grid, labels, canal=masks.canal), Criteria(), RuleClassifier())
    assert found.leaks == ()
    assert "mask_swallowed_cement" not in [note.code for note in found.notes]


def test_what_the_carried_surface_has_inside_the_bone_was_not_swallowed():
    """Beside a filled corner the endplate is carried farther than its surface tells, and may bend off the bone."""
    seeds = np.zeros((4, 4, 12), bool)
    seeds[1:3, 1:3, 0:3] = seeds[1:3, 1:3, 5:8] = seeds[1:3, 1:3, 10:12] = True
    index = np.argwhere(seeds)
    height = np.full(len(index), -np.inf, np.float32)  # too far from trusted surface to tell
    height[index[:, 2] == 0], height[index[:, 2] == 5] = -1.5, 2.0
    _drop_contradicted(seeds, index, height)
    assert [bool(seeds[1, 1, at]) for at in (0, 1, 6, 10)] == [False, False, True, True]


def test_a_screw_in_the_mask_is_no_swallowed_cement(spine):
    z, edge = spine.middle_z("L3"), spine.body_half_width_mm
    screw = spine.box((edge - 5, edge + 3), (WALL_Y - 14, WALL_Y + 30), (z + 3, z + 7))
    masks = spine.masks()
    labels = np.where(screw & (spine.points[..., 1] < WALL_Y), VertebraLevel.L3.number, masks.vertebrae)
    cement = spine.box((0, edge - 8), (WALL_Y - 22, WALL_Y - 8), (z - 6, z + 6)) & ~screw
    volume = spine.volume(cement, other=((screw, 3071),))
    found = analyse(volume, SpineMasks(spine.grid, labels, canal=masks.canal), Criteria(), RuleClassifier())
    assert found.leaks == ()
    assert "mask_swallowed_cement" not in [note.code for note in found.notes]


def test_an_endplate_under_which_cement_lies_nearly_everywhere_stands_as_it_is_drawn(spine):
    """A third of it is sunk and free of cement: what it tells of the rest would cut the rest off."""
    z = spine.middle_z("L3")
    sunk = spine.box((8, 99), (-99, WALL_Y), (z + 7, z + 12))
    cement = spine.box((-19, 6), (WALL_Y - 29, WALL_Y - 1), (z, z + 11))
    masks = spine.masks()
    labels = np.where(sunk, 0, masks.vertebrae)
    floor = spine.box((8, spine.body_half_width_mm), (WALL_Y - 30, WALL_Y), (z + 6, z + 7))
    volume = spine.volume(cement, other=((sunk, 40), (floor, 700)))
    found = analyse(volume, SpineMasks(spine.grid, labels, canal=masks.canal), Criteria(), RuleClassifier())
    assert found.leaks == ()
    assert "mask_swallowed_cement" not in [note.code for note in found.notes]


def test_masks_wider_than_the_bone_are_thinned(spine):
    masks = spine.masks()
    reach = ndimage.distance_transform_edt(masks.vertebrae == 0, return_indices=True)
    wide = np.where(reach[0] <= 1.0, masks.vertebrae[tuple(reach[1])], 0).astype(np.uint8)
    leak = leaks_of(spine)["paravertebral"]
    volume = spine.volume(spine.fill("L3"), leak)
    true = analyse(volume, masks, Criteria(), RuleClassifier())
    found = analyse(volume, SpineMasks(spine.grid, wide, canal=masks.canal), Criteria(), RuleClassifier())
    assert [note.code for note in found.notes] == ["wide_masks_thinned"]
    assert "wide_masks_thinned" not in [note.code for note in true.notes]
    assert found.leaks[0].volume_mm3 == pytest.approx(true.leaks[0].volume_mm3, rel=0.02)


def test_wide_masks_are_thinned_where_blur_spreads_the_cortex_over_their_rim(spine):
    masks = spine.masks()
    sharp = spine.volume()
    blurred = Volume(spine.grid, ndimage.gaussian_filter(sharp.hu.astype(np.float32), 0.7).astype(np.int16))
    reach = ndimage.distance_transform_edt(masks.vertebrae == 0, return_indices=True)
    rim = reach[0] == 1.0
    assert np.median(blurred.hu[rim]) > 140  # no soft tissue
    wide = np.where(reach[0] <= 1.0, masks.vertebrae[tuple(reach[1])], 0).astype(np.uint8)
    thinned, notes = bring_to_bone(blurred, SpineMasks(spine.grid, wide, canal=masks.canal), Criteria().outline)
    assert [note.code for note in notes] == ["wide_masks_thinned"]
    assert (thinned.vertebrae != masks.vertebrae).sum() < 0.1 * (wide != masks.vertebrae).sum()
    assert bring_to_bone(blurred, masks, Criteria().outline)[1] == ()


def test_bone_beside_cement_in_two_neighbours_is_like_each_others(spine):
    anatomy = describe_anatomy(spine.masks(), Criteria())
    _, v = anatomy.lattice.sections()
    wet = np.broadcast_to(np.abs(v) < 12, anatomy.bone.shape)
    boxes = ndimage.find_objects(anatomy.bone)
    trusted = {
        vertebra.level.number: trusted_bone(vertebra, boxes[vertebra.level.number - 1], wet, anatomy)
        for vertebra in anatomy.vertebrae
    }
    middle = np.array(anatomy.vertebra(VertebraLevel.L3).body_centre_suv_mm)
    before = middle - [0, 15.0 + 5, 0]
    beyond = beyond_likeness(np.array([middle, before]), VertebraLevel.L3.number, trusted, anatomy)
    assert beyond[0] == 0
    assert beyond[1] == pytest.approx(5.0, abs=1.0)


def of_l3(spine, labels, *cement):
    """What is told of a filled L3 with masks that err."""
    masks = SpineMasks(spine.grid, labels, canal=spine.masks().canal)
    return analyse(spine.volume(spine.fill("L3"), *cement), masks, Criteria(), RuleClassifier())


@pytest.mark.parametrize("kind", ["epidural", "paravertebral", "intradiscal"])
def test_a_hole_where_the_cement_lies_is_bone_however_wide_the_leak_opens_it(spine, kind):
    leak = leaks_of(spine)[kind]
    labels = spine.masks().vertebrae.copy()
    bone = labels > 0
    labels[bone & (leak | spine.fill("L3"))] = 0
    found = of_l3(spine, labels, leak)
    (told,) = found.leaks
    assert (told.type, told.level) == (LeakType(kind), "L3")
    assert told.volume_mm3 == pytest.approx(float((leak & ~bone).sum()), rel=0.3)
    assert {"mask_cavity_filled", "mask_hole_filled"} & {note.code for note in found.notes}


@pytest.mark.parametrize("leaks", [False, True], ids=["in bone", "leaked"])
def test_a_hole_that_took_the_wall_with_it_is_bone_up_to_where_the_wall_was(spine, leaks):
    """Cement at the side of the body; the mask leaves it out with the wall beside it, which no line of sight meets."""
    z, edge = spine.middle_z("L3"), spine.body_half_width_mm
    cement = spine.box((edge - 12, edge - 1), (WALL_Y - 26, WALL_Y - 4), (z - 7, z + 7))
    leak = spine.box((edge - 1, edge + 6), (WALL_Y - 20, WALL_Y - 10), (z - 5, z + 5)) & leaks
    labels = spine.masks().vertebrae.copy()
    bone = labels > 0
    labels[ndimage.binary_dilation(cement, iterations=1)] = 0
    masks = SpineMasks(spine.grid, labels, canal=spine.masks().canal)
    found = analyse(spine.volume(cement, leak), masks, Criteria(), RuleClassifier())
    assert [(told.type, told.level) for told in found.leaks] == [(LeakType.PARAVERTEBRAL, "L3")] * leaks
    assert sum(told.volume_mm3 for told in found.leaks) == pytest.approx(float((leak & ~bone).sum()), rel=0.2)
    assert "mask_wall_closed" in [note.code for note in found.notes]


def test_what_bone_encloses_on_all_sides_is_no_swallowed_leak(spine):
    """Outlines rebuilt from little may lead astray; a cavity in the mask as given has bone all round."""
    leak = leaks_of(spine)["paravertebral"]
    swallowed = spine.masks().vertebrae.copy()
    swallowed[ndimage.binary_dilation(leak) & (swallowed == 0)] = VertebraLevel.L3.number
    volume, masks = spine.volume(spine.fill("L3"), leak), SpineMasks(spine.grid, swallowed, canal=spine.masks().canal)
    anatomy = describe_anatomy(masks, Criteria())
    read = read_scan(volume, masks, anatomy, Criteria())
    limits = Criteria().cement, Criteria().outline
    freed, notes = free_swallowed_cement(volume, masks, anatomy, read, swallowed, swallowed, *limits)
    assert [note.code for note in notes] == ["mask_swallowed_cement"]
    assert (freed.vertebrae == 0)[leak & (spine.masks().vertebrae == 0)].mean() > 0.8
    hollow = np.where(leak, 0, swallowed).astype(np.uint8)
    kept, _ = free_swallowed_cement(volume, masks, anatomy, read, hollow, swallowed, *limits)
    assert (kept.vertebrae > 0)[leak].all()


def test_canal_and_bone_are_those_of_the_masks_with_their_holes_filled(spine):
    """The canal is traced before a hole opens no more into it, and again after."""
    z = spine.middle_z("L3")
    leak = spine.box((-8, 8), (WALL_Y - 14, WALL_Y + 2), (z - 8, z + 8))
    labels = spine.masks().vertebrae.copy()
    labels[leak | spine.fill("L3")] = 0
    traced = trace_cement(spine.volume(spine.fill("L3"), leak), SpineMasks(spine.grid, labels), Criteria())
    assert [note.code for note in traced.notes] == ["mask_hole_filled", "mask_wall_closed"]
    anew = describe_anatomy(traced.masks, Criteria())
    assert np.array_equal(traced.anatomy.wall.radius_mm, anew.wall.radius_mm)
    assert np.array_equal(traced.anatomy.bone, anew.bone)


def test_a_large_cavity_that_no_cement_is_found_for_is_told(spine):
    bone = spine.masks().vertebrae
    hollow = spine.fill("L3") & ndimage.binary_erosion(bone > 0, iterations=3)
    labels = np.where(hollow, 0, bone).astype(np.uint8)
    masks = SpineMasks(spine.grid, labels, canal=spine.masks().canal)
    empty = analyse(spine.volume(spine.fill("L2")), masks, Criteria(), RuleClassifier())
    (told,) = [note for note in empty.notes if note.code == "cavity_without_cement"]
    assert told.severity == "warning"
    assert "L3" in told.message
    assert empty.needs_review
    filled = of_l3(spine, labels)
    assert "mask_cavity_filled" in [note.code for note in filled.notes]
    assert "cavity_without_cement" not in [note.code for note in filled.notes]


def test_pinholes_that_fingers_of_cement_left_are_bone(spine):
    """Narrower than any crack, and no denser than bone: with them, bone would be deep nowhere and no cement sure."""
    whole = spine.masks().vertebrae
    hollow = spine.fill("L3") & spine.box((-30, 0), (-99, 99), (-99, 99))
    pins = np.zeros(whole.shape, bool)
    pins[::4, ::4, ::4] = True
    pins &= ndimage.binary_erosion(whole == VertebraLevel.L3.number, iterations=2)
    labels = np.where(hollow | pins, 0, whole)
    masks = SpineMasks(spine.grid, labels.astype(np.uint8), canal=spine.masks().canal)
    volume = spine.volume(spine.fill("L3") & ~pins, other=((pins, 200),))
    filled, notes = fill_cavities(volume, masks, Criteria().spine)
    assert (filled.vertebrae == whole).all()
    assert [note.code for note in notes] == ["mask_cavity_filled"]
    assert fill_cavities(volume, spine.masks(), Criteria().spine)[1] == ()


def test_cement_in_a_ring_of_bone_without_a_canal_mask_is_in_the_canal_not_in_a_hole(spine):
    labels = spine.masks().vertebrae
    leak = leaks_of(spine)["epidural"]
    volume = spine.volume(spine.fill("L3"), leak)
    found = analyse(volume, SpineMasks(spine.grid, labels), Criteria(), RuleClassifier())
    assert [leak.type for leak in found.leaks] == [LeakType.EPIDURAL]
    assert "mask_hole_filled" not in [note.code for note in found.notes]


@pytest.mark.parametrize("missing", ["L2", "L4"])
def test_a_leak_beside_a_vertebra_that_the_masks_lack_is_named_by_its_place(spine, missing):
    leak = leaks_of(spine)["intradiscal"]
    if missing == "L2":
        z = spine.middle_z("L3")
        end = spine.box((-3, 3), (WALL_Y - 18, WALL_Y - 12), (z + 4, z + 14))
        leak = end | spine.box((-6, 6), (WALL_Y - 21, WALL_Y - 9), (z + 12, z + 17))
    labels = spine.masks().vertebrae.copy()
    labels[labels == VertebraLevel(missing).number] = 0
    found = of_l3(spine, labels, leak)
    (told,) = found.leaks
    assert (told.type, told.segment) == (LeakType.INTRADISCAL, "L3/L4" if missing == "L4" else "L2/L3")
    assert missing in [level.level for level in found.levels]
    (note,) = [note for note in found.notes if note.code == "mask_level_rebuilt"]
    assert note.severity == "warning"
    assert f"called {missing}" in note.message


def lacking(spine, *levels):
    labels = spine.masks().vertebrae.copy()
    labels[np.isin(labels, [VertebraLevel(level).number for level in levels])] = 0
    return SpineMasks(spine.grid, labels, canal=spine.masks().canal)


@pytest.mark.parametrize("missing", [("L3",), ("L2", "L3")], ids="+".join)
def test_the_leak_of_a_cemented_vertebra_that_the_masks_lack_is_found(spine, missing):
    """A model leaves out what cement makes unlike a vertebra: no other vertebra of the masks holds any."""
    volume = spine.volume(spine.fill("L3"), leaks_of(spine)["epidural"])
    found = analyse(volume, lacking(spine, *missing), Criteria(), RuleClassifier())
    (told,) = found.leaks
    assert (told.type, told.level) == (LeakType.EPIDURAL, "L3")
    assert [level.level for level in found.levels if level.treated] == ["L3"]
    assert [note.severity for note in found.notes if note.code == "mask_level_rebuilt"] == ["warning"]
    assert "cement_without_vertebra" not in [note.code for note in found.notes]


def test_two_vertebrae_that_the_masks_lack_one_above_the_other_are_drawn(four_levels):
    spine = four_levels
    volume = spine.volume(spine.fill("L2"), spine.fill("L3"), leaks_of(spine)["epidural"])
    found = analyse(volume, lacking(spine, "L2", "L3"), Criteria(), RuleClassifier())
    assert [level.level for level in found.levels if level.treated] == ["L2", "L3"]
    assert [(leak.type, leak.level) for leak in found.leaks] == [(LeakType.EPIDURAL, "L3")]


def test_cement_where_no_vertebra_of_the_masks_can_be_drawn_is_told(spine):
    """Nothing else stands out there from soft tissue: it is no neighbour's shape."""
    lump = spine.fill("L4")
    volume = spine.volume(lump, other=((spine.vertebra("L4"), 40),))
    found = analyse(volume, lacking(spine, "L4"), Criteria(), RuleClassifier())
    (note,) = [note for note in found.notes if note.code == "cement_without_vertebra"]
    assert note.severity == "warning"
    assert found.needs_review
    assert float(note.message.split(" mm3")[0]) == pytest.approx(float(lump.sum()), rel=0.15)
    bare = analyse(spine.volume(), lacking(spine, "L4"), Criteria(), RuleClassifier())
    assert "cement_without_vertebra" not in [note.code for note in bare.notes]


def test_no_vertebra_is_drawn_where_the_scan_shows_none(spine):
    """The spine ends at L2 and L4, both filled."""
    every = spine.fill("L2") | spine.fill("L3") | spine.fill("L4")
    found = analyse(spine.volume(every), spine.masks(), Criteria(), RuleClassifier())
    assert [level.level for level in found.levels] == ["L2", "L3", "L4"]
    assert "mask_level_rebuilt" not in [note.code for note in found.notes]


@pytest.mark.parametrize(("giver", "taker"), [("L3", "L4"), ("L3", "L2"), ("L4", "L3")])
def test_a_slab_under_its_neighbours_name_is_given_back(spine, giver, taker):
    true = spine.masks().vertebrae
    labels = true.copy()
    z = spine.middle_z(giver)
    slab = spine.box((-99, 99), (-99, 99), (z - 20, z - 7) if giver < taker else (z + 7, z + 20))
    labels[slab & (labels == VertebraLevel(giver).number)] = VertebraLevel(taker).number
    mended, (note,) = unmix_neighbours(SpineMasks(spine.grid, labels), Criteria().spine)
    assert (mended.vertebrae == true).all()
    assert (note.code, note.severity) == ("mask_piece_renamed", "warning")
    assert f"counted to {giver}" in note.message


@pytest.mark.parametrize("seed", range(5))
def test_pieces_share_no_more_with_a_neighbour_than_is_told_before_they_are_made(seed):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(30, 40, 50)), 2.5)
    own, other = noise > 0, noise < -0.02
    grid = Grid(own.shape, np.array([[0, 0, 0.6, 0], [0, 0.8, 0, 0], [1.5, 0, 0, 0], [0, 0, 0, 1.0]]))
    cores, count = ndimage.label(noise > 0.08)
    assert count > 3
    largest = int(np.argmax(np.bincount(cores.ravel())[1:])) + 1
    nearest = ndimage.distance_transform_edt(cores == 0, grid.spacing_mm, return_distances=False, return_indices=True)
    parts = np.where(own, cores[tuple(nearest)], 0)
    shared = [_contact_mm2(parts == number, other, grid) for number in range(1, count + 1) if number != largest]
    told = _most_shared_mm2(own, cores, largest, {VertebraLevel.L3: other}, grid)
    assert 0 < max(shared) <= told < _contact_mm2(own, other, grid)


def test_true_masks_are_left_as_they_are(spine):
    masks = spine.masks()
    mended, notes = unmix_neighbours(masks, Criteria().spine)
    assert notes == ()
    assert mended is masks


def test_masks_narrower_than_the_bone_are_widened_and_what_lies_under_the_cortex_is_no_leak(spine):
    z = spine.middle_z("L3")
    masks = spine.masks()
    narrow = np.where(ndimage.minimum_filter(masks.vertebrae, footprint=ndimage.generate_binary_structure(3, 1)), 1, 0)
    narrow = (masks.vertebrae * narrow).astype(np.uint8)
    under = spine.box((-8, 8), (WALL_Y - 22, WALL_Y - 8), (z, z + 12))
    volume = spine.volume(spine.fill("L3"), under)
    found = analyse(volume, SpineMasks(spine.grid, narrow, canal=masks.canal), Criteria(), RuleClassifier())
    assert "narrow_masks_widened" in [note.code for note in found.notes]
    assert found.leaks == ()


def test_masks_of_coarse_voxels_are_smoothed_towards_the_bone(spine):
    bone = np.stack(np.indices((60, 60, 60)), axis=-1) - 29.5
    bone = np.linalg.norm(bone * np.array([1.0, 1.3, 0.9]), axis=-1) <= 26
    blocks = bone.reshape(20, 3, 20, 3, 20, 3).mean(axis=(1, 3, 5)) >= 0.5
    blocks = blocks.repeat(3, 0).repeat(3, 1).repeat(3, 2)
    grid = Grid((60, 60, 60), spine.grid.affine, "1.2.3")
    volume = Volume(grid, np.where(bone, 400, 40).astype(np.int16), spine.volume().series)
    smooth, (note,) = smooth_coarse_masks(volume, SpineMasks(grid, blocks.astype(np.uint8)), Criteria().spine)
    assert note.code == "coarse_masks_smoothed"
    assert np.count_nonzero((smooth.vertebrae > 0) != bone) < 0.6 * np.count_nonzero(blocks != bone)
    fine = SpineMasks(grid, bone.astype(np.uint8))
    assert smooth_coarse_masks(volume, fine, Criteria().spine) == (fine, ())


def test_levels_touch_by_the_faces_that_they_share_in_the_whole_scan():
    rng = np.random.default_rng(4)
    grid = Grid((30, 20, 25), np.array([[0, 0, 0.5, 0], [0, 0.5, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1.0]]))
    vertebrae = np.zeros(grid.shape, np.uint8)
    numbers = {level: VertebraLevel(level).number for level in ("L1", "L2", "L3")}
    vertebrae[12:22, 2:14, 3:20] = rng.choice([0, numbers["L1"], numbers["L2"]], (10, 12, 17))
    vertebrae[2:5, 2:14, 3:20] = numbers["L3"]
    masks = SpineMasks(grid, vertebrae)
    l1, l2, l3 = (VertebraLevel(level) for level in numbers)
    expected = _contact_mm2(vertebrae == l1.number, vertebrae == l2.number, grid)
    assert _touching_mm2(masks, l1, l2) == expected > 0
    assert _touching_mm2(masks, l2, l3) == 0


@pytest.mark.parametrize(("cement_hu", "share"), [(1120, 1.0), (950, 0.0)])
def test_behind_the_canal_masks_swallow_nothing_that_laminae_may_be_as_dense_as(spine, cement_hu, share):
    z = spine.middle_z("L3")
    lump = spine.box((6, 14), (16, 23), (z + 1, z + 11))
    way = spine.box((0, 14), (-25, -21), (z + 4, z + 8)) | spine.box((11, 14), (-25, 17), (z + 4, z + 8))
    labels = spine.masks().vertebrae.copy()
    labels[ndimage.binary_dilation(lump) & (labels == 0)] = VertebraLevel.L3.number
    volume = spine.volume(spine.fill("L3"), lump, way, hu=cement_hu)
    masks = SpineMasks(spine.grid, labels, canal=spine.masks().canal)
    anatomy = describe_anatomy(masks, Criteria())
    read = read_scan(volume, masks, anatomy, Criteria())
    limits = Criteria().cement, Criteria().outline
    freed, _ = free_swallowed_cement(volume, masks, anatomy, read, labels, labels, *limits)
    assert (freed.vertebrae == 0)[lump].mean() == pytest.approx(share, abs=0.1)
