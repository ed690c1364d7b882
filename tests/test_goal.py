"""Claims about `vaxsim goal`: what it finds is minimal, confirmed, and honest where nothing helps.

Brute force (every point of a grid) is the reference where the scenario is small enough for it.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from campaigns import advance_group, calling_group, campaign, day, delivery, unit
from small_campaign import small_scenario
from typer.testing import CliRunner, Result

from sim.cli import app
from sim.experiment.attainment import Attainment, Point, lever_costs
from sim.experiment.exchanges import LEAST_SAVING, offers
from sim.experiment.feasibility import most_by
from sim.experiment.goal_study import GoalQuestion, find, round_down
from sim.experiment.goals import read_goal
from sim.experiment.levers import read_levers
from sim.experiment.selection import passes_from
from sim.experiment.settings import RunSettings, SettingsError
from sim.experiment.sources import Source
from sim.experiment.study import open_study
from sim.experiment.trials import Trials
from sim.language import speaking
from sim.presentation.goal_words import reached, statement
from sim.presentation.study_views import save_pictures, study_data, study_text
from sim.scenario import Scenario

PLAN = Path(__file__).parent.parent / "scenarios" / "plan.toml"
ONE = RunSettings(workers=1)
MANY = 10_000
"""replications, more than any of these searches takes"""

# 12 people whose turn is today and 8 whose turn is the deadline; 17 doses; 3 slots a day (of two
# vaccinators) on ten days, the first of which nobody can book. Doses are too few, a turn too late.
TIGHT = campaign(
    groups={"early": advance_group(12), "late": advance_group(8, turn=9)},
    deliveries={"only": delivery(17)},
    units={"hall": unit(slots=3)},
)
EVERYONE = f"first_dose>=1 by {day(9)}"


def search(scenario: Scenario, over: str, trials: Trials, reach: str = EVERYONE) -> Attainment:
    goal = read_goal(reach, scenario)
    levers = read_levers(over, scenario, goal)
    return Attainment(scenario, goal, 0.95, levers, lever_costs(None, levers), trials, MANY)


@pytest.fixture
def trials() -> Iterator[Trials]:
    with Trials(RunSettings(workers=1, until=day(9))) as made:
        yield made


def grid(found: Attainment) -> list[Point]:
    return list(itertools.product(*((0, *lever.sizes) for lever in found.levers)))


def minimal(points: list[Point]) -> set[Point]:
    return {
        p
        for p in points
        if not any(q != p and all(b <= a for a, b in zip(p, q, strict=True)) for q in points)
    }


# Against brute force --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "over", ["deliveries,turns", "vaccinators<=3,turns", "deliveries<=5,vaccinators<=3,turns"]
)
def test_minimal_points_of_the_ceiling_are_those_of_the_whole_grid(
    over: str, trials: Trials
) -> None:
    reach = EVERYONE if "deliveries" in over else f"first_dose>=0.5 by {day(9)}"
    scenario = TIGHT
    if "deliveries" not in over:  # two slots a day, and nobody in turn before the sixth day
        late = {"late": advance_group(20, turn=6)}
        scenario = campaign(
            groups=late, deliveries={"only": delivery(20)}, units={"hall": unit(slots=2)}
        )
    found = search(scenario, over, trials, reach)
    by, needed = found.goal.by, found.goal.persons_needed(scenario)
    enough = [p for p in grid(found) if most_by(found.at(p), "first", by) >= needed]
    assert enough
    assert set(found.on_the_ceiling) == minimal(enough)


def test_the_cheapest_combination_is_that_of_the_whole_grid_simulated(trials: Trials) -> None:
    # by hand: 20 people need 3 more doses; the 8 late ones need three days of three slots, so that
    # their turn must come two days sooner
    found = search(TIGHT, "deliveries<=4,turns<=3", trials)
    enough = [p for p in grid(found) if not found.misses(p, range(1))]
    assert minimal(enough) == {(3, 2)}
    assert found.combinations() == [(3, 2)]


def test_the_cheapest_of_several_ways_is_found(trials: Trials) -> None:
    # more slots or an earlier turn: 20 people in turn on day 6 of 0 ... 9, two slots a day
    scenario = campaign(
        groups={"late": advance_group(20, turn=6)},
        deliveries={"only": delivery(20)},
        units={"hall": unit(slots=2)},
    )
    found = search(scenario, "vaccinators<=5,turns", trials)
    enough = [p for p in grid(found) if not found.misses(p, range(1))]
    best = min(map(found.cost, enough))
    assert found.cost(found.combinations()[0]) == pytest.approx(best)


def test_a_combination_is_found_that_is_cheaper_than_the_one_lever_that_is_enough() -> None:
    # 112 of 120 people, 10 vials of 10: 20 more doses are enough alone (0.2; 10 are not), an extra
    # dose from each vial is not (110), but with 10 doses more it is (121) for less than the 20
    scenario = campaign(
        groups={"early": advance_group(120)},
        deliveries={"only": delivery(100)},
        vaccines={"az": {"doses_per_vial": 10, "open_vial_hours": 6.0}},
        units={"hall": unit(slots=120)},
    )
    reach = f"first_dose>=0.93 by {day(9)}"
    over, cost = "deliveries,extra_doses<=1", "deliveries=0.01,extra_doses=0.05"
    question = GoalQuestion.of(Source.of(scenario), reach, 0.8, over, cost)
    with Trials(question.goal.settings(ONE)) as trials:
        answer, tables = find(question, trials)
        found = Attainment(
            scenario, question.goal, 0.8, question.levers, question.costs, trials, MANY
        )
        enough = [p for p in grid(found) if sum(p) <= 40 and not found.misses(p, range(1))]
    assert min(enough, key=found.cost) == (10, 1)
    best = tables["changes"][tables["changes"]["option"] == answer["cheapest"]]
    assert list(zip(best["lever"], best["size"], strict=True)) == [
        ("deliveries", 10),
        ("extra_doses", 1),
    ]
    alone = tables["options"].loc[answer["alone_enough"]]
    assert list(alone["cost"]) == [pytest.approx(0.2)]
    assert answer["exchanges"]["finished"]


def test_an_offer_costs_less_and_takes_from_what_is_moved(trials: Trials) -> None:
    scenario = campaign(
        groups={"late": advance_group(20, turn=6)},
        deliveries={"only": delivery(20)},
        units={"hall": unit(slots=2)},
    )
    found = search(scenario, "deliveries,vaccinators<=5,turns", trials)
    point = (0, 3, 2)
    made = list(offers(found, point))
    assert made
    for offer in made:
        assert found.cost(offer) <= (1 - LEAST_SAVING) * found.cost(point) + 1e-9
        assert any(a > b for a, b in zip(offer, point, strict=True))
        assert any(a < b for a, b in zip(offer, point, strict=True))


# Alone, together, not at all ------------------------------------------------------------------


def answered(
    scenario: Scenario, reach: str, over: str | None = None, probability: float = 0.8
) -> tuple[dict[str, Any], dict[str, Any]]:
    question = GoalQuestion.of(Source.of(scenario), reach, probability, over, None)
    with Trials(question.goal.settings(ONE)) as trials:
        answer, tables = find(question, trials)
    return answer, tables


def test_one_lever_is_enough_at_its_smallest_size() -> None:
    # 20 registered people, 10 doses, slots in plenty: 10 more doses, and not 9
    scenario = campaign(
        groups={"early": advance_group(20)},
        deliveries={"only": delivery(10)},
        units={"hall": unit()},
    )
    answer, tables = answered(scenario, EVERYONE, "deliveries,agents<=5")
    options, changes = tables["options"], tables["changes"]
    assert answer["reachable"]
    assert answer["alone_enough"] == [answer["cheapest"]]
    best = changes[changes["option"] == answer["cheapest"]]
    assert list(zip(best["lever"], best["size"], strict=True)) == [("deliveries", 10)]
    assert options.loc[answer["cheapest"], "fresh_reached"] == 21  # all; see the next section
    agents = options[(options["kind"] == "alone") & (options["verdict"] == "ceiling")]
    assert list(agents["ceiling"]) == [10]


def test_a_scenario_that_reaches_the_goal_needs_nothing(tmp_path: Path) -> None:
    answer, tables = answered(campaign(), EVERYONE)
    assert answer["reached_already"]
    assert answer["reachable"]
    assert not len(tables["changes"])
    question = GoalQuestion.of(Source.of(campaign()), EVERYONE, 0.8, None, None)
    made = question.plan(ONE, tmp_path / "study").write(answer, tables)
    sentence, _, where = study_text(made).partition("\n\n")
    assert sentence == (
        "Everyone has a first dose by 10 June 2021 as it is, with a probability of at least 80 %: "
        "in 21 of 21 replications, and with 100.0 %. Nothing has to be changed."
    )
    assert where.startswith("Results: ")  # and no table
    assert save_pictures(made) == []


def test_people_who_call_too_late_are_named_and_registration_is_what_would_help() -> None:
    # half of 20 people call on the last day: an appointment is for tomorrow at the earliest
    waves = [
        {"opens": day(0), "share": 0.5, "mean_days": 0.01},
        {"opens": day(9), "share": 0.5, "mean_days": 0.01},
    ]
    scenario = campaign(
        groups={"calling": calling_group(20, first_calls=waves)},
        deliveries={"only": delivery(40)},
        units={"hall": unit(slots=20)},
    )
    answer, tables = answered(scenario, EVERYONE, "deliveries,agents,vaccinators<=2")
    options, missing, changes = tables["options"], tables["missing"], tables["changes"]
    assert not answer["reachable"]
    assert answer["cheapest"] is None
    widest = int(options.index[options["kind"] == "widest"][0])
    # who called today without an appointment is registered: its appointment is still to come
    causes = set(missing.loc[missing["option"] == widest, "cause"])
    assert causes & {"appointment_later", "not_registered", "not_booked"}
    (further,) = options.index[options["kind"] == "further"]
    assert options.loc[further, "verdict"] == "enough"
    assert list(changes.loc[changes["option"] == further, "lever"]) == ["registration"]


def test_a_day_before_vaccination_begins_is_answered_with_that_reason(tmp_path: Path) -> None:
    scenario = campaign({"campaign": {"vaccination_from": day(4)}})
    question = GoalQuestion.of(
        Source.of(scenario), f"first_dose>=1 by {day(3)}", 0.8, "hours", None
    )
    with Trials(question.goal.settings(ONE)) as trials:
        made = question.plan(ONE, tmp_path / "study").write(*find(question, trials))
    assert list(made.table("limits")["kind"].unique()) == ["vaccination_from"]
    assert "it is 0.0 %: vaccination begins on 5 June 2021." in study_text(made)
    with speaking("th"):
        assert "vaccination begins" not in study_text(made)


def test_a_measure_without_a_ceiling_is_searched_by_simulation() -> None:
    # agents alone shorten the wait; nothing else named does
    scenario = small_scenario({"call_centre": {"pools": {"desk": {"agents": 1}}}})
    answer, tables = answered(scenario, "mean_wait_minutes<=0.5", "agents,deliveries", 0.8)
    assert answer["reachable"]
    best = tables["changes"][tables["changes"]["option"] == answer["cheapest"]]
    assert list(best["lever"]) == ["agents"]


# Confirmation ---------------------------------------------------------------------------------


def test_what_is_confirmed_holds_in_replications_that_nobody_has_seen() -> None:
    # no-shows make first doses vary; 100 new replications, minus three standard errors
    scenario, probability = small_scenario(), 0.8
    goal = f"first_dose>=0.62 by {scenario.campaign.deadline}"
    question = GoalQuestion.of(Source.of(scenario), goal, probability, "agents,deliveries", None)
    with Trials(question.goal.settings(ONE)) as trials:
        answer, tables = find(question, trials)
        assert answer["reachable"]
        settings = tables["settings"]
        chosen = settings.loc[settings["option"] == answer["cheapest"], "setting"]
        world = Source.of(scenario).changed(list(chosen))
        n = 100
        rows = trials.measures(world, range(900_000, 900_000 + n)).to_dict("records")
    reached = sum(
        question.goal.reached({str(k): float(v) for k, v in row.items()}, world) for row in rows
    )
    assert reached / n >= probability - 3 * (probability * (1 - probability) / n) ** 0.5


def test_a_point_that_fails_is_not_confirmed_and_few_replications_are_spent(
    trials: Trials,
) -> None:
    found = search(TIGHT, "deliveries", trials)
    refuted = found.confirmation(found.nothing, 0)
    assert not refuted.confirmed
    assert refuted.reached == 0
    assert refuted.n <= 16


NOISY = campaign(
    {"appointments": {"no_show": 0.3, "rebook_after_no_show": 0.5}},
    groups={"early": advance_group(100)},
    deliveries={"only": delivery(60)},
    units={"hall": unit(slots=8)},
)
"""Too few doses and slots for 70 of 100 people; who misses an appointment may come again or not."""


def test_what_few_replications_promise_and_fresh_ones_do_not_is_searched_again() -> None:
    # with all that doses and slots can be, the goal is reached in every replication: so there is a
    # combination, which two lucky replications of the search may put too low
    reach = f"first_dose>=0.7 by {day(9)}"
    question = GoalQuestion.of(Source.of(NOISY), reach, 0.9, "deliveries<=60,vaccinators<=6", None)
    with Trials(question.goal.settings(ONE)) as trials:
        found = search(NOISY, "deliveries<=60,vaccinators<=6", trials, reach)
        assert not found.misses(found.widest, range(50, 60))
        answer, tables = find(question, trials)
    assert answer["reachable"]
    chosen = tables["options"].loc[answer["cheapest"]]
    assert chosen["kind"] == "together"
    assert chosen["fresh_reached"] >= 0.9 * chosen["fresh_replications"]


def test_a_test_that_forgives_misses_passes_what_is_clearly_above() -> None:
    # without misses alone, 98 % would pass 0.98^90 = 16 % of the time; what passes nine times of
    # ten with 600 replications lies below 98.5 %, and with fewer replications higher
    many, few = passes_from(0.95, 0.025, 600), passes_from(0.95, 0.025, 180)
    assert 0.95 < many < 0.985 < few < 1
    # one look decides where all of 90 must succeed: q^90 = 0.9
    assert passes_from(0.95, 0.025, 90) == pytest.approx(0.9 ** (1 / 90), abs=2e-4)


NEARLY = "first_dose>=0.7 by 2021-06-20"
"""What the small campaign reaches in some 93 % of its replications."""


def test_a_plan_that_keeps_the_promise_is_not_changed_because_a_first_look_missed_it() -> None:
    # 93 % where 80 % are asked; with this seed, the second replication is one of the others
    question = GoalQuestion.of(Source.of(small_scenario()), NEARLY, 0.8, "agents<=2", None)
    with Trials(question.goal.settings(RunSettings(workers=1, seed=4))) as trials:
        answer, tables = find(question, trials)
        row = trials.measures(question.source.scenario, [1]).to_dict("records")[0]
    assert row["first_doses_by_end"] < 700
    assert answer["reached_already"]
    assert not len(tables["changes"])


def test_a_lever_that_hardly_helps_is_judged_by_what_the_plan_has_missed() -> None:
    # more lines mend one in nine replications that the plan missed: only these are simulated
    scenario = small_scenario()
    reach = read_goal(NEARLY, scenario)
    with Trials(reach.settings(ONE)) as trials:
        found = search(scenario, "lines", trials, NEARLY)
        plan = found.confirmation(found.nothing)
        assert plan.decided
        assert not plan.confirmed
        before = trials.spent
        judged = found.confirmation(found.widest)
    assert judged.at_most
    assert judged.decided
    assert not judged.confirmed
    assert judged.n == plan.n
    assert judged.reached == plan.n - len(judged.failures)
    assert set(judged.failures) < set(plan.failures)
    assert trials.spent - before == len(plan.failures)


def test_a_study_spends_no_more_than_it_may_and_says_that_it_was_not_finished(
    tmp_path: Path,
) -> None:
    # 3 doses and 2 days more are enough (see above); to be sure of 95 % takes 90 replications, and
    # of 100 some are kept for the values shown
    question = GoalQuestion.of(Source.of(TIGHT), EVERYONE, 0.95, "deliveries,turns", None, 100)
    with Trials(question.goal.settings(ONE)) as trials:
        answer, tables = find(question, trials)
        assert trials.spent <= 100
    assert not answer["finished"]
    assert answer["reachable"] is None
    assert "unfinished" in set(tables["options"]["verdict"])
    said = study_text(question.plan(ONE, tmp_path / "study").write(answer, tables))
    assert said.startswith("Not found before the replications were used up (--replications allows")
    assert "Not reachable" not in said
    with pytest.raises(SettingsError, match="at least 100 are needed, not 99"):
        GoalQuestion.of(Source.of(small_scenario()), NEARLY, 0.95, None, None, 99)


def test_too_few_replications_to_be_sure_are_no_proof_that_nothing_helps(tmp_path: Path) -> None:
    # 87 % where 80 % are asked for: as it is the goal seems to be reached, and 100 replications do
    # not make sure of it
    source = Source.of(small_scenario())
    question = GoalQuestion.of(source, "first_dose>=0.705 by 2021-06-20", 0.8, "agents", None, 100)
    with Trials(question.goal.settings(ONE)) as trials:
        answer, tables = find(question, trials)
        assert trials.spent <= 100
    assert (answer["reached_already"], answer["reachable"]) == (None, None)
    made = question.plan(ONE, tmp_path / "study").write(answer, tables)
    said = study_text(made)
    assert said.startswith("Too few replications to be sure (--replications allows more): ")
    assert "It seems that nothing has to be changed." in said
    assert "Not" not in said
    assert save_pictures(made) == []


def test_replications_that_can_never_make_sure_are_refused() -> None:
    # the evidence of n successes of probability 0.99 asked, see `ProbabilityTest`
    with pytest.raises(SettingsError, match=r"at least \d+ are needed, not 300: so many without a"):
        GoalQuestion.of(Source.of(TIGHT), EVERYONE, 0.99, None, None, 300)


def test_smaller_sizes_are_tried_in_growing_steps_and_anew_until_the_least_is_not_enough(
    trials: Trials,
) -> None:
    # 20 people need 3 more doses, one a vial; from 6 down: 5, 4 are enough, 2 is not; from 4 anew
    # 3 is, 2 is not
    scenario = campaign(
        groups={"early": advance_group(20)},
        deliveries={"only": delivery(17)},
        units={"hall": unit()},
    )
    found = search(scenario, "deliveries", trials)
    start = found.confirmed((6,))
    assert start.confirmation.confirmed
    end = found.descended(start)
    assert end.point == (3,)
    assert end.steps == {0: 1}
    found.most = trials.spent
    assert found.descended(start) == start  # nothing to spend


TIGHT_QUESTION = GoalQuestion.of(Source.of(TIGHT), EVERYONE, 0.8, "deliveries,turns", None)


@pytest.fixture(scope="module")
def tight() -> tuple[dict[str, Any], dict[str, Any]]:
    with Trials(TIGHT_QUESTION.goal.settings(ONE)) as trials:
        return find(TIGHT_QUESTION, trials)


def test_the_answer_does_not_depend_on_who_does_the_work(
    tight: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    with Trials(TIGHT_QUESTION.goal.settings(RunSettings(workers=2))) as trials:
        answer, tables = find(TIGHT_QUESTION, trials)
    assert answer == tight[0]
    for name, table in tight[1].items():
        assert table.equals(tables[name]), name


# Costs ----------------------------------------------------------------------------------------


def test_costs_decide_which_way_is_cheapest(trials: Trials) -> None:
    # 95 of 100 people, and ten vials of nine: another vial, or a tenth dose from each; whichever is
    # dear is left
    scenario = campaign(
        groups={"early": advance_group(100)},
        deliveries={"only": delivery(90)},
        vaccines={"az": {"doses_per_vial": 9, "open_vial_hours": 6.0}},
        units={"hall": unit(slots=100)},
    )
    goal = read_goal(f"first_dose>=0.95 by {day(9)}", scenario)
    levers = read_levers("deliveries,extra_doses", scenario, goal)
    for dear, cheap in (("deliveries", "extra_doses"), ("extra_doses", "deliveries")):
        costs = lever_costs(f"{dear}=1000,{cheap}=1", levers)
        found = Attainment(scenario, goal, 0.95, levers, costs, trials, MANY)
        cheapest = found.on_the_ceiling[0]
        assert [x.name for x, n in zip(levers, cheapest, strict=True) if n] == [cheap]


def test_an_amount_is_shown_with_the_digits_that_were_asked_for() -> None:
    scenario = small_scenario()
    fine = read_goal("mean_wait_minutes<=0.01", scenario)
    assert "at most 0.01 min" in statement(fine)
    assert reached(0.004, fine) == "0.00 min"
    assert "at most 2.0 min" in statement(read_goal("mean_wait_minutes<=2", scenario))


def test_shares_are_rounded_down() -> None:
    assert round_down(0.9849) == 0.98
    assert round_down(0.99999) == 0.999
    assert round_down(1.0) == 1.0


# The command ----------------------------------------------------------------------------------


def goal(*args: str) -> Result:
    return CliRunner().invoke(app, ["goal", str(PLAN), *args])


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--reach", "first_dose=1"], "write it as first_dose>=0.9 by 2021-08-14"),
        (["--reach", "first_doze>=1"], "did you mean first_dose?"),
        (["--reach", "nonsense>=1"], "no measure 'nonsense'. Measures: first_dose"),
        (["--reach", "magic>=1"], "population_full, target, first_doses_by_deadline"),
        (["--reach", "first_dose>=1", "--over", "agents<=-1"], "must be at least 1"),
        (["--reach", "first_dose>=1 by 2031-01-01"], "between the campaign's first day"),
        (["--reach", "first_dose>=1", "--over", "agent"], "did you mean agents"),
        (["--reach", "first_dose>=1", "--probability", "1"], "between 0 and 1"),
        (["--reach", "first_dose>=1", "--probability", "0"], "between 0 and 1"),
        (["--reach", "first_dose>=1", "--cost", "agents=0"], "a cost is a number above 0"),
        (["--reach", "first_dose>=1", "--cost", "agents"], "write it as agents=1.5"),
        (["--reach", "first_dose>=1", "--cost", "tea=1"], "the levers are deliveries"),
        (["--reach", "first_dose>=1", "--cost", "agents=much"], "is no number"),
        (["--reach", "first_dose>=1", "--cost", "agents=inf"], "above 0, and finite"),
        (["--reach", "first_dose>=1", "--cost", "agents=nan"], "above 0, and finite"),
        (["--reach", "first_dose>=1", "--cost", "agents=-1"], "above 0, and finite"),
        (["--reach", "first_dose>=1", "--cost", "agents="], "write it as agents=1.5"),
        (["--reach", "first_dose>=1", "--cost", ""], "write it as agents=1.5"),
        (["--reach", "first_dose>=1", "--cost", "agents=1,agents=2"], "is named twice"),
        (["--reach", "first_dose>=๐.๙.๙"], "is no number"),
        (["--reach", "first_dose>=0.9 by 2564-08-14"], "write 2021-08-14"),
    ],
)
def test_what_cannot_be_asked_is_refused(args: list[str], said: str) -> None:
    result = goal(*args)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_probability_is_a_number_between_0_and_1_for_programs_too() -> None:
    with pytest.raises(SettingsError, match="between 0 and 1"):
        GoalQuestion.of(Source.of(TIGHT), EVERYONE, 1.5, None, None)


def test_a_study_made_in_thai_has_the_same_results_and_is_read_in_either_language(
    tight: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    with speaking("th"), Trials(TIGHT_QUESTION.goal.settings(ONE)) as trials:
        answer, tables = find(TIGHT_QUESTION, trials)
        assert answer == tight[0]
        for name, table in tight[1].items():
            assert table.equals(tables[name]), name
        made = TIGHT_QUESTION.plan(ONE, tmp_path / "study").write(answer, tables)
        said = study_text(made)
    assert "จัดส่งวัคซีนเพิ่ม 3 โดส" in said  # 3 more doses delivered
    assert "more dose" not in said
    assert "3 more doses delivered" in study_text(made)


def test_the_answer_is_in_words_tables_json_and_a_picture(
    tight: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path
) -> None:
    made = TIGHT_QUESTION.plan(ONE, tmp_path / "study").write(*tight)
    said = study_text(made)
    assert said.startswith(
        "Everyone has a first dose by 10 June 2021 with a probability of at least 80 % if "
        "3 more doses delivered and turns 2 days earlier (reached in 21 of 21"
    )
    assert "No single lever is enough." in said
    assert "--set 'deliveries.only.doses=20'" in said
    assert [path.name for path in save_pictures(made)] == ["goal.png", "goal.svg"]
    data = json.loads(json.dumps(study_data(open_study(made.folder)), allow_nan=False))
    assert data["answer"]["cheapest"] is not None
