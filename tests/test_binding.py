"""Claims about what binds: by hand, and by relaxing every constraint and simulating again.

In the campaigns of `campaigns.py` nothing is left to chance, so coverage either rises or stays
exactly what it was. Appointments are made in the evening of day 0, so the first are on day 1.
"""

import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from campaigns import advance_group, calling_group, campaign, day, delivery, run, unit
from typer.testing import CliRunner

from sim.cli import app
from sim.experiment.binding import CONSTRAINTS, Binding, binding_of
from sim.experiment.feasibility import bindings, most_by
from sim.experiment.runs import carry_out
from sim.experiment.settings import RunSettings
from sim.model.capacity import unit_slots
from sim.model.records import CAUSES, REASONS
from sim.presentation.binding_view import binding_lines
from sim.scenario import Delivery, Scenario, merge
from sim.scenario_files import load_scenario

REPLICATIONS = 2
MANY = {"only": delivery(1000)}


def tables_of(scenario: Scenario, replications: int = REPLICATIONS) -> list[dict[str, Any]]:
    """Simulated once for each scenario and number: most tests relax the same one in many ways."""
    key = scenario.model_dump_json(by_alias=True)
    return [_simulated(key, number) for number in range(replications)]


@cache
def _simulated(scenario: str, number: int) -> dict[str, Any]:
    return run(Scenario.model_validate_json(scenario), replication=number)


def found_in(scenario: Scenario, scope: Any = "first", replications: int = 1) -> Binding:
    return binding_of(tables_of(scenario, replications), scenario, scope)


def coverage(tables: dict[str, pd.DataFrame], scope: str) -> int:
    """Persons vaccinated by the deadline."""
    rows = tables["reasons"]
    rows = rows[(rows["as_of"] == "deadline") & (rows["reason"] == "vaccinated")]
    return int(rows.loc[rows["scope"] == scope, "persons"].sum())


def gains(scenario: Scenario, scope: str, *changes: dict[str, Any]) -> list[int]:
    """Persons gained by changes, replication by replication with the same people and luck."""
    data = scenario.model_dump(by_alias=True)
    for change in changes:
        data = merge(data, change)
    before, after = (
        [coverage(tables, scope) for tables in tables_of(world)]
        for world in (scenario, Scenario.model_validate(data))
    )
    return [b - a for a, b in zip(before, after, strict=True)]


# What happens, by hand --------------------------------------------------------------------------


def main(found: Binding) -> list[tuple[int, str]]:
    """The constraint of each day up to the deadline, as runs: (first day, constraint)."""
    return periods(found.periods(), found)


def periods(table: pd.DataFrame, found: Binding) -> list[tuple[int, str]]:
    table = table[table["first"] <= pd.Timestamp(found.deadline)]
    return [
        ((first.date() - day(0)).days, constraint)
        for first, constraint in zip(table["first"], table["constraint"], strict=True)
    ]


def test_slots_bind_while_people_wait_for_them() -> None:
    # 10 slots a day for 150 people; on day 0 nobody can have an appointment yet.
    scenario = campaign(groups={"early": advance_group(150)}, deliveries=MANY)
    found = found_in(scenario)
    assert main(found) == [(0, "later_appointment"), (1, "slots")]
    assert periods(found.decisive_periods(), found)[-1] == (1, "slots")
    assert found.status["slots"] == "binding"
    assert found.status["doses"] == found.status["telephone"] == "idle"


def test_doses_bind_from_the_day_on_which_they_are_used_up() -> None:
    # 25 doses at 10 slots a day: on day 3 five slots stay free; a dose more serves one more.
    scenario = campaign(groups={"early": advance_group(150)}, deliveries={"a": delivery(25)})
    found = found_in(scenario)
    assert main(found) == [(0, "later_appointment"), (1, "slots"), (3, "doses")]
    assert periods(found.decisive_periods(), found) == [(0, "doses")]
    assert found.status["doses"] == "binding"
    assert found.status["slots"] == "idle"


