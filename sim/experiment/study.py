"""A study: a question about a scenario, and its answer, as a folder of results like a run's.

    study/
      study.json                               question, answer, and a digest of every table
      tables/NAME/part-00000.parquet
      pictures/

The question, the scenario, the seed and the version of vaxsim determine the answer; a study that
is there is not made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sim import __version__
from sim.experiment.crews import OnCompiling, OnDays
from sim.experiment.results import (
    STUDY_MANIFEST,
    RunError,
    differences,
    json_text,
    other_format,
    read_json,
    scenario_digest,
)
from sim.experiment.run_writer import environment, locked
from sim.experiment.settings import RunSettings
from sim.experiment.sources import Source, check_folder, put_json, put_table, read_table
from sim.language import _
from sim.scenario import Scenario
from sim.scenario_files import scenario_from_data

if TYPE_CHECKING:
    from sim.experiment.trials import Trials

Finding = tuple[Mapping[str, Any], Mapping[str, pd.DataFrame]]
"""The answer of a study, and its tables."""

FORMAT = 3

_LOCK = ".lock"
_OWN = {STUDY_MANIFEST, STUDY_MANIFEST + ".part", "tables", "pictures", _LOCK}


@dataclass(frozen=True)
class Study:
    """A finished study. Tables are read when asked for, and checked against their digests."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def kind(self) -> str:
        """Which question: the name of the command."""
        return str(self.manifest["kind"])

    @property
    def question(self) -> dict[str, Any]:
        """What was asked."""
        return dict(self.manifest["question"])

    @property
    def answer(self) -> dict[str, Any]:
        """The answer in short; the rest is in the tables."""
        return dict(self.manifest["answer"])

    @property
    def seed(self) -> int:
        """The seed of all replications."""
        return int(self.manifest["seed"])

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario that was asked about."""
        return scenario_from_data(self.manifest["scenario"])

    @property
    def table_names(self) -> list[str]:
        """Names of its tables."""
        return list(self.manifest["tables"])

    def table(self, name: str) -> pd.DataFrame:
        """A table. Raises RunError if it is damaged."""
        return read_table(self.folder, self.manifest["tables"][name])


def open_study(folder: str | Path) -> Study:
    """A study from its folder. Raises RunError where there is none."""
    path = Path(folder) / STUDY_MANIFEST
    if not path.is_file():
        raise RunError(
            _("{folder} is no study: it has no {manifest}").format(
                folder=folder, manifest=STUDY_MANIFEST
            )
        )
    manifest = read_json(path)
    if not isinstance(manifest, dict) or not {"format", "kind", "answer"} <= set(manifest):
        raise RunError(_("{path} is not the manifest of a study").format(path=path))
    if manifest["format"] != FORMAT:
        raise other_format(folder, manifest, FORMAT)
    return Study(Path(folder), manifest)


@dataclass(frozen=True)
class StudyPlan:
    """A study to be made."""

    kind: str
    source: Source
    settings: RunSettings
    """seed, engine, last day; not how many replications: that is for the question to say"""
    question: Mapping[str, Any]
    """what is asked, in JSON's types"""
    out: Path | None = None

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What determines the answer."""
        until = self.settings.until
        return {
            "format": FORMAT,
            "vaxsim": __version__,
            "kind": self.kind,
            "scenario_sha256": scenario_digest(self.source.scenario),
            "seed": self.settings.seed,
            "engine": self.settings.engine,
            "until": until and until.isoformat(),
            "question": dict(self.question),
        }

    @cached_property
    def folder(self) -> Path:
        """Where the results go: by default, where the same question would find them again."""
        if self.out:
            return self.out
        digest = hashlib.sha256(json_text(self.identity).encode()).hexdigest()[:8]
        return Path("runs") / f"{self.kind}-{self.source.name}-{digest}-s{self.settings.seed}"

    def found(self, fresh: bool = False) -> Study | None:
        """The study, if it is there already. Raises RunError if the folder holds anything else."""
        if not check_folder(self.folder, _OWN, STUDY_MANIFEST):
            return None
        there = open_study(self.folder)
        asked = json.loads(json_text(self.identity))
        differing = differences(there.manifest, asked, fresh)
        if differing:
            raise RunError(
                _("{folder} holds another study ({what}): name another folder with --out").format(
                    folder=self.folder, what="; ".join(differing.values())
                )
            )
        return None if fresh else there

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the folder while the answer is sought: nobody else writes there meanwhile.

        If nothing comes of it, nothing is left: neither the folder nor what a process that was
        killed had left in it. Raises RunError if the folder cannot be used.
        """
        created = []
        try:
            for folder in (*reversed(self.folder.parents), self.folder):
                if not folder.is_dir() or (folder / _LOCK).exists():
                    folder.mkdir(exist_ok=True)
                    created.append(folder)
            lock = locked(self.folder)
        except OSError as error:
            raise RunError(
                _("{folder} cannot be written: {reason}. Name another folder with --out").format(
                    folder=self.folder, reason=error.strerror
                )
            ) from None
        try:
            yield
        finally:
            (self.folder / _LOCK).unlink(missing_ok=True)
            lock.close()
            for folder in reversed(created):
                with contextlib.suppress(OSError):  # it holds something: leave it
                    folder.rmdir()

    def make(
        self,
        find: Callable[[Trials], Finding],
        on_days: OnDays = lambda days: None,
        on_compiling: OnCompiling = lambda: None,
    ) -> Study:
        """Find the answer by trials, and write it. Raises RunError if the folder cannot be used."""
        from sim.experiment.trials import Trials

        with self.claimed(), Trials(self.settings, on_days, on_compiling) as trials:
            return self.write(*find(trials))

    def write(self, answer: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> Study:
        """Write the answer (JSON's types; NaN becomes null) and the tables."""
        manifest = {
            **self.identity,
            "title": self.source.scenario.title,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **environment(),
            "scenario": self.source.data,
            "answer": _without_nan(answer),
            "tables": {name: put_table(self.folder, name, table) for name, table in tables.items()},
        }
        put_json(self.folder / STUDY_MANIFEST, manifest)
        return open_study(self.folder)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_nan(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(below) for below in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
