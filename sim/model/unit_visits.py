"""Who comes to the units when: at an appointment, early or late, or walking in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.compilation import allocating_kernel, kernel
from sim.model.capacity import open_by_day
from sim.model.order import order_by_place
from sim.model.population import Population, Status, TimeProfile, fill_times_of_day
from sim.model.unit_plan import QuantileTables, UnitPlan, opening_us
from sim.random_streams import (
    RandomStreams,
    Stream,
    UInt32Array,
    draw,
    fill_blocks,
    quantile,
    stream_word,
    threshold,
)
from sim.scenario import MINUTE_US, Scenario

Int64Array = NDArray[np.int64]

_NOT_REGISTERED = int(Status.NOT_REGISTERED)

SECOND_DOSE_TRIES = 1000
"""Visits for a second dose have their own luck: their attempts are numbered from here."""


@dataclass(frozen=True)
class Visits:
    """The people who come to the units on one day, by unit, then in order of arrival."""

    people: Int64Array
    unit: NDArray[np.int16]
    walk_in: NDArray[np.bool_]
    arrival_us: Int64Array
    tolerance_us: Int64Array
    """longest wait at a station"""


class Visitors:
    """The people who come to the units, day by day."""

    def __init__(
        self,
        scenario: Scenario,
        streams: RandomStreams,
        people: Population,
        plans: Sequence[UnitPlan],
        tables: QuantileTables,
        slots: Int64Array,
    ) -> None:
        """slots: int64[units, T] appointments."""
        self._streams, self._people, self._slots = streams, people, slots
        self._names = list(scenario.units)
        self._units = list(scenario.units.values())
        self._groups = list(scenario.groups)
        self._opens_us, self._open_us = opening_us(plans)
        self._open = open_by_day(scenario)
        appointments = scenario.appointments
        self._no_show = np.uint64(threshold(appointments.no_show))
        self._block_us = appointments.block_minutes * MINUTE_US
        self._punctuality = tables.of(appointments.punctuality_minutes)
        self._tolerance = tables.of(appointments.waiting_tolerance_minutes)
        self._streams_of_visits = self._streams_by_group(Stream.VISIT)
        self._walk_in_streams = self._streams_by_group(Stream.WALK_IN_PERSON)
        self._walk_in_order = self._order_of_walk_ins()
        self._walk_in_profiles = {
            number: TimeProfile(unit, unit.walk_in_times)
            for number, unit in enumerate(self._units)
            if unit.walk_in_times is not None
        }

    def _streams_by_group(self, stream: Stream) -> NDArray[np.uint32]:
        return np.array([stream_word(stream, group) for group in self._groups], dtype=np.uint32)

    def _order_of_walk_ins(self) -> dict[int, Int64Array]:
        """For each unit with walk-ins, the willing of its catchment in the order of walking in."""
        people = self._people
        has_walk_ins = np.array([unit.walk_ins_per_day > 0 for unit in self._units])
        who = np.flatnonzero(has_walk_ins[people.home_unit] & people.willing)
        words = self._walk_in_streams[people.group[who]]
        luck = self._streams.blocks(words, people.entity[who])[1]
        home = people.home_unit[who]
        in_order = order_by_place(home, luck.astype(np.int64))
        first = np.searchsorted(home[in_order], np.arange(len(self._units) + 1))
        return {
            int(number): who[in_order[first[number] : first[number + 1]]]
            for number in np.flatnonzero(has_walk_ins)
        }

    @property
    def may_walk_in(self) -> bool:
        """Whether there is a unit that people walk into."""
        return bool(self._walk_in_order)

    def words(self, who: Int64Array) -> UInt32Array:
        """The four words of VISIT for the present visit of these people."""
        people = self._people
        words = np.empty((4, who.size), dtype=np.uint32)
        _fill_visit_words(
            who,
            people.group,
            people.entity,
            people.tries,
            people.doses,
            self._streams_of_visits,
            *self._streams.key,
            words,
        )
        return words

    def today(self, today: int, due: Int64Array, turn_day: Int64Array) -> tuple[Visits, Int64Array]:
        """Everybody who comes, by unit, then in order of arrival; and who stays away."""
        people = self._people
        walking = {n: self._walk_ins(today, n, turn_day) for n in self._walk_in_order}
        walk_ins = np.concatenate([np.empty(0, dtype=np.int64), *walking.values()])
        size = due.size + walk_ins.size
        who = np.empty(size, dtype=np.int64)
        unit = np.empty(size, dtype=np.int16)
        arrival_us = np.empty(size, dtype=np.int64)
        tolerance_us = np.empty(size, dtype=np.int64)
        absent = np.empty(due.size, dtype=np.int64)
        coming = _draw_appointments(
            due,
            self.words(due),
            people.appointment_unit,
            people.appointment_slot,
            self._opens_us,
            self._open_us,
            self._slots[:, today].copy(),
            self._block_us,
            self._no_show,
            self._punctuality,
            self._tolerance,
            who,
            unit,
            arrival_us,
            tolerance_us,
            absent,
        )
        size = coming + walk_ins.size
        who[coming:size] = walk_ins
        unit[coming:size] = np.repeat(
            np.array(list(walking), dtype=np.int16), [who.size for who in walking.values()]
        )
        arrival_us[coming:size] = self._moments(walk_ins, unit[coming:size])
        tolerance_us[coming:size] = draw(self._tolerance, self.words(walk_ins)[3])
        order = order_by_place(unit[:size], arrival_us[:size])
        visits = Visits(
            people=who[order],
            unit=unit[order],
            walk_in=order >= coming,
            arrival_us=arrival_us[order],
            tolerance_us=tolerance_us[order],
        )
        return visits, absent[: due.size - coming]

    def _moments(self, walk_ins: Int64Array, unit: NDArray[np.int16]) -> Int64Array:
        """When people walk in: by the unit's profile, else uniform between opening and closing."""
        people = self._people
        streams = self._walk_in_streams[people.group[walk_ins]]
        words = self._streams.blocks(streams, people.entity[walk_ins])
        after_us = (words[0].astype(np.int64) * (self._open_us[unit] >> 16)) >> 16
        moments = np.asarray(self._opens_us[unit] + after_us)
        for number, profile in self._walk_in_profiles.items():
            here = unit == number
            times_us = np.empty(int(here.sum()), dtype=np.int64)
            fill_times_of_day(*profile.hours, words[0, here], words[2, here], times_us)
            moments[here] = times_us
        return moments

    def _walk_ins(self, today: int, number: int, turn_day: Int64Array) -> Int64Array:
        """Who walks in today: a Poisson number of the unregistered of its catchment, by turn."""
        if not self._open[number, today]:
            return np.empty(0, dtype=np.int64)
        stream = stream_word(Stream.WALK_IN, str(self._names[number]))
        wanted = _poisson(
            self._units[number].walk_ins_per_day, int(self._streams.blocks(stream, today)[0, 0])
        )
        people, order = self._people, self._walk_in_order[number]
        begin, coming = _first_walk_ins(order, people.status, people.group, turn_day, today, wanted)
        self._walk_in_order[number] = order[begin:]
        return np.asarray(coming)


