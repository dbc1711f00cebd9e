"""The scanner spoils as it says: kernels, noise, slice profiles, streaks, motion."""

import numpy as np
import pytest

from leakseg.geometry import Grid
from leakseg.phantom.draw_scanner import draw_scanner
from leakseg.phantom.kernels import KERNELS
from leakseg.phantom.lie import grid_for
from leakseg.phantom.look import ScannerLook, noise_of
from leakseg.phantom.recipe import ScannerRecipe
from leakseg.phantom.scanner import moved, see, spoil, to_stored
from leakseg.phantom.streaks import streaks

NAMES = ("soft", "standard", "bone")


def grid_of(slice_mm=1.0, pixel_mm=0.25, shape=(5, 120, 120)):
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = slice_mm, pixel_mm, pixel_mm, 1.0
    return Grid(shape, affine)


def edge_profile(name):
    """An edge of 1000 HU across the columns, as the kernel shows it."""
    grid = grid_of()
    edge = np.zeros(grid.shape, np.float32)
    edge[:, :, 60:] = 1000.0
    kernel = ScannerLook(kernel_name=name).kernel
    return kernel.spread(edge, grid)[2, 60]


def test_only_the_bone_kernel_swings_over_an_edge():
    for name in ("gaussian", "soft", "standard"):
        assert edge_profile(name).max() <= 1000.5
        assert edge_profile(name).min() >= -0.5
    assert 1050 < edge_profile("bone").max() < 1300
    assert -300 < edge_profile("bone").min() < -50


def test_kernels_sharpen_in_order():
    widths = []
    for name in NAMES:
        rise = np.interp([100.0, 900.0], edge_profile(name)[:64], np.arange(64) * 0.25)
        widths.append(rise[1] - rise[0])
    assert widths[0] > widths[1] > widths[2]


@pytest.mark.parametrize("name", ["gaussian", *NAMES])
def test_noise_is_as_strong_as_asked(name):
    grid = grid_of(pixel_mm=0.7, shape=(20, 100, 90))
    seen = see(np.full(grid.shape, 40.0), grid, ScannerLook(kernel_name=name, noise_hu=25.0), np.random.default_rng(2))
    assert seen.std() == pytest.approx(25.0, rel=0.01)
    assert seen.mean() == pytest.approx(40.0, abs=1.0)


def test_noise_has_the_kernels_texture():
    """Back-projected noise has no slow waves, and the sharper the kernel the finer its grain."""
    grid = grid_of(pixel_mm=0.7, shape=(20, 100, 100))
    middles = []
    for name in NAMES:
        noise = KERNELS[name].noise(grid.shape, grid, np.random.default_rng(4))
        power = (np.abs(np.fft.fft2(noise)) ** 2).mean(axis=0)
        f = np.hypot(np.fft.fftfreq(100, 0.7)[:, None], np.fft.fftfreq(100, 0.7)[None])
        middles.append((power * f).sum() / power.sum())
        assert power[f < 0.03].mean() < 0.3 * power[(f > 0.2) & (f < 0.3)].mean()
    assert middles[0] < middles[1] < middles[2]


def test_noise_follows_counted_photons():
    usual = {"tube_mas": 150.0, "patient_mm": 300.0, "slice_mm": 1.0, "kvp": 120.0}
    base = noise_of(**usual)
    assert noise_of(**{**usual, "tube_mas": 600.0}) == pytest.approx(base / 2)
    assert noise_of(**{**usual, "slice_mm": 4.0}) == pytest.approx(base / 2)
    assert noise_of(**{**usual, "patient_mm": 372.0}) == pytest.approx(2 * base, rel=0.01)
    assert noise_of(**{**usual, "kvp": 80.0}) > 1.5 * base
    assert noise_of(**usual, gain=2.6) == pytest.approx(2.6 * base)


@pytest.mark.parametrize("slice_mm", [0.6, 1.5, 3.0, 5.0])
@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_slices_are_as_thick_as_they_say(slice_mm, overlap):
    """A thin plate's profile is as wide as a box of that thickness, at the most as that with the kernel's own blur."""
    increment = slice_mm * (1 - overlap)
    look = ScannerLook(kernel_name="standard", slice_mm=slice_mm, increment_mm=increment)
    grid = grid_of(increment, 0.8, (41, 4, 4))
    plate = np.zeros(grid.shape)
    plate[20] = 1.0
    seen = look.kernel.spread(plate, grid)[:, 2, 2]
    z = (np.arange(41) - 20) * increment
    variance = (seen * z**2).sum() / seen.sum() + increment**2 / 12
    assert 0.97 * slice_mm <= np.sqrt(12 * variance) <= 1.03 * np.hypot(slice_mm, np.sqrt(12) * 0.3)


