"""What binds, in words: a sentence, tables, JSON. (The pictures: `binding_pictures`.)"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pandas as pd

from sim.experiment.binding import CONSTRAINTS, Binding, binding
from sim.experiment.coverage import Scope
from sim.experiment.gains import STATUS, Gains, Status, kept_gains
from sim.experiment.measures import on
from sim.experiment.plan_arithmetic import capacity
from sim.experiment.replications import counted
from sim.experiment.results import Run
from sim.experiment.statistics import Estimate, mean_interval
from sim.language import N_, _, day_and_month, month_and_year, named, ngettext
from sim.model.records import CAUSES, REASONS
from sim.presentation.document import Table, Text
from sim.presentation.terminal import Part, as_text, count, percent, signed

_HOLDS = {
    "slots": N_("the slots"),
    "closed": N_("days on which units are closed"),
    "doses": N_("doses"),
    "thrown_away": N_("doses thrown away with opened vials"),
    "dose_elsewhere": N_("doses that lie at another unit or in the store"),
    "no_show": N_("missed appointments"),
    "queue": N_("the staff on the day (people come and are not served)"),
    "later_appointment": N_("appointments that stay on a later day"),
    "turn": N_("the groups' turns"),
    "other_channels": N_("the other channels' daily limit"),
    "telephone": N_("the telephone (lines and agents)"),
    "registration": N_("that people have not called or come yet"),
    "willingness": N_("willingness"),
    "interval": N_("the interval between the doses"),
    "first_dose": N_("the lack of a first dose"),
    "nobody": N_("nothing (nobody is left)"),
}
_FAILED = {
    "blocked": N_("busy signal"),
    "abandoned": N_("hung up waiting"),
    "cut_off": N_("cut off at closing"),
    "closed": N_("outside opening hours"),
}


def sentence(found: Binding) -> str:
    """What held back the next person up to the deadline, period by period."""
    parts: list[str] = []
    for row in found.decisive_periods().to_dict("records"):
        first, last = row["first"].date(), row["last"].date()
        if parts:
            when = _("from {day}").format(day=on(first))
        elif last < found.deadline:
            when = _("until {day}").format(day=on(last))
        else:
            when = _("throughout")
        held = _together(row["constraint"], row["also"])
        parts.append(_("{when} {constraint}").format(when=when, constraint=held))
    text = _("What held back the next full vaccination, day by day, up to {day}: {periods}.")
    if found.scope == "first":
        text = _("What held back the next first dose, day by day, up to {day}: {periods}.")
    return text.format(day=on(found.deadline), periods="; ".join(parts))


def _together(constraint: str, also: str) -> str:
    """A constraint with those that are needed too."""
    others = [_(_HOLDS[name]) for name in also.split(", ") if name and name != constraint]
    return _(" together with ").join([_(_HOLDS[constraint]), *others])


def binding_lines(run: Run) -> str:
    """For the answer of a run: what holds back first doses, and where more is told."""
    gains, found = kept_gains(run), binding(run)
    place = shlex.quote(str(run.folder))
    if gains:
        last = _("Day by day: vaxsim binds {command}").format(command=place)
        return "\n".join([*gains_sentences(found, gains), sentence(found), last])
    where = _("What more of each would change, and day by day: vaxsim binds {command}")
    return "\n".join([sentence(found), where.format(command=place)])


def gains_sentences(found: Binding, gains: Gains) -> list[str]:
    """What alone would bring more people to their jab, by how many, and what would not."""
    scope = found.scope
    status = gains.status(scope)
    helping = [
        f"{short_name(name)} ({signed(gains.of(name)[-1].mean(scope).mean or 0, 'persons')})"
        for name in _with_status(gains, scope, "binding")
    ]
    words = _("More of this alone would mean more full vaccinations by {day}: {list}.")
    if scope == "first":
        words = _("More of this alone would mean more first doses by {day}: {list}.")
    if not helping:
        words = _("No more of anything alone would surely mean more full vaccinations by {day}.")
        if scope == "first":
            words = _("No more of anything alone would surely mean more first doses by {day}.")
    sentences = [words.format(day=on(gains.deadline), list=", ".join(helping))]
    in_vain = [name for name in status if status[name] in ("idle", "harmful")]
    decisive = [name for name in _decisive(found) if name in in_vain]
    if decisive:
        words = _("More of {list} alone would bring nobody more: something else stands behind it.")
        sentences.append(words.format(list=", ".join(map(short_name, decisive))))
    return sentences


def _decisive(found: Binding) -> list[str]:
    """The constraints that the sentence names, once each."""
    return list(dict.fromkeys(found.decisive_periods()["constraint"]))


def _with_status(gains: Gains, scope: Scope, status: Status) -> list[str]:
    return [name for name, each in gains.status(scope).items() if each == status]


def short_name(name: str) -> str:
    """What there could be more of, in a word or two."""
    return _(_SHORT.get(name, _NAMES[name]))


_NAMES = {
    "slots": N_("slots"),
    "doses": N_("doses"),
    "dose_elsewhere": N_("dose elsewhere"),
    "later_appointment": N_("later appointment"),
    "turn": N_("turn"),
    "other_channels": N_("other channels"),
    "telephone": N_("telephone"),
    "registration": N_("registration"),
    "willingness": N_("willingness"),
    "interval": N_("interval"),
    "first_dose": N_("first dose"),
    "nobody": N_("nobody"),
    "closed": N_("closed"),
    "thrown_away": N_("thrown away"),
    "no_show": N_("no show"),
    "queue": N_("queue"),
}
"""Constraints in a table's heading."""

