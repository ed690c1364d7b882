"""Backtests from many days on: how far a method is to be trusted is not seen from one window.

    python tests/rolling_origins.py scenarios/observed_2021.toml OBSERVED.csv

Every observed day is an origin: fitted are the 2, 3 or 4 weeks that end there, predicted the 7 to
31 days after it. To be quick, all origins choose among the same points of the fitted numbers, which
are simulated once; `vaxsim backtest` searches more finely.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import qmc

from sim.experiment.backtest import FORECASTERS, errors_of
from sim.experiment.backtest_deliveries import later_deliveries
from sim.experiment.backtest_forecast import (
    Experiment,
    Point,
    continued_by,
    plausible,
    that_matter,
)
from sim.experiment.backtest_question import Question, Window
from sim.experiment.observed import Observed, read_observed
from sim.experiment.settings import RunSettings
from sim.experiment.sources import Source
from sim.experiment.trials import Trials

WEEKS_FITTED, DAYS_PREDICTED = (2, 3, 4), (7, 10, 14, 21, 31)
LEAST_FITTED, LEAST_PREDICTED = 5, 2
"""Observed days."""


def windows(
    observed: Observed, origins: Sequence[date] | None = None
) -> Iterator[tuple[Window, Window]]:
    """What is fitted and what is predicted, for all origins with enough days around them.

    Origins are all observed days, or only those given.
    """
    for origin in origins or observed.days:
        for weeks in WEEKS_FITTED:
            first = origin - timedelta(days=7 * weeks - 1)
            for days in DAYS_PREDICTED:
                last = origin + timedelta(days=days)
                fitted = observed.between(first, origin).days
                predicted = observed.between(origin + timedelta(days=1), last).days
                if (
                    first >= observed.days[0]
                    and last <= observed.days[-1]
                    and len(fitted) >= LEAST_FITTED
                    and len(predicted) >= LEAST_PREDICTED
                ):
                    yield Window(first, origin), Window(origin + timedelta(days=1), last)


def rolling_origins(
    source: Source,
    observed: Observed,
    trials: Trials,
    points: int = 32,
    replications: int = 2,
    origins: Sequence[date] | None = None,
) -> pd.DataFrame:
    """A row for each origin, window and curve: mean absolute errors, days inside the band."""
    wanted = list(windows(observed, origins))
    last = max(predict.last for _, predict in wanted)
    first = Question.of(source, observed, *wanted[0], replications=replications)
    experiment = Experiment(first, trials)
    longest = replace(first, calibrate=Window(wanted[0][0].first, wanted[-1][0].last))
    places = that_matter(Experiment(longest, trials))
    unit = qmc.Sobol(len(first.patterns), rng=1).random(points)
    shares = [tuple(map(float, row)) for row in unit]
    numbers = range(replications)
    wanted_of_all = [(each, numbers) for each in shares]
    known = experiment.curves(first.data, wanted_of_all, last)
    by_rules = {repr(first.data["regimens"]): known}  # those that begin later are not known
    rows = []
    for calibrate, predict in wanted:
        question = replace(first, calibrate=calibrate, predict=predict)
        experiment = Experiment(question, trials)
        looked_at = sorted(
            (
                Point(each, experiment.error(curves, experiment.window), curves, spread=True)
                for each, curves in zip(shares, known, strict=True)
            ),
            key=lambda point: point.error,
        )
        used = plausible(looked_at)
        data, supposed = later_deliveries(question)
        days = (predict.last - experiment.first_day).days + 1
        rules = repr(data["regimens"])
        if rules not in by_rules:
            old = {**first.data, "regimens": data["regimens"]}
            by_rules[rules] = experiment.curves(old, wanted_of_all, last)
        curves_of = dict(zip(shares, by_rules[rules], strict=True))
        found = [curves_of[point.shares][..., :days] for point in used]
        if data["deliveries"] != question.data["deliveries"]:
            again = [(point.shares, numbers) for point in used]
            found = experiment.curves(data, again, predict.last)
        forecast = continued_by(experiment, np.concatenate(found), looked_at, places, supposed)
        truth = observed.between(predict.first, predict.last)
        for curve, found_errors in errors_of(forecast, truth).groupby("curve", sort=False):
            rows.append(
                {
                    "origin": calibrate.last,
                    "weeks_fitted": ((calibrate.last - calibrate.first).days + 1) // 7,
                    "days_predicted": (predict.last - calibrate.last).days,
                    "curve": curve,
                    **{name: found_errors[name].abs().mean() for name in FORECASTERS},
                    "days": len(found_errors),
                    "inside": found_errors["inside"].sum(),
                }
            )
    return pd.DataFrame(rows)


def summary(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Number of windows, means of their errors, share of days inside the band."""
    grouped = rows.groupby(by, sort=False)
    found = grouped[list(FORECASTERS)].mean()
    found.insert(0, "windows", grouped.size())
    found["inside"] = grouped["inside"].sum() / grouped["days"].sum()
    return found


def main(scenario: Path, file: Path) -> None:
    """All windows and what they come to, as text."""
    observed = read_observed(file)
    with Trials(RunSettings(workers=2, until=observed.days[-1])) as trials:
        rows = rolling_origins(Source.of(scenario), observed, trials)
    text = {"float_format": lambda value: f"{value:,.2f}" if value < 1 else f"{value:,.0f}"}
    print(rows.to_string(index=False, **text))
    print(summary(rows, ["curve"]).to_string(**text))
    print(summary(rows, ["curve", "weeks_fitted", "days_predicted"]).to_string(**text))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
