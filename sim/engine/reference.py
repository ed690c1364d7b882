"""The reference engine: a day in SimPy, one process per caller and one per patient.

This is the definition of the model in code; the rules in words are the docstring of
`sim.engine.contract`, with the same names in the same order. Plain SimPy leaves open what happens
first at one instant, so every event here is an `AtTime`, which settles it; and the state (agents
on duty, lines in use, queues) is in plain numbers and lists, so every rule is in sight.

The processes only note what happens. Sums and counts are taken from these notes when the day is
over.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Generator
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from simpy import Environment, Event
from simpy.events import EventPriority

from sim.engine.contract import (
    WRAP_UP_STREAMS,
    AttemptOutcome,
    CallCentreDay,
    CallCentreDayResult,
    CallCount,
    CallOutcome,
    PatientOutcome,
    StationKind,
    UnitSession,
    UnitSessionResult,
)
from sim.random_streams import RandomStreams, draw

Process = Generator[Event, Any, None]

BEFORE_EVERYTHING = -(2**62)
"""Where the clock starts: steps may come before midnight."""


class AtTime(Event):
    """Happens at an absolute time; among the events of one instant, in order of (kind, identity).

    Events that succeed without being an `AtTime` follow at once, before the next `AtTime` of the
    instant: SimPy's own priorities are 0 and 1.
    """

    def __init__(self, env: Environment, time: int, kind: int, identity: int) -> None:
        super().__init__(env)
        self._ok = True
        self._value = None
        env.schedule(self, EventPriority(2 + (kind << 32) + identity), time - env.now)


def run(env: Environment, pass_time: Callable[[int, int], None], at_least_until: int) -> None:
    """Run until no event is left; `pass_time(begin, end)` is told when the clock goes on."""
    while (following := env.peek()) != float("inf"):
        if following > env.now:
            pass_time(int(env.now), int(following))
        env.step()
    if env.now < at_least_until:
        pass_time(int(env.now), at_least_until)


# --- One call-centre day --------------------------------------------------------------------------

COMPLETION, WRAP_UP_END, SHIFT_CHANGE, ABANDONMENT, CLOSING, ARRIVAL = range(6)

HUNG_UP, CUT_OFF = -1, -2
"""How waiting can end, besides being taken by a pool (0, 1, ...)."""


def call_centre_day(day: CallCentreDay, log: bool = False) -> CallCentreDayResult:
    """Simulate one day of the call centre (see `sim.engine.contract`)."""
    day.check()
    centre = CallCentre(day)
    run(centre.env, centre.pass_time, day.closes_us)
    return centre.result(log)


class Luck(NamedTuple):
    """What chance has in store for the k-th call of the day: one entry per caller."""

    patience: memoryview
    redials: memoryview
    redials_after_busy: memoryview
    redial_delay: memoryview
    busy_redial_delay: memoryview
    reconnects: memoryview
    reconnect_delay: memoryview
    handle: memoryview
    wrap_up: memoryview
    agent: memoryview


class CallCentre:
    """Agents, lines and the queue, with the processes that use them."""

    def __init__(self, day: CallCentreDay) -> None:
        self.day = day
        self.env = Environment(BEFORE_EVERYTHING)
        pools, languages = day.pool_speaks.shape
        self.on_duty = [0] * pools
        self.busy = [0] * pools
        self.lines_in_use = 0
        self.waiting: list[OrderedDict[int, tuple[int, Event]]]
        self.waiting = [OrderedDict() for _ in range(languages)]  # row: (sequence number, turn)
        self.sequence = count()

        self.languages_of = [np.flatnonzero(speaks).tolist() for speaks in day.pool_speaks]
        self.pools_for = [  # those with the fewest languages first
            sorted(np.flatnonzero(speaks).tolist(), key=lambda p: (len(self.languages_of[p]), p))
            for speaks in day.pool_speaks.T
        ]
        self.lucks: list[Luck] = []

        self.outcome: list[int | None] = [None] * day.fresh_us.size
        self.attempts = array("q")  # rows of `attempt_is_over`
        self.max_waiting = 0
        self.max_lines = 0
        self.waiting_us = 0
        self.lines_us = self.lines_open_us = 0
        self.talking_us = [0] * pools
        self.idle_us = [0] * pools
        self.beyond_us = [0] * pools

        self.env.process(self.shift_changes())
        self.env.process(self.closing())
        self.env.process(self.fresh_calls())

    # Processes

    def shift_changes(self) -> Process:
        """Change the numbers on duty; agents in excess finish the call in hand."""
        steps = zip(
            self.day.step_time_us.tolist(),
            self.day.step_pool.tolist(),
            self.day.step_agents.tolist(),
            strict=True,
        )
        for position, (time, pool, agents) in enumerate(steps):
            yield AtTime(self.env, time, SHIFT_CHANGE, position)
            self.on_duty[pool] = agents
            while self.busy[pool] < self.on_duty[pool] and self.take_call(pool):
                pass

    def closing(self) -> Process:
        """Cut off everybody who waits, if that is the setting."""
        yield AtTime(self.env, self.day.closes_us, CLOSING, 0)
        if self.day.cut_off_at_closing:
            for queue in self.waiting:
                for _, turn in queue.values():
                    self.lines_in_use -= 1
                    turn.succeed(CUT_OFF)
                queue.clear()

    def fresh_calls(self) -> Process:
        """Start each caller at the time of the first call of the day."""
        for row, time in enumerate(self.day.fresh_us.tolist()):
            yield AtTime(self.env, time, ARRIVAL, row)
            self.env.process(self.caller(row))

    def caller(self, row: int) -> Process:
        """A caller's day, from the arrival of the fresh call to the last word."""
        env, day = self.env, self.day
        language = int(day.language[row])
        attempts_left = day.attempts_allowed - int(day.attempts_before[row])

        for made in count(1):
            luck = self.luck(made)
            arrival = int(env.now)
            calls_again, delay = luck.redials[row], luck.redial_delay[row]

            if self.lines_in_use == day.lines:
                self.attempt_is_over(row, made, arrival, AttemptOutcome.BLOCKED)
                calls_again = luck.redials_after_busy[row]
                delay = luck.busy_redial_delay[row]
            else:
                self.lines_in_use += 1
                self.max_lines = max(self.max_lines, self.lines_in_use)
                pool = self.free_pool(language, luck.agent[row])
                queued = pool is None
                if pool is None:
                    pool = yield self.turn(row, language, arrival + luck.patience[row])
                else:
                    self.busy[pool] += 1

                if pool == CUT_OFF:
                    self.attempt_is_over(row, made, arrival, AttemptOutcome.CUT_OFF, queued)
                    lost = made >= attempts_left
                    self.day_ends(row, CallOutcome.LOST if lost else CallOutcome.CARRIED)
                    return
                if pool == HUNG_UP:
                    self.attempt_is_over(row, made, arrival, AttemptOutcome.ABANDONED, queued)
                else:
                    end = int(env.now) + luck.handle[row]
                    free = end + luck.wrap_up[row]
                    self.attempt_is_over(
                        row, made, arrival, AttemptOutcome.ANSWERED, queued, pool, end, free
                    )
                    self.outcome[row] = CallOutcome.ANSWERED
                    yield AtTime(env, end, COMPLETION, row)
                    self.lines_in_use -= 1
                    if free == end:
                        self.agent_is_free(pool)
                    else:
                        wrap_up = AtTime(env, free, WRAP_UP_END, pool)
                        wrap_up.callbacks.append(partial(self.agent_is_free, pool))
                    calls_again, delay = luck.reconnects[row], luck.reconnect_delay[row]

            if made >= attempts_left or not calls_again:
                self.day_ends(row, CallOutcome.LOST)
                return
            again = int(env.now) + delay
            if made >= day.attempts_per_day or again >= day.closes_us:
                self.day_ends(row, CallOutcome.CARRIED)
                return
            yield AtTime(env, again, ARRIVAL, row)

    # Rules that the processes share

    def free_pool(self, language: int, word: int) -> int | None:
        """The free pool for this language with the fewest languages, then the lowest index; or
        that of any free agent, by the word."""
        if self.day.random_agent:
            free = [  # the pool of each free agent
                pool
                for pool in sorted(self.pools_for[language])
                for _ in range(self.on_duty[pool] - self.busy[pool])
            ]
            return free[word * len(free) >> 32] if free else None
        for pool in self.pools_for[language]:
            if self.busy[pool] < self.on_duty[pool]:
                return pool
        return None

    def turn(self, row: int, language: int, patience_ends: int) -> Event:
        """Join the queue: an event whose value is the pool that takes the call, or why none did."""
        turn = Event(self.env)
        self.waiting[language][row] = (next(self.sequence), turn)
        self.max_waiting = max(self.max_waiting, sum(map(len, self.waiting)))
        abandonment = AtTime(self.env, patience_ends, ABANDONMENT, row)
        abandonment.callbacks.append(partial(self.abandon, row, language, turn))
        return turn

    def abandon(self, row: int, language: int, turn: Event, _: Event) -> None:
        """Patience is over: hang up if still waiting."""
        if not turn.triggered:
            self.waiting[language].pop(row)
            self.lines_in_use -= 1
            turn.succeed(HUNG_UP)

    def agent_is_free(self, pool: int, _: Event | None = None) -> None:
        """An agent has finished, and takes the next call if still on duty."""
        self.busy[pool] -= 1
        if self.busy[pool] < self.on_duty[pool]:
            self.take_call(pool)

    def take_call(self, pool: int) -> bool:
        """Take the call that the pool can serve whose arrival was processed first, if any waits."""
        queues = [self.waiting[i] for i in self.languages_of[pool] if self.waiting[i]]
        if not queues:
            return False
        queue = min(queues, key=lambda queue: next(iter(queue.values()))[0])
        _row, (_number, turn) = queue.popitem(last=False)
        self.busy[pool] += 1
        turn.succeed(pool)
        return True

    def luck(self, made: int) -> Luck:
        """The luck of everybody's call number `made` of the day, drawn when somebody makes it."""
        if made > len(self.lucks):
            self.lucks.append(_luck(self.day, made - 1))
        return self.lucks[made - 1]

    # Notes

    def pass_time(self, begin: int, end: int) -> None:
        """Note how long the present numbers hold."""
        self.waiting_us += sum(map(len, self.waiting)) * (end - begin)
        self.lines_us += self.lines_in_use * (end - begin)
        opens, closes = self.day.opens_us, self.day.closes_us
        open_us = max(min(end, closes) - max(begin, opens), 0)
        self.lines_open_us += self.lines_in_use * open_us
        for pool, (busy, on_duty) in enumerate(zip(self.busy, self.on_duty, strict=True)):
            self.talking_us[pool] += busy * (end - begin)
            self.idle_us[pool] += max(on_duty - busy, 0) * open_us
            self.beyond_us[pool] += max(busy - on_duty, 0) * open_us

    def day_ends(self, row: int, outcome: CallOutcome) -> None:
        """Note how a caller's day ends, unless a call has been answered."""
        if self.outcome[row] is None:
            self.outcome[row] = outcome

    def attempt_is_over(
        self,
        row: int,
        made: int,
        arrival: int,
        outcome: AttemptOutcome,
        queued: bool = False,
        pool: int = -1,
        end: int = -1,
        free: int = -1,
    ) -> None:
        """Note an attempt that has just been answered, abandoned, blocked or cut off."""
        now = int(self.env.now)
        self.attempts.extend((row, made - 1, arrival, outcome, now, pool, queued, end, free))

    def result(self, with_log: bool) -> CallCentreDayResult:
        """Counts and sums of the attempts noted, when the day is over."""
        day = self.day
        pools, languages = day.pool_speaks.shape
        notes = np.array(self.attempts, dtype=np.int64).reshape(-1, 9)
        notes = notes[np.lexsort((notes[:, 1], notes[:, 0]))]
        row, _, arrival, outcome, time, pool, queued, end, free = notes.T
        wait = time - arrival
        answered = outcome == AttemptOutcome.ANSWERED

        counts = np.zeros((day.intervals, languages, len(CallCount)), dtype=np.int64)
        interval = (arrival - day.opens_us) // day.interval_us
        language = day.language[row]
        for column, amount in {
            CallCount.OFFERED: np.ones_like(row),
            CallCount.ANSWERED: answered,
            CallCount.ABANDONED: outcome == AttemptOutcome.ABANDONED,
            CallCount.BLOCKED: outcome == AttemptOutcome.BLOCKED,
            CallCount.CUT_OFF: outcome == AttemptOutcome.CUT_OFF,
            CallCount.DELAYED: queued,
            CallCount.WITHIN_TARGET: answered & (wait <= day.target_us),
            CallCount.WAIT_ANSWERED_US: wait * answered,
            CallCount.WAIT_ALL_US: wait * queued,
        }.items():
            np.add.at(counts[:, :, column], (interval, language), amount)

        callers, first = np.unique(row[answered], return_index=True)

        def of_first_answers(values: NDArray[np.int64]) -> NDArray[np.int64]:
            filled = np.full(day.fresh_us.size, -1, dtype=np.int64)
            filled[callers] = values[answered][first]
            return filled

        def of_answers(amounts: NDArray[Any]) -> NDArray[np.int64]:
            sums = np.zeros(day.fresh_us.size, dtype=np.int64)
            np.add.at(sums, row[answered], amounts[answered])
            return sums

        def of_pools(amounts: NDArray[Any]) -> NDArray[np.int64]:
            sums = np.zeros(pools, dtype=np.int64)
            np.add.at(sums, pool[answered], amounts[answered])
            return sums

        return CallCentreDayResult(
            outcome=np.array(self.outcome, dtype=np.int8),
            attempts=np.bincount(row, minlength=day.fresh_us.size),
            answers=of_answers(answered),
            answered_us=of_first_answers(time),
            end_us=of_first_answers(end),
            pool=of_first_answers(pool).astype(np.int8),
            wait_us=of_answers(wait),
            handled_us=of_answers(free - time),
            counts=counts,
            pool_answered=of_pools(answered),
            pool_busy_us=of_pools(np.maximum(np.minimum(free, day.closes_us) - time, 0)),
            pool_overtime_us=of_pools(np.maximum(free - np.maximum(time, day.closes_us), 0)),
            pool_wrap_up_us=of_pools(free - end),
            max_waiting=self.max_waiting,
            max_lines=self.max_lines,
            waiting_us=self.waiting_us,
            lines_us=self.lines_us,
            lines_open_us=self.lines_open_us,
            pool_talking_us=_int64(self.talking_us),
            pool_idle_us=_int64(self.idle_us),
            pool_beyond_us=_int64(self.beyond_us),
            log=notes[:, :6].copy() if with_log else None,
        )


