"""What one reader has before them: the state of their page, from one redrawing to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sim.language import speaking
from sim.presentation.page.ensemble import Ensemble
from sim.presentation.page.levers import Lever, levers
from sim.presentation.page.state import Choice, Scenarios, State
from sim.scenario import Scenario
from sim.scenario_files import ScenarioError, Upload


@dataclass
class Desk:
    """A reader's state, and how their inputs begin."""

    scenarios: Scenarios
    state: State
    upload: Upload | None = None
    generation: int = 0
    """Inputs of another generation are new: they begin with the values below."""
    levers: list[Lever] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    """how levers begin where that is not the scenario's own value"""
    others: tuple[str, ...] = ()
    """changes that no lever makes"""
    base: Scenario | None = None
    """the scenario with these, which the levers move; None where that cannot be"""
    error: str = ""
    """why it cannot be"""
    address: Mapping[str, list[str]] | None = None
    """as the page has written it last"""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """their values, as seen last"""
    pinned_upload: Upload | None = None
    ensemble: Ensemble | None = None
    """being made, or made last"""
    unknown: Sequence[str] = ()
    """what an address asked for and cannot be"""

    def take(self, state: State) -> None:
        """Show a state, in its language: all inputs begin anew."""
        with speaking(state.language):
            self._take(state)

    def _take(self, state: State) -> None:
        self.state, self.generation = state, self.generation + 1
        choice, self.values = state.choice, {}
        self.set_base(Choice(choice.scenario))
        moved = {path for lever in self.levers for path in lever.paths}
        self.others = tuple(c for c in choice.changes if path_of(c) not in moved)
        if self.others:
            self.set_base(Choice(choice.scenario, self.others))
        try:
            now = self.scenarios.load(choice, self.upload)
        except ScenarioError:
            self.others = choice.changes
            self.set_base(choice)
            return
        there = {lever.key: lever.value for lever in self.levers}
        self.values = {
            lever.key: lever.value
            for lever in levers(now)
            if lever.key in there and lever.value != there[lever.key]
        }

    def set_base(self, choice: Choice) -> None:
        """The scenario that the levers move; without one that can be, there are none."""
        self.error = ""
        try:
            self.base = self.scenarios.load(choice, self.upload)
        except ScenarioError as error:
            self.base, self.error = None, str(error)
        self.levers = [] if self.base is None else levers(self.base)

    def upload_of(self, choice: Choice) -> Upload | None:
        """The reader's file that a choice means."""
        return self.pinned_upload if choice == self.state.pinned else self.upload

    def moved(self, others: Sequence[str], values: Mapping[str, Any]) -> Choice:
        """The choice that inputs with these values make."""
        changes = list(others)
        for lever in self.levers:
            changes += lever.changes(values.get(lever.key))
        return Choice(self.state.choice.scenario, tuple(changes))

    def seen(self, **changes: Any) -> None:
        """Note what inputs say, without starting them anew."""
        self.state = replace(self.state, **changes)


def path_of(change: str) -> str:
    """What a change sets."""
    return change.partition("=")[0].strip()
