"""Deliveries, the provincial store, shipments to the units.

Stock is counted in closed vials, by vaccine. Deliveries come in whole vials (rounded down).
Shipments arrive on the day they are sent, before the sessions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.random_streams import RandomStreams, Stream, draw, quantile_table, stream_word
from sim.scenario import WEEKDAYS, Scenario

Int64Array = NDArray[np.int64]
MICRO = 1_000_000


@dataclass(frozen=True)
class Arrival:
    """One delivery as it really happens, and as it was announced. Days from the first day."""

    name: str
    vaccine: int
    day: int
    vials: int
    vials_lost: int
    announced_day: int
    announced_vials: int


def draw_arrivals(scenario: Scenario, streams: RandomStreams) -> list[Arrival]:
    """The deliveries of one replication, in the order of the scenario."""
    first_day = scenario.campaign.first_day
    names = list(scenario.vaccines)
    arrivals = []
    for name, delivery in scenario.deliveries.items():
        words = streams.blocks(stream_word(Stream.DELIVERY, name), 0)
        delay = draw(quantile_table(delivery.delay_days, MICRO), words[0])[0]
        fraction = draw(quantile_table(delivery.fraction_delivered, MICRO), words[1])[0]
        vaccine = scenario.vaccines[delivery.vaccine]
        vials = int(delivery.doses * int(fraction) // MICRO // vaccine.doses_per_vial)
        # A fractional expected loss is rounded up or down at random, right on average.
        lost = int(vials * vaccine.storage_loss + int(words[2][0]) / 2**32)
        announced = delivery.doses if delivery.announced_doses is None else delivery.announced_doses
        arrivals.append(
            Arrival(
                name=name,
                vaccine=names.index(delivery.vaccine),
                day=(delivery.arrives - first_day).days + int((delay + MICRO // 2) // MICRO),
                vials=vials,
                vials_lost=min(lost, vials),
                announced_day=((delivery.announced_arrival or delivery.arrives) - first_day).days,
                announced_vials=announced // vaccine.doses_per_vial,
            )
        )
    return arrivals


class DoseSupply:
    """Vials in the provincial store and at the units, and what is still to come."""

    def __init__(self, scenario: Scenario, streams: RandomStreams, days: int) -> None:
        vaccines = list(scenario.vaccines.values())
        units = len(scenario.units)
        self._supply = scenario.supply
        self.arrivals = draw_arrivals(scenario, streams)
        self.label = np.array([v.doses_per_vial for v in vaccines], dtype=np.int64)
        """labelled doses a vial"""
        self.per_vial = self.label + np.array(
            [v.extra_doses_per_vial for v in vaccines], dtype=np.int64
        )
        """doses that a vial really yields"""
        self._kept = np.array([1 - v.storage_loss for v in vaccines])
        self.store = np.zeros(len(vaccines), dtype=np.int64)
        """vials in the provincial store, by vaccine"""
        self.at_units = np.zeros((units, len(vaccines)), dtype=np.int64)
        """closed vials at the units"""
        self._arrived: set[str] = set()
        self._days = days
        self._ships_on = np.array(
            [
                WEEKDAYS[(scenario.campaign.first_day.weekday() + d) % 7]
                in self._supply.shipment_days
                for d in range(days)
            ]
        )
        following = np.where(self._ships_on, np.arange(days), days)
        self._next_shipment = [*np.minimum.accumulate(following[::-1])[::-1].tolist(), days]
        """the first day with a shipment from each day on; `days` if there is none"""
        self._refrigerator = np.array(
            [
                2**40 if unit.refrigerator_doses is None else unit.refrigerator_doses
                for unit in scenario.units.values()
            ],
            dtype=np.int64,
        )
        self._walk_ins = np.array([unit.walk_ins_per_day for unit in scenario.units.values()])
        self._fixed = np.array([self._supply.fixed_shares.get(u, 0.0) for u in scenario.units])

    def deliver(self, today: int) -> tuple[Int64Array, Int64Array]:
        """Take in what arrives today. Returns vials delivered and vials lost, by vaccine."""
        delivered = np.zeros_like(self.store)
        lost = np.zeros_like(self.store)
        for arrival in self.arrivals:
            if arrival.day == today:
                delivered[arrival.vaccine] += arrival.vials
                lost[arrival.vaccine] += arrival.vials_lost
                self._arrived.add(arrival.name)
        self.store += delivered - lost
        return delivered, lost

    def ship(self, today: int, promised: Int64Array, slots: Int64Array) -> Int64Array:
        """Send vials to the units by the allocation rule. Returns vials shipped, int64[units, V].

        promised: int64[V, units, days] appointments by vaccine; slots: int64[units, days].
        """
        shipped = np.zeros_like(self.at_units)
        if not self._ships_on[today] or not self.store.any():
            return shipped
        rule = self._supply.allocation
        for vaccine in np.flatnonzero(self.store):
            if rule == "by_bookings":
                wanted = self._wanted(today, int(vaccine), promised[vaccine])
            else:
                weights = {
                    "by_capacity": slots.sum(axis=1).astype(np.float64),
                    "equally": np.ones(slots.shape[0]),
                    "fixed_shares": self._fixed,
                }[rule]
                wanted = apportion(weights, int(self.store[vaccine]))
            room = self._refrigerator - self.at_units @ self.label
            wanted = np.minimum(wanted, np.maximum(room, 0) // self.label[vaccine])
            if wanted.sum() > self.store[vaccine]:
                wanted = apportion(wanted.astype(np.float64), int(self.store[vaccine]))
            self.at_units[:, vaccine] += wanted
            self.store[vaccine] -= wanted.sum()
            shipped[:, vaccine] = wanted
        return shipped

    def _wanted(self, today: int, vaccine: int, promised: Int64Array) -> Int64Array:
        """Vials that each unit lacks for its appointments until the next shipment."""
        until = self._next_shipment[today + 1]
        span = until - today
        # What is left in an opened vial is discarded: every session needs vials of its own.
        vials = -(-promised[:, today:until] // self.per_vial[vaccine])
        walk_ins = np.ceil(self._walk_ins * span).astype(np.int64)
        vials = vials.sum(axis=1) + -(-walk_ins // self.per_vial[vaccine])
        return np.asarray(np.maximum(vials - self.at_units[:, vaccine], 0))

    def can_be_promised(
        self, today: int, announced: bool, from_day: int | None = None
    ) -> Int64Array:
        """int64[V, days]: doses on hand, plus those announced to arrive, up to each day.

        What lies in the provincial store can be given from the next shipment on, that of
        `from_day` (tomorrow unless said otherwise) at the earliest.
        """
        vials = np.empty((self.store.size, self._days))
        vials[:] = self.at_units.sum(axis=0)[:, np.newaxis]
        shipped = self._next_shipment[today + 1 if from_day is None else from_day]
        vials[:, shipped:] += self.store[:, np.newaxis]
        if announced:
            for arrival in self.arrivals:
                if arrival.name not in self._arrived and today < arrival.announced_day < self._days:
                    usable = self._next_shipment[arrival.announced_day]
                    expected = np.floor(arrival.announced_vials * self._kept[arrival.vaccine])
                    vials[arrival.vaccine, usable:] += expected
        return (vials * self.per_vial[:, np.newaxis]).astype(np.int64)


def apportion(weights: NDArray[np.float64], total: int) -> Int64Array:
    """Whole numbers proportional to the weights that sum to `total` (largest remainder).

    All zero where the weights are.
    """
    if weights.sum() <= 0:
        return np.zeros(weights.size, dtype=np.int64)
    exact = weights / weights.sum() * total
    whole = np.floor(exact).astype(np.int64)
    missing = total - int(whole.sum())
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[:missing]] += 1
    return np.asarray(whole)
