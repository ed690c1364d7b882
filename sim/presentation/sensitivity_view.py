"""A study of what matters, as text and as pictures."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from sim.experiment.measures import measure
from sim.experiment.study import Study
from sim.presentation import style
from sim.presentation.figures import new_figure
from sim.presentation.terminal import amount, table

_TORNADO_SHOWN = 12

WORDS = {
    "first_dose_coverage_by_deadline": "first-dose coverage by the deadline",
    "full_coverage_by_deadline": "full coverage by the deadline",
    "attempts_per_booking": "calls per booking by telephone",
}
"""Measures in words; others go by their names."""


def text(study: Study) -> str:
    """What to measure first, then how each measure depends on what."""
    sections = [[_sentence(study)], _how(study)]
    for name in study.question["measures"]:
        sections += [_indices(study, name), _tornado(study, name)]
    return "\n\n".join("\n".join(section) for section in sections)


def _words(name: str) -> str:
    return WORDS.get(name, name)


def _sentence(study: Study) -> str:
    found = study.answer["measure_first"]
    sentences = []
    for name, first in found.items():
        if first is None:
            spread = study.answer["spread"][name]
            why = (
                f"it has no value at {spread['undefined']:,} of {spread['points']:,} points"
                if spread["undefined"]
                else "none of the ranges changes it"
            )
            sentences.append(f"For {_words(name)} nothing can be said: {why}.")
            continue
        factor, whole = first["factor"], _words(name)
        begin = f"For {whole} it is {factor}" if sentences else f"Measure {factor} first"
        sentences.append(
            f"{begin}: alone it explains {_share(first['first'])} of the variance of {whole} "
            f"(95 % interval {_span(first['first_low'], first['first_high'])})."
        )
        if first["rivals"]:
            sentences.append(
                f"Not for sure: {' or '.join(first['rivals'])} may explain more "
                "(more --samples tell them apart)."
            )
    return "\n".join(sentences)


def _span(low: float, high: float) -> str:
    """An interval of a share of the variance; an estimate may leave what is possible."""
    low, high = (100 * min(max(end, 0.0), 1.0) for end in (low, high))
    return f"{low:.0f} – {high:.0f} %"


def _how(study: Study) -> list[str]:
    question, answer = study.question, study.answer
    n, rows = len(question["ranges"]), question["samples"]
    followed = len(answer["followed"])
    lines = [
        f"{n} numbers with a range, varied together: each value between its ends equally likely, "
        "independent of the others.",
        f"{answer['simulated']:,} simulations up to {study.manifest['until']}, each with the same "
        f"people and the same luck ({question['replications']} of every point).",
    ]
    if followed < n:
        lines.append(
            f"A screening of all {n} found {followed} worth following through {rows} rows; the "
            f"other {n - followed} were varied together, as one."
        )
    for name, spread in answer["spread"].items():
        unit, luck = measure(name).unit, answer["luck"][name]
        lines.append(
            f"{_words(name).capitalize()}: {amount(luck['mean'], unit)} in the scenario; within "
            f"the ranges {amount(spread['low'], unit)} to {amount(spread['high'], unit)} (nine in "
            f"ten points); luck alone moves it by {_sd(luck['sd'], unit)} (standard deviation)."
        )
    return lines


def _sd(value: float, unit: str) -> str:
    return f"{100 * value:.2g} pp" if unit == "share" else f"{value:.2g}"


def _indices(study: Study, name: str) -> list[str]:
    found = study.table("indices")
    rows = [("", "alone", "95 % interval", "with others", "95 % interval")]
    for row in found[found["measure"] == name].to_dict("records"):
        if np.isnan(row["first"]):
            continue
        rows.append(
            (
                str(row["factor"]),
                _share(row["first"]),
                _span(row["first_low"], row["first_high"]),
                _share(row["total"]),
                _span(row["total_low"], row["total_high"]),
            )
        )
    heading = f"What explains {_words(name)} (shares of its variance)"
    return [heading, *(table(rows, "<>>>>") if rows[1:] else ["  nothing: see above"])]


def _share(value: float) -> str:
    return f"{100 * min(max(value, 0.0), 1.0):.0f} %"


def _tornado(study: Study, name: str) -> list[str]:
    here = _bars(study, name)
    unit = measure(name).unit
    rows = [("", "from", "now", "to", "at the low end", "at the high end")]
    for row in here.head(_TORNADO_SHOWN).to_dict("records"):
        ends = amount(row["at_low"], unit), amount(row["at_high"], unit)
        rows.append((str(row["factor"]), row["low"], row["value"], row["high"], *ends))
    idle = len(here) - (len(rows) - 1)
    lines = [f"One at a time, the others as they are: {_words(name)}", *table(rows, "<>>>>>")]
    return [*lines, f"  ({idle} more change it less)"] if idle else lines


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
    with mpl.rc_context(style.SETTINGS):
        for name in study.question["measures"]:
            yield f"indices_{name}", _index_picture(study, name)
            yield f"tornado_{name}", _tornado_picture(study, name)


def _index_picture(study: Study, name: str) -> Figure:
    found = study.table("indices")
    here = found[found["measure"] == name].iloc[::-1]
    figure = new_figure(
        f"What explains {_words(name)}: shares of its variance, with 95 % intervals",
        study.scenario.title, 1.4 + 0.42 * len(here),
    )  # fmt: skip
    axes = figure.subplots()
    places = np.arange(len(here))
    for key, label, colour, shift in (
        ("first", "alone", style.BLUE, 0.14),
        ("total", "with its interactions", style.ORANGE, -0.14),
    ):
        values = here[key].clip(0, 1)
        below = values - here[f"{key}_low"].clip(0, 1)
        above = here[f"{key}_high"].clip(0, 1) - values
        axes.errorbar(
            values, places + shift, xerr=[below.clip(lower=0), above.clip(lower=0)],
            fmt="o", ms=5, capsize=3, lw=1.4, color=colour, label=label,
        )  # fmt: skip
    _named(axes, list(here["factor"]))
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:.0f} %"))
    axes.legend(loc="lower right")
    return figure


def _tornado_picture(study: Study, name: str) -> Figure:
    here = _bars(study, name).head(_TORNADO_SHOWN).iloc[::-1]
    figure = new_figure(
        f"One at a time: {_words(name)} with each number at the ends of its range",
        study.scenario.title, 1.3 + 0.36 * len(here),
    )  # fmt: skip
    axes = figure.subplots()
    unit = measure(name).unit
    base = float(here["at_value"].iloc[0])
    places = np.arange(len(here))
    for key, end, colour in (("at_low", "low", style.SKY_BLUE), ("at_high", "high", style.BLUE)):
        axes.barh(places, here[key] - base, 0.62, left=base, color=colour, label=f"{end} end")
        for place, row in zip(places, here.to_dict("records"), strict=True):
            if row[key] != base:
                inside = 4 if row[key] > base else -4
                axes.annotate(
                    str(row[end]), (row[key], place), (inside, 0), textcoords="offset points",
                    ha="left" if inside > 0 else "right", va="center", fontsize=7,
                )  # fmt: skip
    axes.axvline(base, color=style.BLACK, lw=1)
    _named(axes, list(here["factor"]))
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: amount(x, unit)))
    axes.legend(loc="lower right")
    return figure


def _named(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(visible=False, axis="y")
