"""The question, answered from a run: is everyone vaccinated, how sure, what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from sim.experiment.coverage import SCOPES, Scope
from sim.experiment.results import Run
from sim.experiment.statistics import Estimate, mean_interval, proportion_interval
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
    successes: int
    """replications in which everyone is fully vaccinated by the deadline"""
    probability: Estimate
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
    successes = int((persons["full"] == run.scenario.target).sum()) if simulated else 0
    n = run.settings.replications
    return Answer(
        target=run.scenario.target,
        as_of=campaign.deadline if simulated or until is None else until,
        deadline_simulated=simulated,
        replications=n,
        successes=successes,
        probability=proportion_interval(successes, n if simulated else 0),
        persons={scope: mean_interval(persons[scope].to_numpy()) for scope in SCOPES},
        reasons={
            scope: {name: mean_interval(counts[scope][name].to_numpy()) for name in REASONS}
            for scope in SCOPES
        },
    )


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
