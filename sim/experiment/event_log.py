"""Who did what when: the event log of one day, of one unit or of the call centre.

A row is an event of one person ("entity") of that day, in the form that the library `vidigi` reads:

- `entity_id`   number of the patient or caller, from 1, in order of arrival
- `pathway`     how a patient comes (appointment, walk_in); why a caller calls (booking, inquiry)
- `event_type`  arrival_departure, queue, resource_use or resource_use_end
- `event`       what happened, see below
- `time`        minutes after midnight (of the day; later than 1,440 is after the next midnight)
- `resource_id` number of the member of staff, seat or agent, on the two rows of their work

and columns of our own: `timestamp` (date and time of day), `replication`, `person` (number in the
population), `group`, and the columns named below. Rows are in the order in which things happen:
who leaves a resource at an instant stands before who takes it at that instant.

*Patients*: arrival; for each station `walk_to_S` (where there is a walk), `wait_for_S` (joins the
queue, even if somebody is free), `S` (service begins), `S_end` (at the station that vaccinates:
`vaccinated`, with the `vaccine`); depart, with the `outcome`, a `PatientOutcome` in lower case.
Columns: `unit`, `station`, `dose` (1, 2). Who missed the appointment does not appear.

*Callers*: arrival (the day's first call); for each call `call` (`attempt`: its number, counted over
all days), then `busy`, or `wait_for_agent` (if nobody is free) and `answered` and `call_end`, or
`abandoned`, or `cut_off`; depart, with the `outcome`: booked, declined (decided against it),
informed (only asked), calls_another_day, gave_up. `redial_at` is the time of the next call, if one
follows on this day. Columns: `language`, `pool`. After-call work has no row; an agent who is at it
takes no call.

Staff, seats and agents have no identity in the model: whoever is free with the lowest number
serves. Agents are numbered through all pools, in the order of the scenario.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from datetime import date
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.engine import get_engine
from sim.engine.contract import (
    WRAP_UP_STREAMS,
    AttemptOutcome,
    CallCentreDay,
    CallOutcome,
    Engine,
    PatientOutcome,
    StationKind,
    UnitSessionResult,
)
from sim.experiment.settings import RunSettings, SettingsError
from sim.experiment.sources import parquet, put
from sim.language import _, days_of_week, long_date, weekday
from sim.model.call_centre import INQUIRY, PURPOSES, Calls
from sim.model.campaign import Campaign
from sim.random_streams import RandomStreams, draw
from sim.scenario import MINUTE_US, Opening, Scenario
from sim.scenario_errors import did_you_mean

Int64Array = NDArray[np.int64]

ARRIVAL_DEPARTURE, QUEUE = "arrival_departure", "queue"
RESOURCE_USE, RESOURCE_USE_END = "resource_use", "resource_use_end"

_COLUMNS = (
    "entity_id", "pathway", "event_type", "event", "time", "resource_id", "timestamp",
    "replication", "person", "group",
)  # fmt: skip
_UNIT_COLUMNS = (*_COLUMNS, "unit", "station", "dose", "vaccine", "outcome")
_CALL_COLUMNS = (*_COLUMNS, "language", "attempt", "pool", "redial_at", "outcome")

_LAST = 10**9
"""Place of the departure among the events of an entity."""


def event_log(
    scenario: Scenario,
    day: date,
    unit: str | None = None,
    settings: RunSettings | None = None,
    replication: int = 0,
    on_day: Callable[[date], None] | None = None,
) -> pd.DataFrame:
    """The log of one day of a unit, or of the call centre if none is named.

    Of the settings, seed and engine count; every engine gives the same log. The campaign is
    simulated up to that day; `on_day` is called with each day that is over.

    Raises SettingsError for a day or a unit that cannot be, and if nobody came.
    """
    settings = settings or RunSettings()
    settings.check_against(scenario)
    check_place(scenario, day, unit)
    if not 0 <= replication < 10**6:
        raise SettingsError(
            _("replication must be between 0 and 999,999, not {n}").format(n=replication)
        )
    engine = get_engine(settings.engine)
    streams = RandomStreams(settings.seed, replication)
    campaign = Campaign(scenario, engine, streams, until=day, progress=on_day)
    campaign.run()
    rows = (
        _calls(scenario, campaign, engine) if unit is None else _session(scenario, campaign, unit)
    )
    if not rows:
        place = _("the call centre") if unit is None else unit
        raise SettingsError(
            _("nobody came to {place} on {day}: there is nothing to write down").format(
                place=place, day=long_date(day)
            )
        )
    frame = _in_order(pd.concat(rows, ignore_index=True))
    frame["replication"] = replication
    frame["timestamp"] = np.datetime64(day, "us") + frame["time_us"].to_numpy("timedelta64[us]")
    frame["time"] = frame["time_us"] / MINUTE_US
    if unit is None:
        frame["redial_at"] = np.datetime64(day, "us") + frame["redial_us"].astype("timedelta64[us]")
    else:
        frame["unit"] = unit
    return frame.reindex(columns=_CALL_COLUMNS if unit is None else _UNIT_COLUMNS)


def check_place(scenario: Scenario, day: date, unit: str | None) -> None:
    """Raise SettingsError unless the unit (None: the call centre) is open on that day."""
    campaign = scenario.campaign
    if not campaign.first_day <= day <= campaign.horizon:
        raise SettingsError(
            _("{day} is no day of the campaign: choose one from {first} to {last}").format(
                day=long_date(day),
                first=long_date(campaign.first_day),
                last=long_date(campaign.horizon),
            )
        )
    if unit is None:
        centre = scenario.call_centre
        _check_open(_("the call centre"), centre, day, centre.first_day, centre.last_day)
        return
    if unit not in scenario.units:
        known = list(scenario.units)
        hint = did_you_mean(unit, known) or _("; the units are {units}").format(
            units=", ".join(known[:30]) + (", ..." if known[30:] else "")
        )
        raise SettingsError(_("there is no unit {unit!r}").format(unit=unit) + hint)
    _check_open(unit, scenario.units[unit], day, campaign.vaccination_from, campaign.horizon)


def _check_open(place: str, opening: Opening, day: date, first: date, last: date) -> None:
    if first <= day <= last and opening.is_open(day):
        return
    if day in opening.closed_dates:
        message = _("{place} is closed on {weekday}, {day}: that is one of its closed dates")
    else:
        message = _(
            "{place} is closed on {weekday}, {day}: it is open on {days} from {first} to {last}"
        )
    raise SettingsError(
        message.format(
            place=place, weekday=weekday(day), day=long_date(day),
            days=days_of_week(opening.open_days),
            first=long_date(first), last=long_date(last),
        )
    )  # fmt: skip


def write_log(frame: pd.DataFrame, path: Path) -> None:
    """Write a log as Parquet if the name ends in .parquet, else as CSV (UTF-8, with a header).

    Raises RunError if the file cannot be written.
    """
    if path.suffix.lower() == ".parquet":
        put(path, parquet(frame))
        return
    text = io.StringIO()
    frame.to_csv(text, index=False, lineterminator="\n", date_format="%Y-%m-%d %H:%M:%S.%f")
    put(path, text.getvalue().encode())


# Patients -----------------------------------------------------------------------------------


def _session(scenario: Scenario, campaign: Campaign, unit: str) -> list[pd.DataFrame]:
    """The events of a unit's session, in any order."""
    number, latest = list(scenario.units).index(unit), campaign.units.latest
    if latest is None or number not in latest.results:
        return []
    result = latest.results[number]
    mine = latest.visits.unit == number
    person, walk_in = latest.visits.people[mine], latest.visits.walk_in[mine]
    arrival_us = latest.sessions[number].arrival_us
    patient = np.arange(person.size)

    rows = [_rows(patient, 0, arrival_us, ARRIVAL_DEPARTURE, "arrival")]
    for s, (name, kind) in enumerate(
        zip(scenario.units[unit].stations, latest.sessions[number].kind.tolist(), strict=True)
    ):
        end = "vaccinated" if kind == StationKind.VACCINATION else f"{name}_end"
        rows += _station(result, s, name, end, latest.sessions[number].walk_us[:, s])
    vaccines = np.array([*scenario.vaccines, ""], dtype=object)[result.vaccine]
    for part in rows:
        if part["event"].iat[0] == "vaccinated":
            part["vaccine"] = vaccines[part["entity"]]
    outcomes = np.array([outcome.name.lower() for outcome in PatientOutcome], dtype=object)
    rows.append(
        _rows(
            patient, _LAST, result.exit_us, ARRIVAL_DEPARTURE, "depart",
            outcome=outcomes[result.outcome],
        )
    )  # fmt: skip
    # The dose of the visit: those who had it have been counted since.
    dose = campaign.people.doses[person] + (result.vaccine < 0)
    return _with_people(
        scenario, campaign, rows, person, np.where(walk_in, "walk_in", "appointment"), dose=dose
    )


