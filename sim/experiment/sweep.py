"""A sweep: one scenario at many points, all through one queue, as one folder of results.

    sweep/
      sweep.json                               what was varied, and a digest of every table
      tables/points/part-00000.parquet         a row a point: the values of the factors
      tables/replications/part-00000.parquet   a row a replication: point, factors, measures
      points/0000/                             the run of each point, with all its tables
      pictures/

The runs are like any other: each can be shown, drawn, verified. A sweep that was stopped goes on
with the same command. All points have the same seed, so the same people with the same luck.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from sim.experiment.crews import OnCompiling, OnDays
from sim.experiment.design import Design
from sim.experiment.measures import estimate
from sim.experiment.results import (
    MANIFEST,
    SWEEP_MANIFEST,
    Run,
    RunError,
    differences,
    identity,
    json_text,
    open_run,
    other_format,
    precision_of,
    read_json,
)
from sim.experiment.runs import Order, carry_out_all
from sim.experiment.settings import Precision, RunSettings, SettingsError
from sim.experiment.sources import Source, check_folder, put_json, put_table, read_table
from sim.language import _, ngettext
from sim.scenario import Scenario
from sim.scenario_errors import ScenarioError, did_you_mean
from sim.scenario_files import file_data, scenario_from_data

FORMAT = 1

_OWN = {SWEEP_MANIFEST, SWEEP_MANIFEST + ".part", "tables", "points", "pictures"}
_PROBLEMS_SHOWN = 3


# Reading --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sweep:
    """A finished sweep. Tables are read when asked for, and checked against their digests."""

    folder: Path
    manifest: dict[str, Any]

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario that was varied."""
        return scenario_from_data(self.manifest["scenario"])

    @property
    def seed(self) -> int:
        """The seed of every point."""
        return int(self.manifest["seed"])

    @cached_property
    def counts(self) -> pd.Series[int]:
        """Replications of each point: as many for all, or as many as a precision took."""
        return self.replications.groupby("point").size()

    @property
    def precision(self) -> Precision | None:
        """How narrow the intervals of every point were to be."""
        return precision_of(self.manifest.get("precision"))

    @property
    def imprecise(self) -> list[int]:
        """Points that have not reached the precision with as many replications as are allowed."""
        return list(self.manifest.get("imprecise", []))

    @property
    def design(self) -> str:
        """grid, lhs or sobol."""
        return str(self.manifest["design"]["kind"])

    @property
    def factors(self) -> list[str]:
        """Dotted paths of what is varied."""
        return list(self.manifest["design"]["factors"])

    @cached_property
    def points(self) -> pd.DataFrame:
        """A row a point: `point` and the value of each factor."""
        return self._table("points")

    @cached_property
    def replications(self) -> pd.DataFrame:
        """A row a replication: `point`, the factors, `replication`, and every measure."""
        return self._table("replications")

    @property
    def measures(self) -> list[str]:
        """Names of all measures."""
        columns = map(str, self.replications.columns)
        return [name for name in columns if name not in ("point", "replication", *self.factors)]

    def estimates(self, name: str) -> pd.DataFrame:
        """One measure at every point: the columns of `points`, mean, low, high (95 %) and n.

        A day that is not reached in some replication has no mean; `n` says in how many it is.
        Raises RunError for an unknown measure.
        """
        if name not in self.measures:
            raise RunError(
                _("there is no measure {name!r}{suggestion}").format(
                    name=name, suggestion=did_you_mean(name, self.measures)
                )
            )
        rows = []
        for _point, values in self.replications.groupby("point", sort=True)[name]:
            found = estimate(name, values)
            numbers = (found.mean, found.low, found.high)
            rows.append((*(math.nan if x is None else x for x in numbers), found.n))
        columns = pd.DataFrame(rows, columns=["mean", "low", "high", "n"])
        return pd.concat([self.points, columns], axis=1)

    def run(self, point: int) -> Run:
        """The run of a point, with all its tables."""
        if point not in self.points.index:
            raise RunError(
                _("there is no point {point}: the sweep has 0 to {last}").format(
                    point=point, last=len(self.points) - 1
                )
            )
        return open_run(_point_folder(self.folder, point))

    def _table(self, name: str) -> pd.DataFrame:
        return read_table(self.folder, self.manifest["tables"][name])


def open_sweep(folder: str | Path) -> Sweep:
    """A finished sweep from its folder. Raises RunError where there is none."""
    folder = Path(folder)
    if not (folder / SWEEP_MANIFEST).is_file():
        raise RunError(
            _("{folder} is no sweep: it has no {manifest}").format(
                folder=folder, manifest=SWEEP_MANIFEST
            )
        )
    manifest = read_sweep(folder)
    if not manifest["complete"]:
        raise RunError(
            _("{folder} holds an unfinished sweep: give its command again to finish it").format(
                folder=folder
            )
        )
    return Sweep(folder, manifest)


def read_sweep(folder: Path) -> dict[str, Any]:
    """The manifest of a sweep, finished or not. Raises RunError if it cannot be read."""
    path = folder / SWEEP_MANIFEST
    manifest = read_json(path)
    if not isinstance(manifest, dict) or not {"format", "complete"} <= set(manifest):
        raise RunError(_("{path} is not the manifest of a sweep").format(path=path))
    if manifest["format"] != FORMAT:
        raise other_format(folder, manifest, FORMAT)
    return manifest


def _point_folder(folder: Path, point: int) -> Path:
    return folder / "points" / f"{point:04d}"


