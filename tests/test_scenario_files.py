"""Reading scenario files: extends, remove, overrides, lines, sources, the schema."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sim.scenario_errors import Layer, dotted, split_key
from sim.scenario_files import (
    leaf_values,
    load_scenario,
    raw_scenario,
    read_layers,
    scenario_from_data,
    scenario_schema,
    source_of,
)

SCENARIOS = Path(__file__).parent.parent / "scenarios"
PLAN = SCENARIOS / "plan.toml"
ALL = sorted(SCENARIOS.glob("*.toml"))
TABLES_OF_PATTERNS = ("sources", "ranges", "not_varied")
EXTENDS = 'extends = "plan.toml"\n'


@pytest.fixture
def upon_plan(tmp_path: Path) -> Any:
    """Writes a file that extends the plan, and gives its path."""
    shutil.copy(PLAN, tmp_path / "plan.toml")

    def write(text: str, name: str = "what_if.toml") -> Path:
        (tmp_path / name).write_text(EXTENDS + text, encoding="utf-8")
        return tmp_path / name

    return write


# Files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_scenario_file_loads_and_has_its_own_title_and_description(path: Path) -> None:
    scenario = load_scenario(path)
    own = read_layers(path)[-1].data
    assert scenario.title == own["title"]
    assert scenario.description == own["description"]


def test_all_the_what_ifs_are_there() -> None:
    assert {path.stem for path in ALL} >= {
        "plan",
        "likely",
        "call_centre_low",
        "call_centre_high",
        "units_low",
        "units_high",
        "sundays",
        "eleven_doses",
        "one_dose_complete",
        "interval_8_weeks",
        "interval_8_weeks_as_booked",
        "july_cut",
        "deliveries_late",
        "early_rush",
        "thai_agents_only",
        "estates_extended",
    }


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_scenario_file_lists_only_what_differs(path: Path) -> None:
    if path == PLAN:
        return
    layers = read_layers(path)
    below = dict(leaf_values(raw_scenario(path.with_name(layers[-1].data["extends"]))))
    for key, value in leaf_values(scenario_data(layers[-1])):
        if any(name.isdecimal() for name in key.split(".")):
            continue  # lists are given whole, with items that may be as before
        assert below.get(key) != value, f"{key} is the same in the extended file"


def scenario_data(layer: Layer) -> dict[str, Any]:
    return {key: value for key, value in layer.settings.items() if key not in TABLES_OF_PATTERNS}


def test_extended_files_are_merged_key_by_key(upon_plan: Any) -> None:
    path = upon_plan("[call_centre]\nlines = 90\n")
    plan, changed = load_scenario(PLAN), load_scenario(path)
    assert changed.call_centre.lines == 90
    assert changed.call_centre.model_copy(update={"lines": plan.call_centre.lines}) == (
        plan.call_centre
    )
    assert changed.groups == plan.groups


def test_lists_of_an_extended_file_are_replaced_whole(upon_plan: Any) -> None:
    path = upon_plan('[call_centre]\nopen_days = ["sun"]\n')
    assert load_scenario(path).call_centre.open_days == ["sun"]


def test_extends_can_be_a_chain_and_the_last_file_wins(upon_plan: Any) -> None:
    upon_plan("[call_centre]\nlines = 90\nattempts_per_day = 2\n", "middle.toml")
    path = upon_plan("")
    path.write_text('extends = "middle.toml"\n[call_centre]\nlines = 80\n')
    scenario = load_scenario(path)
    assert (scenario.call_centre.lines, scenario.call_centre.attempts_per_day) == (80, 2)
    assert [Path(layer.name).name for layer in read_layers(path)] == [
        "plan.toml",
        "middle.toml",
        "what_if.toml",
    ]


def test_extends_is_relative_to_the_file_and_not_to_the_current_folder(
    upon_plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upon_plan("")
    folder = tmp_path / "below"
    folder.mkdir()
    (folder / "a.toml").write_text('extends = "../what_if.toml"\n')
    monkeypatch.chdir("/")
    assert load_scenario(folder / "a.toml") == load_scenario(PLAN)


def test_unit_overrides_only_what_it_says(upon_plan: Any) -> None:
    path = upon_plan("[units.hospital_01.stations]\nvaccination.staff = 16\n")
    units = load_scenario(path).units
    plan = load_scenario(PLAN).units
    assert units["hospital_01"].stations["vaccination"].staff == 16
    assert units["hospital_01"].stations["screening"] == plan["hospital_01"].stations["screening"]
    assert units["hospital_02"] == plan["hospital_02"]


def test_change_of_a_type_reaches_its_units_but_for_their_own_values(upon_plan: Any) -> None:
    path = upon_plan(
        '[unit_types.hospital]\ncloses = "18:00"\n[units.hospital_03]\ncloses = "12:00"\n'
    )
    units = load_scenario(path).units
    assert units["hospital_01"].closes == 18 * 60
    assert units["hospital_03"].closes == 12 * 60
    assert units["outside_1"].closes == 16 * 60


def test_remove_takes_an_inherited_entry_away(upon_plan: Any) -> None:
    path = upon_plan('remove = ["call_centre.pools.burmese", "deliveries.august"]\n')
    scenario = load_scenario(path)
    assert list(scenario.call_centre.pools) == ["thai", "bilingual"]
    assert list(scenario.deliveries) == ["june", "july"]


def test_removed_and_given_again_is_replaced_whole(upon_plan: Any) -> None:
    path = upon_plan(
        'remove = ["regimens.az_az"]\n[regimens.az_az]\nfirst = "astrazeneca"\n',
    )
    assert load_scenario(path).regimens["az_az"].second is None


def test_remove_leaves_the_extended_file_alone(upon_plan: Any) -> None:
    path = upon_plan('remove = ["call_centre.pools.burmese"]\n')
    layers = read_layers(path)
    load_scenario(path)
    assert "burmese" in layers[0].data["call_centre"]["pools"]
    assert "burmese" in load_scenario(path.with_name("plan.toml")).call_centre.pools


def test_byte_order_mark_and_windows_line_ends_are_read(upon_plan: Any) -> None:
    path = upon_plan("")
    text = EXTENDS + "[call_centre]\nlines = 90\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_scenario(path).call_centre.lines == 90
    assert read_layers(path)[-1].lines["call_centre", "lines"] == 3


def test_dates_and_times_may_be_written_as_toml_or_as_text(upon_plan: Any) -> None:
    path = upon_plan('[campaign]\ndeadline = "2021-08-20"\n[call_centre]\nopens = 07:30:00\n')
    scenario = load_scenario(path)
    assert scenario.campaign.deadline == date(2021, 8, 20)
    assert scenario.call_centre.opens == 450


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_raw_data_stored_as_json_give_the_same_scenario(path: Path) -> None:
    raw = json.loads(json.dumps(raw_scenario(path)))
    assert scenario_from_data(raw) == load_scenario(path)
    # Units still inherit, so that a change of a type in the stored data reaches them.
    assert "stations" not in raw["units"]["hospital_01"]


def test_stored_data_take_overrides_like_a_file() -> None:
    override = "unit_types.hospital.stations.vaccination.staff=5"
    scenario = scenario_from_data(raw_scenario(PLAN), [override])
    assert scenario == load_scenario(PLAN, [override])
    assert scenario.units["hospital_09"].stations["vaccination"].staff == 5


def test_stored_data_with_dates_of_toml_are_taken_too() -> None:
    assert scenario_from_data(tomllib.loads(PLAN.read_text())) == load_scenario(PLAN)


def test_importing_the_reader_loads_no_heavy_library() -> None:
    code = (
        "import sys, sim.scenario_files as f; f.load_scenario(sys.argv[1]); "
        "print([m for m in ('numba', 'pandas', 'matplotlib', 'scipy.stats', 'simpy') "
        "if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(PLAN)], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


# Overrides ----------------------------------------------------------------------------------


def plan_with(*overrides: str) -> Any:
    return load_scenario(PLAN, overrides)


def test_override_sets_a_number_a_date_a_time_and_text() -> None:
    scenario = plan_with(
        "call_centre.lines=90",
        "campaign.deadline=2021-08-20",
        "call_centre.opens=07:30",
        "title=Another plan",
        "groups.thai.willing = 0.5",
    )
    assert scenario.call_centre.lines == 90
    assert scenario.campaign.deadline == date(2021, 8, 20)
    assert scenario.call_centre.opens == 450
    assert scenario.title == "Another plan"
    assert scenario.groups["thai"].willing == 0.5


def test_override_of_a_list_item_leaves_the_others() -> None:
    plan = load_scenario(PLAN)
    waves = plan_with("groups.migrant.first_calls.1.mean_days=9").groups["migrant"].first_calls
    assert waves[1].mean_days == 9
    assert waves[0] == plan.groups["migrant"].first_calls[0]
    assert waves[1].opens == plan.groups["migrant"].first_calls[1].opens


def test_override_of_an_item_of_an_inherited_list() -> None:
    units = plan_with('units.hospital_01.open_days.5="sun"').units
    assert units["hospital_01"].open_days == ["mon", "tue", "wed", "thu", "fri", "sun"]
    assert units["hospital_02"].open_days[-1] == "sat"


def test_override_of_a_table_is_merged_as_in_a_file() -> None:
    scenario = plan_with("call_centre.patience_minutes={mean=9.0}")
    assert scenario.call_centre.patience_minutes.mean() == 9.0
    other = plan_with('call_centre.patience_minutes={distribution="uniform", low=1, high=3}')
    assert other.call_centre.patience_minutes.mean() == 2.0


def test_override_adds_a_whole_entry() -> None:
    entry = 'deliveries.extra={vaccine="astrazeneca", arrives=2021-07-15, doses=50_000}'
    assert plan_with(entry).deliveries["extra"].doses == 50_000


def test_override_sets_an_optional_value_that_the_file_leaves_out() -> None:
    scenario = plan_with("units.hospital_01.slots_per_day=100", "deliveries.july.announced_doses=9")
    assert scenario.units["hospital_01"].slots_per_day == 100
    assert scenario.deliveries["july"].announced_doses == 9


def test_later_override_wins() -> None:
    assert plan_with("call_centre.lines=90", "call_centre.lines=91").call_centre.lines == 91


def test_override_of_a_unit_leaves_its_type() -> None:
    scenario = plan_with("units.hospital_01.stations.vaccination.staff=9")
    assert scenario.units["hospital_01"].stations["vaccination"].staff == 9
    assert scenario.unit_types["hospital"].stations["vaccination"].staff == 4


def test_equals_sign_in_a_value_belongs_to_it() -> None:
    assert plan_with("title=a=b").title == "a=b"


def test_name_with_dots_is_quoted() -> None:
    scenario = plan_with('sources."call_centre.lines"=counted')
    assert source_of(scenario, "call_centre.lines") == "counted"


def test_overridden_value_has_the_override_as_its_source() -> None:
    scenario = plan_with("groups.migrant.first_calls.1.mean_days=9", "call_centre.lines=90")
    assert source_of(scenario, "call_centre.lines") == "set by --set"
    assert source_of(scenario, "groups.migrant.first_calls.1.mean_days") == "set by --set"
    assert source_of(scenario, "groups.migrant.first_calls.0.mean_days") != "set by --set"


# Sources ------------------------------------------------------------------------------------


def test_value_changed_without_a_source_does_not_keep_the_plans(upon_plan: Any) -> None:
    scenario = load_scenario(
        upon_plan(
            "[call_centre]\nlines = 130\nattempts_per_day = 5\n"
            "[units.hospital_01.stations]\nvaccination.staff = 9\n"
            "[deliveries.more]\nvaccine = 'astrazeneca'\narrives = 2021-07-15\ndoses = 5\n"
        )
    )
    changed = "changed in what_if.toml; no source given"
    staff = "units.{}.stations.vaccination.staff"
    assert source_of(scenario, "call_centre.lines") == changed
    assert source_of(scenario, staff.format("hospital_01")) == changed
    assert source_of(scenario, staff.format("hospital_02")) != changed
    assert source_of(scenario, "deliveries.more.doses") == changed
    # said again, not changed
    assert source_of(scenario, "call_centre.attempts_per_day") == "assumed"


def test_source_of_the_file_that_changes_a_value_holds_before_more_specific_ones_below(
    upon_plan: Any,
) -> None:
    text = "[call_centre]\nlines = {}\n[sources]\n'call_centre.*' = '{}'\n"
    upon_plan("[call_centre]\nlines = 130\n", "middle.toml")
    path = upon_plan("")
    path.write_text('extends = "middle.toml"\n' + text.format(140, "counted"))
    assert source_of(load_scenario(path), "call_centre.lines") == "counted"
    assert source_of(load_scenario(path), "call_centre.at_closing") == "assumed"


def test_source_of_a_value_that_is_left_out_is_no_mistake(upon_plan: Any) -> None:
    # the default holds, and somebody says why
    path = upon_plan("[sources]\n'deliveries.*.delay_days' = 'assumed: on time'\n")
    assert source_of(load_scenario(path), "deliveries.june.delay_days") == "assumed: on time"


def test_sources_below_may_be_of_what_a_file_removes(upon_plan: Any) -> None:
    upon_plan("[sources]\n'deliveries.august.doses' = 'announcement'\n", "middle.toml")
    path = upon_plan("")
    path.write_text('extends = "middle.toml"\nremove = ["deliveries.august"]\n')
    assert "august" not in load_scenario(path).deliveries
    assert scenario_from_data(raw_scenario(path)) == load_scenario(path)


def needs_source(key: str) -> bool:
    """Everything but names and descriptions: numbers, dates, times, lists, policy choices."""
    first, last = key.split(".")[0], key.split(".")[-1]
    return first not in ("title", "description") and last != "title"


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_value_that_a_file_sets_has_its_source_in_that_file(path: Path) -> None:
    layer = read_layers(path)[-1]
    data = scenario_data(layer)
    own = load_scenario(path).model_copy(update={"sources": layer.data.get("sources", {})})
    leaves = [key for key, _ in leaf_values(data) if needs_source(key)]
    assert leaves
    assert [key for key in leaves if not source_of(own, key)] == []


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_source_is_of_some_value(path: Path) -> None:
    # A pattern that matches nothing is a misspelling, or a value that is gone.
    layer = read_layers(path)[-1]
    scenario = load_scenario(path)
    keys = [key for key, _ in leaf_values(scenario_data(layer))]
    for pattern, text in layer.data["sources"].items():
        only = scenario.model_copy(update={"sources": {pattern: text}})
        assert any(source_of(only, key) for key in keys), pattern


def test_most_specific_pattern_gives_the_source() -> None:
    plan = load_scenario(PLAN)
    sources = {"**": "a", "groups.*.willing": "b", "groups.thai.willing": "c", "groups.**": "d"}
    scenario = plan.model_copy(update={"sources": sources})
    assert source_of(scenario, "groups.thai.willing") == "c"
    assert source_of(scenario, "groups.migrant.willing") == "b"
    assert source_of(scenario, "groups.migrant.first_calls.0.share") == "d"
    assert source_of(scenario, "campaign.deadline") == "a"


def test_two_stars_stand_for_any_number_of_names_also_none() -> None:
    scenario = load_scenario(PLAN).model_copy(update={"sources": {"a.**": "x", "b.*.c_*": "y"}})
    for path, source in [("a", "x"), ("a.b.c", "x"), ("b.q.c_d", "y"), ("b.c_d", None)]:
        assert source_of(scenario, path) == source


def test_value_that_a_unit_inherits_has_the_source_of_its_type() -> None:
    scenario = load_scenario(PLAN)
    path = "{}.stations.vaccination.minutes.mode"
    of_unit = source_of(scenario, "units." + path.format("outside_1"))
    assert of_unit == source_of(scenario, "unit_types." + path.format("outside"))
    assert of_unit is not None


def test_leaf_values_enter_tables_and_lists_of_tables() -> None:
    data = {"a": {"b": 1, "c": [1, 2]}, "d": [{"e": 3}, {"e": 4}], "f": [], "g h": 5}
    assert list(leaf_values(data)) == [
        ("a.b", 1),
        ("a.c", [1, 2]),
        ("d.0.e", 3),
        ("d.1.e", 4),
        ("f", []),
        ('"g h"', 5),
    ]


# Schema -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = scenario_schema()
    Draft202012Validator.check_schema(schema)
    json.dumps(schema)
    return Draft202012Validator(schema)


def as_json(text: str) -> Any:
    return json.loads(json.dumps(tomllib.loads(text), default=str))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_scenario_file_follows_the_schema(path: Path, validator: Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(as_json(path.read_text()))] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "title = 'x'",
        EXTENDS + "titel = 'x'",
        EXTENDS + "call_centre.line = 3",
        EXTENDS + "call_centre.lines = 0",
        EXTENDS + "call_centre.lines = '90'",
        EXTENDS + "call_centre.opens = '25:00'",
        EXTENDS + "call_centre.open_days = ['tuesday']",
        EXTENDS + "call_centre.pools.Thai = { agents = 3 }",
        EXTENDS + "call_centre.patience_minutes = { distribution = 'expo' }",
        EXTENDS + "groups.thai.willing = 1.1",
        EXTENDS + "remove = 'call_centre.pools.thai'",
        "extends = 3",
    ],
)
def test_schema_refuses_broken_files(text: str, validator: Draft202012Validator) -> None:
    assert not validator.is_valid(as_json(text))


@pytest.mark.parametrize(
    "text",
    [
        EXTENDS,
        EXTENDS + "call_centre.patience_minutes.mean = 3.0",
        EXTENDS + "call_centre.patience_minutes = 3.0",
        EXTENDS + "remove = ['deliveries.august']",
        EXTENDS + "units.hospital_01.stations.vaccination.staff = 9",
    ],
)
def test_schema_takes_what_only_differs(text: str, validator: Draft202012Validator) -> None:
    assert validator.is_valid(as_json(text))


def test_plan_without_a_part_does_not_follow_the_schema(validator: Draft202012Validator) -> None:
    data = as_json(PLAN.read_text())
    del data["call_centre"]["lines"]
    assert not validator.is_valid(data)


def test_schema_explains_the_keys() -> None:
    schema = scenario_schema()
    assert "Trunk lines" in schema["$defs"]["CallCentre"]["properties"]["lines"]["description"]
    assert schema["$defs"]["Unit"]["required"] == ["type", "district"]


# Lines --------------------------------------------------------------------------------------


def lines_of(text: str) -> dict[str, int]:
    data = tomllib.loads(text)
    return {dotted(path): line for path, line in Layer("x", data, text).lines.items() if path}


def test_lines_of_every_way_to_write_a_key() -> None:
    text = '''# comment with [brackets] = and "quotes
a = 1
b.c = { d = 2, "e.f" = [3,
    4,  # comment ]
    { g = 5 }], h = """
