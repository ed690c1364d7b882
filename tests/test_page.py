"""The page without a browser: address, levers, answers, exports, and its script run by AppTest."""

from __future__ import annotations

import io
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
import zipfile
from base64 import b64decode
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sim.experiment import feasibility
from sim.experiment.replications import Task, replicate
from sim.experiment.run_in_memory import RunInMemory
from sim.experiment.settings import RunSettings
from sim.language import speaking
from sim.presentation import answer_view, terminal
from sim.presentation.page import charts, exports, headline, markup, panels
from sim.presentation.page.answers import Answered, Kept, answered, whatever_the_telephones
from sim.presentation.page.desk import Desk
from sim.presentation.page.ensemble import Ensemble
from sim.presentation.page.levers import levers
from sim.presentation.page.serving import SCRIPT, serve
from sim.presentation.page.state import (
    IMPORTED,
    Choice,
    Scenarios,
    State,
    changes_in,
    language_wanted,
    state_in,
)
from sim.scenario import Scenario
from sim.scenario_files import ScenarioError, Upload, load_scenario
from tests.small_campaign import SMALL, small_scenario

PLAN = Path("scenarios/plan.toml")


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small campaign as a file."""
    file = tmp_path_factory.mktemp("scenarios") / "small.toml"
    file.write_text(exports.scenario_file(small_scenario(), "small"), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def small_answer() -> Answered:
    return answered("small", small_scenario(), 1)


# The address ----------------------------------------------------------------------------------


def as_lists(address: dict[str, Any]) -> dict[str, list[str]]:
    return {key: value if isinstance(value, list) else [value] for key, value in address.items()}


def test_an_address_holds_all_that_a_page_shows() -> None:
    state = State(
        Choice("plan", ("call_centre.lines=90", 'call_centre.open_days=["mon"]')),
        seed=7,
        language="th",
        panel="units",
        pinned=Choice("sundays", ("call_centre.lines=80",)),
    )
    assert state_in(as_lists(state.address()), ["plan", "sundays"], "en") == (state, [])


def test_what_is_as_usual_is_not_in_the_address() -> None:
    assert State(Choice("plan")).address() == {"scenario": "plan", "lang": "en"}


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"scenario": ["../../etc/passwd"]}, ["scenario=../../etc/passwd"]),
        ({"scenario": [IMPORTED]}, ["scenario=imported"]),  # a file that is not here
        ({"seed": ["-1"]}, ["seed=-1"]),
        ({"seed": [str(2**64)]}, [f"seed={2**64}"]),  # the largest is one less
        ({"seed": ["x" * 30]}, [f"seed={'x' * 30}"]),
        ({"lang": ["de"]}, ["lang=de"]),
        ({"pin": ["nothing"]}, ["pin=nothing"]),
        ({"panel": ["<b>"]}, ["panel=<b>"]),
        ({"sceanrio": ["plan"]}, ["sceanrio=plan"]),
    ],
)
def test_an_address_that_cannot_be_is_told_and_left_out(
    parameters: dict[str, list[str]], told: list[str]
) -> None:
    state, wrong = state_in(parameters, ["plan"], "en")
    assert wrong == told
    assert (state.choice, state.seed, state.language) == (Choice("plan"), 1, "en")


@pytest.mark.parametrize(
    "change",
    ["call_centre.lines=๙๐", " call_centre.lines = 90 ", "call_centre.lines=90\n\n", "\x0b=\u2028"],
)
def test_changes_in_an_address_are_read_as_those_that_are_typed(change: str) -> None:
    """Else the page would take what it has written itself for something new, and begin anew."""
    found = state_in({"set": [change]}, ["plan"], "en")[0].choice.changes
    assert found == changes_in(change)
    assert changes_in("\n".join(found)) == found


def test_a_seed_may_have_thai_digits() -> None:
    assert state_in({"seed": ["๔๒"]}, ["plan"], "en")[0].seed == 42


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("th-TH,th;q=0.9,en;q=0.8", "th"),
        ("en-GB,en;q=0.9,th;q=0.8", "en"),
        ("de,th;q=0.3,en;q=0.7", "en"),  # German is not spoken here; English before Thai
        ("de", "th"),  # nothing of it: the default
        ("", "th"),
        ("th;q=nonsense", "th"),
    ],
)
def test_the_browser_chooses_the_language(accept: str, expected: str) -> None:
    assert language_wanted(accept, "th") == expected


def test_changes_are_written_one_a_line_with_digits_of_either_kind() -> None:
    text = " call_centre.lines = ๙๐ \n\ntitle=ศูนย์ ๑\n"
    assert changes_in(text) == ("call_centre.lines=90", "title=ศูนย์ ๑")


def test_the_command_line_of_a_choice_is_quoted_for_a_shell() -> None:
    choice = Choice("plan", ('call_centre.open_days=["mon"]',))
    assert choice.command("a b.toml", 2, 1) == (
        "vaxsim run 'a b.toml' --set 'call_centre.open_days=[\"mon\"]' --replications 1 --seed 2"
    )


# Levers ---------------------------------------------------------------------------------------


def test_every_lever_of_the_plan_changes_what_it_says() -> None:
    """Each input moved once: the scenario has the new value at every path of the lever."""
    plan = load_scenario(PLAN)
    moves: dict[str, Any] = {
        "slider": lambda value: value + 1,
        "number": lambda value: value + 1,
        "share": lambda value: value - 30,
        "choice": lambda value: "one_dose",
        "days": lambda value: [*value, "sun"],
        "hours": lambda value: ("07:00", "20:30"),
        "date": lambda value: date(2021, 7, 15),
        "shifts": lambda value: [{"start": "08:00", "end": "13:00", "staff": 7}],
    }
    for lever in levers(plan):
        moved = moves[lever.kind](lever.value)
        changed = load_scenario(PLAN, lever.changes(moved))
        assert {each.key: each.value for each in levers(changed)}[lever.key] == moved
        assert lever.changes(lever.value) == []


def test_a_choice_taken_up_again_begins_with_its_values_and_makes_itself_again() -> None:
    scenarios = Scenarios([PLAN])
    changes = (
        "call_centre.redial_probability=0.5",  # no lever
        "call_centre.pools.thai.agents=33",
        "unit_types.estate.closes=20:00",
        "groups.thai.willing=0.8",
        "regimens.az_az.min_days=56",
        "regimens.az_az.target_days=56",
    )
    desk = Desk(scenarios, State(Choice("plan")))
    desk.take(State(Choice("plan", changes)))
    assert desk.others == changes[:1]
    assert desk.values == {
        "call_centre.pools.thai.agents": 33,
        "unit_types.estate.opens": ("08:00", "20:00"),
        "groups.thai.willing": 80,
        "regimens.az_az.min_days": 56,
    }
    begin = {lever.key: desk.values.get(lever.key, lever.value) for lever in desk.levers}
    again = desk.moved(desk.others, begin)
    assert set(again.changes) == set(changes)
    assert scenarios.load(again) == scenarios.load(desk.state.choice)


def test_changes_that_cannot_be_leave_no_levers_but_the_error() -> None:
    desk = Desk(Scenarios([PLAN]), State(Choice("plan")))
    desk.take(State(Choice("plan", ("call_centre.linse=9",))))
    assert "did you mean call_centre.lines" in desk.error
    assert desk.levers == []


# Files of the reader's own --------------------------------------------------------------------


def test_a_sent_file_may_extend_a_scenario_that_is_offered() -> None:
    scenarios = Scenarios([PLAN])
    sent = scenarios.upload("mine.toml", b'extends = "plan.toml"\n[call_centre]\nlines = 77\n')
    assert scenarios.load(Choice(IMPORTED), sent).call_centre.lines == 77


@pytest.mark.parametrize("other", ["/etc/passwd", "../secret.toml", "scenarios/plan.toml", "x"])
def test_a_sent_file_may_extend_no_other(other: str) -> None:
    sent = Scenarios([PLAN]).upload("mine.toml", f'extends = "{other}"\n'.encode())
    with pytest.raises(ScenarioError, match=r"mine.toml:1: extends = .* can extend one of plan"):
        Scenarios([PLAN]).load(Choice(IMPORTED), sent)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"x" * 1_000_001, "larger than 1 MB"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[call_centre\n", "not valid TOML"),
        ('extends = "plan.toml"\n[call_centre]\nlines = ๙๐\n'.encode(), "mine.toml:3"),
        (b'extends = "plan.toml"\n[groups.thai]\npeople = 10_000_000_000\n', "200,?000,?000"),
        (b'extends = "plan.toml"\n[groups.thai]\npeople = 100_000_000\n', "population"),
        (
            b'extends = "plan.toml"\n[groups.thai]\npeople = 100_000_000\n'
            b"[campaign]\npopulation = 500_000_000\n",
            "more than the 5,000,000 that a page simulates",
        ),
        (
            b'extends = "plan.toml"\n[unit_types.estate]\nwalk_ins_per_day = 1e9\n',
            "1,000,000,000 walk-ins a day at a unit are more than the 566,551",
        ),
        (b'extends = "plan.toml"\n[call_centre]\nattempts_per_day = 1000\n', "than the 100 that"),
        (b'extends = "plan.toml"\n[deliveries.june]\narrives = 2001-06-01\n', "must lie between"),
    ],
)
def test_a_sent_file_that_cannot_be_is_told_as_on_the_command_line(
    content: bytes, told: str
) -> None:
    scenarios = Scenarios([PLAN])
    with pytest.raises(ScenarioError, match=told):
        scenarios.load(Choice(IMPORTED), scenarios.upload("mine.toml", content))


def test_a_sent_file_that_is_no_toml_is_told_in_the_language_spoken() -> None:
    for code, told in (("en", "its name ends in .toml"), ("th", "TOML")):
        with speaking(code), pytest.raises(ScenarioError) as wrong:
            Scenarios([PLAN]).upload("mine.json", b"{}")
        assert str(wrong.value).startswith("mine.json: ")
        assert told in str(wrong.value)
        assert ("scenario is" in str(wrong.value)) == (code == "en")


def test_what_is_wrong_names_files_and_no_folders_of_the_server(tmp_path: Path) -> None:
    folder = tmp_path / "secret folder"
    folder.mkdir()
    for name, text in (
        ("plan", PLAN.read_text("utf-8")),
        ("broken", 'extends = "plan.toml"\n[call_centre]\nlinse = 3\n'),
        ("lost", 'extends = "nothing.toml"\n'),
    ):
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    scenarios = Scenarios(sorted(folder.glob("*.toml")))
    # an end before the beginning, which the other file sets: the message says where
    sent = scenarios.upload(
        "mine.toml", b'extends = "plan.toml"\n[campaign]\nfirst_day = 2021-09-01\n'
    )
    for choice, upload, told in (
        (Choice("broken"), None, "broken.toml:3: call_centre.linse"),
        (Choice("lost"), None, 'lost.toml:1: extends = "nothing.toml": nothing.toml does not'),
        (Choice(IMPORTED), sent, "mine.toml"),
        (Choice("plan", ("call_centre.linse=3",)), None, "--set call_centre.linse=3"),
    ):
        with pytest.raises(ScenarioError) as wrong:
            scenarios.load(choice, upload)
        assert told in str(wrong.value)
        assert "secret" not in str(wrong.value)
        assert str(tmp_path) not in str(wrong.value)


# Answers --------------------------------------------------------------------------------------


def test_the_page_has_the_numbers_of_the_command_line(small_answer: Answered) -> None:
    scenario, settings = small_scenario(), RunSettings(replications=1)
    expected = replicate(Task(scenario, settings, 0))["replications"]
    pd.testing.assert_frame_equal(small_answer.run.table("replications"), expected)


def test_an_answer_is_remembered_and_the_oldest_forgotten() -> None:
    kept: Kept[str, int] = Kept(2)
    kept.put("a", 1)
    kept.put("b", 2)
    assert kept.get("a") == 1
    kept.put("c", 3)  # b was not used for longest
    assert (kept.get("a"), kept.get("b"), kept.get("c"), len(kept)) == (1, None, 3, 2)


def test_a_simulation_ends_as_soon_as_something_newer_is_wanted() -> None:
    class Newer(BaseException):
        pass

    days = 0

    def on_day() -> None:
        nonlocal days
        days += 1
        if days == 3:
            raise Newer

    with pytest.raises(Newer):
        answered("small", small_scenario({"title": "never asked before"}), 5, on_day)
    assert days == 3


def test_ceilings_are_those_of_the_whole_scenario_and_found_once_for_all_call_centres() -> None:
    """They count whatever the telephones: the call centre is not even there when they are found."""
    few, many = (
        small_scenario({"call_centre": {"pools": {"desk": {"agents": agents}}}})
        for agents in (1, 9)
    )
    seen: list[Scenario] = []

    def find(scenario: Scenario) -> pd.Series:
        seen.append(scenario)
        return feasibility.curve(scenario, "first")

    curves = [whatever_the_telephones("test", each, find) for each in (few, many)]
    assert curves[0] is curves[1]
    pd.testing.assert_series_equal(curves[0], feasibility.curve(many, "first"))
    assert [each.call_centre for each in seen] == [None]
    more = small_scenario({"deliveries": {"first": {"doses": 5}}})
    whatever_the_telephones("test", more, find)
    assert len(seen) == 2  # other doses, another ceiling


def test_a_run_in_memory_gives_packed_and_plain_tables_alike() -> None:
    from sim.experiment.packing import pack

    scenario, settings = small_scenario(), RunSettings(replications=2)
    batch = [replicate(Task(scenario, settings, number)) for number in range(2)]
    plain = RunInMemory("small", scenario, settings, batch)
    packed = RunInMemory("small", scenario, settings, [pack(tables) for tables in batch])
    for name in ("daily", "replications", "stations"):
        pd.testing.assert_frame_equal(plain.table(name), packed.table(name))
    assert plain.coverage("first").equals(packed.coverage("first"))
    with pytest.raises(ValueError, match="1 replications and not 2"):
        RunInMemory("small", scenario, settings, batch[:1])


# Panels and pictures --------------------------------------------------------------------------


def test_every_panel_tells_its_run(small_answer: Answered) -> None:
    for code in ("en", "th"):
        with speaking(code):
            for html in (
                panels.what_binds(small_answer),
                panels.call_centre(small_answer),
                *(panels.units(small_answer, name) for name in panels.UNIT_MEASURES),
                panels.doses(small_answer),
                panels.assumptions(small_answer),
            ):
                assert f'lang="{code}"' in html
                assert "nan" not in html.replace("tenant", "")
                assert html.count("<img ") == html.count("<img alt=") + html.count("<img src=")


def test_the_units_table_has_load_waits_crowding_and_stock(small_answer: Answered) -> None:
    html = panels.units(small_answer, "load")
    heading = re.findall("<th scope=col[^>]*>([^<]*)</th>", html)
    for wanted in ("load on days with a session", "mean wait in all queues", "most inside",
                   "mean stock in the evening"):  # fmt: skip
        assert wanted in heading
    # as counted by hand from the stations of all units together
    run = small_answer.run
    sessions, stations = run.table("sessions"), run.table("stations")
    one = sessions[sessions["patients"] > 0]["unit"].iloc[0]
    minutes = stations[stations["unit"] == one]["wait"].sum()
    mean = minutes / sessions[sessions["unit"] == one]["patients"].sum()
    assert f">{terminal.amount(mean, 'min')}<" in html


def test_one_unit_is_no_plural() -> None:
    labels = {lever.group for lever in levers(small_scenario())}
    assert not any("1 units" in label for label in labels)


def test_names_from_a_file_cannot_become_tags() -> None:
    evil = '<script>alert("x")</script><img src=x onerror=alert(1)>'
    scenario = small_scenario({"title": evil, "units": {"north": {"title": evil}}})
    found = answered(evil, scenario, 1)
    for html in (panels.units(found, "load"), panels.assumptions(found), markup.alert(evil)):
        assert "<script" not in html
        assert "<img src=x" not in html


def test_a_curve_lies_where_its_values_are() -> None:
    # Two days, 0 and 100 %: from the lower left to the upper right of the axes
    svg = charts.curves_over_days(
        [date(2021, 6, 1), date(2021, 6, 2)],
        [charts.Curve("all", charts.array([0.0, 1.0]), "#000000")],
        charts.NARROW,
        "of all",
    )
    bottom = 280 + 18 + 18 - 40  # height, a row of legend and one of titles, room for dates
    assert f'd="M46.0 {bottom:.1f}L{charts.NARROW - 14:.1f} 50.0"' in svg


def test_the_right_axis_turns_shares_of_all_into_shares_of_the_target() -> None:
    # 2,000 inhabitants, 600 vaccinated before, a target of 1,000: its 0 % is at 600 / 2,000 = 30 %
    # of the left axis, its 100 % at 1,600 / 2,000 = 80 %
    scenario = small_scenario({"campaign": {"population": 2000, "vaccinated_before": 600}})
    html = headline.coverage(answered("small", scenario, 1))
    wide = b64decode(re.findall('base64,([^"]*)', html)[0]).decode()
    number = r'<text x="[^"]*" y="([^"]*)" text-anchor="(\w+)"[^>]*>(\d+) %</text>'
    places = {(anchor, int(share)): float(y) for y, anchor, share in re.findall(number, wide)}
    percent = (places["end", 0] - places["end", 20]) / 20  # pixels
    assert places["start", 0] == pytest.approx(places["end", 0] - 30 * percent, abs=0.2)
    assert places["start", 100] == pytest.approx(places["end", 0] - 80 * percent, abs=0.2)
    assert "At the right: share of the target of 1,000 people" in wide


def test_the_coverage_curve_says_of_whom_its_shares_are() -> None:
    """The verdict's are of the target: goal, ceiling and curves are of all inhabitants."""
    scenario = small_scenario({"campaign": {"population": 2000, "vaccinated_before": 100}})
    html = headline.coverage(answered("small", scenario, 1))
    wide, narrow = (
        re.findall("<text[^>]*>([^<]*)</text>", b64decode(picture).decode())
        for picture in re.findall('base64,([^"]*)', html)
    )
    of_whom = "Share of all 2,000 inhabitants, 100 of them vaccinated before"
    assert of_whom in wide
    assert of_whom in " ".join(narrow)  # in two lines
    assert "goal 70 %" in wide


