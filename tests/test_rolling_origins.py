"""Claims about forecasts from many days on: on histories of the program's own, and on 2021's."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rolling_origins import rolling_origins, summary, windows
from small_campaign import SMALL

from sim.engine import get_engine
from sim.experiment.backtest import FORECASTERS
from sim.experiment.backtest_forecast import doses_given
from sim.experiment.observed import Observed, read_observed
from sim.experiment.settings import RunSettings
from sim.experiment.sources import Source
from sim.experiment.trials import Trials
from sim.model.campaign import simulate
from sim.scenario import Scenario, merge

ROOT = Path(__file__).parent.parent
REAL = ROOT.parent / "shared" / "observed" / "samut_sakhon_2021_jun_jul.csv"
FIRST, END = date(2021, 6, 1), date(2021, 8, 31)


def two_months_and_a_third(doses: int, slots: int) -> Scenario:
    """8,000 people, doses every week: how many come is never sure; second doses after 3 weeks."""
    weekly = {
        f"weekly_{week}": {
            "vaccine": "az",
            "arrives": FIRST + timedelta(days=1 + 7 * week),
            "doses": doses,
            "fraction_delivered": {
                "distribution": "triangular", "low": 0.2, "mode": 0.8, "high": 2.0,
            },
        }
        for week in range(13)
    }  # fmt: skip
    changes = {
        "campaign": {"horizon": END, "deadline": END, "population": 20_000},
        "groups": {
            name: {"people": 4_000, "booked_in_advance": True, "turn_from": FIRST}
            for name in ("early", "late")
        },
        "call_centre": {"inquiries_per_person": 0.0},
        "unit_types": {"hall": {"closes": "16:00", "open_days": ["mon", "tue", "thu", "fri"]}},
        "appointments": {"stock_rule": "on_hand", "window_days": 7},
        "regimens": {"az_az": {"min_days": 21, "target_days": 21}},
        "supply": {"second_dose_policy": "second_doses_first"},
        "units": {name: {"slots_per_day": slots} for name in ("north", "south")},
        "ranges": {
            "units.*.slots_per_day": {"low": 30, "high": 120, "fitted": True, "source": "a test"},
            "deliveries.weekly_*.doses": {
                "low": 200, "high": 800, "fitted": True, "source": "a test",
            },
        },
    }  # fmt: skip
    world = merge(SMALL, changes)
    return Scenario.model_validate({**world, "deliveries": weekly})


def history(scenario: Scenario, replication: int) -> Observed:
    """What the program itself gives, as if observed on two days of three."""
    daily = simulate(scenario, get_engine("compiled"), 77, replication)["daily"]
    curve = doses_given(daily, FIRST, END)
    at = [day for day in range(30, curve.shape[1]) if day % 3]
    days = tuple(FIRST + timedelta(days=day) for day in at)
    return Observed("made up", f"{replication}", days, curve[:, at], {})


def test_windows_are_those_with_enough_days_around_them() -> None:
    # 30 days: 2 weeks are known from the 14th on, 3 from the 21st; 14 days follow until the 16th,
    # 10 until the 20th, 7 until the 23rd
    days = tuple(FIRST + timedelta(days=day) for day in range(30))
    found = list(windows(Observed("all", "0", days, np.zeros((2, 30)), {})))
    lengths = [
        ((fit.last - fit.first).days + 1, (predict.last - fit.last).days) for fit, predict in found
    ]
    number = {each: lengths.count(each) for each in lengths}
    assert number == {(14, 7): 10, (14, 10): 7, (14, 14): 3, (21, 7): 3}


def test_later_windows_of_own_histories_are_predicted_better_than_naively() -> None:
    # The model is right but for three numbers: luck, doses a week and pace. So only luck is left:
    # it must beat forecasts that know of no deliveries, no second doses due and no closed days, and
    # the band must hold about what it says.
    truth, supposed = two_months_and_a_third(430, 70), two_months_and_a_third(500, 90)
    parts = []
    with Trials(RunSettings(workers=1, until=END)) as trials:
        for number in range(3):
            observed = history(truth, number).between(date(2021, 7, 1), END)
            every = [day for i, day in enumerate(observed.days) if i % 4 == 0]
            parts.append(
                rolling_origins(Source.of(supposed), observed, trials, points=16, origins=every)
            )
    found = summary(pd.concat(parts), ["curve"])
    for curve, row in found.iterrows():
        assert row["model"] < min(row[name] for name in FORECASTERS[1:]), curve
        assert row["inside"] >= 0.8, curve


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.skipif(
    not REAL.is_file(), reason="the observed days of 2021 are not there (../shared/observed)"
)
def test_2021_is_predicted_better_than_naively_from_many_origins() -> None:
    # The method was chosen by all origins together: no blind test, but one of what was chosen.
    observed = read_observed(REAL)
    source = Source.of(ROOT / "scenarios" / "observed_2021.toml")
    with Trials(RunSettings(workers=2, until=observed.days[-1])) as trials:
        rows = rolling_origins(source, observed, trials, points=16, origins=observed.days[::3])
    found = summary(rows, ["curve"])
    for curve, row in found.iterrows():
        assert row["model"] < min(row[name] for name in FORECASTERS[1:]), curve
        assert row["inside"] >= 0.75, curve
