"""One vertebra's frame, worked out from bone on the survey's lattice: body, posterior wall, pedicles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import FloatArray

STEP_MM = 0.75
"""Step of the survey's lattice."""
_SACRAL_SEGMENT_MM = 30.0
_SACRAL_BORDER_MM = 30.0
"""Where the first sacral segment ends beside: the ala farther out is no border of the L5/S1 foramen."""


@dataclass(frozen=True)
class PedicleFrame:
    """A pedicle in canal coordinates; medial and lateral wall as ``|v|``."""

    bottom_mm: float
    top_mm: float
    medial_mm: float
    lateral_mm: float

    @property
    def middle_mm(self) -> float:
        """Mid-height."""
        return (self.bottom_mm + self.top_mm) / 2


@dataclass(frozen=True)
class VertebraFrame:
    """A vertebra in canal coordinates: its body's box, its posterior wall, its pedicles by side."""

    level: VertebraLevel
    bottom_mm: float
    top_mm: float
    wall_u_mm: float
    front_u_mm: float
    middle_v_mm: float
    half_width_mm: float
    pedicles: dict[str, PedicleFrame]

    @property
    def middle_mm(self) -> float:
        """Mid-height of the body."""
        return (self.bottom_mm + self.top_mm) / 2

    @property
    def height_mm(self) -> float:
        """Height of the body at its middle."""
        return self.top_mm - self.bottom_mm

    @property
    def centre(self) -> tuple[float, float, float]:
        """Centre of the body, canal coordinates."""
        return self.middle_mm, (self.wall_u_mm + self.front_u_mm) / 2, self.middle_v_mm


def vertebra_frame(
    level: VertebraLevel,
    bone: NDArray[np.uint8],
    wall_u: FloatArray,
    half_width: FloatArray,
    s: FloatArray,
    u: FloatArray,
    v: FloatArray,
) -> VertebraFrame | None:
    """The frame of a level; None where too little of it is seen."""
    own = bone == level.number
    if level is VertebraLevel.S1:
        own = _first_segment(own, wall_u, s, u, v)
    body = own & (u[None, :, None] < wall_u[:, None, None])
    counts = body.sum(axis=(1, 2))
    if counts.sum() * STEP_MM**3 < 3000:
        return None
    centre_s = float(np.average(s, weights=counts))
    near = np.abs(s - centre_s) < 4.0
    deep = u[body[near].any(axis=(0, 2))]
    wall = float(wall_u[round(centre_s / STEP_MM)])
    middle_u = (wall + float(deep[0])) / 2
    across = v[body[near][:, np.abs(u - middle_u) < 6.0].any(axis=(0, 1))]
    if len(across) == 0:
        return None
    middle_v = float(across[0] + across[-1]) / 2
    core = own[:, np.abs(u - middle_u) < 5.0][:, :, np.abs(v - middle_v) < 6.0].mean(axis=(1, 2)) > 0.5
    tall = s[core]
    if len(tall) < 8:
        return None
    pedicles = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        found = _pedicle(own, wall_u, half_width, s, u, sign * v)
        if found is not None:
            pedicles[side] = found
    if len(pedicles) < 2:
        return None
    half = float(across[-1] - across[0]) / 2
    return VertebraFrame(level, float(tall[0]), float(tall[-1]), wall, float(deep[0]), middle_v, half, pedicles)


def _first_segment(
    own: NDArray[np.bool_], wall_u: FloatArray, s: FloatArray, u: FloatArray, v: FloatArray
) -> NDArray[np.bool_]:
    """The uppermost part of a sacrum that is one label, as tall as its first segment, and no wider than a body."""
    ahead = u[None, :] - wall_u[:, None]
    middle = own & ((ahead > -20.0) & (ahead < -4.0))[:, :, None] & (np.abs(v) < 6.0)
    rows = np.flatnonzero(middle.any(axis=(1, 2)))
    if len(rows) == 0:
        return own
    near = (s > s[rows[-1]] - _SACRAL_SEGMENT_MM) & (s <= s[rows[-1]])  # facets above are no pedicle
    beside = np.abs(v) < _SACRAL_BORDER_MM
    return np.asarray(own & near[:, None, None] & beside)


def _pedicle(
    own: NDArray[np.bool_], wall_u: FloatArray, half_width: FloatArray, s: FloatArray, u: FloatArray, out: FloatArray
) -> PedicleFrame | None:
    """The longest stack of sections in which bone stands beside the canal just behind the posterior wall."""
    behind = u[None, :] - wall_u[:, None]
    depth = ((behind > 1.0) & (behind < 6.0))[:, :, None]
    solid = (own & depth).sum(axis=1) / np.maximum(depth.sum(axis=1), 1) > 0.6
    order = np.argsort(out)
    reach = out[order]
    rows: list[tuple[int, float, float]] = []
    for row in range(len(s)):
        line = solid[row][order] & (reach > 3.0)
        start = np.flatnonzero(line & (reach < half_width[row] + 8.0))
        if len(start) == 0:
            continue
        end = start[0]
        while end + 1 < len(line) and line[end + 1]:
            end += 1
        if reach[end] - reach[start[0]] >= 2.5:
            rows.append((row, float(reach[start[0]]), float(reach[end])))
    stacks: list[list[tuple[int, float, float]]] = []
    for item in rows:
        if stacks and item[0] - stacks[-1][-1][0] <= 2:
            stacks[-1].append(item)
        else:
            stacks.append([item])
    if not stacks:
        return None
    stack = max(stacks, key=len)
    if len(stack) * STEP_MM < 4.0:
        return None
    medial, lateral = np.median([item[1] for item in stack]), np.median([item[2] for item in stack])
    return PedicleFrame(float(s[stack[0][0]]), float(s[stack[-1][0]]), float(medial), float(lateral))
