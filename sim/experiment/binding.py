"""What binds: the constraint that holds back the next person, by day and unit.

A person passes a chain: she is willing, registers (by telephone or through another channel), her
group's turn comes, an appointment is made for which a slot and a dose are left, she comes and is
served; for the second dose the interval is over too. *Today*, what holds the next person back at a
unit is told from the records so:

- Every slot is taken, and somebody could have used one more (*ready*: registered, the turn has
  come, without an appointment or with a later one): `slots`, or `closed` on a day without any; as
  far as slots were lost on the day, `no_show` or `queue`. If somebody came and found no dose it is
  `doses`; if somebody was not reached before the end of overtime, `queue`: the staff on the day.
- A slot is free: the free slots of the province are shared out among those who could have used
  them, the nearest to the jab first. People who are ready lacked a dose to promise (`doses`), or
  were content with a later appointment, as at their home unit (`later_appointment`). Then come
  those for whom it is their `turn` that is missing, those who missed an appointment and made no
  other (`no_show`), those who wait at `other_channels`, who called in vain (`telephone`), who have
  not called or come (`registration`), and the unwilling (`willingness`); `nobody` is the rest.
- Where nobody is ready although every slot is taken (or the unit closed), the second rule names
  the constraint, and the slots are needed *also*; so are doses where there are none: then neither
  is enough without the other.
- What `doses` hold back is split: as many persons as there were doses in closed vials elsewhere
  when somebody found none lacked a `dose_elsewhere`; of the others as many as doses had been thrown
  away from opened vials so far lacked one that was `thrown_away`; the rest lacked `doses` that had
  not come.

What binds today need not matter *for the deadline*: if slots stay free later, for whatever reason,
one more slot today only brings forward what is done anyway. So for each unit the last day up to the
deadline is looked for on which a slot was free or could not be served (or the last dose of the
province was given, or nobody was ready). Up to that day the constraint of that very day decides,
because people and doses keep; from the next day on slots do, because they do not.

Whether more of a constraint would bring more people to their jab by the deadline, `gains.py` finds
out by simulation.

For full vaccination the next person is one whose second dose is due; who is not due is held by the
`interval`, and who has had no first dose by the lack of a `first_dose`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sim.experiment.coverage import Scope, days_counted
from sim.experiment.results import Run
from sim.experiment.statistics import mean_interval
from sim.language import N_
from sim.model.appointment_book import slots_of_doses
from sim.model.capacity import slots_by_day
from sim.model.records import CAUSES, PROVINCE_STORE
from sim.scenario import Scenario

Tables = Mapping[str, pd.DataFrame]
Array = NDArray[Any]

CONSTRAINTS: dict[str, str] = {
    "slots": N_("every appointment taken"),
    "closed": N_("units closed"),
    "doses": N_("no dose left to promise"),
    "thrown_away": N_("the dose was thrown away with an opened vial"),
    "dose_elsewhere": N_("the dose lay at another unit or in the store"),
    "no_show": N_("missed appointments"),
    "queue": N_("came and not served in time"),
    "later_appointment": N_("kept a later appointment"),
    "turn": N_("the group's turn had not come"),
    "other_channels": N_("waiting at other channels"),
    "telephone": N_("called in vain"),
    "registration": N_("not called or come yet"),
    "willingness": N_("not willing"),
    "interval": N_("interval between doses not over"),
    "first_dose": N_("no first dose yet"),
    "nobody": N_("nobody left"),
}
_K = {name: number for number, name in enumerate(CONSTRAINTS)}
_LACK_OF_DOSES = ("doses", "thrown_away", "dose_elsewhere")


@dataclass(frozen=True)
class Binding:
    """What binds, for one scope; see this module for what that means."""

    scope: Scope
    deadline: date
    """or the last day simulated, where that was earlier"""
    replications: int
    by_day: pd.DataFrame
    """date, unit, constraint, share (of what held back the next person that day, 0 ... 1, mean over
    replications), also (share of replications in which it was needed too), decisive and
    decisive_also (the same for coverage by the deadline; 0 after it)"""
    province_by_day: pd.DataFrame
    """the same without unit (means over units, weighted by their slots; share and also: over the
    units open on that day, if any), and persons (mean number held back)"""
    causes: pd.DataFrame
    """those not vaccinated by the deadline: reason, cause, persons (mean), low, high"""
    failed_calls: dict[str, float]
    """calls in vain up to the deadline, by outcome (mean)"""
    thrown_away: float
    """doses left in opened vials and thrown away up to the deadline (mean)"""

    def main_by_day(self, column: Literal["share", "decisive"] = "share") -> pd.DataFrame:
        """date, constraint (that with the greatest share), share, also (what is needed too)."""
        return main_of(self.province_by_day, column)

    def periods(self) -> pd.DataFrame:
        """Runs of days held back by the same constraint: first, last, constraint, also.

        Days on which all units are closed belong to the run around them, if there is one.
        """
        return runs_of(self.main_by_day())

    def decisive_periods(self) -> pd.DataFrame:
        """The same for coverage by the deadline; closed days count as days without slots."""
        rows = self.province_by_day[self.province_by_day["date"] <= pd.Timestamp(self.deadline)]
        rows = rows.assign(constraint=rows["constraint"].replace("closed", "slots"))
        rows = rows.groupby(["date", "constraint"], as_index=False, sort=False).sum()
        return runs_of(main_of(rows.assign(also=rows["decisive_also"]), "decisive"))


def binding(run: Run, scope: Scope = "first") -> Binding:
    """What binds in a run, for first doses or full vaccination."""
    names = ("daily", "bookings", "callers", "stock", "call_centre", "causes")
    parts = zip(*(run.parts(name) for name in names), strict=True)
    tables = (dict(zip(names, part, strict=True)) for part in parts)
    return binding_of(tables, run.scenario, scope, run.settings.until)


def binding_of(
    batches: Iterable[Tables], scenario: Scenario, scope: Scope = "first", until: date | None = None
) -> Binding:
    """What binds, from the tables of any number of replications, batch by batch."""
    campaign = scenario.campaign
    last = min(campaign.horizon, until or campaign.horizon)
    deadline = min(campaign.deadline, last)
    sums: _Sums | None = None
    for tables in batches:
        found = _sums(tables, scenario, scope, last, deadline)
        sums = found if sums is None else sums + found
    if sums is None:
        raise ValueError("no replications")
    n = sums.replications
    dates = pd.date_range(campaign.first_day, last, freq="D", unit="ms")
    slots = slots_by_day(scenario)[:, : dates.size].T.astype(np.float64)  # [days, units]
    weight = np.broadcast_to(np.maximum(slots.max(axis=0), 1e-9), slots.shape)
    # On a day, the units that are open count; by the deadline, the others' slots are missed, too.
    today = np.where(slots.any(axis=1, keepdims=True), slots, weight)
    weights = {"share": today, "also": today, "decisive": weight, "decisive_also": weight}
    shares = {
        "share": sums.share / n,
        "also": sums.also / n,
        "decisive": sums.decides / n,
        "decisive_also": sums.decides_also / n,
    }
    province = {
        name: np.einsum(
            "duk,du->dk", values, weights[name] / weights[name].sum(axis=1, keepdims=True)
        )
        for name, values in shares.items()
    }
    return Binding(
        scope=scope,
        deadline=deadline,
        replications=n,
        by_day=_long({"date": dates, "unit": list(scenario.units)}, shares),
        province_by_day=_long({"date": dates}, {**province, "persons": sums.persons / n}),
        causes=_causes(sums.causes, scenario.target),
        failed_calls={name: value / n for name, value in sums.failed_calls.items()},
        thrown_away=sums.thrown_away / n,
    )


def _long(keys: Mapping[str, Any], values: Mapping[str, Array]) -> pd.DataFrame:
    """Arrays over the keys and the constraints as rows, those without any value left out."""
    some = np.any([array != 0 for array in values.values()], axis=0)
    places = np.nonzero(some)
    names = {**keys, "constraint": np.array(list(CONSTRAINTS))}
    columns = {
        name: pd.Index(labels)[place]
        for (name, labels), place in zip(names.items(), places, strict=True)
    }
    return pd.DataFrame({**columns, **{name: array[some] for name, array in values.items()}})


def main_of(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Of each day the constraint with the greatest share, and what is needed too in most cases."""
    rows = rows.reset_index(drop=True)
    with_share = rows[rows[column] > 0]
    main = with_share.loc[with_share.groupby("date")[column].idxmax()]
    often = rows[rows["also"] > 0.5]
    often = often.merge(main[["date", "constraint"]], on="date", suffixes=("", "_main"))
    same = (often["constraint"] == often["constraint_main"]) | (
        (often["constraint"] == "doses") & often["constraint_main"].isin(_LACK_OF_DOSES)
    )
    needed = often[~same].groupby("date")["constraint"].agg(", ".join)
    return pd.DataFrame(
        {
            "date": main["date"].to_numpy(),
            "constraint": main["constraint"].to_numpy(),
            "share": main[column].to_numpy(),
            "also": [needed.get(day, "") for day in main["date"]],
        }
    )


