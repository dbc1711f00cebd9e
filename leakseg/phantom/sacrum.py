"""The sacrum: four fused segments behind the promontory, alae cut flat for the sacro-iliac joints, foramina.

All of it carries one label, S1. The first segment is a pose like any vertebra's; the others follow it in a curve.
Shapes are [convention] round the sizes in `leakseg.phantom.morphometry`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from leakseg.phantom.arch import tube
from leakseg.phantom.body import VertebralBody
from leakseg.phantom.morphometry import SACRAL_SEGMENTS
from leakseg.phantom.pose import VertebraPose
from leakseg.phantom.solids import Brick, Ellipsoid, Solid

_KYPHOSIS_DEG = 17.0
"""Bend between two neighbouring segments."""
INTO_CANAL_MM = 2.5
"""How far a body's rounded back is pushed into the canal before the canal is cut out: its wall is then flat."""


def with_segments(first: VertebraPose, scale: float) -> VertebraPose:
    """S1 with S2 to S4 below it."""
    below: list[VertebraPose] = []
    pose = first
    for number, (width, depth, height, canal_width, canal_depth) in enumerate(SACRAL_SEGMENTS):
        share = scale * (0.78 - 0.2 * number)
        size = replace(
            first.size,
            body_width_mm=scale * width,
            body_depth_mm=scale * depth,
            body_height_mm=scale * height,
            canal_width_mm=scale * canal_width,
            canal_depth_mm=scale * canal_depth,
            transverse_width_mm=first.size.transverse_width_mm / scale * share,
        )
        turn = np.deg2rad(_KYPHOSIS_DEG)
        half_way, whole = _pitched(pose.axes, turn / 2), _pitched(pose.axes, turn)
        step = (pose.size.body_height_mm + size.body_height_mm) / 2
        pose = VertebraPose(first.level, size, pose.origin - step * half_way[0], whole)
        below.append(pose)
    return replace(first, below=tuple(below))


def sacrum_solids(pose: VertebraPose) -> tuple[Solid, ...]:
    """The bone of the whole sacrum; canal and foramina are still to be cut out of it."""
    solids: list[Solid] = []
    for number, segment in enumerate((pose, *pose.below)):
        solids += _segment(segment, first=number == 0)
    solids += [_joint(upper, lower) for upper, lower in pairwise((pose, *pose.below))]
    for sign in (1.0, -1.0):
        solids += _ala(pose, sign)
    return tuple(solids)


def sacral_foramina(pose: VertebraPose) -> tuple[Solid, ...]:
    """What is cut out of the sacrum: the way of each root from the canal forward, between the segments."""
    cut: list[Solid] = []
    for segment, radius in zip((pose, *pose.below[:-1]), (5.0, 4.5, 4.0), strict=True):
        size = segment.size
        low, half = -size.body_height_mm / 2, size.canal_width_mm / 2
        front = -size.canal_depth_mm / 2 - size.body_depth_mm
        for sign in (1.0, -1.0):
            stops = [(low + 3.0, -1.0, sign * 0.75 * half), (low - 3.0, front - 6.0, sign * (half + 7.0))]
            cut.append(tube(segment, stops, [0.7 * radius, radius]))
    return tuple(cut)


def iliac_bones(pose: VertebraPose) -> tuple[Solid, ...]:
    """The backs of both ilia beside the alae, a joint's width apart: bone that carries no label."""
    size = pose.size
    bones: list[Solid] = []
    for sign in (1.0, -1.0):
        lean = np.deg2rad(18.0) * sign
        superior, posterior, left = pose.axes
        # the plate runs from in front and outside to behind and inside, as the joint does
        plate = np.stack(
            [superior, posterior * np.cos(lean) - left * np.sin(lean), left * np.cos(lean) + posterior * np.sin(lean)]
        )
        middle = pose.at(-8.0, -6.0, sign * (size.transverse_width_mm / 2 + 8.5))
        bones.append(Brick(middle, (38.0, 34.0, 6.5), plate, 5.0))
    return tuple(bones)


def _segment(pose: VertebraPose, *, first: bool) -> list[Solid]:
    size = pose.size
    wall, back, half = -size.canal_depth_mm / 2, size.canal_depth_mm / 2, size.canal_width_mm / 2
    centre = pose.at(0.0, wall - size.body_depth_mm / 2 + INTO_CANAL_MM, 0.0)
    extra = 0.0 if first else 3.0
    solids: list[Solid] = [
        VertebralBody(
            centre, pose.axes, size.body_width_mm, size.body_depth_mm, size.body_height_mm + extra, 0.06, 1.0
        ),
        Brick(pose.at(-2.0, back + 5.0, 0.0), (0.42 * size.body_height_mm, 6.0, 3.0), pose.axes, 2.0),
    ]
    for sign in (1.0, -1.0):
        plate = [(-2.0, 0.0, sign * (half + 3.0)), (-2.0, back + 2.5, sign * 1.5)]
        solids.append(tube(pose, plate, [3.0, 2.6], 0, 0.26))
        if first:
            joint = [(4.0, 0.0, sign * (half + 5.0)), (size.body_height_mm / 2 + 5.5, back - 2.0, sign * (half + 5.5))]
            solids.append(tube(pose, joint, [5.0, 4.2]))
        else:
            width = size.transverse_width_mm / 2 - half
            radii = (0.62 * size.body_height_mm, 0.6 * size.body_depth_mm + 3.0, 0.62 * width)
            solids.append(Ellipsoid(pose.at(0.0, wall - 1.0, sign * (half + 0.4 * width)), radii, pose.axes))
    return solids


def _joint(upper: VertebraPose, lower: VertebraPose) -> Solid:
    """Two fused bodies' meeting: half-way between them in place, turn and size."""
    axes = upper.axes + lower.axes
    width, depth, canal = (
        (getattr(upper.size, name) + getattr(lower.size, name)) / 2
        for name in ("body_width_mm", "body_depth_mm", "canal_depth_mm")
    )
    axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    origin = upper.at(-upper.size.body_height_mm / 2, 0.0, 0.0)
    centre = origin - axes[1] * ((canal + depth) / 2 - INTO_CANAL_MM)
    tall = (upper.size.body_height_mm + lower.size.body_height_mm) / 2
    return VertebralBody(centre, axes, width, depth, tall, 0.0, 0.0)


def _ala(pose: VertebraPose, sign: float) -> list[Solid]:
    """A wing: thick beside the body, its upper face falling outward, its side flat where the ilium meets it."""
    size = pose.size
    wall, half = -size.canal_depth_mm / 2, size.canal_width_mm / 2
    tall, outer = size.body_height_mm, size.transverse_width_mm / 2
    fall = np.deg2rad(14.0) * sign
    superior, posterior, left = pose.axes
    tilted = np.stack(
        [superior * np.cos(fall) + left * np.sin(fall), posterior, left * np.cos(fall) - superior * np.sin(fall)]
    )
    middle = pose.at(-0.10 * tall, wall - 4.0, sign * (half - 2.0 + outer) / 2)
    return [Brick(middle, (0.42 * tall, 15.0, (outer - half + 2.0) / 2), tilted, 5.0)]


def _pitched(axes: np.ndarray, angle: float) -> np.ndarray:
    """Axes whose upper end leans backward by an angle."""
    superior, posterior, left = axes
    up = superior * np.cos(angle) + posterior * np.sin(angle)
    return np.stack([up, np.cross(up, left), left])
