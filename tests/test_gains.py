"""Claims about what more of each constraint would bring.

By hand where that is possible; and by relaxations that are written here anew, of other sizes, which
must never contradict a status: what binds must then raise coverage in every replication, and what
is called idle, harmful or joint in none.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from bound_campaigns import coverage, shrunk_plan, small, tables_of
from campaigns import advance_group, campaign, delivery, random_campaign, unit

from sim.experiment.coverage import SCOPES, Scope
from sim.experiment.gains import Gains, GainsPlan, gains_of, kept_gains
from sim.experiment.relaxations import RELAXATIONS
from sim.experiment.results import Run, RunError
from sim.experiment.run_in_memory import RunInMemory
from sim.experiment.runs import carry_out
from sim.experiment.settings import RunSettings
from sim.experiment.trials import Trials
from sim.model.capacity import unit_slots
from sim.scenario import Delivery, Scenario, merge


def gains_in(scenario: Scenario, replications: int = 1) -> Gains:
    """Found once for each scenario."""
    return _found(scenario.model_dump_json(by_alias=True), replications)


@cache
def _found(written: str, replications: int) -> Gains:
    scenario = Scenario.model_validate_json(written)
    settings = RunSettings(replications=replications, workers=1)
    tables = tables_of(scenario, replications)
    with Trials(settings) as trials:
        run = RunInMemory("a run", scenario, settings, tables)
        return GainsPlan(run, replications).find(trials)


def alone(scenario: Scenario, constraint: str, scope: Scope = "first") -> list[int]:
    """Persons gained in the first replication, size by size."""
    return [gain.persons[scope][0] for gain in gains_in(scenario).of(constraint)]


# By hand ------------------------------------------------------------------------------------------


def test_slots_bring_as_many_people_as_they_serve_until_the_deadline() -> None:
    # 10 a day on the days 1 to 9 serve 90 of 150; 15 a day serve 135, and 20 a day all of them.
    scenario = small()["slots"]
    assert gains_in(scenario).vaccinated["first"] == [90]
    assert alone(scenario, "slots") == [45, 60]
    assert gains_in(scenario).status("first")["slots"] == "binding"


def test_open_days_bring_the_slots_of_the_days_on_which_units_were_closed() -> None:
    # 10 slots a day; a Saturday and a Sunday between the days 1 and 9.
    assert alone(small()["closed"], "closed") == [10, 20]


def test_doses_bring_people_until_the_slots_stop_them() -> None:
    # 25 doses for 150 people: 13 more (a half, rounded up); or all that 90 slots can give.
    assert alone(small()["doses"], "doses") == [13, 65]


def test_an_earlier_turn_brings_the_slots_of_the_days_before() -> None:
    # 60 people from day 7 on take 3 x 10 slots; from the first evening on, the others fit too.
    assert alone(small()["turn"], "turn") == [30, 30]


def test_other_channels_bring_who_waits_there_until_the_slots_stop_them() -> None:
    # 5 a day from day 0 have their jab on the days 1 to 9: 45. With 8 a day 40 by day 5; then 8 of
    # the 10 slots go to second doses: 48. Without a limit all 90 slots are booked on day 0.
    assert alone(small()["other_channels"], "other_channels") == [3, 45]


def test_what_helps_only_together_is_told_from_what_brings_nothing() -> None:
    # 10 people get the 10 doses on day 1; the turn of the other 50 comes after the deadline. With
    # everything relaxed all 60 are vaccinated; without doses, or before their turn, 10 are.
    gains = gains_in(small()["turn_and_doses"])
    status = gains.status("first")
    assert {name for name in status if status[name] == "joint"} == {"turn", "doses"}
    assert gains.together["first"] == [50]
    assert gains.last["turn"]["first"] == gains.last["doses"]["first"] == [50]
    assert gains.last["slots"]["first"] == [0]
    assert status["slots"] == "idle"


def test_doses_thrown_away_bring_people_and_so_does_who_fills_the_vials() -> None:
    # 20 vials at 4 sessions of 5 people a day: 100 people have a dose by day 5, 100 doses are
    # thrown away. With more slots a session, more of each vial is used up.
    scenario = small()["thrown_away"]
    assert gains_in(scenario).vaccinated["first"] == [100]
    assert alone(scenario, "thrown_away") == [50]
    status = gains_in(scenario).status("first")
    assert [status[name] for name in ("thrown_away", "doses", "slots")] == ["binding"] * 3
    assert status["telephone"] == status["turn"] == "idle"


def test_first_doses_for_others_can_take_the_second_doses() -> None:
    # 20 doses: 10 people have two each by day 6. If 10 others had their turn, too, the doses would
    # be 20 first doses, and nobody would have two.
    scenario = campaign(
        {
            "supply": {"second_dose_policy": "as_booked"},
            "appointments": {"window_days": 6},
        },
        groups={"early": advance_group(10), "late": advance_group(10, turn=15)},
        deliveries={"only": delivery(20)},
        units={"hall": unit(20)},
    )
    gains = gains_in(scenario)
    assert gains.vaccinated == {"first": [10], "full": [10]}
    assert alone(scenario, "turn", "first")[-1] == 10
    assert alone(scenario, "turn", "full")[-1] == -10
    assert gains.status("full")["turn"] == "harmful"


def test_where_everybody_is_vaccinated_nothing_brings_more() -> None:
    assert set(gains_in(small()["none"]).status("first").values()) == {"idle"}


def test_what_a_scenario_does_not_have_is_nothing_to_relax() -> None:
    # Everyone is willing, nobody misses an appointment, the unit is open every day.
    gains = gains_in(small()["slots"])
    nothing = {gain.constraint for gain in gains.alone if gain.nothing_to_relax}
    assert {"willingness", "no_show", "closed", "thrown_away"} <= nothing
    assert "slots" not in nothing


@pytest.mark.parametrize("name", [name for name in small() if name in RELAXATIONS])
def test_each_small_campaign_is_bound_by_what_it_is_named_after(name: str) -> None:
    assert gains_in(small()[name]).status("first")[name] == "binding"


def test_by_mid_august_slots_and_open_days_would_help_the_plan_and_doses_would_not() -> None:
    # 144,000 slots of 1 - 14 August are fewer than its 160,000 doses, 168,000 are more.
    gains = gains_in(shrunk_plan(all_registered=False))
    first = gains.status("first")
    assert first["slots"] == first["closed"] == first["turn"] == "binding"
    assert first["doses"] == "joint"  # 519,000 are too few for everyone, if all else is relaxed
    assert first["willingness"] == first["no_show"] == "idle"
    assert gains.status("full")["interval"] == "binding"


# Against relaxations by another hand --------------------------------------------------------------


def relaxations(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """For every constraint a change that gives more of it."""
    groups = scenario.groups

    def of_groups(**values: Any) -> dict[str, Any]:
        return {"groups": dict.fromkeys(groups, values)}

    every_day = {"open_days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}
    agents = {name: {"agents": 40} for name in scenario.call_centre.pools}
    first = scenario.campaign.first_day
    more = {
        "vaccine": next(iter(scenario.regimens.values())).first,
        "doses": 400,
        "arrives": scenario.campaign.vaccination_from,
    }
    return {
        "slots": {
            "units": {
                name: {"slots_per_day": 2 * unit_slots(u), "catchment_weight": unit_slots(u)}
                for name, u in scenario.units.items()
            }
        },
        "closed": {"units": dict.fromkeys(scenario.units, every_day)},
        "doses": {"deliveries": {"more": more}},
        "thrown_away": vials_of_one(scenario),
        "turn": of_groups(turn_from=first),
        "telephone": {"call_centre": {"lines": 500, "pools": agents}},
        "other_channels": {"other_channels": {"bookings_per_day": 100_000}},
        "registration": {
            "groups": {
                name: {"first_calls": [{"opens": first, "share": 1.0, "mean_days": 0.01}]}
                for name, group in groups.items()
                if group.first_calls
            }
        },
        "willingness": of_groups(willing=1.0, books_when_answered=1.0),
        "no_show": {"appointments": {"no_show": 0.0, "rebook_after_no_show": 1.0}},
        "queue": {
            "units": {
                name: {
                    "slots_per_day": unit_slots(u),
                    "stations": {station: {"staff": 100} for station in u.stations},
                }
                for name, u in scenario.units.items()
            }
        },
        "interval": {
            "regimens": {name: {"min_days": 1, "target_days": 1} for name in scenario.regimens}
        },
    }


def vials_of_one(scenario: Scenario) -> dict[str, Any]:
    """As many usable doses, each in a vial of its own."""

    def usable(parcel: Delivery) -> int:
        vaccine = scenario.vaccines[parcel.vaccine]
        vials = parcel.doses // vaccine.doses_per_vial
        return vials * (vaccine.doses_per_vial + vaccine.extra_doses_per_vial)

    single = {"doses_per_vial": 1, "extra_doses_per_vial": 0}
    return {
        "vaccines": dict.fromkeys(scenario.vaccines, single),
        "deliveries": {n: {"doses": usable(parcel)} for n, parcel in scenario.deliveries.items()},
    }


def gained(scenario: Scenario, scope: str, change: dict[str, Any], replications: int) -> list[int]:
    """Persons gained, replication by replication with the same people and luck."""
    data = merge(scenario.model_dump(by_alias=True), change)
    before, after = (
        [coverage(tables, scope) for tables in tables_of(world, replications)]
        for world in (scenario, Scenario.model_validate(data))
    )
    return [b - a for a, b in zip(before, after, strict=True)]


def contradictions(scenario: Scenario, replications: int = 1) -> list[str]:
    """Statuses that a relaxation of another size disproves."""
    found = []
    for scope in SCOPES:
        status = gains_in(scenario, replications).status(scope)
        for name, change in relaxations(scenario).items():
            persons = gained(scenario, scope, change, replications)
            helps = min(persons) > 0
            if status[name] == "binding" and not helps:
                found.append(f"{scope}: {name} binds, but {persons}")
            if status[name] in ("idle", "joint", "harmful") and max(persons) > 0:
                found.append(f"{scope}: {name} is {status[name]}, but {persons}")
    return found


@pytest.mark.parametrize("name", list(small()))
def test_relaxing_what_binds_raises_coverage_and_relaxing_what_is_idle_does_not(name: str) -> None:
    assert not contradictions(small()[name])


def test_relaxing_the_shrunk_plan() -> None:
    assert not contradictions(shrunk_plan(all_registered=False))


@pytest.mark.parametrize("policy", ["first_doses_first", "reserve"])
def test_relaxing_where_second_doses_compete(policy: str) -> None:
    # 150 doses for 120 people in two groups and two units; second doses after 5 days.
    scenario = campaign(
        {"supply": {"second_dose_policy": policy, "second_dose_notice_days": 3}},
        groups={"early": advance_group(80), "late": advance_group(40, turn=4)},
        deliveries={"a": delivery(90), "b": delivery(60, 5)},
        units={"town": unit(14), "village": unit(6)},
    )
    assert not contradictions(scenario)


def test_relaxing_a_random_campaign() -> None:
    assert not contradictions(random_campaign(3), 2)


# Kept with the run --------------------------------------------------------------------------------


@pytest.fixture
def made(tmp_path: Path) -> Run:
    settings = RunSettings(replications=1, workers=1)
    return carry_out(small()["turn_and_doses"], settings, tmp_path / "run")[0]


def test_gains_are_found_once_and_kept_with_the_run(made: Run) -> None:
    assert kept_gains(made) is None
    found = gains_of(made, replications=1, workers=1)
    assert kept_gains(made) == found == gains_of(made, workers=1)
    assert gains_of(made, replications=2, workers=1).replications == 2


def test_gains_of_another_run_or_damaged_ones_are_not_believed(made: Run) -> None:
    gains_of(made, replications=1, workers=1)
    (file,) = made.folder.glob("gains.json")
    data = json.loads(file.read_text(encoding="utf-8"))
    other = Run(made.folder, {**made.manifest, "seed": 2})
    assert kept_gains(other) is None
    for text in (json.dumps({**data, "vaxsim": "0.0.0"}), "{", "[]", '{"gains": 1}'):
        file.write_text(text, encoding="utf-8")
        assert kept_gains(made) is None


def test_a_run_that_gives_other_results_now_is_refused(made: Run) -> None:
    tables = tables_of(small()["slots"], 1)
    mixed = RunInMemory("mixed", small()["doses"], RunSettings(replications=1, workers=1), tables)
    with Trials(mixed.settings) as trials, pytest.raises(RunError, match="vaxsim verify mixed"):
        GainsPlan(mixed, 1).find(trials)
