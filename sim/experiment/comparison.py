"""Comparing scenarios in which the same people have the same luck.

With the same seed, replication r has the same people with the same random numbers in every
scenario, so scenarios are compared replication by replication: the chance that both share cancels
out of the difference. The first scenario is the base of every difference.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sim import __version__
from sim.experiment.answer import reason_counts
from sim.experiment.coverage import SCOPES, Scope
from sim.experiment.crews import OnCompiling, OnDays
from sim.experiment.measures import measure
from sim.experiment.replications import counted
from sim.experiment.results import (
    COMPARISON_MANIFEST,
    Run,
    RunError,
    default_folder,
    json_text,
    open_run,
    scenario_data,
    scenario_digest,
)
from sim.experiment.runs import Order, carry_out_all
from sim.experiment.settings import DEFAULT_ENGINE, RunSettings, SettingsError
from sim.experiment.sources import Source, check_folder, put, put_json
from sim.experiment.statistics import (
    Estimate,
    common_numbers_gain,
    mean_interval,
    paired_difference,
)
from sim.language import _
from sim.model.records import REASONS
from sim.scenario import Scenario, dotted
from sim.scenario_errors import shown
from sim.scenario_files import ABOUT_ITSELF

_TABLES = ("differences", "changes", "reasons")


@dataclass(frozen=True)
class Comparison:
    """Runs of one seed by name; the first is the base. Tables are computed when asked for."""

    runs: dict[str, Run]
    replications: int
    """How many replications are compared: the first of each run."""

    @property
    def base(self) -> str:
        """Name of the scenario with which the others are compared."""
        return next(iter(self.runs))

    @property
    def others(self) -> list[str]:
        """Names of the other scenarios."""
        return list(self.runs)[1:]

    @cached_property
    def changes(self) -> pd.DataFrame:
        """What differs between the base and each other scenario: scenario, path, base, value.

        Values as TOML writes them, "" where there is none. Paths are those of scenario files; a
        change of a unit type stands for that of its units.
        """
        rows = [
            (name, *change)
            for name in self.others
            for change in scenario_changes(self.runs[self.base].scenario, self.runs[name].scenario)
        ]
        return pd.DataFrame(rows, columns=["scenario", "path", "base", "value"], dtype="str")

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Paired differences of every measure: a row for each other scenario and measure.

        `base` and `value` are the two means, `difference` is value - base with its 95 % interval
        `low` ... `high` over `pairs` replications. `independent` is the number of replications
        with which independent seeds would be as precise, with its interval. Days differ in days of
        the calendar; a day that is not reached in every replication has no mean.
        """
        tables = {name: self.measures(name) for name in self.runs}
        base = tables[self.base]
        rows = []
        for name in self.others:
            names = dict.fromkeys([*base.columns, *tables[name].columns])
            for found in map(str, names):
                pair = [_column(table, found) for table in (base, tables[name])]
                rows.append({"scenario": name, "measure": found, **self._row(name, found, *pair)})
        return pd.DataFrame(rows)

    def measures(self, name: str) -> pd.DataFrame:
        """The measures of one scenario, a row a replication."""
        table = self.runs[name].table("replications").set_index("replication")
        return table.loc[: self.replications - 1]

    def _row(
        self, name: str, found: str, first: pd.Series[float], second: pd.Series[float]
    ) -> dict[str, Any]:
        a, b = first.to_numpy(dtype=np.float64), second.to_numpy(dtype=np.float64)
        unit = measure(found).unit
        shift = 0
        if unit == "days":
            days = [self.runs[n].scenario.campaign.first_day for n in (self.base, name)]
            shift = (days[1] - days[0]).days
        means = [_mean(values, unit) for values in (a, b)]
        difference = paired_difference(a, b + shift)
        gain = common_numbers_gain(a, b)
        if None in means:
            difference = Estimate(None, None, None, difference.n)
            gain = Estimate(None, None, None, difference.n)
        needed = [
            math.nan if value is None else value if value == math.inf else math.ceil(gain.n * value)
            for value in (gain.mean, gain.low, gain.high)
        ]
        return {
            "unit": unit,
            "base": _nan(means[0]),
            "value": _nan(means[1]),
            "difference": _nan(difference.mean),
            "low": _nan(difference.low),
            "high": _nan(difference.high),
            "pairs": difference.n,
            "independent": needed[0],
            "independent_low": needed[1],
            "independent_high": needed[2],
        }

    @cached_property
    def reasons(self) -> pd.DataFrame:
        """Mean persons by reason at the deadline: a row for each scenario, scope and reason.

        `difference` is that from the base, with its interval (0 in the rows of the base).
        """
        counts = {
            name: {s: c.loc[: self.replications - 1] for s, c in reason_counts(run).items()}
            for name, run in self.runs.items()
        }
        rows = []
        for name in self.runs:
            for scope in SCOPES:
                for reason in REASONS:
                    values = counts[name][scope][reason].to_numpy()
                    change = paired_difference(counts[self.base][scope][reason], values)
                    rows.append(
                        {
                            "scenario": name,
                            "scope": scope,
                            "reason": reason,
                            "persons": float(values.mean()),
                            "difference": _nan(change.mean),
                            "low": _nan(change.low),
                            "high": _nan(change.high),
                        }
                    )
        return pd.DataFrame(rows)

    def coverage(self, scope: Scope) -> pd.DataFrame:
        """`Run.coverage` of every scenario, with its name in the column `scenario`."""
        curves = []
        for name, run in self.runs.items():
            curve = run.coverage(scope)
            curve = curve[curve["replication"] < self.replications]
            curves.append(curve.assign(scenario=pd.array([name] * len(curve), dtype="str")))
        return pd.concat(curves, ignore_index=True)

    @cached_property
    def successes(self) -> dict[str, int]:
        """Replications in which everyone of the target is fully vaccinated by the deadline."""
        found = {}
        for name, run in self.runs.items():
            table = self.measures(name)
            found[name] = int((table["fully_vaccinated_by_deadline"] == run.scenario.target).sum())
        return found


