"""The command line. Libraries that take long to load are imported inside the commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sim import __version__
from sim.cli.answers import goal, staff
from sim.cli.benchmark import bench
from sim.cli.plans import check, schema
from sim.cli.results import binds, plot, runs, show, verify
from sim.cli.simulate import compare, run, sweep
from sim.cli.uncertainty import risk, sensitivity
from sim.cli.validity import backtest, validate

app = typer.Typer(
    help="Simulates a vaccination campaign: call centre, appointments, units, deliveries.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"vaxsim {__version__}")
        raise typer.Exit


@app.callback()
def _vaxsim(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


for command in (
    run, sweep, compare, goal, staff, sensitivity, risk,
    show, binds, runs, verify, check, plot, schema, bench, validate, backtest,
):  # fmt: skip
    app.command()(command)


def main() -> None:
    """Entry point of the command `vaxsim`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without Unicode shows "?" and no traceback
            stream.reconfigure(errors="replace")
    app(prog_name="vaxsim")
