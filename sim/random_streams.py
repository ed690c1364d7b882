"""Random numbers as a pure function of (seed, replication, stream, entity, attempt).

One block of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011)
gives four 32-bit words. Its 64-bit key is the seed; its 128-bit counter is

    (entity, attempt, stream word, replication)

so nothing depends on the order of use, on how many other entities there are or on the number of
workers. An *entity* is a person (numbered within the group), a unit (0: its name is in the stream
word) or a delivery; an *attempt* counts calls, visits or days of one entity. The *stream word* is
a frozen stream id with a hash of names (group, station, unit ...), so a stream does not depend on
the position of anything in a scenario file.

Uniforms become durations through integer quantile tables (one uniform per draw, inverse CDF): the
logarithms are taken once, when a table is made, and the tables are rounded to whole microseconds.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sim.compilation import inlined_kernel, kernel

UInt32Array = NDArray[np.uint32]
Int64Array = NDArray[np.int64]

CELLS = 4096
"""Cells of a quantile table; the top cell is split into as many again."""


class Stream(IntEnum):
    """Frozen ids: never renumber, only append. What the four words of a block are, in order."""

    PERSON = 1  # willing, telephone or other channel, home unit, order of advance booking
    FIRST_CALL = 2  # cell of the demand curve, moment within the cell
    INQUIRY = 3  # does the person inquire at all, cell of the demand curve, moment within it
    BOOKING_CALL = 4  # per attempt: patience, redial decision, redial delay, handle time
    INQUIRY_CALL = 5  # per attempt: as for BOOKING_CALL
    CONVERSION = 6  # does an answered booking call end in a booking
    NEXT_DAY_CALL = 7  # per attempt: cell of the call-time profile, moment in it, decision
    VISIT = 8  # per appointment: no-show, punctuality, rebooking, tolerance for waiting
    STATION = 9  # per visit, by station name: visits it, service time, adverse event, its length
    DELIVERY = 10  # by delivery name: delay, fraction delivered, storage loss
    WALK_IN = 11  # by unit name, entity = day: number of walk-ins
    WALK_IN_PERSON = 12  # moment of arrival (or its hour), order of walking in, moment in the hour
    WALK = 13  # per visit, by station name: walk to it
    BOOKING_WRAP_UP = 14  # per attempt: after-call work, which of the free agents
    INQUIRY_WRAP_UP = 15  # per attempt: as for BOOKING_WRAP_UP


def stream_word(stream: Stream, *names: str) -> int:
    """32-bit stream word: the frozen id in the top byte, a CRC-32 of the names folded below it."""
    if not names:
        return int(stream) << 24
    checksum = zlib.crc32("\x1f".join(names).encode("utf-8"))
    return (int(stream) << 24) | ((checksum ^ (checksum >> 8)) & 0xFFFFFF)


@inlined_kernel
def philox(  # type: ignore[no-untyped-def]
    entity, attempt, stream, replication, seed_low, seed_high
):
    """One Philox4x32-10 block: four 32-bit words from 32-bit values, all held in uint64."""
    mask = np.uint64(0xFFFFFFFF)
    shift = np.uint64(32)
    c0 = np.uint64(entity) & mask
    c1 = np.uint64(attempt) & mask
    c2 = np.uint64(stream) & mask
    c3 = np.uint64(replication) & mask
    k0 = np.uint64(seed_low)
    k1 = np.uint64(seed_high)
    for _ in range(10):
        p0 = np.uint64(0xD2511F53) * c0
        p1 = np.uint64(0xCD9E8D57) * c2
        c0 = (p1 >> shift) ^ c1 ^ k0
        c1 = p1 & mask
        c2 = (p0 >> shift) ^ c3 ^ k1
        c3 = p0 & mask
        k0 = (k0 + np.uint64(0x9E3779B9)) & mask
        k1 = (k1 + np.uint64(0xBB67AE85)) & mask
    return c0, c1, c2, c3


@kernel
def fill_blocks(entities, attempts, streams, replication, seed_low, seed_high, out):  # type: ignore[no-untyped-def]
    """The words of as many blocks as `out` has columns (uint32[4, n]), several at a time."""
    for i in range(entities.shape[0]):
        w0, w1, w2, w3 = philox(
            entities[i], attempts[i], streams[i], replication, seed_low, seed_high
        )
        out[0, i] = np.uint32(w0)
        out[1, i] = np.uint32(w1)
        out[2, i] = np.uint32(w2)
        out[3, i] = np.uint32(w3)


STEPS = 2**62
"""Last of row 0 of a table of single values (see `_table_of_steps`); else it is never read."""


@kernel
def _step(table, word):  # type: ignore[no-untyped-def]
    """The first value of a table of steps whose interval ends after the word, by bisection."""
    low, high = 0, 4095
    while low < high:
        middle = (low + high) >> 1
        if table[0, middle] <= word:
            low = middle + 1
        else:
            high = middle
    return table[1, low]


@inlined_kernel
def quantile(table, word):  # type: ignore[no-untyped-def]
    """Value of a quantile table (int64[2, CELLS + 1]) at a 32-bit word, in integer arithmetic."""
    w = np.int64(word)
    if table[0, 4096] == STEPS:
        return _step(table, w)
    cell = w >> 20
    rest = w & 0xFFFFF
    if cell < 4095:
        low = table[0, cell]
        return low + (((table[0, cell + 1] - low) * rest) >> 20)
    cell = rest >> 8
    low = table[1, cell]
    return low + (((table[1, cell + 1] - low) * (rest & 0xFF)) >> 8)


@kernel
def _fill_quantiles(table, words, out):  # type: ignore[no-untyped-def]
    for i in range(words.shape[0]):
        out[i] = quantile(table, words[i])


@inlined_kernel
def interval(ends, starts, word):  # type: ignore[no-untyped-def]
    """Index of the interval (see `cumulative_thresholds`) in which a 32-bit word lies.

    `starts` (see `interval_starts`) tells where to begin looking.
    """
    number = starts[np.int64(word) >> 20]
    while ends[number] <= np.uint64(word):
        number += 1
    return number


class RandomStreams:
    """The randomness of one replication: every draw of the model comes from here."""

    def __init__(self, seed: int, replication: int) -> None:
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed {seed} is not between 0 and 2**64 - 1")
        if not 0 <= replication < 2**32:
            raise ValueError(f"replication {replication} is not between 0 and 2**32 - 1")
        self.seed = seed
        self.replication = replication

    @property
    def key(self) -> tuple[int, int, int]:
        """The last three arguments of `philox`: replication, lower and upper half of the seed."""
        return self.replication, self.seed & 0xFFFFFFFF, self.seed >> 32

    def blocks(
        self,
        streams: int | UInt32Array,
        entities: int | NDArray[Any],
        attempts: int | NDArray[Any] = 0,
    ) -> UInt32Array:
        """Blocks for arrays of (stream word, entity, attempt), broadcast together.

        Returns uint32[4, n]: the four words of each block as rows.
        """
        arrays = [v.size for v in (streams, entities, attempts) if isinstance(v, np.ndarray)]
        size = next((size for size in arrays if size != 1), 1)
        e, a, s = (_column(values, size) for values in (entities, attempts, streams))
        out = np.empty((4, size), dtype=np.uint32)
        fill_blocks(e, a, s, *self.key, out)
        return out


_PART = 2**15
"""so many that their random numbers stay in the cache"""


def parts(size: int, most: int = _PART) -> Iterator[slice]:
    """Positions of an array, at most so many at a time; one empty part if there are none."""
    for start in range(0, max(size, 1), most):
        yield slice(start, min(start + most, size))


def _column(values: int | NDArray[Any], size: int) -> UInt32Array:
    """One value for all, or an array of one each, as an array that a kernel takes."""
    if isinstance(values, np.ndarray) and values.size == size:
        return np.ascontiguousarray(values, dtype=np.uint32)
    return np.full(size, values, dtype=np.uint32)


class HasQuantiles(Protocol):
    """A distribution that knows its quantile function.

    One of single values also has a method `steps` (see `HasSteps`).
    """

    def quantiles(self, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at these probabilities."""
        ...


