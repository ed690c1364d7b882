"""Crews: workers of this machine that simulate tasks.

Processes and not threads, though the compiled engine lets go of the interpreter: between its days
the campaign is Python, for which threads wait for each other.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import connection
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, Protocol

from sim.experiment.packing import Packed, pack
from sim.experiment.replications import Task, replicate
from sim.experiment.settings import RunSettings
from sim.experiment.worker_start import ctrl_c_kept_from_new_processes, worker_context
from sim.scenario import Scenario

OnDays = Callable[[int], None]
"""Called with the number of days simulated so far, over all tasks."""
OnCompiling = Callable[[], None]
"""Called once if there is code to be compiled first."""

AHEAD = 4
"""Tasks given to each worker at a time: none should wait while results are written."""


class Crew(Protocol):
    """Workers that simulate tasks."""

    ahead: int
    """How many tasks they should have at a time."""

    def submit(self, task: Task) -> Future[Packed]:
        """Give out a task. Raises BrokenExecutor if workers were lost."""

    def renew(self, days: int) -> None:
        """Replace lost workers; `days` is what the tasks done so far have taken."""

    def report(self, days: int) -> None:
        """Tell how far the work is; `days` is what the tasks done so far have taken."""

    def close(self) -> None:
        """End all work within a simulated day."""


class StoppedError(Exception):
    """No more results are wanted."""


class WorkersLostError(Exception):
    """Workers ended again and again; the message names the replications they had in hand."""


class ClusterError(Exception):
    """A cluster that cannot be used, and why."""


def _when_compiling(tell: OnCompiling) -> None:
    from sim.compilation import when_compiling  # loads numba, which not every process needs

    when_compiling(tell)


class ThisThread:
    """No workers: a task is done when it is given."""

    ahead = 1

    def __init__(self, on_days: OnDays, on_compiling: OnCompiling) -> None:
        self._on_days = on_days
        self._days = 0
        _when_compiling(on_compiling)

    def submit(self, task: Task) -> Future[Packed]:
        """Simulate a task."""
        future: Future[Packed] = Future()
        future.set_result(pack(replicate(task, self._on_day), task.tables))
        return future

    def _on_day(self) -> None:
        self._days += 1
        self._on_days(self._days)

    def renew(self, days: int) -> None:
        """Nobody can be lost."""

    def report(self, days: int) -> None:
        """Every day has been told."""

    def close(self) -> None:
        """Nothing goes on."""


# Processes ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shared:
    """What parent and workers share. Messages are small enough to pass whole or not at all.

    Pipes between processes break if somebody is killed in the middle of a long message; therefore
    scenarios and tables pass through files.
    """

    exchange: Path
    """Folder for them."""
    days: Any
    """Count of days simulated."""
    stop: Any
    """1 when no more results are wanted."""
    compiling: Any
    """1 when a worker has had to compile code."""

    def on_day(self) -> None:
        if self.stop.value:
            raise StoppedError
        with self.days.get_lock():
            self.days.get_obj().value += 1

    def on_compiling(self) -> None:
        self.compiling.value = 1


class Processes:
    """Processes, all of them replaced when one is lost."""

    def __init__(self, workers: int, on_days: OnDays, on_compiling: OnCompiling) -> None:
        self.ahead = AHEAD * workers
        self._workers = workers
        self._on_days, self._on_compiling = on_days, on_compiling
        self._told = False
        self._exchange = Path(tempfile.mkdtemp(prefix="vaxsim-"))
        self._scenarios: dict[int, tuple[Path, Scenario]] = {}
        """by identity, those used last at the end"""
        self._written = 0
        try:
            self._start(days=0)
        except BaseException:  # Ctrl-C, too: nobody can close what was never there
            shutil.rmtree(self._exchange, ignore_errors=True)
            raise

    def _start(self, days: int) -> None:
        context = worker_context()
        self._shared = _Shared(
            self._exchange,
            # whoever was killed may have held the lock of the old ones
            context.Value("q", days),
            context.RawValue("b", 0),
            context.RawValue("b", 0),
        )
        self._executor = ProcessPoolExecutor(self._workers, context, _begin, (self._shared,))

    def submit(self, task: Task) -> Future[Packed]:
        """Give out a task."""
        file = self._file_of(task.scenario)
        packed: Future[Packed] = Future()

        def take(done: Future[Path]) -> None:
            if done.cancelled():
                packed.cancel()
                return
            try:
                packed.set_result(_taken(done.result()))
            except BaseException as error:
                packed.set_exception(error)

        with ctrl_c_kept_from_new_processes():
            result = self._executor.submit(
                _work, file, task.settings, task.replication, task.tables
            )
        result.add_done_callback(take)
        return packed

    def _file_of(self, scenario: Scenario) -> Path:
        """Where workers find the scenario; each reads it once."""
        key = id(scenario)
        if key in self._scenarios:
            known = self._scenarios.pop(key)
        else:
            self._written += 1
            known = self._exchange / f"scenario-{self._written}", scenario
            known[0].write_bytes(pickle.dumps(scenario))
            if len(self._scenarios) >= self.ahead:  # the longest unused belongs to no open task
                oldest, _unused = self._scenarios.pop(next(iter(self._scenarios)))
                oldest.unlink()
        self._scenarios[key] = known  # with the scenario, so that no other gets its id
        return known[0]

    def renew(self, days: int) -> None:
        """Replace all processes."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._start(days)

    def report(self, days: int) -> None:
        """Tell the days simulated so far, and whether code had to be compiled."""
        self._on_days(self._shared.days.get_obj().value)
        if self._shared.compiling.value and not self._told:
            self._told = True
            self._on_compiling()

    def close(self) -> None:
        """End all work within a simulated day."""
        self._shared.stop.value = 1
        self._executor.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(self._exchange, ignore_errors=True)


def _taken(file: Path) -> Packed:
    packed = file.read_bytes()
    file.unlink()
    return packed


# In a worker process --------------------------------------------------------------------------

_shared: _Shared


def _begin(shared: _Shared) -> None:
    global _shared
    _shared = shared
    _when_compiling(shared.on_compiling)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    # Leave at once when all is done: taking everything apart takes a third of a second
    Finalize(None, os._exit, (0,), exitpriority=-1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        shutil.rmtree(_shared.exchange, ignore_errors=True)
        os._exit(1)


def _work(scenario: Path, settings: RunSettings, replication: int, names: Sequence[str]) -> Path:
    """Simulate a task; the name of the file with its tables."""
    tables = replicate(Task(_scenario(scenario), settings, replication), _shared.on_day)
    packed = pack(tables, names)
    descriptor, name = tempfile.mkstemp(dir=_shared.exchange)
    with os.fdopen(descriptor, "wb") as file:
        file.write(packed)
    return Path(name)


@lru_cache(maxsize=4)
def _scenario(file: Path) -> Scenario:
    found: Scenario = pickle.loads(file.read_bytes())
    return found
