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

from sim.compilation import allocating_kernel, inlined_kernel, kernel
from sim.model.order import Agenda
from sim.model.population import HeldBy
from sim.scenario import Scenario

Int64Array = NDArray[np.int64]
UNLIMITED = 2**40
_NOTHING = int(HeldBy.NOTHING)
_NO_DOSE = int(HeldBy.NO_DOSE)
_NO_SLOT = int(HeldBy.NO_SLOT)


# Kernels. Slots are by ledger (one for all doses, or one each for first and second), place (units,
# districts, everywhere) and day. Doses are promised to _FIRST or _SECOND doses from a day on, which
# `from_day` has by vaccine; its third row says from when on _TWO doses are left on every day.
_FIRST, _SECOND, _TWO = 0, 1, 2


@inlined_kernel
def _next_free(jump, ledger, place, day):  # type: ignore[no-untyped-def]
    """First day >= `day` with a free slot at the place (last column: none). Halves paths."""
    after = jump[ledger, place, day]
    while after != day:
        after = jump[ledger, place, after]
        jump[ledger, place, day] = after
        day = after
        after = jump[ledger, place, day]
    return day


@inlined_kernel
def _take_slot(free, jump, ledger, place, day):  # type: ignore[no-untyped-def]
    free[ledger, place, day] -= 1
    if free[ledger, place, day] == 0:
        jump[ledger, place, day] = day + 1


@kernel
def _settle(left, pending, made, soonest, least_from, from_day, vaccine):  # type: ignore[no-untyped-def]
    """Take the pending promises of a vaccine from its doses left, and see what is left.

    made, soonest: number and first day of the pending promises; least_from: the fewest doses left
    on any day from each day on.
    """
    days = left.shape[1]
    promised = 0
    for day in range(days):
        promised += pending[vaccine, day]
        pending[vaccine, day] = 0
        left[vaccine, day] -= promised
    made[vaccine] = 0
    soonest[vaccine] = days - 1
    from_day[_SECOND, vaccine] = from_day[_TWO, vaccine] = days
    least = UNLIMITED
    for day in range(days - 1, -1, -1):
        least = min(least, left[vaccine, day])
        least_from[vaccine, day] = least
        if least >= 1:
            from_day[_SECOND, vaccine] = day
        if least >= 2:
            from_day[_TWO, vaccine] = day


@inlined_kernel
def _promise(left, pending, made, soonest, least_from, from_day, vaccine, day):  # type: ignore[no-untyped-def]
    """Promise a dose for a day. Returns whether `from_day` may have changed.

    Promises stay pending while they cannot change it: two doses are left on all days they touch.
    """
    pending[vaccine, day] += 1
    made[vaccine] += 1
    soonest[vaccine] = min(soonest[vaccine], day)
    if least_from[vaccine, soonest[vaccine]] - made[vaccine] >= 2:
        return False
    _settle(left, pending, made, soonest, least_from, from_day, vaccine)
    return True


@kernel
def _first_dose_days(from_day, days, reserve_vaccine, reserve_after):  # type: ignore[no-untyped-def]
    """Days from which first doses can be promised: a second one can be set aside with them.

    Returns the first of these days.
    """
    soonest = days
    for vaccine in range(from_day.shape[1]):
        first_from = from_day[_SECOND, vaccine]
        other = reserve_vaccine[vaccine]
        if other >= 0:
            second_from = from_day[_TWO if other == vaccine else _SECOND, other]
            if second_from == days:
                first_from = days
            else:
                first_from = max(first_from, second_from - reserve_after[vaccine])
        from_day[_FIRST, vaccine] = first_from
        soonest = min(soonest, first_from)
    return soonest


@inlined_kernel
def _vaccine_for(from_day, first_choices, wanted, day):  # type: ignore[no-untyped-def]
    """The vaccine wanted, or (-1) the first choice for a first dose, that the day has; or -1."""
    if wanted >= 0:
        return wanted if day >= from_day[_SECOND, wanted] else -1
    for choice in range(first_choices.shape[1]):
        vaccine = first_choices[day, choice]
        if vaccine >= 0 and day >= from_day[_FIRST, vaccine]:
            return vaccine
    return -1