def _luck(day: CallCentreDay, k: int) -> Luck:
    """Draw for the k-th call of the day (from 0) of every caller, made or not."""
    streams, attempts = RandomStreams(day.seed, day.replication), day.attempts_before + k
    words = streams.blocks(day.stream, day.entity, attempts)
    more = streams.blocks(day.stream + np.uint32(WRAP_UP_STREAMS), day.entity, attempts)
    of_patience = words[0]
    if day.keeps_patience:
        of_patience = streams.blocks(day.stream, day.entity, np.zeros_like(attempts))[0]

    def by_type(tables: NDArray[np.int64], word: NDArray[np.uint32]) -> memoryview:
        values = np.empty(word.size, dtype=np.int64)
        for call_type, table in enumerate(tables):
            chosen = day.call_type == call_type
            values[chosen] = draw(table, word[chosen])
        return values.data

    return Luck(
        patience=by_type(day.patience, of_patience),
        redials=(words[1] < day.redial_threshold).data,
        redials_after_busy=(words[1] < day.busy_redial_threshold).data,
        redial_delay=draw(day.redial_delay, words[2]).data,
        busy_redial_delay=draw(day.busy_redial_delay, words[2]).data,
        reconnects=(words[1] < day.reconnect_threshold).data,
        reconnect_delay=draw(day.reconnect_delay, words[2]).data,
        handle=by_type(day.handle, words[3]),
        wrap_up=by_type(day.wrap_up, more[0]),
        agent=more[1].astype(np.int64).data,
    )


