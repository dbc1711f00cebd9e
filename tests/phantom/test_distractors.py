"""Every distractor is there, where anatomy has it, as dense as it should be, and leaves the rest alone."""

from dataclasses import fields, replace

import numpy as np
import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.findings import LeakSubtype, LeakType, Side
from leakseg.phantom.cohort import Wanted, implant_cohort
from leakseg.phantom.distractors import KINDS, add_distractors, draw_distractors
from leakseg.phantom.implant import implant_on
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.own_scanner import look_of
from leakseg.phantom.plan import FillPlan, ImplantPlan, LeakPlan
from leakseg.phantom.recipe import DistractorRecipe, PhantomRecipe, ScannerRecipe

L3 = VertebraLevel.L3
LOOK = ScannerLook(psf_sigma_mm=0.6, clip_hu=None)
CONTRAST = {"arterial_contrast", "caval_contrast", "epidural_contrast"}
"""Those whose densities are under 400 HU."""


def scene_of(scan, kind, seed=3, look=LOOK):
    volume, masks, ground = scan
    return add_distractors(volume, masks, ground.survey, (kind,), (L3,), look, np.random.default_rng(seed))


def suv(scan, where):
    volume, _masks, ground = scan
    return ground.survey.line.to_suv(volume.grid.to_patient(np.argwhere(where)))


def drawn_on(scan, scene, least=60.0):
    added = scene.volume.hu - scan[0].hu
    if scene.metal_hu is not None:
        added = np.maximum(added, scene.metal_hu - scan[0].hu)
    return added > least


def test_a_recipe_names_every_kind():
    assert {field.name for field in fields(DistractorRecipe)} == set(KINDS)


def test_none_is_drawn_by_default():
    assert draw_distractors(DistractorRecipe(), np.random.default_rng(1)) == ()


def test_kinds_come_as_often_as_asked():
    rng = np.random.default_rng(2)
    drawn = [draw_distractors(DistractorRecipe(clips=0.3, table=1.0), rng) for _ in range(400)]
    assert all("table" in kinds for kinds in drawn)
    assert sum("clips" in kinds for kinds in drawn) == pytest.approx(120, abs=30)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {"kidneys", "table", "bowel_contrast"}])
def test_each_is_seen_and_stays_in_its_densities(made_scan, kind):
    scene = scene_of(made_scan, kind)
    new = drawn_on(made_scan, scene)
    assert new.sum() * made_scan[0].grid.voxel_volume_mm3 > 20
    assert scene.kinds == (kind,)
    if kind in {"screws_and_rods", "augmented_screws", "clips"}:
        assert scene.metal_hu[new].max() > 3071
    else:
        assert scene.metal_hu is None
        peak = np.percentile(scene.volume.hu[new], 99)
        assert 120 < peak < (450 if kind in CONTRAST else 1600)


@pytest.mark.parametrize("kind", ["kidneys", "table", "bowel_contrast"])
def test_far_ones_are_seen_in_a_wide_field_only(made_scan, kind):
    scene = scene_of(made_scan, kind)
    assert scene.volume.hu.shape == made_scan[0].hu.shape
    assert scene.metal_hu is None


def test_vessels_lie_on_their_own_side(made_scan):
    _volume, _masks, ground = made_scan
    front = min(frame.front_u_mm for frame in ground.survey.vertebrae.values())
    for kind, sign in (("arterial_contrast", 1.0), ("caval_contrast", -1.0)):
        for seed in range(3):
            at = suv(made_scan, drawn_on(made_scan, scene_of(made_scan, kind, seed)))
            assert sign * at[:, 2].mean() > 3.0
            assert at[:, 1].mean() < front + 2.0


def test_the_canals_contrast_stays_in_the_canal(made_scan):
    _volume, masks, _ground = made_scan
    for kind in ("intrathecal_contrast", "epidural_contrast"):
        new = drawn_on(made_scan, scene_of(made_scan, kind))
        assert masks.canal[new].mean() > 0.85
        assert (masks.vertebrae[new] > 0).mean() < 0.15


def test_islands_lie_in_bone(made_scan):
    new = drawn_on(made_scan, scene_of(made_scan, "bone_islands"), least=200.0)
    assert (made_scan[1].vertebrae[new] > 0).mean() > 0.85


def test_masks_hold_some_osteophytes_and_miss_others(made_scan):
    _volume, masks, _ground = made_scan
    grown = [(scene_of(made_scan, "osteophytes", seed).masks.vertebrae > 0).sum() for seed in range(12)]
    before = (masks.vertebrae > 0).sum()
    assert min(grown) == before
    assert max(grown) > before


