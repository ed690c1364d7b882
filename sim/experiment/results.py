"""A run as a folder: `manifest.json` and the tables as Parquet parts.

    run/
      manifest.json                      what was run, with what, and a digest of every part
      tables/<table>/part-00000.parquet  replications 0 ... 49 of that table
      tables/<table>/part-00001.parquet  replications 50 ... 99

Parts hold nothing but the tables: the same run gives the same bytes. The manifest holds the
scenario too, so that a run can be made again without its file; it says `"complete": true` from the
moment when every part is there. Two manifests of the same run, made with the same versions on the
same platform, differ in `created_at` alone. `run_writer.py` writes.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from sim import __version__
from sim.experiment.coverage import Scope, coverage_curve
from sim.experiment.feasibility import Ceiling, ceiling_of
from sim.experiment.measures import estimates
from sim.experiment.packing import TABLE_NAMES, frame_of, table_in
from sim.experiment.settings import DEFAULT_REPLICATIONS, Precision, RunSettings
from sim.experiment.statistics import Estimate
from sim.language import _
from sim.scenario import Scenario
from sim.scenario_files import ScenarioError, scenario_from_data

FORMAT = 5
"""Version of the layout described above."""
REPLICATIONS_PER_PART = 50
MANIFEST = "manifest.json"


class RunError(Exception):
    """A run folder that cannot be read or written, and why."""


# What a run is --------------------------------------------------------------------------------


def scenario_data(scenario: Scenario) -> dict[str, Any]:
    """The resolved scenario as JSON values (dates as ISO strings)."""
    return scenario.model_dump(mode="json", by_alias=True)


def scenario_digest(scenario: Scenario) -> str:
    """SHA-256 of the resolved scenario as canonical JSON, without its ranges.

    Keys keep their order, because the order of stations and regimens means something. Ranges say
    how sure a number is, which is nothing to a simulation.
    """
    data = scenario_data(scenario)
    simulated = {key: value for key, value in data.items() if key not in ("ranges", "not_varied")}
    return hashlib.sha256(json_text(simulated).encode()).hexdigest()


def command(*words: object) -> str:
    """A command of vaxsim, as a shell wants it."""
    return shlex.join(["vaxsim", *map(str, words)])


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
        **precision_identity(settings),
        "engine": settings.engine,
        "until": settings.until and settings.until.isoformat(),
    }


def differences(
    found: Mapping[str, Any], wanted: Mapping[str, Any], fresh: bool = False
) -> dict[str, str]:
    """In words, by key, what tells results that are there from those that are wanted.

    `fresh`: they are to be made anew, so that another version of vaxsim is no difference.
    """
    words = {
        "scenario_sha256": _("another scenario"),
        "precision": _("another --precision or --max-replications"),
        "design": _("other points"),
        "question": _("another question"),
    }
    return {
        key: words.get(key)
        or _("{key} {found} and not {asked}").format(key=key, found=found.get(key), asked=value)
        for key, value in wanted.items()
        if found.get(key) != value and not (fresh and key == "vaxsim")
    }


def precision_identity(settings: RunSettings) -> dict[str, Any]:
    """How many replications: a number, or what is to be reached."""
    precision = settings.precision
    if precision is None:
        return {"replications": settings.replications, "precision": None}
    measures = dict(precision.measures)
    return {
        "replications": None,
        "precision": {"measures": measures, "at_most": precision.at_most},
    }


def precision_of(said: Mapping[str, Any] | None) -> Precision | None:
    """The precision that a manifest tells."""
    if said is None:
        return None
    return Precision(tuple(sorted(said["measures"].items())), said["at_most"])


def default_folder(stem: str, scenario: Scenario, settings: RunSettings) -> Path:
    """Where a run goes if nobody says otherwise: its name tells scenario, seed, replications."""
    name = f"{stem}-{scenario_digest(scenario)[:8]}-s{settings.seed}"
    if settings.precision is None:
        name += f"-r{settings.replications}"
    else:
        wanted = json_text(identity(scenario, settings)["precision"])
        name += f"-p{hashlib.sha256(wanted.encode()).hexdigest()[:6]}"
    if settings.until is not None:
        name += f"-until-{settings.until}"
    if settings.engine != RunSettings.engine:
        name += f"-{settings.engine}"
    return Path("runs") / name


_NEEDED = (
    "complete", "parts", "scenario", "scenario_sha256", "title", "vaxsim",
    "seed", "replications", "precision", "engine", "until",
)  # fmt: skip


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
        return settings_of(self.manifest)

    def parts(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """A table part by part, each with all rows of at most 50 replications."""
        check_table(name)
        for part in self.manifest["parts"][name]:
            content = check_part(self.folder, part)
            yield frame_of(table_in(content, list(columns) if columns else None))

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
    def ceiling(self) -> Ceiling:
        """The most that any staffing of the telephones could reach."""
        return ceiling_of(self.scenario)

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        """Mean and interval of every measure."""
        return estimates(self.table("replications"))


def check_table(name: str) -> None:
    """Raise RunError for a table that no run has."""
    if name not in TABLE_NAMES:
        raise RunError(
            _("there is no table {name!r}; a run has {tables}").format(
                name=name, tables=", ".join(TABLE_NAMES)
            )
        )


SWEEP_MANIFEST = "sweep.json"
COMPARISON_MANIFEST = "comparison.json"
STUDY_MANIFEST = "study.json"


def check_is_run(folder: Path) -> None:
    """Raise RunError for a folder that holds no run, finished or not."""
    if folder.is_file() and folder.suffix == ".toml":
        raise RunError(
            _("{folder} is a scenario, not a run: run it first, with {command}").format(
                folder=folder, command=command("run", folder)
            )
        )
    if not folder.is_dir():
        raise RunError(_("{folder} is no run: there is no such folder").format(folder=folder))
    if (folder / SWEEP_MANIFEST).is_file():
        raise RunError(
            _("{folder} is no run but a sweep: its runs are in {points}").format(
                folder=folder, points=folder / "points"
            )
        )
    if (folder / COMPARISON_MANIFEST).is_file():
        raise RunError(
            _("{folder} is no run but a comparison: {manifest} names its runs").format(
                folder=folder, manifest=COMPARISON_MANIFEST
            )
        )
    if (folder / STUDY_MANIFEST).is_file():
        raise RunError(
            _("{folder} is no run but a study: {command} shows it").format(
                folder=folder, command=command("show", folder)
            )
        )
    if not (folder / MANIFEST).is_file():
        raise RunError(
            _("{folder} is no run: it has no {manifest}").format(folder=folder, manifest=MANIFEST)
        )


def open_run(folder: str | Path) -> Run:
    """A finished run from its folder. Raises RunError where there is none, or it is damaged."""
    folder = Path(folder)
    check_is_run(folder)
    manifest = read_manifest(folder)
    if not manifest.get("complete"):
        raise RunError(
            _("{folder} holds an unfinished run: {command} finishes it").format(
                folder=folder, command=command("run", folder)
            )
        )
    for part in (part for parts in manifest["parts"].values() for part in parts):
        path = folder / part["file"]
        if not path.is_file():
            raise RunError(
                _("{folder} is damaged: {file} is missing").format(folder=folder, file=part["file"])
            )
        if path.stat().st_size != part["bytes"]:
            raise RunError(
                _("{folder} is damaged: {file} has {bytes:,} bytes instead of {expected:,}").format(
                    folder=folder,
                    file=part["file"],
                    bytes=path.stat().st_size,
                    expected=part["bytes"],
                )
            )
    run = Run(folder, manifest)
    try:
        run.scenario, run.settings  # noqa: B018 (read and checked)
    except (ScenarioError, ValueError) as error:
        raise RunError(
            _("{folder} is damaged: its scenario cannot be used: {error}").format(
                folder=folder, error=error
            )
        ) from None
    edited = scenario_digest(run.scenario) != manifest["scenario_sha256"]
    if edited and manifest["vaxsim"] == __version__:  # another may resolve it otherwise
        raise RunError(
            _("{folder} is damaged: the scenario in {manifest} is not the one that was run").format(
                folder=folder, manifest=MANIFEST
            )
        )
    return run


def settings_of(manifest: Mapping[str, Any]) -> RunSettings:
    """The settings that a manifest tells; of an unfinished run those with which it goes on."""
    until = manifest["until"]
    return RunSettings(
        seed=manifest["seed"],
        replications=manifest["replications"] or DEFAULT_REPLICATIONS,
        engine=manifest["engine"],
        until=until and date.fromisoformat(until),
        precision=precision_of(manifest["precision"]),
    )


def check_part(folder: Path, part: Mapping[str, Any]) -> bytes:
    """The content of a part. Raises RunError if it is not what the manifest says."""
    path = folder / part["file"]
    try:
        content: bytes = path.read_bytes()
    except OSError as error:
        raise RunError(
            _("{path} cannot be read: {reason}").format(path=path, reason=error.strerror)
        ) from None
    if hashlib.sha256(content).hexdigest() != part["sha256"]:
        raise RunError(
            _(
                "{path} is damaged: its content is not what the manifest says. Simulate "
                "the run again with --fresh"
            ).format(path=path)
        )
    return content


def read_json(path: Path) -> Any:
    """What a manifest says. Raises RunError if it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(
            _("{path} cannot be read: {reason}").format(path=path, reason=error.strerror)
        ) from None
    except ValueError:
        raise RunError(_("{path} is damaged: it is not JSON").format(path=path)) from None


