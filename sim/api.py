"""Python functions that read like the command line: `load_scenario`, `run`, `sweep`, `compare`,
`trace`.

    >>> from sim import compare, load_scenario, open_run, run, sweep, trace

A scenario is the path of a file, or what `load_scenario` gives. Results are written into folders
as by the command line (below `runs/` unless `out` names another), so a run that is there is not
simulated again; tables are pandas data frames.

    >>> plan = load_scenario("scenarios/plan.toml", ["call_centre.pools.thai.agents=60"])
    >>> plan.call_centre.pools["thai"].agents
    60

Many replications are shared out among processes. A script must then guard what it runs, as all
that start processes must: `if __name__ == "__main__":`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.experiment.comparison import Comparison, plan_comparison, settings_for, side_of
from sim.experiment.design import factor, make_design
from sim.experiment.results import Run, default_folder, open_run
from sim.experiment.runs import carry_out
from sim.experiment.settings import (
    DEFAULT_ENGINE,
    DEFAULT_MAX_POINTS,
    DEFAULT_REPLICATIONS,
    DEFAULT_SEED,
    Precision,
    RunSettings,
    SettingsError,
)
from sim.experiment.sources import Source
from sim.experiment.sweep import Sweep, open_sweep, plan_sweep
from sim.scenario import Scenario
from sim.scenario_files import load_scenario

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Comparison",
    "Run",
    "Scenario",
    "Sweep",
    "compare",
    "load_scenario",
    "open_run",
    "open_sweep",
    "run",
    "sweep",
    "trace",
]


def run(
    scenario: str | Path | Scenario,
    replications: int | None = None,
    seed: int = DEFAULT_SEED,
    workers: int | None = None,
    out: str | Path | None = None,
    engine: str = DEFAULT_ENGINE,
    until: date | str | None = None,
    fresh: bool = False,
    precision: str | Sequence[str] = (),
    max_replications: int | None = None,
) -> Run:
    """Simulate a scenario, as `vaxsim run` does.

        >>> result = run("scenarios/plan.toml", replications=2, until="2021-06-05")
        >>> result.table("replications")["doses_delivered"].tolist()
        [56000.0, 56000.0]
        >>> result.estimates["doses_delivered"].mean
        56000.0
        >>> result.coverage("first").columns.tolist()
        ['replication', 'date', 'persons', 'share']

    `replications`: 5 unless said. `until`: last day simulated, a date or its text. `precision`:
    instead of a number of replications, how narrow intervals are to be, written as "0.5%" or
    "calls_offered=1%"; one or several, with `max_replications` (1,000) at most.

    Raises ScenarioError, SettingsError (a setting that cannot be) and RunError (a folder that
    cannot be used).
    """
    source = Source.of(scenario)
    settings = _settings(
        replications, precision, max_replications, seed, engine, workers, _date(until)
    )
    settings.check_against(source.scenario)
    folder = _folder(out) or default_folder(source.name, source.scenario, settings)
    return carry_out(source.scenario, settings, folder, source.data, fresh)[0]


def sweep(
    scenario: str | Path | Scenario,
    vary: Mapping[str, str | Sequence[Any]],
    replications: int | None = None,
    seed: int = DEFAULT_SEED,
    design: str = "grid",
    points: int | None = None,
    max_points: int = DEFAULT_MAX_POINTS,
    workers: int | None = None,
    out: str | Path | None = None,
    engine: str = DEFAULT_ENGINE,
    until: date | str | None = None,
    fresh: bool = False,
    precision: str | Sequence[str] = (),
    max_replications: int | None = None,
) -> Sweep:
    """Simulate a scenario at many points, as `vaxsim sweep` does.

    `vary` maps dotted paths to values, written as on the command line or one by one. With a
    `precision`, each point has as many replications as it takes there (`counts`).

        >>> found = sweep(
        ...     "scenarios/plan.toml",
        ...     {"call_centre.pools.thai.agents": [20, 40], "call_centre.lines": "60:120:60"},
        ...     replications=2,
        ...     until="2021-05-29",
        ... )
        >>> found.points
           point  call_centre.pools.thai.agents  call_centre.lines
        0      0                             20                 60
        1      1                             20                120
        2      2                             40                 60
        3      3                             40                120
        >>> found.estimates("calls_answered")[["mean", "low", "high"]].shape
        (4, 3)
        >>> found.replications.shape[0]  # a row a point and replication
        8

    Raises as `run` does; SettingsError also names the points that the scenario does not allow.
    """
    source = Source.of(scenario)
    factors = [factor(path, values, source.data) for path, values in vary.items()]
    chosen = make_design(factors, design, points, seed, max_points)
    settings = _settings(
        replications, precision, max_replications, seed, engine, workers, _date(until)
    )
    plan = plan_sweep(source, chosen, settings, _folder(out))
    return plan.carry_out(fresh)[0]


def compare(
    *scenarios: str | Path | Scenario | Run,
    replications: int | None = None,
    seed: int | None = None,
    workers: int | None = None,
    out: str | Path | None = None,
    engine: str = DEFAULT_ENGINE,
    until: date | str | None = None,
    fresh: bool = False,
) -> Comparison:
    """Compare scenarios in which the same people have the same luck, as `vaxsim compare` does.

    Each is a scenario, a run, or the path of either; the first is the base of all differences.

        >>> found = compare(
        ...     "scenarios/plan.toml",
        ...     load_scenario("scenarios/plan.toml", ["call_centre.lines=60"]),
        ...     replications=2,
        ...     until="2021-05-29",
        ... )
        >>> found.changes
           scenario               path base value
        0  scenario  call_centre.lines  120    60
        >>> rows = found.differences.set_index("measure")
        >>> bool(rows.loc["calls_blocked", "difference"] > 0)
        True

    Raises as `run` does; SettingsError also for runs of different seeds or last days.
    """
    sides = [
        side
        if isinstance(side, Run)
        else Source.of(side)
        if isinstance(side, Scenario)
        else side_of(side)
        for side in scenarios
    ]
    settings = settings_for(sides, seed, _date(until), engine, workers)
    return plan_comparison(sides, settings, replications, _folder(out)).carry_out(fresh)


def trace(
    scenario: str | Path | Scenario,
    day: date | str,
    unit: str | None = None,
    replication: int = 0,
    seed: int = DEFAULT_SEED,
    engine: str = DEFAULT_ENGINE,
) -> pd.DataFrame:
    """Who did what when on one day, of a unit or (if none is named) of the call centre.

        >>> log = trace("scenarios/plan.toml", "2021-06-01", unit="hospital_01")
        >>> log["event"].head(2).tolist()
        ['arrival', 'wait_for_registration']
        >>> int((log["event"] == "vaccinated").sum())
        480

    A row an event, in the form that the library vidigi reads; the columns are described in
    `sim.experiment.event_log`. The campaign is simulated up to that day.

    Raises ScenarioError and SettingsError (a day or unit that cannot be, or nobody came).
    """
    from sim.experiment.event_log import event_log

    settings = RunSettings(seed, 1, engine)
    on = _date(day, "day")
    assert on is not None
    return event_log(Source.of(scenario).scenario, on, unit, settings, replication)


def _settings(
    replications: int | None,
    precision: str | Sequence[str],
    most: int | None,
    seed: int,
    engine: str,
    workers: int | None,
    until: date | None,
) -> RunSettings:
    if not precision:
        if most is not None:
            raise SettingsError("max_replications limits a precision, which is not given")
        n = DEFAULT_REPLICATIONS if replications is None else replications
        return RunSettings(seed, n, engine, workers, until)
    if replications is not None:
        raise SettingsError(
            "a precision finds the number of replications: give it or replications, not both"
        )
    texts = [precision] if isinstance(precision, str) else precision
    wanted = Precision.of(texts, most)
    return RunSettings(seed, engine=engine, workers=workers, until=until, precision=wanted)


def _folder(out: str | Path | None) -> Path | None:
    if out is not None and not str(out).strip():
        raise SettingsError("out: name a folder")
    return None if out is None else Path(out)


def _date(day: date | str | None, name: str = "until") -> date | None:
    try:
        return date.fromisoformat(day) if isinstance(day, str) else day
    except ValueError:
        raise SettingsError(
            f"{name} {day}: not a date; write it as YYYY-MM-DD, for example 2021-08-14"
        ) from None
