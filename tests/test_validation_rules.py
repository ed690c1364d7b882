"""Which case of `vaxsim validate` exercises which rule of an engine?

Every rule that `test_engine_mutants` breaks in the compiled engine is broken here, too, and the
small cases whose values are counted by hand have to notice it, without the reference engine: so a
mistake that both engines shared would be noticed. The others are in larger cases (where
`validation_mutants.py` tries mutants like them), or no table of a run can show them.
"""

from __future__ import annotations

import pytest
from test_engine_mutants import CALL_DAY_MUTANTS, SESSION_MUTANTS, guard_against_hangs, mutant
from validation_mutants import SCENARIOS, in_place_of_the_engine

from sim.experiment.settings import RunSettings
from sim.experiment.validation import validate
from sim.experiment.validation_cases import all_cases

CASES = {case.name: case for case in all_cases()}
RULES = {**CALL_DAY_MUTANTS, **SESSION_MUTANTS}

BY_HAND = {
    # the call centre
    "shift changes come before completions": "agents_break",
    "abandonments come before completions": "clockwork",
    "abandonments come before shift changes": "clockwork",
    "closing comes before abandonments": "clockwork_closing",
    "arrivals come first in an instant": "clockwork_arrivals",
    "the lowest row is taken, not the call processed first": "again_in_line",
    "the call of the latest arrival time is taken": "again_in_line",
    "one agent too many takes calls": "clockwork",
    "arriving calls find one agent too many": "clockwork",
    "a shift change takes one call only": "clockwork",
    "those who wait need no line": "clockwork_early",
    "shift changes come before the end of work": "clockwork_arrivals",
    "an agent at work after a call is free": "clockwork_wrap_up",
    "one redial too many before closing": "clockwork_early",
    "one attempt too many in a day": "clockwork",
    "one attempt too many in all": "attempts_per_day",
    "attempts of earlier days do not count": "attempts_per_day",
    "cut off at the last attempt, but carried": "cut_off_twice",
    "everybody redials": "clockwork_early",
    "an answer just in time is late": "clockwork",
    "a redial within the open bucket is lost": "attempts_per_day",
    "work across closing is overtime from its start": "agents_break",
    "those cut off have not waited": "clockwork_early",
    # the units
    "staff change after a step, not at it": "staff_break",
    "a service that ends now keeps its staff": "staff_break",
    "one more starts than there are staff": "staff_break",
    "a wait equal to the tolerance is too long": "patience_to_the_minute",
    "a start at the latest start is in time": "late_at_the_second",
    "patience ends before the latest start of the same instant": "left_or_late",
    "latest starts do not matter": "late_at_the_second",
    "who arrives at closing is admitted": "closed",
    "walks take no time": "seats",
    "of those who join together the highest number is first": "last_dose",
    "an open vial lives an instant too long": "vial_life",
    "an open vial lives on": "vial_life",
    "nobody takes a second choice": "second_choice",
    "a vial begins its life with each dose": "vial_life",
    "open vials are kept at the end": "staff_break",
    "who finds no dose leaves when patience runs out": "last_dose",
    "observation counts from the seat": "seats",
    "observation may end before the seat is taken": "seats_too_late",
    "the jab is at the start of the service": "seats",
    "who has left is still in the queue at that instant": "staff_break",
    "those who leave the queue have not waited": "patience_to_the_minute",
}
"""The case that notices the rule broken."""

BY_CHANCE = {
    "the free pool with the most languages answers": "languages_overlap",
    "the free pool with the highest index answers": "ordered_pools",
    "a pool takes calls from queues whose language it does not speak": "languages_apart",
    "work after a call needs a line": "wrap_up",
    "after-call work has the luck of patience": "wrap_up",
    "any free agent is one of the last pool that has one": "random_agents",
    "patience is drawn anew though it is kept": "keeps_patience",
    "the limit of a day comes before the redial decision": "redials_overnight",
    "luck belongs to the attempt of the day": "redials_overnight",
    "patience and handle time share a word": "r3_abandon",
    "the service that began first ends first": "network",
    "the queue is in order of arrival at the unit": "network",
}
"""The case of many customers that notices it."""

NOT_SEEN = {
    "fresh calls come before redials of a lower row",
    "of two events of one kind the higher row is first",
    "work ends before calls end",
    "who calls at the instant at which a line gets free is blocked",
}
"""Ties of single microseconds, or between people who are alike: only random days of the engines
show them (`test_engine_equality.py`)."""


def test_every_rule_is_in_a_case_or_said_not_to_be():
    told = [*BY_HAND, *BY_CHANCE, *NOT_SEEN]
    assert sorted(told) == sorted(RULES)
    assert {*BY_HAND.values(), *BY_CHANCE.values()} <= CASES.keys()


@pytest.mark.parametrize("rule", BY_HAND)
def test_a_case_by_hand_notices_a_broken_rule(rule: str) -> None:
    try:
        with in_place_of_the_engine(mutant(*RULES[rule])), guard_against_hangs():
            (judged,) = validate(
                [CASES[BY_HAND[rule]]], SCENARIOS, RunSettings(workers=1), "reference"
            )
    except Exception:  # goes round for ever, or breaks
        return
    assert not judged.passed


@pytest.mark.parametrize("case", sorted(set(BY_HAND.values())))
def test_the_engine_as_it_is_passes_in_plain_python(case: str) -> None:
    # Otherwise the test above would pass for a reason of its own.
    right = mutant("NOBODY = -1\n", "NOBODY = -1  # as it was\n")
    with in_place_of_the_engine(right):
        (judged,) = validate([CASES[case]], SCENARIOS, RunSettings(workers=1), "reference")
    assert judged.passed
