"""Descriptions and tests of groups, each with its n, the test's name, statistic and p."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from leakseg.evaluate.statistics import Json, tidy, tidy_p

TIMES = ("preop", "postop", "last")
"""Columns of one measure at several times end with these."""
_MIN_GROUP = 2
"""Groups of fewer patients are described, not tested [convention]."""
METHODS = (
    "Two groups: Mann-Whitney U, two-sided (exact where there are no ties and a group has at most eight). More: "
    "one-way ANOVA and Kruskal-Wallis. Over time: paired t test and Wilcoxon signed-rank test on patients seen at both "
    "times. SD with n - 1. Groups of one patient are described, not tested. P values are not corrected for their "
    "number."
)


def describe(values: Sequence[float], missing: int) -> Json:
    """n, mean, SD (n - 1), median, range and how many are missing; None where it cannot be said."""
    if not values:
        return dict.fromkeys(("mean", "sd", "median", "min", "max")) | {"n": 0, "missing": missing}
    told = np.asarray(values, dtype=np.float64)
    return {
        "n": len(told),
        "mean": tidy(float(told.mean())),
        "sd": tidy(float(told.std(ddof=1))) if len(told) > 1 else None,
        "median": tidy(float(np.median(told))),
        "min": tidy(float(told.min())),
        "max": tidy(float(told.max())),
        "missing": missing,
    }


def between_groups(column: str, groups: dict[str, list[float]]) -> list[Json]:
    """The tests of one column between groups; none where fewer than two groups can be tested."""
    from scipy import stats

    tested = {name: values for name, values in groups.items() if len(values) >= _MIN_GROUP}
    if len(tested) < 2:
        return []
    samples = [np.asarray(values, dtype=np.float64) for values in tested.values()]
    if len(tested) == 2:
        named = [("Mann-Whitney U", stats.mannwhitneyu(*samples, alternative="two-sided"))]
    elif len({value for sample in samples for value in sample.tolist()}) < 2:
        named = [("one-way ANOVA", None), ("Kruskal-Wallis", None)]
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", stats.ConstantInputWarning)  # told as a null statistic below
            named = [("one-way ANOVA", stats.f_oneway(*samples)), ("Kruskal-Wallis", stats.kruskal(*samples))]
    return [_test(column, list(tested), name, result, sum(map(len, samples))) for name, result in named]


def over_time(stem: str, group: str, rows: Sequence[dict[str, float]]) -> list[Json]:
    """Paired tests of a measure between every two times, on patients who have both."""
    from scipy import stats

    found = []
    for first, second in combinations(TIMES, 2):
        one, other = f"{stem}_{first}", f"{stem}_{second}"
        pairs = np.array([(row[one], row[other]) for row in rows if one in row and other in row]).reshape(-1, 2)
        if len(pairs) < _MIN_GROUP:
            continue
        differences = pairs[:, 1] - pairs[:, 0]
        constant = bool(np.ptp(differences) == 0)
        results: list[tuple[str, Any]] = [
            ("paired t", None if constant else stats.ttest_rel(pairs[:, 1], pairs[:, 0])),
            ("Wilcoxon signed-rank", None if not differences.any() else stats.wilcoxon(differences)),
        ]
        change = {"change_mean": tidy(float(differences.mean())), "change_sd": tidy(float(differences.std(ddof=1)))}
        found += [_test(one, [group], name, result, len(pairs)) | {"to": other} | change for name, result in results]
    return found


def stems(columns: Sequence[str]) -> list[str]:
    """Measures that stand in the table at two times or more."""
    names = dict.fromkeys(column.rpartition("_")[0] for column in columns if column.rpartition("_")[2] in TIMES)
    return [stem for stem in names if stem and sum(f"{stem}_{time}" in columns for time in TIMES) > 1]


def _test(column: str, groups: list[str], name: str, result: Any, n: int) -> Json:
    """One test; statistic and p are None where all values are alike and there is nothing to test."""
    statistic, p = (None, None) if result is None else (float(result.statistic), float(result.pvalue))
    if p is None or not math.isfinite(p):
        statistic = p = None
    return {
        "column": column,
        "groups": groups,
        "test": name,
        "statistic": tidy(statistic),
        "p": None if p is None else tidy_p(p),
        "n": n,
    }
