"""What holds for any scan: no spine is told, frames are right-angled, the canal is followed through a made spine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter, gaussian_filter1d

from leakseg.errors import AnatomyError
from leakseg.geometry import Grid
from leakseg.phantom.jobs import make_cohort
from leakseg.phantom.recipe import DrawRecipe, PhantomRecipe
from leakseg.providers.builtin import BuiltinMasks, segment
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import Straight, canal_field, make_frames, to_canal
from leakseg.providers.builtin.levels import Cuts, Signals, continue_cuts, find_cuts, measure_signals
from leakseg.providers.builtin.trust import trusted_levels
from leakseg.providers.builtin.working import Block, without_padding
from leakseg.volume import Volume

SPL = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def volume(hu: NDArray[np.int16]) -> Volume:
    return Volume(Grid((hu.shape[0], hu.shape[1], hu.shape[2]), SPL), hu)


@pytest.mark.parametrize("kind", ["air", "water", "noise"])
def test_a_scan_without_a_spine_is_refused_with_a_reason(kind: str) -> None:
    shape = (60, 80, 80)
    hu = {
        "air": np.full(shape, -1000),
        "water": np.zeros(shape),
        "noise": np.random.default_rng(0).normal(40, 30, shape),
    }[kind]
    with pytest.raises(AnatomyError, match="No spine could be found"):
        segment(volume(hu.astype(np.int16)))


@pytest.mark.parametrize("sections", [48, 72, 73])
def test_frames_are_right_angled_and_their_coordinates_come_back(sections: int) -> None:
    z = np.arange(float(sections))
    frames = make_frames(np.stack([z, 40 + 6 * np.sin(z / 20), 40 + 3 * np.cos(z / 25)], axis=1))
    assert np.allclose(np.einsum("ij,ij->i", frames.up, frames.back), 0, atol=1e-9)
    assert np.allclose(np.einsum("ij,ij->i", frames.up, frames.left), 0, atol=1e-9)
    assert (frames.left[:, 2] > 0.9).all()
    u, v = np.array([[-12.0, 5.0, 9.0]]), np.array([[8.0, -7.0, 3.0]])
    inner = slice(10, -10)
    back = to_canal(frames, frames.place(u, v)[inner].reshape(-1, 3)).reshape(-1, 3, 3)
    assert np.allclose(back[..., 0], np.arange(len(frames))[inner, None], atol=0.1)
    assert np.allclose(back[..., 1], u, atol=0.1)
    assert np.allclose(back[..., 2], v, atol=0.1)


def test_the_interpolated_field_agrees_with_the_exact_one() -> None:
    z = np.arange(50.0)
    frames = make_frames(np.stack([z, 20 + z * z / 150, 20 + 0 * z], axis=1))
    block = Block(np.zeros((50, 45, 41), np.float32), np.zeros(3), 1.0)
    index = np.array([[25, 20, 20], [13, 7, 33], [49, 44, 40]])
    field = canal_field(block, frames)[tuple(index.T)]
    assert np.allclose(field, to_canal(frames, index.astype(float)), atol=0.15)


@pytest.fixture(scope="module")
def phantom_and_masks() -> tuple[Any, BuiltinMasks]:
    """A short lumbar spine with cement that leaked into a foramen, and no landmark in view."""
    made = next(make_cohort(PhantomRecipe(draw=DrawRecipe(count=1, leaks=("foraminal",))), 11))
    return made.phantom, segment(made.phantom.volume)


def test_every_vertebra_of_a_phantom_is_found_once(phantom_and_masks: tuple[Any, BuiltinMasks]) -> None:
    phantom, drawn = phantom_and_masks
    taken = []
    for level in phantom.masks.levels():
        truth = phantom.masks.vertebrae == level.number
        number = int(np.bincount(drawn.masks.vertebrae[truth])[1:].argmax()) + 1
        found = drawn.masks.vertebrae == number
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.75
        taken.append(number)
    assert taken == sorted(set(taken))


def test_leaked_cement_is_no_vertebra(phantom_and_masks: tuple[Any, BuiltinMasks]) -> None:
    phantom, drawn = phantom_and_masks
    leak = phantom.leak_labels > 0
    assert leak.any()
    assert (drawn.masks.vertebrae[leak] > 0).mean() < 0.4


def test_names_without_a_landmark_are_told_as_doubtful(phantom_and_masks: tuple[Any, BuiltinMasks]) -> None:
    _, drawn = phantom_and_masks
    assert "level_uncertain" in [note.code for note in drawn.notes if note.severity == "warning"]
    assert all(value is not None and value < 0.7 for value in drawn.masks.label_confidence.values())


def test_the_canal_wall_seen_is_told(phantom_and_masks: tuple[Any, BuiltinMasks]) -> None:
    _, drawn = phantom_and_masks
    note = next(note for note in drawn.notes if note.code == "canal_confidence")
    assert note.severity == "info"
    assert "% of the rays" in note.message
    assert drawn.masks.canal_confidence is not None
    assert 0.3 < drawn.masks.canal_confidence <= 1


def test_an_end_longer_than_a_level_gets_a_weak_cut() -> None:
    disc = np.zeros(150)
    disc[[20, 50, 80]] = 1.0
    disc[112] = 0.3
    signals = Signals(disc, *np.zeros((3, 150)), np.full(150, 22.0))
    cuts = continue_cuts(Cuts(np.array([20.0, 50, 80]), np.zeros(3), np.ones(3), 0.0), signals)
    assert list(cuts.s_mm) == [20, 50, 80, 112]
    assert cuts.clearness[-1] < 0.5
    assert not trusted_levels(cuts, signals)[-2:].any()


def test_a_weak_cut_lies_in_no_pedicles_though_cement_in_the_body_looks_like_a_disc_there() -> None:
    """As in a plain implant, in which 1937 mm3 within the body were told as a disc leak."""
    disc, pedicle, closed = np.zeros(150), np.zeros(150), np.zeros(150)
    disc[110:115], pedicle[108:117], closed[108:117] = 0.95, 0.6, 0.95
    signals = Signals(disc, np.zeros(150), pedicle, closed, np.full(150, 25.0))
    cuts = continue_cuts(Cuts(np.array([20.0, 53, 86]), np.zeros(3), np.ones(3), 5.0), signals)
    assert len(cuts.s_mm) == 4
    assert abs(cuts.s_mm[-1] - 119) <= 3


def test_the_middle_of_a_dark_body_is_no_disc_where_pedicles_close_the_canal() -> None:
    at = np.arange(160)
    disc, closed = np.zeros(160), 0.5 + 0.5 * np.cos(2 * np.pi * (at - 35) / 30)  # pedicles at 35, 65, 95, 125
    for middle in (35, 65, 95, 125):
        disc[middle - 2 : middle + 3] = 1.0  # marrow as dark as the discs
    for real in (20, 50, 80, 110, 140):
        disc[real - 2 : real + 3] = 1.0
    cuts = find_cuts(Signals(disc, np.zeros(160), 0.6 * closed, closed, np.full(160, 22.0)))
    assert [round(s / 10) * 10 for s in cuts.s_mm] == [20, 50, 80, 110, 140]


@pytest.mark.parametrize(("dark", "below_mm"), [(0.8, 12), (1.0, 14)])
def test_in_the_chest_cuts_lie_above_the_pedicles_and_not_in_the_middle_of_weak_bodies(
    dark: float, below_mm: int
) -> None:
    """There a disc lies at the upper edge of the pedicles below it, and the dark middle of a body in the open."""
    disc, closed = np.zeros(160), np.zeros(160)
    real = (28, 50, 72, 94, 116, 138)
    for place in real:
        disc[place - 1 : place + 2] = 0.8
        disc[place - below_mm : place - below_mm + 3] = dark
        closed[place - 9 : place + 2] = 1.0
    closed = gaussian_filter1d(closed, 1.5)
    cuts = find_cuts(Signals(disc, np.zeros(160), closed, closed, np.full(160, 14.0)))
    assert np.abs(cuts.s_mm[:, None] - real).min(axis=1).max() <= 3
    assert len(cuts.s_mm) == len(real)


@pytest.mark.parametrize("marrow_hu", [200.0, 90.0, 0.0, -40.0])
def test_a_body_is_as_wide_as_its_cortex_however_dark_its_marrow(marrow_hu: float) -> None:
    u_mm, v_mm = np.arange(-60.0, 10), np.arange(-50.0, 51)
    hu = np.full((60, len(u_mm), len(v_mm)), 40, np.float32)
    hu[:, 10:50, np.abs(v_mm) < 21] = 300
    hu[:, 10:50, np.abs(v_mm) < 18] = marrow_hu
    wall = Wall(np.linspace(0, 2 * np.pi, 72, endpoint=False), np.full((60, 72), 8.0), np.ones(60), np.ones(60))
    signals = measure_signals(Straight(hu, u_mm, v_mm), wall, Densities(40.0, 200.0), np.zeros(hu.shape, bool))
    assert signals.half_width_mm == pytest.approx(21, abs=2)


def test_dark_marrow_between_two_lumps_of_cement_is_no_disc() -> None:
    """Their blurred rims are no plates, and rows of which they hide a part are held against rows as they are."""
    u_mm, v_mm = np.arange(-60.0, 10), np.arange(-50.0, 51)
    s, u, v = np.ogrid[:120, -60:10, -50:51]
    body = (np.abs(v) < 21) & (u < -10) & (u > -50)
    discs = np.array([20, 60, 100])
    hu = np.full((120, len(u_mm), len(v_mm)), 40, np.float32)
    hu[np.broadcast_to(body, hu.shape)] = 20
    for place in discs:
        hu[(np.abs(np.abs(s - place) - 4) < 1.5) & body] = 200  # plates; discs and marrow are as dark
    lumps = ((s - 72) ** 2 + (u + 22) ** 2 + v**2 < 6.5**2) | ((s - 90) ** 2 + (u + 26) ** 2 + (v - 4) ** 2 < 6.5**2)
    hu = gaussian_filter(np.where(lumps, 2500, hu), 1.6).astype(np.float32)
    wall = Wall(np.linspace(0, 2 * np.pi, 72, endpoint=False), np.full((120, 72), 8.0), np.ones(120), np.ones(120))
    signals = measure_signals(Straight(hu, u_mm, v_mm), wall, Densities(40.0, 200.0), binary_dilation(hu > 900))
    assert signals.disc[discs].min() > 0.9
    assert signals.disc[66:95].max() < 0.4


def test_two_low_dark_bodies_are_not_one_though_their_disc_is_faint() -> None:
    """Marrow as dark as discs, cushioned discs: between pedicles it tells of no level passed over."""
    at = np.arange(170)
    real = np.array([20, 44, 70, 94, 120, 144])
    disc, closed = np.zeros(170), np.ones(170)
    for place in real:
        closed = np.minimum(closed, np.clip((np.abs(at - place) - 4) / 4, 0, 1))
        disc[place - 2 : place + 3] = 0.5 if place in (44, 94) else 1.0
    for middle in (real[1:] + real[:-1]) // 2:
        disc[middle - 2 : middle + 3] = 1.0
    cuts = find_cuts(Signals(disc, np.zeros(170), 0.8 * closed, closed, np.full(170, 21.0)))
    assert [int(real[np.abs(real - s).argmin()]) for s in cuts.s_mm] == list(real)


def test_a_low_vertebra_is_not_one_with_the_next_though_a_crushed_disc_does_not_show() -> None:
    """Between two rows of pedicles the sides open to a foramen: two levels, even where no dark band tells of a disc."""
    at = np.arange(195)
    real = np.array([20, 60, 84, 111, 144, 177])
    closed, disc = np.ones(195), np.zeros(195)
    for place in real:
        closed = np.minimum(closed, np.clip((np.abs(at - place) - 4) / 4, 0, 1))
        disc[place - 2 : place + 3] = 0.0 if place == 84 else 1.0
    cuts = find_cuts(Signals(disc, np.zeros(195), 0.9 * closed, closed, np.full(195, 27.0)))
    assert [int(real[np.abs(real - s).argmin()]) for s in cuts.s_mm] == list(real)


def test_a_field_filled_up_with_water_is_air_and_tissue_is_left_as_it_is() -> None:
    hu = np.random.default_rng(2).normal(20, 25, (30, 40, 40)).astype(np.float32)
    tissue = Block(hu, np.zeros(3), 2.0)
    assert without_padding(tissue) is tissue
    outside = np.indices(hu.shape)[2] > 30
    filled = without_padding(Block(np.where(outside, np.float32(0), hu), np.zeros(3), 2.0))
    assert (filled.hu[outside] < -250).all()
    assert np.mean(filled.hu[~outside] == hu[~outside]) > 0.95
