"""The world of a campaign: frozen, validated models of everything that a scenario file can say.

Reading files (TOML, `extends`, overrides, errors with their lines) is in `scenario_files.py`.
Units are in the names: `..._minutes`, `..._days`, `..._hours`. Collections are tables by name,
so that every value has a dotted path (`unit_types.hospital.stations.vaccination.staff`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Probability = Annotated[float, Field(ge=0, le=1)]
PositiveInt = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


def _time_of_day(value: object) -> object:
    """Minutes since midnight of "HH:MM" (or a TOML time); "24:00" is the end of the day."""
    if isinstance(value, time):
        return value.hour * 60 + value.minute
    if isinstance(value, str):
        hours, colon, minutes = value.partition(":")
        if colon and hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2:
            total = int(hours) * 60 + int(minutes)
            if int(minutes) < 60 and total <= 24 * 60:
                return total
    raise ValueError('a time of day is written "HH:MM", from "00:00" to "24:00"')


TimeOfDay = Annotated[
    int,
    BeforeValidator(_time_of_day),
    PlainSerializer(lambda minutes: f"{minutes // 60:02d}:{minutes % 60:02d}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$"}),
]
"""Minutes since midnight; written "HH:MM"."""


class Part(BaseModel):
    """Common settings of every part of a scenario: frozen, strict, no unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


# Distributions ------------------------------------------------------------------------------


class _Distribution(Part):
    shift: Finite = 0.0
    """Constant added to every value."""

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

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _must(self.low <= self.high, "low must not be above high")
        return self

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.low + (self.high - self.low) * probabilities

    def _base_mean(self) -> float:
        return (self.low + self.high) / 2


class Exponential(_Distribution):
    """Memoryless, by its mean."""

    distribution: Literal["exponential"]
    mean_value: Annotated[Positive, Field(alias="mean")]

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore"):
            return -self.mean_value * np.log1p(-probabilities)

    def _base_mean(self) -> float:
        return self.mean_value


class Triangular(_Distribution):
    """Triangle over low ... high with its top at mode."""

    distribution: Literal["triangular"]
    low: Finite
    mode: Finite
    high: Finite

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _must(self.low <= self.mode <= self.high, "low <= mode <= high must hold")
        _must(self.low < self.high, "low must be below high")
        return self

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

    @model_validator(mode="after")
    def _not_all_cut(self) -> Self:
        _must(
            self.minimum <= self.mean_value + 5 * self.sd,
            "minimum must not be more than 5 sd above the mean",
        )
        return self

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


class Lognormal(_Distribution):
    """Lognormal, by its mean and coefficient of variation (sd / mean)."""

    distribution: Literal["lognormal"]
    mean_value: Annotated[Positive, Field(alias="mean")]
    cv: Positive

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy.special import ndtri

        variance = math.log1p(self.cv**2)
        location = math.log(self.mean_value) - variance / 2
        return np.exp(location + math.sqrt(variance) * ndtri(probabilities))

    def _base_mean(self) -> float:
        return self.mean_value


class Gamma(_Distribution):
    """Gamma, by its mean and coefficient of variation (sd / mean)."""

    distribution: Literal["gamma"]
    mean_value: Annotated[Positive, Field(alias="mean")]
    cv: Positive

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy.special import gammaincinv

        shape = 1 / self.cv**2
        return np.asarray(gammaincinv(shape, probabilities) * self.mean_value / shape)

    def _base_mean(self) -> float:
        return self.mean_value


class Weibull(_Distribution):
    """Weibull, by its mean and shape."""

    distribution: Literal["weibull"]
    mean_value: Annotated[Positive, Field(alias="mean")]
    shape: Positive

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        scale = self.mean_value / math.gamma(1 + 1 / self.shape)
        with np.errstate(divide="ignore"):
            return np.asarray(scale * (-np.log1p(-probabilities)) ** (1 / self.shape))

    def _base_mean(self) -> float:
        return self.mean_value


class Empirical(_Distribution):
    """Observed values; piecewise linear between the ordered values (Law, 2015, section 6.2.4)."""

    distribution: Literal["empirical"]
    values: Annotated[list[Finite], Field(min_length=2)]

    def _base(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        ordered = np.sort(np.asarray(self.values, dtype=np.float64))
        return np.interp(probabilities, np.linspace(0, 1, ordered.size), ordered)

    def _base_mean(self) -> float:
        ordered = np.sort(np.asarray(self.values, dtype=np.float64))
        return float(((ordered[1:] + ordered[:-1]) / 2).mean())


def _number_is_constant(value: object) -> object:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"distribution": "constant", "value": value}
    return value


