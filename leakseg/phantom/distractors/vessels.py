"""Vessels: the calcified or contrast-filled aorta, the vena cava, the epidural veins.

The lumbar aorta lies before the bodies a bit to the left, the thoracic one along their left front; the vena cava lies
before the bodies' right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from leakseg.geometry import FloatArray
from leakseg.phantom.distractors.items import Item, Place
from leakseg.phantom.solids import Box, Solid, Tube


@dataclass(frozen=True, eq=False)
class Plaque:
    """A patch of a vessel's wall: an arc of a cylinder; ``axes`` rows are along, and two across."""

    centre: FloatArray
    axes: FloatArray
    radius_mm: float
    thickness_mm: float
    length_mm: float
    middle_rad: float
    half_arc_rad: float

    def distance_mm(self, points: FloatArray) -> FloatArray:
        """The larger of three distances: from the wall's middle, along the arc, along the vessel."""
        local = (points - self.centre) @ self.axes.T
        r, angle = np.hypot(local[..., 1], local[..., 2]), np.arctan2(local[..., 2], local[..., 1])
        away = np.abs((angle - self.middle_rad + np.pi) % (2 * np.pi) - np.pi) - self.half_arc_rad
        wall = np.abs(r - self.radius_mm) - self.thickness_mm / 2
        return np.maximum(np.maximum(wall, away * self.radius_mm), np.abs(local[..., 0]) - self.length_mm / 2)

    def box(self) -> Box:
        """A box that holds the whole ring."""
        reach = float(np.hypot(self.radius_mm + self.thickness_mm, self.length_mm / 2))
        return self.centre - reach, self.centre + reach


def aortic_calcification(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """Arcs of 1 to 2.5 mm in the wall, 300 to 1300 HU (Agatston's 130 HU is the least that counts as one)."""
    path, radius = _aorta(place, rng)
    for _ in range(int(rng.integers(3, 10))):
        number = int(rng.integers(len(path) - 1))
        way = path[number + 1] - path[number]
        along = way / np.linalg.norm(way)
        back = np.array([0.0, 1.0, 0.0]) - along[1] * along
        back /= np.linalg.norm(back)
        plaque = Plaque(
            path[number] + float(rng.random()) * way,
            np.stack([along, back, np.cross(along, back)]),
            radius,
            float(rng.uniform(1.0, 2.5)),
            float(rng.uniform(3.0, 22.0)),
            float(rng.uniform(-np.pi, np.pi)),
            float(rng.uniform(0.25, 1.1)),
        )
        yield Item((plaque,), float(rng.uniform(300.0, 1300.0)), "outside_bone_and_canal")


def arterial_contrast(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """The aorta full of contrast, 200 to 400 HU."""
    path, radius = _aorta(place, rng)
    yield Item(_pieces(path, radius - 0.5), place.iodine_hu(float(rng.uniform(200.0, 400.0))), "outside_bone_and_canal")


def caval_contrast(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """The inferior vena cava (in the chest: the azygos vein) full of contrast, 150 to 350 HU."""
    radius, gap = float(rng.uniform(8.0, 11.5)), float(rng.uniform(1.0, 4.0))
    stops, radii = [], []
    for s in place.heights():
        small = place.is_thoracic(float(s))
        own = 4.0 if small else radius
        stops.append(
            (s, place.front_u(float(s)) - gap - 0.7 * own, -6.0 if small else -0.75 * place.half_width(float(s)))
        )
        radii.append(own)
    solids = tuple(
        Tube(place.points(np.array(stops[n : n + 2])), np.array(radii[n : n + 2]), place.axes(stops[n][0])[1], 1.35)
        for n in range(len(stops) - 1)
    )
    yield Item(solids, place.iodine_hu(float(rng.uniform(150.0, 350.0))), "outside_bone_and_canal")


def epidural_contrast(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """The anterior internal plexus: a pair of veins along the canal's front corners, joined behind each body."""
    hu = place.iodine_hu(float(rng.uniform(200.0, 350.0)))
    survey = place.survey
    heights = np.arange(place.frames[-1].bottom_mm, place.frames[0].top_mm, 4.0)
    for sign in (1.0, -1.0):
        stops, radii = [], []
        for s in heights:
            near = min(abs(float(s) - frame.middle_mm) for frame in place.frames)
            wide = survey.at_s(survey.canal_half_width_mm, float(s))
            # behind the bodies the veins come to the middle, behind the discs they are pushed aside
            v = sign * wide * (0.5 if near < 6.0 else 0.68)
            stops.append((s, survey.at_s(survey.wall_u_mm, float(s)) + 1.6, v))
            radii.append(float(rng.uniform(1.0, 1.8)))
        for n in range(len(stops) - 1):
            yield Item((Tube(place.points(np.array(stops[n : n + 2])), np.array(radii[n : n + 2])),), hu, "canal")
    for frame in place.frames:
        wide = survey.at_s(survey.canal_half_width_mm, frame.middle_mm)
        u = survey.at_s(survey.wall_u_mm, frame.middle_mm) + 1.2
        across = place.points(np.array([(frame.middle_mm, u, v * wide) for v in (-0.5, 0.0, 0.5)]))
        yield Item((Tube(across, np.array([1.2, 1.5, 1.2])),), hu, "canal")


def _aorta(place: Place, rng: np.random.Generator) -> tuple[FloatArray, float]:
    """Patient points along the aorta's middle, and its radius."""
    radius, gap = float(rng.uniform(8.0, 11.5)), float(rng.uniform(0.5, 4.0))
    wander, phase = float(rng.uniform(0.0, 3.0)), float(rng.uniform(0.0, 6.3))
    stops = []
    for s in place.heights():
        aside = 0.85 * place.half_width(float(s)) if place.is_thoracic(float(s)) else 7.0
        back = 4.0 if place.is_thoracic(float(s)) else 0.0
        v = aside + wander * np.sin(s / 25.0 + phase)
        stops.append((s, place.front_u(float(s)) - gap - radius + back, v))
    return place.points(np.array(stops)), radius


def _pieces(path: FloatArray, radius: float) -> tuple[Solid, ...]:
    """A long tube as short ones, whose boxes are small."""
    return tuple(Tube(path[n : n + 2], np.full(2, radius)) for n in range(len(path) - 1))
