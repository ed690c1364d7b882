"""Claims about the ceiling: the linear program, its closed form, and what one more unit is worth.

Checked against hand calculations for the announced plan, against two models written here without
the aggregation of the program (one variable for each day, unit, group and regimen; an enumeration
of all whole-numbered campaigns), against solving again, and against the simulation.
"""

from __future__ import annotations

import copy
import functools
import math
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaigns import FIRST_DAY, advance_group, campaign, day, delivery, random_campaign, run, unit
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.sparse import coo_array

from sim.experiment import feasibility
from sim.experiment.conservation import check_conservation
from sim.experiment.coverage import SCOPES, Scope, cumulative
from sim.experiment.feasibility import curve, most_by
from sim.experiment.limits import limits_in, limits_of
from sim.experiment.shadow_prices import Binding, bindings
from sim.model.capacity import slots_by_day
from sim.model.ledger import AuditError
from sim.scenario import WEEKDAYS, Scenario
from sim.scenario_files import load_scenario

SCENARIOS = sorted((Path(__file__).parent.parent / "scenarios").glob("*.toml"))
DEADLINE = date(2021, 8, 14)
seeds = st.integers(0, 2**32 - 1)


@functools.cache
def scenario_named(stem: str) -> Scenario:
    (path,) = [path for path in SCENARIOS if path.stem == stem]
    return load_scenario(path)


def valued(scenario: Scenario, scope: Scope, on: date) -> dict[str, Binding]:
    """What is worth something, by kind."""
    return {b.kind: b for b in bindings(scenario, scope, on) if b.worth > 0}


# The announced plan -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stem", "first", "full", "in_all"),
    [
        # 56,000 + 303,000 + 12 August days of 12,000; a second dose 12 weeks after 1 June is late
        ("plan", 503_000, 0, 519_000),
        ("sundays", 519_000, 0, 519_000),  # 14 August days: all doses
        ("eleven_doses", 503_000, 0, 566_551),  # 570,900 doses in the end; August still binds
        ("interval_8_weeks", 503_000, 56_000, 519_000),  # June's doses, by 19 June
        ("interval_8_weeks_as_booked", 503_000, 56_000, 519_000),
        ("one_dose_complete", 503_000, 503_000, 519_000),
        ("deliveries_late", 359_000, 0, 519_000),  # August's doses come on the 15th
        ("july_cut", 270_000, 0, 286_000),  # 56,000 + 70,000 + 144,000
        # 3 % lost of 12,600 and 7,000 vials; 5 % overbooked: 12 x 12,600 = 151,200 of 155,200
        ("likely", 54_320 + 67_900 + 151_200, 0, 54_320 + 67_900 + 155_200),
        ("units_low", 56_000 + 39 * 7_200, 0, 519_000),  # 27 July and 12 August days of 7,200
        ("units_high", 519_000, 0, 519_000),
    ],
)
def test_ceilings_are_those_calculated_by_hand(
    stem: str, first: int, full: int, in_all: int
) -> None:
    found = feasibility.ceiling_of(scenario_named(stem))
    assert (found.first_by_deadline, found.full_by_deadline, found.first_in_all) == (
        first,
        full,
        in_all,
    )


def test_in_the_plan_one_more_august_slot_is_worth_a_person_and_one_more_dose_nothing() -> None:
    found = bindings(scenario_named("plan"), "first", DEADLINE)
    worth = {binding.kind: binding.worth for binding in found}
    assert worth["doses"] == worth["people"] == worth["arrivals"] == worth["turns"] == 0
    (slots,) = [binding for binding in found if binding.kind == "slots"]
    assert (slots.worth, slots.first, slots.last) == (1.0, date(2021, 8, 2), DEADLINE)
    assert "any of the 12 open days" in slots.words


def test_with_sundays_one_more_dose_is_worth_a_person_and_one_more_slot_nothing() -> None:
    found = valued(scenario_named("sundays"), "first", DEADLINE)
    assert list(found) == ["doses"]
    assert found["doses"].worth == 1
    assert found["doses"].what == ("june", "july", "august")


