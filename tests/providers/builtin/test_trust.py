"""A level is trusted where its discs are clear, or the foramina beside them are, and nothing was passed over."""

from __future__ import annotations

import numpy as np
import pytest

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.levels import Cuts, Signals
from leakseg.providers.builtin.trust import trusted_levels

DISCS_MM = np.array([20.0, 50.0, 80.0, 110.0])
LENGTH_MM = 130
EVERYWHERE = tuple(DISCS_MM)


def trusted(
    clearness: list[float],
    *,
    open_at: tuple[float, ...] = EVERYWHERE,
    dark_at: tuple[float, ...] = (),
    dark: float = 1.0,
    discs_mm: FloatArray = DISCS_MM,
) -> list[bool]:
    """Of five levels of 30 mm: foramina where ``open_at``, and bands as dark as a disc at ``dark_at``."""
    at = np.arange(LENGTH_MM)
    away = np.min(np.abs(at[:, None] - np.array(open_at)), axis=1)
    closed = np.clip((away - 4) / 4, 0, 1)
    disc = np.zeros(LENGTH_MM)
    for place, clear in (*zip(discs_mm, clearness, strict=True), *((place, dark) for place in dark_at)):
        disc[int(place) - 2 : int(place) + 3] = clear
    signals = Signals(disc, np.zeros(LENGTH_MM), 0.3 * closed, closed, np.full(LENGTH_MM, 22.0))
    found = trusted_levels(Cuts(discs_mm, np.zeros(len(discs_mm)), np.array(clearness), 0.0), signals)
    return [bool(value) for value in found]


def test_clear_discs_between_foramina_are_trusted() -> None:
    assert all(trusted([1.0] * 4))


@pytest.mark.parametrize(
    ("clearness", "foramina", "told"), [(0.4, True, True), (0.4, False, False), (0.2, True, False)]
)
def test_a_faint_disc_is_trusted_only_between_foramina(clearness: float, foramina: bool, told: bool) -> None:
    open_at = EVERYWHERE if foramina else tuple(place for place in EVERYWHERE if place != 50)
    assert trusted([1.0, clearness, 1.0, 1.0], open_at=open_at) == [True, told, told, True, True]


def test_a_disc_that_the_edge_of_the_scan_blurs_leaves_the_whole_level_beside_it_trusted() -> None:
    assert trusted([0.1, 1.0, 1.0, 1.0], discs_mm=np.array([2.0, 32.0, 62.0, 92.0]), open_at=(32.0, 62.0, 92.0)) == [
        False, True, True, True, True,
    ]  # fmt: skip
    assert trusted([1.0, 1.0, 1.0, 0.1], discs_mm=np.array([37.0, 67.0, 97.0, 127.0]), open_at=(37.0, 67.0, 97.0)) == [
        True, True, True, True, False,
    ]  # fmt: skip


def test_a_dark_band_between_foramina_is_a_disc_passed_over_and_one_between_pedicles_is_marrow() -> None:
    assert trusted([1.0] * 4, dark_at=(65.0,)) == [True] * 5
    assert trusted([1.0] * 4, dark_at=(65.0,), open_at=(*EVERYWHERE, 65.0)) == [True, True, False, True, True]


def test_a_crushed_vertebra_between_foramina_is_trusted_and_a_low_piece_without_them_is_not() -> None:
    discs = np.array([20.0, 50.0, 80.0, 99.0])
    assert all(trusted([1.0] * 4, discs_mm=discs, open_at=tuple(discs)))
    assert trusted([1.0] * 4, discs_mm=discs, open_at=(20.0, 50.0, 99.0)) == [True, True, True, False, True]


def test_a_level_that_holds_a_clearer_disc_than_its_own_two_is_not_trusted() -> None:
    """Cuts through the middle of weak bodies, whose dark marrow lies between bright plates."""
    assert trusted([1.0, 0.7, 0.7, 1.0], dark_at=(65.0,)) == [True, True, False, True, True]
    assert trusted([1.0, 0.7, 1.0, 1.0], dark_at=(65.0,)) == [True] * 5


@pytest.mark.parametrize(("height_mm", "told"), [(30.0, True), (37.0, False)])
def test_a_level_higher_than_its_neighbours_with_half_a_disc_in_it_may_hold_a_vertebra_plana(
    height_mm: float, told: bool
) -> None:
    discs = np.array([20.0, 50.0, 50.0 + height_mm, 80.0 + height_mm])
    dark = 65.0
    found = trusted([1.0] * 4, discs_mm=discs, open_at=(*discs, dark), dark_at=(dark,), dark=0.7)
    assert found == [True, True, told, True, True]
