"""What the units' staff can do, and who comes to a session and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from campaigns import (
    FIRST_DAY,
    Tables,
    advance_group,
    calling_group,
    campaign,
    day,
    delivery,
    given,
    reasons,
    run,
    totals,
    unit,
)

from sim.engine import get_engine
from sim.model.campaign import Campaign
from sim.model.capacity import capacity_table, home_weights, open_by_day, slots_by_day
from sim.random_streams import RandomStreams
from sim.scenario import Scenario
from sim.scenario_files import load_scenario

PLAN = Path(__file__).parent.parent / "scenarios" / "plan.toml"
ONE_DOSE = {"one": {"first": "az"}}


# Capacity -----------------------------------------------------------------------------------------


def test_the_plan_gives_12000_appointments_a_day_by_its_stations() -> None:
    # The narrowest station is the jab, 4 minutes on average, in 480 minutes: 4 people give 480 a
    # day, 6 give 720, 8 give 960; 15 x 480 + 4 x 720 + 2 x 960 = 12,000.
    table = capacity_table(load_scenario(PLAN))
    units = table.groupby("unit").first()
    assert units.groupby("type")["slots_per_day"].agg(["count", "min", "max"]).T.to_dict() == {
        "hospital": {"count": 15, "min": 480, "max": 480},
        "outside": {"count": 4, "min": 720, "max": 720},
        "estate": {"count": 2, "min": 960, "max": 960},
    }
    assert units["slots_per_day"].sum() == 12_000
    hospital = table[table["unit"] == "hospital_01"].set_index("station")["throughput"]
    # Observation: 40 seats for 30 minutes, prolonged by 20 minutes in 1.5 % of cases.
    assert hospital.round(2).to_dict() == {
        "registration": 720.0,
        "screening": 640.0,
        "vaccination": 480.0,
        "observation": 633.66,
    }


def stations(**jab: Any) -> dict[str, Any]:
    return {"jab": {"kind": "vaccination", "staff": 2, "minutes": 4.0, **jab}}


def slots(changes: dict[str, Any] | None = None, **hall: Any) -> int:
    """Slots of a unit that opens from 8 to 16 o'clock."""
    scenario = campaign(changes, units={"hall": unit(None, **hall)})
    return int(slots_by_day(scenario)[0, 1])


def test_slots_are_staff_time_over_mean_time_rounded_down() -> None:
    assert slots() == 240  # 2 x 480 / 4
    assert slots(stations=stations(minutes=7.0)) == 137  # 2 x 480 / 7 = 137.1
    assert slots(stations=stations(minutes={"distribution": "exponential", "mean": 5.0})) == 192


def test_a_break_takes_its_minutes() -> None:
    # One of two away from 12 to 13: 960 - 60 = 900 minutes.
    breaks = [{"start": "12:00", "end": "13:00", "staff": 1}]
    assert slots(stations=stations(breaks=breaks)) == 225


def test_more_away_than_there_are_count_as_all_away() -> None:
    breaks = [{"start": "12:00", "end": "13:00", "staff": 9}]
    assert slots(stations=stations(breaks=breaks)) == 210  # 2 x 420 / 4


def test_shifts_add_up_and_count_within_opening_hours_only() -> None:
    # 6-12 and 10-20 o'clock, one each: 4 + 6 = 10 hours within 8-16: 600 / 4.
    shifts = [
        {"start": "06:00", "end": "12:00", "staff": 1},
        {"start": "10:00", "end": "20:00", "staff": 1},
    ]
    assert slots(stations=stations(shifts=shifts)) == 150


def test_a_station_for_some_has_more_capacity() -> None:
    # Half of the people need 8 minutes at the desk: 4 on average, one clerk: 480 / 4 = 120.
    desk = {"desk": {"staff": 1, "minutes": 8.0, "share": 0.5}}
    assert slots(stations={**stations(), **desk}) == 120
    nobody = {"desk": {"staff": 1, "minutes": 8.0, "share": 0.0}}
    assert slots(stations={**stations(), **nobody}) == 240


def test_adverse_events_take_seats() -> None:
    # 10 % stay 20 minutes longer: 17 minutes on average, 10 seats: 4800 / 17 = 282.4.
    seats = {
        "seats": {
            "kind": "observation",
            "staff": 10,
            "minutes": 15.0,
            "adverse_event_probability": 0.1,
            "adverse_event_minutes": 20.0,
        }
    }
    assert slots(stations={**stations(staff=9), **seats}) == 282


