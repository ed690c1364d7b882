"""The language in which people are spoken to: English, or Thai from the catalog in `sim/locale`.

Texts are written in English where they are said, and looked up there and then:

    >>> from sim.language import _, ngettext
    >>> _("{doses} doses arrived").format(doses="1,000")
    '1,000 doses arrived'
    >>> ngettext("{n} replication", "{n} replications", 2).format(n=2)
    '2 replications'

- Never an f-string inside `_()`: the catalog holds the text with its placeholders.
- A whole sentence is one message; sentences are not put together from pieces.
- Texts in constants are marked with `N_()` and looked up with `_()` where they are shown.
- Names and titles from scenario files are looked up too, with `named()`: those that the project
  ships are in the catalog, others stay as their author wrote them.

The language belongs to the thread (a page speaks to each of its readers in their own); a new
thread begins with that of the process. Thai dates have Buddhist years (2021 is 2564).

After a change of texts: `python tests/translations.py` brings the catalog up to date and tells what
is to be translated in `sim/locale/th/LC_MESSAGES/vaxsim.po`; then run it again.
"""

from __future__ import annotations

import contextlib
import gettext
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from datetime import date, timedelta
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

LANGUAGES = {"en": "English", "th": "ไทย"}
"""Languages by code, each with its own name for itself."""

THAI_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
"""For `str.translate`: Thai digits become those that programs read."""

BUDDHIST_YEAR = 543
"""So many years more than in the Gregorian calendar."""

_LOCALE = Path(__file__).parent / "locale"
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_of_process = "en"
_of_thread: ContextVar[str | None] = ContextVar("language", default=None)


def language() -> str:
    """The code of the language that is spoken here and now."""
    return _of_thread.get() or _of_process


def speak(code: str) -> None:
    """Speak a language from now on, in the whole process. Raises KeyError for an unknown one."""
    global _of_process
    _check(code)
    _of_process = code


def speak_in_libraries() -> None:
    """Have libraries that use gettext look up their texts in this catalog, too."""
    gettext.bindtextdomain("vaxsim", str(_LOCALE))
    gettext.textdomain("vaxsim")
    os.environ["LANGUAGE"] = language()


@contextlib.contextmanager
def speaking(code: str) -> Iterator[None]:
    """Speak a language within this block of this thread. Raises KeyError for an unknown one."""
    _check(code)
    token = _of_thread.set(code)
    try:
        yield
    finally:
        _of_thread.reset(token)


def of_locale(environment: Mapping[str, str] = os.environ) -> str:
    """The language that the environment's locale asks for, else English (as gettext reads it)."""
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        for wanted in environment.get(variable, "").split(":"):
            code = wanted.partition(".")[0].partition("_")[0].lower()
            if code in LANGUAGES:
                return code
        if environment.get(variable):
            return "en"
    return "en"


def _(message: str) -> str:
    """The message in the language spoken; itself where the catalog does not have it."""
    return _catalog(language()).gettext(message) if message else ""


def ngettext(singular: str, plural: str, n: float) -> str:
    """The message for so many."""
    if language() == "en":
        return singular if n == 1 else plural
    return _catalog(language()).ngettext(singular, plural, round(n))


def N_(message: str) -> str:  # noqa: N802 (gettext's own name for it)
    """Mark a message for the catalog that is looked up later; returns it as it is."""
    return message


def named(text: str) -> str:
    """A title or name from a scenario file, translated if the project ships it."""
    words = text.replace("_", " ")
    translated = _(words)
    return text if translated == words else translated


def long_date(day: date) -> str:
    """14 August 2021; 14 สิงหาคม พ.ศ. 2564."""
    if language() == "th":
        return f"{day.day} {_month(day, 'wide')} พ.ศ. {day.year + BUDDHIST_YEAR}"
    return f"{day.day} {_month(day, 'wide')} {day.year}"


