"""The resolved plan on one page: people, doses, capacity, calendar, telephones, assumptions."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from sim.experiment import feasibility
from sim.experiment import plan_arithmetic as arithmetic
from sim.experiment.coverage import SCOPES, Scope
from sim.experiment.measures import on
from sim.experiment.shadow_prices import ONE_MORE, bindings
from sim.language import N_, _, language, month_and_year, named, ngettext
from sim.presentation.answer_view import ceiling_line, ceiling_of_what, shared_vials, warnings
from sim.presentation.terminal import count, percent, table
from sim.scenario import Scenario
from sim.scenario_files import (
    ABOUT_ITSELF,
    is_assumed,
    is_changed,
    source_in_words,
    source_of,
)

_PATTERNS = (
    "districts.*",
    "groups.*.first_calls.*",
    "groups.*",
    "deliveries.*",
    "call_centre.pools.*",
    "unit_types.*",
    "units.*",
)
"""Collections of things of one kind: their values are listed together."""


def check_text(scenario: Scenario, raw: Mapping[str, Any]) -> str:
    """The page. `raw` is the scenario as its files say it (units not filled in)."""
    sections = (
        [ceiling_line(scenario)],
        [
            named(scenario.title),
            *(_("Warning: {text}").format(text=text) for text in warnings(scenario)),
        ],
        _people(scenario),
        _doses(scenario),
        _capacity(scenario),
        _calendar(scenario),
        _telephone(scenario),
        _ceiling(scenario),
        *(_worth(scenario, scope) for scope in SCOPES),
        _stretches(scenario),
        *_unsourced(scenario, raw),
    )
    return "\n\n".join("\n".join(section) for section in sections)


def check_data(scenario: Scenario, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The same as one JSON object."""
    load = arithmetic.telephone_load(scenario)
    return {
        "title": scenario.title,
        "warnings": warnings(scenario),
        "target": scenario.target,
        "deadline": scenario.campaign.deadline.isoformat(),
        "groups": _records(arithmetic.people(scenario)),
        "deliveries": _records(arithmetic.deliveries(scenario)),
        "capacity": _records(arithmetic.capacity(scenario)),
        "slots_per_day": _slots_a_day(scenario),
        "calendar": _records(arithmetic.calendar(scenario)),
        "call_centre": {key: _plain(value) for key, value in vars(load).items()},
        "languages": _records(arithmetic.languages(scenario)),
        "ceiling": vars(feasibility.ceiling_of(scenario)),
        "ceiling_by_day": _by_day(scenario),
        "one_more": {scope: _one_more(scenario, scope) for scope in SCOPES},
        "held_back_by": [
            {key: _plain(value) for key, value in vars(stretch).items()}
            for stretch in feasibility.stretches(scenario)
        ],
        "sources": [
            {"key": entry.key, "values": entry.values, "source": entry.source}
            for entry in _entries(scenario, raw)
        ],
    }


def _by_day(scenario: Scenario) -> list[dict[str, Any]]:
    curves = pd.DataFrame({scope: feasibility.curve(scenario, scope) for scope in SCOPES})
    return _records(curves.rename_axis("date").reset_index())


def _one_more(scenario: Scenario, scope: Scope) -> list[dict[str, Any]]:
    found = bindings(scenario, scope, scenario.campaign.deadline)
    return [{key: _plain(value) for key, value in vars(binding).items()} for binding in found]


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(key): _plain(value) for key, value in row.items()} for row in frame.to_dict("records")
    ]


