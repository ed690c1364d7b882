"""The answer of a run: the ceiling, yes or no, how sure, the numbers, why the others are not."""

from __future__ import annotations

from datetime import timedelta

from sim.experiment.answer import Answer, months
from sim.experiment.coverage import SCOPES, Scope
from sim.experiment.feasibility import ceiling_is_certain, ceiling_of
from sim.experiment.measures import as_date, measure, on
from sim.experiment.plan_arithmetic import deliveries_vary, languages
from sim.experiment.replications import counted
from sim.experiment.results import Run, command
from sim.experiment.shadow_prices import bindings
from sim.experiment.statistics import CONFIDENCE, Estimate
from sim.language import N_, _, month_and_year, named, ngettext
from sim.model.records import REASONS
from sim.presentation.document import Table
from sim.presentation.terminal import (
    amount,
    as_texts,
    between,
    count,
    interval,
    percent,
    plain,
    table,
)
from sim.scenario import Scenario
from sim.scenario_errors import did_you_mean

# Warnings -------------------------------------------------------------------------------------


def warnings(scenario: Scenario) -> list[str]:
    """What is possible in a scenario and may be a mistake, in words."""
    return [*_nobody_understands(scenario), *_nobody_walks_in(scenario)]


def _nobody_understands(scenario: Scenario) -> list[str]:
    by_language = languages(scenario)
    spoken = list(by_language.loc[by_language["hours_available"] > 0, "language"])
    return [
        _("no agent speaks {language}: {calls} calls to book or to ask cannot be answered").format(
            language=named(row["language"]), calls=count(row["calls"])
        )
        + did_you_mean(row["language"], spoken)
        for row in by_language.to_dict("records")
        if row["calls"] >= 0.5 and row["language"] not in spoken
    ]


def _nobody_walks_in(scenario: Scenario) -> list[str]:
    awaited = sum(unit.walk_ins_per_day for unit in scenario.units.values())
    if not awaited or not all(group.booked_in_advance for group in scenario.groups.values()):
        return []
    return [
        _(
            "{n} walk-ins a day are awaited, but nobody will walk in: only people who have not "
            "booked do, and every group is booked in advance; give the walk-ins a group of their "
            "own (booked_in_advance = false)"
        ).format(n=count(awaited))
    ]


# The ceiling ----------------------------------------------------------------------------------


def ceiling_line(scenario: Scenario) -> str:
    """The most that can be reached by the deadline, and what one more unit would change."""
    deadline, found = scenario.campaign.deadline, ceiling_of(scenario)
    first, full = found.first_by_deadline, found.full_by_deadline
    text = _(
        "At most, whatever the telephones: {first:,} of {target:,} people ({share}) with a first "
        "dose by {day}{first_held}, {full:,} fully vaccinated{full_held}."
    )
    if not ceiling_is_certain(scenario):
        text = _(
            "At most on average, whatever the telephones: {first:,} of {target:,} people ({share}) "
            "with a first dose by {day}{first_held}, {full:,} fully vaccinated{full_held}."
        )
    text = text.format(
        first=first,
        target=scenario.target,
        share=percent(first / scenario.target),
        day=on(deadline),
        first_held=_held(scenario, "first", first),
        full=full,
        full_held=_held(scenario, "full", full),
    )
    if shared_vials(scenario) and full < scenario.target:
        text += " " + _("Doses thrown away from opened vials come off that.")
    return text


def _held(scenario: Scenario, scope: Scope, most: int) -> str:
    """What would raise the ceiling, unless it is everybody (`check` tells all)."""
    if most == scenario.target:
        return ""
    found = bindings(scenario, scope, scenario.campaign.deadline)
    return f" ({found[0].words})" if found[0].worth else ""


def shared_vials(scenario: Scenario) -> bool:
    """Whether people share vials, so that some of an opened one may be thrown away."""
    vaccines = scenario.vaccines.values()
    return any(v.doses_per_vial + v.extra_doses_per_vial > 1 for v in vaccines)


def ceiling_of_what(scenario: Scenario) -> str:
    """What the ceiling counts."""
    if deliveries_vary(scenario):
        return _("slots, expected doses, turns, willingness and intervals")
    return _("slots, doses, turns, willingness and intervals")


# The answer -----------------------------------------------------------------------------------

_OBSTACLES = {
    "unwilling": N_("{n} do not want to be vaccinated"),
    "never_reached_call_centre": N_("{n} called and never got through"),
    "turn_too_late": N_("for {n} the group's turn comes later"),
    "no_dose": N_("for {n} there is no dose"),
    "no_slot": N_("for {n} the slots up to then are taken"),
    "not_shown_up": N_("{n} missed their appointment"),
    "interval_not_over": N_("for {n} the interval between the doses is not over"),
    "still_waiting": N_("{n} have not registered or have a later appointment"),
}


