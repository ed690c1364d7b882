"""What matters? The numbers that have a range in the scenario, varied together.

Every such number (or all that one pattern of `[ranges]` matches, together) is a factor, uniform
between the ends of its range and independent of the others. Two answers:

- a tornado: each factor at either end, the others as they are in the scenario;
- Sobol' indices: all vary. The first-order index of a factor is the share of the variance that
  would vanish, on average, if that factor were known: the greatest one should be measured first
  (the "factor priorities" of Saltelli et al., *Global Sensitivity Analysis*, 2008). The total index
  has its interactions with others too.

The samples A and B are the halves of one scrambled Sobol' sequence. To spare simulations, the first
rows (`SCREENING_ROWS`) alone are simulated with each single factor of A taken from B (a radial
design: Campolongo, Saltelli and Cariboni, *Computer Physics Communications* 182, 2011). Factors
that matter there are followed through all rows; all the others are followed together, as one
group, so that what was set aside is measured too and not just supposed to be idle.

Every point is simulated with the same replications: the same people with the same luck. Where
deliveries are uncertain, one luck would say how things matter when they come on just those days: so
luck is one more factor then (as in Iooss and Ribatet, *Reliability Engineering and System Safety*
94, 2009, a seed that is uncertain like the other inputs), its values being replications. What the
others explain is then their mean over the lucks, and the index of luck is what no measuring of
anything removes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.plan_arithmetic import deliveries_vary
from sim.experiment.settings import SettingsError
from sim.experiment.statistics import SobolIndex, mean_interval, sobol_indices
from sim.experiment.trials import Trials
from sim.language import _
from sim.scenario import Scenario
from sim.scenario_errors import ScenarioError, shown
from sim.scenario_files import Varied, varied, with_values

DEFAULT_MEASURES = ("first_dose_coverage_by_deadline", "attempts_per_booking")
DEFAULT_SAMPLES = 64
MOST_SAMPLES = 65_536
FEW_SAMPLES = 16
"""Intervals from fewer rows are too narrow: of a sum of three factors, those from 2 rows hold the
true index in 46 cases of 100, from 4 and 8 in 81 to 86, from 16 in 96."""

SCREENING_ROWS = 8
MOST_FOLLOWED = 6
"""Factors followed one by one through all rows, at most."""
LEAST_SHARE = 0.01
"""Of the variance, in the screening: who has less in every measure joins the others."""
LUCK = "luck"
"""The factor that it is where it varies."""
_LUCKS = 65_536
FEW_LUCKS = 5
"""Replications of the scenario as it is, at least, to see what chance does; and of every point of a
tornado where luck varies."""

Floats = NDArray[np.float64]


class SensitivityError(SettingsError):
    """A sensitivity study that cannot be."""


@dataclass(frozen=True)
class Question:
    """What is varied, and how it is looked at."""

    data: Mapping[str, Any]
    """what the scenario's files say"""
    factors: tuple[Varied, ...]
    measures: tuple[str, ...]
    samples: int
    """rows of the samples A and B"""
    replications: int
    """of every point"""
    seed: int
    luck_varies: bool = False
    """whether every row has its own luck"""

    @property
    def names(self) -> list[str]:
        """All that varies: patterns of the factors, and perhaps luck."""
        return [*(factor.pattern for factor in self.factors), *([LUCK] if self.luck_varies else [])]

    def as_json(self) -> dict[str, Any]:
        """What determines the answer, beside scenario, seed and last day."""
        ranges = {
            factor.pattern: [factor.range.low, factor.range.high, factor.range.relative]
            for factor in self.factors
        }
        return {
            "measures": list(self.measures),
            "samples": self.samples,
            "replications": self.replications,
            "luck_varies": self.luck_varies,
            "ranges": ranges,
        }


