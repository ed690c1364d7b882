"""A sweep as a table for the terminal, as data for programs, and as pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sim.experiment.design import Design
from sim.experiment.measures import as_date, known_measures, measure
from sim.experiment.replications import counted
from sim.experiment.settings import SettingsError
from sim.experiment.statistics import Estimate
from sim.experiment.sweep import Sweep
from sim.language import _, named, short_date
from sim.presentation import style
from sim.presentation.answer_view import SHOWN
from sim.presentation.document import Code, Table
from sim.presentation.figures import drawing, new_figure
from sim.presentation.run_view import precision_words
from sim.presentation.terminal import Part, amount, as_text, interval, percent
from sim.scenario import Scenario
from sim.scenario_errors import did_you_mean

DEFAULT_MEASURES = ("first_doses_by_deadline", "fully_vaccinated_by_deadline")

_ROWS_SHOWN = 60
_BEST_SHOWN = 20
_MOST_PANELS = 9
_TICKS = 12
_COLOURS = "cividis"


def chosen_measures(names: Sequence[str] | None, scenario: Scenario) -> list[str]:
    """The measures to show. Raises SettingsError for one that there is not."""
    known = known_measures(scenario)
    shown = _("; the measures are {measures}").format(measures=", ".join(known))
    for name in names or ():
        if name not in known:
            raise SettingsError(
                _("--measure {name}: there is no such measure{suggestion}").format(
                    name=name, suggestion=did_you_mean(name, known, cutoff=0.7) or shown
                )
            )
    return list(dict.fromkeys(names or DEFAULT_MEASURES))


def chosen_axes(names: Sequence[str] | None, design: Design) -> list[str] | None:
    """The factors that span the heat map. Raises SettingsError unless they are two of a grid."""
    if names is None:
        return None
    paths = [factor.path for factor in design.factors]
    names = [name.strip() for name in names]
    for name in names:
        if name not in paths:
            raise SettingsError(
                _("--axes {name}: it is not varied; choose of {paths}").format(
                    name=name, paths=", ".join(paths)
                )
            )
    if len(names) != 2 or names[0] == names[1]:
        raise SettingsError(_("--axes: name two factors, PATH,PATH, the horizontal one first"))
    if design.kind != "grid":
        raise SettingsError(_("--axes is for a grid: points of other designs are no table"))
    return names


# Text and data --------------------------------------------------------------------------------


def sweep_text(sweep: Sweep, measures: Sequence[str]) -> str:
    """A line a point: the values of the factors, and each measure with its interval."""
    where = [_("Results: {folder}").format(folder=sweep.folder)]
    return as_text([*sweep_sections(sweep, measures), where])


def sweep_sections(sweep: Sweep, measures: Sequence[str]) -> list[list[Part]]:
    """The same as lines and tables, without where it is."""
    points = len(sweep.points)
    estimates = {name: sweep.estimates(name) for name in measures}
    labels = short_names(sweep.factors)
    design: list[Part] = [
        _(
            "{points} points of {replications} with seed {seed}: the same people with the same "
            "luck in each."
        ).format(points=f"{points:,}", replications=_replications(sweep), seed=sweep.seed),
        Table("", ("", ""), [(labels[path], Code(path)) for path in sweep.factors]),
    ]
    several = sweep.counts.nunique() > 1
    order, caption = list(range(points)), ""
    if points > _ROWS_SHOWN:
        first = estimates[measures[0]]["mean"]
        order = list(first.sort_values(ascending=False, kind="stable").index[:_BEST_SHOWN])
        caption = _("The {n} points with the highest {measure}:")
        caption = caption.format(n=len(order), measure=measures[0])
    columns = (
        _("point"),
        *labels.values(),
        *([_("replications")] if several else []),
        *(cell for name in measures for cell in (name, _("95 % interval"))),
    )
    rows = []
    for point in order:
        cells = [
            cell
            for name in measures
            for cell in _cells(sweep, name, estimates[name].loc[point].to_dict())
        ]
        levels = [shown(value) for value in sweep.points.loc[point, sweep.factors]]
        counts = [f"{sweep.counts[point]:,}"] if several else []
        rows.append((str(point), *levels, *counts, *cells))
    precision: list[Part] = [_precision_text(sweep)] if sweep.precision else []
    return [design, [Table(caption, columns, rows, ">" * len(columns))], precision]


def sentence(sweep: Sweep, name: str) -> str:
    """Where a measure is least and where it is greatest."""
    labels = {key: label for _heading, measures in SHOWN for key, label in measures}
    what = _(labels.get(name, measure(name).meaning)).strip(" *")
    what = f"{what[:1].upper()}{what[1:]}"
    found = sweep.estimates(name)["mean"].dropna()
    if found.empty:
        return _("{measure}: at no point.").format(measure=what)
    (least, least_at), (most, most_at) = (
        (
            _value(sweep, float(found.iloc[place]), measure(name).unit),
            _levels(sweep, int(found.index[place])),
        )
        for place in (int(found.argmin()), int(found.argmax()))
    )
    return _("{measure}: from {least} ({least_at}) to {most} ({most_at}).").format(
        measure=what, least=least, least_at=least_at, most=most, most_at=most_at
    )


def _levels(sweep: Sweep, point: int) -> str:
    """The values of the factors at a point."""
    names = short_names(sweep.factors)
    levels = sweep.points.loc[point]
    return ", ".join(f"{names[path]} = {shown(levels[path])}" for path in sweep.factors)


def _replications(sweep: Sweep) -> str:
    """5 replications, or 8 to 23 replications."""
    fewest, most = sweep.counts.min(), sweep.counts.max()
    if fewest == most:
        return counted(most)
    return _("{fewest} to {replications}").format(fewest=f"{fewest:,}", replications=counted(most))


def _precision_text(sweep: Sweep) -> str:
    assert sweep.precision
    wanted, missed = precision_words(sweep.precision), sweep.imprecise
    if not missed:
        return _("Precision ({wanted}): reached at every point.").format(wanted=wanted)
    names = ", ".join(map(str, missed[:_BEST_SHOWN])) + (", ..." if missed[_BEST_SHOWN:] else "")
    return _(
        "Precision ({wanted}): not reached at {missed} of {points} points with {replications} "
        "({names})."
    ).format(
        wanted=wanted,
        missed=f"{len(missed):,}",
        points=f"{len(sweep.points):,}",
        replications=counted(sweep.precision.at_most),
        names=names,
    )


def short_names(paths: Sequence[str]) -> dict[str, str]:
    """The last parts of each path, as many as it takes to tell them apart (at least two)."""
    parts = [path.split(".") for path in paths]
    longest = max(map(len, parts))
    for length in range(2, longest + 1):
        names = [".".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return dict(zip(paths, names, strict=True))
    return {path: path for path in paths}


def shown(value: Any) -> str:
    """The value of a factor."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cells(sweep: Sweep, name: str, row: dict[Any, Any]) -> tuple[str, str]:
    unit = measure(name).unit
    if math.isnan(row["mean"]):
        if unit == "days" and row["n"]:
            return _("in {n} of {of}").format(n=row["n"], of=sweep.counts[row["point"]]), ""
        return "–", ""
    mean = _value(sweep, row["mean"], unit)
    if unit == "days" and row["low"] < row["high"]:
        return mean, f"{_value(sweep, row['low'], unit)} – {_value(sweep, row['high'], unit)}"
    low, high = (None if math.isnan(row[end]) else row[end] for end in ("low", "high"))
    return mean, interval(Estimate(row["mean"], low, high, row["n"]), unit)