def test_overlapping_slices_stand_closer(made_spine):
    look = ScannerLook(slice_mm=1.5, increment_mm=0.75, pixel_mm=0.4)
    grid = grid_for(made_spine, look)
    assert grid.spacing_mm == pytest.approx((0.75, 0.4, 0.4))
    assert look.series().slice_thickness_mm == 1.5


def scene(holes):
    grid = grid_of(1.0, 0.8, (40, 120, 120))
    dense = np.zeros(grid.shape, np.float32)
    for j, i in holes:
        dense[15:20, j - 5 : j + 5, i - 5 : i + 5] = 8000.0
    return grid, dense


def test_streaks_lie_in_dense_slices_only_and_darken_between_them():
    grid, dense = scene([(60, 35), (60, 85)])
    look = ScannerLook(streak_strength=1.0, clip_hu=None)
    plain = np.zeros(grid.shape, np.float32)
    spoiled = spoil(plain, grid, dense, look, np.random.default_rng(1))
    assert not plain.any()
    changed = np.flatnonzero(np.abs(spoiled).max(axis=(1, 2)) > 0)
    assert changed[0] >= 12
    assert changed[-1] <= 22
    between, beside = spoiled[17, 58:62, 50:70].mean(), spoiled[17, 20:30, 50:70].mean()
    assert between < -60
    assert between < beside - 60


def test_streaks_grow_with_density_and_strength():
    grid, dense = scene([(60, 60)])
    rng = np.random.default_rng
    _, metal = streaks(dense, grid, 1.0, rng(1))
    _, cement = streaks(dense * 0.25, grid, 1.0, rng(1))
    _, half = streaks(dense, grid, 0.5, rng(1))
    assert metal.std() > 5 * cement.std() > 0
    assert np.allclose(half, metal / 2)
    assert streaks(dense * 0.1, grid, 1.0, rng(1)) is None
    assert streaks(dense, grid, 0.0, rng(1)) is None


def test_motion_shifts_from_its_slice_up():
    grid = grid_of(1.0, 0.8, (20, 60, 60))
    j, i = np.meshgrid(np.arange(60), np.arange(60), indexing="ij")
    hu = np.broadcast_to(1000 * np.exp(-((j - 30) ** 2 + (i - 25) ** 2) / 30), grid.shape).astype(np.float32)
    out = moved(hu, grid, ((0.5, 0.6, -1.0),))
    assert np.array_equal(out[:10], hu[:10])
    for axis, values, before, step in ((0, j, 30, 0.6), (1, i, 25, -1.0)):
        found = (out[15] * values).sum() / out[15].sum()
        assert (found - before) * 0.8 == pytest.approx(step, abs=0.03), axis


def test_the_clip_cuts_at_twelve_bits():
    assert to_stored(np.array([9000.0, -2000.4]), 3071.0).tolist() == [3071, -2000]
    assert to_stored(np.array([9000.0]), None).tolist() == [9000]


def test_what_a_recipe_fixes_takes_no_chance():
    """Settings added to a recipe must not change what else is drawn from the same seed."""
    one, other = np.random.default_rng(5), np.random.default_rng(5)
    draw_scanner(ScannerRecipe(), one)
    draw_scanner(ScannerRecipe(slice_mm=3.0, kernels={"bone": 1.0}, tilt_deg=(8.0, 8.0), kvps={80.0: 1.0}), other)
    assert one.random() == other.random()


def test_draws_stay_within_the_recipe():
    recipe = ScannerRecipe(
        slice_mm=(0.6, 5.0),
        overlap_fraction=(0.0, 0.5),
        pixel_mm=(0.3, 0.9),
        kernels={"soft": 1.0, "bone": 1.0, "standard": 0.0},
        positions={"HFS": 1.0, "FFP": 1.0},
        turn_deg=((-15.0, 15.0), 0.0, 0.0),
        motion_mm=(0.0, 1.0),
        tube_mas=(50.0, 300.0),
    )
    rng = np.random.default_rng(8)
    looks = [draw_scanner(recipe, rng) for _ in range(60)]
    assert {look.kernel_name for look in looks} == {"soft", "bone"}
    assert {look.position for look in looks} == {"HFS", "FFP"}
    assert all(0.5 <= look.increment_mm / look.slice_mm <= 1 for look in looks)
    assert all(0.3 <= look.pixel_mm <= 0.9 and abs(look.turn_deg[0]) <= 15 for look in looks)
    assert all(abs(step) <= 1 for look in looks for move in look.moves for step in move[1:])
    assert len({round(look.noise_hu, 3) for look in looks}) == 60
