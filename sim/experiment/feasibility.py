"""The most that a campaign can reach by a day, whatever the telephones: a linear program.

What limits first doses F and second doses S, cumulated by regimen r and day t:

    slots      sum over r of dF_r(t) + dS_r(t) <= slots of the open units (walk-ins included)
    doses      F_r and S_r that use vaccine v, summed, <= usable doses of v that have come by t
    people     sum over r of F_r(t) <= willing people whose turn has come by t
    interval   S_r(t) <= F_r(t - min_days) + first doses before the campaign that are old enough
    regimens   dF_r(t) = 0 on days on which a first dose does not begin r

The greatest F (or number of last doses) on a day is found by SciPy's HiGHS. `limits.py` says where
the right-hand sides come from; `closed_form` bounds the program from above without solving it.

Not counted, so that the truth may be lower: bookings, missed appointments, doses thrown away as
fewer people come than a session has slots for or a vial is open for too long, waits in a unit, and
where the allocation rule leaves the doses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.coverage import Scope
from sim.experiment.limits import TINY, Array, Limits, limits_of
from sim.experiment.measures import on
from sim.experiment.plan_arithmetic import deliveries_vary
from sim.language import N_, _
from sim.scenario import Scenario

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
class Solution:
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


def solve(limits: Limits, scope: Scope, last: int, every_day: bool = False) -> Solution:
    """The linear program for people who have had their last dose by day `last`.

    With `every_day`, for the sum of their numbers over all days up to then. Variables are the
    cumulated doses F_r and S_r on days with slots. Doses and people that can be used by a day need
    a row only where they are about to grow, since F and S never fall.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    solution = Solution(
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
    number = limits.number(day)
    given = solve(limits, scope, number - limits.lag(scope)).people
    return _whole(given + limits.before[scope][number])


def _whole(people: float) -> int:
    return math.floor(people + TINY)


def curve(scenario: Scenario, scope: Scope) -> pd.Series:
    """The most people vaccinated by each day (int64, indexed by date).

    Each day's number is a maximum of its own: no one campaign need reach them all.
    """
    return curve_within(limits_of(scenario), scope)


def curve_within(limits: Limits, scope: Scope) -> pd.Series:
    """`curve`, for given limits."""
    most = _counted(limits, scope, _best_by_day(limits, scope))
    return pd.Series(
        np.floor(most + TINY).astype(np.int64),
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
    path = solve(limits, scope, limits.days - 1, every_day=True).path
    best = np.where(path > most - TINY, most, np.nan)
    best[-1] = solve(limits, scope, limits.days - 1).people

    def fill(low: int, high: int) -> None:
        """Days between two that are known."""
        if high - low < 2:
            return
        if best[high] - (best[low] if low >= 0 else 0.0) < TINY:
            best[low + 1 : high] = best[high]
            return
        middle = (low + high) // 2
        if np.isnan(best[middle]):
            best[middle] = solve(limits, scope, middle).people
        fill(low, middle)
        fill(middle, high)

    fill(-1, limits.days - 1)
    return best


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


# What holds back ----------------------------------------------------------------------------


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
        if given[number] >= limits.first_slots[number] - TINY:
            held_by.append("slots")
        elif first[number] >= limits.people[-1] - TINY:
            held_by.append("people")  # there is no next one, whatever else is used up
        else:
            if first[number] >= usable[number] - TINY:
                held_by.append("doses")
            if first[number] >= limits.people[number] - TINY:
                held_by.append("turns")
        day, deadline = limits.day(number), scenario.campaign.deadline
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
    number = limits.number(day)
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
    return [(kind, None if n is None else limits.day(n)) for kind, n in late.items()]


def _first_last_dose(limits: Limits, scope: Scope, due: Array) -> float:
    """Number of the first day with a dose that somebody needs no other after; infinite: none."""
    found = [math.inf if (n := _first_day_of(due * (limits.slots > 0))) is None else n]
    for r, vaccine in enumerate(limits.first_vaccine):
        open_to_first = limits.begins[r] & (limits.slots > 0) & (limits.doses[vaccine] > TINY)
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
    found = np.flatnonzero(series > TINY)
    return int(found[0]) if found.size else None