def _plain(value: Any) -> Any:
    """A value that JSON can hold: dates as text, no limit as null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat()[:10] if hasattr(value, "isoformat") else value


def _people(scenario: Scenario) -> list[str]:
    frame = arithmetic.people(scenario)
    campaign = scenario.campaign
    rows = [
        (
            _("group"),
            _("people"),
            _("willing"),
            _("by telephone"),
            _("booked in advance"),
            _("turn from"),
        )
    ]
    rows += [
        (
            named(str(row["group"])),
            count(row["people"]),
            count(row["willing"]),
            count(row["by_telephone"]),
            count(row["booked_in_advance"]),
            on(row["turn_from"]),
        )
        for row in frame.to_dict("records")
    ]
    sums = [
        count(frame[c].sum()) for c in ("people", "willing", "by_telephone", "booked_in_advance")
    ]
    rows.append((_("together"), sums[0], sums[1], sums[2], sums[3], ""))
    goal = campaign.coverage_goal * campaign.population - campaign.vaccinated_before
    return [
        _("People"),
        *table(rows, "<>>>>>"),
        "  "
        + _(
            "{share} of {population:,} inhabitants, less the {before:,} vaccinated before, are "
            "{goal} people"
        ).format(
            share=percent(campaign.coverage_goal),
            population=campaign.population,
            before=campaign.vaccinated_before,
            goal=count(goal),
        ),
    ]


def _doses(scenario: Scenario) -> list[str]:
    frame = arithmetic.deliveries(scenario)
    horizon = on(scenario.campaign.horizon)
    rows = [(_("delivery"), _("vaccine"), _("arrives"), _("doses"), _("usable"))]
    rows += [
        (named(row["delivery"]), named(row["vaccine"]),
         on(row["arrives"]) if row["in_time"] else _("after {day}").format(day=horizon),
         count(row["doses"]), count(row["usable"]))
        for row in frame.to_dict("records")
    ]  # fmt: skip
    usable, target = int(frame["usable"].sum()), scenario.target
    in_time = frame.loc[frame["in_time"].astype(bool), "doses"].sum()
    label = _("together by {day}").format(day=horizon)
    if frame["in_time"].all():
        label = _("together")
    rows.append((label, "", "", count(in_time), count(usable)))
    lines = [_("Doses (expected; usable: less losses, with extra doses drawn from vials)")]
    lines += table(rows, "<<>>>")
    share = percent(min(usable / target, 1.0))
    lines.append(
        "  "
        + _("one dose each: enough for {share} of the target of {target:,}").format(
            share=share, target=target
        )
    )
    if usable < target:
        lines.append(
            "  "
            + ngettext(
                "{n:,} person gets no first dose from these deliveries",
                "{n:,} people get no first dose from these deliveries",
                target - usable,
            ).format(n=target - usable)
        )
    start = arithmetic.last_possible_start(scenario)
    if start is not None:
        lines.append("  " + _("two doses each would need {n:,}").format(n=2 * target))
        lines.append(
            "  "
            + _("a second dose by {day} needs a first dose by {start}").format(
                day=on(scenario.campaign.deadline), start=on(start)
            )
        )
    return lines


def _slots_a_day(scenario: Scenario) -> int:
    return int(arithmetic.capacity(scenario).groupby("unit")["slots_per_day"].first().sum())


def _capacity(scenario: Scenario) -> list[str]:
    """Units of one type that work alike are shown once, with their number."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    shown = ["type", "station", "kind", "staff_minutes", "mean_minutes", "share", "throughput",
             "slots_per_day"]  # fmt: skip
    for name, stations in arithmetic.capacity(scenario).groupby("unit", sort=False):
        key = tuple(map(tuple, stations[shown].to_numpy().tolist()))
        alike.setdefault(key, []).append(str(name))
    lines = [_("Capacity of the units (staff minutes a day / mean minutes = patients a day)")]
    total = []
    for key, names in alike.items():
        slots = int(key[0][-1])
        kind = named(key[0][0])
        which = f"{len(names)} x {kind}" if len(names) > 1 else f"{kind} {named(names[0])}"
        lines.append(
            "  "
            + ngettext(
                "{type}: {slots:,} appointment a day each",
                "{type}: {slots:,} appointments a day each",
                slots,
            ).format(type=which, slots=slots)
        )
        narrowest = min(row[6] for row in key)
        rows = [
            (
                named(station),
                _time_there(kind, staff),
                _time_each(mean, share),
                _("= {n:,.0f} a day").format(n=throughput) if throughput < 1e9 else _("= no limit"),
                _("<- the narrowest") if throughput == narrowest else "",
            )
            for _type, station, kind, staff, mean, share, throughput, _slots in key
        ]
        lines += ["  " + line for line in table(rows, "<><><")]
        total.append(f"{len(names)} x {slots:,}")
    in_all = _("together {sum} = {slots:,} a day")
    lines.append("  " + in_all.format(sum=" + ".join(total), slots=_slots_a_day(scenario)))
    return lines


def _time_there(kind: str, minutes: float) -> str:
    text = _("{n:,.0f} seat min") if kind == "observation" else _("{n:,.0f} staff min")
    return text.format(n=minutes)


def _time_each(minutes: float, share: float) -> str:
    text = _("/ {minutes:.1f} min")
    if share < 1:
        text = _("/ {minutes:.1f} min / {share} who go there")
    return text.format(minutes=minutes, share=percent(share))


