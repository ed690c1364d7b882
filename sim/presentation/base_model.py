"""The base model of a campaign: its diagram, and what moves, waits and works in it."""

from __future__ import annotations

import html
import textwrap

from sim.language import N_, _, named, ngettext
from sim.presentation.code_words import (
    CONTRACT,
    DAY,
    LANGUAGE,
    chapters,
    inline,
    module_words,
    order_of_day,
)
from sim.presentation.document import (
    Block,
    Code,
    Drawing,
    Items,
    Listing,
    Paragraph,
    Section,
    Strong,
    Table,
)
from sim.presentation.terminal import count, in_words
from sim.scenario import Scenario, Shift

# The diagram ----------------------------------------------------------------------------------


def diagram(scenario: Scenario) -> list[Block]:
    """The way of people and of doses, drawn, and the same in words."""
    return [
        Drawing(
            "".join(_shapes(scenario)),
            960,
            550,
            alternative=_(
                "People register by telephone, through other channels or in advance, wait for an "
                "appointment, and come to a unit; doses come through the provincial store. The "
                "list below says the same in words."
            ),
            caption=_("The base model: the way of people and of doses"),
        ),
        Paragraph(_("The same in words:")),
        Items(
            [
                _(
                    "People of the target belong to a group. Those who are willing register: by "
                    "telephone, through other channels, or they have registered in advance."
                ),
                _(
                    "By telephone: a call finds the centre closed, or all lines busy, or waits in "
                    "the queue of its language until an agent takes it or the caller gives up; who "
                    "did not get through calls again, or gives up for good."
                ),
                _("Who has registered is on the waiting list until an appointment can be given."),
                _(
                    "An appointment belongs to a unit, a day and a dose; it is for tomorrow at the "
                    "earliest."
                ),
                _(
                    "At the unit people pass its stations in order; one of them gives the dose. "
                    "Some come without an appointment, if the unit takes walk-ins."
                ),
                _(
                    "Deliveries arrive at the provincial store, which ships vials to the units. A "
                    "unit opens a vial when it needs one, and discards what is left in it."
                ),
                _(
                    "After a first dose of two, a person waits until the interval is over and is "
                    "then on the waiting list again; after the last dose the person is done."
                ),
                _(
                    "Who misses an appointment, finds no dose or is not served goes back to the "
                    "waiting list, or drops out."
                ),
            ],
            ordered=True,
        ),
    ]


def _shapes(scenario: Scenario) -> list[str]:
    stations = list(dict.fromkeys(s for unit in scenario.units.values() for s in unit.stations))
    lines = _("{lines} lines; queues by language").format(lines=count(scenario.call_centre.lines))
    groups = ngettext("{n} group", "{n} groups", len(scenario.groups)).format(
        n=len(scenario.groups)
    )
    units = ngettext("{n} unit", "{n} units", len(scenario.units)).format(n=len(scenario.units))
    deliveries = ngettext("{n} delivery", "{n} deliveries", len(scenario.deliveries)).format(
        n=len(scenario.deliveries)
    )
    return [
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" '
        'markerHeight="7" orient="auto"><path class="head" d="M0 0L10 5L0 10z"/></marker></defs>',
        *_box(10, 130, 190, 90, _("People"), [count(scenario.target), groups]),
        *_box(280, 20, 280, 110, _("Call centre"), [
            lines,
            _("{agents} agents at most").format(agents=count(_most_agents(scenario))),
            _("busy, or tired of waiting: calls again,"),
            _("or gives up for good"),
        ]),
        *_box(280, 160, 280, 60, _("Other channels"), [
            _("{n} a day").format(n=count(scenario.other_channels.bookings_per_day)),
        ]),
        *_box(280, 250, 280, 60, _("Registered in advance"), [_("no call is needed")]),
        *_box(650, 130, 300, 90, _("Waiting list"), [
            _("each evening, in order: a slot and a dose,"), _("tomorrow at the earliest"),
        ]),
        *_box(650, 330, 300, 110, _("Vaccination units"), [units, *_wrapped(stations)]),
        *_box(10, 355, 190, 60, _("Deliveries"), [deliveries]),
        *_box(280, 355, 280, 60, _("Provincial store"), [_("ships vials to the units")]),
        *_box(650, 490, 300, 45, _("Vaccinated"), []),
        *(
            f'<path class="line" d="{path}" marker-end="url(#tip)"/>'
            for path in (
                "M200 150 L240 150 L240 75 L278 75", "M200 175 L240 175 L240 190 L278 190",
                "M200 200 L225 200 L225 280 L278 280", "M560 75 L605 75 L605 150 L648 150",
                "M560 190 L605 190 L605 175 L648 175", "M560 280 L605 280 L605 200 L648 200",
                "M710 220 L710 328", "M890 330 L890 222", "M200 385 L278 385", "M560 385 L648 385",
                "M800 440 L800 488",
            )
        ),
        _words(720, 255, _("appointments"), "start"),
        _words(880, 290, _("second dose;"), "end"),
        _words(880, 307, _("missed or not served"), "end"),
        _words(812, 470, _("last dose"), "start"),
    ]  # fmt: skip