def test_what_is_worth_something_only_together_is_found() -> None:
    # July ends with 359,000 doses given, to 359,000 people whose turn has come, and slots unused:
    # only a dose and a person together help, or August's doses and turn together a day sooner.
    found = valued(scenario_named("plan"), "first", DEADLINE)
    assert found["doses_and_people"].worth == 1
    assert found["doses_and_people"].last == date(2021, 7, 31)
    assert found["arrivals_and_turns"].worth == 12_000
    assert found["arrivals_and_turns"].what == ("august", "migrant")


def test_with_eleven_doses_a_vial_the_turn_binds() -> None:
    # 56,000 x 1.1 + 303,000 x 1.1 doses for 359,000 people in June and July
    found = valued(scenario_named("eleven_doses"), "first", DEADLINE)
    assert found["turns"].what == ("migrant",)
    assert found["turns"].worth == 12_000
    assert found["people"].what == ("registered", "thai")


@pytest.mark.parametrize(("stem", "shorter"), [("plan", 10), ("deliveries_late", 24)])
def test_interval_is_told_with_the_days_it_takes(stem: str, shorter: int) -> None:
    # 84 days after 1 (15) June is 24 August (7 September): 10 (24) days after the deadline
    found = valued(scenario_named(stem), "full", DEADLINE)
    assert list(found) == ["interval"]
    assert found["interval"].worth == 12_000
    assert f"nobody; {shorter} days shorter: 12,000 people" in found["interval"].words


@pytest.mark.parametrize(
    ("changes", "scope", "number", "said"),
    [
        # whatever nothing but a date keeps from the first day on, told with the date
        ({"campaign": {"vaccination_from": day(4)}}, "first", 3, {"vaccination_from": 4}),
        ({"deliveries": {"only": {"arrives": day(4)}}}, "first", 3, {"delivered": 4}),
        ({"groups": {"early": {"turn_from": day(4)}}}, "first", 3, {"turn": 4}),
        # 1 June is a Tuesday: the first Saturday is day 4
        ({"unit_types": {"hall": {"open_days": ["sat"]}}}, "first", 3, {"opening": 4}),
        ({}, "first", 0, {}),
        # five days after a first dose on day 0
        ({}, "full", 4, {"second_dose": 5}),
        ({"campaign": {"complete_with": "one_dose"}}, "full", 0, {}),
        ({"campaign": {"protected_after_days": 3}}, "full", 7, {"protection": 8}),
        ({"campaign": {"protected_after_days": 3}}, "full", 8, {}),
        # two reasons that each would be enough
        (
            {
                "deliveries": {"only": {"arrives": day(6)}},
                "groups": {"early": {"turn_from": day(5)}},
            },
            "first",
            4,
            {"delivered": 6, "turn": 5},
        ),
        # a delivery of nothing: no dose ever comes
        ({"deliveries": {"only": {"doses": 0}}}, "first", 4, {"delivered": None}),
    ],
)
def test_what_keeps_everybody_from_being_vaccinated_yet_is_told_with_its_day(
    changes: dict[str, Any], scope: Scope, number: int, said: dict[str, int | None]
) -> None:
    scenario = campaign(changes)
    found = feasibility.not_yet(scenario, scope, day(number))
    assert dict(found) == {kind: None if n is None else day(n) for kind, n in said.items()}
    assert (most_by(scenario, scope, day(number)) == 0) == bool(said)
    assert all(feasibility.not_yet_words(*each) for each in found)


def test_two_doses_for_one_person_make_a_dose_worth_half() -> None:
    # 519,000 doses for 259,500 people by the end of November
    found = valued(scenario_named("plan"), "full", date(2021, 11, 30))
    assert found["doses"].worth == 0.5
    assert most_by(scenario_named("plan"), "full", date(2021, 11, 30)) == 259_500


