"""Broken scenario files: each gives its own message, with file, line, key, value and remedy.

Most cases are a few lines upon the plan (`extends = "plan.toml"`). The line that a problem must
name ends in `#1`, `#2` ...: one mark for each problem, and no other problem may be told.
"""

from __future__ import annotations

import copy
import re
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.language import speaking
from sim.scenario_files import Problem, ScenarioError, load_scenario, scenario_from_data

PLAN = Path(__file__).parent.parent / "scenarios" / "plan.toml"
EXTENDS = 'extends = "plan.toml"\n'


@dataclass(frozen=True)
class Found:
    """What one problem must say."""

    key: str
    value: str | None
    remedy: str


@dataclass(frozen=True)
class Bad:
    """A file upon the plan, and its problems in the order of their marks."""

    name: str
    text: str
    problems: tuple[Found, ...]


def bad(name: str, text: str, *problems: tuple[str, str | None, str]) -> Bad:
    return Bad(name, text, tuple(Found(*problem) for problem in problems))


CASES = [
    # Unknown keys
    bad("unknown key at the top", "titel = 'x' #1", ("titel", '"x"', "did you mean title?")),
    bad(
        "unknown key in a table",
        "[call_centre]\nline = 90 #1",
        ("call_centre.line", "90", "no known key; did you mean lines?"),
    ),
    bad(
        "unknown key deep in a unit type",
        "[unit_types.hospital.stations]\nvaccination.saff = 2 #1",
        ("unit_types.hospital.stations.vaccination.saff", "2", "did you mean staff?"),
    ),
    bad(
        "unknown key in a distribution",
        "call_centre.patience_minutes = { distribution = 'exponential', maen = 3.0 } #1",
        ("call_centre.patience_minutes.maen", "3.0", "did you mean mean?"),
    ),
    bad(
        "key that belongs to another distribution",
        "call_centre.patience_minutes.sd = 3.0 #1",
        ("call_centre.patience_minutes.sd", "3.0", "known here are shift, distribution, mean"),
    ),
    bad(
        "unknown key with nothing near lists the known ones",
        "[other_channels]\nqqq = 1 #1",
        ("other_channels.qqq", "1", "known here are first_day, last_day, open_days, bookings_per_"),
    ),
    bad(
        "name with a capital letter",
        '[call_centre.pools.Thai] #1\nlanguages = ["thai"]\nagents = 1',
        ("call_centre.pools.Thai", None, "a name has small letters, digits and _"),
    ),
    # Wrong types
    bad(
        "text for a whole number",
        '[call_centre]\nlines = "90" #1',
        ("call_centre.lines", '"90"', "must be a whole number between 1 and"),
    ),
    bad(
        "true for a whole number",
        "[call_centre]\nlines = true #1",
        ("call_centre.lines", "true", "must be a whole number"),
    ),
    bad(
        "decimal for a whole number",
        "[campaign]\npopulation = 966_517.0 #1",
        ("campaign.population", "966517.0", "must be a whole number"),
    ),
    bad(
        "true for a number",
        "[groups.thai]\nwilling = true #1",
        ("groups.thai.willing", "true", "must be a finite number between 0 and 1"),
    ),
    bad("number for text", "title = 7 #1", ("title", "7", "must be text in quotes")),
    bad(
        "number for true or false",
        "[groups.thai]\nbooked_in_advance = 1 #1",
        ("groups.thai.booked_in_advance", "1", "must be true or false"),
    ),
    bad(
        "text for a table",
        'call_centre = "none" #1',
        ("call_centre", '"none"', "must be a table"),
    ),
    bad(
        "number for a table of names",
        "units = 21 #1",
        ("units", "21", "must be a table with at least one entry"),
    ),
    bad(
        "text for a list",
        '[call_centre]\nopen_days = "mon" #1',
        (
            "call_centre.open_days",
            '"mon"',
            'must be a list of at least 1, each one of "mon", "tue"',
        ),
    ),
    bad(
        "text for a distribution",
        'call_centre.patience_minutes = "5" #1',
        ("call_centre.patience_minutes", '"5"', "a finite number, or a distribution such as {"),
    ),
    # Dates and times of day
    bad(
        "word for a date",
        '[campaign]\ndeadline = "mid-August" #1',
        ("campaign.deadline", '"mid-August"', "must be a date such as 2021-06-01"),
    ),
    bad(
        "date with a time",
        "[campaign]\ndeadline = 2021-08-14T12:00:00 #1",
        ("campaign.deadline", "2021-08-14T12:00:00", "must be a date such as"),
    ),
    bad(
        "time of day after midnight",
        '[call_centre]\ncloses = "25:00" #1',
        ("call_centre.closes", '"25:00"', 'must be a time of day from "00:00" to "24:00"'),
    ),
    bad(
        "number for a time of day",
        "[call_centre]\nopens = 8 #1",
        ("call_centre.opens", "8", "must be a time of day"),
    ),
    bad(
        "time of day with seconds",
        "[call_centre]\nopens = 08:00:30 #1",
        ("call_centre.opens", "08:00:30", "must be a time of day"),
    ),
    bad(
        "closing before opening, told once at the type and not at its 15 units",
        '[unit_types.hospital]\nopens = "16:00" #1\ncloses = "08:00"',
        ("unit_types.hospital.opens", '"16:00"', "must be before closes, 08:00"),
    ),
    bad(
        "deadline before the first day",
        "[campaign]\ndeadline = 2021-05-24 #1",
        ("campaign.deadline", "2021-05-24", "must not be before first_day, 2021-05-25"),
    ),
    bad(
        "horizon before the deadline",
        "[campaign]\nhorizon = 2021-08-13 #1",
        ("campaign.horizon", "2021-08-13", "must not be before the deadline, 2021-08-14"),
    ),
    bad(
        "vaccination before the first day",
        "[campaign]\nvaccination_from = 2021-05-01 #1",
        ("campaign.vaccination_from", "2021-05-01", "must lie between first_day and horizon"),
    ),
    bad(
        "years of simulation",
        "[campaign]\nhorizon = 2031-08-13 #1",
        ("campaign.horizon", "2031-08-13", "is 3,733 days from first_day; at most 2,000"),
    ),
    bad(
        "call centre that ends before it begins",
        "[call_centre]\nfirst_day = 2021-08-15 #1",
        ("call_centre.first_day", "2021-08-15", "must not be after last_day, 2021-08-14"),
    ),
    bad(
        "other channels that end before they begin",
        "[other_channels]\nfirst_day = 2021-08-15 #1",
        ("other_channels.first_day", "2021-08-15", "must not be after last_day, 2021-08-14"),
    ),
    bad(
        "delivery after the horizon",
        "[deliveries.august]\narrives = 2021-12-01 #1",
        (
            "deliveries.august.arrives",
            "2021-12-01",
            "must lie between campaign.first_day and campaign.horizon, 2021-05-25 and 2021-11-30",
        ),
    ),
    bad(
        # 1 June and 183 days are 1 December; with 182.4, rounded to 182, it would come in time
        "delivery whose least delay is past the horizon",
        "[deliveries.june]\ndelay_days = { distribution = 'uniform', low = 182.5, high = 200 } #1",
        (
            "deliveries.june.delay_days",
            None,
            "can never come by campaign.horizon, 2021-11-30: with `arrives` on 2021-06-01 the "
            "least delay must not exceed 182 days",
        ),
    ),
    bad(
        "source of a value that is not there",
        "[call_centre]\nlines = 90\n[sources]\n'call_centre.line' = 'counted' #1",
        ('sources."call_centre.line"', None, "matches no value; did you mean call_centre.lines?"),
    ),
    bad(
        "source of a table",
        "[sources]\n'groups.thai' = 'census' #1",
        ('sources."groups.thai"', None, "did you mean groups.thai.*, or groups.thai.** with"),
    ),
    bad(
        "source of something removed",
        "remove = ['deliveries.august']\n[sources]\n'deliveries.august.*' = 'press' #1",
        ('sources."deliveries.august.*"', None, "matches no value"),
    ),
    bad(
        "turn after the horizon",
        "[groups.migrant]\nturn_from = 2022-08-01 #1",
        ("groups.migrant.turn_from", "2022-08-01", "not be after campaign.horizon, 2021-11-30"),
    ),
    bad(
        "shift that ends before it starts",
        "[call_centre.pools.thai]\n"
        'shifts = [\n  { start = "12:00", end = "08:00", staff = 3 }, #1\n]',
        ("call_centre.pools.thai.shifts.0.start", '"12:00"', "must be before end, 08:00"),
    ),
    # Numbers out of range
    bad(
        "negative staff",
        "[unit_types.outside.stations.screening]\nstaff = -2 #1",
        ("unit_types.outside.stations.screening.staff", "-2", "between 0 and 100,000"),
    ),
    bad(
        "negative agents",
        "[call_centre.pools.thai]\nagents = -1 #1",
        ("call_centre.pools.thai.agents", "-1", "must be a whole number between 0 and"),
    ),
    bad(
        "no lines",
        "[call_centre]\nlines = 0 #1",
        ("call_centre.lines", "0", "must be a whole number between 1 and"),
    ),
    bad(
        "probability over 1",
        "[call_centre]\nredial_probability = 70 #1",
        ("call_centre.redial_probability", "70", "between 0 and 1"),
    ),
    bad(
        "ten billion people",
        "[groups.thai]\npeople = 10_000_000_000 #1",
        ("groups.thai.people", "10000000000", "between 0 and 200,000,000"),
    ),
    bad(
        "not a number",
        "[appointments]\nno_show = nan #1",
        ("appointments.no_show", "nan", "must be a finite number between 0 and 1"),
    ),
    bad(
        "infinite mean",
        "call_centre.patience_minutes.mean = inf #1",
        ("call_centre.patience_minutes.mean", "inf", "must be a finite number above 0"),
    ),
    bad(
        "infinite constant",
        "[appointments]\nwaiting_tolerance_minutes = inf #1",
        ("appointments.waiting_tolerance_minutes", "inf", "must be a finite number"),
    ),
    bad(
        "mean of zero",
        "call_centre.booking_call_minutes.mean = 0.0 #1",
        ("call_centre.booking_call_minutes.mean", "0.0", "must be a finite number above 0"),
    ),
    bad(
        "negative duration",
        "[unit_types.estate.stations.registration]\nminutes = -1.0 #1",
        ("unit_types.estate.stations.registration.minutes", "-1.0", "must not be negative"),
    ),
    bad(
        "negative duration of a group's own calls",
        "[groups.migrant]\nbooking_call_minutes = -4.0 #1",
        ("groups.migrant.booking_call_minutes", "-4.0", "must not be negative"),
    ),
    bad(
        "negative after-call work",
        "[call_centre.booking_wrap_up_minutes] #1\ndistribution = 'uniform'\nlow = -1\nhigh = 2",
        ("call_centre.booking_wrap_up_minutes", None, "must not be negative, and this can be -1"),
    ),
    bad(
        "a group's own value of what only the call centre has",
        "[groups.migrant]\nredial_probability = 0.5 #1",
        ("groups.migrant.redial_probability", "0.5", "no known key"),
    ),
    bad(
        "duration shifted below zero",
        "[call_centre.patience_minutes] #1\nshift = -2.0",
        ("call_centre.patience_minutes", None, "must not be negative, and this can be -2"),
    ),
    bad(
        "delay that can be negative",
        "[deliveries.july]\ndelay_days = { distribution = 'uniform', low = -1, high = 3 } #1",
        ("deliveries.july.delay_days", None, "must not be negative"),
    ),
    bad(
        "fraction delivered below zero",
        "[deliveries.july]\nfraction_delivered = -0.5 #1",
        ("deliveries.july.fraction_delivered", "-0.5", "must lie between 0 and 10"),
    ),
    # Choices and names
    bad(
        "unknown choice",
        '[call_centre]\nat_closing = "served" #1',
        ("call_centre.at_closing", '"served"', 'one of "serve", "cut_off"; did you mean serve?'),
    ),
    bad(
        "unknown day of the week",
        '[call_centre]\nopen_days = [\n  "mon",\n  "tuesday", #1\n]',
        ("call_centre.open_days.1", '"tuesday"', "did you mean tue?"),
    ),
    bad(
        "unknown distribution",
        "[call_centre.patience_minutes]\ndistribution = 'expo' #1\nmean = 5.0",
        ("call_centre.patience_minutes.distribution", '"expo"', "did you mean exponential?"),
    ),
    bad(
        "parameters that do not belong together",
        "call_centre.patience_minutes.rate = 0.2 #1",
        (
            "call_centre.patience_minutes.rate",
            "0.2",
            "is given by mean, or rate; here is mean and rate",
        ),
    ),
    bad(
        "distribution without its name",
        "[appointments.waiting_tolerance_minutes] #1\nmean = 5.0",
        (
            "appointments.waiting_tolerance_minutes.distribution",
            None,
            'missing: it must be one of "',
        ),
    ),
    bad(
        "unknown second vaccine",
        '[regimens.az_az]\nsecond = "pfizer" #1',
        ("regimens.az_az.second", '"pfizer"', "no 'pfizer': choose one of astrazeneca"),
    ),
    bad(
        "misspelt vaccine of a delivery",
        '[deliveries.june]\nvaccine = "astrazenica" #1',
        ("deliveries.june.vaccine", '"astrazenica"', "did you mean 'astrazeneca'?"),
    ),
    bad(
        "unknown type of a unit, told once and not for each key it lacks",
        '[units.hospital_01]\ntype = "hospitel" #1',
        ("units.hospital_01.type", '"hospitel"', "choose one of hospital, outside, estate"),
    ),
    bad(
        "type of a unit that is no text",
        '[units.hospital_01]\ntype = ["hospital"] #1',
        ("units.hospital_01.type", '["hospital"]', "must be a name"),
    ),
    bad(
        "unknown district",
        '[units.hospital_01]\ndistrict = "muang" #1',
        ("units.hospital_01.district", '"muang"', "did you mean 'mueang'?"),
    ),
    bad(
        "unknown unit in the shares",
        '[supply]\nallocation = "fixed_shares"\nfixed_shares = { hospital_99 = 1.0 } #1',
        ("supply.fixed_shares.hospital_99", "1.0", "there is no 'hospital_99': did you mean"),
    ),
    bad(
        "unknown regimen of the already vaccinated",
        "[groups.thai]\nalready_vaccinated = [{ people = 5, doses = 1, regimen = 'sv_sv', "
        "first_dose_from = 2021-03-01, first_dose_to = 2021-05-20 }] #1",
        ("groups.thai.already_vaccinated.0.regimen", '"sv_sv"', "choose one of az_az"),
    ),
    # Sums, lists, what belongs together
    bad(
        "districts that do not sum to 1",
        "[districts] #1\nmueang = 0.6",
        ("districts", None, "the shares must sum to 1, not 1.1"),
    ),
    bad(
        "fixed shares that do not sum to 1",
        '[supply]\nallocation = "fixed_shares"\nfixed_shares = { hospital_01 = 0.5 } #1',
        ("supply.fixed_shares", None, "the shares must sum to 1, not 0.5"),
    ),
    bad(
        "waves that do not sum to 1",
        "[groups.thai]\nfirst_calls = [{ opens = 2021-05-25, share = 0.9, mean_days = 14.0 }] #1",
        (
            "groups.thai.first_calls",
            "[{ opens = 2021-05-25, share = 0.9, mean_days = 14.0 }]",
            "the shares must sum to 1, not 0.9",
        ),
    ),
    bad(
        "empty list of days",
        "[unit_types.hospital]\nopen_days = [] #1",
        ("unit_types.hospital.open_days", "[]", "must be a list of at least 1"),
    ),
    bad(
        "no first calls",
        "[groups.thai]\nfirst_calls = [] #1",
        ("groups.thai.first_calls", "[]", "at least one wave, or booked_in_advance = true"),
    ),
    bad(
        "23 hours",
        f"[call_centre]\ncall_times = [{'1.0, ' * 23}] #1",
        (
            "call_centre.call_times",
            f"[{'1.0, ' * 11}1...",
            "must be a list of 24 values, each a finite number that is at least 0; it has 23",
        ),
    ),
    bad(
        "no calls on any day",
        "[call_centre]\nweekday_calls = [0, 0, 0, 0, 0, 0, 0] #1",
        ("call_centre.weekday_calls", "[0, 0, 0, 0, 0, 0, 0]", "must not be 0 on every day"),
    ),
    bad(
        "calls only at night",
        f"[call_centre]\ncall_times = [1{', 0' * 23}] #1",
        ("call_centre.call_times", f"[1{', 0' * 18},...", "must not be 0 in every opening hour"),
    ),
    bad(
        "unit type without a vaccinating station",
        "[unit_types.hospital.stations] #1\nvaccination.kind = 'service'",
        ("unit_types.hospital.stations", None, 'exactly one must have kind = "vaccination", not 0'),
    ),
    bad(
        "unit without a vaccinator",
        "[units.hospital_01.stations]\nvaccination.staff = 0 #1",
        (
            "units.hospital_01.stations.vaccination.staff",
            "0",
            "nobody works here: must be at least",
        ),
    ),
    bad(
        "shifts outside the opening hours",
        '[units.hospital_01.stations.vaccination]\nshifts = [{ start = "18:00", end = "20:00", '
        "staff = 4 }] #1",
        (
            "units.hospital_01.stations.vaccination.shifts",
            '[{ start = "18:00", end = "20:00", staff = 4 }]',
            "nobody works between 08:00 and 16:00",
        ),
    ),
    bad(
        "vaccination that some skip",
        "[unit_types.estate.stations]\nvaccination.share = 0.9 #1",
        ("unit_types.estate.stations.vaccination.share", "0.9", "must be 1: everybody visits"),
    ),
    bad(
        "adverse events before the jab",
        "[unit_types.estate.stations]\nscreening.adverse_event_probability = 0.1 #1",
        (
            "unit_types.estate.stations.screening.adverse_event_probability",
            "0.1",
            'belongs to a station of kind = "observation"',
        ),
    ),
    bad(
        "population smaller than the target",
        "[campaign]\npopulation = 500_000 #1",
        ("campaign.population", "500000", "must be at least 676,562"),
    ),
    bad(
        "more already vaccinated than people",
        "[groups.registered]\nalready_vaccinated = [{ people = 56_001, doses = 1, "
        "regimen = 'az_az', first_dose_from = 2021-03-01, first_dose_to = 2021-05-20 }] #1",
        (
            "groups.registered.already_vaccinated",
            '[{ people = 56001, doses = 1, regimen = "az_az", first_do...',
            "56,001 people are more than the 56,000 there",
        ),
    ),
    bad(
        "district without a unit",
        "[districts]\nmueang = 0.4\nbang_thorat = 0.1 #1",
        ("districts.bang_thorat", "0.1", "people live there, but no unit is there: add one"),
    ),
    bad(
        "target interval below the shortest",
        "[regimens.az_az]\ntarget_days = 56 #1",
        ("regimens.az_az.target_days", "56", "must not be below min_days, 84"),
    ),
    bad(
        "triangle the wrong way round",
        "[unit_types.hospital.stations.screening.minutes]\nlow = 9.0 #1",
        ("unit_types.hospital.stations.screening.minutes.low", "9.0", "must be below high, 4"),
    ),
    bad(
        "mode outside the triangle",
        "[unit_types.hospital.stations.screening.minutes]\nmode = 9.0 #1",
        (
            "unit_types.hospital.stations.screening.minutes.mode",
            "9.0",
            "between low and high, 2 and",
        ),
    ),
    bad(
        "normal that is all cut away",
        "[appointments.punctuality_minutes]\nminimum = 60.0 #1",
        (
            "appointments.punctuality_minutes.minimum",
            "60.0",
            "not be more than 5 sd above the mean",
        ),
    ),
    # What is missing points at its table
    bad(
        "delivery without its doses",
        "[deliveries.extra] #1\nvaccine = 'astrazeneca'\narrives = 2021-07-15",
        ("deliveries.extra.doses", None, "is missing: it must be a whole number"),
    ),
    bad(
        "misspelt pool: the plan's own is meant",
        "[call_centre.pools.burmse] #1\nagents = 9",
        ("call_centre.pools.burmse.languages", None, "did you mean burmese?"),
    ),
    bad(
        "unit without a type, told once",
        '[units.hospital_16] #1\ndistrict = "mueang"',
        ("units.hospital_16.type", None, "is missing: it must be a name"),
    ),
    # extends, remove
    bad(
        "removing what is not there",
        'remove = [\n  "call_centre.pools.burmse", #1\n]',
        ("remove.0", '"call_centre.pools.burmse"', "did you mean call_centre.pools.burmese?"),
    ),
    bad(
        "remove that is no list",
        'remove = "call_centre.pools.burmese" #1',
        ("remove", '"call_centre.pools.burmese"', "must be a list of dotted paths, such as"),
    ),
    bad(
        "removing what others need",
        'remove = ["campaign.deadline"]\n[campaign] #1\nhorizon = 2021-12-31',
        ("campaign.deadline", None, "is missing: it must be a date such as 2021-06-01"),
    ),
    # Several at once
    bad(
        "three problems of structure in one file",
        '[call_centre]\nlines = -1 #1\nopens = "8am" #2\n[groups.thai]\nwiling = 0.9 #3',
        ("call_centre.lines", "-1", "must be a whole number"),
        ("call_centre.opens", '"8am"', "must be a time of day"),
        ("groups.thai.wiling", "0.9", "did you mean willing?"),
    ),
    bad(
        "contradictions within parts and between parts at once",
        "[campaign]\ndeadline = 2021-05-24 #1\n"
        "[deliveries.june]\narrives = 2022-06-01 #2\n"
        "[districts] #3\nmueang = 0.55\n"
        "[regimens.az_az]\ntarget_days = 80 #4",
        ("campaign.deadline", "2021-05-24", "must not be before first_day"),
        ("deliveries.june.arrives", "2022-06-01", "must lie between"),
        ("districts", None, "must sum to 1, not 1.05"),
        ("regimens.az_az.target_days", "80", "must not be below min_days, 84"),
    ),
    bad(
        "a contradiction beside a wrong type",
        "[campaign]\ndeadline = 2021-05-24 #1\n[call_centre]\nlines = 'many' #2",
        ("campaign.deadline", "2021-05-24", "must not be before first_day"),
        ("call_centre.lines", '"many"', "must be a whole number"),
    ),
    bad(
        "the same mistake at a type and at a unit of its own",
        "[unit_types.hospital.stations]\nvaccination.staff = 0 #1\n"
        "[units.hospital_01.stations]\nvaccination.staff = -1 #2",
        ("unit_types.hospital.stations.vaccination.staff", "0", "nobody works here"),
        ("units.hospital_01.stations.vaccination.staff", "-1", "between 0 and 100,000"),
    ),
]