def test_the_turn_binds_until_it_comes_and_slots_do_after_it() -> None:
    scenario = campaign(groups={"late": advance_group(60, turn=7)}, deliveries=MANY)
    found = found_in(scenario)
    assert main(found) == [(0, "turn"), (7, "slots")]
    assert periods(found.decisive_periods(), found) == [(0, "turn"), (7, "slots")]
    assert found.status["turn"] == found.status["slots"] == "binding"


def test_turn_and_doses_bind_together_where_neither_is_enough_alone() -> None:
    # 10 people get the 10 doses on day 1; the turn of the others comes after the deadline.
    scenario = campaign(
        groups={"early": advance_group(10), "late": advance_group(50, turn=15)},
    )
    found = found_in(scenario)
    assert main(found)[-1] == (1, "turn")
    assert found.periods()["also"].iloc[1] == "doses"
    assert found.status["turn"] == found.status["doses"] == "joint"
    assert found.status["slots"] == "idle"


def test_slots_left_free_are_shared_out_to_the_nearest_first() -> None:
    # 10 slots are free on day 9: 4 people wait for their turn, 3 are unwilling, 3 are nobody.
    scenario = campaign(
        groups={
            "late": advance_group(4, turn=12),
            "never": advance_group(3, willing=0.0),
        },
        deliveries=MANY,
    )
    found = found_in(scenario)
    last = found.by_day[found.by_day["date"] == pd.Timestamp(day(9))].set_index("constraint")
    shares = last["share"].to_dict()
    assert shares == pytest.approx({"turn": 0.4, "willingness": 0.3, "nobody": 0.3})
    persons = found.province_by_day.set_index(["date", "constraint"])["persons"]
    assert persons[pd.Timestamp(day(9)), "turn"] == 4


def test_units_are_told_apart() -> None:
    # One district and no tolerance for waiting: all 30 want day 1, half of it is closed.
    scenario = campaign(
        {"appointments": {"home_unit_tolerance_days": 0}},
        groups={"early": advance_group(200)},
        deliveries=MANY,
        units={"open": unit(10), "shut": unit(10, open_days=["sun"])},
    )
    found = found_in(scenario)
    rows = found.by_day[found.by_day["date"] == pd.Timestamp(day(1))]
    assert dict(zip(rows["unit"], rows["constraint"], strict=True)) == {
        "open": "slots",
        "shut": "closed",
    }


def test_nobody_is_left_when_all_are_vaccinated() -> None:
    scenario = campaign(groups={"early": advance_group(10)}, deliveries=MANY)
    assert main(found_in(scenario)) == [(0, "later_appointment"), (1, "nobody")]


def test_shares_of_a_day_and_unit_sum_to_one() -> None:
    for scenario in (small()["no_show"], shrunk_plan()):
        found = found_in(scenario, replications=2)
        assert found.by_day.groupby(["date", "unit"])["share"].sum().to_numpy() == pytest.approx(1)
        until = found.by_day[found.by_day["date"] <= pd.Timestamp(found.deadline)]
        assert until.groupby(["date", "unit"])["decisive"].sum().to_numpy() == pytest.approx(1)
        assert found.province_by_day.groupby("date")["share"].sum().to_numpy() == pytest.approx(1)


# Relaxing every constraint ------------------------------------------------------------------------


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