def runs_of(days: pd.DataFrame) -> pd.DataFrame:
    """Runs of days with the same constraint; closed days belong to the run around them."""
    kind = days["constraint"]
    open_days = kind.where(kind != "closed")
    inside = open_days.ffill() == open_days.bfill()
    kind = kind.mask((kind == "closed") & inside, open_days.ffill())
    also = days["also"].where(kind == days["constraint"])
    run = (kind != kind.shift()).cumsum()
    runs = pd.DataFrame({"date": days["date"], "constraint": kind, "also": also, "run": run})
    return (
        runs.groupby("run")
        .agg(
            first=("date", "first"),
            last=("date", "last"),
            constraint=("constraint", "first"),
            also=("also", lambda texts: texts.dropna().mode().iloc[0]),
        )
        .reset_index(drop=True)
    )


# Sums over replications -----------------------------------------------------------------------


@dataclass(frozen=True)
class _Sums:
    """Sums over replications; [days, units, constraints] unless said otherwise."""

    replications: int
    share: Array
    also: Array
    decides: Array
    decides_also: Array
    persons: Array
    """[days, constraints]"""
    thrown_away: float
    """doses thrown away up to the deadline"""
    causes: pd.DataFrame
    """a row a replication, a column a cause"""
    failed_calls: dict[str, float]

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.replications + other.replications,
            self.share + other.share,
            self.also + other.also,
            self.decides + other.decides,
            self.decides_also + other.decides_also,
            self.persons + other.persons,
            self.thrown_away + other.thrown_away,
            pd.concat([self.causes, other.causes]),
            {name: n + other.failed_calls[name] for name, n in self.failed_calls.items()},
        )


