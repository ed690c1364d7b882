"""What binds, in pictures: a calendar, and the units day by day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from sim.experiment.binding import CONSTRAINTS, Binding, main_of, runs_of
from sim.experiment.results import Run
from sim.language import _, language, month_and_year, named, weekday
from sim.presentation import style
from sim.presentation.figures import date_axis, deadline_line, drawing, new_figure, x_of
from sim.presentation.terminal import on, replications

_MONDAY = date(2021, 5, 31)


def pictures(run: Run, found: Binding) -> Iterator[tuple[str, Figure]]:
    """The calendar, and the units day by day."""
    with drawing():
        name = "binding" if found.scope == "first" else f"binding_{found.scope}"
        yield name, calendar(run, found)
        yield f"{name}_units", units(run, found)


def calendar(run: Run, found: Binding) -> Figure:
    """A sheet a month: what held back the next person each day, and below what decides."""
    today, decides = _by_date(found.main_by_day()), _by_date(found.main_by_day("decisive"))
    days = [day for day in today if pd.Timestamp(day) <= _end_of_month(found.deadline)]
    months = sorted({(day.year, day.month) for day in days})
    columns = min(len(months), 4)
    rows = -(-len(months) // columns)
    used = sorted(
        {today[day] for day in days} | {decides[day] for day in days if day in decides},
        key=list(CONSTRAINTS).index,
    )
    figure = new_figure(
        _title(
            found,
            _("What holds back first doses, day by day (mean of {replications})"),
            _("What holds back full vaccination, day by day (mean of {replications})"),
        ),
        named(run.scenario.title),
        1.15 + 1.75 * rows + 0.17 * -(-len(used) // 3),
    )
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
        axes.set_xticks([])
        axes.set_yticks([])
    for axes, month in zip(panels.flat, months, strict=False):
        _sheet(axes, [d for d in days if (d.year, d.month) == month], today, decides, found)
    note = _(
        "upper half: that day; lower half: what decides about the deadline, {day} (framed); "
        "the rest of its month is shown, too"
    )
    _legend(figure, used, note.format(day=on(found.deadline)))
    return figure


def _title(found: Binding, of_first: str, of_full: str) -> str:
    text = of_first if found.scope == "first" else of_full
    return text.format(replications=replications(found.replications))


def _by_date(days: pd.DataFrame) -> dict[date, str]:
    return {day.date(): name for day, name in zip(days["date"], days["constraint"], strict=True)}


def _sheet(
    axes: Axes,
    days: Sequence[date],
    today: dict[date, str],
    decides: dict[date, str],
    found: Binding,
) -> None:
    first = days[0].replace(day=1)
    axes.set_xlim(-0.05, 7.05)
    axes.set_ylim(6.05, -0.7)
    axes.set_title(month_and_year(first), fontsize=9)
    for column in range(7):
        name = weekday(_MONDAY + timedelta(days=column), short=True)
        name = name[:1] if language() == "en" else name
        axes.text(column + 0.5, -0.25, name, ha="center", va="center", fontsize=7)
    for day in days:
        row, column = divmod(day.day - 1 + first.weekday(), 7)
        _cell(axes, column, row, 0.56 if day in decides else 1.0, today[day])
        if day in decides:
            _cell(axes, column, row + 0.56, 0.44, decides[day])
        axes.text(
            column + 0.06, row + 0.1, str(day.day), fontsize=7, va="top", color="#404040",
            bbox=_ground(today[day]),
        )  # fmt: skip
        last = day == found.deadline
        axes.add_patch(
            Rectangle(
                (column, row), 1, 1, fill=False, lw=1.8 if last else 0.6, zorder=4 if last else 3,
                edgecolor=style.DEADLINE if last else "white",
            )
        )  # fmt: skip


def _cell(axes: Axes, x: float, y: float, height: float, constraint: str) -> None:
    axes.add_patch(Rectangle((x, y), 1, height, **_look(constraint)))
    _letter(axes, x + 0.78, y + height / 2 + 0.02, constraint)


def _look(constraint: str) -> dict[str, Any]:
    """Colour and hatching of a patch."""
    _letter_of_it, colour, hatch = style.CONSTRAINTS[constraint]
    return {"facecolor": colour, "hatch": hatch, "edgecolor": "#B0B0B0", "lw": 0}


def _letter(axes: Axes, x: float, y: float, constraint: str) -> None:
    letter, colour, hatch = style.CONSTRAINTS[constraint]
    ink = "white" if colour in style.DARK and not hatch else "black"
    axes.text(
        x, y, letter, ha="center", va="center", fontsize=7, color=ink, bbox=_ground(constraint)
    )


def _ground(constraint: str) -> dict[str, Any] | None:
    """What is written over hatching has white behind it."""
    hatched = style.CONSTRAINTS[constraint][2]
    white = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none"}
    return white if hatched else None


def units(run: Run, found: Binding) -> Figure:
    """A line a unit: what held back the next person there, in runs of days."""
    names = list(run.scenario.units)
    rows = found.by_day[found.by_day["date"] <= _end_of_month(found.deadline)]
    figure = new_figure(
        _title(
            found,
            _("What holds back first doses at each unit (mean of {replications})"),
            _("What holds back full vaccination at each unit (mean of {replications})"),
        ),
        named(run.scenario.title),
        1.6 + 0.19 * len(names),
    )
    axes = figure.subplots()
    used: set[str] = set()
    for row, name in enumerate(names):
        runs = runs_of(main_of(rows[rows["unit"] == name], "share"))
        for one in runs.to_dict("records"):
            x, width = x_of(one["first"]), (one["last"] - one["first"]).days + 1
            constraint = one["constraint"]
            axes.add_patch(Rectangle((x, row - 0.42), width, 0.84, **_look(constraint)))
            used.add(constraint)
            if width >= 3:
                _letter(axes, x + width / 2, row, constraint)
    axes.set_xlim(x_of(rows["date"].min()), x_of(rows["date"].max() + timedelta(days=1)))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.grid(axis="y", visible=False)
    date_axis(axes)
    deadline_line(axes, found.deadline + timedelta(days=1), label=False)
    note = _("dotted: end of the deadline's day")
    _legend(figure, sorted(used, key=list(CONSTRAINTS).index), note)
    return figure


def _legend(figure: Figure, used: Sequence[str], note: str) -> None:
    handles = [Patch(**_look(name) | {"lw": 0.4}) for name in used]
    labels = [f"{style.CONSTRAINTS[name][0]}  {_(CONSTRAINTS[name])}" for name in used]
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3,
        columnspacing=1.5,
        title=note,
        title_fontsize=8,
    )


def _end_of_month(day: date) -> pd.Timestamp:
    return pd.Timestamp(day) + pd.offsets.MonthEnd(0)
