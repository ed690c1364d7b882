"""A report to print or to send on: verdict, pictures and tables, assumptions, validity.

Of a run it tells everything that a committee asks; of a comparison, a sweep or another study the
sentence first, then its pictures, then its tables. The same results give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from sim.experiment.answer import Answer, answer, sum_over_replications
from sim.experiment.binding import Binding, binding
from sim.experiment.comparison import open_comparison, scenario_changes
from sim.experiment.coverage import SCOPES
from sim.experiment.measures import measure, on, station_names
from sim.experiment.results import (
    COMPARISON_MANIFEST,
    STUDY_MANIFEST,
    SWEEP_MANIFEST,
    Run,
    RunError,
    command,
    open_run,
)
from sim.experiment.statistics import quantile_band
from sim.language import N_, _, named
from sim.model.ledger import LAWS
from sim.presentation import answer_view, binding_view, terminal
from sim.presentation.code_words import inline
from sim.presentation.data_words import tables_of_values
from sim.presentation.document import (
    Block,
    Code,
    Document,
    Items,
    Listing,
    Paragraph,
    Picture,
    Section,
    Table,
    Text,
)
from sim.presentation.terminal import Part, count, percent
from sim.presentation.verification_words import Evidence, against_history, against_theory
from sim.scenario import Scenario

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def report(
    folder: Path, against: Scenario | None = None, evidence: Evidence | None = None
) -> Document:
    """The report of a run, sweep, comparison or study, in the language spoken.

    `against`: a scenario from which all differences are told, of a run only; `evidence` of the
    program's validity: of a run, too. Raises RunError for a folder that holds none of them, or one
    that is damaged.
    """
    for manifest, of in (
        (SWEEP_MANIFEST, _sweep_report),
        (COMPARISON_MANIFEST, _comparison_report),
        (STUDY_MANIFEST, _study_report),
    ):
        if (folder / manifest).is_file():
            if against is not None:
                raise RunError(_("{folder} is no run: leave out --against").format(folder=folder))
            return of(folder)
    return report_of_run(open_run(folder), against, evidence)


# A run ----------------------------------------------------------------------------------------


def report_of_run(
    run: Run, against: Scenario | None = None, evidence: Evidence | None = None
) -> Document:
    """The report of a run."""
    told = _Told(run)
    return Document(
        named(run.scenario.title) or _("A campaign"),
        [
            *_verdict(told),
            Section(_("Coverage"), _coverage(told)),
            Section(_("Who is vaccinated, and why the others are not"), _reasons(told)),
            Section(_("What binds, day by day"), _what_binds(told)),
            Section(_("Doses"), _doses(told)),
            Section(_("The call centre"), _call_centre(told)),
            Section(_("The vaccination units"), _units(told)),
            Section(_("Assumptions"), _assumptions(run, against)),
            Section(_("Validity, and how to rerun it"), _validity(run, evidence or Evidence())),
            Section(_("Words in this report"), [Items([_(words) for words in _WORDS])]),
        ],
        contents=True,
    )


@dataclass(frozen=True)
class _Told:
    """What several sections need, computed once."""

    run: Run

    @cached_property
    def answer(self) -> Answer:
        return answer(self.run)

    @cached_property
    def binding(self) -> Binding:
        return binding(self.run)

    @cached_property
    def topics(self) -> list[Table]:
        return answer_view.measures_by_topic(self.run)

    @cached_property
    def pictures(self) -> dict[str, bytes]:
        from sim.presentation import plots

        return {name: drawn for name, _title, drawn in _drawn(plots.pictures(self.run))}

    def picture(self, name: str, alternative: str) -> Picture:
        return Picture(self.pictures[name], alternative)


def _verdict(told: _Told) -> list[Block]:
    run = told.run
    return [
        Paragraph(answer_view.verdict(told.answer), "answer"),
        *(
            Paragraph(_("Warning: {text}").format(text=text))
            for text in answer_view.warnings(run.scenario)
        ),
        Paragraph(answer_view.ceiling_line(run.scenario)),
        Paragraph(binding_view.sentence(told.binding)),
        *([Paragraph(named(words), "note")] if (words := run.scenario.description.strip()) else []),
    ]


def _coverage(told: _Told) -> list[Block]:
    notes = answer_view.notes_on_measures(told.run)
    return [
        told.picture(
            "coverage",
            _("Curves of coverage by date, of all inhabitants and of the target: {verdict}").format(
                verdict=answer_view.verdict(told.answer)
            ),
        ),
        *(
            [Paragraph(_("Curves are medians of the replications; numbers are means."), "note")]
            if told.run.settings.replications > 1
            else []
        ),
        _coverage_by_date(told.run),
        *(
            [answer_view.likelihood(told.run, told.answer)]
            if told.answer.deadline_simulated
            else []
        ),
        *told.topics[:2],
        *(Paragraph(note, "note") for note in notes),
    ]


def _coverage_by_date(run: Run) -> Table:
    """The curve's numbers at the ends of months and at the deadline."""
    campaign = run.scenario.campaign
    columns = [_("evening of"), _("first dose"), _("of the target"), _("fully vaccinated"),
               _("of the target")]  # fmt: skip
    cells: dict[pd.Timestamp, list[str]] = {}
    for scope in SCOPES:
        curve = run.coverage(scope)
        persons = curve.pivot_table(index="replication", columns="date", values="persons")
        low, high = quantile_band(persons.to_numpy(), (0.05, 0.95))
        mean = persons.mean()
        for i, day in enumerate(pd.DatetimeIndex(persons.columns)):
            last = day + pd.Timedelta(days=1)
            if last.day != 1 and day.date() != campaign.deadline and day != persons.columns[-1]:
                continue
            band = count(mean.iloc[i])
            if low[i] != high[i]:
                band += f" ({count(low[i])} – {count(high[i])})"
            cells.setdefault(day, [on(day.date())]).extend(
                (band, percent(mean.iloc[i] / run.scenario.target))
            )
    caption = _("Coverage in numbers")
    if run.settings.replications > 1:
        words = _("mean; in brackets 5 to 95 % of the replications")
        few = terminal.caution(run.settings.replications)
        caption += f" ({'; '.join(filter(None, (words, few)))})"
    return Table(caption, columns, list(cells.values()), "<>>>>")


