"""The world of a campaign: frozen, validated models of everything that a scenario file can say.

Reading files (TOML, `extends`, overrides, errors with their lines) is in `scenario_files.py`.
Units are in the names: `..._minutes`, `..._days`, `..._hours`. Collections are tables by name,
so that every value has a dotted path (`unit_types.hospital.stations.vaccination.staff`).
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, time
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from sim.language import _

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Probability = Annotated[float, Field(ge=0, le=1)]
PositiveInt = Annotated[int, Field(ge=1, le=1_000_000_000)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Staff = Annotated[int, Field(ge=0, le=100_000)]
Days = Annotated[int, Field(ge=0, le=2000)]
Attempts = Annotated[int, Field(ge=1, le=1000)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
NOT_SAID = Field(exclude_if=lambda value: value is None)
"""What a file leaves out is left out again where the scenario is written."""


def time_of_day(value: object) -> int:
    """Minutes since midnight of "HH:MM" (or a TOML time); "24:00" is the end of the day.

    Raises ValueError for anything else.
    """
    if isinstance(value, time) and value.second == value.microsecond == 0:
        return value.hour * 60 + value.minute
    if isinstance(value, str) and re.fullmatch("[0-9]{1,2}:[0-5][0-9]", value):
        hours, minutes = map(int, value.split(":"))
        if hours * 60 + minutes <= 24 * 60:
            return hours * 60 + minutes
    raise ValueError(_('a time of day is written "HH:MM", from "00:00" to "24:00"'))


def clock(minutes: int) -> str:
    """A time of day, "HH:MM", from the minutes since midnight."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


