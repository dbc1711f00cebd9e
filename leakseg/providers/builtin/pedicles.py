"""Cement in a pedicle: it hides the cortex round itself, so that the pedicles without cement tell where bone ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.levels import Cuts
from leakseg.providers.builtin.posterior import level_heights

START_MM, STEP_MM, DEPTHS, PLAIN_DEPTHS = -6.0, 3.0, 9, 6
"""Steps backward from before the posterior wall of the bodies: all of them, and those that hold the pedicle."""
WIDEST_MM, TALLEST_SHARE = 16, 0.8
"""Farther from the canal, or lower in a level, no pedicle is looked for."""
SHARES = 16
CEMENTED, USUAL = 0.03, 0.6
"""A side with more cement than the first tells nothing of its pedicle; a place is pedicle where this share of the
others have bone."""
PLAIN_SHARE, PLAIN_MM = (0.1, 0.5), 8
"""The pedicle where every one is cemented: share of the level's height from above, and width; [convention]."""


def fill_pedicles(
    labels: NDArray[np.uint8],
    cement: NDArray[np.bool_],
    suv: NDArray[np.float32],
    interval: NDArray[np.uint8],
    wall: Wall,
    cuts: Cuts,
) -> NDArray[np.uint8]:
    """The labels of points ``(M,)`` with the cement that lies where the patient's other pedicles have bone.

    Parameters
    ----------
    labels, cement, interval
        ``(M,)`` number of the vertebra or 0; cement; number of the level whose cuts enclose the point.
    suv
        ``(M, 3)`` canal coordinates.
    """
    s, u, v = suv.T
    row = np.clip(np.rint(s).astype(np.int64), 0, len(wall.seen) - 1)
    left = v > 0
    outward = np.abs(v) - np.where(left, wall.towards(np.pi / 2)[row], wall.towards(-np.pi / 2)[row])
    heights = level_heights(cuts)
    tops = np.append(cuts.s_mm, cuts.s_mm[-1] + heights[-1])
    level = interval.astype(np.int64) - 1
    down = (tops[level] - s) / heights[level]
    back = u + wall.front_mm[row] - START_MM
    zone = np.flatnonzero(
        (outward > 0) & (outward < WIDEST_MM) & (down > 0) & (down < TALLEST_SHARE)
        & (back > 0) & (back < STEP_MM * DEPTHS) & (s > 0) & (s < len(wall.seen) - 1)
    )  # fmt: skip
    if not cement[zone].any():
        return labels
    cell = (down[zone] * SHARES / TALLEST_SHARE).astype(np.int64) * WIDEST_MM + outward[zone].astype(np.int64)
    cell += (back[zone] / STEP_MM).astype(np.int64) * (SHARES * WIDEST_MM)
    side = level[zone] * 2 + left[zone]
    count = DEPTHS * SHARES * WIDEST_MM
    total = np.bincount(side, minlength=2 * len(tops))
    treated = np.bincount(side, cement[zone], minlength=2 * len(tops)) > CEMENTED * np.maximum(total, 1)
    clear = ~treated[side]
    seen = np.bincount(cell[clear], minlength=count)
    bone = np.bincount(cell[clear], labels[zone][clear] > 0, minlength=count)
    depth, share, width = np.unravel_index(np.arange(count), (DEPTHS, SHARES, WIDEST_MM))
    plain = (depth < PLAIN_DEPTHS) & (width < PLAIN_MM) & (share >= PLAIN_SHARE[0] * SHARES / TALLEST_SHARE)
    plain &= share < PLAIN_SHARE[1] * SHARES / TALLEST_SHARE
    pedicle = np.where(seen > 0, bone > USUAL * seen, plain)
    fill = zone[cement[zone] & (labels[zone] == 0) & pedicle[cell]]
    out = labels.copy()
    out[fill] = interval[fill]
    return out