def relaxations(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """For every constraint a change that gives more of it."""
    groups = scenario.groups

    def of_groups(**values: Any) -> dict[str, Any]:
        return {"groups": dict.fromkeys(groups, values)}

    every_day = {"open_days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}
    agents = {name: {"agents": 40} for name in scenario.call_centre.pools}
    first = scenario.campaign.first_day
    more = next(iter(scenario.deliveries.values())).model_dump() | {
        "doses": 400,
        "announced_doses": None,
        "arrives": scenario.campaign.vaccination_from,
    }
    return {
        "slots": {
            "units": {
                name: {"slots_per_day": 2 * unit_slots(u)} for name, u in scenario.units.items()
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


def relaxed(scenario: Scenario, scope: str, *names: str) -> list[int]:
    changes = relaxations(scenario)
    return gains(scenario, scope, *(changes[name] for name in names))


def check_by_relaxing(scenario: Scenario, scope: str = "first") -> None:
    """More of what binds raises coverage in every replication, more of what is idle in none; nor
    does, alone, what only binds together with something else."""
    found = found_in(scenario, scope, REPLICATIONS)
    for constraint in relaxations(scenario):
        status = found.status.get(constraint)
        if status == "binding":
            assert min(relaxed(scenario, scope, constraint)) > 0, constraint
        elif status in ("idle", "joint"):
            assert max(relaxed(scenario, scope, constraint)) <= 0, constraint


@pytest.mark.parametrize("name", list(small()))
def test_relaxing_what_binds_raises_coverage_and_relaxing_what_is_idle_does_not(name: str) -> None:
    check_by_relaxing(small()[name])


@pytest.mark.parametrize("name", [name for name in small() if name in CONSTRAINTS])
def test_each_small_campaign_is_bound_by_what_it_is_named_after(name: str) -> None:
    assert found_in(small()[name]).status[name] == "binding"


def test_relaxing_what_binds_together_raises_coverage() -> None:
    assert relaxed(small()["turn_and_doses"], "first", "turn", "doses") == [50] * REPLICATIONS


def test_doses_thrown_away_are_named_and_who_could_fill_the_vials() -> None:
    # 20 vials at 4 sessions of 5 people a day: 100 people have a dose by day 5, 100 doses are
    # thrown away. With 10 slots a session more of each vial is used up.
    scenario = small()["thrown_away"]
    found = found_in(scenario)
    assert periods(found.decisive_periods(), found) == [(0, "thrown_away")]
    assert found.status["thrown_away"] == found.status["doses"] == "binding"
    assert found.thrown_away == 100
    assert found.status["slots"] == "fills"
    assert found.status["telephone"] == found.status["turn"] == "idle"
    assert min(relaxed(scenario, "first", "slots")) > 0
    # where many want the same unit, not all of the 50 have their slot by day 9
    assert relaxed(scenario, "first", "thrown_away")[0] == 50
    assert min(relaxed(scenario, "first", "thrown_away")) > 0


def test_the_ceiling_and_what_binds_agree_on_doses_thrown_away() -> None:
    scenario, deadline = small()["thrown_away"], day(9)
    assert most_by(scenario, "first", deadline) == 100 == coverage(run(scenario), "first")
    worth = {b.kind: b.worth for b in bindings(scenario, "first", deadline)}
    assert worth["slots"] == 1  # a sixth person shares the vial
    assert worth["doses"] == 0.5  # a tenth of a vial for five


def test_a_dose_that_lies_elsewhere_is_not_called_missing() -> None:
    # Two units have ten doses each, but only one has appointments: ten of its twenty find none.
    scenario = campaign(
        {"supply": {"allocation": "equally"}},
        groups={"early": advance_group(20)},
        deliveries={"a": delivery(20)},
        units={"open": unit(20), "shut": unit(0)},
    )
    found = found_in(scenario)
    assert main(found)[1] == (1, "dose_elsewhere")
    assert causes(scenario) == {"dose_elsewhere": 10}


def test_for_full_vaccination_the_interval_binds_until_second_doses_fall_due() -> None:
    # First doses on day 1, deadline on day 9: after 20 days nobody has a second dose in time.
    regimens = {"az_az": {"first": "az", "second": "az", "min_days": 20, "target_days": 20}}
    scenario = campaign(groups={"early": advance_group(20)}, deliveries=MANY, regimens=regimens)
    found = found_in(scenario, "full")
    assert periods(found.decisive_periods(), found)[-1][1] == "interval"
    assert found.status["interval"] == "binding"
    assert min(relaxed(scenario, "full", "interval")) > 0
    check_by_relaxing(scenario, "full")


def test_for_full_vaccination_second_doses_lack_doses_like_first_ones() -> None:
    # 20 doses for 20 people are all first doses; second ones fall due on days 6 and 7.
    scenario = campaign(groups={"early": advance_group(20)}, deliveries={"a": delivery(20)})
    found = found_in(scenario, "full")
    assert found.status["doses"] == "binding"
    assert min(relaxed(scenario, "full", "doses")) > 0


# The announced plan -------------------------------------------------------------------------------


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


def decisive(found: Binding) -> list[tuple[str, str]]:
    table = found.decisive_periods()
    return [(f"{d:%d %B}", c) for d, c in zip(table["first"], table["constraint"], strict=True)]


def test_by_mid_august_slots_bind_in_the_plan_and_doses_with_sundays_open() -> None:
    # 144,000 slots of 1 - 14 August are fewer than its 160,000 doses, 168,000 are more. Until the
    # end of July there are as many doses as people whose turn has come: 359,000.
    plan, sundays = found_in(shrunk_plan()), found_in(shrunk_plan("sundays"))
    assert decisive(plan) == [("25 May", "turn"), ("01 August", "slots")]
    assert plan.decisive_periods()["also"].tolist() == ["doses", ""]
    assert {name for name, status in plan.status.items() if status == "binding"} == {
        "slots",
        "closed",
    }
    assert decisive(sundays) == [("25 May", "doses")]
    assert sundays.status["slots"] == sundays.status["closed"] == "idle"


def test_with_eleven_doses_a_vial_slots_bind_in_august_even_on_sundays() -> None:
    # 160,000 x 1.1 = 176,000 doses are more than the 168,000 slots of 14 days.
    data = shrunk_plan("sundays").model_dump(by_alias=True)
    for one in data["deliveries"].values():
        one["doses"] = one["doses"] * 11 // 10
    assert decisive(found_in(Scenario.model_validate(data)))[-1] == ("01 August", "slots")


@pytest.mark.parametrize("name", ["plan", "sundays", "july_cut"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"home_unit_tolerance_days": 0}, {"all_registered": False}],
    ids=["registered", "anywhere", "calling"],
)
def test_relaxing_the_shrunk_plan(name: str, changes: dict[str, Any]) -> None:
    check_by_relaxing(shrunk_plan(name, **changes))


# Causes -------------------------------------------------------------------------------------------


def test_causes_split_the_reasons() -> None:
    for scenario in [*small().values(), shrunk_plan("july_cut", all_registered=False)]:
        tables = run(scenario)
        keys = ["as_of", "scope", "group"]
        split = tables["causes"].assign(
            reason=[CAUSES[cause].reason for cause in tables["causes"]["cause"]]
        )
        split = split.groupby([*keys, "reason"])["persons"].sum()
        whole = tables["reasons"].set_index([*keys, "reason"])["persons"]
        assert set(whole.index.get_level_values("reason")) == set(REASONS)
        pd.testing.assert_series_equal(
            split.sort_index(), whole.sort_index(), check_index_type=False
        )


def causes(scenario: Scenario) -> dict[str, int]:
    """Persons by cause on the deadline, first doses."""
    found = found_in(scenario).causes
    return dict(zip(found["cause"], found["persons"].astype(int), strict=True))


def test_slots_too_late_are_told_from_no_slot_at_all() -> None:
    # 10 slots a day from day 1 for 150 people: 90 by day 9, then 60 on days 10 to 15.
    assert causes(small()["slots"]) == {"slot_too_late": 60}
    # At most 3 days ahead, a single dose: in the evenings of days 7, 8 and 9 the days 10, 11 and 12
    # are given out, the last when no day before the deadline could be asked for any more.
    scenario = campaign(
        {"appointments": {"window_days": 3}},
        groups={"early": advance_group(150)},
        deliveries=MANY,
        regimens={"single": {"first": "az", "min_days": 0, "target_days": 0}},
    )
    assert causes(scenario) == {"slot_too_late": 20, "appointment_later": 10, "no_slot_to_book": 30}


def test_other_channels_and_those_who_have_not_called_are_told_apart() -> None:
    # 5 a day are registered from day 0; who comes on day 0 and waits is held by the daily limit.
    assert causes(small()["other_channels"])["other_channel_limit"] == 50
    assert causes(small()["registration"]) == {"not_registered": 30}


def test_those_who_gave_up_are_told_from_those_still_trying() -> None:
    # Nobody tries on another day.
    found = causes(small()["telephone"])
    assert "still_trying" not in found
    assert found["gave_up"] > 100


def test_doses_that_lack_for_an_appointment_and_on_the_day_are_told_apart() -> None:
    assert causes(small()["doses"]) == {"no_dose_to_book": 125}
    # of the 150, 100 have a dose; as many were thrown away, more than the others lack
    assert causes(small()["thrown_away"]) == {"dose_thrown_away": 50}
    # Announced doses that never come: 10 on day 1 find none; nobody else has an appointment.
    late = {"a": delivery(10, arrives=18, announced_arrival=day(1))}
    scenario = campaign(groups={"early": advance_group(10)}, deliveries=late)
    assert causes(scenario) == {"no_dose_on_the_day": 10}


# The command --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs") / "run"
    carry_out(shrunk_plan(all_registered=False), RunSettings(replications=2, workers=1), place)
    return place


def test_the_command_says_what_binds_and_draws_it(folder: Path) -> None:
    result = CliRunner().invoke(app, ["binds", str(folder)])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(
        "What decides about first doses by 14 August 2021: until 31 July"
    )
    assert "from 1 August 2021 the slots." in result.output
    for name in ("binding", "binding_units"):
        assert (folder / "pictures" / f"{name}.png").is_file()


def test_the_text_tells_doses_thrown_away_and_how_its_sentence_follows(tmp_path: Path) -> None:
    scenario = small()["thrown_away"]
    done, _ = carry_out(scenario, RunSettings(replications=1, workers=1), tmp_path / "run")
    text = CliRunner().invoke(app, ["binds", str(done.folder)]).output
    assert "throughout doses thrown away with opened vials." in text
    assert "Thrown away from opened vials by 10 June 2021: 100 doses." in text
    assert "The first sentence follows from these days" in text
    assert "1 – 10 June 2021" in text  # not the whole month
    assert "11 June" not in text
    assert "may help by filling opened vials: slots" in binding_lines(done)


def test_the_command_as_json(folder: Path) -> None:
    result = CliRunner().invoke(app, ["binds", str(folder), "--json", "--scope", "full"])
    found = json.loads(result.output)
    assert found["scope"] == "full"
    assert found["status"]["interval"] == "binding"
    assert {"date", "unit", "constraint", "share", "also"} <= set(found["by_day"][0])


@pytest.mark.parametrize(
    "arguments", [["nowhere"], ["scenarios"], ["{folder}", "--scope", "second"], []]
)
def test_wrong_arguments_are_refused(folder: Path, arguments: list[str]) -> None:
    filled = [each.format(folder=folder) for each in arguments]
    assert CliRunner().invoke(app, ["binds", *filled]).exit_code == 2


def test_the_answer_of_a_run_says_what_binds(folder: Path) -> None:
    result = CliRunner().invoke(app, ["show", str(folder)])
    assert "What decides about first doses by 14 August 2021" in result.output
    assert json.loads(CliRunner().invoke(app, ["show", str(folder), "--json"]).output)["binding"]
