"""How a scenario is studied: seed, replications, engine, workers.

Imports nothing that takes long to load, so that the command line can show its help at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.scenario import Scenario

DEFAULT_SEED = 1
DEFAULT_REPLICATIONS = 10
DEFAULT_ENGINE = "compiled"


class SettingsError(ValueError):
    """Settings that cannot be."""


@dataclass(frozen=True)
class RunSettings:
    """How a scenario is studied. The results depend on all of it but the number of workers."""

    seed: int = DEFAULT_SEED
    replications: int = DEFAULT_REPLICATIONS
    engine: str = DEFAULT_ENGINE
    workers: int | None = None
    """Processes; None: one a core, but no more than replications."""
    until: date | None = None
    """Last day simulated, where that is before the horizon."""

    def __post_init__(self) -> None:
        """Raise SettingsError for settings that no scenario allows."""
        if not 0 <= self.seed < 2**64:
            raise SettingsError(f"seed must be between 0 and 2**64 - 1, not {self.seed}")
        if not 1 <= self.replications <= 10**6:
            raise SettingsError(
                f"replications must be between 1 and 1,000,000, not {self.replications:,}"
            )
        if self.workers is not None and self.workers < 1:
            raise SettingsError(f"workers must be at least 1, not {self.workers}")

    def check_against(self, scenario: Scenario) -> None:
        """Raise SettingsError for an unknown engine, or `until` outside the scenario's days."""
        from sim.engine import ENGINES

        if self.engine not in ENGINES:
            raise SettingsError(f"engine must be one of {', '.join(ENGINES)}, not {self.engine!r}")
        campaign = scenario.campaign
        if self.until is not None and not campaign.first_day <= self.until <= campaign.horizon:
            raise SettingsError(
                f"until must lie between the campaign's first day ({campaign.first_day}) and its "
                f"horizon ({campaign.horizon}), not on {self.until}"
            )

    def days(self, scenario: Scenario) -> int:
        """Days simulated in one replication."""
        campaign = scenario.campaign
        return ((self.until or campaign.horizon) - campaign.first_day).days + 1

    @property
    def workers_used(self) -> int:
        """Number of processes."""
        return min(self.workers or available_cores(), self.replications)


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
