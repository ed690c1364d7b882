"""Levers: what a committee can change in a campaign, and in which steps.

A lever is named alone, for all that it can move, or with one part of it: `deliveries`, or
`deliveries.july` for doses that come with that delivery alone. Moved as a whole, all parts move: in
proportion (doses, staff), or by as much (days); `layouts.py` looks for parts that will do for less.
A size is a whole number in the lever's unit, in addition to what the scenario has; 0 changes
nothing.

    deliveries          doses        more of them, in any of the deliveries up to the day
    earlier_deliveries  days         deliveries come that much earlier (not before the first day)
    extra_doses         doses        more drawn from each vial
    vaccinators         staff        more at the narrowest station of each unit; the other stations
                                     follow where they would become the narrowest
    open_days           days         of the week on which units open in addition
    hours               hours        units close later
    turns               days         groups may be vaccinated that much earlier
    interval            days         shorter between the doses, at least four weeks
    agents              agents       more in the pools, in proportion; with lines in proportion
    lines               lines        more of them
    other_channels      bookings     a day more
    registration        people       registered before the campaign, whole groups: they need no call

Where people would change their behaviour, the levers do not: who may come earlier still calls when
the scenario says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from sim.experiment.changes import Change, pulled_by
from sim.experiment.goals import Goal
from sim.experiment.lever_kinds import EXTRA_DOSES_AT_MOST, FAMILIES, SHORTEST_INTERVAL_DAYS
from sim.experiment.settings import SettingsError
from sim.language import _
from sim.scenario import Scenario
from sim.scenario_errors import did_you_mean

_FINER = 4
"""Finer steps between two sizes."""


class LeverError(SettingsError):
    """A lever that there is not."""


@dataclass(frozen=True)
class Lever:
    """Something that can be changed, in steps, in one scenario."""

    name: str
    unit: str
    sizes: tuple[int, ...]
    """sizes that make sense, ascending, without 0"""
    has: float
    """what the scenario has, in the unit"""
    change: Callable[[Scenario, int], Change]
    """the change of that size to a scenario (the one given, or one that other levers changed)"""
    supply: bool
    """whether it moves doses, slots, turns or intervals, and so the ceiling"""
    words: Callable[[int], str]
    """a size in words, in the language spoken"""
    finest: int | None = None
    """sizes may also be any multiple of this; None: there are no others"""
    parts: tuple[Lever, ...] = ()
    """what it moves, each alone; none where that is one thing, or a part of a lever itself"""
    shared_out: bool = True
    """whether its parts share a size out among them; else each is moved by as much"""
    weight: float = 1.0
    """what a unit costs, where one of all parts together costs 1"""
    bound: float = math.inf
    """of a part: sizes times weights of all parts of the lever may together be no more"""

    @property
    def family(self) -> str:
        """The lever of which it may be a part."""
        return self.name.partition(".")[0]

    @property
    def largest(self) -> int:
        """The largest size."""
        return self.sizes[-1]

    def smaller(self, size: int) -> list[int]:
        """Smaller sizes, descending, in growing steps: the 1st, 2nd, 4th, 8th ... below.

        Counted in sizes, or where there are finer ones, in multiples of the finest that are about
        a quarter of the step between sizes.
        """
        below = [s for s in self.sizes if s < size][::-1]
        if self.finest is not None:
            gap = size - (below[0] if below else 0)
            step = self.finest * math.ceil(gap / _FINER / self.finest)
            below = list(range(size - step, 0, -step))
        return [below[2**k - 1] for k in range(len(below).bit_length())]

    def size_at_least(self, size: float) -> int:
        """The smallest size that is not below; the largest if all are."""
        return next((s for s in (0, *self.sizes) if s >= size), self.largest)

    def size_at_most(self, size: float) -> int:
        """The largest size that is not above, which may be 0."""
        return max((s for s in self.sizes if s <= size), default=0)


def pulled(scenario: Scenario, pulls: Iterable[tuple[Lever, int]]) -> Scenario:
    """The scenario with levers moved by sizes, one after the other."""
    for lever, size in pulls:
        if size:
            scenario = pulled_by(scenario, lever.change(scenario, size))
    return scenario


def read_levers(text: str | None, scenario: Scenario, goal: Goal) -> list[Lever]:
    """The levers that a text names, such as "deliveries,agents<=20"; all where it is None.

    `<=` limits a lever's sizes. Raises LeverError for one that the scenario does not have.
    """
    if text is None:
        found = [_lever(name, None, scenario, goal) for name in FAMILIES]
        return [lever for lever in found if lever is not None]
    levers: dict[str, Lever] = {}
    for written in filter(None, map(str.strip, text.split(","))):
        name, limited, limit = (part.strip() for part in written.partition("<="))
        family, _dot, part = name.partition(".")
        known = [*FAMILIES, *(f"{f}.{p}" for f in FAMILIES for p in FAMILIES[f].parts(scenario))]
        if name not in known:
            raise LeverError(
                _("there is no lever {name!r}{suggestion}").format(
                    name=name, suggestion=_right(name, known, scenario)
                )
            )
        lever = _lever(family, part or None, scenario, goal)
        if lever is None:
            why = _(FAMILIES[family].idle).format(
                extra=EXTRA_DOSES_AT_MOST, least=SHORTEST_INTERVAL_DAYS
            )
            raise LeverError(_("lever {name}: {why}").format(name=name, why=why))
        if limited:
            lever = _limited(lever, limit)
        if name in levers or family in levers or (not part and _of_family(family, levers)):
            raise LeverError(
                _("lever {name} is named twice: name {family} alone, or parts of it").format(
                    name=name, family=family
                )
            )
        levers[name] = lever
    if not levers:
        raise LeverError(_("no lever is named; levers are {names}").format(names=_all_names()))
    order = list(FAMILIES)
    return sorted(levers.values(), key=lambda lever: order.index(lever.name.partition(".")[0]))


def _right(name: str, known: Sequence[str], scenario: Scenario) -> str:
    """What would have been right: the parts of a lever, a near name, else all levers."""
    family, dot, _part = name.partition(".")
    if not dot or family not in FAMILIES:
        near = did_you_mean(name, known, cutoff=0.7)
        return near or _("; levers are {names}").format(names=_all_names())
    parts = [f"{family}.{part}" for part in FAMILIES[family].parts(scenario)]
    if not parts:
        return _(": {family} has no parts").format(family=family)
    return _("{suggestion}; parts of {family} are {parts}").format(
        suggestion=did_you_mean(name, parts, cutoff=0.75), family=family, parts=", ".join(parts)
    )


def _all_names() -> str:
    return ", ".join(FAMILIES)


def _of_family(family: str, names: Iterable[str]) -> bool:
    return any(name.startswith(f"{family}.") for name in names)


def _limited(lever: Lever, limit: str) -> Lever:
    written = f"{lever.name}<={limit}"
    try:
        most = float(limit.replace("_", ""))
    except ValueError:
        most = math.nan
    if not math.isfinite(most):
        raise LeverError(
            _("lever {written}: the bound must be a number, such as {example}").format(
                written=written, example=lever.largest
            )
        )
    sizes = _up_to(lever, most)
    if not sizes:
        raise LeverError(
            _(
                "lever {written}: the bound must be at least {least}, the smallest change in "
                "{unit}, or nothing could be changed"
            ).format(written=written, least=lever.finest or lever.sizes[0], unit=_(lever.unit))
        )
    parts = [
        replace(part, sizes=fewer, bound=most)
        for part in lever.parts
        if (fewer := _up_to(part, most))
    ]
    return replace(lever, sizes=sizes, parts=tuple(parts))


def _up_to(lever: Lever, most: float) -> tuple[int, ...]:
    """Sizes up to a bound, which is one of them where a lever goes in fine steps."""
    sizes = {size for size in lever.sizes if size <= most}
    if lever.finest is not None and most < lever.largest:
        sizes.add(int(most // lever.finest) * lever.finest)
    return tuple(sorted(size for size in sizes if size > 0))


def _lever(family: str, part: str | None, scenario: Scenario, goal: Goal) -> Lever | None:
    made = FAMILIES[family]
    if part is not None:
        return _moved(family, part, [part], scenario, goal)
    names = list(made.parts(scenario))
    whole = _moved(family, None, names, scenario, goal)
    alone = {name: _moved(family, name, [name], scenario, goal) for name in names}
    parts = {name: lever for name, lever in alone.items() if lever is not None}
    if whole is None or len(parts) < 2:
        return whole
    if made.held is not None:
        held = {name: made.held(scenario, name) for name in parts}
        total = sum(held.values())
        parts = {
            name: replace(lever, weight=held[name] / total if total else 1 / len(parts))
            for name, lever in parts.items()
        }

    def words(size: int) -> str:
        said = whole.words(size)
        return (
            _in_brackets(said, _(made.all_parts).format(n=len(parts))) if made.all_parts else said
        )

    shared_out = made.held is None
    return replace(whole, words=words, parts=tuple(parts.values()), shared_out=shared_out)


def _moved(
    family: str, part: str | None, names: Sequence[str], scenario: Scenario, goal: Goal
) -> Lever | None:
    """The lever that moves these parts; None: there is nothing to be moved."""
    made = FAMILIES[family]
    found = made.make(scenario, goal, names)
    if found is None or not found.sizes:
        return None
    name = family if part is None else f"{family}.{part}"
    sizes, has, change, words, finest = found

    def words_with_part(size: int) -> str:
        said = words(size)
        if part is None or made.part_words is None:
            return said
        return _in_brackets(said, made.part_words(scenario, part))

    return Lever(name, made.unit, tuple(sizes), has, change, made.supply, words_with_part, finest)


def _in_brackets(said: str, more: str) -> str:
    """Something added in brackets, or in those that there are at the end."""
    if said.endswith(")"):
        return _("{change}; {part})").format(change=said[:-1], part=more)
    return _("{change} ({part})").format(change=said, part=more)
