"""A campaign of 1,000 people in 30 days, and tables of it made up by hand.

The tables are not simulated: they are a simple bookkeeping in which every number is known, so
that the tests of measures, results and pictures can say what is right.
"""

import copy
from datetime import date, timedelta
from typing import Any

import pandas as pd

from sim.model.records import CAUSES, REASONS, TABLES
from sim.scenario import Scenario, merge

UNIT_DAY = {
    "open_days": ["mon", "tue", "wed", "thu", "fri", "sat"],
    "opens": "08:00",
    "closes": "10:00",
}

SMALL: dict[str, Any] = {
    "title": "A small campaign",
    "campaign": {
        "province": "Small",
        "first_day": date(2021, 6, 1),  # a Tuesday
        "vaccination_from": date(2021, 6, 3),
        "deadline": date(2021, 6, 20),
        "horizon": date(2021, 6, 30),
        "population": 2000,
        "vaccinated_before": 600,
        "coverage_goal": 0.70,
        "complete_with": "all_doses",
    },
    "districts": {"town": 1.0},
    "groups": {
        "early": {
            "people": 400,
            "language": "thai",
            "turn_from": date(2021, 6, 1),
            "willing": 1.0,
            "booked_in_advance": True,
        },
        "late": {
            "people": 600,
            "language": "burmese",
            "turn_from": date(2021, 6, 8),
            "willing": 0.9,
            "telephone_share": 0.8,
            "first_calls": [{"opens": date(2021, 6, 1), "share": 1.0, "mean_days": 3.0}],
        },
    },
    "call_centre": {
        **UNIT_DAY,
        "closes": "12:00",
        "first_day": date(2021, 6, 1),
        "last_day": date(2021, 6, 20),
        "lines": 6,
        "at_closing": "serve",
        "patience_minutes": {"distribution": "exponential", "mean": 5.0},
        "booking_call_minutes": {"distribution": "exponential", "mean": 4.0},
        "inquiry_call_minutes": 3.0,
        "redial_probability": 0.7,
        "redial_delay_minutes": {"distribution": "exponential", "mean": 10.0},
        "attempts_per_day": 4,
        "attempts_in_all": 8,
        "inquiries_per_person": 0.1,
        "call_times": [1.0] * 24,
        "weekday_calls": [1.0] * 7,
        "pools": {"desk": {"languages": ["thai", "burmese"], "agents": 2}},
    },
    "other_channels": {
        "first_day": date(2021, 6, 1),
        "last_day": date(2021, 6, 20),
        "open_days": ["mon", "tue", "wed", "thu", "fri", "sat"],
        "bookings_per_day": 30,
    },
    "vaccines": {"az": {"doses_per_vial": 10, "open_vial_hours": 6.0}},
    "regimens": {"az_az": {"first": "az", "second": "az", "min_days": 14, "target_days": 14}},
    "deliveries": {
        "first": {"vaccine": "az", "arrives": date(2021, 6, 3), "doses": 500},
        "second": {"vaccine": "az", "arrives": date(2021, 6, 12), "doses": 400},
    },
    "supply": {
        "allocation": "by_bookings",
        "shipment_days": ["mon", "tue", "wed", "thu", "fri", "sat"],
        "second_dose_policy": "first_doses_first",
    },
    "appointments": {
        "stock_rule": "announced",
        "window_days": 20,
        "home_unit_tolerance_days": 3,
        "no_show": 0.05,
        "rebook_after_no_show": 0.7,
        "rebook_after_turned_away": 0.9,
        "punctuality_minutes": -5.0,
        "waiting_tolerance_minutes": 60.0,
    },
    "unit_types": {
        "hall": {
            **UNIT_DAY,
            "stations": {
                "registration": {"staff": 2, "minutes": 2.0},
                "vaccination": {"kind": "vaccination", "staff": 2, "minutes": 4.0},
                "observation": {"kind": "observation", "staff": 30, "minutes": 15.0},
            },
        },
    },
    "units": {
        "north": {"type": "hall", "district": "town"},
        "south": {"type": "hall", "district": "town"},
    },
}


def small_scenario(changes: dict[str, Any] | None = None) -> Scenario:
    """The small campaign with some values changed (nested, as in a what-if file)."""
    return Scenario.model_validate(merge(copy.deepcopy(SMALL), changes or {}))


