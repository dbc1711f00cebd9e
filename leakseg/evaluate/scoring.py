"""Pairs the cases of truth and results and scores each; nothing that went wrong is dropped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from leakseg.errors import InputError
from leakseg.evaluate.matching import match
from leakseg.evaluate.surroundings import Maps, surroundings
from leakseg.evaluate.values import CaseEntry, CaseScore, CementScore, Cohort, LeakEntry, LeakRow, Problem
from leakseg.evaluate.voxels import Labels, compare_masks, read_labels

_CEMENT_PARTS = {"all": (1, 2), "outside_bone": (2,)}
"""Values of the cement labelmap: 1 inside bone, 2 outside bone."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Every truth case with how it fared, in the order of case ids.

    ``bad_truth`` names truth that could not be used (not scored), ``bad_results`` results that could not (their truth
    leaks count as missed), ``without_truth`` result cases that no truth speaks of (not scored).
    """

    cases: tuple[CaseScore, ...]
    bad_truth: tuple[Problem, ...]
    bad_results: tuple[Problem, ...]
    without_truth: tuple[str, ...]

    def group(self, name: str) -> Scores:
        """The cases of one group alone."""
        return self.where(lambda case: case.group == name)

    def where(self, chosen: Callable[[CaseScore], bool]) -> Scores:
        """The chosen cases alone."""
        return Scores(tuple(case for case in self.cases if chosen(case)), (), (), ())

    def rows(self) -> tuple[LeakRow, ...]:
        """The leaks of all cases."""
        return tuple(row for case in self.cases for row in case.rows)


def score(truth: Cohort, results: Cohort) -> Scores:
    """Score every truth case against its result."""
    pairs, without_truth = pair_cases(truth.cases, results)
    claimed: set[str] = set()
    cases: list[CaseScore] = []
    bad_truth, bad_results = list(truth.problems), list(results.problems)
    for one, told in pairs:
        try:
            ours = _labels(one.leaks_file)
            cement = _labels(one.cement_file)
            _check_ids(one, ours)
        except InputError as error:
            bad_truth.append(Problem(one.case_id, str(error)))
            continue
        one = replace(one, leaks=_with_volumes(one.leaks, ours))  # noqa: PLW2901 # the same case, volumes filled in
        if told.status != "no_result" and told.case_id in claimed:
            bad_truth.append(Problem(one.case_id, f"Another truth case has the result '{told.case_id}' already."))
            continue
        claimed.add(told.case_id)
        if told.status != "done":
            cases.append(_unanswered(one, told))
            continue
        try:
            cases.append(_score_case(one, told, ours, cement))
        except InputError as error:
            bad_results.append(Problem(one.case_id, str(error)))
            cases.append(_unanswered(one, replace(told, status="unreadable", reason=str(error))))
    return Scores(tuple(cases), tuple(bad_truth), tuple(bad_results), without_truth)


def pair_cases(
    truth: tuple[CaseEntry, ...], results: Cohort
) -> tuple[tuple[tuple[CaseEntry, CaseEntry], ...], tuple[str, ...]]:
    """Each truth case with its result: by study UID (several series: by series UID, then by case_id), else by case_id.

    A truth case without a result gets one with the status ``no_result`` or ``unreadable``.

    Returns
    -------
    pairs, without_truth
        ``without_truth``: ids of result cases that no truth case claims.
    """
    by_study: dict[str, list[CaseEntry]] = defaultdict(list)
    for case in results.cases:
        if case.study_instance_uid:
            by_study[case.study_instance_uid].append(case)
    by_id = {case.case_id: case for case in results.cases}
    unreadable = {problem.case_id: problem.message for problem in results.problems}
    taken: set[str] = set()
    pairs = []
    for one in truth:
        told = _choose(one, by_study.get(one.study_instance_uid or "", []), by_id.get(one.case_id))
        if told is not None:
            taken.add(told.case_id)
        elif one.case_id in unreadable:
            told = CaseEntry(one.case_id, "unreadable", unreadable[one.case_id])
        else:
            told = CaseEntry(one.case_id, "no_result", "the results do not name this case")
        pairs.append((one, told))
    return tuple(pairs), tuple(case.case_id for case in results.cases if case.case_id not in taken)


def _choose(one: CaseEntry, same_study: list[CaseEntry], same_id: CaseEntry | None) -> CaseEntry | None:
    series = [
        case for case in same_study if one.series_instance_uid and case.series_instance_uid == one.series_instance_uid
    ]
    for candidates in (series, same_study):
        if len(candidates) == 1:
            return candidates[0]
        if same_id in candidates:
            return same_id
    if same_id is None:
        return None
    strangers = same_id.study_instance_uid and one.study_instance_uid
    return None if strangers and same_id.study_instance_uid != one.study_instance_uid else same_id


def _score_case(one: CaseEntry, told: CaseEntry, ours: Labels | None, cement: Labels | None) -> CaseScore:
    theirs = _labels(told.leaks_file)
    _check_ids(told, theirs)
    told = replace(told, leaks=_with_volumes(told.leaks, theirs))
    their_cement = _labels(told.cement_file)
    true, found = Maps(ours, cement), Maps(theirs, their_cement)
    rows = [replace(row, around=surroundings(row, true, found)) for row in match(one, told, ours, theirs)]
    parts: dict[str, CementScore] = {}
    if cement is not None and their_cement is not None:
        parts = {name: compare_masks(cement, their_cement, values) for name, values in _CEMENT_PARTS.items()}
    return CaseScore(one.case_id, "done", None, tuple(rows), parts, one.group, one.strata, told.notes)


def _unanswered(one: CaseEntry, told: CaseEntry) -> CaseScore:
    note = f"case {told.status.replace('_', ' ')}"
    rows = tuple(LeakRow(one.case_id, "missed", leak, note=note) for leak in one.leaks)
    return CaseScore(one.case_id, told.status, told.reason, rows, {}, one.group, one.strata)


def _labels(path: Path | None) -> Labels | None:
    return read_labels(path) if path is not None else None


def _check_ids(case: CaseEntry, labels: Labels | None) -> None:
    strangers = set(labels.volumes_mm3) - {leak.id for leak in case.leaks} if labels is not None else set()
    if strangers:
        named = ", ".join(str(number) for number in sorted(strangers)[:5])
        raise InputError(
            f"The labelmap of leaks holds voxels of {named}, which the document does not list; each value must be "
            "the id of a leak."
        )


def _with_volumes(leaks: tuple[LeakEntry, ...], labels: Labels | None) -> tuple[LeakEntry, ...]:
    """Leaks whose volume nobody told get that of their voxels."""
    if labels is None:
        return leaks
    return tuple(
        replace(leak, told={**leak.told, "volume_mm3": labels.volumes_mm3[leak.id]})
        if leak.number("volume_mm3") is None and leak.id in labels.volumes_mm3
        else leak
        for leak in leaks
    )