def _poisson(mean: float, word: int) -> int:
    """Poisson quantile at a 32-bit word (cumulative distribution from scipy.special.pdtr)."""
    from scipy.special import pdtr

    spread = 8 * math.sqrt(mean) + 10
    low = max(math.floor(mean - spread), 0)
    numbers = np.arange(low, math.ceil(mean + spread) + 1)
    return low + int(np.searchsorted(pdtr(numbers, mean), (word + 0.5) / 2**32))


@kernel
def _draw_appointments(  # type: ignore[no-untyped-def]
    due,
    words,
    appointment_unit,
    appointment_slot,
    opens_us,
    open_us,
    slots,
    block_us,
    no_show,
    punctuality,
    tolerance,
    out_coming,
    out_unit,
    out_arrival_us,
    out_tolerance_us,
    out_absent,
):
    """Who of those due comes, when, and how patient; and who stays away. Returns how many come.

    The k-th appointment of a day is at its place between opening and closing.
    """
    coming = absent = 0
    for i in range(due.size):
        person = due[i]
        if words[0, i] < no_show:
            out_absent[absent] = person
            absent += 1
            continue
        unit = appointment_unit[person]
        after_us = appointment_slot[person] * open_us[unit] // max(slots[unit], 1)
        if block_us:
            after_us = after_us // block_us * block_us
        out_coming[coming] = person
        out_unit[coming] = unit
        early_or_late_us = quantile(punctuality, words[1, i])
        out_arrival_us[coming] = max(opens_us[unit] + after_us + early_or_late_us, 0)
        out_tolerance_us[coming] = quantile(tolerance, words[3, i])
        coming += 1
    return coming


@allocating_kernel
def visit_numbers(who, tries, doses):  # type: ignore[no-untyped-def]
    """Numbers of the present visits of these people, for random streams."""
    numbers = np.empty(who.size, dtype=np.uint32)
    for i in range(who.size):
        numbers[i] = tries[who[i]] + SECOND_DOSE_TRIES * np.int64(doses[who[i]])
    return numbers


@allocating_kernel
def _fill_visit_words(  # type: ignore[no-untyped-def]
    who, group, entity, tries, doses, streams, replication, seed_low, seed_high, out
):
    numbers = visit_numbers(who, tries, doses)
    fill_blocks(entity[who], numbers, streams[group[who]], replication, seed_low, seed_high, out)


@allocating_kernel
def _first_walk_ins(order, status, group, turn_day, today, wanted):  # type: ignore[no-untyped-def]
    """The first so many in the order who are not registered and whose turn has come.

    Returns where the order begins from now on, and them. Those passed over whose turn is still to
    come move up to that place; the others (registered for good) are out.
    """
    coming = np.empty(min(wanted, order.size), dtype=order.dtype)
    found = seen = early = 0
    while found < wanted and seen < order.size:
        person = order[seen]
        seen += 1
        if status[person] != _NOT_REGISTERED:
            continue
        if turn_day[group[person]] <= today:
            coming[found] = person
            found += 1
        else:
            order[early] = person
            early += 1
    begin = seen - early
    for i in range(early - 1, -1, -1):
        order[begin + i] = order[i]
    return begin, coming[:found]
