"""C2 by its place below the skull: the axis, on the highest disc of the spine, with the dens that C1 turns about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.frames import Straight
from leakseg.providers.builtin.landmarks import Landmarks
from leakseg.providers.builtin.levels import Cuts
from leakseg.providers.builtin.posterior import Column
from leakseg.providers.builtin.trust import LEAST_CLEARNESS

AXIS_MM, AXIS_SD_MM, FARTHEST_OFF_MM = 48.0, 6.0, 9.0
"""The disc below C2 lies so far below the skull's opening, with this spread over patients and views; half a cervical
level away from there, another disc would do as well. Convention: the axis is 33 to 40 mm tall with its dens, which ends
less than 8.5 mm below the foramen magnum (Rojas et al. 2007, doi 10.3174/ajnr.A0660), and that is told some mm above
its rim."""
DENS_DEPTH_MM, DENS_HALF_MM, DENS_ALONG_MM = (3, 13), 4.0, 7
"""Where the dens would pass through a cut: so far before the canal, to the sides, and along the axis either way."""
BONE_BRIDGE, LEAST_BRIDGE_HU, BODY_ALONG_MM = 0.75, 60.0, 2
"""A column whose faintest place rises over soft tissue by so much of what bone does, and by so much at the least, goes
through: there is no disc. The body's density is taken so far along the axis from its middle."""
DENS_REACH_MM, THICKEST_DISC_MM = 8.0, 8.0
"""The dens reaches no farther sideways; and the disc below C2 no farther up."""
NEAREST_DISC_MM = 20.0
"""Nearer below the skull no disc is looked for: the dens has ended there."""


def axis_level(landmarks: Landmarks) -> int | None:
    """The level that lies below the skull as C2 does; None where the skull is not in view, or no disc lies so."""
    off = np.abs(landmarks.to_skull_mm - AXIS_MM)
    near = np.flatnonzero(off <= FARTHEST_OFF_MM)
    return int(near[off[near].argmin()]) if len(near) else None


def trust_axis(
    trusted: NDArray[np.bool_], landmarks: Landmarks, cuts: Cuts, bridged: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """``trusted`` ``(L,)``, with C2 by its place below the skull: beyond doubt on a clear disc, and no disc above it.

    Between C2 and the skull is no disc, for the dens goes through (``bridged`` ``(C,)``): how it and C1 are cut tells
    nothing of the levels below.
    """
    level = axis_level(landmarks)
    if level is None:
        return trusted
    disc = (cuts.clearness >= LEAST_CLEARNESS) & ~bridged
    above = landmarks.to_skull_mm[level + 1 :] > NEAREST_DISC_MM
    out = trusted.copy()
    out[level] = disc[level - 1] and not (disc[level:] & above).any()
    out[level + 1 :] = False
    return out


def bridged_cuts(straight: Straight, wall: Wall, cuts: Cuts, densities: Densities) -> NDArray[np.bool_]:
    """``(C,)`` whether bone goes through each cut in the middle of the column, as the dens does and no disc.

    Bone is what is nearly as dense as the body below: in a weak neck the dens is weak, too.
    """
    middle = np.abs(straight.v_mm) <= DENS_HALF_MM
    depths = np.arange(*DENS_DEPTH_MM)

    def column(s: int, along_mm: int) -> NDArray[np.float32]:
        u = -float(wall.front_mm[s]) - depths
        index = np.clip(np.rint(u - straight.u_mm[0]).astype(np.int64), 0, len(straight.u_mm) - 1)
        return np.asarray(straight.hu[max(s - along_mm, 0) : s + along_mm + 1][:, index][:, :, middle])

    usual = densities.bone_hu - densities.soft_hu
    out = []
    for number, s in enumerate(cuts.s_mm.astype(int)):
        below = int((cuts.s_mm[number] + cuts.s_mm[number - 1]) / 2) if number else s
        body = float(np.nanmedian(column(below, BODY_ALONG_MM))) - densities.soft_hu if number else usual
        rise_hu = max(BONE_BRIDGE * min(body, usual), LEAST_BRIDGE_HU)
        through = float(np.nanmax(np.min(_smoothed(column(s, DENS_ALONG_MM)), axis=0), initial=-np.inf))
        out.append(through > densities.soft_hu + rise_hu)
    return np.array(out, bool)


def give_dens(
    column: Column, suv: NDArray[np.float32], bone: NDArray[np.bool_], wall: Wall, cuts: Cuts, level: int
) -> Column:
    """The column at points ``(M, 3)``, with the dens as a part of C2 (its ``level``); C1 has no body, and no disc.

    ``bone`` ``(M,)`` is what is as dense.
    """
    s, u, v = suv.T
    above = s > cuts.s_mm[level - 1] + THICKEST_DISC_MM
    row = np.clip(np.rint(s).astype(np.int64), 0, len(wall.radius_mm) - 1)
    ahead = -u - wall.front_mm[row]
    dens = above & bone & (ahead > 0) & (ahead < DENS_DEPTH_MM[1]) & (np.abs(v) < DENS_REACH_MM) & (column.depth > 0)
    body = np.where(column.body > level + 1, 0, column.body)
    body[dens] = level + 1
    return replace(column, body=body.astype(np.uint8), disc=column.disc & ~above)


def _smoothed(part: NDArray[np.float32]) -> FloatArray:
    """Mean of every 3 x 3 columns: a thin spur or the noise of one is no dens."""
    from scipy.ndimage import uniform_filter

    return np.asarray(uniform_filter(part, (1, 3, 3), mode="nearest"), dtype=np.float64)
