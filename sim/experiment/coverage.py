"""Coverage by date: of the target, by group, by unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.model.population import dose_days
from sim.scenario import AlreadyVaccinated, Scenario

Scope = Literal["first", "full"]
"""At least one dose, or fully vaccinated."""

SCOPES: tuple[Scope, ...] = ("first", "full")


def coverage_curve(
    daily: pd.DataFrame,
    scenario: Scenario,
    scope: Scope,
    by: Literal["group", "unit"] | None = None,
    until: date | None = None,
    replications: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Persons vaccinated by the evening of each day, in long form.

    `daily` is that table for any number of replications. Columns: replication, date, the column
    named by `by` (if any), persons and, unless by unit, share: of the target or of the group.
    People of the target who were vaccinated before the campaign count (not by unit, since their
    unit is unknown); inhabitants outside the target do not. Fully vaccinated is who has had the
    last dose `campaign.protected_after_days` ago.
    """
    numbers = np.asarray(
        daily["replication"].unique() if replications is None else replications, dtype=np.int64
    )
    keys: list[str | None] = [None]
    if by is not None:
        keys = [*(scenario.groups if by == "group" else scenario.units)]
    dates = pd.date_range(
        scenario.campaign.first_day, until or scenario.campaign.horizon, freq="D", unit="ms"
    )
    column, first_only = _counted(scenario, scope)
    counted = daily[daily["dose"] == 1] if first_only else daily
    parts = []
    for key in keys:
        here = counted if key is None else counted[counted[by] == key]
        curves = _by_day(here, column, scenario, scope, len(dates), numbers)
        if by != "unit":
            curves = curves + vaccinated_before(scenario, scope, len(dates), key)
        columns: dict[str, Any] = {
            "replication": np.repeat(numbers, len(dates)),
            "date": np.tile(dates, len(numbers)),
        }
        if key is not None:
            columns[str(by)] = pd.array([key] * curves.size, dtype="str")
        columns["persons"] = curves.ravel()
        if by != "unit":
            people = scenario.target if key is None else scenario.groups[key].people
            columns["share"] = curves.ravel() / people if people else np.nan
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def cumulative(
    daily: pd.DataFrame, scenario: Scenario, scope: Scope, until: date | None
) -> NDArray[np.int64]:
    """Persons of the target vaccinated by the evening of each day; one replication."""
    days = ((until or scenario.campaign.horizon) - scenario.campaign.first_day).days + 1
    column, first_only = _counted(scenario, scope)
    counted = (daily[daily["dose"] == 1] if first_only else daily).assign(replication=0)
    curves = _by_day(counted, column, scenario, scope, days, np.zeros(1, dtype=np.int64))
    total: NDArray[np.int64] = curves[0] + vaccinated_before(scenario, scope, days)
    return total


def by_group(daily: pd.DataFrame, scenario: Scenario, scope: Scope) -> NDArray[np.int64]:
    """Persons of each group vaccinated by the evening of each day: [groups, days].

    One replication, all days up to the horizon.
    """
    days = (scenario.campaign.horizon - scenario.campaign.first_day).days + 1
    names = list(scenario.groups)
    column, first_only = _counted(scenario, scope)
    counted = daily[daily["dose"] == 1] if first_only else daily
    group = pd.Index(names).get_indexer(pd.Index(counted["group"]))
    numbers = np.arange(len(names))
    given = _by_day(counted.assign(replication=group), column, scenario, scope, days, numbers)
    before = [vaccinated_before(scenario, scope, days, name) for name in names]
    return np.asarray(given + np.array(before))


def _counted(scenario: Scenario, scope: Scope) -> tuple[str, bool]:
    """The column of `daily` that counts for the scope, and whether first doses alone do."""
    if scope == "first" or scenario.campaign.complete_with == "one_dose":
        return "administered", True
    return "completed", False


def _lag(scenario: Scenario, scope: Scope) -> int:
    return scenario.campaign.protected_after_days if scope == "full" else 0


def _by_day(
    counted: pd.DataFrame,
    column: str,
    scenario: Scenario,
    scope: Scope,
    days: int,
    replications: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Cumulated doses in a column of these rows: [replications, days]."""
    since = counted["date"] - pd.Timestamp(scenario.campaign.first_day)
    day = since.dt.days.to_numpy() + _lag(scenario, scope)
    row = np.searchsorted(replications, counted["replication"].to_numpy())
    inside = day < days
    total = np.zeros((len(replications), days), dtype=np.int64)
    np.add.at(total, (row[inside], day[inside]), counted[column].to_numpy()[inside])
    return np.cumsum(total, axis=1, dtype=np.int64)


def vaccinated_before(
    scenario: Scenario, scope: Scope, days: int, group: str | None = None
) -> NDArray[np.int64]:
    """People of the target (or of one group) who had their doses before the campaign: [days]."""
    total = np.zeros(days, dtype=np.int64)
    for member in scenario.groups.values() if group is None else [scenario.groups[group]]:
        for entry in member.already_vaccinated:
            for day, people in days_counted(entry, scenario, scope):
                if day < days:
                    total[max(day, 0)] += people
    return np.cumsum(total, dtype=np.int64)


def days_counted(
    entry: AlreadyVaccinated, scenario: Scenario, scope: Scope
) -> Iterator[tuple[int, int]]:
    """(day on which they count, number of people) for one entry of `already_vaccinated`."""
    day, last_dose = dose_days(entry, scenario)
    if scope == "full" and scenario.campaign.complete_with == "all_doses":
        if entry.doses == 1 and scenario.regimens[entry.regimen].second is not None:
            return
        day = last_dose
    for each, people in zip(*np.unique(day, return_counts=True), strict=True):
        yield int(each) + _lag(scenario, scope), int(people)
