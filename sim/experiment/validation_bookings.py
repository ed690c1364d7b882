"""Cases of `vaxsim validate` about who is given which slot and which dose: all counted by hand.

The campaign (`planned.toml`) begins on 31 May, with the appointments for June; 200 people are
registered, each day has 20 slots at one unit, and there are doses in plenty unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from sim.experiment.validation import Case, Quantity, Tables
from sim.experiment.validation_quantities import mean_day, summary, total


def booking_cases() -> Iterator[Case]:
    """All of them."""
    yield from _slot_cases()
    yield from _stock_cases()
    yield from _supply_cases()
    yield from _second_dose_cases()


def _planned(
    name: str, what: str, *quantities: Quantity, changes: tuple[str, ...], file: str = "planned"
) -> Case:
    return Case(name, what, "by hand", f"{file}.toml", 2, quantities, changes)


def _given(name: str, exact: float, **where: object) -> Quantity:
    return total(name, exact, "daily", "administered", **where)


def _people(number: int) -> str:
    return f"groups.people.people={number}"


def _slots(number: int) -> str:
    return f"unit_types.clinic.slots_per_day={number}"


# Slots ------------------------------------------------------------------------------------------


def _slot_cases() -> Iterator[Case]:
    yield _planned(
        "turns", "60 people; 100 more from 8 June on; 10 slots a day",
        _given("vaccinated of the first group by 6 June", 60, group="people"),
        mean_day("mean day of June, first group", (1 + 6) / 2, group="people"),
        mean_day("mean day of June, second group", (8 + 17) / 2, group="later"),
        changes=(
            _people(60), _slots(10),
            "groups.later={people=100, language='thai', turn_from=2021-06-08, willing=1.0, "
            "booked_in_advance=true}",
        ),
    )  # fmt: skip
    # The first 50 are booked 1 to 5 days ahead, everybody after them 5 days ahead.
    yield _planned(
        "window", "150 people, 10 slots a day, booked up to 5 days ahead",
        total("booked on the first evening", 50, "bookings", "booked_first", date="2021-05-31"),
        total("booked on the second evening", 10, "bookings", "booked_first", date="2021-06-01"),
        Quantity("mean days from booking to the dose", (50 * 3 + 100 * 5) / 150, _lead_days),
        changes=(_people(150), _slots(10), "appointments.window_days=5"),
    )  # fmt: skip
    # While 1 June is free anywhere, the home unit may be up to 2 days later, then the other unit of
    # the district; then the one far away has to do. When its 1 June is full, all begins again.
    yield _planned(
        "tolerance", "100 people, 3 units with 10 slots a day: home, near, far; up to 2 days later",
        _given("at the home unit", 30 + 10, unit="clinic"),
        _given("at the other unit of the district", 30 + 10, unit="near"),
        _given("at the unit of the other district", 10 + 10, unit="far"),
        mean_day("mean day of June at the home unit", (1 + 4) / 2, unit="clinic"),
        changes=(
            _people(100), _slots(10), "appointments.home_unit_tolerance_days=2",
            "districts.elsewhere=0.0", "units.clinic.catchment_weight=1.0",
            "units.near={type='clinic', district='town', catchment_weight=0.0}",
            "units.far={type='clinic', district='elsewhere'}",
        ),
    )  # fmt: skip
    # 2 x 480 minutes less a break of 60 are 90 services of 10 minutes, and a tenth more.
    yield _planned(
        "slots_of_the_staff", "2 vaccinators, 10 minutes each, one has a break; a tenth more",
        _given("vaccinated on a day", 99, date="2021-06-01"),
        summary("vaccinated in 14 days", "first_doses_by_deadline", 14 * 99.0),
        total("staff time on duty in 30 days (min)", 30 * 900, "stations", "on_duty"),
        changes=(
            "appointments.overbooking=0.1", "campaign.deadline=2021-06-14",
            "unit_types.clinic.stations.vaccination.breaks="
            "[{start='12:00', end='13:00', staff=1}]",
        ),
        file="staffed",
    )  # fmt: skip
    yield _planned(
        "second_dose_slots", "20 slots a day, a quarter for second doses, due after 7 days",
        _given("first doses by 14 June", 14 * 15, dose=1),
        _given("second doses by 14 June", 7 * 5, dose=2),
        changes=(
            _people(1_000), *_two_doses(), "appointments.second_dose_slots=0.25",
            "campaign.deadline=2021-06-14", "campaign.horizon=2021-06-14",
        ),
    )  # fmt: skip


def _lead_days(tables: Tables) -> float:
    """Mean days from the evening of the booking to the dose, of first doses."""
    daily, bookings = tables["daily"], tables["bookings"]
    first = bookings["date"].min()
    doses = ((daily["date"] - first).dt.days * daily["administered"]).sum()
    booked = ((bookings["date"] - first).dt.days * bookings["booked_first"]).sum()
    return float((doses - booked) / daily["administered"].sum())


# Stock ------------------------------------------------------------------------------------------


def _stock_cases() -> Iterator[Case]:
    # 100 doses are there; 100 more were announced for 8 June and come on the 11th. On hand: booked
    # for 1-5 June, and on the evening of the 11th for 12-16. Announced: for 1-5 and 8-12 June; the
    # 60 of the 8th to 10th find none and come on 13-15. Not looked at: for 1-10 June; the 100 of
    # 6-10 find none and come on 11-15.
    late = (
        "deliveries.plenty.doses=100",
        "deliveries.more={vaccine='vaccine', arrives=2021-06-08, doses=100, delay_days=3.0}",
    )
    for rule, days, turned_away in (
        ("on_hand", (*range(1, 6), *range(12, 17)), 0),
        ("announced", (*range(1, 6), 11, 12, 13, 14, 15), 60),
        ("ignore", (*range(1, 6), *range(11, 16)), 100),
    ):
        yield _planned(
            f"stock_{rule}", "20 slots a day; 100 doses, 100 more announced that come 3 days late",
            _given("vaccinated", 200),
            mean_day("mean day of June", sum(days) / len(days)),
            total("found no dose", turned_away, "daily", "no_dose"),
            total("appointments", 200 + turned_away, "daily", "appointments"),
            changes=(*late, f"appointments.stock_rule='{rule}'"),
        )  # fmt: skip
    # Fridays are 4, 11, 18 and 25 June: 20 doses on that day, 20 on the next, 10 on Sunday.
    yield _planned(
        "refrigerator", "20 slots a day, shipments on Fridays, 50 doses fit into the refrigerator",
        _given("vaccinated", 4 * 50),
        mean_day("mean day of June", (4 * 20 + 5 * 20 + 6 * 10) / 50 + (0 + 7 + 14 + 21) / 4),
        total("received", 4 * 50, "stock", "shipped_in"),
        changes=(
            _people(2_000), "supply.shipment_days=['fri']",
            "unit_types.clinic.refrigerator_doses=50",
        ),
    )  # fmt: skip
    # 5 vials of eleven doses: 2 on Friday and on Saturday, with 2 doses left over, 1 on Sunday.
    yield _planned(
        "refrigerator_vials", "50 labelled doses fit: 5 vials of ten, which give 11 doses each",
        _given("vaccinated", 4 * (20 + 20 + 11)),
        total("wasted", 4 * (2 + 2), "stock", "wasted"),
        changes=(
            _people(2_000), "supply.shipment_days=['fri']",
            "unit_types.clinic.refrigerator_doses=50",
            "vaccines.vaccine.doses_per_vial=10", "vaccines.vaccine.extra_doses_per_vial=1",
        ),
    )  # fmt: skip


# From the store to the units ----------------------------------------------------------------------


def _supply_cases() -> Iterator[Case]:
    units = (
        "units.second={type='clinic', district='town', slots_per_day=20}",
        "units.third={type='clinic', district='town', slots_per_day=30}",
        _people(2_000), _slots(10),
    )  # fmt: skip
    for rule, shares in (
        ("by_capacity", (100, 200, 300)),
        ("equally", (200, 200, 200)),
        ("fixed_shares", (300, 180, 120)),
    ):
        yield _planned(
            f"shared_{rule}", "600 doses for three units with 10, 20 and 30 slots a day",
            *(
                total(f"received by the {place} unit", doses, "stock", "shipped_in", place=name)
                for (place, name), doses in zip(_PLACES, shares, strict=True)
            ),
            changes=(
                *units, "deliveries.plenty.doses=600", f"supply.allocation='{rule}'",
                "supply.fixed_shares={clinic=0.5, second=0.3, third=0.2}",
            ),
        )  # fmt: skip
    # Thursday's shipment is for 4 days, Monday's for 3. On Thursday half of that is there.
    yield _planned(
        "shared_by_bookings",
        "the same, as booked until the next shipment (Mondays, Thursdays); first 120 doses",
        *(
            total(f"received by the {place} unit on {day} June", doses, "stock", "shipped_in",
                  place=name, date=f"2021-06-0{day}")
            for day, numbers in ((3, (20, 40, 60)), (7, (30, 60, 90)))
            for (place, name), doses in zip(_PLACES, numbers, strict=True)
        ),
        total("sent before 3 June", 0, "stock", "shipped_out", date="2021-05-31"),
        changes=(
            *units, "deliveries.plenty.doses=120", "supply.allocation='by_bookings'",
            "supply.shipment_days=['mon', 'thu']",
            "deliveries.more={vaccine='vaccine', arrives=2021-06-05, doses=10_000}",
        ),
    )  # fmt: skip


_PLACES = (("first", "clinic"), ("second", "second"), ("third", "third"))


# Second doses -----------------------------------------------------------------------------------


def _two_doses() -> tuple[str, ...]:
    return (
        "regimens.single.second='vaccine'", "regimens.single.min_days=7",
        "regimens.single.target_days=7",
    )  # fmt: skip


def _second_dose_cases() -> Iterator[Case]:
    # 100 people are vaccinated on 1 June. On that evening 50 others register, and 50 doses are
    # left: for these, or for second doses on 8 June, by the policy and by how far ahead it looks
    # for second appointments. With a reserve, 75 of the 150 doses are first ones (25 a day: what
    # is set aside for those whose first dose is still to come has to last for days).
    for policy, notice, slots, first, second in (
        ("first_doses_first", 14, 200, 150, 0),
        ("second_doses_first", 14, 200, 100, 50),
        ("second_doses_first", 2, 200, 150, 0),
        ("as_booked", 2, 200, 100, 50),
        ("reserve", 2, 25, 75, 75),
    ):
        name = policy if (policy, notice) != ("second_doses_first", 2) else "second_doses_soon"
        yield _planned(
            name, f"150 doses for 100 people and 50 more; {policy}, {notice} days ahead",
            _given("first doses", first, dose=1),
            _given("second doses", second, dose=2),
            changes=(
                _people(100), _slots(slots), *_two_doses(), "deliveries.plenty.doses=150",
                "groups.later={people=50, language='thai', turn_from=2021-06-01, willing=1.0, "
                "telephone_share=0.0, "
                "first_calls=[{opens=2021-06-01, share=1.0, mean_days=0.01}]}",
                "other_channels.bookings_per_day=1_000", "appointments.stock_rule='on_hand'",
                f"supply.second_dose_policy='{policy}'",
                f"supply.second_dose_notice_days={notice}",
            ),
        )  # fmt: skip
    # Slots for first doses are taken up to the end of the window, those after it are free for
    # second ones: but no dose is, as long as 50 people wait for a first one.
    yield _planned(
        "first_doses_wait", "150 doses for 200 people, 10 slots a day, first doses first",
        _given("first doses", 150, dose=1),
        _given("second doses", 0, dose=2),
        changes=(
            _slots(10), *_two_doses(), "deliveries.plenty.doses=150",
            "appointments.stock_rule='on_hand'", "appointments.window_days=5",
        ),
    )  # fmt: skip
