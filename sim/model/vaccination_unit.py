"""The vaccination units: what their staff can do, and their sessions day by day.

*Nominal throughput* of a station is its staff time within opening hours, divided by the mean time
that a patient takes there, averaged over all patients (so divided by the share who visit it). The
unit's is the least of its stations', rounded down; it is the number of appointments a day unless
`slots_per_day` says otherwise, before overbooking.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.engine.contract import Engine, PatientOutcome, StationKind, UnitSession, UnitSessionResult
from sim.model.population import NEVER, Population, Setback, Status
from sim.model.records import Recorder
from sim.model.shifts import staff_steps, staff_time_us
from sim.random_streams import (
    RandomStreams,
    Stream,
    UInt32Array,
    draw,
    quantile_table,
    stream_word,
    threshold,
)
from sim.scenario import HOUR_US, MINUTE_US, Distribution, Scenario, Station, Unit

Int64Array = NDArray[np.int64]

SECOND_DOSE_TRIES = 1000
"""Visits for a second dose have their own luck: their attempts are numbered from here."""


def capacity_table(scenario: Scenario) -> pd.DataFrame:
    """How each unit's appointments a day follow from its stations.

    One row a station: unit, type, district, station, kind, staff_minutes (within opening hours),
    mean_minutes (expected time there of a patient who visits it), share, throughput (patients a
    day), and the unit's slots_per_day (before overbooking).
    """
    rows = []
    for name, unit in scenario.units.items():
        stations = [_station_capacity(station, unit) for station in unit.stations.values()]
        slots = unit_slots(unit)
        for station_name, (station, capacity) in zip(
            unit.stations, zip(unit.stations.values(), stations, strict=True), strict=True
        ):
            rows.append(
                {
                    "unit": name,
                    "type": unit.type,
                    "district": unit.district,
                    "station": station_name,
                    "kind": station.kind,
                    **capacity,
                    "slots_per_day": slots,
                }
            )
    return pd.DataFrame(rows)


def unit_slots(unit: Unit) -> int:
    """Appointments a day before overbooking."""
    if unit.slots_per_day is not None:
        return unit.slots_per_day
    throughput = min(_station_capacity(s, unit)["throughput"] for s in unit.stations.values())
    return math.floor(min(throughput, 1e9) + 1e-9)


def _station_capacity(station: Station, unit: Unit) -> dict[str, float]:
    times, staff = staff_steps(
        station.staff, station.shifts, station.breaks, unit.opens, unit.closes
    )
    time_us = staff_time_us(times, staff, unit.opens * MINUTE_US, unit.closes * MINUTE_US)
    mean = station.minutes.mean()
    if station.adverse_event_probability:
        mean += station.adverse_event_probability * station.adverse_event_minutes.mean()
    work = mean * station.share
    return {
        "staff_minutes": time_us / MINUTE_US,
        "mean_minutes": mean,
        "share": station.share,
        "throughput": time_us / MINUTE_US / work if work > 0 else math.inf,
    }


def open_by_day(scenario: Scenario) -> NDArray[np.bool_]:
    """Which units vaccinate on which days: bool[units, days]."""
    campaign = scenario.campaign
    days = (campaign.horizon - campaign.first_day).days + 1
    dates = [campaign.first_day + timedelta(days=d) for d in range(days)]
    return np.array(
        [
            [day >= campaign.vaccination_from and unit.is_open(day) for day in dates]
            for unit in scenario.units.values()
        ]
    )


def slots_by_day(scenario: Scenario) -> Int64Array:
    """Appointments that each unit gives on each day, overbooking included: int64[units, days]."""
    overbooked = 1 + scenario.appointments.overbooking
    a_day = [math.floor(unit_slots(u) * overbooked + 1e-9) for u in scenario.units.values()]
    return open_by_day(scenario) * np.array(a_day, dtype=np.int64)[:, np.newaxis]


def home_weights(scenario: Scenario) -> NDArray[np.float64]:
    """Share of all people whose home unit is each unit (float[units])."""
    weights = np.array(
        [
            float(unit_slots(u)) if u.catchment_weight is None else u.catchment_weight
            for u in scenario.units.values()
        ]
    )
    districts = np.array([unit.district for unit in scenario.units.values()])
    for district, share in scenario.districts.items():
        inside = districts == district
        total = weights[inside].sum()
        even = 1 / max(inside.sum(), 1)
        weights[inside] = share * (weights[inside] / total if total > 0 else even)
    return weights


@dataclass(frozen=True)
class _UnitPlan:
    """What is the same at every session of a unit."""

    opens_us: int
    closes_us: int
    kind: NDArray[np.int8]
    step_first: Int64Array
    step_time_us: Int64Array
    step_staff: Int64Array
    latest_start_us: Int64Array
    walk_us: Int64Array
    on_duty_us: Int64Array
    stations: list[_StationPlan]


@dataclass(frozen=True)
class _StationPlan:
    """How the times of one station are drawn."""

    name: str
    streams: NDArray[np.uint32]
    """stream word by group"""
    share: np.uint64
    minutes: Int64Array
    adverse: np.uint64
    adverse_minutes: Int64Array


@dataclass(frozen=True)
class Visits:
    """The people who come to one unit on one day, in order of arrival."""

    people: Int64Array
    walk_in: NDArray[np.bool_]
    arrival_us: Int64Array
    tolerance_us: Int64Array
    preference: NDArray[np.int8]


class SessionsOfADay:
    """What a day's sessions leave behind."""

    def __init__(self, units: int, vaccines: int) -> None:
        self.opened = np.zeros((units, vaccines), dtype=np.int64)
        """vials opened, int64[units, V]"""
        self.used = np.zeros((units, vaccines), dtype=np.int64)
        """doses given"""
        self.discarded = np.zeros((units, vaccines), dtype=np.int64)
        """doses left in opened vials"""
        self.jabbed: list[Int64Array] = []
        """people vaccinated, unit by unit"""
        self.vaccines: list[NDArray[np.int8]] = []
        """what they got"""
        self.unserved: list[Int64Array] = []
        """people who were not vaccinated and will book again (or were walk-ins)"""


