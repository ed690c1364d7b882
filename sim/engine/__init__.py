"""One day, simulated: a contract and its implementations."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.engine.contract import Engine

ENGINES = ("compiled", "reference")


def get_engine(name: str) -> Engine:
    """The engine of that name ("reference" or "compiled"), imported only now."""
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}: choose one of {', '.join(ENGINES)}")
    from sim.engine.contract import Engine  # loads numba, which not every process needs

    return Engine.of(importlib.import_module(f"sim.engine.{name}"))