def other_format(folder: str | Path, manifest: Mapping[str, Any], reads: int) -> RunError:
    """What to say of results in a format that is not read here."""
    return RunError(
        _(
            "{folder} was written in format {written} by vaxsim {version}; vaxsim "
            "{this_version} reads format {format}"
        ).format(
            folder=folder,
            written=manifest["format"],
            version=manifest.get("vaxsim", "?"),
            this_version=__version__,
            format=reads,
        )
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run. Raises RunError if it cannot be read or is of another format."""
    path = folder / MANIFEST
    manifest = read_json(path)
    if not isinstance(manifest, dict) or "format" not in manifest:
        raise RunError(_("{path} is not the manifest of a vaxsim run").format(path=path))
    if manifest["format"] != FORMAT:
        raise other_format(folder, manifest, FORMAT)
    missing = set(_NEEDED) - set(manifest)
    if missing:
        raise RunError(
            _("{path} is damaged: without {keys}").format(
                path=path, keys=", ".join(sorted(missing))
            )
        )
    untold = [name for name in TABLE_NAMES if not _tells_parts(manifest["parts"], name)]
    if untold:
        raise RunError(
            _(
                "{path} is damaged, or of another vaxsim: it does not tell the parts of {parts}"
            ).format(path=path, parts=", ".join(untold))
        )
    try:
        settings_of(manifest)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RunError(_("{path} is damaged: {error}").format(path=path, error=error)) from None
    return manifest


def _tells_parts(parts: Any, table: str) -> bool:
    found = parts.get(table) if isinstance(parts, dict) else None
    types = {"file": str, "rows": int, "bytes": int, "sha256": str}
    return isinstance(found, list) and all(
        isinstance(part, dict) and all(isinstance(part.get(key), t) for key, t in types.items())
        for part in found
    )
