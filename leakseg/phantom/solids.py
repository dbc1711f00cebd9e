"""Solids as signed distances in patient millimetres: negative inside, zero on the surface.

Distances of balls, capsules and boxes are exact; those of ellipsoids and tapering tubes are first-order
near the surface, which is all that partial volume needs. Volumes with a formula give it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray

Box = tuple[FloatArray, FloatArray]
"""Lowest and highest corner, each ``(3,)`` patient mm."""


class Solid(Protocol):
    """A body in patient space."""

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """Signed distance ``(...)`` of points ``(..., 3)``."""
        ...

    def box(self) -> Box:
        """A box that holds it."""
        ...


@dataclass(frozen=True, eq=False)
class Ellipsoid:
    """An ellipsoid; ``axes`` holds three unit vectors as rows, ``radii`` their half lengths in mm."""

    centre: FloatArray
    radii: tuple[float, float, float]
    axes: FloatArray

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """First-order distance (Quilez): exact on the surface and for a ball."""
        radii = np.asarray(self.radii)
        local = (points - self.centre) @ self.axes.T
        scaled = np.linalg.norm(local / radii, axis=-1)
        steep = np.linalg.norm(local / radii**2, axis=-1)
        return np.asarray(np.where(steep > 1e-9, scaled * (scaled - 1) / np.maximum(steep, 1e-9), -radii.min()))

    def box(self) -> Box:
        """A box that holds it."""
        reach = np.sqrt(((self.axes * np.asarray(self.radii)[:, None]) ** 2).sum(axis=0))
        return self.centre - reach, self.centre + reach

    @property
    def volume_mm3(self) -> float:
        """Volume by formula."""
        return float(4 / 3 * np.pi * np.prod(self.radii))


def ball(centre: FloatArray, radius_mm: float) -> Ellipsoid:
    """A ball: its distance is exact."""
    return Ellipsoid(np.asarray(centre, dtype=np.float64), (radius_mm, radius_mm, radius_mm), np.eye(3))


@dataclass(frozen=True, eq=False)
class Tube:
    """A curved tube along ``path`` ``(N, 3)`` whose radius runs through ``radii`` ``(N,)``, ends rounded.

    ``squash`` over 1 flattens it along the unit vector ``normal``: a strand becomes a ribbon; under 1 it widens it.
    """

    path: FloatArray
    radii: FloatArray
    normal: FloatArray | None = None
    squash: float = 1.0

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """Distance to the nearest piece, its radius taken off."""
        path, points = self._squashed(np.asarray(self.path, dtype=np.float64)), self._squashed(points)
        best = np.full(points.shape[:-1], np.inf)
        for start, end, r0, r1 in zip(path[:-1], path[1:], self.radii[:-1], self.radii[1:], strict=True):
            along = end - start
            length_2 = max(float(along @ along), 1e-12)
            offset = points - start
            ahead = offset @ along
            t = np.clip(ahead / length_2, 0.0, 1.0)
            away_2 = np.einsum("...i,...i->...", offset, offset) + t * (t * length_2 - 2 * ahead)
            gap = np.sqrt(np.maximum(away_2, 0.0)) - (r0 + t * (r1 - r0))
            np.minimum(best, gap, out=best)
        return best

    def box(self) -> Box:
        """A box that holds it."""
        reach = float(np.max(self.radii)) / min(self.squash, 1.0)
        return np.min(self.path, axis=0) - reach, np.max(self.path, axis=0) + reach

    @property
    def volume_mm3(self) -> float:
        """Volume by formula; straight tubes of one radius only (a capsule)."""
        if len(self.path) != 2 or self.radii[0] != self.radii[1] or self.squash != 1.0:
            msg = "Only a straight round tube of one radius has a volume by formula."
            raise ValueError(msg)
        radius, length = float(self.radii[0]), float(np.linalg.norm(self.path[1] - self.path[0]))
        return float(np.pi * radius**2 * length + 4 / 3 * np.pi * radius**3)

    def _squashed(self, points: FloatArray) -> FloatArray:
        if self.normal is None or self.squash == 1.0:
            return points
        stretch = np.eye(3) + (self.squash - 1.0) * np.outer(self.normal, self.normal)
        return np.asarray(points @ stretch, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Brick:
    """A box with rounded edges; ``axes`` are rows, ``half`` its half lengths, ``rounding`` in mm."""

    centre: FloatArray
    half: tuple[float, float, float]
    axes: FloatArray
    rounding_mm: float = 0.0

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """Exact distance."""
        local = np.abs((points - self.centre) @ self.axes.T) - (np.asarray(self.half) - self.rounding_mm)
        outside = np.linalg.norm(np.maximum(local, 0.0), axis=-1)
        inside = np.minimum(local.max(axis=-1), 0.0)
        return np.asarray(outside + inside - self.rounding_mm, dtype=np.float64)

    def box(self) -> Box:
        """A box that holds it."""
        reach = np.abs(self.axes * np.asarray(self.half)[:, None]).sum(axis=0)
        return self.centre - reach, self.centre + reach


@dataclass(frozen=True, eq=False)
class Blend:
    """Several solids melted into one; ``smooth_mm`` rounds the seams (0: a plain union)."""

    parts: tuple[Solid, ...]
    smooth_mm: float = 0.0

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """Polynomial smooth minimum (Quilez)."""
        best = self.parts[0].distance_mm(points)
        for part in self.parts[1:]:
            other = part.distance_mm(points)
            if self.smooth_mm > 0:
                meet = np.maximum(self.smooth_mm - np.abs(best - other), 0.0) / self.smooth_mm
                best = np.minimum(best, other) - meet**2 * self.smooth_mm / 4
            else:
                best = np.minimum(best, other)
        return best

    def box(self) -> Box:
        """A box that holds all parts."""
        lows, highs = zip(*(part.box() for part in self.parts), strict=True)
        return np.min(lows, axis=0) - self.smooth_mm / 4, np.max(highs, axis=0) + self.smooth_mm / 4


@dataclass(frozen=True, eq=False)
class Cut:
    """One solid with another taken away."""

    solid: Solid
    taken: Solid

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """The larger of both: inside the one and outside the other."""
        return np.maximum(self.solid.distance_mm(points), -self.taken.distance_mm(points))

    def box(self) -> Box:
        """The box of what is cut."""
        return self.solid.box()


@dataclass(frozen=True, eq=False)
class Common:
    """What two solids share."""

    one: Solid
    other: Solid

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """The larger of both distances."""
        return np.maximum(self.one.distance_mm(points), self.other.distance_mm(points))

    def box(self) -> Box:
        """What the two boxes share."""
        (low, high), (other_low, other_high) = self.one.box(), self.other.box()
        return np.maximum(low, other_low), np.minimum(high, other_high)


@dataclass(frozen=True, eq=False)
class Rough:
    """A solid whose surface waves as cement between trabeculae does.

    ``waves`` ``(W, 3)`` in 1/mm and ``phases`` ``(W,)`` make a sum of cosines of ``amplitude_mm``.
    """

    solid: Solid
    amplitude_mm: float
    waves: NDArray[np.float64]
    phases: NDArray[np.float64]

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """Distance of the smooth solid, shifted by the waves."""
        ripple = np.zeros(points.shape[:-1])
        for wave, phase in zip(self.waves, self.phases, strict=True):
            ripple += np.cos(points @ wave + phase)
        return np.asarray(self.solid.distance_mm(points) + self.amplitude_mm * ripple / np.sqrt(len(self.waves)))

    def box(self) -> Box:
        """The smooth solid's box with room for the waves."""
        low, high = self.solid.box()
        room = self.amplitude_mm * np.sqrt(len(self.waves))
        return low - room, high + room


def roughen(solid: Solid, amplitude_mm: float, wavelength_mm: float, rng: np.random.Generator) -> Rough:
    """Roughen a solid with eight random waves of about that wavelength."""
    directions = rng.normal(size=(8, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    lengths = wavelength_mm * rng.uniform(0.7, 1.4, size=8)
    waves = directions * (2 * np.pi / lengths)[:, None]
    return Rough(solid, amplitude_mm, waves, rng.uniform(0, 2 * np.pi, size=8))
