"""Painted cement in the spine of boxes: found, measured and classified as its place and shape say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from leakseg.analysis import analyse
from leakseg.anatomy import Place, SpineMasks, VertebraLevel
from leakseg.criteria import Criteria
from leakseg.errors import AnatomyError
from leakseg.findings import LeakRoute, LeakSubtype, LeakType, Side
from leakseg.geometry import Grid, canonical
from leakseg.pieces import OUTSIDE, CementMap
from leakseg.stages.classify import RuleClassifier
from leakseg.stages.densities import read_densities, search_window
from leakseg.stages.features import describe_part
from leakseg.stages.measure import exiting_root, measure_part
from leakseg.stages.parts import split_by_place
from leakseg.tracing import describe_anatomy
from leakseg.volume import Volume

WALL_Y = -8.0
LEAKED_HU = 900


def run(spine, *cement, **options):
    return analyse(spine.volume(*cement, **options), spine.masks(), Criteria(), RuleClassifier())


def z(spine, level="L3"):
    return spine.middle_z(level)


def wall_channel(spine, level="L3"):
    """Through the posterior wall at mid-height, as the basivertebral vein runs."""
    return spine.box((-1.5, 1.5), (WALL_Y - 12, WALL_Y + 1), (z(spine, level) - 1.5, z(spine, level) + 1.5))


def epidural(spine, x=(1.0, 7.0)):
    return spine.box(x, (WALL_Y, WALL_Y + 4), (z(spine) - 8, z(spine) + 8))


def test_no_cement_no_leak(spine):
    found = run(spine)
    assert found.leaks == ()
    assert found.cement.total_volume_mm3 == 0
    assert found.cement.threshold_hu is None
    assert not any(level.treated for level in found.levels)


def test_dense_matter_in_the_canal_is_told_where_no_vertebra_holds_cement(spine):
    """The cemented vertebra may lie beyond the scan: no leak is told, but nor is the finding passed over."""
    found = run(spine, epidural(spine))
    assert found.leaks == ()
    (told,) = [note for note in found.notes if note.code == "dense_matter_unexplained"]
    assert float(told.message.split(" mm3")[0]) == pytest.approx(float(epidural(spine).sum()), rel=0.1)
    assert found.needs_review
    assert "dense_matter_unexplained" not in [note.code for note in run(spine).notes]


def test_matter_in_a_disc_denser_than_any_bone_is_told_where_no_vertebra_holds_cement(spine):
    """Beside thick sections' endplates, a vertebra with little cement is not recognised, its disc leak is seen."""
    below = (spine.middle_z("L3") + spine.middle_z("L4")) / 2
    disc = spine.box((-6, 6), (WALL_Y - 20, WALL_Y - 8), (below - 2, below + 2))
    (told,) = [note for note in run(spine, disc).notes if note.code == "dense_matter_unexplained"]
    assert "a disc" in told.message
    beside = np.hypot(spine.points[..., 0] - 14.0, spine.points[..., 2] - spine.middle_z("L2") - 6.0)
    screw = (beside <= 2.75) & (np.abs(spine.points[..., 1] - WALL_Y) <= 20.0)
    held = run(spine, disc, other=((screw, 8000),))
    assert held.cement.metal_volume_mm3 > 0
    assert "dense_matter_unexplained" in [note.code for note in held.notes]


def test_cement_that_lies_nowhere_deep_is_found_where_it_is_denser_than_any_bone(spine):
    """A thin layer under the endplate: nowhere 5 mm deep."""
    top = z(spine) + 12.0
    layer = spine.box((-10, 10), (WALL_Y - 20, WALL_Y - 8), (top - 4, top - 1))
    assert [level.level.value for level in run(spine, layer).levels if level.treated] == ["L3"]
    as_dense_as_bone = run(spine, layer, hu=750)
    assert not any(level.treated for level in as_dense_as_bone.levels)


def test_many_dense_pieces_that_are_no_cement_are_told_the_nearest_one_by_one_and_the_rest_together(spine):
    """Where cement is no denser than bone ribs look like it, and a dozen warnings hide the one that counts."""
    ribs = [
        spine.box((x, x + 5), (y, y + 5), (z(spine) - 10, z(spine) + 10)) for x in (26, 33) for y in (-36, -27, -18)
    ]
    shells = [(rib & ~ndimage.binary_erosion(rib), 1700) for rib in ribs] + [
        (ndimage.binary_erosion(rib), 700) for rib in ribs
    ]
    found = run(spine, spine.fill("L3"), other=tuple(shells))
    notes = [note.message for note in found.notes if note.code == "dense_piece_not_cement"]
    assert len(notes) == 4
    assert "2 more of this kind" in notes[-1]


