"""How fast the program is, and how much memory it takes: measured here and now.

Every campaign is simulated in a fresh process (another one compiles first, where that is needed),
after a short campaign that loads the compiled code. Its time is taken from the population's drawing
to the finished tables, as processor time: one thread simulates, and what else the machine does
disturbs that less. "Calls" is the time in `CallCentre.take_calls`, preparation and records too;
"sessions" the time in the engine's `unit_session`; "everything else" a replication without the
engine's two functions.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sim.experiment.crews import AHEAD
from sim.experiment.growth import grown
from sim.experiment.results import REPLICATIONS_PER_PART
from sim.experiment.run_speed import (
    RunCost,
    Stopwatch,
    cluster_installed,
    cost_of_run,
    dask_cluster,
    environment_with_vaxsim,
    memory_bytes,
)
from sim.experiment.settings import DEFAULT_REPLICATIONS, available_cores
from sim.language import _
from sim.scenario import CallCentre, Scenario

if TYPE_CHECKING:
    from sim.engine.contract import Engine

T = TypeVar("T")

QUICK_GROWTH = (1, 3)
FULL_GROWTH = (1, 3, 10, 100)
OVERWHELMED_AGENTS = 20
MOST_ATTEMPTS = 1000
"""The most that a scenario file allows, a day and in all."""
REDIAL_PROBABILITY = 0.97
"""Of those who telephone an overwhelmed call centre."""
MB = 1_000_000


@dataclass(frozen=True)
class Figure:
    """One line of the benchmark. `value` is None if it could not be measured; `note` says why."""

    section: str
    what: str
    value: float | None
    unit: str
    limit: float | None = None
    """at most this much (at least, if `at_least`); None: no target"""
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None: there is none, or nothing was measured."""
        if self.value is None or self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True)
class Benchmark:
    """What is measured, and how thoroughly."""

    scenario: Scenario
    file: Path
    quick: bool = False
    """without the reference engine, large provinces and the first run ever"""
    growth: Sequence[int] = FULL_GROWTH

    @cached_property
    def run_on_all_cores(self) -> RunCost:
        """A run on all cores; of two parts of its tables, unless quick."""
        cores = available_cores()
        n = 5 * cores if self.quick else 2 * REPLICATIONS_PER_PART
        return cost_of_run(self.scenario, n, cores)

    def figures(self, sections: Sequence[str] = ()) -> Iterator[Figure]:
        """The figures of these sections (of `SECTIONS`; default: all), as they are measured."""
        _run_apart(_compile, self.scenario)
        for section, measure in SECTIONS.items():
            if section in sections or (not sections and not (self.quick and section in SLOW)):
                yield from measure(self)


def machine() -> dict[str, Any]:
    """What the figures depend on, and how busy it is."""
    import platform

    import numba
    import numpy as np

    busy = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return {
        "cores": available_cores(),
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "load": busy,
    }


# Campaigns, each in a process of its own ------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What replications in one process cost: medians of processor seconds; counts of the last."""

    seconds: float
    calls_s: float
    """in CallCentre.take_calls"""
    call_engine_s: float
    sessions_s: float
    attempts: int
    patients: int
    station_visits: int
    peak_bytes: int
    """largest memory of the process"""
    each_s: tuple[float, ...]
    """processor seconds of each replication, in order"""


def cost_of(
    scenario: Scenario,
    engine: str = "compiled",
    times: int = 1,
    repetitions: int = 1,
    warm_up: bool = True,
) -> Cost:
    """Simulate replications 1, 2, ... of the scenario grown `times` times, in a fresh process.

    Raises MemoryError if the process is ended by the system.
    """
    return _run_apart(_cost, scenario, engine, times, repetitions, warm_up)


