"""Whole campaigns worked out by hand: nothing is left to chance, every number is asserted.

Days are numbered from the first; who is registered in advance gets an appointment in the evening of
day 0, for day 1 at the earliest. Vials hold one dose unless said otherwise.
"""

from __future__ import annotations

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
from sim.random_streams import RandomStreams
from sim.scenario import Scenario

OTHERS = {"telephone_share": 0.0}  # registered by a desk, without a call


def by_day(tables: Tables, table: str, column: str) -> dict[int, int]:
    """Sums of a column by day, zeros left out."""
    frame = tables[table]
    days = (frame["date"] - pd.Timestamp(FIRST_DAY)).dt.days
    sums = frame.groupby(days)[column].sum()
    return {int(d): int(n) for d, n in sums.items() if n}


def finished(scenario: Scenario) -> Campaign:
    state = Campaign(scenario, get_engine("compiled"), RandomStreams(1, 0))
    state.run()
    return state


# One campaign, every number -------------------------------------------------------------------


def test_ten_people_two_doses_five_days_apart_every_number() -> None:
    # 10 people, 4 slots a day, 18 doses: first doses on days 1, 2 and 3 (4, 4, 2). Second doses
    # are due 5 days later, on days 6, 7 and 8; for the last two there is no dose. The deadline is
    # day 7, the horizon day 9.
    scenario = campaign(
        {"campaign": {"deadline": day(7), "horizon": day(9)}},
        deliveries={"d": delivery(18)},
        units={"hall": unit(4)},
    )
    tables = run(scenario)

    daily = tables["daily"]
    days = (daily["date"] - pd.Timestamp(FIRST_DAY)).dt.days
    columns = ["dose", "appointments", "administered"]
    assert [(int(d), *map(int, row)) for d, row in zip(days, daily[columns].to_numpy(),
            strict=True)] == [
        (1, 1, 4, 4), (2, 1, 4, 4), (3, 1, 2, 2), (6, 2, 4, 4), (7, 2, 4, 4),
    ]  # fmt: skip
    others = ["walk_ins", "no_shows", "no_dose", "left", "late", "closed", "dropped_out"]
    assert (daily[others] == 0).all().all()

    bookings = tables["bookings"]
    assert bookings["booked_first"].tolist() == [10, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert bookings["booked_second"].tolist() == [0, 4, 4, 0, 0, 0, 0, 0, 0, 0]
    assert bookings["waiting_first"].tolist() == [0] * 10
    assert bookings["waiting_second"].tolist() == [0, 0, 0, 2, 2, 2, 2, 2, 2, 2]
    assert totals(tables, "bookings", "registered_telephone", "registered_other") == (0, 0)

    stock = tables["stock"]
    store = stock[stock["place"] == "province_store"]
    hall = stock[stock["place"] == "hall"]
    assert store["delivered"].tolist() == [18] + [0] * 9
    assert store["shipped_out"].tolist() == [0, 4, 4, 2, 0, 0, 4, 4, 0, 0]
    assert store["on_hand"].tolist() == [18, 14, 10, 8, 8, 8, 4, 0, 0, 0]
    assert hall["shipped_in"].tolist() == store["shipped_out"].tolist()
    assert hall["administered"].tolist() == [0, 4, 4, 2, 0, 0, 4, 4, 0, 0]
    assert (stock[["storage_loss", "extra", "wasted"]] == 0).all().all()
    assert (hall["on_hand"] == 0).all()

    assert reasons(tables, "first", "deadline") == {"vaccinated": 10}
    # On day 7: 8 have both; the last two had their first on day 3 and are due on day 8.
    assert reasons(tables, "full", "deadline") == {"vaccinated": 8, "interval_not_over": 2}
    assert reasons(tables, "full", "horizon") == {"vaccinated": 8, "no_dose": 2}

    # 4 services of 4 minutes one after the other's arrival (every 2 hours): nobody waits.
    stations = tables["stations"]
    assert stations["served"].tolist() == [4, 4, 2, 4, 4]
    assert stations["busy"].tolist() == [16.0, 16.0, 8.0, 16.0, 16.0]
    assert stations["wait"].tolist() == [0.0] * 5
    assert stations["on_duty"].tolist() == [960.0] * 5
    sessions = tables["sessions"]
    assert sessions["patients"].tolist() == [4, 4, 2, 4, 4]
    assert sessions["max_inside"].tolist() == [1] * 5
    # Slots at 8, 10, 12 and 14 o'clock; the last leaves at 14:04 (on day 3 at 10:04), 116 and 356
    # minutes before closing.
    assert sessions["last_exit"].tolist() == [-116.0, -116.0, -356.0, -116.0, -116.0]


@pytest.mark.parametrize("engine", ["compiled", "reference"])
def test_both_engines_agree_with_the_hand(engine: str) -> None:
    tables = run(campaign(deliveries={"d": delivery(20)}), engine)
    assert given(tables) == {(1, 1): 10, (6, 2): 10}


# Intervals and turns ----------------------------------------------------------------------------


@pytest.mark.parametrize(("least", "target", "second"), [(0, 0, 2), (1, 1, 2), (5, 5, 6),
                                                          (5, 8, 9), (12, 12, 13)])  # fmt: skip
def test_second_doses_are_given_exactly_at_the_target_interval(
    least: int, target: int, second: int
) -> None:
    # After a first dose on day 1; an interval of 0 still means another day.
    regimen = {"first": "az", "second": "az", "min_days": least, "target_days": target}
    tables = run(campaign(regimens={"r": regimen}, deliveries={"d": delivery(20)}))
    assert given(tables) == {(1, 1): 10, (second, 2): 10}


def test_nobody_is_vaccinated_before_the_turn() -> None:
    groups = {"early": advance_group(5), "late": advance_group(5, turn=4)}
    tables = run(campaign(groups=groups))
    assert given(tables, "early") == {(1, 1): 5}
    assert given(tables, "late") == {(4, 1): 5}


def test_nobody_is_vaccinated_before_vaccination_begins() -> None:
    tables = run(campaign({"campaign": {"vaccination_from": day(3)}}))
    assert given(tables) == {(3, 1): 10}


def test_a_group_whose_turn_comes_after_the_deadline() -> None:
    tables = run(campaign(groups={"late": advance_group(10, turn=12)}))
    assert reasons(tables, as_of="deadline") == {"turn_too_late": 10}
    assert reasons(tables, as_of="horizon") == {"vaccinated": 10}


def test_units_give_no_appointments_on_closed_days() -> None:
    # Days 1 and 2 (Wednesday and Thursday) are closed; day 3 is a Friday.
    units = {"hall": unit(10, open_days=["fri", "sat"])}
    assert given(run(campaign(units=units))) == {(3, 1): 10}


def test_the_booking_window_ends_after_so_many_days() -> None:
    # 2 slots a day, a window of 3 days: every evening those are booked for whom there is a slot.
    scenario = campaign({"appointments": {"window_days": 3}}, units={"hall": unit(2)})
    tables = run(scenario)
    assert by_day(tables, "bookings", "booked_first") == {0: 6, 1: 2, 2: 2}
    assert given(tables) == {(1, 1): 2, (2, 1): 2, (3, 1): 2, (4, 1): 2, (5, 1): 2}


# Policies for second doses ----------------------------------------------------------------------


def policies(policy: str, doses: int, **supply: Any) -> Tables:
    """10 people registered in advance; 10 more register on day 2."""
    return run(
        campaign(
            {"supply": {"second_dose_policy": policy, **supply}},
            groups={"early": advance_group(10), "later": calling_group(10, opens=2, **OTHERS)},
            deliveries={"d": delivery(doses)},
            units={"hall": unit(50)},
        )
    )


def test_first_doses_first_gives_every_dose_to_a_new_person() -> None:
    tables = policies("first_doses_first", 15, second_dose_notice_days=1)
    assert given(tables) == {(1, 1): 10, (3, 1): 5}
    assert reasons(tables, "first") == {"vaccinated": 15, "no_dose": 5}
    assert reasons(tables, "full") == {"no_dose": 20}


def test_second_doses_left_over_are_booked_with_the_notice() -> None:
    # 24 doses: 20 first ones; those vaccinated on day 1 join the list on day 5 (due on day 6).
    tables = policies("first_doses_first", 24, second_dose_notice_days=1)
    assert given(tables) == {(1, 1): 10, (3, 1): 10, (6, 2): 4}
    assert by_day(tables, "bookings", "booked_second") == {5: 4}


def test_without_notice_a_second_appointment_is_the_day_after_it_falls_due() -> None:
    tables = policies("first_doses_first", 40, second_dose_notice_days=0)
    assert given(tables) == {(1, 1): 10, (3, 1): 10, (7, 2): 10, (9, 2): 10}


def test_as_booked_takes_second_appointments_in_the_order_of_the_list() -> None:
    # In the evening of day 1 the second doses of 5 are promised; nobody new gets one.
    tables = policies("as_booked", 15)
    assert given(tables) == {(1, 1): 10, (6, 2): 5}
    assert by_day(tables, "bookings", "booked_second") == {1: 5}
    assert reasons(tables, "first") == {"vaccinated": 10, "no_dose": 10}
    assert reasons(tables, "full") == {"vaccinated": 5, "no_dose": 15}


def test_reserve_begins_only_what_can_be_completed() -> None:
    # 15 doses complete 7 people; the odd dose stays in the store.
    tables = policies("reserve", 15)
    assert given(tables) == {(1, 1): 7, (6, 2): 7}
    assert reasons(tables, "full") == {"vaccinated": 7, "no_dose": 13}
    stock = tables["stock"]
    assert stock[stock["place"] == "province_store"]["on_hand"].iloc[-1] == 1


def test_reserve_serves_those_who_come_later_when_more_doses_come() -> None:
    scenario = campaign(
        {"supply": {"second_dose_policy": "reserve"}},
        deliveries={"a": delivery(8), "b": delivery(8, arrives=8)},
        units={"hall": unit(50)},
    )
    # Both deliveries are announced: 8 first doses could be given at once, but 8 seconds are due on
    # day 6, before the second delivery. So 4 complete with the first one; the next 4 can begin on
    # day 8 - 5 = 3 only if a first dose were left then: they begin on day 8.
    assert given(run(scenario)) == {(1, 1): 4, (6, 2): 4, (8, 1): 4, (13, 2): 4}


# Stock rules ------------------------------------------------------------------------------------


def late_delivery(rule: str) -> Tables:
    """Ten doses announced for day 2 that come on day 5."""
    return run(
        campaign(
            {"appointments": {"stock_rule": rule}},
            deliveries={"d": delivery(10, arrives=2, delay_days=3.0)},
            regimens={"one": {"first": "az"}},
        )
    )


def test_booking_against_announced_doses_turns_people_away_when_these_are_late() -> None:
    tables = late_delivery("announced")
    assert by_day(tables, "daily", "no_dose") == {2: 10}
    assert given(tables) == {(6, 1): 10}  # they come on day 5 and can be promised for day 6
    assert by_day(tables, "bookings", "booked_first") == {0: 10, 5: 10}


def test_booking_against_stock_on_hand_turns_nobody_away() -> None:
    tables = late_delivery("on_hand")
    assert by_day(tables, "daily", "no_dose") == {}
    assert given(tables) == {(6, 1): 10}
    assert by_day(tables, "bookings", "booked_first") == {5: 10}


def test_booking_without_looking_turns_people_away_until_doses_come() -> None:
    tables = late_delivery("ignore")
    assert by_day(tables, "daily", "no_dose") == {1: 10, 2: 10, 3: 10, 4: 10}
    assert given(tables) == {(5, 1): 10}


def test_who_is_turned_away_and_does_not_rebook_drops_out_for_want_of_a_dose() -> None:
    scenario = campaign(
        {"appointments": {"stock_rule": "ignore", "rebook_after_turned_away": 0.0}},
        deliveries={"d": delivery(10, arrives=5)},
    )
    tables = run(scenario)
    assert by_day(tables, "daily", "dropped_out") == {1: 10}
    assert given(tables) == {}
    assert reasons(tables) == {"no_dose": 10}


def test_an_early_delivery_is_used_as_soon_as_it_is_there() -> None:
    # Announced for day 9, arrives on day 2. Those booked for day 9 keep their appointments.
    scenario = campaign(
        groups={"early": advance_group(5), "later": calling_group(5, opens=3, **OTHERS)},
        deliveries={"d": delivery(10, arrives=2, announced_arrival=day(9), announced_doses=5)},
    )
    assert given(run(scenario)) == {(4, 1): 5, (9, 1): 5}


# Shortage ---------------------------------------------------------------------------------------


def test_a_delivery_cut_leaves_the_last_appointments_without_doses() -> None:
    # 10 announced and booked for day 2, 6 come: the first 6 of the day get them.
    scenario = campaign(
        {"appointments": {"rebook_after_turned_away": 0.0}},
        deliveries={"d": delivery(10, arrives=2, fraction_delivered=0.6)},
    )
    tables = run(scenario)
    assert given(tables) == {(2, 1): 6}
    assert by_day(tables, "daily", "no_dose") == {2: 4}
    assert reasons(tables) == {"vaccinated": 6, "no_dose": 4}


def test_missing_slots_are_named_as_the_reason_where_doses_are_there() -> None:
    # 1 slot a day, deadline on day 9: 9 are vaccinated by then, the tenth on day 10.
    tables = run(campaign(units={"hall": unit(1)}))
    assert reasons(tables, as_of="deadline") == {"vaccinated": 9, "no_slot": 1}
    assert reasons(tables, as_of="horizon") == {"vaccinated": 10}


def test_slots_are_the_reason_for_those_still_on_the_waiting_list() -> None:
    # A window of one day: in the evening of day 9 there are 9 vaccinated, and 1 has an appointment
    # for day 10; 2 are still without.
    scenario = campaign(
        {"appointments": {"window_days": 1}},
        groups={"early": advance_group(12)},
        deliveries={"d": delivery(100)},
        units={"hall": unit(1)},
        regimens={"one": {"first": "az"}},
    )
    tables = run(scenario)
    expected = {"vaccinated": 9, "still_waiting": 1, "no_slot": 2}
    assert reasons(tables, as_of="deadline") == expected


def test_second_doses_do_not_take_the_doses_of_people_who_wait_for_a_slot() -> None:
    # 10 doses for 10 people, 2 slots a day, a window of 3 days. In the evening of day 1 the second
    # doses of 2 join the list and could be promised for day 6, where it is not too far ahead for
    # them; but 2 people still wait for a first slot.
    tables = run(campaign({"appointments": {"window_days": 3}}, units={"hall": unit(2)}))
    assert given(tables) == {(d, 1): 2 for d in range(1, 6)}


def test_what_is_left_in_a_vial_is_wasted() -> None:
    # Vials of 10, 3 slots a day, 7 people: 3 + 3 + 1 from a vial each, 7 + 7 + 9 discarded.
    scenario = campaign(
        groups={"early": advance_group(7)},
        vaccines={"az": {"doses_per_vial": 10, "open_vial_hours": 8.0}},
        deliveries={"d": delivery(30)},
        units={"hall": unit(3)},
        regimens={"one": {"first": "az"}},
    )
    tables = run(scenario)
    assert given(tables) == {(1, 1): 3, (2, 1): 3, (3, 1): 1}
    assert by_day(tables, "stock", "wasted") == {1: 7, 2: 7, 3: 9}
    assert tables["stock"]["on_hand"].iloc[-2:].tolist() == [0, 0]


def test_extra_doses_are_counted_apart_from_the_label() -> None:
    # A vial of 10 yields 12: 12 people a day from one vial.
    scenario = campaign(
        groups={"early": advance_group(12)},
        vaccines={"az": {"doses_per_vial": 10, "open_vial_hours": 8.0, "extra_doses_per_vial": 2}},
        units={"hall": unit(12)},
    )
    tables = run(scenario)
    assert given(tables) == {(1, 1): 12}
    assert totals(tables, "stock", "delivered", "extra", "administered", "wasted") == (10, 2, 12, 0)


def test_an_open_vial_is_discarded_when_its_life_is_over() -> None:
    # Vials of 10, one hour once opened; slots at 8, 10, 12, 14 o'clock: a vial for each.
    scenario = campaign(
        groups={"early": advance_group(4)},
        vaccines={"az": {"doses_per_vial": 10, "open_vial_hours": 1.0}},
        deliveries={"d": delivery(40)},
        units={"hall": unit(4)},
        regimens={"one": {"first": "az"}},
    )
    # The unit was sent one vial for 4 appointments: the others find none.
    tables = run(scenario)
    assert by_day(tables, "stock", "shipped_in") == {1: 10, 2: 10, 3: 10, 4: 10}
    assert given(tables) == {(1, 1): 1, (2, 1): 1, (3, 1): 1, (4, 1): 1}
    assert by_day(tables, "stock", "wasted") == {1: 9, 2: 9, 3: 9, 4: 9}


# No-shows, people before the campaign, what is complete ---------------------------------------


def test_who_never_comes_keeps_booking() -> None:
    scenario = campaign({"appointments": {"no_show": 1.0}})
    tables = run(scenario)
    assert by_day(tables, "daily", "no_shows") == dict.fromkeys(range(1, 20), 10)
    assert given(tables) == {}
    assert reasons(tables) == {"not_shown_up": 10}


def test_who_never_comes_and_does_not_rebook_drops_out() -> None:
    scenario = campaign({"appointments": {"no_show": 1.0, "rebook_after_no_show": 0.0}})
    tables = run(scenario)
    assert by_day(tables, "daily", "no_shows") == by_day(tables, "daily", "dropped_out") == {1: 10}
    assert reasons(tables) == {"not_shown_up": 10}


def before(people: int, doses: int, first: int) -> dict[str, Any]:
    return {
        "people": people,
        "doses": doses,
        "regimen": "az_az",
        "first_dose_from": day(first),
        "first_dose_to": day(first),
    }


def test_a_campaign_can_start_in_the_middle() -> None:
    # 4 of 10 had a first dose 3 days before: due on day 2. 3 have had both.
    group = advance_group(10, already_vaccinated=[before(4, 1, -3), before(3, 2, -30)])
    tables = run(campaign(groups={"early": group}, deliveries={"d": delivery(10)}))
    assert given(tables) == {(1, 1): 3, (2, 2): 4, (6, 2): 3}
    assert reasons(tables, "full") == {"vaccinated": 10}


def test_second_doses_overdue_at_the_start_are_given_on_the_first_possible_day() -> None:
    group = advance_group(10, already_vaccinated=[before(10, 1, -60)])
    for policy in ("first_doses_first", "as_booked", "reserve"):
        scenario = campaign({"supply": {"second_dose_policy": policy}}, groups={"early": group})
        assert given(run(scenario)) == {(1, 2): 10}


def test_people_with_both_doses_before_the_campaign_are_vaccinated_from_the_start() -> None:
    # First doses 2 days before, an interval of 5 days: the second was before the campaign too.
    group = advance_group(10, already_vaccinated=[before(10, 2, -2)])
    tables = run(campaign(groups={"early": group}), until=day(0))
    assert reasons(tables, "full", "deadline") == {"vaccinated": 10}


def test_first_doses_before_the_campaign_are_spread_over_their_period() -> None:
    # 10 first doses on days -10 ... -6, two a day; due 12 days later, on days 2 ... 6.
    regimen = {"first": "az", "second": "az", "min_days": 12, "target_days": 12}
    entry = {**before(10, 1, -10), "regimen": "r", "first_dose_to": day(-6)}
    tables = run(
        campaign(
            groups={"early": advance_group(10, already_vaccinated=[entry])},
            regimens={"r": regimen},
        )
    )
    assert given(tables) == {(2, 2): 2, (3, 2): 2, (4, 2): 2, (5, 2): 2, (6, 2): 2}


def test_one_dose_regimens_are_complete_with_one_dose() -> None:
    tables = run(campaign(regimens={"one": {"first": "az"}}, deliveries={"d": delivery(99)}))
    assert given(tables) == {(1, 1): 10}
    assert reasons(tables, "full") == {"vaccinated": 10}


def test_complete_with_one_dose_counts_the_first_dose_and_goes_on_to_the_second() -> None:
    scenario = campaign({"campaign": {"complete_with": "one_dose"}}, deliveries={"d": delivery(15)})
    tables = run(scenario)
    assert given(tables) == {(1, 1): 10, (6, 2): 5}
    assert reasons(tables, "full") == {"vaccinated": 10}


@pytest.mark.parametrize(("deadline", "reason"), [(9, "interval_not_over"), (10, "vaccinated")])
def test_protection_counts_some_days_after_the_last_dose(deadline: int, reason: str) -> None:
    # Second doses on day 6, protected 4 days later: on day 10.
    scenario = campaign(
        {"campaign": {"protected_after_days": 4, "deadline": day(deadline)}},
        deliveries={"d": delivery(20)},
    )
    tables = run(scenario)
    assert reasons(tables, "full", "deadline") == {reason: 10}
    assert reasons(tables, "first", "deadline") == {"vaccinated": 10}


# Several vaccines -------------------------------------------------------------------------------

TWO = {
    "az": {"doses_per_vial": 1, "open_vial_hours": 6.0},
    "sv": {"doses_per_vial": 1, "open_vial_hours": 6.0},
}


def given_by_vaccine(tables: Tables) -> dict[tuple[int, str], int]:
    stock = tables["stock"]
    stock = stock[stock["administered"] > 0]
    days = (stock["date"] - pd.Timestamp(FIRST_DAY)).dt.days
    return dict(zip(zip(days, stock["vaccine"], strict=True), stock["administered"], strict=True))


def test_regimens_that_change_at_a_date() -> None:
    # Until day 4: sv and sv, 2 days apart. From day 5: sv, then az after 3 days.
    regimens = {
        "old": {"first": "sv", "second": "sv", "min_days": 2, "target_days": 2,
                "first_dose_until": day(4)},
        "new": {"first": "sv", "second": "az", "min_days": 3, "target_days": 3,
                "first_dose_from": day(5)},
    }  # fmt: skip
    scenario = campaign(
        groups={"early": advance_group(2), "late": advance_group(3, turn=6)},
        vaccines=TWO,
        regimens=regimens,
        deliveries={"a": delivery(9), "s": delivery(9, vaccine="sv")},
    )
    tables = run(scenario)
    assert given_by_vaccine(tables) == {(1, "sv"): 2, (3, "sv"): 2, (6, "sv"): 3, (9, "az"): 3}
    assert reasons(tables, "full") == {"vaccinated": 5}


def test_the_second_vaccine_is_given_first_when_the_preferred_one_is_promised_away() -> None:
    # 3 doses of az and 9 of sv for 5 people: 3 get az first, 2 get sv, and both seconds are sv
    # (those of az have no second dose).
    regimens = {
        "az_az": {"first": "az", "second": "az", "min_days": 5, "target_days": 5},
        "sv_sv": {"first": "sv", "second": "sv", "min_days": 2, "target_days": 2},
    }
    scenario = campaign(
        groups={"early": advance_group(5)},
        vaccines=TWO,
        regimens=regimens,
        deliveries={"a": delivery(3), "s": delivery(9, vaccine="sv")},
    )
    tables = run(scenario)
    assert given_by_vaccine(tables) == {(1, "az"): 3, (1, "sv"): 2, (3, "sv"): 2}
    assert reasons(tables, "full") == {"vaccinated": 2, "no_dose": 3}


def test_who_finds_no_dose_of_the_booked_vaccine_gets_another_that_is_given_first() -> None:
    # az is announced for day 1 and does not come; sv, on hand, is not preferred.
    regimens = {
        "az": {"first": "az"},
        "sv": {"first": "sv"},
    }
    scenario = campaign(
        {"supply": {"allocation": "equally"}},
        groups={"early": advance_group(5)},
        vaccines=TWO,
        regimens=regimens,
        deliveries={
            "a": delivery(9, arrives=1, fraction_delivered=0.0),
            "s": delivery(9, vaccine="sv"),
        },
    )
    tables = run(scenario)
    assert given_by_vaccine(tables) == {(1, "sv"): 5}


# The waiting list -------------------------------------------------------------------------------


def test_people_are_booked_in_the_order_in_which_they_register() -> None:
    # One slot a day; all come to a desk on day 0.
    scenario = campaign(groups={"others": calling_group(10, **OTHERS)}, units={"hall": unit(1)})
    people = finished(scenario).people
    order = np.argsort(people.first_call_us)
    assert people.first_dose_day[order].tolist() == list(range(1, 11))


def test_people_registered_in_advance_come_before_those_of_the_first_day() -> None:
    groups = {"others": calling_group(5, **OTHERS), "early": advance_group(5)}
    people = finished(campaign(groups=groups, units={"hall": unit(1)})).people
    assert sorted(people.first_dose_day[people.group == 1]) == [1, 2, 3, 4, 5]
    assert sorted(people.first_dose_day[people.group == 0]) == [6, 7, 8, 9, 10]


def test_a_group_waits_registered_for_its_turn_and_is_then_booked_in_order() -> None:
    # The window of 2 days reaches the turn (day 6) in the evening of day 4.
    scenario = campaign(
        {"appointments": {"window_days": 2}},
        groups={"others": calling_group(4, turn=6, **OTHERS)},
        units={"hall": unit(1)},
    )
    state = finished(scenario)
    tables = state.recorder.tables()
    assert tables["bookings"]["waiting_first"].tolist()[:8] == [4, 4, 4, 4, 3, 2, 1, 0]
    order = np.argsort(state.people.first_call_us)
    assert state.people.first_dose_day[order].tolist() == [6, 7, 8, 9]


def test_callers_and_others_register_by_the_clock() -> None:
    # One slot a day: whose call ended, or who came to the desk, earlier that day comes first.
    scenario = campaign(
        {"call_centre": {"pools": {"desk": {"agents": 50}}}},
        groups={"mixed": calling_group(12, telephone_share=0.5)},
        deliveries={"d": delivery(50)},
        units={"hall": unit(1)},
        regimens={"one": {"first": "az"}},
    )
    people = finished(scenario).people
    assert 0 < people.by_telephone.sum() < 12
    registered = people.first_call_us + 4 * 60_000_000 * people.by_telephone
    assert people.first_dose_day[np.argsort(registered)].tolist() == list(range(1, 13))


def test_who_was_turned_away_books_again_before_those_who_register_that_day() -> None:
    # One slot a day, booked without looking; the dose for day 1 comes on day 2.
    scenario = campaign(
        {"appointments": {"stock_rule": "ignore"}},
        groups={"others": calling_group(1, opens=1, **OTHERS), "early": advance_group(1)},
        deliveries={"d": delivery(10, arrives=2)},
        units={"hall": unit(1)},
        regimens={"one": {"first": "az"}},
    )
    tables = run(scenario)
    assert given(tables, "early") == {(2, 1): 1}
    assert given(tables, "others") == {(3, 1): 1}


def test_who_has_dropped_out_does_not_walk_in() -> None:
    scenario = campaign(
        {"appointments": {"no_show": 1.0, "rebook_after_no_show": 0.0}},
        deliveries={"d": delivery(5000)},
        units={"hall": unit(10, walk_ins_per_day=100.0)},
    )
    assert totals(run(scenario), "daily", "walk_ins", "dropped_out") == (0, 10)


def test_a_setback_before_the_first_dose_does_not_explain_the_missing_second() -> None:
    # All 6 at 8 o'clock, 2 staff, nobody waits more than 5 minutes: 2 come again on day 2. No
    # doses are left for second ones.
    scenario = campaign(
        {"appointments": {"block_minutes": 480, "waiting_tolerance_minutes": 5.0}},
        groups={"early": advance_group(6)},
        deliveries={"d": delivery(6)},
    )
    tables = run(scenario)
    assert given(tables) == {(1, 1): 4, (2, 1): 2}
    assert reasons(tables, "full") == {"no_dose": 6}
