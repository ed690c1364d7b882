"""The contract of an engine: one day in, what happened out.

An engine has two functions,

    call_centre_day(day: CallCentreDay, log: bool = False) -> CallCentreDayResult
    unit_session(session: UnitSession) -> UnitSessionResult

Both are pure: arrays in, arrays out; no clock, no files, no global state, and no random numbers
but those that the input determines. `reference.py` (SimPy, the definition) and `compiled.py`
(numba) give equal results, field by field, to the last bit.

**Time** is int64 microseconds since midnight, in every field that ends in `_us`; durations too.
Whoever prepares the inputs rounds once; an engine only adds, subtracts and compares.

One call-centre day
===================
One row per caller (a person on this day), sorted by `fresh_us`, the time of the day's first call;
the row is the caller's id. The luck of a call belongs to (row, attempt) and is never taken by
order of use: `attempt = attempts_before[row] + k` for the k-th call of this day, k = 0, 1, ...;
the four 32-bit words of `philox(entity[row], attempt, stream[row], replication, seed & 0xFFFFFFFF,
seed >> 32)` are, in order,

    word 0  patience        quantile(patience[call_type], word)
    word 1  decision        the caller calls again if word < a threshold: busy_redial_threshold
                            after a busy signal, redial_threshold after giving up waiting,
                            reconnect_threshold after an answered call
    word 2  delay           quantile(redial_delay, word); after a busy signal
                            quantile(busy_redial_delay, word), after an answered call
                            quantile(reconnect_delay, word)
    word 3  handle time     quantile(handle[call_type], word)

and word 0 of the same block of the stream `stream[row] + WRAP_UP_STREAMS` (modulo 2**32) is

    word 0  after-call work quantile(wrap_up[call_type], word)

`philox` and `quantile` are those of `sim.random_streams`. Quantiles used as durations are never
negative (checked).

*The next event is always the pending one with the smallest (time, kind, id); events created at
this instant join the same comparison.* The kinds, in order:

0. **completion** (id: row). The call ends: its line is free. The caller goes on to *reconnect*. If
   there is no after-call work (its length is 0), the agent is free, too: busy[pool] -= 1, and if
   now busy[pool] < on_duty[pool], the pool takes one call. Otherwise the agent stays busy.
1. **wrap-up end** (id: pool), at completion + after-call work: the agent is free, as above. It does
   not matter which of the pool's agents it is.
2. **shift change** (id: position in `step_*`). on_duty[pool] takes the new number; while
   busy[pool] < on_duty[pool] and somebody waits whom the pool can serve, it takes calls. Agents
   in excess of the new number finish the call in hand, and the work after it.
3. **abandonment** (id: row), at arrival + patience, if the caller still waits: the line is free;
   the attempt is abandoned; the caller goes on to *redial*. (An agent freed at this same instant
   has won: kinds 0 and 1 come first.)
4. **closing** (one event, at `closes_us`). If `cut_off_at_closing`, everybody waiting is cut off,
   in order of row: the lines are free; the attempt is cut off; the caller is told to call again:
   outcome CARRIED, or LOST if that was the last attempt (`attempts_before + made today >=
   attempts_allowed`). Otherwise nothing: those waiting are served (or abandon) after closing.
5. **arrival** (id: row), fresh or redial, always before `closes_us`. If all lines are in use
   (lines in use = waiting + talking = `lines`), the attempt is blocked and the caller goes on to
   *redial*. Otherwise the call takes a line. If a pool that speaks the caller's language has
   busy < on_duty, the free pool with the fewest languages takes it, then the lowest index; with
   `random_agent` the pool of one of the f free agents, counted pool by pool from 0: number
   word x f >> 32, by word 1 of the block of the after-call work. Otherwise the caller waits; the
   abandonment is due at arrival + patience, which is that of attempt 0 if `keeps_patience`. Zero
   patience takes a line all the same and leaves by its own abandonment event at the same instant.

*Taking a call*: the pool takes, among those waiting whose language it speaks, the one whose
arrival was **processed** first (a sequence number, not the time: two calls of the same instant
were processed in order of row). busy[pool] += 1; the attempt is answered with wait = now -
arrival; the completion is due at now + handle time; the caller's outcome is ANSWERED.

*Redial*, after the k-th attempt of the day (k from 1) was blocked or abandoned at time t:
    1. attempts_before + k >= attempts_allowed  → LOST (no attempt left);
    2. word 1 >= the threshold                  → LOST;
    3. k >= attempts_per_day                    → CARRIED (calls again another day);
    4. t + delay >= closes_us                   → CARRIED;
    5. else a new arrival at t + delay.

*Reconnect*, after the k-th attempt of the day was answered and has ended at time t: a new arrival
at t + delay, unless one of the rules 1 to 4 forbids it: then the caller does not call again. Who
has once been answered stays ANSWERED, whatever becomes of later calls (never LOST or CARRIED).

The day begins with on_duty = 0 in every pool; the steps (sorted by (time, pool), strictly
increasing in time within a pool) say when that changes; on_duty is obeyed after closing too. The
day ends when no event is left.

*What is counted.* An attempt is offered in the cell (interval of its arrival, language of its
caller), interval = (arrival - opens_us) // interval_us; what becomes of it is counted in that
same cell: answered, abandoned, blocked or cut off; delayed if it waited in the queue at all (even
if for 0 µs); answered within `target_us`; waits summed over answered and over all queued attempts.

*Time in state* (for the audit) is not summed over callers: the engine multiplies the numbers by
which it decides (who waits, lines in use, agents on duty and on calls) by the time for which they
hold, whenever its clock goes on.

One unit's session
==================
Patients are numbered in order of arrival (`arrival_us` is sorted); stations in the order of
passage. Each instant t is gone through in this order:

1. staff numbers change (steps are right-continuous: at a step's own time the new number holds);
2. services that end, walks that end and arrivals take effect: who is done at station s joins the
   next station that the patient visits at end + walk_us[patient, next station]; arrivals join the
   first visited station at arrival + walk_us[patient, first station];
3. stations start people, in the order of stations; whatever a station causes at this same instant
   (a service of length zero ends, the next one starts) is finished before the next station;
4. patience runs out.

*Admission*: a patient is admitted if arrival_us < closes_us, else turned away: outcome CLOSED at
the time of arrival. A patient who visits no station leaves at the time of arrival, COMPLETED.

*Queue and start*: the queue of a station is ordered by (time of joining, patient number). Its
head starts at the earliest instant at which busy < staff; staff in excess after a step finish the
patient in hand. A start happens strictly before `latest_start_us[station]`: from that instant on,
everybody waiting there or joining leaves at once, LATE (this comes in the place of phase 3, so it
wins over patience that runs out at the same instant).

*Patience*: a patient starts if start <= joining + tolerance_us, else leaves at that moment, LEFT.
A patient whose tolerance is 0 starts if somebody is free at the instant of joining.

*Doses* are taken by the station of kind VACCINATION, at the start of the service, in the order of
starts. For each vaccine of the patient's preferences (int8[n, V]: indices of vaccines, padded
with -1), in order: if its open vial's life is over (t >= opened + open_life_us), the vial is
discarded, doses and all; if a dose is left in the open vial, it is taken; else, if a closed vial
is on hand, it is opened at t and a dose is taken; else the next vaccine. If none gives a dose,
there is no start: the patient leaves the queue at that instant, NO_DOSE, using no staff time, and
the next may start at the same instant. At most one vial of a vaccine is open. At the end of the
session open vials are discarded. The jab is at the end of the vaccination service.

*Observation* (kind OBSERVATION, after the vaccination): a seat instead of staff. The stay ends at
the later of the seat's start and jab + service_us (its length counts from the jab).

Who has passed the last visited station leaves, COMPLETED. Exit reason and vaccine received are
separate: somebody can be vaccinated and leave observation (LEFT or LATE).

*What is counted.* max_queue[s]: the most people who at one instant satisfy joined <= t < started
(or left); max_inside likewise over arrival <= t < exit; so waits and stays of length zero do not
count. busy_us, wait_us, inside_us: sums over patients of service (or seat) time, of waiting
(those who left included) and of time in the unit.

*Time in state* (for the audit) is kept by the clock of each station, as in the call centre: people
in the queue, people in service, free staff, and people in service beyond the number of staff
(after a step), the last two until `closes_us`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.compilation import allocating_kernel
from sim.random_streams import Stream

Int64Array = NDArray[np.int64]
Int8Array = NDArray[np.int8]
BoolArray = NDArray[np.bool_]


WRAP_UP_STREAMS = (Stream.BOOKING_WRAP_UP - Stream.BOOKING_CALL) << 24
"""From the stream word of a call to that of its after-call work."""


class CallOutcome(IntEnum):
    """What the day has brought a caller (one per row).

    LOST: does not mean to call again; the model may still have some of them try another day.
    """

    ANSWERED = 0
    LOST = 1
    CARRIED = 2


class AttemptOutcome(IntEnum):
    """What became of one attempt (one per row of the log)."""

    ANSWERED = 0
    ABANDONED = 1
    BLOCKED = 2
    CUT_OFF = 3


class CallCount(IntEnum):
    """Columns of `CallCentreDayResult.counts`."""

    OFFERED = 0
    ANSWERED = 1
    ABANDONED = 2
    BLOCKED = 3
    CUT_OFF = 4
    DELAYED = 5
    WITHIN_TARGET = 6
    WAIT_ANSWERED_US = 7
    WAIT_ALL_US = 8


@dataclass(frozen=True)
class CallCentreDay:
    """One day of the call centre. n callers, P pools, L languages, T call types, S shift steps."""

    opens_us: int
    closes_us: int
    cut_off_at_closing: bool
    random_agent: bool
    """an arriving call takes any free agent who speaks its language, each as likely"""
    keeps_patience: bool
    """patience is that of the caller's first attempt (number 0), whichever attempt it is"""
    lines: int
    pool_speaks: BoolArray
    """[P, L]"""
    step_time_us: Int64Array
    """[S], sorted by (time, pool)"""
    step_pool: Int64Array
    """[S]"""
    step_agents: Int64Array
    """[S] the number on duty in that pool from that time on"""
    redial_threshold: int
    """0 ... 2**32: redial after giving up waiting if word < threshold"""
    busy_redial_threshold: int
    """0 ... 2**32: redial after a busy signal if word < threshold"""
    reconnect_threshold: int
    """0 ... 2**32: call again after an answered call if word < threshold"""
    attempts_per_day: int
    attempts_allowed: int
    """attempts in all, over all days"""
    patience: Int64Array
    """[T, 2, 4097] quantile tables"""
    redial_delay: Int64Array
    """[2, 4097]"""
    busy_redial_delay: Int64Array
    """[2, 4097]"""
    reconnect_delay: Int64Array
    """[2, 4097]"""
    handle: Int64Array
    """[T, 2, 4097] how long a call holds a line and an agent"""
    wrap_up: Int64Array
    """[T, 2, 4097] how long it holds the agent afterwards"""
    target_us: int
    """an answer within this wait counts as WITHIN_TARGET"""
    interval_us: int
    seed: int
    replication: int
    fresh_us: Int64Array
    """[n], sorted, opens_us <= fresh_us < closes_us"""
    language: Int8Array
    """[n]"""
    call_type: Int8Array
    """[n]"""
    entity: NDArray[np.uint32]
    """[n]"""
    stream: NDArray[np.uint32]
    """[n] stream words"""
    attempts_before: Int64Array
    """[n] attempts on earlier days"""

    @property
    def intervals(self) -> int:
        """Number of counting intervals between opening and closing."""
        return -(-(self.closes_us - self.opens_us) // self.interval_us)

    def check(self) -> None:
        """Raise ValueError if the input breaks the contract."""
        pools, languages = self.pool_speaks.shape
        n = self.fresh_us.shape[0]
        _require(0 <= self.opens_us < self.closes_us, "the centre opens before it closes")
        _require(self.lines >= 1, "at least one line")
        _require(self.attempts_per_day >= 1, "at least one attempt a day")
        _require(self.interval_us >= 1, "interval_us is positive")
        for name in ("redial_threshold", "busy_redial_threshold", "reconnect_threshold"):
            _require(0 <= getattr(self, name) <= 2**32, f"{name} within 0 ... 2**32")
        for name in ("language", "call_type", "entity", "stream", "attempts_before"):
            _require(getattr(self, name).shape == (n,), f"{name} has one entry a caller")
        if n:
            _require(bool((np.diff(self.fresh_us) >= 0).all()), "fresh calls are sorted")
            _require(
                self.fresh_us[0] >= self.opens_us and self.fresh_us[-1] < self.closes_us,
                "fresh calls lie within opening hours",
            )
            _require(
                bool((self.language >= 0).all() and (self.language < languages).all()),
                "language known",
            )
            _require(
                bool((self.call_type >= 0).all() and (self.call_type < self.handle.shape[0]).all()),
                "call type known",
            )
        _require(
            self.patience.shape == self.handle.shape == self.wrap_up.shape,
            "one patience, one handle and one wrap_up table a call type",
        )
        delays = (self.redial_delay, self.busy_redial_delay, self.reconnect_delay)
        for table in (self.patience, *delays, self.handle, self.wrap_up):
            _require(int(table.min(initial=0)) >= 0, "durations are not negative")
        _require(
            self.step_time_us.shape == self.step_pool.shape == self.step_agents.shape,
            "a step has a time, a pool and a number",
        )
        key = self.step_time_us * max(pools, 1) + self.step_pool
        _require(bool((np.diff(key) > 0).all()), "steps increase by (time, pool)")
        _require(bool((self.step_agents >= 0).all()), "numbers on duty are not negative")
        _require(
            bool((self.step_pool >= 0).all() and (self.step_pool < pools).all()), "step pools known"
        )


@dataclass(frozen=True)
class CallCentreDayResult:
    """What a call-centre day brought. -1 where a time or pool does not apply."""

    outcome: Int8Array
    """[n] CallOutcome"""
    attempts: Int64Array
    """[n] attempts made today"""
    answers: Int64Array
    """[n] attempts answered today"""
    answered_us: Int64Array
    """[n] when an agent took the call (the first one answered)"""
    end_us: Int64Array
    """[n] end of that call"""
    pool: Int8Array
    """[n] pool that took it"""
    wait_us: Int64Array
    """[n] waits of all answered attempts"""
    handled_us: Int64Array
    """[n] agents' time, in all calls, after-call work included"""
    counts: Int64Array
    """[intervals, L, len(CallCount)]"""
    pool_answered: Int64Array
    """[P]"""
    pool_busy_us: Int64Array
    """[P] time on calls and after-call work before closing"""
    pool_overtime_us: Int64Array
    """[P] the same from closing on"""
    pool_wrap_up_us: Int64Array
    """[P] of both, after-call work"""
    max_waiting: int
    """most callers in the queue after any single event"""
    max_lines: int
    """most lines in use after any single event"""
    waiting_us: int
    """callers in the queue, integrated over time"""
    lines_us: int
    """lines in use, integrated over time"""
    lines_open_us: int
    """the same within opening hours"""
    pool_talking_us: Int64Array
    """[P] agents on calls, integrated over time"""
    pool_idle_us: Int64Array
    """[P] agents on duty who are free, integrated over opening hours"""
    pool_beyond_us: Int64Array
    """[P] agents on calls beyond the number on duty, integrated over opening hours"""
    log: Int64Array | None
    """With log=True, int64[attempts, 6], sorted by (row, attempt of the day): row, attempt of the
    day from 0, arrival, AttemptOutcome, time at which it was answered, abandoned, blocked or cut
    off, pool or -1. Otherwise None."""


class StationKind(IntEnum):
    """What a station does."""

    SERVICE = 0
    VACCINATION = 1
    OBSERVATION = 2


class PatientOutcome(IntEnum):
    """How a patient left the unit."""

    COMPLETED = 0
    LEFT = 1
    LATE = 2
    NO_DOSE = 3
    CLOSED = 4


@dataclass(slots=True)  # (frozen, it would take twice as long to make)
class UnitSession:
    """One session of one unit. n patients, S stations, V vaccines."""

    closes_us: int
    kind: Int8Array
    """[S] StationKind"""
    step_first: Int64Array
    """[S + 1] steps of station s are step_first[s]:step_first[s + 1]"""
    step_time_us: Int64Array
    """strictly increasing within a station; staff are 0 before the first step"""
    step_staff: Int64Array
    latest_start_us: Int64Array
    """[S]"""
    vials: Int64Array
    """[V] closed vials on hand"""
    doses_per_vial: Int64Array
    """[V] doses that a vial really yields"""
    open_life_us: Int64Array
    """[V]"""
    arrival_us: Int64Array
    """[n], sorted"""
    visits: BoolArray
    """[n, S]"""
    service_us: Int64Array
    """[n, S]; for an observation station the length of stay counted from the jab"""
    walk_us: Int64Array
    """[n, S] walk to that station"""
    tolerance_us: Int64Array
    """[n] longest wait at any one station"""
    preference: Int8Array
    """[n, V] vaccines in order of preference, padded with -1"""

    def check(self) -> None:
        """Raise ValueError if the input breaks the contract."""
        rule = _broken_session_rule(
            self.kind,
            self.step_first,
            self.step_time_us,
            self.step_staff,
            self.latest_start_us,
            self.vials,
            self.doses_per_vial,
            self.open_life_us,
            self.arrival_us,
            self.visits,
            self.service_us,
            self.walk_us,
            self.tolerance_us,
            self.preference,
        )
        _require(not rule, rule)


@allocating_kernel
def _broken_session_rule(
    kind: Int8Array,
    step_first: Int64Array,
    step_time_us: Int64Array,
    step_staff: Int64Array,
    latest_start_us: Int64Array,
    vials: Int64Array,
    doses_per_vial: Int64Array,
    open_life_us: Int64Array,
    arrival_us: Int64Array,
    visits: BoolArray,
    service_us: Int64Array,
    walk_us: Int64Array,
    tolerance_us: Int64Array,
    preference: Int8Array,
) -> str:
    """A rule that the input of a session breaks; "" if there is none."""
    n, stations = visits.shape
    if arrival_us.size != n:
        return "one arrival a patient"
    if service_us.shape != visits.shape:
        return "service_us has a row a patient, a column a station"
    if walk_us.shape != visits.shape:
        return "walk_us has a row a patient, a column a station"
    if not doses_per_vial.size == open_life_us.size == vials.size:
        return "stock, doses a vial and open life are listed by vaccine"
    if tolerance_us.size != n:
        return "one tolerance a patient"
    if preference.shape != (n, vials.size):
        return "preferences: a row a patient"
    if not kind.size == latest_start_us.size == stations:
        return "a kind and a latest start a station"
    if step_first.size != stations + 1:
        return "steps are listed by station"
    if not step_time_us.size == step_staff.size == step_first[-1]:
        return "steps are listed by station"
    vaccinating = -1
    for s in range(kind.size):
        if kind[s] == StationKind.VACCINATION:
            if vaccinating >= 0:
                return "one station at most administers the dose"
            vaccinating = s
        if kind[s] == StationKind.OBSERVATION and vaccinating < 0:
            return "observation follows the jab"
        if step_first[0] != 0 or step_first[s + 1] < step_first[s]:
            return "steps are listed by station"
        for step in range(step_first[s], step_first[s + 1]):
            if step > step_first[s] and step_time_us[step] <= step_time_us[step - 1]:
                return "steps increase within a station"
            if step_staff[step] < 0:
                return "numbers of staff are not negative"
    for v in range(vials.size):
        if vials[v] < 0:
            return "stock is not negative"
        if doses_per_vial[v] < 1:
            return "a vial holds at least one dose"
        if open_life_us[v] < 0:
            return "the life of an open vial is not negative"
    for patient in range(arrival_us.size):
        if patient and arrival_us[patient] < arrival_us[patient - 1]:
            return "patients are sorted by arrival"
        if tolerance_us[patient] < 0:
            return "tolerances are not negative"
        for v in range(vials.size):
            if preference[patient, v] >= vials.size:
                return "preferred vaccines are known"
        for s in range(kind.size):
            if service_us[patient, s] < 0:
                return "service_us is not negative"
            if walk_us[patient, s] < 0:
                return "walk_us is not negative"
            if (
                kind[s] == StationKind.OBSERVATION
                and visits[patient, s]
                and not visits[patient, vaccinating]
            ):
                return "everybody observed has been vaccinated"
    return ""


@dataclass(slots=True)
class UnitSessionResult:
    """What a session brought. -1 where a time or vaccine does not apply."""

    outcome: Int8Array
    """[n] PatientOutcome"""
    vaccine: Int8Array
    """[n] vaccine received"""
    jab_us: Int64Array
    """[n]"""
    exit_us: Int64Array
    """[n] (for CLOSED: the time of arrival)"""
    join_us: Int64Array
    """[n, S]"""
    start_us: Int64Array
    """[n, S]"""
    end_us: Int64Array
    """[n, S] end of service, or the time of leaving the queue if there was no start"""
    vials_opened: Int64Array
    """[V]"""
    doses_used: Int64Array
    """[V]"""
    doses_discarded: Int64Array
    """[V] left in open vials when these were discarded"""
    joined: Int64Array
    """[S] patients who queued there"""
    served: Int64Array
    """[S] patients who started there"""
    busy_us: Int64Array
    """[S]"""
    wait_us: Int64Array
    """[S]"""
    max_queue: Int64Array
    """[S]"""
    inside_us: int
    max_inside: int
    queue_us: Int64Array
    """[S] people in the queue, integrated over time"""
    service_us: Int64Array
    """[S] people in service, integrated over time"""
    idle_us: Int64Array
    """[S] free staff, integrated over the time until closing"""
    beyond_us: Int64Array
    """[S] people in service beyond the number of staff, integrated over the time until closing"""


@dataclass(frozen=True)
class Engine:
    """The two functions of an engine, by name."""

    name: str
    call_centre_day: Callable[..., CallCentreDayResult]
    unit_session: Callable[[UnitSession], UnitSessionResult]

    @classmethod
    def of(cls, module: ModuleType) -> Engine:
        """The engine that a module implements."""
        functions: Any = module
        name = module.__name__.rpartition(".")[2]
        return cls(name, functions.call_centre_day, functions.unit_session)


def _require(condition: bool | np.bool_, rule: str) -> None:
    if not condition:
        raise ValueError(f"engine contract broken: {rule}")
