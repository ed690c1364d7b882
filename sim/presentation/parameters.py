"""Every value of a scenario, in words: what it means, its unit, its range and where it is from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from sim.language import N_, _, days_of_week, named, short_date
from sim.presentation.document import Code, Text
from sim.scenario import MINUTE_US, WEEKDAYS, Distribution, Scenario, dotted
from sim.scenario_errors import schema_node, split_key
from sim.scenario_files import (
    ABOUT_ITSELF,
    Varied,
    file_data,
    is_assumed,
    is_changed,
    leaf_values,
    source_in_words,
    source_of,
    varied,
)

_COLLECTIONS = (
    ("call_centre", "pools"),
    ("districts",),
    ("groups",),
    ("vaccines",),
    ("regimens",),
    ("deliveries",),
    ("unit_types",),
    ("units",),
)
"""Tables of things of one kind: the next part of a path is a name."""

_UNITS = {
    "minutes": N_("min"),
    "seconds": N_("s"),
    "hours": N_("h"),
    "days": N_("days"),
    "tolerance_days": N_("days"),
    "per_day": N_("a day"),
    "day": N_("a day"),
    "people": N_("people"),
    "population": N_("people"),
    "before": N_("people"),
    "doses": N_("doses"),
    "vial": N_("doses"),
    "agents": N_("agents"),
    "staff": N_("staff"),
    "lines": N_("lines"),
    "all": N_("attempts"),
}
"""Units by the last word of a name, of numbers."""


NOT_USED = N_("not used by this scenario (the program's default)")
"""Source of a default that switches something off."""
BY_DEFAULT = N_("assumed: the program's default")
"""Source of a default that has an effect, where the scenario names none."""
_NO_DEFAULT = object()


Status = Literal["changed", "assumed", "known", "unused"]
STATUS: dict[Status, str] = {
    "changed": N_("Changed without a source"),
    "assumed": N_("Assumed values"),
    "known": N_("Values with a source"),
    "unused": N_("Not used by this scenario: left at the program's defaults (* is any name)"),
}


@dataclass(frozen=True)
class Parameter:
    """Values that are the same for the same reason; mostly one."""

    paths: tuple[str, ...]
    """dotted paths; of a value left at its default, the pattern of all that are"""
    value: str
    unit: str
    meaning: str
    range: str
    """in which it is varied, and why; or why it is not"""
    source: str
    sources: tuple[str, ...]
    """as the scenario gives them; several, where the numbers of a distribution differ in theirs"""
    given: bool
    """by a file or by --set; else it is a default"""
    used: bool
    """False of a default that switches something off, such as breaks that nobody takes"""

    @property
    def part(self) -> str:
        """The part of the scenario in which it is."""
        return split_key(self.paths[0])[0]

    @property
    def assumed(self) -> bool:
        """Whether nobody has measured or decided it, as far as the scenario says."""
        unsaid = self.used and not self.sources
        return unsaid or self.changed or any(map(is_assumed, self.sources))

    @property
    def changed(self) -> bool:
        """Whether it, or one of its numbers, was changed without giving a source."""
        return any(map(is_changed, self.sources))

    @property
    def status(self) -> Status:
        """How much is known of where it is from."""
        if not self.used:
            return "unused"
        return "changed" if self.changed else "assumed" if self.assumed else "known"


def parameters(scenario: Scenario, raw: Mapping[str, Any]) -> list[Parameter]:
    """All of a scenario, in the order of its files; `raw` is what these say.

    What a unit has from its type is told of the type alone; titles are left out.
    """
    written = scenario.model_dump(mode="json", by_alias=True, exclude_unset=True)
    given = {path for path, _value in _values(_world(written))}
    ranges = {path: each for each in varied(raw) for path in each.values}
    # `source_of` finds the most specific pattern: of reasons as of sources.
    reasons = scenario.model_copy(update={"sources": scenario.not_varied})
    found: dict[Parameter, list[str]] = {}
    for path, value in _values(_world(file_data(scenario))):
        parts = split_key(path)
        node = schema_node(parts, {}) or {}
        source = _source(scenario, path, value)
        # In the data of a whole scenario defaults are written out.
        there = path in given and (any(source[1]) or value != node.get("default", _NO_DEFAULT))
        used = there or not _is_off(value)
        if not used:
            source = _(NOT_USED), (NOT_USED,)
        elif not there and not source[1]:
            source = _(BY_DEFAULT), (BY_DEFAULT,)
        alike = Parameter(
            (_kind(parts) if there else _pattern(parts),),
            _in_words(value),
            _unit(parts[-1], value, node),
            str(node.get("description", "") or _meaning_of_all(parts)),
            _range(path, value, ranges, reasons),
            *source,
            there,
            used,
        )
        found.setdefault(alike, []).append(path)
    return [
        replace(each, paths=tuple(paths)) if each.given else each for each, paths in found.items()
    ]


@dataclass(frozen=True)
class Drawn:
    """A distribution as the program draws from it, wherever the scenario has it."""

    paths: tuple[str, ...]
    words: str
    unit: str
    mean: float
    sd: float


def distributions(scenario: Scenario) -> list[Drawn]:
    """All distributions but constants, with the moments of the tables that are drawn from."""
    from pydantic import TypeAdapter

    from sim.experiment.statistics import moments_of_quantiles
    from sim.random_streams import quantile_table

    adapter: TypeAdapter[Any] = TypeAdapter(Distribution)
    found: dict[tuple[str, str, str], list[str]] = {}
    moments = {}
    for path, value in _values(_world(file_data(scenario))):
        if isinstance(value, Mapping) and value.get("distribution", "constant") != "constant":
            parts = split_key(path)
            said = _kind(parts), _in_words(value), _unit(parts[-1], value, {})
            if said not in found:
                per_one = MINUTE_US if parts[-1].endswith("minutes") else 1_000_000
                table = quantile_table(adapter.validate_python(value), per_one)
                moments[said] = moments_of_quantiles(table, per_one)
            found.setdefault(said, []).append(path)
    return [Drawn(tuple(paths), *said[1:], *moments[said]) for said, paths in found.items()]


def keys(paths: Sequence[str]) -> Text:
    """Dotted paths as text of a page."""
    said: list[str] = []
    for path in paths:
        said += [", ", Code(path)] if said else [Code(path)]
    return said


def _meaning_of_all(keys: Sequence[str]) -> str:
    """What the values of a table mean that has a number of each name, such as a district's."""
    return str((schema_node(keys[:-1], {}) or {}).get("description", ""))


