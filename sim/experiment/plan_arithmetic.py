"""What follows from a scenario by arithmetic, before anything is simulated.

Doses against people, slots against days, telephone hours against calls: the checks of a plan that
a committee can do on paper, done for any scenario.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from sim.model.capacity import capacity_table
from sim.model.shifts import staff_steps, staff_time_us
from sim.scenario import HOUR_US, MINUTE_US, CallCentre, Delivery, Pool, Scenario


def capacity(scenario: Scenario) -> pd.DataFrame:
    """One row a unit and station: how appointments a day follow from staff and service times."""
    return capacity_table(scenario)


def people(scenario: Scenario) -> pd.DataFrame:
    """One row a group: people, willing (expected), by_telephone (expected), turn_from."""
    rows = []
    for name, group in scenario.groups.items():
        before = sum(entry.people for entry in group.already_vaccinated)
        willing = (group.people - before) * group.willing
        rows.append(
            {
                "group": name,
                "people": group.people,
                "already_vaccinated": before,
                "willing": before + willing,
                "by_telephone": 0.0 if group.booked_in_advance else willing * group.telephone_share,
                "booked_in_advance": willing if group.booked_in_advance else 0.0,
                "turn_from": group.turn_from,
            }
        )
    return pd.DataFrame(rows)


def deliveries(scenario: Scenario) -> pd.DataFrame:
    """One row a delivery, in order of arrival: vaccine, arrives, doses, usable.

    `arrives` and `usable` are expected values: delay, fraction delivered, storage loss and extra
    doses drawn from vials are taken at their means.
    """
    rows = []
    for name, delivery in scenario.deliveries.items():
        rows.append(
            {
                "delivery": name,
                "vaccine": delivery.vaccine,
                "arrives": delivery.arrives + timedelta(days=round(delivery.delay_days.mean())),
                "doses": delivery.doses,
                "usable": _usable_doses(scenario, delivery),
            }
        )
    columns = ["delivery", "vaccine", "arrives", "doses", "usable"]
    return pd.DataFrame(rows, columns=columns).sort_values("arrives", kind="stable")


def _usable_doses(scenario: Scenario, delivery: Delivery) -> int:
    vaccine = scenario.vaccines[delivery.vaccine]
    delivered = delivery.doses * delivery.fraction_delivered.mean() * (1 - vaccine.storage_loss)
    per_vial = vaccine.doses_per_vial + vaccine.extra_doses_per_vial
    return math.floor(delivered / vaccine.doses_per_vial * per_vial + 1e-6)


def slots_by_day(scenario: Scenario) -> pd.Series:
    """Appointments that all open units can take on each day (overbooking and walk-ins included)."""
    campaign = scenario.campaign
    slots = capacity(scenario).groupby("unit")["slots_per_day"].first()
    dates = pd.date_range(campaign.first_day, campaign.horizon, freq="D")
    total = np.zeros(len(dates))
    for name, unit in scenario.units.items():
        a_day = slots[name] * (1 + scenario.appointments.overbooking) + unit.walk_ins_per_day
        for i, day in enumerate(dates):
            if day.date() >= campaign.vaccination_from and unit.is_open(day.date()):
                total[i] += a_day
    return pd.Series(total, index=dates)


@dataclass(frozen=True)
class Ceiling:
    """What doses, slots and turns allow at most, whatever the staffing, the bookings, the luck."""

    first_by_deadline: int
    full_by_deadline: int
    first_in_all: int
    """by the horizon, if every dose is a first dose"""


def ceiling(scenario: Scenario) -> Ceiling:
    """First doses F(t) <= min(F(t - 1) + slots(t), doses arrived by t, people whose turn has come).

    Every dose is taken to be a first dose; the second follows after the shortest interval. People
    vaccinated before the campaign count from its first day.
    """
    campaign = scenario.campaign
    slots = slots_by_day(scenario)
    arriving = deliveries(scenario).groupby("arrives")["usable"].sum()
    before = sum(e.people for g in scenario.groups.values() for e in g.already_vaccinated)
    given = doses = 0.0
    first: list[float] = []
    for day, today_slots in slots.items():
        today = pd.Timestamp(str(day)).date()
        doses += float(arriving.get(today, 0))
        eligible = sum(
            group.people - sum(entry.people for entry in group.already_vaccinated)
            for group in scenario.groups.values()
            if group.turn_from <= today
        )
        given = max(given, min(given + today_slots, doses, eligible))
        first.append(given)
    deadline = (campaign.deadline - campaign.first_day).days
    one_is_enough = campaign.complete_with == "one_dose"
    interval = min(
        0 if one_is_enough or regimen.second is None else regimen.min_days
        for regimen in scenario.regimens.values()
    )
    last_start = deadline - interval - campaign.protected_after_days
    return Ceiling(
        first_by_deadline=int(first[deadline]) + before,
        full_by_deadline=(int(first[last_start]) if last_start >= 0 else 0) + before,
        first_in_all=int(first[-1]) + before,
    )


def calendar(scenario: Scenario) -> pd.DataFrame:
    """One row a month: vaccination days, slots, the same up to the deadline, call-centre days."""
    slots = slots_by_day(scenario)
    frame = pd.DataFrame({"slots": slots, "day": slots.index})
    frame["month"] = frame["day"].dt.strftime("%Y-%m")
    frame["vaccination_days"] = (frame["slots"] > 0).astype(int)
    in_time = frame["day"] <= pd.Timestamp(scenario.campaign.deadline)
    frame["vaccination_days_by_deadline"] = frame["vaccination_days"].where(in_time, 0)
    frame["slots_by_deadline"] = frame["slots"].where(in_time, 0)
    frame["call_centre_days"] = [
        int(scenario.call_centre.takes_calls(day.date())) for day in frame["day"]
    ]
    return frame.drop(columns="day").groupby("month").sum().reset_index()


@dataclass(frozen=True)
class TelephoneLoad:
    """Agents' hours that the bookings need against those that the pools have."""

    days: int
    hours: float
    """opening hours in all"""
    calls: float
    """bookings and inquiries, each answered once (expected)"""
    hours_needed: float
    hours_available: float
    agents_needed: float
    """always busy, through all opening hours"""


