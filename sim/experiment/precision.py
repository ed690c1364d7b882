"""How many replications are enough: until the confidence intervals are narrow enough."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sim.experiment.settings import Precision, SettingsError
from sim.experiment.statistics import mean_interval
from sim.language import _

LEAST = 3
"""Replications before the intervals are looked at."""
LOOK_AHEAD = 5
"""Replications through which the precision must hold once it is reached."""


class ReplicationsAlgorithm:
    """The replications algorithm of Hoad, Robinson and Davies.

    "Automated selection of the number of replications for a discrete-event simulation", *Journal
    of the Operational Research Society* 61 (2010), 1632-1644: replications are added until the
    half-width of the confidence interval is at most so large a share of the mean, and stays so
    through a look-ahead of 5 replications (above 100 replications: of 5 %), because an interval
    that is narrow by chance soon widens again. Here all measures must be precise at once.
    """

    def __init__(self, precision: Precision) -> None:
        self._precision = precision
        self._values: dict[str, list[float]] = {name: [] for name, _ in precision.measures}
        self.n = 0
        """replications so far"""
        self.reached_with: int | None = None
        """replications from which on all measures have been precise"""

    def add(self, measures: Mapping[str, float]) -> None:
        """Take the measures of the next replication.

        Raises SettingsError if a measure has no value in any of the first replications.
        """
        self.n += 1
        for name, values in self._values.items():
            values.append(float(measures[name]))
            if self.n == LEAST + LOOK_AHEAD and all(math.isnan(value) for value in values):
                raise SettingsError(
                    _(
                        "--precision {name}: it has no value in any of the first {n} replications"
                    ).format(name=name, n=self.n)
                )
        if not self._all_precise():
            self.reached_with = None
        elif self.reached_with is None:
            self.reached_with = self.n

    @property
    def done(self) -> bool:
        """Whether no more replications are needed, or allowed."""
        if self.n >= self._precision.at_most:
            return True
        found = self.reached_with
        return found is not None and self.n >= found + look_ahead(found)

    def _all_precise(self) -> bool:
        return self.n >= LEAST and all(
            self._is_precise(name, share) for name, share in self._precision.measures
        )

    def _is_precise(self, name: str, share: float) -> bool:
        """The half-width is within the share of the mean; the measure has a value everywhere."""
        found = mean_interval(self._values[name])
        if found.n < self.n or found.mean is None or found.half_width is None:
            return False
        return found.half_width <= share * abs(found.mean)


def look_ahead(n: int) -> int:
    """Replications through which a precision reached with n replications must hold."""
    return LOOK_AHEAD if n <= 100 else LOOK_AHEAD * n // 100
