"""Observed days: how many people had had a first and a second dose, from a CSV file.

Columns: `date` (YYYY-MM-DD), `dose1_cum`, `dose2_cum`; where known, `allocated_VACCINE_cum` (doses
allocated so far, may be empty) and `series` (who counted: another series may count less). Observed
days only, in any order; other columns are not looked at, nor are empty lines. A day may be there
twice with the same numbers, or with an allocation and no doses. A number may fall by 2 % within a
series: it is a correction, and all numbers are used as they were reported.

Files are read as spreadsheets save them: separated by commas, semicolons or tabulators, with or
without byte order mark or a first line such as `sep=;`, whole numbers as 108843, 108843.0 or
"108,843", digits Thai or not, names of columns in capitals or not, days with the hour 00:00.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim.experiment.settings import SettingsError
from sim.language import _, told_of_year
from sim.scenario_errors import did_you_mean

DOSES = ("dose1_cum", "dose2_cum")
REQUIRED = ("date", *DOSES)
_LARGEST_CORRECTION = 0.02
_LARGEST_MB = 5
_MOST_SHOWN = 10
_TO_ASCII = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")


class ObservedError(SettingsError):
    """A file of observed days that cannot be used."""


@dataclass(frozen=True)
class Fall:
    """A number that falls though it is cumulative."""

    column: str
    before: int
    day_before: date
    number: int
    day: date

    def words(self, written: Callable[[date], str] = date.isoformat) -> str:
        """In the language spoken; days as they are written in the file, or otherwise."""
        return _("{column} falls from {before:,} ({day_before}) to {n:,} ({day})").format(
            column=self.column,
            before=self.before,
            day_before=written(self.day_before),
            n=self.number,
            day=written(self.day),
        )


@dataclass(frozen=True)
class Observed:
    """Observed days in order, and the doses given by the evening of each."""

    name: str
    digest: str
    """SHA-256 of the file"""
    days: tuple[date, ...]
    doses: NDArray[np.float64]
    """[2, days]: people who have had a first, a second dose"""
    allocated: Mapping[str, Mapping[date, int]]
    """doses allocated by the days on which that is known, by vaccine"""
    corrections: tuple[Fall, ...] = ()

    def between(self, first: date, last: date) -> Observed:
        """Only what was known of the days from first to last."""
        inside = [first <= day <= last for day in self.days]
        return Observed(
            self.name,
            self.digest,
            tuple(day for day, here in zip(self.days, inside, strict=True) if here),
            self.doses[:, inside],
            {
                vaccine: {day: doses for day, doses in known.items() if first <= day <= last}
                for vaccine, known in self.allocated.items()
            },
            tuple(fall for fall in self.corrections if first <= fall.day <= last),
        )


def read_observed(path: Path) -> Observed:
    """Read a file of observed days. Raises ObservedError, which tells all that is wrong."""
    try:
        if path.stat().st_size > _LARGEST_MB * 10**6:
            raise ObservedError(
                _("{path} has more than {mb} MB: a line for every observed day is enough").format(
                    path=path, mb=_LARGEST_MB
                )
            )
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ObservedError(
            _("{path} cannot be read: {reason}").format(path=path, reason=error.strerror)
        ) from None
    except UnicodeDecodeError:
        raise ObservedError(
            _("{path} is no text in UTF-8: save it as CSV (UTF-8)").format(path=path)
        ) from None
    try:
        columns, rows = _table(text)
    except csv.Error as error:
        raise ObservedError(
            _("{path} is not a CSV file: {error}").format(path=path, error=error)
        ) from None
    if not rows:
        raise ObservedError(_("{path} holds no observed day").format(path=path))
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise ObservedError(
            _("{path} has no column {missing}; it has {columns}{suggestion}").format(
                path=path,
                missing=_(" and no ").join(missing),
                columns=", ".join(filter(None, columns)),
                suggestion=did_you_mean(missing[0], [c for c in columns if c not in REQUIRED]),
            )
        )
    twice = [name for name in columns if name and columns.count(name) > 1]
    if twice:
        raise ObservedError(
            _("{path} has more than one column {column}: leave one of them out").format(
                path=path, column=twice[0]
            )
        )
    vaccines = {
        column.removeprefix("allocated_").removesuffix("_cum"): column
        for column in columns
        if column.startswith("allocated_") and column.endswith("_cum")
    }
    problems: list[str] = []
    found: dict[date, tuple[int, dict[str, int], str]] = {}
    for line, values in rows:
        if any(values[len(columns) :]):
            problems.append(
                _(
                    "line {line}: {values} values for {columns} columns; write numbers without "
                    "commas, or in quotation marks"
                ).format(line=line, values=len(values), columns=len(columns))
            )
            continue
        said = dict.fromkeys(columns, "") | dict(zip(columns, values, strict=False))
        day = _day(said["date"], line, problems)
        numbers = {
            name: _number(said[name], line, name, problems)
            for name in (*DOSES, *vaccines.values())
            if said[name] or (name in DOSES and any(said[dose] for dose in DOSES))
        }
        if day is None or None in numbers.values():
            continue
        known = {name: number for name, number in numbers.items() if number is not None}
        row_of_day = known, said.get("series", "")
        if day in found and found[day][1:] != row_of_day:
            problems.append(
                _(
                    "line {line}: {day} is there already, on line {before}, with other "
                    "numbers: leave one of them out"
                ).format(line=line, day=day, before=found[day][0])
            )
        elif day not in found:
            found[day] = line, *row_of_day
    days = sorted(day for day in found if DOSES[0] in found[day][1])
    corrections: list[Fall] = []
    if not problems:
        _look_for_falls(found, [*DOSES, *vaccines.values()], problems, corrections)
    if not problems and not days:
        problems.append(_("it holds no observed day"))
    if problems:
        more = len(problems) - _MOST_SHOWN
        shown = problems[:_MOST_SHOWN] + (
            [_("and {more} more").format(more=more)] if more > 0 else []
        )
        raise ObservedError(
            "\n".join([_("{path} cannot be used:").format(path=path), *(f"  {p}" for p in shown)])
        )
    return Observed(
        path.name,
        hashlib.sha256(content).hexdigest(),
        tuple(days),
        np.array([[found[day][1][name] for day in days] for name in DOSES], dtype=np.float64),
        {
            vaccine: {
                day: found[day][1][column] for day in sorted(found) if column in found[day][1]
            }
            for vaccine, column in vaccines.items()
        },
        tuple(corrections),
    )


def _table(text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Names of the columns; numbers and values of the lines below that are not empty."""
    lines = text.splitlines()
    if lines and re.fullmatch(r"sep=.\s*", lines[0]):  # for spreadsheets: the separator
        lines[0] = ""
    heading = next((line for line in lines if line.strip()), "")
    separator = max(",;\t", key=heading.count)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    rows = [
        (reader.line_num, [value.strip().translate(_TO_ASCII) for value in row]) for row in reader
    ]
    full = [(line, values) for line, values in rows if any(values)]
    return ([name.lower() for name in full[0][1]], full[1:]) if full else ([], [])


