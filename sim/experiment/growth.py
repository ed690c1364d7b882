"""A scenario grown: so many provinces like it in one, to see how time and memory grow with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from sim.language import _
from sim.scenario import Part, Scenario

_Part = TypeVar("_Part", bound=Part)
_Value = TypeVar("_Value")


def grown(scenario: Scenario, times: int) -> Scenario:
    """The scenario with `times` as many people, units, agents, lines, bookings a day and doses.

    Every unit stands there `times` times, each as it was, under the names `north`, `north.2`,
    `north.3` ... (a scenario file allows no dot in a name, so none is taken). A person then finds
    as many agents, seats and doses per head as before. Raises ValueError if `times` is below 1.
    """
    if times < 1:
        raise ValueError(
            _("a scenario can grow by 1 time or more, not by {times}").format(times=times)
        )
    centre, supply = scenario.call_centre, scenario.supply
    shares = _copies(supply.fixed_shares, times)
    return _with(
        scenario,
        campaign=_more(scenario.campaign, times, "population", "vaccinated_before"),
        groups={
            name: _with(
                _more(group, times, "people"),
                already_vaccinated=[_more(a, times, "people") for a in group.already_vaccinated],
            )
            for name, group in scenario.groups.items()
        },
        call_centre=_with(
            _more(centre, times, "lines"),
            pools={
                name: _with(
                    _more(pool, times, "agents"),
                    shifts=[_more(shift, times, "staff") for shift in pool.shifts],
                    breaks=[_more(away, times, "staff") for away in pool.breaks],
                )
                for name, pool in centre.pools.items()
            },
        ),
        other_channels=_more(scenario.other_channels, times, "bookings_per_day"),
        deliveries={
            name: _more(delivery, times, "doses", "announced_doses")
            for name, delivery in scenario.deliveries.items()
        },
        supply=_with(supply, fixed_shares={name: share / times for name, share in shares.items()}),
        units=_copies(scenario.units, times),
    )


def _copies(by_name: Mapping[str, _Value], times: int) -> dict[str, _Value]:
    return {
        name if number == 1 else f"{name}.{number}": value
        for number in range(1, times + 1)
        for name, value in by_name.items()
    }


def _more(part: _Part, times: int, *counts: str) -> _Part:
    """The part with these counts multiplied; what is left out stays left out."""
    values = {name: getattr(part, name) for name in counts}
    return _with(part, **{name: v if v is None else times * v for name, v in values.items()})


def _with(part: _Part, **changes: Any) -> _Part:
    return part.model_copy(update=changes)
