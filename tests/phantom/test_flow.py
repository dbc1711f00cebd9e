"""Cement that flows: every kind by every route, its volume, its places, its bridges; what a recipe draws."""

from dataclasses import replace

import numpy as np
import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.errors import AnatomyError, ConfigError
from leakseg.findings import LeakRoute, LeakSubtype, LeakType, Side
from leakseg.phantom.casting import cast
from leakseg.phantom.cement_plan import VOLUMES_MM3, draw_cement
from leakseg.phantom.density import cement_hu
from leakseg.phantom.implant import FINE_STEP_MM, implant_on
from leakseg.phantom.plan import PLANNABLE, FillPlan, ImplantPlan, LeakPlan
from leakseg.phantom.recipe import CementRecipe, LeakRecipe
from leakseg.phantom.survey import CANAL, FORAMEN

L3, L4 = VertebraLevel.L3, VertebraLevel.L4
ROUTED = [(kind, subtype, route) for (kind, subtype), routes in PLANNABLE.items() for route in routes]


def side_for(kind, subtype):
    if subtype is LeakSubtype.CENTRAL:
        return Side.MIDLINE
    return None if kind is LeakType.INTRADISCAL else Side.RIGHT


def flow(kind, subtype=None, side=None, **more):
    return LeakPlan(level=L3, type=kind, subtype=subtype, side=side, form="flow", **more)


ONE = (FillPlan(level=L3),)


def made(scan, *leaks, seed=1, fills=ONE):
    volume, masks, ground = scan
    return implant_on(volume, masks, ground, ImplantPlan(fills=fills, leaks=leaks), np.random.default_rng(seed))


@pytest.mark.parametrize(("kind", "subtype", "route"), ROUTED, ids=str)
def test_each_route_of_each_kind_reaches_its_volume_where_it_belongs(made_scan, kind, subtype, route):
    wanted = 120.0
    side = side_for(kind, subtype)
    (leak,) = made(made_scan, flow(kind, subtype, side, route=route, volume_mm3=wanted)).leaks
    assert (leak.type, leak.subtype, leak.route, leak.level) == (kind, subtype, route, L3)
    assert leak.volume_mm3 == pytest.approx(wanted, rel=0.1)
    assert leak.fraction_in_place >= 0.9
    assert leak.connected
    assert side is None or leak.side is side


@pytest.mark.parametrize(
    ("kind", "subtype", "wanted"),
    [
        (LeakType.VENOUS, LeakSubtype.SEGMENTAL, 12.0),
        (LeakType.EPIDURAL, LeakSubtype.CENTRAL, 900.0),
        (LeakType.VENOUS, LeakSubtype.CAVAL, 800.0),
        (LeakType.INTRADISCAL, None, 2500.0),
    ],
    ids=str,
)
def test_small_and_great_volumes_are_reached(made_scan, kind, subtype, wanted):
    (leak,) = made(made_scan, flow(kind, subtype, side_for(kind, subtype), volume_mm3=wanted)).leaks
    assert leak.volume_mm3 == pytest.approx(wanted, rel=0.1)


def test_truth_volume_is_that_of_finer_sampling(made_scan):
    """The vein's cover fractions at 0.5 mm and at half that: the same solid, within 1 %."""
    from leakseg.phantom.raster import cover, fine_grid, points_of
    from leakseg.phantom.veins import Vessel, strand

    grid = made_scan[0].grid
    centre = grid.to_patient(np.array(grid.shape) / 2)
    stops = centre + np.array([[0, 0, 0], [4, 3, 8], [2, 8, 15], [-3, 9, 22]], dtype=float)
    vein = Vessel.of([strand(stops, 1.3, 0.7, np.random.default_rng(2))])
    middle = np.round(grid.to_index(centre + np.array([0, 5, 11]))).astype(int)
    window = tuple(slice(at - 25, at + 25) for at in middle)
    volumes = []
    for step in (0.5, 0.2):
        fine, _ = fine_grid(grid.crop(window), step)
        volumes.append(float(cover(vein.distance_mm(points_of(fine)), fine).sum()) * fine.voxel_volume_mm3)
    assert volumes[0] == pytest.approx(volumes[1], rel=0.01)


