"""Claims about the lengths of waits and stays: classes, counts, and the quantiles that follow."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from small_campaign import small_scenario

from sim.compilation import kernel
from sim.engine import get_engine
from sim.engine.contract import (
    CallCentreDay,
    CallCentreDayResult,
    Engine,
    PatientOutcome,
    UnitSession,
    UnitSessionResult,
)
from sim.experiment.measures import QUANTILES, measures_of
from sim.experiment.replications import Task, replicate
from sim.experiment.settings import RunSettings
from sim.experiment.statistics import mean_interval, quantile_of_classes
from sim.experiment.validation_cases import all_cases
from sim.model.campaign import simulate
from sim.model.durations import CLASSES, duration_class, duration_rows
from sim.queueing_theory import erlang_c
from sim.scenario import MINUTE_US

VALIDATION = Path(__file__).parent.parent / "scenarios" / "validation"


@kernel
def _classes(lengths_us, out):  # type: ignore[no-untyped-def]
    for i in range(lengths_us.size):
        out[i] = duration_class(lengths_us[i])


def classes(lengths_us: np.ndarray) -> np.ndarray:
    out = np.empty_like(lengths_us)
    _classes(lengths_us, out)
    return out


def test_a_length_is_in_the_class_that_says_so_and_classes_are_narrow() -> None:
    # every length up to 20,000 µs, and around each power of two up to 2**40
    powers = 2 ** np.arange(14, 40)
    lengths = np.unique(np.concatenate([np.arange(20_000), powers - 1, powers, powers + 1]))
    found = classes(lengths)
    rows = duration_rows("stay", "", np.bincount(found, minlength=CLASSES))
    shortest = np.repeat(rows["shortest"], rows["number"]) * MINUTE_US
    longest = np.repeat(rows["longest"], rows["number"]) * MINUTE_US
    assert (np.diff(found) >= 0).all()
    assert (np.rint(shortest) <= lengths).all()
    assert (lengths <= np.rint(longest)).all()
    assert (longest - shortest <= lengths / 64 + 1e-6).all()
    # nothing lies between two classes: each begins a microsecond after the end of the one before
    whole = duration_rows("stay", "", np.ones(CLASSES, dtype=np.int64))
    gaps = (whole["shortest"][1:] - whole["longest"][:-1]) * MINUTE_US
    assert np.rint(gaps).tolist() == [1] * (CLASSES - 1)


def test_what_lasts_longer_than_all_classes_is_in_the_last_one() -> None:
    assert classes(np.array([2**41 - 1, 2**41, 2**50])).tolist() == [CLASSES - 1] * 3


def test_quantiles_of_grouped_observations() -> None:
    # 2 ones, 6 spread evenly over 3 ... 6, 2 tens
    grouped = [1.0, 3.0, 10.0], [1.0, 6.0, 10.0], [2, 6, 2]
    found = [quantile_of_classes(grouped, share) for share in (0.1, 0.2, 0.5, 0.8, 0.81, 1.0)]
    assert found == pytest.approx([1, 1, 4.5, 6, 10, 10])
    assert math.isnan(quantile_of_classes(np.empty((3, 0)), 0.5))


def test_quantiles_and_counts_are_those_of_the_single_calls_and_patients() -> None:
    """What the engine tells of each, noted on its way, against the measures of the campaign."""
    engine = get_engine("compiled")
    calls: list[np.ndarray] = []
    sessions: list[tuple[UnitSession, UnitSessionResult]] = []

    def call_centre_day(day: CallCentreDay, log: bool = False) -> CallCentreDayResult:
        result = engine.call_centre_day(day, log)
        calls.append(result.wait_us[result.answers > 0])
        assert result.answers.max(initial=0) <= 1  # nobody calls again after an answer
        return result

    def unit_session(session: UnitSession) -> UnitSessionResult:
        sessions.append((session, engine.unit_session(session)))
        return sessions[-1][1]

    scenario = small_scenario(
        {
            "call_centre": {"pools": {"desk": {"agents": 1}}},
            "appointments": {"punctuality_minutes": {"distribution": "normal", "mean": 0, "sd": 9}},
        }
    )
    tables = simulate(scenario, Engine("spied", call_centre_day, unit_session), 1, 0)
    found = measures_of(tables, scenario)

    observed = {"": np.concatenate(calls)}
    for s, name in enumerate(scenario.units["north"].stations):
        waits = [r.start_us[:, s] - r.join_us[:, s] for _, r in sessions]
        started = [r.start_us[:, s] >= 0 for _, r in sessions]
        observed[f"station_{name}_"] = np.concatenate(waits)[np.concatenate(started)]
    stays = np.concatenate(
        [
            (r.exit_us - s.arrival_us)[r.outcome != PatientOutcome.CLOSED]  #
            for s, r in sessions
        ]
    )
    number = tables["durations"].groupby(["what", "station"])["number"].sum()
    assert number["call", ""] == observed[""].size == found["calls_answered"]
    assert number["stay", ""] == stays.size == tables["sessions"]["patients"].sum()
    assert number["station", "vaccination"] == observed["station_vaccination_"].size
    assert (observed["station_vaccination_"] > 0).any()
    assert (observed[""] > 0).any()
    for name, share in QUANTILES.items():
        for prefix, waits_us in observed.items():
            exact = np.quantile(waits_us, share, method="inverted_cdf") / MINUTE_US
            assert found[f"{prefix}{name}_wait_minutes"] == pytest.approx(exact, rel=1 / 64)
        exact = np.quantile(stays, share, method="inverted_cdf") / MINUTE_US
        assert found[f"{name}_minutes_in_unit"] == pytest.approx(exact, rel=1 / 64)
    waited = observed["station_vaccination_"] > 0
    assert found["station_vaccination_delayed_share"] == pytest.approx(waited.mean())


def test_waits_of_erlang_c_have_their_exact_quantiles() -> None:
    """M/M/14, 10 erlangs: P(W > t) = P(wait) e^(-(14 - 10) t), t in mean calls (of 0.072 min)."""
    (case,) = (case for case in all_cases() if case.name == "r1")
    scenario, settings = case.scenario(VALIDATION), RunSettings(seed=1)
    rows = [replicate(Task(scenario, settings, k))["replications"].iloc[0] for k in range(5)]
    waits = erlang_c(10, 14)
    for name, exact in (
        ("delayed_share", waits),
        ("median_wait_minutes", 0.0),
        ("p90_wait_minutes", 0.072 * math.log(waits / 0.1) / 4),
        ("p95_wait_minutes", 0.072 * math.log(waits / 0.05) / 4),
    ):
        found = mean_interval([row[name] for row in rows], 0.99)
        assert found.low is not None
        assert found.high is not None
        # the classes are 1.6 % wide, and the day begins with an empty queue
        assert found.low * 0.98 <= exact <= found.high * 1.02, name
