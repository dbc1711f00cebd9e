"""The mask faults that a recipe asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from leakseg.phantom.mask_faults import MaskFault
from leakseg.phantom.recipe.values import STRICT


@dataclass(frozen=True, kw_only=True)
class MaskFaultRecipe:
    """How often the written masks err, and how; the truth never does."""

    __pydantic_config__: ClassVar[Any] = STRICT
    weights: dict[MaskFault | Literal["none"], float] = field(default_factory=dict)
    """Each fault's weight against the others, ``none`` among them; empty: masks without fault."""
