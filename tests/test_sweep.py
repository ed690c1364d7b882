"""Claims about sweeps and comparisons on the command line: results, pictures, bad input."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomlkit
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from small_campaign import SMALL
from test_cli import refused, vaxsim

from sim.experiment.results import RunError, open_run
from sim.experiment.statistics import mean_interval
from sim.experiment.sweep import Sweep, open_sweep
from sim.presentation import sweep_view

ROOT = Path(__file__).parent.parent
AGENTS = "call_centre.pools.desk.agents"
STAFF = "unit_types.hall.stations.vaccination.staff"
POLICY = "supply.second_dose_policy"
AGENTS_TOML = (
    'extends = "small.toml"\ntitle = "More agents"\n[call_centre.pools.desk]\nagents = 4\n'
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "small.toml").write_text(tomlkit.dumps(SMALL))
    (tmp_path / "agents.toml").write_text(AGENTS_TOML)


def swept(*args: str) -> Any:
    return vaxsim("sweep", "small.toml", "--replications", "2", "--workers", "1", *args)


def files(folder: Path) -> dict[str, bytes]:
    """Content of the tables below a folder."""
    paths = folder.rglob("*.parquet")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """3 x 2 points of 2 replications."""
    folder = tmp_path_factory.mktemp("sweeps")
    (folder / "small.toml").write_text(tomlkit.dumps(SMALL))
    result = vaxsim(
        "sweep", str(folder / "small.toml"), "--vary", f"{AGENTS}=1:3:1", "--vary", f"{STAFF}=1,3",
        "--replications", "2", "--workers", "1", "--out", str(folder / "sweep"),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return open_sweep(folder / "sweep")


# What a sweep gives ---------------------------------------------------------------------------


def test_tables_have_the_factors_as_columns(grid: Sweep) -> None:
    assert grid.points.to_dict("list") == {
        "point": [0, 1, 2, 3, 4, 5],
        AGENTS: [1, 1, 2, 2, 3, 3],
        STAFF: [1, 3, 1, 3, 1, 3],
    }
    table = grid.replications
    assert list(table.columns[:4]) == ["point", AGENTS, STAFF, "replication"]
    assert table["replication"].tolist() == [0, 1] * 6
    assert table[AGENTS].tolist() == [1] * 4 + [2] * 4 + [3] * 4
    assert "first_doses_by_deadline" in table


def test_a_point_is_the_run_of_the_scenario_with_these_values(grid: Sweep) -> None:
    assert vaxsim(
        "run", "small.toml", "--set", f"{AGENTS}=2", "--set", f"{STAFF}=3", "--replications", "2",
        "--out", "alone",
    ).exit_code == 0  # fmt: skip
    alone, point = open_run("alone"), grid.run(3)
    for name in alone.manifest["parts"]:
        pd.testing.assert_frame_equal(alone.table(name), point.table(name))
    measures = grid.replications[grid.replications["point"] == 3].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        measures[alone.table("replications").columns], alone.table("replications")
    )


def test_every_point_has_the_same_people(grid: Sweep) -> None:
    # neither agents nor staff change who calls at all
    assert (grid.replications.groupby("replication")["persons_calling"].nunique() == 1).all()


def test_estimates_are_means_with_intervals_over_the_replications(grid: Sweep) -> None:
    found = grid.estimates("calls_answered")
    for point, row in found.iterrows():
        values = grid.replications.loc[grid.replications["point"] == point, "calls_answered"]
        expected = mean_interval(values.to_numpy())
        assert (row["mean"], row["low"], row["high"]) == (
            expected.mean,
            expected.low,
            expected.high,
        )
        assert row["n"] == 2
    with pytest.raises(RunError, match="did you mean calls_answered"):
        grid.estimates("calls_answerd")


def test_a_day_not_reached_every_time_has_no_mean(grid: Sweep) -> None:
    found = grid.estimates("completion_day")
    assert found["mean"].isna().all()


def test_text_has_a_line_a_point_and_names_the_factors() -> None:
    result = swept("--vary", f"{AGENTS}=1:3:1", "--out", "sweep", "--measure", "calls_answered")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("3 points of 2 replications with seed 1: the same people")
    assert lines[1].split() == ["desk.agents", AGENTS]
    assert "95 % interval" in lines[3]
    assert [line.split()[:2] for line in lines[4:7]] == [["0", "1"], ["1", "2"], ["2", "3"]]
    assert "Results: sweep" in lines
    assert "sweep/pictures/calls_answered.png" in lines[-1]


def test_json_has_every_measure_of_every_point() -> None:
    result = swept("--vary", f"{AGENTS}=1,3", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["factors"] == [AGENTS]
    assert [point["factors"] for point in found["points"]] == [{AGENTS: 1}, {AGENTS: 3}]
    measures = found["points"][0]["measures"]
    assert set(measures) >= {"calls_answered", "first_doses_by_deadline", "completion_day"}
    assert measures["completion_day"]["mean"] is None
    assert all(Path(path).is_file() for path in found["pictures"])
    assert open_sweep(found["sweep"]).design == "grid"


def test_designs_with_points_are_drawn_within_the_ranges() -> None:
    result = swept(
        "--vary", f"{AGENTS}=1:6", "--vary", "groups.late.willing=0.2:0.9",
        "--vary", f"{POLICY}=first_doses_first,reserve",
        "--design", "lhs", "--points", "5", "--out", "sweep",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    points = open_sweep("sweep").points
    assert len(points) == 5
    assert points[AGENTS].between(1, 6).all()
    assert points["groups.late.willing"].between(0.2, 0.9).all()
    assert set(points[POLICY]) == {"first_doses_first", "reserve"}


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    for workers in ("1", "2"):
        command = ("--vary", f"{AGENTS}=1:3:1", "--workers", workers, "--out", workers)
        assert swept(*command).exit_code == 0
    assert files(Path("1")) == files(Path("2"))


def test_the_same_command_again_shows_the_sweep_that_is_there() -> None:
    command = ("--vary", f"{AGENTS}=1,2", "--json")
    first, again, fresh = (
        json.loads(swept(*c).stdout) for c in (command, command, (*command, "--fresh"))
    )
    assert [each.pop("simulated_now") for each in (first, again, fresh)] == [True, False, True]
    assert first == again == fresh


def test_a_mixture_of_numbers_and_tables_is_kept_as_text() -> None:
    path = "call_centre.patience_minutes"
    exponential = '{distribution = "exponential", mean = 2.0}'
    assert swept("--vary", f"{path}=3.0,{exponential}", "--out", "sweep").exit_code == 0
    assert list(open_sweep("sweep").points[path]) == [
        "3.0",
        '{"distribution":"exponential","mean":2.0}',
    ]


def test_each_point_takes_the_replications_that_its_precision_needs() -> None:
    # Calls are far from certain with few lines and quite certain with many
    args = ["--vary", "call_centre.lines=1,6", "--precision", "calls_blocked=18%"]
    result = vaxsim(
        "sweep", "small.toml", *args, "--max-replications", "12", "--measure", "calls_blocked",
        "--workers", "1", "--out", "sweep",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    found = open_sweep("sweep")
    alone = vaxsim(
        "run", "small.toml", "--set", "call_centre.lines=1", "--precision", "calls_blocked=18%",
        "--max-replications", "12", "--workers", "1", "--out", "alone",
    )  # fmt: skip
    assert alone.exit_code == 0, alone.output
    # The first point is that very run; the other never gets there with 12
    assert found.counts.tolist() == [len(open_run("alone").table("replications")), 12]
    assert found.counts[0] < 12
    assert found.imprecise == [1]
    assert found.estimates("calls_blocked")["n"].tolist() == found.counts.tolist()
    text = result.stdout
    assert text.startswith(f"2 points of {found.counts[0]} to 12 replications with seed 1")
    assert text.splitlines()[3].split()[:3] == ["point", "call_centre.lines", "replications"]
    assert (
        "Precision (calls_blocked to 18 %): not reached at 1 of 2 points with 12 replications (1)."
    ) in text
    data = json.loads(vaxsim("show", "sweep", "--json").stdout)
    assert [point["replications"] for point in data["points"]] == found.counts.tolist()
    assert data["imprecise"] == [1]
    again = vaxsim("sweep", "small.toml", *args, "--out", "sweep")
    assert "another --precision or --max-replications" in refused(again)


def test_only_the_best_of_many_points_are_printed(
    grid: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_view, "_ROWS_SHOWN", 5)
    monkeypatch.setattr(sweep_view, "_BEST_SHOWN", 2)
    text = sweep_view.sweep_text(grid, ["calls_answered"])
    means = grid.estimates("calls_answered")["mean"]
    best = means.sort_values(ascending=False, kind="stable").index[:2]
    lines = text.splitlines()
    at = lines.index("The 2 points with the highest calls_answered:")
    assert [int(line.split()[0]) for line in lines[at + 2 : at + 4]] == list(best)


def test_short_names_are_as_long_as_it_takes_to_tell_them_apart() -> None:
    paths = ["a.b.staff", "a.c.staff", "x.b.staff"]
    assert list(sweep_view.short_names(paths).values()) == paths
    assert list(sweep_view.short_names(paths[:2]).values()) == ["b.staff", "c.staff"]


def test_a_sweep_is_shown_and_its_points_are_runs(grid: Sweep) -> None:
    result = vaxsim("show", str(grid.folder))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("6 points of 2 replications with seed 1")
    assert json.loads(vaxsim("show", str(grid.folder), "--json").stdout)["factors"] == grid.factors
    assert vaxsim("show", str(grid.folder / "points" / "0004")).exit_code == 0
    assert "is no run but a sweep: its runs are in" in refused(vaxsim("plot", str(grid.folder)))


# Stopped and resumed --------------------------------------------------------------------------


def test_a_sweep_that_was_killed_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    vary = ("--vary", f"{AGENTS}=1:4:1", "--replications", "6")
    assert swept(*vary, "--out", "whole").exit_code == 0
    command = [sys.executable, "-m", "sim", "sweep", "small.toml", *vary, "--workers", "1"]
    running = subprocess.Popen([*command, "--out", "killed"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "killed/points/0002").is_dir() and time.monotonic() < deadline:
        time.sleep(0.005)
    running.kill()
    running.wait(60)
    assert not json.loads((tmp_path / "killed/sweep.json").read_text())["complete"]
    with pytest.raises(RunError, match="unfinished sweep"):
        open_sweep("killed")
    assert swept(*vary, "--out", "killed").exit_code == 0
    assert files(Path("killed")) == files(Path("whole"))


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_says_that_the_same_command_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sim", "sweep", "small.toml", "--vary", f"{AGENTS}=1:4:1"]
    running = subprocess.Popen(
        [*command, "--replications", "400", "--workers", "1", "--out", "sweep"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not any((tmp_path / "sweep").glob("points/0000/unfinished/*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "the same command goes on" in err
    assert "Traceback" not in err


# Pictures -------------------------------------------------------------------------------------


def drawn(figure: Figure) -> list[str]:
    FigureCanvasAgg(figure).draw()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_heat_map_shows_the_mean_of_every_point(grid: Sweep) -> None:
    figure = sweep_view.picture(grid, "calls_answered")
    image = figure.axes[0].images[0].get_array()
    means = grid.estimates("calls_answered")["mean"].to_numpy()
    # the first factor runs to the right, the second upwards
    assert np.asarray(image) == pytest.approx(means.reshape(3, 2).T)
    words = drawn(figure)
    assert {AGENTS, "1", "2", "3"} <= set(words)
    assert all(f"{mean:,.0f}" in words for mean in means)


def test_axes_of_the_heat_map_can_be_chosen(grid: Sweep) -> None:
    figure = sweep_view.picture(grid, "calls_answered", [STAFF, AGENTS])
    assert np.asarray(figure.axes[0].images[0].get_array()).shape == (3, 2)


def test_one_factor_is_a_line_with_its_intervals() -> None:
    assert swept("--vary", f"{AGENTS}=1:3:1", "--out", "sweep").exit_code == 0
    sweep = open_sweep("sweep")
    figure = sweep_view.picture(sweep, "calls_answered")
    line, *_ = figure.axes[0].lines
    found = sweep.estimates("calls_answered")
    assert np.asarray(line.get_ydata()) == pytest.approx(found["mean"].to_numpy())
    (bars,) = figure.axes[0].collections
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])  # type: ignore[attr-defined]
    assert ends == pytest.approx(found[["low", "high"]].to_numpy())


def test_more_factors_are_small_multiples_or_means_over_the_others() -> None:
    vary = (
        "--vary",
        f"{AGENTS}=1,3",
        "--vary",
        f"{STAFF}=1,3",
        "--vary",
        f"{POLICY}=first_doses_first,reserve",
    )
    assert swept(*vary, "--replications", "1", "--out", "sweep").exit_code == 0
    sweep = open_sweep("sweep")
    several = sweep_view.picture(sweep, "first_doses_by_deadline")
    assert sum(bool(axes.images) for axes in several.axes) == 2
    assert "supply.second_dose_policy = reserve" in " ".join(" ".join(drawn(several)).split())
    named = sweep_view.picture(sweep, "first_doses_by_deadline", [STAFF, POLICY])
    assert f"mean over the values of {AGENTS}" in named.get_suptitle()
    means = sweep.estimates("first_doses_by_deadline")
    corner = means[(means[STAFF] == 1) & (means[POLICY] == "first_doses_first")]["mean"].mean()
    assert np.asarray(named.axes[0].images[0].get_array())[0, 0] == pytest.approx(corner)


def test_a_measure_without_value_is_drawn_as_none(grid: Sweep) -> None:
    assert drawn(sweep_view.picture(grid, "completion_day")).count("–") == 6


# Comparison -----------------------------------------------------------------------------------


def compared(*args: str) -> Any:
    return vaxsim("compare", *args)


def test_comparison_writes_tables_and_pictures_and_says_where() -> None:
    result = compared("small.toml", "agents.toml", "--replications", "3", "--out", "both")
    assert result.exit_code == 0, result.output
    assert "call_centre.pools.desk.agents  2  ->  4" in result.stdout
    assert "Results: both" in result.stdout
    names = {path.name for path in Path("both").iterdir()}
    assert names == {
        "comparison.json", "differences.csv", "changes.csv", "reasons.csv", "pictures", "runs"
    }  # fmt: skip
    with open("both/differences.csv", newline="") as file:
        rows = {row["measure"]: row for row in csv.DictReader(file)}
    assert float(rows["calls_abandoned"]["difference"]) < 0
    assert len(list(Path("both/pictures").iterdir())) == 4
    assert [open_run(path).settings.replications for path in Path("both/runs").iterdir()] == [3, 3]


def test_comparison_changes_a_value_in_every_file() -> None:
    result = compared("small.toml", "agents.toml", "--set", "call_centre.lines=3", "--out", "both")
    assert result.exit_code == 0, result.output
    found = [open_run(path) for path in Path("both/runs").iterdir()]
    assert [run.scenario.call_centre.lines for run in found] == [3, 3]
    agents = [run.scenario.call_centre.pools["desk"].agents for run in found]
    assert len(set(agents)) == 2  # and what the files say differs still


def test_comparison_takes_the_runs_that_are_there(tmp_path: Path) -> None:
    run = json.loads(vaxsim("run", "small.toml", "--replications", "2", "--json").stdout)["run"]
    before = (tmp_path / run / "manifest.json").stat().st_mtime_ns
    found = json.loads(
        compared("small.toml", "agents.toml", "--replications", "2", "--json").stdout
    )
    assert found["scenarios"]["small"]["run"] == run
    assert (tmp_path / run / "manifest.json").stat().st_mtime_ns == before


def test_comparison_of_a_run_and_a_file_takes_seed_days_and_number_from_the_run() -> None:
    options = ("--seed", "4", "--replications", "3", "--until", "2021-06-12")
    vaxsim("run", "small.toml", *options, "--out", "done")
    found = json.loads(compared("done", "agents.toml", "--json").stdout)
    assert (found["seed"], found["replications"]) == (4, 3)
    assert open_run(found["scenarios"]["agents"]["run"]).settings.until is not None


def test_same_comparison_again_is_the_same_and_another_is_refused() -> None:
    first, again = (
        compared("small.toml", "agents.toml", "--replications", "2", "--out", "both")
        for _ in range(2)
    )
    assert first.exit_code == again.exit_code == 0
    assert first.stdout == again.stdout
    assert "is no run but a comparison" in refused(vaxsim("show", "both"))
    assert "holds another comparison" in refused(
        compared("agents.toml", "small.toml", "--replications", "2", "--out", "both")
    )


# Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vary", "call_centre.pools.desk.agent=1,2"], f"did you mean {AGENTS}?"),
        (["--vary", "nonsense"], "write PATH=VALUES"),
        (["--vary", f"{AGENTS}=1:9:0"], "the range never ends"),
        (["--vary", f"{AGENTS}=9:1:1"], "the range is empty"),
        (["--vary", f"{AGENTS}=1:9"], "a grid needs a step"),
        (["--vary", f"{AGENTS}=1,2", "--vary", f"{AGENTS}=3,4"], "is given twice"),
        (["--vary", f"{AGENTS}=0:2000:1"], "2,001 points, more than the 1,000 allowed"),
        (["--vary", f"{AGENTS}=0:9:1", "--max-points", "5"], "more than the 5 allowed"),
        (["--vary", f"{AGENTS}=1:9", "--design", "sobol", "--points", "12"], "take 16"),
        (["--vary", f"{AGENTS}=1,2", "--points", "12"], "--points is for --design lhs or sobol"),
        (["--vary", f"{AGENTS}=1,2", "--design", "star"], "star"),
        (["--vary", f"{AGENTS}=1,2", "--measure", "calls_answerd"], "did you mean calls_answered?"),
        (["--vary", f"{AGENTS}=1,2", "--axes", "x,y"], "--axes x: it is not varied"),
        (["--vary", f"{AGENTS}=1,2", "--axes", AGENTS], "--axes: name two factors"),
        (["--vary", f"{AGENTS}=1,2", "--until", "2031-01-01"], "until must lie between"),
        (["--vary", f"{AGENTS}=1,2", "--set", "call_centre.linse=2"], "linse"),
        (["--vary", f"{AGENTS}=1,2", "--replications", "0"], "replications"),
        ([], "--vary"),
    ],
)
def test_wrong_sweeps_are_refused_and_nothing_is_written(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert message in refused(vaxsim("sweep", "small.toml", "--out", "sweep", *arguments))
    assert not (tmp_path / "sweep").exists()


def test_points_that_cannot_be_are_named_with_values_and_reason_before_anything_runs(
    tmp_path: Path,
) -> None:
    vary = ("--vary", f"{AGENTS}=1,-1", "--vary", "groups.late.willing=0.5:1.5:0.5")
    message = refused(swept(*vary, "--out", "sweep"))
    # points run 0 ... 5: (1, 0.5), (1, 1), (1, 1.5), (-1, 0.5), (-1, 1), (-1, 1.5)
    assert f"point 2 ({AGENTS} = 1, groups.late.willing = 1.5) cannot be" in message
    assert "must be a finite number between 0 and 1" in message
    assert f"point 3 ({AGENTS} = -1, groups.late.willing = 0.5) cannot be" in message
    assert message.endswith("and 1 more point")
    assert not (tmp_path / "sweep").exists()


def test_contradictions_between_factors_name_the_point(tmp_path: Path) -> None:
    message = refused(
        swept("--vary", "call_centre.opens=08:00,11:00", "--vary", "call_centre.closes=10:00,12:00")
    )
    assert "point 2 (call_centre.opens = 11:00, call_centre.closes = 10:00) cannot be" in message
    assert "must be before closes" in message
    assert not (tmp_path / "runs").exists()


def test_folders_with_other_things_are_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("")
    vary = ("--vary", f"{AGENTS}=1,2")
    assert "holds other files" in refused(swept(*vary, "--out", "precious"))
    assert "is a file" in refused(swept(*vary, "--out", "small.toml"))
    assert swept(*vary, "--out", "sweep").exit_code == 0
    assert "another sweep (other points)" in refused(
        swept("--vary", f"{AGENTS}=1,3", "--out", "sweep")
    )
    assert "another sweep (seed 1 and not 2)" in refused(
        swept(*vary, "--seed", "2", "--out", "sweep")
    )
    assert "holds other files" in refused(compared("small.toml", "agents.toml", "--out", "sweep"))
    assert [path.name for path in (tmp_path / "precious").iterdir()] == ["thesis.tex"]


def test_damaged_sweeps_are_noticed(grid: Sweep, tmp_path: Path) -> None:
    shutil.copytree(grid.folder, tmp_path / "sweep")
    table = tmp_path / "sweep" / "tables" / "replications" / "part-00000.parquet"
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(RunError, match="is damaged"):
        _ = open_sweep("sweep").replications
    (tmp_path / "sweep" / "sweep.json").write_text("{")
    with pytest.raises(RunError, match="is not JSON"):
        open_sweep("sweep")
    (tmp_path / "sweep" / "sweep.json").write_text('{"format": 99, "complete": true}')
    with pytest.raises(RunError, match="format 99"):
        open_sweep("sweep")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["small.toml"], "two scenarios or more"),
        (["small.toml", "small.toml"], "small is given twice"),
        (["small.toml", "nowhere.toml"], "nowhere.toml"),
        (["small.toml", "empty"], "empty is no run"),
        (["seed1", "seed2"], "seed1 has seed 1 and seed2 has seed 2"),
        (["seed1", "until"], "seed1 is simulated to the horizon and until to 2021-06-10"),
        (["seed1", "small.toml", "--seed", "9"], "seed1 has seed 1 and not 9"),
        (["seed1", "small.toml", "--until", "2021-06-10"], "simulated to the horizon and not to"),
        (["seed1", "small.toml", "--replications", "5"], "seed1 has 1 replication, fewer than"),
        (["small.toml", "agents.toml", "--until", "never"], "not a date"),
        (["small.toml", "agents.toml", "--replications", "0"], "replications"),
        (["small.toml", "agents.toml", "--set", "call_centre.lines=none"], "call_centre.lines"),
        (["seed1", "small.toml", "--set", "call_centre.lines=3"], "and seed1 is a finished run"),
    ],
)
def test_wrong_comparisons_are_refused_and_nothing_is_written(
    done: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    for run in done.iterdir():
        shutil.copytree(run, tmp_path / run.name)
    before = sorted(path.name for path in tmp_path.iterdir())
    assert message in refused(compared(*arguments))
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    (folder / "small.toml").write_text(tomlkit.dumps(SMALL))
    for name, options in (
        ("seed1", []),
        ("seed2", ["--seed", "2"]),
        ("until", ["--until", "2021-06-10"]),
    ):
        path = str(folder / "small.toml")
        out = str(folder / name)
        made = vaxsim("run", path, "--replications", "1", *options, "--out", out)
        assert made.exit_code == 0, made.output
    (folder / "small.toml").unlink()
    return folder
