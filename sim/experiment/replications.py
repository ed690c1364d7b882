"""Running replications of a scenario, in this process or in several."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any

import pandas as pd

from sim.engine import get_engine
from sim.experiment.conservation import check_conservation
from sim.experiment.measures import measures_of
from sim.experiment.settings import RunSettings
from sim.scenario import Scenario

Tables = dict[str, pd.DataFrame]
OnDays = Callable[[int], None]
"""Called with the number of days simulated so far, over all replications."""
OnCompiling = Callable[[], None]
"""Called once if there is code to be compiled first."""


def replicate(
    scenario: Scenario,
    settings: RunSettings,
    replication: int,
    on_day: Callable[[], None] = lambda: None,
) -> Tables:
    """All tables of one replication, checked, with its measures as table `replications`."""
    from sim.model.campaign import simulate

    tables = simulate(
        scenario,
        get_engine(settings.engine),
        settings.seed,
        replication,
        until=settings.until,
        progress=lambda day: on_day(),
    )
    check_conservation(tables, scenario, settings.until)
    measures = measures_of(tables, scenario, settings.until)
    return {**tables, "replications": pd.DataFrame([{"replication": replication, **measures}])}


def run_replications(
    scenario: Scenario,
    settings: RunSettings,
    on_days: OnDays = lambda days: None,
    first: int = 0,
    on_compiling: OnCompiling = lambda: None,
) -> Iterator[tuple[int, Tables]]:
    """Yield (replication, tables) in order of replication, from number `first` on.

    The tables do not depend on the number of workers. Only a few replications are held at a time.
    Closing the generator (or an exception in its caller) stops the workers within a simulated day.
    """
    numbers = range(first, settings.replications)
    if settings.workers_used > 1 and len(numbers) > 1:
        yield from _in_processes(scenario, settings, numbers, on_days, on_compiling)
        return
    from sim.compilation import when_compiling

    when_compiling(on_compiling)
    days = 0

    def count() -> None:
        nonlocal days
        days += 1
        on_days(days)

    for number in numbers:
        yield number, replicate(scenario, settings, number, count)


# Processes ------------------------------------------------------------------------------------


class _StoppedError(Exception):
    """The parent wants no more results."""


@dataclass
class _Worker:
    """What a worker process knows; set once when it starts."""

    scenario: Scenario
    settings: RunSettings
    days: Any
    """Shared count of days simulated."""
    stop: Any
    """Shared flag: 1 when no more results are wanted."""
    compiling: Any
    """Shared flag: 1 when a worker has had to compile code."""

    def on_day(self) -> None:
        if self.stop.value:
            raise _StoppedError
        with self.days.get_lock():
            self.days.value += 1

    def on_compiling(self) -> None:
        self.compiling.value = 1


_worker: _Worker


def _start_worker(worker: _Worker) -> None:
    from sim.compilation import when_compiling

    global _worker
    _worker = worker
    when_compiling(worker.on_compiling)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _replicate(number: int) -> Tables:
    return replicate(_worker.scenario, _worker.settings, number, _worker.on_day)


def _in_processes(
    scenario: Scenario,
    settings: RunSettings,
    numbers: range,
    on_days: OnDays,
    on_compiling: OnCompiling,
) -> Iterator[tuple[int, Tables]]:
    context = multiprocessing.get_context("spawn")
    workers = min(settings.workers_used, len(numbers))
    days, stop, compiling = context.Value("q", 0), context.Value("b", 0), context.Value("b", 0)
    shared = _Worker(scenario, settings, days, stop, compiling)
    executor = ProcessPoolExecutor(workers, context, _start_worker, (shared,))
    pending: dict[int, Future[Tables]] = {}
    waiting = iter(numbers)
    told = False
    try:
        for number in numbers:
            while len(pending) < 2 * workers and (new := next(waiting, None)) is not None:
                pending[new] = executor.submit(_replicate, new)
            while not pending[number].done():
                wait([pending[number]], timeout=0.2, return_when=FIRST_COMPLETED)
                on_days(days.value)
                if compiling.value and not told:
                    on_compiling()
                    told = True
            yield number, pending.pop(number).result()
    finally:
        stop.value = 1
        executor.shutdown(wait=True, cancel_futures=True)
