"""Commands for results that are there: `show`, `runs`, `verify`, `plot`."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.console import (
    amount_of_work,
    errors_reported,
    print_json,
    print_pictures,
    progress,
    say_compiling,
    scheduler_address,
)
from sim.cli.options import (
    Executor,
    ExecutorName,
    Fresh,
    Json,
    RunFolder,
    Scheduler,
    Workers,
    folder_named,
)
from sim.language import _


def show(
    folder: RunFolder,
    audit: Annotated[
        bool, typer.Option("--audit", help="Show every check of the audit, with both sides.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Summarise a run, finished or not: what it is, what is missing, its answer; or a study."""
    with errors_reported():
        from sim.experiment.results import RunError, check_is_run, open_run

        if audit:
            check_is_run(folder)
        if (folder / "sweep.json").is_file():
            _show_sweep(folder, as_json)
            return
        if (folder / "study.json").is_file():
            _show_study(folder, as_json)
            return
        from sim.experiment.answer import answer
        from sim.experiment.catalogue import run_state
        from sim.presentation.answer_view import answer_data, answer_text
        from sim.presentation.audit_view import audit_data, audit_line, audit_text
        from sim.presentation.binding_view import binding_lines, brief_data
        from sim.presentation.run_view import precision_text, state_data, state_text

        state = run_state(folder)
        damage = list(state.damage())
        if damage:
            if not as_json:
                print(state_text(state))
            raise RunError("\n".join(damage))
        done = open_run(folder) if state.complete else None
        if audit and done is None:
            raise RunError(
                _("{folder} is not finished: what is audited is a finished run").format(
                    folder=folder
                )
            )
        if audit and done and not as_json:
            print(audit_text(done))
            return
        if as_json:
            found = {**answer_data(done, answer(done)), **brief_data(done)} if done else {}
            found |= {"audit": audit_data(done, every=audit)} if done else {}
            print_json({**found, **state_data(state)})
            return
        print(state_text(state))
        if done:
            print(f"\n{answer_text(done, answer(done), binding_lines(done))}")
            if done.settings.precision:
                print(precision_text(done))
            print(audit_line(done))


def _show_sweep(folder: Path, as_json: bool) -> None:
    from sim.experiment.sweep import open_sweep
    from sim.presentation.sweep_view import DEFAULT_MEASURES, sweep_data, sweep_text

    found = open_sweep(folder)
    if as_json:
        print_json(sweep_data(found))
    else:
        print(sweep_text(found, DEFAULT_MEASURES))


def _show_study(folder: Path, as_json: bool) -> None:
    from sim.experiment.study import open_study
    from sim.presentation.study_views import study_data, study_text

    found = open_study(folder)
    if as_json:
        print_json(study_data(found))
    else:
        print(study_text(found))


def runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to look.")] = Path("runs"),
    as_json: Json = False,
) -> None:
    """List runs, sweeps, comparisons and other studies in a folder."""
    with errors_reported():
        from sim.experiment.catalogue import RunState, StudyState, results_in
        from sim.experiment.results import RunError
        from sim.presentation.run_view import results_text, state_data, study_state_data

        found = list(results_in(folder))
        if as_json:
            print_json(
                {
                    "runs": [state_data(each) for each in found if isinstance(each, RunState)],
                    "studies": [
                        study_state_data(each) for each in found if isinstance(each, StudyState)
                    ],
                    "errors": [str(each) for each in found if isinstance(each, RunError)],
                }
            )
        else:
            print(results_text(found))


def verify(
    folder: RunFolder,
    replications: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS",
            help="Which to simulate again, as 0,3,7; or how many, as 5 (default: all).",
        ),
    ] = None,
    workers: Workers = None,
    executor: Executor = ExecutorName.local,
    scheduler: Scheduler = None,
    as_json: Json = False,
) -> None:
    """Simulate a run again and compare: exit code 0 if identical, 1 if not."""
    with errors_reported():
        from sim.experiment.results import open_run
        from sim.experiment.verification import chosen_replications
        from sim.experiment.verification import verify as verified
        from sim.presentation.run_view import verification_data, verification_text

        done = open_run(folder)
        chosen = chosen_replications(replications, done.settings.replications)
        again = replace(
            done.settings, workers=workers, scheduler=scheduler_address(executor, scheduler),
            replications=len(chosen), precision=None,
        )  # fmt: skip
        with progress(*amount_of_work(again, done.scenario)) as on_days:
            found = verified(
                done, chosen, again.workers_used, again.scheduler, on_days, say_compiling
            )
        if as_json:
            print_json(verification_data(done, found))
        else:
            print(verification_text(done, found))
        if not found.identical:
            raise typer.Exit(1)


def plot(
    folder: RunFolder,
    out: Annotated[
        Path | None,
        typer.Option(parser=folder_named, metavar="DIR", help="Where to (default: RUN/pictures)."),
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose day to draw (default: the busiest).")
    ] = None,
) -> None:
    """Draw the pictures of a run, as PNG and SVG."""
    with errors_reported():
        from sim.experiment.results import open_run
        from sim.presentation.plots import save_pictures

        for path in save_pictures(open_run(folder), out or folder / "pictures", unit):
            print(path)


class ScopeName(StrEnum):
    """What people are counted for."""

    first = "first"
    full = "full"


def binds(
    folder: RunFolder,
    scope: Annotated[
        ScopeName, typer.Option(help="First doses, or full vaccination.")
    ] = ScopeName.first,
    replications: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=1,
            max=1000,
            help="Simulated again with more of each constraint (default: 3; of a small campaign "
            "10).",
        ),
    ] = None,
    workers: Workers = None,
    executor: Executor = ExecutorName.local,
    scheduler: Scheduler = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """What holds back the next person in a run, day by day, and what more of each would change.

    The days are told from the run's records. What more of each constraint would change is found by
    simulating the campaign again with it, with the same people and their same luck; this is kept
    in the run's folder.
    """
    with errors_reported():
        from sim.experiment.binding import binding
        from sim.experiment.gains import gains_of
        from sim.experiment.results import open_run
        from sim.presentation.binding_pictures import pictures
        from sim.presentation.binding_view import binding_data, binding_text
        from sim.presentation.figures import save_figures

        done = open_run(folder)
        gains_of(
            done, replications, workers, scheduler_address(executor, scheduler), fresh,
            lambda days: progress(_("more of each constraint"), days), say_compiling,
        )  # fmt: skip
        found = binding(done, scope.value)
        drawn = save_figures(pictures(done, found), folder / "pictures")
        if as_json:
            print_json({**binding_data(done, found), "pictures": [str(path) for path in drawn]})
        else:
            print(binding_text(done, found))
            print_pictures(drawn)
