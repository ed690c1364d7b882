"""The compiled engine: the rules of `contract.py` in numba, equal to `reference.py` to the last bit.

The rules stand here in the same order and under the same names as in the reference; what differs
is how pending events are kept:

- completions and abandonments in binary heaps ordered by (time, row);
- fresh calls by a pointer into the sorted array;
- redials in buckets of time, as linked lists through the rows. While all lines are in use until
  the next event of another kind, each call before it meets a busy signal whatever the order, so
  these are not sorted at all: this makes an overloaded day fast.

A session goes station by station, which is exact under the rules of the contract: nothing that
happens at a station changes anything upstream of it.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import fields
from typing import Any, NamedTuple

import numba
import numpy as np

from sim.engine.contract import (
    AttemptOutcome,
    BoolArray,
    CallCentreDay,
    CallCentreDayResult,
    CallCount,
    CallOutcome,
    Int8Array,
    Int64Array,
    PatientOutcome,
    StationKind,
    UnitSession,
    UnitSessionResult,
)
from sim.random_streams import philox, quantile

NEVER = 2**63 - 1
"""Later than every time."""

NOBODY = -1
"""No caller, no pool."""

COUNTS = len(CallCount)


# --- From the contract's inputs to those of the kernels -------------------------------------------

# The kernels see the fields of the contract's dataclasses under the same names.
_Day = namedtuple("_Day", [field.name for field in fields(CallCentreDay)])  # type: ignore[misc]
_Session = namedtuple("_Session", [field.name for field in fields(UnitSession)])  # type: ignore[misc]


def _kernel_input(value: Any) -> Any:
    """A C-contiguous, writable array: other layouts would be compiled for again."""
    if isinstance(value, np.ndarray):
        flags = value.flags
        return value if flags.c_contiguous and flags.writeable else value.copy(order="C")
    return value


# --- One call-centre day --------------------------------------------------------------------------


class _Heap(NamedTuple):
    """Pending events of one kind, the smallest (time, row) on top."""

    time: Int64Array
    row: Int64Array
    size: Int64Array
    """[1]"""
    position: Int64Array
    """[n] where a row is in this heap; shared, because a caller has one pending event at most"""


class _Centre(NamedTuple):
    """The state of the centre. A caller is in one place: about to call, waiting or talking."""

    on_duty: Int64Array
    """[P]"""
    busy: Int64Array
    """[P]"""
    preferred_pools: Int64Array
    """[P] pools in the order in which an arriving call looks for a free one"""
    first_waiting: Int64Array
    """[L] head of the queue of a language, in order of processing"""
    last_waiting: Int64Array
    """[L]"""
    sequence: Int64Array
    """[n] number of the arrival in the order of processing"""
    arrival_us: Int64Array
    """[n] arrival of the present attempt, or of the redial to come"""
    before: Int64Array
    """[n] the caller before in the queue"""
    after: Int64Array
    """[n] the caller behind in the queue, or the next redial in the same bucket"""
    completions: _Heap
    abandonments: _Heap
    redials: _Heap
    """arrivals to come in the buckets up to `bucket`"""
    bucket: Int64Array
    """[1] the last bucket that has been opened"""
    first_redial: Int64Array
    """[buckets]"""
    bucket_shift: int


class _Record(NamedTuple):
    """What has happened so far: the arrays of the result."""

    outcome: Int8Array
    attempts: Int64Array
    answered_us: Int64Array
    wait_us: Int64Array
    end_us: Int64Array
    pool: Int8Array
    counts: Int64Array
    pool_answered: Int64Array
    pool_busy_us: Int64Array
    pool_overtime_us: Int64Array
    log: Int64Array
    log_start: Int64Array
    """[n] place of a row's first attempt in the log; empty without a log"""


