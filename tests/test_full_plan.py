"""The whole plan, 566,551 people, once through both engines."""

from pathlib import Path

import pandas as pd
import pytest

from sim.engine import get_engine
from sim.model.campaign import simulate
from sim.scenario_files import load_scenario

PLAN = Path(__file__).parent.parent / "scenarios" / "plan.toml"


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_both_engines_give_the_same_tables_for_the_whole_plan() -> None:
    scenario = load_scenario(PLAN)
    compiled = simulate(scenario, get_engine("compiled"), seed=1, replication=0)
    reference = simulate(scenario, get_engine("reference"), seed=1, replication=0)
    assert compiled.keys() == reference.keys()
    assert len(compiled["stations"]) > 4000  # about 1,000 sessions of four stations
    for name, table in compiled.items():
        pd.testing.assert_frame_equal(table, reference[name], check_exact=True)