TimeOfDay = Annotated[
    int,
    BeforeValidator(time_of_day),
    PlainSerializer(clock, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^([01]?\d|2[0-3]):[0-5]\d$|^24:00$"}),
]
"""Minutes since midnight; written "HH:MM"."""


def _date(value: object) -> object:
    """A date from its text, for scenarios stored as JSON; everything else unchanged."""
    if isinstance(value, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    return value


Date = Annotated[date, BeforeValidator(_date)]
"""A TOML date, or its text "YYYY-MM-DD"."""


COLLECT_CONTRADICTIONS = {"contradictions": "collect"}
"""Validation context: contradictions are left to `Part.contradictions`, which tells all."""


class ContradictionError(ValueError):
    """Values that are possible one by one but not together."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {message}" for path, message in problems))
        self.problems = problems
        """(dotted path below the part, what would be right) for each."""


class Part(BaseModel):
    """Common settings of every part of a scenario: frozen, strict, no unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        """Contradictions between the fields, as (dotted path below the part, what is right)."""
        return iter(())

    @model_validator(mode="after")
    def _has_no_contradictions(self, info: ValidationInfo) -> Self:
        if info.context is not COLLECT_CONTRADICTIONS:
            problems = list(self._contradictions())
            if problems:
                raise ContradictionError(problems)
        return self

    def contradictions(self) -> Iterator[tuple[str, str]]:
        """Contradictions here and in the parts below, as (dotted path, what would be right).

        Empty, unless the part was validated with the context `COLLECT_CONTRADICTIONS`.
        """
        yield from self._contradictions()
        for name in type(self).model_fields:
            value = getattr(self, name)
            below: Iterable[tuple[object, object]] = [(None, value)]
            if isinstance(value, dict):
                below = value.items()
            elif isinstance(value, list):
                below = enumerate(value)
            for key, part in below:
                if isinstance(part, Part):
                    start = name if key is None else dotted((name, str(key)))
                    for path, message in part.contradictions():
                        yield f"{start}.{path}", message


def dotted(path: Sequence[str | int]) -> str:
    """Path with dots, as TOML writes a key: names with other signs in quotes."""
    return ".".join(
        part if re.fullmatch("[A-Za-z0-9_-]+", part) else json.dumps(part, ensure_ascii=False)
        for part in map(str, path)
    )


# Distributions ------------------------------------------------------------------------------


class _Distribution(Part):
    ways: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Where there are several: the parameters by which it can be given."""

    shift: Finite = 0.0
    """Constant added to every value."""

    def given(self) -> dict[str, float]:
        """The parameters of `ways` that are given."""
        known = {name for way in self.ways for name in way}
        said = self.model_dump(by_alias=True)
        return {name: value for name, value in said.items() if name in known}

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        given = list(self.given())
        if self.ways and set(given) not in map(set, self.ways):
            yield (
                given[-1] if given[1:] else "distribution",
                _("a distribution of this kind is given by {ways}; here is {given}").format(
                    ways=_(", or ").join(map(_(" and ").join, self.ways)),
                    given=_(" and ").join(given) or _("none of them"),
                ),
            )

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        raise NotImplementedError

    def _base_mean(self) -> float:
        raise NotImplementedError

    def quantiles(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quantile function, in the unit of the field that holds the distribution."""
        return self._base(probabilities) + self.shift

    def mean(self) -> float:
        """Expected value, in the unit of the field that holds the distribution."""
        return self._base_mean() + self.shift


class Constant(_Distribution):
    """Always the same value."""

    distribution: Literal["constant"]
    value: Finite

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.full(probabilities.shape, float(self.value))

    def _base_mean(self) -> float:
        return self.value


class Uniform(_Distribution):
    """Between low and high."""

    distribution: Literal["uniform"]
    low: Finite
    high: Finite

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.low > self.high:
            yield "low", _("must not be above high, {high:g}").format(high=self.high)

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.low + (self.high - self.low) * probabilities

    def _base_mean(self) -> float:
        return (self.low + self.high) / 2


class Exponential(_Distribution):
    """Memoryless, by its mean or its rate (1 / mean)."""

    ways = (("mean",), ("rate",))

    distribution: Literal["exponential"]
    mean_value: Annotated[Positive | None, Field(alias="mean"), NOT_SAID] = None
    rate: Annotated[Positive | None, NOT_SAID] = None

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore"):
            return -self._base_mean() * np.log1p(-probabilities)

    def _base_mean(self) -> float:
        given = self.given()
        return given["mean"] if "mean" in given else 1 / given["rate"]


class Triangular(_Distribution):
    """Triangle over low ... high with its top at mode."""

    distribution: Literal["triangular"]
    low: Finite
    mode: Finite
    high: Finite

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.low >= self.high:
            yield "low", _("must be below high, {high:g}").format(high=self.high)
        elif not self.low <= self.mode <= self.high:
            yield (
                "mode",
                _("must lie between low and high, {low:g} and {high:g}").format(
                    low=self.low, high=self.high
                ),
            )

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        width = self.high - self.low
        rising = self.low + np.sqrt(probabilities * width * (self.mode - self.low))
        falling = self.high - np.sqrt((1 - probabilities) * width * (self.high - self.mode))
        return np.where(probabilities < (self.mode - self.low) / width, rising, falling)

    def _base_mean(self) -> float:
        return (self.low + self.mode + self.high) / 3


class Normal(_Distribution):
    """Normal, truncated below `minimum` (zero unless said otherwise).

    `mean` and `sd` are those before truncation.
    """

    distribution: Literal["normal"]
    mean_value: Annotated[Finite, Field(alias="mean")]
    sd: Positive
    minimum: Finite = 0.0

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        highest = self.mean_value + 5 * self.sd
        if self.minimum > highest:
            yield (
                "minimum",
                _("must not be more than 5 sd above the mean, {highest:g}").format(highest=highest),
            )

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy.special import ndtr, ndtri

        cut = ndtr((self.minimum - self.mean_value) / self.sd)
        values: NDArray[np.float64] = self.mean_value + self.sd * ndtri(
            cut + (1 - cut) * probabilities
        )
        return np.maximum(values, self.minimum)

    def _base_mean(self) -> float:
        from scipy.special import ndtr

        z = (self.minimum - self.mean_value) / self.sd
        density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return float(self.mean_value + self.sd * density / ndtr(-z))


def _cv(given: Mapping[str, float]) -> float:
    return given["cv"] if "cv" in given else given["sd"] / given["mean"]


class Lognormal(_Distribution):
    """Lognormal, by its mean and coefficient of variation (cv = sd / mean) or sd, or by its median
    (or its logarithm mu) and the sd sigma of the logarithm."""

    ways = (("mean", "cv"), ("mean", "sd"), ("median", "sigma"), ("mu", "sigma"))

    distribution: Literal["lognormal"]
    mean_value: Annotated[Positive | None, Field(alias="mean"), NOT_SAID] = None
    cv: Annotated[Positive | None, NOT_SAID] = None
    sd: Annotated[Positive | None, NOT_SAID] = None
    median: Annotated[Positive | None, NOT_SAID] = None
    mu: Annotated[Finite | None, NOT_SAID] = None
    sigma: Annotated[Positive | None, NOT_SAID] = None

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy.special import ndtri

        location, spread = self._of_logarithm()
        return np.exp(location + spread * ndtri(probabilities))

    def _base_mean(self) -> float:
        location, spread = self._of_logarithm()
        return self.given().get("mean") or math.exp(location + spread**2 / 2)

    def _of_logarithm(self) -> tuple[float, float]:
        """Mean and sd of the logarithm."""
        given = self.given()
        if "sigma" in given:
            return given["mu"] if "mu" in given else math.log(given["median"]), given["sigma"]
        variance = math.log1p(_cv(given) ** 2)
        return math.log(given["mean"]) - variance / 2, math.sqrt(variance)


class Gamma(_Distribution):
    """Gamma, by its mean and coefficient of variation (cv = sd / mean) or sd, or by its shape and
    scale (mean / shape) or mean; a whole shape k makes it Erlang-k."""

    ways = (("mean", "cv"), ("mean", "sd"), ("shape", "scale"), ("mean", "shape"))

    distribution: Literal["gamma"]
    mean_value: Annotated[Positive | None, Field(alias="mean"), NOT_SAID] = None
    cv: Annotated[Positive | None, NOT_SAID] = None
    sd: Annotated[Positive | None, NOT_SAID] = None
    shape: Annotated[Positive | None, NOT_SAID] = None
    scale: Annotated[Positive | None, NOT_SAID] = None

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy.special import gammaincinv

        given = self.given()
        shape = given["shape"] if "shape" in given else 1 / _cv(given) ** 2
        return np.asarray(gammaincinv(shape, probabilities) * self._base_mean() / shape)

    def _base_mean(self) -> float:
        given = self.given()
        return given["mean"] if "mean" in given else given["shape"] * given["scale"]


class Weibull(_Distribution):
    """Weibull, by its shape and its mean or scale (of which 63.2 % are below)."""

    ways = (("mean", "shape"), ("shape", "scale"))

    distribution: Literal["weibull"]
    mean_value: Annotated[Positive | None, Field(alias="mean"), NOT_SAID] = None
    shape: Annotated[Positive | None, NOT_SAID] = None
    scale: Annotated[Positive | None, NOT_SAID] = None

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        given = self.given()
        scale = given["scale"] if "scale" in given else given["mean"] / self._mean_by_scale()
        with np.errstate(divide="ignore"):
            return np.asarray(scale * (-np.log1p(-probabilities)) ** (1 / given["shape"]))

    def _base_mean(self) -> float:
        given = self.given()
        return given["mean"] if "mean" in given else given["scale"] * self._mean_by_scale()

    def _mean_by_scale(self) -> float:
        return math.gamma(1 + 1 / self.given()["shape"])


class Empirical(_Distribution):
    """Observed values; piecewise linear between the ordered values (Law, 2015, section 6.2.4).

    With weights it is discrete: each value as often as its weight says, and nothing between them.
    """

    distribution: Literal["empirical"]
    values: Annotated[list[Finite], Field(min_length=2)]
    weights: Annotated[list[Positive], Field(max_length=4096)] | None = None
    """One for each value, of any sum: the values of a published table, and nothing between them."""

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.weights is not None and len(self.weights) != len(self.values):
            yield (
                "weights",
                _("must be as many as the values, {values}; they are {weights}").format(
                    values=len(self.values), weights=len(self.weights)
                ),
            )

    def steps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Values, ascending, and their shares; None without weights."""
        if self.weights is None:
            return None
        values, weights = np.asarray(self.values, dtype=np.float64), np.asarray(self.weights)
        order = np.argsort(values, kind="stable")
        return values[order] + self.shift, weights[order] / weights.sum()

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        if (steps := self.steps()) is not None:
            values, shares = steps
            place = np.searchsorted(np.cumsum(shares), probabilities)
            return values[np.minimum(place, values.size - 1)] - self.shift
        ordered = np.sort(np.asarray(self.values, dtype=np.float64))
        return np.interp(probabilities, np.linspace(0, 1, ordered.size), ordered)

    def _base_mean(self) -> float:
        if self.weights is not None:
            return float(np.average(self.values, weights=self.weights))
        ordered = np.sort(np.asarray(self.values, dtype=np.float64))
        return float(((ordered[1:] + ordered[:-1]) / 2).mean())


def _number_is_constant(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"distribution": "constant", "value": value}
    return value


_DistributionTable = Annotated[
    Constant
    | Uniform
    | Exponential
    | Triangular
    | Normal
    | Lognormal
    | Gamma
    | Weibull
    | Empirical,
    Field(discriminator="distribution"),
]

Distribution = Annotated[
    _DistributionTable,
    BeforeValidator(_number_is_constant, json_schema_input_type=float | _DistributionTable),
]
"""A distribution, or a plain number for a constant."""


# Calendars and staff ------------------------------------------------------------------------


class Opening(Part):
    """When a place is open."""

    open_days: Annotated[list[Weekday], Field(min_length=1)]
    """Days of the week."""
    closed_dates: list[Date] = []
    """Dates on which it stays closed all the same."""
    opens: TimeOfDay
    """Opening time."""
    closes: TimeOfDay
    """Closing time; nobody is admitted from then on."""

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.opens >= self.closes:
            yield "opens", _("must be before closes, {time}").format(time=clock(self.closes))

    def is_open(self, day: date) -> bool:
        """Whether the calendar has it open on that date."""
        return WEEKDAYS[day.weekday()] in self.open_days and day not in self.closed_dates


def _in_opening_hours(weights: list[float], place: Opening) -> list[float]:
    """Of 24 weights by hour of the day those of the opening hours."""
    return weights[place.opens // 60 : -(-place.closes // 60)]


class Shift(Part):
    """A number of staff from one time of day to another."""

    start: TimeOfDay
    """When they begin."""
    end: TimeOfDay
    """When they end."""
    staff: Staff
    """How many they are."""

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.start >= self.end:
            yield "start", _("must be before end, {time}").format(time=clock(self.end))


# The telephone ------------------------------------------------------------------------------

CALL_TIMES = (
    "patience_minutes",
    "booking_call_minutes",
    "inquiry_call_minutes",
    "booking_wrap_up_minutes",
    "inquiry_wrap_up_minutes",
)
"""Keys of the call centre that a group may have of its own."""

MOST_CALL_TYPES = 127
"""Calls of different times that an engine can tell apart."""


class Pool(Part):
    """Agents who speak the same languages."""

    languages: Annotated[list[Name], Field(min_length=1)]
    """Languages spoken by every agent of the pool."""
    agents: Staff
    """Agents on duty through the opening hours (not used where `shifts` are given)."""
    shifts: list[Shift] = []
    """Agents on duty by time of day; overlapping shifts add up."""
    breaks: list[Shift] = []
    """Agents away by time of day (`staff` = number away)."""


class CallCentre(Opening):
    """The booking call centre."""

    first_day: Date
    """First day on which calls are taken."""
    last_day: Date
    """Last day on which calls are taken."""
    lines: PositiveInt
    """Trunk lines: callers talking and waiting at one time; the next hears the busy signal."""
    at_closing: Literal["serve", "cut_off"]
    """Callers still waiting at closing are served, or told to call again."""
    agent_choice: Annotated[Literal["fewest_languages", "random"] | None, NOT_SAID] = None
    """Which free agent takes an arriving call: one of the pool with the fewest languages, then the
    first in the file, or any who speaks its language; left out, fewest_languages."""
    answer_target_seconds: Positive = 20.0
    """Waits up to this count as answered in time (service level)."""
    patience_minutes: Distribution
    """How long a caller waits in the queue."""
    booking_call_minutes: Distribution
    """Handle time of a booking call: talk, data entry, and after-call work if that is not given
    apart. It holds the agent and the line until it ends."""
    inquiry_call_minutes: Distribution
    """Handle time of a call that only asks."""
    booking_wrap_up_minutes: Annotated[Distribution | None, NOT_SAID] = None
    """After-call work of a booking call: it holds the agent when the line is free again; left out,
    none."""
    inquiry_wrap_up_minutes: Annotated[Distribution | None, NOT_SAID] = None
    """After-call work of a call that only asks; left out, none."""
    redial_probability: Probability
    """After a busy signal or giving up waiting, the caller tries again."""
    redial_after_busy_probability: Probability | None = None
    """After a busy signal; left out, `redial_probability`."""
    redial_delay_minutes: Distribution
    """How long after a busy signal or giving up waiting the caller tries again."""
    redial_after_busy_delay_minutes: Annotated[Distribution | None, NOT_SAID] = None
    """How long after a busy signal; left out, `redial_delay_minutes`."""
    reconnect_probability: Probability = 0.0
    """Who has been answered calls again on the same day (and books nothing more)."""
    reconnect_delay_minutes: Distribution = Constant(distribution="constant", value=0.0)
    """How long after an answered call the caller calls again."""
    another_day_probability: Probability = 0.0
    """Who does not redial calls again on another day with this probability, else never."""
    keeps_patience: Annotated[bool | None, NOT_SAID] = None
    """A caller who tries again waits as long as at the first attempt; left out (or false), patience
    is drawn anew for every call."""
    attempts_per_day: Attempts
    """Most attempts of a person on one day."""
    attempts_in_all: Attempts
    """After so many attempts a person gives up for good."""
    inquiries_per_person: Probability
    """Share of the willing who make a call that only asks."""
    call_times: Annotated[list[NonNegative], Field(min_length=24, max_length=24)]
    """Relative number of calls in each hour of the day, 24 weights from midnight."""
    weekday_calls: Annotated[list[NonNegative], Field(min_length=7, max_length=7)]
    """Relative number of first calls on Monday ... Sunday."""
    pools: Annotated[dict[Name, Pool], Field(min_length=1)]

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        yield from super()._contradictions()
        if self.first_day > self.last_day:
            yield "first_day", _("must not be after last_day, {day}").format(day=self.last_day)
        if not any(self.weekday_calls):
            yield "weekday_calls", _("must not be 0 on every day")
        if not any(_in_opening_hours(self.call_times, self)):
            yield "call_times", _("must not be 0 in every opening hour")

    def takes_calls(self, day: date) -> bool:
        """Whether the centre is open on that date."""
        return self.first_day <= day <= self.last_day and self.is_open(day)

    @property
    def work_minutes(self) -> tuple[float, float]:
        """An agent's time for a booking call and for one that only asks, on average."""
        booking, inquiry = self.booking_call_minutes.mean(), self.inquiry_call_minutes.mean()
        after, asked = self.booking_wrap_up_minutes, self.inquiry_wrap_up_minutes
        return (
            booking + (after.mean() if after else 0.0),
            inquiry + (asked.mean() if asked else 0.0),
        )

    def for_group(self, group: Group) -> CallCentre:
        """As the callers of a group find it: with the times that the group has of its own."""
        return self.model_copy(update=dict(group.own_call_times()))


class CallType(NamedTuple):
    """What tells calls apart."""

    patience_minutes: _Distribution
    call_minutes: _Distribution
    wrap_up_minutes: _Distribution


class OtherChannels(Part):
    """Hospital desks, employers, volunteers: they book without a queue, so many a day."""

    first_day: Date
    """First day on which bookings are taken."""
    last_day: Date
    """Last day on which bookings are taken."""
    open_days: Annotated[list[Weekday], Field(min_length=1)]
    """Days of the week."""
    bookings_per_day: Count
    """Most people registered on one day."""

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.first_day > self.last_day:
            yield "first_day", _("must not be after last_day, {day}").format(day=self.last_day)

    def is_open(self, day: date) -> bool:
        """Whether bookings are taken on that date."""
        return self.first_day <= day <= self.last_day and WEEKDAYS[day.weekday()] in self.open_days


# People -------------------------------------------------------------------------------------


class DemandWave(Part):
    """One wave of first calls: nothing before `opens`, then exponential decay."""

    opens: Date
    """Nobody of the wave calls before this day."""
    share: Probability
    """Share of the group's people who call in this wave."""
    mean_days: Positive
    """Mean delay after `opens`."""


class AlreadyVaccinated(Part):
    """People of a group who have had doses before the campaign starts."""

    people: PositiveInt
    """How many of the group."""
    doses: Literal[1, 2]
    """Doses that each of them has had."""
    regimen: Name
    """Regimen that they have begun."""
    first_dose_from: Date
    """First doses are spread evenly from this day on."""
    first_dose_to: Date
    """First doses are spread evenly up to this day."""

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.first_dose_from > self.first_dose_to:
            yield (
                "first_dose_from",
                _("must not be after first_dose_to, {day}").format(day=self.first_dose_to),
            )


class Group(Part):
    """People with the same turn, language and habits."""

    people: Annotated[int, Field(ge=0, le=200_000_000)]
    """People of the target in the group."""
    language: Name
    """Language in which they call."""
    turn_from: Date
    """First day on which the group may be vaccinated."""
    willing: Probability
    """Share who want to be vaccinated."""
    booked_in_advance: bool = False
    """Registered before the campaign: no call is needed."""
    telephone_share: Probability = 1.0
    """Share of the willing who book by telephone; the rest use other channels."""
    books_when_answered: Probability = 1.0
    """Probability that an answered booking call ends in a booking."""
    patience_minutes: Annotated[Distribution | None, NOT_SAID] = None
    """How long its callers wait in the queue; left out, as call_centre says."""
    booking_call_minutes: Annotated[Distribution | None, NOT_SAID] = None
    """Handle time of its booking calls; left out, as call_centre says."""
    inquiry_call_minutes: Annotated[Distribution | None, NOT_SAID] = None
    """Handle time of its calls that only ask; left out, as call_centre says."""
    booking_wrap_up_minutes: Annotated[Distribution | None, NOT_SAID] = None
    """After-call work of its booking calls; left out, as call_centre says."""
    inquiry_wrap_up_minutes: Annotated[Distribution | None, NOT_SAID] = None
    """After-call work of its calls that only ask; left out, as call_centre says."""
    first_calls: list[DemandWave] = []
    """When people first call (or come to another channel)."""
    already_vaccinated: list[AlreadyVaccinated] = []
    """Those of them who have had doses before."""

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.people and not self.first_calls and not self.booked_in_advance:
            yield "first_calls", _("must have at least one wave, or booked_in_advance = true")
        total = sum(wave.share for wave in self.first_calls)
        if self.first_calls and abs(total - 1) > 1e-9:
            yield "first_calls", _("the shares must sum to 1, not {total:g}").format(total=total)
        before = sum(entry.people for entry in self.already_vaccinated)
        if before > self.people:
            yield (
                "already_vaccinated",
                _("{before:,} people are more than the {people:,} there").format(
                    before=before, people=self.people
                ),
            )

    def own_call_times(self) -> Iterator[tuple[str, _Distribution]]:
        """Key and value of those CALL_TIMES that the group has of its own."""
        for key in CALL_TIMES:
            if (own := getattr(self, key)) is not None:
                yield key, own


# Doses --------------------------------------------------------------------------------------


class Vaccine(Part):
    """A vaccine in vials."""

    doses_per_vial: PositiveInt
    """Doses on the label; deliveries are counted in these."""
    extra_doses_per_vial: Annotated[int, Field(ge=0, le=20)] = 0
    """Further doses that low-dead-space syringes draw from each vial."""
    open_vial_hours: Positive
    """An opened vial is discarded after this time, and at the end of the session anyway."""
    storage_loss: Probability = 0.0
    """Share of delivered vials lost before use (breakage, cold chain)."""


class Regimen(Part):
    """Which vaccine first, which second, how far apart."""

    first: Name
    """Vaccine of the first dose."""
    second: Name | None = None
    """None: one dose completes it."""
    min_days: Days = 0
    """A second dose is never given sooner."""
    target_days: Days = 0
    """The second appointment is not looked for sooner."""
    first_dose_from: Date | None = None
    """First doses from this day on belong to the regimen."""
    first_dose_until: Date | None = None
    """First doses up to this day belong to the regimen."""

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.min_days > self.target_days:
            yield (
                "target_days",
                _("must not be below min_days, {min_days}").format(min_days=self.min_days),
            )
        begin, end = self.first_dose_from, self.first_dose_until
        if begin and end and begin > end:
            yield "first_dose_from", _("must not be after first_dose_until, {day}").format(day=end)

    def begins_on(self, day: date) -> bool:
        """Whether a first dose on that date belongs to the regimen."""
        return (self.first_dose_from is None or day >= self.first_dose_from) and (
            self.first_dose_until is None or day <= self.first_dose_until
        )


class Delivery(Part):
    """Doses that arrive at the provincial store."""

    vaccine: Name
    """Which vaccine."""
    arrives: Date
    """Day of arrival at the provincial store."""
    doses: Count
    """Doses by the label."""
    announced_arrival: Date | None = None
    """Date that the province was told (default: `arrives`)."""
    announced_doses: Count | None = None
    """Number that the province was told (default: `doses`)."""
    delay_days: Distribution = Constant(distribution="constant", value=0.0)
    """Delay after `arrives`, rounded to whole days."""
    fraction_delivered: Distribution = Constant(distribution="constant", value=1.0)
    """Share of `doses` that really arrives."""


class Supply(Part):
    """From the provincial store to the units, and which dose comes first."""

    allocation: Literal["by_bookings", "by_capacity", "equally", "fixed_shares"]
    """How the store's vials are shared among the units."""
    fixed_shares: dict[Name, NonNegative] = {}
    """By unit, for allocation = "fixed_shares"."""
    shipment_days: Annotated[list[Weekday], Field(min_length=1)]
    """Days of the week on which the store ships."""
    second_dose_policy: Literal["first_doses_first", "second_doses_first", "as_booked", "reserve"]
    """first_doses_first: second appointments are made `second_dose_notice_days` ahead, from doses
    that no registered first dose wants. second_doses_first: as far ahead, before first doses get
    any. as_booked: made at the first dose, like any booking.
    reserve: as as_booked, and a first dose is only booked if a second can be set aside."""
    second_dose_notice_days: Days = 14
    """How many days before they are due second appointments are looked for."""


# Appointments and units ---------------------------------------------------------------------


class Appointments(Part):
    """How slots are given and what people make of them."""

    stock_rule: Literal["announced", "on_hand", "ignore"]
    """Book against announced deliveries, only against stock on hand, or without looking. Stock on
    hand is promised to whoever books first, for any day of the window: people whose turn comes
    later can so take doses that those whose turn it is would need (a shorter window prevents it).
    """
    window_days: PositiveInt
    """How many days ahead appointments can be made."""
    home_unit_tolerance_days: Days
    """Longest acceptable delay for a slot at the home unit (then at a unit of the district)."""
    overbooking: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Slots given beyond capacity, as a share."""
    second_dose_slots: Probability | None = None
    """Share of each day's slots kept for second doses, closed to first ones; left out, a slot goes
    to whichever dose books it first."""
    block_minutes: Count = 0
    """Appointments in blocks of so many minutes; 0: one by one."""
    no_show: Probability
    """Share of appointments that are missed."""
    rebook_after_no_show: Probability
    """Share of those who missed one and book again."""
    rebook_after_turned_away: Probability
    """After no dose, closing or a wait that was too long."""
    punctuality_minutes: Distribution
    """Arrival after (before: negative) the appointment."""
    waiting_tolerance_minutes: Distribution
    """Longest wait at any one station before a patient leaves."""


class Station(Part):
    """One station of a unit."""

    kind: Literal["service", "vaccination", "observation"] = "service"
    """vaccination: gives the dose; observation: a stay in a seat after it."""
    staff: Staff
    """Staff (seats, at an observation station) through the opening hours."""
    shifts: list[Shift] = []
    """Staff by time of day instead; overlapping shifts add up."""
    breaks: list[Shift] = []
    """Staff away by time of day (`staff` = number away)."""
    minutes: Distribution
    """Service time; at an observation station the stay, counted from the jab."""
    share: Probability = 1.0
    """Share of patients who visit the station."""
    walk_minutes: Distribution = Constant(distribution="constant", value=0.0)
    """Walk to the station."""
    overtime_minutes: NonNegative = 60.0
    """How long after closing a service may still start."""
    adverse_event_probability: Probability = 0.0
    """Observation only: share whose stay is prolonged."""
    adverse_event_minutes: Distribution = Constant(distribution="constant", value=0.0)
    """By how much their stay is prolonged."""

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.kind == "vaccination" and self.share != 1:
            yield "share", _("must be 1: everybody visits the vaccination station")
        if not self.staff and not any(shift.staff for shift in self.shifts):
            yield "staff", _("nobody works here: must be at least 1, at least in one of the shifts")
        if self.kind != "observation" and self.adverse_event_probability:
            yield "adverse_event_probability", _('belongs to a station of kind = "observation"')


class UnitType(Opening):
    """What units of one type have in common; any unit can override any of it."""

    slots_per_day: Count | None = None
    """Appointments a day; left out, the nominal throughput of the staff."""
    walk_ins_per_day: NonNegative = 0.0
    """Mean of a Poisson number of people without appointment."""
    walk_in_times: Annotated[list[NonNegative], Field(min_length=24, max_length=24)] | None = None
    """Relative number of them in each hour of the day, 24 weights from midnight; left out, the
    same in all opening hours."""
    refrigerator_doses: PositiveInt | None = None
    """Most (labelled) doses that the unit can store; left out: no limit."""
    stations: Annotated[dict[Name, Station], Field(min_length=1)]
    """In the order in which patients visit them. A file that adds some to those of another says
    where by naming the next one, too."""

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        yield from super()._contradictions()
        if self.walk_in_times and not any(_in_opening_hours(self.walk_in_times, self)):
            yield "walk_in_times", _("must not be 0 in every opening hour")
        kinds = [station.kind for station in self.stations.values()]
        if kinds.count("vaccination") != 1:
            yield (
                "stations",
                _('exactly one must have kind = "vaccination", not {number}').format(
                    number=kinds.count("vaccination")
                ),
            )
        elif "observation" in kinds[: kinds.index("vaccination")]:
            yield "stations", _("observation must come after vaccination")
        for name, station in self.stations.items():
            if station.shifts and not any(
                shift.staff and shift.start < self.closes and shift.end > self.opens
                for shift in station.shifts
            ):
                yield (
                    f"stations.{name}.shifts",
                    _("nobody works between {opens} and {closes}").format(
                        opens=clock(self.opens), closes=clock(self.closes)
                    ),
                )


class Unit(UnitType):
    """One vaccination unit: its type's fields (merged in), and its own."""

    type: Name
    """Whose fields it has, unless it says otherwise."""
    district: Name
    """Where it is."""
    title: str = ""
    """Name for people."""
    catchment_weight: NonNegative | None = None
    """Share of the district's people whose home unit it is; left out: by slots."""


class Campaign(Part):
    """Dates, goals and what counts."""

    province: str
    """Name of the province."""
    first_day: Date
    """First day simulated."""
    vaccination_from: Date
    """No unit vaccinates before."""
    deadline: Date
    """Day by which everyone is to be vaccinated."""
    horizon: Date
    """Last day simulated."""
    population: PositiveInt
    """Inhabitants, for coverage of the whole population."""
    vaccinated_before: Count
    """Inhabitants vaccinated before the campaign and outside its target."""
    coverage_goal: Probability
    """Share of all inhabitants that is to be reached."""
    complete_with: Literal["all_doses", "one_dose"]
    """What counts as fully vaccinated."""
    protected_after_days: Days = 0
    """Days after the last dose from which a person counts as fully vaccinated."""

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        days = (self.horizon - self.first_day).days + 1
        if self.first_day > self.deadline:
            yield "deadline", _("must not be before first_day, {day}").format(day=self.first_day)
        if self.deadline > self.horizon:
            yield "horizon", _("must not be before the deadline, {day}").format(day=self.deadline)
        elif days > 2000:
            yield (
                "horizon",
                _("is {days:,} days from first_day; at most 2,000 can be simulated").format(
                    days=days
                ),
            )
        if not self.first_day <= self.vaccination_from <= self.horizon:
            yield (
                "vaccination_from",
                _("must lie between first_day and horizon, {first_day} and {horizon}").format(
                    first_day=self.first_day, horizon=self.horizon
                ),
            )
        if self.horizon.year > 2200:
            yield "horizon", _("must not be after the year 2200")
        if self.vaccinated_before > self.population:
            yield (
                "vaccinated_before",
                _("must not exceed the population, {population:,}").format(
                    population=self.population
                ),
            )


class Range(Part):
    """Between which values a number that is not known for sure may lie."""

    low: Finite
    high: Finite
    relative: bool = False
    """Ends are multiples of the value, such as 0.5 and 2.0, and not values themselves."""
    fitted: bool = False
    """The value is fitted to observed days within the range (`vaxsim backtest`)."""
    source: Annotated[str, Field(min_length=1)]
    """Where the range comes from, or "assumed" and why."""

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.low >= self.high:
            yield "low", _("must be below high, {high:g}").format(high=self.high)


class Scenario(Part):
    """A whole campaign."""

    title: str
    description: str = ""
    campaign: Campaign
    districts: Annotated[dict[Name, NonNegative], Field(min_length=1)]
    """Share of every group's people who live in each district."""
    groups: Annotated[dict[Name, Group], Field(min_length=1, max_length=200)]
    call_centre: CallCentre
    other_channels: OtherChannels
    vaccines: Annotated[dict[Name, Vaccine], Field(min_length=1)]
    regimens: Annotated[dict[Name, Regimen], Field(min_length=1)]
    """In order of preference for first doses."""
    deliveries: dict[Name, Delivery] = {}
    supply: Supply
    appointments: Appointments
    unit_types: Annotated[dict[Name, UnitType], Field(min_length=1)]
    units: Annotated[dict[Name, Unit], Field(min_length=1)]
    sources: dict[str, str] = {}
    """Where each number comes from, by dotted path or pattern (`unit_types.*.opens`)."""
    ranges: dict[str, Range] = {}
    """How far numbers may be off, by dotted path or pattern; all that a pattern matches move
    together."""
    not_varied: dict[str, str] = {}
    """Why a number has no range or keeps its value all the same, by dotted path or pattern."""

    @model_validator(mode="before")
    @classmethod
    def _units_inherit(cls, data: Any) -> Any:
        return with_inherited_units(data) if isinstance(data, Mapping) else data

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        campaign, supply = self.campaign, self.supply
        needed = self.target + campaign.vaccinated_before
        if not self.target:
            yield "groups", _("must have people: all groups are empty")
        if needed > campaign.population:
            yield (
                "campaign.population",
                _(
                    "must be at least {needed:,}: the people of all groups and vaccinated_before"
                ).format(needed=needed),
            )
        yield from _must_sum_to_one("districts", self.districts)
        for district, share in self.districts.items():
            if share and all(unit.district != district for unit in self.units.values()):
                yield f"districts.{district}", _("people live there, but no unit is there: add one")
        for name, group in self.groups.items():
            if group.turn_from > campaign.horizon:
                yield (
                    f"groups.{name}.turn_from",
                    _("must not be after campaign.horizon, {day}").format(day=campaign.horizon),
                )
            for i, wave in enumerate(group.first_calls):
                if wave.opens > campaign.horizon:
                    yield (
                        f"groups.{name}.first_calls.{i}.opens",
                        _("must not be after campaign.horizon, {day}").format(day=campaign.horizon),
                    )
            for i, entry in enumerate(group.already_vaccinated):
                path = f"groups.{name}.already_vaccinated.{i}"
                yield from must_be_one_of(f"{path}.regimen", entry.regimen, self.regimens)
                if entry.regimen in self.regimens:
                    doses = 1 if self.regimens[entry.regimen].second is None else 2
                    if entry.doses > doses:
                        yield (
                            f"{path}.doses",
                            _("must be 1: the regimen {regimen} has one dose").format(
                                regimen=entry.regimen
                            ),
                        )
                if entry.first_dose_to >= campaign.first_day:
                    yield (
                        f"{path}.first_dose_to",
                        _("must be before campaign.first_day, {day}").format(
                            day=campaign.first_day
                        ),
                    )
        for name, regimen in self.regimens.items():
            yield from must_be_one_of(f"regimens.{name}.first", regimen.first, self.vaccines)
            if regimen.second is not None:
                yield from must_be_one_of(f"regimens.{name}.second", regimen.second, self.vaccines)
        for name, delivery in self.deliveries.items():
            yield from self._delivery_contradictions(f"deliveries.{name}", delivery)
        if supply.allocation == "fixed_shares":
            yield from _must_sum_to_one("supply.fixed_shares", supply.fixed_shares)
        for name in supply.fixed_shares:
            yield from must_be_one_of(f"supply.fixed_shares.{name}", name, self.units)
        for name, unit in self.units.items():
            yield from must_be_one_of(f"units.{name}.type", unit.type, self.unit_types)
            yield from must_be_one_of(f"units.{name}.district", unit.district, self.districts)
        types = len(self.call_types()[1])
        if types > MOST_CALL_TYPES:
            yield (
                "groups",
                _(
                    "may have calls of {most} kinds at most, by patience and call length; they "
                    "have {types}: give several groups the same"
                ).format(most=MOST_CALL_TYPES, types=types),
            )
        for path, distribution in self._durations():
            least = _least(distribution)
            if least < 0:
                yield (
                    path,
                    _("a duration must not be negative, and this can be {least:g}").format(
                        least=least
                    ),
                )

    def _delivery_contradictions(self, path: str, delivery: Delivery) -> Iterator[tuple[str, str]]:
        first, last = self.campaign.first_day, self.campaign.horizon
        yield from must_be_one_of(f"{path}.vaccine", delivery.vaccine, self.vaccines)
        for key in ("arrives", "announced_arrival"):
            day = getattr(delivery, key)
            if day is not None and not first <= day <= last:
                yield (
                    f"{path}.{key}",
                    _(
                        "must lie between campaign.first_day and campaign.horizon, {first} "
                        "and {last}"
                    ).format(first=first, last=last),
                )
        if _least(delivery.delay_days) < 0:
            yield f"{path}.delay_days", _("must not be negative: say an earlier `arrives`")
        days_left = (last - delivery.arrives).days
        if delivery.arrives <= last and _least(delivery.delay_days) >= days_left + 0.5:
            yield (
                f"{path}.delay_days",
                _(
                    "the doses can never come by campaign.horizon, {day}: with `arrives` on "
                    "{arrives} the least delay must not exceed {days_left} days"
                ).format(day=last, arrives=delivery.arrives, days_left=days_left),
            )
        if (
            _least(delivery.fraction_delivered) < 0
            or _quantile(delivery.fraction_delivered, 1.0) > 10
        ):
            yield (
                f"{path}.fraction_delivered",
                _("must lie between 0 and 10 (1 = all that was said)"),
            )

    def _durations(self) -> list[tuple[str, _Distribution]]:
        centre = self.call_centre
        durations: list[tuple[str, _Distribution]] = [
            (f"call_centre.{key}", getattr(centre, key))
            for key in (
                *CALL_TIMES,
                "redial_delay_minutes",
                "redial_after_busy_delay_minutes",
                "reconnect_delay_minutes",
            )
            if getattr(centre, key) is not None
        ]
        for name, group in self.groups.items():
            durations += [(f"groups.{name}.{key}", own) for key, own in group.own_call_times()]
        durations.append(
            ("appointments.waiting_tolerance_minutes", self.appointments.waiting_tolerance_minutes)
        )
        for holder, places in (("unit_types", self.unit_types), ("units", self.units)):
            for name, place in places.items():
                for station_name, station in place.stations.items():
                    path = f"{holder}.{name}.stations.{station_name}"
                    durations.append((f"{path}.minutes", station.minutes))
                    durations.append((f"{path}.walk_minutes", station.walk_minutes))
                    durations.append(
                        (f"{path}.adverse_event_minutes", station.adverse_event_minutes)
                    )
        return durations

    @property
    def target(self) -> int:
        """People of all groups."""
        return sum(group.people for group in self.groups.values())

    def call_types(self) -> tuple[list[int], list[CallType]]:
        """The type of each group's booking calls, then of its inquiries; and what the types are."""
        centres = [self.call_centre.for_group(group) for group in self.groups.values()]
        none = Constant(distribution="constant", value=0.0)
        calls = [
            CallType(c.patience_minutes, c.booking_call_minutes, c.booking_wrap_up_minutes or none)
            for c in centres
        ]
        calls += [
            CallType(c.patience_minutes, c.inquiry_call_minutes, c.inquiry_wrap_up_minutes or none)
            for c in centres
        ]
        types = []
        for call in calls:
            if call not in types:
                types.append(call)
        return [types.index(call) for call in calls], types

    @property
    def languages(self) -> list[str]:
        """Languages of groups and pools, in order of first mention."""
        spoken = [group.language for group in self.groups.values()]
        spoken += [lang for pool in self.call_centre.pools.values() for lang in pool.languages]
        return list(dict.fromkeys(spoken))


_AFTERWARDS = ("shift", "minimum", "weights")
"""Keys of a distribution that are not among the parameters by which it is given."""


def with_inherited_units(data: Mapping[str, Any]) -> dict[str, Any]:
    """Scenario data with each unit filled with the fields of its type that it does not set."""
    types, units = data.get("unit_types"), data.get("units")
    if not (isinstance(types, Mapping) and isinstance(units, Mapping)):
        return dict(data)
    filled = {}
    for name, unit in units.items():
        kind = unit.get("type") if isinstance(unit, Mapping) else None
        base = types.get(kind) if isinstance(kind, str) else None
        filled[name] = merge(base, unit) if isinstance(base, Mapping) else unit
    return {**data, "units": filled}


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables of `over` laid upon `base`; other values replace.

    A table that names another distribution, or other parameters of it, replaces the whole table.
    """
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if (
            isinstance(value, Mapping)
            and isinstance(below, Mapping)
            and not _is_another_distribution(value, below)
        ):
            result[key] = merge(below, value)
            if key == "stations":
                result[key] = {name: result[key][name] for name in _order(below, value)}
        else:
            result[key] = value
    return result


def _order(below: Mapping[str, Any], value: Mapping[str, Any]) -> list[str]:
    """Names of both tables: a new one comes before the next of its table that is no new one."""
    names = list(below)
    place = len(names)
    for name in reversed(list(value)):
        if name in below:
            place = names.index(name)
        else:
            names.insert(place, name)
    return names


def _is_another_distribution(value: Mapping[str, Any], below: Mapping[str, Any]) -> bool:
    """Whether a table that names a distribution cannot be laid upon the one below."""
    if "distribution" not in value:
        return False
    added = set(value) - {*below, *_AFTERWARDS}
    return value["distribution"] != below.get("distribution") or bool(added)


def _least(distribution: _Distribution) -> float:
    return _quantile(distribution, 0.0)


def _quantile(distribution: _Distribution, probability: float) -> float:
    """Not a number where the distribution contradicts itself."""
    if any(distribution.contradictions()):
        return math.nan
    return float(distribution.quantiles(np.array([probability]))[0])


def _must_sum_to_one(path: str, shares: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    total = sum(shares.values())
    if abs(total - 1) > 1e-9:
        yield path, _("the shares must sum to 1, not {total:g}").format(total=total)


def must_be_one_of(path: str, name: str, known: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """A contradiction at the path if the name is not known."""
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        message = _("there is no {name!r}: choose one of {known}")
        if near:
            message = _("there is no {name!r}: did you mean {near!r}? choose one of {known}")
        near_name = near[0] if near else ""
        yield path, message.format(name=name, near=near_name, known=", ".join(known))
