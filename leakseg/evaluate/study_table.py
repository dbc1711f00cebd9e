"""The table a study is held to: figures by stratum, each with what is to be reached, and every miss one by one.

Figures are over cases without mask fault and with thin slices unless a row says otherwise; a mask fault's loss is
over the same phantoms with and without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leakseg.evaluate import figures
from leakseg.evaluate.figures import ATTRIBUTES, MIN_MEASURED_MM3, MIN_SCORED_MM3, is_right, is_scored
from leakseg.evaluate.listings import is_miss, is_unmatched, wrong_fields
from leakseg.evaluate.scoring import Scores
from leakseg.evaluate.statistics import Json, estimate
from leakseg.evaluate.strata import cohort, is_middle, is_thick, is_thin, mask_fault
from leakseg.evaluate.table import Cell, Table
from leakseg.evaluate.values import CaseScore, LeakEntry, LeakRow

COLUMNS = ("cohort", "figure", "reach", "value", "k", "n", "low_95", "high_95", "reached")


@dataclass(frozen=True)
class Row:
    """One figure and what it is to reach: at least ``least``, or at most ``most``; neither: told for itself."""

    text: str
    figure: Json
    least: float | None = None
    most: float | None = None

    def reached(self) -> str:
        """Yes, no, or nothing where there is nothing to compare."""
        value = self.figure["value"]
        if value is None or (self.least is None and self.most is None):
            return ""
        good = (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        return "yes" if good else "no"

    def reach(self) -> str:
        """The bound in words."""
        if self.least is not None:
            return f"≥ {self.least:g}"
        return "" if self.most is None else f"≤ {self.most:g}"


def study_tables(scores: Scores) -> tuple[Table, ...]:
    """The study's table and its misses; nothing where truth tells no strata."""
    if not any(case.strata for case in scores.cases):
        return ()
    names = sorted({cohort(case) for case in scores.cases}, key=lambda name: (name != "phantom", name))
    rows = [
        (name, row.text, row.reach(), *_share(row.figure), row.reached())
        for name in names
        for row in study_rows(scores.where(lambda case, name=name: cohort(case) == name))  # type: ignore[misc] # a default argument
        if row.figure["n"]
    ]
    note = (
        "Slices up to 2 mm and masks without fault where a row does not say otherwise. Loss: type accuracy over "
        "detected leaks without the fault, less that with it, in the same phantoms; a case whose truth has other leaks "
        "than the case that it is the same as is left out. Its n: leaks detected without the fault; for sensitivity, "
        "leaks of that size."
    )
    return Table("study_table", "Right on hard scans", COLUMNS, tuple(rows), note), _misses(scores)


def study_rows(scores: Scores) -> Iterator[Row]:
    """The rows of one cohort."""
    sound = scores.where(lambda case: mask_fault(case) is None)
    thin = sound.where(is_thin)
    size = f"{MIN_SCORED_MM3:g}"
    found, named, measured = figures.detection(thin), figures.naming(thin), figures.measures(thin)
    fields = named["fields"]
    large = measured[f"volume_mm3_from_{MIN_MEASURED_MM3:g}_mm3"]
    yield Row(f"sensitivity, leaks ≥ {size} mm³", found["sensitivity"][f"from_{size}_mm3"], least=0.97)
    yield Row("false positives per case, distractors included", found["false_positives_per_case"], most=0.05)
    distracted = figures.detection(thin.where(lambda case: bool(case.strata.get("distractors"))))
    yield Row("false positives per case with distractors in view", distracted["false_positives_per_case"])
    yield Row("type accuracy, detected leaks", named["accuracy"], least=0.95)
    yield Row("type, Cohen's kappa", named["kappa"], least=0.93)
    yield Row("level of origin", fields["level"], least=0.99)
    yield Row("side", fields["side"], least=0.99)
    yield Row(
        f"volume, median absolute error relative to truth, leaks ≥ {MIN_MEASURED_MM3:g} mm³",
        large["median_relative_error"],
        most=0.10,
    )
    encroached = measured["canal_encroachment_fraction"]["median_absolute_error"]
    yield Row("canal encroachment, median absolute error", encroached, most=0.03)
    yield from _losses(scores)
    middle = sound.where(is_middle)
    yield Row("3 mm slices: type accuracy", figures.naming(middle)["accuracy"], least=0.92)
    seen = figures.detection(middle)["sensitivity"][f"from_{size}_mm3"]
    yield Row(f"3 mm slices: sensitivity, leaks ≥ {size} mm³", seen, least=0.93)
    yield Row("5 mm slices: type accuracy", figures.naming(sound.where(is_thick))["accuracy"], least=0.85)
    yield Row("segment", fields["segment"], least=0.95)
    yield Row("route", fields["route"], least=0.90)
    yield Row("subtype", fields["subtype"], least=0.85)
    together = named["all_right"][f"of_truth_leaks_from_{size}_mm3"]
    yield Row(f"type, level, segment and side all right, of all leaks ≥ {size} mm³", together, least=0.92)
    yield Row("extra pieces per case", found["extra_pieces_per_case"], most=0.1)
    error = figures.calibration(thin)["expected_calibration_error"]
    yield Row("confidence, expected calibration error", error, most=0.05)