def short_date(day: date, year: bool = False) -> str:
    """14 Aug, or with its year 14 Aug 2021; 14 ส.ค. 2564."""
    return f"{day.day} {_month(day, 'abbreviated')}" + (f" {year_of(day)}" if year else "")


def day_and_month(day: date) -> str:
    """14 August; 14 สิงหาคม."""
    return f"{day.day} {_month(day, 'wide')}"


def month_and_year(day: date, short: bool = False) -> str:
    """August 2021; สิงหาคม 2564."""
    return f"{_month(day, 'abbreviated' if short else 'wide')} {year_of(day)}"


def weekday(day: date, short: bool = False) -> str:
    """Saturday, or Sat; วันเสาร์, or ส."""
    if language() == "en":
        return _WEEKDAYS[day.weekday()][: 3 if short else None]
    return _names("day", "abbreviated" if short else "wide")[day.weekday()]


def days_of_week(names: Iterable[str]) -> str:
    """Of "mon" ... "sun": Monday – Wednesday, Saturday; วันจันทร์ – วันพุธ, วันเสาร์."""
    week = [date(2021, 5, 24) + timedelta(days=i) for i in range(7)]  # from a Monday on
    chosen, said = set(names), list[str]()
    for is_in, days in groupby(week, lambda day: _WEEKDAYS[day.weekday()][:3].lower() in chosen):
        first, *others = days
        if is_in:
            dash = " – " if len(others) > 1 else ", "
            said.append(dash.join(weekday(day) for day in (first, *others[-1:])))
    return ", ".join(said)


def year_of(day: date) -> int:
    """2021; 2564."""
    return day.year + (BUDDHIST_YEAR if language() == "th" else 0)


def names_in_scenario(
    file: BinaryIO, keywords: object, comment_tags: object, options: object
) -> Iterator[tuple[int, None, str, list[str]]]:
    """What Babel extracts from a scenario file: texts, sources, names of groups and such."""
    scenario = tomllib.load(file)
    for text in (*_names_in(scenario), *_told_in(scenario)):
        yield 1, None, text.replace("_", " "), []


_NAMED = ("groups", "unit_types", "districts", "vaccines", "deliveries", "pools", "stations")


def _names_in(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            if key in _NAMED:
                yield from (name.replace("_", " ") for name in value)
            yield from _names_in(value)
        elif key in ("title", "description") and value:
            yield value


def _told_in(table: Mapping[str, Any]) -> Iterator[str]:
    """Where values are from, and why they are not varied."""
    for each in (*table.get("sources", {}).values(), *table.get("ranges", {}).values()):
        yield each["source"] if isinstance(each, Mapping) else each
    yield from table.get("not_varied", {}).values()


def told_of_year(text: str) -> str:
    """What is wrong with a date (YYYY-MM-DD) whose year is a Buddhist one; "" of any other text."""
    found = re.fullmatch(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", text.strip())
    if not found or not 2400 <= int(found[1]) <= 2700:
        return ""
    return _("{year} is a Buddhist year: write {gregorian}").format(
        year=found[1],
        gregorian=f"{int(found[1]) - BUDDHIST_YEAR}-{int(found[2]):02d}-{int(found[3]):02d}",
    )


def _month(day: date, width: str) -> str:
    if language() == "en":
        return _MONTHS[day.month - 1][: 3 if width == "abbreviated" else None]
    return _names("month", width)[day.month]


@cache
def _names(kind: str, width: str) -> Mapping[int, str]:
    from babel import dates  # only for Thai: it takes a while to load

    names = dates.get_month_names if kind == "month" else dates.get_day_names
    return names(width, locale="th")  # type: ignore[arg-type]


@cache
def _catalog(code: str) -> gettext.NullTranslations:
    if code == "en":
        return gettext.NullTranslations()
    return gettext.translation("vaxsim", _LOCALE, [code])


def _check(code: str) -> None:
    if code not in LANGUAGES:
        raise KeyError(f"{code}: not a language that is spoken here ({', '.join(LANGUAGES)})")
