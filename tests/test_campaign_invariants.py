"""What must hold in every campaign, whatever the scenario: attacked with random ones.

`random_campaign` draws everything: several vaccines and regimens, policies, stock rules, uncertain
deliveries, walk-ins, overbooking, impatience. The invariants are those of the design: doses,
persons and calls are conserved, nobody is vaccinated who may not be, nobody works beyond capacity.
"""

from __future__ import annotations

import functools
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from campaigns import FIRST_DAY, Tables, assert_same_tables, random_campaign, reasons, run
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.engine import get_engine
from sim.experiment.conservation import check_conservation
from sim.model.campaign import Campaign
from sim.model.capacity import slots_by_day
from sim.model.population import NEVER, Status
from sim.model.records import PROVINCE_STORE, REASONS
from sim.model.regimens import Regimens
from sim.random_streams import RandomStreams
from sim.scenario import Scenario
from sim.scenario_files import load_scenario

seeds = st.integers(0, 2**32 - 1)
attacked = settings(max_examples=120, deadline=None)


def days_of(frame: pd.DataFrame) -> pd.Series:
    return (frame["date"] - pd.Timestamp(FIRST_DAY)).dt.days


def finished(seed: int) -> tuple[Scenario, Campaign, Tables]:
    scenario = random_campaign(seed)
    state = Campaign(scenario, get_engine("compiled"), RandomStreams(seed, 0))
    state.run()
    return scenario, state, state.recorder.tables()


@attacked
@given(seeds)
def test_doses_persons_and_calls_are_conserved(seed: int) -> None:
    scenario, state, tables = finished(seed)
    check_conservation(tables, scenario)
    check_doses_by_vaccine(tables)
    check_people(scenario, state, tables)
    check_calls(tables)
    check_capacity(scenario, tables)


def check_doses_by_vaccine(tables: Tables) -> None:
    """delivered + extra = administered + wasted + lost + on hand, of each vaccine on each day."""
    stock = tables["stock"]
    flows = stock.groupby(["vaccine", "date"], as_index=False).sum(numeric_only=True)
    came = (flows["delivered"] + flows["extra"]).groupby(flows["vaccine"]).cumsum()
    gone = flows["administered"] + flows["wasted"] + flows["storage_loss"]
    gone = gone.groupby(flows["vaccine"]).cumsum()
    assert (came == gone + flows["on_hand"]).all()
    assert (stock.drop(columns=["date", "place", "vaccine"]) >= 0).all().all()
    store = stock["place"] == PROVINCE_STORE
    assert (stock.loc[store, ["administered", "wasted", "extra", "shipped_in"]] == 0).all().all()
    assert (stock.loc[~store, ["delivered", "storage_loss", "shipped_out"]] == 0).all().all()


def check_people(scenario: Scenario, state: Campaign, tables: Tables) -> None:
    """Persons: doses within the regimen and in time; each in one place on the way."""
    people, daily = state.people, tables["daily"]
    days = (scenario.campaign.horizon - scenario.campaign.first_day).days + 1
    regimens = Regimens(scenario, days)
    turn = np.array([(g.turn_from - FIRST_DAY).days for g in scenario.groups.values()])

    # Doses: as many as were given, in the campaign and before, and no more than the regimen has.
    before = sum(e.people * e.doses for g in scenario.groups.values() for e in g.already_vaccinated)
    assert people.doses.sum() == daily["administered"].sum() + before
    most = np.where(regimens.second[people.regimen] >= 0, 2, 1)
    assert (people.doses <= most).all()
    complete = people.doses == most
    assert ((people.status == Status.COMPLETE) == complete).all()

    # Time: not before vaccination begins, the turn, or the interval.
    began = (people.doses > 0) & (people.first_dose_day >= 0)
    start = (scenario.campaign.vaccination_from - FIRST_DAY).days
    assert (people.first_dose_day[began] >= np.maximum(turn[people.group[began]], start)).all()
    second = people.doses == 2
    gap = people.last_dose_day[second] - people.first_dose_day[second]
    in_campaign = people.last_dose_day[second] >= 0
    assert (gap[in_campaign] >= regimens.min_days[people.regimen[second]][in_campaign]).all()

    # Nobody unwilling is vaccinated or comes.
    assert (people.willing | (people.doses == 0)).all()
    # Appointments: those booked were kept, missed, or lie ahead.
    booked = tables["bookings"][["booked_first", "booked_second"]].sum().sum()
    ahead = int((people.appointment_day != NEVER).sum())
    assert booked == daily["appointments"].sum() + ahead
    # Registrations: by telephone, otherwise, or in advance; each person once.
    registered = tables["bookings"].groupby("group")[["registered_telephone", "registered_other"]]
    registered = registered.sum().sum(axis=1)
    for name, group in scenario.groups.items():
        assert registered[name] <= group.people
        if group.booked_in_advance:
            assert registered[name] == 0
    # The waiting list at the end.
    waiting = tables["bookings"][tables["bookings"]["date"] == str(scenario.campaign.horizon)]
    on_list = people.status == Status.WAITING
    assert waiting["waiting_first"].sum() == (on_list & (people.doses == 0)).sum()
    assert waiting["waiting_second"].sum() == (on_list & (people.doses == 1)).sum()
    # First doses never above the doses there are, second never above first.
    given_by_dose = daily.groupby("dose")["administered"].sum()
    stock = tables["stock"]
    assert given_by_dose.sum() <= stock["delivered"].sum() + stock["extra"].sum()
    # Reasons: first doses counted among the vaccinated; full never above first.
    assert reasons(tables, "first").get("vaccinated", 0) == (people.doses > 0).sum()
    full = reasons(tables, "full").get("vaccinated", 0)
    assert full <= (people.doses > 0).sum()
    assert sum(reasons(tables, "full").values()) == scenario.target


