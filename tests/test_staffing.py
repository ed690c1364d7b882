"""How few staff are enough: levers and costs, search, selection, and the answer by brute force."""

from __future__ import annotations

import gc
import itertools
import json
import math
import tempfile
import weakref
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from known_staffings import cheapest_with, searched
from small_campaign import small_scenario
from typer.testing import CliRunner

from sim.cli import app
from sim.experiment import staffing
from sim.experiment.costs import CostError, read_costs
from sim.experiment.crews import Processes
from sim.experiment.goals import read_goal
from sim.experiment.replications import Task
from sim.experiment.selection import (
    ProbabilityTest,
    passes_from,
    select_best,
    tolerance_factor,
)
from sim.experiment.settings import RunSettings, SettingsError
from sim.experiment.sources import Source
from sim.experiment.staff_levers import DEFAULT_COSTS, Levers, StaffingError
from sim.experiment.staff_range import StaffRange
from sim.experiment.staff_search import (
    Axis,
    Memory,
    SearchEndedError,
    cheaper,
    descend,
    equally_cheap,
    exchange,
)
from sim.experiment.staff_simulation import StaffSimulation
from sim.experiment.staff_study import Question, find_staffing
from sim.experiment.staffing import StaffingSearch
from sim.experiment.study import StudyPlan, open_study
from sim.experiment.trials import Trials
from sim.language import speaking
from sim.presentation.study_views import study_text
from sim.scenario_files import load_scenario

PLAN = Path(__file__).resolve().parent.parent / "scenarios" / "plan.toml"

# --- levers and costs ----------------------------------------------------------------------------


def test_the_plan_has_a_lever_for_each_pool_and_for_each_station_of_a_unit_type():
    levers = Levers(load_scenario(PLAN), {"agent": 1.0, "staff": 1.0, "seat": 0.1})
    assert len(levers.all) == 3 + 3 * 4
    # 40 agents; (3 + 4 + 4) in 15 hospitals, (4 + 6 + 6) in 4, (6 + 8 + 8) in 2; a tenth of
    # 40 x 15 + 60 x 4 + 80 x 2 seats
    assert levers.cost(levers.now) == pytest.approx(40 + 165 + 64 + 44 + 100)


def test_who_has_no_cost_stays():
    levers = Levers(load_scenario(PLAN), {"vaccinator": 1.5})
    assert [lever.key for lever in levers.all] == [
        f"unit_types.{kind}.stations.vaccination.staff"
        for kind in ("hospital", "outside", "estate")
    ]


def test_the_most_specific_cost_counts():
    costs = {"agent": 1.0, "agent.bilingual": 1.3, "staff": 2.0, "hospital.screening": 3.0}
    levers = Levers(load_scenario(PLAN), costs)
    cost = {lever.key: lever.cost / lever.places for lever in levers.all}
    assert cost["call_centre.pools.bilingual.agents"] == 1.3
    assert cost["call_centre.pools.thai.agents"] == 1.0
    assert cost["unit_types.hospital.stations.screening.staff"] == 3.0
    assert cost["unit_types.outside.stations.screening.staff"] == 2.0


def test_a_scenario_gets_the_staff_of_the_levers():
    levers = Levers(load_scenario(PLAN), DEFAULT_COSTS)
    more = tuple(n + 1 for n in levers.now)
    changed = levers.scenario_with(more)
    assert changed.call_centre.pools["thai"].agents == 21
    assert changed.units["hospital_07"].stations["vaccination"].staff == 5
    assert changed.units["hospital_07"].stations["observation"].staff == 40  # has no cost
    assert levers.scenario_with(levers.now) == load_scenario(PLAN)


