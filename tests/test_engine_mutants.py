"""Does the comparison of the engines notice a wrong rule? Each rule is broken once to see.

A mutant is the text of `compiled.py` with one change, run as plain Python (numba's decorator taken
away) and compared with the reference on the nasty days of `engine_days`. Mutants that differ by
going round forever or by an exception count as noticed too.
"""

from __future__ import annotations

import dataclasses
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np
import pytest
from engine_days import random_call_day, random_session

from sim.engine import compiled, reference

SOURCE = Path(compiled.__file__).read_text(encoding="utf-8")
DECORATOR = re.compile(r"^@(allocating_)?kernel\n", re.M)

DAYS = 1500
"""Random days after which a mutant counts as unnoticed. The equality tests run more."""

HANG_S = 2.0
"""Seconds of processor time for one small day."""

CALL_DAY_MUTANTS = {
    "shift changes come before completions": (
        "elif completion == now:",
        "elif completion == now and shift_change != now:",
    ),
    "abandonments come before completions": (
        "elif completion == now:",
        "elif completion == now and abandonment != now:",
    ),
    "abandonments come before shift changes": (
        "elif shift_change == now:",
        "elif shift_change == now and abandonment != now:",
    ),
    "closing comes before abandonments": (
        "elif abandonment == now:",
        "elif abandonment == now and closing != now:",
    ),
    "arrivals come first in an instant": ("if arrival < now:", "if arrival <= now < NEVER:"),
    "fresh calls come before redials of a lower row": (
        "fresh_call == redial and fresh < redials[0].row",
        "fresh_call == redial",
    ),
    "of two events of one kind the higher row is first": ("row < other_row", "row > other_row"),
    "the free pool with the most languages answers": (
        "np.argsort(speaks.sum(axis=1), kind",
        "np.argsort(-speaks.sum(axis=1), kind",
    ),
    "the free pool with the highest index answers": (
        'np.argsort(speaks.sum(axis=1), kind="stable")',
        "np.lexsort((-np.arange(pool_count), speaks.sum(axis=1)))",
    ),
    "the lowest row is taken, not the call processed first": (
        "callers[row].sequence < callers[longest].sequence",
        "row < longest",
    ),
    "the call of the latest arrival time is taken": (
        "callers[row].sequence < callers[longest].sequence",
        "callers[row].arrival_us > callers[longest].arrival_us",
    ),
    "a pool takes calls from queues whose language it does not speak": (
        "            speaks[pool, language]\n            and row",
        "            row",
    ),
    "one agent too many takes calls": (
        "while pools[pool].busy < pools[pool].on_duty:",
        "while pools[pool].busy <= pools[pool].on_duty:",
    ),
    "arriving calls find one agent too many": (
        "speaks[pool, language] and pools[pool].busy < pools[pool].on_duty:",
        "speaks[pool, language] and pools[pool].busy <= pools[pool].on_duty:",
    ),
    "a shift change takes one call only": (
        "    if row == NOBODY:\n                    break\n",
        "    if row == NOBODY or shift_change == now:\n                    break\n",
    ),
    "those who wait need no line": (
        "if centre.waiting + centre.talking == centre.lines:",
        "if centre.talking == centre.lines:",
    ),
    "work ends before calls end": (
        "elif completion == now:",
        "elif completion == now and wrap_up_end != now:",
    ),
    "shift changes come before the end of work": (
        "elif wrap_up_end == now:",
        "elif wrap_up_end == now and shift_change != now:",
    ),
    "an agent at work after a call is free": (
        "            if free > now:\n                pool = NOBODY\n            else:\n",
        "            if True:\n",
    ),
    "work after a call needs a line": (
        "if centre.waiting + centre.talking == centre.lines:",
        "if centre.waiting + centre.talking + centre.wrapping_up == centre.lines:",
    ),
    "after-call work has the luck of patience": (
        "word, _, _, _ = _luck(centre, caller, WRAP_UP_STREAMS)",
        "word, _, _, _ = _luck(centre, caller, 0)",
    ),
    "any free agent is one of the last pool that has one": (
        "            number -= max(pools[pool].on_duty - pools[pool].busy, 0)\n"
        "            if number < 0:\n",
        "            if pools[pool].busy < pools[pool].on_duty and pool >= number:\n",
    ),
    "patience is drawn anew though it is kept": (
        "patience_word, _, _, _ = _luck_of(centre, caller, 0, 0)",
        "pass",
    ),
    "one redial too many before closing": (
        "if again >= centre.closes_us:",
        "if again > centre.closes_us:",
    ),
    "one attempt too many in a day": (
        "if caller.made >= centre.attempts_per_day:",
        "if caller.made > centre.attempts_per_day:",
    ),
    "one attempt too many in all": (
        "if caller.attempts_before + caller.made >= centre.attempts_allowed:",
        "if caller.attempts_before + caller.made > centre.attempts_allowed:",
    ),
    "attempts of earlier days do not count": (
        "if caller.attempts_before + caller.made >= centre.attempts_allowed:",
        "if caller.made >= centre.attempts_allowed:",
    ),
    "cut off at the last attempt, but carried": (
        "lost = caller.attempts_before + caller.made >= centre.attempts_allowed",
        "lost = caller.attempts_before + caller.made > centre.attempts_allowed",
    ),
    "the limit of a day comes before the redial decision": (
        "if np.int64(caller.decision) >= threshold:",
        "if (np.int64(caller.decision) >= threshold\n"
        "        and caller.made < centre.attempts_per_day):",
    ),
    "everybody redials": ("if np.int64(caller.decision) >= threshold:", "if False:"),
    "luck belongs to the attempt of the day": (
        "caller.attempts_before + caller.made - 1,",
        "caller.made - 1,",
    ),
    "patience and handle time share a word": (
        "    return patience\n",
        "    return caller.handle\n",
    ),
    "an answer just in time is late": (
        "if wait <= centre.target_us:",
        "if wait < centre.target_us:",
    ),
    "who calls at the instant at which a line gets free is blocked": (
        "while redial < until:",
        "while redial <= until and redial != NEVER:",
    ),
    "a redial within the open bucket is lost": (
        "if bucket <= centre.bucket:",
        "if bucket < centre.bucket:",
    ),
    "work across closing is overtime from its start": (
        "end - max(begin, centre.closes_us), 0)",
        "end - begin, 0) * (end > centre.closes_us)",
    ),
    "those cut off have not waited": (
        "cells, log, CUT_OFF, now, True",
        "cells, log, CUT_OFF, now, False",
    ),
}

