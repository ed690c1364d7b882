"""Why those who are not vaccinated are not: one reason a person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compilation import kernel
from sim.model.population import HeldBy, Population, Setback, Status
from sim.model.records import REASONS
from sim.model.regimens import Regimens
from sim.scenario import Campaign

Int64Array = NDArray[np.int64]
_NUMBER = {name: number for number, name in enumerate(REASONS)}
_VACCINATED = _NUMBER["vaccinated"]
_UNWILLING = _NUMBER["unwilling"]
_TURN_TOO_LATE = _NUMBER["turn_too_late"]
_NEVER_REACHED = _NUMBER["never_reached_call_centre"]
_INTERVAL_NOT_OVER = _NUMBER["interval_not_over"]
_NO_SETBACK = int(Setback.NONE)
_NOT_REGISTERED, _INTERVAL, _COMPLETE = map(
    int, (Status.NOT_REGISTERED, Status.INTERVAL, Status.COMPLETE)
)

_OF_SETBACK = {
    Setback.NONE: "still_waiting",
    Setback.NO_SHOW: "not_shown_up",
    Setback.NO_DOSE: "no_dose",
    Setback.NOT_SERVED: "no_slot",
}
_OF_HELD_BY = {
    HeldBy.NOTHING: "still_waiting",
    HeldBy.NO_DOSE: "no_dose",
    HeldBy.NO_SLOT: "no_slot",
}


def count_reasons(
    people: Population,
    still_trying: Int64Array,
    turn: Int64Array,
    campaign: Campaign,
    regimens: Regimens,
    today: int,
) -> Int64Array:
    """People by what stands between them and a first dose, and between them and full vaccination.

    still_trying: people who have called in vain so far; turn: first day of each group. Returns
    int64[2, groups, REASONS]; every person is counted once in each of the two.
    """
    in_vain = people.gave_up.copy()
    in_vain[still_trying] = True
    persons = np.zeros((2, turn.size, len(REASONS)), dtype=np.int64)
    _count_reasons(
        people.group,
        people.willing,
        people.declined,
        in_vain,
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
        np.array([_NUMBER[_OF_HELD_BY[held_by]] for held_by in HeldBy]),
        persons,
    )
    return persons


@kernel
def _count_reasons(  # type: ignore[no-untyped-def]
    groups,
    willing,
    declined,
    in_vain,
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
        # The last setback on the way to the next dose, else what holds the appointment back.
        if setback[person] != _NO_SETBACK:
            on_the_way = of_setback[setback[person]]
        else:
            on_the_way = of_held_by[held_by[person]]

        if doses[person] > 0:
            first = _VACCINATED
        elif declined[person] or not willing[person]:
            first = _UNWILLING
        elif turn[group] > today:
            first = _TURN_TOO_LATE
        elif in_vain[person] and status[person] == _NOT_REGISTERED:
            first = _NEVER_REACHED
        else:
            first = on_the_way

        # Who has had a first dose is held up by the interval, or by the same things as for a first.
        if one_is_enough:
            done = doses[person] > 0
            since = np.int64(first_dose_day[person])
        else:
            done = status[person] == _COMPLETE
            since = np.int64(last_dose_day[person])
        if done:
            protected = since + protected_after_days <= today
            full = _VACCINATED if protected else _INTERVAL_NOT_OVER
        elif doses[person] == 0:
            full = first
        elif (
            status[person] == _INTERVAL or last_dose_day[person] + min_days[regimen[person]] > today
        ):
            full = _INTERVAL_NOT_OVER
        else:
            full = on_the_way
        persons[0, group, first] += 1
        persons[1, group, full] += 1
