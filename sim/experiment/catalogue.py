"""Runs, and what was made of many of them, in folders: finished or not, whole or damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.experiment.comparison import read_comparison
from sim.experiment.results import (
    COMPARISON_MANIFEST,
    MANIFEST,
    STUDY_MANIFEST,
    SWEEP_MANIFEST,
    RunError,
    check_is_run,
    check_part,
    read_manifest,
)
from sim.experiment.run_writer import being_written, kept_replications
from sim.experiment.study import open_study
from sim.experiment.sweep import read_sweep
from sim.language import _


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

    @property
    def kind(self) -> str:
        """What it is."""
        return "run"

    @property
    def title(self) -> str:
        """Title of its scenario."""
        return str(self.manifest["title"])

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
    return RunState(folder, manifest, kept_replications(folder), being_written(folder))


@dataclass(frozen=True)
class StudyState:
    """How a sweep, a comparison or another study of many runs stands."""

    folder: Path
    kind: str
    """sweep, comparison, or what question a study answers"""
    title: str
    replications: int | None
    """of each scenario, where that is one number"""
    seed: int
    begun: str
    """time, where it is told"""
    points_there: int = 0
    """points of a sweep that are there"""
    points: int = 0
    """points of a sweep; 0: no sweep"""
    being_written: bool = False

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return self.points_there == self.points


def _sweep_state(folder: Path) -> StudyState:
    manifest = read_sweep(folder)
    points, there = len(manifest["design"]["points"]), 0
    runs = [path for path in folder.glob("points/*") if (path / MANIFEST).is_file()]
    if manifest["complete"]:
        there = points
    else:  # all may be there and the tables not yet
        finished = sum(bool(read_manifest(path)["complete"]) for path in runs)
        there = min(finished, points - 1)
    return StudyState(
        folder, "sweep", manifest["title"], manifest["replications"], manifest["seed"],
        manifest["created_at"], there, points, any(map(being_written, runs)),
    )  # fmt: skip


def _comparison_state(folder: Path) -> StudyState:
    manifest = read_comparison(folder)
    runs = manifest["runs"]
    seed = next(iter(runs.values()))["seed"]
    return StudyState(
        folder, "comparison", ", ".join(runs), manifest["replications"], seed, begun=""
    )


def _study_state(folder: Path) -> StudyState:
    study = open_study(folder)
    begun = study.manifest["created_at"]
    return StudyState(folder, study.kind, study.manifest["title"], None, study.seed, begun)


_KINDS: dict[str, Callable[[Path], RunState | StudyState]] = {
    MANIFEST: run_state,
    SWEEP_MANIFEST: _sweep_state,
    COMPARISON_MANIFEST: _comparison_state,
    STUDY_MANIFEST: _study_state,
}
"""What is in a folder with a manifest of that name."""


def results_in(folder: Path) -> Iterator[RunState | StudyState | RunError]:
    """Runs and studies in a folder, by name; an error for each that cannot be read."""
    if not folder.is_dir():
        raise RunError(_("there is no folder {folder}").format(folder=folder))
    for path in sorted(folder.iterdir()):
        for manifest, state in _KINDS.items():
            try:
                if (path / manifest).is_file():
                    yield state(path)
            except RunError as error:
                yield error
            except (KeyError, TypeError, ValueError, StopIteration):
                yield RunError(_("{path} is damaged").format(path=path / manifest))
            except OSError as error:
                yield RunError(
                    _("{path} cannot be read: {reason}").format(path=path, reason=error.strerror)
                )
                break
