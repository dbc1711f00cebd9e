"""The examiner's own survey of a spine: from masks to frames, pedicles and the place of every point.

Everything is worked out on a lattice in canal coordinates (see `leakseg.phantom.canal_line`), where canal,
foramina and discs are plain intervals, following the definitions of places: canal before foramen before
disc; foramina between the pedicles of neighbours, from the medial pedicle wall to the lateral border, behind
body and disc and in front of the facet joint; discs between endplates inside both bodies' outline.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import SpineMasks, VertebraLevel
from leakseg.errors import AnatomyError
from leakseg.geometry import FloatArray, Grid
from leakseg.phantom.canal_line import CanalLine, trace_canal
from leakseg.phantom.canal_section import close_to_bone, section_from_rays

STEP_MM = 0.75
_U_RANGE_MM = (-60.0, 45.0)
_V_REACH_MM = 50.0
_RIM_MM = 6.0
"""An endplate's rim stands at most this far off its middle; farther out a column meets the waist, not the disc."""
ELSEWHERE, CANAL, FORAMEN, DISC = 0, 1, 2, 3


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


@dataclass(frozen=True, eq=False)
class Survey:
    """What the survey found; arrays are ``(S, U, V)`` on the lattice of ``STEP_MM``.

    ``place`` holds `ELSEWHERE`, `CANAL`, `FORAMEN` or `DISC` of each point that is not bone; ``gap`` is 1 + index
    into ``gaps`` for foramina and discs; ``canal`` is the whole bony canal.
    """

    line: CanalLine
    bone: NDArray[np.uint8]
    canal: NDArray[np.bool_]
    place: NDArray[np.uint8]
    gap: NDArray[np.uint8]
    wall_u_mm: FloatArray
    canal_half_width_mm: FloatArray
    vertebrae: dict[VertebraLevel, VertebraFrame]
    gaps: tuple[tuple[VertebraLevel, VertebraLevel], ...]

    def lookup(self, values: NDArray[Any], suv: FloatArray) -> NDArray[Any]:
        """Values at the nodes nearest to canal coordinates ``(..., 3)``; 0 beyond the lattice."""
        origin = np.array([0.0, _U_RANGE_MM[0], -_V_REACH_MM])
        index = np.rint((suv - origin) / STEP_MM).astype(np.int64)
        inside = np.all((index >= 0) & (index < np.array(values.shape)), axis=-1)
        index[~inside] = 0
        return np.where(inside, values[index[..., 0], index[..., 1], index[..., 2]], 0).astype(values.dtype)

    def at_s(self, values: FloatArray, s: float) -> float:
        """A value by section at ``s``."""
        return float(values[int(np.clip(round(s / STEP_MM), 0, len(values) - 1))])

    def gap_of(self, level: VertebraLevel, below: bool) -> int | None:
        """Index of the motion segment below (or above) a level; None where the neighbour is not seen."""
        for number, pair in enumerate(self.gaps):
            if pair[0 if below else 1] == level:
                return number
        return None


def lattice_axes(line: CanalLine) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Positions of the lattice's nodes along s, u and v."""
    return (
        np.arange(0.0, line.length_mm, STEP_MM),
        np.arange(_U_RANGE_MM[0], _U_RANGE_MM[1] + 1e-6, STEP_MM),
        np.arange(-_V_REACH_MM, _V_REACH_MM + 1e-6, STEP_MM),
    )


def survey(masks: SpineMasks) -> Survey:
    """Survey the spine of these masks.

    Raises
    ------
    AnatomyError
        Where there is neither canal nor cord, or no vertebra is seen whole enough to have two pedicles.
    """
    hollow = masks.canal if masks.canal is not None else masks.cord
    if hollow is None:
        raise AnatomyError("Cement can only be put in where canal or cord masks say where the canal is: none found.")
    line = trace_canal(masks.grid, hollow, masks.vertebrae)
    s, u, v = lattice_axes(line)
    bone, inside = _sample(masks.grid, line, masks.vertebrae, hollow)
    canal = inside if masks.canal is not None else section_from_rays(bone > 0, inside, STEP_MM, u, v)
    canal = close_to_bone(canal & (bone == 0), bone > 0, STEP_MM)
    wall_u, half_width = _canal_front(canal, u, v)
    vertebrae = {}
    for level in masks.levels():
        frame = _vertebra(level, bone, wall_u, half_width, s, u, v)
        if frame is not None:
            vertebrae[level] = frame
    if not vertebrae:
        raise AnatomyError("No vertebra in the masks shows a body and both pedicles: nowhere to put cement.")
    found = sorted(vertebrae, key=lambda level: -vertebrae[level].middle_mm)
    gaps = tuple((a, b) for a, b in pairwise(found) if b.number - a.number in (1, 2))
    place, gap = np.zeros(bone.shape, np.uint8), np.zeros(bone.shape, np.uint8)
    for number, (upper, lower) in enumerate(gaps, start=1):
        disc = _disc(vertebrae[upper], vertebrae[lower], bone, wall_u, s, u)
        foramen = _foramina(vertebrae[upper], vertebrae[lower], bone, wall_u, s, u, v) & (bone == 0)
        disc &= bone == 0
        place[disc], gap[disc] = DISC, number
        place[foramen], gap[foramen] = FORAMEN, number
    place[canal & (bone == 0)] = CANAL
    gap[place == CANAL] = 0
    return Survey(line, bone, canal, place, gap, wall_u, half_width, vertebrae, gaps)