def _world(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in ABOUT_ITSELF}


def _values(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(dotted path, value); a distribution is one value, and so is a list of plain values."""
    if isinstance(data, list) and data and all(isinstance(item, Mapping) for item in data):
        data = {str(number): item for number, item in enumerate(data)}
    if isinstance(data, Mapping) and "distribution" not in data:
        for key, below in data.items():
            yield from _values(below, (*path, key))
    elif path[-1] != "title":
        yield dotted(path), data


def _kind(keys: Sequence[str]) -> str:
    """The path with the name of a thing among its kind left open."""
    for collection in _COLLECTIONS:
        if tuple(keys[: len(collection)]) == collection:
            return dotted((*collection, "*", *keys[len(collection) + 1 :]))
    return dotted(keys)


def _pattern(keys: Sequence[str]) -> str:
    """The path with all names and numbers left open."""
    found = list(split_key(_kind(keys).replace("*", "any")))
    for i, key in enumerate(found):
        if key.isdecimal() or (i and found[i - 1] == "stations"):
            found[i] = "any"
    return ".".join("*" if key == "any" else key for key in found)


def _is_off(value: Any) -> bool:
    """Whether a default leaves something out: none, no, 0; or nobody, as a share of 1 does."""
    if isinstance(value, Mapping):
        value = value.get("value") if value.get("distribution") == "constant" else value
    return not value or value == 1


def value_in_words(toml: str) -> str:
    """A value of a scenario file, as TOML writes it ("" for none), as people read it."""
    return _in_words(tomllib.loads(f"value = {toml}")["value"]) if toml else _("(nothing)")


def _in_words(value: Any) -> str:
    """A value as people read it, with the file's own word where that is another."""
    if isinstance(value, Mapping):
        numbers = [
            f"{_(key)} {_in_words(below)}"
            for key, below in value.items()
            if key != "distribution" and (below or key not in ("shift", "weights"))
        ]
        kind = value.get("distribution")
        if kind == "constant" and len(numbers) == 1:
            return _in_words(value["value"])
        return f"{_(kind)}: {', '.join(numbers)}" if kind else ", ".join(numbers)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if value is None:
        return _("not set")
    if isinstance(value, list):
        if value and all(day in WEEKDAYS for day in value):
            return days_of_week(value)
        return " ".join(map(_in_words, value)) or _("none")
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"
    text = str(value)
    if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return short_date(date.fromisoformat(text), year=True)
    words = named(text)
    return text if words == text else f"{words} ({text})"


_WORDS = (
    N_("all doses"), N_("one dose"), N_("serve"), N_("cut off"), N_("by bookings"),
    N_("by capacity"), N_("equally"), N_("fixed shares"), N_("first doses first"),
    N_("second doses first"), N_("as booked"), N_("reserve"), N_("announced"), N_("on hand"),
    N_("ignore"), N_("service"), N_("constant"), N_("uniform"), N_("exponential"),
    N_("triangular"), N_("normal"), N_("lognormal"), N_("gamma"), N_("weibull"), N_("empirical"),
    N_("value"), N_("low"), N_("mode"), N_("high"), N_("mean"), N_("sd"), N_("cv"), N_("minimum"),
    N_("median"), N_("mu"), N_("sigma"), N_("shape"), N_("scale"), N_("rate"), N_("values"),
    N_("weights"), N_("shift"), N_("Samut Sakhon"),
)  # fmt: skip
"""Words of scenario files that are looked up: choices, what distributions have, the province."""


def _unit(name: str, value: Any, node: Mapping[str, Any]) -> str:
    if isinstance(value, str | bool | list | None):
        return ""
    unit = _UNITS.get(name.rpartition("_")[2], "")
    return _(unit) if unit else _("share") if node.get("maximum") == 1 else ""


def _range(path: str, value: Any, ranges: Mapping[str, Varied], reasons: Scenario) -> str:
    texts = []
    for leaf, number in leaf_values({path: value} if isinstance(value, Mapping) else {}):
        inner = f"{path}.{split_key(leaf)[-1]}"
        if inner in ranges:
            texts.append(f"{_(split_key(leaf)[-1])} {_range_in_words(ranges[inner])}")
        elif isinstance(number, int | float) and source_of(reasons, inner):
            texts.append(_not_varied(source_of(reasons, inner) or ""))
    if path in ranges:
        texts.append(_range_in_words(ranges[path]))
    elif reason := source_of(reasons, path):
        texts.append(_not_varied(reason))
    return "; ".join(dict.fromkeys(texts))


def _not_varied(reason: str) -> str:
    return _("not varied: {reason}").format(reason=source_in_words(reason))


def _range_in_words(each: Varied) -> str:
    low, high = f"{each.range.low:,g}", f"{each.range.high:,g}"
    words = _("{low} – {high} ({source})")
    if each.range.relative:
        words = _("{low} – {high} times the value ({source})")
    if each.range.fitted:
        words = _("{low} – {high}, fitted ({source})")
    return words.format(low=low, high=high, source=source_in_words(each.range.source))


def _source(scenario: Scenario, path: str, value: Any) -> tuple[str, tuple[str, ...]]:
    """Where it is from, in words and as given; what was changed without a source comes first."""
    if not isinstance(value, Mapping):
        source = source_of(scenario, path) or ""
        return source_in_words(source), (source,) if source else ()
    inside: dict[str, list[str]] = {}
    for key, number in value.items():
        if key == "shift" and not number:
            continue
        source = source_of(scenario, f"{path}.{key}") or source_of(scenario, path) or ""
        inside.setdefault(source, []).append(key)
    sources = tuple(each for each in sorted(inside, key=lambda s: not is_changed(s)) if each)
    if len(inside) == 1:
        return "".join(map(source_in_words, sources)), sources
    told = (f"{', '.join(map(_, inside[each]))}: {source_in_words(each)}" for each in sources)
    return "; ".join(told), sources
