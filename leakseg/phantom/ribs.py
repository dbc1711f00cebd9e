"""Ribs: curved tubes from the costovertebral joint past the transverse process, outward, down and forward.

They belong to no vertebra label. Heads lie at the disc's margin down to T9 and on the body's side below. Courses
follow an oval chest; lengths beyond the usual field of view do not matter, those of the last pair do: twelfth ribs run
from a few centimetres to fifteen, and remnants under 38 mm are counted as no ribs where vertebrae are numbered
(Carrino 2011, doi 10.1148/radiol.11081511). Chest size and droop are [convention].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import FloatArray
from leakseg.phantom.arch import transverse_tip
from leakseg.phantom.pose import VertebraPose
from leakseg.phantom.solids import Tube

_CHEST_WIDE_MM, _CHEST_DEEP_MM = 128.0, 95.0
_CHUNK = 3


@dataclass(frozen=True, kw_only=True)
class RibShape:
    """Ribs of one patient."""

    droop_deg: float = 25.0
    """How far a rib falls on its way outward and forward."""
    last_mm: tuple[float, float] = (110.0, 110.0)
    """Lengths of the last pair, left and right; 0 leaves a rib out."""
    thirteenth: bool = False
    """Whether L1 carries the last pair (a lumbar rib) where there is no T13."""


def rib_tubes(poses: tuple[VertebraPose, ...], shape: RibShape) -> tuple[Tube, ...]:
    """Short pieces of every rib of these vertebrae, in patient millimetres."""
    last = max(
        (pose.level for pose in poses if _bears(pose.level, shape)), key=lambda level: level.number, default=None
    )
    pieces: list[Tube] = []
    for pose in poses:
        if not _bears(pose.level, shape):
            continue
        for side, sign in enumerate((1.0, -1.0)):
            free = pose.level in {VertebraLevel.T12, VertebraLevel.T13, VertebraLevel.L1} and pose.level == last
            length = shape.last_mm[side] if free else 240.0
            if length > 0:
                pieces += _rib(pose, sign, length, shape.droop_deg)
    return tuple(pieces)


def _bears(level: VertebraLevel, shape: RibShape) -> bool:
    return level.startswith("T") or (level is VertebraLevel.L1 and shape.thirteenth)


def _rib(pose: VertebraPose, sign: float, length_mm: float, droop_deg: float) -> list[Tube]:
    size, tall = pose.size, pose.size.body_height_mm
    wall = -size.canal_depth_mm / 2
    low = pose.level in {VertebraLevel.T10, VertebraLevel.T11, VertebraLevel.T12, VertebraLevel.T13, VertebraLevel.L1}
    head = (0.15 * tall if low else 0.5 * tall, wall - 3.5, sign * (size.body_width_mm / 2 + 1.5))
    tip = transverse_tip(pose, sign)
    free = pose.level.number >= VertebraLevel.T11.number
    tubercle = (tip[0] - (5.0 if free else 3.0), tip[1] - (2.0 if free else 7.5), sign * (abs(tip[2]) + 3.5))
    course = _course(tubercle, droop_deg)
    stops = np.concatenate([[head, _between(head, tubercle)], course])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(stops, axis=0), axis=1))])
    places = np.arange(0.0, min(length_mm, along[-1]) + 1e-6, 7.0)
    curve = np.stack([np.interp(places, along, stops[:, axis]) for axis in range(3)], axis=1)
    curve[1:-1] = (curve[:-2] + 2 * curve[1:-1] + curve[2:]) / 4
    path = np.array([pose.at(*stop) for stop in curve])
    radii = np.interp(places, [0.0, 12.0, 30.0, 60.0], [5.0, 3.6, 5.0, 6.2])
    if length_mm < along[-1]:
        radii = radii * np.interp(length_mm - places, [0.0, 20.0], [0.45, 1.0])
    return [_piece(path, radii, start, pose) for start in range(0, len(path) - 1, _CHUNK)]


def _piece(path: FloatArray, radii: FloatArray, start: int, pose: VertebraPose) -> Tube:
    """A piece flattened across the chest's wall."""
    part = path[start : start + _CHUNK + 1]
    way = part[-1] - part[0]
    across = np.cross(way, pose.axes[0])
    return Tube(part, radii[start : start + _CHUNK + 1], across / np.linalg.norm(across), 1.7)


def _between(head: tuple[float, float, float], tubercle: tuple[float, float, float]) -> tuple[float, float, float]:
    """The neck: it hugs the pedicle before it reaches the transverse process."""
    s, u, v = (np.asarray(head) + np.asarray(tubercle)) / 2
    return float(s), float(u) + 1.0, float(v)


def _course(start: tuple[float, float, float], droop_deg: float) -> FloatArray:
    """From the tubercle along the chest's oval to its side and on forward."""
    sign = float(np.sign(start[2]))
    first = float(np.arcsin(abs(start[2]) / _CHEST_WIDE_MM))
    angles = np.linspace(first, np.pi * 0.75, 40)
    u = (
        start[1]
        + _CHEST_DEEP_MM * (np.cos(angles) - np.cos(first))
        + 14.0 * np.sin(np.clip(angles - first, 0, 0.5) * 2)
    )
    v = sign * (abs(start[2]) + _CHEST_WIDE_MM * (np.sin(angles) - np.sin(first)))
    out = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(u), np.diff(v)))])
    return np.stack([start[0] - out * np.tan(np.deg2rad(droop_deg)), u, v], axis=1)
