"""Volumes by formula against a fine raster; distances that are what they say."""

import numpy as np
import pytest

from leakseg.geometry import Grid
from leakseg.phantom.body import VertebralBody
from leakseg.phantom.raster import coarsen, cover, fine_grid, points_of, refine
from leakseg.phantom.solids import Blend, Brick, Common, Cut, Ellipsoid, Tube, ball, roughen

TURNED = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]


def raster_mm3(solid, step_mm):
    low, high = solid.box()
    shape = tuple(int(n) for n in np.ceil((high - low) / step_mm)[::-1] + 4)
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, ::-1] * step_mm
    affine[:3, 3] = np.floor(low / step_mm - 1) * step_mm
    grid = Grid(shape, affine)
    return float(cover(solid.distance_mm(points_of(grid)), grid).sum(dtype=np.float64)) * grid.voxel_volume_mm3


@pytest.mark.parametrize(
    ("solid", "volume_mm3"),
    [
        (ball(np.array([1.3, -2.1, 40.2]), 4.0), 4 / 3 * np.pi * 64),
        (ball(np.array([0.1, 0.2, 0.3]), 1.7), 4 / 3 * np.pi * 1.7**3),
        (Ellipsoid(np.zeros(3), (8.0, 5.0, 3.0), TURNED), 4 / 3 * np.pi * 120),
        (Tube(np.array([[0.0, 0, 0], [3, 12, 7]]), np.array([1.5, 1.5])), np.pi * 2.25 * np.sqrt(202) + 4.5 * np.pi),
        (Brick(np.array([0.3, 0.1, 0.7]), (6.0, 4.0, 3.0), np.eye(3)), 8 * 72),
    ],
)
def test_raster_keeps_the_volume_within_one_percent(solid, volume_mm3):
    assert raster_mm3(solid, 0.25) == pytest.approx(volume_mm3, rel=0.01)
    if hasattr(solid, "volume_mm3"):
        assert solid.volume_mm3 == pytest.approx(volume_mm3)


@pytest.mark.parametrize(
    "body",
    [
        VertebralBody(np.array([1.0, 2.0, 3.0]), TURNED, 44.0, 34.0, 25.0, 0.0, 0.0),
        VertebralBody(np.zeros(3), TURNED, 44.0, 34.0, 25.0, 0.0, 1.8),
        VertebralBody(np.zeros(3), np.eye(3)[::-1], 30.0, 28.0, 18.0, 0.0, 1.8, front_loss_mm=7.0),
    ],
)
def test_bodies_keep_the_volume_of_their_formula(body):
    assert raster_mm3(body, 0.3) == pytest.approx(body.volume_mm3, rel=0.01)


def test_a_widened_tube_stays_in_its_box():
    flat = Tube(np.array([[0.0, 0, 0], [10.0, 0, 0]]), np.array([2.0, 2.0]), np.array([0.0, 0, 1]), 0.25)
    points = np.random.default_rng(8).uniform(-14, 24, (40000, 3))
    inside = points[flat.distance_mm(points) < 0]
    low, high = flat.box()
    assert ((inside > low) & (inside < high)).all()
    assert np.ptp(inside[:, 2]) > 14.0


def test_small_shapes_keep_their_volume_at_the_truth_s_step():
    """A leak of 20 mm3 sampled at 0.5 mm, wherever it lies against the grid."""
    centres = np.random.default_rng(0).uniform(0, 1, (20, 3))
    volumes = [raster_mm3(ball(centre, 1.684), 0.5) for centre in centres]
    assert np.mean(volumes) == pytest.approx(20.0, rel=0.01)
    assert np.abs(np.array(volumes) / 20.0 - 1).max() < 0.02


def test_set_operations():
    one, other = ball(np.zeros(3), 3.0), ball(np.array([2.0, 0, 0]), 3.0)
    points = np.random.default_rng(1).uniform(-6, 6, (4000, 3))
    a, b = one.distance_mm(points) < 0, other.distance_mm(points) < 0
    assert np.array_equal(Blend((one, other)).distance_mm(points) < 0, a | b)
    assert np.array_equal(Common(one, other).distance_mm(points) < 0, a & b)
    assert np.array_equal(Cut(one, other).distance_mm(points) < 0, a & (b <= 0))


def test_rough_solid_stays_in_its_box():
    solid = roughen(ball(np.zeros(3), 4.0), 1.0, 5.0, np.random.default_rng(2))
    points = np.random.default_rng(3).uniform(-12, 12, (20000, 3))
    inside = points[solid.distance_mm(points) < 0]
    low, high = solid.box()
    assert len(inside)
    assert ((inside > low) & (inside < high)).all()


def test_fine_grid_divides_voxels_exactly():
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 0.8], [0, 0.8, 0], [2.5, 0, 0]])
    affine[:3, 3] = [5, -7, 30]
    grid = Grid((4, 6, 5), affine)
    fine, factors = fine_grid(grid, 0.5)
    assert factors == (5, 2, 2)
    values = np.random.default_rng(4).random(grid.shape, dtype=np.float32)
    assert np.allclose(coarsen(refine(values, factors), factors), values)
    parts = fine.to_patient(np.stack(np.meshgrid(*(range(n) for n in factors), indexing="ij"), -1).reshape(-1, 3))
    assert np.allclose(parts.mean(axis=0), grid.to_patient([0, 0, 0]))
