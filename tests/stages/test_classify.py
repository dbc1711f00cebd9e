"""The rules on measured values alone: what tells veins, defects, breaches and tracks apart, and how sure they are."""

from __future__ import annotations

import numpy as np
import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.criteria import Criteria
from leakseg.findings import LeakCandidate, LeakRoute, LeakSubtype, LeakType, Side
from leakseg.geometry import Grid
from leakseg.stages.classify import RuleClassifier

STRAND = {"elongation": 8.0, "width_mm": 2.5, "behind_wall_fraction": 0.0, "waist_fraction": 1.0}
LUMP = {"elongation": 1.6, "width_mm": 2.5, "behind_wall_fraction": 0.0, "waist_fraction": 1.0, "body_angle_deg": 20.0}
WAIST_EXIT = {"exit_area_mm2": 4.0, "exit_breadth_ratio": 0.9, "exit_height_fraction": 0.5}
BROAD_EXIT = {"exit_area_mm2": 40.0, "exit_breadth_ratio": 2.0, "exit_height_fraction": 0.5}
IN_CANAL = {"canal_fraction": 1.0, "front_half_fraction": 1.0, "middle_third_fraction": 0.1, "left_third_fraction": 0.9}


def judged(place, *measured, **more):
    features = {"coarsest_spacing_mm": 1.0}
    for values in (*measured, more):
        features |= values
    candidate = LeakCandidate(
        id=1,
        component=1,
        place=place,
        level=VertebraLevel.L3,
        segment="L3",
        side=Side.LEFT,
        exiting_root=None,
        features=features,
        hu=np.zeros((1, 1, 1), np.int16),
        mask=np.ones((1, 1, 1), bool),
        grid=Grid((1, 1, 1), np.diag([-1.0, -1.0, 1.0, 1.0])),
    )
    return RuleClassifier().classify(candidate)


@pytest.mark.parametrize(
    ("measured", "subtype"),
    [
        (
            {"lengthwise_fraction": 0.9, "body_angle_deg": 20.0, "body_radius_ratio": 1.15},
            LeakSubtype.ANTERIOR_EXTERNAL,
        ),
        ({"lengthwise_fraction": 0.6, "body_angle_deg": 26.0, "body_radius_ratio": 1.75}, LeakSubtype.CAVAL),
        (
            {
                "lengthwise_fraction": 0.6,
                "body_angle_deg": 98.0,
                "body_radius_ratio": 1.15,
                "span_lengthwise_mm": 14.0,
            },
            LeakSubtype.ASCENDING_LUMBAR,
        ),
        (
            {"lengthwise_fraction": 0.4, "body_angle_deg": 82.0, "body_radius_ratio": 1.1, "span_lengthwise_mm": 8.0},
            LeakSubtype.SEGMENTAL,
        ),
    ],
)
def test_a_vein_is_named_by_its_course(measured, subtype):
    told = judged("outside", STRAND, WAIST_EXIT, measured)
    assert (told.type, told.subtype, told.route) == (LeakType.VENOUS, subtype, LeakRoute.SEGMENTAL)


def test_a_short_piece_is_a_vein_where_it_leaves_the_bone_no_broader_than_it_is():
    course = {"lengthwise_fraction": 0.9, "body_radius_ratio": 1.1}
    assert judged("outside", LUMP, WAIST_EXIT, course).type == LeakType.VENOUS
    assert judged("outside", LUMP, BROAD_EXIT, course).subtype == LeakSubtype.SOFT_TISSUE
    assert judged("outside", LUMP, WAIST_EXIT, course, width_mm=6.0).subtype == LeakSubtype.SOFT_TISSUE


def test_cement_behind_the_wall_is_a_track_and_beside_a_canal_mask_that_leaves_it_out_epidural():
    behind = {"elongation": 1.5, "width_mm": 2.5, "behind_wall_fraction": 1.0, "distance_to_canal_mm": 7.0}
    track = judged("outside", behind, WAIST_EXIT, medial_of_pedicle_share=0.0)
    assert (track.subtype, track.route) == (LeakSubtype.NEEDLE_TRACK, LeakRoute.NEEDLE)
    left_out = judged("outside", behind, IN_CANAL, BROAD_EXIT, medial_of_pedicle_share=1.0, distance_to_canal_mm=0.5)
    assert left_out.type == LeakType.EPIDURAL
    assert left_out.confidence < Criteria().review.min_confidence


