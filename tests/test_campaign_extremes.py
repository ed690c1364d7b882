"""Campaigns at the edge: nothing there, nobody willing, one of everything, all at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from campaigns import (
    FIRST_DAY,
    advance_group,
    assert_same_tables,
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
from pydantic import ValidationError

from sim.experiment.conservation import check_conservation
from sim.model.records import TABLES
from sim.scenario import Scenario

OTHERS = {"telephone_share": 0.0}


def checked(scenario: Scenario) -> dict[str, Any]:
    """Tables that add up and that both engines agree on."""
    tables = run(scenario)
    check_conservation(tables, scenario)
    assert_same_tables(tables, run(scenario, "reference"))
    return tables


def test_without_doses_nobody_is_vaccinated_and_doses_are_the_reason() -> None:
    tables = checked(campaign(deliveries={}))
    assert given(tables) == {}
    assert len(tables["sessions"]) == 0
    for as_of in ("deadline", "horizon"):
        assert reasons(tables, as_of=as_of) == {"no_dose": 10}


def test_without_doses_and_without_looking_everybody_comes_every_day_for_nothing() -> None:
    tables = checked(campaign({"appointments": {"stock_rule": "ignore"}}, deliveries={}))
    assert totals(tables, "daily", "appointments", "no_dose", "administered") == (190, 190, 0)
    assert reasons(tables) == {"no_dose": 10}


def test_where_the_deadline_is_the_horizon_without_doses_doses_are_the_reason() -> None:
    # No appointment is made any more in the last evening: the reason must be known all the same.
    scenario = campaign({"campaign": {"deadline": day(19)}}, deliveries={})
    tables = checked(scenario)
    assert reasons(tables, as_of="deadline") == reasons(tables) == {"no_dose": 10}


def test_where_the_deadline_is_the_horizon_slots_are_the_reason_where_there_are_too_few() -> None:
    scenario = campaign({"campaign": {"deadline": day(5), "horizon": day(5)}},
                        units={"hall": unit(1)})  # fmt: skip
    tables = checked(scenario)
    assert reasons(tables, as_of="deadline") == reasons(tables) == {"vaccinated": 5, "no_slot": 5}


def test_who_registers_after_the_doses_are_gone_is_held_up_by_doses() -> None:
    groups = {"early": advance_group(10), "late": calling_group(5, opens=12, **OTHERS)}
    tables = checked(campaign(groups=groups))
    assert reasons(tables, as_of="deadline", group="late") == {"still_waiting": 5}
    assert reasons(tables, group="late") == {"no_dose": 5}


def test_nobody_willing() -> None:
    tables = checked(
        campaign(groups={"a": advance_group(10, willing=0.0), "b": calling_group(10, willing=0.0)})
    )
    assert reasons(tables) == reasons(tables, "full") == {"unwilling": 20}
    assert totals(tables, "callers", "first_calls") == (0,)


def test_one_person() -> None:
    tables = checked(campaign(groups={"a": calling_group(1)}, deliveries={"d": delivery(2)}))
    assert given(tables) == {(1, 1): 1, (6, 2): 1}
    assert totals(tables, "call_centre", "offered", "answered") == (1, 1)


def test_a_group_of_nobody_is_there_with_zeros() -> None:
    tables = checked(
        campaign(
            groups={"none": advance_group(0), "callers": calling_group(0), "a": advance_group(3)}
        )
    )
    assert given(tables) == {(1, 1): 3, (6, 2): 3}
    rows = tables["reasons"]
    assert rows[rows["group"] == "none"]["persons"].sum() == 0
    assert set(rows["group"]) == {"none", "callers", "a"}


def test_groups_that_are_all_empty_are_refused() -> None:
    with pytest.raises(ValidationError, match="all groups are empty"):
        campaign(groups={"none": advance_group(0)})


def test_no_lines_are_refused() -> None:
    with pytest.raises(ValidationError, match="lines"):
        campaign({"call_centre": {"lines": 0}})


def test_no_other_channels_leave_those_who_do_not_telephone_unregistered() -> None:
    scenario = campaign(
        {"other_channels": {"bookings_per_day": 0}}, groups={"a": calling_group(10, **OTHERS)}
    )
    tables = checked(scenario)
    assert totals(tables, "bookings", "registered_other") == (0,)
    assert reasons(tables) == {"still_waiting": 10}


def test_no_agents_at_all() -> None:
    scenario = campaign(
        {"call_centre": {"pools": {"desk": {"agents": 0}}}}, groups={"a": calling_group(10)}
    )
    tables = checked(scenario)
    assert totals(tables, "agents", "answered", "on_duty") == (0, 0)
    assert reasons(tables) == {"never_reached_call_centre": 10}


@pytest.mark.parametrize(
    "closed",
    [
        {"slots_per_day": 0},
        {"closed_dates": [FIRST_DAY + timedelta(days=d) for d in range(20)]},
    ],
)
def test_a_unit_that_is_closed_all_campaign_gets_nobody(closed: dict[str, Any]) -> None:
    units = {"closed": unit(**{"slots": None, **closed}), "hall": unit(10)}
    tables = checked(campaign(units=units, groups={"a": advance_group(30)},
                              deliveries={"d": delivery(30)}))  # fmt: skip
    assert set(tables["daily"]["unit"]) == {"hall"}
    assert reasons(tables) == {"vaccinated": 30}


def test_all_units_closed_makes_slots_the_reason() -> None:
    tables = checked(campaign(units={"hall": unit(0)}))
    assert reasons(tables) == reasons(tables, as_of="deadline") == {"no_slot": 10}


def test_everything_on_the_first_day() -> None:
    # Calls, desks, deliveries and turns all on day 0: vaccinations from day 1.
    scenario = campaign(
        {"call_centre": {"lines": 1000, "pools": {"desk": {"agents": 300}}}},
        groups={
            "advance": advance_group(100),
            "callers": calling_group(100),
            "others": calling_group(100, **OTHERS),
        },
        deliveries={"a": delivery(200), "b": delivery(100)},
        units={"hall": unit(300, stations={"jab": {"staff": 300}})},
        regimens={"one": {"first": "az"}},
    )
    assert given(checked(scenario)) == {(1, 1): 300}


def test_walk_ins_can_be_vaccinated_on_the_first_day() -> None:
    scenario = campaign(
        groups={"a": calling_group(10, opens=15)},
        units={"hall": unit(0, walk_ins_per_day=500.0, stations={"jab": {"staff": 50}})},
    )
    assert given(checked(scenario)) == {(0, 1): 10}


def test_a_campaign_of_a_single_day() -> None:
    scenario = campaign({"campaign": {"deadline": day(0), "horizon": day(0)}})
    tables = checked(scenario)
    assert given(tables) == {}
    assert sum(reasons(tables).values()) == 10


def test_until_ends_the_simulation_with_the_same_days() -> None:
    scenario = campaign(deliveries={"d": delivery(20)}, units={"hall": unit(4)})
    whole, part = run(scenario), run(scenario, until=day(6))
    for name in ("daily", "bookings", "stock", "stations", "sessions", "callers"):
        expected = whole[name][whole[name]["date"] <= str(day(6))]
        assert part[name].equals(expected.reset_index(drop=True)), name


def test_until_before_the_deadline_takes_the_reasons_on_that_day() -> None:
    scenario = campaign(units={"hall": unit(2)})
    tables = run(scenario, until=day(3))
    check_conservation(tables, scenario, day(3))
    assert (
        reasons(tables, as_of="deadline")
        == reasons(tables)
        == {
            "vaccinated": 6,
            "still_waiting": 4,
        }
    )


def test_until_the_first_day() -> None:
    tables = run(campaign(), until=FIRST_DAY)
    assert given(tables) == {}
    assert tables["bookings"]["booked_first"].tolist() == [10]
    assert reasons(tables) == {"still_waiting": 10}


def test_a_delivery_that_is_delayed_beyond_the_horizon_never_comes() -> None:
    # The least delay would bring it on the horizon; in this replication it is (as nearly always)
    # longer.
    delay = {"distribution": "uniform", "low": 19.0, "high": 10_000.0}
    tables = checked(campaign(deliveries={"d": delivery(10, delay_days=delay)}))
    assert totals(tables, "stock", "delivered") == (0,)


def test_a_shift_that_never_covers_the_session_leaves_people_waiting_in_vain() -> None:
    # Staff come for the last minute only: one service of 4 minutes starts, and those still there
    # go on until the overtime limit of 60 minutes: 15 more starts at 16:03, 16:07 ...
    stations = {"jab": {"staff": 0, "shifts": [{"start": "15:59", "end": "16:00", "staff": 1}]}}
    scenario = campaign(
        {"appointments": {"rebook_after_turned_away": 0.0}},
        groups={"a": advance_group(20)},
        deliveries={"d": delivery(40)},
        units={"hall": unit(20, stations=stations)},
        regimens={"one": {"first": "az"}},
    )
    tables = checked(scenario)
    # 15:59 + 4 k < 17:00 for k = 0 ... 15: 16 services.
    assert given(tables) == {(1, 1): 16}
    assert totals(tables, "daily", "late", "dropped_out") == (4, 4)
    assert reasons(tables) == {"vaccinated": 16, "no_slot": 4}


def test_every_table_has_its_documented_columns_even_where_nothing_happened() -> None:
    tables = run(campaign(deliveries={}, groups={"a": advance_group(1, willing=0.0)}))
    assert list(tables) == list(TABLES)
    for name, table in TABLES.items():
        assert list(tables[name].columns) == [column.name for column in table.columns]
    assert tables["daily"]["administered"].dtype == "int64"
    assert str(tables["daily"]["date"].dtype) == "datetime64[ms]"


def test_progress_is_told_of_every_day() -> None:
    from sim.engine import get_engine
    from sim.model.campaign import simulate

    seen: list[Any] = []
    simulate(campaign(), get_engine("compiled"), 1, 0, progress=seen.append)
    assert seen == [day(d) for d in range(20)]
