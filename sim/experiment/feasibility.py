"""The most that a campaign can reach by a day, whatever the telephones: a linear program.

What limits first doses F and second doses S, cumulated by regimen r and day t:

    slots      sum over r of dF_r(t) + dS_r(t) <= slots of the open units (walk-ins included)
    doses      F_r and S_r that use vaccine v, summed, <= usable doses of v that have come by t
    people     sum over r of F_r(t) <= willing people whose turn has come by t
    interval   S_r(t) <= F_r(t - min_days) + first doses before the campaign that are old enough
    regimens   dF_r(t) = 0 on days on which a first dose does not begin r

The greatest F (or number of last doses) on a day is found by SciPy's HiGHS. Adding up units and
groups loses nothing. Units: a person can be booked at any of them, doses can be shipped to any of
them, and any number of doses up to the sum of the slots can be split over the units. Groups:
whose turn has come may be vaccinated on every later day, so that people can be found for any
schedule of first doses whose sum up to each day is at most the number of those people (Hall's
theorem, for sets of days that contain one another); a second dose has no turn to wait for.

Vials: what a session leaves of an opened vial is thrown away. A session with s slots uses at most
floor(s / k) vials of k doses to the last dose, and one more for the other s mod k people. So the V
vials that have come by t give no more than the sum of the V greatest of these numbers over the
sessions up to t (`Limits.doses`): fewer than k V only where the sessions are too small for them.

Not counted, so that the truth may be lower: bookings, missed appointments, doses thrown away as
fewer people come than a session has slots for or a vial is open for too long, waits in a unit, and
where the allocation rule leaves the doses. A refrigerator limits what a unit can give between
two shipments; here it limits each day alone.

Deliveries, walk-ins and willingness are taken at their means (`limits_of`), or as they were in one
replication (`limits_in`). `closed_form` bounds the program from above without solving it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.coverage import Scope, days_counted, vaccinated_before
from sim.experiment.measures import on
from sim.experiment.plan_arithmetic import deliveries, deliveries_vary
from sim.language import N_, _, named, ngettext
from sim.model.capacity import open_by_day, slots_by_day
from sim.model.regimens import Regimens
from sim.scenario import WEEKDAYS, Regimen, Scenario

Array = NDArray[np.float64]

Kind = Literal[
    "doses",
    "arrivals",
    "slots",
    "turns",
    "people",
    "interval",
    "doses_and_people",
    "arrivals_and_turns",
]

_TINY = 1e-6
"""Smaller numbers of persons are rounding errors."""


@dataclass(frozen=True)
class Limits:
    """What a campaign has, by day (T days, V vaccines, R regimens)."""

    first_day: date
    slots: Array
    """[T] doses that the open units can give"""
    first_slots: Array
    """[T] of these, open to first doses"""
    second_slots: Array
    """[T] of these, open to second doses (nobody walks in for one)"""
    come: Array
    """[V, T] usable doses that have come so far"""
    per_vial: NDArray[np.int64]
    """[V] doses that a vial yields"""
    sessions: Array
    """[units, T] the most people at each session; infinite where chance may bring more"""
    people: Array
    """[T] willing people without a dose before the campaign whose turn has come"""
    begins: NDArray[np.bool_]
    """[R, T] whether a first dose on the day begins the regimen"""
    first_vaccine: NDArray[np.int64]
    """[R]"""
    second_vaccine: NDArray[np.int64]
    """[R]; -1: one dose completes the regimen"""
    min_days: NDArray[np.int64]
    """[R]"""
    due: Array
    """[R, T] people with a first dose before the campaign, whose interval is over"""
    before: Mapping[Scope, Array]
    """[T] people who count as vaccinated from doses before the campaign"""
    one_is_enough: bool
    """one dose counts as fully vaccinated"""
    protected_after_days: int

    @property
    def days(self) -> int:
        """T"""
        return self.slots.size

    @cached_property
    def doses(self) -> Array:
        """[V, T] doses that can have been given so far: those that have come, unless their vials
        are more than the sessions can use up."""
        return np.array(
            [
                _from_vials(come, int(per_vial), self.sessions)
                for come, per_vial in zip(self.come, self.per_vial, strict=True)
            ]
        ).reshape(self.come.shape)

    def lag(self, scope: Scope) -> int:
        """Days after the dose until a person counts."""
        return self.protected_after_days if scope == "full" else 0

    def needs_second(self, scope: Scope) -> bool:
        """Whether second doses count for the scope."""
        return scope == "full" and not self.one_is_enough and bool((self.second_vaccine >= 0).any())


def _from_vials(come: Array, per_vial: int, sessions: Array) -> Array:
    """[T] doses that can have been given by each day from vials of one vaccine.

    come: [T] doses in the vials that have come; sessions: [units, T]. The vials go to where most
    people share one, whatever the order of the days.
    """
    full, rest = np.divmod(
        np.where(come > 0, np.minimum(sessions, per_vial * 2.0**40), 0), per_vial
    )
    left, given = come / per_vial, np.zeros(come.size)
    for sharing in (per_vial, *sorted(set(np.unique(rest)) - {0}, reverse=True)):
        vials = full if sharing == per_vial else rest == sharing
        opened = np.minimum(left, np.cumsum(vials.sum(axis=0)))
        given += opened * sharing
        left = left - opened
    most = np.where(left > _TINY, come, given)
    return np.asarray(np.minimum.accumulate(most[::-1])[::-1])


def limits_of(scenario: Scenario) -> Limits:
    """The limits of a scenario: deliveries, walk-ins and willingness at their means."""
    per_day = np.array([unit.walk_ins_per_day for unit in scenario.units.values()])
    walk_ins = per_day[:, np.newaxis] * open_by_day(scenario)
    arriving = np.zeros((len(scenario.vaccines), walk_ins.shape[1]))
    for arrival in _arrivals(scenario):
        arriving[arrival.vaccine, arrival.day] += arrival.doses
    slots = slots_by_day(scenario)
    sessions = np.where(walk_ins > 0, math.inf, slots)
    return _limits(scenario, slots, walk_ins, sessions, arriving, _willing(scenario))


@dataclass(frozen=True)
class _Arrival:
    """A delivery that is expected to come by the horizon."""

    name: str
    vaccine: int
    day: int
    doses: float
    """usable"""


def _arrivals(scenario: Scenario) -> list[_Arrival]:
    vaccines = list(scenario.vaccines)
    return [
        _Arrival(
            name=str(row["delivery"]),
            vaccine=vaccines.index(row["vaccine"]),
            day=(row["arrives"] - scenario.campaign.first_day).days,
            doses=float(row["usable"]),
        )
        for row in deliveries(scenario).to_dict("records")
        if row["in_time"]
    ]


def _willing(scenario: Scenario) -> dict[str, float]:
    """Expected people by group who want a dose and have had none before the campaign."""
    return {
        name: (group.people - _before(scenario, name)) * group.willing
        for name, group in scenario.groups.items()
    }


def _turn(scenario: Scenario, group: str) -> int:
    """Day from which the group may be vaccinated."""
    return max((scenario.groups[group].turn_from - scenario.campaign.first_day).days, 0)


def limits_in(
    scenario: Scenario, tables: Mapping[str, pd.DataFrame], slots: NDArray[np.int64]
) -> Limits:
    """The limits as they were in one replication: its own deliveries, walk-ins and unwilling.

    `slots` is `slots_by_day(scenario)`. Who was unwilling to the end is not among the willing.
    """
    days = pd.date_range(scenario.campaign.first_day, scenario.campaign.horizon, unit="ms")
    walking = tables["daily"]
    walking = walking[walking["walk_ins"] > 0]
    walk_ins = np.zeros(slots.shape)
    unit = pd.Index(list(scenario.units)).get_indexer(pd.Index(walking["unit"]))
    np.add.at(walk_ins, (unit, days.get_indexer(pd.Index(walking["date"]))), walking["walk_ins"])
    stock = tables["stock"]
    stock = stock[stock["delivered"] > 0]
    arriving = np.zeros((len(scenario.vaccines), len(days)))
    vaccine = pd.Index(list(scenario.vaccines)).get_indexer(pd.Index(stock["vaccine"]))
    yields = np.array(
        [1 + v.extra_doses_per_vial / v.doses_per_vial for v in scenario.vaccines.values()]
    )
    usable = (stock["delivered"] - stock["storage_loss"]).to_numpy() * yields[vaccine]
    np.add.at(arriving, (vaccine, days.get_indexer(pd.Index(stock["date"]))), usable)
    reasons = tables["reasons"]
    unwilling = reasons[
        (reasons["as_of"] == "horizon")
        & (reasons["scope"] == "first")
        & (reasons["reason"] == "unwilling")
    ].set_index("group")["persons"]
    willing = {
        name: float(group.people - _before(scenario, name) - unwilling.get(name, 0))
        for name, group in scenario.groups.items()
    }
    return _limits(scenario, slots, walk_ins, slots + walk_ins, arriving, willing)


def _before(scenario: Scenario, group: str) -> int:
    return sum(entry.people for entry in scenario.groups[group].already_vaccinated)


def _limits(
    scenario: Scenario,
    appointments: NDArray[np.int64],
    walk_ins: Array,
    sessions: Array,
    arriving: Array,
    willing: Mapping[str, float],
) -> Limits:
    """appointments, walk_ins: [units, T]; sessions: the most people at each; arriving: [V, T];
    willing: people by group."""
    campaign = scenario.campaign
    days = appointments.shape[1]
    share = scenario.appointments.second_dose_slots
    second = appointments if share is None else np.floor(appointments * share + 1e-9)
    first = appointments - (0 if share is None else second)
    most = _refrigerated(scenario)[:, np.newaxis]
    begins_at = Regimens(scenario, days)
    regimens = list(scenario.regimens.values())
    vaccines = list(scenario.vaccines)
    first_vaccine = np.array([vaccines.index(r.first) for r in regimens])
    people = np.zeros(days)
    for name in scenario.groups:
        people[_turn(scenario, name) :] += willing[name]
    return Limits(
        first_day=campaign.first_day,
        slots=np.minimum(appointments + walk_ins, most).sum(axis=0),
        first_slots=np.minimum(first + walk_ins, most).sum(axis=0),
        second_slots=np.minimum(second, most).sum(axis=0).astype(np.float64),
        come=np.cumsum(_shipped(scenario, arriving), axis=1),
        per_vial=np.array(
            [v.doses_per_vial + v.extra_doses_per_vial for v in scenario.vaccines.values()]
        ),
        sessions=np.minimum(sessions, np.floor(most)),
        people=people,
        begins=np.arange(len(regimens))[:, np.newaxis]
        == begins_at.of_first_dose[:, first_vaccine].T,
        first_vaccine=first_vaccine,
        second_vaccine=begins_at.second[:-1],
        min_days=begins_at.min_days[:-1],
        due=_due(scenario, days),
        before={
            "first": vaccinated_before(scenario, "first", days).astype(np.float64),
            "full": vaccinated_before(scenario, "full", days).astype(np.float64),
        },
        one_is_enough=campaign.complete_with == "one_dose",
        protected_after_days=campaign.protected_after_days,
    )


def _refrigerated(scenario: Scenario) -> Array:
    """Doses that each unit's refrigerator holds ([units]): the most that it can give on a day."""
    extra = max(1 + v.extra_doses_per_vial / v.doses_per_vial for v in scenario.vaccines.values())
    return np.array(
        [
            math.inf if unit.refrigerator_doses is None else unit.refrigerator_doses * extra
            for unit in scenario.units.values()
        ]
    )


