"""Intervals, bands and differences: every statistic of the project is computed here.

Quantiles of Student's t and the normal distribution come from scipy.special (which loads in a
fraction of the time of scipy.stats; the tests compare with scipy.stats).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
"""Confidence of every interval unless a caller says otherwise."""


@dataclass(frozen=True)
class Estimate:
    """A mean (or a proportion) with its confidence interval, from `n` observations.

    `low` and `high` are None where no interval can be computed (a single observation); `mean` is
    None too where there is no observation.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int

    @property
    def half_width(self) -> float | None:
        """Half the width of the interval."""
        if self.low is None or self.high is None:
            return None
        return (self.high - self.low) / 2

    def within(self, least: float, most: float) -> Estimate:
        """The same with the interval cut to what is possible (if the mean is possible)."""
        if self.mean is None or self.low is None or self.high is None:
            return self
        low = max(self.low, least) if self.mean >= least else self.low
        high = min(self.high, most) if self.mean <= most else self.high
        return Estimate(self.mean, low, high, self.n)


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Student-t interval of the mean of independent observations.

    mean ± t(n - 1, (1 + confidence) / 2) · s / √n (Law, *Simulation Modeling and Analysis*, 2015,
    section 4.5). Observations that are NaN are left out and not counted.
    """
    from scipy.special import stdtrit

    observed = np.asarray(values, dtype=np.float64).ravel()
    observed = observed[~np.isnan(observed)]
    n = int(observed.size)
    if n == 0:
        return Estimate(None, None, None, 0)
    mean = float(observed.mean())
    if n == 1:
        return Estimate(mean, None, None, 1)
    if observed.min() == observed.max():  # exactly: summing equal numbers can leave a residue
        mean = float(observed[0])
        return Estimate(mean, mean, mean, n)
    quantile = float(stdtrit(n - 1, (1 + confidence) / 2))
    half = quantile * float(observed.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half, n)


def proportion_interval(successes: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """Wilson score interval of a probability.

    Wilson, *Journal of the American Statistical Association* 22 (1927), without continuity
    correction. Unlike the normal approximation it says something when all or no trials succeed.
    """
    from scipy.special import ndtri

    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    if n == 0:
        return Estimate(None, None, None, 0)
    z = float(ndtri((1 + confidence) / 2))
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Estimate(share, low, high, n)


def quantile_band(
    values: ArrayLike, probabilities: Sequence[float] = (0.05, 0.5, 0.95)
) -> NDArray[np.float64]:
    """Quantiles over replications at each point of a curve.

    `values` is [replications, points]; the result is [len(probabilities), points]. Quantiles
    interpolate linearly between order statistics (Hyndman and Fan, 1996, type 7).
    """
    return np.quantile(np.asarray(values, dtype=np.float64), list(probabilities), axis=0)


def paired_difference(
    first: ArrayLike, second: ArrayLike, confidence: float = CONFIDENCE
) -> Estimate:
    """Student-t interval of the mean of second - first, replication by replication.

    With common random numbers the two are positively correlated, and the interval is narrower
    than that of two independent samples (Law, 2015, sections 10.2.1 and 11.2).
    """
    a = np.asarray(first, dtype=np.float64)
    b = np.asarray(second, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"pairs need equal lengths, not {a.size} and {b.size}")
    return mean_interval(b - a, confidence)


def common_numbers_gain(
    first: ArrayLike, second: ArrayLike, confidence: float = CONFIDENCE
) -> Estimate:
    """How many times the replications independent seeds need for an equally sure difference.

    The ratio of the variance that second - first would have with independent seeds,
    s²(first) + s²(second), to the variance that it has. With the sum T = first + second, that is
    (1 + s²(T) / s²(difference)) / 2, so the interval for the ratio of two correlated variances
    applies (Pitman, *Biometrika* 31, 9; Morgan, *Biometrika* 31, 13; both 1939). It supposes
    normal observations and is wide for few of them.

    `mean` is infinite where the difference never varies, and None where nothing does; there is no
    interval from fewer than three pairs. Pairs with a NaN are left out.
    """
    from scipy.special import stdtrit

    a = np.asarray(first, dtype=np.float64).ravel()
    b = np.asarray(second, dtype=np.float64).ravel()
    if a.shape != b.shape:
        raise ValueError(f"pairs need equal lengths, not {a.size} and {b.size}")
    known = ~(np.isnan(a) | np.isnan(b))
    a, b = a[known], b[known]
    n = int(a.size)
    if n < 2 or (np.ptp(a) == 0 and np.ptp(b) == 0):
        return Estimate(None, None, None, n)
    difference, total = b - a, a + b
    if np.ptp(difference) == 0:
        return Estimate(math.inf, None, None, n)
    ratio = float(total.var(ddof=1) / difference.var(ddof=1))
    gain = (1 + ratio) / 2
    if n < 3:
        return Estimate(gain, None, None, n)
    correlation = float(np.corrcoef(difference, total)[0, 1]) if np.ptp(total) else 0.0
    quantile = float(stdtrit(n - 2, (1 + confidence) / 2))
    k = 1 + 2 * (1 - min(correlation**2, 1.0)) * quantile**2 / (n - 2)
    spread = k + math.sqrt(k * k - 1)
    return Estimate(gain, (1 + ratio / spread) / 2, (1 + ratio * spread) / 2, n)


@dataclass(frozen=True)
class SobolIndex:
    """How much of a variance is due to one factor (or to a group of factors)."""

    first: Estimate
    """share of the variance that would vanish, on average, were the factor known"""
    total: Estimate
    """share that would be left were everything else known"""
    foremost: float
    """share of the resamples in which its first index is the greatest of all"""


def sobol_indices(
    f_a: ArrayLike, f_b: ArrayLike, f_ab: ArrayLike, seed: int = 0, resamples: int = 999
) -> list[SobolIndex]:
    """Sobol' indices of each factor, with percentile bootstrap intervals over the rows.

    `f_a`, `f_b`: [n], the function at two independent samples; `f_ab`: [factors, n], at the first
    sample with one factor (or group) taken from the second; n a power of 2. Estimators of Saltelli
    et al. (*Computer Physics Communications* 181, 2010): theirs for the first-order index, Jansen's
    for the total one, as `scipy.stats.sobol_indices` has them. All zero where nothing varies.
    """
    from scipy.stats import bootstrap
    from scipy.stats import sobol_indices as indices

    a, b = np.asarray(f_a, dtype=np.float64), np.asarray(f_b, dtype=np.float64)
    ab = np.vstack([np.atleast_2d(np.asarray(f_ab, dtype=np.float64)), a])
    # the last row is a factor that does nothing: SciPy cannot take a single one

    n = int(a.size)

    def both(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        chosen: dict[Literal["f_A", "f_B", "f_AB"], NDArray[np.float64]] = {
            "f_A": a[np.newaxis, rows],
            "f_B": b[np.newaxis, rows],
            "f_AB": ab[:, np.newaxis, rows],
        }
        found = indices(func=chosen, n=n)
        return np.array([found.first_order, found.total_order])[:, :-1]

    point = both(np.arange(n))
    drawn = bootstrap(
        (np.arange(n),), both, n_resamples=resamples, vectorized=False, method="percentile",
        confidence_level=CONFIDENCE, rng=seed,
    )  # fmt: skip
    low, high = map(np.asarray, drawn.confidence_interval)
    most = np.asarray(drawn.bootstrap_distribution)[0].argmax(axis=0)

    def index(order: int, factor: int) -> Estimate:
        ends = float(low[order, factor]), float(high[order, factor])
        return Estimate(float(point[order, factor]), *ends, n)

    return [
        SobolIndex(index(0, factor), index(1, factor), float((most == factor).mean()))
        for factor in range(point.shape[1])
    ]


@dataclass(frozen=True)
class Quantile:
    """A quantile of observations with its interval; no limit where they are too few for one."""

    value: float
    low: float | None
    high: float | None


def quantile_interval(
    values: ArrayLike, probability: float, confidence: float = CONFIDENCE
) -> Quantile:
    """The least value that at least this share of the observations does not exceed.

    The limits are order statistics, whatever the distribution: with X binomial (n, probability),
    the greatest rank l with P(X <= l - 1) <= (1 - confidence) / 2, and the least rank u with
    P(X <= u - 1) >= (1 + confidence) / 2 (David and Nagaraja, *Order Statistics*, 2003, section
    7.1). Observations may be infinite: what has not happened within the time observed.
    """
    from scipy.special import bdtr

    ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
    n = int(ordered.size)
    if not n or not 0 < probability < 1:
        raise ValueError(f"the quantile at {probability} of {n} observations")
    rank = math.ceil(probability * n - 1e-9)
    at_most = bdtr(np.arange(n, dtype=np.float64), n, probability)  # [l - 1]: P(X <= l - 1)
    below = int((at_most <= (1 - confidence) / 2).sum())
    above = int((at_most < (1 + confidence) / 2).sum()) + 1
    return Quantile(
        float(ordered[max(rank, 1) - 1]),
        float(ordered[below - 1]) if below else None,
        float(ordered[above - 1]) if above <= n else None,
    )


def quantile_of_classes(classes: ArrayLike, share: float) -> float:
    """The value that a share of grouped observations do not exceed; NaN of none.

    classes: [3, n], the least and the greatest value of each, and how many observations are in it,
    in ascending order. Within a class they are taken to be spread evenly.
    """
    low, high, n = np.asarray(classes, dtype=np.float64)
    up_to = np.cumsum(n)
    if not up_to.size:
        return math.nan
    wanted = share * up_to[-1]
    at = int(np.searchsorted(up_to, wanted))
    within = 1 - (up_to[at] - wanted) / n[at]
    return float(low[at] + within * (high[at] - low[at]))


def moments_of_quantiles(table: NDArray[np.int64], units_per_one: int) -> tuple[float, float]:
    """Mean and standard deviation of what is drawn from a quantile table, in its own unit.

    `table` is int64[2, cells + 1] (see `random_streams.quantile_table`): row 0 has the quantiles of
    `cells` intervals of equal probability, row 1 divides the last one again. Values lie evenly
    between the ends of an interval. A table of single values has no such intervals.
    """
    from sim.random_streams import STEPS

    if table[0, -1] == STEPS:
        shares = np.diff(table[0, :-1], prepend=0) / 2**32
        singles = table[1, :-1] / units_per_one
        mean = float(shares @ singles)
        return mean, math.sqrt(float(shares @ (singles - mean) ** 2))
    cells = table.shape[1] - 1
    values = table / units_per_one
    low = np.concatenate([values[0, : cells - 1], values[1, :-1]])
    high = np.concatenate([values[0, 1:cells], values[1, 1:]])
    weight = np.concatenate([np.full(cells - 1, 1 / cells), np.full(cells, 1 / cells**2)])
    mean = float(weight @ (low + high) / 2)
    a, b = low - mean, high - mean
    return mean, math.sqrt(float(weight @ (a * a + a * b + b * b)) / 3)
