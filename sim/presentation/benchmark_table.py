"""The benchmark as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sim.experiment.benchmark import Figure
from sim.language import _
from sim.presentation.terminal import table


def benchmark_text(figures: Sequence[Figure], machine: Mapping[str, Any]) -> str:
    """A row a figure: what, how much, the target and whether it is met."""
    rows = [("", "", "", _("target"), "")]
    rows += [(f.what, _number(f.value), f.unit, _target(f), _verdict(f)) for f in figures]
    load = _("Load of the machine at the start: {load} on {cores} cores. {versions}")
    versions = ", ".join(f"{name} {machine[name]}" for name in ("python", "numpy", "numba"))
    return "\n".join([*table(rows, "<><><"), load.format(**{**machine, "versions": versions})])


def benchmark_data(figures: Sequence[Figure], machine: Mapping[str, Any]) -> dict[str, Any]:
    """The same as one JSON object."""
    return {"machine": dict(machine), "figures": [{**asdict(f), "met": f.met} for f in figures]}


def _number(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _target(figure: Figure) -> str:
    if figure.limit is None:
        return ""
    text = _("at least {number}") if figure.at_least else _("at most {number}")
    return text.format(number=_number(figure.limit))


def _verdict(figure: Figure) -> str:
    if figure.met is None:
        return figure.note
    return _("met") if figure.met else _("missed")
