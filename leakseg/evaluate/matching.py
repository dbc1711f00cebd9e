"""Which told leak stands for which truth leak: by place alone, whatever type and level either gives.

Own constants: the examiner shares none with the method.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from leakseg.errors import InputError
from leakseg.evaluate.values import CaseEntry, LeakEntry, LeakRow, MatchedBy
from leakseg.evaluate.voxels import Labels, overlaps_mm3
from leakseg.geometry import FloatArray

MIN_SHARED_FRACTION = 0.1
"""Two leaks can be one where they share at least this much of the smaller one [convention]."""
MAX_CENTROID_MM = 10.0
"""Leaks without voxels can be one where their centroids lie at most this far apart [convention]."""

RULE = (
    "One truth leak and one told leak are matched at most once, by place alone: type and level play no part. "
    f"Where both have voxels: they must share at least {MIN_SHARED_FRACTION:.0%} of the smaller one's volume, and of "
    "all ways to pair the leaks of a case the one with the largest shared volume is taken (labelmaps are compared in "
    "patient mm, on whatever grid). Where either has none: by the distance of the centroids, at most "
    f"{MAX_CENTROID_MM:g} mm, the pairing with the smallest distances. Where either has no centroid too (a reader's "
    "table): by words, the same level and as many of segment, side and type as can be; such matches are counted apart, "
    "for they cannot differ in level and are kind to the rest. A told leak left over that shares as much with a truth "
    "leak is an extra piece of it, listed and no false positive; any other left over is a false positive. A truth leak "
    "left over is missed."
)

Score = Callable[[LeakEntry, LeakEntry], float]


@dataclass(frozen=True, eq=False)
class _Places:
    """Where the leaks of one case lie, and three measures of how near two of them are; 0 is apart."""

    truth: Labels | None
    told: Labels | None
    shared_mm3: dict[tuple[int, int], float]

    def overlap(self, one: LeakEntry, other: LeakEntry) -> float:
        """Volume shared, mm3, where it is enough of the smaller leak."""
        volume = self.shared_mm3.get((one.id, other.id), 0.0)
        if not volume or self.truth is None or self.told is None:
            return 0.0
        smaller = min(self.truth.volumes_mm3[one.id], self.told.volumes_mm3[other.id])
        return volume if volume >= MIN_SHARED_FRACTION * smaller else 0.0

    def distance(self, one: LeakEntry, other: LeakEntry) -> float | None:
        """Between the centroids, mm; None where either has none."""
        ours, theirs = _centroid(one, self.truth), _centroid(other, self.told)
        return None if ours is None or theirs is None else float(np.linalg.norm(ours - theirs))

    def nearness(self, one: LeakEntry, other: LeakEntry) -> float:
        """How far the centroids are from being too far apart, for leaks that voxels cannot settle."""
        if _has_voxels(one, self.truth) and _has_voxels(other, self.told):
            return 0.0
        apart = self.distance(one, other)
        return 0.0 if apart is None else max(MAX_CENTROID_MM * 1.000001 - apart, 0.0)

    def likeness(self, one: LeakEntry, other: LeakEntry) -> float:
        """How alike the places are told, for leaks without a centroid; the type settles what side leaves open."""
        if one.level != other.level or self.distance(one, other) is not None:
            return 0.0
        same = {name: name in one.told and one.told[name] == other.told.get(name) for name in ("segment", "side")}
        return 1.0 + same["segment"] + same["side"] + 0.1 * (one.type == other.type)


def match(truth: CaseEntry, told: CaseEntry, truth_labels: Labels | None, told_labels: Labels | None) -> list[LeakRow]:
    """How each leak of one case fared: truth leaks in their order, then told leaks left over.

    Raises
    ------
    InputError
        Where a centroid is no point, or the labelmaps lie apart.
    """
    shared: dict[tuple[int, int], float] = {}
    if truth_labels is not None and told_labels is not None:
        _check_same_place(truth_labels, told_labels)
        shared = overlaps_mm3(truth_labels, told_labels)
    places = _Places(truth_labels, told_labels, shared)
    scores: dict[MatchedBy, Score] = {
        "overlap": places.overlap,
        "centroid": places.nearness,
        "words": places.likeness,
    }
    found: dict[int, tuple[MatchedBy, LeakEntry]] = {}
    for way, measure in scores.items():
        taken = {other.id for _, other in found.values()}
        left = [leak for leak in truth.leaks if leak.id not in found]
        free = [leak for leak in told.leaks if leak.id not in taken]
        found |= {number: (way, other) for number, other in _assign(left, free, measure).items()}
    taken = {other.id for _, other in found.values()}
    return [
        *(_fate(truth.case_id, leak, told, places, found) for leak in truth.leaks),
        *(_left_over(truth, leak, places.overlap) for leak in told.leaks if leak.id not in taken),
    ]


def _fate(
    case_id: str, leak: LeakEntry, told: CaseEntry, places: _Places, found: dict[int, tuple[MatchedBy, LeakEntry]]
) -> LeakRow:
    if leak.id not in found:
        return LeakRow(case_id, "missed", leak, note=_whereabouts(leak, told, places.overlap, found))
    way, other = found[leak.id]
    shares = places.overlap(leak, other) if way == "overlap" else None
    apart = places.distance(leak, other) if way == "centroid" else None
    return LeakRow(case_id, "detected", leak, other, way, shares, apart)


def _assign(ours: Sequence[LeakEntry], theirs: Sequence[LeakEntry], score: Score) -> dict[int, LeakEntry]:
    """By our leak's id, the leak of theirs it is paired with; the sum of scores is the largest there is."""
    from scipy.optimize import linear_sum_assignment

    if not ours or not theirs:
        return {}
    scores = np.array([[score(one, other) for other in theirs] for one in ours])
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return {ours[row].id: theirs[column] for row, column in zip(rows, columns, strict=True) if scores[row, column] > 0}


