"""Solids that only spines have: the waisted body, and the canal swept along its line."""

from __future__ import annotations

from dataclasses import dataclass
from math import gamma

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray
from leakseg.phantom.canal_line import CanalLine
from leakseg.phantom.solids import Box

_ROUND = 2.6
"""Exponent of the outlines: between an ellipse (2) and a rectangle."""


@dataclass(frozen=True, eq=False)
class VertebralBody:
    """A body with a waist at sides and front, sunk endplates and a straight back.

    ``axes`` are rows superior, posterior, left; ``height_mm`` is that of its back.
    """

    centre: FloatArray
    axes: FloatArray
    width_mm: float
    depth_mm: float
    height_mm: float
    waist: float
    sink_mm: float
    more_sink_mm: float = 0.0
    """How much deeper a biconcave fracture pressed each endplate in, over its inner two thirds."""
    front_loss_mm: float = 0.0
    """How much lower the upper endplate stands in front than at the back."""

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """First-order distance, rounded at the rims by 1 mm."""
        local = (points - self.centre) @ self.axes.T
        z, y, x = (np.ascontiguousarray(local[..., axis], dtype=np.float32) for axis in range(3))
        half = self.height_mm / 2
        narrow = 1 - self.waist * np.clip(1 - (z / half) ** 2, 0.0, 1.0)
        a = self.width_mm / 2 * narrow
        b = self.depth_mm / 2 * np.where(y > 0, 1.0, 0.35 + 0.65 * narrow)
        ax, by = np.abs(x) / a, np.abs(y) / b
        f = (ax**_ROUND + by**_ROUND) ** (1 / _ROUND)
        round_2 = ax * ax + by * by
        slope = np.sqrt((ax / a) ** 2 + (by / b) ** 2) / np.sqrt(np.maximum(round_2, 1e-12))
        side = (f - 1) / np.maximum(slope, 1e-6)
        sunk = self.sink_mm * np.clip(1 - round_2, 0.0, 1.0)
        if self.more_sink_mm:
            sunk = sunk + self.more_sink_mm * np.clip(1 - round_2 / 0.8, 0.0, 1.0) ** 0.5
        if self.front_loss_mm:
            fall = self.front_loss_mm * np.clip(0.5 - y / self.depth_mm, 0.0, 1.0)
            steep = np.hypot(1.0, self.front_loss_mm / self.depth_mm)
            cap = np.maximum((z - half + sunk + fall) / steep, -z - half + sunk)
        else:
            cap = np.abs(z) - (half - sunk)
        outside = np.hypot(np.maximum(side + 1, 0.0), np.maximum(cap + 1, 0.0))
        return np.asarray(outside + np.minimum(np.maximum(side, cap) + 1, 0.0) - 1)

    @property
    def volume_mm3(self) -> float:
        """Volume by formula, the rounding of the rims left out; a body without a waist only."""
        if self.waist or self.more_sink_mm:
            msg = "Only a body without a waist and without a biconcave fracture has a volume by formula."
            raise ValueError(msg)
        a, b = self.width_mm / 2, self.depth_mm / 2
        area = 4 * a * b * gamma(1 + 1 / _ROUND) ** 2 / gamma(1 + 2 / _ROUND)
        dishes = 2 * self.sink_mm * np.pi * a * b / 2
        return float(area * (self.height_mm - self.front_loss_mm / 2) - dishes)

    def box(self) -> Box:
        """A box that holds it."""
        half = np.array([self.height_mm, self.depth_mm, self.width_mm]) / 2
        reach = np.abs(self.axes * half[:, None]).sum(axis=0)
        return self.centre - reach, self.centre + reach


@dataclass(frozen=True, eq=False)
class CanalTube:
    """The canal: a rounded section swept along the line; sizes by ``s`` ``(N,)``, one a millimetre."""

    line: CanalLine
    width_mm: FloatArray
    depth_mm: FloatArray
    shrink_mm: float = 0.0
    """Taken off all round: the dural sac is a narrower canal."""

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """First-order distance square to the line."""
        return self.distance_of(self.line.to_suv(points))

    def distance_of(self, suv: NDArray[np.floating]) -> FloatArray:
        """The same for canal coordinates ``(..., 3)``."""
        rows = np.clip(suv[..., 0], 0, len(self.width_mm) - 1.0)
        steps = np.arange(len(self.width_mm))
        power = 3.4
        a = np.maximum(np.interp(rows, steps, self.width_mm) / 2 - self.shrink_mm, 0.5)
        b = np.maximum(np.interp(rows, steps, self.depth_mm) / 2 - self.shrink_mm, 0.5)
        u, v = np.abs(suv[..., 1]), np.abs(suv[..., 2])
        f = ((v / a) ** power + (u / b) ** power) ** (1 / power)
        slope = np.hypot(v / a**2, u / b**2) / np.maximum(np.hypot(v / a, u / b), 1e-6)
        return np.asarray((f - 1) / np.maximum(slope, 1e-6), dtype=np.float64)

    def box(self) -> Box:
        """A box that holds it."""
        reach = float(self.width_mm.max())
        return self.line.points.min(axis=0) - reach, self.line.points.max(axis=0) + reach
