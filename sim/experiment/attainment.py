"""What would it take? The smallest changes with which a campaign reaches a goal.

A point is a size for each lever. Two judges say whether a point will do:

    the ceiling      the most that doses, slots, turns and intervals allow (`feasibility.py`): exact
                     and quick, but necessary only
    the simulation   in at least the wanted share of a few replications (common random numbers)

Both are taken to be monotone: a larger change never hurts. So the smallest size of one lever is
found by bisection, and a combination by opening all levers wide and taking back what is not
needed: none of its sizes can then be smaller. That is done again without each of the levers found,
since other combinations may be cheaper; `MOST_COMBINATIONS` are looked at, in that order (fewer
where they take more than `MOST_FOR_COMBINATIONS` replications), and cost decides. The start is the
cheapest point that the ceiling allows, enlarged in equal shares until the simulation agrees.

What is found is then judged by replications that took no part in the search, with a sequential
test (`selection.ProbabilityTest`) that may look after every one and forgives misses when there are
enough successes: for a probability of 0.95, no miss in 90 replications, else a few in some
hundreds. It ends without confirmation at `MOST_FRESH` replications (fewer for many people), or as
soon as these will hardly bring it any more. Of a larger point than one that has failed so, those
replications come first that the smaller one missed: if it does not help there, it fails, too. A
point that fails is enlarged until at most half as many as allowed of the replications fail, and
judged by fresh ones.

Then smaller sizes are tried (`descended`), lever by lever, one after the other in growing steps and
on the same replications, until one is not confirmed, and anew from there. Since a smaller change is
no better, only the first of such a row that is not enough can be confirmed wrongly by the test of
that row. The k-th row of tests of an option (the point found with what is smaller in one lever; an
enlargement; another lever) has the error 5 % / 2^k: so an option that does not reach the goal with
the wanted probability is confirmed with a chance of at most 5 %.

Once `most` replications are spent, no further one is asked for: what is not judged by then is said
to be undecided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from sim.experiment.costs import read_costs
from sim.experiment.feasibility import ceiling_is_certain, most_by
from sim.experiment.goals import Goal
from sim.experiment.levers import Lever, LeverError, pulled
from sim.experiment.selection import ProbabilityTest, passes_from, successes_needed
from sim.experiment.settings import SettingsError
from sim.experiment.statistics import CONFIDENCE, proportion_interval
from sim.experiment.trials import Trials
from sim.language import _
from sim.scenario import Scenario

Point = tuple[int, ...]
"""A size for each lever; 0: as it is."""

SEARCHED = range(2)
"""Replications that the search looks at."""
FRESH_FROM = 10_000
"""Number of the first replication that confirms; so many further on for each row of tests."""
ERROR = 1 - CONFIDENCE
"""Most that the chance of confirming an option wrongly may be."""
MOST_FRESH = 600
"""Replications that judge a point, at most, and people in them (but twice as many as are needed if
none misses the goal)."""
MOST_PEOPLE_FRESH = 100_000_000
GIVEN_UP_BELOW = 0.005
"""A point is given up that misses the goal so often that one which is confirmed in nine cases of
ten would do so with no more than this chance."""
MOST_FAILURES = 16
"""Replications that a point has missed and that the search looks at, at most."""
MOST_DESCENTS = 3
"""Rows of tests in which smaller sizes of a lever are tried, at most."""
MOST_COMBINATIONS = 8
MOST_FOR_COMBINATIONS = 400
_SHARE_OF_COMBINATIONS = 2 / 3
"""Replications after which no further combination is looked for, and part of those left for it."""
MOST_ENLARGEMENTS = 4
ROWS_OF_A_POINT = 1 + MOST_ENLARGEMENTS
"""Rows of tests in which a point and its enlargements are judged."""
_FRONTIER_STEPS = 12
_FRONTIER_POINTS = 400
_LINE_STEPS = 16
_BATCH = 8
_SEARCHED_AT_ONCE = 4


def read_probability(value: float) -> float:
    """The probability if it is one. Raises SettingsError."""
    if not 0 < value < 1:
        raise SettingsError(
            _(
                "--probability must lie between 0 and 1, both excluded, such as 0.95; not {value:g}"
            ).format(value=value)
        )
    return value


def lever_costs(text: str | None, levers: Sequence[Lever]) -> dict[str, float]:
    """Cost of one unit of each lever; unless the text says otherwise, 1 / what there is.

    Raises SettingsError for a cost that cannot be, or of a lever that is not among them.
    """
    costs = {lever.name: 1 / lever.has if lever.has else 1.0 for lever in levers}
    told = {} if text is None else read_costs([text], "agents=1.5")
    for name in told:
        if name not in costs:
            raise LeverError(
                _("--cost {written}: the levers are {names}").format(
                    written=name, names=", ".join(costs)
                )
            )
    return costs | told


class OutOfReplicationsError(Exception):
    """All replications that a study may spend are spent."""


@dataclass(frozen=True)
class Confirmation:
    """What fresh replications say of a point."""

    reached: int
    n: int
    low: float
    """lower bound of Wilson's 95 % interval of the probability of reaching the goal"""
    confirmed: bool
    decided: bool
    """False: replications ran out first"""
    failures: tuple[int, ...]
    """numbers of the replications that did not reach it"""
    at_most: bool = False
    """whether only those were simulated that a smaller point missed: it reached no more of them"""


