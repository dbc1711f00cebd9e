"""How much cement a recipe asks for, and how dense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from leakseg.phantom.recipe.values import STRICT, Range


@dataclass(frozen=True, kw_only=True)
class CementRecipe:
    """How much cement, how dense."""

    __pydantic_config__: ClassVar[Any] = STRICT
    volume_mm3: Range = (1500.0, 4000.0)
    density_hu: Range = (1300.0, 2800.0)
