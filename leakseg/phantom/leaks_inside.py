"""Shapes of leaks between and behind the bodies: epidural, foraminal, intradiscal.

Each takes a site and a generator and returns one draw of a `LeakShape`, patient millimetres.
"""

from __future__ import annotations

import numpy as np

from leakseg.findings import LeakRoute
from leakseg.phantom.site import LeakShape, Site, Unplaceable
from leakseg.phantom.solids import Blend, Ellipsoid, Solid, Tube, roughen
from leakseg.phantom.survey import CANAL, DISC, FORAMEN


def epidural_strand(site: Site, rng: np.random.Generator, route: LeakRoute) -> LeakShape:
    """A lens or strand lengthwise behind the posterior wall, in the middle or to one side.

    By the basivertebral vein it leaves near the midline in the middle third of the wall's height; through a
    defect it leaves the wall right behind itself, broadly.
    """
    frame, half = site.frame, site.canal_half_width()
    middle = rng.uniform(-0.1, 0.1) * frame.height_mm + frame.middle_mm
    aside = site.sign * rng.uniform(0.52, 0.66) * half if site.sign else rng.uniform(-0.05, 0.05) * half
    exit_v = site.sign * rng.uniform(0.5, 2.5) if route is LeakRoute.BASIVERTEBRAL else aside
    thick = rng.uniform(2.0, 3.6) * site.size
    heights = middle + np.linspace(-rng.uniform(6, 14), rng.uniform(6, 14), 7)
    bend = rng.uniform(-0.08, 0.08) * half
    path, radii = [], []
    for place, s in zip(np.linspace(-1, 1, 7), heights, strict=True):
        v = aside + bend * place**2
        path.append(site.point(s, site.canal_front(s, v) + 0.45 * thick, v))
        radii.append(thick * (1 - 0.55 * abs(place) ** 1.5))
    back = site.axes()[1]
    parts: list[Solid] = [Tube(np.array(path), np.array(radii), back, rng.uniform(1.2, 1.6))]
    wall = site.canal_front(middle, exit_v)
    if abs(aside - exit_v) > 1.0:
        ends = [(wall + 0.6, exit_v), (site.canal_front(middle, aside) + 0.5 * thick, aside)]
        parts.append(Tube(np.array([site.point(middle, u, v) for u, v in ends]), np.array([1.1, 1.3])))
    wide = 1.2 if route is LeakRoute.BASIVERTEBRAL else 0.9 * thick + 0.8
    feed = [site.core, (middle, wall - 5.0, exit_v), (middle, wall + 1.2, exit_v)]
    channel = Tube(np.array([site.point(*stop) for stop in feed]), np.array([2.5, wide, wide]))
    return LeakShape(roughen(Blend(tuple(parts), 1.0), 0.25, 5.0, rng), (channel,), CANAL)


def pedicle_breach(site: Site, rng: np.random.Generator) -> LeakShape:
    """A lump in the canal against the medial wall of a pedicle, at the pedicle's height."""
    frame, pedicle = site.frame, site.frame.pedicles[site.pedicle_side()]
    tall = pedicle.top_mm - pedicle.bottom_mm
    s = pedicle.middle_mm + rng.uniform(-0.15, 0.15) * tall
    u = frame.wall_u_mm + rng.uniform(3.0, 4.5)
    inward = rng.uniform(2.0, 3.0) * site.size
    radii = (rng.uniform(0.35, 0.5) * tall * site.size, rng.uniform(2.5, 3.5) * site.size, inward)
    middle = site.sign * (pedicle.medial_mm + pedicle.lateral_mm) / 2
    wall = site.run_of_bone((s, u, middle), (0.0, 0.0, -site.sign), 12.0)
    wall_v = middle - site.sign * wall
    solid = Ellipsoid(site.point(s, u, wall_v - site.sign * 0.5 * inward), radii, site.axes())
    return LeakShape(roughen(solid, 0.3, 5.0, rng), _through_pedicle(site, (s, u, wall_v), rng), CANAL)


