"""Streamlit's own words in the reader's language, also those that only a screen reader says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

from sim.language import LANGUAGES, N_, _, day_and_month, language, speaking

_SCRIPT = Path(__file__).with_name("words.js")

REFUSED = N_("This file cannot be used: it must be TOML (*.toml), of at most 1 MB.")

_WORDS = {
    # the page
    "Skip to main content": N_("Skip to main content"),
    "Sidebar": N_("Side bar"),
    "Collapse sidebar": N_("Close the side bar"),
    "Expand sidebar": N_("Open the side bar"),
    "Running...": N_("Being computed"),
    "Connection error": N_("The connection is lost"),
    "Streamlit server is not responding. Are you connected to the internet?": N_(
        "The page's server does not answer. Where vaxsim app has ended, start it again, then load "
        "this page again."
    ),
    "Close": N_("Close"),
    "Error": N_("Error"),
    "Error: {text}": N_("Error: {text}"),
    # numbers and texts
    "Increment": N_("More"),
    "Decrement": N_("Less"),
    "Press Enter to apply": N_("Press Enter to apply"),
    "Press Ctrl+Enter to apply": N_("Press Ctrl+Enter to apply"),
    "Press ⌘+Enter to apply": N_("Press ⌘+Enter to apply"),
    "Number is outside the allowed range. Please enter a value between {low} and {high}.": N_(
        "This number cannot be. Write one from {low} to {high}."
    ),
    "Number is below the allowed range. Please enter a value greater than or equal to {low}.": N_(
        "This number cannot be. Write one of at least {low}."
    ),
    "Number is above the allowed range. Please enter a value less than or equal to {high}.": N_(
        "This number cannot be. Write one of at most {high}."
    ),
    "{label} — start": N_("{label} — from"),
    "{label} — end": N_("{label} — to"),
    # choices
    "Open": N_("Open"),
    "Dismiss": N_("Close"),
    "Choose an option": N_("Choose"),
    "No results": N_("Nothing found"),
    "{n} options available.": N_("{n} to choose from."),
    "{n} option available.": N_("{n} to choose from."),
    # dates
    "Choose date": N_("Choose a date"),
    "Choose date, {month}": N_("Choose a date, {month}"),
    "Use arrow keys to navigate dates. Enter to select. Escape to close.": N_(
        "Arrow keys go from day to day, Enter chooses, Escape closes."
    ),
    "Previous month": N_("Month before"),
    "Next month": N_("Next month"),
    "Next": N_("Next month"),
    "Today, {day}": N_("Today, {day}"),
    "{day}, First available date": N_("{day}, the first possible day"),
    "{day}, Last available date": N_("{day}, the last possible day"),
    "{day} selected": N_("{day}, chosen"),
    "Selected Date: {day}": N_("Chosen date: {day}"),
    "day, {label}": N_("day, {label}"),
    "month, {label}": N_("month, {label}"),
    "year, {label}": N_("year, {label}"),
    "Date set outside allowed range. Please select a date between {low} and {high}.": N_(
        "This date cannot be. Choose one from {low} to {high}."
    ),
    "Date set outside allowed range. Please select a date on or after {low}.": N_(
        "This date cannot be. Choose one from {low} on."
    ),
    "Date set outside allowed range. Please select a date on or before {high}.": N_(
        "This date cannot be. Choose one up to {high}."
    ),
    # files
    "file upload": N_("Choose a file"),
    "Upload": N_("Choose a file"),
    "add icon": N_("Choose another file"),
    "Add files": N_("Choose another file"),
    "Remove {file}": N_("Remove {file}"),
    "Cancel upload of {file}": N_("Cancel the upload of {file}"),
    "File must be {size} or smaller.": REFUSED,
    "{kind} files are not allowed.": REFUSED,
}
"""What Streamlit says, and what is said instead; {...} stands for anything."""


@cache
def script(code: str) -> str:
    """HTML with a script that says them in a language, wherever and whenever they appear."""
    with speaking(code):
        rules = list(_rules())
    told = ", ".join(json.dumps(each, ensure_ascii=False) for each in (rules, code))
    return f"<script>({_SCRIPT.read_text(encoding='utf-8')})({told})</script>"


def _rules() -> Iterator[tuple[list[str], str]]:
    """Forms, and what is said instead of them."""
    for theirs, ours in _WORDS.items():
        yield _rule(theirs, {code: _in(code, ours) for code in LANGUAGES})
    for month in range(1, 13):
        said = {code: f"{{number}} – {_month(code, month)}" for code in LANGUAGES}
        yield _rule(said["en"], said)


def _rule(theirs: str, ours: dict[str, str]) -> tuple[list[str], str]:
    """Streamlit's own form and those of other languages, so that a page can change its own."""
    said = ours[language()]
    return [form for form in dict.fromkeys((theirs, *ours.values())) if form != said], said


def _in(code: str, text: str) -> str:
    with speaking(code):
        return _(text)


def _month(code: str, number: int) -> str:
    with speaking(code):
        return day_and_month(date(2021, number, 1)).partition(" ")[2]
