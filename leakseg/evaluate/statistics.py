"""Shares, rates, agreement and their 95 % intervals, each with its denominator.

Floats are rounded to six decimals, so that the same input gives the same bytes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from leakseg.geometry import FloatArray

RESAMPLES = 1000
SEED = 1
LEVEL = 0.95
_MIN_FINITE_SHARE = 0.9
"""A bootstrap interval is given where the figure exists in at least this share of the resamples [convention]."""

INTERVALS = (
    "95 % intervals: Wilson for shares, exact Poisson (Garwood) for rates per case, and for all else the percentile "
    f"bootstrap over cases ({RESAMPLES} resamples, seed {SEED}). Wilson and Poisson intervals take leaks as "
    "independent; several leaks in one patient are not quite that. A bootstrap of answers that are all alike has no "
    "width, and proves none."
)

T = TypeVar("T")
Json = dict[str, Any]


def share(k: int, n: int) -> Json:
    """``k`` of ``n`` with Wilson's interval; value and interval None where ``n`` is 0."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(k, n, alpha=1 - LEVEL, method="wilson") if n else (None, None)
    return {"value": tidy(k / n) if n else None, "k": k, "n": n, "low": tidy(low), "high": tidy(high)}


def rate(count: int, n: int) -> Json:
    """``count`` events in ``n`` cases, per case, with the exact Poisson interval."""
    from statsmodels.stats.rates import confint_poisson

    low, high = confint_poisson(count, n, method="exact-c", alpha=1 - LEVEL) if n else (None, None)
    low = 0.0 if n and count == 0 else low
    return {"value": tidy(count / n) if n else None, "k": count, "n": n, "low": tidy(low), "high": tidy(high)}


def estimate(groups: Sequence[Sequence[T]], statistic: Callable[[Sequence[T]], float | None]) -> Json:
    """A statistic of all items with its bootstrap interval; whole groups (cases) are drawn, never single items.

    ``scipy.stats.bootstrap`` draws rows one by one; a patient's leaks must be drawn together.
    """
    items = [item for group in groups for item in group]
    value = statistic(items) if items else None
    result: Json = {"value": tidy(value), "n": len(items), "low": None, "high": None}
    filled = [group for group in groups if group]
    if value is None or len(filled) < 2:
        return result
    rng = np.random.default_rng(SEED)
    drawn = []
    for _ in range(RESAMPLES):
        chosen = rng.integers(len(filled), size=len(filled))
        drawn.append(statistic([item for index in chosen for item in filled[index]]))
    finite = [one for one in drawn if one is not None and math.isfinite(one)]
    if len(finite) >= _MIN_FINITE_SHARE * RESAMPLES:
        low, high = np.percentile(finite, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
        result |= {"low": tidy(float(low)), "high": tidy(float(high))}
    return result


def kappa(pairs: Sequence[tuple[str, str]], names: Sequence[str]) -> float | None:
    """Cohen's kappa of two namings; None where both always give the same single name (0/0)."""
    from statsmodels.stats.inter_rater import cohens_kappa

    table = cross_table(pairs, names, names)
    chance = float(table.sum(axis=0) @ table.sum(axis=1)) / float(table.sum()) ** 2 if table.sum() else 1.0
    if chance >= 1.0:
        return None
    return float(cohens_kappa(table, return_results=False))


def cross_table(pairs: Sequence[tuple[str, str]], rows: Sequence[str], columns: Sequence[str]) -> NDArray[np.int64]:
    """How often each row name goes with each column name, ``(rows, columns)``."""
    table = np.zeros((len(rows), len(columns)), np.int64)
    places = {name: place for place, name in enumerate(rows)}, {name: place for place, name in enumerate(columns)}
    for one, other in pairs:
        table[places[0][one], places[1][other]] += 1
    return table


def icc(values: FloatArray) -> float | None:
    """Intraclass correlation ICC(2,1): two-way random effects, absolute agreement, single measurement.

    Parameters
    ----------
    values
        ``(targets, raters)``.

    References
    ----------
    Shrout and Fleiss 1979, doi 10.1037/0033-2909.86.2.420. None of scipy, scikit-learn and statsmodels has it.
    """
    n, k = values.shape
    if n < 2:
        return None
    grand = values.mean()
    between = k * float(((values.mean(axis=1) - grand) ** 2).sum()) / (n - 1)
    raters = n * float(((values.mean(axis=0) - grand) ** 2).sum()) / (k - 1)
    residual = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + grand
    error = float((residual**2).sum()) / ((n - 1) * (k - 1))
    below = between + (k - 1) * error + k * (raters - error) / n
    return (between - error) / below if below > 0 else None


def agreement(groups: Sequence[Sequence[tuple[float, float]]]) -> Json:
    """Pairs (truth, told) by case: Bland-Altman, ICC(2,1), median absolute and relative error.

    References
    ----------
    Bland and Altman 1986, doi 10.1016/S0140-6736(86)90837-8.
    """
    pairs = np.array([pair for group in groups for pair in group], dtype=np.float64).reshape(-1, 2)
    differences = pairs[:, 1] - pairs[:, 0]
    spread = float(differences.std(ddof=1)) if len(pairs) > 1 else None
    bias = float(differences.mean()) if len(pairs) else None
    limits = (None, None) if spread is None or bias is None else (bias - 1.96 * spread, bias + 1.96 * spread)
    return {
        "n": len(pairs),
        "bias": estimate(groups, lambda items: float(np.mean([b - a for a, b in items]))),
        "sd": tidy(spread),
        "limits_of_agreement": [tidy(limits[0]), tidy(limits[1])],
        "icc": estimate(groups, lambda items: icc(np.array(items, dtype=np.float64))),
        "median_absolute_error": estimate(groups, lambda items: float(np.median([abs(b - a) for a, b in items]))),
        "median_relative_error": estimate(groups, _median_relative_error),
    }


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Two-sided exact p of McNemar's test from the discordant counts (doi 10.1007/BF02295996)."""
    from statsmodels.stats.contingency_tables import mcnemar

    return float(mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number after Holm."""
    from statsmodels.stats.multitest import multipletests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # p = 1 gives log(0) inside
        return [float(p) for p in multipletests(p_values, method="holm")[1]]


def tidy_p(p: float) -> float:
    """A p value to four significant digits."""
    return float(f"{p:.4g}")


def tidy(value: float | None) -> float | None:
    """Six decimals; None for what is not a finite number."""
    return None if value is None or not math.isfinite(value) else round(float(value), 6) + 0.0


def _median_relative_error(items: Sequence[tuple[float, float]]) -> float | None:
    relative = [abs(told - truth) / truth for truth, told in items if truth > 0]
    return float(np.median(relative)) if relative else None
