"""What binds, in words: a sentence, tables, JSON. (The pictures: `binding_pictures`.)"""

from __future__ import annotations

import shlex
from datetime import date, timedelta
from typing import Any

import pandas as pd

from sim.experiment.binding import (
    CONSTRAINTS,
    STATUS,
    Binding,
    Status,
    binding,
)
from sim.experiment.plan_arithmetic import capacity
from sim.experiment.results import Run
from sim.language import _
from sim.model.records import CAUSES, REASONS
from sim.presentation.terminal import count, on, percent, table

WHAT = {"first": "first doses", "full": "full vaccination"}
_HOLDS = {
    "slots": "the slots",
    "closed": "days on which units are closed",
    "doses": "doses",
    "thrown_away": "doses thrown away with opened vials",
    "dose_elsewhere": "doses that lie at another unit or in the store",
    "no_show": "missed appointments",
    "queue": "the staff on the day (people come and are not served)",
    "later_appointment": "appointments that stay on a later day",
    "turn": "the groups' turns",
    "other_channels": "the other channels' daily limit",
    "telephone": "the telephone (lines and agents)",
    "registration": "that people have not called or come yet",
    "willingness": "willingness",
    "interval": "the interval between the doses",
    "first_dose": "the lack of a first dose",
    "nobody": "nothing (nobody is left)",
}
_FAILED = {
    "blocked": "busy signal",
    "abandoned": "hung up waiting",
    "cut_off": "cut off at closing",
    "closed": "outside opening hours",
}


def sentence(found: Binding) -> str:
    """What holds back coverage by the deadline, period by period."""
    parts: list[str] = []
    for row in found.decisive_periods().to_dict("records"):
        first, last = row["first"].date(), row["last"].date()
        if parts:
            when = f"from {on(first)}"
        elif last < found.deadline:
            when = f"until {on(last)}"
        else:
            when = "throughout"
        parts.append(f"{when} {_together(row['constraint'], row['also'])}")
    begin = f"What holds back {WHAT[found.scope]} by {on(found.deadline)}: "
    return begin + "; ".join(parts) + "."


def _together(constraint: str, also: str) -> str:
    """A constraint with those that are needed too."""
    others = [_HOLDS[name] for name in also.split(", ") if name and name != constraint]
    return " together with ".join([_HOLDS[constraint], *others])


def binding_lines(run: Run) -> str:
    """For the answer of a run: what holds back first doses, what would help, where more is told."""
    found = binding(run)
    parts = []
    for label, names in (
        ("more of this would help", _with_status(found, "binding")),
        ("only together with others", _with_status(found, "joint")),
        ("may help by filling opened vials", _with_status(found, "fills")),
        ("not of this", _with_status(found, "idle")),
    ):
        if names:
            parts.append(f"{label}: {', '.join(_short(name) for name in names)}")
    text = "; ".join(parts)
    lines = [sentence(found)]
    if text:
        lines.append(f"{text[:1].upper()}{text[1:]}.")
    lines += _thrown_away(found)
    lines.append(f"Day by day: vaxsim binds {shlex.quote(str(run.folder))}")
    return "\n".join(lines)


def _thrown_away(found: Binding) -> list[str]:
    """How many doses were thrown away, where that holds people back."""
    if found.status["thrown_away"] == "idle":
        return []
    words = _("Thrown away from opened vials by {day}: {doses} doses.")
    return [words.format(day=on(found.deadline), doses=count(found.thrown_away))]


def _with_status(found: Binding, status: Status) -> list[str]:
    return [name for name, each in found.status.items() if each == status]


def _short(name: str) -> str:
    return _SHORT.get(name, name.replace("_", " "))


_SHORT = {
    "closed": "open days",
    "thrown_away": "fewer doses thrown away",
    "no_show": "kept appointments",
    "queue": "staff on the day",
}


def binding_text(run: Run, found: Binding) -> str:
    """A sentence, what would help and what would not, periods, months and causes."""
    sections = [
        [sentence(found)],
        _statuses(found),
        _periods(found),
        _months(found),
        _causes(run, found),
        _notes(run, found),
    ]
    return "\n\n".join("\n".join(section) for section in sections if section)


def _statuses(found: Binding) -> list[str]:
    rows = []
    for status, meaning in STATUS.items():
        names = [_short(name) for name in _with_status(found, status)]
        if names:
            rows.append((meaning, ", ".join(names)))
    return [
        f"For {WHAT[found.scope]} by {on(found.deadline)}",
        *table(rows, "<<"),
    ]


