"""Phantoms from recipe and seed: a spine, cement in it, a scanner that saw it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.errors import AnatomyError, ConfigError
from leakseg.geometry import Grid
from leakseg.phantom.cohort import SIDED, plain, subtypes_in_turn
from leakseg.phantom.implant import implant_on
from leakseg.phantom.morphometry import SIZES
from leakseg.phantom.plan import FillPlan, ImplantPlan, LeakPlan, Phantom
from leakseg.phantom.recipe import CaseRecipe, LeakRecipe, PhantomRecipe, Range, ScannerRecipe
from leakseg.phantom.render import TissueLook, render
from leakseg.phantom.site import Ground, bone_from_mask
from leakseg.phantom.spine import Spine, SpineShape, build_spine
from leakseg.phantom.survey import survey
from leakseg.volume import SeriesInfo, Volume

_SPINES, _PLANS = 5, 3
"""How many spines are tried for a case, and how many plans in each."""
_UNTREATED = (VertebraLevel.L2, VertebraLevel.L3, VertebraLevel.L4)
"""Levels in view where a recipe neither names nor treats any."""


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
        shape = SpineShape(
            levels=recipe.spine.levels or _in_view(case),
            scale=_draw(recipe.spine.scale, rng),
            lordosis_deg_per_level=_draw(recipe.spine.lordosis_deg_per_level, rng),
            scoliosis_deg_per_level=_draw(recipe.spine.scoliosis_deg_per_level, rng),
        )
        look = TissueLook(
            cancellous_hu=_draw(recipe.spine.cancellous_hu, rng),
            cortex_hu=_draw(recipe.spine.cortex_hu, rng),
            cortex_mm=_draw(recipe.spine.cortex_mm, rng),
            psf_sigma_mm=_draw(recipe.scanner.psf_sigma_mm, rng),
            noise_hu=_draw(recipe.scanner.noise_hu, rng),
        )
        spine = build_spine(shape)
        rendered = render(spine, grid_round(spine, recipe.scanner), look, rng)
        masks = rendered.masks
        ground = Ground(survey(masks), bone_from_mask(rendered.fine, rendered.fine_bone), masks.grid)
        series = SeriesInfo(kvp=120.0, kernel="PHANTOM", slice_thickness_mm=recipe.scanner.slice_mm)
        for _draws in range(_PLANS):
            plan = _plan(recipe, case, look, rng)
            try:
                phantom = implant_on(Volume(masks.grid, rendered.hu, series), masks, ground, plan, rng)
            except AnatomyError as error:
                problem = error
                continue
            return replace(phantom, origin={"spine": plain(shape), "look": plain(look), "plan": plain(plan)})
    raise ConfigError(f"Case '{case.id}' could not be made in {_SPINES} spines: {problem}")


def grid_round(spine: Spine, scanner: ScannerRecipe) -> Grid:
    """An axial grid that holds the spine's bodies with a margin; the origin's canal lies a bit behind its middle."""
    low = min(
        float((pose.origin + pose.axes[0] * -0.5 * pose.size.body_height_mm + lean)[2])
        for pose in spine.poses
        for lean in (0 * pose.axes[1], -45.0 * pose.axes[1])
    )
    high = max(
        float((pose.origin + pose.axes[0] * 0.5 * pose.size.body_height_mm + lean)[2])
        for pose in spine.poses
        for lean in (0 * pose.axes[1], -45.0 * pose.axes[1])
    )
    slices = int(np.ceil((high - low + 2 * scanner.margin_mm) / scanner.slice_mm))
    rows, columns = (int(np.ceil(mm / scanner.pixel_mm)) for mm in scanner.field_mm)
    affine = np.eye(4)
    affine[:3, 0] = [0.0, 0.0, scanner.slice_mm]
    affine[:3, 1] = [0.0, scanner.pixel_mm, 0.0]
    affine[:3, 2] = [scanner.pixel_mm, 0.0, 0.0]
    corner = [-(columns - 1) / 2 * scanner.pixel_mm, -0.58 * (rows - 1) * scanner.pixel_mm, low - scanner.margin_mm]
    affine[:3, 3] = np.round(corner, 3)
    return Grid((slices, rows, columns), affine)


def _in_view(case: CaseRecipe) -> tuple[VertebraLevel, ...]:
    """The treated levels with one neighbour on either side, as far as they can be built; none treated: L2 to L4."""
    known = list(SIZES)
    if not case.treated:
        return _UNTREATED
    try:
        places = [known.index(level) for level in case.treated]
    except ValueError:
        raise ConfigError(f"Phantoms are built from {', '.join(SIZES)}; case '{case.id}' treats another.") from None
    return tuple(known[max(min(places) - 1, 0) : max(places) + 2])


def _plan(recipe: PhantomRecipe, case: CaseRecipe, look: TissueLook, rng: np.random.Generator) -> ImplantPlan:
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
        clip_hu=recipe.scanner.clip_hu,
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
