"""How a scenario is studied: seed, replications, engine, workers.

Imports nothing that takes long to load, so that the command line can show its help at once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sim.language import _, told_of_year

if TYPE_CHECKING:
    from sim.scenario import Scenario

DEFAULT_SEED = 1
DEFAULT_REPLICATIONS = 5
DEFAULT_ENGINE = "compiled"
DEFAULT_MAX_POINTS = 1000
"""Points of a sweep unless more are allowed explicitly."""
DEFAULT_MOST = 1000
"""Replications at most, where a precision is asked for."""
DEFAULT_PRECISION_OF = ("first_doses_by_deadline", "fully_vaccinated_by_deadline")
"""Measures that a precision is for if nobody names one."""


class SettingsError(ValueError):
    """Settings that cannot be."""


def read_date(option: str, text: str | None) -> date | None:
    """The date that an option gives; None if it is not given. Raises SettingsError."""
    if text is None:
        return None
    if told := told_of_year(text):
        raise SettingsError(f"{option} {text}: {told}")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            _("{option} {text}: not a date; write it as YYYY-MM-DD, for example 2021-08-14").format(
                option=option, text=text
            )
        ) from None


@dataclass(frozen=True)
class Precision:
    """How narrow the confidence intervals of some measures should be."""

    measures: tuple[tuple[str, float], ...]
    """measure, and half-width of its interval as a share of its mean"""
    at_most: int = DEFAULT_MOST
    """replications"""

    def __post_init__(self) -> None:
        """Raise SettingsError for shares that cannot be, or a limit below the least number."""
        for name, share in self.measures:
            if not 0 < share < 1:
                raise SettingsError(
                    _(
                        "precision of {name} must lie between 0 and 100 %, not at {percent:g} %"
                    ).format(name=name, percent=100 * share)
                )
        if not self.measures:
            raise SettingsError(_("precision: of which measure?"))
        if not 3 <= self.at_most <= 10**6:
            raise SettingsError(
                _("with a precision, at most 3 to 1,000,000 replications, not {n:,}").format(
                    n=self.at_most
                )
            )

    @classmethod
    def of(cls, texts: Sequence[str], at_most: int | None = None) -> Precision:
        """From texts such as "0.5%" or "calls_offered=0.01". Raises SettingsError."""
        found: dict[str, float] = {}
        for text in texts:
            name, equals, value = text.rpartition("=")
            number = value.strip().removesuffix("%")
            try:
                share = float(number.encode("ascii")) / (100 if number != value.strip() else 1)
            except ValueError:
                raise SettingsError(
                    _("precision {text!r}: write it as 0.5% or MEASURE=0.5%").format(text=text)
                ) from None
            for measure in (name.strip(),) if equals else DEFAULT_PRECISION_OF:
                found[measure] = share
        return cls(tuple(sorted(found.items())), DEFAULT_MOST if at_most is None else at_most)


@dataclass(frozen=True)
class RunSettings:
    """How a scenario is studied. The results depend on all of it but who does the work."""

    seed: int = DEFAULT_SEED
    replications: int = DEFAULT_REPLICATIONS
    engine: str = DEFAULT_ENGINE
    workers: int | None = None
    """Replications at a time; None: one a core, but no more than replications."""
    until: date | None = None
    """Last day simulated, where that is before the horizon."""
    precision: Precision | None = None
    """Replications are added until this is reached; `replications` is then how many it took."""
    scheduler: str | None = None
    """Address of a dask scheduler whose workers do the work; None: this machine."""

    def __post_init__(self) -> None:
        """Raise SettingsError for settings that no scenario allows."""
        if not 0 <= self.seed < 2**64:
            raise SettingsError(
                _("seed must be between 0 and 2**64 - 1, not {seed}").format(seed=self.seed)
            )
        if not 1 <= self.replications <= 10**6:
            raise SettingsError(
                _("replications must be between 1 and 1,000,000, not {n:,}").format(
                    n=self.replications
                )
            )
        if self.workers is not None and self.workers < 1:
            raise SettingsError(_("workers must be at least 1, not {n}").format(n=self.workers))

    def check_against(self, scenario: Scenario) -> None:
        """Raise SettingsError for an unknown engine, or `until` outside the scenario's days."""
        from sim.engine import ENGINES

        if self.engine not in ENGINES:
            raise SettingsError(
                _("engine must be one of {engines}, not {engine!r}").format(
                    engines=", ".join(ENGINES), engine=self.engine
                )
            )
        for name, _half_width in self.precision.measures if self.precision else ():
            _check_measure(name, scenario)
        campaign = scenario.campaign
        if self.until is not None and not campaign.first_day <= self.until <= campaign.horizon:
            raise SettingsError(
                _(
                    "until must lie between the campaign's first day ({first_day}) and its "
                    "horizon ({horizon}), not on {day}"
                ).format(first_day=campaign.first_day, horizon=campaign.horizon, day=self.until)
            )

    def days(self, scenario: Scenario) -> int:
        """Days simulated in one replication."""
        campaign = scenario.campaign
        return ((self.until or campaign.horizon) - campaign.first_day).days + 1

    @property
    def most(self) -> int:
        """Replications at most."""
        return self.precision.at_most if self.precision else self.replications

    @property
    def workers_used(self) -> int:
        """Replications at a time."""
        return min(self.workers or available_cores(), self.most)


def _check_measure(name: str, scenario: Scenario) -> None:
    from sim.experiment.measures import known_measures
    from sim.scenario_errors import did_you_mean

    known = known_measures(scenario)
    if name not in known:
        raise SettingsError(
            _("precision: there is no measure {name!r}{suggestion}").format(
                name=name, suggestion=did_you_mean(name, known)
            )
        )


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
