"""The audit of sessions and call-centre days: what single calls and patients come to.

Days are noted as they are simulated; when the campaign is over, every law is held against every
session and day (`enter`). The first that does not hold raises AuditError with what, where, when,
expected and found; of the others a row each is left in the `Ledger`.

**Little's law** has two sides that are not the same computation. On the left is *time in state*:
the numbers by which the engine decides (callers waiting, lines in use, agents and staff at work),
multiplied by the time for which they hold, as its clock goes on. On the right are the times of the
single calls and patients, from their own records. They agree only if every arrival and departure
changed the number once, at the recorded time; a call that frees its line twice, a service that
lasts longer than recorded, or somebody lost makes them differ. One queue is an exception: the
compiled engine serves a station's queue patient by patient and has no counter of those who wait,
so it counts them afterwards along the sorted times of joining and leaving. (The reference engine
has the counter, and the two are equal in the tests.) Therefore another law stands beside it:
`time_inside`, from arrival to exit, is the sum of the waits, the services and the walks drawn.

**Time in state** sums to all time: work is from the records of calls and patients, idleness from
the engine's counters, time off duty from the scenario's shifts. Work beyond the number on duty is
what was begun before somebody went off: at most the longest service for each of them. (Of trunk
lines and of people only the time in use is recorded: the rest is free by definition, which would
be no check.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.compilation import kernel
from sim.engine.contract import (
    CallCentreDayResult,
    CallCount,
    CallOutcome,
    PatientOutcome,
    StationKind,
    UnitSession,
    UnitSessionResult,
)
from sim.model.durations import CLASSES, duration_class, duration_rows
from sim.model.ledger import Ledger
from sim.model.shifts import staff_steps, staff_time_us
from sim.scenario import MINUTE_US, Scenario

Int64Array = NDArray[np.int64]


class _Notes:
    """Rows of numbers with names, one row a case, as they come."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._rows: list[Int64Array] = []

    def add(self, rows: Int64Array) -> None:
        """Append a row, or several."""
        self._rows.append(rows)

    def columns(self) -> dict[str, Int64Array]:
        """One array for each name."""
        empty = np.empty((0, len(self._names)), dtype=np.int64)
        columns = np.ascontiguousarray(np.vstack([empty, *self._rows]).T)
        return dict(zip(self._names, columns, strict=True))


# Sessions -------------------------------------------------------------------------------------

_OF_STATION = (
    "day", "unit", "station",
    "waits", "work", "drawn", "worked", "longest",
    "on_duty", "all", "went_off",
    "queue", "service", "idle", "beyond",
    "table",
)  # fmt: skip
"""waits, work: of the patients. drawn: service times of those who started (an observation until
its length after the jab). worked: work until closing. longest: service. on_duty, all: time on duty,
and time of the most staff on duty, from opening to closing. went_off: how many before closing.
queue, service, idle, beyond: the engine's time in state. table: waits and work in the tables."""
(
    _DAY, _UNIT, _STATION,
    _WAITS, _WORK, _DRAWN, _WORKED, _LONGEST,
    _ON_DUTY, _ALL, _WENT_OFF,
    _QUEUE, _SERVICE, _IDLE, _BEYOND,
    _TABLE,
) = range(len(_OF_STATION))  # fmt: skip

_OF_SESSION = ("day", "unit", "stays", "parts", "table")
"""parts: the walks, waits and services of the stays"""

_OF_VACCINE = ("day", "unit", "vaccine", "drawn", "used_or_discarded", "used", "jabs")
"""drawn: doses in opened vials"""


