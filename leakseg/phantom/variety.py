"""One patient's anatomy drawn from a recipe: levels in view, curvature, fractures, variants, ribs, bone.

What a recipe leaves alone draws nothing from the case's own generator: variants draw from one spawned from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.phantom.curves import natural_tilts, scoliosis
from leakseg.phantom.fracture import CleftContent, Fracture, FractureKind
from leakseg.phantom.morphometry import SIZES, VARIANTS
from leakseg.phantom.recipe.spine import SpineRecipe
from leakseg.phantom.recipe.values import Range
from leakseg.phantom.render import TissueLook
from leakseg.phantom.ribs import RibShape
from leakseg.phantom.spine import Fusion, SpineShape

_UNTREATED = (VertebraLevel.L2, VertebraLevel.L3, VertebraLevel.L4)
"""Levels in view where a recipe neither names nor treats any."""
_LENGTHS = 10


def levels_in_view(treated: Sequence[VertebraLevel], neighbours: int = 1) -> tuple[VertebraLevel, ...]:
    """The treated levels with neighbours on either side, as far as they can be built; none treated: L2 to L4.

    Raises
    ------
    ConfigError
        Where a treated level cannot be built.
    """
    if not treated:
        return _UNTREATED
    known = [level for level in SIZES if level not in VARIANTS or level in treated]
    buildable = [level for level in known if level is not VertebraLevel.S1]
    if others := [level for level in treated if level not in buildable]:
        raise ConfigError(
            f"A case treats {', '.join(others)}: phantoms are treated at {', '.join(buildable)}; choose among these."
        )
    places = [known.index(level) for level in treated]
    return tuple(known[max(min(places) - neighbours, 0) : max(places) + neighbours + 1])


def draw_shape(
    recipe: SpineRecipe,
    in_view: Sequence[VertebraLevel],
    rng: np.random.Generator,
    treated: Sequence[VertebraLevel] = (),
) -> SpineShape:
    """Draw one patient's spine.

    Parameters
    ----------
    in_view
        Levels that must be seen, cranial to caudal.
    treated
        Levels that ``fracture_share`` goes for.
    """
    scale = _draw(recipe.scale, rng)
    lordosis, lean = _draw(recipe.lordosis_deg_per_level, rng), _draw(recipe.scoliosis_deg_per_level, rng)
    own = rng.spawn(1)[0]
    levels = _with_variants(recipe, in_view, treated, own)
    tilts: tuple[float, ...] = ()
    leans: tuple[float, ...] = ()
    turns: tuple[float, ...] = ()
    if recipe.curvature == "natural":
        tilts, leans, turns = _curves(recipe, levels, own)
    return SpineShape(
        levels=levels,
        scale=scale,
        lordosis_deg_per_level=lordosis,
        scoliosis_deg_per_level=lean,
        tilts_deg=tilts,
        leans_deg=leans,
        turns_deg=turns,
        stretches=_stretches(recipe.size_spread, len(levels), own),
        fractures=_fractures(recipe, levels, treated, own),
        fused=_fusion(recipe, own),
        ribs=_ribs(recipe, levels, own) if recipe.ribs else None,
        pelvis=recipe.pelvis,
        cut_mm=_cut(own) if own.random() < recipe.cropped_share else None,
        field_mm=recipe.narrow_field_mm if own.random() < recipe.narrow_share else None,
    )


def draw_look(recipe: SpineRecipe, rng: np.random.Generator) -> TissueLook:
    """Draw the bone of one patient."""
    cancellous, cortex, thick = (
        _draw(limits, rng) for limits in (recipe.cancellous_hu, recipe.cortex_hu, recipe.cortex_mm)
    )
    own = rng.spawn(1)[0]
    return TissueLook(
        cancellous_hu=cancellous,
        cortex_hu=cortex,
        cortex_mm=thick,
        endplate_sclerosis_hu=_draw(recipe.endplate_sclerosis_hu, own),
        trabecular_grain=_draw(recipe.trabecular_grain, own),
        trabecula_mm=_draw(recipe.trabecula_mm, own),
    )


def described(value: Any) -> dict[str, Any]:
    """A shape or look as data for truth.json, without what was left empty."""
    return {name: item for name, item in asdict(value).items() if item is not None and item not in ((), "none")}


def _with_variants(
    recipe: SpineRecipe, in_view: Sequence[VertebraLevel], treated: Sequence[VertebraLevel], rng: np.random.Generator
) -> tuple[VertebraLevel, ...]:
    """The levels in view; with drawn neighbours, and T13 and L6 where they are drawn and their place is in view."""
    levels = list(in_view)
    more = int(rng.integers(recipe.neighbours[0], recipe.neighbours[1] + 1))
    if treated and not recipe.levels and more > 1:
        levels = list(levels_in_view(treated, more))
    seen = {
        level: rng.random() < share for level, share in zip(VARIANTS, (recipe.t13_share, recipe.l6_share), strict=True)
    }
    for variant, upper in zip(VARIANTS, (VertebraLevel.T12, VertebraLevel.L5), strict=True):
        below = levels[levels.index(upper) + 1 :] if upper in levels else []
        if seen[variant] and below and variant not in levels:
            levels.insert(levels.index(upper) + 1, variant)
    return tuple(levels)


def _curves(
    recipe: SpineRecipe, levels: Sequence[VertebraLevel], rng: np.random.Generator
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    count = len(levels)
    tilts = natural_tilts(levels, _draw(recipe.thoracic_kyphosis_deg, rng), _draw(recipe.lumbar_lordosis_deg, rng))
    has = rng.random() < recipe.scoliosis_share
    cobb = _draw(recipe.scoliosis_cobb_deg, rng) * float(rng.choice([-1.0, 1.0])) * has
    apex, span = rng.uniform(0.3, 0.7) * (count - 1), rng.uniform(3.0, 5.0)
    leans, turns = scoliosis(count, cobb, apex, span)
    strays = rng.uniform(recipe.turn_deg[0], recipe.turn_deg[1], size=count)
    return tilts, leans, tuple(float(turn + stray) for turn, stray in zip(turns, strays, strict=True))


def _stretches(spread: float, count: int, rng: np.random.Generator) -> tuple[tuple[float, ...], ...]:
    """Lengths stray together within a vertebra for half, apart for the other half."""
    if spread <= 0:
        return ()
    shared = rng.uniform(-spread, spread, size=(count, 1)) / 2
    factors = 1 + shared + rng.uniform(-spread, spread, size=(count, _LENGTHS)) / 2
    return tuple(tuple(float(factor) for factor in row) for row in factors)


def _fractures(
    recipe: SpineRecipe, levels: Sequence[VertebraLevel], treated: Sequence[VertebraLevel], rng: np.random.Generator
) -> tuple[Fracture, ...]:
    kinds: tuple[FractureKind, ...] = ("wedge", "biconcave", "crush")
    found = []
    for level in levels:
        share = recipe.fracture_share if level in treated else recipe.other_fracture_share
        if level is VertebraLevel.S1 or rng.random() >= share:
            continue
        kind = kinds[int(rng.choice(3, p=[0.5, 0.3, 0.2]))]
        cleft: CleftContent = ("gas", "fluid")[int(rng.integers(2))] if rng.random() < recipe.cleft_share else "none"
        out = _draw(recipe.retropulsion_mm, rng) if kind == "crush" else 0.0
        loss = _draw(recipe.fracture_loss, rng)
        found.append(Fracture(level=level, kind=kind, loss=loss, retropulsion_mm=out, cleft=cleft))
    return tuple(found)


def _fusion(recipe: SpineRecipe, rng: np.random.Generator) -> Fusion:
    sides: tuple[Fusion, ...] = ("left", "right", "both")
    side = sides[int(rng.integers(3))]
    return side if rng.random() < recipe.sacralised_share else "none"


def _ribs(recipe: SpineRecipe, levels: Sequence[VertebraLevel], rng: np.random.Generator) -> RibShape:
    droop, last = _draw(recipe.rib_droop_deg, rng), _draw(recipe.last_rib_mm, rng)
    if VertebraLevel.T13 in levels:
        last = rng.uniform(40.0, 70.0)
    return RibShape(droop_deg=droop, last_mm=(last * rng.uniform(0.85, 1.0), last * rng.uniform(0.85, 1.0)))


def _cut(rng: np.random.Generator) -> tuple[float, float]:
    """One end, or both, lies inside the outer vertebra."""
    ends = rng.uniform(-14.0, -4.0, size=2)
    which = int(rng.integers(3))
    return float(6.0 if which == 1 else ends[0]), float(6.0 if which == 0 else ends[1])


def _draw(limits: Range, rng: np.random.Generator) -> float:
    return float(rng.uniform(limits[0], limits[1]))