def _shipped(scenario: Scenario, arriving: Array) -> Array:
    """Doses by the day on which they can first be given: that of the next shipment."""
    shipped = np.zeros_like(arriving)
    for vaccine, day in zip(*np.nonzero(arriving), strict=True):
        usable = _shipment(scenario, int(day))
        if usable < arriving.shape[1]:
            shipped[vaccine, usable] += arriving[vaccine, day]
    return shipped


def _shipment(scenario: Scenario, day: int) -> int:
    """First day from that one on with a shipment."""
    weekday = scenario.campaign.first_day.weekday() + day
    return day + next(
        d for d in range(7) if WEEKDAYS[(weekday + d) % 7] in scenario.supply.shipment_days
    )


def _due(scenario: Scenario, days: int) -> Array:
    """[R, T] people who wait for a second dose from before the campaign, interval over."""
    due = np.zeros((len(scenario.regimens), days))
    names = list(scenario.regimens)
    for group in scenario.groups.values():
        for entry in group.already_vaccinated:
            regimen = scenario.regimens[entry.regimen]
            if entry.doses == 1 and regimen.second is not None:
                for first_dose, people in days_counted(entry, scenario, "first"):
                    day = max(first_dose + regimen.min_days, 0)
                    if day < days:
                        due[names.index(entry.regimen), day] += people
    return np.cumsum(due, axis=1)