def _station(
    result: UnitSessionResult, s: int, name: str, end: str, walk_us: Int64Array
) -> list[pd.DataFrame]:
    """The events of one station."""
    join_us, start_us, end_us = result.join_us[:, s], result.start_us[:, s], result.end_us[:, s]
    joined, served = np.flatnonzero(join_us >= 0), np.flatnonzero(start_us >= 0)
    walked = joined[walk_us[joined] > 0]
    staff = np.full(start_us.size, -1, dtype=np.int64)
    staff[served] = _numbers(start_us[served], end_us[served], join_us[served])
    step = 4 * s
    parts = [
        _rows(walked, step + 1, (join_us - walk_us)[walked], QUEUE, f"walk_to_{name}"),
        _rows(joined, step + 2, join_us[joined], QUEUE, f"wait_for_{name}"),
        _rows(served, step + 3, start_us[served], RESOURCE_USE, name, resource_id=staff[served]),
        _rows(
            served, step + 4, end_us[served], RESOURCE_USE_END, end, resource_id=staff[served],
            ends=end_us[served] > start_us[served],
        ),
    ]  # fmt: skip
    return [part.assign(station=name) for part in parts if len(part)]


# Callers ------------------------------------------------------------------------------------


def _calls(scenario: Scenario, campaign: Campaign, engine: Engine) -> list[pd.DataFrame]:
    """The events of a day of the call centre, in any order."""
    calls = campaign.call_centre.latest
    if calls is None or not calls.day.fresh_us.size:
        return []
    day = calls.day
    log = engine.call_centre_day(day, log=True).log
    assert log is not None
    row, attempt, arrival_us, outcome, time_us, pool = log.T
    ended = outcome == AttemptOutcome.ANSWERED
    handle_us, wrap_up_us = _work_us(day, row, attempt)
    over_us = time_us + np.where(ended, handle_us, 0)
    free_us = over_us + np.where(ended, wrap_up_us, 0)
    again = np.append(row[1:] == row[:-1], False)
    redial_us = pd.array(np.append(arrival_us[1:], 0), dtype="Int64")
    redial_us[~again] = pd.NA
    number = day.attempts_before[row] + attempt + 1
    agent = np.full(row.size, -1, dtype=np.int64)
    for p, before in enumerate(_agents_before(day)):
        taken = np.flatnonzero(ended & (pool == p))
        agent[taken] = before + _numbers(time_us[taken], free_us[taken], arrival_us[taken])

    def events(
        which: NDArray[np.bool_], place: int, times: Int64Array, kind: str, event: str, **more: Any
    ) -> pd.DataFrame:
        columns = {name: values[which] for name, values in more.items()}
        step = 4 * attempt[which] + place
        return _rows(row[which], step, times[which], kind, event, attempt=number[which], **columns)

    names = np.array(list(scenario.call_centre.pools), dtype=object)[pool]
    served = {"resource_id": agent, "pool": names}
    queued = (time_us > arrival_us) | np.isin(
        outcome, (AttemptOutcome.ABANDONED, AttemptOutcome.CUT_OFF)
    )
    rows = [
        _rows(np.arange(day.fresh_us.size), 0, day.fresh_us, ARRIVAL_DEPARTURE, "arrival"),
        events(np.ones(row.size, dtype=np.bool_), 1, arrival_us, QUEUE, "call"),
        events(queued, 2, arrival_us, QUEUE, "wait_for_agent"),
        events(ended, 3, time_us, RESOURCE_USE, "answered", **served),
        events(
            ended, 4, over_us, RESOURCE_USE_END, "call_end", **served,
            redial_us=redial_us, ends=over_us > time_us,
        ),
    ]  # fmt: skip
    for event, found in (
        ("busy", AttemptOutcome.BLOCKED),
        ("abandoned", AttemptOutcome.ABANDONED),
        ("cut_off", AttemptOutcome.CUT_OFF),
    ):
        rows.append(events(outcome == found, 3, time_us, QUEUE, event, redial_us=redial_us))
    rows.append(
        _rows(
            row[~again], _LAST, over_us[~again], ARRIVAL_DEPARTURE, "depart",
            outcome=_outcomes(calls),
        )
    )  # fmt: skip
    languages = np.array(scenario.languages, dtype=object)[day.language]
    pathways = np.array(PURPOSES, dtype=object)[calls.purposes]
    return _with_people(
        scenario, campaign, [part for part in rows if len(part)], calls.people, pathways,
        language=languages,
    )  # fmt: skip


