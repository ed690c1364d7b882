"""Validity against theory: scenarios that reduce to queues with a formula, run and judged.

A case is a scenario file, run like any other (scenario, campaign, tables, measures), with some
quantities: how each is taken from the tables, and its exact value. A quantity passes when the exact
value lies inside the 99 % interval of the simulation and the interval is narrower than 2 % of the
value (than 0.002 for probabilities under 0.1), so that passing means something.

*Chance.* Of a hundred right quantities, one misses its 99 % interval. So the rule, for any seed: a
quantity that misses is simulated once more with the next seed, and fails if it misses there too:
a right quantity does with probability 1 in 10,000.

*Both engines.* The compiled engine simulates all replications; the reference engine the first one
of each case, whose tables must be equal to the last bit. Then the verdict holds for both. In the
quick set large cases are shortened to an hour for this comparison.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.packing import Packed, frame_of, unpack
from sim.experiment.replications import Task
from sim.experiment.settings import RunSettings, SettingsError
from sim.experiment.statistics import Estimate, mean_interval
from sim.experiment.work import Workforce
from sim.language import _
from sim.model.ledger import AuditError
from sim.scenario import Scenario
from sim.scenario_files import load_scenario

CONFIDENCE = 0.99
WIDTH = 0.02
"""Widest interval, as a share of the value."""
WIDTH_OF_SMALL_PROBABILITY = 0.002
SMALL_PROBABILITY = 0.1
QUICK = 20
"""The quick set has one in so many replications of each case,"""
LEAST, MOST = 5, 10
"""but so many at least (where a case has them) and at most,"""
QUICK_WIDTH = 8.0
"""and allows intervals so many times as wide."""
LARGE = 30_000
"""Customers in a replication from which on the quick set compares the engines for an hour only."""
REFERENCE_COST = 40
"""Time of the reference engine for a customer, as a multiple of the compiled engine's."""

Tables = Mapping[str, pd.DataFrame]
Observed = float | NDArray[np.float64]
Verdict = Literal["pass", "outside", "too wide"]
Engine = Literal["compiled", "reference"]
Engines = Literal["both", "compiled", "reference"]


@dataclass(frozen=True)
class Quantity:
    """Something that a case measures, with its exact value."""

    name: str
    exact: float
    measure: Callable[[Tables], Observed]
    """from the tables of a replication: one observation of it, or several independent ones"""
    probability: bool = False

    @property
    def widest(self) -> float:
        """Widest interval with which it can pass."""
        if self.probability and self.exact < SMALL_PROBABILITY:
            return WIDTH_OF_SMALL_PROBABILITY
        return WIDTH * abs(self.exact)


