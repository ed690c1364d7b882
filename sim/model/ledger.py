"""The audit's form: every law that a replication obeys, what was compared, and what it came to.

A law compares two sides that are recorded apart, in as many cases as there are (a place on a day, a
group, a session). The first case that does not hold ends the replication with an AuditError. Of the
others a row is left: the table `audit`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

WHOLE = "whole numbers on both sides: nothing is rounded"
WHOLE_TIMES = "whole microseconds on both sides: nothing is rounded"
CEILING = "the ceiling is a sum of fractions of persons, in floating point"


@dataclass(frozen=True)
class Law:
    """Two sides that must be equal, or of which the left one must not be greater."""

    left: str
    right: str
    unit: Literal["min", "persons", "doses", "calls", "lines", "days"]
    relation: Literal["=", "<="] = "="
    tolerance: float = 0.0
    reason: str = WHOLE
    """why the tolerance is what it is"""


def _of_time(left: str, right: str, relation: Literal["=", "<="] = "=") -> Law:
    return Law(left, right, "min", relation, reason=WHOLE_TIMES)


LAWS: dict[str, Law] = {
    # Time, within the day's call centre and within the sessions
    "littles_law": _of_time(
        "number there, as the engine's clock goes on, integrated over time",
        "times that each call or person was there, summed",
    ),
    "time_inside": _of_time(
        "people's times in the unit, from arrival to exit", "their walks, waits and services"
    ),
    "work": _of_time("time in service", "service times drawn for those who started"),
    "time_in_state": _of_time("time in that state", "time in all", "<="),
    "times_in_states": _of_time("times in all states together", "time in all"),
    "utilisation": _of_time("work of those on duty", "time on duty", "<="),
    "beyond_duty": _of_time(
        "work beyond the number on duty", "those who went off, times the longest service", "<="
    ),
    "recorded": _of_time("sums in the tables", "times of the single people, summed"),
    "lines": Law("most lines in use at once", "lines", "lines", "<="),
    # Calls
    "calls": Law("offered", "answered, abandoned, blocked or cut off", "calls"),
    "calls_by_agents": Law("answered", "taken by agents", "calls"),
    "calls_by_callers": Law("answered", "of which people got through", "calls"),
    "got_through": Law("people who got through", "calls answered", "persons", "<="),
    "answers": Law("answered by hour", "answered by caller", "calls"),
    "persons_answered": Law("callers with an answer", "callers whose day ended so", "persons"),
    "attempts": Law("offered", "attempts of callers", "calls"),
    "callers": Law("callers", "answered, given up, or calling again another day", "persons"),
    "in_time": Law("answered in time", "answered", "calls", "<="),
    "waits": _of_time("waits of answered calls", "waits of callers who were answered"),
    "talks": _of_time("agents' time on calls", "times that callers spent with an agent"),
    # Doses
    "doses": Law("came in", "given, discarded, lost, sent on, or still on hand", "doses"),
    "stock": Law("missing where none is on hand", "none", "doses", "<="),
    "shipments": Law("received by the units", "sent by the store", "doses"),
    "open": Law("sessions held", "open days", "days", "<="),
    "jabs": Law("given from stock", "people vaccinated", "doses"),
    "vials": Law("drawn from vials", "given or discarded", "doses"),
    # People
    "visits": Law("due", "vaccinated, or one of five outcomes", "persons"),
    "dropped_out": Law("dropped out", "not vaccinated", "persons", "<="),
    "bookings": Law("appointments made", "come due, or due after the last day", "persons"),
    "booked_before": Law("appointments come due", "made until the day before", "persons", "<="),
    "slots": Law("appointments", "slots", "persons", "<="),
    "reasons": Law("people by reason", "people of the group", "persons"),
    "causes": Law("people by cause", "people by the reason of that cause", "persons"),
    "no_negative": Law("missing from a reason", "none", "persons", "<="),
    "vaccinated": Law("people vaccinated", "doses given until then", "persons"),
    "ceiling": Law(
        "vaccinated", "doses, slots, turns and intervals allow", "persons", "<=", 1e-6, CEILING
    ),
}
"""Every law of the table `audit`, by name."""

_US_PER_MINUTE = 60_000_000
Numbers = NDArray[Any]


class AuditError(AssertionError):
    """Something in a replication does not add up: a fault of the program, not of the scenario."""


class Ledger:
    """Compares, and keeps a row for each law and what it is about."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, int, float, float, float]] = []

    def equal(
        self,
        law: str,
        what: str,
        left: ArrayLike,
        right: ArrayLike,
        where: Callable[[int], str],
        totals: tuple[float, float] | None = None,
    ) -> None:
        """Every left is equal to its right. `where` names a case, `totals` what the row shows."""
        a, b = np.asarray(left), np.asarray(right)
        off = np.abs(a - b)
        self._require(law, what, a, b, off <= LAWS[law].tolerance, where)
        shown = totals or (float(a.sum()), float(b.sum()))
        self._rows.append((law, what, a.size, *shown, float(off.max(initial=0))))

    def at_most(
        self,
        law: str,
        what: str,
        left: ArrayLike,
        right: ArrayLike,
        where: Callable[[int], str],
    ) -> None:
        """No left is greater than its right. The row shows the case that comes
        closest, of several the one with most on the left."""
        a, b = np.asarray(left), np.asarray(right)
        over = a - b
        self._require(law, what, a, b, over <= LAWS[law].tolerance, where)
        if a.size:
            close = np.flatnonzero(over == over.max())
            closest = int(close[a[close].argmax()])
            tightest = float(a[closest]), float(b[closest]), float(over[closest])
            self._rows.append((law, what, a.size, *tightest))
        else:
            self._rows.append((law, what, 0, 0.0, 0.0, 0.0))

    def _require(
        self, law: str, what: str, left: Numbers, right: Numbers, holds: Any, where: Any
    ) -> None:
        wrong = np.flatnonzero(~holds)
        if wrong.size:
            at = int(wrong[0])
            raise failed(law, what, left[at], right[at], where(at), (wrong.size, left.size))

    def rows(self) -> dict[str, Any]:
        """The rows of the table `audit`, by column; times in minutes."""
        laws = [LAWS[row[0]] for row in self._rows]
        per = np.array([_US_PER_MINUTE if law.unit == "min" else 1 for law in laws])
        names, whats, cases, left, right, difference = zip(*self._rows, strict=True)
        tolerance = np.array([law.tolerance for law in laws])
        return {
            "law": np.array(names),
            "what": np.array(whats),
            "cases": np.array(cases),
            "left": np.array(left) / per,
            "right": np.array(right) / per,
            "difference": np.array(difference) / per,
            "tolerance": tolerance,
            "passed": (np.array(difference) <= tolerance).astype(np.int64),
        }


def failed(
    law: str, what: str, left: Any, right: Any, where: str, wrong: tuple[int, int] | None = None
) -> AuditError:
    """The error that says which law does not hold, where, and what was expected and found."""
    said = LAWS[law]
    per = _US_PER_MINUTE if said.unit == "min" else 1
    at_most = "at most " if said.relation == "<=" else ""
    of = f" ({wrong[0]:,} of {wrong[1]:,} cases)" if wrong else ""
    return AuditError(
        f"{law} ({what}), {where}: expected {at_most}{_number(right, per)} {said.unit} "
        f"({said.right}), found {_number(left, per)} ({said.left}){of}"
    )


def _number(value: Any, per: int) -> str:
    if per == 1:
        return f"{value:,.10g}"
    return f"{int(value) / per:,.6f}"