# What is taken away ---------------------------------------------------------------------------


def test_a_cell_of_text_is_never_a_formula() -> None:
    frame = pd.DataFrame({"=name": ["=1+1", "@x", "-2", "+3", "plain"], "number": [-1, 2, 3, 4, 5]})
    lines = exports.csv(frame).decode().splitlines()
    assert lines == ["'=name,number", "'=1+1,-1", "'@x,2", "'-2,3", "'+3,4", "plain,5"]


@pytest.mark.parametrize("file", sorted(Path("scenarios").glob("*.toml")), ids=lambda f: f.stem)
def test_an_exported_scenario_means_the_same(file: Path, tmp_path: Path) -> None:
    """All but [sources], of which those are left out that no value has any more."""
    scenario = load_scenario(file)
    exported = tmp_path / "exported.toml"
    exported.write_text(exports.scenario_file(scenario, "again"), encoding="utf-8")
    assert "extends" not in tomllib.loads(exported.read_text("utf-8"))
    found = load_scenario(exported)
    without = {"sources"}
    assert found.model_dump(exclude=without) == scenario.model_dump(exclude=without)


def test_what_a_link_changes_cannot_break_an_exported_file() -> None:
    """Changes stand in its first lines, which are comments: no line ends, no control characters."""
    change = 'title="a\x07b\u2028c\x0bpopulation = 1"'
    text = exports.scenario_file(load_scenario(PLAN, [change]), f"From the page: plan\n  {change}")
    found = load_scenario(Upload("again", text.encode()))
    assert found.title == load_scenario(PLAN, [change]).title
    assert found.campaign.population == 966_517


