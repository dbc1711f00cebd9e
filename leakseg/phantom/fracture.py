"""Fractures of the body: wedge, biconcave and crush, graded by loss of height; fragments and clefts.

Grades after Genant 1993 (doi 10.1002/jbmr.5650080915): mild 20-25 %, moderate 25-40 %, severe over 40 % of the
height, measured in front for a wedge, in the middle for a biconcave fracture, everywhere for a crush. How far
the posterior wall bulges into the canal, and where clefts lie, are [convention].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.phantom.morphometry import VertebraSize

FractureKind = Literal["wedge", "biconcave", "crush"]
CleftContent = Literal["none", "gas", "fluid"]
_CRUSH_TOP = 0.65
"""Share of a crushed body's loss that its upper endplate takes."""


@dataclass(frozen=True, kw_only=True)
class Fracture:
    """One broken body."""

    level: VertebraLevel
    kind: FractureKind
    loss: float
    """Share of the height that is lost, 0 to 0.6."""
    retropulsion_mm: float = 0.0
    """How far the posterior wall's upper part stands in the canal."""
    cleft: CleftContent = "none"

    @property
    def genant_grade(self) -> int:
        """0 none, 1 mild, 2 moderate, 3 severe."""
        return int(np.searchsorted([0.20, 0.25, 0.40], self.loss, side="right"))

    def top_loss_mm(self, size: VertebraSize) -> float:
        """What the posterior wall loses at its upper end."""
        return self.loss * size.body_height_mm * _CRUSH_TOP if self.kind == "crush" else 0.0

    def bottom_loss_mm(self, size: VertebraSize) -> float:
        """What the posterior wall loses at its lower end."""
        return self.loss * size.body_height_mm * (1 - _CRUSH_TOP) if self.kind == "crush" else 0.0

    def front_loss_mm(self, size: VertebraSize) -> float:
        """What the front loses more than the back."""
        return self.loss * size.body_height_mm if self.kind == "wedge" else 0.0

    def sink_mm(self, size: VertebraSize) -> float:
        """How much deeper each endplate is sunk in its middle."""
        return self.loss * size.body_height_mm / 2 if self.kind == "biconcave" else 0.0

    def kyphosis_rad(self, size: VertebraSize) -> float:
        """How far the spine above leans forward over it: discs make good a third of the wedge."""
        return 0.65 * float(np.arctan2(self.front_loss_mm(size), size.body_depth_mm))