# Making ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SweepPlan:
    """A sweep to be made: every point is known to be possible."""

    source: Source
    design: Design
    settings: RunSettings
    orders: tuple[Order, ...]
    folder: Path

    @property
    def days(self) -> int:
        """Days to simulate."""
        return sum(order.days for order in self.orders)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What determines the tables."""
        return _identity(self.source.scenario, self.design, self.settings)

    def carry_out(
        self,
        fresh: bool = False,
        on_days: OnDays = lambda days: None,
        on_compiling: OnCompiling = lambda: None,
    ) -> tuple[Sweep, bool]:
        """The sweep, and whether any of it was simulated now.

        Raises RunError if the folder cannot be used.
        """
        started = check_folder(self.folder, _OWN, SWEEP_MANIFEST)
        if started:
            found = read_sweep(self.folder)
            self._check_same(found, fresh)
            if not fresh and found["complete"]:
                return Sweep(self.folder, found), False
        manifest = {
            **self.identity,
            "complete": False,
            "title": self.source.scenario.title,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "scenario": self.source.data,
        }
        put_json(self.folder / SWEEP_MANIFEST, manifest)
        try:
            made = carry_out_all(self.orders, fresh, on_days, on_compiling)
        except BaseException as error:
            finished = sum((order.folder / MANIFEST).is_file() for order in self.orders)
            if finished:
                error.add_note(
                    _(
                        "points of the sweep begun or done: {finished:,} of {points:,}; the same "
                        "command goes on from there"
                    ).format(finished=finished, points=len(self.orders))
                )
            if not started and not any(self.folder.glob("points/*")):
                (self.folder / SWEEP_MANIFEST).unlink(missing_ok=True)
                for folder in (self.folder / "points", self.folder):
                    if folder.is_dir() and not any(folder.iterdir()):
                        folder.rmdir()
            raise
        tables = self._tables([run for run, _seconds in made])
        manifest["tables"] = {name: put_table(self.folder, name, t) for name, t in tables.items()}
        if self.settings.precision:
            manifest["imprecise"] = [
                point
                for point, (run, _seconds) in enumerate(made)
                if run.manifest["precision_reached_with"] is None
            ]
        manifest["complete"] = True
        put_json(self.folder / SWEEP_MANIFEST, manifest)
        return Sweep(self.folder, manifest), True

    def _check_same(self, found: Mapping[str, Any], fresh: bool) -> None:
        differing = differences(found, self.identity, fresh)
        if differing:
            raise RunError(
                _("{folder} holds another sweep ({what}): name another folder with --out").format(
                    folder=self.folder, what="; ".join(differing.values())
                )
            )

    def _tables(self, runs: Sequence[Run]) -> dict[str, pd.DataFrame]:
        values = [_plain(self.design.values(i)) for i in range(len(runs))]
        points = pd.DataFrame([{"point": i, **value} for i, value in enumerate(values)])
        for path in map(str, points.columns):
            if points[path].dtype == object:  # numbers and text together
                points[path] = points[path].map(str)
        replications = []
        for point, run in enumerate(runs):
            table = run.table("replications")
            levels = points.loc[[point] * len(table)].reset_index(drop=True)
            replications.append(pd.concat([levels, table], axis=1))
        return {"points": points, "replications": pd.concat(replications, ignore_index=True)}


def plan_sweep(
    source: Source, design: Design, settings: RunSettings, out: Path | None = None
) -> SweepPlan:
    """The sweep of a scenario over a design.

    Raises SettingsError with the first points that the scenario does not allow, and why.
    """
    scenarios, problems = [], []
    for point in range(len(design.points)):
        try:
            scenario = source.changed(design.overrides(point))
            settings.check_against(scenario)
            scenarios.append(scenario)
        except (ScenarioError, SettingsError) as error:
            values = ", ".join(f"{path} = {v}" for path, v in _plain(design.values(point)).items())
            problems.append(
                _("point {point} ({values}) cannot be:").format(point=point, values=values)
                + f"\n{error}".replace("\n", "\n  ")
            )
    if problems:
        told, more = problems[:_PROBLEMS_SHOWN], len(problems) - _PROBLEMS_SHOWN
        if more > 0:
            words = ngettext("and {more:,} more point", "and {more:,} more points", more)
            told.append(words.format(more=more))
        raise SettingsError("\n".join(told))
    folder = out or _default_folder(source, design, settings)
    orders = tuple(
        Order(scenario, settings, _point_folder(folder, point), file_data(scenario))
        for point, scenario in enumerate(scenarios)
    )
    return SweepPlan(source, design, settings, orders, folder)


def _identity(scenario: Scenario, design: Design, settings: RunSettings) -> dict[str, Any]:
    return {
        **identity(scenario, settings),
        "format": FORMAT,
        "design": {
            "kind": design.kind,
            "factors": [factor.path for factor in design.factors],
            "points": [list(_plain(design.values(i)).values()) for i in range(len(design.points))],
        },
    }


def _default_folder(source: Source, design: Design, settings: RunSettings) -> Path:
    text = json_text(_identity(source.scenario, design, settings))
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    name = f"sweep-{source.name}-{digest}-s{settings.seed}"
    if settings.precision is None:
        name += f"-r{settings.replications}"
    return Path("runs") / name


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as tables and JSON hold them: numbers and text."""
    return {
        path: value
        if isinstance(value, bool | int | float | str)
        else value.isoformat()
        if isinstance(value, date)
        else json_text(value)
        for path, value in values.items()
    }
