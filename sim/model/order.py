"""Orders of numbers, faster than a stable sort, and who is due on which day."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.compilation import allocating_kernel

Int64Array = NDArray[np.int64]


def order_of(numbers: Int64Array) -> Int64Array:
    """Positions in order of the numbers (at least 0); of equal numbers in their order.

    Packed with the position they are all different, so that NumPy's fast unstable sort gives the
    stable order. There is room for that beside 67 million times of day in microseconds.
    """
    if not _fit_with_position(numbers):
        return np.argsort(numbers, kind="stable")
    packed = _packed(numbers, _bits_of_positions(numbers))
    packed.sort()
    return _positions(packed)


def _positions(packed: Int64Array) -> Int64Array:
    """The positions that numbers are packed with."""
    packed &= (1 << _bits_of_positions(packed)) - 1
    return packed


def _bits_of_positions(array: Int64Array) -> int:
    return max(array.size - 1, 0).bit_length()


def _fit_with_position(numbers: Int64Array) -> bool:
    """Whether each of these numbers goes into 63 bits together with its position."""
    return int(numbers.max(initial=0)).bit_length() + _bits_of_positions(numbers) <= 63


def order_by_place(places: NDArray[np.int16], numbers: Int64Array) -> Int64Array:
    """Positions in order of place (0 or more), then of the numbers; equal ones in their order."""
    if not _fit_with_position(numbers):
        return np.lexsort((numbers, places))
    last = int(places.max(initial=0))
    packed, begin = _packed_by_place(places, last, numbers, _bits_of_positions(numbers))
    for first, end in pairwise(begin.tolist()):
        packed[first:end].sort()
    return _positions(packed)


@allocating_kernel
def order_of_small(numbers, last):  # type: ignore[no-untyped-def]
    """Positions in order of numbers 0 ... last, which are few; of equal ones in their order."""
    place = first_by_number(numbers, last)
    order = np.empty(numbers.size, dtype=np.int64)
    for i in range(numbers.size):
        order[place[numbers[i]]] = i
        place[numbers[i]] += 1
    return order


@allocating_kernel
def _packed(numbers, bits):  # type: ignore[no-untyped-def]
    """The numbers, each with its position in so many bits after it."""
    packed = np.empty(numbers.size, dtype=np.int64)
    for i in range(numbers.size):
        packed[i] = (numbers[i] << bits) | i
    return packed


@allocating_kernel
def _packed_by_place(places, last, numbers, bits):  # type: ignore[no-untyped-def]
    """The same in order of place, 0 ... last; and where each place begins (last + 2 numbers)."""
    begin = first_by_number(places, last)
    packed, free = np.empty(numbers.size, dtype=np.int64), begin.copy()
    for i in range(numbers.size):
        packed[free[places[i]]] = (numbers[i] << bits) | i
        free[places[i]] += 1
    return packed, begin


@allocating_kernel
def first_by_number(numbers, last):  # type: ignore[no-untyped-def]
    """Where those of each number (0 ... last) begin when all are in order, and the end."""
    first = np.zeros(last + 2, dtype=np.int64)
    for each in numbers:
        first[np.int64(each) + 1] += 1
    return np.cumsum(first)


class Agenda:
    """Who is due on which day: entered ahead, taken when the day has come."""

    def __init__(self, days: int) -> None:
        """Days are numbered from 0; later ones than `days` do not come."""
        self._due: list[list[NDArray[np.int32]]] = [[] for _ in range(days)]

    def enter(self, who: Int64Array, days: NDArray[np.integer[Any]]) -> None:
        """Put each of `who` down for a day (arrays of one length)."""
        in_order, begin, some = _by_day(who, days.astype(np.int16, copy=False), len(self._due))
        for day in some.tolist():
            self._due[day].append(in_order[begin[day] : begin[day + 1]])

    def enter_all(self, who: Int64Array, day: int) -> None:
        """Put all of `who` down for the same day."""
        if day < len(self._due):
            self._due[day].append(who.astype(np.int32))

    def take(self, today: int) -> Int64Array:
        """Those due today, in the order of their entry; they are struck off."""
        due, self._due[today] = self._due[today], []
        return np.concatenate([np.empty(0, dtype=np.int64), *due])


@allocating_kernel
def _by_day(who, days, number):  # type: ignore[no-untyped-def]
    """Those due on days 0 ... number - 1 in order of the day, at equal days in their order; where
    each of these days begins (number + 1 places); and the days on which anybody is due."""
    begin = np.zeros(number + 1, dtype=np.int64)
    for day in days:
        if day < number:
            begin[day + 1] += 1
    begin = np.cumsum(begin)
    place = begin.copy()
    in_order = np.empty(begin[number], dtype=np.int32)  # (half the memory)
    for i in range(who.size):
        day = days[i]
        if day < number:
            in_order[place[day]] = who[i]
            place[day] += 1
    return in_order, begin, np.flatnonzero(begin[1:] > begin[:-1])
