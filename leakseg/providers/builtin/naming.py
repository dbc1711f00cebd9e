"""Which vertebra is which: names from ribs and sacrum, compared where several are in view.

A name is told as sure only where the evidence is clear and does not contradict itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from leakseg.anatomy import VertebraLevel
from leakseg.geometry import FloatArray
from leakseg.providers.builtin.landmarks import Landmarks

RIB_MM, NO_RIB_MM = 38.0, 31.0
"""Bone that reaches farther is a rib (remnants under 4 cm do not count); nearer, a transverse process."""
SOME_WING, CLEAR_WING = 0.16, 0.25
"""Share of bone beside the body: the wings of the sacrum show, or show clearly."""
SURE, AGREED, DOUBTFUL, GUESSED = 0.85, 0.95, 0.5, 0.2

_ORDER: list[VertebraLevel] = [
    level for level in reversed(VertebraLevel) if level not in {VertebraLevel.T13, VertebraLevel.L6}
]
"""Usual anatomy, caudal first: S2, S1, L5 ... C1."""
_USUAL_HALF_WIDTH_MM = (26, 24.5, 23.5, 22, 21, 20, 18.5, 17, 16, 15, 14, 13.5, 13, 13, 13.5, 14.5, 15)
"""Half the width of the bodies from L5 up to T1, rounded from Panjabi et al. 1991 and 1992 (Spine 16:888, 17:299)."""


@dataclass(frozen=True)
class Naming:
    """Names and confidence of every level, caudal first; ``doubts`` say what speaks against them."""

    levels: tuple[VertebraLevel | None, ...]
    confidence: tuple[float, ...]
    landmarks: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class _Landmark:
    """``level`` (index, caudal first) is ``name`` for this reason."""

    what: str
    level: int
    name: VertebraLevel
    sure: float


def name_levels(landmarks: Landmarks, half_width_mm: FloatArray, trusted: NDArray[np.bool_]) -> Naming:
    """Names of the levels from what is in view.

    Parameters
    ----------
    landmarks
        Ribs and wings of every level, caudal first.
    half_width_mm
        ``(L,)`` half the width of each body, the last resort.
    trusted
        ``(L,)`` whether the discs that bound each level, and its height, are beyond doubt.
    """
    count = len(half_width_mm)
    found = [mark for mark in (_sacrum(landmarks), *_ribs(landmarks)) if mark is not None]
    if not found:
        return _guess(half_width_mm, landmarks)
    doubts = [
        _conflict(one, other)
        for one, other in pairwise(found)
        if other.level - one.level != _ORDER.index(other.name) - _ORDER.index(one.name)
    ]
    if doubts:
        names, confidence = _supernumerary(found, count), [DOUBTFUL] * count
    else:
        names = _counted(found[0], count)
        sure = AGREED if len(found) > 1 else found[0].sure
        certain = trusted.copy()
        certain[found[0].level : found[-1].level + 1] |= len(found) > 1  # two landmarks that agree bear each other out
        confidence = [sure if certain[_between(level, found)].all() else min(sure, DOUBTFUL) for level in range(count)]
    return Naming(tuple(names), tuple(confidence), tuple(mark.what for mark in found), tuple(doubts))


def _between(level: int, found: list[_Landmark]) -> slice:
    """The levels from the nearest landmark to this one, both included."""
    nearest = min((mark.level for mark in found), key=lambda mark: abs(mark - level))
    return slice(min(level, nearest), max(level, nearest) + 1)


def rib_state(landmarks: Landmarks) -> NDArray[np.int8]:
    """``(L,)``: 1 bears a rib, 0 bears none, -1 not to be told."""
    reach = landmarks.rib_mm
    some = np.any(reach >= RIB_MM, axis=1)
    none = np.all(reach < NO_RIB_MM, axis=1)
    return np.where(some, 1, np.where(none, 0, -1)).astype(np.int8)


def _sacrum(landmarks: Landmarks) -> _Landmark | None:
    """The highest level whose wings are as broad as any, beneath one that has none."""
    unseen = np.asarray(np.isnan(landmarks.wing))
    wing = np.where(unseen, 0, landmarks.wing).sum(axis=1) / np.maximum((~unseen).sum(axis=1), 1)
    if wing.max() < SOME_WING:
        return None
    level = int(np.flatnonzero(wing >= 0.5 * wing.max()).max())
    if level + 1 >= len(wing):
        return None  # no vertebra above it to compare with
    least = float(np.nanmin(landmarks.wing[level]))
    clear = wing[level] >= CLEAR_WING and least >= SOME_WING and wing[level + 1] <= 0.4 * wing[level]
    sure = SURE if clear and level <= 1 and not unseen[level].any() else DOUBTFUL
    return _Landmark("sacrum", level, VertebraLevel.S1, sure)


def _ribs(landmarks: Landmarks) -> list[_Landmark]:
    """The last rib from above (T12), and the first one below levels without (T1)."""
    state = rib_state(landmarks)
    out = []
    highest = len(state) - 1
    bearing = np.flatnonzero(state == 1)
    if len(bearing) == 0:
        return []
    # the lowest of the run of ribs that begins at the top; the ilium must not be taken for one
    top = int(bearing.max())
    level = top
    while level > 0 and state[level - 1] != 0:
        level -= 1
    run = state[level : top + 1]
    if level > 0 and run[0] == 1:
        clear = bool(np.all(landmarks.rib_mm[level] >= RIB_MM + 7)) and bool(np.all(run == 1))
        out.append(_Landmark("last rib", level, VertebraLevel.T12, SURE if clear else DOUBTFUL))
    free = top < highest and bool(np.any(landmarks.rib_mm[top + 1] < NO_RIB_MM)) and state[top + 1] != 1
    if free and len(run) >= 3 and np.all(run[-3:] == 1):
        out.append(_Landmark("first rib", top, VertebraLevel.T1, SURE if state[top + 1] == 0 else DOUBTFUL))
    return out


def _counted(mark: _Landmark, count: int) -> list[VertebraLevel | None]:
    """Names counted up and down from one landmark; None beyond the spine's ends."""
    positions = [_ORDER.index(mark.name) + level - mark.level for level in range(count)]
    return [_ORDER[position] if 0 <= position < len(_ORDER) else None for position in positions]


