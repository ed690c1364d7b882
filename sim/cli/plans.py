"""Commands for scenario files, without a simulation: `check`, `schema`."""

from __future__ import annotations

from sim.cli.console import errors_reported, print_json, read_scenario
from sim.cli.options import Json, Overrides, ScenarioFile


def check(scenario: ScenarioFile, overrides: Overrides = None, as_json: Json = False) -> None:
    """Validate a scenario and show what follows from it without simulating."""
    with errors_reported():
        from sim.presentation.plan_check import check_data, check_text

        world, raw = read_scenario(scenario, overrides)
        if as_json:
            print_json(check_data(world, raw))
        else:
            print(check_text(world, raw))


def schema() -> None:
    """Print the JSON Schema of scenario files (for completion in an editor)."""
    with errors_reported():
        from sim.scenario_files import scenario_schema

        print_json(scenario_schema())