def test_a_lump_denser_than_bone_beyond_the_reach_of_leaks_is_told(spine):
    """Cement in the flank, however it came there; what is no denser than bone lies there by right."""
    lump = spine.box((22, 29), (-24, -17), (z(spine, "L2") - 4, z(spine, "L2") + 4))
    for hu, times in ((1700, 1), (800, 0)):
        found = run(spine, spine.fill("L3"), hu=1700, other=((lump, hu),))
        assert found.leaks == ()
        told = [note.message for note in found.notes if note.code == "dense_piece_not_cement"]
        assert len(told) == times
        assert all(float(message.split(", ")[3].split(" mm")[0]) > 25 for message in told)


def test_a_small_deep_piece_far_less_dense_than_cortex_is_marrow(spine):
    """In sharpened scans marrow at the pedicles' roots passes the density that cement is sought from."""
    bone = spine.masks().vertebrae > 0
    cortex = (bone & ~ndimage.binary_erosion(bone), 1100)
    small = spine.box((-3, 3), (WALL_Y - 18, WALL_Y - 12), (z(spine, "L2") - 3, z(spine, "L2") + 3))
    for hu, cemented in ((800, ["L3"]), (1000, ["L2", "L3"])):
        found = run(spine, spine.fill("L3"), hu=1250, other=(cortex, (small, hu)))
        assert [level.level.value for level in found.levels if level.cement_volume_mm3] == cemented


def test_few_deep_voxels_of_3_mm_are_cement_where_they_are_plainly_denser_than_cortex(thick_spine):
    """A fingertip of cement fills half a dozen of them, and marrow that a sharp kernel brightens no more."""
    middle = np.argwhere(thick_spine.fill("L3", 3.0))[0]
    few = np.zeros(thick_spine.grid.shape, bool)
    few[middle[0], middle[1] : middle[1] + 2, middle[2] : middle[2] + 3] = True
    tips = [thick_spine.box((-3, 1), (WALL_Y + 27, 99), (z(thick_spine, at), 99)) for at in ("L2", "L3", "L4")]
    dense = np.logical_or.reduce(tips) & (thick_spine.masks().vertebrae > 0)  # some bone is as dense as the cement
    for hu, cemented in ((1000, ["L3"]), (790, [])):
        found = run(thick_spine, few, hu=hu, other=((dense, 1000),))
        assert [level.level.value for level in found.levels if level.cement_volume_mm3] == cemented


def test_bone_without_a_mask_beside_the_canal_below_the_last_whole_vertebra_is_no_leak(spine):
    """The sacrum's lamina, where masks hold a part of its body: nothing rings the canal there but bone."""
    masks = spine.masks()
    labels = masks.vertebrae.copy()
    labels[(labels == VertebraLevel.L4.number) & (spine.points[..., 1] > WALL_Y)] = 0
    lamina = spine.box((-9, -6), (WALL_Y + 2, 6), (0.0, z(spine, "L4") + 2))
    volume = spine.volume(spine.fill("L3"), other=((lamina, 1500),))
    found = analyse(volume, SpineMasks(spine.grid, labels, canal=masks.canal), Criteria(), RuleClassifier())
    assert found.leaks == ()


def test_cement_inside_bone_is_no_leak(spine):
    found = run(spine, spine.fill("L3"))
    assert found.leaks == ()
    assert [level.level.value for level in found.levels if level.treated] == ["L3"]
    true_mm3 = float(spine.fill("L3").sum())
    level = next(level for level in found.levels if level.treated)
    assert level.cement_volume_mm3 == pytest.approx(true_mm3, rel=0.05)
    assert level.fill_fraction == pytest.approx(true_mm3 / (40 * 30 * 24), rel=0.1)


def test_cement_behind_an_intact_wall_is_no_leak(spine):
    close = spine.box((-6, 6), (WALL_Y - 14, WALL_Y - 1), (z(spine) - 6, z(spine) + 6))
    assert run(spine, close).leaks == ()


