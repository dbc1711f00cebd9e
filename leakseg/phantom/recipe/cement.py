"""How much cement a recipe asks for, how dense, and how it flows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from leakseg.phantom.density import Opacifier
from leakseg.phantom.recipe.values import STRICT, Range
from leakseg.phantom.terms import FillEdge, FillPattern, LeakForm


@dataclass(frozen=True, kw_only=True)
class CementRecipe:
    """How much cement, how dense; ``form = "flow"`` for veins that branch and every route there is."""

    __pydantic_config__: ClassVar[Any] = STRICT
    volume_mm3: Range = (1500.0, 4000.0)
    density_hu: Range = (1300.0, 2800.0)
    """Used where no opacifier is named."""
    opacifiers: tuple[Opacifier, ...] = ()
    """One of these for each case: its content is drawn, and density follows from it and the tube voltage."""
    form: LeakForm = "plain"
    """``plain``: simple strands and lumps. ``flow``: everything below too."""
    patterns: tuple[FillPattern, ...] = ("single", "unilateral", "bilateral")
    edges: tuple[FillEdge, ...] = ("rough", "diffuse")
    bubbles: tuple[int, int] = (0, 8)
    """Fewest and most voids in a vertebra's cement."""
    clump_fraction: Range = (0.0, 0.15)
    """How much density varies within cement: standard deviation over mean."""
    detached_fraction: float = 0.1
    """Share of leaks that do not hang on inner cement."""
    combined_fraction: float = 0.15
    """Share of sided epidural leaks from 150 mm3 that reach into the foramen."""
    bridging_fraction: float = 0.3
    """Share of leaks into a disc between two treated levels that bridge them."""