SESSION_MUTANTS = {
    "staff change after a step, not at it": (
        "step_time_us[step] <= now:",
        "step_time_us[step] < now:",
    ),
    "a service that ends now keeps its staff": (
        "service_ends[over] <= now:",
        "service_ends[over] < now:",
    ),
    "the service that began first ends first": (
        "while place > 0 and times_us[place - 1] > time:",
        "while False:",
    ),
    "one more starts than there are staff": (
        "if started - over < staff:",
        "if started - over <= staff:",
    ),
    "a wait equal to the tolerance is too long": (
        "and now <= patience_ends",
        "and now < patience_ends",
    ),
    "a start at the latest start is in time": ("in_time = now < late", "in_time = now <= late"),
    "patience ends before the latest start of the same instant": (
        "and late <= patience_ends:",
        "and late < patience_ends:",
    ),
    "latest starts do not matter": (
        "late = max(join, latest_start_us[s])",
        "late = max(join, NEVER)",
    ),
    "who arrives at closing is admitted": (
        "if arrival_us[patient] >= closes_us:",
        "if arrival_us[patient] > closes_us:",
    ),
    "walks take no time": ("exit_us[patient] + walk_us[patient, s]", "exit_us[patient]"),
    "of those who join together the highest number is first": (
        "joined_us[place - 1] > join:",
        "joined_us[place - 1] >= join:",
    ),
    "the queue is in order of arrival at the unit": (
        "while place > 0 and joined_us",
        "while False and joined_us",
    ),
    "an open vial lives an instant too long": (
        "if now >= vaccine.opened_at + vaccine.open_life_us:",
        "if now > vaccine.opened_at + vaccine.open_life_us:",
    ),
    "an open vial lives on": (
        "if now >= vaccine.opened_at + vaccine.open_life_us:",
        "if False:",
    ),
    "nobody takes a second choice": (
        "if _take_dose(vaccines[v], now):",
        "if not _take_dose(vaccines[v], now):\n            return -1\n        else:",
    ),
    "a vial begins its life with each dose": (
        "    vaccine.used += 1\n",
        "    vaccine.used += 1\n    vaccine.opened_at = now\n",
    ),
    "open vials are kept at the end": (
        "    for v in range(vials.size):\n        _discard(vaccines[v])\n",
        "    for v in range(vials.size):\n",
    ),
    "who finds no dose leaves when patience runs out": (
        "left = end = now\n",
        "left = end = min(patience_ends, late)\n",
    ),
    "observation counts from the seat": (
        "end = max(now, jab_us[patient] + service_us[patient, s])",
        "end = now + service_us[patient, s]",
    ),
    "observation may end before the seat is taken": (
        "end = max(now, jab_us[patient] + service_us[patient, s])",
        "end = jab_us[patient] + service_us[patient, s]",
    ),
    "the jab is at the start of the service": (
        "                    jab_us[patient] = end\n",
        "                    jab_us[patient] = now\n",
    ),
    "who has left is still in the queue at that instant": (
        "is_begin = begin < end\n",
        "is_begin = begin <= end\n",
    ),
    "those who leave the queue have not waited": (
        "wait_us[s] += left - join\n",
        "wait_us[s] += (start_us[patient, s] >= 0) * (left - join)\n",
    ),
}


