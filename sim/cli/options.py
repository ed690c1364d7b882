"""The options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from sim.experiment.settings import DEFAULT_MOST, DEFAULT_REPLICATIONS
from sim.language import THAI_DIGITS, _

_WITH_NUMBERS = re.compile("NUMBER|VALUE|COST|LEVER|DATE|PORT|TIMES|PERCENT|LAST|LOW")
"""In what help calls the value of an option that may hold numbers or dates."""
_NUMBER = re.compile(r"(^|[=:,])([-+]?[0-9๐-๙][-+._%0-9๐-๙]*)(?=$|[=:,])")
"""A number or date by itself, or after a name: names keep their digits."""


class Command(TyperCommand):
    """A command with numbers and dates that may be written with Thai digits."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As any command does."""
        return super().parse_args(ctx, with_usual_digits(self.params, args))


def with_usual_digits(parameters: Iterable[Any], args: Sequence[str]) -> list[str]:
    """What a command is given, with the digits that programs read in numbers and dates."""
    with_numbers = {
        name
        for parameter in parameters
        if _WITH_NUMBERS.search(str(parameter.metavar))
        for name in parameter.opts
    }
    usual, before = [], ""
    for arg in args:
        name, is_set, value = arg.partition("=")
        if before in with_numbers:
            usual.append(_usual(arg))
        elif is_set and name in with_numbers:
            usual.append(f"{name}={_usual(value)}")
        else:
            usual.append(arg)
        before = arg
    return usual


def _usual(text: str) -> str:
    return _NUMBER.sub(lambda found: found[0].translate(THAI_DIGITS), text)


class EngineName(StrEnum):
    """Implementations of a day; they give equal results."""

    compiled = "compiled"
    reference = "reference"


class ExecutorName(StrEnum):
    """Who does the work; results do not depend on it."""

    local = "local"
    dask = "dask"


class Language(StrEnum):
    """Languages that are spoken."""

    en = "en"
    th = "th"


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
    int | None,
    typer.Option(metavar="NUMBER", min=1, help="Replications at a time (default: one a core)."),
]
Executor = Annotated[
    ExecutorName, typer.Option(help="Who simulates: this machine, or the workers of a scheduler.")
]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="For dask, like tcp://127.0.0.1:8786.")
]

Replications = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        min=1,
        max=1_000_000,
        help=f"How often to simulate each scenario (default: {DEFAULT_REPLICATIONS}).",
    ),
]
Precisions = Annotated[
    list[str] | None,
    typer.Option(
        "--precision",
        metavar="[MEASURE=]PERCENT",
        help="As many replications as it takes until the confidence interval is the mean "
        "± so many percent, e.g. 0.5% or calls_offered=1%; may be repeated.",
    ),
]
MaxReplications = Annotated[
    int | None,
    typer.Option(
        metavar="NUMBER",
        min=3,
        max=1_000_000,
        help=f"At most, for --precision (default: {DEFAULT_MOST:,}).",
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        metavar="NUMBER", min=0, max=2**64 - 1, help="The same seed gives the same results."
    ),
]
Until = Annotated[
    str | None, typer.Option(metavar="DATE", help="Stop after this day (YYYY-MM-DD).")
]


def folder_named(text: str) -> Path:
    """The folder that an option names; "" would mean the current one."""
    if not text.strip():
        raise typer.BadParameter(_("name a folder"))
    return Path(text)


Out = Annotated[
    Path | None,
    typer.Option(
        parser=folder_named,
        metavar="DIR",
        help="Folder for the results (default: one below runs/).",
    ),
]
Engine = Annotated[EngineName, typer.Option(help="Which implementation.")]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Simulate anew what has been simulated before.")
]
