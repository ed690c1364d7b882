"""The answer to one scenario from one replication, made in the page's own process."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import pandas as pd

from sim.experiment import feasibility
from sim.experiment.answer import Answer, answer
from sim.experiment.binding import Binding, binding
from sim.experiment.coverage import SCOPES, Scope
from sim.experiment.replications import Task, replicate
from sim.experiment.results import Run, scenario_digest
from sim.experiment.run_in_memory import RunInMemory
from sim.experiment.settings import RunSettings, available_cores
from sim.scenario import Scenario

KEPT = 12
"""Answers that are remembered, for all readers together (about 3 MB each for the plan)."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Kept(Generic[_Key, _Value]):
    """The values used last, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[_Key, _Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key) -> _Value | None:
        """The value, if it is still there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: _Key, value: _Value) -> _Value:
        """Remember a value; forget the one that was not used for longest."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value

    def __len__(self) -> int:
        """How many are there."""
        return len(self._values)


@dataclass(frozen=True)
class Answered:
    """A run with what follows from it, computed when asked for."""

    run: Run

    @cached_property
    def answer(self) -> Answer:
        """Is everyone vaccinated, and if not, why not."""
        return answer(self.run)

    @cached_property
    def ceilings(self) -> dict[Scope, pd.Series]:
        """The most people that could be vaccinated by each day, whatever the telephones."""
        return whatever_the_telephones("ceilings", self.run.scenario, _ceilings)

    @cached_property
    def binding(self) -> Binding:
        """What binds first doses."""
        return binding(self.run, "first")


# What follows without simulating ----------------------------------------------------------------

_of_supply: Kept[tuple[str, str], Any] = Kept(4 * KEPT)


def whatever_the_telephones(
    name: str, scenario: Scenario, find: Callable[[Scenario], _Value]
) -> _Value:
    """What is found in a scenario without its call centre, remembered for a while by its name.

    `find` gets the scenario without it, so that what it finds holds for any number of agents.
    """
    apart = {"call_centre", "title", "description", "sources", "ranges", "not_varied"}
    key = name, scenario.model_dump_json(exclude=apart)
    found: _Value | None = _of_supply.get(key)
    if found is None:
        found = _of_supply.put(key, find(scenario.model_copy(update={"call_centre": None})))
    return found


def _ceilings(scenario: Scenario) -> dict[Scope, pd.Series]:
    return {scope: feasibility.curve(scenario, scope) for scope in SCOPES}


# The simulation ---------------------------------------------------------------------------------


_kept: Kept[tuple[str, int], Answered] = Kept(KEPT)
_turns = threading.BoundedSemaphore(available_cores())
"""As many simulations at a time: more would make each longer, and take more memory."""


def answered(
    name: str, scenario: Scenario, seed: int, on_day: Callable[[], None] = lambda: None
) -> Answered:
    """The answer from replication 0, as `vaxsim run --replications 1` finds it.

    `on_day` is called often; what it raises ends the simulation. What was asked before is
    remembered for a while.
    """
    key = scenario_digest(scenario), seed
    found = _kept.get(key)
    if found is None:
        settings = RunSettings(seed=seed, replications=1)
        while not _turns.acquire(timeout=0.1):
            on_day()
        try:
            tables = replicate(Task(scenario, settings, 0), on_day)
        finally:
            _turns.release()
        found = _kept.put(key, Answered(RunInMemory(name, scenario, settings, [tables])))
    return found


# Memory -----------------------------------------------------------------------------------------


def give_back_memory() -> None:
    """Return to the system what simulations have left free in small pieces (some milliseconds).

    Without that a server holds some 50 MB more, and grows by about 1 MB with each of the first
    hundreds of simulations of the plan. Nothing where the C library cannot do it.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