class SessionAudit:
    """What the sessions of a campaign come to."""

    def __init__(self, scenario: Scenario) -> None:
        self._units = list(scenario.units)
        self._vaccines = list(scenario.vaccines)
        self._opens_us = [unit.opens * MINUTE_US for unit in scenario.units.values()]
        names = [name for unit in scenario.units.values() for name in unit.stations]
        self._names = list(dict.fromkeys(names))
        self._stations = [
            np.array([self._names.index(name) for name in unit.stations])
            for unit in scenario.units.values()
        ]
        self._by_station = _Notes(*_OF_STATION)
        self._by_session = _Notes(*_OF_SESSION)
        self._by_vaccine = _Notes(*_OF_VACCINE)
        self._waits = np.zeros((len(self._names), CLASSES), dtype=np.int64)
        self._stays = np.zeros(CLASSES, dtype=np.int64)

    def note(
        self,
        day: date,
        sessions: Mapping[int, UnitSession],
        results: Mapping[int, UnitSessionResult],
    ) -> None:
        """Note a day's sessions, by number of the unit."""
        stations = np.zeros(
            (sum(self._stations[unit].size for unit in sessions), len(_OF_STATION)), dtype=np.int64
        )
        whole = np.zeros((len(sessions), len(_OF_SESSION)), dtype=np.int64)
        doses = np.zeros((len(sessions) * len(self._vaccines), len(_OF_VACCINE)), dtype=np.int64)
        first = 0
        for place, (unit, session) in enumerate(sessions.items()):
            result, last = results[unit], first + self._stations[unit].size
            vaccine = place * len(self._vaccines)
            _note_session(
                day.toordinal(),
                unit,
                self._stations[unit],
                self._opens_us[unit],
                session.closes_us,
                session.kind,
                session.step_first,
                session.step_time_us,
                session.step_staff,
                session.doses_per_vial,
                session.arrival_us,
                session.service_us,
                session.walk_us,
                result.outcome,
                result.vaccine,
                result.jab_us,
                result.exit_us,
                result.join_us,
                result.start_us,
                result.end_us,
                result.queue_us,
                result.service_us,
                result.idle_us,
                result.beyond_us,
                result.wait_us,
                result.busy_us,
                result.inside_us,
                result.vials_opened,
                result.doses_used,
                result.doses_discarded,
                stations[first:last],
                whole[place],
                doses[vaccine : vaccine + len(self._vaccines)],
                self._waits,
                self._stays,
            )
            first = last
        self._by_station.add(stations)
        self._by_session.add(whole)
        self._by_vaccine.add(doses)

    def durations(self) -> Iterator[dict[str, Any]]:
        """Rows of the table `durations`: waits at each station, and stays."""
        for name, counts in zip(self._names, self._waits, strict=True):
            yield duration_rows("station", name, counts)
        yield duration_rows("stay", "", self._stays)

    def enter(self, ledger: Ledger) -> None:
        """Hold the laws against every session. Raises AuditError."""
        whole = self._by_session.columns()
        where = self._where(whole)
        ledger.equal("time_inside", "units", whole["stays"], whole["parts"], where)
        ledger.equal("recorded", "stays", whole["table"], whole["stays"], where)
        stations = self._by_station.columns()
        where = self._where(stations)
        single = stations["waits"] + stations["work"]
        ledger.equal("recorded", "waits and services", stations["table"], single, where)
        at_most = stations["went_off"] * stations["longest"]
        ledger.at_most("beyond_duty", "stations", stations["beyond"], at_most, where)
        for number, name in enumerate(self._names):
            mine = stations["station"] == number
            here = {column: values[mine] for column, values in stations.items()}
            where = self._where(here)
            ledger.equal("littles_law", f"queue: {name}", here["queue"], here["waits"], where)
            ledger.equal("littles_law", f"service: {name}", here["service"], here["work"], where)
            ledger.equal("work", name, here["work"], here["drawn"], where)
            busy = here["worked"] - here["beyond"]
            _enter_states(ledger, name, busy, here["idle"], here["on_duty"], here["all"], where)
        doses = self._by_vaccine.columns()
        for number, name in enumerate(self._vaccines):
            mine = doses["vaccine"] == number
            here = {column: values[mine] for column, values in doses.items()}
            where = self._where(here)
            ledger.equal("vials", name, here["drawn"], here["used_or_discarded"], where)
            ledger.equal("jabs", name, here["used"], here["jabs"], where)

    def _where(self, columns: Mapping[str, Int64Array]) -> Callable[[int], str]:
        def named(at: int) -> str:
            day = date.fromordinal(int(columns["day"][at]))
            unit = f"date {day}, unit {self._units[columns['unit'][at]]}"
            if "station" not in columns:
                return unit
            return f"{unit}, station {self._names[columns['station'][at]]}"

        return named


def _enter_states(
    ledger: Ledger,
    name: str,
    busy: Int64Array,
    idle: Int64Array,
    on_duty: Int64Array,
    everything: Int64Array,
    where: Callable[[int], str],
) -> None:
    """Times in states within opening hours: on duty and at work, idle, off duty."""
    off = everything - on_duty
    ledger.equal("times_in_states", name, busy + idle + off, everything, where)
    for state, time in (("at work", busy), ("idle", idle), ("off duty", off)):
        total, all_time = np.array([time.sum()]), np.array([everything.sum()])
        ledger.at_most("time_in_state", f"{name}: {state}", total, all_time, lambda at: "campaign")
    ledger.at_most("utilisation", name, busy, on_duty, where)


