"""The kinds of levers: each a change of a scenario in sizes, its unit, and what it may move.

`levers.py` says what each of them is, and makes levers of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sim.experiment.changes import Change, more_staff, shared_out, sooner, times
from sim.experiment.goals import Goal
from sim.experiment.measures import on
from sim.experiment.unit_levers import FEW_NAMED, Made, hours, open_days, vaccinators
from sim.language import N_, _, named, ngettext
from sim.model.shifts import staff_steps
from sim.scenario import CallCentre, Pool, Scenario

EXTRA_DOSES_AT_MOST = 2
SHORTEST_INTERVAL_DAYS = 28
"""The least interval on AstraZeneca's label."""
_STEPS = 500


@dataclass(frozen=True)
class Family:
    """How the levers of one name are made."""

    make: Callable[[Scenario, Goal, Sequence[str]], Made | None]
    """from the names of the parts to be moved; None: the scenario does not have it"""
    unit: str
    parts: Callable[[Scenario], Iterable[str]]
    """names of what can be moved alone"""
    supply: bool
    idle: str
    """why a scenario may not have it ({extra}: the most extra doses; {least}: shortest interval)"""
    all_parts: str
    """how it is said that all parts that can be moved are ({n} of them, at least two); or empty"""
    held: Callable[[Scenario, str], float] | None = None
    """What a part holds of all that is moved, where a size moves every part by as much (days);
    None: where a size is a number that the parts share out among them (doses, staff)."""
    part_words: Callable[[Scenario, str], str] | None = lambda scenario, name: named(name)
    """a part in words; None: the words of the change name it already"""


def _round_step(amount: float, steps: int) -> int:
    """1, 2 or 5 times a power of ten: about the amount divided into so many steps."""
    least = max(amount / steps, 1.0)
    power = 10 ** math.floor(math.log10(least))
    return int(next(k * power for k in (1, 2, 5, 10) if k * power >= least))


# Doses ----------------------------------------------------------------------------------------


def _deliveries(scenario: Scenario, goal: Goal, names: Sequence[str]) -> Made | None:
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

    return Made(
        range(step, most + step, step),
        sum(doses),
        change,
        lambda n: ngettext("{n} more dose delivered", "{n} more doses delivered", n).format(
            n=f"{n:,}"
        ),
        vial,
    )


def _earlier_deliveries(scenario: Scenario, goal: Goal, names: Sequence[str]) -> Made | None:
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

    return Made(
        range(1, (latest - first).days + 1), _days(scenario, goal), change,
        lambda n: ngettext(
            "deliveries {n} day earlier", "deliveries {n} days earlier", n
        ).format(n=n),
    )  # fmt: skip


def _days(scenario: Scenario, goal: Goal) -> int:
    """Days from the campaign's first to the goal's: what dates are moved in."""
    return (goal.by - scenario.campaign.first_day).days + 1


def _extra_doses(scenario: Scenario, goal: Goal, names: Sequence[str]) -> Made | None:
    used = {delivery.vaccine for delivery in scenario.deliveries.values()}
    drawn = {name: scenario.vaccines[name].extra_doses_per_vial for name in names if name in used}
    multi = [name for name in drawn if scenario.vaccines[name].doses_per_vial > 1]
    most = EXTRA_DOSES_AT_MOST - min((drawn[name] for name in multi), default=EXTRA_DOSES_AT_MOST)

    def change(world: Scenario, size: int) -> Change:
        extra = {n: max(drawn[n], min(drawn[n] + size, EXTRA_DOSES_AT_MOST)) for n in multi}
        return {"vaccines": {name: {"extra_doses_per_vial": n} for name, n in extra.items()}}

    labels = [scenario.vaccines[name].doses_per_vial for name in multi]
    return Made(
        range(1, most + 1), max(labels, default=0), change,
        lambda n: ngettext(
            "{n} extra dose from each vial", "{n} extra doses from each vial", n
        ).format(n=n),
    )  # fmt: skip


# People and intervals -------------------------------------------------------------------------


def _turns(scenario: Scenario, goal: Goal, names: Sequence[str]) -> Made | None:
    first = scenario.campaign.vaccination_from
    latest = max((scenario.groups[name].turn_from for name in names), default=first)

    def change(world: Scenario, size: int) -> Change:
        return {
            "groups": {
                name: {"turn_from": sooner(world.groups[name].turn_from, size, first)}
                for name in names
            }
        }

    return Made(
        range(1, (latest - first).days + 1), _days(scenario, goal), change,
        lambda n: ngettext("turns {n} day earlier", "turns {n} days earlier", n).format(n=n),
    )  # fmt: skip