def problems_of(path: Path, *overrides: str) -> list[Problem]:
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path, overrides)
    assert caught.value.__cause__ is None
    return caught.value.problems


def beside_the_plan(folder: Path, text: str | bytes, name: str = "bad.toml") -> Path:
    shutil.copy(PLAN, folder / "plan.toml")
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def marked_line(text: str, mark: int) -> int:
    (line,) = [i for i, line in enumerate(text.split("\n"), 1) if line.endswith(f" #{mark}")]
    return line


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_broken_file_gives_exactly_its_own_problems(case: Bad, tmp_path: Path) -> None:
    text = EXTENDS + case.text + "\n"
    path = beside_the_plan(tmp_path, text)
    problems = problems_of(path)
    told = "\n".join(map(str, problems))
    assert len(problems) == len(case.problems), told
    for mark, (problem, found) in enumerate(zip(problems, case.problems, strict=True), 1):
        assert problem.line == marked_line(text, mark), told
        assert (problem.key, problem.value) == (found.key, found.value)
        assert found.remedy in problem.message, told
        assert str(problem).startswith(f"{path}:{problem.line}: {found.key}")


def test_there_are_many_broken_files_and_no_two_say_the_same() -> None:
    messages = [(found.key, found.value, found.remedy) for case in CASES for found in case.problems]
    assert len(CASES) >= 45
    assert len({case.name for case in CASES}) == len(CASES)
    # Only the cases of several problems repeat a message that has its own case.
    assert len(set(messages)) >= len(CASES)


