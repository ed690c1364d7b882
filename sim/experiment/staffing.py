"""How few staff are enough: the cheapest staffing that meets a goal with a promised probability.

1. First guess. Agents: for every language the offered load, and as many agents as serve the needed
   share of callers where those who are lost redial (Erlang A, a fixed point). Stations: as many as
   the slots need without which doses, turns and slots cannot meet the goal.
2. Search (`staff_search`) with common random numbers: a staffing meets the condition if it reaches
   the goal in the promised share of the same replications for all. Replications are added as long
   as it is in doubt. What the feasibility ceiling rules out is not simulated. The search ends with
   its replications, or when `MOST_LOOKED_AT` staffings have been looked at; the answer says so.
3. Among equally cheap ones, the one with the best mean (Kim and Nelson's KN).
4. Judgement on replications that played no part in the search: a sequential test, whose error over
   all staffings judged is at most 5 %. If it fails, the search goes on with more replications, of
   which fewer may miss the goal.
"""

from __future__ import annotations

import contextlib
import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.feasibility import (
    bindings,
    closed_form,
    limits_of,
    most_by,
    only_willingness_varies,
)
from sim.experiment.goals import Goal, read_goal
from sim.experiment.plan_arithmetic import languages, people
from sim.experiment.selection import ProbabilityTest, select_best, tolerance_factor
from sim.experiment.settings import RunSettings
from sim.experiment.sources import Source
from sim.experiment.staff_levers import (
    DEFAULT_COSTS,
    Lever,
    Levers,
    Staffing,
    StaffingError,
    read_costs,
)
from sim.experiment.staff_search import (
    Axis,
    Memory,
    SearchEndedError,
    cheaper,
    descend,
    equally_cheap,
    exchange,
    first_that_holds,
    least_of_each,
)
from sim.experiment.statistics import CONFIDENCE, mean_interval, proportion_interval
from sim.experiment.study import StudyPlan
from sim.experiment.trials import Trials
from sim.language import _, speaking
from sim.model.capacity import open_by_day, unit_slots
from sim.queueing_theory import (
    infinite_server_mean,
    redial_fixed_point,
    smallest_number_of_servers,
    square_root_staffing,
)
from sim.scenario import Scenario, Unit

Floats = NDArray[np.float64]

ERROR = 1 - CONFIDENCE
"""Probability of proposing a staffing that does not keep the promise, at most."""

FOR_SEARCH = 40
"""Replications that decide in the search, where it stays in doubt for so long: more if many may be
spent, and twice as many after a staffing chosen with them has not stood the test."""
FOR_TIES, FOR_TEST = 50_000, 100_000
"""Where the numbers of replications begin that compare equally cheap staffings, and that judge."""

MOST_LOOKED_AT = 100_000
"""Staffings that are looked at, at most, simulated or not (some seconds): there may be many more.
"""

_FOR_ONE_TEST = 120
"""Of the replications left, a test may use two thirds, or so many."""
_TIES = 4
_TIES_TRIED = 20
_TRIED = 6
_FRONT = 500
"""Points kept of the cheapest stations for each number of slots."""
_COMBINATIONS = 1_000_000
_LISTED = 20_000
"""Staffings listed for a proof, at most."""
_CEILINGS = 1_000
"""Ceilings computed to rule staffings out, at most."""
_ON_CURVE = 7
_FOR_CURVE = 20


@dataclass(frozen=True)
class Question:
    """What is asked."""

    goal: Goal
    probability: float
    """with which the goal is to be met"""
    costs: Mapping[str, float]
    """of one more by role; who is not named stays"""
    most: int
    """replications in all"""

    def __post_init__(self) -> None:
        """Raise StaffingError for what cannot be promised."""
        if not 0 < self.probability < 1:
            raise StaffingError(
                _(
                    "probability {probability:g}: must be above 0 and below 1, like 0.95: no "
                    "number of replications shows that something is certain"
                ).format(probability=self.probability)
            )
        if self.most < 100:
            raise StaffingError(
                _("replications: at least 100 are needed, not {n}").format(n=self.most)
            )

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        reach: str,
        probability: float,
        costs: Sequence[str] = (),
        most: int | None = None,
    ) -> Question:
        """From texts. Raises SettingsError for what cannot be."""
        question = cls(
            goal=read_goal(reach, scenario),
            probability=probability,
            costs=read_costs(costs) if costs else DEFAULT_COSTS,
            most=default_most(scenario) if most is None else most,
        )
        Levers(scenario, question.costs)  # wrong costs are told before anything is simulated
        return question

    def plan(self, source: Source, settings: RunSettings, out: Path | None) -> StudyPlan:
        """The study to be made."""
        return StudyPlan("staff", source, self.goal.settings(settings), self.data(), out)

    def data(self) -> dict[str, Any]:
        """In JSON's types."""
        return {
            "goal": str(self.goal),
            "probability": self.probability,
            "costs": dict(sorted(self.costs.items())),
            "most_replications": self.most,
        }


