"""Cement that flows in the canal, the foramen and the disc: the epidural plexus, veins of the foramen, disc sheets.

``site.size`` is the cube root of the volume wanted against the usual one.
"""

from __future__ import annotations

import numpy as np

from leakseg.findings import LeakRoute
from leakseg.geometry import FloatArray
from leakseg.phantom.flow_outside import calibre
from leakseg.phantom.frames import STEP_MM, VertebraFrame
from leakseg.phantom.site import LeakShape, Site, Unplaceable
from leakseg.phantom.solids import Blend, Ellipsoid, Solid, Tube, roughen
from leakseg.phantom.survey import CANAL, DISC, FORAMEN, lattice_axes
from leakseg.phantom.veins import Strand, Vessel, strand


def central(site: Site, rng: np.random.Generator, route: LeakRoute) -> LeakShape:
    """Behind the posterior wall near the midline, lengthwise, with short rungs to the sides."""
    frame, half = site.frame, site.canal_half_width()
    radius, longer = calibre(site, rng.uniform(1.5, 2.0), 3.2)
    aside = rng.uniform(-0.06, 0.06) * half
    middle = frame.middle_mm + rng.uniform(-0.08, 0.08) * frame.height_mm
    up, down = np.clip(rng.uniform(6.0, 10.0, size=2) * longer, 1.5, 28.0)
    bend = rng.uniform(-0.06, 0.06, size=2) * half
    found = [
        _lane(site, [(middle + up * t, aside + bend[0] * t) for t in _STEPS], radius, 0.5 * radius, rng),
        _lane(site, [(middle - down * t, aside + bend[1] * t) for t in _STEPS], radius, 0.5 * radius, rng),
    ]
    for _ in range(int(rng.integers(0, 3)) if longer > 0.5 else 0):
        s, way = middle + rng.uniform(-0.6, 0.6) * min(up, down), float(rng.choice([-1.0, 1.0]))
        out = [(s + rng.uniform(-1, 1) * 2 * t, aside + way * 0.42 * half * t) for t in _STEPS]
        found.append(_lane(site, out, 0.6 * radius, 0.35 * radius, rng))
    return LeakShape(Vessel.of(found), _wall_channel(site, middle, aside, radius, route), CANAL)


def plexus(site: Site, rng: np.random.Generator, route: LeakRoute, *, both: bool) -> LeakShape:
    """From the basivertebral vein to the canal's lengthwise veins on one side or both; by a defect right there."""
    frame, half = site.frame, site.canal_half_width()
    radius, longer = calibre(site, rng.uniform(1.2, 1.6) * (0.8 if both else 1.0), 3.0)
    middle = frame.middle_mm + rng.uniform(-0.08, 0.08) * frame.height_mm
    signs = (1.0, -1.0) if both else (site.sign,)
    basivertebral = route is LeakRoute.BASIVERTEBRAL
    exit_v = (0.0 if both else site.sign) * rng.uniform(0.5, 2.0)
    found: list[Strand] = []
    for sign in signs:
        aside = sign * rng.uniform(0.58, 0.68) * half
        if not basivertebral and not both:
            exit_v = aside
        else:
            bow = rng.uniform(-2.0, 2.0)
            arch = [(middle + bow * t * (1 - t) * 4, exit_v + (aside - exit_v) * t) for t in _STEPS]
            found.append(_lane(site, arch, 0.6 * radius, 0.7 * radius, rng))
        for way in (1.0, -1.0):
            reach = float(np.clip(rng.uniform(6.0, 11.0) * longer, 1.5, 32.0))
            bend = rng.uniform(-0.1, 0.05) * half * sign
            sway = rng.uniform(-0.06, 0.06) * half
            lane = [
                (middle + way * reach * t, aside + bend * np.sin(np.pi * t) + sway * np.sin(9.0 * t)) for t in _STEPS
            ]
            found.append(_lane(site, lane, radius, 0.45 * radius, rng))
    return LeakShape(Vessel.of(found), _wall_channel(site, middle, exit_v, radius, route), CANAL)


