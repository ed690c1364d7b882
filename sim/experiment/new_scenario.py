"""A scenario of one's own from the few facts of a plan.

`FACTS` are the facts, in the order in which a person is asked for them: each knows how to read an
answer (in the light of those before it) and, unless a plan must say it, what to assume.
`scenario_text` writes the scenario: complete, with comments, sources and ranges.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from string import Template
from textwrap import wrap
from typing import Any
from unicodedata import category

from sim.language import N_, THAI_DIGITS, _, long_date, named, told_of_year
from sim.scenario import WEEKDAYS, clock, time_of_day
from sim.scenario_files import leaf_values

Known = Mapping[str, Any]
"""Values of facts, by name."""

MOST_PEOPLE = 200_000_000
MOST_POPULATION = MOST_DOSES = 1_000_000_000
_LONGEST_CAMPAIGN_DAYS = 1000
_LONGEST_WAIT_DAYS = 365
"""From the deadline to a delivery, and between two doses."""
_LONGEST_BOOKING_DAYS = 180
_WEEKS_AFTER_LAST_DAYS = 24
"""From the last second dose that is due to the horizon."""
_PEOPLE_PER_AGENT = 14_000
"""As assumed for Samut Sakhon: 40 agents for 566,551 people."""
_TELEPHONE_SHARE = 0.5
_OTHER_BOOKINGS_FACTOR = 1.5
"""Bookings that other channels can take, for each person who does not telephone.