def _conflict(one: _Landmark, other: _Landmark) -> str:
    found, usual = other.level - one.level - 1, _ORDER.index(other.name) - _ORDER.index(one.name) - 1
    return (
        f"{found} vertebrae were found between {other.name} (by the {other.what}) and {one.name} (by the {one.what}) "
        f"where there are usually {usual}: a transitional or supernumerary vertebra, or a rib or a disc misjudged. "
        "The names may be wrong by one; pin one level with --anchor LEVEL@Z."
    )


def _supernumerary(found: list[_Landmark], count: int) -> list[VertebraLevel | None]:
    """Names where landmarks contradict: thoracic from the ribs, lumbar down from them, L6 and T13 where they fit."""
    marks = {mark.what: mark for mark in found}
    last, first, sacrum = marks.get("last rib"), marks.get("first rib"), marks.get("sacrum")
    names = _counted(last or found[0], count)
    if last and first and first.level - last.level == 12:
        names = _counted(first, count)
        below = _counted(last, count)
        names[: last.level] = below[: last.level]
        names[last.level] = VertebraLevel.T13
    if last and sacrum:
        names[: sacrum.level] = [None] * sacrum.level
        names[sacrum.level] = VertebraLevel.S1
        if last.level - sacrum.level - 1 == 6:
            names[sacrum.level + 1] = VertebraLevel.L6
        elif last.level - sacrum.level - 1 > 6:  # a disc too many: count from the nearer landmark
            names[sacrum.level + 1 : sacrum.level + 3] = [VertebraLevel.L5, VertebraLevel.L4]
            names[sacrum.level + 3 : last.level - 3] = [None] * max(0, last.level - sacrum.level - 6)
    return names


def _guess(half_width_mm: FloatArray, landmarks: Landmarks) -> Naming:
    """No landmark in view: names by the width of the bodies alone."""
    count = len(half_width_mm)
    state = rib_state(landmarks)
    lowest = _ORDER.index(VertebraLevel.L5)
    cost = {}
    for start in range(max(1, len(_USUAL_HALF_WIDTH_MM) + 1 - count)):
        usual = np.array(_USUAL_HALF_WIDTH_MM[start : start + count])
        misfit = float(np.mean(np.abs(usual / half_width_mm[: len(usual)] - 1)))
        thoracic = np.array([name.startswith("T") for name in _ORDER[lowest + start : lowest + start + count]])
        cost[start] = misfit + float(np.mean((thoracic & (state == 0)) | (~thoracic & (state == 1))))
    start = lowest + min(cost, key=lambda key: cost[key])
    names = _counted(_Landmark("size", 0, _ORDER[start], GUESSED), count)
    return Naming(tuple(names), (GUESSED,) * count, (), ())
