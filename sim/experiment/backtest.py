"""Against history: fit a few numbers to observed days, predict later ones, and compare.

*Fit.* The numbers that `[ranges]` marks as `fitted` (or that `--fit` names) are sought by a
derivative-free search in the box of their ranges: rounds of points of a Sobol' sequence, each in
the box around the best points so far. Every point is simulated with the same replications (common
random numbers). The objective is the mean squared error of both cumulative curves on the observed
days of the first window, from the first of them on.

*Forecast.* Nothing observed after the first window is looked at. Members of the forecast are the
plausible points (the best ones, if their error is not much larger than the best: the GLUE of Beven
and Binley, *Hydrological Processes* 6, 1992), each in several replications, which also draw late
and short deliveries; members that miss the first window are left out again.

Each member goes on from the last observed day, by as many doses as it gives after it: how far it
was from what was observed on that day stays. Doses that the file says were allocated and not yet
given are not supposed to be given: they may be for second doses, or on paper only.

*Band.* 90 % of a mixture: each member plus an error of its curve. The error is a random walk whose
drift was estimated (by fitting numbers) over the W days of the first window: after h days it has
the variance v h (1 + h / W). v is the mean square by which the error changed between two observed
days, over all pairs of them, per day between. Days are few, and numbers were fitted to them: so the
variance is multiplied by n / d, and errors have Student's t distribution with d degrees of freedom,
with n observed days after the first one and d = n less the numbers fitted.

*Naive forecasts.* The rate of the last seven days continued, and the least-squares line through the
observed days of the first window. Skill is the mean absolute error divided by theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.observed import Observed
from sim.experiment.settings import SettingsError
from sim.experiment.sources import Source
from sim.experiment.trials import Trials
from sim.language import _, told_of_year
from sim.scenario import Scenario, merge
from sim.scenario_errors import ScenarioError, did_you_mean
from sim.scenario_files import Varied, varied, with_values

LEVEL = 0.9
"""Of the band."""
DEFAULT_REPLICATIONS = 8
FORECASTERS = ("model", "last_week", "line")
CURVES = ("first", "second")

ROUNDS, POINTS = 4, 16
_FIT_REPLICATIONS = 2
_BOX_OF = 6
"""Best points, around which the next round looks."""
_MARGIN = 0.1
_PLAUSIBLE, _PLAUSIBLE_ERROR = 10, 1.5
"""Points that the forecast uses at most, and their error as a multiple of the best."""
_MEMBER_ERROR = 1.5
_RATE_DAYS, _LEAST_RATE_DAYS = 28, 7
"""Days over which the rate of deliveries is taken (fewer hold one big delivery or none), and at
least if the scenario has no delivery to go by."""
_AT_END = 0.05
"""Share of a range: a best value so near to an end of it is at the end."""
_LEAST_DAYS = 4
_LEAST_FREEDOM = 2
_MOST_FITTED = 6
_ERROR_QUANTILES = 401

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """From a day to a day, both included."""

    first: date
    last: date

    def __str__(self) -> str:
        """As on the command line."""
        return f"{self.first}:{self.last}"


def read_window(option: str, text: str) -> Window:
    """From a text such as 2021-07-01:2021-07-31. Raises SettingsError."""
    parts = [part.strip() for part in text.split(":")]
    if told := [said for part in parts if (said := told_of_year(part))]:
        raise SettingsError(f"{option} {text}: {'; '.join(told)}")
    try:
        first, last = map(date.fromisoformat, parts)
    except ValueError:
        raise SettingsError(
            _("{option} {text}: write it as FIRST:LAST, for example 2021-07-01:2021-07-31").format(
                option=option, text=text
            )
        ) from None
    if first > last:
        before = _("{option} {text}: {last} is before {first}")
        raise SettingsError(before.format(option=option, text=text, last=last, first=first))
    return Window(first, last)


@dataclass(frozen=True)
class Question:
    """What is fitted to which days, and which days are predicted."""

    source: Source
    observed: Observed
    calibrate: Window
    predict: Window
    data: Mapping[str, Any]
    """what the scenario's files say, with the ranges to be fitted"""
    patterns: tuple[str, ...]
    """of the ranges to be fitted"""
    replications: int = DEFAULT_REPLICATIONS
    """of each plausible point"""
    deliveries: Literal["scenario", "observed"] = "scenario"
    """observed: what the file says was allocated, on all its days, instead of later deliveries"""

    @classmethod
    def of(
        cls,
        source: Source,
        observed: Observed,
        calibrate: Window,
        predict: Window,
        fit: Sequence[str] = (),
        replications: int = DEFAULT_REPLICATIONS,
        deliveries: Literal["scenario", "observed"] = "scenario",
    ) -> Question:
        """Checked. Raises SettingsError for what cannot be, ScenarioError for the scenario."""
        campaign = source.scenario.campaign
        if predict.first <= calibrate.last:
            raise SettingsError(
                _(
                    "--predict {predict} must begin after --calibrate {calibrate} ends: no day can "
                    "be fitted and predicted"
                ).format(predict=predict, calibrate=calibrate)
            )
        if calibrate.first < campaign.first_day:
            raise SettingsError(
                _("--calibrate {calibrate} begins before the scenario's first day, {day}").format(
                    calibrate=calibrate, day=campaign.first_day
                )
            )
        if predict.last > campaign.horizon:
            raise SettingsError(
                _(
                    "--predict {predict} ends after the scenario's horizon: --set "
                    "campaign.horizon={last}"
                ).format(predict=predict, last=predict.last)
            )
        data = _with_ranges(source.data, fit)
        patterns = tuple(data["ranges"])
        for option, window, least in (
            ("--calibrate", calibrate, max(_LEAST_DAYS, len(patterns) + 2)),
            ("--predict", predict, 1),
        ):
            days = len(observed.between(window.first, window.last).days)
            if days < least:
                there = (
                    _("its days are {first} to {last}").format(
                        first=observed.days[0], last=observed.days[-1]
                    )
                    if observed.days
                    else _("it has none")
                )
                raise SettingsError(
                    _(
                        "{option} {window}: {file} has {days} observed days there, and {least} are "
                        "needed ({there})"
                    ).format(
                        option=option, window=window, file=observed.name, days=days, least=least,
                        there=there,
                    )
                )  # fmt: skip
        if deliveries == "observed":
            _check_allocated(observed, source.scenario)
        return cls(source, observed, calibrate, predict, data, patterns, replications, deliveries)

    @property
    def most_days(self) -> int:
        """Days that are simulated, at most: fewer where fewer points are plausible."""
        first = self.source.scenario.campaign.first_day
        fitted, predicted = (
            (window.last - first).days + 1 for window in (self.calibrate, self.predict)
        )
        fits = ROUNDS * POINTS * _FIT_REPLICATIONS
        return fits * fitted + _PLAUSIBLE * self.replications * predicted

    def as_json(self) -> dict[str, Any]:
        """What determines the answer, beside scenario and seed."""
        ranges = {name: self.data["ranges"][name] for name in self.patterns}
        return {
            "observed": self.observed.name,
            "observed_sha256": self.observed.digest,
            "calibrate": str(self.calibrate),
            "predict": str(self.predict),
            "fit": {
                name: [found["low"], found["high"], found.get("relative", False)]
                for name, found in ranges.items()
            },
            "replications": self.replications,
            "deliveries": self.deliveries,
        }