@dataclass(frozen=True)
class Found:
    """A point that will do, or the one that came nearest."""

    point: Point
    confirmation: Confirmation
    row: int = 0
    """rows of tests before this one"""
    steps: Mapping[int, int] = field(default_factory=dict)
    """by lever: how much less was tried and did not do"""
    last_row: int = -1
    """the last row of tests in which something smaller was tried"""


@dataclass
class Attainment:
    """A search for the smallest changes; see the module."""

    scenario: Scenario
    goal: Goal
    probability: float
    levers: Sequence[Lever]
    costs: Mapping[str, float]
    """of one unit of each lever"""
    trials: Trials
    most: int
    """replications spent by the trials after which no more are asked for"""
    searched: Sequence[int] = SEARCHED
    """replications that the search looks at"""
    forgiven: int = 0
    """how many of them may miss the goal, if more than their share"""
    first_row: int = 0
    """row of tests with which a point is judged first"""
    used_up: bool = False
    """whether more replications were wanted than there were"""
    _ceilings: dict[Point, int] = field(default_factory=dict)
    _refuted: dict[int, list[tuple[Point, Confirmation]]] = field(default_factory=dict)
    """by row of tests: points that failed"""

    # Points -----------------------------------------------------------------------------------

    @property
    def nothing(self) -> Point:
        """No change."""
        return (0,) * len(self.levers)

    @property
    def widest(self) -> Point:
        """All levers as far as they go."""
        return tuple(lever.largest for lever in self.levers)

    def alone(self, i: int, size: int) -> Point:
        """One lever moved."""
        return _with(self.nothing, i, size)

    def at(self, point: Point) -> Scenario:
        """The scenario at a point."""
        return pulled(self.scenario, zip(self.levers, point, strict=True))

    def cost(self, point: Point) -> float:
        """Cost of a point."""
        sizes = zip(self.levers, point, strict=True)
        return sum(self.costs[lever.name] * size for lever, size in sizes)

    def within_bounds(self, point: Point) -> bool:
        """Whether no parts of a lever are moved farther together than the lever may be."""
        moved: dict[str, float] = {}
        for lever, size in zip(self.levers, point, strict=True):
            moved[lever.family] = moved.get(lever.family, 0.0) + lever.weight * size
        return all(moved[lever.family] <= lever.bound + 1e-9 for lever in self.levers)

    def with_levers(self, levers: Sequence[Lever], costs: Mapping[str, float]) -> Attainment:
        """The same search with other levers; what nothing changed has missed remains known."""
        other = replace(self, levers=levers, costs=costs, _ceilings={}, _refuted={})
        for row, refuted in self._refuted.items():
            other._refuted[row] = [
                (other.nothing, judged) for point, judged in refuted if point == self.nothing
            ]
        return other

    # The judges -------------------------------------------------------------------------------

    def ceiling(self, point: Point) -> int | None:
        """People of the target who can be vaccinated by the goal's day; None: no such goal."""
        if self.goal.scope is None:
            return None
        supply = tuple(
            size if lever.supply else 0 for lever, size in zip(self.levers, point, strict=True)
        )
        if supply not in self._ceilings:
            self._ceilings[supply] = most_by(self.at(supply), self.goal.scope, self.goal.by)
        return self._ceilings[supply]

    def allowed(self, point: Point) -> bool:
        """Whether the ceiling lets a point reach the goal."""
        ceiling = self.ceiling(point)
        return ceiling is None or ceiling >= self.goal.persons_needed(self.scenario)

    @cached_property
    def ceiling_decides(self) -> bool:
        """Whether what the ceiling forbids is impossible: chance brings no more than expected."""
        return self.goal.scope is not None and all(
            ceiling_is_certain(self.at(point)) for point in (self.nothing, self.widest)
        )

    def values(self, point: Point, replications: Sequence[int]) -> NDArray[np.float64]:
        """What some replications of a point reach, in the unit of the goal."""
        rows = self.trials.measures(self.at(point), replications).to_dict("records")
        return np.array([self.goal.value(_named(row), self.scenario) for row in rows])

    def misses(self, point: Point, replications: Sequence[int]) -> list[int]:
        """Those of some replications of a point that do not reach the goal.

        Raises OutOfReplicationsError.
        """
        if self.trials.spent + len(replications) > self.most:
            self.used_up = True
            raise OutOfReplicationsError
        rows = self.trials.measures(self.at(point), replications).to_dict("records")
        return [
            number
            for number, row in zip(replications, rows, strict=True)
            if not self.goal.reached(_named(row), self.scenario)
        ]

    def will_do(self, point: Point) -> bool:
        """Whether the ceiling allows it, and the replications of the search reach the goal."""
        if self.ceiling_decides and not self.allowed(point):
            return False
        return self._misses_at_most(self._may_miss, point)

    @property
    def _may_miss(self) -> int:
        return max(self.forgiven, self._share_of(len(self.searched)))

    def _misses_at_most(self, number: int, point: Point) -> bool:
        """Whether so few replications of the search miss the goal; it looks until that is sure."""
        missed = 0
        for begin in range(0, len(self.searched), _SEARCHED_AT_ONCE):
            missed += len(self.misses(point, self.searched[begin : begin + _SEARCHED_AT_ONCE]))
            left = len(self.searched) - begin - _SEARCHED_AT_ONCE
            if missed > number or missed + left <= number:
                break
        return missed <= number

    def may_do(self, point: Point) -> bool:
        """Whether the ceiling allows it, and some replication of the search reaches the goal.

        So few replications cannot refute a point that reaches it in some of them.
        """
        if self.ceiling_decides and not self.allowed(point):
            return False
        return len(self.misses(point, SEARCHED)) < len(SEARCHED)

    def _share_of(self, replications: int) -> int:
        """Misses among so many replications that the wanted probability leaves."""
        return math.floor((1 - self.probability) * replications + 1e-9)

    def look_at(self, judged: Confirmation) -> None:
        """Let the search look at replications in which nothing done missed the goal, too.

        Half of what the wanted probability leaves may still miss it: more would hardly be
        confirmed.
        """
        failures, n = judged.failures, judged.n
        if len(failures) > MOST_FAILURES:
            failures = failures[:MOST_FAILURES]
            n = failures[-1] % FRESH_FROM + 1
        self.searched = [*failures, *self.searched]
        self.forgiven = self._share_of(n) // 2

    # Search -----------------------------------------------------------------------------------

    def smallest(self, point: Point, i: int) -> int:
        """The smallest size of a lever with which a point that will do still does.

        Of a point that misses the goal too often: with which it misses it no more often.
        """
        sizes = [0, *(size for size in self.levers[i].sizes if size <= point[i])]
        may_miss = max(self._may_miss, len(self.misses(point, self.searched)))

        def does(sized: Point) -> bool:
            allowed = not self.ceiling_decides or self.allowed(sized)
            return allowed and self._misses_at_most(may_miss, sized)

        if does(_with(point, i, 0)):
            return 0
        return _first([_with(point, i, size) for size in sizes[1:]], does)[i]

    def taken_back(self, point: Point) -> Point:
        """A point that will do, with every size as small as the others allow.

        The levers that cost most come first; those that move the ceiling come last.
        """
        order = [i for i, size in enumerate(point) if size]
        order.sort(key=lambda i: (self.levers[i].supply, -self._part(point, i)))
        for i in order:
            point = _with(point, i, self.smallest(point, i))
        return point

    def along(self, start: Point, end: Point, share: float) -> Point:
        """A share of the way from one point to another, rounded up to sizes that there are."""
        return tuple(
            lever.size_at_least(a + share * (b - a)) if b > a else a
            for lever, a, b in zip(self.levers, start, end, strict=True)
        )

    def combination(self, banned: frozenset[int] = frozenset()) -> Point | None:
        """A point of which nothing can be taken back, without some levers; None: none will do."""
        widest = self._wide_open(banned)
        if widest is None:
            return None
        start = self._start(banned)
        if start is None:
            return self.taken_back(widest)
        used = [i for i, size in enumerate(start) if size]
        end = _with_all(self.nothing, used, widest)
        if not self.will_do(end):
            end = widest
        shares = [step / _LINE_STEPS for step in range(_LINE_STEPS + 1)]
        line = [self.along(start, end, share) for share in shares]
        return self.taken_back(_first(line, self.will_do))

    def _wide_open(self, banned: frozenset[int]) -> Point | None:
        """All levers as far as they go, but for those banned and perhaps one that does harm."""
        widest = _with_all(self.widest, banned, self.nothing)
        if self.will_do(widest):
            return widest
        if banned or (self.ceiling_decides and not self.allowed(widest)):
            return None
        without = [_with(widest, i, 0) for i, size in enumerate(widest) if size]
        return next(filter(self.will_do, without), None)

    def _start(self, banned: frozenset[int]) -> Point | None:
        """The cheapest point that the ceiling allows; what does not move it is wide open."""
        for point in self.on_the_ceiling:
            if not any(point[i] for i in banned):
                wide = [
                    i for i, lever in enumerate(self.levers) if not lever.supply and i not in banned
                ]
                return _with_all(point, wide, self.widest)
        return None

    def combinations(self, most: int = MOST_COMBINATIONS) -> list[Point]:
        """Points of which nothing can be taken back, the cheapest first; see the module."""
        left = self.most - self.trials.spent
        end = self.trials.spent + min(MOST_FOR_COMBINATIONS, round(_SHARE_OF_COMBINATIONS * left))
        found: list[Point] = []
        queue: list[frozenset[int]] = [frozenset()]
        seen = set(queue)
        for _round in range(most):
            if not queue or self.trials.spent >= end:
                break
            banned = queue.pop(0)
            if found and self._least_cost(banned) >= min(map(self.cost, found)):
                continue
            try:
                point = self.combination(banned)
            except OutOfReplicationsError:
                break
            if point is None:
                continue
            if point not in found:
                found.append(point)
            dearest = sorted((-self._part(point, i), i) for i, size in enumerate(point) if size)
            for more in (banned | {i} for _cost, i in dearest):
                if more not in seen:
                    seen.add(more)
                    queue.append(more)
        return sorted(found, key=self.cost)

    def _least_cost(self, banned: frozenset[int]) -> float:
        """What a combination without these levers costs at least, as the ceiling has it."""
        if not self.ceiling_decides:
            return 0.0
        points = [p for p in self.on_the_ceiling if not any(p[i] for i in banned)]
        return min(map(self.cost, points), default=math.inf)

    def _part(self, point: Point, i: int) -> float:
        """What one lever costs at a point."""
        return self.costs[self.levers[i].name] * point[i]

    # On the ceiling alone ---------------------------------------------------------------------

    @cached_property
    def on_the_ceiling(self) -> list[Point]:
        """Minimal points that the ceiling allows, the cheapest first.

        Minimal: no other point that it allows is nowhere larger. All of them, where no lever but
        the finest has more than a dozen sizes between its least and its most useful one (else in
        such steps), and where the levers are few; else those in every smallest set of levers that
        is enough.
        """
        if self.goal.scope is None:
            return []
        supply = [i for i, lever in enumerate(self.levers) if lever.supply]
        supply.sort(key=lambda i: -len(self.levers[i].sizes))
        steps = (min(len(self.levers[i].sizes), _FRONTIER_STEPS) + 1 for i in supply[1:])
        few = math.prod(steps) <= _FRONTIER_POINTS
        points: list[Point] = []
        for support in [frozenset(supply)] if few else self._supports(supply):
            widest = _with_all(self.nothing, support, self.widest)
            if self.allowed(widest):
                points += self._frontier([i for i in supply if i in support], widest)
        minimal = [
            p
            for p in dict.fromkeys(points)
            if not any(q != p and all(b <= a for a, b in zip(p, q, strict=True)) for q in points)
        ]
        return sorted(minimal, key=self.cost)

    def _supports(self, supply: Sequence[int]) -> list[frozenset[int]]:
        """Sets of levers with which the ceiling allows the goal, and without any of them not."""
        minimal: list[frozenset[int]] = []
        sets: Iterator[tuple[int, ...]] = (
            chosen for size in range(len(supply) + 1) for chosen in combinations(supply, size)
        )
        for chosen in map(frozenset, sets):
            covered = any(small <= chosen for small in minimal)
            if not covered and self.allowed(_with_all(self.nothing, chosen, self.widest)):
                minimal.append(chosen)
        return minimal

    def _frontier(self, free: list[int], point: Point) -> list[Point]:
        """Minimal points in some levers, the other sizes being given; `point` is allowed."""
        if not free:
            return [point]
        i, rest = free[-1], free[:-1]
        sizes = [s for s in (0, *self.levers[i].sizes) if s <= point[i]]
        least = _first([_with(point, i, size) for size in sizes], self.allowed)[i]
        if not rest:
            return [_with(point, i, least)]
        found = self._frontier(rest, _with(point, i, least))
        at_most = {_with(p, i, 0) for p in self._frontier(rest, point)}
        if {_with(p, i, 0) for p in found} == at_most:
            return found  # a larger size of this lever spares nothing of the others
        between = sizes[sizes.index(least) + 1 :]
        step = math.ceil(len(between) / _FRONTIER_STEPS)
        for size in between[::step]:
            more = self._frontier(rest, _with(point, i, size))
            found += more
            if {_with(p, i, 0) for p in more} == at_most:
                break
        return found

    def least_allowed(self, point: Point, i: int, otherwise: float) -> float:
        """The smallest size of a lever with which the ceiling allows a point; or else the other."""
        sizes = [_with(point, i, size) for size in (0, *self.levers[i].sizes)]
        return _first(sizes, self.allowed)[i] if self.allowed(sizes[-1]) else otherwise

    # Confirmation -----------------------------------------------------------------------------

    def most_fresh(self, row: int) -> int:
        """Replications that may be spent on judging a point in a row of tests."""
        affordable = MOST_PEOPLE_FRESH // max(self.scenario.target, 1)
        return max(2 * needed(self.probability, row), min(MOST_FRESH, affordable))

    def confirmation(self, point: Point, row: int = 0, end: int | None = None) -> Confirmation:
        """What fresh replications say of a point; undecided after `end`, if that comes earlier."""
        end = self.most if end is None else min(end, self.most)
        failed = self.fails_as_smaller(point, row, end)
        if failed is not None:
            return failed
        test = ProbabilityTest(self.probability, _error(row))
        last = self.most_fresh(row)
        first = FRESH_FROM * (row + 1)
        failures: list[int] = []
        while test.decision is None and not self._given_up(test, row):
            size = min(max(test.trials, 2), _BATCH, last - test.trials)
            if self.trials.spent + size > end:
                self.used_up |= end == self.most
                return self._judged(test, row, failures, decided=False)
            batch = range(first + test.trials, first + test.trials + size)
            missed = set(self.misses(point, batch))
            for number in batch:
                if test.decision is None:
                    test.add(number not in missed)
                    failures += [number] * (number in missed)
        judged = self._judged(test, row, failures)
        if not judged.confirmed:
            self._refuted.setdefault(row, []).append((point, judged))
        return judged

    def fails_as_smaller(
        self, point: Point, row: int = 0, end: int | None = None
    ) -> Confirmation | None:
        """How a point fails that does not mend enough of what a smaller one has missed.

        None: it may do, or too few replications are left to say.
        """
        end = self.most if end is None else end
        for smaller, refuted in self._refuted.get(row, []):
            is_larger = all(a <= b for a, b in zip(smaller, point, strict=True))
            if is_larger and self.trials.spent + len(refuted.failures) <= end:
                failures = self.misses(point, refuted.failures)
                test = ProbabilityTest(self.probability, _error(row))
                test.successes, test.failures = refuted.n - len(failures), len(failures)
                if test.decision is False or self._given_up(test, row):
                    return replace(self._judged(test, row, failures), at_most=True)
        return None

    def _judged(
        self, test: ProbabilityTest, row: int, failures: Sequence[int], decided: bool = True
    ) -> Confirmation:
        low = proportion_interval(test.successes, test.trials).low or 0.0
        confirmed = test.decision is True
        return Confirmation(test.successes, test.trials, low, confirmed, decided, tuple(failures))

    def _given_up(self, test: ProbabilityTest, row: int) -> bool:
        """Whether the replications to come cannot bring, or will hardly bring, a confirmation."""
        from scipy.special import bdtrc

        last = self.most_fresh(row)
        passes = _passes_from(self.probability, _error(row), last)
        as_many = float(bdtrc(test.failures - 1, test.trials, 1 - passes)) if test.failures else 1.0
        return as_many < GIVEN_UP_BELOW or not _can_succeed(test, last)

    def confirmed(self, point: Point) -> Found:
        """The point, enlarged as often as fresh replications refute it."""
        most = _with_all(self.nothing, [i for i, size in enumerate(point) if size], self.widest)
        first = self.first_row
        found = Found(point, self.confirmation(point, first), first)
        for row in range(first + 1, first + MOST_ENLARGEMENTS + 1):
            if found.confirmation.confirmed or not found.confirmation.decided:
                break
            try:
                larger = self._enlarged(found, most)
            except OutOfReplicationsError:
                return replace(found, confirmation=replace(found.confirmation, decided=False))
            if larger is None:
                break
            found = Found(larger, self.confirmation(larger, row), row)
        return found

    def _enlarged(self, found: Found, most: Point) -> Point | None:
        """The least enlargement in one lever, else in all, that mends what has failed.

        Half of what the wanted probability leaves may still fail (more would hardly be confirmed),
        or all of it where no enlargement does better.
        """
        share = self._share_of(found.confirmation.n)
        half = self._mending(found, most, share // 2)
        return half or (self._mending(found, most, share) if share else None)

    def _mending(self, found: Found, most: Point, still: int) -> Point | None:
        """The least enlargement with which at most so many of the failures remain."""
        failures = found.confirmation.failures

        def mends(point: Point) -> bool:
            return len(self.misses(point, failures)) <= still

        choices = []
        for i, size in enumerate(found.point):
            larger = [_with(found.point, i, s) for s in self.levers[i].sizes if s > size]
            larger = [point for point in larger if most[i] and self.within_bounds(point)]
            if larger and mends(larger[-1]):
                choices.append(_first(larger, mends))
        if not choices and most != found.point and mends(most):
            steps = range(1, _LINE_STEPS + 1)
            line = [self.along(found.point, most, step / _LINE_STEPS) for step in steps]
            choices += filter(self.within_bounds, [_first(line, mends)])
        return min(choices, key=self.cost, default=None)

    def descended(self, found: Found) -> Found:
        """A confirmed point with sizes made smaller as long as fresh replications confirm it.

        The levers that cost most come first; each goes down in growing steps until one is not
        confirmed, and from there anew.
        """
        levers = sorted(
            (i for i, size in enumerate(found.point) if size),
            key=lambda i: -self._part(found.point, i),
        )
        row = found.row
        for i in levers:
            for _pass in range(MOST_DESCENTS):
                before = found.point[i]
                found = self._down(found, i, row)
                least = self.levers[i].smaller(found.point[i])[:1]
                failed = found.point[i] - found.steps.get(i, 0)
                if found.last_row < row:
                    return found  # replications ran out
                row += 1
                if found.point[i] == before or least == [failed]:
                    break
        return found

    def _down(self, found: Found, i: int, row: int) -> Found:
        """One lever made smaller until a size is not confirmed, in a row of tests."""
        tested = replace(found, last_row=row)
        for size in self.levers[i].smaller(found.point[i]):
            smaller = _with(found.point, i, size)
            judged = None
            if not self.ceiling_decides or self.allowed(smaller):
                judged = self.confirmation(smaller, row)
                if not judged.decided:
                    return replace(tested, last_row=found.last_row)
            if judged is None or not judged.confirmed:
                return replace(tested, steps={**tested.steps, i: tested.point[i] - size})
            steps = {lever: step for lever, step in tested.steps.items() if lever != i}
            tested = Found(smaller, judged, row, steps, row)
        return tested


def _with(point: Point, i: int, size: int) -> Point:
    return (*point[:i], size, *point[i + 1 :])


def _with_all(point: Point, chosen: Collection[int], sizes: Point) -> Point:
    return tuple(sizes[i] if i in chosen else size for i, size in enumerate(point))


def _first(points: Sequence[Point], holds: Callable[[Point], bool]) -> Point:
    """The first point of an ascending row for which it holds; for the last it must."""
    low, high = 0, len(points) - 1
    while low < high:
        middle = (low + high) // 2
        if holds(points[middle]):
            high = middle
        else:
            low = middle + 1
    return points[high]


def _error(row: int) -> float:
    """Error of a row of tests; all rows together have no more than ERROR."""
    return ERROR / 2.0 ** (row + 1)


def passed_over_below(search: Attainment, found: Found) -> float | None:
    """A smaller change with a lower probability than this may not have been confirmed.

    With a higher one it is confirmed in about nine cases of ten, if it was tried. None: nothing
    smaller was tried.
    """
    if not found.steps:
        return None
    error = _error(found.last_row)
    return _passes_from(search.probability, error, search.most_fresh(found.last_row))


_passes_from = cache(passes_from)


def _can_succeed(test: ProbabilityTest, most: int) -> bool:
    """Whether the test says yes if all trials still to come, up to so many, are successes."""
    best = ProbabilityTest(test.least, test.error)
    best.successes, best.failures = max(most, test.trials) - test.failures, test.failures
    return best.decision is True


def needed(probability: float, row: int = 0) -> int:
    """Replications of which all must succeed to confirm the probability at once."""
    return successes_needed(probability, _error(row))


def _named(row: Mapping[Hashable, float]) -> dict[str, float]:
    return {str(name): float(value) for name, value in row.items()}
