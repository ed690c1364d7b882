"""What a page shows, as its address holds it: scenario, changes, seed, language, panel, pin."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from sim.experiment.results import command
from sim.experiment.settings import DEFAULT_SEED
from sim.language import LANGUAGES, N_, _
from sim.scenario import Scenario
from sim.scenario_files import Problem, ScenarioError, Upload, load_scenario, parsed_value

MOST_PEOPLE = 5_000_000
"""People of the groups together that a page simulates."""
MOST_UNIT_DAYS = 500_000
"""Units times days of the campaign."""
MOST_DOSES_PER_VIAL = 1000
MOST_ATTEMPTS = 100
"""Call attempts of a person on one day."""
IMPORTED = "imported"
"""Stands in the address for a scenario from a reader's own file."""
PANELS = {
    "binds": N_("What binds"),
    "call_centre": N_("Call centre"),
    "units": N_("Units"),
    "doses": N_("Doses"),
    "compare": N_("Compare"),
    "ensemble": N_("How sure"),
    "assumptions": N_("Assumptions"),
    "take_away": N_("Take away"),
}
"""Below the answer, one at a time; the first one unless another is asked for."""
_PARAMETERS = ("scenario", "set", "seed", "lang", "panel", "pin", "pin_set")
_THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")


@dataclass(frozen=True)
class Choice:
    """A scenario and what is changed in it."""

    scenario: str
    """name of one of the scenarios offered, or IMPORTED"""
    changes: tuple[str, ...] = ()
    """as --set takes them"""

    def command(self, file: str, seed: int, replications: int) -> str:
        """The same on the command line."""
        words = [word for change in self.changes for word in ("--set", change)]
        return command("run", file, *words, *luck(seed, replications))


def luck(seed: int, replications: int) -> list[object]:
    """The options with which the command line has the same people with the same luck."""
    seeds = [] if seed == DEFAULT_SEED else ["--seed", seed]
    return ["--replications", replications, *seeds]


@dataclass(frozen=True)
class State:
    """All that a page shows, but for the imported file."""

    choice: Choice
    seed: int = DEFAULT_SEED
    language: str = "en"
    panel: str = ""
    pinned: Choice | None = None

    def address(self) -> dict[str, str | list[str]]:
        """As parameters of the address; defaults are left out."""
        found: dict[str, str | list[str]] = {
            "scenario": self.choice.scenario,
            "set": list(self.choice.changes),
            "seed": "" if self.seed == DEFAULT_SEED else str(self.seed),
            "lang": self.language,
            "panel": self.panel,
        }
        if self.pinned is not None:
            found |= {"pin": self.pinned.scenario, "pin_set": list(self.pinned.changes)}
        return {key: value for key, value in found.items() if value}


def state_in(
    parameters: Mapping[str, Sequence[str]], offered: Sequence[str], language: str
) -> tuple[State, list[str]]:
    """The state that the parameters of an address ask for, and those that cannot be."""
    wrong = [f"{key}={value[-1]}" for key, value in parameters.items() if key not in _PARAMETERS]

    def one(name: str, default: str) -> str:
        return (parameters.get(name) or [default])[-1]

    def choice(name: str, changes: str) -> Choice:
        wanted = one(name, offered[0])
        if wanted in offered:
            return Choice(wanted, changes_in("\n".join(parameters.get(changes, ()))))
        wrong.append(f"{name}={wanted}")
        return Choice(offered[0])

    seed = one("seed", str(DEFAULT_SEED)).translate(_THAI_DIGITS)
    if not (seed.isascii() and seed.isdecimal() and len(seed) <= 20 and int(seed) < 2**64):
        wrong.append(f"seed={seed}")
        seed = str(DEFAULT_SEED)
    code = one("lang", language)
    if code not in LANGUAGES:
        wrong.append(f"lang={code}")
        code = language
    panel = one("panel", "")
    if panel and panel not in PANELS:
        wrong.append(f"panel={panel}")
        panel = ""
    pinned = choice("pin", "pin_set") if "pin" in parameters else None
    state = State(choice("scenario", "set"), int(seed), code, panel, pinned)
    return state, wrong