@dataclass(frozen=True)
class Case:
    """A scenario that reduces to a queue with a formula."""

    name: str
    queue: str
    """what it reduces to"""
    source: str
    """where the exact values come from"""
    file: str
    """scenario, below the folder of the cases"""
    replications: int
    quantities: tuple[Quantity, ...]
    changes: tuple[str, ...] = ()
    """overrides laid upon the file"""

    def scenario(self, folder: Path) -> Scenario:
        """The case's scenario. Raises ScenarioError."""
        return load_scenario(folder / self.file, self.changes)

    def quick_replications(self) -> int:
        """Replications in the quick set."""
        return min(self.replications, max(LEAST, min(MOST, self.replications // QUICK)))


@dataclass(frozen=True)
class Judgement:
    """A quantity as one seed measures it."""

    seed: int
    estimate: Estimate
    verdict: Verdict


@dataclass(frozen=True)
class JudgedQuantity:
    """A quantity with its verdicts: one seed, or two where the first missed."""

    quantity: Quantity
    judgements: tuple[Judgement, ...]

    @property
    def passed(self) -> bool:
        """Whether the last seed's verdict is pass."""
        return self.judgements[-1].verdict == "pass"


@dataclass(frozen=True)
class JudgedCase:
    """A case with what came of it."""

    case: Case
    replications: int
    engine: str
    """that simulated all replications"""
    quantities: tuple[JudgedQuantity, ...]
    engines_equal: bool | None
    """tables of the first replication, or of an hour of it; None: not compared"""
    hour_only: bool
    """whether the engines were compared for an hour"""
    failure: str = ""
    """what the audit of a replication found, which ended the case: then there are no quantities"""

    @property
    def passed(self) -> bool:
        """Whether all quantities pass and the engines do not differ."""
        right = self.engines_equal is not False and not self.failure
        return right and all(q.passed for q in self.quantities)


@dataclass(frozen=True)
class _Trial(Task):
    """A replication of a case."""

    case: Case


@dataclass
class _Measured:
    """What the replications of a case and seed have given so far."""

    observed: dict[str, list[Observed]] = field(default_factory=dict)
    first: Packed = b""
    """the tables of the first replication"""

    def take(self, case: Case, replication: int, packed: Packed) -> None:
        tables = {name: frame_of(table) for name, table in unpack(packed).items()}
        for quantity in case.quantities:
            self.observed.setdefault(quantity.name, []).append(quantity.measure(tables))
        if replication == 0:
            self.first = packed


def validate(
    cases: Sequence[Case],
    folder: Path,
    settings: RunSettings,
    engines: Engines = "both",
    quick: bool = False,
    replications: int | None = None,
    on_percent: Callable[[int], None] = lambda percent: None,
    on_compiling: Callable[[], None] = lambda: None,
) -> list[JudgedCase]:
    """Simulate and judge cases, whose scenario files are in `folder`.

    Seed, workers and scheduler are those of the settings. `replications` are those of each case
    (of its own accord as many as the intervals need). `on_percent` is told how much of the work is
    done, without that of a second seed. A failed audit fails its case. Raises ScenarioError.
    """
    if replications is not None and replications < 2:
        raise SettingsError(_("an interval needs at least 2 replications of each case"))
    engine: Engine = "reference" if engines == "reference" else "compiled"
    numbers = {
        case.name: replications or (case.quick_replications() if quick else case.replications)
        for case in cases
    }
    scenarios = {case.name: case.scenario(folder) for case in cases}
    tolerance = QUICK_WIDTH if quick else 1.0

    def tasks(wanted: Iterable[Case], seed: int) -> Iterable[_Trial]:
        """Replications of all cases."""
        for case in wanted:
            run = replace(settings, seed=seed, engine=engine, replications=numbers[case.name])
            for number in range(numbers[case.name]):
                yield _Trial(scenarios[case.name], run, number, case)

    short = [case.name for case in cases if quick and customers(scenarios[case.name]) >= LARGE]

    def twins(of: Engine) -> Iterable[_Trial]:
        """The first replication of each case, or an hour of it, on one engine."""
        run = replace(settings, engine=of)
        for case in cases if engines == "both" else ():
            scenario = scenarios[case.name]
            yield _Trial(an_hour(scenario) if case.name in short else scenario, run, 0, case)

    def cost(task: _Trial) -> float:
        reference = task.settings.engine == "reference"
        return customers(task.scenario) * (REFERENCE_COST if reference else 1)

    in_all = sum(
        cost(task) for some in (tasks(cases, settings.seed), twins("reference")) for task in some
    )
    done = 0.0

    def tell(_days: int) -> None:
        on_percent(min(int(100 * done / max(in_all, 1)), 100))

    failures: dict[str, str] = {}
    with Workforce(settings.workers, tell, on_compiling, settings.scheduler) as workforce:

        def simulated(some: Iterable[_Trial]) -> Iterator[tuple[_Trial, Packed]]:
            """As the workers do them; after a failed audit without the tasks of that case."""
            nonlocal done
            left = deque(task for task in some if task.case.name not in failures)
            while left:
                try:
                    for task, packed in workforce.do(tuple(left)):
                        left.popleft()
                        done += cost(task)
                        yield task, packed
                except AuditError as error:  # of the first one left: they come in order
                    failures[left[0].case.name] = str(error)
                    left = deque(task for task in left if task.case.name not in failures)

        def measured(wanted: Sequence[Case], seed: int) -> dict[str, _Measured]:
            found = {case.name: _Measured() for case in wanted}
            for task, packed in simulated(tasks(wanted, seed)):
                found[task.case.name].take(task.case, task.replication, packed)
            return found

        first = measured(cases, settings.seed)
        expected = {name: one.first for name, one in first.items()}
        if short:
            compiled = (task for task in twins("compiled") if task.case.name in short)
            expected |= {task.case.name: packed for task, packed in simulated(compiled)}
        equal = {
            task.case.name: packed == expected[task.case.name]
            for task, packed in simulated(twins("reference"))
        }
        judged = {
            case.name: [
                JudgedQuantity(q, (_judge(q, first[case.name], settings.seed, tolerance),))
                for q in case.quantities
            ]
            for case in cases
            if case.name not in failures
        }
        missed = [
            case
            for case in cases
            if case.name not in failures and any(map(_missed, judged[case.name]))
        ]
        again = measured(missed, settings.seed + 1)
    return [
        JudgedCase(
            case,
            numbers[case.name],
            engine,
            tuple(
                JudgedQuantity(
                    q.quantity,
                    (
                        *q.judgements,
                        _judge(q.quantity, again[case.name], settings.seed + 1, tolerance),
                    ),
                )
                if _missed(q)
                else q
                for q in judged[case.name]
            ),
            equal.get(case.name),
            case.name in short,
        )
        if case.name not in failures
        else JudgedCase(case, numbers[case.name], engine, (), None, False, failures[case.name])
        for case in cases
    ]


def _missed(judged: JudgedQuantity) -> bool:
    """Whether chance may be the reason why it has not passed."""
    return judged.judgements[-1].verdict == "outside"


def _judge(quantity: Quantity, measured: _Measured, seed: int, tolerance: float) -> Judgement:
    observed = [np.atleast_1d(values) for values in measured.observed[quantity.name]]
    estimate = mean_interval(np.concatenate(observed), CONFIDENCE)
    return Judgement(seed, estimate, judge(quantity, estimate, tolerance))


def judge(quantity: Quantity, estimate: Estimate, tolerance: float = 1.0) -> Verdict:
    """The verdict on an interval, which may be `tolerance` times as wide as it should be."""
    if estimate.low is None or estimate.high is None:
        return "too wide"
    rounding = 1e-9 * max(abs(quantity.exact), 1e-3)  # where all observations are equal
    if not estimate.low - rounding <= quantity.exact <= estimate.high + rounding:
        return "outside"
    narrow = estimate.high - estimate.low < tolerance * quantity.widest
    return "pass" if narrow or estimate.low == estimate.high else "too wide"


def an_hour(scenario: Scenario) -> Scenario:
    """The first hour of every day, at one unit, with as many calls and walk-ins as in others.

    It is a queue like that of the whole day, but small enough for the reference engine.
    """
    centre = scenario.call_centre
    hours = max((centre.closes - centre.opens) / 60, 1.0)
    name, unit = next(iter(scenario.units.items()))
    open_hours = max((unit.closes - unit.opens) / 60, 1.0)
    parts = len(scenario.units) * open_hours if unit.walk_ins_per_day else hours
    weights = [1.0 if hour == centre.opens // 60 else 0.0 for hour in range(24)]
    return scenario.model_copy(
        update={
            "call_centre": centre.model_copy(
                update={"closes": min(centre.closes, centre.opens + 60), "call_times": weights}
            ),
            "groups": {
                key: group.model_copy(update={"people": math.ceil(group.people / parts)})
                for key, group in scenario.groups.items()
            },
            "units": {
                name: unit.model_copy(
                    update={
                        "closes": min(unit.closes, unit.opens + 60),
                        "walk_ins_per_day": unit.walk_ins_per_day / open_hours,
                        "walk_in_times": None,
                    }
                )
            },
        }
    )


def customers(scenario: Scenario) -> float:
    """About how many calls and visits a replication has: who is there to call or come."""
    return sum(group.people * group.willing for group in scenario.groups.values())
