"""What cement is wanted where: plans, plain and frozen, before anything is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.errors import ConfigError
from leakseg.findings import LeakRoute, LeakSubtype, LeakType, Side
from leakseg.phantom.look import ScannerLook
from leakseg.phantom.terms import FillEdge, FillPattern, FillReach, LeakForm
from leakseg.volume import Volume

PLANNABLE: dict[tuple[LeakType, LeakSubtype | None], tuple[LeakRoute, ...]] = {
    (LeakType.EPIDURAL, LeakSubtype.CENTRAL): (LeakRoute.BASIVERTEBRAL, LeakRoute.CORTICAL),
    (LeakType.EPIDURAL, LeakSubtype.PARACENTRAL): (LeakRoute.BASIVERTEBRAL, LeakRoute.CORTICAL),
    (LeakType.EPIDURAL, LeakSubtype.PEDICLE_BREACH): (LeakRoute.CORTICAL,),
    (LeakType.FORAMINAL, None): (LeakRoute.CORTICAL, LeakRoute.SEGMENTAL),
    (LeakType.VENOUS, LeakSubtype.SEGMENTAL): (LeakRoute.SEGMENTAL,),
    (LeakType.VENOUS, LeakSubtype.ANTERIOR_EXTERNAL): (LeakRoute.SEGMENTAL,),
    (LeakType.VENOUS, LeakSubtype.ASCENDING_LUMBAR): (LeakRoute.SEGMENTAL,),
    (LeakType.VENOUS, LeakSubtype.CAVAL): (LeakRoute.SEGMENTAL,),
    (LeakType.INTRADISCAL, None): (LeakRoute.DISC,),
    (LeakType.PARAVERTEBRAL, LeakSubtype.SOFT_TISSUE): (LeakRoute.CORTICAL,),
    (LeakType.PARAVERTEBRAL, LeakSubtype.NEEDLE_TRACK): (LeakRoute.NEEDLE,),
}
"""Every kind of leak that can be made, with its routes."""


@dataclass(frozen=True, kw_only=True)
class FillPlan:
    """Cement inside one vertebra: how much, how dense, how far it reaches, and more to which side."""

    level: VertebraLevel
    volume_mm3: float = 2500.0
    density_hu: float = 1900.0
    reach: FillReach = "centre"
    lean: Literal["left", "right", "none"] = "none"
    pattern: FillPattern = "single"
    """One blob; one on the side it leans to; one on either side; a flat lens, in the fracture's cleft where known."""
    edge: FillEdge = "rough"
    """How cement ends among trabeculae: in waves, or in fine fingers."""
    bubbles: int = 0
    """Voids of 1 to 3 mm in it; the volume does not count them."""
    clump_fraction: float = 0.0
    """Standard deviation of its density over the mean, in clumps about 2 mm wide."""


@dataclass(frozen=True, kw_only=True)
class LeakPlan:
    """One leak; ``side`` None takes it as it falls, ``volume_mm3`` None as its shape gives it."""

    level: VertebraLevel
    type: LeakType
    subtype: LeakSubtype | None = None
    route: LeakRoute | None = None
    side: Side | None = None
    volume_mm3: float | None = None
    size: float = 1.0
    """Scale of the shape's thickness; 1 is the usual."""
    detached: bool = False
    below: bool | None = None
    """For discs and foramina: the one below the vertebra or the one above; None: as it falls."""
    form: LeakForm = "plain"
    """``flow``: branching veins, spread, and every wanted volume; thickness and length grow with the volume."""
    into_foramen: bool = False
    """An epidural leak that goes on into the foramen: two leaks of one piece, ``volume_mm3`` of both."""
    bridges: bool = False
    """A leak through the disc that hangs on the cement of the neighbour too, which must be treated."""

    def __post_init__(self) -> None:
        if (self.type, self.subtype) not in PLANNABLE:
            raise ConfigError(f"No leak of type {self.type} and subtype {self.subtype} can be made.")
        if self.route is not None and self.route not in PLANNABLE[self.type, self.subtype]:
            raise ConfigError(f"A leak of type {self.type} and subtype {self.subtype} has no route {self.route}.")
        if self.subtype is LeakSubtype.CAVAL and self.side not in {None, Side.RIGHT}:
            raise ConfigError("The vena cava runs on the right: a caval leak has no other side.")
        if self.into_foramen and (self.type, self.subtype) != (LeakType.EPIDURAL, LeakSubtype.PARACENTRAL):
            raise ConfigError("Only a paracentral epidural leak goes on into the foramen.")
        if self.bridges and self.type is not LeakType.INTRADISCAL:
            raise ConfigError("Only a leak into the disc bridges two levels.")
        if self.detached and self.bridges:
            raise ConfigError("A leak cannot both be detached and bridge two levels.")


@dataclass(frozen=True, kw_only=True)
class ImplantPlan:
    """All cement of one case, and the look of the scanner that sees it."""

    fills: tuple[FillPlan, ...]
    leaks: tuple[LeakPlan, ...] = ()
    psf_sigma_mm: float = 0.6
    noise_hu: float = 15.0
    clip_hu: float | None = 3071.0

    def __post_init__(self) -> None:
        treated = {fill.level for fill in self.fills}
        for leak in self.leaks:
            if leak.level not in treated:
                raise ConfigError(f"A leak from {leak.level} needs cement inside {leak.level}: add a fill there.")


@dataclass(frozen=True, kw_only=True)
class LeakTruth:
    """One leak as it truly is; fields as in `leakseg.findings.Leak`."""

    id: int
    type: LeakType
    subtype: LeakSubtype | None
    route: LeakRoute | None
    level: VertebraLevel
    segment: str
    side: Side
    volume_mm3: float
    centroid_mm: tuple[float, float, float]
    canal_encroachment_fraction: float | None
    connected: bool
    fraction_in_place: float
    """Share of the shape outside bone that lay in its place before it was cut to it."""
    component: int = 0
    """Leaks with the same number are one piece of cement, cut by place."""


@dataclass(frozen=True, kw_only=True)
class CementTruth:
    """Cement volumes over the case and by level (inside bone)."""

    total_volume_mm3: float
    inside_volume_mm3: float
    leaked_volume_mm3: float
    inside_by_level_mm3: dict[VertebraLevel, float]
    density_hu_by_level: dict[VertebraLevel, float]


@dataclass(frozen=True, eq=False)
class Phantom:
    """A scan with known cement.

    ``leak_labels`` holds leak ids, ``cement_labels`` 1 inside and 2 outside bone, both ``(K, J, I)`` on the
    scan's grid where cement covers at least half a voxel. ``canal`` is the canal as the truth uses it.
    """

    volume: Volume
    masks: SpineMasks
    canal: NDArray[np.bool_]
    leaks: tuple[LeakTruth, ...]
    cement: CementTruth
    leak_labels: NDArray[np.uint8]
    cement_labels: NDArray[np.uint8]
    origin: dict[str, Any]
    """How it was made: plan or recipe and seed, for truth.json."""
    look: ScannerLook = field(default_factory=ScannerLook)
    """The scanner: its files lie as it lay."""
