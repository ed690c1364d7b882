"""A study of what matters, as text and as pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from sim.experiment.measures import measure
from sim.experiment.study import Study
from sim.language import N_, _, named
from sim.presentation import style
from sim.presentation.document import Items, Table
from sim.presentation.figures import drawing, new_figure
from sim.presentation.terminal import Part, amount

_TORNADO_SHOWN = 12

WORDS = {
    "first_dose_coverage_by_deadline": N_("first-dose coverage by the deadline"),
    "full_coverage_by_deadline": N_("full coverage by the deadline"),
    "attempts_per_booking": N_("calls per booking by telephone"),
}
"""Measures in words; others go by their names."""


def sections(study: Study) -> list[list[Part]]:
    """What to measure first, then how each measure depends on what."""
    told: list[list[Part]] = [[_sentence(study)], [*_how(study)]]
    for name in study.question["measures"]:
        told += [_indices(study, name), _tornado(study, name)]
    return told


def _words(name: str) -> str:
    return _(WORDS[name]) if name in WORDS else name


def _sentence(study: Study) -> str:
    found = study.answer["measure_first"]
    sentences = []
    for name, first in found.items():
        if first is None:
            spread = study.answer["spread"][name]
            why = (
                _("it has no value at {n:,} of {points:,} points").format(
                    n=spread["undefined"], points=spread["points"]
                )
                if spread["undefined"]
                else _("none of the ranges changes it")
            )
            sentences.append(
                _("For {measure} nothing can be said: {why}.").format(measure=_words(name), why=why)
            )
            continue
        factor, whole = first["factor"], _words(name)
        explains = _(
            "Measure {factor} first: alone it explains {share} of the variance of {measure} (95 % "
            "interval {interval})."
        )
        if sentences:
            explains = _(
                "For {measure} it is {factor}: alone it explains {share} of the variance of "
                "{measure} (95 % interval {interval})."
            )
        sentences.append(
            explains.format(
                factor=factor,
                measure=whole,
                share=_share(first["first"]),
                interval=_span(first["first_low"], first["first_high"]),
            )
        )
        if first["rivals"]:
            sentences.append(
                _(
                    "Not for sure: {factors} may explain more (more --samples tell them apart)."
                ).format(factors=_(" or ").join(first["rivals"]))
            )
    return "\n".join(sentences)


def _factor(name: str) -> str:
    """A factor as the study names it; those that were followed as one, in words."""
    others = re.fullmatch(r"the other (\d+) together", name)
    return _("the other {n} together").format(n=others[1]) if others else name


def _span(low: float, high: float) -> str:
    """An interval of a share of the variance; an estimate may leave what is possible."""
    low, high = (100 * min(max(end, 0.0), 1.0) for end in (low, high))
    return f"{low:.0f} – {high:.0f} %"


def _how(study: Study) -> list[str]:
    question, answer = study.question, study.answer
    n, rows = len(question["ranges"]), question["samples"]
    followed = len(answer["followed"])
    lines = [
        _(
            "{n} numbers with a range, varied together: each value between its ends "
            "equally likely, independent of the others."
        ).format(n=n),
        _(
            "{n:,} simulations up to {day}, each with the same people and the same "
            "luck ({replications} of every point)."
        ).format(
            n=answer["simulated"],
            day=study.manifest["until"],
            replications=question["replications"],
        ),
    ]
    if followed < n:
        lines.append(
            _(
                "A screening of all {n} found {followed} worth following through {rows} "
                "rows; the other {others} were varied together, as one."
            ).format(n=n, followed=followed, rows=rows, others=n - followed)
        )
    for name, spread in answer["spread"].items():
        unit, luck = measure(name).unit, answer["luck"][name]
        lines.append(
            _(
                "{measure}: {mean} in the scenario; within the ranges {low} to {high} "
                "(nine in ten points); luck alone moves it by {sd} (standard deviation)."
            ).format(
                measure=_words(name).capitalize(),
                mean=amount(luck["mean"], unit),
                low=amount(spread["low"], unit),
                high=amount(spread["high"], unit),
                sd=_sd(luck["sd"], unit),
            )
        )
    return lines


def _sd(value: float, unit: str) -> str:
    return (
        _("{number} pp").format(number=f"{100 * value:.2g}") if unit == "share" else f"{value:.2g}"
    )


def _indices(study: Study, name: str) -> list[Part]:
    found = study.table("indices")
    columns = ("", _("alone"), _("95 % interval"), _("with others"), _("95 % interval"))
    rows = []
    for row in found[found["measure"] == name].to_dict("records"):
        if np.isnan(row["first"]):
            continue
        rows.append(
            (
                _factor(row["factor"]),
                _share(row["first"]),
                _span(row["first_low"], row["first_high"]),
                _share(row["total"]),
                _span(row["total_low"], row["total_high"]),
            )
        )
    heading = _("What explains {measure} (shares of its variance)").format(measure=_words(name))
    if not rows:
        return [heading, Items([_("nothing: see above")])]
    return [Table(heading, columns, rows, "<>>>>")]


def _share(value: float) -> str:
    return f"{100 * min(max(value, 0.0), 1.0):.0f} %"


def _tornado(study: Study, name: str) -> list[Part]:
    here = _bars(study, name)
    unit = measure(name).unit
    columns = ("", _("from"), _("now"), _("to"), _("at the low end"), _("at the high end"))
    rows = []
    for row in here.head(_TORNADO_SHOWN).to_dict("records"):
        ends = amount(row["at_low"], unit), amount(row["at_high"], unit)
        rows.append((_factor(row["factor"]), row["low"], row["value"], row["high"], *ends))
    idle = len(here) - len(rows)
    caption = _("One at a time, the others as they are: {measure}").format(measure=_words(name))
    more = [Items([_("({n} more change it less)").format(n=idle)])] if idle else []
    return [Table(caption, columns, rows, "<>>>>>"), *more]


def _bars(study: Study, name: str) -> pd.DataFrame:
    """The tornado of a measure, the widest bar first."""
    found = study.table("tornado")
    here = found[found["measure"] == name]
    ends = here[["at_low", "at_value", "at_high"]]
    return here.assign(width=ends.max(axis=1) - ends.min(axis=1)).sort_values(
        "width", ascending=False, kind="stable"
    )


# Pictures -------------------------------------------------------------------------------------


def pictures(study: Study) -> Iterator[tuple[str, Figure]]:
    """For each measure: the indices with their intervals, and the tornado."""
    with drawing():
        for name in study.question["measures"]:
            yield f"indices_{name}", _index_picture(study, name)
            yield f"tornado_{name}", _tornado_picture(study, name)


def _index_picture(study: Study, name: str) -> Figure:
    found = study.table("indices")
    here = found[found["measure"] == name].iloc[::-1]
    figure = new_figure(
        _("What explains {measure}: shares of its variance, with 95 % intervals").format(
            measure=_words(name)
        ),
        named(study.scenario.title), 1.4 + 0.42 * len(here),
    )  # fmt: skip
    axes = figure.subplots()
    places = np.arange(len(here))
    for key, label, colour, shift in (
        ("first", N_("alone"), style.BLUE, 0.14),
        ("total", N_("with its interactions"), style.ORANGE, -0.14),
    ):
        values = here[key].clip(0, 1)
        below = values - here[f"{key}_low"].clip(0, 1)
        above = here[f"{key}_high"].clip(0, 1) - values
        axes.errorbar(
            values, places + shift, xerr=[below.clip(lower=0), above.clip(lower=0)],
            fmt="o", ms=5, capsize=3, lw=1.4, color=colour, label=_(label),
        )  # fmt: skip
    _named(axes, list(map(_factor, here["factor"])))
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:.0f} %"))
    axes.legend(loc="lower right")
    return figure


def _tornado_picture(study: Study, name: str) -> Figure:
    here = _bars(study, name).head(_TORNADO_SHOWN).iloc[::-1]
    figure = new_figure(
        _("One at a time: {measure} with each number at the ends of its range").format(
            measure=_words(name)
        ),
        named(study.scenario.title), 1.3 + 0.36 * len(here),
    )  # fmt: skip
    axes = figure.subplots()
    unit = measure(name).unit
    base = float(here["at_value"].iloc[0])
    places = np.arange(len(here))
    for key, end, colour, label in (
        ("at_low", "low", style.SKY_BLUE, _("low end")),
        ("at_high", "high", style.BLUE, _("high end")),
    ):
        axes.barh(places, here[key] - base, 0.62, left=base, color=colour, label=label)
        for place, row in zip(places, here.to_dict("records"), strict=True):
            if row[key] != base:
                inside = 4 if row[key] > base else -4
                axes.annotate(
                    str(row[end]), (row[key], place), (inside, 0), textcoords="offset points",
                    ha="left" if inside > 0 else "right", va="center", fontsize=7,
                )  # fmt: skip
    axes.axvline(base, color=style.BLACK, lw=1)
    _named(axes, list(map(_factor, here["factor"])))
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: amount(x, unit)))
    axes.legend(loc="lower right")
    return figure


def _named(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(visible=False, axis="y")