def _losses(scores: Scores) -> Iterator[Row]:
    """Each mask fault against the same phantoms without it."""
    plain = {case.case_id: case for case in scores.cases if mask_fault(case) is None}
    for fault in sorted({found for case in scores.cases if (found := mask_fault(case)) is not None}):
        pairs = [
            (plain[base], case)
            for case in scores.cases
            if mask_fault(case) == fault
            and (base := case.strata.get("same_as")) in plain
            and _truth_leaks(plain[base]) == _truth_leaks(case)
        ]
        groups = [_paired(*pair) for pair in pairs]
        pooled = [pair for group in groups for pair in group]
        named = estimate(groups, _loss_of_type) | {"n": sum(pair.found[0] for pair in pooled)}
        missed = estimate(groups, _loss_of_finding) | {"n": sum(pair.scored for pair in pooled)}
        yield Row(f"loss in type accuracy, mask fault {fault}", named, most=0.03)
        yield Row(f"loss in sensitivity, leaks ≥ {MIN_SCORED_MM3:g} mm³, {fault}", missed)


@dataclass(frozen=True)
class _Pair:
    """One truth leak without and with a fault: of scored size, found, and of the right type."""

    scored: bool
    found: tuple[bool, bool]
    right: tuple[bool, bool]


def _truth_leaks(case: CaseScore) -> dict[int, tuple[Cell, ...]]:
    """What truth tells of each leak; another scanner's phantom has other leaks under the same ids."""
    leaks = [row.truth for row in case.rows if row.truth is not None]
    return {leak.id: tuple(leak.told.get(name) for name in (*ATTRIBUTES, "volume_mm3")) for leak in leaks}


def _paired(without: CaseScore, with_fault: CaseScore) -> list[_Pair]:
    ours, theirs = ({row.truth.id: row for row in case.rows if _is_truth(row)} for case in (without, with_fault))  # type: ignore[union-attr] # truth rows have a truth
    return [
        _Pair(
            is_scored(ours[leak]),
            (ours[leak].outcome == "detected", theirs[leak].outcome == "detected"),
            (is_right(ours[leak], ("type",)), is_right(theirs[leak], ("type",))),
        )
        for leak in ours
        if leak in theirs
    ]


def _is_truth(row: LeakRow) -> bool:
    return row.truth is not None and row.outcome != "extra_piece"


def _loss_of_type(pairs: Sequence[_Pair]) -> float | None:
    """None where nothing is found without the fault; where nothing is found with it, all is lost."""
    without, with_fault = ([pair.right[arm] for pair in pairs if pair.found[arm]] for arm in (0, 1))
    if not without:
        return None
    return sum(without) / len(without) - (sum(with_fault) / len(with_fault) if with_fault else 0.0)


def _loss_of_finding(pairs: Sequence[_Pair]) -> float | None:
    scored = [pair for pair in pairs if pair.scored]
    if not scored:
        return None
    return sum(pair.found[0] - pair.found[1] for pair in scored) / len(scored)


def _misses(scores: Scores) -> Table:
    columns = (
        *("case_id", "group", "mask_fault", "slice_mm", "distractors", "outcome", "wrong", "truth", "told"),
        *("confidence", "note", "around", "case_notes", "evidence", "reason"),
    )
    rows = [_miss(case, row) for case in scores.cases for row in case.rows if is_miss(row) or is_unmatched(row)]
    note = (
        "Every miss, wrong name, false positive and extra piece. Around: the nearest leak of the other side, and what "
        "its cement map holds in the leak's place. The last column is for the reason, once looked at."
    )
    return Table("misses", "Misses, one by one", columns, tuple(rows), note)


def _miss(case: CaseScore, row: LeakRow) -> tuple[Cell, ...]:
    return (
        case.case_id,
        case.group,
        mask_fault(case),
        case.strata.get("slice_mm"),
        case.strata.get("distractors"),
        row.outcome,
        ", ".join(wrong_fields(row)),
        _words(row.truth),
        _words(row.told),
        row.told.number("confidence") if row.told else None,
        row.note,
        row.around,
        ", ".join(case.notes),
        _evidence(row.told),
        "",
    )


def _words(leak: LeakEntry | None) -> str:
    """E.g. "1: epidural paracentral B L3 at L3 left 120 mm³"."""
    if leak is None:
        return ""
    told = leak.told
    parts = [str(told[name]) for name in ("type", "subtype", "route", "level") if told.get(name)]
    parts += [f"at {told['segment']}"] if told.get("segment") else []
    parts += [str(told["side"])] if told.get("side") else []
    volume = leak.number("volume_mm3")
    parts += [] if volume is None else [f"{volume:.0f} mm³"]
    return f"{leak.id}: {' '.join(parts)}"


def _evidence(leak: LeakEntry | None) -> str:
    """What was measured against which limit, as the result tells it; ``!`` where the criterion is not met."""
    if leak is None or not isinstance(leak.told.get("evidence"), list):
        return ""
    told = [one for one in leak.told["evidence"] if isinstance(one, dict)]
    return "; ".join(
        f"{'' if one.get('met') else '!'}{one.get('criterion')} ({one.get('measured')} / {one.get('limit')})"
        for one in told
    )


def _share(one: Json) -> tuple[Cell, ...]:
    return (one["value"], one.get("k"), one["n"], one["low"], one["high"])
