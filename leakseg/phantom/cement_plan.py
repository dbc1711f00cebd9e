"""Fills and leaks of one case, drawn from the recipe's cement: every subtype, route, size and side there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.findings import LeakRoute, LeakSubtype, LeakType, Side
from leakseg.phantom.density import CONTENT_PERCENT, cement_hu
from leakseg.phantom.plan import PLANNABLE, FillPlan, LeakPlan
from leakseg.phantom.recipe import CementRecipe, LeakRecipe, Range
from leakseg.phantom.terms import FillPattern, FillReach

VOLUMES_MM3: dict[tuple[LeakType, LeakSubtype | None], Range] = {
    (LeakType.EPIDURAL, LeakSubtype.CENTRAL): (10.0, 1200.0),
    (LeakType.EPIDURAL, LeakSubtype.PARACENTRAL): (10.0, 1500.0),
    (LeakType.EPIDURAL, LeakSubtype.PEDICLE_BREACH): (10.0, 300.0),
    (LeakType.FORAMINAL, None): (10.0, 600.0),
    (LeakType.VENOUS, LeakSubtype.SEGMENTAL): (10.0, 500.0),
    (LeakType.VENOUS, LeakSubtype.ANTERIOR_EXTERNAL): (10.0, 800.0),
    (LeakType.VENOUS, LeakSubtype.ASCENDING_LUMBAR): (20.0, 400.0),
    (LeakType.VENOUS, LeakSubtype.CAVAL): (60.0, 1500.0),
    (LeakType.INTRADISCAL, None): (10.0, 3000.0),
    (LeakType.PARAVERTEBRAL, LeakSubtype.SOFT_TISSUE): (10.0, 3000.0),
    (LeakType.PARAVERTEBRAL, LeakSubtype.NEEDLE_TRACK): (10.0, 400.0),
}
"""Least and greatest volume that a kind of leak is drawn with: what its place holds in a lumbar spine [convention]."""
_WEIGHTS: dict[LeakSubtype | None, float] = {
    LeakSubtype.CENTRAL: 1.0,
    LeakSubtype.PARACENTRAL: 1.5,
    LeakSubtype.PEDICLE_BREACH: 1.0,
    LeakSubtype.SEGMENTAL: 1.0,
    LeakSubtype.ANTERIOR_EXTERNAL: 1.0,
    LeakSubtype.ASCENDING_LUMBAR: 0.6,
    LeakSubtype.CAVAL: 0.6,
}
"""How often a subtype is drawn beside the others of its type; 1 where not named."""
_COMBINED_FROM_MM3 = 150.0
_SMALL_MM3 = 60.0


class Drawn(NamedTuple):
    """Fills and leaks of one case, for `leakseg.phantom.plan.ImplantPlan`."""

    fills: tuple[FillPlan, ...]
    leaks: tuple[LeakPlan, ...]


def draw_cement(
    recipe: CementRecipe,
    treated: Sequence[VertebraLevel],
    wanted: Sequence[LeakRecipe],
    rng: np.random.Generator,
    *,
    reach: FillReach = "centre",
    kvp: float = 120.0,
    clefts: Sequence[VertebraLevel] = (),
) -> Drawn:
    """Draw what ``recipe.form = "flow"`` means for one case.

    Parameters
    ----------
    treated
        Levels to fill.
    wanted
        The leaks; of each, what is None is drawn: side, subtype, route, and volume evenly in its logarithm between
        the least and the greatest of `VOLUMES_MM3`. A volume given chooses among the subtypes that can hold it;
        one that none holds is cut to the greatest.
    kvp
        Tube voltage, for density where the recipe names opacifiers.
    clefts
        Levels whose fracture has a cleft: their cement fills it.
    """
    density = _density_hu(recipe, kvp, rng)
    fills = tuple(_fill(recipe, level, density, reach, level in clefts, rng) for level in treated)
    return Drawn(fills, tuple(_leak(recipe, leak, frozenset(treated), rng) for leak in wanted))


def _density_hu(recipe: CementRecipe, kvp: float, rng: np.random.Generator) -> float:
    if not recipe.opacifiers:
        return float(rng.uniform(*recipe.density_hu))
    opacifier = recipe.opacifiers[int(rng.integers(len(recipe.opacifiers)))]
    return cement_hu(opacifier, float(rng.uniform(*CONTENT_PERCENT[opacifier])), kvp)


def _fill(
    recipe: CementRecipe,
    level: VertebraLevel,
    density_hu: float,
    reach: FillReach,
    cleft: bool,
    rng: np.random.Generator,
) -> FillPlan:
    pattern: FillPattern = "cleft" if cleft else recipe.patterns[int(rng.integers(len(recipe.patterns)))]
    leans: tuple[Literal["left", "right"], ...] = ("left", "right")
    lean = leans[int(rng.integers(2))]
    return FillPlan(
        level=level,
        volume_mm3=float(rng.uniform(*recipe.volume_mm3)),
        density_hu=density_hu,
        reach=reach,
        lean=lean if pattern == "unilateral" else "none",
        pattern=pattern,
        edge=recipe.edges[int(rng.integers(len(recipe.edges)))],
        bubbles=int(rng.integers(recipe.bubbles[0], recipe.bubbles[1] + 1)),
        clump_fraction=float(rng.uniform(*recipe.clump_fraction)),
    )


def _leak(
    recipe: CementRecipe, leak: LeakRecipe, treated: frozenset[VertebraLevel], rng: np.random.Generator
) -> LeakPlan:
    subtype = _subtype(leak, rng)
    kind = (leak.type, subtype)
    low, high = VOLUMES_MM3[kind]
    drawn = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    volume = drawn if leak.volume_mm3 is None else min(leak.volume_mm3, high)
    side = leak.side or _side(leak.type, subtype, volume, rng)
    chances = rng.random(3)
    detached = leak.detached or (leak.type is not LeakType.INTRADISCAL and chances[0] < recipe.detached_fraction)
    paracentral = subtype is LeakSubtype.PARACENTRAL and side in {Side.LEFT, Side.RIGHT}
    combined = paracentral and volume >= _COMBINED_FROM_MM3 and chances[1] < recipe.combined_fraction
    below = _treated_neighbour(leak.level, treated)
    bridges = leak.type is LeakType.INTRADISCAL and below is not None and chances[2] < recipe.bridging_fraction
    routes = PLANNABLE[kind]
    route = leak.route or routes[int(rng.integers(len(routes)))]
    return LeakPlan(
        level=leak.level,
        type=leak.type,
        subtype=subtype,
        route=LeakRoute.BASIVERTEBRAL if side is Side.BILATERAL else route,
        side=side,
        volume_mm3=max(volume, _SMALL_MM3 * 2) if bridges else volume,
        detached=detached and not bridges,
        below=below if bridges else None,
        form="flow",
        into_foramen=combined,
        bridges=bridges,
    )


def _subtype(leak: LeakRecipe, rng: np.random.Generator) -> LeakSubtype | None:
    """The one wanted, else one that suits side, route and volume."""
    if leak.subtype is not None:
        return leak.subtype
    kinds = [subtype for place, subtype in PLANNABLE if place is leak.type]
    fit = [subtype for subtype in kinds if _suits(leak, subtype)] or kinds
    if leak.volume_mm3 is not None:
        roomy = max(VOLUMES_MM3[leak.type, subtype][1] for subtype in fit)
        volume = min(leak.volume_mm3, roomy)
        limits = {subtype: VOLUMES_MM3[leak.type, subtype] for subtype in fit}
        fit = [subtype for subtype in fit if limits[subtype][0] <= volume <= limits[subtype][1]] or fit
    weights = np.array([_WEIGHTS.get(subtype, 1.0) for subtype in fit])
    return fit[int(rng.choice(len(fit), p=weights / weights.sum()))]


def _suits(leak: LeakRecipe, subtype: LeakSubtype | None) -> bool:
    if leak.route is not None and leak.route not in PLANNABLE[leak.type, subtype]:
        return False
    match subtype:
        case LeakSubtype.CENTRAL:
            return leak.side in {None, Side.MIDLINE}
        case LeakSubtype.PARACENTRAL:
            return leak.side is not Side.MIDLINE
        case LeakSubtype.CAVAL:
            return leak.side in {None, Side.RIGHT}
        case _:
            return leak.side in {None, Side.LEFT, Side.RIGHT}


def _side(kind: LeakType, subtype: LeakSubtype | None, volume_mm3: float, rng: np.random.Generator) -> Side | None:
    if subtype is LeakSubtype.CENTRAL:
        return Side.MIDLINE
    if subtype is LeakSubtype.CAVAL:
        return Side.RIGHT
    if subtype is LeakSubtype.PARACENTRAL and volume_mm3 > _SMALL_MM3 and rng.random() < 0.2:
        return Side.BILATERAL
    if kind is LeakType.INTRADISCAL or subtype is LeakSubtype.ANTERIOR_EXTERNAL:
        return None
    return (Side.LEFT, Side.RIGHT)[int(rng.integers(2))]


def _treated_neighbour(level: VertebraLevel, treated: frozenset[VertebraLevel]) -> bool | None:
    """Whether the treated neighbour lies below; None where there is none."""
    for other in treated:
        if abs(other.number - level.number) == 1:
            return other.number > level.number
    return None
