"""Stable orders of moments, faster than a stable sort."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]


def by_time(times_us: Int64Array) -> Int64Array:
    """Positions in order of time; at equal times in their order.

    Times are at least 0 and below 2**37 (38 hours in microseconds). Packed with the position into
    one number they are all different, so that NumPy's fast unstable sort gives the stable order.
    """
    bits = max(times_us.size - 1, 0).bit_length()
    if times_us.size and int(times_us.max()) >> (63 - bits):
        return np.argsort(times_us, kind="stable")
    packed = (times_us << bits) | np.arange(times_us.size)
    packed.sort()
    return np.asarray(packed & ((1 << bits) - 1))


def by_place_and_time(places: NDArray[np.int16], times_us: Int64Array) -> Int64Array:
    """Positions in order of place, then of time; at equal times in their order."""
    order = by_time(times_us)
    # 16-bit numbers are sorted by NumPy in linear time, keeping the order of equal ones.
    return order[np.argsort(places[order], kind="stable")]
