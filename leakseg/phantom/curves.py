"""Curvature of the spine: tilt, lean and turn of every vertebra, degrees.

Tilt is how far the upper endplate faces forward, lean how far it faces left, turn how far the body's front has
turned to the left. Lumbar lordosis (L1 to S1) and thoracic kyphosis (T5 to T12) are spread over the segments as
lumbar segments share the lordosis, two thirds of it below L4 (Bernhardt and Bridwell 1989, doi
10.1097/00007632-198907000-00012), with a straight thoraco-lumbar junction between them; the shares themselves
are rounded [convention]. Scoliosis is one arc whose vertebrae turn toward its convex side.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import FloatArray

_KYPHOSIS = {"T5": 0.17, "T6": 0.18, "T7": 0.18, "T8": 0.17, "T9": 0.14, "T10": 0.10, "T11": 0.06}
_LORDOSIS = {"L1": 0.07, "L2": 0.12, "L3": 0.17, "L4": 0.27, "L5": 0.37}


def natural_tilts(levels: Sequence[VertebraLevel], kyphosis_deg: float, lordosis_deg: float) -> tuple[float, ...]:
    """Tilt of each level, degrees, with their mean at 0; what lies below a level bends by the level's share."""
    tilts = [0.0]
    for level, below in pairwise(levels):
        bend = _LORDOSIS.get(level, 0.0) * lordosis_deg - _KYPHOSIS.get(level, 0.0) * kyphosis_deg
        if level is VertebraLevel.L5 and below is VertebraLevel.L6:
            bend *= 0.5
        elif level is VertebraLevel.L6:
            bend = 0.5 * _LORDOSIS["L5"] * lordosis_deg
        tilts.append(tilts[-1] + bend)
    return tuple(float(tilt) for tilt in np.array(tilts) - np.mean(tilts))


def even_tilts(count: int, deg_per_level: float) -> tuple[float, ...]:
    """The same bend at every disc, lordotic where positive."""
    return tuple((number - (count - 1) / 2) * deg_per_level for number in range(count))


def scoliosis(count: int, cobb_deg: float, apex: float, span: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Leans and turns of one arc, convex to the left where ``cobb_deg`` is positive.

    Parameters
    ----------
    apex, span
        The apex and half the arc's length, both in levels from the uppermost.
    """
    place: FloatArray = np.clip((np.arange(count) - apex) / max(span, 1.0), -1.0, 1.0)
    leans = cobb_deg / 2 * np.sin(place * np.pi / 2)
    turns = 0.45 * cobb_deg * np.cos(place * np.pi / 2) ** 2
    return tuple(float(lean) for lean in leans), tuple(float(turn) for turn in turns)