def comparison(runs: Mapping[str, Run], replications: int | None = None) -> Comparison:
    """The comparison of finished runs, by name; of their first replications that all have.

    Raises SettingsError where their random numbers or their days are not the same.
    """
    settings = {name: run.settings for name, run in runs.items()}
    check_comparable(settings, replications)
    fewest = min(each.replications for each in settings.values())
    return Comparison(dict(runs), replications or fewest)


def check_comparable(settings: Mapping[str, RunSettings], replications: int | None = None) -> None:
    """Raise SettingsError for runs that do not have the same people on the same days."""
    if len(settings) < 2:
        raise SettingsError(_("a comparison needs two scenarios or more"))
    base, first = next(iter(settings.items()))
    for name, each in settings.items():
        if each.seed != first.seed:
            raise SettingsError(
                _(
                    "{base} has seed {base_seed} and {name} has seed {seed}: only with one "
                    "seed do the same people have the same luck; simulate one of them again "
                    "with the seed of the other"
                ).format(base=base, base_seed=first.seed, name=name, seed=each.seed)
            )
        if each.until != first.until:
            ends = [s.until.isoformat() if s.until else _("the horizon") for s in (first, each)]
            raise SettingsError(
                _(
                    "{base} is simulated to {base_end} and {name} to {end}: simulate one of "
                    "them again with the --until of the other"
                ).format(base=base, base_end=ends[0], name=name, end=ends[1])
            )
        if replications is not None and each.replications < replications:
            raise SettingsError(
                _("{name} has {replications}, fewer than the {wanted:,} to be compared").format(
                    name=name, replications=counted(each.replications), wanted=replications
                )
            )


# Making ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ComparisonPlan:
    """A comparison to be made: runs that are there, and runs that are to be made."""

    sides: dict[str, Run | Order]
    replications: int
    folder: Path

    @property
    def orders(self) -> list[Order]:
        """The runs to be made."""
        return [side for side in self.sides.values() if isinstance(side, Order)]

    @property
    def days(self) -> int:
        """Days to simulate."""
        return sum(order.days for order in self.orders)

    def carry_out(
        self,
        fresh: bool = False,
        on_days: OnDays = lambda days: None,
        on_compiling: OnCompiling = lambda: None,
    ) -> Comparison:
        """Make the runs, through one queue, compare, and write the tables into the folder."""
        _check_comparison_folder(self.folder, self._identity())
        made = iter(carry_out_all(self.orders, fresh, on_days, on_compiling))
        runs = {
            name: side if isinstance(side, Run) else next(made)[0]
            for name, side in self.sides.items()
        }
        found = comparison(runs, self.replications)
        for name in _TABLES:
            text = getattr(found, name).to_csv(index=False, lineterminator="\n")
            put(self.folder / f"{name}.csv", text.encode())
        folders = {name: str(run.folder) for name, run in runs.items()}
        put_json(self.folder / COMPARISON_MANIFEST, {**self._identity(), "folders": folders})
        return found

    def _identity(self) -> dict[str, Any]:
        return {
            "vaxsim": __version__,
            "replications": self.replications,
            "runs": {name: _identity_of(side) for name, side in self.sides.items()},
        }


