"""What binds the ceiling, and what one more unit of it is worth: its shadow price."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np

from sim.experiment.coverage import Scope
from sim.experiment.feasibility import Solution, solve
from sim.experiment.limits import (
    TINY,
    Array,
    Arrival,
    Limits,
    expected_arrivals,
    limits_of,
    shipment_day,
    turn_day,
    willing_people,
)
from sim.experiment.measures import on
from sim.language import N_, _, named, ngettext
from sim.scenario import Regimen, Scenario

Kind = Literal[
    "doses",
    "arrivals",
    "slots",
    "turns",
    "people",
    "interval",
    "doses_and_people",
    "arrivals_and_turns",
]


@dataclass(frozen=True)
class Binding:
    """A limit, and what one more unit of it is worth for the ceiling of a day."""

    kind: Kind
    """doses: one more usable dose in a delivery. arrivals: a delivery one day sooner. slots: one
    more slot on one of the days. turns: a group's turn one day sooner. people: one more willing
    person in a group. interval: the shortest interval of a regimen one day less, or as many days
    less as it takes. doses_and_people, arrivals_and_turns: one more of both at once."""
    what: tuple[str, ...]
    """the deliveries, groups or regimens: any one of them (of pairs, these two)"""
    first: date
    last: date
    """the days on which it holds"""
    worth: float
    """people by whom one more unit, and nothing else, raises the ceiling"""
    words: str


def bindings(scenario: Scenario, scope: Scope, day: date) -> list[Binding]:
    """What holds the ceiling of a day, and what one more unit of it is worth.

    First all that is worth something, then every kind of which no unit is worth anything. The
    worth is the difference that one more unit makes (the right-hand difference of the optimum),
    found by solving again. The solver's dual values alone are not it: where several are optimal
    they say what a unit may be worth at most. So what has a dual value of 0 is worth nothing, and
    only the rest is solved again. Ties are the rule here (July's doses are as many as the people
    whose turn has come): then neither is worth anything alone, and both are tried together.
    """
    limits = limits_of(scenario)
    last = limits.number(day) - limits.lag(scope)
    base = solve(limits, scope, last)

    def worth(changed: Limits) -> float:
        more = solve(changed, scope, last).people - base.people
        return round(more, 6) if more > TINY else 0.0

    found = [
        *_doses_worth(scenario, limits, base, worth),
        *_slots_worth(limits, base, worth),
        *_people_worth(scenario, limits, base, worth),
        *_interval_worth(scenario, limits, base, worth),
    ]
    valued = {binding.kind for binding in found}
    if not valued & {"doses", "people"}:
        found += _dose_and_person_worth(limits, last, worth)
    if not valued & {"arrivals", "turns"}:
        found += _arrival_and_turn_worth(scenario, limits, last, worth)
    return sorted(found, key=lambda binding: _ORDER.index(binding.kind)) + [
        Binding(
            kind,
            (),
            limits.first_day,
            day,
            0.0,
            _("{one_more}: nobody").format(one_more=_(one_more)),
        )
        for kind, one_more in ONE_MORE.items()
        if kind not in valued and (kind != "interval" or limits.needs_second(scope))
    ]


Worth = Callable[[Limits], float]
"""People by whom changed limits raise the ceiling."""


def _doses_worth(
    scenario: Scenario, limits: Limits, base: Solution, worth: Worth
) -> Iterator[Binding]:
    """One more dose in each delivery, and each delivery one day sooner."""
    alike: dict[tuple[float, int], list[Arrival]] = {}
    for arrival in expected_arrivals(scenario):
        vaccine, usable = arrival.vaccine, shipment_day(scenario, arrival.day)
        short = np.flatnonzero(base.doses[vaccine, usable:] > TINY) + usable
        if short.size:
            gain = worth(_with_doses(limits, vaccine, usable, limits.days, 1.0))
            alike.setdefault((gain, int(short[-1])), []).append(arrival)
        sooner = shipment_day(scenario, arrival.day - 1) if arrival.day else usable
        if (base.doses[vaccine, sooner:usable] > TINY).any():
            gain = worth(_with_doses(limits, vaccine, sooner, usable, arrival.doses))
            words = _("the delivery {name} one day sooner").format(name=named(arrival.name))
            days = (sooner, usable - 1)
            yield from _binding(limits, "arrivals", [arrival.name], days, gain, words)
    for (gain, last), arrivals in alike.items():
        names = [arrival.name for arrival in arrivals]
        words = ngettext(
            "one more dose in the delivery {names}",
            "one more dose in any of the deliveries {names}",
            len(names),
        ).format(names=_listed(names))
        days = (min(shipment_day(scenario, arrival.day) for arrival in arrivals), last)
        yield from _binding(limits, "doses", names, days, gain, words)


def _with_doses(limits: Limits, vaccine: int, begin: int, end: int, doses: float) -> Limits:
    more = limits.come.copy()
    more[vaccine, begin:end] += doses
    return replace(limits, come=more)


def _slots_worth(limits: Limits, base: Solution, worth: Worth) -> Iterator[Binding]:
    """One more slot on each day, at the unit where it helps most; days with slots that follow one
    another and agree together."""
    gains = np.zeros(limits.days)
    # A slot also fills a vial, where there are more of them than the sessions use up.
    unused = ((base.doses > TINY) & (limits.doses < limits.come - TINY)).any(axis=0)
    fills = np.arange(limits.days) <= np.flatnonzero(unused).max(initial=-1)
    for day in np.flatnonzero((base.slots > TINY) | (fills & (limits.slots > 0))):
        one = np.zeros(limits.days)
        one[day] = 1.0
        gains[day] = max(
            worth(
                replace(
                    limits,
                    slots=limits.slots + one,
                    first_slots=limits.first_slots + one,
                    second_slots=limits.second_slots + one,
                    sessions=_fuller(limits.sessions, int(day), per_vial),
                )
            )
            for per_vial in set(limits.per_vial.tolist())
        )
    days = np.flatnonzero(limits.slots > 0)
    starts = np.flatnonzero(np.diff(gains[days], prepend=-1.0) != 0)
    for run in np.split(days, starts[1:]) if days.size else ():
        begin, end = on(limits.day(run[0])), on(limits.day(run[-1]))
        words = ngettext(
            "one more slot on {begin}",
            "one more slot on any of the {n} open days from {begin} to {end}",
            run.size,
        ).format(n=run.size, begin=begin, end=end)
        yield from _binding(limits, "slots", [], (run[0], run[-1]), gains[run[0]], words)


def _fuller(sessions: Array, day: int, per_vial: int) -> Array:
    """The sessions with one more person at that one of the day whose last vial is the fullest."""
    fuller = sessions.copy()
    finite = np.isfinite(sessions[:, day])
    in_last_vial = np.mod(sessions[:, day], per_vial, where=finite, out=np.full(finite.shape, -1.0))
    fuller[np.argmax(in_last_vial), day] += 1
    return fuller


def _people_worth(
    scenario: Scenario, limits: Limits, base: Solution, worth: Worth
) -> Iterator[Binding]:
    """One more willing person in each group, and each group's turn one day sooner."""
    alike: dict[tuple[float, int], list[str]] = {}
    for name, willing in willing_people(scenario).items():
        turn = turn_day(scenario, name)
        short = np.flatnonzero(base.turns[turn:] > TINY) + turn
        if short.size:
            gain = worth(_with_people(limits, turn, limits.days, 1.0))
            alike.setdefault((gain, int(short[-1])), []).append(name)
        if turn and base.turns[turn - 1] > TINY:
            gain = worth(_with_people(limits, turn - 1, turn, willing))
            words = _("the turn of the group {name} one day sooner").format(name=named(name))
            yield from _binding(limits, "turns", [name], (turn - 1, turn - 1), gain, words)
    for (gain, last), names in alike.items():
        words = ngettext(
            "one more willing person in the group {names}",
            "one more willing person in any of the groups {names}",
            len(names),
        ).format(names=_listed(names))
        days = (min(turn_day(scenario, name) for name in names), last)
        yield from _binding(limits, "people", names, days, gain, words)


