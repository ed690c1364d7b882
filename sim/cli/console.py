"""What the commands read and print: input from the command line, progress, messages, exit codes.

Exit codes: 0; 2 for an error of the user's, with a message on standard error; 1 for one of ours;
3 if the audit of a simulated campaign fails (one of ours, too: nothing of it is a result);
130 after Ctrl-C, 143 after a request to end (SIGTERM).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from sim.cli.options import ExecutorName
from sim.experiment.settings import Precision, RunSettings, SettingsError
from sim.language import _

if TYPE_CHECKING:
    from sim.scenario import Scenario

TRACEBACK = "VAXSIM_TRACEBACK"
"""Environment variable: set to 1, an error of the program shows where it happened."""


class UserError(Exception):
    """Something on the command line that cannot be."""


def read_scenario(path: Path, overrides: list[str] | None) -> tuple[Scenario, dict[str, Any]]:
    """A scenario, and what its files say. Raises ScenarioError."""
    from sim.scenario_files import load_scenario, raw_scenario

    return load_scenario(path, overrides or []), raw_scenario(path, overrides or [])


def folder_of_run(path: Path) -> Path | None:
    """The run that is meant where a scenario is asked for: its folder or its manifest."""
    folder = path.parent if path.name == "manifest.json" else path
    return folder if (folder / "manifest.json").is_file() else None


def read_scenario_or_run(
    path: Path, overrides: list[str] | None
) -> tuple[Scenario, dict[str, Any], RunSettings]:
    """Scenario, as written and as it is, and the settings with which it was run (or defaults)."""
    folder = folder_of_run(path)
    if folder is None:
        return *read_scenario(path, overrides), RunSettings()
    from sim.experiment.results import read_manifest, scenario_data, settings_of
    from sim.scenario_files import scenario_from_data

    manifest = read_manifest(folder)
    world = scenario_from_data(manifest["scenario"], overrides or [])
    raw = scenario_data(world) if overrides else manifest["scenario"]
    return world, raw, settings_of(manifest)


def with_precision(
    base: RunSettings, replications: int | None, precision: list[str] | None, most: int | None
) -> RunSettings:
    """The settings with a number of replications or a precision."""
    if precision and replications is not None:
        raise UserError(
            _("--precision finds the number of replications: give it or --replications, not both")
        )
    if most is not None and not precision:
        raise UserError(_("--max-replications limits --precision, which is not given"))
    if precision:
        return replace(base, precision=Precision.of(precision, most))
    if replications is not None:
        return replace(base, replications=replications, precision=None)
    return base


def scheduler_address(executor: ExecutorName, scheduler: str | None) -> str | None:
    """The address of the scheduler that does the work; None: this machine does it."""
    if executor == ExecutorName.dask and scheduler is None:
        raise UserError(
            _(
                "--executor dask needs --scheduler ADDRESS, as `dask scheduler` prints "
                "it: for example tcp://127.0.0.1:8786"
            )
        )
    if executor == ExecutorName.local and scheduler is not None:
        raise UserError(_("--scheduler needs --executor dask"))
    return scheduler


def amount_of_work(settings: RunSettings, world: Scenario) -> tuple[str, int | None]:
    """What there is to simulate, in words and in days (None: nobody knows)."""
    days = settings.days(world)
    if settings.precision:
        return _("{days} days until precise enough").format(days=days), None
    text = _("{n:,} x {days} days").format(n=settings.replications, days=days)
    return text, days * settings.replications


def document_suffix(out: Path | None, *suffixes: str) -> str:
    """What kind of document is to be written; "" to standard output. Raises UserError."""
    if out is None:
        return ""
    if out.suffix.lower() not in suffixes:
        wanted = _("--out {file}: name a file that ends in {suffixes}")
        raise UserError(wanted.format(file=out, suffixes=_(" or ").join(suffixes)))
    if out.is_dir():
        raise UserError(_("--out {file}: is a folder; name a file").format(file=out))
    return out.suffix.lower()


def print_pictures(paths: Sequence[Path]) -> None:
    """Say where pictures are."""
    shown = ", ".join(str(path) for path in paths if path.suffix == ".png")
    print(_("Pictures (PNG, and SVG beside each): {files}").format(files=shown))
    from sim.presentation import figures, fonts

    if figures.language_is_missing():
        say(
            _("the pictures are in English: no font can write Thai (Debian has {package})").format(
                package=fonts.ADVICE
            )
        )


def print_json(data: dict[str, Any]) -> None:
    """Print one JSON object."""
    print(json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False))


@contextlib.contextmanager
def progress(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar with the time left on standard error; a line now and then if that is no terminal.

    What is yielded is to be called with the days that are done; it notices Ctrl-C, too.
    """
    with (_bar if sys.stderr.isatty() else _plain_lines)(text, total) as show:

        def tell(done: int) -> None:
            if _interrupted:
                raise KeyboardInterrupt
            show(done)

        yield tell