def side_of(path: str | Path, overrides: Sequence[str] = ()) -> Run | Source:
    """A finished run from its folder, or a scenario from its file, with further values changed.

    Raises RunError; SettingsError for values to be changed in a finished run.
    """
    path = Path(path)
    if not path.is_dir():
        return Source.of(path, overrides)
    if overrides:
        raise SettingsError(
            _(
                "--set changes scenarios that are to be run, and {path} is a finished "
                "run: give its scenario file instead"
            ).format(path=path)
        )
    return open_run(path)


def settings_for(
    sides: Sequence[Run | Source],
    seed: int | None = None,
    until: date | None = None,
    engine: str = DEFAULT_ENGINE,
    workers: int | None = None,
    scheduler: str | None = None,
) -> RunSettings:
    """Settings for the scenarios that are to be run: what is left open is as in the first run.

    Raises SettingsError for a seed or a last day that is not that of the runs.
    """
    runs = [side for side in sides if isinstance(side, Run)]
    like = runs[0].settings if runs else RunSettings()
    for run in runs:
        if seed not in (None, run.settings.seed):
            raise SettingsError(
                _("{folder} has seed {seed} and not {wanted}").format(
                    folder=run.folder, seed=run.settings.seed, wanted=seed
                )
            )
        if until not in (None, run.settings.until):
            end = run.settings.until or _("the horizon")
            raise SettingsError(
                _("{folder} is simulated to {end} and not to {until}").format(
                    folder=run.folder, end=end, until=until
                )
            )
    return RunSettings(
        like.seed if seed is None else seed,
        engine=engine,
        workers=workers,
        until=until or like.until,
        scheduler=scheduler,
    )


def plan_comparison(
    sides: Sequence[Run | Source],
    settings: RunSettings,
    replications: int | None = None,
    out: Path | None = None,
) -> ComparisonPlan:
    """A comparison of runs and of scenarios that are to be run with these settings.

    `replications`: how many are compared; None: as many as all runs have. Raises SettingsError
    where runs and settings do not fit together, ScenarioError for a scenario that cannot be.
    """
    root = out or Path()
    done = [side.settings.replications for side in sides if isinstance(side, Run)]
    number = replications or min(done, default=settings.replications)
    wanted = replace(settings, replications=number)
    named: dict[str, Run | Order] = {}
    for side in sides:
        name = side.folder.resolve().name if isinstance(side, Run) else side.name
        if isinstance(side, Source):
            wanted.check_against(side.scenario)
            folder = root / default_folder(side.name, side.scenario, wanted)
            if any(isinstance(each, Order) and each.folder == folder for each in named.values()):
                raise SettingsError(
                    _("{name} is given twice: a comparison needs two scenarios").format(
                        name=side.name
                    )
                )
            named[_new(name, named)] = Order(side.scenario, wanted, folder, side.data)
        else:
            named[_new(name, named)] = side
    check_comparable({name: side.settings for name, side in named.items()}, replications)
    plan = ComparisonPlan(named, number, root)
    if out is None:
        digest = hashlib.sha256(json_text(plan._identity()).encode()).hexdigest()[:8]
        folder = Path("runs") / f"compare-{'-'.join(named)[:80]}-{digest}"
        plan = replace(plan, folder=folder)
    return plan


def _new(name: str, taken: Mapping[str, object]) -> str:
    """The name, with a number where it is taken."""
    names = itertools.chain([name], (f"{name} ({i})" for i in itertools.count(2)))
    return next(each for each in names if each not in taken)


