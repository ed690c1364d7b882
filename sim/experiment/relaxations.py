"""Relaxations: one constraint of a campaign holds back less, or as little as can be.

For each constraint of `binding.py` that can be moved, one or two sizes. Everything else stays as it
is, above all where people live and their luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sim.experiment.changes import Change, more_staff, pulled_by, sooner, times
from sim.language import N_
from sim.model.capacity import unit_slots
from sim.scenario import WEEKDAYS, Scenario, Unit

_HALF_MORE, _TWICE, _TENFOLD = 1.5, 2.0, 10.0
_MANY, _MANY_STAFF = 1_000_000_000, 100_000
"""What a scenario allows."""


@dataclass(frozen=True)
class Relaxation:
    """So much more of what a constraint lacks."""

    words: str
    change: Callable[[Scenario], Change]
    by_date: bool = False
    """whether it moves a date or an interval, which helps from some day on and not before"""

    def applied(self, scenario: Scenario) -> Scenario:
        """The scenario with more of it; the same one where there is nothing to relax."""
        return pulled_by(scenario, self.change(scenario))


def _more(number: int, factor: float, most: int = _MANY) -> int:
    return min(times(number, factor), most)


def _stations(unit: Unit, factor: float) -> Change:
    """More staff at every station."""
    more = partial(_more, factor=factor, most=_MANY_STAFF)
    return {
        name: more_staff("staff", station.staff, station.shifts, more)
        for name, station in unit.stations.items()
    }


def _slots(factor: float) -> Callable[[Scenario], Change]:
    """More appointments, and the staff for them; people keep their home units."""

    def change(scenario: Scenario) -> Change:
        units = {
            name: {
                "slots_per_day": _more(unit_slots(unit), factor),
                "stations": _stations(unit, factor),
                "catchment_weight": _weight(unit),
            }
            for name, unit in scenario.units.items()
        }
        return {"units": units}

    return change


def _weight(unit: Unit) -> float:
    return float(unit_slots(unit)) if unit.catchment_weight is None else unit.catchment_weight


def _staff_on_the_day(factor: float) -> Callable[[Scenario], Change]:
    """More staff for the same appointments."""

    def change(scenario: Scenario) -> Change:
        units = {
            name: {"slots_per_day": unit_slots(unit), "stations": _stations(unit, factor)}
            for name, unit in scenario.units.items()
        }
        return {"units": units}

    return change


def _open(days: int) -> Callable[[Scenario], Change]:
    """Units open on so many more days of the week."""

    def change(scenario: Scenario) -> Change:
        units = {}
        for name, unit in scenario.units.items():
            closed = [day for day in WEEKDAYS if day not in unit.open_days]
            opened = {*unit.open_days, *closed[-days:]}
            units[name] = {"open_days": [day for day in WEEKDAYS if day in opened]}
            if days == len(WEEKDAYS):
                units[name]["closed_dates"] = []
        return {"units": units}

    return change


def _doses_in_deliveries(scenario: Scenario) -> Change:
    """Half as many again with each delivery."""
    deliveries = {}
    for name, parcel in scenario.deliveries.items():
        vial = scenario.vaccines[parcel.vaccine].doses_per_vial
        more = vial * math.ceil(parcel.doses * (_HALF_MORE - 1) / vial)
        deliveries[name] = {"doses": parcel.doses + more}
        if parcel.announced_doses is not None:
            deliveries[name]["announced_doses"] = parcel.announced_doses + more
    return {"deliveries": deliveries}


def _doses_for_everyone(scenario: Scenario) -> Change:
    """All doses that people could need, of every vaccine, on the first day."""
    deliveries = {}
    for name, vaccine in scenario.vaccines.items():
        vial = vaccine.doses_per_vial
        sure = (1 - vaccine.storage_loss) or 1
        vials = min(math.ceil(4 * scenario.target / sure / vial), _MANY // vial)
        deliveries[f"plenty_{name}"] = {
            "vaccine": name,
            "arrives": scenario.campaign.first_day.isoformat(),
            "doses": vials * vial,
        }
    return {"deliveries": deliveries}


def _vials_of_one(scenario: Scenario) -> Change:
    """As many usable doses, each in a vial of its own."""
    deliveries: Change = {}
    for name, parcel in scenario.deliveries.items():
        vaccine = scenario.vaccines[parcel.vaccine]
        usable = vaccine.doses_per_vial + vaccine.extra_doses_per_vial
        deliveries[name] = {"doses": parcel.doses // vaccine.doses_per_vial * usable}
        if parcel.announced_doses is not None:
            announced = parcel.announced_doses // vaccine.doses_per_vial * usable
            deliveries[name]["announced_doses"] = announced
    single = {"doses_per_vial": 1, "extra_doses_per_vial": 0}
    return {
        "vaccines": dict.fromkeys(scenario.vaccines, single),
        "deliveries": deliveries,
    }


def _turns(days: int | None) -> Callable[[Scenario], Change]:
    """Earlier by so many days; or on the first day."""

    def change(scenario: Scenario) -> Change:
        groups = {
            name: {"turn_from": sooner(group.turn_from, days, scenario.campaign.first_day)}
            for name, group in scenario.groups.items()
        }
        return {"groups": groups}

    return change


def _telephone(factor: float, at_least: int = 0) -> Callable[[Scenario], Change]:
    """More lines and agents."""

    def more(agents: int) -> int:
        return max(_more(agents, factor, _MANY_STAFF), at_least)

    def change(scenario: Scenario) -> Change:
        centre = scenario.call_centre
        pools = {
            name: more_staff("agents", pool.agents, pool.shifts, more)
            for name, pool in centre.pools.items()
        }
        lines = max(_more(centre.lines, factor), at_least)
        return {"call_centre": {"lines": lines, "pools": pools}}

    return change


def _other_channels(factor: float | None) -> Callable[[Scenario], Change]:
    """More bookings a day; or as many as there are people."""

    def change(scenario: Scenario) -> Change:
        there = scenario.other_channels.bookings_per_day
        number = scenario.target if factor is None else _more(there, factor)
        return {"other_channels": {"bookings_per_day": max(number, there)}}

    return change


def _first_calls(scenario: Scenario) -> Change:
    """Everyone calls or comes on the first day."""
    at_once = [{"opens": scenario.campaign.first_day.isoformat(), "share": 1.0, "mean_days": 0.01}]
    groups = {n: {"first_calls": at_once} for n, group in scenario.groups.items()
              if group.first_calls}  # fmt: skip
    return {"groups": groups}


def _in_advance(scenario: Scenario) -> Change:
    return {"groups": {name: {"booked_in_advance": True} for name in scenario.groups}}


def _willing(part: float) -> Callable[[Scenario], Change]:
    """So much of the unwilling become willing."""

    def change(scenario: Scenario) -> Change:
        groups = {}
        for name, group in scenario.groups.items():
            groups[name] = {
                "willing": group.willing + part * (1 - group.willing),
                "books_when_answered": group.books_when_answered
                + part * (1 - group.books_when_answered),
            }
        return {"groups": groups}

    return change


def _no_show(part: float) -> Callable[[Scenario], Change]:
    """So much of the missed appointments are kept."""

    def change(scenario: Scenario) -> Change:
        return {"appointments": {"no_show": scenario.appointments.no_show * (1 - part)}}

    return change


def _interval(half: bool) -> Callable[[Scenario], Change]:
    """Half as long, or the second dose on the next day."""

    def change(scenario: Scenario) -> Change:
        regimens: Change = {}
        for name, regimen in scenario.regimens.items():
            if regimen.second is not None:
                days = regimen.min_days // 2 if half else 1
                least = min(regimen.min_days, max(days, 1))
                regimens[name] = {"min_days": least, "target_days": least}
        return {"regimens": regimens}

    return change


RELAXATIONS: dict[str, list[Relaxation]] = {
    "slots": [
        Relaxation(N_("half as many again, with staff for them"), _slots(_HALF_MORE)),
        Relaxation(N_("twice as many, with staff for them"), _slots(_TWICE)),
    ],
    "closed": [
        Relaxation(N_("open one more day a week"), _open(1)),
        Relaxation(N_("open every day"), _open(7)),
    ],
    "doses": [
        Relaxation(N_("half as many again in each delivery"), _doses_in_deliveries),
        Relaxation(N_("enough for everyone on the first day"), _doses_for_everyone),
    ],
    "thrown_away": [Relaxation(N_("each dose in a vial of its own"), _vials_of_one)],
    "turn": [
        Relaxation(N_("a week earlier"), _turns(7), by_date=True),
        Relaxation(N_("from the first day"), _turns(None), by_date=True),
    ],
    "telephone": [
        Relaxation(N_("half as many lines and agents again"), _telephone(_HALF_MORE)),
        Relaxation(N_("ten times as many, at least ten"), _telephone(_TENFOLD, at_least=10)),
    ],
    "other_channels": [
        Relaxation(N_("half as many bookings a day again"), _other_channels(_HALF_MORE)),
        Relaxation(N_("without a limit"), _other_channels(None)),
    ],
    "registration": [
        Relaxation(N_("everyone calls or comes on the first day"), _first_calls),
        Relaxation(N_("everyone registered before the campaign"), _in_advance),
    ],
    "willingness": [
        Relaxation(N_("half of the unwilling"), _willing(0.5)),
        Relaxation(N_("everyone willing"), _willing(1.0)),
    ],
    "no_show": [
        Relaxation(N_("half of those missed"), _no_show(0.5)),
        Relaxation(N_("all of them"), _no_show(1.0)),
    ],
    "queue": [
        Relaxation(N_("half as many again for the same slots"), _staff_on_the_day(_HALF_MORE)),
        Relaxation(N_("ten times as many for the same slots"), _staff_on_the_day(_TENFOLD)),
    ],
    "interval": [
        Relaxation(N_("half as long"), _interval(half=True), by_date=True),
        Relaxation(N_("one day"), _interval(half=False), by_date=True),
    ],
}
"""By constraint, the largest last."""