def _reasons(told: _Told) -> list[Block]:
    alternative = _("Bars from the target down to the vaccinated, reason by reason; the table says")
    return [told.picture("reasons", alternative), answer_view.who_and_why(told.answer)]


def _what_binds(told: _Told) -> list[Block]:
    found = told.binding
    sections = binding_view.binding_sections(told.run, found)
    return [
        told.picture("binding", _("Calendar of what held back the next person, day by day")),
        *blocks_of([sections[0][1:], *sections[1:]]),
        told.picture("binding_units", _("The same for each unit, day by day")),
    ]


def _doses(told: _Told) -> list[Block]:
    return [
        told.picture("doses", _("Doses given a day by type of unit, and doses in stock")),
        answer_view.slots_and_doses(told.run, told.answer),
        told.topics[2],
    ]


def _call_centre(told: _Told) -> list[Block]:
    alternative = _("Calls a day by outcome; below, attempts against the people behind them")
    return [told.picture("call_centre", alternative), told.topics[3]]


def _units(told: _Told) -> list[Block]:
    return [
        told.picture("unit_day", _("Queue and service at each station of the busiest unit")),
        told.topics[4],
        _by_station(told.run),
        _by_unit(told.run),
    ]


def _by_station(run: Run) -> Table:
    """Waits, queue and use of each station (means over the replications)."""
    columns = {
        "delayed_share": _("waited"),
        "mean_wait_minutes": _("mean wait"),
        "p90_wait_minutes": _("90 % waited no longer than"),
        "mean_queue": _("mean queue of a unit"),
        "max_queue": _("longest queue"),
        "utilisation": _("in use"),
    }
    rows: list[list[Text]] = []
    for station in station_names(run.scenario):
        measures = [f"station_{station}_{name}" for name in columns]
        means = [(run.estimates[name].mean, measure(name).unit) for name in measures]
        cells = ["–" if mean is None else terminal.amount(mean, unit) for mean, unit in means]
        rows.append([terminal.in_words(station), *cells])
    caption = _("The stations: who waited, of those served, and how long (all units, mean)")
    return Table(caption, [_("station"), *columns.values()], rows, "<>>>>>>")


