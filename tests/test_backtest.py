"""Claims about `vaxsim backtest`: reading observed days, the fit, the forecast, the blind."""

from __future__ import annotations

import json
import math
import re
from datetime import date, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_campaign import SMALL
from typer.testing import CliRunner

from sim.cli import app
from sim.engine import get_engine
from sim.experiment import backtest_forecast
from sim.experiment.backtest import find
from sim.experiment.backtest_deliveries import (
    announced,
    as_allocated,
    continued,
    without_later_rules,
)
from sim.experiment.backtest_forecast import (
    Earlier,
    Experiment,
    _band,
    _earlier,
    _fit_errors,
    _growth,
    _step_of_earlier,
    _trust,
    _weight,
    doses_given,
    fitted,
)
from sim.experiment.backtest_question import Question, read_window
from sim.experiment.observed import Observed, ObservedError, read_observed
from sim.experiment.settings import RunSettings, SettingsError
from sim.experiment.sources import Source
from sim.experiment.study import Study, StudyPlan, open_study
from sim.experiment.trials import Trials
from sim.language import speaking
from sim.model.campaign import simulate
from sim.presentation.backtest_view import _why, remark_in_words
from sim.presentation.document import html
from sim.presentation.report import report
from sim.presentation.study_views import study_text
from sim.scenario import Scenario, merge
from sim.scenario_files import load_scenario, source_of, with_values

ROOT = Path(__file__).parent.parent
SCENARIO = ROOT / "scenarios" / "observed_2021.toml"
REAL = ROOT.parent / "shared" / "observed" / "samut_sakhon_2021_jun_jul.csv"
needs_real = pytest.mark.skipif(
    not REAL.is_file(), reason="the observed days of 2021 are not there (../shared/observed)"
)