def through_foramen(site: Site, rng: np.random.Generator, route: LeakRoute) -> LeakShape:
    """Epidural cement that goes on by the intervertebral vein into the foramen below: one piece in two places."""
    frame, half = site.frame, site.canal_half_width()
    gap = site.ground.survey.gap_of(frame.level, below=True)
    if gap is None:
        raise Unplaceable
    pedicle = frame.pedicles[site.pedicle_side()]
    canal = plexus(site, rng, route, both=False)
    assert isinstance(canal.solid, Vessel)
    radius = float(np.clip(1.7 * site.size**0.8, 0.9, 3.2))
    s = pedicle.bottom_mm - rng.uniform(2.5, 4.5)
    lane = _lane(
        site,
        [(frame.middle_mm + (s - frame.middle_mm) * t, site.sign * 0.62 * half) for t in _STEPS],
        radius,
        radius,
        rng,
    )
    outer = pedicle.medial_mm + rng.uniform(0.5, 0.8) * (pedicle.lateral_mm - pedicle.medial_mm)
    stops = [site.point(s, site.canal_front(s, site.sign * 0.62 * half) + radius, site.sign * 0.62 * half)]
    for share in (0.15, 0.5, 1.0):
        v = site.sign * (pedicle.medial_mm + share * (outer - pedicle.medial_mm))
        stops.append(site.point(s - 1.0 * share, site.foramen_front(s, v) + 0.9 * radius, v))
    out = strand(np.array(stops), radius, 1.25 * radius, rng)
    points = np.concatenate([canal.solid.points, lane[0], out[0]])
    radii = np.concatenate([canal.solid.radii, lane[1], out[1]])
    return LeakShape(Vessel.of([(points, radii)]), canal.channels, CANAL, None, ((FORAMEN, gap),))


def foraminal_veins(site: Site, rng: np.random.Generator, below: bool | None) -> LeakShape:
    """By a vein out of the body's back corner below the pedicle into the net of veins in the foramen."""
    survey, frame = site.ground.survey, site.frame
    pedicle = frame.pedicles[site.pedicle_side()]
    gap = survey.gap_of(frame.level, below=True)
    if below is False or gap is None:
        raise Unplaceable
    radius, longer = calibre(site, rng.uniform(1.0, 1.3), 2.4)
    top = pedicle.bottom_mm - radius - rng.uniform(0.8, 2.0)
    wide = pedicle.lateral_mm - pedicle.medial_mm

    def at(s: float, share: float, back: float) -> FloatArray:
        v = site.sign * (pedicle.medial_mm + share * wide)
        return site.point(s, site.foramen_front(s, v) + back, v)

    share = rng.uniform(0.4, 0.6)
    fed = max(top - rng.uniform(0.0, 2.0), frame.bottom_mm + 2.5)
    found = [strand(np.array([at(fed, share, -0.3), at(fed, share, radius + 0.6)]), radius, 0.9 * radius, rng)]
    for _ in range(2 + int(rng.integers(0, 2 + min(int(2 * longer), 4)))):
        tall = -rng.uniform(2.0, 7.0) * min(longer, 1.8)
        across, back = rng.uniform(-0.32, 0.32), rng.uniform(0.0, 3.0) * min(longer, 1.5)
        lane = [
            at(fed + tall * t, float(np.clip(share + across * np.sin(1.5 * t), 0.12, 0.88)), radius + 0.6 + back * t)
            for t in _STEPS
        ]
        found.append(strand(np.array(lane), radius, 0.5 * radius, rng))
    v = site.sign * (pedicle.medial_mm + share * wide)
    front = site.foramen_front(fed, v)
    lead = [site.core, (fed + 1.0, front - 4.0, 0.85 * v), (fed, front + 1.0, v)]
    channel = Tube(np.array([site.point(*stop) for stop in lead]), np.array([2.2, 1.3, max(1.1, 0.8 * radius)]))
    return LeakShape(Vessel.of(found), (channel,), FORAMEN, gap)


