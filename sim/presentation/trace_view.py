"""What an event log says in a few lines."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from sim.language import N_, _, long_date, weekday
from sim.presentation.terminal import count, table

OUTCOMES = {
    "completed": N_("people who went through all stations"),
    "left": N_("people who left because of the wait"),
    "late": N_("people not served before the overtime limit"),
    "no_dose": N_("people who found no dose"),
    "closed": N_("people who came after closing"),
    "booked": N_("people who were answered and registered"),
    "declined": N_("people who were answered and decided against it"),
    "informed": N_("people who only asked, and were answered"),
    "calls_another_day": N_("people who did not get through and call again another day"),
    "gave_up": N_("people who did not get through and gave up for good"),
}
"""How a patient's or a caller's day can end."""

EVENTS = {
    "vaccinated": N_("people vaccinated"),
    "call": N_("calls"),
    "answered": N_("calls answered"),
    "abandoned": N_("calls given up while waiting"),
    "busy": N_("calls that met a busy signal"),
    "cut_off": N_("calls cut off at closing"),
}
"""What is counted besides."""


def trace_data(log: pd.DataFrame, unit: str | None, day: date, path: Path) -> dict[str, Any]:
    """What an event log says, for programs: people by outcome, events by name."""
    outcomes, events = log["outcome"].value_counts(), log["event"].value_counts()
    return {
        "file": str(path),
        "place": unit or "call_centre",
        "date": day.isoformat(),
        "people": int(log["entity_id"].nunique()),
        "events": {name: int(events[name]) for name in sorted(events.index)},
        "outcomes": {name: int(outcomes[name]) for name in OUTCOMES if name in outcomes},
    }


def trace_text(log: pd.DataFrame, unit: str | None, day: date, path: Path) -> str:
    """The same in words."""
    found = trace_data(log, unit, day, path)
    heading = _("{place} on {weekday}, {day}: {people} people, {events} events").format(
        place=unit or _("The call centre"), weekday=weekday(day), day=long_date(day),
        people=count(found["people"]), events=count(len(log)),
    )  # fmt: skip
    rows = [
        (_(text), count(found["events"][name]))
        for name, text in EVENTS.items()
        if name in found["events"]
    ]
    rows += [(_(OUTCOMES[name]), count(n)) for name, n in found["outcomes"].items()]
    where = _("Events: {path}  (times in minutes after midnight)").format(path=path)
    return "\n".join([heading, *table(rows, "<>"), where])
