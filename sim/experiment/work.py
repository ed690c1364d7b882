"""One queue of work: replications of any number of scenarios, over all cores.

`do_work` takes tasks one after the other, keeps all workers busy across the borders between
scenarios, and yields results in the order of the tasks. What a task gives depends on the task
alone: not on the workers, their number, their order, or whether one was lost on the way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import BrokenExecutor, Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from sim.experiment.crews import (
    Crew,
    OnCompiling,
    OnDays,
    Processes,
    ThisThread,
    WorkersLostError,
)
from sim.experiment.packing import Packed
from sim.experiment.replications import Task
from sim.experiment.settings import available_cores
from sim.language import _

TaskT = TypeVar("TaskT", bound=Task)

LOSSES_ALLOWED = 3
"""How often a task is given out again after the loss of a worker."""
LOSSES_TOGETHER = 2
"""How often together with others: who was at fault cannot be known then."""


def do_work(
    tasks: Iterable[TaskT],
    workers: int | None = None,
    on_days: OnDays = lambda days: None,
    on_compiling: OnCompiling = lambda: None,
    scheduler: str | None = None,
) -> Generator[tuple[TaskT, Packed], None, None]:
    """Yield (task, its tables packed) in the order of `tasks`, which are taken as needed.

    Closing the generator, or an exception in its caller, ends the workers within a simulated day.
    For the rest see `Workforce`.
    """
    with Workforce(workers, on_days, on_compiling, scheduler) as workforce:
        yield from workforce.do(tasks)


class Workforce:
    """Workers that stay from one batch of tasks to the next; a context manager.

    `workers`: how many tasks at a time (default: one a core). `scheduler`: address of a dask
    scheduler whose workers do the work, instead of this machine.
    """

    def __init__(
        self,
        workers: int | None = None,
        on_days: OnDays = lambda days: None,
        on_compiling: OnCompiling = lambda: None,
        scheduler: str | None = None,
    ) -> None:
        self._crew: Crew
        if scheduler is not None:
            from sim.experiment.cluster import Cluster

            self._crew = Cluster(scheduler, on_days)
        elif workers == 1:
            self._crew = ThisThread(on_days, on_compiling)
        else:
            self._crew = Processes(workers or available_cores(), on_days, on_compiling)
        self._days = 0

    def __enter__(self) -> Workforce:
        """The workers are there from the start."""
        return self

    def __exit__(self, *error: object) -> None:
        """End all work within a simulated day."""
        self._crew.close()

    def do(self, tasks: Iterable[TaskT]) -> Generator[tuple[TaskT, Packed], None, None]:
        """Yield (task, its tables packed) in the order of `tasks`, which are taken as needed.

        One batch after the other. Raises WorkersLostError if workers are lost again and again,
        and whatever a task raises.
        """
        waiting, crew = iter(tasks), self._crew
        given: deque[_Given[TaskT]] = deque()
        while True:
            while len(given) < crew.ahead and (task := next(waiting, None)) is not None:
                given.append(_Given(task))
            if not given:
                return
            try:
                head = _give_out(given, crew)
                while not head.done():
                    wait([head], timeout=0.2)
                    crew.report(self._days + _days_done(given))
                result = head.result()
            except BrokenExecutor:
                _note_loss(given)
                crew.renew(self._days + _days_done(given))
                continue
            task = given.popleft().task
            self._days += task.days
            yield task, result


@dataclass
class _Given(Generic[TaskT]):
    """A task taken from the queue, and how often workers were lost while it was given out."""

    task: TaskT
    future: Future[Packed] | None = None
    losses: int = 0

    @property
    def done(self) -> bool:
        future = self.future
        return future is not None and future.done() and future.exception() is None


def _give_out(given: deque[_Given[TaskT]], crew: Crew) -> Future[Packed]:
    """Give out what is not given out; the first alone if workers were lost with it repeatedly."""
    first = given[0]
    for each in [first] if first.losses >= LOSSES_TOGETHER else given:
        if each.future is None:
            each.future = crew.submit(each.task)
    assert first.future is not None
    return first.future


def _note_loss(given: deque[_Given[TaskT]]) -> None:
    """Take back what is unfinished. Raises WorkersLostError if that cannot go on."""
    for each in given:
        if each.future is not None and not each.done:
            each.future = None
            each.losses += 1
    if given[0].losses > LOSSES_ALLOWED:
        raise WorkersLostError(
            _(
                "replication {replication} has ended its worker {losses} times, perhaps "
                "for want of memory: try fewer --workers"
            ).format(replication=given[0].task.replication, losses=given[0].losses)
        )


def _days_done(given: Iterable[_Given[TaskT]]) -> int:
    return sum(each.task.days for each in given if each.done)
