"""The short validation that a description carries: few cases with a formula, in some seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim import __version__
from sim.experiment.run_writer import environment
from sim.experiment.settings import RunSettings
from sim.experiment.validation import Case, JudgedCase, validate

CASES = (
    "r1", "r2_10", "r3_abandon", "r4_120", "r5_3", "r6_1_5", "r7", "r8", "r9", "r10_50",
    "finite_lines", "wrap_up", "no_shows", "deliveries", "second_doses",
)  # fmt: skip
"""Of each reference case the quickest, and some of what else there is."""


def folder_of_cases(scenario: Path | None = None) -> Path | None:
    """Where the cases' scenario files are: beside the scenario, or below this folder."""
    near = [scenario.parent / "validation"] if scenario else []
    for folder in (*near, Path("scenarios/validation")):
        if (folder / "textbook.toml").is_file():
            return folder
    return None


def cases_to_check() -> list[Case]:
    """The cases of these names."""
    from sim.experiment.validation_cases import all_cases

    return [case for case in all_cases() if case.name in CASES]


def self_check(
    folder: Path,
    settings: RunSettings,
    on_percent: Callable[[int], None] = lambda percent: None,
    on_compiling: Callable[[], None] = lambda: None,
) -> list[JudgedCase]:
    """Simulate and judge these cases on both engines, in few replications each."""
    return validate(
        cases_to_check(),
        folder,
        settings,
        quick=True,
        on_percent=on_percent,
        on_compiling=on_compiling,
    )


def provenance(seed: int, quick: bool) -> dict[str, Any]:
    """What a validation is made with."""
    return {"vaxsim": __version__, **environment(), "seed": seed, "quick": quick}
