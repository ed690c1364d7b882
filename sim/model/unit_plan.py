"""What is the same at every session of a unit: its hours, stations and staff, and how it draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.engine.contract import StationKind
from sim.model.shifts import staff_steps, staff_time_us
from sim.random_streams import Stream, quantile_table, stream_word, threshold
from sim.scenario import MINUTE_US, Distribution, Unit

Int64Array = NDArray[np.int64]


@dataclass(frozen=True)
class UnitPlan:
    """A unit with S stations, in arrays of the engine."""

    opens_us: int
    closes_us: int
    kind: NDArray[np.int8]
    step_first: Int64Array
    step_time_us: Int64Array
    step_staff: Int64Array
    latest_start_us: Int64Array
    on_duty_us: Int64Array
    stations: tuple[str, ...]
    draws: StationDraws


@dataclass(frozen=True)
class StationDraws:
    """How what happens to a patient at each of S stations is drawn."""

    streams: NDArray[np.uint32]
    """[S, groups] stream words"""
    share: NDArray[np.uint64]
    """[S] threshold"""
    minutes: Int64Array
    """[S, 2, 4097] quantile tables, of curves or of single values, in microseconds"""
    adverse: NDArray[np.uint64]
    """[S] threshold"""
    adverse_minutes: Int64Array
    """[S, 2, 4097]"""
    walk_streams: NDArray[np.uint32]
    """[S, groups] stream words"""
    walk_minutes: Int64Array
    """[S, 2, 4097]"""
    walk_varies: NDArray[np.bool_]
    """[S]"""


class QuantileTables:
    """Quantile tables in microseconds and station draws, one for each that differs."""

    def __init__(self) -> None:
        self._known: dict[str, Int64Array] = {}
        self._stations: dict[str, StationDraws] = {}

    def of(self, distribution: Distribution) -> Int64Array:
        """The distribution's quantile table."""
        key = repr(distribution)
        if key not in self._known:
            self._known[key] = quantile_table(distribution, MINUTE_US)
        return self._known[key]

    def stations(self, unit: Unit, groups: list[str]) -> StationDraws:
        """How the stations of the unit draw; the same object for units that draw alike."""
        settings = {"staff", "shifts", "breaks", "overtime_minutes"}
        key = repr([(n, s.model_dump(exclude=settings)) for n, s in unit.stations.items()])
        stations = unit.stations.values()
        if key not in self._stations:
            streams, walk_streams = (
                np.array(
                    [[stream_word(stream, n, g) for g in groups] for n in unit.stations],
                    dtype=np.uint32,
                )
                for stream in (Stream.STATION, Stream.WALK)
            )
            walk_minutes = np.stack([self.of(s.walk_minutes) for s in stations])
            self._stations[key] = StationDraws(
                streams=streams,
                share=np.array([threshold(s.share) for s in stations], dtype=np.uint64),
                minutes=np.stack([self.of(s.minutes) for s in stations]),
                adverse=np.array(
                    [threshold(s.adverse_event_probability) for s in stations], dtype=np.uint64
                ),
                adverse_minutes=np.stack([self.of(s.adverse_event_minutes) for s in stations]),
                walk_streams=walk_streams,
                walk_minutes=walk_minutes,
                walk_varies=walk_minutes[:, 0, 0] < walk_minutes[:, 1, -1],
            )
        return self._stations[key]


def unit_plan(unit: Unit, groups: list[str], tables: QuantileTables) -> UnitPlan:
    """The plan of a unit; the tables of quantiles are made once for all units."""
    opens_us, closes_us = unit.opens * MINUTE_US, unit.closes * MINUTE_US
    stations = unit.stations.values()
    steps = [staff_steps(s.staff, s.shifts, s.breaks, unit.opens, unit.closes) for s in stations]
    return UnitPlan(
        opens_us=opens_us,
        closes_us=closes_us,
        kind=np.array([StationKind[s.kind.upper()] for s in stations], dtype=np.int8),
        step_first=np.cumsum([0] + [times.size for times, _ in steps], dtype=np.int64),
        step_time_us=np.concatenate([times for times, _ in steps]),
        step_staff=np.concatenate([staff for _, staff in steps]),
        latest_start_us=np.array(
            [closes_us + round(s.overtime_minutes * MINUTE_US) for s in stations], dtype=np.int64
        ),
        on_duty_us=np.array(
            [staff_time_us(times, staff, opens_us, closes_us) for times, staff in steps],
            dtype=np.int64,
        ),
        stations=tuple(unit.stations),
        draws=tables.stations(unit, groups),
    )


def opening_us(plans: Sequence[UnitPlan]) -> tuple[Int64Array, Int64Array]:
    """When each unit opens, and for how long: [units]."""
    opens = np.array([plan.opens_us for plan in plans], dtype=np.int64)
    return opens, np.array([plan.closes_us for plan in plans], dtype=np.int64) - opens


def runs_that_draw_alike(draws: list[StationDraws]) -> list[tuple[range, StationDraws]]:
    """Units one after the other that draw alike, and how."""
    runs: list[tuple[range, StationDraws]] = []
    for n, each in enumerate(draws):
        alike = bool(runs) and runs[-1][1] is each
        begin = runs.pop()[0].start if alike else n
        runs.append((range(begin, n + 1), each))
    return runs
