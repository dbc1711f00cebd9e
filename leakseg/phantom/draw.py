"""Cases drawn from a recipe's ``[draw]``: which levels are treated, and which leaks are wanted of them."""

from __future__ import annotations

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.findings import LeakType
from leakseg.phantom.cohort import CONTROL_REACH
from leakseg.phantom.recipe import CaseRecipe, DrawRecipe, LeakRecipe

LEAKLESS = "none"


def draw_case(draw: DrawRecipe, case_id: str, number: int, rng: np.random.Generator) -> CaseRecipe:
    """The ``number``-th case, from 1: its first leak's type comes by turn; sides, subtypes and routes are left open."""
    first = draw.leaks[(number - 1) % len(draw.leaks)]
    treated = _treated(draw, rng)
    if first == LEAKLESS:
        return CaseRecipe(id=case_id, treated=treated, reach=CONTROL_REACH[int(rng.integers(len(CONTROL_REACH)))])
    kinds = [kind for kind in draw.leaks if kind != LEAKLESS]
    more = _whole(draw.leaks_per_case, rng) - 1
    wanted = [first, *(kinds[int(rng.integers(len(kinds)))] for _ in range(more))]
    leaks = tuple(_leak(draw, LeakType(kind), treated, rng) for kind in wanted)
    return CaseRecipe(id=case_id, treated=treated, leak=leaks)


def _treated(draw: DrawRecipe, rng: np.random.Generator) -> tuple[VertebraLevel, ...]:
    """Neighbours in the list of levels, starting anywhere in it."""
    count = min(_whole(draw.treated_levels, rng), len(draw.levels))
    start = int(rng.integers(len(draw.levels) - count + 1))
    return draw.levels[start : start + count]


def _leak(draw: DrawRecipe, kind: LeakType, treated: tuple[VertebraLevel, ...], rng: np.random.Generator) -> LeakRecipe:
    level = treated[int(rng.integers(len(treated)))]
    volume = None
    if draw.leak_volume_mm3 is not None:
        low, high = np.log(draw.leak_volume_mm3)
        volume = round(float(np.exp(rng.uniform(low, high))), 1)
    return LeakRecipe(level=level, type=kind, volume_mm3=volume)


def _whole(limits: tuple[int, int], rng: np.random.Generator) -> int:
    return int(rng.integers(limits[0], limits[1] + 1))
