"""Claims about runs: replications in processes, the folder, reading back, damage."""

import contextlib
import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_campaign import made_up_tables, small_scenario

import sim.experiment.results as results
from sim.experiment.measures import measures_of
from sim.experiment.packing import pack
from sim.experiment.replications import Task
from sim.experiment.results import (
    FORMAT,
    Run,
    RunError,
    default_folder,
    open_run,
    scenario_data,
    scenario_digest,
)
from sim.experiment.run_writer import RunWriter, finished_run
from sim.experiment.runs import carry_out
from sim.experiment.settings import RunSettings, SettingsError
from sim.experiment.work import do_work
from sim.model.records import TABLES
from sim.scenario_files import scenario_from_data

SETTINGS = RunSettings(replications=3, workers=1)


@pytest.fixture(scope="module")
def scenario() -> Any:
    return small_scenario()


def with_measures(scenario: Any, replication: int) -> dict[str, pd.DataFrame]:
    tables = made_up_tables(scenario, replication)
    row = {"replication": replication, **measures_of(tables, scenario)}
    return {**tables, "replications": pd.DataFrame([row])}


def write(folder: Path, scenario: Any, settings: RunSettings = SETTINGS) -> Run:
    """A run of made-up tables."""
    with RunWriter(folder, scenario, settings) as writer:
        for replication in range(settings.replications):
            writer.add(replication, pack(with_measures(scenario, replication)))
        return writer.finish()


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.parquet"))}


# Writing and reading --------------------------------------------------------------------------


def test_tables_come_back_as_they_were(tmp_path: Path, scenario: Any) -> None:
    run = write(tmp_path / "run", scenario)
    for name in TABLES:
        expected = pd.concat(
            [with_measures(scenario, r)[name] for r in range(3)], ignore_index=True
        )
        pd.testing.assert_frame_equal(run.table(name), expected)


def test_a_run_is_opened_with_its_scenario_and_settings(tmp_path: Path, scenario: Any) -> None:
    write(tmp_path / "run", scenario)
    run = open_run(tmp_path / "run")
    assert run.scenario == scenario
    assert run.settings == replace(SETTINGS, workers=None)
    assert run.estimates["first_doses_by_deadline"].mean == (672 + 648 + 624) / 3


def test_a_run_can_be_moved(tmp_path: Path, scenario: Any) -> None:
    write(tmp_path / "run", scenario)
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    assert len(open_run(tmp_path / "elsewhere").table("replications")) == 3


def test_same_run_has_same_bytes_and_digests(tmp_path: Path, scenario: Any) -> None:
    first, second = (write(tmp_path / name, scenario) for name in ("a", "b"))
    assert content(first.folder) == content(second.folder)
    assert first.manifest["parts"] == second.manifest["parts"]


def test_parts_hold_at_most_so_many_replications(
    tmp_path: Path, scenario: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "REPLICATIONS_PER_PART", 2)
    run = write(tmp_path / "run", scenario, replace(SETTINGS, replications=5))
    numbers = [sorted(part["replication"].unique()) for part in run.parts("daily")]
    assert numbers == [[0, 1], [2, 3], [4]]
    curve = run.coverage("first")
    last = curve[curve["date"] == curve["date"].max()]
    # 24 sessions of 28 doses less the number of the replication
    assert last["persons"].tolist() == [24 * (28 - r) for r in range(5)]


def test_parts_have_documented_types_and_no_metadata(tmp_path: Path, scenario: Any) -> None:
    run = write(tmp_path / "run", scenario)
    arrow = {"int64": "int64", "float64": "double", "date": "date32[day]", "category": "string"}
    for name, table in TABLES.items():
        schema = pq.read_schema(run.folder / run.manifest["parts"][name][0]["file"])
        assert schema.metadata is None
        assert {f.name: str(f.type) for f in schema} == {
            column.name: arrow[column.type] for column in table.columns
        }


def test_manifest_says_what_was_run_with_what(tmp_path: Path, scenario: Any) -> None:
    run = write(tmp_path / "run", scenario)
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert manifest["complete"] is True
    assert manifest["format"] == FORMAT
    assert manifest["seed"] == 1
    assert manifest["scenario_sha256"] == scenario_digest(scenario)
    assert set(manifest["libraries"]) == {
        "numpy", "numba", "simpy", "scipy", "pandas", "pyarrow",
    }  # fmt: skip
    assert manifest["parts"]["daily"][0]["rows"] == len(run.table("daily"))
    assert str(tmp_path) not in json.dumps(manifest)  # a run can be handed on


