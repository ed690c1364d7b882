"""Claims about comparisons: the same people on both sides, paired differences, what has changed."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from small_campaign import SMALL, small_scenario
from test_plots import texts

from sim.experiment.comparison import Comparison, comparison, scenario_changes
from sim.experiment.results import Run
from sim.experiment.runs import carry_out
from sim.experiment.settings import RunSettings, SettingsError
from sim.experiment.statistics import common_numbers_gain, mean_interval
from sim.model.records import REASONS
from sim.presentation import comparison_view
from sim.scenario import Scenario
from sim.scenario_files import file_data, load_scenario, scenario_from_data

SCENARIOS = Path(__file__).parent.parent / "scenarios"
N = 6

MORE_AGENTS = {"call_centre": {"pools": {"desk": {"agents": 4}}}}
ONE_DOSE = {"campaign": {"complete_with": "one_dose"}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")

    def made(name: str, scenario: Scenario, **settings: Any) -> Run:
        wanted = RunSettings(**{"replications": N, "workers": 1, **settings})
        return carry_out(scenario, wanted, folder / name)[0]

    later = small_scenario(ONE_DOSE)
    return {
        "base": made("base", small_scenario()),
        "agents": made("agents", small_scenario(MORE_AGENTS)),
        "one_dose": made("one_dose", later),
        "longer": made("longer", small_scenario(MORE_AGENTS), replications=N + 2),
        "seed": made("seed", small_scenario(), seed=2, replications=1),
        "until": made("until", small_scenario(), until=later.campaign.deadline, replications=1),
    }


@pytest.fixture(scope="module")
def compared(runs: dict[str, Run]) -> Comparison:
    return comparison({name: runs[name] for name in ("base", "agents", "one_dose")})


def row_of(compared: Comparison, name: str, measure: str) -> dict[str, Any]:
    found = compared.differences
    rows = found[(found["scenario"] == name) & (found["measure"] == measure)]
    assert len(rows) == 1
    return dict(rows.iloc[0])


# Differences ----------------------------------------------------------------------------------


def test_differences_are_those_of_the_same_replications(
    compared: Comparison, runs: dict[str, Run]
) -> None:
    a = runs["base"].table("replications")["calls_answered"]
    b = runs["agents"].table("replications")["calls_answered"]
    row = row_of(compared, "agents", "calls_answered")
    expected = mean_interval(b - a)
    assert row["base"] == pytest.approx(a.mean())
    assert row["value"] == pytest.approx(b.mean())
    assert (row["difference"], row["low"], row["high"]) == pytest.approx(
        (expected.mean, expected.low, expected.high)
    )
    assert row["pairs"] == N


def test_every_measure_has_a_difference(compared: Comparison, runs: dict[str, Run]) -> None:
    measures = list(runs["base"].table("replications").columns.drop("replication"))
    for name in ("agents", "one_dose"):
        rows = compared.differences[compared.differences["scenario"] == name]
        assert list(rows["measure"]) == measures


def test_a_scenario_differs_in_nothing_from_itself(runs: dict[str, Run]) -> None:
    same = comparison({"a": runs["base"], "b": runs["base"]})
    known = same.differences[same.differences["difference"].notna()]
    assert (known[["difference", "low", "high"]] == 0).all(axis=None)
    assert same.changes.empty


def test_what_the_change_does_not_touch_is_the_same_in_every_replication(
    compared: Comparison,
) -> None:
    # what counts as complete changes neither calls nor doses: the same people, the same luck
    for measure in ("calls_offered", "doses_administered", "mean_minutes_in_unit"):
        row = row_of(compared, "one_dose", measure)
        assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)


def test_persons_willing_are_the_same_persons_on_both_sides(compared: Comparison) -> None:
    found = compared.reasons
    unwilling = found[(found["reason"] == "unwilling") & (found["scenario"] == "agents")]
    assert (unwilling[["difference", "low", "high"]] == 0).all(axis=None)
    assert (unwilling["persons"] > 0).all()


def test_reasons_of_every_scenario_sum_to_its_target(compared: Comparison) -> None:
    sums = compared.reasons.groupby(["scenario", "scope"])["persons"].sum()
    assert len(sums) == 6
    assert np.allclose(sums, 1000)
    differences = compared.reasons.groupby(["scenario", "scope"])["difference"].sum()
    assert np.allclose(differences, 0)


def test_a_day_not_reached_every_time_has_no_mean(compared: Comparison) -> None:
    # no second dose is due before 17 June, and there are not doses enough for all
    row = row_of(compared, "agents", "completion_day")
    assert math.isnan(row["base"])
    assert math.isnan(row["difference"])


def test_days_are_compared_by_the_calendar(tmp_path: Path) -> None:
    # Starting three days earlier with nothing else changed reaches the goal on the same date:
    # three days more after the earlier first day, and a difference of none
    change = {"campaign": {"first_day": SMALL["campaign"]["first_day"].replace(month=5, day=29)}}
    settings = RunSettings(replications=2, workers=1)
    easy = {"campaign": {"coverage_goal": 0.32}}
    runs = {
        "late": carry_out(small_scenario(easy), settings, tmp_path / "a")[0],
        "early": carry_out(
            small_scenario({"campaign": {**easy["campaign"], **change["campaign"]}}),
            settings,
            tmp_path / "b",
        )[0],
    }
    row = row_of(comparison(runs), "early", "first_dose_goal_day")
    assert row["value"] == row["base"] + 3
    assert (row["difference"], row["low"], row["high"]) == (0, 0, 0)


def test_only_the_replications_of_both_are_compared(runs: dict[str, Run]) -> None:
    assert comparison({"a": runs["base"], "b": runs["longer"]}).replications == N
    short = comparison({"a": runs["base"], "b": runs["longer"]}, 3)
    assert set(short.differences["pairs"]) <= {0, 1, 2, 3}
    assert short.coverage("first")["replication"].max() == 2
    assert row_of(short, "b", "calls_offered")["pairs"] == 3


@pytest.mark.parametrize(
    ("names", "replications", "message"),
    [
        (("base",), None, "two scenarios or more"),
        (("base", "seed"), None, "base has seed 1 and seed has seed 2"),
        (("base", "until"), None, "base is simulated to the horizon and until to 2021-06-20"),
        (("base", "agents"), N + 1, f"base has {N} replications, fewer than the {N + 1}"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(
    runs: dict[str, Run], names: tuple[str, ...], replications: int | None, message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        comparison({name: runs[name] for name in names}, replications)
    assert message in str(caught.value)


# The gain from common random numbers ----------------------------------------------------------


def test_independent_samples_gain_nothing_and_equal_halves_gain_what_they_share() -> None:
    generator = np.random.default_rng(1)
    shared, a, b = generator.normal(size=(3, 20_000))
    # a variance of 20,000 values has a standard error of 1 %, so the gain of at most 1.4 %
    assert common_numbers_gain(a, b).mean == pytest.approx(1, rel=0.05)
    # Var(3s+a) + Var(3s+b) = 20, Var(b - a) = 2
    assert common_numbers_gain(3 * shared + a, 3 * shared + b).mean == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize(("share", "sd"), [(0.0, 1.0), (3.0, 1.0), (3.0, 2.0)])
def test_interval_of_the_gain_holds_the_truth_in_95_of_100_samples(share: float, sd: float) -> None:
    generator = np.random.default_rng(7)
    truth = (share**2 + 1 + share**2 + sd**2) / (1 + sd**2)
    inside, trials = 0, 2000
    for _ in range(trials):
        shared, a, b = generator.normal(size=(3, 8))
        found = common_numbers_gain(share * shared + a, share * shared + sd * b)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
    # two standard errors of 2,000 trials are 1 percentage point
    assert 0.93 <= inside / trials <= 0.97


def test_gain_where_it_cannot_be_known() -> None:
    assert common_numbers_gain([1, 1, 1], [2, 2, 2]).mean is None  # nothing varies
    assert common_numbers_gain([1, 2, 3], [2, 3, 4]).mean == math.inf  # the difference never does
    assert common_numbers_gain([1], [2]).mean is None
    two = common_numbers_gain([1, 2], [2, 4])
    assert two.mean is not None
    assert two.low is None
    assert common_numbers_gain([1, 2, math.nan, 4], [2, 3, 4, 9]).n == 3
    with pytest.raises(ValueError, match="pairs need equal lengths"):
        common_numbers_gain([1, 2], [1])


def test_independent_replications_are_those_of_the_measured_gain(
    compared: Comparison, runs: dict[str, Run]
) -> None:
    pair = [runs[name].table("replications")["calls_answered"] for name in ("base", "agents")]
    gain = common_numbers_gain(*pair)
    assert gain.mean is not None
    row = row_of(compared, "agents", "calls_answered")
    assert row["independent"] == math.ceil(N * gain.mean)
    assert row["independent_low"] <= row["independent"] <= row["independent_high"]


# What has changed -----------------------------------------------------------------------------


def test_changes_are_named_by_the_paths_of_scenario_files() -> None:
    other = small_scenario(
        {
            **MORE_AGENTS,
            "deliveries": {"third": {"vaccine": "az", "arrives": "2021-06-18", "doses": 50}},
            "groups": {"late": {"willing": 0.8}},
            "title": "Another title is no change",
        }
    )
    assert [change[0] for change in scenario_changes(small_scenario(), other)] == [
        "groups.late.willing",
        "call_centre.pools.desk.agents",
        "deliveries.third",
    ]
    changes = {path: values for path, *values in scenario_changes(small_scenario(), other)}
    assert changes["groups.late.willing"] == ["0.9", "0.8"]
    assert changes["deliveries.third"][0] == ""
    assert changes["deliveries.third"][1].startswith('{ vaccine = "az"')
    assert scenario_changes(other, small_scenario())[-1][2] == ""


def test_change_of_a_unit_type_is_told_once_and_not_for_each_unit() -> None:
    staff = {"hall": {"stations": {"vaccination": {"staff": 3}}}}
    assert scenario_changes(small_scenario(), small_scenario({"unit_types": staff})) == [
        ("unit_types.hall.stations.vaccination.staff", "2", "3")
    ]


def test_change_of_one_unit_is_told_of_that_unit() -> None:
    staff = {"north": {"stations": {"vaccination": {"staff": 3}}}}
    assert scenario_changes(small_scenario(), small_scenario({"units": staff})) == [
        ("units.north.stations.vaccination.staff", "2", "3")
    ]


def test_another_distribution_is_one_change() -> None:
    other = small_scenario({"call_centre": {"patience_minutes": 3.0}})
    (change,) = scenario_changes(small_scenario(), other)
    assert change[0] == "call_centre.patience_minutes"
    assert 'distribution = "exponential"' in change[1]
    assert 'distribution = "constant"' in change[2]


def test_order_of_stations_is_a_change() -> None:
    data = file_data(small_scenario())
    hall = data["unit_types"]["hall"]
    names = ["vaccination", "registration", "observation"]
    hall["stations"] = {name: hall["stations"][name] for name in names}
    assert scenario_changes(small_scenario(), scenario_from_data(data)) == [
        (
            "unit_types.hall.stations",
            '["registration", "vaccination", "observation"]',
            '["vaccination", "registration", "observation"]',
        )
    ]


def test_items_of_lists_of_tables_are_compared_one_by_one() -> None:
    waves = [{"opens": SMALL["campaign"]["first_day"], "share": 1.0, "mean_days": 4.0}]
    other = small_scenario({"groups": {"late": {"first_calls": waves}}})
    assert scenario_changes(small_scenario(), other) == [
        ("groups.late.first_calls.0.mean_days", "3.0", "4.0")
    ]


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_data_of_a_scenario_give_the_scenario_back(path: Path) -> None:
    scenario = load_scenario(path)
    data = file_data(scenario)
    assert scenario_from_data(data) == scenario
    assert scenario_from_data(json.loads(json.dumps(data))) == scenario


# Words and pictures ---------------------------------------------------------------------------


def test_text_names_changes_differences_gain_and_reasons(compared: Comparison) -> None:
    text = comparison_view.comparison_text(compared)
    assert f"{N} replications of each with seed 1: the same people" in text
    assert "call_centre.pools.desk.agents  2  ->  4" in " ".join(text.split("\n"))
    assert "the difference of agents from base" in text
    assert "the difference of one_dose from base" in text
    assert f"instead of {N}" in text
    assert "known only roughly" in text
    assert text.count(REASONS["unwilling"]) == 2  # first dose, fully vaccinated


def test_one_replication_has_differences_without_intervals(runs: dict[str, Run]) -> None:
    one = comparison({"a": runs["base"], "b": runs["agents"]}, 1)
    text = comparison_view.comparison_text(one)
    assert "one replication" in text
    assert "unknown here" in text
    data = comparison_view.comparison_data(one)
    assert all(row["low"] is None for row in data["differences"] if row["pairs"] == 1)
    json.dumps(data, allow_nan=False)


@pytest.fixture(scope="module")
def figures(compared: Comparison) -> dict[str, Figure]:
    return dict(comparison_view.pictures(compared))


def test_pictures_name_every_scenario(figures: dict[str, Figure]) -> None:
    assert list(figures) == ["coverage", "reasons"]
    for figure in figures.values():
        FigureCanvasAgg(figure).draw()
        assert {"base", "agents", "one_dose"} <= set(texts(figure))


def test_bars_of_a_scenario_are_as_long_as_its_target(figures: dict[str, Figure]) -> None:
    for axes in figures["reasons"].axes:
        ends: dict[float, float] = {}
        for bar in axes.patches:
            centre = bar.get_y() + bar.get_height() / 2
            ends[centre] = max(ends.get(centre, 0), bar.get_x() + bar.get_width())
        assert list(ends.values()) == pytest.approx([1000] * 3)


def test_curves_end_at_the_coverage_of_the_run(
    figures: dict[str, Figure], runs: dict[str, Run]
) -> None:
    curve = figures["coverage"].axes[0].lines[0]
    last = runs["base"].table("replications")["first_doses_by_end"] / 1000
    assert np.asarray(curve.get_ydata())[-1] == pytest.approx(np.median(last))