@pytest.fixture(autouse=True)
def few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coarser search, for speed: 16 points and not 64."""
    monkeypatch.setattr(backtest_forecast, "SPREAD", 8)
    monkeypatch.setattr(backtest_forecast, "ROUNDS", 1)
    monkeypatch.setattr(backtest_forecast, "POINTS", 8)
    monkeypatch.setattr(backtest_forecast, "FIT_REPLICATIONS", 1)


FIRST, END = date(2021, 6, 1), date(2021, 6, 30)
CALIBRATE, PREDICT = (
    read_window("c", "2021-06-03:2021-06-15"),
    read_window("p", f"2021-06-16:{END}"),
)
HEADER = "date,dose1_cum,dose2_cum"


def small(slots: int = 30, **more: Any) -> Scenario:
    """1,000 people booked for doses on hand, units of so many slots; the range of the slots."""
    changes = {
        "groups": {
            name: {"booked_in_advance": True, "turn_from": FIRST, "willing": 1.0}
            for name in ("early", "late")
        },
        "call_centre": {"inquiries_per_person": 0.0},
        "appointments": {"stock_rule": "on_hand", "no_show": 0.1},
        "deliveries": {"first": {"doses": 900}, "second": {"doses": 900}},
        "units": {name: {"slots_per_day": slots} for name in ("north", "south")},
        "ranges": {
            "units.*.slots_per_day": {"low": 5, "high": 60, "fitted": True, "source": "a test"}
        },
        **more,
    }
    return Scenario.model_validate(merge(SMALL, changes))


def history(scenario: Scenario, replication: int) -> Observed:
    """What the program itself gives, as if observed on every second day."""
    tables = simulate(scenario, get_engine("compiled"), 77, replication)
    curve = doses_given(tables["daily"], FIRST, END)
    at = range(2, curve.shape[1], 2)
    days = tuple(FIRST + timedelta(days=d) for d in at)
    return Observed("made up", f"{replication}", days, curve[:, list(at)], {})


def answered(
    scenario: Scenario, observed: Observed, **more: Any
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    question = Question.of(Source.of(scenario), observed, CALIBRATE, PREDICT, **more)
    with Trials(RunSettings(workers=1, until=PREDICT.last)) as trials:
        return find(question, 1, trials)


def in_words(remarks: list[dict[str, Any]]) -> list[str]:
    return [remark_in_words(remark) for remark in remarks]


# Fit and forecast -----------------------------------------------------------------------------


@pytest.mark.parametrize("slots", [14, 22])
def test_known_parameter_is_found_again(slots: int) -> None:
    # the history is the scenario's own with other luck: no-shows move the best fit by about one
    answer, _ = answered(small(), history(small(slots), 3), replications=2)
    assert abs(answer["fitted"]["units.*.slots_per_day"]["best"] - slots) <= 3


def test_band_covers_about_what_it_says() -> None:
    # 90 %: of 2 histories x 2 curves x 7 days few lie outside; days of one history hang together,
    # so only a share far below would be a mistake
    inside = days = 0
    for number in range(2):
        answer, _ = answered(small(), history(small(22), number), replications=2)
        inside += sum(found["inside_band"] for found in answer["curves"].values())
        days += 2 * answer["observed_days"]
    assert days == 2 * 2 * 7
    assert inside / days >= 0.75


def test_prediction_does_not_look_at_the_days_predicted() -> None:
    observed = history(small(22), 0)
    later = np.array([day > CALIBRATE.last for day in observed.days])
    doses = observed.doses.copy()
    doses[:, later] = 999_999 + np.arange(later.sum())
    known = {"az": dict.fromkeys(observed.days, 900)}
    others_known = {"az": {day: 900 + 50_000 * (day > CALIBRATE.last) for day in observed.days}}
    true = Observed("made up", "true", observed.days, observed.doses, known)
    other = Observed("made up", "other", observed.days, doses, others_known)
    (answer, tables), (falsified, others) = (
        answered(small(), each, replications=2) for each in (true, other)
    )
    for name in ("forecast", "fit", "points"):
        assert tables[name].to_csv() == others[name].to_csv()
    # only the judgement differs
    assert falsified["curves"] != answer["curves"]
    assert falsified["fitted"] == answer["fitted"]


def test_naive_forecasts_are_those_of_a_history_of_two_slopes() -> None:
    # 20 a day up to 9 June, 6 a day then: last week's rate on the 15th is (6 x 6 + 1 x 20) / 7 = 8
    days = tuple(date(2021, 6, d) for d in range(3, 31))
    first = np.array([20.0 * min(i, 6) + 6.0 * max(i - 6, 0) for i in range(len(days))])
    observed = Observed("made up", "0", days, np.array([first, 0 * first]), {})
    _, tables = answered(small(), observed, replications=1)
    forecast = tables["forecast"]
    last_week = forecast.loc[forecast["curve"] == "first", "last_week"].to_numpy()
    assert last_week[0] == first[12]
    assert np.allclose(np.diff(last_week), 8.0)
    line = forecast.loc[forecast["curve"] == "first", "line"].to_numpy()
    slope, level = np.polyfit(np.arange(13), first[:13], 1)
    assert np.allclose(line, level + slope * np.arange(12, 28))


def test_growth_of_a_linear_error_is_by_hand() -> None:
    # errors 0, 1, 3 on days 0, 1, 3: (1 + 9 + 4) / (1 + 3 + 2)
    days = [FIRST, FIRST + timedelta(days=1), FIRST + timedelta(days=3)]
    assert _growth(np.array([[0.0, 1.0, 3.0]]), days) == pytest.approx(14 / 6)


def test_a_number_that_changes_nothing_yet_is_drawn_from_its_range() -> None:
    # how many doses come on 20 June cannot be seen by the 15th: 0 to 900 are as likely, and with
    # none the 900 of June's first day are all
    late = {"vaccine": "az", "arrives": "2021-06-20", "doses": 450}
    ranges = {
        **small().model_dump(mode="json", exclude_unset=True)["ranges"],
        "deliveries.late.doses": {"low": 0, "high": 900, "fitted": True, "source": "a test"},
    }
    deliveries = {"second": {"doses": 1}, "late": late}
    answer, tables = answered(
        small(22, deliveries=deliveries, ranges=ranges), history(small(22), 0), replications=2
    )
    assert list(answer["fitted"]) == ["units.*.slots_per_day"]
    assert any(
        "deliveries.late.doses changes nothing" in said for said in in_words(answer["supposed"])
    )
    assert tables["points"]["deliveries.late.doses"].nunique() == 1  # not sought
    last = tables["forecast"].query("curve == 'first'").iloc[-1]
    _, known = answered(small(22, deliveries=deliveries), history(small(22), 0), replications=2)
    certain = known["forecast"].query("curve == 'first'").iloc[-1]
    assert last["high"] - last["low"] > certain["high"] - certain["low"]


# Earlier forecasts ----------------------------------------------------------------------------


def earlier(model: float, last_week: float, observed: float, days: int) -> Earlier:
    """Doses a day by the simulation, by last week's rate, and as observed, on some days."""
    since = np.arange(1.0, days + 1)
    return Earlier(
        FIRST, since, *(rate * np.array([since, since]) for rate in (model, last_week, observed))
    )


@pytest.mark.parametrize(
    ("observed", "learnt"), [(10.0, 1.0), (4.0, 0.0), (7.0, 0.5), (40.0, 1.0), (1.0, 0.0)]
)
def test_weight_is_that_of_least_squares_drawn_towards_the_simulation(
    observed: float, learnt: float
) -> None:
    # 10 a day by the simulation, 4 by last week's rate; a horizon of 10 days fits twice into the
    # days from the 21st to the 41st, and once counts that the simulation is right
    seen = Observed("made up", "0", (FIRST, FIRST + timedelta(days=41)), np.zeros((2, 2)), {})
    forecasts = [earlier(10.0, 4.0, observed, days) for days in (5, 9)]
    for curve in (0, 1):
        assert _weight(forecasts, curve, seen, 10) == pytest.approx((1 + 2 * learnt) / 3)


def test_without_earlier_forecasts_the_simulation_is_alone() -> None:
    seen = Observed("made up", "0", (FIRST, FIRST + timedelta(days=41)), np.zeros((2, 2)), {})
    assert _weight([], 0, seen, 10) == 1.0
    assert _step_of_earlier([], 0, 1.0, 10) == 0.0


def test_errors_of_earlier_forecasts_by_hand() -> None:
    # a day wrong by 2, after h days by 2 h: 4 h² / (h (1 + h / 7)) is 4 / (1/h + 1/7), up to 5 days
    forecasts = [earlier(10.0, 4.0, 8.0, 9)]
    expected = np.mean([4 / (1 / h + 1 / 7) for h in range(1, 6)])
    assert _step_of_earlier(forecasts, 0, 1.0, 5) == pytest.approx(expected)


