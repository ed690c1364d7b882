"""Fit and forecast of a backtest. Nothing observed after the first window is looked at here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.backtest_deliveries import later_deliveries
from sim.experiment.backtest_question import Question
from sim.experiment.observed import Observed
from sim.experiment.trials import Trials
from sim.scenario import Scenario
from sim.scenario_files import varied, with_values

LEVEL = 0.9
"""Of the band."""

SPREAD = 48
"""Points spread evenly over the ranges; earlier forecasts choose among them."""
ROUNDS, POINTS = 2, 16
"""Rounds after them, each in the box around the best points so far."""
FIT_REPLICATIONS = 1
_BOX_OF = 6
"""Best points, around which the next round looks."""
_MARGIN = 0.1
_PLAUSIBLE, _PLAUSIBLE_ERROR = 10, 1.5
"""Points that the forecast uses at most, and their error as a multiple of the best."""
_MEMBER_ERROR = 1.5
_LEAST_FREEDOM = 2
_ERROR_QUANTILES = 401

RATE_DAYS = 7
"""Of the naive forecast that continues a rate."""
_DAYS_BEFORE, _LEAST_WINDOW = 21, 4
"""An earlier forecast has as many days before it, and as many observed days to be fitted to."""
_RECENT_DAYS = 31
"""Before the end of the first window: weights are learnt from them, not from longer ago."""
_LEAST_DOUBT = 0.1
"""That the simulation, or last week's rate, is right after all."""
_LEAST_EARLIER = 5
"""Errors of earlier forecasts from which a variance is taken."""

Floats = NDArray[np.float64]
Shares = tuple[float, ...]


def doses_given(daily: pd.DataFrame, first_day: date, last: date) -> Floats:
    """[2, days]: first and second doses given by the evening of each day from first_day on."""
    days = (last - first_day).days + 1
    number = (daily["date"] - pd.Timestamp(first_day)).dt.days.to_numpy()
    dose = daily["dose"].to_numpy()
    given = daily["administered"].to_numpy()
    return np.array(
        [
            np.bincount(number[dose == k], given[dose == k], minlength=days)[:days].cumsum()
            for k in (1, 2)
        ]
    )


@dataclass(frozen=True)
class Point:
    """Values of the fitted numbers, and how far the curves are from what was observed."""

    shares: Shares
    error: float
    curves: Floats
    """[replications, 2, days to the end of the first window]"""
    spread: bool
    """of those that do not look for the best of the whole window"""


class Experiment:
    """Simulates points and holds them against observed days."""

    def __init__(self, question: Question, trials: Trials) -> None:
        self.question = question
        self.trials = trials
        self.seen = question.seen
        """all that may be known when the forecast is made"""
        self.window = self.seen.between(question.calibrate.first, question.calibrate.last)
        self.first_day = question.source.scenario.campaign.first_day

    def scenario(self, data: Mapping[str, Any], shares: Sequence[float]) -> Scenario:
        """Of the data, each range at its share."""
        names = (factor.pattern for factor in varied(self.question.data))
        chosen = dict(zip(names, shares, strict=True))
        values: dict[str, float] = {}
        for factor in varied(data):  # without deliveries whose place the file's have taken
            values |= factor.at(chosen[factor.pattern])
        return with_values(data, values)

    def curves(
        self, data: Mapping[str, Any], wanted: Sequence[tuple[Shares, Sequence[int]]], last: date
    ) -> list[Floats]:
        """Doses given since the scenario's first day, [replications, 2, days] of each wanted.

        Wanted are shares of the ranges, and numbers of replications.
        """
        days = (last - self.first_day).days + 1
        found = [np.zeros((len(numbers), 2, days)) for _shares, numbers in wanted]
        runs = [(self.scenario(data, shares), numbers) for shares, numbers in wanted]
        for (place, number), daily in self.trials.all_tables(runs, "daily", last):
            at = list(wanted[place][1]).index(number)
            found[place][at] = doses_given(daily, self.first_day, last)
        return found

    def errors(self, curves: Floats, window: Observed) -> Floats:
        """Simulated less observed, both from the first observed day of the window on.

        [..., 2, days simulated] to [..., 2, observed days].
        """
        at = curves[..., self.places(window.days)]
        observed = window.doses
        return np.asarray((at - at[..., :1]) - (observed - observed[:, :1]))

    def misses(self, curves: Floats, window: Observed) -> Floats:
        """Root mean squared error of both curves: [..., 2, days] to [...]."""
        return np.asarray(np.sqrt((self.errors(curves, window) ** 2).mean(axis=(-2, -1))))

    def error(self, curves: Floats, window: Observed) -> float:
        """The misses of all replications, root mean square."""
        return float(np.sqrt((self.misses(curves, window) ** 2).mean()))

    def places(self, days: Sequence[date]) -> list[int]:
        """Where days are in a simulated curve."""
        return [(day - self.first_day).days for day in days]


