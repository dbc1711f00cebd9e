"""What a recipe puts into the scan that is dense and no cement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from leakseg.phantom.recipe.values import STRICT


@dataclass(frozen=True, kw_only=True)
class DistractorRecipe:
    """Each kind's probability of being there, one by one; 0: never."""

    __pydantic_config__: ClassVar[Any] = STRICT
    screws_and_rods: float = 0.0
    """Pedicle screws with rods at two levels next to one another, not treated where there are such."""
    augmented_screws: float = 0.0
    """Pedicle screws in a treated vertebra, their tips in the cement."""
    clips: float = 0.0
    osteophytes: float = 0.0
    """Bridging from body to body, half of them inside the vertebra masks."""
    facet_arthrosis: float = 0.0
    bone_islands: float = 0.0
    aortic_calcification: float = 0.0
    arterial_contrast: float = 0.0
    caval_contrast: float = 0.0
    epidural_contrast: float = 0.0
    """Contrast in the epidural veins."""
    kidneys: float = 0.0
    """Contrast in the kidneys and ureters."""
    intrathecal_contrast: float = 0.0
    bowel_contrast: float = 0.0
    table: float = 0.0
