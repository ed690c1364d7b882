"""The benchmark: what it measures is what it says. How fast that is, no test says."""

import json
from datetime import date
from pathlib import Path

import pytest
import tomlkit
from small_campaign import SMALL, small_scenario
from typer.testing import CliRunner

from sim.cli import app
from sim.engine import get_engine
from sim.experiment.benchmark import MOST_ATTEMPTS, Figure, overwhelmed
from sim.experiment.growth import grown
from sim.experiment.run_speed import cluster_installed, cost_of_run
from sim.experiment.runs import carry_out
from sim.experiment.settings import RunSettings, available_cores
from sim.model.campaign import simulate
from sim.presentation.benchmark_table import benchmark_text
from sim.scenario import AlreadyVaccinated, Scenario

PLAN = Path(__file__).parent.parent / "scenarios" / "plan.toml"


@pytest.fixture
def scenario_file(tmp_path: Path) -> str:
    path = tmp_path / "small.toml"
    path.write_text(tomlkit.dumps(SMALL), encoding="utf-8")
    return str(path)


def with_everything_that_grows() -> Scenario:
    """Shifts, people vaccinated before, fixed shares and an announcement besides."""
    small = small_scenario()
    units = list(small.units)
    before = AlreadyVaccinated(
        people=10,
        doses=1,
        regimen="az_az",
        first_dose_from=date(2021, 5, 1),
        first_dose_to=date(2021, 5, 3),
    )
    early = small.groups["early"].model_copy(update={"already_vaccinated": [before]})
    shares = {name: 1 / len(units) for name in units}
    supply = small.supply.model_copy(update={"allocation": "fixed_shares", "fixed_shares": shares})
    return small.model_copy(update={"groups": {**small.groups, "early": early}, "supply": supply})


def test_grown_once_is_the_scenario_itself() -> None:
    scenario = with_everything_that_grows()
    assert grown(scenario, 1) == scenario


def test_growth_multiplies_the_province_and_keeps_each_unit() -> None:
    small = with_everything_that_grows()
    large = grown(small, 3)
    assert large.target == 3 * small.target == 3000
    assert large.campaign.population == 3 * small.campaign.population
    assert large.campaign.vaccinated_before == 3 * small.campaign.vaccinated_before
    assert large.groups["early"].already_vaccinated[0].people == 30
    assert large.call_centre.lines == 3 * small.call_centre.lines
    for name, pool in small.call_centre.pools.items():
        assert large.call_centre.pools[name].agents == 3 * pool.agents
    assert large.other_channels.bookings_per_day == 3 * small.other_channels.bookings_per_day
    for name, delivery in small.deliveries.items():
        assert large.deliveries[name].doses == 3 * delivery.doses
        assert large.deliveries[name].announced_doses is None  # as before: what `doses` says
    assert len(large.units) == 3 * len(small.units)
    for name, unit in small.units.items():
        assert large.units[name] == large.units[f"{name}.2"] == large.units[f"{name}.3"] == unit
    assert sum(large.supply.fixed_shares.values()) == pytest.approx(1)
    assert set(large.supply.fixed_shares) == set(large.units)
    # What is said per person or per unit stays.
    assert large.unit_types == small.unit_types
    assert large.appointments == small.appointments
    assert large.districts == small.districts


def test_growth_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="by 1 time or more, not by 0"):
        grown(small_scenario(), 0)


def test_grown_campaign_vaccinates_so_many_times_as_many_people() -> None:
    # The same doses per head, so the same share gets one; by chance a little more or less.
    small, large = (
        simulate(grown(small_scenario(), times), get_engine("compiled"), seed=1, replication=0)
        for times in (1, 4)
    )
    given = small["daily"]["administered"].sum()
    assert large["daily"]["administered"].sum() == pytest.approx(4 * given, rel=0.1)


def test_overwhelmed_telephones_have_20_agents_and_callers_who_hardly_give_up() -> None:
    from sim.scenario_files import load_scenario

    centre = overwhelmed(load_scenario(PLAN)).call_centre
    # 20, 12 and 8 agents halved
    assert [pool.agents for pool in centre.pools.values()] == [10, 6, 4]
    assert centre.attempts_per_day == centre.attempts_in_all == MOST_ATTEMPTS


def test_bench_prints_a_table_with_targets(scenario_file: str) -> None:
    result = CliRunner().invoke(
        app, ["bench", "--quick", "--scenario", scenario_file, "--only", "replication"]
    )
    assert result.exit_code == 0, result.output
    assert "one replication, one core (median of 5)" in result.stdout
    assert "peak memory of one replication" in result.stdout
    assert "at most 0.5" in result.stdout
    assert "reference" not in result.stdout
    assert "Load of the machine" in result.stdout


