"""What a worker needs, loaded when this module is imported: its code, and the compiled kernels."""

from __future__ import annotations

import gc
import importlib
import os

_NEEDED = (
    "numba",
    "pandas",
    "pyarrow",
    "scipy.special",
    "sim.experiment.crews",
    "sim.model.campaign",
    "sim.engine.compiled",
)


def _load() -> None:
    """Load all that, and leave on the way if the process for which it is done has ended."""
    parent = os.getppid()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # who has threads should not fork
    for name in _NEEDED:
        importlib.import_module(name)
        if os.getppid() != parent:
            os._exit(0)
    from sim.compilation import load_compiled
    from sim.experiment.memory import keep_memory

    load_compiled()
    keep_memory()


# What is loaded stays: to look for garbage in it takes a fifth of the time, and it is shared with
# the workers as long as nobody touches it.
gc.disable()
_load()
gc.freeze()
gc.enable()
