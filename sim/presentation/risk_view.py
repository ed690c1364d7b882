"""The risk of deliveries, as text and as pictures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sim.experiment.goals import Goal, read_goal
from sim.experiment.measures import on
from sim.experiment.replications import counted
from sim.experiment.risk import LEAST_OF_EACH, Ints
from sim.experiment.study import Study
from sim.language import _, named, short_date
from sim.presentation import style
from sim.presentation.document import Table
from sim.presentation.figures import date_axis, deadline_line, drawing, new_figure, thousands, x_of
from sim.presentation.goal_words import reached, statement, thing
from sim.presentation.terminal import Part, count, percent

_MET, _LOST = style.REACHED, style.FAILED


def sections(study: Study) -> list[list[Part]]:
    """How likely the goal is, by when it is met, and the warnings."""
    return [[_sentence(study)], _days(study), _warnings(study)]


def _goal(study: Study) -> Goal:
    return read_goal(study.question["reach"], study.scenario)


def _sentence(study: Study) -> str:
    """How likely the goal is, how far it is missed, what punctual deliveries change, a warning."""
    answer, goal = study.answer, _goal(study)
    chance, n = answer["probability"], answer["replications"]
    sentences = [
        _(
            "{goal} with a probability of {mean} (95 % interval {low} to {high}: in {times})."
        ).format(
            goal=statement(goal),
            times=counted(answer["met"], n),
            **{key: percent(chance[key]) for key in ("mean", "low", "high")},
        )
    ]
    if answer["met"] < n:
        sentences.append(_how_far(study))
    if not answer["deliveries_vary"]:
        sentences.append(
            _(
                "No delivery of this scenario is uncertain: chance here is that of people, calls "
                "and units alone, and deliveries give no warning. Uncertain ones have delay_days "
                "or fraction_delivered with a distribution."
            )
        )
        return " ".join(sentences)
    on_time = answer["on_time"]
    if answer["met"] < n:
        sentences.append(
            _(
                "If every delivery came on its day and in full, that would be so in {times}, with "
                "{mean} on average."
            ).format(
                times=counted(on_time["met"], on_time["replications"]),
                mean=_value(on_time["mean"], goal),
            )
        )
    sentences.append(
        _no_warning(answer) if answer["warning"] is None else _warning(answer["warning"])
    )
    return " ".join(sentences)


def _value(value: float | None, goal: Goal) -> str:
    return "–" if value is None else reached(value, goal)


def _how_far(study: Study) -> str:
    """What is reached, and how much that is short of the goal."""
    goal, found = _goal(study), study.answer["reaches"]
    best = found["greatest"] if goal.comparison == ">=" else found["least"]
    text = _("{mean} is reached on average (95 % interval {low} to {high}), {best} at best.")
    if study.answer["met"] == 0 and goal.scope is not None:
        text = _(
            "{mean} is reached on average (95 % interval {low} to {high}), {best} at best: that is "
            "short of the goal by {people} people on average."
        )
    campaign, scenario = study.scenario.campaign, study.scenario
    whole = campaign.population if goal.of_population else scenario.target
    return text.format(
        **{key: _value(found[key], goal) for key in ("mean", "low", "high")},
        best=_value(best, goal),
        people=count((goal.amount - (found["mean"] or 0.0)) * whole),
    )


def _no_warning(answer: dict[str, Any]) -> str:
    met, lost = answer["met"], answer["replications"] - answer["met"]
    if min(met, lost) >= 3 * LEAST_OF_EACH:
        return _("No early warning can be found: deliveries do not tell lost from met.")
    text = _(
        "No early warning can be found: the goal is met in too few replications ({n} in all; "
        "{needed} are needed in the first half)."
    )
    if lost < met:
        text = _(
            "No early warning can be found: the goal is lost in too few replications ({n} in all; "
            "{needed} are needed in the first half)."
        )
    return text.format(n=min(met, lost), needed=LEAST_OF_EACH)


def _warning(found: dict[str, Any]) -> str:
    day = on(date.fromisoformat(found["date"]))
    if found["p_lost_below"] is None:
        return _(
            "Early warning: fewer than {n:,} doses by {day}; but it never came in "
            "the replications that were to confirm it."
        ).format(n=found["fewer_than"], day=day)
    return _(
        "Early warning: if fewer than {n:,} doses have arrived by {day}, the "
        "goal is lost with a probability of {lost_below} ({lost_below_low} to "
        "{lost_below_high}); otherwise of {lost_above} ({lost_above_low} to "
        "{lost_above_high})."
    ).format(
        n=found["fewer_than"],
        day=day,
        lost_below=percent(found["p_lost_below"]),
        lost_below_low=percent(found["p_lost_below_low"]),
        lost_below_high=percent(found["p_lost_below_high"]),
        lost_above=percent(found["p_lost_above"]),
        lost_above_low=percent(found["p_lost_above_low"]),
        lost_above_high=percent(found["p_lost_above_high"]),
    )


def _days(study: Study) -> list[Part]:
    found = study.table("days")
    if not len(found):
        return []
    end = study.scenario.campaign.horizon
    if not _ever_met(study):
        return [_("It is not met by {day}, the horizon, either.").format(day=on(end))]
    rows = []
    for row in found.to_dict("records"):
        low = _on(row["low"], end) if row["low_known"] else "–"
        high = _on(row["high"], end) if row["high_known"] else _("too few replications to say")
        limits = _("the same") if low == high else f"{low} – {high}"
        rows.append((percent(row["probability"]).replace(".0", ""), _on(row["day"], end), limits))
    columns = (_("probability"), _("met by"), _("95 % interval"))
    return [Table(_("By when the goal is met"), columns, rows)]


def _ever_met(study: Study) -> bool:
    """Whether a coverage is met within the horizon in any replication."""
    return bool(study.table("replications")["reached_on"].notna().any())


def _on(day: Any, end: date) -> str:
    return (
        _("not within the horizon ({day})").format(day=on(end)) if pd.isna(day) else on(day.date())
    )


def _warnings(study: Study) -> list[Part]:
    found = study.table("warnings")
    if not len(found):
        return []
    chosen = study.answer["warning"]["date"]
    columns = ("", _("by"), _("fewer than"), _("lost if fewer"), _("95 % interval"),
               _("lost if not"), _("warns of lost"), _("silent when met"))  # fmt: skip
    rows = []
    for row in found.to_dict("records"):
        day = row["date"].date()
        rows.append(
            (
                "*" if day.isoformat() == chosen else "",
                on(day),
                f"{row['fewer_than']:,}",
                _("{times} of {n}").format(times=row["lost_below"], n=row["below"]),
                _between(row["p_lost_below_low"], row["p_lost_below_high"]),
                _("{times} of {n}").format(times=row["lost_above"], n=row["above"]),
                _percent(row["sensitivity"]),
                _percent(row["specificity"]),
            )
        )
    n = study.answer["replications"]
    return [
        Table(
            _("Warnings: doses that have arrived by the evening of a date"),
            columns,
            rows,
            "<<>>>>>>",
        ),
        "* "
        + _(
            "the earliest that tells nearly as well as the best. Thresholds are "
            "from the first {n:,} replications, all counts from the other {others:,}."
        ).format(n=n // 2, others=n - n // 2),
    ]


def _between(low: float, high: float) -> str:
    return "–" if pd.isna(low) else f"{100 * low:.0f} – {100 * high:.0f} %"


def _percent(value: float) -> str:
    return "–" if pd.isna(value) else f"{100 * value:.0f} %"


# Pictures -------------------------------------------------------------------------------------


def pictures(study: Study) -> Iterator[tuple[str, Figure]]:
    """Doses arrived by date, met and lost apart; and by when the goal is met."""
    with drawing():
        yield "doses_arrived", _doses_picture(study)
        if _ever_met(study):
            yield "goal_day", _day_picture(study)


def _doses_picture(study: Study) -> Figure:
    """Where the goal is met, and beside it where it is lost: one upon the other, colours mix."""
    goal, warning = _goal(study), study.answer["warning"]
    figure = new_figure(
        _("Doses that have arrived. Met or lost: {goal}").format(goal=thing(goal)),
        named(study.scenario.title),
        4.2,
    )
    met = study.table("replications")["met"].to_numpy()
    outcomes = [(_("met"), _MET, np.flatnonzero(met)), (_("lost"), _LOST, np.flatnonzero(~met))]
    shown = [outcome for outcome in outcomes if len(outcome[2])]
    panels = np.atleast_1d(figure.subplots(1, len(shown), sharex=True, sharey=True)).tolist()
    for axes, (name, colour, numbers) in zip(panels, shown, strict=True):
        _arrived(axes, study, numbers, colour)
        axes.set_title(f"{name}: {counted(len(numbers), len(met))}", color=style.INK, pad=16)
        if warning is not None:
            _warnings_line(axes, study, said=axes is panels[-1])
        _goal_line(axes, goal)
        axes.yaxis.set_major_formatter(thousands)
        date_axis(axes)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel(_("doses"))
    if warning is not None:
        line = Line2D(
            [], [], color=style.INK, ls="--", marker=".", label=_("warning: below the line")
        )
        figure.legend(handles=[line], loc="outside lower left")
    return figure


def _arrived(axes: Axes, study: Study, numbers: Ints, colour: str) -> None:
    """Doses that have arrived by date in some replications."""
    begin = study.scenario.campaign.first_day
    end = min(_goal(study).by + timedelta(days=7), study.scenario.campaign.horizon)
    arrivals = study.table("arrivals").sort_values("day", kind="stable")
    alpha = min(1.0, 12 / len(numbers) ** 0.75)
    for number in numbers:
        here = arrivals[arrivals["replication"] == number]
        days = [begin, *(day.date() for day in here["date"]), end]
        doses = np.concatenate([[0], here["doses"].cumsum().to_numpy()])
        within = [i for i, day in enumerate(days[:-1]) if day <= end]
        axes.step(
            [*(x_of(days[i]) for i in within), x_of(end)],
            [*(doses[i] for i in within), doses[within[-1]]],
            where="post", color=colour, lw=0.9, alpha=alpha,
        )  # fmt: skip
    axes.set_xlim(x_of(begin), x_of(end))


def _warnings_line(axes: Axes, study: Study, said: bool) -> None:
    """The thresholds by date, and the one that is recommended; perhaps said in words."""
    found, warning = study.table("warnings"), study.answer["warning"]
    places = [x_of(day.date()) for day in found["date"]]
    axes.plot(places, found["fewer_than"], "--", color=style.INK, lw=1, marker=".", ms=5)
    day = date.fromisoformat(warning["date"])
    axes.plot(x_of(day), warning["fewer_than"], "o", color=style.INK, ms=7, mfc="none", mew=1.6)
    if said:
        axes.annotate(
            _("fewer than {n:,}\nby {day}").format(n=warning["fewer_than"], day=short_date(day)),
            (x_of(day), warning["fewer_than"]), (-10, 26), textcoords="offset points",
            ha="right", fontsize=8, bbox={"fc": style.PAPER, "ec": "none", "alpha": 0.8, "pad": 1},
        )  # fmt: skip


def _goal_line(axes: Axes, goal: Goal) -> None:
    deadline_line(axes, goal.by, label=False)
    axes.text(
        x_of(goal.by), 1.01, short_date(goal.by), color=style.DEADLINE, ha="center",
        transform=axes.get_xaxis_transform(), fontsize=8,
    )  # fmt: skip


def _day_picture(study: Study) -> Figure:
    goal, scenario = _goal(study), study.scenario
    figure = new_figure(
        _("By when? {goal}").format(goal=statement(goal)), named(scenario.title), 3.6
    )
    axes = figure.subplots()
    reached = study.table("replications")["reached_on"]
    days = pd.date_range(scenario.campaign.first_day, scenario.campaign.horizon)
    known = np.sort(reached.dropna().to_numpy(dtype="datetime64[ns]"))
    shares = np.searchsorted(known, days.to_numpy(dtype="datetime64[ns]"), "right") / len(reached)
    places = [x_of(day.date()) for day in days]
    axes.step(places, shares, where="post", color=_MET)
    quantiles = study.table("days")
    for row in quantiles.to_dict("records"):
        if not pd.isna(row["day"]):
            x = x_of(row["day"].date())
            ends = [row[end] if row[f"{end}_known"] else row["day"] for end in ("low", "high")]
            low, high = (
                x_of(scenario.campaign.horizon if pd.isna(end) else end.date()) for end in ends
            )
            axes.errorbar(
                x, row["probability"], xerr=[[x - low], [high - x]], fmt="o", ms=5, capsize=3,
                color=style.INK, lw=1.2,
            )  # fmt: skip
    _goal_line(axes, goal)
    axes.set_ylim(0, 1.02)
    axes.set_xlim(places[0], places[-1])
    axes.set_ylabel(_("probability that it is met by then"))
    date_axis(axes)
    return figure
