"""Bone that is denser or larger than it should be: bridging osteophytes, facet arthrosis, bone islands."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from leakseg.phantom.distractors.items import Item, Place
from leakseg.phantom.frames import VertebraFrame
from leakseg.phantom.solids import Ellipsoid, Tube, roughen

_Pair = tuple[VertebraFrame, VertebraFrame]


def osteophytes(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """Claws and bridges over one or two discs, from rim to rim, bulging 2 to 6 mm; dense outside, dimmer within.

    Half of them belong to the vertebra masks, each half of a bridge to its own vertebra: real masks do both.
    """
    for upper, lower in _some(list(pairwise(place.frames)), 2, rng):
        angle = float(rng.uniform(-1.9, 1.9))
        inside, bulge = bool(rng.random() < 0.5), float(rng.uniform(2.0, 6.0))
        radius, hu = float(rng.uniform(1.8, 3.4)), float(rng.uniform(600.0, 1100.0))
        ends = [(upper.bottom_mm + 3.0, upper), (lower.top_mm - 3.0, lower)]
        out = []
        for s, frame in ends:
            a, b = frame.half_width_mm, (frame.wall_u_mm - frame.front_u_mm) / 2
            out.append((s, frame.centre[1] - b * np.cos(angle), frame.middle_v_mm + a * np.sin(angle)))
        middle = np.mean(out, axis=0) + np.array([0.0, -bulge * np.cos(angle), bulge * np.sin(angle)])
        bridged = bool(rng.random() < 0.6)
        for end, frame, share in ((out[0], upper, 1.0), (out[1], lower, 1.0 if bridged else 0.5)):
            tip = np.asarray(end) + share * (middle - np.asarray(end))
            path = place.points(np.array([end, np.asarray(end) * 0.4 + tip * 0.6 + (tip - middle), tip]))
            level = frame.level if inside else None
            thick = radius * np.array([1.15, 1.0, 0.8])
            yield Item((Tube(path, thick),), hu, "outside_bone_and_canal", mask_level=level)
            yield Item((Tube(path, thick - 1.2),), 0.5 * hu, "outside_bone_and_canal")


def facet_arthrosis(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """Thick, sclerotic facet joints at one or two motion segments, on one side or both; about half in the masks."""
    for upper, lower in _some(list(pairwise(place.frames)), 2, rng):
        s = (upper.bottom_mm + lower.top_mm) / 2
        wide = place.survey.at_s(place.survey.canal_half_width_mm, s)
        back = upper.wall_u_mm + 17.0
        for sign in ((1.0,), (-1.0,), (1.0, -1.0))[int(rng.integers(3))]:
            middle = place.point(s + 1.0, back, sign * (wide + 5.5))
            radii = (float(rng.uniform(6.0, 9.0)), float(rng.uniform(4.0, 6.5)), float(rng.uniform(4.0, 6.0)))
            solid = roughen(Ellipsoid(middle, radii, place.axes(s)), 0.7, 7.0, rng)
            level = lower.level if rng.random() < 0.5 else None
            yield Item((solid,), float(rng.uniform(450.0, 1000.0)), "outside_bone_and_canal", mask_level=level)
            yield Item((solid,), float(rng.uniform(450.0, 1000.0)), "inside_bone")


def bone_islands(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """One to three dense islands of 2 to 6 mm inside bone (about 900 to 1300 HU: Ulano 2016, 10.2214/AJR.15.15644)."""
    frames = place.frames
    for _ in range(int(rng.integers(1, 4))):
        frame = frames[int(rng.integers(len(frames)))]
        s, u, v = frame.centre
        spread = np.array([frame.height_mm, frame.wall_u_mm - frame.front_u_mm, 2 * frame.half_width_mm])
        middle = np.array([s, u, v]) + rng.uniform(-0.4, 0.4, size=3) * spread
        radii = tuple((rng.uniform(1.0, 3.0) * rng.uniform(0.8, 1.2, size=3)).tolist())
        solid = roughen(Ellipsoid(place.points(middle), (radii[0], radii[1], radii[2]), place.axes(s)), 0.3, 3.0, rng)
        yield Item((solid,), float(rng.uniform(800.0, 1300.0)), "inside_bone")


def _some(pairs: list[_Pair], most: int, rng: np.random.Generator) -> list[_Pair]:
    count = min(int(rng.integers(1, most + 1)), len(pairs))
    return [pairs[int(number)] for number in sorted(rng.choice(len(pairs), size=count, replace=False))]