def test_epidural_leak_with_all_its_measures(spine):
    leak_mask = epidural(spine)
    found = run(spine, spine.fill("L3"), wall_channel(spine), leak_mask)
    (leak,) = found.leaks
    assert (leak.type, leak.level.value, leak.segment, leak.side) == (LeakType.EPIDURAL, "L3", "L3", Side.LEFT)
    assert leak.route == LeakRoute.BASIVERTEBRAL
    assert leak.subtype == LeakSubtype.PARACENTRAL
    assert leak.volume_mm3 == pytest.approx(float(leak_mask.sum()), rel=0.1)
    assert leak.canal_encroachment_fraction == pytest.approx(24 / 320, abs=0.02)
    assert leak.max_sagittal_diameter_mm == pytest.approx(4.0, abs=1.0)
    assert leak.distance_to_canal_mm == 0.0
    assert leak.exiting_root is None
    assert leak.foraminal_occupation_fraction is None
    assert leak.evidence
    level = next(level for level in found.levels if level.level == VertebraLevel.L3)
    assert level.canal_encroachment_fraction == pytest.approx(leak.canal_encroachment_fraction, abs=1e-6)
    assert found.cement.leaked_volume_mm3 == pytest.approx(leak.volume_mm3, rel=0.02)
    assert (found.leak_labels.labels > 0).sum() == pytest.approx(leak_mask.sum(), rel=0.15)


@pytest.mark.parametrize("sac_hu", [420, 650])
def test_an_epidural_leak_beside_a_sac_full_of_contrast_is_found(spine, sac_hu):
    """A myelogram: the sac is denser than what cement may hang together with, or than strands are followed down to."""
    sac = spine.box((-10, 10), (WALL_Y, WALL_Y + 16), (-1, 1e3)) & (spine.masks().vertebrae == 0)
    leak_mask = epidural(spine)
    (leak,) = run(spine, spine.fill("L3"), wall_channel(spine), leak_mask, other=((sac, sac_hu),)).leaks
    assert (leak.type, leak.level.value) == (LeakType.EPIDURAL, "L3")
    assert leak.volume_mm3 == pytest.approx(float(leak_mask.sum()), rel=0.35)


@pytest.mark.parametrize(
    ("x", "side", "subtype"),
    [
        ((-7.0, -1.0), Side.RIGHT, LeakSubtype.PARACENTRAL),
        ((-2.5, 2.5), Side.MIDLINE, LeakSubtype.CENTRAL),
        ((-9.0, 9.0), Side.BILATERAL, LeakSubtype.CENTRAL),
    ],
)
def test_side_and_subtype_in_the_canal(spine, x, side, subtype):
    (leak,) = run(spine, spine.fill("L3"), wall_channel(spine), epidural(spine, x)).leaks
    assert leak.side == side
    if side != Side.BILATERAL:
        assert leak.subtype == subtype


@pytest.mark.parametrize(("sign", "side"), [(1, Side.LEFT), (-1, Side.RIGHT)])
def test_foraminal_leak(spine, sign, side):
    x = sorted((sign * 11.5, sign * 16.5))
    leak_mask = spine.box(tuple(x), (WALL_Y, WALL_Y + 6), (z(spine) - 14, z(spine) - 6))
    (leak,) = run(spine, spine.fill("L3"), leak_mask).leaks
    assert (leak.type, leak.segment, leak.exiting_root, leak.side) == (LeakType.FORAMINAL, "L3/L4", "L3", side)
    assert leak.level == VertebraLevel.L3
    assert 0 < leak.foraminal_occupation_fraction < 1
    assert leak.canal_encroachment_fraction is None


def test_a_leak_under_the_last_pedicle_that_the_masks_hold_is_foraminal(two_levels):
    spine = two_levels
    leak_mask = spine.box((11.5, 16.5), (WALL_Y, WALL_Y + 5), (z(spine) - 12, z(spine) - 4))
    (leak,) = run(spine, spine.fill("L3"), leak_mask).leaks
    assert (leak.type, leak.segment, leak.exiting_root) == (LeakType.FORAMINAL, "L3/L4", "L3")
    assert leak.foraminal_occupation_fraction is None


