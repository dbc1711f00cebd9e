"""Which told leak stands for which truth leak: by place alone, whatever type and level either gives.

Own constants: the examiner shares none with the method.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from leakseg.errors import InputError
from leakseg.evaluate.values import CaseEntry, LeakEntry, LeakRow
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
    f"{MAX_CENTROID_MM:g} mm, the pairing with the smallest distances. A told leak left over that shares as much with "
    "a truth leak is an extra piece of it, listed and no false positive; any other left over is a false positive. A "
    "truth leak left over is missed."
)

Score = Callable[[LeakEntry, LeakEntry], float]


def match(truth: CaseEntry, told: CaseEntry, truth_labels: Labels | None, told_labels: Labels | None) -> list[LeakRow]:
    """How each leak of one case fared: truth leaks in their order, then told leaks left over.

    Raises
    ------
    InputError
        Where a leak has neither voxels nor a centroid, or the labelmaps lie apart.
    """
    if truth_labels is not None and told_labels is not None:
        _check_same_place(truth_labels, told_labels)
    shared = overlaps_mm3(truth_labels, told_labels) if truth_labels and told_labels else {}

    def overlap(one: LeakEntry, other: LeakEntry) -> float:
        volume = shared.get((one.id, other.id), 0.0)
        if not volume or truth_labels is None or told_labels is None:
            return 0.0
        smaller = min(truth_labels.volumes_mm3[one.id], told_labels.volumes_mm3[other.id])
        return volume if volume >= MIN_SHARED_FRACTION * smaller else 0.0

    def distance(one: LeakEntry, other: LeakEntry) -> float:
        return float(np.linalg.norm(_centroid(one, truth_labels) - _centroid(other, told_labels)))

    def nearness(one: LeakEntry, other: LeakEntry) -> float:
        if _has_voxels(one, truth_labels) and _has_voxels(other, told_labels):
            return 0.0
        return max(MAX_CENTROID_MM * 1.000001 - distance(one, other), 0.0)

    pairs = _assign(truth.leaks, told.leaks, overlap)
    left = tuple(leak for leak in truth.leaks if leak.id not in pairs)
    free = tuple(leak for leak in told.leaks if leak not in pairs.values())
    near = _assign(left, free, nearness)
    rows = []
    for leak in truth.leaks:
        if leak.id in pairs:
            other = pairs[leak.id]
            rows.append(LeakRow(truth.case_id, "detected", leak, other, overlap_mm3=overlap(leak, other)))
        elif leak.id in near:
            other = near[leak.id]
            rows.append(LeakRow(truth.case_id, "detected", leak, other, distance_mm=distance(leak, other)))
        else:
            rows.append(LeakRow(truth.case_id, "missed", leak, note=_whereabouts(leak, told, overlap, pairs)))
    taken = {other.id for other in (*pairs.values(), *near.values())}
    rows += [_left_over(truth, leak, overlap) for leak in told.leaks if leak.id not in taken]
    return rows


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
    return LeakRow(truth.case_id, "extra_piece", owner, leak, overlap_mm3=overlap(owner, leak))


def _whereabouts(leak: LeakEntry, told: CaseEntry, overlap: Score, pairs: dict[int, LeakEntry]) -> str:
    """What the results have in the place of a missed leak."""
    best = max(told.leaks, key=lambda other: overlap(leak, other), default=None)
    if best is None or not overlap(leak, best):
        return "nothing told there"
    owner = next(number for number, other in pairs.items() if other is best)
    return f"told as part of leak {best.id} ({best.type}), which stands for truth leak {owner}"


def _has_voxels(leak: LeakEntry, labels: Labels | None) -> bool:
    return labels is not None and leak.id in labels.volumes_mm3


def _centroid(leak: LeakEntry, labels: Labels | None) -> FloatArray:
    if labels is not None and leak.id in labels.centroids_mm:
        return labels.centroids_mm[leak.id]
    told = leak.told.get("centroid_mm")
    if isinstance(told, list | tuple) and len(told) == 3 and all(isinstance(value, int | float) for value in told):
        return np.asarray(told, dtype=np.float64)
    raise InputError(
        f"Leak {leak.id} cannot be matched: it has no voxels in a labelmap and no centroid_mm. "
        "Put a labelmap leaks.nii.gz with the leaks' ids beside the document."
    )


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
