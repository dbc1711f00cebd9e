"""What a phantom cohort is made of: a frozen recipe, read from TOML; recipe and seed give the same bytes."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from typing import Any, ClassVar, Literal

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.phantom.recipe.cases import CaseRecipe, DrawRecipe, LeakRecipe
from leakseg.phantom.recipe.cement import CementRecipe
from leakseg.phantom.recipe.checks import check_leak_types, check_values
from leakseg.phantom.recipe.distractors import DistractorRecipe
from leakseg.phantom.recipe.mask_faults import MaskFaultRecipe
from leakseg.phantom.recipe.scanner import ScannerRecipe
from leakseg.phantom.recipe.spine import SpineRecipe
from leakseg.phantom.recipe.values import STRICT, Range

__all__ = [
    "CaseRecipe",
    "CementRecipe",
    "DistractorRecipe",
    "DrawRecipe",
    "GroupRecipe",
    "LeakRecipe",
    "MaskFaultRecipe",
    "PhantomRecipe",
    "Range",
    "ScannerRecipe",
    "SpineRecipe",
    "default_recipe",
    "override",
    "read_recipe",
    "scaled",
]


@dataclass(frozen=True, kw_only=True)
class PhantomRecipe:
    """A whole cohort: cases named outright, then drawn ones, then those of each group."""

    __pydantic_config__: ClassVar[Any] = STRICT
    seed: int | None = None
    """Used where the command names none."""
    spine: SpineRecipe = field(default_factory=SpineRecipe)
    scanner: ScannerRecipe = field(default_factory=ScannerRecipe)
    distractors: DistractorRecipe = field(default_factory=DistractorRecipe)
    cement: CementRecipe = field(default_factory=CementRecipe)
    case: tuple[CaseRecipe, ...] = ()
    draw: DrawRecipe = field(default_factory=DrawRecipe)
    mask_fault: MaskFaultRecipe = field(default_factory=MaskFaultRecipe)
    masks_as: Literal["nifti", "seg"] = "nifti"
    """What the masks are written as: NIfTI with a labels.toml, or one DICOM SEG."""
    group: tuple[GroupRecipe, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GroupRecipe:
    """A stratum of the cohort: its own count of drawn cases, and what it has in place of the cohort's recipe."""

    __pydantic_config__: ClassVar[Any] = STRICT
    name: str
    count: int
    same_as: str | None = None
    """Another group whose seeds this one uses. With other masks alone the same phantoms come back, scan and all; what
    else differs, a scanner too, is drawn from, so that cement and leaks are other ones in much the same spine."""
    recipe: PhantomRecipe
    """In the file: the group's own tables, laid over the cohort's key by key."""


def read_recipe(path: Path) -> PhantomRecipe:
    """Read a recipe; every key must be known and every value in its kind.

    Raises
    ------
    ConfigError
        Where the file cannot be read, or the first thing that is wrong in it.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        table = _with_groups(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"The phantom recipe cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # no TOML, a number of thousands of digits, nested without end
        raise ConfigError(f"The phantom recipe is no valid TOML: {error}.") from error
    try:
        recipe = TypeAdapter(PhantomRecipe).validate_json(json.dumps(table, default=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        unknown = first["type"] == "unexpected_keyword_argument"
        problem = "there is no such key" if unknown else first["msg"]
        raise ConfigError(f"The phantom recipe is wrong at {place}: {problem}.") from error
    check_values(recipe)
    _check_groups(recipe.group)
    return recipe


_GROUPS_OWN = ("name", "count", "same_as")
_COHORTS_OWN = ("seed", "case", "group")


def _with_groups(table: dict[str, Any]) -> dict[str, Any]:
    """The file's table, each group with a whole recipe: the cohort's with the group's keys laid over it."""
    groups = table.get("group")
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        return table
    shared = {name: value for name, value in table.items() if name not in {"group", "case", "seed"}}
    _check_counts(table)
    told = []
    for group in groups:
        _check_counts(group, f"group '{group.get('name', '')}'")
        named = {name: group[name] for name in _GROUPS_OWN if name in group}
        own = {name: value for name, value in group.items() if name not in _GROUPS_OWN}
        told.append({**named, "recipe": _laid_over(shared, own)})
    return {**table, "group": told}


def _check_counts(table: dict[str, Any], group: str | None = None) -> None:
    """Refuse what would be passed over: a count of drawn cases beside groups, and in a group what the cohort has."""
    draw = table.get("draw")
    if isinstance(draw, dict) and draw.get("count"):
        raise ConfigError(
            f"The phantom recipe has draw.count{f' in {group}' if group else ' beside groups'}: each group's own count "
            "says how many cases it has."
        )
    for name in _COHORTS_OWN if group else ():
        if name in table:
            raise ConfigError(f"The phantom recipe has '{name}' in {group}: it belongs to the whole cohort.")


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        under = below.get(name)
        merged[name] = _laid_over(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _check_groups(groups: tuple[GroupRecipe, ...]) -> None:
    counts: dict[str, int] = {}
    for group in groups:
        if group.name in counts:
            raise ConfigError(f"The phantom recipe has two groups '{group.name}'.")
        if group.same_as is not None and counts.get(group.same_as, -1) < group.count:
            raise ConfigError(
                f"Group '{group.name}' wants {group.count} phantoms of group '{group.same_as}', which must stand "
                f"before it with as many."
            )
        counts[group.name] = group.count


def default_recipe() -> PhantomRecipe:
    """Five leak types and a control in turn, ten cases."""
    return PhantomRecipe(draw=DrawRecipe(count=10))


def scaled(recipe: PhantomRecipe, fraction: float) -> PhantomRecipe:
    """The recipe with that fraction of each count, rounded up: a small study of the same make.

    Raises
    ------
    ConfigError
        Where the fraction is not above 0 and at most 1.
    """
    if not 0 < fraction <= 1:
        raise ConfigError(f"A fraction of a cohort lies above 0 and is at most 1; {fraction:g} does not.")
    draw = replace(recipe.draw, count=ceil(recipe.draw.count * fraction))
    groups = tuple(replace(group, count=ceil(group.count * fraction)) for group in recipe.group)
    return replace(recipe, draw=draw, group=groups)


def override(
    recipe: PhantomRecipe,
    *,
    count: int | None = None,
    leaks: tuple[str, ...] | None = None,
    levels: tuple[VertebraLevel, ...] | None = None,
) -> PhantomRecipe:
    """The recipe with what a command line names in place of its own.

    Every group draws from them; cases that the recipe names outright stay as they are.

    Raises
    ------
    ConfigError
        Where a leak type does not exist, the count is negative, or there is no drawn case that could take them.
    """
    draw = recipe.draw
    if count is not None:
        if count < 0:
            raise ConfigError(f"A cohort cannot have {count} cases.")
        if recipe.group:
            raise ConfigError("A recipe with groups says how many cases each has; take a fraction of them instead.")
        draw = replace(draw, count=count)
    if (leaks or levels) and recipe.case and not (draw.count or recipe.group):
        raise ConfigError("The recipe names all its cases outright; leak types and levels are chosen for drawn ones.")
    check_leak_types(leaks or ())
    groups = tuple(
        replace(group, recipe=replace(group.recipe, draw=_drawing(group.recipe.draw, leaks, levels)))
        for group in recipe.group
    )
    return replace(recipe, draw=_drawing(draw, leaks, levels), group=groups)


def _drawing(draw: DrawRecipe, leaks: tuple[str, ...] | None, levels: tuple[VertebraLevel, ...] | None) -> DrawRecipe:
    return replace(draw, leaks=leaks or draw.leaks, levels=levels or draw.levels)
