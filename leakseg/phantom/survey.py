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
from leakseg.phantom.frames import STEP_MM, VertebraFrame, vertebra_frame
from leakseg.phantom.gap_places import disc_between, foramina_between

_U_RANGE_MM = (-60.0, 45.0)
_V_REACH_MM = 50.0
ELSEWHERE, CANAL, FORAMEN, DISC = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Survey:
    """What the survey found; arrays are ``(S, U, V)`` on the lattice of ``STEP_MM``.

    ``place`` holds `ELSEWHERE`, `CANAL`, `FORAMEN` or `DISC` of each point that is not bone, and just under the
    bone's surface that of what lies before it; ``gap`` is 1 + index
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

    def lookup(self, values: NDArray[Any], suv: NDArray[Any]) -> NDArray[Any]:
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
    pushed = canal & (bone > 0) if masks.canal is not None else np.zeros_like(canal)  # retropulsed bone is canal
    canal = close_to_bone(canal & (bone == 0), bone > 0, STEP_MM) | pushed
    wall_u, half_width = _canal_front(canal, u, v)
    vertebrae = {}
    for level in masks.levels():
        frame = vertebra_frame(level, bone, wall_u, half_width, s, u, v)
        if frame is not None:
            vertebrae[level] = frame
    if not vertebrae:
        raise AnatomyError("No vertebra in the masks shows a body and both pedicles: nowhere to put cement.")
    found = sorted(vertebrae, key=lambda level: -vertebrae[level].middle_mm)
    gaps = tuple((a, b) for a, b in pairwise(found) if b.number - a.number in (1, 2))
    place, gap = np.zeros(bone.shape, np.uint8), np.zeros(bone.shape, np.uint8)
    for number, (upper, lower) in enumerate(gaps, start=1):
        disc = disc_between(vertebrae[upper], vertebrae[lower], bone, wall_u, s, u)
        foramen = foramina_between(vertebrae[upper], vertebrae[lower], bone, wall_u, s, u, v) & (bone == 0)
        disc &= bone == 0
        foramen &= ~disc  # a foramen lies behind the disc, so nothing is in both
        place[disc], gap[disc] = DISC, number
        place[foramen], gap[foramen] = FORAMEN, number
    place[canal & (bone == 0)] = CANAL
    gap[place == CANAL] = 0
    _into_surface(place, gap, bone > 0)
    return Survey(line, bone, canal, place, gap, wall_u, half_width, vertebrae, gaps)


def _into_surface(place: NDArray[np.uint8], gap: NDArray[np.uint8], bone: NDArray[np.bool_]) -> None:
    """Let each place reach 1.5 mm into bone nodes: a finer look at the bone's surface finds what lies before it."""
    from scipy.ndimage import grey_dilation

    for kind in (CANAL, FORAMEN, DISC):
        mine = place == kind
        reach = np.asarray(grey_dilation(np.where(mine, gap + 1, 0).astype(np.uint8), size=(5, 5, 5)))
        new = bone & (place == ELSEWHERE) & (reach > 0)
        place[new], gap[new] = kind, reach[new] - 1


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
