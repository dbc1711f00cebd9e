"""The scanner that a recipe asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from leakseg.phantom.recipe.values import STRICT, Range


@dataclass(frozen=True, kw_only=True)
class ScannerRecipe:
    """The grid and the scanner's look."""

    __pydantic_config__: ClassVar[Any] = STRICT
    slice_mm: float = 1.0
    pixel_mm: float = 0.8
    field_mm: tuple[float, float] = (115.0, 100.0)
    """Field of view backward and leftward."""
    margin_mm: float = 6.0
    """How far the scan goes on above the upper and below the lower vertebra."""
    psf_sigma_mm: Range = (0.5, 0.8)
    noise_hu: Range = (10.0, 30.0)
    clip_hu: float | None = 3071.0
