"""What must add up in the tables of every replication: doses, persons, bookings, calls.

The engine's days and sessions are audited as they are simulated (`sim.model.audit`); here is what
shows only in the tables of the whole campaign. Both leave the rows of the table `audit`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.coverage import SCOPES, Scope, by_group
from sim.experiment.feasibility import closed_form
from sim.experiment.limits import limits_in
from sim.model.capacity import open_by_day, slots_by_day
from sim.model.ledger import Ledger
from sim.model.records import CAUSES, PROVINCE_STORE, REASONS
from sim.scenario import HOUR_US, MINUTE_US, Scenario

Tables = Mapping[str, pd.DataFrame]
Int64Array = NDArray[np.int64]


def check_conservation(
    tables: Tables, scenario: Scenario, until: date | None = None
) -> pd.DataFrame:
    """The rows of the table `audit` (without `replication`) for the tables of one replication.

    Raises AuditError, with what, where, when, expected and found, unless every law holds. The two
    sides of a law come from different tables, or from columns that the model counts apart.
    """
    ledger, places = Ledger(), _Places(tables, scenario)
    _check_doses(ledger, places)
    _check_persons(ledger, places, until)
    _check_capacity(ledger, places)
    _check_calls(ledger, places)
    return pd.DataFrame(ledger.rows())


class _Places:
    """The tables of one replication as dense arrays over the campaign's days and names."""

    def __init__(self, tables: Tables, scenario: Scenario) -> None:
        campaign = scenario.campaign
        self.tables, self.scenario = tables, scenario
        self.first_day = campaign.first_day
        self.days = (campaign.horizon - campaign.first_day).days + 1
        self.names: dict[str, list[str]] = {
            "place": [PROVINCE_STORE, *scenario.units],
            "unit": list(scenario.units),
            "vaccine": list(scenario.vaccines),
            "group": list(scenario.groups),
            "reason": list(REASONS),
            "cause": list(CAUSES),
            "scope": list(SCOPES),
            "as_of": ["deadline", "horizon"],
            "language": list(scenario.languages),
            "dose": ["1", "2"],
        }
        self._known: dict[tuple[str, str], Int64Array] = {}
        self._vaccinated: dict[Scope, Int64Array] = {}

    def vaccinated(self, scope: Scope) -> Int64Array:
        """Persons vaccinated by the evening of each day: int64[groups, days]."""
        if scope not in self._vaccinated:
            self._vaccinated[scope] = by_group(self.tables["daily"], self.scenario, scope)
        return self._vaccinated[scope]

    def codes(self, table: str, column: str) -> Int64Array:
        """The number of each row's day, or of its name among `names`."""
        key = table, column
        if key not in self._known:
            values = self.tables[table][column]
            if column == "date":
                day = values.to_numpy().astype("datetime64[D]") - np.datetime64(self.first_day)
                found = day.astype(np.int64)
            elif column == "dose":
                found = values.to_numpy() - 1
            else:
                found = pd.Index(self.names[column]).get_indexer(pd.Index(values))
            self._known[key] = found
        return self._known[key]

    def total(self, table: str, columns: str | Sequence[str], *by: str) -> Int64Array:
        """Sums of (several) columns by day or name: int64[by ...]."""
        frame = self.tables[table]
        wanted = [columns] if isinstance(columns, str) else columns
        shape = tuple(self.days if key == "date" else len(self.names[key]) for key in by)
        cell = np.ravel_multi_index(tuple(self.codes(table, key) for key in by), shape)
        sums = np.zeros(int(np.prod(shape)), dtype=np.int64)
        for column in wanted:
            # sums of whole numbers in floating point are exact below 2**53
            weights = frame[column].to_numpy()
            sums += np.bincount(cell, weights, minlength=sums.size).astype(np.int64)
        return sums.reshape(shape)

    def where(self, shape: Sequence[int], *by: str) -> Callable[[int], str]:
        """Names a case of arrays over `by`, given its place in the flattened array."""

        def named(at: int) -> str:
            cell = np.unravel_index(at, tuple(shape))
            return ", ".join(
                f"date {self.first_day + timedelta(days=int(i))}"
                if key == "date"
                else f"{key} {self.names[key][i]}"
                for key, i in zip(by, cell, strict=True)
            )

        return named


