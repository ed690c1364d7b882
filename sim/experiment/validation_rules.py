"""Cases of `vaxsim validate` about single rules of a day in the call centre and in a unit.

They are small, so that both engines go through the whole day in the quick set, too; and little in
them is left to chance: most exact values are counted by hand. What happens first at one instant,
when a shift ends, at closing, and when the last dose goes, is decided in them.
"""

from __future__ import annotations

from collections.abc import Iterator

from sim.experiment.validation import Case, Quantity, Tables
from sim.experiment.validation_quantities import (
    blocked,
    centre,
    per_person,
    service,
    station_wait,
    summary,
    total,
)
from sim.queueing_theory import erlang_b


def rule_cases() -> Iterator[Case]:
    """All of them."""
    yield from _call_centre_cases()
    yield from _unit_cases()


# The call centre --------------------------------------------------------------------------------


def _of_calls(name: str, exact: float, column: str, **where: object) -> Quantity:
    return total(name, exact, "call_centre", column, **where)


def _shifts(*shifts: tuple[str, str, int], of: str = "shifts", pool: str = "desk") -> str:
    rows = ", ".join(f"{{start='{a}', end='{b}', staff={n}}}" for a, b, n in shifts)
    return f"call_centre.pools.{pool}.{of}=[{rows}]"


def _migrants(people: int) -> str:
    """Override: as many who call in another language."""
    return (
        f"groups.migrants={{people={people}, language='burmese', turn_from=2021-06-01, "
        "willing=1.0, books_when_answered=0.0, "
        "first_calls=[{opens=2021-06-01, share=1.0, mean_days=0.01}]}"
    )


