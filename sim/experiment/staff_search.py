"""The cheapest staffing that meets a condition, where the condition is expensive to ask.

More staff should never break the condition: then what fails, fails with less of everything, and
what holds, holds with more, and one answer stands for many. It is not always so (more first doses
now can take the doses of others later). So inference ends with the first answers that contradict
it; where there is room, everything cheaper is asked in the end; and whoever uses the result must
check it by simulation of its own.

There may be more staffings than anybody can look at (a product over all levers). So none is listed
that is not looked at, and the `Memory` ends the search when too many have been.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from sim.experiment.staff_levers import Staffing

Cost = Callable[[Staffing], float]

TINY = 1e-9
"""Costs that differ by less are equal."""


class SearchEndedError(Exception):
    """No more replications may be spent, or no more staffings looked at."""


@dataclass(frozen=True)
class Axis:
    """Levers that move together, from one set of values to the next greater one."""

    levers: tuple[int, ...]
    steps: tuple[tuple[int, ...], ...]

    def place(self, staffing: Staffing) -> int:
        """The lowest step with at least the staffing's numbers (the last, if none has)."""
        own = [staffing[i] for i in self.levers]
        for k, step in enumerate(self.steps):
            if all(a >= b for a, b in zip(step, own, strict=True)):
                return k
        return len(self.steps) - 1

    def put(self, staffing: Staffing, k: int) -> Staffing:
        """The staffing with the axis at a step."""
        numbers = list(staffing)
        for i, value in zip(self.levers, self.steps[k], strict=True):
            numbers[i] = value
        return tuple(numbers)


class Memory:
    """A condition, asked as seldom as possible, about at most so many staffings."""

    def __init__(self, ask: Callable[[Staffing], bool], most_looks: int = sys.maxsize) -> None:
        self._ask = ask
        self.most_looks, self.looked_at = most_looks, 0
        self.answers: dict[Staffing, bool] = {}
        self.monotone = True
        """no answer so far says that more staff breaks the condition"""
        self._held_least, self._failed_most = _Extremes(-1), _Extremes(1)

    @property
    def held(self) -> list[Staffing]:
        """Staffings of which it was answered that they meet the condition."""
        return [staffing for staffing, answer in self.answers.items() if answer]

    def holds(self, staffing: Staffing) -> bool:
        """Whether the staffing meets the condition, by inference where that is possible."""
        self.look()
        if staffing not in self.answers and self.monotone:
            if self.known_to_fail(staffing):
                return False
            if self._held_least.cover(staffing):
                return True
        return self.answered(staffing)

    def look(self) -> None:
        """Count a staffing that is looked at. Raises SearchEndedError if it is one too many."""
        if self.looked_at >= self.most_looks:
            raise SearchEndedError
        self.looked_at += 1

    def answered(self, staffing: Staffing) -> bool:
        """The same without inference."""
        if staffing not in self.answers:
            self._note(staffing, self._ask(staffing))
        return self.answers[staffing]

    def known_to_fail(self, staffing: Staffing) -> bool:
        """Whether it failed, or (while that can be inferred) something with no less did."""
        if staffing in self.answers:
            return not self.answers[staffing]
        return self.monotone and self._failed_most.cover(staffing)

    def refute(self, staffing: Staffing) -> None:
        """The staffing does not meet it after all; what holds is to be asked anew."""
        self.answers = {other: False for other, answer in self.answers.items() if not answer}
        self._held_least = _Extremes(-1)
        self._note(staffing, False)

    def _note(self, staffing: Staffing, answer: bool) -> None:
        self.answers[staffing] = answer
        same, other = self._held_least, self._failed_most
        if not answer:
            same, other = other, same
        self.monotone &= not other.cover(staffing)
        same.add(staffing)