def _by_unit(run: Run) -> Table:
    """Doses, slots and people turned away, unit by unit (means)."""
    from sim.experiment.plan_arithmetic import capacity

    n = run.settings.replications
    given = sum_over_replications(run, "daily", ["unit"], ["administered"])
    doses = given.set_index("unit")["administered"] / n
    slots = capacity(run.scenario).groupby("unit")["slots_per_day"].first()
    rows: list[list[Text]] = [
        [
            named(unit.title or name),
            terminal.in_words(unit.type),
            count(float(slots.get(name, 0))),
            count(float(doses.get(name, 0.0))),
        ]
        for name, unit in run.scenario.units.items()
    ]
    columns = [_("unit"), _("type"), _("slots a day"), _("doses given")]
    caption = _("The units: slots on an open day, and doses given in the campaign (mean)")
    return Table(caption, columns, rows, "<<>>")


def _assumptions(run: Run, against: Scenario | None) -> list[Block]:
    blocks: list[Block] = []
    if against is not None:
        title = named(against.title)
        rows = [[Code(path), *values] for path, *values in scenario_changes(against, run.scenario)]
        if rows:
            caption = _("Differences from: {title}").format(title=title)
            blocks.append(Table(caption, [_("key"), _("there"), _("here")], rows))
        else:
            blocks.append(Paragraph(_("The same as: {title}.").format(title=title)))
    words = _(
        "Assumed is what nobody has measured or decided. Each row says what a value is, its key in "
        "scenario files, the range in which it is varied, and where it comes from."
    )
    tables = tables_of_values(run.scenario, run.manifest["scenario"], most_keys=2)
    blocks += [Paragraph(words), *(tables[each] for each in tables if each != "unused")]
    return [
        *blocks,
        Paragraph(
            inline(_("What the scenario does not use is told by `vaxsim describe`.")), "note"
        ),
    ]


def _validity(run: Run, evidence: Evidence) -> list[Block]:
    manifest, settings = run.manifest, run.settings
    rows: list[list[Text]] = [
        [_("scenario"), Code(str(manifest["scenario_sha256"]))],
        [_("seed"), str(settings.seed)],
        [_("replications"), count(settings.replications)],
        [_("engine"), settings.engine],
        [_("made with"), f"vaxsim {manifest['vaxsim']}, Python {manifest.get('python', '?')}"],
        [
            _("libraries"),
            ", ".join(f"{name} {of}" for name, of in manifest.get("libraries", {}).items()),
        ],
    ]
    name = run.folder.resolve().name
    return [
        Paragraph(
            _(
                "Every replication was audited when it was made: doses, persons, calls and "
                "bookings are conserved, and Little's law holds at every queue."
            )
        ),
        _audit(run),
        *against_theory(evidence),
        *(against_history(evidence) if evidence.backtest else []),
        Table(_("What determines the numbers"), ["", ""], rows),
        Listing(
            "\n".join((command("verify", name), command("show", name))),
            _("To simulate it again and compare every number, and to see all measures"),
        ),
    ]


_WORDS = (
    N_("Replication: the whole campaign simulated once, with people and luck of its own."),
    N_(
        "95 % interval: where the mean of very many replications lies, with a confidence of 95 %. "
        "It says how well the mean is known, not how far a single campaign may be from it."
    ),
    N_("Target: the people whom the campaign is to vaccinate. Slot: room for one appointment."),
    N_(
        "At most: what slots, doses, turns, willingness and intervals allow, even if nobody had to "
        "telephone."
    ),
    N_("Seed: the number that all luck comes from; the same seed gives the same results."),
    N_("Engine: which of two programs has simulated each day; both give equal results."),
    N_(
        "Little's law: the mean number in a queue is the rate of arrivals times the mean time in "
        "the queue. A queue that breaks it has lost people or minutes."
    ),
)