def _with_people(limits: Limits, begin: int, end: int, people: float) -> Limits:
    more = limits.people.copy()
    more[begin:end] += people
    return replace(limits, people=more)


def _interval_worth(
    scenario: Scenario, limits: Limits, base: Solution, worth: Worth
) -> Iterator[Binding]:
    """The interval of each regimen one day shorter, or as much shorter as it takes."""
    for number, (name, regimen) in enumerate(scenario.regimens.items()):
        days = np.flatnonzero(base.interval[number] > TINY)
        if not days.size or not regimen.min_days:
            continue

        def gain(shorter: int, name: str = name, regimen: Regimen = regimen) -> float:
            changed = regimen.model_copy(update={"min_days": regimen.min_days - shorter})
            regimens = {**scenario.regimens, name: changed}
            return worth(limits_of(scenario.model_copy(update={"regimens": regimens})))

        one = gain(1)
        words = _("the interval of {regimen} ({days} days) one day shorter").format(
            regimen=named(name), days=regimen.min_days
        )
        until = (int(days[0]), int(days[-1]))
        yield from _binding(limits, "interval", [name], until, one, words)
        if one == 0 and gain(regimen.min_days) > 0:
            enough = 1 + bisect_left(range(1, regimen.min_days + 1), 1, key=lambda d: gain(d) > 0)
            words = _("an interval one day shorter: nobody; {days} days shorter").format(
                days=enough
            )
            yield from _binding(limits, "interval", [name], until, gain(enough), words)


