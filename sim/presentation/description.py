"""A description of a model and a scenario that a referee would accept.

It follows the STRESS-DES checklist: Monks, Currie, Onggo, Robinson, Kunc and Taylor, "Strengthening
the reporting of empirical simulation studies", Journal of Simulation 13 (2019) 55-67, item by item.
What can be read from the scenario or from the code is read there, so that it cannot be out of date;
the rest is written here, in our own words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from sim import __version__
from sim.language import N_, _, long_date, named, ngettext
from sim.presentation import base_model
from sim.presentation.code_words import module_words, name_words, streams
from sim.presentation.document import (
    Block,
    Code,
    Document,
    Items,
    Listing,
    Paragraph,
    Section,
    Table,
    Text,
)
from sim.presentation.parameters import Parameter, distributions, parameters
from sim.presentation.terminal import count, percent
from sim.scenario import Scenario
from sim.scenario_files import ScenarioError, load_scenario, raw_scenario, read_layers


@dataclass(frozen=True)
class Described:
    """What is described: a scenario, how it came about, and how the program was verified."""

    scenario: Scenario
    raw: Mapping[str, Any]
    """what its files say"""
    name: str
    """of its file"""
    overrides: Sequence[str]
    changes: Sequence[Changes]
    verification: Mapping[str, Any] | None = None
    """what `vaxsim validate --json` has printed"""

    @classmethod
    def of(
        cls,
        path: Path,
        overrides: Sequence[str] = (),
        verification: Mapping[str, Any] | None = None,
    ) -> Described:
        """From a scenario file. Raises ScenarioError."""
        return cls(
            load_scenario(path, overrides),
            raw_scenario(path, overrides),
            path.name,
            tuple(overrides),
            changes(path, overrides),
            verification,
        )


@dataclass(frozen=True)
class Changes:
    """How a scenario differs from the one it is made from."""

    made_by: str
    """a file, or --set"""
    parent: str
    rows: Sequence[tuple[str, str, str]] | None
    """dotted path, value in the parent, value here; None: the parent is no whole scenario"""


def changes(path: Path, overrides: Sequence[str]) -> list[Changes]:
    """What each file changes in the one it extends, and what overrides change. The oldest first."""
    from sim.experiment.comparison import scenario_changes

    files = [Path(layer.name) for layer in read_layers(path)]
    found = []
    for parent, child in pairwise(files):
        try:
            rows = scenario_changes(load_scenario(parent), load_scenario(child))
        except ScenarioError:
            rows = None
        found.append(Changes(child.name, parent.name, rows))
    if overrides:
        rows = scenario_changes(load_scenario(path), load_scenario(path, overrides))
        found.append(Changes("--set", path.name, rows))
    return found


def description(described: Described) -> Document:
    """The whole description, in the language spoken."""
    scenario = described.scenario
    return Document(
        _("Description of the model: {title}").format(title=named(scenario.title)),
        [
            *_beginning(described),
            Section(_("1 Objectives"), [
                Section(_("1.1 Purpose of the model"), _purpose(scenario)),
                Section(_("1.2 Model outputs"), _outputs(scenario)),
                Section(_("1.3 Aims of experiments"), _aims(described)),
            ]),
            Section(_("2 Logic"), [
                Section(_("2.1 Overview of the base model"), base_model.diagram(scenario)),
                Section(_("2.2 Logic of the base model"), base_model.logic()),
                Section(_("2.3 Logic of the scenario"), _scenario_logic(described)),
                Section(_("2.4 Algorithms"), base_model.algorithms(scenario)),
                Section(_("2.5 Components"), [
                    Section(_("2.5.1 Entities"), base_model.entities(scenario)),
                    Section(_("2.5.2 Activities"), base_model.activities(scenario)),
                    Section(_("2.5.3 Resources"), base_model.resources(scenario)),
                    Section(_("2.5.4 Queues"), base_model.queues(scenario)),
                    Section(_("2.5.5 Entry and exit points"), base_model.entry_and_exit()),
                ]),
            ]),
            Section(_("3 Data"), _data(described)),
            Section(_("4 Experimentation"), _experimentation(scenario)),
            Section(_("5 Implementation"), [
                Section(_("5.1 Software and programming language"), _software()),
                Section(_("5.2 Random sampling"), _random_sampling(scenario)),
                Section(_("5.3 Model execution"), _execution()),
                Section(_("5.4 System specification"), _system()),
            ]),
            Section(_("6 Code access"), [
                Section(_("6.1 How to get and to rerun the model"), _access(described)),
            ]),
            Section(_("7 Verification and validation"), _verification(described)),
        ],
        contents=True,
    )  # fmt: skip


def _beginning(described: Described) -> list[Block]:
    from sim.experiment.results import scenario_digest

    return [
        Paragraph(
            _(
                "This description follows the STRESS-DES checklist (Monks et al., Journal of "
                "Simulation 13, 2019, 55–67, doi 10.1080/17477778.2018.1442155); the numbers of "
                "its sections 1 to 6 are those of the checklist. Values, rules, streams, measures "
                "and laws are read from the scenario and from the code of the version that made it."
            )
        ),
        Table(
            _("What is described"),
            [_("thing"), _("here")],
            [
                [_("scenario"), [Code(described.name), ": ", named(described.scenario.title)]],
                [_("digest of the scenario"), Code(scenario_digest(described.scenario)[:8])],
                [_("program"), f"vaxsim {__version__}"],
            ],
        ),
    ]


# 1 Objectives ---------------------------------------------------------------------------------


def _purpose(scenario: Scenario) -> list[Block]:
    campaign = scenario.campaign
    facts = [
        (_("province"), campaign.province),
        (_("inhabitants"), count(campaign.population)),
        (_("vaccinated before the campaign"), count(campaign.vaccinated_before)),
        (_("people still to vaccinate"), count(scenario.target)),
        (_("goal, of all inhabitants"), percent(campaign.coverage_goal)),
        (_("first day"), long_date(campaign.first_day)),
        (_("vaccination from"), long_date(campaign.vaccination_from)),
        (_("deadline"), long_date(campaign.deadline)),
        (_("last day simulated"), long_date(campaign.horizon)),
        (_("units"), count(len(scenario.units))),
        (_("doses delivered"), count(sum(d.doses for d in scenario.deliveries.values()))),
    ]
    return [
        Paragraph(
            _(
                "The model answers, for a vaccination campaign with a booking call centre and "
                "vaccination units: is everyone vaccinated by the deadline, how sure is that, what "
                "stands in the way on which day, and what would it take?"
            )
        ),
        *([Paragraph(scenario.description.strip())] if scenario.description.strip() else []),
        Table(_("The campaign"), [_("fact"), _("value")], facts, "<>"),
    ]


def _outputs(scenario: Scenario) -> list[Block]:
    from sim.experiment.measures import known_measures, measure
    from sim.experiment.statistics import CONFIDENCE
    from sim.model.records import TABLES

    return [
        Paragraph(
            _(
                "The model records tables as it goes and computes nothing in between. Every "
                "measure is computed from the tables of a replication after it has ended, in one "
                "place (the module sim.experiment.measures). Over replications a measure has its "
                "mean and its {level} % confidence interval (4.3)."
            ).format(level=f"{100 * CONFIDENCE:g}")
        ),
        Table(
            _("Measures of a replication"),
            [_("measure"), _("unit"), _("meaning")],
            [
                [Code(name), _(measure(name).unit), _(measure(name).meaning)]
                for name in known_measures(scenario)
            ],
        ),
        Table(
            _("Tables that a replication leaves (each also has its number: replication)"),
            [_("table"), _("a row is"), _("columns (unit): meaning")],
            [
                [
                    Code(table.name),
                    _(table.row),
                    "; ".join(
                        f"{column.name}{f' ({column.unit})' if column.unit else ''}: "
                        f"{_(column.meaning)}"
                        for column in table.columns[1:]
                    ),
                ]
                for table in TABLES.values()
            ],
        ),
    ]


def _aims(described: Described) -> list[Block]:
    blocks: list[Block] = [
        Paragraph(
            [
                _("(A) Scenarios. This one: "),
                named(described.scenario.title),
                ". ",
                _("What distinguishes it from its parent is in 2.3.")
                if described.changes
                else _("It extends no other scenario: it is a base case."),
            ]
        ),
        Paragraph(
            _(
                "(B) Designs of experiments: vaxsim compare (paired comparison with common random "
                "numbers), vaxsim sweep (full grid, Latin hypercube or Sobol points), vaxsim "
                "sensitivity (which of the uncertain numbers matters) and vaxsim risk (deliveries "
                "that come late or short). Each keeps its design with its results."
            )
        ),
        Paragraph(
            _(
                "(C) Optimisation: vaxsim staff (the cheapest staffing that reaches a goal with a "
                "given probability) and vaxsim goal (the smallest changes that do). What a search "
                "proposes is confirmed by replications that took no part in it; the algorithms, as "
                "their modules describe them:"
            )
        ),
    ]
    for module in ("sim.experiment.staffing", "sim.experiment.attainment"):
        blocks += module_words(module)
    return blocks


# 2.3 The scenario -----------------------------------------------------------------------------


def _scenario_logic(described: Described) -> list[Block]:
    if not described.changes:
        return [
            Paragraph(
                _(
                    "The scenario is the base case itself: it extends no other file, and nothing "
                    "was set upon it."
                )
            )
        ]
    blocks: list[Block] = [
        Paragraph(
            _(
                "A scenario differs from its parent in values alone, never in code. The people and "
                "their luck are the same in both (common random numbers, 5.2)."
            )
        )
    ]
    for each in described.changes:
        caption = _("What {child} changes in {parent}").format(
            child=each.made_by, parent=each.parent
        )
        if each.rows is None:
            blocks.append(
                Paragraph(
                    _(
                        "{child} extends {parent}, which is no whole scenario by itself; all "
                        "values are listed in 3.3 and 3.4."
                    ).format(child=each.made_by, parent=each.parent)
                )
            )
        elif not each.rows:
            blocks.append(Paragraph([caption, _(": nothing.")]))
        else:
            blocks.append(
                Table(
                    caption,
                    [_("key"), _("value there"), _("value here")],
                    [
                        [Code(path), before or _("not there"), after or _("removed")]
                        for path, before, after in each.rows
                    ],
                )
            )
    return blocks


# 3 Data ---------------------------------------------------------------------------------------


def _data(described: Described) -> list[Block]:
    everything = parameters(described.scenario, described.raw)
    given = [each for each in everything if each.given]
    defaults = [each for each in everything if not each.given]
    assumed = [each for each in given if each.assumed]
    known = [each for each in given if not each.assumed]
    return [
        Section(_("3.1 Data sources"), _sources(given)),
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
                *([_defaults(defaults)] if defaults else []),
                *_calendar(described.scenario),
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
                    ).format(n=len(assumed), all=len(given))
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
        "Who is willing stays willing, unless an appointment is missed or comes to nothing; nobody "
        "is persuaded or put off by others, or by waiting times of which they hear."
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
    N_("Other channels register people within their daily limit, without a queue of their own."),
)
"""What the model leaves out or takes for granted, whatever the scenario."""


def _sources(given: Sequence[Parameter]) -> list[Block]:
    numbers: dict[str, int] = {}
    for each in given:
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


def _parameter_tables(chosen: Sequence[Parameter], caption: str) -> list[Block]:
    parts = list(dict.fromkeys(each.part for each in chosen))
    return [
        Table(
            _(caption).format(part=part),
            [_("key"), _("value"), _("unit"), _("meaning"), _("range"), _("source")],
            [
                [
                    _keys(each.paths),
                    each.value,
                    each.unit,
                    _(each.meaning),
                    each.range or "–",
                    each.source or _("no source given"),
                ]
                for each in chosen
                if each.part == part
            ],
        )
        for part in parts
    ]


def _keys(paths: Sequence[str]) -> Text:
    said: list[str] = []
    for path in paths:
        said += [", ", Code(path)] if said else [Code(path)]
    return said


def _defaults(defaults: Sequence[Parameter]) -> Table:
    return Table(
        _("Left at their defaults, wherever no other table gives the value (* is any name)"),
        [_("key"), _("value"), _("unit"), _("meaning")],
        [[_keys(each.paths), each.value, each.unit, _(each.meaning)] for each in defaults],
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


# 4 Experimentation ----------------------------------------------------------------------------


def _experimentation(scenario: Scenario) -> list[Block]:
    from sim.experiment.settings import DEFAULT_REPLICATIONS, DEFAULT_SEED

    campaign = scenario.campaign
    days = (campaign.horizon - campaign.first_day).days + 1
    before = sum(
        entry.people for group in scenario.groups.values() for entry in group.already_vaccinated
    )
    advance = sum(group.people for group in scenario.groups.values() if group.booked_in_advance)
    return [
        Section(
            _("4.1 Initialisation"),
            [
                Paragraph(
                    _(
                        "A campaign is a terminating simulation: it starts as a campaign does, "
                        "with empty queues, an empty store and no appointments, and needs no "
                        "warm-up period. Of the target, {before} people have had doses before the "
                        "first day, and the willing of {advance} people are on the waiting list "
                        "from the first evening, registered in advance, in random order."
                    ).format(before=count(before), advance=count(advance))
                )
            ],
        ),
        Section(
            _("4.2 Run length"),
            [
                Paragraph(
                    _(
                        "{days} days, from {first} to {last}; the deadline is {deadline}. Sessions "
                        "and the call centre's day end when the last person inside has been "
                        "served (limits: 3.3 and 3.4)."
                    ).format(
                        days=count(days),
                        first=long_date(campaign.first_day),
                        last=long_date(campaign.horizon),
                        deadline=long_date(campaign.deadline),
                    )
                )
            ],
        ),
        Section(
            _("4.3 Estimation approach"),
            [
                Paragraph(
                    _(
                        "Independent replications: {n} with seed {seed} unless the command says "
                        "otherwise (--replications, --seed), or as many as a wanted precision "
                        "takes (--precision). Replication r has the same people with the same luck "
                        "in every scenario, so differences between scenarios are estimated in "
                        "pairs."
                    ).format(n=DEFAULT_REPLICATIONS, seed=DEFAULT_SEED)
                ),
                *(
                    block
                    for name in ("mean_interval", "paired_difference", "proportion_interval")
                    for block in name_words("sim.experiment.statistics", name)
                ),
            ],
        ),
    ]


# 5 Implementation -----------------------------------------------------------------------------


def _software() -> list[Block]:
    from sim.experiment.run_writer import environment

    versions = environment()
    return [
        Paragraph(
            _(
                "vaxsim {version}, written in Python; the reference engine is a SimPy model, the "
                "compiled engine the same model in numba. Scenario files are TOML, results Parquet."
            ).format(version=__version__)
        ),
        Table(
            _("Versions with which this description was made; a run keeps those it was made with"),
            [_("software"), _("version")],
            [["Python", versions["python"]], *map(list, sorted(versions["libraries"].items()))],
        ),
    ]


def _random_sampling(scenario: Scenario) -> list[Block]:
    return [
        *module_words("sim.random_streams"),
        Table(
            _("Random streams, with their frozen numbers"),
            [_("stream"), _("number"), _("what its four words decide, in order")],
            [[Code(stream.name), str(int(stream)), words] for stream, words in streams()],
            "<><",
        ),
        Table(
            _("Distributions, with mean and standard deviation as they are drawn"),
            [_("key"), _("distribution"), _("unit"), _("mean"), _("sd")],
            [
                [_keys(each.paths), each.words, each.unit, f"{each.mean:,.4g}", f"{each.sd:,.4g}"]
                for each in distributions(scenario)
            ],
            "<<<>>",
        ),
        Table(
            _("Other random choices"),
            [_("choice"), _("law"), _("parameters")],
            [[_(choice), _(law), _keys(keys)] for choice, law, keys in _CHOICES],
        ),
    ]


_YES_OR_NO = N_("yes with this probability")
_CHOICES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (N_("willing to be vaccinated"), _YES_OR_NO, ("groups.*.willing",)),
    (N_("books by telephone"), _YES_OR_NO, ("groups.*.telephone_share",)),
    (N_("home unit"), N_("one of the units, in proportion to district and weight"),
     ("districts.*", "units.*.catchment_weight")),
    (N_("day and hour of the first call"),
     N_("one hour of the curve (3.2), then uniform within it"),
     ("groups.*.first_calls", "call_centre.weekday_calls", "call_centre.call_times")),
    (N_("calls only to ask"), _YES_OR_NO, ("call_centre.inquiries_per_person",)),
    (N_("redials after a busy signal or giving up"), _YES_OR_NO,
     ("call_centre.redial_probability",)),
    (N_("tries again on another day"), _YES_OR_NO, ("call_centre.another_day_probability",)),
    (N_("an answered call ends in a booking"), _YES_OR_NO, ("groups.*.books_when_answered",)),
    (N_("does not come to the appointment"), _YES_OR_NO, ("appointments.no_show",)),
    (N_("books again"), _YES_OR_NO,
     ("appointments.rebook_after_no_show", "appointments.rebook_after_turned_away")),
    (N_("visits a station"), _YES_OR_NO, ("unit_types.*.stations.*.share",)),
    (N_("has an adverse event"), _YES_OR_NO,
     ("unit_types.*.stations.*.adverse_event_probability",)),
    (N_("number who walk in on a day"), N_("Poisson"), ("unit_types.*.walk_ins_per_day",)),
    (N_("vials lost in storage"), N_("the expected number, rounded up or down at random"),
     ("vaccines.*.storage_loss",)),
)  # fmt: skip


def _execution() -> list[Block]:
    return [
        Paragraph(
            _(
                "Event-driven within a day, day by day in between. At one instant events happen in "
                "a fixed order of kinds, then of numbers, so that a replication has one result; "
                "the order is part of the rules in 2.2. The two engines give equal results, to the "
                "last bit: the reference engine defines the model, the compiled engine is the "
                "default."
            )
        ),
        Paragraph(
            _(
                "Replications are spread over processor cores, or over the workers of a dask "
                "cluster; no result depends on their number or on their order. A stopped run goes "
                "on where it was, and ends with the same bytes."
            )
        ),
    ]


def _system() -> list[Block]:
    return [
        Paragraph(
            _(
                "Any 64-bit machine with Python 3.11 or newer. Results do not depend on the "
                "machine: times are whole microseconds, random numbers are integers, and durations "
                "are looked up in integer tables. The manifest of every run has the platform and "
                "the versions it was made with; vaxsim bench measures the speed and the memory of "
                "the machine it runs on."
            )
        )
    ]


# 6 Code access --------------------------------------------------------------------------------


def _access(described: Described) -> list[Block]:
    from sim.experiment.results import command

    sets = [word for text in described.overrides for word in ("--set", text)]
    return [
        Paragraph(
            _(
                "The program is free software under the MIT licence and comes as a Python package "
                "with its scenarios, its tests and this description's source; CITATION.cff says "
                "how to cite it. It needs no other program and no network."
            )
        ),
        Listing(
            f"{command('run', described.name, *sets)}\nvaxsim verify RUN\nvaxsim validate",
            _("To rerun the scenario, to have a run checked to the last digit, and to have the "
              "program checked against theory:"),
        ),
    ]  # fmt: skip


# 7 Verification -------------------------------------------------------------------------------


def _verification(described: Described) -> list[Block]:
    return [
        Section(
            _("Laws checked in every replication"),
            [
                Paragraph(
                    _(
                        "Each compares two sides that are recorded apart. A replication in which "
                        "one does not hold ends with an error that says what, where and when."
                    )
                ),
                *_laws(),
            ],
        ),
        Section(_("Against theory"), _against_theory(described.verification)),
        Section(
            _("Against history and against itself"),
            [
                Paragraph(
                    _(
                        "vaxsim backtest replays observed days, fits what is unknown on a first "
                        "window, predicts a later one and sets the error beside those of two naive "
                        "forecasts. The tests compare the two engines on thousands of random days, "
                        "break rules on purpose to see that it is noticed, and try relations that "
                        "must hold between scenarios (more agents, twice everything, units in "
                        "another order)."
                    )
                )
            ],
        ),
    ]


def _laws() -> list[Block]:
    found: list[Block] = []
    for module, name in (
        ("sim.model.audit", "check_sessions"),
        ("sim.model.audit", "check_calls"),
        ("sim.experiment.conservation", "check_conservation"),
    ):
        found += name_words(module, name)
    return found


_VALIDATION = "vaxsim validate --json > validation.json"


def _against_theory(verification: Mapping[str, Any] | None) -> list[Block]:
    from sim.experiment.validation_cases import all_cases

    how = _(
        "vaxsim validate reduces scenarios to queues with a formula, simulates them through the "
        "whole program, on both engines, and compares with the exact values."
    )
    if verification is None:
        return [
            Paragraph(how),
            Paragraph(
                [
                    _("No results were given to this description. To have them here: "),
                    Code(_VALIDATION),
                    _(", then "),
                    Code("vaxsim describe … --verification validation.json"),
                    ".",
                ]
            ),
            Table(
                _("The cases, with their exact values"),
                [_("case"), _("what it reduces to"), _("source"), _("exact values")],
                [
                    [
                        Code(case.name),
                        case.queue,
                        case.source,
                        "; ".join(f"{q.name}: {q.exact:,.6g}" for q in case.quantities),
                    ]
                    for case in all_cases()
                ],
            ),
        ]
    rows = [
        [
            Code(case["name"]),
            f"{case['queue']} [{case['source']}]",
            quantity["name"],
            *_judged(quantity),
        ]
        for case in verification["cases"]
        for quantity in case["quantities"]
    ]
    compared = [case for case in verification["cases"] if case["engines_equal"] is not None]
    equal = sum(case["engines_equal"] for case in compared)
    passed = sum(case["passed"] for case in verification["cases"])
    return [
        Paragraph(how),
        Paragraph(
            _("{passed} of {all} cases pass; equal tables from both engines in {equal} of "
              "{compared} cases compared.").format(
                passed=passed, all=len(verification["cases"]), equal=equal, compared=len(compared)
            )
        ),
        Table(
            _("Measured against exact values ({level} % intervals)").format(
                level=f"{100 * verification['confidence']:g}"
            ),
            [_("case"), _("what it reduces to"), _("quantity"), _("measured"), _("interval"),
             _("exact"), _("verdict")],
            rows,
            "<<<>>><",
        ),
    ]  # fmt: skip


def _judged(quantity: Mapping[str, Any]) -> list[str]:
    last = quantity["judgements"][-1]
    shown = [
        "–" if last[name] is None else f"{last[name]:,.6g}" for name in ("mean", "low", "high")
    ]
    return [
        shown[0],
        f"{shown[1]} – {shown[2]}",
        f"{quantity['exact']:,.6g}",
        _("pass") if quantity["passed"] else _("FAIL: {verdict}").format(verdict=last["verdict"]),
    ]


def read_verification(path: Path) -> dict[str, Any]:
    """What `vaxsim validate --json` has printed into a file. Raises RunError if it is not that."""
    from sim.experiment.results import RunError

    asked = _("name a file made by: {command}").format(command=_VALIDATION)
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _against_theory(found)
    except OSError as error:
        raise RunError(
            _("{file} cannot be read: {reason}").format(file=path, reason=error.strerror)
            + f"; {asked}"
        ) from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise RunError(
            _("{file} is no result of a validation").format(file=path) + f"; {asked}"
        ) from None
    return found