def test_what_holds_back_the_next_first_dose_is_told_by_day() -> None:
    # 12,000 a day: June's 56,000 are gone on the 5th, July's 303,000 on the 26th open day (the
    # 30th), August's 160,000 on the 14th (the 17th).
    found = [
        (stretch.first.strftime("%d %b"), stretch.last.strftime("%d %b"), stretch.held_by)
        for stretch in feasibility.stretches(scenario_named("plan"))
    ]
    assert found[:7] == [
        ("01 Jun", "04 Jun", ("slots",)),
        ("05 Jun", "30 Jun", ("doses", "turns")),
        ("01 Jul", "29 Jul", ("slots",)),
        ("30 Jul", "31 Jul", ("doses", "turns")),
        ("02 Aug", "14 Aug", ("slots",)),
        ("16 Aug", "16 Aug", ("slots",)),
        ("17 Aug", "31 Aug", ("doses",)),
    ]


# Small campaigns, by hand ---------------------------------------------------------------------


def test_where_everybody_has_a_dose_nothing_holds_back_even_if_no_dose_is_left() -> None:
    # 20 doses and 10 slots a day for 20 people: all are used up with the second session
    scenario = campaign(
        groups={"all": advance_group(20)},
        deliveries={"only": delivery(20)},
        units={"hall": unit(slots=10)},
    )
    held_by = [stretch.held_by for stretch in feasibility.stretches(scenario)]
    assert held_by[:2] == [("slots",), ("people",)]


def test_second_doses_compete_for_slots_and_doses() -> None:
    # Ten slots a day from day 0, 100 doses, interval 5: by day 9 first doses on days 0 to 4 and
    # second ones on days 5 to 9 are 50 people; with 60 doses only 30.
    fifty = campaign(groups={"all": advance_group(500)}, deliveries={"only": delivery(200)})
    assert most_by(fifty, "full", day(9)) == 50
    assert most_by(fifty, "first", day(9)) == 100
    thirty = campaign(groups={"all": advance_group(500)}, deliveries={"only": delivery(60)})
    assert most_by(thirty, "full", day(9)) == 30


def test_protection_is_waited_for() -> None:
    # as above, with 3 days of protection: first doses on days 0 and 1, second ones on 5 and 6
    scenario = campaign(
        {"campaign": {"protected_after_days": 3}},
        groups={"all": advance_group(500)},
        deliveries={"only": delivery(200)},
    )
    assert most_by(scenario, "full", day(9)) == 20
    assert curve(scenario, "full")[str(day(7))] == 0


def test_people_with_a_first_dose_before_the_campaign_need_only_the_second() -> None:
    # 30 had theirs on day -2, so that they are due on day 3; 12 doses for 10 slots a day
    before = {
        "people": 30,
        "doses": 1,
        "regimen": "az_az",
        "first_dose_from": day(-2),
        "first_dose_to": day(-2),
    }
    scenario = campaign(
        groups={"all": advance_group(40, already_vaccinated=[before])},
        deliveries={"only": delivery(12)},
    )
    assert most_by(scenario, "first", day(0)) == 40  # 30 before and 10 today
    assert [most_by(scenario, "full", day(d)) for d in (2, 3, 4)] == [0, 10, 12]


def test_shipment_days_refrigerators_and_walk_ins_count() -> None:
    # Doses come on Tuesday, day 0, and are shipped on Thursday, day 2; a refrigerator of 4
    thursdays = {"supply": {"shipment_days": ["thu"]}}
    many = {"groups": {"all": advance_group(500)}, "deliveries": {"only": delivery(100)}}
    assert [most_by(campaign(thursdays, **many), "first", day(d)) for d in (1, 2)] == [0, 10]
    small = campaign(**many, units={"unit": unit(10, refrigerator_doses=4)})
    assert most_by(small, "first", day(2)) == 12
    walking = campaign(**many, units={"unit": unit(10, walk_ins_per_day=2.0)})
    assert most_by(walking, "first", day(2)) == 36


