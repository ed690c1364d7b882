"""Staffings whose probability of reaching a goal is known: to judge the search for the cheapest.

The distance to the goal is a normal value whose mean grows with the staff, with much luck in common
to all staffings of a replication. Search, selection and test are those of `vaxsim staff`; only what
a replication gives is drawn, not simulated.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
from scipy.stats import norm
from small_campaign import small_scenario

from sim.experiment.goals import read_goal
from sim.experiment.staff_levers import Levers, Staffing
from sim.experiment.staff_simulation import Floats, StaffSimulation
from sim.experiment.staffing import StaffingSearch

_COMMON = 0.8
"""Part of the variance that all staffings share."""


class KnownStaffings(StaffSimulation):
    """Agents (cost 1) and vaccinators in each of two halls (cost 2 x 1.5)."""

    def __init__(self, seed: int, probability: float, most: int) -> None:
        scenario = small_scenario()
        levers = Levers(scenario, {"agent": 1.0, "vaccinator": 1.5})
        goal = read_goal("first_dose>=0.5", scenario)
        super().__init__(SimpleNamespace(spent=0), levers, goal, probability, most)
        self._seed = seed
        self._drawn: dict[tuple[Staffing, int], float] = {}

    def truth(self, staffing: Staffing) -> float:
        """The probability of reaching the goal."""
        return float(norm.cdf(self._mean(staffing)))

    def _mean(self, staffing: Staffing) -> float:
        agents, vaccinators = staffing
        return 2.2 * math.log(max(agents, 0.3) * max(vaccinators, 0.3) ** 1.3 / 6) + 1.2

    def all_distances(self, staffings: Sequence[Staffing], replications: range) -> list[Floats]:
        """Drawn, with numbers that depend on nothing but seed, staffing and replication."""
        return [
            np.array([self._distance(staffing, r) for r in replications]) for staffing in staffings
        ]

    def _distance(self, staffing: Staffing, replication: int) -> float:
        key = staffing, replication
        if key not in self._drawn:
            self.trials.spent += 1
            common = np.random.default_rng([self._seed, replication]).normal()
            own = np.random.default_rng([self._seed, replication, *staffing]).normal()
            luck = math.sqrt(_COMMON) * common + math.sqrt(1 - _COMMON) * own
            self._drawn[key] = self._mean(staffing) + luck
        return self._drawn[key]


def cheapest_with(known: KnownStaffings, probability: float, most: Staffing) -> float:
    """The least cost of a staffing that reaches the goal with that probability: all are looked at.

    Infinite if none does.
    """
    box = itertools.product(*(range(n + 1) for n in most))
    costs = [known.levers.cost(s) for s in box if known.truth(s) >= probability]
    return min(costs, default=math.inf)


def searched(seed: int, probability: float, most: int) -> tuple[KnownStaffings, StaffingSearch]:
    """A search that has ended."""
    known = KnownStaffings(seed, probability, most)
    search = StaffingSearch(known)
    search.run()
    return known, search
