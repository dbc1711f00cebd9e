"""The scanner that a recipe asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from leakseg.phantom.look import KernelName, Position
from leakseg.phantom.recipe.values import STRICT, Range

OneOrRange: TypeAlias = float | Range
"""One value, or the ends between which it is drawn evenly."""


@dataclass(frozen=True, kw_only=True)
class ScannerRecipe:
    """The grid and the scanner's look; weights need not add up to one."""

    __pydantic_config__: ClassVar[Any] = STRICT
    slice_mm: OneOrRange = 1.0
    """Slice thickness."""
    overlap_fraction: OneOrRange = 0.0
    """How much of a slice the next one takes again: 1.5 mm slices every 0.75 mm overlap by 0.5."""
    pixel_mm: OneOrRange = 0.8
    field_mm: tuple[float, float] = (115.0, 100.0)
    """Field of view backward and leftward."""
    margin_mm: float = 6.0
    """How far the scan goes on above the upper and below the lower vertebra."""
    kernels: dict[KernelName, float] = field(default_factory=lambda: {"gaussian": 1.0})
    psf_sigma_mm: Range = (0.5, 0.8)
    """Point spread of the kernel ``gaussian``; the other kernels have their own."""
    noise_hu: Range = (10.0, 30.0)
    """Standard deviation in soft tissue, whatever the kernel; passed over where ``tube_mas`` is given."""
    tube_mas: Range | None = None
    """Dose: noise then follows from it, from the patient's size, slice thickness, tube voltage and kernel."""
    patient_mm: Range = (240.0, 360.0)
    """Diameter of the water cylinder that weakens the beam as the patient does."""
    kvps: dict[float, float] = field(default_factory=lambda: {120.0: 1.0})
    """Tube voltages with their weights."""
    clip_hu: float | None = 3071.0
    streak_strength: OneOrRange = 0.0
    """Streaks of cement and metal: 0 none, 1 those of a scanner without metal artefact reduction."""
    tilt_deg: OneOrRange = 0.0
    """Gantry tilt; positive where slices rise backward."""
    positions: dict[Position, float] = field(default_factory=lambda: {"HFS": 1.0})
    turn_deg: tuple[OneOrRange, OneOrRange, OneOrRange] = (0.0, 0.0, 0.0)
    """How the patient lies askew: turned about the long axis, leaning to the side, leaning forward."""
    off_centre_mm: tuple[OneOrRange, OneOrRange] = (0.0, 0.0)
    """How far the spine lies off its usual place in the field, backward and leftward."""
    motion_mm: OneOrRange = 0.0
    """Largest sideways step between groups of slices where the patient moved."""
    motions: int = 1
    """How many times the patient moved, where he moves at all."""