def test_tables_are_taken_away_as_csv_and_as_parquet(small_answer: Answered) -> None:
    archive = zipfile.ZipFile(io.BytesIO(exports.tables(small_answer.run)))
    daily = small_answer.run.table("daily")
    csv = pd.read_csv(archive.open("csv/daily.csv"), parse_dates=["date"])
    assert csv["administered"].sum() == daily["administered"].sum()
    parquet = pd.read_parquet(io.BytesIO(archive.read("parquet/daily.parquet")))
    pd.testing.assert_frame_equal(parquet, daily)


def test_a_report_is_taken_away(small_answer: Answered) -> None:
    html = exports.report(small_answer.run, small_scenario({"call_centre": {"lines": 9}}))
    assert answer_view.verdict(small_answer.answer)[:40].encode() in html


# Ensembles ------------------------------------------------------------------------------------


def test_an_ensemble_fills_in_and_agrees_with_its_replications() -> None:
    scenario = small_scenario()
    other = small_scenario({"call_centre": {"pools": {"desk": {"agents": 4}}}})
    runs = {"now": answered("", scenario, 1).run, "pinned": answered("", other, 1).run}
    made = Ensemble(runs, 3)
    made.join(120)
    assert made.ended
    assert made.error == ""
    assert made.there == 3
    settings = RunSettings(replications=3)
    for number in (0, 2):  # the first was there before
        expected = replicate(Task(scenario, settings, number))["replications"]
        got = made.answers["now"].run.table("replications").loc[[number]].reset_index(drop=True)
        pd.testing.assert_frame_equal(got, expected, check_dtype=False)
    curve = made.answers["pinned"].run.coverage("first")
    last = curve[curve["replication"] == 1]["persons"].to_numpy()
    assert (made.curves("pinned", "first")[1] == last).all()
    assert made.comparison.replications == 3