def _sums(tables: Tables, scenario: Scenario, scope: Scope, last: date, deadline: date) -> _Sums:
    """Everything about one batch of replications."""
    first_day = scenario.campaign.first_day
    until = (deadline - first_day).days
    records = _Records(tables, scenario, (last - first_day).days + 1)
    second = scope == "full" and scenario.campaign.complete_with == "all_doses"
    people = _second_dose(records) if second else _first_dose(records)
    lag = scenario.campaign.protected_after_days if scope == "full" else 0
    share, also, settled = _today(records, people)
    decides, decides_also = _for_deadline(share, also, settled, until, lag)
    persons = _persons(people, share)
    return _Sums(
        records.replications,
        share.sum(axis=0),
        also.sum(axis=0),
        decides.sum(axis=0),
        decides_also.sum(axis=0),
        persons.sum(axis=0),
        float(records.count("stock", "wasted")[:, : until + 1].sum()),
        _causes_by_replication(tables, scope),
        records.failed_calls(until),
    )


def _today(records: _Records, people: _People) -> tuple[Array, Array, Array]:
    """What holds back the next person, and what is needed too: [replications, days, units, K];
    and whether a unit's slots before do not count any more ([replications, days, units])."""
    slots, free = records.slots(people.dose)
    ready = people.ready[..., np.newaxis] > 0
    found_none = records.count("daily", "no_dose", "unit") > 0
    not_reached = records.count("daily", "late", "unit") > 0
    dry = np.broadcast_to(records.dry()[..., np.newaxis], free.shape)
    comes_tomorrow = np.zeros_like(records.dry())
    comes_tomorrow[:, :-1] = records.count("stock", "delivered")[:, 1:] > 0
    has_gone_dry = dry & ~_before(dry, False) & ~comes_tomorrow[..., np.newaxis]
    is_free = free > 0
    free_in_all = np.maximum(np.where(is_free, free, 0).sum(axis=2), 1)
    short = records.no_dose_to_promise() | (people.without_appointment & is_free.any(axis=2))

    shared_out = _shared_out(free_in_all, people, short)
    by_people = shared_out[..., [_K[name] for name in people.held]].sum(axis=2)[..., np.newaxis] > 0

    share = np.repeat(shared_out[:, :, np.newaxis], len(records.units), axis=2)
    full = ~is_free & ready
    share[full] = 0
    share[..., _K["slots"]] += full & (slots > 0)
    share[..., _K["closed"]] += full & (slots == 0)
    for name, lost in records.lost_slots().items():
        part = np.where(full & (slots > 0), lost / np.maximum(slots, 1), 0)
        share[..., _K[name]] += part
        share[..., _K["slots"]] -= part
    without_doses = (~is_free | ~ready) & found_none
    without_staff = full & not_reached & ~found_none
    share[without_doses | without_staff] = 0
    share[..., _K["doses"]] += without_doses
    share[..., _K["queue"]] += without_staff
    _split_lack_of_doses(share, records, people, without_doses, dry)

    also = np.zeros(share.shape, dtype=np.bool_)
    also[..., _K["slots"]] = ~is_free & ~ready & (slots > 0)
    also[..., _K["closed"]] = ~is_free & ~ready & (slots == 0)
    also[..., _K["doses"]] = dry & np.where(is_free, by_people, ~without_doses)
    return share, also, is_free | has_gone_dry | without_doses | without_staff | ~ready


