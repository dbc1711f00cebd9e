"""The evaluation case by case and leak by leak: what a reader goes through with the images open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leakseg.evaluate.figures import ATTRIBUTES
from leakseg.evaluate.scoring import Scores
from leakseg.evaluate.statistics import Json
from leakseg.evaluate.table import Cell, Table
from leakseg.evaluate.values import CaseScore, LeakEntry, LeakRow, Outcome

_FIELDS = ("id", *ATTRIBUTES, "volume_mm3", "canal_encroachment_fraction")
_OUTCOMES: tuple[Outcome, ...] = ("detected", "missed", "false_positive", "extra_piece")
_CEMENT = ("dice", "surface_distance_mm", "hausdorff95_mm", "truth_mm3", "told_mm3")
_PARTS = ("all", "outside_bone")


def leak_listings(scores: Scores) -> tuple[Table, ...]:
    """Misses and wrong names, told leaks that stand for none, and every leak."""
    rows = scores.rows()
    return (
        _leaks("misses", "Misses and wrong names, one by one", [row for row in rows if is_miss(row)]),
        _leaks("unmatched", "False positives and extra pieces", [row for row in rows if is_unmatched(row)]),
        _leaks("leaks", "Every leak", rows),
    )


def case_listing(scores: Scores) -> Table:
    """Every scored case: how its leaks fared, and its cement."""
    columns = (
        "case_id",
        "group",
        "status",
        "truth_leaks",
        *_OUTCOMES,
        *(f"{part}_{name}" for part in _PARTS for name in _CEMENT),
    )
    return Table("per_case", "Every case", columns, tuple(_case(case) for case in scores.cases))


def _case(case: CaseScore) -> tuple[Cell, ...]:
    outcomes = [row.outcome for row in case.rows]
    counts = [outcomes.count(outcome) for outcome in _OUTCOMES]
    cement = [
        _rounded(getattr(case.cement[part], name)) if part in case.cement else None
        for part in _PARTS
        for name in _CEMENT
    ]
    return (case.case_id, case.group, case.status, counts[0] + counts[1], *counts, *cement)


def cases_not_done(told: Json) -> Table:
    """Cases without a result, and what could not be scored."""
    rows: list[tuple[Cell, ...]] = [
        (one["case_id"], one["status"], one["truth_leaks"], one["reason"]) for one in told["not_done"]
    ]
    rows += [(one["case_id"], "truth unusable, not scored", None, one["reason"]) for one in told["bad_truth"]]
    rows += [(one["case_id"], "result unusable", None, one["reason"]) for one in results_passed_over(told)]
    rows += [(one, "no truth, not scored", None, None) for one in told["without_truth"]]
    counts = ", ".join(f"{told[status]} {status.replace('_', ' ')}" for status in _STATUSES if told[status])
    ways = ", ".join(f"{count} by {way}" for way, count in told["matched_by"].items() if count) or "none"
    truth_cases = f"{told['truth']} truth case{'s' * (told['truth'] != 1)}"
    note = (
        f"{truth_cases}, {told['scored']} scored: {counts or 'none'}. The table lists the others. "
        f"Leaks matched: {ways}."
    )
    return Table("cases", "Cases", ("case_id", "status", "truth_leaks", "reason"), tuple(rows), note)


def results_passed_over(told: Json) -> list[Json]:
    """Results that cannot be used and that no truth case stands for: nothing else tells of them."""
    listed = {one["case_id"] for one in told["not_done"]}
    return [one for one in told["bad_results"] if one["case_id"] not in listed]


_STATUSES = ("done", "refused", "failed", "no_result", "unreadable")


def _leaks(name: str, title: str, rows: Sequence[LeakRow]) -> Table:
    columns = (
        "case_id",
        "outcome",
        *(f"truth_{field}" for field in _FIELDS),
        *(f"told_{field}" for field in _FIELDS),
        "confidence",
        "matched_by",
        "overlap_mm3",
        "distance_mm",
        "note",
    )
    return Table(name, title, columns, tuple(_leak(row) for row in rows))


def _leak(row: LeakRow) -> tuple[Cell, ...]:
    confidence = row.told.number("confidence") if row.told else None
    return (
        row.case_id,
        row.outcome,
        *_told(row.truth),
        *_told(row.told),
        confidence,
        row.matched_by,
        _rounded(row.overlap_mm3),
        _rounded(row.distance_mm),
        row.note or _wrong(row),
    )


def _told(leak: LeakEntry | None) -> tuple[Cell, ...]:
    return tuple(None if leak is None else _rounded(leak.told.get(field)) for field in _FIELDS)


def is_miss(row: LeakRow) -> bool:
    """Whether a truth leak was missed, or detected with a field that is wrong."""
    return row.outcome == "missed" or (row.outcome == "detected" and bool(_wrong(row)))


def is_unmatched(row: LeakRow) -> bool:
    """Whether a told leak stands for no truth leak of its own."""
    return row.outcome in {"false_positive", "extra_piece"}


def wrong_fields(row: LeakRow) -> list[str]:
    """Which fields a detected leak has wrong."""
    if row.outcome != "detected" or row.truth is None or row.told is None:
        return []
    truth, told = row.truth.told, row.told.told
    return [name for name in ATTRIBUTES if name in truth and name in told and truth[name] != told[name]]


def _wrong(row: LeakRow) -> str:
    wrong = wrong_fields(row)
    return f"wrong {', '.join(wrong)}" if wrong else ""


def _rounded(value: Any) -> Cell:
    return round(value, 4) + 0.0 if isinstance(value, float) else value
