"""What is counted: detection, naming, measures and confidence, as plain data for `evaluation.json`.

Detection is over truth leaks, naming and measures over detected ones; every figure holds its own denominator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np

from leakseg.evaluate.scoring import Scores
from leakseg.evaluate.statistics import (
    Json,
    agreement,
    cross_table,
    estimate,
    kappa,
    rate,
    share,
    tidy,
)
from leakseg.evaluate.values import CaseScore, LeakRow, MatchedBy
from leakseg.findings import LeakType

SIZE_EDGES_MM3 = (10.0, 20.0, 50.0, 200.0, 1000.0)
"""Edges of the size bins [convention]."""
MIN_SCORED_MM3 = 20.0
"""The headline figures are over truth leaks of this size and more [convention]."""
MIN_MEASURED_MM3 = 50.0
"""Volume errors are told again for truth leaks of this size and more [convention]."""
CONFIDENCE_BINS = 10
WAYS = get_args(MatchedBy)
ATTRIBUTES = ("type", "level", "segment", "side", "route", "subtype", "exiting_root")
ALL_RIGHT = ("type", "level", "segment", "side")
TYPES = tuple(str(kind) for kind in LeakType)
MISSED, NOTHING = "missed", "no leak"

POLICY = (
    "A truth case without a result (refused, failed, unreadable, or not named by the results) is listed, and all its "
    "truth leaks count as missed; it can hold no false positive, so these and extra pieces are per case done. Truth "
    "that cannot be read is listed and not scored; so are results without truth. A case without leaks in truth and "
    "results is a right answer of its own (leak-free cases); it has no part in accuracies. Cement masks that are both"
    " empty are not compared; where only one is, Dice is 0 and the distance is not measurable. A field is scored in "
    "detected leaks where the truth and the result both tell it; null is an answer, and right where the truth has "
    "null too. All right together passes over fields that truth does not tell. Volumes and encroachment are compared "
    "in detected leaks, the told leak without its extra pieces."
)


def is_scored(row: LeakRow, at_least_mm3: float = MIN_SCORED_MM3) -> bool:
    """Whether the row is a truth leak of that size; a truth leak of unknown size is."""
    if row.truth is None or row.outcome == "extra_piece":
        return False
    volume = row.truth.number("volume_mm3")
    return volume is None or volume >= at_least_mm3


def is_right(row: LeakRow, names: Sequence[str]) -> bool:
    """Whether the leak was detected and each of those fields is told as in truth; what truth does not tell is right."""
    if row.outcome != "detected" or row.truth is None or row.told is None:
        return False
    truth, told = row.truth.told, row.told.told
    return all(name not in truth or truth[name] == told.get(name) for name in names)


def cases_told(scores: Scores) -> Json:
    """How many cases ended how."""
    statuses = [case.status for case in scores.cases]
    return {
        "truth": len(scores.cases) + len(scores.bad_truth),
        "scored": len(scores.cases),
        **{status: statuses.count(status) for status in ("done", "refused", "failed", "no_result", "unreadable")},
        "not_done": [
            {"case_id": case.case_id, "status": case.status, "reason": case.reason, "truth_leaks": len(case.rows)}
            for case in scores.cases
            if case.status != "done"
        ],
        "bad_truth": [{"case_id": one.case_id, "reason": one.message} for one in scores.bad_truth],
        "bad_results": [{"case_id": one.case_id, "reason": one.message} for one in scores.bad_results],
        "without_truth": list(scores.without_truth),
        "matched_by": {
            way: [row.matched_by for row in scores.rows() if row.outcome == "detected"].count(way) for way in WAYS
        },
    }


def detection(scores: Scores) -> Json:
    """Sensitivity by size, false positives and extra pieces per case, leak-free cases, and the FROC curve."""
    rows = scores.rows()
    done = [case for case in scores.cases if case.status == "done"]
    in_done = {case.case_id for case in done}
    every = _count(rows, lambda row: is_scored(row, 0.0))
    free = [case for case in done if all(row.truth is None for row in case.rows)]
    return {
        "sensitivity": {
            "all": every,
            f"from_{MIN_SCORED_MM3:g}_mm3": _count(rows, is_scored),
            f"from_{MIN_SCORED_MM3:g}_mm3_cases_done": _count(
                rows, lambda row: is_scored(row) and row.case_id in in_done
            ),
        },
        "by_size": [
            {"from_mm3": low, "below_mm3": high, **_count(rows, lambda row, a=low, b=high: _in_bin(row, a, b))}
            for low, high in zip((0.0, *SIZE_EDGES_MM3), (*SIZE_EDGES_MM3, None), strict=True)
        ],
        "by_type": [
            {"type": kind, **_count(rows, lambda row, kind=kind: is_scored(row, 0.0) and _type(row.truth) == kind)}
            for kind in TYPES
        ],
        "false_positives_per_case": rate(_number(rows, "false_positive"), len(done)),
        "extra_pieces_per_case": rate(_number(rows, "extra_piece"), len(done)),
        "leak_free_cases_told_so": share(sum(not case.rows for case in free), len(free)),
        "froc": _froc(rows, every["n"], len(done)),
    }


def naming(scores: Scores) -> Json:
    """Type confusion, kappa, precision and recall, accuracy of every field, and all right together."""
    rows = scores.rows()
    detected = [row for row in rows if row.outcome == "detected"]
    pairs = [(_type(row.truth), _type(row.told)) for row in detected]
    named = [
        (_type(row.truth) if row.truth else NOTHING, _type(row.told) if row.told else MISSED)
        for row in rows
        if row.outcome != "extra_piece"
    ]
    table = cross_table(named, (*TYPES, NOTHING), (*TYPES, MISSED))
    grouped = [[(_type(r.truth), _type(r.told)) for r in case.rows if r.outcome == "detected"] for case in scores.cases]
    return {
        "accuracy": share(sum(a == b for a, b in pairs), len(pairs)),
        "kappa": estimate(grouped, lambda items: kappa(items, TYPES)),
        "confusion": {
            "rows_truth": [*TYPES, NOTHING],
            "columns_told": [*TYPES, MISSED],
            "counts": [[int(count) for count in line] for line in table],
        },
        "per_type": [
            {
                "type": kind,
                "recall": share(int(table[place, place]), int(table[place].sum())),
                "precision": share(int(table[place, place]), int(table[:, place].sum())),
            }
            for place, kind in enumerate(TYPES)
        ],
        "fields": {name: _field(detected, name) for name in ATTRIBUTES},
        "all_right": {
            "fields": list(ALL_RIGHT),
            f"of_truth_leaks_from_{MIN_SCORED_MM3:g}_mm3": _all_right(rows, is_scored),
            "of_all_truth_leaks": _all_right(rows, lambda row: is_scored(row, 0.0)),
        },
    }


def measures(scores: Scores) -> Json:
    """Agreement of volumes and of canal encroachment, and of the cement masks."""
    return {
        "volume_mm3": agreement(measured_pairs(scores, "volume_mm3")),
        f"volume_mm3_from_{MIN_MEASURED_MM3:g}_mm3": agreement(measured_pairs(scores, "volume_mm3", MIN_MEASURED_MM3)),
        "canal_encroachment_fraction": agreement(measured_pairs(scores, "canal_encroachment_fraction")),
        "cement": {part: _cement(scores.cases, part) for part in ("all", "outside_bone")},
    }


def measured_pairs(scores: Scores, name: str, at_least_mm3: float = 0.0) -> list[list[tuple[float, float]]]:
    """By case, (truth, told) of one measure in detected leaks where both have it."""
    grouped = []
    for case in scores.cases:
        found = []
        for row in case.rows:
            if row.outcome != "detected" or not is_scored(row, at_least_mm3) or row.truth is None or row.told is None:
                continue
            truth, told = row.truth.number(name), row.told.number(name)
            if truth is not None and told is not None:
                found.append((truth, told))
        grouped.append(found)
    return grouped


def calibration(scores: Scores) -> Json:
    """Expected calibration error of the confidence, and what its bins hold.

    A told leak is right where it is of the type of the truth leak it stands for, or is a piece of; a false positive
    is wrong. ECE after Naeini et al. 2015 (doi 10.1609/aaai.v29i1.9602), bins of equal width.
    """
    grouped = [
        [
            (confidence, _type(row.told) == (_type(row.truth) if row.truth else NOTHING))
            for row in case.rows
            if row.told is not None and (confidence := row.told.number("confidence")) is not None
        ]
        for case in scores.cases
    ]
    bins = []
    items = [item for group in grouped for item in group]
    for place, inside in enumerate(_binned(items)):
        mean = float(np.mean([confidence for confidence, _ in inside])) if inside else None
        bins.append(
            {
                "from": place / CONFIDENCE_BINS,
                "to": (place + 1) / CONFIDENCE_BINS,
                "mean_confidence": tidy(mean),
                **share(sum(right for _, right in inside), len(inside)),
            }
        )
    without = sum(row.told is not None and row.told.number("confidence") is None for row in scores.rows())
    return {
        "expected_calibration_error": estimate(grouped, _ece),
        "bins": bins,
        "without_confidence": without,
    }


def _binned(items: Sequence[tuple[float, bool]]) -> list[list[tuple[float, bool]]]:
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(CONFIDENCE_BINS)]
    for item in items:
        bins[min(max(int(item[0] * CONFIDENCE_BINS), 0), CONFIDENCE_BINS - 1)].append(item)
    return bins


def _ece(items: Sequence[tuple[float, bool]]) -> float:
    return sum(abs(sum(right - confidence for confidence, right in inside)) for inside in _binned(items)) / len(items)


def _froc(rows: Sequence[LeakRow], truth_leaks: int, done: int) -> list[Json]:
    """Points from the strictest threshold to none; leaks without a confidence count at every threshold."""
    told = [(row, row.told.number("confidence")) for row in rows if row.told is not None]
    thresholds = sorted({value for _, value in told if value is not None}, reverse=True)
    points = []
    for threshold in (*thresholds, None):
        kept = [row for row, value in told if threshold is None or value is None or value >= threshold]
        points.append(
            {
                "min_confidence": tidy(threshold),
                "sensitivity": tidy(_number(kept, "detected") / truth_leaks) if truth_leaks else None,
                "false_positives_per_case": tidy(_number(kept, "false_positive") / done) if done else None,
            }
        )
    return points


def _field(detected: Sequence[LeakRow], name: str) -> Json:
    both = [
        (row.truth.told[name], row.told.told[name])
        for row in detected
        if row.truth and row.told and name in row.truth.told and name in row.told.told
    ]
    return share(sum(a == b for a, b in both), len(both))


def _all_right(rows: Sequence[LeakRow], chosen: Callable[[LeakRow], bool]) -> Json:
    picked = [row for row in rows if chosen(row)]
    return share(sum(is_right(row, ALL_RIGHT) for row in picked), len(picked))


def _cement(cases: Sequence[CaseScore], part: str) -> Json:
    scored = [case.cement[part] for case in cases if part in case.cement]
    compared = [one for one in scored if one.dice is not None]
    figures: dict[str, Any] = {"cases": len(scored), "both_empty": len(scored) - len(compared)}
    for name in ("dice", "surface_distance_mm", "hausdorff95_mm"):
        values = [getattr(one, name) for one in compared if getattr(one, name) is not None]
        figures[f"median_{name}"] = estimate([[value] for value in values], lambda items: float(np.median(items)))
    return figures


def _count(rows: Sequence[LeakRow], chosen: Callable[..., bool]) -> Json:
    picked = [row for row in rows if chosen(row)]
    return share(_number(picked, "detected"), len(picked))


def _in_bin(row: LeakRow, low: float, high: float | None) -> bool:
    if row.truth is None or row.outcome == "extra_piece":
        return False
    volume = row.truth.number("volume_mm3")
    return volume is not None and volume >= low and (high is None or volume < high)


def _number(rows: Sequence[LeakRow], outcome: str) -> int:
    return sum(row.outcome == outcome for row in rows)


def _type(leak: Any) -> str:
    return str(leak.type)