def check_calls(tables: Tables) -> None:
    """Every caller of a day has an end: answered, gave up, or will call on another day."""
    callers = tables["callers"]
    ends = callers["answered"] + callers["gave_up"] + callers["carried"]
    assert (callers["callers"] == ends).all()
    assert (callers["bookings"] <= callers["answered"]).all()
    assert (callers["attempts"] >= callers["callers"]).all()
    booked = callers["bookings"].sum()
    assert booked == tables["bookings"]["registered_telephone"].sum()
    calls = tables["call_centre"]
    assert (calls["delayed"] <= calls["offered"] - calls["blocked"]).all()
    assert (calls["wait_answered"] <= calls["wait_all"] + 1e-9).all()
    agents = tables["agents"]
    assert (agents[["busy", "on_duty", "overtime"]] >= 0).all().all()


def check_capacity(scenario: Scenario, tables: Tables) -> None:
    """Appointments never above the slots (overbooking included), by unit and day."""
    daily = tables["daily"]
    slots = slots_by_day(scenario)
    names = list(scenario.units)
    came = daily.groupby([daily["unit"], days_of(daily)])[
        ["appointments", "walk_ins", "administered"]
    ].sum()
    for (unit, day), row in came.iterrows():
        assert row["appointments"] <= slots[names.index(unit), day]
        assert row["administered"] <= row["appointments"] + row["walk_ins"]
        if not scenario.units[unit].walk_ins_per_day:
            assert row["walk_ins"] == 0
    patients = tables["sessions"]["patients"].sum()
    turned_away = daily[["no_shows", "closed"]].sum().sum()
    assert patients == daily[["appointments", "walk_ins"]].sum().sum() - turned_away


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_both_engines_give_the_same_tables(seed: int) -> None:
    scenario = random_campaign(seed)
    assert_same_tables(run(scenario, seed=seed), run(scenario, "reference", seed=seed))


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(0, 60))
def test_a_simulation_stopped_early_has_the_same_days(seed: int, number: int) -> None:
    scenario = random_campaign(seed)
    until = min(FIRST_DAY + pd.Timedelta(days=number), scenario.campaign.horizon)
    whole, part = run(scenario), run(scenario, until=until)
    check_conservation(part, scenario, until)
    for name in ("daily", "bookings", "callers", "call_centre", "stock", "stations"):
        same = whole[name][whole[name]["date"] <= str(until)].reset_index(drop=True)
        pd.testing.assert_frame_equal(part[name], same, obj=name)