class _Rows:
    """Collects rows and gives them the documented columns and types."""

    def __init__(self, replication: int) -> None:
        self.replication = replication
        self.parts: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}

    def add(self, table: str, rows: dict[str, Any]) -> None:
        several = any(isinstance(value, list) for value in rows.values())
        self.parts[table].append(pd.DataFrame(rows, index=None if several else [0]))

    def tables(self) -> dict[str, pd.DataFrame]:
        types = {"date": "datetime64[ms]", "category": "str"}
        tables = {}
        for name, table in TABLES.items():
            columns = {column.name: types.get(column.type, column.type) for column in table.columns}
            parts = self.parts[name]
            rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
            tables[name] = rows.assign(replication=self.replication)[list(columns)].astype(columns)
        return tables


def made_up_tables(scenario: Scenario, replication: int = 0) -> dict[str, pd.DataFrame]:
    """Tables of the small campaign in which everything is known.

    On 12 days, 3 June to 16 June but for two Sundays, each of the two units has 30 appointments
    of the group `early` on the first 6 days and of `late` on the others. Everybody is vaccinated
    but 2 no-shows and `replication` people who find no dose (one of whom drops out, if any), so
    a unit gives 28 - replication doses a day, from 3 vials of 10; the rest of them is discarded.
    On 28 June each unit gives 5 second doses to `early`, from one vial.
    """
    r = replication
    recorder = _Rows(r)
    given_first = 28 - r
    days = [date(2021, 6, 3) + timedelta(days=k) for k in range(14)]
    days = [day for day in days if day.weekday() != 6]
    second_day = date(2021, 6, 28)
    on_hand = {"north": 0, "south": 0, "province_store": 0}
    day = scenario.campaign.first_day
    while day <= scenario.campaign.horizon:
        delivered = sum(d.doses for d in scenario.deliveries.values() if d.arrives == day)
        vials = 3 if day in days else 1 if day == second_day else 0
        given = given_first if day in days else 5 if day == second_day else 0
        on_hand["province_store"] += delivered - 2 * 10 * vials
        recorder.add(
            "stock",
            {
                "date": day,
                "place": ["province_store", "north", "south"],
                "vaccine": "az",
                "delivered": [delivered, 0, 0],
                "storage_loss": 0,
                "shipped_in": [0, 10 * vials, 10 * vials],
                "shipped_out": [2 * 10 * vials, 0, 0],
                "extra": 0,
                "administered": [0, given, given],
                "wasted": [0, 10 * vials - given, 10 * vials - given],
                "on_hand": [on_hand["province_store"], 0, 0],
                "unpromised": [on_hand["province_store"], 0, 0],
            },
        )
        if vials:
            _session(recorder, day, days, given, r)
        _calls(recorder, day, r)
        day += timedelta(days=1)
    _reasons(recorder, given_first)
    if r == 0:
        _unit_day(recorder)
    _durations(recorder)
    return recorder.tables()


def _session(recorder: _Rows, day: date, days: list[date], given: int, r: int) -> None:
    first = day in days
    group = "early" if not first or days.index(day) < 6 else "late"
    recorder.add(
        "daily",
        {
            "date": day,
            "unit": ["north", "south"],
            "group": group,
            "dose": 1 if first else 2,
            "appointments": 30 if first else 5,
            "walk_ins": 0,
            "no_shows": 2 if first else 0,
            "administered": given,
            "completed": 0 if first else given,
            "no_dose": r if first else 0,
            "left": 0,
            "late": 0,
            "closed": 0,
            "dropped_out": min(r, 1) if first else 0,
        },
    )
    came = given + (r if first else 0)
    recorder.add(
        "stations",
        {
            "date": day,
            "unit": ["north"] * 3 + ["south"] * 3,
            "station": ["registration", "vaccination", "observation"] * 2,
            "joined": [came, came, given] * 2,
            "served": [came, given, given] * 2,
            "wait": [0.0, 3.0 * given, 0.0] * 2,
            "max_queue": [0, 4, 0] * 2,
            "busy": [2.0 * came, 4.0 * given, 15.0 * given] * 2,
            "on_duty": [240.0, 240.0, 3600.0] * 2,
        },
    )
    recorder.add(
        "sessions",
        {
            "date": day,
            "unit": ["north", "south"],
            "open_minutes": 120.0,
            "patients": came,
            "max_inside": [10, 12],
            "time_inside": 25.0 * came,
            "last_exit": [5.0, -3.0],
        },
    )


