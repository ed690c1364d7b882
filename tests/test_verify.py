"""Claims about making a run again, and about summaries and lists of runs."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import tomlkit
from campaign_processes import everything
from small_campaign import SMALL
from typer.testing import CliRunner, Result

import sim.experiment.results as results
from sim.cli import app
from sim.experiment.packing import TABLE_NAMES
from sim.experiment.results import open_run
from sim.experiment.settings import RunSettings, SettingsError
from sim.experiment.sources import Source
from sim.experiment.study import StudyPlan
from sim.experiment.verification import chosen_replications, verify

ROOT = Path(__file__).parent.parent
RUN = ("run", "small.toml", "--replications", "3", "--workers", "1", "--until", "2021-06-12")


def vaxsim(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(tomlkit.dumps(SMALL))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished run of three replications."""
    result = vaxsim(*RUN, "--out", "run")
    assert result.exit_code == 0, result.output
    return tmp_path / "run"


def change(folder: Path, table: str, column: str, row: int, add: int) -> None:
    """Change a number in a run, and its digest in the manifest, as if it had come out so."""
    path = folder / "tables" / table / "part-00000.parquet"
    whole = pq.read_table(path)
    values = whole[column].to_pylist()
    values[row] += add
    place = whole.schema.get_field_index(column)
    changed = whole.set_column(place, whole.schema.field(place), pa.array(values, pa.int64()))
    pq.write_table(changed, path, compression="zstd")
    register(folder, table, path)


def register(folder: Path, table: str, path: Path) -> None:
    import hashlib

    manifest = json.loads((folder / "manifest.json").read_text())
    content = path.read_bytes()
    part = manifest["parts"][table][0]
    part |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))


# verify ---------------------------------------------------------------------------------------


def test_a_run_made_by_another_process_in_another_folder_is_identical(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "small.toml").write_bytes((tmp_path / "small.toml").read_bytes())
    subprocess.run(
        [sys.executable, "-m", "sim", *RUN, "--out", "run"],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )
    (elsewhere / "run").rename(tmp_path / "received")
    (elsewhere / "small.toml").unlink()  # the run is enough
    result = vaxsim("verify", "received")
    assert result.exit_code == 0, result.output
    n = len(TABLE_NAMES)
    assert result.stdout.startswith("Identical: 3 of 3 replications simulated again, ")
    assert f"Of {n} files made again, {n} have the same bytes." in result.stdout
    assert result.stderr == ""


def test_the_first_difference_is_told_with_versions_and_platforms(folder: Path) -> None:
    stock = open_run(folder).table("stock")
    second = stock.index[stock["replication"] == 1]
    row = int(second[5])  # the sixth row of replication 1
    before = int(stock.loc[row, "on_hand"])
    change(folder, "stock", "on_hand", row, add=1)
    result = vaxsim("verify", "run")
    assert result.exit_code == 1
    first = result.stdout.splitlines()[0]
    assert first == (
        f"Different: replication 1, table stock, row 5, column on_hand: "
        f"{before + 1} in the run, {before} now."
    )
    for word in ("vaxsim", "python", "platform", "numpy", "numba", "in the run", "here"):
        assert word in result.stdout
    assert "Traceback" not in result.output


def test_a_missing_row_is_a_difference(folder: Path) -> None:
    path = folder / "tables" / "sessions" / "part-00000.parquet"
    whole = pq.read_table(path)
    pq.write_table(whole.slice(0, whole.num_rows - 1), path, compression="zstd")
    register(folder, "sessions", path)
    difference = verify(open_run(folder), workers=1).difference
    assert difference is not None
    assert (difference.replication, difference.table, difference.in_run) == (2, "sessions", None)


def test_only_the_replications_asked_for_are_compared(folder: Path) -> None:
    change(folder, "reasons", "persons", 0, add=1)  # in replication 0
    assert vaxsim("verify", "run", "--replications", "1,2").exit_code == 0
    assert vaxsim("verify", "run", "--replications", "0,2").exit_code == 1
    found = json.loads(vaxsim("verify", "run", "--replications", "2", "--json").stdout)
    assert found["replications"] == [0]  # 0 and 2 were chosen; the first differs
    assert found["identical"] is False
    assert found["difference"]["table"] == "reasons"


def test_tables_in_other_bytes_are_identical_and_that_is_told(folder: Path) -> None:
    path = folder / "tables" / "stock" / "part-00000.parquet"
    pq.write_table(pq.read_table(path), path, compression="none")  # as another library might
    register(folder, "stock", path)
    result = vaxsim("verify", "run")
    assert result.exit_code == 0
    n = len(TABLE_NAMES)
    assert f"Of {n} files made again, {n - 1} have the same bytes." in result.stdout


