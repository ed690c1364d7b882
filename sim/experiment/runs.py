"""Carrying out a run: replications simulated, checked, measured and kept in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sim.experiment.crews import OnCompiling, OnDays
from sim.experiment.replications import Task
from sim.experiment.results import Run, RunWriter, finished_run
from sim.experiment.settings import RunSettings
from sim.experiment.work import do_work
from sim.scenario import Scenario


def carry_out(
    scenario: Scenario,
    settings: RunSettings,
    folder: Path,
    raw: Mapping[str, Any] | None = None,
    fresh: bool = False,
    on_days: OnDays = lambda days: None,
    on_compiling: OnCompiling = lambda: None,
) -> tuple[Run, bool]:
    """The run of a scenario in `folder`, and whether it was simulated now.

    A finished run of the same scenario, settings and version is not simulated again unless
    `fresh`. `raw` is the scenario as its files say it (for the manifest); without it the manifest
    holds the resolved scenario. Raises RunError if the folder cannot be used, SettingsError if the
    settings do not fit the scenario.
    """
    settings.check_against(scenario)
    finished = finished_run(folder, scenario, settings, fresh)
    if finished is not None:
        return finished, False
    with RunWriter(folder, scenario, settings, raw) as writer:
        tasks = [Task(scenario, settings, number) for number in range(settings.replications)]
        for _, packed in do_work(tasks, settings.workers_used, on_days, on_compiling):
            writer.add(packed)
        return writer.finish(), True
