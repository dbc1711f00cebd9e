"""Where discs and foramina lie: intervals in canal coordinates between two neighbouring vertebrae.

Arrays stand on the survey's lattice; see `leakseg.phantom.survey` for the definitions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray
from leakseg.phantom.frames import VertebraFrame

_RIM_MM = 6.0
"""An endplate's rim stands at most this far off its middle; farther out a column meets the waist, not the disc."""
_FORAMEN_DEPTH_MM = 14.0
_RECESS_MM = 3.0
"""A body's back corner may lie this far before its middle; space farther forward is beside the body."""


def disc_between(
    upper: VertebraFrame,
    lower: VertebraFrame,
    bone: NDArray[np.uint8],
    wall_u: FloatArray,
    s: FloatArray,
    u: FloatArray,
) -> NDArray[np.bool_]:
    """The disc: columns between the endplates inside both bodies' outline."""
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


def foramina_between(
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
                front = (
                    wall_u[row] - 2.0
                    if np.isnan(front)
                    else float(np.clip(front, wall_u[row] - _RECESS_MM, wall_u[row]))
                )
                free = (u > front) & (u < wall_u[row] + _FORAMEN_DEPTH_MM)
                behind = np.flatnonzero(free & (bone[row, :, column] > 0) & (u > front + 2.0))
                if len(behind):
                    free[behind[0] :] = False
                found[row, :, column] |= free
    return found
