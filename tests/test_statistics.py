"""Claims about the intervals: each against scipy.stats, a closed form or simulation."""

import numpy as np
import pytest
import scipy.stats

from sim.experiment.statistics import (
    Estimate,
    mean_interval,
    paired_difference,
    proportion_interval,
    quantile_band,
)


@pytest.mark.parametrize("n", [2, 3, 10, 200])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_mean_interval_is_that_of_scipy_stats(n: int, confidence: float) -> None:
    values = np.sqrt(np.arange(1.0, n + 1))
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(confidence)
    found = mean_interval(values, confidence)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (5, 10), (10, 10), (0, 1), (37, 1000)])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_proportion_interval_is_the_wilson_interval_of_scipy_stats(
    k: int, n: int, confidence: float
) -> None:
    expected = scipy.stats.binomtest(k, n).proportion_ci(confidence, method="wilson")
    found = proportion_interval(k, n, confidence)
    assert found.mean == k / n
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_one_observation_has_a_mean_and_no_interval() -> None:
    one = mean_interval([7.0])
    assert (one.mean, one.low, one.high, one.half_width, one.n) == (7.0, None, None, None, 1)


def test_no_observation_has_nothing() -> None:
    for nothing in (mean_interval([]), mean_interval([np.nan]), proportion_interval(0, 0)):
        assert (nothing.mean, nothing.low, nothing.high, nothing.n) == (None, None, None, 0)


def test_equal_observations_have_an_interval_of_width_zero() -> None:
    # 0.1 summed ten times is not 1.0: the mean must be 0.1 all the same
    same = mean_interval([0.1] * 10)
    assert (same.mean, same.low, same.high) == (0.1, 0.1, 0.1)


def test_missing_observations_are_left_out_and_not_counted() -> None:
    assert mean_interval([1.0, np.nan, 3.0]) == mean_interval([1.0, 3.0])


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="11 successes in 10 trials"):
        proportion_interval(11, 10)


def test_a_95_percent_interval_contains_the_truth_in_93_to_97_percent_of_cases() -> None:
    # Normal data, for which Student's interval is exact. 4,000 trials: the standard error of
    # the observed share is 0.0034, so 0.93 ... 0.97 is almost six standard errors each way.
    samples = np.random.default_rng(1).normal(5.0, 2.0, size=(4000, 8))
    hits = 0
    for sample in samples:
        found = mean_interval(sample)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 5.0 <= found.high
    assert 0.93 <= hits / 4000 <= 0.97


@pytest.mark.parametrize("truth", [0.05, 0.3, 0.5])
def test_a_wilson_interval_contains_the_truth_on_average_about_as_often_as_it_says(
    truth: float,
) -> None:
    # Exact coverage, by the binomial distribution: no simulation. Wilson's interval oscillates
    # around its nominal 95 % (Brown, Cai and DasGupta 2001); at n = 50 it stays within 93-98 %.
    n = 50
    covered = 0.0
    for k in range(n + 1):
        found = proportion_interval(k, n)
        assert found.low is not None
        assert found.high is not None
        if found.low <= truth <= found.high:
            covered += scipy.stats.binom.pmf(k, n, truth)
    assert 0.93 <= covered <= 0.98


@pytest.mark.parametrize("truth", [0.1, 0.3, 0.5, 0.8])
def test_a_wilson_interval_contains_the_truth_in_93_to_97_percent_of_cases(truth: float) -> None:
    # By simulation, with n = 200, where the oscillation around 95 % is small; 4,000 trials
    hits = 0
    for successes in np.random.default_rng(4).binomial(200, truth, size=4000):
        found = proportion_interval(int(successes), 200)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= truth <= found.high
    assert 0.93 <= hits / 4000 <= 0.97


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_a_paired_interval_contains_the_true_difference_in_93_to_97_percent_of_cases(
    correlation: float,
) -> None:
    # Normal pairs with difference 1; with common luck the interval is narrower, not less true
    rng = np.random.default_rng(6)
    luck, own = rng.normal(size=(4000, 8)), rng.normal(size=(2, 4000, 8))
    common, alone = np.sqrt(correlation), np.sqrt(1 - correlation)
    hits, widths = 0, []
    for i in range(4000):
        first = common * luck[i] + alone * own[0, i]
        second = common * luck[i] + alone * own[1, i] + 1.0
        found = paired_difference(first, second)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 1.0 <= found.high
        widths.append(found.high - found.low)
    assert 0.93 <= hits / 4000 <= 0.97
    # the standard deviation of a difference is √(2 (1 - correlation)); t(7) · s / √8 each way
    expected = 2 * scipy.stats.t.ppf(0.975, 7) * np.sqrt(2 * (1 - correlation) / 8)
    assert np.mean(widths) == pytest.approx(expected, rel=0.05)  # E s is 3.5 % below σ at n = 8


def test_a_band_of_quantiles_contains_a_new_curve_about_as_often_as_it_says() -> None:
    # 5 % to 95 % of 200 curves: the next curve's value at a point is within 90 % of the time, less
    # about 1 % because the quantiles are estimates. 40 bands of 50 independent points: standard
    # error 0.007.
    rng = np.random.default_rng(8)
    inside = []
    for _ in range(40):
        curves = rng.normal(size=(201, 50))
        low, high = quantile_band(curves[:200], (0.05, 0.95))
        inside.append((low <= curves[200]) & (curves[200] <= high))
    assert 0.86 <= np.mean(inside) <= 0.93


def test_paired_difference_is_that_of_scipy_stats() -> None:
    first = np.array([1.0, 4.0, 9.0, 16.0])
    second = np.array([2.0, 6.0, 10.0, 19.0])
    expected = scipy.stats.ttest_rel(second, first).confidence_interval(0.95)
    found = paired_difference(first, second)
    assert found.mean == pytest.approx(1.75)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_common_luck_cancels_in_a_paired_difference() -> None:
    luck = np.random.default_rng(2).normal(0, 100, size=20)
    found = paired_difference(luck, luck + 1.0)
    assert (found.low, found.high) == pytest.approx((1.0, 1.0))


def test_pairs_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="equal lengths"):
        paired_difference([1.0, 2.0], [1.0])


def test_quantile_band_takes_quantiles_over_replications_at_each_point() -> None:
    # 11 replications 0 ... 10 at the first point, all 7 at the second
    curves = np.column_stack([np.arange(11.0), np.full(11, 7.0)])
    band = quantile_band(curves, (0.1, 0.5, 0.9))
    assert band.tolist() == [[1.0, 7.0], [5.0, 7.0], [9.0, 7.0]]


def test_interval_is_cut_to_what_is_possible_unless_the_mean_is_beyond_it() -> None:
    assert Estimate(0.5, -0.1, 1.1, 3).within(0, 1) == Estimate(0.5, 0, 1, 3)
    assert Estimate(0.5, 0.4, 0.6, 3).within(0, 1) == Estimate(0.5, 0.4, 0.6, 3)
    assert Estimate(-2.0, -3.0, 2.0, 3).within(0, 1) == Estimate(-2.0, -3.0, 1, 3)
    assert Estimate(0.5, None, None, 1).within(0, 1) == Estimate(0.5, None, None, 1)
