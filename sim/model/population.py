"""The people of a campaign: who they are, and how far each has come.

People are individuals. Traits are drawn once, from (seed, replication, group, number within the
group), so that replication r has the same people in every scenario; the rest is their state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sim.compilation import inlined_kernel, kernel
from sim.model.order import first_by_number, order_of
from sim.random_streams import (
    RandomStreams,
    Stream,
    cumulative_thresholds,
    interval,
    interval_starts,
    parts,
    stream_word,
    threshold,
)
from sim.scenario import HOUR_US, MINUTE_US, AlreadyVaccinated, Group, Opening, Scenario

NEVER = np.int16(32767)
"""A day that does not come."""

Int16Array = NDArray[np.int16]
Int64Array = NDArray[np.int64]


class Status(IntEnum):
    """Where a person stands on the way to the next dose."""

    NOT_REGISTERED = 0
    WAITING = 1  # registered (or due for the second dose), without an appointment
    BOOKED = 2
    DROPPED_OUT = 3  # after a no-show, or after being turned away
    INTERVAL = 4  # had the first dose; too early to look for a second appointment
    COMPLETE = 5


class Setback(IntEnum):
    """What went wrong last, on the way to the next dose."""

    NONE = 0
    NO_SHOW = 1
    NO_DOSE = 2
    NOT_SERVED = 3


class HeldBy(IntEnum):
    """What keeps an appointment from being made, or from being earlier."""

    NOTHING = 0
    NO_DOSE = 1
    NO_SLOT = 2


@dataclass
class Population:
    """Arrays over people, numbered group by group, in a group by the day of the first call. Days
    count from the campaign's first day."""

    group: NDArray[np.uint8]
    entity: NDArray[np.uint32]
    """number within the group: the person's identity for random streams"""
    willing: NDArray[np.bool_]
    by_telephone: NDArray[np.bool_]
    home_unit: Int16Array
    first_call_day: Int16Array
    """day of the first call, or of coming to another channel; NEVER: not before the horizon"""
    first_call_us: Int64Array
    status: NDArray[np.int8]
    setback: NDArray[np.int8]
    held_by: NDArray[np.int8]
    declined: NDArray[np.bool_]
    """decided against a booking during the call"""
    gave_up: NDArray[np.bool_]
    """called in vain and will not call again"""
    doses: NDArray[np.int8]
    regimen: NDArray[np.int8]
    first_dose_day: Int16Array
    last_dose_day: Int16Array
    appointment_day: Int16Array
    appointment_unit: Int16Array
    appointment_slot: NDArray[np.int32]
    appointment_vaccine: NDArray[np.int8]
    tries: NDArray[np.int16]
    """appointments had for the next dose"""

    @property
    def size(self) -> int:
        """Number of people."""
        return int(self.group.size)


class DemandCurve:
    """When the people of a group first call: waves x weekdays x hours of the day."""

    def __init__(self, group: Group, scenario: Scenario) -> None:
        campaign, centre = scenario.campaign, scenario.call_centre
        days = (campaign.horizon - campaign.first_day).days + 1
        weights = np.zeros((days, 24))
        never = 0.0
        weekday = np.array(
            [centre.weekday_calls[(campaign.first_day.weekday() + d) % 7] for d in range(days)]
        )
        for wave in group.first_calls:
            start = (wave.opens - campaign.first_day).days
            since = np.arange(days) - start
            decay = np.exp(-np.maximum(since, 0) / wave.mean_days) * -np.expm1(-1 / wave.mean_days)
            decay[since < 0] = 0.0
            later = float(np.exp(-max(days - start, 0) / wave.mean_days))
            within = decay * weekday
            if within.sum() > 0:
                hours = np.asarray(centre.call_times)
                weights += np.outer(
                    within / within.sum() * (1 - later) * wave.share, hours / hours.sum()
                )
                never += later * wave.share
            else:
                never += wave.share
        self._days = days
        self._ends = cumulative_thresholds(np.append(weights.ravel(), max(never, 0.0)))
        self._starts = interval_starts(self._ends)

    def moments(
        self, cell_words: NDArray[np.uint32], moment_words: NDArray[np.uint32]
    ) -> tuple[Int16Array, Int64Array]:
        """Day (NEVER if after the horizon) and microsecond of the day of first calls."""
        day = np.empty(cell_words.size, dtype=np.int16)
        time_us = np.empty(cell_words.size, dtype=np.int64)
        _fill_moments(self._ends, self._starts, self._days, cell_words, moment_words, day, time_us)
        return day, time_us


