"""The compiled engine: the rules of `contract.py` in numba, equal to `reference.py` to the bit.

The rules stand here under the same names as in the contract and the reference, the kinds of event
as branches of one loop. What differs from the reference is how pending events are kept:

- completions and abandonments in binary heaps ordered by (time, row), ends of after-call work by
  (time, pool);
- fresh calls by a pointer into the sorted array;
- redials in buckets of time, as linked lists through the callers. While all lines are in use,
  every call before the next event of another kind meets a busy signal, whatever the order, so
  these are not sorted at all: that makes an overloaded day fast.

The state is in records instead of objects: arrays with named fields, one record a caller (a cache
line), a pool, a queue. A kernel that gets a record gets a pointer, without reference counts.

A session goes station by station, which is exact under the rules of the contract: nothing that
happens at a station changes anything upstream of it.

Random numbers and quantiles, of curves or of single values, come from the kernels of
`sim.random_streams`, which are copied in here.
"""

# mypy: disable-error-code="no-any-return"
# (The fields of a record have no static type.)

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.compilation import allocating_kernel, kernel
from sim.engine.contract import (
    WRAP_UP_STREAMS,
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
from sim.random_streams import UInt32Array, philox, quantile

NEVER = 2**63 - 1
"""Later than every time."""

NOBODY = -1
"""No caller, no pool."""

# Plain numbers where they are arguments of kernels. (A class among the types of a signature would
# break the loading of an older cache if the class were renamed.)
ANSWERED, ABANDONED, BLOCKED, CUT_OFF = map(int, AttemptOutcome)

Int32Array = NDArray[np.int32]

Records = Any
"""An array of records, whose fields are attributes in a kernel."""

Record = Any
"""One of them; changes are made in the array."""


def _kernel_input(array: NDArray[Any]) -> NDArray[Any]:
    """The array in C order and writable: others would have the kernel compiled once more."""
    return array if array.flags.carray else array.copy(order="C")


def _records(number: int, dtype: np.dtype[np.void]) -> Records:
    return np.zeros(number, dtype)


# --- One call-centre day --------------------------------------------------------------------------

DAY_FIELDS = [
    ("opens_us", np.int64),
    ("closes_us", np.int64),
    ("cut_off_at_closing", np.bool_),
    ("random_agent", np.bool_),
    ("keeps_patience", np.bool_),
    ("lines", np.int64),
    ("redial_threshold", np.int64),
    ("busy_redial_threshold", np.int64),
    ("reconnect_threshold", np.int64),
    ("attempts_per_day", np.int64),
    ("attempts_allowed", np.int64),
    ("target_us", np.int64),
    ("interval_us", np.int64),
    ("seed", np.uint64),
    ("replication", np.int64),
]
"""As in the contract."""

CENTRE = np.dtype(
    [
        *DAY_FIELDS,
        ("talking", np.int64),  # size of the heap of completions
        ("wrapping_up", np.int64),  # size of the heap of the ends of after-call work
        ("waiting", np.int64),  # size of the heap of abandonments
        ("redialling", np.int64),  # size of the heap of redials, which has those of open buckets
        ("bucket", np.int64),  # the last open bucket
        ("bucket_shift", np.int64),  # a bucket is 2**bucket_shift microseconds long
        ("sequence", np.int64),  # number of arrivals that joined the queue
        ("logged", np.int64),  # number of attempts in the log
        ("max_waiting", np.int64),
        ("max_lines", np.int64),
        ("clock", np.int64),  # until when the next three are
        ("waiting_us", np.int64),
        ("lines_us", np.int64),
        ("lines_open_us", np.int64),
    ]
)

CALLER = np.dtype(
    [
        ("entity", np.uint32),
        ("stream", np.uint32),
        ("attempts_before", np.int64),
        ("arrival_us", np.int64),  # of the present attempt, or of the redial to come
        ("made", np.int32),  # attempts today
        ("decision", np.uint32),  # the words of the present attempt: whether to call again,
        ("delay", np.uint32),  # when,
        ("handle", np.uint32),  # how long the call takes
        ("language", np.int8),
        ("call_type", np.int8),
        ("outcome", np.int8),
        ("pool", np.int8),
        ("after", np.int32),  # the caller after in the queue, or in the same bucket
        ("before", np.int32),  # the caller before in the queue
        ("position", np.int32),  # place of the caller's abandonment in its heap
        ("sequence", np.int64),  # number of the arrival among those that joined the queue
    ]
)
"""64 bytes: a cache line."""

ANSWER_FIELDS = ("answers", "answered_us", "end_us", "wait_us", "handled_us")

ANSWER = np.dtype([(name, np.int64) for name in ANSWER_FIELDS] + [("pool", np.int8)])
"""What a caller's answered calls come to; as in the contract."""

POOL = np.dtype(
    [
        ("on_duty", np.int64),
        ("busy", np.int64),
        ("answered", np.int64),
        ("busy_us", np.int64),
        ("overtime_us", np.int64),
        ("wrap_up_us", np.int64),
        ("clock", np.int64),  # until when the next three are
        ("talking_us", np.int64),
        ("idle_us", np.int64),
        ("beyond_us", np.int64),
    ]
)

QUEUE = np.dtype([("first", np.int64), ("last", np.int64)])
"""Those who wait for one language, in the order in which their arrivals were processed."""

EVENT = np.dtype([("time", np.int64), ("row", np.int64)])

CELL = np.dtype([(count.name.lower(), np.int64) for count in CallCount])

ATTEMPT_FIELDS = ("row", "attempt", "arrival_us", "outcome", "time_us", "pool")

ATTEMPT = np.dtype([(name, np.int64) for name in ATTEMPT_FIELDS])


def call_centre_day(day: CallCentreDay, log: bool = False) -> CallCentreDayResult:
    """One day of the call centre; see the contract. Raises ValueError if the input breaks it."""
    day.check()
    result = _simulate(day, _records(0, ATTEMPT))
    if not log:
        return result
    # Only now is it known how many attempts there are.
    attempts = _records(int(result.attempts.sum()), ATTEMPT)
    _simulate(day, attempts)
    attempts = attempts.view(np.int64).reshape(-1, len(ATTEMPT_FIELDS))
    row, attempt = attempts[:, 0], attempts[:, 1]
    return replace(result, log=attempts[np.lexsort((attempt, row))])


def _simulate(day: CallCentreDay, log: Records) -> CallCentreDayResult:
    """The day. Its attempts are entered into the log as they are over, if that has any room."""
    n = day.fresh_us.shape[0]
    pool_count, languages = day.pool_speaks.shape

    centre = _records(1, CENTRE)
    for field, _ in DAY_FIELDS:
        centre[field] = getattr(day, field)
    # About one bucket a caller.
    bucket_shift = int((day.closes_us - day.opens_us) // (n + 1)).bit_length()
    bucket_count = ((day.closes_us - day.opens_us) >> bucket_shift) + 1
    centre["bucket_shift"] = bucket_shift
    has_wrap_up = bool(day.wrap_up[:, 1, -1].any())  # (the last of a table is the largest)
    plain = not (has_wrap_up or day.random_agent or day.keeps_patience)

    callers, answers = _records(n, CALLER), _records(n, ANSWER)
    _enter_callers(
        callers,
        answers,
        _kernel_input(day.entity),
        _kernel_input(day.stream),
        _kernel_input(day.attempts_before),
        _kernel_input(day.language),
        _kernel_input(day.call_type),
    )

    pools = _records(pool_count, POOL)
    queues = _records(languages, QUEUE)
    queues["first"] = queues["last"] = NOBODY
    cells = _records(day.intervals * languages, CELL).reshape(day.intervals, languages)
    speaks = _kernel_input(day.pool_speaks)

    _call_centre_day(
        centre[0],
        callers,
        pools,
        queues,
        _records(min(n, day.lines), EVENT),
        # (None has the kernel compiled without after-call work, choice by chance and patience that
        # is kept: days without them shall not pay for them.)
        None if plain else _records(_most_agents(day), EVENT),
        _records(min(n, day.lines), EVENT),
        _records(n, EVENT),
        np.full(bucket_count, NOBODY, dtype=np.int32),
        cells,
        log,
        answers,
        speaks,
        np.argsort(speaks.sum(axis=1), kind="stable"),
        _kernel_input(day.fresh_us),
        _kernel_input(day.step_time_us),
        _kernel_input(day.step_pool),
        _kernel_input(day.step_agents),
        _kernel_input(day.patience),
        _kernel_input(day.redial_delay),
        _kernel_input(day.busy_redial_delay),
        _kernel_input(day.reconnect_delay),
        _kernel_input(day.handle),
        _kernel_input(day.wrap_up),
    )
    codes, numbers = np.empty((2, n), np.int8), np.empty((1 + len(ANSWER_FIELDS), n), np.int64)
    _read_callers(callers, answers, *codes, *numbers)
    return CallCentreDayResult(
        outcome=codes[0],
        pool=codes[1],
        attempts=numbers[0],
        **dict(zip(ANSWER_FIELDS, numbers[1:], strict=True)),
        counts=cells.view(np.int64).reshape(day.intervals, languages, len(CallCount)),
        pool_answered=pools["answered"].copy(),
        pool_busy_us=pools["busy_us"].copy(),
        pool_overtime_us=pools["overtime_us"].copy(),
        pool_wrap_up_us=pools["wrap_up_us"].copy(),
        max_waiting=int(centre["max_waiting"][0]),
        max_lines=int(centre["max_lines"][0]),
        waiting_us=int(centre["waiting_us"][0]),
        lines_us=int(centre["lines_us"][0]),
        lines_open_us=int(centre["lines_open_us"][0]),
        pool_talking_us=pools["talking_us"].copy(),
        pool_idle_us=pools["idle_us"].copy(),
        pool_beyond_us=pools["beyond_us"].copy(),
        log=None,
    )


def _most_agents(day: CallCentreDay) -> int:
    """No more than so many are ever busy at once."""
    pools = range(day.pool_speaks.shape[0])
    return sum(int(day.step_agents[day.step_pool == p].max(initial=0)) for p in pools)


@kernel
def _enter_callers(
    callers: Records,
    answers: Records,
    entity: UInt32Array,
    stream: UInt32Array,
    attempts_before: Int64Array,
    language: Int8Array,
    call_type: Int8Array,
) -> None:
    """The callers before their first calls."""
    for row in range(callers.size):
        caller, answer = callers[row], answers[row]
        caller.entity = entity[row]
        caller.stream = stream[row]
        caller.attempts_before = attempts_before[row]
        caller.language = language[row]
        caller.call_type = call_type[row]
        caller.outcome = caller.pool = -1
        answer.answered_us = answer.end_us = answer.pool = -1


@kernel
def _read_callers(
    callers: Records,
    answers: Records,
    outcome: Int8Array,
    pool: Int8Array,
    attempts: Int64Array,
    count: Int64Array,
    answered_us: Int64Array,
    end_us: Int64Array,
    wait_us: Int64Array,
    handled_us: Int64Array,
) -> None:
    """What their day came to."""
    for row in range(callers.size):
        caller, answer = callers[row], answers[row]
        outcome[row] = caller.outcome
        pool[row] = answer.pool
        attempts[row] = caller.made
        count[row] = answer.answers
        answered_us[row] = answer.answered_us
        end_us[row] = answer.end_us
        wait_us[row] = answer.wait_us
        handled_us[row] = answer.handled_us


@kernel
def _call_centre_day(
    centre: Record,
    callers: Records,
    pools: Records,
    queues: Records,
    completions: Records,
    wrap_ups: Records | None,
    abandonments: Records,
    redials: Records,
    buckets: Int32Array,
    cells: Records,
    log: Records,
    answers: Records,
    speaks: BoolArray,
    preferred_pools: Int64Array,
    fresh_us: Int64Array,
    step_time_us: Int64Array,
    step_pool: Int64Array,
    step_agents: Int64Array,
    patience: Int64Array,
    redial_delay: Int64Array,
    busy_redial_delay: Int64Array,
    reconnect_delay: Int64Array,
    handle: Int64Array,
    wrap_up: Int64Array,
) -> None:
    fresh = 0
    step = 0
    closed = False
    while True:
        completion = completions[0].time if centre.talking else NEVER
        wrap_up_end = NEVER
        if wrap_ups is not None:
            wrap_up_end = wrap_ups[0].time if centre.wrapping_up else NEVER
        shift_change = step_time_us[step] if step < step_time_us.size else NEVER
        abandonment = abandonments[0].time if centre.waiting else NEVER
        closing = NEVER if closed else centre.closes_us
        now = min(min(completion, wrap_up_end), min(shift_change, min(abandonment, closing)))
        fresh_call = fresh_us[fresh] if fresh < fresh_us.size else NEVER
        redial = NEVER
        if centre.waiting + centre.talking == centre.lines:
            # Every arrival before the next event of another kind meets a busy signal.
            fresh = _busy_signals(
                centre,
                callers,
                redials,
                buckets,
                cells,
                log,
                fresh_us,
                busy_redial_delay,
                fresh,
                now,
            )
            fresh_call = NEVER
        else:
            _open_buckets(centre, callers, redials, buckets, min(fresh_call, now))
            redial = redials[0].time if centre.redialling else NEVER
        arrival = min(fresh_call, redial)
        pool = NOBODY  # a pool that may take calls from the queue
        if min(arrival, now) != NEVER:
            _pass_time(centre, min(arrival, now))

        if arrival < now:  # kind 5: arrival, a line is free
            now = arrival
            if fresh_call < redial or (fresh_call == redial and fresh < redials[0].row):
                row = fresh
                fresh += 1
            else:
                row = redials[0].row
                centre.redialling -= 1
                _remove(redials, centre.redialling, None, 0)
            caller = callers[row]
            patience_word = _call(centre, caller, now)
            free_pool = _free_pool(pools, speaks, preferred_pools, caller.language)
            if wrap_ups is not None and centre.random_agent:
                _, word, _, _ = _luck(centre, caller, WRAP_UP_STREAMS)
                free_pool = _pool_of_any_agent(pools, speaks, caller.language, word)
            if free_pool != NOBODY:
                _answer(centre, callers, pools, completions, answers, handle, row, free_pool, now)
                _attempt_is_over(centre, caller, row, cells, log, ANSWERED, now, False)
            else:
                _join_queue(centre, callers, queues, row)
                if wrap_ups is not None and centre.keeps_patience:
                    patience_word, _, _, _ = _luck_of(centre, caller, 0, 0)
                patience_ends = now + quantile(patience[caller.call_type], patience_word)
                _push(abandonments, centre.waiting, callers, patience_ends, row)
                centre.waiting += 1
                centre.max_waiting = max(centre.max_waiting, centre.waiting)
            centre.max_lines = max(centre.max_lines, centre.waiting + centre.talking)

        elif now == NEVER:
            break

        elif completion == now:  # kind 0
            row = completions[0].row
            centre.talking -= 1
            _remove(completions, centre.talking, None, 0)
            caller = callers[row]
            pool = caller.pool
            free = now
            if wrap_ups is not None:
                word, _, _, _ = _luck(centre, caller, WRAP_UP_STREAMS)
                free += quantile(wrap_up[caller.call_type], word)
                if free > now:
                    _work(centre, pools[pool], now, free)
                    pools[pool].wrap_up_us += free - now
                    answers[row].handled_us += free - now
                    _push(wrap_ups, centre.wrapping_up, None, free, pool)
                    centre.wrapping_up += 1
            if free > now:
                pool = NOBODY
            else:
                _agent_is_free(centre, pools[pool], now)
            if centre.reconnect_threshold:
                caller.pool = NOBODY
                threshold = centre.reconnect_threshold
                again = _call_again(centre, caller, threshold, reconnect_delay, now)
                if again != NEVER and not _in_bucket(centre, caller, buckets, row, again):
                    _push(redials, centre.redialling, None, again, row)
                    centre.redialling += 1

        elif wrap_up_end == now:  # kind 1
            if wrap_ups is not None:
                pool = wrap_ups[0].row
                centre.wrapping_up -= 1
                _remove(wrap_ups, centre.wrapping_up, None, 0)
                _agent_is_free(centre, pools[pool], now)

        elif shift_change == now:  # kind 2
            pool = step_pool[step]
            _pass_time_of_agents(centre, pools[pool], now)
            pools[pool].on_duty = step_agents[step]
            step += 1

        elif abandonment == now:  # kind 3
            row = abandonments[0].row
            caller = callers[row]
            _leave_queue(centre, callers, queues, abandonments, row)
            _attempt_is_over(centre, caller, row, cells, log, ABANDONED, now, True)
            again = _call_again(centre, caller, centre.redial_threshold, redial_delay, now)
            if again != NEVER and not _in_bucket(centre, caller, buckets, row, again):
                _push(redials, centre.redialling, None, again, row)
                centre.redialling += 1

        else:  # kind 4: closing
            closed = True
            if centre.cut_off_at_closing:
                # By language instead of by row: nothing here depends on the order.
                for queue in queues:
                    while queue.first != NOBODY:
                        row = queue.first
                        caller = callers[row]
                        _leave_queue(centre, callers, queues, abandonments, row)
                        _attempt_is_over(centre, caller, row, cells, log, CUT_OFF, now, True)
                        lost = caller.attempts_before + caller.made >= centre.attempts_allowed
                        _day_ends(caller, CallOutcome.LOST if lost else CallOutcome.CARRIED)

        if pool != NOBODY:  # an agent that gets free takes one call at most
            while pools[pool].busy < pools[pool].on_duty:
                row = _longest_waiting(callers, queues, speaks, pool)
                if row == NOBODY:
                    break
                _leave_queue(centre, callers, queues, abandonments, row)
                _answer(centre, callers, pools, completions, answers, handle, row, pool, now)
                _attempt_is_over(centre, callers[row], row, cells, log, ANSWERED, now, True)
    for taking in pools:
        _pass_time_of_agents(centre, taking, max(taking.clock, centre.closes_us))


@kernel
def _pass_time(centre: Record, now: int) -> None:
    """The clock goes on: so long the queue and the lines were as they are."""
    elapsed, in_use = now - centre.clock, centre.talking + centre.waiting
    centre.waiting_us += elapsed * centre.waiting
    centre.lines_us += elapsed * in_use
    # (No line is in use before opening.)
    centre.lines_open_us += max(min(now, centre.closes_us) - centre.clock, 0) * in_use
    centre.clock = now


@kernel
def _pass_time_of_agents(centre: Record, pool: Record, now: int) -> None:
    """So long the agents of a pool were on calls and on duty as they are."""
    pool.talking_us += (now - pool.clock) * pool.busy
    free = pool.on_duty - pool.busy
    open_us = min(now, centre.closes_us) - max(pool.clock, centre.opens_us)
    if open_us > 0 and free > 0:
        pool.idle_us += free * open_us
    elif open_us > 0:
        pool.beyond_us -= free * open_us
    pool.clock = now


@kernel
def _agent_is_free(centre: Record, pool: Record, now: int) -> None:
    """An agent has finished."""
    _pass_time_of_agents(centre, pool, now)
    pool.busy -= 1


@kernel
def _work(centre: Record, pool: Record, begin: int, end: int) -> None:
    """Count an agent's time before closing and after it."""
    pool.busy_us += max(min(end, centre.closes_us) - begin, 0)
    pool.overtime_us += max(end - max(begin, centre.closes_us), 0)


@kernel
def _free_pool(
    pools: Records, speaks: BoolArray, preferred_pools: Int64Array, language: int
) -> int:
    """The free pool for this language with the fewest languages, then the lowest index."""
    for pool in preferred_pools:
        if speaks[pool, language] and pools[pool].busy < pools[pool].on_duty:
            return pool
    return NOBODY


@kernel
def _pool_of_any_agent(pools: Records, speaks: BoolArray, language: int, word: int) -> int:
    """The pool of one of the free agents for this language, by the word."""
    free = 0
    for pool in range(pools.size):
        if speaks[pool, language]:
            free += max(pools[pool].on_duty - pools[pool].busy, 0)
    number = np.int64(word) * free >> 32
    for pool in range(pools.size):
        if speaks[pool, language]:
            number -= max(pools[pool].on_duty - pools[pool].busy, 0)
            if number < 0:
                return pool
    return NOBODY


@kernel
def _longest_waiting(callers: Records, queues: Records, speaks: BoolArray, pool: int) -> int:
    """Of those waiting whom the pool can serve, the caller whose arrival was processed first."""
    longest = NOBODY
    for language in range(queues.size):
        row = queues[language].first
        if (
            speaks[pool, language]
            and row != NOBODY
            and (longest == NOBODY or callers[row].sequence < callers[longest].sequence)
        ):
            longest = row
    return longest


@kernel
def _call(centre: Record, caller: Record, now: int) -> int:
    """A call arrives. What chance has in store for it is noted; the word of patience comes back."""
    caller.made += 1
    caller.arrival_us = now
    patience, caller.decision, caller.delay, caller.handle = _luck(centre, caller, 0)
    return patience


@kernel
def _answer(
    centre: Record,
    callers: Records,
    pools: Records,
    completions: Records,
    answers: Records,
    handle: Int64Array,
    row: int,
    pool: int,
    now: int,
) -> None:
    """An agent of the pool takes the call."""
    caller = callers[row]
    end = now + quantile(handle[caller.call_type], caller.handle)
    _push(completions, centre.talking, None, end, row)
    centre.talking += 1
    caller.outcome = CallOutcome.ANSWERED
    caller.pool = pool
    taking = pools[pool]
    _pass_time_of_agents(centre, taking, now)
    taking.busy += 1
    taking.answered += 1
    _work(centre, taking, now, end)
    answer = answers[row]
    if answer.answers == 0:
        answer.answered_us = now
        answer.end_us = end
        answer.pool = pool
    answer.answers += 1
    answer.wait_us += now - caller.arrival_us
    answer.handled_us += end - now


@kernel
def _call_again(
    centre: Record, caller: Record, threshold: int, delays: Int64Array, now: int
) -> int:
    """When the caller calls again after an attempt that is over, or NEVER on this day."""
    if caller.attempts_before + caller.made >= centre.attempts_allowed:
        _day_ends(caller, CallOutcome.LOST)
        return NEVER
    if np.int64(caller.decision) >= threshold:
        _day_ends(caller, CallOutcome.LOST)
        return NEVER
    if caller.made >= centre.attempts_per_day:
        _day_ends(caller, CallOutcome.CARRIED)
        return NEVER
    again = now + quantile(delays, caller.delay)
    if again >= centre.closes_us:
        _day_ends(caller, CallOutcome.CARRIED)
        return NEVER
    return again


@kernel
def _day_ends(caller: Record, outcome: int) -> None:
    """Note how a caller's day ends, unless a call has been answered."""
    if caller.outcome != CallOutcome.ANSWERED:
        caller.outcome = outcome


@kernel
def _luck(centre: Record, caller: Record, beyond: int) -> tuple[int, int, int, int]:
    """The four words of the caller's present attempt, of the call's stream or one so far beyond."""
    return _luck_of(centre, caller, caller.attempts_before + caller.made - 1, beyond)


@kernel
def _luck_of(
    centre: Record, caller: Record, attempt: int, beyond: int
) -> tuple[int, int, int, int]:
    """The same of another attempt, numbered from 0."""
    return philox(
        caller.entity,
        attempt,
        np.int64(caller.stream) + beyond,
        centre.replication,
        centre.seed & np.uint64(0xFFFFFFFF),
        centre.seed >> np.uint64(32),
    )


@kernel
def _attempt_is_over(
    centre: Record,
    caller: Record,
    row: int,
    cells: Records,
    log: Records,
    outcome: int,
    now: int,
    queued: bool,
) -> None:
    """Count an attempt that has just been answered, abandoned, blocked or cut off."""
    wait = now - caller.arrival_us
    cell = cells[(caller.arrival_us - centre.opens_us) // centre.interval_us, caller.language]
    cell.offered += 1
    if outcome == ANSWERED:
        cell.answered += 1
        cell.wait_answered_us += wait
        if wait <= centre.target_us:
            cell.within_target += 1
    elif outcome == ABANDONED:
        cell.abandoned += 1
    elif outcome == BLOCKED:
        cell.blocked += 1
    else:
        cell.cut_off += 1
    if queued:
        cell.delayed += 1
        cell.wait_all_us += wait
    if log.size:
        attempt = log[centre.logged]
        centre.logged += 1
        attempt.row = row
        attempt.attempt = caller.made - 1
        attempt.arrival_us = caller.arrival_us
        attempt.outcome = outcome
        attempt.time_us = now
        attempt.pool = caller.pool


# Busy signals and redials


@kernel
def _busy_signals(
    centre: Record,
    callers: Records,
    redials: Records,
    buckets: Int32Array,
    cells: Records,
    log: Records,
    fresh_us: Int64Array,
    delays: Int64Array,
    fresh: int,
    until: int,
) -> int:
    """All lines are in use: every arrival before `until` is blocked. Returns the next fresh call.

    What comes of a blocked attempt depends on (row, attempt) alone, so they are gone through in
    any order: a caller with all redials before `until` at once, a bucket without sorting.
    """
    last = min((until - centre.opens_us) >> centre.bucket_shift, buckets.size - 1)
    after = NOBODY  # the next caller of the bucket
    while True:
        if fresh < fresh_us.size and fresh_us[fresh] < until:
            row = fresh
            callers[row].arrival_us = fresh_us[row]
            fresh += 1
        elif centre.redialling and redials[0].time < until:
            row = redials[0].row
            centre.redialling -= 1
            _remove(redials, centre.redialling, None, 0)
        elif after != NOBODY:
            row = after
            after = callers[row].after
            if callers[row].arrival_us >= until:
                _push(redials, centre.redialling, None, callers[row].arrival_us, row)
                centre.redialling += 1
                continue
        elif centre.bucket < last:
            centre.bucket += 1
            after = buckets[centre.bucket]
            continue
        else:
            return fresh

        caller = callers[row]
        redial = caller.arrival_us
        while redial < until:
            now = redial
            _call(centre, caller, now)
            _attempt_is_over(centre, caller, row, cells, log, BLOCKED, now, False)
            redial = _call_again(centre, caller, centre.busy_redial_threshold, delays, now)
        if redial != NEVER and not _in_bucket(centre, caller, buckets, row, redial):
            _push(redials, centre.redialling, None, redial, row)
            centre.redialling += 1


@kernel
def _in_bucket(centre: Record, caller: Record, buckets: Int32Array, row: int, redial: int) -> bool:
    """Put a redial into its bucket; False if that is open already: then it belongs in the heap."""
    caller.arrival_us = redial
    bucket = (redial - centre.opens_us) >> centre.bucket_shift
    if bucket <= centre.bucket:
        return False
    caller.after = buckets[bucket]
    buckets[bucket] = row
    return True


@kernel
def _open_buckets(
    centre: Record, callers: Records, redials: Records, buckets: Int32Array, until: int
) -> None:
    """Open buckets until the next redial is known, or known to be after `until`."""
    last = min((until - centre.opens_us) >> centre.bucket_shift, buckets.size - 1)
    while centre.redialling == 0 and centre.bucket < last:
        centre.bucket += 1
        row = buckets[centre.bucket]
        while row != NOBODY:
            _push(redials, centre.redialling, None, callers[row].arrival_us, row)
            centre.redialling += 1
            row = callers[row].after


# The queue


@kernel
def _join_queue(centre: Record, callers: Records, queues: Records, row: int) -> None:
    caller = callers[row]
    queue = queues[caller.language]
    caller.sequence = centre.sequence
    centre.sequence += 1
    caller.before = queue.last
    caller.after = NOBODY
    if caller.before == NOBODY:
        queue.first = row
    else:
        callers[caller.before].after = row
    queue.last = row


@kernel
def _leave_queue(
    centre: Record, callers: Records, queues: Records, abandonments: Records, row: int
) -> None:
    """Out of the queue, and the abandonment is no longer due."""
    caller = callers[row]
    queue = queues[caller.language]
    if caller.before == NOBODY:
        queue.first = caller.after
    else:
        callers[caller.before].after = caller.after
    if caller.after == NOBODY:
        queue.last = caller.before
    else:
        callers[caller.after].before = caller.before
    centre.waiting -= 1
    _remove(abandonments, centre.waiting, callers, caller.position)


# A heap of pending events of one kind, the smallest (time, row) on top. A caller has one pending
# event at most. Only callers whose events are taken from within the heap are told their places.


@kernel
def _push(heap: Records, size: int, callers: Records | None, time: int, row: int) -> None:
    """Add an event to a heap of so many."""
    _sift_up(heap, size, callers, time, row)


@kernel
def _remove(heap: Records, size: int, callers: Records | None, place: int) -> None:
    """Take the event at a place out of a heap; `size` are left."""
    if place == size:
        return
    # The last event fills the hole: smaller children move up, down to a leaf, and it rises there.
    child = 2 * place + 1
    while child < size:
        if child + 1 < size and _is_before(
            heap[child + 1].time, heap[child + 1].row, heap[child].time, heap[child].row
        ):
            child += 1
        _put(heap, place, callers, heap[child].time, heap[child].row)
        place = child
        child = 2 * place + 1
    _sift_up(heap, place, callers, heap[size].time, heap[size].row)


@kernel
def _sift_up(heap: Records, place: int, callers: Records | None, time: int, row: int) -> None:
    while place > 0:
        parent = heap[(place - 1) >> 1]
        if _is_before(parent.time, parent.row, time, row):
            break
        _put(heap, place, callers, parent.time, parent.row)
        place = (place - 1) >> 1
    _put(heap, place, callers, time, row)


@kernel
def _is_before(time: int, row: int, other_time: int, other_row: int) -> bool:
    return time < other_time or (time == other_time and row < other_row)


@kernel
def _put(heap: Records, place: int, callers: Records | None, time: int, row: int) -> None:
    heap[place].time = time
    heap[place].row = row
    if callers is not None:
        callers[row].position = place


# --- One unit's session ---------------------------------------------------------------------------


VACCINE = np.dtype(
    [
        ("vials", np.int64),
        ("doses_per_vial", np.int64),
        ("open_life_us", np.int64),
        ("opened_at", np.int64),
        ("doses_left", np.int64),
        ("opened", np.int64),
        ("used", np.int64),
        ("discarded", np.int64),
    ]
)
"""Vials of one vaccine, one of them open at most."""

STATION = np.dtype(
    [
        ("clock", np.int64),  # until when the next three are
        ("service_us", np.int64),
        ("idle_us", np.int64),
        ("beyond_us", np.int64),
    ]
)


def unit_session(session: UnitSession) -> UnitSessionResult:
    """One session of a unit; see the contract. Raises ValueError if the input breaks it."""
    session.check()
    patients, moments, times_us, sums, doses, inside_us, max_inside = _unit_session(
        session.closes_us,
        _records(session.vials.size, VACCINE),
        _records(session.kind.size, STATION),
        _kernel_input(session.vials),
        _kernel_input(session.doses_per_vial),
        _kernel_input(session.open_life_us),
        _kernel_input(session.kind),
        _kernel_input(session.step_first),
        _kernel_input(session.step_time_us),
        _kernel_input(session.step_staff),
        _kernel_input(session.latest_start_us),
        _kernel_input(session.arrival_us),
        _kernel_input(session.visits),
        _kernel_input(session.service_us),
        _kernel_input(session.walk_us),
        _kernel_input(session.tolerance_us),
        _kernel_input(session.preference),
    )
    outcome, vaccine = patients
    jab_us, exit_us = moments
    join_us, start_us, end_us = times_us
    queued, served, busy_us, wait_us, max_queue, queue_us, service_us, idle_us, beyond_us = sums
    vials_opened, doses_used, doses_discarded = doses
    return UnitSessionResult(
        outcome=outcome,
        vaccine=vaccine,
        jab_us=jab_us,
        exit_us=exit_us,
        join_us=join_us,
        start_us=start_us,
        end_us=end_us,
        vials_opened=vials_opened,
        doses_used=doses_used,
        doses_discarded=doses_discarded,
        joined=queued,
        served=served,
        busy_us=busy_us,
        wait_us=wait_us,
        max_queue=max_queue,
        inside_us=inside_us,
        max_inside=max_inside,
        queue_us=queue_us,
        service_us=service_us,
        idle_us=idle_us,
        beyond_us=beyond_us,
    )


@allocating_kernel
def _unit_session(
    closes_us: int,
    vaccines: Records,
    times: Records,
    vials: Int64Array,
    doses_per_vial: Int64Array,
    open_life_us: Int64Array,
    kind: Int8Array,
    step_first: Int64Array,
    step_time_us: Int64Array,
    step_staff: Int64Array,
    latest_start_us: Int64Array,
    arrival_us: Int64Array,
    visits: BoolArray,
    service_us: Int64Array,
    walk_us: Int64Array,
    tolerance_us: Int64Array,
    preference: Int8Array,
) -> Any:
    n, stations = visits.shape
    # Few arrays, because each one that is handed over takes time.
    patients = np.full((2, n), -1, dtype=np.int8)
    outcome, vaccine = patients[0], patients[1]
    moments = np.full((2, n), -1, dtype=np.int64)
    jab_us, exit_us = moments[0], moments[1]
    times_us = np.full((3, n, stations), -1, dtype=np.int64)
    join_us, start_us, end_us = times_us[0], times_us[1], times_us[2]
    sums = np.zeros((9, stations), dtype=np.int64)
    queued, served, busy_us, wait_us, max_queue = sums[0], sums[1], sums[2], sums[3], sums[4]
    doses = np.zeros((3, vials.size), dtype=np.int64)
    for v in range(vials.size):
        vaccines[v].vials = vials[v]
        vaccines[v].doses_per_vial = doses_per_vial[v]
        vaccines[v].open_life_us = open_life_us[v]

    for patient in range(n):
        outcome[patient] = PatientOutcome.COMPLETED
        exit_us[patient] = arrival_us[patient]  # so far: the end of the last service
        if arrival_us[patient] >= closes_us:
            outcome[patient] = PatientOutcome.CLOSED

    queue = np.empty(n, dtype=np.int64)
    joined_us = np.empty(n, dtype=np.int64)
    left_queue_us = np.empty(n, dtype=np.int64)
    service_ends = np.empty(n, dtype=np.int64)
    for s in range(stations):
        joined = waited = 0
        for patient in range(n):
            if outcome[patient] == PatientOutcome.COMPLETED and visits[patient, s]:
                join = exit_us[patient] + walk_us[patient, s]
                join_us[patient, s] = join
                _join(queue, joined_us, joined, join, patient)
                joined += 1

        now = -NEVER
        staff = 0
        started = over = 0  # services; the service ends of those between are in order
        step, last_step = step_first[s], step_first[s + 1]
        for place in range(joined):
            patient, join = queue[place], joined_us[place]

            # The clock goes on to the first instant at which the patient, now at the head of the
            # queue, can start: staff numbers change, services end, then somebody may be free.
            now = max(now, join)
            while now != NEVER:
                while step < last_step and step_time_us[step] <= now:
                    while over < started and service_ends[over] <= step_time_us[step]:
                        _pass(times[s], closes_us, started - over, staff, service_ends[over])
                        over += 1
                    _pass(times[s], closes_us, started - over, staff, step_time_us[step])
                    staff = step_staff[step]
                    step += 1
                while over < started and service_ends[over] <= now:
                    _pass(times[s], closes_us, started - over, staff, service_ends[over])
                    over += 1
                if started - over < staff:
                    break
                next_end = service_ends[over] if over < started else NEVER
                next_step = step_time_us[step] if step < last_step else NEVER
                now = min(next_end, next_step)

            # Before that the patient may have been sent away, or have lost patience.
            late = max(join, latest_start_us[s])
            patience_ends = join + tolerance_us[patient]
            in_time = now < late and now <= patience_ends
            if in_time and kind[s] == StationKind.VACCINATION:
                vaccine[patient] = _choose(preference, patient, vaccines, now)
            if not in_time and late <= patience_ends:
                outcome[patient] = PatientOutcome.LATE
                left = end = late
            elif not in_time:
                outcome[patient] = PatientOutcome.LEFT
                left = end = patience_ends
            elif kind[s] == StationKind.VACCINATION and vaccine[patient] == -1:
                outcome[patient] = PatientOutcome.NO_DOSE
                left = end = now
            else:
                if kind[s] == StationKind.OBSERVATION:
                    end = max(now, jab_us[patient] + service_us[patient, s])
                else:
                    end = now + service_us[patient, s]
                if kind[s] == StationKind.VACCINATION:
                    jab_us[patient] = end
                start_us[patient, s] = now
                left = now
                _pass(times[s], closes_us, started - over, staff, now)
                _add_in_order(service_ends, started, end)
                started += 1
                served[s] += 1
                busy_us[s] += end - now
            end_us[patient, s] = end
            exit_us[patient] = end
            wait_us[s] += left - join
            # Of the queue only those who wait are kept, where those served before had their places.
            joined_us[waited], left_queue_us[waited] = join, left
            waited += left > join
        while over < started or step < last_step:
            if over == started or (step < last_step and step_time_us[step] < service_ends[over]):
                _pass(times[s], closes_us, started - over, staff, step_time_us[step])
                staff = step_staff[step]
                step += 1
            else:
                _pass(times[s], closes_us, started - over, staff, service_ends[over])
                over += 1
        _pass(times[s], closes_us, 0, staff, max(times[s].clock, closes_us))
        queued[s] = joined
        max_queue[s], sums[5, s] = _most_and_time(joined_us[:waited], left_queue_us[:waited])
        sums[6, s], sums[7, s] = times[s].service_us, times[s].idle_us
        sums[8, s] = times[s].beyond_us

    for v in range(vials.size):
        _discard(vaccines[v])
        doses[0, v], doses[1, v] = vaccines[v].opened, vaccines[v].used
        doses[2, v] = vaccines[v].discarded
    inside_us = (exit_us - arrival_us).sum()
    max_inside, _ = _most_and_time(arrival_us, exit_us)
    return patients, moments, times_us, sums, doses, inside_us, max_inside


@kernel
def _pass(station: Record, closes_us: int, busy: int, staff: int, now: int) -> None:
    """The clock goes on: so long there were so many in service, and so many staff."""
    station.service_us += (now - station.clock) * busy
    if staff != busy:
        open_us = min(now, closes_us) - station.clock
        if open_us > 0 and staff > busy:
            station.idle_us += (staff - busy) * open_us
        elif open_us > 0:
            station.beyond_us += (busy - staff) * open_us
    station.clock = now


# Patients reach a station, and services end, nearly in order: what is new finds its place from the
# end of a sorted array in a few steps.


@kernel
def _join(queue: Int64Array, joined_us: Int64Array, size: int, join: int, patient: int) -> None:
    """Add a patient to a queue of so many, in order of (time of joining, number).

    They are added in order of their numbers.
    """
    place = size
    while place > 0 and joined_us[place - 1] > join:
        queue[place], joined_us[place] = queue[place - 1], joined_us[place - 1]
        place -= 1
    queue[place], joined_us[place] = patient, join


@kernel
def _add_in_order(times_us: Int64Array, size: int, time: int) -> int:
    """Add a time to so many that are in order; returns its place."""
    place = size
    while place > 0 and times_us[place - 1] > time:
        times_us[place] = times_us[place - 1]
        place -= 1
    times_us[place] = time
    return place


@kernel
def _choose(preference: Int8Array, patient: int, vaccines: Records, now: int) -> int:
    """Take a dose of the first vaccine, in the patient's order, that has one left; -1: none has."""
    for choice in range(preference.shape[1]):
        v = preference[patient, choice]
        if v == -1:
            break
        if _take_dose(vaccines[v], now):
            return v
    return -1


@kernel
def _take_dose(vaccine: Record, now: int) -> bool:
    """Take a dose if there is one."""
    if now >= vaccine.opened_at + vaccine.open_life_us:
        _discard(vaccine)
    if vaccine.doses_left == 0:
        if vaccine.vials == 0:
            return False
        vaccine.vials -= 1
        vaccine.opened += 1
        vaccine.opened_at = now
        vaccine.doses_left = vaccine.doses_per_vial
    vaccine.doses_left -= 1
    vaccine.used += 1
    return True


@kernel
def _discard(vaccine: Record) -> None:
    """Throw the open vial away."""
    vaccine.discarded += vaccine.doses_left
    vaccine.doses_left = 0


@allocating_kernel
def _most_and_time(begins: Int64Array, ends: Int64Array) -> tuple[int, int]:
    """Largest number of intervals begin <= t < end that hold one t; that number integrated over t.

    `begins` are sorted.
    """
    if (ends[1:] < ends[:-1]).any():  # (queues are left in order, unless patience is lost)
        ends = _in_order(ends)
    # One step a begin or an end, without a branch that depends on which: they alternate at random.
    most = total = clock = begun = ended = 0
    while ended < ends.size:
        begin = begins[begun] if begun < begins.size else NEVER
        end = ends[ended]
        total += (begun - ended) * (min(begin, end) - clock)
        clock = min(begin, end)
        is_begin = begin < end
        begun += is_begin
        ended += not is_begin
        most = max(most, begun - ended)
    return most, total


FEW_PLACES = 32
"""Up to so many on average, times are moved to their places one by one."""


@allocating_kernel
def _in_order(times_us: Int64Array) -> Int64Array:
    """The times sorted: nearly in order, they find their places in a few steps; else otherwise."""
    in_order = np.empty_like(times_us)
    moves = 0
    for i in range(times_us.size):
        moves += i - _add_in_order(in_order, i, times_us[i])
        if moves > FEW_PLACES * times_us.size:
            return np.sort(times_us)
    return in_order