def test_a_cancelled_ensemble_keeps_what_is_there() -> None:
    made = Ensemble({"now": answered("", small_scenario(), 1).run}, 100)
    deadline = time.monotonic() + 120
    while made.there < 2 and time.monotonic() < deadline:
        assert not made.ended
        time.sleep(0.02)
    made.cancel()
    assert made.ends_within(1.0)  # a reader need not wait for the workers' end
    made.join(60)
    assert made.ended
    assert 2 <= made.there < 100
    assert made.answers["now"].answer.replications == made.there


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="priorities are of POSIX systems")
def test_workers_of_an_ensemble_let_the_page_go_first() -> None:
    """Else a reader who moves something beside it waits several times as long."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    made = Ensemble({"now": answered("", small_scenario(), 1).run}, 100)
    deadline = time.monotonic() + 120
    workers: set[int] = set()
    while not workers and not made.ended and time.monotonic() < deadline:
        niced = (each.pid for each in multiprocessing.active_children() if each.pid)
        workers = {pid for pid in niced if os.getpriority(os.PRIO_PROCESS, pid) == 10}
        time.sleep(0.02)
    made.cancel()
    made.join(60)
    assert workers
    assert os.getpriority(os.PRIO_PROCESS, 0) == own  # and not the page itself


# The script -----------------------------------------------------------------------------------


@pytest.fixture
def app(small_file: Path) -> Any:
    """The page with the small campaign and the plan, as Streamlit's own tests run it."""
    from streamlit.testing.v1 import AppTest

    serve([small_file, PLAN], "en")
    return AppTest.from_file(str(SCRIPT), default_timeout=60)