_SHORT = {
    "closed": N_("open days"),
    "thrown_away": N_("fewer doses thrown away"),
    "no_show": N_("kept appointments"),
    "queue": N_("staff on the day"),
    "turn": N_("earlier turns"),
    "registration": N_("earlier registration"),
    "interval": N_("a shorter interval"),
}
"""Constraints as what there could be more of, where that is another word."""


def binding_text(run: Run, found: Binding) -> str:
    """A sentence, what more of each constraint would change if that is known, periods, causes."""
    return as_text(binding_sections(run, found))


def binding_sections(run: Run, found: Binding) -> list[list[Part]]:
    """The same as lines and tables."""
    gains = kept_gains(run)
    return [
        [*(gains_sentences(found, gains) if gains else []), sentence(found)],
        _gains(gains, found.scope) if gains else [],
        _periods(found),
        [_months(found)],
        [_causes(found)],
        [*_notes(run, found)],
    ]


def _gains(gains: Gains, scope: Scope) -> list[Part]:
    """Each relaxation with what it brings, by status; in a line those that change nothing."""
    heading = _("Persons gained for full vaccination by {day} with more of each ({found})")
    if scope == "first":
        heading = _("Persons gained for a first dose by {day} with more of each ({found})")
    caption = heading.format(day=on(gains.deadline), found=_found_by(gains))
    status = gains.status(scope)
    rows: list[Sequence[Text]] = []
    for each in STATUS:
        told = [
            row
            for name in _with_status(gains, scope, each)
            for row in _rows_of(gains, scope, name, each)
        ]
        rows += [[_(STATUS[each])], *told] if told else []
    idle = [name for name in status if status[name] == "idle"]
    without = [name for name in idle if gains.of(name)[-1].nothing_to_relax]
    rows += [
        [f"{_(words)}: {', '.join(map(short_name, names))}"]
        for words, names in (
            (STATUS["idle"], [name for name in idle if name not in without]),
            (N_("there is nothing to relax"), without),
        )
        if names
    ]
    return [Table(caption, ("", "", "", ""), rows, "<<>>")]


def _found_by(gains: Gains) -> str:
    """How; their replications are their own, and not as many as those of the run."""
    words = _("mean and 95 % interval; {replications} simulated for this")
    if gains.replications == 1:
        words = _("{replications} simulated for this")
    return words.format(replications=counted(gains.replications))


def _rows_of(
    gains: Gains, scope: Scope, name: str, status: Status
) -> list[tuple[str, str, str, str]]:
    if status == "idle":
        return []
    rows = [
        (_(gain.words), *_persons(gain.mean(scope)))
        for gain in gains.of(name)
        if not gain.nothing_to_relax and status != "joint"
    ]
    if status in ("joint", "harmful") and gains.helps_together(name, scope):
        words = _("if all others are relaxed, this one too")
        rows.append((words, *_persons(mean_interval(gains.last[name][scope]))))
    return [("" if number else short_name(name), *row) for number, row in enumerate(rows)]


def _persons(gained: Estimate) -> tuple[str, str]:
    low, high = gained.low, gained.high
    within = (
        ""
        if low is None or high is None
        else f"{signed(low, 'persons')} – {signed(high, 'persons')}"
    )
    return signed(gained.mean or 0, "persons"), within if low != high else ""


def _periods(found: Binding) -> list[Part]:
    rows = []
    for row in found.periods().to_dict("records"):
        first, last = row["first"].date(), row["last"].date()
        if first > found.deadline:
            break
        also = ", ".join(_(CONSTRAINTS[name]) for name in row["also"].split(", ") if name)
        held = _("{constraint} (and {also})") if also else "{constraint}"
        held = held.format(constraint=_(CONSTRAINTS[row["constraint"]]), also=also)
        rows.append((_days(first, min(last, found.deadline)), held))
    return [
        Table(_("Day by day: what held back the next person"), ("", ""), rows),
        _(
            "The sentence about the next person follows from these days, unit by unit: up to the "
            "last day on which a slot stayed free or could not be served, that day counts, because "
            "people and doses keep; from then on the slots count, because they do not. It says "
            "what was next in the way; what more of each would bring, only simulation tells."
        ),
    ]


def _days(first: date, last: date) -> str:
    return on(first) if first == last else f"{day_and_month(first)} – {on(last)}"