def _dose_and_person_worth(limits: Limits, last: int, worth: Worth) -> Iterator[Binding]:
    """One more dose and one more person, who both come by the same day: the last such day."""
    for vaccine in dict.fromkeys(limits.first_vaccine.tolist()):

        def gain(begin: int, vaccine: int = vaccine) -> float:
            more = _with_doses(limits, vaccine, begin, limits.days, 1.0)
            return worth(_with_people(more, begin, limits.days, 1.0))

        if last >= 0 and gain(0):
            # earlier is never worse
            until = bisect_left(range(last + 1), 1, key=lambda begin: gain(begin) == 0) - 1
            words = _("one more dose with one more willing person, by {day}").format(
                day=on(limits.day(until))
            )
            days = (0, until)
            yield from _binding(limits, "doses_and_people", [], days, gain(until), words)
            return


def _arrival_and_turn_worth(
    scenario: Scenario, limits: Limits, last: int, worth: Worth
) -> Iterator[Binding]:
    """A delivery and the turn of the groups that have theirs on that day, both one day sooner."""
    for arrival in expected_arrivals(scenario):
        usable = shipment_day(scenario, arrival.day)
        sooner = shipment_day(scenario, arrival.day - 1) if arrival.day else usable
        groups = [name for name in scenario.groups if turn_day(scenario, name) == usable]
        if not groups or not sooner < usable or sooner > last:
            continue
        people = sum(willing_people(scenario)[name] for name in groups)
        more = _with_doses(limits, arrival.vaccine, sooner, usable, arrival.doses)
        gain = worth(_with_people(more, usable - 1, usable, people))
        words = _("the delivery {delivery} and the turn of {groups} one day sooner").format(
            delivery=named(arrival.name), groups=_(" and ").join(map(named, groups))
        )
        days = (sooner, usable - 1)
        yield from _binding(
            limits, "arrivals_and_turns", [arrival.name, *groups], days, gain, words
        )


def _binding(
    limits: Limits, kind: Kind, what: list[str], days: tuple[int, int], gain: float, words: str
) -> Iterator[Binding]:
    """The binding, unless it is worth nothing."""
    if gain > 0:
        first, last = (limits.day(number) for number in days)
        yield Binding(kind, tuple(what), first, last, gain, _worth_text(words, gain))


def _worth_text(one_more: str, people: float) -> str:
    text = ngettext("{one_more}: {n} person", "{one_more}: {n} people", people)
    return text.format(one_more=one_more, n=f"{people:,.10g}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(named, names))


ONE_MORE: Mapping[Kind, str] = {
    "doses": N_("one more dose"),
    "arrivals": N_("a delivery one day sooner"),
    "slots": N_("one more slot"),
    "turns": N_("a turn one day sooner"),
    "people": N_("one more willing person"),
    "interval": N_("an interval one day shorter"),
}
"""What one more unit of each limit is."""

_ORDER: tuple[Kind, ...] = (*ONE_MORE, "doses_and_people", "arrivals_and_turns")
