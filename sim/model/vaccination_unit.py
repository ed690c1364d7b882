"""The sessions of the vaccination units, day by day.

People come at their appointment, early or late by their own punctuality, or walk in; how long
everything takes them is drawn by person, visit and name of the station. The engine does the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.contract import Engine, PatientOutcome, StationKind, UnitSession, UnitSessionResult
from sim.model.audit import check_sessions
from sim.model.capacity import open_by_day, slots_by_day
from sim.model.order import by_place_and_time
from sim.model.population import NEVER, Population, Setback, Status
from sim.model.records import Recorder
from sim.model.regimens import Regimens
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
from sim.scenario import HOUR_US, MINUTE_US, Distribution, Scenario, Unit

Int64Array = NDArray[np.int64]

SECOND_DOSE_TRIES = 1000
"""Visits for a second dose have their own luck: their attempts are numbered from here."""


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
    stations: tuple[_StationDraws, ...]


@dataclass(frozen=True)
class _StationDraws:
    """How what happens to a patient at one station is drawn."""

    name: str
    streams: NDArray[np.uint32]
    """stream word by group"""
    share: np.uint64
    minutes: Int64Array
    adverse: np.uint64
    adverse_minutes: Int64Array


@dataclass(frozen=True)
class Visits:
    """The people who come to the units on one day, by unit, then in order of arrival."""

    people: Int64Array
    unit: Int64Array
    walk_in: NDArray[np.bool_]
    arrival_us: Int64Array


@dataclass(frozen=True)
class SessionsOfADay:
    """What a day's sessions leave behind."""

    opened: Int64Array
    """vials opened, int64[units, V]"""
    used: Int64Array
    """doses given, int64[units, V]"""
    discarded: Int64Array
    """doses left in opened vials, int64[units, V]"""
    jabbed: Int64Array
    """people vaccinated"""
    vaccine: Int64Array
    """what each of them got"""
    unserved: Int64Array
    """people who were not vaccinated and have not dropped out"""