@pytest.mark.parametrize(
    ("leak_exit", "beside_mm", "route"),
    [
        (WAIST_EXIT, 1.0, LeakRoute.BASIVERTEBRAL),
        (BROAD_EXIT, 1.0, LeakRoute.CORTICAL),
        (WAIST_EXIT, 9.0, LeakRoute.CORTICAL),
        (BROAD_EXIT | {"exit_voxels": 2.0}, 1.0, LeakRoute.BASIVERTEBRAL),  # of 4.5 mm
    ],
)
def test_the_basivertebral_vein_is_a_narrow_exit_near_the_midline(leak_exit, beside_mm, route):
    told = judged("canal", IN_CANAL, leak_exit, exit_beside_mm=beside_mm, exit_behind_wall_mm=0.5)
    assert (told.subtype, told.route) == (LeakSubtype.PARACENTRAL, route)


def test_a_breached_pedicle_lies_behind_the_wall():
    wall = {"exit_medial_of_pedicle_mm": 1.5, "exit_pedicle_height_fraction": 0.4, "exit_beside_mm": 9.0}
    told = judged("canal", IN_CANAL, BROAD_EXIT, wall, exit_behind_wall_mm=4.0)
    assert (told.subtype, told.route) == (LeakSubtype.PEDICLE_BREACH, LeakRoute.CORTICAL)
    assert judged("canal", IN_CANAL, BROAD_EXIT, wall, exit_behind_wall_mm=1.6).subtype == LeakSubtype.PARACENTRAL
    loose = {"behind_wall_mm": 3.9, "pedicle_height_share": 1.0, "lateral_third_fraction": 0.9}
    assert judged("canal", IN_CANAL, loose).subtype == LeakSubtype.PEDICLE_BREACH
    assert judged("canal", IN_CANAL, loose).route is None


@pytest.mark.parametrize(("elongation", "route"), [(3.5, LeakRoute.SEGMENTAL), (1.8, LeakRoute.CORTICAL)])
def test_a_strand_in_the_foramen_came_by_a_vein(elongation, route):
    told = judged("foramen", WAIST_EXIT, foramen_fraction=1.0, elongation=elongation)
    assert (told.type, told.route) == (LeakType.FORAMINAL, route)


@pytest.mark.parametrize(
    ("leak_exit", "route"),
    [
        (WAIST_EXIT | {"exit_height_fraction": -0.1}, LeakRoute.SEGMENTAL),  # a crushed body's waist is its endplate
        (BROAD_EXIT | {"exit_breadth_ratio": 1.1}, LeakRoute.SEGMENTAL),
        (BROAD_EXIT, LeakRoute.CORTICAL),
    ],
)
def test_a_vein_came_by_a_vein_unless_it_left_by_a_hole_broader_than_itself(leak_exit, route):
    told = judged("outside", STRAND, leak_exit, lengthwise_fraction=0.4, body_angle_deg=80.0, body_radius_ratio=1.1)
    assert (told.type, told.route) == (LeakType.VENOUS, route)


def test_confidence_falls_near_borders_without_contact_and_on_coarse_voxels():
    sure = judged("disc", WAIST_EXIT, disc_fraction=1.0).confidence
    assert sure > 0.95
    assert judged("disc", WAIST_EXIT, disc_fraction=0.6).confidence < sure
    assert judged("disc", disc_fraction=1.0).confidence < sure
    assert judged("disc", WAIST_EXIT, disc_fraction=1.0, coarsest_spacing_mm=5.0).confidence < 0.9
    doubtful = judged("disc", disc_fraction=0.5, coarsest_spacing_mm=3.0)
    assert doubtful.confidence < Criteria().review.min_confidence


def test_a_short_thick_strand_is_a_lump_and_a_long_one_as_thick_the_caval_vein():
    short = judged("paravertebral", LUMP, elongation=3.9, width_mm=5.7)
    assert (short.type, short.subtype) == (LeakType.PARAVERTEBRAL, LeakSubtype.SOFT_TISSUE)
    assert judged("paravertebral", LUMP, elongation=9.0, width_mm=5.2).type == LeakType.VENOUS
    assert judged("paravertebral", LUMP, elongation=3.9, width_mm=4.0).type == LeakType.VENOUS