def call_centre_day(day: CallCentreDay, log: bool = False) -> CallCentreDayResult:
    """One day of the call centre; see the contract. Raises ValueError if the input breaks it."""
    day.check()
    inputs = _Day(*[_kernel_input(getattr(day, name)) for name in _Day._fields])
    inputs = inputs._replace(seed=np.uint64(day.seed))
    no_log = np.empty((0, 6), dtype=np.int64)
    no_start = np.empty(0, dtype=np.int64)
    result = CallCentreDayResult(*_call_centre_day(inputs, no_log, no_start), log=None)
    if not log:
        return result
    # Only now is it known how many attempts there are, and so where each row's part begins.
    start = np.cumsum(result.attempts) - result.attempts
    full_log = np.empty((int(result.attempts.sum()), 6), dtype=np.int64)
    return CallCentreDayResult(*_call_centre_day(inputs, full_log, start), log=full_log)


@numba.njit(cache=True, nogil=True)
def _call_centre_day(day: CallCentreDay, log: Int64Array, log_start: Int64Array) -> Any:
    n = day.fresh_us.shape[0]
    pools, languages = day.pool_speaks.shape
    steps = day.step_time_us.shape[0]

    # About one bucket a caller.
    bucket_shift = 0
    while (day.closes_us - 1 - day.opens_us) >> bucket_shift > n:
        bucket_shift += 1
    buckets = ((day.closes_us - 1 - day.opens_us) >> bucket_shift) + 1

    position = np.empty(n, dtype=np.int64)
    capacity = min(n, day.lines)
    centre = _Centre(
        on_duty=np.zeros(pools, dtype=np.int64),
        busy=np.zeros(pools, dtype=np.int64),
        preferred_pools=_fewest_languages_first(day.pool_speaks),
        first_waiting=np.full(languages, NOBODY, dtype=np.int64),
        last_waiting=np.full(languages, NOBODY, dtype=np.int64),
        sequence=np.empty(n, dtype=np.int64),
        arrival_us=np.empty(n, dtype=np.int64),
        before=np.empty(n, dtype=np.int64),
        after=np.empty(n, dtype=np.int64),
        completions=_empty_heap(capacity, position),
        abandonments=_empty_heap(capacity, position),
        redials=_empty_heap(n, position),
        bucket=np.zeros(1, dtype=np.int64),
        first_redial=np.full(buckets, NOBODY, dtype=np.int64),
        bucket_shift=bucket_shift,
    )
    record = _Record(
        outcome=np.empty(n, dtype=np.int8),
        attempts=np.zeros(n, dtype=np.int64),
        answered_us=np.full(n, -1, dtype=np.int64),
        wait_us=np.full(n, -1, dtype=np.int64),
        end_us=np.full(n, -1, dtype=np.int64),
        pool=np.full(n, -1, dtype=np.int8),
        counts=np.zeros(
            (
                -(-(day.closes_us - day.opens_us) // day.interval_us),
                languages,
                COUNTS,
            ),
            dtype=np.int64,
        ),
        pool_answered=np.zeros(pools, dtype=np.int64),
        pool_busy_us=np.zeros(pools, dtype=np.int64),
        pool_overtime_us=np.zeros(pools, dtype=np.int64),
        log=log,
        log_start=log_start,
    )
    completions, abandonments, redials = centre.completions, centre.abandonments, centre.redials
    fresh = 0
    step = 0
    closed = False
    arrivals_processed = 0
    max_waiting = 0
    max_lines = 0

    while True:
        completion_us = completions.time[0] if completions.size[0] else NEVER
        step_us = day.step_time_us[step] if step < steps else NEVER
        abandonment_us = abandonments.time[0] if abandonments.size[0] else NEVER
        closing_us = NEVER if closed else day.closes_us
        now = min(completion_us, step_us, abandonment_us, closing_us)
        if _lines_in_use(centre) == day.lines:
            fresh = _busy_signals(day, centre, record, fresh, now)
        else:
            _open_buckets(day, centre, fresh, now)
            fresh_us = day.fresh_us[fresh] if fresh < n else NEVER
            redial_us = redials.time[0] if redials.size[0] else NEVER
            arrival_us = min(fresh_us, redial_us)
            if arrival_us < now:
                if fresh_us < redial_us or (fresh_us == redial_us and fresh < redials.row[0]):
                    row = fresh
                    fresh += 1
                else:
                    row = redials.row[0]
                    _remove(redials, row)
                centre.sequence[row] = arrivals_processed
                arrivals_processed += 1
                _arrive(day, centre, record, row, arrival_us)
                max_waiting = max(max_waiting, abandonments.size[0])
                max_lines = max(max_lines, _lines_in_use(centre))
                continue
        if now == NEVER:
            break
        if completion_us == now:
            _complete(day, centre, record, now)
        elif step_us == now:
            pool = day.step_pool[step]
            centre.on_duty[pool] = day.step_agents[step]
            step += 1
            while centre.busy[pool] < centre.on_duty[pool]:
                if not _take_call(day, centre, record, pool, now):
                    break
        elif abandonment_us == now:
            _abandon(day, centre, record, now)
        else:
            closed = True
            if day.cut_off_at_closing:
                _cut_off(day, centre, record, now)

    return (
        record.outcome,
        record.attempts,
        record.answered_us,
        record.wait_us,
        record.end_us,
        record.pool,
        record.counts,
        record.pool_answered,
        record.pool_busy_us,
        record.pool_overtime_us,
        max_waiting,
        max_lines,
    )


@numba.njit(cache=True, nogil=True)
def _complete(day: CallCentreDay, centre: _Centre, record: _Record, now: int) -> None:
    """Kind 0: the call that ends first ends; its agent takes the next one if still on duty."""
    row = centre.completions.row[0]
    pool = record.pool[row]
    _remove(centre.completions, row)
    centre.busy[pool] -= 1
    if centre.busy[pool] < centre.on_duty[pool]:
        _take_call(day, centre, record, pool, now)


@numba.njit(cache=True, nogil=True)
def _abandon(day: CallCentreDay, centre: _Centre, record: _Record, now: int) -> None:
    """Kind 2: the caller whose patience is over leaves the queue and may redial."""
    row = centre.abandonments.row[0]
    _leave_queue(day, centre, row)
    _attempt_is_over(day, centre, record, row, AttemptOutcome.ABANDONED, now, True)
    redial_us = _redial(day, record, row, now)
    if redial_us != NEVER:
        _await_redial(day, centre, row, redial_us)


@numba.njit(cache=True, nogil=True)
def _cut_off(day: CallCentreDay, centre: _Centre, record: _Record, now: int) -> None:
    """Kind 3, where closing cuts off: everybody waiting is told to call again."""
    # By language instead of by row: nothing that happens here depends on the order.
    for language in range(centre.first_waiting.shape[0]):
        while centre.first_waiting[language] != NOBODY:
            row = centre.first_waiting[language]
            _leave_queue(day, centre, row)
            _attempt_is_over(day, centre, record, row, AttemptOutcome.CUT_OFF, now, True)
            if day.attempts_before[row] + record.attempts[row] >= day.attempts_allowed:
                record.outcome[row] = CallOutcome.LOST
            else:
                record.outcome[row] = CallOutcome.CARRIED


@numba.njit(cache=True, nogil=True)
def _arrive(day: CallCentreDay, centre: _Centre, record: _Record, row: int, now: int) -> None:
    """Kind 4, while a line is free: an agent takes the call at once, or the caller waits."""
    record.attempts[row] += 1
    centre.arrival_us[row] = now
    pool = _free_pool(day, centre, day.language[row])
    if pool != NOBODY:
        _answer(day, centre, record, row, pool, now, False)
        return
    _join_queue(day, centre, row)
    word, _, _, _ = _luck(day, row, record.attempts[row])
    patience = quantile(day.patience[day.call_type[row]], word)
    _push(centre.abandonments, now + patience, row)


@numba.njit(cache=True, nogil=True)
def _busy_signals(
    day: CallCentreDay, centre: _Centre, record: _Record, fresh: int, until: int
) -> int:
    """Kind 4, while all lines are in use: all arrivals before `until` meet a busy signal.

    Each depends on (row, attempt) alone, so they are gone through in any order: a caller with all
    redials before `until` at once. Returns the next fresh call.
    """
    redials = centre.redials
    while fresh < day.fresh_us.shape[0] and day.fresh_us[fresh] < until:
        centre.arrival_us[fresh] = day.fresh_us[fresh]
        _busy_signal(day, centre, record, fresh, until)
        fresh += 1
    while redials.size[0] and redials.time[0] < until:
        row = redials.row[0]
        _remove(redials, row)
        _busy_signal(day, centre, record, row, until)
    last = min((until - day.opens_us) >> centre.bucket_shift, centre.first_redial.shape[0] - 1)
    while centre.bucket[0] < last:
        centre.bucket[0] += 1
        row = centre.first_redial[centre.bucket[0]]
        while row != NOBODY:
            following = centre.after[row]
            if centre.arrival_us[row] < until:
                _busy_signal(day, centre, record, row, until)
            else:
                _push(redials, centre.arrival_us[row], row)
            row = following
    return fresh


@numba.njit(cache=True, nogil=True)
def _busy_signal(
    day: CallCentreDay, centre: _Centre, record: _Record, row: int, until: int
) -> None:
    """The attempt at `arrival_us[row]` is blocked, and so are its redials before `until`."""
    while True:
        now = centre.arrival_us[row]
        record.attempts[row] += 1
        _attempt_is_over(day, centre, record, row, AttemptOutcome.BLOCKED, now)
        redial_us = _redial(day, record, row, now)
        if redial_us == NEVER:
            return
        if redial_us >= until:
            _await_redial(day, centre, row, redial_us)
            return
        centre.arrival_us[row] = redial_us


@numba.njit(cache=True, nogil=True)
def _redial(day: CallCentreDay, record: _Record, row: int, now: int) -> int:
    """When the caller calls again after a blocked or abandoned attempt, or NEVER on this day."""
    made = record.attempts[row]
    if day.attempts_before[row] + made >= day.attempts_allowed:
        record.outcome[row] = CallOutcome.LOST
        return NEVER
    _, decision, delay, _ = _luck(day, row, made)
    if np.int64(decision) >= day.redial_threshold:
        record.outcome[row] = CallOutcome.LOST
        return NEVER
    if made >= day.attempts_per_day:
        record.outcome[row] = CallOutcome.CARRIED
        return NEVER
    redial_us = now + quantile(day.redial_delay, delay)
    if redial_us >= day.closes_us:
        record.outcome[row] = CallOutcome.CARRIED
        return NEVER
    return redial_us


@numba.njit(cache=True, nogil=True)
def _await_redial(day: CallCentreDay, centre: _Centre, row: int, redial_us: int) -> None:
    centre.arrival_us[row] = redial_us
    bucket = (redial_us - day.opens_us) >> centre.bucket_shift
    if bucket <= centre.bucket[0]:
        _push(centre.redials, redial_us, row)
    else:
        centre.after[row] = centre.first_redial[bucket]
        centre.first_redial[bucket] = row


@numba.njit(cache=True, nogil=True)
def _open_buckets(day: CallCentreDay, centre: _Centre, fresh: int, until: int) -> None:
    """Sort redials bucket by bucket until the next one is known, or all before the next event."""
    if fresh < day.fresh_us.shape[0]:
        until = min(until, day.fresh_us[fresh])
    last = min((until - day.opens_us) >> centre.bucket_shift, centre.first_redial.shape[0] - 1)
    while centre.redials.size[0] == 0 and centre.bucket[0] < last:
        centre.bucket[0] += 1
        row = centre.first_redial[centre.bucket[0]]
        while row != NOBODY:
            _push(centre.redials, centre.arrival_us[row], row)
            row = centre.after[row]


@numba.njit(cache=True, nogil=True)
def _free_pool(day: CallCentreDay, centre: _Centre, language: int) -> int:
    """The free pool for this language with the fewest languages, then the lowest index."""
    for pool in centre.preferred_pools:
        if day.pool_speaks[pool, language] and centre.busy[pool] < centre.on_duty[pool]:
            return pool
    return NOBODY


@numba.njit(cache=True, nogil=True)
def _take_call(
    day: CallCentreDay, centre: _Centre, record: _Record, pool: int, now: int
) -> bool:
    """The pool takes the call that arrived first of those it can serve; False if there is none."""
    first = NOBODY
    for language in range(centre.first_waiting.shape[0]):
        row = centre.first_waiting[language]
        if day.pool_speaks[pool, language] and row != NOBODY:
            if first == NOBODY or centre.sequence[row] < centre.sequence[first]:
                first = row
    if first == NOBODY:
        return False
    _leave_queue(day, centre, first)
    _answer(day, centre, record, first, pool, now, True)
    return True


@numba.njit(cache=True, nogil=True)
def _answer(
    day: CallCentreDay,
    centre: _Centre,
    record: _Record,
    row: int,
    pool: int,
    now: int,
    queued: bool,
) -> None:
    """An agent of the pool takes the call."""
    _, _, _, word = _luck(day, row, record.attempts[row])
    end = now + quantile(day.handle[day.call_type[row]], word)
    centre.busy[pool] += 1
    _push(centre.completions, end, row)
    _attempt_is_over(day, centre, record, row, AttemptOutcome.ANSWERED, now, queued, pool)
    record.outcome[row] = CallOutcome.ANSWERED
    record.answered_us[row] = now
    record.wait_us[row] = now - centre.arrival_us[row]
    record.end_us[row] = end
    record.pool[row] = pool
    record.pool_answered[pool] += 1
    record.pool_busy_us[pool] += max(min(end, day.closes_us) - now, 0)
    record.pool_overtime_us[pool] += max(end - max(now, day.closes_us), 0)


@numba.njit(cache=True, nogil=True)
def _attempt_is_over(
    day: CallCentreDay,
    centre: _Centre,
    record: _Record,
    row: int,
    outcome: AttemptOutcome,
    now: int,
    queued: bool = False,
    pool: int = -1,
) -> None:
    """Count an attempt that has just been answered, abandoned, blocked or cut off."""
    arrival = centre.arrival_us[row]
    interval = (arrival - day.opens_us) // day.interval_us
    wait = now - arrival
    cell = record.counts[interval, day.language[row]]
    cell[CallCount.OFFERED] += 1
    if outcome == AttemptOutcome.ANSWERED:
        cell[CallCount.ANSWERED] += 1
        cell[CallCount.WAIT_ANSWERED_US] += wait
        if wait <= day.target_us:
            cell[CallCount.WITHIN_TARGET] += 1
    elif outcome == AttemptOutcome.ABANDONED:
        cell[CallCount.ABANDONED] += 1
    elif outcome == AttemptOutcome.BLOCKED:
        cell[CallCount.BLOCKED] += 1
    else:
        cell[CallCount.CUT_OFF] += 1
    if queued:
        cell[CallCount.DELAYED] += 1
        cell[CallCount.WAIT_ALL_US] += wait
    if record.log.shape[0]:
        attempt = record.attempts[row] - 1
        entry = record.log[record.log_start[row] + attempt]
        entry[0] = row
        entry[1] = attempt
        entry[2] = arrival
        entry[3] = outcome
        entry[4] = now
        entry[5] = pool


@numba.njit(cache=True, nogil=True)
def _luck(day: CallCentreDay, row: int, made: int) -> tuple[int, int, int, int]:
    """The four words of the last of `made` attempts of today."""
    attempt = day.attempts_before[row] + made - 1
    return philox(
        day.entity[row],
        attempt,
        day.stream[row],
        day.replication,
        day.seed & np.uint64(0xFFFFFFFF),
        day.seed >> np.uint64(32),
    )


@numba.njit(cache=True, nogil=True)
def _lines_in_use(centre: _Centre) -> int:
    """Waiting and talking."""
    return centre.abandonments.size[0] + centre.completions.size[0]


@numba.njit(cache=True, nogil=True)
def _fewest_languages_first(pool_speaks: BoolArray) -> Int64Array:
    """Pools by (number of languages, index)."""
    pools, languages = pool_speaks.shape
    order = np.empty(pools, dtype=np.int64)
    place = 0
    for number in range(languages + 1):
        for pool in range(pools):
            if pool_speaks[pool].sum() == number:
                order[place] = pool
                place += 1
    return order


@numba.njit(cache=True, nogil=True)
def _join_queue(day: CallCentreDay, centre: _Centre, row: int) -> None:
    language = day.language[row]
    last = centre.last_waiting[language]
    centre.before[row] = last
    centre.after[row] = NOBODY
    if last == NOBODY:
        centre.first_waiting[language] = row
    else:
        centre.after[last] = row
    centre.last_waiting[language] = row


@numba.njit(cache=True, nogil=True)
def _leave_queue(day: CallCentreDay, centre: _Centre, row: int) -> None:
    """Out of the queue, and the abandonment is no longer due."""
    language = day.language[row]
    before, after = centre.before[row], centre.after[row]
    if before == NOBODY:
        centre.first_waiting[language] = after
    else:
        centre.after[before] = after
    if after == NOBODY:
        centre.last_waiting[language] = before
    else:
        centre.before[after] = before
    _remove(centre.abandonments, row)


@numba.njit(cache=True, nogil=True)
def _empty_heap(capacity: int, position: Int64Array) -> _Heap:
    return _Heap(
        np.empty(capacity, dtype=np.int64),
        np.empty(capacity, dtype=np.int64),
        np.zeros(1, dtype=np.int64),
        position,
    )


@numba.njit(cache=True, nogil=True)
def _push(heap: _Heap, time: int, row: int) -> None:
    heap.size[0] += 1
    _sift_up(heap, heap.size[0] - 1, time, row)


@numba.njit(cache=True, nogil=True)
def _remove(heap: _Heap, row: int) -> None:
    """Take a row out, wherever it is."""
    heap.size[0] -= 1
    size = heap.size[0]
    place = heap.position[row]
    if place == size:
        return
    # The last event fills the hole: first the smaller child moves up, down to a leaf.
    time, row = heap.time[size], heap.row[size]
    child = 2 * place + 1
    while child < size:
        if child + 1 < size and _is_before(heap, child + 1, heap.time[child], heap.row[child]):
            child += 1
        _put(heap, place, heap.time[child], heap.row[child])
        place = child
        child = 2 * place + 1
    _sift_up(heap, place, time, row)


@numba.njit(cache=True, nogil=True)
def _sift_up(heap: _Heap, place: int, time: int, row: int) -> None:
    while place > 0:
        parent = (place - 1) >> 1
        if _is_before(heap, parent, time, row):
            break
        _put(heap, place, heap.time[parent], heap.row[parent])
        place = parent
    _put(heap, place, time, row)


@numba.njit(cache=True, nogil=True)
def _is_before(heap: _Heap, place: int, time: int, row: int) -> bool:
    return heap.time[place] < time or (heap.time[place] == time and heap.row[place] < row)


@numba.njit(cache=True, nogil=True)
def _put(heap: _Heap, place: int, time: int, row: int) -> None:
    heap.time[place] = time
    heap.row[place] = row
    heap.position[row] = place


# --- One unit's session ---------------------------------------------------------------------------


class _Vaccines(NamedTuple):
    """Vials by vaccine, one of each open at most."""

    vials: Int64Array
    opened_at: Int64Array
    doses_left: Int64Array
    opened: Int64Array
    used: Int64Array
    discarded: Int64Array


def unit_session(session: UnitSession) -> UnitSessionResult:
    """One session of a unit; see the contract. Raises ValueError if the input breaks it."""
    session.check()
    inputs = _Session(*[_kernel_input(getattr(session, name)) for name in _Session._fields])
    return UnitSessionResult(*_unit_session(inputs))


@numba.njit(cache=True, nogil=True)
def _unit_session(session: UnitSession) -> Any:
    n, stations = session.visits.shape
    kinds = session.vials.shape[0]
    vaccines = _Vaccines(
        vials=session.vials.copy(),
        opened_at=np.zeros(kinds, dtype=np.int64),
        doses_left=np.zeros(kinds, dtype=np.int64),
        opened=np.zeros(kinds, dtype=np.int64),
        used=np.zeros(kinds, dtype=np.int64),
        discarded=np.zeros(kinds, dtype=np.int64),
    )
    outcome = np.full(n, PatientOutcome.COMPLETED, dtype=np.int8)
    vaccine = np.full(n, -1, dtype=np.int8)
    jab_us = np.full(n, -1, dtype=np.int64)
    exit_us = session.arrival_us.copy()  # so far: the end of the last service
    join_us = np.full((n, stations), -1, dtype=np.int64)
    start_us = np.full((n, stations), -1, dtype=np.int64)
    end_us = np.full((n, stations), -1, dtype=np.int64)
    served = np.zeros(stations, dtype=np.int64)
    busy_us = np.zeros(stations, dtype=np.int64)
    wait_us = np.zeros(stations, dtype=np.int64)
    max_queue = np.zeros(stations, dtype=np.int64)

    for patient in range(n):
        if session.arrival_us[patient] >= session.closes_us:
            outcome[patient] = PatientOutcome.CLOSED

    service_ends = np.empty(n, dtype=np.int64)  # heap
    for s in range(stations):
        queue = np.empty(n, dtype=np.int64)
        joined = 0
        for patient in range(n):
            if outcome[patient] == PatientOutcome.COMPLETED and session.visits[patient, s]:
                join_us[patient, s] = exit_us[patient] + session.walk_us[patient, s]
                queue[joined] = patient
                joined += 1
        queue = _by_time_of_joining(queue[:joined], join_us[:, s])
        left_queue_us = np.empty(joined, dtype=np.int64)

        now = -NEVER
        staff = 0
        busy = 0
        step, last_step = session.step_first[s], session.step_first[s + 1]
        for place in range(joined):
            patient = queue[place]
            join = join_us[patient, s]

            # The clock goes on to the first instant at which the patient, now at the head of the
            # queue, can start: staff numbers change, services end, then somebody may be free.
            now = max(now, join)
            while now != NEVER:
                while step < last_step and session.step_time_us[step] <= now:
                    staff = session.step_staff[step]
                    step += 1
                while busy and service_ends[0] <= now:
                    busy -= 1
                    _pop_earliest(service_ends, busy)
                if busy < staff:
                    break
                next_end = service_ends[0] if busy else NEVER
                next_step = session.step_time_us[step] if step < last_step else NEVER
                now = min(next_end, next_step)

            # Before that the patient may have been sent away, or have lost patience.
            late = max(join, session.latest_start_us[s])
            patience_ends = join + session.tolerance_us[patient]
            if now >= late or now > patience_ends:
                if late <= patience_ends:
                    outcome[patient] = PatientOutcome.LATE
                    end = late
                else:
                    outcome[patient] = PatientOutcome.LEFT
                    end = patience_ends
                left_queue_us[place] = end
            elif session.kind[s] == StationKind.VACCINATION and not _take_dose(
                session, vaccines, patient, now, vaccine
            ):
                outcome[patient] = PatientOutcome.NO_DOSE
                end = now
                left_queue_us[place] = now
            else:
                if session.kind[s] == StationKind.OBSERVATION:
                    end = max(now, jab_us[patient] + session.service_us[patient, s])
                else:
                    end = now + session.service_us[patient, s]
                if session.kind[s] == StationKind.VACCINATION:
                    jab_us[patient] = end
                start_us[patient, s] = now
                left_queue_us[place] = now
                _push_end(service_ends, busy, end)
                busy += 1
                served[s] += 1
                busy_us[s] += end - now
            end_us[patient, s] = end
            exit_us[patient] = end
            wait_us[s] += left_queue_us[place] - join
        max_queue[s] = _most_at_once(join_us[:, s][queue], left_queue_us)

    for v in range(kinds):
        _discard(vaccines, v)
    return (
        outcome,
        vaccine,
        jab_us,
        exit_us,
        join_us,
        start_us,
        end_us,
        vaccines.opened,
        vaccines.used,
        vaccines.discarded,
        served,
        busy_us,
        wait_us,
        max_queue,
        (exit_us - session.arrival_us).sum(),
        _most_at_once(session.arrival_us, exit_us),
    )


@numba.njit(cache=True, nogil=True)
def _by_time_of_joining(patients: Int64Array, join_us: Int64Array) -> Int64Array:
    """The patients, given in order of their numbers, by (time of joining, number)."""
    for place in range(1, patients.size):
        if join_us[patients[place]] < join_us[patients[place - 1]]:
            return patients[np.argsort(join_us[patients], kind="mergesort")]
    return patients


@numba.njit(cache=True, nogil=True)
def _take_dose(
    session: UnitSession, vaccines: _Vaccines, patient: int, now: int, vaccine: Int8Array
) -> bool:
    """Take a dose of the first vaccine, in the patient's order, that has one left."""
    for v in session.preference[patient]:
        if v == -1:
            break
        if now >= vaccines.opened_at[v] + session.open_life_us[v]:
            _discard(vaccines, v)
        if vaccines.doses_left[v] == 0:
            if vaccines.vials[v] == 0:
                continue
            vaccines.vials[v] -= 1
            vaccines.opened[v] += 1
            vaccines.opened_at[v] = now
            vaccines.doses_left[v] = session.doses_per_vial[v]
        vaccines.doses_left[v] -= 1
        vaccines.used[v] += 1
        vaccine[patient] = v
        return True
    return False


@numba.njit(cache=True, nogil=True)
def _discard(vaccines: _Vaccines, v: int) -> None:
    """Throw the open vial away."""
    vaccines.discarded[v] += vaccines.doses_left[v]
    vaccines.doses_left[v] = 0


@numba.njit(cache=True, nogil=True)
def _most_at_once(begins: Int64Array, ends: Int64Array) -> int:
    """Largest number of intervals begin <= t < end that hold one t. `begins` are sorted."""
    ends = np.sort(ends)
    most = 0
    ended = 0
    for i in range(begins.size):
        while ended < ends.size and ends[ended] <= begins[i]:
            ended += 1
        most = max(most, i + 1 - ended)
    return most


@numba.njit(cache=True, nogil=True)
def _push_end(heap: Int64Array, size: int, end: int) -> None:
    """Add a time to a heap of so many, the earliest on top."""
    place = size
    while place > 0:
        parent = (place - 1) >> 1
        if heap[parent] <= end:
            break
        heap[place] = heap[parent]
        place = parent
    heap[place] = end


@numba.njit(cache=True, nogil=True)
def _pop_earliest(heap: Int64Array, size: int) -> None:
    """Take away the earliest time of a heap; `size` are left."""
    end = heap[size]
    place = 0
    child = 1
    while child < size:
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if end <= heap[child]:
            break
        heap[place] = heap[child]
        place = child
        child = 2 * place + 1
    heap[place] = end