def _value(sweep: Sweep, value: float, unit: str) -> str:
    if unit == "days" and "campaign.first_day" not in sweep.factors:
        day = as_date(sweep.scenario, value)
        return short_date(day, year=True)
    return amount(max(value, 0.0), unit)


def sweep_data(sweep: Sweep) -> dict[str, Any]:
    """The sweep as one JSON object: every measure at every point."""
    found = {name: sweep.estimates(name) for name in sweep.measures}
    points = []
    for point in sweep.points.index:
        measures = {
            name: {key: _plain(frame.loc[point, key]) for key in ("mean", "low", "high", "n")}
            for name, frame in found.items()
        }
        factors = {path: _plain(sweep.points.loc[point, path]) for path in sweep.factors}
        points.append(
            {
                "point": int(point),
                "factors": factors,
                "replications": int(sweep.counts[point]),
                "measures": measures,
            }
        )
    return {
        "sweep": str(sweep.folder),
        "title": sweep.scenario.title,
        "design": sweep.design,
        "seed": sweep.seed,
        "replications": sweep.manifest["replications"],
        "precision": sweep.manifest.get("precision"),
        "imprecise": sweep.imprecise,
        "factors": sweep.factors,
        "points": points,
    }


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


# Pictures -------------------------------------------------------------------------------------


