"""Claims about the Python functions: they do what the command line does, and load nothing early."""

import doctest
import json
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import tomlkit
from small_campaign import SMALL, small_scenario
from test_cli import vaxsim

import sim
from sim import (
    api,
    binds,
    compare,
    goal,
    load_scenario,
    open_run,
    open_study,
    open_sweep,
    run,
    staff,
    sweep,
    verdict,
    verify,
)
from sim.experiment.design import DesignError
from sim.experiment.results import RunError
from sim.experiment.settings import SettingsError
from sim.scenario_files import ScenarioError

ROOT = Path(__file__).parent.parent
AGENTS = "call_centre.pools.desk.agents"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(tomlkit.dumps(SMALL))


def test_examples_of_the_documentation_are_true(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    found = doctest.testmod(api, optionflags=options)
    assert found.attempted >= 12
    assert found.failed == 0


def test_importing_the_package_loads_nothing_heavy() -> None:
    script = (
        "import sys, sim\n"
        "assert 'compare' in dir(sim)\n"
        "heavy = {'numpy', 'pandas', 'numba', 'scipy', 'matplotlib', 'pydantic', 'sim.api'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert found.stdout == "[]\n"


def test_the_package_has_all_names_of_the_interface() -> None:
    assert sim.__all__ == api.__all__
    assert all(getattr(sim, name) is getattr(api, name) for name in api.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'simulate'"):
        _ = sim.simulate  # type: ignore[attr-defined]


def test_run_gives_the_tables_of_the_command_line(tmp_path: Path) -> None:
    ours = run("small.toml", replications=2, seed=5, workers=1, out="ours")
    assert vaxsim(
        "run", "small.toml", "--replications", "2", "--seed", "5", "--out", "theirs"
    ).exit_code == 0  # fmt: skip
    theirs = open_run(tmp_path / "theirs")
    for name, parts in ours.manifest["parts"].items():
        assert [part["sha256"] for part in parts] == [
            part["sha256"] for part in theirs.manifest["parts"][name]
        ]


def test_run_without_a_folder_goes_where_the_command_line_goes() -> None:
    ours = run("small.toml", replications=1, workers=1)
    shown = json.loads(vaxsim("run", "small.toml", "--replications", "1", "--json").stdout)
    assert shown["run"] == str(ours.folder)
    assert shown["simulated_now"] is False


def test_a_scenario_in_memory_gives_the_same_as_its_file() -> None:
    scenario = load_scenario("small.toml", [f"{AGENTS}=3"])
    changed = small_scenario({"call_centre": {"pools": {"desk": {"agents": 3}}}})
    assert scenario.call_centre == changed.call_centre
    memory = run(scenario, replications=1, out="memory").table("replications")
    vaxsim("run", "small.toml", "--set", f"{AGENTS}=3", "--replications", "1", "--out", "file")
    pd.testing.assert_frame_equal(memory, open_run("file").table("replications"))


def test_sweep_of_a_scenario_in_memory_reaches_the_units_of_a_type() -> None:
    # units inherit from their type; a resolved scenario must not hide that from a sweep
    staff = "unit_types.hall.stations.vaccination.staff"
    memory = sweep(load_scenario("small.toml"), {staff: [1, 3]}, replications=1, out="memory")
    file = sweep("small.toml", {staff: "1,3"}, replications=1, out="file")
    pd.testing.assert_frame_equal(memory.replications, file.replications)
    waits = memory.estimates("station_vaccination_utilisation")["mean"]
    assert waits[0] > waits[1]


def test_sweep_can_be_opened_again() -> None:
    made = sweep("small.toml", {AGENTS: "1:3:1"}, replications=2, out="agents")
    opened = open_sweep("agents")
    pd.testing.assert_frame_equal(opened.replications, made.replications)
    pd.testing.assert_frame_equal(opened.run(2).table("daily"), made.run(2).table("daily"))


def test_compare_takes_files_scenarios_and_runs() -> None:
    done = run("small.toml", replications=2, seed=3, workers=1, out="done")
    other = load_scenario("small.toml", [f"{AGENTS}=4"])
    found = compare(done, other, "small.toml")
    assert list(found.runs) == ["done", "scenario", "small"]
    assert found.replications == 2
    assert {each.settings.seed for each in found.runs.values()} == {3}
    alike = found.differences[found.differences["scenario"] == "small"]
    assert (alike["difference"].dropna() == 0).all()
    assert list(found.changes["path"]) == [AGENTS]


def test_precision_finds_the_number_of_replications_of_runs_and_of_points() -> None:
    few = {"until": "2021-06-05", "workers": 1, "max_replications": 9}
    done = run("small.toml", precision="calls_offered=99%", **few)
    # Precise from the least number, 3, on, and through 5 more
    assert len(done.table("replications")) == 8
    found = sweep("small.toml", {AGENTS: [1, 2]}, precision=["calls_offered=99%"], **few)
    assert found.counts.tolist() == [8, 8]


def test_sentences_are_those_of_the_command_line() -> None:
    done = run("small.toml", replications=2, workers=1, out="done")
    shown = vaxsim("show", "done").stdout
    assert verdict(done) in shown
    assert binds(done) in shown
    assert binds(done, "full") in vaxsim("binds", "done", "--scope", "full").stdout


def test_verify_simulates_all_or_the_named_replications() -> None:
    done = run("small.toml", replications=3, workers=1)
    assert verify(done, workers=1).replications == [0, 1, 2]
    assert verify(done, 2, workers=1).replications == [0, 2]
    assert verify(done, [1], workers=1).replications == [1]
    of_another_seed = api.Run(done.folder, {**done.manifest, "seed": 2})
    assert not verify(of_another_seed, workers=1).identical
    for wrong in (4, [3], []):
        with pytest.raises(SettingsError, match="replications"):
            verify(done, wrong, workers=1)


def test_studies_are_those_of_the_command_line() -> None:
    # in the small campaign nobody can be vaccinated on the first day: nothing is simulated
    reach, cost = "first_dose>=0.1 by 2021-06-01", {"agent": 1.0, "vaccinator": 1.5}
    ours = staff("small.toml", reach, cost=cost)
    shown = json.loads(
        vaxsim(
            "staff", "small.toml", "--reach", reach, "--cost", "agent=1,vaccinator=1.5", "--json"
        ).stdout
    )
    assert (shown["folder"], shown["simulated_now"]) == (str(ours.folder), False)
    assert shown["answer"] == ours.answer
    assert open_study(ours.folder) == ours

    reach = "first_dose>=1 by 2021-06-03"  # the first day of vaccination
    ours = goal("small.toml", reach, over=["lines<=9", "agents<=5"], cost={"agents": 2})
    shown = json.loads(
        vaxsim(
            "goal", "small.toml", "--reach", reach, "--over", "lines<=9,agents<=5",
            "--cost", "agents=2.0", "--json",
        ).stdout
    )  # fmt: skip
    assert (shown["folder"], shown["simulated_now"]) == (str(ours.folder), False)
    assert not ours.answer["reachable"]
    assert goal("small.toml", reach, over="lines<=9,agents<=5", cost="agents=2") == ours


def test_dates_are_dates_or_text() -> None:
    first = run("small.toml", replications=1, until="2021-06-05")
    second = run("small.toml", replications=1, until=date(2021, 6, 5))
    assert first.folder == second.folder


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: run("nowhere.toml"), ScenarioError, "nowhere.toml"),
        (lambda: run("small.toml", replications=0), SettingsError, "between 1 and 1,000,000"),
        (lambda: run("small.toml", engine="steam"), SettingsError, "engine must be one of"),
        (lambda: run("small.toml", until="soon"), SettingsError, "until soon: not a date"),
        (lambda: run("small.toml", 3, precision="1%"), SettingsError, "not both"),
        (lambda: run("small.toml", max_replications=3), SettingsError, "which is not given"),
        (lambda: run("small.toml", precision="none=1%"), SettingsError, "no measure 'none'"),
        (lambda: run("small.toml", out=""), SettingsError, "out: name a folder"),
        (lambda: sweep("small.toml", {AGENTS: [1]}, out=" "), SettingsError, "name a folder"),
        (lambda: compare("small.toml", out=""), SettingsError, "out: name a folder"),
        (lambda: sweep("small.toml", {}), DesignError, "a sweep needs a factor"),
        (lambda: sweep("small.toml", {AGENTS: []}), DesignError, "no values are given"),
        (lambda: sweep("small.toml", {AGENTS: "1:5:0"}), DesignError, "never ends"),
        (lambda: sweep("small.toml", {"agents": [1]}), ScenarioError, "there is no agents"),
        (lambda: sweep("small.toml", {AGENTS: [1, -1]}), SettingsError, "point 1"),
        (lambda: compare("small.toml"), SettingsError, "two scenarios or more"),
        (lambda: compare("small.toml", "small.toml"), SettingsError, "small is given twice"),
        (lambda: staff("small.toml", "soon"), SettingsError, "soon"),
        (lambda: staff("small.toml", "full>=1", cost={"baker": 1}), SettingsError, "baker"),
        (lambda: staff("small.toml", "full>=1", max_replications=5), SettingsError, "at least 100"),
        (lambda: goal("small.toml", "full>=1", over="luck"), SettingsError, "luck"),
        (lambda: goal("small.toml", "full>=1", probability=2), SettingsError, "2"),
        (lambda: goal("small.toml", "full>=1", out=""), SettingsError, "name a folder"),
        (lambda: open_study("nowhere"), RunError, "is no study"),
        (lambda: open_run("nowhere"), RunError, "no such folder"),
        (lambda: open_sweep("nowhere"), RunError, "is no sweep"),
    ],
)
def test_wrong_calls_say_what_is_wrong_and_write_nothing(
    call: object, error: type[Exception], message: str, tmp_path: Path
) -> None:
    assert callable(call)
    with pytest.raises(error, match=re.escape(message)):
        call()
    assert [path.name for path in tmp_path.iterdir()] == ["small.toml"]