def test_every_shift_is_a_lever_and_a_unit_with_staff_of_its_own_too():
    shifts = [
        {"start": "08:00", "end": "10:00", "staff": 3},
        {"start": "10:00", "end": "12:00", "staff": 1},
    ]
    scenario = small_scenario(
        {
            "call_centre": {"pools": {"desk": {"shifts": shifts}}},
            "units": {"south": {"stations": {"vaccination": {"staff": 5}}}},
        }
    )
    levers = Levers(scenario, {"agent": 1.0, "vaccinator": 1.0})
    assert [(lever.key, lever.now, lever.places) for lever in levers.all] == [
        ("call_centre.pools.desk.shifts.0.staff", 3, 1),
        ("call_centre.pools.desk.shifts.1.staff", 1, 1),
        ("unit_types.hall.stations.vaccination.staff", 2, 1),
        ("units.south.stations.vaccination.staff", 5, 1),
    ]
    changed = levers.scenario_with((4, 2, 1, 7))
    assert [shift.staff for shift in changed.call_centre.pools["desk"].shifts] == [4, 2]
    assert changed.units["north"].stations["vaccination"].staff == 1
    assert changed.units["south"].stations["vaccination"].staff == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("agent=0", "above 0"),
        ("agent=-1", "above 0"),
        ("agent", "write it as"),
        ("agent=dear", "is no number"),
        ("agent=nan", "from 0.000001 to 1,000,000,000"),
        ("agent=inf", "from 0.000001 to 1,000,000,000"),
        ("agent=1e300", "from 0.000001 to 1,000,000,000"),
        ("agent=1e-300", "from 0.000001 to 1,000,000,000"),
        ("agent=", "write it as"),
        ("agent=1,agent=2", "twice"),
        ("", "write it as"),
    ],
)
def test_a_cost_that_cannot_be_is_an_error(text, message):
    with pytest.raises(CostError, match=message):
        read_costs([text], "agent=1")


def test_stations_of_the_same_cost_in_other_places_are_known():
    # 15, 4 and 2 units of a type: 3, 5, 10 and 5, 2, 1 vaccinators in each make 85 of the same cost
    scenario = load_scenario(PLAN)
    levers = Levers(scenario, {"agent": 1.0, "vaccinator": 1.5})
    considered = StaffRange(levers, read_goal("first_dose>=0.8 by 2021-08-14", scenario))
    here = (25, 1, 1, 3, 5, 10)
    others = [considered.with_stations(here, found) for found in considered.equal_stations(here)]
    assert (25, 1, 1, 5, 2, 1) in others
    assert here not in others
    assert {levers.cost(other) for other in others} == {levers.cost(here)}


def test_the_cost_of_nobody_is_an_error_that_says_who_there_is():
    with pytest.raises(StaffingError, match=r"did you mean vaccinator.*agent, observation.*estate"):
        Levers(load_scenario(PLAN), {"vacinator": 1.0})


@pytest.mark.parametrize("probability", [0.0, 1.0, 1.5, math.nan])
def test_a_probability_that_cannot_be_promised_is_an_error(probability):
    goal = read_goal("first_dose>=0.5", small_scenario())
    with pytest.raises(StaffingError, match="above 0 and below 1"):
        Question(goal, probability, DEFAULT_COSTS, 1000)


# --- selection -----------------------------------------------------------------------------------


def test_a_probability_just_too_small_is_seldom_taken_for_enough():
    # Ville's inequality: at most 5 % of sequences, looked at after every trial
    generator = np.random.default_rng(1)
    wrong = 0
    for _ in range(200):
        test = ProbabilityTest(0.8, 0.05)
        for success in generator.random(300) < 0.8:
            test.add(bool(success))
            if test.log_evidence(above=True) >= math.log(20):
                wrong += 1
                break
    # 200 x 0.05 = 10, and two standard deviations more
    assert wrong <= 16


def test_clear_cases_are_decided_soon():
    for outcome, trials in ((True, 80), (False, 3)):
        test = ProbabilityTest(0.95, 0.05)
        while test.decision is None:
            test.add(outcome)
        assert test.decision is outcome
        assert test.trials <= trials


def test_the_best_of_several_is_found_as_often_as_promised():
    # means 0, 0 and 1, indifference 1: the last is to be found in at least 95 % of cases
    generator = np.random.default_rng(2)
    found = 0
    for _ in range(100):
        noise = generator.normal(0, 2, (3, 400)) + np.array([[0.0], [0.0], [1.0]])

        def values(which, numbers, noise=noise):
            return noise[list(which), numbers.start : numbers.stop]

        chosen = select_best(values, 3, 1.0, 0.05, most=400)
        found += chosen.best == 2
    assert found >= 90


