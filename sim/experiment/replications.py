"""One replication: a task that depends on nothing but what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from sim.engine import get_engine
from sim.experiment.conservation import check_conservation
from sim.experiment.measures import measures_of
from sim.experiment.packing import TABLE_NAMES
from sim.experiment.settings import RunSettings
from sim.language import ngettext
from sim.model.ledger import AuditError
from sim.scenario import Scenario

Tables = dict[str, pd.DataFrame]


def counted(n: int, of: int | None = None) -> str:
    """1 replication, 10 replications, 1 of 10 replications."""
    if of is None:
        return ngettext("{n} replication", "{n} replications", n).format(n=f"{n:,}")
    return ngettext("{n} of {of} replication", "{n} of {of} replications", of).format(
        n=f"{n:,}", of=f"{of:,}"
    )


@dataclass(frozen=True)
class Task:
    """One replication of one scenario, with the settings' seed, engine and last day."""

    scenario: Scenario
    settings: RunSettings
    replication: int
    tables: Sequence[str] = field(default=TABLE_NAMES, kw_only=True)
    """those that are handed over"""

    @property
    def days(self) -> int:
        """Days to simulate."""
        return self.settings.days(self.scenario)


def replicate(task: Task, on_day: Callable[[], None] = lambda: None) -> Tables:
    """All tables of one replication, audited, with its measures as table `replications`.

    Raises AuditError if something in it does not add up.

    `on_day` is called after each simulated day.
    """
    from sim.model.campaign import simulate

    scenario, settings = task.scenario, task.settings
    try:
        tables = simulate(
            scenario,
            get_engine(settings.engine),
            settings.seed,
            task.replication,
            until=settings.until,
            progress=lambda day: on_day(),
        )
        laws = check_conservation(tables, scenario, settings.until)
    except AuditError as error:
        raise AuditError(f"replication {task.replication}, law {error}") from None
    laws.insert(0, "replication", task.replication)
    tables["audit"] = pd.concat([tables["audit"], laws], ignore_index=True)
    measures = measures_of(tables, scenario, settings.until)
    row = {"replication": task.replication, **measures}
    return {**tables, "replications": pd.DataFrame([row])}
