"""Slots and promised doses: who gets an appointment, where and when.

Each evening the waiting list is gone through in order. A person is offered the earliest day on
which a slot is free and a dose can be promised, not before the person's turn (or the end of the
interval), not after the booking window: at the home unit if that is at most
`home_unit_tolerance_days` later than the earliest slot anywhere, else at another unit of the same
district within that tolerance, else wherever it is earliest (at equal days the home unit, then the
home district, then the unit listed first). Slots are open to both doses, or each dose has its own
(`second_dose_slots`).

*Doses to promise* on day d, for each vaccine: what is on hand, plus (stock_rule = "announced") what
is announced to arrive by d, less all doses promised for days up to d; a promise on day d must leave
nothing negative later. A delivery that is overdue is not counted until it arrives. Under the policy
`reserve` a first dose is promised only with the second, for the day on which that falls due (or the
last day, if it falls due later).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.compilation import kernel
from sim.model.population import HeldBy
from sim.scenario import Scenario

Int64Array = NDArray[np.int64]
UNLIMITED = 2**40
_NO_DOSE = int(HeldBy.NO_DOSE)
_NO_SLOT = int(HeldBy.NO_SLOT)


@kernel
def _next_free(jump, place, day):  # type: ignore[no-untyped-def]
    """First day >= `day` with a free slot at the place (last column: none). Halves paths."""
    row = jump[place]
    while row[day] != day:
        row[day] = row[row[day]]
        day = row[day]
    return day


@kernel
def _take_slot(free, jump, place, day):  # type: ignore[no-untyped-def]
    free[place, day] -= 1
    if free[place, day] == 0:
        jump[place, day] = day + 1


@kernel
def _promise(left, first_day, vaccine, day):  # type: ignore[no-untyped-def]
    """Promise a dose for `day`; `first_day[v]` moves past every day that cannot promise more."""
    days = left.shape[1]
    row = left[vaccine]
    least = row[day] - 1
    for d in range(day, days):
        row[d] -= 1
        least = min(least, row[d])
    if least <= 0:
        d = days - 1
        while row[d] > 0:
            d -= 1
        first_day[vaccine] = max(first_day[vaccine], d + 1)


@kernel
def _first_dose_days(left, first_day, reserve_vaccine, reserve_after, out):  # type: ignore[no-untyped-def]
    """Days from which first doses can be promised: a second one can be set aside with them."""
    days = left.shape[1]
    for vaccine in range(left.shape[0]):
        other = reserve_vaccine[vaccine]
        out[vaccine] = first_day[vaccine]
        if other < 0:
            continue
        second_from = first_day[other]
        if other == vaccine:  # two doses of it are needed
            second_from = days
            while second_from > 0 and left[vaccine, second_from - 1] >= 2:
                second_from -= 1
        if second_from == days:
            out[vaccine] = days
        else:
            out[vaccine] = max(first_day[vaccine], second_from - reserve_after[vaccine])


@kernel
def _vaccine_for(first_day, choices, day):  # type: ignore[no-untyped-def]
    """The first vaccine among `choices` that can be promised for the day, or -1."""
    for vaccine in choices:
        if vaccine >= 0 and day >= first_day[vaccine]:
            return vaccine
    return -1


@kernel
def _earliest(jump, place, day, latest, first_day, choices, by_day):  # type: ignore[no-untyped-def]
    """First day in day ... latest with a slot at the place and a dose, or -1.

    `choices` is int8[days, V] (by_day) or int8[1, V]: vaccines in order of preference.
    """
    day = _next_free(jump, place, day)
    while day <= latest:
        if _vaccine_for(first_day, choices[day if by_day else 0], day) >= 0:
            return day
        day = _next_free(jump, place, day + 1)
    return -1


@kernel
def _book(  # type: ignore[no-untyped-def]
    homes,
    earliest,
    latest,
    wanted,
    first_choices,
    tolerance,
    deadline,
    free,
    jump,
    districts,
    members,
    pointers,
    left,
    first_day,
    reserve_vaccine,
    reserve_after,
    booked,
    out_day,
    out_unit,
    out_slot,
    out_vaccine,
    out_held,
    just_look,
):
    """Go through the candidates in order (arrays over candidates; places: units, districts, all).

    free, jump and pointers have a ledger of slots for all doses, or one each for first and second.
    wanted: the vaccine of a second dose, or -1 for a first dose (first_choices[day] then). With
    `just_look` nothing is taken and only `out_held` is written.
    """
    units = districts.shape[0]
    everywhere = free.shape[1] - 1
    days = left.shape[1]
    single = np.full((1, first_choices.shape[1]), -1, dtype=first_choices.dtype)
    begin_day = np.empty_like(first_day)
    _first_dose_days(left, first_day, reserve_vaccine, reserve_after, begin_day)
    for i in range(homes.shape[0]):
        home = homes[i]
        district = units + districts[home]
        second = wanted[i] >= 0
        ledger = free.shape[0] - 1 if second else 0
        slots, jumps = free[ledger], jump[ledger]
        if second:
            single[0, 0] = wanted[i]
            soonest = first_day[wanted[i]]
        else:
            soonest = begin_day.min()
        choices = single if second else first_choices
        dose_day = first_day if second else begin_day
        begin = max(earliest[i], soonest)
        out_day[i] = -1
        best = -1
        if begin <= latest[i]:
            best = _earliest(jumps, everywhere, begin, latest[i], dose_day, choices, not second)
        slot_day = _next_free(jumps, everywhere, earliest[i])
        if best < 0:
            # A free slot without a dose: doses hold the person back; otherwise, if a dose could
            # be promised in the window, slots do; if neither could, doses.
            if slot_day <= latest[i] or soonest > latest[i]:
                out_held[i] = _NO_DOSE
            else:
                out_held[i] = _NO_SLOT
            continue
        if just_look:
            out_held[i] = 0
            continue
        limit = min(best + tolerance, latest[i])
        day = _earliest(jumps, home, best, limit, dose_day, choices, not second)
        unit = home
        if day < 0:
            day = _earliest(jumps, district, best, limit, dose_day, choices, not second)
            if day >= 0:
                unit = _member_with_slot(slots, members, pointers[ledger], district, day)
            else:
                day = best
                unit = _member_with_slot(slots, members, pointers[ledger], everywhere, day)
        vaccine = _vaccine_for(dose_day, choices[0 if second else day], day)
        _promise(left, first_day, vaccine, day)
        if reserve_vaccine[vaccine] >= 0 and not second:
            due = min(day + reserve_after[vaccine], days - 1)
            _promise(left, first_day, reserve_vaccine[vaccine], due)
        _first_dose_days(left, first_day, reserve_vaccine, reserve_after, begin_day)
        out_slot[i] = booked[unit, day]
        booked[unit, day] += 1
        _take_slot(slots, jumps, unit, day)
        _take_slot(slots, jumps, units + districts[unit], day)
        _take_slot(slots, jumps, everywhere, day)
        out_day[i] = day
        out_unit[i] = unit
        out_vaccine[i] = vaccine
        out_held[i] = 0
        if day > deadline >= earliest[i]:
            # Wanted before the deadline: a free slot without a dose, or no slot soon enough?
            doses_hold = best > deadline and (slot_day <= deadline or soonest > deadline)
            out_held[i] = _NO_DOSE if doses_hold else _NO_SLOT


@kernel
def _member_with_slot(free, members, pointers, place, day):  # type: ignore[no-untyped-def]
    """The unit listed first in the place with a free slot that day (free slots never come back)."""
    while free[members[place, pointers[place, day]], day] == 0:
        pointers[place, day] += 1
    return members[place, pointers[place, day]]


@dataclass(frozen=True)
class Bookings:
    """Outcome of one pass over candidates (arrays over candidates; day -1: none)."""

    day: Int64Array
    unit: Int64Array
    slot: Int64Array
    vaccine: Int64Array
    held_by: Int64Array


class AppointmentBook:
    """Free slots by unit and day, and the doses promised by vaccine and day."""

    def __init__(self, scenario: Scenario, slots: Int64Array) -> None:
        """`slots` is int64[units, days]: appointments that each unit gives on each day."""
        units, days = slots.shape
        self.slots = slots
        district_names = list(scenario.districts)
        self._districts = np.array(
            [district_names.index(unit.district) for unit in scenario.units.values()],
            dtype=np.int64,
        )
        places = units + len(district_names) + 1
        ledgers = _ledgers(slots, scenario.appointments.second_dose_slots)
        self._free = np.zeros((len(ledgers), places, days + 1), dtype=np.int64)
        for free, part in zip(self._free, ledgers, strict=True):
            free[:units, :days] = part
            np.add.at(free[:, :days], units + self._districts, part)
            free[-1, :days] = part.sum(axis=0)
        self._jump = self._first_jumps()
        self._members = np.zeros((places, units), dtype=np.int64)
        for place in range(units, places):
            inside = (
                np.arange(units)
                if place == places - 1
                else np.flatnonzero(self._districts == place - units)
            )
            self._members[place, : inside.size] = inside
        self._pointers = np.zeros_like(self._free)
        self.booked = np.zeros((units, days), dtype=np.int64)
        """appointments ever given, by unit and day"""
        self.promised = np.zeros((len(scenario.vaccines), units, days), dtype=np.int64)
        """appointments by vaccine, unit and day"""
        self._tolerance = scenario.appointments.home_unit_tolerance_days
        self._deadline = (scenario.campaign.deadline - scenario.campaign.first_day).days

    def _first_jumps(self) -> Int64Array:
        """jump[ledger, place, d] = d where a slot is free, else a later day to look at."""
        days = np.broadcast_to(np.arange(self._free.shape[-1]), self._free.shape)
        jump = np.where(self._free > 0, days, days + 1)
        jump[..., -1] = self._free.shape[-1] - 1
        return jump

    def book(
        self,
        homes: NDArray[Any],
        earliest: NDArray[Any],
        latest: NDArray[Any],
        wanted: NDArray[Any],
        first_choices: NDArray[np.int64],
        doses_left: Int64Array,
        reserve: tuple[Int64Array, Int64Array],
        just_look: bool = False,
    ) -> Bookings:
        """Appointments for the candidates, in their order.

        homes, earliest, latest, wanted: arrays over candidates (unit; first and last possible day;
        the vaccine of a second dose or -1). first_choices: int64[days, V], vaccines for first
        doses on each day. doses_left: int64[V, days], to promise up to each day (changed in
        place). reserve: for each vaccine the one to set aside with a first dose (-1: none), and
        after how many days.
        """
        days = doses_left.shape[1]
        first_day = np.array([_first_day_to_promise(row) for row in doses_left], dtype=np.int64)
        out = [np.full(homes.size, -1, dtype=np.int64) for _ in range(5)]
        arguments = (
            homes.astype(np.int64),
            np.minimum(earliest, days).astype(np.int64),
            np.minimum(latest, days - 1).astype(np.int64),
            wanted.astype(np.int64),
            first_choices,
            self._tolerance,
            self._deadline,
            self._free,
            self._jump,
            self._districts,
            self._members,
            self._pointers,
            doses_left,
            first_day,
            *reserve,
            self.booked,
            *out,
            just_look,
        )
        _book(*arguments)
        bookings = Bookings(*out)
        if not just_look:
            made = bookings.day >= 0
            np.add.at(
                self.promised,
                (bookings.vaccine[made], bookings.unit[made], bookings.day[made]),
                1,
            )
        return bookings

    def may_have(self, earliest: int, latest: int, doses_left: Int64Array) -> bool:
        """Whether a first dose may find a slot and a dose on a day from earliest to latest.

        A quick look before a pass over many candidates: False is certain, True is not (the free
        slot and the dose may be on different days).
        """
        days = doses_left.shape[1]
        soonest = min(_first_day_to_promise(row) for row in doses_left)
        begin, latest = max(earliest, soonest), min(latest, days - 1)
        return begin <= latest and int(_next_free(self._jump[0], -1, begin)) <= latest

    def promised_until(self, today: int) -> Int64Array:
        """int64[V, days]: doses promised for days after today, up to each day."""
        by_day = self.promised.sum(axis=1)
        by_day[:, : today + 1] = 0
        return np.asarray(np.cumsum(by_day, axis=1))


def _ledgers(slots: Int64Array, second_share: float | None) -> list[Int64Array]:
    """Slots for all doses alike (no share), or those for first and those for second doses."""
    if second_share is None:
        return [slots]
    second = np.floor(slots * second_share + 1e-9).astype(np.int64)
    return [slots - second, second]


def _first_day_to_promise(left: Int64Array) -> int:
    """First day from which a dose can be promised, given the doses left up to each day."""
    short = np.flatnonzero(left <= 0)
    return int(short[-1]) + 1 if short.size else 0