@pytest.mark.parametrize(
    ("text", "line", "excerpt", "remedy"),
    [
        ("title = yes\n", 1, "title = yes", "text needs quotes"),
        ("[call_centre]\nopens = 08:00\n", 2, "opens = 08:00", 'a time needs quotes ("08:00")'),
        ("[campaign\n", 1, "[campaign", "a closing bracket is missing"),
        ('title = "x\n', 1, 'title = "x', "a closing quote is missing"),
        ("a = [1, 2\n\n", 2, "", "the closing ] is missing"),
        ("[campaign]\ndeadline = 2021-02-30\n", 2, "deadline = 2021-02-30", "no such day or time"),
        ("title = 'a'\ntitle = 'b'\n", 2, "title = 'b'", "the same key is given twice"),
        ("[a]\nb = 1\n[a]\n", 3, "[a]", "the same table is given twice"),
        ("lines 90\n", 1, "lines 90", "write key = value"),
    ],
)
def test_invalid_toml_shows_the_line_and_a_remedy(
    text: str, line: int, excerpt: str, remedy: str, tmp_path: Path
) -> None:
    (problem,) = problems_of(beside_the_plan(tmp_path, text))
    assert (problem.line, problem.key) == (line, excerpt)
    assert "not valid TOML" in problem.message
    assert remedy in problem.message


