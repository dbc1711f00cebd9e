"""The spine that a recipe asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from leakseg.anatomy import VertebraLevel
from leakseg.phantom.recipe.values import STRICT, Range


@dataclass(frozen=True, kw_only=True)
class SpineRecipe:
    """The spine in view."""

    __pydantic_config__: ClassVar[Any] = STRICT
    levels: tuple[VertebraLevel, ...] = ()
    """Levels in view, cranial to caudal; empty: the leaks' levels with one neighbour on either side."""
    scale: Range = (0.92, 1.08)
    lordosis_deg_per_level: Range = (3.0, 9.0)
    scoliosis_deg_per_level: Range = (-2.0, 2.0)
    cancellous_hu: Range = (110.0, 230.0)
    cortex_hu: Range = (600.0, 1000.0)
    cortex_mm: Range = (0.9, 1.4)
