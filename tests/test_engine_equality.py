"""The compiled engine equals the reference, field by field, to the last bit.

Most days here are nasty on purpose (ties everywhere, see `engine_days`): on ordinary data nearly
every wrong rule goes unnoticed. VAXSIM_RANDOM_DAYS sets how many random days of each kind are
compared; some mistakes show on one day in some hundred only, so thousands are needed.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import numpy as np
import pytest
from engine_days import (
    NEVER,
    SECOND,
    call_day,
    constant_table,
    plateau_table,
    random_call_day,
    random_session,
    session,
    us,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.engine import compiled, reference
from sim.engine.contract import CallCentreDay, StationKind, UnitSession
from sim.random_streams import threshold

RANDOM_DAYS = int(os.environ.get("VAXSIM_RANDOM_DAYS", "5000"))
BATCHES = 10

MINUTE = 60 * SECOND


def differences(expected: Any, actual: Any) -> list[str]:
    """Names of the fields in which two results are not equal in type, shape and every value."""
    different = []
    for field in dataclasses.fields(expected):
        a, b = getattr(expected, field.name), getattr(actual, field.name)
        if type(a) is not type(b):
            different.append(field.name)
        elif isinstance(a, np.ndarray):
            if a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes():
                different.append(field.name)
        elif a != b:
            different.append(field.name)
    return different


def call_day_differences(day: CallCentreDay) -> list[str]:
    return differences(
        reference.call_centre_day(day, log=True), compiled.call_centre_day(day, log=True)
    )


def session_differences(day: UnitSession) -> list[str]:
    return differences(reference.unit_session(day), compiled.unit_session(day))


def batch(number: int) -> range:
    return range(number * RANDOM_DAYS // BATCHES, (number + 1) * RANDOM_DAYS // BATCHES)


# --- Random nasty days ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(BATCHES))
def test_random_call_days_are_equal(number: int) -> None:
    wrong = {
        seed: found
        for seed in batch(number)
        if (found := call_day_differences(random_call_day(seed)))
    }
    assert not wrong


@pytest.mark.parametrize("number", range(BATCHES))
def test_random_sessions_are_equal(number: int) -> None:
    wrong = {
        seed: found
        for seed in batch(number)
        if (found := session_differences(random_session(seed)))
    }
    assert not wrong


# --- The same by Hypothesis, which finds the smallest day on which the engines differ -------------

SMALL = st.integers(0, 6)


@st.composite
def call_days(draw: st.DrawFn) -> CallCentreDay:
    """Few callers within a few seconds; times are whole seconds."""
    fresh = sorted(draw(st.lists(st.integers(0, 7), max_size=12)))
    n = len(fresh)
    pools = draw(st.integers(0, 3))
    languages = draw(st.integers(1, 2))
    steps = draw(
        st.dictionaries(
            st.tuples(st.integers(-1, 12), st.integers(0, pools - 1)), st.integers(0, 3), max_size=6
        )
        if pools
        else st.just({})
    )
    durations = st.lists(SMALL, min_size=1, max_size=3)

    def per_caller(values: st.SearchStrategy[int]) -> list[int]:
        return draw(st.lists(values, min_size=n, max_size=n))

    def tables(lists: list[list[int]]) -> np.ndarray:
        return np.stack([plateau_table([SECOND * value for value in values]) for values in lists])

    return call_day(
        fresh,
        closes_s=8,
        steps_s=[(*key, steps[key]) for key in sorted(steps)],
        cut_off_at_closing=draw(st.booleans()),
        random_agent=draw(st.booleans()),
        keeps_patience=draw(st.booleans()),
        lines=draw(st.integers(1, 5)),
        pool_speaks=draw(
            st.lists(
                st.lists(st.booleans(), min_size=languages, max_size=languages),
                min_size=pools,
                max_size=pools,
            ).map(lambda rows: np.array(rows, dtype=bool).reshape(pools, languages))
        ),
        redial_threshold=draw(st.sampled_from([0, 2**31, 2**32])),
        busy_redial_threshold=draw(st.sampled_from([0, 2**31, 2**32])),
        reconnect_threshold=draw(st.sampled_from([0, 2**31, 2**32])),
        reconnect_delay=tables([draw(durations)])[0],
        attempts_per_day=draw(st.integers(1, 5)),
        attempts_allowed=draw(st.integers(1, 6)),
        patience=tables([draw(durations) for _ in range(2)]),
        handle=tables([draw(durations) for _ in range(2)]),
        wrap_up=tables([draw(durations) for _ in range(2)]),
        redial_delay=tables([draw(durations)])[0],
        busy_redial_delay=tables([draw(durations)])[0],
        target_us=draw(SMALL) * SECOND,
        interval_us=draw(st.integers(1, 9)) * SECOND,
        seed=draw(st.integers(0, 3)),
        language=per_caller(st.integers(0, languages - 1)),
        call_type=per_caller(st.integers(0, 1)),
        attempts_before=per_caller(st.integers(0, 3)),
    )


@st.composite
def sessions(draw: st.DrawFn) -> UnitSession:
    """Few patients, up to three stations; times are whole seconds."""
    arrival = sorted(draw(st.lists(st.integers(0, 9), max_size=8)))
    n = len(arrival)
    kinds = draw(
        st.sampled_from(
            [
                [StationKind.SERVICE],
                [StationKind.VACCINATION],
                [StationKind.SERVICE, StationKind.SERVICE],
                [StationKind.VACCINATION, StationKind.OBSERVATION],
                [StationKind.SERVICE, StationKind.VACCINATION, StationKind.OBSERVATION],
            ]
        )
    )
    stations = len(kinds)
    steps = [
        sorted(draw(st.dictionaries(st.integers(-1, 12), st.integers(0, 3), max_size=4)).items())
        for _ in kinds
    ]

    def table(values: st.SearchStrategy[int]) -> np.ndarray:
        rows = st.lists(values, min_size=n * stations, max_size=n * stations)
        return np.array(draw(rows), dtype=np.int64).reshape(n, stations)

    visits = table(st.integers(0, 1)).astype(bool)
    if StationKind.OBSERVATION in kinds:
        visits[:, -1] &= visits[:, -2]
    return session(
        arrival,
        table(SMALL),
        kind=kinds,
        steps_s=steps,
        latest_start_s=[draw(st.sampled_from([3, 7, 10, 1000])) for _ in kinds],
        walk_s=table(st.integers(0, 2)),
        tolerance_s=draw(st.lists(SMALL, min_size=n, max_size=n)),
        open_life_s=[draw(SMALL), draw(SMALL)],
        preference=draw(
            st.lists(
                st.sampled_from([(0, 1), (1, 0), (0, -1), (1, -1), (-1, -1)]),
                min_size=n,
                max_size=n,
            ).map(lambda rows: np.array(rows).reshape(n, 2))
        ),
        visits=visits,
        vials=[draw(st.integers(0, 3)), draw(st.integers(0, 3))],
        doses_per_vial=[draw(st.integers(1, 3)), draw(st.integers(1, 3))],
        closes_us=draw(st.integers(0, 10)) * SECOND,
    )


QUICK = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@QUICK
@given(call_days())
def test_small_call_days_are_equal(day: CallCentreDay) -> None:
    assert not call_day_differences(day)


@QUICK
@given(sessions())
def test_small_sessions_are_equal(day: UnitSession) -> None:
    assert not session_differences(day)


# --- Larger days ----------------------------------------------------------------------------------


def overloaded_day(n: int, agents: int, lines: int, delay: np.ndarray, grid: int) -> CallCentreDay:
    """Ten hours; everybody calls again and again, without limit, with probability 0.9."""
    rng = np.random.default_rng(n)
    hours = 3600 * SECOND // grid
    values = np.sort(rng.exponential(4 * MINUTE / grid, 20)).astype(np.int64) * grid
    return call_day(
        np.sort(rng.integers(8 * hours, 18 * hours, n)) * grid / SECOND,
        opens_us=8 * 3600 * SECOND,
        closes_s=18 * 3600,
        steps_s=[(8 * 3600, 0, agents), (12 * 3600, 0, agents // 2), (13 * 3600, 0, agents)],
        lines=lines,
        redial_threshold=threshold(0.9),
        attempts_per_day=10**9,
        attempts_allowed=10**9,
        patience=[plateau_table(list(values * 2))],
        handle=[plateau_table(list(values))],
        redial_delay=delay,
    )


@pytest.mark.parametrize(
    ("n", "agents", "lines", "delay", "grid"),
    [
        (1500, 3, 10, plateau_table([i * MINUTE for i in range(1, 60, 3)]), 1),
        (1500, 2, 3, plateau_table([i * MINUTE for i in range(1, 60, 3)]), MINUTE),
        (400, 1, 2, constant_table(60), 1000),  # redials meet again and again
        (400, 1, 1, plateau_table([0, 0, 1, 2, SECOND, 5 * MINUTE]), 1),  # within a bucket
    ],
)
def test_overloaded_days_are_equal(
    n: int, agents: int, lines: int, delay: np.ndarray, grid: int
) -> None:
    day = overloaded_day(n, agents, lines, delay, grid)
    assert not call_day_differences(day)
    result = compiled.call_centre_day(day)
    assert result.attempts.sum() > 4 * n  # overloaded indeed


def test_an_ordinary_session_of_a_thousand_patients_is_equal() -> None:
    rng = np.random.default_rng(1)
    n, hour = 1000, 3600
    service = rng.exponential([120, 180, 270, 0], (n, 4))
    service[:, 3] = 30 * 60
    day = session(
        np.sort(rng.uniform(8 * hour, 16 * hour, n)),
        service,
        kind=[StationKind.SERVICE, StationKind.SERVICE, 1, StationKind.OBSERVATION],
        steps_s=[[(8 * hour, c), (12 * hour, c // 2), (13 * hour, c)] for c in (5, 7, 9, 70)],
        latest_start_s=[17 * hour, 17 * hour, 17 * hour, 18 * hour],
        walk_s=rng.exponential(30, (n, 4)),
        tolerance_s=rng.exponential(hour, n),
        closes_us=16 * hour * SECOND,
        vials=[95],
    )
    assert not session_differences(day)
    result = compiled.unit_session(day)
    assert (result.served > n // 2).all()
    assert result.wait_us.all()


def test_a_session_that_is_left_in_the_opposite_order_is_equal() -> None:
    # 200 come, one a second, to a station that never opens, and the k-th waits 1000 - 2 k seconds:
    # who has come last leaves first, at 1000 - k seconds. 200 * 199 / 2 = 19,900 pairs change
    # places, more than are moved one by one (32 * 200).
    n = 200
    k = np.arange(n)
    day = session(k, np.zeros((n, 1)), steps_s=[[(0, 0)]], tolerance_s=1000 - 2 * k)
    assert not session_differences(day)
    result = compiled.unit_session(day)
    assert result.max_inside == result.max_queue[0] == n
    assert (result.exit_us == (1000 - k) * SECOND).all()


# --- What an engine promises besides --------------------------------------------------------------


def frozen(day: Any) -> Any:
    """The same day in read-only arrays in an unusual layout."""
    changes = {}
    for field in dataclasses.fields(day):
        value = getattr(day, field.name)
        if isinstance(value, np.ndarray):
            strided = np.repeat(value, 2, axis=-1)[..., ::2]
            strided.flags.writeable = False
            changes[field.name] = strided
    return dataclasses.replace(day, **changes)


@pytest.mark.parametrize("seed", range(20))
def test_layout_and_read_only_arrays_change_nothing(seed: int) -> None:
    day = random_call_day(seed)
    again = compiled.call_centre_day(frozen(day), log=True)
    assert not differences(compiled.call_centre_day(day, log=True), again)
    unit = random_session(seed)
    assert not differences(compiled.unit_session(unit), compiled.unit_session(frozen(unit)))


def test_kernels_are_compiled_once_whatever_the_layout() -> None:
    # (The call centre: once for plain days, once where there is after-call work or the like.)
    for kernel, most in ((compiled._call_centre_day, 2), (compiled._unit_session, 1)):
        assert len(getattr(kernel, "signatures", [None])) <= most


@pytest.mark.parametrize("seed", range(20))
def test_inputs_are_left_as_they_were(seed: int) -> None:
    day, unit = random_call_day(seed), random_session(seed)
    compiled.call_centre_day(day, log=True)
    compiled.unit_session(unit)
    assert not differences(random_call_day(seed), day)
    assert not differences(random_session(seed), unit)


def test_without_a_log_the_rest_is_the_same() -> None:
    for seed in range(50):
        day = random_call_day(seed)
        result, logged = compiled.call_centre_day(day), compiled.call_centre_day(day, log=True)
        assert differences(logged, result) == ["log"]
        assert result.log is None


def test_a_day_without_callers_and_a_session_without_patients_are_equal() -> None:
    assert not call_day_differences(call_day([]))
    assert not session_differences(session([], np.empty((0, 2))))
    assert not session_differences(session([1, 2], np.empty((2, 0))))


def test_limits_that_never_bind_do_not_overflow() -> None:
    # Tolerance, patience and latest start of 31 years each.
    day = call_day([0, 1, 2], patience_s=NEVER / SECOND, steps_s=[(3000, 0, 1)], closes_s=2000)
    assert not call_day_differences(day)
    unit = session([0, 1], [[1], [1]], steps_s=[[]], tolerance_s=NEVER / SECOND)
    assert not session_differences(unit)


def test_the_compiled_engine_refuses_what_breaks_the_contract() -> None:
    with pytest.raises(ValueError, match="at least one line"):
        compiled.call_centre_day(call_day([0], lines=0))
    with pytest.raises(ValueError, match="sorted by arrival"):
        compiled.unit_session(session([2, 1], us([[1], [1]])))