def make_question(
    data: Mapping[str, Any],
    measures: Sequence[str],
    samples: int = DEFAULT_SAMPLES,
    replications: int = 1,
    seed: int = 1,
) -> Question:
    """The question for a scenario's data. Raises SensitivityError where there is none.

    Either end of each range must make a possible scenario.
    """
    if not 2 <= samples <= MOST_SAMPLES or samples & (samples - 1):
        raise SensitivityError(
            _(
                "--samples {samples:,}: the samples are balanced for 2, 4, 8, 16, 32, "
                "64, 128, ..., {most:,}"
            ).format(samples=samples, most=MOST_SAMPLES)
        )
    factors = tuple(varied(data))
    if not factors:
        raise SensitivityError(
            _(
                "the scenario gives no ranges: say in a table [ranges] between which "
                'values numbers may lie, such as "call_centre.redial_probability" = { '
                'low = 0.5, high = 0.9, source = "assumed" }'
            )
        )
    luck_varies = deliveries_vary(with_values(data, {}))
    question = Question(data, factors, tuple(measures), samples, replications, seed, luck_varies)
    for factor in factors:
        for share, end in ((0.0, "low"), (1.0, "high")):
            values = factor.at(share)
            try:
                with_values(data, values)
            except ScenarioError as error:
                path, value = next(iter(values.items()))
                raise SensitivityError(
                    _(
                        'ranges."{pattern}": at its {end} end, {path} = {value}, the scenario '
                        "cannot be:\n{error}"
                    ).format(
                        pattern=factor.pattern, end=end, path=path, value=shown(value), error=error
                    )
                ) from None
    return question


# Points ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Samples:
    """Two samples of the unit cube, [rows, factors]: shares of the ranges."""

    a: Floats
    b: Floats

    @classmethod
    def drawn(cls, question: Question) -> _Samples:
        from scipy.stats import qmc

        factors, power = len(question.names), question.samples.bit_length() - 1
        both = qmc.Sobol(2 * factors, rng=question.seed).random_base2(power)
        return cls(both[:, :factors], both[:, factors:])

    def mixed(self, rows: slice, group: Sequence[int]) -> Floats:
        """Rows of A with some factors taken from B."""
        taken = self.a[rows].copy()
        taken[:, group] = self.b[rows][:, group]
        return taken


class _Experiment:
    """Simulates the points that are asked for."""

    def __init__(self, question: Question, trials: Trials) -> None:
        self._question = question
        self._trials = trials
        self.points = 0

    def at(self, shares: Floats) -> Floats:
        """Mean of each measure at each point, [measures, points]. Raises SensitivityError."""
        return self._means([(self._scenario(row), self._replications(row)) for row in shares])

    def of(self, scenarios: Sequence[Scenario]) -> Floats:
        """Mean of each measure in each scenario, the same lucks for all, [measures, scenarios]."""
        question = self._question
        lucks = FEW_LUCKS if question.luck_varies else 1
        numbers = range(max(question.replications, lucks))
        return self._means([(scenario, numbers) for scenario in scenarios])

    def _means(self, wanted: Sequence[tuple[Scenario, range]]) -> Floats:
        self.points += len(wanted)
        names = list(self._question.measures)
        found = self._trials.all_measures(wanted)
        return np.array([frame[names].to_numpy().mean(axis=0) for frame in found]).T

    def _replications(self, shares: Floats) -> range:
        """Those of a point: the first ones, or those that its luck says."""
        n = self._question.replications
        first = n * int(shares[-1] * _LUCKS) if self._question.luck_varies else 0
        return range(first, first + n)

    def _scenario(self, shares: Floats) -> Scenario:
        values: dict[str, float] = {}
        factors = self._question.factors
        for factor, share in zip(factors, shares[: len(factors)], strict=True):
            values |= factor.at(float(share))
        try:
            return with_values(self._question.data, values)
        except ScenarioError as error:
            point = ", ".join(f"{path} = {shown(value)}" for path, value in values.items())
            raise SensitivityError(
                _("the ranges allow what cannot be together: {error}\nat the point {point}").format(
                    error=error, point=point
                )
            ) from None


# The answer -----------------------------------------------------------------------------------


def find(question: Question, trials: Trials) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """The answer and its tables: `indices`, `tornado`, `screening`, `samples`.

    Raises SensitivityError for a measure without value in the scenario as it is, and where values
    within the ranges cannot be together.
    """
    experiment = _Experiment(question, trials)
    samples = _Samples.drawn(question)
    luck = _luck(question, trials)
    tornado = _tornado(question, experiment)
    f_a, f_b = experiment.at(samples.a), experiment.at(samples.b)
    screening, alone, followed = _screened(question, experiment, samples, f_a, f_b)
    groups = _groups(question, followed)
    f_ab = np.array(
        [_rows_of(experiment, samples, group, alone, f_a.shape) for group in groups.values()]
    )
    indices = _indices(question, list(groups), f_a, f_b, f_ab)
    both = np.hstack([f_a, f_b])
    patterns = [question.names[i] for i in followed if question.names[i] != LUCK]
    answer = {
        "measure_first": {
            name: _first(indices[indices["measure"] == name], patterns)
            for name in question.measures
        },
        "followed": patterns,
        "spread": {
            name: _spread(values) for name, values in zip(question.measures, both, strict=True)
        },
        "luck": luck,
        "points": experiment.points,
        "simulated": trials.spent,
    }
    tables = {
        "indices": indices,
        "tornado": tornado,
        "screening": screening,
        "samples": _samples_table(question, samples, f_a, f_b),
    }
    return answer, tables


