"""Spines vary as a recipe asks, and the survey finds them whatever they are like."""

from dataclasses import replace

import numpy as np
import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.phantom.curves import natural_tilts
from leakseg.phantom.fracture import Fracture
from leakseg.phantom.lie import grid_for
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.recipe import SpineRecipe
from leakseg.phantom.render import TissueLook, render
from leakseg.phantom.ribs import RibShape
from leakseg.phantom.spine import SpineShape, build_spine, clefts_of
from leakseg.phantom.survey import CANAL, DISC, FORAMEN, survey
from leakseg.phantom.variety import draw_look, draw_shape, levels_in_view

LOOK = TissueLook(cancellous_hu=120.0, cortex_hu=800.0, cortex_mm=1.2)
SCANNER = ScannerLook(slice_mm=1.25, increment_mm=1.25, pixel_mm=1.0, field_mm=(130.0, 130.0), noise_hu=5.0)


def names(text):
    return tuple(VertebraLevel(name) for name in text.split())


def built(**shape):
    levels = names(shape.pop("levels"))
    spine = build_spine(SpineShape(levels=levels, tilts_deg=natural_tilts(levels, 30, 45), **shape))
    return spine, render(spine, grid_for(spine, SCANNER), LOOK, SCANNER, np.random.default_rng(1))


@pytest.fixture(scope="module")
def broken():
    return built(
        levels="T11 T12 L1 L2",
        fractures=(
            Fracture(level=VertebraLevel.T12, kind="wedge", loss=0.4, cleft="gas"),
            Fracture(level=VertebraLevel.L1, kind="crush", loss=0.35, retropulsion_mm=4.0),
        ),
    )


@pytest.mark.parametrize(
    "shape",
    [
        {"levels": "T5 T6 T7 T8", "ribs": RibShape()},
        {"levels": "T11 T12 T13 L1", "ribs": RibShape(last_mm=(50.0, 45.0))},
        {"levels": "L4 L5 S1", "fused": "left", "pelvis": True, "cut_mm": (6.0, 20.0)},
        {"levels": "L5 L6 S1", "leans_deg": (-5.0, 0.0, 5.0), "turns_deg": (0.0, 8.0, 0.0)},
    ],
)
def test_the_survey_finds_every_level_disc_and_foramen(shape):
    spine, rendered = built(**shape)
    found = survey(rendered.masks)
    assert [pose.level for pose in spine.poses] == sorted(found.vertebrae, key=lambda level: level.number)
    assert len(found.gaps) == len(spine.poses) - 1
    free = found.bone == 0
    assert (found.canal & (found.place == CANAL) & free).any()
    half = found.bone.shape[2] // 2
    for number in range(1, len(found.gaps) + 1):
        mine = (found.gap == number) & free
        assert (mine & (found.place == DISC)).sum() * 0.75**3 > 800
        for side in (slice(None, half), slice(half + 1, None)):
            assert (mine & (found.place == FORAMEN))[:, :, side].sum() * 0.75**3 > 100


def test_lordosis_faces_the_lower_endplates_forward_and_kyphosis_the_upper_ones():
    spine = build_spine(SpineShape(levels=names("L1 L2 L3 L4 L5"), lordosis_deg_per_level=8.0))
    upper, *_, lower = (pose.axes[0] for pose in spine.poses)
    assert lower[1] < -0.2 < 0.2 < upper[1]
    levels = names("T5 T6 T7 T8 T9 T10 T11 T12 L1 L2 L3 L4 L5 S1")
    tilts = dict(zip(levels, natural_tilts(levels, 40, 50), strict=True))
    assert tilts["T5"] - tilts["T12"] == pytest.approx(40)
    assert tilts["S1"] - tilts["L1"] == pytest.approx(50)


def test_broken_bodies_are_as_much_lower_as_they_are_said_to_be(broken):
    spine, rendered = broken
    healthy, wedge, crush = spine.poses[:3]
    assert (crush.top_mm - crush.bottom_mm) / crush.size.body_height_mm == pytest.approx(0.65)
    assert wedge.top_mm - wedge.bottom_mm == pytest.approx(wedge.size.body_height_mm)
    assert healthy.fracture is None
    grid, bone = rendered.masks.grid, rendered.masks.vertebrae

    def height_at(pose, u):
        rows = np.arange(-25.0, 25.0, 0.25)
        index = np.rint(grid.to_index(np.array([pose.at(s, u, 0.0) for s in rows]))).astype(int)
        return float((bone[tuple(index.T)] == pose.level.number).sum()) * 0.25

    wall = -wedge.size.canal_depth_mm / 2
    front, back = height_at(wedge, wall - 0.88 * wedge.size.body_depth_mm), height_at(wedge, wall - 3.0)
    assert front / back == pytest.approx(1 - 0.4 * 0.85, abs=0.1)
    assert [f.genant_grade for f in (wedge.fracture, crush.fracture)] == [3, 2]


