"""Claims about event logs: they say what the tables of the run say, event by event."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomlkit
from small_campaign import SMALL, small_scenario
from typer.testing import CliRunner, Result

from sim import trace
from sim.cli import app
from sim.engine import ENGINES, get_engine
from sim.experiment.event_log import event_log, write_log
from sim.experiment.settings import RunSettings, SettingsError
from sim.model.campaign import simulate
from sim.scenario import Scenario

DAYS = [date(2021, 6, day) for day in (2, 3, 4, 5, 8)]
"""Open days of the units and of the call centre."""

STATIONS = {"registration": 1, "vaccination": 2, "observation": 12}


def crowded() -> Scenario:
    """The small campaign, short of everything: every way to leave a unit or to end a call."""
    unit = {
        "walk_ins_per_day": 5.0,
        "slots_per_day": 100,
        "stations": {
            "registration": {"staff": 1, "minutes": {"distribution": "exponential", "mean": 1.2}},
            "vaccination": {"walk_minutes": 1.5, "overtime_minutes": 3.0},
            "observation": {"staff": 12, "overtime_minutes": 4.0},
        },
    }
    return small_scenario(
        {
            "campaign": {"vaccination_from": date(2021, 6, 2)},
            "groups": {"late": {"books_when_answered": 0.8, "turn_from": date(2021, 6, 3)}},
            "call_centre": {
                "lines": 4,
                "at_closing": "cut_off",
                "inquiries_per_person": 0.3,
                "reconnect_probability": 0.2,
                "reconnect_delay_minutes": 5.0,
                "inquiry_wrap_up_minutes": 2.0,
                "pools": {
                    "desk": {"languages": ["thai", "burmese"], "agents": 1},
                    "second": {
                        "languages": ["burmese"],
                        "agents": 0,
                        "shifts": [{"start": "09:00", "end": "11:00", "staff": 2}],
                    },
                },
            },
            "deliveries": {"first": {"arrives": date(2021, 6, 2), "doses": 200}},
            "supply": {"allocation": "equally"},
            "appointments": {
                "stock_rule": "ignore",
                "waiting_tolerance_minutes": {
                    "distribution": "exponential",
                    "mean": 40.0,
                },
                "punctuality_minutes": {"distribution": "uniform", "low": -30.0, "high": 60.0},
            },
            "unit_types": {"hall": unit},
        }
    )


@cache
def tables(engine: str = "compiled") -> dict[str, pd.DataFrame]:
    return simulate(crowded(), get_engine(engine), seed=1, replication=0)


@cache
def log(day: date, unit: str | None) -> pd.DataFrame:
    return event_log(crowded(), day, unit)


def row_of(table: str, day: date, **where: str) -> pd.Series[Any]:
    """Sums of a table's rows of that day."""
    frame = tables()[table]
    chosen = frame["date"] == pd.Timestamp(day)
    for column, value in where.items():
        chosen &= frame[column] == value
    return frame[chosen].sum(numeric_only=True)


PATIENTS = [(day, unit) for day in DAYS for unit in ("north", "south")]
PLACES: list[tuple[date, str | None]] = [*PATIENTS, *((day, None) for day in DAYS)]


# Conservation -------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "unit"), PLACES)
def test_everybody_arrives_once_departs_once_and_nothing_happens_outside(
    day: date, unit: str | None
) -> None:
    frame = log(day, unit)
    assert frame["time"].is_monotonic_increasing
    for _entity, events in frame.groupby("entity_id"):
        assert events["event"].iloc[0] == "arrival"
        assert events["event"].iloc[-1] == "depart"
        assert (events["event_type"] == "arrival_departure").sum() == 2
        assert events["outcome"].notna().tolist() == [False] * (len(events) - 1) + [True]
    # numbered in order of arrival
    arrivals = frame.loc[frame["event"] == "arrival", "entity_id"]
    assert arrivals.tolist() == list(range(1, len(arrivals) + 1))


@pytest.mark.parametrize(("day", "unit"), PLACES)
def test_a_resource_serves_one_at_a_time_and_what_begins_ends(day: date, unit: str | None) -> None:
    # Read from the top, as anybody would: taken by one entity, then freed by the same.
    holder: dict[tuple[Any, int], int] = {}
    used = log(day, unit).query("event_type in ('resource_use', 'resource_use_end')")
    for event in used.itertuples():
        resource = (event.station if unit else "agent", event.resource_id)
        if event.event_type == "resource_use":
            assert resource not in holder
            holder[resource] = event.entity_id
        else:
            assert holder.pop(resource) == event.entity_id
    assert not holder


