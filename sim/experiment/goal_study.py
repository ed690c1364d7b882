"""The study behind `vaxsim goal`: what would it take to reach a goal?

`find` looks at the scenario as it is, at each lever alone and at combinations. Where the levers
named are not enough, it says how far they reach together, what it would take to come near that, and
what all levers together could do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from sim.experiment.attainment import (
    Attainment,
    Confirmation,
    Found,
    Point,
    passed_over_below,
    read_costs,
    read_probability,
)
from sim.experiment.feasibility import bindings, not_yet, not_yet_words
from sim.experiment.goals import Goal, read_goal
from sim.experiment.levers import Lever, read_levers, settings_that_differ
from sim.experiment.settings import RunSettings
from sim.experiment.sources import Source
from sim.experiment.study import StudyPlan
from sim.experiment.trials import Trials
from sim.language import speaking

Kind = Literal["plan", "alone", "together", "widest", "nearest", "all_widest", "further"]
"""As it is; one lever; several; all named, as far as they go; those for a coverage that is near;
all levers there are, as far as they go; those for the goal, or for a coverage that is near."""

SHOWN = range(4)
"""Replications of which values are shown: of every option the same."""
ALTERNATIVES = 2
"""Combinations that are confirmed."""
_LOOKED_AT_BESIDES = 3
"""Combinations looked at for a goal that nobody has asked for."""
_POINTS_KEPT = 50
MOST_SMALLER = 500
"""Replications, and people in them, that are spent on trying smaller sizes, at most."""
MOST_PEOPLE_SMALLER = 60_000_000


@dataclass(frozen=True)
class GoalQuestion:
    """What is to be reached, how surely, and what may be changed."""

    source: Source
    goal: Goal
    probability: float
    levers: Sequence[Lever]
    costs: Mapping[str, float]
    over: str | None
    """levers as the user named them; None: all"""

    @classmethod
    def of(
        cls, source: Source, reach: str, probability: float, over: str | None, cost: str | None
    ) -> GoalQuestion:
        """From texts. Raises SettingsError for what cannot be."""
        scenario = source.scenario
        goal = read_goal(reach, scenario)
        levers = read_levers(over, scenario, goal)
        costs = read_costs(cost, levers)
        return cls(source, goal, read_probability(probability), levers, costs, over)

    def plan(self, settings: RunSettings, out: Path | None) -> StudyPlan:
        """The study to be made."""
        asked = {
            "reach": str(self.goal),
            "probability": self.probability,
            "levers": {lever.name: lever.largest for lever in self.levers},
            "costs": dict(self.costs),
        }
        return StudyPlan("goal", self.source, self.goal.settings(settings), asked, out)


@dataclass(frozen=True)
class _Option:
    """Something that could be done, and how it was judged."""

    kind: Kind
    search: Attainment
    point: Point
    verdict: Literal["enough", "ceiling", "simulation", "unconfirmed"]
    found: Found | None = None
    """None: it was not judged by fresh replications"""

    @property
    def confirmation(self) -> Confirmation | None:
        """What fresh replications said of it."""
        return None if self.found is None else self.found.confirmation

    def smaller(self, most: int) -> _Option:
        """The same with smaller sizes, if they will do; at most so many replications are spent."""
        if self.found is None or self.verdict != "enough":
            return self
        found = self.search.descended(self.found, most)
        return replace(self, point=found.point, found=found)


@dataclass
class _Finder:
    question: GoalQuestion
    trials: Trials
    options: list[_Option] = field(default_factory=list)

    def search(self, levers: Sequence[Lever], goal: Goal | None = None) -> Attainment:
        costs = {**read_costs(None, levers), **self.question.costs}
        question = self.question
        return Attainment(
            question.source.scenario,
            goal or question.goal,
            question.probability,
            levers,
            costs,
            self.trials,
        )

    def judged(self, kind: Kind, search: Attainment, point: Point) -> _Option:
        """A point that the search found, judged by fresh replications, and noted."""
        found = search.confirmed(point)
        verdict: Any = "enough" if found.confirmation.confirmed else "unconfirmed"
        option = _Option(kind, search, found.point, verdict, found)
        self.options.append(option)
        return option

    def as_it_is(self, search: Attainment) -> bool:
        """Whether the scenario reaches the goal already."""
        if search.will_do(search.nothing):
            first = self.judged("plan", search, search.nothing)
            if first.verdict == "enough":
                return True
            if first.confirmation:
                search.forgive(first.confirmation)
        elif search.may_do(search.nothing):
            return self.judged("plan", search, search.nothing).verdict == "enough"
        else:
            verdict = self._obstacle(search, search.nothing)
            self.options.append(_Option("plan", search, search.nothing, verdict))
        return False

    def alone(self, search: Attainment) -> None:
        """Each lever, at its smallest sufficient size or at its largest."""
        for i, lever in enumerate(search.levers):
            point = search.alone(i, lever.largest)
            if search.will_do(point):
                size = search.smallest(point, i)
                self.judged("alone", search, search.alone(i, size))
            elif search.may_do(point):
                self.judged("alone", search, point)
            else:
                self.options.append(_Option("alone", search, point, self._obstacle(search, point)))

    @staticmethod
    def _obstacle(search: Attainment, point: Point) -> Literal["ceiling", "simulation"]:
        return "simulation" if search.allowed(point) else "ceiling"

    def together(self, search: Attainment) -> list[_Option]:
        """The cheapest combinations that fresh replications confirm."""
        found: list[_Option] = []
        for point in search.combinations():
            several = sum(size > 0 for size in point) > 1  # one lever: judged alone
            if several and len(found) < ALTERNATIVES:
                found.append(self.judged("together", search, point))
        return found

    def smaller(self) -> None:
        """Smaller sizes for what is enough, the cheapest first, while replications last."""
        people = max(self.question.source.scenario.target, 1)
        end = self.trials.spent + min(MOST_SMALLER, MOST_PEOPLE_SMALLER // people)
        for n in sorted(range(len(self.options)), key=lambda n: _cost(self.options[n])):
            if self.trials.spent < end:
                self.options[n] = self.options[n].smaller(end - self.trials.spent)

    def not_enough(self, search: Attainment) -> None:
        """How far the levers reach, and what would be enough."""
        self._besides("widest", "nearest", search)
        known = {lever.name.partition(".")[0] for lever in search.levers}
        more = [
            lever
            for lever in read_levers(None, search.scenario, search.goal)
            if lever.name not in known
        ]
        if not more:
            return
        wider = self.search([*search.levers, *more])
        points = wider.combinations(_LOOKED_AT_BESIDES)
        if points:
            self.judged("further", wider, points[0])
        else:
            self._besides("all_widest", "further", wider)

    def _besides(self, widest: Kind, near: Kind, search: Attainment) -> None:
        """All levers as far as they go; and the cheapest way to a coverage that is near that."""
        point = search.widest
        self.options.append(_Option(widest, search, point, self._obstacle(search, point)))
        goal = search.goal
        if goal.scope is None:
            return
        share = round_down(float(search.values(point, SHOWN).min()))
        if not 0 < share < goal.amount:
            return
        nearer = self.search(search.levers, replace(goal, amount=share))
        if not nearer.will_do(nearer.nothing):
            for point in nearer.combinations(_LOOKED_AT_BESIDES)[:1]:
                self.judged(near, nearer, point)


def round_down(share: float) -> float:
    """A share in whole percent, or above 99 % in tenths of a percent."""
    steps = 1000 if share >= 0.99 else 100
    return math.floor(share * steps + 1e-9) / steps


def find(question: GoalQuestion, trials: Trials) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """The answer, and its tables: options, changes, settings, limits, missing, ceiling_points.

    The trials must end with the goal's day.
    """
    finder = _Finder(question, trials)
    search = finder.search(question.levers)
    already = finder.as_it_is(search)
    if not already:
        finder.alone(search)
        if finder.together(search) or _enough(finder.options):
            finder.smaller()
        else:
            finder.not_enough(search)
    with speaking("en"):  # results are in English whoever makes them; `presentation` translates
        return _answer(finder, search, already), _tables(finder, search)


def _enough(options: Sequence[_Option]) -> list[int]:
    return [i for i, option in enumerate(options) if option.verdict == "enough"]


def _answer(finder: _Finder, search: Attainment, already: bool) -> dict[str, Any]:
    question, goal = finder.question, finder.question.goal
    within = [
        i
        for i in _enough(finder.options)
        if finder.options[i].kind in ("plan", "alone", "together")
    ]
    cheapest = min(within, key=lambda i: _cost(finder.options[i]), default=None)
    found = None if cheapest is None else finder.options[cheapest].found
    return {
        "goal": str(goal),
        "probability": question.probability,
        "reached_already": already,
        "reachable": bool(within),
        "cheapest": cheapest,
        "passed_over_below": found and passed_over_below(search, found),
        "shown_replications": len(SHOWN),
        "alone_enough": [i for i in within if finder.options[i].kind == "alone"],
        "persons_needed": None if goal.scope is None else goal.persons_needed(search.scenario),
        "ceiling_is_certain": search.ceiling_decides,
        "replications": finder.trials.spent,
    }


def _cost(option: _Option) -> float:
    return option.search.cost(option.point)


# Tables ---------------------------------------------------------------------------------------


def _tables(finder: _Finder, search: Attainment) -> dict[str, pd.DataFrame]:
    worlds = [(option.search.at(option.point), SHOWN) for option in finder.options]
    finder.trials.all_measures(worlds)  # at once, so that no core waits
    points = search.on_the_ceiling[:_POINTS_KEPT]
    return {
        "options": pd.DataFrame([_option_row(option) for option in finder.options]),
        "changes": _frame(
            [{"option": n, **row} for n, option in enumerate(finder.options)
             for row in _changes(option.search, option.point, option.found)],
            ["option", "lever", "size", "unit", "cost", "words", "step"],
        ),
        "settings": _frame(
            [{"option": n, "setting": text} for n, option in enumerate(finder.options)
             for text in settings_that_differ(search.scenario, option.search.at(option.point))],
            ["option", "setting"],
        ),
        "limits": _limits(finder),
        "missing": _missing(finder),
        "ceiling_points": _frame(
            [{"point": n, **row} for n, point in enumerate(points)
             for row in _changes(search, point)],
            ["point", "lever", "size", "unit", "cost", "words"],
        ),
    }  # fmt: skip


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns)


def _option_row(option: _Option) -> dict[str, Any]:
    search, confirmation = option.search, option.confirmation
    values = search.values(option.point, SHOWN)
    return {
        "kind": option.kind,
        "goal": str(search.goal),
        "verdict": option.verdict,
        "cost": _cost(option),
        "ceiling": search.ceiling(option.point),
        "mean": float(values.mean()),
        "least": float(values.min()),
        "greatest": float(values.max()),
        "fresh_replications": confirmation.n if confirmation else 0,
        "fresh_reached": confirmation.reached if confirmation else 0,
        "probability_low": confirmation.low if confirmation else float("nan"),
    }


def _changes(search: Attainment, point: Point, found: Found | None = None) -> list[dict[str, Any]]:
    """The sizes of a point; `step`: so much less was tried and did not do (NaN: none was)."""
    steps = found.steps if found else {}
    return [
        {
            "lever": lever.name,
            "size": size,
            "unit": lever.unit,
            "cost": search.costs[lever.name] * size,
            "words": lever.words(size),
            "step": float(steps.get(i, math.nan)),
        }
        for i, (lever, size) in enumerate(zip(search.levers, point, strict=True))
        if size
    ]


def _limits(finder: _Finder) -> pd.DataFrame:
    """What holds the ceiling, for options that it keeps from the goal.

    Where nobody can be vaccinated by the day yet, why not: then a unit more is worth nothing.
    """
    goal = finder.question.goal
    rows = []
    for n, option in enumerate(finder.options):
        if option.verdict == "ceiling" and goal.scope is not None:
            world = option.search.at(option.point)
            late = not_yet(world, goal.scope, goal.by)
            for kind, begins in late:
                when = pd.NaT if begins is None else pd.Timestamp(begins)
                rows.append(
                    {
                        "option": n,
                        "kind": kind,
                        "first": when,
                        "last": when,
                        "worth": 0.0,
                        "words": not_yet_words(kind, begins),
                    }
                )
            for binding in () if late else bindings(world, goal.scope, goal.by):
                if binding.worth > 0:
                    rows.append(
                        {
                            "option": n,
                            "kind": binding.kind,
                            "first": pd.Timestamp(binding.first),
                            "last": pd.Timestamp(binding.last),
                            "worth": float(binding.worth),
                            "words": binding.words,
                        }
                    )
    return _frame(rows, ["option", "kind", "first", "last", "worth", "words"])


def _missing(finder: _Finder) -> pd.DataFrame:
    """Who is missing and why, in one replication, for options that do not reach a coverage."""
    goal = finder.question.goal
    rows = [
        {"option": n, "cause": cause, "persons": round(persons)}
        for n, option in enumerate(finder.options)
        if option.verdict != "enough" and goal.scope is not None
        for cause, persons in finder.trials.missing(
            option.search.at(option.point), SHOWN[:1], goal.scope
        ).items()
    ]
    return _frame(rows, ["option", "cause", "persons"])