def _shared_out(free: Array, people: _People, short: Array) -> Array:
    """Who could have used the free slots of the province, the nearest to the jab first.

    free, short (whether doses were): [replications, days]; shares: [replications, days, K].
    """
    shares = np.zeros((*free.shape, len(CONSTRAINTS)))
    left = free
    for name, persons in (("ready", people.ready), *people.held.items(), ("nobody", left)):
        taken = np.minimum(np.maximum(persons, 0), left) / free
        left = left - taken * free
        if name == "ready":
            shares[..., _K["doses"]] = taken * short
            shares[..., _K["later_appointment"]] = taken * ~short
        else:
            shares[..., _K[name]] = taken
    return shares


def _split_lack_of_doses(
    share: Array, records: _Records, people: _People, without_doses: Array, dry: Array
) -> None:
    """Divide what doses hold back by where the doses are (in place)."""
    lack = share[..., _K["doses"]].copy()
    here = records.total("stock", "wasted", "place")
    found_none = np.maximum(records.total("daily", "no_dose", "unit"), 1)
    thrown_away = np.where(without_doses, np.minimum(here / found_none, 1), 0)
    elsewhere = np.where(without_doses & ~dry, 1 - thrown_away, 0)
    anywhere = here.sum(axis=-1) / np.maximum(people.ready, 1)
    thrown_away += np.where(dry, np.minimum(anywhere[..., np.newaxis], 1 - thrown_away), 0)
    share[..., _K["thrown_away"]] = lack * thrown_away
    share[..., _K["dose_elsewhere"]] = lack * elsewhere
    share[..., _K["doses"]] = lack * (1 - thrown_away - elsewhere)


def _for_deadline(
    share: Array, also: Array, settled: Array, until: int, lag: int
) -> tuple[Array, Array]:
    """What of it decides about coverage by the deadline, and what is needed too (zero after it)."""
    days = np.arange(share.shape[1])
    counted = (days <= until - lag)[:, np.newaxis]
    decisive_day = np.where(settled & counted, days[:, np.newaxis], -1).max(axis=1)
    index = np.maximum(decisive_day[:, np.newaxis], days[:, np.newaxis])[..., np.newaxis]
    index = np.where(counted[..., np.newaxis], index, 0)
    inside = counted[..., np.newaxis]
    decides = np.take_along_axis(share, index, axis=1) * inside
    decides_also = np.take_along_axis(also, index, axis=1) & inside
    # Nobody is ready and the slots are taken: those of earlier days were not, so people lack alone.
    idle_before = np.logical_or.accumulate(_idle(share, also), axis=1)
    idle_before = np.take_along_axis(idle_before, index[..., 0], axis=1)
    for name in ("slots", "closed"):
        decides_also[..., _K[name]] &= ~idle_before
    if lag:
        decides[:, max(until - lag + 1, 0) : until + 1, :, _K["interval"]] = 1
    return decides, decides_also


def _idle(share: Array, also: Array) -> Array:
    """Days and units with a slot and a dose for somebody who was not ready."""
    supply = [
        _K[name] for name in ("slots", "closed", *_LACK_OF_DOSES, "queue", "later_appointment")
    ]
    return np.asarray((share[..., supply].sum(axis=-1) < 1) & ~also.any(axis=-1))


