"""The answer at the top of the page: verdict, coverage curve, reasons."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from numpy.typing import ArrayLike

from sim.experiment.coverage import Scope
from sim.experiment.measures import on
from sim.experiment.statistics import quantile_band
from sim.language import N_, _, language, named
from sim.model.records import REASONS
from sim.presentation import answer_view, binding_view, style, terminal
from sim.presentation.goal_words import share
from sim.presentation.page import charts, markup
from sim.presentation.page.answers import Answered, whatever_the_telephones
from sim.presentation.page.charts import Array, Curve, Part
from sim.scenario import Scenario

SCOPES: dict[Scope, str] = {"first": N_("first dose"), "full": N_("fully vaccinated")}


def verdict(found: Answered, about: str) -> str:
    """The sentence, and what it is about."""
    answer, scenario = found.answer, found.run.scenario
    colour = markup.colour_of(answer.successes["full"], answer.replications)
    return markup.block(
        markup.verdict(answer_view.verdict(answer), colour),
        markup.paragraph(about, "about"),
        *(
            markup.paragraph(_("Warning: {text}").format(text=text))
            for text in answer_view.warnings(scenario)
        ),
        language=language(),
        attributes=f'role="status" id="answer" {of(found)}',
    )


def about(scenario: Scenario, changes: Sequence[str], seed: int) -> str:
    """Which scenario, with which changes, an answer is about."""
    words = [named(scenario.title), *changes, _("seed {seed}").format(seed=seed)]
    return _("Answer for: {scenario}").format(scenario="; ".join(words))


def of(found: Answered) -> str:
    """An attribute of whatever shows an answer: which one."""
    run = found.run
    return f'data-of="{run.manifest["scenario_sha256"][:12]}-{run.settings.seed}"'


def explanation(found: Answered) -> str:
    """What decides, and the ceiling."""
    ceiling = whatever_the_telephones(
        f"ceiling in words, {language()}", found.run.scenario, answer_view.ceiling_line
    )
    return markup.block(
        markup.paragraph(binding_view.sentence(found.binding)),
        markup.paragraph(ceiling),
        language=language(),
    )


def coverage(found: Answered, pinned: Answered | None = None) -> str:
    """Share of all inhabitants vaccinated by day, under the ceiling, with deadline and goal."""
    curves = [*_curves(found), *_ceilings(found)]
    if pinned is not None:
        curves += _of_pinned(found, pinned)
    picture = _picture(found.run.scenario, curves, _words(found), _of_target(found, pinned))
    return markup.block(
        markup.heading(2, _("Coverage over time")),
        picture,
        language=language(),
        attributes=f'id="coverage" {of(found)}',
    )


def band(scenario: Scenario, persons: dict[Scope, Array], words: str) -> str:
    """The same from many replications: medians, and bands from 5 to 95 %."""
    curves = []
    for scope, text in SCOPES.items():
        low, median, high = (_share(scenario, q) for q in quantile_band(persons[scope]))
        number = _deadline(scenario)
        curves.append(
            Curve(
                _(text),
                median,
                style.SCOPES[scope],
                band=(low, high),
                marked=terminal.percent(float(median[number])),
            )
        )
    return _picture(scenario, curves, words, _target(scenario))


def _picture(scenario: Scenario, curves: Sequence[Curve], words: str, target: Part | None) -> str:
    campaign = scenario.campaign
    days = charts.days_between(campaign.first_day, campaign.horizon)
    goal = _("goal {share}").format(share=share(campaign.coverage_goal))
    deadline = _("deadline {day}").format(day=on(campaign.deadline))
    return charts.picture(
        lambda width: charts.curves_over_days(
            days, curves, width, _of_whom(scenario), part=target,
            goal=(campaign.coverage_goal, goal), marked_day=(campaign.deadline, deadline),
        ),
        words,
    )  # fmt: skip


def _of_whom(scenario: Scenario) -> str:
    """What the shares are of; the verdict's are of the target."""
    campaign = scenario.campaign
    text = _("Share of all {population} inhabitants")
    if campaign.vaccinated_before:
        text = _("Share of all {population} inhabitants, {before} of them vaccinated before")
    return text.format(
        population=terminal.count(campaign.population),
        before=terminal.count(campaign.vaccinated_before),
    )