def _sample(
    grid: Grid, line: CanalLine, bone: NDArray[np.uint8], hollow: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Bone and hollow at the lattice's nodes, by nearest voxel; nothing beyond the scan."""
    s, u, v = lattice_axes(line)
    out_bone = np.zeros((len(s), len(u), len(v)), np.uint8)
    out_hollow = np.zeros(out_bone.shape, np.bool_)
    for row, height in enumerate(s):
        index = np.rint(grid.to_index(line.to_patient(height, u[:, None], v[None, :]))).astype(np.int64)
        seen = np.all((index >= 0) & (index < np.array(grid.shape)), axis=-1)
        index[~seen] = 0
        at = (index[..., 0], index[..., 1], index[..., 2])
        out_bone[row] = np.where(seen, bone[at], 0)
        out_hollow[row] = np.where(seen, hollow[at], False)
    return out_bone, out_hollow


def _canal_front(canal: NDArray[np.bool_], u: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where the posterior wall stands in each section, and half the canal's width; carried over gaps."""
    from scipy.ndimage import median_filter

    middle = canal[:, :, np.abs(v) < 5.0]
    wall, width = np.full(len(canal), np.nan), np.full(len(canal), np.nan)
    area = canal.sum(axis=(1, 2))
    whole = area > 0.7 * np.median(area[area > 0]) if area.any() else area > 0
    for row in range(len(canal)):
        columns = middle[row].any(axis=0)
        if whole[row] and columns.any():
            wall[row] = np.median(u[np.argmax(middle[row][:, columns], axis=0)]) - STEP_MM / 2
            across = v[canal[row].any(axis=0)]
            width[row] = (across[-1] - across[0]) / 2
    rows, known = np.arange(len(canal)), ~np.isnan(wall)
    if not known.any():
        raise AnatomyError("The canal could not be followed through these masks.")
    wall, width = np.interp(rows, rows[known], wall[known]), np.interp(rows, rows[known], width[known])
    return median_filter(wall, 9, mode="nearest"), median_filter(width, 9, mode="nearest")


def _vertebra(
    level: VertebraLevel,
    bone: NDArray[np.uint8],
    wall_u: FloatArray,
    half_width: FloatArray,
    s: FloatArray,
    u: FloatArray,
    v: FloatArray,
) -> VertebraFrame | None:
    own = bone == level.number
    body = own & (u[None, :, None] < wall_u[:, None, None])
    counts = body.sum(axis=(1, 2))
    if counts.sum() * STEP_MM**3 < 3000:
        return None
    centre_s = float(np.average(s, weights=counts))
    near = np.abs(s - centre_s) < 4.0
    across = v[body[near].any(axis=(0, 1))]
    deep = u[body[near].any(axis=(0, 2))]
    middle_v = float(across[0] + across[-1]) / 2
    wall = float(wall_u[round(centre_s / STEP_MM)])
    middle_u = (wall + float(deep[0])) / 2
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


def _disc(
    upper: VertebraFrame,
    lower: VertebraFrame,
    bone: NDArray[np.uint8],
    wall_u: FloatArray,
    s: FloatArray,
    u: FloatArray,
) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_opening, median_filter

    ahead = u[None, :, None] < wall_u[:, None, None]
    above, below = (bone == upper.level.number) & ahead, (bone == lower.level.number) & ahead
    both = binary_opening(above.any(axis=0) & below.any(axis=0), iterations=2)
    floor = s[len(s) - 1 - np.argmax(below[::-1], axis=0)]
    roof = s[np.argmax(above, axis=0)]
    floor, roof = median_filter(floor, 5), median_filter(roof, 5)
    both &= (np.abs(roof - upper.bottom_mm) < _RIM_MM) & (np.abs(floor - lower.top_mm) < _RIM_MM)
    height = s[:, None, None]
    return np.asarray(both & (height > floor) & (height < roof) & ahead)


def _foramina(
    upper: VertebraFrame,
    lower: VertebraFrame,
    bone: NDArray[np.uint8],
    wall_u: FloatArray,
    s: FloatArray,
    u: FloatArray,
    v: FloatArray,
) -> NDArray[np.bool_]:
    """Both foramina of a motion segment; each column runs back from the body to the first bone behind it."""
    found = np.zeros(bone.shape, np.bool_)
    deep = 14.0
    for side, sign in (("left", 1.0), ("right", -1.0)):
        over, under = upper.pedicles[side], lower.pedicles[side]
        rows = np.flatnonzero((s > under.top_mm) & (s < over.bottom_mm))
        if len(rows) == 0:
            continue
        share = (s[rows] - under.top_mm) / max(over.bottom_mm - under.top_mm, 1e-6)
        medial = under.medial_mm + share * (over.medial_mm - under.medial_mm)
        lateral = under.lateral_mm + share * (over.lateral_mm - under.lateral_mm)
        low = rows[s[rows] > upper.bottom_mm + 1.0]
        own = bone[low] == upper.level.number
        ahead = own & (u[None, :, None] < wall_u[low][:, None, None] + 3.0)
        seen = ahead.any(axis=1)
        back = u[len(u) - 1 - np.argmax(ahead[:, ::-1, :], axis=1)]
        with np.errstate(invalid="ignore"):
            counts = seen.sum(axis=0)
            surface = np.where(counts > 0, (back * seen).sum(axis=0) / np.maximum(counts, 1), np.nan)
        for row, inner, outer in zip(rows, medial, lateral, strict=True):
            for column in np.flatnonzero((sign * v > inner) & (sign * v <= outer)):
                front = surface[column]
                front = wall_u[row] - 2.0 if np.isnan(front) else float(np.clip(front, wall_u[row] - 6.0, wall_u[row]))
                free = (u > front) & (u < wall_u[row] + deep)
                behind = np.flatnonzero(free & (bone[row, :, column] > 0) & (u > front + 2.0))
                if len(behind):
                    free[behind[0] :] = False
                found[row, :, column] |= free
    return found