Distribution = Annotated[
    Annotated[
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
    ],
    BeforeValidator(_number_is_constant),
]
"""A distribution, or a plain number for a constant."""


# Calendars and staff ------------------------------------------------------------------------


class Opening(Part):
    """When a place is open."""

    open_days: Annotated[list[Weekday], Field(min_length=1)]
    """Days of the week."""
    closed_dates: list[date] = []
    """Dates on which it stays closed all the same."""
    opens: TimeOfDay
    """Opening time."""
    closes: TimeOfDay
    """Closing time; nobody is admitted from then on."""

    @model_validator(mode="after")
    def _opens_before_closing(self) -> Self:
        _must(self.opens < self.closes, "opens must be before closes")
        return self

    def is_open(self, day: date) -> bool:
        """Whether the calendar has it open on that date."""
        return WEEKDAYS[day.weekday()] in self.open_days and day not in self.closed_dates


class Shift(Part):
    """A number of staff from one time of day to another."""

    start: TimeOfDay
    end: TimeOfDay
    staff: Count

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _must(self.start < self.end, "start must be before end")
        return self


# The telephone ------------------------------------------------------------------------------


class Pool(Part):
    """Agents who speak the same languages."""

    languages: Annotated[list[Name], Field(min_length=1)]
    """Languages spoken by every agent of the pool."""
    agents: Count
    """Agents on duty through the opening hours (not used where `shifts` are given)."""
    shifts: list[Shift] = []
    """Agents on duty by time of day; overlapping shifts add up."""
    breaks: list[Shift] = []
    """Agents away by time of day (`staff` = number away)."""


