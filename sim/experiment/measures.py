"""Every measure of a campaign, computed from its tables in this one place.

`measures_of` gives the measures of one replication; a run keeps them as its `replications` table,
one row a replication. Coverage by date, group or unit is in `coverage.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.coverage import SCOPES, cumulative
from sim.experiment.statistics import Estimate, mean_interval, quantile_of_classes
from sim.language import N_, long_date
from sim.scenario import Scenario

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Measure:
    """What a measure is counted in, and what it means."""

    unit: str
    meaning: str

    @property
    def range(self) -> tuple[float, float]:
        """Least and greatest value that makes sense: no count, time or share is below 0."""
        return 0.0, 1.0 if self.unit == "share" else math.inf


MEASURES: dict[str, Measure] = {
    # People
    "target": Measure("persons", N_("people of all groups")),
    "first_doses_by_deadline": Measure("persons", N_("of the target with a first dose by then")),
    "fully_vaccinated_by_deadline": Measure(
        "persons", N_("of the target fully vaccinated by then")
    ),
    "first_dose_coverage_by_deadline": Measure("share", N_("first dose, of the target")),
    "full_coverage_by_deadline": Measure("share", N_("fully vaccinated, of the target")),
    "population_first_dose_coverage_by_deadline": Measure(
        "share", N_("first dose, of all inhabitants, those vaccinated before the campaign included")
    ),
    "population_full_coverage_by_deadline": Measure(
        "share", N_("fully vaccinated, of all inhabitants, those vaccinated before included")
    ),
    "first_doses_by_end": Measure(
        "persons", N_("of the target with a first dose at the end of the simulation")
    ),
    "fully_vaccinated_by_end": Measure(
        "persons", N_("of the target fully vaccinated at the end of the simulation")
    ),
    "first_dose_goal_day": Measure(
        "days",
        N_("after campaign.first_day: first doses reach campaign.coverage_goal of inhabitants"),
    ),
    "full_goal_day": Measure(
        "days", N_("after campaign.first_day: the fully vaccinated reach campaign.coverage_goal")
    ),
    "first_dose_completion_day": Measure(
        "days", N_("after campaign.first_day: the whole target has a first dose")
    ),
    "completion_day": Measure(
        "days", N_("after campaign.first_day: the whole target is fully vaccinated")
    ),
    # Doses
    "doses_delivered": Measure("doses", N_("arrived at the provincial store")),
    "doses_administered": Measure("doses", N_("given")),
    "doses_administered_first": Measure("doses", N_("given as first doses")),
    "doses_administered_second": Measure("doses", N_("given as second doses")),
    "doses_administered_by_deadline": Measure("doses", N_("given by the deadline")),
    "doses_wasted": Measure("doses", N_("discarded from opened vials or lost in storage")),
    "doses_wasted_open_vials": Measure("doses", N_("discarded from opened vials")),
    "doses_lost_in_storage": Measure("doses", N_("lost in storage")),
    "doses_extra": Measure("doses", N_("drawn from vials beyond the label")),
    "doses_on_hand_by_end": Measure("doses", N_("in closed vials at the end of the simulation")),
    "waste_share": Measure("share", N_("wasted, of the doses delivered and extra")),
    # Telephone
    "calls_offered": Measure("calls", N_("attempts within opening hours")),
    "calls_answered": Measure("calls", N_("taken by an agent")),
    "calls_abandoned": Measure("calls", N_("the caller left the queue")),
    "calls_blocked": Measure("calls", N_("heard the busy signal")),
    "calls_cut_off": Measure("calls", N_("still waiting at closing")),
    "calls_closed": Measure("calls", N_("outside opening hours")),
    "answered_share": Measure("share", N_("answered, of the calls offered")),
    "answered_within_target_share": Measure(
        "share", N_("answered within answer_target_seconds, of the calls offered (service level)")
    ),
    "abandoned_share": Measure("share", N_("gave up waiting, of the calls offered (P(abandon))")),
    "blocked_share": Measure(
        "share", N_("heard the busy signal, of the calls offered (P(blocked))")
    ),
    "delayed_share": Measure(
        "share", N_("had to wait for an agent, of the calls that found a free line (P(wait))")
    ),
    "mean_wait_minutes": Measure("min", N_("mean wait of the answered calls")),
    "mean_wait_all_minutes": Measure(
        "min", N_("mean wait of the calls that found a free line, answered or not")
    ),
    "median_wait_minutes": Measure("min", N_("half of the answered calls waited no longer")),
    "p90_wait_minutes": Measure("min", N_("90 % of the answered calls waited no longer")),
    "p95_wait_minutes": Measure("min", N_("95 % of the answered calls waited no longer")),
    "mean_calls_waiting": Measure(
        "calls", N_("in the queue, mean over opening hours (Little's law: the waits, per minute)")
    ),
    "agent_occupancy": Measure("share", N_("agents' time on calls, of their time on duty")),
    "agent_hours": Measure("h", N_("agents on duty, overtime included")),
    "persons_calling": Measure("persons", N_("who called to book")),
    "persons_got_through": Measure("persons", N_("who called to book and reached an agent")),
    "persons_gave_up": Measure("persons", N_("who called to book, in vain, and gave up for good")),
    "telephone_bookings": Measure("persons", N_("registered by telephone")),
    "other_bookings": Measure("persons", N_("registered through other channels")),
    "attempts_per_booking": Measure("calls per booking", N_("attempts of those calling to book")),
    # Units
    "appointments": Measure("persons", N_("due, both doses")),
    "no_show_share": Measure("share", N_("of the appointments")),
    "turned_away_no_dose": Measure("persons", N_("came and found no dose")),
    "left_waiting": Measure("persons", N_("left before the jab because the wait was too long")),
    "turned_away_late": Measure(
        "persons", N_("not served before the overtime limit, or came late")
    ),
    "mean_minutes_in_unit": Measure("min", N_("from arrival to exit")),
    "median_minutes_in_unit": Measure("min", N_("half of the stays were no longer")),
    "p90_minutes_in_unit": Measure("min", N_("90 % of the stays were no longer")),
    "p95_minutes_in_unit": Measure("min", N_("95 % of the stays were no longer")),
    "max_inside": Measure("persons", N_("most people inside one unit at once")),
    "latest_exit_minutes": Measure("min", N_("last patient's exit after closing, latest of all")),
    "station_{name}_delayed_share": Measure(
        "share", N_("had to wait, of those served at the station (P(wait))")
    ),
    "station_{name}_mean_wait_minutes": Measure(
        "min", N_("mean wait at the station, of all who queue there")
    ),
    "station_{name}_median_wait_minutes": Measure(
        "min", N_("half of those served waited no longer")
    ),
    "station_{name}_p90_wait_minutes": Measure("min", N_("90 % of those served waited no longer")),
    "station_{name}_p95_wait_minutes": Measure("min", N_("95 % of those served waited no longer")),
    "station_{name}_mean_queue": Measure(
        "persons", N_("waiting in a unit, mean over the opening hours of its sessions (Little)")
    ),
    "station_{name}_max_queue": Measure("persons", N_("longest queue at the station in any unit")),
    "station_{name}_utilisation": Measure(
        "share", N_("time in use (overtime included), of the time staffed on days with a session")
    ),
    "staff_hours_{name}": Measure(
        "h", N_("staff on duty within opening hours on days with a session, all units")
    ),
}
"""Every measure by name; {name} stands for the name of a station."""


def measure(name: str) -> Measure:
    """Unit and meaning of a measure, those of single stations included."""
    if name in MEASURES:
        return MEASURES[name]
    for pattern, found in MEASURES.items():
        begin, brace, end = pattern.partition("{name}")
        long_enough = len(name) > len(begin) + len(end)
        if brace and long_enough and name.startswith(begin) and name.endswith(end):
            return found
    raise KeyError(name)


def known_measures(scenario: Scenario) -> list[str]:
    """Names of all measures of a scenario, those of its stations included."""
    return [
        pattern.format(name=station)
        for pattern in MEASURES
        for station in (station_names(scenario) if "{name}" in pattern else ("",))
    ]


QUANTILES = {"median": 0.5, "p90": 0.9, "p95": 0.95}
"""Of waits and stays: the word in the name of a measure, and the share."""


# One replication ------------------------------------------------------------------------------


def measures_of(tables: Tables, scenario: Scenario, until: date | None = None) -> dict[str, float]:
    """All measures of one replication, by name; NaN where one is undefined (nobody called).

    `until` is the last day simulated where that was before the horizon. Days are counted from
    campaign.first_day (0); NaN: not reached.
    """
    found = {
        **_people(tables, scenario, until),
        **_doses(tables, scenario, until),
        **_telephone(tables, scenario),
        **_units(tables, scenario),
        **_quantiles(tables, scenario),
    }
    return {name: found[name] for name in known_measures(scenario)}


def _people(tables: Tables, scenario: Scenario, until: date | None) -> dict[str, float]:
    campaign, target = scenario.campaign, scenario.target
    reasons = tables["reasons"]
    vaccinated = reasons[reasons["reason"] == "vaccinated"].groupby(["as_of", "scope"])["persons"]
    persons: Mapping[Any, float] = vaccinated.sum().to_dict()
    found: dict[str, float] = {"target": float(target)}
    for scope, name, coverage in (
        ("first", "first_doses", "first_dose_coverage"),
        ("full", "fully_vaccinated", "full_coverage"),
    ):
        by_deadline = float(persons.get(("deadline", scope), math.nan))
        if until is not None and until < campaign.deadline:
            by_deadline = math.nan
        found[f"{name}_by_deadline"] = by_deadline
        found[f"{name}_by_end"] = float(persons.get(("horizon", scope), math.nan))
        found[f"{coverage}_by_deadline"] = by_deadline / target
        found[f"population_{coverage}_by_deadline"] = (
            by_deadline + campaign.vaccinated_before
        ) / campaign.population
    goal = campaign.coverage_goal * campaign.population - campaign.vaccinated_before
    for scope, goal_name, completion_name in zip(
        SCOPES,
        ("first_dose_goal_day", "full_goal_day"),
        ("first_dose_completion_day", "completion_day"),
        strict=True,
    ):
        curve = cumulative(tables["daily"], scenario, scope, until)
        found[goal_name] = _first_day(curve >= goal - 1e-6)
        found[completion_name] = _first_day(curve >= target)
    return found


def _doses(tables: Tables, scenario: Scenario, until: date | None) -> dict[str, float]:
    stock, daily = tables["stock"], tables["daily"]
    flows = {
        name: float(stock[name].sum())
        for name in ("delivered", "administered", "wasted", "storage_loss", "extra")
    }
    last = stock.groupby(["place", "vaccine"])["on_hand"].last()
    wasted = flows["wasted"] + flows["storage_loss"]
    deadline = pd.Timestamp(scenario.campaign.deadline)
    reached = until is None or until >= scenario.campaign.deadline
    by_deadline = float(stock.loc[stock["date"] <= deadline, "administered"].sum())
    return {
        "doses_delivered": flows["delivered"],
        "doses_administered": flows["administered"],
        "doses_administered_first": float(daily.loc[daily["dose"] == 1, "administered"].sum()),
        "doses_administered_second": float(daily.loc[daily["dose"] == 2, "administered"].sum()),
        "doses_administered_by_deadline": by_deadline if reached else math.nan,
        "doses_wasted": wasted,
        "doses_wasted_open_vials": flows["wasted"],
        "doses_lost_in_storage": flows["storage_loss"],
        "doses_extra": flows["extra"],
        "doses_on_hand_by_end": float(last.sum()),
        "waste_share": _ratio(wasted, flows["delivered"] + flows["extra"]),
    }


def _telephone(tables: Tables, scenario: Scenario) -> dict[str, float]:
    calls: Any = tables["call_centre"].drop(columns=["date", "language"]).sum()
    agents: Any = tables["agents"][["on_duty", "busy", "overtime"]].sum()
    callers = tables["callers"]
    booking: Any = (
        callers[callers["purpose"] == "booking"].drop(columns=["date", "group", "purpose"]).sum()
    )
    bookings: Any = tables["bookings"][["registered_telephone", "registered_other"]].sum()
    offered = float(calls["offered"])
    on_lines = offered - float(calls["blocked"])
    centre = scenario.call_centre
    open_minutes = tables["agents"]["date"].nunique() * (centre.closes - centre.opens)
    return {
        "calls_offered": offered,
        "calls_answered": float(calls["answered"]),
        "calls_abandoned": float(calls["abandoned"]),
        "calls_blocked": float(calls["blocked"]),
        "calls_cut_off": float(calls["cut_off"]),
        "calls_closed": float(callers["calls_outside_hours"].sum()),
        "answered_share": _ratio(calls["answered"], offered),
        "answered_within_target_share": _ratio(calls["within_target"], offered),
        "abandoned_share": _ratio(calls["abandoned"], offered),
        "blocked_share": _ratio(calls["blocked"], offered),
        "delayed_share": _ratio(calls["delayed"], on_lines),
        "mean_wait_minutes": _ratio(calls["wait_answered"], calls["answered"]),
        "mean_wait_all_minutes": _ratio(calls["wait_all"], on_lines),
        "mean_calls_waiting": _ratio(calls["wait_all"], open_minutes),
        "agent_occupancy": _ratio(agents["busy"], agents["on_duty"]),
        "agent_hours": float(agents["on_duty"] + agents["overtime"]) / 60,
        "persons_calling": float(booking["first_calls"]),
        "persons_got_through": float(booking["answered"]),
        "persons_gave_up": float(booking["gave_up"]),
        "telephone_bookings": float(bookings["registered_telephone"]),
        "other_bookings": float(bookings["registered_other"]),
        "attempts_per_booking": _ratio(booking["attempts"], booking["bookings"]),
    }


def _units(tables: Tables, scenario: Scenario) -> dict[str, float]:
    daily: Any = tables["daily"].drop(columns=["date", "unit", "group"]).sum()
    sessions, stations = tables["sessions"], tables["stations"]
    found = {
        "appointments": float(daily["appointments"]),
        "no_show_share": _ratio(daily["no_shows"], daily["appointments"]),
        "turned_away_no_dose": float(daily["no_dose"]),
        "left_waiting": float(daily["left"]),
        "turned_away_late": float(daily["late"] + daily["closed"]),
        "mean_minutes_in_unit": _ratio(sessions["time_inside"].sum(), sessions["patients"].sum()),
        "max_inside": _largest(sessions["max_inside"]),
        "latest_exit_minutes": _largest(sessions["last_exit"]),
    }
    open_minutes = stations["unit"].map(
        {name: unit.closes - unit.opens for name, unit in scenario.units.items()}
    )
    for name in station_names(scenario):
        here = stations[stations["station"] == name]
        found[f"station_{name}_mean_wait_minutes"] = _ratio(
            here["wait"].sum(), here["joined"].sum()
        )
        found[f"station_{name}_mean_queue"] = _ratio(
            here["wait"].sum(), open_minutes[here.index].sum()
        )
        found[f"station_{name}_max_queue"] = _largest(here["max_queue"])
        found[f"station_{name}_utilisation"] = _ratio(here["busy"].sum(), here["on_duty"].sum())
        staffed = here["unit"].isin(
            [
                unit_name
                for unit_name, unit in scenario.units.items()
                if name in unit.stations and unit.stations[name].kind != "observation"
            ]
        )
        found[f"staff_hours_{name}"] = float(here.loc[staffed, "on_duty"].sum()) / 60
    return found


def _quantiles(tables: Tables, scenario: Scenario) -> dict[str, float]:
    """What is measured of the lengths of waits and stays."""
    table = tables["durations"]
    columns = table[["shortest", "longest", "number"]].to_numpy().T
    groups = table.groupby(["what", "station"], sort=False).indices
    classes = {key: columns[:, rows] for key, rows in groups.items()}
    none, found = np.empty((3, 0)), {}
    waits = {"": ("call", ""), **{f"station_{s}_": ("station", s) for s in station_names(scenario)}}
    for name, share in QUANTILES.items():
        for prefix, key in waits.items():
            here = classes.get(key, none)
            found[f"{prefix}{name}_wait_minutes"] = quantile_of_classes(here, share)
        stays = classes.get(("stay", ""), none)
        found[f"{name}_minutes_in_unit"] = quantile_of_classes(stays, share)
    for station in station_names(scenario):
        _shortest, longest, number = classes.get(("station", station), none)
        waited = number[longest > 0].sum()
        found[f"station_{station}_delayed_share"] = _ratio(waited, number.sum())
    return found


def station_names(scenario: Scenario) -> list[str]:
    """Names of the stations of all units, in order of first mention."""
    return list(dict.fromkeys(name for unit in scenario.units.values() for name in unit.stations))


def estimates(replications: pd.DataFrame) -> dict[str, Estimate]:
    """`estimate` of every measure over the rows of a `replications` table."""
    names = map(str, replications.columns.drop("replication"))
    return {name: estimate(name, replications[name]) for name in names}


def estimate(name: str, values: pd.Series) -> Estimate:
    """Mean and interval of a measure, the interval within the range of the measure.

    A day that is not reached in some replication has no mean (that of the others would be too
    early); `n` says in how many it is reached. An interval of few replications can be so wide that
    it leaves the range: what is impossible is cut off.
    """
    found = mean_interval(values.to_numpy())
    if measure(name).unit == "days" and values.isna().any():
        return Estimate(None, None, None, found.n)
    return found.within(*measure(name).range)


# Small arithmetic -----------------------------------------------------------------------------


def _ratio(part: Any, whole: Any) -> float:
    return float(part) / float(whole) if whole else math.nan


def _largest(values: pd.Series) -> float:
    return float(values.max()) if len(values) else math.nan


def _first_day(reached: NDArray[np.bool_]) -> float:
    return float(np.argmax(reached)) if reached.any() else math.nan


def as_date(scenario: Scenario, days: float) -> date:
    """The date that is so many days after campaign.first_day (fractions round up)."""
    return scenario.campaign.first_day + timedelta(days=math.ceil(days))


on = long_date
"""14 August 2021."""