def test_a_leak_beyond_the_last_pedicle_is_one_where_facets_mostly_end_foramina_and_a_little_behind(two_levels):
    """No facet of the vertebra that the masks lack tells where such a foramen ends."""
    spine = two_levels
    leak_mask = spine.box((11.5, 16.5), (WALL_Y + 2, WALL_Y + 13), (z(spine) - 12, z(spine) - 4))
    (leak,) = run(spine, spine.fill("L3"), leak_mask).leaks
    assert (leak.type, leak.segment) == (LeakType.FORAMINAL, "L3/L4")


def test_a_foramen_reaches_up_to_the_pedicle_where_the_mask_beside_it_reaches_lower(spine):
    free = spine.box((13, 17), (WALL_Y + 1, WALL_Y + 5), (z(spine) - 2, z(spine)))
    lower = spine.box((10, 18), (WALL_Y, WALL_Y + 16), (z(spine) - 2, z(spine))) & ~free
    labels = spine.masks().vertebrae.copy()
    labels[lower] = VertebraLevel.L3.number
    anatomy = describe_anatomy(SpineMasks(spine.grid, labels, canal=spine.masks().canal), Criteria())
    assert anatomy.vertebra(VertebraLevel.L3).pedicles["left"].s_bottom_mm < z(spine) - 1
    for voxels, place in ((free, Place.FORAMEN), (spine.ball((14, -4, z(spine) + 4), 1.5), Place.OUTSIDE)):
        points = spine.grid.to_patient(np.argwhere(voxels))
        assert (anatomy.lattice.lookup(anatomy.place, anatomy.axis.to_canal(points)) == place).all()


def test_intradiscal_leak(spine):
    through = spine.box((-3, 3), (WALL_Y - 18, WALL_Y - 12), (z(spine) - 14, z(spine)))
    pool = spine.box((-8, 8), (WALL_Y - 22, WALL_Y - 8), (z(spine) - 19, z(spine) - 14))
    (leak,) = run(spine, spine.fill("L3"), through, pool).leaks
    assert (leak.type, leak.route, leak.segment) == (LeakType.INTRADISCAL, LeakRoute.DISC, "L3/L4")


@pytest.mark.parametrize(("deep_mm", "half_mm", "told"), [(2, 8, True), (6, 8, False), (2, 1, False)])
def test_a_leak_that_lies_flat_on_an_endplate_is_told_to_be_within_the_masks_play(spine, deep_mm, half_mm, told):
    """Cement up to the endplate, and 2 or 6 mm into the disc over all of it or through a hole."""
    bottom = z(spine) - 12
    filled = spine.box((-8, 8), (WALL_Y - 24, WALL_Y - 8), (bottom + (0 if half_mm > 1 else 3), bottom + 14))
    hole = spine.box((-half_mm, half_mm), (WALL_Y - 16 - half_mm, WALL_Y - 16 + half_mm), (bottom - 1, bottom + 4))
    disc = spine.box((-8, 8), (WALL_Y - 24, WALL_Y - 8), (bottom - deep_mm, bottom))
    found = run(spine, filled, hole, disc)
    (leak,) = found.leaks
    assert leak.type == LeakType.INTRADISCAL
    assert ("leak_at_endplate" in {note.code for note in found.notes}) == told


def test_the_midline_of_a_disc_runs_from_one_bodys_middle_to_the_others(spine):
    edge, below = spine.body_half_width_mm, z(spine, "L4")
    wider = spine.box((edge, edge + 8), (WALL_Y - 30, WALL_Y), (below - 12, below + 12))
    labels = spine.masks().vertebrae.copy()
    labels[wider] = VertebraLevel.L4.number
    through = spine.box((3, 6), (WALL_Y - 18, WALL_Y - 12), (z(spine) - 16, z(spine)))
    pool = spine.box((1, 10), (WALL_Y - 22, WALL_Y - 8), (z(spine) - 21, z(spine) - 16))
    volume = spine.volume(spine.fill("L3"), through, pool, other=((wider, 150),))
    masks = SpineMasks(spine.grid, labels, canal=spine.masks().canal)
    (leak,) = analyse(volume, masks, Criteria(), RuleClassifier()).leaks
    assert (leak.type, leak.side) == (LeakType.INTRADISCAL, Side.LEFT)


