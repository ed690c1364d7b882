"""Cheaper combinations: more of one lever for less of others, at a lower cost.

A point of which nothing can be taken back may still be dearer than another one. From such a point,
every lever is offered more in return for less of one of the others that are moved, or of all of
them in proportion: for all that they cost, a half, a quarter, an eighth of it. An offer costs
`LEAST_SAVING` less than the point; what the ceiling forbids, and what is nowhere larger than an
offer refused with the same levers, is not simulated. The first offer that will do is taken, what is
not needed of it is taken back, and all begins anew. Where it takes more of several levers at once
to spare another, no single exchange finds that; other starts may (`Attainment.combinations`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from sim.experiment.attainment import OutOfReplicationsError, Point

if TYPE_CHECKING:
    from sim.experiment.attainment import Attainment

LEAST_SAVING = 0.02
"""Of the cost: what saves less is not looked for."""
_SHARES = (1.0, 0.5, 0.25, 0.125)


class Exchanged(NamedTuple):
    """A point after all exchanges that make it cheaper."""

    point: Point
    finished: bool
    """whether no further exchange is cheaper; else replications ran out"""
    offers: int
    """points that were looked at"""


def exchanged(search: Attainment, point: Point, most: int) -> Exchanged:
    """The point made cheaper as long as an exchange does, with so many replications at most."""
    end = search.trials.spent + most
    refused: dict[Point, None] = {}
    accepted = 0
    finished = False
    with contextlib.suppress(OutOfReplicationsError):
        while cheaper := _accepted(search, point, refused, end):
            accepted += 1
            point = cheaper
            point = search.taken_back(point)
        finished = True
    return Exchanged(point, finished, accepted + len(refused))


def _accepted(
    search: Attainment, point: Point, refused: dict[Point, None], end: int
) -> Point | None:
    for offer in offers(search, point):
        if any(_covers(other, offer) for other in refused):
            continue
        if search.trials.spent >= end:
            raise OutOfReplicationsError
        if search.will_do(offer):
            return offer
        refused[offer] = None
    return None


def _covers(refused: Point, offer: Point) -> bool:
    """Whether an offer has the same levers as one refused, and no more of any."""
    return all(a <= b and (a > 0) == (b > 0) for a, b in zip(offer, refused, strict=True))


def offers(search: Attainment, point: Point) -> Iterator[Point]:
    """Points with more of one lever and less of others, each cheaper by `LEAST_SAVING`.

    The greatest exchanges come first.
    """
    limit = (1 - LEAST_SAVING) * search.cost(point)
    moved = [i for i, size in enumerate(point) if size]
    for share in _SHARES:
        for more in range(len(point)):
            givers = [i for i in moved if i != more]
            for less in dict.fromkeys([tuple(givers), *((i,) for i in givers)]):
                offer = _offer(search, point, more, less, share, limit)
                if offer is not None and search.within_bounds(offer):
                    yield offer


def _offer(
    search: Attainment, point: Point, more: int, less: tuple[int, ...], share: float, limit: float
) -> Point | None:
    """A share of what some levers cost, less what is saved, spent on another lever."""
    lever, cost = search.levers[more], search.costs[search.levers[more].name]
    emptied = tuple(0 if i in less else size for i, size in enumerate(point))
    free = limit - search.cost(emptied)
    larger = [size for size in lever.sizes if size > point[more]]
    affordable = [size for size in larger if cost * (size - point[more]) <= free]
    if not affordable:
        return None
    within = [size for size in affordable if cost * (size - point[more]) <= share * free]
    size = within[-1] if within else affordable[0]
    left = free - cost * (size - point[more])
    parts = search.cost(point) - search.cost(emptied)
    sizes = list(emptied)
    sizes[more] = size
    for i in less:
        sizes[i] = search.levers[i].size_at_most(point[i] * min(left / parts, 1.0))
    left = limit - search.cost(tuple(sizes))
    sizes[more] = max(s for s in (size, *affordable) if cost * (s - size) <= left)
    return tuple(sizes)
