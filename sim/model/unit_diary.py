"""What is noted of the units' visits and sessions day by day, and the tables that it makes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.compilation import kernel
from sim.engine.contract import PatientOutcome, UnitSessionResult
from sim.model.population import Population
from sim.model.records import Diary, Recorder, dates
from sim.model.regimens import Regimens
from sim.model.unit_plan import UnitPlan, opening_us
from sim.model.unit_visits import Visits
from sim.scenario import MINUTE_US, Scenario

Int64Array = NDArray[np.int64]


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


class UnitDiary:
    """Visits and sessions of all units, until they are recorded."""

    def __init__(
        self,
        scenario: Scenario,
        people: Population,
        regimens: Regimens,
        plans: Sequence[UnitPlan],
        recorder: Recorder,
        first_replication: bool,
    ) -> None:
        """first_replication: of that, the busiest session of each unit is kept, too."""
        self._people, self._regimens, self._plans = people, regimens, plans
        self._recorder, self._first_replication = recorder, first_replication
        self._first_day = scenario.campaign.first_day
        self._names = np.array(list(scenario.units))
        self._groups = list(scenario.groups)
        self._opens_us, self._open_us = opening_us(plans)
        self._busiest = np.zeros(self._names.size, dtype=np.int64)
        self._unit_days: dict[int, dict[str, Any]] = {}
        self._visits_noted, self._sessions_noted = Diary(), Diary()

    def note_visits(
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
        counts = np.zeros((self._names.size * groups * 2, len(_DailyCount)), dtype=np.int64)
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
        self._visits_noted.note(day=np.full(some.size, today), cell=some, counts=counts[some])

    def note_sessions(self, today: int, results: dict[int, UnitSessionResult]) -> None:
        """Note each session."""
        if not results:
            return
        units = np.array(list(results))
        first = np.cumsum([0, *(r.outcome.size for r in results.values())])[:-1]
        admitted = np.concatenate([r.outcome for r in results.values()]) != PatientOutcome.CLOSED
        patients = np.add.reduceat(admitted, first, dtype=np.int64)
        exit_us = np.where(admitted, np.concatenate([r.exit_us for r in results.values()]), 0)
        if self._first_replication:
            for n, number in zip(results, patients.tolist(), strict=True):
                if number > self._busiest[n]:
                    self._busiest[n] = number
                    self._unit_days[n] = self._unit_day(today, n, results[n])
        self._sessions_noted.note(
            day=np.full(units.size, today),
            unit=units,
            patients=patients,
            last_exit_us=np.maximum(np.maximum.reduceat(exit_us, first), self._opens_us[units]),
        )
        for result in results.values():
            self._sessions_noted.note(
                max_inside=result.max_inside,
                inside_us=result.inside_us,
                joined=result.joined,
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
                "date": dates(self._first_day, noted.joined("day")),
                "unit": self._names[cell // (2 * groups.size)],
                "group": groups[cell // 2 % groups.size],
                "dose": cell % 2 + 1,
                **dict(zip(_DAILY_COLUMNS, noted.joined("counts").T, strict=True)),
            },
        )

    def _record_sessions(self) -> None:
        """A row a session, and a row a station of it."""
        noted = self._sessions_noted
        on, units = dates(self._first_day, noted.joined("day")), noted.joined("unit")
        plans = [self._plans[n] for n in units.tolist()]
        names = self._names[units]
        closes_us = self._opens_us[units] + self._open_us[units]
        self._recorder.add(
            "sessions",
            {
                "date": on,
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
                "date": np.repeat(on, stations),
                "unit": np.repeat(names, stations),
                "station": np.array([name for plan in plans for name in plan.stations]),
                "joined": noted.joined("joined"),
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
            "date": dates(self._first_day, np.full(minutes.size * names.size, today)),
            "unit": np.full(minutes.size * names.size, self._names[number]),
            "station": np.repeat(names, minutes.size),
            "minute": np.tile(minutes, names.size),
            "waiting": np.concatenate(waiting),
            "in_service": np.concatenate(in_service),
        }


def _between(starts: Int64Array, ends: Int64Array, instants: Int64Array) -> Int64Array:
    """How many intervals [start, end) contain each instant."""
    begun = np.searchsorted(np.sort(starts), instants, side="right")
    over = np.searchsorted(np.sort(ends), instants, side="right")
    return np.asarray(begun - over, dtype=np.int64)


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
