"""The examiner's survey finds the spine that was built."""

from dataclasses import replace

import numpy as np
import pytest

from leakseg.phantom.morphometry import ENDPLATE_SINK_MM
from leakseg.phantom.survey import CANAL, DISC, FORAMEN, survey


def test_survey_finds_what_was_built(made_spine, made_scan):
    _volume, _masks, ground = made_scan
    found = ground.survey
    for pose in made_spine.poses:
        frame = found.vertebrae[pose.level]
        size = pose.size
        # the body lies on the outer side of the lordotic bend, where a step along the canal is longer
        bend = 1 + np.deg2rad(6.0) * (size.canal_depth_mm + size.body_depth_mm) / 2 / 33.0
        assert frame.height_mm == pytest.approx((size.body_height_mm - 2 * ENDPLATE_SINK_MM) / bend, abs=1.5)
        assert 2 * frame.half_width_mm == pytest.approx(size.body_width_mm * 0.93, abs=4.0)
        assert frame.wall_u_mm == pytest.approx(-size.canal_depth_mm / 2, abs=1.2)
        for pedicle in frame.pedicles.values():
            assert pedicle.medial_mm == pytest.approx(size.canal_width_mm / 2, abs=2.0)
            assert pedicle.lateral_mm == pytest.approx(size.canal_width_mm / 2 + size.pedicle_width_mm, abs=2.0)
            assert pedicle.top_mm - pedicle.bottom_mm == pytest.approx(size.pedicle_height_mm, abs=3.0)
        centre = found.line.to_suv(pose.origin[None])[0]
        assert np.abs(centre[1:]).max() < 1.0
    assert found.gaps == (("L2", "L3"), ("L3", "L4"))


def test_places_are_apart_and_symmetric(made_scan):
    found = made_scan[2].survey
    free = found.bone == 0
    volumes = {kind: int(((found.place == kind) & free).sum()) for kind in (CANAL, FORAMEN, DISC)}
    assert min(volumes.values()) > 1000
    foramen = (found.place == FORAMEN) & free
    half = foramen.shape[2] // 2
    left, right = foramen[:, :, half + 1 :].sum(), foramen[:, :, :half].sum()
    assert left == pytest.approx(right, rel=0.25)


def test_cord_alone_gives_a_canal_close_to_the_true_one(made_spine, made_scan):
    volume, masks, ground = made_scan
    points = volume.grid.to_patient(np.stack(np.indices(volume.grid.shape), -1))
    cord = made_spine.canal.line.to_suv(points)
    cord = np.hypot(cord[..., 1], cord[..., 2]) < 5.0
    rebuilt = survey(replace(masks, canal=None, cord=cord))
    areas = [found.canal.sum(axis=(1, 2)) * 0.75**2 for found in (ground.survey, rebuilt)]
    inner = [area[len(area) // 3 : -len(area) // 3] for area in areas]
    assert np.median(inner[1]) == pytest.approx(np.median(inner[0]), rel=0.15)


def test_canal_coordinates_round_trip(made_scan):
    line = made_scan[2].survey.line
    suv = np.random.default_rng(6).uniform([5, -40, -30], [line.length_mm - 5, 25, 30], (500, 3))
    assert np.abs(line.to_suv(line.to_patient(suv[:, 0], suv[:, 1], suv[:, 2])) - suv).max() < 0.05
    grid = made_scan[0].grid.crop((slice(10, 40), slice(20, 60), slice(30, 60)))
    points = grid.to_patient(np.stack(np.indices(grid.shape), -1))
    assert np.abs(line.suv_on(grid) - line.to_suv(points)).max() < 0.05