def _persons(people: _People, share: Array) -> Array:
    """Number of people held back: [replications, days, K]."""
    persons = people.ready[..., np.newaxis] * share.mean(axis=2)
    for name, held in people.held.items():
        persons[..., _K[name]] = held
    persons[..., _K["nobody"]] = 0
    return np.asarray(persons)


def _causes_by_replication(tables: Tables, scope: Scope) -> pd.DataFrame:
    rows = tables["causes"]
    rows = rows[(rows["as_of"] == "deadline") & (rows["scope"] == scope)]
    return rows.pivot_table(
        index="replication", columns="cause", values="persons", aggfunc="sum"
    ).reindex(columns=list(CAUSES), fill_value=0)


def _causes(counts: pd.DataFrame, target: int) -> pd.DataFrame:
    rows = []
    for name, cause in CAUSES.items():
        persons = mean_interval(counts[name].to_numpy()).within(0, target)
        if name != "vaccinated" and persons.mean:
            rows.append((cause.reason, name, persons.mean, persons.low, persons.high))
    return pd.DataFrame(rows, columns=["reason", "cause", "persons", "low", "high"])


# The tables as arrays -------------------------------------------------------------------------


class _Records:
    """The tables of a batch as arrays [replications, days, ...]."""

    def __init__(self, tables: Tables, scenario: Scenario, days: int) -> None:
        self.scenario = scenario
        self.days = days
        self._tables = tables
        numbers = tables["stock"]["replication"]
        self._first = int(numbers.min())
        self.replications = int(numbers.max()) - self._first + 1
        self.groups = list(scenario.groups)
        self.units = list(scenario.units)
        self.turn = np.array(
            [(g.turn_from - scenario.campaign.first_day).days for g in scenario.groups.values()]
        )

    def count(self, table: str, column: str, by: str | None = None, **where: Any) -> Array:
        """A column by replication, day and what `by` names (group, unit or place: a unit)."""
        rows = self._tables[table]
        if by == "place":
            rows = rows[rows[by] != PROVINCE_STORE]
        for name, value in where.items():
            rows = rows[rows[name] == value]
        since = rows["date"] - pd.Timestamp(self.scenario.campaign.first_day)
        places = [rows["replication"].to_numpy() - self._first, since.dt.days.to_numpy()]
        shape = [self.replications, self.days]
        if by is not None:
            names = self.groups if by == "group" else self.units
            places.append(pd.Index(names).get_indexer(pd.Index(rows[by])))
            shape.append(len(names))
        out = np.zeros(shape)
        np.add.at(out, tuple(places), rows[column].to_numpy())
        return out

    def total(self, table: str, column: str, by: str | None = None, **where: Any) -> Array:
        """The same, summed up to each day."""
        return np.cumsum(self.count(table, column, by, **where), axis=1)

    def unwilling(self) -> Array:
        """People who never wanted a first dose: [replications, groups]."""
        rows = self._tables["causes"]
        rows = rows[
            (rows["as_of"] == "horizon")
            & (rows["scope"] == "first")
            & (rows["cause"] == "unwilling")
        ]
        out = np.zeros((self.replications, len(self.groups)))
        column = pd.Index(self.groups).get_indexer(pd.Index(rows["group"]))
        np.add.at(out, (rows["replication"].to_numpy() - self._first, column), rows["persons"])
        return out

    def failed_calls(self, until: int) -> dict[str, float]:
        """Calls in vain up to a day, by outcome, over all replications."""
        columns = {
            "blocked": ("call_centre", "blocked"),
            "abandoned": ("call_centre", "abandoned"),
            "cut_off": ("call_centre", "cut_off"),
            "closed": ("callers", "calls_outside_hours"),
        }
        return {
            outcome: float(self.count(*column)[:, : until + 1].sum())
            for outcome, column in columns.items()
        }

    def slots(self, dose: int) -> tuple[Array, Array]:
        """Slots that a dose can have, [days, units], and those still free, [replications, ...]."""
        parts = slots_of_doses(
            slots_by_day(self.scenario), self.scenario.appointments.second_dose_slots
        )
        slots = parts[min(dose, len(parts)) - 1].T[: self.days]
        where = {"dose": dose} if len(parts) > 1 else {}
        return slots, slots - self.count("daily", "appointments", "unit", **where)

    def lost_slots(self) -> dict[str, Array]:
        """Appointments of the day that were lost, by constraint: [replications, days, units].

        (Where somebody found no dose, or was not reached in time, that alone tells the day.)
        """
        columns = {"no_show": ["no_shows"], "queue": ["left", "closed"]}
        return {
            name: np.sum([self.count("daily", column, "unit") for column in parts], axis=0)
            for name, parts in columns.items()
        }

    def dry(self) -> Array:
        """Whether no dose is left anywhere in the evening."""
        return np.asarray(self.count("stock", "on_hand") == 0)

    def no_dose_to_promise(self) -> Array:
        """Whether the evening before none was left to promise for the day."""
        return np.asarray(_before(self.count("stock", "unpromised"), 1.0) < 1)