def test_retropulsed_bone_is_bone_and_the_canal_is_still_the_canal(broken):
    _spine, rendered = broken
    masks = rendered.masks
    both = masks.canal & (masks.vertebrae == VertebraLevel.L1.number)
    assert 100 < both.sum() * masks.grid.voxel_volume_mm3 < 1500
    assert not (masks.canal & (masks.vertebrae == VertebraLevel.T12.number)).any()
    found = survey(masks)
    pushed = found.canal & (found.bone == VertebraLevel.L1.number)
    assert pushed.sum() * 0.75**3 == pytest.approx(both.sum() * masks.grid.voxel_volume_mm3, rel=0.1)


def test_a_cleft_is_a_hole_in_density_inside_the_bone(broken):
    spine, rendered = broken
    clefts = clefts_of(spine)
    assert set(clefts) == {VertebraLevel.T12}
    k, j, i = np.rint(rendered.masks.grid.to_index(clefts[VertebraLevel.T12].centre)).astype(int)
    assert rendered.hu[k, j, i] < -300
    assert rendered.masks.vertebrae[k, j, i] == VertebraLevel.T12.number


def test_ribs_touch_bodies_and_carry_no_label():
    with_ribs, without = (built(levels="T8 T9 T10", ribs=ribs) for ribs in (RibShape(), None))
    assert np.array_equal(with_ribs[1].masks.vertebrae, without[1].masks.vertebrae)
    more = with_ribs[1].hu - without[1].hu > 200
    assert more.sum() * with_ribs[1].masks.grid.voxel_volume_mm3 > 2000
    pose = with_ribs[0].poses[1]
    for sign in (1, -1):
        head = pose.at(pose.top_mm, -pose.size.canal_depth_mm / 2 - 3.5, sign * (pose.size.body_width_mm / 2 + 2.0))
        k, j, i = np.rint(with_ribs[1].masks.grid.to_index(head)).astype(int)
        assert more[k - 2 : k + 3, j - 2 : j + 3, i - 2 : i + 3].any()


def test_a_cropped_scan_cuts_the_outer_vertebrae():
    whole, cut = (built(levels="L1 L2 L3", cut_mm=ends)[1].masks for ends in (None, (-10.0, 6.0)))
    sizes = [np.count_nonzero(masks.vertebrae == VertebraLevel.L1.number) for masks in (whole, cut)]
    assert 0.1 * sizes[0] < sizes[1] < 0.9 * sizes[0]


def test_recipes_draw_the_same_spine_from_the_same_seed_and_all_variants_in_turn():
    recipe = SpineRecipe(
        curvature="natural", size_spread=0.05, fracture_share=0.5, other_fracture_share=0.1, t13_share=0.3,
        l6_share=0.3, sacralised_share=0.3, ribs=True, cropped_share=0.3, narrow_share=0.3, neighbours=(1, 3),
    )  # fmt: skip
    levels = names("T12 L1 L2 L3 L4 L5 S1")
    shapes = [draw_shape(recipe, levels, np.random.default_rng(seed), levels[1:3]) for seed in range(60)]
    assert shapes[7] == draw_shape(recipe, levels, np.random.default_rng(7), levels[1:3])
    assert {"T13", "L6"} <= {str(level) for shape in shapes for level in shape.levels}
    assert {shape.fused for shape in shapes} == {"none", "left", "right", "both"}
    assert {fracture.kind for shape in shapes for fracture in shape.fractures} == {"wedge", "biconcave", "crush"}
    assert any(shape.cut_mm for shape in shapes)
    assert any(shape.field_mm for shape in shapes)
    for shape in shapes:
        build_spine(shape)


def test_a_plain_recipe_leaves_the_generator_where_it_was():
    """Variants draw from a generator of their own, so that adding one does not change the others' draws."""
    rngs = [np.random.default_rng(3) for _ in range(2)]
    plain, varied = SpineRecipe(), SpineRecipe(curvature="natural", fracture_share=1.0, ribs=True)
    for rng, recipe in zip(rngs, (plain, varied), strict=True):
        draw_shape(recipe, names("L2 L3 L4"), rng, names("L3"))
        draw_look(replace(recipe, endplate_sclerosis_hu=(0.0, 200.0)), rng)
    assert rngs[0].random() == rngs[1].random()


@pytest.mark.parametrize(
    ("treated", "seen"), [("L5", "L4 L5 S1"), ("T6", "T5 T6 T7"), ("T13", "T12 T13 L1"), ("", "L2 L3 L4")]
)
def test_levels_in_view(treated, seen):
    assert levels_in_view(names(treated)) == names(seen)


@pytest.mark.parametrize("treated", ["S1", "T4"])
def test_levels_that_cannot_be_treated_are_refused(treated):
    with pytest.raises(ConfigError, match="choose among these"):
        levels_in_view(names(treated))


def test_levels_that_do_not_follow_one_another_are_refused():
    with pytest.raises(ConfigError, match="follow one another"):
        build_spine(SpineShape(levels=names("L1 L3")))
