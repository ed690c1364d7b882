"""Ensembles for a page: many replications in processes of their own, filling in, cancellable."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
import traceback
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim.experiment.comparison import Comparison, comparison
from sim.experiment.coverage import SCOPES, Scope
from sim.experiment.packing import TABLE_NAMES, Packed, pack
from sim.experiment.replications import Task
from sim.experiment.results import Run, scenario_digest
from sim.experiment.run_in_memory import RunInMemory
from sim.experiment.settings import RunSettings, available_cores
from sim.experiment.work import Workforce
from sim.presentation.page.answers import Answered, give_back_memory
from sim.presentation.page.charts import Array
from sim.scenario import Scenario

FEWEST, MOST = 5, 100
"""Replications that a page offers."""
FORGOTTEN_AFTER = 60.0
"""seconds without anybody looking: then an ensemble ends"""

_one_at_a_time = threading.Lock()
_running: weakref.WeakSet[Ensemble] = weakref.WeakSet()


class _CancelledError(Exception):
    """Nobody wants the rest."""


@dataclass(frozen=True)
class _Job(Task):
    """A task that knows whose it is."""

    name: str


class Ensemble:
    """Replications of one scenario, or of two side by side, made in a thread of their own.

    The first replication of each is there already, in `runs` with one seed: so there is something
    to see while workers start. Ensembles of different readers wait for each other: so they need
    memory and cores for one.
    """

    def __init__(self, runs: Mapping[str, Run], replications: int) -> None:
        scenarios = {name: run.scenario for name, run in runs.items()}
        (seed,) = {run.settings.seed for run in runs.values()}
        self.scenarios = scenarios
        self.settings = RunSettings(seed=seed, replications=replications)
        self.key = ensemble_key(scenarios, seed)
        self.error = ""
        self._packed: dict[str, list[Packed]] = {name: [] for name in scenarios}
        self._curves: dict[tuple[str, Scope], list[Array]] = {
            (name, scope): [] for name in scenarios for scope in SCOPES
        }
        for name, run in runs.items():
            self._keep(name, pack({table: run.table(table) for table in TABLE_NAMES}))
        self._looked_at = time.monotonic()
        self._begun = self._cancelled = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        _running.add(self)
        self._thread.start()

    # For who looks ------------------------------------------------------------------------------

    @property
    def there(self) -> int:
        """Replications that are there, of every scenario."""
        return min(len(packed) for packed in self._packed.values())

    @property
    def wanted(self) -> int:
        """Replications asked for."""
        return self.settings.replications

    @property
    def waiting(self) -> bool:
        """Whether another reader's ensemble is made first."""
        return not self._begun and not self._over.is_set()

    @property
    def ended(self) -> bool:
        """Whether no more will come; says at the same time that somebody still looks."""
        self._looked_at = time.monotonic()
        return self._over.is_set()

    def ends_within(self, seconds: float) -> bool:
        """Wait for the last replication that will come, and say whether it has."""
        return self._over.wait(seconds)

    @property
    def cancelled(self) -> bool:
        """Whether no more are wanted."""
        return self._cancelled

    def cancel(self) -> None:
        """No more are wanted; those that are there stay."""
        self._cancelled = True

    def join(self, seconds: float) -> None:
        """Wait for the end."""
        self._thread.join(seconds)

    def curves(self, name: str, scope: Scope) -> Array:
        """Persons vaccinated by day: [replications there, days]."""
        return np.array(self._curves[name, scope][: self.there])

    @cached_property
    def answers(self) -> dict[str, Answered]:
        """By scenario, from all that are there; to be asked for after the end."""
        n = self.there
        settings = RunSettings(seed=self.settings.seed, replications=n)
        return {
            name: Answered(RunInMemory(name, scenario, settings, self._packed[name][:n]))
            for name, scenario in self.scenarios.items()
        }

    @cached_property
    def comparison(self) -> Comparison:
        """Of the two; to be asked for after the end."""
        return comparison({name: found.run for name, found in self.answers.items()})

    # In its thread ------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while not _one_at_a_time.acquire(timeout=0.2):
                self._check()
            try:
                self._begun = True
                self._simulate()
            finally:
                _one_at_a_time.release()
        except _CancelledError:
            pass
        except Exception as error:
            self.error = type(error).__name__  # its text may have names of folders
            traceback.print_exc()
        finally:
            self._over.set()
            give_back_memory()

    def _simulate(self) -> None:
        jobs = [
            _Job(scenario, self.settings, number, name)
            for number in range(1, self.wanted)
            for name, scenario in self.scenarios.items()
        ]
        workers = max(2, available_cores() - 1)
        threading.Thread(target=self._hold_back_while_starting, daemon=True).start()
        with Workforce(workers, on_days=lambda days: self._on_days()) as workforce:
            for job, packed in workforce.do(jobs):
                self._keep(job.name, packed)
                self._check()

    def _keep(self, name: str, packed: Packed) -> None:
        scenario, one = self.scenarios[name], RunSettings(seed=self.settings.seed, replications=1)
        run = RunInMemory(name, scenario, one, [packed])
        daily = run.table("daily").assign(replication=0)
        alone = RunInMemory(name, scenario, one, [{"daily": daily}])
        for scope in SCOPES:
            persons = alone.coverage(scope)["persons"].to_numpy(dtype=np.float64)
            self._curves[name, scope].append(persons)
        self._packed[name].append(packed)

    def _hold_back_while_starting(self) -> None:
        """Workers load for seconds before they tell of a first day."""
        while self.there < 2 and not self._over.wait(0.2):
            _let_readers_go_first()

    def _on_days(self) -> None:
        _let_readers_go_first()
        self._check()

    def _check(self) -> None:
        if self._cancelled or time.monotonic() - self._looked_at > FORGOTTEN_AFTER:
            self._over.set()  # workers take longer to end: nobody need wait for them
            raise _CancelledError


def _let_readers_go_first() -> None:
    """Workers get what the page itself leaves of the cores (where the system knows priorities)."""
    if hasattr(os, "setpriority"):
        for worker in multiprocessing.active_children():
            if worker.pid is not None:
                with contextlib.suppress(OSError):  # it may have ended
                    os.setpriority(os.PRIO_PROCESS, worker.pid, 10)


def ensemble_key(scenarios: Mapping[str, Scenario], seed: int) -> tuple[object, ...]:
    """What an ensemble is of, whatever its size."""
    return (seed, *(scenario_digest(scenario) for scenario in scenarios.values()))


def stop_all() -> None:
    """End all ensembles, as the page ends."""
    ensembles = list(_running)
    for each in ensembles:
        each.cancel()
    for each in ensembles:
        each.join(5.0)