def most_days(question: Question) -> int:
    """Days that are simulated, at most: fewer where fewer points are plausible."""
    first = question.source.scenario.campaign.first_day
    fitted, predicted = (
        (window.last - first).days + 1 for window in (question.calibrate, question.predict)
    )
    fits = (SPREAD + ROUNDS * POINTS) * FIT_REPLICATIONS + 2 * len(question.patterns) + 1
    return fits * fitted + _PLAUSIBLE * question.replications * predicted


# Fit ------------------------------------------------------------------------------------------


def fitted(experiment: Experiment, seed: int) -> tuple[list[Point], tuple[int, ...]]:
    """All points looked at, the best first; places of the numbers that were fitted.

    A number that changes nothing in the first window cannot be fitted to it: it stays in the middle
    of its range.
    """
    from scipy.stats import qmc

    question = experiment.question
    fit = that_matter(experiment)
    number = SPREAD + ROUNDS * POINTS
    unit = qmc.Sobol(max(len(fit), 1), rng=seed).random_base2(math.ceil(math.log2(number)))[:number]
    low, high = np.zeros(unit.shape[1]), np.ones(unit.shape[1])
    points: list[Point] = []
    for rows in np.split(unit, range(SPREAD, len(unit), POINTS)):
        looked_at = []
        for row in rows:
            shares = np.full(len(question.patterns), 0.5)
            shares[list(fit)] = (low + row * (high - low))[: len(fit)]
            looked_at.append(tuple(map(float, shares)))
        wanted = [(shares, range(FIT_REPLICATIONS)) for shares in looked_at]
        curves = experiment.curves(question.data, wanted, question.calibrate.last)
        points += [
            Point(shares, experiment.error(found, experiment.window), found, not points)
            for shares, found in zip(looked_at, curves, strict=True)
        ]
        points.sort(key=lambda point: (point.error, point.shares))
        best = np.array([point.shares for point in points[:_BOX_OF]])[:, list(fit)]
        if fit:
            margin = _MARGIN * (high - low)
            low = np.maximum(best.min(axis=0) - margin, 0.0)
            high = np.minimum(best.max(axis=0) + margin, 1.0)
    return points, fit


def that_matter(experiment: Experiment) -> tuple[int, ...]:
    """Places of the numbers with which the simulated days of the first window change."""
    question = experiment.question
    middle = (0.5,) * len(question.patterns)
    ends = [
        (*middle[:place], end, *middle[place + 1 :])
        for place in range(len(middle))
        for end in (0.0, 1.0)
    ]
    curves = experiment.curves(
        question.data, [(shares, [0]) for shares in (middle, *ends)], question.calibrate.last
    )
    at = experiment.places(experiment.window.days)
    windows = [found[..., at] - found[..., at[:1]] for found in curves]
    changes = [not np.array_equal(windows[0], window) for window in windows[1:]]
    return tuple(p for p in range(len(middle)) if any(changes[2 * p : 2 * p + 2]))


