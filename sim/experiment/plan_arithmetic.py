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

from sim.model.capacity import capacity_table, open_by_day
from sim.model.capacity import slots_by_day as appointments_by_day
from sim.model.shifts import staff_steps, staff_time_us
from sim.scenario import HOUR_US, MINUTE_US, CallCentre, Constant, Delivery, Pool, Scenario


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
    """One row a delivery, in order of arrival: vaccine, arrives, in_time, doses, usable.

    `arrives` and `usable` are expected values: delay, fraction delivered, storage loss and extra
    doses drawn from vials are taken at their means. Doses expected after the horizon (`arrives` is
    then the day after it) are not `in_time`, and none of them is usable.
    """
    rows = []
    after = scenario.campaign.horizon + timedelta(days=1)
    for name, delivery in scenario.deliveries.items():
        delay = delivery.delay_days.mean() + 0.5
        in_time = delay < (after - delivery.arrives).days
        rows.append(
            {
                "delivery": name,
                "vaccine": delivery.vaccine,
                "arrives": delivery.arrives + timedelta(math.floor(delay)) if in_time else after,
                "in_time": in_time,
                "doses": delivery.doses,
                "usable": _usable_doses(scenario, delivery) if in_time else 0,
            }
        )
    columns = ["delivery", "vaccine", "arrives", "in_time", "doses", "usable"]
    return pd.DataFrame(rows, columns=columns).sort_values("arrives", kind="stable")


def _usable_doses(scenario: Scenario, delivery: Delivery) -> int:
    """Doses of whole vials; of the expected loss a fraction of a vial is not lost."""
    vaccine = scenario.vaccines[delivery.vaccine]
    delivered = delivery.doses * delivery.fraction_delivered.mean()
    vials = math.floor(delivered / vaccine.doses_per_vial + 1e-9)
    vials -= math.floor(vials * vaccine.storage_loss + 1e-9)
    return vials * (vaccine.doses_per_vial + vaccine.extra_doses_per_vial)


def deliveries_vary(scenario: Scenario) -> bool:
    """Whether chance decides when some delivery comes, or how much of it."""
    return any(
        not isinstance(uncertain, Constant)
        for delivery in scenario.deliveries.values()
        for uncertain in (delivery.delay_days, delivery.fraction_delivered)
    )


def slots_by_day(scenario: Scenario) -> pd.Series:
    """Appointments that all open units can take on each day (overbooking and walk-ins included)."""
    campaign = scenario.campaign
    walk_ins = np.array([unit.walk_ins_per_day for unit in scenario.units.values()])
    return pd.Series(
        appointments_by_day(scenario).sum(axis=0) + walk_ins @ open_by_day(scenario),
        index=pd.date_range(campaign.first_day, campaign.horizon, freq="D"),
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
    open_days = _open_days(centre)
    hours = open_days * (centre.closes - centre.opens) / 60
    by_language = languages(scenario)
    needed = float(by_language["hours_needed"].sum())
    return TelephoneLoad(
        days=open_days,
        hours=hours,
        calls=float(by_language["calls"].sum()),
        hours_needed=needed,
        hours_available=open_days
        * sum(_on_duty(pool, centre)[1] for pool in centre.pools.values()),
        agents_needed=needed / hours if hours else math.inf,
    )


def languages(scenario: Scenario) -> pd.DataFrame:
    """One row a language: language, calls, hours_needed, agents, hours_available.

    calls: bookings and inquiries, each answered once (expected); hours_needed: agents' hours for
    them. agents: most on duty at once who speak the language; hours_available: theirs, through
    all opening days. Who speaks several languages counts in each.
    """
    centre = scenario.call_centre
    table = people(scenario)
    willing = table["willing"] - table["already_vaccinated"]
    inquiries = willing * centre.inquiries_per_person
    centres = [centre.for_group(group) for group in scenario.groups.values()]
    booking, inquiry = np.array([centre.work_minutes for centre in centres]).T
    minutes = table["by_telephone"] * booking + inquiries * inquiry
    spoken = np.array([group.language for group in scenario.groups.values()])
    days = _open_days(centre)
    rows = []
    for language in scenario.languages:
        speakers = [
            _on_duty(pool, centre) for pool in centre.pools.values() if language in pool.languages
        ]
        rows.append(
            {
                "language": language,
                "calls": float((table["by_telephone"] + inquiries)[spoken == language].sum()),
                "hours_needed": float(minutes[spoken == language].sum()) / 60,
                "agents": sum(agents for agents, _ in speakers),
                "hours_available": days * sum(hours for _, hours in speakers),
            }
        )
    return pd.DataFrame(rows)


def _open_days(centre: CallCentre) -> int:
    days = (centre.last_day - centre.first_day).days + 1
    return sum(centre.takes_calls(centre.first_day + timedelta(days=d)) for d in range(days))


def _on_duty(pool: Pool, centre: CallCentre) -> tuple[int, float]:
    """Most agents on duty at once on an opening day, and their hours in all."""
    times, numbers = staff_steps(pool.agents, pool.shifts, pool.breaks, centre.opens, centre.closes)
    opens_us, closes_us = centre.opens * MINUTE_US, centre.closes * MINUTE_US
    hours = staff_time_us(times, numbers, opens_us, closes_us) / HOUR_US
    return int(numbers.max(initial=0)) if hours else 0, hours


def last_possible_start(scenario: Scenario) -> date | None:
    """Last day of a first dose whose second can be given by the deadline; None: no second."""
    campaign = scenario.campaign
    intervals = [r.min_days for r in scenario.regimens.values() if r.second is not None]
    if campaign.complete_with == "one_dose" or not intervals:
        return None
    return campaign.deadline - timedelta(days=min(intervals) + campaign.protected_after_days)
