"""The sessions of the vaccination units, day by day.

People come at their appointment, early or late by their own punctuality, or walk in; how long
everything takes them is drawn by person, visit and name of the station. The engine does the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.compilation import allocating_kernel, kernel
from sim.engine.contract import Engine, PatientOutcome, StationKind, UnitSession, UnitSessionResult
from sim.model.audit import SessionAudit
from sim.model.capacity import open_by_day, slots_by_day
from sim.model.order import order_by_place
from sim.model.population import (
    NEVER,
    Population,
    Setback,
    Status,
    TimeProfile,
    fill_times_of_day,
)
from sim.model.records import Diary, Recorder
from sim.model.regimens import Regimens
from sim.model.shifts import staff_steps, staff_time_us
from sim.random_streams import (
    RandomStreams,
    Stream,
    UInt32Array,
    draw,
    fill_blocks,
    quantile,
    quantile_table,
    stream_word,
    threshold,
)
from sim.scenario import HOUR_US, MINUTE_US, Distribution, Scenario, Unit

Int64Array = NDArray[np.int64]

_NOT_REGISTERED = int(Status.NOT_REGISTERED)

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
    on_duty_us: Int64Array
    stations: tuple[str, ...]
    draws: _StationDraws


@dataclass(frozen=True)
class _StationDraws:
    """How what happens to a patient at each of S stations is drawn."""

    streams: NDArray[np.uint32]
    """[S, groups] stream words"""
    share: NDArray[np.uint64]
    """[S] threshold"""
    minutes: Int64Array
    """[S, 2, 4097] quantile tables, of curves or of single values, in microseconds"""
    adverse: NDArray[np.uint64]
    """[S] threshold"""
    adverse_minutes: Int64Array
    """[S, 2, 4097]"""
    walk_streams: NDArray[np.uint32]
    """[S, groups] stream words"""
    walk_minutes: Int64Array
    """[S, 2, 4097]"""
    walk_varies: NDArray[np.bool_]
    """[S]"""


@dataclass(frozen=True)
class Visits:
    """The people who come to the units on one day, by unit, then in order of arrival."""

    people: Int64Array
    unit: NDArray[np.int16]
    walk_in: NDArray[np.bool_]
    arrival_us: Int64Array
    tolerance_us: Int64Array
    """longest wait at a station"""


@dataclass(frozen=True)
class Sessions:
    """Today's sessions patient by patient: a row of `visits` is one of its unit's session."""

    visits: Visits
    sessions: dict[int, UnitSession]
    """what the engine was given, by number of the unit"""
    results: dict[int, UnitSessionResult]


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
    vaccine: NDArray[np.int8]
    """what each of them got"""
    unserved: Int64Array
    """people who were not vaccinated and have not dropped out"""


class _DailyCount(IntEnum):
    """Numbers in the table `daily`."""

    APPOINTMENTS = 0
    WALK_INS = 1
    NO_SHOWS = 2
    ADMINISTERED = 3
    COMPLETED = 4
    NO_DOSE = 5
    LEFT = 6
    LATE = 7
    CLOSED = 8
    DROPPED_OUT = 9


_DAILY_COLUMNS = [count.name.lower() for count in _DailyCount]


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
        self.audit = SessionAudit(scenario)
        self._names = np.array(list(scenario.units))
        self._units = list(scenario.units.values())
        self._groups = list(scenario.groups)
        self.slots = slots_by_day(scenario)
        tables = _Tables()
        self._plans = [_unit_plan(unit, self._groups, tables) for unit in self._units]
        self._drawing_alike = _runs([plan.draws for plan in self._plans])
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
        self._walk_in_profiles = {
            number: TimeProfile(unit, unit.walk_in_times)
            for number, unit in enumerate(self._units)
            if unit.walk_in_times is not None
        }
        self._busiest = np.zeros(len(self._units), dtype=np.int64)
        self._unit_days: dict[int, dict[str, Any]] = {}
        self._visits_noted, self._sessions_noted = Diary(), Diary()
        self.latest: Sessions | None = None
        """The day's sessions, until the next day's."""

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
        in_order = order_by_place(home, luck.astype(np.int64))
        first = np.searchsorted(home[in_order], np.arange(len(self._units) + 1))
        return {
            int(number): who[in_order[first[number] : first[number + 1]]]
            for number in np.flatnonzero(has_walk_ins)
        }

    def hold_sessions(
        self,
        today: int,
        due: Int64Array,
        vials: Int64Array,
        per_vial: Int64Array,
        turn_day: Int64Array,
    ) -> SessionsOfADay:
        """The day's sessions at all units.

        due: people with an appointment today, in the order of their numbers; vials: int64[units, V]
        closed vials on hand (changed in place); per_vial: doses a vial yields; turn_day: first day
        on which each group may be vaccinated (for walk-ins).
        """
        people = self._people
        if not due.size and not self._walk_in_order:
            self.latest = None
            return self._nobody_comes()
        visits, absent = self._visits(today, due, turn_day)
        sessions = self._sessions(today, visits, vials, per_vial)
        results = {n: self._engine.unit_session(session) for n, session in sessions.items()}
        first_day = self._scenario.campaign.first_day
        self.audit.note(first_day + timedelta(days=today), sessions, results)
        self.latest = Sessions(visits, sessions, results)

        opened, used, discarded = (np.zeros_like(vials) for _ in range(3))
        for number, result in results.items():
            opened[number] = result.vials_opened
            used[number] = result.doses_used
            discarded[number] = result.doses_discarded
        vials -= opened
        nothing = np.empty(0, dtype=np.int8)
        vaccine = np.concatenate([nothing, *(r.vaccine for r in results.values())])
        outcome = np.concatenate([nothing, *(r.outcome for r in results.values())])
        jabbed = vaccine >= 0
        setback = np.where(
            outcome[~jabbed] == PatientOutcome.NO_DOSE, Setback.NO_DOSE, Setback.NOT_SERVED
        )
        missed = np.concatenate([visits.people[~jabbed], absent])
        dropped = self._miss(
            missed, np.concatenate([setback, np.full(absent.size, Setback.NO_SHOW)])
        )
        self._note_visits(today, visits, vaccine, outcome, absent, missed[dropped])
        self._note_sessions(today, results)
        people.appointment_day[due] = NEVER
        return SessionsOfADay(
            opened=opened,
            used=used,
            discarded=discarded,
            jabbed=visits.people[jabbed],
            vaccine=vaccine[jabbed],
            unserved=missed[~dropped],
        )

    def _nobody_comes(self) -> SessionsOfADay:
        nothing = np.zeros((len(self._units), self._open_life_us.size), dtype=np.int64)
        nobody = np.empty(0, dtype=np.int64)
        return SessionsOfADay(nothing, nothing, nothing, nobody, nobody.astype(np.int8), nobody)

    # Who comes when -------------------------------------------------------------------------

    def _visit_words(self, who: Int64Array) -> UInt32Array:
        """The four words of VISIT for the present visit of these people."""
        people = self._people
        words = np.empty((4, who.size), dtype=np.uint32)
        _fill_visit_words(
            who,
            people.group,
            people.entity,
            people.tries,
            people.doses,
            self._visit_streams,
            *self._streams.key,
            words,
        )
        return words

    def _visits(
        self, today: int, due: Int64Array, turn_day: Int64Array
    ) -> tuple[Visits, Int64Array]:
        """Everybody who comes, by unit, then in order of arrival; and who stays away."""
        people = self._people
        walking = {n: self._walk_ins(today, n, turn_day) for n in self._walk_in_order}
        walk_ins = _joined(list(walking.values()))
        size = due.size + walk_ins.size
        who = np.empty(size, dtype=np.int64)
        unit = np.empty(size, dtype=np.int16)
        arrival_us = np.empty(size, dtype=np.int64)
        tolerance_us = np.empty(size, dtype=np.int64)
        absent = np.empty(due.size, dtype=np.int64)
        coming = _draw_appointments(
            due,
            self._visit_words(due),
            people.appointment_unit,
            people.appointment_slot,
            self._opens_us,
            self._open_us,
            self.slots[:, today].copy(),
            self._block_us,
            self._no_show,
            self._punctuality,
            self._tolerance,
            who,
            unit,
            arrival_us,
            tolerance_us,
            absent,
        )
        size = coming + walk_ins.size
        who[coming:size] = walk_ins
        unit[coming:size] = np.repeat(
            np.array(list(walking), dtype=np.int16), [who.size for who in walking.values()]
        )
        arrival_us[coming:size] = self._moments(walk_ins, unit[coming:size])
        tolerance_us[coming:size] = draw(self._tolerance, self._visit_words(walk_ins)[3])
        order = order_by_place(unit[:size], arrival_us[:size])
        visits = Visits(
            people=who[order],
            unit=unit[order],
            walk_in=order >= coming,
            arrival_us=arrival_us[order],
            tolerance_us=tolerance_us[order],
        )
        return visits, absent[: due.size - coming]

    def _moments(self, walk_ins: Int64Array, unit: NDArray[np.int16]) -> Int64Array:
        """When people walk in: by the unit's profile, else uniform between opening and closing."""
        people = self._people
        streams = self._walk_in_streams[people.group[walk_ins]]
        words = self._streams.blocks(streams, people.entity[walk_ins])
        after_us = (words[0].astype(np.int64) * (self._open_us[unit] >> 16)) >> 16
        moments = np.asarray(self._opens_us[unit] + after_us)
        for number, profile in self._walk_in_profiles.items():
            here = unit == number
            times_us = np.empty(int(here.sum()), dtype=np.int64)
            fill_times_of_day(*profile.hours, words[0, here], words[2, here], times_us)
            moments[here] = times_us
        return moments

    def _walk_ins(self, today: int, number: int, turn_day: Int64Array) -> Int64Array:
        """Who walks in today: a Poisson number of the unregistered of its catchment, by turn."""
        if not self._open[number, today]:
            return np.empty(0, dtype=np.int64)
        stream = stream_word(Stream.WALK_IN, str(self._names[number]))
        wanted = _poisson(
            self._units[number].walk_ins_per_day, int(self._streams.blocks(stream, today)[0, 0])
        )
        people, order = self._people, self._walk_in_order[number]
        begin, coming = _first_walk_ins(order, people.status, people.group, turn_day, today, wanted)
        self._walk_in_order[number] = order[begin:]
        return np.asarray(coming)

    # What the engine needs ------------------------------------------------------------------

    def _sessions(
        self, today: int, visits: Visits, vials: Int64Array, per_vial: Int64Array
    ) -> dict[int, UnitSession]:
        """The engine's input for every unit that somebody comes to."""
        preference = self._preference(today, visits)
        first = np.searchsorted(visits.unit, np.arange(len(self._plans) + 1)).tolist()
        sessions = {}
        for units, draws in self._drawing_alike:
            begin, end = first[units.start], first[units.stop]
            visited, service_us, walk_us = self._draw_stations(visits.people[begin:end], draws)
            for n in units:
                plan, rows = self._plans[n], slice(first[n], first[n + 1])
                drawn = slice(rows.start - begin, rows.stop - begin)
                if rows.start == rows.stop:
                    continue
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
                    arrival_us=visits.arrival_us[rows],
                    visits=visited[drawn],
                    service_us=service_us[drawn],
                    walk_us=walk_us[drawn],
                    tolerance_us=visits.tolerance_us[rows],
                    preference=preference[rows],
                )
        return sessions

    def _draw_stations(
        self, who: Int64Array, draws: _StationDraws
    ) -> tuple[NDArray[np.bool_], Int64Array, Int64Array]:
        """Whether they visit each station, how long that takes, and the walk to it: [n, S]."""
        people = self._people
        visited = np.empty((who.size, draws.share.size), dtype=np.bool_)
        service_us = np.empty(visited.shape, dtype=np.int64)
        walk_us = np.empty(visited.shape, dtype=np.int64)
        _fill_stations(
            who,
            people.group,
            people.entity,
            people.tries,
            people.doses,
            draws.streams,
            *self._streams.key,
            draws.share,
            draws.minutes,
            draws.adverse,
            draws.adverse_minutes,
            draws.walk_streams,
            draws.walk_minutes,
            draws.walk_varies,
            visited,
            service_us,
            walk_us,
        )
        return visited, service_us, walk_us

    def _preference(self, today: int, visits: Visits) -> NDArray[np.int8]:
        """The vaccine of the appointment; for a first dose then any other that is given first."""
        people, choices = self._people, self._regimens.first_choices[today]
        preference = np.full((visits.people.size, choices.size), -1, dtype=np.int8)
        _fill_preference(
            visits.people,
            visits.walk_in,
            choices,
            people.appointment_vaccine,
            people.doses,
            preference,
        )
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

    def _note_visits(
        self,
        today: int,
        visits: Visits,
        vaccine: NDArray[np.int8],
        outcome: NDArray[np.int8],
        absent: Int64Array,
        dropped: Int64Array,
    ) -> None:
        """Count by unit, group and dose, where there is anything to say."""
        people, groups = self._people, len(self._groups)
        counts = np.zeros((len(self._units) * groups * 2, len(_DailyCount)), dtype=np.int64)
        _count_daily(
            visits.people,
            visits.unit,
            visits.walk_in,
            vaccine,
            outcome,
            absent,
            dropped,
            people.group,
            people.doses,
            people.appointment_unit,
            groups,
            self._regimens.completes[today],
            counts,
        )
        some = np.flatnonzero(counts[:, _DailyCount.APPOINTMENTS] + counts[:, _DailyCount.WALK_INS])
        self._visits_noted.note(
            date=np.full(some.size, self._date(today)), cell=some, counts=counts[some]
        )

    def _note_sessions(self, today: int, results: dict[int, UnitSessionResult]) -> None:
        """Note each session."""
        if not results:
            return
        units = np.array(list(results))
        first = np.cumsum([0, *(r.outcome.size for r in results.values())])[:-1]
        admitted = _joined([r.outcome for r in results.values()]) != PatientOutcome.CLOSED
        patients = np.add.reduceat(admitted, first, dtype=np.int64)
        exit_us = np.where(admitted, _joined([r.exit_us for r in results.values()]), 0)
        if self._streams.replication == 0:
            for n, number in zip(results, patients.tolist(), strict=True):
                if number > self._busiest[n]:
                    self._busiest[n] = number
                    self._unit_days[n] = self._unit_day(today, n, results[n])
        self._sessions_noted.note(
            date=np.full(units.size, self._date(today)),
            unit=units,
            patients=patients,
            last_exit_us=np.maximum(np.maximum.reduceat(exit_us, first), self._opens_us[units]),
        )
        for result in results.values():
            self._sessions_noted.note(
                max_inside=result.max_inside,
                inside_us=result.inside_us,
                served=result.served,
                wait_us=result.wait_us,
                max_queue=result.max_queue,
                busy_us=result.busy_us,
            )

    def record(self) -> None:
        """Record the days when the campaign is over."""
        if self._visits_noted:
            self._record_visits()
        if self._sessions_noted:
            self._record_sessions()
        for number in sorted(self._unit_days):
            self._recorder.add("unit_day", self._unit_days[number])

    def _record_visits(self) -> None:
        """Rows by unit, group and dose."""
        noted, groups = self._visits_noted, np.array(self._groups)
        cell = noted.joined("cell")
        self._recorder.add(
            "daily",
            {
                "date": noted.joined("date"),
                "unit": self._names[cell // (2 * groups.size)],
                "group": groups[cell // 2 % groups.size],
                "dose": cell % 2 + 1,
                **dict(zip(_DAILY_COLUMNS, noted.joined("counts").T, strict=True)),
            },
        )

    def _record_sessions(self) -> None:
        """A row a session, and a row a station of it."""
        noted = self._sessions_noted
        dates, units = noted.joined("date"), noted.joined("unit")
        plans = [self._plans[n] for n in units.tolist()]
        names = self._names[units]
        closes_us = self._opens_us[units] + self._open_us[units]
        self._recorder.add(
            "sessions",
            {
                "date": dates,
                "unit": names,
                "open_minutes": self._open_us[units] / MINUTE_US,
                "patients": noted.joined("patients"),
                "max_inside": noted["max_inside"],
                "time_inside": noted["inside_us"] / MINUTE_US,
                "last_exit": (noted.joined("last_exit_us") - closes_us) / MINUTE_US,
            },
        )
        stations = [len(plan.stations) for plan in plans]
        self._recorder.add(
            "stations",
            {
                "date": np.repeat(dates, stations),
                "unit": np.repeat(names, stations),
                "station": np.array([name for plan in plans for name in plan.stations]),
                "served": noted.joined("served"),
                "wait": noted.joined("wait_us") / MINUTE_US,
                "max_queue": noted.joined("max_queue"),
                "busy": noted.joined("busy_us") / MINUTE_US,
                "on_duty": np.concatenate([plan.on_duty_us for plan in plans]) / MINUTE_US,
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
        names = np.array(plan.stations)
        return {
            "date": np.full(minutes.size * names.size, self._date(today)),
            "unit": np.full(minutes.size * names.size, self._names[number]),
            "station": np.repeat(names, minutes.size),
            "minute": np.tile(minutes, names.size),
            "waiting": np.concatenate(waiting),
            "in_service": np.concatenate(in_service),
        }

    def _date(self, today: int) -> np.datetime64:
        return np.datetime64(self._scenario.campaign.first_day) + today


class _Tables:
    """Quantile tables in microseconds and station draws, one for each that differs."""

    def __init__(self) -> None:
        self._known: dict[str, Int64Array] = {}
        self._stations: dict[str, _StationDraws] = {}

    def of(self, distribution: Distribution) -> Int64Array:
        """The distribution's quantile table."""
        key = repr(distribution)
        if key not in self._known:
            self._known[key] = quantile_table(distribution, MINUTE_US)
        return self._known[key]

    def stations(self, unit: Unit, groups: list[str]) -> _StationDraws:
        """How the stations of the unit draw; the same object for units that draw alike."""
        settings = {"staff", "shifts", "breaks", "overtime_minutes"}
        key = repr([(n, s.model_dump(exclude=settings)) for n, s in unit.stations.items()])
        stations = unit.stations.values()
        if key not in self._stations:
            streams, walk_streams = (
                np.array(
                    [[stream_word(stream, n, g) for g in groups] for n in unit.stations],
                    dtype=np.uint32,
                )
                for stream in (Stream.STATION, Stream.WALK)
            )
            walk_minutes = np.stack([self.of(s.walk_minutes) for s in stations])
            self._stations[key] = _StationDraws(
                streams=streams,
                share=np.array([threshold(s.share) for s in stations], dtype=np.uint64),
                minutes=np.stack([self.of(s.minutes) for s in stations]),
                adverse=np.array(
                    [threshold(s.adverse_event_probability) for s in stations], dtype=np.uint64
                ),
                adverse_minutes=np.stack([self.of(s.adverse_event_minutes) for s in stations]),
                walk_streams=walk_streams,
                walk_minutes=walk_minutes,
                walk_varies=walk_minutes[:, 0, 0] < walk_minutes[:, 1, -1],
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
        on_duty_us=np.array(
            [staff_time_us(times, staff, opens_us, closes_us) for times, staff in steps],
            dtype=np.int64,
        ),
        stations=tuple(unit.stations),
        draws=tables.stations(unit, groups),
    )


def _runs(draws: list[_StationDraws]) -> list[tuple[range, _StationDraws]]:
    """Units one after the other that draw alike, and how."""
    runs: list[tuple[range, _StationDraws]] = []
    for n, each in enumerate(draws):
        alike = bool(runs) and runs[-1][1] is each
        begin = runs.pop()[0].start if alike else n
        runs.append((range(begin, n + 1), each))
    return runs


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


@kernel
def _draw_appointments(  # type: ignore[no-untyped-def]
    due,
    words,
    appointment_unit,
    appointment_slot,
    opens_us,
    open_us,
    slots,
    block_us,
    no_show,
    punctuality,
    tolerance,
    out_coming,
    out_unit,
    out_arrival_us,
    out_tolerance_us,
    out_absent,
):
    """Who of those due comes, when, and how patient; and who stays away. Returns how many come.

    The k-th appointment of a day is at its place between opening and closing.
    """
    coming = absent = 0
    for i in range(due.size):
        person = due[i]
        if words[0, i] < no_show:
            out_absent[absent] = person
            absent += 1
            continue
        unit = appointment_unit[person]
        after_us = appointment_slot[person] * open_us[unit] // max(slots[unit], 1)
        if block_us:
            after_us = after_us // block_us * block_us
        out_coming[coming] = person
        out_unit[coming] = unit
        early_or_late_us = quantile(punctuality, words[1, i])
        out_arrival_us[coming] = max(opens_us[unit] + after_us + early_or_late_us, 0)
        out_tolerance_us[coming] = quantile(tolerance, words[3, i])
        coming += 1
    return coming


@kernel
def _fill_preference(visitors, walk_in, choices, appointment_vaccine, doses, out):  # type: ignore[no-untyped-def]
    for i in range(visitors.size):
        person = visitors[i]
        wanted = choices[0] if walk_in[i] else appointment_vaccine[person]
        out[i, 0] = wanted
        if doses[person] == 0 and wanted >= 0:
            place = 1
            for vaccine in choices:
                if vaccine >= 0 and vaccine != wanted:
                    out[i, place] = vaccine
                    place += 1


@allocating_kernel
def _visit_numbers(who, tries, doses):  # type: ignore[no-untyped-def]
    """Numbers of the present visits of these people, for random streams."""
    numbers = np.empty(who.size, dtype=np.uint32)
    for i in range(who.size):
        numbers[i] = tries[who[i]] + SECOND_DOSE_TRIES * np.int64(doses[who[i]])
    return numbers


@allocating_kernel
def _fill_visit_words(  # type: ignore[no-untyped-def]
    who, group, entity, tries, doses, streams, replication, seed_low, seed_high, out
):
    numbers = _visit_numbers(who, tries, doses)
    fill_blocks(entity[who], numbers, streams[group[who]], replication, seed_low, seed_high, out)


@allocating_kernel
def _fill_stations(  # type: ignore[no-untyped-def]
    who,
    group,
    entity,
    tries,
    doses,
    streams,
    replication,
    seed_low,
    seed_high,
    share,
    minutes,
    adverse,
    adverse_minutes,
    walk_streams,
    walk_minutes,
    walk_varies,
    out_visits,
    out_service_us,
    out_walk_us,
):
    """Whether each patient visits each station, how long that takes, and the walk to it."""
    words = np.empty((4, who.size), dtype=np.uint32)
    entities, groups, numbers = entity[who], group[who], _visit_numbers(who, tries, doses)
    for s in range(share.size):
        stream = streams[s][groups]
        fill_blocks(entities, numbers, stream, replication, seed_low, seed_high, words)
        for i in range(who.size):
            out_visits[i, s] = words[0, i] < share[s]
            out_service_us[i, s] = quantile(minutes[s], words[1, i])
            if words[2, i] < adverse[s]:
                out_service_us[i, s] += quantile(adverse_minutes[s], words[3, i])
            out_walk_us[i, s] = walk_minutes[s, 0, 0]
        if walk_varies[s]:
            stream = walk_streams[s][groups]
            fill_blocks(entities, numbers, stream, replication, seed_low, seed_high, words)
            for i in range(who.size):
                out_walk_us[i, s] = quantile(walk_minutes[s], words[0, i])


@kernel
def _count_daily(  # type: ignore[no-untyped-def]
    visitors,
    visited_unit,
    walk_in,
    vaccine,
    outcome,
    absent,
    dropped,
    group,
    doses,
    appointment_unit,
    groups,
    completes,
    out,
):
    """Count visits, and appointments missed, by unit, group and dose (int64[cells, numbers])."""
    for i in range(visitors.size):
        person = visitors[i]
        cell = (visited_unit[i] * groups + group[person]) * 2 + doses[person]
        out[cell, _DailyCount.WALK_INS if walk_in[i] else _DailyCount.APPOINTMENTS] += 1
        if vaccine[i] >= 0:
            out[cell, _DailyCount.ADMINISTERED] += 1
            out[cell, _DailyCount.COMPLETED] += doses[person] > 0 or completes[vaccine[i]]
        elif outcome[i] == PatientOutcome.NO_DOSE:
            out[cell, _DailyCount.NO_DOSE] += 1
        elif outcome[i] == PatientOutcome.LEFT:
            out[cell, _DailyCount.LEFT] += 1
        elif outcome[i] == PatientOutcome.LATE:
            out[cell, _DailyCount.LATE] += 1
        elif outcome[i] == PatientOutcome.CLOSED:
            out[cell, _DailyCount.CLOSED] += 1
    for person in absent:
        cell = (appointment_unit[person] * groups + group[person]) * 2 + doses[person]
        out[cell, _DailyCount.APPOINTMENTS] += 1
        out[cell, _DailyCount.NO_SHOWS] += 1
    for person in dropped:
        cell = (appointment_unit[person] * groups + group[person]) * 2 + doses[person]
        out[cell, _DailyCount.DROPPED_OUT] += 1


@allocating_kernel
def _first_walk_ins(order, status, group, turn_day, today, wanted):  # type: ignore[no-untyped-def]
    """The first so many in the order who are not registered and whose turn has come.

    Returns where the order begins from now on, and them. Those passed over whose turn is still to
    come move up to that place; the others (registered for good) are out.
    """
    coming = np.empty(min(wanted, order.size), dtype=order.dtype)
    found = seen = early = 0
    while found < wanted and seen < order.size:
        person = order[seen]
        seen += 1
        if status[person] != _NOT_REGISTERED:
            continue
        if turn_day[group[person]] <= today:
            coming[found] = person
            found += 1
        else:
            order[early] = person
            early += 1
    begin = seen - early
    for i in range(early - 1, -1, -1):
        order[begin + i] = order[i]
    return begin, coming[:found]
