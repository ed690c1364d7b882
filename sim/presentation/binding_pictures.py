"""What binds, in pictures: a calendar, the units day by day, and what more of each would bring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from sim.experiment.binding import CONSTRAINTS, Binding, main_of, runs_of
from sim.experiment.coverage import Scope
from sim.experiment.gains import Gains, kept_gains
from sim.experiment.measures import on
from sim.experiment.replications import counted
from sim.experiment.results import Run
from sim.language import N_, _, language, month_and_year, named, weekday
from sim.presentation import style
from sim.presentation.binding_view import short_name
from sim.presentation.figures import (
    date_axis,
    deadline_line,
    drawing,
    new_figure,
    say,
    thousands,
    x_of,
)

_MONDAY = date(2021, 5, 31)


def pictures(run: Run, found: Binding) -> Iterator[tuple[str, Figure]]:
    """The calendar, the units day by day, and what more of each would bring where that is known."""
    with drawing():
        name = "binding" if found.scope == "first" else f"binding_{found.scope}"
        yield name, calendar(run, found)
        yield f"{name}_units", units(run, found)
        if (gains := kept_gains(run)) is not None:
            yield f"{name}_gains", gained(run, gains, found.scope)


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
    return text.format(replications=counted(found.replications))


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
            column + 0.06, row + 0.1, str(day.day), fontsize=7, va="top", color=_ink(today[day]),
            bbox=_ground(today[day]),
        )  # fmt: skip
        last = day == found.deadline
        axes.add_patch(
            Rectangle(
                (column, row), 1, 1, fill=False, lw=1.8 if last else 0.6, zorder=4 if last else 3,
                edgecolor=style.DEADLINE if last else style.PAPER,
            )
        )  # fmt: skip


def _cell(axes: Axes, x: float, y: float, height: float, constraint: str) -> None:
    axes.add_patch(Rectangle((x, y), 1, height, **_look(constraint)))
    _letter(axes, x + 0.78, y + height / 2 + 0.02, constraint)


def _look(constraint: str) -> dict[str, Any]:
    """Colour and hatching of a patch."""
    _letter_of_it, colour, hatch = style.CONSTRAINTS[constraint]
    return {"facecolor": colour, "hatch": hatch, "edgecolor": style.SOFT, "lw": 0}


def _letter(axes: Axes, x: float, y: float, constraint: str) -> None:
    axes.text(
        x, y, style.CONSTRAINTS[constraint][0], ha="center", va="center", fontsize=7,
        color=_ink(constraint), bbox=_ground(constraint),
    )  # fmt: skip


def _ink(constraint: str) -> str:
    """The colour of what is written upon it."""
    _letter_of_it, colour, hatch = style.CONSTRAINTS[constraint]
    return style.INK if hatch or colour == style.PAPER else style.upon(colour)


def _ground(constraint: str) -> dict[str, Any] | None:
    """What is written over hatching has white behind it."""
    hatched = style.CONSTRAINTS[constraint][2]
    white = {"boxstyle": "round,pad=0.12", "facecolor": style.PAPER, "edgecolor": "none"}
    return white if hatched else None


def units(run: Run, found: Binding) -> Figure:
    """A line a unit: what held back the next person there, in runs of days."""
    names = list(run.scenario.units)
    rows = found.by_day[found.by_day["date"] <= _end_of_month(found.deadline)]
    runs = [
        (row, one)
        for row, name in enumerate(names)
        for one in runs_of(main_of(rows[rows["unit"] == name], "share")).to_dict("records")
    ]
    used = sorted({one["constraint"] for _row, one in runs}, key=list(CONSTRAINTS).index)
    figure = new_figure(
        _title(
            found,
            _("What holds back first doses at each unit (mean of {replications})"),
            _("What holds back full vaccination at each unit (mean of {replications})"),
        ),
        named(run.scenario.title),
        1.65 + 0.19 * len(names) + 0.2 * -(-len(used) // 3),
    )
    axes = figure.subplots()
    for row, one in runs:
        x, width = x_of(one["first"]), (one["last"] - one["first"]).days + 1
        axes.add_patch(Rectangle((x, row - 0.42), width, 0.84, **_look(one["constraint"])))
        if width >= 3:
            _letter(axes, x + width / 2, row, one["constraint"])
    axes.set_xlim(x_of(rows["date"].min()), x_of(rows["date"].max() + timedelta(days=1)))
    axes.set_ylim(len(names) - 0.4, -0.6)
    titles = [named(unit.title or name) for name, unit in run.scenario.units.items()]
    axes.set_yticks(range(len(titles)), titles, fontsize=7)
    axes.grid(axis="y", visible=False)
    date_axis(axes)
    deadline_line(axes, found.deadline + timedelta(days=1), label=False)
    note = _("dotted: end of the deadline's day")
    _legend(figure, used, note)
    return figure


_GAIN = {
    "binding": (style.REACHED, N_("more people for sure")),
    "partly": (style.SOFT, N_("not sure, or not in all sizes")),
    "harmful": (style.FAILED, N_("fewer people for sure")),
}
"""What a bar's colour says."""


def gained(run: Run, gains: Gains, scope: Scope) -> Figure:
    """A bar for every relaxation that changes more than little; the lines are 95 % intervals."""
    status = gains.status(scope)
    bars = [gain for gain in gains.alone if abs(gain.mean(scope).mean or 0) > gains.little]
    title = _("Persons gained for full vaccination by {day} with more of each alone")
    if scope == "first":
        title = _("Persons gained for a first dose by {day} with more of each alone")
    figure = new_figure(
        title.format(day=on(gains.deadline)), named(run.scenario.title), 1.45 + 0.2 * len(bars)
    )
    axes = figure.subplots()
    if not bars:
        axes.set_axis_off()
        say(axes, _("more of anything alone changes little"))
        return figure
    shown = set[str]()
    for row, gain in enumerate(bars):
        mean = gain.mean(scope)
        certain = "binding" if status[gain.constraint] == "binding" else "partly"
        kind = "harmful" if gain.harms(scope) else certain
        shown.add(kind)
        axes.barh(row, mean.mean or 0, color=_GAIN[kind][0])
        if mean.low is not None and mean.high is not None:
            axes.plot([mean.low, mean.high], [row, row], color=style.INK, lw=1.0)
    axes.set_yticks(
        range(len(bars)), [f"{short_name(b.constraint)}: {_(b.words)}" for b in bars], fontsize=8
    )
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.axvline(0, color=style.INK, lw=0.8)
    axes.xaxis.set_major_formatter(thousands)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel(_("persons gained (line: 95 % interval)"))
    used = [kind for kind in _GAIN if kind in shown]
    figure.legend(
        [Patch(color=_GAIN[kind][0]) for kind in used], [_(_GAIN[kind][1]) for kind in used],
        loc="outside lower center", ncols=3,
    )  # fmt: skip
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
