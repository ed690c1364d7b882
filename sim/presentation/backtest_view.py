"""A backtest, as text and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.experiment.measures import on
from sim.experiment.observed import Fall
from sim.experiment.study import Study
from sim.language import N_, _, long_date, named, short_date
from sim.presentation import style
from sim.presentation.document import Table
from sim.presentation.figures import date_axis, drawing, new_figure, thousands, x_of
from sim.presentation.terminal import Part, percent
from sim.scenario_files import source_in_words

_NAMES = {"model": N_("model"), "last_week": N_("last week's rate"), "line": N_("straight line")}
_DOSES = {"first": N_("first doses"), "second": N_("second doses")}


def sections(study: Study) -> list[list[Part]]:
    """Verdict, why it may be so, fit, forecast, errors by week, what was supposed."""
    return [
        [_verdict(study)],
        [*_why(study), *map(remark_in_words, study.answer["remarks"])],
        [_fit(study), *_weights(study)],
        [_forecast(study)],
        _errors(study),
        [*map(remark_in_words, study.answer["supposed"])],
    ]


def _verdict(study: Study) -> str:
    curves = study.answer["curves"]
    said = {
        (True, True): _(
            "The model predicts first and second doses better than both naive forecasts."
        ),
        (True, False): _(
            "The model predicts first doses better than both naive forecasts, but not second doses."
        ),
        (False, True): _(
            "The model predicts second doses better than both naive forecasts, but not first doses."
        ),
        (False, False): _("The model does not predict better than both naive forecasts."),
    }
    beaten = curves["first"]["beats_both"], curves["second"]["beats_both"]
    errors = [
        _(
            "Mean absolute error, {doses}: {model}; last week's rate {last_week}, straight line "
            "{line}."
        ).format(
            doses=_(_DOSES[curve]),
            **{name: _count(error) for name, error in found["mean_absolute_error"].items()},
        )
        for curve, found in curves.items()
    ]
    inside = _(
        "Observed days inside the {level} % band: {first} of {days} (first doses), {second} of "
        "{days} (second doses)."
    ).format(
        level=f"{100 * study.answer['level']:.0f}",
        days=study.answer["observed_days"],
        **{curve: found["inside_band"] for curve, found in curves.items()},
    )
    return " ".join([said[beaten], *errors, inside])


def _why(study: Study) -> list[str]:
    """Where a naive forecast was nearer: what changed, and which doses the model was given."""
    answer = study.answer
    lost = [curve for curve, found in answer["curves"].items() if not found["beats_both"]]
    if not lost or "doses_a_day" not in answer:
        return []
    words = [
        _(
            "{doses} a day: {fitted_days} in the fitted days, {predicted_days} in the predicted "
            "ones, where the model has {model}."
        ).format(
            doses=_(_DOSES[curve]).capitalize(),
            **{name: _count(number) for name, number in answer["doses_a_day"][curve].items()},
        )
        for curve in lost
    ]
    of_file = study.question["deliveries"] == "observed"
    words.append(
        _("Deliveries are not predicted: the file's were taken.")
        if of_file
        else _(
            "Deliveries are not predicted: they are the scenario's. If others came, change them "
            "(--set deliveries.NAME.doses=...), or take the file's, if it has them (--deliveries "
            "observed)."
        )
    )
    for vaccine, found in answer["doses_come"].items():
        if found["model"] == 0 and not found["allocated"]:
            continue
        said = _("{vaccine}: {model} doses come in the model").format(
            vaccine=vaccine, model=_count(found["model"])
        )
        if found["allocated"] is not None:
            said += _(", {allocated} were allocated by the file ({first} to {last})").format(
                allocated=_count(found["allocated"]),
                first=on(date.fromisoformat(found["allocated_from"])),
                last=on(date.fromisoformat(found["allocated_to"])),
            )
        words.append(f"{said}.")
    return words


def remark_in_words(remark: Mapping[str, Any]) -> str:
    """One of the answer's `remarks`, or of what was `supposed`, in the language spoken."""
    match remark["what"]:
        case "correction":
            fall = Fall(
                remark["column"],
                remark["before"],
                date.fromisoformat(remark["day_before"]),
                remark["number"],
                date.fromisoformat(remark["day"]),
            )
            return _("A correction, used as reported: {said}.").format(said=fall.words(long_date))
        case "vaccine_not_in_scenario":
            return _(
                "allocated_{vaccine}_cum is of no vaccine of the scenario: not looked at."
            ).format(vaccine=remark["vaccine"])
        case "deliveries_announced":
            return _(
                "Known ahead by the scenario, not predicted: {vaccine}, {doses} doses before the "
                "fit. Whence: {sources}."
            ).format(
                vaccine=remark["vaccine"],
                doses=_count(remark["doses"]),
                sources="; ".join(map(source_in_words, remark["sources"])) or "–",
            )
        case "regimen_not_known":
            return _(
                "The regimen {name} begins on {day}, after the fitted days: not supposed to be "
                "known, what was given before it goes on."
            ).format(name=remark["regimen"], day=_long(remark["from"]))
        case "deliveries_of_file":
            return _(
                "Deliveries from the first allocation in the file on are the file's, also in the "
                "predicted days."
            )
        case "deliveries_continued":
            return _(
                "The scenario has no {vaccine} after {day}: {weekly:,.0f} doses a week are "
                "supposed ({whence}; fitted where the scenario's are)."
            ).format(
                vaccine=remark["vaccine"],
                day=_long(remark["after"]),
                weekly=remark["doses_a_week"],
                whence=_whence(remark["as_allocated"]),
            )
        case "drawn_from_range":
            return _(
                "{name} changes nothing in the fitted days: it is drawn from its range, {low} to "
                "{high}."
            ).format(
                name=remark["name"],
                low=f"{'× ' if remark['relative'] else ''}{remark['low']:,g}",
                high=f"{remark['high']:,g}",
            )
        case "best_at_end_of_range":
            return _(
                "{name} fits best at an end of its range, {low:,g} to {high:,g}: a wider one may "
                "fit better (--fit '{name}=LOW:HIGH'), or something that is not fitted, such as "
                "deliveries, was other than in the scenario."
            ).format(name=remark["name"], low=remark["low"], high=remark["high"])
        case "file_ends":
            return _(
                "{file} ends on {last}: the days after it are predicted, and not judged."
            ).format(file=remark["file"], last=_long(remark["last"]))
    raise KeyError(remark["what"])


