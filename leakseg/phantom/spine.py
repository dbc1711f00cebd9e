"""A parametric spine in patient millimetres: poses along a curved canal line, and the solids of each vertebra.

Left, backward and head are +x, +y and +z (LPS). Each vertebra's frame has its origin in the middle of the
canal at the body's mid-height; offsets below are ``(s, u, v)``: superior, posterior, left.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.geometry import FloatArray
from leakseg.phantom.body import CanalTube, VertebralBody
from leakseg.phantom.canal_line import CanalLine
from leakseg.phantom.morphometry import ENDPLATE_SINK_MM, SIZES, WAIST_FRACTION, VertebraSize
from leakseg.phantom.solids import Brick, Ellipsoid, Solid, Tube

_INTO_CANAL_MM = 2.5
"""How far the body's rounded back is pushed into the canal before the canal is cut out: its wall is then flat."""


@dataclass(frozen=True, kw_only=True)
class SpineShape:
    """How a spine is built; angles over the whole of it."""

    levels: tuple[VertebraLevel, ...] = (VertebraLevel.L2, VertebraLevel.L3, VertebraLevel.L4)
    scale: float = 1.0
    lordosis_deg_per_level: float = 6.0
    scoliosis_deg_per_level: float = 0.0


@dataclass(frozen=True, eq=False)
class VertebraPose:
    """One vertebra: its size, its origin and its axes (rows superior, posterior, left)."""

    level: VertebraLevel
    size: VertebraSize
    origin: FloatArray
    axes: FloatArray

    def at(self, s: float, u: float, v: float) -> FloatArray:
        """Patient point of an offset."""
        return np.asarray(self.origin + np.array([s, u, v]) @ self.axes, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Spine:
    """Poses cranial to caudal, the canal, the dural sac in it, and the discs between bodies."""

    poses: tuple[VertebraPose, ...]
    canal: CanalTube
    sac: CanalTube
    discs: tuple[Solid, ...]


def build_spine(shape: SpineShape) -> Spine:
    """Build the spine round the patient's origin, which lies in the canal at its middle.

    Raises
    ------
    ConfigError
        Where a level cannot be built yet or levels do not follow one another.
    """
    missing = [level for level in shape.levels if level not in SIZES]
    if missing:
        raise ConfigError(f"Phantoms are built from {', '.join(SIZES)}; {missing[0]} is not among them.")
    numbers = [level.number for level in shape.levels]
    if VertebraLevel.T13 not in shape.levels and any(
        b - a not in ((1, 2) if level is VertebraLevel.T12 else (1,))
        for a, b, level in zip(numbers[:-1], numbers[1:], shape.levels, strict=False)
    ):
        raise ConfigError("The levels of a phantom must follow one another from the head down.")
    poses = _poses(shape)
    line = _line(poses)
    s = line.to_suv(np.array([pose.origin for pose in poses]))[:, 0]
    steps = np.arange(len(line.points), dtype=np.float64)
    order = np.argsort(s)
    width = np.interp(steps, s[order], np.array([pose.size.canal_width_mm for pose in poses])[order])
    depth = np.interp(steps, s[order], np.array([pose.size.canal_depth_mm for pose in poses])[order])
    discs = tuple(_disc(upper, lower) for upper, lower in pairwise(poses))
    return Spine(poses, CanalTube(line, width, depth), CanalTube(line, width, depth, shrink_mm=3.0), discs)


def vertebra_solids(pose: VertebraPose) -> tuple[Solid, ...]:
    """The bone of one vertebra; the canal is still to be cut out of it."""
    size, axes = pose.size, pose.axes
    wall, back = -size.canal_depth_mm / 2, size.canal_depth_mm / 2
    tall, half = size.body_height_mm, size.canal_width_mm / 2
    solids: list[Solid] = [
        VertebralBody(
            pose.at(0, wall - size.body_depth_mm / 2 + _INTO_CANAL_MM, 0),
            axes,
            size.body_width_mm,
            size.body_depth_mm,
            tall,
            WAIST_FRACTION,
            ENDPLATE_SINK_MM,
        ),
        Brick(
            pose.at(-0.28 * tall, back + 3 + size.spinous_length_mm * 0.2, 0),
            (0.36 * tall, size.spinous_length_mm * 0.2 + 3, 3.2),
            axes,
            2.0,
        ),
    ]
    for sign in (1.0, -1.0):
        solids += _arch(pose, sign, wall, back, half)
    return tuple(solids)


def _arch(pose: VertebraPose, sign: float, wall: float, back: float, half: float) -> list[Solid]:
    """Pedicle, lamina, transverse and articular processes of one side."""
    size, axes = pose.size, pose.axes
    tall, wide = size.body_height_mm, size.pedicle_width_mm
    high = tall / 2 - size.pedicle_height_mm / 2 - 0.04 * tall
    middle = sign * (half + wide / 2)

    def tube(stops: list[tuple[float, float, float]], radii: list[float], axis: int = 0, squash: float = 1.0) -> Tube:
        return Tube(np.array([pose.at(*stop) for stop in stops]), np.array(radii), axes[axis], squash)

    pedicle_radius = size.pedicle_height_mm / 2
    facet_v = sign * (half + 1.5)
    return [
        tube(
            [(high, wall - 4.0, 0.97 * middle), (high, wall + 8.0, middle)],
            [pedicle_radius, pedicle_radius],
            2,
            size.pedicle_height_mm / wide,
        ),
        tube([(0.0, 1.5, sign * (half + 2.5)), (-0.22 * tall, back + 3.5, sign * 1.5)], [3.3, 3.3], 0, 0.42),
        tube(
            [(high - 1.0, wall + 10.0, middle), (high - 2.0, wall + 14.0, sign * size.transverse_width_mm / 2)],
            [4.2, 2.8],
        ),
        tube([(high, wall + 9.0, middle), (tall / 2 + 5.5, 5.5, sign * (half + 6.8))], [4.4, 4.0]),
        tube([(high - 4.0, 4.0, sign * (half + 2.5)), (-tall / 2 + 1.0, back - 0.5, facet_v)], [3.8, 3.2]),
        Ellipsoid(pose.at(-tall / 2 - 5.5, back + 1.0, sign * (half - 0.5)), (8.0, 3.4, 3.8), axes),
    ]


def _poses(shape: SpineShape) -> tuple[VertebraPose, ...]:
    """Walk down the canal: half a height, a disc, half a height, turning a little at every disc."""
    lordosis, scoliosis = np.deg2rad(shape.lordosis_deg_per_level), np.deg2rad(shape.scoliosis_deg_per_level)
    sizes = [SIZES[level].scaled(shape.scale) for level in shape.levels]
    first = -(len(sizes) - 1) / 2
    origin, origins, frames = np.zeros(3), [], []
    for number, size in enumerate(sizes):
        bend, lean = (first + number) * lordosis, (first + number) * scoliosis
        axes = _axes(bend, lean)
        if number:
            before = sizes[number - 1]
            ahead = before.canal_depth_mm / 2 + before.body_depth_mm / 2
            gap = max(before.disc_below_mm - ahead * np.tan(lordosis), 2.5)
            step = before.body_height_mm / 2 + gap + size.body_height_mm / 2
            middle = _axes(bend - lordosis / 2, lean - scoliosis / 2)
            origin = origin - middle[0] * step
        origins.append(origin)
        frames.append(axes)
    centre = (origins[0] + origins[-1]) / 2
    return tuple(
        VertebraPose(level, size, start - centre, axes)
        for level, size, start, axes in zip(shape.levels, sizes, origins, frames, strict=True)
    )


def _axes(bend: float, lean: float) -> FloatArray:
    """Rows superior, posterior, left after a bend in the sagittal plane and a lean in the coronal one."""
    superior = np.array([np.sin(lean), np.sin(bend) * np.cos(lean), np.cos(bend) * np.cos(lean)])
    left = np.array([np.cos(lean), 0.0, -np.sin(lean)])
    left = left - superior * float(left @ superior)
    left /= np.linalg.norm(left)
    return np.stack([superior, np.cross(superior, left), left])


def _line(poses: tuple[VertebraPose, ...]) -> CanalLine:
    """A smooth line through the origins, 45 mm beyond the outer ones, with frames turned as the vertebrae are."""
    from scipy.interpolate import CubicHermiteSpline

    upward = poses[::-1]
    points = np.array([pose.origin for pose in upward])
    points = np.concatenate(
        [
            [points[0] - 45.0 * upward[0].axes[0]],
            points,
            [points[-1] + 45.0 * upward[-1].axes[0]],
        ]
    )
    tangents = np.array([upward[0].axes[0], *(pose.axes[0] for pose in upward), upward[-1].axes[0]])
    knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    curve = CubicHermiteSpline(knots, points, tangents)
    steps = np.arange(0.0, knots[-1], 1.0)
    along = np.asarray(curve(steps), dtype=np.float64)
    superior = np.gradient(along, axis=0)
    superior /= np.linalg.norm(superior, axis=1, keepdims=True)
    left = np.array([upward[0].axes[2], *(pose.axes[2] for pose in upward), upward[-1].axes[2]])
    sideways = np.stack([np.interp(steps, knots, left[:, axis]) for axis in range(3)], axis=1)
    sideways -= np.sum(sideways * superior, axis=1, keepdims=True) * superior
    sideways /= np.linalg.norm(sideways, axis=1, keepdims=True)
    return CanalLine(along, superior, np.cross(superior, sideways), sideways)


def _disc(upper: VertebraPose, lower: VertebraPose) -> Solid:
    """The disc: a body without a waist between two bodies; bone lies over it where they meet."""
    ends = [
        upper.at(-upper.size.body_height_mm / 2, -(upper.size.canal_depth_mm + upper.size.body_depth_mm) / 2, 0),
        lower.at(lower.size.body_height_mm / 2, -(lower.size.canal_depth_mm + lower.size.body_depth_mm) / 2, 0),
    ]
    axes = upper.axes + lower.axes
    axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    width = (upper.size.body_width_mm + lower.size.body_width_mm) / 2
    depth = (upper.size.body_depth_mm + lower.size.body_depth_mm) / 2
    tall = float(np.linalg.norm(ends[0] - ends[1])) + 8.0
    return VertebralBody((ends[0] + ends[1]) / 2, axes, width, depth, tall, 0.0, 0.0)
