"""The command line. Libraries that take long to load are imported inside the commands."""

from __future__ import annotations

import gc
import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import FrameType
from typing import Annotated, Any

import typer

from sim import __version__
from sim.cli.answers import goal, staff
from sim.cli.benchmark import bench
from sim.cli.console import say
from sim.cli.documents import describe
from sim.cli.options import Command, Language
from sim.cli.page import page
from sim.cli.plans import check, schema
from sim.cli.reports import report
from sim.cli.results import binds, plot, runs, show, verify
from sim.cli.simulate import compare, run, sweep
from sim.cli.starters import new, trace
from sim.cli.uncertainty import risk, sensitivity
from sim.cli.usage import leave_types_out, speak_in_help, usage_error
from sim.cli.validity import backtest, validate
from sim.language import LANGUAGES, N_, _, language, of_locale, speak, speak_in_libraries

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


LanguageOption = Annotated[
    Language | None,
    typer.Option(
        "--lang", help=N_("Language of the answers (default: that of the locale, else English).")
    ),
]


def _with_language(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the option --lang, which `main` has heeded when the command runs."""

    def spoken(lang: Language | None = None, **arguments: Any) -> None:
        command(**arguments)

    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter(
        "lang", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=LanguageOption
    )
    parameters = [*signature.parameters.values(), option]
    spoken.__name__, spoken.__doc__ = command.__name__, command.__doc__
    spoken.__annotations__ = {each.name: each.annotation for each in parameters}
    spoken.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return spoken


@app.callback()
def _vaxsim(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    lang: LanguageOption = None,
) -> None:
    pass


app.command("app", cls=Command)(_with_language(page))
for command in (
    new, check, run, binds, compare, sweep, goal, staff, sensitivity, risk,
    show, report, plot, runs, trace, describe, verify, validate, backtest, bench, schema,
):  # fmt: skip
    app.command(cls=Command)(_with_language(command))


def main() -> None:
    """The command `vaxsim`, once it is loaded (`sim.__main__`)."""
    signal.signal(signal.SIGINT, _leave)  # until the command heeds Ctrl-C itself
    # Nothing here multiplies large matrices, and OpenBLAS's threads take long to start
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(100_000)  # while libraries load, looking for garbage takes a fifth of the time
    arguments = sys.argv[1:] or ["--help"]
    speak(_language_wanted(arguments))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without Unicode shows "?" and no traceback
            stream.reconfigure(errors="replace")
    group = typer.main.get_command(app)
    if language() != "en":
        _translate(group)
    for command in group.commands.values():  # type: ignore[attr-defined]
        # typer would shorten it, and by words, which Thai does not divide by spaces
        command.short_help = (command.help or "").partition("\n\n")[0].replace("\n", " ")
        leave_types_out(command)
    try:
        sys.exit(group(arguments, prog_name="vaxsim", standalone_mode=False))
    except Exception as error:
        if not hasattr(error, "format_message"):  # what the library raises for a wrong usage
            raise
        say(usage_error(error))
        sys.exit(2)


def _leave(signal_number: int, frame: FrameType | None) -> None:
    say("; ".join([_("interrupted"), _("nothing was kept")]))
    sys.exit(128 + signal_number)


def with_help(group: Any) -> Iterator[Any]:
    """The commands, arguments and options that have a help text."""
    for command in (group, *group.commands.values()):
        options = command.get_params(command.context_class(command))
        yield from (part for part in (command, *options) if getattr(part, "help", None))


def _translate(group: Any) -> None:
    """Put all help texts into the language spoken."""
    speak_in_libraries()
    speak_in_help(group)
    for part in with_help(group):
        part.help = _(part.help)


_OF_TYPER = (
    N_("Arguments"), N_("Options"), N_("Commands"), N_("default: {default}"), N_("required"),
    N_("Missing command."), N_("No such command {name!r}."),
)  # fmt: skip
"""What typer looks up in the catalog."""


def _language_wanted(arguments: list[str]) -> str:
    """What --lang says anywhere, else the locale. (Known before help texts are looked up.)"""
    for argument, following in pairwise([*arguments, ""]):
        name, is_set, value = argument.partition("=")
        wanted = value if is_set else following
        if name == "--lang" and wanted in LANGUAGES:
            return wanted
    return of_locale()