def test_slots_kept_for_second_doses_are_closed_to_first_ones() -> None:
    scenario = campaign(
        {"appointments": {"second_dose_slots": 0.3}},
        groups={"all": advance_group(500)},
        deliveries={"only": delivery(500)},
    )
    assert most_by(scenario, "first", day(9)) == 70
    # interval 5: second doses on days 5 to 9, three a day
    assert most_by(scenario, "full", day(9)) == 15


def test_unwilling_people_have_no_first_dose() -> None:
    scenario = campaign(
        groups={"all": advance_group(50, willing=0.5)}, deliveries={"only": delivery(500)}
    )
    assert most_by(scenario, "first", day(9)) == 25
    assert not feasibility.ceiling_is_certain(scenario)  # chance decides how many are willing
    few = campaign(groups={"all": advance_group(50, willing=0.5)})
    assert feasibility.ceiling_is_certain(few)  # ten doses, however many are willing


def test_vaccine_whose_regimen_has_ended_gives_no_first_doses() -> None:
    # 30 doses of the other vaccine come on day 3, but its first doses end with day 3
    scenario = campaign(
        {"vaccines": {"sv": {"doses_per_vial": 1, "open_vial_hours": 6.0}}},
        groups={"all": advance_group(500)},
        regimens={
            "az": {"first": "az"},
            "sv": {"first": "sv", "first_dose_until": day(3)},
        },
        deliveries={"only": delivery(5), "other": delivery(30, 3, "sv")},
    )
    assert most_by(scenario, "first", day(9)) == 15


@pytest.mark.parametrize("number", [-1, 20])
def test_day_outside_the_campaign_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=r"is not a day of the campaign, 2021-06-01 to 2021-06-20"):
        most_by(campaign(), "first", day(number))


# Against other models -------------------------------------------------------------------------


def last_days(scenario: Scenario) -> tuple[date, date]:
    return scenario.campaign.deadline, scenario.campaign.horizon


