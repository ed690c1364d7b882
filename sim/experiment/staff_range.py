"""How few and how many staff are worth considering, and a first guess, before any simulation.

From queueing theory (agents) and from the feasibility ceiling (stations).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache, partial
from statistics import fmean

import numpy as np

from sim.experiment.feasibility import closed_form
from sim.experiment.goals import Goal
from sim.experiment.limits import limits_of
from sim.experiment.plan_arithmetic import languages, people
from sim.experiment.staff_levers import Lever, Levers, Staffing
from sim.experiment.staff_search import TINY, Axis
from sim.model.capacity import open_by_day, unit_slots
from sim.queueing_theory import (
    infinite_server_mean,
    redial_fixed_point,
    smallest_number_of_servers,
    square_root_staffing,
)
from sim.scenario import Scenario, Unit

_FRONT = 500
_PLACES = 1_000_000
"""Combinations of stations that are looked through for equal ones, at most."""
_EQUAL = 6
"""Points kept of the cheapest stations for each number of slots."""


def allowed(scenario: Scenario | None, goal: Goal) -> bool:
    """Whether doses, slots and turns allow as many people as the goal needs."""
    if goal.scope is None or scenario is None:
        return scenario is not None
    day = (goal.by - scenario.campaign.first_day).days
    most = float(closed_form(limits_of(scenario), goal.scope)[day]) + 1e-6
    return most >= goal.persons_needed(scenario)


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
    share = _share_by_telephone(scenario, goal)
    found = {}
    for row in languages(scenario).to_dict("records"):
        if not (row["calls"] > 0 and row["hours_needed"] > 0 and hours > 0):
            found[row["language"]] = _Agents(0, 0)
            continue
        service = row["hours_needed"] / row["calls"]
        patience = _patience_hours(scenario, row["language"])
        arrivals = row["calls"] / hours

        def enough(
            agents: int,
            arrivals: float = arrivals,
            service: float = service,
            patience: float = patience,
        ) -> bool:
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


def _patience_hours(scenario: Scenario, language: str) -> float:
    """Mean patience of a language's callers, all its groups alike."""
    centres = (
        scenario.call_centre.for_group(group)
        for group in scenario.groups.values()
        if group.language == language
    )
    return max(fmean(centre.patience_minutes.mean() for centre in centres) / 60, 1e-3)


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


class StaffRange:
    """For every lever how few and how many are considered, and a first guess."""

    def __init__(self, levers: Levers, goal: Goal, times: int = 1) -> None:
        """`times`: as many times the staff that theory says to be of any use."""
        self._levers, self._goal, self.times = levers, goal, times
        self._throughput = lru_cache(maxsize=None)(self._patients_a_day)
        self.scenario = levers.scenario
        self._agents = _agents_by_language(self.scenario, goal)
        self.caps: dict[str, tuple[str, int]] = {}
        """what has no cost and makes more staff useless: by unit type the station (or
        slots_per_day) and its slots a day, by pool the lines"""
        for width in _WIDTHS:
            self.width = times * width
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
            if allowed(self._levers.scenario_with(self.most), goal):
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
            costs, more = self._costs_and_slots(axis)
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
        return [self._numbers(steps) for steps in chosen.tolist()]

    def equal_stations(self, staffing: Staffing) -> list[dict[int, int]]:
        """Stations of the same cost with as many slots in other places, by lever; at most so many.

        `stations` has one of them; which is best only a simulation can tell.
        """
        places = [axis.place(staffing) for axis in self.by_type]
        sizes = [len(axis.steps) for axis in self.by_type]
        if math.prod(sizes) > _PLACES:
            return []
        cost, slots = np.zeros(1), np.zeros(1)
        for axis in self.by_type:
            costs, more = self._costs_and_slots(axis)
            cost, slots = np.add.outer(cost, costs).ravel(), np.add.outer(slots, more).ravel()
        here = int(np.ravel_multi_index(places, sizes)) if places else 0
        equal = (np.abs(cost - cost[here]) < TINY) & (slots >= slots[here])
        equal[here] = False
        found = np.flatnonzero(equal)
        if found.size > _EQUAL:
            found = found[np.linspace(0, found.size - 1, _EQUAL).round().astype(int)]
        return [self._numbers([int(k) for k in np.unravel_index(each, sizes)]) for each in found]

    def _numbers(self, steps: Sequence[int]) -> dict[int, int]:
        """Staff by lever where each unit type is at a step."""
        return {
            i: n
            for axis, k in zip(self.by_type, steps, strict=True)
            for i, n in zip(axis.levers, axis.steps[k], strict=True)
        }

    def _costs_and_slots(self, axis: Axis) -> tuple[list[float], list[float]]:
        """Of the stations of a unit type, by step."""
        unit_days = self._unit_days[self._levers.all[axis.levers[0]].holder]
        costs = [
            sum(self._levers.all[i].cost * n for i, n in zip(axis.levers, step, strict=True))
            for step in axis.steps
        ]
        return costs, [unit_days * self._slots(axis, k) for k in range(len(axis.steps))]

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
        useful = sum(self._agents[language].most for language in self._languages(lever))
        useful *= self.times
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

        def enough(eighths: int) -> bool:
            return allowed(self._levers.scenario_with(self._scaled(eighths / 8)), self._goal)

        most = 8 * self.width
        fewest = 1 + bisect_left(range(1, most + 1), True, key=enough)
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