@pytest.mark.parametrize("text", ["[campaign\n", "a = \n", "a = 1 2\n", 'a = "\\q"\n', "é = 1\n"])
def test_invalid_toml_is_told_in_one_language(text: str, tmp_path: Path) -> None:
    with speaking("th"):
        (problem,) = problems_of(beside_the_plan(tmp_path, text))
    words = re.findall("[A-Za-z]{3,}", re.sub("`.*?`", "", problem.message))
    assert set(words) <= {"TOML", "key", "value"}


def test_a_buddhist_year_is_told_alone_and_with_the_year_to_write(tmp_path: Path) -> None:
    """2564 is 2021: a deadline that is meant so comes long after the end of the campaign."""
    text = EXTENDS + "[campaign]\ndeadline = 2564-08-14\n"
    (problem,) = problems_of(beside_the_plan(tmp_path, text))
    assert (problem.line, problem.key) == (3, "campaign.deadline")
    assert problem.message == "2564 is a Buddhist year: write 2021-08-14"
    with speaking("th"):
        (problem,) = problems_of(beside_the_plan(tmp_path, text))
    assert "2021-08-14" in problem.message
    assert "2564" in problem.message
    assert "deadline" not in problem.message


def test_a_plan_with_buddhist_years_throughout_is_told_of_each(tmp_path: Path) -> None:
    """It would be valid: all of it happens 543 years later."""
    plan = PLAN.read_text(encoding="utf-8")
    path = tmp_path / "thai.toml"
    path.write_text(re.sub(r"= 2021-(\d\d-\d\d)", r"= 2564-\1", plan), encoding="utf-8")
    found = problems_of(path)
    assert found
    assert all("is a Buddhist year: write 2021-" in problem.message for problem in found)