@runtime_checkable
class HasSteps(Protocol):
    """A distribution that may be one of single values, each with a probability of its own."""

    def steps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Values, ascending, and their weights (any sum); None if it is not discrete."""
        ...


LARGEST_TABLE_VALUE = 10**12
"""Values are cut off here (11.6 days in microseconds), so that interpolation cannot overflow."""


def quantile_table(distribution: HasQuantiles, units_per_one: int) -> Int64Array:
    """Integer quantile table of a distribution, in `units_per_one` units of its own unit.

    int64[2, CELLS + 1]: row 0 holds the quantiles at i / CELLS, row 1 those at
    1 - 1 / CELLS + i / CELLS**2, because the upper tail of a duration bends most. An infinite
    upper end is replaced by the quantile at 1 - 2**-26. For a distribution of single values see
    `_table_of_steps`.
    """
    if isinstance(distribution, HasSteps) and (steps := distribution.steps()) is not None:
        return _table_of_steps(*steps, units_per_one)
    grid = np.arange(CELLS + 1) / CELLS
    top = 1.0 - 1.0 / CELLS
    tail = np.minimum(top + grid / CELLS, 1.0)
    tail[-1] = 1.0
    table = np.empty((2, CELLS + 1), dtype=np.int64)
    for row, probabilities in enumerate((grid, tail)):
        values = np.asarray(distribution.quantiles(probabilities), dtype=np.float64)
        if not np.isfinite(values[-1]):
            values[-1] = distribution.quantiles(np.array([1.0 - 2.0**-26]))[0]
        table[row] = _scaled(values, units_per_one)
    return table


def _scaled(values: NDArray[np.float64], units_per_one: int) -> Int64Array:
    scaled = np.clip(values * units_per_one, -LARGEST_TABLE_VALUE, LARGEST_TABLE_VALUE)
    return np.rint(scaled).astype(np.int64)


def _table_of_steps(
    values: NDArray[np.float64], weights: NDArray[np.float64], units_per_one: int
) -> Int64Array:
    """The table of single values: row 0 has the upper ends of their 32-bit intervals, row 1 them.

    At most CELLS values; what is left of the rows repeats the last one.
    """
    table = np.empty((2, CELLS + 1), dtype=np.int64)
    table[0] = 2**32
    table[0, : values.size] = cumulative_thresholds(weights).astype(np.int64)
    table[0, CELLS] = STEPS
    scaled = _scaled(values, units_per_one)
    table[1] = scaled[-1]
    table[1, : values.size] = scaled
    return table


def draw(table: Int64Array, words: UInt32Array) -> Int64Array:
    """Values of a quantile table at an array of 32-bit words."""
    out = np.empty(words.shape[0], dtype=np.int64)
    _fill_quantiles(table, words, out)
    return out


def threshold(probability: float) -> int:
    """The number t such that `word < t` for a 32-bit word happens with this probability."""
    return round(probability * 2**32)


def cumulative_thresholds(weights: Sequence[float] | NDArray[np.float64]) -> NDArray[np.uint64]:
    """Upper ends (uint64, last one 2**32) of the 32-bit intervals that belong to the weights."""
    cumulative = np.cumsum(np.asarray(weights, dtype=np.float64))
    ends = np.rint(cumulative / cumulative[-1] * 2**32).astype(np.uint64)
    ends[-1] = 2**32
    return np.asarray(ends)


def interval_starts(ends: NDArray[np.uint64]) -> Int64Array:
    """The interval in which each multiple of 2**20 below 2**32 lies."""
    words = np.arange(CELLS, dtype=np.uint64) << np.uint64(20)
    return np.searchsorted(ends, words, "right")