def _check_doses(ledger: Ledger, places: _Places) -> None:
    """Doses at every place, by vaccine; between store and units; between stock and people."""
    names = places.names
    by = ("place", "vaccine", "date")
    came = places.total("stock", ("delivered", "shipped_in", "extra"), *by)
    went = places.total("stock", ("storage_loss", "shipped_out", "administered", "wasted"), *by)
    on_hand = places.total("stock", "on_hand", *by)
    simulated = int(places.codes("stock", "date").max(initial=-1)) + 1
    # by the evening of each day, so that a message has the doses of a place and not a difference
    so_far, gone = np.cumsum(came, axis=2), np.cumsum(went, axis=2)
    received = places.total("stock", "shipped_in", "vaccine", "date")
    sent = places.total("stock", "shipped_out", "vaccine", "date")
    for v, vaccine in enumerate(names["vaccine"]):
        came_in, went_out, left = (each[:, v, :simulated] for each in (so_far, gone, on_hand))
        where = places.where(left.shape, "place", "date")
        inside = int(sent[v].sum())
        last = int(left[:, -1].sum()) if simulated else 0
        totals = (int(came[:, v].sum()) - inside, int(went[:, v].sum()) - inside + last)
        ledger.equal("doses", vaccine, came_in.ravel(), (went_out + left).ravel(), where, totals)
        ledger.at_most("stock", vaccine, -left.ravel(), np.zeros(left.size), where)
        ledger.equal(
            "shipments", vaccine, received[v], sent[v], places.where((places.days,), "date")
        )
    given = places.total("stock", "administered", "place", "date")[1:].ravel()
    jabbed = places.total("daily", "administered", "unit", "date")
    at_unit = places.where(jabbed.shape, "unit", "date")
    ledger.equal("jabs", "all units", given, jabbed.ravel(), at_unit)


_NOT_VACCINATED = ("no_shows", "no_dose", "left", "late", "closed")


def _check_persons(ledger: Ledger, places: _Places, until: date | None) -> None:
    """Who was due, by outcome; everybody, by reason and cause; who is vaccinated, by doses."""
    by = ("date", "unit", "group", "dose")
    due = places.total("daily", ("appointments", "walk_ins"), *by)
    given = places.total("daily", "administered", *by)
    not_given = places.total("daily", _NOT_VACCINATED, *by)
    dropped_out = places.total("daily", "dropped_out", *by)
    some = np.flatnonzero((due + given + not_given + dropped_out).ravel())
    named = places.where(due.shape, *by)

    def where(at: int) -> str:
        return named(int(some[at]))

    due, given, not_given, dropped_out = (
        counts.ravel()[some] for counts in (due, given, not_given, dropped_out)
    )
    ledger.equal("visits", "appointments and walk-ins", due, given + not_given, where)
    ledger.at_most("dropped_out", "appointments and walk-ins", dropped_out, not_given, where)
    _check_reasons(ledger, places, until)


def _check_reasons(ledger: Ledger, places: _Places, until: date | None) -> None:
    scenario, names = places.scenario, places.names
    campaign = scenario.campaign
    by = ("as_of", "scope", "group")
    persons = places.total("reasons", "persons", *by, "reason")
    causes = places.total("causes", "persons", *by, "cause")
    reason_of = np.array([names["reason"].index(cause.reason) for cause in CAUSES.values()])
    by_cause = np.zeros_like(persons)
    for number, reason in enumerate(reason_of):
        by_cause[..., reason] += causes[..., number]
    people = np.array([group.people for group in scenario.groups.values()])
    there = np.array([counts.any() for counts in persons])  # not every day was simulated
    shape = persons.shape
    cell, group = places.where(shape, *by, "reason"), places.where(shape[:3], *by)
    of_groups = persons.sum(axis=3)
    expected = np.where(there[:, np.newaxis, np.newaxis], people, 0)
    expected = np.broadcast_to(expected, of_groups.shape)
    ledger.equal("reasons", "all groups", of_groups.ravel(), expected.ravel(), group)
    ledger.equal("causes", "all groups", by_cause.ravel(), persons.ravel(), cell)
    ledger.at_most("no_negative", "all groups", -persons.ravel(), np.zeros(persons.size), cell)

    end = until or campaign.horizon
    vaccinated = names["reason"].index("vaccinated")
    for a, last_day in enumerate((min(campaign.deadline, end), end)):
        day = (last_day - places.first_day).days
        if not there[a] or day < 0:
            continue
        for s, scope in enumerate(SCOPES):

            def member(at: int, last_day: date = last_day) -> str:
                return f"date {last_day}, group {names['group'][at]}"

            ledger.equal(
                "vaccinated",
                f"{_SCOPE[scope]}, by the {names['as_of'][a]}",
                persons[a, s, :, vaccinated],
                places.vaccinated(scope)[:, day],
                member,
            )


_SCOPE: Mapping[Scope, str] = {"first": "first dose", "full": "fully vaccinated"}


