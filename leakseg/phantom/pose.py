"""One vertebra in place: its size, where it stands and how it is turned, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import FloatArray
from leakseg.phantom.fracture import Fracture
from leakseg.phantom.morphometry import VertebraSize


@dataclass(frozen=True, eq=False)
class VertebraPose:
    """One vertebra: its healthy size, its origin and its axes (rows superior, posterior, left)."""

    level: VertebraLevel
    size: VertebraSize
    origin: FloatArray
    axes: FloatArray
    fracture: Fracture | None = None
    fused: tuple[float, ...] = ()
    """Sides (+1 left, -1 right) on which a last lumbar vertebra has grown into the sacral ala."""
    below: tuple[VertebraPose, ...] = ()
    """Of S1: the further segments of the sacrum."""

    def at(self, s: float, u: float, v: float) -> FloatArray:
        """Patient point of an offset."""
        return np.asarray(self.origin + np.array([s, u, v]) @ self.axes, dtype=np.float64)

    @property
    def top_mm(self) -> float:
        """Upper end of the posterior wall, as an offset."""
        return self.size.body_height_mm / 2 - (self.fracture.top_loss_mm(self.size) if self.fracture else 0.0)

    @property
    def bottom_mm(self) -> float:
        """Lower end of the posterior wall, as an offset."""
        return -self.size.body_height_mm / 2 + (self.fracture.bottom_loss_mm(self.size) if self.fracture else 0.0)

    @property
    def body_centre(self) -> tuple[float, float]:
        """Offset ``(s, u)`` of the body's centre."""
        return (self.top_mm + self.bottom_mm) / 2, -(self.size.canal_depth_mm + self.size.body_depth_mm) / 2