def default_most(scenario: Scenario) -> int:
    """Replications in all, unless a number is asked for: fewer for more people."""
    return int(min(max(3.4e8 // scenario.target, 600), 3000))


# The simulation asked -------------------------------------------------------------------------


class _Simulation:
    """Whether staffings reach the goal, in numbered replications."""

    def __init__(self, trials: Trials, levers: Levers, question: Question) -> None:
        self.trials, self.levers, self.question = trials, levers, question
        self.for_search = min(max(question.most // 30, FOR_SEARCH), 5 * FOR_SEARCH)
        self.budget = question.most
        self.leeway = 1.0
        """part that may miss the goal of those replications that the probability leaves"""
        self.seen: dict[Staffing, int] = {}
        """replications used in the search by each staffing"""
        self.ruled_out = 0
        """staffings that the ceiling rules out"""
        self.used_up = False
        """whether more replications were wanted than may be spent"""
        self._ceiling = Memory(self._ceiling_allows)
        self._known: dict[tuple[Staffing, int], float] = {}

    def meets(self, staffing: Staffing) -> bool:
        """Whether it reaches the goal in the promised share of the replications of the search.

        Fewer do where they leave no doubt: an improbable number of failures or successes, or
        values so far from the goal that (if normal) the promised share of all reaches it.
        """
        if not self.possible(staffing):
            self.ruled_out += 1
            return False
        if self.levers.scenario_with(staffing) is None:
            return False
        n = 0
        while True:
            n = min(max(2 * n, 2), self.for_search)
            self._may_spend(n - self.seen.get(staffing, 0))
            distance = self.distances(staffing, range(n))
            self.seen[staffing] = max(n, self.seen.get(staffing, 0))
            decided = _verdict(distance, self.question.probability)
            if decided is None and n == self.for_search:
                forgiven = self.leeway * (1 - self.question.probability) * n
                decided = bool((distance < 0).sum() <= forgiven + 1e-9)
            if decided is not None:
                return decided

    def clearly_meets(self, staffing: Staffing) -> bool:
        """Whether few replications leave no doubt that it does."""
        if not self.possible(staffing) or self.levers.scenario_with(staffing) is None:
            return False
        self._may_spend(4)
        return any(
            _verdict(self.distances(staffing, range(n)), self.question.probability) for n in (2, 4)
        )

    def affordable(self, staffing: Staffing, replications: int) -> int:
        """So many replications of a staffing that has been simulated, or as many as are left."""
        left = self.question.most - self.trials.spent
        return min(replications, self.seen[staffing] + max(left, 0))

    def _may_spend(self, replications: int) -> None:
        if self.trials.spent + replications > self.budget:
            self.used_up = True
            raise SearchEndedError

    def possible(self, staffing: Staffing) -> bool:
        """False if doses, slots and turns are known to rule out that it is ever reached."""
        if self.question.goal.scope is None or not only_willingness_varies(self.levers.scenario):
            return True
        stations = (
            lever.now if lever.station is None else n
            for lever, n in zip(self.levers.all, staffing, strict=True)
        )  # agents do not move the ceiling
        try:
            return self._ceiling.holds(tuple(stations))
        except SearchEndedError:
            return True

    def _ceiling_allows(self, staffing: Staffing) -> bool:
        if len(self._ceiling.answers) >= _CEILINGS:
            raise SearchEndedError
        scenario = self.levers.scenario_with(staffing)
        return _allowed(scenario and _most_willing(scenario), self.question.goal)

    def distances(self, staffing: Staffing, replications: range) -> Floats:
        """How far beyond the goal each replication comes (below zero: not reached)."""
        return self.all_distances([staffing], replications)[0]

    def all_distances(self, staffings: Sequence[Staffing], replications: range) -> list[Floats]:
        """The same for several staffings."""
        wanted = {
            staffing: [r for r in replications if (staffing, r) not in self._known]
            for staffing in staffings
        }
        asked = [
            (staffing, self._scenario(staffing), missing)
            for staffing, missing in wanted.items()
            if missing
        ]
        found = self.trials.all_measures(
            [(scenario, missing) for _staffing, scenario, missing in asked]
        )
        for (staffing, scenario, missing), measures in zip(asked, found, strict=True):
            for r, row in zip(missing, measures.to_dict("records"), strict=True):
                self._known[staffing, r] = _distance(self.question.goal, row, scenario)
        return [
            np.array([self._known[staffing, r] for r in replications]) for staffing in staffings
        ]

    def _scenario(self, staffing: Staffing) -> Scenario:
        scenario = self.levers.scenario_with(staffing)
        if scenario is None:
            raise ValueError(f"no scenario has the staffing {staffing}")
        return scenario


def _distance(goal: Goal, measures: Mapping[Any, float], scenario: Scenario) -> float:
    """How far a replication comes beyond the goal; on which side of it is for the goal to say."""
    beyond = goal.value(measures, scenario) - goal.amount
    if math.isnan(beyond):
        return -math.inf
    distance = beyond if goal.comparison == ">=" else -beyond
    return max(distance, 0.0) if goal.reached(measures, scenario) else min(distance, -1e-12)


def _verdict(distance: Floats, probability: float) -> bool | None:
    """Whether the goal is met often enough, without doubt; None: not clear yet."""
    from scipy.stats import binom

    n = distance.size
    failures = int((distance < 0).sum())
    if binom.sf(failures - 1, n, 1 - probability) < 0.005:
        return False
    if binom.cdf(failures, n, 1 - probability) < 0.005:
        return True
    finite = bool(np.isfinite(distance).all())
    spread = float(distance.std(ddof=1)) if finite else math.inf
    if failures == 0 and spread > 0 and math.isfinite(spread):
        return True if distance.mean() >= tolerance_factor(n, probability) * spread else None
    return None


def _allowed(scenario: Scenario | None, goal: Goal) -> bool:
    """Whether doses, slots and turns allow as many people as the goal needs."""
    if goal.scope is None or scenario is None:
        return scenario is not None
    day = (goal.by - scenario.campaign.first_day).days
    most = float(closed_form(limits_of(scenario), goal.scope)[day]) + 1e-6
    return most >= goal.persons_needed(scenario)


def _most_willing(scenario: Scenario) -> Scenario:
    """The scenario with as many willing as luck ever makes them: six standard deviations more."""
    groups = {}
    for name, group in scenario.groups.items():
        spread = math.sqrt(group.willing * (1 - group.willing) / max(group.people, 1))
        willing = min(group.willing + 6 * spread, 1.0)
        groups[name] = group.model_copy(update={"willing": willing})
    return scenario.model_copy(update={"groups": groups})


# First guess and range ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Agents:
    guess: int
    """who serve the needed share of callers, all being alike through the day"""
    most: int
    """with whom hardly anybody waits in the busiest hour"""


def _agents_by_language(scenario: Scenario, goal: Goal) -> dict[str, _Agents]:
    """Agents that the offered load of each language needs, times in hours."""
    centre = scenario.call_centre
    days = (min(centre.last_day, goal.by) - centre.first_day).days + 1
    open_days = sum(centre.takes_calls(centre.first_day + timedelta(d)) for d in range(days))
    hours = open_days * (centre.closes - centre.opens) / 60
    patience = max(centre.patience_minutes.mean() / 60, 1e-3)
    share = _share_by_telephone(scenario, goal)
    found = {}
    for row in languages(scenario).to_dict("records"):
        if not (row["calls"] > 0 and row["hours_needed"] > 0 and hours > 0):
            found[row["language"]] = _Agents(0, 0)
            continue
        service = row["hours_needed"] / row["calls"]
        arrivals = row["calls"] / hours

        def enough(agents: int, arrivals: float = arrivals, service: float = service) -> bool:
            result = redial_fixed_point(
                arrivals,
                1 / service,
                agents,
                redials=min(centre.redial_probability, 0.999),
                waiting_places=max(centre.lines - agents, 0),
                abandonment_rate=1 / patience,
            )
            return result.given_up <= max(1 - share, 0.02)

        guess = smallest_number_of_servers(enough)
        peak = max(_peak_load(scenario, row["language"], service), arrivals * service)
        most = square_root_staffing(peak, 0.05, patience / service)
        found[row["language"]] = _Agents(guess, max(most, 2 * guess))
    return found


def _share_by_telephone(scenario: Scenario, goal: Goal) -> float:
    """Share of those who book by telephone that the goal needs, if all others are vaccinated."""
    if goal.scope is None:
        return 1.0
    table = people(scenario)
    by_telephone = float(table["by_telephone"].sum())
    others = float(table["willing"].sum()) - by_telephone
    if by_telephone == 0:
        return 0.0
    return min(max((goal.persons_needed(scenario) - others) / by_telephone, 0.0), 1.0)


def _peak_load(scenario: Scenario, language: str, service: float) -> float:
    """Offered load in the busiest hour of the day on which first calls begin, in erlangs."""
    centre = scenario.call_centre
    calls = 0.0
    for group, row in zip(
        scenario.groups.values(), people(scenario).to_dict("records"), strict=True
    ):
        if group.language == language and group.first_calls:
            callers = row["by_telephone"] + row["willing"] * centre.inquiries_per_person
            calls += callers * max(
                wave.share * -math.expm1(-1 / wave.mean_days) for wave in group.first_calls
            )
    calls *= max(centre.weekday_calls) * 7 / sum(centre.weekday_calls)
    by_hour = np.array(centre.call_times[centre.opens // 60 : -(-centre.closes // 60)])
    in_hour = calls * by_hour / by_hour.sum()
    load = infinite_server_mean(np.repeat(in_hour, 12), 1 / 12, lambda t: np.exp(-t / service))
    return float(load.max())


_WIDTHS = (4, 8, 16, 32)
"""Times the present staff of stations that are considered: the first that the ceiling allows."""


class _Range:
    """For every lever how few and how many are considered, and a first guess."""

    def __init__(self, levers: Levers, goal: Goal) -> None:
        self._levers, self._goal = levers, goal
        self._throughput = lru_cache(maxsize=None)(self._patients_a_day)
        self.scenario = levers.scenario
        self._agents = _agents_by_language(self.scenario, goal)
        self.caps: dict[str, tuple[str, int]] = {}
        """what has no cost and makes more staff useless: by unit type the station (or
        slots_per_day) and its slots a day, by pool the lines"""
        for self.width in _WIDTHS:
            self.by_type = list(self._unit_types())
            grouped = {i for axis in self.by_type for i in axis.levers}
            alone = (
                self._single(i, self._most_alone(lever))
                for i, lever in enumerate(levers.all)
                if i not in grouped
            )
            self.together = [*self.by_type, *alone]
            """axes for the search: the stations of a unit type go together"""
            self.most = self._levers.now
            """as many as are of any use"""
            for axis in self.together:
                self.most = axis.put(self.most, len(axis.steps) - 1)
            if _allowed(self._levers.scenario_with(self.most), goal):
                break
        self.singly = [self._single(i, most) for i, most in enumerate(self.most)]
        """an axis for every lever"""

    @cached_property
    def stations(self) -> list[dict[int, int]]:
        """The cheapest stations for each number of slots, by lever; more slots, higher cost.

        Where there are very many such numbers, some of them.
        """
        if not self.by_type:
            return []
        cost, slots = np.zeros(1), np.zeros(1)
        chosen = np.zeros((1, 0), dtype=int)
        for axis in self.by_type:
            unit_days = self._unit_days[self._levers.all[axis.levers[0]].holder]
            costs = [
                sum(self._levers.all[i].cost * n for i, n in zip(axis.levers, step, strict=True))
                for step in axis.steps
            ]
            more = [unit_days * self._slots(axis, k) for k in range(len(axis.steps))]
            all_costs, all_slots = (
                np.add.outer(cost, costs).ravel(),
                np.add.outer(slots, more).ravel(),
            )
            order = np.lexsort((-all_slots, all_costs))
            before = np.maximum.accumulate(np.concatenate([[-1.0], all_slots[order]]))[:-1]
            front = order[all_slots[order] > before]
            if front.size > _FRONT:
                front = front[np.linspace(0, front.size - 1, _FRONT).round().astype(int)]
            below, step = np.divmod(front, len(axis.steps))
            chosen = np.column_stack([chosen[below], step])
            cost, slots = all_costs[front], all_slots[front]
        return [
            {
                i: n
                for axis, k in zip(self.by_type, steps, strict=True)
                for i, n in zip(axis.levers, axis.steps[k], strict=True)
            }
            for steps in chosen.tolist()
        ]

    def with_stations(self, staffing: Staffing, numbers: Mapping[int, int]) -> Staffing:
        """The staffing with these numbers at these levers."""
        return tuple(numbers.get(i, n) for i, n in enumerate(staffing))

    @cached_property
    def _unit_days(self) -> dict[str, int]:
        """Days on which units of each type are open up to the goal's day, added up."""
        days = (self._goal.by - self.scenario.campaign.first_day).days + 1
        open_days = open_by_day(self.scenario)[:, :days].sum(axis=1)
        found = dict.fromkeys(self.scenario.unit_types, 0)
        for unit, number in zip(self.scenario.units.values(), open_days, strict=True):
            found[unit.type] += int(number)
        return found

    def _single(self, i: int, most: int) -> Axis:
        least = self._levers.least(self._levers.all[i])
        return Axis((i,), tuple((n,) for n in range(least, max(most, least) + 1)))

    def _most_alone(self, lever: Lever) -> int:
        if lever.station is not None:
            return max(self.width * lever.now, 4)
        useful = max(self._agents[language].most for language in self._languages(lever))
        lines = self.scenario.call_centre.lines
        if lines < useful:
            self.caps[lever.holder] = "lines", lines
        return max(min(useful, lines), lever.now, 1)

    def _languages(self, lever: Lever) -> list[str]:
        return list(self.scenario.call_centre.pools[lever.holder].languages)

    @cached_property
    def guess(self) -> Staffing:
        """From queueing theory and the ceiling."""
        staffing = list(self._slots_for_goal())
        pools = self.scenario.call_centre.pools
        for i, lever in enumerate(self._levers.all):
            if lever.station is None:
                factors = []
                for language in self._languages(lever):
                    there = sum(
                        max([pool.agents, *(shift.staff for shift in pool.shifts)])
                        for pool in pools.values()
                        if language in pool.languages
                    )
                    factors.append(self._agents[language].guess / max(there, 1))
                wanted = math.ceil(max(factors) * max(lever.now, 1))
                staffing[i] = min(max(wanted, self._levers.least(lever)), self.most[i])
        return tuple(staffing)

    def _slots_for_goal(self) -> Staffing:
        """The fewest stations, all unit types alike, that the ceiling allows (else as now)."""
        if self._goal.scope is None or not self.by_type:
            return self._scaled(1.0)

        def allowed(eighths: int) -> bool:
            return _allowed(self._levers.scenario_with(self._scaled(eighths / 8)), self._goal)

        most = 8 * self.width
        fewest = 1 + bisect_left(range(1, most + 1), True, key=allowed)
        return self._scaled(fewest / 8 if fewest <= most else 1.0)

    def _scaled(self, factor: float) -> Staffing:
        """Stations of all unit types for that many times the present slots, agents as now."""
        staffing = self._levers.now
        for axis in self.by_type:
            unit = self._unit(self._levers.all[axis.levers[0]].holder)
            wanted = factor * unit_slots(unit)
            steps = range(len(axis.steps) - 1)
            k = bisect_left(steps, wanted - 1e-9, key=partial(self._slots, axis))
            staffing = axis.put(staffing, k)
        return staffing

    def _slots(self, axis: Axis, k: int) -> int:
        return min(
            self._throughput(self._levers.all[i], n)
            for i, n in zip(axis.levers, axis.steps[k], strict=True)
        )

    def _unit_types(self) -> Iterator[Axis]:
        """For unit types whose staff decides about the slots: as few at each station as they need.

        Not for stations with shifts: each shift is a lever of its own.
        """
        for kind in self.scenario.unit_types:
            of_type = [
                (i, lever)
                for i, lever in enumerate(self._levers.all)
                if lever.path[:2] == ("unit_types", kind)
            ]
            if not of_type or any("shifts" in lever.path for _, lever in of_type):
                continue
            unit = self._unit(kind)
            if unit.slots_per_day is not None:
                self.caps[kind] = "slots_per_day", unit.slots_per_day
                continue
            fixed = {
                name: unit_slots(unit.model_copy(update={"stations": {name: station}}))
                for name, station in unit.stations.items()
                if name not in {lever.station for _, lever in of_type}
            }
            widest = self.width * max(unit_slots(unit), 1)
            if fixed and min(fixed.values()) < widest:
                name = min(fixed, key=lambda name: fixed[name])
                widest = fixed[name]
                self.caps[kind] = name, widest
            by_lever = [self._throughputs(lever, widest) for _, lever in of_type]
            slots = sorted({min(s, widest) for served in by_lever for s in served if s > 0})
            steps = [
                tuple(min(bisect_left(served, level) + 1, len(served)) for served in by_lever)
                for level in slots
            ]
            if steps:
                yield Axis(tuple(i for i, _ in of_type), tuple(dict.fromkeys(steps)))

    def _throughputs(self, lever: Lever, widest: int) -> list[int]:
        """Patients a day of 1, 2, ... staff, as far as needed."""
        served: list[int] = []
        while not served or (served[-1] < widest and len(served) < 10_000):
            served.append(self._throughput(lever, len(served) + 1))
            if served[-1] == 0 and len(served) > 100:
                break
        return served

    def _patients_a_day(self, lever: Lever, staff: int) -> int:
        unit = self._unit(lever.holder)
        assert lever.station is not None
        station = unit.stations[lever.station].model_copy(update={"staff": staff})
        alone = {"slots_per_day": None, "stations": {lever.station: station}}
        return unit_slots(unit.model_copy(update=alone))

    def _unit(self, kind: str) -> Unit:
        """A unit of the type, with the type's own stations."""
        unit = next(unit for unit in self.scenario.units.values() if unit.type == kind)
        unit_type = self.scenario.unit_types[kind]
        return unit.model_copy(
            update={"stations": unit_type.stations, "slots_per_day": unit_type.slots_per_day}
        )


# Search and judgement -------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """A staffing on replications that played no part in choosing it."""

    staffing: Staffing
    replications: int
    reached: int
    verdict: bool | None
    """None: too near to the promised probability to tell"""


class _Search:
    """The whole procedure; what it finds is kept in its attributes."""

    def __init__(self, trials: Trials, levers: Levers, question: Question) -> None:
        self.levers, self.question = levers, question
        self.range = _Range(levers, question.goal)
        self.simulation = _Simulation(trials, levers, question)
        self.memory = Memory(self.simulation.meets, MOST_LOOKED_AT)
        self.judged: list[Judged] = []
        self.proof: str | None = None
        """simulated: everything cheaper has been, and failed; inferred: if more never harms"""
        self.finished = False
        """whether no number, and no two of them, were left that might be had for less"""
        self.least: Staffing | None = None
        """no staffing that meets the goal has less of anything"""
        self.ties: list[Staffing] = []
        """equally cheap, from which the best mean was chosen"""
        self.now_meets: bool | None = None
        self.spent: dict[str, int] = {}

    def run(self) -> Judged | None:
        """The cheapest staffing that has stood the test, or None."""
        simulation, memory = self.simulation, self.memory
        simulation.budget = int(0.6 * self.question.most)
        with self.counting("search"), _as_far_as_possible():
            self.now_meets = memory.answered(self.levers.now)
        near = self.range.guess
        while simulation.trials.spent < 0.9 * self.question.most:
            with self.counting("search"), _as_far_as_possible():
                self.proof, self.finished = None, False
                self._seek(near)
            if not memory.held:
                break
            best = min(memory.held, key=self._order)
            with self.counting("ties"):
                near = self._best_of_equals(best)
            with self.counting("test"):
                self.judged.append(self._judge(near))
            if self.judged[-1].verdict:
                return self.judged[-1]
            memory.refute(near)
            simulation.for_search *= 2
            simulation.leeway /= 2
            simulation.budget = max(simulation.budget, int(0.8 * self.question.most))
        return None

    def _order(self, staffing: Staffing) -> tuple[float, Staffing]:
        return self.levers.cost(staffing), staffing

    def _seek(self, near: Staffing) -> None:
        """Have the memory hold the cheapest staffing, as far as replications allow."""
        start = self._above(near)
        if start is None and self.memory.held:
            start = min(self.memory.held, key=self._order)
        if start is None:
            start = self._climb(max(self.simulation.seen, key=self.reach))
        if start is not None:
            self._improve(start)
        self._prove()

    def _above(self, staffing: Staffing) -> Staffing | None:
        """The staffing itself or something between it and the most, if that meets the goal."""
        for share in (0.0, 0.125, 0.25, 0.5, 1.0):
            more = staffing
            for axis in self.range.together:
                k = axis.place(staffing)
                more = axis.put(more, k + math.ceil(share * (len(axis.steps) - 1 - k)))
            if self.memory.holds(more):
                return more
        return None

    def _climb(self, start: Staffing) -> Staffing | None:
        """From step to step, of one axis at a time, wherever that comes farthest."""
        best = start
        while True:
            steps = [
                axis.put(best, k)
                for axis in self.range.together
                for here in [axis.place(best)]
                for k in (here - 1, here + 1)
                if 0 <= k < len(axis.steps)
            ]
            for staffing in steps:
                if self.memory.answered(staffing):
                    return staffing
            farthest = max(steps, key=self.reach)
            if self.reach(farthest) <= self.reach(best):
                return None
            best = farthest

    def reach(self, staffing: Staffing) -> float:
        """How far beyond the goal it comes, in the replications that all have had."""
        if staffing not in self.simulation.seen:
            return -math.inf
        return float(self.simulation.distances(staffing, range(2)).mean())

    def _improve(self, start: Staffing) -> None:
        """Lower and exchange until no single lever, nor two of them, can be had for less."""
        memory, cost = self.memory, self.levers.cost
        self.finished = False

        def range_of_cost(axis: Axis) -> float:
            return cost(axis.put(start, len(axis.steps) - 1)) - cost(axis.put(start, 0))

        dear_first = sorted(self.range.together, key=range_of_cost, reverse=True)
        found = [descend(memory, axes, start) for axes in (dear_first, dear_first[::-1])]
        best = self._improve_stations(min(found, key=self._order))
        for axes in (self.range.together, self.range.singly):
            best = exchange(memory, axes, descend(memory, axes, best), cost)
        memory.answered(best)
        self.finished = True
        combinations = math.prod(len(axis.steps) for axis in self.range.singly)
        if memory.monotone and combinations < _COMBINATIONS and memory.holds(self.range.most):
            self.least = least_of_each(memory, self.range.singly, self.range.most)

    def _improve_stations(self, start: Staffing) -> Staffing:
        """Try the cheapest stations for each number of slots, and lower the rest with each.

        From the fewest slots with which what else there is suffices, as long as stations cost less
        than everything does now.
        """
        memory, cost = self.memory, self.levers.cost
        others = [axis for axis in self.range.together if axis not in self.range.by_type]
        without = start
        for axis in others:
            without = axis.put(without, 0)
        best = start
        tried = 0
        front = self.range.stations
        with_start = [self.range.with_stations(start, stations) for stations in front]
        for stations in front[first_that_holds(memory, with_start) :]:
            if cost(self.range.with_stations(without, stations)) >= cost(best) or tried >= _TRIED:
                break
            trial = self.range.with_stations(best, stations)
            if not memory.holds(trial):
                trial = self.range.with_stations(start, stations)
                if not memory.holds(trial):
                    continue
            tried += 1
            best = min(best, descend(memory, others, trial), key=self._order)
        return best

    def _prove(self) -> None:
        """Ask of everything cheaper; or of what more than that would not be cheaper."""
        memory = self.memory
        costs = [lever.cost for lever in self.levers.all]
        lowest = tuple(axis.steps[0][0] for axis in self.range.singly)
        while True:
            below = min(map(self.levers.cost, memory.held), default=math.inf)
            everything = self._not_answered(cheaper(lowest, self.range.most, costs, below))
            if everything is not None:
                any(map(memory.answered, sorted(everything, key=self._order)))
                self.proof = "simulated"
                return
            if not (memory.monotone and self.least and memory.held):
                return
            unknown = self._not_answered(
                cheaper(self.least, self.range.most, costs, below), inferring=True
            )
            if unknown is None:
                return
            better = next(filter(memory.holds, unknown), None)
            if better is None:
                self.proof = "inferred" if memory.monotone else None
                return
            self._improve(better)

    def _not_answered(
        self, staffings: Iterator[tuple[Staffing, bool]], inferring: bool = False
    ) -> list[Staffing] | None:
        """Those that can be asked if each fails at once; None if there are too many.

        If more staff never harms, the maximal ones that are not known to fail are enough.
        """
        memory = self.memory
        room = (self.simulation.budget - self.simulation.trials.spent) // 2
        listed = list(islice(staffings, _LISTED))
        if len(listed) == _LISTED:
            return None
        found: list[Staffing] = []
        for staffing, maximal in listed:
            memory.look()
            if inferring:
                wanted = maximal and not memory.known_to_fail(staffing)
            else:
                wanted = staffing not in memory.answers
            if wanted and self.simulation.possible(staffing):
                found.append(staffing)
            if len(found) > room:
                return None
        return found

    def _best_of_equals(self, best: Staffing) -> Staffing:
        """Of staffings as cheap as the best, the one that comes farthest beyond the goal."""
        axes = [*self.range.together, *self.range.singly]
        equals = dict.fromkeys(equally_cheap(axes, best, self.levers.cost))
        self.ties = [best]
        with _as_far_as_possible():
            for other in islice(equals, _TIES_TRIED):
                if len(self.ties) < _TIES and self.simulation.clearly_meets(other):
                    self.ties.append(other)
        left = self.question.most - self.simulation.trials.spent - 200
        most = min(30, left // len(self.ties))
        if len(self.ties) == 1 or most < 10:
            return best

        def values(which: Sequence[int], replications: range) -> list[Floats]:
            numbers = range(FOR_TIES + replications.start, FOR_TIES + replications.stop)
            found = self.simulation.all_distances([self.ties[i] for i in which], numbers)
            return [np.maximum(distance, -1e300) for distance in found]

        chosen = select_best(values, len(self.ties), self.indifference, ERROR, most=most)
        return self.ties[chosen.best]

    @property
    def indifference(self) -> float:
        """Difference of means that does not matter among equally cheap staffings."""
        goal = self.question.goal
        return 0.001 if goal.scope else max(abs(goal.amount), 1e-9) * 0.005

    def _judge(self, staffing: Staffing) -> Judged:
        """Whether it keeps the promise, by a sequential test with a share of the error."""
        before = sum(judged.replications for judged in self.judged)
        test = ProbabilityTest(self.question.probability, ERROR / 2 ** (len(self.judged) + 1))
        left = self.question.most - self.simulation.trials.spent
        at_most = max(2 * left // 3, min(left, _FOR_ONE_TEST))
        while test.decision is None and test.trials < at_most:
            begin = FOR_TEST + before + test.trials
            distance = self.simulation.distances(
                staffing, range(begin, begin + min(10, at_most - test.trials))
            )
            for reached in distance >= 0:
                test.add(bool(reached))
        return Judged(staffing, test.trials, test.successes, test.decision)

    @contextlib.contextmanager
    def counting(self, phase: str) -> Iterator[None]:
        before = self.simulation.trials.spent
        try:
            yield
        finally:
            spent = self.simulation.trials.spent - before
            self.spent[phase] = self.spent.get(phase, 0) + spent


@contextlib.contextmanager
def _as_far_as_possible() -> Iterator[None]:
    """What is known when the replications run out is used."""
    with contextlib.suppress(SearchEndedError):
        yield


# The answer -----------------------------------------------------------------------------------


def find_staffing(
    trials: Trials, scenario: Scenario, question: Question
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """The answer, and tables: staffing, candidates, judged, curve.

    Raises StaffingError for costs of nobody.
    """
    levers = Levers(scenario, question.costs)
    search = _Search(trials, levers, question)
    simulation = search.simulation
    chosen = None
    why = None
    if simulation.possible(search.range.most):
        chosen = search.run()
    if chosen is None:
        why = _why_not(search)
    with search.counting("curve"):
        curve = _curve(search, chosen)
    answer = {
        "found": chosen is not None,
        "why_not": why,
        "cost": levers.cost(chosen.staffing) if chosen else None,
        "cost_now": levers.cost(levers.now),
        "now_meets": search.now_meets,
        "replications": chosen.replications if chosen else None,
        "reached": chosen.reached if chosen else None,
        "confidence": CONFIDENCE,
        "nothing_cheaper": search.proof,
        "finished": search.finished,
        "looked_at": MOST_LOOKED_AT - search.memory.looks_left,
        "looked_at_most": MOST_LOOKED_AT,
        "more_never_harmed": search.memory.monotone,
        "no_cheaper_than": levers.cost(search.least) if search.least else None,
        "equally_cheap": len(search.ties),
        "spent": {**search.spent, "in all": trials.spent},
        "simulated": len(simulation.seen),
        "ruled_out": simulation.ruled_out,
        "may_be_passed_over": _resolution(question),
        "caps": _caps(search, chosen, why),
    }
    tables = {
        "staffing": _staffing_table(search, chosen),
        "candidates": _candidates(search),
        "judged": _judged(search),
        "curve": curve,
    }
    return answer, tables


def _caps(
    search: _Search, chosen: Judged | None, why: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """What without a cost makes more staff useless, and whether that stands in the way.

    In the way of a proposal that has as many; where nothing is enough, of everything but what the
    ceiling says to be of no use.
    """
    staffing = chosen.staffing if chosen else ()
    numbers = zip(search.levers.all, staffing, search.range.most, strict=False)
    full = {lever.holder for lever, number, most in numbers if number == most}

    def in_the_way(where: str, what: str) -> bool:
        if why is None:
            return where in full
        limited_by = why["limited_by"]
        return not limited_by or (what != "lines" and any("slots" in kind for kind in limited_by))

    return [
        {"where": where, "what": what, "at_most": n, "in_the_way": in_the_way(where, what)}
        for where, (what, n) in search.range.caps.items()
    ]


def _why_not(search: _Search) -> dict[str, Any]:
    """What stands in the way, with the most staff that is of any use."""
    goal, levers, simulation = search.question.goal, search.levers, search.simulation
    most = search.range.most
    scenario = levers.scenario_with(most)
    assert scenario is not None
    why: dict[str, Any] = {
        "most": {lever.key: n for lever, n in zip(levers.all, most, strict=True)},
        "limits": [],
        "limited_by": [],
    }
    if goal.scope is not None:
        why["needed"] = goal.persons_needed(scenario)
        luckiest = _most_willing(scenario)
        why["ceiling"] = most_by(luckiest, goal.scope, goal.by)
        if why["ceiling"] < why["needed"] and only_willingness_varies(scenario):
            with speaking("en"):  # results are in English; `presentation` translates
                limits = bindings(luckiest, goal.scope, goal.by)
            why["limits"] = [limit.words for limit in limits if limit.worth > 0]
            why["limited_by"] = [limit.kind for limit in limits if limit.worth > 0]
    why["judged"] = max(
        ([judged.reached, judged.replications] for judged in search.judged),
        key=lambda found: found[0] / found[1],
        default=None,
    )
    why["used_up"] = simulation.used_up
    if simulation.seen:
        why["farthest"] = _farthest(search)
    return why


def _farthest(search: _Search) -> dict[str, Any]:
    """What the staffing reaches that came nearest to the goal, and who is missing there."""
    goal, levers, simulation = search.question.goal, search.levers, search.simulation
    with search.counting("curve"):
        staffing = min(
            simulation.seen, key=lambda tried: (-search.reach(tried), levers.cost(tried))
        )
        n = simulation.affordable(staffing, _FOR_CURVE)
        distance = simulation.distances(staffing, range(n))
        value = mean_interval(_values(goal, distance)).within(*goal.range)
        scenario = levers.scenario_with(staffing)
        assert scenario is not None
        missing = simulation.trials.missing(scenario, range(2), goal.scope) if goal.scope else {}
    return {
        "staffing": {lever.key: n for lever, n in zip(levers.all, staffing, strict=True)},
        "cost": levers.cost(staffing),
        "reached": int((distance >= 0).sum()),
        "replications": n,
        "mean": value.mean,
        "low": value.low,
        "high": value.high,
        "missing": missing,
    }


def _values(goal: Goal, distance: Floats) -> Floats:
    """Of the goal's measure; NaN where it has none."""
    known = np.where(np.isfinite(distance), distance, np.nan)
    return goal.amount + known * (1 if goal.comparison == ">=" else -1)


def _resolution(question: Question) -> float:
    """By how much a staffing may exceed the promised probability and yet not stand the test.

    The evidence of n replications grows like n times the divergence of the two probabilities.
    """
    p, n = question.probability, question.most / 3
    needed = (-math.log(ERROR / 2) + 0.5 * math.log(n) + 0.5) / n
    more = np.linspace(p, 1, 2000)[1:-1]
    divergence = more * np.log(more / p) + (1 - more) * np.log((1 - more) / (1 - p))
    enough = np.flatnonzero(divergence >= needed)
    return float(more[enough[0]] - p) if enough.size else 1 - p


def _staffing_table(search: _Search, chosen: Judged | None) -> pd.DataFrame:
    rows = []
    for i, lever in enumerate(search.levers.all):
        rows.append(
            {
                "key": lever.key,
                "who": lever.role if lever.station is None else lever.station,
                "where": lever.holder,
                "places": lever.places,
                "cost_of_one": lever.cost,
                "now": lever.now,
                "first_guess": search.range.guess[i],
                "needed_at_least": search.least[i] if search.least else pd.NA,
                "proposed": chosen.staffing[i] if chosen else pd.NA,
            }
        )
    types = {"needed_at_least": "Int64", "proposed": "Int64"}
    return pd.DataFrame(rows).astype(types)


def _candidates(search: _Search) -> pd.DataFrame:
    """One row a staffing that was simulated in the search, the cheapest first."""
    levers, rows = search.levers, []
    for staffing, n in search.simulation.seen.items():
        distance = search.simulation.distances(staffing, range(n))
        agents = sum(
            lever.cost * number
            for lever, number in zip(levers.all, staffing, strict=True)
            if lever.station is None
        )
        rows.append(
            {
                "cost": levers.cost(staffing),
                "cost_of_agents": agents,
                "replications": n,
                "reached": int((distance >= 0).sum()),
                "mean": float(_values(search.question.goal, distance).mean()),
                **{lever.key: k for lever, k in zip(levers.all, staffing, strict=True)},
            }
        )
    columns = ["cost", "cost_of_agents", "replications", "reached", "mean"]
    frame = pd.DataFrame(rows, columns=[*columns, *(lever.key for lever in levers.all)])
    return frame.sort_values(["cost", "mean"], kind="stable", ignore_index=True)


def _judged(search: _Search) -> pd.DataFrame:
    verdicts = {True: "keeps the promise", False: "does not", None: "too near to tell"}
    rows = [
        {
            "cost": search.levers.cost(judged.staffing),
            **_proportion(judged.reached, judged.replications),
            "verdict": verdicts[judged.verdict],
        }
        for judged in search.judged
    ]
    columns = ["cost", "replications", "reached", "probability", "low", "high", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def _proportion(reached: int, n: int) -> dict[str, Any]:
    estimate = proportion_interval(reached, n)
    return {
        "replications": n,
        "reached": reached,
        "probability": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
    }


def _curve(search: _Search, chosen: Judged | None) -> pd.DataFrame:
    """Cost against probability: of each cost the staffing that came farthest, round the proposal.

    Only those that no cheaper one surpassed; replications of the search, of the proposal those of
    the test.
    """
    levers, simulation = search.levers, search.simulation
    farthest: dict[float, tuple[float, Staffing]] = {}
    for staffing, n in simulation.seen.items():
        cost = round(levers.cost(staffing), 9)
        reach = float(simulation.distances(staffing, range(min(n, 2))).mean())
        if cost not in farthest or reach > farthest[cost][0]:
            farthest[cost] = reach, staffing
    own = round(levers.cost(chosen.staffing), 9) if chosen else math.inf
    rising = []
    best = -math.inf
    for cost, (reach, staffing) in sorted(farthest.items()):
        if reach > best or cost == own:
            best = max(best, reach)
            rising.append((cost, staffing))
    near = sorted(rising, key=lambda point: abs(point[0] - own))[:_ON_CURVE] if chosen else rising
    near = near[-_ON_CURVE:]
    rows = []
    for cost, staffing in sorted(near):
        if chosen and cost == own:
            proportion = _proportion(chosen.reached, chosen.replications)
        else:
            n = simulation.affordable(staffing, _FOR_CURVE)
            distance = simulation.distances(staffing, range(n))
            proportion = _proportion(int((distance >= 0).sum()), n)
        rows.append({"cost": cost, "proposed": bool(chosen) and cost == own, **proportion})
    columns = ["cost", "proposed", "replications", "reached", "probability", "low", "high"]
    return pd.DataFrame(rows, columns=columns)