def _with_ranges(data: Mapping[str, Any], fit: Sequence[str]) -> dict[str, Any]:
    """The data with the ranges that are to be fitted and no others."""
    known = data.get("ranges", {})
    chosen: dict[str, Any] = {}
    if not fit:
        chosen = {name: found for name, found in known.items() if found.get("fitted")}
        if not chosen:
            raise SettingsError(
                _(
                    "nothing is to be fitted: name it with --fit PATH=LOW:HIGH, or say fitted = "
                    "true in [ranges] of the scenario"
                )
            )
    for text in fit:
        name, equals, ends = text.partition("=")
        name = name.strip()
        if not equals:
            if name not in known:
                raise SettingsError(
                    _(
                        "--fit {text}: the scenario gives no range for it: write --fit "
                        "PATH=LOW:HIGH{suggestion}"
                    ).format(text=text, suggestion=did_you_mean(name, known))
                )
            chosen[name] = known[name]
            continue
        try:
            low, high = (float(end) for end in ends.split(":"))
        except ValueError:
            raise SettingsError(
                _("--fit {text}: write it as PATH=LOW:HIGH").format(text=text)
            ) from None
        if not -np.inf < low < high < np.inf:
            below = _("--fit {text}: {low:g} must be below {high:g}")
            raise SettingsError(below.format(text=text, low=low, high=high))
        relative = known.get(name, {}).get("relative", False)
        chosen[name] = {"low": low, "high": high, "relative": relative, "source": "--fit"}
    if len(chosen) > _MOST_FITTED:
        raise SettingsError(
            _("{n} numbers are to be fitted; at most {most} can be: name them with --fit").format(
                n=len(chosen), most=_MOST_FITTED
            )
        )
    changed = {**data, "ranges": chosen, "not_varied": {}}
    found = {factor.pattern: factor for factor in varied(changed)}
    for name in chosen:
        if name not in found:
            raise SettingsError(
                _("--fit {name}: there is no such number in the scenario").format(name=name)
            )
        for share in (0.0, 1.0):
            values = found[name].at(share)
            try:
                with_values(changed, values)
            except ScenarioError as error:
                path, value = next(iter(values.items()))
                cannot_be = _("--fit {name}: {path} = {value} cannot be:\n{error}")
                raise SettingsError(
                    cannot_be.format(name=name, path=path, value=value, error=error)
                ) from None
    return changed