def _whence(allocated: Mapping[str, str] | None) -> str:
    """Where the rate of deliveries is from that goes on."""
    if allocated is None:
        return _("the scenario's of the four weeks before")
    return _("as allocated from {first} to {last}").format(
        first=_long(allocated["from"]), last=_long(allocated["to"])
    )


def _long(day: str) -> str:
    return long_date(date.fromisoformat(day))


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _signed(number: float) -> str:
    return f"{number:+,.0f}"


def _window(study: Study, name: str) -> str:
    first, last = (date.fromisoformat(day) for day in study.question[name].split(":"))
    return _("{first} to {last}").format(first=on(first), last=on(last))


def _fit(study: Study) -> Table:
    answer = study.answer
    rows = []
    for name, found in answer["fitted"].items():
        times = "× " if found["relative"] else ""
        rows.append(
            (
                name,
                f"{times}{found['best']:,.4g}" if found["best"] < 1000 else _count(found["best"]),
                times
                + _("{low} to {high}").format(
                    low=_number(found["low"]), high=_number(found["high"])
                ),
            )
        )
    return Table(
        _(
            "Fitted to {days}: root mean squared error {error} doses; {plausible} plausible of "
            "{points} points, {members} members of the forecast"
        ).format(
            days=_window(study, "calibrate"),
            error=_count(answer["fit_error"]),
            plausible=answer["plausible_points"],
            points=answer["points"],
            members=answer["members"],
        ),
        (_("fitted"), _("best"), _("plausible")),
        rows,
        "<>>",
    )


def _weights(study: Study) -> list[str]:
    """How much of the prediction is the simulation and how much last week's rate, and why."""
    answer = study.answer
    if "fit_errors" not in answer:
        return []
    shares = [
        _("{doses}, simulation {share}, last week's rate {rest}").format(
            doses=_(_DOSES[curve]), share=percent(weight), rest=percent(1 - weight)
        )
        for curve, weight in answer["weights"].items()
    ]
    errors = [
        _("{doses} {model}, of a straight line {line}").format(
            doses=_(_DOSES[curve]), **{name: _count(error) for name, error in found.items()}
        )
        for curve, found in answer["fit_errors"].items()
    ]
    return [
        _(
            "Weights: {shares}. They are learnt from {n} forecasts from earlier days, and the "
            "simulation counts less where it fits worse than a straight line. Error of the fit: "
            "{errors}."
        ).format(n=answer["earlier_forecasts"], shares="; ".join(shares), errors="; ".join(errors))
    ]


def _number(value: float) -> str:
    return _count(value) if value >= 1000 else f"{value:.4g}"


