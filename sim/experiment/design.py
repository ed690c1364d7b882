"""Designs of a sweep: which values of which factors are simulated together.

A factor is a dotted path of the scenario with its values, as `--vary PATH=VALUES` says them:

    20:120:20          from 20 to 120 in steps of 20, both ends included (numbers, dates)
    2,4,6              these values, each written as for `--set`
    0.5:0.9            everything between, for the designs that draw points (`lhs`, `sobol`)

A grid has every combination. A Latin hypercube (McKay, Beckman and Conover, *Technometrics* 21,
1979) and a Sobol' sequence (scrambled; Owen, *Journal of Complexity* 14, 1998) spread a number of
points that one chooses; they come from `scipy.stats.qmc`.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sim.experiment.settings import DEFAULT_MAX_POINTS, SettingsError
from sim.language import _
from sim.scenario_files import parsed_value, schema_at

DESIGNS = ("grid", "lhs", "sobol")
POINTS_PER_FACTOR = 10
"""Default size of a drawn design (Loeppky, Sacks and Welch, Technometrics 51, 2009)."""

_LARGEST_RANGE = 10**6


class DesignError(SettingsError):
    """A design that cannot be."""


@dataclass(frozen=True)
class Factor:
    """A dotted path of the scenario, and the values that it takes."""

    path: str
    levels: tuple[Any, ...] = ()
    """Values one by one; empty for a range without steps."""
    low: float = math.nan
    high: float = math.nan
    """Ends of a range without steps."""
    integer: bool = False
    """Whether the range without steps has whole numbers alone."""

    @property
    def is_range(self) -> bool:
        """Whether it is a range without steps."""
        return not self.levels

    def at(self, share: float) -> Any:
        """The value below which this share (0 ... 1) of the factor's values lies."""
        if self.levels:
            return self.levels[min(int(share * len(self.levels)), len(self.levels) - 1)]
        if self.integer:
            low, high = int(self.low), int(self.high)
            return min(low + int(share * (high - low + 1)), high)
        value = self.low + share * (self.high - self.low)
        return min(max(float(f"{value:.6g}"), self.low), self.high)


@dataclass(frozen=True)
class Design:
    """Factors, and the points at which they are set: a value of each factor."""

    kind: str
    factors: tuple[Factor, ...]
    points: tuple[tuple[Any, ...], ...]

    def overrides(self, point: int) -> list[str]:
        """The point as overrides of a scenario."""
        return [f"{path}={toml(value)}" for path, value in self.values(point).items()]

    def values(self, point: int) -> dict[str, Any]:
        """The value of each factor at the point."""
        paths = (factor.path for factor in self.factors)
        return dict(zip(paths, self.points[point], strict=True))


# Factors --------------------------------------------------------------------------------------


def read_factor(text: str, data: Mapping[str, Any]) -> Factor:
    """The factor that `PATH=VALUES` names, for a scenario with these data.

    Raises ScenarioError for a path at which nothing can be set, DesignError for values that say
    nothing.
    """
    path, equals, values = text.partition("=")
    if not (equals and path.strip() and values.strip()):
        raise DesignError(
            _(
                "--vary {text}: write PATH=VALUES, for example "
                "call_centre.lines=60:120:20 or call_centre.lines=60,90"
            ).format(text=text)
        )
    return factor(path.strip(), values.strip(), data)


def factor(path: str, values: str | Sequence[Any], data: Mapping[str, Any]) -> Factor:
    """The factor of a path; values as on the command line, or one by one.

    Raises ScenarioError and DesignError as `read_factor` does.
    """
    node = schema_at(data, path, f"--vary {path}")
    if not isinstance(values, str):
        return _with_levels(path, list(values))
    kinds = set(_kinds(node))
    is_range = ":" in values and not re.search(r"[\[\]{}\"',]", values)
    if is_range and kinds & {"integer", "number"}:
        return _numbers(path, values, integer="number" not in kinds)
    if is_range and "date" in kinds:
        return _dates(path, values)
    return _with_levels(path, [parsed_value(text) for text in _split(path, values)])


def _kinds(node: Mapping[str, Any]) -> Iterator[str]:
    """JSON types that the schema allows; dates apart from other text; a distribution's number."""
    for alternative in node.get("anyOf", [node]):
        if "distribution" in alternative.get("properties", {}):
            yield "number"
        elif alternative.get("format") == "date":
            yield "date"
        else:
            yield str(alternative.get("type", ""))


def _with_levels(path: str, levels: Sequence[Any]) -> Factor:
    if not levels:
        raise DesignError(_("--vary {path}: no values are given").format(path=path))
    texts = [toml(level) for level in levels]
    if len(set(texts)) < len(texts):
        twice = next(text for text in texts if texts.count(text) > 1)
        raise DesignError(_("--vary {path}: {twice} is given twice").format(path=path, twice=twice))
    return Factor(path, tuple(levels))


def _split(path: str, text: str) -> list[str]:
    """The items of a list: commas within brackets, braces and quotes belong to an item."""
    items, depth, quote = [""], 0, ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        else:
            depth += (sign in "[{") - (sign in "]}")
        if sign == "," and not depth and not quote:
            items.append("")
        else:
            items[-1] += sign
    if not all(item.strip() for item in items):
        raise DesignError(
            _("--vary {path}={text}: a value is missing beside a comma").format(
                path=path, text=text
            )
        )
    return [item.strip() for item in items]


