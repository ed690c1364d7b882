"""vaxsim: discrete-event simulation of a vaccination campaign's throughput.

    from sim import load_scenario, run, verdict

`sim.api` documents these functions. They are loaded when first asked for, so that importing the
package (and the command line's help) takes no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.api import (
        Answer,
        Binding,
        Comparison,
        Estimate,
        Gains,
        Run,
        Scenario,
        Study,
        Sweep,
        answer,
        binding,
        binds,
        compare,
        gains,
        goal,
        load_scenario,
        mean_interval,
        open_run,
        open_study,
        open_sweep,
        paired_difference,
        proportion_interval,
        quantile_band,
        run,
        staff,
        sweep,
        trace,
        verdict,
        verify,
    )

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Binding",
    "Comparison",
    "Estimate",
    "Gains",
    "Run",
    "Scenario",
    "Study",
    "Sweep",
    "answer",
    "binding",
    "binds",
    "compare",
    "gains",
    "goal",
    "load_scenario",
    "mean_interval",
    "open_run",
    "open_study",
    "open_sweep",
    "paired_difference",
    "proportion_interval",
    "quantile_band",
    "run",
    "staff",
    "sweep",
    "trace",
    "verdict",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from sim import api

        return getattr(api, name)
    raise AttributeError(f"module 'sim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
