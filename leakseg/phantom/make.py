"""Phantoms from recipe and seed: a spine, cement in it, a scanner that saw it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leakseg.errors import AnatomyError, ConfigError
from leakseg.phantom.cement_plan import draw_cement
from leakseg.phantom.cohort import SIDED, plain, subtypes_in_turn
from leakseg.phantom.distractors import add_distractors, draw_distractors
from leakseg.phantom.draw_scanner import draw_scanner
from leakseg.phantom.implant import implant_on
from leakseg.phantom.lie import grid_for, settled
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.plan import FillPlan, ImplantPlan, LeakPlan, Phantom
from leakseg.phantom.recipe import CaseRecipe, LeakRecipe, PhantomRecipe, Range
from leakseg.phantom.render import render
from leakseg.phantom.site import Ground, bone_from_mask
from leakseg.phantom.spine import build_spine, clefts_of
from leakseg.phantom.survey import survey
from leakseg.phantom.variety import described, draw_look, draw_shape, levels_in_view
from leakseg.volume import Volume

_SPINES, _PLANS = 5, 3
"""How many spines are tried for a case, and how many plans in each."""


def make(recipe: PhantomRecipe, case: CaseRecipe, rng: np.random.Generator) -> Phantom:
    """Make one phantom.

    Raises
    ------
    ConfigError
        Where levels cannot be built or a leak cannot be made from them.
    """
    for leak in case.leak:
        if leak.level not in case.treated:
            raise ConfigError(f"Case '{case.id}' wants a leak from {leak.level}, which it does not treat.")
    problem: AnatomyError | None = None
    for _ in range(_SPINES):
        in_view = recipe.spine.levels or levels_in_view(case.treated)
        shape = draw_shape(recipe.spine, in_view, rng, case.treated)
        look = draw_look(recipe.spine, rng)
        scanner = draw_scanner(recipe.scanner, rng)
        spine = build_spine(shape)
        rendered = render(spine, grid_for(spine, scanner), look, scanner, rng)
        bare = Volume(rendered.masks.grid, rendered.hu, scanner.series())
        found = survey(rendered.masks)
        ground = Ground(found, bone_from_mask(rendered.fine, rendered.fine_bone), bare.grid, clefts_of(spine))
        kinds = draw_distractors(recipe.distractors, rng)
        scene = add_distractors(bare, rendered.masks, found, kinds, case.treated, scanner, rng)
        ground = replace(ground, metal=scene.metal)
        for _draws in range(_PLANS):
            plan = _plan(recipe, case, scanner, ground, rng)
            try:
                phantom = implant_on(
                    scene.volume, scene.masks, ground, plan, rng, scanner=scanner, metal_hu=scene.metal_hu
                )
            except AnatomyError as error:
                problem = error
                continue
            origin = {"spine": described(shape), "look": plain(look), "scanner": plain(scanner), "plan": plain(plan)}
            return settled(replace(phantom, origin={**origin, "distractors": list(kinds)}), scanner)
    raise ConfigError(f"Case '{case.id}' could not be made in {_SPINES} spines: {problem}")


def _plan(
    recipe: PhantomRecipe, case: CaseRecipe, look: ScannerLook, ground: Ground, rng: np.random.Generator
) -> ImplantPlan:
    if recipe.cement.form == "flow":
        fills, leaks = draw_cement(
            recipe.cement,
            case.treated,
            case.leak,
            rng,
            reach=case.reach,
            kvp=look.kvp,
            clefts=[level for level in case.treated if level in ground.clefts],
        )
        return ImplantPlan(
            fills=fills, leaks=leaks, psf_sigma_mm=look.psf_sigma_mm, noise_hu=look.noise_hu, clip_hu=look.clip_hu
        )
    density = _draw(recipe.cement.density_hu, rng)
    fills = tuple(
        FillPlan(level=level, volume_mm3=_draw(recipe.cement.volume_mm3, rng), density_hu=density, reach=case.reach)
        for level in case.treated
    )
    leaks = tuple(_leak(leak, rng) for leak in case.leak)
    return ImplantPlan(
        fills=fills,
        leaks=leaks,
        psf_sigma_mm=look.psf_sigma_mm,
        noise_hu=look.noise_hu,
        clip_hu=look.clip_hu,
    )


def _leak(leak: LeakRecipe, rng: np.random.Generator) -> LeakPlan:
    side = leak.side or SIDED[leak.type][int(rng.integers(len(SIDED[leak.type])))]
    subtype = leak.subtype or subtypes_in_turn(leak.type, side, rng)[0]
    return LeakPlan(
        level=leak.level,
        type=leak.type,
        subtype=subtype,
        route=leak.route,
        side=side,
        volume_mm3=leak.volume_mm3,
        size=float(rng.uniform(0.8, 1.3)),
        detached=leak.detached,
    )


def _draw(limits: Range, rng: np.random.Generator) -> float:
    return float(rng.uniform(limits[0], limits[1]))