def test_alternatives_that_differ_by_a_constant_need_only_the_first_replications():
    # with common random numbers the difference does not vary: KN stops at once
    noise = np.random.default_rng(3).normal(0, 5, 50)
    chosen = select_best(
        lambda which, numbers: [noise[numbers.start : numbers.stop] + 0.1 * i for i in which],
        4, 0.05, 0.05,
    )  # fmt: skip
    assert (chosen.best, chosen.decided, chosen.replications) == (3, True, (10, 10, 10, 10))


def test_tolerance_factors_are_those_of_the_tables():
    # one-sided normal tolerance limits, 95 % confidence, 95 % of the population
    assert tolerance_factor(4, 0.95) == pytest.approx(5.144, abs=0.001)
    assert tolerance_factor(10, 0.95) == pytest.approx(2.911, abs=0.001)


# --- search --------------------------------------------------------------------------------------


def _axes(tops):
    return [Axis((i,), tuple((n,) for n in range(top + 1))) for i, top in enumerate(tops)]


def test_the_search_finds_the_cheapest_of_conditions_with_one_frontier():
    # a x + b y >= c: the cheapest by brute force; exchanges mend where lowering ends too soon
    for a, b, c, costs in [(1, 2, 11, (1, 3)), (3, 1, 14, (2, 1)), (2, 3, 17, (1.0, 1.4))]:
        memory = Memory(lambda s, a=a, b=b, c=c: a * s[0] + b * s[1] >= c)
        axes = _axes((20, 20))

        def cost(s, costs=costs):
            return sum(u * n for u, n in zip(costs, s, strict=True))

        best = exchange(memory, axes, descend(memory, axes, (20, 20)), cost)
        everything = [
            cost(s) for s in itertools.product(range(21), range(21)) if a * s[0] + b * s[1] >= c
        ]
        assert cost(best) == pytest.approx(min(everything))


def test_inference_saves_questions_and_ends_when_answers_contradict_it():
    asked = []

    def ask(s):
        asked.append(s)
        return s in {(2, 2), (3, 3), (1, 0)}

    memory = Memory(ask)
    assert memory.holds((2, 2))
    assert memory.holds((3, 2))  # has more: not asked
    assert asked == [(2, 2)]
    assert not memory.answered((2, 3))  # more, and fails all the same
    assert not memory.monotone
    assert not memory.holds((3, 2))  # now it is asked


def test_everything_cheaper_is_listed_once_and_what_cannot_grow_is_maximal():
    costs, least, most = (1.0, 1.5, 2.0), (0, 1, 0), (3, 3, 3)
    found = list(cheaper(least, most, costs, 6.0))
    box = itertools.product(range(4), range(1, 4), range(4))

    def cost(s):
        return sum(c * n for c, n in zip(costs, s, strict=True))

    expected = {s for s in box if cost(s) < 6}
    assert len(found) == len(expected)
    assert {s for s, _ in found} == expected
    for s, maximal in found:
        larger = [tuple(n + (j == i) for j, n in enumerate(s)) for i in range(3)]
        assert maximal == (not any(t in expected for t in larger))


def test_a_memory_looks_at_no_more_staffings_than_it_may():
    memory = Memory(lambda s: s[0] >= 5, most_looks=3)
    assert [memory.holds((n,)) for n in (4, 5, 6)] == [False, True, True]
    with pytest.raises(SearchEndedError):
        memory.holds((7,))


def test_exchanges_of_many_levers_with_many_steps_are_found_without_listing_them():
    # 40 levers of 1,000 steps: 40 x 39 pairs with two candidates each, found by bisection in ten
    # costs, not 40 x 39 x 1,000
    asked = 0

    def cost(s):
        nonlocal asked
        asked += 1
        return sum(s)

    axes = _axes([1000] * 40)
    start = (500,) * 40
    assert exchange(Memory(lambda s: False), axes, start, cost) == start
    assert asked < 40 * 39 * 25


def test_equally_cheap_staffings_swap_one_for_another():
    found = set(equally_cheap(_axes((5, 5)), (2, 2), lambda s: s[0] + 2 * s[1]))
    # one less of the second pays for two of the first
    assert found == {(4, 1)}


# --- the whole procedure, where the truth is known --------------------------------------------


