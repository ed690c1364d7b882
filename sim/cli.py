"""The command line: `vaxsim run`, `show`, `runs`, `verify`, `check`, `plot`, `schema`, `bench`.

Libraries that take long to load are imported inside the commands. Exit codes: 0; 2 for an error
of the user's, with a message on standard error; 1 for one of ours; 130 after Ctrl-C.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim import __version__
from sim.experiment.settings import (
    DEFAULT_ENGINE,
    DEFAULT_MAX_POINTS,
    DEFAULT_MOST,
    DEFAULT_REPLICATIONS,
    DEFAULT_SEED,
    Precision,
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


class ExecutorName(StrEnum):
    """Who does the work; results do not depend on it."""

    local = "local"
    dask = "dask"


class DesignName(StrEnum):
    """How the points of a sweep are chosen."""

    grid = "grid"
    lhs = "lhs"
    sobol = "sobol"


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
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Replications at a time (default: one a core).")
]
Executor = Annotated[
    ExecutorName, typer.Option(help="Who simulates: this machine, or the workers of a scheduler.")
]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="For dask, like tcp://127.0.0.1:8786.")
]

Replications = Annotated[
    int, typer.Option(min=1, max=1_000_000, help="How often to simulate each scenario.")
]
Seed = Annotated[
    int, typer.Option(min=0, max=2**64 - 1, help="The same seed gives the same results.")
]
Until = Annotated[
    str | None, typer.Option(metavar="DATE", help="Stop after this day (YYYY-MM-DD).")
]


def _folder(text: str) -> Path:
    """The folder that an option names; "" would mean the current one."""
    if not text.strip():
        raise typer.BadParameter("name a folder")
    return Path(text)


Out = Annotated[
    Path | None,
    typer.Option(
        parser=_folder, metavar="DIR", help="Folder for the results (default: one below runs/)."
    ),
]
Engine = Annotated[EngineName, typer.Option(help="Which implementation.")]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Simulate anew what has been simulated before.")
]


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
    scenario: Annotated[
        Path,
        typer.Argument(
            metavar="SCENARIO", help="Scenario file (TOML), or a run to finish or make again."
        ),
    ],
    overrides: Overrides = None,
    replications: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000_000,
            help=f"How often to simulate the campaign (default: {DEFAULT_REPLICATIONS}).",
        ),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[MEASURE=]PERCENT",
            help="As many replications as it takes until the confidence interval is the mean "
            "± so many percent, e.g. 0.5% or calls_offered=1%; may be repeated.",
        ),
    ] = None,
    max_replications: Annotated[
        int | None,
        typer.Option(
            min=3, max=1_000_000, help=f"At most, for --precision (default: {DEFAULT_MOST:,})."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
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
    with _errors_reported():
        from sim.experiment.answer import answer
        from sim.experiment.results import default_folder
        from sim.experiment.runs import carry_out
        from sim.presentation.run_view import precision_text
        from sim.presentation.terminal import answer_data, answer_text

        world, raw, base = _read_scenario_or_run(scenario, overrides)
        settings = replace(
            _with_precision(base, replications, precision, max_replications),
            seed=base.seed if seed is None else seed,
            engine=base.engine if engine is None else engine.value,
            until=base.until if until is None else _date("--until", until),
            workers=workers,
            scheduler=_scheduler(executor, scheduler),
        )
        settings.check_against(world)
        here = _folder_of_run(scenario)
        folder = out or here or default_folder(scenario.stem, world, settings)
        with _progress(*_amount(settings, world)) as on_days:
            result, simulated = carry_out(
                world, settings, folder, raw, fresh, on_days, _say_compiling
            )
        found = answer(result)
        if as_json:
            taken = {"precision_reached_with": result.manifest.get("precision_reached_with")}
            data = answer_data(result, found)
            _print_json(
                {**data, **(taken if settings.precision else {}), "simulated_now": simulated}
            )
        else:
            print(answer_text(result, found))
            if settings.precision:
                print(precision_text(result))
            if not simulated:
                print("This run had been made before; --fresh makes it again.")


@app.command()
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
    replications: Replications = DEFAULT_REPLICATIONS,
    design: Annotated[
        DesignName,
        typer.Option(help="Every combination, a Latin hypercube, or a Sobol' sequence."),
    ] = DesignName.grid,
    points: Annotated[
        int | None, typer.Option(help="Points of lhs or sobol (default: 10 a factor).")
    ] = None,
    max_points: Annotated[
        int, typer.Option(min=1, help="Refuse designs with more points.")
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
    with _errors_reported():
        from sim.experiment.design import make_design, read_factor
        from sim.experiment.sources import Source
        from sim.experiment.sweep import plan_sweep
        from sim.presentation import sweep_view
        from sim.presentation.figures import save_figures

        settings = RunSettings(
            seed, replications, engine.value, workers, _date("--until", until),
            scheduler=_scheduler(executor, scheduler),
        )  # fmt: skip
        source = Source.of(scenario, overrides or [])
        factors = [read_factor(text, source.data) for text in vary]
        chosen = make_design(factors, design.value, points, seed, max_points)
        measures = sweep_view.chosen_measures(measure, source.scenario)
        spanned = sweep_view.chosen_axes(axes and axes.split(","), chosen)
        plan = plan_sweep(source, chosen, settings, out)
        amount = f"{len(plan.orders):,} points x {replications:,}"
        with _progress(amount, plan.days) as on_days:
            found, simulated = plan.carry_out(fresh, on_days, _say_compiling)
        pictures = save_figures(
            sweep_view.pictures(found, measures, spanned), found.folder / "pictures"
        )
        if as_json:
            _print_json(
                {
                    **sweep_view.sweep_data(found),
                    "pictures": [str(path) for path in pictures],
                    "simulated_now": simulated,
                }
            )
        else:
            print(sweep_view.sweep_text(found, measures))
            _print_pictures(pictures)
            if not simulated:
                print("This sweep had been made before; --fresh makes it again.")


@app.command()
def compare(
    scenarios: Annotated[
        list[Path],
        typer.Argument(metavar="A B ...", help="Scenario files, or folders of finished runs."),
    ],
    replications: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000_000,
            help=f"How many to compare (default: those of the runs, else {DEFAULT_REPLICATIONS}).",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**64 - 1, help=f"Default: that of the runs, else {DEFAULT_SEED}."),
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
    with _errors_reported():
        from sim.experiment.comparison import plan_comparison, settings_for, side_of
        from sim.presentation import comparison_view
        from sim.presentation.figures import save_figures

        sides = [side_of(path) for path in scenarios]
        settings = settings_for(
            sides, seed, _date("--until", until), engine.value, workers,
            _scheduler(executor, scheduler),
        )  # fmt: skip
        plan = plan_comparison(sides, settings, replications, out)
        amount = f"{len(plan.orders):,} scenarios x {plan.replications:,}"
        with _progress(amount, plan.days) as on_days:
            found = plan.carry_out(fresh, on_days, _say_compiling)
        pictures = save_figures(comparison_view.pictures(found), plan.folder / "pictures")
        if as_json:
            _print_json(
                {
                    **comparison_view.comparison_data(found),
                    "folder": str(plan.folder),
                    "pictures": [str(path) for path in pictures],
                }
            )
        else:
            print(comparison_view.comparison_text(found))
            print(f"\nResults: {plan.folder}")
            _print_pictures(pictures)


@app.command()
def show(folder: RunFolder, as_json: Json = False) -> None:
    """Summarise a run, finished or not: what it is, what is missing, its answer; or a sweep."""
    with _errors_reported():
        if (folder / "sweep.json").is_file():
            _show_sweep(folder, as_json)
            return
        from sim.experiment.answer import answer
        from sim.experiment.catalogue import run_state
        from sim.experiment.results import RunError, open_run
        from sim.presentation.run_view import precision_text, state_data, state_text
        from sim.presentation.terminal import answer_data, answer_text

        state = run_state(folder)
        damage = list(state.damage())
        if damage:
            if not as_json:
                print(state_text(state))
            raise RunError("\n".join(damage))
        done = open_run(folder) if state.complete else None
        if as_json:
            found = answer_data(done, answer(done)) if done else {}
            _print_json({**found, **state_data(state)})
            return
        print(state_text(state))
        if done:
            print(f"\n{answer_text(done, answer(done))}")
            if done.settings.precision:
                print(precision_text(done))


def _show_sweep(folder: Path, as_json: bool) -> None:
    from sim.experiment.sweep import open_sweep
    from sim.presentation.sweep_view import DEFAULT_MEASURES, sweep_data, sweep_text

    found = open_sweep(folder)
    if as_json:
        _print_json(sweep_data(found))
    else:
        print(sweep_text(found, DEFAULT_MEASURES))


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to look.")] = Path("runs"),
    as_json: Json = False,
) -> None:
    """List the runs in a folder."""
    with _errors_reported():
        from sim.experiment.catalogue import RunState, runs_in
        from sim.presentation.run_view import runs_text, state_data

        found = list(runs_in(folder))
        if as_json:
            states = [state_data(each) for each in found if isinstance(each, RunState)]
            errors = [str(each) for each in found if not isinstance(each, RunState)]
            _print_json({"runs": states, "errors": errors})
        else:
            print(runs_text(found))


@app.command()
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
    with _errors_reported():
        from sim.experiment.results import open_run
        from sim.experiment.verification import chosen_replications
        from sim.experiment.verification import verify as verified
        from sim.presentation.run_view import verification_data, verification_text

        done = open_run(folder)
        chosen = chosen_replications(replications, done.settings.replications)
        again = replace(
            done.settings, workers=workers, scheduler=_scheduler(executor, scheduler),
            replications=len(chosen), precision=None,
        )  # fmt: skip
        with _progress(*_amount(again, done.scenario)) as on_days:
            found = verified(
                done, chosen, again.workers_used, again.scheduler, on_days, _say_compiling
            )
        if as_json:
            _print_json(verification_data(done, found))
        else:
            print(verification_text(done, found))
        if not found.identical:
            raise typer.Exit(1)


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
    folder: RunFolder,
    out: Annotated[
        Path | None,
        typer.Option(parser=_folder, metavar="DIR", help="Where to (default: RUN/pictures)."),
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


def _folder_of_run(path: Path) -> Path | None:
    """The run that is meant where a scenario is asked for: its folder or its manifest."""
    folder = path.parent if path.name == "manifest.json" else path
    return folder if (folder / "manifest.json").is_file() else None


def _read_scenario_or_run(
    path: Path, overrides: list[str] | None
) -> tuple[Scenario, dict[str, Any], RunSettings]:
    """Scenario, as written and as it is, and the settings with which it was run (or defaults)."""
    folder = _folder_of_run(path)
    if folder is None:
        return *_read(path, overrides), RunSettings()
    from sim.experiment.results import read_manifest, scenario_data, settings_of
    from sim.scenario_files import scenario_from_data

    manifest = read_manifest(folder)
    world = scenario_from_data(manifest["scenario"], overrides or [])
    raw = scenario_data(world) if overrides else manifest["scenario"]
    return world, raw, settings_of(manifest)


def _with_precision(
    base: RunSettings, replications: int | None, precision: list[str] | None, most: int | None
) -> RunSettings:
    """The settings with a number of replications or a precision."""
    if precision and replications is not None:
        raise _UserError(
            "--precision finds the number of replications: give it or --replications, not both"
        )
    if most is not None and not precision:
        raise _UserError("--max-replications limits --precision, which is not given")
    if precision:
        return replace(base, precision=Precision.of(precision, most))
    if replications is not None:
        return replace(base, replications=replications, precision=None)
    return base


def _scheduler(executor: ExecutorName, scheduler: str | None) -> str | None:
    if executor == ExecutorName.dask and scheduler is None:
        raise _UserError(
            "--executor dask needs --scheduler ADDRESS, as `dask scheduler` prints it: for "
            "example tcp://127.0.0.1:8786"
        )
    if executor == ExecutorName.local and scheduler is not None:
        raise _UserError("--scheduler needs --executor dask")
    return scheduler


def _amount(settings: RunSettings, world: Scenario) -> tuple[str, int | None]:
    """What there is to simulate, in words and in days (None: nobody knows)."""
    days = settings.days(world)
    if settings.precision:
        return f"{days} days until precise enough", None
    return f"{settings.replications:,} x {days} days", days * settings.replications


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


def _print_pictures(paths: Sequence[Path]) -> None:
    shown = ", ".join(str(path) for path in paths if path.suffix == ".png")
    print(f"Pictures (PNG, and SVG beside each): {shown}")


def _print_json(data: dict[str, Any]) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False))


@contextlib.contextmanager
def _progress(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar with the time left on standard error, where that is a terminal.

    What is yielded is to be called with the days that are done; it notices Ctrl-C, too.
    """
    with _bar(text, total) as show:

        def tell(done: int) -> None:
            if _interrupted:
                raise KeyboardInterrupt
            show(done)

        yield tell