def _day(text: str, line: int, problems: list[str]) -> date | None:
    told = told_of_year(text)
    try:
        day = date.fromisoformat(re.sub("[T ]00:00(:00)?$", "", text))
    except ValueError:
        told = told or _("date {text!r} is none; write it as 2021-07-01").format(text=text)
    else:
        if not 1900 <= day.year <= 2200:
            told = told or _("the year {year} cannot be").format(year=day.year)
        if not told:
            return day
    problems.append(_("line {line}: {what}").format(line=line, what=told))
    return None


def _number(text: str, line: int, column: str, problems: list[str]) -> int | None:
    whole = text.removesuffix(".0")  # as programs write whole numbers of a column with gaps
    if re.fullmatch("[0-9]{1,3}(,[0-9]{3})+", whole):
        whole = whole.replace(",", "")
    if whole.isdecimal() and len(whole) <= 12:
        return int(whole)
    problem = _("line {line}: {column} is {found}; it must be a whole number such as 108843")
    found = repr(text) if text else _("nothing")
    problems.append(problem.format(line=line, column=column, found=found))
    return None


def _look_for_falls(
    found: Mapping[date, tuple[int, Mapping[str, int], str]],
    columns: list[str],
    problems: list[str],
    corrections: list[Fall],
) -> None:
    """What falls though it is cumulative: little is a correction; between two series it may."""
    last: dict[str, tuple[int, date, str]] = {}
    for day in sorted(found):
        line, numbers, series = found[day]
        for column in columns:
            if column not in numbers:
                continue
            number = numbers[column]
            before, on, counted_by = last.get(column, (0, day, series))
            if number < before and series == counted_by:
                fall = Fall(column, before, on, number, day)
                if number >= (1 - _LARGEST_CORRECTION) * before:
                    corrections.append(fall)
                else:
                    problems.append(
                        _(
                            "line {line}: {fall}; it must be cumulative, and a correction not be "
                            "more than {most:.0%} (or belong to another series)"
                        ).format(line=line, fall=fall.words(), most=_LARGEST_CORRECTION)
                    )
            last[column] = number, day, series
        if DOSES[0] in numbers and numbers[DOSES[1]] > numbers[DOSES[0]]:
            problems.append(_("line {line}: more second doses than first doses").format(line=line))
