"""Why those who are not vaccinated are not: one cause a person, which decides the reason."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compilation import inlined_kernel, kernel
from sim.model.dose_supply import apportion
from sim.model.population import HeldBy, Population, Setback, Status
from sim.model.records import CAUSES, REASONS
from sim.model.regimens import Regimens
from sim.scenario import Campaign

Int64Array = NDArray[np.int64]
_NUMBER = {name: number for number, name in enumerate(CAUSES)}
_VACCINATED = _NUMBER["vaccinated"]
_UNWILLING = _NUMBER["unwilling"]
_DECLINED = _NUMBER["declined"]
_TURN_TOO_LATE = _NUMBER["turn_too_late"]
_GAVE_UP = _NUMBER["gave_up"]
_STILL_TRYING = _NUMBER["still_trying"]
_INTERVAL_NOT_OVER = _NUMBER["interval_not_over"]
_NOT_YET_PROTECTED = _NUMBER["not_yet_protected"]
_NO_DOSE_ON_THE_DAY = _NUMBER["no_dose_on_the_day"]
_NO_DOSE_PROMISED = [_NUMBER["no_dose_to_book"], _NUMBER["dose_too_late"]]
_DOSE_THROWN_AWAY = _NUMBER["dose_thrown_away"]
_DOSE_ELSEWHERE = _NUMBER["dose_elsewhere"]
_NOT_REGISTERED_YET = _NUMBER["not_registered"]
_OTHER_CHANNEL_LIMIT = _NUMBER["other_channel_limit"]
_ON_THE_WAY = -1
"""Of a cause that `_cause_on_the_way` has to say."""
_NO_SETBACK, _NOTHING = int(Setback.NONE), int(HeldBy.NOTHING)
_NOT_REGISTERED, _BOOKED, _INTERVAL, _COMPLETE = map(
    int, (Status.NOT_REGISTERED, Status.BOOKED, Status.INTERVAL, Status.COMPLETE)
)

_OF_SETBACK = {
    Setback.NONE: "not_booked",  # never looked up
    Setback.NO_SHOW: "not_shown_up",
    Setback.NO_DOSE: "no_dose_on_the_day",
    Setback.NOT_SERVED: "not_served",
}
_OF_HELD_BY = {
    HeldBy.NOTHING: ("not_booked", "appointment_later"),
    HeldBy.NO_DOSE: ("no_dose_to_book", "dose_too_late"),
    HeldBy.NO_SLOT: ("no_slot_to_book", "slot_too_late"),
}
"""Without an appointment, and with one."""
_REASON_OF_CAUSE = np.array(
    [[cause.reason == reason for reason in REASONS] for cause in CAUSES.values()], dtype=np.int64
)


def reasons_of(causes: Int64Array) -> Int64Array:
    """People by reason (last axis) from people by cause."""
    return np.asarray(causes @ _REASON_OF_CAUSE)


def split_lack_of_doses(causes: Int64Array, thrown_away: int, on_hand: int) -> None:
    """Among those who lack a dose, tell apart those who lack one that was there (in place).

    causes: as from `count_causes`; thrown_away: doses so far; on_hand: doses in closed vials, at
    the units and in the store. As many people as doses were thrown away lack one of these: first
    who came and found none; who waits for an appointment only where none is on hand, which could
    be promised. As many as there are doses on hand found none while they were elsewhere.
    """
    for persons in causes:
        wait = _NO_DOSE_PROMISED if on_hand == 0 else []
        found_none = _move(persons, [_NO_DOSE_ON_THE_DAY], _DOSE_THROWN_AWAY, thrown_away)
        _move(persons, wait, _DOSE_THROWN_AWAY, thrown_away - found_none)
        _move(persons, [_NO_DOSE_ON_THE_DAY], _DOSE_ELSEWHERE, on_hand)


def _move(persons: Int64Array, causes: list[int], to: int, most: int) -> int:
    """Count up to so many persons under another cause, groups alike; returns their number."""
    there = persons[:, causes]
    moved = apportion(there.ravel().astype(np.float64), min(most, int(there.sum())))
    persons[:, causes] -= moved.reshape(there.shape)
    persons[:, to] += moved.reshape(there.shape).sum(axis=1)
    return int(moved.sum())


def count_causes(
    people: Population,
    still_trying: Int64Array,
    turn: Int64Array,
    campaign: Campaign,
    regimens: Regimens,
    today: int,
) -> Int64Array:
    """People by what stands between them and a first dose, and between them and full vaccination.

    still_trying: people who have called in vain so far; turn: first day of each group. Returns
    int64[2, groups, CAUSES]; every person is counted once in each of the two.
    """
    trying = np.zeros(people.size, dtype=np.bool_)
    trying[still_trying] = True
    persons = np.zeros((2, turn.size, len(CAUSES)), dtype=np.int64)
    _count_causes(
        people.group,
        people.willing,
        people.declined,
        people.gave_up,
        trying,
        people.by_telephone,
        people.first_call_day,
        people.status,
        people.setback,
        people.held_by,
        people.doses,
        people.regimen,
        people.first_dose_day,
        people.last_dose_day,
        turn,
        regimens.min_days,
        campaign.complete_with == "one_dose",
        campaign.protected_after_days,
        today,
        np.array([_NUMBER[_OF_SETBACK[setback]] for setback in Setback]),
        np.array([[_NUMBER[cause] for cause in _OF_HELD_BY[held_by]] for held_by in HeldBy]),
        persons,
    )
    return persons


@inlined_kernel
def _cause_on_the_way(  # type: ignore[no-untyped-def]
    setback, held_by, status, by_telephone, has_come, of_setback, of_held_by
):
    """The last setback on the way to the next dose, else what holds the appointment back."""
    if setback != _NO_SETBACK:
        return of_setback[setback]
    if held_by != _NOTHING or status != _NOT_REGISTERED:
        return of_held_by[held_by, np.int64(status == _BOOKED)]
    if by_telephone or not has_come:
        return _NOT_REGISTERED_YET
    return _OTHER_CHANNEL_LIMIT


@kernel
def _count_causes(  # type: ignore[no-untyped-def]
    groups,
    willing,
    declined,
    gave_up,
    trying,
    by_telephone,
    first_call_day,
    status,
    setback,
    held_by,
    doses,
    regimen,
    first_dose_day,
    last_dose_day,
    turn,
    min_days,
    one_is_enough,
    protected_after_days,
    today,
    of_setback,
    of_held_by,
    persons,
):
    for person in range(groups.size):
        group = groups[person]
        if doses[person] > 0:
            first = _VACCINATED
        elif declined[person]:
            first = _DECLINED
        elif not willing[person]:
            first = _UNWILLING
        elif turn[group] > today:
            first = _TURN_TOO_LATE
        elif gave_up[person] and status[person] == _NOT_REGISTERED:
            first = _GAVE_UP
        elif trying[person] and status[person] == _NOT_REGISTERED:
            first = _STILL_TRYING
        else:
            first = _ON_THE_WAY

        # Who has had a first dose is held up by the interval, or by the same things as for a first.
        if one_is_enough:
            done = doses[person] > 0
            since = np.int64(first_dose_day[person])
        else:
            done = status[person] == _COMPLETE
            since = np.int64(last_dose_day[person])
        if done:
            protected = since + protected_after_days <= today
            full = _VACCINATED if protected else _NOT_YET_PROTECTED
        elif doses[person] == 0:
            full = first
        elif (
            status[person] == _INTERVAL or last_dose_day[person] + min_days[regimen[person]] > today
        ):
            full = _INTERVAL_NOT_OVER
        else:
            full = _ON_THE_WAY
        if first == _ON_THE_WAY or full == _ON_THE_WAY:
            on_the_way = _cause_on_the_way(
                setback[person],
                held_by[person],
                status[person],
                by_telephone[person],
                first_call_day[person] <= today,
                of_setback,
                of_held_by,
            )
            first = on_the_way if first == _ON_THE_WAY else first
            full = on_the_way if full == _ON_THE_WAY else full
        persons[0, group, first] += 1
        persons[1, group, full] += 1
