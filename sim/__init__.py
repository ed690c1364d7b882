"""vaxsim: discrete-event simulation of a vaccination campaign's throughput.

    from sim import compare, load_scenario, open_run, run, sweep, trace

`sim.api` documents these functions. They are loaded when first asked for, so that importing the
package (and the command line's help) takes no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.api import compare, load_scenario, open_run, open_sweep, run, sweep, trace

__version__ = "0.1.0"

__all__ = ["compare", "load_scenario", "open_run", "open_sweep", "run", "sweep", "trace"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from sim import api

        return getattr(api, name)
    raise AttributeError(f"module 'sim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