def test_screws_pass_pedicles_of_untreated_levels(made_scan):
    _volume, masks, _ground = made_scan
    new = drawn_on(made_scan, scene_of(made_scan, "screws_and_rods"), least=2500.0)
    bone = masks.vertebrae[new]
    assert {VertebraLevel.L2.number, VertebraLevel.L4.number} <= set(np.unique(bone))
    assert (bone == L3.number).mean() < 0.02
    assert masks.canal[new].mean() < 0.02
    at = suv(made_scan, new)
    assert (at[:, 2] > 5).any()
    assert (at[:, 2] < -5).any()


def test_augmented_screws_reach_a_treated_level(made_scan):
    new = drawn_on(made_scan, scene_of(made_scan, "augmented_screws"), least=2500.0)
    assert L3.number in np.unique(made_scan[1].vertebrae[new])


def test_iodine_is_brighter_at_a_low_voltage(made_scan):
    new = drawn_on(made_scan, scene_of(made_scan, "arterial_contrast"))
    low, high = (
        np.median(scene_of(made_scan, "arterial_contrast", look=replace(LOOK, kvp=kvp)).volume.hu[new])
        for kvp in (80.0, 140.0)
    )
    assert low > 1.5 * high


def test_metal_lies_over_cement_is_clipped_and_throws_streaks(made_scan):
    _volume, masks, ground = made_scan
    look = replace(LOOK, clip_hu=3071.0, streak_strength=1.0)
    scene = scene_of(made_scan, "augmented_screws", look=look)
    plan = ImplantPlan(fills=(FillPlan(level=L3),))
    bare = implant_on(made_scan[0], masks, ground, plan, np.random.default_rng(5), scanner=look)
    made = implant_on(
        scene.volume, scene.masks, ground, plan, np.random.default_rng(5), scanner=look, metal_hu=scene.metal_hu
    )
    assert made.volume.hu.max() == 3071
    assert np.median(made.volume.hu[scene.metal_hu > 6000]) == 3071
    assert made.cement == bare.cement
    assert np.array_equal(made.cement_labels, bare.cement_labels)
    apart = (made.volume.hu - bare.volume.hu)[(scene.metal_hu < -1000) & (bare.cement_labels == 0)]
    assert apart.min() < -100


def test_no_leak_is_where_metal_is(made_scan):
    """Screws fill the pedicles behind which a needle leaves cement: it lies round them, as much as was asked for."""
    _volume, masks, ground = made_scan
    scene = scene_of(made_scan, "augmented_screws")
    lost = LeakPlan(level=L3, type=LeakType.PARAVERTEBRAL, subtype=LeakSubtype.NEEDLE_TRACK, side=Side.LEFT)
    plan = ImplantPlan(fills=(FillPlan(level=L3),), leaks=(replace(lost, volume_mm3=150.0, form="flow"),))
    at_metal = {}
    for known, site in ((False, ground), (True, replace(ground, metal=scene.metal))):
        made = implant_on(scene.volume, masks, site, plan, np.random.default_rng(8), metal_hu=scene.metal_hu)
        assert made.leaks[0].volume_mm3 == pytest.approx(150.0, rel=0.1)
        at_metal[known] = np.count_nonzero((made.leak_labels == 1) & scene.metal) / np.count_nonzero(made.leak_labels)
    assert at_metal[False] > 0.2
    assert at_metal[True] < 0.02


def test_a_scan_tells_its_own_blur_and_noise(made_scan):
    volume, masks, _ground = made_scan
    look = look_of(volume, masks)
    assert look.psf_sigma_mm == pytest.approx(0.6, rel=0.25)
    assert look.noise_hu == pytest.approx(15.0, rel=0.35)
    assert look.increment_mm == pytest.approx(1.0)


def test_an_implanted_cohort_takes_a_recipes_distractors_and_streaks(made_scan):
    volume, masks, _ground = made_scan
    recipe = PhantomRecipe(
        scanner=ScannerRecipe(streak_strength=(0.5, 1.0)), distractors=DistractorRecipe(screws_and_rods=1.0)
    )
    made = [
        next(iter(implant_cohort(volume, masks, [Wanted(L3, None, None)], 4, recipe=given)))
        for given in (None, recipe, recipe)
    ]
    plain, spoiled, again = (one.phantom for one in made)
    assert plain.origin["distractors"] == []
    assert spoiled.origin["distractors"] == ["screws_and_rods"]
    assert 0.5 <= spoiled.origin["scanner"]["streak_strength"] <= 1.0
    assert (spoiled.volume.hu == 3071).sum() > (plain.volume.hu == 3071).sum() + 1000
    assert np.array_equal(spoiled.volume.hu, again.volume.hu)


def test_real_scans_take_them_too(verse005):
    from leakseg.phantom.survey import survey

    volume, masks = verse005
    look = look_of(volume, masks)
    kinds = tuple(KINDS)
    scene = add_distractors(volume, masks, survey(masks), kinds, (L3,), look, np.random.default_rng(1))
    assert scene.metal_hu.max() > 3071
    assert (scene.metal_hu > 3071).sum() < 0.02 * volume.hu.size
