"""The panels below the answer: what binds, telephone, units, doses, assumptions."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.experiment.answer import sum_over_replications
from sim.experiment.binding import CONSTRAINTS
from sim.experiment.measures import on
from sim.experiment.plan_arithmetic import capacity, telephone_load
from sim.experiment.results import Run, scenario_digest
from sim.language import N_, _, language, month_and_year, named, weekday
from sim.model.records import PROVINCE_STORE
from sim.presentation import answer_view, binding_view, style, terminal
from sim.presentation.data_words import tables_of_values
from sim.presentation.document import (
    Block,
    Paragraph,
    Picture,
    Table,
    Text,
    fragment,
)
from sim.presentation.page import charts, markup
from sim.presentation.page.answers import Answered, Kept
from sim.presentation.report import blocks_of
from sim.scenario import MINUTE_US, clock

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TELEPHONE, _UNITS = 3, 4
"""Places in `answer_view.measures_by_topic`."""


def block(*parts: str) -> str:
    """HTML in the language spoken."""
    return markup.block(*parts, language=language())


# Pictures of a run ----------------------------------------------------------------------------

_pictures: Kept[tuple[str, int, int, str, str], bytes] = Kept(32)
_pencil = threading.Lock()
"""matplotlib's settings are those of the process: one picture at a time."""


def drawn(run: Run, name: str, draw: Callable[[Run], Figure]) -> bytes:
    """A picture of a run as SVG, remembered for a while."""
    settings = run.settings
    key = (
        scenario_digest(run.scenario), settings.seed, settings.replications, language(), name,
    )  # fmt: skip
    found = _pictures.get(key)
    if found is None:
        from sim.presentation.figures import drawing

        content = io.BytesIO()
        with _pencil, drawing():
            draw(run).savefig(content, format="svg", metadata={"Date": None}, transparent=True)
        found = _pictures.put(key, _on_any_screen(content.getvalue()))
    return found


def _on_any_screen(svg: bytes) -> bytes:
    """The picture with ink and ground that follow a dark screen."""
    rules = style.on_dark_screens('[style*="{name}: {colour}" i]')
    return svg.replace(b"<defs>", f"<style>{rules}</style><defs>".encode(), 1)


def _on_paper(run: Run, name: str, draw: Callable[[Run], Figure], words: str) -> str:
    """The picture as HTML."""
    picture = fragment([Picture(drawn(run, name, draw), words)])
    return f'<div class="paper scroll" tabindex="0">{picture}</div>'


# What binds -----------------------------------------------------------------------------------


def what_binds(found: Answered) -> str:
    """A calendar by what held back the next first dose, and the words of `vaxsim binds`."""
    binding = found.binding
    today = _by_date(binding.main_by_day())
    decides = _by_date(binding.main_by_day("decisive"))
    days = [day for day in today if day <= _end_of_month(binding.deadline)]
    used = [n for n in CONSTRAINTS if n in {today[d] for d in days} | set(decides.values())]
    months = sorted({(day.year, day.month) for day in days})
    sheets = [
        _sheet([d for d in days if (d.year, d.month) == month], today, decides, binding.deadline)
        for month in months
    ]
    legend = "".join(f"<li>{_mark(name)} {escape(_(CONSTRAINTS[name]))}</li>" for name in used)
    note = _(
        "First letter: what held back the next first dose that day. Second letter: what decides "
        "about the deadline, which has a frame."
    )
    sentences, *sections = binding_view.binding_sections(found.run, binding)
    return block(
        f'<div class="sheets">{"".join(sheets)}</div>',
        f'<p class="about">{escape(note)}</p><ul class="legend">{legend}</ul>',
        fragment([*blocks_of([sentences[1:], *sections])]),  # the first one stands above
    )


def _by_date(days: pd.DataFrame) -> dict[date, str]:
    return {day.date(): name for day, name in zip(days["date"], days["constraint"], strict=True)}


def _end_of_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def _sheet(
    days: Sequence[date], today: dict[date, str], decides: dict[date, str], deadline: date
) -> str:
    """A month as a table."""
    monday = date(2021, 5, 31)
    names = [weekday(monday + timedelta(days=i), short=True) for i in range(7)]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    first = days[0].replace(day=1)
    cells = ["<td></td>"] * first.weekday()
    for number in range(1, _end_of_month(first).day + 1):
        day = first.replace(day=number)
        if day not in today:
            cells.append(f'<td class="day">{number}</td>')
            continue
        told = _(CONSTRAINTS[today[day]])
        if day in decides:
            told += "; " + _("decides: {constraint}").format(
                constraint=_(CONSTRAINTS[decides[day]])
            )
        frame = ' style="outline:3px solid currentColor"' if day == deadline else ""
        marks = _mark(today[day]) + (_mark(decides[day]) if day in decides else "")
        cells.append(
            f'<td class="day"{frame} title="{escape(told, quote=True)}">{number}<br>{marks}</td>'
        )
    rows = [cells[i : i + 7] for i in range(0, len(cells), 7)]
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<table class="sheet"><caption>{escape(month_and_year(first))}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _mark(constraint: str) -> str:
    """The letter of a constraint upon its colour."""
    letter, colour, _hatching = style.CONSTRAINTS[constraint]
    ink = style.upon(colour)
    return f'<span class="mark" style="background:{colour};color:{ink}">{letter}</span>'