def test_a_vein_is_thin_long_and_bent(made_scan):
    """Of 1 to 4 mm, far longer than thick, and not along a straight line."""
    _, _, ground = made_scan
    plan = flow(LeakType.VENOUS, LeakSubtype.SEGMENTAL, Side.LEFT, volume_mm3=150.0)
    block = cast(
        ground, ImplantPlan(fills=(FillPlan(level=L3),), leaks=(plan,)), FINE_STEP_MM, np.random.default_rng(4)
    )[0]
    import edt

    solid = block.leaks[0].cover > 0.5
    depth = edt.edt(solid, anisotropy=block.grid.spacing_mm)
    assert 0.4 < depth.max() < 2.2
    points = block.grid.to_patient(np.argwhere(solid))
    spread = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[1] / np.sqrt(len(points))
    extent = np.ptp(points @ np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][0])
    assert extent > 8 * depth.max()
    assert spread[1] > 0.1 * spread[0]


def test_one_piece_in_canal_and_foramen_is_two_leaks_cut_by_place(made_scan):
    import cc3d

    volume, _masks, ground = made_scan
    plan = flow(LeakType.EPIDURAL, LeakSubtype.PARACENTRAL, Side.LEFT, volume_mm3=500.0, into_foramen=True)
    phantom = made(made_scan, plan)
    epidural, foraminal = phantom.leaks
    assert (epidural.type, foraminal.type) == (LeakType.EPIDURAL, LeakType.FORAMINAL)
    assert epidural.component == foraminal.component
    assert foraminal.segment == "L3/L4"
    assert foraminal.canal_encroachment_fraction is None
    assert epidural.volume_mm3 + foraminal.volume_mm3 == pytest.approx(500.0, rel=0.1)
    assert cc3d.connected_components(phantom.leak_labels > 0, connectivity=26).max() == 1
    for number, place, share in ((1, CANAL, 0.85), (2, FORAMEN, 0.6)):
        points = volume.grid.to_patient(np.argwhere(phantom.leak_labels == number))
        suv = ground.survey.line.to_suv(points)
        assert np.mean(ground.survey.lookup(ground.survey.place, suv) == place) > share, place


def test_a_bridge_hangs_on_both_levels_and_comes_from_the_larger_contact(made_scan):
    import cc3d

    plan = flow(LeakType.INTRADISCAL, volume_mm3=600.0, bridges=True, below=True)
    phantom = made(made_scan, plan, fills=(FillPlan(level=L3), FillPlan(level=L4)))
    (leak,) = phantom.leaks
    assert (leak.level, leak.segment) == (L3, "L3/L4")
    pieces = cc3d.connected_components(phantom.cement_labels > 0, connectivity=26)
    assert pieces.max() == 1
    apart = made(made_scan, replace(plan, bridges=False), fills=(FillPlan(level=L3), FillPlan(level=L4)))
    assert cc3d.connected_components(apart.cement_labels > 0, connectivity=26).max() == 2
    with pytest.raises(AnatomyError, match="needs cement in the neighbour"):
        made(made_scan, plan)


def test_several_leaks_keep_apart(made_scan):
    import cc3d

    phantom = made(
        made_scan,
        flow(LeakType.EPIDURAL, LeakSubtype.PARACENTRAL, Side.LEFT, volume_mm3=150.0),
        flow(LeakType.VENOUS, LeakSubtype.SEGMENTAL, Side.RIGHT, volume_mm3=80.0),
        flow(LeakType.INTRADISCAL, volume_mm3=200.0, below=False),
        flow(LeakType.PARAVERTEBRAL, LeakSubtype.NEEDLE_TRACK, Side.LEFT, volume_mm3=60.0, detached=True),
        seed=6,
    )
    assert [leak.connected for leak in phantom.leaks] == [True, True, True, False]
    assert len({leak.component for leak in phantom.leaks}) == 4
    assert cc3d.connected_components(phantom.leak_labels > 0, connectivity=26).max() >= 4