def verdict(answer: Answer) -> str:
    """Yes, no or uncertain, and what stands in the way, in two sentences at most."""
    day = on(answer.as_of)
    first, full = answer.persons["first"].mean or 0.0, answer.persons["full"].mean or 0.0
    n, successes = answer.replications, answer.successes["full"]
    state = ngettext(
        "{first} of {target} people ({share}) have a first dose, {full} are fully vaccinated",
        "{first} of {target} people ({share}) have on average a first dose, {full} are fully "
        "vaccinated",
        n,
    ).format(
        first=count(first),
        target=count(answer.target),
        share=percent(first / answer.target),
        full=count(full),
    )
    if not answer.deadline_simulated:
        return _(
            "Unknown: the simulation ends on {day}, before the deadline; then {state}."
        ).format(day=day, state=state)
    if successes == n:
        return ngettext(
            "Yes: in the one replication, everyone is fully vaccinated by {day}.",
            "Yes: in all {n} replications, everyone is fully vaccinated by {day}.",
            n,
        ).format(n=count(n), day=day)
    if successes:
        chance = answer.probability["full"]
        uncertain = _(
            "Uncertain: in {replications} everyone is fully vaccinated by {day} (probability {low} "
            "to {high}); {state}."
        ).format(
            replications=counted(successes, n),
            day=day,
            low=percent(chance.low or 0),
            high=percent(chance.high or 0),
            state=state,
        )
        return f"{uncertain} {_obstacles(answer)}"
    no = ngettext(
        "No: in the one replication not everyone is fully vaccinated by {day}; {state}.",
        "No: in none of {n} replications is everyone fully vaccinated by {day}; {state}.",
        n,
    ).format(n=count(n), day=day, state=state)
    return f"{no} {_obstacles(answer)}"


def _obstacles(answer: Answer) -> str:
    """The reasons that hold for at least 1 % of those not fully vaccinated, and the others."""
    persons = {
        name: estimate.mean or 0.0
        for name, estimate in answer.reasons["full"].items()
        if name != "vaccinated"
    }
    missing = sum(persons.values())
    main = [name for name in persons if persons[name] >= max(missing / 100, 0.5)]
    main.sort(key=lambda name: -persons[name])
    parts = [_(_OBSTACLES[name]).format(n=count(persons[name])) for name in main]
    others = missing - sum(persons[name] for name in main)
    if others >= 0.5:
        parts.append(_("{n} for other reasons").format(n=count(others)))
    return _("What stands in the way: {obstacles}.").format(obstacles="; ".join(parts))


def answer_text(run: Run, answer: Answer, binds: str, ceiling: str | None = None) -> str:
    """The printed answer: ceiling, verdict, what binds, how sure, numbers, reasons, where it is.

    `binds`: what binds, in a few lines. `ceiling`: the scenario's `ceiling_line`, if known already.
    """
    sections = (
        [ceiling or ceiling_line(run.scenario)],
        [
            *(_("Warning: {text}").format(text=text) for text in warnings(run.scenario)),
            verdict(answer),
        ],
        [binds],
        *([plain(likelihood(run, answer))] if answer.deadline_simulated else []),
        _numbers(run),
        plain(slots_and_doses(run, answer)),
        plain(who_and_why(answer)),
        _where(run),
    )
    return "\n\n".join("\n".join(section) for section in sections if section)


_EVERYONE = {
    "first": N_("everyone has a first dose"),
    "full": N_("everyone is fully vaccinated"),
}


def likelihood(run: Run, answer: Answer) -> Table:
    """How often everyone is vaccinated in time, and how often that could be."""
    rows = []
    limits = _limits(run) if ceiling_is_certain(run.scenario) else {}
    for scope, name in zip(SCOPES, _CEILINGS, strict=True):
        chance = answer.probability[scope]
        could_be = between(chance.low or 0.0, chance.high or 0.0, "share")
        if name in limits and limits[name] < answer.target:
            could_be = _("impossible: at most {n}**").format(n=count(limits[name]))
        often = _in(answer.successes[scope], answer.replications)
        rows.append((_(_EVERYONE[scope]), often, could_be))
    caption = _("How likely by {day} (probability, {interval})")
    return Table(caption.format(day=on(answer.as_of), interval=_level()), ("", "", ""), rows)


def _in(n: int, of: int) -> str:
    return _("in {replications}").format(replications=counted(n, of))


def _level() -> str:
    return _("{level} % interval").format(level=f"{100 * CONFIDENCE:.0f}")


