"""Commands that simulate scenarios: `run`, `sweep`, `compare`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli.console import (
    amount_of_work,
    errors_reported,
    folder_of_run,
    print_json,
    print_pictures,
    progress,
    read_scenario_or_run,
    say_compiling,
    scheduler_address,
    with_precision,
)
from sim.cli.options import (
    DesignName,
    Engine,
    EngineName,
    Executor,
    ExecutorName,
    Fresh,
    Json,
    MaxReplications,
    Out,
    Overrides,
    Precisions,
    Replications,
    ScenarioFile,
    Scheduler,
    Seed,
    Until,
    Workers,
)
from sim.experiment.settings import (
    DEFAULT_ENGINE,
    DEFAULT_MAX_POINTS,
    DEFAULT_REPLICATIONS,
    DEFAULT_SEED,
    RunSettings,
    read_date,
)
from sim.experiment.worker_start import start_loading_workers
from sim.language import _

if TYPE_CHECKING:
    from sim.scenario import Scenario


def run(
    scenario: Annotated[
        Path,
        typer.Argument(
            metavar="SCENARIO", help="Scenario file (TOML), or a run to finish or make again."
        ),
    ],
    overrides: Overrides = None,
    replications: Replications = None,
    precision: Precisions = None,
    max_replications: MaxReplications = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=0,
            max=2**64 - 1,
            help=f"The same seed gives the same results (default: {DEFAULT_SEED}).",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Stop after this day (YYYY-MM-DD).")
    ] = None,
    out: Out = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(help=f"Which implementation (default: {DEFAULT_ENGINE})."),
    ] = None,
    workers: Workers = None,
    executor: Executor = ExecutorName.local,
    scheduler: Scheduler = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Simulate anew what has been simulated before.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Simulate a scenario: is everyone vaccinated in time, and if not, why not?

    An unfinished run is finished by the same command, or by naming its folder as the SCENARIO.
    """
    with errors_reported():
        if executor == ExecutorName.local and workers != 1 and replications != 1:
            start_loading_workers()  # while this process reads the scenario and loads its own code
        from sim.experiment.results import default_folder
        from sim.experiment.runs import carry_out

        world, raw, base = read_scenario_or_run(scenario, overrides)
        settings = replace(
            with_precision(base, replications, precision, max_replications),
            seed=base.seed if seed is None else seed,
            engine=base.engine if engine is None else engine.value,
            until=base.until if until is None else read_date("--until", until),
            workers=workers,
            scheduler=scheduler_address(executor, scheduler),
        )
        settings.check_against(world)
        here = folder_of_run(scenario)
        folder = out or here or default_folder(scenario.stem, world, settings)
        with ThreadPoolExecutor(1) as meanwhile:
            ceiling = meanwhile.submit(_ceiling_line, world)
            with progress(*amount_of_work(settings, world)) as on_days:
                result, simulated = carry_out(
                    world, settings, folder, raw, fresh, on_days, say_compiling
                )
        from sim.experiment.answer import answer
        from sim.presentation.answer_view import answer_data, answer_text
        from sim.presentation.audit_view import audit_data, audit_line
        from sim.presentation.binding_view import binding_lines, brief_data
        from sim.presentation.run_view import precision_text

        found = answer(result)
        if as_json:
            taken = {"precision_reached_with": result.manifest.get("precision_reached_with")}
            data = {**answer_data(result, found), **brief_data(result)}
            data["audit"] = audit_data(result)
            print_json(
                {**data, **(taken if settings.precision else {}), "simulated_now": simulated}
            )
        else:
            print(answer_text(result, found, binding_lines(result), ceiling.result()))
            if settings.precision:
                print(precision_text(result))
            print(audit_line(result))
            if not simulated:
                print(_("This run had been made before; --fresh makes it again."))


def _ceiling_line(world: Scenario) -> str:
    """The ceiling in words; what the whole answer needs is loaded on the way."""
    import sim.presentation.binding_view  # noqa: F401
    from sim.presentation.answer_view import ceiling_line

    return ceiling_line(world)


