"""A parametric spine in patient millimetres: poses along a curved canal line, and the solids of each vertebra.

Left, backward and head are +x, +y and +z (LPS). Each vertebra's frame has its origin in the middle of the
canal at the healthy body's mid-height; offsets below are ``(s, u, v)``: superior, posterior, left.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.errors import ConfigError
from leakseg.geometry import FloatArray
from leakseg.phantom.arch import arch_solids
from leakseg.phantom.body import CanalTube, VertebralBody
from leakseg.phantom.canal_line import CanalLine
from leakseg.phantom.curves import even_tilts
from leakseg.phantom.fracture import Fracture
from leakseg.phantom.morphometry import ENDPLATE_SINK_MM, SIZES, WAIST_FRACTION, VertebraSize
from leakseg.phantom.pose import VertebraPose
from leakseg.phantom.ribs import RibShape, rib_tubes
from leakseg.phantom.sacrum import INTO_CANAL_MM, iliac_bones, sacral_foramina, sacrum_solids, with_segments
from leakseg.phantom.solids import Brick, Ellipsoid, Solid

Fusion = Literal["none", "left", "right", "both"]


@dataclass(frozen=True, kw_only=True)
class SpineShape:
    """How a spine is built; what is left empty is as everywhere else."""

    levels: tuple[VertebraLevel, ...] = (VertebraLevel.L2, VertebraLevel.L3, VertebraLevel.L4)
    scale: float = 1.0
    lordosis_deg_per_level: float = 6.0
    scoliosis_deg_per_level: float = 0.0
    tilts_deg: tuple[float, ...] = ()
    """By level, how far the upper endplate faces forward; empty: ``lordosis_deg_per_level``."""
    leans_deg: tuple[float, ...] = ()
    """By level, how far it faces left; empty: ``scoliosis_deg_per_level``."""
    turns_deg: tuple[float, ...] = ()
    """By level, how far the body's front has turned to the left; empty: not at all."""
    stretches: tuple[tuple[float, ...], ...] = ()
    """By level, a factor for each length of its size."""
    fractures: tuple[Fracture, ...] = ()
    fused: Fusion = "none"
    """Sides on which the last lumbar vertebra is sacralised."""
    ribs: RibShape | None = None
    pelvis: bool = False
    """Whether the ilia stand beside the sacrum."""
    cut_mm: tuple[float, float] | None = None
    """How far the scan goes on above the uppermost and below the lowest body; under 0 it cuts them."""
    field_mm: tuple[float, float] | None = None
    """Field of view backward and leftward; None: the scanner's."""


@dataclass(frozen=True, eq=False)
class Spine:
    """Poses cranial to caudal, the canal, the dural sac in it, the discs between bodies, and bone without a label."""

    poses: tuple[VertebraPose, ...]
    canal: CanalTube
    sac: CanalTube
    discs: tuple[Solid, ...]
    other_bone: tuple[Solid, ...] = ()
    cut_mm: tuple[float, float] | None = None
    field_mm: tuple[float, float] | None = None


def build_spine(shape: SpineShape) -> Spine:
    """Build the spine round the patient's origin, which lies in the canal at its middle.

    Raises
    ------
    ConfigError
        Where a level cannot be built or levels do not follow one another.
    """
    _check(shape)
    poses = _poses(shape)
    column = [segment for pose in poses for segment in (pose, *pose.below)]
    line = _line(column)
    s = line.to_suv(np.array([pose.origin for pose in column]))[:, 0]
    steps = np.arange(len(line.points), dtype=np.float64)
    order = np.argsort(s)
    width = np.interp(steps, s[order], np.array([pose.size.canal_width_mm for pose in column])[order])
    depth = np.interp(steps, s[order], np.array([pose.size.canal_depth_mm for pose in column])[order])
    discs = tuple(_disc(upper, lower) for upper, lower in pairwise(poses))
    other: tuple[Solid, ...] = rib_tubes(poses, shape.ribs) if shape.ribs else ()
    if shape.pelvis and poses[-1].below:
        other += iliac_bones(poses[-1])
    return Spine(
        poses,
        CanalTube(line, width, depth),
        CanalTube(line, width, depth, shrink_mm=3.0),
        discs,
        other,
        shape.cut_mm,
        shape.field_mm,
    )


