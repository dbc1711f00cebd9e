"""How far readers, and leakseg, agree on each patient's leak type: Cohen's kappa in pairs, Fleiss' over all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from leakseg.evaluate.statistics import Json, estimate, kappa
from leakseg.studies.cohort.clinical import GROUP, GROUPS
from leakseg.studies.cohort.joined import LEAKSEG, Joined, Row


def agreement(joined: Joined) -> list[Json]:
    """Every pair of raters, then all of three or more together; 95 % bootstrap intervals over patients.

    Raters are the columns ``leak_type`` and ``leak_type_<reader>``, and leakseg where there are results.
    """
    raters = sorted({name for row in joined.rows for name in row.patient.texts if name.startswith(GROUP)})
    if any(row.found_group is not None for row in joined.rows):
        raters.append(LEAKSEG)
    found = []
    for one, other in combinations(raters, 2):
        pairs = [(a, b) for row in joined.rows if (a := _said(row, one)) and (b := _said(row, other))]
        value = estimate([[pair] for pair in pairs], _cohen)
        found.append(
            {"raters": [one, other], "statistic": "Cohen's kappa", "agreed": sum(a == b for a, b in pairs), **value}
        )
    if len(raters) > 2:
        rated = [tuple(_said(row, rater) for rater in raters) for row in joined.rows]
        whole = [[told] for told in rated if all(told)]
        value = estimate(whole, _fleiss)
        agreed = sum(len(set(told[0])) == 1 for told in whole)
        found.append({"raters": raters, "statistic": "Fleiss' kappa", "agreed": agreed, **value})
    return found


def _said(row: Row, rater: str) -> str | None:
    return row.found_group if rater == LEAKSEG else row.patient.text(rater)


def _cohen(pairs: Sequence[tuple[str, str]]) -> float | None:
    return kappa(pairs, [name for name in GROUPS if any(name in pair for pair in pairs)])


def _fleiss(items: Sequence[tuple[str | None, ...]]) -> float | None:
    """Fleiss' kappa; None where everybody always says the same (0/0)."""
    from statsmodels.stats.inter_rater import fleiss_kappa

    counts = np.array([[told.count(name) for name in GROUPS] for told in items])
    if (counts.sum(axis=0) > 0).sum() < 2:
        return None
    return float(fleiss_kappa(counts[:, counts.sum(axis=0) > 0], method="fleiss"))