def pictures(
    sweep: Sweep, measures: Sequence[str], axes: Sequence[str] | None = None
) -> Iterator[tuple[str, Figure]]:
    """A picture a measure, by its name."""
    with drawing():
        for name in measures:
            yield name, picture(sweep, name, axes)


def picture(sweep: Sweep, name: str, axes: Sequence[str] | None = None) -> Figure:
    """One measure over the factors.

    A grid of one factor is a line with its interval, of two a heat map, of more a heat map for
    each combination of the others (their mean, if there are many or `axes` are named). Points of
    another design are drawn against each factor.
    """
    if sweep.design != "grid":
        return _scatter(sweep, name)
    if len(sweep.factors) == 1:
        return _line(sweep, name)
    return _heat_maps(sweep, name, list(axes or sweep.factors[:2]), named=axes is not None)


def _title(sweep: Sweep, name: str) -> str:
    return _("{measure}: {meaning} (mean of {replications})").format(
        measure=name, meaning=_(measure(name).meaning), replications=_replications(sweep)
    )


def _line(sweep: Sweep, name: str) -> Figure:
    figure = new_figure(_title(sweep, name), named(sweep.scenario.title), 3.8)
    axes = figure.subplots()
    frame, path = sweep.estimates(name), sweep.factors[0]
    x, labels = _places(frame[path])
    _errors(axes, x, frame, "-o")
    if labels is not None or len(x) <= _TICKS:
        axes.set_xticks(x, labels or [shown(value) for value in x])
    axes.set_xlabel(path)
    _measure_axis(axes, name)
    return figure


def _scatter(sweep: Sweep, name: str) -> Figure:
    columns = min(len(sweep.factors), 2)
    rows = math.ceil(len(sweep.factors) / columns)
    figure = new_figure(_title(sweep, name), named(sweep.scenario.title), 0.9 + 2.9 * rows)
    panels = np.atleast_1d(figure.subplots(rows, columns, sharey=True)).ravel()
    frame = sweep.estimates(name)
    for axes, path in zip(panels, sweep.factors, strict=False):
        x, labels = _places(frame[path])
        _errors(axes, x, frame, "o")
        if labels is not None:
            axes.set_xticks(range(len(labels)), labels)
        elif pd.api.types.is_integer_dtype(frame[path]):
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel(_wrapped(path, 44))
    for axes in panels[::columns]:
        _measure_axis(axes, name)
    for axes in panels[len(sweep.factors) :]:
        axes.set_axis_off()
    return figure


def _errors(axes: Axes, x: Any, frame: pd.DataFrame, form: str) -> None:
    below, above = frame["mean"] - frame["low"], frame["high"] - frame["mean"]
    axes.errorbar(
        x, frame["mean"], yerr=[below.fillna(0), above.fillna(0)],
        fmt=form, ms=4, capsize=3, lw=1.2, color=style.SERIES[0],
    )  # fmt: skip


