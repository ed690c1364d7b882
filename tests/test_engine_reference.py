"""The reference engine: each rule of the contract on a day worked by hand, then invariants on
random nasty days, then queueing theory. Times in the hand-worked cases are in seconds.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from engine_days import (
    NEVER,
    SECOND,
    call_day,
    plateau_table,
    random_call_day,
    random_session,
    session,
    us,
)

from sim.engine.contract import (
    AttemptOutcome,
    CallCentreDay,
    CallCentreDayResult,
    CallCount,
    CallOutcome,
    PatientOutcome,
    StationKind,
    UnitSession,
)
from sim.engine.reference import call_centre_day, unit_session
from sim.random_streams import RandomStreams, Stream, draw, quantile_table, stream_word

ALWAYS = 2**32  # redial_threshold: everybody redials
NO_AGENTS = ()
ANSWERED, LOST, CARRIED = CallOutcome.ANSWERED, CallOutcome.LOST, CallOutcome.CARRIED
COMPLETED, LEFT, LATE, NO_DOSE, CLOSED = PatientOutcome
VACCINATION, OBSERVATION = StationKind.VACCINATION, StationKind.OBSERVATION


def in_seconds(times_us):
    """Microseconds as a list of seconds; -1 stays -1."""
    return np.where(times_us == -1, -1, times_us / SECOND).tolist()


def total(result: CallCentreDayResult, column: CallCount) -> int:
    return int(result.counts[:, :, column].sum())


def outcomes(result: CallCentreDayResult) -> list[tuple[float, AttemptOutcome, float]]:
    """(arrival, what became of it, when) of every attempt in the log."""
    return [
        (arrival / SECOND, AttemptOutcome(outcome), time / SECOND)
        for _, _, arrival, outcome, time, _ in result.log.tolist()
    ]


# --- Call centre: answering and the queue ---------------------------------------------------------


def test_call_meets_a_free_agent_and_is_answered_at_once():
    result = call_centre_day(call_day([10], handle_s=100))
    assert in_seconds(result.answered_us) == [10]
    assert in_seconds(result.wait_us) == [0]
    assert in_seconds(result.end_us) == [110]
    assert result.outcome.tolist() == [ANSWERED]
    assert total(result, CallCount.DELAYED) == 0
    assert in_seconds(result.pool_busy_us) == [100]
    assert (result.max_waiting, result.max_lines) == (0, 1)


def test_calls_are_answered_first_come_first_served():
    # One agent, 100 s a call: answered at 0, 100, 200, so waits are 0, 90 and 180.
    result = call_centre_day(call_day([0, 10, 20], handle_s=100, target_us=90 * SECOND))
    assert in_seconds(result.answered_us) == [0, 100, 200]
    assert in_seconds(result.wait_us) == [0, 90, 180]
    assert total(result, CallCount.DELAYED) == 2
    assert total(result, CallCount.WITHIN_TARGET) == 2  # a wait equal to the target is within
    assert total(result, CallCount.WAIT_ANSWERED_US) == 270 * SECOND
    assert total(result, CallCount.WAIT_ALL_US) == 270 * SECOND
    assert (result.max_waiting, result.max_lines) == (2, 3)


def test_calls_of_one_instant_arrive_in_order_of_row():
    result = call_centre_day(call_day([5, 5, 5], handle_s=10))
    assert in_seconds(result.answered_us) == [5, 15, 25]


def test_call_of_length_zero_is_over_before_the_next_arrival_of_the_instant():
    result = call_centre_day(call_day([5, 5], handle_s=0))
    assert in_seconds(result.answered_us) == [5, 5]
    assert total(result, CallCount.DELAYED) == 0


def test_call_of_length_zero_frees_the_agent_for_the_next_in_the_queue():
    # The agent comes at 100, takes the first call; it ends at 100, and the second is taken.
    result = call_centre_day(call_day([5, 6], handle_s=0, steps_s=[(100, 0, 1)]))
    assert in_seconds(result.answered_us) == [100, 100]
    assert total(result, CallCount.DELAYED) == 2


def test_patience_that_ends_when_an_agent_becomes_free_is_rewarded():
    # Call 0 ends at 100 = 10 + 90: completion comes before abandonment.
    result = call_centre_day(call_day([0, 10], handle_s=100, patience_s=90))
    assert in_seconds(result.wait_us) == [0, 90]


def test_patience_that_ends_a_microsecond_earlier_is_not():
    day = call_day([0, 10], handle_s=100, patience_s=90 - 1e-6)
    result = call_centre_day(day, log=True)
    assert result.outcome.tolist() == [ANSWERED, LOST]
    assert outcomes(result)[1] == (10, AttemptOutcome.ABANDONED, 100 - 1e-6)
    assert result.log[:, 5].tolist() == [0, -1]
    assert total(result, CallCount.WAIT_ANSWERED_US) == 0
    assert total(result, CallCount.WAIT_ALL_US) == 90 * SECOND - 1


def test_caller_with_zero_patience_takes_a_line_and_abandons_at_once():
    # Row 0 takes the only line and abandons before row 1 of the same instant arrives.
    day = call_day([0, 0], patience_s=0, lines=1, steps_s=NO_AGENTS)
    result = call_centre_day(day)
    assert total(result, CallCount.ABANDONED) == 2
    assert total(result, CallCount.BLOCKED) == 0
    assert total(result, CallCount.DELAYED) == 2
    assert total(result, CallCount.WAIT_ALL_US) == 0
    assert (result.max_waiting, result.max_lines) == (1, 1)


def test_caller_with_zero_patience_is_answered_by_a_free_agent():
    assert call_centre_day(call_day([0], patience_s=0)).outcome.tolist() == [ANSWERED]


def test_a_day_without_callers_is_empty():
    result = call_centre_day(call_day([]), log=True)
    assert result.outcome.size == 0
    assert result.counts.shape == (2, 1, len(CallCount))
    assert result.counts.sum() == 0
    assert result.log.shape == (0, 6)


def test_log_is_none_unless_asked_for():
    assert call_centre_day(call_day([1])).log is None


def test_attempt_is_counted_in_the_interval_of_its_arrival_and_the_language_of_its_caller():
    # Row 1 arrives at 59 in the first minute and is answered in the second (at 60).
    day = call_day(
        [0, 59, 60],
        handle_s=60,
        closes_s=180,
        interval_us=60 * SECOND,
        pool_speaks=[[True, True]],
        language=[0, 1, 0],
    )
    counts = call_centre_day(day).counts
    assert counts[:, :, CallCount.OFFERED].tolist() == [[1, 1], [1, 0], [0, 0]]
    assert counts[:, :, CallCount.ANSWERED].tolist() == [[1, 1], [1, 0], [0, 0]]
    assert counts[:, :, CallCount.WAIT_ALL_US].tolist() == [[0, SECOND], [60 * SECOND, 0], [0, 0]]


def test_last_interval_may_be_cut_short_by_closing():
    assert call_centre_day(call_day([], closes_s=3601)).counts.shape[0] == 3


# --- Call centre: lines ---------------------------------------------------------------------------


def test_lines_in_use_are_those_waiting_and_those_talking():
    # Two lines: row 0 talks, row 1 waits, row 2 meets a busy signal.
    result = call_centre_day(call_day([0, 1, 2], lines=2), log=True)
    assert outcomes(result)[2] == (2, AttemptOutcome.BLOCKED, 2)
    assert result.outcome.tolist() == [ANSWERED, ANSWERED, LOST]
    assert total(result, CallCount.DELAYED) == 1
    assert result.max_lines == 2


def test_line_freed_by_a_completion_serves_an_arrival_of_the_same_instant():
    result = call_centre_day(call_day([0, 100], handle_s=100, lines=1))
    assert in_seconds(result.answered_us) == [0, 100]


def test_line_freed_by_an_abandonment_serves_an_arrival_of_the_same_instant():
    day = call_day([0, 10], patience_s=10, lines=1, steps_s=NO_AGENTS)
    assert total(call_centre_day(day), CallCount.BLOCKED) == 0


def test_busy_signal_comes_even_if_an_agent_is_free():
    # One line, held by a call in language 0; the agent for language 1 is free.
    day = call_day(
        [0, 1],
        lines=1,
        pool_speaks=[[True, False], [False, True]],
        steps_s=[(0, 0, 1), (0, 1, 1)],
        language=[0, 1],
    )
    assert total(call_centre_day(day), CallCount.BLOCKED) == 1


# --- Call centre: shifts --------------------------------------------------------------------------


def test_agent_whose_shift_ends_finishes_the_call_and_takes_no_other():
    steps = [(0, 0, 1), (50, 0, 0), (300, 0, 1)]
    result = call_centre_day(call_day([0, 10], handle_s=100, steps_s=steps))
    assert in_seconds(result.end_us) == [100, 400]
    assert in_seconds(result.answered_us) == [0, 300]


def test_completion_comes_before_the_shift_change_of_the_same_instant():
    # At 100 the agent is still on duty when the call ends, takes the next, then the shift ends.
    steps = [(0, 0, 1), (100, 0, 0)]
    result = call_centre_day(call_day([0, 10], handle_s=100, steps_s=steps))
    assert in_seconds(result.answered_us) == [0, 100]


def test_of_two_agents_in_excess_the_first_to_finish_goes():
    # On duty 2, from 50 on 1: at 100 busy falls to 1, not below 1; at 200 it falls to 0.
    day = call_day(
        [0, 0, 0],
        handle_s=[100, 200, 50],
        call_type=[0, 1, 2],
        steps_s=[(0, 0, 2), (50, 0, 1)],
    )
    assert in_seconds(call_centre_day(day).answered_us) == [0, 0, 200]


def test_shift_change_comes_before_the_abandonment_of_the_same_instant():
    result = call_centre_day(call_day([10], patience_s=50, steps_s=[(60, 0, 1)]))
    assert in_seconds(result.wait_us) == [50]


def test_agents_who_come_on_duty_take_as_many_calls_as_they_are():
    result = call_centre_day(call_day([1, 2, 3], handle_s=100, steps_s=[(50, 0, 2)]))
    assert in_seconds(result.answered_us) == [50, 50, 150]


def test_shift_change_comes_before_the_arrival_of_the_same_instant():
    result = call_centre_day(call_day([60], steps_s=[(60, 0, 1)]))
    assert total(result, CallCount.DELAYED) == 0


def test_shift_that_begins_before_midnight_holds_from_the_opening_on():
    assert call_centre_day(call_day([0], steps_s=[(-60, 0, 1)])).wait_us.tolist() == [0]


def test_staff_to_zero_and_back_with_the_same_number_does_not_double_the_agents():
    # Row 0 is being served through both steps, so at 30 nobody is free for row 1.
    steps = [(0, 0, 1), (20, 0, 0), (30, 0, 1)]
    result = call_centre_day(call_day([0, 10], handle_s=100, steps_s=steps))
    assert in_seconds(result.answered_us) == [0, 100]


# --- Call centre: after-call work -----------------------------------------------------------------


def test_after_call_work_keeps_the_agent_and_frees_the_line():
    # Talk 100, work 50. At 100 the line is free: row 2, at 110, gets the second one behind row 1,
    # whom the agent takes at 150 only.
    day = call_day([0, 10, 110], lines=2, handle_s=100, wrap_up_s=50)
    result = call_centre_day(day)
    assert total(result, CallCount.BLOCKED) == 0
    assert in_seconds(result.answered_us) == [0, 150, 300]
    assert in_seconds(result.end_us) == [100, 250, 400]
    assert in_seconds(result.handled_us) == [150, 150, 150]
    assert in_seconds(result.pool_busy_us) == [450]
    assert in_seconds(result.pool_wrap_up_us) == [150]
    assert in_seconds(result.pool_talking_us) == [450]
    # 3 x 100 s on lines, and waits of 140 and 190.
    assert result.lines_us == us(3 * 100 + 140 + 190)
    # Held to the end of the work, both lines would have been in use at 110.
    held = call_centre_day(call_day([0, 10, 110], lines=2, handle_s=150))
    assert total(held, CallCount.BLOCKED) == 1


def test_an_agent_whose_shift_ends_finishes_the_work_after_the_call():
    steps = [(0, 0, 1), (120, 0, 0), (200, 0, 1)]
    result = call_centre_day(call_day([0, 10], handle_s=100, wrap_up_s=50, steps_s=steps))
    assert in_seconds(result.answered_us) == [0, 200]
    assert in_seconds(result.pool_beyond_us) == [30]


def test_an_agent_whose_work_ends_at_the_instant_at_which_patience_does_wins():
    result = call_centre_day(call_day([0, 10], handle_s=100, wrap_up_s=50, patience_s=140))
    assert in_seconds(result.wait_us) == [0, 140]


def test_work_ends_before_a_shift_change_of_the_same_instant():
    steps = [(0, 0, 1), (150, 0, 0)]
    result = call_centre_day(call_day([0, 10], handle_s=100, wrap_up_s=50, steps_s=steps))
    assert in_seconds(result.answered_us) == [0, 150]


def test_a_call_that_ends_comes_before_work_that_ends_at_the_same_instant():
    # At 100 pool 1 ends a call and has no work after it, pool 0 ends its work: pool 1, of a later
    # number, takes who has waited longest.
    day = call_day(
        [0, 0, 1, 2],
        handle_s=[50, 100, 10, 10],
        wrap_up_s=[50, 0, 0, 0],
        call_type=[0, 1, 2, 3],
        pool_speaks=[[True], [True]],
        steps_s=[(0, 0, 1), (0, 1, 1)],
    )
    assert call_centre_day(day).pool.tolist() == [0, 1, 1, 0]


def test_of_two_pools_whose_work_ends_at_one_instant_the_lower_takes_the_longest_waiting():
    # Pool 1 ends its call first (row 0 finds it free, as it speaks fewer languages), pool 0 later;
    # the work of both ends at 100.
    day = call_day(
        [0, 0, 1, 2],
        handle_s=[60, 70, 10, 10],
        wrap_up_s=[40, 30, 0, 0],
        call_type=[0, 1, 2, 3],
        pool_speaks=[[True, True], [True, False]],
        steps_s=[(0, 0, 1), (0, 1, 1)],
        language=[0, 0, 0, 0],
    )
    assert call_centre_day(day).pool.tolist() == [1, 0, 0, 1]


def test_who_calls_again_can_be_answered_while_the_agent_is_still_at_work_on_the_first_call():
    # Two agents: the same caller again at 110, taken by the other one.
    day = call_day(
        [0],
        handle_s=100,
        wrap_up_s=50,
        redial_delay_s=10,
        reconnect_threshold=ALWAYS,
        attempts_per_day=2,
        steps_s=[(0, 0, 2)],
    )
    result = call_centre_day(day)
    assert result.answers.tolist() == [2]
    assert in_seconds(result.wait_us) == [0]
    assert in_seconds(result.handled_us) == [300]


def test_work_after_closing_is_overtime():
    result = call_centre_day(call_day([3550], handle_s=100, wrap_up_s=50))
    assert in_seconds(result.pool_busy_us) == [50]
    assert in_seconds(result.pool_overtime_us) == [100]


def test_after_call_work_has_a_word_of_its_own():
    # The first word of the block of the stream of after-call work, by attempt.
    table = plateau_table([SECOND * s for s in range(100)])
    day = call_day(
        [0, 1000, 2000],
        handle_s=10,
        wrap_up=table[np.newaxis],
        stream=[stream_word(Stream.BOOKING_CALL, "g")] * 2 + [stream_word(Stream.INQUIRY_CALL)],
        attempts_before=[0, 3, 0],
        seed=5,
        replication=2,
    )
    streams = np.array(
        [stream_word(Stream.BOOKING_WRAP_UP, "g")] * 2 + [stream_word(Stream.INQUIRY_WRAP_UP)],
        dtype=np.uint32,
    )
    words = RandomStreams(5, 2).blocks(streams, np.arange(3), np.array([0, 3, 0]))
    expected = us(10) + draw(table, words[0])
    assert call_centre_day(day).handled_us.tolist() == expected.tolist()


# --- Call centre: languages -----------------------------------------------------------------------


def test_arrival_takes_the_free_pool_with_the_fewest_languages():
    day = call_day([0, 1], pool_speaks=[[1, 1], [1, 0]], steps_s=[(0, 0, 1), (0, 1, 1)])
    assert call_centre_day(day).pool.tolist() == [1, 0]


def test_among_free_pools_with_equally_many_languages_the_lowest_index_takes_the_call():
    day = call_day([0, 1], pool_speaks=[[1, 0], [1, 0]], steps_s=[(0, 0, 1), (0, 1, 1)])
    assert call_centre_day(day).pool.tolist() == [0, 1]


def test_bilingual_agent_takes_the_caller_who_has_waited_longest_of_both_languages():
    day = call_day(
        [0, 1, 2, 3],
        handle_s=100,
        pool_speaks=[[1, 1]],
        language=[0, 1, 0, 1],
    )
    assert in_seconds(call_centre_day(day).answered_us) == [0, 100, 200, 300]


def test_of_two_languages_that_called_at_one_instant_the_lower_row_is_taken_first():
    day = call_day([5, 5], handle_s=10, steps_s=[(20, 0, 1)], pool_speaks=[[1, 1]], language=[1, 0])
    assert in_seconds(call_centre_day(day).answered_us) == [20, 30]


def test_pool_skips_a_longer_waiting_caller_whose_language_it_does_not_speak():
    day = call_day(
        [0, 1, 2], handle_s=10, pool_speaks=[[True, False]], language=[0, 1, 0], patience_s=50
    )
    result = call_centre_day(day)
    assert in_seconds(result.answered_us) == [0, -1, 10]
    assert result.outcome.tolist() == [ANSWERED, LOST, ANSWERED]


def test_pools_that_change_at_one_instant_take_calls_one_after_the_other():
    # Pool 0 speaks both languages and takes row 0, the longest waiting; pool 1, which could have
    # served row 0, is left without work, and row 1 waits for pool 0.
    day = call_day(
        [1, 2],
        handle_s=100,
        pool_speaks=[[1, 1], [1, 0]],
        steps_s=[(50, 0, 1), (50, 1, 1)],
        language=[0, 1],
    )
    result = call_centre_day(day)
    assert in_seconds(result.answered_us) == [50, 150]
    assert result.pool.tolist() == [0, 0]


# --- Call centre: closing -------------------------------------------------------------------------


def test_those_waiting_at_closing_are_cut_off_and_carried_over():
    day = call_day([0, 10, 20], closes_s=60, cut_off_at_closing=True, handle_s=100)
    result = call_centre_day(day, log=True)
    assert result.outcome.tolist() == [ANSWERED, CARRIED, CARRIED]
    assert outcomes(result)[1:] == [
        (10, AttemptOutcome.CUT_OFF, 60),
        (20, AttemptOutcome.CUT_OFF, 60),
    ]
    assert total(result, CallCount.CUT_OFF) == total(result, CallCount.DELAYED) == 2
    assert total(result, CallCount.WAIT_ALL_US) == (50 + 40) * SECOND


def test_patience_is_drawn_for_each_attempt_unless_it_is_kept():
    # Nobody answers; patience is 10 or 500 s, each as likely, and everybody makes three attempts.
    patience = [plateau_table([10 * SECOND, 500 * SECOND])]
    fields = {"steps_s": NO_AGENTS, "redial_threshold": ALWAYS, "attempts_allowed": 3, "lines": 99}
    waits = {}
    for kept in (False, True):
        day = call_day([0] * 50, patience=patience, keeps_patience=kept, **fields)
        log = call_centre_day(day, log=True).log
        waits[kept] = (log[:, 4] - log[:, 2]).reshape(50, 3)
    assert (waits[True] == waits[True][:, :1]).all()
    assert (waits[False][:, 0] == waits[True][:, 0]).all()
    assert (waits[False] != waits[False][:, :1]).any(axis=1).sum() > 25  # 3 of 4 on average


def test_a_call_takes_any_free_agent_at_random():
    # One agent of the first pool and three of the second are always free: a quarter of the calls
    # goes to the first, which has the fewest languages; standard error 0.01.
    day = call_day(
        range(2000),
        handle_s=0,
        steps_s=[(0, 0, 1), (0, 1, 3)],
        pool_speaks=[[True, False], [True, True]],
        random_agent=True,
    )
    assert (call_centre_day(day).pool == 0).mean() == pytest.approx(0.25, abs=0.05)


def test_a_busy_agent_is_not_chosen_at_random():
    # The first call takes any of the two agents; the second the other one.
    day = call_day(
        [0, 1],
        steps_s=[(0, 0, 1), (0, 1, 1)],
        pool_speaks=[[True], [True]],
        random_agent=True,
    )
    assert sorted(call_centre_day(day).pool) == [0, 1]


def test_caller_cut_off_at_the_last_attempt_is_lost():
    day = call_day(
        [0, 0],
        closes_s=60,
        cut_off_at_closing=True,
        steps_s=NO_AGENTS,
        attempts_allowed=5,
        attempts_before=[3, 4],
    )
    assert call_centre_day(day).outcome.tolist() == [CARRIED, LOST]


def test_those_waiting_at_closing_are_served_if_they_are_not_cut_off():
    # Row 0 talks 0-100, row 1 100-200; the centre closes at 60.
    result = call_centre_day(call_day([0, 10], closes_s=60, handle_s=100))
    assert in_seconds(result.answered_us) == [0, 100]
    assert in_seconds(result.pool_busy_us) == [60]
    assert in_seconds(result.pool_overtime_us) == [140]


def test_patience_can_run_out_after_closing_and_the_caller_calls_another_day():
    day = call_day([0, 10], closes_s=60, patience_s=80, redial_threshold=ALWAYS)
    assert call_centre_day(day).outcome.tolist() == [ANSWERED, CARRIED]


def test_completion_comes_before_closing():
    day = call_day([0, 10], closes_s=100, handle_s=100, cut_off_at_closing=True)
    assert in_seconds(call_centre_day(day).answered_us) == [0, 100]


def test_shift_change_comes_before_closing():
    day = call_day([10], closes_s=100, steps_s=[(100, 0, 1)], cut_off_at_closing=True)
    result = call_centre_day(day)
    assert in_seconds(result.answered_us) == [100]
    assert in_seconds(result.pool_busy_us) == [0]


def test_abandonment_comes_before_closing():
    day = call_day([10], closes_s=100, patience_s=90, steps_s=NO_AGENTS, cut_off_at_closing=True)
    result = call_centre_day(day)
    assert total(result, CallCount.ABANDONED) == 1
    assert result.outcome.tolist() == [LOST]


def test_numbers_on_duty_are_obeyed_after_closing():
    # Calls of 70 s: row 1 ends at 140, when nobody is on duty any more; row 2 waits until 500.
    day = call_day(
        [0, 10, 20],
        closes_s=100,
        handle_s=70,
        steps_s=[(0, 0, 1), (120, 0, 0), (500, 0, 1)],
    )
    assert in_seconds(call_centre_day(day).answered_us) == [0, 70, 500]


# --- Call centre: redial --------------------------------------------------------------------------


def test_caller_gives_up_for_good_after_the_attempts_allowed():
    # Patience 10, redial after 60: arrivals at 0, 70 and 140.
    day = call_day(
        [0], patience_s=10, steps_s=NO_AGENTS, redial_threshold=ALWAYS, attempts_allowed=3
    )
    result = call_centre_day(day, log=True)
    assert outcomes(result) == [
        (arrival, AttemptOutcome.ABANDONED, arrival + 10) for arrival in (0, 70, 140)
    ]
    assert result.log[:, 1].tolist() == [0, 1, 2]
    assert result.outcome.tolist() == [LOST]


def test_attempts_of_earlier_days_count_towards_the_attempts_allowed():
    day = call_day(
        [0],
        patience_s=10,
        steps_s=NO_AGENTS,
        redial_threshold=ALWAYS,
        attempts_allowed=3,
        attempts_before=[1],
    )
    assert call_centre_day(day).attempts.tolist() == [2]


def test_caller_who_does_not_redial_is_lost_even_when_the_day_allows_no_more():
    day = call_day([0], patience_s=10, steps_s=NO_AGENTS, attempts_per_day=1)
    assert call_centre_day(day).outcome.tolist() == [LOST]


def test_redial_decision_is_the_second_word_below_the_threshold():
    day = call_day([0], patience_s=10, steps_s=NO_AGENTS, entity=[77], attempts_per_day=1)
    word = int(RandomStreams(day.seed, day.replication).blocks(day.stream, day.entity)[1, 0])
    for threshold, outcome in ((word, LOST), (word + 1, CARRIED)):
        fields = {**vars(day), "redial_threshold": threshold}
        assert call_centre_day(CallCentreDay(**fields)).outcome.tolist() == [outcome]


def test_caller_calls_another_day_after_the_attempts_of_one_day():
    day = call_day(
        [0], patience_s=10, steps_s=NO_AGENTS, redial_threshold=ALWAYS, attempts_per_day=2
    )
    result = call_centre_day(day)
    assert result.attempts.tolist() == [2]
    assert result.outcome.tolist() == [CARRIED]


def test_caller_who_has_used_both_limits_is_lost():
    day = call_day(
        [0],
        patience_s=10,
        steps_s=NO_AGENTS,
        redial_threshold=ALWAYS,
        attempts_per_day=2,
        attempts_allowed=2,
    )
    assert call_centre_day(day).outcome.tolist() == [LOST]


@pytest.mark.parametrize(("closes_s", "attempts"), [(70, 1), (70 + 1e-6, 2)])
def test_redial_at_closing_is_for_another_day(closes_s, attempts):
    # The first attempt is abandoned at 10, the redial would be at 70.
    day = call_day(
        [0],
        patience_s=10,
        redial_delay_s=60,
        closes_s=closes_s,
        steps_s=NO_AGENTS,
        redial_threshold=ALWAYS,
    )
    result = call_centre_day(day)
    assert result.attempts.tolist() == [attempts]
    assert result.outcome.tolist() == [CARRIED]


def test_blocked_caller_redials_and_is_answered():
    day = call_day([0, 50], lines=1, handle_s=100, redial_threshold=ALWAYS, redial_delay_s=60)
    result = call_centre_day(day, log=True)
    assert outcomes(result)[1:] == [
        (50, AttemptOutcome.BLOCKED, 50),
        (110, AttemptOutcome.ANSWERED, 110),
    ]
    assert result.attempts.tolist() == [1, 2]


def test_after_a_busy_signal_and_after_giving_up_callers_redial_by_their_own_thresholds():
    # Row 0 waits in vain from 0 to 10 on the only line, so row 1 is blocked at 5.
    fields = {"lines": 1, "patience_s": 10, "steps_s": NO_AGENTS, "attempts_allowed": 2}
    after_busy = call_day([0, 5], **fields, redial_threshold=0, busy_redial_threshold=ALWAYS)
    assert call_centre_day(after_busy).attempts.tolist() == [1, 2]
    after_waiting = call_day([0, 5], **fields, redial_threshold=ALWAYS, busy_redial_threshold=0)
    assert call_centre_day(after_waiting).attempts.tolist() == [2, 1]


# --- Call centre: reconnect -----------------------------------------------------------------------


def test_answered_caller_calls_again_and_the_first_answer_counts():
    # Talks 0-100, 160-260, 320-420; the call after that would begin at 480 = closing.
    day = call_day([0], handle_s=100, closes_s=480, reconnect_threshold=ALWAYS)
    result = call_centre_day(day, log=True)
    assert [arrival for arrival, _, _ in outcomes(result)] == [0, 160, 320]
    assert (result.answers.tolist(), result.attempts.tolist()) == ([3], [3])
    assert in_seconds(result.answered_us) + in_seconds(result.end_us) == [0, 100]
    assert in_seconds(result.handled_us) == [300]
    assert result.outcome.tolist() == [ANSWERED]


def test_who_calls_again_in_vain_stays_answered():
    # The agent goes home at 50: the call of 160 is given up at 170, and redialled until the end.
    day = call_day(
        [0],
        handle_s=100,
        patience_s=10,
        steps_s=[(0, 0, 1), (50, 0, 0)],
        redial_threshold=ALWAYS,
        reconnect_threshold=ALWAYS,
        attempts_per_day=3,
    )
    result = call_centre_day(day, log=True)
    assert [outcome for _, outcome, _ in outcomes(result)] == [
        AttemptOutcome.ANSWERED,
        AttemptOutcome.ABANDONED,
        AttemptOutcome.ABANDONED,
    ]
    assert (result.outcome.tolist(), result.pool.tolist()) == ([ANSWERED], [0])


def test_patience_of_a_first_wait_does_not_end_a_later_one():
    # Row 1 waits from 1 to 10, talks to 20, calls again at 20 and waits for row 2 until 45; its
    # first patience would have ended at 31, its second ends at 50.
    day = call_day(
        [0, 1, 2],
        handle_s=[10, 10, 25],
        patience_s=30,
        call_type=[0, 1, 2],
        reconnect_threshold=ALWAYS,
        reconnect_delay=np.zeros((2, 4097), dtype=np.int64),
        attempts_per_day=2,
        attempts_before=[1, 0, 1],
        attempts_allowed=2,
    )
    result = call_centre_day(day, log=True)
    assert result.answers.tolist() == [1, 2, 1]
    assert outcomes(result)[2] == (20, AttemptOutcome.ANSWERED, 45)


def test_redial_without_delay_meets_the_same_busy_lines():
    day = call_day(
        [0, 50],
        lines=1,
        redial_threshold=ALWAYS,
        redial_delay_s=0,
        attempts_per_day=4,
    )
    result = call_centre_day(day)
    assert total(result, CallCount.BLOCKED) == 4
    assert result.outcome.tolist() == [ANSWERED, CARRIED]


def test_redial_and_fresh_call_of_one_instant_arrive_in_order_of_row():
    # Row 0 abandons at 10 and redials at 70; row 1 is answered at 69. At 70 row 0 takes the second
    # line, and row 2 of the same instant is blocked.
    day = call_day(
        [0, 10, 70],
        lines=2,
        patience_s=[10, 1000],
        call_type=[0, 1, 1],
        steps_s=[(69, 0, 1)],
        handle_s=[100, 100],
        redial_threshold=ALWAYS,
        redial_delay_s=60,
    )
    result = call_centre_day(day, log=True)
    assert [(row, outcome) for row, _, arrival, outcome, *_ in result.log if arrival == us(70)] == [
        (0, AttemptOutcome.ABANDONED),
        (2, AttemptOutcome.BLOCKED),
    ]


# --- Call centre: luck ----------------------------------------------------------------------------


def lucky_day(entities: list[int], fresh_s: list[float], agents: int) -> CallCentreDay:
    """A day with real chance, on which callers do not interact: lines without limit."""
    spread = quantile_table(Exponential(300.0), SECOND)
    return call_day(
        fresh_s,
        entity=entities,
        attempts_before=[entity % 3 for entity in entities],
        lines=10**6,
        steps_s=[(0, 0, agents)],
        patience=[spread],
        handle=[spread],
        redial_delay=spread,
        redial_threshold=3 * 2**30,
    )


class Exponential:
    """Exponential distribution by its quantiles."""

    def __init__(self, mean: float) -> None:
        self.mean = mean

    def quantiles(self, probabilities):
        with np.errstate(divide="ignore"):
            return -self.mean * np.log1p(-probabilities)


def test_luck_of_a_call_is_that_of_its_entity_and_attempt():
    # Nobody answers: every attempt ends by its own patience, the next begins after its delay.
    entities = [5, 900, 7, 1_000_003]
    day = lucky_day(entities, [0, 10, 20, 30], agents=0)
    result = call_centre_day(day, log=True)
    assert len(result.log) > 8
    log = result.log.tolist()
    for row, attempt, arrival, outcome, time, _ in log:
        words = RandomStreams(day.seed, day.replication).blocks(
            int(day.stream[row]), entities[row], int(day.attempts_before[row]) + attempt
        )
        assert outcome == AttemptOutcome.ABANDONED
        assert time - arrival == draw(day.patience[0], words[0])[0]
        following = [a for r, k, a, *_ in log if (r, k) == (row, attempt + 1)]
        if following:
            assert words[1, 0] < day.redial_threshold
            assert following[0] - time == draw(day.redial_delay, words[2])[0]


@pytest.mark.parametrize("agents", [0, 1000])
def test_another_caller_leaves_everybody_elses_luck_alone(agents):
    # Without interaction the whole day of the others is the same, though their rows move by one.
    entities, fresh = list(range(10, 60)), [20.0 * i for i in range(50)]
    alone = call_centre_day(lucky_day(entities, fresh, agents), log=True)
    joined = call_centre_day(lucky_day([9, *entities], [0.0, *fresh], agents), log=True)
    others = joined.log[joined.log[:, 0] > 0] - [1, 0, 0, 0, 0, 0]
    assert others.tolist() == alone.log.tolist()
    assert joined.end_us[1:].tolist() == alone.end_us.tolist()
    assert joined.outcome[1:].tolist() == alone.outcome.tolist()


# --- Call centre: invariants on nasty days --------------------------------------------------------

DAYS = 600


def on_duty_after(day: CallCentreDay, pool: int, time: int) -> int:
    steps = (day.step_pool == pool) & (day.step_time_us <= time)
    return int(day.step_agents[steps][-1]) if steps.any() else 0


def call_ends(day: CallCentreDay, log: np.ndarray) -> np.ndarray:
    """When the calls of a log end, from the luck of the attempts; of those in vain: their time."""
    row, attempt, _, _, time, pool = log.T
    words = RandomStreams(day.seed, day.replication).blocks(
        day.stream[row], day.entity[row], day.attempts_before[row] + attempt
    )[3]
    handled = [draw(day.handle[day.call_type[r]], words[i : i + 1])[0] for i, r in enumerate(row)]
    return time + (pool >= 0) * np.array(handled, dtype=np.int64)


def work_ends(day: CallCentreDay, log: np.ndarray) -> np.ndarray:
    """When the agents of the calls of a log are free again; of those in vain: their time."""
    row, attempt, _, _, _, pool = log.T
    words = RandomStreams(day.seed, day.replication).blocks(
        day.stream[row] + np.uint32(10 << 24), day.entity[row], day.attempts_before[row] + attempt
    )[0]
    after = [draw(day.wrap_up[day.call_type[r]], words[i : i + 1])[0] for i, r in enumerate(row)]
    return call_ends(day, log) + (pool >= 0) * np.array(after, dtype=np.int64)


def test_nasty_call_days_keep_the_books():
    for seed in range(DAYS):
        day = random_call_day(seed)
        result = call_centre_day(day, log=True)
        offered, answered, abandoned, blocked, cut_off = np.moveaxis(result.counts, 2, 0)[:5]
        assert (offered == answered + abandoned + blocked + cut_off).all(), seed

        # The log tells the same story as the counts: recounted attempt by attempt.
        recount = Counter()
        attempts, answers, waits = Counter(), Counter(), Counter()
        for row, attempt, arrival, outcome, time, pool in result.log.tolist():
            interval = (arrival - day.opens_us) // day.interval_us
            recount[interval, int(day.language[row]), CallCount(outcome + 1)] += 1
            recount[interval, int(day.language[row]), CallCount.WAIT_ALL_US] += time - arrival
            assert attempt == attempts[row], seed
            attempts[row] += 1
            assert (pool >= 0) == (outcome == AttemptOutcome.ANSWERED), seed
            if pool >= 0:
                assert day.pool_speaks[pool, day.language[row]], seed
                if not answers[row]:
                    first = result.answered_us[row], result.pool[row]
                    assert (time, pool) == first, seed
                answers[row] += 1
                waits[row] += time - arrival
        rows = range(day.fresh_us.size)
        assert result.answers.tolist() == [answers[row] for row in rows], seed
        assert result.wait_us.tolist() == [waits[row] for row in rows], seed
        for cell, number in recount.items():
            assert result.counts[cell] == number, (seed, cell)
        assert offered.sum() == len(result.log) == result.attempts.sum(), seed
        assert (result.attempts >= 1).all(), seed
        assert (result.attempts <= day.attempts_per_day).all(), seed

        reached = result.outcome == ANSWERED
        assert (reached == (result.answers > 0)).all(), seed
        assert result.answers.sum() == answered.sum() == result.pool_answered.sum(), seed
        assert (result.answered_us[~reached] == -1).all(), seed
        talk = (call_ends(day, result.log) - result.log[:, 4]).sum()
        work = (work_ends(day, result.log) - result.log[:, 4]).sum()
        assert work == result.handled_us.sum(), seed
        assert work - talk == result.pool_wrap_up_us.sum(), seed
        assert result.pool_busy_us.sum() + result.pool_overtime_us.sum() == work, seed
        assert result.max_waiting <= result.max_lines <= day.lines, seed
        if day.cut_off_at_closing:
            assert (result.answered_us <= day.closes_us).all(), seed
        else:
            assert cut_off.sum() == 0, seed


def test_on_nasty_call_days_nobody_waits_beside_a_free_agent_and_nobody_overtakes():
    # Looked at between the instants at which something happens, where ties play no part.
    for seed in range(DAYS):
        day = random_call_day(seed)
        result = call_centre_day(day, log=True)
        row, _, arrival, _, time, pool = result.log.T
        end, free = call_ends(day, result.log), work_ends(day, result.log)
        instants = np.unique(np.concatenate([arrival, time, end, free, day.step_time_us]))
        for before, after in pairwise(instants.tolist()):
            waiting = (arrival <= before) & (time >= after)
            talking = (pool >= 0) & (time <= before) & (end >= after)
            busy = (pool >= 0) & (time <= before) & (free >= after)
            assert waiting.sum() + talking.sum() <= result.max_lines, seed
            assert waiting.sum() <= result.max_waiting, seed
            for p in range(day.pool_speaks.shape[0]):
                if (busy & (pool == p)).sum() < on_duty_after(day, p, before):
                    assert not day.pool_speaks[p, day.language[row[waiting]]].any(), seed

        for i in np.flatnonzero((pool >= 0) & (time > arrival)):
            rivals = day.language[row] == day.language[row[i]]
            earlier = (arrival < arrival[i]) | ((arrival == arrival[i]) & (row < row[i]))
            assert (time[rivals & earlier] <= time[i]).all(), seed


def test_on_nasty_call_days_no_pool_takes_a_call_beyond_its_number_on_duty():
    for seed in range(DAYS):
        day = random_call_day(seed)
        log = call_centre_day(day, log=True).log
        ends = work_ends(day, log)
        for _, _, _, _, time, pool in log[log[:, 5] >= 0].tolist():
            busy = (log[:, 5] == pool) & (log[:, 4] <= time) & (ends > time)
            # At the instant of a step, a completion still meets the old number.
            allowed = max(on_duty_after(day, pool, time), on_duty_after(day, pool, time - 1))
            assert busy.sum() <= allowed, seed


# --- Call centre: theory --------------------------------------------------------------------------


def markov_day(seed: int, callers: int, agents: int, lines: int) -> CallCentreDay:
    """Poisson arrivals of 3 a minute, exponential calls of a minute, endless patience."""
    fresh_s = np.cumsum(np.random.default_rng([3, seed]).exponential(20.0, callers))
    return call_day(
        fresh_s,
        closes_s=fresh_s[-1] + 1,
        steps_s=[(0, 0, agents)],
        lines=lines,
        patience_s=10**6,
        handle=[quantile_table(Exponential(60.0), SECOND)],
        seed=seed,
    )


def assert_mean(samples: list[float], expected: float, relative_precision: float) -> None:
    """The mean is within 4 standard errors of the expected one, and these are small."""
    error = np.std(samples, ddof=1) / np.sqrt(len(samples))
    assert error < relative_precision * expected
    assert abs(np.mean(samples) - expected) < 4 * error


def test_mean_wait_is_that_of_erlang_c():
    # M/M/4, λ = 3 and μ = 1 a minute: C(4, 3) = 0.509434 and mean wait C / (4 μ - λ) = 0.509434.
    waits = [
        call_centre_day(markov_day(seed, 4000, agents=4, lines=10**6)).wait_us[400:].mean() / us(60)
        for seed in range(80)
    ]
    assert_mean(waits, 0.509434, relative_precision=0.03)


def test_every_wait_is_that_of_the_recursion_of_kiefer_and_wolfowitz():
    # Without limits, a call waits for the first of the four agents to be free: an equation that
    # knows no events. Equal to the microsecond.
    day = markov_day(0, 5000, agents=4, lines=10**6)
    streams = RandomStreams(day.seed, day.replication)
    words = streams.blocks(day.stream, day.entity, day.attempts_before)
    free_at = [0, 0, 0, 0]
    waits = []
    for arrival, handle in zip(day.fresh_us, draw(day.handle[0], words[3]), strict=True):
        start = max(int(arrival), free_at[0])
        waits.append(start - int(arrival))
        free_at = sorted([start + int(handle), *free_at[1:]])
    assert call_centre_day(day).wait_us.tolist() == waits


def test_share_of_busy_signals_is_that_of_erlang_b():
    # 4 agents, 4 lines, 3 erlang: B = (3^4 / 4!) / (1 + 3 + 9/2 + 27/6 + 81/24) = 0.206107.
    shares = [
        np.mean(call_centre_day(markov_day(seed, 4000, agents=4, lines=4)).outcome[400:] == LOST)
        for seed in range(20)
    ]
    assert_mean(shares, 0.206107, relative_precision=0.02)


def test_broken_contract_is_an_error_that_names_the_rule():
    with pytest.raises(ValueError, match="fresh calls are sorted"):
        call_centre_day(call_day([2, 1]))
    with pytest.raises(ValueError, match="patients are sorted by arrival"):
        unit_session(session([2, 1], [[1], [1]]))


# --- Unit: staff and queue ------------------------------------------------------------------------


def test_second_patient_waits_for_the_first():
    result = unit_session(session([0, 10], [[60], [60]]))
    assert in_seconds(result.join_us[:, 0]) == [0, 10]
    assert in_seconds(result.start_us[:, 0]) == [0, 60]
    assert in_seconds(result.end_us[:, 0]) == [60, 120]
    assert in_seconds(result.exit_us) == [60, 120]
    assert result.outcome.tolist() == [COMPLETED, COMPLETED]
    assert result.served.tolist() == [2]
    assert in_seconds(result.wait_us) == [50]
    assert in_seconds(result.busy_us) == [120]
    assert result.inside_us == us(60 + 110)
    assert result.max_queue.tolist() == [1]
    assert result.max_inside == 2


def test_step_holds_at_its_own_time():
    result = unit_session(session([0, 100], [[10], [10]], steps_s=[[(100, 2)]]))
    assert in_seconds(result.start_us[:, 0]) == [100, 100]


def test_service_that_ends_when_the_staff_go_home_starts_nobody():
    # At 100 the number is 0 before the service ends; patient 1 gives up at 10 + 200.
    result = unit_session(
        session([0, 10], [[100], [100]], steps_s=[[(0, 1), (100, 0)]], tolerance_s=200)
    )
    assert result.outcome.tolist() == [COMPLETED, LEFT]
    assert in_seconds(result.exit_us) == [100, 210]


def test_staff_in_excess_finish_the_patient_in_hand():
    # 2 staff, from 50 on 1: at 100 busy falls to 1, not below 1; at 200 to 0.
    result = unit_session(session([0, 0, 0], [[100], [200], [10]], steps_s=[[(0, 2), (50, 1)]]))
    assert in_seconds(result.start_us[:, 0]) == [0, 0, 200]


def test_queue_is_ordered_by_time_of_joining():
    # Patient 0 walks 30 s and joins after patient 1.
    result = unit_session(session([0, 1], [[100], [100]], walk_s=[[30], [0]]))
    assert in_seconds(result.join_us[:, 0]) == [30, 1]
    assert in_seconds(result.start_us[:, 0]) == [101, 1]


def test_those_who_join_at_one_instant_are_ordered_by_number():
    result = unit_session(session([0, 10], [[100], [100]], walk_s=[[10], [0]]))
    assert in_seconds(result.start_us[:, 0]) == [10, 110]


def test_arrivals_take_effect_before_stations_start_people():
    # Patient 0 passes station 0 in no time at 5 and joins station 1 at 5, as patient 1 does who
    # goes there directly: patient 0 is first in the queue.
    result = unit_session(session([5, 5], [[0, 10], [0, 10]], visits=[[1, 1], [0, 1]]))
    assert in_seconds(result.start_us[:, 1]) == [5, 15]
    assert result.join_us[1, 0] == -1


def test_whom_a_station_passes_on_at_this_instant_joins_before_the_next_station_starts_people():
    # At 10, patient 1 joins station 1 from a walk, and patient 2 leaves station 0, where patient 0
    # has waited and passes in no time: patient 0 joins station 1 at 10, too, and is first there.
    result = unit_session(
        session(
            [0, 0, 0],
            [[0, 5], [0, 5], [10, 0]],
            visits=[[1, 1], [0, 1], [1, 0]],
            walk_s=[[2, 0], [0, 10], [0, 0]],
        )
    )
    assert in_seconds(result.start_us[:, 0]) == [10, -1, 0]
    assert in_seconds(result.start_us[:, 1]) == [10, 15, -1]


def test_services_of_length_zero_are_finished_before_the_next_station():
    result = unit_session(session([7, 7, 7], np.zeros((3, 4)), tolerance_s=0))
    assert in_seconds(result.exit_us) == [7, 7, 7]
    assert result.max_queue.tolist() == [0, 0, 0, 0]
    assert result.max_inside == 0


def test_walk_is_to_the_next_station_that_the_patient_visits():
    # 10 to station 0, served 1; then 3 to station 2 (the walk of 99 to station 1 is not made).
    result = unit_session(session([0], [[1, 1, 1]], visits=[[1, 0, 1]], walk_s=[[10, 99, 3]]))
    assert in_seconds(result.join_us[0]) == [10, -1, 14]
    assert in_seconds(result.exit_us) == [15]


def test_patients_who_come_before_the_staff_wait_for_them():
    result = unit_session(session([0, 1], [[5], [5]], steps_s=[[(60, 1)]]))
    assert in_seconds(result.start_us[:, 0]) == [60, 65]


# --- Unit: patience, latest start, admission ------------------------------------------------------


def test_wait_equal_to_the_tolerance_is_borne():
    result = unit_session(session([0, 10], [[100], [100]], tolerance_s=90))
    assert in_seconds(result.start_us[:, 0]) == [0, 100]


def test_wait_a_microsecond_beyond_the_tolerance_is_not():
    result = unit_session(session([0, 10], [[100], [100]], tolerance_s=90 - 1e-6))
    assert result.outcome.tolist() == [COMPLETED, LEFT]
    assert result.start_us[1, 0] == -1
    assert result.end_us[1, 0] == result.exit_us[1] == us(100) - 1
    assert result.wait_us.tolist() == [us(90) - 1]  # those who left have waited, too
    assert result.served.tolist() == [1]


def test_patient_without_tolerance_starts_if_somebody_is_free_and_else_leaves_at_once():
    result = unit_session(session([0, 0, 10], [[10], [10], [10]], tolerance_s=0))
    assert result.outcome.tolist() == [COMPLETED, LEFT, COMPLETED]
    assert in_seconds(result.exit_us) == [10, 0, 20]
    assert result.max_queue.tolist() == [0]
    assert result.max_inside == 1


def test_who_has_left_is_passed_over():
    result = unit_session(session([0, 1, 2], [[100], [9], [9]], tolerance_s=[0, 50, 500]))
    assert in_seconds(result.start_us[:, 0]) == [0, -1, 100]


def test_start_must_be_strictly_before_the_latest_start():
    # Staff come at 100.
    for latest, outcome in ((100, LATE), (100 + 1e-6, COMPLETED)):
        result = unit_session(session([0], [[9]], steps_s=[[(100, 1)]], latest_start_s=latest))
        assert result.outcome.tolist() == [outcome]


def test_from_the_latest_start_on_everybody_waiting_or_joining_leaves_at_once():
    # Patient 0 is in service at 50 and stays; 1 is waiting; 2 joins at 70 although staff are free.
    result = unit_session(session([0, 10, 70], [[60], [9], [9]], latest_start_s=50))
    assert result.outcome.tolist() == [COMPLETED, LATE, LATE]
    assert in_seconds(result.exit_us) == [60, 50, 70]


def test_latest_start_wins_over_patience_of_the_same_instant():
    for tolerance, outcome in ((100, LATE), (99, LEFT)):
        result = unit_session(
            session([0], [[9]], steps_s=[[]], latest_start_s=100, tolerance_s=tolerance)
        )
        assert result.outcome.tolist() == [outcome]


def test_patient_is_admitted_strictly_before_closing_and_served_after_it():
    result = unit_session(session([0, 99, 100], [[500], [5], [5]], closes_us=100 * SECOND))
    assert result.outcome.tolist() == [COMPLETED, COMPLETED, CLOSED]
    assert in_seconds(result.exit_us) == [500, 505, 100]
    assert result.join_us[2, 0] == result.end_us[2, 0] == -1


def test_patient_who_visits_no_station_leaves_on_arrival():
    result = unit_session(session([5, 50], [[1], [1]], visits=[[0], [0]], closes_us=50 * SECOND))
    assert result.outcome.tolist() == [COMPLETED, CLOSED]
    assert in_seconds(result.exit_us) == [5, 50]


def test_a_session_without_patients_is_empty():
    result = unit_session(session([], np.zeros((0, 2))))
    assert result.outcome.size == 0
    assert result.start_us.shape == (0, 2)
    assert result.served.tolist() == result.max_queue.tolist() == [0, 0]
    assert (result.inside_us, result.max_inside) == (0, 0)


def test_who_leaves_and_who_comes_at_one_instant_are_not_counted_together():
    result = unit_session(session([0, 10, 10], [[10], [10], [10]]))
    assert result.max_inside == 2
    assert result.max_queue.tolist() == [1]  # patient 1 joins and starts at 10, patient 2 waits


# --- Unit: doses ----------------------------------------------------------------------------------


def vaccination(arrival_s, service_s=10.0, **overrides) -> UnitSession:
    """A session with a vaccination station alone."""
    return session(
        arrival_s, np.full((len(arrival_s), 1), service_s), kind=[VACCINATION], **overrides
    )


def test_vial_is_opened_when_needed_and_the_rest_discarded_at_the_end():
    # 12 patients, 5 doses a vial: 3 vials, 3 doses left.
    result = unit_session(vaccination([0] * 12, doses_per_vial=[5]))
    assert result.vials_opened.tolist() == [3]
    assert result.doses_used.tolist() == [12]
    assert result.doses_discarded.tolist() == [3]


@pytest.mark.parametrize(("second", "opened", "discarded"), [(100, 2, 18), (100 - 1e-6, 1, 8)])
def test_vial_is_discarded_at_the_very_instant_its_life_is_over(second, opened, discarded):
    # Opened at 0 for 100 s: at 100 its 9 doses go, and a second vial of ten is opened.
    result = unit_session(vaccination([0, second], open_life_s=100, vials=[5]))
    assert result.vials_opened.tolist() == [opened]
    assert result.doses_used.tolist() == [2]
    assert result.doses_discarded.tolist() == [discarded]


def test_vial_without_life_serves_one_patient():
    result = unit_session(vaccination([0, 0], 0, open_life_s=0, doses_per_vial=[4]))
    assert result.vials_opened.tolist() == [2]
    assert result.doses_discarded.tolist() == [6]


def test_patient_without_dose_takes_no_staff_time():
    # One dose of vaccine 0, one of vaccine 1. Patient 1 wants only 0, patient 2 takes 1.
    result = unit_session(
        vaccination(
            [0, 1, 2],
            preference=[[0, 1], [0, -1], [0, 1]],
            vials=[1, 1],
            doses_per_vial=[1, 1],
        )
    )
    assert result.outcome.tolist() == [COMPLETED, NO_DOSE, COMPLETED]
    assert result.vaccine.tolist() == [0, -1, 1]
    assert in_seconds(result.start_us[:, 0]) == [0, -1, 10]
    assert in_seconds(result.end_us[:, 0]) == [10, 10, 20]  # patient 1 leaves the queue at 10
    assert in_seconds(result.jab_us) == [10, -1, 20]
    assert result.served.tolist() == [2]
    assert in_seconds(result.wait_us) == [9 + 8]


def test_patient_learns_that_there_is_no_dose_only_at_the_head_of_the_queue():
    # Nobody is free for patient 1 until 10, so patience (5) runs out first.
    result = unit_session(vaccination([0, 0], vials=[1], doses_per_vial=[1], tolerance_s=5))
    assert result.outcome.tolist() == [COMPLETED, LEFT]


def test_preferred_vaccine_is_opened_though_another_vial_is_open():
    result = unit_session(vaccination([0, 1], preference=[[0, 1], [1, 0]]))
    assert result.vaccine.tolist() == [0, 1]
    assert result.vials_opened.tolist() == [1, 1]


def test_second_preference_is_taken_when_the_first_is_used_up():
    result = unit_session(
        vaccination([0, 1, 2], preference=[[1, 0]] * 3, vials=[5, 1], doses_per_vial=[10, 2])
    )
    assert result.vaccine.tolist() == [1, 1, 0]


def test_expired_vial_is_discarded_even_if_no_other_is_on_hand():
    result = unit_session(vaccination([0, 100], vials=[1], open_life_s=100))
    assert result.outcome.tolist() == [COMPLETED, NO_DOSE]
    assert result.doses_discarded.tolist() == [9]


def test_dose_is_taken_at_the_start_of_the_service():
    # Two vaccinators, one dose: the slower patient who starts first has it.
    result = unit_session(
        session(
            [0, 1],
            [[100], [1]],
            kind=[VACCINATION],
            steps_s=[[(0, 2)]],
            vials=[1],
            doses_per_vial=[1],
        )
    )
    assert result.vaccine.tolist() == [0, -1]
    assert in_seconds(result.exit_us) == [100, 1]


def test_staff_are_needed_for_a_dose():
    # The vial is opened at 60, when somebody comes, and lives until 90.
    result = unit_session(
        vaccination([0, 89], steps_s=[[(60, 1)]], open_life_s=30, doses_per_vial=[2])
    )
    assert result.vials_opened.tolist() == [1]


# --- Unit: observation ----------------------------------------------------------------------------


def test_observation_is_counted_from_the_jab():
    # Jab at 60, 30 s of walk, 900 s from the jab: until 960.
    result = unit_session(
        session([0], [[60, 900]], kind=[VACCINATION, OBSERVATION], walk_s=[[0, 30]])
    )
    assert in_seconds(result.jab_us) == [60]
    assert in_seconds(result.start_us[0]) == [0, 90]
    assert in_seconds(result.exit_us) == [960]
    assert in_seconds(result.busy_us) == [60, 870]


def test_wait_for_a_seat_is_part_of_the_observation():
    # One seat. Jabs at 10 and 20: patient 0 sits 10-110, patient 1 110-120; patient 2 (jab 30)
    # needs 50 from the jab, over at 80, and passes through the seat at 120.
    result = unit_session(
        session(
            [0, 0, 0],
            [[10, 100], [10, 100], [10, 50]],
            kind=[VACCINATION, OBSERVATION],
        )
    )
    assert in_seconds(result.start_us[:, 1]) == [10, 110, 120]
    assert in_seconds(result.end_us[:, 1]) == [110, 120, 120]


def test_vaccinated_patient_can_leave_observation():
    result = unit_session(
        session(
            [0, 0],
            [[10, 100], [10, 100]],
            kind=[VACCINATION, OBSERVATION],
            tolerance_s=20,
        )
    )
    assert result.outcome.tolist() == [COMPLETED, LEFT]
    assert result.vaccine.tolist() == [0, 0]
    assert in_seconds(result.jab_us) == [10, 20]
    assert in_seconds(result.exit_us) == [110, 40]


# --- Unit: invariants on nasty sessions -----------------------------------------------------------

SESSIONS = 1000


def test_nasty_sessions_keep_the_books():
    for seed in range(SESSIONS):
        day = random_session(seed)
        result = unit_session(day)
        n, stations = day.visits.shape
        assert np.isin(result.outcome, list(PatientOutcome)).all(), seed
        assert ((result.outcome == CLOSED) == (day.arrival_us >= day.closes_us)).all(), seed

        vaccinated = result.vaccine >= 0
        assert ((result.jab_us >= 0) == vaccinated).all(), seed
        for vaccine in range(day.vials.size):
            took = result.vaccine == vaccine
            assert (day.preference[took] == vaccine).any(axis=1).all(), seed
            assert result.doses_used[vaccine] == took.sum(), seed
        assert (
            result.doses_used + result.doses_discarded == result.vials_opened * day.doses_per_vial
        ).all(), seed
        assert (result.vials_opened <= day.vials).all(), seed

        joined, started = result.join_us != -1, result.start_us != -1
        assert (joined <= day.visits).all(), seed
        done = result.outcome == COMPLETED
        assert (started[done] == day.visits[done]).all(), seed
        assert result.served.tolist() == started.sum(axis=0).tolist(), seed
        wait = np.where(started, result.start_us, result.end_us) - result.join_us
        assert (wait[joined] >= 0).all(), seed
        assert (wait <= day.tolerance_us[:, None])[joined].all(), seed
        assert ((result.start_us < day.latest_start_us) | ~started).all(), seed
        assert result.wait_us.tolist() == wait.sum(axis=0, where=joined).tolist(), seed
        assert (result.exit_us >= day.arrival_us).all(), seed
        # Waits, services and walks add up to the time inside (of those who completed).
        walks = np.where(started, day.walk_us, 0).sum(axis=1)
        spent = np.where(started, result.end_us - result.join_us, 0).sum(axis=1) + walks
        assert (spent[done] == (result.exit_us - day.arrival_us)[done]).all(), seed
        assert result.max_inside <= n, seed
        assert result.max_queue.shape == (stations,), seed


def test_on_nasty_sessions_staff_are_never_idle_beside_a_queue_nor_exceeded_by_a_start():
    for seed in range(SESSIONS):
        day = random_session(seed)
        result = unit_session(day)
        for s in range(day.visits.shape[1]):
            steps = slice(day.step_first[s], day.step_first[s + 1])
            times, staff = day.step_time_us[steps], day.step_staff[steps]
            join, start, end = result.join_us[:, s], result.start_us[:, s], result.end_us[:, s]
            joined, started = join != -1, start != -1
            queue_left = np.where(started, start, end)
            instants = np.unique(np.concatenate([join[joined], queue_left[joined], end, times]))
            for before, after in pairwise(instants.tolist()):
                on_hand = int(staff[times <= before][-1]) if (times <= before).any() else 0
                busy = (started & (start <= before) & (end >= after)).sum()
                waiting = (joined & (join <= before) & (queue_left >= after)).sum()
                assert waiting == 0 or busy >= on_hand, seed
                assert waiting <= result.max_queue[s], seed
                if (started & (start == before) & (end > before)).any():
                    assert busy <= on_hand, seed

            # Nobody starts after somebody who joined later, in the order (time, number).
            order = np.lexsort((np.flatnonzero(joined), join[joined]))
            starts = start[joined][order]
            assert (np.diff(starts[starts != -1]) >= 0).all(), seed


# --- Unit: theory ---------------------------------------------------------------------------------


def test_mean_time_in_a_tandem_is_that_of_jackson():
    # Two M/M/1 stations in a row, λ = 0.5 and μ = 1 a minute: 1 / (μ - λ) = 2 minutes at each.
    minutes = []
    for seed in range(40):
        rng = np.random.default_rng([4, seed])
        arrival_s = np.cumsum(rng.exponential(120.0, 1500))
        result = unit_session(session(arrival_s, rng.exponential(60.0, (1500, 2))))
        stay = result.end_us[:, 1] - us(arrival_s)
        minutes.append(stay[150:].mean() / us(60))
    assert_mean(minutes, 4.0, relative_precision=0.02)


def test_nothing_binds_at_limits_that_are_never_reached():
    result = unit_session(session([0], [[1]], latest_start_s=NEVER / SECOND, closes_us=NEVER))
    assert result.outcome.tolist() == [COMPLETED]
