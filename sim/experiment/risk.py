"""The risk of deliveries: is a goal met when they are late or short, when, and how to know early.

An early warning says: if fewer than X doses have arrived by the evening of a date, the goal is
lost. For each date looked at, X is the threshold that tells lost from met best, by Youden's index
(sensitivity + specificity - 1; *Cancer* 3, 1950), in the first half of the replications; what the
warning is worth is then counted in the other half, which took no part in the choice. The date that
is recommended is the earliest before the goal's day whose index, in the first half, is at least
`ENOUGH` of the best of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.changes import pulled_by
from sim.experiment.coverage import cumulative
from sim.experiment.goals import Goal
from sim.experiment.plan_arithmetic import deliveries_vary
from sim.experiment.settings import RunSettings, SettingsError
from sim.experiment.statistics import (
    Estimate,
    mean_interval,
    proportion_interval,
    quantile_interval,
)
from sim.experiment.trials import Trials
from sim.language import _
from sim.model.dose_supply import draw_arrivals
from sim.random_streams import RandomStreams
from sim.scenario import Scenario

DEFAULT_REPLICATIONS = 200
LEAST_REPLICATIONS = 20
LEAST_OF_EACH = 5
"""Replications of the first half that must meet the goal, and lose it, for a warning."""
PROBABILITIES = (0.5, 0.8, 0.95)
"""With which the day of the goal is given."""
ENOUGH = 0.9
ON_TIME = LEAST_REPLICATIONS
"""Replications, of the same people with the same luck, in which every delivery is on time."""
_DAYS_BETWEEN = 7
_FEW_DATES = 6
"""Dates looked at, at least, where there are so many days."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Question:
    """A goal in a scenario, in so many replications."""

    scenario: Scenario
    goal: Goal
    replications: int = DEFAULT_REPLICATIONS

    def __post_init__(self) -> None:
        """Raise SettingsError for too few replications."""
        if self.replications < LEAST_REPLICATIONS:
            raise SettingsError(
                _(
                    "--replications {n}: half of them find the warning and the others "
                    "confirm it; that takes at least {least}"
                ).format(n=self.replications, least=LEAST_REPLICATIONS)
            )

    @property
    def simulations(self) -> int:
        """Replications in all, those with punctual deliveries included."""
        return self.replications + (ON_TIME if deliveries_vary(self.scenario) else 0)

    def settings(self, settings: RunSettings) -> RunSettings:
        """To the horizon for a coverage, whose day is sought; else to the goal's day."""
        return settings if self.goal.scope else self.goal.settings(settings)

    def as_json(self) -> dict[str, Any]:
        """What determines the answer, beside scenario and seed."""
        return {"reach": str(self.goal), "replications": self.replications}


