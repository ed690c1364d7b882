"""Common random numbers at the level of the person.

Replication r has the same people with the same luck in every scenario: what is changed shows where
it acts and nowhere else, so that scenarios can be compared person by person.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from campaigns import (
    Tables,
    advance_group,
    assert_same_tables,
    calling_group,
    campaign,
    day,
    delivery,
    random_campaign,
    run,
    unit,
)

from sim.model.capacity import home_weights
from sim.model.dose_supply import draw_arrivals
from sim.model.population import Population, draw_population
from sim.random_streams import RandomStreams, Stream, stream_word, threshold
from sim.scenario import Scenario, merge

TRAITS = ("willing", "by_telephone", "home_unit", "first_call_day", "first_call_us")
GROUPS = {
    "one": calling_group(300, willing=0.9, telephone_share=0.7, books_when_answered=0.8),
    "two": calling_group(200, opens=3, willing=0.8),
}
STATIONS: dict[str, Any] = {
    "desk": {"staff": 3, "minutes": {"distribution": "exponential", "mean": 2.0}},
    "jab": {
        "kind": "vaccination",
        "staff": 3,
        "minutes": {"distribution": "lognormal", "mean": 4.0, "cv": 0.5},
    },
    "seats": {
        "kind": "observation",
        "staff": 100,
        "minutes": 15.0,
        "adverse_event_probability": 0.1,
        "adverse_event_minutes": {"distribution": "exponential", "mean": 20.0},
    },
}


def lucky(changes: dict[str, Any] | None = None, **whole: Any) -> Scenario:
    """Two units and two groups with chance everywhere, and room for all: nobody waits for others.

    Every unit has its own people (`home_unit_tolerance_days` beyond the horizon).
    """
    base: dict[str, Any] = {
        "appointments": {
            "no_show": 0.2,
            "rebook_after_no_show": 0.6,
            "rebook_after_turned_away": 0.5,
            "home_unit_tolerance_days": 100,
            "punctuality_minutes": {
                "distribution": "normal",
                "mean": -10.0,
                "sd": 8.0,
                "minimum": -60.0,
            },
            "waiting_tolerance_minutes": {"distribution": "exponential", "mean": 30.0},
        },
        "call_centre": {
            "lines": 2000,
            "pools": {"desk": {"agents": 500}},
            "booking_call_minutes": {"distribution": "exponential", "mean": 4.0},
            "inquiries_per_person": 0.2,
        },
        "unit_types": {"hall": {"stations": STATIONS}},
    }
    data = {
        "groups": GROUPS,
        "units": {
            "north": unit(40, catchment_weight=1.0),
            "south": unit(40, catchment_weight=1.0),
        },
        "deliveries": {"d": delivery(5000)},
        **whole,
    }
    return campaign(merge(base, changes or {}), **data)


def people_of(scenario: Scenario, replication: int = 0, seed: int = 1) -> Population:
    return draw_population(scenario, RandomStreams(seed, replication), home_weights(scenario))


def rows(tables: Tables, name: str, **where: str) -> pd.DataFrame:
    table = tables[name]
    for column, value in where.items():
        table = table[table[column] == value]
    return table.reset_index(drop=True)


def test_a_replication_has_the_same_people_in_another_scenario() -> None:
    other = lucky(
        {"call_centre": {"lines": 3, "pools": {"desk": {"agents": 1}}}},
        deliveries={"d": delivery(100, 4)},
    )
    left, right = people_of(lucky(), 7), people_of(other, 7)
    for trait in TRAITS:
        assert (getattr(left, trait) == getattr(right, trait)).all(), trait


def test_other_replications_and_seeds_have_other_people() -> None:
    times = [people_of(lucky(), *which).first_call_us for which in ((0, 1), (1, 1), (0, 2))]
    for i in range(3):
        for j in range(i):
            # 500 independent pairs: standard error 0.045.
            assert abs(np.corrcoef(times[i], times[j])[0, 1]) < 0.2


def test_adding_people_to_a_group_leaves_the_draws_of_the_others_untouched() -> None:
    more = lucky(groups={**GROUPS, "one": {**GROUPS["one"], "people": 350}})
    left, right = people_of(lucky()), people_of(more)
    same = np.r_[0:300, 350:550]  # the 50 new ones are in between
    for trait in TRAITS:
        assert (getattr(left, trait) == getattr(right, trait)[same]).all(), trait


def test_adding_a_group_in_front_leaves_the_draws_of_the_others_untouched() -> None:
    groups = {"new": advance_group(70), **GROUPS}
    left, right = people_of(lucky()), people_of(lucky(groups=groups))
    for trait in TRAITS:
        assert (getattr(left, trait) == getattr(right, trait)[70:]).all(), trait


def test_a_groups_calls_are_the_same_when_another_group_grows() -> None:
    # There is an agent and a line for everybody, so the groups do not meet on the telephone.
    grown = {**GROUPS, "one": {**GROUPS["one"], "people": 400}}
    left, right = run(lucky()), run(lucky(groups=grown))
    pd.testing.assert_frame_equal(
        rows(left, "callers", group="two"), rows(right, "callers", group="two")
    )
    assert len(rows(left, "callers", group="one")) > 0


@pytest.mark.parametrize("change", [{"staff": 1}, {"staff": 9}])
def test_one_units_staff_changes_nothing_at_the_other_unit(change: dict[str, int]) -> None:
    units = {
        "north": unit(40, catchment_weight=1.0, stations={"jab": change}),
        "south": unit(40, catchment_weight=1.0),
    }
    left, right = run(lucky()), run(lucky(units=units))
    for name in ("daily", "stations", "sessions"):
        pd.testing.assert_frame_equal(
            rows(left, name, unit="south"), rows(right, name, unit="south"), obj=name
        )
        assert not rows(left, "stations", unit="north").equals(
            rows(right, "stations", unit="north")
        )


def test_the_call_centre_does_not_feel_the_units() -> None:
    units = {"north": unit(3, catchment_weight=1.0), "south": unit(40, catchment_weight=1.0)}
    left, right = run(lucky()), run(lucky(units=units))
    for name in ("callers", "call_centre", "agents"):
        pd.testing.assert_frame_equal(left[name], right[name], obj=name)


def test_adding_a_station_changes_nothing_at_the_others() -> None:
    # A desk at the end of the way that takes no time.
    exit_desk = {"exit_desk": {"staff": 1, "minutes": {"distribution": "uniform", "low": 0.0,
                               "high": 0.5}}}  # fmt: skip
    left = run(lucky())
    right = run(lucky({"unit_types": {"hall": {"stations": {**STATIONS, **exit_desk}}}}))
    pd.testing.assert_frame_equal(left["daily"], right["daily"])
    assert (right["stations"]["station"] == "exit_desk").any()
    others = right["stations"][right["stations"]["station"] != "exit_desk"].reset_index(drop=True)
    pd.testing.assert_frame_equal(left["stations"], others)


def test_the_order_in_which_units_are_listed_changes_no_ones_walk_ins() -> None:
    units = {
        "north": unit(0, catchment_weight=1.0, walk_ins_per_day=4.0),
        "south": unit(0, catchment_weight=1.0, walk_ins_per_day=6.0),
    }
    left = run(lucky({"call_centre": {"first_day": day(19)}}, units=units))
    both = rows(left, "daily").groupby(["date", "unit"])["walk_ins"].sum()
    turned = dict(reversed(units.items()))
    right = run(lucky({"call_centre": {"first_day": day(19)}}, units=turned))
    again = rows(right, "daily").groupby(["date", "unit"])["walk_ins"].sum()
    # How many come is the unit's luck; there are people enough on the first five days.
    assert both.iloc[:10].to_dict() == again.iloc[:10].to_dict()


def test_adding_a_delivery_does_not_change_the_luck_of_the_others() -> None:
    late = {"delay_days": {"distribution": "exponential", "mean": 5.0}}
    few = campaign(deliveries={"b": delivery(100, 3, **late)})
    many = campaign(deliveries={n: delivery(100, 3, **late) for n in ("a", "b", "c")})
    for replication in range(5):
        streams = RandomStreams(1, replication)
        alone, among = draw_arrivals(few, streams), draw_arrivals(many, streams)
        assert alone == [among[1]]
        assert among[0].day != among[1].day or among[1].day != among[2].day


@pytest.mark.parametrize("seed", [3, 4])
def test_the_same_seed_and_replication_give_the_same_tables(seed: int) -> None:
    scenario = random_campaign(seed)
    assert_same_tables(run(scenario, replication=2), run(scenario, replication=2))


def test_a_replication_does_not_depend_on_those_before_it() -> None:
    scenario = lucky()
    alone = run(scenario, replication=3)
    for before in (5, 0):
        run(scenario, replication=before)
    assert_same_tables(alone, run(scenario, replication=3))


def test_two_replications_differ() -> None:
    left, right = run(lucky(), replication=0), run(lucky(), replication=1)
    for name in ("daily", "callers", "stations"):
        assert (
            not left[name]
            .drop(columns="replication")
            .equals(right[name].drop(columns="replication"))
        )


def test_fewer_no_shows_are_a_subset_of_more_no_shows() -> None:
    # One threshold against the same luck: who stays away at 10 % also stays away at 20 %.
    streams = RandomStreams(1, 0)
    words = streams.blocks(stream_word(Stream.VISIT, "one"), np.arange(1000))[0]
    few = words < np.uint64(threshold(0.1))
    many = words < np.uint64(threshold(0.2))
    assert few.sum() < many.sum()
    assert (many | ~few).all()