def test_a_staffing_that_does_not_keep_the_promise_is_proposed_as_seldom_as_said():
    # seven staffings with probabilities between 0.7 and 0.99; as many replications as for the plan
    found = [searched(seed, 0.95, 600) for seed in range(60)]
    proposed = [
        known.truth(search.judged[-1].staffing)
        for known, search in found
        if search.judged and search.judged[-1].verdict
    ]
    # 60 x 0.05 = 3, and two standard deviations more
    assert sum(truth < 0.95 for truth in proposed) <= 6
    # there are staffings that are surely enough: it is seldom that none is confirmed
    assert len(proposed) >= 45


def test_with_replications_enough_the_cheapest_is_found_but_for_the_zone_of_indifference():
    # what reaches the goal with `passes_from` stands each test with a probability of 90 %
    missed = 0
    for seed in range(20):
        known, search = searched(seed, 0.95, 3000)
        last = search.judged[-1]
        sure = passes_from(0.95, last.error, last.at_most)
        cheapest = cheapest_with(known, sure, search.range.most)
        missed += not last.verdict or known.levers.cost(last.staffing) > cheapest
    # 20 x 0.1 = 2, and two standard deviations more
    assert missed <= 4


def test_with_replications_for_one_test_only_the_surest_is_judged():
    # what met the goal in the search with the least cost would seldom stand the test
    found = [searched(seed, 0.95, 150)[1] for seed in range(20)]
    assert all(len(search.judged) <= 1 for search in found)
    assert sum(search.judged[0].verdict is True for search in found if search.judged) >= 15
    assert any(search.passed_over for search in found)


# --- the whole answer, by simulation -------------------------------------------------------------


@pytest.fixture(scope="module")
def answered():
    """The cheapest staffing of the small campaign, and the condition by brute force."""
    scenario = small_scenario({"campaign": {"horizon": "2021-06-20"}})
    goal = read_goal("first_dose>=0.65 by 2021-06-16", scenario)
    question = Question(goal, 0.8, {"agent": 1.0, "vaccinator": 1.5}, 200)
    with Trials(goal.settings(RunSettings(workers=1))) as trials:
        answer, tables = find_staffing(trials, scenario, question)
        levers = Levers(scenario, question.costs)
        box = list(itertools.product(range(3), range(1, 4)))
        measured = trials.all_measures([(levers.scenario_with(s), range(10)) for s in box])
        fresh = trials.measures(
            levers.scenario_with(tuple(int(n) for n in tables["staffing"]["proposed"])),
            range(900_000, 900_020),
        )
    shares = {
        s: np.mean([goal.reached(row, scenario) for row in rows.to_dict("records")])
        for s, rows in zip(box, measured, strict=True)
    }
    met = np.mean([goal.reached(row, scenario) for row in fresh.to_dict("records")])
    return answer, tables, levers, shares, met


def test_the_proposed_staffing_is_the_cheapest_by_brute_force(answered):
    answer, tables, levers, shares, _ = answered
    proposed = tuple(int(n) for n in tables["staffing"]["proposed"])
    assert answer["found"]
    # clearly enough in 10 replications, and clearly not: those between are within the indifference
    cheapest = min(levers.cost(s) for s, share in shares.items() if share == 1)
    assert levers.cost(proposed) <= cheapest
    assert shares[proposed] >= 0.8
    assert all(
        share < 1 for s, share in shares.items() if levers.cost(s) < levers.cost(proposed) - 1e-9
    )


def test_the_proposed_staffing_keeps_its_promise_in_fresh_replications(answered):
    # of 20, fewer than 12 are reached with a probability of 1 % if it is 0.8
    *_, met = answered
    assert met >= 12 / 20


def test_replications_spent_are_counted_and_the_judged_ones_are_enough(answered):
    answer, tables, *_ = answered
    spent = dict(answer["spent"])
    assert sum(spent.values()) == 2 * spent["in all"]
    judged = tables["judged"].iloc[-1]
    assert judged["verdict"] == "keeps the promise"
    assert answer["reached"] == judged["reached"]