# --- One unit's session ---------------------------------------------------------------------------

STAFF_CHANGE, MOVEMENT, SETTLING, PATIENCE = range(4)
"""The order within an instant. (`SETTLING`: stations start people, in order of stations.)"""

STARTED = -1
"""A patient's turn has come; otherwise the `PatientOutcome` with which the patient leaves."""


def unit_session(session: UnitSession) -> UnitSessionResult:
    """Simulate one session of one unit (see `sim.engine.contract`)."""
    session.check()
    unit = Unit(session)
    run(unit.env, unit.pass_time, session.closes_us)
    return unit.result()


class Vaccine:
    """Vials of one vaccine, one of them open at most."""

    def __init__(self, vials: int, doses_per_vial: int, open_life: int) -> None:
        self.vials = vials
        self.doses_per_vial = doses_per_vial
        self.open_life = open_life
        self.opened_at = 0
        self.doses_left = 0
        self.opened = self.used = self.discarded = 0

    def take_dose(self, now: int) -> bool:
        """Take a dose if there is one."""
        if now >= self.opened_at + self.open_life:
            self.discard()
        if self.doses_left == 0:
            if self.vials == 0:
                return False
            self.vials -= 1
            self.opened += 1
            self.opened_at = now
            self.doses_left = self.doses_per_vial
        self.doses_left -= 1
        self.used += 1
        return True

    def discard(self) -> None:
        """Throw the open vial away."""
        self.discarded += self.doses_left
        self.doses_left = 0