def _places(values: pd.Series[Any]) -> tuple[Any, list[str] | None]:
    """Where values lie on an axis: numbers where they are, others in order of their first."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.to_numpy(), None
    codes, names = pd.factorize(values)
    return codes, [str(name) for name in names]


def _measure_axis(axes: Axes, name: str) -> None:
    unit = measure(name).unit
    if unit == "share":
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:g} %"))
    else:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,g}"))
        axes.set_ylabel(_("days after campaign.first_day") if unit == "days" else _(unit))
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def _heat_maps(sweep: Sweep, name: str, axes: list[str], named: bool) -> Figure:
    frame = sweep.estimates(name)
    others = [path for path in sweep.factors if path not in axes]
    panels = frame.groupby(others, sort=False) if others else None
    maps: list[tuple[list[str], pd.DataFrame]]
    note = ""
    if panels is None:
        maps = [([], frame)]
    elif named or panels.ngroups > _MOST_PANELS:
        maps = [([], frame)]
        note = _("mean over the values of {others}").format(others=", ".join(others))
    else:
        labels = short_names(others)
        maps = [
            (
                [f"{labels[path]} = {shown(here[path].iloc[0])}" for path in others],
                here,
            )
            for _levels, here in panels
        ]
    tables = [(title, _crossed(here, axes)) for title, here in maps]
    columns = min(len(tables), 3)
    rows = math.ceil(len(tables) / columns)
    height = 1.1 + rows * (0.9 + 0.15 * len(others) + 0.32 * max(len(tables[0][1]), 3))
    subtitle = " – ".join(text for text in (_(sweep.scenario.title), note) if text)
    figure = new_figure(_title(sweep, name), subtitle, height)
    grid = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    values = np.concatenate([crossed.to_numpy().ravel() for _panel, crossed in tables])
    known = values[~np.isnan(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    scale = Normalize(low, high if high > low else low + 1)
    for place, (title, crossed) in zip(grid, tables, strict=False):
        _heat_map(place, crossed, scale, name)
        place.set_title("\n".join(fill(line, 76 // columns) for line in title), fontsize=9)
    for place in grid[len(tables) :]:
        place.set_axis_off()
    figure.supxlabel(axes[0], fontsize=9)
    figure.supylabel(_wrapped(axes[1], 12 * round(height)), fontsize=9)
    if high > low:
        bar = figure.colorbar(ScalarMappable(scale, _COLOURS), ax=list(grid), pad=0.02)
        unit = measure(name).unit
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _short(y, unit)))
        bar.set_label("" if unit == "share" else _(unit))
    return figure


def _wrapped(path: str, width: int) -> str:
    """A path on lines of about this many signs, broken after its dots."""
    lines = [""]
    for part in path.replace(".", ".\n").split("\n"):
        if lines[-1] and len(lines[-1]) + len(part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _crossed(frame: pd.DataFrame, axes: list[str]) -> pd.DataFrame:
    """Means by the levels of two factors, in their order; the second grows upwards."""
    crossed = frame.pivot_table(
        index=axes[1], columns=axes[0], values="mean", sort=False, dropna=False
    )
    levels = [list(dict.fromkeys(frame[path])) for path in axes]
    return crossed.reindex(index=levels[1], columns=levels[0])


def _heat_map(axes: Axes, crossed: pd.DataFrame, scale: Normalize, name: str) -> None:
    values = crossed.to_numpy(dtype=np.float64)
    axes.imshow(values, cmap=_COLOURS, norm=scale, aspect="auto", origin="lower")
    axes.set_xticks(range(values.shape[1]), [shown(x) for x in crossed.columns])
    axes.set_yticks(range(values.shape[0]), [shown(y) for y in crossed.index])
    axes.grid(visible=False)
    if values.size > 120:
        return
    for (row, column), value in np.ndenumerate(values):
        text = "–" if np.isnan(value) else _short(value, measure(name).unit)
        ink = style.BLACK if np.isnan(value) or scale(value) > 0.5 else style.WHITE
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=7)


def _short(value: float, unit: str) -> str:
    if unit == "share":
        return percent(value)
    return f"{value:,.0f}" if abs(value) >= 10 or value == round(value) else f"{value:.2g}"
