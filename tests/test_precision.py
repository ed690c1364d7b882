"""Claims about the number of replications that a precision takes."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from small_campaign import small_scenario

from sim.experiment.precision import ReplicationsAlgorithm, look_ahead
from sim.experiment.results import open_run
from sim.experiment.runs import carry_out
from sim.experiment.settings import Precision, RunSettings, SettingsError


def outcome(values: Sequence[float], share: float, at_most: int = 1000) -> tuple[int, int | None]:
    """Replications made, and with how many the precision was reached, for one measure."""
    algorithm = ReplicationsAlgorithm(Precision((("x", share),), at_most))
    for value in values:
        algorithm.add({"x": value})
        if algorithm.done:
            return algorithm.n, algorithm.reached_with
    raise AssertionError("not enough values")


def test_equal_values_are_precise_at_once_and_stay_so_through_five_more() -> None:
    assert outcome([7.0] * 20, 0.01) == (3 + 5, 3)


def test_a_measure_that_is_always_zero_is_precise() -> None:
    assert outcome([0.0] * 20, 0.01) == (8, 3)


def test_the_precision_is_that_of_the_interval_of_scipy_stats() -> None:
    # The first n at which the half-width is within the share at n ... n + 5, looked for directly
    values = np.random.default_rng(7).normal(100.0, 10.0, size=400)
    for share in (0.10, 0.05, 0.02):
        precise = {}
        for n in range(3, 400):
            interval = scipy.stats.ttest_1samp(values[:n], 0).confidence_interval(0.95)
            precise[n] = (interval.high - interval.low) / 2 <= share * abs(values[:n].mean())
        expected = next(
            n for n in range(3, 390) if all(precise[m] for m in range(n, n + look_ahead(n) + 1))
        )
        assert outcome(values, share) == (expected + look_ahead(expected), expected)


def test_a_narrow_interval_by_chance_is_not_believed() -> None:
    # 10, 10, 10.1 is narrow; the fourth value makes it wide: t(3) · 10 / √4 is far above 5 %
    values = [10.0, 10.0, 10.1, 30.0, *([10.0, 12.0] * 300)]
    n, reached = outcome(values, 0.05)
    assert reached is not None
    assert reached > 4
    assert n == reached + look_ahead(reached)


def test_look_ahead_is_five_replications_and_above_a_hundred_five_percent() -> None:
    assert [look_ahead(n) for n in (3, 100, 101, 119, 120, 1000)] == [5, 5, 5, 5, 6, 50]


def test_several_measures_must_be_precise_at_once() -> None:
    algorithm = ReplicationsAlgorithm(Precision((("a", 0.01), ("b", 0.05)), 1000))
    noise = np.random.default_rng(3).normal(0, 10, size=1000)
    for each in noise:
        algorithm.add({"a": 5.0, "b": 100.0 + each})
        if algorithm.done:
            break
    alone = outcome(list(100.0 + noise), 0.05)
    assert (algorithm.n, algorithm.reached_with) == alone


def test_the_limit_ends_it_and_says_that_the_precision_is_not_reached() -> None:
    values = np.random.default_rng(5).normal(1.0, 10.0, size=50)
    assert outcome(list(values), 0.001, at_most=20) == (20, None)


def test_a_measure_without_a_value_in_some_replication_is_not_precise() -> None:
    # a mean over the others would be of another thing (the day on which all are vaccinated)
    assert outcome([7.0, math.nan, *([7.0] * 40)], 0.5, at_most=30) == (30, None)


def test_a_measure_that_never_has_a_value_is_refused_after_the_first_replications() -> None:
    algorithm = ReplicationsAlgorithm(Precision((("completion_day", 0.1),)))
    for _ in range(7):
        algorithm.add({"completion_day": math.nan})
    with pytest.raises(SettingsError, match="completion_day: it has no value in any of the first"):
        algorithm.add({"completion_day": math.nan})


def test_the_interval_contains_the_truth_about_as_often_as_it_says() -> None:
    # Stopping when the interval is narrow costs coverage; the look-ahead keeps it small. 2,000
    # trials (standard error 0.005) with a fixed seed; 0.940 when this was written.
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(2000):
        algorithm = ReplicationsAlgorithm(Precision((("x", 0.05),)))
        values: list[float] = []
        while not algorithm.done:
            values.append(float(rng.normal(100.0, 10.0)))
            algorithm.add({"x": values[-1]})
        low, high = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
        hits += low <= 100.0 <= high
    assert 0.93 <= hits / 2000 <= 0.97


@pytest.mark.parametrize(
    ("texts", "measures"),
    [
        (
            ["0.5%"],
            {"first_doses_by_deadline": 0.005, "fully_vaccinated_by_deadline": 0.005},
        ),
        (["calls_offered=1%"], {"calls_offered": 0.01}),
        (["calls_offered=0.02", "target=5 %"], {"calls_offered": 0.02, "target": 0.05}),
    ],
)
def test_precision_is_read_from_text(texts: list[str], measures: dict[str, float]) -> None:
    assert dict(Precision.of(texts).measures) == pytest.approx(measures)


@pytest.mark.parametrize("text", ["", "x", "0", "0%", "-1%", "100%", "calls_offered=", "nan"])
def test_a_precision_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="precision"):
        Precision.of([text])


def test_an_unknown_measure_is_refused_with_the_nearest_known() -> None:
    settings = RunSettings(precision=Precision.of(["calls_ofered=1%"]))
    with pytest.raises(SettingsError, match=r"calls_ofered.*did you mean calls_offered"):
        settings.check_against(small_scenario())


def test_measures_of_stations_are_known() -> None:
    wanted = Precision.of(["station_vaccination_max_queue=50%"])
    RunSettings(precision=wanted).check_against(small_scenario())
    with pytest.raises(SettingsError, match="no measure 'station_kitchen_max_queue'"):
        RunSettings(precision=Precision.of(["station_kitchen_max_queue=5%"])).check_against(
            small_scenario()
        )


def test_a_run_takes_as_many_replications_as_its_precision(tmp_path: Path) -> None:
    wanted = Precision.of(["first_doses_by_deadline=8%"], at_most=60)
    settings = RunSettings(precision=wanted, workers=1)
    run, _ = carry_out(small_scenario(), settings, tmp_path / "run")
    values = run.table("replications")["first_doses_by_deadline"]
    assert (len(values), run.manifest["precision_reached_with"]) == outcome(
        list(values), 0.08, at_most=60
    )
    opened = open_run(tmp_path / "run")
    assert opened.settings == replace(settings, replications=len(values), workers=None)
    estimate = opened.estimates["first_doses_by_deadline"]
    assert estimate.half_width is not None
    assert estimate.mean is not None
    assert estimate.half_width <= 0.08 * estimate.mean
    # the same command finds it; the same number of replications alone is another run's
    again, simulated = carry_out(small_scenario(), settings, tmp_path / "run")
    assert not simulated
    assert again.settings.replications == len(values)


def test_a_precise_run_has_the_same_bytes_with_any_number_of_workers(tmp_path: Path) -> None:
    wanted = Precision.of(["first_doses_by_deadline=8%"], at_most=60)
    for workers in (1, 2):
        settings = RunSettings(precision=wanted, workers=workers)
        carry_out(small_scenario(), settings, tmp_path / str(workers))
    files = [
        {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.parquet")}
        for folder in (tmp_path / "1", tmp_path / "2")
    ]
    assert files[0] == files[1]


def test_precision_is_written_with_plain_digits_as_all_numbers_are() -> None:
    with pytest.raises(SettingsError, match=r"write it as 0\.5%"):
        Precision.of(["๐.๕%"])
