"""Python functions that read like the command line.

    >>> from sim import compare, goal, load_scenario, run, staff, sweep, trace, verify  # commands
    >>> from sim import open_run, open_study, open_sweep  # what is there already
    >>> from sim import answer, binding, binds, verdict  # what a run says
    >>> from sim import mean_interval, paired_difference, proportion_interval, quantile_band

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

from sim.experiment.answer import Answer, answer
from sim.experiment.binding import Binding, binding
from sim.experiment.comparison import Comparison, plan_comparison, settings_for, side_of
from sim.experiment.coverage import Scope
from sim.experiment.design import factor, make_design
from sim.experiment.gains import Gains, gains_of
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
    read_date,
)
from sim.experiment.sources import Source
from sim.experiment.statistics import (
    Estimate,
    mean_interval,
    paired_difference,
    proportion_interval,
    quantile_band,
)
from sim.experiment.study import Study, open_study
from sim.experiment.sweep import Sweep, open_sweep, plan_sweep
from sim.language import _
from sim.scenario import Scenario
from sim.scenario_files import load_scenario

if TYPE_CHECKING:
    import pandas as pd

    from sim.experiment.verification import Verification

__all__ = [
    "Answer",
    "Binding",
    "Comparison",
    "Estimate",
    "Gains",
    "Run",
    "Scenario",
    "Study",
    "Sweep",
    "answer",
    "binding",
    "binds",
    "compare",
    "gains",
    "goal",
    "load_scenario",
    "mean_interval",
    "open_run",
    "open_study",
    "open_sweep",
    "paired_difference",
    "proportion_interval",
    "quantile_band",
    "run",
    "staff",
    "sweep",
    "trace",
    "verdict",
    "verify",
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


def verdict(run: Run) -> str:
    """Yes, no or uncertain, and what stands in the way: the sentence with which `vaxsim run` ends.

        >>> result = run("scenarios/plan.toml", replications=1, until="2021-06-05")
        >>> verdict(result)  # doctest: +ELLIPSIS
        'Unknown: the simulation ends on 5 June 2021, before the deadline; then ...'

    The numbers in it are those of `answer(run)`: persons and probabilities with their intervals,
    and the reasons.
    """
    from sim.presentation.answer_view import verdict as words

    return words(answer(run))


def binds(run: Run, scope: Scope = "first") -> str:
    """What held back the next person up to the deadline, in a sentence, as `vaxsim binds` says it.

        >>> result = run("scenarios/plan.toml", replications=1, until="2021-06-05")
        >>> binds(result)  # doctest: +ELLIPSIS
        "What held back the next first dose, ... 5 June 2021: throughout the groups' turns."

    `scope`: "first" or "full". `binding(run, scope)` gives the days, units and people behind it,
    `gains(run)` what more of each constraint would bring.
    """
    from sim.presentation.binding_view import sentence

    return sentence(binding(run, scope))


def gains(
    run: Run, replications: int | None = None, workers: int | None = None, fresh: bool = False
) -> Gains:
    """What more of each constraint would bring, as `vaxsim binds` says it.

        >>> result = run("scenarios/plan.toml", replications=1, until="2021-06-05")
        >>> found = gains(result, replications=1, workers=1)
        >>> found.status("first")["closed"]  # from 1 June to 5 June 2021 the units are open
        'idle'

    The campaign is simulated again with more of each, with the same people and their same luck:
    `replications` of it (3 unless said, or 10 of a small campaign). It is kept with the run;
    `fresh` finds it anew.

    Raises RunError if the run's results are not what its scenario gives with this version.
    """
    return gains_of(run, replications, workers, fresh=fresh)


def verify(
    run: Run, replications: int | Sequence[int] | None = None, workers: int | None = None
) -> Verification:
    """Simulate a run again and compare all tables, as `vaxsim verify` does.

        >>> result = run("scenarios/plan.toml", replications=2, until="2021-06-05")
        >>> found = verify(result, replications=1)
        >>> found.identical, found.replications
        (True, [0])

    `replications`: how many, or which (their numbers, from 0); all unless said. Of what differs,
    `difference` is the first value; `then` and `now` tell the versions.

    Raises SettingsError for replications that the run does not have, and RunError for a damaged
    run.
    """
    from sim.experiment.verification import chosen_replications
    from sim.experiment.verification import verify as simulate_again

    if replications is None or isinstance(replications, int):
        text = None if replications is None else str(replications)
    else:
        text = "".join(f"{number}," for number in replications) or ","
    return simulate_again(run, chosen_replications(text, run.settings.replications), workers)


def staff(
    scenario: str | Path | Scenario,
    reach: str,
    probability: float = 0.95,
    cost: str | Mapping[str, float] | None = None,
    max_replications: int | None = None,
    seed: int = DEFAULT_SEED,
    workers: int | None = None,
    out: str | Path | None = None,
    engine: str = DEFAULT_ENGINE,
    fresh: bool = False,
) -> Study:
    """The cheapest staffing that reaches a goal, as `vaxsim staff` finds it.

        >>> found = staff("scenarios/plan.toml", "full>=0.5", cost={"agent": 1, "vaccinator": 1.5})
        >>> found.answer["found"], found.answer["replications"]  # nothing had to be simulated
        (False, None)
        >>> found.answer["why_not"]["needed"], found.answer["why_not"]["ceiling"]  # people
        (283276, 0)

    `cost` of one more: {"agent": 1, "vaccinator": 1.5}, or as it is written on the command line;
    who has no cost stays. Tables: staffing, candidates, judged, curve.

    Raises as `run` does; SettingsError also for a goal or costs that cannot be.
    """
    from sim.experiment.staff_study import Question, find_staffing

    source = Source.of(scenario)
    costs = [_costs(cost)] if cost else []
    question = Question.of(source.scenario, reach, probability, costs, max_replications)
    settings = RunSettings(seed, engine=engine, workers=workers)
    plan = question.plan(source, settings, _folder(out))
    return plan.found(fresh) or plan.make(
        lambda trials: find_staffing(trials, source.scenario, question)
    )


def goal(
    scenario: str | Path | Scenario,
    reach: str,
    probability: float = 0.95,
    over: str | Sequence[str] | None = None,
    cost: str | Mapping[str, float] | None = None,
    max_replications: int | None = None,
    seed: int = DEFAULT_SEED,
    workers: int | None = None,
    out: str | Path | None = None,
    engine: str = DEFAULT_ENGINE,
    fresh: bool = False,
) -> Study:
    """The smallest changes that reach a goal, as `vaxsim goal` finds them.

        >>> found = goal("scenarios/plan.toml", "first_dose>=0.08 by 2021-06-05", over="agents")
        >>> found.answer["reached_already"]
        True
        >>> found.table("options")[["kind", "verdict", "least"]]
           kind verdict     least
        0  plan  enough  0.097882

    `over`: what may be changed, and how far ("deliveries.july", "agents<=20"); all levers unless
    said. `cost` of one unit of a lever: {"agents": 1}. Tables: options, changes, settings, limits,
    missing, ceiling_points.

    Raises as `run` does; SettingsError also for a goal, levers or costs that cannot be.
    """
    from sim.experiment.goal_study import GoalQuestion, find

    levers = over if over is None or isinstance(over, str) else ",".join(over)
    question = GoalQuestion.of(
        Source.of(scenario), reach, probability, levers, _costs(cost) or None, max_replications
    )
    plan = question.plan(RunSettings(seed, engine=engine, workers=workers), _folder(out))
    return plan.found(fresh) or plan.make(lambda trials: find(question, trials))


def _costs(cost: str | Mapping[str, float] | None) -> str:
    """Costs as they are written on the command line."""
    if cost is None or isinstance(cost, str):
        return cost or ""
    return ",".join(f"{who}={amount}" for who, amount in cost.items())


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
            raise SettingsError(_("max_replications limits a precision, which is not given"))
        n = DEFAULT_REPLICATIONS if replications is None else replications
        return RunSettings(seed, n, engine, workers, until)
    if replications is not None:
        raise SettingsError(
            _("a precision finds the number of replications: give it or replications, not both")
        )
    texts = [precision] if isinstance(precision, str) else precision
    wanted = Precision.of(texts, most)
    return RunSettings(seed, engine=engine, workers=workers, until=until, precision=wanted)


def _folder(out: str | Path | None) -> Path | None:
    if out is not None and not str(out).strip():
        raise SettingsError(_("out: name a folder"))
    return None if out is None else Path(out)


def _date(day: date | str | None, name: str = "until") -> date | None:
    return read_date(name, day) if isinstance(day, str) else day