def foraminal_blob(site: Site, rng: np.random.Generator, below: bool | None) -> LeakShape:
    """A blob in the foramen below the pedicle (or above it), fed through the body's corner or the pedicle."""
    survey, frame, side = site.ground.survey, site.frame, site.pedicle_side()
    pedicle = frame.pedicles[side]
    under = bool(rng.random() < 0.8) if below is None else below
    gap = survey.gap_of(frame.level, below=under)
    if gap is None:
        raise Unplaceable
    share = rng.uniform(0.35, 0.6)
    v = site.sign * (pedicle.medial_mm + share * (pedicle.lateral_mm - pedicle.medial_mm))
    radii = rng.uniform((2.6, 2.2, 2.4), (4.2, 3.4, 3.6)) * site.size
    radii[2] = min(radii[2], 0.52 * (pedicle.lateral_mm - pedicle.medial_mm))  # thoracic foramina are no deeper
    if under:
        s = max(pedicle.bottom_mm - radii[0] - rng.uniform(0.3, 2.0), frame.bottom_mm + 1.5)
    else:
        s = pedicle.top_mm + radii[0] * rng.uniform(0.6, 0.9)
    front = site.foramen_front(s, v)
    u = front + radii[1] * rng.uniform(0.6, 0.9)
    solid = Ellipsoid(site.point(s, u, v), (radii[0], radii[1], radii[2]), site.axes())
    if under and rng.random() < 0.6:
        inside = [site.core, (s + 1.0, front - 4.0, 0.85 * v), (s, front + 1.5, v)]
        channels: tuple[Solid, ...] = (Tube(np.array([site.point(*at) for at in inside]), np.array([2.5, 1.8, 1.8])),)
    else:
        channels = _through_pedicle(site, (s, u, v), rng)
    return LeakShape(roughen(solid, 0.4, 5.0, rng), channels, FORAMEN, gap)


def disc_pool(site: Site, rng: np.random.Generator, below: bool | None) -> LeakShape:
    """A flat pool in the disc below (or above), fed through the endplate."""
    survey, frame = site.ground.survey, site.frame
    under = bool(rng.random() < 0.5) if below is None else below
    gap = survey.gap_of(frame.level, below=under)
    if gap is None:
        raise Unplaceable
    way = -1.0 if under else 1.0
    u = frame.centre[1] + rng.uniform(-5.0, 4.0)
    v = frame.middle_v_mm + (site.sign * rng.uniform(8.0, 11.0) if site.sign else rng.uniform(-6.0, 6.0))
    edge = frame.middle_mm + way * site.run_of_bone((frame.middle_mm, u, v), (way, 0.0, 0.0), 25.0)
    wide = rng.uniform(4.5, 7.5, size=2) * site.size
    tall = rng.uniform(2.0, 3.2) * min(site.size, 1.2)
    solid = Ellipsoid(site.point(edge + way * 0.7 * tall, u, v), (tall, wide[0], wide[1]), site.axes())
    lead = [
        site.core,
        (edge - way * 4.0, u, v),
        (edge + way * 1.0, u, v),
    ]
    channel = Tube(np.array([site.point(*at) for at in lead]), np.array([2.5, 2.0, 2.5]))
    return LeakShape(roughen(solid, 0.4, 6.0, rng), (channel,), DISC, gap)


def _through_pedicle(site: Site, goal: tuple[float, float, float], rng: np.random.Generator) -> tuple[Solid, ...]:
    """A channel from the body through the pedicle on the wanted side to a goal, canal coordinates."""
    frame, pedicle = site.frame, site.frame.pedicles[site.pedicle_side()]
    middle = site.sign * (pedicle.medial_mm + pedicle.lateral_mm) / 2
    u = frame.wall_u_mm + rng.uniform(2.5, 4.0)
    stops = [
        site.core,
        (pedicle.middle_mm, frame.wall_u_mm - 3.0, 0.9 * middle),
        (pedicle.middle_mm, u, middle),
        goal,
    ]
    return (Tube(np.array([site.point(*stop) for stop in stops]), np.array([2.2, 2.0, 1.9, 1.7])),)
