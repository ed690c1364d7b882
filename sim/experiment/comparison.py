"""Comparing scenarios in which the same people have the same luck.

With the same seed, replication r has the same people with the same random numbers in every
scenario, so scenarios are compared replication by replication: the chance that both share cancels
out of the difference. The first scenario is the base of every difference.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from sim.experiment.answer import reason_counts
from sim.experiment.coverage import SCOPES, Scope
from sim.experiment.measures import measure
from sim.experiment.results import Run, scenario_data
from sim.experiment.settings import SettingsError
from sim.experiment.statistics import (
    Estimate,
    common_numbers_gain,
    mean_interval,
    paired_difference,
)
from sim.model.records import REASONS
from sim.scenario import Scenario
from sim.scenario_errors import dotted, shown

_NO_CHANGE = ("title", "description", "sources")
"""What a scenario says about itself, which changes nothing in it."""


@dataclass(frozen=True)
class Comparison:
    """Runs of one seed by name; the first is the base. Tables are computed when asked for."""

    runs: dict[str, Run]
    replications: int
    """How many replications are compared: the first of each run."""

    @property
    def base(self) -> str:
        """Name of the scenario with which the others are compared."""
        return next(iter(self.runs))

    @property
    def others(self) -> list[str]:
        """Names of the other scenarios."""
        return list(self.runs)[1:]

    @cached_property
    def changes(self) -> pd.DataFrame:
        """What differs between the base and each other scenario: scenario, path, base, value.

        Values as TOML writes them, "" where there is none. Paths are those of scenario files; a
        change of a unit type stands for that of its units.
        """
        rows = [
            (name, *change)
            for name in self.others
            for change in scenario_changes(self.runs[self.base].scenario, self.runs[name].scenario)
        ]
        return pd.DataFrame(rows, columns=["scenario", "path", "base", "value"], dtype="str")

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Paired differences of every measure: a row for each other scenario and measure.

        `base` and `value` are the two means, `difference` is value - base with its 95 % interval
        `low` ... `high` over `pairs` replications. `independent` is the number of replications
        with which independent seeds would be as precise, with its interval. Days differ in days of
        the calendar; a day that is not reached in every replication has no mean.
        """
        tables = {name: self.measures(name) for name in self.runs}
        base = tables[self.base]
        rows = []
        for name in self.others:
            names = dict.fromkeys([*base.columns, *tables[name].columns])
            for found in map(str, names):
                pair = [_column(table, found) for table in (base, tables[name])]
                rows.append({"scenario": name, "measure": found, **self._row(name, found, *pair)})
        return pd.DataFrame(rows)

    def measures(self, name: str) -> pd.DataFrame:
        """The measures of one scenario, a row a replication."""
        table = self.runs[name].table("replications").set_index("replication")
        return table.loc[: self.replications - 1]

    def _row(
        self, name: str, found: str, first: pd.Series[float], second: pd.Series[float]
    ) -> dict[str, Any]:
        a, b = first.to_numpy(dtype=np.float64), second.to_numpy(dtype=np.float64)
        unit = measure(found).unit
        shift = 0
        if unit == "days":
            days = [self.runs[n].scenario.campaign.first_day for n in (self.base, name)]
            shift = (days[1] - days[0]).days
        means = [_mean(values, unit) for values in (a, b)]
        difference = paired_difference(a, b + shift)
        gain = common_numbers_gain(a, b)
        if None in means:
            difference = Estimate(None, None, None, difference.n)
            gain = Estimate(None, None, None, difference.n)
        needed = [
            math.nan if value is None else value if value == math.inf else math.ceil(gain.n * value)
            for value in (gain.mean, gain.low, gain.high)
        ]
        return {
            "unit": unit,
            "base": _nan(means[0]),
            "value": _nan(means[1]),
            "difference": _nan(difference.mean),
            "low": _nan(difference.low),
            "high": _nan(difference.high),
            "pairs": difference.n,
            "independent": needed[0],
            "independent_low": needed[1],
            "independent_high": needed[2],
        }

    @cached_property
    def reasons(self) -> pd.DataFrame:
        """Mean persons by reason at the deadline: a row for each scenario, scope and reason.

        `difference` is that from the base, with its interval (0 in the rows of the base).
        """
        counts = {
            name: {s: c.loc[: self.replications - 1] for s, c in reason_counts(run).items()}
            for name, run in self.runs.items()
        }
        rows = []
        for name in self.runs:
            for scope in SCOPES:
                for reason in REASONS:
                    values = counts[name][scope][reason].to_numpy()
                    change = paired_difference(counts[self.base][scope][reason], values)
                    rows.append(
                        {
                            "scenario": name,
                            "scope": scope,
                            "reason": reason,
                            "persons": float(values.mean()),
                            "difference": _nan(change.mean),
                            "low": _nan(change.low),
                            "high": _nan(change.high),
                        }
                    )
        return pd.DataFrame(rows)

    def coverage(self, scope: Scope) -> pd.DataFrame:
        """`Run.coverage` of every scenario, with its name in the column `scenario`."""
        curves = []
        for name, run in self.runs.items():
            curve = run.coverage(scope)
            curve = curve[curve["replication"] < self.replications]
            curves.append(curve.assign(scenario=pd.array([name] * len(curve), dtype="str")))
        return pd.concat(curves, ignore_index=True)

    @cached_property
    def successes(self) -> dict[str, int]:
        """Replications in which everyone of the target is fully vaccinated by the deadline."""
        found = {}
        for name, run in self.runs.items():
            table = self.measures(name)
            found[name] = int((table["fully_vaccinated_by_deadline"] == run.scenario.target).sum())
        return found


