"""Deliveries, the provincial store, shipments, and what can be promised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from campaigns import campaign, day, delivery, unit
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model.dose_supply import DoseSupply, apportion, draw_arrivals
from sim.random_streams import RandomStreams
from sim.scenario import Scenario

DAYS = 20
TEN = {"az": {"doses_per_vial": 10, "open_vial_hours": 6.0}}


def supply(scenario: Scenario, replication: int = 0) -> DoseSupply:
    return DoseSupply(scenario, RandomStreams(1, replication), DAYS)


def two_units(changes: dict[str, Any], **whole: Any) -> Scenario:
    units = {"a": unit(10), "b": unit(30)}
    return campaign(changes, **{"units": units, "vaccines": TEN, **whole})


def nothing_promised(units: int = 2) -> np.ndarray:
    return np.zeros((1, units, DAYS), dtype=np.int64)


def slots(*a_day: int) -> np.ndarray:
    return np.repeat(np.array(a_day)[:, np.newaxis], DAYS, axis=1)


# Apportioning -----------------------------------------------------------------------------------


@given(
    st.lists(st.floats(0, 1000), min_size=1, max_size=12).filter(lambda w: sum(w) > 1e-6),
    st.integers(0, 10_000),
)
def test_apportioned_numbers_sum_to_the_total_and_are_within_one_of_the_share(
    weights: list[float], total: int
) -> None:
    whole = apportion(np.array(weights), total)
    exact = np.array(weights) / sum(weights) * total
    assert whole.sum() == total
    assert (abs(whole - exact) < 1 + 1e-6).all()


def test_the_largest_remainders_are_rounded_up() -> None:
    # 10 x (0.25, 0.35, 0.4) = 2.5, 3.5, 4.0: the first of the equal remainders is rounded up.
    assert apportion(np.array([0.25, 0.35, 0.4]), 10).tolist() == [3, 3, 4]


def test_nothing_is_apportioned_where_nobody_has_a_weight() -> None:
    assert apportion(np.zeros(3), 10).tolist() == [0, 0, 0]


# Deliveries -------------------------------------------------------------------------------------


def test_a_delivery_comes_in_whole_vials() -> None:
    [arrival] = draw_arrivals(campaign(vaccines=TEN, deliveries={"d": delivery(99)}), streams())
    assert (arrival.vials, arrival.announced_vials, arrival.day) == (9, 9, 0)


def streams(replication: int = 0) -> RandomStreams:
    return RandomStreams(1, replication)


def test_delay_and_fraction_of_a_delivery() -> None:
    # 40 % of 1,000 doses = 40 vials, 3 days after day 2; the province was told otherwise.
    late = delivery(
        1000,
        2,
        delay_days=3.0,
        fraction_delivered=0.4,
        announced_doses=500,
        announced_arrival=day(1),
    )
    [arrival] = draw_arrivals(campaign(vaccines=TEN, deliveries={"d": late}), streams())
    assert (arrival.day, arrival.vials) == (5, 40)
    assert (arrival.announced_day, arrival.announced_vials) == (1, 50)


def test_a_delay_is_rounded_to_whole_days() -> None:
    days = {}
    for delay in (0.4, 0.6, 1.49, 1.51):
        late = delivery(10, delay_days=delay)
        days[delay] = draw_arrivals(campaign(deliveries={"d": late}), streams())[0].day
    assert days == {0.4: 0, 0.6: 1, 1.49: 1, 1.51: 2}


def test_the_luck_of_a_delivery_belongs_to_its_name() -> None:
    uncertain = delivery(1000, 0, delay_days={"distribution": "uniform", "low": 0.0, "high": 9.0})
    alone = draw_arrivals(campaign(deliveries={"b": uncertain}), streams(3))
    both = draw_arrivals(campaign(deliveries={"a": uncertain, "b": uncertain}), streams(3))
    assert alone[0] == both[1]


def test_an_uncertain_delivery_has_the_mean_and_spread_of_its_distribution() -> None:
    # Uniform on 0 ... 10 days: mean 5, sd 2.89; 400 replications: standard error 0.145.
    uncertain = delivery(1000, 0, delay_days={"distribution": "uniform", "low": 0.0, "high": 10.0})
    scenario = campaign(deliveries={"d": uncertain})
    drawn = [draw_arrivals(scenario, streams(r))[0].day for r in range(400)]
    assert np.mean(drawn) == pytest.approx(5.0, abs=4 * 0.145)
    assert (min(drawn), max(drawn)) == (0, 10)


def test_storage_loss_is_right_on_average_and_whole_in_every_replication() -> None:
    # 10 vials with a loss of 25 %: 2 or 3 vials, 2.5 on average (standard error 0.025).
    lossy = {"az": {**TEN["az"], "storage_loss": 0.25}}
    scenario = campaign(vaccines=lossy, deliveries={"d": delivery(100)})
    lost = [draw_arrivals(scenario, streams(r))[0].vials_lost for r in range(400)]
    assert set(lost) == {2, 3}
    assert np.mean(lost) == pytest.approx(2.5, abs=0.1)


def test_a_total_loss_leaves_nothing() -> None:
    lossy = {"az": {**TEN["az"], "storage_loss": 1.0}}
    stock = supply(campaign(vaccines=lossy, deliveries={"d": delivery(100)}))
    delivered, lost = stock.deliver(0)
    assert (delivered.tolist(), lost.tolist(), stock.store.tolist()) == ([10], [10], [0])


# Shipments --------------------------------------------------------------------------------------


def shipped(rule: str, promised: np.ndarray | None = None, **more: Any) -> list[int]:
    """Vials sent to two units (10 and 30 slots a day) on day 0 from 20 vials."""
    scenario = two_units({"supply": {"allocation": rule, **more}}, deliveries={"d": delivery(200)})
    stock = supply(scenario)
    stock.deliver(0)
    sent = stock.ship(0, nothing_promised() if promised is None else promised, slots(10, 30))
    assert stock.store[0] == 20 - sent.sum()
    assert (stock.at_units == sent).all()
    return [int(n) for n in sent[:, 0]]


def test_by_capacity_everything_goes_out_in_proportion_to_the_slots() -> None:
    assert shipped("by_capacity") == [5, 15]


def test_equally_everything_goes_out_in_equal_parts() -> None:
    assert shipped("equally") == [10, 10]


def test_fixed_shares() -> None:
    assert shipped("fixed_shares", fixed_shares={"a": 0.9, "b": 0.1}) == [18, 2]


def test_by_bookings_units_get_the_vials_for_the_day_and_no_more() -> None:
    promised = nothing_promised()
    promised[0, :, 0] = [11, 30]  # 2 and 3 vials of 10
    promised[0, :, 1] = [50, 50]  # tomorrow's come tomorrow
    assert shipped("by_bookings", promised) == [2, 3]


def test_by_bookings_what_lies_at_the_unit_is_not_sent_again() -> None:
    stock = supply(two_units({}, deliveries={"d": delivery(200)}))
    stock.deliver(0)
    stock.at_units[:, 0] = [1, 7]
    promised = nothing_promised()
    promised[0, :, 0] = [25, 25]
    assert stock.ship(0, promised, slots(10, 30))[:, 0].tolist() == [2, 0]


def test_by_bookings_a_short_store_is_shared_in_proportion() -> None:
    stock = supply(two_units({}, deliveries={"d": delivery(60)}))
    stock.deliver(0)
    promised = nothing_promised()
    promised[0, :, 0] = [40, 80]
    assert stock.ship(0, promised, slots(10, 30))[:, 0].tolist() == [2, 4]


def test_by_bookings_a_shipment_lasts_until_the_next_with_whole_vials_for_every_session() -> None:
    # Tuesday 1 June; the next shipment is on Friday. 3 sessions of 3 people are 3 vials of 10,
    # because what is left in a vial is discarded in the evening.
    stock = supply(
        two_units({"supply": {"shipment_days": ["tue", "fri"]}}, deliveries={"d": delivery(200)})
    )
    stock.deliver(0)
    promised = nothing_promised()
    promised[0, 0, :] = 3
    assert stock.ship(0, promised, slots(10, 30))[:, 0].tolist() == [3, 0]


def test_by_bookings_walk_ins_get_vials_too() -> None:
    # 25 expected walk-ins: 3 vials of 10.
    units = {"a": unit(10, walk_ins_per_day=25.0), "b": unit(30)}
    stock = supply(campaign(units=units, vaccines=TEN, deliveries={"d": delivery(200)}))
    stock.deliver(0)
    assert stock.ship(0, nothing_promised(), slots(10, 30))[:, 0].tolist() == [3, 0]


def test_a_refrigerator_holds_no_more_than_its_doses() -> None:
    units = {"a": unit(10, refrigerator_doses=25), "b": unit(30)}
    scenario = campaign(
        {"supply": {"allocation": "equally"}},
        units=units,
        vaccines=TEN,
        deliveries={"d": delivery(200)},
    )
    stock = supply(scenario)
    stock.deliver(0)
    assert stock.ship(0, nothing_promised(), slots(10, 30))[:, 0].tolist() == [2, 10]
    assert stock.store.tolist() == [8]


def test_nothing_is_shipped_on_other_days() -> None:
    stock = supply(two_units({"supply": {"allocation": "equally", "shipment_days": ["wed"]}}))
    stock.deliver(0)  # a Tuesday
    assert stock.ship(0, nothing_promised(), slots(10, 30)).sum() == 0
    assert stock.ship(1, nothing_promised(), slots(10, 30)).sum() == stock.at_units.sum() == 1


# Promises ---------------------------------------------------------------------------------------


def test_announced_deliveries_can_be_promised_from_their_day() -> None:
    stock = supply(
        campaign(vaccines=TEN, deliveries={"a": delivery(100), "b": delivery(50, arrives=4)})
    )
    stock.deliver(0)
    assert stock.can_be_promised(0, announced=True)[0, :7].tolist() == [0] + [100] * 3 + [150] * 3
    assert stock.can_be_promised(0, announced=False)[0, 1:].tolist() == [100] * 19


def test_extra_doses_of_a_vial_can_be_promised() -> None:
    eleven = {"az": {**TEN["az"], "extra_doses_per_vial": 1}}
    stock = supply(campaign(vaccines=eleven, deliveries={"a": delivery(100)}))
    stock.deliver(0)
    assert stock.can_be_promised(0, announced=True)[0, 1] == 110


def test_expected_storage_loss_of_announced_doses_cannot_be_promised() -> None:
    lossy = {"az": {**TEN["az"], "storage_loss": 0.1}}
    stock = supply(campaign(vaccines=lossy, deliveries={"a": delivery(100, arrives=3)}))
    assert stock.can_be_promised(0, announced=True)[0, 3] == 90


def test_an_overdue_delivery_is_not_promised_until_it_arrives() -> None:
    late = {"a": delivery(100, arrives=2, delay_days=4.0)}
    stock = supply(campaign(vaccines=TEN, deliveries=late))
    assert stock.can_be_promised(1, announced=True)[0, 2] == 100
    assert stock.can_be_promised(2, announced=True)[0, -1] == 0
    for today in range(7):
        stock.deliver(today)
    assert stock.can_be_promised(6, announced=True)[0, 7] == 100


def test_a_delivery_that_comes_early_counts_once() -> None:
    early = {"a": delivery(100, arrives=1, announced_arrival=day(9))}
    stock = supply(campaign(vaccines=TEN, deliveries=early))
    stock.deliver(0)
    stock.deliver(1)
    assert stock.can_be_promised(1, announced=True)[0, 2:].tolist() == [100] * 18


def test_doses_in_the_store_can_be_promised_from_the_next_shipment() -> None:
    # Day 0 is a Tuesday; the next Friday is day 3. What lies at a unit can be given tomorrow.
    stock = supply(
        two_units({"supply": {"shipment_days": ["fri"]}}, deliveries={"a": delivery(100)})
    )
    stock.deliver(0)
    stock.at_units[0, 0] = 2
    for announced in (True, False):
        left = stock.can_be_promised(0, announced)[0]
        assert left[1:5].tolist() == [20, 20, 120, 120]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 19)), min_size=1, max_size=4),
    st.sampled_from(["by_bookings", "by_capacity", "equally", "fixed_shares"]),
    st.integers(0, 10**6),
)
def test_vials_are_neither_made_nor_lost_on_the_way(
    deliveries: list[tuple[int, int]], rule: str, seed: int
) -> None:
    scenario = two_units(
        {"supply": {"allocation": rule, "fixed_shares": {"a": 0.3, "b": 0.7}}},
        deliveries={f"d{i}": delivery(n, d) for i, (n, d) in enumerate(deliveries)},
    )
    stock = supply(scenario)
    rng = np.random.default_rng(seed)
    promised = rng.integers(0, 30, (1, 2, DAYS))
    came = 0
    for today in range(DAYS):
        delivered, lost = stock.deliver(today)
        came += int((delivered - lost).sum())
        stock.ship(today, promised, slots(10, 30))
        assert stock.store.sum() + stock.at_units.sum() == came
        assert (stock.store >= 0).all()
        assert (stock.at_units >= 0).all()
    assert came == sum(n // 10 for n, _ in deliveries)