def _periods(found: Binding) -> list[str]:
    rows = []
    for row in found.periods().to_dict("records"):
        first, last = row["first"].date(), row["last"].date()
        if first > found.deadline:
            break
        also = ", ".join(CONSTRAINTS[name] for name in row["also"].split(", ") if name)
        rows.append(
            (
                _days(first, min(last, found.deadline)),
                CONSTRAINTS[row["constraint"]] + (f" (and {also})" if also else ""),
            )
        )
    return [
        "Day by day: what held back the next person",
        *table(rows, "<<"),
        _(
            "The first sentence follows from these days, unit by unit: up to the last day on which "
            "a slot stayed free or could not be served, that day decides, because people and doses "
            "keep; from then on the slots decide, because they do not."
        ),
    ]


def _days(first: date, last: date) -> str:
    return on(first) if first == last else f"{first.day} {first:%B} – {on(last)}"


def _months(found: Binding) -> list[str]:
    """Days of each month by the constraint that held back most."""
    days = found.main_by_day()
    days = days[days["date"] <= pd.Timestamp(found.deadline)]
    names = [name for name in CONSTRAINTS if (days["constraint"] == name).any()]
    by_month = days.groupby(days["date"].dt.to_period("M"))
    rows = [("", *(name.replace("_", " ") for name in names))]
    for month, rows_of_month in by_month:
        numbers = [int((rows_of_month["constraint"] == name).sum()) for name in names]
        last = min(month.end_time.date(), found.deadline)
        label = f"{month:%B %Y}" if last.month != (last + timedelta(1)).month else f"1 – {on(last)}"
        rows.append((label, *(str(n) if n else "–" for n in numbers)))
    return ["Days of each month by what held back most", *table(rows, "<" + ">" * len(names))]


def _causes(run: Run, found: Binding) -> list[str]:
    rows: list[tuple[str, str, str]] = []
    for reason, parts in found.causes.groupby("reason", sort=False):
        rows.append((REASONS[str(reason)], count(parts["persons"].sum()), ""))
        if len(parts) > 1 or CAUSES[parts["cause"].iloc[0]].meaning != REASONS[str(reason)]:
            for part in parts.to_dict("records"):
                low, high = part["low"], part["high"]
                known = pd.notna(low) and count(low) != count(high)
                within = f"{count(low)} – {count(high)}" if known else ""
                meaning = CAUSES[part["cause"]].meaning
                rows.append((f"  {meaning}", count(part["persons"]), within))
    if not rows:
        return []
    mean = "mean persons, 95 % interval" if found.replications > 1 else "persons"
    return [
        f"Who has not had {_MISSING[found.scope]} on {on(found.deadline)}, by cause ({mean})",
        *table(rows, "<><"),
    ]


_MISSING = {"first": "a first dose", "full": "full vaccination"}


def _notes(run: Run, found: Binding) -> list[str]:
    """What the records tell of whole causes, not of persons."""
    lines = []
    failed = {name: n for name, n in found.failed_calls.items() if n > 0}
    if failed:
        in_all = sum(failed.values())
        parts = [f"{_FAILED[n]} {count(v)} ({percent(v / in_all)})" for n, v in failed.items()]
        lines.append("Calls in vain up to then: " + ", ".join(parts) + ".")
    lines += _thrown_away(found)
    narrow = limiting_stations(run)
    lines.append(
        "The station that limits the slots: "
        + ", ".join(f"{name} at {n} of {len(run.scenario.units)} units" for name, n in narrow)
        + "."
    )
    return lines


def limiting_stations(run: Run) -> list[tuple[str, int]]:
    """The station with the least throughput, and at how many units, the most frequent first."""
    rows = capacity(run.scenario).reset_index(drop=True)
    stations = rows.loc[rows.groupby("unit")["throughput"].idxmin(), "station"]
    return [(str(name), int(n)) for name, n in stations.value_counts().items()]


def binding_data(run: Run, found: Binding) -> dict[str, Any]:
    """Everything as one JSON object; days and units up to the deadline."""
    by_day = found.by_day[found.by_day["date"] <= pd.Timestamp(found.deadline)]
    return {
        "run": str(run.folder),
        "scope": found.scope,
        **_summary(found),
        "province_by_day": _records(found.province_by_day),
        "by_day": _records(by_day),
        "causes": _records(found.causes),
        "failed_calls": found.failed_calls,
        "thrown_away": found.thrown_away,
        "limiting_stations": dict(limiting_stations(run)),
    }


def brief_data(run: Run) -> dict[str, Any]:
    """What the answer of a run says about it."""
    return {"binding": _summary(binding(run))}


def _summary(found: Binding) -> dict[str, Any]:
    return {
        "sentence": sentence(found),
        "periods": _records(found.periods()),
        "decisive_periods": _records(found.decisive_periods()),
        "status": found.status,
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    days = {str(n): frame[n].dt.strftime("%Y-%m-%d") for n in frame.select_dtypes("datetime")}
    plain = frame.assign(**days).astype(object)
    return [
        {str(key): value for key, value in row.items()}
        for row in plain.where(plain.notna(), None).to_dict("records")
    ]
