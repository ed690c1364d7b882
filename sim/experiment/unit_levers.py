"""Levers at the vaccination units: staff, open days, hours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from sim.experiment.changes import Change, more_staff, pulled_by, times
from sim.experiment.goals import Goal
from sim.language import N_, _, days_of_week, ngettext
from sim.model.capacity import station_capacity, unit_slots
from sim.scenario import WEEKDAYS, Scenario, Station, UnitType, clock, merge
from sim.scenario_files import file_data

_MOST_SIZES = 2000
"""Sizes of more staff that are looked at, at most."""
FEW_NAMED = 2
"""Weekdays or groups that are named one by one in words, at most."""
_WEEKDAYS = (
    N_("Mondays"), N_("Tuesdays"), N_("Wednesdays"), N_("Thursdays"), N_("Fridays"),
    N_("Saturdays"), N_("Sundays"),
)  # fmt: skip


class Made(NamedTuple):
    """How far something can be changed, and how."""

    sizes: Sequence[int]
    has: float
    change: Callable[[Scenario, int], Change]
    words: Callable[[int], str]
    finest: int | None = None


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


def vaccinators(scenario: Scenario, goal: Goal, names: Sequence[str]) -> Made | None:
    """More staff at the narrowest station of units of some types, the others following."""
    places = [
        (place.says, place.units)
        for place in _places(scenario, names)
        if place.units and math.isfinite(_narrowest(place.says)[1])
    ]
    narrow = {_most_staff(place.stations[_narrowest(place)[0]]) for place, _number in places}
    factors = sorted({1 + k / n for n in narrow for k in range(1, 3 * n + 1)})
    factor_of: dict[int, float] = {}
    for factor in factors[:_MOST_SIZES]:
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

    return Made(sorted(factor_of), present, change, words)


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


def open_days(scenario: Scenario, goal: Goal, names: Sequence[str]) -> Made | None:
    """More days of the week on which units of some types open, from the end of the week."""
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
        if size > FEW_NAMED:
            if size == len(closed):
                return _("units open every day")
            days = days_of_week(more)
        return _("units open on {days} too").format(days=days)

    return Made(range(1, len(closed) + 1), week, change, words)


def hours(scenario: Scenario, goal: Goal, names: Sequence[str]) -> Made | None:
    """Units of some types closing hours later."""
    places = [place.says for place in _places(scenario, names) if place.units]
    latest = max((place.closes for place in places), default=24 * 60)
    longest = max((place.closes - place.opens for place in places), default=0)

    def change(world: Scenario, size: int) -> Change:
        return _change_places(world, names, lambda place: _longer(place, 60 * size))

    return Made(
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
