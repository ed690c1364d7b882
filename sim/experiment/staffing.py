"""How few staff are enough: the cheapest staffing that meets a goal with a promised probability.

1. First guess. Agents: for every language the offered load, and as many agents as serve the needed
   share of callers where those who are lost redial (Erlang A, a fixed point). Stations: as many as
   the slots need without which doses, turns and slots cannot meet the goal.
2. Everybody at most: if that does not reach the goal, and neither twice as many nor a few between
   the first guess and the most come farther, more staff is not enough, and the search ends there.
   If less comes farther, it is looked for along that way (`_climb`).
3. Search (`staff_search`) with common random numbers: a staffing meets the condition if it reaches
   the goal in the promised share of the same replications for all. Replications are added as long
   as it is in doubt. What the feasibility ceiling rules out is not simulated. The search ends with
   its replications, or when `MOST_LOOKED_AT` staffings have been looked at; the answer says so.
4. Among equally cheap ones, the one with the best mean (`selection.select_best`: Kim and Nelson's
   KN).
5. Judgement on replications that played no part in the search (`selection.ProbabilityTest`, after
   Robbins). If it fails, or no longer can say yes, the search goes on with more replications, of
   which fewer may miss the goal. With replications for one test only, the surest is judged.

What is guaranteed. Costs are known and the same in every replication, so that only the promise has
to be tested: a staffing that reaches the goal with less than the promised probability is proposed
with a probability of at most `ERROR`, over all staffings judged (a half of it for the first test, a
quarter for the second, ...), in any campaign, for replications are independent and equally
distributed. The zone of indifference lies above the promise: a staffing that exceeds it by less
than the test can see (`selection.passes_from`, told with the answer) may be passed over for a
dearer one. That nothing cheaper is enough is not tested, but found by the search, as far as the
answer says.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from sim.experiment.selection import (
    ProbabilityTest,
    Selection,
    passes_from,
    select_best,
    successes_needed,
)
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

_MOST_TIMES = 8
"""So many times the staff that theory says to be of use is tried, if twice as many help."""
_SEARCHING = 0.6
"""Part of the replications for the search before the first test."""
_SURE = 3.0
"""Standard deviations from missing the goal."""
_TIES = 4
_TIES_TRIED = 20
_TRIED = 6
_COMBINATIONS = 1_000_000
_ALL_WITHOUT_HOPE = 50
"""Staffings of which all are simulated though none has met the goal, at most."""
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
    at_most: int
    """replications that it might have had"""
    error: float
    """probability of a yes, if it does not keep the promise, at most"""


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
        self.most_meets: bool | None = None
        """whether everybody at most meets the goal"""
        self.twice_is_no_better = False
        """whether twice as many as the most, which was not enough, came no farther"""
        self.more_harms = False
        """whether less came farther than everybody at most, which was not enough"""
        self.least: Staffing | None = None
        """no staffing that meets the goal has less of anything"""
        self.ties: list[Staffing] = []
        """equally cheap, from which the best mean was chosen"""
        self.selection: Selection | None = None
        """how it was chosen from them"""
        self.now_meets: bool | None = None
        self.passed_over: Staffing | None = None
        """the cheapest that met the goal in the search, where a surer one was judged instead,
        because there were replications left for one test only"""
        self.spent: dict[str, int] = {}

    def run(self) -> Judged | None:
        """The cheapest staffing that has stood the test, or None."""
        simulation, memory = self.simulation, self.memory
        most, promised = simulation.most, simulation.probability
        simulation.budget = min(int(_SEARCHING * most), most - self._for_test(0))
        stands = passes_from(promised, self._error(0), most - simulation.budget)
        simulation.leeway = (1 - (promised + stands) / 2) / (1 - promised)
        with self.counting("search"), _as_far_as_possible():
            self.now_meets = memory.answered(self.levers.now)
        near = self.range.guess
        while simulation.trials.spent + self._for_test(len(self.judged)) <= most:
            with self.counting("search"), _as_far_as_possible():
                self.proof, self.finished = None, False
                self._seek(near)
            if not memory.held:
                break
            near = min(memory.held, key=self._order)
            self.passed_over = None
            if self._last_test() and (surest := self._surest()) != near:
                self.passed_over, near = near, surest
                self.proof, self.finished = None, False
            else:
                with self.counting("ties"):
                    near = self._best_of_equals(near)
            with self.counting("test"):
                self.judged.append(self._judge(near))
            if self.judged[-1].verdict:
                return self.judged[-1]
            memory.refute(near)
            simulation.for_search *= 2
            simulation.leeway /= 2
            simulation.budget = most - self._for_test(len(self.judged))
        return None

    def _last_test(self) -> bool:
        """Whether there are too few replications left for another test after the next."""
        k, left = len(self.judged), self.simulation.most - self.simulation.trials.spent
        return left < self._for_test(k) + self._for_test(k + 1)

    def _surest(self) -> Staffing:
        """The cheapest that nearly surely stands a test: never near to missing the goal so far.

        Else the one that came farthest.
        """
        simulation = self.simulation
        refuted = {judged.staffing for judged in self.judged}
        tried = [staffing for staffing in simulation.seen if staffing not in refuted]
        sure = [
            staffing
            for staffing in tried
            for distance in [simulation.distances(staffing, range(simulation.seen[staffing]))]
            if distance.min() >= 0 and distance.mean() >= _SURE * distance.std(ddof=1)
        ]
        return min(sure, key=self._order) if sure else max(tried, key=self.reach)

    def _order(self, staffing: Staffing) -> tuple[float, Staffing]:
        return self.levers.cost(staffing), staffing

    def _seek(self, near: Staffing) -> None:
        """Have the memory hold the cheapest staffing, as far as replications allow."""
        start = None
        if self._most_suffices():
            start = next(filter(self.memory.holds, self._up_from(near)), None)
        if start is None and self.memory.held:
            start = min(self.memory.held, key=self._order)
        if start is None:
            start = self._less_that_suffices(near)
        if start is not None:
            self._improve(start)
        if start is not None or self.more_harms:
            self._prove()

    def _most_suffices(self) -> bool:
        """Whether everybody at most meets the goal; twice as many, if those come farther."""
        self.most_meets = False
        while not self.memory.answered(self.range.most):
            if self.range.times >= _MOST_TIMES:
                return False
            wider = StaffRange(self.levers, self.simulation.goal, 2 * self.range.times)
            self.memory.answered(wider.most)
            if not self._farther(wider.most, self.range.most):
                self.twice_is_no_better = True
                return False
            self.range = wider
        self.most_meets = True
        return True

    def _farther(self, one: Staffing, other: Staffing) -> bool:
        """Whether it comes farther, by more than does not matter."""
        return self.reach(one) > self.reach(other) + self.indifference

    def _up_from(self, staffing: Staffing) -> Iterator[Staffing]:
        """The staffing itself, some between it and the most, and the most."""
        for share in (0.0, 0.125, 0.25, 0.5, 1.0):
            more = staffing
            for axis in self.range.together:
                k = axis.place(staffing)
                more = axis.put(more, k + math.ceil(share * (len(axis.steps) - 1 - k)))
            yield more

    def _less_that_suffices(self, near: Staffing) -> Staffing | None:
        """A staffing that meets the goal where the most does not, looked for if less helps."""
        for staffing in self._up_from(near):
            if self.memory.answered(staffing):
                return staffing
        best = max(self.simulation.seen, key=self.reach)
        self.more_harms = self._farther(best, self.range.most)
        return self._climb(best) if self.more_harms else None

    def _climb(self, start: Staffing) -> Staffing | None:
        """From step to step, of one axis at a time, wherever that comes farthest.

        Steps of a quarter of each axis, then shorter ones (Hooke and Jeeves, *Journal of the ACM*
        8, 1961).
        """
        best = start
        for part in (4, 16, math.inf):
            while True:
                steps = [
                    axis.put(best, k)
                    for axis in self.range.together
                    for here in [axis.place(best)]
                    for step in [max(round(len(axis.steps) / part), 1)]
                    for k in (here - step, here + step)
                    if 0 <= k < len(axis.steps)
                ]
                for staffing in steps:
                    if self.memory.answered(staffing):
                        return staffing
                farthest = max(steps, key=self.reach, default=best)
                if not self._farther(farthest, best):
                    break
                best = farthest
        return None

    def farthest(self) -> Staffing:
        """The cheapest of those simulated that came as far as any, but for what does not matter."""
        seen = self.simulation.seen
        reached = max(map(self.reach, seen)) - self.indifference
        return min((tried for tried in seen if self.reach(tried) >= reached), key=self._order)

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
        if not memory.held:
            room = min(room, _ALL_WITHOUT_HOPE)
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
        self.ties, self.selection = [best], None
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

        self.selection = select_best(values, len(self.ties), self.indifference, ERROR, most=most)
        return self.ties[self.selection.best]

    @property
    def indifference(self) -> float:
        """Difference of means that does not matter among equally cheap staffings."""
        goal = self.simulation.goal
        return 0.001 if goal.scope else max(abs(goal.amount), 1e-9) * 0.005

    def _judge(self, staffing: Staffing) -> Judged:
        """Whether it keeps the promise, by a sequential test with a share of the error."""
        error = self._error(len(self.judged))
        test = ProbabilityTest(self.simulation.probability, error)
        left = self.simulation.most - self.simulation.trials.spent
        at_most = max(
            left - self._for_test(len(self.judged) + 1), min(left, self._for_test(len(self.judged)))
        )
        while test.decision is None and test.can_say_yes(at_most):
            begin = self._first_to_judge(len(self.judged)) + test.trials
            distance = self.simulation.distances(
                staffing, range(begin, begin + min(10, at_most - test.trials))
            )
            for reached in distance >= 0:
                test.add(bool(reached))
        return Judged(staffing, test.trials, test.successes, test.decision, at_most, error)

    def _error(self, test: int) -> float:
        """The share of the error that a test has; together no more than `ERROR`."""
        return float(ERROR / 2 ** (test + 1))

    def _for_test(self, test: int) -> int:
        """Replications that a test takes at least to say yes."""
        return successes_needed(self.simulation.probability, self._error(test))

    def _first_to_judge(self, test: int) -> int:
        """The number of the first replication of a test: none is used twice."""
        return FOR_TEST + sum(judged.replications for judged in self.judged[:test])

    def judged_distances(self, judged: Judged) -> Floats:
        """How far beyond the goal it came in the replications of its test."""
        first = self._first_to_judge(self.judged.index(judged))
        return self.simulation.distances(judged.staffing, range(first, first + judged.replications))

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