def _check_allocated(observed: Observed, scenario: Scenario) -> None:
    if not any(observed.allocated.values()):
        raise SettingsError(
            _(
                "--deliveries observed: {file} has no column allocated_VACCINE_cum with values: "
                "leave the option out"
            ).format(file=observed.name)
        )
    for vaccine, known in observed.allocated.items():
        if known and vaccine not in scenario.vaccines:
            raise SettingsError(
                _(
                    "--deliveries observed: allocated_{vaccine}_cum is of no vaccine of the "
                    "scenario{suggestion}; it has {vaccines}"
                ).format(
                    vaccine=vaccine,
                    suggestion=did_you_mean(vaccine, scenario.vaccines),
                    vaccines=", ".join(scenario.vaccines),
                )
            )


# Simulated curves -----------------------------------------------------------------------------


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
class _Point:
    """Values of the fitted numbers, and how far the curves are from what was observed."""

    shares: tuple[float, ...]
    error: float


class _Experiment:
    """Simulates points and holds them against the first window."""

    def __init__(self, question: Question, trials: Trials) -> None:
        self.question = question
        self.trials = trials
        calibrate = question.calibrate
        self.seen = question.observed.between(date.min, calibrate.last)
        """all that may be known when the forecast is made"""
        self.window = self.seen.between(calibrate.first, calibrate.last)
        self.first_day = question.source.scenario.campaign.first_day
        self._at = [(day - self.first_day).days for day in self.window.days]

    def scenario(self, data: Mapping[str, Any], shares: Sequence[float]) -> Scenario:
        values: dict[str, float] = {}
        for factor, share in zip(varied(data), shares, strict=True):
            values |= factor.at(float(share))
        return with_values(data, values)

    def curves(
        self,
        data: Mapping[str, Any],
        points: Sequence[Sequence[float]],
        replications: int,
        last: date,
    ) -> Floats:
        """[points, replications, 2, days] doses given since the scenario's first day."""
        days = (last - self.first_day).days + 1
        found = np.zeros((len(points), replications, 2, days))
        wanted = [(self.scenario(data, shares), range(replications)) for shares in points]
        for (place, number), daily in self.trials.all_tables(wanted, "daily", last):
            found[place, number] = doses_given(daily, self.first_day, last)
        return found

    def errors(self, curves: Floats) -> Floats:
        """Simulated less observed, both from the first observed day of the window on.

        [..., 2, days simulated] to [..., 2, observed days].
        """
        at = curves[..., self._at]
        observed = self.window.doses
        return np.asarray((at - at[..., :1]) - (observed - observed[:, :1]))

    def misses(self, curves: Floats) -> Floats:
        """Root mean squared error of both curves: [..., 2, days] to [...]."""
        return np.asarray(np.sqrt((self.errors(curves) ** 2).mean(axis=(-2, -1))))


