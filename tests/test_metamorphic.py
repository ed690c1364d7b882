"""Against itself: how results must change when a campaign is changed, whatever they are.

Nobody knows the right coverage of a random campaign, but everybody knows that shifting it by a
week shifts it by a week. Each test says why its relation holds, and whether for every replication
or only on average. Campaigns are the random ones of `campaigns.py`, a function of a seed, which
Hypothesis chooses. Averages are paired: replication r has the same people with the same luck in
both campaigns; a fall counts only beyond three standard errors of the mean difference.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
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
from engine_days import call_day
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.engine.compiled import call_centre_day
from sim.engine.contract import CallOutcome
from sim.experiment.settings import RunSettings
from sim.experiment.trials import Trials
from sim.scenario import Scenario, merge

Data = dict[str, Any]
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=10, deadline=None)
averaged = settings(max_examples=6, deadline=None, derandomize=True)
REPLICATIONS = 12


def data_of(scenario: Scenario) -> Data:
    return scenario.model_dump(mode="json", by_alias=True)


def changed(data: Data, *changes: Data) -> Scenario:
    for change in changes:
        data = merge(data, change)
    return Scenario.model_validate(data)


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of their values, for tables whose rows are in the order of the file."""
    return table.sort_values(list(table.columns), ignore_index=True)


def assert_same_but_for_order(left: Tables, right: Tables) -> None:
    for name in left:
        pd.testing.assert_frame_equal(
            in_order(left[name]), in_order(right[name]), check_exact=True, obj=name
        )


def assert_no_fall_on_average(
    less: Scenario, more: Scenario, measure: Callable[[Tables], float]
) -> None:
    """`more` gives as much as `less`, on average over replications with the same people."""
    gains = np.array(
        [
            measure(run(more, replication=r)) - measure(run(less, replication=r))
            for r in range(REPLICATIONS)
        ],
        dtype=float,
    )
    error = gains.std(ddof=1) / np.sqrt(REPLICATIONS)
    assert gains.mean() >= -3 * error, gains


def got_through(tables: Tables) -> float:
    return float(tables["callers"]["answered"].sum())


def first_doses(tables: Tables) -> float:
    daily = tables["daily"]
    return float(daily.loc[daily["dose"] == 1, "administered"].sum())


def doses_by_deadline(scenario: Scenario) -> Callable[[Tables], float]:
    def measure(tables: Tables) -> float:
        daily = tables["daily"]
        in_time = daily["date"] <= pd.Timestamp(scenario.campaign.deadline)
        return float(daily.loc[in_time, "administered"].sum())

    return measure


# --- Nothing changes ------------------------------------------------------------------------------


@few
@given(seeds)
def test_titles_sources_and_ranges_change_no_byte(seed: int) -> None:
    # They are for readers: no number of the model comes from them.
    scenario = random_campaign(seed)
    words = {
        "title": "Another title",
        "description": "More words",
        "sources": {"campaign.population": "a census"},
        "ranges": {"call_centre.lines": {"low": 1, "high": 3, "source": "a guess"}},
        "units": {name: {"title": "Unit"} for name in scenario.units},
    }
    assert_same_tables(run(scenario), run(changed(data_of(scenario), words)))


@few
@given(seeds)
def test_a_vaccine_that_never_comes_only_adds_its_own_empty_stock(seed: int) -> None:
    # Nobody's regimen names it, so nobody can want it; `stock` and `audit` tell of its nothing.
    scenario = random_campaign(seed)
    more = {"vaccines": {"unheard_of": {"doses_per_vial": 10, "open_vial_hours": 6.0}}}
    left, right = run(scenario), run(changed(data_of(scenario), more))
    new = right["stock"]["vaccine"] == "unheard_of"
    amounts = right["stock"][new].select_dtypes("number").drop(columns="replication")
    assert (amounts == 0).all().all()
    for name in ("stock", "audit"):
        if name in right:
            of_it = right[name].astype(str).eq("unheard_of").any(axis=1)
            right[name] = right[name][~of_it].reset_index(drop=True)
    assert_same_tables(left, right)