def _check_capacity(ledger: Ledger, places: _Places) -> None:
    """Appointments within slots, made the day before at the latest; coverage below the ceiling."""
    scenario, tables = places.scenario, places.tables
    slots = slots_by_day(scenario)
    due = places.total("daily", "appointments", "unit", "date")
    where = places.where(due.shape, "unit", "date")
    ledger.at_most("slots", "all units", due.ravel(), slots.ravel(), where)

    held = places.total("sessions", "open_minutes", "unit", "date")
    open_days = open_by_day(scenario)
    ledger.at_most("open", "units", 1 * (held > 0).ravel(), 1 * open_days.ravel(), where)
    hours = np.array([unit.closes - unit.opens for unit in scenario.units.values()])
    simulated = int(places.codes("stock", "date").max(initial=-1)) + 1
    is_open = (open_days * hours[:, np.newaxis])[:, :simulated] * MINUTE_US
    busy, everything = held[:, :simulated] * MINUTE_US, is_open.size * 24 * HOUR_US
    unused = np.where(busy > 0, 0, is_open).sum()
    closed = everything - is_open.sum()
    states = (("in session", busy.sum()), ("open, nobody came", unused), ("closed", closed))
    for state, time in states:
        ledger.at_most("time_in_state", f"units: {state}", [time], [everything], lambda at: "all")
    together = [sum(time for _, time in states)]
    ledger.equal("times_in_states", "units", together, [everything], lambda at: "all units")

    made = places.total("bookings", ("booked_first", "booked_second"), "group", "date")
    until_then = np.cumsum(made, axis=1)
    come_due = np.cumsum(places.total("daily", "appointments", "group", "date"), axis=1)
    made_before = np.pad(until_then, ((0, 0), (1, 0)))[:, :-1]
    booked = np.zeros(made.shape, dtype=bool)
    booked[places.codes("bookings", "group"), places.codes("bookings", "date")] = True
    cells = np.flatnonzero(booked.ravel())
    named = places.where(made.shape, "group", "date")
    ledger.at_most(
        "booked_before",
        "appointments",
        come_due.ravel()[cells],
        made_before.ravel()[cells],
        lambda at: named(int(cells[at])),
    )

    limits = limits_in(scenario, tables, slots)
    for scope in SCOPES:
        vaccinated = places.vaccinated(scope).sum(axis=0)
        most = closed_form(limits, scope)
        where = places.where(most.shape, "date")
        ledger.at_most("ceiling", _SCOPE[scope], vaccinated, most, where)


def _check_calls(ledger: Ledger, places: _Places) -> None:
    """Attempts by outcome, by agent and by caller; callers by outcome."""
    calls, callers = places.tables["call_centre"], places.tables["callers"]

    def hour(at: int) -> str:
        row = calls.iloc[at]
        return f"date {row['date'].date()}, hour {row['hour']}, language {row['language']}"

    def caller(at: int) -> str:
        row = callers.iloc[at]
        return f"date {row['date'].date()}, group {row['group']}, purpose {row['purpose']}"

    def column(table: pd.DataFrame, *names: str) -> Int64Array:
        return np.asarray(sum(table[name].to_numpy() for name in names))

    offered = column(calls, "offered")
    ended = column(calls, "answered", "abandoned", "blocked", "cut_off")
    spoken = places.codes("call_centre", "language")
    for number, language in enumerate(places.names["language"]):
        mine = np.flatnonzero(spoken == number)

        def where(at: int, mine: Int64Array = mine) -> str:
            return hour(int(mine[at]))

        ledger.equal("calls", language, offered[mine], ended[mine], where)
    ledger.at_most(
        "in_time", "all calls", column(calls, "within_target"), column(calls, "answered"), hour
    )
    ended = column(callers, "answered", "gave_up", "carried")
    ledger.equal("callers", "all callers", column(callers, "callers"), ended, caller)

    answered = places.total("call_centre", "answered", "date")
    got_through = places.total("callers", "answered", "date")
    days = places.where(answered.shape, "date")
    by_agents = places.total("agents", "answered", "date")
    ledger.equal("calls_by_agents", "all pools", answered, by_agents, days)
    if places.scenario.call_centre.reconnect_probability:
        ledger.at_most("got_through", "all callers", got_through, answered, days)
    else:  # nobody is answered twice
        ledger.equal("calls_by_callers", "all callers", answered, got_through, days)
    ledger.equal(
        "attempts",
        "all calls",
        places.total("call_centre", "offered", "date"),
        places.total("callers", "attempts", "date"),
        days,
    )
