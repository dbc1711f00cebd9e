"""The cases that a recipe asks for: named outright, and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from leakseg.anatomy import VertebraLevel
from leakseg.findings import LeakRoute, LeakSubtype, LeakType, Side
from leakseg.phantom.recipe.values import STRICT, Range
from leakseg.phantom.terms import FillReach


@dataclass(frozen=True, kw_only=True)
class LeakRecipe:
    """One leak that is wanted outright; what is left out is drawn."""

    __pydantic_config__: ClassVar[Any] = STRICT
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

    __pydantic_config__: ClassVar[Any] = STRICT
    id: str
    treated: tuple[VertebraLevel, ...]
    reach: FillReach = "centre"
    leak: tuple[LeakRecipe, ...] = ()
    missing_slices: tuple[int, ...] = ()
    """Slices (from 0, caudal) that are not written: such a series must be refused."""


@dataclass(frozen=True, kw_only=True)
class DrawRecipe:
    """Cases that are drawn: a first leak of the types in turn, the others of any type."""

    __pydantic_config__: ClassVar[Any] = STRICT
    count: int = 0
    leaks: tuple[str, ...] = ("epidural", "foraminal", "venous", "intradiscal", "paravertebral", "none")
    """Types in turn; ``none``: cement inside bone only, reaching to the posterior wall, a pedicle or an endplate."""
    levels: tuple[VertebraLevel, ...] = (
        VertebraLevel.L1,
        VertebraLevel.L2,
        VertebraLevel.L3,
        VertebraLevel.L4,
    )
    leaks_per_case: tuple[int, int] = (1, 1)
    """Fewest and most leaks of a case that has any; each number as likely as the next."""
    treated_levels: tuple[int, int] = (1, 1)
    """Fewest and most neighbouring levels treated in a case."""
    leak_volume_mm3: Range | None = None
    """Leak volumes, drawn evenly in their logarithm; None: as the shapes give them."""
