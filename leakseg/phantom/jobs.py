"""The cases of a recipe as jobs that can be made in any order: each draws from its seed, group and number alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from leakseg.errors import ConfigError
from leakseg.phantom.draw import draw_case
from leakseg.phantom.made import Made, strata_of
from leakseg.phantom.make import make
from leakseg.phantom.mask_faults import MaskFault, masks_of, with_fault
from leakseg.phantom.plan import Phantom
from leakseg.phantom.recipe import CaseRecipe, MaskFaultRecipe, PhantomRecipe

_DRAWS = 6
"""How many cases are drawn for a number until one can be made."""


@dataclass(frozen=True)
class Seeds:
    """What chance depends on; ``group`` is empty for cases outside any group."""

    seed: int
    group: str
    number: int

    def rng(self, *more: int) -> np.random.Generator:
        """A generator that depends on nothing else; ``more`` sets several of one case apart."""
        group = (crc32(self.group.encode()),) if self.group or more else ()
        return np.random.default_rng([self.seed, self.number, *group, *more])


@dataclass(frozen=True)
class Showing:
    """One case that shows a job's phantom; ``same_as`` is the case whose phantom it shows again."""

    case_id: str
    group: str
    mask_fault: MaskFaultRecipe
    masks_as: str
    same_as: str | None


@dataclass(frozen=True)
class Job:
    """One phantom, drawn or named outright, and the cases that show it: with other masks, the same phantom."""

    recipe: PhantomRecipe
    seeds: Seeds
    named: CaseRecipe | None
    shown: tuple[Showing, ...]


def jobs_of(recipe: PhantomRecipe, seed: int | None = None) -> tuple[Job, ...]:
    """Every job of a recipe.

    Parameters
    ----------
    seed
        None: the recipe's own, else 1.

    Raises
    ------
    ConfigError
        Where the recipe asks for no case, or two would have one name.
    """
    chosen = seed if seed is not None else (recipe.seed if recipe.seed is not None else 1)
    outright = replace(recipe, group=())
    named = len(recipe.case)
    drawn = 0 if recipe.group else recipe.draw.count
    jobs = [
        *(_job(outright, Seeds(chosen, "", number), case, case.id) for number, case in enumerate(recipe.case, start=1)),
        *(_job(outright, Seeds(chosen, "", named + n), None, f"case-{n:03d}") for n in range(1, drawn + 1)),
    ]
    _add_groups(jobs, recipe, chosen)
    if not jobs:
        raise ConfigError("The recipe asks for no case; name cases in it, or a count.")
    _check_names([shown.case_id for job in jobs for shown in job.shown])
    return tuple(jobs)


def _check_names(names: Sequence[str]) -> None:
    """One case of a name would be written over the other, on a disk that knows no small letters too."""
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise ConfigError(f"Two cases of the recipe have the name '{name}'; drawn ones are case-001 and so on.")
        seen.add(name.casefold())


def _add_groups(jobs: list[Job], recipe: PhantomRecipe, seed: int) -> None:
    """The groups' jobs; a case that differs from an earlier one in its masks alone joins that one's job."""
    made: dict[tuple[str, int], int] = {}
    number = 0
    roots: dict[str, str] = {}
    for group in recipe.group:
        roots[group.name] = roots[group.same_as] if group.same_as else group.name
        for count in range(1, group.count + 1):
            number += 1
            seeds = Seeds(seed, roots[group.name], count)
            first = made.get((roots[group.name], count))
            same_as = None if first is None else jobs[first].shown[0].case_id
            job = _job(group.recipe, seeds, None, f"case-{number:03d}", group.name, same_as)
            if first is not None and _look(jobs[first].recipe) == _look(group.recipe):
                jobs[first] = replace(jobs[first], shown=(*jobs[first].shown, *job.shown))
                continue
            made.setdefault((roots[group.name], count), len(jobs))
            jobs.append(job)


def make_cohort(recipe: PhantomRecipe, seed: int | None = None) -> Iterator[Made]:
    """Make every case of a recipe, one at a time; as `jobs_of` and `make_job`."""
    for job in jobs_of(recipe, seed):
        yield from make_job(job)


def make_job(job: Job) -> Iterator[Made]:
    """Make a job's phantom and show it in each of its cases.

    Raises
    ------
    ConfigError
        Where a case cannot be made: one named outright, or none of several drawn.
    """
    case, phantom = _made(job)
    slices = phantom.volume.grid.shape[0]
    if beyond := [number for number in case.missing_slices if number >= slices]:
        raise ConfigError(f"Case '{case.id}' is to lack slice {beyond[0]}, and has {slices}, counted from 0.")
    seeds = job.seeds
    origin = {"kind": "make", "seed": seeds.seed, "case": seeds.number, **phantom.origin}
    if seeds.group:
        origin["drawn_as"] = seeds.group
    phantom = replace(phantom, origin=origin)
    for shown in job.shown:
        rng = Seeds(seeds.seed, shown.group, seeds.number).rng(1)
        fault = _fault(shown.mask_fault, rng)
        text = f"make {seeds.seed} {shown.group} {seeds.number}" if shown.group else f"make {seeds.seed} {seeds.number}"
        yield Made(
            shown.case_id,
            text,
            phantom,
            masks_of(phantom) if fault is None else with_fault(phantom, fault, rng),
            shown.masks_as,
            case.missing_slices,
            shown.group or None,
            strata_of("phantom", phantom, mask_fault=fault, same_as=shown.same_as) if shown.group else None,
        )


def _job(
    recipe: PhantomRecipe,
    seeds: Seeds,
    named: CaseRecipe | None,
    case_id: str,
    group: str = "",
    same_as: str | None = None,
) -> Job:
    return Job(recipe, seeds, named, (Showing(case_id, group, recipe.mask_fault, recipe.masks_as, same_as),))


def _look(recipe: PhantomRecipe) -> PhantomRecipe:
    """All that the phantom depends on."""
    return replace(recipe, mask_fault=MaskFaultRecipe(), masks_as="nifti", draw=replace(recipe.draw, count=0))


def _made(job: Job) -> tuple[CaseRecipe, Phantom]:
    rng = job.seeds.rng()
    if job.named is not None:
        return job.named, make(job.recipe, job.named, rng)
    problem: ConfigError | None = None
    for _ in range(_DRAWS):
        case = draw_case(job.recipe.draw, job.shown[0].case_id, job.seeds.number, rng)
        try:
            return case, make(job.recipe, case, rng)
        except ConfigError as error:
            problem = error
    assert problem is not None
    raise problem


def _fault(recipe: MaskFaultRecipe, rng: np.random.Generator) -> MaskFault | None:
    if not recipe.weights:
        return None
    names = list(recipe.weights)
    weights = np.array([recipe.weights[name] for name in names])
    chosen = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    return None if chosen == "none" else MaskFault(chosen)
