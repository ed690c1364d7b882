"""Commands that show why the program is to be believed: `validate`, `backtest`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli.answers import carry_out
from sim.cli.console import (
    UserError,
    errors_reported,
    print_json,
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
from sim.experiment.settings import DEFAULT_ENGINE, DEFAULT_SEED, RunSettings
from sim.language import _

if TYPE_CHECKING:
    from sim.experiment.validation import Case


class EnginesName(StrEnum):
    """Which engines are validated."""

    both = "both"
    compiled = "compiled"
    reference = "reference"


class DeliveriesName(StrEnum):
    """Which deliveries come in the predicted days."""

    scenario = "scenario"
    observed = "observed"


def validate(
    case: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this case, or those of a reference (R10); may be repeated. "
            "(--list shows all.)",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Fewer replications: minutes, not a quarter of an hour or more."
        ),
    ] = False,
    engine: Annotated[
        EnginesName,
        typer.Option(help="Both: compiled; the first replication of each case on the other, too."),
    ] = EnginesName.both,
    replications: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=2,
            max=1_000_000,
            help="Of each case, instead of as many as it needs.",
        ),
    ] = None,
    seed: Seed = DEFAULT_SEED,
    workers: Workers = None,
    scenarios: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the cases' scenario files.")
    ] = Path("scenarios/validation"),
    show_list: Annotated[bool, typer.Option("--list", help="Only list the cases.")] = False,
    as_json: Json = False,
) -> None:
    """Reduce scenarios to queues that have a formula, simulate them, and compare.

    Exit code 1 if a case fails.
    """
    with errors_reported():
        from sim.experiment.run_writer import now
        from sim.experiment.self_check import provenance
        from sim.experiment.validation import validate as simulate
        from sim.presentation.validation_view import cases_text, validation_data, validation_text

        cases = _chosen(case or [])
        if show_list:
            print(cases_text(cases))
            return
        if not (scenarios / "textbook.toml").is_file():
            raise UserError(
                _(
                    "{folder} has no textbook.toml: name the folder scenarios/validation of "
                    "the project with --scenarios"
                ).format(folder=scenarios)
            )
        settings = RunSettings(seed=seed, workers=workers)
        with progress(_("{n} cases").format(n=len(cases)), 100) as on_percent:
            judged = simulate(
                cases, scenarios, settings, engine.value, quick, replications, on_percent,
                say_compiling,
            )  # fmt: skip
        if as_json:
            print_json({**provenance(seed, quick), "created_at": now(), **validation_data(judged)})
        else:
            print(validation_text(judged, quick))
        if not all(found.passed for found in judged):
            raise typer.Exit(1)


def backtest(
    scenario: ScenarioFile,
    observed: Annotated[
        Path,
        typer.Argument(
            metavar="OBSERVED.csv", help="Observed days: date, dose1_cum, dose2_cum, ..."
        ),
    ],
    calibrate: Annotated[
        str, typer.Option(metavar="FIRST:LAST", help="Days that free numbers are fitted to.")
    ],
    predict: Annotated[
        str, typer.Option(metavar="FIRST:LAST", help="Later days, predicted without a look.")
    ],
    fit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH[=LOW:HIGH]",
            help="What is fitted (default: the ranges that the scenario marks as fitted); LOW and "
            "HIGH are factors where the scenario's range is relative; may be repeated.",
        ),
    ] = None,
    deliveries: Annotated[
        DeliveriesName,
        typer.Option(help="observed: what the file says was allocated, in the predicted days too."),
    ] = DeliveriesName.scenario,
    replications: Annotated[
        int, typer.Option(metavar="NUMBER", min=1, max=10_000, help="Of every plausible fit.")
    ] = 4,
    overrides: Overrides = None,
    seed: Seed = DEFAULT_SEED,
    out: Out = None,
    engine: Engine = EngineName(DEFAULT_ENGINE),
    workers: Workers = None,
    executor: Executor = ExecutorName.local,
    scheduler: Scheduler = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Fit a scenario to observed days, predict later ones, and compare with naive forecasts."""
    with errors_reported():
        from sim.experiment.backtest import find
        from sim.experiment.backtest_forecast import most_days
        from sim.experiment.backtest_question import Question, read_window
        from sim.experiment.observed import read_observed
        from sim.experiment.sources import Source
        from sim.experiment.study import StudyPlan

        windows = read_window("--calibrate", calibrate), read_window("--predict", predict)
        question = Question.of(
            Source.of(scenario, overrides or ()), read_observed(observed), *windows, fit or (),
            replications, deliveries.value,
        )  # fmt: skip
        settings = RunSettings(
            seed, 1, engine.value, workers, windows[1].last,
            scheduler=scheduler_address(executor, scheduler),
        )  # fmt: skip
        settings.check_against(question.source.scenario)
        plan = StudyPlan("backtest", question.source, settings, question.as_json(), out)
        carry_out(
            plan,
            lambda trials: find(question, seed, trials),
            _("fits and forecasts"),
            fresh,
            as_json,
            most_days(question),
        )


def _chosen(names: list[str]) -> list[Case]:
    """The cases of these names, or of a reference ("R10"); all where none is named."""
    from sim.experiment.validation_cases import all_cases
    from sim.scenario_errors import did_you_mean

    cases = {case.name: case for case in all_cases()}
    chosen: dict[str, Case] = {}
    for name in names:
        of_reference = [c for c in cases.values() if c.source.split(";")[0] == name.upper()]
        if name in cases:
            chosen[name] = cases[name]
        elif of_reference:
            chosen |= {case.name: case for case in of_reference}
        else:
            near = did_you_mean(name, cases) or _("; --list shows all")
            raise UserError(
                _("--case {name}: there is no such case{suggestion}").format(
                    name=name, suggestion=near
                )
            )
    return list(chosen.values() if names else cases.values())
