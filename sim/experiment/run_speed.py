"""What whole runs cost: tasks, workers, packed tables, a written folder; here or on a cluster.

A run is made in a fresh process, as the command line does it. Time is counted from the moment when
more replications are done than there are workers (each has then loaded its code) to the finished
folder; what comes before is start-up.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sim
from sim.experiment.runs import carry_out
from sim.experiment.settings import RunSettings
from sim.scenario import Scenario

CLUSTER_SECONDS = 30
"""How long a scheduler or its workers may take to be there."""


class Stopwatch:
    """A function that notes the time spent in each of its calls."""

    def __init__(
        self, function: Callable[..., Any], clock: Callable[[], float] = time.process_time
    ) -> None:
        self._function, self._clock = function, clock
        self.laps: list[float] = []
        """seconds, a call each"""

    @property
    def seconds(self) -> float:
        """All calls together."""
        return sum(self.laps)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function."""
        start = self._clock()
        try:
            return self._function(*arguments, **named)
        finally:
            self.laps.append(self._clock() - start)


def memory_bytes(which: str) -> int | None:
    """Memory of this process: VmRSS (now) or VmHWM (the largest so far); None if not told."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{which}:"):
                return int(line.split()[1]) * 1024
    return None


def environment_with_vaxsim(**further: str) -> dict[str, str]:
    """Environment variables with which another Python finds this very vaxsim."""
    home = str(Path(sim.__file__).parents[1])
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, **further}


@dataclass(frozen=True)
class RunCost:
    """What a run cost. Seconds a replication, of all workers together, without the start-up."""

    start_up_s: float
    """until the first day was simulated (or, on a cluster, the first replications)"""
    seconds: float
    parent_s: float
    """processor time of the process that collects and writes"""
    simulating_s: float
    """of `seconds`, in the simulation itself; NaN unless one worker does it all here"""
    disk_bytes: float
    """a replication, on disk"""
    parent_memory: tuple[tuple[int, int], ...]
    """(replications done, bytes) on the way; empty where the system does not tell"""

    @property
    def per_minute(self) -> float:
        """Replications a minute."""
        return 60 / self.seconds


def cost_of_run(
    scenario: Scenario, replications: int, workers: int, scheduler: str | None = None
) -> RunCost:
    """Make a run in a fresh process, in a temporary folder. Needs more replications than workers.

    `scheduler`: address of a dask scheduler that has so many workers; None: this machine.
    """
    settings = RunSettings(replications=replications, workers=workers, scheduler=scheduler)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as process:
        return process.submit(_run_cost, scenario, settings).result()


@dataclass(frozen=True)
class _Moment:
    replications: float
    """done, the begun ones in part"""
    time_s: float
    parent_s: float
    memory: int | None


def _run_cost(scenario: Scenario, settings: RunSettings) -> RunCost:
    from sim.model import campaign

    simulate = Stopwatch(campaign.simulate, time.perf_counter)
    setattr(campaign, "simulate", simulate)  # noqa: B010
    days, workers = settings.days(scenario), settings.workers_used
    moments: list[_Moment] = []

    def note(days_done: int) -> None:
        moments.append(
            _Moment(
                days_done / days, time.perf_counter(), time.process_time(), memory_bytes("VmRSS")
            )
        )

    with tempfile.TemporaryDirectory() as folder:
        note(0)
        carry_out(scenario, settings, Path(folder) / "run", on_days=note)
        note(settings.replications * days)
        files = (path for path in Path(folder).rglob("*") if path.is_file())
        disk = sum(path.stat().st_size for path in files)
    first = next(moment for moment in moments if moment.replications > workers)
    last = moments[-1]
    n = last.replications - first.replications
    return RunCost(
        start_up_s=next(m for m in moments if m.replications > 0).time_s - moments[0].time_s,
        seconds=(last.time_s - first.time_s) / n,
        parent_s=(last.parent_s - first.parent_s) / n,
        simulating_s=statistics.mean(simulate.laps[1:] or [math.nan]),
        disk_bytes=disk / settings.replications,
        parent_memory=_by_replication(moments),
    )


def _by_replication(moments: Sequence[_Moment]) -> tuple[tuple[int, int], ...]:
    found = {int(m.replications): m.memory for m in moments if m.memory is not None}
    return tuple(found.items())


# A cluster on this machine --------------------------------------------------------------------


def cluster_installed() -> bool:
    """Whether the extra `cluster` is there."""
    return importlib.util.find_spec("distributed") is not None


@contextlib.contextmanager
def dask_cluster(workers: int) -> Iterator[str]:
    """The address of a dask scheduler with so many workers, all processes, on loopback.

    Raises RuntimeError if they do not start.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as processes:
        file = Path(folder) / "scheduler.json"

        def start(*arguments: str) -> None:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1",
                    "--scheduler-file", str(file), "--no-dashboard",
                ],
                cwd=folder,
                env=environment_with_vaxsim(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            processes.callback(process.wait)
            processes.callback(process.kill)

        start("scheduler", "--port", "0")
        address = _address_in(file)
        for _ in range(workers):
            start("worker", "--nthreads", "1", "--no-nanny")
        _wait_for_workers(address, workers)
        yield address


def _address_in(file: Path) -> str:
    deadline = time.monotonic() + CLUSTER_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(file.read_text())["address"])
        time.sleep(0.1)
    raise RuntimeError("the dask scheduler has not started")


def _wait_for_workers(address: str, workers: int) -> None:
    from distributed import Client

    with Client(address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
        try:
            client.wait_for_workers(workers, timeout=CLUSTER_SECONDS)
        except TimeoutError:
            raise RuntimeError("the dask workers have not started") from None
