"""Hospital desks, employers, volunteers: they register people without a telephone queue."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from sim.compilation import allocating_kernel
from sim.model.order import order_by_place
from sim.model.population import NEVER, Population, Status
from sim.scenario import Scenario

Int64Array = NDArray[np.int64]
_NOT_REGISTERED = int(Status.NOT_REGISTERED)


class OtherChannels:
    """People who do not book by telephone, in the order of their coming; so many a day."""

    def __init__(self, scenario: Scenario, people: Population) -> None:
        self._channels = scenario.other_channels
        self._first_day = scenario.campaign.first_day
        self._people = people
        who = np.flatnonzero(
            people.willing
            & ~people.by_telephone
            & (people.status == Status.NOT_REGISTERED)
            & (people.first_call_day != NEVER)
        )
        days = people.first_call_day[who]
        order = order_by_place(days, people.first_call_us[who])
        self._queue = who.astype(np.int32)[order]  # (half the memory)
        horizon = (scenario.campaign.horizon - self._first_day).days
        self._come_by = np.cumsum(np.bincount(days, minlength=horizon + 1))
        """how many of the queue have come by the end of each day"""
        self._next = 0

    def coming(self, today: int) -> NDArray[np.int32]:
        """People who come for the first time today, if it is open or not."""
        return self._queue[self._come_before(today) : self._come_by[today]]

    def _come_before(self, today: int) -> int:
        return int(self._come_by[today - 1]) if today else 0

    def register(self, today: int) -> tuple[Int64Array, Int64Array]:
        """As many as a day allows, first come first served; and the time of each (µs)."""
        if not self._channels.is_open(self._first_day + timedelta(days=today)):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self._next, who, came_us = _first_unregistered(
            self._queue[: self._come_by[today]],
            self._next,
            self._come_before(today),
            self._people.status,
            self._people.first_call_us,
            self._channels.bookings_per_day,
        )
        return who, came_us


@allocating_kernel
def _first_unregistered(queue, place, come_before, status, first_call_us, most):  # type: ignore[no-untyped-def]
    """The first in the queue, from a place on, who are not registered, `most` at most.

    Returns the place after them (all before it are registered then, or no longer in need), them,
    and when they came today: at 0 those who have come before.
    """
    size = min(most, queue.size - place)
    who, came_us = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    number = 0
    while place < queue.size and number < most:
        person = queue[place]
        if status[person] == _NOT_REGISTERED:
            who[number] = person
            came_us[number] = first_call_us[person] if place >= come_before else 0
            number += 1
        place += 1
    return place, who[:number], came_us[:number]