@pytest.mark.parametrize(("day", "unit"), PATIENTS)
def test_no_station_has_more_in_service_than_staff(day: date, unit: str) -> None:
    used = log(day, unit).query("event_type == 'resource_use'")
    for station, staff in STATIONS.items():
        assert used.loc[used["station"] == station, "resource_id"].between(1, staff).all()


@pytest.mark.parametrize("day", DAYS)
def test_agents_are_numbered_through_the_pools_and_work_within_their_shifts(day: date) -> None:
    answered = log(day, None).query("event == 'answered'")
    # one agent in the first pool, two in the second, there from 09:00 to 11:00
    assert (answered.loc[answered["pool"] == "desk", "resource_id"] == 1).all()
    second = answered[answered["pool"] == "second"]
    assert second["resource_id"].isin([2, 3]).all()
    assert second["time"].between(540, 660).all()


@pytest.mark.parametrize(("day", "unit"), PATIENTS)
def test_a_patient_passes_the_stations_in_order(day: date, unit: str) -> None:
    whole = [
        "arrival", "wait_for_registration", "registration", "registration_end",
        "walk_to_vaccination", "wait_for_vaccination", "vaccination", "vaccinated",
        "wait_for_observation", "observation", "observation_end",
    ]  # fmt: skip
    for _entity, events in log(day, unit).groupby("entity_id"):
        names = events["event"].tolist()[:-1]
        assert names == whole[: len(names)]
        assert (events["outcome"].iloc[-1] == "completed") == (names == whole)
        walk = events.loc[events["event"].isin(["walk_to_vaccination", "wait_for_vaccination"])]
        assert np.diff(walk["time"]) == pytest.approx([1.5] * (len(walk) - 1))


# Against the tables -------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "unit"), PATIENTS)
def test_a_units_log_counts_as_its_tables_do(day: date, unit: str) -> None:
    frame, daily = log(day, unit), row_of("daily", day, unit=unit)
    events = frame["event"].value_counts()
    paths = frame.loc[frame["event"] == "arrival", "pathway"].value_counts()
    outcomes = frame.loc[~frame["entity_id"].isin(vaccinated(frame)), "outcome"].value_counts()
    assert events.get("vaccinated", 0) == daily["administered"]
    assert paths.get("walk_in", 0) == daily["walk_ins"]
    assert paths.get("appointment", 0) == daily["appointments"] - daily["no_shows"]
    for outcome in ("no_dose", "left", "late", "closed"):
        assert outcomes.get(outcome, 0) == daily[outcome]
    for station in STATIONS:
        row = row_of("stations", day, unit=unit, station=station)
        here = frame[frame["station"] == station]
        begun = here[here["event_type"] == "resource_use"]
        ended = here[here["event_type"] == "resource_use_end"]
        assert len(begun) == len(ended) == row["served"]
        assert ended["time"].sum() - begun["time"].sum() == pytest.approx(row["busy"])


@pytest.mark.parametrize(("day", "unit"), PATIENTS)
def test_a_units_stays_and_waits_are_those_of_its_tables(day: date, unit: str) -> None:
    frame = log(day, unit)
    admitted = frame.groupby("entity_id")["outcome"].last() != "closed"
    stays = frame.groupby("entity_id")["time"].agg(lambda times: times.iloc[-1] - times.iloc[0])
    session = row_of("sessions", day, unit=unit)
    assert admitted.sum() == session["patients"]
    assert stays[admitted].sum() == pytest.approx(session["time_inside"])
    # who stands in a queue waits until the next event of theirs
    following = frame.groupby("entity_id")["time"].shift(-1)
    waits = (following - frame["time"]).groupby(frame["event"]).sum()
    for station in STATIONS:
        wait = row_of("stations", day, unit=unit, station=station)["wait"]
        assert waits.get(f"wait_for_{station}", 0) == pytest.approx(wait)


def vaccinated(frame: pd.DataFrame) -> pd.Series[Any]:
    return frame.loc[frame["event"] == "vaccinated", "entity_id"]


@pytest.mark.parametrize("day", DAYS)
def test_the_call_centres_log_counts_as_its_tables_do(day: date) -> None:
    frame = log(day, None)
    calls, callers = row_of("call_centre", day), row_of("callers", day)
    events, outcomes = frame["event"].value_counts(), frame["outcome"].value_counts()
    for event, column in {
        "call": "offered", "answered": "answered", "abandoned": "abandoned",
        "busy": "blocked", "cut_off": "cut_off", "wait_for_agent": "delayed",
    }.items():  # fmt: skip
        assert events.get(event, 0) == calls[column], event
    assert frame["entity_id"].nunique() == callers["callers"]
    assert outcomes.get("booked", 0) == callers["bookings"]
    assert outcomes.get("gave_up", 0) == callers["gave_up"]
    assert outcomes.get("calls_another_day", 0) == callers["carried"]
    following = frame.groupby("entity_id")["time"].shift(-1)
    waits = (following - frame["time"])[frame["event"] == "wait_for_agent"]
    assert waits.sum() == pytest.approx(calls["wait_all"])