def plausible(points: Sequence[Point]) -> list[Point]:
    """Of points, the best first, those that the forecast uses."""
    return [
        point for point in points[:_PLAUSIBLE] if point.error <= _PLAUSIBLE_ERROR * points[0].error
    ]


# Forecasts ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Forecast:
    """Cumulative doses of each day from the last observed one on, and how it came about."""

    days: tuple[date, ...]
    model: Floats
    low: Floats
    high: Floats
    last_week: Floats
    line: Floats
    """each [2, days]"""
    points: list[Point]
    fit: tuple[int, ...]
    """places of the numbers that were fitted"""
    members: int
    fitted: Floats
    """[2, observed days of the window], mean of the members"""
    variance: Floats
    """[2, days] of the error of a member"""
    weights: tuple[float, float]
    """of the simulation, for first and second doses; the rest is that of last week's rate"""
    trust: tuple[float, float]
    """factor of these weights, below 1 where a straight line fits the window better"""
    fit_errors: Floats
    """[2 (simulation, straight line), 2 curves]: root mean squared, the level left free"""
    earlier: int
    """forecasts from earlier days, from which the weights were learnt"""
    supposed: list[dict[str, Any]]
    """of deliveries, as `later_deliveries` has it"""


def forecast(experiment: Experiment, seed: int) -> Forecast:
    """The forecast; it looks at nothing that was observed after the first window."""
    from scipy.stats import qmc

    question = experiment.question
    points, fit = fitted(experiment, seed)
    data, supposed = later_deliveries(question)
    used = [point for point in plausible(points) for _number in range(question.replications)]
    drawn = np.array([point.shares for point in used])
    rest = [place for place in range(drawn.shape[1]) if place not in fit]
    if rest:
        unit = qmc.Sobol(len(rest), rng=seed).random_base2(math.ceil(math.log2(len(used))))
        drawn[:, rest] = unit[: len(used)]
    wanted = [
        (tuple(map(float, shares)), [i % question.replications]) for i, shares in enumerate(drawn)
    ]
    curves = np.concatenate(experiment.curves(data, wanted, question.predict.last))
    return continued_by(experiment, curves, points, fit, supposed)


def continued_by(
    experiment: Experiment,
    curves: Floats,
    points: list[Point],
    fit: tuple[int, ...],
    supposed: list[dict[str, Any]],
) -> Forecast:
    """What was observed, continued by curves of the plausible points, [runs, 2, days].

    `points` are all that were looked at, the best first.
    """
    question, window = experiment.question, experiment.window
    last = question.predict.last
    curves = _members(experiment, curves, window)
    errors = experiment.errors(curves, window).mean(axis=0)
    anchor = window.days[-1]
    days = tuple(anchor + timedelta(days=d) for d in range((last - anchor).days + 1))
    begin = (anchor - experiment.first_day).days
    since = np.arange(len(days))
    start = window.doses[:, -1:]
    rate = _last_rate(experiment.seen)[:, np.newaxis] * since
    earlier = list(_earlier(experiment, points))
    fit_errors = _fit_errors(errors, window)
    span = (anchor - window.days[0]).days + 1
    trust = [_trust(simulation, line, span) for simulation, line in fit_errors.T]
    recent = [each for each in earlier if (anchor - each.origin).days <= _RECENT_DAYS]
    weights = np.array(
        [trust[k] * _weight(recent, k, experiment.seen, len(days) - 1) for k in (0, 1)]
    )
    shares = weights[:, np.newaxis]
    simulated = curves[..., begin:] - curves[..., begin : begin + 1]
    members = start + shares * simulated + (1 - shares) * rate
    changes = len(window.days) - 1
    freedom = max(changes - len(fit), _LEAST_FREEDOM)
    step = np.maximum(
        (changes / freedom) * _growth(errors, window.days),
        [_step_of_earlier(earlier, k, weights[k], len(days) - 1) for k in (0, 1)],
    )
    variance = step[:, np.newaxis] * _spread_after(since)
    doubt = np.clip(shares, _LEAST_DOUBT, 1 - _LEAST_DOUBT)
    variance += doubt * (1 - doubt) * (simulated.mean(axis=0) - rate) ** 2
    low, high = _band(members, np.sqrt(variance), freedom)
    return Forecast(
        days=days,
        model=members.mean(axis=0),
        low=np.maximum(low, start),  # as doses given are counted, they cannot fall
        high=high,
        last_week=start + rate,
        line=_line(window, days),
        points=points,
        fit=fit,
        members=len(curves),
        fitted=window.doses + errors,
        variance=variance,
        weights=(float(weights[0]), float(weights[1])),
        trust=(trust[0], trust[1]),
        fit_errors=fit_errors,
        earlier=len(recent),
        supposed=supposed,
    )