# The call centre ------------------------------------------------------------------------------


def call_centre(found: Answered) -> str:
    """Attempts against people, day by day and hour by hour; waits; how busy the agents are."""
    from sim.presentation import plots

    run = found.run
    words = _("Calls a day by outcome; below, attempts against the people behind them")
    blocks: list[Block] = [
        _topic(run, _TELEPHONE),
        _by_hour(run),
        _by_pool(run),
    ]
    return block(_on_paper(run, "call_centre", plots.call_centre, words), fragment(blocks))


def _topic(run: Run, place: int) -> Table:
    return answer_view.measures_by_topic(run)[place]


def _by_hour(run: Run) -> Table:
    """Calls and waits by hour of the day, and how busy the agents are then, estimated."""
    columns = ["offered", "answered", "abandoned", "blocked", "wait_answered"]
    hours = sum_over_replications(run, "call_centre", ["hour"], columns)
    days = run.table("call_centre", ["date"])["date"].nunique()
    n = run.settings.replications * max(days, 1)
    rows: list[list[Text]] = []
    for row in hours.to_dict("records"):
        answered = row["answered"]
        rows.append(
            [
                clock(60 * int(row["hour"])),
                *(terminal.count(row[name] / n) for name in columns[:-1]),
                terminal.amount(row["wait_answered"] / answered, "min") if answered else "–",
                _busy(run, int(row["hour"]), answered / n),
            ]
        )
    heading = [
        _("hour"), _("calls"), _("answered"), _("gave up waiting"), _("busy signal"),
        _("mean wait"), _("agents on calls*"),
    ]  # fmt: skip
    caption = _(
        "An average day of the call centre, hour by hour (*answered calls times their mean "
        "length, of the agents' time on duty)"
    )
    return Table(caption, heading, rows, "<>>>>>>")


def _busy(run: Run, hour: int, answered: float) -> str:
    """Share of the agents' time in an hour that so many calls take on average."""
    from sim.model.shifts import staff_steps, staff_time_us

    centre = run.scenario.call_centre
    begin, end = max(60 * hour, centre.opens), min(60 * hour + 60, centre.closes)
    on_duty = 0.0
    for pool in centre.pools.values():
        times, staff = staff_steps(
            pool.agents, pool.shifts, pool.breaks, centre.opens, centre.closes
        )
        on_duty += staff_time_us(times, staff, begin * MINUTE_US, end * MINUTE_US) / MINUTE_US
    load = telephone_load(run.scenario)
    mean = 60 * load.hours_needed / load.calls if load.calls else 0.0
    return terminal.percent(min(answered * mean / on_duty, 1.0)) if on_duty > 0 else "–"


def _by_pool(run: Run) -> Table:
    columns = ["answered", "on_duty", "busy", "overtime"]
    pools = sum_over_replications(run, "agents", ["pool"], columns)
    n = run.settings.replications
    rows: list[list[Text]] = [
        [
            terminal.in_words(row["pool"]),
            ", ".join(
                terminal.in_words(x) for x in run.scenario.call_centre.pools[row["pool"]].languages
            ),
            terminal.count(row["answered"] / n),
            terminal.percent(row["busy"] / row["on_duty"]) if row["on_duty"] else "–",
            terminal.amount(row["overtime"] / 60 / n, "h"),
        ]
        for row in pools.to_dict("records")
    ]
    heading = [
        _("agents"), _("languages"), _("calls answered"), _("of their time on calls"),
        _("after closing"),
    ]  # fmt: skip
    return Table(_("The agents, in the whole campaign"), heading, rows, "<<>>>")


# The units ------------------------------------------------------------------------------------

UNIT_MEASURES = {
    "load": N_("Load: people a day, of the slots"),
    "wait": N_("Waits: mean minutes in all queues, a patient"),
    "inside": N_("Crowding: most people inside at once"),
    "stock": N_("Stock: doses in the evening"),
}


def units(found: Answered, shown: str) -> str:
    """A table of the units, and one measure day by day at each."""
    run = found.run
    from sim.presentation import plots

    words = _("Queue and service at each station of the busiest unit")
    return block(
        _small_multiples(run, shown),
        fragment([_unit_table(run)]),
        _on_paper(run, "unit_day", plots.unit_day, words),
        fragment([_topic(run, _UNITS)]),
    )


