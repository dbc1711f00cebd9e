"""Heads of ribs where metal's streaks or the scan's upper end make them doubtful: told by the vertebra below.

Lumbar vertebrae show bone there, if at all, the less the higher they lie: L5 much, L3 hardly any. So bone on both sides
above a vertebra that shows hardly any, and was looked at in the same way, is of ribs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray
from leakseg.providers.builtin.ribs import LEAST_RIB_MM, NO_HEAD, PLAIN_HEAD

AS_BARE = 0.25
"""A vertebra that shows so much less bone than the one above bears no rib: lumbar ones show less the higher they lie
[convention]."""


def borne_out_by_below(
    head: FloatArray, rib_mm: FloatArray, doubted: NDArray[np.bool_], alike: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """``(L,)`` doubted levels whose heads are believed for what the level below shows.

    Parameters
    ----------
    head, rib_mm
        ``(L, 2)`` share of bone where a rib's head lies, and reach of bone, caudal first, as they were measured.
    doubted
        ``(L,)`` whose heads are not believed by themselves.
    alike
        ``(L,)`` whether a level was looked at in the same way as a doubted one above it: with as much metal behind it.
    """
    plain = np.all(np.nan_to_num(head) >= PLAIN_HEAD, axis=1)
    ribless = alike & ~np.any(rib_mm >= LEAST_RIB_MM, axis=1)
    most = np.maximum(NO_HEAD, AS_BARE * head[1:].min(axis=1))
    rises = np.append(False, ribless[:-1] & (head[:-1].max(axis=1) <= most))
    return np.asarray(doubted & plain & rises)