@pytest.mark.parametrize("pattern", ["unilateral", "bilateral", "cleft"])
def test_patterns_fill_the_body_to_the_volume(made_scan, pattern):
    fill = FillPlan(
        level=L3,
        volume_mm3=6000.0 if pattern == "bilateral" else 2000.0,
        pattern=pattern,
        lean="left" if pattern == "unilateral" else "none",
        edge="diffuse",
        bubbles=6,
        clump_fraction=0.15,
    )
    _, masks, ground = made_scan
    phantom = made(made_scan, fills=(fill,))
    assert phantom.leaks == ()
    assert phantom.cement.inside_volume_mm3 == pytest.approx(fill.volume_mm3, rel=0.03)
    suv = ground.survey.line.to_suv(masks.grid.to_patient(np.argwhere(phantom.cement_labels == 1)))
    left = np.mean(suv[:, 2] > ground.survey.vertebrae[L3].middle_v_mm)
    assert left > 0.85 if pattern == "unilateral" else 0.3 < left < 0.7


def test_density_falls_with_kvp_and_rises_with_content():
    heights = [cement_hu("barium_sulfate", 30.0, kvp) for kvp in (80.0, 100.0, 120.0, 140.0)]
    assert heights == sorted(heights, reverse=True)
    assert heights[2] == pytest.approx(2350.0)
    assert cement_hu("barium_sulfate", 20.0) < heights[2]
    assert cement_hu("zirconium_dioxide", 30.0) < heights[2]
    with pytest.raises(ConfigError, match="does not exist"):
        cement_hu("barium_sulfate", 90.0)


def test_what_is_drawn_covers_every_kind_route_and_side():
    recipe = CementRecipe(form="flow", opacifiers=("barium_sulfate", "zirconium_dioxide"))
    rng = np.random.default_rng(1)
    seen, sides, volumes = set(), set(), []
    for _ in range(300):
        for kind in LeakType:
            if kind is LeakType.UNDETERMINED:
                continue
            drawn = draw_cement(recipe, (L3, L4), (LeakRecipe(level=L3, type=kind),), rng, kvp=100.0)
            (leak,) = drawn.leaks
            seen.add((leak.type, leak.subtype, leak.route))
            sides.add(leak.side)
            low, high = VOLUMES_MM3[leak.type, leak.subtype]
            assert low <= leak.volume_mm3 <= high
            volumes.append(leak.volume_mm3)
    assert seen == set(ROUTED)
    assert sides >= {Side.LEFT, Side.RIGHT, Side.MIDLINE, Side.BILATERAL}
    assert min(volumes) < 20
    assert max(volumes) > 1500


def test_a_drawn_leak_keeps_what_is_named():
    recipe = CementRecipe(form="flow", detached_fraction=0.0)
    for seed in range(20):
        wanted = LeakRecipe(level=L3, type=LeakType.VENOUS, side=Side.LEFT, volume_mm3=700.0)
        (leak,) = draw_cement(recipe, (L3,), (wanted,), np.random.default_rng(seed)).leaks
        assert leak.side is Side.LEFT
        assert leak.subtype is LeakSubtype.ANTERIOR_EXTERNAL, "the only vein on the left that holds as much"
        assert leak.volume_mm3 == 700.0
        assert leak.route is LeakRoute.SEGMENTAL


def test_a_caval_leak_runs_on_the_right():
    with pytest.raises(ConfigError, match="runs on the right"):
        flow(LeakType.VENOUS, LeakSubtype.CAVAL, Side.LEFT)
