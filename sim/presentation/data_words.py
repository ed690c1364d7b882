"""The data of a scenario, for a description: sources, values, assumptions, calendar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sim.language import N_, _, ngettext
from sim.presentation.code_words import inline
from sim.presentation.document import Block, Items, Paragraph, Section, Table
from sim.presentation.parameters import STATUS, Parameter, Status, keys, parameters
from sim.presentation.terminal import count
from sim.scenario import Scenario


def data(scenario: Scenario, raw: Mapping[str, Any]) -> list[Block]:
    """All of section 3; `raw` is what the scenario's files say."""
    everything = parameters(scenario, raw)
    used = [each for each in everything if each.used]
    unused = [each for each in everything if not each.used]
    assumed = [each for each in used if each.assumed]
    known = [each for each in used if not each.assumed]
    return [
        Section(_("3.1 Data sources"), _sources(used)),
        Section(_("3.2 Pre-processing"), _preprocessing()),
        Section(
            _("3.3 Input parameters"),
            [
                Paragraph(
                    _(
                        "Values with a source other than an assumption. A key is the dotted path "
                        "of a value, as files, --set and error messages have it; several keys in a "
                        "row have the same value from the same source. Assumed values are in 3.4."
                    )
                ),
                *_parameter_tables(known, N_("Parameters: {part}")),
                *([_unused(unused)] if unused else []),
                *_calendar(scenario),
            ],
        ),
        Section(
            _("3.4 Assumptions"),
            [
                Paragraph(
                    ngettext(
                        "{n} value of {all} is assumed, or was changed without a source:",
                        "{n} values of {all} are assumed, or were changed without a source:",
                        len(assumed),
                    ).format(n=len(assumed), all=len(used))
                    if assumed
                    else _("No value is assumed: every one has a source.")
                ),
                *_parameter_tables(assumed, N_("Assumed: {part}")),
                Paragraph(_("Assumptions of the model's structure, and what it leaves out:")),
                Items([_(text) for text in LEFT_OUT]),
            ],
        ),
    ]


LEFT_OUT = (
    N_("A booking is for tomorrow at the earliest; nothing crosses between places within a day."),
    N_(
        "Call centre and units do not share staff; stations do not either, and waiting rooms have "
        "no limit."
    ),
    N_("Staff come as planned: nobody is absent by chance, nor tired, nor faster when it is full."),
    N_(
        "Who is willing stays willing, but for the chances that the scenario names (an answered "
        "call, a missed appointment, a visit in vain); nobody is persuaded or put off by others."
    ),
    N_(
        "Nobody is refused at screening for health reasons, nobody dies, moves away or is "
        "vaccinated elsewhere."
    ),
    N_("Infection, immunity and the effect of doses are not simulated: the subject is throughput."),
    N_(
        "Distance counts by home unit, district and province alone; there are no journeys in "
        "minutes and nobody stays away because a unit is far."
    ),
    N_("Vaccine is not moved from one unit to another, and does not expire in closed vials."),
    N_(
        "A person calls in one language; agents of a pool are alike, and so are staff of a station."
    ),
    N_("At other channels nobody waits within a day, and nobody gives up."),
)
"""What the model leaves out or takes for granted, whatever the scenario."""


def _sources(used: Sequence[Parameter]) -> list[Block]:
    numbers: dict[str, int] = {}
    for each in used:
        source = each.source or _("no source given")
        numbers[source] = numbers.get(source, 0) + len(each.paths)
    return [
        Paragraph(
            _(
                "Every value carries its source in the scenario file, by dotted path or pattern. "
                "Where a file changes a value without saying why, that is said instead."
            )
        ),
        Table(
            _("Sources, and how many values come from each"),
            [_("source"), _("values")],
            [[source, count(number)] for source, number in numbers.items()],
            "<>",
        ),
    ]


def _preprocessing() -> list[Block]:
    return [
        Items(
            [
                _(
                    "Files that extend others are merged key by key; a unit has what its type has, "
                    "unless it says otherwise. The merged scenario is validated as a whole."
                ),
                _(
                    "Distributions become quantile tables in whole microseconds once, before the "
                    "simulation (5.2)."
                ),
                _(
                    "Appointments a day follow from staff and mean service times, unless a unit "
                    "says a number (2.4, slots a day)."
                ),
                _(
                    "First calls: the waves of a group (nothing before they open, then exponential "
                    "decay), times the weight of the weekday, times that of the hour, make one "
                    "curve over the hours of the campaign."
                ),
                _("Deliveries come in whole vials, rounded down."),
            ]
        )
    ]


def tables_of_values(
    scenario: Scenario, raw: Mapping[str, Any], most_keys: int = 1_000
) -> dict[Status, Table]:
    """Every value with its source, in a table for each status that some have."""
    found: dict[Status, list[Parameter]] = {status: [] for status in STATUS}
    for each in parameters(scenario, raw):
        found[each.status].append(each)
    return {
        status: parameter_table(_(STATUS[status]), chosen, most_keys)
        for status, chosen in found.items()
        if chosen
    }


def parameter_table(caption: str, chosen: Iterable[Parameter], most_keys: int = 1_000) -> Table:
    """Values with meaning, range and source; of keys with one value, so many at most."""
    return Table(
        caption,
        [_("what it is, and its key"), _("value"), _("range"), _("source")],
        [
            [
                [
                    *inline(_(each.meaning)),
                    " ",
                    *keys(each.paths[:most_keys]),
                    *([", …"] if each.paths[most_keys:] else []),
                ],
                each.value if each.unit == _("share") else f"{each.value} {each.unit}".rstrip(),
                each.range or "–",
                each.source or _("no source given"),
            ]
            for each in chosen
        ],
    )


def _parameter_tables(chosen: Sequence[Parameter], caption: str) -> list[Block]:
    parts = list(dict.fromkeys(each.part for each in chosen))
    return [
        Table(
            _(caption).format(part=part),
            [_("key"), _("value"), _("unit"), _("meaning"), _("range"), _("source")],
            [
                [
                    keys(each.paths),
                    each.value,
                    each.unit,
                    inline(_(each.meaning)),
                    each.range or "–",
                    each.source or _("no source given"),
                ]
                for each in chosen
                if each.part == part
            ],
        )
        for part in parts
    ]


def _unused(unused: Sequence[Parameter]) -> Table:
    caption = STATUS["unused"]
    return Table(
        _(caption),
        [_("key"), _("value"), _("unit"), _("meaning")],
        [[keys(each.paths), each.value, each.unit, inline(_(each.meaning))] for each in unused],
    )


def _calendar(scenario: Scenario) -> list[Block]:
    from sim.experiment.plan_arithmetic import calendar

    return [
        Table(
            _("Calendar: what the open days give"),
            [
                _("month"), _("vaccination days"), _("slots"), _("slots by the deadline"),
                _("call-centre days"),
            ],
            [
                [row["month"], *(
                    count(row[name]) for name in (
                        "vaccination_days", "slots", "slots_by_deadline", "call_centre_days"
                    )
                )]
                for row in calendar(scenario).to_dict("records")
            ],
            "<>>>>",
        )
    ]  # fmt: skip
