"""Claims about measures, coverage and conservation, on tables in which every number is known."""

import math
from datetime import date
from typing import Any

import pandas as pd
import pytest
from small_campaign import made_up_tables, small_scenario

from sim.experiment.conservation import check_conservation
from sim.experiment.coverage import coverage_curve
from sim.experiment.measures import MEASURES, as_date, estimates, measure, measures_of
from sim.model.ledger import AuditError
from sim.model.records import TABLES


@pytest.fixture(scope="module")
def scenario() -> Any:
    return small_scenario()


@pytest.fixture
def tables(scenario: Any) -> dict[str, pd.DataFrame]:
    return made_up_tables(scenario)


@pytest.fixture(scope="module")
def found(scenario: Any) -> dict[str, float]:
    return measures_of(made_up_tables(scenario), scenario)


def test_made_up_tables_have_the_documented_columns(tables: dict[str, pd.DataFrame]) -> None:
    for name, table in TABLES.items():
        assert list(tables[name].columns) == [column.name for column in table.columns]


def test_people_are_counted_by_the_deadline_and_by_the_end(found: dict[str, float]) -> None:
    # 2 units x 12 days x 28 = 672 first doses, all before 20 June; 10 second doses on 28 June
    assert found["first_doses_by_deadline"] == 672
    assert found["fully_vaccinated_by_deadline"] == 0
    assert found["first_doses_by_end"] == 672
    assert found["fully_vaccinated_by_end"] == 10


def test_coverage_is_of_the_target_and_of_all_inhabitants(found: dict[str, float]) -> None:
    assert found["first_dose_coverage_by_deadline"] == pytest.approx(672 / 1000)
    # 600 of 2,000 inhabitants were vaccinated before
    assert found["population_first_dose_coverage_by_deadline"] == pytest.approx(1272 / 2000)
    assert found["population_full_coverage_by_deadline"] == pytest.approx(600 / 2000)


def test_goal_that_is_never_reached_has_no_day(found: dict[str, float]) -> None:
    # 70 % of 2,000 are 1,400: 800 more than 600, and only 672 are vaccinated
    assert math.isnan(found["first_dose_goal_day"])
    assert math.isnan(found["completion_day"])


def test_goal_day_is_the_first_day_on_which_coverage_reaches_the_goal() -> None:
    # 62 % of 2,000 are 1,240: 640 more than 600. 56 a day reach 616 on the 11th vaccination day
    # and 672 on the 12th, 16 June: day 15 after 1 June.
    scenario = small_scenario({"campaign": {"coverage_goal": 0.62}})
    found = measures_of(made_up_tables(scenario), scenario)
    assert found["first_dose_goal_day"] == 15
    assert as_date(scenario, 15) == date(2021, 6, 16)


def test_people_vaccinated_before_the_campaign_count_in_their_group() -> None:
    before = {
        "people": 328,
        "doses": 1,
        "regimen": "az_az",
        "first_dose_from": date(2021, 5, 1),
        "first_dose_to": date(2021, 5, 20),
    }
    scenario = small_scenario({"groups": {"late": {"already_vaccinated": [before]}}})
    found = measures_of(made_up_tables(scenario), scenario)
    # 672 + 328 = 1,000 = the target, on the last day of first doses
    assert found["first_dose_completion_day"] == 15
    curve = coverage_curve(made_up_tables(scenario)["daily"], scenario, "first", "group")
    late = curve[curve["group"] == "late"]["persons"].to_numpy()
    assert late[0] == 328
    assert late[-1] == 328 + 6 * 56


def test_second_doses_of_before_were_given_before_the_campaign() -> None:
    # first doses on 20 April and 25 May; the second is due 14 days later, on 4 May and 8 June, but
    # was given on 31 May at the latest, and protects 3 days later: before the campaign, 3 June
    before = {"people": 5, "doses": 2, "regimen": "az_az"}
    entries = [
        {**before, "first_dose_from": day, "first_dose_to": day}
        for day in (date(2021, 4, 20), date(2021, 5, 25))
    ]
    scenario = small_scenario(
        {
            "campaign": {"protected_after_days": 3},
            "groups": {"late": {"already_vaccinated": entries}},
        }
    )
    curve = coverage_curve(made_up_tables(scenario)["daily"], scenario, "full")
    assert curve["persons"].tolist()[:4] == [5, 5, 10, 10]


