"""A goal: what is to be reached, how much of it, by which day. "first_dose>=0.9 by 2021-08-14"

    MEASURE>=AMOUNT [by DATE]        or <= ; the date is the campaign's deadline if none is named

MEASURE is a coverage: `first_dose` or `full` (of the target), `population_first_dose` or
`population_full` (of all inhabitants, those vaccinated before the campaign included); AMOUNT is
then a share such as 0.9 or 90%. Or it is any measure of a campaign (`measures.py`), taken over the
days up to the date.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sim.experiment.coverage import Scope
from sim.experiment.measures import known_measures, measure
from sim.experiment.settings import RunSettings, SettingsError
from sim.language import N_, THAI_DIGITS, _, told_of_year
from sim.scenario import Scenario
from sim.scenario_errors import did_you_mean

COVERAGES: dict[str, Scope] = {
    "first_dose": "first",
    "full": "full",
    "population_first_dose": "first",
    "population_full": "full",
}
_PERSONS = {"first": "first_doses_by_end", "full": "fully_vaccinated_by_end"}
_FORM = re.compile(
    r"\s*(?P<measure>\w+)\s*(?P<comparison>>=|<=)\s*(?P<amount>[^\s%]+)\s*(?P<percent>%?)"
    r"(?:\s+by\s+(?P<by>\S+))?\s*"
)
_EXAMPLE = N_("write it as first_dose>=0.9 by 2021-08-14")


class GoalError(SettingsError):
    """A goal that says nothing, or that the scenario cannot have."""


@dataclass(frozen=True)
class Goal:
    """What is to be reached, by which day."""

    measure: str
    comparison: Literal[">=", "<="]
    amount: float
    """in the unit of the measure; a share for a coverage"""
    by: date

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.measure}{self.comparison}{self.amount:.12g} by {self.by}"

    @property
    def scope(self) -> Scope | None:
        """Which vaccination a coverage is about; None for other measures."""
        return COVERAGES.get(self.measure)

    @property
    def of_population(self) -> bool:
        """Whether it is a coverage of all inhabitants."""
        return self.measure in COVERAGES and self.measure.startswith("population_")

    @property
    def unit(self) -> str:
        """Unit of the amount."""
        return "share" if self.scope else measure(self.measure).unit

    @property
    def range(self) -> tuple[float, float]:
        """Least and greatest value that makes sense."""
        return (0.0, 1.0) if self.scope else measure(self.measure).range

    def settings(self, settings: RunSettings) -> RunSettings:
        """The settings for a simulation that ends with the goal's day."""
        from dataclasses import replace

        return replace(settings, until=self.by)

    def persons_needed(self, scenario: Scenario) -> int:
        """People of the target who must be vaccinated, for a coverage that is to be reached."""
        campaign = scenario.campaign
        whole = campaign.population if self.of_population else scenario.target
        before = campaign.vaccinated_before if self.of_population else 0
        return math.ceil(self.amount * whole - before - 1e-6)

    def value(self, measures: Mapping[str, float], scenario: Scenario) -> float:
        """What a replication that ended on the goal's day has reached; NaN if undefined.

        `measures` are those of the replication (a row of the table `replications`).
        """
        if self.scope is None:
            return float(measures[self.measure])
        return self.coverage(float(measures[_PERSONS[self.scope]]), scenario)

    def coverage(self, persons: float, scenario: Scenario) -> float:
        """The share that so many people of the target make, vaccinated as a coverage asks for."""
        if self.of_population:
            campaign = scenario.campaign
            return (persons + campaign.vaccinated_before) / campaign.population
        return persons / scenario.target

    def reached(self, measures: Mapping[str, float], scenario: Scenario) -> bool:
        """Whether a replication has reached it (an undefined value has not)."""
        value = self.value(measures, scenario)
        slack = 1e-9 * max(abs(self.amount), 1.0)  # shares are quotients of whole numbers
        if self.comparison == ">=":
            return value >= self.amount - slack
        return value <= self.amount + slack


def read_goal(text: str, scenario: Scenario) -> Goal:
    """The goal that a text says. Raises GoalError with what would be right."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise GoalError(_("goal {text!r}: {example}").format(text=text, example=_(_EXAMPLE)))
    name = found["measure"]
    known = [*COVERAGES, *known_measures(scenario)]
    if name not in known:
        raise GoalError(
            _(
                "goal {text!r}: there is no measure {name!r}{suggestion} Measures: {measures}"
            ).format(
                text=text,
                name=name,
                suggestion=did_you_mean(name, known, cutoff=0.7) or ".",
                measures=", ".join(known),
            )
        )
    try:
        number = found["amount"].translate(THAI_DIGITS).replace(",", "")
        amount = float(number) / (100 if found["percent"] else 1) if number.isascii() else math.nan
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount):
        raise GoalError(
            _("goal {text!r}: {amount} is no number; {example}").format(
                text=text, amount=found["amount"], example=_(_EXAMPLE)
            )
        )
    if name in COVERAGES and not 0 < amount <= 1:
        raise GoalError(
            _(
                "goal {text!r}: a coverage is a share above 0 and up to 1 (or 100%), not {amount:g}"
            ).format(text=text, amount=amount)
        )
    comparison: Literal[">=", "<="] = ">=" if found["comparison"] == ">=" else "<="
    if name in COVERAGES and comparison == "<=":
        raise GoalError(
            _("goal {text!r}: a coverage is to be reached: write {name}>={amount:g}").format(
                text=text, name=name, amount=amount
            )
        )
    campaign = scenario.campaign
    written = (found["by"] or "").translate(THAI_DIGITS)
    if told := told_of_year(written):
        raise GoalError(_("goal {text!r}: {told}").format(text=text, told=told))
    try:
        by = date.fromisoformat(written) if written else campaign.deadline
    except ValueError:
        raise GoalError(
            _("goal {text!r}: {date} is no date; {example}").format(
                text=text, date=found["by"], example=_(_EXAMPLE)
            )
        ) from None
    if not campaign.first_day <= by <= campaign.horizon:
        raise GoalError(
            _(
                "goal {text!r}: the date must lie between the campaign's first day "
                "({first_day}) and its horizon ({horizon})"
            ).format(text=text, first_day=campaign.first_day, horizon=campaign.horizon)
        )
    if name.endswith("_by_deadline") and by < campaign.deadline:
        raise GoalError(
            _("goal {text!r}: {name} is not known before the deadline ({deadline})").format(
                text=text, name=name, deadline=campaign.deadline
            )
        )
    return Goal(name, comparison, amount, by)
