"""What must hold in every session and every call-centre day; checked as they are simulated."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sim.compilation import kernel
from sim.engine.contract import (
    CallCentreDayResult,
    CallCount,
    CallOutcome,
    PatientOutcome,
    UnitSession,
    UnitSessionResult,
)

Int64Array = NDArray[np.int64]
_NEVER = 2**63 - 1


class CampaignError(AssertionError):
    """An invariant of the model is broken: a fault of the program, not of the scenario."""


def check_sessions(sessions: Iterable[UnitSession], results: Iterable[UnitSessionResult]) -> None:
    """Raise CampaignError unless the sessions obey these laws.

    Little's law: at every station the sum of waits is the area under the queue's length, which is
    the sum of the times of leaving the queue less the sum of the times of joining it; likewise for
    the people inside. Staff: the work done between the first start and the last end is not more
    than the most staff on duty could do. Vials: what was drawn from them was given or discarded.
    """
    for session, result in zip(sessions, results, strict=True):
        problem = _session_problem(
            session.step_first,
            session.step_staff,
            session.doses_per_vial,
            session.arrival_us,
            result.outcome,
            result.exit_us,
            result.join_us,
            result.start_us,
            result.end_us,
            result.vials_opened,
            result.doses_used,
            result.doses_discarded,
            result.busy_us,
            result.wait_us,
            result.inside_us,
        )
        if problem:
            raise CampaignError(problem)


@kernel
def _session_problem(
    step_first: Int64Array,
    step_staff: Int64Array,
    doses_per_vial: Int64Array,
    arrival_us: Int64Array,
    outcome: NDArray[np.int8],
    exit_us: Int64Array,
    join_us: Int64Array,
    start_us: Int64Array,
    end_us: Int64Array,
    vials_opened: Int64Array,
    doses_used: Int64Array,
    doses_discarded: Int64Array,
    busy_us: Int64Array,
    wait_us: Int64Array,
    inside_us: int,
) -> str:
    """A law that a session does not obey; "" if there is none."""
    for s in range(busy_us.size):
        waits = work = over = 0
        begun = _NEVER
        for patient in range(arrival_us.size):
            if start_us[patient, s] >= 0:
                work += end_us[patient, s] - start_us[patient, s]
                begun = min(begun, start_us[patient, s])
                over = max(over, end_us[patient, s])
                waits += start_us[patient, s] - join_us[patient, s]
            elif join_us[patient, s] >= 0:  # left the queue
                waits += end_us[patient, s] - join_us[patient, s]
        if waits != wait_us[s]:
            return "waits and the area under the queue differ"
        if work != busy_us[s]:
            return "work and the times of service differ"
        most = 0
        for step in range(step_first[s], step_first[s + 1]):
            most = max(most, step_staff[step])
        if work > 0 and work > most * (over - begun):
            return "a unit did more than its staff could do"

    stays = 0
    for patient in range(arrival_us.size):
        if outcome[patient] != PatientOutcome.CLOSED:
            stays += exit_us[patient] - arrival_us[patient]
    if stays != inside_us:
        return "stays and the people inside differ"
    for v in range(doses_per_vial.size):
        if vials_opened[v] * doses_per_vial[v] != doses_used[v] + doses_discarded[v]:
            return "doses drawn from vials and doses given or discarded differ"
    return ""


def check_calls(result: CallCentreDayResult) -> None:
    """Raise CampaignError unless the day's calls add up: by outcome, by caller, in agents' time."""
    counts = result.counts.sum(axis=(0, 1))
    ended = counts[[CallCount.ANSWERED, CallCount.ABANDONED, CallCount.BLOCKED, CallCount.CUT_OFF]]
    answered = result.answers.sum()
    for what, left, right in (
        ("attempts and their outcomes", counts[CallCount.OFFERED], ended.sum()),
        ("attempts and those of the callers", counts[CallCount.OFFERED], result.attempts.sum()),
        ("answered attempts and callers", counts[CallCount.ANSWERED], answered),
        (
            "callers answered and their outcomes",
            (result.answers > 0).sum(),
            (result.outcome == CallOutcome.ANSWERED).sum(),
        ),
        ("answered calls and those of the pools", answered, result.pool_answered.sum()),
        ("waits of answered calls", counts[CallCount.WAIT_ANSWERED_US], result.wait_us.sum()),
        (
            "agents' time on calls",
            result.handled_us.sum(),
            result.pool_busy_us.sum() + result.pool_overtime_us.sum(),
        ),
    ):
        if int(left) != int(right):
            raise CampaignError(f"{what} differ: {left} and {right}")