def test_parts_of_several_batches_are_compared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "REPLICATIONS_PER_PART", 2)
    monkeypatch.setattr("sim.experiment.verification.REPLICATIONS_PER_PART", 2)
    assert vaxsim(*RUN, "--out", "other").exit_code == 0
    found = verify(open_run(folder.parent / "other"), workers=1)
    assert found.identical
    assert (found.parts, found.parts_with_other_bytes) == (2 * len(TABLE_NAMES), 0)


def test_a_missing_value_equals_a_missing_value(folder: Path) -> None:
    # before the deadline there is no number of people vaccinated by it
    values = pq.read_table(folder / "tables" / "replications" / "part-00000.parquet")
    assert pc.is_null(values["first_doses_by_deadline"]).to_pylist() == [True] * 3
    assert verify(open_run(folder), workers=1).identical


def test_damage_is_an_error_and_no_difference(folder: Path) -> None:
    path = folder / "tables" / "daily" / "part-00000.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    result = vaxsim("verify", "run")
    assert result.exit_code == 2
    assert "part-00000.parquet is damaged" in result.stderr


def test_replications_are_chosen_by_number_or_how_many() -> None:
    assert chosen_replications(None, 4) == [0, 1, 2, 3]
    assert chosen_replications("0,3,7", 8) == [0, 3, 7]
    assert chosen_replications("7,", 8) == [7]
    assert chosen_replications("3", 9) == [0, 4, 8]
    assert chosen_replications("1", 9) == [0]
    assert chosen_replications("9", 9) == list(range(9))


@pytest.mark.parametrize("text", ["", "0", "-1", "10", "0,9", "-1,2", "x", "1;2", ","])
def test_replications_that_the_run_does_not_have_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="replications"):
        chosen_replications(text, 9)


# run RUN --------------------------------------------------------------------------------------


def test_a_run_is_made_again_from_its_manifest_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "small.toml").unlink()
    for source, out in (("run", "again"), ("run/manifest.json", "and-again")):
        result = vaxsim("run", source, "--out", out)
        assert result.exit_code == 0, result.output
        assert everything(tmp_path / out) == everything(folder)


