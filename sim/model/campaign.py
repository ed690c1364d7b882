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
from typing import Any

import numpy as np
import pandas as pd
import simpy
from numpy.typing import NDArray

from sim.compilation import allocating_kernel, kernel
from sim.engine.contract import Engine
from sim.model.appointment_book import AppointmentBook
from sim.model.call_centre import CallCentre
from sim.model.capacity import home_weights
from sim.model.dose_supply import DoseSupply
from sim.model.ledger import AuditError, Ledger, failed
from sim.model.order import order_of
from sim.model.other_channels import OtherChannels
from sim.model.population import (
    NEVER,
    HeldBy,
    Setback,
    Status,
    advance_bookings,
    draw_population,
)
from sim.model.reasons import count_causes, reasons_of, split_lack_of_doses
from sim.model.records import CAUSES, PROVINCE_STORE, REASONS, Diary, Recorder, dates
from sim.model.regimens import Regimens
from sim.model.vaccination_unit import VaccinationUnits
from sim.model.waiting_list import WaitingList
from sim.random_streams import RandomStreams
from sim.scenario import Scenario

Int64Array = NDArray[np.int64]


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
        self._groups = np.array(list(scenario.groups))
        places = np.array([PROVINCE_STORE, *scenario.units])
        # Places and vaccines of the rows of `stock`:
        self._places = np.repeat(places, len(scenario.vaccines))
        self._vaccines = np.tile(np.array(list(scenario.vaccines)), places.size)
        self._turn = np.array(
            [max((g.turn_from - self._first_day).days, 0) for g in scenario.groups.values()]
        )
        self._regimens = Regimens(scenario, self._days)
        self._thrown_away = 0  # doses
        self._evenings = Diary()
        self.recorder = Recorder(streams.replication)
        self.people = draw_population(scenario, streams, home_weights(scenario))
        self.supply = DoseSupply(scenario, streams, self._days)
        self.units = VaccinationUnits(
            scenario, streams, self.people, engine, self.recorder, self._regimens
        )
        self.book = AppointmentBook(scenario, self.units.slots)
        self.call_centre = CallCentre(scenario, streams, self.people, engine, self.recorder)
        self.other_channels = OtherChannels(scenario, self.people)
        self.waiting_list = WaitingList(
            scenario, self.people, self.supply, self.book, self._regimens, self._turn
        )
        self.waiting_list.expect_second_doses(
            np.flatnonzero(self.people.status == Status.INTERVAL), today=0
        )
        self._made, self._come_due = (np.zeros(self._groups.size, dtype=np.int64) for _ in range(2))
        self._in_advance = advance_bookings(scenario, streams, self.people)
        self.people.status[self._in_advance] = Status.WAITING  # so they do not walk in

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
        clock.run()
        for part in (self, self.call_centre, self.units):
            part.record()
        self._audit()

    def _daily(
        self, clock: simpy.Environment, step: Callable[[int], None], place: int, steps: int
    ) -> Generator[simpy.Event, None, None]:
        """Carry out a step of the day at its place, every day.

        It ends, so that the clock lets go of the campaign: its memory is free for the next one.
        """
        yield clock.timeout(place)
        for today in range(self._last + 1):
            step(today)
            yield clock.timeout(steps)

    # The steps of a day ---------------------------------------------------------------------

    def _deliver(self, today: int) -> None:
        self._delivered, self._lost = self.supply.deliver(today)

    def _ship(self, today: int) -> None:
        self._shipped = self.supply.ship(today, self.book.promised, self.units.slots)

    def _vaccinate(self, today: int) -> None:
        due = np.sort(self.book.appointments.take(today))
        self._come_due += self._by_group(due)
        day = self.units.hold_sessions(
            today, due, self.supply.at_units, self.supply.per_vial, self._turn
        )
        self._sessions = day
        self._thrown_away += int(day.discarded.sum())
        self._give(today, day.jabbed, day.vaccine)
        self._unserved = day.unserved
        least = min(int(self.supply.at_units.min()), int(self.supply.store.min()))
        if least < 0:
            raise failed("stock", "vials", -least, 0, f"date {self._date(today)}")

    def _give(self, today: int, who: Int64Array, vaccines: NDArray[np.int8]) -> None:
        """Note doses given: a first dose begins a regimen, a second completes it."""
        people, regimens = self.people, self._regimens
        problem, goes_on = _note_doses(
            today,
            who,
            vaccines,
            self._turn,
            regimens.of_first_dose[today],
            regimens.second,
            regimens.min_days,
            people.group,
            people.status,
            people.setback,
            people.held_by,
            people.doses,
            people.regimen,
            people.first_dose_day,
            people.last_dose_day,
            people.tries,
        )
        if problem:
            raise AuditError(f"{_DOSE_PROBLEMS[problem]} on {self._date(today)}")
        self.waiting_list.expect_second_doses(goes_on, today)

    def _answer(self, today: int) -> None:
        by_telephone, ended_us = self.call_centre.take_calls(today)
        otherwise, came_us = self.other_channels.register(today)
        self._by_telephone, self._otherwise = by_telephone, otherwise
        order = order_of(np.concatenate([ended_us, came_us]))
        self._registered = np.concatenate([by_telephone, otherwise])[order]

    def _book(self, today: int) -> None:
        in_advance = self._in_advance if today == 0 else self._in_advance[:0]
        self.waiting_list.join(
            today,
            registered=np.concatenate([in_advance, self._registered]),
            unserved=self._unserved[self.people.status[self._unserved] == Status.WAITING],
        )
        self._booked = self.waiting_list.give_appointments(today)
        self._made += self._booked[0] + self._booked[1]

    def _record(self, today: int) -> None:
        booked, waiting = self._booked, self.waiting_list.waiting.copy()
        self._evenings.note(
            day=today,
            registered_telephone=self._by_group(self._by_telephone),
            registered_other=self._by_group(self._otherwise),
            came_other=self._by_group(self.other_channels.coming(today)),
            booked_first=booked[0],
            booked_second=booked[1],
            waiting_first=waiting[0],
            waiting_second=waiting[1],
            delivered=self._delivered,
            lost=self._lost,
            shipped=self._shipped,
            opened=self._sessions.opened,
            used=self._sessions.used,
            discarded=self._sessions.discarded,
            store=self.supply.store.copy(),
            at_units=self.supply.at_units.copy(),
            unpromised=self.waiting_list.unpromised(today),
        )
        if today == self._deadline:
            self._record_reasons(today, "deadline")
        if today == self._last:
            self._record_reasons(today, "horizon")
        if self._progress:
            self._progress(self._date(today))

    # Records --------------------------------------------------------------------------------

    def _by_group(self, who: NDArray[np.integer[Any]]) -> Int64Array:
        counts = np.zeros(self._groups.size, dtype=np.int64)
        _count_by_group(who, self.people.group, counts)
        return counts

    def record(self) -> None:
        """Record the evenings when the campaign is over."""
        evenings = dates(self._first_day, self._evenings["day"])
        self._record_bookings(evenings)
        self._record_stock(evenings)

    def _record_bookings(self, evenings: NDArray[np.datetime64]) -> None:
        columns = [
            "registered_telephone", "registered_other", "came_other", "booked_first",
            "booked_second", "waiting_first", "waiting_second",
        ]  # fmt: skip
        self.recorder.add(
            "bookings",
            {
                "date": np.repeat(evenings, self._groups.size),
                "group": np.tile(self._groups, evenings.size),
                **{column: self._evenings[column].ravel() for column in columns},
            },
        )

    def _record_stock(self, evenings: NDArray[np.datetime64]) -> None:
        """Rows by vaccine and place, the store first; whole vials times doses on the label."""
        noted, label = self._evenings, self.supply.label
        shape = (evenings.size, 1 + len(self.scenario.units), label.size)

        def column(store: Int64Array | int = 0, units: Int64Array | int = 0) -> Int64Array:
            doses = np.empty(shape, dtype=np.int64)
            doses[:, 0], doses[:, 1:] = store, units
            return doses.ravel()

        self.recorder.add(
            "stock",
            {
                "date": np.repeat(evenings, self._places.size),
                "place": np.tile(self._places, evenings.size),
                "vaccine": np.tile(self._vaccines, evenings.size),
                "delivered": column(store=noted["delivered"] * label),
                "storage_loss": column(store=noted["lost"] * label),
                "shipped_in": column(units=noted["shipped"] * label),
                "shipped_out": column(store=noted["shipped"].sum(axis=1) * label),
                "extra": column(units=noted["opened"] * (self.supply.per_vial - label)),
                "administered": column(units=noted["used"]),
                "wasted": column(units=noted["discarded"]),
                "on_hand": column(noted["store"] * label, noted["at_units"] * label),
                "unpromised": column(store=noted["unpromised"]),
            },
        )

    def _record_reasons(self, today: int, as_of: str) -> None:
        self.waiting_list.note_what_holds_back(today)
        causes = count_causes(
            self.people,
            self.call_centre.still_trying,
            self._turn,
            self.scenario.campaign,
            self._regimens,
            today,
        )
        vials = self.supply.store + self.supply.at_units.sum(axis=0)
        split_lack_of_doses(causes, self._thrown_away, int(vials @ self.supply.per_vial))
        for number, scope in enumerate(("first", "full")):
            for column, names, persons in (
                ("reason", list(REASONS), reasons_of(causes[number])),
                ("cause", list(CAUSES), causes[number]),
            ):
                self.recorder.add(
                    f"{column}s",
                    {
                        "as_of": as_of,
                        "scope": scope,
                        "group": np.repeat(self._groups, len(names)),
                        column: np.tile(np.array(names), self._groups.size),
                        "persons": persons.ravel(),
                    },
                )

    def _audit(self) -> None:
        """Hold what was noted on the way against every law, for the table `audit`.

        Raises AuditError; also unless everybody with an appointment is booked, and nobody else.
        """
        people = self.people
        has = people.appointment_day != NEVER
        if (has != (people.status == Status.BOOKED)).any():
            raise AuditError("appointments and bookings disagree at the end of the campaign")
        to_come = self._by_group(np.flatnonzero(has))
        ledger = Ledger()
        self.call_centre.audit.enter(ledger)
        self.units.audit.enter(ledger)
        ledger.equal(
            "bookings",
            "all groups",
            self._made,
            self._come_due + to_come,
            lambda at: f"date {self._date(self._last)}, group {self._groups[at]}",
        )
        self.recorder.add("audit", ledger.rows())

    def _date(self, today: int) -> date:
        return self._first_day + timedelta(days=today)


