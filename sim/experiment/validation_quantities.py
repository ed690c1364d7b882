"""What the cases of `vaxsim validate` measure, and the overrides that several of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from sim.experiment.validation import Observed, Quantity, Tables
from sim.queueing_theory import Queue

CALL = 1440 / 200_000
"""Minutes between two calls or patients, on average."""

Measure = Callable[[Tables], Observed]
LATER = range(1, 24)
"""Hours of the day without the first one, in which queues that start empty fill."""


# What is measured -----------------------------------------------------------------------------


def _calls(
    part: str, of: Sequence[str], hours: Sequence[int], language: str | None = None
) -> Measure:
    """One sum over the rows of the table `call_centre` in some hours, divided by another."""

    def ratio(tables: Tables) -> float:
        rows = tables["call_centre"]
        rows = rows[rows["hour"].isin(hours)]
        if language is not None:
            rows = rows[rows["language"] == language]
        whole = rows[of[0]].sum() - sum(rows[name].sum() for name in of[1:])
        return float(rows[part].sum() / whole)

    return ratio


LET_IN = ("offered", "blocked")
"""Calls offered less calls blocked."""


def blocked(exact: float, hours: Sequence[int] = LATER) -> Quantity:
    """Share of the attempts that hear the busy signal."""
    return Quantity("P(busy signal)", exact, _calls("blocked", ("offered",), hours), True)


def waits(exact: float, hours: Sequence[int] = LATER, name: str = "P(wait)") -> Quantity:
    """Share of the calls let in that wait."""
    return Quantity(name, exact, _calls("delayed", LET_IN, hours), True)


def abandons(exact: float, language: str | None = None) -> Quantity:
    """Share of the attempts that give up waiting."""
    name = "P(abandon)" if language is None else f"P(abandon), {language}"
    return Quantity(name, exact, _calls("abandoned", ("offered",), LATER, language), True)


def in_time(exact: float, name: str) -> Quantity:
    """Share of the attempts answered within the target."""
    return Quantity(name, exact, _calls("within_target", ("offered",), LATER), True)


def wait(exact: float, minutes: float, unit: str, language: str | None = None) -> Quantity:
    """Mean wait of all calls let in, in a unit of time that is so many minutes long."""
    mean = _calls("wait_all", LET_IN, LATER, language)
    name = f"mean wait ({unit})" if language is None else f"mean wait, {language} ({unit})"
    return Quantity(name, exact, lambda tables: mean(tables) / minutes)


def summary(name: str, measure: str, exact: float, minutes: float = 1.0) -> Quantity:
    """A measure of the table `replications`, divided by the minutes of a unit of time."""
    return Quantity(
        name, exact, lambda tables: float(tables["replications"][measure].iloc[0]) / minutes
    )


def per_person(name: str, measure: str, exact: float, probability: bool = False) -> Quantity:
    """A measure of the table `replications`, divided by the people calling."""

    def ratio(tables: Tables) -> float:
        row = tables["replications"].iloc[0]
        return float(row[measure] / row["persons_calling"])

    return Quantity(name, exact, ratio, probability)


def of_target(name: str, measure: str, exact: float) -> Quantity:
    """A measure of the table `replications`, divided by the target."""

    def ratio(tables: Tables) -> float:
        row = tables["replications"].iloc[0]
        return float(row[measure] / row["target"])

    return Quantity(name, exact, ratio)


def attempts_an_hour(exact: float, minutes: float) -> Quantity:
    """Attempts per unit of time."""

    def rate(tables: Tables) -> float:
        rows = tables["call_centre"]
        offered = rows.loc[rows["hour"].isin(LATER), "offered"].sum()
        return float(offered / (60 * len(LATER) / minutes))

    return Quantity("attempts per mean call", exact, rate)


def occupancy(exact: float) -> Quantity:
    """Agents' time on calls, of their time on duty: arrival rate x mean call / agents (Little)."""
    return summary("occupancy", "agent_occupancy", exact)


def station_wait(exact: float, minutes: float, unit: str, station: str = "vaccination") -> Quantity:
    """Mean wait of all who join a station."""
    name = "mean wait" if station == "vaccination" else f"mean wait, {station}"
    return summary(f"{name} ({unit})", f"station_{station}_mean_wait_minutes", exact, minutes)


def telephone(queue: Queue, minutes: float) -> tuple[Quantity, ...]:
    """What a call centre with abandonment shows."""
    return (
        waits(queue.waits),
        abandons(queue.abandons),
        wait(queue.mean_wait, minutes, "mean calls"),
        occupancy(queue.occupancy),
    )


def total(name: str, exact: float, table: str, column: str, **where: object) -> Quantity:
    """Sum of a column of a table, over the rows in which other columns have these values."""

    def add_up(tables: Tables) -> float:
        return float(_rows(tables[table], where)[column].sum())

    return Quantity(name, exact, add_up)


def mean_day(name: str, exact: float, **where: object) -> Quantity:
    """Mean day of the doses given, from the day after the first one as 1; of some rows of `daily`.

    (Campaigns whose days are counted begin on 31 May, so it is the day of June.)
    """

    def mean(tables: Tables) -> float:
        daily = tables["daily"]
        given = _rows(daily, where)
        days = (given["date"] - tables["stock"]["date"].min()).dt.days
        return float((days * given["administered"]).sum() / given["administered"].sum())

    return Quantity(name, exact, mean)


def _rows(rows: pd.DataFrame, where: Mapping[str, object]) -> pd.DataFrame:
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return rows


# What scenarios are -----------------------------------------------------------------------------


def exponential(minutes: float) -> str:
    """A distribution with this mean, in an override."""
    return f"{{distribution='exponential', mean={minutes!r}}}"


def centre(
    load: float, agents: int, patience: str | None = None, calls: int = 200_000
) -> tuple[str, ...]:
    """Overrides: `load` erlangs of exponential calls for so many agents."""
    mean = load * 1440 / calls
    changes = [
        f"groups.people.people={2 * calls}",
        f"call_centre.booking_call_minutes={exponential(mean)}",
        f"call_centre.pools.desk.agents={agents}",
    ]
    return (*changes, *([] if patience is None else [f"call_centre.patience_minutes={patience}"]))


def clinics(number: int) -> tuple[str, ...]:
    """Overrides: so many units that are all alike."""
    return tuple(f"units.clinic_{i}={{type='clinic', district='town'}}" for i in range(1, number))


def service(distribution: str) -> str:
    """Override: how long the service at the station takes."""
    return f"unit_types.clinic.stations.vaccination.minutes={distribution}"
