"""Claims about Sobol' indices and about `vaxsim sensitivity`."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomlkit
from scipy.stats import qmc, uniform
from scipy.stats import sobol_indices as scipy_indices
from small_campaign import SMALL, small_scenario
from typer.testing import CliRunner

from sim.cli import app
from sim.experiment.sensitivity import (
    Question,
    SensitivityError,
    _Samples,
    find,
    make_question,
)
from sim.experiment.settings import RunSettings
from sim.experiment.sources import Source
from sim.experiment.statistics import sobol_indices
from sim.experiment.study import StudyPlan
from sim.experiment.trials import Trials
from sim.presentation.study_views import study_text
from sim.scenario import merge
from sim.scenario_files import with_values

COVERAGE = "first_dose_coverage_by_deadline"
CALLS = "attempts_per_booking"
WILLING = "groups.late.willing"
IDLE = {
    "call_centre.answer_target_seconds": (10.0, 60.0),  # says what counts as answered in time
    "appointments.rebook_after_no_show": (0.1, 0.9),  # nobody fails to show up
}


def small(found: dict[str, tuple[float, float]], **more: Any) -> dict[str, Any]:
    """Data of the small campaign, with doses and calls in plenty, and ranges."""
    plenty = {
        "deliveries": {"first": {"doses": 2000}},
        "appointments": {"no_show": 0.0},
        "call_centre": {
            "answer_target_seconds": 20.0,
            "pools": {"desk": {"agents": 40}},
            "lines": 60,
        },
        "campaign": {"deadline": SMALL["campaign"]["horizon"]},
    }
    ranges = {
        path: {"low": low, "high": high, "source": "assumed"} for path, (low, high) in found.items()
    }
    data = merge(copy.deepcopy(SMALL), plenty)
    return merge(data, {"ranges": ranges, **more})


def answered(question: Question, workers: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
    with Trials(RunSettings(workers=workers, seed=question.seed)) as trials:
        return find(question, trials)


# The indices ----------------------------------------------------------------------------------


def ishigami(points: np.ndarray) -> np.ndarray:
    x = np.pi * (2 * points - 1)
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


def simulated(function: Any, factors: int, rows: int, groups: list[list[int]]) -> tuple[Any, ...]:
    both = qmc.Sobol(2 * factors, rng=1).random(rows)
    a, b = both[:, :factors], both[:, factors:]
    mixed = []
    for group in groups:
        taken = a.copy()
        taken[:, group] = b[:, group]
        mixed.append(function(taken))
    return function(a), function(b), np.array(mixed)


def test_indices_of_the_ishigami_function_are_the_known_ones() -> None:
    # Ishigami and Homma (1990), a = 7, b = 0.1: with V = a²/8 + b pi⁴/5 + b² pi⁸/18 + 1/2,
    # V1 = (1 + b pi⁴/5)²/2, V2 = a²/8, V13 = b² pi⁸ (1/18 - 1/50)
    v1, v2, v13 = (1 + math.pi**4 / 50) ** 2 / 2, 49 / 8, 0.01 * math.pi**8 * (1 / 18 - 1 / 50)
    v = v1 + v2 + v13
    found = sobol_indices(*simulated(ishigami, 3, 4096, [[0], [1], [2]]))
    assert [each.first.mean for each in found] == pytest.approx([v1 / v, v2 / v, 0], abs=0.02)
    assert [each.total.mean for each in found] == pytest.approx(
        [(v1 + v13) / v, v2 / v, v13 / v], abs=0.02
    )
    for each, exact in zip(found, (v1 / v, v2 / v, 0), strict=True):
        assert each.first.low is not None
        assert each.first.high is not None
        assert each.first.low <= exact <= each.first.high
    assert found[1].foremost > 0.99


def test_indices_are_those_of_scipy() -> None:
    # SciPy draws its own samples: with the same ones, the same estimates
    theirs = scipy_indices(
        func=lambda x: ishigami(x.T), n=256, dists=[uniform(0, 1)] * 3, rng=np.random.default_rng(5)
    )
    function = {"a": theirs._A, "b": theirs._B, "ab": theirs._AB}
    f_ab = [ishigami(function["ab"][i].T) for i in range(3)]
    found = sobol_indices(ishigami(function["a"].T), ishigami(function["b"].T), f_ab)
    assert [each.first.mean for each in found] == pytest.approx(theirs.first_order)
    assert [each.total.mean for each in found] == pytest.approx(theirs.total_order)


def test_indices_of_a_group_hold_the_interactions_within_it() -> None:
    # x1 and x3 together have V1 + V13, all of it in the first-order index of the group
    found = sobol_indices(*simulated(ishigami, 3, 4096, [[0, 2], [1]]))
    assert [each.first.mean for each in found] == pytest.approx([0.5576, 0.4424], abs=0.02)
    assert [each.total.mean for each in found] == pytest.approx([0.5576, 0.4424], abs=0.02)


def test_what_never_varies_has_indices_of_zero() -> None:
    (found,) = sobol_indices(np.ones(8), np.ones(8), [np.ones(8)])
    assert (found.first.mean, found.total.mean, found.first.high) == (0, 0, 0)


# The study ------------------------------------------------------------------------------------


Answer = tuple[dict[str, Any], dict[str, Any]]
ROWS, SCREENED = 4, 2


@pytest.fixture(scope="module")
def willing() -> Iterator[Answer]:
    """One number that matters, two that do not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim.experiment.sensitivity.SCREENING_ROWS", SCREENED)
        data = small({WILLING: (0.2, 0.9), **IDLE})
        yield answered(make_question(data, [COVERAGE], samples=ROWS))


