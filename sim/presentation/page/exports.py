"""What a reader can take away: scenario file, tables, pictures, report."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sim.experiment.design import toml
from sim.experiment.packing import TABLE_NAMES
from sim.experiment.results import Run
from sim.scenario import Scenario, dotted
from sim.scenario_errors import split_key
from sim.scenario_files import ABOUT_ITSELF, ScenarioError, Upload, file_data, load_scenario

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell of text that begins so is a formula to a spreadsheet."""
_WHEN = (2021, 5, 21, 0, 0, 0)
"""Of all files in archives, so that the same content has the same bytes."""


def scenario_file(scenario: Scenario, first_line: str) -> str:
    """The scenario as one TOML file that needs no other; re-run, it gives the same numbers.

    Sources of values that the scenario no longer has are left out.
    """
    data = file_data(scenario)
    lines = [f"# {_printable(line)}" for line in first_line.splitlines()]
    text = "\n".join([*lines, *_table(data, ())]) + "\n"
    try:
        load_scenario(Upload("", text.encode()))
    except ScenarioError as error:
        idle = [split_key(problem.key) for problem in error.problems]
        for part, pattern in (keys for keys in idle if keys[0] in ABOUT_ITSELF):
            del data[part][pattern]
        text = "\n".join([*lines, *_table(data, ())]) + "\n"
    return text


def _printable(text: str) -> str:
    """A line as a comment may have it: no control characters."""
    return "".join(c if c.isprintable() else " " for c in text)


def _table(data: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """The lines of a table: its values first, then the tables in it."""
    below = {k: v for k, v in data.items() if _is_table(v)}
    values = {k: v for k, v in data.items() if k not in below and v is not None}
    if path and (values or not below):
        yield ""
        yield f"[{dotted(path)}]"
    for key, value in values.items():
        yield f"{dotted((key,))} = {toml(_as_written(value))}"
    for key, value in below.items():
        yield from _table(value, (*path, key))


def _is_table(value: Any) -> bool:
    """Whether it has a heading of its own; distributions and ranges stand in one line."""
    return isinstance(value, Mapping) and not {"distribution", "low"} & value.keys()


def _as_written(value: Any) -> Any:
    """Without what is left out, and constants as the numbers that they are."""
    if isinstance(value, Mapping):
        if value.get("distribution") == "constant" and not value.get("shift"):
            return value["value"]
        said = {k: v for k, v in value.items() if v is not None and (k, v) != ("shift", 0)}
        return {k: _as_written(v) for k, v in said.items()}
    if isinstance(value, list):
        return [_as_written(item) for item in value]
    return value


def tables(run: Run) -> bytes:
    """All tables of a run as CSV and as Parquet, in one ZIP archive."""
    files = {}
    for name in TABLE_NAMES:
        frame = run.table(name)
        files[f"csv/{name}.csv"] = csv(frame)
        content = io.BytesIO()
        frame.to_parquet(content, index=False, compression="zstd")
        files[f"parquet/{name}.parquet"] = content.getvalue()
    return archive(files)


def csv(frame: pd.DataFrame) -> bytes:
    """A table as CSV in UTF-8; text that a spreadsheet would take for a formula is quoted."""
    plain = frame.rename(columns=lambda name: _quoted(str(name)))
    for name in plain.columns:
        if not pd.api.types.is_numeric_dtype(plain[name]) and not (
            pd.api.types.is_datetime64_any_dtype(plain[name])
        ):
            plain[name] = plain[name].map(_quoted, na_action="ignore")
    return plain.to_csv(index=False, lineterminator="\n").encode()


def _quoted(text: Any) -> Any:
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text


def pictures(run: Run) -> bytes:
    """All pictures of a run as PNG and SVG, in one ZIP archive."""
    from sim.presentation import plots

    with tempfile.TemporaryDirectory() as folder:
        paths = plots.save_pictures(run, Path(folder))
        return archive({path.name: path.read_bytes() for path in paths})


def report(run: Run, against: Scenario | None) -> bytes:
    """The report of a run as one HTML file."""
    from sim.presentation.document import html
    from sim.presentation.report import report_of_run

    return html(report_of_run(run, against)).encode()


def archive(files: Mapping[str, bytes]) -> bytes:
    """Files as a ZIP archive, the same bytes each time."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as into:
        for name, file in files.items():
            into.writestr(zipfile.ZipInfo(name, _WHEN), file, zipfile.ZIP_DEFLATED)
    return content.getvalue()