[not.a.table]
x = 1""", i = \'\'\'
"\'\'\' }

[t]  # comment
"quoted key" = "a \\" # b"
\'literal\' = 'c:\\'
dates = [2021-05-25, 07:30:00, 1.5e3,
]

[[l]]
k = 1
[l.below]
k = 2
[other]
[[l]]
k = 3
[[l.m]]
n = 4
[t.later]
k = +inf
'''
    assert lines_of(text) == {
        "a": 2,
        "b": 3,
        "b.c": 3,
        "b.c.d": 3,
        'b.c."e.f"': 3,
        'b.c."e.f".0': 3,
        'b.c."e.f".1': 4,
        'b.c."e.f".2': 5,
        'b.c."e.f".2.g': 5,
        "b.c.h": 5,
        "b.c.i": 7,
        "t": 10,
        't."quoted key"': 11,
        "t.literal": 12,
        "t.dates": 13,
        "t.dates.0": 13,
        "t.dates.1": 13,
        "t.dates.2": 13,
        "l": 16,
        "l.0": 16,
        "l.0.k": 17,
        "l.0.below": 18,
        "l.0.below.k": 19,
        "other": 20,
        "l.1": 21,
        "l.1.k": 22,
        "l.1.m": 23,
        "l.1.m.0": 23,
        "l.1.m.0.n": 24,
        "t.later": 25,
        "t.later.k": 26,
    }


def all_paths(data: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    below = data.items() if isinstance(data, dict) else enumerate(data)
    found = set()
    for key, value in below:
        found.add((*path, key))
        if isinstance(value, dict | list):
            found |= all_paths(value, (*path, key))
    return found


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_every_key_of_a_scenario_file_has_its_line(path: Path) -> None:
    text = path.read_text()
    lines = dict(read_layers(path)[-1].lines)
    rows = text.split("\n")
    del lines[()]
    assert set(lines) == all_paths(tomllib.loads(text))
    for key, line in lines.items():
        if isinstance(key[-1], str):
            assert key[-1] in rows[line - 1]


NAMES = st.text("ab_-", min_size=1, max_size=3) | st.text(
    st.characters(blacklist_categories=["Cs", "Cc"]), max_size=3
)
VALUES = st.recursive(
    st.integers()
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.dates()
    | st.text(st.characters(blacklist_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


def as_toml(value: Any, newline: str) -> str:
    """A value in TOML: lists over several lines, texts with line ends as such."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, list):
        return f"[{newline}{f',{newline}'.join(as_toml(v, newline) for v in value)}]"
    if isinstance(value, dict):
        pairs = [
            f"{json.dumps(key, ensure_ascii=False)} = {as_toml(below, newline)}"
            for key, below in value.items()
        ]
        return f"{{{', '.join(pairs)}}}"
    return str(value)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=4), st.sampled_from(["", "\n", " # ]}\n"]))
def test_lines_are_found_for_every_key_of_any_toml(data: dict[str, Any], newline: str) -> None:
    rows = [
        f"{json.dumps(key, ensure_ascii=False)} = {as_toml(value, newline)}"
        for key, value in data.items()
    ]
    text = "\n".join(rows)
    parsed = tomllib.loads(text)
    lines = Layer("x", parsed, text).lines
    assert set(lines) - {()} == all_paths(parsed)
    expected = 1
    for key, row in zip(data, rows, strict=True):
        assert lines[key,] == expected
        expected += row.count("\n") + 1


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_dotted_path_splits_into_the_names_it_was_made_of(names: list[str]) -> None:
    assert split_key(dotted(names)) == tuple(names)
