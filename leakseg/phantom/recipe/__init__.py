"""What a phantom cohort is made of: a frozen recipe, read from TOML; recipe and seed give the same bytes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.findings import LeakType
from leakseg.phantom.recipe.cases import CaseRecipe, DrawRecipe, LeakRecipe
from leakseg.phantom.recipe.cement import CementRecipe
from leakseg.phantom.recipe.scanner import ScannerRecipe
from leakseg.phantom.recipe.spine import SpineRecipe
from leakseg.phantom.recipe.values import STRICT, Range

__all__ = [
    "CaseRecipe",
    "CementRecipe",
    "DrawRecipe",
    "LeakRecipe",
    "PhantomRecipe",
    "Range",
    "ScannerRecipe",
    "SpineRecipe",
    "default_recipe",
    "override",
    "read_recipe",
]


@dataclass(frozen=True, kw_only=True)
class PhantomRecipe:
    """A whole cohort: cases named outright, then drawn ones."""

    __pydantic_config__: ClassVar[Any] = STRICT
    seed: int | None = None
    """Used where the command names none."""
    spine: SpineRecipe = field(default_factory=SpineRecipe)
    scanner: ScannerRecipe = field(default_factory=ScannerRecipe)
    cement: CementRecipe = field(default_factory=CementRecipe)
    case: tuple[CaseRecipe, ...] = ()
    draw: DrawRecipe = field(default_factory=DrawRecipe)


def read_recipe(path: Path) -> PhantomRecipe:
    """Read a recipe; every key must be known and every value in its kind.

    Raises
    ------
    ConfigError
        Where the file cannot be read, or the first thing that is wrong in it.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The phantom recipe cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The phantom recipe is no valid TOML: {error}.") from error
    try:
        return TypeAdapter(PhantomRecipe).validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"The phantom recipe is wrong at {place}: {first['msg']}.") from error


def default_recipe() -> PhantomRecipe:
    """Five leak types and a control in turn, ten cases."""
    return PhantomRecipe(draw=DrawRecipe(count=10))


def override(
    recipe: PhantomRecipe,
    *,
    count: int | None = None,
    leaks: tuple[str, ...] | None = None,
    levels: tuple[VertebraLevel, ...] | None = None,
) -> PhantomRecipe:
    """The recipe with what a command line names in place of its own.

    Raises
    ------
    ConfigError
        Where a leak type does not exist or the count is negative.
    """
    draw = recipe.draw
    if count is not None:
        if count < 0:
            raise ConfigError(f"A cohort cannot have {count} cases.")
        draw = replace(draw, count=count)
    draw = replace(draw, leaks=leaks or draw.leaks, levels=levels or draw.levels)
    known = {*LeakType, "none"} - {LeakType.UNDETERMINED}
    for name in draw.leaks:
        if name not in known:
            raise ConfigError(f"There is no leak type '{name}'; choose from {', '.join(sorted(known))}.")
    return replace(recipe, draw=draw)