def test_error_in_the_extended_file_names_that_file(tmp_path: Path) -> None:
    path = beside_the_plan(tmp_path, EXTENDS + "[call_centre]\nattempts_per_day = 3\n")
    text = PLAN.read_text(encoding="utf-8")
    (tmp_path / "plan.toml").write_text(text.replace("lines = ", "lines = -"))
    (problem,) = problems_of(path)
    line = next(i for i, row in enumerate(text.split("\n"), 1) if row.startswith("lines = "))
    assert (problem.file, problem.line) == (str(tmp_path / "plan.toml"), line)


def test_contradiction_with_a_value_of_the_extended_file_names_both_places(tmp_path: Path) -> None:
    path = beside_the_plan(tmp_path, EXTENDS + '[unit_types.estate]\ncloses = "07:00"\n')
    (problem,) = problems_of(path)
    assert problem.file == str(tmp_path / "plan.toml")
    assert f"must be before closes, 07:00 (closes is set in {path}:3)" in problem.message


def test_observation_before_vaccination(tmp_path: Path) -> None:
    station = "[unit_types.tent.stations.{0}]\nkind = '{0}'\nstaff = 1\nminutes = 1.0\n"
    text = (
        EXTENDS
        + "[unit_types.tent]\nopen_days = ['mon']\nopens = '08:00'\ncloses = '16:00'\n"
        + station.format("observation")
        + station.format("vaccination")
    )
    (problem,) = problems_of(beside_the_plan(tmp_path, text))
    assert problem.key == "unit_types.tent.stations"
    assert problem.message == "observation must come after vaccination"


