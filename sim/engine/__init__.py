"""One day, simulated: a contract and its implementations."""

from __future__ import annotations

import importlib

from sim.engine.contract import Engine

ENGINES = ("compiled", "reference")


def get_engine(name: str) -> Engine:
    """The engine of that name ("reference" or "compiled"), imported only now."""
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}: choose one of {', '.join(ENGINES)}")
    return Engine.of(importlib.import_module(f"sim.engine.{name}"))