As assumed for Samut Sakhon: 6,000 on each of 71 days for the 276,030 who book there.
"""

_STAFF = {"hospital": (3, 4, 4, 40), "outside": (4, 6, 6, 60), "estate": (6, 8, 8, 80)}
"""By type of unit, at registration, screening, vaccination; seats for observation."""
_VACCINATION_MINUTES = 4


class FactError(ValueError):
    """An answer that cannot be, and what would be right."""


@dataclass(frozen=True)
class Fact:
    """One thing that a plan says."""

    name: str
    """As in the option --name."""
    question: str
    read: Callable[[str, Known], Any]
    """The value of an answer, given the facts before it. Raises FactError."""
    default: Callable[[Known], str] | None = None
    """What is assumed, as an answer; None: the plan must say it."""

    def value(self, text: str, known: Known) -> Any:
        """The value of an answer, in Thai digits or others. Raises FactError."""
        text = text.strip()
        if not text:
            raise FactError(_("an answer is needed"))
        if any(category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text):
            raise FactError(_("must not contain control characters"))
        return self.read(text if self.name == "province" else text.translate(THAI_DIGITS), known)


# Reading answers ----------------------------------------------------------------------------


def _whole(text: str, low: int, high: int) -> int:
    """A whole number, with commas or underscores between thousands if one likes."""
    if not re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+|[0-9][0-9_]*", text):
        raise FactError(_("{text!r} is no whole number, such as 45,000").format(text=text))
    number = int(text.replace(",", "").replace("_", "")[:30])
    if not low <= number <= high:
        raise FactError(
            _("must lie between {low} and {high}, not {number}").format(
                low=f"{low:,}", high=f"{high:,}", number=f"{number:,}"
            )
        )
    return number


def _name(text: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9_]{0,29}", text):
        raise FactError(
            _("{text!r} is no name: write small letters from a to z, digits and _").format(
                text=text
            )
        )
    return text


def _pairs(text: str) -> list[tuple[str, str]]:
    """a=1,b=2,000 as pairs. (Three digits after a comma are thousands.)"""
    pairs: list[tuple[str, str]] = []
    for part in re.split(r"[,;](?![0-9]{3}(?![0-9]))", text):
        key, equals, value = part.partition("=")
        if not equals:
            raise FactError(_("{text!r} is not written as NAME=NUMBER").format(text=part))
        if key.strip() in dict(pairs):
            raise FactError(_("{name} is given twice").format(name=key.strip()))
        pairs.append((key.strip(), value.strip()))
    return pairs


def _by_name(text: str, alone: str, most: int) -> dict[str, int]:
    """Numbers by name; a number alone belongs to the name `alone`."""
    pairs = _pairs(text) if "=" in text else [(alone, text)]
    found = {_name(name): _whole(number, 1, most) for name, number in pairs}
    if sum(found.values()) > most:
        raise FactError(_("more than {most} together").format(most=f"{most:,}"))
    return found


def _day(text: str) -> date:
    """A date. Buddhist years are noticed."""
    if told := told_of_year(text):
        raise FactError(told)
    found = re.fullmatch("([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})", text)
    try:
        year, month, day = map(int, found.groups() if found else ())
        if not 2000 <= year <= 2100:
            raise FactError(_("{year} is not between 2000 and 2100").format(year=year))
        return date(year, month, day)
    except FactError:
        raise
    except ValueError:
        raise FactError(
            _("{text!r} is no date: write it as YYYY-MM-DD, for example 2021-08-14").format(
                text=text
            )
        ) from None


def _between(day: date, first: date, last: date) -> date:
    if not first <= day <= last:
        raise FactError(
            _("must lie between {first} and {last}, not on {day}").format(
                first=first, last=last, day=day
            )
        )
    return day


def _days(text: str) -> list[str]:
    """mon-sat, or mon,wed,fri, or both."""
    days: list[str] = []
    for part in re.split(r"[,;\s]+", text.lower()):
        first, dash, last = part.partition("-")
        last = last if dash else first
        if first not in WEEKDAYS or last not in WEEKDAYS:
            raise FactError(
                _("{text!r} is no day of the week: write mon-sat, or mon,wed,fri").format(text=part)
            )
        i, j = WEEKDAYS.index(first), WEEKDAYS.index(last)
        days += WEEKDAYS[i : j + 1] if i <= j else (*WEEKDAYS[i:], *WEEKDAYS[: j + 1])
    return [day for day in WEEKDAYS if day in days]


def _hours(text: str) -> tuple[str, str]:
    try:
        opens, closes = (time_of_day(part.strip()) for part in text.split("-"))
    except ValueError:
        opens = closes = 0
    if opens + 60 > closes:
        raise FactError(
            _("{text!r}: write opening and closing, an hour apart at least, as 08:00-16:00").format(
                text=text
            )
        )
    return clock(opens), clock(closes)


def _call_hours(text: str, known: Known) -> tuple[str, str]:
    opens, closes = _hours(text)
    if closes <= "05:00" or opens >= "23:00":
        raise FactError(_("must hold an hour between 05:00 and 23:00, when people call"))
    return opens, closes


def _province(text: str, known: Known) -> str:
    if len(text) > 100:
        raise FactError(_("must have 100 letters at most"))
    return text


def _vaccinated_before(text: str, known: Known) -> int:
    _whole(text, 0, MOST_POPULATION)
    return _whole(text, 0, known["population"])


def _people(text: str, known: Known) -> dict[str, int]:
    people = _by_name(text, "thai", MOST_PEOPLE)
    left = known["population"] - known["vaccinated_before"]
    if sum(people.values()) > left:
        raise FactError(
            _(
                "{people} people are more than the {left} of the population not yet vaccinated"
            ).format(people=f"{sum(people.values()):,}", left=f"{left:,}")
        )
    return people


def _deliveries(text: str, known: Known) -> list[tuple[date, int]]:
    if "=" not in text:
        raise FactError(_("write DATE=DOSES, for example 2021-06-01=56000,2021-07-01=303000"))
    found = [(_day(day), _whole(doses, 1, MOST_DOSES)) for day, doses in _pairs(text)]
    if len(found) > 200:
        raise FactError(_("200 deliveries at most"))
    latest = known["deadline"] + timedelta(days=_LONGEST_WAIT_DAYS)
    return sorted((_between(day, known["booking_from"], latest), doses) for day, doses in found)


def _deadline(text: str, known: Known) -> date:
    deadline, start = _day(text), known["start"]
    return _between(deadline, start, start + timedelta(days=_LONGEST_CAMPAIGN_DAYS))


def _booking_from(text: str, known: Known) -> date:
    first, start = _day(text), known["start"]
    return _between(first, start - timedelta(days=_LONGEST_BOOKING_DAYS), start)


def _agents(text: str, known: Known) -> dict[str, int]:
    """By language; a number alone: agents who speak all languages (named "")."""
    if "=" not in text:
        return {"": _whole(text, 1, 100_000)}
    found = _by_name(text, "", 100_000)
    for language in found:
        if language not in known["people"]:
            spoken = ", ".join(known["people"])
            raise FactError(
                _("nobody speaks {language}: choose from {spoken}").format(
                    language=language, spoken=spoken
                )
            )
    return found


def _other_channels(known: Known) -> str:
    """Bookings a day with which all who do not telephone have booked well before the deadline."""
    first, days = known["booking_from"], (known["deadline"] - known["booking_from"]).days + 1
    open_days = sum(
        WEEKDAYS[(first + timedelta(days=day)).weekday()] in known["open_days"]
        for day in range(days)
    )
    people = (1 - _TELEPHONE_SHARE) * sum(known["people"].values())
    return str(math.ceil(_OTHER_BOOKINGS_FACTOR * people / max(open_days, 1)))


def _interval(text: str, known: Known) -> int:
    return _whole(text, 1, _LONGEST_WAIT_DAYS)


FACTS = (
    Fact("province", N_("Name of the province"), _province),
    Fact("population", N_("Inhabitants"), lambda text, known: _whole(text, 1, MOST_POPULATION)),
    Fact(
        "vaccinated_before",
        N_("Inhabitants vaccinated before the campaign"),
        _vaccinated_before,
        lambda known: "0",
    ),
    Fact("people", N_("People to vaccinate (by language: thai=45000,burmese=7000)"), _people),
    Fact("start", N_("First day of vaccination (YYYY-MM-DD)"), lambda text, known: _day(text)),
    Fact(
        "deadline",
        N_("To be finished by (YYYY-MM-DD)"),
        _deadline,
    ),
    Fact(
        "booking_from",
        N_("First day of booking (YYYY-MM-DD)"),
        _booking_from,
        lambda known: (known["start"] - timedelta(days=7)).isoformat(),
    ),
    Fact(
        "units",
        N_("Vaccination units (by type: hospital=5,outside=2)"),
        lambda text, known: _by_name(text, "unit", 5000),
    ),
    Fact(
        "open_days",
        N_("Open days of the week"),
        lambda text, known: _days(text),
        lambda known: "mon-sat",
    ),
    Fact(
        "unit_hours",
        N_("Opening hours of the units"),
        lambda text, known: _hours(text),
        lambda known: "08:00-16:00",
    ),
    Fact(
        "vaccine",
        N_("Vaccine"),
        lambda text, known: _name(text.lower()),
        lambda known: "astrazeneca",
    ),
    Fact("deliveries", N_("Doses by day of delivery (DATE=DOSES,DATE=DOSES)"), _deliveries),
    Fact("interval_days", N_("Days between the two doses"), _interval, lambda known: "84"),
    Fact(
        "agents",
        N_("Agents of the call centre (by language: thai=6,burmese=2)"),
        _agents,
        lambda known: str(max(2, round(sum(known["people"].values()) / _PEOPLE_PER_AGENT))),
    ),
    Fact(
        "call_hours",
        N_("Opening hours of the call centre"),
        _call_hours,
        lambda known: "08:00-18:00",
    ),
    Fact(
        "other_channels",
        N_("Bookings a day through other channels (desks, employers, volunteers)"),
        lambda text, known: _whole(text, 0, MOST_PEOPLE),
        _other_channels,
    ),
)


def read_facts(answers: Mapping[str, str]) -> tuple[dict[str, Any], set[str], dict[str, str]]:
    """Values of all facts from the answers given, the names of those assumed, and what is wrong.

    What is wrong is told by fact; "" is said of a fact that is missing. What depends on it is left
    out, too.
    """
    known: dict[str, Any] = {}
    assumed: set[str] = set()
    wrong: dict[str, str] = {}
    for fact in FACTS:
        try:
            text = answers.get(fact.name)
            if text is None and fact.default is None:
                wrong[fact.name] = ""
                continue
            if text is None and fact.default is not None:
                text = fact.default(known)
                assumed.add(fact.name)
            assert text is not None
            known[fact.name] = fact.value(text, known)
            if fact.name in _LANGUAGES and "=" not in text:
                assumed.add(_LANGUAGES[fact.name])
        except FactError as error:
            wrong[fact.name] = str(error)
        except KeyError:  # depends on a fact that is missing or wrong
            continue
    return known, assumed, wrong


# Writing ------------------------------------------------------------------------------------


def _template() -> str:
    return Path(__file__).with_suffix(".template").read_text(encoding="utf-8")


_HEADING = re.compile(r"# (\S.*?) -{10,}")
_PARAGRAPH = re.compile(r"# (\S.*)")
_BESIDE = re.compile(r"([^#].* {2,}# |# {5}\S.*?\S {3,})(\S.*)")
"""A comment beside a value, or words beside a command."""
_SOURCE = re.compile(r'("[^"]+" = "|.* source = ")([^"$]+)(".*)')


def in_words(template: str, told: Callable[[str], str]) -> str:
    """The template of a scenario with every comment and source as it is to be told."""
    lines: list[str] = []
    paragraph: list[str] = []
    for line in [*template.split("\n"), ""]:
        heading = _HEADING.fullmatch(line)
        if (found := _PARAGRAPH.fullmatch(line)) and not heading:
            paragraph.append(found[1])
            continue
        if paragraph:
            said = told(text := " ".join(paragraph))
            shown = paragraph if said == text else wrap(said, 98, break_long_words=False)
            lines += [f"# {part}" for part in shown]
            paragraph = []
        if heading:
            line = f"# {told(heading[1])} ".ljust(len(line), "-")
        elif found := _BESIDE.fullmatch(line):
            line = found[1] + told(found[2])
        elif found := _SOURCE.fullmatch(line):
            line = found[1] + told(found[2]) + found[3]
        lines.append(line)
    return "\n".join(lines[:-1])


def words_of_template() -> list[str]:
    """All comments and sources of the template, for the catalog."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    in_words(_template(), note)
    return found


