"""Where the lowest and the highest vertebra end: no disc between two bodies is there, but its near side shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.densities import Densities
from leakseg.providers.builtin.discs import TILT_COST, TILTS_DEG, brightest_beside, midline_front, tilted_means
from leakseg.providers.builtin.frames import Straight
from leakseg.providers.builtin.levels import Cuts

NEAREST_SHARE, FARTHEST_SHARE = 0.65, 1.15
"""An open level ends at this share of its neighbours' height beyond its last disc, at the least and at the most ..."""
ODD_HEIGHT = 2.0
"""... and as high as they are rather than not: share of the usual fall for the square of the difference."""
LEAST_SHARE = 0.5
"""The fall from its endplate is at least this share of what the discs of this spine show."""

RIM_MM = 4
"""So near the end of the axis part of a tilted disc lies outside the scan, and what falls off is the scan."""


@dataclass(frozen=True)
class End:
    """A place within the disc beyond an open level: ``s_mm`` on the axis, and the sagittal tilt."""

    s_mm: float
    tilt_deg: float


def find_ends(
    straight: Straight, wall: Wall, cuts: Cuts, densities: Densities, cement: NDArray[np.bool_]
) -> tuple[End | None, End | None]:
    """Below the lowest and above the highest cut, the place where bone falls off to a disc; None where none is seen.

    ``cement``, shaped as the straightened scan, is passed over.
    """
    relative = np.clip(straight.hu - densities.soft_hu, -60, 350)
    relative[cement] = np.nan
    means = tilted_means(midline_front(relative, straight, wall))  # (T, N)
    gaps = np.diff(cuts.s_mm)
    if len(gaps) == 0:
        return None, None
    cost = TILT_COST * TILTS_DEG[:, None] ** 2
    falls = {side: np.stack([brightest_beside(mean, side) for mean in means]) - means - cost for side in (1, -1)}
    usual = float(np.median(np.minimum(falls[1], falls[-1]).max(axis=0)[cuts.s_mm.astype(int)]))
    N = means.shape[1]
    found: list[End | None] = []
    for start, side, gap in ((cuts.s_mm[0], -1, np.median(gaps[:3])), (cuts.s_mm[-1], 1, np.median(gaps[-3:]))):
        away = np.arange(round(NEAREST_SHARE * gap), round(FARTHEST_SHARE * gap) + 1)
        at = (start + side * away).astype(int)
        at = at[(at >= RIM_MM) & (at < N - RIM_MM)]
        fall = falls[-side][:, at] - ODD_HEIGHT * usual * (np.abs(at - start) / gap - 1) ** 2
        if fall.size == 0 or fall.max() < LEAST_SHARE * usual:
            found.append(None)
            continue
        tilt, number = np.unravel_index(int(fall.argmax()), fall.shape)
        found.append(End(float(at[number]), float(TILTS_DEG[tilt])))
    return found[0], found[1]