# In closed form -------------------------------------------------------------------------------


def closed_form(limits: Limits, scope: Scope) -> Array:
    """[T] people who can have been vaccinated by each day: an upper bound, in closed form.

    First doses: F(t) <= min(F(t - 1) + slots(t), doses so far, people whose turn has come), every
    dose being a first dose; exact if first doses begin with every vaccine on every day. Last doses:
    S(t) <= S(t - 1) + slots(t), and by t no more than first doses a shortest interval ago; with
    first doses before the campaign B(t) that are due, 2 S(t) - B(t) <= doses so far, and slots.
    """
    first = _first(limits)
    if scope == "first" or not limits.needs_second(scope):
        return _counted(limits, scope, first)
    two = limits.second_vaccine >= 0
    interval = int(limits.min_days[two].min())
    due = limits.due.sum(axis=0)
    may_follow = _later(first, interval) + due
    given_at_most = np.minimum(limits.doses.sum(axis=0), np.cumsum(limits.slots))
    second = _filling(limits.second_slots, np.minimum(may_follow, (given_at_most + due) / 2))
    if not two.all():  # some are complete with one dose
        second = np.minimum(second + first, np.minimum(limits.people + due, given_at_most))
    return _counted(limits, scope, second)


def _first(limits: Limits) -> Array:
    """[T] first doses that can have been given by each day."""
    return _filling(limits.first_slots, np.minimum(_usable(limits), limits.people))


def _usable(limits: Limits) -> Array:
    """[T] doses so far that can begin a regimen."""
    usable = np.zeros(limits.days)
    for vaccine in set(limits.first_vaccine.tolist()):
        begins = limits.begins[limits.first_vaccine == vaccine].any(axis=0)
        usable += np.maximum.accumulate(np.where(begins, limits.doses[vaccine], 0.0))
    return usable


def _filling(slots: Array, most: Array) -> Array:
    """G(t) = min(G(t - 1) + slots(t), most(t)) from G = 0, for a `most` that never falls: [T]."""
    given = np.cumsum(slots, axis=-1)
    return np.asarray(given + np.minimum.accumulate(np.minimum(most - given, 0.0), axis=-1))


def _counted(limits: Limits, scope: Scope, given: Array) -> Array:
    """People by the day on which they count, with those vaccinated before the campaign."""
    return _later(given, limits.lag(scope)) + limits.before[scope]


def _later(series: Array, days: int) -> Array:
    """The series so many days later, nothing before."""
    return np.concatenate([np.zeros(min(days, series.size)), series])[: series.size]