def test_segmental_vein_and_soft_tissue_lump(spine):
    edge = spine.body_half_width_mm
    vein = spine.box((edge - 12, edge + 1.5), (WALL_Y - 16, WALL_Y - 14), (z(spine) - 1, z(spine) + 1))
    vein |= spine.box((edge + 0.5, edge + 3), (WALL_Y - 28, WALL_Y - 8), (z(spine) - 1.2, z(spine) + 1.2))
    (leak,) = run(spine, spine.fill("L3"), vein).leaks
    assert (leak.type, leak.subtype, leak.side) == (LeakType.VENOUS, LeakSubtype.SEGMENTAL, Side.LEFT)
    lump = spine.ball((edge + 7.0, WALL_Y - 15, z(spine)), 7.0)
    (leak,) = run(spine, spine.fill("L3", 11.0), lump).leaks
    assert (leak.type, leak.subtype) == (LeakType.PARAVERTEBRAL, LeakSubtype.SOFT_TISSUE)


def test_a_vein_that_crosses_a_rib_without_a_mask_is_found_and_the_rib_is_not(spine):
    edge = spine.body_half_width_mm
    vein = spine.box((edge - 12, edge + 2), (WALL_Y - 16, WALL_Y - 13), (z(spine) - 1.5, z(spine) + 1.5))
    vein |= spine.box((edge + 1, edge + 4), (WALL_Y - 28, WALL_Y - 8), (z(spine) - 1.5, z(spine) + 1.5))
    rib = spine.box((edge + 3, edge + 30), (WALL_Y - 14, WALL_Y - 4), (z(spine) - 5, z(spine) + 5))
    assert run(spine, spine.fill("L3"), other=((rib, 650),)).leaks == ()
    found = run(spine, spine.fill("L3"), vein, other=((rib, 650),))
    (leak,) = found.leaks
    assert (leak.type, leak.subtype) == (LeakType.VENOUS, LeakSubtype.SEGMENTAL)
    told = found.leak_labels.labels > 0
    assert told.sum() == pytest.approx((vein & (spine.masks().vertebrae == 0)).sum(), rel=0.2)
    assert not told[rib & ~vein & spine.box((edge + 7, 99), (-99, 99), (0, 999))].any()


def test_a_faint_strand_on_the_bone_is_a_vein_where_a_channel_leads_to_it(spine):
    edge = spine.body_half_width_mm
    vein = spine.box((edge, edge + 2), (WALL_Y - 28, WALL_Y - 8), (z(spine) - 1, z(spine) + 1)), 950
    channel = spine.box((6, edge - 1), (WALL_Y - 17, WALL_Y - 15), (z(spine) - 1, z(spine) + 1)), 800
    fill = spine.fill("L3", 8.0)
    assert run(spine, fill, other=(vein,)).leaks == ()
    (plain,) = run(spine, fill, other=((vein[0], 1150),)).leaks  # denser than any bone
    assert plain.type == LeakType.VENOUS
    (leak,) = run(spine, fill, other=(channel, vein)).leaks
    assert (leak.type, leak.route, leak.side) == (LeakType.VENOUS, LeakRoute.SEGMENTAL, Side.LEFT)


def test_thick_slices_blur_a_vein_to_hardly_more_than_cortex_and_a_channel_tells_it(coarse_spine):
    edge = coarse_spine.body_half_width_mm
    one = (z(coarse_spine) - 1.5, z(coarse_spine) + 1.5)
    vein = coarse_spine.box((edge + 1, edge + 3), (WALL_Y - 28, WALL_Y - 8), one), 760
    channel = coarse_spine.box((5, edge - 2), (WALL_Y - 17, WALL_Y - 15), one), 640
    fill = coarse_spine.fill("L3", 8.0)
    assert run(coarse_spine, fill, other=(vein,)).leaks == ()
    (leak,) = run(coarse_spine, fill, other=(channel, vein)).leaks
    assert (leak.type, leak.route, leak.side) == (LeakType.VENOUS, LeakRoute.SEGMENTAL, Side.LEFT)
    as_bone = vein[0], 660
    assert run(coarse_spine, fill, other=(channel, as_bone)).leaks == ()


