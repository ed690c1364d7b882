"""Claims about goals, trials of scenarios, and the folders of studies."""

import json
import signal
import time
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from small_campaign import small_scenario

from sim.cli import console
from sim.experiment.goals import GoalError, read_goal
from sim.experiment.measures import measures_of
from sim.experiment.replications import Task, replicate
from sim.experiment.results import RunError
from sim.experiment.settings import RunSettings
from sim.experiment.sources import Source
from sim.experiment.study import StudyPlan, open_study
from sim.experiment.trials import Trials

SCENARIO = small_scenario()
DEADLINE = SCENARIO.campaign.deadline
ONE = RunSettings(workers=1)


# Goals ----------------------------------------------------------------------------------------


def test_a_goal_is_read_as_it_is_written() -> None:
    goal = read_goal(f"first_dose>=0.9 by {DEADLINE}", SCENARIO)
    assert (goal.measure, goal.comparison, goal.amount, goal.by) == (
        "first_dose",
        ">=",
        0.9,
        DEADLINE,
    )
    assert read_goal(str(goal), SCENARIO) == goal


def test_percent_is_a_hundredth_and_the_deadline_is_the_date_if_none_is_named() -> None:
    assert read_goal("first_dose >= 90 %", SCENARIO) == read_goal(
        f"first_dose>=0.9 by {DEADLINE}", SCENARIO
    )


def test_thai_digits_are_digits() -> None:
    assert read_goal("first_dose>=๐.๙ by ๒๐๒๑-๐๖-๑๕", SCENARIO) == read_goal(
        "first_dose>=0.9 by 2021-06-15", SCENARIO
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "write it as first_dose>=0.9 by 2021-08-14"),
        ("first_dose", "write it as"),
        ("first_dose=0.9", "write it as"),
        ("first_dose>=many", "many is no number"),
        ("first_dose>=nan", "nan is no number"),
        ("first_dose>=١", "١ is no number"),  # an Arabic one
        ("first_dose>=0.5 by 2564-08-14", "2564 is a Buddhist year: write 2021-08-14"),
        ("first_dose>=1.2", "up to 1 (or 100%), not 1.2"),
        ("first_dose>=0", "a share above 0"),
        ("first_dose<=0.5", "is to be reached"),
        ("first_doze>=0.5", "did you mean first_dose?"),
        ("first_dose>=0.5 by tomorrow", "tomorrow is no date"),
        ("first_dose>=0.5 by 2031-01-01", "between the campaign's first day"),
        ("first_dose>=0.5 before 2021-08-14", "write it as"),
    ],
)
def test_a_goal_that_cannot_be_is_refused_with_what_would_be_right(text: str, said: str) -> None:
    with pytest.raises(GoalError) as refusal:
        read_goal(text, SCENARIO)
    assert said in str(refusal.value)


def test_coverage_is_reached_with_exactly_the_persons_needed() -> None:
    goal = read_goal("first_dose>=0.9", SCENARIO)
    needed = goal.persons_needed(SCENARIO)
    assert needed - 1 < 0.9 * SCENARIO.target <= needed
    assert goal.reached({"first_doses_by_end": needed}, SCENARIO)
    assert not goal.reached({"first_doses_by_end": needed - 1}, SCENARIO)


