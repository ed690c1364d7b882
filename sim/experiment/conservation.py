"""What must add up in the tables of every replication: doses, persons, calls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from sim.experiment.coverage import SCOPES, coverage_curve, cumulative
from sim.experiment.feasibility import closed_form, limits_in
from sim.model.capacity import slots_by_day
from sim.model.records import PROVINCE_STORE
from sim.scenario import Scenario

Tables = Mapping[str, pd.DataFrame]


class ConservationError(AssertionError):
    """Doses, persons or calls of a replication do not add up: an error in the program."""


def check_conservation(tables: Tables, scenario: Scenario, until: date | None = None) -> None:
    """Raise ConservationError, with what, where and when, unless everything adds up.

    Doses: at every place, what came in is what went out and what is there; what the store sent is
    what the units received; what was given is what people got. Persons: who was due came or did
    not, and was vaccinated or not; the reasons sum to every group; vaccinations by the deadline
    are the doses given until then. Capacity: no unit has more appointments than slots, nobody an
    appointment that was not made the day before at the latest, and coverage stays below the ceiling
    (`feasibility.closed_form`) of the doses that arrived and the people who walked in. Calls: every
    attempt was answered, abandoned, blocked or cut off; agents answered what callers had answered.
    """
    _check_doses(tables)
    _check_persons(tables, scenario, until)
    _check_capacity(tables, scenario)
    _check_calls(tables, scenario.call_centre.reconnect_probability > 0)


def _check_doses(tables: Tables) -> None:
    stock = tables["stock"]
    change = (
        stock["delivered"]
        + stock["shipped_in"]
        + stock["extra"]
        - stock["storage_loss"]
        - stock["shipped_out"]
        - stock["administered"]
        - stock["wasted"]
    )
    expected = change.groupby([stock["place"], stock["vaccine"]], sort=False).cumsum()
    _must_equal(
        "doses on hand and the doses that came in less those that went out",
        stock,
        stock["on_hand"],
        expected,
    )
    _must_hold("doses on hand", "is negative", stock, stock["on_hand"] >= 0)
    shipped = stock.groupby(["date", "vaccine"], as_index=False)[
        ["shipped_in", "shipped_out"]
    ].sum()
    _must_equal(
        "doses received by the units and sent by the store",
        shipped,
        shipped["shipped_in"],
        shipped["shipped_out"],
    )
    given = stock[stock["place"] != PROVINCE_STORE].rename(columns={"place": "unit"})
    both = _side_by_side(
        given.groupby(["date", "unit"])["administered"].sum(),
        tables["daily"].groupby(["date", "unit"])["administered"].sum(),
    )
    _must_equal("doses given from stock and people vaccinated", both, both["left"], both["right"])


def _check_persons(tables: Tables, scenario: Scenario, until: date | None) -> None:
    daily = tables["daily"]
    due = daily["appointments"] + daily["walk_ins"]
    outcomes = ["no_shows", "administered", "no_dose", "left", "late", "closed"]
    _must_equal("people due and what became of them", daily, due, daily[outcomes].sum(axis=1))
    not_vaccinated = due - daily["administered"]
    _must_hold(
        "people who dropped out",
        "exceeds those not vaccinated",
        daily,
        daily["dropped_out"] <= not_vaccinated,
    )

    reasons = tables["reasons"]
    groups = reasons.groupby(["as_of", "scope", "group"])["persons"].sum().reset_index()
    people = groups["group"].map({name: group.people for name, group in scenario.groups.items()})
    _must_equal("people by reason and people of the group", groups, groups["persons"], people)
    _must_hold("people by reason", "is negative", reasons, reasons["persons"] >= 0)

    campaign = scenario.campaign
    end = until or campaign.horizon
    for scope in SCOPES:
        curve = coverage_curve(
            tables["daily"], scenario, scope, "group", until, list(daily["replication"][:1])
        )
        for as_of, day in (("deadline", min(campaign.deadline, end)), ("horizon", end)):
            here = reasons[
                (reasons["as_of"] == as_of)
                & (reasons["scope"] == scope)
                & (reasons["reason"] == "vaccinated")
            ]
            if curve.empty or not (reasons["as_of"] == as_of).any():
                continue  # that day was not simulated
            last = curve[curve["date"] == pd.Timestamp(day)].set_index("group")["persons"]
            both = _side_by_side(here.groupby("group")["persons"].sum(), last)
            _must_equal(
                f"people vaccinated ({scope}) by the {as_of} and the doses given until then",
                both,
                both["left"],
                both["right"],
            )


def _check_capacity(tables: Tables, scenario: Scenario) -> None:
    daily = tables["daily"]
    days = pd.date_range(scenario.campaign.first_day, scenario.campaign.horizon, unit="ms")
    by_unit = slots_by_day(scenario)
    slots = pd.DataFrame(by_unit.T, index=days, columns=list(scenario.units))
    due = daily.groupby(["date", "unit"], as_index=False)[["appointments", "walk_ins"]].sum()
    column = slots.columns.get_indexer(pd.Index(due["unit"]))
    given_slots = slots.to_numpy()[slots.index.get_indexer(pd.Index(due["date"])), column]
    _must_hold("appointments", "exceed the slots", due, due["appointments"] <= given_slots)

    made = tables["bookings"].groupby(["group", "date"])[["booked_first", "booked_second"]].sum()
    until_then = made.sum(axis=1).groupby("group").cumsum()
    came_due = daily.groupby(["group", "date"])["appointments"].sum().groupby("group").cumsum()
    both = _side_by_side(came_due.reindex(until_then.index).groupby("group").ffill(), until_then)
    earlier = both.groupby("group")["right"].shift(1, fill_value=0)
    _must_hold(
        "appointments that came due",
        "exceed those made until the day before",
        both,
        both["left"].fillna(0) <= earlier,
    )

    limits = limits_in(scenario, tables, by_unit)
    for scope in SCOPES:
        curve = pd.DataFrame(
            {
                "date": days,
                "given": cumulative(daily, scenario, scope, None),
                "most": closed_form(limits, scope),
            }
        )
        _must_hold(
            _VACCINATED[scope],
            "exceed what doses, slots, turns and interval allow",
            curve,
            curve["given"] <= curve["most"] + 1e-6,
        )


_VACCINATED = {"first": "first doses", "full": "full vaccinations"}


def _check_calls(tables: Tables, call_again: bool) -> None:
    """`call_again`: people who have been answered may call again on the same day."""
    calls = tables["call_centre"]
    outcomes = ["answered", "abandoned", "blocked", "cut_off"]
    _must_equal(
        "calls offered and what became of them",
        calls,
        calls["offered"],
        calls[outcomes].sum(axis=1),
    )
    _must_hold(
        "calls answered in time",
        "exceeds those answered",
        calls,
        calls["within_target"] <= calls["answered"],
    )
    by_day = calls.groupby("date")[["offered", "answered"]].sum()
    agents = tables["agents"].groupby("date")["answered"].sum()
    callers = tables["callers"].groupby("date")[["attempts", "answered"]].sum()
    for what, left, right in (
        ("calls answered and calls taken by agents", by_day["answered"], agents),
        ("calls offered and attempts of callers", by_day["offered"], callers["attempts"]),
    ):
        both = _side_by_side(left, right)
        _must_equal(what, both, both["left"], both["right"])
    both = _side_by_side(by_day["answered"], callers["answered"])
    if call_again:
        _must_hold(
            "people who reached an agent", "more than calls answered", both,
            both["right"] <= both["left"],
        )  # fmt: skip
    else:
        what = "calls answered and people who reached an agent"
        _must_equal(what, both, both["left"], both["right"])


def _side_by_side(left: pd.Series, right: pd.Series) -> pd.DataFrame:
    """Two sums over the same keys; a key that one of them lacks counts 0."""
    both = pd.DataFrame({"left": left, "right": right}).fillna(0).astype("int64")
    return both.reset_index()


def _must_equal(what: str, frame: pd.DataFrame, left: pd.Series, right: pd.Series) -> None:
    wrong = np.flatnonzero(left.to_numpy() != right.to_numpy())
    if wrong.size:
        at = wrong[0]
        raise ConservationError(
            f"{what} differ: {left.iloc[at]:,} and {right.iloc[at]:,} "
            f"{_where(frame, at)} ({wrong.size} of {len(frame)} rows)"
        )


def _must_hold(what: str, fault: str, frame: pd.DataFrame, holds: pd.Series) -> None:
    wrong = np.flatnonzero(~holds.to_numpy())
    if wrong.size:
        raise ConservationError(
            f"{what}: {fault} {_where(frame, wrong[0])} ({wrong.size} of {len(frame)} rows)"
        )


def _where(frame: pd.DataFrame, at: int) -> str:
    keys = (
        "replication",
        "as_of",
        "scope",
        "date",
        "hour",
        "place",
        "unit",
        "group",
        "dose",
        "language",
        "vaccine",
        "reason",
    )
    row = frame.iloc[at]
    named = [f"{key} {_shown(row[key])}" for key in keys if key in frame.columns]
    return "at " + ", ".join(named)


def _shown(value: Any) -> str:
    return value.date().isoformat() if isinstance(value, pd.Timestamp) else str(value)