@kernel
def _note_session(  # type: ignore[no-untyped-def]
    day,
    unit,
    numbers,
    opens_us,
    closes_us,
    kind,
    step_first,
    step_time_us,
    step_staff,
    doses_per_vial,
    arrival_us,
    drawn_us,
    walk_us,
    outcome,
    vaccine,
    jab_us,
    exit_us,
    join_us,
    start_us,
    end_us,
    queue_us,
    service_us,
    idle_us,
    beyond_us,
    wait_us,
    busy_us,
    inside_us,
    vials_opened,
    doses_used,
    doses_discarded,
    stations,
    session,
    doses,
    waits,
    lengths_of_stay,
):
    """Fill the rows of a session's stations, its own, and those of the vaccines.

    Count the waits of those served, by station, and the stays, by their length.
    """
    _add_up_shifts(opens_us, closes_us, step_first, step_time_us, step_staff, stations)
    parts = stays = 0
    for patient in range(arrival_us.size):
        if outcome[patient] != PatientOutcome.CLOSED:
            stay = exit_us[patient] - arrival_us[patient]
            stays += stay
            lengths_of_stay[duration_class(stay)] += 1
        if vaccine[patient] >= 0:
            doses[vaccine[patient], 6] += 1
        for s in range(kind.size):
            join, start, end = join_us[patient, s], start_us[patient, s], end_us[patient, s]
            if join < 0:
                continue
            row = stations[s]
            parts += walk_us[patient, s]
            if start < 0:  # left the queue
                row[_WAITS] += end - join
                continue
            row[_WAITS] += start - join
            waits[numbers[s], duration_class(start - join)] += 1
            row[_WORK] += end - start
            row[_WORKED] += max(min(end, closes_us) - start, 0)
            row[_LONGEST] = max(row[_LONGEST], end - start)
            if kind[s] == StationKind.OBSERVATION:
                row[_DRAWN] += max(jab_us[patient] + drawn_us[patient, s] - start, 0)
            else:
                row[_DRAWN] += drawn_us[patient, s]
    for s in range(kind.size):
        row = stations[s]
        parts += row[_WAITS] + row[_WORK]
        row[_DAY], row[_UNIT], row[_STATION] = day, unit, numbers[s]
        row[_QUEUE], row[_SERVICE] = queue_us[s], service_us[s]
        row[_IDLE], row[_BEYOND] = idle_us[s], beyond_us[s]
        row[_TABLE] = wait_us[s] + busy_us[s]

    for v in range(doses_per_vial.size):
        drawn = vials_opened[v] * doses_per_vial[v]
        doses[v, 0], doses[v, 1], doses[v, 2], doses[v, 3] = day, unit, v, drawn
        doses[v, 4], doses[v, 5] = doses_used[v] + doses_discarded[v], doses_used[v]
    session[0], session[1], session[2], session[3], session[4] = day, unit, stays, parts, inside_us


@kernel
def _add_up_shifts(opens_us, closes_us, step_first, step_time_us, step_staff, rows):  # type: ignore[no-untyped-def]
    """Fill what is from the shifts."""
    begins = opens_us
    for time in step_time_us:
        begins = min(begins, time)
    for s in range(step_first.size - 1):
        most = on_duty = went_off = staff = 0
        since = begins
        for step in range(step_first[s], step_first[s + 1]):
            until = min(step_time_us[step], closes_us)
            on_duty += staff * (until - since)
            since = until
            if step_time_us[step] < closes_us:
                went_off += max(staff - step_staff[step], 0)
                most = max(most, step_staff[step])
                staff = step_staff[step]
        rows[s, _ON_DUTY] = on_duty + staff * (closes_us - since)
        rows[s, _ALL] = most * (closes_us - begins)
        rows[s, _WENT_OFF] = went_off


# The call centre ------------------------------------------------------------------------------