def test_options_and_overrides_change_what_is_made_again(folder: Path, tmp_path: Path) -> None:
    result = vaxsim(
        "run", "run", "--out", "other", "--seed", "5", "--set", "call_centre.lines=9",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    other = open_run(tmp_path / "other")
    assert other.settings.seed == 5
    assert other.settings.replications == 3
    assert other.scenario.call_centre.lines == 9
    result = vaxsim("run", "run", "--seed", "5")
    assert result.exit_code == 2
    assert "holds another run (seed 1 and not 5)" in result.stderr


def unfinish(folder: Path) -> None:
    """Make it a run that was killed after its parts were written."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["complete"] = False
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_an_unfinished_run_is_finished_by_its_folder(folder: Path) -> None:
    expected = everything(folder)
    unfinish(folder)
    result = vaxsim("run", "run")
    assert result.exit_code == 0, result.output
    assert everything(folder) == expected


# show, runs -----------------------------------------------------------------------------------


def test_show_tells_what_a_run_is_and_its_answer(folder: Path) -> None:
    text = vaxsim("show", "run").stdout
    for words in ("A small campaign", "(finished)", "seed", "Python", "Who is vaccinated"):
        assert words in text
    found = json.loads(vaxsim("show", "run", "--json").stdout)
    assert (found["complete"], found["replications"], found["replications_there"]) == (True, 3, 3)
    assert found["verdict"].startswith("Unknown: the simulation ends on 12 June 2021")


def test_show_tells_what_is_missing(folder: Path) -> None:
    unfinish(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["replications"] = 50
    (folder / "manifest.json").write_text(json.dumps(manifest))
    result = vaxsim("show", "run")
    assert result.exit_code == 0
    assert "(3 of 50 replications)" in result.stdout
    assert "Replications 3 to 49 are missing: vaxsim run run goes on from there." in result.stdout


def test_show_names_damaged_files(folder: Path) -> None:
    (folder / "tables" / "stock" / "part-00000.parquet").write_bytes(b"PAR1")
    (folder / "tables" / "agents" / "part-00000.parquet").unlink()
    result = vaxsim("show", "run")
    assert result.exit_code == 2
    assert "stock" in result.stderr
    assert "agents" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["show", "verify", "plot"])
def test_truncated_and_foreign_runs_are_refused(folder: Path, command: str) -> None:
    path = folder / "tables" / "daily" / "part-00000.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    result = vaxsim(command, "run")
    assert result.exit_code == 2
    assert "part-00000.parquet" in result.stderr
    path.write_bytes(whole)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 1}))
    result = vaxsim(command, "run")
    assert result.exit_code == 2
    assert "was written in format 1 by vaxsim" in result.stderr


def test_runs_lists_runs_finished_unfinished_and_unreadable(folder: Path, tmp_path: Path) -> None:
    assert vaxsim(*RUN, "--out", "half").exit_code == 0
    unfinish(tmp_path / "half")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    (tmp_path / "no-run").mkdir()
    result = vaxsim("runs", ".")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["folder", "half", "run", "cannot"]
    assert "finished" in lines[2]
    assert "3 of 3 replications" in lines[1]
    assert "broken/manifest.json is damaged" in lines[3]
    found = json.loads(vaxsim("runs", ".", "--json").stdout)
    assert [each["run"] for each in found["runs"]] == ["half", "run"]
    assert len(found["errors"]) == 1


def test_runs_lists_sweeps_comparisons_and_studies_too(folder: Path, tmp_path: Path) -> None:
    few = ("--replications", "1", "--workers", "1", "--until", "2021-06-05")
    vary = ("--vary", "call_centre.lines=2,4", "--out", "swept")
    assert vaxsim("sweep", "small.toml", *vary, *few).exit_code == 0
    (tmp_path / "lines.toml").write_text('extends = "small.toml"\n[call_centre]\nlines = 2\n')
    compare = ("compare", "small.toml", "lines.toml", "--out", "compared")
    assert vaxsim(*compare, *few).exit_code == 0
    source = Source.of(tmp_path / "small.toml")
    StudyPlan("goal", source, RunSettings(seed=7), {}, tmp_path / "asked").write({}, {})
    lines = vaxsim("runs", ".").stdout.splitlines()
    rows = [" ".join(line.split()) for line in lines[1:]]
    assert [row.split()[:2] for row in rows] == [
        ["asked", "goal"], ["compared", "comparison"], ["run", "run"], ["swept", "sweep"],
    ]  # fmt: skip
    assert all("finished" in row for row in rows)
    assert rows[0].endswith("A small campaign")
    assert rows[1] == "compared comparison 1 1 finished small, lines"
    found = json.loads(vaxsim("runs", ".", "--json").stdout)
    assert [each["run"] for each in found["runs"]] == ["run"]
    assert [(each["kind"], each["seed"]) for each in found["studies"]] == [
        ("goal", 7), ("comparison", 1), ("sweep", 1),
    ]  # fmt: skip
    # A sweep that was stopped, and a comparison that is damaged
    manifest = json.loads((tmp_path / "swept" / "sweep.json").read_text())
    (tmp_path / "swept" / "sweep.json").write_text(json.dumps({**manifest, "complete": False}))
    unfinish(tmp_path / "swept" / "points" / "0001")
    (tmp_path / "compared" / "comparison.json").write_text('{"runs": {}}')
    text = vaxsim("runs", ".").stdout
    assert "1 of 2 points" in text
    assert f"{Path('compared') / 'comparison.json'} is damaged" in text


def test_a_study_is_no_run_and_show_shows_it(tmp_path: Path) -> None:
    source = Source.of(tmp_path / "small.toml")
    StudyPlan("goal", source, RunSettings(), {}, Path("my study")).write({}, {})
    for command in ("verify", "plot"):
        result = vaxsim(command, "my study")
        assert result.exit_code == 2
        assert "is no run but a study: vaxsim show 'my study' shows it" in result.stderr


def test_suggested_commands_can_be_typed_as_they_are(tmp_path: Path) -> None:
    result = vaxsim(*RUN, "--out", "June's $run")
    assert result.exit_code == 0, result.output
    quoted = shlex.quote("June's $run")
    assert f"Pictures: vaxsim plot {quoted}" in result.stdout
    unfinish(tmp_path / "June's $run")
    assert f"holds an unfinished run: vaxsim run {quoted} finishes it" in (
        vaxsim("verify", "June's $run").stderr
    )
    path = tmp_path / "June's $run" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "replications": 4}))
    shown = vaxsim("show", "June's $run").stdout
    assert f"Replication 3 is missing: vaxsim run {quoted} goes on from there." in shown


def test_one_replication_is_not_replications(tmp_path: Path) -> None:
    one = ("--replications", "1", "--workers", "1", "--until", "2021-06-05", "--out", "one")
    assert "1 replications" not in vaxsim("run", "small.toml", *one).stdout
    assert vaxsim("verify", "one").stdout.startswith("Identical: 1 of 1 replication simulated")
    unfinish(tmp_path / "one")
    assert "(1 of 1 replication)" in vaxsim("show", "one").stdout


def test_runs_of_no_folder_is_refused() -> None:
    result = vaxsim("runs", "nowhere")
    assert result.exit_code == 2
    assert "there is no folder nowhere" in result.stderr


def test_a_run_of_another_version_is_refused_and_left_alone(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "vaxsim": "0.0.1"}))
    before = everything(folder)
    for source in ("small.toml", "run"):
        result = vaxsim("run", source, *RUN[2:], "--out", "run")
        assert result.exit_code == 2
        assert "vaxsim 0.0.1 and not" in result.stderr
    assert everything(folder) == before
    # it can still be shown, and verified: that is what verify is for
    assert vaxsim("show", "run").exit_code == 0
    text = vaxsim("verify", "run").stdout
    assert "0.0.1" in text
    assert "(differs)" in text
