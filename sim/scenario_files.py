"""Reading scenario files: TOML, `extends`, `remove`, overrides."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sim.scenario import Scenario, merge


class ScenarioError(Exception):
    """A scenario that cannot be used."""


def load_scenario(path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario file."""
    data = _read(Path(path))
    for override in overrides:
        key, _, text = override.partition("=")
        try:
            value: Any = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            value = text
        for part in reversed(key.split(".")):
            value = {part: value}
        data = merge(data, value)
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(str(error)) from None


def _read(path: Path) -> dict[str, Any]:
    data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    extends = data.pop("extends", None)
    if extends:
        data = merge(_read(path.parent / extends), data)
    return data