def scenario_text(facts: Known, assumed: Iterable[str], file: str) -> str:
    """The scenario file of the facts, some of which are assumed; `file` is its name."""
    assumed = set(assumed)
    template = Template(in_words(_template(), _))
    province, target = facts["province"], sum(facts["people"].values())
    last_delivery = max(day for day, _doses in facts["deliveries"])
    due = max(facts["deadline"], last_delivery) + timedelta(days=facts["interval_days"])
    deliveries = sum(doses for _day, doses in facts["deliveries"])
    vials = facts["vaccine"] == "astrazeneca"
    for_the_plan = _("for the plan to say")
    unsaid = {
        "campaign.vaccinated_before": "vaccinated_before" in assumed,
        "regimens.*.*_days": "interval_days" in assumed,
        "vaccines.*.doses_per_vial": not vials,
        "vaccines.*.open_vial_hours": not vials,
    }
    return template.substitute(
        {name: value for name, value in facts.items() if isinstance(value, int | str | date)}
        | {
            "file": file,
            "population": f"{facts['population']:_}",
            "vaccinated_before": f"{facts['vaccinated_before']:_}",
            "province_comment": province,
            "title": _quoted(_("The vaccination plan of {province}").format(province=province)),
            "description": _quoted(
                _(
                    "{people:,} people, {units:,} units, {doses:,} doses by {last_delivery}, to be "
                    "finished by {deadline}."
                ).format(
                    people=target,
                    units=sum(facts["units"].values()),
                    doses=deliveries,
                    last_delivery=long_date(last_delivery),
                    deadline=long_date(facts["deadline"]),
                )
            ),
            "province": _quoted(province),
            "horizon": due + timedelta(days=_WEEKS_AFTER_LAST_DAYS),
            "groups": "\n".join(_group(facts, name) for name in facts["people"]),
            "open_days": _quoted(facts["open_days"]),
            "call_opens": facts["call_hours"][0],
            "call_closes": facts["call_hours"][1],
            "lines": 3 * sum(facts["agents"].values()),
            "pools": "\n".join(_pool(facts, *pool) for pool in facts["agents"].items()),
            "bookings_per_day": facts["other_channels"],
            "deliveries": "\n".join(
                f'[deliveries.delivery_{number}]\nvaccine = "{facts["vaccine"]}"\n'
                f"arrives = {day}\ndoses = {doses:_}\n"
                for number, (day, doses) in enumerate(facts["deliveries"], 1)
            ),
            "unit_types": "\n".join(_unit_type(facts, name) for name in facts["units"]),
            "units": "".join(_units(facts["units"])),
            "one_unit": next(_unit_names(facts["units"]))[1],
            "sources": "".join(
                _sources(assumed, _("the plan of {province}").format(province=province))
            ).rstrip("\n"),
            "vial_source": _quoted(
                _("WHO: AstraZeneca, ten-dose vial") if vials else _("assumed: ten-dose vials")
            ),
            "open_vial_source": _quoted(
                _("WHO: 6 hours at room temperature once opened")
                if vials
                else _("assumed: 6 hours")
            ),
            "assumed_ranges": "".join(
                _RANGES[name].format(source=_(source))
                for name, source in _SOURCES_OF_RANGES.items()
                if name in assumed
            ),
            "not_varied": "".join(
                f'"{pattern}" = {_quoted(for_the_plan)}\n'
                for pattern, said in unsaid.items()
                if said
            ).rstrip("\n"),
        }
    )


