"""The command `bench`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.console import UserError, errors_reported, print_json, read_scenario, say
from sim.cli.options import Json
from sim.language import _


def bench(
    scenario: Annotated[
        Path, typer.Option(metavar="FILE", help="Scenario to be measured with.")
    ] = Path("scenarios/plan.toml"),
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Leave out the reference engine, large provinces and the first run."
        ),
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="SECTION", help="Measure only this; may be repeated."),
    ] = None,
    growth: Annotated[
        str, typer.Option(metavar="TIMES", help="Sizes of the province, times the scenario's.")
    ] = "1,3,10,100",
    as_json: Json = False,
) -> None:
    """Measure time and memory of the program on this machine, beside their targets."""
    with errors_reported():
        from sim.experiment.benchmark import SECTIONS, Benchmark, machine
        from sim.presentation.benchmark_table import benchmark_data, benchmark_text

        world, _raw = read_scenario(scenario, None)
        for section in only or []:
            if section not in SECTIONS:
                raise UserError(
                    _("--only {section}: choose from {sections}").format(
                        section=section, sections=", ".join(SECTIONS)
                    )
                )
        here, figures = machine(), []
        for figure in Benchmark(world, scenario, quick, _sizes(growth)).figures(only or []):
            figures.append(figure)
            if sys.stderr.isatty():
                say(_("{what}: measured").format(what=figure.what))
        if as_json:
            print_json(benchmark_data(figures, here))
        else:
            print(benchmark_text(figures, here))


def _sizes(text: str) -> list[int]:
    """Whole numbers from 1 to 100, in order."""
    numbers = [int(part) for part in text.split(",") if re.fullmatch("[0-9]{1,3}", part.strip())]
    if len(numbers) != text.count(",") + 1 or not all(1 <= n <= 100 for n in numbers):
        raise UserError(
            _("--growth {text}: write whole numbers from 1 to 100, such as 1,3,10").format(
                text=text
            )
        )
    return sorted(set(numbers))