def test_an_earlier_forecast_does_not_look_at_the_days_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backtest_forecast, "_DAYS_BEFORE", 7)
    observed = history(small(22), 0)
    last = sum(day <= CALIBRATE.last for day in observed.days) - 1
    doses = observed.doses.copy()
    doses[:, last] += 500
    found = []
    for each in (observed, Observed("made up", "other", observed.days, doses, {})):
        question = Question.of(Source.of(small()), each, CALIBRATE, PREDICT, replications=1)
        with Trials(RunSettings(workers=1, until=PREDICT.last)) as trials:
            experiment = Experiment(question, trials)
            found.append(list(_earlier(experiment, fitted(experiment, 1)[0])))
    assert len(found[0]) == len(found[1]) == 2  # from the 11th and the 13th
    for right, other in zip(*found, strict=True):
        assert np.array_equal(right.model, other.model)
        assert np.array_equal(right.last_week, other.last_week)
        assert not np.array_equal(right.observed, other.observed)


# Weight of the fit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("simulation", "line", "days", "trust"),
    [
        (10.0, 20.0, 31, 1.0),
        (10.0, 10.0, 31, 1.0),
        (20.0, 10.0, 31, 0.25),
        (20.0, 10.0, 61, 0.25),  # of a longer window the last month is looked at
        (16.0, 1.0, 31 / 4, 0.25),  # (1 / 256) to the power of 1 / 4
        (5.0, 0.0, 31, 0.0),
        (0.0, 0.0, 31, 1.0),
    ],
)
def test_a_simulation_that_fits_worse_than_a_line_counts_less(
    simulation: float, line: float, days: float, trust: float
) -> None:
    # twice the error of the line: a quarter, the ratio of the mean squared errors
    assert _trust(simulation, line, days) == trust


def test_errors_of_the_fit_leave_the_level_free_and_are_of_the_last_month() -> None:
    # errors 90, 5, 15: the first is 40 days before the others, which are 5 off their mean of 10;
    # a line through two days has no error
    days = tuple(FIRST + timedelta(days=day) for day in (0, 40, 42))
    window = Observed("made up", "0", days, np.array([[0.0, 7.0, 9.0], [1.0, 1.0, 1.0]]), {})
    errors = np.array([[90.0, 5.0, 15.0], [90.0, 0.0, 0.0]])
    assert _fit_errors(errors, window) == pytest.approx(np.array([[5.0, 0.0], [0.0, 0.0]]))


def test_a_curve_that_the_simulation_cannot_follow_is_continued_at_last_weeks_rate() -> None:
    # the scenario gives second doses from 29 June on; observed are 20 a day from the first day on,
    # a straight line: its error is nothing, so nothing is left of the simulation
    observed = history(small(22), 0)
    doses = observed.doses.copy()
    doses[1] = [20.0 * (day - FIRST).days for day in observed.days]
    given = Observed("made up", "0", observed.days, doses, {})
    answer, tables = answered(small(), given, replications=1)
    assert answer["trust"]["second"] < 1e-9
    assert answer["weights"]["second"] < 1e-9
    assert answer["weights"]["first"] > 0.5
    second = tables["forecast"].query("curve == 'second'")
    assert second["model"].to_numpy() == pytest.approx(second["last_week"].to_numpy())
    assert answer["curves"]["second"]["mean_absolute_error"]["model"] < 1


def test_days_on_which_nothing_was_given_cannot_be_fitted() -> None:
    observed = history(small(22), 0)
    still = np.repeat(observed.doses[:, :1], len(observed.days), axis=1)
    with pytest.raises(SettingsError, match="no dose was given there"):
        answered(small(), Observed("made up", "0", observed.days, still, {}))


# Band and deliveries --------------------------------------------------------------------------


def test_error_of_the_last_fitted_day_stays() -> None:
    # the file lacks 15 doses of the last day of the window: nothing else changes in the forecast
    observed = history(small(22), 0)
    doses = observed.doses.copy()
    last = sum(day <= CALIBRATE.last for day in observed.days) - 1
    doses[0, last] -= 15
    late = Observed("late", "late", observed.days, doses, {})
    (_, right), (_, ahead) = (
        answered(small(22), each, replications=1) for each in (observed, late)
    )
    first = [tables["forecast"].query("curve == 'first'")["model"] for tables in (right, ahead)]
    assert first[0].to_numpy() - first[1].to_numpy() == pytest.approx(15)


@pytest.mark.parametrize(("freedom", "end"), [(10**6, 1.645), (10, 1.812), (2, 2.920)])
def test_band_of_one_member_is_students(freedom: int, end: float) -> None:
    # 90 % of Student's t distribution, from any table of it (which has three decimals; between the
    # 401 quantiles that stand for it, the ends are interpolated, to 0.03 % at most)
    low, high = _band(np.zeros((1, 1, 1)), np.ones((1, 1)), freedom)
    assert (low[0, 0], high[0, 0]) == (
        pytest.approx(-end, rel=5e-4),
        pytest.approx(end, rel=5e-4),
    )


