"""The cheapest staffing that meets a condition, where the condition is expensive to ask.

More staff should never break the condition: then what fails, fails with less of everything, and
what holds, holds with more, and one answer stands for many. It is not always so (more first doses
now can take the doses of others later). So inference ends with the first answers that contradict
it; where there is room, everything cheaper is asked in the end; and whoever uses the result must
check it by simulation of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations

from sim.experiment.staff_levers import Staffing

Cost = Callable[[Staffing], float]

TINY = 1e-9
"""Costs that differ by less are equal."""


class OutOfTrialsError(Exception):
    """No more replications may be spent."""


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
    """A condition, asked as seldom as possible."""

    def __init__(self, ask: Callable[[Staffing], bool]) -> None:
        self._ask = ask
        self.answers: dict[Staffing, bool] = {}
        self.monotone = True
        """no answer so far says that more staff breaks the condition"""

    @property
    def held(self) -> list[Staffing]:
        """Staffings of which it was answered that they meet the condition."""
        return [staffing for staffing, answer in self.answers.items() if answer]

    def holds(self, staffing: Staffing) -> bool:
        """Whether the staffing meets the condition, by inference where that is possible."""
        if staffing not in self.answers and self.monotone:
            if self.known_to_fail(staffing):
                return False
            if any(_at_most(good, staffing) for good in self.held):
                return True
        return self.answered(staffing)

    def answered(self, staffing: Staffing) -> bool:
        """The same without inference."""
        if staffing not in self.answers:
            self._note(staffing, self._ask(staffing))
        return self.answers[staffing]

    def known_to_fail(self, staffing: Staffing) -> bool:
        """Whether it failed, or (while that can be inferred) something with no less did."""
        if self.answers.get(staffing) is False:
            return True
        failed = (bad for bad, answer in self.answers.items() if not answer)
        return self.monotone and any(_at_most(staffing, bad) for bad in failed)

    def refute(self, staffing: Staffing) -> None:
        """The staffing does not meet it after all; what holds is to be asked anew."""
        self.answers = {other: False for other, answer in self.answers.items() if not answer}
        self.answers[staffing] = False

    def _note(self, staffing: Staffing, answer: bool) -> None:
        for other, known in self.answers.items():
            less, more = (staffing, other) if answer else (other, staffing)
            if known != answer and _at_most(less, more):
                self.monotone = False
        self.answers[staffing] = answer


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
    low, high = -1, len(lower)
    while high - low > 1:
        middle = (low + high) // 2
        if memory.holds(lower[middle]):
            high = middle
        else:
            low = middle
    return staffing if high == len(lower) else lower[high]


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
        below, above = range(here - 1, -1, -1), range(there + 1, len(up.steps))
        if not (below and above):
            continue
        most = [up.put(down.put(staffing, below[0]), k) for k in above]
        yield from [trial for trial in most if cost(trial) < limit][-1:]
        least = (down.put(up.put(staffing, above[0]), k) for k in below[1:])
        yield from islice((trial for trial in least if cost(trial) < limit), 1)


def equally_cheap(axes: Sequence[Axis], staffing: Staffing, cost: Cost) -> Iterator[Staffing]:
    """One axis lower by a step and another higher, at the same cost."""
    now = cost(staffing)
    for down, up in permutations(axes, 2):
        here, there = down.place(staffing), up.place(staffing)
        if here > 0:
            lower = down.put(staffing, here - 1)
            trials = (up.put(lower, k) for k in range(there + 1, len(up.steps)))
            yield from (trial for trial in trials if abs(cost(trial) - now) < TINY)


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
