"""Contrast in kidneys, ureters, gut and the dural sac, and the table under the patient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from leakseg.phantom.distractors.items import Item, Place
from leakseg.phantom.solids import Brick, Ellipsoid, Tube, roughen

_SAC = "sac"


def kidneys(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """Kidneys beside T12 to L3 as far as in view, their pelvis, and ureters on the psoas from L2 down."""
    top = place.frames[0].middle_mm
    for frame in place.frames:
        if frame.level in ("L1", "L2"):
            top = frame.middle_mm
            break
    late = float(rng.uniform(500.0, 2000.0))
    for sign in (1.0, -1.0):
        low = 8.0 if sign < 0 else 0.0
        if not place.is_thoracic(top) or place.frames[0].level == "T12":
            middle = np.array([top - low, place.front_u(top) + 22.0, sign * (place.half_width(top) + 42.0)])
            axes = place.axes(top)
            radii = (52.0, 22.0, 27.0)
            yield Item((Ellipsoid(place.points(middle), radii, axes),), 150.0, "outside_bone_and_canal", step_mm=2.0)
            hilum = middle - np.array([0.0, 0.0, sign * 20.0])
            pelvis = roughen(Ellipsoid(place.points(hilum), (14.0, 6.0, 7.0), axes), 1.5, 12.0, rng)
            yield Item((pelvis,), place.iodine_hu(late), "outside_bone_and_canal")
        heights = np.arange(place.frames[-1].bottom_mm - 15.0, top - low, 7.0)
        if len(heights) < 2 or place.is_thoracic(float(heights[0])):
            continue
        phase, radius = float(rng.uniform(0.0, 6.3)), float(rng.uniform(1.2, 2.5))
        stops = [
            (
                s,
                place.front_u(float(s)) + 4.0 + np.sin(s / 14.0),
                sign * (place.half_width(float(s)) + 11.0) + 3.0 * np.sin(s / 20.0 + phase),
            )
            for s in heights
        ]
        for n in range(len(stops) - 1):
            if rng.random() < 0.8:  # the ureter squeezes itself empty here and there
                tube = Tube(place.points(np.array(stops[n : n + 2])), np.full(2, radius))
                yield Item((tube,), place.iodine_hu(late), "outside_bone_and_canal")


def intrathecal_contrast(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """A myelogram: the dural sac at 300 to 800 HU; above L1 the cord stays dark in it."""
    heights = place.heights(10.0)
    stops = [(s, place.survey.at_s(place.survey.wall_u_mm, float(s)) + 8.0, 0.0) for s in heights]
    wide = float(place.survey.canal_half_width_mm.max()) + 3.0
    path = place.points(np.array(stops))
    hu = place.iodine_hu(float(rng.uniform(300.0, 800.0)))
    for n in range(len(path) - 1):
        yield Item((Tube(path[n : n + 2], np.full(2, wide)),), hu, "sac", step_mm=1.6)
    for n in range(len(path) - 1):
        if place.is_thoracic(float(heights[n])) and place.is_thoracic(float(heights[n + 1])):
            yield Item((Tube(path[n : n + 2], np.full(2, 4.2), place.axes(float(heights[n]))[1], 1.25),), 40.0, "sac")


def bowel_contrast(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """Loops of gut with oral contrast, 200 to 600 HU, well before the spine."""
    heights = place.heights()
    for _ in range(int(rng.integers(1, 4))):
        s = float(rng.uniform(heights[0], heights[-1]))
        middle = place.point(s, place.front_u(s) - float(rng.uniform(30.0, 45.0)), float(rng.uniform(-40.0, 40.0)))
        radii = (float(rng.uniform(8.0, 14.0)), float(rng.uniform(7.0, 12.0)), float(rng.uniform(9.0, 20.0)))
        solid = roughen(Ellipsoid(middle, radii, place.axes(s)), 1.5, 14.0, rng)
        yield Item((solid,), float(rng.uniform(200.0, 600.0)), "outside_bone_and_canal")


def table(place: Place, rng: np.random.Generator) -> Iterator[Item]:
    """The table under the side the patient lies on, 70 to 85 mm from the canal: air, a thin hard shell, foam.

    Only fields of view that reach that far show any of it.
    """
    away = float(rng.uniform(70.0, 85.0))
    down = {"P": (0.0, -1.0), "S": (0.0, 1.0), "R": (-1.0, 0.0), "L": (1.0, 0.0)}
    x, y = down[{"S": "S", "P": "P"}.get(place.look.position[2:], place.look.position[-1])]
    under = np.array([x, y, 0.0])
    away += 90.0 * abs(x)
    axes = np.stack([under, np.array([-y, x, 0.0]), np.array([0.0, 0.0, 1.0])])
    for depth, thick, hu in ((10.0, 10.0, -1000.0), (21.0, 1.0, 250.0), (37.0, 15.0, -900.0)):
        yield Item(
            (Brick((away + depth) * under, (thick, 250.0, 600.0), axes),), hu, "outside_bone_and_canal", step_mm=2.0
        )
