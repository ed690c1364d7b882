"""Reading scenario files: TOML, `extends`, `remove`, overrides, the source of each value.

A file may say `extends = "plan.toml"` (a path relative to itself) and then lists only what
differs: tables are merged key by key, every other value, lists too, replaces the one below.
`remove = ["call_centre.pools.burmese"]` takes entries of the extended file away before the rest
of the file is laid upon it. An override, `call_centre.lines=90`, is one more such layer; in it,
an item of a list is named by its index (`groups.thai.first_calls.0.mean_days=7`).

Everything wrong with a scenario is one `ScenarioError` (see `scenario_errors.py`).
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sim.language import N_, _, named
from sim.scenario import Range, Scenario, dotted, merge, with_inherited_units
from sim.scenario_errors import (
    Layer,
    Problem,
    ScenarioError,
    describe,
    did_you_mean,
    entry,
    problems_of_years,
    schema_node,
    shown,
    split_key,
)

LARGEST_FILE_BYTES = 1_000_000
SET_BY_OPTION = N_("set by --set")
"""Source of a value that an override sets."""
_NO_SOURCE = "; no source given"
ABOUT_ITSELF = ("title", "description", "sources", "ranges", "not_varied")
"""Keys at the top that say something about the scenario and change nothing in it."""


def changed_in(file: str) -> str:
    """Source of a value that a file changes without giving a source."""
    return f"changed in {Path(file).name}{_NO_SOURCE}"


def is_changed(source: str) -> bool:
    """Whether it is the source of a value that was changed without giving one."""
    return source == SET_BY_OPTION or source.endswith(_NO_SOURCE)


def is_assumed(source: str) -> bool:
    """Whether it says that nobody has measured or decided the value."""
    return source.startswith(("assumed", "สมมติ"))


def source_in_words(source: str) -> str:
    """A source in the language spoken, where it is one that the project ships or made itself."""
    file = source.removeprefix("changed in ").removesuffix(_NO_SOURCE)
    if changed_in(file) == source:
        return _("changed in {file}; no source given").format(file=file)
    return named(source)


__all__ = [
    "ABOUT_ITSELF",
    "SET_BY_OPTION",
    "Problem",
    "ScenarioError",
    "Upload",
    "Varied",
    "changed_in",
    "file_data",
    "is_assumed",
    "is_changed",
    "leaf_values",
    "load_scenario",
    "parsed_value",
    "raw_scenario",
    "read_layers",
    "scenario_from_data",
    "scenario_schema",
    "schema_at",
    "source_in_words",
    "source_of",
    "varied",
    "with_values",
]


# Loading ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Upload:
    """A scenario file that somebody has sent; it can extend the files `beside` it and no others."""

    name: str
    content: bytes
    beside: tuple[Path, ...] = ()


def load_scenario(path: str | Path | Upload, overrides: Sequence[str] = ()) -> Scenario:
    """The scenario of a file, with overrides (`dotted.path=value`) laid upon it.

    Raises ScenarioError with all problems of the files and the overrides.
    """
    return _scenario(read_layers(path), overrides)


def raw_scenario(path: str | Path | Upload, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The merged data of a file, its `extends` and the overrides, as JSON can hold it.

    Units still inherit from their types. `scenario_from_data` makes the scenario from it.
    Raises ScenarioError for files that cannot be read and for overrides with unknown paths.
    """
    layers = read_layers(path)
    data, problems = _merged(layers, overrides)
    if problems:
        raise ScenarioError(problems)
    plain: dict[str, Any] = _as_json(data)
    return plain


def scenario_from_data(raw: Mapping[str, Any], overrides: Sequence[str] = ()) -> Scenario:
    """The scenario of data such as `raw_scenario` gives. Raises ScenarioError."""
    return _scenario([Layer("scenario data", dict(raw))], overrides)


