"""Intervals, bands and differences: every statistic of the project is computed here.

Quantiles of Student's t and the normal distribution come from scipy.special (which loads in a
fraction of the time of scipy.stats; the tests compare with scipy.stats).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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
