"""Formulas of queues against published and exactly computed reference cases.

Reference cases R1 to R10 are closed forms evaluated with 40 digits (R8: the stationary solution of
the two-dimensional chain; R9: a simulation); a formula must agree with every digit given.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.queueing_theory import (
    abandonment_probability,
    delay_probability,
    erlang_b,
    erlang_c,
    expected_open_vial_waste,
    fixed_patience_queue,
    infinite_server_mean,
    markovian_queue,
    mean_wait_from_empty,
    redial_chain,
    redial_fixed_point,
    served_within,
    single_server_mean_wait,
    smallest_number_of_servers,
    square_root_staffing,
    tandem,
    wrap_up_chain,
)


def digits(value: float, given: str) -> bool:
    """Whether `value` rounds to the number as it is written."""
    return f"{value:.{len(given.partition('.')[2])}f}" == given


# --- reference cases -----------------------------------------------------------------------------


def test_erlang_c_agrees_with_reference_case_r1():
    # 100 calls in 30 minutes of 180 s each, 14 agents; times in seconds
    queue = markovian_queue(100 / 1800, 1 / 180, 14)
    assert digits(queue.waits, "0.1741319")
    assert digits(queue.mean_wait, "7.835937")
    assert digits(queue.occupancy, "0.7142857")
    assert digits(served_within(20, 100 / 1800, 1 / 180, 14), "0.88835")


@pytest.mark.parametrize(
    ("servers", "load", "blocked"),
    [(30, 25, "0.0526031722"), (10, 5, "0.0183845703"), (20, 12, "0.0097956394")],
)
def test_erlang_b_agrees_with_reference_case_r2(servers, load, blocked):
    assert digits(erlang_b(load, servers), blocked)
    assert digits(markovian_queue(load, 1.0, servers, waiting_places=0).blocked, blocked)


def test_fifty_servers_with_and_without_abandonment_agree_with_reference_case_r3():
    # per minute; waits are given in seconds
    patient = markovian_queue(48, 1, 50)
    assert digits(patient.waits, "0.694456")
    assert digits(60 * patient.mean_wait, "20.8337")
    leaving = markovian_queue(48, 1, 50, abandonment_rate=1 / 2)
    assert digits(leaving.abandons, "0.0309122")
    assert digits(leaving.waits, "0.467774")
    assert digits(60 * leaving.mean_wait, "3.70947")
    assert digits(leaving.occupancy, "0.930324")


@pytest.mark.parametrize(
    ("arrivals", "abandons"),
    [(90, "0.00833192"), (100, "0.03986100"), (110, "0.09919156"), (120, "0.16769296")],
)
def test_erlang_a_agrees_with_reference_case_r4(arrivals, abandons):
    queue = markovian_queue(arrivals, 1, 100, abandonment_rate=1)
    assert digits(queue.abandons, abandons)
    assert digits(queue.mean_wait, abandons)  # as the abandonment rate is 1


@pytest.mark.parametrize(
    ("case", "abandons", "waits", "mean_wait"),
    [
        ((2, 1, 3, 1), "0.06116806", "0.37647994", "0.19297577"),
        ((48, 1, 50, 2), "0.00051507", "0.69067860", "0.32035864"),
    ],
)
def test_fixed_patience_agrees_with_reference_case_r5(case, abandons, waits, mean_wait):
    queue = fixed_patience_queue(*case)
    assert digits(queue.abandons, abandons)
    assert digits(queue.waits, waits)
    assert digits(queue.mean_wait, mean_wait)


@pytest.mark.parametrize(("cv", "mean_wait"), [(0.5, 200), (1.0, 320), (1.5, 520)])
def test_pollaczek_khinchine_agrees_with_reference_case_r6(cv, mean_wait):
    assert single_server_mean_wait(1 / 100, 80, cv) == pytest.approx(mean_wait, rel=1e-12)


def test_a_tandem_agrees_with_reference_case_r7():
    first, second = tandem(1.0, [(0.6, 2), (0.4, 3)])
    assert digits(first.mean_wait, "3.787879")
    assert digits(second.mean_wait, "3.511236")
    assert digits(first.mean_wait + 1 / 0.6 + second.mean_wait + 1 / 0.4, "11.465781")


def test_the_chain_with_redials_agrees_with_reference_case_r8():
    result = redial_chain(12, 1, 10, redials=0.5, mean_delay=5, abandonment_rate=1)
    assert digits(result.attempts, "14.229364")
    assert digits(result.queue.abandons, "0.313347")
    assert digits(result.queue.occupancy, "0.977064")
    assert digits(result.given_up, "0.185780")


def test_a_start_from_empty_fits_reference_case_r9():
    # The simulated 3.737 averages, in each replication, the waits of those whose service began in
    # time; arrivals in that time, who wait longer, have a mean between it and the stationary wait.
    assert digits(markovian_queue(0.2, 0.1, 3).mean_wait, "4.444444")
    assert 3.737 < mean_wait_from_empty(0.2, 0.1, 3, 500) < 4.444444


@pytest.mark.parametrize(
    ("booked", "wasted"), [(20, "2.000"), (50, "4.755"), (100, "4.493"), (500, "4.500")]
)
def test_open_vial_waste_agrees_with_reference_case_r10(booked, wasted):
    assert digits(expected_open_vial_waste(booked, 0.9, 10), wasted)


# --- what must hold besides ----------------------------------------------------------------------


def test_erlang_b_between_whole_numbers_of_servers_satisfies_its_recursion():
    # 1/B(c) = 1 + c/a / B(c - 1) for real c; and B(0) = 1
    a = 7.3
    for c in (1.5, 4.25, 9.99):
        assert 1 / erlang_b(a, c) == pytest.approx(1 + c / a / erlang_b(a, c - 1), rel=1e-10)
    assert erlang_b(a, 0) == 1
    assert erlang_b(a, 3.999999) == pytest.approx(erlang_b(a, 4), rel=1e-5)


def test_erlang_b_of_very_many_servers_neither_overflows_nor_fails():
    assert erlang_b(10.0, 5000) == 0.0
    assert erlang_b(10_000.0, 10_000) == pytest.approx(math.sqrt(2 / math.pi / 10_000), rel=0.01)


def test_erlang_c_of_one_server_is_its_load():
    assert erlang_c(0.8, 1) == pytest.approx(0.8)


def test_erlang_c_is_certain_when_the_servers_cannot_keep_up():
    assert erlang_c(5.0, 5) == 1.0


def test_one_server_with_one_place_by_hand():
    # M/M/1/2, arrivals 1, service 2: probabilities 4/7, 2/7, 1/7
    queue = markovian_queue(1, 2, 1, waiting_places=1)
    assert queue.blocked == pytest.approx(1 / 7)
    assert queue.waits == pytest.approx((2 / 7) / (6 / 7))
    assert queue.mean_queue == pytest.approx(1 / 7)
    assert queue.occupancy == pytest.approx(3 / 7)


def test_what_arrives_is_served_blocked_or_leaves():
    # flow balance: arrivals (1 - lost) = servers service_rate occupancy
    queue = markovian_queue(30, 1.5, 12, waiting_places=8, abandonment_rate=0.7)
    assert 30 * (1 - queue.lost) == pytest.approx(12 * 1.5 * queue.occupancy)


def test_very_patient_callers_are_like_erlang_c():
    patient = markovian_queue(9, 1, 10, abandonment_rate=1e-9)
    assert patient.mean_wait == pytest.approx(markovian_queue(9, 1, 10).mean_wait, rel=1e-6)


def test_patience_as_long_as_service_makes_an_infinite_server():
    # with equal rates each caller leaves at the same rate served or not: Poisson with mean load
    queue = markovian_queue(8, 1, 10, abandonment_rate=1)
    poisson = [math.exp(-8) * 8**n / math.factorial(n) for n in range(10)]
    assert queue.waits == pytest.approx(1 - sum(poisson))


def test_service_level_of_endless_patience_agrees_with_finite_and_infinite_formulas():
    # a very long line is the line without end; hardly any abandonment is none
    exact = served_within(0.3, 9, 1, 10)
    assert served_within(0.3, 9, 1, 10, waiting_places=2000) == pytest.approx(exact, rel=1e-9)
    assert served_within(0.3, 9, 1, 10, abandonment_rate=1e-7) == pytest.approx(exact, rel=1e-5)


def test_service_level_runs_from_those_served_at_once_to_all_who_are_served():
    queue = markovian_queue(12, 1, 10, abandonment_rate=0.5, waiting_places=9)
    levels = [
        served_within(t, 12, 1, 10, abandonment_rate=0.5, waiting_places=9)
        for t in (0, 0.1, 0.5, 1, 1e3)
    ]
    assert levels == sorted(levels)
    assert levels[0] == pytest.approx((1 - queue.blocked) * (1 - queue.waits))
    assert levels[-1] == pytest.approx(1 - queue.lost)


def test_service_level_of_one_server_with_one_place_by_hand():
    # M/M/1/2+M, arrivals 1, service 1, abandonment 1: probabilities 1, 1, 1/2 over 5/2. Who finds
    # one present is served by t with probability of service first and by t: (1 - exp(-2 t)) / 2.
    level = served_within(0.5, 1, 1, 1, waiting_places=1, abandonment_rate=1)
    assert level == pytest.approx(0.4 + 0.4 * (1 - math.exp(-1)) / 2)


def test_a_patience_of_zero_is_a_loss_system_and_a_long_one_is_erlang_c():
    assert fixed_patience_queue(5, 1, 10, 0.0).abandons == pytest.approx(erlang_b(5, 10))
    assert fixed_patience_queue(9, 1, 10, 80.0).mean_wait == pytest.approx(
        markovian_queue(9, 1, 10).mean_wait, rel=1e-6
    )


def test_fixed_patience_is_continuous_where_the_servers_just_keep_up():
    below, at, above = (
        fixed_patience_queue(10 + e, 1, 10, 0.4).mean_wait for e in (-1e-8, 0, 1e-8)
    )
    assert below == pytest.approx(at, rel=1e-6)
    assert above == pytest.approx(at, rel=1e-6)


def test_a_queue_from_empty_approaches_the_stationary_wait_from_below():
    stationary = markovian_queue(0.2, 0.1, 3).mean_wait
    waits = [mean_wait_from_empty(0.2, 0.1, 3, horizon) for horizon in (50, 500, 5000)]
    assert waits == sorted(waits)
    assert waits[-1] < stationary
    # only the first arrivals wait less, so what the mean lacks falls like 1 / horizon
    lacks = [
        horizon * (stationary - wait) for horizon, wait in zip((500, 5000), waits[1:], strict=True)
    ]
    assert lacks[1] == pytest.approx(lacks[0], rel=1e-3)


def test_the_first_arrivals_at_one_server_wait_for_the_one_before_them():
    # shortly after opening, P(one present at t) = t for one arrival per unit of time, who holds the
    # server for 1/2: mean wait over (0, T) = (T / 2) / 2 to first order
    assert mean_wait_from_empty(1, 2, 1, 1e-3) == pytest.approx(0.25e-3, rel=2e-3)


def test_exponential_services_from_empty_fill_an_infinite_server_exponentially():
    # dm/dt = arrivals - m / mean: m(t) = 6 (1 - exp(-t / 3)) for 2 arrivals of mean 3
    counts = infinite_server_mean(np.full(40, 2.0), 0.25, lambda t: np.exp(-t / 3))
    times = 0.25 * np.arange(1, 41)
    np.testing.assert_allclose(counts, 6 * (1 - np.exp(-times / 3)), rtol=1e-12)


def test_the_load_of_an_infinite_server_lags_behind_a_burst():
    # one burst of a step, services of exactly 2 (a jump on the grid): there until it is over
    counts = infinite_server_mean([3.0, 0, 0, 0], 1.0, lambda t: (t < 2).astype(float))
    np.testing.assert_allclose(counts, [3, 3, 0, 0], atol=1e-12)


def test_redials_add_the_attempts_that_the_losses_cause():
    # one server without places blocks L/(1 + L): L = 1 + L^2 / (2 (1 + L)) gives L^2 / 2 = 1
    result = redial_fixed_point(1, 1, 1, redials=0.5, waiting_places=0)
    assert result.attempts == pytest.approx(math.sqrt(2))
    # fresh callers are served or give up: 1 - served / fresh
    assert result.given_up == pytest.approx(1 - result.queue.occupancy)


def test_without_redials_the_fixed_point_is_erlang_a():
    assert redial_fixed_point(12, 1, 10, redials=0, abandonment_rate=1).queue == markovian_queue(
        12, 1, 10, abandonment_rate=1
    )


def test_the_fixed_point_of_redials_is_the_limit_of_long_delays():
    fluid = redial_fixed_point(6, 1, 5, redials=0.5, abandonment_rate=1)
    near, far = (
        redial_chain(6, 1, 5, redials=0.5, abandonment_rate=1, mean_delay=delay).attempts
        for delay in (1, 30)
    )
    # what is missing falls like 1 / delay: a 15th of it at 30 times the delay leaves room
    assert abs(far - fluid.attempts) < abs(near - fluid.attempts) / 14


def test_after_call_work_of_no_time_leaves_the_queue_as_it_was():
    plain = markovian_queue(12, 1, 10, waiting_places=5, abandonment_rate=0.5)
    quick = wrap_up_chain(12, 1, 1e9, 10, waiting_places=5, abandonment_rate=0.5)
    for part in ("blocked", "waits", "abandons", "mean_wait", "mean_queue", "occupancy"):
        assert getattr(quick, part) == pytest.approx(getattr(plain, part), abs=1e-7), part


def test_talk_of_no_time_makes_the_work_after_it_the_service():
    # one server, endless lines: M/M/1, load 0.5: P(wait) 0.5, mean wait 0.5 / (1 - 0.5)
    queue = wrap_up_chain(0.5, 1e9, 1, 1, waiting_places=100)
    assert (queue.waits, queue.mean_wait) == pytest.approx((0.5, 1.0), abs=1e-6)


def test_with_lines_for_all_after_call_work_is_part_of_the_service():
    # M/G/1 with a service of two exponential parts, means 0.5 and 0.3: cv**2 = 0.34 / 0.64
    queue = wrap_up_chain(1, 2, 1 / 0.3, 1, waiting_places=250)
    exact = single_server_mean_wait(1, 0.8, math.sqrt(0.34) / 0.8)
    assert queue.mean_wait == pytest.approx(exact, rel=1e-6)
    assert queue.occupancy == pytest.approx(0.8, abs=1e-9)


def test_one_line_and_one_agent_with_after_call_work_by_hand():
    # States (at work, lines in use) and flows with all rates 1, balanced by hand:
    # (0,0) -> (0,1) -> (1,0) -> (0,0), (1,0) -> (1,1) -> (0,1).
    # p00 = p10 = p, p10 (1 + 1) = p01, so p01 = 2p; p11 = p10 = p: together 5p = 1.
    queue = wrap_up_chain(1, 1, 1, 1, waiting_places=0)
    assert queue.blocked == pytest.approx(3 / 5)  # p01 + p11
    assert queue.waits == pytest.approx((1 / 5) / (2 / 5))  # p10 of those let in
    assert queue.occupancy == pytest.approx(4 / 5)


def test_the_chain_with_redials_and_busy_signals_loses_nobody():
    # callers served or given up are all fresh callers
    result = redial_chain(
        4, 1, 4, redials=0.7, mean_delay=2, waiting_places=3, abandonment_rate=0.5
    )
    served = result.queue.occupancy * 4 / 4
    assert served + result.given_up == pytest.approx(1, abs=1e-9)
    assert result.queue.blocked > 0


def test_nobody_can_be_served_by_too_few_if_all_redial_for_ever():
    with pytest.raises(ValueError, match="serve all"):
        redial_fixed_point(12, 1, 10, redials=1, abandonment_rate=1)


def test_square_root_staffing_is_asymptotically_right():
    # the exact probability of waiting approaches the target at a large load; whole servers leave a
    # step, of 0.010 to 0.015 at this load (0.009 with abandonment)
    servers = square_root_staffing(2000, 0.3)
    assert erlang_c(2000, servers) == pytest.approx(0.3, abs=0.015)
    servers = square_root_staffing(2000, 0.3, patience=2)
    exact = markovian_queue(2000, 1, servers, abandonment_rate=0.5)
    assert exact.waits == pytest.approx(0.3, abs=0.015)


def test_garnett_without_abandonment_is_halfin_whitt():
    assert delay_probability(0.7, 1e12) == pytest.approx(delay_probability(0.7), rel=1e-5)


def test_equal_loads_and_servers_with_equal_patience_and_service_wait_half_the_time():
    # the number present is Poisson, symmetric about its mean in the limit
    assert delay_probability(0.0, 1.0) == pytest.approx(0.5)


def test_garnett_abandonment_is_near_the_exact_value_of_reference_case_r4():
    # 100 erlangs, 100 servers; the limit is good to about a tenth of 1/sqrt(100)
    assert abandonment_probability(0.0, 1.0, 100) == pytest.approx(0.039861, rel=0.02)


def test_the_smallest_number_of_servers_is_found_wherever_it_lies():
    for least in (1, 2, 3, 37, 1000):
        assert smallest_number_of_servers(lambda n, least=least: n >= least) == least
    # 80 % within 20 s for the case R1: 13 agents are too few (a table of Erlang C says 14)
    found = smallest_number_of_servers(
        lambda n: n > 10 and served_within(20, 100 / 1800, 1 / 180, n) >= 0.8
    )
    assert found == 14


def test_a_condition_that_never_holds_is_an_error():
    with pytest.raises(ValueError, match="50 servers"):
        smallest_number_of_servers(lambda n: False, highest=50)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: markovian_queue(10, 1, 10), "grows for ever"),
        (lambda: markovian_queue(0, 1, 10), "above zero"),
        (lambda: markovian_queue(1, 1, 0), "whole number"),
        (lambda: markovian_queue(1, 1, 1, abandonment_rate=-1), "zero or more"),
        (lambda: served_within(-1, 1, 1, 2), "zero or more"),
        (lambda: single_server_mean_wait(1, 1, 1), "below 1"),
        (lambda: redial_fixed_point(1, 1, 2, redials=1.5), "probability"),
        (lambda: square_root_staffing(10, 0), "between 0 and 1"),
    ],
)
def test_what_is_no_queue_is_an_error(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