def one_by_one(scenario: Scenario, scope: Scope, on: date) -> float:
    """The same ceiling, with a variable for each day, unit, group, regimen and dose.

    People with a first dose before the campaign are groups of their own, one for each day.
    """
    camp = scenario.campaign
    end = (on - camp.first_day).days
    last = end - (camp.protected_after_days if scope == "full" else 0)
    dates = [camp.first_day + timedelta(days=d) for d in range(max(last + 1, 0))]
    seconds = scope == "full" and camp.complete_with == "all_doses"
    counted = 0
    crowds: list[tuple[float, int, dict[int, int] | None, str]] = []
    for group in scenario.groups.values():
        turn = (group.turn_from - camp.first_day).days
        rest = group.people - sum(entry.people for entry in group.already_vaccinated)
        crowds.append((rest * group.willing, turn, None, ""))
        for entry in group.already_vaccinated:
            regimen = scenario.regimens[entry.regimen]
            span = (entry.first_dose_to - entry.first_dose_from).days + 1
            for i in range(entry.people):
                had = entry.first_dose_from + timedelta(days=i * span // entry.people)
                if not seconds or regimen.second is None:
                    done = had
                elif entry.doses == 2:
                    done = min(
                        had + timedelta(days=regimen.target_days),
                        camp.first_day - timedelta(days=1),
                    )
                else:
                    crowds.append((1.0, -1, {(had - camp.first_day).days: 1}, entry.regimen))
                    continue
                lag = camp.protected_after_days if scope == "full" else 0
                counted += done + timedelta(days=lag) <= on

    names = {}
    rows: list[tuple[dict[int, float], float]] = []
    reward: dict[int, float] = {}

    def variable(*key: Any) -> int:
        return names.setdefault(key, len(names))

    by_unit: dict[tuple[str, int, int], list[int]] = {}
    uses: dict[str, list[tuple[int, int]]] = {name: [] for name in scenario.vaccines}
    for c, (size, turn, had_before, of) in enumerate(crowds):
        firsts: list[int] = []
        for r, regimen in scenario.regimens.items():
            given: list[tuple[int, int]] = []
            taken: list[tuple[int, int]] = []
            for d, today in enumerate(dates):
                begun = [
                    n
                    for n, other in scenario.regimens.items()
                    if other.first == regimen.first and other.begins_on(today)
                ]
                for u, place in scenario.units.items():
                    if today < camp.vaccination_from or not place.is_open(today):
                        continue
                    if had_before is None and d >= turn and begun and begun[0] == r:
                        x = variable(c, r, d, u, 1)
                        given.append((d, x))
                        by_unit.setdefault((u, d, 1), []).append(x)
                        uses[regimen.first].append((d, x))
                        if not seconds or regimen.second is None:
                            reward[x] = -1.0
                    if seconds and regimen.second is not None and of in ("", r):
                        y = variable(c, r, d, u, 2)
                        taken.append((d, y))
                        by_unit.setdefault((u, d, 2), []).append(y)
                        uses[regimen.second].append((d, y))
                        reward[y] = -1.0
            firsts += [x for _, x in given]
            for d in range(len(dates)):
                old = [x for e, x in given if e <= d - regimen.min_days]
                due = [n for e, n in (had_before or {}).items() if e <= d - regimen.min_days]
                now = [y for e, y in taken if e <= d]
                if now:
                    rows.append(({**dict.fromkeys(now, 1.0), **dict.fromkeys(old, -1.0)}, sum(due)))
        if firsts:
            rows.append((dict.fromkeys(firsts, 1.0), size))
    slots = slots_by_day(scenario)
    share = scenario.appointments.second_dose_slots
    most_from_a_dose = max(
        1 + v.extra_doses_per_vial / v.doses_per_vial for v in scenario.vaccines.values()
    )
    for number, (u, place) in enumerate(scenario.units.items()):
        for d in range(len(dates)):
            first = by_unit.get((u, d, 1), [])
            second = by_unit.get((u, d, 2), [])
            kept = slots[number, d] if share is None else math.floor(slots[number, d] * share)
            walk_ins = place.walk_ins_per_day
            rows.append((dict.fromkeys(first + second, 1.0), slots[number, d] + walk_ins))
            rows.append((dict.fromkeys(second, 1.0), kept))
            if share is not None:
                rows.append((dict.fromkeys(first, 1.0), slots[number, d] - kept + walk_ins))
            if place.refrigerator_doses is not None:
                cold = place.refrigerator_doses * most_from_a_dose
                rows.append((dict.fromkeys(first + second, 1.0), cold))
    for name, vaccine in scenario.vaccines.items():
        coming = []
        for parcel in scenario.deliveries.values():
            if parcel.vaccine == name:
                vials = math.floor(
                    parcel.doses * parcel.fraction_delivered.mean() / vaccine.doses_per_vial + 1e-9
                )
                vials -= math.floor(vials * vaccine.storage_loss + 1e-9)
                arrives = parcel.arrives + timedelta(
                    days=math.floor(parcel.delay_days.mean() + 0.5)
                )
                while WEEKDAYS[arrives.weekday()] not in scenario.supply.shipment_days:
                    arrives += timedelta(days=1)
                coming.append(((arrives - camp.first_day).days, vials))
        per_vial = vaccine.doses_per_vial + vaccine.extra_doses_per_vial
        shared: list[int] = []  # people who share each vial of the sessions so far
        for d in range(len(dates)):
            vials = sum(n for e, n in coming if e <= d)
            for number, place in enumerate(scenario.units.values()):
                people = slots[number, d] if vials else 0
                is_open = place.is_open(dates[d]) and dates[d] >= camp.vaccination_from
                if vials and is_open and place.walk_ins_per_day:
                    people = 10_000  # chance may bring more than the mean
                if place.refrigerator_doses is not None:
                    people = min(people, math.floor(place.refrigerator_doses * most_from_a_dose))
                shared += [per_vial] * (people // per_vial)
                shared += [people % per_vial] if people % per_vial else []
            shared.sort(reverse=True)
            used = [x for e, x in uses[name] if e <= d]
            rows.append((dict.fromkeys(used, 1.0), vials * per_vial))
            if vials <= len(shared):
                rows.append((dict.fromkeys(used, 1.0), sum(shared[:vials])))
    if not names:
        return counted
    at = [(i, column, v) for i, (terms, _) in enumerate(rows) for column, v in terms.items()]
    table = coo_array(
        ([v for _, _, v in at], ([i for i, _, _ in at], [column for _, column, _ in at])),
        shape=(len(rows), len(names)),
    )
    target = np.array([reward.get(x, 0.0) for x in range(len(names))])
    found = linprog(target, A_ub=table.tocsc(), b_ub=[bound for _, bound in rows], method="highs")
    assert found.success
    return counted - found.fun


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from(SCOPES), st.booleans())
def test_adding_up_units_and_groups_loses_nothing(
    seed: int, scope: Scope, to_the_end: bool
) -> None:
    scenario = random_campaign(seed)
    on = last_days(scenario)[to_the_end]
    assert most_by(scenario, scope, on) == math.floor(one_by_one(scenario, scope, on) + 1e-6)


@settings(max_examples=150, deadline=None)
@given(seeds)
def test_program_is_never_above_the_closed_form(seed: int) -> None:
    scenario = random_campaign(seed)
    limits = limits_of(scenario)
    for scope in SCOPES:
        bound = feasibility.closed_form(limits, scope)
        for on in last_days(scenario):
            number = (on - FIRST_DAY).days
            assert most_by(scenario, scope, on) <= bound[number] + 1e-6
            one_vaccine = len(scenario.vaccines) == 1
            if scope == "first" and one_vaccine and limits.begins.any(axis=0).all():
                # nothing competes: the recursion is exact
                assert most_by(scenario, scope, on) == math.floor(bound[number] + 1e-6)


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_curve_has_the_most_of_every_day(seed: int) -> None:
    scenario = random_campaign(seed)
    for scope in SCOPES:
        for when, most in curve(scenario, scope).items():
            assert most == most_by(scenario, scope, when.date())


def whole_numbered(
    slots: list[int], arriving: list[int], people: int, interval: int
) -> Iterator[int]:
    """Most people with two doses by each day, over all campaigns in whole persons.

    State: doses left, people without a dose, those who wait by the day of their first dose.
    """
    states = {(0, people, (), 0)}
    for today, coming in enumerate(arriving):
        following = set()
        for stock, without, waiting, done in states:
            stock += coming
            ready = sum(n for since, n in waiting if since <= today - interval)
            for second in range(min(ready, stock, slots[today]) + 1):
                left, rest = second, []
                for since, n in waiting:
                    off = min(n, left) if since <= today - interval else 0
                    left -= off
                    if n > off:
                        rest.append((since, n - off))
                most = min(without, stock - second, slots[today] - second)
                for first in range(most + 1):
                    now = (*rest, (today, first)) if first and interval else tuple(rest)
                    following.add((stock - second - first, without - first, now, done + second))
        states = following
        yield max(done for *_, done in states)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=5, max_size=6),
    st.lists(st.integers(0, 4), min_size=6, max_size=6),
    st.integers(1, 6),
    st.integers(1, 4),
)
def test_no_campaign_in_whole_persons_is_above_the_ceiling_and_the_best_is_next_to_it(
    slots: list[int], arriving: list[int], people: int, interval: int
) -> None:
    # a unit for each day, so that every day has its own number of slots
    days = [day(d) for d in range(20)]
    scenario = campaign(
        groups={"all": advance_group(people)},
        regimens={"r": {"first": "az", "second": "az", "min_days": interval, "target_days": 9}},
        deliveries={f"d{d}": delivery(n, d) for d, n in enumerate(arriving[: len(slots)])},
        units={
            f"u{d}": unit(n, closed_dates=[other for other in days if other != day(d)])
            for d, n in enumerate(slots)
        },
    )
    best = whole_numbered(slots, arriving[: len(slots)], people, interval)
    for number, most in enumerate(best):
        # two doses a person: the program may end on half a person, never on one more
        assert most == most_by(scenario, "full", day(number))


