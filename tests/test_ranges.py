"""Claims about `[ranges]` and `[not_varied]`: what files say, what is inherited, what is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sim.experiment.results import scenario_digest
from sim.scenario_files import (
    ScenarioError,
    Varied,
    load_scenario,
    raw_scenario,
    source_of,
    varied,
    with_values,
)

PLAN = Path(__file__).parent.parent / "scenarios" / "plan.toml"
LIKELY = PLAN.with_name("likely.toml")
REDIAL = "call_centre.redial_probability"
AGENTS = "call_centre.pools.*.agents"
Upon = Callable[[str], Path]


@pytest.fixture
def upon_plan(tmp_path: Path) -> Upon:
    """Writes a file that extends the plan."""
    shutil.copy(PLAN, tmp_path)

    def write(text: str) -> Path:
        path = tmp_path / "what_if.toml"
        path.write_text(f'extends = "plan.toml"\n{text}', encoding="utf-8")
        return path

    return write


def ranges(path: Path, *overrides: str) -> dict[str, Varied]:
    return {found.pattern: found for found in varied(raw_scenario(path, overrides))}


# What the scenarios of the project say --------------------------------------------------------


def test_every_assumed_number_of_the_plan_has_a_range_or_a_reason_for_none() -> None:
    scenario, raw = load_scenario(PLAN), raw_scenario(PLAN)
    within = {path for found in varied(raw) for path in found.values}
    numbers = _numbers({key: raw[key] for key in raw if key not in ("ranges", "not_varied")})
    assumed = {path for path in numbers if (source_of(scenario, path) or "").startswith("assumed")}
    assert len(assumed) > 30  # the test looks at something
    bare = scenario.model_copy(update={"sources": scenario.not_varied})
    assert [path for path in sorted(assumed - within) if not source_of(bare, path)] == []


def _numbers(data: Any, path: str = "") -> list[str]:
    if isinstance(data, dict):
        return [p for key, below in data.items() for p in _numbers(below, f"{path}.{key}")]
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return [p for i, below in enumerate(data) for p in _numbers(below, f"{path}.{i}")]
    is_number = isinstance(data, int | float) and not isinstance(data, bool)
    return [path.removeprefix(".")] if is_number else []


@pytest.mark.parametrize("path", [PLAN, LIKELY], ids=lambda path: path.stem)
def test_both_ends_of_every_range_make_a_scenario(path: Path) -> None:
    raw = raw_scenario(path)
    found = varied(raw)
    assert found
    for each in found:
        for share in (0.0, 1.0):
            with_values(raw, each.at(share))


def test_ranges_change_no_digest(upon_plan: Upon) -> None:
    # runs that were made before a range was given stay valid
    text = f'[ranges]\n"{REDIAL}" = {{ low = 0.1, high = 1.0, source = "counted" }}\n'
    assert scenario_digest(load_scenario(upon_plan(text))) == scenario_digest(load_scenario(PLAN))


# Values within ranges -------------------------------------------------------------------------


def test_numbers_of_one_pattern_move_together() -> None:
    found = ranges(PLAN)["groups.*.telephone_share"]
    assert found.values == {
        "groups.thai.telephone_share": 0.5,
        "groups.migrant.telephone_share": 0.4,
    }
    # 0.2 + 0.5 x (1.0 - 0.2) = 0.6
    assert set(found.at(0.5).values()) == {0.6}


def test_relative_range_multiplies_each_number_and_rounds_people() -> None:
    # 20, 12 and 8 agents from half to three times; at 0.3: 0.5 + 0.3 x 2.5 = 1.25 times
    found = ranges(PLAN)[AGENTS]
    assert list(found.at(0.0).values()) == [10, 6, 4]
    assert list(found.at(0.3).values()) == [25, 15, 10]
    assert list(found.at(1.0).values()) == [60, 36, 24]
    assert all(isinstance(number, int) for number in found.at(0.3).values())


def test_whole_numbers_have_equal_parts_of_their_range() -> None:
    # 0, 1 and 2 extra doses: a third each
    found = ranges(PLAN)["vaccines.astrazeneca.extra_doses_per_vial"]
    taken = [next(iter(found.at(share).values())) for share in (0, 0.33, 0.34, 0.66, 0.67, 1)]
    assert taken == [0, 0, 1, 1, 2, 2]


def test_values_set_are_those_of_overrides() -> None:
    values = {
        "call_centre.patience_minutes.mean": 7.0,
        "groups.thai.first_calls.1.mean_days": 3.0,
        "appointments.waiting_tolerance_minutes": 60.0,
        "unit_types.hospital.stations.vaccination.staff": 5,
    }
    plain = with_values(raw_scenario(PLAN), values)
    override = load_scenario(PLAN, [f"{path}={value}" for path, value in values.items()])
    about = {"sources": {}, "ranges": {}, "not_varied": {}}
    assert plain.model_copy(update=about) == override.model_copy(update=about)
    assert plain.units["hospital_01"].stations["vaccination"].staff == 5


# Inheritance ----------------------------------------------------------------------------------


def test_what_a_file_or_an_override_sets_has_no_range_any_more(upon_plan: Upon) -> None:
    path = upon_plan("[call_centre]\nredial_probability = 0.6\npools.thai.agents = 30\n")
    found = ranges(path, "call_centre.lines=90")
    assert REDIAL not in found
    assert "call_centre.lines" not in found
    assert set(found[AGENTS].values) == {
        "call_centre.pools.bilingual.agents",
        "call_centre.pools.burmese.agents",
    }
    reasons = load_scenario(path, ["call_centre.lines=90"]).not_varied
    assert reasons[REDIAL] == "set in what_if.toml"
    assert reasons["call_centre.lines"] == "set by --set"


def test_a_file_that_sets_a_value_can_give_its_range(upon_plan: Upon) -> None:
    text = "[call_centre]\nredial_probability = 0.3\n[ranges]\n"
    path = upon_plan(text + f'"{REDIAL}" = {{ low = 0.2, high = 0.4, source = "counted" }}\n')
    assert ranges(path)[REDIAL].at(1.0) == {REDIAL: 0.4}


def test_a_file_can_change_one_end_of_a_range(upon_plan: Upon) -> None:
    path = upon_plan(f'[ranges]\n"{REDIAL}".high = 0.8\n')
    found = ranges(path)[REDIAL].range
    assert (found.low, found.high) == (0.5, 0.8)


def test_a_range_lifts_the_reason_for_none_of_a_file_below(tmp_path: Path) -> None:
    shutil.copy(PLAN, tmp_path)
    (tmp_path / "middle.toml").write_text(
        'extends = "plan.toml"\n[call_centre]\nredial_probability = 0.6\n'
    )
    top = tmp_path / "top.toml"
    given = f'[ranges]\n"{REDIAL}" = {{ low = 0.5, high = 0.7, source = "counted" }}\n'
    top.write_text(f'extends = "middle.toml"\n{given}')
    assert REDIAL not in ranges(tmp_path / "middle.toml")
    assert REDIAL in ranges(top)


def test_the_most_specific_of_ranges_and_reasons_holds(upon_plan: Upon) -> None:
    path = upon_plan('[not_varied]\n"groups.thai.telephone_share" = "counted"\n')
    found = ranges(path)["groups.*.telephone_share"]
    assert list(found.values) == ["groups.migrant.telephone_share"]


# What is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[ranges]\n"call_centre.line" = { low = 1, high = 2, source = "x" }',
            ':3: ranges."call_centre.line": matches no value; did you mean call_centre.lines?',
        ),
        (
            '[ranges]\n"call_centre.lines" = { low = 1, high = 2, source = "x" }',
            "call_centre.lines = 120 must lie in its range, between 1 and 2",
        ),
        (
            '[ranges]\n"call_centre.lines" = { low = 5, high = 2, source = "x" }',
            ':3: ranges."call_centre.lines".low = 5: must be below high, 2',
        ),
        (
            '[ranges]\n"call_centre.lines" = { low = 5.5, high = 200.0, source = "x" }',
            "call_centre.lines is a whole number, so must be the ends of its range",
        ),
        (
            '[ranges]\n"call_centre.lines" = { relative=true, low = 1.5, high = 2, source = "x" }',
            "low must not be above 1",
        ),
        (
            '[ranges]\n"campaign.deadline" = { low = 1, high = 2, source = "x" }',
            "campaign.deadline = 2021-08-14 is no number: only numbers can have a range",
        ),
        (
            '[ranges]\n"call_centre.answer_target_seconds" = { low = 5, high = 200 }',
            'answer_target_seconds".source: is missing',
        ),
        ('[ranges]\n"call_centre.lines" = [5, 200]', "= [5, 200]: must be a table"),
        (
            '[ranges]\n"call_centre.lines" = { low = 5, hi = 200, source = "x" }',
            ".hi = 200: is no known key; did you mean high?",
        ),
        ("ranges = 3", ":2: ranges = 3: must be a table"),
        ('[not_varied]\n"call_centre.lins" = "x"', "did you mean call_centre.lines?"),
        ('[not_varied]\n"call_centre.lines" = 3', "must be text in quotes"),
    ],
)
def test_wrong_range_is_told_with_its_place_and_the_remedy(
    upon_plan: Upon, text: str, said: str
) -> None:
    with pytest.raises(ScenarioError) as refusal:
        load_scenario(upon_plan(text))
    (problem,) = refusal.value.problems
    assert said in str(problem)


def test_wrong_range_of_an_override_is_told() -> None:
    with pytest.raises(ScenarioError, match=r"must lie in its range, between 0\.8 and 0\.9"):
        load_scenario(PLAN, [f'ranges."{REDIAL}".low=0.8'])


def test_a_value_that_is_wrong_itself_is_told_once(upon_plan: Upon) -> None:
    with pytest.raises(ScenarioError) as refusal:
        load_scenario(upon_plan("[call_centre]\nlines = -3\n"))
    assert len(refusal.value.problems) == 1
