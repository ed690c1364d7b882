"""The study behind `vaxsim staff`: how few staff are enough for a goal?

The answer and its tables are made here, from what the search (`staffing`) has found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sim.experiment.costs import read_costs
from sim.experiment.feasibility import most_by, only_willingness_varies
from sim.experiment.goals import Goal, read_goal
from sim.experiment.selection import check_enough, successes_needed
from sim.experiment.settings import RunSettings
from sim.experiment.shadow_prices import bindings
from sim.experiment.sources import Source
from sim.experiment.staff_levers import (
    DEFAULT_COSTS,
    Levers,
    Staffing,
    StaffingError,
)
from sim.experiment.staff_simulation import Floats, StaffSimulation, most_willing
from sim.experiment.staffing import ERROR, Judged, StaffingSearch
from sim.experiment.statistics import CONFIDENCE, mean_interval, proportion_interval
from sim.experiment.study import StudyPlan
from sim.experiment.trials import Trials, default_most
from sim.language import _, speaking
from sim.scenario import Scenario

_ON_CURVE = 7
_FOR_CURVE = 20
_TESTS = 3
"""For so many tests without a miss there are always enough replications."""


@dataclass(frozen=True)
class Question:
    """What is asked."""

    goal: Goal
    probability: float
    """with which the goal is to be met"""
    costs: Mapping[str, float]
    """of one more by role; who is not named stays"""
    most: int
    """replications in all"""

    def __post_init__(self) -> None:
        """Raise StaffingError for what cannot be promised."""
        if not 0 < self.probability < 1:
            raise StaffingError(
                _(
                    "probability {probability:g}: must be above 0 and below 1, like 0.95: no "
                    "number of replications shows that something is certain"
                ).format(probability=self.probability)
            )
        check_enough(self.most, self.probability, ERROR / 2)

    @classmethod
    def of(
        cls,
        scenario: Scenario,
        reach: str,
        probability: float,
        costs: Sequence[str] = (),
        most: int | None = None,
    ) -> Question:
        """From texts. Raises SettingsError for what cannot be."""
        if most is None:
            most = default_most(scenario)
            if 0 < probability < 1:
                most = max(most, _TESTS * successes_needed(probability, ERROR / 2))
        question = cls(
            goal=read_goal(reach, scenario),
            probability=probability,
            costs=read_costs(costs, "agent=1,vaccinator=1.5") if costs else DEFAULT_COSTS,
            most=most,
        )
        Levers(scenario, question.costs)  # wrong costs are told before anything is simulated
        return question

    def plan(self, source: Source, settings: RunSettings, out: Path | None) -> StudyPlan:
        """The study to be made."""
        return StudyPlan("staff", source, self.goal.settings(settings), self.data(), out)

    def data(self) -> dict[str, Any]:
        """In JSON's types."""
        return {
            "goal": str(self.goal),
            "probability": self.probability,
            "costs": dict(sorted(self.costs.items())),
            "most_replications": self.most,
        }


# The answer -----------------------------------------------------------------------------------


