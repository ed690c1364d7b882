"""Claims about layouts: of a lever that moves several parts, `goal` finds the parts to be moved.

Brute force (every point of a grid of parts, simulated) is the reference.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pytest
from campaigns import advance_group, calling_group, campaign, day, delivery, unit

from sim.experiment.goal_study import GoalQuestion, find
from sim.experiment.goals import read_goal
from sim.experiment.levers import read_levers
from sim.experiment.settings import RunSettings
from sim.experiment.sources import Source
from sim.experiment.trials import Trials
from sim.scenario import Scenario

ONE = RunSettings(workers=1)

# 20 people, two slots a day on days 1 ... 9 (nobody can book the first day): 18 places. Doses for
# 10 of them: 2 on day 0, 3 on day 3, 5 on day 8, of which the last come too late to be used up.
DOSES = campaign(
    groups={"early": advance_group(20)},
    deliveries={"a": delivery(2), "b": delivery(3, arrives=3), "c": delivery(5, arrives=8)},
    units={"hall": unit(slots=2)},
)
FOURTEEN = f"first_dose>=0.7 by {day(9)}"


def found(
    scenario: Scenario, reach: str, over: str, cost: str | None = None
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The answer and the changes of its cheapest option."""
    question = GoalQuestion.of(Source.of(scenario), reach, 0.8, over, cost)
    with Trials(question.goal.settings(ONE)) as trials:
        answer, tables = find(question, trials)
    changes = tables["changes"]
    return answer, changes[changes["option"] == answer["cheapest"]]


def best_by_brute_force(
    scenario: Scenario,
    reach: str,
    settings: Callable[[tuple[int, ...]], list[str]],
    grid: Sequence[range],
    cost: Callable[[tuple[int, ...]], float],
) -> float:
    """The least cost of a point of the grid that reaches the goal; nothing is left to chance."""
    goal, source = read_goal(reach, scenario), Source.of(scenario)
    with Trials(goal.settings(ONE)) as trials:
        for point in sorted(itertools.product(*grid), key=cost):
            world = source.changed(settings(point))
            (row,) = trials.measures(world, [0]).to_dict("records")
            if goal.reached({str(k): float(v) for k, v in row.items()}, world):
                return cost(point)
    return math.inf


def test_doses_are_added_to_the_deliveries_where_fewest_are_enough() -> None:
    # one lever: not in proportion (half of them would come on day 8), but as few as any layout
    def settings(more: tuple[int, ...]) -> list[str]:
        return [
            f"deliveries.{name}.doses={DOSES.deliveries[name].doses + n}"
            for name, n in zip("abc", more, strict=True)
        ]

    least = best_by_brute_force(DOSES, FOURTEEN, settings, [range(8)] * 3, sum)
    answer, changes = found(DOSES, FOURTEEN, "deliveries")
    assert answer["reachable"]
    assert changes["size"].sum() == least
    (in_proportion,) = read_levers("deliveries", DOSES, read_goal(FOURTEEN, DOSES))
    proportional = best_by_brute_force(
        DOSES,
        FOURTEEN,
        lambda more: settings(
            tuple(
                d["doses"] - DOSES.deliveries[name].doses
                for name, d in in_proportion.change(DOSES, more[0])["deliveries"].items()
            )
        ),
        [range(21)],
        sum,
    )
    assert least < proportional


def test_only_those_deliveries_come_earlier_that_have_to() -> None:
    # ten people by day 8: the five doses of day 8 must come on day 6; the others are in time. A day
    # of one delivery costs its share of the doses
    days = {"b": 3, "c": 8}
    weights = {"b": 3 / 8, "c": 5 / 8}
    reach = f"first_dose>=0.5 by {day(8)}"

    def settings(earlier: tuple[int, ...]) -> list[str]:
        return [
            f"deliveries.{name}.arrives={day(days[name] - n)}"
            for name, n in zip("bc", earlier, strict=True)
        ]

    def cost(earlier: tuple[int, ...]) -> float:
        return sum(weights[name] * n for name, n in zip("bc", earlier, strict=True))

    least = best_by_brute_force(DOSES, reach, settings, [range(4), range(9)], cost)
    assert least == pytest.approx(2 * weights["c"])
    _answer, changes = found(DOSES, reach, "earlier_deliveries", "earlier_deliveries=1")
    assert changes["cost"].sum() == pytest.approx(least)
    assert (changes["lever"] != "earlier_deliveries").all()


def test_agents_are_added_to_the_pool_that_is_short_of_them() -> None:
    # 60 and 150 people call on one day, each language at its own agent
    scenario = campaign(
        {
            "call_centre": {
                "pools": {
                    "desk": {"languages": ["thai"], "agents": 1},
                    "second": {"languages": ["burmese"], "agents": 1},
                },
                "lines": 40,
            }
        },
        groups={"few": calling_group(60), "many": calling_group(150, language="burmese")},
        deliveries={"a": delivery(400)},
        units={"hall": unit(slots=100)},
    )
    reach = "mean_wait_minutes<=5"

    def settings(more: tuple[int, ...]) -> list[str]:
        lines = math.ceil(40 * (1 + sum(more) / 2) - 1e-9)
        pools = zip(("desk", "second"), more, strict=True)
        return [
            *(f"call_centre.pools.{name}.agents={1 + n}" for name, n in pools),
            f"call_centre.lines={lines}",
        ]

    least = best_by_brute_force(scenario, reach, settings, [range(6)] * 2, sum)
    _answer, changes = found(scenario, reach, "agents")
    assert changes["size"].sum() == least
    assert list(changes["lever"]) == ["agents.second"]


def test_parts_together_stay_within_the_bound_of_their_lever() -> None:
    goal = read_goal(FOURTEEN, DOSES)
    least = int(found(DOSES, FOURTEEN, "deliveries")[1]["size"].sum())
    for bound, reachable in ((least, True), (least - 1, False)):
        answer, changes = found(DOSES, FOURTEEN, f"deliveries<={bound}")
        assert bool(answer["reachable"]) is reachable
        assert changes["size"].sum() <= bound
    (lever,) = read_levers("deliveries<=3", DOSES, goal)
    assert {part.largest for part in lever.parts} == {3}


def test_the_words_say_how_a_change_is_laid_out() -> None:
    (lever,) = read_levers("deliveries", DOSES, read_goal(FOURTEEN, DOSES))
    assert lever.words(7) == "7 more doses delivered (in proportion over 3 deliveries)"
    part = lever.parts[1]
    assert part.words(1) == "1 more dose delivered (b, 4 June 2021)"
    only = campaign(deliveries={"a": delivery(2)})
    (alone,) = read_levers("deliveries", only, read_goal(FOURTEEN, only))
    assert not alone.parts
    assert alone.words(7) == "7 more doses delivered"


def test_a_bound_below_the_first_step_is_a_size_where_there_are_finer_ones() -> None:
    # 40 agents are moved in steps of 2; asked for one at most, one is tried
    scenario = campaign({"call_centre": {"pools": {"desk": {"agents": 40}}, "lines": 80}})
    goal = read_goal(FOURTEEN, scenario)
    (free,) = read_levers("agents", scenario, goal)
    assert free.sizes[0] == 2
    for bound, sizes in ((1, (1,)), (3, (2, 3)), (4, (2, 4))):
        (lever,) = read_levers(f"agents<={bound}", scenario, goal)
        assert lever.sizes == sizes
