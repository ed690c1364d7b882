"""A campaign from its first day to its horizon.

The campaign clock is a SimPy environment whose unit is one step of a day; each step is a process
that sleeps until its turn comes round again. The order of a day, written here and nowhere else:

    deliver   doses arrive at the provincial store
    ship      the store sends vials to the units (allocation rule)
    vaccinate the units hold their sessions: people with appointments, and walk-ins
    answer    the call centre takes the day's calls; other channels register people
    book      who has registered, missed an appointment or is due for a second dose gets one
    record    stock and waiting lists of the evening; reasons at the deadline and at the horizon

So whatever crosses from one place to another does so overnight: a booking is for tomorrow at the
earliest. That is an assumption; it makes a session a function of its inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import date, timedelta

import numpy as np
import pandas as pd
import simpy
from numpy.typing import NDArray

from sim.engine.contract import Engine
from sim.model.appointment_book import UNLIMITED, AppointmentBook, Bookings
from sim.model.call_centre import CallCentre
from sim.model.capacity import home_weights
from sim.model.dose_supply import DoseSupply
from sim.model.population import (
    NEVER,
    HeldBy,
    Setback,
    Status,
    advance_bookings,
    draw_population,
)
from sim.model.records import PROVINCE_STORE, REASONS, Recorder
from sim.model.vaccination_unit import VaccinationUnits
from sim.random_streams import RandomStreams
from sim.scenario import Scenario

Int64Array = NDArray[np.int64]


class CampaignError(AssertionError):
    """An invariant of the model is broken: a fault of the program, not of the scenario."""


def simulate(
    scenario: Scenario,
    engine: Engine,
    seed: int,
    replication: int,
    until: date | None = None,
    progress: Callable[[date], None] | None = None,
) -> dict[str, pd.DataFrame]:
    """One replication: all tables of `sim.model.records.TABLES`.

    `until` ends the simulation before the horizon (reasons "as of the deadline" are then taken on
    that day if it comes before the deadline). `progress` is called with each day that is over.
    """
    campaign = Campaign(scenario, engine, RandomStreams(seed, replication), until, progress)
    campaign.run()
    return campaign.recorder.tables()


class Campaign:
    """The state of one running campaign."""

    def __init__(
        self,
        scenario: Scenario,
        engine: Engine,
        streams: RandomStreams,
        until: date | None = None,
        progress: Callable[[date], None] | None = None,
    ) -> None:
        self.scenario = scenario
        self._first_day = scenario.campaign.first_day
        self._progress = progress
        last = min(scenario.campaign.horizon, until or scenario.campaign.horizon)
        self._last = max((last - self._first_day).days, 0)
        self._days = (scenario.campaign.horizon - self._first_day).days + 1
        self._deadline = min((scenario.campaign.deadline - self._first_day).days, self._last)
        self._groups = list(scenario.groups)
        self._turn = np.array(
            [max((g.turn_from - self._first_day).days, 0) for g in scenario.groups.values()]
        )
        self._regimens = _RegimenTables(scenario, self._days)
        self.recorder = Recorder(streams.replication)
        self.people = draw_population(scenario, streams, home_weights(scenario))
        self.supply = DoseSupply(scenario, streams, self._days)
        self.units = VaccinationUnits(
            scenario, streams, self.people, engine, self.recorder, self._regimens.first_choices
        )
        self.book = AppointmentBook(scenario, self.units.slots)
        self.call_centre = CallCentre(scenario, streams, self.people, engine, self.recorder)
        self._other_queue = self._queue_for_other_channels()
        self._waiting_first = np.empty(0, dtype=np.int64)
        self._waiting_second = np.empty(0, dtype=np.int64)
        self._list_number = np.zeros(self.people.size, dtype=np.int64)
        self._entered = 0
        self._second_entries: dict[int, list[Int64Array]] = {}
        self._new: list[tuple[Int64Array, Int64Array]] = []
        self._unserved = np.empty(0, dtype=np.int64)
        self._registered_today = {
            "registered_telephone": np.empty(0, dtype=np.int64),
            "registered_other": np.empty(0, dtype=np.int64),
        }
        advance = advance_bookings(scenario, streams, self.people)
        self._new.append((advance, np.full(advance.size, -1, dtype=np.int64)))
        self._schedule_second_doses(np.flatnonzero(self.people.status == Status.INTERVAL), 0)

    def run(self) -> None:
        """Simulate every day up to the last; check the invariants."""
        steps = (
            self._deliver,
            self._ship,
            self._vaccinate,
            self._answer,
            self._book,
            self._record,
        )
        clock = simpy.Environment()
        for place, step in enumerate(steps):
            clock.process(self._daily(clock, step, place, len(steps)))
        clock.run(until=(self._last + 1) * len(steps))
        self.units.record_unit_days()
        self._check_people()

    @staticmethod
    def _daily(
        clock: simpy.Environment, step: Callable[[int], None], place: int, steps: int
    ) -> Generator[simpy.Event, None, None]:
        """Carry out a step of the day at its place, every day."""
        yield clock.timeout(place)
        while True:
            step(int(clock.now) // steps)
            yield clock.timeout(steps)

    # The steps of a day ---------------------------------------------------------------------

    def _deliver(self, today: int) -> None:
        self._delivered, self._lost = self.supply.deliver(today)

    def _ship(self, today: int) -> None:
        self._shipped = self.supply.ship(today, self.book.promised, self.units.slots)

    def _vaccinate(self, today: int) -> None:
        day = self.units.hold_sessions(
            today, self.supply.at_units, self.supply.per_vial, self._turn
        )
        self._sessions = day
        self._give(today, day.jabbed, day.vaccine)
        self._unserved = day.unserved
        if (self.supply.at_units < 0).any() or (self.supply.store < 0).any():
            raise CampaignError(f"stock below zero on {self._date(today)}")

    def _give(self, today: int, who: Int64Array, vaccines: Int64Array) -> None:
        """Note doses given: a first dose begins a regimen, a second completes it."""
        people = self.people
        first = people.doses[who] == 0
        beginners, others = who[first], who[~first]
        if (self._turn[people.group[beginners]] > today).any():
            raise CampaignError(f"a first dose before the group's turn on {self._date(today)}")
        interval = self._regimens.min_days[people.regimen[others]]
        if (today - people.last_dose_day[others] < interval).any():
            raise CampaignError(f"a second dose before the interval on {self._date(today)}")
        if (people.doses[who] >= 2).any():
            raise CampaignError(f"a third dose on {self._date(today)}")
        people.regimen[beginners] = self._regimens.of_first_dose[today, vaccines[first]]
        people.first_dose_day[beginners] = today
        people.doses[who] += 1
        people.last_dose_day[who] = today
        people.tries[who] = 0
        people.setback[who] = Setback.NONE
        people.held_by[who] = HeldBy.NOTHING
        people.status[who] = Status.COMPLETE
        goes_on = beginners[self._regimens.second[people.regimen[beginners]] >= 0]
        people.status[goes_on] = Status.INTERVAL
        self._schedule_second_doses(goes_on, today)

    def _schedule_second_doses(self, who: Int64Array, today: int) -> None:
        """Put people on the list for a second appointment when its time comes."""
        due = self._second_due(who)
        if self.scenario.supply.second_dose_policy == "first_doses_first":
            entry = np.maximum(due - self.scenario.supply.second_dose_notice_days, today)
        else:
            entry = np.full(who.size, today)
        for day in np.unique(entry[entry < self._days]):
            self._second_entries.setdefault(int(day), []).append(who[entry == day])

    def _second_due(self, who: Int64Array) -> Int64Array:
        """Day from which a second appointment is looked for."""
        days = self._regimens.target_days[self.people.regimen[who]]
        return np.asarray(self.people.last_dose_day[who] + days)

    def _answer(self, today: int) -> None:
        booked, end_us = self.call_centre.take_calls(today)
        self._new.append((booked, end_us))
        others, at_us = self._register_through_other_channels(today)
        self._new.append((others, at_us))
        self._registered_today = {"registered_telephone": booked, "registered_other": others}

    def _queue_for_other_channels(self) -> Int64Array:
        """People who book otherwise than by telephone, in the order of their coming."""
        people = self.people
        who = np.flatnonzero(
            people.willing
            & ~people.by_telephone
            & (people.status == Status.NOT_REGISTERED)
            & (people.first_call_day != NEVER)
        )
        return who[np.lexsort((people.first_call_us[who], people.first_call_day[who]))]

    def _register_through_other_channels(self, today: int) -> tuple[Int64Array, Int64Array]:
        """As many as a day allows, first come first served; and the time of each (µs)."""
        people, channels = self.people, self.scenario.other_channels
        nobody = np.empty(0, dtype=np.int64)
        if not channels.is_open(self._date(today)):
            return nobody, nobody
        queue = self._other_queue
        come = int(np.searchsorted(people.first_call_day[queue], today, side="right"))
        wanting = np.flatnonzero(people.status[queue[:come]] == Status.NOT_REGISTERED)
        taken = wanting[: channels.bookings_per_day]
        who = queue[taken]
        # All before the last one taken are served or no longer in need.
        full = taken.size < wanting.size
        self._other_queue = queue[(taken[-1] + 1 if taken.size else 0) if full else come :]
        at_us = np.where(people.first_call_day[who] == today, people.first_call_us[who], 0)
        return who, at_us

    def _book(self, today: int) -> None:
        people = self.people
        registered = np.concatenate([who for who, _ in self._new])
        order = np.argsort(np.concatenate([at for _, at in self._new]), kind="stable")
        self._new = []
        second = self._second_entries.pop(today, [])
        again = self._unserved[people.status[self._unserved] == Status.WAITING]
        # Joining the list: second doses that fall due, those who missed theirs, new people.
        joining = np.concatenate([*second, np.sort(again), registered[order]])
        people.status[joining] = Status.WAITING
        self._list_number[joining] = self._entered + np.arange(joining.size)
        self._entered += joining.size
        is_first = people.doses[joining] == 0
        self._waiting_first = np.concatenate([self._waiting_first, joining[is_first]])
        self._waiting_second = np.concatenate([self._waiting_second, joining[~is_first]])
        self._booked_today = self._pass_over_waiting_list(today)

    def _pass_over_waiting_list(self, today: int) -> Int64Array:
        """Give appointments in the order of the policy; returns the people who got one."""
        policy = self.scenario.supply.second_dose_policy
        first, second = self._waiting_first, self._waiting_second
        if policy == "first_doses_first":
            passes = [first, second]
        elif policy == "reserve":
            passes = [second, first]  # their doses have been set aside
        else:
            both = np.concatenate([first, second])
            passes = [both[np.argsort(self._list_number[both], kind="stable")]]
        booked = [self._offer_appointments(today, candidates) for candidates in passes]
        self._waiting_first = first[self.people.status[first] == Status.WAITING]
        self._waiting_second = second[self.people.status[second] == Status.WAITING]
        return np.concatenate(booked)

    def _offer_appointments(
        self, today: int, candidates: Int64Array, just_look: bool = False
    ) -> Int64Array:
        """One pass over candidates in their order; returns those who got an appointment.

        With `just_look` nobody gets one: it is only noted what holds each of them back today.
        """
        people = self.people
        window = self.scenario.appointments.window_days
        first = people.doses[candidates] == 0
        doses_left = self._doses_left(today, for_first_doses=bool(first.any()))
        if not just_look and (doses_left[:, -1] <= 0).all():
            return candidates[:0]  # nothing to promise: spares a pass over a long list
        regimen = people.regimen[candidates]
        due = np.where(first, self._turn[people.group[candidates]], self._second_due(candidates))
        earliest = np.maximum(due, today if just_look else today + 1)
        latest = np.where(first, today, np.maximum(due, today)) + window
        possible = (earliest < self._days) & (earliest <= latest)
        if not possible.any():
            return candidates[:0]
        candidates = candidates[possible]
        bookings = self.book.book(
            homes=people.home_unit[candidates],
            earliest=earliest[possible],
            latest=latest[possible],
            wanted=np.where(first, -1, self._regimens.second[regimen])[possible],
            first_choices=self._regimens.first_choices,
            doses_left=doses_left,
            reserve=self._reserve(today),
            just_look=just_look,
        )
        return self._enter(candidates, bookings)

    def _enter(self, candidates: Int64Array, bookings: Bookings) -> Int64Array:
        people = self.people
        people.held_by[candidates] = bookings.held_by
        made = bookings.day >= 0
        got = candidates[made]
        people.status[got] = Status.BOOKED
        people.appointment_day[got] = bookings.day[made]
        people.appointment_unit[got] = bookings.unit[made]
        people.appointment_slot[got] = bookings.slot[made]
        people.appointment_vaccine[got] = bookings.vaccine[made]
        return got

    def _doses_left(self, today: int, for_first_doses: bool) -> Int64Array:
        """Doses that can still be promised up to each day, int64[V, days].

        Those set aside for people waiting for a second dose are not there for first doses.
        """
        rule = self.scenario.appointments.stock_rule
        if rule == "ignore":
            return np.full((len(self.scenario.vaccines), self._days), UNLIMITED)
        left = self.supply.can_be_promised(today, announced=rule == "announced")
        left -= self.book.promised_until(today)
        if self.scenario.supply.second_dose_policy == "reserve":
            left -= self._set_aside(for_waiting=for_first_doses)
        return left

    def _set_aside(self, for_waiting: bool) -> Int64Array:
        """Second doses set aside for those with a first appointment, or waiting after the first
        dose, up to each day: int64[V, days]."""
        people = self.people
        ahead = np.zeros((len(self.scenario.vaccines), self._days), dtype=np.int64)

        def add(vaccine: Int64Array, due: Int64Array) -> None:
            some = vaccine >= 0
            np.add.at(ahead, (vaccine[some], np.minimum(due[some], self._days - 1)), 1)

        booked = np.flatnonzero((people.status == Status.BOOKED) & (people.doses == 0))
        day = people.appointment_day[booked].astype(np.int64)
        regimen = self._regimens.of_first_dose[day, people.appointment_vaccine[booked]]
        add(self._regimens.second[regimen], day + self._regimens.target_days[regimen])
        if for_waiting:
            waiting = np.flatnonzero(
                (people.doses == 1)
                & ((people.status == Status.WAITING) | (people.status == Status.INTERVAL))
            )
            add(self._regimens.second[people.regimen[waiting]], self._second_due(waiting))
        return np.cumsum(ahead, axis=1)

    def _reserve(self, today: int) -> tuple[Int64Array, Int64Array]:
        """The vaccine to set aside with a first dose of each vaccine (-1: none), days after it."""
        vaccines = len(self.scenario.vaccines)
        if self.scenario.supply.second_dose_policy != "reserve":
            return np.full(vaccines, -1, dtype=np.int64), np.zeros(vaccines, dtype=np.int64)
        regimen = self._regimens.of_first_dose[min(today + 1, self._days - 1)]
        second = np.where(regimen >= 0, self._regimens.second[regimen], -1)
        return second, self._regimens.target_days[regimen]

    def _record(self, today: int) -> None:
        self._record_bookings(today)
        self._record_stock(today)
        if today == self._deadline:
            self._record_reasons(today, "deadline")
        if today == self._last:
            self._record_reasons(today, "horizon")
        if self._progress:
            self._progress(self._date(today))

    # Records --------------------------------------------------------------------------------

    def _by_group(self, who: Int64Array) -> Int64Array:
        return np.bincount(self.people.group[who], minlength=len(self._groups))

    def _record_bookings(self, today: int) -> None:
        needs = self.people.doses[self._booked_today]
        rows = {
            **{name: self._by_group(who) for name, who in self._registered_today.items()},
            "booked_first": self._by_group(self._booked_today[needs == 0]),
            "booked_second": self._by_group(self._booked_today[needs == 1]),
            "waiting_first": self._by_group(self._waiting_first),
            "waiting_second": self._by_group(self._waiting_second),
        }
        self.recorder.add(
            "bookings",
            {"date": np.datetime64(self._date(today)), "group": np.array(self._groups), **rows},
        )

    def _record_stock(self, today: int) -> None:
        """Rows by vaccine and place, the store first; whole vials times doses on the label."""
        label = self.supply.label
        nothing = np.zeros((len(self.scenario.units), label.size), dtype=np.int64)
        opened = self._sessions.opened

        def column(store: Int64Array, units: Int64Array) -> Int64Array:
            return np.concatenate([store[np.newaxis], units]).ravel()

        places = [PROVINCE_STORE, *self.scenario.units]
        extra = opened * (self.supply.per_vial - label)
        self.recorder.add(
            "stock",
            {
                "date": np.datetime64(self._date(today)),
                "place": np.repeat(np.array(places), label.size),
                "vaccine": np.tile(np.array(list(self.scenario.vaccines)), len(places)),
                "delivered": column(self._delivered * label, nothing),
                "storage_loss": column(self._lost * label, nothing),
                "shipped_in": column(nothing[0], self._shipped * label),
                "shipped_out": column(self._shipped.sum(axis=0) * label, nothing),
                "extra": column(nothing[0], extra),
                "administered": column(nothing[0], self._sessions.used),
                "wasted": column(nothing[0], self._sessions.discarded),
                "on_hand": column(self.supply.store * label, self.supply.at_units * label),
            },
        )

    def _record_reasons(self, today: int, as_of: str) -> None:
        for waiting in (self._waiting_first, self._waiting_second):
            self._offer_appointments(today, waiting, just_look=True)
        for scope in ("first", "full"):
            reason = self._reasons(today, scope)
            cell = self.people.group.astype(np.int64) * len(REASONS) + reason
            persons = np.bincount(cell, minlength=len(self._groups) * len(REASONS))
            self.recorder.add(
                "reasons",
                {
                    "as_of": as_of,
                    "scope": scope,
                    "group": np.repeat(np.array(self._groups), len(REASONS)),
                    "reason": np.tile(np.array(list(REASONS)), len(self._groups)),
                    "persons": persons,
                },
            )

    def _reasons(self, today: int, scope: str) -> Int64Array:
        """For every person the index in REASONS of what stands between them and vaccination.

        The first that applies, from the top: written from the bottom up.
        """
        people = self.people
        number = {name: i for i, name in enumerate(REASONS)}
        of_setback = np.array(
            [
                number["still_waiting"],
                number["not_shown_up"],
                number["no_dose"],
                number["no_slot"],
            ]
        )
        of_held_by = np.array([number["still_waiting"], number["no_dose"], number["no_slot"]])
        reason = of_held_by[people.held_by]
        reason = np.where(people.setback != Setback.NONE, of_setback[people.setback], reason)
        trying = np.zeros(people.size, dtype=np.bool_)
        trying[self.call_centre.still_trying] = True
        unregistered = people.status == Status.NOT_REGISTERED
        reason[unregistered & (people.gave_up | trying)] = number["never_reached_call_centre"]
        first_missing = people.doses == 0
        reason[first_missing & (self._turn[people.group] > today)] = number["turn_too_late"]
        reason[first_missing & (~people.willing | people.declined)] = number["unwilling"]
        if scope == "first":
            reason[~first_missing] = number["vaccinated"]
            return reason
        campaign = self.scenario.campaign
        one = people.doses == 1
        earliest = people.last_dose_day + self._regimens.min_days[people.regimen]
        too_soon = (people.status == Status.INTERVAL) | (earliest > today)
        reason[one & too_soon] = number["interval_not_over"]
        one_is_enough = campaign.complete_with == "one_dose"
        done = ~first_missing if one_is_enough else people.status == Status.COMPLETE
        since = people.first_dose_day if one_is_enough else people.last_dose_day
        protected = since.astype(np.int64) + campaign.protected_after_days <= today
        reason[done] = number["interval_not_over"]
        reason[done & protected] = number["vaccinated"]
        return reason

    def _check_people(self) -> None:
        """Everybody with an appointment is booked, and nobody else."""
        people = self.people
        has = people.appointment_day != NEVER
        if (has != (people.status == Status.BOOKED)).any():
            raise CampaignError("appointments and bookings disagree at the end of the campaign")

    def _date(self, today: int) -> date:
        return self._first_day + timedelta(days=today)


class _RegimenTables:
    """Regimens as arrays: by number (a last entry stands for "no regimen"), by day and vaccine."""

    def __init__(self, scenario: Scenario, days: int) -> None:
        regimens = list(scenario.regimens.values())
        vaccines = list(scenario.vaccines)
        first_day = scenario.campaign.first_day
        self.second = np.array(
            [vaccines.index(r.second) if r.second else -1 for r in regimens] + [-1], dtype=np.int64
        )
        self.min_days = np.array([r.min_days for r in regimens] + [0], dtype=np.int64)
        self.target_days = np.array([r.target_days for r in regimens] + [0], dtype=np.int64)
        self.of_first_dose = np.full((days, len(vaccines)), -1, dtype=np.int64)
        """regimen begun by a first dose on a day with a vaccine, or -1"""
        self.first_choices = np.full((days, len(vaccines)), -1, dtype=np.int64)
        """vaccines for first doses on each day, in order of preference, padded with -1"""
        for d in range(days):
            choices: list[int] = []
            for number, regimen in enumerate(regimens):
                vaccine = vaccines.index(regimen.first)
                if regimen.begins_on(first_day + timedelta(days=d)) and vaccine not in choices:
                    choices.append(vaccine)
                    self.of_first_dose[d, vaccine] = number
            self.first_choices[d, : len(choices)] = choices