class CallCentre(Opening):
    """The booking call centre."""

    first_day: date
    last_day: date
    lines: PositiveInt
    """Trunk lines: callers talking and waiting at one time; the next hears the busy signal."""
    at_closing: Literal["serve", "cut_off"]
    """Callers still waiting at closing are served, or told to call again."""
    answer_target_seconds: Positive = 20.0
    """Waits up to this count as answered in time (service level)."""
    patience_minutes: Distribution
    """How long a caller waits in the queue."""
    booking_call_minutes: Distribution
    """Handle time of a booking call, data entry included."""
    inquiry_call_minutes: Distribution
    """Handle time of a call that only asks."""
    redial_probability: Probability
    """After a busy signal or giving up waiting, the caller tries again."""
    redial_delay_minutes: Distribution
    attempts_per_day: PositiveInt
    attempts_in_all: PositiveInt
    """After so many attempts a person gives up for good."""
    inquiries_per_person: Probability
    """Share of the willing who make a call that only asks."""
    call_times: Annotated[list[NonNegative], Field(min_length=24, max_length=24)]
    """Relative number of calls in each hour of the day, 24 weights from midnight."""
    weekday_calls: Annotated[list[NonNegative], Field(min_length=7, max_length=7)]
    """Relative number of first calls on Monday ... Sunday."""
    pools: Annotated[dict[Name, Pool], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _must(self.first_day <= self.last_day, "first_day must not be after last_day")
        _must(sum(self.weekday_calls) > 0, "weekday_calls must not all be 0")
        hours = range(self.opens // 60, -(-self.closes // 60))
        _must(
            sum(self.call_times[h] for h in hours) > 0,
            "call_times must not be 0 in every opening hour",
        )
        return self

    def takes_calls(self, day: date) -> bool:
        """Whether the centre is open on that date."""
        return self.first_day <= day <= self.last_day and self.is_open(day)


class OtherChannels(Part):
    """Hospital desks, employers, volunteers: they book without a queue, so many a day."""

    first_day: date
    last_day: date
    open_days: Annotated[list[Weekday], Field(min_length=1)]
    bookings_per_day: Count

    def is_open(self, day: date) -> bool:
        """Whether bookings are taken on that date."""
        return self.first_day <= day <= self.last_day and WEEKDAYS[day.weekday()] in self.open_days


# People -------------------------------------------------------------------------------------


class DemandWave(Part):
    """One wave of first calls: nothing before `opens`, then exponential decay."""

    opens: date
    share: Probability
    """Share of the group's people who call in this wave."""
    mean_days: Positive
    """Mean delay after `opens`."""


class AlreadyVaccinated(Part):
    """People of a group who have had doses before the campaign starts."""

    people: PositiveInt
    doses: Literal[1, 2]
    regimen: Name
    first_dose_from: date
    first_dose_to: date
    """First doses are spread evenly from ... to."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _must(
            self.first_dose_from <= self.first_dose_to,
            "first_dose_from must not be after first_dose_to",
        )
        return self


class Group(Part):
    """People with the same turn, language and habits."""

    people: Annotated[int, Field(ge=0, le=200_000_000)]
    language: Name
    turn_from: date
    """First day on which the group may be vaccinated."""
    willing: Probability
    """Share who want to be vaccinated."""
    booked_in_advance: bool = False
    """Registered before the campaign: no call is needed."""
    telephone_share: Probability = 1.0
    """Share of the willing who book by telephone; the rest use other channels."""
    books_when_answered: Probability = 1.0
    """Probability that an answered booking call ends in a booking."""
    first_calls: list[DemandWave] = []
    """When people first call (or come to another channel)."""
    already_vaccinated: list[AlreadyVaccinated] = []

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.booked_in_advance and self.people:
            _must(
                bool(self.first_calls), "first_calls must have a wave, or booked_in_advance = true"
            )
        if self.first_calls:
            total = sum(wave.share for wave in self.first_calls)
            _must(abs(total - 1) < 1e-9, f"the shares of first_calls must sum to 1, not {total:g}")
        before = sum(entry.people for entry in self.already_vaccinated)
        _must(before <= self.people, f"{before} already vaccinated exceed the {self.people} people")
        return self


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
    second: Name | None = None
    """None: one dose completes it."""
    min_days: Count = 0
    """A second dose is never given sooner."""
    target_days: Count = 0
    """The second appointment is not looked for sooner."""
    first_dose_from: date | None = None
    first_dose_until: date | None = None
    """First doses in this period belong to the regimen."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _must(self.min_days <= self.target_days, "target_days must not be below min_days")
        if self.first_dose_from and self.first_dose_until:
            _must(
                self.first_dose_from <= self.first_dose_until,
                "first_dose_from must not be after first_dose_until",
            )
        return self

    def begins_on(self, day: date) -> bool:
        """Whether a first dose on that date belongs to the regimen."""
        return (self.first_dose_from is None or day >= self.first_dose_from) and (
            self.first_dose_until is None or day <= self.first_dose_until
        )


class Delivery(Part):
    """Doses that arrive at the provincial store."""

    vaccine: Name
    arrives: date
    doses: Count
    announced_arrival: date | None = None
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
    fixed_shares: dict[Name, NonNegative] = {}
    """By unit, for allocation = "fixed_shares"."""
    shipment_days: Annotated[list[Weekday], Field(min_length=1)]
    second_dose_policy: Literal["first_doses_first", "as_booked", "reserve"]
    """first_doses_first: second appointments are made `second_dose_notice_days` ahead, from doses
    that no registered first dose wants. as_booked: made at the first dose, like any booking.
    reserve: as as_booked, and a first dose is only booked if a second can be set aside."""
    second_dose_notice_days: Count = 14


# Appointments and units ---------------------------------------------------------------------


class Appointments(Part):
    """How slots are given and what people make of them."""

    stock_rule: Literal["announced", "on_hand", "ignore"]
    """Book against announced deliveries, only against stock on hand, or without looking."""
    window_days: PositiveInt
    """How many days ahead appointments can be made."""
    home_unit_tolerance_days: Count
    """Longest acceptable delay for a slot at the home unit (then at a unit of the district)."""
    overbooking: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Slots given beyond capacity, as a share."""
    block_minutes: Count = 0
    """Appointments in blocks of so many minutes; 0: one by one."""
    no_show: Probability
    rebook_after_no_show: Probability
    rebook_after_turned_away: Probability
    """After no dose, closing or a wait that was too long."""
    punctuality_minutes: Distribution
    """Arrival after (before: negative) the appointment."""
    waiting_tolerance_minutes: Distribution
    """Longest wait at any one station before a patient leaves."""


class Station(Part):
    """One station of a unit."""

    kind: Literal["service", "vaccination", "observation"] = "service"
    staff: Count
    """Staff (seats, at an observation station) through the opening hours."""
    shifts: list[Shift] = []
    """Staff by time of day instead; overlapping shifts add up."""
    breaks: list[Shift] = []
    """Staff away by time of day (`staff` = number away)."""
    minutes: Distribution
    """Service time; at an observation station the stay, counted from the jab."""
    share: Probability = 1.0
    """Share of patients who visit the station."""
    walk_minutes: NonNegative = 0.0
    """Walk to the station."""
    overtime_minutes: NonNegative = 60.0
    """How long after closing a service may still start."""
    adverse_event_probability: Probability = 0.0
    """Observation only: share whose stay is prolonged."""
    adverse_event_minutes: Distribution = Constant(distribution="constant", value=0.0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "vaccination":
            _must(self.share == 1, "everybody visits the vaccination station: share must be 1")
        _must(
            self.staff > 0 or any(shift.staff for shift in self.shifts),
            "nobody works here: staff must be at least 1, at least in one of the shifts",
        )
        if self.kind != "observation":
            _must(
                self.adverse_event_probability == 0,
                "adverse_event_probability belongs to an observation station",
            )
        return self


class UnitType(Opening):
    """What units of one type have in common; any unit can override any of it."""

    slots_per_day: Count | None = None
    """Appointments a day; left out, the nominal throughput of the staff."""
    walk_ins_per_day: NonNegative = 0.0
    """Mean of a Poisson number of people without appointment."""
    refrigerator_doses: PositiveInt | None = None
    """Most (labelled) doses that the unit can store; left out: no limit."""
    stations: Annotated[dict[Name, Station], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        kinds = [station.kind for station in self.stations.values()]
        _must(
            kinds.count("vaccination") == 1,
            f"exactly one station must have kind = 'vaccination', not {kinds.count('vaccination')}",
        )
        if "observation" in kinds:
            _must(
                kinds.index("observation") > kinds.index("vaccination"),
                "observation must come after vaccination",
            )
        return self


class Unit(UnitType):
    """One vaccination unit: its type's fields (merged in), and its own."""

    type: Name
    district: Name
    title: str = ""
    catchment_weight: NonNegative | None = None
    """Share of the district's people whose home unit it is; left out: by slots."""


class Campaign(Part):
    """Dates, goals and what counts."""

    province: str
    first_day: date
    """First day simulated."""
    vaccination_from: date
    """No unit vaccinates before."""
    deadline: date
    horizon: date
    """Last day simulated."""
    population: PositiveInt
    """Inhabitants, for coverage of the whole population."""
    vaccinated_before: Count
    """Inhabitants vaccinated before the campaign and outside its target."""
    coverage_goal: Probability
    complete_with: Literal["all_doses", "one_dose"]
    """What counts as fully vaccinated."""
    protected_after_days: Count = 0
    """Days after the last dose from which a person counts as fully vaccinated."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _must(self.first_day <= self.deadline, "deadline must not be before first_day")
        _must(self.deadline <= self.horizon, "horizon must not be before the deadline")
        days = (self.horizon - self.first_day).days + 1
        _must(days <= 2000, f"first_day to horizon is {days} days; at most 2000 are possible")
        _must(
            self.first_day <= self.vaccination_from <= self.horizon,
            "vaccination_from must lie between first_day and horizon",
        )
        _must(
            self.vaccinated_before <= self.population,
            "vaccinated_before must not exceed the population",
        )
        return self


class Scenario(Part):
    """A whole campaign."""

    title: str
    description: str = ""
    campaign: Campaign
    districts: Annotated[dict[Name, NonNegative], Field(min_length=1)]
    """Share of every group's people who live in each district."""
    groups: Annotated[dict[Name, Group], Field(min_length=1)]
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

    @model_validator(mode="before")
    @classmethod
    def _units_inherit(cls, data: Any) -> Any:
        """Fill each unit with the fields of its type that it does not set itself."""
        if not isinstance(data, Mapping):
            return data
        types, units = data.get("unit_types"), data.get("units")
        if not (isinstance(types, Mapping) and isinstance(units, Mapping)):
            return data
        filled = {}
        for name, unit in units.items():
            base: Any = types.get(unit.get("type")) if isinstance(unit, Mapping) else None
            filled[name] = merge(base, unit) if isinstance(base, Mapping) else unit
        return {**data, "units": filled}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = list(self._problems())
        if problems:
            raise ValueError("\n".join(f"{path}: {message}" for path, message in problems))
        return self

    def _problems(self) -> list[tuple[str, str]]:
        """Contradictions between parts, as (dotted path, message)."""
        found: list[tuple[str, str]] = []

        def check(condition: bool, path: str, message: str) -> None:
            if not condition:
                found.append((path, message))

        campaign = self.campaign
        total = sum(self.districts.values())
        check(abs(total - 1) < 1e-9, "districts", f"shares must sum to 1, not {total:g}")
        target = sum(group.people for group in self.groups.values())
        check(target >= 1, "groups", "the groups have no people")
        check(
            target + campaign.vaccinated_before <= campaign.population,
            "campaign.population",
            f"must be at least the target plus vaccinated_before, "
            f"{target + campaign.vaccinated_before:,}",
        )
        for name, group in self.groups.items():
            for i, entry in enumerate(group.already_vaccinated):
                path = f"groups.{name}.already_vaccinated.{i}"
                check(
                    entry.regimen in self.regimens,
                    f"{path}.regimen",
                    f"{entry.regimen!r} is no regimen: {_one_of(self.regimens)}",
                )
                check(
                    entry.first_dose_to < campaign.first_day,
                    f"{path}.first_dose_to",
                    "must be before campaign.first_day",
                )
        for name, regimen in self.regimens.items():
            for key in ("first", "second"):
                vaccine = getattr(regimen, key)
                check(
                    vaccine is None or vaccine in self.vaccines,
                    f"regimens.{name}.{key}",
                    f"{vaccine!r} is no vaccine: {_one_of(self.vaccines)}",
                )
        for name, delivery in self.deliveries.items():
            check(
                delivery.vaccine in self.vaccines,
                f"deliveries.{name}.vaccine",
                f"{delivery.vaccine!r} is no vaccine: {_one_of(self.vaccines)}",
            )
            for key in ("arrives", "announced_arrival"):
                day = getattr(delivery, key)
                check(
                    day is None or campaign.first_day <= day <= campaign.horizon,
                    f"deliveries.{name}.{key}",
                    f"must lie between campaign.first_day ({campaign.first_day}) and "
                    f"campaign.horizon ({campaign.horizon})",
                )
            quantiles = delivery.fraction_delivered.quantiles(np.array([0.0, 1.0]))
            check(
                quantiles[0] >= 0 and quantiles[1] <= 10,
                f"deliveries.{name}.fraction_delivered",
                "must lie between 0 and 10",
            )
            check(
                delivery.delay_days.quantiles(np.array([0.0]))[0] >= 0,
                f"deliveries.{name}.delay_days",
                "must not be negative",
            )
        supply = self.supply
        if supply.allocation == "fixed_shares":
            shares = sum(supply.fixed_shares.values())
            check(
                abs(shares - 1) < 1e-9,
                "supply.fixed_shares",
                f"shares must sum to 1, not {shares:g}",
            )
        for name in supply.fixed_shares:
            check(name in self.units, f"supply.fixed_shares.{name}", "is no unit")
        for name, unit in self.units.items():
            check(
                unit.type in self.unit_types,
                f"units.{name}.type",
                f"{unit.type!r} is no unit type: {_one_of(self.unit_types)}",
            )
            check(
                unit.district in self.districts,
                f"units.{name}.district",
                f"{unit.district!r} is no district: {_one_of(self.districts)}",
            )
        for district, share in self.districts.items():
            check(
                share == 0 or any(unit.district == district for unit in self.units.values()),
                f"districts.{district}",
                "people live there but it has no unit",
            )
        for path, distribution in self._durations():
            check(
                float(distribution.quantiles(np.array([0.0]))[0]) >= 0,
                path,
                "a duration must not be negative",
            )
        return found

    def _durations(self) -> list[tuple[str, _Distribution]]:
        centre = self.call_centre
        durations: list[tuple[str, _Distribution]] = [
            (f"call_centre.{key}", getattr(centre, key))
            for key in (
                "patience_minutes",
                "booking_call_minutes",
                "inquiry_call_minutes",
                "redial_delay_minutes",
            )
        ]
        durations.append(
            ("appointments.waiting_tolerance_minutes", self.appointments.waiting_tolerance_minutes)
        )
        for holder, places in (("unit_types", self.unit_types), ("units", self.units)):
            for name, place in places.items():
                for station_name, station in place.stations.items():
                    path = f"{holder}.{name}.stations.{station_name}"
                    durations.append((f"{path}.minutes", station.minutes))
                    durations.append(
                        (f"{path}.adverse_event_minutes", station.adverse_event_minutes)
                    )
        return durations

    @property
    def target(self) -> int:
        """People of all groups."""
        return sum(group.people for group in self.groups.values())

    @property
    def languages(self) -> list[str]:
        """Languages of groups and pools, in order of first mention."""
        spoken = [group.language for group in self.groups.values()]
        spoken += [lang for pool in self.call_centre.pools.values() for lang in pool.languages]
        return list(dict.fromkeys(spoken))


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables of `over` laid upon `base`; other values replace.

    A table that names another distribution replaces the whole table.
    """
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if (
            isinstance(value, Mapping)
            and isinstance(below, Mapping)
            and value.get("distribution") in (None, below.get("distribution"))
        ):
            result[key] = merge(below, value)
        else:
            result[key] = value
    return result


def _must(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _one_of(names: Mapping[str, object]) -> str:
    return "choose one of " + ", ".join(names)
