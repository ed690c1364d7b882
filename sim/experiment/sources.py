"""Where scenarios come from: a file, or a scenario made by a program; and where results go."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from sim.experiment.packing import table_in
from sim.experiment.results import RunError, check_part, json_text
from sim.language import _
from sim.scenario import Scenario
from sim.scenario_files import file_data, load_scenario, raw_scenario, scenario_from_data


@dataclass(frozen=True)
class Source:
    """A scenario that can be had with further values changed."""

    origin: Path | Scenario
    overrides: tuple[str, ...] = ()

    @classmethod
    def of(cls, origin: str | Path | Scenario, overrides: Sequence[str] = ()) -> Source:
        """From the path of a scenario file, or from a scenario."""
        return cls(origin if isinstance(origin, Scenario) else Path(origin), tuple(overrides))

    @property
    def name(self) -> str:
        """A short name: that of the file."""
        return self.origin.stem if isinstance(self.origin, Path) else "scenario"

    @cached_property
    def data(self) -> dict[str, Any]:
        """What the files say, with the overrides. Raises ScenarioError."""
        if isinstance(self.origin, Path):
            return raw_scenario(self.origin, self.overrides)
        return file_data(self.scenario)

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario. Raises ScenarioError."""
        return self.changed(())

    def changed(self, overrides: Sequence[str]) -> Scenario:
        """The scenario with more values changed. Raises ScenarioError."""
        overrides = [*self.overrides, *overrides]
        if isinstance(self.origin, Path):
            return load_scenario(self.origin, overrides)
        return scenario_from_data(file_data(self.origin), overrides) if overrides else self.origin


def put(path: Path, content: bytes) -> None:
    """Write a file that is whole or absent. Raises RunError if it cannot be written."""
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise RunError(
            _("{path} cannot be written: {reason}").format(path=path, reason=error.strerror)
        ) from None


def put_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a manifest, as `put` does."""
    put(path, f"{json_text(data, indent=1)}\n".encode())


def check_new_file(path: Path) -> None:
    """Raise RunError unless a file of that name can be made; nothing is ever overwritten."""
    if path.is_dir():
        raise RunError(_("{path} is a folder: name a file in it").format(path=path))
    if path.exists() or path.is_symlink():
        raise RunError(_("{path} is there already: name another file").format(path=path))
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise RunError(_("{path} cannot be written: {folder} is a file").format(
            path=path, folder=folder
        ))  # fmt: skip
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunError(
            _("{path} cannot be written: nothing may be written to {folder}").format(
                path=path, folder=folder
            )
        )


def parquet(frame: pd.DataFrame) -> bytes:
    """A table as a Parquet file: the same bytes for the same table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    table = pa.Table.from_pandas(frame, preserve_index=False, nthreads=1).replace_schema_metadata(
        None
    )
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def put_table(folder: Path, name: str, frame: pd.DataFrame) -> dict[str, Any]:
    """Write a table; what a manifest says of it. Raises RunError if it cannot be written."""
    content, file = parquet(frame), f"tables/{name}/part-00000.parquet"
    put(folder / file, content)
    digest = hashlib.sha256(content).hexdigest()
    return {"file": file, "rows": len(frame), "bytes": len(content), "sha256": digest}


def read_table(folder: Path, part: Mapping[str, Any]) -> pd.DataFrame:
    """A table that `put_table` has written. Raises RunError if it is damaged."""
    frame: pd.DataFrame = table_in(check_part(folder, part)).to_pandas(use_threads=False)
    return frame


def check_folder(folder: Path, own: set[str], what: str) -> bool:
    """Whether results of this kind are in the folder (`what` is their file); False if it is free.

    Raises RunError if it holds anything but `own` names.
    """
    try:
        names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    except NotADirectoryError:
        raise RunError(
            _("{folder} is a file: name a folder for the results with --out").format(folder=folder)
        ) from None
    except OSError as error:
        raise RunError(
            _("{folder} cannot be used: {reason}").format(folder=folder, reason=error.strerror)
        ) from None
    if names - own:
        raise RunError(
            _("{folder} holds other files: name a new folder for the results with --out").format(
                folder=folder
            )
        )
    return what in names
