"""Memory that a process keeps from one replication to the next."""

from __future__ import annotations

import ctypes
import sys

# From malloc.h of glibc:
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_memory() -> None:
    """Have this process keep for the next replication the memory that one is done with.

    A virtual machine may take two seconds of processor time to find a gigabyte anew. Only on Linux
    with glibc; elsewhere nothing is changed.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_MMAP_MAX, 0)
            mallopt(_M_TRIM_THRESHOLD, -1)
