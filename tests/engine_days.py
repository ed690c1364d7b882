"""Inputs of the engines for tests: small days worked by hand, and nasty ones at random.

Hand-worked days speak in seconds and turn them into the contract's microseconds. Random days are
full of ties: times on a coarse grid, durations of zero, queues full at closing, tolerances equal
to waits. `random_call_day(seed)` and `random_session(seed)` are functions of the seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.engine.contract import CallCentreDay, StationKind, UnitSession
from sim.random_streams import CELLS, Stream, stream_word

SECOND = 1_000_000
NEVER = 10**15
"""A time after everything (31 years), for limits that shall not bind."""

Int64Array = NDArray[np.int64]


def us(seconds: ArrayLike) -> Int64Array:
    """Seconds as int64 microseconds."""
    return np.rint(np.asarray(seconds, dtype=np.float64) * SECOND).astype(np.int64)


def constant_table(seconds: float) -> Int64Array:
    """Quantile table int64[2, 4097] of a constant."""
    return np.full((2, CELLS + 1), us(seconds))


def plateau_table(values_us: Sequence[int]) -> Int64Array:
    """Quantile table of a choice among these values with equal probability.

    Between two plateaus lies one cell of interpolation, so one draw in some thousand is off the
    grid. The upper tail is the largest value.
    """
    values = np.sort(np.asarray(values_us, dtype=np.int64))
    plateau = np.minimum(np.arange(CELLS + 1) * values.size // CELLS, values.size - 1)
    return np.stack([values[plateau], np.full(CELLS + 1, values[-1])])


# --- One call-centre day --------------------------------------------------------------------------


def call_day(
    fresh_s: Sequence[float] = (),
    *,
    closes_s: float = 3600,
    steps_s: Sequence[tuple[float, int, int]] = ((0, 0, 1),),
    patience_s: float | Sequence[float] = 1000,
    handle_s: float | Sequence[float] = 100,
    wrap_up_s: float | Sequence[float] = 0,
    redial_delay_s: float = 60,
    **overrides: Any,
) -> CallCentreDay:
    """A day without chance: one agent from time 0, ten lines, nobody redials.

    `steps_s` lists (time, pool, agents). `patience_s`, `handle_s` and `wrap_up_s` are constants, or
    lists with one constant for each call type: `call_type=[0, 1]` then gives each caller a patience
    and a handle time of its own. Further keywords are fields of `CallCentreDay`; lists will do.
    """
    n = len(fresh_s)
    types = max(np.size(patience_s), np.size(handle_s), np.size(wrap_up_s))
    fields: dict[str, Any] = {
        "opens_us": 0,
        "closes_us": int(us(closes_s)),
        "cut_off_at_closing": False,
        "random_agent": False,
        "keeps_patience": False,
        "lines": 10,
        "pool_speaks": [[True]],
        "step_time_us": us([time for time, _, _ in steps_s]),
        "step_pool": [pool for _, pool, _ in steps_s],
        "step_agents": [agents for _, _, agents in steps_s],
        "redial_threshold": 0,
        "reconnect_threshold": 0,
        "attempts_per_day": 10,
        "attempts_allowed": 20,
        "patience": np.stack([constant_table(s) for s in np.broadcast_to(patience_s, types)]),
        "redial_delay": constant_table(redial_delay_s),
        "reconnect_delay": constant_table(redial_delay_s),
        "handle": np.stack([constant_table(s) for s in np.broadcast_to(handle_s, types)]),
        "target_us": 20 * SECOND,
        "interval_us": 1800 * SECOND,
        "seed": 1,
        "replication": 0,
        "fresh_us": us(fresh_s),
        "language": np.zeros(n),
        "call_type": np.zeros(n),
        "entity": np.arange(n),
        "stream": np.full(n, stream_word(Stream.BOOKING_CALL)),
        "attempts_before": np.zeros(n),
    }
    fields.update(overrides)
    if "wrap_up" not in fields:
        wrap_ups = np.broadcast_to(wrap_up_s, len(fields["handle"]))
        fields["wrap_up"] = np.stack([constant_table(s) for s in wrap_ups])
    fields.setdefault("busy_redial_threshold", fields["redial_threshold"])
    fields.setdefault("busy_redial_delay", fields["redial_delay"])
    return _call_day_of(fields)


def _call_day_of(fields: dict[str, Any]) -> CallCentreDay:
    dtypes = {"pool_speaks": np.bool_, "language": np.int8, "call_type": np.int8}
    dtypes |= {"entity": np.uint32, "stream": np.uint32}
    scalars = {"opens_us", "closes_us", "lines", "attempts_per_day"}
    scalars |= {"redial_threshold", "busy_redial_threshold", "reconnect_threshold"}
    scalars |= {"attempts_allowed", "target_us", "interval_us", "seed", "replication"}
    typed = {}
    for name, value in fields.items():
        if name in ("cut_off_at_closing", "random_agent", "keeps_patience"):
            typed[name] = bool(value)
        elif name in scalars:
            typed[name] = int(value)
        else:
            typed[name] = np.asarray(value).astype(dtypes.get(name, np.int64))
    return CallCentreDay(**typed)


def random_call_day(seed: int) -> CallCentreDay:
    """A nasty call-centre day: ties abound, and every rule meets its border cases."""
    rng = np.random.default_rng([1, seed])

    def one_of(*values: Any) -> Any:
        return values[rng.integers(len(values))]

    grid = one_of(SECOND, SECOND, SECOND, 1)
    opens = one_of(0, 8 * 3600) * SECOND
    length = int(one_of(1, 5, 20, 20, 60, 200))
    n = int(one_of(0, 1, 3, 10, 25, 25, 60, 60, 150))
    moments = one_of(
        rng.integers(0, length, n),
        rng.integers(0, length, n),
        np.full(n, rng.integers(length)),
        rng.choice(rng.integers(0, length, 3), n),
        np.maximum(length - 1 - rng.integers(0, 3, n), 0),
    )
    fresh = opens + np.sort(moments) * grid
    closes = opens + length * grid

    languages = int(one_of(1, 1, 2, 3))
    pools = int(one_of(0, 1, 1, 1, 2, 2, 3, 4)) if rng.random() < 0.2 else int(one_of(1, 1, 2, 3))
    most_agents = int(one_of(1, 2, 4, 50))
    steps: dict[tuple[int, int], int] = {}
    start = one_of(-2, 0, 0, 1)  # before, at and after the opening
    for pool in range(pools):
        for time in [start, *rng.integers(-1, length + 6, rng.integers(0, 6))]:
            steps[int(opens + time * grid), pool] = int(rng.integers(0, most_agents + 1))
    keys = sorted(steps)

    types = int(one_of(1, 2, 3))

    def durations(*choices: Sequence[int]) -> Int64Array:
        values = np.asarray(one_of(*choices), dtype=np.int64) * grid
        if rng.random() < 0.05:  # off the grid, every value another
            return np.sort(rng.integers(0, 5 * grid, (2, CELLS + 1)), axis=None).reshape(2, -1)
        return plateau_table(list(values))

    return _call_day_of(
        {
            "opens_us": opens,
            "closes_us": closes,
            "cut_off_at_closing": one_of(False, True),
            "lines": one_of(1, 2, 3, 5, 10, 10**6),
            "pool_speaks": rng.random((pools, languages)) < one_of(0.4, 0.8, 1.0),
            "step_time_us": [time for time, _ in keys],
            "step_pool": [pool for _, pool in keys],
            "step_agents": [steps[key] for key in keys],
            "redial_threshold": one_of(0, 2**30, 2**31, 3 * 2**30, 2**32, 2**32),
            "attempts_per_day": one_of(1, 2, 3, 10),
            "attempts_allowed": one_of(1, 2, 3, 5, 20),
            "patience": [
                durations([0], [1], [0, 1, 2, 5], [2, 3], [0, 10], [1000]) for _ in range(types)
            ],
            "redial_delay": durations([0], [1], [0, 1, 2], [0, 5], [1, 20], [3, 4, 5, 50]),
            "handle": [durations([0], [1], [0, 1, 2], [1, 3, 7], [2, 20]) for _ in range(types)],
            "target_us": one_of(0, 1, 2, 5) * grid,
            "interval_us": one_of(1, 7, length, 1800) * grid,
            "seed": one_of(0, 1, 2**64 - 1, int(rng.integers(2**63))),
            "replication": one_of(0, 1, 2**32 - 1),
            "fresh_us": fresh,
            "language": rng.integers(0, languages, n),
            "call_type": rng.integers(0, types, n),
            "entity": one_of(np.arange(n), rng.integers(0, 2**32, n), rng.permutation(n)),
            "stream": rng.choice([stream_word(Stream.BOOKING_CALL), 2**32 - 1], n),
            "attempts_before": one_of(np.zeros(n), rng.integers(0, 4, n)),
            "busy_redial_threshold": one_of(0, 2**31, 2**32, 2**32),
            "reconnect_threshold": one_of(0, 0, 2**31, 2**32),
            "reconnect_delay": durations([0], [1], [0, 1, 2], [0, 5], [3, 4, 5, 50]),
            "busy_redial_delay": durations([0], [1], [0, 1, 2], [0, 5], [1, 20], [3, 4, 5, 50]),
            "wrap_up": one_of(
                np.zeros((types, 2, CELLS + 1)),
                [durations([0], [1], [0, 1, 2], [0, 3], [2, 20]) for _ in range(types)],
            ),
            "random_agent": one_of(False, True),
            "keeps_patience": one_of(False, True),
        }
    )


# --- One unit's session ---------------------------------------------------------------------------


def session(
    arrival_s: Sequence[float],
    service_s: ArrayLike,
    *,
    kind: Sequence[int] | None = None,
    steps_s: Sequence[Sequence[tuple[float, int]]] | None = None,
    latest_start_s: ArrayLike = NEVER / SECOND,
    walk_s: ArrayLike = 0,
    tolerance_s: ArrayLike = 10**6,
    open_life_s: ArrayLike = 6 * 3600,
    **overrides: Any,
) -> UnitSession:
    """A session without chance: one person at each station from time 0, doses in plenty.

    `service_s` has a row a patient, a column a station. The other times are broadcast: a number
    holds for all, a list of stations (`latest_start_s`), of patients (`tolerance_s`), of vaccines
    (`open_life_s`), or a table like `service_s` (`walk_s`). `steps_s` lists (time, staff) for each
    station. Further keywords are fields of `UnitSession`; lists will do.
    """
    service = us(service_s)
    n, stations = service.shape
    if steps_s is None:
        steps_s = [[(0, 1)]] * stations
    flat = [step for steps in steps_s for step in steps]
    preference = np.asarray(overrides.get("preference", np.zeros((n, 1))))
    vaccines = preference.shape[1]
    fields: dict[str, Any] = {
        "closes_us": NEVER,
        "kind": [StationKind.SERVICE] * stations if kind is None else kind,
        "step_first": np.cumsum([0, *(len(steps) for steps in steps_s)]),
        "step_time_us": us([time for time, _ in flat]),
        "step_staff": [staff for _, staff in flat],
        "latest_start_us": np.broadcast_to(us(latest_start_s), stations),
        "vials": np.full(vaccines, 1000),
        "doses_per_vial": np.full(vaccines, 10),
        "open_life_us": np.broadcast_to(us(open_life_s), vaccines),
        "arrival_us": us(arrival_s),
        "visits": np.ones((n, stations)),
        "service_us": service,
        "walk_us": np.broadcast_to(us(walk_s), (n, stations)),
        "tolerance_us": np.broadcast_to(us(tolerance_s), n),
        "preference": preference,
    }
    fields.update(overrides)
    return _session_of(fields)


def _session_of(fields: dict[str, Any]) -> UnitSession:
    dtypes = {"kind": np.int8, "visits": np.bool_, "preference": np.int8}
    typed: dict[str, Any] = {
        name: np.asarray(value).astype(dtypes.get(name, np.int64)) for name, value in fields.items()
    }
    typed["closes_us"] = int(fields["closes_us"])
    return UnitSession(**typed)


def random_session(seed: int) -> UnitSession:
    """A nasty session: ties abound, and every rule meets its border cases."""
    rng = np.random.default_rng([2, seed])

    def one_of(*values: Any) -> Any:
        return values[rng.integers(len(values))]

    grid = one_of(SECOND, SECOND, SECOND, 1)
    opens = one_of(0, 8 * 3600) * SECOND
    length = int(one_of(3, 10, 30, 100))
    n = int(one_of(0, 1, 3, 10, 20, 20, 40, 120))
    stations = int(one_of(0, 1, 2, 3, 4, 4, 5)) if rng.random() < 0.3 else int(one_of(1, 2, 3, 4))

    kind = np.full(stations, StationKind.SERVICE, dtype=np.int8)
    if stations and rng.random() < 0.8:
        jab = int(rng.integers(stations))
        kind[jab] = StationKind.VACCINATION
        observed = rng.random(stations - jab - 1) < 0.6
        kind[jab + 1 :][observed] = StationKind.OBSERVATION
    visits = rng.random((n, stations)) < one_of(0.5, 0.9, 1.0)
    visits[:, rng.random(stations) < 0.05] = False  # a station that nobody visits
    visits[:, kind == StationKind.OBSERVATION] &= visits[:, kind == StationKind.VACCINATION].any(
        axis=1, keepdims=True
    )

    step_first, step_time, step_staff = [0], [], []
    for _ in range(stations):
        first = one_of([-1], [0], [0], [0], [2], [])
        times = {*first, *map(int, rng.integers(0, length + 10, rng.integers(0, 5)))}
        least, most = one_of((0, 1), (0, 2), (1, 3), (1, 3), (5, 100))
        step_time += [opens + time * grid for time in sorted(times)]
        step_staff += [int(rng.integers(least, most + 1)) for _ in times]
        step_first.append(len(step_time))
    end = opens + length * grid
    middle = opens + int(rng.integers(length)) * grid
    latest_start = [
        one_of(middle, end, end + 2 * grid, 0) if rng.random() < 0.2 else NEVER
        for _ in range(stations)
    ]

    vaccines = int(one_of(0, 1, 1, 1, 2, 2, 2, 3, 3, 3))
    preference = np.full((n, vaccines), -1)
    for patient in range(n):
        wanted = rng.permutation(vaccines)[: rng.integers(vaccines + 1) or vaccines]
        preference[patient, : wanted.size] = wanted

    arrival_grid = rng.integers(-1 if opens else 0, length + 2, n)  # some at and after closing
    if rng.random() < 0.3:
        arrival_grid = rng.choice([0, 1, length // 2, length - 1, length], n)

    def some(size: Any, *choices: Sequence[int]) -> Int64Array:
        return rng.choice(one_of(*choices), size).astype(np.int64) * grid

    return _session_of(
        {
            "closes_us": opens + (length + one_of(0, 0, 0, -2, 5)) * grid,
            "kind": kind,
            "step_first": step_first,
            "step_time_us": step_time,
            "step_staff": step_staff,
            "latest_start_us": latest_start,
            "vials": rng.integers(0, one_of(2, 3, 10, 50, 50), vaccines),
            "doses_per_vial": rng.integers(1, one_of(2, 4, 12), vaccines),
            "open_life_us": some(vaccines, [0], [1], [1, 2, 5], [3, 20], [10**6]),
            "arrival_us": opens + np.sort(arrival_grid) * grid,
            "visits": visits,
            "service_us": some((n, stations), [0], [1], [0, 1, 2], [1, 2, 5], [0, 3, 10]),
            "walk_us": some((n, stations), [0], [0], [0, 1], [2]),
            "tolerance_us": some(n, [0, 1, 2], [2, 5], [0, 3, 10], [2, 20, 50], [10**6]),
            "preference": preference,
        }
    )
