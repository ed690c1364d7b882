"""`vaxsim validate`: right engines pass, wrong ones do not, and the rules of judging.

The quick set runs here with both engines. Mutants of the reference engine, on days of three hours,
stand for engines with a mistake; `validation_mutants.py` tries more of them on the compiled one.
"""

from __future__ import annotations

import dataclasses
import json

import pytest
from typer.testing import CliRunner
from validation_mutants import (
    MUTANTS,
    REFERENCE,
    SCENARIOS,
    Mutant,
    in_place_of_the_engine,
    short_day,
    wrong,
)

from sim.cli import app
from sim.experiment.settings import RunSettings, SettingsError
from sim.experiment.statistics import Estimate
from sim.experiment.validation import Case, JudgedCase, Quantity, judge, validate
from sim.experiment.validation_cases import all_cases
from sim.queueing_theory import markovian_queue

CASES = {case.name: case for case in all_cases()}
HERE = RunSettings(workers=1)
FOLDER = ("--scenarios", str(SCENARIOS))


def invoke(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["validate", *arguments])
    return result.exit_code, result.stdout, result.stderr


# --- the program passes --------------------------------------------------------------------------


def test_the_quick_set_passes_on_both_engines():
    judged = validate(list(CASES.values()), SCENARIOS, RunSettings(), quick=True)
    assert [case.case.name for case in judged if not case.passed] == []
    assert all(case.engines_equal is True for case in judged)


def test_every_published_reference_case_is_there():
    sources = [case.source.partition(";")[0] for case in CASES.values()]
    references = {f"R{number}" for number in range(1, 11)}
    assert references <= set(sources)
    published = [source for source in sources if source in references]
    assert len(sources) - len(published) >= len(published)


def test_every_scenario_file_belongs_to_a_case():
    used = {case.file for case in CASES.values()}
    assert {path.name for path in SCENARIOS.glob("*.toml")} == used


@pytest.mark.parametrize("file", ["textbook.toml", "redials.toml", "network.toml"])
def test_a_textbook_queue_can_be_checked_like_a_plan(file):
    # no slots, no calls or nobody who is vaccinated: then little follows without simulating
    result = CliRunner().invoke(app, ["check", str(SCENARIOS / file)])
    assert result.exit_code == 0, result.output
    assert "At most" in result.stdout


def test_a_binomial_number_of_calls_hardly_differs_from_a_poisson_one():
    # Of N calls a day with half the variance of a Poisson number, the wait lacks about
    # W'' N (1/2) / 2 per call squared: for r3, which minds most, under 0.05 %.
    calls, rate, change = 1_000_000, 48.0, 0.05
    below, here, above = (markovian_queue(rate + c, 1, 50).mean_wait for c in (-change, 0, change))
    curvature = (below - 2 * here + above) / change**2
    missing = curvature * rate**2 / calls / 4
    assert missing / here < 0.0005


# --- wrong engines do not ------------------------------------------------------------------------

WRONG = {
    "calls are taken last come, first served": (
        "r1",
        "queue.popitem(last=False)",
        "queue.popitem(last=True)",
    ),
    "patients are served last come, first served": (
        "impatient_fixed",
        "heappush(self.queue, (now, patient, turn))",
        "heappush(self.queue, (-now, patient, turn))",
    ),
    "an abandonment is lost": (
        "r5_3",
        "if not turn.triggered:\n            self.waiting",
        "if row % 2 and not turn.triggered:\n            self.waiting",
    ),
    "patience counts twice": (
        "r5_3",
        "arrival + luck.patience[row])",
        "arrival + 2 * luck.patience[row])",
    ),
    "there is one agent too many": (
        "r1",
        "self.on_duty[pool] = agents",
        "self.on_duty[pool] = agents + 1",
    ),
    "there is one vaccinator too many": (
        "service_exponential",
        "elif self.busy >= self.staff:",
        "elif self.busy > self.staff:",
    ),
    "a vial has nine doses, and one that is thrown away": (
        "r10_20",
        "self.doses_left = self.doses_per_vial\n",
        "self.doses_left = 9\n            self.discarded += 1\n",
    ),
}


def test_a_failed_audit_fails_its_case_and_no_other():
    # One vaccinator too many: the audit finds more patients served than there are staff. Where
    # nobody comes to a unit, nothing is wrong.
    _, old, new = WRONG["there is one vaccinator too many"]
    cases = [small("service_exponential"), CASES["served_at_closing"]]
    with in_place_of_the_engine(Mutant("", old, new, REFERENCE).module()):
        wrong_one, right_one = validate(cases, SCENARIOS, HERE, "reference", replications=2)
    assert not wrong_one.passed
    assert wrong_one.quantities == ()
    assert "vaccination" in wrong_one.failure
    assert right_one.passed


def judged_with(case: Case) -> JudgedCase:
    return validate([case], SCENARIOS, HERE, "reference", quick=True, replications=4)[0]


def small(name: str) -> Case:
    case = CASES[name]
    return case if name.startswith("r10") else short_day(case)


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_engine_is_noticed(mistake):
    name, old, new = WRONG[mistake]
    with in_place_of_the_engine(Mutant(mistake, old, new, REFERENCE).module()):
        assert wrong(judged_with(small(name)))


