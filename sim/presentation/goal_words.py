"""Goals in words: as a sentence, as what is missed, and as a thing."""

from __future__ import annotations

from sim.experiment.goals import Goal
from sim.experiment.measures import measure, on
from sim.language import N_, _
from sim.presentation.terminal import amount, percent

_EVERYONE = {
    "first": N_("Everyone has a first dose by {day}"),
    "full": N_("Everyone is fully vaccinated by {day}"),
}
_STATEMENTS = {
    ("first", False): N_("{share} of the target have a first dose by {day}"),
    ("full", False): N_("{share} of the target are fully vaccinated by {day}"),
    ("first", True): N_("{share} of the inhabitants have a first dose by {day}"),
    ("full", True): N_("{share} of the inhabitants are fully vaccinated by {day}"),
}
_THINGS = {
    ("first", False): N_("{share} of the target with a first dose by {day}"),
    ("full", False): N_("{share} of the target fully vaccinated by {day}"),
    ("first", True): N_("{share} of all inhabitants with a first dose by {day}"),
    ("full", True): N_("{share} of all inhabitants fully vaccinated by {day}"),
}
_MEASURE_STATEMENTS = {
    ">=": N_("{measure} is at least {amount} by {day}"),
    "<=": N_("{measure} is at most {amount} by {day}"),
}
_MEASURE_THINGS = {
    ">=": N_("{measure} of at least {amount} by {day}"),
    "<=": N_("{measure} of at most {amount} by {day}"),
}


def statement(goal: Goal) -> str:
    """The goal as a sentence: Everyone has a first dose by 14 August 2021."""
    if goal.scope is None:
        text = _MEASURE_STATEMENTS[goal.comparison]
    elif goal.amount >= 1 and not goal.of_population:
        text = _EVERYONE[goal.scope]
    else:
        text = _STATEMENTS[goal.scope, goal.of_population]
    return _filled(text, goal)


def clause(goal: Goal) -> str:
    """The goal as what may be or not: that everyone has a first dose by 14 August 2021."""
    said = statement(goal)
    if goal.scope is not None:
        said = said[0].lower() + said[1:]
    return _("that {statement}").format(statement=said)


def thing(goal: Goal) -> str:
    """The goal as a thing: 80 % of the target with a first dose by 14 August 2021."""
    if goal.scope is None:
        return _filled(_MEASURE_THINGS[goal.comparison], goal)
    return _filled(_THINGS[goal.scope, goal.of_population], goal)


def share(value: float) -> str:
    """A share without an empty decimal: 95 %."""
    return percent(value).replace(".0 %", " %")


def reached(value: float, goal: Goal) -> str:
    """A value of the goal's measure."""
    return percent(value) if goal.scope else amount(value, goal.unit, decimals(goal))


def decimals(goal: Goal) -> int:
    """So many that the goal asks for: of at most 0.01 minutes 2."""
    return 0 if goal.scope else len(f"{goal.amount:.9f}".rstrip("0").partition(".")[2])


def measure_words(name: str) -> str:
    """A measure by what it means, and by its name: some meanings need it."""
    return f"{_(measure(name).meaning)} ({name})"


def _filled(text: str, goal: Goal) -> str:
    return _(text).format(
        measure="" if goal.scope else measure_words(goal.measure),
        share=share(goal.amount),
        amount=amount(goal.amount, goal.unit, decimals(goal)),
        day=on(goal.by),
    )
