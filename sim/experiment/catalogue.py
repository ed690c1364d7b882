"""Runs in folders: finished or not, whole or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.experiment.results import (
    MANIFEST,
    RunError,
    check_is_run,
    check_part,
    read_manifest,
    settings_of,
)
from sim.experiment.run_writer import being_written, kept_replications


@dataclass(frozen=True)
class RunState:
    """How a run stands."""

    folder: Path
    manifest: dict[str, Any]
    there: int
    """replications that are there"""
    being_written: bool
    """a process is at work on it now"""

    @property
    def complete(self) -> bool:
        """Whether all replications are there."""
        return bool(self.manifest["complete"])

    @property
    def wanted(self) -> int | None:
        """Replications when it is finished; None: as many as its precision takes."""
        found: int | None = self.manifest["replications"]
        return found

    @property
    def bytes(self) -> int:
        """Size of the tables."""
        parts = self.manifest["parts"].values()
        return sum(part["bytes"] for table in parts for part in table)

    def damage(self) -> Iterator[str]:
        """What is wrong with its files, one message each; reads them all."""
        for parts in self.manifest["parts"].values():
            for part in parts:
                try:
                    check_part(self.folder, part)
                except RunError as error:
                    yield str(error)


def run_state(folder: Path) -> RunState:
    """How the run in a folder stands. Raises RunError where there is none, or it is unreadable."""
    check_is_run(folder)
    manifest = read_manifest(folder)
    settings_of(manifest)
    return RunState(folder, manifest, kept_replications(folder), being_written(folder))


def runs_in(folder: Path) -> Iterator[RunState | RunError]:
    """The runs in a folder, by name; an error for each that cannot be read."""
    if not folder.is_dir():
        raise RunError(f"there is no folder {folder}")
    for path in sorted(folder.iterdir()):
        if (path / MANIFEST).is_file():
            try:
                yield run_state(path)
            except RunError as error:
                yield error