class Station:
    """Staff (or seats) and a queue. Notes times by patient: -1 where there is none."""

    def __init__(self, unit: Unit, index: int) -> None:
        session = unit.session
        self.unit = unit
        self.env = unit.env
        self.index = index
        self.kind = StationKind(session.kind[index])
        self.latest_start = int(session.latest_start_us[index])
        self.walk: list[int] = session.walk_us[:, index].tolist()
        self.service: list[int] = session.service_us[:, index].tolist()
        self.staff = 0
        self.busy = 0
        self.queue: list[tuple[int, int, Event]] = []  # heap of (time of joining, patient, turn)
        self.waiting = 0  # those in the heap who have not left, out of patience
        self.settling_is_due = False

        patients = session.arrival_us.size
        self.join_us = [-1] * patients
        self.start_us = [-1] * patients
        self.end_us = [-1] * patients
        self.queue_us = self.service_us = self.idle_us = self.beyond_us = 0

        self.env.process(self.staff_changes())
        AtTime(self.env, self.latest_start, SETTLING, index).callbacks.append(self.settle)

    def staff_changes(self) -> Process:
        """Change the number of staff; those in excess finish the patient in hand."""
        steps = slice(*self.unit.session.step_first[self.index : self.index + 2].tolist())
        times = self.unit.session.step_time_us[steps].tolist()
        numbers = self.unit.session.step_staff[steps].tolist()
        for time, staff in zip(times, numbers, strict=True):
            yield AtTime(self.env, time, STAFF_CHANGE, self.index)
            self.staff = staff
            self.settle_now()

    def turn(self, patient: int, tolerance: int) -> Event:
        """Join the queue: an event whose value is STARTED, or the outcome of leaving."""
        now = int(self.env.now)
        turn = Event(self.env)
        heappush(self.queue, (now, patient, turn))
        self.waiting += 1
        patience = AtTime(self.env, now + tolerance, PATIENCE, patient)
        patience.callbacks.append(partial(self.lose_patience, turn))
        self.settle_now()
        return turn

    def lose_patience(self, turn: Event, _: Event) -> None:
        """Patience is over: leave if still waiting."""
        if not turn.triggered:
            self.call(turn, PatientOutcome.LEFT)

    def call(self, turn: Event, verdict: int) -> None:
        """Somebody leaves the queue."""
        self.waiting -= 1
        turn.succeed(verdict)

    def free(self) -> None:
        """One of the staff has finished."""
        self.busy -= 1
        self.settle_now()

    def settle_now(self) -> None:
        """Start people in the third phase of this instant."""
        if not self.settling_is_due:
            self.settling_is_due = True
            settling = AtTime(self.env, int(self.env.now), SETTLING, self.index)
            settling.callbacks.append(self.settle)

    def settle(self, _: Event) -> None:
        """Start people, first come first served; from `latest_start` on send them away."""
        self.settling_is_due = False
        now = int(self.env.now)
        while self.queue:
            _joined, patient, turn = self.queue[0]
            if turn.triggered:  # has left, out of patience
                pass
            elif now >= self.latest_start:
                self.call(turn, PatientOutcome.LATE)
            elif self.busy >= self.staff:
                break
            elif self.kind == StationKind.VACCINATION and not self.unit.take_dose(patient):
                self.call(turn, PatientOutcome.NO_DOSE)
            else:
                self.busy += 1
                self.call(turn, STARTED)
            heappop(self.queue)

    def pass_time(self, begin: int, end: int) -> None:
        """Note how long the present numbers hold."""
        self.queue_us += self.waiting * (end - begin)
        self.service_us += self.busy * (end - begin)
        open_us = max(min(end, self.unit.session.closes_us) - begin, 0)
        self.idle_us += max(self.staff - self.busy, 0) * open_us
        self.beyond_us += max(self.busy - self.staff, 0) * open_us