def test_slots_can_be_said_instead() -> None:
    assert slots(slots_per_day=17) == 17


def test_overbooking_gives_more_slots_than_the_staff_can_do() -> None:
    assert slots({"appointments": {"overbooking": 0.1}}) == 264
    assert slots({"appointments": {"overbooking": 0.1}}, slots_per_day=15) == 16


def test_open_days_follow_the_calendar_and_the_start_of_vaccination() -> None:
    scenario = campaign(
        {"campaign": {"vaccination_from": day(3)}},
        units={
            "week": unit(open_days=["mon", "tue", "wed", "thu", "fri"], closed_dates=[day(6)]),
            "sunday": unit(open_days=["sun"]),
        },
    )
    # Day 3 is a Friday, day 5 a Sunday, day 6 a Monday (closed here).
    week, sunday = open_by_day(scenario)
    assert np.flatnonzero(week).tolist() == [3, 7, 8, 9, 10, 13, 14, 15, 16, 17]
    assert np.flatnonzero(sunday).tolist() == [5, 12, 19]


def test_people_live_in_the_districts_by_their_shares_and_near_units_by_their_slots() -> None:
    scenario = campaign(
        districts={"east": 0.6, "west": 0.4},
        units={
            "a": unit(10, "east"),
            "b": unit(30, "east"),
            "c": unit(10, "west"),
        },
    )
    assert home_weights(scenario).round(9).tolist() == [0.15, 0.45, 0.4]


def test_a_catchment_weight_replaces_the_slots() -> None:
    scenario = campaign(
        units={"a": unit(0, catchment_weight=1.0), "b": unit(1000, catchment_weight=3.0)}
    )
    assert home_weights(scenario).tolist() == [0.25, 0.75]


def test_units_without_any_slots_share_their_district_evenly() -> None:
    assert home_weights(campaign(units={"a": unit(0), "b": unit(0)})).tolist() == [0.5, 0.5]


# Appointments during the day ----------------------------------------------------------------------


def one_day(
    people: int,
    appointments: dict[str, Any] | None = None,
    doses: int = 100_000,
    **hall: Any,
) -> Tables:
    """People with appointments on day 1, one dose each, at one unit."""
    return run(
        campaign(
            {"appointments": appointments or {}},
            groups={"all": advance_group(people)},
            deliveries={"d": delivery(doses)},
            regimens=ONE_DOSE,
            units={"hall": unit(**{"slots": people, **hall})},
        )
    )


def test_slots_are_spread_evenly_over_the_opening_hours() -> None:
    # 4 people every 2 hours, service 4 minutes each: nobody meets anybody.
    tables = one_day(4)
    [session] = tables["sessions"].to_dict("records")
    assert (session["max_inside"], session["time_inside"], session["patients"]) == (1, 16.0, 4)
    assert session["open_minutes"] == 480.0


def test_in_blocks_people_come_together_and_wait() -> None:
    # Blocks of 8 hours: all 5 come at 8 o'clock; 2 staff, 4 minutes: waits 0, 0, 4, 4, 8.
    [station] = one_day(5, {"block_minutes": 480})["stations"].to_dict("records")
    assert (station["wait"], station["max_queue"], station["served"]) == (16.0, 3, 5)


def test_punctuality_shifts_arrivals() -> None:
    # An hour late: the last of 4 (slot at 14 o'clock) leaves at 15:04.
    [session] = one_day(4, {"punctuality_minutes": 60.0})["sessions"].to_dict("records")
    assert session["last_exit"] == -56.0


def test_who_comes_early_waits_for_the_staff() -> None:
    # 10 minutes before opening; staff are there from 8 o'clock.
    [station] = one_day(1, {"punctuality_minutes": -10.0})["stations"].to_dict("records")
    assert station["wait"] == 10.0


def test_who_comes_after_closing_is_turned_away() -> None:
    # 3 hours late: slots at 8, 10, 12 and 14 o'clock; the last comes at 17 o'clock.
    tables = one_day(4, {"punctuality_minutes": 180.0, "rebook_after_turned_away": 0.0})
    assert totals(tables, "daily", "administered", "closed", "dropped_out") == (3, 1, 1)
    assert reasons(tables) == {"vaccinated": 3, "no_slot": 1}