def _before(evening: Array, at_first: float | Array = 0.0) -> Array:
    """What there was the evening before each day."""
    shifted = np.empty_like(evening)
    shifted[:, 1:] = evening[:, :-1]
    shifted[:, 0] = at_first
    return shifted


# People ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _People:
    """Who is where on the way to a dose, by replication and day."""

    dose: int
    ready: Array
    """could have been vaccinated today and were not"""
    without_appointment: Array
    """whether some of them wait without any"""
    held: dict[str, Array]
    """the others by constraint, the nearest to the jab first"""


def _first_dose(records: _Records) -> _People:
    """The way to a first dose."""
    groups = records.scenario.groups.values()
    count, total = records.count, records.total
    booking = {"by": "group", "purpose": "booking"}
    entitled = np.array([g.people - sum(e.people for e in g.already_vaccinated) for g in groups])
    unwilling = records.unwilling()
    in_advance = np.array([g.booked_in_advance for g in groups]) * (entitled - unwilling)
    turn_has_come = records.turn <= np.arange(records.days)[:, np.newaxis]

    due_today = count("daily", "appointments", "group", dose=1)
    waiting = count("bookings", "waiting_first", "group")
    registered = waiting + total("bookings", "booked_first", "group") - np.cumsum(due_today, axis=1)
    answered = total("callers", "answered", **booking)
    declined = answered - total("callers", "bookings", **booking)
    in_vain = np.maximum(total("callers", "first_calls", **booking) - answered, 0)
    others = total("bookings", "came_other", "group")
    others -= total("bookings", "registered_other", "group")
    dropped = total("daily", "dropped_out", "group", dose=1)
    given = total("daily", "administered", "group", dose=1)
    elsewhere = registered + declined + in_vain + others + dropped + given
    outside = np.maximum((entitled - unwilling)[:, np.newaxis] - elsewhere, 0)

    registered = _before(registered, in_advance)
    return _People(
        dose=1,
        ready=(np.maximum(registered - due_today, 0) * turn_has_come).sum(axis=2),
        without_appointment=np.asarray((_before(waiting) * turn_has_come).any(axis=2)),
        held={
            "turn": (registered * ~turn_has_come).sum(axis=2),
            "no_show": _before(dropped).sum(axis=2),
            "other_channels": _before(others).sum(axis=2),
            "telephone": _before(in_vain).sum(axis=2),
            "registration": _before(outside, entitled - unwilling - in_advance).sum(axis=2),
            "willingness": (_before(declined) + unwilling[:, np.newaxis]).sum(axis=2),
        },
    )


def _second_dose(records: _Records) -> _People:
    """The way to a second dose, due after the shortest target interval of the regimens."""
    scenario, total = records.scenario, records.total
    intervals = [r.target_days for r in scenario.regimens.values() if r.second is not None]
    interval = min(intervals, default=records.days)
    begun = total("daily", "administered", dose=1) - total("daily", "completed", dose=1)
    due = np.zeros_like(begun)
    due[:, interval:] = begun[:, : max(records.days - interval, 0)]
    before = 0
    for group in scenario.groups.values():
        for entry in group.already_vaccinated:
            if entry.doses == 1 and scenario.regimens[entry.regimen].second is not None:
                before += entry.people
                for day, people in days_counted(entry, scenario, "first"):
                    due[:, max(day + interval, 0) :] += people
    given = total("daily", "administered", dose=2)
    dropped = _before(total("daily", "dropped_out", dose=2))
    waiting = records.count("bookings", "waiting_second")
    ready = np.maximum(due - given - dropped, 0)
    return _People(
        dose=2,
        ready=ready,
        without_appointment=np.asarray(_before(waiting) > 0),
        held={
            "no_show": dropped,
            "interval": np.maximum(_before(begun + before, before) - due, 0),
            "first_dose": scenario.target
            - before
            - _before(total("daily", "administered", dose=1)),
        },
    )