# The linear program ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Solution:
    """The greatest number of people, and what the solver says a unit of each limit is worth.

    A worth is a dual value: one more unit adds at most so much. Where several dual solutions are
    optimal it may add less, so that only a worth of 0 is final.
    """

    people: float
    """people whose last dose is given by the day asked for"""
    path: Array
    """[T] those by each day, until the day asked for"""
    slots: Array
    """[T] dual values of the slots of each day (those for all doses, for first and for second)"""
    doses: Array
    """[V, T] of the doses that have come by each day"""
    turns: Array
    """[T] of the people whose turn has come"""
    interval: Array
    """[R, T] of the first doses that are old enough"""


def _solve(limits: Limits, scope: Scope, last: int, every_day: bool = False) -> _Solution:
    """The linear program for people who have had their last dose by day `last`.

    With `every_day`, for the sum of their numbers over all days up to then. Variables are the
    cumulated doses F_r and S_r on days with slots. Doses and people that can be used by a day need
    a row only where they are about to grow, since F and S never fall.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    solution = _Solution(
        people=0.0,
        path=np.zeros(limits.days),
        slots=np.zeros(limits.days),
        doses=np.zeros(limits.doses.shape),
        turns=np.zeros(limits.days),
        interval=np.zeros(limits.due.shape),
    )
    days = np.flatnonzero(limits.slots[: max(last + 1, 0)] > 0)
    first = list(range(limits.first_vaccine.size))
    second = (
        [r for r in first if limits.second_vaccine[r] >= 0] if limits.needs_second(scope) else []
    )
    n, variables = days.size, len(first) + len(second)
    if not n:
        return solution
    at = np.arange(n)
    rows, columns, values, most = [], [], [], []
    size = 0

    def column(variable: int, day: NDArray[np.int64]) -> NDArray[np.int64]:
        return variable * n + day

    def limit(bounds: Array, *terms: tuple[NDArray[np.int64], NDArray[np.int64], float]) -> slice:
        """Rows with these right-hand sides; terms are (row, column, coefficient)."""
        nonlocal size
        for row, col, value in terms:
            rows.append(size + row)
            columns.append(col)
            values.append(np.full(row.size, value))
        most.append(bounds)
        size += bounds.size
        return slice(size - bounds.size, size)

    def given(variable: int, sign: float = 1.0) -> list[Any]:
        """Doses given on each day: the differences of a cumulated variable."""
        return [
            (at, column(variable, at), sign),
            (at[1:], column(variable, at[:-1]), -sign),
        ]

    def by_then(total: Array, users: list[int]) -> tuple[NDArray[np.int64], slice]:
        """The variables together stay within a cumulated total; returns days and rows."""
        grows = np.flatnonzero(np.append(total[days[1:]] > total[days[:-1]], True))
        row = np.arange(grows.size)
        terms = [(row, column(user, grows), 1.0) for user in users]
        return days[grows], limit(total[days[grows]], *terms)

    seconds = [len(first) + i for i in range(len(second))]
    both = [term for variable in range(variables) for term in given(variable)]
    slot_rows = [
        limit(limits.slots[days], *both),
        limit(limits.first_slots[days], *(term for v in first for term in given(v))),
    ]
    if second:
        slot_rows.append(
            limit(limits.second_slots[days], *(term for v in seconds for term in given(v)))
        )
    for variable in range(variables):
        limit(np.zeros(n), *given(variable, -1.0))
    for r in first:
        never = np.flatnonzero(~limits.begins[r, days])
        steps = [(np.arange(never.size), column(r, never), 1.0)]
        earlier = np.flatnonzero(never > 0)
        steps.append((earlier, column(r, never[earlier] - 1), -1.0))
        limit(np.zeros(never.size), *steps)
    dose_rows = {
        v: by_then(
            limits.doses[v],
            [r for r in first if limits.first_vaccine[r] == v]
            + [s for s, r in zip(seconds, second, strict=True) if limits.second_vaccine[r] == v],
        )
        for v in range(limits.doses.shape[0])
    }
    turn_days, turn_rows = by_then(limits.people, first)
    interval_rows = {}
    for s, r in zip(seconds, second, strict=True):
        since = np.searchsorted(days, days - limits.min_days[r], side="right") - 1
        some = np.flatnonzero(since >= 0)
        interval_rows[r] = limit(
            limits.due[r, days], (at, column(s, at), 1.0), (some, column(r, since[some]), -1.0)
        )
    last_doses = seconds + [r for r in first if r not in second]
    reward = np.zeros((variables, n))
    reward[last_doses, slice(0 if every_day else n - 1, n)] = -1.0
    table: Any = coo_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
        shape=(size, variables * n),
    )
    found: Any = linprog(
        reward.ravel(), A_ub=table.tocsc(), b_ub=np.concatenate(most), method="highs"
    )
    if not found.success:  # zero doses are always possible, and slots are finite
        raise RuntimeError(f"the linear program of the ceiling was not solved: {found.message}")
    duals = -found.ineqlin.marginals
    solution.slots[days] = sum(duals[part] for part in slot_rows)
    for v, (dose_days, dose_slice) in dose_rows.items():
        solution.doses[v, dose_days] = duals[dose_slice]
    solution.turns[turn_days] = duals[turn_rows]
    for r, part in interval_rows.items():
        solution.interval[r, days] = duals[part]
    path = found.x.reshape(variables, n)[last_doses].sum(axis=0)
    so_far = np.searchsorted(days, np.arange(limits.days), side="right") - 1
    return replace(solution, people=float(path[-1]), path=np.where(so_far >= 0, path[so_far], 0.0))


# What is asked --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ceiling:
    """The most people that can be reached whatever the bookings (doses as expected)."""

    first_by_deadline: int
    full_by_deadline: int
    first_in_all: int
    """by the horizon"""


def ceiling_of(scenario: Scenario) -> Ceiling:
    """The ceiling at the deadline, and for first doses at the horizon."""
    limits, campaign = limits_of(scenario), scenario.campaign
    return Ceiling(
        first_by_deadline=_most(limits, "first", campaign.deadline),
        full_by_deadline=_most(limits, "full", campaign.deadline),
        first_in_all=_most(limits, "first", campaign.horizon),
    )


def most_by(scenario: Scenario, scope: Scope, day: date) -> int:
    """The most people of the target who can be vaccinated by the evening of a day.

    Those vaccinated before the campaign count, as in `coverage_curve`. ValueError for a day outside
    the campaign.
    """
    return _most(limits_of(scenario), scope, day)


def _most(limits: Limits, scope: Scope, day: date) -> int:
    number = _number(limits, day)
    given = _solve(limits, scope, number - limits.lag(scope)).people
    return _whole(given + limits.before[scope][number])


def _number(limits: Limits, day: date) -> int:
    number = (day - limits.first_day).days
    if not 0 <= number < limits.days:
        end = limits.first_day + timedelta(days=limits.days - 1)
        raise ValueError(f"{day} is not a day of the campaign, {limits.first_day} to {end}")
    return number


def _whole(people: float) -> int:
    return math.floor(people + _TINY)


def curve(scenario: Scenario, scope: Scope) -> pd.Series:
    """The most people vaccinated by each day (int64, indexed by date).

    Each day's number is a maximum of its own: no one campaign need reach them all.
    """
    return curve_within(limits_of(scenario), scope)


def curve_within(limits: Limits, scope: Scope) -> pd.Series:
    """`curve`, for given limits."""
    most = _counted(limits, scope, _best_by_day(limits, scope))
    return pd.Series(
        np.floor(most + _TINY).astype(np.int64),
        index=pd.date_range(limits.first_day, periods=limits.days, freq="D"),
        name=scope,
    )


def _best_by_day(limits: Limits, scope: Scope) -> Array:
    """[T] people whose last dose can be given by each day.

    The closed form where it is reached: one program, for the sum over all days, finds a campaign
    that follows it as far as it can. Where that stays below, a program for the day decides; days
    between two with the same number have it too.
    """
    nobody = dict.fromkeys(limits.before, np.zeros(limits.days))
    most = closed_form(replace(limits, before=nobody, protected_after_days=0), scope)
    path = _solve(limits, scope, limits.days - 1, every_day=True).path
    best = np.where(path > most - _TINY, most, np.nan)
    best[-1] = _solve(limits, scope, limits.days - 1).people

    def fill(low: int, high: int) -> None:
        """Days between two that are known."""
        if high - low < 2:
            return
        if best[high] - (best[low] if low >= 0 else 0.0) < _TINY:
            best[low + 1 : high] = best[high]
            return
        middle = (low + high) // 2
        if np.isnan(best[middle]):
            best[middle] = _solve(limits, scope, middle).people
        fill(low, middle)
        fill(middle, high)

    fill(-1, limits.days - 1)
    return best


# What binds -----------------------------------------------------------------------------------


def ceiling_is_certain(scenario: Scenario) -> bool:
    """Whether the ceiling holds whatever the luck: chance brings no more doses or people."""
    if not only_willingness_varies(scenario):
        return False
    if all(group.willing in (0, 1) for group in scenario.groups.values()):
        return True
    groups = {
        name: group.model_copy(update={"willing": math.ceil(group.willing)})
        for name, group in scenario.groups.items()
    }
    return ceiling_of(scenario.model_copy(update={"groups": groups})) == ceiling_of(scenario)


def only_willingness_varies(scenario: Scenario) -> bool:
    """Whether luck moves nothing of what limits the ceiling but how many are willing."""
    walk_ins = any(unit.walk_ins_per_day for unit in scenario.units.values())
    return not walk_ins and not deliveries_vary(scenario)


@dataclass(frozen=True)
class Stretch:
    """Open days of a month on which the same holds back the next first dose, one after the other.

    A stretch ends with the deadline, too.
    """

    first: date
    last: date
    held_by: tuple[Literal["slots", "doses", "turns", "people"], ...]
    """slots: all are used. doses: all that have come are used. turns, people: everybody willing
    whose turn has come, or everybody willing, has a first dose."""


def stretches(scenario: Scenario) -> list[Stretch]:
    """What holds back the next first dose on each open day, if each is given as soon as can be."""
    limits = limits_of(scenario)
    first, usable = _first(limits), _usable(limits)
    given = np.diff(first, prepend=0.0)
    found: list[Stretch] = []
    for number in np.flatnonzero(limits.slots > 0).tolist():
        held_by: list[Literal["slots", "doses", "turns", "people"]] = []
        if given[number] >= limits.first_slots[number] - _TINY:
            held_by.append("slots")
        else:
            if first[number] >= usable[number] - _TINY:
                held_by.append("doses")
            if first[number] >= limits.people[-1] - _TINY:
                held_by.append("people")
            elif first[number] >= limits.people[number] - _TINY:
                held_by.append("turns")
        day, deadline = _day(limits, number), scenario.campaign.deadline
        before = found[-1] if found else None
        if (
            before
            and before.held_by == tuple(held_by)
            and before.last.month == day.month
            and not before.last <= deadline < day
        ):
            found[-1] = replace(before, last=day)
        else:
            found.append(Stretch(day, day, tuple(held_by)))
    return found


@dataclass(frozen=True)
class Binding:
    """A limit, and what one more unit of it is worth for the ceiling of a day."""

    kind: Kind
    """doses: one more usable dose in a delivery. arrivals: a delivery one day sooner. slots: one
    more slot on one of the days. turns: a group's turn one day sooner. people: one more willing
    person in a group. interval: the shortest interval of a regimen one day less, or as many days
    less as it takes. doses_and_people, arrivals_and_turns: one more of both at once."""
    what: tuple[str, ...]
    """the deliveries, groups or regimens: any one of them (of pairs, these two)"""
    first: date
    last: date
    """the days on which it holds"""
    worth: float
    """people by whom one more unit, and nothing else, raises the ceiling"""
    words: str


def bindings(scenario: Scenario, scope: Scope, day: date) -> list[Binding]:
    """What holds the ceiling of a day, and what one more unit of it is worth.

    First all that is worth something, then every kind of which no unit is worth anything. The
    worth is the difference that one more unit makes (the right-hand difference of the optimum),
    found by solving again. The solver's dual values alone are not it: where several are optimal
    they say what a unit may be worth at most. So what has a dual value of 0 is worth nothing, and
    only the rest is solved again. Ties are the rule here (July's doses are as many as the people
    whose turn has come): then neither is worth anything alone, and both are tried together.
    """
    limits = limits_of(scenario)
    last = _number(limits, day) - limits.lag(scope)
    base = _solve(limits, scope, last)

    def worth(changed: Limits) -> float:
        more = _solve(changed, scope, last).people - base.people
        return round(more, 6) if more > _TINY else 0.0

    found = [
        *_doses_worth(scenario, limits, base, worth),
        *_slots_worth(limits, base, worth),
        *_people_worth(scenario, limits, base, worth),
        *_interval_worth(scenario, limits, base, worth),
    ]
    valued = {binding.kind for binding in found}
    if not valued & {"doses", "people"}:
        found += _dose_and_person_worth(limits, last, worth)
    if not valued & {"arrivals", "turns"}:
        found += _arrival_and_turn_worth(scenario, limits, last, worth)
    return sorted(found, key=lambda binding: _ORDER.index(binding.kind)) + [
        Binding(
            kind,
            (),
            limits.first_day,
            day,
            0.0,
            _("{one_more}: nobody").format(one_more=_(one_more)),
        )
        for kind, one_more in ONE_MORE.items()
        if kind not in valued and (kind != "interval" or limits.needs_second(scope))
    ]


NOT_YET: Mapping[str, tuple[str, str]] = {
    "vaccination_from": (N_("vaccination begins on {day}"), ""),
    "opening": (N_("no unit opens before {day}"), N_("no unit ever opens")),
    "delivered": (N_("no dose can be given before {day}"), N_("no dose ever comes")),
    "turn": (N_("nobody's turn comes before {day}"), N_("nobody is willing")),
    "second_dose": (
        N_("no interval between doses is over before {day}"),
        N_("no dose can complete a vaccination"),
    ),
    "protection": (N_("nobody counts as protected before {day}"), ""),
}
"""What may keep everybody from being vaccinated: until a day, or always."""


def not_yet(scenario: Scenario, scope: Scope, day: date) -> list[tuple[str, date | None]]:
    """What of itself keeps everybody from being vaccinated in the campaign by a day.

    Keys of `NOT_YET`, each with the day on which it ends (None: never). Empty if there is no such
    thing; then the ceiling may still be zero for several that are in the way together.
    """
    limits, campaign = limits_of(scenario), scenario.campaign
    number = _number(limits, day)
    due = limits.due.sum(axis=0) if limits.needs_second(scope) else np.zeros(limits.days)
    starts = (campaign.vaccination_from - limits.first_day).days
    begins = {
        "vaccination_from": starts,
        "opening": starts if starts > number else _first_day_of(limits.slots),
        "delivered": _first_day_of(limits.doses.sum(axis=0)),
        "turn": _first_day_of(limits.people + due),
    }
    late = {kind: n for kind, n in begins.items() if n is None or n > number}
    if "vaccination_from" in late:  # until then no unit is open
        del late["opening"]
    last_dose = _first_last_dose(limits, scope, due)
    if not late and last_dose > number:
        late["second_dose"] = int(last_dose) if last_dose < math.inf else None
    elif not late and last_dose + limits.lag(scope) > number:
        late["protection"] = int(last_dose) + limits.lag(scope)
    return [(kind, None if n is None else _day(limits, n)) for kind, n in late.items()]


def _first_last_dose(limits: Limits, scope: Scope, due: Array) -> float:
    """Number of the first day with a dose that somebody needs no other after; infinite: none."""
    found = [math.inf if (n := _first_day_of(due * (limits.slots > 0))) is None else n]
    for r, vaccine in enumerate(limits.first_vaccine):
        open_to_first = limits.begins[r] & (limits.slots > 0) & (limits.doses[vaccine] > _TINY)
        first = _first_day_of(np.where(open_to_first, limits.people, 0.0))
        if first is not None:
            two = limits.needs_second(scope) and limits.second_vaccine[r] >= 0
            found.append(first + (int(limits.min_days[r]) if two else 0))
    return min(found)


def not_yet_words(kind: str, day: date | None) -> str:
    """That in words."""
    until, always = NOT_YET[kind]
    return _(until).format(day=on(day)) if day else _(always)


def _first_day_of(series: Array) -> int | None:
    """Number of the first day on which there is some; None: on none."""
    found = np.flatnonzero(series > _TINY)
    return int(found[0]) if found.size else None


Worth = Callable[[Limits], float]
"""People by whom changed limits raise the ceiling."""


def _doses_worth(
    scenario: Scenario, limits: Limits, base: _Solution, worth: Worth
) -> Iterator[Binding]:
    """One more dose in each delivery, and each delivery one day sooner."""
    alike: dict[tuple[float, int], list[_Arrival]] = {}
    for arrival in _arrivals(scenario):
        vaccine, usable = arrival.vaccine, _shipment(scenario, arrival.day)
        short = np.flatnonzero(base.doses[vaccine, usable:] > _TINY) + usable
        if short.size:
            gain = worth(_with_doses(limits, vaccine, usable, limits.days, 1.0))
            alike.setdefault((gain, int(short[-1])), []).append(arrival)
        sooner = _shipment(scenario, arrival.day - 1) if arrival.day else usable
        if (base.doses[vaccine, sooner:usable] > _TINY).any():
            gain = worth(_with_doses(limits, vaccine, sooner, usable, arrival.doses))
            words = _("the delivery {name} one day sooner").format(name=named(arrival.name))
            days = (sooner, usable - 1)
            yield from _binding(limits, "arrivals", [arrival.name], days, gain, words)
    for (gain, last), arrivals in alike.items():
        names = [arrival.name for arrival in arrivals]
        words = ngettext(
            "one more dose in the delivery {names}",
            "one more dose in any of the deliveries {names}",
            len(names),
        ).format(names=_listed(names))
        days = (min(_shipment(scenario, arrival.day) for arrival in arrivals), last)
        yield from _binding(limits, "doses", names, days, gain, words)


def _with_doses(limits: Limits, vaccine: int, begin: int, end: int, doses: float) -> Limits:
    more = limits.come.copy()
    more[vaccine, begin:end] += doses
    return replace(limits, come=more)


def _slots_worth(limits: Limits, base: _Solution, worth: Worth) -> Iterator[Binding]:
    """One more slot on each day, at the unit where it helps most; days with slots that follow one
    another and agree together."""
    gains = np.zeros(limits.days)
    # A slot also fills a vial, where there are more of them than the sessions use up.
    unused = ((base.doses > _TINY) & (limits.doses < limits.come - _TINY)).any(axis=0)
    fills = np.arange(limits.days) <= np.flatnonzero(unused).max(initial=-1)
    for day in np.flatnonzero((base.slots > _TINY) | (fills & (limits.slots > 0))):
        one = np.zeros(limits.days)
        one[day] = 1.0
        gains[day] = max(
            worth(
                replace(
                    limits,
                    slots=limits.slots + one,
                    first_slots=limits.first_slots + one,
                    second_slots=limits.second_slots + one,
                    sessions=_fuller(limits.sessions, int(day), per_vial),
                )
            )
            for per_vial in set(limits.per_vial.tolist())
        )
    days = np.flatnonzero(limits.slots > 0)
    starts = np.flatnonzero(np.diff(gains[days], prepend=-1.0) != 0)
    for run in np.split(days, starts[1:]) if days.size else ():
        begin, end = on(_day(limits, run[0])), on(_day(limits, run[-1]))
        words = ngettext(
            "one more slot on {begin}",
            "one more slot on any of the {n} open days from {begin} to {end}",
            run.size,
        ).format(n=run.size, begin=begin, end=end)
        yield from _binding(limits, "slots", [], (run[0], run[-1]), gains[run[0]], words)


def _fuller(sessions: Array, day: int, per_vial: int) -> Array:
    """The sessions with one more person at that one of the day whose last vial is the fullest."""
    fuller = sessions.copy()
    finite = np.isfinite(sessions[:, day])
    in_last_vial = np.mod(sessions[:, day], per_vial, where=finite, out=np.full(finite.shape, -1.0))
    fuller[np.argmax(in_last_vial), day] += 1
    return fuller


def _people_worth(
    scenario: Scenario, limits: Limits, base: _Solution, worth: Worth
) -> Iterator[Binding]:
    """One more willing person in each group, and each group's turn one day sooner."""
    alike: dict[tuple[float, int], list[str]] = {}
    for name, willing in _willing(scenario).items():
        turn = _turn(scenario, name)
        short = np.flatnonzero(base.turns[turn:] > _TINY) + turn
        if short.size:
            gain = worth(_with_people(limits, turn, limits.days, 1.0))
            alike.setdefault((gain, int(short[-1])), []).append(name)
        if turn and base.turns[turn - 1] > _TINY:
            gain = worth(_with_people(limits, turn - 1, turn, willing))
            words = _("the turn of the group {name} one day sooner").format(name=named(name))
            yield from _binding(limits, "turns", [name], (turn - 1, turn - 1), gain, words)
    for (gain, last), names in alike.items():
        words = ngettext(
            "one more willing person in the group {names}",
            "one more willing person in any of the groups {names}",
            len(names),
        ).format(names=_listed(names))
        days = (min(_turn(scenario, name) for name in names), last)
        yield from _binding(limits, "people", names, days, gain, words)