@pytest.mark.parametrize("day", DAYS)
def test_agents_are_as_busy_in_the_log_as_in_the_tables(day: date) -> None:
    # The log works out how long a call lasts from the contract; the tables have it from the engine.
    # After each inquiry come 2 minutes of work.
    frame = log(day, None)
    begun, ended = (frame[frame["event"] == event] for event in ("answered", "call_end"))
    for pool in ("desk", "second"):
        agents = row_of("agents", day, pool=pool)
        times = [part.loc[part["pool"] == pool, "time"].sum() for part in (begun, ended)]
        work = 2.0 * len(ended.query("pool == @pool and pathway == 'inquiry'"))
        assert times[1] - times[0] + work == pytest.approx(agents["busy"] + agents["overtime"])


@pytest.mark.parametrize("day", DAYS)
def test_who_redials_does_so_at_the_time_said(day: date) -> None:
    frame = log(day, None)
    said = frame.loc[frame["redial_at"].notna(), ["entity_id", "redial_at"]]
    calls = frame[frame["event"] == "call"]
    again = calls[calls["entity_id"].duplicated()]
    assert sorted(said.itertuples(index=False)) == sorted(
        again[["entity_id", "timestamp"]].itertuples(index=False)
    )
    assert (calls.groupby("entity_id")["attempt"].diff().dropna() == 1).all()


def test_every_way_to_end_a_visit_or_a_call_appears() -> None:
    frames = {place: log(*place) for place in PLACES}
    units = pd.concat([frame for (_, unit), frame in frames.items() if unit])
    centre = pd.concat([frame for (_, unit), frame in frames.items() if not unit])
    assert set(units["outcome"].dropna()) == {"completed", "left", "late", "no_dose", "closed"}
    assert set(centre["outcome"].dropna()) == {
        "booked", "declined", "informed", "calls_another_day", "gave_up",
    }  # fmt: skip
    assert {"busy", "abandoned", "cut_off", "answered"} <= set(centre["event"])
    assert centre["redial_at"].notna().any()
    assert set(units["pathway"]) == {"appointment", "walk_in"}


# Engines, replications, files ---------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("unit", ["north", None])
def test_both_engines_write_the_same_bytes(unit: str | None, suffix: str, tmp_path: Path) -> None:
    written = []
    for engine in ENGINES:
        settings = RunSettings(seed=7, engine=engine)
        path = tmp_path / f"{engine}{suffix}"
        write_log(event_log(crowded(), DAYS[-1], unit, settings, replication=2), path)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert len(written[0]) > 1000


def test_a_parquet_file_gives_the_log_back(tmp_path: Path) -> None:
    write_log(log(DAYS[0], None), tmp_path / "day.parquet")
    back = pd.read_parquet(tmp_path / "day.parquet")
    pd.testing.assert_frame_equal(back, log(DAYS[0], None), check_dtype=False)


def test_python_gives_the_same_log_as_a_table() -> None:
    found = trace(crowded(), "2021-06-02", "north")
    pd.testing.assert_frame_equal(found, log(date(2021, 6, 2), "north"))
    for wrong in ({"day": "2 June"}, {"engine": "fast"}, {"replication": -1}, {"unit": "nort"}):
        with pytest.raises(SettingsError):
            trace(**{"scenario": crowded(), "day": "2021-06-02", "unit": "north", **wrong})


def test_timestamps_are_the_times_of_that_day() -> None:
    frame = log(DAYS[0], "north")
    minutes = (frame["timestamp"] - pd.Timestamp(DAYS[0])) / pd.Timedelta(minutes=1)
    assert minutes.to_numpy() == pytest.approx(frame["time"].to_numpy())


def test_the_dose_of_a_visit_is_the_one_that_is_due() -> None:
    # 14 days after the first doses of 2 and 3 June, second ones are given
    frame = log(date(2021, 6, 17), "north")
    daily = tables()["daily"].query("unit == 'north'")
    daily = daily[daily["date"] == pd.Timestamp("2021-06-17")]
    doses = frame.loc[frame["event"] == "arrival", "dose"].value_counts()
    came = daily.groupby("dose")[["appointments", "walk_ins"]].sum().sum(axis=1)
    came -= daily.groupby("dose")["no_shows"].sum()
    assert doses.to_dict() == came[came > 0].to_dict()
    assert set(doses.index) == {1, 2}


# The command --------------------------------------------------------------------------------


