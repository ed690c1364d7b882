"""The waiting list: everybody who is registered, and waits for an appointment.

People join it when they register, when they were not vaccinated at their appointment (and book
again), and when a second dose falls due. Each evening appointments are offered in an order that
depends on the second-dose policy:

    first_doses_first  first doses in the order of joining, then second doses, from what those
                       still waiting for a slot within the window do not want; these join
                       `second_dose_notice_days` before they are due
    as_booked          all in the order of joining; second doses join on the day of the first dose
    reserve            as as_booked, second doses before first doses, because theirs have been set
                       aside: a first dose is only given an appointment if a second can be
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.model.appointment_book import UNLIMITED, AppointmentBook
from sim.model.dose_supply import DoseSupply
from sim.model.population import Population, Status
from sim.model.regimens import Regimens
from sim.scenario import Scenario

Int64Array = NDArray[np.int64]


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
        self._window_days = scenario.appointments.window_days
        self._people = people
        self._supply = supply
        self._book = book
        self._regimens = regimens
        self._turn = turn
        self._days = book.slots.shape[1]
        self._first = np.empty(0, dtype=np.int64)
        self._second = np.empty(0, dtype=np.int64)
        self._place = np.zeros(people.size, dtype=np.int64)
        self._joined = 0
        self._falling_due: dict[int, list[Int64Array]] = {}
        self.waiting = np.zeros((2, turn.size), dtype=np.int64)
        """people waiting for a first and a second dose, by group: int64[2, groups]"""

    def expect_second_doses(self, who: Int64Array, today: int) -> None:
        """People who have had a first dose join the list when their time comes."""
        due = self._second_due(who)
        if self._policy == "first_doses_first":
            joins = np.maximum(due - self._notice_days, today)
        else:
            joins = np.full(who.size, today)
        for day in np.unique(joins[joins < self._days]):
            self._falling_due.setdefault(int(day), []).append(who[joins == day])

    def _second_due(self, who: Int64Array) -> Int64Array:
        """Day from which a second appointment is looked for."""
        days = self._regimens.target_days[self._people.regimen[who]]
        return np.asarray(self._people.last_dose_day[who] + days)

    def join(self, today: int, registered: Int64Array, unserved: Int64Array) -> None:
        """Second doses that fall due, then those who were not served, then the newly registered
        (in their order) join the list."""
        people = self._people
        due = self._falling_due.pop(today, [])
        joining = np.concatenate([*due, np.sort(unserved), registered])
        people.status[joining] = Status.WAITING
        self._place[joining] = self._joined + np.arange(joining.size)
        self._joined += joining.size
        is_first = people.doses[joining] == 0
        self._first = np.concatenate([self._first, joining[is_first]])
        self._second = np.concatenate([self._second, joining[~is_first]])
        self.waiting += self._by_dose_and_group(joining)

    def give_appointments(self, today: int) -> Int64Array:
        """Offer appointments to all; returns the people who got one."""
        first, second = self._first, self._second
        passes: list[tuple[Int64Array, tuple[int, ...]]]
        if self._policy == "first_doses_first":
            passes = [(first, (0,)), (second, (1,))]
        elif self._policy == "reserve":
            passes = [(second, (1,)), (first, (0,))]
        else:
            both = np.concatenate([first, second])
            passes = [(both[np.argsort(self._place[both], kind="stable")], (0, 1))]
        booked = np.concatenate([self._offer(today, *candidates) for candidates in passes])
        if booked.size:
            status = self._people.status
            self._first = first[status[first] == Status.WAITING]
            self._second = second[status[second] == Status.WAITING]
        return booked

    def note_what_holds_back(self, today: int) -> None:
        """Write into `held_by` of those waiting what they lack today (nobody is booked)."""
        self._offer(today, self._first, (0,), just_look=True)
        self._offer(today, self._second, (1,), just_look=True)

    def _by_dose_and_group(self, who: Int64Array) -> Int64Array:
        groups = self._turn.size
        cell = self._people.doses[who].astype(np.int64) * groups + self._people.group[who]
        return np.bincount(cell, minlength=2 * groups).reshape(2, groups)

    def _offer(
        self, today: int, candidates: Int64Array, had: tuple[int, ...], just_look: bool = False
    ) -> Int64Array:
        """One pass over candidates in their order; returns those who got an appointment.

        `had`: numbers of doses that candidates have had (0, 1 or both).
        """
        people = self._people
        first_day = today if just_look else today + 1
        doses_left = self._doses_left(today, first_day, had)
        if not just_look:
            candidates = self._with_prospects(today, candidates, had, doses_left)
        first = people.doses[candidates] == 0
        due = np.where(first, self._turn[people.group[candidates]], self._second_due(candidates))
        earliest = np.maximum(due, first_day)
        latest = np.where(first, today, np.maximum(due, today)) + self._window_days
        possible = np.flatnonzero((earliest < self._days) & (earliest <= latest))
        if not possible.size:
            return candidates[:0]
        candidates, first = candidates[possible], first[possible]
        second_vaccine = self._regimens.second[people.regimen[candidates]]
        bookings = self._book.book(
            homes=people.home_unit[candidates],
            earliest=earliest[possible],
            latest=latest[possible],
            wanted=np.where(first, -1, second_vaccine),
            first_choices=self._regimens.first_choices,
            doses_left=doses_left,
            reserve=self._reserve(today),
            just_look=just_look,
        )
        people.held_by[candidates] = bookings.held_by
        made = np.flatnonzero(bookings.day >= 0)
        booked = candidates[made]
        people.status[booked] = Status.BOOKED
        people.appointment_day[booked] = bookings.day[made]
        people.appointment_unit[booked] = bookings.unit[made]
        people.appointment_slot[booked] = bookings.slot[made]
        people.appointment_vaccine[booked] = bookings.vaccine[made]
        self.waiting -= self._by_dose_and_group(booked)
        return booked

    def _with_prospects(
        self, today: int, candidates: Int64Array, had: tuple[int, ...], doses_left: Int64Array
    ) -> Int64Array:
        """Without those who cannot get anything today: spares passes over long lists."""
        if (doses_left[:, -1] <= 0).all():
            return candidates[:0]
        if had == (1,):
            return candidates
        latest = today + self._window_days
        hopeful = np.array(
            [
                waiting > 0 and self._book.may_have(max(turn, today + 1), latest, doses_left)
                for waiting, turn in zip(self.waiting[0], self._turn.tolist(), strict=True)
            ]
        )
        if had == (0,) and not hopeful.any():
            return candidates[:0]
        keep = hopeful[self._people.group[candidates]]
        if had != (0,):
            keep |= self._people.doses[candidates] > 0
        return np.asarray(candidates[keep])

    def _doses_left(self, today: int, from_day: int, had: tuple[int, ...]) -> Int64Array:
        """Doses that can still be promised to candidates who have had so many doses, for
        `from_day` at the earliest, up to each day: int64[V, days]."""
        vaccines = self._supply.store.size
        if self._stock_rule == "ignore":
            return np.full((vaccines, self._days), UNLIMITED)
        announced = self._stock_rule == "announced"
        left = self._supply.can_be_promised(today, announced, from_day)
        left -= self._book.promised_until(today)
        if self._policy == "reserve":
            # What is set aside for those waiting for a second dose is not there for first doses.
            left -= self._set_aside(for_waiting=0 in had)
        elif self._policy == "first_doses_first" and had == (1,):
            left -= self._wanted_for_first_doses(today)
        return left

    def _wanted_for_first_doses(self, today: int) -> Int64Array:
        """Doses for those who still wait for a first appointment within the booking window, of
        the vaccine that they would be given; up to each day, int64[V, days]."""
        wanted = np.zeros((self._supply.store.size, self._days), dtype=np.int64)
        last = min(today + self._window_days, self._days - 1)
        for waiting, turn in zip(self.waiting[0], self._turn, strict=True):
            earliest = max(int(turn), today + 1)
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

        def add(vaccine: Int64Array, due: Int64Array) -> None:
            some = vaccine >= 0
            np.add.at(ahead, (vaccine[some], np.clip(due[some], 0, self._days - 1)), 1)

        booked = np.flatnonzero((people.status == Status.BOOKED) & (people.doses == 0))
        day = people.appointment_day[booked].astype(np.int64)
        regimen = regimens.of_first_dose[day, people.appointment_vaccine[booked]]
        add(regimens.second[regimen], day + regimens.target_days[regimen])
        if for_waiting:
            has_one = people.doses == 1
            without = (people.status == Status.WAITING) | (people.status == Status.INTERVAL)
            waiting = np.flatnonzero(has_one & without)
            add(regimens.second[people.regimen[waiting]], self._second_due(waiting))
        return np.cumsum(ahead, axis=1)

    def _reserve(self, today: int) -> tuple[Int64Array, Int64Array]:
        """The vaccine to set aside with a first dose of each vaccine (-1: none), days after it."""
        vaccines = self._supply.store.size
        if self._policy != "reserve":
            return np.full(vaccines, -1, dtype=np.int64), np.zeros(vaccines, dtype=np.int64)
        regimen = self._regimens.of_first_dose[min(today + 1, self._days - 1)]
        return self._regimens.second[regimen], self._regimens.target_days[regimen]
