"""The study behind `vaxsim staff`: how few staff are enough for a goal?

The answer and its tables are made here, from what the search (`staffing`) has found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sim.experiment.costs import read_costs
from sim.experiment.goals import Goal, read_goal
from sim.experiment.selection import check_enough, passes_from, successes_needed
from sim.experiment.settings import RunSettings
from sim.experiment.sources import Source
from sim.experiment.staff_levers import (
    DEFAULT_COSTS,
    Levers,
    Staffing,
    StaffingError,
)
from sim.experiment.staff_obstacles import values_of, why_not
from sim.experiment.staff_simulation import StaffSimulation
from sim.experiment.staffing import ERROR, Judged, StaffingSearch
from sim.experiment.statistics import CONFIDENCE, proportion_interval
from sim.experiment.study import StudyPlan
from sim.experiment.trials import Trials, default_most
from sim.language import _
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
        with search.counting("why not"):
            why = why_not(search)
    with search.counting("curve"):
        curve = _curve(search, chosen)
    best_of = search.selection
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
        "cheaper_not_judged": levers.cost(search.passed_over) if search.passed_over else None,
        "looked_at": search.memory.looked_at,
        "looked_at_most": search.memory.most_looks,
        "more_never_harmed": search.memory.monotone,
        "no_cheaper_than": levers.cost(search.least) if search.least else None,
        "equally_cheap": len(search.ties),
        "best_of_equals": None if best_of is None else {
            "by": "KN (Kim and Nelson 2001)",
            "indifference": search.indifference,
            "error": ERROR,
            "decided": best_of.decided,
            "replications": list(best_of.replications),
        },
        "spent": {**search.spent, "in all": trials.spent},
        "simulated": len(simulation.seen),
        "ruled_out": simulation.ruled_out,
        "passes_from": _passes_from(search),
        "caps": _caps(search, chosen, why),
    }  # fmt: skip
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


def _passes_from(search: StaffingSearch) -> float | None:
    """The probability of reaching the goal with which a staffing stands the last test, nearly
    surely (90 %); None: none has been judged."""
    if not search.judged:
        return None
    last = search.judged[-1]
    return passes_from(search.simulation.probability, last.error, last.at_most)


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
                "mean": float(values_of(search.simulation.goal, distance).mean()),
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
    the test. More are spent on them only if there is a proposal.
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
            distance = search.judged_distances(chosen)
        else:
            n = simulation.affordable(staffing, _FOR_CURVE) if chosen else simulation.seen[staffing]
            distance = simulation.distances(staffing, range(n))
        rows.append(
            {
                "cost": cost,
                "proposed": bool(chosen) and cost == own,
                **_proportion(int((distance >= 0).sum()), distance.size),
                "mean": float(values_of(simulation.goal, distance).mean()),
            }
        )
    columns = ["cost", "proposed", "replications", "reached", "probability", "low", "high", "mean"]
    return pd.DataFrame(rows, columns=columns)
