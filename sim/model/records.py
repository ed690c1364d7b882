"""The tables that a campaign leaves behind, and their documented columns.

The model appends rows as it goes; nothing is computed here that could be computed from the rows
afterwards (that is `experiment/measures.py`). Every table begins with the column `replication`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.language import N_

ColumnType = Literal["int64", "float64", "date", "category"]


@dataclass(frozen=True)
class Column:
    """One column: its type, its unit ("" where it has none) and what it means."""

    name: str
    type: ColumnType
    unit: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """One table: what a row is, and its columns."""

    name: str
    row: str
    columns: tuple[Column, ...]


def _table(name: str, row: str, *columns: tuple[str, ColumnType, str, str]) -> Table:
    replication = Column("replication", "int64", "", "number of the replication, from 0")
    return Table(name, row, (replication, *(Column(*column) for column in columns)))


_DATE: tuple[str, ColumnType, str, str] = ("date", "date", "", "day of the campaign")
_UNIT: tuple[str, ColumnType, str, str] = ("unit", "category", "", "vaccination unit")
_GROUP: tuple[str, ColumnType, str, str] = ("group", "category", "", "group of people")

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        _table(
            "daily",
            "people with an appointment (or walking in) at one unit on one day, by group and dose",
            _DATE,
            _UNIT,
            _GROUP,
            ("dose", "int64", "", "1 first, 2 second"),
            ("appointments", "int64", "persons", "due that day"),
            ("walk_ins", "int64", "persons", "came without appointment"),
            ("no_shows", "int64", "persons", "had an appointment and did not come"),
            ("administered", "int64", "doses", "vaccinated"),
            ("completed", "int64", "doses", "of these, the last dose of a regimen"),
            ("no_dose", "int64", "persons", "came and found no dose"),
            ("left", "int64", "persons", "left before the jab because the wait was too long"),
            ("late", "int64", "persons", "not vaccinated before the overtime limit"),
            ("closed", "int64", "persons", "came after closing"),
            ("dropped_out", "int64", "persons", "of those not vaccinated: do not book again"),
        ),
        _table(
            "bookings",
            "registrations and appointments made in the evening of one day, by group",
            _DATE,
            _GROUP,
            ("registered_telephone", "int64", "persons", "registered by telephone that day"),
            ("registered_other", "int64", "persons", "registered through other channels that day"),
            ("came_other", "int64", "persons", "came to other channels for the first time"),
            ("booked_first", "int64", "persons", "first-dose appointments made"),
            ("booked_second", "int64", "persons", "second-dose appointments made"),
            ("waiting_first", "int64", "persons", "left on the waiting list for a first dose"),
            ("waiting_second", "int64", "persons", "left on the waiting list for a second dose"),
        ),
        _table(
            "callers",
            "people calling on one day, by group and purpose",
            _DATE,
            _GROUP,
            ("purpose", "category", "", "booking or inquiry"),
            ("callers", "int64", "persons", "who called within opening hours"),
            ("first_calls", "int64", "persons", "who called for the first time, whenever that was"),
            ("calls_outside_hours", "int64", "calls", "that found the centre closed"),
            ("attempts", "int64", "calls", "within opening hours"),
            ("answered", "int64", "persons", "who reached an agent"),
            ("bookings", "int64", "persons", "whose answered call ended in a registration"),
            ("gave_up", "int64", "persons", "who will not call again, without having got through"),
            ("carried", "int64", "persons", "who will call again another day"),
        ),
        _table(
            "call_centre",
            "call attempts of one hour, by language; outcomes count in the hour of the attempt",
            _DATE,
            ("hour", "int64", "h", "hour of the day in which the attempt was made"),
            ("language", "category", "", "language of the caller"),
            ("offered", "int64", "calls", "attempts within opening hours"),
            ("answered", "int64", "calls", "taken by an agent"),
            ("abandoned", "int64", "calls", "left the queue"),
            ("blocked", "int64", "calls", "heard the busy signal"),
            ("cut_off", "int64", "calls", "still waiting at closing and told to call again"),
            ("delayed", "int64", "calls", "entered the queue"),
            ("within_target", "int64", "calls", "answered within the target wait"),
            ("wait_answered", "float64", "min", "sum of the waits of answered calls"),
            ("wait_all", "float64", "min", "sum of the waits of all calls that took a line"),
        ),
        _table(
            "agents",
            "one pool of agents on one day",
            _DATE,
            ("pool", "category", "", "pool of agents"),
            ("answered", "int64", "calls", "taken"),
            ("on_duty", "float64", "min", "agent time on duty within opening hours"),
            ("busy", "float64", "min", "agent time on calls within opening hours"),
            ("overtime", "float64", "min", "agent time on calls after closing"),
        ),
        _table(
            "stations",
            "one station of one unit on one day with a session (somebody came)",
            _DATE,
            _UNIT,
            ("station", "category", "", "station"),
            ("joined", "int64", "persons", "who joined the queue there"),
            ("served", "int64", "persons", "who started there"),
            ("wait", "float64", "min", "sum of waits, those who left included"),
            ("max_queue", "int64", "persons", "longest queue"),
            ("busy", "float64", "min", "sum of service (or seat) times, overtime included"),
            ("on_duty", "float64", "min", "staff (or seat) time within opening hours"),
        ),
        _table(
            "sessions",
            "one unit on one day with a session (somebody came, or was expected)",
            _DATE,
            _UNIT,
            ("open_minutes", "float64", "min", "from opening to closing"),
            ("patients", "int64", "persons", "admitted"),
            ("max_inside", "int64", "persons", "most people inside at once"),
            ("time_inside", "float64", "min", "sum of the times in the unit"),
            (
                "last_exit",
                "float64",
                "min",
                "last patient's exit, after closing (before: negative)",
            ),
        ),
        _table(
            "durations",
            "waits or stays of about one length (within 1.6 %), in the whole campaign",
            (
                "what",
                "category",
                "",
                "call (wait of an answered call; of several that one caller had answered that day, "
                "their mean), station (wait of who was served there), stay (in the unit)",
            ),
            ("station", "category", "", "station, where it is the wait at one"),
            ("shortest", "float64", "min", "of these lengths"),
            ("longest", "float64", "min", "of these lengths"),
            ("number", "int64", "persons", "calls or persons with such a wait or stay"),
        ),
        _table(
            "stock",
            "doses of one vaccine at one place on one day, in labelled doses unless said otherwise",
            _DATE,
            ("place", "category", "", "a unit, or province_store"),
            ("vaccine", "category", "", "vaccine"),
            ("delivered", "int64", "doses", "arrived at the provincial store"),
            ("storage_loss", "int64", "doses", "lost in storage"),
            ("shipped_in", "int64", "doses", "received by the unit"),
            ("shipped_out", "int64", "doses", "sent by the store"),
            ("extra", "int64", "doses", "drawn from opened vials beyond the label"),
            ("administered", "int64", "doses", "given"),
            ("wasted", "int64", "doses", "left in opened vials and discarded"),
            ("on_hand", "int64", "doses", "in closed vials at the end of the day"),
            (
                "unpromised",
                "int64",
                "doses",
                "that could still be promised for the next day, extra doses included (store only)",
            ),
        ),
        _table(
            "reasons",
            "people of a group by what stands between them and vaccination; sums to the group",
            ("as_of", "category", "", "deadline or horizon"),
            ("scope", "category", "", "first (first dose) or full (fully vaccinated)"),
            _GROUP,
            ("reason", "category", "", "vaccinated, or the reason why not (see REASONS)"),
            ("persons", "int64", "persons", "in the evening of that day"),
        ),
        _table(
            "causes",
            "the same people by cause, which splits the reasons; sums to the group",
            ("as_of", "category", "", "deadline or horizon"),
            ("scope", "category", "", "first (first dose) or full (fully vaccinated)"),
            _GROUP,
            ("cause", "category", "", "what stands between them and vaccination (see CAUSES)"),
            ("persons", "int64", "persons", "in the evening of that day"),
        ),
        _table(
            "unit_day",
            "queue and service through each unit's busiest session (replication 0 only)",
            _DATE,
            _UNIT,
            ("station", "category", "", "station"),
            ("minute", "int64", "min", "minute of the day"),
            ("waiting", "int64", "persons", "in the queue at that minute"),
            ("in_service", "int64", "persons", "being served (or seated) at that minute"),
        ),
        _table(
            "audit",
            "one law (see sim.model.ledger.LAWS) and what it is about; times in minutes",
            ("law", "category", "", "name of the law"),
            ("what", "category", "", "queue, station, pool, vaccine or group that it is about"),
            ("cases", "int64", "", "comparisons: sessions, days, places on a day, ..."),
            ("left", "float64", "", "left side: over all cases or, of limits, of the closest"),
            ("right", "float64", "", "right side"),
            ("difference", "float64", "", "largest of one case; of limits: left less right"),
            ("tolerance", "float64", "", "the greatest difference that passes"),
            ("passed", "int64", "", "1 passed (a law that fails ends the run)"),
        ),
    )
}

PROVINCE_STORE = "province_store"

REASONS: dict[str, str] = {
    "vaccinated": N_("vaccinated"),
    "unwilling": N_("does not want to be vaccinated"),
    "turn_too_late": N_("the group's turn comes after this date"),
    "never_reached_call_centre": N_("called, never got through (gave up, or still trying)"),
    "no_dose": N_("no dose to book, or none left on the day"),
    "no_slot": N_("the slots up to this date were taken, or not served on the day"),
    "not_shown_up": N_("missed the appointment"),
    "interval_not_over": N_("had the first dose; the interval to the second is not over"),
    "still_waiting": N_("has not registered yet, or has an appointment later than this date"),
}
"""Every person has exactly one; the order is the order of the waterfall."""


@dataclass(frozen=True)
class Cause:
    """A part of a reason."""

    reason: str
    meaning: str


CAUSES: dict[str, Cause] = {
    "vaccinated": Cause("vaccinated", N_("vaccinated")),
    "unwilling": Cause("unwilling", N_("does not want to be vaccinated")),
    "declined": Cause("unwilling", N_("called, was answered, and decided against it")),
    "turn_too_late": Cause("turn_too_late", N_("the group's turn comes after this date")),
    "gave_up": Cause("never_reached_call_centre", N_("called in vain and gave up for good")),
    "still_trying": Cause("never_reached_call_centre", N_("called in vain and is still trying")),
    "no_dose_to_book": Cause("no_dose", N_("waits for an appointment; no dose is left for one")),
    "dose_too_late": Cause("no_dose", N_("has a later appointment; earlier doses are promised")),
    "no_dose_on_the_day": Cause("no_dose", N_("came to an appointment and found no dose")),
    "dose_thrown_away": Cause(
        "no_dose", N_("lacks a dose that was thrown away with an opened vial")
    ),
    "dose_elsewhere": Cause("no_dose", N_("found no dose; there were some elsewhere")),
    "no_slot_to_book": Cause("no_slot", N_("waits for an appointment; the slots are taken")),
    "slot_too_late": Cause("no_slot", N_("has a later appointment; earlier slots are taken")),
    "not_served": Cause("no_slot", N_("came; left the queue or was not served before closing")),
    "not_shown_up": Cause("not_shown_up", N_("missed the appointment")),
    "interval_not_over": Cause(
        "interval_not_over", N_("the interval to the second dose is not over")
    ),
    "not_yet_protected": Cause("interval_not_over", N_("all doses, but the last too recently")),
    "not_registered": Cause("still_waiting", N_("has not called or come to another channel yet")),
    "other_channel_limit": Cause(
        "still_waiting", N_("came to another channel; its days were full")
    ),
    "not_booked": Cause("still_waiting", N_("registered; the appointment is still to be made")),
    "appointment_later": Cause("still_waiting", N_("has an appointment later than this date")),
}
"""Every person has exactly one: that decides the reason."""


class Diary:
    """Numbers noted day by day under their names, for tables that are made in the end."""

    def __init__(self) -> None:
        self._noted: dict[str, list[Any]] = {}

    def note(self, **numbers: Any) -> None:
        """Note numbers, or arrays that are not changed any more."""
        for name, number in numbers.items():
            self._noted.setdefault(name, []).append(number)

    def __bool__(self) -> bool:
        """Whether anything has been noted."""
        return bool(self._noted)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """All that was noted under the name, the first axis being when."""
        return np.array(self._noted[name])

    def joined(self, name: str) -> NDArray[Any]:
        """Arrays noted under the name, which may differ in length, one after the other."""
        return np.concatenate(self._noted[name])


def dates(first_day: date, days: Any) -> NDArray[np.datetime64]:
    """Dates of days counted from the first day of the campaign."""
    return np.asarray(np.datetime64(first_day) + np.asarray(days, dtype=np.int64))


@dataclass
class Recorder:
    """Collects rows, as arrays of equal length, table by table."""

    replication: int
    _parts: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {name: [] for name in TABLES}
    )

    def add(self, table: str, rows: Mapping[str, Any]) -> None:
        """Append rows to a table: values of equal length, or scalars for all rows."""
        self._parts[table].append(dict(rows))

    def replace(self, table: str, rows: Mapping[str, Any]) -> None:
        """Keep only these rows of a table."""
        self._parts[table] = [dict(rows)]

    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables with their documented columns and types, rows in the order of recording."""
        return {name: self._frame(TABLES[name]) for name in TABLES}

    def _frame(self, table: Table) -> pd.DataFrame:
        parts = self._parts[table.name]
        lengths = [
            next((v.size for v in part.values() if isinstance(v, np.ndarray)), 1) for part in parts
        ]
        columns: dict[str, Any] = {}
        for column in table.columns:
            if column.name == "replication":
                values: Any = np.full(sum(lengths), self.replication)
            elif not any(isinstance(part[column.name], np.ndarray) for part in parts):
                values = np.repeat(np.array([part[column.name] for part in parts]), lengths)
            else:
                values = np.concatenate([part[column.name] for part in parts])
            columns[column.name] = _typed(values, column.type)
        return pd.DataFrame(columns)


def _typed(values: Any, kind: ColumnType) -> Any:
    if kind == "category":
        return pd.array(values.astype(object), dtype="str")
    if kind == "date":
        return values.astype("datetime64[D]").astype("datetime64[ms]")
    return values.astype(kind)