def _most_agents(scenario: Scenario) -> int:
    from sim.model.shifts import staff_steps

    centre = scenario.call_centre
    return sum(
        int(
            staff_steps(pool.agents, pool.shifts, pool.breaks, centre.opens, centre.closes)[1].max(
                initial=0
            )
        )
        for pool in centre.pools.values()
    )


def _wrapped(stations: list[str]) -> list[str]:
    return textwrap.wrap(" → ".join(stations), 44, max_lines=3, placeholder=" …")


def _box(x: int, y: int, width: int, height: int, title: str, lines: list[str]) -> list[str]:
    return [
        f'<rect class="box" x="{x}" y="{y}" width="{width}" height="{height}" rx="8"/>',
        f'<text class="word" x="{x + 12}" y="{y + 24}">{html.escape(title)}</text>',
        *(_words(x + 12, y + 45 + 17 * i, line, "start") for i, line in enumerate(lines)),
    ]


def _words(x: int, y: int, text: str, anchor: str) -> str:
    words = html.escape(text)
    return f'<text class="small" x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'


# Logic ----------------------------------------------------------------------------------------


def logic() -> list[Block]:
    """The order of a campaign day, and the rules of the two days that engines simulate."""
    rules = chapters(CONTRACT)
    return [
        Paragraph(
            _(
                "Two clocks are nested. The campaign's clock goes from day to day; within a day, "
                "each call-centre day and each unit's session is an event-driven simulation of its "
                "own, in whole microseconds, whose result depends on its input alone."
            )
        ),
        Paragraph(_("Every day of the campaign goes through these steps, in this order:")),
        Items([[Strong(name), ": ", *inline(words)] for name, words in order_of_day()], True),
        Paragraph(
            [
                _("The order is written once, in the module "),
                Code(DAY),
                _(", and is read from there. What crosses from one place to another does so "
                  "overnight: a booking is for tomorrow at the earliest."),
            ]
        ),
        *(
            Listing(words, _("{chapter}: the rules, as {module} has them").format(
                chapter=chapter, module=CONTRACT), LANGUAGE)
            for chapter, words in rules.items()
            if chapter
        ),
    ]  # fmt: skip


_ALGORITHMS = (
    ("sim.model.call_centre", N_("Who calls when")),
    ("sim.model.other_channels", N_("Other channels")),
    ("sim.model.waiting_list", N_("The waiting list and the order of doses")),
    ("sim.model.appointment_book", N_("Slots and promised doses")),
    ("sim.model.capacity", N_("Slots a day")),
    ("sim.model.dose_supply", N_("Deliveries and shipments")),
    ("sim.model.vaccination_unit", N_("Sessions of the units")),
    ("sim.model.regimens", N_("Regimens")),
    ("sim.model.reasons", N_("Why people are not vaccinated")),
)


