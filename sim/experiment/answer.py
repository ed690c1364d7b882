"""The question, answered from a run: is everyone vaccinated, how sure, what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from sim.experiment.coverage import SCOPES, Scope
from sim.experiment.results import Run
from sim.experiment.statistics import Estimate, mean_interval, proportion_interval
from sim.model.capacity import slots_by_day
from sim.model.records import REASONS


@dataclass(frozen=True)
class Answer:
    """Is everyone of the target fully vaccinated by the deadline, and if not, why not?"""

    target: int
    """persons"""
    as_of: date
    """the deadline, or the last day simulated where that was earlier"""
    deadline_simulated: bool
    replications: int
    successes: dict[Scope, int]
    """replications in which everyone has a first dose, or is fully vaccinated, by the deadline"""
    probability: dict[Scope, Estimate]
    """of that; with the Wilson interval"""
    persons: dict[Scope, Estimate]
    """vaccinated as of that day"""
    reasons: dict[Scope, dict[str, Estimate]]
    """persons by reason as of that day, in the order of REASONS; the means sum to the target"""


def answer(run: Run) -> Answer:
    """The answer that a run gives."""
    campaign = run.scenario.campaign
    until = run.settings.until
    simulated = until is None or until >= campaign.deadline
    counts = reason_counts(run)
    persons = {scope: counts[scope]["vaccinated"] for scope in SCOPES}
    target, n = run.scenario.target, run.settings.replications
    successes = {s: int((persons[s] == target).sum()) if simulated else 0 for s in SCOPES}
    return Answer(
        target=target,
        as_of=campaign.deadline if simulated or until is None else until,
        deadline_simulated=simulated,
        replications=n,
        successes=successes,
        probability={s: proportion_interval(successes[s], n if simulated else 0) for s in SCOPES},
        persons={scope: _mean_persons(persons[scope], target) for scope in SCOPES},
        reasons={
            scope: {name: _mean_persons(counts[scope][name], target) for name in REASONS}
            for scope in SCOPES
        },
    )


def _mean_persons(counts: pd.Series, target: int) -> Estimate:
    return mean_interval(counts.to_numpy()).within(0, target)


def reason_counts(run: Run) -> dict[Scope, pd.DataFrame]:
    """Persons by reason at the deadline: a row a replication, a column a reason."""
    reasons = run.table("reasons")
    reasons = reasons[reasons["as_of"] == "deadline"]
    return {
        scope: reasons[reasons["scope"] == scope]
        .pivot_table(index="replication", columns="reason", values="persons", aggfunc="sum")
        .reindex(columns=list(REASONS), fill_value=0)
        .fillna(0)
        for scope in SCOPES
    }


def months(run: Run) -> pd.DataFrame:
    """Slots and doses by month, to the deadline or the last day simulated (means).

    One row a month with slots or doses: month (YYYY-MM), last_day, slots (appointments that open
    units can take, overbooking included, and who walked in), given (doses), unused (slots less
    doses given), on_hand (doses in closed vials in the evening of the last day).
    """
    campaign, n = run.scenario.campaign, run.settings.replications
    last = pd.Timestamp(min(campaign.deadline, run.settings.until or campaign.horizon))
    days = pd.date_range(campaign.first_day, campaign.horizon)
    slots = pd.Series(slots_by_day(run.scenario).sum(axis=0), index=days, dtype=float)
    if any(unit.walk_ins_per_day for unit in run.scenario.units.values()):
        came = sum_over_replications(run, "daily", ["date"], ["walk_ins"]).set_index("date")
        slots = slots.add(came["walk_ins"] / n, fill_value=0.0)
    stock = sum_over_replications(run, "stock", ["date"], ["administered", "on_hand"])
    stock = stock.set_index("date")
    by_day = pd.DataFrame(
        {"slots": slots, "given": stock["administered"] / n, "on_hand": stock["on_hand"] / n}
    ).fillna(0.0)[:last]
    by_day["last_day"] = pd.to_datetime(by_day.index)
    by_month = by_day.groupby(by_day["last_day"].dt.strftime("%Y-%m"))
    table = by_month.agg({"last_day": "last", "slots": "sum", "given": "sum", "on_hand": "last"})
    table.insert(3, "unused", table["slots"] - table["given"])
    table = table[(table["slots"] > 0) | (table["given"] > 0) | (table["on_hand"] > 0)]
    return table.rename_axis("month").reset_index()


def sum_over_replications(run: Run, name: str, keys: list[str], values: list[str]) -> pd.DataFrame:
    """A table summed over replications and everything else but the keys, part by part."""
    parts = [
        part.groupby(keys, as_index=False)[values].sum()
        for part in run.parts(name, [*keys, *values])
    ]
    return pd.concat(parts).groupby(keys, as_index=False)[values].sum()
