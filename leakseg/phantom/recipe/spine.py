"""The spine that a recipe asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from leakseg.anatomy import VertebraLevel
from leakseg.phantom.recipe.values import STRICT, Range


@dataclass(frozen=True, kw_only=True)
class SpineRecipe:
    """The spine in view; shares are chances from 0 to 1, drawn case by case."""

    __pydantic_config__: ClassVar[Any] = STRICT
    levels: tuple[VertebraLevel, ...] = ()
    """Levels in view, cranial to caudal; empty: the leaks' levels with neighbours on either side."""
    neighbours: tuple[int, int] = (1, 1)
    """Fewest and most neighbours in view on either side of the treated levels."""
    scale: Range = (0.92, 1.08)
    size_spread: float = 0.0
    """How far each length of each vertebra may stray from the scaled mean, as a share of it."""
    lordosis_deg_per_level: Range = (3.0, 9.0)
    scoliosis_deg_per_level: Range = (-2.0, 2.0)
    curvature: Literal["even", "natural"] = "even"
    """``natural``: by region, from the three ranges below, in place of the two per level."""
    thoracic_kyphosis_deg: Range = (15.0, 50.0)
    lumbar_lordosis_deg: Range = (25.0, 60.0)
    scoliosis_share: float = 0.25
    scoliosis_cobb_deg: Range = (10.0, 35.0)
    """Of those who have one; to the left or the right."""
    turn_deg: Range = (-3.0, 3.0)
    """Turn of each vertebra about its own axis, besides the scoliosis'; ``natural`` only."""
    fracture_share: float = 0.0
    """Of the treated levels."""
    other_fracture_share: float = 0.0
    """Of the other levels between T5 and L5."""
    fracture_loss: Range = (0.2, 0.5)
    """Share of the height."""
    retropulsion_mm: Range = (0.0, 4.0)
    """Of a crushed body's posterior wall."""
    cleft_share: float = 0.3
    """Of the broken bodies."""
    t13_share: float = 0.0
    l6_share: float = 0.0
    sacralised_share: float = 0.0
    """A last lumbar vertebra that has grown into the sacrum on one side or both."""
    ribs: bool = False
    rib_droop_deg: Range = (12.0, 35.0)
    last_rib_mm: Range = (30.0, 140.0)
    pelvis: bool = False
    """Ilia beside the sacrum."""
    cropped_share: float = 0.0
    """Scans that end inside the uppermost or the lowest vertebra, or both."""
    narrow_share: float = 0.0
    """Scans with a narrow field of view round the spine."""
    narrow_field_mm: tuple[float, float] = (95.0, 80.0)
    cancellous_hu: Range = (110.0, 230.0)
    cortex_hu: Range = (600.0, 1000.0)
    cortex_mm: Range = (0.9, 1.4)
    endplate_sclerosis_hu: Range = (0.0, 0.0)
    """Added to the bone under the endplates, as much of it as is drawn for each endplate."""
    trabecular_grain: Range = (0.3, 0.3)
    """Standard deviation of cancellous bone as a share of its density, over grains of ``trabecula_mm``."""
    trabecula_mm: Range = (1.6, 1.6)