def test_random_campaigns_reach_every_corner() -> None:
    # Otherwise the attack above would prove little: each of these happens in some of 80.
    columns = {
        "daily": ["walk_ins", "no_shows", "no_dose", "left", "late", "closed", "dropped_out"],
        "call_centre": ["answered", "abandoned", "blocked", "cut_off"],
        "callers": ["carried", "gave_up", "calls_outside_hours"],
        "stock": ["administered", "extra", "wasted", "storage_loss"],
    }
    happened = {f"{table} {name}": 0 for table, names in columns.items() for name in names}
    happened |= {f"reason {reason}": 0 for reason in REASONS}
    for seed in range(80):
        tables = run(random_campaign(seed))
        for table, names in columns.items():
            for name in names:
                happened[f"{table} {name}"] += bool(tables[table][name].sum())
        for as_of in ("deadline", "horizon"):
            for reason in reasons(tables, "full", as_of):
                happened[f"reason {reason}"] += 1
    assert min(happened.values()) >= 2, happened


# The plan at full scale ---------------------------------------------------------------------------

SCENARIOS = Path(__file__).parent.parent / "scenarios"


@functools.cache
def full_scale(name: str) -> tuple[Scenario, Tables]:
    """One replication of a scenario with all 566,551 people."""
    scenario = load_scenario(SCENARIOS / f"{name}.toml")
    tables = run(scenario)
    check_conservation(tables, scenario)
    check_doses_by_vaccine(tables)
    check_calls(tables)
    return scenario, tables


def doses(tables: Tables, dose: int, until: date | None = None) -> int:
    daily = tables["daily"][tables["daily"]["dose"] == dose]
    if until is not None:
        daily = daily[daily["date"] <= str(until)]
    return int(daily["administered"].sum())


DEADLINE = date(2021, 8, 14)


@pytest.mark.full
def test_the_plan_gives_at_most_503000_first_doses_by_the_deadline_and_519000_in_all() -> None:
    # 56,000 + 303,000 + 12 days of 12,000 in August; 56,000 + 303,000 + 160,000 in the end.
    _, tables = full_scale("plan")
    assert 400_000 < doses(tables, 1, DEADLINE) <= 503_000
    assert doses(tables, 1) + doses(tables, 2) <= 519_000
    by_day = tables["daily"].groupby("date")["administered"].sum()
    assert by_day.max() <= 12_000


@pytest.mark.full
def test_with_12_weeks_between_doses_nobody_is_fully_vaccinated_by_the_deadline() -> None:
    _, tables = full_scale("plan")
    assert doses(tables, 2, DEADLINE) == 0
    assert reasons(tables, "full", "deadline").get("vaccinated", 0) == 0


@pytest.mark.full
@pytest.mark.parametrize("name", ["interval_8_weeks", "interval_8_weeks_as_booked"])
def test_with_8_weeks_between_doses_at_most_56000_are_fully_vaccinated(name: str) -> None:
    # Only who was vaccinated by 19 June is due by 14 August, and June has 56,000 doses.
    _, tables = full_scale(name)
    assert 0 < doses(tables, 2, DEADLINE) <= 56_000
    assert doses(tables, 1) + doses(tables, 2) <= 519_000


@pytest.mark.full
def test_open_sundays_allow_no_more_than_the_doses() -> None:
    _, tables = full_scale("sundays")
    assert doses(tables, 1, DEADLINE) <= 519_000
    assert doses(tables, 1, DEADLINE) > doses(full_scale("plan")[1], 1, DEADLINE)


@pytest.mark.full
def test_eleven_doses_a_vial_help_in_the_end_and_not_by_the_deadline() -> None:
    # August's 12 open days bind by the deadline; 570,900 doses in the end.
    _, tables = full_scale("eleven_doses")
    assert doses(tables, 1, DEADLINE) <= 503_000
    assert 519_000 < doses(tables, 1) + doses(tables, 2) <= 570_900
    assert doses(tables, 1) > 519_000


@pytest.mark.full
def test_with_few_agents_the_bottleneck_moves_to_the_telephones() -> None:
    few = reasons(full_scale("call_centre_low")[1], "first", "deadline")
    plan = reasons(full_scale("plan")[1], "first", "deadline")

    def units_and_doses(why: dict[str, int]) -> int:
        return why.get("no_dose", 0) + why.get("no_slot", 0)

    assert few["never_reached_call_centre"] > units_and_doses(few)
    assert plan["never_reached_call_centre"] < units_and_doses(plan)


@pytest.mark.full
def test_reasons_of_the_plan_add_up_to_the_target() -> None:
    for name in ("plan", "call_centre_low"):
        _, tables = full_scale(name)
        for scope in ("first", "full"):
            for as_of in ("deadline", "horizon"):
                assert sum(reasons(tables, scope, as_of).values()) == 566_551
