"""Claims about the risk of deliveries: probability, day, early warning."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import tomlkit
from campaigns import BASE, advance_group, campaign, day, delivery, run, unit
from typer.testing import CliRunner

from sim.cli import app
from sim.experiment.goals import read_goal
from sim.experiment.risk import (
    Question,
    _warnings,
    arrivals_of,
    best_threshold,
    doses_by,
    find,
)
from sim.experiment.settings import RunSettings, SettingsError
from sim.experiment.sources import Source
from sim.experiment.statistics import quantile_interval
from sim.experiment.study import StudyPlan
from sim.experiment.trials import Trials
from sim.presentation.risk_view import pictures
from sim.presentation.study_views import study_text
from sim.scenario import Scenario

SETTINGS = RunSettings(workers=1)


def uniform(low: float, high: float) -> dict[str, Any]:
    return {"distribution": "uniform", "low": low, "high": high}


def uncertain(**more: Any) -> dict[str, Any]:
    """100 people, slots for all on any day, and one uncertain delivery, booked when it is there."""
    return {
        "groups": {"early": advance_group(100)},
        "deliveries": {"only": delivery(100, **more)},
        "units": {"hall": unit(100)},
        "appointments": {**BASE["appointments"], "stock_rule": "on_hand"},
    }


def answered(scenario: Scenario, reach: str, n: int) -> tuple[dict[str, Any], dict[str, Any]]:
    question = Question(scenario, read_goal(reach, scenario), n)
    settings = question.settings(SETTINGS)
    with Trials(settings) as trials:
        return find(question, settings, trials)


# Deliveries -----------------------------------------------------------------------------------


def test_arrivals_are_those_of_the_simulation() -> None:
    scenario = campaign(
        deliveries={
            "one": delivery(60, 1, delay_days=uniform(0, 9), fraction_delivered=uniform(0, 1)),
            "two": delivery(40, 3, delay_days=uniform(0, 4)),
        }
    )
    arrivals = arrivals_of(scenario, 1, 4)
    for replication in range(4):
        stock = run(scenario, replication=replication)["stock"]
        for number in range(20):
            there = stock.loc[stock["date"] <= pd.Timestamp(day(number)), "delivered"].sum()
            assert doses_by(arrivals, 4, number)[replication] == there


# Probability and day --------------------------------------------------------------------------


Answer = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def half() -> Answer:
    """Half of 100 people, and a uniform share of 100 doses."""
    scenario = campaign(**uncertain(fraction_delivered=uniform(0, 1)))
    return answered(scenario, f"first_dose>=0.5 by {day(9)}", 60)


def test_probability_is_that_of_doses_enough(half: Answer) -> None:
    # half of them can be vaccinated with probability 0.5, whenever 50 doses come, and never else
    answer, tables = half
    found = tables["replications"]
    assert (found["met"] == (found["doses_arrived"] >= 50)).all()
    assert answer["probability"]["low"] <= 0.5 <= answer["probability"]["high"]
    assert answer["met"] == found["met"].sum()


def test_day_of_the_goal_is_that_of_the_delivery_and_the_night_after() -> None:
    # booked in the evening of the day on which the doses come, vaccinated on the next
    scenario = campaign(**uncertain(delay_days=uniform(0, 10)))
    answer, tables = answered(scenario, f"first_dose>=1 by {day(6)}", 40)
    found, arrivals = tables["replications"], tables["arrivals"]
    on = (found["reached_on"] - pd.Timestamp(day(0))).dt.days
    assert (on.to_numpy() == arrivals["day"].to_numpy() + 1).all()
    assert (found["met"] == (on <= 6)).all()
    # a delay of 0 ... 10, rounded: the median is 5, so the goal is met on day 6
    median = tables["days"].set_index("probability").loc[0.5]
    assert median["low"] <= pd.Timestamp(day(6)) <= median["high"]
    assert not answer["probability"]["low"] > 0.55


def test_what_is_reached_is_what_the_doses_allow_and_all_of_it_if_they_came(half: Answer) -> None:
    answer, tables = half
    doses = tables["replications"]["doses_arrived"] / 100
    reaches = answer["reaches"]
    assert reaches["mean"] == pytest.approx(doses.mean())
    assert (reaches["least"], reaches["greatest"]) == (doses.min(), doses.max())
    assert reaches["low"] < 0.5 < reaches["high"]
    on_time = answer["on_time"]
    assert (on_time["met"], on_time["replications"], on_time["mean"]) == (20, 20, 1.0)


def test_goal_never_met_says_how_far_it_is_missed_and_draws_nothing_empty(tmp_path: Path) -> None:
    # 100 people and at most 40 of 50 doses: half of them even if all came, but 90 % never
    delivered = {"only": delivery(50, fraction_delivered=uniform(0.6, 0.8))}
    scenario = campaign(**{**uncertain(), "deliveries": delivered})
    goal = f"first_dose>=0.9 by {day(9)}"
    question = Question(scenario, read_goal(goal, scenario), 20)
    plan = StudyPlan("risk", Source.of(scenario), SETTINGS, question.as_json(), tmp_path / "study")
    with Trials(SETTINGS) as trials:
        study = plan.write(*find(question, SETTINGS, trials))
    mean = study.answer["reaches"]["mean"]
    said = study_text(study)
    assert said.startswith("90 % of the target have a first dose by 10 June 2021 with a probabil")
    assert f"{100 * mean:.1f} % is reached on average (95 % interval " in said
    assert f"short of the goal by {90 - 100 * mean:.0f} people on average" in said
    assert "in full, that would be so in 0 of 20 replications, with 50.0 % on average." in said
    assert "It is not met by 20 June 2021, the horizon, either." in said
    with mpl.rc_context():
        drawn = dict(pictures(study))
    assert list(drawn) == ["doses_arrived"]
    panels = drawn["doses_arrived"].axes
    assert [axes.get_title(loc="left") for axes in panels] == ["lost: 20 of 20 replications"]


def test_day_that_is_not_within_the_horizon_is_none(half: Answer) -> None:
    days = half[1]["days"].set_index("probability")
    assert pd.isna(days.loc[0.8, "day"])  # 50 doses come with probability 0.5
    assert days.loc[0.8, "low_known"]


def test_goal_that_is_no_coverage_has_a_probability_and_no_days() -> None:
    scenario = campaign(**uncertain(fraction_delivered=uniform(0, 1)))
    answer, tables = answered(scenario, f"doses_administered>=50 by {day(9)}", 20)
    found = tables["replications"]
    assert (found["met"] == (found["doses_arrived"] >= 50)).all()
    assert not len(tables["days"])
    assert answer["replications"] == 20


def test_without_uncertain_deliveries_there_is_no_warning() -> None:
    answer, tables = answered(campaign(**uncertain()), f"first_dose>=0.5 by {day(9)}", 20)
    assert not answer["deliveries_vary"]
    assert answer["warning"] is None
    assert not len(tables["warnings"])


# Quantiles ------------------------------------------------------------------------------------


def test_interval_of_a_quantile_is_between_the_known_order_statistics() -> None:
    # median of 100: the 40th and the 61st (Conover, Practical Nonparametric Statistics, 1999)
    found = quantile_interval(np.arange(1, 101), 0.5)
    assert (found.value, found.low, found.high) == (50, 40, 61)
    # 0.95 ** 10 = 0.6: ten observations have no upper limit for the quantile at 0.95
    assert quantile_interval(np.arange(10), 0.95).high is None


def test_interval_of_a_quantile_holds_it_as_often_as_promised() -> None:
    # 400 samples of 30 uniforms; the chance to hold 0.8 is at least 0.95 (sd of the share 0.011)
    samples = np.random.default_rng(1).random((400, 30))
    held = 0
    for sample in samples:
        found = quantile_interval(sample, 0.8)
        held += (found.low or 0) <= 0.8 <= (1 if found.high is None else found.high)
    assert held >= 0.95 * 400 - 2.5 * 0.011 * 400


def test_quantile_among_what_has_not_happened_is_infinite() -> None:
    found = quantile_interval([1.0, 2.0, math.inf, math.inf], 0.75)
    assert found.value == math.inf


# Warnings -------------------------------------------------------------------------------------


def test_best_threshold_parts_lost_from_met() -> None:
    doses = np.array([100, 200, 300, 400, 500, 600])
    lost = np.array([True, True, True, False, False, False])
    assert best_threshold(doses, lost) == (400, 1.0)
    # one lost among those with many: fewer than 300 or 400 warns of 2 of 3, and of none met
    mixed = np.array([True, True, False, False, False, True])
    assert best_threshold(doses, mixed) == (300, pytest.approx(2 / 3))


@pytest.mark.parametrize(
    ("below", "above", "round_"),
    [(123_456, 131_000, 130_000), (123_456, 123_459, 123_459), (99, 101, 100), (0, 7, 7)],
)
def test_threshold_is_the_roundest_number_between_those_seen(
    below: int, above: int, round_: int
) -> None:
    found = best_threshold(np.array([below, above]), np.array([True, False]))
    assert found == (round_, 1.0)


def test_no_threshold_where_more_doses_are_worse_or_all_are_equal() -> None:
    assert best_threshold(np.array([1, 2]), np.array([False, True])) is None
    assert best_threshold(np.array([5, 5]), np.array([False, True])) is None


def test_warning_that_decides_is_confirmed_as_such(half: Answer) -> None:
    # the goal is lost exactly where fewer than 50 doses come, which is known on day 0
    answer, tables = half
    warning = answer["warning"]
    assert warning["date"] == day(0).isoformat()
    # the roundest number between the doses seen next to 50 in the first half
    assert 45 <= warning["fewer_than"] <= 55
    assert warning["p_lost_below"] >= 0.9
    assert warning["p_lost_above"] <= 0.1
    assert warning["below"] + warning["above"] == 30  # the half that took no part in the choice
    assert list(tables["warnings"]["date"].dt.date) == [day(n) for n in range(10)]  # up to the goal


def test_warning_found_in_noise_is_not_confirmed() -> None:
    # Lost or met by a coin, whatever the doses: the threshold that looks best in the first half
    # tells nothing in the other. Were it judged by the half that chose it, its index would be > 0.
    scenario = campaign(**uncertain(fraction_delivered=uniform(0, 1)))
    arrivals = arrivals_of(scenario, 1, 200)
    chosen, confirmed = [], []
    for seed in range(30):
        lost = np.random.default_rng(seed).random(200) < 0.5
        for row in _warnings(arrivals, lost, [day(0)], scenario).to_dict("records"):
            chosen.append(row["index"])
            confirmed.append(row["sensitivity"] + row["specificity"] - 1)
    assert np.mean(chosen) > 0.08
    assert abs(np.mean(confirmed)) < 0.06  # sd of one about 0.1, of their mean 0.02


def test_too_few_lost_or_met_give_no_warning() -> None:
    scenario = campaign(**uncertain(fraction_delivered=uniform(0, 1)))
    arrivals = arrivals_of(scenario, 1, 40)
    lost = np.zeros(40, dtype=bool)
    lost[:4] = True
    assert not len(_warnings(arrivals, lost, [day(0)], scenario))


# The command ----------------------------------------------------------------------------------


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.toml"
    path.write_text(tomlkit.dumps({**BASE, **uncertain(fraction_delivered=uniform(0, 1))}))
    return path


def test_command_says_probability_and_warning_first(scenario: Path) -> None:
    goal = f"first_dose>=0.5 by {day(9)}"
    command = ["risk", str(scenario), "--reach", goal, "--replications", "40", "--workers", "1"]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 0, found.output
    assert found.output.startswith("50 % of the target have a first dose by 10 June 2021 with a ")
    assert "Early warning: if fewer than " in found.output
    assert "not within the horizon" in found.output
    shown = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
    assert shown["simulated_now"] is False
    assert shown["answer"]["warning"]["fewer_than"] > 0
    assert {Path(name).stem for name in shown["pictures"]} == {"doses_arrived", "goal_day"}


def test_command_says_so_where_no_delivery_is_uncertain(scenario: Path) -> None:
    certain = ["--set", "deliveries.only.fraction_delivered=1.0", "--workers", "1"]
    command = ["risk", str(scenario), "--reach", "first_dose>=0.5", "--replications", "20"]
    found = CliRunner().invoke(app, [*command, *certain])
    assert found.exit_code == 0, found.output
    assert "No delivery of this scenario is uncertain" in found.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--reach", "first_dose=0.5"], "write it as first_dose>=0.9 by 2021-08-14"),
        (["--reach", "first_doze>=0.5"], "did you mean first_dose?"),
        (["--reach", "first_dose>=0.5", "--replications", "19"], "that takes at least 20"),
        (["--reach", "first_dose>=0.5 by 2031-01-01"], "between the campaign's first day"),
    ],
)
def test_wrong_command_is_refused_and_leaves_nothing(
    scenario: Path, options: list[str], said: str
) -> None:
    found = CliRunner().invoke(app, ["risk", str(scenario), "--workers", "1", *options])
    assert found.exit_code == 2
    assert said in found.stderr
    assert not (scenario.parent / "runs").exists()


def test_replications_must_be_enough_for_two_halves() -> None:
    scenario = campaign(**uncertain())
    with pytest.raises(SettingsError, match="at least 20"):
        Question(scenario, read_goal("first_dose>=0.5", scenario), 4)
