"""Wrong programs: which case of `vaxsim validate` notices which mistake?

A mutant is a copy of the program with one rule of an engine or of the model broken. With the
argument `telephone`, `units`, `campaign` or `bookings` this file makes each of them, runs the quick
set with it and prints a table, which takes half an hour; the tests use some of them on shorter
days. In the table * means that the program's own checks end the simulation, and ! that the mutant
ends the whole process. A mutant of the reference engine is noticed because the engines differ.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from sim.engine import get_engine, reference
from sim.engine.contract import Engine
from sim.experiment import replications
from sim.experiment.settings import RunSettings
from sim.experiment.validation import Case, Engines, JudgedCase, validate
from sim.experiment.validation_bookings import booking_cases
from sim.experiment.validation_campaigns import campaign_cases
from sim.experiment.validation_cases import all_cases

PROJECT = Path(__file__).parent.parent
SCENARIOS = PROJECT / "scenarios" / "validation"
REFERENCE = "engine/reference.py"
CAMPAIGN_FILES = ("no_shows.toml", "both.toml", "walk_in_hours.toml", "cut_off.toml")
"""About who calls or comes on a day, as well."""


@dataclass(frozen=True)
class Mutant:
    """One rule broken: the text `old` of a file of `sim` becomes `new`."""

    mistake: str
    old: str
    new: str
    file: str = "engine/compiled.py"

    def text(self) -> str:
        """The file with the mistake."""
        text = (PROJECT / "sim" / self.file).read_text(encoding="utf-8")
        assert text.count(self.old) == 1, f"must be in one place of {self.file}: {self.old}"
        return text.replace(self.old, self.new)

    def module(self) -> ModuleType:
        """The reference engine with the mistake."""
        assert self.file == REFERENCE
        module = ModuleType("mutant")
        sys.modules["mutant"] = module
        exec(compile(self.text(), reference.__file__, "exec"), module.__dict__)
        return module

    def copy_to(self, folder: Path) -> None:
        """The program with the mistake. (Times are kept, so what is not changed is compiled.)"""
        shutil.copytree(PROJECT / "sim", folder / "sim")
        (folder / "sim" / self.file).write_text(self.text(), encoding="utf-8")


TELEPHONE = (
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
    Mutant(
        "redials come after half the time",
        "again = now + quantile(delays, caller.delay)",
        "again = now + quantile(delays, caller.delay) // 2",
    ),
    Mutant("the busy signal counts as giving up", "cell.blocked += 1", "cell.abandoned += 1"),
    Mutant(
        "after-call work is skipped",
        "free += quantile(wrap_up[caller.call_type], word)",
        "free += 0 * quantile(wrap_up[caller.call_type], word)",
    ),
    Mutant(
        "the agent is free when the caller hangs up, and works after the call all the same",
        "_push(wrap_ups, centre.wrapping_up, None, free, pool)",
        "_push(wrap_ups, centre.wrapping_up, None, now, pool)",
    ),
    Mutant(
        "after-call work holds the line",
        "if centre.waiting + centre.talking == centre.lines:",
        "if centre.waiting + centre.talking + centre.wrapping_up == centre.lines:",
    ),
    Mutant(
        "after-call work is not the agent's time",
        "_work(centre, pools[pool], now, free)",
        "_work(centre, pools[pool], now, now)",
    ),
    Mutant(
        "who waits at closing is dropped, whatever the setting",
        "if centre.cut_off_at_closing:",
        "if True:",
    ),
    Mutant("nobody is cut off at closing", "if centre.cut_off_at_closing:", "if False:"),
    Mutant(
        "agents with many languages take calls first",
        "np.argsort(speaks.sum(axis=1), kind",
        "np.argsort(-speaks.sum(axis=1), kind",
    ),
    Mutant(
        "an agent of the pool with the fewest languages takes the call, whatever the setting",
        "            if wrap_ups is not None and centre.random_agent:\n",
        "            if False:\n",
    ),
    Mutant(
        "waits up to twice the target are in time",
        "if wait <= centre.target_us:",
        "if wait <= 2 * centre.target_us:",
    ),
    Mutant(
        "all calls are as long as those of the first kind",
        "_tables([each.call_minutes for each in types])",
        "_tables([types[0].call_minutes for each in types])",
        "model/call_centre.py",
    ),
    Mutant(
        "all callers are as patient as those of the first kind",
        "_tables([each.patience_minutes for each in types])",
        "_tables([types[0].patience_minutes for each in types])",
        "model/call_centre.py",
    ),
    Mutant(
        "after-call work is that of the first kind of call",
        "_tables([each.wrap_up_minutes for each in types])",
        "_tables([types[0].wrap_up_minutes for each in types])",
        "model/call_centre.py",
    ),
    Mutant(
        "redials after the busy signal come after the delay of the others",
        "centre.redial_after_busy_delay_minutes or centre.redial_delay_minutes, MINUTE_US",
        "centre.redial_delay_minutes, MINUTE_US",
        "model/call_centre.py",
    ),
    Mutant(
        "calls after an answer come after the delay of redials",
        "quantile_table(centre.reconnect_delay_minutes, MINUTE_US)",
        "quantile_table(centre.redial_delay_minutes, MINUTE_US)",
        "model/call_centre.py",
    ),
    Mutant(
        "lines are those of the file less one",
        '"lines": centre.lines,',
        '"lines": max(centre.lines - 1, 1),',
        "model/call_centre.py",
    ),
)

UNITS = (
    Mutant(
        "the patient who waits shortest is next (last come, first served)",
        "heappush(self.queue, (now, patient, turn))",
        "heappush(self.queue, (-now, patient, turn))",
        REFERENCE,
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
    Mutant(
        "a service takes as long as at the next station",
        "quantile(minutes[s], words[1, i])",
        "quantile(minutes[(s + 1) % share.size], words[1, i])",
        "model/vaccination_unit.py",
    ),
    Mutant(
        "observation counts from arrival",
        "end = max(now, jab_us[patient] + service_us[patient, s])",
        "end = max(now, arrival_us[patient] + service_us[patient, s])",
    ),
    Mutant(
        "an open vial is kept overnight",
        "    for v in range(vials.size):\n        _discard(vaccines[v])\n",
        "    for v in range(vials.size):\n",
    ),
    Mutant(
        "who comes late may be served whenever",
        "late = max(join, latest_start_us[s])",
        "late = max(join, NEVER)",
    ),
    Mutant(
        "everybody visits every station",
        "out_visits[i, s] = words[0, i] < share[s]",
        "out_visits[i, s] = True",
        "model/vaccination_unit.py",
    ),
    Mutant(
        "walks are those of the mean, whoever walks",
        "        if walk_varies[s]:",
        "        if walk_varies[s] and False:",
        "model/vaccination_unit.py",
    ),
    Mutant(
        "walks are dropped",
        "out_walk_us[i, s] = walk_minutes[s, 0, 0]",
        "out_walk_us[i, s] = 0",
        "model/vaccination_unit.py",
    ),
    Mutant(
        "nobody is observed longer",
        "if words[2, i] < adverse[s]:",
        "if False:",
        "model/vaccination_unit.py",
    ),
    Mutant(
        "early is late",
        "early_or_late_us = quantile(punctuality, words[1, i])",
        "early_or_late_us = -quantile(punctuality, words[1, i])",
        "model/unit_visits.py",
    ),
    Mutant(
        "appointments in blocks come one by one",
        "        if block_us:",
        "        if False:",
        "model/unit_visits.py",
    ),
)

CAMPAIGN = (
    Mutant(
        "appointments are missed with the probability twice",
        "if words[0, i] < no_show:",
        "if words[0, i] < no_show or words[3, i] < no_show:",
        "model/unit_visits.py",
    ),
    Mutant(
        "who misses an appointment never books again",
        "if status[person] == _BOOKED and not rebooks:",
        "if status[person] == _BOOKED:",
        "model/vaccination_unit.py",
    ),
    Mutant(
        "half of the walk-ins come",
        "self._units[number].walk_ins_per_day, int(",
        "self._units[number].walk_ins_per_day / 2, int(",
        "model/unit_visits.py",
    ),
    Mutant(
        "deliveries come a day late",
        "int((delay + MICRO // 2) // MICRO)",
        "int((delay + MICRO // 2) // MICRO) + 1",
        "model/dose_supply.py",
    ),
    Mutant(
        "all that was said is delivered",
        "int(delivery.doses * int(fraction) // MICRO //",
        "int(delivery.doses //",
        "model/dose_supply.py",
    ),
    Mutant(
        "nothing is lost in storage",
        "int(vials * vaccine.storage_loss +",
        "int(0 * vaccine.storage_loss +",
        "model/dose_supply.py",
    ),
    Mutant(
        "no more than the label is drawn from a vial",
        "[v.extra_doses_per_vial for v in vaccines]",
        "[0 for v in vaccines]",
        "model/dose_supply.py",
    ),
    Mutant(
        "the second dose is due a day later",
        "due = last_dose_day[who] + target_days[regimen[who]]",
        "due = last_dose_day[who] + target_days[regimen[who]] + 1",
        "model/waiting_list.py",
    ),
    Mutant(
        "the second dose is due a day earlier",
        "due = last_dose_day[who] + target_days[regimen[who]]",
        "due = last_dose_day[who] + target_days[regimen[who]] - 1",
        "model/waiting_list.py",
    ),
    Mutant("units open on closed dates", " and day not in self.closed_dates", "", "scenario.py"),
    Mutant(
        "every answered call books",
        "if decision < books[cell]:",
        "if True:",
        "model/call_centre.py",
    ),
    Mutant(
        "who has given up calls again on another day",
        "tries = decision < another_day and",
        "tries =",
        "model/call_centre.py",
    ),
    Mutant(
        "who calls before opening calls again on another day",
        "calls_today = is_open and caller.next_us < closes_us",
        "calls_today = is_open and opens_us <= caller.next_us < closes_us",
        "model/call_centre.py",
    ),
    Mutant(
        "everybody is willing",
        "out_willing[person] = words[0, i] < willing",
        "out_willing[person] = True",
        "model/population.py",
    ),
    Mutant(
        "everybody books by telephone",
        "out_by_telephone[person] = words[1, i] < by_telephone",
        "out_by_telephone[person] = True",
        "model/population.py",
    ),
    Mutant(
        "first calls decay half as fast",
        "np.maximum(since, 0) / wave.mean_days)",
        "np.maximum(since, 0) / (2 * wave.mean_days))",
        "model/population.py",
    ),
    Mutant(
        "other channels take twice as many",
        "self._channels.bookings_per_day",
        "2 * self._channels.bookings_per_day",
        "model/other_channels.py",
    ),
)

BOOKINGS = (
    Mutant(
        "breaks are ignored",
        "on_duty -= sum(n for start, end, n in away if start <= t < end)",
        "on_duty -= 0 * sum(n for start, end, n in away if start <= t < end)",
        "model/shifts.py",
    ),
    Mutant(
        "a break begins a minute late",
        "away = [(b.start, b.end, b.staff) for b in breaks]",
        "away = [(b.start + 1, b.end, b.staff) for b in breaks]",
        "model/shifts.py",
    ),
    Mutant(
        "a break ends a minute late",
        "away = [(b.start, b.end, b.staff) for b in breaks]",
        "away = [(b.start, b.end + 1, b.staff) for b in breaks]",
        "model/shifts.py",
    ),
    Mutant(
        "of overlapping shifts one counts",
        "on_duty = sum(n for start, end, n in present if start <= t < end)",
        "on_duty = max([n for start, end, n in present if start <= t], default=0)",
        "model/shifts.py",
    ),
    Mutant(
        "nothing is overbooked",
        "overbooked = 1 + scenario.appointments.overbooking",
        "overbooked = 1.0",
        "model/capacity.py",
    ),
    Mutant(
        "refrigerators hold one dose more",
        "else unit.refrigerator_doses\n",
        "else unit.refrigerator_doses + 1\n",
        "model/dose_supply.py",
    ),
    Mutant(
        "refrigerators hold one dose less",
        "else unit.refrigerator_doses\n",
        "else unit.refrigerator_doses - 1\n",
        "model/dose_supply.py",
    ),
    Mutant(
        "a vial needs room for all doses drawn from it",
        "np.maximum(room, 0) // self.label[vaccine])",
        "np.maximum(room, 0) // self.per_vial[vaccine])",
        "model/dose_supply.py",
    ),
    Mutant(
        "doses are shared equally, though by capacity",
        '"by_capacity": slots.sum(axis=1).astype(np.float64),',
        '"by_capacity": np.ones(slots.shape[0]),',
        "model/dose_supply.py",
    ),
    Mutant(
        "doses are shared by capacity, though equally",
        '"equally": np.ones(slots.shape[0]),',
        '"equally": slots.sum(axis=1).astype(np.float64),',
        "model/dose_supply.py",
    ),
    Mutant(
        "fixed shares are not obeyed",
        '"fixed_shares": self._fixed,',
        '"fixed_shares": np.ones(slots.shape[0]),',
        "model/dose_supply.py",
    ),
    Mutant(
        "shipments are for one day less",
        "span = until - today\n",
        "until -= 1\n        span = until - today\n",
        "model/dose_supply.py",
    ),
    Mutant(
        "too few doses are shared equally, whatever units want",
        "wanted = apportion(wanted.astype(np.float64), int(self.store[vaccine]))",
        "wanted = apportion(np.ones(wanted.size), int(self.store[vaccine]))",
        "model/dose_supply.py",
    ),
    Mutant(
        "the store ships every day",
        "if not self._ships_on[today] or not self.store.any():",
        "if not self.store.any():",
        "model/dose_supply.py",
    ),
    Mutant(
        "announced doses are not counted on",
        'announced = self._stock_rule == "announced"',
        "announced = False",
        "model/waiting_list.py",
    ),
    Mutant(
        "announced doses are counted on, whatever the rule",
        'announced = self._stock_rule == "announced"',
        "announced = True",
        "model/waiting_list.py",
    ),
    Mutant(
        "a dose can be promised twice",
        "- self._book.promised_until(today)\n        if",
        "- self._book.promised_until(today) // 2\n        if",
        "model/waiting_list.py",
    ),
    Mutant(
        "stock is looked at, whatever the rule",
        'if self._stock_rule == "ignore":\n            return',
        "if False:\n            return",
        "model/waiting_list.py",
    ),
    Mutant(
        "a turn opens a day early",
        "due = turn[group]\n",
        "due = turn[group] - 1\n",
        "model/waiting_list.py",
    ),
    Mutant(
        "a turn opens a day late",
        "due = turn[group]\n",
        "due = turn[group] + 1\n",
        "model/waiting_list.py",
    ),
    Mutant(
        "the window is a day too long",
        "latest = today + window_days\n",
        "latest = today + window_days + 1\n",
        "model/waiting_list.py",
    ),
    Mutant(
        "the window is a day too short",
        "latest = today + window_days\n",
        "latest = today + window_days - 1\n",
        "model/waiting_list.py",
    ),
    Mutant(
        "a slot at home may be a day later than is tolerated",
        "end = min(best + tolerance, end)",
        "end = min(best + tolerance + 1, end)",
        "model/appointment_book.py",
    ),
    Mutant(
        "the district does not matter",
        "_earliest(jump, ledger, district, best, end, from_day, first_choices, vaccine)",
        "-1",
        "model/appointment_book.py",
    ),
    Mutant(
        "slots for second doses are not kept",
        "np.floor(slots * second_share + 1e-9)",
        "np.floor(slots * 0.0 + 1e-9)",
        "model/appointment_book.py",
    ),
    Mutant(
        "second doses take what first ones still want",
        "left -= self._wanted_for_first_doses(today)",
        "left -= 0 * self._wanted_for_first_doses(today)",
        "model/waiting_list.py",
    ),
    Mutant(
        "first doses come first, though second ones should",
        '"second_doses_first": [[1], [0]],',
        '"second_doses_first": [[0], [1]],',
        "model/waiting_list.py",
    ),
    Mutant(
        "first doses come first, though in the order of joining",
        '"as_booked": [[0, 1]],',
        '"as_booked": [[0], [1]],',
        "model/waiting_list.py",
    ),
    Mutant(
        "nothing is reserved",
        'if self._policy != "reserve":',
        "if True:",
        "model/waiting_list.py",
    ),
    Mutant(
        "what has been set aside is given away",
        "left -= self._set_aside(for_waiting=0 in had)",
        "left -= 0 * self._set_aside(for_waiting=0 in had)",
        "model/waiting_list.py",
    ),
    Mutant(
        "second appointments are looked for a fortnight ahead, whatever is said",
        "days[i] = min(max(due - notice_days, today), NEVER)",
        "days[i] = min(max(due - 14, today), NEVER)",
        "model/waiting_list.py",
    ),
)

MUTANTS = {"telephone": TELEPHONE, "units": UNITS, "campaign": CAMPAIGN, "bookings": BOOKINGS}


@contextmanager
def in_place_of_the_engine(mutant: ModuleType) -> Iterator[None]:
    """The program works with a wrong engine in place of the reference engine (in this process)."""
    wrong = Engine.of(mutant)

    def get(name: str) -> Engine:
        return wrong if name == "reference" else get_engine(name)

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


def wrong(judged: JudgedCase) -> bool:
    """Whether an audit fails, engines differ, or a quantity misses its value with both seeds."""
    outside = any(q.judgements[-1].verdict == "outside" for q in judged.quantities)
    return outside or judged.engines_equal is False or bool(judged.failure)


def noticed_by(case: Case, engines: Engines) -> str:
    """The case's name if it fails with the program as it is, marked if not by its verdict."""
    (judged,) = validate([case], SCENARIOS, RunSettings(workers=1), engines, quick=True)
    return f"{case.name}{'*' if judged.failure else ''}" if wrong(judged) else ""