def _target(scenario: Scenario) -> Part:
    """The target within all inhabitants: upon those vaccinated before the campaign."""
    campaign = scenario.campaign
    return Part(
        _("At the right: share of the target of {n} people").format(
            n=terminal.count(scenario.target)
        ),
        campaign.vaccinated_before / campaign.population,
        scenario.target / campaign.population,
    )


def _of_target(found: Answered, pinned: Answered | None) -> Part | None:
    """The same; None where curves of two scenarios with different targets are shown."""
    target = _target(found.run.scenario)
    return target if pinned is None or _target(pinned.run.scenario) == target else None


def _share(scenario: Scenario, persons: ArrayLike) -> Array:
    """Of all inhabitants; those vaccinated before the campaign are among them."""
    campaign = scenario.campaign
    return (charts.array(persons) + campaign.vaccinated_before) / campaign.population


def _deadline(scenario: Scenario) -> int:
    """The place of its day."""
    return (scenario.campaign.deadline - scenario.campaign.first_day).days


def _curves(found: Answered) -> list[Curve]:
    scenario = found.run.scenario
    curves = []
    for scope, text in SCOPES.items():
        values = _share(scenario, found.run.coverage(scope)["persons"])
        marked = terminal.percent(float(values[_deadline(scenario)]))
        curves.append(Curve(_(text), values, style.SCOPES[scope], marked=marked))
    return curves


def _ceilings(found: Answered) -> list[Curve]:
    return [
        Curve(
            _("the most possible, {scope}").format(scope=_(text)),
            _share(found.run.scenario, found.ceilings[scope]),
            style.SCOPES[scope],
            "5 4",
            1.4,
            steps=True,
        )
        for scope, text in SCOPES.items()
    ]


def _of_pinned(found: Answered, pinned: Answered) -> list[Curve]:
    """The pinned scenario's curves on the days of the other, which may begin elsewhere."""
    scenario, campaign = pinned.run.scenario, found.run.scenario.campaign
    days = pd.date_range(campaign.first_day, campaign.horizon, freq="D")
    curves = []
    for scope, text in SCOPES.items():
        persons = pinned.run.coverage(scope).set_index("date")["persons"]
        there = persons.reindex(days).ffill()
        label = _("pinned: {scope}").format(scope=_(text))
        curves.append(Curve(label, _share(scenario, there), style.PINNED, _DASHES[scope], 2.0))
    return curves


_DASHES: dict[Scope, str] = {"first": "3 3", "full": "8 3 3 3"}


def _words(found: Answered) -> str:
    """What the picture shows."""
    scenario, campaign = found.run.scenario, found.run.scenario.campaign
    first, full = (curve.marked for curve in _curves(found))
    most_first, most_full = (
        terminal.percent(float(curve.values[_deadline(scenario)])) for curve in _ceilings(found)
    )
    return _(
        "Share of all {population} inhabitants vaccinated by day. On {day}: first dose {first} "
        "(at most {most_first} possible), fully vaccinated {full} (at most {most_full}). "
        "The goal is {goal}."
    ).format(
        population=terminal.count(campaign.population),
        day=on(campaign.deadline),
        first=first,
        full=full,
        most_first=most_first,
        most_full=most_full,
        goal=share(campaign.coverage_goal),
    )


def reasons(found: Answered) -> str:
    """Where the people of the target stand on the day of the deadline."""
    answer = found.answer
    rows = []
    for name, meaning in REASONS.items():
        persons = [answer.reasons[scope][name].mean or 0.0 for scope in SCOPES]
        if any(persons):
            cells = [
                (terminal.count(n), n / answer.target, style.reason(name, scope))
                for scope, n in zip(SCOPES, persons, strict=True)
            ]
            rows.append((_(meaning), cells))
    caption = answer_view.who_and_why(answer).caption
    heading = [_(text) for text in SCOPES.values()]
    return markup.block(
        markup.bars(caption, heading, rows),
        language=language(),
        attributes=f'id="reasons" {of(found)}',
    )