def algorithms(scenario: Scenario) -> list[Block]:
    """The rules that decide, as the code states them, and which of them this scenario uses."""
    supply, appointments = scenario.supply, scenario.appointments
    chosen = [
        ("supply.allocation", supply.allocation, _ALLOCATION[supply.allocation]),
        ("supply.second_dose_policy", supply.second_dose_policy, N_("see the waiting list")),
        ("appointments.stock_rule", appointments.stock_rule, _STOCK[appointments.stock_rule]),
        (
            "call_centre.at_closing",
            scenario.call_centre.at_closing,
            _CLOSING[scenario.call_centre.at_closing],
        ),
        (
            "campaign.complete_with",
            scenario.campaign.complete_with,
            _COMPLETE[scenario.campaign.complete_with],
        ),
    ]
    return [
        Table(
            _("Rules that this scenario has chosen"),
            [_("setting"), _("value"), _("what it does")],
            [[Code(key), Code(value), _(words)] for key, value, words in chosen],
        ),
        Paragraph(_("The rules in the words of the modules that carry them out:")),
        *(Section(_(title), module_words(module)) for module, title in _ALGORITHMS),
    ]


_ALLOCATION = {
    "by_bookings": N_(
        "each unit gets the vials that its appointments until the next shipment lack"
    ),
    "by_capacity": N_("the store is emptied in proportion to the units' slots"),
    "equally": N_("the store is emptied in equal parts"),
    "fixed_shares": N_("the store is emptied by fixed shares"),
}
_STOCK = {
    "announced": N_("doses that are announced to arrive by the day can be promised"),
    "on_hand": N_("only doses on hand can be promised"),
    "ignore": N_("appointments are given without a look at doses"),
}
_CLOSING = {
    "serve": N_("callers still waiting at closing are served"),
    "cut_off": N_("callers still waiting at closing are told to call again"),
}
_COMPLETE = {
    "all_doses": N_("all doses of the regimen make a person fully vaccinated"),
    "one_dose": N_("one dose makes a person fully vaccinated"),
}


# Components -----------------------------------------------------------------------------------


def entities(scenario: Scenario) -> list[Block]:
    """What moves: people, calls, visits, doses."""
    from sim.experiment.plan_arithmetic import deliveries, people
    from sim.language import long_date

    groups = [
        [
            Code(row["group"]),
            count(row["people"]),
            count(row["already_vaccinated"]),
            count(row["willing"]),
            count(row["by_telephone"]),
            count(row["booked_in_advance"]),
            scenario.groups[row["group"]].language,
            long_date(row["turn_from"]),
        ]
        for row in people(scenario).to_dict("records")
    ]
    arriving = {row["delivery"]: row for row in deliveries(scenario).to_dict("records")}
    return [
        Items(
            [
                _(
                    "Persons, each simulated (none stands for several): group, willingness, way to "
                    "book, home unit, first call, doses had, appointment. A person's number within "
                    "the group is the identity to which all its luck belongs."
                ),
                _(
                    "Calls: attempts of persons, to book or only to ask. Attempts and persons are "
                    "counted apart."
                ),
                _("Patients: persons on their visit to a unit, with an appointment or without."),
                _("Vials of each vaccine, closed or open, and the doses in them."),
            ]
        ),
        Table(
            _("Groups of people (willing, by telephone and in advance: expected numbers)"),
            [
                _("group"), _("people"), _("vaccinated before"), _("willing"), _("by telephone"),
                _("in advance"), _("language"), _("turn from"),
            ],
            groups,
            "<>>>>><<",
        ),
        Table(
            _("Vaccines"),
            [_("vaccine"), _("doses on the label"), _("extra doses drawn"), _("open vial lasts"),
             _("lost in storage")],
            [
                [
                    Code(name), count(each.doses_per_vial), count(each.extra_doses_per_vial),
                    _("{n} h").format(n=f"{each.open_vial_hours:g}"), f"{each.storage_loss:g}",
                ]
                for name, each in scenario.vaccines.items()
            ],
            "<>>>>",
        ),
        Table(
            _("Regimens, in order of preference for first doses"),
            [_("regimen"), _("first dose"), _("second dose"), _("least interval (days)"),
             _("looked for after (days)"), _("first doses from"), _("first doses until")],
            [
                [
                    Code(name), each.first, each.second or "–", str(each.min_days),
                    str(each.target_days),
                    long_date(each.first_dose_from) if each.first_dose_from else "–",
                    long_date(each.first_dose_until) if each.first_dose_until else "–",
                ]
                for name, each in scenario.regimens.items()
            ],
            "<<<>><<",
        ),
        Table(
            _("Deliveries (expected: with the mean delay and the mean share that arrives)"),
            [_("delivery"), _("vaccine"), _("said to arrive"), _("doses said"), _("expected"),
             _("usable doses")],
            [
                [
                    Code(name), each.vaccine, long_date(each.arrives), count(each.doses),
                    long_date(arriving[name]["arrives"]) if arriving[name]["in_time"]
                    else _("after the last day"),
                    count(arriving[name]["usable"]),
                ]
                for name, each in scenario.deliveries.items()
            ],
            "<<<><>",
        ),
    ]  # fmt: skip


