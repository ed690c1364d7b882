"""A study of what matters, as text and as pictures."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from sim.experiment.measures import measure
from sim.experiment.sensitivity import DEFAULT_SAMPLES, FEW_SAMPLES, LUCK
from sim.experiment.study import Study
from sim.language import N_, _, named, ngettext
from sim.presentation import style
from sim.presentation.document import Items, Table
from sim.presentation.figures import drawing, new_figure
from sim.presentation.terminal import Part, amount

_TORNADO_SHOWN = 12
_MUCH_LUCK = 0.1
"""Of the spread within the ranges: chance that moves a measure by more is warned of."""

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
    if study.question["samples"] < FEW_SAMPLES:
        few = _(
            "With --samples {samples} the shares of the variance are guesses, and their intervals "
            "are too narrow: take {enough} or more."
        )
        sentences.append(few.format(samples=study.question["samples"], enough=DEFAULT_SAMPLES))
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
        if name != next(iter(found)):
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
                ).format(factors=_(" or ").join(map(_factor, first["rivals"])))
            )
        sentences += _of_luck(study, name)
    return "\n".join(sentences)


def _of_luck(study: Study, name: str) -> Iterator[str]:
    """What chance does to a measure, if much: measured as a factor, or the same at all points."""
    unit, spread, luck = (
        measure(name).unit,
        study.answer["spread"][name],
        study.answer["luck"][name],
    )
    if study.question.get("luck_varies"):
        found = study.table("indices")
        row = found[(found["measure"] == name) & (found["factor"] == LUCK)].iloc[0]
        yield _(
            "Deliveries are uncertain, so that luck was varied, too: alone it explains {share} of "
            "the variance of {measure} (95 % interval {interval}), which no measuring removes."
        ).format(
            share=_share(row["first"]),
            measure=_words(name),
            interval=_span(row["first_low"], row["first_high"]),
        )
    elif luck["sd"] / study.question["replications"] ** 0.5 > _MUCH_LUCK * spread["sd"] > 0:
        yield _(
            "All points have the same luck, which alone moves {measure} by {sd} (standard "
            "deviation; all ranges together: {spread}): take --replications 10 or more to average "
            "over it."
        ).format(measure=_words(name), sd=_sd(luck["sd"], unit), spread=_sd(spread["sd"], unit))


def _factor(name: str) -> str:
    """A factor as the study names it; luck and those that were followed as one, in words."""
    if name == LUCK:
        return _("luck (deliveries, people, calls)")
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
    luck_varies = question.get("luck_varies")
    simulated = _(
        "{n:,} simulations up to {day}, each with the same people and the same "
        "luck ({replications} of every point)."
    )
    base = _(
        "{measure}: {mean} in the scenario (mean of {n} replications; {base} with the luck "
        "that all points have); within the ranges {low} to {high} (nine in ten points); "
        "luck alone moves it by {sd} (standard deviation)."
    )
    if luck_varies:
        simulated = _(
            "{n:,} simulations up to {day}; luck varies from row to row of the samples, as the "
            "numbers do ({replications} of every point)."
        )
        base = _(
            "{measure}: {mean} in the scenario (mean of {n} replications); within the ranges, "
            "luck included, {low} to {high} (nine in ten points); luck alone moves it by {sd} "
            "(standard deviation)."
        )
    lines = [
        ngettext(
            "{n} number with a range: each value between its ends equally likely.",
            "{n} numbers with a range, varied together: each value between its ends "
            "equally likely, independent of the others.",
            n,
        ).format(n=n),
        simulated.format(
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
            base.format(
                measure=_words(name).capitalize(),
                mean=amount(luck["mean"], unit),
                n=luck["replications"],
                base=amount(_base(study, name), unit),
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
    known = found[(found["measure"] == name) & found["first"].notna()].to_dict("records")
    rows = [
        (
            _factor(row["factor"]),
            _share(row["first"]),
            _span(row["first_low"], row["first_high"]),
            _share(row["total"]),
            _span(row["total_low"], row["total_high"]),
        )
        for row in known
    ]
    heading = _("What explains {measure} (shares of its variance)").format(measure=_words(name))
    if not rows:
        return [heading, Items([_("nothing: see above")])]
    impossible = any(_percent(row["total"]) < _percent(row["first"]) for row in known)
    below = _(
        "In truth nothing explains less with others than alone: where it does here, both are rough "
        "estimates, as their intervals say (more --samples narrow them)."
    )
    return [Table(heading, columns, rows, "<>>>>"), *([f"  {below}"] if impossible else [])]


def _percent(share: float) -> int:
    """A share as it is shown: within what is possible, in whole percent."""
    return round(100 * min(max(share, 0.0), 1.0))


def _share(value: float) -> str:
    return f"{_percent(value)} %"


def _tornado(study: Study, name: str) -> list[Part]:
    here = _bars(study, name)
    unit = measure(name).unit
    columns = ("", _("from"), _("now"), _("to"), _("at the low end"), _("at the high end"))
    rows = []
    shown = _widest(here)
    for row in shown.to_dict("records"):
        ends = amount(row["at_low"], unit), amount(row["at_high"], unit)
        rows.append((_factor(row["factor"]), row["low"], row["value"], row["high"], *ends))
    idle = len(here) - len(rows)
    caption = _("One at a time, the others as they are: {measure} ({base} as it is)").format(
        measure=_words(name), base=amount(_base(study, name), unit)
    )
    words = _("({n} more change it less)")
    if not (here["width"].iloc[len(rows) :] > 0).any():
        words = _("({n} more do not change it)")
    more = [Items([words.format(n=idle)])] if idle else []
    return [Table(caption, columns, rows, "<>>>>>"), *more]


def _bars(study: Study, name: str) -> pd.DataFrame:
    """The tornado of a measure, the widest bar first."""
    found = study.table("tornado")
    here = found[found["measure"] == name]
    ends = here[["at_low", "at_value", "at_high"]]
    return here.assign(width=ends.max(axis=1) - ends.min(axis=1)).sort_values(
        "width", ascending=False, kind="stable"
    )


def _widest(bars: pd.DataFrame) -> pd.DataFrame:
    """Those that are shown; at least one, though it may change nothing."""
    return bars.head(max(min(int((bars["width"] > 0).sum()), _TORNADO_SHOWN), 1))


def _base(study: Study, name: str) -> float:
    """The measure in the scenario as it is, with the luck that all points have."""
    found = study.table("tornado")
    return float(found.loc[found["measure"] == name, "at_value"].iloc[0])


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
    for key, label, inside, shift in (
        ("first", N_("alone"), style.INK, 0.14),
        ("total", N_("with its interactions"), style.PAPER, -0.14),
    ):
        values = here[key].clip(0, 1)
        below = values - here[f"{key}_low"].clip(0, 1)
        above = here[f"{key}_high"].clip(0, 1) - values
        axes.errorbar(
            values, places + shift, xerr=[below.clip(lower=0), above.clip(lower=0)],
            fmt="o", ms=5, mfc=inside, capsize=3, lw=1.4, color=style.INK, label=_(label),
        )  # fmt: skip
    _named(axes, list(map(_factor, here["factor"])))
    axes.set_xlim(-0.02, 1.02)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{100 * x:.0f} %"))
    axes.legend(loc="lower right")
    return figure


def _tornado_picture(study: Study, name: str) -> Figure:
    here = _widest(_bars(study, name)).iloc[::-1]
    unit, base = measure(name).unit, _base(study, name)
    figure = new_figure(
        _("One at a time: {measure} with each number at the ends of its range").format(
            measure=_words(name)
        ),
        named(study.scenario.title), 1.7 + 0.36 * len(here),
    )  # fmt: skip
    axes = figure.subplots()
    colours = {"at_low": style.SERIES[1], "at_high": style.SERIES[0]}
    for place, row in enumerate(here.to_dict("records")):
        far, near = sorted(colours, key=lambda end: -abs(row[end] - base))
        for end in (far, near):  # the shorter bar lies upon the longer one
            axes.barh(place, row[end] - base, 0.62, left=base, color=colours[end])
        for x, text, right in _labels_of_bars(row, base, far, near):
            axes.annotate(
                text, (x, place), (4 if right else -4, 0), textcoords="offset points",
                ha="left" if right else "right", va="center", fontsize=7,
            )  # fmt: skip
    axes.axvline(base, color=style.INK, lw=1)
    _named(axes, list(map(_factor, here["factor"])))
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: amount(x, unit)))
    axes.set_xlabel(_("line: {base}, as it is").format(base=amount(base, unit)))
    handles = [
        Patch(color=colours["at_low"], label=_("low end")),
        Patch(color=colours["at_high"], label=_("high end")),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=2)
    return figure


def _labels_of_bars(
    row: Mapping[Hashable, Any], base: float, far: str, near: str
) -> Iterator[tuple[float, str, bool]]:
    """Where the values of a factor are written at its bars, and whether to the right of there.

    Where both bars go to one side, that of the shorter is written on the other side of the line.
    """
    texts = {"at_low": str(row["low"]), "at_high": str(row["high"])}
    right = row[far] > base
    if row[near] == row[far]:
        yield row[far], f"{texts['at_low']}, {texts['at_high']}", right
        return
    yield row[far], texts[far], right
    if row[near] != base:
        one_side = (row[near] > base) == right
        yield base if one_side else row[near], texts[near], not right


def _named(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.grid(visible=False, axis="y")
