"""The pictures of a run, each a function of the run that returns a matplotlib Figure.

matplotlib's object interface is used throughout (no pyplot, no global state).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator, PercentFormatter

from sim.experiment.answer import reason_counts, sum_over_replications
from sim.experiment.binding import binding
from sim.experiment.coverage import SCOPES, Scope
from sim.experiment.feasibility import curve as ceiling_by_day
from sim.experiment.measures import on
from sim.experiment.plan_arithmetic import capacity
from sim.experiment.replications import counted
from sim.experiment.results import Run, RunError
from sim.experiment.statistics import quantile_band
from sim.language import N_, _, named
from sim.model.records import PROVINCE_STORE, REASONS
from sim.presentation import binding_pictures, style
from sim.presentation.figures import (
    date_axis,
    deadline_line,
    drawing,
    new_figure,
    save_figures,
    say,
    thousands,
    wrapped,
    x_of,
)
from sim.presentation.terminal import count, in_words

_BAND = (0.05, 0.5, 0.95)
_SCOPE_NAMES = {"first": N_("first dose"), "full": N_("fully vaccinated")}


def pictures(run: Run, unit: str | None = None) -> Iterator[tuple[str, Figure]]:
    """All pictures with their names. Raises RunError for a unit that the run does not have."""
    with drawing():
        yield "coverage", coverage(run)
        yield "doses", doses(run)
        yield "call_centre", call_centre(run)
        yield "reasons", reasons(run)
        yield "unit_day", unit_day(run, unit)
    yield from binding_pictures.pictures(run, binding(run))


def save_pictures(run: Run, folder: Path, unit: str | None = None) -> list[Path]:
    """Write every picture as PNG and SVG (the same bytes each time); returns the files."""
    if unit is not None:
        _check_unit(run, unit)
    return save_figures(pictures(run, unit), folder)


def coverage(run: Run) -> Figure:
    """Coverage by date under its ceiling, with goal, deadline and band.

    Of all inhabitants, and of the target.
    """
    campaign = run.scenario.campaign
    several = run.settings.replications > 1
    title = (
        _("Coverage over time (median of {replications}, band: 5 to 95 %)")
        if several
        else _("Coverage over time")
    )
    figure = _figure(run, title.format(replications=_replications(run)), 3.8)
    left, right = figure.subplots(1, 2, sharex=True)
    for scope in SCOPES:
        curve = run.coverage(scope)
        persons = curve.pivot_table(index="replication", columns="date", values="persons")
        low, median, high = quantile_band(persons.to_numpy(), _BAND)
        days, colour = persons.columns, style.SCOPES[scope]
        most = ceiling_by_day(run.scenario, scope).reindex(days).to_numpy()
        for axes, whole, before in (
            (left, campaign.population, campaign.vaccinated_before),
            (right, run.scenario.target, 0),
        ):
            axes.plot(
                days, (median + before) / whole, color=colour, label=_(_SCOPE_NAMES[scope]),
                clip_on=False, zorder=3,
            )  # fmt: skip
            axes.fill_between(
                days, (low + before) / whole, (high + before) / whole, color=colour, alpha=0.3, lw=0
            )
            axes.plot(
                days, (most + before) / whole, color=colour, ls="--", lw=1.0,
                label=_("the most possible, {scope}").format(scope=_(_SCOPE_NAMES[scope])),
                clip_on=False, zorder=3,
            )  # fmt: skip
    left.set_title(_("of all {n} inhabitants").format(n=count(campaign.population)))
    right.set_title(_("of the target of {n} people").format(n=count(run.scenario.target)))
    left.axhline(campaign.coverage_goal, color=style.GOAL, ls="--", lw=1.2)
    left.text(
        0.02, campaign.coverage_goal + 0.01,
        _("goal {percent} %").format(percent=f"{100 * campaign.coverage_goal:g}"),
        color=style.GOAL, transform=left.get_yaxis_transform(), va="bottom",
    )  # fmt: skip
    for axes in (left, right):
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1, 0, symbol=" %"))
        date_axis(axes)
        deadline_line(axes, campaign.deadline, label=axes is left)
    left.set_ylabel(_("share vaccinated"))
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def doses(run: Run) -> Figure:
    """Doses given a day by type of unit, against the slots; below, the stock."""
    scenario, n = run.scenario, run.settings.replications
    types = {name: unit.type for name, unit in scenario.units.items()}
    daily = sum_over_replications(run, "daily", ["date", "unit"], ["administered"])
    daily["type"] = daily["unit"].map(types)
    given = daily.pivot_table(index="date", columns="type", values="administered", aggfunc="sum")
    given = given.reindex(columns=list(scenario.unit_types)).dropna(axis=1, how="all").fillna(0) / n
    stock = sum_over_replications(run, "stock", ["date", "place"], ["on_hand", "delivered"])
    stock["where"] = np.where(stock["place"] == PROVINCE_STORE, "store", "units")
    on_hand = stock.pivot_table(index="date", columns="where", values="on_hand", aggfunc="sum") / n
    delivered = stock.groupby("date")["delivered"].sum() / n

    figure = _figure(
        run,
        _("Doses given a day by type of unit, and in stock (mean of {replications})").format(
            replications=_replications(run)
        ),
        4.8,
    )
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _stack(above, given, style.SERIES, {str(name): in_words(str(name)) for name in given})
    slots = int(capacity(scenario).groupby("unit")["slots_per_day"].first().sum())
    above.axhline(
        slots, color=style.INK, lw=1.0, ls="--", label=_("{n} slots a day").format(n=count(slots))
    )
    above.set_ylim(0, 1.08 * max(slots, given.sum(axis=1).max() if len(given) else 0, 1))
    above.set_ylabel(_("doses a day"))
    above.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(given.columns) + 1)
    places = {"store": _("in the provincial store"), "units": _("at the units")}
    visible = [place for place in places if place in on_hand and _matters(on_hand[place], on_hand)]
    if visible:
        below.stackplot(
            on_hand.index, *(on_hand[place] for place in visible),
            colors=[style.STOCK[place] for place in visible],
            labels=[places[place] for place in visible],
        )  # fmt: skip
        below.legend(loc="upper right")
    else:
        say(below, _("no doses in the evening of any day"))
    arriving = delivered[delivered > 0]
    tops = on_hand.sum(axis=1).reindex(arriving.index)
    for day, number, top in zip(arriving.index, arriving, tops, strict=True):
        below.annotate(
            f"+{number:,.0f}", (x_of(day), top), xytext=(3, 3),
            textcoords="offset points", fontsize=8, bbox={"color": style.PAPER, "pad": 0.5},
        )  # fmt: skip
    below.margins(y=0.25)
    below.set_ylim(bottom=0)
    below.set_ylabel(_("doses in the evening"))
    for axes in (above, below):
        axes.yaxis.set_major_formatter(thousands)
        deadline_line(axes, scenario.campaign.deadline, label=axes is below)
    date_axis(below)
    return figure


def call_centre(run: Run) -> Figure:
    """Calls a day by outcome; below, attempts against the people behind them."""
    n = run.settings.replications
    outcomes = {
        "answered": _("answered"),
        "abandoned": _("gave up waiting"),
        "blocked": _("busy signal"),
        "cut_off": _("cut off at closing"),
    }
    calls = sum_over_replications(run, "call_centre", ["date"], list(outcomes))
    calls = calls.set_index("date") / n
    people = sum_over_replications(run, "callers", ["date"], ["attempts", "callers", "answered"])
    people = people.set_index("date") / n
    people = people[people["attempts"] > 0]

    figure = _figure(
        run,
        _("The call centre day by day (mean of {replications})").format(
            replications=_replications(run)
        ),
        4.8,
    )
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    if calls.empty:
        say(above, _("nobody called"))
    shown = calls.loc[:, (calls > 0).any() | (calls.columns != "cut_off")]
    _stack(above, shown, [style.CALLS[str(name)] for name in shown], outcomes)
    above.set_ylabel(_("calls a day"))
    above.legend(loc="upper right", reverse=True)
    for column, label, colour, line in (
        ("attempts", _("calls"), style.INK, "-"),
        ("callers", _("people calling"), style.TELEPHONE, "-"),
        ("answered", _("people who got through"), style.CALLS["answered"], "-"),
    ):
        below.plot(people.index, people[column], line, color=colour, label=label, marker=".", ms=3)
    below.set_ylabel(_("a day"))
    below.set_ylim(bottom=0)
    below.legend(loc="upper right")
    for axes in (above, below):
        axes.yaxis.set_major_formatter(thousands)
        axes.yaxis.set_major_locator(MaxNLocator(5))
    date_axis(below)
    return figure


def reasons(run: Run) -> Figure:
    """From the target down to the vaccinated, by reason: first dose and fully vaccinated."""
    target = run.scenario.target
    means: dict[Scope, pd.Series] = {s: c.mean() for s, c in reason_counts(run).items()}
    names = [r for r in REASONS if r != "vaccinated" and any(means[s][r] > 0 for s in SCOPES)]
    rows = ["target", *names, "vaccinated"]
    campaign = run.scenario.campaign
    day = min(campaign.deadline, run.settings.until or campaign.horizon)
    figure = _figure(
        run,
        _("From the target to the vaccinated on {day} (mean of {replications})").format(
            day=on(day), replications=_replications(run)
        ),
        1.2 + 0.36 * len(rows),
    )
    panels: Any = figure.subplots(1, 2, sharey=True)
    for axes, scope in zip(panels, SCOPES, strict=True):
        right = float(target)
        for row, name in enumerate(rows):
            if name == "target":
                start, width, colour = 0.0, right, style.INK
            elif name == "vaccinated":
                start, width, colour = 0.0, float(means[scope][name]), style.reason(name, scope)
            else:
                width = float(means[scope][name])
                start, colour = right - width, style.reason(name, scope)
                right = start
            axes.barh(row, width, left=start, color=colour, height=0.72)
            _number_at_bar(axes, row, start, width, target, colour)
        axes.set_title(_(_SCOPE_NAMES[scope]))
        axes.set_xlim(0, target * 1.02)
        scale = 1000 if target >= 10_000 else 1
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _, by=scale: f"{x / by:,.0f}"))
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(_("thousand people") if scale == 1000 else _("people"))
        axes.grid(axis="y", visible=False)
    labels = {"target": N_("target"), **REASONS}
    panels[0].set_yticks(
        range(len(rows)), [wrapped(_(labels[name]), 40) for name in rows], fontsize=8
    )
    panels[0].invert_yaxis()
    return figure


def unit_day(run: Run, unit: str | None = None) -> Figure:
    """Queue and service at each station of one unit through its busiest session."""
    table = run.table("unit_day")
    if unit is None:
        busiest = table.sort_values("waiting", kind="stable", ascending=False)
        unit = str(busiest["unit"].iloc[0]) if len(busiest) else next(iter(run.scenario.units))
    _check_unit(run, unit)
    here = table[table["unit"] == unit]
    heading = _("A day at {unit}").format(unit=named(run.scenario.units[unit].title or unit))
    if here.empty:
        figure = _figure(run, heading, 1.6)
        axes = figure.subplots()
        axes.set_axis_off()
        say(axes, _("no sessions"))
        return figure
    stations = list(run.scenario.units[unit].stations)
    when = _("{day}, the busiest session there (replication 0)").format(
        day=on(here["date"].iloc[0].date())
    )
    figure = _figure(run, heading, 1.1 + 1.15 * len(stations), when)
    panels: Sequence[Axes] = np.atleast_1d(figure.subplots(len(stations), 1, sharex=True)).tolist()
    for axes, station in zip(panels, stations, strict=True):
        axes.set_title(in_words(station))
        axes.set_ylabel(_("people"))
        rows = here[here["station"] == station]
        axes.fill_between(
            rows["minute"],
            rows["waiting"],
            step="post",
            color=style.WAITING,
            edgecolor=style.SOFT,
            label=_("waiting"),
            lw=0.4,
        )
        axes.step(rows["minute"], rows["in_service"], where="post", color=style.IN_SERVICE,
                  lw=1.2, label=_("being served (or seated)"))  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.margins(y=0.15)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    panels[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    panels[-1].set_xlabel(_("time of day"))
    panels[-1].xaxis.set_major_locator(MultipleLocator(60))
    panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x // 60:.0f}:00"))
    return figure


# Parts of pictures ----------------------------------------------------------------------------


def _matters(part: pd.Series, whole: pd.DataFrame) -> bool:
    """Whether it could be seen in a stack: at least a hundredth of its highest."""
    return bool(part.max() > 0.01 * whole.sum(axis=1).max())


def _figure(run: Run, title: str, height: float, subtitle: str = "") -> Figure:
    texts = (named(run.scenario.title), subtitle)
    return new_figure(title, " – ".join(text for text in texts if text), height)


def _replications(run: Run) -> str:
    return counted(run.settings.replications)


def _stack(axes: Axes, frame: pd.DataFrame, colours: Sequence[str], labels: dict[str, str]) -> None:
    """A stacked bar a day."""
    bottom = np.zeros(len(frame))
    for column, colour in zip(frame.columns, colours, strict=False):
        height = frame[column].to_numpy(dtype=np.float64)
        axes.bar(frame.index, height, width=1.0, bottom=bottom, color=colour, label=labels[column])
        bottom += height


def _number_at_bar(
    axes: Axes, row: int, start: float, width: float, whole: float, colour: str
) -> None:
    """The number of a bar: in a long one, else beside it, where there is room."""
    gap = 0.015 * whole
    if width > 0.3 * whole:
        x, side, ink = start + width / 2, "center", style.upon(colour)
    elif start + width < 0.7 * whole:
        x, side, ink = start + width + gap, "left", style.INK
    else:
        x, side, ink = start - gap, "right", style.INK
    axes.text(x, row, f"{width:,.0f}", va="center", ha=side, color=ink, fontsize=8)


def _check_unit(run: Run, unit: str) -> None:
    if unit not in run.scenario.units:
        raise RunError(
            _("there is no unit {unit!r} in this run: choose one of {units}").format(
                unit=unit, units=", ".join(run.scenario.units)
            )
        )
