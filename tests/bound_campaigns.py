"""Campaigns each of which is bound by something else, and what becomes of them.

Nothing is left to chance in the small ones but where people live; see `campaigns.py`.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from campaigns import advance_group, calling_group, campaign, delivery, run, unit

from sim.scenario import Scenario
from sim.scenario_files import load_scenario

MANY = {"only": delivery(1000)}


def tables_of(scenario: Scenario, replications: int = 1) -> list[dict[str, Any]]:
    """Simulated once for each scenario and number: most tests relax the same one in many ways."""
    key = scenario.model_dump_json(by_alias=True)
    return [_simulated(key, number) for number in range(replications)]


@cache
def _simulated(scenario: str, number: int) -> dict[str, Any]:
    return run(Scenario.model_validate_json(scenario), replication=number)


def coverage(tables: dict[str, pd.DataFrame], scope: str) -> int:
    """Persons vaccinated by the deadline."""
    rows = tables["reasons"]
    rows = rows[(rows["as_of"] == "deadline") & (rows["reason"] == "vaccinated")]
    return int(rows.loc[rows["scope"] == scope, "persons"].sum())


@cache
def small() -> dict[str, Scenario]:
    """Campaigns of a hundred people or so, each named after what binds in it."""
    crowd = advance_group(150)
    weekdays = {"unit_types": {"hall": {"open_days": ["mon", "tue", "wed", "thu", "fri"]}}}
    return {
        "slots": campaign(groups={"early": crowd}, deliveries=MANY),
        "closed": campaign(weekdays, groups={"early": crowd}, deliveries=MANY),
        "doses": campaign(groups={"early": crowd}, deliveries={"a": delivery(25)}),
        "turn": campaign(groups={"late": advance_group(60, turn=7)}, deliveries=MANY),
        # One agent serves 120 calls of 4 minutes a day; in vain is in vain.
        "telephone": campaign(
            {
                "call_centre": {
                    "pools": {"desk": {"agents": 1}},
                    "patience_minutes": 1.0,
                    "another_day_probability": 0.0,
                }
            },
            groups={"callers": calling_group(300)},
            deliveries=MANY,
            units={"hall": unit(100)},
        ),
        "other_channels": campaign(
            {"other_channels": {"bookings_per_day": 5}},
            groups={"callers": calling_group(100, telephone_share=0.0)},
            deliveries=MANY,
        ),
        "registration": campaign(
            groups={"callers": calling_group(30, opens=12)},
            deliveries=MANY,
        ),
        "willingness": campaign(groups={"early": advance_group(60, willing=0.5)}, deliveries=MANY),
        "no_show": campaign(
            {"appointments": {"no_show": 0.3, "rebook_after_no_show": 0.0}},
            groups={"early": crowd},
            deliveries=MANY,
        ),
        # Two vaccinators serve 15 people in half an hour; the others of 30 are turned away.
        "queue": campaign(
            {
                "unit_types": {
                    "hall": {"closes": "08:30", "stations": {"jab": {"overtime_minutes": 0.0}}}
                }
            },
            groups={"early": crowd},
            deliveries=MANY,
            units={"hall": unit(30)},
        ),
        # Five people come to each of four units and share a vial of ten: half of it is thrown away.
        "thrown_away": campaign(
            {"vaccines": {"az": {"doses_per_vial": 10, "open_vial_hours": 12.0}}},
            groups={"early": crowd},
            deliveries={"a": delivery(200)},
            units={name: unit(5) for name in ("north", "east", "south", "west")},
        ),
        # A third vial is opened for the last person of eleven; people miss appointments.
        "thrown_away_and_no_show": campaign(
            {
                "vaccines": {"az": {"doses_per_vial": 5, "extra_doses_per_vial": 1}},
                "appointments": {"no_show": 0.1, "rebook_after_no_show": 0.5},
            },
            groups={"early": advance_group(180), "late": advance_group(60, turn=4)},
            deliveries={"a": delivery(60), "b": delivery(40, 5)},
            units={"town": unit(13), "village": unit(4)},
        ),
        "turn_and_doses": campaign(
            groups={"early": advance_group(10), "late": advance_group(50, turn=15)}
        ),
        "none": campaign(groups={"early": advance_group(10)}, deliveries=MANY),
    }


@cache
def shrunk_plan(
    name: str = "plan", all_registered: bool = True, home_unit_tolerance_days: int = 7
) -> Scenario:
    """A plan of scenarios/ with a 200th of its people, doses and slots, and three units.

    With `all_registered` nobody has to call: then the arithmetic of the announcement is exact.
    """
    data = load_scenario(Path("scenarios") / f"{name}.toml").model_dump(by_alias=True)
    for key in ("sources", "ranges", "not_varied"):
        data.pop(key)
    for group in data["groups"].values():
        group["people"] //= 200
        group["booked_in_advance"] |= all_registered
    for one in data["deliveries"].values():
        one["doses"] //= 200
    data["campaign"]["horizon"] = date(2021, 8, 31)
    data["vaccines"]["astrazeneca"]["doses_per_vial"] = 1  # else small units waste many
    data["other_channels"]["bookings_per_day"] //= 200
    data["call_centre"] |= {
        "lines": 3,
        "inquiries_per_person": 0.0,
        "booking_call_minutes": 20.0,  # one agent answers a 200th of what 40 do
        "pools": {"all": {"languages": ["thai", "burmese"], "agents": 1}},
    }
    data["appointments"]["home_unit_tolerance_days"] = home_unit_tolerance_days
    slots = {"hospital_01": 30, "hospital_08": 18, "hospital_13": 12}
    data["units"] = {
        name: data["units"][name] | {"slots_per_day": number} for name, number in slots.items()
    }
    return Scenario.model_validate(data)