def _numbers(path: str, text: str, integer: bool) -> Factor:
    name = f"--vary {path}={text}"
    parts = text.split(":")
    try:
        numbers = [Decimal(part.strip().replace("_", "")) for part in parts]
    except InvalidOperation:
        numbers = []
    if len(numbers) not in (2, 3) or not all(
        number.is_finite() and abs(number.adjusted()) <= 30 for number in numbers
    ):
        raise DesignError(
            _("{what}: a range is FIRST:LAST:STEP, for example 20:120:20").format(what=name)
        )
    if len(numbers) == 2:
        low, high = numbers
        if low >= high:
            raise DesignError(
                _("{what}: the range is empty, {low} is not below {high}").format(
                    what=name, low=low, high=high
                )
            )
        if integer and (low % 1 or high % 1):
            raise DesignError(
                _("{what}: {path} is a whole number, so must be the ends of its range").format(
                    what=name, path=path
                )
            )
        return Factor(path, low=float(low), high=float(high), integer=integer)
    first, last, step = numbers
    levels = [first + step * i for i in range(_count(name, first, last, step))]
    return Factor(path, tuple(int(v) if integer and v % 1 == 0 else float(v) for v in levels))


def _dates(path: str, text: str) -> Factor:
    name = f"--vary {path}={text}"
    parts = [part.strip() for part in text.split(":")]
    try:
        first, last = (date.fromisoformat(part) for part in parts[:2])
        (step,) = (int(part) for part in parts[2:])
    except ValueError:
        raise DesignError(
            _(
                "{what}: a range of dates is FIRST:LAST:DAYS, for example 2021-06-01:2021-06-29:7"
            ).format(what=name)
        ) from None
    number = _count(name, Decimal(0), Decimal((last - first).days), Decimal(step))
    return Factor(path, tuple(first + timedelta(days=step * i) for i in range(number)))


def _count(name: str, first: Decimal, last: Decimal, step: Decimal) -> int:
    """Number of values of a stepped range."""
    if step == 0:
        raise DesignError(_("{what}: with a step of 0 the range never ends").format(what=name))
    if (last - first) * step < 0:
        raise DesignError(
            _(
                "{what}: the range is empty, its last value is not reached with a step of {step}"
            ).format(what=name, step=step)
        )
    number = math.floor((last - first) / step) + 1
    if number > _LARGEST_RANGE:
        raise DesignError(
            _("{what}: a range of {number:,} values is too long: take a larger step").format(
                what=name, number=number
            )
        )
    return number


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(key)} = {toml(below)}" for key, below in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False, default=str)


# Designs --------------------------------------------------------------------------------------


def make_design(
    factors: Sequence[Factor],
    kind: str = "grid",
    points: int | None = None,
    seed: int = 1,
    max_points: int = DEFAULT_MAX_POINTS,
) -> Design:
    """The points of a design. The seed matters for `lhs` and `sobol` alone.

    Raises DesignError where the design cannot be, or has more than `max_points` points.
    """
    if kind not in DESIGNS:
        raise DesignError(
            _("--design must be one of {designs}, not {kind}").format(
                designs=", ".join(DESIGNS), kind=kind
            )
        )
    if not factors:
        raise DesignError(_("a sweep needs a factor: name one or more with --vary PATH=VALUES"))
    paths = [factor.path for factor in factors]
    for path in paths:
        if paths.count(path) > 1:
            raise DesignError(
                _("--vary {path} is given twice: give all its values at once").format(path=path)
            )
    if kind == "grid":
        if points is not None:
            raise DesignError(
                _("--points is for --design lhs or sobol; a grid has every combination of values")
            )
        for factor in factors:
            if factor.is_range:
                raise DesignError(
                    _(
                        "--vary {path}={low:g}:{high:g}: a grid needs a step (FIRST:LAST:STEP); "
                        "--design lhs or sobol takes the whole range"
                    ).format(path=factor.path, low=factor.low, high=factor.high)
                )
        sizes = [len(factor.levels) for factor in factors]
        product = " x ".join(f"{size:,}" for size in sizes)
        what = _("the grid of {product}").format(product=product) if sizes[1:] else _("the grid")
        _check_size(what, math.prod(sizes), max_points)
        chosen = tuple(itertools.product(*(factor.levels for factor in factors)))
    else:
        shares = _drawn(kind, len(factors), points, seed, max_points)
        chosen = tuple(
            tuple(factor.at(share) for factor, share in zip(factors, row, strict=True))
            for row in shares
        )
    return Design(kind, tuple(factors), chosen)


def _drawn(
    kind: str, dimensions: int, points: int | None, seed: int, max_points: int
) -> list[list[float]]:
    """Points of the unit cube: one row a point."""
    number = POINTS_PER_FACTOR * dimensions if points is None else points
    if number < 1:
        raise DesignError(_("--points must be at least 1, not {number}").format(number=number))
    if kind == "sobol":
        power = math.ceil(math.log2(number))
        if points is not None and points != 2**power:
            raise DesignError(
                _(
                    "--points {points:,}: a Sobol' design is balanced for 2, 4, 8, 16, ... "
                    "points; take {better:,}"
                ).format(points=points, better=2**power)
            )
        number = 2**power
    _check_size(_("the design"), number, max_points)
    from scipy.stats import qmc

    if kind == "lhs":
        return qmc.LatinHypercube(dimensions, rng=seed).random(number).tolist()
    return qmc.Sobol(dimensions, rng=seed).random_base2(power).tolist()


def _check_size(what: str, number: int, max_points: int) -> None:
    if number > max_points:
        raise DesignError(
            _(
                "{what} has {number:,} points, more than the {max_points:,} allowed: "
                "take fewer values, a --design with fewer --points, or allow them with "
                "--max-points {number}"
            ).format(what=what, number=number, max_points=max_points)
        )
