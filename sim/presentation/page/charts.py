"""Light pictures: SVG written line by line, in a millisecond, for a page that redraws often.

Each is drawn twice, wide and for a telephone; text stays text, and ink and ground follow the
reader's light or dark screen. What they show is told in words beside them and in their
alternative text.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from html import escape
from itertools import pairwise
from textwrap import wrap

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.language import month_and_year, short_date
from sim.presentation import style

Array = NDArray[np.float64]

WIDE, NARROW = 580, 360
"""pixels: on a screen, on a telephone"""
_SIZE = 13
_CHARACTER = 0.56 * _SIZE
_LINE = 18
"""pixels from one line of text to the next"""
_STYLE = f"""<style>
text{{font:{_SIZE}px system-ui,'Noto Sans Thai','Sarabun',sans-serif}}
.halo{{paint-order:stroke;stroke-width:4px}}
{style.on_dark_screens('[{name}="{colour}"]')}</style>"""


_AXIS = f'stroke="{style.SOFT}"'


@dataclass(frozen=True)
class Curve:
    """A line over days; `band`: lower and upper values around it."""

    label: str
    values: Array
    colour: str
    dashes: str = ""
    width: float = 2.6
    band: tuple[Array, Array] | None = None
    steps: bool = False
    marked: str = ""
    """text at the marked day, "" for none"""


@dataclass(frozen=True)
class Part:
    """A part of the whole, whose shares stand at the right: from `begin`, `size` of the whole."""

    title: str
    begin: float
    size: float


@dataclass
class _Canvas:
    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    parts: list[str] = field(default_factory=list)

    def add(self, *parts: str) -> None:
        self.parts.extend(parts)

    def text(
        self, x: float, y: float, text: str, anchor: str = "start", *,
        upon_lines: bool = False, of_axis: bool = False,
    ) -> None:  # fmt: skip
        look = f'fill="{style.SOFT if of_axis else style.INK}"'
        if upon_lines:
            look += f' class="halo" stroke="{style.PAPER}"'
        if of_axis:
            look += ' style="font-size:12px"'
        self.add(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {look}>{escape(text)}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, look: str) -> None:
        self.add(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {look}/>')

    def svg(self) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}">{_STYLE}{"".join(self.parts)}</svg>'
        )


def curves_over_days(
    days: Sequence[date],
    curves: Sequence[Curve],
    width: int,
    title: str,
    *,
    part: Part | None = None,
    goal: tuple[float, str] | None = None,
    marked_day: tuple[date, str] | None = None,
) -> str:
    """Shares (0 ... 1) of a whole over days, in percent from 0 to the greatest.

    `title`: of what, above the left axis; at the right one stand the shares of a `part` of it.
    """
    narrow = width < WIDE
    rows = _legend_rows(curves, width)
    titles = _axis_titles(title, part.title if part else "", width)
    below_titles = 12 + 20 * rows + _LINE * len(titles)
    height = (280 if narrow else 350) + 18 * rows + _LINE * len(titles)
    canvas = _Canvas(width, height, 46, width - (46 if part else 14), below_titles, 0)
    canvas.bottom = canvas.height - 40
    highest = max([goal[0] if goal else 0.0, *(float(c.values.max(initial=0)) for c in curves)])
    ticks = _ticks(highest * 1.04 if highest else 1.0)
    top = min(max(ticks[-1], highest * 1.04), 1.0)
    ticks = [tick for tick in ticks if tick <= top + 1e-9]

    def y(value: float) -> float:
        return canvas.bottom - (canvas.bottom - canvas.top) * value / top

    def x(place: float) -> float:
        return canvas.left + (canvas.right - canvas.left) * place / max(len(days) - 1, 1)

    _legend(canvas, curves)
    for i, (line, anchor) in enumerate(titles):
        edge = 8 if anchor == "start" else width - 8
        canvas.text(edge, 14 + 20 * rows + _LINE * i, line, anchor)
    for tick in ticks:
        canvas.line(canvas.left, y(tick), canvas.right, y(tick), f'stroke="{style.GRID}"')
        canvas.text(canvas.left - 6, y(tick) + 4, f"{100 * tick:g} %", "end", of_axis=True)
    if part is not None:
        for tick in _ticks(1.0):
            if (level := part.begin + part.size * tick) <= top + 1e-9:
                canvas.line(canvas.right, y(level), canvas.right + 4, y(level), _AXIS)
                canvas.text(canvas.right + 7, y(level) + 4, f"{100 * tick:g} %", of_axis=True)
    _date_ticks(canvas, days, x, every=2 if narrow and len(days) > 100 else 1)
    for curve in curves:
        if curve.band is not None:
            low, high = curve.band
            there = [(x(i), y(v)) for i, v in enumerate(low)]
            back = [(x(i), y(v)) for i, v in enumerate(high)][::-1]
            canvas.add(
                f'<path d="{_path([*there, *back])}Z" fill="{curve.colour}" opacity="0.28"/>'
            )
    if goal is not None:
        canvas.line(
            canvas.left, y(goal[0]), canvas.right, y(goal[0]),
            f'stroke="{style.GOAL}" stroke-width="1.6" stroke-dasharray="7 4"',
        )  # fmt: skip
    if marked_day is not None and days[0] <= marked_day[0] <= days[-1]:
        place = x((marked_day[0] - days[0]).days)
        canvas.line(
            place, canvas.top, place, canvas.bottom,
            f'stroke="{style.DEADLINE}" stroke-width="1.6" stroke-dasharray="2 3"',
        )  # fmt: skip
        late = place > canvas.left + 0.62 * (canvas.right - canvas.left)
        canvas.text(
            place + (-6 if late else 6), canvas.top + 12, marked_day[1],
            "end" if late else "start", upon_lines=True,
        )  # fmt: skip
    if goal is not None:
        canvas.text(canvas.left + 6, y(goal[0]) - 6, goal[1], upon_lines=True)
    for curve in curves:
        points = [(x(i), y(v)) for i, v in enumerate(curve.values) if not math.isnan(v)]
        if curve.steps:
            points = [p for (a, b), (c, _) in pairwise(points)
                      for p in ((a, b), (c, b))] + points[-1:]  # fmt: skip
        dashes = f' stroke-dasharray="{curve.dashes}"' if curve.dashes else ""
        canvas.add(
            f'<path d="{_path(points)}" fill="none" stroke="{curve.colour}" '
            f'stroke-width="{curve.width}"{dashes} stroke-linejoin="round"/>'
        )
    if marked_day is not None and days[0] <= marked_day[0] <= days[-1]:
        number = (marked_day[0] - days[0]).days
        taken: list[float] = []
        for curve in sorted(curves, key=lambda c: -c.values[number] if c.marked else 0.0):
            if curve.marked:
                at = y(float(curve.values[number]))
                label = at - 8
                while any(abs(label - other) < _SIZE + 2 for other in taken):
                    label += 4
                taken.append(label)
                canvas.add(
                    f'<circle cx="{x(number):.1f}" cy="{at:.1f}" r="4.5" fill="{curve.colour}"/>'
                )
                canvas.text(x(number) - 8, label, curve.marked, "end", upon_lines=True)
    return canvas.svg()


def _axis_titles(left: str, right: str, width: int) -> list[tuple[str, str]]:
    """Lines above the axes, each with its anchor; what the right axis shows is at the right."""
    letters = int((width - 16) / _CHARACTER)
    lines = [(line, "start") for line in wrap(left, letters, break_long_words=False)]
    return lines + [(line, "end") for line in wrap(right, letters, break_long_words=False)]


def _legend_rows(curves: Sequence[Curve], width: int) -> int:
    return len(_legend_places(curves, width)[1])


def _legend_places(
    curves: Sequence[Curve], width: int
) -> tuple[list[tuple[float, int]], list[float]]:
    """(x, row) of each entry, and how long each row is."""
    places: list[tuple[float, int]] = []
    rows = [10.0]
    for curve in curves:
        needed = 34 + _CHARACTER * len(curve.label) + 14
        if rows[-1] + needed > width and rows[-1] > 10:
            rows.append(10.0)
        places.append((rows[-1], len(rows) - 1))
        rows[-1] += needed
    return places, rows


def _legend(canvas: _Canvas, curves: Sequence[Curve]) -> None:
    places, _ = _legend_places(curves, canvas.width)
    for curve, (x, row) in zip(curves, places, strict=True):
        y = 14 + 20 * row
        dashes = f' stroke-dasharray="{curve.dashes}"' if curve.dashes else ""
        look = f'stroke="{curve.colour}" stroke-width="{curve.width}"{dashes}'
        canvas.line(x, y - 4, x + 26, y - 4, look)
        canvas.text(x + 32, y, curve.label)


def _date_ticks(
    canvas: _Canvas, days: Sequence[date], x: Callable[[float], float], every: int
) -> None:
    """The first of each month, or some days of a short time; the year below."""
    months = [day for day in days if day.day == 1]
    if len(months) < 3:
        step = max(len(days) // 5, 1)
        shown = list(days[::step])
    else:
        shown = months[:: every * max(1, len(months) // 9)]
    for day in shown:
        place = x((day - days[0]).days)
        canvas.line(place, canvas.bottom, place, canvas.bottom + 5, _AXIS)
        anchor = "end" if place > canvas.right - 12 else "middle"
        canvas.text(place, canvas.bottom + 18, short_date(day), anchor, of_axis=True)
    canvas.line(canvas.left, canvas.bottom, canvas.right, canvas.bottom, _AXIS)
    year = month_and_year(days[0]).split()[-1]
    last = month_and_year(days[-1]).split()[-1]
    text = year if year == last else f"{year} – {last}"
    canvas.text((canvas.left + canvas.right) / 2, canvas.height - 6, text, "middle", of_axis=True)


def _ticks(highest: float) -> list[float]:
    """Round numbers from 0 to at least the highest, about five."""
    raw = highest / 5
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(s * scale for s in (1, 2, 2.5, 5, 10) if s * scale >= raw)
    return [round(step * i, 10) for i in range(math.ceil(highest / step - 1e-9) + 1)]


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def days_between(first: date, last: date) -> list[date]:
    """All days, both ends included."""
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def array(values: ArrayLike) -> Array:
    """As numbers that can be drawn."""
    return np.asarray(values, dtype=np.float64)


# In a page ------------------------------------------------------------------------------------


def picture(draw: Callable[[int], str], words: str) -> str:
    """HTML of a picture in two widths; `words` say what it shows."""
    return (
        f'<div class="picture wide">{image(draw(WIDE), words)}</div>'
        f'<div class="picture narrow">{image(draw(NARROW), words)}</div>'
    )


def image(svg: str | bytes, words: str) -> str:
    """An SVG picture as HTML, with its alternative text."""
    data = base64.b64encode(svg.encode() if isinstance(svg, str) else svg).decode()
    return (
        f'<img alt="{escape(words, quote=True)}" style="width:100%;height:auto" '
        f'src="data:image/svg+xml;base64,{data}">'
    )


def spark(values: Array, highest: float, colour: str) -> str:
    """A small curve of a day's values, 0 to `highest`; days without one are gaps."""
    width, height = 170, 56
    canvas = _Canvas(width, height, 1, width - 1, 4, height - 2)
    canvas.line(1, canvas.bottom, width - 1, canvas.bottom, _AXIS)
    step = (width - 2) / max(len(values), 1)
    for i, value in enumerate(values):
        if value > 0:
            top = canvas.bottom - (canvas.bottom - canvas.top) * min(value / highest, 1.0)
            canvas.add(
                f'<rect x="{1 + i * step:.1f}" y="{top:.1f}" width="{max(step - 0.3, 0.5):.2f}" '
                f'height="{canvas.bottom - top:.1f}" fill="{colour}"/>'
            )
    return canvas.svg()