def test_a_goal_above_the_ceiling_is_refused_without_simulation():
    # 900 doses for 1,000 people, not even if all of the 10 % turn out willing who may not be
    scenario = small_scenario()
    goal = read_goal("first_dose>=0.95", scenario)
    with Trials(goal.settings(RunSettings(workers=1))) as trials:
        answer, _ = find_staffing(trials, scenario, Question(goal, 0.9, DEFAULT_COSTS, 100))
        assert trials.spent == 0
    assert not answer["found"]
    assert (answer["why_not"]["needed"], answer["why_not"]["ceiling"]) == (950, 900)
    assert any("dose" in words for words in answer["why_not"]["limits"])


def test_where_nothing_is_enough_the_nearest_is_told_and_why(tmp_path):
    # 900 doses, of which second ones take some: 88 % is not reached, which the ceiling does not
    # know; 6 seats for 15 minutes let at most 48 people through in 2 hours
    seats = {"hall": {"stations": {"observation": {"staff": 6}}}}
    scenario = small_scenario({"campaign": {"horizon": "2021-06-20"}, "unit_types": seats})
    goal = read_goal("first_dose>=0.88", scenario)
    question = Question(goal, 0.9, {"vaccinator": 1.0}, 100)
    plan = StudyPlan(
        "staff", Source.of(scenario), goal.settings(RunSettings()), question.data(), tmp_path / "s"
    )
    with Trials(replace(plan.settings, workers=1)) as trials:
        answer, tables = find_staffing(trials, scenario, question)
        why = answer["why_not"]
        levers = Levers(scenario, question.costs)
        staffing = tuple(why["farthest"]["staffing"].values())
        again = trials.measures(levers.scenario_with(staffing), range(20))
    assert why["farthest"]["mean"] == pytest.approx(again["first_doses_by_end"].mean() / 1000)
    assert sum(why["farthest"]["missing"].values()) == pytest.approx(
        1000 - again["first_doses_by_end"][:2].mean()
    )
    (cap,) = answer["caps"]
    assert (cap["where"], cap["what"]) == ("hall", "observation")
    assert 40 <= cap["at_most"] <= 48
    study = plan.write(answer, tables)
    said = study_text(study)
    far = why["farthest"]
    row = tables["curve"].set_index("cost").loc[far["cost"]]
    assert f"and the goal in {far['reached']} of 20 replications" in said
    assert (far["reached"], far["replications"]) == (row["reached"], row["replications"])
    assert "Who is missing there, and why: " in said
    assert "More staff " in said
    assert "Doses, slots, turns and intervals would allow " in said
    assert f"than its observation lets through, {cap['at_most']} people a day" in said


def _answered_for(scenario, reach, probability, costs, most=100):
    goal = read_goal(reach, scenario)
    with Trials(goal.settings(RunSettings(workers=1))) as trials:
        return find_staffing(trials, scenario, Question(goal, probability, costs, most))[0]


def test_where_the_most_staff_is_not_enough_few_staffings_are_tried_and_what_would_help_is_told():
    # without second doses more staff cannot harm; 900 doses less those of opened vials that are
    # thrown away do not reach 870 people, but as many doses as anybody needs do
    late = {"az_az": {"min_days": 60, "target_days": 60}}
    scenario = small_scenario({"campaign": {"horizon": "2021-06-20"}, "regimens": late})
    answer = _answered_for(scenario, "first_dose>=0.87", 0.9, DEFAULT_COSTS)
    why = answer["why_not"]
    assert not answer["found"]
    assert answer["simulated"] <= 10
    assert not why["more_harms"]
    assert why["twice_is_no_better"]
    helps = {row["constraint"]: row for row in why["helps"]}
    assert helps["doses"]["reached"] == helps["doses"]["replications"]
    assert not {"slots", "queue"} & set(helps)  # staff at the units is what there is plenty of


