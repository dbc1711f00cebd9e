"""Cohorts: the grid of cases an examiner asks for, each from a seed of its own.

Case ids are neutral numbers, so that nothing in a path gives an answer away; truth.json holds the answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.errors import AnatomyError, ConfigError
from leakseg.findings import LeakSubtype, LeakType, Side
from leakseg.phantom.distractors import Scene, add_distractors, draw_distractors
from leakseg.phantom.draw_scanner import drawn
from leakseg.phantom.implant import ground_of, implant_on
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.made import Made, strata_of
from leakseg.phantom.mask_faults import MaskFault, masks_of, with_fault
from leakseg.phantom.own_scanner import look_of
from leakseg.phantom.plan import FillPlan, ImplantPlan, LeakPlan, Phantom
from leakseg.phantom.recipe import PhantomRecipe
from leakseg.phantom.site import Ground
from leakseg.phantom.terms import FillReach
from leakseg.volume import Volume

SIDED: dict[LeakType, tuple[Side, ...]] = {
    LeakType.EPIDURAL: (Side.LEFT, Side.RIGHT, Side.MIDLINE),
    LeakType.FORAMINAL: (Side.LEFT, Side.RIGHT),
    LeakType.VENOUS: (Side.LEFT, Side.RIGHT),
    LeakType.INTRADISCAL: (Side.LEFT, Side.RIGHT),
    LeakType.PARAVERTEBRAL: (Side.LEFT, Side.RIGHT),
}
"""The sides on which each type is made."""

_SUBTYPES: dict[tuple[LeakType, bool], tuple[tuple[LeakSubtype | None, float], ...]] = {
    (LeakType.EPIDURAL, True): ((LeakSubtype.PARACENTRAL, 0.6), (LeakSubtype.PEDICLE_BREACH, 0.4)),
    (LeakType.EPIDURAL, False): ((LeakSubtype.CENTRAL, 1.0),),
    (LeakType.FORAMINAL, True): ((None, 1.0),),
    (LeakType.INTRADISCAL, True): ((None, 1.0),),
    (LeakType.VENOUS, True): (
        (LeakSubtype.SEGMENTAL, 0.5),
        (LeakSubtype.ANTERIOR_EXTERNAL, 0.3),
        (LeakSubtype.ASCENDING_LUMBAR, 0.2),
    ),
    (LeakType.PARAVERTEBRAL, True): ((LeakSubtype.SOFT_TISSUE, 0.5), (LeakSubtype.NEEDLE_TRACK, 0.5)),
}
CONTROL_REACH: tuple[FillReach, ...] = ("posterior_wall", "pedicle", "endplate")


@dataclass(frozen=True)
class Wanted:
    """One case of the grid; ``type`` None is a control: cement inside bone only."""

    level: VertebraLevel
    type: LeakType | None
    side: Side | None
    turn: int = 0


def grid_of_cases(
    levels: Sequence[VertebraLevel],
    types: Sequence[LeakType] = tuple(SIDED),
    sides: Sequence[Side] = (Side.LEFT, Side.RIGHT, Side.MIDLINE),
    *,
    controls_per_level: int = 3,
    count: int | None = None,
) -> tuple[Wanted, ...]:
    """Every type at every level on every side it has, then the controls; cycled or cut to ``count``.

    Raises
    ------
    ConfigError
        Where nothing is asked for.
    """
    cases = [
        Wanted(level, kind, side) for level in levels for kind in types for side in SIDED.get(kind, ()) if side in sides
    ]
    cases += [Wanted(level, None, None, turn) for level in levels for turn in range(controls_per_level)]
    if not cases:
        raise ConfigError("Nothing to make: name at least one level, and types and sides that go together.")
    wanted = len(cases) if count is None else count
    return tuple(cases[number % len(cases)] for number in range(wanted))


def implant_cohort(
    volume: Volume,
    masks: SpineMasks,
    cases: Sequence[Wanted],
    seed: int,
    *,
    mask_fault: MaskFault | None = None,
    group: str | None = None,
    recipe: PhantomRecipe | None = None,
) -> Iterator[Made]:
    """Put each wanted case into the same scan, one at a time; cement is as blurred and noisy as the scan itself.

    Parameters
    ----------
    mask_fault
        How the masks written err; None: not at all.
    group
        What the cases' ids begin with, and UIDs depend on; None: ``case``.
    recipe
        Of it, the distractors and the scanner's streaks are put in; None: neither.

    Raises
    ------
    AnatomyError
        Where a case fits nowhere in this spine in any of its subtypes.
    """
    ground, look = ground_of(masks), look_of(volume, masks)
    for number, wanted in enumerate(cases, start=1):
        rng = np.random.default_rng([seed, number])
        kinds: tuple[str, ...] = ()
        seen_by = look
        if recipe is not None:
            seen_by = replace(look, streak_strength=drawn(recipe.scanner.streak_strength, rng))
            kinds = draw_distractors(recipe.distractors, rng)
        scene = add_distractors(volume, masks, ground.survey, kinds, (wanted.level,), seen_by, rng)
        phantom = _one(scene, replace(ground, metal=scene.metal), wanted, seen_by, rng)
        origin = {
            "kind": "implant",
            "seed": seed,
            "case": number,
            "plan": plain(phantom.origin["plan"]),
            "scanner": plain(seen_by),
            "distractors": list(kinds),
        }
        phantom = replace(phantom, origin=origin)
        yield Made(
            f"{group or 'case'}-{number:03d}",
            f"implant {seed} {number}" + (f" {group}" if group else ""),
            phantom,
            masks_of(phantom) if mask_fault is None else with_fault(phantom, mask_fault, rng),
            group=group,
            strata=strata_of("implant", phantom, mask_fault=mask_fault),
        )


def plan_case(
    wanted: Wanted, subtype: LeakSubtype | None, neighbours: Sequence[VertebraLevel], rng: np.random.Generator
) -> ImplantPlan:
    """A plan for a wanted case, its amounts drawn: fill, density, blur, noise, now and then a treated neighbour."""
    reach: FillReach = "centre" if wanted.type else CONTROL_REACH[wanted.turn % len(CONTROL_REACH)]
    density = float(rng.uniform(1300.0, 2800.0))
    fills = [
        FillPlan(
            level=wanted.level,
            volume_mm3=float(rng.uniform(1500.0, 4000.0)),
            density_hu=density,
            reach=reach,
            lean="none" if wanted.type else ("left", "right", "none")[int(rng.integers(3))],
        )
    ]
    if neighbours and rng.random() < 0.25:
        other = neighbours[int(rng.integers(len(neighbours)))]
        fills.append(FillPlan(level=other, volume_mm3=float(rng.uniform(1500.0, 3000.0)), density_hu=density))
    leaks: tuple[LeakPlan, ...] = ()
    if wanted.type is not None:
        size = float(rng.uniform(0.8, 1.35))
        leaks = (LeakPlan(level=wanted.level, type=wanted.type, subtype=subtype, side=wanted.side, size=size),)
    return ImplantPlan(
        fills=tuple(fills),
        leaks=leaks,
        psf_sigma_mm=float(rng.uniform(0.5, 0.8)),
        noise_hu=float(rng.uniform(10.0, 40.0)),
    )


def plain(value: Any) -> Any:
    """A plan or recipe as data for truth.json."""
    return asdict(value)


def subtypes_in_turn(kind: LeakType, side: Side | None, rng: np.random.Generator) -> tuple[LeakSubtype | None, ...]:
    """The subtypes of a type on a side, drawn by their weights without putting back.

    Raises
    ------
    ConfigError
        Where there is none on the midline.
    """
    choices = _SUBTYPES.get((kind, side is not Side.MIDLINE))
    if choices is None:
        raise ConfigError(f"A {kind} leak lies on the left or the right; only an epidural one lies on the midline.")
    weights = np.array([weight for _subtype, weight in choices])
    order = rng.choice(len(choices), size=len(choices), replace=False, p=weights / weights.sum())
    return tuple(choices[int(index)][0] for index in order)


def _one(scene: Scene, ground: Ground, wanted: Wanted, look: ScannerLook, rng: np.random.Generator) -> Phantom:
    def put(plan: ImplantPlan) -> Phantom:
        return implant_on(scene.volume, scene.masks, ground, plan, rng, scanner=look, metal_hu=scene.metal_hu)

    known = ground.survey.vertebrae
    neighbours = [level for level in known if abs(level.number - wanted.level.number) == 1 and level in _whole(ground)]
    if wanted.type is None:
        return put(plan_case(wanted, None, neighbours, rng))
    problem: AnatomyError | None = None
    for subtype in subtypes_in_turn(wanted.type, wanted.side, rng):
        plan = plan_case(wanted, subtype, neighbours, rng)
        try:
            return put(plan)
        except AnatomyError as error:
            problem = error
    assert problem is not None
    raise problem


def _whole(ground: Ground) -> set[VertebraLevel]:
    """Levels with a neighbour above and below in view: their bodies are whole; the sacrum is never filled."""
    inner = {upper for upper, _lower in ground.survey.gaps} & {lower for _upper, lower in ground.survey.gaps}
    return {level for level in inner if not level.startswith("S")}


def treatable(masks: SpineMasks) -> tuple[VertebraLevel, ...]:
    """Levels whose neighbours above and below are in view: cement can be put in and can leak every way."""
    whole = _whole(ground_of(masks))
    return tuple(level for level in masks.levels() if level in whole)