def _calendar(scenario: Scenario) -> list[str]:
    rows = [
        (
            _("month"), _("vaccination days"), _("slots"), _("slots by the deadline"),
            _("call-centre days"),
        )
    ]  # fmt: skip
    for row in arithmetic.calendar(scenario).to_dict("records"):
        rows.append(
            (
                _month(str(row["month"])),
                str(row["vaccination_days"]),
                count(row["slots"]),
                count(row["slots_by_deadline"]),
                str(row["call_centre_days"]),
            )
        )
    return [
        _("Calendar, with the deadline on {day}").format(day=on(scenario.campaign.deadline)),
        *table(rows, "<>>>>"),
    ]


def _month(month: str) -> str:
    """2021-08; in Thai as people write it."""
    if language() == "en":
        return month
    return month_and_year(date.fromisoformat(f"{month}-01"), short=True)


def _telephone(scenario: Scenario) -> list[str]:
    load = arithmetic.telephone_load(scenario)
    rows = [
        (
            _("language"), _("calls"), _("agents who speak it"), _("agent-hours needed"),
            _("available"),
        )
    ]  # fmt: skip
    rows += [
        (
            named(str(row["language"])),
            count(row["calls"]),
            count(row["agents"]),
            count(row["hours_needed"]),
            count(row["hours_available"]),
        )
        for row in arithmetic.languages(scenario).to_dict("records")
    ]
    return [
        _("Telephone (every expected call answered once, none abandoned or repeated)"),
        "  "
        + _("{days} days, {hours:,.0f} hours; {calls} calls to book or to ask").format(
            days=load.days, hours=load.hours, calls=count(load.calls)
        ),
        "  "
        + _(
            "{needed} agent-hours needed ({agents:.1f} agents always busy), {available} available"
        ).format(
            needed=count(load.hours_needed),
            agents=load.agents_needed,
            available=count(load.hours_available),
        ),
        *table(rows, "<>>>>"),
        *(
            ["  " + _("agents who speak several languages count in each of them")]
            if any(len(pool.languages) > 1 for pool in scenario.call_centre.pools.values())
            else []
        ),
    ]


def _ceiling(scenario: Scenario) -> list[str]:
    ceiling = feasibility.ceiling_of(scenario)
    target, deadline = scenario.target, on(scenario.campaign.deadline)
    rows = [
        (_("people with a first dose by {day}").format(day=deadline), ceiling.first_by_deadline),
        (_("people fully vaccinated by {day}").format(day=deadline), ceiling.full_by_deadline),
        (_("first doses by {day}").format(day=on(scenario.campaign.horizon)), ceiling.first_in_all),
    ]
    return [
        _("At most, whatever the telephones ({what} alone)").format(what=ceiling_of_what(scenario)),
        *table([(text, f"{number:,}", percent(number / target)) for text, number in rows], "<>>"),
        *_left_out(scenario),
    ]


def _left_out(scenario: Scenario) -> list[str]:
    """What the ceiling does not count of the doses thrown away."""
    if not shared_vials(scenario):
        return []
    sentences = (
        _("every session is taken to be full, and its vials to be shared by as many as can be"),
        _(
            "where fewer come, or a vial is open for too long, doses are thrown away and fewer "
            "people are reached; then more slots or staff may help: after a run, vaxsim binds tells"
        ),
    )
    return [f"  {sentence}" for sentence in sentences]


def _worth(scenario: Scenario, scope: Scope) -> list[str]:
    """What one more unit of each limit is worth; all that is worth nothing in one line."""
    found = bindings(scenario, scope, scenario.campaign.deadline)
    nothing = [_(ONE_MORE[each.kind]) for each in found if not each.worth]
    return [
        _(_WHAT_MORE[scope]).format(day=on(scenario.campaign.deadline)),
        *(f"  {binding.words}" for binding in found if binding.worth),
        *(["  " + _("nobody: {limits}").format(limits=", ".join(nothing))] if nothing else []),
        *(["  " + _("if vials are shared as said above")] if shared_vials(scenario) else []),
    ]


_WHAT_MORE: dict[Scope, str] = {
    "first": N_("What more would bring: people with a first dose by {day}"),
    "full": N_("What more would bring: fully vaccinated by {day}"),
}