def test_the_search_widens_where_twice_the_most_comes_farther():
    # appointments set by hand, and 20 minutes each: a vaccinator serves 6 in 2 hours and some in
    # overtime, so that the 400 of 5 days at two units take more than four; the most is four,
    # four times the one there is
    stations = {"vaccination": {"staff": 1, "minutes": 20.0}}
    hall = {"slots_per_day": 60, "stations": stations}
    scenario = small_scenario({"unit_types": {"hall": hall}})
    goal = read_goal("first_dose>=0.40 by 2021-06-08", scenario)
    with Trials(goal.settings(RunSettings(workers=1))) as trials:
        levers = Levers(scenario, {"vaccinator": 1.0})
        simulation = StaffSimulation(trials, levers, goal, 0.8, 200)
        search = StaffingSearch(simulation)
        before = search.range.most
        search.run()
    assert search.range.times > 1
    assert search.judged[-1].verdict
    assert search.judged[-1].staffing > before


# --- bounds: a search ends in time and memory, whatever there is to choose from ------------------


def _with_many_levers():
    """The small campaign with two shifts everywhere: 2 pools, and 2 types of 3 stations each."""

    def shifts(*staff):
        times = ["08:00", "09:00", "10:00"]
        return [
            {"start": start, "end": end, "staff": n}
            for start, end, n in zip(times, times[1:], staff, strict=False)
        ]

    stations = {
        "registration": {"shifts": shifts(20, 10)},
        "vaccination": {"shifts": shifts(20, 20)},
        "observation": {"shifts": shifts(90, 90)},
    }
    desk = {"languages": ["thai", "burmese"], "agents": 0, "shifts": shifts(3, 2)}
    return small_scenario(
        {
            "campaign": {"horizon": "2021-06-20"},
            "call_centre": {"pools": {"desk": desk, "second": desk}},
            "unit_types": {"hall": {"stations": stations}, "tent": {
                "open_days": ["mon", "tue", "wed", "thu", "fri"], "opens": "08:00",
                "closes": "10:00",
                "stations": {
                    "registration": {"staff": 1, "minutes": 2.0, "shifts": shifts(9, 9)},
                    "vaccination": {
                        "kind": "vaccination", "staff": 1, "minutes": 4.0, "shifts": shifts(9, 9)
                    },
                    "observation": {
                        "kind": "observation", "staff": 1, "minutes": 15.0, "shifts": shifts(40, 40)
                    },
                },
            }},
            "units": {"tent": {"type": "tent", "district": "town"}},
        }
    )  # fmt: skip


EVERYBODY = {"agent": 1.0, "staff": 1.0, "seat": 0.1}


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """A study of many levers with few replications, and the scenarios that it made."""
    scenario = _with_many_levers()
    goal = read_goal("first_dose>=0.35 by 2021-06-11", scenario)
    question = Question(goal, 0.6, EVERYBODY, 100)
    settings = goal.settings(RunSettings())
    folder = tmp_path_factory.mktemp("unfinished") / "study"
    plan = StudyPlan("staff", Source.of(scenario), settings, question.data(), folder)
    with Trials(replace(settings, workers=1)) as trials:
        answer, tables = find_staffing(trials, scenario, question)
    return answer, study_text(plan.write(answer, tables)), scenario


def test_a_search_that_ends_with_its_replications_says_so(unfinished):
    answer, said, scenario = unfinished
    assert len(Levers(scenario, EVERYBODY).all) == 16
    assert answer["spent"]["in all"] <= 100
    assert answer["found"]
    assert not answer["finished"]
    assert answer["nothing_cheaper"] is None
    assert "The search was not finished when its replications were used up" in said


def test_too_few_replications_to_be_sure_name_nobody_who_is_missing(tmp_path):
    # with this seed the goal is missed once in the 98 replications that make sure of 95.4 %, and
    # never in those of the search; after a miss it takes more than there are
    scenario = small_scenario()
    goal = read_goal("first_dose>=0.69 by 2021-06-15", scenario)
    question = Question(goal, 0.954, {"agent": 1.0}, 140)
    settings = replace(goal.settings(RunSettings(seed=2)), workers=1)
    with Trials(settings) as trials:
        answer, tables = find_staffing(trials, scenario, question)
    assert not answer["found"]
    times, n = answer["why_not"]["judged"]
    assert times == n - 1
    assert answer["why_not"]["farthest"]["missing"] == {}
    plan = StudyPlan("staff", Source.of(scenario), settings, question.data(), tmp_path / "study")
    said = study_text(plan.write(answer, tables))
    assert said.startswith("Too few replications to be sure: a staffing was found that seems to")
    assert "Who is missing" not in said