def _by_unit_and_day(run: Run, measure: str) -> pd.DataFrame:
    """One measure: a row a day, a column a unit; means over replications, of crowding the most."""
    by = ["date", "unit"]
    sessions = run.table("sessions").groupby(by)
    if measure == "stock":
        table = run.table("stock", ["date", "place", "on_hand"])
        table = table[table["place"] != PROVINCE_STORE].rename(columns={"place": "unit"})
        found = table.groupby(by)["on_hand"].sum() / run.settings.replications
    elif measure == "wait":
        patients = sessions["patients"].sum()
        found = run.table("stations").groupby(by)["wait"].sum() / patients.where(patients > 0)
    elif measure == "inside":
        found = sessions["max_inside"].max()
    else:
        found = sessions["patients"].mean()
    values = found.unstack("unit")
    if measure == "load":
        slots = capacity(run.scenario).groupby("unit")["slots_per_day"].first()
        values = values / slots.reindex(values.columns).where(lambda s: s > 0)
    campaign = run.scenario.campaign
    days = pd.date_range(campaign.first_day, campaign.horizon, freq="D")
    return values.reindex(index=days, columns=list(run.scenario.units))


def _small_multiples(run: Run, shown: str) -> str:
    values = _by_unit_and_day(run, shown)
    last = run.scenario.campaign.deadline
    values = values.loc[: str(last)]
    highest = float(np.nanmax(values.to_numpy(), initial=0.0)) or 1.0
    unit = "share" if shown == "load" else "min" if shown == "wait" else ""
    tiles = []
    for name, place in run.scenario.units.items():
        column = charts.array(values[name].to_numpy())
        greatest = float(np.nanmax(column, initial=0.0))
        title = named(place.title or name)
        words = _("{unit}, up to the deadline: {measure}; at most {greatest}").format(
            unit=title, measure=_(UNIT_MEASURES[shown]), greatest=terminal.amount(greatest, unit)
        )
        colour = style.DOSES if shown == "stock" else style.SOFT
        picture = charts.image(charts.spark(column, highest, colour), words)
        tiles.append(
            f"<figure><figcaption>{escape(title)}<br><b>"
            f"{escape(terminal.amount(greatest, unit))}</b></figcaption>{picture}</figure>"
        )
    note = _("Each from {first} to {last}, all with the same scale; the number is the greatest.")
    first = on(run.scenario.campaign.first_day)
    return (
        f'<p class="about">{escape(note.format(first=first, last=on(last)))}</p>'
        f'<div class="tiles">{"".join(tiles)}</div>'
    )


def _unit_table(run: Run) -> Table:
    n = run.settings.replications
    slots = capacity(run.scenario).groupby("unit")["slots_per_day"].first()
    given = sum_over_replications(run, "daily", ["unit"], ["administered", "no_dose"])
    given = given.set_index("unit") / n
    sessions = run.table("sessions")
    waits = run.table("stations").groupby("unit")["wait"].sum()
    stock = _by_unit_and_day(run, "stock").mean()
    rows: list[list[Text]] = []
    for name, place in run.scenario.units.items():
        here = sessions[sessions["unit"] == name]
        patients = float(here["patients"].sum())
        possible = float(slots.get(name, 0)) * len(here)
        rows.append(
            [
                named(place.title or name),
                terminal.count(float(slots.get(name, 0))),
                terminal.count(float(given["administered"].get(name, 0.0))),
                terminal.percent(patients / possible) if possible else "–",
                terminal.amount(waits.get(name, 0.0) / patients, "min") if patients else "–",
                terminal.amount(here["time_inside"].sum() / patients, "min") if patients else "–",
                terminal.count(float(here["max_inside"].max())) if len(here) else "–",
                terminal.amount(float(here["last_exit"].max()), "min") if len(here) else "–",
                terminal.count(float(stock[name])) if stock[name] == stock[name] else "–",
                terminal.count(float(given["no_dose"].get(name, 0.0))),
            ]
        )
    heading = [
        _("unit"), _("slots a day"), _("doses given"), _("load on days with a session"),
        _("mean wait in all queues"), _("mean time inside"), _("most inside"),
        _("latest exit after closing"), _("mean stock in the evening"),
        _("came and found no dose"),
    ]  # fmt: skip
    return Table(_("The units, in the whole campaign"), heading, rows, "<>>>>>>>>>")


# Doses ----------------------------------------------------------------------------------------


def doses(found: Answered) -> str:
    """Doses given and in stock, day by day and by month."""
    from sim.presentation import plots

    run = found.run
    words = _("Doses given a day by type of unit against the slots; below, doses in stock")
    blocks: list[Block] = [answer_view.slots_and_doses(run, found.answer), _topic(run, 2)]
    return block(_on_paper(run, "doses", plots.doses, words), fragment(blocks))


# Assumptions ----------------------------------------------------------------------------------


def assumptions(found: Answered) -> str:
    """Every value with its meaning, its range and its source: changed, assumed, known."""
    run = found.run
    tables = tables_of_values(run.scenario, run.manifest["scenario"], most_keys=3)
    return block(fragment([Paragraph(named(run.scenario.description)), *tables.values()]))