def test_deliveries_that_the_scenario_knows_ahead_are_told_with_their_source() -> None:
    # 900 on 3 June and 900 on the 12th are of the fitted days: told are
    # those that come on the last one or later
    late = {"vaccine": "az", "arrives": "2021-06-20", "doses": 450}
    last = {"vaccine": "az", "arrives": str(CALIBRATE.last), "doses": 50}
    deliveries = {"late": late, "last": last}
    sources = {"deliveries.late.*": "announced on 1 June 2021"}
    scenario = small(deliveries=deliveries, sources=sources)
    question = Question.of(Source.of(scenario), history(small(), 0), CALIBRATE, PREDICT)
    (told,) = announced(scenario, "az", question)
    assert told["doses"] == 500
    assert told["sources"] == ["announced on 1 June 2021"]
    assert "az, 500 doses" in in_words([told])[0]
    assert "announced on 1 June 2021" in in_words([told])[0]


def test_rate_known_goes_on_where_the_scenario_says_no_more() -> None:
    # 280 doses allocated in 28 days: 70 a week, from the day after the window on
    question = Question.of(Source.of(small()), history(small(), 0), CALIBRATE, PREDICT)
    known = {date(2021, 5, 18): 0, date(2021, 6, 15): 280}
    more, supposed = continued(question.source.scenario, "az", known, question)
    assert [(d["arrives"], d["doses"]) for d in more.values()] == [
        ("2021-06-16", 70), ("2021-06-23", 70), ("2021-06-30", 70),
    ]  # fmt: skip
    assert "70 doses a week" in in_words(supposed)[0]
    # without allocations, or with those of ten days only, which one big delivery may fill: 900 +
    # 900 of the four weeks before, and a week after the last delivery
    for short in ({}, {date(2021, 6, 5): 0, date(2021, 6, 15): 5_000}):
        more, _ = continued(question.source.scenario, "az", short, question)
        assert [(d["arrives"], d["doses"]) for d in more.values()] == [
            ("2021-06-19", 450), ("2021-06-26", 450),
        ]  # fmt: skip


def test_doses_allocated_and_not_given_are_not_supposed_to_be_given() -> None:
    # they may be for second doses or on paper only; rates are taken from four weeks, not one day
    observed = history(small(22), 0)
    known = {"az": {CALIBRATE.last: 5_000}}
    full = Observed("made up", "0", observed.days, observed.doses, known)
    (_, stored), (_, without) = (
        answered(small(), each, replications=1) for each in (full, observed)
    )
    assert stored["forecast"].to_csv() == without["forecast"].to_csv()


def test_allocations_observed_take_the_place_of_later_deliveries() -> None:
    # nothing is allocated after 14 June: with the file's deliveries fewer doses are predicted
    observed = history(small(22), 0)
    allocated = {"az": {date(2021, 6, 3): 900, date(2021, 6, 14): 900}}
    known = Observed("made up", "0", observed.days, observed.doses, allocated)
    late = {"vaccine": "az", "arrives": "2021-06-20", "doses": 450}
    amount = {"low": 0, "high": 900, "fitted": True, "source": "a test"}
    slots = small().model_dump(mode="json", exclude_unset=True)["ranges"]
    later = {
        "deliveries": {"first": {"doses": 900}, "second": {"doses": 900}, "late": late},
        "ranges": {**slots, "deliveries.late.doses": amount},  # of a delivery that is replaced
    }
    answer, tables = answered(small(**later), known, replications=1, deliveries="observed")
    _, without = answered(small(), observed, replications=1)
    assert "the file's" in in_words(answer["supposed"])[0]
    assert tables["forecast"]["model"].iloc[14] < without["forecast"]["model"].iloc[14]


# Where it is not better ------------------------------------------------------------------------


def test_a_stop_that_nobody_knew_of_is_told_as_a_change_of_pace(tmp_path: Path) -> None:
    # nothing is given after the 15th, nor allocated: by the 29th the model is 14 days ahead
    observed = history(small(22), 0)
    later = np.array([day > CALIBRATE.last for day in observed.days])
    doses = observed.doses.copy()
    doses[:, later] = doses[:, ~later][:, -1:]
    known = {"az": {date(2021, 6, 15): 1_800, date(2021, 6, 29): 1_800}}
    stopped = Observed("stopped", "stopped", observed.days, doses, known)
    question = Question.of(Source.of(small()), stopped, CALIBRATE, PREDICT, replications=1)
    settings = RunSettings(seed=1, replications=1, workers=1, until=PREDICT.last)
    plan = StudyPlan("backtest", question.source, settings, question.as_json(), tmp_path / "study")
    with Trials(settings) as trials:
        answer, tables = find(question, 1, trials)
    change = answer["doses_a_day"]["first"]
    assert change["predicted_days"] == 0
    assert change["fitted_days"] == pytest.approx((doses[0, 6] - doses[0, 0]) / 12)
    model = tables["forecast"].query("curve == 'first'")["model"].to_numpy()
    assert change["model"] == pytest.approx((model[-2] - model[0]) / 14)  # to the 29th
    came = answer["doses_come"]["az"]
    assert (came["allocated"], came["allocated_to"]) == (0, "2021-06-29")
    lost = {**answer["curves"]["first"], "beats_both": False}
    told = {**answer, "curves": {**answer["curves"], "first": lost}}
    study = Study(plan.folder, {"answer": told, "question": question.as_json()})
    said = "\n".join(_why(study))
    assert "First doses a day" in said
    assert "0 in the predicted ones" in said
    assert "0 were allocated by the file" in said