def test_doses_are_conserved_in_the_measures(found: dict[str, float]) -> None:
    assert found["doses_delivered"] == 900
    assert found["doses_administered"] == 672 + 10
    # 24 sessions open 3 vials for 28 doses (2 left), 2 sessions open one for 5 (5 left)
    assert found["doses_wasted"] == 24 * 2 + 2 * 5
    assert found["doses_on_hand_by_end"] == 900 - 24 * 30 - 2 * 10
    assert (
        found["doses_delivered"] + found["doses_extra"]
        == found["doses_administered"] + found["doses_wasted"] + found["doses_on_hand_by_end"]
    )
    assert found["waste_share"] == pytest.approx(58 / 900)


def test_calls_are_counted_per_attempt_and_per_person(found: dict[str, float]) -> None:
    # 10 days: 32 attempts (30 to book, 2 to ask), 17 answered, 7 abandoned, 8 blocked
    assert found["calls_offered"] == 320
    assert found["calls_answered"] == 170
    assert found["calls_abandoned"] == 70
    assert found["calls_blocked"] == 80
    assert found["calls_closed"] == 30
    assert found["persons_calling"] == 200
    assert found["persons_got_through"] == 150
    assert found["persons_gave_up"] == 20
    assert found["attempts_per_booking"] == 2.0  # 300 attempts, 150 bookings
    assert found["mean_wait_minutes"] == pytest.approx(34 / 17)
    assert found["answered_within_target_share"] == pytest.approx(11 / 32)
    assert found["agent_occupancy"] == pytest.approx(120 / 480)
    assert found["agent_hours"] == pytest.approx(10 * 486 / 60)


def test_stations_have_waits_use_and_staff_hours(found: dict[str, float]) -> None:
    assert found["station_vaccination_mean_wait_minutes"] == pytest.approx(3.0)
    assert found["station_vaccination_max_queue"] == 4
    assert found["station_vaccination_utilisation"] == pytest.approx(682 * 4 / (26 * 240))
    assert found["staff_hours_vaccination"] == pytest.approx(26 * 4)
    assert found["max_inside"] == 12
    assert found["mean_minutes_in_unit"] == pytest.approx(25.0)
    assert found["latest_exit_minutes"] == 5.0


def test_shares_of_calls_have_the_textbooks_wholes(found: dict[str, float]) -> None:
    # a day: 32 offered, 7 abandoned, 8 blocked; of the 24 on a line 13 waited, 60 minutes in all
    assert found["abandoned_share"] == pytest.approx(7 / 32)
    assert found["blocked_share"] == pytest.approx(8 / 32)
    assert found["delayed_share"] == pytest.approx(13 / 24)
    assert found["mean_wait_all_minutes"] == pytest.approx(60 / 24)


def test_mean_queues_are_the_waits_over_the_opening_hours(
    found: dict[str, float], scenario: Any, tables: dict[str, pd.DataFrame]
) -> None:
    # Little: 60 minutes of waiting a day that is so long
    centre = scenario.call_centre
    assert found["mean_calls_waiting"] == pytest.approx(60 / (centre.closes - centre.opens))
    here = tables["stations"][tables["stations"]["station"] == "vaccination"]
    hours = scenario.units["north"].closes - scenario.units["north"].opens
    assert found["station_vaccination_mean_queue"] == pytest.approx(here["wait"].mean() / hours)