@pytest.mark.parametrize("name", sorted({name for name, *_ in WRONG.values()}))
def test_the_right_engine_is_not_wrong_in_the_same_cases(name):
    # Otherwise the test above would pass for a reason of its own.
    assert not wrong(judged_with(small(name)))


def test_engines_that_differ_fail_whatever_the_numbers():
    _, old, new = WRONG["patience counts twice"]
    with in_place_of_the_engine(Mutant("", old, new, REFERENCE).module()):
        judged = validate([small("r5_3")], SCENARIOS, HERE, replications=2)[0]
    assert judged.engines_equal is False
    assert not judged.passed


@pytest.mark.parametrize("part", MUTANTS)
def test_mutants_are_changes_of_the_program_as_it_is(part):
    texts = {(mutant.file, mutant.text()) for mutant in MUTANTS[part]}
    assert len(texts) == len(MUTANTS[part]) >= 15


# --- judging -------------------------------------------------------------------------------------


def quantity(exact: float, probability: bool = False) -> Quantity:
    return Quantity("made up", exact, lambda tables: 0.0, probability)


@pytest.mark.parametrize(
    ("exact", "probability", "low", "high", "verdict"),
    [
        (10.0, False, 9.95, 10.1, "pass"),
        (10.0, False, 9.85, 10.06, "too wide"),  # 2 % of 10 is 0.2
        (10.0, False, 10.01, 10.1, "outside"),
        (0.05, True, 0.0495, 0.0512, "pass"),  # 3 % of the value, but narrower than 0.002
        (0.05, True, 0.049, 0.0512, "too wide"),
        (0.05, False, 0.0495, 0.0512, "too wide"),
        (0.5, True, 0.496, 0.505, "pass"),
        (25.0, False, 25.0, 25.0, "pass"),  # no chance in it
        (25.0, False, 25.1, 25.1, "outside"),
        (0.0, False, 0.0, 0.0, "pass"),
    ],
)
def test_a_verdict_needs_the_exact_value_inside_a_narrow_interval(
    exact, probability, low, high, verdict
):
    estimate = Estimate((low + high) / 2, low, high, 20)
    assert judge(quantity(exact, probability), estimate) == verdict


def test_one_observation_proves_nothing():
    assert judge(quantity(1.0), Estimate(1.0, None, None, 1)) == "too wide"


def test_who_misses_is_simulated_again_with_the_next_seed_and_only_then_fails():
    right, *others = CASES["deliveries"].quantities
    false = dataclasses.replace(right, exact=2 * right.exact)
    case = dataclasses.replace(CASES["deliveries"], quantities=(false, *others))
    judged = validate([case], SCENARIOS, RunSettings(seed=7, workers=1), quick=True)[0]
    assert [(j.seed, j.verdict) for j in judged.quantities[0].judgements] == [
        (7, "outside"),
        (8, "outside"),
    ]
    assert all(len(q.judgements) == 1 and q.passed for q in judged.quantities[1:])
    assert not judged.passed


def test_a_single_replication_is_refused():
    with pytest.raises(SettingsError, match="2 replications"):
        validate([CASES["blocks"]], SCENARIOS, HERE, replications=1)


# --- the command ---------------------------------------------------------------------------------


def test_a_case_that_passes_ends_with_0_and_shows_its_numbers():
    code, out, _ = invoke("--case", "blocks", "--workers", "1", *FOLDER)
    assert code == 0
    assert "by hand" in out
    assert "5 of 5" not in out  # quantities are counted, not lines
    assert "4 of 4 quantities pass, in 1 of 1 cases." in out
    assert "equal tables in 1 of 1 cases" in out


def test_intervals_that_are_too_wide_end_with_1():
    code, out, _ = invoke(
        *("--case", "r10_20", "--replications", "2", "--engine", "compiled", "--workers", "1"),
        *FOLDER,
    )
    assert code == 1
    assert "FAIL: too wide" in out
    assert "FAILED: r10_20." in out


def test_json_has_what_the_table_has():
    code, out, _ = invoke("--case", "one_by_one", "--json", "--workers", "1", *FOLDER)
    found = json.loads(out)
    assert code == 0
    assert found["passed"] is True
    (case,) = found["cases"]
    assert case["engines_equal"] is True
    assert case["quantities"][0]["judgements"] == [
        {"seed": 1, "mean": 47.0, "low": 47.0, "high": 47.0, "observations": 2, "verdict": "pass"}
    ]


def test_the_list_names_all_cases():
    code, out, _ = invoke("--list")
    assert code == 0
    assert all(name in out for name in CASES)


def test_a_reference_stands_for_all_its_cases():
    code, out, _ = invoke("--list", "--case", "r10")
    assert code == 0
    found = {name for name in CASES if f"{name} " in out}
    assert found == {"r10_20", "r10_50", "r10_100", "r10_500"}  # its four numbers booked


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--case", "r3_abandn", *FOLDER), "did you mean r3_abandon?"),
        (("--scenarios", "nowhere"), "nowhere has no textbook.toml"),
    ],
)
def test_what_cannot_be_is_told(arguments, message):
    code, _, err = invoke(*arguments)
    assert code == 2
    assert message in err
