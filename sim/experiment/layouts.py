"""Layouts: what a lever changes laid out over its parts, so that less of it will do.

A lever named alone moves all its parts: all deliveries in proportion, all groups by as many days.
Part of that may be of no use: doses that come on the last day, agents of a language that nobody
waits for. From a point that was found, its levers are therefore taken apart, a unit of a part
costing what a unit of the lever costs (or its share of that, where all parts are moved by as much).
Tried are: the parts as the lever moves them, what is not needed taken back; each part of a lever
alone, in place of all of them, those first of which the ceiling allows the smallest size; and from
the cheapest of these, exchanges (`exchanges.py`) of parts and of the other levers for one another.
What would not be cheaper is not looked at, and what the ceiling forbids is not simulated.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sim.experiment.attainment import Attainment, OutOfReplicationsError, Point
from sim.experiment.changes import shared_out
from sim.experiment.exchanges import exchanged
from sim.experiment.levers import Lever

MOST_FOR_LAYOUTS = 150
"""Replications after which no further layout of a point is looked at."""
_EQUAL = 1e-9
"""Costs that differ by no more are the same."""


@dataclass
class _Laying:
    """A search with some levers taken apart, and the cheapest that it has found."""

    wide: Attainment
    point: Point
    """of the search with whole levers"""
    will_do: bool
    """whether that point does"""
    finer: Attainment = field(init=False)
    places: list[tuple[int, ...]] = field(init=False)
    """where each lever, or its parts, are in the finer search"""
    found: Point | None = None

    def __post_init__(self) -> None:
        levers: list[Lever] = []
        costs: dict[str, float] = {}
        self.places = []
        for lever, size in zip(self.wide.levers, self.point, strict=True):
            parts = lever.parts if size and lever.parts else (lever,)
            self.places.append(tuple(range(len(levers), len(levers) + len(parts))))
            levers += parts
            for part in parts:
                costs[part.name] = self.wide.costs[lever.name] * part.weight
        self.finer = self.wide.with_levers(levers, costs)

    @property
    def apart(self) -> list[tuple[int, ...]]:
        """Places of the parts of each lever that is taken apart, the dearest first."""
        moved = [i for i, places in enumerate(self.places) if len(places) > 1]
        cost = {i: self.wide.costs[self.wide.levers[i].name] * self.point[i] for i in moved}
        return [self.places[i] for i in sorted(moved, key=lambda i: -cost[i])]

    def as_moved(self) -> Point:
        """The parts as their levers move them, at least."""
        sizes: list[int] = []
        for lever, size, places in zip(self.wide.levers, self.point, self.places, strict=True):
            if len(places) == 1:
                sizes.append(size)
            elif lever.shared_out:
                shares = shared_out(size, [part.has for part in lever.parts])
                sizes += [
                    part.size_at_least(share)
                    for part, share in zip(lever.parts, shares, strict=True)
                ]
            else:
                sizes += [part.size_at_least(size) for part in lever.parts]
        return tuple(sizes)

    def wide_open(self) -> Point:
        """The parts as far as they go."""
        sizes = list(self.as_moved())
        for places in self.apart:
            for i in places:
                sizes[i] = self.finer.levers[i].largest
        return tuple(sizes)

    @property
    def cost(self) -> float:
        """Cost of the cheapest that there is."""
        known = [] if self.found is None else [self.finer.cost(self.found)]
        return min([*known, *([self.wide.cost(self.point)] if self.will_do else [])])

    def look_at(self, point: Point) -> None:
        """Take what is not needed back from a point, if it will do, and keep it if it is cheaper.

        Or if it moves less for as much.
        """
        if not self.finer.will_do(point):
            return
        point = self.finer.taken_back(point)
        if self.finer.within_bounds(point):
            self.found = min(filter(None, (self.found, point)), key=self._rank)

    def _rank(self, point: Point) -> tuple[float, int]:
        return round(self.finer.cost(point), 9), sum(map(bool, point))

    def each_alone(self, start: Point, places: Sequence[int]) -> Iterator[Point]:
        """Each part of a lever in place of all of them, as large as it would still be cheaper."""
        rest = tuple(0 if i in places else size for i, size in enumerate(start))
        promising = sorted((self._least(rest, i) * self._unit_cost(i), i) for i in places)
        for least, i in promising:
            free = self.cost + _EQUAL - self.finer.cost(rest)
            largest = self.finer.levers[i].size_at_most(free / self._unit_cost(i))
            if largest and least <= free:
                yield (*rest[:i], largest, *rest[i + 1 :])

    def _unit_cost(self, i: int) -> float:
        return self.finer.costs[self.finer.levers[i].name]

    def _least(self, rest: Point, i: int) -> float:
        """The least size of a part that the ceiling allows beside the rest."""
        lever = self.finer.levers[i]
        if not self.finer.ceiling_decides or not lever.supply:
            return 0.0
        return self.finer.least_allowed(rest, i, math.inf)


def laid_out(
    search: Attainment, point: Point, will_do: bool, most: int = MOST_FOR_LAYOUTS
) -> tuple[tuple[Attainment, Point] | None, bool]:
    """A cheaper layout of a point, and the search in which it is one; None: none is cheaper.

    Of a point that will not do: any layout of the parts that will do. It ends after so many
    replications, at most, with what was found by then; False: more would have been looked at.
    """
    laying = _Laying(search, point, will_do)
    finer, end = laying.finer, search.trials.spent + most
    finished = False
    with contextlib.suppress(OutOfReplicationsError):
        if will_do:
            missed = search.misses(point, search.searched)
            finer.forgiven = max(search.forgiven, len(missed))
            laying.look_at(laying.as_moved())
        elif not finer.fails_as_smaller(laying.wide_open(), search.first_row):
            laying.look_at(laying.wide_open())
        for places in laying.apart if will_do or laying.found else []:
            for alone in laying.each_alone(laying.found or laying.as_moved(), places):
                if search.trials.spent >= end:
                    raise OutOfReplicationsError
                laying.look_at(alone)
        finished = True
        if laying.found is not None:
            exchange = exchanged(finer, laying.found, max(end - search.trials.spent, 0))
            laying.look_at(exchange.point)
            finished = exchange.finished
    found = laying.found
    cheaper = found is not None and finer.cost(found) < search.cost(point) - _EQUAL
    return (finer, found) if found is not None and (cheaper or not will_do) else None, finished
