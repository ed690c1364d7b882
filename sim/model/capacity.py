"""What the staff of the units can do.

*Nominal throughput* of a station is its staff time within opening hours, divided by the mean time
that a patient takes there, averaged over all patients (so divided by the share who visit it). The
unit's is the least of its stations', rounded down; it is the number of appointments a day unless
`slots_per_day` says otherwise, before overbooking.
"""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.model.shifts import staff_steps, staff_time_us
from sim.scenario import MINUTE_US, Scenario, Station, Unit, UnitType

Int64Array = NDArray[np.int64]


def capacity_table(scenario: Scenario) -> pd.DataFrame:
    """How each unit's appointments a day follow from its stations.

    One row a station: unit, type, district, station, kind, staff_minutes (within opening hours),
    mean_minutes (expected time there of a patient who visits it), share, throughput (patients a
    day), and the unit's slots_per_day (before overbooking).
    """
    rows = []
    for name, unit in scenario.units.items():
        stations = [station_capacity(station, unit) for station in unit.stations.values()]
        slots = unit_slots(unit)
        for station_name, (station, capacity) in zip(
            unit.stations, zip(unit.stations.values(), stations, strict=True), strict=True
        ):
            rows.append(
                {
                    "unit": name,
                    "type": unit.type,
                    "district": unit.district,
                    "station": station_name,
                    "kind": station.kind,
                    **capacity,
                    "slots_per_day": slots,
                }
            )
    return pd.DataFrame(rows)


def unit_slots(unit: Unit) -> int:
    """Appointments a day before overbooking."""
    if unit.slots_per_day is not None:
        return unit.slots_per_day
    throughput = min(station_capacity(s, unit)["throughput"] for s in unit.stations.values())
    return math.floor(min(throughput, 1e9) + 1e-9)


def station_capacity(station: Station, unit: UnitType) -> dict[str, float]:
    """staff_minutes, mean_minutes, share, throughput: as in `capacity_table`."""
    times, staff = staff_steps(
        station.staff, station.shifts, station.breaks, unit.opens, unit.closes
    )
    time_us = staff_time_us(times, staff, unit.opens * MINUTE_US, unit.closes * MINUTE_US)
    mean = station.minutes.mean()
    if station.adverse_event_probability:
        mean += station.adverse_event_probability * station.adverse_event_minutes.mean()
    work = mean * station.share
    return {
        "staff_minutes": time_us / MINUTE_US,
        "mean_minutes": mean,
        "share": station.share,
        "throughput": time_us / MINUTE_US / work if work > 0 else math.inf,
    }


def open_by_day(scenario: Scenario) -> NDArray[np.bool_]:
    """Which units vaccinate on which days: bool[units, days]."""
    campaign = scenario.campaign
    days = (campaign.horizon - campaign.first_day).days + 1
    dates = [campaign.first_day + timedelta(days=d) for d in range(days)]
    calendars: dict[tuple[object, ...], list[bool]] = {}  # most units share theirs
    rows = []
    for unit in scenario.units.values():
        calendar = (*unit.open_days, *unit.closed_dates)
        if calendar not in calendars:
            calendars[calendar] = [
                day >= campaign.vaccination_from and unit.is_open(day) for day in dates
            ]
        rows.append(calendars[calendar])
    return np.array(rows)


def slots_by_day(scenario: Scenario) -> Int64Array:
    """Appointments that each unit gives on each day, overbooking included: int64[units, days]."""
    overbooked = 1 + scenario.appointments.overbooking
    a_day = [math.floor(unit_slots(u) * overbooked + 1e-9) for u in scenario.units.values()]
    return open_by_day(scenario) * np.array(a_day, dtype=np.int64)[:, np.newaxis]


def home_weights(scenario: Scenario) -> NDArray[np.float64]:
    """Share of all people whose home unit is each unit (float[units])."""
    weights = np.array(
        [
            float(unit_slots(u)) if u.catchment_weight is None else u.catchment_weight
            for u in scenario.units.values()
        ]
    )
    districts = np.array([unit.district for unit in scenario.units.values()])
    for district, share in scenario.districts.items():
        inside = districts == district
        total = weights[inside].sum()
        even = 1 / max(inside.sum(), 1)
        weights[inside] = share * (weights[inside] / total if total > 0 else even)
    return weights