def telephone_load(scenario: Scenario) -> TelephoneLoad:
    """Every expected booking and inquiry answered once: no repeated or abandoned call."""
    centre = scenario.call_centre
    days = (centre.last_day - centre.first_day).days + 1
    open_days = sum(centre.takes_calls(centre.first_day + timedelta(days=d)) for d in range(days))
    hours = open_days * (centre.closes - centre.opens) / 60
    table = people(scenario)
    bookings = float(table["by_telephone"].sum())
    willing = float((table["willing"] - table["already_vaccinated"]).sum())
    inquiries = willing * centre.inquiries_per_person
    needed = (
        bookings * centre.booking_call_minutes.mean()
        + inquiries * centre.inquiry_call_minutes.mean()
    ) / 60
    available = open_days * sum(_agent_hours(pool, centre) for pool in centre.pools.values())
    return TelephoneLoad(
        days=open_days,
        hours=hours,
        calls=bookings + inquiries,
        hours_needed=needed,
        hours_available=available,
        agents_needed=needed / hours if hours else math.inf,
    )


def _agent_hours(pool: Pool, centre: CallCentre) -> float:
    times, numbers = staff_steps(pool.agents, pool.shifts, pool.breaks, centre.opens, centre.closes)
    opens_us, closes_us = centre.opens * MINUTE_US, centre.closes * MINUTE_US
    return staff_time_us(times, numbers, opens_us, closes_us) / HOUR_US


def last_possible_start(scenario: Scenario) -> date | None:
    """Last day of a first dose whose second can be given by the deadline; None: no second."""
    campaign = scenario.campaign
    intervals = [r.min_days for r in scenario.regimens.values() if r.second is not None]
    if campaign.complete_with == "one_dose" or not intervals:
        return None
    return campaign.deadline - timedelta(days=min(intervals) + campaign.protected_after_days)
