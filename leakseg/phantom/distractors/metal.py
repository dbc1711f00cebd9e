"""Metal: pedicle screws with rods, and surgical clips.

Titanium stands at about 8000 HU on an extended scale and is cut at the clip; blur comes before the cut, so it blooms.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from leakseg.phantom.distractors.items import Item, Place
from leakseg.phantom.frames import VertebraFrame
from leakseg.phantom.solids import Tube, ball

_TITANIUM_HU = (6500.0, 9000.0)


def screws_and_rods(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """Screws in both pedicles of two vertebrae, a rod on either side.

    Untreated ones, next to each other or over and under the treated; where there are no two, any neighbours.
    """
    frames = tuple(frame for frame in place.frames if frame.level not in place.treated)
    frames = frames if len(frames) > 1 else place.frames
    start = int(rng.integers(max(len(frames) - 1, 1)))
    yield from _construct(place, frames[start : start + 2], rng)


def augmented_screws(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """Screws in one treated vertebra and a neighbour; where a screw and the filling meet, truth counts it as cement."""
    frames = place.frames
    chosen = [number for number, frame in enumerate(frames) if frame.level in place.treated]
    if chosen:
        number = chosen[int(rng.integers(len(chosen)))]
        start = max(0, min(number, len(frames) - 2))
        yield from _construct(place, frames[start : start + 2], rng)


def clips(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """A few clips of 5 to 8 mm, two legs each, before and beside the bodies."""
    heights = place.heights()
    for _ in range(int(rng.integers(1, 5))):
        s = float(rng.uniform(heights[0], heights[-1]))
        v = float(rng.uniform(-1.0, 1.0)) * (place.half_width(s) + 15.0)
        u = place.front_u(s) - float(rng.uniform(6.0, 22.0))
        middle, way = place.point(s, u, v), rng.normal(size=3)
        way /= np.linalg.norm(way)
        across = np.cross(way, [0.0, 0.0, 1.0])
        across *= 1.1 / max(float(np.linalg.norm(across)), 1e-6)
        half = float(rng.uniform(2.5, 4.0)) * way
        legs = np.array([middle - half + across, middle + half, middle - half - across])
        yield Item((Tube(legs, np.full(3, 0.6)),), _hu(rng), "outside_bone_and_canal", metal=True)


def _construct(place: Place, frames: tuple[VertebraFrame, ...], rng: np.random.Generator) -> Iterator[Item]:
    radius, hu = float(rng.uniform(2.5, 3.4)), _hu(rng)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        heads = []
        for frame in frames:
            pedicle = frame.pedicles[side]
            middle = sign * (pedicle.medial_mm + pedicle.lateral_mm) / 2
            room = (pedicle.lateral_mm - pedicle.medial_mm) / 2 - 0.7
            height, depth = pedicle.middle_mm, frame.wall_u_mm - frame.front_u_mm
            tip = frame.middle_v_mm + 0.45 * (middle - frame.middle_v_mm)
            head = (height + 1.0, frame.wall_u_mm + 27.0, middle * 1.22)
            stops = [head, (height, frame.wall_u_mm + 3.0, middle), (height - 1.5, frame.wall_u_mm - 0.72 * depth, tip)]
            yield Item((Tube(place.points(np.array(stops)), np.full(3, min(radius, max(room, 1.8)))),), hu, metal=True)
            heads.append(place.point(*head))
            yield Item((ball(heads[-1], 5.5),), hu, metal=True)
        if len(heads) > 1:
            ends = np.array(heads)
            over = (ends[0] - ends[-1]) / np.linalg.norm(ends[0] - ends[-1]) * 6.0
            yield Item(
                (Tube(np.array([ends[0] + over, *ends[1:-1], ends[-1] - over]), np.full(len(ends), 2.75)),),
                hu,
                metal=True,
            )


def _hu(rng: np.random.Generator) -> float:
    return float(rng.uniform(*_TITANIUM_HU))