SHOWN: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        N_("Coverage by {deadline}"),
        (
            ("first_doses_by_deadline", N_("people with a first dose")),
            ("first_dose_coverage_by_deadline", N_("  of the target")),
            ("population_first_dose_coverage_by_deadline", N_("  of all inhabitants*")),
            ("fully_vaccinated_by_deadline", N_("people fully vaccinated")),
            ("full_coverage_by_deadline", N_("  of the target")),
            ("population_full_coverage_by_deadline", N_("  of all inhabitants*")),
        ),
    ),
    (
        N_("Days"),
        (
            ("first_dose_goal_day", N_("first doses reach {goal} of all inhabitants*")),
            ("full_goal_day", N_("fully vaccinated reach {goal}*")),
            ("first_dose_completion_day", N_("the whole target has a first dose")),
            ("completion_day", N_("the whole target is fully vaccinated")),
        ),
    ),
    (
        N_("Doses up to {end}"),
        (
            ("doses_delivered", N_("delivered")),
            ("doses_administered_first", N_("given as first doses")),
            ("doses_administered_second", N_("given as second doses")),
            ("doses_extra", N_("drawn beyond the label")),
            ("doses_wasted", N_("discarded or lost")),
            ("doses_on_hand_by_end", N_("left")),
        ),
    ),
    (
        N_("Call centre"),
        (
            ("calls_offered", N_("calls (attempts)")),
            ("calls_answered", N_("  answered")),
            ("calls_abandoned", N_("  gave up waiting")),
            ("calls_blocked", N_("  busy signal")),
            ("calls_cut_off", N_("  cut off at closing")),
            ("calls_closed", N_("calls outside opening hours")),
            ("mean_wait_minutes", N_("mean wait of answered calls")),
            ("p90_wait_minutes", N_("  90 % of them waited no longer than")),
            ("answered_within_target_share", N_("answered within {target} s, of all calls")),
            ("agent_occupancy", N_("agents on calls, of their time on duty")),
            ("persons_calling", N_("people calling to book")),
            ("persons_got_through", N_("  who got through")),
            ("persons_gave_up", N_("  who gave up for good")),
            ("attempts_per_booking", N_("attempts per booking by telephone")),
        ),
    ),
    (
        N_("Vaccination units"),
        (
            ("mean_minutes_in_unit", N_("mean time in the unit")),
            ("p90_minutes_in_unit", N_("  90 % of the stays were no longer than")),
            ("max_inside", N_("most people inside one unit")),
            ("latest_exit_minutes", N_("latest exit after closing")),
            ("turned_away_no_dose", N_("came and found no dose")),
            ("left_waiting", N_("left because of the wait")),
            ("turned_away_late", N_("not served in time")),
        ),
    ),
)
"""Measures worth showing to everybody: headings, and each measure with its label."""


def label_words(run: Run) -> dict[str, str]:
    """What the braces in `SHOWN` stand for."""
    campaign = run.scenario.campaign
    return {
        "deadline": on(campaign.deadline),
        "end": on(run.settings.until or campaign.horizon),
        "goal": percent(campaign.coverage_goal).replace(".0", ""),
        "target": f"{run.scenario.call_centre.answer_target_seconds:g}",
    }


def measures_by_topic(run: Run) -> list[Table]:
    """The measures of `SHOWN`: mean, and interval with the most that is possible."""
    words, limits = label_words(run), _limits(run)
    most = _("at most {n}**")
    if limits and not ceiling_is_certain(run.scenario):
        most = _("at most on average {n}**")
    tables = []
    for heading, measures in SHOWN:
        rows = []
        for name, label in measures:
            mean, found = _shown(run, name, run.estimates[name])
            if name in limits:
                at_most = most.format(n=count(limits[name]))
                found = f"{found}; {at_most}".removeprefix("; ")
            rows.append((_(label).format(**words), mean, found))
        columns = ("", _("mean"), _level()) if _several(run) else ("", "", "")
        tables.append(Table(_(heading).format(**words), columns, rows, "<><"))
    return tables


def notes_on_measures(run: Run) -> list[str]:
    """What * and ** mean in those tables."""
    before = run.scenario.campaign.vaccinated_before
    notes = [_("* with the {n} vaccinated before the campaign").format(n=count(before))]
    if _limits(run):
        allow = _("** that {constraints} allow, whatever the telephones")
        notes.append(allow.format(constraints=ceiling_of_what(run.scenario)))
    return notes


def _several(run: Run) -> bool:
    return run.settings.replications > 1


def _numbers(run: Run) -> list[str]:
    """All of them below each other in the same columns."""
    topics = measures_by_topic(run)
    lines = iter(table([as_texts(row) for topic in topics for row in topic.rows], "<><"))
    explained = _("mean, {interval}") if _several(run) else _("one replication: no interval")
    out: list[str] = []
    for topic in topics:
        out += ["", topic.caption] if out else [f"{topic.caption} ({explained})"]
        out += [next(lines) for _row in topic.rows]
    return [out[0].format(interval=_level()), *out[1:], *notes_on_measures(run)]


