"""Tables that break capacity, the order of booking or the ceiling are noticed."""

from collections.abc import Callable

import pandas as pd
import pytest
from campaigns import advance_group, campaign, delivery, run, unit

from sim.experiment.conservation import check_conservation
from sim.model.ledger import AuditError
from sim.scenario import Scenario

Tables = dict[str, pd.DataFrame]


def ten_a_day() -> tuple[Scenario, Tables]:
    """30 people registered before day 0, ten slots a day from day 1 on, 40 doses on day 0."""
    scenario = campaign(
        groups={"all": advance_group(30)},
        units={"unit": unit(slots=10)},
        deliveries={"first": delivery(40)},
    )
    tables = run(scenario)
    check_conservation(tables, scenario)  # as it is, everything adds up
    return scenario, tables


def booked_a_day_late(tables: Tables) -> None:
    """The appointments of day 1 as if made on day 1."""
    bookings = tables["bookings"]
    bookings["booked_first"] = bookings["booked_first"].shift(1, fill_value=0)


def a_delivery_that_was_never_there(tables: Tables) -> None:
    """The same doses given, but they arrive on day 2, after the first of them were used."""
    stock = tables["stock"]
    store = stock["place"] == "province_store"
    late = stock.index[store][2]
    first = stock.index[store][0]
    stock.loc[late, "delivered"] = stock.loc[first, "delivered"]
    stock.loc[first, "delivered"] = 0
    before = stock["date"] < stock.loc[late, "date"]
    stock.loc[store & before, "on_hand"] -= 40


@pytest.mark.parametrize(
    ("breaking", "message"),
    [
        (booked_a_day_late, r"^booked_before .*group all"),
        (a_delivery_that_was_never_there, r"^(stock|ceiling) .*expected at most"),
    ],
    ids=["booking", "doses"],
)
def test_what_cannot_be_is_named(breaking: Callable[[Tables], None], message: str) -> None:
    scenario, tables = ten_a_day()
    breaking(tables)
    with pytest.raises(AuditError, match=message):
        check_conservation(tables, scenario)


def test_first_doses_above_what_turns_allow_are_named() -> None:
    # The tables of a campaign whose group may come from day 0, held against one where it may not
    # come before day 3: first doses on day 1 are too early.
    _, tables = ten_a_day()
    later = campaign(
        groups={"all": advance_group(30, turn=3)},
        units={"unit": unit(slots=10)},
        deliveries={"first": delivery(40)},
    )
    with pytest.raises(AuditError, match=r"^ceiling \(first dose\), date .*expected at most"):
        check_conservation(tables, later)


def test_appointments_beyond_the_slots_are_named() -> None:
    # Ten appointments a day, held against a unit with nine slots.
    _, tables = ten_a_day()
    smaller = campaign(
        groups={"all": advance_group(30)},
        units={"unit": unit(slots=9)},
        deliveries={"first": delivery(40)},
    )
    with pytest.raises(
        AuditError, match=r"^slots .*unit unit.*at most 9 persons \(slots\), found 10"
    ):
        check_conservation(tables, smaller)