def _work_us(
    day: CallCentreDay, row: Int64Array, attempt: Int64Array
) -> tuple[Int64Array, Int64Array]:
    """How long an answered call lasts, and the work after it: the contract's words for them."""
    streams, attempts = RandomStreams(day.seed, day.replication), day.attempts_before[row] + attempt
    stream, entity = day.stream[row], day.entity[row]
    after = stream + np.uint32(WRAP_UP_STREAMS)
    return (
        _by_type(day.handle, day.call_type[row], streams.blocks(stream, entity, attempts)[3]),
        _by_type(day.wrap_up, day.call_type[row], streams.blocks(after, entity, attempts)[0]),
    )


def _by_type(
    tables: Int64Array, call_type: NDArray[np.int8], words: NDArray[np.uint32]
) -> Int64Array:
    drawn = np.zeros(words.size, dtype=np.int64)
    for number, table in enumerate(tables):
        those = call_type == number
        drawn[those] = draw(table, words[those])
    return drawn


def _agents_before(day: CallCentreDay) -> list[int]:
    """For each pool, the most agents ever on duty in those before it."""
    most = [
        int(day.step_agents[day.step_pool == pool].max(initial=0))
        for pool in range(day.pool_speaks.shape[0])
    ]
    return [sum(most[:pool]) for pool in range(len(most))]