_interrupted = 0
"""The signal that was to end this command, if any: Ctrl-C or SIGTERM."""


@contextlib.contextmanager
def _remembering_interrupts() -> Iterator[None]:
    """Have Ctrl-C noted when it comes; SIGTERM ends the command in the same way.

    Python drops a KeyboardInterrupt that is raised in a destructor or in a C library's callback,
    and some libraries turn it into an error of their own.
    """
    global _interrupted
    _interrupted = signals = 0
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signal_number: int, frame: FrameType | None) -> None:
        global _interrupted
        nonlocal signals
        _interrupted, signals = signal_number, signals + 1
        if signals != 2:  # people press twice; what the first has begun is tidying up
            raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


SECONDS_BETWEEN_LINES = 10.0
"""Where standard error is no terminal."""


@contextlib.contextmanager
def _plain_lines(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
    days, ended, begun = 0, threading.Event(), time.monotonic()

    def show(done: int) -> None:
        nonlocal days
        days = done

    def tell() -> None:
        while not ended.wait(SECONDS_BETWEEN_LINES):
            line = _("simulating {what}: {days} days after {seconds} s")
            if total:
                line = _("simulating {what}: {percent} % after {seconds} s")
            percent, seconds = 100 * days / (total or 1), time.monotonic() - begun
            say(
                line.format(
                    what=text, days=f"{days:,}", percent=f"{percent:.0f}", seconds=f"{seconds:.0f}"
                )
            )

    # a thread, because much of a search is no simulation
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield show
    finally:
        ended.set()
        teller.join()


@contextlib.contextmanager
def _bar(text: str, total: int | None) -> Iterator[Callable[[int], None]]:
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
        TextColumn(_("left")),
    ]
    unknown: list[ProgressColumn] = [
        TextColumn(_("{days} days").format(days="{task.completed:,.0f}")),
        TimeElapsedColumn(),
    ]
    columns = (
        TextColumn(_("Simulating {what}").format(what=text)),
        BarColumn(),
        *(known if total else unknown),
    )
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
def errors_reported() -> Iterator[None]:
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
            say("; ".join([_("interrupted"), *(_notes(error) or [_("nothing was kept")])]))
            raise typer.Exit(128 + (_interrupted or signal.SIGINT)) from None
        code, message = _explain(error)
        # after a failed audit nothing goes on from there
        notes = [] if code == 3 else _notes(error)
        say("\n".join([message, *notes]))
        if code in (1, 3) and os.environ.get(TRACEBACK):
            traceback.print_exc()
        raise typer.Exit(code) from None


def _notes(error: BaseException) -> list[str]:
    """What is known about the consequences of an error."""
    return list(getattr(error, "__notes__", []))


def _explain(error: Exception) -> tuple[int, str]:
    """Exit code and message: 2 if the user can mend it, 1 or 3 if we must."""
    from sim.experiment.crews import ClusterError, WorkersLostError
    from sim.experiment.results import RunError
    from sim.model.ledger import AuditError
    from sim.scenario_errors import ScenarioError

    if isinstance(error, AuditError):
        return 3, (
            _(
                "the audit failed, so there is no result: {error}\nSomething in the "
                "simulated campaign does not add up: a fault of vaxsim, not of the scenario, and "
                "the same command would fail again. Please report it: send this message, the "
                "command, and the scenario file with those that it extends; {variable}=1 shows "
                "where it happened."
            ).format(error=error, variable=TRACEBACK)
        )
    if isinstance(error, UserError | ScenarioError | SettingsError | RunError | ClusterError):
        return 2, str(error)
    if isinstance(error, WorkersLostError):
        return 1, str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        import tempfile

        return 2, (
            _(
                "{reason}, perhaps for temporary files in {folder} (the environment "
                "variable TMPDIR names another folder)"
            ).format(reason=error.strerror, folder=tempfile.gettempdir())
        )
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return 2, _("the name of a file is too long: {file}").format(
            file=f"{error.filename!s:.60} …"
        )
    if isinstance(error, MemoryError):
        return 1, _("not enough memory: try fewer --workers")
    return 1, (
        _(
            "an error in vaxsim itself: {kind}: {error}\nPlease report it with the "
            "scenario file; {variable}=1 shows where it happened."
        ).format(kind=type(error).__name__, error=error, variable=TRACEBACK)
    )


def say_compiling() -> None:
    """Say that compiling takes a while."""
    say(_("compiling, for up to a minute; later runs find it done"))


def say(message: str) -> None:
    """Print a message on standard error."""
    print(f"vaxsim: {message}", file=sys.stderr)
