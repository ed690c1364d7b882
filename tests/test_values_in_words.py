"""Claims about the tables of a scenario's values: every one has its source, in either language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sim.language import days_of_week, speaking
from sim.presentation.data_words import tables_of_values
from sim.presentation.document import Table, pieces
from sim.presentation.parameters import Parameter, parameters, value_in_words
from sim.scenario_files import file_data, load_scenario, raw_scenario, scenario_from_data

SCENARIOS = sorted((Path(__file__).parent.parent / "scenarios").glob("*.toml"))
PLAN = Path(__file__).parent.parent / "scenarios" / "plan.toml"


def values_of(path: Path, *overrides: str) -> dict[str, Parameter]:
    """Each value of a scenario, by its first path."""
    found = parameters(load_scenario(path, overrides), raw_scenario(path, overrides))
    return {each.paths[0]: each for each in found}


def words_of(table: Table) -> list[list[str]]:
    return [["".join(pieces(cell)) for cell in row] for row in table.rows]


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_value_of_our_scenarios_has_a_source_or_is_not_used(path: Path) -> None:
    # whether a run has the file's own data (a folder) or the whole scenario (a page's memory)
    scenario = load_scenario(path)
    for raw in (raw_scenario(path), file_data(scenario)):
        tables = tables_of_values(scenario, raw)
        assert set(tables) == {"assumed", "known", "unused"}
        for table in tables.values():
            for row in words_of(table):
                assert "no source" not in row[-1], row


def test_a_default_that_switches_something_off_is_told_from_one_with_an_effect() -> None:
    values = values_of(PLAN)
    breaks = values["call_centre.pools.*.breaks"]
    assert (breaks.status, breaks.source) == (
        "unused", "not used by this scenario (the program's default)",
    )  # fmt: skip
    # the plan says nothing of overtime, and an hour of it is allowed all the same
    overtime = values["unit_types.*.stations.*.overtime_minutes"]
    assert (overtime.value, overtime.status) == ("60", "assumed")
    assert overtime.source == "assumed: the program's default"


def test_a_default_that_a_file_writes_down_has_the_source_that_the_file_gives() -> None:
    # 0 extra doses are the default, too; but the plan says where its 0 is from
    assert values_of(PLAN)["vaccines.astrazeneca.extra_doses_per_vial"].source.startswith("assumed")
    assert values_of(PLAN)["vaccines.astrazeneca.storage_loss"].status == "known"


def test_a_default_that_is_set_on_the_command_line_is_a_change() -> None:
    changed = values_of(PLAN, "call_centre.reconnect_probability=0")
    assert changed["call_centre.reconnect_probability"].status == "changed"


def test_thai_and_migrant_callers_have_the_source_of_their_own_language() -> None:
    values = values_of(PLAN)
    assert values["groups.migrant.language"].source.startswith("assumed: most legal migrants")
    both = values["groups.registered.language"]
    assert both.paths == ("groups.registered.language", "groups.thai.language")
    assert "Myanmar" not in both.source


def test_a_scenario_written_out_whole_tells_the_same_values_and_sources() -> None:
    # (what it says of its defaults, too, may be more)
    plan = load_scenario(PLAN)
    again = scenario_from_data(file_data(plan))
    said, there = (
        {(each.value, each.source) for each in parameters(world, file_data(world)) if each.used}
        for world in (plan, again)
    )
    assert said <= there


# Thai ----------------------------------------------------------------------------------------


def test_dates_and_days_of_the_week_are_written_as_people_write_them() -> None:
    assert values_of(PLAN)["campaign.deadline"].value == "14 Aug 2021"
    assert values_of(PLAN)["call_centre.open_days"].value == "Monday – Saturday"
    with speaking("th"):
        values = values_of(PLAN)
        assert values["campaign.deadline"].value == "14 ส.ค. 2564"  # 2021 + 543
        assert values["call_centre.open_days"].value == "วันจันทร์ – วันเสาร์"


def test_days_of_the_week_are_told_in_stretches() -> None:
    assert days_of_week(["mon", "tue", "wed", "sat"]) == "Monday – Wednesday, Saturday"
    assert days_of_week(["sun", "sat"]) == "Saturday, Sunday"
    assert days_of_week(["fri"]) == "Friday"


def test_choices_are_told_in_thai_with_the_files_own_word() -> None:
    with speaking("th"):
        values = values_of(PLAN)
    assert re.fullmatch(r"[฀-๿ 0-9]+ \(serve\)", values["call_centre.at_closing"].value)
    assert values["groups.migrant.language"].value == "พม่า (burmese)"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_no_english_stands_in_thai_tables_of_values(path: Path) -> None:
    # but for names of people and places that were read, keys (in the first column), and what
    # stands in brackets as a file's own word
    with speaking("th"):
        scenario = load_scenario(path)
        tables = tables_of_values(scenario, raw_scenario(path))
    left = {
        cell
        for table in tables.values()
        for row in words_of(table)
        for cell in row[1:]
        if re.search("[A-Za-z]{3}", re.sub(r"\([a-z_]+\)", "", cell))
        and not re.search("[฀-๿]", cell)
    }
    assert left == set()
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b", str([words_of(each) for each in tables.values()]))


@pytest.mark.parametrize(
    ("toml", "english", "thai"),
    [
        ("", "(nothing)", "(ไม่มี)"),
        ('["mon", "tue", "wed"]', "Monday – Wednesday", "วันจันทร์ – วันพุธ"),
        ("2021-06-01", "1 Jun 2021", "1 มิ.ย. 2564"),
        ("07:30:00", "07:30:00", "07:30:00"),
        ("120000", "120,000", "120,000"),
        ('{distribution = "exponential", mean = 4.0}', "exponential: mean 4", None),
        ("[{day = 2021-06-01, doses = 3}]", "day 1 Jun 2021, doses 3", None),
    ],
)
def test_values_of_files_are_told_in_words(toml: str, english: str, thai: str | None) -> None:
    """As a comparison has them: no lists in brackets, no days of the week in code."""
    for code, expected in (("en", english), ("th", thai)):
        with speaking(code):
            assert expected in (None, value_in_words(toml))
