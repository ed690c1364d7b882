"""Against history: fit a few numbers to observed days, predict later ones, and compare.

*Fit.* The numbers that `[ranges]` marks as `fitted` (or that `--fit` names) are sought by a
derivative-free search in the box of their ranges: points of a Sobol' sequence over all of it, then
rounds of points in the box around the best ones so far. Every point is simulated with the same
replications (common random numbers). The objective is the mean squared error of both cumulative
curves on the observed days of the first window, from the first of them on. A number that changes
nothing in the first window (deliveries that come later) cannot be fitted: the forecast draws it
from all of its range.

*Forecast.* Nothing observed after the first window is looked at. Members of the forecast are the
plausible points (the best ones, if their error is not much larger than the best: the GLUE of Beven
and Binley, *Hydrological Processes* 6, 1992), each in several replications, which also draw late
and short deliveries; members that miss the first window are left out again.

Each member goes on from the last observed day, by as many doses as it gives after it: how far it
was from what was observed on that day stays. Doses that the file says were allocated and not yet
given are not supposed to be given: they may be for second doses, or on paper only.

*Weights.* What the simulation adds is combined with what last week's rate adds, curve by curve. How
much the simulation counts is learnt from two things, both known when the forecast is made. One is
the fit: where a straight line fits the last month of the first window better, the weight is divided
by the ratio of the mean squared errors (of a window shorter than a month, by its power: the
window's part of a month). So where the simulation cannot follow a curve, the forecast
falls back to last week's rate. The other is earlier forecasts. The same is done from every observed
day before the end of the first window, at least three weeks after the first of the file, with the
points that cover the whole box, and held against the days until that end. Those of the last month
give the weights of least squares (Granger and Ramanathan, *Journal of Forecasting* 3, 1984), drawn
towards the simulation. The error of the combination is not supposed to be smaller in the days to
come than that of earlier forecasts.

*Band.* 90 % of a mixture: each member plus an error of its curve. The error is a random walk whose
drift is known as well as a rate of seven days is: after h days it has the variance v h (1 + h / 7),
and that of not knowing which forecast is right: w (1 - w) times their squared difference, w being
the weight (at least 10 %, at most 90 %).
v is the larger of two estimates. One is the mean square by which the error of the fit changed
between two observed days, over all pairs of them, per day between. The other is the mean square of
the errors of earlier forecasts, divided by h (1 + h / 7). Days are few, and numbers were fitted to
them: so the first is multiplied by n / d, and errors have Student's t distribution with d degrees
of freedom, with n observed days after the first one and d = n less the numbers fitted.

*Naive forecasts.* The rate of the last seven days continued, and the least-squares line through the
observed days of the first window. Skill is the mean absolute error divided by theirs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sim.experiment.backtest_deliveries import later_deliveries
from sim.experiment.backtest_forecast import (
    LEVEL,
    Experiment,
    Floats,
    Forecast,
    forecast,
    plausible,
)
from sim.experiment.backtest_question import Question
from sim.experiment.observed import Observed
from sim.experiment.trials import Trials
from sim.scenario_files import Varied, varied

FORECASTERS = ("model", "last_week", "line")
CURVES = ("first", "second")

_AT_END = 0.05
"""Share of a range: a best value so near to an end of it is at the end."""


def find(
    question: Question, seed: int, trials: Trials
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """The answer and its tables: `forecast`, `fit`, `points`, `errors`, `observed`."""
    experiment = Experiment(question, trials)
    found = forecast(experiment, seed)
    truth = question.observed.between(question.predict.first, question.predict.last)
    errors = errors_of(found, truth)
    curves = {curve: _judged(errors[errors["curve"] == curve]) for curve in CURVES}
    answer = {
        "curves": curves,
        "observed_days": len(truth.days),
        "fitted": _fitted_values(question, found),
        "fit_error": found.points[0].error,
        "plausible_points": len(plausible(found.points)),
        "points": len(found.points),
        "members": found.members,
        "error_after_a_week": dict(
            zip(CURVES, map(float, np.sqrt(_at_a_week(found.variance))), strict=True)
        ),
        "weights": dict(zip(CURVES, found.weights, strict=True)),
        "trust": dict(zip(CURVES, found.trust, strict=True)),
        "fit_errors": {
            curve: {"model": float(model), "line": float(line)}
            for curve, (model, line) in zip(CURVES, found.fit_errors.T, strict=True)
        },
        "earlier_forecasts": found.earlier,
        "level": LEVEL,
        "supposed": [*found.supposed, *_drawn(question, found)],
        "remarks": [*_at_ends(question, found), *_not_judged(question)],
        **_given(experiment, found, truth),
    }
    tables = {
        "forecast": _forecast_table(found),
        "fit": _fit_table(experiment, found),
        "points": _points_table(question, found),
        "errors": errors,
    }
    return answer, tables


def _at_a_week(values: Floats) -> Floats:
    """[2, days] to [2]: those of the seventh day, or of the last one."""
    return np.asarray(values[:, min(7, values.shape[1] - 1)])


def _forecast_table(forecast: Forecast) -> pd.DataFrame:
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


def _fit_table(experiment: Experiment, forecast: Forecast) -> pd.DataFrame:
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


def _points_table(question: Question, forecast: Forecast) -> pd.DataFrame:
    rows, used = [], len(plausible(forecast.points))
    for place, point in enumerate(forecast.points):
        values = {
            factor.pattern: _values(factor, share)
            for factor, share in zip(varied(question.data), point.shares, strict=True)
        }
        rows.append({**values, "error": point.error, "plausible": place < used})
    return pd.DataFrame(rows)


def _fitted(question: Question, forecast: Forecast) -> list[tuple[int, Varied]]:
    """The numbers that were fitted, with their places."""
    factors = varied(question.data)
    return [(place, factors[place]) for place in forecast.fit]


def _of_range(what: str, factor: Varied) -> dict[str, Any]:
    return {
        "what": what,
        "name": factor.pattern,
        "low": factor.range.low,
        "high": factor.range.high,
        "relative": factor.range.relative,
    }


def _drawn(question: Question, forecast: Forecast) -> list[dict[str, Any]]:
    """Of numbers that could not be fitted, from what they were drawn."""
    return [
        _of_range("drawn_from_range", factor)
        for place, factor in enumerate(varied(question.data))
        if place not in forecast.fit
    ]


def _fitted_values(question: Question, forecast: Forecast) -> dict[str, dict[str, Any]]:
    """Of each number: the best value, and between which the plausible ones lie."""
    found = {}
    for i, factor in _fitted(question, forecast):
        values = [_values(factor, point.shares[i]) for point in plausible(forecast.points)]
        found[factor.pattern] = {
            "best": values[0],
            "low": min(values),
            "high": max(values),
            "relative": factor.range.relative,
        }
    return found


def _at_ends(question: Question, forecast: Forecast) -> list[dict[str, Any]]:
    """Fitted numbers whose best value is at an end of the range: it may be too narrow."""
    found = []
    for i, factor in _fitted(question, forecast):
        low, high = factor.range.low, factor.range.high
        best = _values(factor, forecast.points[0].shares[i])
        if min(best - low, high - best) < _AT_END * (high - low):
            found.append(_of_range("best_at_end_of_range", factor))
    return found


def _not_judged(question: Question) -> list[dict[str, Any]]:
    """That the file ends before the days to be predicted do."""
    last = question.observed.days[-1]
    if last >= question.predict.last:
        return []
    return [{"what": "file_ends", "file": question.observed.name, "last": last.isoformat()}]


def _given(experiment: Experiment, forecast: Forecast, truth: Observed) -> dict[str, Any]:
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
    data, _supposed = later_deliveries(question)
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
                and question.calibrate.last <= delivery.arrives <= truth.days[-1]
            ),
            "allocated": known[last] - known[first] if first and last else None,
            "allocated_from": first.isoformat() if first else None,
            "allocated_to": last.isoformat() if last else None,
        }
    return {"doses_a_day": a_day, "doses_come": supply}


def errors_of(forecast: Forecast, truth: Observed) -> pd.DataFrame:
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