def _luck(question: Question, trials: Trials) -> dict[str, Any]:
    """Mean and standard deviation of each measure over replications of the scenario as it is."""
    n = max(question.replications, FEW_LUCKS)
    found = trials.measures(with_values(question.data, {}), range(n))
    for name in question.measures:
        if found[name].isna().any():
            raise SensitivityError(
                _(
                    "--measure {name}: it has no value in the scenario as it is (a day that "
                    "is not reached, or a share of nothing): choose another"
                ).format(name=name)
            )
    return {
        name: {
            "mean": mean_interval(found[name]).mean,
            "sd": float(found[name].std(ddof=1)),
            "replications": n,
        }
        for name in question.measures
    }


def _tornado(question: Question, experiment: _Experiment) -> pd.DataFrame:
    """Each measure with each factor at its ends, the others as they are."""
    ends = [factor.at(share) for factor in question.factors for share in (0.0, 1.0)]
    base, *found = experiment.of([with_values(question.data, values) for values in ({}, *ends)]).T
    rows = []
    for k, name in enumerate(question.measures):
        for i, factor in enumerate(question.factors):
            at_low, at_high = found[2 * i][k], found[2 * i + 1][k]
            rows.append(
                {
                    "measure": name,
                    "factor": factor.pattern,
                    "low": in_words(factor, 0.0),
                    "value": in_words(factor, None),
                    "high": in_words(factor, 1.0),
                    "at_low": at_low,
                    "at_value": base[k],
                    "at_high": at_high,
                }
            )
    return pd.DataFrame(rows)


def in_words(factor: Varied, share: float | None) -> str:
    """The values of a factor at a share of its range, or as they are, in words."""
    values = factor.values if share is None else factor.at(share)
    distinct = list(dict.fromkeys(values.values()))
    if len(distinct) == 1:
        return f"{distinct[0]:,.6g}"
    if share is None:
        return "× 1" if factor.range.relative else " / ".join(f"{v:,.6g}" for v in distinct)
    end = factor.range.low + share * (factor.range.high - factor.range.low)
    return f"× {end:g}"


def _screened(
    question: Question, experiment: _Experiment, samples: _Samples, f_a: Floats, f_b: Floats
) -> tuple[pd.DataFrame, dict[int, Floats], list[int]]:
    """The first rows with each factor alone taken from B, and who is followed through all.

    The share of a factor is Jansen's estimate of its total index, from those rows alone.
    """
    first = slice(0, min(SCREENING_ROWS, question.samples))
    number = len(question.names)
    points = np.vstack([samples.mixed(first, [i]) for i in range(number)])
    found = experiment.at(points).reshape(len(question.measures), number, -1)
    alone = {i: found[:, i] for i in range(number)}
    variance = np.hstack([f_a, f_b]).var(axis=1)
    changes = ((found - f_a[:, np.newaxis, first]) ** 2).mean(axis=2) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(variance[:, None] > 0, changes / variance[:, None], 0.0)
    greatest = shares.max(axis=0)
    order = [int(i) for i in np.argsort(-greatest, kind="stable")]
    factors = [i for i in order if question.names[i] != LUCK]
    followed = [i for i in factors if greatest[i] >= LEAST_SHARE][:MOST_FOLLOWED]
    if not followed or len(factors) - len(followed) == 1:  # a group of one is that factor
        followed = factors[: len(followed) + 1]
    followed += [i for i in order if question.names[i] == LUCK]
    rows = [
        {
            "measure": name,
            "factor": question.names[i],
            "total": shares[k, i],
            "followed": i in followed,
        }
        for k, name in enumerate(question.measures)
        for i in order
    ]
    return pd.DataFrame(rows), alone, followed


