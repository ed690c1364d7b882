"""Wrong engines: which case of `vaxsim validate` notices which mistake?

A mutant is the text of an engine with one rule broken. With the argument `telephone` or `units`
this file makes each of them, runs the quick set with it and prints a table, which takes half an
hour; the tests use some of them on shorter days. In the table * means that the program's own checks
end the simulation, and ! that the mutant ends the whole process.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from sim.engine import compiled, get_engine, reference
from sim.engine.contract import Engine
from sim.experiment import replications
from sim.experiment.settings import RunSettings
from sim.experiment.validation import Case, Engines, JudgedCase, validate
from sim.experiment.validation_cases import all_cases

SCENARIOS = Path(__file__).parent.parent / "scenarios" / "validation"
KERNELS = "from sim.compilation import allocating_kernel, kernel\n"
UNCACHED_KERNELS = "import numba\n\nkernel = allocating_kernel = numba.njit(nogil=True)\n"
"""Numba keeps compiled code by file name, and a mutant has none."""


@dataclass(frozen=True)
class Mutant:
    """One rule broken: the text `old` of an engine becomes `new`."""

    mistake: str
    old: str
    new: str
    engine: str = "compiled"

    def module(self) -> ModuleType:
        """The engine with the mistake."""
        original = compiled if self.engine == "compiled" else reference
        text = Path(original.__file__).read_text(encoding="utf-8")
        assert text.count(self.old) == 1, f"must be in one place: {self.old}"
        text = text.replace(self.old, self.new)
        if self.engine == "compiled":
            assert KERNELS in text
            text = text.replace(KERNELS, UNCACHED_KERNELS)
        module = ModuleType("mutant")
        sys.modules["mutant"] = module
        exec(compile(text, "mutant", "exec"), module.__dict__)
        return module


MUTANTS = (
    # The call centre
    Mutant(
        "the call that waits shortest is taken (last come, first served)",
        "row = queues[language].first\n        if (",
        "row = queues[language].last\n        if (",
    ),
    Mutant(
        "one agent too many takes calls",
        "pools[pool].on_duty = step_agents[step]",
        "pools[pool].on_duty = step_agents[step] + 1",
    ),
    Mutant(
        "one agent never takes a call",
        "pools[pool].on_duty = step_agents[step]",
        "pools[pool].on_duty = max(step_agents[step] - 1, 0)",
    ),
    Mutant(
        "patience counts twice",
        "patience_ends = now + quantile(patience",
        "patience_ends = now + 2 * quantile(patience",
    ),
    Mutant(
        "nobody gives up waiting",
        "patience_ends = now + quantile(patience",
        "patience_ends = now + 10**13 + 0 * quantile(patience",
    ),
    Mutant("an abandonment is not counted", "cell.abandoned += 1", "cell.abandoned += 0"),
    Mutant(
        "those who give up have not waited",
        "cell.wait_all_us += wait",
        "cell.wait_all_us += wait * (outcome == ANSWERED)",
    ),
    Mutant(
        "patience and length of a call are drawn from one number",
        "    return patience\n",
        "    return caller.handle\n",
    ),
    Mutant(
        "there is one line more",
        "if centre.waiting + centre.talking == centre.lines:",
        "if centre.waiting + centre.talking == centre.lines + 1:",
    ),
    Mutant(
        "those who wait need no line",
        "if centre.waiting + centre.talking == centre.lines:",
        "if centre.talking == centre.lines:",
    ),
    Mutant(
        "everybody redials",
        "if np.int64(caller.decision) >= threshold:",
        "if False:",
    ),
    Mutant("redials come at once", "again = now + quantile(delays, caller.delay)", "again = now"),
    Mutant(
        "who hears the busy signal redials like who gives up waiting",
        "_call_again(centre, caller, centre.busy_redial_threshold,",
        "_call_again(centre, caller, centre.redial_threshold,",
    ),
    Mutant(
        "who hears the busy signal redials as soon as who gives up waiting",
        "fresh_us,\n                busy_redial_delay,\n",
        "fresh_us,\n                redial_delay,\n",
    ),
    Mutant(
        "nobody calls again after an answer",
        "if centre.reconnect_threshold:",
        "if centre.reconnect_threshold < 0:",
    ),
    Mutant(
        "one attempt too many",
        "if caller.attempts_before + caller.made >= centre.attempts_allowed:",
        "if caller.attempts_before + caller.made > centre.attempts_allowed:",
    ),
    Mutant(
        "agents answer any language",
        "if speaks[pool, language] and pools[pool].busy < pools[pool].on_duty:",
        "if pools[pool].busy < pools[pool].on_duty:",
    ),
    # The units
    Mutant(
        "the patient who waits shortest is next (last come, first served)",
        "heappush(self.queue, (now, patient, turn))",
        "heappush(self.queue, (-now, patient, turn))",
        "reference",
    ),
    Mutant(
        "one more is served than there are staff",
        "if started - over < staff:",
        "if started - over <= staff:",
    ),
    Mutant(
        "a vial of nine",
        "vaccine.doses_left = vaccine.doses_per_vial\n",
        "vaccine.doses_left = vaccine.doses_per_vial - (vaccine.doses_per_vial == 10)\n",
    ),
    Mutant(
        "a vial of nine, the tenth dose noted as discarded",
        "vaccine.doses_left = vaccine.doses_per_vial\n",
        "vaccine.doses_left = vaccine.doses_per_vial - (vaccine.doses_per_vial == 10)\n"
        "        vaccine.discarded += vaccine.doses_per_vial == 10\n",
    ),
    Mutant(
        "an open vial lives on",
        "if now >= vaccine.opened_at + vaccine.open_life_us:",
        "if False:",
    ),
    Mutant(
        "patience counts twice at a station",
        "patience_ends = join + tolerance_us[patient]",
        "patience_ends = join + 2 * tolerance_us[patient]",
    ),
    Mutant(
        "nobody leaves a station's queue",
        "in_time = now < late and now <= patience_ends",
        "in_time = now < late",
    ),
    Mutant(
        "observation counts from the seat",
        "end = max(now, jab_us[patient] + service_us[patient, s])",
        "end = now + service_us[patient, s]",
    ),
    Mutant(
        "walks take no time",
        "exit_us[patient] + walk_us[patient, s]",
        "exit_us[patient] + 0 * walk_us[patient, s]",
    ),
    Mutant(
        "patients are served before opening",
        "staff = 0\n        started",
        "staff = step_staff[step_first[s]]\n        started",
    ),
)


@contextmanager
def in_place_of_the_engine(mutant: Mutant) -> Iterator[None]:
    """The program works with the mutant (in this process)."""
    wrong = Engine.of(mutant.module())

    def get(name: str) -> Engine:
        return wrong if name == mutant.engine else get_engine(name)

    replications.get_engine = get
    try:
        yield
    finally:
        replications.get_engine = get_engine


def short_day(case: Case) -> Case:
    """The same queue on a day of three hours, for an engine in Python."""
    changes = ["call_centre.closes=03:00", "unit_types.clinic.closes=03:00"]
    if case.scenario(SCENARIOS).unit_types["clinic"].walk_ins_per_day:
        changes += ["unit_types.clinic.walk_ins_per_day=25_000", "groups.people.people=26_000"]
    else:
        times = [1.0] * 3 + [0.0] * 21
        changes += [f"call_centre.call_times={times}", "groups.people.people=50_000"]
    return dataclasses.replace(case, changes=(*case.changes, *changes))


def noticed_by(cases: list[Case], engines: Engines = "compiled") -> list[str]:
    """Which cases fail with the engine that is in place, and why if that is not their verdict."""
    found = []
    for case in cases:
        try:
            (judged,) = validate([case], SCENARIOS, RunSettings(workers=1), engines, quick=True)
        except Exception:  # the model's own checks notice some mistakes
            found.append(f"{case.name}*")
        else:
            found += [case.name] if wrong(judged) else []
    return found


def wrong(judged: JudgedCase) -> bool:
    """Whether a quantity misses its exact value with both seeds."""
    return any(q.judgements[-1].verdict == "outside" for q in judged.quantities)


SMALL = ("impatient_fixed", "impatient_exponential", "network")
"""Cases for a mutant of the reference engine, on short days."""

TELEPHONE = MUTANTS[:17]
UNITS = MUTANTS[17:]


def main(part: str, *number: str) -> None:
    """Print which cases notice which mutant of the call centre or of the units.

    Only cases of the same part can notice it; those with a million calls are left out. With a
    number only that mutant, a name a line. Each mutant has a process of its own, since one that
    writes beyond its arrays ends it.
    """
    mutants = TELEPHONE if part == "telephone" else UNITS
    cases = [
        case
        for case in all_cases()
        if calls(case) == (part == "telephone") and case.name not in ("r3", "r5_50")
    ]
    if number:
        mutant = mutants[int(number[0])]
        compiled_one = mutant.engine == "compiled"
        tried = cases if compiled_one else [short_day(c) for c in cases if c.name in SMALL]
        with in_place_of_the_engine(mutant):
            for case in tried:
                for name in noticed_by([case], "compiled" if compiled_one else "reference"):
                    print(name, flush=True)
        return
    print("| mistake in the engine | noticed by |\n| --- | --- |")
    for place, mutant in enumerate(mutants):
        command = [sys.executable, __file__, part, str(place)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        names = [*done.stdout.split(), *(["!"] if done.returncode else [])]
        print(f"| {mutant.mistake} | {', '.join(names) or 'NOBODY'} |", flush=True)


def calls(case: Case) -> bool:
    """Whether the case is about the call centre."""
    groups = case.scenario(SCENARIOS).groups.values()
    return case.file != "deliveries.toml" and any(
        not group.booked_in_advance and wave.mean_days < 1
        for group in groups
        for wave in group.first_calls
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
