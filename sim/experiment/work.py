"""One queue of work: replications of any number of scenarios, over all cores.

`do_work` takes tasks one after the other, keeps all workers busy across the borders between
scenarios, and yields results in the order of the tasks. What a task gives depends on the task
alone: not on the workers, their number, their order, or whether one was lost on the way.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from sim.experiment.crews import (
    Crew,
    OnCompiling,
    OnDays,
    Processes,
    ThisThread,
    Threads,
    WorkersLostError,
)
from sim.experiment.packing import Packed
from sim.experiment.replications import Task
from sim.experiment.settings import available_cores

TaskT = TypeVar("TaskT", bound=Task)

LOSSES_ALLOWED = 3
"""How often a task is given out again after the loss of a worker."""

FEW = 6
"""Tasks a worker up to which threads, which start at once, are done before processes."""


def do_work(
    tasks: Iterable[TaskT],
    workers: int | None = None,
    on_days: OnDays = lambda days: None,
    on_compiling: OnCompiling = lambda: None,
    expected: int | None = None,
    scheduler: str | None = None,
) -> Generator[tuple[TaskT, Packed], None, None]:
    """Yield (task, its tables packed) in the order of `tasks`, which are taken as needed.

    `workers`: how many tasks at a time (default: one a core). `expected`: about how many tasks
    there are, where `tasks` does not know its length. `scheduler`: address of a dask scheduler
    whose workers do the work, instead of this machine. Closing the generator, or an
    exception in its caller, ends the workers within a simulated day. Raises WorkersLostError if
    workers are lost again and again, and whatever a task raises.
    """
    if expected is None and isinstance(tasks, Sequence):
        expected = len(tasks)
    crew: Crew
    if scheduler is not None:
        from sim.experiment.cluster import Cluster

        crew = Cluster(scheduler, on_days)
    elif workers == 1:
        crew = ThisThread(on_days, on_compiling)
    elif expected is not None and expected <= FEW * (workers or available_cores()):
        crew = Threads(workers or available_cores(), on_days, on_compiling)
    else:
        crew = Processes(workers or available_cores(), on_days, on_compiling)
    with contextlib.closing(crew):
        yield from _share_out(tasks, crew)


@dataclass
class _Given(Generic[TaskT]):
    """A task given out, and how often workers were lost meanwhile."""

    task: TaskT
    future: Future[Packed]
    losses: int = 0

    @property
    def done(self) -> bool:
        return self.future.done() and self.future.exception() is None


def _share_out(tasks: Iterable[TaskT], crew: Crew) -> Generator[tuple[TaskT, Packed], None, None]:
    waiting = iter(tasks)
    given: deque[_Given[TaskT]] = deque()
    days = 0
    while True:
        try:
            while len(given) < crew.ahead and (task := next(waiting, None)) is not None:
                given.append(_Given(task, Future()))
                given[-1].future = crew.submit(task)
            if not given:
                return
            while not given[0].future.done():
                wait([given[0].future], timeout=0.2)
                crew.report(days + _days_done(given))
            result = given[0].future.result()
        except BrokenExecutor:
            _give_out_again(given, crew, days)
            continue
        task = given.popleft().task
        days += task.days
        yield task, result


def _days_done(given: Iterable[_Given[TaskT]]) -> int:
    return sum(each.task.days for each in given if each.done)


def _give_out_again(given: deque[_Given[TaskT]], crew: Crew, days: int) -> None:
    """Replace lost workers and give them what is unfinished; who lost them cannot be known."""
    unfinished = [each for each in given if not each.done]
    for each in unfinished:
        each.losses += 1
    suspects = [each.task.replication for each in unfinished if each.losses > LOSSES_ALLOWED]
    if suspects:
        raise WorkersLostError(
            f"workers have ended {LOSSES_ALLOWED + 1} times, perhaps for want of memory: try fewer "
            f"--workers. They were at work on replications {', '.join(map(str, suspects))}"
        )
    crew.renew(days + _days_done(given))
    for each in unfinished:
        each.future = crew.submit(each.task)