class CallAudit:
    """What the days of the call centre come to."""

    def __init__(self, scenario: Scenario) -> None:
        centre = scenario.call_centre
        self._pools = list(centre.pools)
        opens_us, closes_us = centre.opens * MINUTE_US, centre.closes * MINUTE_US
        self._open_us = closes_us - opens_us
        self._lines = centre.lines
        self._on_duty, self._most, self._went_off = [], [], []
        for pool in centre.pools.values():
            times, agents = staff_steps(
                pool.agents, pool.shifts, pool.breaks, centre.opens, centre.closes
            )
            self._on_duty.append(staff_time_us(times, agents, opens_us, closes_us))
            self._most.append(int(agents.max(initial=0)))
            self._went_off.append(int(np.maximum(-np.diff(agents), 0).sum()))
        self._by_day = _Notes(
            "waiting", "waits", "lines", "lines_open", "talks", "max_lines", "longest",
            "offered", "attempts", "counted_answers", "answers", "callers_answered", "outcomes",
            "waits_answered", "waits_of_callers", "pool_talks", "wrap_ups", "day",
        )  # fmt: skip
        self._by_pool = _Notes("talking", "talks", "worked", "idle", "beyond", "day", "pool")
        self._waits = np.zeros(CLASSES, dtype=np.int64)

    def note(self, day: date, result: CallCentreDayResult) -> None:
        """Note a day on which the centre was open."""
        counts = result.counts.sum(axis=(0, 1))
        attempts, answers, answered, outcomes, waits, talks, longest = _add_up_callers(
            result.outcome, result.attempts, result.answers, result.wait_us, result.handled_us,
            self._waits,
        )  # fmt: skip
        talks_by_pool = result.pool_busy_us + result.pool_overtime_us
        self._by_day.add(
            np.array(
                [
                    result.waiting_us, counts[CallCount.WAIT_ALL_US], result.lines_us,
                    result.lines_open_us, talks, result.max_lines, longest,
                    counts[CallCount.OFFERED], attempts, counts[CallCount.ANSWERED], answers,
                    answered, outcomes, counts[CallCount.WAIT_ANSWERED_US], waits,
                    talks_by_pool.sum(), result.pool_wrap_up_us.sum(), day.toordinal(),
                ]
            )
        )  # fmt: skip
        for pool in range(len(self._pools)):
            self._by_pool.add(
                np.array(
                    [
                        result.pool_talking_us[pool], talks_by_pool[pool],
                        result.pool_busy_us[pool], result.pool_idle_us[pool],
                        result.pool_beyond_us[pool], day.toordinal(), pool,
                    ]
                )
            )  # fmt: skip

    def durations(self) -> dict[str, Any]:
        """Rows of the table `durations`."""
        return duration_rows("call", "", self._waits)

    def enter(self, ledger: Ledger) -> None:
        """Hold the laws against every day. Raises AuditError."""
        whole = self._by_day.columns()
        where = _date_of(whole)
        days = whole["day"].size
        ledger.equal("littles_law", "calls waiting", whole["waiting"], whole["waits"], where)
        on_lines = whole["waits"] + whole["talks"] - whole["wrap_ups"]
        ledger.equal("littles_law", "trunk lines", whole["lines"], on_lines, where)
        all_time = np.full(days, self._lines * self._open_us)
        ledger.at_most("time_in_state", "trunk lines: in use", whole["lines_open"], all_time, where)
        lines = np.full(days, self._lines)
        ledger.at_most("lines", "trunk lines", whole["max_lines"], lines, where)
        ledger.equal("attempts", "callers", whole["offered"], whole["attempts"], where)
        ledger.equal("answers", "callers", whole["counted_answers"], whole["answers"], where)
        ledger.equal(
            "persons_answered", "callers", whole["callers_answered"], whole["outcomes"], where
        )
        ledger.equal(
            "waits", "calls answered", whole["waits_answered"], whole["waits_of_callers"], where
        )
        ledger.equal("talks", "all agents", whole["pool_talks"], whole["talks"], where)
        pools = self._by_pool.columns()
        longest = np.repeat(whole["longest"], len(self._pools))
        for number, pool in enumerate(self._pools):
            mine = pools["pool"] == number
            here = {column: values[mine] for column, values in pools.items()}
            where = _date_of(here, f", agents {pool}")
            name = f"agents {pool}"
            ledger.equal("littles_law", name, here["talking"], here["talks"], where)
            busy, shape = here["worked"] - here["beyond"], here["talks"].shape
            on_duty = np.full(shape, self._on_duty[number])
            everything = np.full(shape, self._most[number] * self._open_us)
            _enter_states(ledger, name, busy, here["idle"], on_duty, everything, where)
            at_most = self._went_off[number] * longest[mine]
            ledger.at_most("beyond_duty", name, here["beyond"], at_most, where)


def _date_of(columns: Mapping[str, Int64Array], more: str = "") -> Callable[[int], str]:
    return lambda at: f"date {date.fromordinal(int(columns['day'][at]))}{more}"


@kernel
def _add_up_callers(  # type: ignore[no-untyped-def]
    outcome, attempts, answers, wait_us, handled_us, lengths
):
    """Attempts; answers; callers with an answer, by answers and by outcome; waits of answered
    calls; times with agents, and the longest of a caller. Count the waits by their length."""
    made = answered = callers = outcomes = waits = talks = longest = 0
    for row in range(outcome.size):
        made += attempts[row]
        answered += answers[row]
        callers += answers[row] > 0
        outcomes += outcome[row] == CallOutcome.ANSWERED
        waits += wait_us[row]
        if answers[row] == 1:  # (nearly always, and a division takes long)
            lengths[duration_class(wait_us[row])] += 1
        elif answers[row]:
            lengths[duration_class(wait_us[row] // answers[row])] += answers[row]
        talks += handled_us[row]
        longest = max(longest, handled_us[row])
    return made, answered, callers, outcomes, waits, talks, longest