def _fitted(experiment: _Experiment, data: Mapping[str, Any], seed: int) -> list[_Point]:
    """All points looked at, the best first."""
    from scipy.stats import qmc

    factors = len(varied(data))
    unit = qmc.Sobol(factors, rng=seed).random(ROUNDS * POINTS)
    low, high = np.zeros(factors), np.ones(factors)
    points: list[_Point] = []
    for rows in np.split(unit, ROUNDS):
        shares = [tuple(map(float, low + row * (high - low))) for row in rows]
        curves = experiment.curves(
            data, shares, _FIT_REPLICATIONS, experiment.question.calibrate.last
        )
        squares = (experiment.misses(curves) ** 2).mean(axis=1)
        points += [
            _Point(each, float(error)) for each, error in zip(shares, np.sqrt(squares), strict=True)
        ]
        points.sort(key=lambda point: (point.error, point.shares))
        best = np.array([point.shares for point in points[:_BOX_OF]])
        margin = _MARGIN * (high - low)
        low = np.maximum(best.min(axis=0) - margin, 0.0)
        high = np.minimum(best.max(axis=0) + margin, 1.0)
    return points


# Deliveries after the first window ------------------------------------------------------------


def _deliveries(experiment: _Experiment) -> tuple[dict[str, Any], list[str]]:
    """The data with what is to come after the first window, and what was supposed, in words.

    Looks at the file's allocations after the window only if they are asked for.
    """
    question = experiment.question
    data: dict[str, Any] = dict(question.data)
    scenario = question.source.scenario
    known = {vaccine: days for vaccine, days in experiment.seen.allocated.items() if days}
    known = {vaccine: days for vaccine, days in known.items() if vaccine in scenario.vaccines}
    words = [
        _("A correction, used as reported: {said}.").format(said=said)
        for said in experiment.seen.corrections.values()
    ]
    words += [
        _("allocated_{vaccine}_cum is of no vaccine of the scenario: not looked at.").format(
            vaccine=vaccine
        )
        for vaccine, days in experiment.seen.allocated.items()
        if days and vaccine not in scenario.vaccines
    ]
    added: dict[str, Any] = {}
    if question.deliveries == "observed":
        data["deliveries"], came = _as_allocated(question)
        added |= came
        words.append(
            _(
                "Deliveries from the first allocation in the file on are the file's, also in the "
                "predicted days."
            )
        )
    if question.deliveries == "scenario":
        for vaccine in scenario.vaccines:
            more, said = _continued(scenario, vaccine, known.get(vaccine, {}), question)
            added |= more
            words += said
    return merge(data, {"deliveries": added}), words