def parts_of(case: Case) -> set[str]:
    """Which parts of the program a case is about."""
    scenario = case.scenario(SCENARIOS)
    if case.name in ("r3", "r5_50"):  # a million calls
        return set()
    if case.name in {"deliveries", *(each.name for each in campaign_cases())}:
        return {"campaign"}
    if case.name in {each.name for each in booking_cases()}:
        return {"bookings"}
    if case.name in ("agents_break", "clockwork", "staff_break", "staff_shifts"):
        return {"telephone" if case.file == "clockwork.toml" else "units", "bookings"}
    calls = any(
        wave.mean_days < 1 and not group.booked_in_advance
        for group in scenario.groups.values()
        for wave in group.first_calls
    )
    part = "telephone" if calls else "units"
    return {part, "campaign"} if case.file in CAMPAIGN_FILES else {part}


def main(part: str, number: str = "") -> None:
    """Print which cases notice which mutant of a part; with a number the names for that mutant.

    Of the call centre, the units and the days between, a mutant is tried on cases that are about
    the same part; those with a million calls are left out.
    """
    mutants = MUTANTS[part]
    if number:
        engines: Engines = "both" if mutants[int(number)].file == REFERENCE else "compiled"
        for case in all_cases():
            if part in parts_of(case) and (name := noticed_by(case, engines)):
                print(name, flush=True)
        return
    print("| mistake | noticed by |\n| --- | --- |")
    for place, mutant in enumerate(mutants):
        with tempfile.TemporaryDirectory() as folder:
            mutant.copy_to(Path(folder))
            done = subprocess.run(
                [sys.executable, __file__, part, str(place)],
                stdout=subprocess.PIPE,
                text=True,
                check=False,
                env={**os.environ, "PYTHONPATH": folder},
            )
        names = [*done.stdout.split(), *(["!"] if done.returncode else [])]
        print(f"| {mutant.mistake} | {', '.join(names) or 'NOBODY'} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