def _stretches(scenario: Scenario) -> list[str]:
    """When which limit holds, and the most people vaccinated by the end of each stretch."""
    rows = [(_("from"), _("to"), _("held back by"), _("first doses"), _("fully vaccinated"))]
    most = {scope: feasibility.curve(scenario, scope) for scope in SCOPES}
    rows += [
        (
            on(stretch.first),
            on(stretch.last),
            _(" and ").join(_(_HELD_BY[limit]) for limit in stretch.held_by),
            f"{most['first'][str(stretch.last)]:,}",
            f"{most['full'][str(stretch.last)]:,}",
        )
        for stretch in feasibility.stretches(scenario)
    ]
    return [_("The most by day, and what holds back the next first dose"), *table(rows, "<<<>>")]


_HELD_BY = {
    "slots": N_("slots"),
    "doses": N_("doses"),
    "turns": N_("turns"),
    "people": N_("nothing: everybody willing has one"),
}


# Assumptions ----------------------------------------------------------------------------------


_NO_SOURCE = N_("no source given")


def _unsourced(scenario: Scenario, raw: Mapping[str, Any]) -> Iterator[list[str]]:
    """What was changed without a source, and what is assumed."""
    entries = list(_entries(scenario, raw))
    changed = [entry for entry in entries if entry.changed]
    assumed = [
        entry
        for entry in entries
        if not entry.changed and (is_assumed(entry.source) or entry.source == _NO_SOURCE)
    ]
    if changed:
        yield [_("Changed without a source"), *_lines(changed)]
    if assumed:
        heading = _("Assumptions (every other value has a source: --json lists them)")
        yield [heading, *_lines(assumed)]
    else:
        none = _("Assumptions: none; every value has a source")
        yield [_("Assumptions: none") if changed else none]


@dataclass
class _Entry:
    """Values that have one source."""

    source: str
    words: str
    changed: bool
    """by --set, or by a file that gives no source"""
    paths: list[str]
    values: list[str]

    @property
    def key(self) -> str:
        """Path of the value, or the pattern of several."""
        return self.paths[0] if len(self.paths) == 1 else _pattern(self.paths[0])


def _lines(entries: list[_Entry]) -> list[str]:
    return table([(e.key, _short(", ".join(e.values)), e.words) for e in entries], "<<<")


def _entries(scenario: Scenario, raw: Mapping[str, Any]) -> Iterable[_Entry]:
    """Everything with its source; things of one kind with the same source together."""
    found: dict[tuple[str, str], _Entry] = {}
    for path, value, inside in _leaves(raw, ""):
        if path.split(".")[0] in ABOUT_ITSELF or path.endswith(".title"):
            continue
        sources: dict[str, list[str]] = {}
        for key, inner in inside.items():
            source = source_of(scenario, inner) or source_of(scenario, path) or _NO_SOURCE
            sources.setdefault(source, []).append(key)
        changes_first = sorted(sources.items(), key=lambda item: not is_changed(item[0]))
        source, words = (
            "; ".join(
                told(each) if len(sources) == 1 else f"{', '.join(keys)}: {told(each)}"
                for each, keys in changes_first
            )
            for told in (str, source_in_words)
        )
        changed = any(is_changed(each) for each in sources)
        entry = found.setdefault((_pattern(path), source), _Entry(source, words, changed, [], []))
        entry.paths.append(path)
        if value not in entry.values:
            entry.values.append(value)
    return found.values()


def _leaves(node: Any, path: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(path, value in words, paths of the values in it by name); distributions are one value."""
    if isinstance(node, Mapping) and "distribution" in node:
        numbers = [f"{k} {_word(v)}" for k, v in node.items() if k != "distribution"]
        inside = {str(key): f"{path}.{key}" for key in node}
        yield path, f"{node['distribution']} ({', '.join(numbers)})", inside
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list) and node and all(isinstance(item, Mapping) for item in node):
        for i, item in enumerate(node):
            yield from _leaves(item, f"{path}.{i}")
    else:
        yield path, _word(node), {path: path}


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " ".join(_word(item) for item in value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _pattern(path: str) -> str:
    """The path with the names of things of one kind replaced by *."""
    parts = path.split(".")
    for pattern in _PATTERNS:
        wanted = pattern.split(".")
        if len(parts) >= len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted)):
            return ".".join([*wanted, *parts[len(wanted) :]])
    return path


def _short(text: str, width: int = 48) -> str:
    return text if len(text) <= width else text[: width - 2] + " …"
