"""The sessions of the vaccination units, day by day.

People come at their appointment, early or late by their own punctuality, or walk in; how long
everything takes them is drawn by person, visit and name of the station. The engine does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from sim.compilation import allocating_kernel, kernel
from sim.engine.contract import Engine, PatientOutcome, UnitSession, UnitSessionResult
from sim.model.audit import SessionAudit
from sim.model.capacity import slots_by_day
from sim.model.population import NEVER, Population, Setback, Status
from sim.model.records import Recorder
from sim.model.regimens import Regimens
from sim.model.unit_diary import UnitDiary
from sim.model.unit_plan import QuantileTables, StationDraws, runs_that_draw_alike, unit_plan
from sim.model.unit_visits import Visitors, Visits, visit_numbers
from sim.random_streams import RandomStreams, fill_blocks, quantile, threshold
from sim.scenario import HOUR_US, Scenario

Int64Array = NDArray[np.int64]


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


class VaccinationUnits:
    """All units, and their sessions."""

    def __init__(
        self,
        scenario: Scenario,
        streams: RandomStreams,
        people: Population,
        engine: Engine,
        recorder: Recorder,
        regimens: Regimens,
    ) -> None:
        self._streams, self._people, self._engine, self._regimens = (
            streams, people, engine, regimens,
        )  # fmt: skip
        self._first_day = scenario.campaign.first_day
        self.audit = SessionAudit(scenario)
        self._recorder = recorder
        self.slots = slots_by_day(scenario)
        tables, groups = QuantileTables(), list(scenario.groups)
        self._plans = [unit_plan(unit, groups, tables) for unit in scenario.units.values()]
        self._drawing_alike = runs_that_draw_alike([plan.draws for plan in self._plans])
        self._visitors = Visitors(scenario, streams, people, self._plans, tables, self.slots)
        self._diary = UnitDiary(
            scenario, people, regimens, self._plans, recorder, streams.replication == 0
        )
        appointments = scenario.appointments
        self._rebook_no_show = np.uint64(threshold(appointments.rebook_after_no_show))
        self._rebook_turned_away = np.uint64(threshold(appointments.rebook_after_turned_away))
        self._open_life_us = np.array(
            [round(v.open_vial_hours * HOUR_US) for v in scenario.vaccines.values()],
            dtype=np.int64,
        )
        self.latest: Sessions | None = None
        """The day's sessions, until the next day's."""

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
        if not due.size and not self._visitors.may_walk_in:
            self.latest = None
            return self._nobody_comes()
        visits, absent = self._visitors.today(today, due, turn_day)
        sessions = self._sessions(today, visits, vials, per_vial)
        results = {n: self._engine.unit_session(session) for n, session in sessions.items()}
        self.audit.note(self._first_day + timedelta(days=today), sessions, results)
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
        jabbed, given, missed, setback = _who_was_vaccinated(
            visits.people, vaccine, outcome, absent
        )
        dropped, unserved = self._miss(missed, setback)
        self._diary.note_visits(today, visits, vaccine, outcome, absent, dropped)
        self._diary.note_sessions(today, results)
        people.appointment_day[due] = NEVER
        return SessionsOfADay(
            opened=opened,
            used=used,
            discarded=discarded,
            jabbed=jabbed,
            vaccine=given,
            unserved=unserved,
        )

    def _nobody_comes(self) -> SessionsOfADay:
        nothing = np.zeros((len(self._plans), self._open_life_us.size), dtype=np.int64)
        nobody = np.empty(0, dtype=np.int64)
        return SessionsOfADay(nothing, nothing, nothing, nobody, nobody.astype(np.int8), nobody)

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
        self, who: Int64Array, draws: StationDraws
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

    def _miss(self, who: Int64Array, setback: NDArray[np.int8]) -> tuple[Int64Array, Int64Array]:
        """Note why they were not vaccinated; returns those who drop out, and the others."""
        people = self._people
        dropped, others = _note_missed(
            who,
            setback,
            self._visitors.words(who)[2],
            self._rebook_no_show,
            self._rebook_turned_away,
            people.status,
            people.setback,
            people.tries,
        )
        return dropped, others

    def record(self) -> None:
        """Record the days when the campaign is over."""
        self._diary.record()
        for rows in self.audit.durations():
            self._recorder.add("durations", rows)


_BOOKED, _WAITING, _DROPPED_OUT = map(int, (Status.BOOKED, Status.WAITING, Status.DROPPED_OUT))
_NO_DOSE, _NOT_SERVED, _NO_SHOW = map(int, (Setback.NO_DOSE, Setback.NOT_SERVED, Setback.NO_SHOW))


@allocating_kernel
def _who_was_vaccinated(visitors, vaccine, outcome, absent):  # type: ignore[no-untyped-def]
    """Who was vaccinated, and with what; who was not, the absent last, and why."""
    jabbed, given = np.empty_like(visitors), np.empty_like(vaccine)
    size = visitors.size + absent.size
    missed, setback = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int8)
    jabs = misses = 0
    for i in range(visitors.size):
        if vaccine[i] >= 0:
            jabbed[jabs], given[jabs] = visitors[i], vaccine[i]
            jabs += 1
        else:
            missed[misses] = visitors[i]
            setback[misses] = _NO_DOSE if outcome[i] == PatientOutcome.NO_DOSE else _NOT_SERVED
            misses += 1
    for person in absent:
        missed[misses], setback[misses] = person, _NO_SHOW
        misses += 1
    return jabbed[:jabs], given[:jabs], missed[:misses], setback[:misses]


@allocating_kernel
def _note_missed(  # type: ignore[no-untyped-def]
    who, why, words, rebook_no_show, rebook_turned_away, status, setback, tries
):
    """Note why people were not vaccinated; returns those who drop out, and the others.

    A walk-in who is not served stays unregistered and may still book.
    """
    dropped, others = np.empty_like(who), np.empty_like(who)
    drops = 0
    for i in range(who.size):
        person = who[i]
        setback[person] = why[i]
        tries[person] += 1
        rebooks = words[i] < (rebook_no_show if why[i] == _NO_SHOW else rebook_turned_away)
        if status[person] == _BOOKED and not rebooks:
            status[person] = _DROPPED_OUT
            dropped[drops] = person
            drops += 1
            continue
        if status[person] == _BOOKED:
            status[person] = _WAITING
        others[i - drops] = person
    return dropped[:drops], others[: who.size - drops]


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
    entities, groups, numbers = entity[who], group[who], visit_numbers(who, tries, doses)
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
