"""Why those who are not vaccinated are not: one reason a person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.model.population import HeldBy, Population, Setback, Status
from sim.model.records import REASONS
from sim.model.regimens import Regimens
from sim.scenario import Campaign

Int64Array = NDArray[np.int64]
NUMBER = {name: number for number, name in enumerate(REASONS)}

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


def first_dose_reasons(
    people: Population, still_trying: Int64Array, turn: Int64Array, today: int
) -> Int64Array:
    """For every person the index in REASONS of what stands between them and a first dose.

    still_trying: people who have called in vain so far; turn: first day of each group. The reason
    is the first that applies of: vaccinated; unwilling; turn too late; never reached the call
    centre; the last setback (no-show, no dose, not served); what holds the appointment back
    (doses, slots); still waiting. It is written from the last to the first.
    """
    reason = _of_the_way(people)
    in_vain = people.gave_up.copy()
    in_vain[still_trying] = True
    unregistered = people.status == Status.NOT_REGISTERED
    reason[unregistered & in_vain] = NUMBER["never_reached_call_centre"]
    reason[turn[people.group] > today] = NUMBER["turn_too_late"]
    reason[~people.willing | people.declined] = NUMBER["unwilling"]
    reason[people.doses > 0] = NUMBER["vaccinated"]
    return reason


def full_reasons(
    people: Population,
    first: Int64Array,
    campaign: Campaign,
    regimens: Regimens,
    today: int,
) -> Int64Array:
    """The same for full vaccination; `first` are the reasons for the first dose.

    Who has had a first dose is held up by the interval, or by the same things as for a first.
    """
    had_first = people.doses > 0
    reason = np.where(had_first, _of_the_way(people), first)
    earliest = people.last_dose_day + regimens.min_days[people.regimen]
    too_soon = (people.status == Status.INTERVAL) | (earliest > today)
    reason[(people.doses == 1) & too_soon] = NUMBER["interval_not_over"]
    one_is_enough = campaign.complete_with == "one_dose"
    done = had_first if one_is_enough else people.status == Status.COMPLETE
    since = people.first_dose_day if one_is_enough else people.last_dose_day
    protected = since.astype(np.int64) + campaign.protected_after_days <= today
    reason[done] = NUMBER["interval_not_over"]
    reason[done & protected] = NUMBER["vaccinated"]
    return reason


def _of_the_way(people: Population) -> Int64Array:
    """The last setback on the way to the next dose, else what holds the appointment back."""
    of_setback = np.array([NUMBER[_OF_SETBACK[s]] for s in Setback])
    of_held_by = np.array([NUMBER[_OF_HELD_BY[h]] for h in HeldBy])
    return np.where(
        people.setback != Setback.NONE, of_setback[people.setback], of_held_by[people.held_by]
    )