class VaccinationUnits:
    """All units: their plans, and their sessions."""

    def __init__(
        self,
        scenario: Scenario,
        streams: RandomStreams,
        people: Population,
        engine: Engine,
        recorder: Recorder,
        regimens: Regimens,
    ) -> None:
        self._scenario = scenario
        self._streams = streams
        self._people = people
        self._engine = engine
        self._recorder = recorder
        self._regimens = regimens
        self._names = np.array(list(scenario.units))
        self._units = list(scenario.units.values())
        self._groups = list(scenario.groups)
        self.slots = slots_by_day(scenario)
        tables = _Tables()
        self._plans = [_unit_plan(unit, self._groups, tables) for unit in self._units]
        self._opens_us = np.array([plan.opens_us for plan in self._plans], dtype=np.int64)
        self._open_us = np.array([p.closes_us - p.opens_us for p in self._plans], dtype=np.int64)
        self._open = open_by_day(scenario)
        appointments = scenario.appointments
        self._no_show = np.uint64(threshold(appointments.no_show))
        self._rebook_no_show = np.uint64(threshold(appointments.rebook_after_no_show))
        self._rebook_turned_away = np.uint64(threshold(appointments.rebook_after_turned_away))
        self._block_us = appointments.block_minutes * MINUTE_US
        self._punctuality = tables.of(appointments.punctuality_minutes)
        self._tolerance = tables.of(appointments.waiting_tolerance_minutes)
        self._visit_streams = self._streams_by_group(Stream.VISIT)
        self._walk_in_streams = self._streams_by_group(Stream.WALK_IN_PERSON)
        self._open_life_us = np.array(
            [round(v.open_vial_hours * HOUR_US) for v in scenario.vaccines.values()],
            dtype=np.int64,
        )
        self._walk_in_order = self._order_of_walk_ins()
        self._busiest = np.zeros(len(self._units), dtype=np.int64)
        self._unit_days: dict[int, dict[str, Any]] = {}

    def _streams_by_group(self, stream: Stream) -> NDArray[np.uint32]:
        return np.array([stream_word(stream, group) for group in self._groups], dtype=np.uint32)

    def _order_of_walk_ins(self) -> dict[int, Int64Array]:
        """For each unit with walk-ins, the willing of its catchment in the order of walking in."""
        people = self._people
        has_walk_ins = np.array([unit.walk_ins_per_day > 0 for unit in self._units])
        who = np.flatnonzero(has_walk_ins[people.home_unit] & people.willing)
        words = self._walk_in_streams[people.group[who]]
        luck = self._streams.blocks(words, people.entity[who])[1]
        home = people.home_unit[who]
        in_order = np.lexsort((luck, home))
        first = np.searchsorted(home[in_order], np.arange(len(self._units) + 1))
        return {
            int(number): who[in_order[first[number] : first[number + 1]]]
            for number in np.flatnonzero(has_walk_ins)
        }

    def hold_sessions(
        self, today: int, vials: Int64Array, per_vial: Int64Array, turn_day: Int64Array
    ) -> SessionsOfADay:
        """The day's sessions at all units.

        vials: int64[units, V] closed vials on hand (changed in place); per_vial: doses a vial
        yields; turn_day: first day on which each group may be vaccinated (for walk-ins).
        """
        people = self._people
        due = np.flatnonzero(people.appointment_day == today)
        words = self._visit_words(due)
        stays_away = words[0] < self._no_show
        absent = due[stays_away]
        arrival_us = self._appointment_times(today, due) + draw(self._punctuality, words[1])
        visits = self._visits(today, due[~stays_away], arrival_us[~stays_away], turn_day)
        sessions = self._sessions(today, visits, vials, per_vial)
        results = {n: self._engine.unit_session(session) for n, session in sessions.items()}
        check_sessions(sessions.values(), results.values())

        opened, used, discarded = (np.zeros_like(vials) for _ in range(3))
        for number, result in results.items():
            opened[number] = result.vials_opened
            used[number] = result.doses_used
            discarded[number] = result.doses_discarded
        vials -= opened
        vaccine = _joined([r.vaccine for r in results.values()])
        outcome = _joined([r.outcome for r in results.values()])
        jabbed = vaccine >= 0
        setback = np.where(
            outcome[~jabbed] == PatientOutcome.NO_DOSE, Setback.NO_DOSE, Setback.NOT_SERVED
        )
        missed = np.concatenate([visits.people[~jabbed], absent])
        dropped = self._miss(
            missed, np.concatenate([setback, np.full(absent.size, Setback.NO_SHOW)])
        )
        self._record_daily(today, visits, vaccine, outcome, absent, missed[dropped])
        self._record_sessions(today, sessions, results)
        people.appointment_day[due] = NEVER
        return SessionsOfADay(
            opened=opened,
            used=used,
            discarded=discarded,
            jabbed=visits.people[jabbed],
            vaccine=vaccine[jabbed],
            unserved=missed[~dropped],
        )

    # Who comes when -------------------------------------------------------------------------

    def _tries(self, who: Int64Array) -> Int64Array:
        """Number of the present visit, for random streams."""
        people = self._people
        return people.tries[who] + SECOND_DOSE_TRIES * people.doses[who].astype(np.int64)

    def _visit_words(self, who: Int64Array) -> UInt32Array:
        """The four words of VISIT for the present visit of these people."""
        streams = self._visit_streams[self._people.group[who]]
        return self._streams.blocks(streams, self._people.entity[who], self._tries(who))

    def _appointment_times(self, today: int, due: Int64Array) -> Int64Array:
        """When the appointments are: the k-th of a day at its place between opening and closing."""
        unit = self._people.appointment_unit[due]
        slot = self._people.appointment_slot[due].astype(np.int64)
        after_us = slot * self._open_us[unit] // np.maximum(self.slots[unit, today], 1)
        if self._block_us:
            after_us = after_us // self._block_us * self._block_us
        return np.asarray(self._opens_us[unit] + after_us)

    def _visits(
        self, today: int, booked: Int64Array, booked_us: Int64Array, turn_day: Int64Array
    ) -> Visits:
        """Everybody who comes, by unit, then in order of arrival."""
        people = self._people
        walking = {n: self._walk_ins(today, n, turn_day) for n in self._walk_in_order}
        walk_ins = _joined(list(walking.values()))
        walk_in_unit = np.repeat(list(walking), [who.size for who in walking.values()])
        words = self._streams.blocks(
            self._walk_in_streams[people.group[walk_ins]], people.entity[walk_ins]
        )[0]
        moment = (
            words.astype(np.int64) * (self._open_us[walk_in_unit.astype(np.int64)] >> 16)
        ) >> 16
        unit = np.concatenate([people.appointment_unit[booked], walk_in_unit]).astype(np.int64)
        walk_in_us = self._opens_us[unit[booked.size :]] + moment
        arrival_us = np.concatenate([np.maximum(booked_us, 0), walk_in_us])
        order = by_place_and_time(unit.astype(np.int16), arrival_us)
        return Visits(
            people=np.concatenate([booked, walk_ins])[order],
            unit=unit[order],
            walk_in=order >= booked.size,
            arrival_us=arrival_us[order],
        )

    def _walk_ins(self, today: int, number: int, turn_day: Int64Array) -> Int64Array:
        """Who walks in today: a Poisson number of the unregistered of its catchment, by turn."""
        if not self._open[number, today]:
            return np.empty(0, dtype=np.int64)
        stream = stream_word(Stream.WALK_IN, str(self._names[number]))
        wanted = _poisson(
            self._units[number].walk_ins_per_day, int(self._streams.blocks(stream, today)[0, 0])
        )
        people, order = self._people, self._walk_in_order[number]
        order = order[people.status[order] == Status.NOT_REGISTERED]
        may_come = np.flatnonzero(turn_day[people.group[order]] <= today)[:wanted]
        self._walk_in_order[number] = np.delete(order, may_come)
        return np.asarray(order[may_come])

    # What the engine needs ------------------------------------------------------------------

    def _sessions(
        self, today: int, visits: Visits, vials: Int64Array, per_vial: Int64Array
    ) -> dict[int, UnitSession]:
        """The engine's input for every unit that somebody comes to."""
        tolerance_us = draw(self._tolerance, self._visit_words(visits.people)[3])
        preference = self._preference(today, visits)
        first = np.searchsorted(visits.unit, np.arange(len(self._plans) + 1))
        sessions = {}
        for numbers in self._units_alike(np.flatnonzero(np.diff(first))):
            rows = np.concatenate([np.arange(first[n], first[n + 1]) for n in numbers])
            stations = self._plans[numbers[0]].stations
            visited, service_us = self._draw_stations(visits.people[rows], stations)
            start = 0
            for n in numbers:
                plan, all_rows = self._plans[n], slice(first[n], first[n + 1])
                part = slice(start, start + first[n + 1] - first[n])
                start = part.stop
                sessions[n] = UnitSession(
                    closes_us=plan.closes_us,
                    kind=plan.kind,
                    step_first=plan.step_first,
                    step_time_us=plan.step_time_us,
                    step_staff=plan.step_staff,
                    latest_start_us=plan.latest_start_us,
                    vials=vials[n].copy(),
                    doses_per_vial=per_vial,
                    open_life_us=self._open_life_us,
                    arrival_us=visits.arrival_us[all_rows],
                    visits=visited[part],
                    service_us=service_us[part],
                    walk_us=np.tile(plan.walk_us, (part.stop - part.start, 1)),
                    tolerance_us=tolerance_us[all_rows],
                    preference=preference[all_rows],
                )
        return dict(sorted(sessions.items()))

    def _units_alike(self, numbers: NDArray[np.intp]) -> list[list[int]]:
        """Units whose stations draw alike, together: their patients are drawn for at once."""
        alike: dict[int, list[int]] = {}
        for n in numbers:
            alike.setdefault(id(self._plans[n].stations), []).append(int(n))
        return list(alike.values())

    def _draw_stations(
        self, who: Int64Array, stations: tuple[_StationDraws, ...]
    ) -> tuple[NDArray[np.bool_], Int64Array]:
        """Whether each patient visits each station, and how long they take there."""
        people = self._people
        group, entity, tries = people.group[who], people.entity[who], self._tries(who)
        visited = np.empty((who.size, len(stations)), dtype=np.bool_)
        service_us = np.empty((who.size, len(stations)), dtype=np.int64)
        for s, station in enumerate(stations):
            words = self._streams.blocks(station.streams[group], entity, tries)
            visited[:, s] = words[0] < station.share
            service_us[:, s] = draw(station.minutes, words[1])
            if station.adverse:
                adverse = words[2] < station.adverse
                service_us[adverse, s] += draw(station.adverse_minutes, words[3][adverse])
        return visited, service_us

    def _preference(self, today: int, visits: Visits) -> NDArray[np.int8]:
        """The vaccine of the appointment; for a first dose then any other that is given first."""
        people, choices = self._people, self._regimens.first_choices[today]
        wanted = np.where(
            visits.walk_in, choices[0], people.appointment_vaccine[visits.people]
        ).astype(np.int8)
        preference = np.full((wanted.size, choices.size), -1, dtype=np.int8)
        preference[:, 0] = wanted
        first = people.doses[visits.people] == 0
        for vaccine in range(choices.size if choices.size > 1 else 0):
            others = choices[(choices >= 0) & (choices != vaccine)]
            rows = np.flatnonzero(first & (wanted == vaccine))
            preference[np.ix_(rows, 1 + np.arange(others.size))] = others
        return preference

    # What comes of it -----------------------------------------------------------------------

    def _miss(self, who: Int64Array, setback: NDArray[Any]) -> NDArray[np.bool_]:
        """Note why they were not vaccinated; returns a mask of those who drop out.

        A walk-in who is not served stays unregistered and may still book.
        """
        people = self._people
        words = self._visit_words(who)[2]
        no_show = setback == Setback.NO_SHOW
        limit = np.where(no_show, self._rebook_no_show, self._rebook_turned_away)
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
        visits: Visits,
        vaccine: Int64Array,
        outcome: Int64Array,
        absent: Int64Array,
        dropped: Int64Array,
    ) -> None:
        """Rows by unit, group and dose, where there is anything to say."""
        people, groups = self._people, len(self._groups)
        cells = len(self._units) * groups * 2

        def count(who: Int64Array, unit: NDArray[Any]) -> Int64Array:
            cell = (unit.astype(np.int64) * groups + people.group[who]) * 2 + people.doses[who]
            return np.bincount(cell, minlength=cells)

        def came(mask: NDArray[np.bool_]) -> Int64Array:
            return count(visits.people[mask], visits.unit[mask])

        def booked_at(who: Int64Array) -> Int64Array:
            return count(who, people.appointment_unit[who])

        missed = vaccine < 0
        completed = ~missed
        first = completed & (people.doses[visits.people] == 0)
        completed[first] = self._regimens.completes[today, vaccine[first]]
        no_shows = booked_at(absent)
        rows = {
            "appointments": came(~visits.walk_in) + no_shows,
            "walk_ins": came(visits.walk_in),
            "no_shows": no_shows,
            "administered": came(~missed),
            "completed": came(completed),
            "no_dose": came(missed & (outcome == PatientOutcome.NO_DOSE)),
            "left": came(missed & (outcome == PatientOutcome.LEFT)),
            "late": came(missed & (outcome == PatientOutcome.LATE)),
            "closed": came(missed & (outcome == PatientOutcome.CLOSED)),
            "dropped_out": booked_at(dropped),
        }
        some = np.flatnonzero(rows["appointments"] + rows["walk_ins"])
        self._recorder.add(
            "daily",
            {
                "date": self._date(today),
                "unit": self._names[some // (2 * groups)],
                "group": np.array(self._groups)[some // 2 % groups],
                "dose": some % 2 + 1,
                **{name: values[some] for name, values in rows.items()},
            },
        )

    def _record_sessions(
        self, today: int, sessions: dict[int, UnitSession], results: dict[int, UnitSessionResult]
    ) -> None:
        """A row a session, and a row a station of it."""
        if not results:
            return
        plans = [self._plans[n] for n in results]
        last_exit, patients = [], []
        for (n, result), plan in zip(results.items(), plans, strict=True):
            exits = result.exit_us[result.outcome != PatientOutcome.CLOSED]
            patients.append(exits.size)
            last_exit.append(int(exits.max(initial=plan.opens_us)) - plan.closes_us)
            if self._streams.replication == 0 and exits.size > self._busiest[n]:
                self._busiest[n] = exits.size
                self._unit_days[n] = self._unit_day(today, n, result)
        names = self._names[list(results)]
        self._recorder.add(
            "sessions",
            {
                "date": self._date(today),
                "unit": names,
                "open_minutes": np.array([p.closes_us - p.opens_us for p in plans]) / MINUTE_US,
                "patients": np.array(patients),
                "max_inside": np.array([r.max_inside for r in results.values()]),
                "time_inside": np.array([r.inside_us for r in results.values()]) / MINUTE_US,
                "last_exit": np.array(last_exit) / MINUTE_US,
            },
        )
        self._recorder.add(
            "stations",
            {
                "date": self._date(today),
                "unit": np.repeat(names, [len(plan.stations) for plan in plans]),
                "station": np.array([s.name for plan in plans for s in plan.stations]),
                "served": _joined([r.served for r in results.values()]),
                "wait": _joined([r.wait_us for r in results.values()]) / MINUTE_US,
                "max_queue": _joined([r.max_queue for r in results.values()]),
                "busy": _joined([r.busy_us for r in results.values()]) / MINUTE_US,
                "on_duty": _joined([plan.on_duty_us for plan in plans]) / MINUTE_US,
            },
        )

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
            "unit": np.full(minutes.size * names.size, self._names[number]),
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
    """Quantile tables in microseconds and station draws, one for each that differs."""

    def __init__(self) -> None:
        self._known: dict[str, Int64Array] = {}
        self._stations: dict[str, tuple[_StationDraws, ...]] = {}

    def of(self, distribution: Distribution) -> Int64Array:
        """The distribution's quantile table."""
        return self._known.setdefault(repr(distribution), quantile_table(distribution, MINUTE_US))

    def stations(self, unit: Unit, groups: list[str]) -> tuple[_StationDraws, ...]:
        """How the stations of the unit draw; the same object for units that draw alike."""
        settings = {"staff", "shifts", "breaks", "walk_minutes", "overtime_minutes"}
        key = repr([(n, s.model_dump(exclude=settings)) for n, s in unit.stations.items()])
        if key not in self._stations:
            self._stations[key] = tuple(
                _StationDraws(
                    name=name,
                    streams=np.array(
                        [stream_word(Stream.STATION, name, group) for group in groups],
                        dtype=np.uint32,
                    ),
                    share=np.uint64(threshold(station.share)),
                    minutes=self.of(station.minutes),
                    adverse=np.uint64(threshold(station.adverse_event_probability)),
                    adverse_minutes=self.of(station.adverse_event_minutes),
                )
                for name, station in unit.stations.items()
            )
        return self._stations[key]


def _unit_plan(unit: Unit, groups: list[str], tables: _Tables) -> _UnitPlan:
    opens_us, closes_us = unit.opens * MINUTE_US, unit.closes * MINUTE_US
    stations = unit.stations.values()
    steps = [staff_steps(s.staff, s.shifts, s.breaks, unit.opens, unit.closes) for s in stations]
    return _UnitPlan(
        opens_us=opens_us,
        closes_us=closes_us,
        kind=np.array([StationKind[s.kind.upper()] for s in stations], dtype=np.int8),
        step_first=np.cumsum([0] + [times.size for times, _ in steps], dtype=np.int64),
        step_time_us=np.concatenate([times for times, _ in steps]),
        step_staff=np.concatenate([staff for _, staff in steps]),
        latest_start_us=np.array(
            [closes_us + round(s.overtime_minutes * MINUTE_US) for s in stations], dtype=np.int64
        ),
        walk_us=np.array([round(s.walk_minutes * MINUTE_US) for s in stations], dtype=np.int64),
        on_duty_us=np.array(
            [staff_time_us(times, staff, opens_us, closes_us) for times, staff in steps],
            dtype=np.int64,
        ),
        stations=tables.stations(unit, groups),
    )


def _joined(arrays: list[Any]) -> Int64Array:
    """One int64 array of all."""
    return np.concatenate([*arrays, np.empty(0, dtype=np.int64)]).astype(np.int64)


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