def find(
    question: Question, settings: RunSettings, trials: Trials
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """The answer and its tables: `replications`, `days`, `arrivals`, `warnings`."""
    scenario, goal, n = question.scenario, question.goal, question.replications
    vary = deliveries_vary(scenario)
    met, day, value = _reached(question, trials)
    arrivals = arrivals_of(scenario, settings.seed, n)
    dates = _dates(scenario, goal.by)
    warnings = _warnings(arrivals, ~met, dates, scenario) if vary else _no_warnings()
    found = {
        "probability": _estimate(proportion_interval(int(met.sum()), n)),
        "met": int(met.sum()),
        "replications": n,
        "reaches": {**_estimate(mean_interval(value).within(*goal.range)), **_range(value)},
        "deliveries_vary": vary,
        "on_time": _on_time(question, trials) if vary else None,
        "warning": _recommended(warnings[warnings["date"] < pd.Timestamp(goal.by)]),
    }
    by_goal = doses_by(arrivals, n, (goal.by - scenario.campaign.first_day).days)
    first = pd.Timestamp(scenario.campaign.first_day)
    replications = pd.DataFrame(
        {
            "replication": np.arange(n),
            "met": met,
            "reached_on": first
            + pd.to_timedelta(np.where(np.isfinite(day), day, np.nan), unit="D"),
            "doses_arrived": by_goal,
        }
    )
    tables = {
        "replications": replications,
        "days": _days(day, scenario) if goal.scope else pd.DataFrame({"probability": []}),
        "arrivals": arrivals.assign(date=first + pd.to_timedelta(arrivals["day"], unit="D")),
        "warnings": warnings,
    }
    return found, tables


def _estimate(found: Estimate) -> dict[str, float | None]:
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _range(values: Floats) -> dict[str, float]:
    """The least and the greatest value; NaN if there is none."""
    known = values[~np.isnan(values)]
    return {
        "least": float(known.min()) if known.size else math.nan,
        "greatest": float(known.max()) if known.size else math.nan,
    }


def _reached(question: Question, trials: Trials) -> tuple[Flags, Floats, Floats]:
    """Of each replication: whether the goal is met, on which day of the campaign, and the value.

    The day is infinite where it is not within the horizon; for goals that are no coverage, always.
    The value is that of the goal's measure on the goal's day.
    """
    scenario, goal, n = question.scenario, question.goal, question.replications
    if goal.scope is None:
        rows = [
            {str(name): value for name, value in row.items()}
            for row in trials.measures(scenario, range(n)).to_dict("records")
        ]
        met = np.array([goal.reached(row, scenario) for row in rows])
        return met, np.full(n, np.inf), np.array([goal.value(row, scenario) for row in rows])
    needed, by = goal.persons_needed(scenario), (goal.by - scenario.campaign.first_day).days
    days, values = [], []
    for daily in trials.tables(scenario, range(n), "daily"):
        persons = cumulative(daily, scenario, goal.scope, None)
        enough = persons >= needed
        days.append(float(np.argmax(enough)) if enough.any() else math.inf)
        values.append(goal.coverage(float(persons[by]), scenario))
    day = np.array(days)
    return day <= by, day, np.array(values)


def _on_time(question: Question, trials: Trials) -> dict[str, Any]:
    """What the goal's measure would be if every delivery came on its day and in full."""
    scenario, goal = question.scenario, question.goal
    as_told = {"delay_days": 0, "fraction_delivered": 1}
    punctual = pulled_by(scenario, {"deliveries": dict.fromkeys(scenario.deliveries, as_told)})
    met, _, value = _reached(Question(punctual, goal, ON_TIME), trials)
    return {
        "met": int(met.sum()),
        "replications": ON_TIME,
        **_estimate(mean_interval(value).within(*goal.range)),
    }


def _days(day: Floats, scenario: Scenario) -> pd.DataFrame:
    """The day by which the goal is met with each probability; NaT: not within the horizon.

    `low_known`, `high_known`: whether there are replications enough for that limit; a limit that is
    known and NaT is beyond the horizon.
    """
    first = scenario.campaign.first_day

    def on(number: float | None) -> pd.Timestamp | Any:
        if number is None or math.isinf(number):
            return pd.NaT
        return pd.Timestamp(first + timedelta(days=int(number)))

    rows = []
    for probability in PROBABILITIES:
        found = quantile_interval(day, probability)
        rows.append(
            {
                "probability": probability,
                "day": on(found.value),
                "low": on(found.low),
                "high": on(found.high),
                "low_known": found.low is not None,
                "high_known": found.high is not None,
            }
        )
    return pd.DataFrame(rows)


# Deliveries -----------------------------------------------------------------------------------


def arrivals_of(scenario: Scenario, seed: int, replications: int) -> pd.DataFrame:
    """A row a replication and delivery: the day of the campaign on which it comes, its doses.

    As the simulation has them, which draws them in the same way; those that come after the horizon
    are among them.
    """
    labels = [vaccine.doses_per_vial for vaccine in scenario.vaccines.values()]
    rows = [
        (number, arrival.name, arrival.day, arrival.vials * labels[arrival.vaccine])
        for number in range(replications)
        for arrival in draw_arrivals(scenario, RandomStreams(seed, number))
    ]
    return pd.DataFrame(rows, columns=["replication", "delivery", "day", "doses"])


def doses_by(arrivals: pd.DataFrame, replications: int, day: int) -> Ints:
    """Doses that have arrived by the evening of a day of the campaign, in each replication."""
    here = arrivals[arrivals["day"] <= day]
    total = np.zeros(replications, dtype=np.int64)
    np.add.at(total, here["replication"].to_numpy(), here["doses"].to_numpy())
    return total


def _dates(scenario: Scenario, by: date) -> list[date]:
    """Dates looked at, up to the goal's day, which itself comes too late for a warning.

    Every week from the first announced delivery (more often in a short time), and when others are
    announced.
    """
    announced = [
        delivery.announced_arrival or delivery.arrives for delivery in scenario.deliveries.values()
    ]
    if not announced:
        return []
    begin = min(announced)
    days = (by - begin).days
    step = max(min(days // _FEW_DATES, _DAYS_BETWEEN), 1)
    dates = {*announced, by, *(begin + timedelta(days=number) for number in range(0, days, step))}
    return sorted(day for day in dates if day <= by)


# Warnings -------------------------------------------------------------------------------------

_COLUMNS = (
    "date", "fewer_than", "index", "lost_below", "below", "lost_above", "above",
    "p_lost_below", "p_lost_below_low", "p_lost_below_high",
    "p_lost_above", "p_lost_above_low", "p_lost_above_high",
    "sensitivity", "specificity",
)  # fmt: skip


def _no_warnings() -> pd.DataFrame:
    return pd.DataFrame(columns=list(_COLUMNS))


def _warnings(
    arrivals: pd.DataFrame, lost: Flags, dates: Sequence[date], scenario: Scenario
) -> pd.DataFrame:
    """The best warning of each date that has one: found in the first half, counted in the other."""
    half = lost.size // 2
    if min(lost[:half].sum(), (~lost[:half]).sum()) < LEAST_OF_EACH:
        return _no_warnings()
    rows = []
    for day in dates:
        doses = doses_by(arrivals, lost.size, (day - scenario.campaign.first_day).days)
        best = best_threshold(doses[:half], lost[:half])
        if best is not None:
            threshold, index = best
            counted = _worth(doses[half:] < threshold, lost[half:])
            rows.append(
                {"date": pd.Timestamp(day), "fewer_than": threshold, "index": index, **counted}
            )
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def best_threshold(doses: Ints, lost: Flags) -> tuple[int, float] | None:
    """The threshold with the greatest Youden index, and that index; None where none is above 0.

    Between two numbers of doses that were seen, the roundest one is taken.
    """
    seen = np.unique(doses)
    best: tuple[int, float] | None = None
    for below, above in pairwise(seen):
        warned = doses <= below
        index = float(warned[lost].mean() - warned[~lost].mean())
        if index > (best[1] if best else 0.0):
            best = _roundest(int(below), int(above)), index
    return best


def _roundest(below: int, above: int) -> int:
    """The number above `below` and up to `above` that ends in most zeros."""
    step: int = 10 ** len(str(above))
    while (number := above // step * step) <= below:
        step //= 10
    return number


def _worth(warned: Flags, lost: Flags) -> dict[str, Any]:
    """How often the goal is lost with the warning and without it."""
    found: dict[str, Any] = {}
    for name, here in (("below", warned), ("above", ~warned)):
        times, of = int((here & lost).sum()), int(here.sum())
        chance = proportion_interval(times, of)
        found |= {
            f"lost_{name}": times,
            name: of,
            f"p_lost_{name}": chance.mean,
            f"p_lost_{name}_low": chance.low,
            f"p_lost_{name}_high": chance.high,
        }
    found["sensitivity"] = float(warned[lost].mean()) if lost.any() else math.nan
    found["specificity"] = float((~warned)[~lost].mean()) if (~lost).any() else math.nan
    return found


def _recommended(warnings: pd.DataFrame) -> dict[str, Any] | None:
    """The earliest date that tells nearly as well as the best, by the first half."""
    if not len(warnings):
        return None
    enough = warnings["index"] >= ENOUGH * warnings["index"].max()
    row = warnings[enough].iloc[0].to_dict()
    day = row.pop("date")
    plain = {str(key): getattr(value, "item", lambda v=value: v)() for key, value in row.items()}
    return {"date": day.date().isoformat(), **plain}
