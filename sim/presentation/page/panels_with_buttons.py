"""Panels in which the reader does something: compare, ensemble, take away."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import streamlit as st

from sim.experiment.comparison import Comparison, comparison
from sim.experiment.coverage import SCOPES
from sim.experiment.replications import counted
from sim.experiment.results import Run, command, scenario_digest
from sim.language import N_, _, language, speaking
from sim.presentation import answer_view, comparison_view, terminal
from sim.presentation.document import Block, Code, Listing, Paragraph, Table, Text, fragment
from sim.presentation.page import exports, headline, markup
from sim.presentation.page.answers import Answered, Kept
from sim.presentation.page.desk import Desk
from sim.presentation.page.ensemble import FEWEST, MOST, Ensemble, ensemble_key
from sim.presentation.page.levers import names_of
from sim.presentation.page.panels import block
from sim.presentation.page.state import IMPORTED, luck
from sim.presentation.parameters import value_in_words
from sim.presentation.report import blocks_of
from sim.scenario import Scenario

_NOW, _PINNED = N_("now"), N_("pinned")

# Compare --------------------------------------------------------------------------------------


def beside_pinned(desk: Desk, found: Answered, pinned: Answered | None) -> None:
    """What differs from the pinned scenario, and what that changes for the same people."""
    if pinned is None:
        words = _("Pin a scenario, then move something: the two are compared here.")
        st.html(block(markup.paragraph(words)))
        return
    st.html(_compared(comparison({_(_PINNED): pinned.run, _(_NOW): found.run})))


def _compared(both: Comparison) -> str:
    """What differs, the measures that matter, then everything as `vaxsim compare` tells it."""
    names = names_of(next(iter(both.runs.values())).scenario)
    changes: list[Sequence[Text]] = [
        [[names.get(path, ""), " ", Code(path)], value_in_words(base), value_in_words(value)]
        for _name, path, base, value in both.changes.to_numpy()
    ]
    blocks: list[Block] = []
    if changes:
        heading = ("", _(_PINNED), _(_NOW))
        blocks.append(Table(_("What differs"), heading, changes, "<<<"))
    else:
        blocks.append(Paragraph(_("Nothing differs from the pinned scenario.")))
    _titles, _changes, *sections = comparison_view.comparison_sections(both)
    everything = fragment([*blocks_of(sections)])
    return block(
        fragment([*blocks, _differences(both)]), markup.folded(_("All measures"), everything)
    )


_MATTERS = (
    "first_doses_by_deadline",
    "fully_vaccinated_by_deadline",
    "doses_wasted",
    "calls_offered",
    "mean_wait_minutes",
    "persons_gave_up",
    "mean_minutes_in_unit",
    "turned_away_no_dose",
)


def _differences(both: Comparison) -> Table:
    labels = {name: label for _heading, rows in answer_view.SHOWN for name, label in rows}
    words = answer_view.label_words(next(iter(both.runs.values())))
    found = {str(row["measure"]): row for row in both.differences.to_dict("records")}
    rows = []
    for name in _MATTERS:
        row = found[name]
        means = [_amount(terminal.amount, row[key], row["unit"]) for key in ("base", "value")]
        difference, low, high = (
            _amount(terminal.signed, row[key], row["unit"]) for key in ("difference", "low", "high")
        )
        label = _(labels[name]).format(**words).strip()
        rows.append([label, *means, difference, f"{low} – {high}" if low != high else ""])
    caption = _("What that changes for the same people with the same luck ({replications})").format(
        replications=counted(both.replications)
    )
    heading = ["", _(_PINNED), _(_NOW), _("difference"), _("95 % interval")]
    if both.replications == 1:  # no interval
        heading, rows = heading[:-1], [row[:-1] for row in rows]
    return Table(caption, heading, rows, "<" + ">" * (len(heading) - 1))


def _amount(written: Callable[[float, str], str], value: float, unit: str) -> str:
    """A value as its unit is written; where there is none, a dash."""
    return "–" if math.isnan(value) else written(value, unit)


# How sure -------------------------------------------------------------------------------------


def ensemble(desk: Desk, found: Answered, pinned: Answered | None) -> None:
    """Many replications: started here, filling in, cancellable."""
    runs = {_NOW: found.run} if pinned is None else {_PINNED: pinned.run, _NOW: found.run}
    scenarios = {name: run.scenario for name, run in runs.items()}
    if desk.ensemble and desk.ensemble.key != ensemble_key(scenarios, desk.state.seed):
        desk.ensemble.cancel()
        desk.ensemble = None
    st.html(block(markup.paragraph(_(
        "One replication is one possible course of the campaign. Many show how much of the answer "
        "is luck."
    ))))  # fmt: skip
    number = st.slider(_("Replications"), FEWEST, MOST, 20, 5, key="replications")
    running = desk.ensemble is not None and not desk.ensemble.ended
    place, label = st.empty(), _("Simulate them")
    if not running and place.button(label, type="primary", key="simulate"):
        desk.ensemble, running = Ensemble(runs, int(number)), True
    if running:
        place.button(label, type="primary", key="simulating", disabled=True)
    if desk.ensemble is None:
        return
    if running:
        _filling_in(desk, desk.ensemble, desk.state.language)
    else:
        _made(desk.ensemble)


@st.fragment(run_every=1.0)
def _filling_in(desk: Desk, making: Ensemble, code: str) -> None:
    """How far it is, with the band of what is there; redrawn every second."""
    with speaking(code):
        if making.ended:
            st.rerun()
        text = _("{n} of {all} replications").format(n=making.there, all=making.wanted)
        if making.waiting:
            text = _("Another reader's replications are made first.")
        progress = st.empty()
        if st.button(_("Stop")):
            making.cancel()
            if making.ends_within(1.0):
                st.rerun()
        if making.cancelled:
            text = _("Stopping; what is there stays.")
        progress.progress(making.there / making.wanted, text)
        st.html(_band(making))


def _band(making: Ensemble) -> str:
    """The curves of the scenario shown now."""
    scenario = making.scenarios[_NOW]
    persons = {scope: making.curves(_NOW, scope) for scope in SCOPES}
    words = _("Coverage by day: median of {replications}, band from 5 to 95 %").format(
        replications=counted(making.there)
    )
    if few := terminal.caution(making.there):
        words = f"{words} ({few})"
    return block(markup.paragraph(words, "about"), headline.band(scenario, persons, words))


def _made(made: Ensemble) -> None:
    """The answer from all that are there."""
    if made.error:
        st.html(block(markup.alert(made.error)))
    found = made.answers[_NOW]
    parts = [markup.paragraph(answer_view.verdict(found.answer)), _band(made)]
    tables: list[Block] = [
        answer_view.likelihood(found.run, found.answer),
        *answer_view.measures_by_topic(found.run)[:2],
        *(Paragraph(note, "note") for note in answer_view.notes_on_measures(found.run)),
    ]
    st.html(block(*parts, fragment(tables)))
    if _PINNED in made.scenarios:
        st.html(_compared(made.comparison))


# Take away ------------------------------------------------------------------------------------

_files: Kept[tuple[str, int, int, str, str], bytes] = Kept(6)
"""Prepared last, for all readers together."""


def take_away(desk: Desk, found: Answered, pinned: Answered | None) -> None:
    """Scenario file, command line, tables, pictures, report."""
    run = found.run
    made = desk.ensemble
    key = ensemble_key({_NOW: run.scenario}, desk.state.seed)
    if made and made.key == key and made.ended and made.there:
        run = made.answers[_NOW].run
    name = _stem(desk)
    told = counted(run.settings.replications)
    st.html(block(markup.paragraph(
        _("Files of what is shown ({replications}).").format(replications=told)
    )))  # fmt: skip
    st.download_button(
        _("Scenario file (TOML)"),
        exports.scenario_file(run.scenario, _first_lines(desk, name, run)),
        f"{name}.toml", "application/toml", on_click="ignore",
    )  # fmt: skip
    against = pinned.run.scenario if pinned is not None else None
    for label, ending, kind, make in (
        (_("Tables (CSV and Parquet, ZIP)"), "tables.zip", "application/zip", exports.tables),
        (_("Pictures (PNG and SVG, ZIP)"), "pictures.zip", "application/zip", exports.pictures),
        (_("Report (HTML)"), "report.html", "text/html",
         lambda run: exports.report(run, against)),
    ):  # fmt: skip
        _prepared(desk, run, against, label, f"{name}-{ending}", kind, make)
    st.html(block(fragment([
        Listing(
            desk.state.choice.command(
                _file(desk), desk.state.seed, run.settings.replications
            ),
            _("The same on the command line"),
        ),
    ])))  # fmt: skip
    if desk.state.choice.scenario == IMPORTED:
        st.html(block(markup.paragraph(_(
            "The address of this page does not hold your own file: send the scenario file along."
        ))))  # fmt: skip


def _prepared(
    desk: Desk,
    run: Run,
    against: Scenario | None,
    label: str,
    name: str,
    kind: str,
    make: Callable[..., bytes],
) -> None:
    """A button that prepares a file, then one that saves it."""
    settings = run.settings
    other = scenario_digest(against) if against else ""
    key = (
        scenario_digest(run.scenario) + other,
        settings.seed, settings.replications, language(), name,
    )  # fmt: skip
    content = _files.get(key)
    if content is None:
        if not st.button(_("Prepare: {file}").format(file=label), key=f"prepare/{name}"):
            return
        with st.spinner(label):
            content = _files.put(key, make(run))
    st.download_button(
        _("Save: {file}").format(file=label), content, name, kind, on_click="ignore",
        key=f"save/{name}",
    )  # fmt: skip


def _stem(desk: Desk) -> str:
    choice = desk.state.choice
    own = choice.scenario == IMPORTED and desk.upload is not None
    stem = desk.upload.name.removesuffix(".toml") if own and desk.upload else choice.scenario
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in stem)
    return (plain.strip("-") or "scenario") + ("-changed" if choice.changes else "")


def _file(desk: Desk) -> str:
    choice = desk.state.choice
    if choice.scenario == IMPORTED and desk.upload is not None:
        return desk.upload.name
    file = desk.scenarios.files[choice.scenario]
    return file.name if file.is_absolute() else str(file)  # folders are nobody's business


def _first_lines(desk: Desk, name: str, run: Run) -> str:
    changes = "".join(f"\n  {change}" for change in desk.state.choice.changes)
    again = command("run", f"{name}.toml", *luck(desk.state.seed, run.settings.replications))
    return f"From the page: {desk.state.choice.scenario}{changes}\nAgain: {again}"