def _forecast(study: Study) -> Table:
    errors, forecast = study.table("errors"), study.table("forecast")
    days = sorted(errors["date"].unique())
    shown = [day for i, day in enumerate(days) if i % 7 == 0 or i == len(days) - 1]
    if (last := forecast["date"].max()) > days[-1]:  # predicted, and not observed
        shown.append(last)
    level = f"{100 * study.answer['level']:.0f}"
    columns = (
        _("by the evening of"),
        _("doses"),
        _("observed"),
        _("model"),
        _("{level} % band").format(level=level),
        _("inside"),
    )
    rows = []
    for curve, doses in _DOSES.items():
        observed = errors[errors["curve"] == curve].set_index("date")
        said = forecast[forecast["curve"] == curve].set_index("date")
        for day in shown:
            at = said.loc[day]
            known, inside = "–", "–"
            if day in observed.index:
                known = _count(observed.loc[day, "observed"])
                inside = _("yes") if observed.loc[day, "inside"] else _("no")
            band = f"{_count(at['low'])} – {_count(at['high'])}"
            rows.append(
                (on(pd.Timestamp(day).date()), _(doses), known, _count(at["model"]), band, inside)
            )
    heading = _("Predicted for {days}").format(days=_window(study, "predict"))
    return Table(heading, columns, rows, "<<>>>>")


def _errors(study: Study) -> list[Part]:
    columns = (
        _("doses"),
        _("days"),
        _("forecast"),
        _("mean error"),
        _("mean absolute"),
        _("percent"),
    )
    rows = []
    for curve, found in study.answer["curves"].items():
        for week in found["weeks"]:
            first, last = (date.fromisoformat(week[end]) for end in ("from", "to"))
            span = f"{short_date(first)} – {short_date(last)} ({week['days']})"
            for i, (name, shown) in enumerate(_NAMES.items()):
                rows.append(
                    (
                        _(_DOSES[curve]) if i == 0 else "",
                        span if i == 0 else "",
                        _(shown),
                        _signed(week[name]["mean_error"]),
                        _count(week[name]["mean_absolute_error"]),
                        _of_observed(week[name]["percent"]),
                    )
                )
    skills = [
        _("{doses}: {last_week} of last week's rate, {line} of straight line").format(
            doses=_(_DOSES[curve]),
            **{
                name: "–" if skill is None else f"{skill:.2f}"
                for name, skill in found["skill"].items()
            },
        )
        for curve, found in study.answer["curves"].items()
    ]
    return [
        Table(
            _("Errors by week of the predicted days (observed days in brackets)"),
            columns,
            rows,
            "<<<>>>",
        ),
        _("Error of the model as a share of the naive ones: {shares}").format(
            shares="; ".join(skills)
        ),
    ]


def _of_observed(number: float | None) -> str:
    """There is none of days on which nothing was observed yet."""
    return "–" if number is None else f"{number:.1f} %"


# Picture --------------------------------------------------------------------------------------


def pictures(study: Study) -> Iterator[tuple[str, Figure]]:
    """Both curves: observed, fitted, predicted with the band, naive forecasts."""
    with drawing():
        figure = new_figure(
            _("Fitted to {fitted}, predicted {predicted}").format(
                fitted=_window(study, "calibrate"), predicted=_window(study, "predict")
            ),
            named(study.scenario.title),
            6.4,
        )
        upper, lower = figure.subplots(2, 1, sharex=True)
        for axes, curve in ((upper, "first"), (lower, "second")):
            _curve(axes, study, curve)
        date_axis(lower)
        upper.legend(loc="upper left")
        yield "backtest", figure


def _curve(axes: Axes, study: Study, curve: str) -> None:
    def of(name: str) -> Any:
        frame = study.table(name)
        return frame[frame["curve"] == curve]

    def places(frame: pd.DataFrame) -> list[float]:
        return [x_of(day.date()) for day in frame["date"]]

    fit, forecast, errors = of("fit"), of("forecast"), of("errors")
    x = places(forecast)
    axes.fill_between(
        x, forecast["low"], forecast["high"], color=style.SERIES[0], alpha=0.3, lw=0,
        label=_("{level} % band").format(level=f"{100 * study.answer['level']:.0f}"),
    )  # fmt: skip
    axes.plot(x, forecast["model"], color=style.SERIES[0], lw=1.8, label=_("predicted"))
    axes.plot(places(fit), fit["fitted"], color=style.SERIES[0], lw=1.2, ls="--", label=_("fitted"))
    axes.plot(x, forecast["last_week"], color=style.SERIES[1], lw=1.1, ls="-.",
              label=_("last week's rate"))  # fmt: skip
    axes.plot(x, forecast["line"], color=style.SOFT, lw=1.1, ls=":", label=_("straight line"))
    axes.plot(places(fit), fit["observed"], "o", color=style.INK, ms=3, label=_("observed"))
    axes.plot(places(errors), errors["observed"], "o", color=style.INK, ms=3, mfc=style.PAPER,
              label=_("observed, not looked at for the fit"))  # fmt: skip
    axes.set_ylabel(_(_DOSES[curve]))
    axes.yaxis.set_major_formatter(thousands)