def _identity_of(side: Run | Order) -> dict[str, Any]:
    scenario = (
        scenario_digest(side.scenario)
        if isinstance(side, Order)
        else side.manifest["scenario_sha256"]
    )
    settings = side.settings
    return {
        "scenario_sha256": scenario,
        "seed": settings.seed,
        "replications": settings.replications,
        "engine": settings.engine,
        "until": settings.until and settings.until.isoformat(),
    }


def read_comparison(folder: Path) -> dict[str, Any]:
    """The manifest of a comparison. Raises RunError if it cannot be read."""
    path = folder / COMPARISON_MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("runs"), dict):
        raise RunError(_("{path} is damaged: remove it, or name another --out").format(path=path))
    return found


def open_comparison(folder: Path) -> Comparison:
    """The comparison in a folder, of the runs that it names.

    Raises RunError where it or one of its runs cannot be read, or a run is another by now.
    """
    manifest = read_comparison(folder)
    runs = {}
    for name, identity in manifest["runs"].items():
        place = Path(str(manifest.get("folders", {}).get(name, "")))
        # as it was when the comparison was made, within it, or beside it: it may have been moved
        places = [place, folder / "runs" / place.name, folder.parent / place.name]
        run = open_run(next((path for path in places if path.is_dir()), place))
        if {**identity, "replications": 0} != {**_identity_of(run), "replications": 0}:
            raise RunError(
                _("{run} is another run than the one compared in {folder}").format(
                    run=run.folder, folder=folder
                )
            )
        runs[name] = run
    return comparison(runs, manifest["replications"])


def _check_comparison_folder(folder: Path, identity: Mapping[str, Any]) -> None:
    """Raise RunError if the folder holds anything but this comparison."""
    own = {COMPARISON_MANIFEST, "pictures", "runs", *(f"{name}.csv" for name in _TABLES)}
    if not check_folder(folder, own, COMPARISON_MANIFEST):
        return
    found = read_comparison(folder)
    # as text, since the order of the runs matters
    if json_text({key: found.get(key) for key in identity}) != json_text(identity):
        raise RunError(
            _("{folder} holds another comparison: name another folder with --out").format(
                folder=folder
            )
        )


# What changed ---------------------------------------------------------------------------------


def scenario_changes(first: Scenario, second: Scenario) -> list[tuple[str, str, str]]:
    """(dotted path, value in the first, value in the second) of all that differs.

    What changes in a unit because it changes in its type is told of the type alone.
    """
    before, after = (
        {key: value for key, value in scenario_data(scenario).items() if key not in ABOUT_ITSELF}
        for scenario in (first, second)
    )
    changes = list(_changes(before, after, ()))
    rows = []
    for path, value, other in changes:
        kind = second.units[path[1]].type if _in_both(path, first, second) else None
        if kind is None or (("unit_types", kind, *path[2:]), value, other) not in changes:
            rows.append((dotted(path), _shown(value), _shown(other)))
    return rows


def _in_both(path: tuple[Any, ...], first: Scenario, second: Scenario) -> bool:
    """Whether the path lies in a unit that both scenarios have."""
    return path[0] == "units" and len(path) > 2 and path[1] in first.units.keys() & second.units


def _changes(
    first: Any, second: Any, path: tuple[Any, ...]
) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if first.get("distribution") != second.get("distribution"):
            yield path, first, second
            return
        if first.keys() == second.keys() and list(first) != list(second):
            yield path, list(first), list(second)  # the order of stations and regimens matters
        for key in dict.fromkeys([*first, *second]):
            yield from _changes(first.get(key), second.get(key), (*path, key))
    elif _tables(first) and _tables(second) and len(first) == len(second):
        for i, pair in enumerate(zip(first, second, strict=True)):
            yield from _changes(*pair, (*path, i))
    elif first != second:
        yield path, first, second


def _tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


# Small things ---------------------------------------------------------------------------------


def _shown(value: Any) -> str:
    return "" if value is None else shown(value)


def _column(table: pd.DataFrame, name: str) -> pd.Series[float]:
    if name in table:
        return table[name]
    return pd.Series(math.nan, index=table.index)


def _mean(values: Any, unit: str) -> float | None:
    """The mean; None for a day that is not reached every time."""
    return None if unit == "days" and np.isnan(values).any() else mean_interval(values).mean


def _nan(value: float | None) -> float:
    return math.nan if value is None else value
