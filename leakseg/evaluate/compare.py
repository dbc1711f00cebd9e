"""Two results on one cohort: which truth leaks each has right, and McNemar's test on where they differ."""

from __future__ import annotations

from collections.abc import Mapping

from leakseg.evaluate.figures import ALL_RIGHT, MIN_SCORED_MM3, is_right, is_scored
from leakseg.evaluate.scoring import Scores
from leakseg.evaluate.statistics import Json, holm, mcnemar_p, share, tidy_p

QUESTIONS: Mapping[str, tuple[str, ...]] = {"detected": (), "type right": ("type",), "all right": ALL_RIGHT}
"""What is asked of every truth leak: detected, and these fields as in truth."""

COMPARISON = (
    f"McNemar's exact test over the truth leaks of {MIN_SCORED_MM3:g} mm³ and more that both results were scored on; a "
    "missed leak is not right, nor is one of a case without a result. p after Holm is corrected for the number of "
    "tests in this table."
)


def compare(scores: Scores, others: Mapping[str, Scores]) -> list[Json]:
    """One entry for each of the other results and each question."""
    entries: list[Json] = []
    for name, other in others.items():
        for question, fields in QUESTIONS.items():
            ours, theirs = _answers(scores, fields), _answers(other, fields)
            shared = [leak for leak in ours if leak in theirs]
            first = sum(ours[leak] and not theirs[leak] for leak in shared)
            second = sum(theirs[leak] and not ours[leak] for leak in shared)
            entries.append(
                {
                    "against": name,
                    "others_cases_done": sum(case.status == "done" for case in other.cases),
                    "question": question,
                    "these": share(sum(ours[leak] for leak in shared), len(shared)),
                    "others": share(sum(theirs[leak] for leak in shared), len(shared)),
                    "only_these_right": first,
                    "only_others_right": second,
                    "p": mcnemar_p(first, second) if shared else None,
                }
            )
    tested = [entry for entry in entries if entry["p"] is not None]
    corrected = holm([entry["p"] for entry in tested]) if tested else []
    for entry in entries:
        entry["p_holm"] = None
    for entry, p in zip(tested, corrected, strict=True):
        entry["p"], entry["p_holm"] = tidy_p(entry["p"]), tidy_p(p)
    return entries


def _answers(scores: Scores, fields: tuple[str, ...]) -> dict[tuple[str, int], bool]:
    return {
        (row.case_id, row.truth.id): is_right(row, fields)
        for row in scores.rows()
        if row.truth is not None and is_scored(row)
    }