def _left_over(truth: CaseEntry, leak: LeakEntry, overlap: Score) -> LeakRow:
    owner = max(truth.leaks, key=lambda one: overlap(one, leak), default=None)
    if owner is None or not overlap(owner, leak):
        return LeakRow(truth.case_id, "false_positive", told=leak)
    return LeakRow(truth.case_id, "extra_piece", owner, leak, "overlap", overlap(owner, leak))


def _whereabouts(
    leak: LeakEntry, told: CaseEntry, overlap: Score, found: dict[int, tuple[MatchedBy, LeakEntry]]
) -> str:
    """What the results have in the place of a missed leak."""
    best = max(told.leaks, key=lambda other: overlap(leak, other), default=None)
    if best is None or not overlap(leak, best):
        return "nothing told there"
    owner = next(number for number, (_, other) in found.items() if other is best)
    return f"told as part of leak {best.id} ({best.type}), which stands for truth leak {owner}"


def _has_voxels(leak: LeakEntry, labels: Labels | None) -> bool:
    return labels is not None and leak.id in labels.volumes_mm3


def _centroid(leak: LeakEntry, labels: Labels | None) -> FloatArray | None:
    if labels is not None and leak.id in labels.centroids_mm:
        return labels.centroids_mm[leak.id]
    told = leak.told.get("centroid_mm")
    if told is None:
        return None
    if isinstance(told, list | tuple) and len(told) == 3 and all(_is_finite(value) for value in told):
        return np.asarray(told, dtype=np.float64)
    raise InputError(f"The centroid_mm of leak {leak.id} is not a point of three numbers in mm.")


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _check_same_place(truth: Labels, told: Labels) -> None:
    """Labelmaps that are metres apart come from different frames."""
    if not truth.volumes_mm3 or not told.volumes_mm3:
        return
    ours, theirs = truth.grid.corners_mm(), told.grid.corners_mm()
    gap = np.maximum(ours.min(axis=0), theirs.min(axis=0)) - np.minimum(ours.max(axis=0), theirs.max(axis=0))
    if gap.max() > 300:
        raise InputError(
            f"The labelmaps of truth and results lie {gap.max():.0f} mm apart; both must lie in the scan's space."
        )