def _interval(scenario: Scenario, goal: Goal, names: Sequence[str]) -> Made | None:
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

    return Made(
        range(7, most + 1, 7), longest, change,
        lambda n: ngettext(
            "the interval between doses {n} day shorter",
            "the interval between doses {n} days shorter",
            n,
        ).format(n=n),
    )  # fmt: skip


def _registration(scenario: Scenario, goal: Goal, names: Sequence[str]) -> Made | None:
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
        if len(listed) > FEW_NAMED:
            groups = ngettext("{n} group", "{n} groups", len(listed)).format(n=len(listed))
        return _("registered in advance: {groups} ({people} people)").format(
            groups=groups, people=f"{size:,}"
        )

    return Made(sizes, scenario.target, change, words)


# The telephone --------------------------------------------------------------------------------


def _agents(scenario: Scenario, goal: Goal, names: Sequence[str]) -> Made | None:
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

    return Made(
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


def _lines(scenario: Scenario, goal: Goal, names: Sequence[str]) -> Made | None:
    lines = scenario.call_centre.lines
    step = _round_step(lines, 10)

    def change(world: Scenario, size: int) -> Change:
        return {"call_centre": {"lines": world.call_centre.lines + size}}

    return Made(
        range(step, 4 * lines + step, step), lines, change,
        lambda n: ngettext("{n} more line", "{n} more lines", n).format(n=f"{n:,}"), 1,
    )  # fmt: skip


def _other_channels(scenario: Scenario, goal: Goal, names: Sequence[str]) -> Made | None:
    bookings = scenario.other_channels.bookings_per_day
    step = _round_step(max(bookings, scenario.target / 100), 20)

    def change(world: Scenario, size: int) -> Change:
        return {"other_channels": {"bookings_per_day": bookings + size}}

    most = max(4 * bookings, scenario.target // 10)
    return Made(
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


def _delivery(scenario: Scenario, name: str) -> str:
    """A delivery by its name and its day."""
    return f"{named(name)}, {on(scenario.deliveries[name].arrives)}"


def _doses_of(scenario: Scenario, vaccine: str) -> float:
    return sum(d.doses for d in scenario.deliveries.values() if d.vaccine == vaccine)


def _units_of(scenario: Scenario, kind: str) -> float:
    return sum(unit.type == kind for unit in scenario.units.values())


FAMILIES: Mapping[str, Family] = {
    "deliveries": Family(
        _deliveries, N_("doses"), lambda s: s.deliveries, True,
        N_("no delivery comes by the goal's day"),
        N_("in proportion over {n} deliveries"), None, _delivery,
    ),
    "earlier_deliveries": Family(
        _earlier_deliveries, N_("days"), lambda s: s.deliveries, True,
        N_("all deliveries come on the first day, or there are none"),
        N_("each of {n} deliveries"), lambda s, name: s.deliveries[name].doses, _delivery,
    ),
    "extra_doses": Family(
        _extra_doses, N_("doses a vial"), lambda s: s.vaccines, True,
        N_("no vial gives more: {extra} extra doses are drawn, or it holds one"),
        N_("each of {n} vaccines"), _doses_of,
    ),
    "vaccinators": Family(
        vaccinators, N_("staff"), lambda s: s.unit_types, True,
        N_("no unit is limited by its staff"),
        N_("in proportion over {n} types of unit"),
    ),
    "open_days": Family(
        open_days, N_("days a week"), lambda s: s.unit_types, True, N_("all units open every day"),
        N_("each of {n} types of unit"), _units_of,
    ),
    "hours": Family(
        hours, N_("hours a day"), lambda s: s.unit_types, True,
        N_("units close at midnight already"),
        N_("each of {n} types of unit"), _units_of,
    ),
    "turns": Family(
        _turns, N_("days"), lambda s: s.groups, True,
        N_("all groups have their turn from the first day"),
        N_("each of {n} groups"), lambda s, name: s.groups[name].people,
    ),
    "interval": Family(
        _interval, N_("days"), lambda s: s.regimens, True,
        N_(
            "no second dose counts for the goal, or no interval can be a week shorter: "
            "{least} days are the least between two doses"
        ),
        N_("each of {n} regimens"), lambda s, name: 1.0,
    ),
    "agents": Family(
        _agents, N_("agents"), lambda s: s.call_centre.pools, False, N_("there are no agents"),
        N_("shared out over {n} pools"),
    ),
    "lines": Family(_lines, N_("lines"), _none, False, N_("there are no lines"), ""),
    "other_channels": Family(
        _other_channels, N_("bookings a day"), _none, False, N_("there are no other channels"), ""
    ),
    "registration": Family(
        _registration, N_("people"), lambda s: s.groups, False,
        N_("everyone is registered in advance"), "", None, None,
    ),
}  # fmt: skip
"""Levers by name, in the order in which they are moved."""