def mutant(old: str, new: str) -> ModuleType:
    """The compiled engine with one change, as plain Python."""
    assert SOURCE.count(old) == 1, f"the change must apply in one place: {old}"
    text = DECORATOR.sub("", SOURCE.replace(old, new))
    assert "kernel\ndef" not in text
    module = ModuleType("mutant")
    sys.modules["mutant"] = module
    exec(compile(text, "mutant", "exec"), module.__dict__)
    # In plain Python only a recarray has its fields as attributes.
    module.__dict__["_records"] = lambda number, dtype: np.zeros(number, dtype).view(np.recarray)
    return module


class HangError(Exception):
    """A small day took far too long."""


@contextmanager
def guard_against_hangs() -> Iterator[None]:
    """Raise HangError after HANG_S seconds of processor time, where the system has such a timer."""
    if not hasattr(signal, "ITIMER_VIRTUAL"):
        yield
        return

    def give_up(_: int, __: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANG_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@cache
def call_day_of_reference(seed: int) -> tuple[Any, Any]:
    day = random_call_day(seed)
    return day, reference.call_centre_day(day, log=True)


@cache
def session_of_reference(seed: int) -> tuple[Any, Any]:
    day = random_session(seed)
    return day, reference.unit_session(day)


def equal(expected: Any, actual: Any) -> bool:
    return all(
        np.array_equal(getattr(expected, field.name), getattr(actual, field.name))
        for field in dataclasses.fields(expected)
    )


def first_noticed(
    days: Callable[[int], tuple[Any, Any]], simulate: Callable[[Any], Any], last: int
) -> int | None:
    """The first seed at which a mutant differs from the reference, or hangs, or breaks."""
    for seed in range(last):
        day, expected = days(seed)
        try:
            with guard_against_hangs():
                if not equal(expected, simulate(day)):
                    return seed
        except Exception:
            return seed
    return None


@pytest.mark.parametrize("rule", CALL_DAY_MUTANTS)
def test_wrong_rule_of_the_call_centre_is_noticed(rule: str) -> None:
    module = mutant(*CALL_DAY_MUTANTS[rule])
    seed = first_noticed(
        call_day_of_reference, lambda day: module.call_centre_day(day, log=True), DAYS
    )
    assert seed is not None


@pytest.mark.parametrize("rule", SESSION_MUTANTS)
def test_wrong_rule_of_the_session_is_noticed(rule: str) -> None:
    module = mutant(*SESSION_MUTANTS[rule])
    assert first_noticed(session_of_reference, module.unit_session, DAYS) is not None


def test_without_a_change_there_is_nothing_to_notice() -> None:
    # Otherwise the tests above would pass for a reason of their own.
    module = mutant("NOBODY = -1\n", "NOBODY = -1  # as it was\n")
    assert (
        first_noticed(call_day_of_reference, lambda day: module.call_centre_day(day, log=True), 60)
        is None
    )
    assert first_noticed(session_of_reference, module.unit_session, 100) is None
