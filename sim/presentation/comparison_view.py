"""Scenarios side by side: text for the terminal, data for programs, two pictures."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from sim.experiment.comparison import Comparison
from sim.experiment.coverage import SCOPES
from sim.experiment.measures import as_date, measure, on
from sim.experiment.replications import counted
from sim.experiment.statistics import quantile_band
from sim.language import N_, _, named, short_date
from sim.model.records import REASONS
from sim.presentation import style
from sim.presentation.answer_view import SHOWN, label_words
from sim.presentation.document import Code, Table, Text
from sim.presentation.figures import date_axis, deadline_line, drawing, new_figure
from sim.presentation.parameters import value_in_words
from sim.presentation.terminal import FEW, Part, amount, as_text, count, signed

_SCOPE_NAMES = {"first": N_("first dose"), "full": N_("fully vaccinated")}
_CHANGES_SHOWN = 30


# Text -----------------------------------------------------------------------------------------


def comparison_text(comparison: Comparison) -> str:
    """What changes, what comes of it, how sure that is, and why people are not vaccinated."""
    return as_text(comparison_sections(comparison))


_GAINED = {
    "first_doses_by_deadline": N_("{n} people with a first dose by the deadline"),
    "fully_vaccinated_by_deadline": N_("{n} fully vaccinated"),
}
"""What a scenario changes, in words; the first is what the comparison is about."""


def sentence(comparison: Comparison) -> str:
    """What each scenario changes in the number of people vaccinated by the deadline."""
    titles = {name: named(run.scenario.title) or name for name, run in comparison.runs.items()}
    told = []
    for name in comparison.others:
        gained = []
        for key, words in _GAINED.items():
            row = _by_measure(comparison, name)[key]
            said = _(words).format(n=signed(row["difference"], row["unit"]))
            if row["low"] < row["high"]:
                between = _cells(comparison, name, key, row)[3]
                said += " " + _("(95 % interval {between})").format(between=between)
            gained.append(said)
        told.append(
            _("{other}, against {base}: {gained}.").format(
                other=titles[name], base=titles[comparison.base], gained=", ".join(gained)
            )
        )
    return " ".join(told)


def comparison_sections(comparison: Comparison) -> list[list[Part]]:
    """The same as lines and tables."""
    seed = comparison.runs[comparison.base].settings.seed
    n = comparison.replications
    titles = [(name, named(run.scenario.title)) for name, run in comparison.runs.items()]
    sections: list[list[Part]] = [
        [
            Table("", ("", ""), titles),
            _(
                "{replications} of each with seed {seed}: the same people with the same luck in "
                "each."
            ).format(replications=counted(n), seed=seed),
        ]
    ]
    for name in comparison.others:
        sections.append(_changes(comparison, name))
        sections.append([*_differences(comparison, name), *_gain(comparison, name)])
    return [*sections, _reasons(comparison)]


def _changes(comparison: Comparison, name: str) -> list[Part]:
    changes = comparison.changes[comparison.changes["scenario"] == name]
    if changes.empty:
        same = _("{base} and {other} are the same scenario")
        return [same.format(base=comparison.base, other=name)]
    rows = [
        (Code(row["path"]), value_in_words(row["base"]), "->", value_in_words(row["value"]))
        for row in changes.head(_CHANGES_SHOWN).to_dict("records")
    ]
    more = len(changes) - len(rows)
    return [
        Table(
            _("What changes from {base} to {other}").format(base=comparison.base, other=name),
            ("", "", "", ""),
            rows,
        ),
        *([_("  and {n} more values").format(n=count(more))] if more else []),
    ]


def _differences(comparison: Comparison, name: str) -> list[Part]:
    base, rows_of = comparison.base, _by_measure(comparison, name)
    words = label_words(comparison.runs[base])
    words |= {"deadline": _("the deadline"), "end": _("the end")}
    heads = (_("difference"), _("95 % interval"), _("independent*"))
    rows: list[Sequence[Text]] = []
    alike: list[str] = []
    unreached: list[str] = []
    for heading, measures in SHOWN:
        shown: list[Sequence[Text]] = []
        labels = []
        for key, label in measures:
            if key not in rows_of:  # runs of a version that did not have it
                continue
            row, text = rows_of[key], _(label).format(**words).rstrip("*")
            if rows and row["difference"] == row["low"] == row["high"] == 0:
                labels.append(text.strip())
            elif row["unit"] == "days" and not _reached(comparison, name, key):
                unreached.append(text)
            else:
                shown.append((text, *_cells(comparison, name, key, row)))
        if not rows:
            of = [
                _n_of(comparison.successes[each], comparison.replications) for each in (base, name)
            ]
            shown.append((_("everyone is fully vaccinated"), *of, "", "", ""))
        title = _(heading).format(**words)
        alike += (
            [_('all of "{title}"').format(title=title)] if len(labels) == len(measures) else labels
        )
        rows += [[title], *shown] if shown else []
    caption = _("What comes of it: means, and the difference of {other} from {base}")
    caption = caption.format(other=name, base=base)
    out: list[Part] = [Table(caption, ("", base, name, *heads), rows, "<>>>>>")]
    for title, labels in (
        (_("Never in {base} nor in {other}").format(base=base, other=name), unreached),
        (_("The same in every replication"), alike),
    ):
        if labels:
            out += _filled(f"{title}: {'; '.join(labels)}")
    return out


def _by_measure(comparison: Comparison, name: str) -> dict[str, dict[str, Any]]:
    found = comparison.differences
    rows = found[found["scenario"] == name].to_dict("records")
    return {row["measure"]: {str(key): value for key, value in row.items()} for row in rows}


def _reached(comparison: Comparison, name: str, key: str) -> bool:
    """Whether the day comes in some replication of the base or of the other scenario."""
    tables = [comparison.measures(scenario) for scenario in (comparison.base, name)]
    return any(key in table and bool(table[key].notna().any()) for table in tables)


def _cells(
    comparison: Comparison, name: str, key: str, row: dict[str, Any]
) -> tuple[str, str, str, str, str]:
    unit = row["unit"]
    means = [
        _mean(comparison, scenario, key, row[column])
        for scenario, column in ((comparison.base, "base"), (name, "value"))
    ]
    if math.isnan(row["difference"]):
        return means[0], means[1], "–", "", ""
    if math.isnan(row["low"]):
        between = _("one replication") if row["pairs"] == 1 else ""
    elif row["low"] == row["high"]:
        between = _("the same in all")
    else:
        low, high = signed(row["low"], unit), signed(row["high"], unit)
        number, space, suffix = low.partition(" ")
        between = f"{number if high.endswith(space + suffix) else low} – {high}"
    return (
        means[0],
        means[1],
        signed(row["difference"], unit),
        between,
        _rounded(row["independent"]),
    )


def _mean(comparison: Comparison, name: str, key: str, mean: float) -> str:
    if measure(key).unit != "days":
        return "–" if math.isnan(mean) else amount(mean, measure(key).unit)
    if not math.isnan(mean):
        day = as_date(comparison.runs[name].scenario, mean)
        return short_date(day, year=True)
    values = comparison.measures(name).get(key, pd.Series(dtype="float64"))
    reached = int(values.notna().sum())
    if not reached:
        return _("not reached")
    return _("in {n_of}").format(n_of=_n_of(reached, len(values)))


def _n_of(n: int, of: int) -> str:
    return _("{n} of {of}").format(n=count(n), of=count(of))


def _rounded(number: float) -> str:
    """A number of replications with two digits, since more are not known."""
    if math.isnan(number):
        return ""
    return "∞" if math.isinf(number) else f"{float(f'{number:.2g}'):,.0f}"


def _gain(comparison: Comparison, name: str) -> list[str]:
    """What common random numbers are worth, measured on the first measure that varies."""
    n = comparison.replications
    note = _("* replications of each scenario that independent seeds need for the same precision")
    rows = _by_measure(comparison, name)
    labels = {key: label for _heading, measures in SHOWN for key, label in measures}
    finite = [key for key in labels if key in rows and math.isfinite(rows[key]["independent"])]
    if not finite:
        return [_("{note}: unknown here, since no difference varies").format(note=note)]
    key = next(iter(_GAINED)) if next(iter(_GAINED)) in finite else finite[0]
    columns = ("independent", "independent_low", "independent_high")
    middle, low, high = (_rounded(rows[key][column]) for column in columns)
    words = label_words(comparison.runs[name])
    sentence = (
        _("{note}; for {measure}, about {middle} (95 % interval {low} to {high}) instead of {n}.")
        if low
        else _("{note}; for {measure}, about {middle} instead of {n}.")
    ).format(
        note=note,
        measure=_(labels[key]).format(**words).strip(" *"),
        middle=middle,
        low=low,
        high=high,
        n=count(n),
    )
    if n < FEW:
        roughly = _("From {replications} that is known only roughly.")
        sentence += " " + roughly.format(replications=counted(n))
    return _filled(sentence)


def _filled(text: str) -> list[str]:
    """Lines of a long text; a number and its % stay together."""
    lines = fill(text.replace(" %", "\xa0%"), 98, subsequent_indent="  ")
    return lines.replace("\xa0", " ").split("\n")


def _reasons(comparison: Comparison) -> list[Part]:
    reasons = comparison.reasons
    deadlines = {on(run.scenario.campaign.deadline) for run in comparison.runs.values()}
    caption = (
        _("Who is vaccinated on {day}, and why the others are not (mean persons)")
        if len(deadlines) == 1
        else _(
            "Who is vaccinated on each one's deadline, and why the others are not (mean persons)"
        )
    )
    tables: list[Part] = []
    for scope in SCOPES:
        means = reasons[reasons["scope"] == scope].pivot_table(
            index="reason", columns="scenario", values="persons", sort=False
        )
        means = means.loc[means.max(axis=1) > 0, list(comparison.runs)]
        columns = (_(_SCOPE_NAMES[scope]), *comparison.runs)
        rows = [
            (f"  {_(REASONS[str(reason)])}", *map(count, means.loc[reason]))
            for reason in means.index
        ]
        caption = "" if tables else caption.format(day=min(deadlines))
        tables.append(Table(caption, columns, rows, "<" + ">" * len(comparison.runs)))
    return tables


# Data -----------------------------------------------------------------------------------------


def comparison_data(comparison: Comparison) -> dict[str, Any]:
    """The comparison as one JSON object; `null` where there is no value."""
    return {
        "base": comparison.base,
        "scenarios": {
            name: {
                "title": run.scenario.title,
                "run": str(run.folder),
                "scenario_sha256": run.manifest["scenario_sha256"],
                "successes": comparison.successes[name],
            }
            for name, run in comparison.runs.items()
        },
        "seed": comparison.runs[comparison.base].settings.seed,
        "replications": comparison.replications,
        "changes": _records(comparison.changes),
        "differences": _records(comparison.differences),
        "reasons": _records(comparison.reasons),
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            str(key): None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in frame.to_dict("records")
    ]


# Pictures -------------------------------------------------------------------------------------


def pictures(comparison: Comparison) -> Iterator[tuple[str, Figure]]:
    """Coverage curves over each other, and the reasons side by side."""
    with drawing():
        yield "coverage", coverage(comparison)
        yield "reasons", reasons(comparison)


def coverage(comparison: Comparison) -> Figure:
    """Share of the target vaccinated by date, a curve a scenario, with its band."""
    n = comparison.replications
    title = (
        _("Coverage of the target over time (median of {replications}, band: 5 to 95 %)")
        if n > 1
        else _("Coverage of the target over time")
    )
    figure = new_figure(title.format(replications=counted(n)), _subtitle(comparison), 3.8)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    colours = _colours(comparison)
    # Lower curves are wider, so that those that coincide are all seen
    widths = dict(zip(comparison.runs, np.linspace(3.4, 1.4, len(comparison.runs)), strict=True))
    for axes, scope in zip(panels, SCOPES, strict=True):
        curves = comparison.coverage(scope)
        for name in comparison.runs:
            here = curves[curves["scenario"] == name]
            shares = here.pivot_table(index="replication", columns="date", values="share")
            low, median, high = quantile_band(shares.to_numpy(), (0.05, 0.5, 0.95))
            axes.plot(
                shares.columns, median, color=colours[name], lw=widths[name], label=name,
                clip_on=False, zorder=3,  # upon the axis, where nobody is vaccinated
            )  # fmt: skip
            axes.fill_between(shares.columns, low, high, color=colours[name], alpha=0.3, lw=0)
        axes.set_title(_(_SCOPE_NAMES[scope]))
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1, 0, symbol=" %"))
        date_axis(axes)
        deadlines = {run.scenario.campaign.deadline for run in comparison.runs.values()}
        for day in sorted(deadlines):
            deadline_line(axes, day, label=axes is panels[0] and len(deadlines) == 1)
    panels[0].set_ylabel(_("share of the target"))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
    return figure


def reasons(comparison: Comparison) -> Figure:
    """The target by reason at the deadline: a bar a scenario, for each dose."""
    names = list(comparison.runs)
    figure = new_figure(
        _("The target at the deadline, by reason (mean of {replications})").format(
            replications=counted(comparison.replications)
        ),
        _subtitle(comparison),
        2.3 + 0.4 * len(names),
    )
    panels = figure.subplots(1, 2, sharey=True)
    table = comparison.reasons
    largest = max(run.scenario.target for run in comparison.runs.values())
    scale = 1000 if largest >= 10_000 else 1
    handles: dict[str, Any] = {}
    for axes, scope in zip(panels, SCOPES, strict=True):
        means = table[table["scope"] == scope].pivot_table(
            index="scenario", columns="reason", values="persons", sort=False
        )
        left = pd.Series(0.0, index=names)
        for reason in REASONS:
            width = means.loc[names, reason]
            if width.max() > 0:
                words = _SCOPE_NAMES[scope] if reason == "vaccinated" else REASONS[reason]
                colour = style.reason(reason, scope)
                handles[words] = axes.barh(names, width, left=left, color=colour, height=0.7)
            left += width
        axes.set_title(_(_SCOPE_NAMES[scope]))
        axes.set_xlim(0, largest * 1.02)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / scale:,.0f}"))
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(_("thousand people") if scale == 1000 else _("people"))
        axes.grid(axis="y", visible=False)
    panels[0].invert_yaxis()
    figure.legend(
        list(handles.values()), list(map(_, handles)), loc="outside lower center", ncols=2
    )
    return figure


def _subtitle(comparison: Comparison) -> str:
    titles = [named(run.scenario.title) for run in comparison.runs.values()]
    return " – ".join(title for title in titles if title)


def _colours(comparison: Comparison) -> dict[str, str]:
    return dict(zip(comparison.runs, itertools.cycle(style.SERIES), strict=False))
