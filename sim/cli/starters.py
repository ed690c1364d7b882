"""Commands to start from: `trace` (one day, event by event) and `new` (a scenario of one's own)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.console import (
    UserError,
    date_of,
    errors_reported,
    print_json,
    progress,
    read_scenario_or_run,
    say_compiling,
)
from sim.cli.options import EngineName, Json, Overrides
from sim.language import _


def trace(
    scenario: Annotated[
        Path, typer.Argument(metavar="SCENARIO", help="Scenario file, or folder of a run.")
    ],
    day: Annotated[str, typer.Option("--date", metavar="DATE", help="Which day (YYYY-MM-DD).")],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="New file: CSV, or Parquet if it ends in .parquet.")
    ],
    unit: Annotated[
        str | None, typer.Option(metavar="NAME", help="A day of this vaccination unit.")
    ] = None,
    call_centre: Annotated[
        bool, typer.Option("--call-centre", help="A day of the call centre.")
    ] = False,
    overrides: Overrides = None,
    replication: Annotated[
        int, typer.Option(min=0, max=999_999, help="Which replication, from 0.")
    ] = 0,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**64 - 1, help="Default: 1, or that of the run."),
    ] = None,
    engine: Annotated[
        EngineName | None, typer.Option(help="Which implementation; the log is the same.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write down who did what when, on one day of a unit or of the call centre.

    The log is in the form that the library vidigi animates; see the README for its columns.
    """
    with errors_reported():
        if (unit is not None) == call_centre:
            raise UserError(_("which place? give either --unit NAME or --call-centre"))
        from sim.compilation import when_compiling
        from sim.experiment.event_log import check_place, event_log, write_log
        from sim.experiment.sources import check_new_file
        from sim.presentation.trace_view import trace_data, trace_text

        date = date_of("--date", day)
        assert date is not None
        check_new_file(out)
        world, _raw, settings = read_scenario_or_run(scenario, overrides)
        settings = replace(
            settings, seed=settings.seed if seed is None else seed,
            engine=engine.value if engine else settings.engine,
        )  # fmt: skip
        check_place(world, date, unit)
        when_compiling(say_compiling)
        days = (date - world.campaign.first_day).days + 1
        with progress(_("{days} days").format(days=days), days) as done:
            log = event_log(
                world, date, unit, settings, replication,
                lambda today: done((today - world.campaign.first_day).days + 1),
            )  # fmt: skip
        write_log(log, out)
        if as_json:
            print_json(trace_data(log, unit, date, out))
        else:
            print(trace_text(log, unit, date, out))