def _groups(question: Question, followed: Sequence[int]) -> dict[str, list[int]]:
    """Factors by name; those that are not followed are one."""
    groups = {question.names[i]: [i] for i in followed}
    others = [i for i in range(len(question.names)) if i not in followed]
    if others:
        groups[f"the other {len(others)} together"] = others
    return groups


def _rows_of(
    experiment: _Experiment,
    samples: _Samples,
    group: Sequence[int],
    alone: Mapping[int, Floats],
    shape: tuple[int, ...],
) -> Floats:
    """[measures, rows] with the group taken from B; what was simulated before is used."""
    found = np.empty(shape)
    done = 0
    if len(group) == 1:
        done = alone[group[0]].shape[1]
        found[:, :done] = alone[group[0]]
    if done < shape[1]:
        found[:, done:] = experiment.at(samples.mixed(slice(done, None), group))
    return found


def _indices(
    question: Question, names: Sequence[str], f_a: Floats, f_b: Floats, f_ab: Floats
) -> pd.DataFrame:
    """A row a measure and factor, the greatest first-order index first; NaN where undefined."""
    rows = []
    for k, measure in enumerate(question.measures):
        outcomes = f_a[k], f_b[k], f_ab[:, k]
        if any(np.isnan(values).any() for values in outcomes):
            empty = dict.fromkeys(_INDEX_COLUMNS, np.nan)
            rows += [{"measure": measure, "factor": name, **empty} for name in names]
            continue
        found = _named_indices(names, outcomes, question.seed)
        for name, index in sorted(found, key=lambda pair: -(pair[1].first.mean or 0.0)):
            numbers = (
                index.first.mean, index.first.low, index.first.high,
                index.total.mean, index.total.low, index.total.high, index.foremost,
            )  # fmt: skip
            values = dict(zip(_INDEX_COLUMNS, numbers, strict=True))
            rows.append({"measure": measure, "factor": name, **values})
    return pd.DataFrame(rows)


def _named_indices(
    names: Sequence[str], outcomes: tuple[Floats, Floats, Floats], seed: int
) -> list[tuple[str, SobolIndex]]:
    """Indices by name; luck takes no part in which factor is foremost: nobody can measure it."""
    f_a, f_b, f_ab = outcomes
    found: list[tuple[str, SobolIndex]] = []
    for chosen in ([name for name in names if name != LUCK], [n for n in names if n == LUCK]):
        if chosen:
            rows = f_ab[[names.index(name) for name in chosen]]
            found += zip(chosen, sobol_indices(f_a, f_b, rows, seed=seed), strict=True)
    return found


_INDEX_COLUMNS = (
    "first", "first_low", "first_high", "total", "total_low", "total_high", "foremost",
)  # fmt: skip


def _first(indices: pd.DataFrame, followed: Sequence[str]) -> dict[str, Any] | None:
    """The factor to be measured first, and what may be before it; None if nothing matters."""
    if indices["total"].isna().any() or not (indices["total"] > 0).any():
        return None
    best = indices[indices["factor"].isin(followed)].iloc[0]
    others = indices[~indices["factor"].isin([best["factor"], LUCK])]
    return {
        **{str(key): best[key] for key in ("factor", "first", "first_low", "first_high")},
        "sure": best["foremost"],
        "rivals": list(others.loc[others["foremost"] >= RIVAL, "factor"]),
    }


RIVAL = 0.05
"""Who is foremost in at least so many resamples may be the one to measure first."""


def _spread(values: Floats) -> dict[str, float]:
    """Where a measure lies while everything varies."""
    known = values[~np.isnan(values)]
    low, median, high = np.quantile(known, (0.05, 0.5, 0.95)) if known.size else [np.nan] * 3
    return {
        "low": float(low),
        "median": float(median),
        "high": float(high),
        "sd": float(known.std()) if known.size else np.nan,
        "undefined": int(values.size - known.size),
        "points": int(values.size),
    }


def _samples_table(question: Question, samples: _Samples, f_a: Floats, f_b: Floats) -> pd.DataFrame:
    """Both samples: the share of its range at which each factor is, and the measures."""
    shares, found = np.vstack([samples.a, samples.b]), np.hstack([f_a, f_b])
    table = {"sample": ["A"] * len(samples.a) + ["B"] * len(samples.b)}
    columns = {name: shares[:, i] for i, name in enumerate(question.names)}
    outcomes = {name: found[k] for k, name in enumerate(question.measures)}
    return pd.DataFrame({**table, **columns, **outcomes})