def test_scenario_without_extends_lists_all_that_is_missing_at_once(tmp_path: Path) -> None:
    (problem,) = problems_of(beside_the_plan(tmp_path, "title = 'x'\n"))
    assert "campaign, districts, groups, call_centre" in problem.message
    assert 'say extends = "plan.toml"' in problem.message


def test_misspelt_extends_is_told_first(tmp_path: Path) -> None:
    problems = problems_of(beside_the_plan(tmp_path, 'exends = "plan.toml"\n'))
    assert "did you mean extends?" in problems[0].message


def test_files_that_extend_each_other(tmp_path: Path) -> None:
    beside_the_plan(tmp_path, 'title = "b"\nextends = "bad.toml"\n', "b.toml")
    path = beside_the_plan(tmp_path, 'extends = "b.toml"\n')
    (problem,) = problems_of(path)
    assert (problem.file, problem.line) == (str(tmp_path / "b.toml"), 2)
    assert "extend each other in a circle" in problem.message
    assert "bad.toml -> " in problem.message


def test_file_that_extends_itself(tmp_path: Path) -> None:
    (problem,) = problems_of(beside_the_plan(tmp_path, 'extends = "./bad.toml"\n'))
    assert "extend each other in a circle" in problem.message


def test_extending_a_missing_file_suggests_the_nearest(tmp_path: Path) -> None:
    (problem,) = problems_of(beside_the_plan(tmp_path, '\nextends = "plam.toml"\n'))
    assert (problem.line, problem.key, problem.value) == (2, "extends", '"plam.toml"')
    assert "plam.toml does not exist; did you mean plan.toml?" in problem.message


