"""Simulating a run again, to see whether it comes out the same here and now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sim import __version__
from sim.experiment.crews import OnCompiling, OnDays
from sim.experiment.packing import TABLE_NAMES, frame_of, table_in, unpack
from sim.experiment.replications import Task
from sim.experiment.results import REPLICATIONS_PER_PART, Run, check_part
from sim.experiment.run_writer import environment, part_of
from sim.experiment.settings import SettingsError
from sim.experiment.work import do_work
from sim.language import _


@dataclass(frozen=True)
class Difference:
    """The first value in which a run and its repetition differ."""

    replication: int
    table: str
    row: int
    """of that replication's rows in the table, from 0"""
    column: str
    in_run: object
    """None where the run has no such row"""
    now: object
    """None where the repetition has no such row"""


@dataclass(frozen=True)
class Verification:
    """What came out of simulating replications of a run again."""

    replications: list[int]
    """those compared"""
    rows: int
    """compared, over all tables"""
    difference: Difference | None
    parts: int
    """parts of tables that could be made again as a whole"""
    parts_with_other_bytes: int
    """of these, those that say the same in other bytes (another version of a library)"""
    then: dict[str, str]
    """versions and platform with which the run was made"""
    now: dict[str, str]
    """versions and platform here"""

    @property
    def identical(self) -> bool:
        """Whether all tables are equal."""
        return self.difference is None


def chosen_replications(text: str | None, replications: int) -> list[int]:
    """Which replications to simulate again.

    "0,3,7": these; "3": that many, the first, the last and others evenly between them; None: all.
    Raises SettingsError.
    """
    if text is None:
        return list(range(replications))
    try:
        numbers = [int(number) for number in text.split(",") if number.strip()]
    except ValueError:
        raise SettingsError(
            _("replications {text!r}: write their numbers as 0,3,7 or how many as 3").format(
                text=text
            )
        ) from None
    if "," in text:
        wrong = [number for number in numbers if not 0 <= number < replications]
        if wrong or not numbers:
            raise SettingsError(
                _("replications {text!r}: the run has replications 0 to {last}").format(
                    text=text, last=replications - 1
                )
            )
        return sorted(set(numbers))
    n = numbers[0] if numbers else 0
    if not 1 <= n <= replications:
        raise SettingsError(
            _("replications: 1 to {replications:,} can be verified, not {n:,}").format(
                replications=replications, n=n
            )
        )
    return sorted({round(k * (replications - 1) / max(n - 1, 1)) for k in range(n)})


def verify(
    run: Run,
    replications: Sequence[int] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    on_days: OnDays = lambda days: None,
    on_compiling: OnCompiling = lambda: None,
) -> Verification:
    """Simulate replications of a run again (default: all), and compare all tables.

    Stops at the first difference. Raises RunError if a part of the run is damaged.
    """
    numbers = list(range(run.settings.replications) if replications is None else replications)
    tasks = [Task(run.scenario, run.settings, number) for number in numbers]
    compared: list[int] = []
    rows = parts = other_bytes = 0
    difference: Difference | None = None
    batch: list[dict[str, Any]] = []
    stored = _stored(run, numbers)
    with closing(do_work(tasks, workers, on_days, on_compiling, scheduler=scheduler)) as results:
        for task, packed in results:
            now = unpack(packed)
            compared.append(task.replication)
            rows += sum(table.num_rows for table in now.values())
            difference = _first_difference(task.replication, next(stored), now)
            if difference is not None:
                break
            index, place = divmod(task.replication, REPLICATIONS_PER_PART)
            batch = [*batch, now] if place == len(batch) else []
            first = index * REPLICATIONS_PER_PART
            if len(batch) == min(REPLICATIONS_PER_PART, run.settings.replications - first):
                for name in TABLE_NAMES:
                    digest = hashlib.sha256(part_of(batch, name)[1]).hexdigest()
                    parts += 1
                    other_bytes += digest != run.manifest["parts"][name][index]["sha256"]
                batch = []
    then = _flat(run.manifest)
    here = _flat({"vaxsim": __version__, **environment()})
    return Verification(compared, rows, difference, parts, other_bytes, then, here)


def _flat(versions: dict[str, Any]) -> dict[str, str]:
    found = {key: str(versions.get(key, "?")) for key in ("vaxsim", "python", "platform")}
    return {**found, **versions.get("libraries", {})}


def _stored(run: Run, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The Arrow tables of these replications, in order, one part in memory at a time."""
    import pyarrow.compute as pc

    loaded, tables = -1, {}
    for number in numbers:
        index = number // REPLICATIONS_PER_PART
        if index != loaded:
            parts = {name: run.manifest["parts"][name][index] for name in TABLE_NAMES}
            tables = {name: table_in(check_part(run.folder, part)) for name, part in parts.items()}
            loaded = index
        yield {
            name: table.filter(pc.equal(table["replication"], number))
            for name, table in tables.items()
        }


def _first_difference(
    replication: int, stored: dict[str, Any], now: dict[str, Any]
) -> Difference | None:
    for name in TABLE_NAMES:
        then_table, now_table = stored[name], now[name]
        if then_table.equals(now_table):
            continue
        then_frame, now_frame = frame_of(then_table), frame_of(now_table)
        columns = list(dict.fromkeys([*then_frame.columns, *now_frame.columns]))
        for row in range(max(len(then_frame), len(now_frame))):
            for column in columns:
                values = [
                    frame[column].iloc[row] if row < len(frame) and column in frame else None
                    for frame in (then_frame, now_frame)
                ]
                if not _same(*values):
                    return Difference(replication, name, row, column, *values)
    return None


def _same(a: object, b: object) -> bool:
    return a == b or (a is not None and b is not None and a != a and b != b)
