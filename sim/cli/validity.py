"""Commands that show why the program is to be believed: `validate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli.console import UserError, errors_reported, print_json, progress, say_compiling
from sim.cli.options import Json, Seed, Workers
from sim.experiment.settings import DEFAULT_SEED, RunSettings

if TYPE_CHECKING:
    from sim.experiment.validation import Case


class EnginesName(StrEnum):
    """Which engines are validated."""

    both = "both"
    compiled = "compiled"
    reference = "reference"


def validate(
    case: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this case; may be repeated. (--list shows all.)"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer replications: seconds instead of minutes.")
    ] = False,
    engine: Annotated[
        EnginesName,
        typer.Option(help="Both: compiled; the first replication of each case on the other, too."),
    ] = EnginesName.both,
    replications: Annotated[
        int | None,
        typer.Option(min=2, max=1_000_000, help="Of each case, instead of as many as it needs."),
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
        from sim.experiment.validation import validate as simulate
        from sim.presentation.validation_view import cases_text, validation_data, validation_text

        cases = _chosen(case or [])
        if show_list:
            print(cases_text(cases))
            return
        if not (scenarios / "textbook.toml").is_file():
            raise UserError(
                f"{scenarios} has no textbook.toml: name the folder scenarios/validation of the "
                "project with --scenarios"
            )
        settings = RunSettings(seed=seed, workers=workers)
        with progress(f"{len(cases)} cases", None) as on_days:
            judged = simulate(
                cases, scenarios, settings, engine.value, quick, replications, on_days,
                say_compiling,
            )  # fmt: skip
        if as_json:
            print_json(validation_data(judged))
        else:
            print(validation_text(judged, quick))
        if not all(found.passed for found in judged):
            raise typer.Exit(1)


def _chosen(names: list[str]) -> list[Case]:
    """The cases of these names; all where none is named."""
    from sim.experiment.validation_cases import all_cases
    from sim.scenario_errors import did_you_mean

    cases = {case.name: case for case in all_cases()}
    for name in names:
        if name not in cases:
            near = did_you_mean(name, cases) or "; --list shows all"
            raise UserError(f"--case {name}: there is no such case{near}")
    return [cases[name] for name in dict.fromkeys(names)] if names else list(cases.values())