def test_extends_that_is_no_path(tmp_path: Path) -> None:
    (problem,) = problems_of(beside_the_plan(tmp_path, 'extends = ["plan.toml"]\n'))
    assert (problem.line, problem.value) == (1, '["plan.toml"]')
    assert "must be the path of another file, in quotes" in problem.message


def test_removing_without_extending(tmp_path: Path) -> None:
    text = 'remove = ["groups.thai"]\n' + PLAN.read_text(encoding="utf-8")
    (problem,) = problems_of(beside_the_plan(tmp_path, text))
    assert (problem.line, problem.key) == (1, "remove")
    assert "leave it out" in problem.message


def test_missing_file_suggests_the_nearest(tmp_path: Path) -> None:
    beside_the_plan(tmp_path, "")
    (problem,) = problems_of(tmp_path / "plan.tml")
    assert str(problem) == f"{tmp_path / 'plan.tml'}: does not exist; did you mean plan.toml?"
    # what all files have in common, their ending, makes none of them near
    with pytest.raises(ScenarioError) as far:
        load_scenario(tmp_path / "thai1.toml")
    assert "did you mean" not in str(far.value)


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path)
    assert "is a folder: name a .toml file in it" in problem.message


def test_device_instead_of_a_file() -> None:
    (problem,) = problems_of(Path("/dev/zero"))
    assert "is not an ordinary file" in problem.message


def test_path_with_a_null_character() -> None:
    (problem,) = problems_of(Path("a\0.toml"))
    assert "cannot be read" in problem.message


def test_link_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "loop.toml"
    path.symlink_to(path)
    (problem,) = problems_of(path)
    assert "cannot be read: Too many levels of symbolic links" in problem.message


def test_file_over_a_megabyte(tmp_path: Path) -> None:
    (problem,) = problems_of(beside_the_plan(tmp_path, "#" * 1_000_001))
    assert "is larger than 1 MB" in problem.message


def test_file_that_is_not_utf8(tmp_path: Path) -> None:
    (problem,) = problems_of(beside_the_plan(tmp_path, b"\ntitle = '\xe9t\xe9'\n"))
    assert "is not UTF-8 text (line 2): save it as UTF-8" in problem.message


def test_brackets_nested_too_deeply(tmp_path: Path) -> None:
    (problem,) = problems_of(beside_the_plan(tmp_path, "a = " + "[" * 20_000))
    assert "nested too deeply" in problem.message


def test_number_of_thousands_of_digits(tmp_path: Path) -> None:
    problems = problems_of(beside_the_plan(tmp_path, "title = " + "9" * 5000))
    assert "the number is too long" in problems[0].message
    assert len(str(problems[0])) < 400


