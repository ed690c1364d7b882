"""Levers: what a committee can change in a campaign, and in which steps.

A lever is named alone, for all that it can move, or with one part of it: `deliveries`, or
`deliveries.july` for doses that come with that delivery alone. A size is a whole number in the
lever's unit, in addition to what the scenario has; 0 changes nothing.

    deliveries          doses        more of them, with all deliveries up to the day in proportion
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

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import Any, NamedTuple

from sim.experiment.goals import Goal
from sim.experiment.settings import SettingsError
from sim.language import N_, _, days_of_week, named, ngettext
from sim.model.capacity import station_capacity, unit_slots
from sim.model.shifts import staff_steps
from sim.scenario import (
    WEEKDAYS,
    CallCentre,
    Pool,
    Scenario,
    Shift,
    Station,
    UnitType,
    clock,
    merge,
)
from sim.scenario_errors import did_you_mean
from sim.scenario_files import file_data, leaf_values, scenario_from_data

Change = dict[str, Any]
"""Nested tables of scenario data, to be laid upon those of a scenario."""

EXTRA_DOSES_AT_MOST = 2
SHORTEST_INTERVAL_DAYS = 28
"""The least interval on AstraZeneca's label."""
_STEPS = 500
_FINER = 4
_FEW_NAMED = 2
"""Weekdays and groups that are named one by one in words, at most."""
_WEEKDAYS = (
    N_("Mondays"), N_("Tuesdays"), N_("Wednesdays"), N_("Thursdays"), N_("Fridays"),
    N_("Saturdays"), N_("Sundays"),
)  # fmt: skip


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

    @property
    def largest(self) -> int:
        """The largest size."""
        return self.sizes[-1]

    def smaller(self, size: int) -> list[int]:
        """Smaller sizes, descending: those below, or where there are finer ones, in finer steps.

        A finer step is a quarter of that between the sizes, in multiples of the finest.
        """
        below = [s for s in self.sizes if s < size]
        if self.finest is None:
            return below[::-1]
        gap = size - (below[-1] if below else 0)
        step = self.finest * math.ceil(gap / _FINER / self.finest)
        return list(range(size - step, 0, -step))

    def size_at_least(self, size: float) -> int:
        """The smallest size that is not below; the largest if all are."""
        return next((s for s in (0, *self.sizes) if s >= size), self.largest)


def settings_that_differ(scenario: Scenario, other: Scenario) -> list[str]:
    """What `--set` has to say, so that the scenario becomes the other one."""
    there, wanted = (dict(leaf_values(file_data(world))) for world in (scenario, other))
    return [
        f"{path}={json.dumps(value)}".replace('"', "" if isinstance(value, str) else '"')
        for path, value in wanted.items()
        if path not in there or there[path] != value
    ]


def pulled(scenario: Scenario, pulls: Iterable[tuple[Lever, int]]) -> Scenario:
    """The scenario with levers moved by sizes, one after the other."""
    for lever, size in pulls:
        if size:
            scenario = pulled_by(scenario, lever.change(scenario, size))
    return scenario


def pulled_by(scenario: Scenario, change: Change) -> Scenario:
    """The scenario with a change laid upon it."""
    return scenario_from_data(merge(file_data(scenario), change))


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
    sizes = tuple(size for size in lever.sizes if size <= most)
    if not sizes:
        raise LeverError(
            _(
                "lever {written}: the bound must be at least {least}, the smallest change in "
                "{unit}, or nothing could be changed"
            ).format(written=written, least=lever.sizes[0], unit=_(lever.unit))
        )
    return replace(lever, sizes=sizes)


# The families ---------------------------------------------------------------------------------


class _Made(NamedTuple):
    sizes: Sequence[int]
    has: float
    change: Callable[[Scenario, int], Change]
    words: Callable[[int], str]
    finest: int | None = None


@dataclass(frozen=True)
class Family:
    """How the levers of one name are made."""

    make: Callable[[Scenario, Goal, Sequence[str]], _Made | None]
    """from the names of the parts to be moved; None: the scenario does not have it"""
    unit: str
    parts: Callable[[Scenario], Iterable[str]]
    """names of what can be moved alone"""
    supply: bool
    idle: str
    """why a scenario may not have it ({extra}: the most extra doses; {least}: shortest interval)"""


