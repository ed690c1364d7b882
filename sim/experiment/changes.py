"""Changes of a scenario: what is laid upon its data, and the pieces that changes are made of."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

from sim.scenario import Scenario, Shift, merge
from sim.scenario_files import file_data, leaf_values, scenario_from_data

Change = dict[str, Any]
"""Nested tables of scenario data, to be laid upon those of a scenario."""


def pulled_by(scenario: Scenario, change: Change) -> Scenario:
    """The scenario with a change laid upon it."""
    return scenario_from_data(merge(file_data(scenario), change))


def settings_that_differ(scenario: Scenario, other: Scenario) -> list[str]:
    """What `--set` has to say, so that the scenario becomes the other one."""
    there, wanted = (dict(leaf_values(file_data(world))) for world in (scenario, other))
    return [
        f"{path}={json.dumps(value)}".replace('"', "" if isinstance(value, str) else '"')
        for path, value in wanted.items()
        if path not in there or there[path] != value
    ]


def sooner(day: date, days: int | None, not_before: date) -> str:
    """A date so many days earlier, but not before another (None: on that); never later."""
    earliest = min(day, not_before)
    moved = earliest if days is None else max(day - timedelta(days=days), earliest)
    return moved.isoformat()


def more_staff(
    name: str, staff: int, shifts: Sequence[Shift], more: Callable[[int], int]
) -> Change:
    """More on duty, in each shift if there are shifts; `name` is what they are called."""
    if not shifts:
        return {name: more(staff)}
    return {
        "shifts": [
            {**shift.model_dump(mode="json"), "staff": more(shift.staff)} for shift in shifts
        ]
    }


def times(number: int, factor: float) -> int:
    """So many times as many, rounded up."""
    return math.ceil(number * factor - 1e-9)


def shared_out(number: int, weights: Sequence[float]) -> list[int]:
    """A whole number in proportion to weights: whole parts, the largest remainders rounded up."""
    total = sum(weights)
    exact = [number * weight / total for weight in weights]
    parts = [math.floor(share + 1e-9) for share in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[: number - sum(parts)]:
        parts[i] += 1
    return parts