def _audit(run: Run) -> Table:
    """The laws, how often each was checked, and how often it held."""
    found = run.table("audit", ["law", "cases", "passed"])
    rows: list[list[Text]] = []
    for law, group in found.groupby("law", sort=False):
        said, checks, passed = LAWS[str(law)], len(group), int(group["passed"].sum())
        sign = "=" if said.relation == "=" else "≤"
        held = f"{passed:,} / {checks:,}"
        rows.append([f"{_(said.left)} {sign} {_(said.right)}", count(group["cases"].sum()), held])
    columns = [_("law"), _("cases"), _("passed")]
    return Table(_("What was checked in every replication"), columns, rows, "<>>")


# Sweeps, comparisons, studies -----------------------------------------------------------------


def _sweep_report(folder: Path) -> Document:
    from sim.experiment.sweep import open_sweep
    from sim.presentation import sweep_view

    found = open_sweep(folder)
    measures = sweep_view.DEFAULT_MEASURES
    return _of_sections(
        _("A sweep: {title}").format(title=named(found.scenario.title)),
        [[sweep_view.sentence(found, measures[0])], *sweep_view.sweep_sections(found, measures)],
        sweep_view.pictures(found, measures),
        folder,
    )


def _comparison_report(folder: Path) -> Document:
    from sim.presentation import comparison_view

    found = open_comparison(folder)
    titles = [named(run.scenario.title) or name for name, run in found.runs.items()]
    if len(set(titles)) < len(titles):
        titles = [
            title if title == name else f"{title} ({name})"
            for name, title in zip(found.runs, titles, strict=True)
        ]
    return _of_sections(
        _("A comparison: {titles}").format(titles=" – ".join(titles)),
        [[comparison_view.sentence(found)], *comparison_view.comparison_sections(found)],
        comparison_view.pictures(found),
        folder,
    )


def _study_report(folder: Path) -> Document:
    from sim.experiment.study import open_study
    from sim.presentation import study_views

    found = open_study(folder)
    title = named(str(found.manifest["title"]))
    return _of_sections(
        f"{_(_STUDIES.get(found.kind, found.kind))} – {title}",
        study_views.study_sections(found),
        study_views.pictures(found),
        folder,
    )


_STUDIES = {
    "goal": N_("What would it take?"),
    "staff": N_("How few staff are enough?"),
    "sensitivity": N_("What matters?"),
    "risk": N_("Risk of deliveries"),
    "backtest": N_("Against history"),
}


def _of_sections(
    title: str,
    sections: Iterable[Iterable[Part]],
    pictures: Iterable[tuple[str, Figure]],
    folder: Path,
) -> Document:
    """A report of an answer whose first line of all is what it has to say, and of pictures."""
    (sentence, *more), *others = sections
    assert isinstance(sentence, str)
    blocks: list[Block] = [Paragraph(sentence, "answer"), *blocks_of([more])]
    for _name, title_of_it, content in _drawn(pictures):
        words = _("Picture: {title}. The tables have the numbers.")
        blocks.append(Picture(content, words.format(title=title_of_it)))
    blocks += blocks_of(others)
    blocks.append(Listing(command("show", folder.resolve().name), _("To see it again")))
    return Document(title, blocks)


def blocks_of(sections: Iterable[Iterable[Part]]) -> Iterator[Block]:
    """The parts of an answer as blocks of a page; what a terminal breaks into lines is joined."""
    parts = list(chain.from_iterable(sections))
    for i, part in enumerate(parts):
        if isinstance(part, str):
            if i and isinstance(parts[i - 1], str) and part.startswith("  "):
                continue
            more = takewhile(lambda each: isinstance(each, str), parts[i + 1 :])
            lines = takewhile(lambda line: str(line).startswith("  "), more)
            yield Paragraph(" ".join([part, *(str(line).strip() for line in lines)]))
        elif not isinstance(part, Table | Items) or (
            part.rows if isinstance(part, Table) else part.items
        ):
            yield part


# Pictures, files ------------------------------------------------------------------------------


def _drawn(pictures: Iterable[tuple[str, Figure]]) -> Iterator[tuple[str, str, bytes]]:
    """Name, title and SVG file of the pictures, the same bytes each time."""
    from sim.presentation.figures import drawing

    for name, figure in pictures:
        content = io.BytesIO()
        with drawing():
            figure.savefig(content, format="svg", metadata={"Date": None})
        yield name, " ".join(figure.get_suptitle().split()), content.getvalue()
