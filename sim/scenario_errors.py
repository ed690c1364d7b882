"""What is wrong with a scenario: every problem with file, line, key, value and remedy."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, time
from functools import cache, cached_property, lru_cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sim.language import N_, _, told_of_year
from sim.scenario import (
    COLLECT_CONTRADICTIONS,
    ContradictionError,
    Scenario,
    dotted,
    must_be_one_of,
    with_inherited_units,
)

Key = tuple[str | int, ...]
"""A dotted path in parts; items of lists by index."""
Finding = tuple[Key, str]
"""Where in the merged data something is wrong, and the message."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and what would be right."""

    file: str
    """The file that sets the value, or the override."""
    line: int | None
    key: str
    """Dotted path ("" where the file as a whole is meant)."""
    value: str | None
    """What was found, as TOML writes it; None where nothing or a table is there."""
    message: str
    """What is wrong and what would be right."""

    def __str__(self) -> str:
        """`file:line: key = value: message`."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        found = self.key if self.value is None else f"{self.key} = {self.value}"
        return ": ".join(part for part in (place, found, self.message) if part)

    def saying(self, message: str) -> Problem:
        """The same place with another message."""
        return replace(self, message=message)


class ScenarioError(Exception):
    """A scenario that cannot be used, with all its problems."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class Layer:
    """What one file says (`set_path`: what one override says)."""

    name: str
    """The file's path, or the override."""
    data: dict[str, Any]
    text: str | None = None
    """Text of the file; None where there is no file."""
    set_path: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """The data without the words that say how to lay them upon others."""
        return {key: value for key, value in self.data.items() if key not in ("extends", "remove")}

    @cached_property
    def lines(self) -> dict[Key, int]:
        """Line of every key, table and list item of the file, and 1 for the file itself."""
        return {} if self.text is None else {(): 1, **_Lines(self.text).found}

    def sets(self, path: Key) -> bool:
        """Whether the value at the path comes from here (unless a later layer sets it too)."""
        return tuple(map(str, path[: len(self.set_path)])) == self.set_path and _has(
            self.data, path
        )


# Paths --------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def split_key(text: str) -> tuple[str, ...]:
    """Parts of a dotted path, as TOML splits a key; () if it is none."""
    try:
        data: Any = tomllib.loads(f"{text.strip()} = 0")
    except (ValueError, RecursionError):
        return tuple(text.strip().split(".")) if text.strip() else ()
    parts = []
    while isinstance(data, dict):
        (name, data), *others = data.items()
        if others:
            return ()
        parts.append(name)
    return tuple(parts)


def entry(data: Any, path: Sequence[str | int]) -> Any:
    """What is at the path (None: nothing). Items of lists may be named by text too."""
    for part in path:
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, list) and str(part).isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            return None
    return data


def _has(data: Any, path: Key) -> bool:
    return entry(data, path) is not None


