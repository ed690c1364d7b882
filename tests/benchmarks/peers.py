"""Microseconds a person: vaxsim beside SimPy, Ciw and salabim on one like model.

    python tests/benchmarks/peers.py [--people 20000]

The model: people telephone at random through one day of 24 hours; agents answer in the order of
calling, and who has no patience left hangs up for good; who was answered goes to one of 21 units,
at random, and passes its four stations, first come first served. All times are exponential.
Nobody is sent away at the end of the day. Each peer has the code that its own tutorial would
write; each counts a person's wait for an agent and at every station, and nothing else.

Where ours differs: who has booked comes to the unit on the next day, at a random time, and not
straight from the telephone. For the queues that is nearly the same (the calls that end are nearly
a Poisson stream again). Ours does what the others leave out, too: homes, an appointment for each
person, doses, vials and all tables of results. It runs compiled; what compiles is done before.

The mean waits are printed beside each other and beside theory (Erlang A for the call centre,
Erlang C for the stations). They are said to agree if they lie within four standard errors.
"""

from __future__ import annotations

import argparse
import importlib
import math
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

UNITS = 21
DAY_MINUTES = 1440.0
CALLS_AN_AGENT = 360  # offered in a day; one agent can answer 360 calls of four minutes
PATIENCE_MINUTES = 5.0
CALL_MINUTES = 4.0
STATIONS = {"registration": 2.0, "screening": 3.0, "vaccination": 4.0, "observation": 30.0}
OCCUPANCY = 0.85  # of every station, about


@dataclass(frozen=True)
class Model:
    """How many people, and staff for them."""

    people: int
    agents: int
    staff: tuple[int, ...]

    @classmethod
    def of(cls, people: int) -> Model:
        """As many agents as the calls need, and staff who are busy most of the time."""
        each_minute = people / UNITS / DAY_MINUTES
        staff = (math.ceil(each_minute * m / OCCUPANCY) for m in STATIONS.values())
        return cls(people, math.ceil(people / CALLS_AN_AGENT), tuple(staff))