def shown(app: Any) -> str:
    return "\n".join(str(each.proto.body) for each in app.get("html"))


def test_the_page_answers_and_follows_the_levers(app: Any) -> None:
    app.run()
    assert not app.exception
    before = shown(app)
    assert "No: in the one replication not everyone" in before
    app.slider[0].set_value(9).run()
    after = shown(app)
    assert "call_centre.pools.desk.agents=9" in after
    assert "call_centre.pools.desk.agents=9" in app.query_params["set"]
    expected = answered("", small_scenario({"call_centre": {"pools": {"desk": {"agents": 9}}}}), 1)
    assert answer_view.verdict(expected.answer) in after
    assert before != after


def test_a_link_shows_the_same_answer_in_the_other_language(app: Any) -> None:
    app.query_params["set"] = [
        "call_centre.pools.desk.agents=9",
        "call_centre.redial_probability=0",
    ]
    app.query_params["seed"] = "3"
    app.query_params["lang"] = "th"
    app.run()
    centre = {"redial_probability": 0.0, "pools": {"desk": {"agents": 9}}}
    expected = answered("", small_scenario({"call_centre": centre}), 3)
    with speaking("th"):
        assert answer_view.verdict(expected.answer) in shown(app)
    assert app.slider[0].value == 9
    assert app.text_area[0].value == "call_centre.redial_probability=0"