def test_bench_as_json_tells_the_growth_of_one_size(scenario_file: str) -> None:
    result = CliRunner().invoke(
        app,
        ["bench", "--scenario", scenario_file, "--only", "growth", "--growth", "4", "--json"],
    )
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    figures = {figure["what"]: figure for figure in data["figures"]}
    assert set(figures) == {
        "4 x people (4,000): one replication",
        "4 x people (4,000): the first of a process",
        "4 x people (4,000): peak memory",
        "4 x people (4,000): a person",
    }
    seconds = figures["4 x people (4,000): one replication"]["value"]
    assert figures["4 x people (4,000): a person"]["value"] == pytest.approx(1e6 * seconds / 4000)
    # Python, NumPy and compiled code alone need more than 50 MB.
    assert figures["4 x people (4,000): peak memory"]["value"] > 50
    assert data["machine"]["cores"] >= 1


def test_bench_measures_whole_runs_here_and_on_a_cluster(scenario_file: str) -> None:
    arguments = ["bench", "--quick", "--scenario", scenario_file, "--json"]
    result = CliRunner().invoke(app, [*arguments, "--only", "experiments", "--only", "cluster"])
    assert result.exit_code == 0, result.output
    cores = available_cores()
    figures = {figure["what"]: figure for figure in json.loads(result.stdout)["figures"]}

    def value(what: str) -> float:
        return float(figures[what]["value"])

    rate = value(f"replications a minute, all {cores} cores")
    assert value("1,000 replications (extrapolated from that rate)") == pytest.approx(1000 / rate)
    if cores > 1:
        efficiency = figures[f"efficiency on {cores} cores, start-up apart"]
        assert efficiency["value"] == pytest.approx(
            rate / value("replications a minute, one core") / cores
        )
        assert efficiency["limit"] == 0.9
        assert efficiency["at_least"]
    assert value("checked, measured, packed, written: a replication") > 0
    dask = f"replications a minute, {cores} dask workers on this machine"
    if cluster_installed():
        share = value("dask's rate over that of this machine alone")
        assert share == pytest.approx(value(dask) / rate)
    else:
        assert figures[dask]["note"] == "needs the extra cluster"


def test_the_cost_of_a_run_is_that_of_the_folder_it_leaves(tmp_path: Path) -> None:
    scenario, settings = small_scenario(), RunSettings(replications=4, workers=1)
    carry_out(scenario, settings, tmp_path / "run")
    size = sum(path.stat().st_size for path in (tmp_path / "run").rglob("*") if path.is_file())
    cost = cost_of_run(scenario, 4, workers=1)
    # The manifest differs in its time stamp alone, whose length is always the same
    assert cost.disk_bytes == size / 4
    assert 0 < cost.simulating_s < cost.seconds
    assert cost.per_minute == 60 / cost.seconds
    assert [n for n, _ in cost.parent_memory] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario", "nowhere.toml"], "nowhere.toml: does not exist"),
        (["--only", "speed"], "--only speed: choose from replication"),
        (["--growth", "1,x"], "--growth 1,x: write whole numbers from 1 to 100"),
        (["--growth", "0"], "--growth 0: write whole numbers from 1 to 100"),
    ],
)
def test_wrong_input_is_named(scenario_file: str, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["bench", "--scenario", scenario_file, *arguments])
    assert result.exit_code == 2
    assert message in result.stderr


def test_table_says_which_targets_are_met_and_what_was_not_measured() -> None:
    machine = {"load": "0.1", "cores": 2, "python": "3", "numpy": "2", "numba": "0"}
    text = benchmark_text(
        [
            Figure("a", "short", 0.25, "s", limit=0.5),
            Figure("a", "long", 1234.0, "s", limit=0.5),
            Figure("a", "many", 150.0, "times", limit=150, at_least=True),
            Figure("a", "too large", None, "s", limit=1, note="no memory"),
        ],
        machine,
    ).splitlines()
    assert text[1].split() == ["short", "0.25", "s", "at", "most", "0.5", "met"]
    assert text[2].split() == ["long", "1,234", "s", "at", "most", "0.5", "missed"]
    assert text[3].split() == ["many", "150", "times", "at", "least", "150", "met"]
    assert text[4].split() == ["too", "large", "–", "s", "at", "most", "1", "no", "memory"]