def _months(found: Binding) -> Table:
    """Days of each month by the constraint that held back most."""
    days = found.main_by_day()
    days = days[days["date"] <= pd.Timestamp(found.deadline)]
    names = [name for name in CONSTRAINTS if (days["constraint"] == name).any()]
    by_month = days.groupby(days["date"].dt.to_period("M"))
    columns = ("", *(_(_NAMES[name]) for name in names))
    rows = []
    for month, rows_of_month in by_month:
        numbers = [int((rows_of_month["constraint"] == name).sum()) for name in names]
        last = min(month.end_time.date(), found.deadline)
        whole = last.month != (last + timedelta(1)).month
        label = month_and_year(last) if whole else f"1 – {on(last)}"
        rows.append((label, *(str(n) if n else "–" for n in numbers)))
    caption = _("Days of each month by what held back most")
    return Table(caption, columns, rows, "<" + ">" * len(names))


def _causes(found: Binding) -> Table:
    rows: list[tuple[str, str, str]] = []
    for reason, parts in found.causes.groupby("reason", sort=False):
        rows.append((_(REASONS[str(reason)]), count(parts["persons"].sum()), ""))
        if len(parts) > 1 or CAUSES[parts["cause"].iloc[0]].meaning != REASONS[str(reason)]:
            for part in parts.to_dict("records"):
                low, high = part["low"], part["high"]
                known = pd.notna(low) and count(low) != count(high)
                within = f"{count(low)} – {count(high)}" if known else ""
                meaning = CAUSES[part["cause"]].meaning
                rows.append((f"  {_(meaning)}", count(part["persons"]), within))
    unit = _("mean persons, 95 % interval") if found.replications > 1 else _("persons")
    heading = _("Who has not had full vaccination on {day}, by cause ({unit})")
    if found.scope == "first":
        heading = _("Who has not had a first dose on {day}, by cause ({unit})")
    caption = heading.format(day=on(found.deadline), unit=unit)
    return Table(caption, ("", "", ""), rows, "<><")


def _notes(run: Run, found: Binding) -> list[str]:
    """What the records tell of whole causes, not of persons."""
    lines = []
    failed = {name: n for name, n in found.failed_calls.items() if n > 0}
    if failed:
        in_all = sum(failed.values())
        parts = [f"{_(_FAILED[n])} {count(v)} ({percent(v / in_all)})" for n, v in failed.items()]
        lines.append(_("Calls in vain up to then: {outcomes}.").format(outcomes=", ".join(parts)))
    if found.thrown_away:
        words = ngettext(
            "Thrown away from opened vials by {day}: {doses} dose.",
            "Thrown away from opened vials by {day}: {doses} doses.",
            found.thrown_away,
        )
        lines.append(words.format(day=on(found.deadline), doses=count(found.thrown_away)))
    narrow = limiting_stations(run)
    units = len(run.scenario.units)
    at = ngettext("{station} at {n} of {units} unit", "{station} at {n} of {units} units", units)
    stations = ", ".join(at.format(station=named(name), n=n, units=units) for name, n in narrow)
    lines.append(_("The station that limits the slots: {stations}.").format(stations=stations))
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
        **_summary(run, found),
        **_gains_data(run, found.scope),
        "province_by_day": _records(found.province_by_day),
        "by_day": _records(by_day),
        "causes": _records(found.causes),
        "failed_calls": found.failed_calls,
        "thrown_away": found.thrown_away,
        "limiting_stations": dict(limiting_stations(run)),
    }


def brief_data(run: Run) -> dict[str, Any]:
    """What the answer of a run says about it."""
    return {"binding": _summary(run, binding(run))}


def _gains_data(run: Run, scope: Scope) -> dict[str, Any]:
    """The persons gained in each replication: with each relaxation alone, with all, but for one."""
    gains = kept_gains(run)
    if gains is None:
        return {}
    return {
        "gains": [
            {
                "constraint": gain.constraint,
                "relaxed": gain.words,
                "nothing_to_relax": gain.nothing_to_relax,
                "persons": gain.persons[scope],
                **vars(gain.mean(scope)),
            }
            for gain in gains.alone
        ],
        "gained_with_all_relaxed": gains.together[scope],
        "lost_of_that_without": {name: persons[scope] for name, persons in gains.last.items()},
    }


def _summary(run: Run, found: Binding) -> dict[str, Any]:
    gains = kept_gains(run)
    return {
        "sentence": sentence(found),
        "periods": _records(found.periods()),
        "decisive_periods": _records(found.decisive_periods()),
        "status": gains.status(found.scope) if gains else None,
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    days = {str(n): frame[n].dt.strftime("%Y-%m-%d") for n in frame.select_dtypes("datetime")}
    plain = frame.assign(**days).astype(object)
    return [
        {str(key): value for key, value in row.items()}
        for row in plain.where(plain.notna(), None).to_dict("records")
    ]
