"""Runs that are in memory and nowhere else, for whoever wants an answer and no folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from sim.experiment.packing import Packed, frame_of, unpack
from sim.experiment.replications import Tables
from sim.experiment.results import (
    REPLICATIONS_PER_PART,
    Run,
    check_table,
    identity,
    scenario_data,
)
from sim.experiment.settings import RunSettings
from sim.scenario import Scenario


class RunInMemory(Run):
    """A finished run whose tables are in memory, those of each replication as they are or packed.

    It has no folder: `folder` is a name for messages.
    """

    def __init__(
        self, name: str, scenario: Scenario, settings: RunSettings, batch: Sequence[Tables | Packed]
    ) -> None:
        if len(batch) != settings.replications:
            raise ValueError(f"{len(batch)} replications and not {settings.replications}")
        manifest = {
            **identity(scenario, settings),
            "complete": True,
            "title": scenario.title,
            "scenario": scenario_data(scenario),
        }
        super().__init__(Path(name), manifest)
        self.__dict__.update(scenario=scenario, settings=settings, _batch=tuple(batch))

    def parts(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """A table part by part, each with all rows of at most 50 replications."""
        check_table(name)
        batch: Sequence[Tables | Packed] = self.__dict__["_batch"]
        for first in range(0, len(batch), REPLICATIONS_PER_PART):
            part = [_table(each, name) for each in batch[first : first + REPLICATIONS_PER_PART]]
            whole = part[0] if len(part) == 1 else pd.concat(part, ignore_index=True)
            yield whole[list(columns)] if columns else whole


def _table(tables: Tables | Packed, name: str) -> pd.DataFrame:
    return frame_of(unpack(tables)[name]) if isinstance(tables, bytes) else tables[name]