def test_what_is_moved_before_the_browser_shows_the_new_address_is_not_taken_back(app: Any) -> None:
    """A slow browser sends the address of before with the next change."""
    app.run()
    before = as_lists(dict(app.query_params))
    app.slider[0].set_value(7).run()
    app.query_params.clear()
    for name, value in before.items():
        app.query_params[name] = value
    app.slider[0].set_value(9).run()
    assert app.slider[0].value == 9
    assert "call_centre.pools.desk.agents=9" in app.query_params["set"]


def test_an_earlier_address_alone_brings_back_what_was_there(app: Any) -> None:
    app.run()
    app.slider[0].set_value(7).run()
    del app.query_params["set"]  # as the browser's button to go back does
    app.run()
    assert app.slider[0].value == 2
    assert "set" not in app.query_params


def test_the_language_changes_and_the_levers_stay(app: Any) -> None:
    app.run()
    app.slider[0].set_value(7).run()
    next(r for r in app.radio if "English" in r.options).set_value("th").run()
    assert not app.exception
    assert app.slider[0].value == 7
    assert 'lang="th"' in shown(app)
    with speaking("th"):
        assert app.slider[0].label == levers(small_scenario())[0].label
        assert app.slider[0].label != "Agents, desk (thai, burmese)"
    assert "th" in app.query_params["lang"]