class VaccinationUnits:
    """All units: their plans, and their sessions."""

    def __init__(
        self,
        scenario: Scenario,
        streams: RandomStreams,
        people: Population,
        engine: Engine,
        recorder: Recorder,
        first_choices: Int64Array,
    ) -> None:
        self._scenario = scenario
        self._streams = streams
        self._people = people
        self._engine = engine
        self._recorder = recorder
        self._first_choices = first_choices
        self.names = list(scenario.units)
        self._units = list(scenario.units.values())
        self._groups = list(scenario.groups)
        self.slots = slots_by_day(scenario)
        tables = _Tables()
        self._plans = [_unit_plan(unit, self._groups, tables) for unit in self._units]
        self._opens_us = np.array([plan.opens_us for plan in self._plans], dtype=np.int64)
        self._open_us = np.array(
            [plan.closes_us - plan.opens_us for plan in self._plans], dtype=np.int64
        )
        self._open = open_by_day(scenario)
        appointments = scenario.appointments
        self._no_show = np.uint64(threshold(appointments.no_show))
        self._rebook_no_show = np.uint64(threshold(appointments.rebook_after_no_show))
        self._rebook_turned_away = np.uint64(threshold(appointments.rebook_after_turned_away))
        self._punctuality = tables.of(appointments.punctuality_minutes)
        self._tolerance = tables.of(appointments.waiting_tolerance_minutes)
        self._visit_streams = self._streams_by_group(Stream.VISIT)
        self._walk_in_streams = self._streams_by_group(Stream.WALK_IN_PERSON)
        vaccines = list(scenario.vaccines.values())
        self._open_life_us = np.array(
            [round(v.open_vial_hours * HOUR_US) for v in vaccines], dtype=np.int64
        )
        self._walk_in_order = self._order_of_walk_ins()
        self._busiest = np.zeros(len(self._units), dtype=np.int64)
        self._unit_days: dict[int, dict[str, Any]] = {}

    def _streams_by_group(self, stream: Stream) -> NDArray[np.uint32]:
        return np.array([stream_word(stream, group) for group in self._groups], dtype=np.uint32)

    def _order_of_walk_ins(self) -> list[Int64Array]:
        """For each unit, the willing people of its catchment in the order of walking in."""
        order: list[Int64Array] = []
        for number, unit in enumerate(self._units):
            if unit.walk_ins_per_day == 0:
                order.append(np.empty(0, dtype=np.int64))
                continue
            near = np.flatnonzero((self._people.home_unit == number) & self._people.willing)
            words = self._streams_by_group(Stream.WALK_IN_PERSON)[self._people.group[near]]
            luck = self._streams.blocks(words, self._people.entity[near])[1]
            order.append(near[np.argsort(luck, kind="stable")])
        return order

    def hold_sessions(
        self, today: int, vials: Int64Array, per_vial: Int64Array, turn_day: Int64Array
    ) -> SessionsOfADay:
        """The day's sessions at all units.

        vials: int64[units, V] closed vials on hand (changed in place); per_vial: doses a vial
        yields; turn_day: first day on which each group may be vaccinated (for walk-ins).
        """
        people = self._people
        due = np.flatnonzero(people.appointment_day == today)
        words = self._visit_words_of(due)
        absent = words[0] < self._no_show
        units = people.appointment_unit[due]
        arrival_us = self._appointment_times(today, due) + draw(self._punctuality, words[1])
        day = SessionsOfADay(len(self._units), per_vial.size)
        for number in range(len(self._units)):
            here = units == number
            walk_ins = self._walk_ins(today, number, turn_day)
            present = np.flatnonzero(here & ~absent)
            missing = due[here & absent]
            if present.size + walk_ins.size + missing.size == 0:
                continue
            visits = self._visits(today, number, due[present], arrival_us[present], walk_ins)
            session = self._session(today, number, visits, vials[number], per_vial)
            result = self._engine.unit_session(session)
            vials[number] -= result.vials_opened
            day.opened[number] = result.vials_opened
            day.used[number] = result.doses_used
            day.discarded[number] = result.doses_discarded
            jabbed = result.vaccine >= 0
            day.jabbed.append(visits.people[jabbed])
            day.vaccines.append(result.vaccine[jabbed])
            dropped = np.concatenate(
                [
                    self._miss(visits.people[~jabbed], _setback(result.outcome[~jabbed])),
                    self._miss(missing, np.full(missing.size, Setback.NO_SHOW, dtype=np.int8)),
                ]
            )
            unserved = np.concatenate([visits.people[~jabbed], missing])
            day.unserved.append(unserved[~dropped])
            self._record_daily(today, number, visits, result, missing, unserved[dropped])
            self._record_session(today, number, session, result)
        people.appointment_day[due] = NEVER
        return day

    def _visit_words_of(self, who: Int64Array) -> UInt32Array:
        """The four words of VISIT for the present try of these people."""
        people = self._people
        tries = people.tries[who] + SECOND_DOSE_TRIES * people.doses[who].astype(np.int64)
        return self._streams.blocks(
            self._visit_streams[people.group[who]], people.entity[who], tries
        )

    def _appointment_times(self, today: int, due: Int64Array) -> Int64Array:
        """When the appointments are: the k-th of a day at its place between opening and closing."""
        unit = self._people.appointment_unit[due]
        slot = self._people.appointment_slot[due].astype(np.int64)
        slots = np.maximum(self.slots[unit, today], 1)
        after_us = slot * self._open_us[unit] // slots
        block_us = self._scenario.appointments.block_minutes * MINUTE_US
        if block_us:
            after_us = after_us // block_us * block_us
        return np.asarray(self._opens_us[unit] + after_us)

    def _walk_ins(self, today: int, number: int, turn_day: Int64Array) -> Int64Array:
        """Who walks in today: a Poisson number of the unregistered of its catchment, by turn."""
        unit = self._units[number]
        if unit.walk_ins_per_day == 0 or not self._open[number, today]:
            return np.empty(0, dtype=np.int64)
        word = self._streams.blocks(stream_word(Stream.WALK_IN, self.names[number]), today)[0, 0]
        wanted = _poisson(unit.walk_ins_per_day, int(word))
        people, order = self._people, self._walk_in_order[number]
        free = people.status[order] == Status.NOT_REGISTERED
        order = order[free]
        may_come = np.flatnonzero(turn_day[people.group[order]] <= today)[:wanted]
        self._walk_in_order[number] = np.delete(order, may_come)
        return np.asarray(order[may_come])

    def _visits(
        self,
        today: int,
        number: int,
        booked: Int64Array,
        booked_arrival_us: Int64Array,
        walk_ins: Int64Array,
    ) -> Visits:
        """Everybody who comes to the unit, in order of arrival."""
        people = self._people
        words = self._streams.blocks(
            self._walk_in_streams[people.group[walk_ins]], people.entity[walk_ins]
        )[0]
        walk_in_us = self._opens_us[number] + (
            (words.astype(np.int64) * (self._open_us[number] >> 16)) >> 16
        )
        who = np.concatenate([booked, walk_ins])
        arrival_us = np.concatenate([np.maximum(booked_arrival_us, 0), walk_in_us])
        order = np.argsort(arrival_us, kind="stable")
        who = who[order]
        return Visits(
            people=who,
            walk_in=(order >= booked.size),
            arrival_us=arrival_us[order],
            tolerance_us=draw(self._tolerance, self._visit_words_of(who)[3]),
            preference=self._preference(today, who, order >= booked.size),
        )

    def _preference(
        self, today: int, who: Int64Array, walk_in: NDArray[np.bool_]
    ) -> NDArray[np.int8]:
        """The vaccine of the appointment; for a first dose then any other that is given first."""
        choices = self._first_choices[today]
        booked = np.where(walk_in, choices[0], self._people.appointment_vaccine[who])
        preference = np.full((who.size, choices.size), -1, dtype=np.int8)
        preference[:, 0] = booked
        first = self._people.doses[who] == 0
        for vaccine in range(choices.size):  # rows by the vaccine of the appointment
            others = choices[(choices >= 0) & (choices != vaccine)]
            rows = np.flatnonzero(first & (booked == vaccine))
            preference[np.ix_(rows, 1 + np.arange(others.size))] = others
        return preference

    def _session(
        self, today: int, number: int, visits: Visits, vials: Int64Array, per_vial: Int64Array
    ) -> UnitSession:
        """The engine's input: who comes when, and how long everything will take them."""
        plan, people = self._plans[number], self._people
        who = visits.people
        tries = people.tries[who] + SECOND_DOSE_TRIES * people.doses[who].astype(np.int64)
        shape = (who.size, len(plan.stations))
        visited = np.zeros(shape, dtype=np.bool_)
        service_us = np.zeros(shape, dtype=np.int64)
        for s, station in enumerate(plan.stations):
            words = self._streams.blocks(
                station.streams[people.group[who]], people.entity[who], tries
            )
            visited[:, s] = words[0] < station.share
            service_us[:, s] = draw(station.minutes, words[1])
            if station.adverse:
                adverse = words[2] < station.adverse
                service_us[adverse, s] += draw(station.adverse_minutes, words[3][adverse])
        return UnitSession(
            closes_us=plan.closes_us,
            kind=plan.kind,
            step_first=plan.step_first,
            step_time_us=plan.step_time_us,
            step_staff=plan.step_staff,
            latest_start_us=plan.latest_start_us,
            vials=vials.copy(),
            doses_per_vial=per_vial,
            open_life_us=self._open_life_us,
            arrival_us=visits.arrival_us,
            visits=visited,
            service_us=service_us,
            walk_us=np.broadcast_to(plan.walk_us, shape).copy(),
            tolerance_us=visits.tolerance_us,
            preference=visits.preference,
        )

    def _miss(self, who: Int64Array, setback: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Note why they were not vaccinated; returns a mask of those who drop out.

        A walk-in who is not served stays unregistered and may still book.
        """
        people = self._people
        words = self._visit_words_of(who)[2]
        limit = np.where(setback == Setback.NO_SHOW, self._rebook_no_show, self._rebook_turned_away)
        booked = people.status[who] == Status.BOOKED
        dropped = booked & (words >= limit)
        people.setback[who] = setback
        people.tries[who] += 1
        people.status[who[dropped]] = Status.DROPPED_OUT
        people.status[who[booked & ~dropped]] = Status.WAITING
        return np.asarray(dropped)

    def _record_daily(
        self,
        today: int,
        number: int,
        visits: Visits,
        result: UnitSessionResult,
        missing: Int64Array,
        dropped: Int64Array,
    ) -> None:
        people, groups = self._people, len(self._groups)

        def count(who: Int64Array) -> Int64Array:
            cell = people.group[who].astype(np.int64) * 2 + people.doses[who]
            return np.bincount(cell, minlength=2 * groups)

        missed = result.vaccine < 0

        def left_as(outcome: PatientOutcome) -> Int64Array:
            return count(visits.people[missed & (result.outcome == outcome)])

        self._recorder.add(
            "daily",
            {
                "date": self._date(today),
                "unit": self.names[number],
                "group": np.repeat(np.array(self._groups), 2),
                "dose": np.tile([1, 2], groups),
                "appointments": count(visits.people[~visits.walk_in]) + count(missing),
                "walk_ins": count(visits.people[visits.walk_in]),
                "no_shows": count(missing),
                "administered": count(visits.people[~missed]),
                "no_dose": left_as(PatientOutcome.NO_DOSE),
                "left": left_as(PatientOutcome.LEFT),
                "late": left_as(PatientOutcome.LATE),
                "closed": left_as(PatientOutcome.CLOSED),
                "dropped_out": count(dropped),
            },
        )

    def _record_session(
        self, today: int, number: int, session: UnitSession, result: UnitSessionResult
    ) -> None:
        plan = self._plans[number]
        admitted = result.outcome != PatientOutcome.CLOSED
        exits = result.exit_us[admitted]
        self._recorder.add(
            "sessions",
            {
                "date": self._date(today),
                "unit": self.names[number],
                "open_minutes": (plan.closes_us - plan.opens_us) / MINUTE_US,
                "patients": int(admitted.sum()),
                "max_inside": result.max_inside,
                "time_inside": result.inside_us / MINUTE_US,
                "last_exit": (int(exits.max()) - plan.closes_us) / MINUTE_US if exits.size else 0.0,
            },
        )
        self._recorder.add(
            "stations",
            {
                "date": self._date(today),
                "unit": self.names[number],
                "station": np.array([station.name for station in plan.stations]),
                "served": result.served,
                "wait": result.wait_us / MINUTE_US,
                "max_queue": result.max_queue,
                "busy": result.busy_us / MINUTE_US,
                "on_duty": plan.on_duty_us / MINUTE_US,
            },
        )
        if self._streams.replication == 0 and exits.size > self._busiest[number]:
            self._busiest[number] = exits.size
            self._unit_days[number] = self._unit_day(today, number, result)

    def _unit_day(self, today: int, number: int, result: UnitSessionResult) -> dict[str, Any]:
        """Queue and service at every station each few minutes."""
        plan = self._plans[number]
        first = int(result.join_us[result.join_us >= 0].min(initial=plan.opens_us))
        minutes = np.arange(
            first // MINUTE_US // 5 * 5, int(result.exit_us.max()) // MINUTE_US + 6, 5
        )
        instants = minutes * MINUTE_US
        waiting, in_service = [], []
        for s in range(len(plan.stations)):
            joined = result.join_us[:, s] >= 0
            started = joined & (result.start_us[:, s] >= 0)
            left_queue = np.where(started, result.start_us[:, s], result.end_us[:, s])[joined]
            waiting.append(_between(result.join_us[joined, s], left_queue, instants))
            in_service.append(
                _between(result.start_us[started, s], result.end_us[started, s], instants)
            )
        names = np.array([station.name for station in plan.stations])
        return {
            "date": np.full(minutes.size * names.size, self._date(today)),
            "unit": np.full(minutes.size * names.size, self.names[number]),
            "station": np.repeat(names, minutes.size),
            "minute": np.tile(minutes, names.size),
            "waiting": np.concatenate(waiting),
            "in_service": np.concatenate(in_service),
        }

    def record_unit_days(self) -> None:
        """Record each unit's busiest session (replication 0 only)."""
        for number in sorted(self._unit_days):
            self._recorder.add("unit_day", self._unit_days[number])

    def _date(self, today: int) -> np.datetime64:
        return np.datetime64(self._scenario.campaign.first_day) + today


class _Tables:
    """Quantile tables in microseconds, one for each different distribution."""

    def __init__(self) -> None:
        self._known: dict[str, Int64Array] = {}

    def of(self, distribution: Distribution) -> Int64Array:
        key = repr(distribution)
        if key not in self._known:
            self._known[key] = quantile_table(distribution, MINUTE_US)
        return self._known[key]


def _unit_plan(unit: Unit, groups: list[str], tables: _Tables) -> _UnitPlan:
    opens_us, closes_us = unit.opens * MINUTE_US, unit.closes * MINUTE_US
    times, staff, first, on_duty, plans = [], [], [0], [], []
    for name, station in unit.stations.items():
        at, number = staff_steps(
            station.staff, station.shifts, station.breaks, unit.opens, unit.closes
        )
        times.append(at)
        staff.append(number)
        first.append(first[-1] + at.size)
        on_duty.append(staff_time_us(at, number, opens_us, closes_us))
        plans.append(
            _StationPlan(
                name=name,
                streams=np.array(
                    [stream_word(Stream.STATION, name, group) for group in groups], dtype=np.uint32
                ),
                share=np.uint64(threshold(station.share)),
                minutes=tables.of(station.minutes),
                adverse=np.uint64(threshold(station.adverse_event_probability)),
                adverse_minutes=tables.of(station.adverse_event_minutes),
            )
        )
    stations = unit.stations.values()
    return _UnitPlan(
        opens_us=opens_us,
        closes_us=closes_us,
        kind=np.array([StationKind[s.kind.upper()] for s in stations], dtype=np.int8),
        step_first=np.array(first, dtype=np.int64),
        step_time_us=np.concatenate(times),
        step_staff=np.concatenate(staff),
        latest_start_us=np.array(
            [closes_us + round(s.overtime_minutes * MINUTE_US) for s in stations], dtype=np.int64
        ),
        walk_us=np.array([round(s.walk_minutes * MINUTE_US) for s in stations], dtype=np.int64),
        on_duty_us=np.array(on_duty, dtype=np.int64),
        stations=plans,
    )


def _setback(outcome: NDArray[np.int8]) -> NDArray[np.int8]:
    no_dose = outcome == PatientOutcome.NO_DOSE
    return np.where(no_dose, Setback.NO_DOSE, Setback.NOT_SERVED).astype(np.int8)


def _between(starts: Int64Array, ends: Int64Array, instants: Int64Array) -> Int64Array:
    """How many intervals [start, end) contain each instant."""
    begun = np.searchsorted(np.sort(starts), instants, side="right")
    over = np.searchsorted(np.sort(ends), instants, side="right")
    return np.asarray(begun - over, dtype=np.int64)


def _poisson(mean: float, word: int) -> int:
    """Poisson quantile at a 32-bit word (cumulative distribution from scipy.special.pdtr)."""
    from scipy.special import pdtr

    spread = 8 * math.sqrt(mean) + 10
    low = max(math.floor(mean - spread), 0)
    numbers = np.arange(low, math.ceil(mean + spread) + 1)
    return low + int(np.searchsorted(pdtr(numbers, mean), (word + 0.5) / 2**32))
