"""The numbers of staff that a scenario has, what one more costs, and scenarios with other numbers.

A lever is a number of staff in the scenario: agents of a pool (or of each of its shifts), staff of
a station of a unit type (or of each of its shifts), and of a single unit where that says its own.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from sim.experiment.settings import SettingsError
from sim.language import _
from sim.scenario import Scenario, Station
from sim.scenario_errors import did_you_mean
from sim.scenario_files import file_data, scenario_from_data

Staffing = tuple[int, ...]
"""A number of staff for every lever."""

Path = tuple[str | int, ...]

_KEPT = 100
"""Scenarios that are kept once they are made: one has about 30 kB."""

DEFAULT_COSTS = {"agent": 1.0, "staff": 1.0}
"""One for everybody; seats for observation stay as they are."""


class StaffingError(SettingsError):
    """Costs that cannot be, or a probability that cannot be promised."""


@dataclass(frozen=True)
class Lever:
    """One number of staff."""

    path: Path
    """keys in the data of a scenario"""
    role: str
    """who they are, as costs may name them: agent, staff, vaccinator, seat"""
    holder: str
    """the pool, the unit type or the unit"""
    station: str | None
    """None: a pool"""
    places: int
    """units in which the number holds"""
    now: int
    cost: float = 0.0
    """of one more, in all these places"""

    @property
    def roles(self) -> list[str]:
        """What costs may call them; the most specific first."""
        if self.station is None:
            return [f"agent.{self.holder}", "agent"]
        named = [f"{self.holder}.{self.station}", self.station]
        return [*named, self.role] if self.role == "seat" else [*named, self.role, "staff"]

    @property
    def key(self) -> str:
        """The dotted path."""
        return ".".join(map(str, self.path))


class Levers:
    """The levers of a scenario that have a cost; the others stay as they are."""

    def __init__(self, scenario: Scenario, costs: Mapping[str, float]) -> None:
        """Raise StaffingError for costs of nobody."""
        self.scenario = scenario
        self._data = file_data(scenario)
        found = list(_levers(scenario, self._data))
        roles = list(dict.fromkeys(role for lever in found for role in reversed(lever.roles)))
        for role in costs:
            if role not in roles:
                alike = [name for name in roles if ("." in name) == ("." in role)]
                raise StaffingError(
                    _(
                        "cost {role}: nobody is called so{suggestion}; choose from {roles}, or "
                        "of one place only, like {example}"
                    ).format(
                        role=role,
                        suggestion=did_you_mean(role, alike),
                        roles=", ".join(sorted(alike)),
                        example=next(name for name in roles[::-1] if "." in name),
                    )
                )
        self.all = [
            Lever(**{**vars(lever), "cost": costs[role] * lever.places})
            for lever in found
            for role in [next((role for role in lever.roles if role in costs), None)]
            if role is not None
        ]
        self._made = lru_cache(_KEPT)(self._scenario_with)

    @cached_property
    def now(self) -> Staffing:
        """The staffing of the scenario."""
        return tuple(lever.now for lever in self.all)

    def cost(self, staffing: Staffing) -> float:
        """What it costs."""
        return sum(lever.cost * n for lever, n in zip(self.all, staffing, strict=True))

    def scenario_with(self, staffing: Staffing) -> Scenario | None:
        """The scenario with that staffing; None if no such scenario can be (nobody works)."""
        return self._made(staffing)

    def _scenario_with(self, staffing: Staffing) -> Scenario | None:
        from sim.scenario_files import ScenarioError

        data = copy.deepcopy(self._data)
        for lever, number in zip(self.all, staffing, strict=True):
            *above, last = lever.path
            node: Any = data
            for key in above:
                node = node[key]
            node[last] = number
        try:
            return scenario_from_data(data)
        except ScenarioError:
            return None

    def least(self, lever: Lever) -> int:
        """The least number that a scenario can say."""
        return 1 if lever.station is not None and "shifts" not in lever.path else 0


def _levers(scenario: Scenario, data: Mapping[str, Any]) -> Iterator[Lever]:
    for name, pool in scenario.call_centre.pools.items():
        path: Path = ("call_centre", "pools", name)
        for end, now in _numbers(pool.agents, pool.shifts, "agents"):
            yield Lever((*path, *end), "agent", name, None, 1, now)
    for kind, unit_type in scenario.unit_types.items():
        of_type = [name for name, unit in scenario.units.items() if unit.type == kind]
        for station_name, station in unit_type.stations.items():
            own = [name for name in of_type if _says_staff(data["units"][name], station_name)]
            if len(own) < len(of_type):
                path = ("unit_types", kind, "stations", station_name)
                for end, now in _numbers(station.staff, station.shifts, "staff"):
                    yield Lever(
                        (*path, *end), _role(station), kind, station_name,
                        len(of_type) - len(own), now,
                    )  # fmt: skip
        for name in of_type:
            for station_name, station in scenario.units[name].stations.items():
                if _says_staff(data["units"][name], station_name):
                    path = ("units", name, "stations", station_name)
                    for end, now in _numbers(station.staff, station.shifts, "staff"):
                        yield Lever((*path, *end), _role(station), name, station_name, 1, now)


def _says_staff(unit: Mapping[str, Any], station: str) -> bool:
    """Whether a unit's own data say how many work at a station."""
    said = unit.get("stations", {}).get(station, {})
    return "staff" in said or "shifts" in said


def _numbers(staff: int, shifts: Sequence[Any], key: str) -> Iterator[tuple[Path, int]]:
    if not shifts:
        yield (key,), staff
    for i, shift in enumerate(shifts):
        yield ("shifts", i, "staff"), shift.staff


def _role(station: Station) -> str:
    return {"vaccination": "vaccinator", "observation": "seat"}.get(station.kind, "staff")