def test_quantiles_of_waits_and_stays_are_those_of_their_classes(found: dict[str, float]) -> None:
    # half of the 170 answered calls did not wait; the 153rd is the 68th of 85 between 3 and 5
    assert found["median_wait_minutes"] == 0
    assert found["p90_wait_minutes"] == pytest.approx(3 + 2 * 68 / 85)
    assert found["p95_wait_minutes"] == pytest.approx(3 + 2 * 76.5 / 85)
    # 90 % of 400 are the 360 who did not wait; the 380th is the 20th of 40 between 5 and 10
    assert found["station_vaccination_delayed_share"] == pytest.approx(0.1)
    assert found["station_vaccination_p90_wait_minutes"] == 0
    assert found["station_vaccination_p95_wait_minutes"] == pytest.approx(7.5)
    assert found["median_minutes_in_unit"] == pytest.approx(25)
    # nothing is told of this station
    assert math.isnan(found["station_registration_p90_wait_minutes"])
    assert math.isnan(found["station_registration_delayed_share"])


def test_seats_of_an_observation_station_are_no_staff(found: dict[str, float]) -> None:
    assert found["staff_hours_observation"] == 0


def test_every_measure_is_documented(found: dict[str, float]) -> None:
    for name in found:
        assert measure(name).unit
    assert {name for name in MEASURES if "{" not in name} <= set(found)


def test_unknown_measure_is_refused() -> None:
    with pytest.raises(KeyError):
        measure("station_utilisation")


def test_a_ratio_without_a_whole_is_undefined_and_not_zero(
    scenario: Any, tables: dict[str, pd.DataFrame]
) -> None:
    silent = {
        **tables,
        **{name: tables[name].iloc[:0] for name in ("call_centre", "callers", "agents")},
    }
    found = measures_of(silent, scenario)
    assert found["calls_offered"] == 0
    assert math.isnan(found["mean_wait_minutes"])


def test_what_lies_after_the_last_simulated_day_is_unknown(
    scenario: Any, tables: dict[str, pd.DataFrame]
) -> None:
    found = measures_of(tables, scenario, until=date(2021, 6, 10))
    assert math.isnan(found["first_doses_by_deadline"])
    assert math.isnan(found["doses_administered_by_deadline"])


def test_one_dose_is_enough_where_the_scenario_says_so() -> None:
    scenario = small_scenario({"campaign": {"complete_with": "one_dose"}})
    daily = made_up_tables(scenario)["daily"]
    first = coverage_curve(daily, scenario, "first")["persons"]
    full = coverage_curve(daily, scenario, "full")["persons"]
    assert full.tolist() == first.tolist()


def test_protection_comes_days_after_the_dose() -> None:
    scenario = small_scenario(
        {"campaign": {"complete_with": "one_dose", "protected_after_days": 3}}
    )
    daily = made_up_tables(scenario)["daily"]
    first = coverage_curve(daily, scenario, "first")["persons"].tolist()
    full = coverage_curve(daily, scenario, "full")["persons"].tolist()
    assert full == [0, 0, 0, *first[:-3]]


def test_coverage_by_unit_and_by_group_add_up_to_the_whole(
    scenario: Any, tables: dict[str, pd.DataFrame]
) -> None:
    daily = pd.concat([tables["daily"], made_up_tables(scenario, 3)["daily"]])
    whole = coverage_curve(daily, scenario, "first").set_index(["replication", "date"])["persons"]
    for by in ("unit", "group"):
        curve = coverage_curve(daily, scenario, "first", by)  # type: ignore[arg-type]
        total = curve.groupby(["replication", "date"])["persons"].sum()
        assert (total == whole).all()
    assert whole.groupby("replication").last().tolist() == [672, 600]


def test_estimates_of_a_day_not_always_reached_have_no_mean() -> None:
    table = pd.DataFrame(
        {"replication": [0, 1, 2], "completion_day": [80.0, 90.0, math.nan], "target": 1000.0}
    )
    found = estimates(table)
    assert (found["completion_day"].mean, found["completion_day"].n) == (None, 2)
    assert (found["target"].mean, found["target"].low, found["target"].high) == (1000, 1000, 1000)


# Conservation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("replication", [0, 1, 5])
def test_tables_that_add_up_pass(scenario: Any, replication: int) -> None:
    check_conservation(made_up_tables(scenario, replication), scenario)