def find_staffing(
    trials: Trials, scenario: Scenario, question: Question
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """The answer, and tables: staffing, candidates, judged, curve.

    Raises StaffingError for costs of nobody.
    """
    levers = Levers(scenario, question.costs)
    simulation = StaffSimulation(trials, levers, question.goal, question.probability, question.most)
    search = StaffingSearch(simulation)
    chosen = None
    why = None
    if simulation.possible(search.range.most):
        chosen = search.run()
    if chosen is None:
        why = _why_not(search)
    with search.counting("curve"):
        curve = _curve(search, chosen)
    answer = {
        "found": chosen is not None,
        "why_not": why,
        "cost": levers.cost(chosen.staffing) if chosen else None,
        "cost_now": levers.cost(levers.now),
        "now_meets": search.now_meets,
        "replications": chosen.replications if chosen else None,
        "reached": chosen.reached if chosen else None,
        "confidence": CONFIDENCE,
        "nothing_cheaper": search.proof,
        "finished": search.finished,
        "looked_at": search.memory.looked_at,
        "looked_at_most": search.memory.most_looks,
        "more_never_harmed": search.memory.monotone,
        "no_cheaper_than": levers.cost(search.least) if search.least else None,
        "equally_cheap": len(search.ties),
        "spent": {**search.spent, "in all": trials.spent},
        "simulated": len(simulation.seen),
        "ruled_out": simulation.ruled_out,
        "may_be_passed_over": _resolution(question),
        "caps": _caps(search, chosen, why),
    }
    tables = {
        "staffing": _staffing_table(search, chosen),
        "candidates": _candidates(search),
        "judged": _judged(search),
        "curve": curve,
    }
    return answer, tables


def _caps(
    search: StaffingSearch, chosen: Judged | None, why: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """What without a cost makes more staff useless, and whether that stands in the way.

    In the way of a proposal that has as many; where nothing is enough, of everything but what the
    ceiling says to be of no use.
    """
    staffing = chosen.staffing if chosen else ()
    numbers = zip(search.levers.all, staffing, search.range.most, strict=False)
    full = {lever.holder for lever, number, most in numbers if number == most}

    def in_the_way(where: str, what: str) -> bool:
        if why is None:
            return where in full
        limited_by = why["limited_by"]
        return not limited_by or (what != "lines" and any("slots" in kind for kind in limited_by))

    return [
        {"where": where, "what": what, "at_most": n, "in_the_way": in_the_way(where, what)}
        for where, (what, n) in search.range.caps.items()
    ]


def _why_not(search: StaffingSearch) -> dict[str, Any]:
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
    if simulation.seen:
        why["farthest"] = _farthest(search)
    return why


def _farthest(search: StaffingSearch) -> dict[str, Any]:
    """What the staffing reaches that came nearest to the goal, and who is missing there."""
    goal, levers, simulation = search.simulation.goal, search.levers, search.simulation
    with search.counting("curve"):
        staffing = min(
            simulation.seen, key=lambda tried: (-search.reach(tried), levers.cost(tried))
        )
        n = simulation.affordable(staffing, _FOR_CURVE)
        distance = simulation.distances(staffing, range(n))
        value = mean_interval(_values(goal, distance)).within(*goal.range)
        scenario = levers.scenario_with(staffing)
        assert scenario is not None
        lost = np.flatnonzero(distance < 0)[:2].tolist()
        missing = simulation.trials.missing(scenario, lost, goal.scope) if goal.scope else {}
    return {
        "staffing": {lever.key: n for lever, n in zip(levers.all, staffing, strict=True)},
        "cost": levers.cost(staffing),
        "reached": int((distance >= 0).sum()),
        "replications": n,
        "mean": value.mean,
        "low": value.low,
        "high": value.high,
        "missing": missing,
    }


def _values(goal: Goal, distance: Floats) -> Floats:
    """Of the goal's measure; NaN where it has none."""
    known = np.where(np.isfinite(distance), distance, np.nan)
    return goal.amount + known * (1 if goal.comparison == ">=" else -1)


def _resolution(question: Question) -> float:
    """By how much a staffing may exceed the promised probability and yet not stand the test.

    The evidence of n replications grows like n times the divergence of the two probabilities.
    """
    p, n = question.probability, question.most / 3
    needed = (-math.log(ERROR / 2) + 0.5 * math.log(n) + 0.5) / n
    more = np.linspace(p, 1, 2000)[1:-1]
    divergence = more * np.log(more / p) + (1 - more) * np.log((1 - more) / (1 - p))
    enough = np.flatnonzero(divergence >= needed)
    return float(more[enough[0]] - p) if enough.size else 1 - p


def _staffing_table(search: StaffingSearch, chosen: Judged | None) -> pd.DataFrame:
    rows = []
    for i, lever in enumerate(search.levers.all):
        rows.append(
            {
                "key": lever.key,
                "who": lever.role if lever.station is None else lever.station,
                "where": lever.holder,
                "places": lever.places,
                "cost_of_one": lever.cost,
                "now": lever.now,
                "first_guess": search.range.guess[i],
                "needed_at_least": search.least[i] if search.least else pd.NA,
                "proposed": chosen.staffing[i] if chosen else pd.NA,
            }
        )
    types = {"needed_at_least": "Int64", "proposed": "Int64"}
    return pd.DataFrame(rows).astype(types)


def _candidates(search: StaffingSearch) -> pd.DataFrame:
    """One row a staffing that was simulated in the search, the cheapest first."""
    levers, rows = search.levers, []
    for staffing, n in search.simulation.seen.items():
        distance = search.simulation.distances(staffing, range(n))
        agents = sum(
            lever.cost * number
            for lever, number in zip(levers.all, staffing, strict=True)
            if lever.station is None
        )
        rows.append(
            {
                "cost": levers.cost(staffing),
                "cost_of_agents": agents,
                "replications": n,
                "reached": int((distance >= 0).sum()),
                "mean": float(_values(search.simulation.goal, distance).mean()),
                **{lever.key: k for lever, k in zip(levers.all, staffing, strict=True)},
            }
        )
    columns = ["cost", "cost_of_agents", "replications", "reached", "mean"]
    frame = pd.DataFrame(rows, columns=[*columns, *(lever.key for lever in levers.all)])
    return frame.sort_values(["cost", "mean"], kind="stable", ignore_index=True)


def _judged(search: StaffingSearch) -> pd.DataFrame:
    verdicts = {True: "keeps the promise", False: "does not", None: "too near to tell"}
    rows = [
        {
            "cost": search.levers.cost(judged.staffing),
            **_proportion(judged.reached, judged.replications),
            "verdict": verdicts[judged.verdict],
        }
        for judged in search.judged
    ]
    columns = ["cost", "replications", "reached", "probability", "low", "high", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def _proportion(reached: int, n: int) -> dict[str, Any]:
    estimate = proportion_interval(reached, n)
    return {
        "replications": n,
        "reached": reached,
        "probability": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
    }


def _curve(search: StaffingSearch, chosen: Judged | None) -> pd.DataFrame:
    """Cost against probability: of each cost the staffing that came farthest, round the proposal.

    Only those that no cheaper one surpassed; replications of the search, of the proposal those of
    the test.
    """
    levers, simulation = search.levers, search.simulation
    farthest: dict[float, tuple[float, Staffing]] = {}
    for staffing, n in simulation.seen.items():
        cost = round(levers.cost(staffing), 9)
        reach = float(simulation.distances(staffing, range(min(n, 2))).mean())
        if cost not in farthest or reach > farthest[cost][0]:
            farthest[cost] = reach, staffing
    own = round(levers.cost(chosen.staffing), 9) if chosen else math.inf
    rising = []
    best = -math.inf
    for cost, (reach, staffing) in sorted(farthest.items()):
        if reach > best or cost == own:
            best = max(best, reach)
            rising.append((cost, staffing))
    near = sorted(rising, key=lambda point: abs(point[0] - own))[:_ON_CURVE] if chosen else rising
    near = near[-_ON_CURVE:]
    rows = []
    for cost, staffing in sorted(near):
        if chosen and cost == own:
            proportion = _proportion(chosen.reached, chosen.replications)
        else:
            n = simulation.affordable(staffing, _FOR_CURVE)
            distance = simulation.distances(staffing, range(n))
            proportion = _proportion(int((distance >= 0).sum()), n)
        rows.append({"cost": cost, "proposed": bool(chosen) and cost == own, **proportion})
    columns = ["cost", "proposed", "replications", "reached", "probability", "low", "high"]
    return pd.DataFrame(rows, columns=columns)