_RANGES = {
    "agents": '"call_centre.pools.*.agents" = {{ low = 0.5, high = 3.0, relative = true, '
    'source = "{source}" }}\n',
    "other_channels": '"other_channels.bookings_per_day" = {{ low = 0.5, high = 2.0, '
    'relative = true, source = "{source}" }}\n',
}
_SOURCES_OF_RANGES = {
    "agents": N_("assumed: half to three times as many"),
    "other_channels": N_("assumed: from half to twice the value"),
}
"""Of facts that may be assumed."""

_MATTERS = (
    "groups.*.willing", "groups.*.telephone_share", "groups.*.first_calls.*.mean_days",
    "call_centre.booking_call_minutes.mean", "call_centre.patience_minutes.mean",
    "call_centre.redial_probability", "call_centre.lines",
    "unit_types.*.stations.vaccination.staff", "unit_types.*.stations.vaccination.minutes.mode",
    "vaccines.*.extra_doses_per_vial", "supply.second_dose_policy",
    "appointments.stock_rule", "appointments.no_show", "campaign.coverage_goal",
)  # fmt: skip
"""What is assumed of every plan and matters much, by pattern of dotted paths."""


def what_matters(scenario: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a written scenario assumes and matters much: pattern of keys, and the value(s)."""
    leaves = list(leaf_values(scenario))
    for pattern in _MATTERS:
        keys = re.escape(pattern).replace(r"\*", "[^.]+")
        yield (
            pattern,
            ", ".join(
                dict.fromkeys(str(value) for path, value in leaves if re.fullmatch(keys, path))
            ),
        )


def warnings_of(facts: Known) -> Iterator[str]:
    """What can be, but is hardly meant."""
    for day, doses in facts["deliveries"]:
        if day > facts["deadline"]:
            message = _(
                "the {doses} doses of {day} come after the deadline, {deadline}: "
                "they cannot help to reach it"
            )
            yield message.format(
                doses=f"{doses:,}", day=long_date(day), deadline=long_date(facts["deadline"])
            )


_PATTERNS = {
    "province": ("campaign.province",),
    "population": ("campaign.population",),
    "vaccinated_before": ("campaign.vaccinated_before",),
    "people": ("groups.*.people",),
    "language": ("groups.*.language",),
    "start": ("campaign.vaccination_from",),
    "deadline": ("campaign.deadline",),
    "booking_from": ("campaign.first_day",),
    "units": ("units.*.type",),
    "open_days": (
        "call_centre.open_days", "other_channels.open_days", "unit_types.*.open_days",
    ),
    "unit_hours": ("unit_types.*.opens", "unit_types.*.closes"),
    "vaccine": ("regimens.*.first", "regimens.*.second", "deliveries.*.vaccine"),
    "deliveries": ("deliveries.*.arrives", "deliveries.*.doses"),
    "interval_days": ("regimens.*.*_days",),
    "agents": ("call_centre.pools.*.agents",),
    "languages_of_agents": ("call_centre.pools.*.languages",),
    "call_hours": ("call_centre.opens", "call_centre.closes"),
    "other_channels": ("other_channels.bookings_per_day",),
}  # fmt: skip
"""What each fact decides in a scenario."""

_LANGUAGES = {"people": "language", "agents": "languages_of_agents"}
"""What is assumed where these are a number alone: Thai, and that every agent speaks them all."""


def _sources(assumed: set[str], plan: str) -> Iterable[str]:
    for name, patterns in _PATTERNS.items():
        source = _("assumed: the plan does not say") if name in assumed else plan
        for pattern in patterns:
            yield f'"{pattern}" = {_quoted(source)}\n'


def _quoted(value: str | list[str]) -> str:
    """As TOML writes a text, or a list of texts."""
    return json.dumps(value, ensure_ascii=False)


def _group(facts: Known, language: str) -> str:
    mean_days = max(1, round((facts["deadline"] - facts["booking_from"]).days / 4))
    before, rest = (
        _("nobody of the group is vaccinated before"),
        _("the rest books through other channels"),
    )
    return f"""\
[groups.{language}]
people = {facts["people"][language]:_}
language = "{language}"
turn_from = {facts["start"]}            # {before}
willing = 1.0
telephone_share = {_TELEPHONE_SHARE}             # {rest}
books_when_answered = 1.0
first_calls = [{{ opens = {facts["booking_from"]}, share = 1.0, mean_days = {mean_days}.0 }}]
"""


def _pool(facts: Known, language: str, agents: int) -> str:
    languages = [language] if language else list(facts["people"])
    return f"""\
[call_centre.pools.{language or "agents"}]
languages = {_quoted(languages)}
agents = {agents}
"""


def _unit_type(facts: Known, name: str) -> str:
    opens, closes = facts["unit_hours"]
    minutes = [60 * int(clock[:2]) + int(clock[3:]) for clock in (opens, closes)]
    open_minutes = minutes[1] - minutes[0]
    registration, screening, vaccination, seats = _STAFF.get(name, _STAFF["hospital"])
    slots = vaccination * open_minutes // _VACCINATION_MINUTES
    seats_words = _("staff: seats")
    people_a_day = _("{vaccination} x {minutes} / 4 = {slots:,} people a day").format(
        vaccination=vaccination, minutes=open_minutes, slots=slots
    )
    return f"""\
[unit_types.{name}]
open_days = {_quoted(facts["open_days"])}
opens = "{opens}"
closes = "{closes}"
walk_ins_per_day = 0.0

[unit_types.{name}.stations.registration]
staff = {registration}
minutes = {{ distribution = "triangular", low = 1.0, mode = 2.0, high = 3.0 }}

[unit_types.{name}.stations.screening]
staff = {screening}
minutes = {{ distribution = "triangular", low = 2.0, mode = 3.0, high = 4.0 }}

[unit_types.{name}.stations.vaccination]   # {people_a_day}
kind = "vaccination"
staff = {vaccination}
minutes = {{ distribution = "triangular", low = 3.0, mode = 4.0, high = 5.0 }}

[unit_types.{name}.stations.observation]   # {seats_words}
kind = "observation"
staff = {seats}
minutes = 30.0
adverse_event_probability = 0.015
adverse_event_minutes = {{ distribution = "exponential", mean = 20.0 }}
"""


def _unit_names(units: Mapping[str, int]) -> Iterator[tuple[str, str, int]]:
    """Type, name and number of every unit."""
    for kind, many in units.items():
        for number in range(1, many + 1):
            yield kind, f"{kind}_{number:0{len(str(many))}d}", number


def _units(units: Mapping[str, int]) -> Iterable[str]:
    for kind, name, number in _unit_names(units):
        words = named(kind.replace("_", " "))
        title = _quoted(f"{words[:1].upper()}{words[1:]} {number}")
        yield f'{name} = {{ type = "{kind}", district = "province", title = {title} }}\n'