def test_a_range_that_is_too_narrow_is_told() -> None:
    # 30 slots a day were there, 5 to 12 are sought
    answer, _tables = answered(
        small(), history(small(30), 0), replications=1, fit=["units.*.slots_per_day=5:12"]
    )
    assert "fits best at an end of its range, 5 to 12" in in_words(answer["remarks"])[0]


def test_range_of_the_command_line_is_relative_where_that_of_the_scenario_is() -> None:
    ranges = {"units.*.slots_per_day": {"low": 0.5, "high": 2.0, "relative": True, "source": "x"}}
    question = Question.of(
        Source.of(small(ranges=ranges)), history(small(), 0), CALIBRATE, PREDICT,
        ["units.*.slots_per_day=0.5:4"],
    )  # fmt: skip
    assert question.as_json()["fit"] == {"units.*.slots_per_day": [0.5, 4.0, True]}


def test_days_after_the_end_of_the_file_are_predicted_and_told_as_not_judged() -> None:
    observed = days_of(history(small(22), 1), list(range(10)))
    answer, tables = answered(small(), observed, replications=1)
    assert tables["forecast"]["date"].max() == pd.Timestamp(PREDICT.last)
    assert in_words(answer["remarks"]) == [
        "some ends on 21 June 2021: the days after it are predicted, and not judged."
    ]


# In the reader's language -----------------------------------------------------------------------

SAID = {
    "en": (
        "dose1_cum falls from",
        "allocated_pfizer_cum is of no vaccine of the scenario: not looked at.",
        "The scenario has no az after 15 June 2021: 450 doses a week are supposed",
        "fits best at an end of its range, 5 to 12",
        "observed.csv ends on 21 June 2021: the days after it are predicted, and not judged.",
    ),
    "th": (
        "dose1_cum ลดจาก",
        "allocated_pfizer_cum ไม่ใช่วัคซีนของฉากทัศน์: ไม่ได้นำมาใช้",
        "ฉากทัศน์ไม่มี az หลัง 15 มิถุนายน พ.ศ. 2564: ถือว่ามาสัปดาห์ละ 450 โดส",
        "เข้ากับข้อมูลดีที่สุดที่ปลายช่วง 5 ถึง 12",
        "observed.csv สิ้นสุดวันที่ 21 มิถุนายน พ.ศ. 2564: วันหลังจากนั้นทำนายแต่ไม่ได้เทียบ",
    ),
}


def test_a_report_has_its_remarks_in_its_own_language_not_that_of_the_run(tmp_path: Path) -> None:
    # a file with a correction and a foreign vaccine that ends early, a range that is too narrow,
    # and no second dose yet of which an error could be a percentage
    observed = days_of(history(small(30), 1), list(range(10)))
    doses = observed.doses.copy()
    doses[0, 4] = doses[0, 3] - 1
    corrected = Observed("", "", observed.days, doses, {})
    file = as_file(tmp_path, corrected, {"pfizer": {observed.days[3]: 40}})
    folders = {}
    for code in SAID:
        with speaking(code):
            question = Question.of(
                Source.of(small()), read_observed(file), CALIBRATE, PREDICT,
                ["units.*.slots_per_day=5:12"], replications=1,
            )  # fmt: skip
            settings = RunSettings(seed=1, workers=1, until=PREDICT.last)
            plan = StudyPlan(
                "backtest", question.source, settings, question.as_json(), tmp_path / code
            )
            folders[code] = plan.make(lambda trials, asked=question: find(asked, 1, trials)).folder
    answers = [open_study(folder).answer for folder in folders.values()]
    assert answers[0] == answers[1]
    for of_run, of_reader in (("en", "th"), ("th", "en")):
        with speaking(of_reader):
            page = unescape(html(report(folders[of_run])))
            text = " ".join(study_text(open_study(folders[of_run])).split())
        for said, not_said in zip(SAID[of_reader], SAID[of_run], strict=True):
            assert said in page
            assert said in text
            assert not_said not in page


# The file -------------------------------------------------------------------------------------


def written(folder: Path, text: str) -> Path:
    path = folder / "observed.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_thai_digits_other_orders_and_unknown_columns_are_read(tmp_path: Path) -> None:
    path = written(
        tmp_path, f"note,{HEADER},allocated_az_cum\nx,2021-06-02,๑๒,5,\ny,2021-06-01,10,5,70\n"
    )
    found = read_observed(path)
    assert found.days == (date(2021, 6, 1), date(2021, 6, 2))
    assert found.doses.tolist() == [[10, 12], [5, 5]]
    assert found.allocated == {"az": {date(2021, 6, 1): 70}}