def from_vials(sessions: list[list[int]], vials: int, per_vial: int) -> int:
    """Most doses given on days with such sessions, over all ways to send people to them."""
    given = {vials: 0}
    for session in (people for today in sessions for people in today):
        following = dict(given)
        for left, doses in given.items():
            for people in range(1, session + 1):
                rest = left - math.ceil(people / per_vial)
                if rest >= 0:
                    following[rest] = max(following.get(rest, 0), doses + people)
        given = following
    return max(given.values())


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), min_size=3, max_size=4),
    st.integers(0, 12),
    st.integers(1, 6),
)
def test_vials_that_sessions_cannot_use_up_are_counted_as_the_best_campaign_uses_them(
    sessions: list[list[int]], vials: int, per_vial: int
) -> None:
    # all vials are there from the first day, so that the best order of the days is open
    days = [day(d) for d in range(20)]
    scenario = campaign(
        {"vaccines": {"az": {"doses_per_vial": per_vial}}},
        groups={"all": advance_group(500)},
        deliveries={"only": delivery(vials * per_vial)},
        units={
            f"u{d}_{n}": unit(people, closed_dates=[other for other in days if other != day(d)])
            for d, today in enumerate(sessions)
            for n, people in enumerate(today)
        },
    )
    assert most_by(scenario, "first", day(19)) == from_vials(sessions, vials, per_vial)


