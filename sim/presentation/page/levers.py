"""What a committee can move, as inputs of a page: each knows its values in the scenario's file.

Every lever is one or more dotted paths that `--set` can change. Its limits are those of the
scenario's schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from sim.experiment.design import toml
from sim.language import N_, _, ngettext
from sim.presentation.terminal import in_words
from sim.scenario import Opening, Pool, Scenario, clock
from sim.scenario_files import file_data, schema_at

Kind = Literal["slider", "number", "share", "choice", "days", "hours", "date", "shifts"]

SECTIONS = {
    "call_centre": N_("Call centre"),
    "shifts": N_("Shifts of the agents"),
    "staff": N_("Staff at the units"),
    "opening": N_("Opening days and hours"),
    "deliveries": N_("Deliveries and doses"),
    "rules": N_("Interval, turns, what counts"),
    "willing": N_("Willingness"),
}
_COMPLETE = {
    "all_doses": N_("all doses of the regimen"),
    "one_dose": N_("one dose"),
}
_SHARE_STEPS = 100


@dataclass(frozen=True)
class Lever:
    """One input."""

    section: str
    group: str
    """heading under which it stands, "" for none"""
    label: str
    kind: Kind
    paths: tuple[str, ...]
    value: Any
    """as an input shows it: shares in percent, times as text"""
    low: Any = None
    high: Any = None
    step: int = 1
    options: Mapping[str, str] = field(default_factory=dict)
    """values with their words"""

    @property
    def key(self) -> str:
        """Its name."""
        return self.paths[0]

    def changes(self, value: Any) -> list[str]:
        """What `--set` must say for an input's value; nothing where it is the scenario's own."""
        if value is None or value == self.value:
            return []
        if self.kind == "hours":
            pairs = zip(self.paths, value, self.value, strict=True)
            return [f"{path}={new}" for path, new, old in pairs if new != old]
        return [f"{path}={self._written(value)}" for path in self.paths]

    def _written(self, value: Any) -> str:
        if self.kind == "share":
            return f"{value / _SHARE_STEPS:g}"
        if self.kind in ("days", "shifts"):
            return toml(value).replace(" ", "") if self.kind == "days" else toml(value)
        return value.isoformat() if isinstance(value, date) else str(value)


def levers(scenario: Scenario) -> list[Lever]:
    """All levers of a scenario, in the order of `SECTIONS`."""
    data = file_data(scenario)
    return [
        *_call_centre(scenario, data),
        *_staff(scenario, data),
        *_opening(scenario),
        *_deliveries(scenario, data),
        *_rules(scenario, data),
        *_willing(scenario),
    ]


def names_of(scenario: Scenario) -> dict[str, str]:
    """What is moved, in words, by dotted path."""
    return {
        path: f"{lever.group}, {lever.label}" if lever.group else lever.label
        for lever in levers(scenario)
        for path in lever.paths
    }


def _call_centre(scenario: Scenario, data: Mapping[str, Any]) -> Iterator[Lever]:
    centre = scenario.call_centre
    for name, pool in centre.pools.items():
        if not pool.shifts:
            path = f"call_centre.pools.{name}.agents"
            label = _agents(name, pool)
            yield _slider("call_centre", "", label, path, pool.agents, data)
    yield _slider("call_centre", "", _("Telephone lines"), "call_centre.lines", centre.lines, data)
    yield _number(
        "call_centre", "", _("Bookings a day through other channels"),
        "other_channels.bookings_per_day", scenario.other_channels.bookings_per_day, data, 500,
    )  # fmt: skip
    for name, pool in centre.pools.items():
        shifts = [
            {"start": clock(s.start), "end": clock(s.end), "staff": s.staff} for s in pool.shifts
        ]
        yield Lever(
            "shifts", _agents(name, pool),
            _("Number of shifts, {pool}").format(pool=in_words(name)), "shifts",
            (f"call_centre.pools.{name}.shifts",), shifts,
        )  # fmt: skip


def _agents(name: str, pool: Pool) -> str:
    spoken = ", ".join(map(in_words, pool.languages))
    if name == "agents":  # says nothing of them
        return _("Agents, {pool}").format(pool=spoken)
    if pool.languages == [name]:
        return _("Agents, {pool}").format(pool=in_words(name))
    return _("Agents, {pool} ({languages})").format(pool=in_words(name), languages=spoken)


def _staff(scenario: Scenario, data: Mapping[str, Any]) -> Iterator[Lever]:
    for name, kind in scenario.unit_types.items():
        for station, has in kind.stations.items():
            path = f"unit_types.{name}.stations.{station}.staff"
            label = in_words(station)
            if has.kind == "observation":
                label = _("{station} (seats)").format(station=label)
            if not has.shifts:
                yield _number("staff", _units(scenario, name), label, path, has.staff, data)


def _opening(scenario: Scenario) -> Iterator[Lever]:
    places: list[tuple[str, str, Opening]] = [
        ("call_centre", _("Call centre"), scenario.call_centre)
    ]
    for name, kind in scenario.unit_types.items():
        places.append((f"unit_types.{name}", _units(scenario, name), kind))
    for path, label, place in places:
        yield Lever(
            "opening", label, _("Open days"), "days", (f"{path}.open_days",),
            list(place.open_days),
        )  # fmt: skip
        hours = (clock(place.opens), clock(place.closes))
        yield Lever(
            "opening", label, _("Opens and closes"), "hours",
            (f"{path}.opens", f"{path}.closes"), hours,
        )  # fmt: skip


def _deliveries(scenario: Scenario, data: Mapping[str, Any]) -> Iterator[Lever]:
    campaign = scenario.campaign
    for name, delivery in scenario.deliveries.items():
        path, group = f"deliveries.{name}", in_words(name).capitalize()
        yield Lever(
            "deliveries", group, _("Arrives"), "date", (f"{path}.arrives",), delivery.arrives,
            campaign.first_day, campaign.horizon,
        )  # fmt: skip
        yield _number("deliveries", group, _("Doses"), f"{path}.doses", delivery.doses, data, 1000)
    for name, vaccine in scenario.vaccines.items():
        label = _("Extra doses from each vial, {vaccine}").format(vaccine=in_words(name))
        path = f"vaccines.{name}.extra_doses_per_vial"
        yield _number("deliveries", "", label, path, vaccine.extra_doses_per_vial, data)


def _rules(scenario: Scenario, data: Mapping[str, Any]) -> Iterator[Lever]:
    for name, regimen in scenario.regimens.items():
        if regimen.second is None:
            continue
        path = f"regimens.{name}"
        both = (f"{path}.min_days", f"{path}.target_days")
        if regimen.min_days == regimen.target_days:
            label = _("Days between the doses, {regimen}").format(regimen=in_words(name))
            yield _number("rules", "", label, both, regimen.min_days, data, 7)
        else:
            for key, text in zip(
                both, (_("Least days between the doses, {regimen}"),
                       _("Days aimed at between the doses, {regimen}")), strict=True,
            ):  # fmt: skip
                value = getattr(regimen, key.rpartition(".")[2])
                yield _number("rules", "", text.format(regimen=in_words(name)), key, value, data, 7)
    for name, group in scenario.groups.items():
        yield Lever(
            "rules", "", _("Turn of group {group} from").format(group=in_words(name)), "date",
            (f"groups.{name}.turn_from",), group.turn_from,
            min(scenario.campaign.first_day, group.turn_from), scenario.campaign.horizon,
        )  # fmt: skip
    options = {name: _(text) for name, text in _COMPLETE.items()}
    yield Lever(
        "rules", "", _("Complete is who has had"), "choice", ("campaign.complete_with",),
        scenario.campaign.complete_with, options=options,
    )  # fmt: skip


def _willing(scenario: Scenario) -> Iterator[Lever]:
    for name, group in scenario.groups.items():
        label = _("Willing, of group {group} (%)").format(group=in_words(name))
        percent = round(_SHARE_STEPS * group.willing, 6)
        value = int(percent) if percent == int(percent) else percent
        yield Lever("willing", "", label, "share", (f"groups.{name}.willing",), value, 0, 100)


def _units(scenario: Scenario, kind: str) -> str:
    number = sum(unit.type == kind for unit in scenario.units.values())
    return ngettext("{type}: {n} unit", "{type}: {n} units", number).format(
        type=in_words(kind).capitalize(), n=number
    )


def _slider(
    section: str, group: str, label: str, path: str, value: int, data: Mapping[str, Any]
) -> Lever:
    """From the schema's least value to three times the scenario's, or 100."""
    low, high = _limits(path, data)
    return Lever(
        section, group, label, "slider", (path,), value, low, min(high, max(100, 3 * value))
    )


def _number(
    section: str,
    group: str,
    label: str,
    path: str | tuple[str, ...],
    value: int,
    data: Mapping[str, Any],
    step: int = 1,
) -> Lever:
    paths = (path,) if isinstance(path, str) else path
    return Lever(section, group, label, "number", paths, value, *_limits(paths[0], data), step)


def _limits(path: str, data: Mapping[str, Any]) -> tuple[int, int]:
    node = schema_at(data, path, path)
    return int(node["minimum"]), int(node["maximum"])