def _run_apart(function: Callable[..., T], *arguments: Any) -> T:
    """Call the function in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as process:
        try:
            return process.submit(function, *arguments).result()
        except BrokenProcessPool:
            raise MemoryError(_("the process was ended, probably for want of memory")) from None


def _compile(scenario: Scenario) -> None:
    """Have all kernels compiled that a replication needs: a process that has compiled is slower."""
    from sim.engine import get_engine
    from sim.model.campaign import simulate

    simulate(scenario, get_engine("compiled"), seed=1, replication=0)


def _cost(
    scenario: Scenario, engine_name: str, times: int, repetitions: int, warm_up: bool
) -> Cost:
    from sim.engine import get_engine
    from sim.experiment.memory import keep_memory
    from sim.model.campaign import simulate

    keep_memory()  # as a worker does
    engine = get_engine(engine_name)
    if warm_up:
        begin = scenario.campaign.vaccination_from
        until = min(begin + timedelta(days=7), scenario.campaign.horizon)
        simulate(scenario, engine, seed=1, replication=0, until=until)
    scenario = grown(scenario, times)
    measured = []
    for replication in range(1, repetitions + 1):
        measured.append(_timed(scenario, engine, replication))
        gc.collect()  # a stopwatch holds the call centre that holds it
    seconds, counts = zip(*measured, strict=True)
    total, calls_s, call_engine_s, sessions_s = map(statistics.median, zip(*seconds, strict=True))
    attempts, patients, station_visits = counts[-1]
    return Cost(
        seconds=total,
        calls_s=calls_s,
        call_engine_s=call_engine_s,
        sessions_s=sessions_s,
        attempts=attempts,
        patients=patients,
        station_visits=station_visits,
        peak_bytes=_peak_bytes(),
        each_s=tuple(each for each, *_rest in seconds),
    )


def _timed(
    scenario: Scenario, engine: Engine, replication: int
) -> tuple[tuple[float, float, float, float], tuple[int, int, int]]:
    """One replication: processor seconds in all, of the calls, of their engine, of the sessions;
    and attempts, patients, visits to stations."""
    from sim.model.campaign import Campaign
    from sim.random_streams import RandomStreams

    day, session = Stopwatch(engine.call_centre_day), Stopwatch(engine.unit_session)
    start = time.process_time()
    campaign = Campaign(
        scenario,
        replace(engine, call_centre_day=day, unit_session=session),
        RandomStreams(1, replication),
    )
    calls = Stopwatch(campaign.call_centre.take_calls)
    setattr(campaign.call_centre, "take_calls", calls)  # noqa: B010
    campaign.run()
    tables = campaign.recorder.tables()
    seconds = time.process_time() - start
    return (
        (seconds, calls.seconds, day.seconds, session.seconds),
        (
            int(tables["callers"]["attempts"].sum()),
            int(tables["sessions"]["patients"].sum()),
            int(tables["stations"]["served"].sum()),
        ),
    )


def _peak_bytes() -> int:
    """Largest memory of this process so far."""
    peak = memory_bytes("VmHWM")
    if peak is not None:  # (rusage would count the parent, of which this process began as a copy)
        return peak
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# What is measured -----------------------------------------------------------------------------


def _replication(plan: Benchmark) -> Iterator[Figure]:
    """One replication, and its parts; the reference beside it."""
    name, people = "replication", plan.scenario.target
    cost = cost_of(plan.scenario, repetitions=5)
    yield Figure(name, _("one replication, one core (median of 5)"), cost.seconds, "s", 0.5)
    calls_us = 1e6 * cost.calls_s / max(cost.attempts, 1)
    yield Figure(
        name,
        _("a call attempt (of {attempts:,}), inputs included").format(attempts=cost.attempts),
        calls_us,
        "µs",
    )
    for what, number, limit in (
        (_("a patient at a station (of {n:,}), statistics included"), cost.station_visits, 0.5),
        (_("a patient (of {n:,}), statistics included"), cost.patients, None),
    ):
        value = 1e6 * cost.sessions_s / max(number, 1)
        yield Figure(name, what.format(n=number), value, "µs", limit)
    rest = cost.seconds - cost.call_engine_s - cost.sessions_s
    what = _("everything else, a person (of {people:,})").format(people=people)
    yield Figure(name, what, 1e6 * rest / people, "µs", 0.5)
    once = cost_of(plan.scenario, warm_up=False)
    yield Figure(name, _("peak memory of one replication"), once.peak_bytes / MB, "MB", 500)
    if not plan.quick:
        reference = cost_of(plan.scenario, "reference")
        yield Figure(name, _("reference engine: one replication"), reference.seconds, "s")
        ratio = reference.seconds / cost.seconds
        yield Figure(name, _("reference over compiled"), ratio, "times", 150, at_least=True)
        what = _("reference engine: peak memory")
        yield Figure(name, what, reference.peak_bytes / MB, "MB")


def overwhelmed(scenario: Scenario) -> Scenario:
    """The scenario with 20 agents, shared as they were, and callers who hardly give up."""
    pools = scenario.call_centre.pools
    agents = max(sum(pool.agents for pool in pools.values()), 1)
    centre: CallCentre = scenario.call_centre.model_copy(
        update={
            "pools": {
                name: pool.model_copy(
                    update={
                        "agents": max(OVERWHELMED_AGENTS * pool.agents // agents, 1),
                        "shifts": [],
                    }
                )
                for name, pool in pools.items()
            },
            "redial_probability": REDIAL_PROBABILITY,
            "another_day_probability": 1.0,
            "attempts_per_day": MOST_ATTEMPTS,
            "attempts_in_all": MOST_ATTEMPTS,
        }
    )
    return scenario.model_copy(update={"call_centre": centre})


def _telephones(plan: Benchmark) -> Iterator[Figure]:
    """A call centre that is called many times for every call it can answer."""
    cost = cost_of(overwhelmed(plan.scenario))
    what = _("a call attempt (of {attempts:,}), inputs included: {agents} agents").format(
        attempts=cost.attempts, agents=OVERWHELMED_AGENTS
    )
    yield Figure("telephones", what, 1e6 * cost.calls_s / max(cost.attempts, 1), "µs", 0.1)


def _growth(plan: Benchmark) -> Iterator[Figure]:
    """The scenario at several sizes: time a person and memory.

    For the first replication of a process the system also has to find its memory, which a worker
    then keeps.
    """
    name = "growth"
    smallest = None
    sizes = [k for k in plan.growth if k <= max(QUICK_GROWTH)] if plan.quick else plan.growth
    for times in sizes:
        people = times * plan.scenario.target
        label = f"{times} x people ({people:,})"
        processes = 3 if times <= max(QUICK_GROWTH) else 1
        try:
            costs = [cost_of(plan.scenario, times=times, repetitions=2) for _ in range(processes)]
        except MemoryError as error:
            yield Figure(
                name, _("{label}: one replication").format(label=label), None, "s", note=str(error)
            )
            continue
        first, next_one = (
            statistics.median(seconds)
            for seconds in zip(*(cost.each_s for cost in costs), strict=True)
        )
        peak = max(cost.peak_bytes for cost in costs)
        a_person = 1e6 * next_one / people
        yield Figure(name, _("{label}: one replication").format(label=label), next_one, "s")
        yield Figure(name, _("{label}: the first of a process").format(label=label), first, "s")
        yield Figure(name, _("{label}: peak memory").format(label=label), peak / MB, "MB")
        if smallest is None:
            smallest = a_person
            yield Figure(name, _("{label}: a person").format(label=label), a_person, "µs")
        else:
            yield Figure(
                name, _("{label}: a person").format(label=label), a_person, "µs", 1.5 * smallest
            )


def _experiments(plan: Benchmark) -> Iterator[Figure]:
    """Runs of many replications, on one core and on all."""
    name, cores = "experiments", available_cores()
    one = cost_of_run(plan.scenario, 4 if plan.quick else 11, 1)
    every = plan.run_on_all_cores
    yield Figure(name, _("replications a minute, one core"), one.per_minute, "")
    yield Figure(
        name,
        _("replications a minute, all {cores} cores").format(cores=cores),
        every.per_minute,
        "",
    )
    if cores > 1:
        efficiency = every.per_minute / (cores * one.per_minute)
        what = _("efficiency on {cores} cores, start-up apart").format(cores=cores)
        yield Figure(name, what, efficiency, "", 0.9, at_least=True)
        what = _("{cores} processes that share nothing: efficiency (processor time)").format(
            cores=cores
        )
        yield Figure(name, what, _efficiency_apart(plan, cores), "")
    what = _("1,000 replications (extrapolated from that rate)")
    yield Figure(name, what, 1000 / every.per_minute, "min", 10)
    yield Figure(
        name,
        _("start-up, until {cores} workers simulate").format(cores=cores),
        every.start_up_s,
        "s",
    )
    what = _("checked, measured, packed, written: a replication")
    yield Figure(name, what, 1000 * (one.seconds - one.simulating_s), "ms")
    what = _("collecting process: processor time a replication")
    yield Figure(name, what, 1000 * every.parent_s, "ms")
    yield Figure(name, _("on disk, a replication"), every.disk_bytes / 1000, "kB")
    yield from _parent_memory(name, every)


def _efficiency_apart(plan: Benchmark, processes: int) -> float:
    """What the machine itself gives: how much longer simulations take side by side."""
    n = 3 if plan.quick else 9
    alone = cost_of(plan.scenario, repetitions=n)
    with ThreadPoolExecutor(processes) as threads:
        made = [threads.submit(cost_of, plan.scenario, repetitions=n) for _ in range(processes)]
        return alone.seconds / statistics.mean(each.result().seconds for each in made)


def _parent_memory(name: str, run: RunCost) -> Iterator[Figure]:
    """The collecting process once the first part is surely written, and at the end."""
    what = _("collecting process: memory after {:,} replications")
    memory = dict(run.parent_memory)
    if not memory:
        yield Figure(name, what.format(0), None, "MB", note=_("the system does not tell"))
        return
    written = REPLICATIONS_PER_PART + AHEAD * available_cores()
    early = next((n for n in sorted(memory) if n > written), None)
    if early is not None:
        yield Figure(name, what.format(early), memory[early] / MB, "MB")
    last = max(memory)
    limit = None if early is None else 1.1 * memory[early] / MB
    yield Figure(name, what.format(last), memory[last] / MB, "MB", limit)


def _cluster(plan: Benchmark) -> Iterator[Figure]:
    """The same on a dask scheduler with a worker a core, on this machine."""
    name, cores = "cluster", available_cores()
    what = _("replications a minute, {cores} dask workers on this machine").format(cores=cores)
    if not cluster_installed():
        yield Figure(name, what, None, "", note=_("needs the extra cluster"))
        return
    with dask_cluster(cores) as address:
        n = 5 * cores if plan.quick else REPLICATIONS_PER_PART
        cost = cost_of_run(plan.scenario, n, cores, address)
    yield Figure(name, what, cost.per_minute, "")
    share = cost.per_minute / plan.run_on_all_cores.per_minute
    yield Figure(name, _("dask's rate over that of this machine alone"), share, "")


def _commands(plan: Benchmark) -> Iterator[Figure]:
    """Whole commands, from the shell and back."""
    name = "commands"
    _command("--help")
    showing = statistics.median(_command("--help") for _ in range(5))
    yield Figure(name, _("vaxsim --help (median of 5)"), showing, "s", 0.4)
    with tempfile.TemporaryDirectory() as folder:
        run = ("run", str(plan.file.resolve()), "--out")
        _command(*run, f"{folder}/before", "--replications", "1")
        running = statistics.median(_command(*run, f"{folder}/{i}") for i in range(3))
    what = _("vaxsim run {file}: {replications} replications (median of 3)").format(
        file=plan.file.name, replications=DEFAULT_REPLICATIONS
    )
    yield Figure(name, what, running, "s", 4)


def _first_run(plan: Benchmark) -> Iterator[Figure]:
    """The first run ever, which compiles."""
    with tempfile.TemporaryDirectory() as folder:
        run = ("run", str(plan.file.resolve()), "--out", folder + "/run", "--replications", "1")
        seconds = _command(*run, NUMBA_CACHE_DIR=folder)
    what = _("vaxsim run {file} --replications 1, nothing compiled yet").format(file=plan.file.name)
    yield Figure("first_run", what, seconds, "s", 60)


def _command(*arguments: str, **environment: str) -> float:
    """Seconds that `vaxsim ARGUMENTS` takes. Raises RuntimeError if it fails."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "sim", *arguments],
        env=environment_with_vaxsim(**environment),
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"vaxsim {' '.join(arguments)} failed: {done.stderr.strip()}")
    return seconds


SECTIONS: dict[str, Callable[[Benchmark], Iterator[Figure]]] = {
    "replication": _replication,
    "telephones": _telephones,
    "growth": _growth,
    "experiments": _experiments,
    "cluster": _cluster,
    "commands": _commands,
    "first_run": _first_run,
}
"""What can be measured, by name."""

SLOW = ("first_run",)
"""Sections that a quick benchmark leaves out."""
