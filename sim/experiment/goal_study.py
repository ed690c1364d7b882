"""The study behind `vaxsim goal`: what would it take to reach a goal?

`find` looks at the scenario as it is, at each lever alone and at combinations, those included to
which exchanges of levers lead, and lays out what it finds over the parts of the levers
(`layouts.py`); where fresh replications confirm none, it looks again with those that they missed.
Where the levers named are not enough, it says how far they reach together, what it would take to
come near that, and what all levers together could do. A search leaves replications for the
confirmation of what it finds.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from sim.experiment.attainment import (
    ERROR,
    ROWS_OF_A_POINT,
    Attainment,
    Confirmation,
    Found,
    OutOfReplicationsError,
    Point,
    lever_costs,
    needed,
    passed_over_below,
    read_probability,
)
from sim.experiment.changes import settings_that_differ
from sim.experiment.exchanges import Exchanged, exchanged
from sim.experiment.feasibility import not_yet, not_yet_words
from sim.experiment.goals import Goal, read_goal
from sim.experiment.layouts import MOST_FOR_LAYOUTS, laid_out
from sim.experiment.levers import Lever, read_levers
from sim.experiment.selection import check_enough
from sim.experiment.settings import RunSettings
from sim.experiment.shadow_prices import bindings
from sim.experiment.sources import Source
from sim.experiment.study import StudyPlan
from sim.experiment.trials import Trials, default_most
from sim.language import speaking

Kind = Literal["plan", "alone", "together", "widest", "nearest", "all_widest", "further"]
"""As it is; one lever; several; all named, as far as they go; those for a coverage that is near;
all levers there are, as far as they go; those for the goal, or for a coverage that is near."""

SHOWN = range(4)
"""Replications of which values are shown: of every option the same."""
ALTERNATIVES = 2
"""Combinations that are confirmed."""
_OPTIONS_BESIDES = 6
"""Options that are no lever alone, at most."""
_LOOKED_AT_BESIDES = 3
"""Combinations looked at for a goal that nobody has asked for."""
_POINTS_KEPT = 50
MOST_FOR_EXCHANGES = 250
"""Replications after which no further exchange of levers is looked at."""
SHARE_OF_SMALLER = 1 / 6
"""Part of all replications that is left for smaller sizes, at least."""
_SEARCHES = 3
"""Searches for combinations, at most, where what they find is not confirmed."""
_CONFIRMED = 2
"""For so many confirmations without a miss a search leaves replications, half of all at most."""


_TESTS = 3
"""For so many confirmations without a miss there are always enough replications."""


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
    most: int
    """replications in all"""

    @classmethod
    def of(
        cls,
        source: Source,
        reach: str,
        probability: float,
        over: str | None,
        cost: str | None,
        most: int | None = None,
    ) -> GoalQuestion:
        """From texts. Raises SettingsError for what cannot be."""
        scenario = source.scenario
        goal = read_goal(reach, scenario)
        levers = read_levers(over, scenario, goal)
        costs = lever_costs(cost, levers)
        probability = read_probability(probability)
        if most is None:
            most = max(default_most(scenario), _TESTS * needed(probability))
        check_enough(most, probability, ERROR / 2)
        return cls(source, goal, probability, levers, costs, over, most)

    def plan(self, settings: RunSettings, out: Path | None) -> StudyPlan:
        """The study to be made."""
        asked = {
            "reach": str(self.goal),
            "probability": self.probability,
            "levers": {lever.name: lever.largest for lever in self.levers},
            "costs": dict(self.costs),
            "most_replications": self.most,
        }
        return StudyPlan("goal", self.source, self.goal.settings(settings), asked, out)


@dataclass(frozen=True)
class _Option:
    """Something that could be done, and how it was judged."""

    kind: Kind
    search: Attainment
    point: Point
    verdict: Literal["enough", "ceiling", "simulation", "unconfirmed", "unfinished"]
    found: Found | None = None
    """None: it was not judged by fresh replications"""

    @property
    def confirmation(self) -> Confirmation | None:
        """What fresh replications said of it."""
        return None if self.found is None else self.found.confirmation

    def judged(self, soon: bool = False) -> _Option:
        """The same, perhaps with larger sizes, judged by fresh replications; only if that is soon.

        Soon: if hardly a replication misses the goal.
        """
        if soon:
            end = self.search.trials.spent + 2 * needed(self.search.probability)
            if not self.search.confirmation(self.point, end=end).confirmed:
                return self
        found = self.search.confirmed(self.point)
        verdict: Any = "enough" if found.confirmation.confirmed else "unconfirmed"
        if not found.confirmation.decided:
            verdict = "unfinished"
        return replace(self, point=found.point, verdict=verdict, found=found)

    @property
    def changed(self) -> dict[str, int]:
        """What is changed: the sizes of levers by name."""
        levers = (lever.name for lever in self.search.levers)
        return {name: size for name, size in zip(levers, self.point, strict=True) if size}

    def smaller(self) -> _Option:
        """The same with smaller sizes, if they will do."""
        if self.found is None or self.verdict != "enough":
            return self
        found = self.search.descended(self.found)
        return replace(self, point=found.point, found=found)


@dataclass
class _Finder:
    question: GoalQuestion
    trials: Trials
    options: list[_Option] = field(default_factory=list)
    searches: list[Attainment] = field(default_factory=list)
    exchanges: Exchanged | None = None
    """those that were looked at for the goal"""
    parts_finished: bool = True
    """whether parts of levers were tried to the end"""
    whole: list[Point] = field(default_factory=list)
    """what was found for each lever alone, all its parts moved"""
    most: int = field(init=False)
    """replications that searches may spend; the others are for values to be shown"""
    allowed: int = field(init=False)
    """those that they may spend for now"""

    def __post_init__(self) -> None:
        options = len(self.question.levers) + _OPTIONS_BESIDES
        self.most = self.question.most - len(SHOWN) * options
        self.allowed = self.most

    def allow(self, most: int) -> None:
        """Let all searches spend so many replications."""
        self.allowed = most
        for search in self.searches:
            search.most = most

    @contextlib.contextmanager
    def leaving_confirmations(self, share: float = 1.0) -> Iterator[None]:
        """Let searches spend a share of what is left when some is kept for confirmations."""
        most, spent = self.allowed, self.trials.spent
        used_up = {id(search) for search in self.searches if search.used_up}
        kept = min(_CONFIRMED * needed(self.question.probability), (most - spent) // 2)
        self.allow(spent + round(share * (most - spent - kept)))
        try:
            yield
        finally:
            self.allow(most)
            for search in self.searches:
                search.used_up = id(search) in used_up

    def search(self, levers: Sequence[Lever], goal: Goal | None = None) -> Attainment:
        """A search for the smallest changes."""
        question = self.question
        made = Attainment(
            question.source.scenario,
            goal or question.goal,
            question.probability,
            levers,
            {**lever_costs(None, levers), **question.costs},
            self.trials,
            self.allowed,
        )
        self.searches.append(made)
        return made

    @property
    def finished(self) -> bool:
        """Whether everything was looked at to the end."""
        return not any(search.used_up for search in self.searches)

    def perhaps(self, search: Attainment) -> bool:
        """Whether the goal may be reachable, though nothing was confirmed."""
        widest = [option.point for option in self.options if option.kind == "widest"]
        values = [search.trials.measures(search.at(point), SHOWN) for point in widest]
        return not self.finished or any(
            search.goal.reached({str(name): value for name, value in row.items()}, search.scenario)
            for frame in values
            for row in frame.to_dict("records")
        )

    def note(self, kind: Kind, search: Attainment, point: Point, verdict: Any) -> None:
        """Something that could be done."""
        self.options.append(_Option(kind, search, point, verdict))

    def judge(self) -> None:
        """Judge what was found: what is soon judged, then the rest, the cheapest first.

        Combinations that cost more than something that is enough are left out.
        """
        for soon in (True, False):
            for option in sorted(self.options, key=_cost):
                if option.verdict == "unfinished":
                    if option.kind == "together" and self._costs_more(option):
                        self.options.remove(option)
                    else:
                        self.options[self.options.index(option)] = option.judged(soon)

    def _costs_more(self, option: _Option) -> bool:
        enough = (self.options[n] for n in _enough(self.options))
        return any(_cost(other) < _cost(option) for other in enough)

    def as_it_is(self, search: Attainment) -> bool | None:
        """Whether the scenario reaches the goal already; None: too few replications to tell."""
        nothing = search.nothing
        verdict = self._obstacle(search, nothing)
        if verdict == "simulation" or not search.ceiling_decides:
            judged = _Option("plan", search, nothing, verdict).judged()
            if judged.confirmation is not None and judged.confirmation.reached:
                self.options.append(judged)
                search.look_at(judged.confirmation)
                return None if judged.verdict == "unfinished" else judged.verdict == "enough"
        self.note("plan", search, nothing, verdict)
        return False

    def laid_out(self, option: _Option, will_do: bool) -> _Option:
        """An option with its change laid out over the parts of its levers, if that is cheaper."""
        parts = any(
            size and lever.parts
            for lever, size in zip(option.search.levers, option.point, strict=True)
        )
        besides = option.search.goal != self.question.goal or option.kind == "further"
        if parts and besides and self.allowed - self.trials.spent < MOST_FOR_LAYOUTS:
            self.parts_finished = False
        if not parts or not self.parts_finished:
            return option
        found, finished = laid_out(option.search, option.point, will_do)
        self.parts_finished &= finished
        if found is None:
            return option
        self.searches.append(found[0])
        return _Option(option.kind, *found, "unfinished")

    def note_laid_out(self, kind: Kind, search: Attainment, point: Point) -> None:
        """Something that seems to be enough, laid out over the parts of levers."""
        self.options.append(self.laid_out(_Option(kind, search, point, "unfinished"), True))

    def alone(self, search: Attainment) -> None:
        """Each lever, at its smallest sufficient size or at its largest; then its parts."""
        for i, lever in enumerate(search.levers):
            point = search.alone(i, lever.largest)
            option = _Option("alone", search, point, "unfinished")
            with contextlib.suppress(OutOfReplicationsError):
                if not search.may_do(point):
                    option = replace(option, verdict=self._obstacle(search, point))
                elif failed := search.fails_as_smaller(point):
                    option = replace(option, verdict="unconfirmed", found=Found(point, failed))
                else:
                    size = search.smallest(point, i)  # 0: no better than nothing, it seems
                    option = replace(option, point=search.alone(i, size or lever.largest))
            self.options.append(option)
        self.whole = [option.point for option in self.options if option.kind == "alone"]
        for n, option in enumerate(self.options):
            if option.kind == "alone":
                self.options[n] = self.laid_out(option, option.verdict == "unfinished")

    @staticmethod
    def _obstacle(search: Attainment, point: Point) -> Literal["ceiling", "simulation"]:
        return "simulation" if search.allowed(point) else "ceiling"

    def together(self, search: Attainment) -> None:
        """The cheapest combinations, also those to which exchanges of levers lead."""
        points, self.exchanges = _cheaper(search, [*search.combinations(), *self.whole])
        for point in [p for p in points if sum(size > 0 for size in p) > 1][:ALTERNATIVES]:
            self.note_laid_out("together", search, point)
        if not points:  # but perhaps with other parts
            widest = _Option("together", search, search.widest, "ceiling")
            option = self.laid_out(widest, will_do=False)
            if option.changed not in [other.changed for other in (widest, *self.options)]:
                self.options.append(option)

    def search_again(self, search: Attainment) -> bool:
        """Look for combinations that do in what the others have missed; False: there is no point.

        What was found with few replications may owe it to their luck.
        """
        missed = [option for option in self.options if option.kind == "together"]
        judged = [option.confirmation for option in missed if option.verdict == "unconfirmed"]
        if not judged or judged[0] is None or search.first_row >= _SEARCHES * ROWS_OF_A_POINT:
            return False
        search.look_at(judged[0])
        search.first_row += ROWS_OF_A_POINT
        with self.leaving_confirmations():
            self.together(search)
        known = [option.changed for option in missed]
        others = [
            option
            for option in self.options
            if option.kind == "together" and option.changed not in known
        ]
        if others:
            alone = [option for option in self.options if option.kind != "together"]
            self.options = [*alone, *others]
        self.judge()
        return True

    def smaller(self) -> None:
        """Smaller sizes for what is enough, the cheapest first, while replications last."""
        for n in sorted(range(len(self.options)), key=lambda n: _cost(self.options[n])):
            self.options[n] = self.options[n].smaller()

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
        with self.leaving_confirmations():
            points, _exchanges = _cheaper(wider, wider.combinations(_LOOKED_AT_BESIDES))
        if points:
            self.note_laid_out("further", wider, points[0])
        else:
            self._besides("all_widest", "further", wider)
        self.judge()

    def _besides(self, widest: Kind, near: Kind, search: Attainment) -> None:
        """All levers as far as they go; and the cheapest way to a coverage that is near that."""
        point = search.widest
        self.note(widest, search, point, self._obstacle(search, point))
        goal = search.goal
        if goal.scope is None:
            return
        share = round_down(float(search.values(point, SHOWN).min()))
        if not 0 < share < goal.amount:
            return
        nearer = self.search(search.levers, replace(goal, amount=share))
        with self.leaving_confirmations(share=0.5), contextlib.suppress(OutOfReplicationsError):
            if not nearer.will_do(nearer.nothing):
                points, _exchanges = _cheaper(nearer, nearer.combinations(_LOOKED_AT_BESIDES))
                for point in points[:1]:
                    self.note_laid_out(near, nearer, point)


def _cheaper(search: Attainment, points: Sequence[Point]) -> tuple[list[Point], Exchanged | None]:
    """Those points that will do, and what exchanges make of the cheapest; by their cost."""
    enough: dict[Point, None] = {}
    with contextlib.suppress(OutOfReplicationsError):
        for point in points:
            if search.will_do(point):
                enough[point] = None
    if not enough:
        return [], None
    found = exchanged(search, min(enough, key=search.cost), MOST_FOR_EXCHANGES)
    return sorted({**enough, found.point: None}, key=search.cost), found


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
    if already is False:
        finder.allow(round((1 - SHARE_OF_SMALLER) * finder.most))
        with finder.leaving_confirmations():
            finder.alone(search)
            finder.together(search)
        finder.judge()
        while not _enough(finder.options) and finder.search_again(search):
            pass
        finder.allow(finder.most)
        if _enough(finder.options):
            for each in finder.searches:
                each.used_up = False
            finder.smaller()
            finder.judge()  # what was left, if replications are
        else:
            finder.not_enough(search)
    with speaking("en"):  # results are in English whoever makes them; `presentation` translates
        return _answer(finder, search, already), _tables(finder, search)


def _enough(options: Sequence[_Option]) -> list[int]:
    return [i for i, option in enumerate(options) if option.verdict == "enough"]


def _answer(finder: _Finder, search: Attainment, already: bool | None) -> dict[str, Any]:
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
        "reachable": bool(within) or (None if finder.perhaps(search) else False),
        "cheapest": cheapest,
        "passed_over_below": found and passed_over_below(search, found),
        "shown_replications": len(SHOWN),
        "alone_enough": [i for i in within if finder.options[i].kind == "alone"],
        "persons_needed": None if goal.scope is None else goal.persons_needed(search.scenario),
        "ceiling_is_certain": search.ceiling_decides,
        "finished": finder.finished,
        "exchanges": finder.exchanges
        and {"looked_at": finder.exchanges.offers, "finished": finder.exchanges.finished},
        "parts": {
            "of": [lever.name for lever in search.levers if lever.parts],
            "finished": finder.parts_finished,
        },
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
        "reached_at_most": bool(confirmation and confirmation.at_most),
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