def _outcomes(calls: Calls) -> NDArray[np.object_]:
    """What the day has brought each caller."""
    answered = calls.result.outcome == CallOutcome.ANSWERED
    inquiry = calls.purposes == INQUIRY
    booked = np.zeros(answered.size, dtype=np.bool_)
    booked[calls.booked] = True
    carried = np.isin(calls.row, calls.carried)
    return np.select(
        [booked, answered & inquiry, answered, carried],
        ["booked", "informed", "declined", "calls_another_day"],
        "gave_up",
    ).astype(object)


# Both ---------------------------------------------------------------------------------------


def _rows(
    entity: Int64Array,
    step: int | Int64Array,
    time_us: Int64Array,
    event_type: str,
    event: str,
    **more: Any,
) -> pd.DataFrame:
    """An event of some entities. `step`: its place among the events of the entity; `ends`: whether
    a resource gets free that was taken before this instant."""
    return pd.DataFrame(
        {
            "entity": entity, "step": step, "time_us": time_us,
            "event_type": event_type, "event": event, "ends": False, **more,
        }
    )  # fmt: skip


def _with_people(
    scenario: Scenario,
    campaign: Campaign,
    parts: Iterable[pd.DataFrame],
    person: Int64Array,
    pathway: NDArray[Any],
    **more: NDArray[Any],
) -> list[pd.DataFrame]:
    """The events with what is known of their entities, one value an entity."""
    group = np.array(list(scenario.groups), dtype=object)[campaign.people.group[person]]
    known = {"person": person, "group": group, "pathway": pathway, **more}
    return [
        part.assign(
            entity_id=part["entity"] + 1,
            **{name: values[part["entity"]] for name, values in known.items()},
        )
        for part in parts
    ]


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order of events, whole numbers that may be missing as such."""
    order = np.lexsort((frame["step"], frame["entity"], ~frame["ends"], frame["time_us"]))
    frame = frame.iloc[order].reset_index(drop=True)
    whole = [name for name in ("resource_id", "attempt", "redial_us") if name in frame]
    return frame.astype(dict.fromkeys(whole, "Int64"))


def _numbers(start_us: Int64Array, end_us: Int64Array, join_us: Int64Array) -> Int64Array:
    """Which member of staff, from 1, serves each: of those free, the one with the lowest number."""
    numbers = np.zeros(start_us.size, dtype=np.int64)
    free: list[int] = []
    busy: list[tuple[int, int]] = []
    for who in np.lexsort((np.arange(start_us.size), join_us, start_us)).tolist():
        while busy and busy[0][0] <= start_us[who]:
            heappush(free, heappop(busy)[1])
        number = heappop(free) if free else len(busy) + 1
        heappush(busy, (int(end_us[who]), number))
        numbers[who] = number
    return numbers
