"""A run as a folder: `manifest.json` and the tables as Parquet parts.

    run/
      manifest.json                      what was run, with what, and a digest of every part
      tables/<table>/part-00000.parquet  replications 0 ... 49 of that table
      tables/<table>/part-00001.parquet  replications 50 ... 99

Parts are written to a temporary file beside `tables` and moved into place, so that a part is whole
or absent. They hold nothing but the tables: the same run gives the same bytes. The manifest says
`"complete": true` from the moment when every part is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from sim import __version__
from sim.experiment.coverage import Scope, coverage_curve
from sim.experiment.measures import estimates
from sim.experiment.packing import TABLE_NAMES, Packed, frame_of, unpack
from sim.experiment.settings import RunSettings
from sim.experiment.statistics import Estimate
from sim.scenario import Scenario
from sim.scenario_files import ScenarioError, scenario_from_data

FORMAT = 1
"""Version of the layout described above."""
REPLICATIONS_PER_PART = 50
MANIFEST = "manifest.json"

_LOCK = ".lock"
_LIBRARIES = ("numpy", "numba", "simpy", "scipy", "pandas", "pyarrow")


class RunError(Exception):
    """A run folder that cannot be read or written, and why."""


# What a run is --------------------------------------------------------------------------------


def scenario_data(scenario: Scenario) -> dict[str, Any]:
    """The resolved scenario as JSON values (dates as ISO strings)."""
    return scenario.model_dump(mode="json", by_alias=True)


def scenario_digest(scenario: Scenario) -> str:
    """SHA-256 of the resolved scenario as canonical JSON.

    Keys keep their order, because the order of stations and regimens means something.
    """
    return hashlib.sha256(json_text(scenario_data(scenario)).encode()).hexdigest()


def json_text(data: Any, indent: int | None = None) -> str:
    """JSON of plain data, compact unless indented."""
    separators = (",", ":") if indent is None else None
    return json.dumps(data, ensure_ascii=False, indent=indent, separators=separators)


def identity(scenario: Scenario, settings: RunSettings) -> dict[str, Any]:
    """What determines the tables of a run: equal identities have equal tables."""
    return {
        "format": FORMAT,
        "vaxsim": __version__,
        "scenario_sha256": scenario_digest(scenario),
        "seed": settings.seed,
        "replications": settings.replications,
        "engine": settings.engine,
        "until": settings.until and settings.until.isoformat(),
    }


def default_folder(stem: str, scenario: Scenario, settings: RunSettings) -> Path:
    """Where a run goes if nobody says otherwise: its name tells scenario, seed, replications."""
    name = f"{stem}-{scenario_digest(scenario)[:8]}-s{settings.seed}-r{settings.replications}"
    if settings.until is not None:
        name += f"-until-{settings.until}"
    if settings.engine != RunSettings.engine:
        name += f"-{settings.engine}"
    return Path("runs") / name


# Reading --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A finished run. Tables are read when asked for, and checked against their digests."""

    folder: Path
    manifest: dict[str, Any]

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario that was run."""
        return scenario_from_data(self.manifest["scenario"])

    @cached_property
    def settings(self) -> RunSettings:
        """The settings with which it was run."""
        until = self.manifest["until"]
        return RunSettings(
            seed=self.manifest["seed"],
            replications=self.manifest["replications"],
            engine=self.manifest["engine"],
            until=until and date.fromisoformat(until),
        )

    def parts(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """A table part by part, each with all rows of at most 50 replications."""
        import pyarrow.parquet as pq

        if name not in TABLE_NAMES:
            raise RunError(f"there is no table {name!r}; a run has {', '.join(TABLE_NAMES)}")
        for part in self.manifest["parts"][name]:
            path = self.folder / part["file"]
            try:
                content = path.read_bytes()
            except OSError as error:
                raise RunError(f"{path} cannot be read: {error.strerror}") from None
            if hashlib.sha256(content).hexdigest() != part["sha256"]:
                raise RunError(
                    f"{path} is damaged: its content is not what the manifest says. "
                    "Simulate the run again with --fresh"
                )
            table = pq.read_table(io.BytesIO(content), columns=columns and list(columns))
            yield frame_of(table)

    def table(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """A whole table (see `sim.model.records.TABLES` for its columns, or `replications`)."""
        return pd.concat(self.parts(name, columns), ignore_index=True)

    def coverage(self, scope: Scope, by: Literal["group", "unit"] | None = None) -> pd.DataFrame:
        """`sim.experiment.coverage.coverage_curve` over all replications."""
        first, curves = 0, []
        for daily in self.parts("daily"):
            last = min(first + REPLICATIONS_PER_PART, self.settings.replications)
            curves.append(
                coverage_curve(
                    daily, self.scenario, scope, by, self.settings.until, range(first, last)
                )
            )
            first = last
        return pd.concat(curves, ignore_index=True)

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """Mean and interval of every measure."""
        return estimates(self.table("replications"))


def open_run(folder: str | Path) -> Run:
    """A finished run from its folder. Raises RunError where there is none, or it is damaged."""
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"{folder} is no run: there is no such folder")
    if not (folder / MANIFEST).is_file():
        raise RunError(f"{folder} is no run: it has no {MANIFEST}")
    manifest = _read_manifest(folder)
    if not manifest.get("complete"):
        raise RunError(f"{folder} holds an unfinished run: give its command again to finish it")
    for part in (part for parts in manifest["parts"].values() for part in parts):
        path = folder / part["file"]
        if not path.is_file():
            raise RunError(f"{folder} is damaged: {part['file']} is missing")
        if path.stat().st_size != part["bytes"]:
            raise RunError(
                f"{folder} is damaged: {part['file']} has {path.stat().st_size:,} bytes "
                f"instead of {part['bytes']:,}"
            )
    run = Run(folder, manifest)
    try:
        _ = run.scenario, run.settings
    except (ScenarioError, ValueError) as error:
        raise RunError(f"{folder} is damaged: its scenario cannot be used: {error}") from None
    return run


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{folder / MANIFEST} cannot be read: {error.strerror}") from None
    except ValueError:
        raise RunError(f"{folder / MANIFEST} is damaged: it is not JSON") from None
    if not isinstance(manifest, dict) or "format" not in manifest:
        raise RunError(f"{folder / MANIFEST} is not the manifest of a vaxsim run")
    if manifest["format"] != FORMAT:
        raise RunError(
            f"{folder} was written in format {manifest['format']} by vaxsim "
            f"{manifest.get('vaxsim', '?')}; vaxsim {__version__} reads format {FORMAT}"
        )
    missing = {"complete", "parts", "scenario", "seed", "replications", "engine", "until"}
    if missing - set(manifest):
        raise RunError(
            f"{folder / MANIFEST} is damaged: without {', '.join(sorted(missing - set(manifest)))}"
        )
    return manifest


# Writing --------------------------------------------------------------------------------------


def finished_run(
    folder: Path, scenario: Scenario, settings: RunSettings, fresh: bool = False
) -> Run | None:
    """The run that `folder` already holds, if it is this very one; None if it can be made there.

    Raises RunError if the folder holds anything else. `fresh`: make the same run anew, or one
    that another version of vaxsim has made.
    """
    try:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return None
        if not folder.is_dir():
            raise RunError(f"{folder} is a file: name a folder for the results with --out")
    except OSError as error:
        raise RunError(f"{folder} cannot be used: {error.strerror}") from None
    if not (folder / MANIFEST).is_file():
        raise RunError(f"{folder} holds other files: name a new folder for the results with --out")
    found, wanted = _read_manifest(folder), identity(scenario, settings)
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    if fresh:
        differing = [key for key in differing if key != "vaxsim"]
    if differing:
        what = "; ".join(
            "another scenario"
            if key == "scenario_sha256"
            else f"{key} {found.get(key)} and not {wanted[key]}"
            for key in differing
        )
        hint = " (--fresh replaces it)" if differing == ["vaxsim"] else ""
        raise RunError(f"{folder} holds another run ({what}): name another folder with --out{hint}")
    return None if fresh or not found["complete"] else open_run(folder)


class RunWriter:
    """Writes a run into a folder that `finished_run` has found free.

    A context manager: what was written is removed if the block fails.
    """

    def __init__(
        self,
        folder: Path,
        scenario: Scenario,
        settings: RunSettings,
        raw: Mapping[str, Any] | None = None,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._manifest: dict[str, Any] = {
            **identity(scenario, settings),
            "complete": False,
            "title": scenario.title,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "libraries": {name: version(name) for name in _LIBRARIES},
            "parts": {name: [] for name in TABLE_NAMES},
            "scenario": raw or scenario_data(scenario),
        }
        self._batch: list[dict[str, Any]] = []
        self._created: list[Path] = []
        self._lock: Any = None

    def __enter__(self) -> RunWriter:
        """Make the folder and its manifest, before anything is simulated."""
        try:
            self._claim()
        except RunError:
            self._remove()
            raise
        except OSError as error:
            self._remove()
            raise RunError(
                f"{self._folder} cannot be written: {error.strerror}. "
                "Name another folder with --out"
            ) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        """Remove everything unless the run is complete."""
        if not self._manifest["complete"]:
            self._remove()
        self._release()

    def add(self, packed: Packed) -> None:
        """Take the tables of the next replication."""
        self._batch.append(unpack(packed))
        if len(self._batch) == REPLICATIONS_PER_PART:
            self._write_parts()

    def finish(self) -> Run:
        """Write what is left and declare the run complete."""
        if self._batch:
            self._write_parts()
        self._manifest["complete"] = True
        self._write_manifest()
        return Run(self._folder, self._manifest)

    def _claim(self) -> None:
        for folder in (*reversed(self._folder.parents), self._folder):
            if not folder.is_dir():
                folder.mkdir()
                self._created.append(folder)
        lock = (self._folder / _LOCK).open("w")
        _lock_file(lock, self._folder)
        self._lock = lock
        shutil.rmtree(self._folder / "tables", ignore_errors=True)  # of an unfinished run
        self._write_manifest()

    def _write_parts(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        for name in TABLE_NAMES:
            parts = self._manifest["parts"][name]
            file = f"tables/{name}/part-{len(parts):05d}.parquet"
            buffer = io.BytesIO()
            table = pa.concat_tables([tables[name] for tables in self._batch])
            pq.write_table(table, buffer, compression="zstd")
            content = buffer.getvalue()
            self._replace(file, content)
            digest = hashlib.sha256(content).hexdigest()
            parts.append(
                {"file": file, "rows": table.num_rows, "bytes": len(content), "sha256": digest}
            )
        self._batch.clear()
        self._write_manifest()

    def _write_manifest(self) -> None:
        self._replace(MANIFEST, (json_text(self._manifest, indent=1) + "\n").encode())

    def _replace(self, file: str, content: bytes) -> None:
        path, temporary = self._folder / file, self._folder / ".part"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            os.replace(temporary, path)
        except OSError as error:
            raise RunError(f"{path} cannot be written: {error.strerror}") from None

    def _remove(self) -> None:
        if self._lock is not None:  # else nothing is written, or another process is at work here
            shutil.rmtree(self._folder / "tables", ignore_errors=True)
            for name in (MANIFEST, ".part", _LOCK):
                (self._folder / name).unlink(missing_ok=True)
        for folder in reversed(self._created):
            with contextlib.suppress(OSError):  # somebody has put something there: leave it
                folder.rmdir()

    def _release(self) -> None:
        if self._lock is not None:
            (self._folder / _LOCK).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None


def _lock_file(file: Any, folder: Path) -> None:
    """Refuse a folder into which another process writes (where the system has such locks)."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RunError(f"another process is writing into {folder}") from None
