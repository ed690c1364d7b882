"""Parts that pictures share: figure, axes of dates, deadline, files.

matplotlib's object interface is used throughout (no pyplot, no global state).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from textwrap import fill

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, date2num, num2date
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from sim.experiment.results import RunError
from sim.presentation import style

thousands = FuncFormatter(lambda value, _: f"{value:,.0f}")
"""Numbers of an axis with commas."""


def new_figure(title: str, subtitle: str, height: float) -> Figure:
    """An empty figure; height in inches."""
    figure = Figure(figsize=(style.WIDTH, height), layout="constrained")
    lines = "\n".join(fill(line, 100) for line in (title, subtitle) if line)
    figure.suptitle(lines, x=0.01, ha="left")
    return figure


def save_figures(figures: Iterable[tuple[str, Figure]], folder: Path) -> list[Path]:
    """Write every picture as PNG and SVG (the same bytes each time); returns the files."""
    saved = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in figures:
            for ending, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
                path = folder / f"{name}.{ending}"
                with mpl.rc_context(style.SETTINGS):
                    figure.savefig(path, metadata=metadata)
                saved.append(path)
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror}") from None
    return saved


def x_of(day: date) -> float:
    """The place of a day on a date axis."""
    return float(date2num(day))  # type: ignore[no-untyped-call]


def date_axis(axes: Axes) -> None:
    """Days as "1 Jun", with the year below."""
    axes.xaxis.set_major_locator(
        AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _day_and_month(x)))
    years = sorted({num2date(x).year for x in axes.get_xlim()})  # type: ignore[no-untyped-call]
    axes.set_xlabel(" – ".join(map(str, years)))


def _day_and_month(x: float) -> str:
    day = num2date(x)  # type: ignore[no-untyped-call]
    return f"{day.day} {day:%b}"


def deadline_line(axes: Axes, day: date, label: bool) -> None:
    """A vertical line on the day of the deadline."""
    axes.axvline(x_of(day), color=style.DEADLINE, lw=1.2, ls=":")
    if label:
        axes.text(
            x_of(day), 0.98, f" deadline {day.day} {day:%b}", color=style.DEADLINE,
            transform=axes.get_xaxis_transform(), va="top", fontsize=8,
        )  # fmt: skip


def say(axes: Axes, text: str) -> None:
    """A text in the middle of axes that have nothing to show."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center")
