"""Who calls on which day and what comes of it, through the campaign.

The engine's day is tested elsewhere; here are the days in between: closed days, calls on another
day, giving up, inquiries, conversion, and whether the three tables of calls agree.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from campaigns import (
    FIRST_DAY,
    Tables,
    calling_group,
    campaign,
    day,
    delivery,
    reasons,
    run,
    totals,
    unit,
)

from sim.experiment.plan_arithmetic import languages

AT_HOUR_8 = [0.0] * 8 + [1.0] + [0.0] * 15
PLENTY = {"deliveries": {"d": delivery(10_000)}, "units": {"hall": unit(1000)}}


def calls(
    centre: dict[str, Any] | None = None, people: int = 10, opens: int = 0, **group: Any
) -> Tables:
    """A campaign of callers with doses and slots for all."""
    scenario = campaign(
        {"call_centre": centre or {}},
        groups={"callers": calling_group(people, opens=opens, **group)},
        **PLENTY,
    )
    return run(scenario)


def by_day(tables: Tables, column: str, purpose: str = "booking") -> dict[int, int]:
    """Column of `callers` by day, zeros left out."""
    rows = tables["callers"]
    rows = rows[(rows["purpose"] == purpose) & (rows[column] > 0)]
    days = (rows["date"] - pd.Timestamp(FIRST_DAY)).dt.days
    return {int(d): int(n) for d, n in zip(days, rows[column], strict=True)}


def attempts(tables: Tables) -> tuple[int, ...]:
    """Offered, answered, abandoned, blocked, cut off."""
    return totals(tables, "call_centre", "offered", "answered", "abandoned", "blocked", "cut_off")


def test_everybody_calls_once_and_is_answered_where_there_is_an_agent_for_each() -> None:
    tables = calls({"pools": {"desk": {"agents": 10}}})
    assert attempts(tables) == (10, 10, 0, 0, 0)
    assert by_day(tables, "bookings") == {0: 10}
    assert reasons(tables) == {"vaccinated": 10}
    # 10 agents from 08:00 to 16:00, 15 days... busy 4 minutes with each of 10 callers.
    agents = tables["agents"]
    assert set(agents["on_duty"]) == {10 * 480.0}
    assert agents["busy"].sum() + agents["overtime"].sum() == 40.0


def test_who_calls_on_a_closed_day_calls_again_on_the_next_open_one() -> None:
    # Day 5 is Sunday 6 June.
    centre = {"open_days": ["mon", "tue", "wed", "thu", "fri", "sat"], "call_times": [1.0] * 24}
    tables = calls(centre, opens=5)
    assert by_day(tables, "first_calls") == {5: 10}
    assert by_day(tables, "calls_outside_hours") == {5: 10}
    assert by_day(tables, "attempts") == by_day(tables, "bookings") == {6: 10}


def test_a_closed_date_is_a_closed_day() -> None:
    tables = calls({"closed_dates": [day(0), day(1)]})
    assert by_day(tables, "bookings") == {2: 10}


def test_who_calls_before_opening_calls_again_the_same_day() -> None:
    early = [0.0] * 6 + [1.0] + [0.0] * 2 + [1e-9] + [0.0] * 14
    tables = calls({"call_times": early})
    assert by_day(tables, "calls_outside_hours") == {0: 10}
    assert by_day(tables, "bookings") == {0: 10}
    assert set(tables["call_centre"].query("offered > 0")["hour"]) == {9}


def test_who_calls_after_closing_calls_again_the_next_day() -> None:
    late = [0.0] * 9 + [1e-9] + [0.0] * 9 + [1.0] + [0.0] * 4
    tables = calls({"call_times": late})
    assert by_day(tables, "calls_outside_hours") == {0: 10}
    assert by_day(tables, "bookings") == {1: 10}


def test_calls_on_another_day_fall_within_opening_hours_that_begin_at_half_past() -> None:
    centre = {"opens": "08:30", "closes": "12:15", "call_times": [1.0] * 24}
    tables = calls(centre, people=300)
    assert by_day(tables, "calls_outside_hours")
    assert sum(by_day(tables, "bookings").values()) == 300
    # 225 minutes: hours 8, 9, 10 and 11, counted from opening.
    assert set(tables["call_centre"]["hour"]) == {8, 9, 10, 11}


def test_after_the_last_day_nobody_gets_through() -> None:
    tables = calls({"last_day": day(2)}, opens=3)
    assert attempts(tables) == (0, 0, 0, 0, 0)
    assert by_day(tables, "calls_outside_hours") == {3: 10}
    assert reasons(tables) == {"never_reached_call_centre": 10}


def test_without_agents_everybody_abandons_and_gives_up() -> None:
    tables = calls({"pools": {"desk": {"agents": 0}}})
    assert attempts(tables) == (10, 0, 10, 0, 0)
    assert by_day(tables, "gave_up") == {0: 10}
    assert by_day(tables, "carried") == {}
    assert reasons(tables) == {"never_reached_call_centre": 10}


def test_with_another_day_for_certain_people_try_until_their_attempts_are_used_up() -> None:
    # No redial on the same day: one attempt a day on days 0, 1 and 2.
    tables = calls(
        {"pools": {"desk": {"agents": 0}}, "another_day_probability": 1.0, "attempts_in_all": 3}
    )
    assert by_day(tables, "attempts") == {0: 10, 1: 10, 2: 10}
    assert by_day(tables, "carried") == {0: 10, 1: 10}
    assert by_day(tables, "gave_up") == {2: 10}
    assert by_day(tables, "first_calls") == {0: 10}


def test_redials_are_limited_by_day_and_in_all() -> None:
    # Calls from 8 to 9, patience 60 minutes, delay 10: 3 attempts on day 0, 2 on day 1, 5 in all.
    centre = {
        "pools": {"desk": {"agents": 0}},
        "redial_probability": 1.0,
        "call_times": AT_HOUR_8,
    }
    tables = calls(centre)
    assert by_day(tables, "attempts") == {0: 30, 1: 20}
    assert by_day(tables, "callers") == {0: 10, 1: 10}
    assert by_day(tables, "gave_up") == {1: 10}


def test_another_day_probability_is_the_share_that_tries_again() -> None:
    # 2,000 people, 0.3: standard deviation sqrt(2000 x 0.3 x 0.7) = 20.5.
    centre = {"pools": {"desk": {"agents": 0}}, "another_day_probability": 0.3, "lines": 100_000}
    tables = calls(centre, people=2000)
    assert by_day(tables, "carried")[0] == pytest.approx(600, abs=5 * 20.5)
    callers = tables["callers"]
    assert (
        callers["callers"] == callers["answered"] + callers["gave_up"] + callers["carried"]
    ).all()


def test_who_still_tries_at_the_end_never_reached_the_call_centre() -> None:
    centre = {
        "pools": {"desk": {"agents": 0}},
        "another_day_probability": 1.0,
        "attempts_in_all": 1000,
    }
    tables = calls(centre)
    assert by_day(tables, "gave_up") == {}
    assert totals(tables, "callers", "carried") == (10 * 20,)  # every day
    assert reasons(tables) == {"never_reached_call_centre": 10}


def test_with_endless_patience_one_agent_answers_everybody() -> None:
    tables = calls({"pools": {"desk": {"agents": 1}}, "patience_minutes": 14_000.0}, people=80)
    assert attempts(tables) == (80, 80, 0, 0, 0)


def test_who_is_cut_off_at_closing_calls_again_the_next_day() -> None:
    # One agent, an hour a call, all call between 8 and 9: the 8th call ends after 16:00.
    centre = {
        "pools": {"desk": {"agents": 1}},
        "patience_minutes": 10_000.0,
        "booking_call_minutes": 60.0,
        "call_times": AT_HOUR_8,
        "at_closing": "cut_off",
    }
    tables = calls(centre, people=20)
    assert by_day(tables, "answered") == {0: 8, 1: 8, 2: 4}
    assert by_day(tables, "carried") == {0: 12, 1: 4}
    assert attempts(tables) == (36, 20, 0, 0, 16)


def test_lines_that_are_all_in_use_give_the_busy_signal() -> None:
    # The first call takes the only line for 60 minutes: nobody else within the hour gets one.
    centre = {"pools": {"desk": {"agents": 0}}, "lines": 1, "call_times": AT_HOUR_8}
    tables = calls(centre, people=50)
    assert attempts(tables) == (50, 0, 1, 49, 0)


def test_nobody_books_who_decides_against_it() -> None:
    tables = calls(books_when_answered=0.0)
    assert totals(tables, "callers", "answered", "bookings") == (10, 0)
    assert reasons(tables) == {"unwilling": 10}


def test_the_share_that_books_is_the_conversion_probability() -> None:
    # 2,000 x 0.3 = 600, standard deviation 20.5.
    centre = {"pools": {"desk": {"agents": 1000}}, "lines": 5000}
    tables = calls(centre, people=2000, books_when_answered=0.3)
    answered, bookings = totals(tables, "callers", "answered", "bookings")
    assert answered == 2000
    assert bookings == pytest.approx(600, abs=5 * 20.5)
    registered = totals(tables, "bookings", "registered_telephone", "registered_other")
    assert registered == (bookings, 0)


def test_inquiries_are_extra_calls_that_book_nothing() -> None:
    tables = calls({"inquiries_per_person": 1.0, "lines": 1000, "pools": {"desk": {"agents": 200}}})
    assert attempts(tables)[:2] == (20, 20)
    assert by_day(tables, "answered", "inquiry") == {0: 10}
    assert by_day(tables, "bookings", "inquiry") == {}
    # 10 x 4 minutes for bookings, 10 x 2 for inquiries.
    assert tables["agents"][["busy", "overtime"]].sum().sum() == 60.0


def two_languages(centre: dict[str, Any], **of_migrants: Any) -> Tables:
    """10 Thai and 10 Burmese callers, agents for each of them, and what the latter have of their
    own."""
    migrants = calling_group(10, language="burmese", **of_migrants)
    desk = {"languages": ["thai", "burmese"], "agents": 200}
    return run(
        campaign(
            {"call_centre": {"lines": 1000, "pools": {"desk": desk}, **centre}},
            groups={"thai": calling_group(10), "migrants": migrants},
            **PLENTY,
        )
    )


def test_a_group_may_have_calls_of_another_length() -> None:
    # Bookings take 4 minutes, of migrants 7; inquiries 2, of migrants 3: 40 + 70 + 20 + 30.
    tables = two_languages(
        {"inquiries_per_person": 1.0}, booking_call_minutes=7.0, inquiry_call_minutes=3.0
    )
    assert attempts(tables)[:2] == (40, 40)
    assert tables["agents"][["busy", "overtime"]].sum().sum() == 160.0


def test_a_group_may_have_a_patience_of_its_own() -> None:
    # Nobody answers: each waits as long as the patience is, 60 minutes or 5.
    nobody = {"pools": {"desk": {"languages": ["thai", "burmese"], "agents": 0}}}
    tables = two_languages(nobody, patience_minutes=5.0)
    assert attempts(tables) == (20, 0, 20, 0, 0)
    waits = tables["call_centre"].groupby("language")["wait_all"].sum()
    assert waits.to_dict() == {"thai": 600.0, "burmese": 50.0}


def test_after_call_work_takes_the_agents_time_and_no_line() -> None:
    # 10 bookings of 4 + 3 minutes, of migrants 4 + 1; 10 inquiries each of 2 + 0.5: 70 + 50 + 50.
    tables = two_languages(
        {
            "inquiries_per_person": 1.0,
            "booking_wrap_up_minutes": 3.0,
            "inquiry_wrap_up_minutes": 0.5,
        },
        booking_wrap_up_minutes=1.0,
    )
    assert tables["agents"][["busy", "overtime"]].sum().sum() == 170.0
    # One line, calls of 4 minutes from 8 to 9: the next is let in as soon as the line is free, and
    # waits for the only agent, who is at work until 60 minutes later.
    centre = {
        "lines": 1,
        "call_times": AT_HOUR_8,
        "pools": {"desk": {"agents": 1}},
        "booking_wrap_up_minutes": 60.0,
        "patience_minutes": 60.0,
    }
    assert attempts(calls(centre, people=200))[:3] == (200, 2, 0)


def test_a_group_that_says_what_the_call_centre_says_changes_nothing() -> None:
    centre = {"inquiries_per_person": 1.0, "patience_minutes": 1.0, "lines": 3}
    same = {"patience_minutes": 1.0, "booking_call_minutes": 4.0, "inquiry_call_minutes": 2.0}
    plain, said = two_languages(centre), two_languages(centre, **same)
    for name, table in plain.items():
        pd.testing.assert_frame_equal(table, said[name])


def test_the_load_of_the_plan_counts_a_groups_own_calls() -> None:
    scenario = campaign(
        {"call_centre": {"inquiries_per_person": 0.5}},
        groups={
            "thai": calling_group(60),
            "migrants": calling_group(
                60,
                language="burmese",
                booking_call_minutes=10.0,
                booking_wrap_up_minutes=5.0,
                inquiry_call_minutes=1.0,
            ),
        },
    )
    # 60 x 4 + 30 x 2 = 300 minutes, and 60 x (10 + 5) + 30 x 1 = 930.
    hours = languages(scenario).set_index("language")["hours_needed"]
    assert hours.to_dict() == pytest.approx({"thai": 5.0, "burmese": 15.5})


def test_the_unwilling_do_not_call_at_all() -> None:
    tables = calls({"inquiries_per_person": 1.0}, willing=0.0)
    assert attempts(tables) == (0, 0, 0, 0, 0)
    assert totals(tables, "callers", "first_calls") == (0,)
    assert reasons(tables) == {"unwilling": 10}


def test_who_is_registered_in_advance_does_not_call() -> None:
    scenario = campaign({"call_centre": {"inquiries_per_person": 1.0}}, **PLENTY)
    assert totals(run(scenario), "callers", "first_calls") == (0,)


def test_who_has_no_telephone_channel_uses_the_others_up_to_their_daily_limit() -> None:
    scenario = campaign(
        {"other_channels": {"bookings_per_day": 4}},
        groups={"others": calling_group(10, telephone_share=0.0)},
        **PLENTY,
    )
    tables = run(scenario)
    rows = tables["bookings"]
    assert rows["registered_other"].tolist()[:4] == [4, 4, 2, 0]
    assert attempts(tables) == (0, 0, 0, 0, 0)


def test_other_channels_register_nobody_while_closed() -> None:
    scenario = campaign(
        {"other_channels": {"open_days": ["fri"], "bookings_per_day": 4, "last_day": day(10)}},
        groups={"others": calling_group(10, telephone_share=0.0)},
        **PLENTY,
    )
    tables = run(scenario)
    # Fridays are days 3, 10 and 17; the last one comes after the last day.
    by_date = tables["bookings"]["registered_other"]
    assert {d: n for d, n in enumerate(by_date) if n} == {3: 4, 10: 4}
    assert reasons(tables) == {"vaccinated": 8, "still_waiting": 2}


def test_callers_whose_language_nobody_speaks_never_get_through() -> None:
    scenario = campaign(
        groups={
            "thai": calling_group(10),
            "migrant": calling_group(10, language="burmese"),
        },
        **PLENTY,
    )
    tables = run(scenario)
    assert reasons(tables, group="thai") == {"vaccinated": 10}
    assert reasons(tables, group="migrant") == {"never_reached_call_centre": 10}
    by_language = tables["call_centre"].groupby("language")["answered"].sum()
    assert by_language.to_dict() == {"burmese": 0, "thai": 10}


def test_who_has_been_vaccinated_as_a_walk_in_no_longer_calls() -> None:
    # All find it closed on day 0 and would call on day 4; on day 2 all walk in (50 places).
    scenario = campaign(
        {"call_centre": {"first_day": day(4)}, "campaign": {"vaccination_from": day(2)}},
        groups={"callers": calling_group(20)},
        deliveries={"d": delivery(500)},
        units={"hall": unit(1000, walk_ins_per_day=50.0)},
        vaccines={"az": {"doses_per_vial": 10, "open_vial_hours": 6.0}},
    )
    tables = run(scenario)
    assert by_day(tables, "calls_outside_hours") == {0: 20}
    assert attempts(tables) == (0, 0, 0, 0, 0)
    assert reasons(tables) == {"vaccinated": 20}


def test_two_waves_of_first_calls() -> None:
    waves = [
        {"opens": day(0), "share": 0.75, "mean_days": 0.01},
        {"opens": day(7), "share": 0.25, "mean_days": 0.01},
    ]
    # 2,000 people: 1,500 on day 0, standard deviation 19.4.
    centre = {"pools": {"desk": {"agents": 1000}}, "lines": 5000}
    first = by_day(calls(centre, people=2000, first_calls=waves), "first_calls")
    assert set(first) == {0, 7}
    assert first[0] == pytest.approx(1500, abs=5 * 19.4)


def test_first_calls_decay_with_their_mean_delay() -> None:
    # A geometric-like decay with mean 3 days: a share 1 - exp(-1/3) = 0.2835 on the first day, and
    # exp(-1/3) = 0.7165 of that, 0.2031, on the second: standard deviations 28.5 and 25.4.
    waves = [{"opens": day(0), "share": 1.0, "mean_days": 3.0}]
    centre = {"pools": {"desk": {"agents": 1000}}, "lines": 5000}
    first = by_day(calls(centre, people=4000, first_calls=waves), "first_calls")
    assert first[0] == pytest.approx(4000 * 0.2835, abs=5 * 28.5)
    assert first[1] == pytest.approx(4000 * 0.2031, abs=5 * 25.4)


def test_who_would_first_call_after_the_horizon_does_not_call() -> None:
    # Of a decay with mean 20 days exp(-1) = 36.8 % lie beyond 20 days: 2,528 of 4,000 call.
    waves = [{"opens": day(0), "share": 1.0, "mean_days": 20.0}]
    centre = {"pools": {"desk": {"agents": 1000}}, "lines": 5000}
    tables = calls(centre, people=4000, first_calls=waves)
    called = sum(by_day(tables, "first_calls").values())
    assert called == pytest.approx(2528, abs=5 * 30.5)
    assert reasons(tables)["still_waiting"] >= 4000 - called
