"""What a campaign has, by day, whatever the telephones: slots, doses, people, intervals.

Adding up units and groups loses nothing. Units: a person can be booked at any of them, doses can be
shipped to any of them, and any number of doses up to the sum of the slots can be split over the
units. Groups: whose turn has come may be vaccinated on every later day, so that people can be found
for any schedule of first doses whose sum up to each day is at most the number of those people
(Hall's theorem, for sets of days that contain one another); a second dose has no turn to wait for.

Vials: what a session leaves of an opened vial is thrown away. A session with s slots uses at most
floor(s / k) vials of k doses to the last dose, and one more for the other s mod k people. So the V
vials that have come by t give no more than the sum of the V greatest of these numbers over the
sessions up to t (`Limits.doses`): fewer than k V only where the sessions are too small for them.

A refrigerator limits what a unit can give between two shipments; here it limits each day alone.
Deliveries, walk-ins and willingness are taken at their means (`limits_of`), or as they were in one
replication (`limits_in`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.coverage import Scope, days_counted, vaccinated_before
from sim.experiment.plan_arithmetic import deliveries
from sim.model.capacity import open_by_day, slots_by_day
from sim.model.regimens import Regimens
from sim.scenario import WEEKDAYS, Scenario

Array = NDArray[np.float64]

TINY = 1e-6
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

    def number(self, day: date) -> int:
        """The number of a day. ValueError for one outside the campaign."""
        number = (day - self.first_day).days
        if not 0 <= number < self.days:
            raise ValueError(
                f"{day} is not a day of the campaign, {self.first_day} to {self.day(self.days - 1)}"
            )
        return number

    def day(self, number: int) -> date:
        """The day with a number, from 0."""
        return self.first_day + timedelta(days=int(number))

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
    most = np.where(left > TINY, come, given)
    return np.asarray(np.minimum.accumulate(most[::-1])[::-1])


def limits_of(scenario: Scenario) -> Limits:
    """The limits of a scenario: deliveries, walk-ins and willingness at their means."""
    per_day = np.array([unit.walk_ins_per_day for unit in scenario.units.values()])
    walk_ins = per_day[:, np.newaxis] * open_by_day(scenario)
    arriving = np.zeros((len(scenario.vaccines), walk_ins.shape[1]))
    for arrival in expected_arrivals(scenario):
        arriving[arrival.vaccine, arrival.day] += arrival.doses
    slots = slots_by_day(scenario)
    sessions = np.where(walk_ins > 0, math.inf, slots)
    return _limits(scenario, slots, walk_ins, sessions, arriving, willing_people(scenario))


@dataclass(frozen=True)
class Arrival:
    """A delivery that is expected to come by the horizon."""

    name: str
    vaccine: int
    day: int
    doses: float
    """usable"""


def expected_arrivals(scenario: Scenario) -> list[Arrival]:
    """Deliveries that are expected by the horizon, as large as they are on average."""
    vaccines = list(scenario.vaccines)
    return [
        Arrival(
            name=str(row["delivery"]),
            vaccine=vaccines.index(row["vaccine"]),
            day=(row["arrives"] - scenario.campaign.first_day).days,
            doses=float(row["usable"]),
        )
        for row in deliveries(scenario).to_dict("records")
        if row["in_time"]
    ]


def willing_people(scenario: Scenario) -> dict[str, float]:
    """Expected people by group who want a dose and have had none before the campaign."""
    return {
        name: (group.people - _before(scenario, name)) * group.willing
        for name, group in scenario.groups.items()
    }


def turn_day(scenario: Scenario, group: str) -> int:
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
        people[turn_day(scenario, name) :] += willing[name]
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
        usable = shipment_day(scenario, int(day))
        if usable < arriving.shape[1]:
            shipped[vaccine, usable] += arriving[vaccine, day]
    return shipped


def shipment_day(scenario: Scenario, day: int) -> int:
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
