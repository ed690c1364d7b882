"""How a scenario is simulated and what with, for a description: experiments, implementation."""

from __future__ import annotations

from sim import __version__
from sim.language import N_, _, long_date
from sim.presentation.code_words import module_words, name_words, streams
from sim.presentation.document import Block, Code, Paragraph, Section, Table
from sim.presentation.parameters import distributions, keys
from sim.presentation.terminal import count
from sim.scenario import Scenario


def experimentation(scenario: Scenario) -> list[Block]:
    """How a campaign begins, how long it goes on, and how its measures are estimated."""
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


# Implementation -----------------------------------------------------------------------------


def implementation(scenario: Scenario) -> list[Block]:
    """Software, random numbers, execution, machine."""
    return [
        Section(_("5.1 Software and programming language"), _software()),
        Section(_("5.2 Random sampling"), _random_sampling(scenario)),
        Section(_("5.3 Model execution"), _execution()),
        Section(_("5.4 System specification"), _system()),
    ]


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
            _("Distributions but constants, with mean and standard deviation as they are drawn"),
            [_("key"), _("distribution"), _("unit"), _("mean"), _("sd")],
            [
                [keys(each.paths), each.words, each.unit, f"{each.mean:,.4g}", f"{each.sd:,.4g}"]
                for each in distributions(scenario)
            ],
            "<<<>>",
        ),
        Table(
            _("Other random choices"),
            [_("choice"), _("law"), _("parameters")],
            [[_(choice), _(law), keys(paths)] for choice, law, paths in _CHOICES],
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
    (N_("redials after giving up, or after a busy signal"), _YES_OR_NO,
     ("call_centre.redial_probability", "call_centre.redial_after_busy_probability")),
    (N_("calls again after an answer"), _YES_OR_NO, ("call_centre.reconnect_probability",)),
    (N_("tries again on another day"), _YES_OR_NO, ("call_centre.another_day_probability",)),
    (N_("time of a call on another day"),
     N_("one of the opening hours by weight, then uniform within it"), ("call_centre.call_times",)),
    (N_("an answered call ends in a booking"), _YES_OR_NO, ("groups.*.books_when_answered",)),
    (N_("does not come to the appointment"), _YES_OR_NO, ("appointments.no_show",)),
    (N_("books again"), _YES_OR_NO,
     ("appointments.rebook_after_no_show", "appointments.rebook_after_turned_away")),
    (N_("visits a station"), _YES_OR_NO, ("unit_types.*.stations.*.share",)),
    (N_("has an adverse event"), _YES_OR_NO,
     ("unit_types.*.stations.*.adverse_event_probability",)),
    (N_("number who walk in on a day"), N_("Poisson"), ("unit_types.*.walk_ins_per_day",)),
    (N_("time of walking in"),
     N_("uniform in opening hours; with weights, one hour, then uniform within it"),
     ("unit_types.*.walk_in_times",)),
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