def test_another_series_may_count_less(tmp_path: Path) -> None:
    rows = "2021-06-01,10,5,B\n2021-06-02,9,5,{}\n"
    assert read_observed(written(tmp_path, f"{HEADER},series\n{rows.format('A')}"))
    with pytest.raises(ObservedError, match="line 3: dose1_cum falls from 10"):
        read_observed(written(tmp_path, f"{HEADER},series\n{rows.format('B')}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no observed day"),
        (HEADER, "holds no observed day"),
        ("date,dose1_cum\n2021-06-01,3\n", "no column dose2_cum"),
        (f"{HEADER}\n2021-06-31,3,1\n", "line 2: date '2021-06-31' is none"),
        (f"{HEADER}\n2564-06-01,3,1\n", "2564 is a Buddhist year: write 2021-06-01"),
        (f"{HEADER}\n2021-06-01,many,1\n", "line 2: dose1_cum is 'many'"),
        (f"{HEADER}\n2021-06-01,-3,1\n", "must be a whole number"),
        (f"{HEADER}\n2021-06-01,,1\n", "dose1_cum is nothing"),
        (f"{HEADER}\n2021-06-01,3,1\n2021-06-01,4,1\n", "line 3: 2021-06-01 is there already"),
        (f"{HEADER}\n2021-06-01,300,1\n2021-06-02,290,1\n", "a correction not be more than 2%"),
        (f"{HEADER}\n2021-06-01,3.5,1\n", "whole number"),
        (f"{HEADER},allocated_az_cum\n2021-06-01,,,70\n", "no observed day"),
        (f"{HEADER}\n2021-06-01,3,4\n", "more second doses than first"),
        (f"{HEADER}\n\n2021-06-01,x,1\n", "line 3: dose1_cum is 'x'"),
        (f"{HEADER}\n2021-06-01,108,843,93,137\n", "line 2: 5 values for 3 columns"),
        (f"{HEADER},dose1_cum\n2021-06-01,3,1,4\n", "more than one column dose1_cum"),
        ("date;dose1_cum;dose2_cum\n2021-06-01;108.843;3\n", "dose1_cum is '108.843'"),
        ("day,dose1_cum,dose2_cum\n2021-06-01,3,1\n", "no column date; it has day, dose1_cum"),
        ("date,dose1_cum,second\n2021-06-01,3,1\n", r"no column dose2_cum; [^;]*second$"),
        ("\x00\x01", "no column|not a CSV|no observed day"),
        (HEADER + "\n" + "2021-06-01,3,1\n" * 400_000, "more than 5 MB"),
    ],
)  # fmt: skip
def test_file_that_cannot_be_used_is_told_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ObservedError, match=message):
        read_observed(written(tmp_path, text))


def test_rows_as_programs_write_them_are_read(tmp_path: Path) -> None:
    # a day twice with the same numbers; an allocation without doses; whole numbers with ".0"
    path = written(
        tmp_path,
        f"{HEADER},allocated_az_cum\n2021-06-01,10,5,70.0\n2021-06-01,10,5,70\n"
        "2021-06-03,,,90.0\n2021-06-04,12,5,\n",
    )
    found = read_observed(path)
    assert found.days == (date(2021, 6, 1), date(2021, 6, 4))
    assert found.allocated == {"az": {date(2021, 6, 1): 70, date(2021, 6, 3): 90}}


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffdate,dose1_cum,dose2_cum\r\n2021-06-01,108843,5\r\n2021-06-03,110000,6\r\n",
        'date;dose1_cum;dose2_cum\n2021-06-01;"108,843";5\n\n2021-06-03;110,000;6\n;;\n',
        "date\tdose1_cum\tdose2_cum\n2021-06-01\t108843.0\t5\n2021-06-03\t110000\t6\n",
        "sep=;\ndate;dose1_cum;dose2_cum\n2021-06-01 00:00:00;108843;5\n2021-06-03;110000;6\n",
        "Date,Dose1_cum,DOSE2_CUM\n2021-06-01T00:00,108843,5\n2021-06-03T00:00,110000,6\n",
        '\ndate, dose1_cum, dose2_cum,\n๒๐๒๑-06-01, "108,843", 5,\n2021-06-03, 110000, 6,\n',
    ],
)
def test_files_are_read_as_spreadsheets_save_them(tmp_path: Path, text: str) -> None:
    # marks, ends of lines, separators, commas of thousands and empty lines say nothing
    path = tmp_path / "observed.csv"
    path.write_bytes(text.encode())
    found = read_observed(path)
    assert found.days == (date(2021, 6, 1), date(2021, 6, 3))
    assert found.doses.tolist() == [[108_843, 110_000], [5, 6]]


def test_a_correction_is_used_as_reported_and_told(tmp_path: Path) -> None:
    # 1,000 to 990 are 1 %: what was reported first is not changed by what was known later
    rows = "2021-06-01,1000,50\n2021-06-02,990,50\n2021-06-03,1100,50\n"
    found = read_observed(written(tmp_path, f"{HEADER}\n{rows}"))
    assert found.doses[0].tolist() == [1000, 990, 1100]
    (fall,) = found.corrections
    assert fall.day == date(2021, 6, 2)
    assert "falls from 1,000 (2021-06-01) to 990" in fall.words()
    assert not found.between(date(2021, 6, 3), date(2021, 6, 3)).corrections


# Other months of the same form ------------------------------------------------------------------


