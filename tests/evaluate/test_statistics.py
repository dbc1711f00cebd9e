"""Figures against published examples and against answers worked out by hand."""

import numpy as np
import pytest

from leakseg.evaluate import statistics


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_as_newcombe_printed_them(k, n, low, high):
    """Newcombe 1998, doi 10.1002/(SICI)1097-0258(19980430)17:8<857, table I, method 3."""
    told = statistics.share(k, n)
    assert (told["k"], told["n"]) == (k, n)
    assert told["value"] == pytest.approx(k / n, abs=1e-6)
    assert (told["low"], told["high"]) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_a_share_of_nothing_is_not_zero():
    assert statistics.share(0, 0) == {"value": None, "k": 0, "n": 0, "low": None, "high": None}
    assert statistics.rate(0, 0)["value"] is None


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0.0, 3.689), (5, 1.623, 11.668), (10, 4.795, 18.390)])
def test_poisson_intervals_are_garwoods(count, low, high):
    """Garwood 1936, doi 10.1093/biomet/28.3-4.437: limits of a Poisson mean."""
    told = statistics.rate(count, 100)
    assert told["value"] == count / 100
    assert 100 * told["low"] == pytest.approx(low, abs=1e-3)
    assert 100 * told["high"] == pytest.approx(high, abs=1e-3)


def test_kappa_by_hand():
    pairs = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15
    assert statistics.kappa(pairs, ("a", "b", "c")) == pytest.approx((0.7 - 0.5) / (1 - 0.5))


def test_kappa_is_that_of_scikit_learn():
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(3)
    first = rng.choice(list("abcde"), 200)
    second = np.where(rng.uniform(size=200) < 0.7, first, rng.choice(list("abcde"), 200))
    told = statistics.kappa(list(zip(first, second, strict=True)), tuple("abcdef"))
    assert told == pytest.approx(cohen_kappa_score(first, second))


def test_kappa_of_one_single_name_is_not_measurable():
    assert statistics.kappa([("a", "a")] * 3, ("a", "b")) is None
    assert statistics.kappa([], ("a", "b")) is None


def test_icc_as_shrout_and_fleiss_printed_it():
    """Shrout and Fleiss 1979, tables 2 and 4: ICC(2,1) = .29."""
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    assert statistics.icc(np.array(ratings, float)) == pytest.approx(0.2898, abs=1e-4)


def test_icc_of_the_same_twice_is_one_and_of_one_target_is_not_measurable():
    assert statistics.icc(np.array([[1.0, 1.0], [2.0, 2.0], [5.0, 5.0]])) == pytest.approx(1.0)
    assert statistics.icc(np.array([[1.0, 2.0]])) is None
    assert statistics.icc(np.array([[2.0, 2.0], [2.0, 2.0]])) is None


def test_bland_altman_by_hand():
    told = statistics.agreement([[(10.0, 12.0), (20.0, 20.0)], [(40.0, 44.0)]])
    assert told["n"] == 3
    assert told["bias"]["value"] == pytest.approx(2.0)
    assert told["sd"] == pytest.approx(2.0)
    assert told["limits_of_agreement"] == [pytest.approx(2 - 3.92), pytest.approx(2 + 3.92)]
    assert told["median_absolute_error"]["value"] == pytest.approx(2.0)
    assert told["median_relative_error"]["value"] == pytest.approx(0.1)


def test_mcnemar_is_the_exact_binomial():
    assert statistics.mcnemar_p(1, 9) == pytest.approx(2 * 11 / 1024)
    assert statistics.mcnemar_p(0, 0) == 1.0


def test_holm_multiplies_the_smallest_by_their_number():
    assert statistics.holm([0.01, 0.04]) == [pytest.approx(0.02), pytest.approx(0.04)]


def test_the_bootstrap_draws_cases_whole_and_the_same_ones_each_time():
    groups = [[0.0] * 50, [1.0] * 50]
    told = statistics.estimate(groups, lambda items: float(np.mean(items)))
    assert (told["value"], told["low"], told["high"]) == (0.5, 0.0, 1.0), "two cases: the mean may be 0 or 1"
    assert told == statistics.estimate(groups, lambda items: float(np.mean(items)))
    assert statistics.estimate([[1.0]], lambda items: float(np.mean(items)))["low"] is None


def test_the_bootstrap_covers_the_mean_it_is_taken_of():
    rng = np.random.default_rng(7)
    inside = 0
    for _ in range(40):
        told = statistics.estimate([[value] for value in rng.normal(0.0, 1.0, 30)], lambda items: float(np.mean(items)))
        inside += told["low"] <= 0.0 <= told["high"]
    assert 34 <= inside <= 40