def language_wanted(accept: str, default: str) -> str:
    """The language that a browser asks for (its Accept-Language), else the default."""
    wanted = []
    for place, entry in enumerate(accept.split(",")):
        name, _, quality = entry.strip().partition(";q=")
        try:
            wanted.append((-float(quality or 1), place, name.partition("-")[0].lower()))
        except ValueError:
            continue
    return next((code for _, _, code in sorted(wanted) if code in LANGUAGES), default)


def changes_in(text: str) -> tuple[str, ...]:
    """Changes written one a line; numbers in Thai digits become numbers."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        key, equals, value = line.partition("=")
        western = value.translate(_THAI_DIGITS)
        plain = western if not isinstance(parsed_value(western.strip()), str) else value
        found.append(f"{key.strip()}{equals}{plain.strip()}")
    return tuple(found)


# Scenarios ------------------------------------------------------------------------------------


class Scenarios:
    """The scenarios that a page offers, by name; files are read again when they change."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = {path.stem: path for path in files}

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        return iter(self.files)

    def file(self, choice: Choice, upload: Upload | None) -> Path | Upload:
        """Where the scenario comes from."""
        if choice.scenario == IMPORTED and upload is not None:
            return upload
        return self.files[choice.scenario]

    def load(self, choice: Choice, upload: Upload | None = None) -> Scenario:
        """The scenario that is meant. Raises ScenarioError."""
        try:
            found = _loaded(self.file(choice, upload), choice.changes, self._stamps())
        except ScenarioError as error:
            raise ScenarioError(map(self._without_folders, error.problems)) from None
        problems = list(_too_much(found))
        if problems:
            raise ScenarioError(problems)
        return found

    def title(self, name: str) -> str:
        """The title of one of them; its name where it cannot be read."""
        path = self.files[name]
        return _title(path, path.stat().st_mtime_ns if path.is_file() else 0)

    def upload(self, name: str, content: bytes) -> Upload:
        """A reader's own file, which can extend those that are offered.

        Raises ScenarioError for a name that does not end in .toml.
        """
        if not name.lower().endswith(".toml"):
            message = _("a scenario is a TOML file: its name ends in .toml")
            raise ScenarioError([Problem(name, None, "", None, message)])
        return Upload(name, content, tuple(self.files.values()))

    def _without_folders(self, problem: Problem) -> Problem:
        """The problem with names of files alone: where they lie is the server's own business."""
        folders = {f"{path.parent}{os.sep}" for path in self.files.values()} - {f".{os.sep}"}
        file, message = problem.file, problem.message
        for folder in sorted(folders, key=len, reverse=True):
            file = file.removeprefix(folder)
            message = message.replace(folder, "")
        return replace(problem, file=file, message=message)

    def _stamps(self) -> tuple[int, ...]:
        return tuple(file.stat().st_mtime_ns for file in self.files.values() if file.is_file())


def _too_much(scenario: Scenario) -> Iterator[Problem]:
    """What would keep a page's server busy, or fill its memory; `vaxsim run` takes it."""
    days = (scenario.campaign.horizon - scenario.campaign.first_day).days + 1
    walk_ins = max(unit.walk_ins_per_day for unit in scenario.units.values())
    vial = max(vaccine.doses_per_vial for vaccine in scenario.vaccines.values())
    for key, value, most, words in (
        ("groups", scenario.target, MOST_PEOPLE,
         _("{n} people are more than the {most} that a page simulates")),
        ("units", len(scenario.units) * days, MOST_UNIT_DAYS,
         _("{n} days of units are more than the {most} that a page simulates")),
        ("unit_types", walk_ins, scenario.target,
         _("{n} walk-ins a day at a unit are more than the {most} people there are")),
        ("call_centre.attempts_per_day", scenario.call_centre.attempts_per_day, MOST_ATTEMPTS,
         _("{n} attempts a day are more than the {most} that a page simulates")),
        ("vaccines", vial, MOST_DOSES_PER_VIAL,
         _("{n} doses in a vial are more than the {most} that a page simulates")),
    ):  # fmt: skip
        if value > most:
            yield Problem("", None, key, None, words.format(n=f"{value:,.0f}", most=f"{most:,}"))


@lru_cache(maxsize=256)
def _title(file: Path, stamp: int) -> str:
    try:
        return load_scenario(file).title or file.stem
    except ScenarioError:
        return file.stem


@lru_cache(maxsize=32)
def _loaded(file: Path | Upload, changes: tuple[str, ...], stamps: tuple[int, ...]) -> Scenario:
    return load_scenario(file, changes)