def _calls(recorder: _Rows, day: date, r: int) -> None:
    """20 people of `late` call on each of 10 days; 15 are answered, with 30 + r attempts in all."""
    number = (day - date(2021, 6, 1)).days
    if number >= 10:
        return
    attempts = 30 + r
    recorder.add(
        "callers",
        {
            "date": day,
            "group": ["late", "late"],
            "purpose": ["booking", "inquiry"],
            "callers": [20, 2],
            "first_calls": [20, 2],
            "calls_outside_hours": [3, 0],
            "attempts": [attempts, 2],
            "answered": [15, 2],
            "bookings": [15, 0],
            "gave_up": [2, 0],
            "carried": [3, 0],
        },
    )
    recorder.add(
        "call_centre",
        {
            "date": day,
            "hour": [8, 9],
            "language": "burmese",
            "offered": [20, attempts - 18],
            "answered": [10, 7],
            "abandoned": [4, 3],
            "blocked": [6, attempts - 28],
            "cut_off": 0,
            "delayed": [8, 5],
            "within_target": [6, 5],
            "wait_answered": [20.0, 14.0],
            "wait_all": [40.0, 20.0],
        },
    )
    recorder.add(
        "agents",
        {
            "date": day,
            "pool": "desk",
            "answered": 17,
            "on_duty": 480.0,
            "busy": 120.0,
            "overtime": 6.0,
        },
    )
    recorder.add(
        "bookings",
        {
            "date": day,
            "group": "late",
            "registered_telephone": 15,
            "registered_other": 10,
            "came_other": 10,
            "booked_first": 25,
            "booked_second": 0,
            "waiting_first": 0,
            "waiting_second": 0,
        },
    )


_CAUSE = {"no_dose": "no_dose_on_the_day"}


def _reasons(recorder: _Rows, given: int) -> None:
    first = 2 * 6 * given  # of each group, by either day
    for as_of in ("deadline", "horizon"):
        second = 10 if as_of == "horizon" else 0
        for group, people, full in (("early", 400, second), ("late", 600, 0)):
            unwilling = 60 if group == "late" else 0
            rest = people - first - unwilling
            first_reasons = {"vaccinated": first, "unwilling": unwilling, "no_dose": rest}
            full_reasons = {
                **first_reasons,
                "vaccinated": full,
                "interval_not_over": first - full,
            }
            for scope, counts in (("first", first_reasons), ("full", full_reasons)):
                recorder.add(
                    "reasons",
                    {
                        "as_of": as_of,
                        "scope": scope,
                        "group": group,
                        "reason": list(REASONS),
                        "persons": [counts.get(reason, 0) for reason in REASONS],
                    },
                )
                causes = {_CAUSE.get(reason, reason): n for reason, n in counts.items()}
                recorder.add(
                    "causes",
                    {
                        "as_of": as_of,
                        "scope": scope,
                        "group": group,
                        "cause": list(CAUSES),
                        "persons": [causes.get(cause, 0) for cause in CAUSES],
                    },
                )


def _durations(recorder: _Rows) -> None:
    """170 answered calls, of which 85 waited; at `vaccination` 40 of 400 waited 5 to 10 minutes."""
    for what, station, shortest, longest, number in (
        ("call", "", 0.0, 0.0, 85),
        ("call", "", 3.0, 5.0, 85),
        ("station", "vaccination", 0.0, 0.0, 360),
        ("station", "vaccination", 5.0, 10.0, 40),
        ("stay", "", 20.0, 30.0, 400),
    ):
        recorder.add(
            "durations",
            {
                "what": what,
                "station": station,
                "shortest": shortest,
                "longest": longest,
                "number": number,
            },
        )


def _unit_day(recorder: _Rows) -> None:
    minutes = list(range(475, 640))
    for unit in ("north", "south"):
        for station, longest in (("registration", 2), ("vaccination", 6), ("observation", 0)):
            recorder.add(
                "unit_day",
                {
                    "date": date(2021, 6, 3),
                    "unit": unit,
                    "station": station,
                    "minute": minutes,
                    "waiting": [longest if 500 <= m < 560 else 0 for m in minutes],
                    "in_service": [1 if 480 <= m < 600 else 0 for m in minutes],
                },
            )