def _members(experiment: Experiment, curves: Floats, window: Observed) -> Floats:
    """Of curves [runs, 2, days] those that do not miss the window by much more than the best."""
    misses = experiment.misses(curves, window)
    most = max(_MEMBER_ERROR * misses.min(), np.quantile(misses, 0.25))
    return np.asarray(curves[misses <= most])


# Earlier forecasts ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Earlier:
    """A forecast from an earlier day, and what was observed until the first window ended."""

    origin: date
    since: Floats
    """[days] from that day to the later observed ones"""
    model: Floats
    last_week: Floats
    observed: Floats
    """[2, days] doses given since that day"""


def _earlier(experiment: Experiment, points: Sequence[Point]) -> Iterator[Earlier]:
    """Forecasts as they would have been made from the days before the end of the first window.

    As long a window before that day decides which points are plausible, of those that were not
    chosen by what came later.
    """
    spread = [point for point in points if point.spread]
    calibrate = experiment.question.calibrate
    seen = experiment.seen.between(experiment.first_day, calibrate.last)
    for place, origin in enumerate(seen.days[:-1]):
        if (origin - seen.days[0]).days < _DAYS_BEFORE:
            continue
        window = seen.between(origin - (calibrate.last - calibrate.first), origin)
        if len(window.days) < _LEAST_WINDOW:
            continue
        ordered = sorted(
            (experiment.error(point.curves, window), i) for i, point in enumerate(spread)
        )
        chosen = [
            spread[i].curves
            for error, i in ordered[:_PLAUSIBLE]
            if error <= _PLAUSIBLE_ERROR * ordered[0][0]
        ]
        curves = _members(experiment, np.concatenate(chosen), window)
        later = seen.days[place + 1 :]
        begin, *at = experiment.places((origin, *later))
        since = np.array([(day - origin).days for day in later], dtype=np.float64)
        known = seen.between(seen.days[0], origin)
        yield Earlier(
            origin=origin,
            since=since,
            model=(curves[..., at] - curves[..., begin : begin + 1]).mean(axis=0),
            last_week=_last_rate(known)[:, np.newaxis] * since,
            observed=seen.doses[:, place + 1 :] - seen.doses[:, place : place + 1],
        )


def _fit_errors(errors: Floats, window: Observed) -> Floats:
    """Root mean squared errors in the last month of the window, the level left free.

    Of the simulation ([2 curves, observed days]) and of a straight line: [2, 2 curves].
    """
    anchor = window.days[-1]
    month = window.between(anchor - timedelta(days=_RECENT_DAYS - 1), anchor)
    line = _line(month, month.days) - month.doses
    return np.array([errors[:, -len(month.days) :].std(axis=1), line.std(axis=1)])