def test_who_waits_too_long_leaves_and_rebooks() -> None:
    # All 6 at 8 o'clock, 2 staff: waits 0, 0, 4, 4, 8, 8 minutes; nobody waits more than 5.
    tables = one_day(6, {"block_minutes": 480, "waiting_tolerance_minutes": 5.0})
    assert given(tables) == {(1, 1): 4, (2, 1): 2}
    assert totals(tables, "daily", "left", "dropped_out") == (2, 0)


def test_who_is_served_late_is_not_turned_away_within_the_overtime() -> None:
    # 10 services of an hour by 1 person from 8 o'clock; the ninth starts at 16:00, the tenth
    # would at 17:00, which is the limit.
    tables = one_day(
        10,
        {"block_minutes": 480, "rebook_after_turned_away": 0.0, "waiting_tolerance_minutes": 9e3},
        stations={"jab": {"staff": 1, "minutes": 60.0, "overtime_minutes": 60.0}},
    )
    assert totals(tables, "daily", "administered", "late") == (9, 1)
    assert tables["sessions"]["last_exit"].tolist() == [60.0]


def test_a_break_of_all_staff_stops_the_service() -> None:
    # 2 people at 8 o'clock, 1 person on duty, away from 8:02 to 9:00: the first service is
    # finished, the second starts at 9 o'clock.
    breaks = [{"start": "08:02", "end": "09:00", "staff": 1}]
    tables = one_day(2, {"block_minutes": 480}, stations={"jab": {"staff": 1, "breaks": breaks}})
    [station] = tables["stations"].to_dict("records")
    assert (station["wait"], station["on_duty"]) == (60.0, 422.0)


def test_overbooked_slots_come_closer_together() -> None:
    # 10 slots and 50 % more: 15 people on day 1, the last at 8:00 + 14 x 32 minutes = 15:28.
    tables = run(
        campaign(
            {"appointments": {"overbooking": 0.5}},
            groups={"all": advance_group(20)},
            deliveries={"d": delivery(20)},
            regimens=ONE_DOSE,
        )
    )
    assert given(tables) == {(1, 1): 15, (2, 1): 5}
    assert tables["sessions"]["last_exit"].iloc[0] == -28.0


# No-shows, dropping out, adverse events -----------------------------------------------------------


def test_no_shows_are_binomial() -> None:
    # 4,000 x 0.1 = 400, standard deviation 19; 0.7 of them book again.
    tables = one_day(4000, {"no_show": 0.1, "rebook_after_no_show": 0.7, "window_days": 1},
                     stations={"jab": {"staff": 50}})  # fmt: skip
    first = tables["daily"].iloc[0]
    assert first["appointments"] == 4000
    assert first["no_shows"] == pytest.approx(400, abs=5 * 19)
    dropped = int(first["dropped_out"])
    assert dropped == pytest.approx(0.3 * first["no_shows"], abs=5 * 9.2)
    second = tables["daily"].iloc[1]
    assert second["appointments"] == first["no_shows"] - dropped
    # Another try is another luck: about 10 % of them again.
    assert second["no_shows"] == pytest.approx(0.1 * second["appointments"], abs=5 * 5.1)


def test_rebooking_after_being_turned_away_has_its_own_probability() -> None:
    # 2,000 people find no dose; 0.3 of them book again: 600, standard deviation 20.5.
    scenario = campaign(
        {"appointments": {"stock_rule": "ignore", "rebook_after_turned_away": 0.3,
                          "rebook_after_no_show": 1.0}},
        groups={"all": advance_group(2000)},
        deliveries={},
        units={"hall": unit(2000, stations={"jab": {"staff": 50}})},
    )  # fmt: skip
    daily = run(scenario)["daily"]
    assert daily["no_dose"].iloc[0] == 2000
    assert daily["appointments"].iloc[1] == pytest.approx(600, abs=5 * 20.5)


def test_adverse_events_prolong_observation_for_their_share() -> None:
    # 2,000 stays of 15 minutes; 0.2 of them 30 longer: 15 + 6 on average; sd of one stay 12.
    seats = {
        "seats": {
            "kind": "observation",
            "staff": 2000,
            "minutes": 15.0,
            "adverse_event_probability": 0.2,
            "adverse_event_minutes": 30.0,
        }
    }
    tables = one_day(2000, stations={"jab": {"staff": 50}, **seats})
    busy = tables["stations"].set_index("station")["busy"]["seats"]
    assert busy / 2000 == pytest.approx(21.0, abs=5 * 12 / 2000**0.5)


