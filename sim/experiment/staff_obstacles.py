"""Why no staffing reaches a goal: how near the nearest comes, and what would help instead of staff.

Where the most staff is not enough, something else holds the campaign back: doses, lines, open
days, willingness, ... Each is relaxed alone (`relaxations.py`, as far as it goes) with that staff,
the same people and their same luck in the same replications.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.experiment.feasibility import most_by, only_willingness_varies
from sim.experiment.goals import Goal
from sim.experiment.relaxations import RELAXATIONS
from sim.experiment.shadow_prices import bindings
from sim.experiment.staff_levers import Staffing
from sim.experiment.staff_simulation import Floats, most_willing
from sim.experiment.staffing import StaffingSearch
from sim.experiment.statistics import mean_interval
from sim.language import speaking

_FOR_MEANS = 20
_FOR_HELP = 3


def why_not(search: StaffingSearch) -> dict[str, Any]:
    """What stands in the way, with the most staff that is of any use."""
    goal, levers, simulation = search.simulation.goal, search.levers, search.simulation
    most = search.range.most
    scenario = levers.scenario_with(most)
    assert scenario is not None
    why: dict[str, Any] = {
        "most": {lever.key: n for lever, n in zip(levers.all, most, strict=True)},
        "limits": [],
        "limited_by": [],
    }
    if goal.scope is not None:
        why["needed"] = goal.persons_needed(scenario)
        luckiest = most_willing(scenario)
        why["ceiling"] = most_by(luckiest, goal.scope, goal.by)
        if why["ceiling"] < why["needed"] and only_willingness_varies(scenario):
            with speaking("en"):  # results are in English; `presentation` translates
                limits = bindings(luckiest, goal.scope, goal.by)
            why["limits"] = [limit.words for limit in limits if limit.worth > 0]
            why["limited_by"] = [limit.kind for limit in limits if limit.worth > 0]
    why["judged"] = max(
        ([judged.reached, judged.replications] for judged in search.judged),
        key=lambda found: found[0] / found[1],
        default=None,
    )
    why["used_up"] = simulation.used_up
    why["more_harms"] = search.more_harms
    why["twice_is_no_better"] = search.twice_is_no_better
    if simulation.seen:
        farthest = search.farthest()
        why["farthest"] = {**_found(search, farthest), "missing": _missing(search, farthest)}
        if not search.most_meets and most in simulation.seen:
            why["at_most"] = _found(search, most)
            why["helps"] = _helps(search, most)
    return why


def _found(search: StaffingSearch, staffing: Staffing) -> dict[str, Any]:
    """What a staffing reaches."""
    simulation, levers = search.simulation, search.levers
    n = max(simulation.seen[staffing], simulation.affordable(staffing, _FOR_MEANS))
    distance = simulation.distances(staffing, range(n))
    simulation.seen[staffing] = n
    value = mean_interval(values_of(simulation.goal, distance)).within(*simulation.goal.range)
    return {
        "staffing": {lever.key: n for lever, n in zip(levers.all, staffing, strict=True)},
        "cost": levers.cost(staffing),
        "reached": int((distance >= 0).sum()),
        "replications": n,
        "mean": value.mean,
        "low": value.low,
        "high": value.high,
    }


def _missing(search: StaffingSearch, staffing: Staffing) -> dict[str, float]:
    """Who is without a dose when the goal is missed, by cause."""
    simulation, scope = search.simulation, search.simulation.goal.scope
    if scope is None:
        return {}
    scenario = search.levers.scenario_with(staffing)
    assert scenario is not None
    distance = simulation.distances(staffing, range(simulation.seen[staffing]))
    lost = np.flatnonzero(distance < 0)[:2].tolist()
    return simulation.trials.missing(scenario, lost, scope)


def _helps(search: StaffingSearch, staffing: Staffing) -> list[dict[str, Any]] | None:
    """What more of each constraint alone brings with that staff, the most first.

    None if there are no replications left to tell.
    """
    simulation, goal = search.simulation, search.simulation.goal
    scenario = search.levers.scenario_with(staffing)
    assert scenario is not None
    worlds = {
        (name, sizes[-1].words): world
        for name, sizes in RELAXATIONS.items()
        if (world := sizes[-1].applied(scenario)) != scenario
    }
    numbers = range(_FOR_HELP)
    if simulation.trials.spent + len(worlds) * len(numbers) > simulation.most:
        return None
    before = simulation.distances(staffing, numbers)
    found = simulation.in_worlds([(world, numbers) for world in worlds.values()])
    rows = []
    for (name, words), distance in zip(worlds, found, strict=True):
        gain = values_of(goal, distance) - values_of(goal, before)
        better = gain if goal.comparison == ">=" else -gain
        if better.min() > 0 and better.mean() > search.indifference:
            rows.append(
                {
                    "constraint": name,
                    "relaxation": words,
                    "change": float(gain.mean()),
                    "reached": int((distance >= 0).sum()),
                    "replications": len(numbers),
                }
            )
    return sorted(rows, key=lambda row: -abs(row["change"]))


def values_of(goal: Goal, distance: Floats) -> Floats:
    """Of the goal's measure; NaN where it has none."""
    known = np.where(np.isfinite(distance), distance, np.nan)
    return goal.amount + known * (1 if goal.comparison == ">=" else -1)
