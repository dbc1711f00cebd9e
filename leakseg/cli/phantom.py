"""`leakseg phantom`: digital phantoms made from nothing, and known cement put into a real scan."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from leakseg.anatomy import VertebraLevel
from leakseg.cli.room import make_room, others_in
from leakseg.errors import ConfigError, InputError
from leakseg.findings import LeakType, Side
from leakseg.phantom.plan import Phantom

if TYPE_CHECKING:
    from leakseg.phantom.jobs import Job
    from leakseg.phantom.mask_faults import MaskFault

    _Task = Callable[[Job], list[dict[str, Any]]]

_Name = TypeVar("_Name", VertebraLevel, LeakType, Side)
LEAKLESS = "none"
_NAMED = 5


def make(
    out: Path,
    *,
    count: int | None = None,
    seed: int | None = None,
    leaks: str | None = None,
    levels: str | None = None,
    recipe: Path | None = None,
    fraction: float | None = None,
    workers: int = 1,
    as_json: bool = False,
) -> int:
    """Make phantoms under OUT; exit code.

    Parameters
    ----------
    seed
        None: the recipe's own, else 1.
    leaks, levels
        Comma-separated leak types (``none``: a treated case without a leak) and levels; None leaves them to the
        recipe.
    recipe
        A recipe TOML; None: the default recipe.
    fraction
        The share of each count that is made; None: all.
    workers
        Processes; 0: as many as cores. The bytes do not depend on it.

    Raises
    ------
    ConfigError
        Where the recipe or a name is wrong, or a phantom cannot be made from it.
    """
    from leakseg.phantom.jobs import jobs_of
    from leakseg.phantom.recipe import default_recipe, override, read_recipe, scaled

    chosen = default_recipe() if recipe is None else read_recipe(recipe)
    chosen = override(
        chosen,
        count=count,
        leaks=None if leaks is None else tuple(name.strip() for name in leaks.split(",")),
        levels=None if levels is None else _names(levels, VertebraLevel, "level"),
    )
    if fraction is not None:
        chosen = scaled(chosen, fraction)
    rows = []
    for row in chain.from_iterable(_in_processes(partial(_write_job, out), jobs_of(chosen, seed), workers)):
        rows.append(row)
        _tell(row)
    return _close(sorted(rows, key=lambda row: str(row["case_id"])), out, as_json=as_json)


def _write_job(out: Path, job: Job) -> list[dict[str, Any]]:
    from leakseg.phantom.folders import write_made
    from leakseg.phantom.jobs import make_job

    rows = []
    for made in make_job(job):
        make_room(out, made.case_id)
        write_made(made, out)
        rows.append(_row(made.case_id, made.phantom))
    return rows


def _in_processes(task: _Task, jobs: Sequence[Job], workers: int) -> Iterator[list[dict[str, Any]]]:
    """The task over the jobs, in their order."""
    import multiprocessing
    import os
    from concurrent.futures import ProcessPoolExecutor

    count = min(workers or os.cpu_count() or 1, len(jobs))
    if count <= 1:
        yield from map(task, jobs)
        return
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(task, jobs)


def implant(
    scan: Path,
    *,
    masks: Sequence[str] | None,
    out: Path,
    label_scheme: str | None = None,
    types: str | None = None,
    levels: str | None = None,
    sides: str | None = None,
    count: int | None = None,
    seed: int = 1,
    mask_fault: str | None = None,
    group: str | None = None,
    recipe: Path | None = None,
    as_json: bool = False,
) -> int:
    """Put known cement into one scan, case by case over levels, types and sides; exit code.

    Parameters
    ----------
    masks, label_scheme
        As for ``leakseg run``.
    types, levels, sides
        Comma-separated; ``none`` among the types makes controls (cement inside bone only). None: all types and
        controls, every level whose neighbours are in view, every side.
    count
        How many cases: the grid cut short or gone through again. None: the grid once.
    mask_fault
        How the masks written beside the scans err; None: not at all.
    group
        What an evaluation groups these cases by; their ids begin with it.
    recipe
        A recipe TOML whose distractors and streaks are put in; None: neither.

    Raises
    ------
    InputError
        Where the scan or its masks cannot be used, or a leak fits nowhere.
    ConfigError
        Where a name is wrong.
    """
    from leakseg.criteria import ReadingCriteria
    from leakseg.phantom.cohort import SIDED, grid_of_cases, implant_cohort, treatable
    from leakseg.phantom.folders import write_made
    from leakseg.phantom.recipe import read_recipe
    from leakseg.phantom.recipe.checks import names_a_folder
    from leakseg.providers import load_masks, plan_masks
    from leakseg.readers import read_volume, take_inventory

    fault = None if mask_fault is None else _fault(mask_fault)
    if group is not None and not names_a_folder(group):
        raise ConfigError(
            f"The group {group!r} begins the names of folders: no '/' or '\\' in it, no '.' at its beginning."
        )
    chosen = None if recipe is None else read_recipe(recipe)
    criteria = ReadingCriteria()
    sources = [entry.source for entry in take_inventory([scan], criteria).cases() if entry.analysable]
    if len(sources) != 1:
        raise InputError(
            f"Cement is put into one scan at a time, and {len(sources)} usable ones lie there: see `leakseg inspect`."
        )
    read = read_volume(sources[0], criteria)
    volume = read.volume
    plan = plan_masks(masks or ("auto",), sources[0], label_scheme)
    drawn = load_masks(plan, volume)
    spine = drawn.masks
    sys.stderr.write(f"masks: {spine.provider}\n")
    for note in dict.fromkeys((*read.notes, *plan.notes, *drawn.notes)):
        sys.stderr.write(f"{note.severity}: {note.message}\n")
    words = tuple(SIDED) if types is None else _names(types, LeakType, "leak type", also=LEAKLESS)
    cases = grid_of_cases(
        treatable(spine) if levels is None else _names(levels, VertebraLevel, "level"),
        words,
        tuple(Side) if sides is None else _names(sides, Side, "side"),
        controls_per_level=3 if types is None or LEAKLESS in types.split(",") else 0,
        count=count,
    )
    rows = []
    for case in implant_cohort(volume, spine, cases, seed, mask_fault=fault, group=group, recipe=chosen):
        make_room(out, case.case_id)
        write_made(case, out)
        rows.append(_row(case.case_id, case.phantom))
        _tell(rows[-1])
    return _close(rows, out, as_json=as_json)


def _names(text: str, kind: type[_Name], word: str, also: str | None = None) -> tuple[_Name, ...]:
    """Names of a comma-separated list; ``also`` is passed over."""
    found = []
    for name in (part.strip() for part in text.split(",")):
        if name == also:
            continue
        try:
            found.append(kind(name))
        except ValueError:
            choices = ", ".join([*_members(kind), *([also] if also else [])])
            raise ConfigError(f"There is no {word} '{name}'; choose from {choices}.") from None
    return tuple(found)


def _fault(name: str) -> MaskFault:
    from leakseg.phantom.mask_faults import MaskFault

    try:
        return MaskFault(name)
    except ValueError:
        raise ConfigError(f"There is no mask fault '{name}'; choose from {', '.join(MaskFault)}.") from None


def _members(kind: type[StrEnum]) -> tuple[str, ...]:
    return tuple(str(member) for member in kind)


def _row(case_id: str, phantom: Phantom) -> dict[str, Any]:
    return {
        "case_id": case_id,
        "leaks": [
            {"type": str(leak.type), "level": str(leak.level), "side": str(leak.side), "volume_mm3": leak.volume_mm3}
            for leak in phantom.leaks
        ],
        "cement_volume_mm3": phantom.cement.total_volume_mm3,
    }


def _tell(row: dict[str, Any]) -> None:
    leaks = "; ".join(f"{leak['type']} {leak['level']} {leak['side']}" for leak in row["leaks"]) or "no leak"
    sys.stderr.write(f"{row['case_id']}: {leaks}\n")


def _close(rows: Iterable[dict[str, Any]], out: Path, *, as_json: bool) -> int:
    made = list(rows)
    if as_json:
        sys.stdout.write(json.dumps({"cases": made}, indent=2) + "\n")
    else:
        sys.stdout.write(f"{len(made)} case{'s' * (len(made) != 1)} in {out}: scans/, masks/, truth/\n")
    if others := others_in(out, {str(row["case_id"]) for row in made}):
        named = ", ".join(others[:_NAMED]) + (", …" if len(others) > _NAMED else "")
        sys.stderr.write(f"There too, made before ({len(others)}): {named}\n")
    return 0