def test_a_station_is_visited_by_its_share() -> None:
    desk = {"desk": {"staff": 50, "minutes": 1.0, "share": 0.3}}
    tables = one_day(2000, stations={"jab": {"staff": 50}, **desk})
    served = tables["stations"].set_index("station")["served"]
    assert served["jab"] == 2000
    assert served["desk"] == pytest.approx(600, abs=5 * 20.5)


# Walk-ins -----------------------------------------------------------------------------------------


def walking(mean: float, people: int) -> Scenario:
    """People who would call on the last day only, and a unit for walk-ins with doses for all."""
    return campaign(
        {"supply": {"allocation": "equally"}},
        groups={"all": calling_group(people, opens=19)},
        deliveries={"d": delivery(5000)},
        regimens=ONE_DOSE,
        units={"hall": unit(0, walk_ins_per_day=mean, stations={"jab": {"staff": 50}})},
    )


def test_walk_ins_are_poisson() -> None:
    # Mean and variance 20 over 20 days x 10 replications: standard errors 0.32 and 2.0.
    counts = []
    for replication in range(10):
        daily = run(walking(20.0, 5000), replication=replication)["daily"]
        days = (daily["date"] - pd.Timestamp(FIRST_DAY)).dt.days
        counts += daily.groupby(days)["walk_ins"].sum().reindex(range(20), fill_value=0).tolist()
    assert np.mean(counts) == pytest.approx(20.0, abs=4 * 0.32)
    assert np.var(counts) == pytest.approx(20.0, abs=4 * 2.0)


def test_nobody_walks_in_twice_once_vaccinated_and_in_the_end_all_have_come() -> None:
    tables = run(walking(200.0, 500))
    assert totals(tables, "daily", "walk_ins", "administered") == (500, 500)
    assert reasons(tables) == {"vaccinated": 500}


def test_walk_ins_come_in_the_order_of_the_stream_whatever_the_mean() -> None:
    def vaccinated(mean: float) -> np.ndarray:
        state = Campaign(walking(mean, 500), get_engine("compiled"), RandomStreams(1, 0))
        state.run()
        return state.people.doses > 0

    few, many = vaccinated(5.0), vaccinated(15.0)
    assert 0 < few.sum() < many.sum() < 500
    assert (many | ~few).all()


def test_nobody_walks_in_before_the_turn_or_unwillingly() -> None:
    scenario = campaign(
        groups={
            "late": calling_group(50, turn=10, opens=19),
            "unwilling": calling_group(50, opens=19, willing=0.0),
        },
        deliveries={"d": delivery(500)},
        units={"hall": unit(0, walk_ins_per_day=100.0, stations={"jab": {"staff": 50}})},
        regimens=ONE_DOSE,
    )
    assert given(run(scenario)) == {(10, 1): 50}


def test_walk_ins_with_an_appointment_stay_at_home() -> None:
    # Everybody is registered in advance: nobody is left to walk in.
    scenario = campaign(units={"hall": unit(10, walk_ins_per_day=100.0)})
    assert totals(run(scenario), "daily", "walk_ins", "administered") == (0, 10)


def test_a_walk_in_who_finds_no_dose_may_still_book() -> None:
    # No doses on day 0 (all 10 walk in), a call on day 0, doses from day 3.
    scenario = campaign(
        groups={"all": calling_group(10)},
        deliveries={"d": delivery(10, arrives=3)},
        units={"hall": unit(20, walk_ins_per_day=200.0, stations={"jab": {"staff": 50}})},
    )
    tables = run(scenario)
    assert totals(tables, "daily", "walk_ins", "no_dose", "dropped_out") == (10, 10, 0)
    assert given(tables) == {(3, 1): 10}


def test_the_busiest_session_is_recorded_through_the_day_in_replication_0_only() -> None:
    tables = one_day(6, {"block_minutes": 480})
    unit_day = tables["unit_day"]
    at_8 = unit_day[unit_day["minute"] == 480].iloc[0]
    assert (at_8["waiting"], at_8["in_service"]) == (4, 2)
    at_805 = unit_day[unit_day["minute"] == 485].iloc[0]
    assert (at_805["waiting"], at_805["in_service"]) == (2, 2)
    assert len(run(campaign(), replication=1)["unit_day"]) == 0
