"""Trials of many scenarios: every replication that a search asks for, each simulated once.

A search asks again and again, for a few replications of a few scenarios. The workers stay, and
what has been simulated is remembered. Replication r has the same people with the same luck in
every scenario, so differences between scenarios are paired by replication; replications that have
chosen a winner must not also judge it: take other numbers for that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import pandas as pd

from sim.experiment.coverage import Scope
from sim.experiment.crews import OnCompiling, OnDays
from sim.experiment.packing import frame_of, unpack
from sim.experiment.replications import Task
from sim.experiment.results import scenario_digest
from sim.experiment.run_writer import measures_in
from sim.experiment.settings import RunSettings
from sim.experiment.work import Workforce
from sim.scenario import Scenario

_MEASURES = ("replications",)
"""The table with the measures."""


@dataclass(frozen=True)
class _Trial(Task):
    """A task that knows where its measures belong."""

    key: tuple[str, int]


def default_most(scenario: Scenario) -> int:
    """Replications that a search may spend in all, unless a number is asked for.

    Fewer for more people: for the plan's people a few minutes on two cores.
    """
    return int(min(max(3.4e8 // max(scenario.target, 1), 600), 3000))


class Trials:
    """Replications of scenarios with one seed, engine and last day; a context manager.

    `workers` and `scheduler` are those of the settings; their number of replications plays no
    part.
    """

    def __init__(
        self,
        settings: RunSettings,
        on_days: OnDays = lambda days: None,
        on_compiling: OnCompiling = lambda: None,
    ) -> None:
        self._settings = settings
        self._telling = on_days, on_compiling
        self._held = contextlib.ExitStack()
        self._workforce: Workforce | None = None
        self._known: dict[tuple[str, int], dict[str, float]] = {}

    def __enter__(self) -> Trials:
        """Workers are hired when there is something to do."""
        return self

    def __exit__(self, *error: object) -> None:
        """End all work within a simulated day."""
        self._held.close()

    @property
    def spent(self) -> int:
        """Replications simulated so far."""
        return len(self._known)

    def measures(self, scenario: Scenario, replications: Iterable[int]) -> pd.DataFrame:
        """The measures of some replications of a scenario: a row each, indexed by its number."""
        return self.all_measures([(scenario, replications)])[0]

    def all_measures(self, wanted: Sequence[tuple[Scenario, Iterable[int]]]) -> list[pd.DataFrame]:
        """As `measures`, for several scenarios at once: no core waits for the end of one of them.

        Raises SettingsError if the settings do not fit a scenario.
        """
        asked = [
            (scenario, scenario_digest(scenario), list(numbers)) for scenario, numbers in wanted
        ]
        missing: dict[tuple[str, int], _Trial] = {}
        for scenario, digest, numbers in asked:
            self._settings.check_against(scenario)
            for number in numbers:
                if (digest, number) not in self._known:
                    task = _Trial(
                        scenario, self._settings, number, (digest, number), tables=_MEASURES
                    )
                    missing.setdefault(task.key, task)
        if missing:
            for task, packed in self._hired().do(missing.values()):
                self._known[task.key] = measures_in(packed, task.tables)
        return [
            pd.DataFrame([self._known[digest, number] for number in numbers], index=numbers)
            for _, digest, numbers in asked
        ]

    def tables(
        self, scenario: Scenario, replications: Iterable[int], name: str
    ) -> Iterator[pd.DataFrame]:
        """One table of each replication, as they come. They are not remembered; measures are."""
        return (frame for _, frame in self.all_tables([(scenario, replications)], name))

    def all_tables(
        self,
        wanted: Sequence[tuple[Scenario, Iterable[int]]],
        name: str,
        until: date | None = None,
    ) -> Iterator[tuple[tuple[int, int], pd.DataFrame]]:
        """As `tables`, for several scenarios at once: (place in `wanted`, replication), table.

        With `until` they end that day, and their measures are not remembered either.
        """
        settings = replace(self._settings, until=until) if until else self._settings
        places: dict[tuple[str, int], list[int]] = {}
        tasks = []
        for place, (scenario, numbers) in enumerate(wanted):
            settings.check_against(scenario)
            digest = scenario_digest(scenario)
            for number in numbers:
                known = places.setdefault((digest, number), [])
                if not known:
                    key = (digest, number)
                    tasks.append(_Trial(scenario, settings, number, key, tables=(name, *_MEASURES)))
                known.append(place)
        for task, packed in self._hired().do(tasks):
            if until is None:
                self._known[task.key] = measures_in(packed, task.tables)
            frame = frame_of(unpack(packed, task.tables)[name])
            for place in places[task.key]:
                yield (place, task.replication), frame

    def missing(
        self,
        scenario: Scenario,
        replications: Sequence[int],
        scope: Scope,
        until: date | None = None,
    ) -> dict[str, float]:
        """Mean persons without that vaccination when the simulation ends, by cause, most first."""
        persons = pd.Series(dtype=float)
        for _, causes in self.all_tables([(scenario, replications)], "causes", until):
            here = causes[(causes["as_of"] == "horizon") & (causes["scope"] == scope)]
            here = here[here["cause"].astype(str) != "vaccinated"]
            found = here.groupby(here["cause"].astype(str))["persons"].sum()
            persons = persons.add(found, fill_value=0)
        persons = persons[persons > 0].sort_values(ascending=False, kind="stable")
        return {str(cause): float(n) / len(replications) for cause, n in persons.items()}

    def _hired(self) -> Workforce:
        if self._workforce is None:
            settings = self._settings
            self._workforce = self._held.enter_context(
                Workforce(settings.workers, *self._telling, settings.scheduler)
            )
        return self._workforce