# Wording ------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    """A value as TOML writes it, cut after 60 characters."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, str):
        text = '"' + value.replace("\n", "\\n") + '"'
    elif isinstance(value, list):
        text = f"[{', '.join(map(shown, value[:30]))}]"
    elif isinstance(value, Mapping):
        pairs = list(value.items())[:30]
        text = f"{{ {', '.join(f'{key} = {shown(below)}' for key, below in pairs)} }}"
    elif isinstance(value, date | time):
        text = value.isoformat()
    elif isinstance(value, int) and abs(value) > 10**40:
        text = _("an enormous number")
    else:
        text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def did_you_mean(
    name: str, known: Iterable[str], cutoff: float = 0.5, whole: Callable[[str], str] = str
) -> str:
    """ "; did you mean ...?" with the nearest known name, or "" if none is near.

    `whole` makes of a name what is shown: what all have in common must not make them near.
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return _("; did you mean {name}?").format(name=whole(near[0])) if near else ""


_DISTRIBUTION_EXAMPLE = '{ distribution = "exponential", mean = 5.0 }'


def expected(node: Mapping[str, Any]) -> str:
    """In words, what the JSON Schema of a value allows."""
    choices = node.get("enum") or ([node["const"]] if "const" in node else None)
    if choices:
        if len(choices) == 1:
            return shown(choices[0])
        return _("one of {choices}").format(choices=", ".join(map(shown, choices)))
    if "anyOf" in node:
        if any("oneOf" in alternative for alternative in node["anyOf"]):
            return _("a finite number, or a distribution such as {example}").format(
                example=_DISTRIBUTION_EXAMPLE
            )
        return expected(node["anyOf"][0])
    if "oneOf" in node:
        return _("a distribution such as {example}").format(example=_DISTRIBUTION_EXAMPLE)
    match node.get("type"):
        case "string":
            return _expected_text(node)
        case "integer":
            return _in_range(_("a whole number"), node)
        case "number":
            return _in_range(_("a finite number"), node)
        case "boolean":
            return _("true or false")
        case "array":
            return _expected_list(node)
        case _:
            not_empty = node.get("minProperties")
            return _("a table with at least one entry") if not_empty else _("a table")


def _expected_text(node: Mapping[str, Any]) -> str:
    if node.get("format") == "date":
        return _("a date such as 2021-06-01")
    pattern = node.get("pattern", "")
    if ":" in pattern:
        return _('a time of day from "00:00" to "24:00"')
    return _("a name of small letters, digits and _") if pattern else _("text in quotes")


def _expected_list(node: Mapping[str, Any]) -> str:
    least, most = node.get("minItems", 0), node.get("maxItems")
    items = _resolved(node["items"])
    if items.get("type") == "object":
        text = _("a list of at least {least} of tables") if least else _("a list of tables")
    elif least and least == most:
        text = _("a list of {least} values, each {item}")
    else:
        text = _("a list of at least {least}, each {item}") if least else _("a list, each {item}")
    return text.format(least=least, item=expected(items))


def _in_range(number: str, node: Mapping[str, Any]) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    if least is not None and most is not None:
        text = _("{number} between {least:,} and {most:,}")
    elif "exclusiveMinimum" in node:
        text, least = _("{number} above {least:,}"), node["exclusiveMinimum"]
    else:
        text = "{number}" if least is None else _("{number} that is at least {least:,}")
    return text.format(number=number, least=least, most=most)


# What may be where --------------------------------------------------------------------------


@cache
def _schema() -> dict[str, Any]:
    return Scenario.model_json_schema()


def _distributions() -> Iterator[str]:
    """Names of all distributions."""
    for definition in _schema()["$defs"].values():
        tag = definition["properties"].get("distribution", {})
        if "const" in tag:
            yield tag["const"]


def _resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself where there is a reference to it."""
    if "$ref" in node:
        target: Mapping[str, Any] = _schema()["$defs"][node["$ref"].rpartition("/")[2]]
        return {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def schema_node(path: Sequence[str | int], data: Any) -> Mapping[str, Any] | None:
    """JSON Schema of what may be at the path, given the data; None for an unknown path."""
    node: Mapping[str, Any] = _schema()
    for part in path:
        below = _child(_chosen(_resolved(node), data), part)
        if below is None:
            return None
        node = below
        data = entry(data, (part,))
    return _chosen(_resolved(node), data)


def _chosen(node: Mapping[str, Any], data: Any) -> Mapping[str, Any]:
    """The schema of the distribution that the data name, where it is one."""
    if isinstance(data, Mapping):
        for alternative in node.get("anyOf", [node]):
            tag = data.get("distribution")
            reference = alternative.get("discriminator", {}).get("mapping", {})
            if isinstance(tag, str) and tag in reference:
                return _resolved({"$ref": reference[tag]})
    return node


def _child(node: Mapping[str, Any], part: str | int) -> Mapping[str, Any] | None:
    if part == "distribution":
        return {"enum": list(_distributions())}
    for alternative in map(_resolved, node.get("anyOf", [node])):
        if part in alternative.get("properties", {}):
            below: Mapping[str, Any] = alternative["properties"][part]
            return below
        if "items" in alternative:
            return _resolved(alternative["items"])
        for names in alternative.get("patternProperties", {}).values():
            return _resolved(names)
        if isinstance(alternative.get("additionalProperties"), Mapping):
            return _resolved(alternative["additionalProperties"])
    return None


# From pydantic's errors to problems ---------------------------------------------------------


def describe(
    error: ValidationError, data: Mapping[str, Any], layers: Sequence[Layer]
) -> list[Problem]:
    """All problems that pydantic found in the merged data of the layers, by file and line."""
    inherited = with_inherited_units(data)
    details = error.errors(include_url=False)
    findings: list[Finding] = []
    contradict = all(isinstance(_cause(detail), ContradictionError) for detail in details)
    if contradict:
        scenario = Scenario.model_validate(data, context=COLLECT_CONTRADICTIONS)
        findings = [(_key(path), message) for path, message in scenario.contradictions()]
    else:
        for detail in details:
            findings += _findings(detail, inherited)
    findings = list(_once_at_the_type(_incomplete(findings), inherited, data))
    if years := list(_buddhist_years(data)):  # what contradicts itself does so because of them
        findings = [] if contradict else findings
        findings += years
    problems = [_problem(path, message, data, inherited, layers) for path, message in findings]
    names = [layer.name for layer in layers]
    return sorted(
        dict.fromkeys(problems), key=lambda p: (names.index(p.file), p.line or 0, _is_missing(p))
    )


def problems_of_years(data: Mapping[str, Any], layers: Sequence[Layer]) -> list[Problem]:
    """Dates with Buddhist years; a scenario all of whose dates have them would be valid."""
    years = _buddhist_years(data)
    return [_problem(path, message, data, data, layers) for path, message in years]


def _buddhist_years(data: Any, path: Key = ()) -> Iterator[Finding]:
    if isinstance(data, Mapping | list):
        below = data.items() if isinstance(data, Mapping) else enumerate(data)
        for part, value in below:
            yield from _buddhist_years(value, (*path, part))
    elif isinstance(data, date) and (told := told_of_year(data.isoformat())):
        yield path, told


def _is_missing(problem: Problem) -> bool:
    return problem.message.startswith(_(_MISSING))


def _cause(detail: ErrorDetails) -> object:
    return detail.get("ctx", {}).get("error")


def _key(path: str) -> Key:
    return tuple(int(part) if part.isdecimal() else part for part in split_key(path))


def _incomplete(findings: Sequence[Finding]) -> list[Finding]:
    """Several tables missing at the top level become one finding: likely `extends` is."""
    missing = [f for f in findings if len(f[0]) == 1 and f[1].startswith(_(_MISSING))]
    if len(missing) < 3:
        return list(findings)
    names = ", ".join(str(path[0]) for path, _ in missing)
    message = _(
        '{names} are missing: give them, or say extends = "plan.toml" for what you leave out'
    ).format(names=names)
    return [*(f for f in findings if f not in missing), ((), message)]


def _findings(detail: ErrorDetails, data: Mapping[str, Any]) -> Iterator[Finding]:
    """Path and message of one of pydantic's errors; several for contradictions."""
    path = _path_in(data, detail["loc"])
    kind = detail["type"]
    cause = _cause(detail)
    if isinstance(cause, ContradictionError):
        for below, message in cause.problems:
            yield (*path, *_key(below)), message
        return
    if detail["loc"][-1] == "[key]":
        yield (
            path,
            _("a name has small letters, digits and _ (at most 60), and begins with a letter"),
        )
        return
    if kind == "extra_forbidden":
        yield path, _unknown(path, data)
        return
    if kind.startswith("union_tag"):
        path = (*path, "distribution")
    node = schema_node(path, data)
    allowed = detail["msg"] if node is None else expected(node)
    right = detail["msg"] if node is None else _("must be {what}").format(what=allowed)
    if kind in ("missing", "union_tag_not_found"):
        about = f" ({_(node['description'])})" if node and "description" in node else ""
        it_must_be = right if node is None else _("it must be {what}").format(what=allowed)
        yield path, f"{_(_MISSING)}: {it_must_be}{about}{_misspelt_entry(path[:-1], data)}"
        return
    found = entry(data, path)
    if kind in ("too_short", "too_long") and isinstance(found, list):
        right += _("; it has {n}").format(n=len(found))
    if isinstance(found, str) and node is not None:
        right += did_you_mean(found, map(str, node.get("enum", [])))
    yield path, right


def _misspelt_entry(path: Key, data: Mapping[str, Any]) -> str:
    """An entry with a name of one's own that lacks something may be meant to change another."""
    if not path or "patternProperties" not in (schema_node(path[:-1], data) or {}):
        return ""
    others = [str(name) for name in entry(data, path[:-1]) if name != path[-1]]
    return did_you_mean(str(path[-1]), others, cutoff=0.8)


def _path_in(data: Any, location: Sequence[str | int]) -> Key:
    """Pydantic's location without what is not in the file: the distribution's tag, "[key]"."""
    path: list[str | int] = []
    for part in location:
        if part == "[key]" or isinstance(data, int | float):
            break
        if isinstance(data, Mapping) and part == data.get("distribution"):
            continue
        path.append(part)
        data = entry(data, (part,))
    return tuple(path)


_UNKNOWN = N_("is no known key")
_MISSING = N_("is missing")


def _unknown(path: Key, data: Mapping[str, Any]) -> str:
    node = schema_node(path[:-1], data) or {}
    known = list(node.get("properties", {}))
    if len(path) == 1:
        known += ["extends", "remove"]
    near = did_you_mean(str(path[-1]), known)
    return _(_UNKNOWN) + (near or _(": known here are {keys}").format(keys=", ".join(known)))


def _once_at_the_type(
    findings: Sequence[Finding], inherited: Mapping[str, Any], data: Mapping[str, Any]
) -> Iterator[Finding]:
    """What a unit has wrong from its type is told at the type; of an unknown type, only that."""
    types = inherited.get("unit_types")
    types = types if isinstance(types, Mapping) else {}
    for path, message in findings:
        if path[:1] != ("units",) or len(path) < 3:
            yield path, message
            continue
        kind = entry(inherited, ("units", path[1], "type"))
        at_type = ("unit_types", str(kind), *path[2:])
        if not _has(data, path) and any(_same(finding, at_type, message) for finding in findings):
            continue
        has_type = isinstance(kind, str) and isinstance(types.get(kind), Mapping)
        if has_type or path[2] in ("type", "district") or not message.startswith(_(_MISSING)):
            yield path, message
        elif isinstance(kind, str):
            type_path = ("units", path[1], "type")
            for _path, problem in must_be_one_of("", kind, types):
                yield type_path, problem


def _same(finding: Finding, path: Key, message: str) -> bool:
    """Whether it is the same finding; units and their types know different keys."""
    unknown = message.startswith(_(_UNKNOWN)) and finding[1].startswith(_(_UNKNOWN))
    return finding[0] == path and (finding[1] == message or unknown)


def _problem(
    path: Key,
    message: str,
    data: Mapping[str, Any],
    inherited: Mapping[str, Any],
    layers: Sequence[Layer],
) -> Problem:
    """The problem with its place: the last layer that sets the value, or the table it is in."""
    layer, there = _origin(path, data, layers)
    found = entry(inherited, path)
    value = None if found is None or isinstance(found, Mapping) else shown(found)
    message += _also_set(path, message, data, layers, layers.index(layer))
    return Problem(layer.name, layer.lines.get(there), dotted(path), value, message)


def _also_set(
    path: Key, message: str, data: Mapping[str, Any], layers: Sequence[Layer], level: int
) -> str:
    """Where a later layer sets another key that the message names: it may be the culprit."""
    for name in re.findall(r"[a-z][a-z0-9_.]*[a-z0-9]", message):
        for other in (_key(name), (*path[:-1], name)):
            if other != path and _has(data, other):
                layer, there = _origin(other, data, layers)
                if layers.index(layer) > level:
                    line = f":{layer.lines[there]}" if there in layer.lines else ""
                    place = f"{layer.name}{line}"
                    return " " + _("({key} is set in {place})").format(key=name, place=place)
    return ""


def _origin(path: Key, data: Mapping[str, Any], layers: Sequence[Layer]) -> tuple[Layer, Key]:
    for length in range(len(path), 0, -1):
        if _has(data, path[:length]):
            for layer in reversed(layers):
                if layer.sets(path[:length]):
                    return layer, path[:length]
    return next(layer for layer in reversed(layers) if not layer.set_path), ()


# Lines of a TOML file -----------------------------------------------------------------------

_TOKEN = re.compile(
    r"""
      (?P<space>   [ \t\r]+ | \#[^\n]* )
    | (?P<newline> \n )
    | (?P<text>    \"\"\" (?:[^\\]|\\.)*? \"{3,5} | ''' .*? '{3,5}
                 | " (?:[^"\\\n]|\\.)* " | ' [^'\n]* ' )
    | (?P<mark>    [\[\]{}=,.] )
    | (?P<bare>    [^\s\[\]{}=,.\#"']+ )
    """,
    re.VERBOSE | re.DOTALL,
)


class _Lines:
    """Finds the line of every key and list item in a text that is known to be valid TOML.

    Parsers that keep positions are rare, and none of the well-kept ones tells the line of a key
    in an inline table; in valid TOML it takes only to follow brackets and strings.
    """

    def __init__(self, text: str) -> None:
        self.found: dict[Key, int] = {}
        self._tokens: list[tuple[str, str, int]] = []
        self._at = 0
        self._tables: dict[Key, int] = {}
        """Number of tables so far of each array of tables."""
        line = 1
        for match in _TOKEN.finditer(text):
            if match.lastgroup != "space":
                self._tokens.append((str(match.lastgroup), match[0], line))
            line += match[0].count("\n")
        self._document()

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _line(self) -> int:
        return self._tokens[self._at][2]

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _skip_newlines(self) -> None:
        while self._peek() == "\n":
            self._at += 1

    def _document(self) -> None:
        table: Key = ()
        while self._at < len(self._tokens):
            if self._peek() == "\n":
                self._at += 1
            elif self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Key:
        line = self._line()
        brackets = 0
        while self._peek() == "[":
            self._at += 1
            brackets += 1
        path: Key = ()
        names = self._key()
        for i, name in enumerate(names):
            path = (*path, name)
            self.found.setdefault(path, line)
            if brackets == 2 and i == len(names) - 1:
                self._tables[path] = self._tables.get(path, 0) + 1
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        self.found[path] = line
        self._at += brackets
        return path

    def _key(self) -> list[str]:
        names = []
        while self._peek() not in ("=", "]"):
            token = self._next()
            if token != ".":
                names.append(next(iter(tomllib.loads(f"{token} = 0"))))
        return names

    def _pair(self, table: Key) -> None:
        line = self._line()
        for name in self._key():
            table = (*table, name)
            self.found.setdefault(table, line)
        self._next()
        self._value(table)

    def _value(self, path: Key) -> None:
        mark = self._peek()
        if mark == "[":
            self._next()
            self._skip_newlines()
            index = 0
            while self._peek() != "]":
                self.found[*path, index] = self._line()
                self._value((*path, index))
                index += 1
                self._skip_commas()
            self._next()
        elif mark == "{":
            self._next()
            self._skip_commas()
            while self._peek() != "}":
                self._pair(path)
                self._skip_commas()
            self._next()
        else:
            while self._at < len(self._tokens) and self._peek() not in ("\n", ",", "]", "}"):
                self._next()

    def _skip_commas(self) -> None:
        while self._peek() in ("\n", ","):
            self._at += 1