def small_sessions(slots: int = 7) -> Scenario:
    """Ten vials of ten doses, and ten days with a session of 4 people and one of more."""
    return campaign(
        {"vaccines": {"az": {"doses_per_vial": 10}}},
        groups={"all": advance_group(500)},
        deliveries={"only": delivery(100)},
        units={"few": unit(4), "more": unit(slots)},
    )


def test_small_sessions_leave_doses_in_vials() -> None:
    # 7 people from each of the ten vials; with 8 slots 8 of them, with 14 the vials are used up
    assert most_by(small_sessions(), "first", day(9)) == 70
    assert most_by(small_sessions(8), "first", day(9)) == 80
    assert most_by(small_sessions(14), "first", day(9)) == 100
    assert most_by(small_sessions(), "first", day(3)) == 44  # eight vials: the slots bind


def test_where_vials_are_not_used_up_a_slot_is_worth_a_person_and_a_dose_less() -> None:
    found = valued(small_sessions(), "first", day(9))
    # an eighth person at one of the ten sessions of seven; a tenth of a vial for the four of
    # another session
    assert found["slots"].worth == 1
    assert (found["slots"].first, found["slots"].last) == (day(0), day(9))
    assert found["doses"].worth == pytest.approx(0.4)
    one_vial_more = changed(small_sessions(), deliveries={"only": {"doses": 110}})
    assert most_by(one_vial_more, "first", day(9)) == 74


# What one more unit is worth ------------------------------------------------------------------


def changed(scenario: Scenario, **tables: Any) -> Scenario:
    """The scenario with some tables laid over its own."""
    from sim.scenario import merge

    return Scenario.model_validate(merge(copy.deepcopy(scenario.model_dump()), tables))


