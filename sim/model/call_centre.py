"""The call centre through the campaign: who calls on which day, and what comes of it.

A caller is a person with a purpose: to book, or only to ask (an inquiry). A person's first call is
drawn from the group's demand curve. Who calls outside opening hours hears that the centre is
closed; who has not got through by the end of a day (but does not give up) calls again on the next
open day. Both call again at a time drawn from the hourly profile within opening hours (before
opening: on the same day). Such a person has "closed" calls counted apart from attempts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.contract import (
    CallCentreDay,
    CallCentreDayResult,
    CallCount,
    CallOutcome,
    Engine,
)
from sim.model.audit import check_calls
from sim.model.order import by_time
from sim.model.population import (
    NEVER,
    CallTimeProfile,
    DemandCurve,
    Population,
    Status,
)
from sim.model.records import Recorder
from sim.model.shifts import staff_steps, staff_time_us
from sim.random_streams import (
    RandomStreams,
    Stream,
    UInt32Array,
    quantile_table,
    stream_word,
    threshold,
)
from sim.scenario import HOUR_US, MINUTE_US, Scenario

Int64Array = NDArray[np.int64]
BOOKING, INQUIRY = 0, 1
PURPOSES = ("booking", "inquiry")
_NOBODY = np.empty(0, dtype=np.int64)
_CALL_STREAM = (Stream.BOOKING_CALL, Stream.INQUIRY_CALL)


class CallCentre:
    """All callers, and the day's work of the agents."""

    def __init__(
        self,
        scenario: Scenario,
        streams: RandomStreams,
        people: Population,
        engine: Engine,
        recorder: Recorder,
    ) -> None:
        self._scenario = scenario
        self._centre = scenario.call_centre
        self._streams = streams
        self._people = people
        self._engine = engine
        self._recorder = recorder
        self._first_day = scenario.campaign.first_day
        self._days = (scenario.campaign.horizon - self._first_day).days + 1
        self._open = [
            self._centre.takes_calls(self._first_day + timedelta(days=d)) for d in range(self._days)
        ]
        self._groups = list(scenario.groups)
        self._profile = CallTimeProfile(self._centre)
        # Stream words by (purpose, group).
        self._call_words = _words(_CALL_STREAM, self._groups)
        self._again_words = np.array(
            [[stream_word(Stream.NEXT_DAY_CALL, g, p) for g in self._groups] for p in PURPOSES],
            dtype=np.uint32,
        )
        self._books_threshold = np.array(
            [threshold(g.books_when_answered) for g in scenario.groups.values()], dtype=np.uint64
        )
        self._conversion_words = _words((Stream.CONVERSION,), self._groups)[0]
        self._template = self._day_template()
        self._gather_callers()

    def _gather_callers(self) -> None:
        """One entry a caller, booking callers first, in the order of the people."""
        people = self._people
        booking = np.flatnonzero(
            people.willing
            & people.by_telephone
            & (people.first_call_day != NEVER)
            & (people.status == Status.NOT_REGISTERED)
        )
        inquirers, days, times = [], [], []
        asks = np.uint64(threshold(self._centre.inquiries_per_person))
        for number, (name, group) in enumerate(self._scenario.groups.items()):
            if not group.first_calls:
                continue
            members = np.flatnonzero((people.group == number) & people.willing)
            words = self._streams.blocks(stream_word(Stream.INQUIRY, name), people.entity[members])
            some = words[0] < asks
            day, time = DemandCurve(group, self._scenario).moments(words[1][some], words[2][some])
            inquirers.append(members[some])
            days.append(day)
            times.append(time)
        self._person = np.concatenate([booking, *inquirers])
        self._purpose = np.concatenate(
            [
                np.full(booking.size, BOOKING, dtype=np.int8),
                np.full(self._person.size - booking.size, INQUIRY, dtype=np.int8),
            ]
        )
        self._next_day = np.concatenate([people.first_call_day[booking], *days])
        self._next_us = np.concatenate([people.first_call_us[booking], *times])
        self._cell = (
            self._purpose.astype(np.int64) * len(self._groups) + people.group[self._person]
        ).astype(np.uint16)
        """row of the table `callers`"""
        self._attempts = np.zeros(self._person.size, dtype=np.int64)
        self._has_called = np.zeros(self._person.size, dtype=np.bool_)
        self._pending = np.zeros(self._person.size, dtype=np.bool_)

    @property
    def still_trying(self) -> Int64Array:
        """People whose last call to book was in vain and who mean (or meant) to call again."""
        return np.asarray(self._person[self._pending & (self._purpose == BOOKING)])

    def take_calls(self, today: int) -> tuple[Int64Array, Int64Array]:
        """The day's calls. Returns the people who register, and when their calls ended (µs)."""
        due = self._without_need(np.flatnonzero(self._next_day == today))
        first = due[~self._has_called[due]]
        self._has_called[due] = True
        outside = self._send_away(today, due)
        if not self._open[today]:
            self._record_callers(today, first=first, outside=outside)
            return _NOBODY, _NOBODY

        due = due[self._next_day[due] == today]
        due = due[by_time(self._next_us[due])]
        day = self._engine_input(due)
        result = self._engine.call_centre_day(day)
        check_calls(result)
        self._attempts[due] += result.attempts

        self._next_day[due] = NEVER
        answered = result.outcome == CallOutcome.ANSWERED
        lost = result.outcome == CallOutcome.LOST
        lost[lost] = ~self._try_another_day(due[lost])
        carried = due[~answered & ~lost]
        self._call_again(carried, self._next_open_day(today))
        self._pending[due] = ~answered
        gave_up = due[lost]
        self._people.gave_up[self._person[gave_up[self._purpose[gave_up] == BOOKING]]] = True
        booked = self._bookings_of(due, answered)
        self._record_callers(
            today,
            first=first,
            outside=outside,
            callers=due,
            answered=due[answered],
            bookings=due[booked],
            gave_up=gave_up,
            carried=carried,
            attempts=result.attempts,
        )
        self._record_engine(today, result)
        return self._person[due[booked]], result.end_us[booked]

    def _try_another_day(self, callers: Int64Array) -> NDArray[np.bool_]:
        """Which of those who do not redial today will call again on another day."""
        words = self._again_words_of(callers)
        wants = words[2] < np.uint64(threshold(self._centre.another_day_probability))
        return np.asarray(wants & (self._attempts[callers] < self._centre.attempts_in_all))

    def _bookings_of(self, callers: Int64Array, answered: NDArray[np.bool_]) -> Int64Array:
        """Positions of the answered booking callers who book; the others decide against it."""
        to_book = np.flatnonzero(answered & (self._purpose[callers] == BOOKING))
        person = self._person[callers[to_book]]
        group = self._people.group[person]
        words = self._streams.blocks(self._conversion_words[group], self._people.entity[person])
        books = words[0] < self._books_threshold[group]
        self._people.declined[person[~books]] = True
        return np.asarray(to_book[books])

    def _without_need(self, due: Int64Array) -> Int64Array:
        """Drop booking callers who have been registered in another way (walk-ins)."""
        person = self._person[due]
        needless = (self._purpose[due] == BOOKING) & (
            self._people.status[person] != Status.NOT_REGISTERED
        )
        self._next_day[due[needless]] = NEVER
        return np.asarray(due[~needless])

    def _send_away(self, today: int, due: Int64Array) -> Int64Array:
        """Tell those who call outside opening hours that it is closed; returns them."""
        time = self._next_us[due]
        opens, closes = self._centre.opens * MINUTE_US, self._centre.closes * MINUTE_US
        if not self._open[today]:
            self._pending[due] = True
            self._call_again(due, self._next_open_day(today))
            return due
        early, late = due[time < opens], due[time >= closes]
        self._pending[early] = True
        self._pending[late] = True
        self._call_again(early, today)
        self._call_again(late, self._next_open_day(today))
        return np.concatenate([early, late])

    def _call_again(self, callers: Int64Array, day: int) -> None:
        """Next call on that day (NEVER: the centre does not open again), at a drawn time."""
        self._next_day[callers] = day
        if callers.size and day != NEVER:
            words = self._again_words_of(callers)
            self._next_us[callers] = self._profile.times(words[0], words[1])

    def _again_words_of(self, callers: Int64Array) -> UInt32Array:
        person = self._person[callers]
        return self._streams.blocks(
            self._again_words[self._purpose[callers], self._people.group[person]],
            self._people.entity[person],
            self._attempts[callers],
        )

    def _next_open_day(self, today: int) -> int:
        for day in range(today + 1, self._days):
            if self._open[day]:
                return day
        return int(NEVER)

    def _engine_input(self, callers: Int64Array) -> CallCentreDay:
        person = self._person[callers]
        group = self._people.group[person]
        purpose = self._purpose[callers]
        return CallCentreDay(
            **self._template,
            fresh_us=self._next_us[callers],
            language=self._group_language[group],
            call_type=purpose,
            entity=self._people.entity[person],
            stream=self._call_words[purpose, group],
            attempts_before=self._attempts[callers],
        )

    def _day_template(self) -> dict[str, Any]:
        """The parts of the engine's input that are the same every day."""
        centre, languages = self._centre, self._scenario.languages
        self._group_language = np.array(
            [languages.index(g.language) for g in self._scenario.groups.values()], dtype=np.int8
        )
        steps = []
        self._on_duty_us = []
        opens_us, closes_us = centre.opens * MINUTE_US, centre.closes * MINUTE_US
        for number, pool in enumerate(centre.pools.values()):
            times, agents = staff_steps(
                pool.agents, pool.shifts, pool.breaks, centre.opens, centre.closes
            )
            steps += [(int(t), number, int(a)) for t, a in zip(times, agents, strict=True)]
            self._on_duty_us.append(staff_time_us(times, agents, opens_us, closes_us))
        steps.sort()
        columns = np.array(steps, dtype=np.int64).reshape(-1, 3)
        patience = quantile_table(centre.patience_minutes, MINUTE_US)
        return {
            "opens_us": opens_us,
            "closes_us": closes_us,
            "cut_off_at_closing": centre.at_closing == "cut_off",
            "lines": centre.lines,
            "pool_speaks": np.array(
                [[lang in pool.languages for lang in languages] for pool in centre.pools.values()]
            ),
            "step_time_us": np.ascontiguousarray(columns[:, 0]),
            "step_pool": np.ascontiguousarray(columns[:, 1]),
            "step_agents": np.ascontiguousarray(columns[:, 2]),
            "redial_threshold": threshold(centre.redial_probability),
            "attempts_per_day": centre.attempts_per_day,
            "attempts_allowed": centre.attempts_in_all,
            "patience": np.stack([patience, patience]),
            "redial_delay": quantile_table(centre.redial_delay_minutes, MINUTE_US),
            "handle": np.stack(
                [
                    quantile_table(centre.booking_call_minutes, MINUTE_US),
                    quantile_table(centre.inquiry_call_minutes, MINUTE_US),
                ]
            ),
            "target_us": round(centre.answer_target_seconds * 1_000_000),
            "interval_us": HOUR_US,
            "seed": self._streams.seed,
            "replication": self._streams.replication,
        }

    def _record_callers(
        self,
        today: int,
        first: Int64Array,
        outside: Int64Array,
        callers: Int64Array = _NOBODY,
        answered: Int64Array = _NOBODY,
        bookings: Int64Array = _NOBODY,
        gave_up: Int64Array = _NOBODY,
        carried: Int64Array = _NOBODY,
        attempts: Int64Array = _NOBODY,
    ) -> None:
        """Rows by group and purpose: arrays of callers; `attempts` made by each of `callers`."""
        groups = len(self._groups)

        def count(who: Int64Array, weights: Int64Array | None = None) -> Int64Array:
            cells = np.bincount(self._cell[who], weights, minlength=2 * groups)
            return cells.astype(np.int64)

        rows = {
            "callers": count(callers),
            "first_calls": count(first),
            "calls_outside_hours": count(outside),
            "attempts": count(callers, attempts),
            "answered": count(answered),
            "bookings": count(bookings),
            "gave_up": count(gave_up),
            "carried": count(carried),
        }
        some = np.flatnonzero(sum(rows.values()))
        self._recorder.add(
            "callers",
            {
                "date": self._date(today),
                "group": np.array(self._groups * 2)[some],
                "purpose": np.repeat(np.array(PURPOSES), groups)[some],
                **{name: values[some] for name, values in rows.items()},
            },
        )

    def _record_engine(self, today: int, result: CallCentreDayResult) -> None:
        """Attempts by hour and language, agents by pool."""
        intervals, languages, _ = result.counts.shape
        counts = result.counts.reshape(intervals * languages, -1)
        start = self._centre.opens + 60 * np.arange(intervals)
        self._recorder.add(
            "call_centre",
            {
                "date": self._date(today),
                "hour": np.repeat(start // 60, languages),
                "language": np.tile(np.array(self._scenario.languages), intervals),
                "offered": counts[:, CallCount.OFFERED],
                "answered": counts[:, CallCount.ANSWERED],
                "abandoned": counts[:, CallCount.ABANDONED],
                "blocked": counts[:, CallCount.BLOCKED],
                "cut_off": counts[:, CallCount.CUT_OFF],
                "delayed": counts[:, CallCount.DELAYED],
                "within_target": counts[:, CallCount.WITHIN_TARGET],
                "wait_answered": counts[:, CallCount.WAIT_ANSWERED_US] / MINUTE_US,
                "wait_all": counts[:, CallCount.WAIT_ALL_US] / MINUTE_US,
            },
        )
        self._recorder.add(
            "agents",
            {
                "date": self._date(today),
                "pool": np.array(list(self._centre.pools)),
                "answered": result.pool_answered,
                "on_duty": np.array(self._on_duty_us) / MINUTE_US,
                "busy": result.pool_busy_us / MINUTE_US,
                "overtime": result.pool_overtime_us / MINUTE_US,
            },
        )

    def _date(self, today: int) -> np.datetime64:
        return np.datetime64(self._first_day) + today


def _words(streams: tuple[Stream, ...], groups: list[str]) -> NDArray[np.uint32]:
    """Stream words by (stream, group)."""
    return np.array([[stream_word(s, g) for g in groups] for s in streams], dtype=np.uint32)
