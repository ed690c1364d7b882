"""Carrying out runs: replications simulated, checked, measured and kept in a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.experiment.crews import OnCompiling, OnDays
from sim.experiment.packing import Packed
from sim.experiment.precision import ReplicationsAlgorithm
from sim.experiment.replications import Task
from sim.experiment.results import Run
from sim.experiment.run_writer import RunWriter, finished_run, measures_in
from sim.experiment.settings import RunSettings, available_cores
from sim.experiment.work import do_work
from sim.scenario import Scenario


@dataclass(frozen=True)
class Order:
    """A run to be made: which scenario, how, and the folder for it."""

    scenario: Scenario
    settings: RunSettings
    folder: Path
    raw: Mapping[str, Any] | None = None
    """the scenario as its files say it (for the manifest); None: resolved"""

    @property
    def days(self) -> int:
        """Days to simulate, at most."""
        return self.settings.days(self.scenario) * self.settings.most


def carry_out(
    scenario: Scenario,
    settings: RunSettings,
    folder: Path,
    raw: Mapping[str, Any] | None = None,
    fresh: bool = False,
    on_days: OnDays = lambda days: None,
    on_compiling: OnCompiling = lambda: None,
) -> tuple[Run, bool]:
    """The run of a scenario in `folder`, and whether any of it was simulated now.

    A finished run of the same scenario, settings and version is not simulated again unless
    `fresh`; an unfinished one is finished. `raw` is the scenario as its files say it (for the
    manifest); without it the manifest holds the resolved scenario. Raises RunError if the folder
    cannot be used, SettingsError if the settings do not fit the scenario.
    """
    order = Order(scenario, settings, folder, raw)
    return carry_out_all([order], fresh, on_days, on_compiling)[0]


def carry_out_all(
    orders: Sequence[Order],
    fresh: bool = False,
    on_days: OnDays = lambda days: None,
    on_compiling: OnCompiling = lambda: None,
) -> list[tuple[Run, bool]]:
    """Several runs through one queue, so that no core waits for the end of one of them.

    The workers (and the scheduler) are those of the first order's settings. All orders are checked
    before anything is simulated. `on_days` counts what is there already, too. See `carry_out`.
    """
    for order in orders:
        order.settings.check_against(order.scenario)
    found = [finished_run(o.folder, o.scenario, o.settings, fresh) for o in orders]
    works = [_Work(order, fresh) for order, run in zip(orders, found, strict=True) if run is None]
    there = sum(o.days for o, run in zip(orders, found, strict=True) if run is not None)
    if works:
        _simulate(works, lambda days: on_days(there + days), on_compiling)
    made = ((work.run, work.simulated) for work in works)
    return [(run, False) if run is not None else next(made) for run in found]


class _Work:
    """A run in the making."""

    run: Run
    simulated = False
    """whether any of it was simulated now"""

    def __init__(self, order: Order, fresh: bool) -> None:
        self.order = order
        settings = order.settings
        self._writer = RunWriter(order.folder, order.scenario, settings, order.raw, fresh)
        self._algorithm = settings.precision and ReplicationsAlgorithm(settings.precision)
        self.complete = False

    def __enter__(self) -> _Work:
        self._writer.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._writer.__exit__(*error)

    def go_on(self) -> None:
        """Look at what is there already."""
        if self._algorithm:
            for measures in self._writer.measures():
                self._algorithm.add(measures)
        self._finish_if_done()

    @property
    def days_there(self) -> int:
        """Days that need not be simulated any more."""
        return self._writer.there * self.order.settings.days(self.order.scenario)

    def tasks(self) -> Iterator[_WorkTask]:
        """What is missing, until it is enough."""
        order = self.order
        for number in range(self._writer.there, order.settings.most):
            if self.complete:
                return
            yield _WorkTask(order.scenario, order.settings, number, self)

    def take(self, replication: int, packed: Packed) -> None:
        """Keep a replication, unless enough are there."""
        if self.complete:
            return
        self.simulated = True
        self._writer.add(replication, packed)
        if self._algorithm:
            self._algorithm.add(measures_in(packed))
        self._finish_if_done()

    def _finish_if_done(self) -> None:
        there, algorithm = self._writer.there, self._algorithm
        if algorithm.done if algorithm else there == self.order.settings.replications:
            reached = {"precision_reached_with": algorithm.reached_with} if algorithm else {}
            self.run = self._writer.finish(**reached)
            self.complete = True
            self._writer.__exit__(None, None, None)


@dataclass(frozen=True)
class _WorkTask(Task):
    """A task that knows the run for which it is done."""

    work: _Work


def _simulate(works: Sequence[_Work], on_days: OnDays, on_compiling: OnCompiling) -> None:
    """Make all runs; a folder is held from its first task to its last result."""
    settings = works[0].order.settings
    workers = min(settings.workers or available_cores(), sum(w.order.settings.most for w in works))
    days_there = 0

    def tasks(held: contextlib.ExitStack) -> Iterator[_WorkTask]:
        nonlocal days_there
        for work in works:
            held.push(work)  # first, lest Ctrl-C come in between
            work.__enter__()
            work.go_on()
            days_there += work.days_there
            yield from work.tasks()

    with contextlib.ExitStack() as held:
        results = do_work(
            tasks(held),
            workers,
            lambda days: on_days(days_there + days),
            on_compiling,
            scheduler=settings.scheduler,
        )
        with contextlib.closing(results):
            for task, packed in results:
                task.work.take(task.replication, packed)