@pytest.mark.parametrize(
    ("table", "column", "row", "message"),
    [
        ("stock", "on_hand", 10, r"^doses \(az\), .*place north"),
        ("stock", "delivered", 6, r"^doses \(az\), place province_store, date 2021-06-03"),
        ("daily", "no_shows", 0, r"^visits .* date 2021-06-03, unit north, group early, dose 1"),
        ("daily", "dropped_out", 3, r"^dropped_out .*\(not vaccinated\)"),
        ("call_centre", "blocked", 4, r"^calls .* date 2021-06-03, hour 8"),
        ("call_centre", "within_target", 4, r"^in_time .*expected at most"),
        (
            "agents",
            "answered",
            2,
            r"date 2021-06-03: expected 117 calls \(taken by agents\), found 17",
        ),
        ("callers", "answered", 0, r"^callers .* group late, purpose booking"),
        ("callers", "attempts", 0, r"attempts of callers"),
        ("reasons", "persons", 0, r"expected 400 persons \(people of the group\), found 500"),
    ],
)
def test_a_number_that_does_not_add_up_is_named(
    scenario: Any,
    tables: dict[str, pd.DataFrame],
    table: str,
    column: str,
    row: int,
    message: str,
) -> None:
    tables[table].loc[row, column] += 100
    with pytest.raises(AuditError, match=message):
        check_conservation(tables, scenario)


def test_doses_lost_between_store_and_units_are_noticed(
    scenario: Any, tables: dict[str, pd.DataFrame]
) -> None:
    stock = tables["stock"]
    store = stock["place"] == "province_store"
    stock.loc[store & (stock["date"] >= "2021-06-04"), "on_hand"] -= 1
    stock.loc[store & (stock["date"] == "2021-06-04"), "shipped_out"] += 1
    with pytest.raises(AuditError, match=r"expected 61 doses \(sent by the store\), found 60"):
        check_conservation(tables, scenario)


def test_doses_given_to_nobody_are_noticed(scenario: Any, tables: dict[str, pd.DataFrame]) -> None:
    row = tables["stock"].index[tables["stock"]["administered"] > 0][0]
    tables["stock"].loc[row, "administered"] += 1
    tables["stock"].loc[row, "wasted"] -= 1
    with pytest.raises(AuditError, match=r"expected 28 doses \(people vaccinated\), found 29"):
        check_conservation(tables, scenario)


def test_reasons_that_disagree_with_the_doses_given_are_noticed(
    scenario: Any, tables: dict[str, pd.DataFrame]
) -> None:
    reasons = tables["reasons"]
    reasons.loc[0, "persons"] += 1  # vaccinated
    reasons.loc[4, "persons"] -= 1  # no dose
    with pytest.raises(
        AuditError, match=r"^causes .* as_of deadline, scope first, group early, reason vaccinated"
    ):
        check_conservation(tables, scenario)


def test_intervals_stay_within_what_is_possible() -> None:
    # two replications have wide intervals: t(1, 0.975) = 12.7
    rows = pd.DataFrame(
        {
            "replication": [0, 1],
            "latest_exit_minutes": [159.0, 218.0],
            "max_inside": [1.0, 9.0],
            "agent_occupancy": [0.90, 0.99],
            "waste_share": [0.0, 0.5],
            "calls_offered": [1000.0, 1001.0],
        }
    )
    found = estimates(rows)
    assert found["latest_exit_minutes"].low == 0
    assert found["latest_exit_minutes"].high == pytest.approx(188.5 + 12.7062 * 29.5, abs=0.1)
    assert found["max_inside"].low == 0
    assert found["agent_occupancy"].high == 1
    assert (found["waste_share"].low, found["waste_share"].high) == (0, 1)
    assert found["calls_offered"].low == pytest.approx(1000.5 - 12.7062 * 0.5, abs=0.01)


def test_mean_exit_before_closing_is_within_its_interval() -> None:
    rows = pd.DataFrame({"replication": [0, 1], "latest_exit_minutes": [-20.0, -10.0]})
    found = estimates(rows)["latest_exit_minutes"]
    assert found.mean == -15
    assert found.low == pytest.approx(-15 - 12.7062 * 5, abs=0.01)
