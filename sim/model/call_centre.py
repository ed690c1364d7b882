"""The call centre through the campaign: who calls on which day, and what comes of it.

A caller is a person with a purpose: to book, or only to ask (an inquiry). A person's first call is
drawn from the group's demand curve. Who calls outside opening hours hears that the centre is
closed; who has not got through by the end of a day (but does not give up) calls again on the next
open day. Both call again at a time drawn from the hourly profile within opening hours (before
opening: on the same day). Such a person has "closed" calls counted apart from attempts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.compilation import allocating_kernel, kernel
from sim.engine.contract import (
    CallCentreDay,
    CallCentreDayResult,
    CallCount,
    CallOutcome,
    Engine,
)
from sim.model.audit import CallAudit
from sim.model.order import Agenda, order_of, order_of_small
from sim.model.population import (
    NEVER,
    DemandCurve,
    Population,
    Status,
    TimeProfile,
    time_of_day,
)
from sim.model.records import Diary, Recorder, dates
from sim.model.shifts import staff_steps, staff_time_us
from sim.random_streams import (
    HasQuantiles,
    RandomStreams,
    Stream,
    parts,
    philox,
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
_NOT_REGISTERED = int(Status.NOT_REGISTERED)

_CALLER = np.dtype(
    [
        ("next_us", np.int64),  # time of the next call, on whatever day
        ("person", np.int32),
        ("entity", np.uint32),
        ("attempts", np.int16),
        ("cell", np.int16),  # row of the table `callers` on any day: purpose, then group
        ("purpose", np.int8),
        ("has_called", np.bool_),
        ("pending", np.bool_),  # the last call was in vain
    ],
    align=True,
)


class _CallerCount(IntEnum):
    """Numbers in the table `callers`."""

    CALLERS = 0
    FIRST_CALLS = 1
    CALLS_OUTSIDE_HOURS = 2
    ATTEMPTS = 3
    ANSWERED = 4
    BOOKINGS = 5
    GAVE_UP = 6
    CARRIED = 7


_CALLER_COLUMNS = [count.name.lower() for count in _CallerCount]


@dataclass(frozen=True)
class Calls:
    """A day's calls, caller by caller."""

    callers: NDArray[np.void]
    """everybody who ever calls, as records"""
    row: Int64Array
    """place in `callers` of each row of the engine's day"""
    day: CallCentreDay
    """what the engine was given; the types of calls are those of the scenario"""
    result: CallCentreDayResult
    booked: Int64Array
    """rows of the day whose answered call ended in a registration"""
    carried: Int64Array
    """places in `callers` of those who will call again another day"""

    @property
    def people(self) -> Int64Array:
        """Who called, by row of the day."""
        return np.asarray(self.callers["person"][self.row], dtype=np.int64)

    @property
    def purposes(self) -> NDArray[np.int8]:
        """What for, as places in PURPOSES, by row of the day."""
        return np.asarray(self.callers["purpose"][self.row])


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
        self.audit = CallAudit(scenario)
        self._days = (scenario.campaign.horizon - self._first_day).days + 1
        self._open = [
            self._centre.takes_calls(self._first_day + timedelta(days=d)) for d in range(self._days)
        ]
        self._groups = list(scenario.groups)
        self._hours = TimeProfile(self._centre, self._centre.call_times).hours
        self._call_streams = _words(_CALL_STREAM, self._groups).ravel()
        """stream words by cell"""
        self._again_streams = np.array(
            [stream_word(Stream.NEXT_DAY_CALL, g, p) for p in PURPOSES for g in self._groups],
            dtype=np.uint32,
        )
        """stream words by cell"""
        self._books_threshold = np.array(
            [threshold(g.books_when_answered) for g in scenario.groups.values()], dtype=np.uint64
        )
        self._conversion_streams = _words((Stream.CONVERSION,), self._groups)[0]
        self._another_day = np.uint64(threshold(self._centre.another_day_probability))
        self._cell_groups = np.array(self._groups * 2)
        self._cell_purposes = np.repeat(np.array(PURPOSES), len(self._groups))
        self._template = self._day_template()
        self._days_of_callers, self._days_of_centre = Diary(), Diary()
        self._gather_callers()
        self.latest: Calls | None = None
        """The day's calls, until the next day's; None if the centre is closed."""

    def _gather_callers(self) -> None:
        """One entry a caller, booking callers first; by group, in a group by the day of the first
        call: those who call on a day lie together in memory."""
        people = self._people
        booking = np.flatnonzero(
            people.willing
            & people.by_telephone
            & (people.first_call_day != NEVER)
            & (people.status == Status.NOT_REGISTERED)
        )
        calling = [
            (BOOKING, booking, people.first_call_day[booking], people.first_call_us[booking])
        ]
        calling += [
            (INQUIRY, *self._inquirers(number, name))
            for number, (name, group) in enumerate(self._scenario.groups.items())
            if group.first_calls
        ]
        self._callers = np.zeros(sum(who.size for _, who, _, _ in calling), _CALLER)
        self._calling = Agenda(self._days)
        first = 0
        for purpose, who, day, time_us in calling:
            last = first + who.size
            _enter_callers(
                self._callers[first:last],
                purpose,
                who,
                time_us,
                people.group,
                people.entity,
                len(self._groups),
            )
            self._calling.enter(np.arange(first, last), day)
            first = last

    def _inquirers(
        self, number: int, name: str
    ) -> tuple[Int64Array, NDArray[np.int16], Int64Array]:
        """People of a group who call to ask something, in order of the day of their first call;
        that day and its microsecond."""
        people, group = self._people, self._scenario.groups[name]
        members = np.flatnonzero((people.group == number) & people.willing)
        word, curve = stream_word(Stream.INQUIRY, name), DemandCurve(group, self._scenario)
        asks = np.uint64(threshold(self._centre.inquiries_per_person))
        found = []
        for part in parts(members.size):
            words = self._streams.blocks(word, people.entity[members[part]])
            who, day_words, time_words = _who_asks(members[part], words, asks)
            found.append((who, *curve.moments(day_words, time_words)))
        who, day, time_us = map(np.concatenate, zip(*found, strict=True))
        order = order_of_small(day, int(NEVER))
        return who[order], day[order], time_us[order]

    @property
    def still_trying(self) -> Int64Array:
        """People whose last call to book was in vain and who mean (or meant) to call again."""
        return np.asarray(_still_trying(self._callers))

    def take_calls(self, today: int) -> tuple[Int64Array, Int64Array]:
        """The day's calls. Returns the people who register, and when their calls ended (µs)."""
        people, groups = self._people, len(self._groups)
        counts = np.zeros((2 * groups, len(_CallerCount)), dtype=np.int64)
        due = np.sort(self._calling.take(today))
        row, cell, fresh_us, entity, attempts, later = _pick_up_the_telephone(
            due,
            self._callers,
            self._open[today],
            self._centre.opens * MINUTE_US,
            self._centre.closes * MINUTE_US,
            people.status,
            self._again_streams,
            *self._streams.key,
            *self._hours,
            counts,
        )
        self._call_again(today, later)
        self.latest = None
        if not self._open[today]:
            self._days_of_callers.note(day=today, counts=counts)
            return _NOBODY, _NOBODY

        row, cell, fresh_us, entity, attempts, language, call_type, stream = _in_order(
            order_of(fresh_us),
            row,
            cell,
            fresh_us,
            entity,
            attempts,
            self._language,
            self._call_type,
            self._call_streams,
        )
        day = CallCentreDay(
            **self._template,
            fresh_us=fresh_us,
            language=language,
            call_type=call_type,
            entity=entity,
            stream=stream,
            attempts_before=attempts,
        )
        result = self._engine.call_centre_day(day)
        self.audit.note(self._first_day + timedelta(days=today), result)
        booked, carried = _hang_up(
            row,
            cell,
            self._callers,
            day.entity,
            day.attempts_before,
            result.outcome,
            result.attempts,
            self._centre.attempts_in_all,
            self._another_day,
            self._books_threshold,
            people.gave_up,
            people.declined,
            self._again_streams,
            self._conversion_streams,
            *self._streams.key,
            *self._hours,
            counts,
        )
        self._call_again(today, carried)
        self._days_of_callers.note(day=today, counts=counts)
        self._days_of_centre.note(
            day=today,
            counts=result.counts,
            answered=result.pool_answered,
            busy=result.pool_busy_us,
            overtime=result.pool_overtime_us,
        )
        self.latest = Calls(self._callers, row, day, result, booked, carried)
        return self._callers["person"][row[booked]].astype(np.int64), result.end_us[booked]

    def _call_again(self, today: int, callers: Int64Array) -> None:
        """Put callers down for the next day on which the centre is open, if there is one."""
        self._calling.enter_all(callers, self._next_open_day(today))

    def _next_open_day(self, today: int) -> int:
        for day in range(today + 1, self._days):
            if self._open[day]:
                return day
        return int(NEVER)

    def _day_template(self) -> dict[str, Any]:
        """The parts of the engine's input that are the same every day."""
        centre, languages = self._centre, self._scenario.languages
        groups = self._scenario.groups.values()
        # By cell:
        self._language = np.array([languages.index(g.language) for g in groups] * 2, dtype=np.int8)
        kinds, types = self._scenario.call_types()
        self._call_type = np.array(kinds, dtype=np.int8)
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
        return {
            "opens_us": opens_us,
            "closes_us": closes_us,
            "cut_off_at_closing": centre.at_closing == "cut_off",
            "random_agent": centre.agent_choice == "random",
            "keeps_patience": bool(centre.keeps_patience),
            "lines": centre.lines,
            "pool_speaks": np.array(
                [[lang in pool.languages for lang in languages] for pool in centre.pools.values()]
            ),
            "step_time_us": np.ascontiguousarray(columns[:, 0]),
            "step_pool": np.ascontiguousarray(columns[:, 1]),
            "step_agents": np.ascontiguousarray(columns[:, 2]),
            "redial_threshold": threshold(centre.redial_probability),
            "busy_redial_threshold": threshold(
                centre.redial_probability
                if centre.redial_after_busy_probability is None
                else centre.redial_after_busy_probability
            ),
            "reconnect_threshold": threshold(centre.reconnect_probability),
            "attempts_per_day": centre.attempts_per_day,
            "attempts_allowed": centre.attempts_in_all,
            "patience": _tables([each.patience_minutes for each in types]),
            "redial_delay": quantile_table(centre.redial_delay_minutes, MINUTE_US),
            "busy_redial_delay": quantile_table(
                centre.redial_after_busy_delay_minutes or centre.redial_delay_minutes, MINUTE_US
            ),
            "reconnect_delay": quantile_table(centre.reconnect_delay_minutes, MINUTE_US),
            "handle": _tables([each.call_minutes for each in types]),
            "wrap_up": _tables([each.wrap_up_minutes for each in types]),
            "target_us": round(centre.answer_target_seconds * 1_000_000),
            "interval_us": HOUR_US,
            "seed": self._streams.seed,
            "replication": self._streams.replication,
        }

    def record(self) -> None:
        """Record the days when the campaign is over."""
        self._record_callers()
        if self._days_of_centre:
            self._record_engine()
        self._recorder.add("durations", self.audit.durations())

    def _record_callers(self) -> None:
        """Rows by group and purpose, where there is anything to say."""
        counts = self._days_of_callers["counts"]
        day, cell = np.nonzero(counts.any(axis=2))
        self._recorder.add(
            "callers",
            {
                "date": dates(self._first_day, self._days_of_callers["day"][day]),
                "group": self._cell_groups[cell],
                "purpose": self._cell_purposes[cell],
                **dict(zip(_CALLER_COLUMNS, counts[day, cell].T, strict=True)),
            },
        )

    def _record_engine(self) -> None:
        """Attempts by hour and language, agents by pool."""
        noted, languages = self._days_of_centre, np.array(self._scenario.languages)
        on, counts = dates(self._first_day, noted["day"]), noted["counts"]
        days, intervals, _, kinds = counts.shape
        hours = (self._centre.opens + 60 * np.arange(intervals)) // 60
        counts = counts.reshape(-1, kinds)
        self._recorder.add(
            "call_centre",
            {
                "date": np.repeat(on, intervals * languages.size),
                "hour": np.tile(np.repeat(hours, languages.size), days),
                "language": np.tile(languages, days * intervals),
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
        pools = np.array(list(self._centre.pools))
        self._recorder.add(
            "agents",
            {
                "date": np.repeat(on, pools.size),
                "pool": np.tile(pools, days),
                "answered": noted["answered"].ravel(),
                "on_duty": np.tile(np.array(self._on_duty_us) / MINUTE_US, days),
                "busy": noted["busy"].ravel() / MINUTE_US,
                "overtime": noted["overtime"].ravel() / MINUTE_US,
            },
        )


def _words(streams: tuple[Stream, ...], groups: list[str]) -> NDArray[np.uint32]:
    """Stream words by (stream, group)."""
    return np.array([[stream_word(s, g) for g in groups] for s in streams], dtype=np.uint32)


def _tables(durations: Sequence[HasQuantiles]) -> Int64Array:
    """Quantile tables of durations in minutes, each made once."""
    made: list[Int64Array] = []
    for i, each in enumerate(durations):
        first = durations.index(each)
        made.append(made[first] if first < i else quantile_table(each, MINUTE_US))
    return np.stack(made)


@kernel
def _enter_callers(callers, purpose, person, first_call_us, group, entity, groups):  # type: ignore[no-untyped-def]
    """Fill the records of those who call for a purpose."""
    for i in range(person.size):
        caller = callers[i]
        caller.next_us = first_call_us[i]
        caller.person = person[i]
        caller.entity = entity[person[i]]
        caller.purpose = purpose
        caller.cell = purpose * groups + group[person[i]]


@allocating_kernel
def _still_trying(callers):  # type: ignore[no-untyped-def]
    who = np.empty(callers.size, dtype=np.int64)
    number = 0
    for caller in callers:
        who[number] = caller.person
        number += caller.pending and caller.purpose == BOOKING
    return who[:number]


@allocating_kernel
def _who_asks(members, words, asks):  # type: ignore[no-untyped-def]
    """Those whose first word is below the threshold, and their next two words."""
    who = np.empty(members.size, dtype=members.dtype)
    chosen = np.empty((2, members.size), dtype=words.dtype)
    number = 0
    for i in range(members.size):
        who[number] = members[i]
        chosen[0, number], chosen[1, number] = words[1, i], words[2, i]
        number += words[0, i] < asks
    return who[:number], chosen[0, :number], chosen[1, :number]


@allocating_kernel
def _pick_up_the_telephone(  # type: ignore[no-untyped-def]
    due,
    callers,
    is_open,
    opens_us,
    closes_us,
    status,
    again_streams,
    replication,
    seed_low,
    seed_high,
    ends,
    starts,
    begin_us,
    length_us,
    counts,
):
    """Who of those due calls the centre today, with what the engine is to know, and who has to call
    on a later day.

    Who has been registered in another way (walk-ins) has no need to book. Who calls outside opening
    hours hears that it is closed and draws another time: before opening, for the same day.
    """
    calling = np.empty(due.size, dtype=np.int64)
    cell = np.empty(due.size, dtype=np.int16)
    fresh_us = np.empty(due.size, dtype=np.int64)
    entity = np.empty(due.size, dtype=np.uint32)
    attempts = np.empty(due.size, dtype=np.int64)
    later = np.empty(due.size, dtype=np.int64)
    today = another_day = 0
    for row in due:
        caller = callers[row]
        if caller.purpose == BOOKING and status[caller.person] != _NOT_REGISTERED:
            continue
        if not caller.has_called:
            caller.has_called = True
            counts[caller.cell, _CallerCount.FIRST_CALLS] += 1
        calls_today = is_open and caller.next_us < closes_us
        if not calls_today or caller.next_us < opens_us:
            counts[caller.cell, _CallerCount.CALLS_OUTSIDE_HOURS] += 1
            caller.pending = True
            stream = again_streams[caller.cell]
            hour, moment, _, _ = philox(
                caller.entity, caller.attempts, stream, replication, seed_low, seed_high
            )
            caller.next_us = time_of_day(ends, starts, begin_us, length_us, hour, moment)
        if calls_today:
            calling[today] = row
            cell[today] = caller.cell
            fresh_us[today] = caller.next_us
            entity[today] = caller.entity
            attempts[today] = caller.attempts
            today += 1
        else:
            later[another_day] = row
            another_day += 1
    return (
        calling[:today],
        cell[:today],
        fresh_us[:today],
        entity[:today],
        attempts[:today],
        later[:another_day],
    )


@allocating_kernel
def _in_order(  # type: ignore[no-untyped-def]
    order, row, cell, fresh_us, entity, attempts, language, call_type, stream
):
    """The day's callers in order, and what they are by cell."""
    cells = cell[order]
    return (
        row[order],
        cells,
        fresh_us[order],
        entity[order],
        attempts[order],
        language[cells],
        call_type[cells],
        stream[cells],
    )


@allocating_kernel
def _hang_up(  # type: ignore[no-untyped-def]
    calling,
    cells,
    callers,
    entity,
    attempts_before,
    outcome,
    attempts,
    attempts_in_all,
    another_day,
    books,
    gave_up,
    declined,
    again_streams,
    conversion_streams,
    replication,
    seed_low,
    seed_high,
    ends,
    starts,
    begin_us,
    length_us,
    counts,
):
    """What the day has brought those who called: `outcome` and `attempts` are the engine's.

    An answered booking call ends in a booking or in the decision against it. Who has given up
    redialling calls again on another day or never; who is to call again draws a time for it.
    Returns the positions of those who book, and the callers who call again.
    """
    booked = np.empty(calling.size, dtype=calling.dtype)
    carried = np.empty(calling.size, dtype=calling.dtype)
    bookings = carryings = 0
    for i in range(calling.size):
        caller, cell = callers[calling[i]], cells[i]
        booking = cell < books.size  # (to look at the caller would be to wait for memory)
        made = attempts_before[i] + attempts[i]
        caller.attempts = made
        caller.pending = outcome[i] != CallOutcome.ANSWERED
        counts[cell, _CallerCount.CALLERS] += 1
        counts[cell, _CallerCount.ATTEMPTS] += attempts[i]
        if outcome[i] == CallOutcome.ANSWERED:
            counts[cell, _CallerCount.ANSWERED] += 1
            if booking:
                stream = conversion_streams[cell]
                decision, _, _, _ = philox(entity[i], 0, stream, replication, seed_low, seed_high)
                if decision < books[cell]:
                    counts[cell, _CallerCount.BOOKINGS] += 1
                    booked[bookings] = i
                    bookings += 1
                else:
                    declined[caller.person] = True
            continue
        hour, moment, decision, _ = philox(
            entity[i], made, again_streams[cell], replication, seed_low, seed_high
        )
        tries = decision < another_day and made < attempts_in_all
        if outcome[i] == CallOutcome.LOST and not tries:
            counts[cell, _CallerCount.GAVE_UP] += 1
            if booking:
                gave_up[caller.person] = True
            continue
        counts[cell, _CallerCount.CARRIED] += 1
        caller.next_us = time_of_day(ends, starts, begin_us, length_us, hour, moment)
        carried[carryings] = calling[i]
        carryings += 1
    return booked[:bookings], carried[:carryings]