def _lever(family: str, part: str | None, scenario: Scenario, goal: Goal) -> Lever | None:
    made = FAMILIES[family]
    names = list(made.parts(scenario)) if part is None else [part]
    found = made.make(scenario, goal, names)
    if found is None or not found.sizes:
        return None
    name = family if part is None else f"{family}.{part}"
    sizes, has, change, words, finest = found

    def words_with_part(size: int) -> str:
        said = words(size)
        if part is None:
            return said
        return _("{change} ({part})").format(change=said, part=named(part))

    return Lever(name, made.unit, tuple(sizes), has, change, made.supply, words_with_part, finest)


def _round_step(amount: float, steps: int) -> int:
    """1, 2 or 5 times a power of ten: about the amount divided into so many steps."""
    least = max(amount / steps, 1.0)
    power = 10 ** math.floor(math.log10(least))
    return int(next(k * power for k in (1, 2, 5, 10) if k * power >= least))


def shared_out(number: int, weights: Sequence[float]) -> list[int]:
    """A whole number in proportion to weights: whole parts, the largest remainders rounded up."""
    total = sum(weights)
    exact = [number * weight / total for weight in weights]
    parts = [math.floor(share + 1e-9) for share in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[: number - sum(parts)]:
        parts[i] += 1
    return parts


# Doses ----------------------------------------------------------------------------------------


def _deliveries(scenario: Scenario, goal: Goal, names: Sequence[str]) -> _Made | None:
    coming = [
        name
        for name in names
        if scenario.deliveries[name].doses and scenario.deliveries[name].arrives <= goal.by
    ]
    if not coming:
        return None
    doses = [scenario.deliveries[name].doses for name in coming]
    vial = math.lcm(
        *(scenario.vaccines[scenario.deliveries[name].vaccine].doses_per_vial for name in coming)
    )
    everyone = scenario.target * (1 if goal.scope == "first" else 2)
    most = max(everyone, sum(doses))
    step = vial * math.ceil(_round_step(most, _STEPS) / vial)

    def change(world: Scenario, size: int) -> Change:
        vials = shared_out(size // vial, doses)
        changes: Change = {}
        for name, more in zip(coming, vials, strict=True):
            there = world.deliveries[name]
            changes[name] = {"doses": there.doses + more * vial}
            if there.announced_doses is not None:
                changes[name]["announced_doses"] = there.announced_doses + more * vial
        return {"deliveries": changes}

    return _Made(
        range(step, most + step, step),
        sum(doses),
        change,
        lambda n: ngettext("{n} more dose delivered", "{n} more doses delivered", n).format(
            n=f"{n:,}"
        ),
        vial,
    )


def _earlier_deliveries(scenario: Scenario, goal: Goal, names: Sequence[str]) -> _Made | None:
    first = scenario.campaign.first_day
    latest = max((scenario.deliveries[name].arrives for name in names), default=first)

    def change(world: Scenario, size: int) -> Change:
        changes: Change = {}
        for name in names:
            there = world.deliveries[name]
            changes[name] = {"arrives": sooner(there.arrives, size, first)}
            if there.announced_arrival is not None:
                changes[name]["announced_arrival"] = sooner(there.announced_arrival, size, first)
        return {"deliveries": changes}

    return _Made(
        range(1, (latest - first).days + 1), _days(scenario, goal), change,
        lambda n: ngettext(
            "deliveries {n} day earlier", "deliveries {n} days earlier", n
        ).format(n=n),
    )  # fmt: skip


def sooner(day: date, days: int | None, not_before: date) -> str:
    """A date so many days earlier, but not before another (None: on that); never later."""
    earliest = min(day, not_before)
    moved = earliest if days is None else max(day - timedelta(days=days), earliest)
    return moved.isoformat()


def _days(scenario: Scenario, goal: Goal) -> int:
    """Days from the campaign's first to the goal's: what dates are moved in."""
    return (goal.by - scenario.campaign.first_day).days + 1


def _extra_doses(scenario: Scenario, goal: Goal, names: Sequence[str]) -> _Made | None:
    used = {delivery.vaccine for delivery in scenario.deliveries.values()}
    drawn = {name: scenario.vaccines[name].extra_doses_per_vial for name in names if name in used}
    multi = [name for name in drawn if scenario.vaccines[name].doses_per_vial > 1]
    most = EXTRA_DOSES_AT_MOST - min((drawn[name] for name in multi), default=EXTRA_DOSES_AT_MOST)

    def change(world: Scenario, size: int) -> Change:
        extra = {n: max(drawn[n], min(drawn[n] + size, EXTRA_DOSES_AT_MOST)) for n in multi}
        return {"vaccines": {name: {"extra_doses_per_vial": n} for name, n in extra.items()}}

    labels = [scenario.vaccines[name].doses_per_vial for name in multi]
    return _Made(
        range(1, most + 1), max(labels, default=0), change,
        lambda n: ngettext(
            "{n} extra dose from each vial", "{n} extra doses from each vial", n
        ).format(n=n),
    )  # fmt: skip


# Units ----------------------------------------------------------------------------------------


def slots_a_day(scenario: Scenario) -> int:
    """Appointments that all units give on a day on which they are open, before overbooking."""
    return sum(unit_slots(unit) for unit in scenario.units.values())


class _Place(NamedTuple):
    """Where hours and staff of units are written: in their type, or in a unit itself."""

    table: str
    name: str
    says: UnitType
    units: int
    """how many follow it"""


def _places(scenario: Scenario, types: Sequence[str]) -> list[_Place]:
    """A type stands for the units that say nothing of their own about stations, hours or slots."""
    own = {"stations", "slots_per_day", "opens", "closes", "open_days"}
    written = file_data(scenario)["units"]
    places: list[_Place] = []
    for kind in types:
        members = [name for name, unit in scenario.units.items() if unit.type == kind]
        apart = [name for name in members if own & set(written[name])]
        follow = len(members) - len(apart)
        places.append(_Place("unit_types", kind, scenario.unit_types[kind], follow))
        places += [_Place("units", name, scenario.units[name], 1) for name in apart]
    return places


def _change_places(
    scenario: Scenario, types: Sequence[str], change: Callable[[UnitType], Change]
) -> Change:
    """The same change to every place of these types."""
    changes: Change = {"unit_types": {}, "units": {}}
    for place in _places(scenario, types):
        changes[place.table][place.name] = change(place.says)
    return changes


def _vaccinators(scenario: Scenario, goal: Goal, names: Sequence[str]) -> _Made | None:
    places = [
        (place.says, place.units)
        for place in _places(scenario, names)
        if place.units and math.isfinite(_narrowest(place.says)[1])
    ]
    narrow = {_most_staff(place.stations[_narrowest(place)[0]]) for place, _number in places}
    factors = sorted({1 + k / n for n in narrow for k in range(1, 3 * n + 1)})
    factor_of: dict[int, float] = {}
    for factor in factors[: 4 * _STEPS]:
        more = sum(number * _staff_added(place, factor) for place, number in places)
        if more:
            factor_of.setdefault(more, factor)

    def change(world: Scenario, size: int) -> Change:
        return _change_places(world, names, lambda place: _reinforced(place, factor_of[size]))

    present = sum(
        number * _most_staff(station)
        for place, number in places
        for station in place.stations.values()
        if station.kind != "observation"
    )

    def words(size: int) -> str:
        slots = slots_a_day(pulled_by(scenario, change(scenario, size)))
        more = slots - slots_a_day(scenario)
        return ngettext(
            "{staff} more staff at the units ({slots} slot a day more)",
            "{staff} more staff at the units ({slots} slots a day more)",
            more,
        ).format(staff=f"{size:,}", slots=f"{more:,}")

    return _Made(sorted(factor_of), present, change, words)


def _most_staff(station: Station) -> int:
    times = [shift.start for shift in station.shifts]
    return (
        max(
            sum(shift.staff for shift in station.shifts if shift.start <= t < shift.end)
            for t in times
        )
        if times
        else station.staff
    )


def _narrowest(place: UnitType) -> tuple[str, float]:
    """The station that limits the appointments, and its patients a day.

    Where appointments are set by hand, below what the staff can do, it is the vaccination.
    """
    capacity = {
        name: station_capacity(s, place)["throughput"] for name, s in place.stations.items()
    }
    if place.slots_per_day is not None:
        name = next(n for n, s in place.stations.items() if s.kind == "vaccination")
        return name, float(place.slots_per_day)
    name = min(capacity, key=lambda station: capacity[station])
    return name, capacity[name]


def _reinforced(place: UnitType, factor: float) -> Change:
    """Staff for so many times the appointments, in whole persons at the narrowest station."""
    name, today = _narrowest(place)
    if not 0 < today < math.inf:
        return {}
    narrow = _most_staff(place.stations[name])
    grows = times(narrow, factor) / narrow
    changes: Change = {}
    for station_name, station in place.stations.items():
        spare = (
            1.0 if station_name == name else station_capacity(station, place)["throughput"] / today
        )
        needed = grows / spare
        if needed > 1 + 1e-9:
            changes[station_name] = more_staff(
                "staff", station.staff, station.shifts, partial(times, factor=needed)
            )
    result: Change = {"stations": changes}
    if place.slots_per_day is not None:
        result["slots_per_day"] = math.floor(place.slots_per_day * grows + 1e-9)
    return result


def more_staff(
    name: str, staff: int, shifts: Sequence[Shift], more: Callable[[int], int]
) -> Change:
    """More on duty, in each shift if there are shifts; `name` is what they are called."""
    if not shifts:
        return {name: more(staff)}
    return {
        "shifts": [
            {**shift.model_dump(mode="json"), "staff": more(shift.staff)} for shift in shifts
        ]
    }


def times(number: int, factor: float) -> int:
    """So many times as many, rounded up."""
    return math.ceil(number * factor - 1e-9)


def _staff_added(place: UnitType, factor: float) -> int:
    """Staff (not seats of observation) that `_reinforced` adds."""
    added = 0
    for name, change in _reinforced(place, factor).get("stations", {}).items():
        station = place.stations[name]
        if station.kind != "observation":
            after = Station.model_validate(
                merge(station.model_dump(mode="json", by_alias=True), change)
            )
            added += _most_staff(after) - _most_staff(station)
    return added


def _open_days(scenario: Scenario, goal: Goal, names: Sequence[str]) -> _Made | None:
    places = [place.says for place in _places(scenario, names) if place.units]
    closed = [day for day in WEEKDAYS if any(day not in place.open_days for place in places)]

    def change(world: Scenario, size: int) -> Change:
        def opened(place: UnitType) -> Change:
            days = {*place.open_days, *closed[-size:]}
            return {"open_days": [day for day in WEEKDAYS if day in days]}

        return _change_places(world, names, opened)

    week = max((len(place.open_days) for place in places), default=0)

    def words(size: int) -> str:
        more = closed[-size:]
        days = _(" and ").join(_(_WEEKDAYS[WEEKDAYS.index(day)]) for day in more)
        if size > _FEW_NAMED:
            if size == len(closed):
                return _("units open every day")
            days = days_of_week(more)
        return _("units open on {days} too").format(days=days)

    return _Made(range(1, len(closed) + 1), week, change, words)


def _hours(scenario: Scenario, goal: Goal, names: Sequence[str]) -> _Made | None:
    places = [place.says for place in _places(scenario, names) if place.units]
    latest = max((place.closes for place in places), default=24 * 60)
    longest = max((place.closes - place.opens for place in places), default=0)

    def change(world: Scenario, size: int) -> Change:
        return _change_places(world, names, lambda place: _longer(place, 60 * size))

    return _Made(
        range(1, min((24 * 60 - latest) // 60, 4) + 1), longest / 60, change,
        lambda n: ngettext("units open {n} hour longer", "units open {n} hours longer", n).format(
            n=n
        ),
    )  # fmt: skip


def _longer(place: UnitType, minutes: int) -> Change:
    """Closing later; whose shift lasts to closing stays."""
    closes = clock(place.closes + minutes)
    change: Change = {"closes": closes, "stations": {}}
    for name, station in place.stations.items():
        if station.shifts:
            shifts = [
                {**shift.model_dump(mode="json"), **({"end": closes} if stays else {})}
                for shift in station.shifts
                for stays in [shift.end >= place.closes]
            ]
            change["stations"][name] = {"shifts": shifts}
    if place.slots_per_day is not None:
        hours = place.closes - place.opens
        change["slots_per_day"] = place.slots_per_day * (hours + minutes) // hours
    return change


# People and intervals -------------------------------------------------------------------------


def _turns(scenario: Scenario, goal: Goal, names: Sequence[str]) -> _Made | None:
    first = scenario.campaign.vaccination_from
    latest = max((scenario.groups[name].turn_from for name in names), default=first)

    def change(world: Scenario, size: int) -> Change:
        return {
            "groups": {
                name: {"turn_from": sooner(world.groups[name].turn_from, size, first)}
                for name in names
            }
        }

    return _Made(
        range(1, (latest - first).days + 1), _days(scenario, goal), change,
        lambda n: ngettext("turns {n} day earlier", "turns {n} days earlier", n).format(n=n),
    )  # fmt: skip


def _interval(scenario: Scenario, goal: Goal, names: Sequence[str]) -> _Made | None:
    two = [name for name in names if scenario.regimens[name].second is not None]
    counts = goal.scope != "first" and scenario.campaign.complete_with == "all_doses"
    longest = max((scenario.regimens[name].min_days for name in two), default=0)
    most = longest - SHORTEST_INTERVAL_DAYS if counts else 0

    def change(world: Scenario, size: int) -> Change:
        changes = {}
        for name in two:
            there = world.regimens[name]
            least = min(there.min_days, SHORTEST_INTERVAL_DAYS)
            days = max(there.min_days - size, least)
            target = max(there.target_days - size, days)
            changes[name] = {"min_days": days, "target_days": target}
        return {"regimens": changes}

    return _Made(
        range(7, most + 1, 7), longest, change,
        lambda n: ngettext(
            "the interval between doses {n} day shorter",
            "the interval between doses {n} days shorter",
            n,
        ).format(n=n),
    )  # fmt: skip


def _registration(scenario: Scenario, goal: Goal, names: Sequence[str]) -> _Made | None:
    calling = [
        name
        for name in names
        if scenario.groups[name].people and not scenario.groups[name].booked_in_advance
    ]
    calling.sort(key=lambda name: -scenario.groups[name].people)
    people = [scenario.groups[name].people for name in calling]
    sizes = [sum(people[: n + 1]) for n in range(len(people))]

    def change(world: Scenario, size: int) -> Change:
        listed = calling[: sizes.index(size) + 1]
        return {"groups": {name: {"booked_in_advance": True} for name in listed}}

    def words(size: int) -> str:
        listed = calling[: sizes.index(size) + 1]
        groups = _(" and ").join(map(named, listed))
        if len(listed) > _FEW_NAMED:
            groups = ngettext("{n} group", "{n} groups", len(listed)).format(n=len(listed))
        return _("registered in advance: {groups} ({people} people)").format(
            groups=groups, people=f"{size:,}"
        )

    return _Made(sizes, scenario.target, change, words)


# The telephone --------------------------------------------------------------------------------


def _agents(scenario: Scenario, goal: Goal, names: Sequence[str]) -> _Made | None:
    centre = scenario.call_centre
    on_duty = [_most_on_duty(centre.pools[name], centre) for name in names]
    everyone = sum(_most_on_duty(pool, centre) for pool in centre.pools.values())
    total = sum(on_duty)
    if not total:
        return None
    step = _round_step(total, 20)

    def change(world: Scenario, size: int) -> Change:
        pools: Change = {}
        for name, number, more in zip(names, on_duty, shared_out(size, on_duty), strict=True):
            pool = world.call_centre.pools[name]
            if not pool.shifts:
                pools[name] = {"agents": pool.agents + more}
            elif number:
                in_proportion = partial(times, factor=1 + more / number)
                pools[name] = more_staff("agents", pool.agents, pool.shifts, in_proportion)
        lines = times(world.call_centre.lines, 1 + size / everyone)
        return {"call_centre": {"pools": pools, "lines": lines}}

    return _Made(
        range(step, 9 * total + step, step), total, change,
        lambda n: ngettext(
            "{n} more agent, with lines in proportion",
            "{n} more agents, with lines in proportion",
            n,
        ).format(n=f"{n:,}"),
        1,
    )  # fmt: skip


def _most_on_duty(pool: Pool, centre: CallCentre) -> int:
    """Agents of a pool when most of them are there."""
    _times, numbers = staff_steps(
        pool.agents, pool.shifts, pool.breaks, centre.opens, centre.closes
    )
    return int(numbers.max(initial=0))


def _lines(scenario: Scenario, goal: Goal, names: Sequence[str]) -> _Made | None:
    lines = scenario.call_centre.lines
    step = _round_step(lines, 10)

    def change(world: Scenario, size: int) -> Change:
        return {"call_centre": {"lines": world.call_centre.lines + size}}

    return _Made(
        range(step, 4 * lines + step, step), lines, change,
        lambda n: ngettext("{n} more line", "{n} more lines", n).format(n=f"{n:,}"), 1,
    )  # fmt: skip


def _other_channels(scenario: Scenario, goal: Goal, names: Sequence[str]) -> _Made | None:
    bookings = scenario.other_channels.bookings_per_day
    step = _round_step(max(bookings, scenario.target / 100), 20)

    def change(world: Scenario, size: int) -> Change:
        return {"other_channels": {"bookings_per_day": bookings + size}}

    most = max(4 * bookings, scenario.target // 10)
    return _Made(
        range(step, most + step, step), max(bookings, 1), change,
        lambda n: ngettext(
            "{n} more booking a day through other channels",
            "{n} more bookings a day through other channels",
            n,
        ).format(n=f"{n:,}"),
        1,
    )  # fmt: skip


def _none(scenario: Scenario) -> Iterable[str]:
    return ()


FAMILIES: Mapping[str, Family] = {
    "deliveries": Family(
        _deliveries, N_("doses"), lambda s: s.deliveries, True,
        N_("no delivery comes by the goal's day"),
    ),
    "earlier_deliveries": Family(
        _earlier_deliveries, N_("days"), lambda s: s.deliveries, True,
        N_("all deliveries come on the first day, or there are none"),
    ),
    "extra_doses": Family(
        _extra_doses, N_("doses a vial"), lambda s: s.vaccines, True,
        N_("no vial gives more: {extra} extra doses are drawn, or it holds one"),
    ),
    "vaccinators": Family(
        _vaccinators, N_("staff"), lambda s: s.unit_types, True,
        N_("no unit is limited by its staff"),
    ),
    "open_days": Family(
        _open_days, N_("days a week"), lambda s: s.unit_types, True, N_("all units open every day")
    ),
    "hours": Family(
        _hours, N_("hours a day"), lambda s: s.unit_types, True,
        N_("units close at midnight already"),
    ),
    "turns": Family(
        _turns, N_("days"), lambda s: s.groups, True,
        N_("all groups have their turn from the first day"),
    ),
    "interval": Family(
        _interval, N_("days"), lambda s: s.regimens, True,
        N_(
            "no second dose counts for the goal, or no interval can be a week shorter: "
            "{least} days are the least between two doses"
        ),
    ),
    "agents": Family(
        _agents, N_("agents"), lambda s: s.call_centre.pools, False, N_("there are no agents")
    ),
    "lines": Family(_lines, N_("lines"), _none, False, N_("there are no lines")),
    "other_channels": Family(
        _other_channels, N_("bookings a day"), _none, False, N_("there are no other channels")
    ),
    "registration": Family(
        _registration, N_("people"), lambda s: s.groups, False,
        N_("everyone is registered in advance"),
    ),
}  # fmt: skip
"""Levers by name, in the order in which they are moved."""