def features_beside_the_body(spine, fractions):
    """Of each part what classifiers see, where voxels beside L3's body are cement to these fractions."""
    masks = spine.masks()
    anatomy = describe_anatomy(masks, Criteria())
    middle = np.rint(spine.grid.to_index(np.array([spine.body_half_width_mm + 6, WALL_Y - 15, z(spine)]))).astype(int)
    fraction = np.zeros(spine.grid.shape, np.float32)
    for step, share in fractions.items():
        fraction[tuple(middle + step)] = share
    labels = np.where(fraction >= 0.25, OUTSIDE, 0).astype(np.uint8)
    window = tuple(slice(0, size) for size in spine.grid.shape)
    cement = CementMap(
        window, spine.grid, labels, fraction, np.zeros_like(fraction), 1800.0, 40.0, 900.0, "half", contact_mm=8.0
    )
    volume, treated = spine.volume(), (VertebraLevel.L3,)
    parts = split_by_place(cement, anatomy, Criteria().leaks)
    return [
        describe_part(
            part,
            measure_part(part, cement, anatomy, masks, volume, treated, Criteria().leaks),
            cement,
            anatomy,
            masks,
        )
        for part in parts
    ]


def test_thick_voxels_that_a_thin_strand_fills_in_part_are_one_long_piece(thick_spine):
    spine = thick_spine
    strand = {(0, -2, 0): 0.4, (0, -1, 0): 0.16, (0, 0, 1): 0.2, (1, 1, 1): 0.4, (1, 2, 1): 0.2}
    (found,) = features_beside_the_body(spine, strand)
    assert found["elongation"] > 4
    (piece,) = features_beside_the_body(spine, {step: share for step, share in strand.items() if step[1] > -1})
    assert piece["elongation"] > 2.5
    lump = {(0, 0, 0): 0.6} | {tuple(way * unit): 0.2 for unit in np.eye(3, dtype=int) for way in (1, -1)}
    (found,) = features_beside_the_body(spine, lump)
    assert found["elongation"] < 2


def test_a_needles_track_behind_the_arch_is_found_and_a_plaque_as_far_before_the_body_is_not(spine):
    track = spine.box((12, 14.5), (17, 29), (z(spine) + 2, z(spine) + 5))
    (leak,) = run(spine, spine.fill("L3"), track).leaks
    assert (leak.type, leak.subtype, leak.side) == (LeakType.PARAVERTEBRAL, LeakSubtype.NEEDLE_TRACK, Side.LEFT)
    before = spine.box((12, 14.5), (WALL_Y - 33, WALL_Y - 31), (z(spine, "L4") - 10, z(spine, "L4") - 4))
    assert run(spine, spine.fill("L3"), before).leaks == ()


def test_a_disc_ends_where_one_of_its_bodies_does_at_the_back(spine):
    masks = spine.masks()
    low, corner = z(spine) - 12, (WALL_Y - 4, WALL_Y)
    labels = masks.vertebrae.copy()
    labels[spine.box((8, 21), corner, (low - 1, low + 11)) & (labels == VertebraLevel.L3.number)] = 0
    found = describe_anatomy(SpineMasks(masks.grid, labels, canal=masks.canal), Criteria())
    behind, between = np.array([[15.5, WALL_Y - 3.4, low - 5.0], [15.5, WALL_Y - 8.0, low - 5.0]])
    place = [int(found.lattice.lookup(found.place, found.axis.to_canal(point[None]))[0]) for point in (behind, between)]
    assert place == [Place.FORAMEN, Place.DISC]


def test_one_piece_in_two_places_is_two_leaks_of_one_component(spine):
    low = z(spine) - 14
    canal_part = spine.box((0, 10), (WALL_Y, WALL_Y + 6), (low, low + 8))
    foramen_part = spine.box((10, 16), (WALL_Y, WALL_Y + 6), (low, low + 8))
    leaks = run(spine, spine.fill("L3"), wall_channel(spine), canal_part, foramen_part).leaks
    assert {leak.type for leak in leaks} == {LeakType.EPIDURAL, LeakType.FORAMINAL}
    assert len({leak.component for leak in leaks}) == 1


def test_small_pieces_count_as_leaked_volume_but_are_no_leaks(spine):
    tiny = spine.box((-1, 1), (WALL_Y - 12, WALL_Y + 2), (z(spine) - 1, z(spine) + 1))
    found = run(spine, spine.fill("L3"), tiny)
    assert found.leaks == ()