def test_empty_file(tmp_path: Path) -> None:
    (problem,) = problems_of(beside_the_plan(tmp_path, ""))
    assert problem.line == 1
    assert "are missing" in problem.message


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("call_center.lines=9", "there is no call_center; did you mean call_centre?"),
        ("call_centre.line=9", "there is no call_centre.line; did you mean call_centre.lines?"),
        ("call_centre.pools.burmse.agents=9", "did you mean call_centre.pools.burmese?"),
        ("units.hospitl_01.district=mueang", "did you mean units.hospital_01?"),
        ("units.hospital_01.stations.vacination.staff=9", "stations.vaccination?"),
        ("groups.migrant.first_calls.2.share=0.5", "is a list of 2: its items are 0 to 1"),
        ("groups.migrant.first_calls.first.share=0.5", "is a list of 2: its items are 0 to 1"),
        ("appointments.waiting_tolerance_minutes.mean=5", ", not a table: set it whole"),
        ("call_centre.lines", "write --set dotted.path=value"),
        ("=5", "write --set dotted.path=value"),
        ("extends=plan.toml", "there is no extends"),
        ("call_centre.lines=-5", "call_centre.lines = -5: must be a whole number between 1 and"),
        ("call_centre.lines=many", 'call_centre.lines = "many": must be a whole number'),
        ("call_centre.opens=26:00", 'call_centre.opens = "26:00": must be a time of day'),
        ("campaign.deadline=2021-05-01", "campaign.deadline = 2021-05-01: must not be before"),
        ("groups.thai.first_calls.0.mean_days=0", "groups.thai.first_calls.0.mean_days = 0: must"),
        ("title=7", "title = 7: must be text in quotes"),
        ("sources=3", "sources = 3: must be a table"),
        ("sources.campaign=3", "sources.campaign = 3: must be text in quotes"),
        ('sources."campaign.foo"=x', "matches no value; did you mean campaign.horizon?"),
        ("units=3", "units = 3: must be a table"),
        (
            "call_centre.pools={}",
            "nothing: set single values in it, or take entries away by remove",
        ),
        ("deliveries={}", 'by remove = ["deliveries.june"] in a file that extends'),
        ("units={}", "an empty table changes nothing"),
        ("units.hospital_01.stations={}", "an empty table changes nothing"),
        ("unit_types.hospital.stations={}", "an empty table changes nothing"),
        ("call_centre={pools={}}", "an empty table changes nothing"),
        ("deliveries.june.delay_days=1000", "deliveries.june.delay_days = 1000: the doses can nev"),
    ],
)
def test_wrong_override_names_itself_and_the_remedy(override: str, said: str) -> None:
    (problem,) = problems_of(PLAN, override)
    assert problem.file == f"--set {override}"
    assert said in str(problem)


def test_all_wrong_overrides_are_told_with_the_problems_of_the_file(tmp_path: Path) -> None:
    path = beside_the_plan(tmp_path, EXTENDS + "[call_centre]\nlines = 0\n")
    problems = problems_of(path, "nowhere=1", "call_centre.attempts_per_day=0")
    assert [problem.key for problem in problems] == [
        "",
        "call_centre.lines",
        "call_centre.attempts_per_day",
    ]


def test_stored_data_that_were_changed_by_hand_give_the_same_messages() -> None:
    with pytest.raises(ScenarioError, match="scenario data: title = 5: must be text in quotes"):
        scenario_from_data({"title": 5})


JUNK = st.one_of(
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([10**12, 10**30, -1.5, 0.5, float("nan"), float("inf"), "", "x", "24:00"]),
    st.sampled_from([date(1, 1, 1), date(9999, 12, 31), datetime(2021, 6, 1, 8), time(0, 0)]),
    st.sampled_from([[], {}, [[]], [{}], {"": 1}, {"distribution": 3}, {"type": {}}, ["mon", 3]]),
)


def entries(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from entries(value, (*path, key))


PLAN_DATA = tomllib.loads(PLAN.read_text(encoding="utf-8"))
ENTRIES = sorted(entries(PLAN_DATA), key=str)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ENTRIES), JUNK), min_size=1, max_size=3))
def test_junk_anywhere_loads_or_is_told_and_nothing_else(changes: list[Any]) -> None:
    data = copy.deepcopy(PLAN_DATA)
    for path, junk in changes:
        table: Any = data
        try:
            for key in path[:-1]:
                table = table[key]
            table[path[-1]] = junk
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change has removed the place
    problems: list[Problem] = []
    try:
        scenario_from_data(data)
    except ScenarioError as error:
        problems = error.problems
    for problem in problems:
        assert problem.message
        assert "Input should" not in problem.message, "pydantic's own wording"
        assert len(str(problem)) < 700