@few
@given(seeds, st.sampled_from(["17:00", "24:00"]))
def test_later_closing_of_a_unit_to_which_nobody_comes_changes_no_byte(
    seed: int, closes: str
) -> None:
    # Without slots and walk-ins nobody has it as home unit, books there or comes; but it must not
    # get doses: "equally" and fixed shares send some to whoever is there.
    scenario = random_campaign(seed)
    idle = {
        "supply": {"allocation": "by_bookings", "fixed_shares": {}},
        "units": {"idle": {"type": "hall", "district": next(iter(scenario.districts)),
                           "slots_per_day": 0, "walk_ins_per_day": 0.0}},
    }  # fmt: skip
    data = merge(data_of(scenario), idle)
    later = {"units": {"idle": {"closes": closes}}}
    assert_same_tables(run(changed(data)), run(changed(data, later)))


@few
@given(seeds)
def test_the_order_of_what_has_no_order_changes_nothing(seed: int) -> None:
    # Days of the week, closed dates, languages of a pool, deliveries, districts, shares: sets.
    # Stations (passage), regimens and vaccines (preference), waves do have an order.
    scenario = random_campaign(seed)
    data = data_of(scenario)

    def turned(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            items = [(k, turned(v, k)) for k, v in value.items()]
            return dict(items[::-1] if key in ("deliveries", "fixed_shares") else items)
        if key in ("open_days", "shipment_days", "languages", "closed_dates", "breaks"):
            return value[::-1]
        return value

    left, right = run(scenario), run(Scenario.model_validate(turned(data)))
    assert_same_but_for_order(left, right)


def test_engines_and_workers_give_equal_tables() -> None:
    # A replication is a function of scenario, seed and number, whoever computes it and when.
    scenario = random_campaign(11)
    last = scenario.campaign.horizon
    found = []
    for engine, workers in (("compiled", 1), ("compiled", 2), ("reference", 2)):
        with Trials(RunSettings(engine=engine, workers=workers, until=last)) as trials:
            found.append(dict(trials.all_tables([(scenario, range(3))], "daily", last)))
    for other in found[1:]:
        assert len(other) == 3
        for key, table in other.items():
            pd.testing.assert_frame_equal(found[0][key], table, check_exact=True)


# --- Something moves with it ----------------------------------------------------------------------


@few
@given(seeds, st.sampled_from([-520, -1, 1, 3, 53]))
def test_shifting_all_dates_by_whole_weeks_shifts_the_results(seed: int, weeks: int) -> None:
    # The model knows days of the week and distances between days, and no other calendar.
    scenario = random_campaign(seed)
    some = sorted({day(int(n)) for n in np.random.default_rng(seed).integers(0, 60, 4)})
    closed = [each.isoformat() for each in some]
    data = merge(
        data_of(scenario),
        {
            "call_centre": {"closed_dates": closed},
            "units": {name: {"closed_dates": closed} for name in scenario.units},
        },
    )
    by = timedelta(weeks=weeks)

    def shifted(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shifted(each) for key, each in value.items()}
        if isinstance(value, list):
            return [shifted(each) for each in value]
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
            return (date.fromisoformat(value) + by).isoformat()
        return value

    left, right = run(changed(data)), run(Scenario.model_validate(shifted(data)))
    for table in left.values():
        if "date" in table:
            table["date"] = (table["date"] + by).astype(table["date"].dtype)
    assert_same_tables(left, right)


@few
@given(seeds)
def test_permuting_groups_permutes_the_results(seed: int) -> None:
    # A person's luck belongs to the name of the group and the number in it. What is left to the
    # order of the file are ties, people of one day who have no time of day: those registered before
    # the campaign, due for a second dose, or to be booked anew. So here there are none of them, and
    # nobody walks in or comes to another channel.
    scenario = random_campaign(seed)
    data = merge(
        data_of(scenario),
        {
            "groups": {name: {"booked_in_advance": False, "telephone_share": 1.0,
                              "already_vaccinated": []} for name in scenario.groups},
            "units": {name: {"walk_ins_per_day": 0.0} for name in scenario.units},
            "call_centre": {"lines": 1000},
            "regimens": {name: {"second": None} for name in scenario.regimens},
            "appointments": {"rebook_after_no_show": 0.0, "rebook_after_turned_away": 0.0},
        },
    )  # fmt: skip
    turned = {**data, "groups": dict(reversed(data["groups"].items()))}
    assert_same_but_for_order(run(changed(data)), run(Scenario.model_validate(turned)))


@few
@given(seeds)
def test_permuting_pools_permutes_the_results(seed: int) -> None:
    # An arriving call takes the free agent with the fewest languages, of whichever pool; only
    # between pools with as many languages does the order decide, and the pools here differ in it.
    # (Agents chosen at random are numbered pool by pool: there only the chances are the same.)
    data = data_of(random_campaign(seed))
    data["call_centre"]["agent_choice"] = "fewest_languages"
    scenario = Scenario.model_validate(data)
    turned = merge(data, {})
    turned["call_centre"] = {
        **data["call_centre"],
        "pools": dict(reversed(data["call_centre"]["pools"].items())),
    }
    assert_same_but_for_order(run(scenario), run(Scenario.model_validate(turned)))


def three_units(order: str) -> Scenario:
    """Three units of one kind, which only their names tell apart."""
    return campaign(
        {
            "appointments": {"no_show": 0.2, "home_unit_tolerance_days": 0},
            "unit_types": {"hall": {"stations": {"jab": {"minutes": {
                "distribution": "exponential", "mean": 5.0}}}}},
        },
        groups={"some": calling_group(200, willing=0.9)},
        units={name: unit(12) for name in order},
        deliveries={"d": delivery(300)},
    )  # fmt: skip


@pytest.mark.parametrize("order", ["acb", "cba", "bca"])
def test_permuting_units_that_are_alike_permutes_the_results(order: str) -> None:
    # A person's home is the unit in whose part of 0 ... 1 a uniform number lies, in the order of
    # the file: who lived at the first unit still does. So the results belong to places in the
    # file, and go with them to another name, exactly. (Walk-ins have luck by the unit's name.)
    left, right = run(three_units("abc")), run(three_units(order))
    names = dict(zip("abc", order, strict=True))
    for table in left.values():
        for column in ("unit", "place"):
            if column in table:
                table[column] = table[column].map(lambda name: names.get(name, name))
    assert_same_but_for_order(left, right)


def test_permuting_units_that_differ_changes_no_mean() -> None:
    # Other people have another home now (see above), so nothing is equal but the distribution.
    units = {"small": unit(6), "large": unit(18), "shut": unit(8, open_days=["mon", "tue"])}
    same = {
        "groups": {"some": calling_group(400, willing=0.9)},
        "deliveries": {"d": delivery(260), "e": delivery(200, 8)},
    }
    change = {"appointments": {"no_show": 0.2, "rebook_after_no_show": 0.5}}
    left = campaign(change, units=units, **same)
    right = campaign(change, units=dict(reversed(units.items())), **same)
    for measure in (first_doses, doses_by_deadline(left)):
        differences = np.array(
            [measure(run(left, replication=r)) - measure(run(right, replication=r))
             for r in range(40)]
        )  # fmt: skip
        assert abs(differences.mean()) <= 3 * differences.std(ddof=1) / np.sqrt(40) + 1e-9


# --- Something grows with it ----------------------------------------------------------------------


def with_agents(scenario: Scenario, more: int) -> Scenario:
    pools = {
        name: {"agents": pool.agents + more, "shifts": [], "breaks": []}
        for name, pool in scenario.call_centre.pools.items()
    }
    return changed(data_of(scenario), {"call_centre": {"pools": pools}})


@averaged
@given(seeds, st.integers(1, 4))
def test_more_agents_answer_no_fewer_people_on_average(seed: int, more: int) -> None:
    scenario = with_agents(random_campaign(seed), 0)
    assert_no_fall_on_average(scenario, with_agents(scenario, more), got_through)


def test_more_agents_can_answer_fewer_people_on_a_day() -> None:
    # Why the relation holds on average only. One agent is busy while two very long calls give up
    # waiting, and answers everybody else; two agents are free just then, and lost for the day.
    # Columns: time of the call, its length, patience.
    calls = np.array(
        [(0, 10, 5), (9, 2, 5), (11, 9999, 0.5), (11.5, 9999, 0.4), *[(t, 5, 1) for t in
         range(20, 90, 10)]]
    )  # fmt: skip

    def answered(agents: int) -> int:
        result = call_centre_day(
            call_day(
                calls[:, 0].tolist(),
                handle_s=calls[:, 1].tolist(),
                patience_s=calls[:, 2].tolist(),
                call_type=list(range(len(calls))),
                steps_s=[(0, 0, agents)],
            )
        )
        return int((result.outcome == CallOutcome.ANSWERED).sum())

    assert (answered(1), answered(2)) == (9, 4)


@averaged
@given(seeds, st.sampled_from([1.2, 2.0, 10.0]))
def test_more_doses_never_lower_coverage_on_average(seed: int, times: float) -> None:
    # On average, because whoever comes on another day has other luck (no-shows, services).
    scenario = random_campaign(seed)
    more = {
        name: {
            "doses": round(each.doses * times),
            "announced_doses": each.announced_doses and round(each.announced_doses * times),
        }
        for name, each in scenario.deliveries.items()
    }
    assert_no_fall_on_average(
        scenario, changed(data_of(scenario), {"deliveries": more}), first_doses
    )


def without_chance(doses: int, arrives: int = 0, closes: str = "08:40") -> Scenario:
    return campaign(
        {"unit_types": {"hall": {"closes": closes}}},
        groups={"all": advance_group(120)},
        regimens={"one": {"first": "az"}},
        units={"hall": unit(None), "other": unit(None)},
        deliveries={"a": delivery(doses, arrives), "b": delivery(doses, arrives + 4)},
    )


def test_where_nothing_is_chance_more_doses_never_lower_coverage_on_any_day() -> None:
    # One dose each, nobody stays away: who waits longest gets the next dose, so every further dose
    # is a further person or none.
    curves = []
    for doses in range(0, 70, 5):
        daily = run(without_chance(doses))["daily"]
        by_day = daily.groupby("date")["administered"].sum()
        days = pd.date_range(day(0), day(19))
        curves.append(by_day.reindex(days, fill_value=0).cumsum().to_numpy())
    assert (np.diff(np.array(curves), axis=0) >= 0).all()
    assert curves[-1][-1] == 120


@pytest.mark.parametrize("doses", [20, 45, 200])
def test_where_nothing_is_chance_earlier_deliveries_and_longer_opening_are_never_worse(
    doses: int,
) -> None:
    # What can be done can still be done when doses are there sooner, or the unit closes later.
    def by_day(scenario: Scenario) -> np.ndarray:
        given_ = run(scenario)["daily"].groupby("date")["administered"].sum()
        return given_.reindex(pd.date_range(day(0), day(19)), fill_value=0).cumsum().to_numpy()

    late, early = by_day(without_chance(doses, 5)), by_day(without_chance(doses, 2))
    assert (early >= late).all()
    longer = by_day(without_chance(doses, 5, closes="16:00"))
    assert (longer >= late).all()
    if doses == 200:  # slots bind, so opening for longer does help
        assert longer.sum() > late.sum()


@averaged
@given(seeds, st.integers(1, 10))
def test_earlier_deliveries_never_lower_the_doses_given_by_the_deadline_on_average(
    seed: int, days: int
) -> None:
    # Doses given, not people: a first dose sooner may bring a second one that takes a first one's
    # place. Of one vaccine only, which cannot be too early for its regimen, and in vials of one
    # dose: doses that come sooner are given in more and smaller sessions, which waste more.
    scenario = random_campaign(seed)
    first = scenario.campaign.first_day
    regimen = {"first": "az", "second": "az", "min_days": 5, "target_days": 7}
    data = data_of(scenario)
    data["regimens"] = {"az_az": regimen}
    data["vaccines"] = {"az": {"doses_per_vial": 1, "open_vial_hours": 6.0}}
    for group in data["groups"].values():
        group["already_vaccinated"] = []
    for each in data["deliveries"].values():
        each |= {"vaccine": "az", "announced_arrival": None}
    earlier = {
        name: {"arrives": max(first, each.arrives - timedelta(days=days)).isoformat()}
        for name, each in scenario.deliveries.items()
    }
    less, more = changed(data), changed(data, {"deliveries": earlier})
    assert_no_fall_on_average(less, more, doses_by_deadline(scenario))


@averaged
@given(seeds)
def test_a_call_centre_open_for_longer_answers_no_fewer_people_on_average(seed: int) -> None:
    # Also in the evening, with the same agents; an hour that is open is one in which to call.
    scenario = with_agents(random_campaign(seed), 1)
    longer = changed(
        data_of(scenario),
        {"call_centre": {"closes": "16:15", "call_times": [1.0] * 24}},
    )
    same_profile = changed(data_of(scenario), {"call_centre": {"call_times": [1.0] * 24}})
    assert_no_fall_on_average(same_profile, longer, got_through)


# --- Twice everything -----------------------------------------------------------------------------


def province(times: int) -> Scenario:
    """A campaign so many times as large: people, agents, lines, units, doses, other bookings."""
    exponential = {"distribution": "exponential", "mean": 12.0}
    return campaign(
        {
            "call_centre": {
                "lines": 12 * times,
                "pools": {"desk": {"agents": 6 * times}},
                "booking_call_minutes": exponential,
                "patience_minutes": exponential,
                "redial_probability": 0.7,
                "attempts_in_all": 3,
            },
            "other_channels": {"bookings_per_day": 30 * times},
            "appointments": {"no_show": 0.1, "rebook_after_no_show": 0.5},
            "vaccines": {"az": {"doses_per_vial": 10}},
        },
        groups={
            "callers": calling_group(1500 * times, willing=0.9, telephone_share=0.7),
            "early": advance_group(300 * times, willing=0.8),
        },
        units={f"unit_{n}": unit(25) for n in range(4 * times)},
        deliveries={"a": delivery(500 * times), "b": delivery(500 * times, 7)},
    )


def test_twice_everything_gives_the_same_shares() -> None:
    # In a fluid every quantity would double. A call centre gains from being larger (its queue is
    # shared), but in overload agents are never idle, and then nothing is left to gain: that is
    # why this one is overloaded. Units are not larger but more, so a session wastes as much as
    # before. What is left of the scale is the chance of small numbers, here below a percent.
    def shares(times: int) -> np.ndarray:
        found = []
        for r in range(10):
            tables = run(province(times), replication=r)
            rows = tables["reasons"]
            rows = rows[(rows["as_of"] == "horizon") & (rows["scope"] == "first")]
            people = rows.groupby("reason")["persons"].sum()
            calls = tables["call_centre"][["abandoned", "blocked", "answered"]].sum()
            found.append([*(people / people.sum()), *(calls / calls.sum())])
        return np.array(found)

    once, twice = shares(1), shares(2)
    assert once.mean(axis=0)[-1] < 0.7  # overloaded: most attempts are in vain or nearly so
    error = np.sqrt((once.var(axis=0, ddof=1) + twice.var(axis=0, ddof=1)) / 10)
    assert (abs(once.mean(axis=0) - twice.mean(axis=0)) <= 3 * error + 0.01).all()


def test_a_call_centre_that_is_not_overloaded_gains_from_being_larger() -> None:
    # The limit of the relation above: M/M/2c with twice the calls makes fewer wait than M/M/c.
    def waiting(times: int) -> float:
        scenario = campaign(
            {"call_centre": {
                "pools": {"desk": {"agents": 4 * times}},
                "booking_call_minutes": {"distribution": "exponential", "mean": 4.0}}},
            groups={"callers": calling_group(380 * times)},
        )  # fmt: skip
        calls = [run(scenario, replication=r)["call_centre"] for r in range(10)]
        return float(
            sum(c["delayed"].sum() for c in calls) / sum(c["offered"].sum() for c in calls)
        )

    assert waiting(1) > waiting(2) > waiting(4)