@dataclass
class Waits:
    """Sums and counts of waits in minutes: by hour of the call, and by (unit, station)."""

    calls: list[list[float]] = field(default_factory=lambda: [[0.0, 0] for _ in range(24)])
    stations: list[list[list[float]]] = field(
        default_factory=lambda: [[[0.0, 0] for _ in STATIONS] for _ in range(UNITS)]
    )
    answered: int = 0

    def call(self, arrival: float, wait: float) -> None:
        cell = self.calls[int(arrival // 60)]
        cell[0] += wait
        cell[1] += 1
        self.answered += 1

    def station(self, unit: int, station: int, wait: float) -> None:
        cell = self.stations[unit][station]
        cell[0] += wait
        cell[1] += 1

    def means(self) -> list[tuple[float, float]]:
        """Mean wait and its standard error: of answered calls, then at each station.

        Hours and units are nearly independent, so that their means tell the error.
        """
        columns = [self.calls, *([u[s] for u in self.stations] for s in range(len(STATIONS)))]
        return [_mean_of(cells) for cells in columns]


def _mean_of(cells: list[list[float]]) -> tuple[float, float]:
    total = sum(n for _, n in cells)
    mean = sum(wait for wait, _ in cells) / total
    spread = sum((wait - mean * n) ** 2 for wait, n in cells)
    return mean, math.sqrt(spread * len(cells) / (len(cells) - 1)) / total


def arrivals(model: Model, rng: random.Random) -> list[float]:
    return sorted(rng.uniform(0, DAY_MINUTES) for _ in range(model.people))


# The peers ------------------------------------------------------------------------------------


def with_simpy(model: Model) -> Waits:
    import simpy

    rng, waits = random.Random(1), Waits()
    env = simpy.Environment()
    agents = simpy.Resource(env, model.agents)
    units = [[simpy.Resource(env, staff) for staff in model.staff] for _ in range(UNITS)]

    def person(arrival: float) -> Any:
        with agents.request() as request:
            patience = env.timeout(rng.expovariate(1 / PATIENCE_MINUTES))
            yield request | patience
            if not request.triggered:
                return
            waits.call(arrival, env.now - arrival)
            yield env.timeout(rng.expovariate(1 / CALL_MINUTES))
        unit = rng.randrange(UNITS)
        for number, (station, minutes) in enumerate(
            zip(units[unit], STATIONS.values(), strict=True)
        ):
            joined = env.now
            with station.request() as request:
                yield request
                waits.station(unit, number, env.now - joined)
                yield env.timeout(rng.expovariate(1 / minutes))

    def source() -> Any:
        for arrival in arrivals(model, rng):
            yield env.timeout(max(arrival - env.now, 0.0))
            env.process(person(env.now))

    env.process(source())
    env.run()
    return waits


def with_ciw(model: Model) -> Waits:
    import ciw

    ciw.seed(1)
    times = arrivals(model, random.Random(1))
    gaps = [after - before for before, after in zip([0.0, *times], times, strict=False)]
    count = len(STATIONS)
    nodes = 1 + UNITS * count
    routing = [[0.0] * nodes for _ in range(nodes)]
    for unit in range(UNITS):
        first = 1 + unit * count
        routing[0][first] = (1 - 1e-12) / UNITS  # (their sum must not exceed 1)
        for node in range(first, first + count - 1):
            routing[node][node + 1] = 1.0
    nowhere = [None] * (nodes - 1)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential([*gaps, float("inf")]), *nowhere],
        service_distributions=[
            ciw.dists.Exponential(1 / minutes)
            for minutes in [CALL_MINUTES, *list(STATIONS.values()) * UNITS]
        ],
        reneging_time_distributions=[ciw.dists.Exponential(1 / PATIENCE_MINUTES), *nowhere],
        number_of_servers=[model.agents, *list(model.staff) * UNITS],
        routing=routing,
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(2 * DAY_MINUTES)
    waits = Waits()
    for record in simulation.get_all_records(only=["service"]):
        if record.node == 1:
            waits.call(record.arrival_date, record.waiting_time)
        else:
            unit, station = divmod(record.node - 2, count)
            waits.station(unit, station, record.waiting_time)
    return waits


def with_salabim(model: Model) -> Waits:
    import salabim

    salabim.yieldless(False)
    rng, waits = random.Random(1), Waits()
    env = salabim.Environment(trace=False, random_seed=1)
    agents = salabim.Resource("agents", capacity=model.agents)
    units = [
        [
            salabim.Resource(f"{unit}.{name}", capacity=staff)
            for name, staff in zip(STATIONS, model.staff, strict=True)
        ]
        for unit in range(UNITS)
    ]

    class Person(salabim.Component):  # type: ignore[misc]
        def process(self) -> Any:
            arrival = env.now()
            yield self.request(agents, fail_delay=rng.expovariate(1 / PATIENCE_MINUTES))
            if self.failed():
                return
            waits.call(arrival, env.now() - arrival)
            yield self.hold(rng.expovariate(1 / CALL_MINUTES))
            self.release(agents)
            unit = rng.randrange(UNITS)
            for number, (station, minutes) in enumerate(
                zip(units[unit], STATIONS.values(), strict=True)
            ):
                joined = env.now()
                yield self.request(station)
                waits.station(unit, number, env.now() - joined)
                yield self.hold(rng.expovariate(1 / minutes))
                self.release(station)

    class Source(salabim.Component):  # type: ignore[misc]
        def process(self) -> Any:
            for arrival in arrivals(model, rng):
                yield self.hold(till=arrival)
                Person()

    Source()
    env.run()
    return waits


# Ours -----------------------------------------------------------------------------------------


def reduced_scenario(model: Model) -> Any:
    """A campaign of two days, the first for the telephone and the second for the units."""
    from sim.scenario import Scenario

    def exponential(mean: float) -> dict[str, Any]:
        return {"distribution": "exponential", "mean": mean}

    telephone_day, unit_day = date(2021, 6, 1), date(2021, 6, 2)
    every_day = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    all_day = {"open_days": every_day, "opens": "00:00", "closes": "24:00"}
    return Scenario.model_validate(
        {
            "title": "A call centre in front of 21 units",
            "campaign": {
                "province": "",
                "first_day": telephone_day,
                "vaccination_from": unit_day,
                "deadline": unit_day,
                "horizon": unit_day,
                "population": model.people,
                "vaccinated_before": 0,
                "coverage_goal": 1.0,
                "complete_with": "all_doses",
            },
            "districts": {"province": 1.0},
            "groups": {
                "people": {
                    "people": model.people,
                    "language": "thai",
                    "turn_from": telephone_day,
                    "willing": 1.0,
                    "first_calls": [{"opens": telephone_day, "share": 1.0, "mean_days": 0.01}],
                }
            },
            "call_centre": {
                **all_day,
                "first_day": telephone_day,
                "last_day": telephone_day,
                "lines": 1_000_000,
                "at_closing": "serve",
                "patience_minutes": exponential(PATIENCE_MINUTES),
                "booking_call_minutes": exponential(CALL_MINUTES),
                "inquiry_call_minutes": 1.0,
                "redial_probability": 0.0,
                "redial_delay_minutes": 1.0,
                "attempts_per_day": 1,
                "attempts_in_all": 1,
                "inquiries_per_person": 0.0,
                "call_times": [1.0] * 24,
                "weekday_calls": [1.0] * 7,
                "pools": {"agents": {"languages": ["thai"], "agents": model.agents}},
            },
            "other_channels": {
                "first_day": telephone_day,
                "last_day": telephone_day,
                "open_days": every_day,
                "bookings_per_day": 0,
            },
            "vaccines": {"vaccine": {"doses_per_vial": 1, "open_vial_hours": 6.0}},
            "regimens": {"single": {"first": "vaccine"}},
            "deliveries": {
                "all": {"vaccine": "vaccine", "arrives": telephone_day, "doses": model.people}
            },
            "supply": {
                "allocation": "by_bookings",
                "shipment_days": every_day,
                "second_dose_policy": "first_doses_first",
            },
            "appointments": {
                "stock_rule": "on_hand",
                "window_days": 1,
                "home_unit_tolerance_days": 0,
                "block_minutes": 1440,  # all appointments at midnight, and everybody is late by
                "punctuality_minutes": {  # a random time
                    "distribution": "uniform",
                    "low": 0.0,
                    "high": DAY_MINUTES - 0.001,
                },
                "no_show": 0.0,
                "rebook_after_no_show": 0.0,
                "rebook_after_turned_away": 0.0,
                "waiting_tolerance_minutes": 2 * DAY_MINUTES,
            },
            "unit_types": {
                "unit": {
                    **all_day,
                    "slots_per_day": model.people,
                    "stations": {
                        name: {
                            "kind": "vaccination" if name == "vaccination" else "service",
                            "staff": staff,
                            "minutes": exponential(minutes),
                            "overtime_minutes": DAY_MINUTES,
                        }
                        for (name, minutes), staff in zip(
                            STATIONS.items(), model.staff, strict=True
                        )
                    },
                }
            },
            "units": {
                f"unit_{number + 1}": {"type": "unit", "district": "province"}
                for number in range(UNITS)
            },
        }
    )


def with_vaxsim(model: Model) -> Waits:
    from sim.engine import get_engine
    from sim.model.campaign import simulate

    tables = simulate(reduced_scenario(model), get_engine("compiled"), seed=1, replication=0)
    waits = Waits()
    calls = tables["call_centre"].groupby("hour")[["wait_answered", "answered"]].sum()
    waits.calls = [[float(wait), int(n)] for wait, n in calls.to_numpy()]
    waits.answered = int(calls["answered"].sum())
    at_stations = tables["stations"].set_index(["unit", "station"])[["wait", "served"]]
    waits.stations = [
        [
            [float(x) for x in at_stations.loc[(f"unit_{number + 1}", name)].to_numpy()]
            for name in STATIONS
        ]
        for number in range(UNITS)
    ]
    return waits


# Theory ---------------------------------------------------------------------------------------


def erlang_a(rate: float, agents: int) -> tuple[float, float]:
    """Mean wait of answered calls and share answered (Garnett, Mandelbaum and Reiman, 2002).

    From the stationary distribution of the number of calls; a call that finds n before it in the
    queue is answered unless its patience is the first to end, at each of n + 1 departures.
    """
    service, hangs_up = 1 / CALL_MINUTES, 1 / PATIENCE_MINUTES
    weight, weights = 1.0, [1.0]
    while weight > 1e-15 * max(weights) or len(weights) <= agents:
        n = len(weights)
        weight *= rate / (min(n, agents) * service + max(n - agents, 0) * hangs_up)
        weights.append(weight)
    total = sum(weights)
    answered, wait = 0.0, 0.0
    for n, w in enumerate(weights):
        got_through, minutes = 1.0, 0.0
        for before in range(n - agents, -1, -1):
            leaving = agents * service + (before + 1) * hangs_up
            got_through *= 1 - hangs_up / leaving
            minutes += 1 / leaving
        answered += w / total * got_through
        wait += w / total * got_through * minutes
    return wait / answered, answered


def erlang_c(rate: float, staff: int, minutes: float) -> float:
    """Mean wait (Erlang, 1917)."""
    load = rate * minutes
    blocked = 1.0
    for n in range(1, staff + 1):
        blocked = load * blocked / (n + load * blocked)
    waits = staff * blocked / (staff - load * (1 - blocked))
    return waits * minutes / (staff - load)


def theory(model: Model) -> tuple[float, list[float]]:
    """Calls answered; mean waits of answered calls, then at each station."""
    wait, answered = erlang_a(model.people / DAY_MINUTES, model.agents)
    rate = answered * model.people / DAY_MINUTES / UNITS
    stations = zip(model.staff, STATIONS.values(), strict=True)
    waits = [wait, *(erlang_c(rate, staff, minutes) for staff, minutes in stations)]
    return answered * model.people, waits


# The table ------------------------------------------------------------------------------------

PEERS: dict[str, Callable[[Model], Waits]] = {
    "simpy": with_simpy,
    "ciw": with_ciw,
    "salabim": with_salabim,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=20_000, metavar="N")
    model = Model.of(parser.parse_args().people)

    with_vaxsim(Model.of(1000))  # compiles, or loads compiled code
    runs: dict[str, tuple[float, Waits]] = {}
    missing = []
    for name, run in {"vaxsim": with_vaxsim, **PEERS}.items():
        try:
            version = importlib.import_module("sim" if name == "vaxsim" else name).__version__
        except ImportError:
            missing.append(name)
            continue
        start = time.perf_counter()
        waits = run(model)
        runs[f"{name} {version}"] = time.perf_counter() - start, waits

    staff = ", ".join(f"{n} {name}" for name, n in zip(STATIONS, model.staff, strict=True))
    print(f"{model.people:,} people, {model.agents} agents, {UNITS} units of {staff}\n")
    heads = ["", "µs a person", "times ours", "answered", "wait: call", *STATIONS]
    ours, own_waits = next(iter(runs.values()))
    own_means = own_waits.means()
    rows = [heads]
    disagreeing = []
    for name, (seconds, waits) in runs.items():
        means = waits.means()
        rows.append(
            [
                name,
                f"{1e6 * seconds / model.people:,.1f}",
                f"{seconds / ours:,.0f}",
                f"{waits.answered:,}",
                *(f"{mean:.2f} ± {error:.2f}" for mean, error in means),
            ]
        )
        for what, one, own in zip(heads[4:], means, own_means, strict=True):
            if abs(one[0] - own[0]) > 4 * math.hypot(one[1], own[1]):
                disagreeing.append(f"{name}: {what}")
    answered, expected = theory(model)
    rows.append(["theory", "", "", f"{answered:,.0f}", *(f"{wait:.2f}" for wait in expected)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    for row in rows:
        print("  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)))
    print("\nWaits in minutes, mean ± standard error.", end=" ")
    print(f"They disagree: {'; '.join(disagreeing)}." if disagreeing else "They agree.")
    if missing:
        print(f"Not installed: {', '.join(missing)}; pip install {' '.join(missing)}")
    if disagreeing:
        sys.exit(1)


if __name__ == "__main__":
    main()
