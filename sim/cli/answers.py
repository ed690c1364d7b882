"""Commands that answer a committee's questions by many simulations: `goal`, `staff`, ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli.console import (
    errors_reported,
    print_json,
    print_pictures,
    progress,
    say_compiling,
    scheduler_address,
)
from sim.cli.options import (
    Engine,
    EngineName,
    Executor,
    ExecutorName,
    Fresh,
    Json,
    Out,
    Overrides,
    ScenarioFile,
    Scheduler,
    Seed,
    Workers,
)
from sim.experiment.settings import DEFAULT_SEED, RunSettings
from sim.language import _

if TYPE_CHECKING:
    from sim.experiment.study import Finding, StudyPlan
    from sim.experiment.trials import Trials

Reach = Annotated[
    str,
    typer.Option(
        metavar="GOAL", help='What is to be reached, e.g. "first_dose>=0.8 by 2021-08-14".'
    ),
]
Probability = Annotated[
    float,
    typer.Option(
        metavar="NUMBER", help="How likely it is to be reached, at least: between 0 and 1."
    ),
]

Most = Annotated[
    int | None,
    typer.Option(
        "--replications",
        metavar="NUMBER",
        min=100,
        max=1_000_000,
        help="Replications in all, at most (default: 600 to 3,000, fewer for more people).",
    ),
]


def carry_out(
    plan: StudyPlan,
    find: Callable[[Trials], Finding],
    what: str,
    fresh: bool,
    as_json: bool,
    days: int | None = None,
) -> None:
    """Make a study (or find it there), and print its answer.

    `what` it simulates, and how many days of it if that is known, are for the progress.
    """
    from sim.presentation.study_views import save_pictures, study_data, study_text

    made = plan.found(fresh)
    there_before = made is not None
    if made is None:
        with progress(what, days) as on_days:
            made = plan.make(find, on_days, say_compiling)
    pictures = save_pictures(made)
    if as_json:
        names = [str(path) for path in pictures]
        print_json({**study_data(made), "pictures": names, "simulated_now": not there_before})
        return
    print(study_text(made))
    if pictures:
        print_pictures(pictures)
    if there_before:
        print(_("This study had been made before; --fresh makes it again."))


def goal(
    scenario: ScenarioFile,
    reach: Reach,
    probability: Probability = 0.95,
    over: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LEVER,...",
            help="What may be changed, e.g. deliveries.july,agents<=20,open_days (default: all "
            "levers).",
        ),
    ] = None,
    cost: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LEVER=COST,...",
            help="Cost of one unit of a lever, e.g. agents=1,deliveries=0.01 (default: 1 for as "
            "much as there is).",
        ),
    ] = None,
    overrides: Overrides = None,
    most: Most = None,
    seed: Seed = DEFAULT_SEED,
    out: Out = None,
    engine: Engine = EngineName.compiled,
    workers: Workers = None,
    executor: Executor = ExecutorName.local,
    scheduler: Scheduler = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """What would it take to reach a goal? The smallest changes, confirmed by simulation.

    Levers: deliveries, earlier_deliveries, extra_doses (a vial), vaccinators, open_days, hours,
    turns, interval, agents, lines, other_channels, registration. With a part, such as
    deliveries.july or agents.thai, only that is moved; with <= no further than that.
    """
    with errors_reported():
        from sim.experiment.goal_study import GoalQuestion, find
        from sim.experiment.sources import Source

        settings = RunSettings(
            seed=seed, engine=engine.value, workers=workers,
            scheduler=scheduler_address(executor, scheduler),
        )  # fmt: skip
        question = GoalQuestion.of(
            Source.of(scenario, overrides or ()),
            reach,
            probability,
            None if over is None else ",".join(over),
            None if cost is None else ",".join(cost),
            most,
        )
        plan = question.plan(settings, out)
        carry_out(
            plan,
            lambda trials: find(question, trials),
            _("changes, at most {n:,} replications").format(n=question.most),
            fresh,
            as_json,
        )


def staff(
    scenario: ScenarioFile,
    reach: Reach,
    probability: Probability = 0.95,
    cost: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHO=COST,...",
            help="Cost of one more, e.g. agent=1,vaccinator=1.5; others stay as they are "
            "(default: agent=1,staff=1, which leaves the seats for observation).",
        ),
    ] = None,
    overrides: Overrides = None,
    most: Most = None,
    seed: Seed = DEFAULT_SEED,
    out: Out = None,
    engine: Engine = EngineName.compiled,
    workers: Workers = None,
    executor: Executor = ExecutorName.local,
    scheduler: Scheduler = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """How few staff are enough to reach a goal? The cheapest staffing, checked by simulation.

    Every unit stays open: no station gets less than one.
    """
    with errors_reported():
        from sim.experiment.sources import Source
        from sim.experiment.staff_study import Question, find_staffing

        source = Source.of(scenario, overrides or ())
        question = Question.of(source.scenario, reach, probability, cost or (), most)
        settings = RunSettings(
            seed=seed, engine=engine.value, workers=workers,
            scheduler=scheduler_address(executor, scheduler),
        )  # fmt: skip
        carry_out(
            question.plan(source, settings, out),
            lambda trials: find_staffing(trials, source.scenario, question),
            _("staffings, at most {n:,} replications").format(n=question.most),
            fresh,
            as_json,
        )
