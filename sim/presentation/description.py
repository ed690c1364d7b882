"""A description of a model and a scenario that a referee would accept.

It follows the STRESS-DES checklist: Monks, Currie, Onggo, Robinson, Kunc and Taylor, "Strengthening
the reporting of empirical simulation studies", Journal of Simulation 13 (2019) 55-67, item by item.
What can be read from the scenario or from the code is read there, so that it cannot be out of date;
the rest is written here, in our own words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from sim import __version__
from sim.language import _, long_date, named
from sim.model.records import Table as Recorded
from sim.presentation import base_model
from sim.presentation.code_words import module_words
from sim.presentation.data_words import data
from sim.presentation.document import (
    Block,
    Code,
    Document,
    Listing,
    Paragraph,
    Section,
    Table,
)
from sim.presentation.study_words import experimentation, implementation
from sim.presentation.terminal import count, percent
from sim.presentation.verification_words import Evidence, verification
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
    evidence: Evidence = field(default_factory=Evidence)

    @classmethod
    def of(
        cls,
        path: Path,
        overrides: Sequence[str] = (),
        evidence: Evidence | None = None,
    ) -> Described:
        """From a scenario file. Raises ScenarioError."""
        return cls(
            load_scenario(path, overrides),
            raw_scenario(path, overrides),
            path.name,
            tuple(overrides),
            changes(path, overrides),
            evidence or Evidence(),
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
            Section(_("3 Data"), data(scenario, described.raw)),
            Section(_("4 Experimentation"), experimentation(scenario)),
            Section(_("5 Implementation"), implementation(scenario)),
            Section(_("6 Code access"), [
                Section(_("6.1 How to get and to rerun the model"), _access(described)),
            ]),
            Section(_("7 Verification and validation"), verification(described.evidence)),
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
        *([Paragraph(named(words))] if (words := scenario.description.strip()) else []),
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
                    _columns(table),
                ]
                for table in TABLES.values()
            ],
        ),
    ]


def _columns(table: Recorded) -> list[str]:
    """Names, units and meanings of a table's columns in a row."""
    found: list[str] = []
    for column in table.columns[1:]:
        unit = f" ({_(column.unit)})" if column.unit else ""
        found += ["; " if found else "", Code(column.name), f"{unit}: {_(column.meaning)}"]
    return found


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