def as_file(
    folder: Path, observed: Observed, allocated: dict[str, dict[date, int]] | None = None
) -> Path:
    """The days as a CSV file of the form that is published."""
    allocated = allocated or {}
    lines = [",".join([HEADER, *(f"allocated_{vaccine}_cum" for vaccine in allocated)])]
    for day, (first, second) in zip(observed.days, observed.doses.T.astype(int), strict=True):
        known = [str(days.get(day, "")) for days in allocated.values()]
        lines.append(",".join([day.isoformat(), str(first), str(second), *known]))
    return written(folder, "\n".join(lines))


def days_of(observed: Observed, keep: list[int]) -> Observed:
    """Only some of the days."""
    return Observed(
        "some", "some", tuple(observed.days[i] for i in keep), observed.doses[:, keep], {}
    )


@pytest.mark.parametrize(
    ("kept", "calibrate", "predict"),
    [
        (range(3, 14), "2021-06-03:2021-06-17", "2021-06-18:2021-06-30"),  # begins late
        ([0, 1, 2, 5, 6, 9, 13], "2021-06-03:2021-06-16", "2021-06-17:2021-06-30"),  # gaps
        (range(14), "2021-06-03:2021-06-11", "2021-06-12:2021-06-13"),  # short windows
        (range(14), "2021-06-09:2021-06-24", "2021-06-29:2021-06-30"),  # days between them
    ],
)
def test_files_and_windows_of_other_shapes_are_predicted(
    tmp_path: Path, kept: Any, calibrate: str, predict: str
) -> None:
    observed = read_observed(as_file(tmp_path, days_of(history(small(22), 1), list(kept))))
    windows = read_window("c", calibrate), read_window("p", predict)
    question = Question.of(Source.of(small()), observed, *windows, replications=1)
    with Trials(RunSettings(workers=1, until=windows[1].last)) as trials:
        answer, tables = find(question, 1, trials)
    assert answer["observed_days"] == len(observed.between(windows[1].first, windows[1].last).days)
    forecast = tables["forecast"]
    assert (forecast["low"] <= forecast["model"] + 1e-9).all()
    assert (forecast["model"] <= forecast["high"] + 1e-9).all()
    for _, curve in forecast.groupby("curve"):
        assert (np.diff(curve["model"]) >= 0).all()  # doses given are counted: none is taken back


def test_a_correction_within_the_window_is_told_with_the_forecast(tmp_path: Path) -> None:
    observed = history(small(22), 1)
    doses = observed.doses.copy()
    doses[0, 4] = doses[0, 3] - 1
    corrected = Observed("corrected", "corrected", observed.days, doses, {})
    answer, _ = answered(small(), read_observed(as_file(tmp_path, corrected)), replications=1)
    assert "A correction, used as reported: dose1_cum falls" in in_words(answer["supposed"])[0]


def test_a_vaccine_that_the_scenario_does_not_know_is_told_and_not_looked_at(
    tmp_path: Path,
) -> None:
    observed = history(small(22), 1)
    known: dict[str, dict[date, int]]
    known = {"az": {}, "pfizer": {observed.days[3]: 40, observed.days[9]: 80}}
    read = read_observed(as_file(tmp_path, observed, known))
    answer, tables = answered(small(), read, replications=1)
    assert any(
        "allocated_pfizer_cum is of no vaccine" in said for said in in_words(answer["supposed"])
    )
    _, without = answered(small(), observed, replications=1)
    assert tables["forecast"].to_csv() == without["forecast"].to_csv()
    with pytest.raises(SettingsError, match="allocated_pfizer_cum is of no vaccine"):
        Question.of(Source.of(small()), read, CALIBRATE, PREDICT, deliveries="observed")


def test_a_vaccine_that_appears_later_comes_as_it_was_allocated(tmp_path: Path) -> None:
    # 200 by the 13th, 500 by the 21st: of neither does the scenario know
    observed = history(small(22), 1)
    known = {"late": {observed.days[5]: 200, observed.days[9]: 500}}
    vaccines = {"late": {"doses_per_vial": 1, "open_vial_hours": 6.0}}
    question = Question.of(
        Source.of(small(22, vaccines=vaccines)), read_observed(as_file(tmp_path, observed, known)),
        CALIBRATE, PREDICT, deliveries="observed",
    )  # fmt: skip
    _, came = as_allocated(question)
    assert [(each["arrives"], each["doses"]) for each in came.values()] == [
        (observed.days[5].isoformat(), 200),
        (observed.days[9].isoformat(), 300),
    ]