def sweep(
    scenario: ScenarioFile,
    vary: Annotated[
        list[str],
        typer.Option(
            metavar="PATH=VALUES",
            help="What to vary: FIRST:LAST:STEP or a list, e.g. call_centre.lines=60:120:20; "
            "LOW:HIGH for lhs and sobol. May be repeated.",
        ),
    ],
    overrides: Overrides = None,
    replications: Replications = None,
    precision: Precisions = None,
    max_replications: MaxReplications = None,
    design: Annotated[
        DesignName,
        typer.Option(help="Every combination, a Latin hypercube, or a Sobol' sequence."),
    ] = DesignName.grid,
    points: Annotated[
        int | None,
        typer.Option(metavar="NUMBER", help="Points of lhs or sobol (default: 10 a factor)."),
    ] = None,
    max_points: Annotated[
        int, typer.Option(metavar="NUMBER", min=1, help="Refuse designs with more points.")
    ] = DEFAULT_MAX_POINTS,
    measure: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Measure to print and draw; may be repeated."),
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option(metavar="PATH,PATH", help="Factors that span the heat map (x, y)."),
    ] = None,
    seed: Seed = DEFAULT_SEED,
    until: Until = None,
    out: Out = None,
    engine: Engine = EngineName(DEFAULT_ENGINE),
    workers: Workers = None,
    executor: Executor = ExecutorName.local,
    scheduler: Scheduler = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Simulate a scenario at many points: how do the results depend on some of its values?"""
    with errors_reported():
        from sim.experiment.design import make_design, read_factor
        from sim.experiment.sources import Source
        from sim.experiment.sweep import plan_sweep
        from sim.presentation import sweep_view
        from sim.presentation.figures import save_figures

        base = RunSettings(
            seed, engine=engine.value, workers=workers, until=read_date("--until", until),
            scheduler=scheduler_address(executor, scheduler),
        )  # fmt: skip
        settings = with_precision(base, replications, precision, max_replications)
        source = Source.of(scenario, overrides or [])
        factors = [read_factor(text, source.data) for text in vary]
        chosen = make_design(factors, design.value, points, seed, max_points)
        measures = sweep_view.chosen_measures(measure, source.scenario)
        spanned = sweep_view.chosen_axes(axes and axes.split(","), chosen)
        plan = plan_sweep(source, chosen, settings, out)
        amount = _("{points:,} points x {n:,}")
        if settings.precision:
            amount = _("{points:,} points until precise enough")
        amount = amount.format(points=len(plan.orders), n=settings.replications)
        with progress(amount, None if settings.precision else plan.days) as on_days:
            found, simulated = plan.carry_out(fresh, on_days, say_compiling)
        pictures = save_figures(
            sweep_view.pictures(found, measures, spanned), found.folder / "pictures"
        )
        if as_json:
            print_json(
                {
                    **sweep_view.sweep_data(found),
                    "pictures": [str(path) for path in pictures],
                    "simulated_now": simulated,
                }
            )
        else:
            print(sweep_view.sweep_text(found, measures))
            print_pictures(pictures)
            if not simulated:
                print(_("This sweep had been made before; --fresh makes it again."))


def compare(
    scenarios: Annotated[
        list[Path],
        typer.Argument(metavar="A B ...", help="Scenario files, or folders of finished runs."),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change one value in all of the scenario files; may be repeated.",
        ),
    ] = None,
    replications: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=1,
            max=1_000_000,
            help=f"How many to compare (default: those of the runs, else {DEFAULT_REPLICATIONS}).",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            min=0,
            max=2**64 - 1,
            help=f"Default: that of the runs, else {DEFAULT_SEED}.",
        ),
    ] = None,
    until: Until = None,
    out: Out = None,
    engine: Engine = EngineName(DEFAULT_ENGINE),
    workers: Workers = None,
    executor: Executor = ExecutorName.local,
    scheduler: Scheduler = None,
    fresh: Fresh = False,
    as_json: Json = False,
) -> None:
    """Compare scenarios in which the same people have the same luck; the first is the base."""
    with errors_reported():
        from sim.experiment.comparison import plan_comparison, settings_for, side_of
        from sim.presentation import comparison_view
        from sim.presentation.figures import save_figures

        sides = [side_of(path, overrides or []) for path in scenarios]
        settings = settings_for(
            sides, seed, read_date("--until", until), engine.value, workers,
            scheduler_address(executor, scheduler),
        )  # fmt: skip
        plan = plan_comparison(sides, settings, replications, out)
        amount = _("{scenarios:,} scenarios x {n:,}").format(
            scenarios=len(plan.orders), n=plan.replications
        )
        with progress(amount, plan.days) as on_days:
            found = plan.carry_out(fresh, on_days, say_compiling)
        pictures = save_figures(comparison_view.pictures(found), plan.folder / "pictures")
        if as_json:
            print_json(
                {
                    **comparison_view.comparison_data(found),
                    "folder": str(plan.folder),
                    "pictures": [str(path) for path in pictures],
                }
            )
        else:
            print(comparison_view.comparison_text(found))
            print("\n" + _("Results: {folder}").format(folder=plan.folder))
            print_pictures(pictures)