class _Extremes:
    """The greatest of some staffings (sign 1), or the least (-1): those that cover all others."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._numbers: NDArray[np.int64] | None = None
        """a row each, times the sign"""

    def cover(self, staffing: Staffing) -> bool:
        """Whether one of them has nowhere less (or, of the least ones, nowhere more)."""
        if self._numbers is None:
            return False
        return bool((self._numbers >= self._sign * np.array(staffing)).all(axis=1).any())

    def add(self, staffing: Staffing) -> None:
        """Take in another."""
        if self.cover(staffing):
            return
        row = self._sign * np.array([staffing])
        if self._numbers is None:
            self._numbers = row
        else:
            kept = self._numbers[(self._numbers > row).any(axis=1)]
            self._numbers = np.concatenate([kept, row])


def _at_most(a: Staffing, b: Staffing) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True))


def descend(memory: Memory, axes: Sequence[Axis], start: Staffing) -> Staffing:
    """From a staffing that meets the condition down to where no single axis can be lowered."""
    best = start
    while True:
        before = best
        for axis in axes:
            best = _lowest(memory, axis, best)
        if best == before:
            return best


def _lowest(memory: Memory, axis: Axis, staffing: Staffing) -> Staffing:
    """The axis as low as it goes, the others staying; the staffing is known to hold."""
    lower = [axis.put(staffing, k) for k in range(len(axis.steps))]
    lower = [less for less in lower if less != staffing and _at_most(less, staffing)]
    k = first_that_holds(memory, lower)
    return staffing if k == len(lower) else lower[k]


def first_that_holds(memory: Memory, ascending: Sequence[Staffing]) -> int:
    """The place of the first staffing that holds, by bisection; behind the last if none does."""
    low, high = -1, len(ascending)
    while high - low > 1:
        middle = (low + high) // 2
        if memory.holds(ascending[middle]):
            high = middle
        else:
            low = middle
    return high


def exchange(memory: Memory, axes: Sequence[Axis], start: Staffing, cost: Cost) -> Staffing:
    """Less of one and more of another, as long as that is cheaper; each time `descend` again."""
    best = start
    while True:
        better = next(filter(memory.holds, _exchanges(axes, best, cost)), None)
        if better is None:
            return best
        best = descend(memory, axes, better)


def _exchanges(axes: Sequence[Axis], staffing: Staffing, cost: Cost) -> Iterator[Staffing]:
    """What is cheaper with one axis lower and another higher.

    Lower by one step and higher by as many as are still cheaper; higher by one step and lower by
    as few as make it cheaper. If those do not meet the condition, those with less do not.
    """
    limit = cost(staffing) - TINY
    for down, up in permutations(axes, 2):
        here, there = down.place(staffing), up.place(staffing)
        if here == 0 or there == len(up.steps) - 1:
            continue
        lower = down.put(staffing, here - 1)
        dearest = _costs_along(up, lower, cost, range(there + 1, len(up.steps)), limit) - 1
        if dearest > there:
            yield up.put(lower, dearest)
        higher = up.put(staffing, there + 1)
        dearest = _costs_along(down, higher, cost, range(here - 1), limit) - 1
        if dearest >= 0:
            yield down.put(higher, dearest)


def equally_cheap(axes: Sequence[Axis], staffing: Staffing, cost: Cost) -> Iterator[Staffing]:
    """One axis lower by a step and another higher, at the same cost."""
    now = cost(staffing)
    for down, up in permutations(axes, 2):
        here, there = down.place(staffing), up.place(staffing)
        if here > 0:
            lower = down.put(staffing, here - 1)
            k = _costs_along(up, lower, cost, range(there + 1, len(up.steps)), now - TINY)
            if k < len(up.steps) and cost(up.put(lower, k)) < now + TINY:
                yield up.put(lower, k)


def _costs_along(axis: Axis, staffing: Staffing, cost: Cost, steps: range, limit: float) -> int:
    """The first of an axis's steps with which the staffing costs the limit or more, by bisection.

    The end of `steps` if none does.
    """
    return steps.start + bisect_left(steps, limit, key=lambda k: cost(axis.put(staffing, k)))


def least_of_each(memory: Memory, axes: Sequence[Axis], most: Staffing) -> Staffing:
    """The least of each lever with the most of all others; an axis for every single lever.

    No staffing that meets the condition has less of anything.
    """
    return tuple(_lowest(memory, axis, most)[axis.levers[0]] for axis in axes)


def cheaper(
    least: Staffing, most: Staffing, costs: Sequence[float], below: float
) -> Iterator[tuple[Staffing, bool]]:
    """Every staffing between least and most that costs less than `below`.

    With each, whether it is maximal: one more of anything would not be cheaper (or beyond most).
    If no maximal one meets a condition that more staff never breaks, nothing cheaper does.
    """

    def extend(chosen: Staffing, spent: float) -> Iterator[tuple[Staffing, float]]:
        i = len(chosen)
        if i == len(costs):
            yield chosen, spent
            return
        rest = sum(c * n for c, n in zip(costs[i + 1 :], least[i + 1 :], strict=True))
        for number in range(least[i], most[i] + 1):
            now = spent + costs[i] * number
            if now + rest >= below - TINY:
                break
            yield from extend((*chosen, number), now)

    for staffing, spent in extend((), 0.0):
        can_grow = (
            n < top and spent + c < below - TINY
            for n, top, c in zip(staffing, most, costs, strict=True)
        )
        yield staffing, not any(can_grow)