class Unit:
    """Stations and vaccines, with the patients who pass through."""

    def __init__(self, session: UnitSession) -> None:
        self.session = session
        self.env = Environment(BEFORE_EVERYTHING)
        self.stations = [Station(self, index) for index in range(session.kind.size)]
        self.vaccines = [
            Vaccine(vials, doses_per_vial, open_life)
            for vials, doses_per_vial, open_life in zip(
                session.vials.tolist(),
                session.doses_per_vial.tolist(),
                session.open_life_us.tolist(),
                strict=True,
            )
        ]
        patients = session.arrival_us.size
        self.outcome = [-1] * patients
        self.vaccine = [-1] * patients
        self.jab_us = [-1] * patients
        self.exit_us = [-1] * patients
        self.env.process(self.arrivals())

    def arrivals(self) -> Process:
        """Start each patient at the time of arrival."""
        for patient, time in enumerate(self.session.arrival_us.tolist()):
            yield AtTime(self.env, time, MOVEMENT, patient)
            self.env.process(self.patient(patient))

    def patient(self, patient: int) -> Process:
        """A patient's way through the unit, from arrival to exit."""
        if self.env.now >= self.session.closes_us:
            self.leave(patient, PatientOutcome.CLOSED)
            return

        tolerance = int(self.session.tolerance_us[patient])
        for index in self.session.visits[patient].nonzero()[0].tolist():
            station = self.stations[index]
            yield AtTime(self.env, int(self.env.now) + station.walk[patient], MOVEMENT, patient)

            station.join_us[patient] = int(self.env.now)
            verdict = yield station.turn(patient, tolerance)
            if verdict != STARTED:
                station.end_us[patient] = int(self.env.now)
                self.leave(patient, verdict)
                return

            start = int(self.env.now)
            if station.kind == StationKind.OBSERVATION:
                end = max(start, self.jab_us[patient] + station.service[patient])
            else:
                end = start + station.service[patient]
            station.start_us[patient] = start
            station.end_us[patient] = end
            yield AtTime(self.env, end, MOVEMENT, patient)
            station.free()
            if station.kind == StationKind.VACCINATION:
                self.jab_us[patient] = end

        self.leave(patient, PatientOutcome.COMPLETED)

    def pass_time(self, begin: int, end: int) -> None:
        """Have the stations note how long the present numbers hold."""
        for station in self.stations:
            station.pass_time(begin, end)

    def take_dose(self, patient: int) -> bool:
        """Take a dose of the first vaccine, in the patient's order, that has one left."""
        for vaccine in self.session.preference[patient].tolist():
            if vaccine == -1:
                break
            if self.vaccines[vaccine].take_dose(int(self.env.now)):
                self.vaccine[patient] = vaccine
                return True
        return False

    def leave(self, patient: int, outcome: PatientOutcome) -> None:
        """Note how and when a patient leaves the unit."""
        self.outcome[patient] = outcome
        self.exit_us[patient] = int(self.env.now)

    def result(self) -> UnitSessionResult:
        """Counts and sums of the times noted, when the session is over."""
        for vaccine in self.vaccines:
            vaccine.discard()

        def table(columns: list[list[int]]) -> NDArray[np.int64]:
            shape = (len(self.stations), self.session.arrival_us.size)
            return np.ascontiguousarray(np.array(columns, dtype=np.int64).reshape(shape).T)

        join = table([station.join_us for station in self.stations])
        start = table([station.start_us for station in self.stations])
        end = table([station.end_us for station in self.stations])
        arrival = self.session.arrival_us
        exits = np.array(self.exit_us, dtype=np.int64)

        joined, started = join >= 0, start >= 0
        queue_left = np.where(started, start, end)
        return UnitSessionResult(
            outcome=np.array(self.outcome, dtype=np.int8),
            vaccine=np.array(self.vaccine, dtype=np.int8),
            jab_us=np.array(self.jab_us, dtype=np.int64),
            exit_us=exits,
            join_us=join,
            start_us=start,
            end_us=end,
            vials_opened=_int64([vaccine.opened for vaccine in self.vaccines]),
            doses_used=_int64([vaccine.used for vaccine in self.vaccines]),
            doses_discarded=_int64([vaccine.discarded for vaccine in self.vaccines]),
            joined=joined.sum(axis=0),
            served=started.sum(axis=0),
            busy_us=np.where(started, end - start, 0).sum(axis=0),
            wait_us=np.where(joined, queue_left - join, 0).sum(axis=0),
            max_queue=_int64(
                [_most_at_once(join[who, s], queue_left[who, s]) for s, who in enumerate(joined.T)]
            ),
            inside_us=int((exits - arrival).sum()),
            max_inside=_most_at_once(arrival, exits),
            queue_us=_int64([station.queue_us for station in self.stations]),
            service_us=_int64([station.service_us for station in self.stations]),
            idle_us=_int64([station.idle_us for station in self.stations]),
            beyond_us=_int64([station.beyond_us for station in self.stations]),
        )


def _int64(values: ArrayLike) -> NDArray[np.int64]:
    return np.asarray(values, dtype=np.int64)


def _most_at_once(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> int:
    """Largest number of intervals begin <= t < end that hold one t. (It is reached at a begin.)"""
    begun = np.searchsorted(np.sort(begins), begins, side="right")
    ended = np.searchsorted(np.sort(ends), begins, side="right")
    return int(np.max(begun - ended, initial=0))
