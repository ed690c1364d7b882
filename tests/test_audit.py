"""The audit of sessions and call-centre days notices what does not add up."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from engine_days import random_call_day, random_session

from sim.engine.compiled import call_centre_day, unit_session
from sim.engine.contract import CallCount, UnitSessionResult
from sim.model.audit import CampaignError, check_calls, check_sessions

SESSIONS = [s for s in (random_session(seed) for seed in range(300)) if s.arrival_us.size]
RESULTS = [unit_session(session) for session in SESSIONS]


def test_sessions_and_days_of_the_engine_pass() -> None:
    check_sessions(SESSIONS, RESULTS)
    for seed in range(300):
        check_calls(call_centre_day(random_call_day(seed)))


def changed(name: str) -> Callable[[UnitSessionResult], UnitSessionResult]:
    """The result with one microsecond, dose or person more."""

    def change(result: UnitSessionResult) -> UnitSessionResult:
        value = getattr(result, name)
        if isinstance(value, np.ndarray):
            value = value.copy()
            value.flat[0] += 1
            return replace(result, **{name: value})
        return replace(result, **{name: value + 1})

    return change


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wait_us", "waits and the area under the queue"),
        ("busy_us", "work and the times of service"),
        ("inside_us", "stays and the people inside"),
        ("doses_used", "doses drawn from vials"),
    ],
)
def test_a_session_that_does_not_add_up_is_noticed(name: str, message: str) -> None:
    results = [changed(name)(RESULTS[0]), *RESULTS[1:]]
    with pytest.raises(CampaignError, match=message):
        check_sessions(SESSIONS, results)


def test_a_unit_that_works_beyond_its_staff_is_noticed() -> None:
    # The busiest station of the sessions, with its staff taken away afterwards.
    at = next(i for i, r in enumerate(RESULTS) if r.busy_us.any())
    idle = replace(SESSIONS[at], step_staff=np.zeros_like(SESSIONS[at].step_staff))
    with pytest.raises(CampaignError, match="more than its staff could do"):
        check_sessions([idle], [RESULTS[at]])


@pytest.mark.parametrize("count", ["OFFERED", "ANSWERED", "BLOCKED", "WAIT_ANSWERED_US"])
def test_a_day_of_calls_that_does_not_add_up_is_noticed(count: str) -> None:
    result = call_centre_day(random_call_day(1))
    counts = result.counts.copy()
    counts[0, 0, CallCount[count]] += 1
    with pytest.raises(CampaignError, match="differ"):
        check_calls(replace(result, counts=counts))