def _call_centre_cases() -> Iterator[Case]:
    # 60 agents come at 1:00 and take the 60 who have waited longest; at 1:10 they take the others.
    # They have gone when the first 60 call again at 1:50, the others at 2:00. 30 agents come at
    # 3:00, before the patience of the first 60 ends at that instant; the calls that end at 3:10
    # free their agents before the patience of the second 60 ends; at 3:15 all go off duty.
    by_hour = (
        _of_calls("calls at 1:50", 60, "offered", hour=1),
        _of_calls("calls at 2:00", 60, "offered", hour=2),
        _of_calls("answered, of the calls at 1:50", 30, "answered", hour=1),
        _of_calls("answered, of the calls at 2:00", 30, "answered", hour=2),
        _of_calls("answered in time (just)", 180, "within_target"),
        _of_calls("abandoned", 60, "abandoned"),
        _of_calls("busy signals", 0, "blocked"),
        _of_calls("wait of the calls at 1:50 (min)", 60 * 70, "wait_all", hour=1),
        _of_calls("wait of the calls at 2:00 (min)", 60 * 70, "wait_all", hour=2),
        total("agents' time on calls (min)", 1_800, "agents", "busy"),
        total("agents' time on duty (min)", 60 * 30 + 30 * 15, "agents", "on_duty"),
        total("callers who never got through", 0, "callers", "gave_up"),
    )
    yield Case(
        "clockwork", "agents who come on duty take those who wait; ties at full minutes", "by hand",
        "clockwork.toml", 2, by_hour,
    )  # fmt: skip
    after_call_work = (
        "call_centre.booking_call_minutes=6.0", "call_centre.booking_wrap_up_minutes=4.0",
        "call_centre.reconnect_delay_minutes=44.0",
    )  # fmt: skip
    yield Case(
        "clockwork_wrap_up", "the same: 6 minutes of talk and 4 of after-call work", "by hand",
        "clockwork.toml", 2, by_hour,
        after_call_work,
    )  # fmt: skip
    yield Case(
        "clockwork_closing", "the same: closing at 3:10, as calls and patience end", "by hand",
        "clockwork.toml", 2,
        (
            _of_calls("answered", 180, "answered"),
            _of_calls("abandoned", 60, "abandoned"),
            _of_calls("cut off", 0, "cut_off"),
            total("agents' time on calls after closing (min)", 300, "agents", "overtime"),
        ),
        ("call_centre.closes=03:10", "call_centre.at_closing='cut_off'"),
    )  # fmt: skip
    yield Case(
        "clockwork_early", "the same with 110 lines: closing at 2:00, when 50 would call again",
        "by hand", "clockwork.toml", 2,
        (
            _of_calls("calls", 180, "offered"),
            _of_calls("busy signals", 10, "blocked"),
            _of_calls("cut off", 60, "cut_off"),
            _of_calls("wait of those cut off (min)", 60 * 10, "wait_all", hour=1),
            total("callers who never got through", 10, "callers", "gave_up"),
            total("callers who call another day", 0, "callers", "carried"),
        ),
        ("call_centre.closes=02:00", "call_centre.lines=110", "call_centre.at_closing='cut_off'"),
    )  # fmt: skip
    # 10 agents come at 1:50, before the calls of that instant: 10 of these need not wait. They take
    # 10 more as their work ends at 2:00, and go, before the calls of that instant.
    yield Case(
        "clockwork_arrivals", "the same: a short shift that begins and ends as people call",
        "by hand", "clockwork.toml", 2,
        (
            _of_calls("calls at 1:50 that wait", 50, "delayed", hour=1),
            _of_calls("answered, of the calls at 1:50", 20, "answered", hour=1),
            _of_calls("answered, of the calls at 2:00", 0, "answered", hour=2),
            _of_calls("abandoned", 100, "abandoned"),
        ),
        (_shifts(("01:00", "01:30", 60), ("01:50", "02:00", 10)), *after_call_work),
    )  # fmt: skip
    # All wait at 1:00. 7 of 10 agents begin calls from 1:00 to 5:00 (when a call's end comes before
    # the end of the shift), every 8 minutes; 3 finish theirs at 2:04 and begin at 3:00 again.
    always = [60 + 8 * k for k in range(31)]
    with_break = [60 + 8 * k for k in range(8)] + [180 + 8 * k for k in range(16)]
    answered = 7 * len(always) + 3 * len(with_break)
    yield Case(
        "agents_break", "10 agents, calls of 8 minutes, 3 have a break from 2:00 to 3:00",
        "by hand: 289 calls begin until 5:00", "clockwork.toml", 2,
        (
            _of_calls("answered", answered, "answered"),
            _of_calls("cut off", 300 - answered, "cut_off"),
            _of_calls("waited in the queue", 300, "delayed"),
            total("agents' time on calls until closing (min)", 8 * answered - 40, "agents", "busy"),
            total("agents' time on calls after closing (min)", 40, "agents", "overtime"),
            total("agents' time on duty (min)", 10 * 240 - 3 * 60, "agents", "on_duty"),
        ),
        ("groups.people.people=300", "call_centre.lines=300", "call_centre.closes=05:04",
         "call_centre.at_closing='cut_off'", "call_centre.reconnect_probability=0.0",
         "call_centre.patience_minutes=1e4", "call_centre.booking_call_minutes=8.0",
         _shifts(("01:00", "05:00", 10)), _shifts(("02:00", "03:00", 3), of="breaks")),
    )  # fmt: skip
    # About 200 call for the first time after 2:00, in two languages. They are in the queue before
    # those who call again at 3:30; 245 agents take all of them at 4:00, and some of the others.
    yield Case(
        "again_in_line", "of 400 who wait 245 are taken: first calls came before repeated ones",
        "by hand", "clockwork.toml", 2,
        (
            _of_calls("cut off, of the first calls after 2:00", 0, "cut_off", hour=2),
            _of_calls("cut off, of the calls at 3:30", 400 - 245, "cut_off", hour=3),
        ),
        ("groups.people.people=200", _migrants(200), "call_centre.lines=400",
         "call_centre.patience_minutes=1e4", "call_centre.closes=06:00",
         "call_centre.reconnect_delay_minutes=140.0", "call_centre.at_closing='cut_off'",
         "call_centre.pools.desk.languages=['thai', 'burmese']",
         f"call_centre.call_times={[1.0, 0.0, 1.0] + [0.0] * 21}",
         _shifts(("01:00", "02:00", 400), ("04:00", "04:05", 245))),
    )  # fmt: skip
    # Half of 2,000 callers are taken at 1:00: if first come first served, those who called first,
    # k / 2001 hours after 0:00 on average for the k-th, in whatever language.
    yield Case(
        "first_come", "of 2,000 who wait, in two languages, 1,000 agents take half",
        "order statistics", "clockwork.toml", 60,
        (
            _of_calls("answered", 1_000, "answered"),
            Quantity("mean wait of those answered (min)", 60 - 60 * (1_001 / 2) / 2_001,
                     _wait_of_answered),
            Quantity("of the language of half of them", 0.5, _share_of_burmese),
        ),
        ("groups.people.people=1_000", "call_centre.lines=2_000",
         _migrants(1_000),
         "call_centre.reconnect_probability=0.0", "call_centre.at_closing='cut_off'",
         "call_centre.pools.desk.languages=['thai', 'burmese']",
         _shifts(("01:00", "01:05", 1_000))),
    )  # fmt: skip
    first, both = erlang_b(12, 10), erlang_b(12, 18)
    yield Case(
        "ordered_pools", "two pools of one language: 10 agents, then 8; 12 erlangs, nobody waits",
        "Erlang B: what the first ones lose goes to the others", "erlang_b.toml", 32,
        (
            blocked(both),
            Quantity("answered by the first pool", (1 - first) / (1 - both), _by_the_desk),
        ),
        (*centre(12, 10), "call_centre.lines=18",
         "call_centre.pools.second={languages=['thai'], agents=8}"),
    )  # fmt: skip
    patience = "{distribution='empirical', values=[0.0, 10000.0], weights=[1.0, 1.0]}"
    yield Case(
        "keeps_patience", "half wait for ever, half not at all: these try three times", "binomial",
        "hopeless.toml", 20,
        (
            per_person("attempts per person", "calls_offered", 0.5 * 3 + 0.5),
            per_person("gave up for good", "persons_gave_up", 0.5, True),
        ),
        ("groups.people.people=40_000", "call_centre.keeps_patience=true",
         f"call_centre.patience_minutes={patience}", "call_centre.redial_probability=1.0",
         "call_centre.attempts_in_all=3", "call_centre.at_closing='cut_off'"),
    )  # fmt: skip
    callers, days = 100, ("campaign.horizon=2021-06-04", "call_centre.last_day=2021-06-04")
    for name, queue, attempts, changes in (
        ("attempts_per_day", "5 attempts, at most 2 a day, nobody answers", (2, 2, 1, 0),
         ("attempts_per_day=2", "attempts_in_all=5")),
        ("redial_tomorrow", "3 attempts, the next one 25 hours after each", (1, 1, 1, 0),
         ("redial_delay_minutes=1_500.0", "attempts_in_all=3")),
        ("cut_off_twice", "2 attempts, cut off at closing", (1, 1, 0, 0),
         ("patience_minutes=1e4", "at_closing='cut_off'", "attempts_in_all=2")),
    ):  # fmt: skip
        yield Case(
            name, queue, "by hand", "hopeless.toml", 2,
            (
                *(
                    total(f"attempts on day {day}", callers * number, "callers", "attempts",
                          date=f"2021-06-0{day}")
                    for day, number in enumerate(attempts, 1)
                ),
                total("gave up for good", callers, "callers", "gave_up"),
                total("put off until another day", callers * (sum(map(bool, attempts)) - 1),
                      "callers", "carried"),
            ),
            (f"groups.people.people={callers}", "groups.people.willing=1.0", *days,
             "call_centre.redial_probability=1.0", *(f"call_centre.{each}" for each in changes)),
        )  # fmt: skip
    yield Case(
        "redials_overnight", "one attempt a day, the next with probability 1/2, nobody answers",
        "geometric series", "hopeless.toml", 12,
        (
            per_person("attempts of 4 days per person", "calls_offered", 2 * (1 - 0.5**4)),
            per_person("gave up for good", "persons_gave_up", 1 - 0.5**4, True),
        ),
        ("groups.people.people=20_000", *days, "call_centre.redial_probability=0.5",
         "call_centre.attempts_per_day=1", "call_centre.attempts_in_all=1000"),
    )  # fmt: skip
    yield Case(
        "after_closing", "an hour's calls, nobody answers: they give up after closing", "by hand",
        "clockwork.toml", 2,
        (
            _of_calls("abandoned", 120, "abandoned"),
            _of_calls("wait of all (min)", 120 * 70, "wait_all"),
        ),
        ("call_centre.closes=01:00", "call_centre.pools.desk.shifts=[]"),
    )  # fmt: skip


