"""Claims about what holds back the next person, by hand. (What more of it brings: `test_gains`.)

In the campaigns of `campaigns.py` nothing is left to chance, so what happens can be told
by hand. Appointments are made in the evening of day 0, so the first are on day 1.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bound_campaigns import MANY, coverage, shrunk_plan, small, tables_of
from campaigns import advance_group, campaign, day, delivery, run, unit
from typer.testing import CliRunner

from sim.cli import app
from sim.experiment.binding import Binding, binding_of
from sim.experiment.feasibility import most_by
from sim.experiment.gains import gains_of
from sim.experiment.runs import carry_out
from sim.experiment.settings import RunSettings
from sim.experiment.shadow_prices import bindings
from sim.model.records import CAUSES, REASONS
from sim.scenario import Scenario


def found_in(scenario: Scenario, scope: Any = "first", replications: int = 1) -> Binding:
    return binding_of(tables_of(scenario, replications), scenario, scope)


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


def test_doses_bind_from_the_day_on_which_they_are_used_up() -> None:
    # 25 doses at 10 slots a day: on day 3 five slots stay free; a dose more serves one more.
    scenario = campaign(groups={"early": advance_group(150)}, deliveries={"a": delivery(25)})
    found = found_in(scenario)
    assert main(found) == [(0, "later_appointment"), (1, "slots"), (3, "doses")]
    assert periods(found.decisive_periods(), found) == [(0, "doses")]


def test_the_turn_binds_until_it_comes_and_slots_do_after_it() -> None:
    scenario = campaign(groups={"late": advance_group(60, turn=7)}, deliveries=MANY)
    found = found_in(scenario)
    assert main(found) == [(0, "turn"), (7, "slots")]
    assert periods(found.decisive_periods(), found) == [(0, "turn"), (7, "slots")]


def test_turn_and_doses_bind_together_where_neither_is_enough_alone() -> None:
    # 10 people get the 10 doses on day 1; the turn of the others comes after the deadline.
    scenario = campaign(
        groups={"early": advance_group(10), "late": advance_group(50, turn=15)},
    )
    found = found_in(scenario)
    assert main(found)[-1] == (1, "turn")
    assert found.periods()["also"].iloc[1] == "doses"


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


# The announced plan -------------------------------------------------------------------------------


def decisive(found: Binding) -> list[tuple[str, str]]:
    table = found.decisive_periods()
    return [(f"{d:%d %B}", c) for d, c in zip(table["first"], table["constraint"], strict=True)]


def test_by_mid_august_slots_bind_in_the_plan_and_doses_with_sundays_open() -> None:
    # 144,000 slots of 1 - 14 August are fewer than its 160,000 doses, 168,000 are more. Until the
    # end of July there are as many doses as people whose turn has come: 359,000.
    plan, sundays = found_in(shrunk_plan()), found_in(shrunk_plan("sundays"))
    assert decisive(plan) == [("25 May", "turn"), ("01 August", "slots")]
    assert plan.decisive_periods()["also"].tolist() == ["doses", ""]
    assert decisive(sundays) == [("25 May", "doses")]


def test_with_eleven_doses_a_vial_slots_bind_in_august_even_on_sundays() -> None:
    # 160,000 x 1.1 = 176,000 doses are more than the 168,000 slots of 14 days.
    data = shrunk_plan("sundays").model_dump(by_alias=True)
    for one in data["deliveries"].values():
        one["doses"] = one["doses"] * 11 // 10
    assert decisive(found_in(Scenario.model_validate(data)))[-1] == ("01 August", "slots")


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
    made, _ = carry_out(
        shrunk_plan(all_registered=False), RunSettings(replications=2, workers=1), place
    )
    gains_of(made, replications=1, workers=1)
    return place


def test_the_command_says_what_binds_and_draws_it(folder: Path) -> None:
    result = CliRunner().invoke(app, ["binds", str(folder)])
    assert result.exit_code == 0, result.output
    more, next_person = result.output.splitlines()[:2]
    assert more.startswith("More of this alone would mean more first doses by 14 August 2021: ")
    assert next_person.startswith(
        "What held back the next first dose, day by day, up to 14 August 2021: until 31 July"
    )
    assert "from 1 August 2021 the slots." in result.output
    for name in ("binding", "binding_units"):
        assert (folder / "pictures" / f"{name}.png").is_file()


def test_the_text_tells_doses_thrown_away_and_how_its_sentence_follows(tmp_path: Path) -> None:
    scenario = small()["thrown_away"]
    done, _ = carry_out(scenario, RunSettings(replications=1, workers=1), tmp_path / "run")
    again = ["--replications", "1", "--workers", "1"]
    text = CliRunner().invoke(app, ["binds", str(done.folder), *again]).output
    assert "throughout doses thrown away with opened vials." in text
    assert "Thrown away from opened vials by 10 June 2021: 100 doses." in text
    assert "The sentence about the next person follows from these days" in text
    assert "1 – 10 June 2021" in text  # not the whole month
    assert "11 June" not in text


def test_the_command_as_json(folder: Path) -> None:
    result = CliRunner().invoke(app, ["binds", str(folder), "--json", "--scope", "full"])
    found = json.loads(result.output)
    assert found["scope"] == "full"
    assert found["status"]["interval"] == "binding"
    gained = {(row["constraint"], row["relaxed"]): row["persons"] for row in found["gains"]}
    assert gained["interval", "one day"][0] > 0
    assert {"date", "unit", "constraint", "share", "also"} <= set(found["by_day"][0])


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere"],
        ["scenarios"],
        ["{folder}", "--scope", "second"],
        ["{folder}", "--replications", "0"],
        ["{folder}", "--replications", "many"],
        [],
    ],
)
def test_wrong_arguments_are_refused(folder: Path, arguments: list[str]) -> None:
    filled = [each.format(folder=folder) for each in arguments]
    assert CliRunner().invoke(app, ["binds", *filled]).exit_code == 2


def test_the_answer_of_a_run_says_what_binds(folder: Path) -> None:
    result = CliRunner().invoke(app, ["show", str(folder)])
    assert "What held back the next first dose, day by day, up to 14 August 2021" in result.output
    assert "More of this alone would mean more first doses by 14 August 2021: slots (+" in (
        result.output
    )
    shown = json.loads(CliRunner().invoke(app, ["show", str(folder), "--json"]).output)["binding"]
    assert shown["status"]["slots"] == "binding"


def test_the_answer_of_a_run_does_not_say_what_would_help_before_it_is_known(
    tmp_path: Path,
) -> None:
    done, _ = carry_out(small()["slots"], RunSettings(replications=1, workers=1), tmp_path / "run")
    result = CliRunner().invoke(app, ["show", str(done.folder)])
    assert "What more of each would change, and day by day: vaxsim binds" in result.output
    assert "More of this alone" not in result.output
    shown = CliRunner().invoke(app, ["show", str(done.folder), "--json"]).output
    assert json.loads(shown)["binding"]["status"] is None
