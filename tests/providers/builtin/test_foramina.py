"""Dense matter in one place is cement where the patient's other levels and other side are free, and else it is bone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.foramina import cement_in_foramina, needle_tracks
from leakseg.providers.builtin.frames import make_frames, straighten
from leakseg.providers.builtin.levels import Cuts
from leakseg.providers.builtin.unlike import Known
from leakseg.providers.builtin.working import Block

LENGTH, HEIGHT = 150, 30
Z, Y, X = np.indices((LENGTH, 60, 80)) - np.array([0, 40, 40])[:, None, None, None]
FRAMES = make_frames(np.stack([np.arange(float(LENGTH)), *np.zeros((2, LENGTH))], axis=1))
WALL = Wall(2 * np.pi * np.arange(72) / 72, np.full((len(FRAMES), 72), 9.0), np.ones(len(FRAMES)), np.ones(len(FRAMES)))
CUTS = Cuts(np.array([30.0, 60.0, 90.0, 120.0]), np.zeros(4), np.ones(4), 0.0)
BODY = (np.hypot(X, Y + 25) < 16) & (Z % HEIGHT > 4)
PEDICLE = (np.abs(X) > 9) & (np.abs(X) < 18) & (np.abs(Y + 4) < 6) & (Z % HEIGHT > 14) & (Z % HEIGHT < 26)
CEMENT = (np.hypot(X, Y + 25) < 8) & (np.abs(Z - 75) < 6)
FORAMEN = (np.abs(X - 13) < 3) & (np.abs(Y + 3) < 4) & (np.abs(Z - 65) < 4)
"""On the left, under the pedicle of the third of five levels."""


TRACK = (np.hypot(X - 22 - 0.3 * (Y - 4), Z - 80) < 2) & (Y > 3) & (Y < 18)
"""Behind the left pedicle of the third level, outward through the muscle."""


def scan(*dense: NDArray[np.bool_], treated: NDArray[np.bool_] | None = CEMENT, dense_hu: float = 1500) -> Known:
    hu = np.where(BODY | PEDICLE, np.float32(400), np.float32(40))
    for part in dense:
        hu[part] = dense_hu
    hu[CEMENT if treated is None else treated] = 2000
    block = Block(hu, np.array([0.0, -40, -40]), 1.0)
    straight = straighten(block, FRAMES, np.arange(-40.0, 20), np.arange(-40.0, 40))
    known = ((part > 1900) & (treated is not None) for part in (hu, straight.hu))
    return Known(block, straight, FRAMES, WALL, CUTS, Densities(40.0, 170.0), *known)


def found(*dense: NDArray[np.bool_], **other: Any) -> NDArray[np.bool_]:
    return cement_in_foramina(scan(*dense, **other))


def test_cement_in_one_foramen_is_found_and_nothing_else() -> None:
    cement = found(FORAMEN)
    assert cement[FORAMEN].mean() > 0.9
    assert not cement[~FORAMEN].any()


def test_what_both_sides_of_a_level_show_is_bone() -> None:
    assert not found(FORAMEN, np.roll(FORAMEN[..., ::-1], 1, axis=2)).any()


def test_what_most_levels_show_is_bone() -> None:
    assert not found(*(np.roll(FORAMEN, HEIGHT * step, axis=0) for step in (-2, -1, 0, 1, 2))).any()


def test_far_from_any_cement_nothing_is_sought() -> None:
    assert not found(np.roll(FORAMEN, -2 * HEIGHT, axis=0)).any()
    assert not found(FORAMEN, treated=None).any()


def test_what_is_a_little_denser_than_its_place_is_a_facet() -> None:
    assert not found(FORAMEN, dense_hu=800).any()


def test_far_less_dense_than_the_cement_in_the_bodies_is_bone() -> None:
    assert not found(FORAMEN, dense_hu=1150).any()


def test_where_the_view_ends_above_or_below_nothing_is_told() -> None:
    end, treated = (np.roll(part, 2 * HEIGHT, axis=0) for part in (FORAMEN, CEMENT))
    assert not found(end, treated=treated).any()


def test_a_needles_track_behind_a_pedicle_is_found_and_nothing_else() -> None:
    cement = needle_tracks(scan(TRACK))
    assert cement[TRACK].mean() > 0.7
    assert not cement[~TRACK].any()


def test_a_process_that_the_other_side_or_most_levels_show_is_no_track() -> None:
    assert not needle_tracks(scan(TRACK, np.roll(TRACK[..., ::-1], 1, axis=2))).any()
    assert not needle_tracks(scan(*(np.roll(TRACK, HEIGHT * step, axis=0) for step in (-2, -1, 0, 1, 2)))).any()


def test_cement_where_other_levels_hold_bone_has_left_none() -> None:
    """A channel in the back of the pedicle: it is as dense as a track, and inside bone."""
    channel = (np.hypot(X - 13, Z - 80) < 2) & (np.abs(Y) <= 2)
    assert not needle_tracks(scan(channel)).any()


def test_far_less_dense_than_the_cement_in_the_bodies_a_strand_is_none() -> None:
    assert not needle_tracks(scan(TRACK, dense_hu=900)).any()
