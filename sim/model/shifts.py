"""Staff by time of day as a step function."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.scenario import MINUTE_US, Shift


def staff_steps(
    staff: int, shifts: Sequence[Shift], breaks: Sequence[Shift], opens: int, closes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Times (microseconds of the day) and numbers on duty from each time on.

    `staff` are there from opening; `shifts`, where given, replace them. Who is on duty at closing
    stays until the queue is served: a shift that ends at closing or later has no end here, so that
    those inside are not left alone. Breaks take away staff, never below zero.
    """
    present = (
        [(opens, closes, staff)] if not shifts else [(s.start, s.end, s.staff) for s in shifts]
    )
    away = [(b.start, b.end, b.staff) for b in breaks]
    times = sorted({t for start, end, _ in present + away for t in (start, end) if t < closes})
    steps: list[tuple[int, int]] = []
    for t in times:
        on_duty = sum(n for start, end, n in present if start <= t < end)
        on_duty -= sum(n for start, end, n in away if start <= t < end)
        on_duty = max(on_duty, 0)
        if on_duty != (steps[-1][1] if steps else 0):
            steps.append((t, on_duty))
    return (
        np.array([t * MINUTE_US for t, _ in steps], dtype=np.int64),
        np.array([number for _, number in steps], dtype=np.int64),
    )


def staff_time_us(
    times: NDArray[np.int64], numbers: NDArray[np.int64], opens_us: int, closes_us: int
) -> int:
    """Staff time on duty within opening hours."""
    # (Without arrays: there are few steps.)
    starts = [min(max(time, opens_us), closes_us) for time in times.tolist()]
    ends = [*starts[1:], closes_us]
    return sum(
        (end - start) * number
        for start, end, number in zip(starts, ends, numbers.tolist(), strict=False)
    )