_interrupted = False
"""Ctrl-C has been pressed during this command."""


@contextlib.contextmanager
def _remembering_interrupts() -> Iterator[None]:
    """Have Ctrl-C noted when it comes.

    Python drops a KeyboardInterrupt that is raised in a destructor or in a C library's callback,
    and some libraries turn it into an error of their own.
    """
    global _interrupted
    _interrupted = False
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signal_number: int, frame: FrameType | None) -> None:
        global _interrupted
        _interrupted = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _bar(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    known: list[ProgressColumn] = [
        TextColumn("{task.percentage:3.0f} %"),
        TimeRemainingColumn(),
        TextColumn("left"),
    ]
    unknown: list[ProgressColumn] = [TextColumn("{task.completed:,.0f} days"), TimeElapsedColumn()]
    columns = (TextColumn(f"Simulating {text}"), BarColumn(), *(known if total else unknown))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        begun = False

        def show(done: int) -> None:
            nonlocal begun
            if begun:
                bar.update(task, completed=done)
            else:  # what was there before tells nothing of the time left
                bar.reset(task, completed=done)
                begun = True

        yield show


@contextlib.contextmanager
def _errors_reported() -> Iterator[None]:
    """Turn every exception into a message on standard error and an exit code."""
    try:
        with _remembering_interrupts():
            yield
            sys.stdout.flush()
    except typer.Exit:
        raise
    except BrokenPipeError:  # the reader of our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except (Exception, KeyboardInterrupt) as error:
        if _interrupted or isinstance(error, KeyboardInterrupt):
            _say("; ".join(["interrupted", *(_notes(error) or ["nothing was kept"])]))
            raise typer.Exit(130) from None
        code, message = _explain(error)
        _say("\n".join([message, *_notes(error)]))
        if code == 1 and os.environ.get(TRACEBACK):
            traceback.print_exc()
        raise typer.Exit(code) from None


def _notes(error: BaseException) -> list[str]:
    """What is known about the consequences of an error."""
    return list(getattr(error, "__notes__", []))


def _explain(error: Exception) -> tuple[int, str]:
    """Exit code and message: 2 if the user can mend it, 1 if we must."""
    from sim.experiment.crews import ClusterError, WorkersLostError
    from sim.experiment.results import RunError
    from sim.scenario_files import ScenarioError

    if isinstance(error, _UserError | ScenarioError | SettingsError | RunError | ClusterError):
        return 2, str(error)
    if isinstance(error, WorkersLostError):
        return 1, str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        import tempfile

        return 2, (
            f"{error.strerror}, perhaps for temporary files in {tempfile.gettempdir()} "
            "(the environment variable TMPDIR names another folder)"
        )
    if isinstance(error, MemoryError):
        return 1, "not enough memory: try fewer --workers"
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