def test_cement_that_bridges_two_treated_levels_goes_to_the_larger_contact(spine):
    pool = spine.box((-6, 6), (WALL_Y - 20, WALL_Y - 10), (z(spine) - 22, z(spine) - 12))
    wide = spine.box((-6, 6), (WALL_Y - 20, WALL_Y - 10), (z(spine) - 14, z(spine)))
    narrow = spine.box((-2, 2), (WALL_Y - 16, WALL_Y - 12), (z(spine, "L4"), z(spine) - 20))
    found = run(spine, spine.fill("L3"), spine.fill("L4"), pool, wide, narrow)
    (leak,) = found.leaks
    assert leak.level == VertebraLevel.L3
    assert "bridged_levels" in {note.code for note in found.notes}


def test_cement_of_a_neighbour_some_millimetres_away_is_no_contact(spine):
    """A leak at the upper end of L3, which it touches by a stalk; L2 holds more cement within the rim's reach."""
    bottom, top = z(spine, "L2") - 12, z(spine, "L3") + 12
    stalk = spine.box((-1, 1), (-24, -22), (top - 6, top + 1))
    lump = spine.box((-5, 5), (-28, -18), (top + 1, bottom - 1))
    above = spine.box((-15, 15), (-34, -12), (bottom + 3, bottom + 18))
    below = spine.box((-15, 15), (-34, -12), (top - 18, top - 5))
    (leak,) = run(spine, above, below, stalk, lump).leaks
    assert leak.level == VertebraLevel.L3


def test_two_veins_that_run_side_by_side_are_two_leaks_where_each_left_the_bone_by_itself(fine_spine):
    spine = fine_spine
    edge = spine.body_half_width_mm
    front, rear = (
        spine.box((0, edge + 3), (y, y + 2), (z(spine) - 1, z(spine) + 1)) for y in (WALL_Y - 22, WALL_Y - 12)
    )
    along = spine.box((edge + 1, edge + 3), (WALL_Y - 28, WALL_Y - 16.7), (z(spine) - 1, z(spine) + 1))
    behind = spine.box((edge + 1, edge + 3), (WALL_Y - 16.1, WALL_Y - 8), (z(spine) - 1, z(spine) + 1))
    assert len(run(spine, spine.fill("L3"), front, rear, along, behind).leaks) == 2
    assert len(run(spine, spine.fill("L3"), front, along, behind).leaks) == 1


def test_two_drops_with_a_gap_of_two_millimetres_are_two_leaks(spine):
    lower = spine.box((2, 7), (WALL_Y, WALL_Y + 4), (z(spine) - 8, z(spine) - 1))
    upper = spine.box((2, 7), (WALL_Y, WALL_Y + 4), (z(spine) + 1, z(spine) + 8))
    assert len(run(spine, spine.fill("L3"), lower, upper).leaks) == 2


def test_a_drop_behind_an_untreated_level_comes_from_the_nearest_treated_one(spine):
    drop = spine.ball((0.0, -3.0, z(spine, "L2") - 2), 3.0)
    found = run(spine, spine.fill("L3"), drop)
    (leak,) = found.leaks
    assert (leak.type, leak.level.value, leak.segment) == (LeakType.EPIDURAL, "L3", "L2")
    assert "detached_leak" in {note.code for note in found.notes}


def test_a_straight_rod_is_metal_and_no_leak(spine):
    rod = spine.box((12.5, 15.5), (-30, 25), (z(spine) + 4, z(spine) + 7))
    found = run(spine, spine.fill("L3"), other=((rod, 3071),))
    assert found.cement.metal_volume_mm3 > 200
    assert found.leaks == ()
    assert "metal" in {note.code for note in found.notes}


def test_screws_in_the_neighbours_are_no_cortex(spine):
    """Cortex is read from untreated vertebrae, and those hold the screws."""
    masks, criteria = spine.masks(), Criteria()
    screws = np.isin(masks.vertebrae, [VertebraLevel.L2.number, VertebraLevel.L4.number])
    screws &= spine.box((-99, 99), (WALL_Y - 8, 99), (-99, 999))
    volume = spine.volume(spine.fill("L3"), other=((screws, 3071),))
    window = search_window(masks, criteria.cement.search_margin_mm)
    anatomy = describe_anatomy(masks, criteria)
    read = read_densities(volume, masks, anatomy, window, screws[window], criteria.cement)
    assert read.cortex == pytest.approx(700, abs=50)


def test_unlabelled_bone_and_calcification_are_no_leaks(spine):
    plaque = spine.box((-4, 4), (-50, -48), (z(spine) - 10, z(spine) + 10))
    found = run(spine, spine.fill("L3"), other=((plaque, LEAKED_HU),))
    assert found.leaks == ()