@inlined_kernel
def _earliest(jump, ledger, place, day, latest, from_day, first_choices, wanted):  # type: ignore[no-untyped-def]
    """First day in day ... latest with a slot at the place and a dose, or -1."""
    day = _next_free(jump, ledger, place, day)
    while day <= latest:
        if _vaccine_for(from_day, first_choices, wanted, day) >= 0:
            return day
        day = _next_free(jump, ledger, place, day + 1)
    return -1


@kernel
def _member_with_slot(free, members, pointers, ledger, place, day):  # type: ignore[no-untyped-def]
    """The unit listed first in the place with a free slot that day (free slots never come back)."""
    while free[ledger, members[place, pointers[ledger, place, day]], day] == 0:
        pointers[ledger, place, day] += 1
    return members[place, pointers[ledger, place, day]]


@allocating_kernel
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
    reserve_vaccine,
    reserve_after,
    booked,
    promised,
    out_day,
    out_unit,
    out_slot,
    out_vaccine,
    out_held,
    just_look,
):
    """Go through the candidates in order (arrays over candidates).

    wanted: the vaccine of a second dose, or -1 for a first dose (first_choices[day] then). With
    `just_look` nothing is taken and only `out_held` is written.
    """
    units = districts.size
    everywhere = free.shape[1] - 1
    vaccines, days = left.shape
    pending = np.zeros((vaccines, days), dtype=np.int64)
    made = np.empty(vaccines, dtype=np.int64)
    soonest_made = np.empty(vaccines, dtype=np.int64)
    least_from = np.empty((vaccines, days), dtype=np.int64)
    from_day = np.empty((3, vaccines), dtype=np.int64)
    for each in range(vaccines):
        _settle(left, pending, made, soonest_made, least_from, from_day, each)
    first_soonest = _first_dose_days(from_day, days, reserve_vaccine, reserve_after)
    for i in range(homes.size):
        out_day[i] = -1
        if (
            just_look
            and i
            and earliest[i] == earliest[i - 1]
            and latest[i] == latest[i - 1]
            and wanted[i] == wanted[i - 1]
        ):
            out_held[i] = out_held[i - 1]  # nothing has changed since
            continue
        home = unit = np.int64(homes[i])
        district = units + districts[home]
        vaccine = np.int64(wanted[i])
        second = vaccine >= 0
        ledger = free.shape[0] - 1 if second else 0
        begin = min(np.int64(earliest[i]), days)
        end = min(np.int64(latest[i]), days - 1)
        soonest = from_day[_SECOND, vaccine] if second else first_soonest
        best = -1
        if max(begin, soonest) <= end:
            best = _earliest(
                jump, ledger, everywhere, max(begin, soonest), end, from_day, first_choices, vaccine
            )
        slot_day = _next_free(jump, ledger, everywhere, begin)
        if best < 0:
            # A free slot without a dose: doses hold the person back; otherwise, if a dose could
            # be promised in the window, slots do; if neither could, doses.
            out_held[i] = _NO_DOSE if slot_day <= end or soonest > end else _NO_SLOT
            continue
        if just_look:
            out_held[i] = _NOTHING
            continue
        end = min(best + tolerance, end)
        day = _earliest(jump, ledger, home, best, end, from_day, first_choices, vaccine)
        if day < 0:
            place = district
            day = _earliest(jump, ledger, district, best, end, from_day, first_choices, vaccine)
            if day < 0:
                place, day = everywhere, best
            unit = _member_with_slot(free, members, pointers, ledger, place, day)
        vaccine = _vaccine_for(from_day, first_choices, vaccine, day)
        news = _promise(left, pending, made, soonest_made, least_from, from_day, vaccine, day)
        other = reserve_vaccine[vaccine]
        if other >= 0 and not second:
            due = min(day + reserve_after[vaccine], days - 1)
            news |= _promise(left, pending, made, soonest_made, least_from, from_day, other, due)
        if news:
            first_soonest = _first_dose_days(from_day, days, reserve_vaccine, reserve_after)
        out_slot[i] = booked[unit, day]
        booked[unit, day] += 1
        promised[vaccine, unit, day] += 1
        _take_slot(free, jump, ledger, unit, day)
        _take_slot(free, jump, ledger, units + districts[unit], day)
        _take_slot(free, jump, ledger, everywhere, day)
        out_day[i] = day
        out_unit[i] = unit
        out_vaccine[i] = vaccine
        out_held[i] = _NOTHING
        if day > deadline >= begin:
            # Wanted before the deadline: a free slot without a dose, or no slot soon enough?
            doses_hold = best > deadline and (slot_day <= deadline or soonest > deadline)
            out_held[i] = _NO_DOSE if doses_hold else _NO_SLOT