def test_coverage_of_the_population_counts_those_vaccinated_before() -> None:
    goal = read_goal("population_first_dose>=0.5", SCENARIO)
    campaign = SCENARIO.campaign
    needed = goal.persons_needed(SCENARIO)
    assert needed == -(-campaign.population // 2) - campaign.vaccinated_before  # half, rounded up
    assert goal.reached({"first_doses_by_end": needed}, SCENARIO)
    assert not goal.reached({"first_doses_by_end": needed - 1}, SCENARIO)


def test_a_goal_in_a_measure_that_is_undefined_is_not_reached() -> None:
    goal = read_goal("answered_share>=0.5", SCENARIO)
    assert not goal.reached({"answered_share": float("nan")}, SCENARIO)
    assert goal.reached({"answered_share": 0.5}, SCENARIO)


def test_the_value_of_a_goal_is_what_the_simulation_gave_by_its_day() -> None:
    # the same campaign simulated to its horizon has the same first doses until that day
    goal = read_goal(f"first_dose>=0.5 by {date(2021, 6, 10)}", SCENARIO)
    short = replicate(Task(SCENARIO, goal.settings(RunSettings()), 0))
    whole = replicate(Task(SCENARIO, RunSettings(), 0))
    daily = whole["daily"]
    here = daily[(daily["dose"] == 1) & (daily["date"] <= pd.Timestamp(goal.by))]
    found = goal.value(measures_of(short, SCENARIO, goal.by), SCENARIO)
    assert found == here["administered"].sum() / SCENARIO.target


# Trials ---------------------------------------------------------------------------------------


def test_trials_give_what_a_run_of_the_scenario_gives() -> None:
    alone = measures_of(replicate(Task(SCENARIO, ONE, 3)), SCENARIO)
    with Trials(ONE) as trials:
        found = trials.measures(SCENARIO, [3])
    assert list(found.index) == [3]
    for name, value in alone.items():
        assert found.loc[3, name] == pytest.approx(value, rel=0, abs=0, nan_ok=True), name


def test_a_replication_is_simulated_once_however_often_it_is_asked_for() -> None:
    other = small_scenario({"call_centre": {"lines": 1}})
    with Trials(ONE) as trials:
        first = trials.measures(SCENARIO, range(2))
        again, more = trials.all_measures([(SCENARIO, [1, 0, 2]), (other, [0])])
        assert trials.spent == 4
    pd.testing.assert_frame_equal(again.loc[[0, 1]], first)
    assert list(again.index) == [1, 0, 2]
    assert list(more.index) == [0]


def test_trials_do_not_depend_on_the_number_of_workers() -> None:
    with Trials(ONE) as one, Trials(RunSettings(workers=2)) as two:
        pd.testing.assert_frame_equal(
            one.measures(SCENARIO, range(3)), two.measures(SCENARIO, range(3))
        )


# Studies --------------------------------------------------------------------------------------


def _plan(folder: Path, question: dict[str, Any]) -> StudyPlan:
    return StudyPlan("goal", Source.of(SCENARIO), RunSettings(), question, folder)


def test_a_study_is_found_again_as_it_was_written(tmp_path: Path) -> None:
    plan = _plan(tmp_path / "s", {"reach": "first_dose>=0.9"})
    table = pd.DataFrame({"lever": ["agents", "doses"], "cost": [1.5, float("nan")]})
    assert plan.found() is None
    with plan.claimed():
        plan.write({"possible": True, "cost": float("nan")}, {"levers": table})
    found = plan.found()
    assert found is not None
    assert found.answer == {"possible": True, "cost": None}
    assert found.question == {"reach": "first_dose>=0.9"}
    pd.testing.assert_frame_equal(found.table("levers"), table, check_dtype=False)
    assert found.scenario == SCENARIO
    assert plan.found(fresh=True) is None
    assert sorted(path.name for path in plan.folder.iterdir()) == ["study.json", "tables"]


def test_a_folder_with_another_study_is_refused(tmp_path: Path) -> None:
    plan = _plan(tmp_path / "s", {"reach": "a"})
    plan.write({}, {})
    with pytest.raises(RunError, match="another question"):
        _plan(tmp_path / "s", {"reach": "b"}).found()


def test_a_folder_in_which_a_study_is_being_made_is_refused(tmp_path: Path) -> None:
    plan = _plan(tmp_path / "s", {})
    refused = pytest.raises(RunError, match="another process is writing")
    with plan.claimed(), refused, _plan(tmp_path / "s", {}).claimed():
        pass


def test_a_study_that_fails_leaves_nothing(tmp_path: Path) -> None:
    plan = _plan(tmp_path / "new" / "s", {})
    with pytest.raises(ZeroDivisionError), plan.claimed():
        raise ZeroDivisionError
    assert not (tmp_path / "new").exists()


def test_what_a_killed_process_has_left_goes_with_the_next_that_fails(tmp_path: Path) -> None:
    # SIGKILL leaves the folder with its lock file, which the system has unlocked
    plan = _plan(tmp_path / "s", {})
    plan.folder.mkdir()
    (plan.folder / ".lock").touch()
    assert plan.found() is None
    with pytest.raises(KeyboardInterrupt), plan.claimed():
        raise KeyboardInterrupt
    assert not plan.folder.exists()


def test_a_folder_that_its_user_has_made_stays(tmp_path: Path) -> None:
    plan = _plan(tmp_path, {})
    with pytest.raises(KeyboardInterrupt), plan.claimed():
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_an_edited_table_and_a_damaged_manifest_are_noticed(tmp_path: Path) -> None:
    plan = _plan(tmp_path / "s", {})
    study = plan.write({}, {"t": pd.DataFrame({"a": [1]})})
    path = study.folder / study.manifest["tables"]["t"]["file"]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match="t/part-00000"):
        open_study(plan.folder).table("t")
    manifest = json.loads((plan.folder / "study.json").read_text())
    (plan.folder / "study.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(RunError, match="format 99"):
        open_study(plan.folder)
    (plan.folder / "study.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        open_study(plan.folder)


# Progress and Ctrl-C --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "said"),
    [(None, "changes: 1,250 days after 0 s"), (5000, "changes: 25 % after 0 s")],
)
def test_a_log_gets_a_line_now_and_then(
    total: int | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(console, "SECONDS_BETWEEN_LINES", 0.01)
    with console.progress("changes", total) as on_days:
        on_days(1250)
        time.sleep(0.1)
    assert f"vaxsim: simulating {said}\n" in capsys.readouterr().err
    time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_a_second_ctrl_c_does_not_disturb_what_the_first_has_begun() -> None:
    tidied_up = []

    def interrupted_twice() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            tidied_up.append(True)

    with pytest.raises(typer.Exit) as ended, console.errors_reported():
        interrupted_twice()
    assert tidied_up
    assert ended.value.exit_code == 130
