"""How often waits and stays of each length came: counts in classes, from which quantiles follow.

Below 128 µs a class is one microsecond; above, each doubling of the length has 64 classes of equal
width. So a length is known to within 1.6 % of itself, from microseconds to weeks, in 2,304 counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.compilation import inlined_kernel
from sim.scenario import MINUTE_US

_BITS = 6
_DOUBLINGS = 34
CLASSES = (_DOUBLINGS + 2) << _BITS
"""The last one ends at 2**41 µs (25 days), and holds all that is longer, too."""


@inlined_kernel
def duration_class(length_us):  # type: ignore[no-untyped-def]
    """The class of a length."""
    # A floating-point number has the doubling and its part side by side, as first bits.
    first_bits = np.float64(length_us).view(np.int64) >> (52 - _BITS)
    large = first_bits - ((_EXPONENT_OF_ONE + _BITS - 1) << _BITS)
    return length_us if length_us < 128 else min(large, CLASSES - 1)


_EXPONENT_OF_ONE = 1023
"""as it stands in a number of 64 bits (IEEE 754)"""


def _edges_us() -> NDArray[np.int64]:
    """Where the classes begin, and the last one ends: int64[CLASSES + 1]."""
    number = np.arange(CLASSES + 1)
    shift = np.maximum((number >> _BITS) - 1, 0)
    return np.asarray((number - (shift << _BITS)) << shift, dtype=np.int64)


def duration_rows(what: str, station: str, counts: NDArray[np.int64]) -> dict[str, Any]:
    """Rows of the table `durations` for the classes that have any (int64[CLASSES])."""
    some, edges_us = np.flatnonzero(counts), _edges_us()
    return {
        "what": np.full(some.size, what),
        "station": np.full(some.size, station),
        "shortest": edges_us[some] / MINUTE_US,
        "longest": (edges_us[some + 1] - 1) / MINUTE_US,
        "number": counts[some],
    }
