"""What more of each constraint would change: confirmed by simulating the campaign again with it.

The records tell what held back the next person on a day (`binding.py`); whether more of it brings
more people to their jab by the deadline, they cannot tell for sure: doses that second-dose policies
keep back, vials that more people would fill, people who would only come to stand in another queue.
So every constraint is relaxed (`relaxations.py`), alone and in one or two sizes, and the campaign
simulated with the same people and their same luck in the same replications. And, to see what only
helps together with others, all constraints are relaxed as far as they go, and all but one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Literal

import pandas as pd

from sim.experiment.coverage import SCOPES, Scope
from sim.experiment.crews import OnCompiling, OnDays
from sim.experiment.relaxations import RELAXATIONS
from sim.experiment.results import Run, RunError, command, identity, json_text, scenario_digest
from sim.experiment.sources import put
from sim.experiment.statistics import Estimate, mean_interval
from sim.language import N_, _
from sim.scenario import Scenario

if TYPE_CHECKING:
    from sim.experiment.trials import Trials

Status = Literal["binding", "partly", "joint", "harmful", "idle"]

STATUS: dict[Status, str] = {
    "binding": N_("more of it means more people vaccinated, in every replication"),
    "partly": N_("more of it helps little, or not in all sizes and replications"),
    "joint": N_("more of it helps only together with more of the others"),
    "harmful": N_("more of it alone means fewer people vaccinated"),
    "idle": N_("more of it brings nobody more"),
}
_FEW, _MORE, _LARGE = 3, 10, 100_000
"""Replications that are simulated, for many and for fewer than so many people."""
_LITTLE = 0.001
"""A gain of less than this share of the target is not said to bind."""
_FILE = "gains.json"

Persons = dict[Scope, list[int]]
"""By scope, a number for each replication."""


@dataclass(frozen=True)
class Gain:
    """What one relaxation brings."""

    constraint: str
    words: str
    persons: Persons
    """more people vaccinated by the deadline"""
    nothing_to_relax: bool
    """the scenario has no such limit"""

    def mean(self, scope: Scope) -> Estimate:
        """Persons gained, with their interval."""
        return mean_interval(self.persons[scope])

    def surely_more_than(self, little: float, scope: Scope) -> bool:
        """Whether somebody is gained in every replication, and beyond doubt more on average."""
        mean = self.mean(scope)
        low = mean.low if mean.low is not None else mean.mean or 0
        return min(self.persons[scope]) > 0 and low > little

    def harms(self, scope: Scope) -> bool:
        """Whether people are lost on average, beyond doubt."""
        mean = self.mean(scope)
        return (mean.high if mean.high is not None else mean.mean or 0) < 0


@dataclass(frozen=True)
class Gains:
    """What more of each constraint would bring, replication by replication."""

    deadline: date
    """or the last day simulated, where that was earlier"""
    vaccinated: Persons
    """as the campaign is"""
    alone: list[Gain]
    """every relaxation alone; of each constraint the largest last"""
    together: Persons
    """gained if all constraints are relaxed as far as they go"""
    last: dict[str, Persons]
    """what of that is lost if this one is not relaxed"""
    little: float
    """persons; a gain of no more than this is not said to bind"""

    @property
    def replications(self) -> int:
        """How many were simulated again."""
        return len(self.vaccinated["first"])

    def of(self, constraint: str) -> list[Gain]:
        """The relaxations of a constraint."""
        return [gain for gain in self.alone if gain.constraint == constraint]

    def status(self, scope: Scope) -> dict[str, Status]:
        """Of each constraint."""
        return {name: self._status(name, scope) for name in RELAXATIONS}

    def _status(self, name: str, scope: Scope) -> Status:
        gains = self.of(name)
        sizes = [gain.persons[scope] for gain in gains]
        least, most = min(map(min, sizes)), max(map(max, sizes))
        must_help = gains[-1:] if RELAXATIONS[name][0].by_date else gains
        if least >= 0 and all(g.surely_more_than(self.little, scope) for g in must_help):
            return "binding"
        if most > 0:
            return "partly"
        if any(gain.harms(scope) for gain in gains):
            return "harmful"
        return "joint" if self.helps_together(name, scope) else "idle"

    def helps_together(self, name: str, scope: Scope) -> bool:
        """Whether people are lost without it, in every replication, if all others are relaxed."""
        return min(self.last[name][scope]) > 0


class GainsPlan:
    """Which campaigns are simulated to find the gains of a run, and how often."""

    def __init__(self, run: Run, replications: int | None = None) -> None:
        """3 replications, or 10 of a small campaign, unless more or fewer are asked for."""
        self._run = run
        scenario, until = run.scenario, run.settings.until
        self.replications = replications or (_FEW if scenario.target >= _LARGE else _MORE)
        self.deadline = min(scenario.campaign.deadline, until or scenario.campaign.horizon)
        self._sizes = [(name, each) for name, sizes in RELAXATIONS.items() for each in sizes]
        self._worlds = [
            scenario,
            *(each.applied(scenario) for _name, each in self._sizes),
            _relaxed(scenario),
            *(_relaxed(scenario, but=name) for name in RELAXATIONS),
        ]

    @property
    def days(self) -> int:
        """Days to simulate."""
        different = len({scenario_digest(world) for world in self._worlds})
        days = (self.deadline - self._run.scenario.campaign.first_day).days + 1
        return different * self.replications * days

    def find(self, trials: Trials) -> Gains:
        """Simulate. Raises RunError if the run has other results than its scenario gives now."""
        found = _vaccinated(trials, self._worlds, range(self.replications), self.deadline)
        number = len(self._sizes) + 1
        vaccinated, alone, together, but = found[0], found[1:number], found[number], found[number:]
        _check(self._run, vaccinated)
        return Gains(
            self.deadline,
            vaccinated,
            [
                Gain(name, each.words, _difference(persons, vaccinated), world == self._worlds[0])
                for (name, each), persons, world in zip(
                    self._sizes, alone, self._worlds[1:number], strict=True
                )
            ],
            _difference(together, vaccinated),
            {
                name: _difference(together, persons)
                for name, persons in zip(RELAXATIONS, but[1:], strict=True)
            },
            _LITTLE * self._run.scenario.target,
        )


def _relaxed(scenario: Scenario, but: str | None = None) -> Scenario:
    """All constraints but one relaxed as far as they go."""
    for name, sizes in RELAXATIONS.items():
        if name != but:
            scenario = sizes[-1].applied(scenario)
    return scenario


def _difference(one: Persons, other: Persons) -> Persons:
    return {
        scope: [a - b for a, b in zip(one[scope], other[scope], strict=True)] for scope in SCOPES
    }


def _vaccinated(
    trials: Trials, worlds: Sequence[Scenario], numbers: Sequence[int], deadline: date
) -> list[Persons]:
    """People vaccinated by the deadline in each world."""
    found: list[Persons] = [{scope: [0] * len(numbers) for scope in SCOPES} for _world in worlds]
    tables = trials.all_tables([(world, numbers) for world in worlds], "reasons", deadline)
    for (place, number), reasons in tables:
        for scope, persons in _of_reasons(reasons).items():
            found[place][scope][number] = persons
    return found


def _of_reasons(reasons: pd.DataFrame) -> dict[Scope, int]:
    rows = reasons[(reasons["as_of"] == "deadline") & (reasons["reason"] == "vaccinated")]
    return {scope: int(rows.loc[rows["scope"] == scope, "persons"].sum()) for scope in SCOPES}


def _check(run: Run, vaccinated: Persons) -> None:
    reasons = run.table("reasons")
    for number in range(min(len(vaccinated["first"]), run.settings.replications)):
        told = _of_reasons(reasons[reasons["replication"] == number])
        if any(told[scope] != vaccinated[scope][number] for scope in SCOPES):
            raise RunError(
                _(
                    "{folder}: simulated again, it gives other results: {command} shows which"
                ).format(folder=run.folder, command=command("verify", run.folder))
            )


def gains_of(
    run: Run,
    replications: int | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    fresh: bool = False,
    begun: Callable[[int], AbstractContextManager[OnDays]] = lambda days: nullcontext(_in_silence),
    on_compiling: OnCompiling = lambda: None,
) -> Gains:
    """Those kept with the run, or else found now and kept. `begun` is told the days to simulate."""
    from sim.experiment.trials import Trials

    there = None if fresh else kept_gains(run)
    if there is not None and replications in (None, there.replications):
        return there
    plan = GainsPlan(run, replications)
    settings = replace(run.settings, workers=workers, scheduler=scheduler, precision=None)
    with begun(plan.days) as on_days, Trials(settings, on_days, on_compiling) as trials:
        found = plan.find(trials)
    keep_gains(run, found)
    return found


def _in_silence(days: int) -> None:
    """Tell nobody."""


# Kept with the run ----------------------------------------------------------------------------


def keep_gains(run: Run, gains: Gains) -> None:
    """Keep them in the run's folder. Raises RunError if they cannot be written."""
    data = {**identity(run.scenario, run.settings), "gains": asdict(gains)}
    data["gains"]["deadline"] = gains.deadline.isoformat()
    put(run.folder / _FILE, (json_text(data, indent=1) + "\n").encode())


def kept_gains(run: Run) -> Gains | None:
    """Those found before; None if there are none, or they are of another version or run."""
    try:
        data = json.loads((run.folder / _FILE).read_text(encoding="utf-8"))
        told = data.pop("gains")
        if data != json.loads(json_text(identity(run.scenario, run.settings))):
            return None
        alone = [Gain(**gain) for gain in told.pop("alone")]
        deadline = date.fromisoformat(told.pop("deadline"))
        return Gains(deadline=deadline, alone=alone, **told)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
