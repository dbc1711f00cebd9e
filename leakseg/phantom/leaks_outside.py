"""Shapes of leaks beside, before and behind the vertebra: veins, soft tissue, the needle's track."""

from __future__ import annotations

import numpy as np

from leakseg.geometry import FloatArray
from leakseg.phantom.site import LeakShape, Site
from leakseg.phantom.solids import Ellipsoid, Solid, Tube, roughen
from leakseg.phantom.survey import ELSEWHERE


def segmental_vein(site: Site, rng: np.random.Generator) -> LeakShape:
    """A thin strand that leaves the waist of the body and curves along its side, tapering."""
    frame = site.frame
    thick = rng.uniform(1.3, 1.8) * site.size
    start = rng.uniform(20.0, 45.0)
    sweep = rng.uniform(45.0, 70.0) * (1 if start - 70 > -30 else 0.8)
    angles = np.deg2rad(np.linspace(start, start - sweep, 9))
    lowest = min(frame.pedicles[site.pedicle_side()].bottom_mm - 2.5, frame.middle_mm)
    height = lowest + rng.uniform(-2.0, 0.5)
    drift = rng.uniform(-3.0, 1.0)
    radii = thick * np.linspace(1.0, rng.uniform(0.45, 0.6), 9)
    reach = np.array(
        [_reach(site, height + drift * t, angle) for t, angle in zip(np.linspace(0, 1, 9), angles, strict=True)]
    )
    reach = np.minimum(reach, np.median(reach) + 4.0)
    reach = np.convolve(np.pad(reach, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid") + 0.7 * radii
    path = np.array(
        [
            _polar(site, height + drift * t, angle, far)
            for t, angle, far in zip(np.linspace(0, 1, 9), angles, reach, strict=True)
        ]
    )
    return LeakShape(roughen(Tube(path, radii), 0.15, 6.0, rng), _radial_channel(site, height, angles[0]), ELSEWHERE)


def anterior_external_vein(site: Site, rng: np.random.Generator) -> LeakShape:
    """A strand up and down the front of the body, fed at the waist."""
    frame = site.frame
    off = site.sign * rng.uniform(6.0, 10.0) if site.sign else rng.uniform(-1.0, 1.0)
    thick = rng.uniform(1.4, 2.0) * site.size
    length = np.array([rng.uniform(9.0, 15.0), rng.uniform(9.0, 15.0)])
    places = np.linspace(-1, 1, 9)
    heights = frame.middle_mm + np.where(places < 0, places * length[0], places * length[1])
    inner = (frame.bottom_mm + 1.5, frame.top_mm - 1.5)
    _middle, u, v = frame.centre
    off_v = v + off
    fronts = np.array(
        [u - site.run_of_bone((float(np.clip(s, *inner)), u, off_v), (0.0, -1.0, 0.0), 45.0) for s in heights]
    )
    lean = rng.uniform(-1.5, 1.5)
    radii = thick * (1 - 0.5 * np.abs(places) ** 1.5)
    path = np.array(
        [
            site.point(s, front - 0.75 * r, off_v + lean * t)
            for s, front, r, t in zip(heights, fronts, radii, places, strict=True)
        ]
    )
    lead = [site.point(*site.core), site.point(frame.middle_mm, fronts[4] - 1.0, off_v)]
    return LeakShape(
        roughen(Tube(path, radii), 0.15, 6.0, rng), (Tube(np.array(lead), np.array([1.8, 1.3])),), ELSEWHERE
    )


def ascending_lumbar_vein(site: Site, rng: np.random.Generator) -> LeakShape:
    """A strand round the waist that turns lengthwise beside the body, before the transverse process."""
    frame = site.frame
    thick = rng.uniform(1.3, 1.8) * site.size
    pedicle = frame.pedicles[site.pedicle_side()]
    height = min(pedicle.bottom_mm - 3.0, frame.middle_mm)
    angles = np.deg2rad(np.linspace(10.0, -20.0, 4))
    reach = np.array([_reach(site, height, angle) for angle in angles]) + 0.8 * thick
    arc = [_polar(site, height, angle, far) for angle, far in zip(angles, reach, strict=True)]
    last = reach[-1] + np.linspace(0.5, 2.0, 4)
    way = -1.0 if rng.random() < 0.7 else 1.0
    rise = way * np.linspace(3.0, rng.uniform(14.0, 20.0), 4)
    climb = [_polar(site, height + up, angles[-1], far) for up, far in zip(rise, last, strict=True)]
    radii = thick * np.linspace(1.0, 0.5, 8)
    solid = Tube(np.array(arc + climb), radii)
    return LeakShape(roughen(solid, 0.15, 6.0, rng), _radial_channel(site, height, angles[0]), ELSEWHERE)


def soft_tissue_lump(site: Site, rng: np.random.Generator) -> LeakShape:
    """A lump beside the upper or lower part of the body, in broad contact with its broken cortex."""
    frame = site.frame
    height = frame.middle_mm + float(rng.choice([-1.0, 1.0])) * rng.uniform(0.15, 0.3) * frame.height_mm
    angle = float(np.deg2rad(rng.uniform(-5.0, 40.0)))
    radii = rng.uniform(3.0, 5.0) * rng.uniform(0.85, 1.2, size=3) * site.size
    far = _reach(site, height, angle) + 0.55 * float(radii.mean())
    solid = Ellipsoid(_polar(site, height, angle, far), (radii[0], radii[1], radii[2]), site.axes())
    return LeakShape(roughen(solid, 0.45, 6.0, rng), _radial_channel(site, height, angle, 2.2), ELSEWHERE)


def needle_track(site: Site, rng: np.random.Generator) -> LeakShape:
    """A line of cement in the muscle behind the pedicle, along the needle's way out."""
    frame, pedicle = site.frame, site.frame.pedicles[site.pedicle_side()]
    start = (pedicle.middle_mm, frame.wall_u_mm + 4.0, site.sign * (pedicle.medial_mm + pedicle.lateral_mm) / 2)
    way = np.array([rng.uniform(-0.05, 0.3), 1.0, site.sign * rng.uniform(0.2, 0.45)])
    way /= np.linalg.norm(way)
    out = site.run_of_bone(start, (way[0], way[1], way[2]), 45.0)
    length, thick = rng.uniform(10.0, 20.0), rng.uniform(1.3, 1.9) * site.size
    first, last = np.array(start) + way * (out - 1.0), np.array(start) + way * (out + length)
    solid = Tube(np.array([site.point(*first), site.point(*last)]), np.array([thick, 0.8 * thick]))
    lead = [site.core, (start[0], start[1] - 6.0, 0.9 * start[2]), start, tuple(np.array(start) + way * out)]
    channel = Tube(np.array([site.point(*stop) for stop in lead]), np.array([2.2, 2.0, 1.8, thick]))
    return LeakShape(roughen(solid, 0.15, 6.0, rng), (channel,), ELSEWHERE)


def _polar(site: Site, s: float, angle: float, far: float) -> FloatArray:
    """Point at a distance from the body's centre; the angle runs from the wanted side to the front."""
    _middle, u, v = site.frame.centre
    sign = site.sign or 1.0
    return site.point(s, u - far * np.sin(angle), v + sign * far * np.cos(angle))


def _reach(site: Site, s: float, angle: float) -> float:
    _middle, u, v = site.frame.centre
    sign = site.sign or 1.0
    return site.run_of_bone((s, u, v), (0.0, -float(np.sin(angle)), sign * float(np.cos(angle))), 40.0)


def _radial_channel(site: Site, s: float, angle: float, thick_mm: float = 1.4) -> tuple[Solid, ...]:
    far = _reach(site, s, angle)
    stops = [site.point(*site.core), _polar(site, s, angle, far + 1.5)]
    return (Tube(np.array(stops), np.array([2.0, thick_mm])),)