def test_wrong_changes_are_told_as_on_the_command_line(app: Any) -> None:
    app.run()
    app.text_area[0].set_value("call_centre.linse=9").run()
    html = shown(app)
    assert "did you mean call_centre.lines" in html
    assert "in the one replication" not in html  # no answer beside the error
    app.text_area[0].set_value("").run()
    assert "in the one replication" in shown(app)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("set", "call_centre.lines=๙", "call_centre.lines=9; seed 1"),
        ("set", 'title="x"\n[campaign]', "[campaign]: write --set dotted.path=value"),
        ("set", "nonsense", "nonsense: write --set dotted.path=value"),
        (
            "set",
            "groups.early.people=1000000000",
            "must be a whole number between 0 and 200,000,000",
        ),
        ("pin", "nothing", "This part of the address cannot be: pin=nothing"),
        ("panel", "nothing", "This part of the address cannot be: panel=nothing"),
    ],
)
def test_a_tampered_link_is_told_of_and_the_page_lives(
    app: Any, name: str, value: str, told: str
) -> None:
    app.query_params[name] = value
    app.run()
    assert not app.exception
    assert told in shown(app)


def test_a_pinned_scenario_that_cannot_be_is_named_as_that(app: Any) -> None:
    app.query_params["pin"] = "small"
    app.query_params["pin_set"] = "call_centre.linse=3"
    app.run()
    assert "The pinned scenario cannot be simulated:" in shown(app)
    assert "in the one replication" in shown(app)