def test_july_and_august_can_be_asked_for_with_the_scenario_of_2021() -> None:
    # made up: 3,000 first and 1,000 second doses a day
    number = np.arange(0, 62, 3)
    days = tuple(date(2021, 7, 1) + timedelta(days=int(d)) for d in number)
    doses = np.array([180_000 + 3_000.0 * number, 112_000 + 1_000.0 * number])
    windows = read_window("c", "2021-07-01:2021-07-31"), read_window("p", "2021-08-01:2021-08-31")
    question = Question.of(Source.of(SCENARIO), Observed("made up", "0", days, doses, {}), *windows)
    assert question.patterns == (
        "units.*.slots_per_day",
        "deliveries.sinovac_*_*.doses",
        "deliveries.astrazeneca_july_*.doses",
        "deliveries.astrazeneca_later_*.doses",
        "regimens.az_twice.target_days",
    )


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (
            range(8),
            "0 observed days there, and 1 are needed .its days are 2021-06-03 to 2021-06-17",
        ),
        (range(7, 14), "0 observed days there, and 4 are needed"),
    ],
)
def test_days_that_are_not_in_the_file_are_told(tmp_path: Path, kept: Any, message: str) -> None:
    observed = read_observed(as_file(tmp_path, days_of(history(small(), 0), list(kept))))
    windows = read_window("c", "2021-06-03:2021-06-15"), read_window("p", "2021-06-20:2021-06-30")
    with pytest.raises(SettingsError, match=message):
        Question.of(Source.of(small()), observed, *windows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibrate": "2021-06-03:2021-06-20"}, "must begin after"),
        ({"calibrate": "2021-05-03:2021-06-10"}, "before the scenario's first day"),
        ({"calibrate": "2021-06-09:2021-06-10"}, "and 4 are needed"),
        ({"predict": "2021-06-20:2021-07-30"}, "horizon"),
        ({"fit": ["groups.nobody.willing=0.1:0.9"]}, "no such number"),
        ({"fit": ["units.*.slots_per_day=9:3"]}, "must be below"),
        ({"fit": ["units.*.slots_per_day=few"]}, "PATH=LOW:HIGH"),
        ({"fit": ["call_centre.lines"]}, "gives no range"),
        ({"fit": ["appointments.no_show=0.5:3"]}, "cannot be"),
        ({"deliveries": "observed"}, "no column allocated_VACCINE_cum"),
    ],
)
def test_question_that_cannot_be_is_told_why(options: dict[str, Any], message: str) -> None:
    windows = [
        read_window("--window", options.pop(name)) if name in options else default
        for name, default in (("calibrate", CALIBRATE), ("predict", PREDICT))
    ]
    with pytest.raises(SettingsError, match=message):
        Question.of(Source.of(small()), history(small(), 0), *windows, **options)


def test_window_in_buddhist_years_is_told_the_other_ones() -> None:
    told = "2564 is a Buddhist year: write 2021-07-01; 2564 is a Buddhist year: write 2021-07-31"
    with pytest.raises(SettingsError, match=told):
        read_window("--predict", "2564-07-01:2564-07-31")
    with pytest.raises(SettingsError, match=r"31: 2564 is a Buddhist year: write 2021-07-01$"):
        read_window("--predict", "2564-07-01:2021-07-31")


@pytest.mark.parametrize("text", ["", "2021-06-01", "2021-06-02:2021-06-01", "a:b", "1:2:3"])
def test_window_that_is_none_is_told_so(text: str) -> None:
    with pytest.raises(SettingsError, match="--predict"):
        read_window("--predict", text)


# June and July 2021 ---------------------------------------------------------------------------


@pytest.mark.full
@pytest.mark.timeout(900)
@needs_real
def test_july_is_predicted_better_than_by_naive_forecasts(tmp_path: Path) -> None:
    # fewer replications than by default; the margins are those of the full study, rounded up
    result = CliRunner().invoke(
        app,
        [
            "backtest", str(SCENARIO), str(REAL), "--calibrate", "2021-06-06:2021-06-30",
            "--predict", "2021-07-01:2021-07-31", "--replications", "2", "--json",
            "--out", str(tmp_path / "study"),
        ],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    for curve, found in data["answer"]["curves"].items():
        assert found["beats_both"], curve
        assert all(skill < 1 for skill in found["skill"].values())
    assert (tmp_path / "study" / "pictures" / "backtest.png").stat().st_size > 10_000
    assert all(math.isfinite(row["model"]) for row in data["forecast"])


def test_deliveries_of_2021_were_announced_before_the_month_in_which_they_come() -> None:
    scenario = load_scenario(SCENARIO)
    dated = 0
    for name, delivery in scenario.deliveries.items():
        said = source_of(scenario, f"deliveries.{name}.doses") or ""
        month = (delivery.arrives + timedelta(days=1)).replace(day=1)  # what comes on the eve
        for day, named, year in re.findall(r"(\d+) ([A-Z][a-z]+) (20\d\d)", said):
            dated += 1
            assert datetime.strptime(f"{day} {named} {year}", "%d %B %Y").date() < month, name
        assert said.startswith("assumed") or re.search(r"20\d\d", said), name
    assert dated > 30


def test_the_rule_of_12_july_is_not_known_in_june() -> None:
    scenario = load_scenario(SCENARIO)
    data = Source.of(SCENARIO).data
    known, unknown = without_later_rules(data, scenario, date(2021, 6, 30))
    assert unknown == ["sv_az"]
    assert list(known["regimens"]) == ["sv_sv", "az_twice"]
    assert "first_dose_until" not in known["regimens"]["sv_sv"]
    assert with_values(known, {}).regimens["sv_sv"].begins_on(date(2021, 7, 31))
    assert without_later_rules(data, scenario, date(2021, 7, 12)) == (data, [])


def test_scenario_of_2021_starts_where_vaccination_stood() -> None:
    campaign = load_scenario(SCENARIO).campaign
    assert campaign.vaccinated_before == 93_137
    assert campaign.vaccination_from == date(2021, 6, 7)
