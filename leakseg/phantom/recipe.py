"""What a phantom cohort is made of: a frozen recipe, read from TOML; recipe and seed give the same bytes."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.findings import LeakRoute, LeakSubtype, LeakType, Side
from leakseg.phantom.plan import FillReach

Range = tuple[float, float]
"""Lowest and highest value of what is drawn evenly in between."""
_STRICT = {"extra": "forbid"}


@dataclass(frozen=True, kw_only=True)
class SpineRecipe:
    """The spine in view."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    levels: tuple[VertebraLevel, ...] = ()
    """Levels in view, cranial to caudal; empty: the leaks' levels with one neighbour on either side."""
    scale: Range = (0.92, 1.08)
    lordosis_deg_per_level: Range = (3.0, 9.0)
    scoliosis_deg_per_level: Range = (-2.0, 2.0)
    cancellous_hu: Range = (110.0, 230.0)
    cortex_hu: Range = (600.0, 1000.0)
    cortex_mm: Range = (0.9, 1.4)


@dataclass(frozen=True, kw_only=True)
class ScannerRecipe:
    """The grid and the scanner's look."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    slice_mm: float = 1.0
    pixel_mm: float = 0.8
    field_mm: tuple[float, float] = (115.0, 100.0)
    """Field of view backward and leftward."""
    margin_mm: float = 6.0
    """How far the scan goes on above the upper and below the lower vertebra."""
    psf_sigma_mm: Range = (0.5, 0.8)
    noise_hu: Range = (10.0, 30.0)
    clip_hu: float | None = 3071.0


@dataclass(frozen=True, kw_only=True)
class CementRecipe:
    """How much cement, how dense."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    volume_mm3: Range = (1500.0, 4000.0)
    density_hu: Range = (1300.0, 2800.0)


@dataclass(frozen=True, kw_only=True)
class LeakRecipe:
    """One leak that is wanted outright; what is left out is drawn."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    level: VertebraLevel
    type: LeakType
    subtype: LeakSubtype | None = None
    route: LeakRoute | None = None
    side: Side | None = None
    volume_mm3: float | None = None
    detached: bool = False


@dataclass(frozen=True, kw_only=True)
class CaseRecipe:
    """One case that is wanted outright."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    id: str
    treated: tuple[VertebraLevel, ...]
    reach: FillReach = "centre"
    leak: tuple[LeakRecipe, ...] = ()
    missing_slices: tuple[int, ...] = ()
    """Slices (from 0, caudal) that are not written: such a series must be refused."""


@dataclass(frozen=True, kw_only=True)
class DrawRecipe:
    """Cases that are drawn: leak types in turn, each at a level of ``levels``."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    count: int = 0
    leaks: tuple[str, ...] = ("epidural", "foraminal", "venous", "intradiscal", "paravertebral", "none")
    levels: tuple[VertebraLevel, ...] = (
        VertebraLevel.L1,
        VertebraLevel.L2,
        VertebraLevel.L3,
        VertebraLevel.L4,
    )


@dataclass(frozen=True, kw_only=True)
class PhantomRecipe:
    """A whole cohort: cases named outright, then drawn ones."""

    __pydantic_config__: ClassVar[Any] = _STRICT
    seed: int | None = None
    """Used where the command names none."""
    spine: SpineRecipe = SpineRecipe()
    scanner: ScannerRecipe = ScannerRecipe()
    cement: CementRecipe = CementRecipe()
    case: tuple[CaseRecipe, ...] = ()
    draw: DrawRecipe = DrawRecipe()


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