def comparison(runs: Mapping[str, Run], replications: int | None = None) -> Comparison:
    """The comparison of finished runs, by name; of their first replications that all have.

    Raises SettingsError where their random numbers or their days are not the same.
    """
    if len(runs) < 2:
        raise SettingsError("a comparison needs two scenarios or more")
    base, first = next(iter(runs.items()))
    for name, run in runs.items():
        if run.settings.seed != first.settings.seed:
            raise SettingsError(
                f"{base} has seed {first.settings.seed} and {name} has seed {run.settings.seed}: "
                "only with one seed do the same people have the same luck; simulate one of them "
                "again with the seed of the other"
            )
        if run.settings.until != first.settings.until:
            ends = [r.settings.until or "the horizon" for r in (first, run)]
            raise SettingsError(
                f"{base} was simulated until {ends[0]} and {name} until {ends[1]}: simulate one of "
                "them again with the --until of the other"
            )
        if replications is not None and run.settings.replications < replications:
            raise SettingsError(
                f"{name} has {run.settings.replications:,} replications, fewer than the "
                f"{replications:,} to be compared"
            )
    fewest = min(run.settings.replications for run in runs.values())
    return Comparison(dict(runs), replications or fewest)


# What changed ---------------------------------------------------------------------------------


def scenario_changes(first: Scenario, second: Scenario) -> list[tuple[str, str, str]]:
    """(dotted path, value in the first, value in the second) of all that differs.

    What changes in a unit because it changes in its type is told of the type alone.
    """
    before, after = (
        {key: value for key, value in scenario_data(scenario).items() if key not in _NO_CHANGE}
        for scenario in (first, second)
    )
    changes = list(_changes(before, after, ()))
    rows = []
    for path, value, other in changes:
        kind = second.units[path[1]].type if _in_both(path, first, second) else None
        if kind is None or (("unit_types", kind, *path[2:]), value, other) not in changes:
            rows.append((dotted(path), _shown(value), _shown(other)))
    return rows


def _in_both(path: tuple[Any, ...], first: Scenario, second: Scenario) -> bool:
    """Whether the path lies in a unit that both scenarios have."""
    return path[0] == "units" and len(path) > 2 and path[1] in first.units.keys() & second.units


def _changes(
    first: Any, second: Any, path: tuple[Any, ...]
) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if first.get("distribution") != second.get("distribution"):
            yield path, first, second
            return
        if first.keys() == second.keys() and list(first) != list(second):
            yield path, list(first), list(second)  # the order of stations and regimens matters
        for key in dict.fromkeys([*first, *second]):
            yield from _changes(first.get(key), second.get(key), (*path, key))
    elif _tables(first) and _tables(second) and len(first) == len(second):
        for i, pair in enumerate(zip(first, second, strict=True)):
            yield from _changes(*pair, (*path, i))
    elif first != second:
        yield path, first, second


def _tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


# Small things ---------------------------------------------------------------------------------


def _shown(value: Any) -> str:
    return "" if value is None else shown(value)


def _column(table: pd.DataFrame, name: str) -> pd.Series[float]:
    if name in table:
        return table[name]
    return pd.Series(math.nan, index=table.index)


def _mean(values: Any, unit: str) -> float | None:
    """The mean; None for a day that is not reached every time."""
    return None if unit == "days" and np.isnan(values).any() else mean_interval(values).mean


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