class TimeProfile:
    """Time of day, within opening hours, at which somebody calls again or walks in.

    `weights` (24, from midnight) are relative numbers of people an hour.
    """

    def __init__(self, place: Opening, weights: Sequence[float]) -> None:
        hours = np.arange(24)
        low = np.clip(place.opens, hours * 60, hours * 60 + 60)
        high = np.clip(place.closes, hours * 60, hours * 60 + 60)
        ends = cumulative_thresholds(np.asarray(weights) * (high - low))
        self.hours = (
            ends,
            interval_starts(ends),
            low * MINUTE_US,
            (high - low) * MINUTE_US,
        )
        """what `time_of_day` takes: by hour, thresholds; begin and length of what is open"""


@inlined_kernel
def time_of_day(  # type: ignore[no-untyped-def]
    ends, starts, begin_us, length_us, hour_word, moment_word
):
    """Microsecond of the day at which somebody calls again or walks in; see `TimeProfile`."""
    hour = interval(ends, starts, hour_word)
    after_us = (np.uint64(moment_word) * np.uint64(length_us[hour])) >> np.uint64(32)
    return begin_us[hour] + np.int64(after_us)


@kernel
def fill_times_of_day(  # type: ignore[no-untyped-def]
    ends, starts, begin_us, length_us, hour_words, moment_words, out_us
):
    """Times of day of several people."""
    for i in range(hour_words.size):
        out_us[i] = time_of_day(ends, starts, begin_us, length_us, hour_words[i], moment_words[i])


@kernel
def _fill_moments(  # type: ignore[no-untyped-def]
    ends, starts, days, cell_words, moment_words, out_day, out_us
):
    """Hours of the demand curve, one after the other, and moments within them; the hours after
    the last day are one interval."""
    for i in range(cell_words.size):
        cell = interval(ends, starts, cell_words[i])
        after_us = (np.uint64(moment_words[i]) * np.uint64(HOUR_US)) >> np.uint64(32)
        out_day[i] = cell // 24 if cell < 24 * days else NEVER
        out_us[i] = cell % 24 * HOUR_US + np.int64(after_us)


def draw_population(
    scenario: Scenario, streams: RandomStreams, unit_weights: NDArray[np.float64]
) -> Population:
    """All people of the target, with their traits and their state on the first day.

    `unit_weights` (float[units]) are the shares of people whose home unit is each unit.
    """
    sizes = [group.people for group in scenario.groups.values()]
    n = sum(sizes)
    people = Population(
        group=np.repeat(np.arange(len(sizes), dtype=np.uint8), sizes),
        entity=np.empty(n, dtype=np.uint32),
        willing=np.empty(n, dtype=np.bool_),
        by_telephone=np.empty(n, dtype=np.bool_),
        home_unit=np.empty(n, dtype=np.int16),
        first_call_day=np.empty(n, dtype=np.int16),
        first_call_us=np.empty(n, dtype=np.int64),
        status=np.full(n, Status.NOT_REGISTERED, dtype=np.int8),
        setback=np.zeros(n, dtype=np.int8),
        held_by=np.zeros(n, dtype=np.int8),
        declined=np.zeros(n, dtype=np.bool_),
        gave_up=np.zeros(n, dtype=np.bool_),
        doses=np.zeros(n, dtype=np.int8),
        regimen=np.full(n, -1, dtype=np.int8),
        first_dose_day=np.full(n, NEVER, dtype=np.int16),
        last_dose_day=np.full(n, NEVER, dtype=np.int16),
        appointment_day=np.full(n, NEVER, dtype=np.int16),
        appointment_unit=np.zeros(n, dtype=np.int16),
        appointment_slot=np.zeros(n, dtype=np.int32),
        appointment_vaccine=np.full(n, -1, dtype=np.int8),
        tries=np.zeros(n, dtype=np.int16),
    )
    home_ends = cumulative_thresholds(unit_weights)
    start = 0
    for name, group in scenario.groups.items():
        _draw_traits(people, start, name, scenario, streams, home_ends)
        call = int(np.searchsorted(people.first_call_day[start : start + group.people], NEVER))
        _enter_already_vaccinated(people, start + call, group, scenario)
        start += group.people
    return people


