"""What must hold in every session and every call-centre day; checked as they are simulated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.contract import (
    CallCentreDayResult,
    CallCount,
    CallOutcome,
    PatientOutcome,
    UnitSession,
    UnitSessionResult,
)


class CampaignError(AssertionError):
    """An invariant of the model is broken: a fault of the program, not of the scenario."""


def check_sessions(sessions: Iterable[UnitSession], results: Iterable[UnitSessionResult]) -> None:
    """Raise CampaignError unless the sessions obey these laws.

    Little's law: at every station the sum of waits is the area under the queue's length, which is
    the sum of the times of leaving the queue less the sum of the times of joining it; likewise for
    the people inside. Staff: the work done between the first start and the last end is not more
    than the most staff on duty could do. Vials: what was drawn from them was given or discarded.
    """
    alike: dict[tuple[int, int], list[tuple[UnitSession, UnitSessionResult]]] = {}
    for session, result in zip(sessions, results, strict=True):
        alike.setdefault((session.kind.size, session.vials.size), []).append((session, result))
    for pairs in alike.values():
        _check_alike([session for session, _ in pairs], [result for _, result in pairs])


def _check_alike(sessions: list[UnitSession], results: list[UnitSessionResult]) -> None:
    """The same for sessions with as many stations and vaccines, each with somebody coming."""

    def all_of(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(result, name) for result in results])

    def each(name: str) -> NDArray[Any]:
        return np.stack([getattr(result, name) for result in results])

    first = np.cumsum([0, *(result.outcome.size for result in results[:-1])])
    start, end, join = all_of("start_us"), all_of("end_us"), all_of("join_us")
    joined, started = join >= 0, start >= 0
    waits = np.where(joined, np.where(started, start, end) - join, 0)
    _same("waits and the area under the queue", np.add.reduceat(waits, first), each("wait_us"))
    work = np.add.reduceat(np.where(started, end - start, 0), first)
    _same("work and the times of service", work, each("busy_us"))

    begun = np.minimum.reduceat(np.where(started, start, np.iinfo(np.int64).max), first)
    over = np.maximum.reduceat(np.where(started, end, 0), first)
    most = np.stack(
        [np.maximum.reduceat(np.append(s.step_staff, 0), s.step_first[:-1]) for s in sessions]
    )
    if ((work > 0) & (work > most * (over - begun))).any():
        raise CampaignError("a unit did more than its staff could do")

    arrival = np.concatenate([session.arrival_us for session in sessions])
    stay = np.where(all_of("outcome") != PatientOutcome.CLOSED, all_of("exit_us") - arrival, 0)
    _same("stays and the people inside", np.add.reduceat(stay, first), each("inside_us"))
    drawn = each("vials_opened") * np.stack([session.doses_per_vial for session in sessions])
    gone = each("doses_used") + each("doses_discarded")
    _same("doses drawn from vials and doses given or discarded", drawn, gone)


def check_calls(result: CallCentreDayResult) -> None:
    """Raise CampaignError unless the day's calls add up: by outcome, by caller, in agents' time."""
    counts = result.counts.sum(axis=(0, 1))
    answered = result.outcome == CallOutcome.ANSWERED
    ended = counts[[CallCount.ANSWERED, CallCount.ABANDONED, CallCount.BLOCKED, CallCount.CUT_OFF]]
    waits = int(result.wait_us[answered].sum())
    work = int((result.end_us - result.answered_us)[answered].sum())
    for what, left, right in (
        ("attempts and their outcomes", counts[CallCount.OFFERED], ended.sum()),
        ("attempts and those of the callers", counts[CallCount.OFFERED], result.attempts.sum()),
        ("answered attempts and callers", counts[CallCount.ANSWERED], answered.sum()),
        ("answered calls and those of the pools", answered.sum(), result.pool_answered.sum()),
        ("waits of answered calls", counts[CallCount.WAIT_ANSWERED_US], waits),
        (
            "agents' time on calls",
            work,
            result.pool_busy_us.sum() + result.pool_overtime_us.sum(),
        ),
    ):
        if int(left) != int(right):
            raise CampaignError(f"{what} differ: {left} and {right}")


def _same(what: str, left: NDArray[Any], right: NDArray[Any]) -> None:
    if (left != right).any():
        raise CampaignError(f"{what} differ")