def _with_people(limits: Limits, begin: int, end: int, people: float) -> Limits:
    more = limits.people.copy()
    more[begin:end] += people
    return replace(limits, people=more)


def _interval_worth(
    scenario: Scenario, limits: Limits, base: _Solution, worth: Worth
) -> Iterator[Binding]:
    """The interval of each regimen one day shorter, or as much shorter as it takes."""
    for number, (name, regimen) in enumerate(scenario.regimens.items()):
        days = np.flatnonzero(base.interval[number] > _TINY)
        if not days.size or not regimen.min_days:
            continue

        def gain(shorter: int, name: str = name, regimen: Regimen = regimen) -> float:
            changed = regimen.model_copy(update={"min_days": regimen.min_days - shorter})
            regimens = {**scenario.regimens, name: changed}
            return worth(limits_of(scenario.model_copy(update={"regimens": regimens})))

        one = gain(1)
        words = _("the interval of {regimen} ({days} days) one day shorter").format(
            regimen=named(name), days=regimen.min_days
        )
        until = (int(days[0]), int(days[-1]))
        yield from _binding(limits, "interval", [name], until, one, words)
        if one == 0 and gain(regimen.min_days) > 0:
            enough = 1 + bisect_left(range(1, regimen.min_days + 1), 1, key=lambda d: gain(d) > 0)
            words = _("an interval one day shorter: nobody; {days} days shorter").format(
                days=enough
            )
            yield from _binding(limits, "interval", [name], until, gain(enough), words)


