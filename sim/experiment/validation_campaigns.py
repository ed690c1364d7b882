"""Cases of `vaxsim validate` about what joins the days: who registers when, doses, intervals.

Their exact values are counted by hand or come from a binomial or geometric distribution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from math import comb

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.validation import Case, Quantity, Tables
from sim.experiment.validation_quantities import Measure, clinics, of_target, summary

PROMPT = ("call_centre.pools.desk.agents=100_000", "groups.people.people=50_000")
"""Everybody who calls is answered at once."""


def campaign_cases() -> Iterator[Case]:
    """All of them."""
    yield Case(
        "registered", "willing 0.8, by telephone 0.7, answered calls that book 0.6", "products",
        "textbook.toml", 24,
        (
            of_target("registered by telephone", "telephone_bookings", 0.8 * 0.7 * 0.6),
            of_target("registered otherwise, 3,000 a day", "other_bookings", 3000 / 50_000),
        ),
        (*PROMPT, "groups.people.willing=0.8", "groups.people.telephone_share=0.7",
         "groups.people.books_when_answered=0.6", "other_channels.bookings_per_day=3_000"),
    )  # fmt: skip
    ten_days = ("campaign.horizon=2021-06-10", "call_centre.last_day=2021-06-10")
    waves = (
        "[{opens=2021-06-01, share=0.7, mean_days=4.0},"
        " {opens=2021-06-04, share=0.3, mean_days=2.0}]"
    )
    yield Case(
        "first_calls", "two waves of first calls: 0.7 from day 1 on, 0.3 from day 4 on",
        "exponential decay", "textbook.toml", 20,
        tuple(
            Quantity(f"have called by day {day}", share, _called_by(day))
            for day in (2, 6)
            for share in [
                0.5 * sum(-w * math.expm1(-max(day - first, 0) / mean)
                          for w, first, mean in ((0.7, 0, 4), (0.3, 3, 2)))
            ]
        ),
        (*PROMPT, *ten_days, f"groups.people.first_calls={waves}"),
    )  # fmt: skip
    yield Case(
        "another_day", "nobody answers, half call again on the next day", "geometric series",
        "hopeless.toml", 10,
        (Quantity("attempts of 10 days per caller", 2 * (1 - 0.5**10), _attempts_per_caller),),
        ("groups.people.people=50_000", *ten_days, "call_centre.redial_probability=0",
         "call_centre.another_day_probability=0.5", "call_centre.attempts_in_all=1000"),
    )  # fmt: skip
    yield Case(
        "second_doses", "1,000 first doses in 10 days, the second 21 days after each", "by hand",
        "vials.toml", 2,
        (
            Quantity("mean days between the doses", 21.0, _mean_interval),
            of_target("fully vaccinated", "fully_vaccinated_by_end", 1.0),
        ),
        ("groups.people.people=1_000", "appointments.no_show=0.0",
         "unit_types.clinic.slots_per_day=100",
         "regimens.single.second='vaccine'", "regimens.single.min_days=21",
         "regimens.single.target_days=21"),
    )  # fmt: skip
    yield Case(
        "open_days", "10 slots a day from 1 to 14 June 2021, Monday to Friday, one day closed",
        "by hand: 9 days", "vials.toml", 2,
        (summary("vaccinated", "first_doses_by_deadline", 90.0),),
        ("groups.people.people=1_000", "appointments.no_show=0.0",
         "unit_types.clinic.slots_per_day=10",
         "unit_types.clinic.open_days=['mon', 'tue', 'wed', 'thu', 'fri']",
         "unit_types.clinic.closed_dates=[2021-06-03]", "campaign.deadline=2021-06-14"),
    )  # fmt: skip
    one_day = ("campaign.deadline=2021-06-01", "campaign.horizon=2021-06-01", *clinics(20))
    coming = _binomial(100, 0.8)
    yield Case(
        "stock_out", "80 doses a unit, 100 booked, each comes with 0.8", "binomial: E[min(N, 80)]",
        "vials.toml", 10,
        (Quantity("vaccinated a unit", float(coming @ np.minimum(np.arange(101), 80)), _given),),
        ("groups.people.people=2_000", "unit_types.clinic.slots_per_day=100",
         "deliveries.plenty.doses=1_600",
         "appointments.no_show=0.2", *one_day),
    )  # fmt: skip
    elevens = _binomial(20, 0.9) @ (-np.arange(21) % 11)
    yield Case(
        "eleven", "eleven doses from vials of ten, 20 booked, each comes with 0.9", "binomial",
        "vials.toml", 100,
        (Quantity("doses wasted a session", float(elevens), _wasted),),
        ("groups.people.people=2_000", "vaccines.vaccine.extra_doses_per_vial=1",
         *one_day, *clinics(100)),
    )  # fmt: skip


def _binomial(n: int, p: float) -> NDArray[np.float64]:
    return np.array([comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])


def _called_by(day: int) -> Measure:
    """Share of the people (calling or not) who have called by so many days from the first on."""

    def share(tables: Tables) -> float:
        callers = tables["callers"]
        until = callers["date"].min() + pd.Timedelta(days=day - 1)
        called = callers.loc[callers["date"] <= until, "first_calls"].sum()
        return float(called / tables["replications"]["target"].iloc[0])

    return share


def _attempts_per_caller(tables: Tables) -> float:
    sums = tables["callers"][["attempts", "first_calls"]].sum()
    return float(sums["attempts"] / sums["first_calls"])


def _mean_interval(tables: Tables) -> float:
    daily = tables["daily"]
    day = (daily["date"] - daily["date"].min()).dt.days
    first, second = (
        np.average(day[daily["dose"] == dose], weights=daily["administered"][daily["dose"] == dose])
        for dose in (1, 2)
    )
    return float(second - first)


def _of_units(tables: Tables, column: str) -> NDArray[np.float64]:
    """A column of `stock` on the last day, unit by unit."""
    stock = tables["stock"]
    rows = stock[(stock["place"] != "province_store") & (stock["date"] == stock["date"].max())]
    return np.asarray(rows[column], dtype=np.float64)


def _given(tables: Tables) -> NDArray[np.float64]:
    return _of_units(tables, "administered")


def _wasted(tables: Tables) -> NDArray[np.float64]:
    return _of_units(tables, "wasted")