def test_a_plaque_that_a_faint_bridge_joins_to_a_leak_is_none(spine):
    front = WALL_Y - 30
    out = spine.box((-2, 2), (front - 1, front + 10), (z(spine) - 2, z(spine) + 2))
    lump = spine.box((-5, 5), (front - 8, front - 1), (z(spine) - 5, z(spine) + 5))
    plaque = spine.box((12, 24), (front - 7, front - 5), (z(spine) - 5, z(spine) + 5)), 850
    bridge = spine.box((5, 12), (front - 6, front - 5), (z(spine) - 1, z(spine) + 1)), 640
    found = run(spine, spine.fill("L3"), out, lump, other=(plaque, bridge))
    (leak,) = found.leaks
    assert leak.volume_mm3 == pytest.approx(float(((out | lump) & (spine.masks().vertebrae == 0)).sum()), rel=0.1)
    assert not (found.leak_labels.labels > 0)[plaque[0]].any()


def test_a_distant_piece_is_told(spine):
    drop = spine.ball((30.0, -54.0, z(spine)), 3.0)
    found = run(spine, spine.fill("L3"), drop)
    assert found.leaks == ()
    assert [note.code for note in found.notes if note.severity == "warning"] == ["distant_dense_object"]
    assert found.needs_review


def test_thick_slices_are_told(coarse_spine):
    found = run(coarse_spine, coarse_spine.fill("L3"))
    assert "slice_thickness" in {note.code for note in found.notes}


def test_what_blur_spreads_of_a_small_leak_is_counted(spine):
    drop = spine.ball((0.0, 0.0, spine.middle_z("L3")), 3.0)
    sharp = spine.volume(spine.fill("L3"), drop)
    blurred = Volume(spine.grid, ndimage.gaussian_filter(sharp.hu.astype(float), 1.0).astype(np.int16))
    (leak,) = analyse(blurred, spine.masks(), Criteria(), RuleClassifier()).leaks
    assert leak.volume_mm3 == pytest.approx(float(drop.sum()), rel=0.1)


@pytest.mark.parametrize("hu", [1100, 1400, 2600, 3071])
def test_the_threshold_follows_the_cement(spine, hu):
    leak_mask = epidural(spine)
    (leak,) = run(spine, spine.fill("L3"), wall_channel(spine), leak_mask, hu=hu).leaks
    assert leak.type == LeakType.EPIDURAL
    assert leak.volume_mm3 == pytest.approx(float(leak_mask.sum()), rel=0.12)


@pytest.mark.parametrize(
    ("upper", "lower", "root"),
    [("L1", "L2", "L1"), ("L5", "S1", "L5"), ("C5", "C6", "C6"), ("C7", "T1", "C8"), ("T12", "L1", "T12")],
)
def test_exiting_roots(upper, lower, root):
    assert exiting_root(VertebraLevel(upper), VertebraLevel(lower)) == root


def test_the_same_input_gives_the_same_answer(spine):
    first = run(spine, spine.fill("L3"), wall_channel(spine), epidural(spine))
    second = run(spine, spine.fill("L3"), wall_channel(spine), epidural(spine))
    assert first.leaks == second.leaks
    assert np.array_equal(first.leak_labels.labels, second.leak_labels.labels)


@pytest.mark.parametrize("turn_deg", [90, 180, 270])
def test_a_header_that_turns_the_patient_is_refused(spine, turn_deg):
    """A prone scan under a supine header: a wrong side told as sure would be the gravest error."""
    angle = np.deg2rad(turn_deg)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    volume, masks = spine.volume(spine.fill("L3")), spine.masks()
    grid, hu = canonical(Grid(spine.grid.shape, turn @ spine.grid.affine), volume.hu)
    _, labels = canonical(Grid(spine.grid.shape, turn @ spine.grid.affine), masks.vertebrae)
    _, tube = canonical(Grid(spine.grid.shape, turn @ spine.grid.affine), masks.canal)
    turned = SpineMasks(grid, labels.copy(), canal=tube.copy())
    with pytest.raises(AnatomyError, match="left and right cannot be trusted"):
        analyse(Volume(grid, hu.copy()), turned, Criteria(), RuleClassifier())