def _trust(simulation: float, line: float, days: float) -> float:
    """Weight left to the simulation by its error of the fit: 1 if no larger than the line's.

    Over a few days a line fits by itself: in a window shorter than a month it tells less.
    """
    if simulation <= line:
        return 1.0
    return float((line / simulation) ** (2 * min(days / _RECENT_DAYS, 1.0)))


def _weight(earlier: Sequence[Earlier], curve: int, seen: Observed, horizon: int) -> float:
    """Weight of the simulation beside last week's rate (Granger and Ramanathan, 1984).

    By least squares of the earlier errors, each divided by the root of the days since; between 0
    and 1. Earlier forecasts overlap: they count as often as the horizon fits into their days, and
    once counts that the simulation alone is right.
    """
    products = squares = 0.0
    for each in earlier:
        near = each.since <= horizon
        if near.any():
            apart = (each.model - each.last_week)[curve, near]
            needed = (each.observed - each.last_week)[curve, near]
            products += (apart * needed / each.since[near]).mean()
            squares += (apart**2 / each.since[near]).mean()
    if squares == 0.0:
        return 1.0
    learnt = min(max(products / squares, 0.0), 1.0)
    times = max((seen.days[-1] - seen.days[0]).days - _DAYS_BEFORE, 0) / max(horizon, RATE_DAYS)
    return (1.0 + times * learnt) / (1.0 + times)


def _step_of_earlier(earlier: Sequence[Earlier], curve: int, weight: float, horizon: int) -> float:
    """Mean squared error of earlier forecasts, as a multiple of `_spread_after`."""
    squares = [
        error**2 / _spread_after(since)
        for each in earlier
        for since, error in zip(
            each.since,
            (weight * each.model + (1 - weight) * each.last_week - each.observed)[curve],
            strict=True,
        )
        if since <= horizon
    ]
    return float(np.mean(squares)) if len(squares) >= _LEAST_EARLIER else 0.0


def _spread_after(since: Any) -> Any:
    """How the variance of the error grows with the days since: a random walk of unknown drift."""
    return since * (1 + since / RATE_DAYS)


# Band and naive forecasts ----------------------------------------------------------------------


def _growth(errors: Floats, days: Sequence[date]) -> Floats:
    """Mean squared change of the error between two observed days, per day between: [2]."""
    number = np.array([day.toordinal() for day in days])
    earlier, later = np.triu_indices(number.size, 1)
    squares = (errors[:, later] - errors[:, earlier]) ** 2
    return np.asarray(squares.sum(axis=1) / (number[later] - number[earlier]).sum())


def _band(members: Floats, sd: Floats, freedom: float) -> tuple[Floats, Floats]:
    """Ends of the central band of members plus errors (t): [members, 2, days] to [2, days]."""
    from scipy.special import stdtrit

    z = stdtrit(freedom, (np.arange(_ERROR_QUANTILES) + 0.5) / _ERROR_QUANTILES)
    mixture = (members[..., np.newaxis] + sd[..., np.newaxis] * z).transpose(1, 2, 0, 3)
    flat = mixture.reshape(*mixture.shape[:2], -1)
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low, high = np.quantile(flat, ends, axis=-1, method="hazen")  # of values in the middle of cells
    return low, high


def _last_rate(seen: Observed) -> Floats:
    """Doses a day in the last seven days (between observed days: interpolated): [2]."""
    number = np.array([day.toordinal() for day in seen.days], dtype=np.float64)
    begin = max(number[-1] - RATE_DAYS, number[0])
    rates = [(row[-1] - np.interp(begin, number, row)) / (number[-1] - begin) for row in seen.doses]
    return np.array(rates)


def _line(window: Observed, days: Sequence[date]) -> Floats:
    """The least-squares line through the window, on other days: [2, days]."""
    number = np.array([day.toordinal() for day in window.days], dtype=np.float64)
    at = np.array([day.toordinal() for day in days]) - number[0]
    return np.array(
        [np.polyval(np.polyfit(number - number[0], row, 1), at) for row in window.doses]
    )
