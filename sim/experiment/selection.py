"""Choosing by simulation, with a bound on the probability of choosing wrongly.

The package sim-tools (1.3.0) has KN, too. It is not used: it looks up the variance of a wrong pair
whenever the second alternative has the lower number, asks for one replication of one alternative at
a time (so one core works), and would bring plotly and scikit-learn.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from sim.experiment.settings import SettingsError
from sim.language import _

Floats = NDArray[np.float64]

_LEAST = 100
"""Replications with which a search makes sense."""


@dataclass
class ProbabilityTest:
    """Whether the probability of success is at least `least`, decided while trials come in.

    Evidence for it is the likelihood of the trials, averaged over greater probabilities, against
    that at `least`; evidence against it likewise with smaller ones. If in truth the probability is
    not greater, evidence for it is a supermartingale, and ever exceeds 1/error with probability at
    most `error` (Ville's inequality): so one may look after every trial and stop when satisfied
    (Robbins, *Annals of Mathematical Statistics* 41, 1970). Averages are Beta(1/2, 1/2) cut at
    `least`.
    """

    least: float
    error: float
    successes: int = field(default=0, init=False)
    failures: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Raise ValueError for numbers that are no probabilities in between."""
        if not (0 < self.least < 1 and 0 < self.error < 1):
            raise ValueError(f"least and error must be between 0 and 1: {self.least}, {self.error}")

    def add(self, success: bool) -> None:
        """Take note of a trial."""
        if success:
            self.successes += 1
        else:
            self.failures += 1

    @property
    def trials(self) -> int:
        """Trials so far."""
        return self.successes + self.failures

    def log_evidence(self, above: bool) -> float:
        """Logarithm of the evidence that the probability is above (or below) `least`."""
        from scipy.special import betainc, betaincc, betaln, xlogy

        part = betaincc if above else betainc
        s, f = self.successes + 0.5, self.failures + 0.5
        tail = float(part(s, f, self.least))
        if tail == 0:
            return -math.inf
        averaged = float(betaln(s, f)) + math.log(tail)
        prior = float(betaln(0.5, 0.5)) + math.log(float(part(0.5, 0.5, self.least)))
        boundary = xlogy(self.successes, self.least) + xlogy(self.failures, 1 - self.least)
        return averaged - prior - float(boundary)

    def can_say_yes(self, trials: int) -> bool:
        """Whether it would, if all trials up to so many were successes from now on."""
        if trials < self.trials:
            return False
        hoped = ProbabilityTest(self.least, self.error)
        hoped.successes, hoped.failures = trials - self.failures, self.failures
        return hoped.decision is True

    @property
    def decision(self) -> bool | None:
        """True: it is at least that. False: it is less. None: go on."""
        enough = -math.log(self.error)
        if self.log_evidence(above=True) >= enough:
            return True
        if self.log_evidence(above=False) >= enough:
            return False
        return None


@cache
def successes_needed(least: float, error: float) -> int:
    """Trials of which all must be successes for a `ProbabilityTest` to say yes."""

    def enough(n: int) -> bool:
        test = ProbabilityTest(least, error)
        test.successes = n
        return test.decision is True

    return bisect_left(range(10**9), True, key=enough)


def check_enough(replications: int, probability: float, error: float) -> None:
    """Raise SettingsError if so many replications are no search, or cannot confirm anything."""
    needed = successes_needed(probability, error)
    if replications >= max(needed, _LEAST):
        return
    text = _("replications: at least {least} are needed, not {n}")
    if needed > _LEAST:
        text = _(
            "replications: at least {least} are needed, not {n}: so many without a miss make sure "
            "that the probability is {probability:g}, and to search takes more"
        )
    raise SettingsError(
        text.format(least=max(needed, _LEAST), n=replications, probability=probability)
    )


def passes_from(least: float, error: float, most: int, power: float = 0.9) -> float:
    """The probability from which a `ProbabilityTest` of `most` trials says yes nearly surely.

    Nearly surely: with probability `power`. The trials at which so many failures are forgiven are
    found by bisection, the chance of coming there by following the number of failures trial by
    trial (the few tests that are given up on the way are not subtracted).
    """
    from scipy.optimize import brentq

    def says_yes(trials: int, failures: int) -> bool:
        test = ProbabilityTest(least, error)
        test.successes, test.failures = trials - failures, failures
        return test.log_evidence(above=True) >= -math.log(error)

    forgiven = np.full(most + 1, -1)
    failures = 0
    while failures < most and says_yes(most, failures):
        trials = range(failures + 1, most)
        enough = failures + 1 + bisect_left(trials, True, key=partial(says_yes, failures=failures))
        forgiven[enough:] = failures
        failures += 1

    def chance(probability: float) -> float:
        going_on = np.zeros(failures + 1)  # by failures so far; more than are ever forgiven: lost
        going_on[0] = 1.0
        yes = 0.0
        for n in range(1, most + 1):
            failed = going_on[:-1] * (1 - probability)
            going_on *= probability
            going_on[1:] += failed
            yes += float(going_on[: forgiven[n] + 1].sum())
            going_on[: forgiven[n] + 1] = 0
        return yes

    if chance(1.0) < power:
        return 1.0
    return float(brentq(lambda probability: chance(probability) - power, least, 1.0, xtol=1e-4))


@dataclass(frozen=True)
class Selection:
    """The outcome of a selection of the best."""

    best: int
    decided: bool
    """False: replications ran out first, and `best` has the greatest mean so far"""
    replications: tuple[int, ...]
    """of each alternative"""


def select_best(
    values: Callable[[Sequence[int], range], Sequence[Floats]],
    alternatives: int,
    indifference: float,
    error: float,
    *,
    first: int = 10,
    most: int = 200,
) -> Selection:
    """The alternative with the greatest mean, by the procedure KN of Kim and Nelson.

    With probability 1 - error at least the chosen one is the best, if the best is better than
    every other by `indifference` or more; normal values are supposed, and common random numbers
    help (Kim and Nelson, *ACM TOMACS* 11, 2001, with c = 1).

    `values(which, replications)` gives the values of these alternatives: an array for each.
    `first` replications estimate variances; no alternative gets more than `most`.
    """
    if indifference <= 0:
        raise ValueError(
            _("the indifference must be above zero, not {indifference:g}").format(
                indifference=indifference
            )
        )
    if alternatives == 1:
        return Selection(0, True, (0,))
    left = list(range(alternatives))
    seen = np.array(values(left, range(first)), dtype=np.float64)
    differences = seen[:, np.newaxis, :] - seen[np.newaxis, :, :]
    variance = differences.var(axis=2, ddof=1)
    eta = ((2 * error / (alternatives - 1)) ** (-2 / (first - 1)) - 1) / 2
    h_squared = 2 * eta * (first - 1)
    sums = seen.sum(axis=1)
    done = np.full(alternatives, first)
    n = first
    while True:
        means = sums[left] / n
        slack = indifference / (2 * n) * (h_squared * variance / indifference**2 - n)
        slack = np.maximum(slack, 0.0)[np.ix_(left, left)]
        stays = (means[:, np.newaxis] >= means[np.newaxis, :] - slack).all(axis=1)
        left = [which for which, stay in zip(left, stays, strict=True) if stay]
        if len(left) == 1 or n >= most:
            best = left[int(np.argmax(sums[left]))]
            return Selection(best, len(left) == 1, tuple(int(k) for k in done))
        more = np.array(values(left, range(n, n + 1)), dtype=np.float64)
        sums[left] += more[:, 0]
        n += 1
        done[left] = n


def tolerance_factor(n: int, share: float, confidence: float = 0.95) -> float:
    """k such that mean - k sd of n normal values is below a `share` of all values.

    One-sided tolerance limit by the noncentral t distribution (Owen, *Technometrics* 10, 1968).
    """
    from scipy.stats import nct, norm

    return float(nct.ppf(confidence, n - 1, norm.ppf(share) * math.sqrt(n)) / math.sqrt(n))