def test_scenario_survives_json(scenario: Any) -> None:
    data = json.loads(json.dumps(scenario_data(scenario)))
    assert scenario_from_data(data) == scenario


def test_digest_notices_the_order_of_stations(scenario: Any) -> None:
    data = scenario_data(scenario)
    for unit in (*data["units"].values(), *data["unit_types"].values()):
        unit["stations"] = {
            name: unit["stations"][name] for name in ("vaccination", "registration", "observation")
        }
    assert scenario_digest(scenario_from_data(data)) != scenario_digest(scenario)


def test_default_folder_tells_scenario_seed_and_replications(scenario: Any) -> None:
    name = default_folder("plan", scenario, RunSettings(seed=7, replications=20)).name
    assert name == f"plan-{scenario_digest(scenario)[:8]}-s7-r20"
    other = default_folder("plan", scenario, RunSettings(engine="reference")).name
    assert other.endswith("-reference")


# Folders that cannot be used ------------------------------------------------------------------


def test_free_and_empty_folders_can_be_used(tmp_path: Path, scenario: Any) -> None:
    assert finished_run(tmp_path / "new", scenario, SETTINGS) is None
    assert finished_run(tmp_path, scenario, SETTINGS) is None


def test_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path, scenario: Any) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(RunError, match="holds other files"):
        finished_run(tmp_path, scenario, SETTINGS)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"seed": 2}, "seed 1 and not 2"),
        ({"replications": 4}, "replications 3 and not 4"),
        ({"engine": "reference"}, "engine compiled and not reference"),
    ],
)
def test_folder_with_another_run_is_refused_saying_what_differs(
    tmp_path: Path, scenario: Any, change: dict[str, Any], what: str
) -> None:
    write(tmp_path / "run", scenario)
    with pytest.raises(RunError, match=what):
        finished_run(tmp_path / "run", scenario, replace(SETTINGS, **change))


def test_folder_with_another_scenario_is_refused_even_with_fresh(
    tmp_path: Path, scenario: Any
) -> None:
    write(tmp_path / "run", scenario)
    other = small_scenario({"call_centre": {"lines": 7}})
    for fresh in (False, True):
        with pytest.raises(RunError, match="another scenario"):
            finished_run(tmp_path / "run", other, SETTINGS, fresh)


def test_the_same_run_is_found_and_not_simulated_again(tmp_path: Path, scenario: Any) -> None:
    write(tmp_path / "run", scenario)
    found = finished_run(tmp_path / "run", scenario, replace(SETTINGS, workers=2))
    assert found is not None
    assert finished_run(tmp_path / "run", scenario, SETTINGS, fresh=True) is None


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path, scenario: Any) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match="is a file"):
        finished_run(tmp_path / "run", scenario, SETTINGS)


def test_folder_that_cannot_be_made_is_an_error_and_leaves_nothing(
    tmp_path: Path, scenario: Any
) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RunError, match="cannot be written"),
        RunWriter(tmp_path / "file" / "run", scenario, SETTINGS),
    ):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_run_that_fails_before_its_first_replication_leaves_nothing_behind(
    tmp_path: Path, scenario: Any
) -> None:
    folder = tmp_path / "runs" / "one"

    def fail() -> None:
        with RunWriter(folder, scenario, SETTINGS) as writer:
            assert (folder / "manifest.json").is_file()
            assert writer.there == 0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["mkdir", "replace", "fsync"])
