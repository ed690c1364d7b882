"""The staffing proposed, against everything that there is: every cheaper one is simulated."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from small_campaign import small_scenario

from sim.experiment.goals import read_goal
from sim.experiment.settings import RunSettings
from sim.experiment.staff_levers import Levers
from sim.experiment.staff_study import Question, find_staffing
from sim.experiment.trials import Trials

TWO_LANGUAGES = {
    "groups": {
        "early": {
            "booked_in_advance": False,
            "telephone_share": 0.9,
            "first_calls": [{"opens": "2021-06-01", "share": 1.0, "mean_days": 2.0}],
        }
    },
    "regimens": {"az_az": {"min_days": 60, "target_days": 60}},
    "call_centre": {
        "lines": 20,
        "closes": "10:00",
        "pools": {
            "desk": {"languages": ["burmese"], "agents": 2},
            "thai": {"languages": ["thai"], "agents": 2},
        },
    },
}

TWO_TYPES = {
    "deliveries": {"first": {"doses": 900}},
    "unit_types": {
        "hall": {"stations": {"registration": {"staff": 6}}},
        "tent": {
            "open_days": ["mon", "tue", "wed", "thu", "fri", "sat"],
            "opens": "08:00",
            "closes": "10:00",
            "stations": {
                "registration": {"staff": 6, "minutes": 2.0},
                "vaccination": {"kind": "vaccination", "staff": 2, "minutes": 6.0},
                "observation": {"kind": "observation", "staff": 60, "minutes": 15.0},
            },
        },
    },
    "units": {"tent": {"type": "tent", "district": "town"}},
}


@pytest.mark.parametrize(
    ("changes", "reach", "costs"),
    [
        (TWO_LANGUAGES, "answered_share>=0.85 by 2021-06-03", {"agent": 1.0}),
        (TWO_TYPES, "first_dose>=0.33 by 2021-06-05", {"vaccinator": 1.0, "tent.vaccination": 1.3}),
    ],
    ids=["agents by language", "vaccinators of two types of unit"],
)
def test_nothing_cheaper_than_the_proposal_keeps_the_promise_and_the_proposal_does(
    changes, reach, costs
):
    scenario = small_scenario(changes)
    goal = read_goal(reach, scenario)
    levers = Levers(scenario, costs)

    def reached(trials, staffing, n):
        """How often the goal is reached in so many replications."""
        rows = trials.measures(levers.scenario_with(staffing), range(n)).to_dict("records")
        return np.mean([goal.reached(row, scenario) for row in rows])

    with Trials(goal.settings(RunSettings(workers=1))) as trials:
        answer, tables = find_staffing(trials, scenario, Question(goal, 0.8, costs, 200))
    proposed = tuple(int(n) for n in tables["staffing"]["proposed"])
    box = itertools.product(*(range(levers.least(each), 9) for each in levers.all))
    cheaper = [
        s
        for s in box
        if levers.cost(s) < levers.cost(proposed) - 1e-9 and levers.scenario_with(s) is not None
    ]
    # more agents, or more vaccinators without second doses, do no harm here: it is enough to try
    # the greatest of those that are cheaper
    greatest = [
        s for s in cheaper if not any(t != s and np.all(np.subtract(t, s) >= 0) for t in cheaper)
    ]
    # other people with other luck; what passes the test surely reaches it always, and of eight
    # replications fewer than four are reached with 0.8 in 1 % of cases
    with Trials(goal.settings(RunSettings(workers=1, seed=1001))) as trials:
        assert greatest
        assert all(reached(trials, s, 8) < answer["passes_from"] for s in greatest)
        assert reached(trials, proposed, 20) >= 0.6
