"""The audit of sessions and call-centre days notices what does not add up, and says where.

Each mutant breaks one rule: in the records of a day (one microsecond, dose or person more), in the
text of the engine (on a whole campaign), or in a campaign behind the command line.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from campaigns import calling_group, campaign, delivery, run, unit
from engine_days import random_call_day, random_session
from test_engine_mutants import mutant

from sim.engine.compiled import call_centre_day, unit_session
from sim.engine.contract import CallCentreDayResult, CallCount, Engine, UnitSessionResult
from sim.experiment import replications
from sim.experiment.conservation import check_conservation
from sim.experiment.replications import Task, replicate
from sim.experiment.settings import RunSettings
from sim.model.audit import CallAudit, SessionAudit
from sim.model.ledger import LAWS, AuditError, Ledger
from sim.model.records import CAUSES
from sim.scenario import Scenario

DAY = date(2021, 6, 3)


def busy_campaign(**more: object) -> Scenario:
    """Three days, queues everywhere: 500 people call three agents, and share a hall of two jabs."""
    slow = {"distribution": "exponential", "mean": 5.0}
    return campaign(
        {
            "campaign": {"horizon": date(2021, 6, 4), "deadline": date(2021, 6, 4)},
            "call_centre": {
                "lines": 8,
                "patience_minutes": slow,
                "booking_call_minutes": slow,
                "redial_probability": 0.5,
                "pools": {"desk": {"languages": ["thai"], "agents": 3, "breaks": BREAK}},
            },
            "appointments": {"punctuality_minutes": -30.0},
            "vaccines": {"az": {"doses_per_vial": 10}},
        },
        groups={"all": calling_group(500)},
        units={"hall": unit(150, stations=STATIONS)},
        deliveries={"only": delivery(400)},
        **more,
    )


BREAK = [{"start": "12:00", "end": "13:00", "staff": 1}]
STATIONS = {
    "registration": {"staff": 2, "minutes": {"distribution": "exponential", "mean": 3.0}},
    "jab": {"kind": "vaccination", "staff": 2, "minutes": 5.0, "walk_minutes": 1.0},
    "rest": {"kind": "observation", "staff": 30, "minutes": 15.0},
}


def simulated(scenario: Scenario, engine: str = "compiled") -> dict[str, pd.DataFrame]:
    """Replication 0, audited."""
    return replicate(Task(scenario, RunSettings(engine=engine), 0))


# What is left of an audit ---------------------------------------------------------------------


def test_every_law_that_applies_has_its_row_and_passes() -> None:
    audit = simulated(busy_campaign())["audit"]
    # (people who may call again after an answer have a weaker law: got_through)
    assert set(audit["law"]) == set(LAWS) - {"got_through"}
    assert audit["passed"].eq(1).all()
    assert not audit.duplicated(["law", "what"]).any()
    equal = audit["law"].map(lambda law: LAWS[law].relation) == "="
    assert (audit.loc[equal, "left"] == audit.loc[equal, "right"]).all()
    assert len(audit) < 100


def test_laws_are_held_against_something() -> None:
    # A law whose sides are all 0 would say nothing: here there are queues, breaks and overtime.
    audit = simulated(busy_campaign()).pop("audit").set_index(["law", "what"])
    for what in ("calls waiting", "trunk lines", "agents desk", "queue: jab", "service: rest"):
        assert audit.loc[("littles_law", what), "left"] > 100
    assert audit.loc[("time_in_state", "agents desk: off duty"), "left"] == 4 * 60  # a break a day
    assert audit.loc[("bookings", "all groups"), "left"] > 200


def test_both_engines_leave_the_same_audit() -> None:
    scenario = busy_campaign()
    tables = [simulated(scenario, engine)["audit"] for engine in ("compiled", "reference")]
    pd.testing.assert_frame_equal(*tables)


def test_a_failed_law_says_what_where_expected_and_found() -> None:
    with pytest.raises(AuditError) as error:
        Ledger().equal("doses", "az", [5, 7, 9], [5, 8, 8], lambda at: f"date 2021-06-0{at}")
    assert str(error.value) == (
        "doses (az), date 2021-06-01: expected 8 doses (given, discarded, lost, sent on, or still "
        "on hand), found 7 (came in) (2 of 3 cases)"
    )


def test_a_lost_dose_is_told_with_all_doses_of_its_place() -> None:
    # One dose less on hand than there should be: both sides are what came in and where it is, not
    # the difference of the two.
    scenario = busy_campaign()
    tables = simulated(scenario)
    stock = tables["stock"].copy()
    lost = stock[stock["on_hand"] > 0].iloc[0]
    stock.loc[lost.name, "on_hand"] -= 1
    with pytest.raises(AuditError) as error:
        check_conservation({**tables, "stock": stock}, scenario)
    up_to = stock[(stock["place"] == lost["place"]) & (stock["vaccine"] == lost["vaccine"])]
    up_to = up_to[up_to["date"] <= lost["date"]]
    came = int(up_to[["delivered", "shipped_in", "extra"]].to_numpy().sum())
    message = str(error.value)
    assert message.startswith(f"doses ({lost['vaccine']}), place {lost['place']}, date ")
    assert f"expected {came - 1:,} doses" in message
    assert f"found {came:,} (came in) (1 of " in message


def test_people_counted_as_vaccinated_without_a_dose_are_named() -> None:
    # One person more vaccinated by reason and by cause, and one fewer still waiting: all other
    # sums of people are as they were, and only the doses given say otherwise.
    scenario = busy_campaign()
    tables = simulated(scenario)
    causes = tables["causes"].query("as_of == 'horizon' and scope == 'first'")
    others = causes[causes["cause"] != "vaccinated"].set_index("cause")["persons"]
    cause = str(others.idxmax())
    for table, column, other in (
        ("reasons", "reason", CAUSES[cause].reason),
        ("causes", "cause", cause),
    ):
        frame = tables[table].copy()
        here = (frame["as_of"] == "horizon") & (frame["scope"] == "first")
        frame.loc[here & (frame[column] == "vaccinated"), "persons"] += 1
        frame.loc[here & (frame[column] == other), "persons"] -= 1
        tables[table] = frame
    with pytest.raises(AuditError, match=r"^vaccinated \(first dose, by the horizon\)"):
        check_conservation(tables, scenario)


# Records of sessions and days, changed --------------------------------------------------------


def one_station() -> Scenario:
    """A scenario with as many stations and vaccines as the random session audited below."""
    session = SESSION
    stations = {f"s{s}": {"staff": 1, "minutes": 1.0} for s in range(1, session.kind.size)}
    names = [f"v{v}" for v in range(session.vials.size)]
    return campaign(
        vaccines={name: {"doses_per_vial": 10, "open_vial_hours": 6.0} for name in names},
        regimens={"once": {"first": names[0]}},
        deliveries={"only": delivery(10, vaccine=names[0])},
        units={"hall": unit(10, stations=stations)},
    )


SESSIONS = [s for s in (random_session(seed) for seed in range(300)) if s.arrival_us.size]
SESSION = next(s for s in SESSIONS if unit_session(s).doses_used.sum() and s.kind.size > 2)


def audit_session(change: Callable[[UnitSessionResult], UnitSessionResult]) -> None:
    audit, ledger = SessionAudit(one_station()), Ledger()
    audit.note(DAY, {0: SESSION}, {0: change(unit_session(SESSION))})
    audit.enter(ledger)


def more(name: str) -> Callable[..., UnitSessionResult]:
    """The result with one microsecond, dose or person more in the first place that has any."""

    def change(result: UnitSessionResult) -> UnitSessionResult:
        value = getattr(result, name)
        if isinstance(value, np.ndarray):
            value = value.copy()
            value.flat[int(np.argmax(value > 0))] += 1
            return replace(result, **{name: value})
        return replace(result, **{name: value + 1})

    return change


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wait_us", r"^recorded \(waits and services\)"),
        ("busy_us", r"^recorded \(waits and services\)"),
        ("inside_us", r"^recorded \(stays\)"),
        ("exit_us", r"^time_inside"),
        ("queue_us", r"^littles_law \(queue: "),
        ("service_us", r"^littles_law \(service: "),
        ("idle_us", r"^times_in_states"),
        ("beyond_us", r"^beyond_duty|^times_in_states"),
        ("doses_used", r"^vials"),
        ("vials_opened", r"^vials"),
    ],
)
def test_a_session_that_does_not_add_up_is_named(name: str, message: str) -> None:
    audit_session(lambda result: result)  # as it is, it passes
    with pytest.raises(AuditError, match=f"{message}.*, date 2021-06-03, unit hall"):
        audit_session(more(name))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("waiting_us", r"^littles_law \(calls waiting\), date 2021-06-03"),
        ("lines_us", r"^littles_law \(trunk lines\)"),
        ("handled_us", r"^littles_law \(trunk lines\)"),
        ("max_lines", r"^lines"),
        ("attempts", r"^attempts"),
        ("answers", r"^answers"),
        ("wait_us", r"^waits"),
        ("pool_busy_us", r"^talks"),
        ("pool_talking_us", r"^littles_law \(agents desk\)"),
        ("pool_idle_us", r"^times_in_states \(agents desk\)"),
    ],
)
def test_a_day_of_calls_that_does_not_add_up_is_named(name: str, message: str) -> None:
    scenario = busy_campaign()
    recorded: list[CallCentreDayResult] = []
    note = CallAudit.note
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            CallAudit, "note", lambda self, day, r: recorded.append(r) or note(self, day, r)
        )
        run(scenario)
    audit, ledger = CallAudit(scenario), Ledger()
    result = max(recorded, key=lambda r: int(r.lines_us))
    audit.note(DAY, result)
    audit.enter(ledger)  # as it is, it passes
    changed = (
        replace(result, max_lines=9) if name == "max_lines" else more(name)(result)  # type: ignore[arg-type]
    )
    wrong = CallAudit(scenario)
    wrong.note(DAY, changed)
    with pytest.raises(AuditError, match=message):
        wrong.enter(Ledger())


def test_random_days_and_sessions_keep_littles_law() -> None:
    # The laws themselves, on nasty days: number over time against times of individuals.
    for seed in range(200):
        result = call_centre_day(random_call_day(seed))
        assert result.waiting_us == result.counts[..., CallCount.WAIT_ALL_US].sum()
        talks = result.handled_us.sum() - result.pool_wrap_up_us.sum()
        assert result.lines_us == result.waiting_us + talks
    for session in SESSIONS:
        done = unit_session(session)
        assert (done.queue_us == done.wait_us).all()
        assert (done.service_us == done.busy_us).all()


# Engines with a mistake -----------------------------------------------------------------------

MUTANTS = {
    "an agent more than on duty": (
        "pools[pool].on_duty = step_agents[step]",
        "pools[pool].on_duty = step_agents[step] + 1",
        r"times_in_states \(agents desk\)",
    ),
    "one agent too many answers arriving calls": (
        "speaks[pool, language] and pools[pool].busy < pools[pool].on_duty:",
        "speaks[pool, language] and pools[pool].busy <= pools[pool].on_duty:",
        r"beyond_duty \(agents desk\)",
    ),
    "a call is counted twice": (
        "        cell.answered += 1\n",
        "        cell.answered += 1 + (wait > 0)\n",
        r"answers \(callers\)",
    ),
    "an abandonment is not counted": ("cell.abandoned += 1", "cell.abandoned += 0", r"calls \("),
    "those who give up have not waited": (
        "cell.wait_all_us += wait",
        "cell.wait_all_us += wait * (outcome == ANSWERED)",
        r"littles_law \(calls waiting\)",
    ),
    "one more is served than there are staff": (
        "if started - over < staff:",
        "if started - over <= staff:",
        r"beyond_duty \(stations\)",
    ),
    "a service lasts longer than recorded": (
        "_add_in_order(service_ends, started, end)",
        "_add_in_order(service_ends, started, end + 1_000_000)",
        r"littles_law \(service: |beyond_duty",
    ),
    "a service lasts longer than drawn": (
        "end = now + service_us[patient, s]",
        "end = now + service_us[patient, s] + 1_000_000",
        r"work \(",
    ),
    "walks take no time": (
        "exit_us[patient] + walk_us[patient, s]",
        "exit_us[patient] + 0 * walk_us[patient, s]",
        r"time_inside",
    ),
    "a dose is lost": (
        "vaccine.doses_left = vaccine.doses_per_vial\n",
        "vaccine.doses_left = vaccine.doses_per_vial - 1\n",
        r"vials \(az\)",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_audit_of_a_campaign_names_a_wrong_engine(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, message = MUTANTS[name]
    wrong = Engine.of(mutant(old, new))
    monkeypatch.setattr(replications, "get_engine", lambda name: wrong)
    with pytest.raises(AuditError) as error:
        simulated(busy_campaign())
    assert str(error.value).startswith("replication 0, law ")
    assert "date 2021-06-0" in str(error.value)
    assert pd.Series([str(error.value)]).str.contains(message)[0], str(error.value)


# On the command line --------------------------------------------------------------------------

LOSE_A_DOSE = """
from sim.model.dose_supply import DoseSupply
deliver = DoseSupply.deliver

def lose_a_vial(self, today):
    arrived, lost = deliver(self, today)
    self.store[0] -= today == 8
    return arrived, lost

DoseSupply.deliver = lose_a_vial
from sim.cli import main
main()
"""


def test_a_failed_audit_ends_the_run_with_code_3_and_leaves_no_result(tmp_path: Path) -> None:
    plan = Path(__file__).parent.parent / "scenarios" / "plan.toml"
    command = ["run", plan, "--replications", "1", "--until", "2021-06-04", "--out", "lost"]
    ended = subprocess.run(
        [sys.executable, "-c", LOSE_A_DOSE, *map(str, command)],
        cwd=tmp_path,
        env={**os.environ, "VAXSIM_LANG": "en"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3, ended.stderr
    assert ended.stdout == ""
    said = " ".join(ended.stderr.split())
    assert "the audit failed, so there is no result: replication 0, law " in said
    assert "date 2021-06-02" in said
    assert "expected" in said
    assert "found" in said
    assert "a fault of vaxsim, not of the scenario" in said
    assert "send this message, the command, and the scenario file" in said
    assert not (tmp_path / "lost").exists()