def test_ctrl_c_while_a_folder_is_claimed_leaves_nothing_behind(
    step: str, tmp_path: Path, scenario: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    do = getattr(os, step)

    def do_and_interrupt(*arguments: Any) -> None:
        do(*arguments)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been ignored
    monkeypatch.setattr(os, step, do_and_interrupt)
    try:
        with (
            pytest.raises(KeyboardInterrupt),
            RunWriter(tmp_path / "runs" / "one", scenario, SETTINGS),
        ):
            pass
    finally:
        signal.signal(signal.SIGINT, before)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_run_leaves_files_of_others_alone(tmp_path: Path, scenario: Any) -> None:
    folder = tmp_path / "one"

    def fail() -> None:
        with RunWriter(folder, scenario, SETTINGS):
            (folder / "notes.txt").write_text("mine")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [p.name for p in folder.iterdir()] == ["notes.txt"]


def test_a_failing_run_keeps_what_is_there_and_the_error_says_so(
    tmp_path: Path, scenario: Any
) -> None:
    folder = tmp_path / "run"

    def fail() -> None:
        with RunWriter(folder, scenario, SETTINGS) as writer:
            writer.add(0, pack(with_measures(scenario, 0)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        fail()
    assert caught.value.__notes__ == [
        f"1 of 3 replications are kept in {folder}; the same command goes on from there"
    ]
    with pytest.raises(RunError, match="unfinished"):
        open_run(folder)
    assert finished_run(folder, scenario, SETTINGS) is None


def test_a_run_goes_on_where_it_has_stopped_and_ends_with_the_same_bytes(
    tmp_path: Path, scenario: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "REPLICATIONS_PER_PART", 2)
    settings = replace(SETTINGS, replications=5)
    whole = write(tmp_path / "whole", scenario, settings)
    for stop in range(6):  # after so many replications; parts have 2
        folder = tmp_path / f"stopped-{stop}"
        with contextlib.suppress(ZeroDivisionError), RunWriter(folder, scenario, settings) as first:
            for replication in range(stop):
                first.add(replication, pack(with_measures(scenario, replication)))
            raise ZeroDivisionError
        with RunWriter(folder, scenario, settings) as second:
            assert second.there == stop
            for replication in range(stop, 5):
                second.add(replication, pack(with_measures(scenario, replication)))
            second.finish()
        assert everything(folder) == everything(whole.folder)


def everything(folder: Path) -> dict[str, object]:
    """All files of a run, but for the time at which it was begun."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.pop("created_at")
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {**files, "manifest.json": manifest}


def test_a_torn_file_of_an_unfinished_run_is_simulated_again(tmp_path: Path, scenario: Any) -> None:
    folder = tmp_path / "run"
    with contextlib.suppress(ZeroDivisionError), RunWriter(folder, scenario, SETTINGS) as writer:
        for replication in range(3):
            writer.add(replication, pack(with_measures(scenario, replication)))
        raise ZeroDivisionError
    torn = next((folder / "unfinished").glob("000001-*"))
    torn.write_bytes(torn.read_bytes()[:-100])  # as after the loss of power
    with RunWriter(folder, scenario, SETTINGS) as writer:
        assert writer.there == 1
        assert len(list((folder / "unfinished").iterdir())) == 1


def test_a_damaged_part_of_an_unfinished_run_is_named(
    tmp_path: Path, scenario: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "REPLICATIONS_PER_PART", 2)
    folder = tmp_path / "run"
    with contextlib.suppress(ZeroDivisionError), RunWriter(folder, scenario, SETTINGS) as writer:
        for replication in range(2):
            writer.add(replication, pack(with_measures(scenario, replication)))
        raise ZeroDivisionError
    part = folder / "tables" / "daily" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1])
    with (
        pytest.raises(RunError, match=r"daily.part-00000\.parquet is damaged"),
        RunWriter(folder, scenario, SETTINGS),
    ):
        pass
    assert part.is_file()  # nothing is thrown away


@pytest.mark.skipif(os.name != "posix", reason="file locks of POSIX")
def test_second_writer_in_the_same_folder_is_refused_and_harms_nothing(
    tmp_path: Path, scenario: Any
) -> None:
    folder = tmp_path / "run"
    with RunWriter(folder, scenario, SETTINGS) as writer:
        with (
            pytest.raises(RunError, match="another process is writing"),
            RunWriter(folder, scenario, SETTINGS),
        ):
            pass
        for replication in range(3):
            writer.add(replication, pack(with_measures(scenario, replication)))
        writer.finish()
    assert len(open_run(folder).table("replications")) == 3


# Damage ---------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, scenario: Any) -> Path:
    return write(tmp_path / "run", scenario).folder


def test_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such folder"):
        open_run(tmp_path / "nothing")
    with pytest.raises(RunError, match=r"has no manifest\.json"):
        open_run(tmp_path)


def test_run_of_another_format_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": FORMAT + 1}))
    with pytest.raises(RunError, match=f"format {FORMAT + 1} by vaxsim .* reads format {FORMAT}"):
        open_run(folder)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("parts", "none", "does not tell the parts of daily"),
        ("parts", {"daily": [{"file": 3}]}, "does not tell the parts of daily"),
        ("until", "soon", "soon"),
        ("seed", -1, "seed must be between 0"),
        ("replications", "many", "is damaged"),
        ("precision", {"at_most": 5}, "is damaged"),
        ("scenario", {}, "its scenario cannot be used"),
    ],
)
def test_edited_manifests_are_errors_that_say_what_is_wrong(
    folder: Path, key: str, value: object, message: str
) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, key: value}))
    with pytest.raises(RunError, match=message):
        open_run(folder)


def test_an_edited_scenario_of_a_run_is_noticed(folder: Path) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["scenario"]["call_centre"]["lines"] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(RunError, match="is not the one that was run"):
        open_run(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', f'{{"format": {FORMAT}}}'])
def test_damaged_manifest_is_an_error_that_names_it(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    with pytest.raises(RunError, match=r"manifest\.json"):
        open_run(folder)


def test_missing_part_is_named(folder: Path) -> None:
    (folder / "tables" / "stock" / "part-00000.parquet").unlink()
    with pytest.raises(RunError, match=r"tables/stock/part-00000\.parquet is missing"):
        open_run(folder)


def test_truncated_part_is_named(folder: Path) -> None:
    part = folder / "tables" / "stock" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"part-00000\.parquet has .* bytes instead of"):
        open_run(folder)


def test_edited_part_is_noticed_when_it_is_read(folder: Path) -> None:
    part = folder / "tables" / "stock" / "part-00000.parquet"
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    run = open_run(folder)
    run.table("daily")
    with pytest.raises(RunError, match=r"stock.part-00000\.parquet is damaged"):
        run.table("stock")


def test_unknown_table_is_an_error_that_lists_the_tables(folder: Path) -> None:
    with pytest.raises(RunError, match=r"no table 'dayly'.*daily"):
        open_run(folder).table("dayly")


# Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [{"seed": -1}, {"seed": 2**64}, {"replications": 0}, {"replications": -3}, {"workers": 0}],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        RunSettings(**wrong)


def test_until_must_lie_within_the_campaign(scenario: Any) -> None:
    for day in ("2021-05-31", "2021-07-01"):
        with pytest.raises(SettingsError, match=r"2021-06-01.*2021-06-30"):
            RunSettings(until=pd.Timestamp(day).date()).check_against(scenario)


def test_unknown_engine_is_refused(scenario: Any) -> None:
    with pytest.raises(SettingsError, match="compiled, reference, not 'steam'"):
        RunSettings(engine="steam").check_against(scenario)


def test_no_more_workers_than_replications() -> None:
    assert RunSettings(replications=2, workers=8).workers_used == 2


# Real simulations -----------------------------------------------------------------------------


def test_results_do_not_depend_on_workers_or_engine_or_repetition(
    tmp_path: Path, scenario: Any
) -> None:
    runs = {}
    for name, settings in {
        "one": RunSettings(replications=4, workers=1),
        "two": RunSettings(replications=4, workers=2),
        "reference": RunSettings(replications=4, workers=1, engine="reference"),
    }.items():
        run, simulated = carry_out(scenario, settings, tmp_path / name)
        assert simulated
        runs[name] = content(run.folder)
    assert runs["one"] == runs["two"]
    assert runs["one"] == runs["reference"]


def test_days_are_counted_while_simulating(scenario: Any) -> None:
    settings = RunSettings(replications=2, workers=1)
    seen: list[int] = []
    tasks = [Task(scenario, settings, number) for number in range(2)]
    for _ in do_work(tasks, 1, seen.append):
        pass
    assert seen == list(range(1, 2 * 30 + 1))
    assert settings.days(scenario) == 30


def test_until_ends_the_simulation_early(tmp_path: Path, scenario: Any) -> None:
    day = pd.Timestamp("2021-06-10")
    settings = RunSettings(replications=1, until=day.date())
    run, _ = carry_out(scenario, settings, tmp_path / "run")
    assert run.table("stock")["date"].max() == day
    assert run.coverage("first")["date"].max() == day
    assert run.estimates["first_doses_by_deadline"].mean is None


def test_stopping_in_the_middle_ends_the_workers_soon(scenario: Any) -> None:
    settings = RunSettings(replications=1000)
    results = do_work([Task(scenario, settings, number) for number in range(1000)], workers=2)
    task, _ = next(results)
    assert task.replication == 0
    start = time.monotonic()
    results.close()  # type: ignore[attr-defined]
    assert time.monotonic() - start < 5