@pytest.fixture
def scenario_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(tomlkit.dumps(SMALL))
    return "small.toml"


def vaxsim(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


def test_the_command_writes_the_log_and_says_what_is_in_it(scenario_file: str) -> None:
    done = vaxsim(
        "trace", scenario_file, "--date", "2021-06-04", "--unit", "north", "--out", "a/day.csv"
    )
    assert done.exit_code == 0, done.stderr
    frame = pd.read_csv("a/day.csv")
    assert f"{frame['entity_id'].nunique():,} people" in done.stdout
    assert f"{len(frame):,} events" in done.stdout
    again = vaxsim(
        "trace", scenario_file, "--date", "2021-06-04", "--unit", "north", "--out", "b.csv",
        "--engine", "reference",
    )  # fmt: skip
    assert again.exit_code == 0
    assert Path("b.csv").read_bytes() == Path("a/day.csv").read_bytes()


def test_seed_replication_and_set_change_the_log(scenario_file: str) -> None:
    logs = []
    for number, options in enumerate(
        [[], ["--seed", "2"], ["--replication", "1"], ["--set", "call_centre.pools.desk.agents=5"]]
    ):
        file = f"{number}.csv"
        done = vaxsim(
            "trace", scenario_file, "--date", "2021-06-04", "--call-centre", "--out", file, *options
        )
        assert done.exit_code == 0, done.stderr
        logs.append(Path(file).read_bytes())
    assert len(set(logs)) == 4


def test_a_day_of_a_run_has_the_seed_and_the_scenario_of_the_run(scenario_file: str) -> None:
    ran = vaxsim("run", scenario_file, "--seed", "3", "--replications", "1", "--out", "run")
    assert ran.exit_code == 0, ran.stderr
    day = ["--date", "2021-06-04", "--unit", "north", "--out"]
    assert vaxsim("trace", "run", *day, "a.csv").exit_code == 0
    assert vaxsim("trace", scenario_file, "--seed", "3", *day, "b.csv").exit_code == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    # the run has one replication, 0: there is no other to write down
    none = vaxsim("trace", "run", "--replication", "1", *day, "c.csv")
    assert none.exit_code == 2
    assert "--replication 1: the run has 0 to 0" in none.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--date", "2021-06-06", "--unit", "north"], "closed on Sunday, 6 June 2021"),
        (["--date", "2021-06-02", "--unit", "north"], "from 3 June 2021"),
        (["--date", "2021-06-06", "--call-centre"], "call centre is closed on Sunday"),
        (["--date", "2021-06-21", "--call-centre"], "to 20 June 2021"),
        (["--date", "2021-07-01", "--unit", "north"], "from 1 June 2021 to 30 June 2021"),
        (["--date", "4 June", "--unit", "north"], "write it as YYYY-MM-DD"),
        (["--date", "2564-09-03", "--unit", "north"], "Buddhist year: write 2021-09-03"),
        (["--date", "2021-06-04", "--unit", "nort"], "did you mean north?"),
        (["--date", "2021-06-04", "--unit", "zzz"], "the units are north, south"),
        (["--date", "2021-06-04"], "--unit NAME or --call-centre"),
        (["--date", "2021-06-04", "--unit", "north", "--call-centre"], "give either"),
        (["--date", "2021-06-04", "--unit", "north", "--set", "x=1"], "x"),
    ],
)
def test_wrong_input_is_told_and_nothing_is_written(
    options: list[str], told: str, scenario_file: str
) -> None:
    done = vaxsim("trace", scenario_file, *options, "--out", "day.csv")
    assert done.exit_code == 2
    assert told in done.stderr
    assert not Path("day.csv").exists()


def test_a_file_that_is_there_stays(scenario_file: str) -> None:
    Path("day.csv").write_text("mine")
    options = ["--date", "2021-06-04", "--unit", "north", "--out"]
    for name, told in [("day.csv", "is there already"), (".", "folder"), ("day.csv/x", "a file"),
                       ("day.xlsx", "ends in .csv or .parquet"), ("day", ".csv")]:  # fmt: skip
        done = vaxsim("trace", scenario_file, *options, name)
        assert done.exit_code == 2
        assert told in done.stderr
    assert Path("day.csv").read_text() == "mine"


def test_nobody_came_is_told(scenario_file: str) -> None:
    done = vaxsim(
        "trace", scenario_file, "--date", "2021-06-04", "--unit", "north", "--out", "day.csv",
        "--set", "deliveries.first.doses=0", "--set", "deliveries.second.doses=0",
    )  # fmt: skip
    assert done.exit_code == 2
    assert "nobody came to north on 4 June 2021" in done.stderr
    assert not Path("day.csv").exists()