def disc(site: Site, rng: np.random.Generator, below: bool | None, bridge: VertebraFrame | None) -> LeakShape:
    """A sheet or a lump in the disc, through the middle of the endplate or its rim; or from endplate to endplate."""
    survey, frame = site.ground.survey, site.frame
    under = bool(rng.random() < 0.5) if below is None else below
    gap = survey.gap_of(frame.level, below=under)
    if gap is None:
        raise Unplaceable
    way = -1.0 if under else 1.0
    depth = frame.wall_u_mm - frame.front_u_mm
    u = frame.centre[1] + rng.uniform(-0.22, 0.15) * depth
    v = frame.middle_v_mm + (
        site.sign * rng.uniform(0.35, 0.5) * frame.half_width_mm if site.sign else rng.uniform(-4, 4)
    )
    low, high = _disc_span(site, gap, u, v)
    tall = high - low
    near = high if under else low
    lump = rng.random() < 0.5 or bridge is not None
    thick = min((0.42 if lump else 0.27) * tall, 3.2 * site.size) if bridge is None else 0.56 * tall
    flat = 1.35 * site.size**1.5 * (2.4 / max(thick, 0.8)) ** 0.5
    wide = np.clip(rng.uniform(4.0, 5.5, size=2) * flat, 1.2, (0.36 * depth, 0.55 * frame.half_width_mm))
    centre_s = (low + high) / 2 if bridge is not None else near + way * 0.8 * thick
    parts: list[Solid] = [Ellipsoid(site.point(centre_s, u, v), (thick, wide[0], wide[1]), site.axes())]
    for _ in range(int(rng.integers(1, 4))):
        turn, far = rng.uniform(0.0, 2 * np.pi), rng.uniform(0.5, 0.9)
        at = (centre_s, u + far * wide[0] * np.sin(turn), v + far * wide[1] * np.cos(turn))
        parts.append(Ellipsoid(site.point(*at), (0.7 * thick, 0.5 * wide[0], 0.5 * wide[1]), site.axes()))
    lead = [site.core, (near - way * 4.0, u, v), (near + way * 1.2, u, v)]
    channels: list[Solid] = [Tube(np.array([site.point(*stop) for stop in lead]), np.array([2.5, 2.2, 2.5]))]
    further: tuple[Solid, ...] = ()
    if bridge is not None:
        far_end = low if under else high
        reach = [bridge.centre, (far_end + way * 4.0, u, v), (far_end - way * 1.0, u, v)]
        further = (Tube(np.array([site.point(*stop) for stop in reach]), np.array([2.2, 1.6, 1.6])),)
    return LeakShape(roughen(Blend(tuple(parts), 1.5), 0.25, 5.0, rng), tuple(channels), DISC, gap, (), further)


_STEPS = np.linspace(0.0, 1.0, 8)


def _lane(
    site: Site, way: list[tuple[float, float]], first_mm: float, last_mm: float, rng: np.random.Generator
) -> Strand:
    """A strand that lies on the front of the canal through heights and sides."""
    radii = np.linspace(first_mm, last_mm, len(way))
    stops = [site.point(s, site.canal_front(s, v) + 0.8 * r + 0.15, v) for (s, v), r in zip(way, radii, strict=True)]
    return strand(np.array(stops), first_mm, last_mm, rng)


def _wall_channel(site: Site, s: float, v: float, radius: float, route: LeakRoute) -> tuple[Solid, ...]:
    wall = site.canal_front(s, v)
    wide = 1.2 if route is LeakRoute.BASIVERTEBRAL else max(0.9 * radius + 0.8, 1.4)
    feed = [site.core, (s, wall - 5.0, v), (s, wall + 1.2, v)]
    return (Tube(np.array([site.point(*stop) for stop in feed]), np.array([2.5, wide, wide])),)


def _disc_span(site: Site, gap: int, u: float, v: float) -> tuple[float, float]:
    """Lowest and highest point of the disc in a column."""
    survey = site.ground.survey
    s, us, vs = lattice_axes(survey.line)
    column = (slice(None), int(np.argmin(np.abs(us - u))), int(np.argmin(np.abs(vs - v))))
    here = (survey.place[column] == DISC) & (survey.gap[column] == gap + 1) & (survey.bone[column] == 0)
    rows = np.flatnonzero(here)
    if len(rows) * STEP_MM < 2.5:
        raise Unplaceable
    return float(s[rows[0]]) - STEP_MM / 2, float(s[rows[-1]]) + STEP_MM / 2