def file_data(scenario: Scenario) -> dict[str, Any]:
    """What a file would say to mean this scenario, as JSON can hold it; defaults are written out.

    `scenario_from_data` makes the scenario from it. Units say only what their type does not, so
    that an override of the type reaches them.
    """
    data: dict[str, Any] = scenario.model_dump(mode="json", by_alias=True)
    types = data["unit_types"]
    data["units"] = {
        name: {"type": unit["type"], **_beyond(types[unit["type"]], unit)}
        for name, unit in data["units"].items()
    }
    return data


def _beyond(base: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    """The tables that `merge` must lay upon the base for the whole."""
    beyond = {}
    for key, value in whole.items():
        below: Any = base.get(key)
        if key in base and below == value:
            continue
        if key == "stations" and list(below) != list(value):  # new ones: all, for their order
            beyond[key] = {name: _beyond(below.get(name, {}), value[name]) for name in value}
            continue
        if (
            isinstance(value, Mapping)
            and isinstance(below, Mapping)
            and value.get("distribution") == below.get("distribution")
            and set(below) <= set(value)
        ):
            value = _beyond(below, value)
        beyond[key] = value
    return beyond


def _scenario(layers: list[Layer], overrides: Sequence[str]) -> Scenario:
    data, problems = _merged(layers, overrides)
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(problems + describe(error, data, layers)) from None
    problems += [*_wrong_ranges(layers, data), *problems_of_years(data, layers)]
    if problems:
        raise ScenarioError(problems)
    return scenario


def _merged(layers: list[Layer], overrides: Sequence[str]) -> tuple[dict[str, Any], list[Problem]]:
    """Data of all layers merged; each override becomes one more layer of the list."""
    data: dict[str, Any] = {}
    problems: list[Problem] = []
    for layer in layers:
        problems += _remove(data, layer)
        below, data = data, merge(data, layer.settings)
        if layer.text is not None:
            problems += _idle_patterns(layer, data)
            data = merge(data, _sources_of_changes(layer, below, data))
            data = _not_varied_where_changed(layer, below, data)
    for text in overrides:
        layer_or_problem = _override(text, data)
        if isinstance(layer_or_problem, Problem):
            problems.append(layer_or_problem)
        else:
            layers.append(layer_or_problem)
            below, data = data, merge(data, layer_or_problem.settings)
            if layer_or_problem.set_path[0] in ABOUT_ITSELF:
                problems += _idle_patterns(layer_or_problem, data)
            data = _not_varied_where_changed(layer_or_problem, below, data)
    return data, problems


def _as_json(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _as_json(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_as_json(value) for value in data]
    if isinstance(data, time):
        return data.isoformat("auto" if data.second or data.microsecond else "minutes")
    return data.isoformat() if isinstance(data, date) else data


# Files --------------------------------------------------------------------------------------


def read_layers(path: str | Path | Upload) -> list[Layer]:
    """The file and those that it extends, the most basic first. Raises ScenarioError."""
    if isinstance(path, Upload):
        return _read_upload(path)
    layers = [_read(Path(path), asked_by=None)]
    seen = [os.path.realpath(path)]
    while (extends := layers[0].data.get("extends")) is not None:
        top = layers[0]
        asked_by = Problem(top.name, top.lines.get(("extends",)), "extends", shown(extends), "")
        if not isinstance(extends, str):
            raise ScenarioError([asked_by.saying(_("must be the path of another file, in quotes"))])
        below = Path(top.name).parent / extends
        layers.insert(0, _read(below, asked_by))
        if os.path.realpath(below) in seen:
            names = [layer.name for layer in reversed(layers)]
            raise ScenarioError(
                [
                    asked_by.saying(
                        _("the files extend each other in a circle: {names}").format(
                            names=" -> ".join(names)
                        )
                    )
                ]
            )
        seen.append(os.path.realpath(below))
    return layers


def _read_upload(upload: Upload) -> list[Layer]:
    top = _layer(
        upload.content,
        upload.name,
        lambda message: ScenarioError([Problem(upload.name, None, "", None, message)]),
    )
    if (extends := top.data.get("extends")) is None:
        return [top]
    beside = {path.name: path for path in upload.beside}
    if isinstance(extends, str) and extends in beside:
        return [*read_layers(beside[extends]), top]
    message = _("a file that is sent can extend one of {names}, or no other").format(
        names=", ".join(beside)
    )
    line = top.lines.get(("extends",))
    raise ScenarioError([Problem(top.name, line, "extends", shown(extends), message)])


def _read(path: Path, asked_by: Problem | None) -> Layer:
    """One file. A file that cannot be read is a problem of the line that asked for it."""

    def problem(message: str) -> ScenarioError:
        if asked_by is not None:
            return ScenarioError([asked_by.saying(f"{path} {message}")])
        return ScenarioError([Problem(str(path), None, "", None, message)])

    try:
        if path.is_dir():
            raise problem(_("is a folder: name a .toml file in it"))
        if path.exists() and not path.is_file():
            raise problem(_("is not an ordinary file"))
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        names = [p.stem for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        near = did_you_mean(path.stem, names, 0.6, whole="{}.toml".format)
        raise problem(_("does not exist") + near) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise problem(_("cannot be read: {reason}").format(reason=reason)) from None
    return _layer(content, str(path), problem)


def _layer(content: bytes, name: str, problem: Callable[[str], ScenarioError]) -> Layer:
    """What a file with this content says."""
    if len(content) > LARGEST_FILE_BYTES:
        raise problem(
            _("is larger than {mb} MB: a scenario is a small text file").format(
                mb=LARGEST_FILE_BYTES // 1_000_000
            )
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise problem(
            _("is not UTF-8 text (line {line}): save it as UTF-8").format(line=line)
        ) from None
    return Layer(name, _parsed(text, name), text)


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ScenarioError(
            [Problem(name, None, "", None, _("brackets are nested too deeply"))]
        ) from None
    except ValueError as error:  # TOMLDecodeError, or an integer of thousands of digits
        message = str(error)
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    lines = text.splitlines() or [""]
    what, line, column = (
        (found[1], int(found[2]), _("column {column}: ").format(column=found[3]))
        if found
        else (message.replace(" (at end of document)", ""), len(lines), "")
    )
    excerpt = lines[min(line, len(lines)) - 1].strip()
    hint = next((hint for start, hint in _TOML_HINTS if what.startswith(start)), _NO_HINT)
    wrong = _("not valid TOML") + _(hint)
    raise ScenarioError([Problem(name, line, excerpt[:80], None, f"{column}{wrong}")])


_NO_HINT = N_(": this line cannot be read")
_TOML_HINTS = [
    (
        "Invalid value",
        N_(
            ': text needs quotes, a time too ("08:00"); a date is written 2021-06-01; digits are '
            "0 to 9"
        ),
    ),
    ("Expected newline", N_(': one `key = value` a line; a time needs quotes ("08:00")')),
    ("Expected '='", N_(": write key = value, and table names in [brackets]")),
    ("Invalid statement", N_(": write key = value, and table names in [brackets]")),
    (
        "Invalid initial character",
        N_(": a key has letters, digits, - and _ only, else it needs quotes"),
    ),
    ("Unescaped", N_(": write \\\\ for \\, or put the text in single quotes")),
    ("Expected ']'", N_(": a closing bracket is missing")),
    ("Cannot overwrite", N_(": the same key is given twice; remove one")),
    ("Duplicate inline", N_(": the same key is given twice; remove one")),
    ("Cannot declare", N_(": the same table is given twice; join the two")),
    ("Cannot redefine", N_(": the same table is given twice; join the two")),
    ("Cannot mutate", N_(": the same table is given twice; join the two")),
    ("Unclosed array", N_(": a comma or the closing ] is missing")),
    ("Unclosed inline", N_(": the closing } is missing")),
    ("Unterminated", N_(": a closing quote is missing")),
    ("Illegal character '\\n'", N_(": a closing quote is missing")),
    ("Invalid date", N_(": there is no such day or time")),
    ("Exceeds the limit", N_(": the number is too long")),
]


def _remove(data: dict[str, Any], layer: Layer) -> list[Problem]:
    """Takes what the layer removes out of the data below; what was not there is a problem."""
    problems = []
    wanted = layer.data.get("remove", [])
    if not isinstance(wanted, list) or not all(isinstance(text, str) for text in wanted):
        line = layer.lines.get(("remove",))
        message = _('must be a list of dotted paths, such as ["call_centre.pools.burmese"]')
        return [Problem(layer.name, line, "remove", shown(wanted), message)]
    if wanted and "extends" not in layer.data:
        line = layer.lines.get(("remove",))
        message = _("nothing can be removed where no other file is extended: leave it out")
        return [Problem(layer.name, line, "remove", shown(wanted), message)]
    for i, text in enumerate(wanted):
        path = split_key(text)
        table = entry(data, path[:-1])
        if path and isinstance(table, dict) and path[-1] in table:
            _without(data, path)
            continue
        line = layer.lines.get(("remove", i))
        known = {key: dotted((*path[:-1], key)) for key in table} if isinstance(table, dict) else {}
        message = _("the file that this one extends has no such entry of a table")
        message += did_you_mean(path[-1] if path else text, known, whole=known.__getitem__)
        problems.append(Problem(layer.name, line, f"remove.{i}", shown(text), message))
    return problems


def _without(data: dict[str, Any], path: tuple[str, ...]) -> None:
    """Deletes one entry, in copies of the tables on the way (layers keep their own)."""
    for key in path[:-1]:
        data[key] = dict(data[key])
        data = data[key]
    del data[path[-1]]


# Overrides ----------------------------------------------------------------------------------


def _override(text: str, data: Mapping[str, Any]) -> Layer | Problem:
    """The layer of one `dotted.path=value` upon the data, or what is wrong with the path."""
    name = f"--set {text}"
    key, equals, written = text.partition("=")
    path = split_key(key)
    if not equals or not path:
        return Problem(name, None, "", None, _("write --set dotted.path=value"))
    inherited = with_inherited_units(data)
    unknown = _unknown_path(path, inherited)
    if unknown:
        return Problem(name, None, "", None, unknown)
    value = parsed_value(written.strip())
    there = entry(inherited, path)
    if _is_empty(value) and isinstance(there, Mapping):
        message = _("an empty table changes nothing: set single values in it")
        if there:
            removed = dotted((*path, next(iter(there))))
            message = _(
                "an empty table changes nothing: set single values in it, or take entries away by "
                'remove = ["{entry}"] in a file that extends'
            ).format(entry=removed)
        return Problem(name, None, "", None, message)
    settings = _nested(inherited, path, value)
    if path[0] not in ABOUT_ITSELF and isinstance(data.get("sources", {}), Mapping):
        changed = entry(settings, path) if entry(settings, path) is not None else value
        sources = {f"{dotted(path)}{leaf}": SET_BY_OPTION for leaf in _leaf_endings(changed)}
        settings = merge(settings, {"sources": sources})
    return Layer(name, settings, set_path=path)


def _is_empty(value: Any) -> bool:
    """Whether it is a table that says nothing, nor do the tables in it."""
    return isinstance(value, Mapping) and all(map(_is_empty, value.values()))


def parsed_value(text: str) -> Any:
    """The value that a text means to TOML; the text itself where it means nothing."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if len(parsed) == 1 else text


def schema_at(data: Mapping[str, Any], key: str, name: str) -> Mapping[str, Any]:
    """JSON Schema of what may be set at a dotted path of scenario data.

    Raises ScenarioError, in which `name` says who asked, if nothing can be set there.
    """
    path, inherited = split_key(key), with_inherited_units(data)
    unknown = _unknown_path(path, inherited) if path else _("write a dotted path")
    node = schema_node(path, inherited)
    if unknown or node is None:
        message = unknown or _("there is no {key}").format(key=key)
        raise ScenarioError([Problem(name, None, "", None, message)])
    return node


def _nested(below: Any, path: tuple[str, ...], value: Any) -> Any:
    """The value inside tables for each name of the path; a list on the way is given whole."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(below, list):
        index = int(key)
        item = _nested(below[index], rest, value)
        if isinstance(item, Mapping) and isinstance(below[index], Mapping):
            item = merge(below[index], item)
        return [*below[:index], item, *below[index + 1 :]]
    under = below.get(key) if isinstance(below, Mapping) else None
    return {key: _nested(under, rest, value)}


def _unknown_path(path: tuple[str, ...], data: Mapping[str, Any]) -> str | None:
    """Why nothing can be set at the path: None if something can."""
    here: Any = data
    for i, key in enumerate(path):
        before = dotted(path[:i])
        node = schema_node(path[:i], data) or {}
        if isinstance(here, list):
            if not key.isdecimal() or int(key) >= len(here):
                return _("{list} is a list of {n}: its items are 0 to {last}").format(
                    list=before, n=len(here), last=len(here) - 1
                )
            here = here[int(key)]
            continue
        if here is not None and not isinstance(here, Mapping):
            return _("{key} is {value}, not a table: set it whole").format(
                key=before, value=shown(here)
            )
        fixed = node.get("properties")
        known = list(fixed or here or ())
        is_new_entry = fixed is None and i == len(path) - 1
        if key not in known and not is_new_entry:
            whole = {name: dotted((*path[:i], name)) for name in known}
            return _("there is no {key}").format(key=dotted(path[: i + 1])) + (
                did_you_mean(key, known, whole=whole.__getitem__)
                or _(": choose one of {keys}").format(keys=", ".join(whole.values()))
            )
        here = here.get(key) if here else None
    return None


# Sources ------------------------------------------------------------------------------------


def leaf_values(data: Any) -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of everything in the data that is no table.

    A list of tables is entered by index; any other list is one value.
    """
    for ending in _leaf_endings(data):
        path = ending[1:]
        yield path, entry(data, split_key(path))


def _leaf_endings(data: Any) -> Iterator[str]:
    """Dotted paths, each with a leading dot, of the values below; "" if it is one itself."""
    if isinstance(data, Mapping):
        below: list[tuple[str | int, Any]] = list(data.items())
    elif isinstance(data, list) and data and all(isinstance(item, Mapping) for item in data):
        below = list(enumerate(data))
    else:
        yield ""
        return
    for key, value in below:
        for ending in _leaf_endings(value):
            yield f".{dotted((key,))}{ending}"


def source_of(scenario: Scenario, path: str) -> str | None:
    """Where the value at the dotted path comes from: the most specific pattern of `[sources]`.

    A value that a unit inherits has the source that it has at the unit's type. A value changed by
    an override has the source SET_BY_OPTION, one changed by a file without a source `changed_in`.
    """
    keys = split_key(path)
    kind = None
    if keys[0] == "units" and len(keys) > 1 and keys[1] in scenario.units:
        kind = scenario.units[keys[1]].type
    return _source(scenario.sources, keys, kind)


def _source(sources: Mapping[str, str], keys: tuple[str, ...], kind: str | None) -> str | None:
    """The source of a value; `kind` is the type of the unit that has it, if one has."""
    places = [keys]
    if kind is not None and len(keys) > 2:
        places.append(("unit_types", kind, *keys[2:]))
    for place in places:
        matching = [pattern for pattern in sources if _matches(tuple(pattern.split(".")), place)]
        if matching:
            return sources[max(matching, key=_specificity)]
    return None


def _texts(sources: Any) -> dict[str, str]:
    """The sources that are texts, as all must be."""
    if not isinstance(sources, Mapping):
        return {}
    return {key: text for key, text in sources.items() if isinstance(text, str)}


def _sources_of_changes(
    layer: Layer, below: Mapping[str, Any], data: Mapping[str, Any]
) -> dict[str, Any]:
    """`sources` for what a file changes in those below it.

    What it changes has the source that the file itself gives, or none: never that of the value
    below, even if a pattern there is more specific.
    """
    own, merged = _texts(layer.data.get("sources")), _texts(data.get("sources"))
    found = {}
    for keys in _changed(layer, below):
        kind = entry(data, ("units", keys[1], "type")) if keys[0] == "units" and keys[1:] else None
        kind = kind if isinstance(kind, str) else None
        source = _source(own, keys, kind) or changed_in(layer.name)
        if _source(merged, keys, kind) != source:
            found[dotted(keys)] = source
    return {"sources": found} if found else {}


def _changed(layer: Layer, below: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Paths of the values that a layer changes in the data below it, if there are any."""
    before = with_inherited_units(below)
    for path, value in leaf_values(layer.settings) if below else ():
        keys = split_key(path)
        about = keys[0] in ABOUT_ITSELF or keys[-1] == "title"
        if not about and entry(before, keys) != value:
            yield keys


def _idle_patterns(layer: Layer, data: Mapping[str, Any]) -> Iterator[Problem]:
    """Patterns of a layer's own `[sources]` and the like that match no value of the data."""
    whole = with_inherited_units(data)
    paths: list[tuple[str, ...]] | None = None
    for table, pattern in _own_patterns(layer):
        keys = tuple(pattern.split("."))
        if "*" not in pattern and _is_value(entry(whole, keys)):
            continue
        paths = list(_value_paths(whole)) if paths is None else paths
        if any(_matches(keys, path) for path in paths):
            continue
        line = layer.lines.get((table, pattern))
        near = did_you_mean(pattern, map(dotted, paths)) or _(": a value's dotted path is meant")
        if isinstance(entry(whole, keys), Mapping):
            near = _("; did you mean {key}.*, or {key}.** with the tables in it?").format(
                key=pattern
            )
        key = dotted((table, pattern))
        yield Problem(layer.name, line, key, None, _("matches no value") + near)


def _own_patterns(layer: Layer) -> Iterator[tuple[str, str]]:
    """(table, pattern) of what a layer says about values, where it is of the right kind."""
    for table, kind in (("sources", str), ("not_varied", str), ("ranges", Mapping)):
        said = layer.data.get(table)
        for pattern, below in said.items() if isinstance(said, Mapping) else ():
            if isinstance(below, kind):
                yield table, pattern


def _is_value(found: Any) -> bool:
    return found is not None and list(_leaf_endings(found)) == [""]


def _value_paths(data: Any, path: tuple[str, ...] = (), whole: Any = None) -> Iterator[Any]:
    """Paths of all values of scenario data, those left out (with a default) included."""
    whole = data if whole is None else whole
    if isinstance(data, Mapping):
        node = schema_node(path, whole) or {}
        known = [*data, *(key for key in node.get("properties", {}) if key not in data)]
        for key in known:
            yield from _value_paths(data.get(key), (*path, key), whole)
    elif isinstance(data, list) and data and all(isinstance(item, Mapping) for item in data):
        for i, item in enumerate(data):
            yield from _value_paths(item, (*path, str(i)), whole)
    else:
        yield path


def _matches(pattern: tuple[str, ...], keys: tuple[str, ...]) -> bool:
    if not pattern:
        return not keys
    if pattern[0] == "**":
        return any(_matches(pattern[1:], keys[i:]) for i in range(len(keys) + 1))
    return bool(keys) and fnmatchcase(keys[0], pattern[0]) and _matches(pattern[1:], keys[1:])


def _specificity(pattern: str) -> tuple[int, int, int]:
    """More names without a wildcard, then more with one, then fewer `**`."""
    parts = pattern.split(".")
    whole = sum("*" not in part for part in parts)
    partial = sum("*" in part and part.strip("*") != "" for part in parts)
    return whole, partial, -parts.count("**")


# Ranges -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Varied:
    """Numbers of a scenario that may be other than they are, and move together."""

    pattern: str
    """A dotted path, or the pattern that matches all of them."""
    range: Range
    values: Mapping[str, float]
    """The number at each dotted path."""
    whole: bool
    """Whether they are whole numbers."""

    def at(self, share: float) -> dict[str, float]:
        """The numbers when this share (0 ... 1) of the range lies below; whole ones are rounded.

        Every whole number of an absolute range has an equal part of it.
        """
        low, high = self.range.low, self.range.high
        if self.range.relative:
            factor = low + share * (high - low)
            return {path: self._written(value * factor) for path, value in self.values.items()}
        if self.whole:
            number = min(low + int(share * (high - low + 1)), high)
        else:
            number = low + share * (high - low)
        return dict.fromkeys(self.values, self._written(number))

    def _written(self, number: float) -> float:
        return math.floor(number + 0.5) if self.whole else float(f"{number:.6g}")


def varied(data: Mapping[str, Any]) -> list[Varied]:
    """What scenario data (of a file, or `raw_scenario`) say may be other than it is.

    Of the patterns in `ranges` and `not_varied` that match a number, the most specific one holds.
    """
    ranges = {
        pattern: Range.model_validate(below) for pattern, below in data.get("ranges", {}).items()
    }
    patterns = [*data.get("not_varied", {}), *ranges]
    keys = {pattern: tuple(pattern.split(".")) for pattern in patterns}
    found: dict[str, dict[str, float]] = {pattern: {} for pattern in ranges}
    for path, number in leaf_values(_world(data)) if ranges else ():
        if not _is_number(number):
            continue
        matching = [pattern for pattern in patterns if _matches(keys[pattern], split_key(path))]
        holds = max(matching, key=_specificity, default="")
        if holds in found and holds not in data.get("not_varied", {}):
            found[holds][path] = number
    return [
        Varied(pattern, ranges[pattern], values, all(_is_whole(data, path) for path in values))
        for pattern, values in found.items()
        if values
    ]


def with_values(data: Mapping[str, Any], values: Mapping[str, Any]) -> Scenario:
    """The scenario of the data with the values at some dotted paths replaced.

    Quicker than overrides, and the sources stay as they are. Raises ScenarioError.
    """
    changed = dict(data)
    for path, value in values.items():
        changed = merge(changed, _nested(changed, split_key(path), value))
    try:
        return Scenario.model_validate(changed)
    except ValidationError:
        return scenario_from_data(changed)


def _world(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data without what they say about themselves."""
    return {key: value for key, value in data.items() if key not in ABOUT_ITSELF}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(data: Mapping[str, Any], path: str) -> bool:
    node = schema_node(split_key(path), with_inherited_units(data)) or {}
    return any(each.get("type") == "integer" for each in node.get("anyOf", [node]))


def _wrong_ranges(layers: Sequence[Layer], data: Mapping[str, Any]) -> Iterator[Problem]:
    """What the ranges of files and overrides say that their numbers do not hold."""
    saying: dict[str, Layer] = {}
    for layer in layers:
        said = layer.data.get("ranges")
        if isinstance(said, Mapping) and (layer.text is not None or layer.set_path):
            saying |= dict.fromkeys(said, layer)
    held = {each.pattern: each for each in varied(data)} if saying else {}
    for pattern, layer in saying.items():
        found = held.get(pattern)
        message = _outside(found) if found else _of_no_number(pattern, data)
        if message:
            line = layer.lines.get(("ranges", pattern))
            yield Problem(layer.name, line, dotted(("ranges", pattern)), None, message)


def _outside(found: Varied) -> str:
    low, high = found.range.low, found.range.high
    if found.range.relative:
        right = _("the ends are multiples of the value: low must not be above 1, nor high below 1")
        return "" if low <= 1 <= high else right
    for path, value in found.values.items():
        if not low <= value <= high:
            return _("{key} = {value} must lie in its range, between {low:g} and {high:g}").format(
                key=path, value=shown(value), low=low, high=high
            )
        if found.whole and (low % 1 or high % 1):
            return _("{path} is a whole number, so must be the ends of its range").format(path=path)
    return ""


def _of_no_number(pattern: str, data: Mapping[str, Any]) -> str:
    for path, value in leaf_values(_world(data)):
        if _matches(tuple(pattern.split(".")), split_key(path)) and not _is_number(value):
            return _("{key} = {value} is no number: only numbers can have a range").format(
                key=path, value=shown(value)
            )
    return ""


def _not_varied_where_changed(
    layer: Layer, below: Mapping[str, Any], data: dict[str, Any]
) -> dict[str, Any]:
    """The data, in which what a layer sets upon others is certain unless it gives a range."""
    own, reasons = layer.data.get("ranges"), data.get("not_varied", {})
    if not isinstance(reasons, Mapping) or not isinstance(data.get("ranges", {}), Mapping):
        return data
    patterns = [tuple(pattern.split(".")) for pattern in (own if isinstance(own, Mapping) else ())]
    said_here = layer.data.get("not_varied")
    said_here = said_here if isinstance(said_here, Mapping) else {}
    kept = {
        pattern: reason
        for pattern, reason in reasons.items()
        if pattern in said_here or not any(_matches(each, split_key(pattern)) for each in patterns)
    }
    by = "by --set" if layer.set_path else f"in {Path(layer.name).name}"
    inherited = [
        tuple(pattern.split("."))
        for pattern in data.get("ranges", {})
        if pattern not in (own or ())
    ]
    for keys in _changed(layer, below):
        if any(_matches(each, keys) for each in inherited) and not any(
            _matches(each, keys) for each in patterns
        ):
            kept.setdefault(dotted(keys), f"set {by}")
    return {**data, "not_varied": kept} if kept or reasons else data


# Schema -------------------------------------------------------------------------------------


def scenario_schema() -> dict[str, Any]:
    """JSON Schema of a scenario file: complete, or partial where it says `extends`."""
    complete = Scenario.model_json_schema()
    definitions = complete.pop("$defs")
    definitions["Unit"]["required"] = ["type", "district"]
    definitions["Scenario"] = complete
    _close_tables(definitions)
    complete["properties"] |= {
        "extends": {
            "type": "string",
            "description": "Another scenario file, relative to this one; list only what differs.",
        },
        "remove": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Dotted paths of entries of the extended file that are taken away.",
        },
    }
    partial = {f"Partial{name}": _partial(node) for name, node in definitions.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vaxsim scenario",
        "description": complete.pop("description"),
        "type": "object",
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/PartialScenario"},
        "else": {"$ref": "#/$defs/Scenario"},
        "$defs": definitions | partial,
    }


def _close_tables(node: Any) -> None:
    """Tables with names of one's own allow no names but those of the right form."""
    if isinstance(node, dict):
        if "patternProperties" in node:
            node["additionalProperties"] = False
        node.pop("discriminator", None)
    for below in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        _close_tables(below)


def _partial(node: Any) -> Any:
    """The same schema with nothing required, since the rest comes from the extended file."""
    if isinstance(node, list):
        return [_partial(item) for item in node]
    if not isinstance(node, dict):
        return node
    names = {"oneOf": "anyOf"}
    return {
        names.get(key, key): (
            value.replace("#/$defs/", "#/$defs/Partial") if key == "$ref" else _partial(value)
        )
        for key, value in node.items()
        if not (key == "required" and isinstance(value, list)) and key != "minProperties"
    }