def _as_allocated(question: Question) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scenario's deliveries before the first allocation known, and the file's after it."""
    kept = dict(question.data.get("deliveries", {}))
    came: dict[str, Any] = {}
    for vaccine, known in question.observed.allocated.items():
        first = question.source.scenario.campaign.first_day
        days = sorted(day for day in known if first <= day <= question.predict.last)
        if not days:
            continue
        kept = {
            name: delivery
            for name, delivery in kept.items()
            if delivery["vaccine"] != vaccine or delivery["arrives"] <= days[0].isoformat()
        }
        if not any(delivery["vaccine"] == vaccine for delivery in kept.values()):
            came[f"allocated_{vaccine}_{days[0]:%m_%d}"] = _delivery(
                vaccine, days[0], known[days[0]]
            )  # the scenario knows of none before
        for before, day in pairwise(days):
            if known[day] > known[before]:
                came[f"allocated_{vaccine}_{day:%m_%d}"] = _delivery(
                    vaccine, day, known[day] - known[before]
                )
    return kept, came


def _delivery(vaccine: str, arrives: date, doses: float) -> dict[str, Any]:
    return {"vaccine": vaccine, "arrives": arrives.isoformat(), "doses": max(round(doses), 0)}


def _continued(
    scenario: Scenario, vaccine: str, known: Mapping[date, int], question: Question
) -> tuple[dict[str, Any], list[str]]:
    """Weekly deliveries of a vaccine at the rate known, where the scenario says no more."""
    end, last = question.calibrate.last, question.predict.last
    own = sorted(
        (delivery.arrives, name, delivery.doses)
        for name, delivery in scenario.deliveries.items()
        if delivery.vaccine == vaccine
    )
    if any(arrives > end for arrives, _name, _doses in own):
        return {}, []
    days = sorted(known)
    start = end + timedelta(days=1)
    if days and (days[-1] - days[0]).days >= (_RATE_DAYS if own else _LEAST_RATE_DAYS):
        weekly = (known[days[-1]] - known[days[0]]) / (days[-1] - days[0]).days * 7
        name, whence = f"known_{vaccine}", _("as allocated from {first} to {last}")
        whence = whence.format(first=days[0], last=days[-1])
    elif own:
        since = own[-1][0] - timedelta(days=_RATE_DAYS - 1)
        weekly = sum(doses for arrives, _name, doses in own if arrives >= since) / (_RATE_DAYS / 7)
        name, whence = f"{own[-1][1]}_more", _("the scenario's of the four weeks before")
        start = max(start, own[-1][0] + timedelta(days=7))
    else:
        return {}, []
    weeks = range(max((last - start).days // 7 + 1, 0))
    if not weekly or not weeks:
        return {}, []
    more = {
        f"{name}_{week + 1}": _delivery(vaccine, start + timedelta(days=7 * week), weekly)
        for week in weeks
    }
    return more, [
        _(
            "The scenario has no {vaccine} after {day}: {weekly:,.0f} doses a week are supposed "
            "({whence}; fitted where the scenario's are)."
        ).format(vaccine=vaccine, day=end, weekly=weekly, whence=whence)
    ]


# Forecasts ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Forecast:
    """Cumulative doses of each day from the last observed one on, and how it came about."""

    days: tuple[date, ...]
    model: Floats
    low: Floats
    high: Floats
    last_week: Floats
    line: Floats
    """each [2, days]"""
    points: list[_Point]
    plausible: int
    members: int
    fitted: Floats
    """[2, observed days of the window], mean of the members"""
    variance: Floats
    """[2, days] of the error of a member"""
    words: list[str]


def _forecast(experiment: _Experiment, seed: int) -> _Forecast:
    """The forecast; it looks at nothing that was observed after the first window."""
    question = experiment.question
    points = _fitted(experiment, question.data, seed)
    plausible = _plausible(points)
    data, words = _deliveries(experiment)
    curves = experiment.curves(
        data,
        [point.shares for point in plausible],
        question.replications,
        question.predict.last,
    )
    return _continued_by(experiment, curves, points, words)


def _plausible(points: Sequence[_Point]) -> list[_Point]:
    """Of points, the best first, those that the forecast uses."""
    return [
        point for point in points[:_PLAUSIBLE] if point.error <= _PLAUSIBLE_ERROR * points[0].error
    ]


def _continued_by(
    experiment: _Experiment, curves: Floats, points: list[_Point], words: list[str]
) -> _Forecast:
    """What was observed, continued by curves of the plausible points.

    `curves` are [plausible points, replications, 2, days], `points` all that were looked at, the
    best first.
    """
    question, window = experiment.question, experiment.window
    last = question.predict.last
    curves = curves.reshape(-1, *curves.shape[2:])
    misses = experiment.misses(curves)
    curves = curves[misses <= max(_MEMBER_ERROR * misses.min(), np.quantile(misses, 0.25))]
    errors = experiment.errors(curves).mean(axis=0)
    anchor = window.days[-1]
    days = tuple(anchor + timedelta(days=d) for d in range((last - anchor).days + 1))
    begin = (anchor - experiment.first_day).days
    since = np.arange(len(days))
    start = window.doses[:, -1]
    changes = len(window.days) - 1
    freedom = max(changes - len(question.patterns), _LEAST_FREEDOM)
    fitted_days = (anchor - window.days[0]).days
    variance = (
        (changes / freedom)
        * _growth(errors, window.days)[:, np.newaxis]
        * (since * (1 + since / fitted_days))
    )
    members = start[:, np.newaxis] + curves[..., begin:] - curves[..., begin : begin + 1]
    low, high = _band(members, np.sqrt(variance), freedom)
    return _Forecast(
        days=days,
        model=members.mean(axis=0),
        low=np.maximum(low, start[:, np.newaxis]),  # as doses given are counted, they cannot fall
        high=high,
        last_week=start[:, np.newaxis] + _last_rate(experiment.seen)[:, np.newaxis] * since,
        line=_line(window, days),
        points=points,
        plausible=len(_plausible(points)),
        members=len(curves),
        fitted=window.doses + errors,
        variance=variance,
        words=words,
    )


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
    low, high = np.quantile(flat, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=-1)
    return low, high


def _last_rate(seen: Observed) -> Floats:
    """Doses a day in the last seven days (between observed days: interpolated): [2]."""
    number = np.array([day.toordinal() for day in seen.days], dtype=np.float64)
    begin = max(number[-1] - 7, number[0])
    rates = [(row[-1] - np.interp(begin, number, row)) / (number[-1] - begin) for row in seen.doses]
    return np.array(rates)


def _line(window: Observed, days: Sequence[date]) -> Floats:
    """The least-squares line through the window, on other days: [2, days]."""
    number = np.array([day.toordinal() for day in window.days], dtype=np.float64)
    at = np.array([day.toordinal() for day in days]) - number[0]
    return np.array(
        [np.polyval(np.polyfit(number - number[0], row, 1), at) for row in window.doses]
    )


# The answer -----------------------------------------------------------------------------------


def find(
    question: Question, seed: int, trials: Trials
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """The answer and its tables: `forecast`, `fit`, `points`, `errors`, `observed`."""
    experiment = _Experiment(question, trials)
    forecast = _forecast(experiment, seed)
    truth = question.observed.between(question.predict.first, question.predict.last)
    errors = _errors(forecast, truth)
    curves = {curve: _judged(errors[errors["curve"] == curve]) for curve in CURVES}
    answer = {
        "curves": curves,
        "observed_days": len(truth.days),
        "fitted": _fitted_values(question, forecast),
        "fit_error": forecast.points[0].error,
        "plausible_points": forecast.plausible,
        "points": len(forecast.points),
        "members": forecast.members,
        "error_after_a_week": dict(
            zip(CURVES, map(float, np.sqrt(_at_a_week(forecast.variance))), strict=True)
        ),
        "level": LEVEL,
        "supposed": forecast.words,
        "remarks": [*_at_ends(question, forecast), *_not_judged(question)],
        **_given(experiment, forecast, truth),
    }
    tables = {
        "forecast": _forecast_table(forecast),
        "fit": _fit_table(experiment, forecast),
        "points": _points_table(question, forecast),
        "errors": errors,
    }
    return answer, tables


def _at_a_week(values: Floats) -> Floats:
    """[2, days] to [2]: those of the seventh day, or of the last one."""
    return np.asarray(values[:, min(7, values.shape[1] - 1)])


def _forecast_table(forecast: _Forecast) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {
                "date": pd.to_datetime(list(forecast.days)),
                "curve": curve,
                **{
                    name: getattr(forecast, name)[k]
                    for name in ("model", "low", "high", "last_week", "line")
                },
            }
        )
        for k, curve in enumerate(CURVES)
    ]
    return pd.concat(parts, ignore_index=True)


def _fit_table(experiment: _Experiment, forecast: _Forecast) -> pd.DataFrame:
    window = experiment.window
    parts = [
        pd.DataFrame(
            {
                "date": pd.to_datetime(list(window.days)),
                "curve": curve,
                "observed": window.doses[k],
                "fitted": forecast.fitted[k],
            }
        )
        for k, curve in enumerate(CURVES)
    ]
    return pd.concat(parts, ignore_index=True)


def _values(factor: Varied, share: float) -> float:
    """The fitted number; of a relative range the factor."""
    if factor.range.relative:
        return factor.range.low + share * (factor.range.high - factor.range.low)
    return next(iter(factor.at(share).values()))


def _points_table(question: Question, forecast: _Forecast) -> pd.DataFrame:
    rows = []
    for place, point in enumerate(forecast.points):
        values = {
            factor.pattern: _values(factor, share)
            for factor, share in zip(varied(question.data), point.shares, strict=True)
        }
        rows.append({**values, "error": point.error, "plausible": place < forecast.plausible})
    return pd.DataFrame(rows)


def _fitted_values(question: Question, forecast: _Forecast) -> dict[str, dict[str, Any]]:
    """Of each number: the best value, and between which the plausible ones lie."""
    found = {}
    for i, factor in enumerate(varied(question.data)):
        values = [_values(factor, p.shares[i]) for p in forecast.points[: forecast.plausible]]
        found[factor.pattern] = {
            "best": values[0],
            "low": min(values),
            "high": max(values),
            "relative": factor.range.relative,
        }
    return found


def _at_ends(question: Question, forecast: _Forecast) -> list[str]:
    """Of fitted numbers whose best value is at an end of the range, that it is too narrow."""
    words = []
    for i, factor in enumerate(varied(question.data)):
        low, high = factor.range.low, factor.range.high
        best = _values(factor, forecast.points[0].shares[i])
        if min(best - low, high - best) < _AT_END * (high - low):
            words.append(
                _(
                    "{name} fits best at an end of its range, {low:,g} to {high:,g}: a wider one "
                    "may fit better (--fit '{name}=LOW:HIGH'), or something that is not fitted, "
                    "such as deliveries, was other than in the scenario."
                ).format(name=factor.pattern, low=low, high=high)
            )
    return words


def _not_judged(question: Question) -> list[str]:
    """That the file ends before the days to be predicted do."""
    last = question.observed.days[-1]
    if last >= question.predict.last:
        return []
    return [
        _("{file} ends on {last}: the days after it are predicted, and not judged.").format(
            file=question.observed.name, last=last
        )
    ]


def _given(experiment: _Experiment, forecast: _Forecast, truth: Observed) -> dict[str, Any]:
    """What lies behind the errors: doses a day by curve, doses that came by vaccine."""
    question = experiment.question
    until = (truth.days[-1] - forecast.days[0]).days
    fitted = experiment.window
    fitted_days = (fitted.days[-1] - fitted.days[0]).days
    start = fitted.doses[:, -1]
    a_day = {
        curve: {
            "fitted_days": float((start - fitted.doses[:, 0])[k] / fitted_days),
            "predicted_days": float((truth.doses[:, -1] - start)[k] / until),
            "model": float((forecast.model[:, until] - start)[k] / until),
        }
        for k, curve in enumerate(CURVES)
    }
    data, _words = _deliveries(experiment)
    scenario = experiment.scenario(data, forecast.points[0].shares)
    seen = question.observed.between(question.calibrate.last, truth.days[-1])
    supply = {}
    for vaccine in scenario.vaccines:
        known = seen.allocated.get(vaccine, {})
        first, last = (min(known), max(known)) if len(known) > 1 else (None, None)
        supply[vaccine] = {
            "model": sum(
                delivery.doses * delivery.fraction_delivered.mean()
                for delivery in scenario.deliveries.values()
                if delivery.vaccine == vaccine
                and question.calibrate.last < delivery.arrives <= truth.days[-1]
            ),
            "allocated": known[last] - known[first] if first and last else None,
            "allocated_from": first.isoformat() if first else None,
            "allocated_to": last.isoformat() if last else None,
        }
    return {"doses_a_day": a_day, "doses_come": supply}


def _errors(forecast: _Forecast, truth: Observed) -> pd.DataFrame:
    """A row for each observed day and curve: the forecasts less what was observed."""
    begin = forecast.days[0]
    rows = []
    for k, curve in enumerate(CURVES):
        for i, day in enumerate(truth.days):
            at = (day - begin).days
            observed = float(truth.doses[k, i])
            rows.append(
                {
                    "curve": curve,
                    "date": pd.Timestamp(day),
                    "observed": observed,
                    **{name: float(getattr(forecast, name)[k, at]) - observed
                       for name in FORECASTERS},
                    "inside": bool(forecast.low[k, at] <= observed <= forecast.high[k, at]),
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def _judged(errors: pd.DataFrame) -> dict[str, Any]:
    """Mean absolute errors, skill, share of days inside the band; and the same by week."""
    mae = {name: float(errors[name].abs().mean()) for name in FORECASTERS}
    naive = {name: mae[name] for name in FORECASTERS[1:]}
    days = errors["date"]
    weeks = (days - days.min()).dt.days // 7
    return {
        "mean_absolute_error": mae,
        "skill": {name: mae["model"] / error if error else None for name, error in naive.items()},
        "beats_both": all(mae["model"] < error for error in naive.values()),
        "inside_band": int(errors["inside"].sum()),
        "weeks": [
            {
                "from": part["date"].min().date().isoformat(),
                "to": part["date"].max().date().isoformat(),
                "days": len(part),
                **{
                    name: {
                        "mean_error": float(part[name].mean()),
                        "mean_absolute_error": float(part[name].abs().mean()),
                        "percent": float(100 * (part[name].abs() / part["observed"]).mean()),
                    }
                    for name in FORECASTERS
                },
            }
            for _week, part in errors.groupby(weeks)
        ],
    }