_TOO_EARLY, _TOO_SOON, _THIRD = 1, 2, 3
_DOSE_PROBLEMS = {
    _TOO_EARLY: "a first dose before the group's turn",
    _TOO_SOON: "a second dose before the interval",
    _THIRD: "a third dose",
}
_INTERVAL, _COMPLETE = int(Status.INTERVAL), int(Status.COMPLETE)
_NO_SETBACK, _NOTHING = int(Setback.NONE), int(HeldBy.NOTHING)


@kernel
def _count_by_group(who, group, counts):  # type: ignore[no-untyped-def]
    for person in who:
        counts[group[person]] += 1


@allocating_kernel
def _note_doses(  # type: ignore[no-untyped-def]
    today,
    who,
    vaccines,
    turn,
    regimen_begun,
    second,
    min_days,
    group,
    status,
    setback,
    held_by,
    doses,
    regimen,
    first_dose_day,
    last_dose_day,
    tries,
):
    """Note the doses that people have been given; returns a key of _DOSE_PROBLEMS (0: none), and
    those who are to have another dose."""
    goes_on = np.empty(who.size, dtype=who.dtype)
    number = 0
    for i in range(who.size):
        person = who[i]
        status[person] = _COMPLETE
        if doses[person] == 0:
            if turn[group[person]] > today:
                return _TOO_EARLY, goes_on
            regimen[person] = regimen_begun[vaccines[i]]
            first_dose_day[person] = today
            if second[regimen[person]] >= 0:
                status[person] = _INTERVAL
                goes_on[number] = person
                number += 1
        elif doses[person] >= 2:
            return _THIRD, goes_on
        elif today - last_dose_day[person] < min_days[regimen[person]]:
            return _TOO_SOON, goes_on
        doses[person] += 1
        last_dose_day[person] = today
        tries[person] = 0
        setback[person] = _NO_SETBACK
        held_by[person] = _NOTHING
    return 0, goes_on[:number]
