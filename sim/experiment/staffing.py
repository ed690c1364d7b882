"""How few staff are enough: the cheapest staffing that meets a goal with a promised probability.

1. First guess. Agents: for every language the offered load, and as many agents as serve the needed
   share of callers where those who are lost redial (Erlang A, a fixed point). Stations: as many as
   the slots need without which doses, turns and slots cannot meet the goal.
2. Search (`staff_search`) with common random numbers: a staffing meets the condition if it reaches
   the goal in the promised share of the same replications for all. Replications are added as long
   as it is in doubt. What the feasibility ceiling rules out is not simulated. The search ends with
   its replications, or when `MOST_LOOKED_AT` staffings have been looked at; the answer says so.
3. Among equally cheap ones, the one with the best mean (Kim and Nelson's KN).
4. Judgement on replications that played no part in the search: a sequential test, whose error over
   all staffings judged is at most 5 %. If it fails, the search goes on with more replications, of
   which fewer may miss the goal.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from sim.experiment.selection import ProbabilityTest, select_best
from sim.experiment.staff_levers import Staffing
from sim.experiment.staff_range import StaffRange
from sim.experiment.staff_search import (
    Axis,
    Memory,
    SearchEndedError,
    cheaper,
    descend,
    equally_cheap,
    exchange,
    first_that_holds,
    least_of_each,
)
from sim.experiment.staff_simulation import Floats, StaffSimulation
from sim.experiment.statistics import CONFIDENCE

ERROR = 1 - CONFIDENCE
"""Probability of proposing a staffing that does not keep the promise, at most."""

FOR_TIES, FOR_TEST = 50_000, 100_000
"""Where the numbers of replications begin that compare equally cheap staffings, and that judge."""

MOST_LOOKED_AT = 100_000
"""Staffings that are looked at, at most, simulated or not (some seconds): there may be many more.
"""

_FOR_ONE_TEST = 120
"""Of the replications left, a test may use two thirds, or so many."""
_TIES = 4
_TIES_TRIED = 20
_TRIED = 6
_COMBINATIONS = 1_000_000
_LISTED = 20_000
"""Staffings listed for a proof, at most."""


@dataclass(frozen=True)
class Judged:
    """A staffing on replications that played no part in choosing it."""

    staffing: Staffing
    replications: int
    reached: int
    verdict: bool | None
    """None: too near to the promised probability to tell"""


class StaffingSearch:
    """The whole procedure; what it finds is kept in its attributes."""

    def __init__(self, simulation: StaffSimulation) -> None:
        self.simulation, self.levers = simulation, simulation.levers
        self.range = StaffRange(self.levers, simulation.goal)
        self.memory = Memory(self.simulation.meets, MOST_LOOKED_AT)
        self.judged: list[Judged] = []
        self.proof: str | None = None
        """simulated: everything cheaper has been, and failed; inferred: if more never harms"""
        self.finished = False
        """whether no number, and no two of them, were left that might be had for less"""
        self.least: Staffing | None = None
        """no staffing that meets the goal has less of anything"""
        self.ties: list[Staffing] = []
        """equally cheap, from which the best mean was chosen"""
        self.now_meets: bool | None = None
        self.spent: dict[str, int] = {}

    def run(self) -> Judged | None:
        """The cheapest staffing that has stood the test, or None."""
        simulation, memory = self.simulation, self.memory
        simulation.budget = int(0.6 * self.simulation.most)
        with self.counting("search"), _as_far_as_possible():
            self.now_meets = memory.answered(self.levers.now)
        near = self.range.guess
        while simulation.trials.spent < 0.9 * self.simulation.most:
            with self.counting("search"), _as_far_as_possible():
                self.proof, self.finished = None, False
                self._seek(near)
            if not memory.held:
                break
            best = min(memory.held, key=self._order)
            with self.counting("ties"):
                near = self._best_of_equals(best)
            with self.counting("test"):
                self.judged.append(self._judge(near))
            if self.judged[-1].verdict:
                return self.judged[-1]
            memory.refute(near)
            simulation.for_search *= 2
            simulation.leeway /= 2
            simulation.budget = max(simulation.budget, int(0.8 * self.simulation.most))
        return None

    def _order(self, staffing: Staffing) -> tuple[float, Staffing]:
        return self.levers.cost(staffing), staffing

    def _seek(self, near: Staffing) -> None:
        """Have the memory hold the cheapest staffing, as far as replications allow."""
        start = self._above(near)
        if start is None and self.memory.held:
            start = min(self.memory.held, key=self._order)
        if start is None:
            start = self._climb(max(self.simulation.seen, key=self.reach))
        if start is not None:
            self._improve(start)
        self._prove()

    def _above(self, staffing: Staffing) -> Staffing | None:
        """The staffing itself or something between it and the most, if that meets the goal."""
        for share in (0.0, 0.125, 0.25, 0.5, 1.0):
            more = staffing
            for axis in self.range.together:
                k = axis.place(staffing)
                more = axis.put(more, k + math.ceil(share * (len(axis.steps) - 1 - k)))
            if self.memory.holds(more):
                return more
        return None

    def _climb(self, start: Staffing) -> Staffing | None:
        """From step to step, of one axis at a time, wherever that comes farthest."""
        best = start
        while True:
            steps = [
                axis.put(best, k)
                for axis in self.range.together
                for here in [axis.place(best)]
                for k in (here - 1, here + 1)
                if 0 <= k < len(axis.steps)
            ]
            for staffing in steps:
                if self.memory.answered(staffing):
                    return staffing
            farthest = max(steps, key=self.reach)
            if self.reach(farthest) <= self.reach(best):
                return None
            best = farthest

    def reach(self, staffing: Staffing) -> float:
        """How far beyond the goal it comes, in the replications that all have had."""
        if staffing not in self.simulation.seen:
            return -math.inf
        return float(self.simulation.distances(staffing, range(2)).mean())

    def _improve(self, start: Staffing) -> None:
        """Lower and exchange until no single lever, nor two of them, can be had for less."""
        memory, cost = self.memory, self.levers.cost
        self.finished = False

        def range_of_cost(axis: Axis) -> float:
            return cost(axis.put(start, len(axis.steps) - 1)) - cost(axis.put(start, 0))

        dear_first = sorted(self.range.together, key=range_of_cost, reverse=True)
        found = [descend(memory, axes, start) for axes in (dear_first, dear_first[::-1])]
        best = self._improve_stations(min(found, key=self._order))
        for axes in (self.range.together, self.range.singly):
            best = exchange(memory, axes, descend(memory, axes, best), cost)
        best = self._elsewhere(best)
        memory.answered(best)
        self.finished = True
        combinations = math.prod(len(axis.steps) for axis in self.range.singly)
        if memory.monotone and combinations < _COMBINATIONS and memory.holds(self.range.most):
            self.least = least_of_each(memory, self.range.singly, self.range.most)

    def _improve_stations(self, start: Staffing) -> Staffing:
        """Try the cheapest stations for each number of slots, and lower the rest with each.

        From the fewest slots with which what else there is suffices, as long as stations cost less
        than everything does now.
        """
        memory, cost = self.memory, self.levers.cost
        others = [axis for axis in self.range.together if axis not in self.range.by_type]
        without = start
        for axis in others:
            without = axis.put(without, 0)
        best = start
        tried = 0
        front = self.range.stations
        with_start = [self.range.with_stations(start, stations) for stations in front]
        for stations in front[first_that_holds(memory, with_start) :]:
            if cost(self.range.with_stations(without, stations)) >= cost(best) or tried >= _TRIED:
                break
            trial = self.range.with_stations(best, stations)
            if not memory.holds(trial):
                trial = self.range.with_stations(start, stations)
                if not memory.holds(trial):
                    continue
            tried += 1
            best = min(best, descend(memory, others, trial), key=self._order)
        return best

    def _elsewhere(self, start: Staffing) -> Staffing:
        """Try stations of the same cost in other places, where something else may be spared."""
        others = [axis for axis in self.range.together if axis not in self.range.by_type]
        best = start
        for stations in self.range.equal_stations(start):
            there = self.range.with_stations(start, stations)
            for axis in others:
                k = axis.place(there)
                if k and self.memory.holds(less := axis.put(there, k - 1)):
                    best = min(best, descend(self.memory, others, less), key=self._order)
                    break
        return best

    def _prove(self) -> None:
        """Ask of everything cheaper; or of what more than that would not be cheaper."""
        memory = self.memory
        costs = [lever.cost for lever in self.levers.all]
        lowest = tuple(axis.steps[0][0] for axis in self.range.singly)
        while True:
            below = min(map(self.levers.cost, memory.held), default=math.inf)
            everything = self._not_answered(cheaper(lowest, self.range.most, costs, below))
            if everything is not None:
                any(map(memory.answered, sorted(everything, key=self._order)))
                self.proof = "simulated"
                return
            if not (memory.monotone and self.least and memory.held):
                return
            unknown = self._not_answered(
                cheaper(self.least, self.range.most, costs, below), inferring=True
            )
            if unknown is None:
                return
            better = next(filter(memory.holds, unknown), None)
            if better is None:
                self.proof = "inferred" if memory.monotone else None
                return
            self._improve(better)

    def _not_answered(
        self, staffings: Iterator[tuple[Staffing, bool]], inferring: bool = False
    ) -> list[Staffing] | None:
        """Those that can be asked if each fails at once; None if there are too many.

        If more staff never harms, the maximal ones that are not known to fail are enough.
        """
        memory = self.memory
        room = (self.simulation.budget - self.simulation.trials.spent) // 2
        listed = list(islice(staffings, _LISTED))
        if len(listed) == _LISTED:
            return None
        found: list[Staffing] = []
        for staffing, maximal in listed:
            memory.look()
            if inferring:
                wanted = maximal and not memory.known_to_fail(staffing)
            else:
                wanted = staffing not in memory.answers
            if wanted and self.simulation.possible(staffing):
                found.append(staffing)
            if len(found) > room:
                return None
        return found

    def _best_of_equals(self, best: Staffing) -> Staffing:
        """Of staffings as cheap as the best, the one that comes farthest beyond the goal."""
        axes = [*self.range.together, *self.range.singly]
        equals = dict.fromkeys(equally_cheap(axes, best, self.levers.cost))
        self.ties = [best]
        with _as_far_as_possible():
            for other in islice(equals, _TIES_TRIED):
                if len(self.ties) < _TIES and self.simulation.clearly_meets(other):
                    self.ties.append(other)
        left = self.simulation.most - self.simulation.trials.spent - 200
        most = min(30, left // len(self.ties))
        if len(self.ties) == 1 or most < 10:
            return best

        def values(which: Sequence[int], replications: range) -> list[Floats]:
            numbers = range(FOR_TIES + replications.start, FOR_TIES + replications.stop)
            found = self.simulation.all_distances([self.ties[i] for i in which], numbers)
            return [np.maximum(distance, -1e300) for distance in found]

        chosen = select_best(values, len(self.ties), self.indifference, ERROR, most=most)
        return self.ties[chosen.best]

    @property
    def indifference(self) -> float:
        """Difference of means that does not matter among equally cheap staffings."""
        goal = self.simulation.goal
        return 0.001 if goal.scope else max(abs(goal.amount), 1e-9) * 0.005

    def _judge(self, staffing: Staffing) -> Judged:
        """Whether it keeps the promise, by a sequential test with a share of the error."""
        before = sum(judged.replications for judged in self.judged)
        test = ProbabilityTest(self.simulation.probability, ERROR / 2 ** (len(self.judged) + 1))
        left = self.simulation.most - self.simulation.trials.spent
        at_most = max(2 * left // 3, min(left, _FOR_ONE_TEST))
        while test.decision is None and test.trials < at_most:
            begin = FOR_TEST + before + test.trials
            distance = self.simulation.distances(
                staffing, range(begin, begin + min(10, at_most - test.trials))
            )
            for reached in distance >= 0:
                test.add(bool(reached))
        return Judged(staffing, test.trials, test.successes, test.decision)

    @contextlib.contextmanager
    def counting(self, phase: str) -> Iterator[None]:
        """Replications spent meanwhile are those of the phase."""
        before = self.simulation.trials.spent
        try:
            yield
        finally:
            spent = self.simulation.trials.spent - before
            self.spent[phase] = self.spent.get(phase, 0) + spent


@contextlib.contextmanager
def _as_far_as_possible() -> Iterator[None]:
    """What is known when the replications run out is used."""
    with contextlib.suppress(SearchEndedError):
        yield
