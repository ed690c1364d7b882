"""A backtest, as text and as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.experiment.study import Study
from sim.presentation import style
from sim.presentation.figures import date_axis, new_figure, thousands, x_of
from sim.presentation.terminal import on, table

_NAMES = {"model": "model", "last_week": "last week's rate", "line": "straight line"}
_DOSES = {"first": "first doses", "second": "second doses"}


def text(study: Study) -> str:
    """Verdict, fit, forecast, errors by week."""
    sections = [_verdict(study), _fit(study), _forecast(study), _errors(study), _words(study)]
    return "\n\n".join("\n".join(section) for section in sections if section)


def _verdict(study: Study) -> list[str]:
    curves = study.answer["curves"]
    beaten = [curve for curve in _DOSES if curves[curve]["beats_both"]]
    if len(beaten) == len(_DOSES):
        said = "The model predicts first and second doses better than both naive forecasts"
    elif beaten:
        (lost,) = set(_DOSES) - set(beaten)
        said = (
            f"The model predicts {_DOSES[beaten[0]]} better than both naive forecasts, but not "
            f"{_DOSES[lost]}"
        )
    else:
        said = "The model does not predict better than both naive forecasts"
    errors = "; ".join(
        f"{_DOSES[curve]}: mean absolute error {_count(found['mean_absolute_error']['model'])}, "
        + ", ".join(
            f"{_NAMES[name]} {_count(found['mean_absolute_error'][name])}"
            for name in ("last_week", "line")
        )
        for curve, found in curves.items()
    )
    days = study.answer["observed_days"]
    inside = ", ".join(
        f"{found['inside_band']} of {days} ({_DOSES[curve]})" for curve, found in curves.items()
    )
    level = f"{100 * study.answer['level']:.0f} %"
    return [f"{said}. {errors}. Observed days inside the {level} band: {inside}."]


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _signed(number: float) -> str:
    return f"{number:+,.0f}"


def _window(study: Study, name: str) -> str:
    first, last = (date.fromisoformat(day) for day in study.question[name].split(":"))
    return f"{on(first)} to {on(last)}"


def _fit(study: Study) -> list[str]:
    answer = study.answer
    rows = [("fitted", "best", "plausible")]
    for name, found in answer["fitted"].items():
        times = "× " if found["relative"] else ""
        rows.append(
            (
                name,
                f"{times}{found['best']:,.4g}" if found["best"] < 1000 else _count(found["best"]),
                f"{times}{_number(found['low'])} to {_number(found['high'])}",
            )
        )
    return [
        f"Fitted to {_window(study, 'calibrate')}: root mean squared error "
        f"{_count(answer['fit_error'])} doses; {answer['plausible_points']} plausible of "
        f"{answer['points']} points, {answer['members']} members of the forecast",
        *table(rows, "<>>"),
    ]


def _number(value: float) -> str:
    return _count(value) if value >= 1000 else f"{value:.4g}"


def _forecast(study: Study) -> list[str]:
    errors, forecast = study.table("errors"), study.table("forecast")
    days = sorted(errors["date"].unique())
    shown = [day for i, day in enumerate(days) if i % 7 == 0 or i == len(days) - 1]
    rows = [("by the evening of", "doses", "observed", "model", "90 % band", "inside")]
    for curve, doses in _DOSES.items():
        observed = errors[errors["curve"] == curve].set_index("date")
        said = forecast[forecast["curve"] == curve].set_index("date")
        for day in shown:
            at = said.loc[day]
            rows.append(
                (
                    on(pd.Timestamp(day).date()),
                    doses,
                    _count(observed.loc[day, "observed"]),
                    _count(at["model"]),
                    f"{_count(at['low'])} – {_count(at['high'])}",
                    "yes" if observed.loc[day, "inside"] else "no",
                )
            )
    return [f"Predicted for {_window(study, 'predict')}", *table(rows, "<<>>>>")]


def _errors(study: Study) -> list[str]:
    rows: list[tuple[str, ...]] = [
        ("doses", "days", "forecast", "mean error", "mean absolute", "percent")
    ]
    for curve, found in study.answer["curves"].items():
        for week in found["weeks"]:
            first, last = (date.fromisoformat(week[end]) for end in ("from", "to"))
            span = f"{first.day} {first:%b} – {last.day} {last:%b} ({week['days']})"
            for i, (name, shown) in enumerate(_NAMES.items()):
                rows.append(
                    (
                        _DOSES[curve] if i == 0 else "",
                        span if i == 0 else "",
                        shown,
                        _signed(week[name]["mean_error"]),
                        _count(week[name]["mean_absolute_error"]),
                        f"{week[name]['percent']:.1f} %",
                    )
                )
    skills = [
        f"{_DOSES[curve]}: "
        + ", ".join(
            f"{'–' if skill is None else f'{skill:.2f}'} of {_NAMES[name]}"
            for name, skill in found["skill"].items()
        )
        for curve, found in study.answer["curves"].items()
    ]
    return [
        "Errors by week of the predicted days (observed days in brackets)",
        *table(rows, "<<<>>>"),
        f"Error of the model as a share of the naive ones: {'; '.join(skills)}",
    ]


def _words(study: Study) -> list[str]:
    return list(study.answer["supposed"])


# Picture --------------------------------------------------------------------------------------


def pictures(study: Study) -> Iterator[tuple[str, Figure]]:
    """Both curves: observed, fitted, predicted with the band, naive forecasts."""
    with mpl.rc_context(style.SETTINGS):
        figure = new_figure(
            f"Fitted to {_window(study, 'calibrate')}, predicted {_window(study, 'predict')}",
            study.scenario.title,
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
        x, forecast["low"], forecast["high"], color=style.SKY_BLUE, alpha=0.3, lw=0,
        label=f"{100 * study.answer['level']:.0f} % band",
    )  # fmt: skip
    axes.plot(x, forecast["model"], color=style.BLUE, lw=1.8, label="predicted")
    axes.plot(places(fit), fit["fitted"], color=style.BLUE, lw=1.2, ls="--", label="fitted")
    axes.plot(x, forecast["last_week"], color=style.ORANGE, lw=1.1, ls="-.",
              label="last week's rate")  # fmt: skip
    axes.plot(x, forecast["line"], color=style.GREY, lw=1.1, ls=":", label="straight line")
    axes.plot(places(fit), fit["observed"], "o", color=style.BLACK, ms=3, label="observed")
    axes.plot(places(errors), errors["observed"], "o", color=style.BLACK, ms=3, mfc="white")
    axes.set_ylabel(_DOSES[curve])
    axes.yaxis.set_major_formatter(thousands)