def _dose_and_person_worth(limits: Limits, last: int, worth: Worth) -> Iterator[Binding]:
    """One more dose and one more person, who both come by the same day: the last such day."""
    for vaccine in dict.fromkeys(limits.first_vaccine.tolist()):

        def gain(begin: int, vaccine: int = vaccine) -> float:
            more = _with_doses(limits, vaccine, begin, limits.days, 1.0)
            return worth(_with_people(more, begin, limits.days, 1.0))

        if last >= 0 and gain(0):
            # earlier is never worse
            until = bisect_left(range(last + 1), 1, key=lambda begin: gain(begin) == 0) - 1
            words = _("one more dose with one more willing person, by {day}").format(
                day=on(_day(limits, until))
            )
            days = (0, until)
            yield from _binding(limits, "doses_and_people", [], days, gain(until), words)
            return


def _arrival_and_turn_worth(
    scenario: Scenario, limits: Limits, last: int, worth: Worth
) -> Iterator[Binding]:
    """A delivery and the turn of the groups that have theirs on that day, both one day sooner."""
    for arrival in _arrivals(scenario):
        usable = _shipment(scenario, arrival.day)
        sooner = _shipment(scenario, arrival.day - 1) if arrival.day else usable
        groups = [name for name in scenario.groups if _turn(scenario, name) == usable]
        if not groups or not sooner < usable or sooner > last:
            continue
        people = sum(_willing(scenario)[name] for name in groups)
        more = _with_doses(limits, arrival.vaccine, sooner, usable, arrival.doses)
        gain = worth(_with_people(more, usable - 1, usable, people))
        words = _("the delivery {delivery} and the turn of {groups} one day sooner").format(
            delivery=named(arrival.name), groups=_(" and ").join(map(named, groups))
        )
        days = (sooner, usable - 1)
        yield from _binding(
            limits, "arrivals_and_turns", [arrival.name, *groups], days, gain, words
        )


def _binding(
    limits: Limits, kind: Kind, what: list[str], days: tuple[int, int], gain: float, words: str
) -> Iterator[Binding]:
    """The binding, unless it is worth nothing."""
    if gain > 0:
        first, last = (_day(limits, number) for number in days)
        yield Binding(kind, tuple(what), first, last, gain, _worth_text(words, gain))


def _worth_text(one_more: str, people: float) -> str:
    text = ngettext("{one_more}: {n} person", "{one_more}: {n} people", people)
    return text.format(one_more=one_more, n=f"{people:,.10g}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(named, names))


def _day(limits: Limits, number: int) -> date:
    return limits.first_day + timedelta(days=int(number))


ONE_MORE: Mapping[Kind, str] = {
    "doses": N_("one more dose"),
    "arrivals": N_("a delivery one day sooner"),
    "slots": N_("one more slot"),
    "turns": N_("a turn one day sooner"),
    "people": N_("one more willing person"),
    "interval": N_("an interval one day shorter"),
}
"""What one more unit of each limit is."""

_ORDER: tuple[Kind, ...] = (*ONE_MORE, "doses_and_people", "arrivals_and_turns")
