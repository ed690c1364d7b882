"""Who gets an appointment, where and when: by hand, and against a plain slow implementation.

The book jumps over full days with path halving and keeps the first day on which a dose can be
promised. The slow one below only looks at every unit and every day, as the rule is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from campaigns import BASE, campaign, day, unit
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.model.appointment_book import UNLIMITED, AppointmentBook, Bookings
from sim.model.population import HeldBy
from sim.scenario import Scenario

FREE, NO_DOSE, NO_SLOT = int(HeldBy.NOTHING), int(HeldBy.NO_DOSE), int(HeldBy.NO_SLOT)


def book_scenario(
    districts: list[int], tolerance: int = 3, deadline: int = 9, vaccines: int = 1
) -> Scenario:
    """Units in these districts; the rest does not matter here."""
    names = [f"district_{d}" for d in range(max(districts) + 1)]
    return campaign(
        {
            "campaign": {"deadline": day(deadline), "horizon": day(max(deadline, 19))},
            "appointments": {"home_unit_tolerance_days": tolerance},
        },
        districts={name: float(i == districts[0]) for i, name in enumerate(names)},
        units={f"unit_{i}": unit(district=names[d]) for i, d in enumerate(districts)},
        vaccines={
            "az": BASE["vaccines"]["az"],
            **{f"other_{v}": BASE["vaccines"]["az"] for v in range(1, vaccines)},
        },
    )


@dataclass
class Ledger:
    """What a pass starts from. Rows of `doses` are the doses left up to each day."""

    slots: list[list[int]]
    districts: list[int]
    doses: list[list[int]]
    tolerance: int = 3
    deadline: int = 9
    choices: list[list[int]] | None = None
    reserve: tuple[list[int], list[int]] | None = None
    second_share: float | None = None
    taken: AppointmentBook = field(init=False)

    def __post_init__(self) -> None:
        scenario = book_scenario(self.districts, self.tolerance, self.deadline, len(self.doses))
        own = scenario.appointments.model_copy(update={"second_dose_slots": self.second_share})
        scenario = scenario.model_copy(update={"appointments": own})
        self.taken = AppointmentBook(scenario, np.array(self.slots))

    @property
    def days(self) -> int:
        return len(self.slots[0])

    def first_choices(self) -> np.ndarray:
        if self.choices is None:
            order = list(range(len(self.doses)))
            return np.tile(np.array(order, dtype=np.int64), (self.days, 1))
        return np.array(self.choices, dtype=np.int64)

    def reserves(self) -> tuple[np.ndarray, np.ndarray]:
        vaccine, after = self.reserve or ([-1] * len(self.doses), [0] * len(self.doses))
        return np.array(vaccine, dtype=np.int64), np.array(after, dtype=np.int64)

    def book(self, *people: tuple[int, int, int, int], just_look: bool = False) -> Bookings:
        """One pass; people are (home, earliest, latest, wanted vaccine or -1)."""
        columns = np.array(people, dtype=np.int64).reshape(-1, 4).T
        return self.taken.book(
            *columns, self.first_choices(), np.array(self.doses), self.reserves(), just_look
        )


def appointments(bookings: Bookings) -> list[tuple[int, int] | None]:
    """(unit, day) of each candidate."""
    return [
        (int(u), int(d)) if d >= 0 else None
        for u, d in zip(bookings.unit, bookings.day, strict=True)
    ]


def plenty(days: int = 8) -> list[int]:
    return [1000] * days


# By hand --------------------------------------------------------------------------------------


def test_the_earliest_day_at_the_home_unit() -> None:
    ledger = Ledger([[0, 0, 1, 5, 5, 5, 5, 5]], [0], [plenty()])
    bookings = ledger.book((0, 1, 7, -1), (0, 1, 7, -1))
    assert appointments(bookings) == [(0, 2), (0, 3)]
    assert bookings.held_by.tolist() == [FREE, FREE]


def test_home_unit_is_preferred_up_to_the_tolerance() -> None:
    # Unit 1 (same district) has day 1; home has day 1 + 3.
    slots = [[0, 0, 0, 0, 9, 9, 9, 9], [0, 9, 9, 9, 9, 9, 9, 9]]
    assert appointments(Ledger(slots, [0, 0], [plenty()], 3).book((0, 1, 7, -1))) == [(0, 4)]
    assert appointments(Ledger(slots, [0, 0], [plenty()], 2).book((0, 1, 7, -1))) == [(1, 1)]


def test_the_home_district_is_preferred_up_to_the_tolerance() -> None:
    # Home has nothing; another unit of the district has day 4; elsewhere day 1.
    slots = [[0] * 8, [0, 9, 9, 9, 9, 9, 9, 9], [0, 0, 0, 0, 9, 9, 9, 9]]
    assert appointments(Ledger(slots, [0, 1, 0], [plenty()], 3).book((0, 1, 7, -1))) == [(2, 4)]
    assert appointments(Ledger(slots, [0, 1, 0], [plenty()], 2).book((0, 1, 7, -1))) == [(1, 1)]


def test_at_equal_days_the_unit_listed_first() -> None:
    slots = [[0] * 8, [0] * 8, [0, 1] + [0] * 6, [0, 1] + [0] * 6]
    ledger = Ledger(slots, [0, 0, 1, 1], [plenty()])
    assert appointments(ledger.book((0, 0, 7, -1), (0, 0, 7, -1))) == [(2, 1), (3, 1)]


def test_nothing_before_the_earliest_day() -> None:
    assert appointments(Ledger([[9] * 8], [0], [plenty()]).book((0, 5, 7, -1))) == [(0, 5)]


def test_the_latest_day_is_included_and_the_next_is_not() -> None:
    slots = [[0, 0, 0, 0, 9, 9, 9, 9]]
    assert appointments(Ledger(slots, [0], [plenty()]).book((0, 1, 4, -1))) == [(0, 4)]
    bookings = Ledger(slots, [0], [plenty()]).book((0, 1, 3, -1))
    assert appointments(bookings) == [None]
    assert bookings.held_by.tolist() == [NO_SLOT]


def test_slots_of_a_day_are_numbered_in_the_order_of_booking() -> None:
    ledger = Ledger([[0, 2, 2, 2, 2, 2, 2, 2]], [0], [plenty()])
    bookings = ledger.book(*[(0, 1, 7, -1)] * 5)
    assert bookings.day.tolist() == [1, 1, 2, 2, 3]
    assert bookings.slot.tolist() == [0, 1, 0, 1, 0]
    assert ledger.book((0, 1, 7, -1)).slot.tolist() == [1]  # the next pass goes on


def test_a_dose_that_is_announced_for_a_day_can_be_promised_from_that_day() -> None:
    ledger = Ledger([[9] * 8], [0], [[0, 0, 0, 2, 2, 2, 2, 2]])
    bookings = ledger.book(*[(0, 1, 7, -1)] * 3)
    assert bookings.day.tolist() == [3, 3, -1]
    assert bookings.held_by.tolist() == [FREE, FREE, NO_DOSE]


def test_a_promise_leaves_nothing_negative_later() -> None:
    # One dose now, promised for day 5 already (so 0 left from then on): none for day 1.
    ledger = Ledger([[9] * 8], [0], [[1, 1, 1, 1, 1, 0, 0, 3]])
    assert ledger.book((0, 1, 7, -1)).day.tolist() == [7]


def test_a_promise_late_in_the_campaign_takes_from_the_doses_of_today() -> None:
    ledger = Ledger([[9] * 8], [0], [[1] * 8])
    assert ledger.book((0, 6, 7, -1), (0, 1, 7, -1)).day.tolist() == [6, -1]


def test_a_second_dose_takes_its_own_vaccine_only() -> None:
    ledger = Ledger([[9] * 8], [0], [[5] * 8, [0, 0, 0, 0, 1, 1, 1, 1]])
    bookings = ledger.book((0, 1, 7, 1), (0, 1, 7, 1))
    assert bookings.day.tolist() == [4, -1]
    assert bookings.vaccine.tolist() == [1, -1]


def test_a_first_dose_takes_the_preferred_vaccine_that_is_there_on_the_day() -> None:
    # Vaccine 0 is preferred from day 4 on, and there is one dose of it.
    doses = [[1] * 8, [5] * 8]
    choices = [[1, -1]] * 4 + [[0, 1]] * 4
    ledger = Ledger([[9] * 8], [0], doses, choices=choices)
    bookings = ledger.book((0, 1, 7, -1), (0, 4, 7, -1), (0, 4, 7, -1))
    assert bookings.vaccine.tolist() == [1, 0, 1]
    assert bookings.day.tolist() == [1, 4, 4]


def test_a_day_without_a_first_vaccine_is_passed_over() -> None:
    ledger = Ledger([[9] * 8], [0], [[5] * 8], choices=[[-1]] * 3 + [[0]] * 5)
    assert ledger.book((0, 1, 7, -1)).day.tolist() == [3]


def test_reserve_gives_a_first_dose_only_with_a_second() -> None:
    # Three doses: one person gets both, the third dose stays.
    ledger = Ledger([[9] * 8], [0], [[3] * 8], reserve=([0], [4]))
    bookings = ledger.book((0, 1, 7, -1), (0, 1, 7, -1))
    assert bookings.day.tolist() == [1, -1]
    assert bookings.held_by.tolist() == [FREE, NO_DOSE]


def test_reserve_sets_aside_a_dose_that_arrives_before_it_falls_due() -> None:
    # One dose now, one more from day 5. Due 4 days after day 1: day 5.
    ledger = Ledger([[9] * 8], [0], [[1, 1, 1, 1, 1, 2, 2, 2]], reserve=([0], [4]))
    assert ledger.book((0, 1, 7, -1)).day.tolist() == [1]
    # Due 3 days after: not before day 2 then.
    ledger = Ledger([[9] * 8], [0], [[1, 1, 1, 1, 1, 2, 2, 2]], reserve=([0], [3]))
    assert ledger.book((0, 1, 7, -1)).day.tolist() == [2]


def test_an_odd_dose_left_over_does_not_hold_up_the_other_vaccine() -> None:
    # Of vaccine 0 one dose is left, so no second could be set aside: vaccine 1 is given.
    ledger = Ledger([[9] * 8], [0], [[1] * 8, [4] * 8], reserve=([0, 1], [3, 3]))
    bookings = ledger.book(*[(0, 1, 7, -1)] * 3)
    assert bookings.vaccine.tolist() == [1, 1, -1]


def test_a_regimen_of_two_vaccines_sets_aside_the_second_one() -> None:
    # Vaccine 1 has one dose, from day 5; due 3 days after a first dose.
    doses = [[9] * 8, [0, 0, 0, 0, 0, 1, 1, 1]]
    choices = [[0, -1]] * 8
    ledger = Ledger([[9] * 8], [0], doses, choices=choices, reserve=([1, -1], [3, 0]))
    bookings = ledger.book(*[(0, 1, 7, -1)] * 2)
    assert bookings.day.tolist() == [2, -1]


def test_one_dose_regimens_set_nothing_aside() -> None:
    ledger = Ledger([[9] * 8], [0], [[2] * 8], reserve=([-1], [0]))
    assert ledger.book(*[(0, 1, 7, -1)] * 3).day.tolist() == [1, 1, -1]


def test_an_appointment_after_the_deadline_tells_what_kept_it_from_being_earlier() -> None:
    # Deadline on day 2. Doses from day 5 but slots from day 1: doses. The other way round: slots.
    late_doses = Ledger([[9] * 8], [0], [[0] * 5 + [9] * 3], deadline=2).book((0, 1, 7, -1))
    late_slots = Ledger([[0] * 5 + [9] * 3], [0], [plenty()], deadline=2).book((0, 1, 7, -1))
    assert (late_doses.day.tolist(), late_slots.day.tolist()) == ([5], [5])
    assert late_doses.held_by.tolist() == [NO_DOSE]
    assert late_slots.held_by.tolist() == [NO_SLOT]


def test_who_may_only_come_after_the_deadline_is_held_up_by_nothing() -> None:
    assert Ledger([[9] * 8], [0], [plenty()], deadline=2).book((0, 4, 7, -1)).held_by[0] == FREE


def test_looking_takes_nothing() -> None:
    ledger = Ledger([[1, 1, 1, 1, 1, 1, 1, 1]], [0], [[1] * 8])
    looked = ledger.book((0, 1, 7, -1), (0, 1, 7, -1), just_look=True)
    assert looked.day.tolist() == [-1, -1]
    assert looked.held_by.tolist() == [FREE, FREE]
    assert ledger.book((0, 1, 7, -1)).day.tolist() == [1]


def test_who_comes_after_the_last_day_gets_nothing() -> None:
    bookings = Ledger([[9] * 8], [0], [plenty()]).book((0, 8, 30, -1), (0, 7, 30, -1))
    assert bookings.day.tolist() == [-1, 7]


def test_promised_until_counts_only_days_to_come() -> None:
    ledger = Ledger([[2] * 8], [0], [plenty()])
    ledger.book(*[(0, 1, 7, -1)] * 5)  # two on day 1, two on day 2, one on day 3
    assert ledger.taken.promised_until(0).tolist() == [[0, 2, 4, 5, 5, 5, 5, 5]]
    assert ledger.taken.promised_until(2).tolist() == [[0, 0, 0, 1, 1, 1, 1, 1]]
    assert ledger.taken.promised.sum() == 5


# Against a slow implementation ----------------------------------------------------------------


def slow_pass(
    ledger: Ledger, people: list[tuple[int, int, int, int]]
) -> list[tuple[int, int, int, int]]:
    """(day, unit, vaccine, held_by) of each candidate: every day and unit looked at, in words.

    The rule is that of the module's docstring; nothing is shared with the fast one.
    """
    free = [list(row) for row in ledger.slots]
    left = [list(row) for row in ledger.doses]
    days, districts = ledger.days, ledger.districts
    choices = ledger.first_choices().tolist()
    second_of, after = ledger.reserve or ([-1] * len(left), [0] * len(left))

    def promised(vaccine: int, d: int, second: bool) -> list[list[int]] | None:
        """Doses left after the promise, or None if some would be short."""
        trial = [list(row) for row in left]
        needs = [(vaccine, d)]
        if not second and second_of[vaccine] >= 0:
            needs.append((second_of[vaccine], min(d + after[vaccine], days - 1)))
        for v, from_day in needs:
            for later in range(from_day, days):
                trial[v][later] -= 1
                if trial[v][later] < 0:
                    return None
        return trial

    def vaccine_on(d: int, wanted: int) -> int:
        for v in [wanted] if wanted >= 0 else choices[d]:
            if v >= 0 and promised(v, d, wanted >= 0) is not None:
                return v
        return -1

    def any_vaccine_on(d: int, wanted: int) -> bool:
        pool = [wanted] if wanted >= 0 else range(len(left))
        return any(promised(v, d, wanted >= 0) is not None for v in pool)

    everywhere = list(range(len(free)))
    out = []
    for home, earliest, latest, wanted in people:
        window = range(earliest, min(latest, days - 1) + 1)
        here = [home]
        near = [u for u in range(len(free)) if districts[u] == districts[home]]

        def first(
            places: list[int], until: int, window: range = window, wanted: int = wanted
        ) -> tuple[int, int] | None:
            for d in window:
                if d <= until and vaccine_on(d, wanted) >= 0:
                    for u in places:
                        if free[u][d] > 0:
                            return d, u
            return None

        def slot_by(until: int, earliest: int = earliest) -> bool:
            return any(free[u][d] > 0 for u in everywhere for d in range(earliest, until + 1))

        def dose_by(until: int, wanted: int = wanted) -> bool:
            return any(any_vaccine_on(d, wanted) for d in range(until + 1))

        best = first(everywhere, days)
        if best is None:
            end = min(latest, days - 1)
            held = NO_DOSE if slot_by(end) or not dose_by(end) else NO_SLOT
            out.append((-1, -1, -1, held))
            continue
        until = best[0] + ledger.tolerance
        d, u = first(here, until) or first(near, until) or best
        vaccine = vaccine_on(d, wanted)
        held = FREE
        if d > ledger.deadline >= earliest:
            cut = min(ledger.deadline, days - 1)
            doses_hold = best[0] > ledger.deadline and (slot_by(cut) or not dose_by(cut))
            held = NO_DOSE if doses_hold else NO_SLOT
        trial = promised(vaccine, d, wanted >= 0)
        assert trial is not None
        left[:] = trial
        free[u][d] -= 1
        out.append((d, u, vaccine, held))
    return out


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[Ledger, list[tuple[int, int, int, int]]]:
    units = draw(st.integers(1, 5))
    days = draw(st.integers(2, 12))
    vaccines = draw(st.integers(1, 3))
    few = st.integers(0, 3)
    slots = draw(st.lists(st.lists(few, min_size=days, max_size=days), min_size=units,
                          max_size=units))  # fmt: skip
    doses = []
    for _ in range(vaccines):
        steps = draw(st.lists(st.integers(-2, 4), min_size=days, max_size=days))
        unlimited = draw(st.booleans()) and draw(st.booleans())
        doses.append([UNLIMITED] * days if unlimited else np.cumsum(steps).tolist())
    one_choice = st.permutations(range(vaccines)).flatmap(
        lambda order: st.integers(0, vaccines).map(
            lambda n: list(order)[:n] + [-1] * (vaccines - n)
        )
    )
    same = draw(one_choice)
    choices = draw(
        st.one_of(st.just([same] * days), st.lists(one_choice, min_size=days, max_size=days))
    )
    reserve = None
    if draw(st.booleans()):
        reserve = (
            draw(st.lists(st.integers(-1, vaccines - 1), min_size=vaccines, max_size=vaccines)),
            draw(st.lists(st.integers(0, days + 3), min_size=vaccines, max_size=vaccines)),
        )
    ledger = Ledger(
        slots,
        draw(st.lists(st.integers(0, 2), min_size=units, max_size=units)),
        doses,
        tolerance=draw(st.integers(0, 5)),
        deadline=draw(st.integers(0, days - 1)),
        choices=choices,
        reserve=reserve,
    )
    candidate = st.tuples(
        st.integers(0, units - 1),
        st.integers(0, days - 1),
        st.integers(0, days + 2),
        st.one_of(st.just(-1), st.integers(0, vaccines - 1)),
    )
    return ledger, draw(st.lists(candidate, max_size=25))


@settings(max_examples=400, deadline=None)
@given(ledgers())
def test_the_book_gives_the_appointments_of_the_plain_rule(
    case: tuple[Ledger, list[tuple[int, int, int, int]]],
) -> None:
    ledger, people = case
    expected = slow_pass(ledger, people)
    bookings = ledger.book(*people)
    columns = (bookings.day, bookings.unit, bookings.vaccine, bookings.held_by)
    assert list(zip(*(c.tolist() for c in columns), strict=True)) == expected


@pytest.mark.parametrize("passes", [2, 3])
def test_several_passes_are_as_one(passes: int) -> None:
    # Free slots never come back, so pointers and jumps may be kept from evening to evening.
    rng = np.random.default_rng(passes)
    slots = rng.integers(0, 4, (4, 12)).tolist()
    people = [(int(h), int(e), 11, -1) for h, e in
              zip(rng.integers(0, 4, 60), rng.integers(0, 12, 60), strict=True)]  # fmt: skip
    at_once = appointments(Ledger(slots, [0, 0, 1, 1], [plenty(12)]).book(*people))
    ledger = Ledger(slots, [0, 0, 1, 1], [plenty(12)])
    size = 60 // passes
    one_by_one = [
        a
        for n in range(passes)
        for a in appointments(ledger.book(*people[n * size : (n + 1) * size]))
    ]
    assert one_by_one == at_once


def test_slots_kept_for_second_doses_are_closed_to_first_ones_and_the_other_way_round() -> None:
    # 4 slots on day 1, half of them for second doses: two of three first doses and two of three
    # second doses (of vaccine 0) get one, whatever the order of asking.
    ledger = Ledger([[0, 4, 0, 0]], [0], [plenty(4)], second_share=0.5)
    people = [(0, 1, 3, -1), (0, 1, 3, -1), (0, 1, 3, -1), (0, 1, 3, 0), (0, 1, 3, 0), (0, 1, 3, 0)]
    bookings = ledger.book(*people)
    assert bookings.day.tolist() == [1, 1, -1, 1, 1, -1]
    assert sorted(bookings.slot[bookings.day == 1].tolist()) == [0, 1, 2, 3]
    shared = Ledger([[0, 4, 0, 0]], [0], [plenty(4)]).book(*people)
    assert shared.day.tolist() == [1, 1, 1, 1, -1, -1]  # first come, first served