def activities(scenario: Scenario) -> list[Block]:
    """What takes time: calls, and the stations of the units."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for unit_name, unit in scenario.units.items():
        for place, (name, station) in enumerate(unit.stations.items(), start=1):
            said = (
                str(place), name, station.kind, f"{station.minutes.mean():,.4g}",
                f"{station.share:g}", f"{station.adverse_event_probability:g}",
                f"{station.overtime_minutes:g}",
            )  # fmt: skip
            rows.setdefault(said, []).append(unit_name)
    return [
        Items(
            [
                _("A call: an agent and a line, for the handle time of its kind; then the agent "
                  "alone, for the after-call work, if there is any."),
                _("Redialling and calling again on another day: a delay of the caller."),
                _("A station of a unit: one of its staff (or a seat), for the service time."),
                _("The walk to a station, and the interval between two doses: delays."),
            ]
        ),
        Table(
            _("Stations, in the order in which patients pass them (distributions: 5.2)"),
            [_("place"), _("station"), _("kind"), _("mean minutes"), _("share who visit it"),
             _("adverse events"), _("overtime (min)"), _("units")],
            [
                [place, Code(name), *rest, _units_in_words(names, scenario)]
                for (place, name, *rest), names in sorted(rows.items(), key=lambda r: r[0][:2])
            ],
            "><<>>>><",
        ),
    ]  # fmt: skip


def resources(scenario: Scenario) -> list[Block]:
    """Who and what serves: agents, lines, staff, slots, doses."""
    from sim.experiment.plan_arithmetic import capacity

    centre = scenario.call_centre
    table = capacity(scenario)
    slots = {str(name): int(part["slots_per_day"].iloc[0]) for name, part in table.groupby("unit")}
    staff: dict[tuple[str, ...], list[str]] = {}
    for name, unit in scenario.units.items():
        said = tuple(
            f"{station}: {_on_duty(each.staff, each.shifts, each.breaks)}"
            for station, each in unit.stations.items()
        )
        staff.setdefault((_hours(unit), "; ".join(said), count(slots[name])), []).append(name)
    return [
        Paragraph(
            _("{lines} telephone lines. The call centre is open {hours}.").format(
                lines=count(centre.lines), hours=_hours(centre)
            )
        ),
        Table(
            _("Agents"),
            [_("pool"), _("languages"), _("on duty")],
            [
                [Code(name), ", ".join(pool.languages),
                 _on_duty(pool.agents, pool.shifts, pool.breaks)]
                for name, pool in centre.pools.items()
            ],
        ),
        Table(
            _("Staff and seats of each unit, and its appointments a day before overbooking"),
            [_("units"), _("open"), _("staff or seats by station"), _("appointments a day")],
            [
                [_units_in_words(names, scenario), hours, said, number]
                for (hours, said, number), names in staff.items()
            ],
            "<<<>",
        ),
        Table(
            _("Units"),
            [_("unit"), _("title"), _("type"), _("district")],
            [
                [Code(name), named(unit.title), in_words(unit.type), in_words(unit.district)]
                for name, unit in scenario.units.items()
            ],
        ),
        Paragraph(_("Slots and doses are resources, too: an appointment takes one of each.")),
    ]  # fmt: skip


def queues(scenario: Scenario) -> list[Block]:
    """Where people wait, in which order, and when they leave."""
    languages = ", ".join(scenario.languages)
    return [
        Table(
            _("Queues"),
            [_("queue"), _("order"), _("ends without service")],
            [
                [
                    _("Telephone, by language ({languages})").format(languages=languages),
                    _("first come, first served; an agent of several languages takes the call that "
                      "has waited longest"),
                    _("patience runs out; at closing, as {rule} says").format(
                        rule="call_centre.at_closing"
                    ),
                ],
                [
                    _("Station of a unit"),
                    _("first come, first served"),
                    _("the wait exceeds the patient's tolerance; the overtime limit is reached; no "
                      "dose is left"),
                ],
                [
                    _("Waiting list for appointments"),
                    _("in the order of the second-dose policy, then of registration"),
                    _("never: people wait on"),
                ],
                [
                    _("Other channels"),
                    _("in the order of coming; so many a day"),
                    _("never: the next open day goes on"),
                ],
            ],
        ),
    ]  # fmt: skip


def entry_and_exit() -> list[Block]:
    """Where people, calls and doses come into the model, and where they leave it."""
    from sim.model.records import REASONS

    return [
        Items(
            [
                _("All people are there from the first day; each comes forward on the day of the "
                  "first call (or of coming to another channel), or has registered in advance."),
                _("Calls enter when they are made, and leave answered, abandoned, blocked by the "
                  "busy signal, or cut off at closing."),
                _("Patients enter a unit at their arrival and leave it vaccinated or not."),
                _("Doses enter with deliveries, and leave given, discarded or lost in storage."),
                _("People leave when they have all doses, drop out, or give up calling for good; "
                  "the others are where they are when the simulation ends."),
            ]
        ),
        Table(
            _("Where everybody is in the end: exactly one of these, and they sum to the target"),
            [_("reason"), _("meaning")],
            [[Code(name), _(words)] for name, words in REASONS.items()],
        ),
    ]  # fmt: skip


def _on_duty(staff: int, shifts: list[Shift], breaks: list[Shift]) -> str:
    if not shifts and not breaks:
        return count(staff)
    on = [_shift(each) for each in shifts] or [count(staff)]
    away = [_("away: {staff}").format(staff=_shift(each)) for each in breaks]
    return ", ".join([*on, *away])


def _shift(shift: Shift) -> str:
    said = shift.model_dump(mode="json")
    return f"{shift.staff} ({said['start']} – {said['end']})"


def _hours(place: object) -> str:
    from sim.scenario import Opening

    assert isinstance(place, Opening)
    said = place.model_dump(mode="json", include={"opens", "closes"})
    closed = ""
    if place.closed_dates:
        closed = _(", closed on {dates}").format(
            dates=" ".join(day.isoformat() for day in place.closed_dates)
        )
    return f"{' '.join(place.open_days)} {said['opens']} – {said['closes']}{closed}"


def _units_in_words(names: list[str], scenario: Scenario) -> str:
    """All units of a type by the type alone."""
    left, said = list(names), []
    for kind in scenario.unit_types:
        members = [name for name, unit in scenario.units.items() if unit.type == kind]
        if members and set(members) <= set(left):
            said.append(
                ngettext(
                    "{n} unit of type {kind}", "{n} units of type {kind}", len(members)
                ).format(n=len(members), kind=kind)
            )
            left = [name for name in left if name not in members]
    return ", ".join([*said, *left])
