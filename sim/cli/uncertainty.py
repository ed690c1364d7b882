"""Commands about what is not known: `sensitivity`, `risk`."""

from __future__ import annotations

from typing import Annotated

import typer

from sim.cli.answers import carry_out
from sim.cli.console import errors_reported, scheduler_address
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
    Until,
    Workers,
)
from sim.experiment.settings import DEFAULT_ENGINE, DEFAULT_SEED, RunSettings, read_date
from sim.language import _


def sensitivity(
    scenario: ScenarioFile,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What is to be explained (default: first-dose coverage by the deadline, and calls "
            "per booking); may be repeated.",
        ),
    ] = None,
    samples: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            help="Rows of the two samples: 2, 4, 8, ..., 65536; more narrow the intervals.",
        ),
    ] = 64,
    replications: Annotated[
        int,
        typer.Option(metavar="NUMBER", min=1, max=1000, help="Of every point, the same in all."),
    ] = 1,
    overrides: Overrides = None,
    until: Until = None,
    seed: Seed = DEFAULT_SEED,
    out: Out = None,
    engine: Engine = EngineName(DEFAULT_ENGINE),
    workers: Workers = None,
    executor: Executor = ExecutorName.local,
    scheduler: Scheduler = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Which assumption matters most? Varies all numbers that have a range, alone and together."""
    with errors_reported():
        from sim.experiment.sensitivity import DEFAULT_MEASURES, find, make_question
        from sim.experiment.sources import Source
        from sim.experiment.study import StudyPlan
        from sim.presentation.sweep_view import chosen_measures

        source = Source.of(scenario, overrides or ())
        world = source.scenario
        measures = chosen_measures(measure or DEFAULT_MEASURES, world)
        settings = RunSettings(
            seed, 1, engine.value, workers, read_date("--until", until) or world.campaign.deadline,
            scheduler=scheduler_address(executor, scheduler),
        )  # fmt: skip
        settings.check_against(world)
        question = make_question(source.data, measures, samples, replications, seed)
        plan = StudyPlan("sensitivity", source, settings, question.as_json(), out)
        what = _("{n} numbers within their ranges").format(n=len(question.factors))
        carry_out(plan, lambda trials: find(question, trials), what, fresh, as_json)


def risk(
    scenario: ScenarioFile,
    reach: Annotated[
        str,
        typer.Option(
            metavar="GOAL", help='What is to be reached, e.g. "first_dose>=0.6 by 2021-08-14".'
        ),
    ],
    overrides: Overrides = None,
    replications: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            max=1_000_000,
            help="At least 20: one half finds the warning, the other confirms it.",
        ),
    ] = 200,
    seed: Seed = DEFAULT_SEED,
    out: Out = None,
    engine: Engine = EngineName(DEFAULT_ENGINE),
    workers: Workers = None,
    executor: Executor = ExecutorName.local,
    scheduler: Scheduler = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """How likely is a goal if deliveries are late or short, and what is an early warning?"""
    with errors_reported():
        from sim.experiment.goals import read_goal
        from sim.experiment.risk import Question, find
        from sim.experiment.sources import Source
        from sim.experiment.study import StudyPlan

        source = Source.of(scenario, overrides or ())
        question = Question(source.scenario, read_goal(reach, source.scenario), replications)
        settings = question.settings(
            RunSettings(
                seed, 1, engine.value, workers, scheduler=scheduler_address(executor, scheduler)
            )
        )
        settings.check_against(source.scenario)
        plan = StudyPlan("risk", source, settings, question.as_json(), out)
        simulations, days = question.simulations, settings.days(source.scenario)
        carry_out(
            plan,
            lambda trials: find(question, settings, trials),
            _("{n:,} x {days} days").format(n=simulations, days=days),
            fresh,
            as_json,
            simulations * days,
        )
