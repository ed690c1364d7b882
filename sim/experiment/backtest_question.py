"""What a backtest is asked: numbers to be fitted, days to fit them to, days to predict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np

from sim.experiment.observed import Observed
from sim.experiment.settings import SettingsError
from sim.experiment.sources import Source
from sim.language import _, told_of_year
from sim.scenario import Scenario
from sim.scenario_errors import ScenarioError, did_you_mean
from sim.scenario_files import varied, with_values

DEFAULT_REPLICATIONS = 4
_LEAST_DAYS = 4
_MOST_FITTED = 6


@dataclass(frozen=True)
class Window:
    """From a day to a day, both included."""

    first: date
    last: date

    def __str__(self) -> str:
        """As on the command line."""
        return f"{self.first}:{self.last}"


def read_window(option: str, text: str) -> Window:
    """From a text such as 2021-07-01:2021-07-31. Raises SettingsError."""
    parts = [part.strip() for part in text.split(":")]
    if told := [said for part in parts if (said := told_of_year(part))]:
        raise SettingsError(f"{option} {text}: {'; '.join(told)}")
    try:
        first, last = map(date.fromisoformat, parts)
    except ValueError:
        raise SettingsError(
            _("{option} {text}: write it as FIRST:LAST, for example 2021-07-01:2021-07-31").format(
                option=option, text=text
            )
        ) from None
    if first > last:
        before = _("{option} {text}: {last} is before {first}")
        raise SettingsError(before.format(option=option, text=text, last=last, first=first))
    return Window(first, last)


@dataclass(frozen=True)
class Question:
    """What is fitted to which days, and which days are predicted."""

    source: Source
    observed: Observed
    calibrate: Window
    predict: Window
    data: Mapping[str, Any]
    """what the scenario's files say, with the ranges to be fitted"""
    patterns: tuple[str, ...]
    """of the ranges to be fitted"""
    replications: int = DEFAULT_REPLICATIONS
    """of each plausible point"""
    deliveries: Literal["scenario", "observed"] = "scenario"
    """observed: what the file says was allocated, on all its days, instead of later deliveries"""

    @classmethod
    def of(
        cls,
        source: Source,
        observed: Observed,
        calibrate: Window,
        predict: Window,
        fit: Sequence[str] = (),
        replications: int = DEFAULT_REPLICATIONS,
        deliveries: Literal["scenario", "observed"] = "scenario",
    ) -> Question:
        """Checked. Raises SettingsError for what cannot be, ScenarioError for the scenario."""
        campaign = source.scenario.campaign
        if predict.first <= calibrate.last:
            raise SettingsError(
                _(
                    "--predict {predict} must begin after --calibrate {calibrate} ends: no day can "
                    "be fitted and predicted"
                ).format(predict=predict, calibrate=calibrate)
            )
        if calibrate.first < campaign.first_day:
            raise SettingsError(
                _("--calibrate {calibrate} begins before the scenario's first day, {day}").format(
                    calibrate=calibrate, day=campaign.first_day
                )
            )
        if predict.last > campaign.horizon:
            raise SettingsError(
                _(
                    "--predict {predict} ends after the scenario's horizon: --set "
                    "campaign.horizon={last}"
                ).format(predict=predict, last=predict.last)
            )
        data = _with_ranges(source.data, fit)
        patterns = tuple(data["ranges"])
        for option, window, least in (
            ("--calibrate", calibrate, max(_LEAST_DAYS, len(patterns) // 2 + 2)),
            ("--predict", predict, 1),
        ):
            days = len(observed.between(window.first, window.last).days)
            if days < least:
                there = (
                    _("its days are {first} to {last}").format(
                        first=observed.days[0], last=observed.days[-1]
                    )
                    if observed.days
                    else _("it has none")
                )
                raise SettingsError(
                    _(
                        "{option} {window}: {file} has {days} observed days there, and {least} are "
                        "needed ({there})"
                    ).format(
                        option=option, window=window, file=observed.name, days=days, least=least,
                        there=there,
                    )
                )  # fmt: skip
        fitted = observed.between(calibrate.first, calibrate.last).doses
        if not np.ptp(fitted, axis=1).any():
            raise SettingsError(
                _(
                    "--calibrate {calibrate}: by {file} no dose was given there, so nothing can be "
                    "fitted to it: choose other days"
                ).format(calibrate=calibrate, file=observed.name)
            )
        if deliveries == "observed":
            _check_allocated(observed, source.scenario)
        return cls(source, observed, calibrate, predict, data, patterns, replications, deliveries)

    @property
    def seen(self) -> Observed:
        """All that may be known when the forecast is made."""
        return self.observed.between(date.min, self.calibrate.last)

    def as_json(self) -> dict[str, Any]:
        """What determines the answer, beside scenario and seed."""
        ranges = {name: self.data["ranges"][name] for name in self.patterns}
        return {
            "observed": self.observed.name,
            "observed_sha256": self.observed.digest,
            "calibrate": str(self.calibrate),
            "predict": str(self.predict),
            "fit": {
                name: [found["low"], found["high"], found.get("relative", False)]
                for name, found in ranges.items()
            },
            "replications": self.replications,
            "deliveries": self.deliveries,
        }


def _with_ranges(data: Mapping[str, Any], fit: Sequence[str]) -> dict[str, Any]:
    """The data with the ranges that are to be fitted and no others."""
    known = data.get("ranges", {})
    chosen: dict[str, Any] = {}
    if not fit:
        chosen = {name: found for name, found in known.items() if found.get("fitted")}
        if not chosen:
            raise SettingsError(
                _(
                    "nothing is to be fitted: name it with --fit PATH=LOW:HIGH, or say fitted = "
                    "true in [ranges] of the scenario"
                )
            )
    for text in fit:
        name, equals, ends = text.partition("=")
        name = name.strip()
        if not equals:
            if name not in known:
                raise SettingsError(
                    _(
                        "--fit {text}: the scenario gives no range for it: write --fit "
                        "PATH=LOW:HIGH{suggestion}"
                    ).format(text=text, suggestion=did_you_mean(name, known))
                )
            chosen[name] = known[name]
            continue
        try:
            low, high = (float(end) for end in ends.split(":"))
        except ValueError:
            raise SettingsError(
                _("--fit {text}: write it as PATH=LOW:HIGH").format(text=text)
            ) from None
        if not -np.inf < low < high < np.inf:
            below = _("--fit {text}: {low:g} must be below {high:g}")
            raise SettingsError(below.format(text=text, low=low, high=high))
        relative = known.get(name, {}).get("relative", False)
        chosen[name] = {"low": low, "high": high, "relative": relative, "source": "--fit"}
    if len(chosen) > _MOST_FITTED:
        raise SettingsError(
            _("{n} numbers are to be fitted; at most {most} can be: name them with --fit").format(
                n=len(chosen), most=_MOST_FITTED
            )
        )
    changed = {**data, "ranges": chosen, "not_varied": {}}
    found = {factor.pattern: factor for factor in varied(changed)}
    for name in chosen:
        if name not in found:
            raise SettingsError(
                _("--fit {name}: there is no such number in the scenario").format(name=name)
            )
        for share in (0.0, 1.0):
            values = found[name].at(share)
            try:
                with_values(changed, values)
            except ScenarioError as error:
                path, value = next(iter(values.items()))
                cannot_be = _("--fit {name}: {path} = {value} cannot be:\n{error}")
                raise SettingsError(
                    cannot_be.format(name=name, path=path, value=value, error=error)
                ) from None
    return changed


def _check_allocated(observed: Observed, scenario: Scenario) -> None:
    if not any(observed.allocated.values()):
        raise SettingsError(
            _(
                "--deliveries observed: {file} has no column allocated_VACCINE_cum with values: "
                "leave the option out"
            ).format(file=observed.name)
        )
    for vaccine, known in observed.allocated.items():
        if known and vaccine not in scenario.vaccines:
            raise SettingsError(
                _(
                    "--deliveries observed: allocated_{vaccine}_cum is of no vaccine of the "
                    "scenario{suggestion}; it has {vaccines}"
                ).format(
                    vaccine=vaccine,
                    suggestion=did_you_mean(vaccine, scenario.vaccines),
                    vaccines=", ".join(scenario.vaccines),
                )
            )