TWO = small({WILLING: (0.2, 0.9), "call_centre.lines": (1, 60)})


@pytest.fixture(scope="module")
def two() -> Answer:
    """Two numbers that matter, of two measures."""
    return answered(make_question(TWO, [COVERAGE, CALLS], samples=2, replications=2))


def test_where_one_parameter_alone_can_matter_it_explains_everything(willing: Answer) -> None:
    answer, tables = willing
    indices = tables["indices"].set_index("factor")
    assert answer["measure_first"][COVERAGE]["factor"] == WILLING
    assert answer["measure_first"][COVERAGE]["rivals"] == []
    assert answer["followed"] == [WILLING]
    # Nothing else changes a single person: the index of the two others is exactly 0. Coverage is a
    # straight line of the willing, so the estimates are those of a line at the same rows.
    (line,) = sobol_indices(*simulated(lambda points: points[:, 0], 3, ROWS, [[0]]), seed=1)
    assert indices.loc["the other 2 together", ["first", "total"]].tolist() == [0, 0]
    assert indices.loc[WILLING, "total"] == pytest.approx(line.total.mean, rel=0.1)
    assert indices.loc[WILLING, "first"] == pytest.approx(line.first.mean, rel=0.1)
    assert indices.loc[WILLING, "foremost"] == 1


def test_coverage_moves_by_as_much_as_the_willing(willing: Answer) -> None:
    # 600 of 1,000 people are willing with the share that varies: from 0.2 to 0.9 is 0.42 of all
    tornado = willing[1]["tornado"].set_index("factor")
    swing = tornado["at_high"] - tornado["at_low"]
    assert swing[WILLING] == pytest.approx(0.42, abs=0.05)
    assert (swing.drop(WILLING) == 0).all()
    assert tornado.loc[WILLING, ["low", "value", "high"]].tolist() == ["0.2", "0.9", "0.9"]


def test_luck_is_a_factor_where_deliveries_are_uncertain(tmp_path: Path) -> None:
    # most doses come on any day from the first to beyond the last: how many are vaccinated depends
    # on that day, and on nothing that has a range
    late = {"distribution": "uniform", "low": 0.0, "high": 27.0}
    data = merge(small(IDLE), {"deliveries": {"first": {"doses": 600, "delay_days": late}}})
    question = make_question(data, [COVERAGE], samples=ROWS)
    assert question.names == [*IDLE, "luck"]
    answer, tables = answered(question)
    indices = tables["indices"].set_index("factor")
    assert indices.loc["luck", "total"] > 0.9
    assert (indices.drop("luck")["total"].abs() < 0.1).all()
    assert answer["measure_first"][COVERAGE]["factor"] in IDLE  # not what nobody can measure
    source = Source.of(small_scenario())
    plan = StudyPlan("sensitivity", source, RunSettings(), question.as_json(), tmp_path / "study")
    assert "luck was varied, too: alone it explains" in study_text(plan.write(answer, tables))
    assert "luck" not in make_question(TWO, [COVERAGE], samples=2).names


def test_tornado_is_what_the_scenarios_give_when_simulated_alone(two: Answer) -> None:
    tornado = two[1]["tornado"].set_index(["measure", "factor"])
    row = tornado.loc[(CALLS, "call_centre.lines")]
    with Trials(RunSettings(workers=1)) as trials:
        alone = trials.measures(with_values(TWO, {"call_centre.lines": 1}), range(2))
    assert row["at_low"] == alone[CALLS].mean()


def test_what_was_screened_is_not_simulated_again(willing: Answer) -> None:
    factors = 1 + len(IDLE)
    tornado, screening, rest = 1 + 2 * factors, factors * SCREENED, (ROWS - SCREENED) + ROWS
    assert willing[0]["points"] == tornado + 2 * ROWS + screening + rest


def test_answer_depends_on_the_seed_alone(two: Answer) -> None:
    question = make_question(TWO, [COVERAGE, CALLS], samples=2, replications=2)
    answer, tables = answered(question, workers=2)
    assert answer == two[0]
    for name, table in two[1].items():
        assert table.equals(tables[name]), name
    other = _Samples.drawn(replace(question, seed=2))
    assert not np.array_equal(other.a, _Samples.drawn(question).a)


