"""The waiting list: everybody who is registered, and waits for an appointment.

People join it when they register, when they were not vaccinated at their appointment (and book
again), and when a second dose falls due. Each evening appointments are offered in an order that
depends on the second-dose policy:

    first_doses_first  first doses in the order of joining, then second doses, from what those
                       still waiting for a slot within the window do not want; these join
                       `second_dose_notice_days` before they are due
    second_doses_first the other way round: second doses, which join as early, then first doses
    as_booked          all in the order of joining; second doses join on the day of the first dose
    reserve            as as_booked, second doses before first doses, because theirs have been set
                       aside: a first dose is only given an appointment if a second can be
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compilation import allocating_kernel, kernel
from sim.model.appointment_book import UNLIMITED, AppointmentBook
from sim.model.dose_supply import DoseSupply
from sim.model.order import Agenda
from sim.model.population import NEVER, Population, Status
from sim.model.regimens import Regimens
from sim.random_streams import parts
from sim.scenario import Scenario

Int64Array = NDArray[np.int64]
_PASSES = {
    "first_doses_first": [[0], [1]],
    "second_doses_first": [[1], [0]],
    "as_booked": [[0, 1]],
    "reserve": [[1], [0]],
}
"""Passes by policy: the numbers of doses that those have had who are offered appointments."""
_LOOKED_AT = 2**20
"""people at a time, to spare memory"""
_LATER_THAN_ALL = 2**62
_WAITING, _BOOKED, _INTERVAL = int(Status.WAITING), int(Status.BOOKED), int(Status.INTERVAL)


class WaitingList:
    """Who waits, in which order, and what they are offered."""

    def __init__(
        self,
        scenario: Scenario,
        people: Population,
        supply: DoseSupply,
        book: AppointmentBook,
        regimens: Regimens,
        turn: Int64Array,
    ) -> None:
        """`turn` is int64[groups]: the first day on which each group may be vaccinated."""
        self._policy = scenario.supply.second_dose_policy
        self._notice_days = scenario.supply.second_dose_notice_days
        self._stock_rule = scenario.appointments.stock_rule
        self._people = people
        self._supply = supply
        self._book = book
        self._regimens = regimens
        self._turn = turn
        self._days = book.slots.shape[1]
        self._window_days = min(scenario.appointments.window_days, self._days)
        sizes = np.bincount(people.group, minlength=turn.size)
        self._start = np.cumsum(sizes) - sizes
        self._person = np.empty((2, people.size), dtype=np.int32)
        """by doses had; those of each group together, from its `start` on, in order of joining"""
        self._place = np.empty((2, people.size), dtype=np.int32)
        """their places in the order of joining of all"""
        self._joined = 0
        self._falling_due = Agenda(self._days)
        self._supplied_as_of: tuple[int, int] | None = None
        self.waiting = np.zeros((2, turn.size), dtype=np.int64)
        """people waiting for a first and a second dose, by group: int64[2, groups]"""

    def expect_second_doses(self, who: Int64Array, today: int) -> None:
        """People who have had a first dose join the list when their time comes."""
        if self._policy in ("first_doses_first", "second_doses_first"):
            days = _days_of_joining(
                who,
                self._people.regimen,
                self._people.last_dose_day,
                self._regimens.target_days,
                self._notice_days,
                today,
            )
            self._falling_due.enter(who, days)
        else:
            self._falling_due.enter_all(who, today)

    def join(self, today: int, registered: Int64Array, unserved: Int64Array) -> None:
        """Second doses that fall due, then those who were not served, then the newly registered
        (in their order) join the list."""
        people = self._people
        joining = np.concatenate([self._falling_due.take(today), np.sort(unserved), registered])
        _join(
            joining,
            self._joined,
            people.doses,
            people.group,
            self._start,
            self.waiting,
            self._person,
            self._place,
            people.status,
        )
        self._joined += joining.size

    def give_appointments(self, today: int) -> Int64Array:
        """Offer appointments to all; returns how many got one, by doses had and by group:
        int64[2, groups]."""
        before = self.waiting.copy()
        for had in _PASSES[self._policy]:
            self._offer(today, had)
        return before - self.waiting

    def note_what_holds_back(self, today: int) -> None:
        """Write into `held_by` of those waiting what they lack today (nobody is booked)."""
        for had in _PASSES[self._policy]:
            doses_left = self._doses_left(today, today, had)
            for each, group in np.argwhere(self.waiting[had]).tolist():
                asked = np.zeros((2, self._turn.size), dtype=np.bool_)
                asked[had[each], group] = True
                for part in parts(int(self.waiting[had[each], group]), _LOOKED_AT):
                    self._ask(
                        today,
                        today,
                        asked,
                        self._start + part.start,
                        asked * np.int64(part.stop - part.start),
                        doses_left,
                        just_look=True,
                    )

    def unpromised(self, today: int) -> Int64Array:
        """Doses of each vaccine that could still be promised for tomorrow, as first doses; where
        bookings ignore the stock, those on hand: int64[V]."""
        tomorrow = min(today + 1, self._days - 1)
        if self._stock_rule == "ignore":
            left = self._supply.can_be_promised(today, announced=False)
        else:
            left = self._doses_left(today, tomorrow, had=[0])
        return np.asarray(np.maximum(left[:, tomorrow:].min(axis=1), 0))

    def _offer(self, today: int, had: list[int]) -> None:
        """One pass over people who have had so many doses (0, 1 or both), in order of joining."""
        if not self.waiting[had].any():
            return
        doses_left = self._doses_left(today, today + 1, had)
        asked = np.zeros((2, self._turn.size), dtype=np.bool_)
        asked[had] = self._with_prospects(today, doses_left)[had]
        booked = self._ask(today, today + 1, asked, self._start, self.waiting, doses_left)
        if booked:
            _strike_off(
                asked, self._start, self._people.status, self._person, self._place, self.waiting
            )

    def _ask(
        self,
        today: int,
        first_day: int,
        asked: NDArray[np.bool_],
        start: Int64Array,
        waiting: Int64Array,
        doses_left: Int64Array,
        just_look: bool = False,
    ) -> int:
        """Ask the book for appointments from `first_day` on for those of the lists `asked`
        (bool[2, groups]), which begin at `start` and of which so many are `waiting`.

        Returns how many have got one.
        """
        people, regimens = self._people, self._regimens
        size = int(waiting[asked].sum())
        if not size:
            return 0
        candidates = np.empty(size, dtype=np.int64)
        homes = np.empty(size, dtype=np.int16)
        earliest = np.empty(size, dtype=np.int16)
        latest = np.empty(size, dtype=np.int16)
        wanted = np.empty(size, dtype=np.int8)
        number = _wishes(
            asked,
            start,
            waiting,
            self._person,
            self._place,
            today,
            first_day,
            self._window_days,
            self._days,
            self._turn,
            regimens.second,
            regimens.target_days,
            people.regimen,
            people.last_dose_day,
            people.home_unit,
            candidates,
            homes,
            earliest,
            latest,
            wanted,
        )
        bookings = self._book.book(
            homes=homes[:number],
            earliest=earliest[:number],
            latest=latest[:number],
            wanted=wanted[:number],
            first_choices=regimens.first_choices,
            doses_left=doses_left,
            reserve=self._reserve(today),
            just_look=just_look,
        )
        booked, days = _note_appointments(
            candidates[:number],
            bookings.day,
            bookings.unit,
            bookings.slot,
            bookings.vaccine,
            bookings.held_by,
            people.held_by,
            people.status,
            people.appointment_day,
            people.appointment_unit,
            people.appointment_slot,
            people.appointment_vaccine,
        )
        self._book.appointments.enter(booked, days)
        return int(booked.size)

    def _with_prospects(self, today: int, doses_left: Int64Array) -> NDArray[np.bool_]:
        """Who may get something today, bool[2, groups] by doses had: spares looking at others."""
        prospects = np.zeros((2, self._turn.size), dtype=np.bool_)
        if (doses_left[:, -1] > 0).any():
            earliest, latest = np.maximum(self._turn, today + 1), today + self._window_days
            prospects[1] = True
            prospects[0] = (self.waiting[0] > 0) & self._book.may_have(earliest, latest, doses_left)
        return prospects

    def _doses_left(self, today: int, from_day: int, had: list[int]) -> Int64Array:
        """Doses that can still be promised to candidates who have had so many doses, for
        `from_day` at the earliest, up to each day: int64[V, days]."""
        vaccines = self._supply.store.size
        if self._stock_rule == "ignore":
            return np.full((vaccines, self._days), UNLIMITED)
        left = self._can_be_promised(today, from_day) - self._book.promised_until(today)
        if self._policy == "reserve":
            # What is set aside for those waiting for a second dose is not there for first doses.
            left -= self._set_aside(for_waiting=0 in had)
        elif self._policy == "first_doses_first" and had == [1]:
            left -= self._wanted_for_first_doses(today)
        return left

    def _can_be_promised(self, today: int, from_day: int) -> Int64Array:
        """What the supply can promise; an evening changes nothing of it."""
        if self._supplied_as_of != (today, from_day):
            announced = self._stock_rule == "announced"
            self._supplied_as_of = today, from_day
            self._supplied = self._supply.can_be_promised(today, announced, from_day)
        return self._supplied

    def _wanted_for_first_doses(self, today: int) -> Int64Array:
        """Doses for those who still wait for a first appointment within the booking window, of
        the vaccine that they would be given; up to each day, int64[V, days]."""
        wanted = np.zeros((self._supply.store.size, self._days), dtype=np.int64)
        last = min(today + self._window_days, self._days - 1)
        for waiting, turn in zip(self.waiting[0].tolist(), self._turn.tolist(), strict=True):
            earliest = max(turn, today + 1)
            if earliest <= last:
                vaccine = self._regimens.first_choices[earliest, 0]
                if vaccine >= 0:
                    wanted[vaccine, earliest] += waiting
        return np.cumsum(wanted, axis=1)

    def _set_aside(self, for_waiting: bool) -> Int64Array:
        """Second doses set aside for those with a first appointment, and (for_waiting) for those
        who have had the first dose and no second appointment; up to each day, int64[V, days]."""
        people, regimens = self._people, self._regimens
        ahead = np.zeros((self._supply.store.size, self._days), dtype=np.int64)
        _count_set_aside(
            people.status,
            people.doses,
            people.appointment_day,
            people.appointment_vaccine,
            people.regimen,
            people.last_dose_day,
            regimens.of_first_dose,
            regimens.second,
            regimens.target_days,
            for_waiting,
            ahead,
        )
        return np.cumsum(ahead, axis=1)

    def _reserve(self, today: int) -> tuple[Int64Array, Int64Array]:
        """The vaccine to set aside with a first dose of each vaccine (-1: none), days after it."""
        vaccines = self._supply.store.size
        if self._policy != "reserve":
            return np.full(vaccines, -1, dtype=np.int64), np.zeros(vaccines, dtype=np.int64)
        regimen = self._regimens.of_first_dose[min(today + 1, self._days - 1)]
        return self._regimens.second[regimen], self._regimens.target_days[regimen]


@allocating_kernel
def _days_of_joining(  # type: ignore[no-untyped-def]
    who, regimen, last_dose_day, target_days, notice_days, today
):
    """When people begin to look for a second appointment: so long before it falls due."""
    days = np.empty(who.size, dtype=np.int16)
    for i in range(who.size):
        person = who[i]
        due = last_dose_day[person] + target_days[regimen[person]]
        days[i] = min(max(due - notice_days, today), NEVER)
    return days


@kernel
def _join(joining, joined, doses, group, start, waiting, person, place, status):  # type: ignore[no-untyped-def]
    """Put people at the end of the lists of those like them; `joined` have joined before."""
    for who in joining:
        had, like = doses[who], group[who]
        at = start[like] + waiting[had, like]
        person[had, at] = who
        place[had, at] = joined
        joined += 1
        waiting[had, like] += 1
        status[who] = _WAITING


@allocating_kernel
def _wishes(  # type: ignore[no-untyped-def]
    asked,
    start,
    waiting,
    person,
    place,
    today,
    first_day,
    window_days,
    days,
    turn,
    second,
    target_days,
    regimen,
    last_dose_day,
    home_unit,
    out_person,
    out_home,
    out_earliest,
    out_latest,
    out_wanted,
):
    """Those of the lists `asked` (bool[2, groups]) who may get an appointment, in their order, and
    between which days; returns their number.

    A first dose may be given from the group's turn on and is booked up to a window ahead of today;
    a second one from when it falls due, up to a window ahead of that.
    """
    doses_had, groups = np.nonzero(asked)
    next_at = start[groups]
    next_place = np.empty(groups.size, dtype=np.int64)
    for i in range(groups.size):
        some = waiting[doses_had[i], groups[i]] > 0
        next_place[i] = place[doses_had[i], next_at[i]] if some else _LATER_THAN_ALL
    number = 0
    while True:
        chosen, until = _whose_turn(next_place)
        if chosen < 0:
            return number
        had, group = doses_had[chosen], groups[chosen]
        end = start[group] + waiting[had, group]
        at = next_at[chosen]
        while at < end and place[had, at] < until:
            who = person[had, at]
            at += 1
            if had == 0:
                due = turn[group]
                latest = today + window_days
                vaccine = -1
            else:
                due = last_dose_day[who] + target_days[regimen[who]]
                latest = max(due, today) + window_days
                vaccine = second[regimen[who]]
            earliest = max(due, first_day)
            if earliest < days and earliest <= latest:
                out_person[number] = who
                out_home[number] = home_unit[who]
                out_earliest[number] = earliest
                out_latest[number] = min(latest, days - 1)
                out_wanted[number] = vaccine
                number += 1
        next_at[chosen] = at
        next_place[chosen] = place[had, at] if at < end else _LATER_THAN_ALL


@kernel
def _whose_turn(next_place):  # type: ignore[no-untyped-def]
    """The list whose next person joined first (-1: nobody is left), and the place up to which it
    goes on before another list does."""
    chosen, first, second = -1, _LATER_THAN_ALL, _LATER_THAN_ALL
    for i in range(next_place.size):
        if next_place[i] < first:
            chosen, first, second = i, next_place[i], first
        elif next_place[i] < second:
            second = next_place[i]
    return chosen, second


@allocating_kernel
def _note_appointments(  # type: ignore[no-untyped-def]
    candidates,
    day,
    unit,
    slot,
    vaccine,
    held,
    held_by,
    status,
    appointment_day,
    appointment_unit,
    appointment_slot,
    appointment_vaccine,
):
    """Note what the book says; returns those who have got an appointment, and their days."""
    booked = np.empty(candidates.size, dtype=np.int64)
    days = np.empty(candidates.size, dtype=np.int16)
    number = 0
    for i in range(candidates.size):
        person = candidates[i]
        held_by[person] = held[i]
        if day[i] >= 0:
            status[person] = _BOOKED
            appointment_day[person] = day[i]
            appointment_unit[person] = unit[i]
            appointment_slot[person] = slot[i]
            appointment_vaccine[person] = vaccine[i]
            booked[number] = person
            days[number] = day[i]
            number += 1
    return booked[:number], days[:number]


@allocating_kernel
def _strike_off(asked, start, status, person, place, waiting):  # type: ignore[no-untyped-def]
    """Take those who no longer wait off the lists `asked`."""
    doses_had, groups = np.nonzero(asked)
    for i in range(groups.size):
        had, group = doses_had[i], groups[i]
        begin = start[group]
        kept = begin
        for at in range(begin, begin + waiting[had, group]):
            if status[person[had, at]] == _WAITING:
                person[had, kept] = person[had, at]
                place[had, kept] = place[had, at]
                kept += 1
        waiting[had, group] = kept - begin


@kernel
def _count_set_aside(  # type: ignore[no-untyped-def]
    status,
    doses,
    appointment_day,
    appointment_vaccine,
    regimen,
    last_dose_day,
    of_first_dose,
    second,
    target_days,
    for_waiting,
    out,
):
    """Count the second doses to come, by vaccine and day on which they fall due."""
    last = out.shape[1] - 1
    for person in range(status.size):
        if status[person] == _BOOKED and doses[person] == 0:
            begin = np.int64(appointment_day[person])
            number = of_first_dose[begin, appointment_vaccine[person]]
        elif (
            for_waiting
            and doses[person] == 1
            and (status[person] == _WAITING or status[person] == _INTERVAL)
        ):
            begin = np.int64(last_dose_day[person])
            number = np.int64(regimen[person])
        else:
            continue
        if second[number] >= 0:
            out[second[number], min(max(begin + target_days[number], 0), last)] += 1
