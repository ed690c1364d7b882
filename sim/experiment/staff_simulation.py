"""Whether a staffing reaches the goal, in as few replications as leave no doubt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.experiment.feasibility import only_willingness_varies
from sim.experiment.goals import Goal
from sim.experiment.selection import tolerance_factor
from sim.experiment.staff_levers import Levers, Staffing
from sim.experiment.staff_range import allowed
from sim.experiment.staff_search import Memory, SearchEndedError
from sim.experiment.trials import Trials
from sim.scenario import Scenario

Floats = NDArray[np.float64]

FOR_SEARCH = 40
"""Replications that decide in the search, where it stays in doubt for so long: more if many may be
spent, and twice as many after a staffing chosen with them has not stood the test."""
_CEILINGS = 1_000
"""Ceilings computed to rule staffings out, at most."""


class StaffSimulation:
    """Whether staffings reach the goal, in numbered replications."""

    def __init__(
        self, trials: Trials, levers: Levers, goal: Goal, probability: float, most: int
    ) -> None:
        self.trials, self.levers = trials, levers
        self.goal, self.probability = goal, probability
        self.most = most
        """replications in all"""
        self.for_search = min(max(most // 30, FOR_SEARCH), 5 * FOR_SEARCH)
        self.budget = most
        self.leeway = 1.0
        """of the misses that the probability leaves, the part that is forgiven in the search"""
        self.seen: dict[Staffing, int] = {}
        """replications of the search that each staffing has had"""
        self.ruled_out = 0
        """staffings that the ceiling rules out"""
        self.used_up = False
        """whether more replications were wanted than may be spent"""
        self._ceiling = Memory(self._ceiling_allows)
        self._known: dict[tuple[Staffing, int], float] = {}

    def meets(self, staffing: Staffing) -> bool:
        """Whether it reaches the goal in the promised share of the replications of the search.

        Fewer do where they leave no doubt: an improbable number of failures or successes, or
        values so far from the goal that (if normal) the promised share of all reaches it.
        """
        if not self.possible(staffing):
            self.ruled_out += 1
            return False
        if self.levers.scenario_with(staffing) is None:
            return False
        n = 0
        while True:
            n = min(max(2 * n, 2), self.for_search)
            self._may_spend(n - self.seen.get(staffing, 0))
            distance = self.distances(staffing, range(n))
            self.seen[staffing] = max(n, self.seen.get(staffing, 0))
            decided = _verdict(distance, self.probability)
            if decided is None and n == self.for_search:
                forgiven = self.leeway * (1 - self.probability) * n
                decided = bool((distance < 0).sum() <= forgiven + 1e-9)
            if decided is not None:
                return decided

    def clearly_meets(self, staffing: Staffing) -> bool:
        """Whether few replications leave no doubt that it does."""
        if not self.possible(staffing) or self.levers.scenario_with(staffing) is None:
            return False
        self._may_spend(4)
        return any(_verdict(self.distances(staffing, range(n)), self.probability) for n in (2, 4))

    def affordable(self, staffing: Staffing, replications: int) -> int:
        """So many replications of a staffing that has been simulated, or as many as are left."""
        left = self.most - self.trials.spent
        return min(replications, self.seen[staffing] + max(left, 0))

    def _may_spend(self, replications: int) -> None:
        if self.trials.spent + replications > self.budget:
            self.used_up = True
            raise SearchEndedError

    def possible(self, staffing: Staffing) -> bool:
        """False if doses, slots and turns are known to rule out that it is ever reached."""
        if self.goal.scope is None or not only_willingness_varies(self.levers.scenario):
            return True
        stations = (
            lever.now if lever.station is None else n
            for lever, n in zip(self.levers.all, staffing, strict=True)
        )  # agents do not move the ceiling
        try:
            return self._ceiling.holds(tuple(stations))
        except SearchEndedError:
            return True

    def _ceiling_allows(self, staffing: Staffing) -> bool:
        if len(self._ceiling.answers) >= _CEILINGS:
            raise SearchEndedError
        scenario = self.levers.scenario_with(staffing)
        return allowed(scenario and most_willing(scenario), self.goal)

    def distances(self, staffing: Staffing, replications: range) -> Floats:
        """How far beyond the goal each replication comes (below zero: not reached)."""
        return self.all_distances([staffing], replications)[0]

    def all_distances(self, staffings: Sequence[Staffing], replications: range) -> list[Floats]:
        """The same for several staffings."""
        wanted = {
            staffing: [r for r in replications if (staffing, r) not in self._known]
            for staffing in staffings
        }
        asked = [
            (staffing, self._scenario(staffing), missing)
            for staffing, missing in wanted.items()
            if missing
        ]
        found = self.in_worlds([(scenario, missing) for _staffing, scenario, missing in asked])
        for (staffing, _scenario, missing), distances in zip(asked, found, strict=True):
            for r, distance in zip(missing, distances.tolist(), strict=True):
                self._known[staffing, r] = distance
        return [
            np.array([self._known[staffing, r] for r in replications]) for staffing in staffings
        ]

    def in_worlds(self, worlds: Sequence[tuple[Scenario, Sequence[int]]]) -> list[Floats]:
        """The same for replications of any scenarios."""
        return [
            np.array([_distance(self.goal, row, scenario) for row in rows.to_dict("records")])
            for (scenario, _numbers), rows in zip(
                worlds, self.trials.all_measures(worlds), strict=True
            )
        ]

    def _scenario(self, staffing: Staffing) -> Scenario:
        scenario = self.levers.scenario_with(staffing)
        if scenario is None:
            raise ValueError(f"no scenario has the staffing {staffing}")
        return scenario


def _distance(goal: Goal, measures: Mapping[Any, float], scenario: Scenario) -> float:
    """How far a replication comes beyond the goal; on which side of it is for the goal to say."""
    beyond = goal.value(measures, scenario) - goal.amount
    if math.isnan(beyond):
        return -math.inf
    distance = beyond if goal.comparison == ">=" else -beyond
    return max(distance, 0.0) if goal.reached(measures, scenario) else min(distance, -1e-12)


def _verdict(distance: Floats, probability: float) -> bool | None:
    """Whether the goal is met often enough, without doubt; None: not clear yet."""
    from scipy.stats import binom

    n = distance.size
    failures = int((distance < 0).sum())
    if binom.sf(failures - 1, n, 1 - probability) < 0.005:
        return False
    if binom.cdf(failures, n, 1 - probability) < 0.005:
        return True
    finite = bool(np.isfinite(distance).all())
    spread = float(distance.std(ddof=1)) if finite else math.inf
    if failures == 0 and spread > 0 and math.isfinite(spread):
        return True if distance.mean() >= tolerance_factor(n, probability) * spread else None
    return None


def most_willing(scenario: Scenario) -> Scenario:
    """The scenario with as many willing as luck ever makes them: six standard deviations more."""
    groups = {}
    for name, group in scenario.groups.items():
        spread = math.sqrt(group.willing * (1 - group.willing) / max(group.people, 1))
        willing = min(group.willing + 6 * spread, 1.0)
        groups[name] = group.model_copy(update={"willing": willing})
    return scenario.model_copy(update={"groups": groups})