_CEILINGS = ("first_doses_by_deadline", "fully_vaccinated_by_deadline")


def _limits(run: Run) -> dict[str, int]:
    """The ceiling of those measures; none where the simulation ends before the deadline."""
    campaign, until = run.scenario.campaign, run.settings.until
    if until is not None and until < campaign.deadline:
        return {}
    found = run.ceiling
    return dict(zip(_CEILINGS, (found.first_by_deadline, found.full_by_deadline), strict=True))


def slots_and_doses(run: Run, answer: Answer) -> Table:
    """By month up to the deadline."""
    columns = ("", _("slots"), _("doses given"), _("slots unused"), _("doses left at the end"))
    rows = []
    for row in months(run).to_dict("records"):
        day = row["last_day"].date()
        last = day == answer.as_of and (day + timedelta(days=1)).month == day.month
        rows.append(
            (
                f"1 – {on(day)}" if last else month_and_year(day),
                count(row["slots"]),
                count(row["given"]),
                count(row["unused"]),
                count(row["on_hand"]),
            )
        )
    caption = (
        _("Slots and doses by month, up to {day} (mean)")
        if answer.replications > 1
        else _("Slots and doses by month, up to {day}")
    )
    return Table(caption.format(day=on(answer.as_of)), columns, rows, "<>>>>")


def _shown(run: Run, name: str, estimate: Estimate) -> tuple[str, str]:
    unit = measure(name).unit
    if unit == "days":
        return _day(run, estimate)
    if estimate.mean is None:
        return "–", ""
    return amount(estimate.mean, unit), interval(estimate, unit)


def _day(run: Run, estimate: Estimate) -> tuple[str, str]:
    n = run.settings.replications
    end = on(run.settings.until or run.scenario.campaign.horizon)
    if estimate.n == 0:
        return _("not by {day}").format(day=end), ""
    if estimate.mean is None:
        return _in(estimate.n, n), _("(else not by {day})").format(day=end)
    low, high = estimate.low, estimate.high
    shown = on(as_date(run.scenario, estimate.mean))
    if low is None or high is None or low == high:
        return shown, interval(estimate, "days")
    earliest, latest = on(as_date(run.scenario, max(low, 0.0))), on(as_date(run.scenario, high))
    return shown, f"{earliest} – {latest}"


def who_and_why(answer: Answer) -> Table:
    """The target by reason: first dose and fully vaccinated."""
    rows = []
    for name, meaning in REASONS.items():
        means = [answer.reasons[scope][name].mean or 0.0 for scope in ("first", "full")]
        if any(means):
            rows.append((_(meaning), count(means[0]), count(means[1])))
    rows.append((_("together"), count(answer.target), count(answer.target)))
    caption = (
        _("Who is vaccinated on {day}, and why the others are not (mean persons)")
        if answer.replications > 1
        else _("Who is vaccinated on {day}, and why the others are not (persons)")
    )
    columns = ("", _("first dose"), _("fully vaccinated"))
    return Table(caption.format(day=on(answer.as_of)), columns, rows, "<>>")


def _where(run: Run) -> list[str]:
    return [
        _("Results: {folder}  (scenario {digest}, seed {seed}, {replications})").format(
            folder=run.folder,
            digest=run.manifest["scenario_sha256"][:8],
            seed=run.settings.seed,
            replications=counted(run.settings.replications),
        ),
        _("Pictures: {command}").format(command=command("plot", run.folder)),
    ]


def answer_data(run: Run, answer: Answer) -> dict[str, object]:
    """The answer as one JSON object."""
    return {
        "verdict": verdict(answer),
        "warnings": warnings(run.scenario),
        "run": str(run.folder),
        "title": run.scenario.title,
        "seed": run.settings.seed,
        "replications": run.settings.replications,
        "probability": _estimate_data(answer.probability["full"]),
        "probability_first_dose": _estimate_data(answer.probability["first"]),
        "ceiling": _limits(run),
        "measures": {
            name: {**_estimate_data(estimate), "unit": measure(name).unit}
            for name, estimate in run.estimates.items()
        },
        "months": [
            {name: value for name, value in row.items() if name != "last_day"}
            for row in months(run).to_dict("records")
        ],
        "reasons": _means(answer.reasons["full"]),
        "reasons_first_dose": _means(answer.reasons["first"]),
    }


def _estimate_data(estimate: Estimate) -> dict[str, float | None]:
    return {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}


def _means(reasons: dict[str, Estimate]) -> dict[str, float | None]:
    return {name: estimate.mean for name, estimate in reasons.items()}
