"""Cement in the veins outside the body: segmental, anterior external, ascending lumbar, caval; and needle tracks.

``site.size`` is the cube root of the volume wanted against the usual one: veins grow a little thicker with it, up to
about 4 mm (the cava more), and otherwise longer and richer in branches.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from leakseg.geometry import FloatArray
from leakseg.phantom.site import LeakShape, Site, Unplaceable
from leakseg.phantom.solids import Solid, Tube, roughen
from leakseg.phantom.survey import ELSEWHERE
from leakseg.phantom.veins import BodySurface, Strand, Vessel, body_surface, strand, twigs


def calibre(site: Site, usual_mm: float, most_mm: float) -> tuple[float, float]:
    """Radius, and how many times the usual length gives the volume with it."""
    radius = float(np.clip(usual_mm * site.size**0.75, 0.55, most_mm))
    return radius, float(np.clip(site.size**3 / (radius / usual_mm) ** 2, 0.15, 6.0))


def segmental(site: Site, rng: np.random.Generator) -> LeakShape:
    """From the waist of the body along its side toward the foramen, with branches up and down."""
    frame, skin = site.frame, body_surface(site)
    radius, longer = calibre(site, rng.uniform(0.9, 1.2), 1.9)
    height = min(frame.pedicles[site.pedicle_side()].bottom_mm - 2.0, frame.middle_mm) + rng.uniform(-2.5, 0.5)
    start = rng.uniform(25.0, 60.0)
    sweep = min(60.0 * longer**0.6 * rng.uniform(0.8, 1.1), start + 22.0)
    drop, wave, turn = rng.uniform(-4.0, 2.0), rng.uniform(0.8, 1.8), rng.uniform(0.0, 6.28)

    def main(t: float) -> tuple[float, float]:
        bow = wave * float(np.sin(2.2 * np.pi * t + turn) - np.sin(turn)) * min(1.0, 4 * t)
        return height + drop * t + bow, start - sweep * t

    found = [_along(skin, main, radius, rng)]
    spans = []
    for _ in range(_count(longer, rng)):
        way = float(rng.choice([-1.0, 1.0]))
        spans.append((rng.uniform(0.15, 0.75), way * rng.uniform(4.0, 9.0) * longer**0.4, rng.uniform(-18.0, 8.0)))
    found += twigs(main, lambda s, angle: skin.point(s, max(angle, -22.0), 0.7 * radius), spans, radius, rng)
    return LeakShape(Vessel.of(found), _radial(skin, *main(0.0), radius), ELSEWHERE)


def anterior_external(site: Site, rng: np.random.Generator) -> LeakShape:
    """Up and down the front of the body, over the discs where there is much, with rungs to a second strand."""
    frame, skin = site.frame, body_surface(site)
    radius, longer = calibre(site, rng.uniform(0.9, 1.2), 1.9)
    aside = rng.uniform(14.0, 30.0) if site.sign else rng.uniform(-4.0, 4.0)
    angle = 90.0 - aside
    reach = np.clip(rng.uniform(9.0, 14.0, size=2) * longer**0.8, 3.0, 0.5 * frame.height_mm + 18.0)
    wave, turn = rng.uniform(1.5, 4.0), rng.uniform(0.0, 6.28)
    fed = frame.middle_mm + rng.uniform(-2.0, 2.0)

    def main(t: float) -> tuple[float, float]:
        s = fed + (reach[1] * (2 * t - 1) if t > 0.5 else reach[0] * (2 * t - 1))
        return float(s), angle + wave * float(np.sin(2 * np.pi * t + turn) - np.sin(np.pi + turn))

    halves = [
        _along(skin, lambda t: main(0.5 + 0.5 * t), radius, rng),
        _along(skin, lambda t: main(0.5 - 0.5 * t), radius, rng),
    ]
    spans = []
    for _ in range(_count(longer, rng)):
        across = rng.uniform(10.0, 24.0) * float(rng.choice([-1.0, 1.0])) * (0.5 if not site.sign else 1.0)
        across = abs(across) * -1.0 if site.sign and angle > 66 else across
        spans.append((rng.uniform(0.15, 0.85), rng.uniform(-8.0, 8.0), across))
    found = halves + twigs(main, lambda s, a: skin.point(s, a, 0.7 * radius), spans, radius, rng)
    return LeakShape(Vessel.of(found), _radial(skin, fed, angle, radius), ELSEWHERE)


def ascending_lumbar(site: Site, rng: np.random.Generator) -> LeakShape:
    """Round the waist to behind, then lengthwise beside the body, before the transverse processes."""
    frame, skin = site.frame, body_surface(site)
    radius, longer = calibre(site, rng.uniform(0.9, 1.2), 1.9)
    height = min(frame.pedicles[site.pedicle_side()].bottom_mm - 2.5, frame.middle_mm) + rng.uniform(-1.5, 0.5)
    first, last = rng.uniform(2.0, 14.0), rng.uniform(-20.0, -12.0)
    way = -1.0 if rng.random() < 0.6 else 1.0
    climb = way * min(rng.uniform(13.0, 20.0) * max(longer, 0.8), 42.0)
    lift, wave = rng.uniform(1.5, 4.0), rng.uniform(0.5, 1.5)
    arc = [skin.point(height, a, 0.7 * radius + lift * t) for t, a in ((0.0, first), (0.5, (first + last) / 2))]
    rise = [
        skin.point(height + climb * t, last + wave * float(np.sin(5 * t)), 0.7 * radius + lift)
        for t in np.linspace(0.08, 1.0, 7)
    ]
    found = [strand(np.array(arc + rise), radius, 0.55 * radius, rng)]
    spans = [
        (rng.uniform(0.3, 0.8), way * rng.uniform(3.0, 7.0), rng.uniform(8.0, 16.0))
        for _ in range(int(rng.integers(0, 3)))
    ]
    found += twigs(
        lambda t: (height + climb * t, last), lambda s, a: skin.point(s, a, 0.7 * radius + lift), spans, radius, rng
    )
    return LeakShape(Vessel.of(found), _radial(skin, height, first, radius), ELSEWHERE)


def caval(site: Site, rng: np.random.Generator) -> LeakShape:
    """By a lumbar vein round the right front of the body to the inferior vena cava, and lengthwise in it."""
    if site.sign > 0:
        raise Unplaceable
    frame, skin = site.frame, body_surface(site)
    feed_mm = rng.uniform(0.9, 1.3)
    radius, longer = calibre(site, rng.uniform(1.7, 2.3), 4.5)
    height = frame.middle_mm + rng.uniform(-3.0, 3.0)
    start, cava = rng.uniform(28.0, 42.0), rng.uniform(50.0, 64.0)
    off = rng.uniform(7.0, 10.0) + radius
    way = 1.0 if rng.random() < 0.75 else -1.0
    lane = np.linspace(0.0, 1.0, 5)
    feed = [skin.point(height + way * 5.0 * t, start + (cava - start) * t, 0.7 * feed_mm + off * t**1.6) for t in lane]
    trunk = way * min(rng.uniform(16.0, 24.0) * longer, 55.0)
    drift = rng.uniform(-5.0, 5.0)
    foot = height + way * 5.0
    centre = skin.reach(foot, cava) + off
    course = []
    _middle, u, v = frame.centre
    for t in np.linspace(-0.15, 1.0, 7):
        turn = np.deg2rad(cava + drift * t)
        course.append(site.point(foot + trunk * t, u - centre * float(np.sin(turn)), v - centre * float(np.cos(turn))))
    found = [strand(np.array(feed), feed_mm, 1.2 * feed_mm, rng)]
    found.append(strand(np.array(course), radius, 0.55 * radius, rng, swell=0.12))
    return LeakShape(Vessel.of(found), _radial(skin, height, start, feed_mm), ELSEWHERE)


def needle_track(site: Site, rng: np.random.Generator, *, detached: bool) -> LeakShape:
    """A line behind the pedicle along the needle's way out; where detached, cement that it lost on the way."""
    frame, pedicle = site.frame, site.frame.pedicles[site.pedicle_side()]
    start = (pedicle.middle_mm, frame.wall_u_mm + 4.0, site.sign * (pedicle.medial_mm + pedicle.lateral_mm) / 2)
    way = np.array([rng.uniform(-0.05, 0.3), 1.0, site.sign * rng.uniform(0.2, 0.45)])
    way /= np.linalg.norm(way)
    out = site.run_of_bone(start, (way[0], way[1], way[2]), 45.0)
    radius = float(np.clip(1.4 * site.size**0.5, 0.7, 2.4))
    length = float(np.clip(14.0 * site.size**3 / (radius / 1.4) ** 2, 2.0, 45.0))
    gap = rng.uniform(1.5, 6.0) if detached else -1.0
    base = np.array(start)
    stops = [base + way * (out + gap + length * t) for t in np.linspace(0.0, 1.0, 4)]
    path = np.array([site.point(*stop) for stop in stops])
    solid = Vessel.of([strand(path, radius, 0.75 * radius, rng, swell=0.18)])
    lead = [site.core, (start[0], start[1] - 6.0, 0.9 * start[2]), start, tuple(base + way * out)]
    channel = Tube(np.array([site.point(*stop) for stop in lead]), np.array([2.2, 2.0, 1.8, min(radius, 1.8)]))
    return LeakShape(roughen(solid, 0.12, 5.0, rng), (channel,), ELSEWHERE)


def _along(
    skin: BodySurface, main: Callable[[float], tuple[float, float]], radius: float, rng: np.random.Generator
) -> Strand:
    stops = []
    for t in np.linspace(0.0, 1.0, 9):
        s, angle = main(float(t))
        stops.append(skin.point(s, angle, (0.75 - 0.15 * t) * radius + 0.2))
    return strand(np.array(stops), radius, 0.5 * radius, rng)


def _radial(skin: BodySurface, s: float, angle_deg: float, radius: float) -> tuple[Solid, ...]:
    site = skin.site
    stops: list[FloatArray] = [site.point(*site.core), skin.point(s, angle_deg, -4.0), skin.point(s, angle_deg, 1.0)]
    return (Tube(np.array(stops), np.array([2.0, max(radius, 1.1), max(radius, 1.1)])),)


def _count(longer: float, rng: np.random.Generator) -> int:
    """How many side branches: more on longer veins, none on stumps."""
    if longer < 0.4:
        return 0
    return int(rng.integers(1, 3 + min(int(1.5 * longer), 4)))
