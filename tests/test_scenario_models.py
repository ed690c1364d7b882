"""The models of a scenario: distributions, calendars, times of day, the plan's arithmetic."""

from __future__ import annotations

from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from sim.scenario import (
    CallCentre,
    Constant,
    Distribution,
    Empirical,
    Opening,
    Scenario,
    Triangular,
    Unit,
    merge,
)
from sim.scenario_files import file_data, load_scenario, scenario_from_data

PLAN = Path(__file__).parent.parent / "scenarios" / "plan.toml"
PROBABILITIES = np.linspace(0.001, 0.999, 999)


@pytest.fixture(scope="module")
def plan() -> Scenario:
    return load_scenario(PLAN)


def distribution(**fields: Any) -> Any:
    return TypeAdapter(Distribution).validate_python(fields)


# Each against the same distribution in scipy, in scipy's own parameters. Lognormal and gamma are
# given by mean m and coefficient of variation c: sigma^2 = ln(1 + c^2) and exp(mu) =
# m / sqrt(1 + c^2); shape = 1 / c^2 and scale = m c^2. Weibull: scale = m / Gamma(1 + 1 / shape).
AGAINST_SCIPY = [
    ({"distribution": "uniform", "low": 2.0, "high": 5.0}, stats.uniform(2, 3)),
    ({"distribution": "exponential", "mean": 5.0}, stats.expon(scale=5)),
    (
        {"distribution": "triangular", "low": 3.0, "mode": 4.0, "high": 7.0},
        stats.triang(0.25, 3, 4),
    ),
    (
        {"distribution": "triangular", "low": 3.0, "mode": 3.0, "high": 7.0},
        stats.triang(0.0, 3, 4),
    ),
    (
        {"distribution": "triangular", "low": 3.0, "mode": 7.0, "high": 7.0},
        stats.triang(1.0, 3, 4),
    ),
    (
        {"distribution": "normal", "mean": 1.0, "sd": 2.0},  # truncated at zero
        stats.truncnorm(-0.5, np.inf, 1, 2),
    ),
    (
        {"distribution": "normal", "mean": -18.2, "sd": 7.8, "minimum": -60.0},
        stats.truncnorm((-60 + 18.2) / 7.8, np.inf, -18.2, 7.8),
    ),
    (
        {"distribution": "lognormal", "mean": 4.0, "cv": 0.6},
        stats.lognorm(np.sqrt(np.log(1.36)), scale=4 / np.sqrt(1.36)),
    ),
    ({"distribution": "gamma", "mean": 4.0, "cv": 0.5}, stats.gamma(4, scale=1)),
    (
        {"distribution": "weibull", "mean": 2.0, "shape": 2.0},
        stats.weibull_min(2, scale=2 / (np.sqrt(np.pi) / 2)),
    ),
    # the other ways in which they are published
    ({"distribution": "exponential", "rate": 0.2}, stats.expon(scale=5)),
    (
        {"distribution": "lognormal", "mean": 4.0, "sd": 2.4},
        stats.lognorm(np.sqrt(np.log(1.36)), scale=4 / np.sqrt(1.36)),
    ),
    (
        {"distribution": "lognormal", "median": 3.0, "sigma": 0.7},
        stats.lognorm(0.7, scale=3),
    ),
    (
        {"distribution": "lognormal", "mu": -0.5, "sigma": 0.7},
        stats.lognorm(0.7, scale=np.exp(-0.5)),
    ),
    ({"distribution": "gamma", "mean": 4.0, "sd": 2.0}, stats.gamma(4, scale=1)),
    ({"distribution": "gamma", "shape": 2.5, "scale": 3.0}, stats.gamma(2.5, scale=3)),
    ({"distribution": "gamma", "mean": 6.0, "shape": 3.0}, stats.erlang(3, scale=2)),
    ({"distribution": "weibull", "shape": 0.8, "scale": 3.0}, stats.weibull_min(0.8, scale=3)),
]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"distribution": "exponential"}, "is given by mean, or rate; here is none of them"),
        ({"distribution": "gamma", "mean": 3.0, "scale": 2.0}, "here is mean and scale"),
        ({"distribution": "weibull", "scale": 2.0}, "mean and shape, or shape and scale; here is"),
        (
            {"distribution": "lognormal", "mean": 3.0, "cv": 0.5, "sigma": 1.0},
            "mean and cv, or mean and sd, or median and sigma, or mu and sigma; here is mean and "
            "cv and sigma",
        ),
    ],
)
def test_parameters_that_do_not_belong_together_are_told(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        distribution(**fields)


def test_a_distribution_is_written_as_it_was_given() -> None:
    # a weibull by its scale says nothing of a mean when the scenario is written again
    said = {"distribution": "weibull", "shape": 0.8, "scale": 3.0}
    assert distribution(**said).model_dump(by_alias=True) == {**said, "shift": 0.0}


@pytest.mark.parametrize(("fields", "same"), AGAINST_SCIPY, ids=lambda x: str(x)[:60])
def test_quantiles_and_mean_are_those_of_scipy(fields: dict[str, Any], same: Any) -> None:
    ours = distribution(**fields)
    np.testing.assert_allclose(ours.quantiles(PROBABILITIES), same.ppf(PROBABILITIES), rtol=1e-9)
    assert ours.mean() == pytest.approx(same.mean(), rel=1e-9)


@pytest.mark.parametrize("fields", [fields for fields, _ in AGAINST_SCIPY], ids=str)
def test_mean_is_the_average_of_the_quantiles(fields: dict[str, Any]) -> None:
    # The integral of the quantile function over 0 ... 1 is the mean; midpoints of 10^6 cells.
    ours = distribution(**fields)
    midpoints = (np.arange(1_000_000) + 0.5) / 1_000_000
    assert ours.quantiles(midpoints).mean() == pytest.approx(ours.mean(), rel=1e-4)


def test_empirical_runs_through_the_ordered_values() -> None:
    # Values 1, 2, 6 at probabilities 0, 0.5, 1: the quartile lies halfway between 1 and 2. The
    # mean is that of the two uniform pieces, (1.5 + 4) / 2.
    ours = Empirical(distribution="empirical", values=[6.0, 1.0, 2.0])
    np.testing.assert_allclose(
        ours.quantiles(np.array([0.0, 0.25, 0.5, 0.75, 1.0])), [1, 1.5, 2, 4, 6]
    )
    assert ours.mean() == 2.75


def test_empirical_with_weights_is_discrete() -> None:
    # 1 with 1/4, 6 with 3/4: the mean is 19/4, and nothing lies between.
    ours = Empirical(distribution="empirical", values=[6.0, 1.0], weights=[3.0, 1.0])
    found = ours.quantiles(np.array([0.0, 0.25, 0.2501, 0.5, 1.0]))
    assert found.tolist() == [1, 1, 6, 6, 6]
    assert ours.mean() == 4.75


@pytest.mark.parametrize(
    ("weights", "told"),
    [([1.0], "must be as many as the values, 2; they are 1"), ([1.0, 0.0], "greater than 0")],
)
def test_weights_are_positive_and_one_for_each_value(weights: list[float], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Empirical(distribution="empirical", values=[6.0, 1.0], weights=weights)


def test_shift_moves_all_values_and_the_mean() -> None:
    plain = distribution(distribution="exponential", mean=5.0)
    shifted = distribution(distribution="exponential", mean=5.0, shift=2.0)
    np.testing.assert_allclose(shifted.quantiles(PROBABILITIES), plain.quantiles(PROBABILITIES) + 2)
    assert shifted.mean() == 7.0


def test_plain_number_is_a_constant() -> None:
    ours: Any = TypeAdapter(Distribution).validate_python(30)
    assert ours == Constant(distribution="constant", value=30.0)
    assert ours.quantiles(np.array([0.0, 0.5, 1.0])).tolist() == [30.0, 30.0, 30.0]


def test_truncated_normal_is_never_below_its_minimum() -> None:
    ours = distribution(distribution="normal", mean=-4.0, sd=1.0, minimum=0.0)
    assert ours.quantiles(np.array([0.0]))[0] == 0.0
    assert (ours.quantiles(PROBABILITIES) >= 0).all()


def test_no_distribution_warns_at_its_ends() -> None:
    with np.errstate(all="raise", divide="raise"):
        for fields, _ in AGAINST_SCIPY:
            assert np.isfinite(distribution(**fields).quantiles(np.array([0.0]))[0])
            distribution(**fields).quantiles(np.array([1.0]))


def test_a_part_alone_refuses_contradictions() -> None:
    with pytest.raises(ValidationError, match="low: must be below high, 1"):
        Triangular(distribution="triangular", low=3.0, mode=2.0, high=1.0)


def test_contradictions_of_a_valid_scenario_are_none(plan: Scenario) -> None:
    assert list(plan.contradictions()) == []


# Calendars and times of day -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "minutes"),
    [("00:00", 0), ("8:05", 485), ("16:30", 990), ("24:00", 1440), (time(7, 15), 435)],
)
def test_time_of_day_is_minutes_since_midnight(written: str | time, minutes: int) -> None:
    opening = {"open_days": ["mon"], "opens": "00:00", "closes": "24:00"}
    key = "closes" if minutes else "opens"
    assert getattr(Opening.model_validate(opening | {key: written}), key) == minutes


@pytest.mark.parametrize(
    "written", ["24:01", "25:00", "8", "8:5", "08:60", "-1:00", "٠٨:٠٠", 8, ""]
)
def test_what_is_no_time_of_day(written: object) -> None:
    with pytest.raises(ValidationError, match=r"00:00.*24:00"):
        Opening.model_validate({"open_days": ["mon"], "opens": written, "closes": "24:00"})


def test_centre_takes_calls_on_71_days(plan: Scenario) -> None:
    # PLAN: 25 May to 14 August has 71 days from Monday to Saturday.
    centre = plan.call_centre
    days = [date(2021, 5, 1) + timedelta(n) for n in range(150)]
    open_days = [day for day in days if centre.takes_calls(day)]
    assert len(open_days) == 71
    assert open_days[0] == date(2021, 5, 25)
    assert open_days[-1] == date(2021, 8, 14)
    assert all(day.weekday() != 6 for day in open_days)


def test_closed_dates_are_closed(plan: Scenario) -> None:
    holiday = date(2021, 6, 3)
    centre = CallCentre.model_validate(
        plan.call_centre.model_dump(by_alias=True) | {"closed_dates": [holiday]}
    )
    assert plan.call_centre.takes_calls(holiday)
    assert not centre.takes_calls(holiday)


# Merging and units --------------------------------------------------------------------------


def test_merge_joins_tables_and_replaces_everything_else() -> None:
    below = {"a": {"x": 1, "y": [1, 2]}, "b": 5}
    over = {"a": {"y": [3]}, "c": {"z": 0}}
    assert merge(below, over) == {"a": {"x": 1, "y": [3]}, "b": 5, "c": {"z": 0}}
    assert below == {"a": {"x": 1, "y": [1, 2]}, "b": 5}


def test_merge_with_another_distribution_replaces_the_whole_table() -> None:
    below = {"minutes": {"distribution": "lognormal", "mean": 4.0, "cv": 0.6}}
    constant = {"distribution": "constant", "value": 3.0}
    assert merge(below, {"minutes": constant}) == {"minutes": constant}
    assert merge(below, {"minutes": {"mean": 5.0}})["minutes"]["cv"] == 0.6


def test_scenario_is_frozen(plan: Scenario) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        plan.campaign.deadline = date(2021, 9, 1)


def test_dumped_scenario_is_the_same_scenario(plan: Scenario) -> None:
    assert Scenario.model_validate_json(plan.model_dump_json(by_alias=True)) == plan


# The plan's own statements ------------------------------------------------------------------


def test_target_and_population_are_those_of_the_announcement(plan: Scenario) -> None:
    assert plan.target == 566_551
    # What is missing to 70 % of the population, to the person.
    covered = plan.target + plan.campaign.vaccinated_before
    assert round(covered / plan.campaign.coverage_goal) == plan.campaign.population == 966_517


def test_deliveries_are_those_of_the_announcement(plan: Scenario) -> None:
    assert [d.doses for d in plan.deliveries.values()] == [56_000, 303_000, 160_000]
    assert [d.arrives.day for d in plan.deliveries.values()] == [1, 1, 1]


def test_units_are_those_of_the_announcement(plan: Scenario) -> None:
    kinds = [unit.type for unit in plan.units.values()]
    assert [kinds.count(kind) for kind in ("hospital", "outside", "estate")] == [15, 4, 2]


def nominal_per_day(unit: Unit) -> dict[str, float]:
    """People a day that each station can serve on average, with its staff all day."""
    minutes = unit.closes - unit.opens
    return {
        name: station.staff
        * minutes
        / (
            station.minutes.mean()
            + station.adverse_event_probability * station.adverse_event_minutes.mean()
        )
        for name, station in unit.stations.items()
    }


@pytest.mark.parametrize(
    ("name", "per_day"), [("plan", 12_000), ("units_low", 7_200), ("units_high", 18_000)]
)
def test_units_give_the_stated_number_of_people_a_day(name: str, per_day: int) -> None:
    scenario = load_scenario(PLAN.with_name(f"{name}.toml"))
    narrowest = []
    for unit in scenario.units.values():
        stations = nominal_per_day(unit)
        others = [rate for station, rate in stations.items() if station != "vaccination"]
        assert stations["vaccination"] < min(others)
        narrowest.append(stations["vaccination"])
    assert sum(narrowest) == pytest.approx(per_day, rel=1e-12)


def test_41_percent_arrive_20_minutes_early_and_under_1_percent_late(plan: Scenario) -> None:
    early_by = plan.appointments.punctuality_minutes.quantiles(PROBABILITIES)
    assert PROBABILITIES[early_by <= -20][-1] == pytest.approx(0.41, abs=0.005)
    assert PROBABILITIES[early_by <= 0][-1] >= 0.99


def test_40_agents_in_the_plan_20_and_120_in_the_what_ifs() -> None:
    for name, agents in (("plan", 40), ("call_centre_low", 20), ("call_centre_high", 120)):
        scenario = load_scenario(PLAN.with_name(f"{name}.toml"))
        assert sum(pool.agents for pool in scenario.call_centre.pools.values()) == agents


def test_other_parameters_of_a_distribution_replace_those_below() -> None:
    # A file may say shape and scale where the one that it extends says mean and cv; a number alone
    # changes one of those below.
    below = {"minutes": {"distribution": "gamma", "mean": 3.0, "cv": 0.5, "shift": 1.0}}
    other = {"minutes": {"distribution": "gamma", "shape": 2.0, "scale": 3.0}}
    assert merge(below, other) == other
    said = merge(below, {"minutes": {"distribution": "gamma", "cv": 0.7}})["minutes"]
    assert said == {**below["minutes"], "cv": 0.7}


def test_a_unit_may_give_its_types_distribution_by_other_parameters() -> None:
    # what a file would say of the scenario gives the same scenario again
    path = "stations.vaccination.minutes"
    changes = [
        f"unit_types.hospital.{path}={{distribution='gamma', mean=3.0, cv=0.5}}",
        f"units.hospital_01.{path}={{distribution='gamma', shape=2.0, scale=3.0}}",
    ]
    scenario = load_scenario(PLAN, changes)
    again = scenario_from_data(file_data(scenario))
    assert again.units["hospital_01"] == scenario.units["hospital_01"]
    assert again.units["hospital_01"].stations["vaccination"].minutes.mean() == 6.0


def test_new_stations_come_before_the_next_one_that_the_file_names() -> None:
    # triage before the jab and rest after it; a station alone comes last, as no other is named
    below = {"stations": {"jab": {"staff": 1}, "exit": {"staff": 1}}}
    over = {"stations": {"triage": {"staff": 2}, "jab": {}, "rest": {"staff": 9}, "exit": {}}}
    assert list(merge(below, over)["stations"]) == ["triage", "jab", "rest", "exit"]
    assert list(merge(below, {"stations": {"shop": {}}})["stations"]) == ["jab", "exit", "shop"]
    assert list(merge(below, {"stations": {"exit": {}, "jab": {}}})["stations"]) == ["jab", "exit"]


def test_a_station_of_one_unit_keeps_its_place() -> None:
    # what a file would say of the scenario gives the same order again
    here = "units.hospital_01.stations"
    change = f"{here}={{advice={{staff=1, minutes=2.0, share=0.1}}, vaccination={{}}}}"
    scenario = load_scenario(PLAN, [change])
    order = ["registration", "screening", "advice", "vaccination", "observation"]
    for each in (scenario, scenario_from_data(file_data(scenario))):
        assert list(each.units["hospital_01"].stations) == order