@dataclass(frozen=True)
class Bookings:
    """Outcome of one pass over candidates (arrays over candidates; day -1: none)."""

    day: NDArray[np.int16]
    unit: NDArray[np.int16]
    slot: NDArray[np.int32]
    vaccine: NDArray[np.int8]
    held_by: NDArray[np.int8]


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
        ledgers = slots_of_doses(slots, scenario.appointments.second_dose_slots)
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
        self.appointments = Agenda(days)
        """the people who have them, by day; entered by whoever asks for them"""
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
        doses on each day. doses_left: int64[V, days], to promise up to each day. reserve: for each
        vaccine the one to set aside with a first dose (-1: none), and after how many days.
        """
        bookings = Bookings(
            day=np.full(homes.size, -1, dtype=np.int16),
            unit=np.full(homes.size, -1, dtype=np.int16),
            slot=np.full(homes.size, -1, dtype=np.int32),
            vaccine=np.full(homes.size, -1, dtype=np.int8),
            held_by=np.zeros(homes.size, dtype=np.int8),
        )
        _book(
            homes.astype(np.int16, copy=False),
            earliest.astype(np.int16, copy=False),
            latest.astype(np.int16, copy=False),
            wanted.astype(np.int8, copy=False),
            first_choices,
            self._tolerance,
            self._deadline,
            self._free,
            self._jump,
            self._districts,
            self._members,
            self._pointers,
            doses_left.copy(),
            *reserve,
            self.booked,
            self.promised,
            bookings.day,
            bookings.unit,
            bookings.slot,
            bookings.vaccine,
            bookings.held_by,
            just_look,
        )
        return bookings

    def may_have(
        self, earliest: Int64Array, latest: int, doses_left: Int64Array
    ) -> NDArray[np.bool_]:
        """Whether first doses may find a slot and a dose on a day from their earliest to latest.

        A quick look before a pass over many candidates: False is certain, True is not (the free
        slot and the dose may be on different days).
        """
        may = np.empty(earliest.size, dtype=np.bool_)
        _may_have(earliest, min(latest, doses_left.shape[1] - 1), doses_left, self._jump, may)
        return may

    def promised_until(self, today: int) -> Int64Array:
        """int64[V, days]: doses promised for days after today, up to each day."""
        until = np.zeros((self.promised.shape[0], self.promised.shape[2]), dtype=np.int64)
        _promised_until(self.promised, today, until)
        return until


def slots_of_doses(slots: Int64Array, second_share: float | None) -> list[Int64Array]:
    """Slots for all doses alike (no share), or those for first and those for second doses."""
    if second_share is None:
        return [slots]
    second = np.floor(slots * second_share + 1e-9).astype(np.int64)
    return [slots - second, second]


@kernel
def _may_have(earliest, latest, left, jump, out):  # type: ignore[no-untyped-def]
    vaccines, days = left.shape
    soonest = days  # the first day from which a dose of any vaccine can be promised
    for vaccine in range(vaccines):
        day = days
        while day > 0 and left[vaccine, day - 1] > 0:
            day -= 1
        soonest = min(soonest, day)
    for i in range(earliest.size):
        begin = max(earliest[i], soonest)
        out[i] = begin <= latest and _next_free(jump, 0, jump.shape[1] - 1, begin) <= latest


@kernel
def _promised_until(promised, today, out):  # type: ignore[no-untyped-def]
    vaccines, units, days = promised.shape
    for vaccine in range(vaccines):
        for unit in range(units):
            for day in range(today + 1, days):
                out[vaccine, day] += promised[vaccine, unit, day]
        for day in range(today + 2, days):
            out[vaccine, day] += out[vaccine, day - 1]
