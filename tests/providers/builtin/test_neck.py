"""Made necks: the canal goes up to the skull and no farther; names count down from C2, sure where nothing is amiss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leakseg.anatomy import VertebraLevel
from leakseg.errors import AnatomyError
from leakseg.providers.builtin import BuiltinMasks, segment
from leakseg.providers.builtin.axis import trust_axis
from leakseg.providers.builtin.centreline import Centreline, find_centreline
from leakseg.providers.builtin.densities import Densities, measure_densities
from leakseg.providers.builtin.landmarks import Landmarks
from leakseg.providers.builtin.levels import Cuts
from leakseg.providers.builtin.skull import up_to_skull
from leakseg.providers.builtin.working import Block, resample
from leakseg.volume import Volume

SURE = 0.7
NEAR_MM = 8.0


def doubts(drawn: BuiltinMasks) -> list[str]:
    return [note.message for note in drawn.notes if note.code == "level_uncertain"]


def none_wrong_and_sure(made: Any, drawn: BuiltinMasks) -> None:
    confidence = {str(level): value for level, value in drawn.masks.label_confidence.items()}
    for name, told in made.names_at_bodies(drawn.masks).items():
        assert told == name or (confidence.get(told) or 0) < SURE


@pytest.fixture(scope="module")
def neck(made_neck: Callable[..., Any]) -> tuple[Any, BuiltinMasks]:
    """From the skull to the first rib."""
    made = made_neck(low_mm=-115.0, high_mm=95.0, half_mm=90.0)
    return made, segment(made.volume)


def test_every_vertebra_below_the_skull_has_its_name(neck: tuple[Any, BuiltinMasks]) -> None:
    made, drawn = neck
    found = made.names_at_bodies(drawn.masks)
    assert {"C2", "C3", "C4", "C5", "C6", "C7"} <= set(found)
    assert found == {name: name for name in found}
    confidence = drawn.masks.label_confidence
    assert all(confidence[VertebraLevel(name)] > SURE for name in found)
    assert not doubts(drawn)


def test_the_canal_goes_up_to_the_skull_and_not_into_it(neck: tuple[Any, BuiltinMasks]) -> None:
    made, drawn = neck
    canal = drawn.masks.canal
    assert canal is not None
    rows = np.flatnonzero(canal.any(axis=(1, 2)))
    assert abs(rows[-1] - made.opening) < NEAR_MM
    assert np.array_equal(rows, np.arange(rows[0], rows[-1] + 1))
    truth = made.canal[rows[0] : made.opening - 30]
    found = canal[rows[0] : made.opening - 30]
    assert 2 * (truth & found).sum() / (truth.sum() + found.sum()) > 0.85


def test_the_dens_is_a_part_of_c2_and_c1_a_ring_without_a_body_or_a_disc(neck: tuple[Any, BuiltinMasks]) -> None:
    made, drawn = neck
    masks = drawn.masks
    atlas = masks.vertebrae == VertebraLevel.C1.number
    assert atlas.any()
    assert masks.bodies is not None
    assert masks.discs is not None
    assert not (atlas & masks.bodies).any()
    row, column, middle = made.bodies["C2"]
    assert masks.vertebrae[row + 18, column, middle] == VertebraLevel.C2.number
    assert np.flatnonzero(atlas.any(axis=(1, 2)))[0] > row + 8
    assert np.flatnonzero(masks.discs.any(axis=(1, 2)))[-1] < row


def test_a_centreline_that_ends_in_the_neck_is_carried_on_to_the_skull(neck: tuple[Any, BuiltinMasks]) -> None:
    made, _ = neck
    coarse = resample(made.volume.hu, made.volume.grid.spacing_mm, 2.0)
    densities = measure_densities(coarse.hu)
    line = find_centreline(coarse, densities)
    assert line is not None
    short = line.points_mm[:, 0] < made.opening - 40
    upper = up_to_skull(coarse, densities, replace(line, points_mm=line.points_mm[short], score=line.score[short]))
    assert upper.opening_mm is not None
    assert abs(upper.opening_mm[0] - made.opening) < NEAR_MM
    assert np.array_equal(upper.line.points_mm[-1], upper.opening_mm)
    assert len(upper.line.score) == len(upper.line.points_mm)


@pytest.mark.parametrize("upright", [True, False])
def test_a_pelvis_of_soft_tissue_below_a_canal_that_is_wide_in_places_is_no_skull(upright: bool) -> None:
    """As in a phantom of weak bone, whose path began in the pelvis and was cut off there; upside down it is a skull."""
    k, j, i = np.indices((110, 90, 90))
    inner_mm = np.where((k >= 10) & (k < 24), 32.0, np.where((k % 15 < 9) | (k < 30), 9.0, 24.0))
    away_mm = 2.0 * np.hypot(j - 45, i - 45)
    ring = (away_mm > inner_mm) & (away_mm < inner_mm + 5)
    hu = np.where(ring, np.float32(600), np.float32(40))[:: 1 if upright else -1]
    points = np.stack([np.arange(110), np.full(110, 45), np.full(110, 45)], axis=1) * 2.0
    line = Centreline(points, np.ones(110))
    opening_mm = up_to_skull(Block(hu, np.zeros(3), 2.0), Densities(40.0, 170.0), line).opening_mm
    if upright:
        assert opening_mm is None
    else:
        assert opening_mm is not None
        assert opening_mm[0] == pytest.approx(2.0 * (109 - 24), abs=4)


def test_without_the_skull_a_neck_is_doubted(neck: tuple[Any, BuiltinMasks]) -> None:
    made, _ = neck
    below = (slice(0, made.opening - 5), slice(None), slice(None))
    drawn = segment(Volume(made.volume.grid.crop(below), np.ascontiguousarray(made.volume.hu[below])))
    assert max(value for value in drawn.masks.label_confidence.values() if value is not None) < SURE
    assert doubts(drawn)


@pytest.mark.parametrize("low_mm", [32.0, -12.0])
def test_a_head_with_hardly_a_neck_is_refused_or_not_named_wrong(made_neck: Callable[..., Any], low_mm: float) -> None:
    made = made_neck(low_mm=low_mm, high_mm=95.0, half_mm=90.0)
    try:
        drawn = segment(made.volume)
    except AnatomyError:
        return
    none_wrong_and_sure(made, drawn)


@pytest.mark.slow
def test_one_vertebra_too_few_between_skull_and_ribs_is_told(made_neck: Callable[..., Any]) -> None:
    made = made_neck(low_mm=-150.0, high_mm=95.0, missing=("C5",))
    drawn = segment(made.volume)
    assert max(value for value in drawn.masks.label_confidence.values() if value is not None) < SURE
    assert "does not bear out" in doubts(drawn)[0]


@pytest.mark.slow
def test_thick_slices_and_noise_name_no_vertebra_wrong_and_sure(made_neck: Callable[..., Any]) -> None:
    made = made_neck(low_mm=-115.0, high_mm=95.0, slice_mm=3, noise_hu=40.0, scale=0.9, disc_mm=4.0)
    none_wrong_and_sure(made, segment(made.volume))


UNSEEN = np.full((6, 2), np.nan)
CUTS = Cuts(np.array([20.0, 40, 60, 80, 100]), np.zeros(5), np.ones(5), 0.0)


def below_skull(opening: float) -> Landmarks:
    return Landmarks(UNSEEN, UNSEEN > 0, UNSEEN, UNSEEN, np.append(np.nan, opening - CUTS.s_mm), UNSEEN[:, 0] > 0)


def test_c2_is_beyond_doubt_where_the_dens_goes_through_what_looks_like_a_disc_above_it() -> None:
    dens = np.array([False, False, False, True, False])
    trusted = trust_axis(np.ones(6, bool), below_skull(108.0), CUTS, dens)  # its disc at 60
    assert list(trusted) == [True, True, True, True, False, False]


def test_c2_is_doubted_where_a_disc_lies_above_it() -> None:
    """Its place may be misjudged: the disc above may be that of C2 and C3."""
    trusted = trust_axis(np.ones(6, bool), below_skull(108.0), CUTS, np.zeros(5, bool))
    assert not trusted[3]


def test_c2_is_doubted_on_a_disc_that_is_not_clear() -> None:
    faint = replace(CUTS, clearness=np.array([1.0, 1, 0.3, 1, 1]))
    dens = np.array([False, False, False, True, False])
    assert not trust_axis(np.ones(6, bool), below_skull(108.0), faint, dens)[3]


def test_without_the_skull_nothing_changes() -> None:
    trusted = np.array([True, False, True, True, False, True])
    unseen = Landmarks(UNSEEN, UNSEEN > 0, UNSEEN, UNSEEN, UNSEEN[:, 0], UNSEEN[:, 0] > 0)
    assert list(trust_axis(trusted, unseen, CUTS, np.zeros(5, bool))) == list(trusted)