def vertebra_solids(pose: VertebraPose) -> tuple[Solid, ...]:
    """The bone of one vertebra (of S1: the whole sacrum); the canal is still to be cut out of it."""
    if pose.below:
        return sacrum_solids(pose)
    fused = tuple(_fusion(pose, sign) for sign in pose.fused)
    return (body_of(pose), *arch_solids(pose), *fused)


def body_of(pose: VertebraPose) -> VertebralBody:
    """The body as it is: broken where it is broken."""
    size, broken = pose.size, pose.fracture
    middle, centre = pose.body_centre
    wider = 1.0 + (0.12 * broken.loss if broken and broken.kind == "crush" else 0.0)
    return VertebralBody(
        pose.at(middle, centre + INTO_CANAL_MM, 0),
        pose.axes,
        size.body_width_mm * wider,
        size.body_depth_mm,
        pose.top_mm - pose.bottom_mm,
        WAIST_FRACTION,
        min(ENDPLATE_SINK_MM, 0.1 * size.body_height_mm),
        broken.sink_mm(size) if broken else 0.0,
        broken.front_loss_mm(size) if broken else 0.0,
    )


def hollow_solids(pose: VertebraPose) -> tuple[Solid, ...]:
    """What is cut out of a vertebra's bone besides the canal."""
    return sacral_foramina(pose) if pose.below else ()


def retropulsed_bone(pose: VertebraPose) -> Solid | None:
    """The part of a broken posterior wall that stands in the canal: bone, where the canal still is the canal."""
    broken = pose.fracture
    if broken is None or broken.retropulsion_mm <= 0:
        return None
    size, out = pose.size, broken.retropulsion_mm
    tall = 0.28 * (pose.top_mm - pose.bottom_mm)
    centre = pose.at(pose.top_mm - tall - 0.5, -size.canal_depth_mm / 2 - 1.0, 0.0)
    return Ellipsoid(centre, (tall, out + 1.0, 0.36 * size.canal_width_mm), pose.axes)


def cleft_of(pose: VertebraPose) -> Ellipsoid | None:
    """The cleft under a broken upper endplate; gas or fluid fills it, and cement may."""
    broken = pose.fracture
    if broken is None or broken.cleft == "none":
        return None
    size = pose.size
    tall = pose.top_mm - pose.bottom_mm
    front = 0.5 * broken.front_loss_mm(size) + broken.sink_mm(size)
    radii = (max(0.09 * tall, 1.3), 0.27 * size.body_depth_mm, 0.3 * size.body_width_mm)
    _middle, centre = pose.body_centre
    return Ellipsoid(
        pose.at(pose.top_mm - ENDPLATE_SINK_MM - front - 2.2 - radii[0], centre - 1.5, 0.0), radii, pose.axes
    )


def clefts_of(spine: Spine) -> dict[VertebraLevel, Solid]:
    """The clefts of a spine's broken bodies."""
    return {pose.level: cleft for pose in spine.poses if (cleft := cleft_of(pose)) is not None}


def _fusion(pose: VertebraPose, sign: float) -> Solid:
    """A broad transverse process that has grown into the sacral ala (Castellvi IIIa or IIIb)."""
    size = pose.size
    outer = size.canal_width_mm / 2 + size.pedicle_width_mm
    centre = pose.at(-0.35 * size.body_height_mm, -size.canal_depth_mm / 2 + 3.0, sign * (outer + 12.0))
    return Brick(centre, (0.72 * size.body_height_mm, 9.0, 12.5), pose.axes, 6.0)


def _check(shape: SpineShape) -> None:
    missing = [level for level in shape.levels if level not in SIZES]
    if missing:
        raise ConfigError(f"Phantoms are built from {', '.join(SIZES)}; {missing[0]} is not among them.")
    follows = {
        (VertebraLevel.T12, VertebraLevel.L1),
        (VertebraLevel.T12, VertebraLevel.T13),
        (VertebraLevel.T11, VertebraLevel.L1),
        (VertebraLevel.L5, VertebraLevel.S1),
        (VertebraLevel.L4, VertebraLevel.S1),
    }
    for upper, lower in pairwise(shape.levels):
        if lower.number - upper.number != 1 and (upper, lower) not in follows:
            raise ConfigError("The levels of a phantom must follow one another from the head down.")
    for name in ("tilts_deg", "leans_deg", "turns_deg", "stretches"):
        given = getattr(shape, name)
        if given and len(given) != len(shape.levels):
            raise ConfigError(f"A spine of {len(shape.levels)} levels has {len(given)} values in {name}.")


