"""The command line: `vaxsim run`, `check`, `plot`, `schema`, `bench`.

Libraries that take long to load are imported inside the commands. Exit codes: 0; 2 for an error
of the user's, with a message on standard error; 1 for one of ours; 130 after Ctrl-C.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim import __version__
from sim.experiment.settings import (
    DEFAULT_ENGINE,
    DEFAULT_REPLICATIONS,
    DEFAULT_SEED,
    RunSettings,
    SettingsError,
)

if TYPE_CHECKING:
    from sim.scenario import Scenario

TRACEBACK = "VAXSIM_TRACEBACK"
"""Environment variable: set to 1, an error of the program shows where it happened."""

app = typer.Typer(
    help="Simulates a vaccination campaign: call centre, appointments, units, deliveries.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)


class EngineName(StrEnum):
    """Implementations of a day; they give equal results."""

    compiled = "compiled"
    reference = "reference"


ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="Scenario file (TOML).")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one value, e.g. call_centre.pools.thai.agents=60; may be repeated.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


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


@app.command()
def run(
    scenario: ScenarioFile,
    overrides: Overrides = None,
    replications: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="How often to simulate the campaign.")
    ] = DEFAULT_REPLICATIONS,
    seed: Annotated[
        int, typer.Option(min=0, max=2**64 - 1, help="The same seed gives the same results.")
    ] = DEFAULT_SEED,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Stop after this day (YYYY-MM-DD).")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the results (default: one below runs/)."),
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="Which implementation.")] = EngineName(
        DEFAULT_ENGINE
    ),
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes (default: one a core).")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Simulate anew what has been simulated before.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Simulate a scenario: is everyone vaccinated in time, and if not, why not?"""
    with _errors_reported():
        from sim.experiment.answer import answer
        from sim.experiment.results import default_folder
        from sim.experiment.runs import carry_out
        from sim.presentation.terminal import answer_data, answer_text

        world, raw = _read(scenario, overrides)
        settings = RunSettings(
            seed, replications, engine.value, workers, until=_date("--until", until)
        )
        settings.check_against(world)
        folder = out or default_folder(scenario.stem, world, settings)
        days = settings.days(world) * replications
        with _progress(f"{replications:,} x {settings.days(world)} days", days) as on_days:
            result, simulated = carry_out(
                world, settings, folder, raw, fresh, on_days, _say_compiling
            )
        found = answer(result)
        if as_json:
            _print_json({**answer_data(result, found), "simulated_now": simulated})
        else:
            print(answer_text(result, found))
            if not simulated:
                print("This run had been made before; --fresh makes it again.")


@app.command()
def check(scenario: ScenarioFile, overrides: Overrides = None, as_json: Json = False) -> None:
    """Validate a scenario and show what follows from it without simulating."""
    with _errors_reported():
        from sim.presentation.plan_check import check_data, check_text

        world, raw = _read(scenario, overrides)
        if as_json:
            _print_json(check_data(world, raw))
        else:
            print(check_text(world, raw))


@app.command()
def plot(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to (default: RUN/pictures).")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose day to draw (default: the busiest).")
    ] = None,
) -> None:
    """Draw the pictures of a run, as PNG and SVG."""
    with _errors_reported():
        from sim.experiment.results import open_run
        from sim.presentation.plots import save_pictures

        for path in save_pictures(open_run(folder), out or folder / "pictures", unit):
            print(path)


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files (for completion in an editor)."""
    with _errors_reported():
        from sim.scenario_files import scenario_schema

        _print_json(scenario_schema())


@app.command()
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
    with _errors_reported():
        from sim.experiment.benchmark import SECTIONS, Benchmark, machine
        from sim.presentation.benchmark_table import benchmark_data, benchmark_text

        world, _ = _read(scenario, None)
        for section in only or []:
            if section not in SECTIONS:
                raise _UserError(f"--only {section}: choose from {', '.join(SECTIONS)}")
        here, figures = machine(), []
        for figure in Benchmark(world, scenario, quick, _sizes(growth)).figures(only or []):
            figures.append(figure)
            if sys.stderr.isatty():
                _say(f"{figure.what}: measured")
        if as_json:
            _print_json(benchmark_data(figures, here))
        else:
            print(benchmark_text(figures, here))


# Input and output -----------------------------------------------------------------------------


class _UserError(Exception):
    """Something on the command line that cannot be."""


def _read(path: Path, overrides: list[str] | None) -> tuple[Scenario, dict[str, Any]]:
    from sim.scenario_files import load_scenario, raw_scenario

    return load_scenario(path, overrides or []), raw_scenario(path, overrides or [])


def _date(option: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise _UserError(
            f"{option} {text}: not a date; write it as YYYY-MM-DD, for example 2021-08-14"
        ) from None


def _sizes(text: str) -> list[int]:
    """Whole numbers from 1 to 100, in order."""
    numbers = [int(part) for part in text.split(",") if re.fullmatch("[0-9]{1,3}", part.strip())]
    if len(numbers) != text.count(",") + 1 or not all(1 <= n <= 100 for n in numbers):
        raise _UserError(f"--growth {text}: write whole numbers from 1 to 100, such as 1,3,10")
    return sorted(set(numbers))


def _print_json(data: dict[str, Any]) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False))


@contextlib.contextmanager
def _progress(text: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar with the time left on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(f"Simulating {text}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)


@contextlib.contextmanager
def _errors_reported() -> Iterator[None]:
    """Turn every exception into a message on standard error and an exit code."""
    try:
        yield
        sys.stdout.flush()
    except typer.Exit:
        raise
    except KeyboardInterrupt:
        _say("interrupted; nothing unfinished was kept")
        raise typer.Exit(130) from None
    except BrokenPipeError:  # the reader of our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except Exception as error:
        code, message = _explain(error)
        _say(message)
        if code == 1 and os.environ.get(TRACEBACK):
            traceback.print_exc()
        raise typer.Exit(code) from None


def _explain(error: Exception) -> tuple[int, str]:
    """Exit code and message: 2 if the user can mend it, 1 if we must."""
    from concurrent.futures.process import BrokenProcessPool

    from sim.experiment.results import RunError
    from sim.scenario_files import ScenarioError

    if isinstance(error, _UserError | ScenarioError | SettingsError | RunError):
        return 2, str(error)
    if isinstance(error, MemoryError | BrokenProcessPool):
        return 1, "a worker process has ended, perhaps for want of memory: try fewer --workers"
    return 1, (
        f"an error in vaxsim itself: {type(error).__name__}: {error}\n"
        f"Please report it with the scenario file; {TRACEBACK}=1 shows where it happened."
    )


def _say_compiling() -> None:
    _say("compiling, for up to a minute; later runs find it done")


def _say(message: str) -> None:
    print(f"vaxsim: {message}", file=sys.stderr)


def main() -> None:
    """Entry point of the command `vaxsim`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without Unicode shows "?" and no traceback
            stream.reconfigure(errors="replace")
    app(prog_name="vaxsim")
