"""Veins: curved, tapering, uneven tubes that branch, and the surface of the bodies that they run along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import FloatArray
from leakseg.phantom.site import Ground, Site, Unplaceable
from leakseg.phantom.solids import Box

_BEAD_MM = 0.35
_NEAREST = 4
Strand = tuple[FloatArray, FloatArray]
"""Points ``(N, 3)`` patient mm along a vein, a third of a millimetre apart, and the radius at each."""


@dataclass(frozen=True, eq=False)
class Vessel:
    """The union of balls set close along strands: as smooth as tubes (to 0.02 mm), and quick where they branch."""

    points: FloatArray
    radii: FloatArray
    _tree: Any = field(default=None, repr=False)

    @staticmethod
    def of(strands: list[Strand]) -> Vessel:
        """Join strands into one vessel."""
        from scipy.spatial import cKDTree

        points = np.concatenate([strand[0] for strand in strands])
        return Vessel(points, np.concatenate([strand[1] for strand in strands]), cKDTree(points))

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """Signed distance by the nearest few balls."""
        gaps, nearest = self._tree.query(points, k=min(_NEAREST, len(self.points)))
        return np.asarray((gaps - self.radii[nearest]).min(axis=-1), dtype=np.float64)

    def box(self) -> Box:
        """A box that holds it."""
        reach = self.radii[:, None]
        return (self.points - reach).min(axis=0), (self.points + reach).max(axis=0)


def strand(
    stops: FloatArray, first_mm: float, last_mm: float, rng: np.random.Generator, *, swell: float = 0.15
) -> Strand:
    """A vein through stops.

    Parameters
    ----------
    stops
        ``(M, 3)`` patient points, M at least two.
    first_mm, last_mm
        Radius at the first stop and at the last, where it ends in a point.
    swell
        How much the radius varies on the way, as a share of it.
    """
    from scipy.interpolate import make_interp_spline

    steps = np.linalg.norm(np.diff(stops, axis=0), axis=1)
    stops = stops[np.concatenate([[True], steps > 0.2])]
    if len(stops) < 2:
        raise Unplaceable
    at = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(stops, axis=0), axis=1))])
    curve = make_interp_spline(at, stops, k=min(3, len(stops) - 1))
    t = np.linspace(0.0, at[-1], max(2, int(np.ceil(at[-1] / _BEAD_MM)) + 1))
    knots = np.arange(0.0, at[-1] + 5.0, 4.0)
    uneven = 1.0 + swell * np.interp(t, knots, rng.normal(size=len(knots)).clip(-1.5, 1.5))
    radii = (first_mm + (last_mm - first_mm) * t / at[-1]) * uneven
    tip = np.clip((at[-1] - t) / max(3.0 * last_mm, 1e-6), 0.0, 1.0)
    radii = np.maximum(radii * (0.45 + 0.55 * np.sqrt(tip)), 0.3)
    return np.asarray(curve(t), dtype=np.float64), np.asarray(radii, dtype=np.float64)


def twigs(
    main: Callable[[float], tuple[float, float]],
    to_point: Callable[[float, float], FloatArray],
    spans: list[tuple[float, float, float]],
    radius_mm: float,
    rng: np.random.Generator,
) -> list[Strand]:
    """Side branches on a surface: each leaves the main vein, bends away and tapers.

    Parameters
    ----------
    main
        Surface coordinates of the main vein at 0..1 of its length.
    to_point
        Patient point of surface coordinates.
    spans
        For each twig: where on the main vein it leaves, and how far it goes in both coordinates.
    """
    found = []
    for share, along, across in spans:
        start = main(share)
        bow = rng.uniform(-0.25, 0.25)
        way = np.linspace(0.0, 1.0, 5)
        stops = [to_point(start[0] + along * t, start[1] + across * (t + bow * t * (1 - t) * 4)) for t in way]
        found.append(strand(np.array(stops), 0.75 * radius_mm, 0.4 * radius_mm, rng))
    return found


@dataclass(frozen=True, eq=False)
class BodySurface:
    """How far the bodies reach from the axis of one of them, by height and angle; discs filled in between.

    Angles run in degrees from the wanted side (0) over the front (90) to the other side (180).
    """

    site: Site
    heights_mm: FloatArray
    angles_deg: FloatArray
    reach_mm: FloatArray

    def point(self, s: float, angle_deg: float, lift_mm: float) -> FloatArray:
        """Patient point at a height and angle, a lift off the surface."""
        far = self.reach(s, angle_deg) + lift_mm
        _middle, u, v = self.site.frame.centre
        sign, turn = self.site.sign or 1.0, np.deg2rad(angle_deg)
        return self.site.point(s, u - far * float(np.sin(turn)), v + sign * far * float(np.cos(turn)))

    def reach(self, s: float, angle_deg: float) -> float:
        """Distance of the surface from the axis."""
        column = np.array([np.interp(s, self.heights_mm, reach) for reach in self.reach_mm.T])
        return float(np.interp(angle_deg, self.angles_deg, column))


def body_surface(site: Site) -> BodySurface:
    """Feel for the surface of the bodies round a vertebra's axis, as far as its neighbours' far ends."""
    return BodySurface(site, *_feel(site.ground, site.frame.level, site.sign or 1.0))


@lru_cache(maxsize=2)
def _feel(ground: Ground, level: VertebraLevel, sign: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Heights, angles and reach; kept, for a leak is drawn many times."""
    from scipy.ndimage import gaussian_filter, median_filter

    frame = ground.survey.vertebrae[level]
    heights = np.arange(frame.bottom_mm - 45.0, frame.top_mm + 45.0, 2.0)
    angles = np.arange(-30.0, 211.0, 8.0)
    far = np.arange(0.0, 45.0, 0.5)
    _middle, u, v = frame.centre
    turn = np.deg2rad(angles)
    points = ground.survey.line.to_patient(
        heights[:, None, None],
        (u - far[None, :] * np.sin(turn)[:, None])[None],
        (v + sign * far[None, :] * np.cos(turn)[:, None])[None],
    )
    reach = _ends(ground.bone_at(points) > 0, far)
    rows = np.arange(len(heights))
    for column in range(len(angles)):
        known = np.isfinite(reach[:, column])
        if not known.any():
            raise Unplaceable
        reach[:, column] = np.interp(rows, rows[known], reach[known, column])
    smooth = gaussian_filter(median_filter(reach, (5, 3), mode="nearest"), 0.8, mode="nearest")
    return heights, angles, np.asarray(smooth)


def _ends(bone: NDArray[np.bool_], far: FloatArray) -> FloatArray:
    """Where bone ends along each ray; NaN for rays that run in a disc or beyond the bodies."""
    gap = 4
    free = ~bone
    run = free[..., : -gap + 1].copy()
    for shift in range(1, gap):
        run &= free[..., shift : shift + run.shape[-1]]
    run[..., far[: run.shape[-1]] < 8.0] = False
    first = np.where(run.any(axis=-1), np.argmax(run, axis=-1), -1)
    reach = np.where(first >= 0, far[first], np.nan)
    inner = np.cumsum(bone, axis=-1)
    filled = np.take_along_axis(inner, np.maximum(first, 0)[..., None], axis=-1)[..., 0] / np.maximum(first, 1)
    return np.asarray(np.where(filled > 0.6, reach, np.nan), dtype=np.float64)