def _sizes(shape: SpineShape) -> list[VertebraSize]:
    sizes = [SIZES[level].scaled(shape.scale) for level in shape.levels]
    if shape.stretches:
        sizes = [size.stretched(factors) for size, factors in zip(sizes, shape.stretches, strict=True)]
    return sizes


def _poses(shape: SpineShape) -> tuple[VertebraPose, ...]:
    """Walk down the canal: half a height, a disc, half a height, turning a little at every disc."""
    count = len(shape.levels)
    tilts = np.deg2rad(shape.tilts_deg or even_tilts(count, shape.lordosis_deg_per_level))
    leans = np.deg2rad(shape.leans_deg or even_tilts(count, shape.scoliosis_deg_per_level))
    turns = np.deg2rad(shape.turns_deg or np.zeros(count))
    broken = {fracture.level: fracture for fracture in shape.fractures}
    signs = {"none": (), "left": (1.0,), "right": (-1.0,), "both": (1.0, -1.0)}[shape.fused]
    sizes = _sizes(shape)
    humps = np.array(
        [
            broken[level].kyphosis_rad(size) if level in broken else 0.0
            for level, size in zip(shape.levels, sizes, strict=True)
        ]
    )
    above = np.concatenate([np.cumsum(humps[::-1])[::-1][1:], [0.0]])
    forward = tilts + above - above.mean()
    origin = np.zeros(3)
    poses: list[VertebraPose] = []
    for number, (level, size) in enumerate(zip(shape.levels, sizes, strict=True)):
        fused = signs if shape.levels[number + 1 : number + 2] == (VertebraLevel.S1,) else ()
        pose = VertebraPose(
            level, size, origin, _axes(forward[number], leans[number], turns[number]), broken.get(level), fused
        )
        if number:
            before = poses[-1]
            ahead = (before.size.canal_depth_mm + before.size.body_depth_mm) / 2
            disc = before.size.disc_below_mm * (0.5 if before.fused else 1.0)
            gap = max(disc - ahead * np.tan(tilts[number] - tilts[number - 1]), 2.5)
            step = -before.bottom_mm + gap + pose.top_mm
            way = before.axes[0] + pose.axes[0]
            pose = VertebraPose(
                level, size, before.origin - step * way / np.linalg.norm(way), pose.axes, pose.fracture, fused
            )
        poses.append(pose)
    centre = (poses[0].origin + poses[-1].origin) / 2
    placed = [
        VertebraPose(pose.level, pose.size, pose.origin - centre, pose.axes, pose.fracture, pose.fused)
        for pose in poses
    ]
    return tuple(with_segments(pose, shape.scale) if pose.level is VertebraLevel.S1 else pose for pose in placed)


def _axes(tilt: float, lean: float, turn: float = 0.0) -> FloatArray:
    """Rows superior, posterior, left after a tilt forward, a lean to the left and a turn about its own axis."""
    superior = np.array([np.sin(lean), -np.sin(tilt) * np.cos(lean), np.cos(tilt) * np.cos(lean)])
    left = np.array([np.cos(lean), 0.0, -np.sin(lean)])
    left = left - superior * float(left @ superior)
    left /= np.linalg.norm(left)
    posterior = np.cross(superior, left)
    left, posterior = (
        left * np.cos(turn) + posterior * np.sin(turn),
        posterior * np.cos(turn) - left * np.sin(turn),
    )
    return np.stack([superior, posterior, left])


def _line(poses: list[VertebraPose]) -> CanalLine:
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
    """The disc: a body without a waist between two bodies; it fills what broken endplates leave; bone lies over it."""
    ends = [
        upper.at(upper.bottom_mm, upper.body_centre[1], 0),
        lower.at(lower.top_mm, lower.body_centre[1], 0),
    ]
    axes = upper.axes + lower.axes
    axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    width = (upper.size.body_width_mm + lower.size.body_width_mm) / 2
    depth = (upper.size.body_depth_mm + lower.size.body_depth_mm) / 2
    room = [4.0, 4.0]
    if upper.fracture:
        room[0] += upper.fracture.sink_mm(upper.size)
    if lower.fracture:
        room[1] += lower.fracture.sink_mm(lower.size) + lower.fracture.front_loss_mm(lower.size)
    tall = float(np.linalg.norm(ends[0] - ends[1])) + sum(room)
    middle = (ends[0] + ends[1]) / 2 + axes[0] * (room[0] - room[1]) / 2
    return VertebralBody(middle, axes, width, depth, tall, 0.0, 0.0)