def _draw_traits(
    people: Population,
    start: int,
    name: str,
    scenario: Scenario,
    streams: RandomStreams,
    home_ends: NDArray[np.uint64],
) -> None:
    """Enter who the people of a group are, who are numbered from `start` on.

    They are numbered in the order of the days of their first calls: those who are dealt with
    together lie together in memory. Last come those who do not call, and of these first those who
    have been vaccinated before the campaign.
    """
    group = scenario.groups[name]
    day, time_us = _first_calls(name, scenario, streams)
    day[: sum(entry.people for entry in group.already_vaccinated)] = NEVER
    next_number = start + first_by_number(day, NEVER)
    word, home_starts = stream_word(Stream.PERSON, name), interval_starts(home_ends)
    for part in parts(group.people):
        _enter_traits(
            part.start,
            day[part],
            time_us[part],
            streams.blocks(word, np.arange(part.start, part.stop, dtype=np.uint32)),
            np.uint64(threshold(group.willing)),
            np.uint64(threshold(group.telephone_share)),
            home_ends,
            home_starts,
            next_number,
            people.entity,
            people.willing,
            people.by_telephone,
            people.home_unit,
            people.first_call_day,
            people.first_call_us,
        )


def _first_calls(
    name: str, scenario: Scenario, streams: RandomStreams
) -> tuple[Int16Array, Int64Array]:
    """Day and microsecond of the first calls of a group, by entity."""
    group = scenario.groups[name]
    day = np.full(group.people, NEVER, dtype=np.int16)
    time_us = np.zeros(group.people, dtype=np.int64)
    if not group.booked_in_advance:
        word, curve = stream_word(Stream.FIRST_CALL, name), DemandCurve(group, scenario)
        for part in parts(group.people):
            words = streams.blocks(word, np.arange(part.start, part.stop, dtype=np.uint32))
            day[part], time_us[part] = curve.moments(words[0], words[1])
    return day, time_us


@kernel
def _enter_traits(  # type: ignore[no-untyped-def]
    entity,
    day,
    time_us,
    words,
    willing,
    by_telephone,
    home_ends,
    home_starts,
    next_number,
    out_entity,
    out_willing,
    out_by_telephone,
    out_home_unit,
    out_first_call_day,
    out_first_call_us,
):
    """Enter people, from this entity on, at the next number of their day each."""
    for i in range(day.size):
        person = next_number[day[i]]
        next_number[day[i]] += 1
        out_entity[person] = entity + i
        out_willing[person] = words[0, i] < willing
        out_by_telephone[person] = words[1, i] < by_telephone
        out_home_unit[person] = interval(home_ends, home_starts, words[2, i])
        out_first_call_day[person] = day[i]
        out_first_call_us[person] = time_us[i]


def advance_bookings(scenario: Scenario, streams: RandomStreams, people: Population) -> Int64Array:
    """People registered before the campaign, in the (random) order of their registration."""
    ordered = []
    for number, (name, group) in enumerate(scenario.groups.items()):
        if group.booked_in_advance:
            members = np.flatnonzero(
                (people.group == number) & people.willing & (people.status == Status.NOT_REGISTERED)
            )
            words = streams.blocks(stream_word(Stream.PERSON, name), people.entity[members])
            ordered.append(members[order_of(words[3].astype(np.int64))])
    return np.concatenate(ordered) if ordered else np.empty(0, dtype=np.int64)


def dose_days(entry: AlreadyVaccinated, scenario: Scenario) -> tuple[Int64Array, Int64Array]:
    """Days, from the campaign's first one, of the first and the last dose that people have had.

    First doses are spread evenly over their dates; a second one came `target_days` after it, and
    before the campaign all the same.
    """
    begin = (entry.first_dose_from - scenario.campaign.first_day).days
    span = (entry.first_dose_to - entry.first_dose_from).days + 1
    first = begin + np.arange(entry.people) * span // entry.people
    since = scenario.regimens[entry.regimen].target_days if entry.doses == 2 else 0
    return first, np.minimum(first + since, -1)


def _enter_already_vaccinated(
    people: Population, first: int, group: Group, scenario: Scenario
) -> None:
    regimens = list(scenario.regimens)
    for entry in group.already_vaccinated:
        part = slice(first, first + entry.people)
        first += entry.people
        regimen = scenario.regimens[entry.regimen]
        complete = entry.doses == 2 or regimen.second is None
        people.willing[part] = True
        people.doses[part] = entry.doses
        people.regimen[part] = regimens.index(entry.regimen)
        people.first_dose_day[part], people.last_dose_day[part] = dose_days(entry, scenario)
        people.status[part] = Status.COMPLETE if complete else Status.INTERVAL
