"""How well the scan shows what was drawn, level by level: the canal's wall, and whether bodies are cut lengthwise."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.canal import Wall
from leakseg.providers.builtin.frames import Straight
from leakseg.providers.builtin.levels import Cuts, Signals

WHOLE_WALL_SEEN = 0.75
"""Share of rays that meet the wall of a level in a clear scan: measured, 0.7 to 0.8 in three real ones."""


@dataclass(frozen=True, eq=False)
class Sight:
    """``wall_seen`` ``(L,)``: share of rays that met the canal's wall where it was expected, caudal first.

    ``cut_off`` ``(L,)``: share of the body and the arch that lies beyond the side, front or back of the scan.
    ``contrast``: the canal was found only with the contrast medium in it dimmed.
    """

    wall_seen: FloatArray
    cut_off: FloatArray
    contrast: bool

    def canal_confidence(self, rows: list[int]) -> float:
        """How sure the canal is at the least seen of some levels, 0 to 1.

        The share of its wall that was met, as a share of what a whole ring between open foramina gives; halved
        where contrast medium had to be dimmed.
        """
        least = min(float(self.wall_seen[row]) for row in rows)
        return round(min(1.0, least / WHOLE_WALL_SEEN) * (0.5 if self.contrast else 1.0), 3)


def measure_sight(straight: Straight, wall: Wall, signals: Signals, cuts: Cuts, *, contrast: bool) -> Sight:
    """How well every level is seen; the open levels at both ends as far as the axis goes."""
    N = len(wall.seen)
    half = signals.half_width_mm[:, None, None]
    u, v = straight.u_mm[None, :, None], straight.v_mm[None, None, :]
    box = (u > -wall.front_mm[:, None, None] - 1.3 * half) & (u < 16) & (np.abs(v) < half)
    unseen = (box & np.isnan(straight.hu)).sum(axis=(1, 2)) / np.maximum(box.sum(axis=(1, 2)), 1)
    unseen[unseen > 0.95] = np.nan  # above or below the scan
    borders = np.concatenate([[0], np.clip(cuts.s_mm, 1, N - 1), [N]]).astype(int)
    seen, cut_off = [], []
    for start, stop in pairwise(borders):
        part = slice(start, max(stop, start + 1))
        seen.append(float(np.mean(wall.seen[part])))
        inner = unseen[part][np.isfinite(unseen[part])]
        cut_off.append(float(np.median(inner)) if len(inner) else 0.0)
    return Sight(np.array(seen), np.array(cut_off), contrast)
