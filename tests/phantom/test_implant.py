"""Implanted cement: every kind is made, lies where it claims, and its truth agrees with the masks."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.errors import AnatomyError, ConfigError, GeometryError
from leakseg.findings import LeakRoute, LeakSubtype, LeakType, Side
from leakseg.geometry import Grid
from leakseg.phantom.cohort import grid_of_cases, implant_cohort, treatable
from leakseg.phantom.implant import implant, implant_on
from leakseg.phantom.plan import PLANNABLE, FillPlan, ImplantPlan, LeakPlan
from leakseg.volume import Volume

L3 = VertebraLevel.L3
KINDS = sorted(PLANNABLE, key=str)


def plan_of(kind, subtype, side=None, **more):
    leak = LeakPlan(level=L3, type=kind, subtype=subtype, side=side, **more)
    return ImplantPlan(fills=(FillPlan(level=L3),), leaks=(leak,))


def side_for(kind, subtype):
    if subtype is LeakSubtype.CENTRAL:
        return Side.MIDLINE
    if subtype is LeakSubtype.CAVAL:
        return Side.RIGHT
    return None if kind is LeakType.INTRADISCAL else Side.LEFT


@pytest.mark.parametrize(("kind", "subtype"), KINDS, ids=str)
def test_every_kind_is_made_where_it_belongs(made_scan, kind, subtype):
    volume, masks, ground = made_scan
    made = implant_on(volume, masks, ground, plan_of(kind, subtype, side_for(kind, subtype)), np.random.default_rng(3))
    (leak,) = made.leaks
    assert (leak.type, leak.subtype, leak.level) == (kind, subtype, L3)
    assert leak.route in PLANNABLE[kind, subtype]
    assert leak.fraction_in_place >= 0.9
    assert leak.connected
    where = made.leak_labels == 1
    assert where.sum() * volume.grid.voxel_volume_mm3 == pytest.approx(leak.volume_mm3, rel=0.25)
    assert np.mean(masks.vertebrae[where] > 0) < 0.1
    middle = volume.grid.to_patient(np.argwhere(where)).mean(axis=0)
    assert np.abs(middle - leak.centroid_mm).max() < 1.0
    if leak.side is Side.LEFT and side_for(kind, subtype) is Side.LEFT:
        assert middle[0] > ground.survey.line.to_patient(np.array(ground.survey.vertebrae[L3].middle_mm), 0.0, 0.0)[0]
    in_canal = masks.canal[where].mean()
    if kind is LeakType.EPIDURAL:
        assert in_canal > 0.8
        assert 0 < leak.canal_encroachment_fraction < 0.6
    else:
        assert in_canal < 0.1
        assert leak.canal_encroachment_fraction is None
    assert leak.segment in ({"L3"} if kind not in {LeakType.FORAMINAL, LeakType.INTRADISCAL} else {"L2/L3", "L3/L4"})


def test_cement_is_bright_outside_and_the_rest_untouched(made_scan):
    volume, masks, ground = made_scan
    plan = plan_of(LeakType.PARAVERTEBRAL, LeakSubtype.SOFT_TISSUE, Side.RIGHT)
    made = implant_on(volume, masks, ground, plan, np.random.default_rng(5))
    core = made.leak_labels == 1
    assert np.percentile(made.volume.hu[core], 90) > 1400
    far = np.abs(volume.grid.to_patient(np.argwhere(made.cement_labels > 0))[:, 2]).max() + 6
    beyond = np.abs(volume.grid.to_patient(np.stack(np.indices(volume.grid.shape), -1))[..., 2]) > far
    assert np.array_equal(made.volume.hu[beyond], np.rint(volume.hu[beyond]))


@pytest.mark.parametrize("wanted", [40.0, 150.0, 300.0])
def test_a_wanted_volume_is_kept(made_scan, wanted):
    volume, masks, ground = made_scan
    size = {40.0: 0.75, 150.0: 1.0, 300.0: 1.35}[wanted]
    plan = plan_of(LeakType.PARAVERTEBRAL, LeakSubtype.SOFT_TISSUE, Side.LEFT, volume_mm3=wanted, size=size)
    made = implant_on(volume, masks, ground, plan, np.random.default_rng(9))
    assert made.leaks[0].volume_mm3 == pytest.approx(wanted, rel=0.03)


@pytest.mark.parametrize("reach", ["centre", "posterior_wall", "pedicle", "endplate"])
def test_controls_stay_in_the_bone(made_scan, reach):
    volume, masks, ground = made_scan
    plan = ImplantPlan(fills=(FillPlan(level=L3, volume_mm3=3000.0, reach=reach),))
    made = implant_on(volume, masks, ground, plan, np.random.default_rng(2))
    assert made.leaks == ()
    assert made.cement.leaked_volume_mm3 == 0
    assert made.cement.inside_volume_mm3 == pytest.approx(3000.0, rel=0.03)
    assert (masks.vertebrae[made.cement_labels > 0] == L3.number).all()


def test_detached_leak_touches_nothing_and_has_no_route(made_scan):
    import cc3d

    volume, masks, ground = made_scan
    plan = plan_of(LeakType.EPIDURAL, LeakSubtype.PARACENTRAL, Side.LEFT, detached=True)
    (leak,) = implant_on(volume, masks, ground, plan, np.random.default_rng(4)).leaks
    assert not leak.connected
    assert leak.route is None
    made = implant_on(volume, masks, ground, plan, np.random.default_rng(4))
    assert cc3d.connected_components(made.cement_labels > 0, connectivity=26).max() == 2


def test_same_seed_same_voxels_other_seed_other(made_scan):
    volume, masks, ground = made_scan
    plan = plan_of(LeakType.VENOUS, LeakSubtype.SEGMENTAL, Side.RIGHT)
    digests = [
        hashlib.sha256(implant_on(volume, masks, ground, plan, np.random.default_rng(seed)).volume.hu).hexdigest()
        for seed in (1, 1, 2)
    ]
    assert digests[0] == digests[1] != digests[2]


def test_what_cannot_be_is_told(made_scan):
    volume, masks, ground = made_scan
    with pytest.raises(ConfigError, match="needs cement inside L2"):
        ImplantPlan(
            fills=(FillPlan(level=L3),),
            leaks=(LeakPlan(level=VertebraLevel.L2, type=LeakType.FORAMINAL),),
        )
    with pytest.raises(ConfigError, match="no route B"):
        LeakPlan(level=L3, type=LeakType.FORAMINAL, route=LeakRoute.BASIVERTEBRAL)
    big = ImplantPlan(fills=(FillPlan(level=L3, volume_mm3=90000.0),))
    with pytest.raises(AnatomyError, match="no room"):
        implant_on(volume, masks, ground, big, np.random.default_rng(1))
    absent = ImplantPlan(fills=(FillPlan(level=VertebraLevel.T12),))
    with pytest.raises(AnatomyError, match="T12 is not seen"):
        implant_on(volume, masks, ground, absent, np.random.default_rng(1))
    moved = volume.grid.affine.copy()
    moved[0, 3] += 3.0
    elsewhere = Volume(Grid(volume.grid.shape, moved), volume.hu)
    with pytest.raises(GeometryError, match="another grid"):
        implant(elsewhere, masks, ImplantPlan(fills=(FillPlan(level=L3),)), np.random.default_rng(1))


def test_no_canal_and_no_cord_is_told(made_scan):
    volume, masks, _ground = made_scan
    bare = replace(masks, canal=None)
    with pytest.raises(AnatomyError, match="canal or cord"):
        implant(volume, bare, ImplantPlan(fills=(FillPlan(level=L3),)), np.random.default_rng(1))


def test_real_scan_takes_every_type_on_both_sides(verse005):
    volume, masks = verse005
    assert set(treatable(masks)) == {VertebraLevel.L2, L3, VertebraLevel.L4}
    cases = [
        case
        for case in grid_of_cases([L3], sides=(Side.LEFT, Side.RIGHT), controls_per_level=1)
        if case.side is not Side.RIGHT or case.type in {LeakType.EPIDURAL, LeakType.VENOUS}
    ]
    made = list(implant_cohort(volume, masks, cases, seed=77))
    assert len(made) == len(cases)
    for case, one in zip(cases, made, strict=True):
        phantom = one.phantom
        if case.type is None:
            assert phantom.leaks == ()
            continue
        (leak,) = phantom.leaks
        assert (leak.type, leak.level, leak.side) == (case.type, L3, case.side)
        assert leak.fraction_in_place >= 0.9
        assert np.mean(masks.vertebrae[phantom.leak_labels == 1] > 0) < 0.1