def simple_campaign(numbers: np.random.Generator) -> Scenario:
    """Several groups, deliveries and units, nothing left to chance, one dose a vial."""
    weekdays = [name for name in WEEKDAYS if numbers.random() < 0.7] or ["fri"]
    return campaign(
        groups={
            f"g{i}": advance_group(int(numbers.integers(20, 80)), int(numbers.integers(0, 12)))
            for i in range(3)
        },
        deliveries={
            f"d{i}": delivery(int(numbers.integers(5, 60)), int(numbers.integers(1, 12)))
            for i in range(3)
        },
        units={
            "one": unit(int(numbers.integers(1, 8)), open_days=weekdays),
            "two": unit(int(numbers.integers(1, 8))),
        },
    )


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_worth_is_what_one_more_unit_brings(seed: int) -> None:
    # each unit added to the scenario itself, and the ceiling calculated afresh
    scenario = simple_campaign(np.random.default_rng(seed))
    on, base = day(15), most_by(scenario, "first", day(15))
    worth: dict[tuple[str, str], float] = {}
    for binding in bindings(scenario, "first", on):
        for name in binding.what or [""]:
            worth[binding.kind, name] = binding.worth
            if binding.kind == "slots":
                for number in range((binding.last - binding.first).days + 1):
                    worth["slots", str(binding.first + timedelta(days=number))] = binding.worth

    def gain(**tables: Any) -> int:
        return most_by(changed(scenario, **tables), "first", on) - base

    for name, parcel in scenario.deliveries.items():
        one_more = gain(deliveries={name: {"doses": parcel.doses + 1}})
        assert one_more == worth.get(("doses", name), 0)
        sooner = gain(deliveries={name: {"arrives": parcel.arrives - timedelta(days=1)}})
        assert sooner == worth.get(("arrivals", name), 0)
    for name, group in scenario.groups.items():
        assert gain(groups={name: {"people": group.people + 1}}) == worth.get(("people", name), 0)
        sooner = gain(groups={name: {"turn_from": group.turn_from - timedelta(days=1)}})
        assert sooner == worth.get(("turns", name), 0)
    for number in range(16):
        shut = [day(other) for other in range(20) if other != number]
        extra = {"extra": unit(1, closed_dates=shut)}
        whole = {**scenario.model_dump()["units"], **extra}
        one_more = (
            most_by(Scenario.model_validate({**scenario.model_dump(), "units": whole}), "first", on)
            - base
        )
        assert one_more == worth.get(("slots", str(day(number))), 0)


# Against the simulation -----------------------------------------------------------------------


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_no_simulated_campaign_is_above_its_ceiling(path: Path) -> None:
    # the closed form is asserted in every replication; here the program itself
    scenario = load_scenario(path)
    tables = run(scenario)
    check_conservation(tables, scenario)
    limits = limits_in(scenario, tables, slots_by_day(scenario))
    for scope in SCOPES:
        simulated = cumulative(tables["daily"], scenario, scope, None)
        most = feasibility.curve_within(limits, scope)
        assert (simulated <= most).all()


def test_full_vaccinations_above_the_ceiling_are_named() -> None:
    # Ten people vaccinated twice, five days apart, held against a campaign with an interval of 8.
    scenario = campaign({"campaign": {"horizon": day(12)}}, deliveries={"only": delivery(20)})
    tables = run(scenario)
    check_conservation(tables, scenario)
    slower = campaign(
        {
            "campaign": {"horizon": day(12)},
            "regimens": {"az_az": {"min_days": 8, "target_days": 8}},
        },
        deliveries={"only": delivery(20)},
    )
    with pytest.raises(
        AuditError, match=r"ceiling \(fully vaccinated\), date .*: expected at most"
    ):
        check_conservation(tables, slower)


def test_vials_of_any_size_take_no_longer() -> None:
    # 519,000 doses do not fill one vial of a billion: nothing comes, and that is known at once
    began = time.process_time()
    plan = next(path for path in SCENARIOS if path.stem == "plan")
    world = load_scenario(plan, ["vaccines.astrazeneca.doses_per_vial=1000000000"])
    assert feasibility.ceiling_of(world).first_by_deadline == 0
    assert time.process_time() - began < 30