def test_a_pinned_scenario_is_compared(app: Any) -> None:
    app.run()
    next(b for b in app.button if b.label == "Pin this scenario").click().run()
    app.slider[0].set_value(9).run()
    next(r for r in app.radio if "Compare" in r.options).set_value("compare").run()
    assert not app.exception
    html = shown(app)
    assert "What differs" in html
    assert "call_centre.pools.desk.agents" in html.replace("<wbr>", "")
    assert "small" in app.query_params["pin"]


@pytest.mark.parametrize("panel", ["binds", "call_centre", "units", "doses", "ensemble",
                                   "assumptions", "take_away"])  # fmt: skip
def test_every_panel_opens_from_the_address(app: Any, panel: str) -> None:
    app.query_params["panel"] = panel
    app.run()
    assert not app.exception
    assert "An error in vaxsim itself" not in shown(app)


# The command ----------------------------------------------------------------------------------


def vaxsim(*arguments: str, **changes: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sim", "app", "--no-browser", *arguments],
        capture_output=True, text=True, timeout=120, check=False, **changes,
    )  # fmt: skip


def test_a_port_in_use_is_told(small_file: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = vaxsim(str(small_file), "--port", str(port))
    assert found.returncode == 2
    assert f"port {port} is in use" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing.toml"], "nothing.toml does not exist"),
        (["{empty}"], "has no scenario files"),
        (["--address", "no.such.host.invalid"], "there is no such address"),
        (["{broken}"], "not valid TOML"),
    ],
)
def test_what_cannot_be_served_is_told(arguments: list[str], told: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.toml").write_text("[", encoding="utf-8")
    places = {"empty": tmp_path / "empty", "broken": tmp_path / "broken.toml"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    found = vaxsim("--port", port, *(text.format(**places) for text in arguments))
    assert found.returncode == 2
    assert told in found.stderr
    assert "Traceback" not in found.stderr


def test_without_streamlit_the_extra_is_named(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['streamlit'] = None\n"  # as if it were not installed
    (tmp_path / "sitecustomize.py").write_text(hidden, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), os.getcwd()])
    found = vaxsim(str(PLAN), env={**os.environ, "PYTHONPATH": path})
    assert found.returncode == 2
    assert 'pip install "vaxsim[app]"' in found.stderr


def test_the_small_campaign_is_what_the_tests_think(small_file: Path) -> None:
    assert isinstance(load_scenario(small_file), Scenario)
    assert SMALL["call_centre"]["pools"]["desk"]["agents"] == 2


def test_an_upload_is_found_again_by_what_it_is() -> None:
    assert Upload("a", b"x") == Upload("a", b"x")
    assert hash(Upload("a", b"x")) == hash(Upload("a", b"x"))


def test_ctrl_c_ends_the_page_with_130_and_no_traceback(small_file: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "sim", "app", str(small_file), "--no-browser"]
    with subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.2)
        time.sleep(0.5)
        server.send_signal(signal.SIGINT)
        _out, told = server.communicate(timeout=30)
    assert server.returncode == 130
    assert "the page is closed" in told
    assert "Traceback" not in told
