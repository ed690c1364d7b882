"""Small campaigns for tests of the model: by hand without chance, and random ones.

`campaign()` is a campaign in which nothing is left to chance: one unit with one station, open on
all days, one telephone agent, everybody willing, services and delays of a constant length, ten
doses on the first day. Tests change what they are about. Days are numbered from the first day.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from sim.engine import get_engine
from sim.model.campaign import simulate
from sim.scenario import WEEKDAYS, Scenario, merge

FIRST_DAY = date(2021, 6, 1)  # a Tuesday
EVERY_DAY = list(WEEKDAYS)
Tables = dict[str, pd.DataFrame]


def day(number: int) -> date:
    """The date of a day of the campaign."""
    return FIRST_DAY + timedelta(days=number)


def advance_group(people: int, turn: int = 0, **more: Any) -> dict[str, Any]:
    """A group that is registered before the campaign."""
    return {
        "people": people,
        "language": "thai",
        "turn_from": day(turn),
        "willing": 1.0,
        "booked_in_advance": True,
        **more,
    }


def calling_group(people: int, turn: int = 0, opens: int = 0, **more: Any) -> dict[str, Any]:
    """A group that calls on the day `opens` (practically all of it on that very day)."""
    return {
        "people": people,
        "language": "thai",
        "turn_from": day(turn),
        "willing": 1.0,
        "first_calls": [{"opens": day(opens), "share": 1.0, "mean_days": 0.01}],
        **more,
    }


def delivery(doses: int, arrives: int = 0, vaccine: str = "az", **more: Any) -> dict[str, Any]:
    """Doses that arrive on a day."""
    return {"vaccine": vaccine, "arrives": day(arrives), "doses": doses, **more}


def unit(slots: int | None = 10, district: str = "town", **more: Any) -> dict[str, Any]:
    """A unit of the type `hall` with so many slots a day."""
    limit = {} if slots is None else {"slots_per_day": slots}
    return {"type": "hall", "district": district, **limit, **more}


BASE: dict[str, Any] = {
    "title": "A campaign without chance",
    "campaign": {
        "province": "Small",
        "first_day": FIRST_DAY,
        "vaccination_from": FIRST_DAY,
        "deadline": day(9),
        "horizon": day(19),
        "population": 100_000,
        "vaccinated_before": 0,
        "coverage_goal": 0.7,
        "complete_with": "all_doses",
    },
    "districts": {"town": 1.0},
    "groups": {"early": advance_group(10)},
    "call_centre": {
        "open_days": EVERY_DAY,
        "opens": "08:00",
        "closes": "16:00",
        "first_day": FIRST_DAY,
        "last_day": day(400),
        "lines": 100,
        "at_closing": "serve",
        "patience_minutes": 60.0,
        "booking_call_minutes": 4.0,
        "inquiry_call_minutes": 2.0,
        "redial_probability": 0.0,
        "redial_delay_minutes": 10.0,
        "attempts_per_day": 3,
        "attempts_in_all": 5,
        "inquiries_per_person": 0.0,
        "call_times": [0.0] * 8 + [1.0] * 8 + [0.0] * 8,
        "weekday_calls": [1.0] * 7,
        "pools": {"desk": {"languages": ["thai"], "agents": 5}},
    },
    "other_channels": {
        "first_day": FIRST_DAY,
        "last_day": day(400),
        "open_days": EVERY_DAY,
        "bookings_per_day": 1000,
    },
    "vaccines": {"az": {"doses_per_vial": 1, "open_vial_hours": 6.0}},
    "regimens": {"az_az": {"first": "az", "second": "az", "min_days": 5, "target_days": 5}},
    "deliveries": {"only": delivery(10)},
    "supply": {
        "allocation": "by_bookings",
        "shipment_days": EVERY_DAY,
        "second_dose_policy": "first_doses_first",
    },
    "appointments": {
        "stock_rule": "announced",
        "window_days": 60,
        "home_unit_tolerance_days": 3,
        "no_show": 0.0,
        "rebook_after_no_show": 1.0,
        "rebook_after_turned_away": 1.0,
        "punctuality_minutes": 0.0,
        "waiting_tolerance_minutes": 600.0,
    },
    "unit_types": {
        "hall": {
            "open_days": EVERY_DAY,
            "opens": "08:00",
            "closes": "16:00",
            "stations": {"jab": {"kind": "vaccination", "staff": 2, "minutes": 4.0}},
        }
    },
    "units": {"hall": unit()},
}


def campaign(changes: Mapping[str, Any] | None = None, **whole: Any) -> Scenario:
    """The campaign without chance; `changes` are merged in, tables in `whole` replaced."""
    data = merge(copy.deepcopy(BASE), changes or {})
    return Scenario.model_validate({**data, **whole})


def run(
    scenario: Scenario,
    engine: str = "compiled",
    seed: int = 1,
    replication: int = 0,
    until: date | None = None,
) -> Tables:
    """The tables of one replication."""
    return simulate(scenario, get_engine(engine), seed, replication, until)


def given(tables: Tables, group: str | None = None) -> dict[tuple[int, int], int]:
    """Doses given by (day, number of the dose)."""
    daily = tables["daily"]
    if group is not None:
        daily = daily[daily["group"] == group]
    daily = daily[daily["administered"] > 0]
    days = (daily["date"] - pd.Timestamp(FIRST_DAY)).dt.days
    sums = daily.groupby([days, daily["dose"]])["administered"].sum()
    return {(int(d), int(dose)): int(n) for (d, dose), n in sums.items()}


def totals(tables: Tables, table: str, *columns: str) -> tuple[int, ...]:
    """Sums of columns over all rows of a table."""
    return tuple(int(tables[table][column].sum()) for column in columns)


def reasons(
    tables: Tables, scope: str = "first", as_of: str = "horizon", group: str | None = None
) -> dict[str, int]:
    """People by reason, those with nobody left out."""
    rows = tables["reasons"]
    rows = rows[(rows["scope"] == scope) & (rows["as_of"] == as_of) & (rows["persons"] > 0)]
    if group is not None:
        rows = rows[rows["group"] == group]
    return {str(k): int(n) for k, n in rows.groupby("reason")["persons"].sum().items()}


def assert_same_tables(left: Tables, right: Tables) -> None:
    """All tables equal, to the last bit and in the same order."""
    assert left.keys() == right.keys()
    for name in left:
        pd.testing.assert_frame_equal(left[name], right[name], check_exact=True, obj=name)


# Random campaigns -----------------------------------------------------------------------------


def random_campaign(seed: int) -> Scenario:
    """A small campaign in which everything is drawn at random; a function of the seed alone."""
    rng = np.random.default_rng(seed)

    def chance(p: float) -> bool:
        return bool(rng.random() < p)

    def probability() -> float:
        return float(rng.choice([0.0, 1.0, round(float(rng.random()), 2)], p=[0.2, 0.2, 0.6]))

    def one_of(*choices: Any) -> Any:
        return choices[int(rng.integers(len(choices)))]

    def minutes(mean: float) -> Any:
        return one_of(
            mean,
            {"distribution": "exponential", "mean": mean},
            {"distribution": "lognormal", "mean": mean, "cv": 0.6},
            {"distribution": "uniform", "low": 0.0, "high": 2 * mean},
        )

    def weekdays() -> list[str]:
        chosen = [name for name in WEEKDAYS if chance(0.8)]
        return chosen or [one_of(*WEEKDAYS)]

    days = int(rng.integers(10, 61))
    deadline = int(rng.integers(days // 2, days))
    languages = ["thai", "burmese"]
    vaccines = ["az", "sv", "pf"][: int(rng.integers(1, 4))]
    districts = ["east", "west"][: int(rng.integers(1, 3))]
    regimens: dict[str, Any] = {}
    for number in range(int(rng.integers(1, 4))):
        least = int(rng.integers(0, days // 3 + 2))
        regimens[f"regimen_{number}"] = {
            "first": one_of(*vaccines),
            "min_days": least,
            "target_days": least + int(rng.integers(0, 5)),
        }
        if chance(0.85):
            regimens[f"regimen_{number}"]["second"] = one_of(*vaccines)
        if number and chance(0.3):
            regimens[f"regimen_{number}"]["first_dose_from"] = day(int(rng.integers(days)))
        if chance(0.3):
            regimens[f"regimen_{number}"]["first_dose_until"] = day(days + 1)
    groups: dict[str, Any] = {}
    for number in range(int(rng.integers(1, 4))):
        people = int(rng.integers(0 if number else 50, 500))
        group: dict[str, Any] = {
            "people": people,
            "language": one_of(*languages),
            "turn_from": day(int(one_of(0, rng.integers(0, days * 3 // 4)))),
            "willing": one_of(1.0, 1.0, 0.9, 0.5, 0.0),
            "telephone_share": one_of(1.0, 0.6, 0.0),
            "books_when_answered": one_of(1.0, 0.8, 0.0),
            "booked_in_advance": chance(0.3),
            "first_calls": [
                {
                    "opens": day(int(rng.integers(0, days))),
                    "share": share,
                    "mean_days": float(one_of(0.01, 2.0, 10.0)),
                }
                for share in one_of([1.0], [0.75, 0.25])
            ],
        }
        if people and chance(0.3):
            regimen = one_of(*regimens)
            group["already_vaccinated"] = [
                {
                    "people": int(rng.integers(1, people + 1)),
                    "doses": one_of(1, 2) if "second" in regimens[regimen] else 1,
                    "regimen": regimen,
                    "first_dose_from": day(-int(rng.integers(31, 120))),
                    "first_dose_to": day(-int(rng.integers(1, 31))),
                }
            ]
        groups[f"group_{number}"] = group
    deliveries = {}
    for number in range(int(rng.integers(0, 7))):
        arrives = int(rng.integers(days * 3 // 4))
        deliveries[f"delivery_{number}"] = {
            **delivery(int(rng.integers(0, 600)), arrives, one_of(*vaccines)),
            "delay_days": one_of(0.0, 3.0, {"distribution": "exponential", "mean": 4.0}),
            "fraction_delivered": one_of(
                1.0, {"distribution": "triangular", "low": 0.2, "mode": 1.0, "high": 1.2}
            ),
            "announced_doses": one_of(None, 300),
            "announced_arrival": one_of(None, day(int(rng.integers(days)))),
        }
    stations: dict[str, Any] = {}
    if chance(0.5):
        stations["desk"] = {
            "staff": int(rng.integers(1, 4)),
            "minutes": minutes(2.0),
            "share": probability(),
            "walk_minutes": one_of(0.0, 1.5),
        }
    stations["jab"] = {
        "kind": "vaccination",
        "staff": int(rng.integers(1, 4)),
        "minutes": minutes(4.0),
        "overtime_minutes": one_of(0.0, 60.0),
        "breaks": one_of([], [{"start": "09:00", "end": "09:30", "staff": 1}]),
    }
    if chance(0.5):
        stations["seats"] = {
            "kind": "observation",
            "staff": int(rng.integers(2, 20)),
            "minutes": 15.0,
            "share": probability(),
            "adverse_event_probability": one_of(0.0, 0.2),
            "adverse_event_minutes": minutes(20.0),
        }
    places = [one_of(*districts) for _ in range(int(rng.integers(1, 5)))]
    places[: len(districts)] = districts
    units = {}
    for number, place in enumerate(places):
        units[f"unit_{number}"] = {
            "type": "hall",
            "district": place,
            "open_days": weekdays(),
            "walk_ins_per_day": one_of(0.0, 0.0, 2.5),
        }
        if chance(0.4):
            units[f"unit_{number}"]["slots_per_day"] = int(rng.integers(0, 30))
        if chance(0.3):
            units[f"unit_{number}"]["refrigerator_doses"] = int(rng.integers(1, 60))
    shares = rng.dirichlet(np.ones(len(units)))
    data: dict[str, Any] = {
        "title": f"Random campaign {seed}",
        "campaign": {
            **BASE["campaign"],
            "vaccination_from": day(int(rng.integers(0, days // 2))),
            "deadline": day(deadline),
            "horizon": day(days - 1),
            "complete_with": one_of("all_doses", "all_doses", "one_dose"),
            "protected_after_days": one_of(0, 0, 7),
        },
        "districts": {d: 1 / len(districts) for d in districts},
        "groups": groups,
        "call_centre": {
            "open_days": weekdays(),
            "opens": "08:30",
            "closes": "12:15",
            "first_day": day(int(rng.integers(0, 5))),
            "last_day": day(int(rng.integers(5, days))),
            "lines": int(rng.integers(1, 12)),
            "at_closing": one_of("serve", "cut_off"),
            "patience_minutes": minutes(5.0),
            "booking_call_minutes": minutes(4.0),
            "inquiry_call_minutes": minutes(2.0),
            "redial_probability": probability(),
            "redial_delay_minutes": minutes(15.0),
            "another_day_probability": probability(),
            "attempts_per_day": int(rng.integers(1, 5)),
            "attempts_in_all": int(rng.integers(1, 10)),
            "inquiries_per_person": one_of(0.0, 0.3),
            "call_times": one_of([1.0] * 24, [0.0] * 8 + [1.0] * 3 + [9.0] + [0.5] * 12),
            "weekday_calls": [1.0] * 6 + [0.2],
            "pools": {
                "one": {
                    "languages": languages,
                    "agents": int(rng.integers(0, 3)),
                    "breaks": [{"start": "10:00", "end": "10:20", "staff": 1}],
                },
                "two": {
                    "languages": [one_of(*languages)],
                    "agents": 0,
                    "shifts": [{"start": "09:00", "end": "12:00", "staff": 1}],
                },
            },
        },
        "other_channels": {
            "first_day": day(0),
            "last_day": day(int(rng.integers(1, days))),
            "open_days": weekdays(),
            "bookings_per_day": int(rng.integers(0, 60)),
        },
        "vaccines": {
            name: {
                "doses_per_vial": int(rng.integers(1, 12)),
                "extra_doses_per_vial": int(rng.integers(0, 3)),
                "open_vial_hours": float(one_of(0.5, 6.0)),
                "storage_loss": float(one_of(0.0, 0.05)),
            }
            for name in vaccines
        },
        "regimens": regimens,
        "deliveries": deliveries,
        "supply": {
            "allocation": one_of("by_bookings", "by_capacity", "equally", "fixed_shares"),
            "fixed_shares": dict(zip(units, map(float, shares / shares.sum()), strict=True)),
            "shipment_days": one_of(EVERY_DAY, weekdays()),
            "second_dose_policy": one_of(
                "first_doses_first", "second_doses_first", "as_booked", "reserve"
            ),
            "second_dose_notice_days": int(rng.integers(0, 20)),
        },
        "appointments": {
            "stock_rule": one_of("announced", "on_hand", "ignore"),
            "window_days": int(rng.integers(1, 40)),
            "home_unit_tolerance_days": int(rng.integers(0, 10)),
            "overbooking": one_of(0.0, 0.2),
            "block_minutes": one_of(0, 30),
            "no_show": one_of(0.0, 0.1, 0.5),
            "rebook_after_no_show": probability(),
            "rebook_after_turned_away": probability(),
            "punctuality_minutes": one_of(
                0.0, {"distribution": "normal", "mean": -10.0, "sd": 10.0, "minimum": -60.0}
            ),
            "waiting_tolerance_minutes": one_of(5.0, 60.0, minutes(20.0)),
        },
        "unit_types": {
            "hall": {
                "open_days": EVERY_DAY,
                "opens": "08:00",
                "closes": one_of("09:30", "12:00"),
                "stations": stations,
            }
        },
        "units": units,
    }
    # Drawn last: what a seed gave before these were there stays as it was.
    data["call_centre"] |= {
        "redial_after_busy_probability": one_of(None, probability()),
        "reconnect_probability": one_of(0.0, 0.0, 0.3, 1.0),
        "reconnect_delay_minutes": minutes(20.0),
    }
    data["unit_types"]["hall"]["walk_in_times"] = one_of(
        None, [0.0] * 8 + [1.0, 5.0, 2.0] * 2 + [0.0] * 10
    )
    for station in stations.values():
        station["walk_minutes"] = one_of(station.get("walk_minutes", 0.0), minutes(1.0))
    data["call_centre"]["redial_after_busy_delay_minutes"] = one_of(None, minutes(15.0))
    for group in groups.values():
        for key, mean in (
            ("patience_minutes", 3.0),
            ("booking_call_minutes", 6.0),
            ("inquiry_call_minutes", 1.0),
            ("booking_wrap_up_minutes", 2.0),
            ("inquiry_wrap_up_minutes", 1.0),
        ):
            group[key] = one_of(None, None, minutes(mean))
    data["call_centre"]["booking_wrap_up_minutes"] = one_of(None, None, minutes(3.0))
    data["call_centre"]["agent_choice"] = one_of(None, "random")
    data["call_centre"]["keeps_patience"] = one_of(None, False, True)
    return Scenario.model_validate(data)