def test_nothing_matters_where_nothing_can() -> None:
    answer, tables = answered(make_question(small(IDLE), [COVERAGE], samples=2))
    assert answer["measure_first"][COVERAGE] is None
    assert (tables["indices"]["total"] == 0).all()


def test_shares_that_cannot_be_in_truth_are_said_to_be_rough(two: Answer, tmp_path: Path) -> None:
    # two rows: of one measure a share "with others" may come out below that "alone"
    question = make_question(TWO, [COVERAGE, CALLS], samples=2, replications=2)
    plan = StudyPlan(
        "sensitivity", Source.of(small_scenario()), RunSettings(), question.as_json(), tmp_path
    )
    answer, tables = two
    for total, rough in ((0.1, True), (0.9, False)):
        indices = tables["indices"].assign(first=0.5, total=total)
        said = study_text(plan.write(answer, {**tables, "indices": indices}))
        assert ("nothing explains less with others than alone" in said) == rough


# What is refused ------------------------------------------------------------------------------


def test_a_scenario_without_ranges_is_refused() -> None:
    with pytest.raises(SensitivityError, match=r"gives no ranges: say in a table \[ranges\]"):
        make_question(small({}), [COVERAGE])


def test_samples_that_are_not_balanced_are_refused() -> None:
    with pytest.raises(SensitivityError, match=r"--samples 12: .* 2, 4, 8"):
        make_question(small(IDLE), [COVERAGE], samples=12)


def test_a_range_at_whose_end_the_scenario_cannot_be_is_named() -> None:
    with pytest.raises(SensitivityError) as refusal:
        make_question(small({WILLING: (0.5, 1.5)}), [COVERAGE])
    said = str(refusal.value)
    assert f'ranges."{WILLING}": at its high end, {WILLING} = 1.5, the scenario cannot be' in said
    assert "must be a finite number between 0 and 1" in said


def test_ranges_that_cannot_be_together_are_named_with_the_point() -> None:
    # either end is possible with the other number as it is, but not 20 days at least before 14
    path = "regimens.az_az"
    data = small({f"{path}.min_days": (60, 100), f"{path}.target_days": (70, 110)})
    data = merge(data, {"regimens": {"az_az": {"min_days": 65, "target_days": 105}}})
    with pytest.raises(SensitivityError, match="cannot be together") as refusal:
        answered(make_question(data, [COVERAGE], samples=16))
    assert f"at the point {path}.min_days = " in str(refusal.value)


def test_a_measure_without_value_is_refused() -> None:
    with pytest.raises(SensitivityError, match="--measure completion_day: it has no value"):
        answered(make_question(small(IDLE), ["completion_day"], samples=2))


# The command ----------------------------------------------------------------------------------


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(tomlkit.dumps(small({WILLING: (0.2, 0.9), **IDLE})))
    return path


def test_command_says_what_to_measure_first_and_finds_its_study_again(scenario: Path) -> None:
    command = ["sensitivity", str(scenario), "--samples", "2", "--workers", "1"]
    first = CliRunner().invoke(app, [*command, "--measure", COVERAGE])
    assert first.exit_code == 0, first.output
    warning, answer = first.output.splitlines()[:2]  # two rows are too few for intervals
    assert warning.startswith("With --samples 2 the shares of the variance are guesses")
    assert warning.endswith("take 64 or more.")
    assert answer.startswith(f"Measure {WILLING} first: alone it explains ")
    assert "This study had been made before" not in first.output
    again = CliRunner().invoke(app, [*command, "--measure", COVERAGE])
    assert "This study had been made before" in again.output
    shown = json.loads(CliRunner().invoke(app, [*command, "--measure", COVERAGE, "--json"]).output)
    assert shown["answer"]["measure_first"][COVERAGE]["factor"] == WILLING
    pictures = [Path(name) for name in shown["pictures"]]
    assert {path.stem for path in pictures} == {f"indices_{COVERAGE}", f"tornado_{COVERAGE}"}
    assert all(path.stat().st_size > 1000 for path in pictures)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--samples", "5"], "--samples 5: the samples are balanced for 2, 4, 8"),
        (["--samples", "131072"], "128, ..., 65,536"),
        (["--measure", "coverage"], "--measure coverage: there is no such measure"),
        (["--until", "2031-01-01"], "until must lie between"),
        (["--set", "groups.late.willing=2"], "groups.late.willing = 2: must be"),
        (["--measure", "completion_day"], "it has no value in the scenario as it is"),
    ],
)
def test_wrong_command_is_refused_and_leaves_nothing(
    scenario: Path, options: list[str], said: str
) -> None:
    found = CliRunner().invoke(app, ["sensitivity", str(scenario), "--workers", "1", *options])
    assert found.exit_code == 2
    assert said in found.stderr
    assert not (scenario.parent / "runs").exists()
