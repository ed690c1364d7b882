"""Parts that pictures share: figure, axes of dates, deadline, files.

matplotlib's object interface is used throughout (no pyplot, no global state).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from textwrap import fill

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, date2num, num2date
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from sim.experiment.results import RunError
from sim.language import _, language, short_date, speaking, year_of
from sim.presentation import fonts, style

thousands = FuncFormatter(lambda value, _: f"{value:,.0f}")
"""Numbers of an axis with commas."""


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Within this block, matplotlib draws as we do; in English where no font can write Thai."""
    with (
        mpl.rc_context({**style.SETTINGS, "font.family": fonts.families()}),
        speaking("en" if language_is_missing() else language()),
    ):
        yield


def language_is_missing() -> bool:
    """Whether pictures must be in English because no font can write the language spoken."""
    return language() == "th" and fonts.thai_family() is None


def new_figure(title: str, subtitle: str, height: float) -> Figure:
    """An empty figure; height in inches."""
    figure = Figure(figsize=(style.WIDTH, height), layout="constrained")
    lines = "\n".join(wrapped(line, 100) for line in (title, subtitle) if line)
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
                with drawing():
                    figure.savefig(path, metadata=metadata)
                saved.append(path)
    except OSError as error:
        raise RunError(
            _("{folder} cannot be written: {reason}").format(folder=folder, reason=error.strerror)
        ) from None
    return saved


def wrapped(text: str, width: int) -> str:
    """The text in lines of so many letters; Thai is broken at its spaces only."""
    return fill(text, width, break_long_words=False)


def x_of(day: date) -> float:
    """The place of a day on a date axis."""
    return float(date2num(day))  # type: ignore[no-untyped-call]


def date_axis(axes: Axes) -> None:
    """Days as "1 Jun", with the year below."""
    axes.xaxis.set_major_locator(
        AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    )
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _day_and_month(x)))
    years = sorted({year_of(num2date(x)) for x in axes.get_xlim()})  # type: ignore[no-untyped-call]
    axes.set_xlabel(" – ".join(map(str, years)))


def _day_and_month(x: float) -> str:
    return short_date(num2date(x))  # type: ignore[no-untyped-call]


def deadline_line(axes: Axes, day: date, label: bool) -> None:
    """A vertical line on the day of the deadline."""
    axes.axvline(x_of(day), color=style.DEADLINE, lw=1.2, ls=":")
    if label:
        text = _("deadline {day}").format(day=short_date(day))
        axes.text(
            x_of(day), 0.98, f" {text}", color=style.DEADLINE,
            transform=axes.get_xaxis_transform(), va="top", fontsize=8,
        )  # fmt: skip


def say(axes: Axes, text: str) -> None:
    """A text in the middle of axes that have nothing to show."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center")