def _wait_of_answered(tables: Tables) -> float:
    sums = tables["call_centre"][["wait_answered", "answered"]].sum()
    return float(sums["wait_answered"] / sums["answered"])


def _share_of_burmese(tables: Tables) -> float:
    answered = tables["call_centre"].groupby("language", observed=True)["answered"].sum()
    return float(answered["burmese"] / answered.sum())


def _by_the_desk(tables: Tables) -> float:
    answered = tables["agents"].groupby("pool", observed=True)["answered"].sum()
    return float(answered["desk"] / answered.sum())


# Units ------------------------------------------------------------------------------------------

ONE_BY_ONE = "appointments.block_minutes=0"
"""48 patients, one every 10 minutes from 8:00 on."""
ALL_AT_ONCE = "appointments.block_minutes=480"
"""All at 8:00."""
STATION = "unit_types.clinic.stations.vaccination"
_OBSERVATION = "unit_types.clinic.stations.observation={{kind='observation', {}}}"


def _visits(name: str, exact: float, column: str, **where: object) -> Quantity:
    return total(name, exact, "daily", column, **where)


def _unit_cases() -> Iterator[Case]:
    # Who is in hand when the break begins is served until 12:00; the others start an hour late.
    yield _by_hand(
        "staff_break", "a patient every 10 minutes, 10 minutes each; a break from 11:55 to 13:00",
        station_wait(24 * 60 / 48, 1.0, "min"),
        summary("longest queue", "station_vaccination_max_queue", 6.0),
        summary("last exit after closing (min)", "latest_exit_minutes", 60.0),
        total("staff time on duty (min)", 480 - 65, "stations", "on_duty"),
        changes=(ONE_BY_ONE, f"{STATION}.breaks=[{{start='11:55', end='13:00', staff=1}}]"),
    )  # fmt: skip
    starts = (*range(0, 120, 10), *(3 * [*range(120, 240, 10)]), *(2 * [*range(300, 360, 10)]))
    yield _by_hand(
        "staff_shifts", "60 come at 8:00; 1 works from 8 to 10, 3 to 12, nobody to 13, then 2",
        station_wait(sum(starts) / 60, 1.0, "min"),
        summary("longest queue", "station_vaccination_max_queue", 59.0),
        total("most inside", 60, "sessions", "max_inside"),
        summary("last exit after closing (min)", "latest_exit_minutes", -120.0),
        changes=(
            ALL_AT_ONCE, "groups.people.people=60", "unit_types.clinic.slots_per_day=60",
            f"{STATION}.shifts=[{{start='08:00', end='10:00', staff=1}}, "
            "{start='10:00', end='12:00', staff=3}, {start='13:00', end='16:00', staff=2}]",
        ),
    )  # fmt: skip
    yield _by_hand(
        "patience_to_the_minute", "six patients an hour, 10 minutes each, patience 30 minutes",
        station_wait((0 + 10 + 20 + 30 + 30 + 30) / 6, 1.0, "min"),
        _visits("left waiting", 16, "left"),
        _visits("vaccinated", 32, "administered"),
        changes=("appointments.waiting_tolerance_minutes=30.0",),
    )  # fmt: skip
    yield _by_hand(
        "closed", "everybody comes an hour late; who comes at closing time is not admitted",
        _visits("came after closing", 6, "closed"),
        _visits("vaccinated", 42, "administered"),
        changes=(ONE_BY_ONE, "appointments.punctuality_minutes=60.0"),
    )  # fmt: skip
    yield _by_hand(
        "late_at_the_second", "20 minutes of registration; nobody is vaccinated from closing on",
        _visits("not served in time", 2, "late"),
        _visits("vaccinated", 46, "administered"),
        changes=(
            ONE_BY_ONE,
            "unit_types.clinic.stations={registration={staff=100, minutes=20.0}, "
            "vaccination={overtime_minutes=0.0}}",
        ),
    )  # fmt: skip
    yield _by_hand(
        "left_or_late", "the first takes ten hours; the others wait an hour, at most until closing",
        _visits("left waiting", 41, "left"),
        _visits("not served in time", 6, "late"),
        _visits("vaccinated", 1, "administered"),
        changes=(
            ONE_BY_ONE, service("600.0"), f"{STATION}.overtime_minutes=0.0",
            "appointments.waiting_tolerance_minutes=60.0",
        ),
    )  # fmt: skip
    yield _by_hand(
        "vial_life", "vials of ten that live 30 minutes, a patient every 10 minutes",
        total("doses wasted", 16 * 7, "stock", "wasted"),
        changes=(ONE_BY_ONE, "vaccines.vaccine.open_vial_hours=0.5"),
    )  # fmt: skip
    later = (
        "groups.others={people=24, language='thai', turn_from=2021-06-01, willing=1.0, "
        "booked_in_advance=true}"
    )
    yield _by_hand(
        "last_dose", "48 come at 8:00, 30 doses: the others leave when the next would start",
        station_wait((sum(range(0, 300, 10)) + 18 * 300) / 48, 1.0, "min"),
        _visits("found no dose", 18, "no_dose"),
        _visits("vaccinated of the first group", 24, "administered", group="people"),
        _visits("vaccinated of the second group", 6, "administered", group="others"),
        changes=(ALL_AT_ONCE, "groups.people.people=24", later, "deliveries.plenty.doses=30"),
    )  # fmt: skip
    yield _by_hand(
        "second_choice", "30 doses of one vaccine and 30 of another for 48 people",
        total("given of the first", 30, "stock", "administered", vaccine="vaccine"),
        total("given of the second", 18, "stock", "administered", vaccine="other"),
        total("wasted of the second", 2, "stock", "wasted", vaccine="other"),
        changes=(
            "vaccines.other={doses_per_vial=10, open_vial_hours=24.0}",
            "regimens.other={first='other'}", "deliveries.plenty.doses=30",
            "deliveries.more={vaccine='other', arrives=2021-05-31, doses=30}",
        ),
    )  # fmt: skip
    # Jabs end at 10, 20, ... minutes; the seat is reached 5 later, and free at 40, 50, ...
    yield _by_hand(
        "seats", "a jab every 10 minutes, 5 minutes' walk, one seat for 30 minutes after the jab",
        station_wait(15 * 47 / 48, 1.0, "min", "observation"),
        total("seat taken (min)", 25 + 47 * 10, "stations", "busy", station="observation"),
        summary("mean time inside (min)", "mean_minutes_in_unit", 40.0),
        changes=(ONE_BY_ONE, _OBSERVATION.format("staff=1, minutes=30.0, walk_minutes=5.0")),
    )  # fmt: skip
    yield _by_hand(
        "seats_too_late", "12 minutes of observation are over after a walk of 15",
        summary("mean time inside (min)", "mean_minutes_in_unit", 10.0 + 15.0),
        total("seats taken (min)", 0, "stations", "busy", station="observation"),
        changes=(ONE_BY_ONE, _OBSERVATION.format("staff=9, minutes=12.0, walk_minutes=15.0")),
    )  # fmt: skip
    # The last one's patience ends at 17:00, when no stay may begin any more: that is decided first,
    # and makes no difference to the wait.
    yield _by_hand(
        "seats_left", "one seat is taken all day; the others leave it after an hour, vaccinated",
        station_wait(60 * 47 / 48, 1.0, "min", "observation"),
        _visits("vaccinated", 48, "administered"),
        _visits("left before the jab", 0, "left"),
        changes=(
            ONE_BY_ONE, _OBSERVATION.format("staff=1, minutes=600.0"),
            "appointments.waiting_tolerance_minutes=60.0",
        ),
    )  # fmt: skip


def _by_hand(name: str, queue: str, *quantities: Quantity, changes: tuple[str, ...]) -> Case:
    return Case(name, queue, "by hand", "blocks.toml", 2, quantities, changes)