def test_replications_that_can_never_make_sure_are_refused():
    with pytest.raises(SettingsError, match="are needed, not 100: so many without a miss"):
        Question(read_goal("first_dose>=0.2", small_scenario()), 0.99, DEFAULT_COSTS, 100)


def test_few_staffings_are_looked_at_where_there_are_very_many(unfinished):
    # each of 12 numbers of staff may be up to four times as many: more than 10^20 staffings
    answer, *_ = unfinished
    assert answer["looked_at"] < 20_000


def test_a_search_that_has_looked_at_enough_ends_with_what_it_knows(monkeypatch, tmp_path):
    monkeypatch.setattr(staffing, "MOST_LOOKED_AT", 12)
    scenario = _with_many_levers()
    goal = read_goal("first_dose>=0.35 by 2021-06-11", scenario)
    question = Question(goal, 0.6, EVERYBODY, 300)
    settings = replace(goal.settings(RunSettings()), workers=1)
    with Trials(settings) as trials:
        answer, tables = find_staffing(trials, scenario, question)
    assert answer["looked_at"] == 12
    assert answer["found"]
    assert not answer["finished"]
    plan = StudyPlan("staff", Source.of(scenario), settings, question.data(), tmp_path / "study")
    said = study_text(plan.write(answer, tables))
    assert "The search was not finished when 12 staffings had been looked at" in said


def test_scenarios_that_were_tried_are_not_all_kept():
    levers = Levers(small_scenario(), {"agent": 1.0})
    made = [weakref.ref(levers.scenario_with((n,))) for n in range(150)]
    gc.collect()
    assert sum(scenario() is not None for scenario in made) <= 100


def test_workers_are_given_many_scenarios_with_few_files_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    scenarios = [small_scenario({"call_centre": {"lines": 6 + n}}) for n in range(12)]
    settings = RunSettings(until=date(2021, 6, 2))
    crew = Processes(2, lambda days: None, lambda: None)
    try:
        for scenario in scenarios:
            crew.submit(Task(scenario, settings, 0)).result()
        files = list(tmp_path.glob("vaxsim-*/scenario-*"))
    finally:
        crew.close()
    assert len(files) == crew.ahead == 8
    assert not list(tmp_path.glob("vaxsim-*"))


# --- the command ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reach", "first_dose"], "write it as"),
        (["--reach", "fist_dose>=0.8"], "no measure"),
        (["--reach", "first_dose>=0.8 by 2031-01-01"], "between the campaign's first day"),
        (["--reach", "first_dose>=0.8", "--cost", "agent=0"], "above 0"),
        (["--reach", "first_dose>=0.8", "--cost", "nurse=1"], "nobody is called so"),
        (["--reach", "first_dose>=0.8", "--probability", "1"], "below 1"),
        ([], "--reach"),
    ],
)
def test_what_cannot_be_asked_ends_with_code_2_and_writes_nothing(
    tmp_path, monkeypatch, options, message
):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["staff", str(PLAN), *options])
    assert result.exit_code == 2
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_what_stands_in_the_way_is_told_in_thai(tmp_path):
    arguments = ["staff", str(PLAN), "--reach", "full>=0.5", "--out", str(tmp_path / "study")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    with speaking("th"):
        *answer, where = study_text(open_study(tmp_path / "study")).split("\n\n")
    assert str(tmp_path) in where
    assert len(answer) == 3
    assert not any("a" <= letter <= "z" for part in answer for letter in part)


def test_an_impossible_goal_is_answered_in_words_and_in_json(tmp_path):
    # by 14 August no more than 503,000 of 566,551 can have a first dose: with more staff 519,000
    arguments = [
        "staff", str(PLAN), "--reach", "first_dose>=1.0 by 2021-08-14",
        "--out", str(tmp_path / "study"),
    ]  # fmt: skip
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.stderr
    assert "at most 519,000" in shown.stdout
    assert "lets through" not in shown.stdout  # seats are not what binds: doses are
    again = CliRunner().invoke(app, [*arguments, "--json"])
    data = json.loads(again.stdout)
    assert data["answer"]["found"] is False
    assert data["answer"]["spent"]["in all"] == 0
    assert data["simulated_now"] is False
