"""What is supposed of the days after the first window of a backtest: deliveries, and rules.

Deliveries are the scenario's, continued, or the file's. Rules that begin later are not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from sim.experiment.backtest_question import Question
from sim.scenario import Scenario, merge
from sim.scenario_files import source_of

_RATE_DAYS, _LEAST_RATE_DAYS = 28, 7
"""Days over which the rate of deliveries is taken (fewer hold one big delivery or none), and at
least if the scenario has no delivery to go by."""


def later_deliveries(question: Question) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The data with what is to come after the first window, and what was supposed.

    Looks at the file's allocations after the window only if they are asked for.
    """
    seen = question.seen
    scenario = question.source.scenario
    data, unknown = without_later_rules(question.data, scenario, question.calibrate.last)
    known = {vaccine: days for vaccine, days in seen.allocated.items() if days}
    known = {vaccine: days for vaccine, days in known.items() if vaccine in scenario.vaccines}
    supposed: list[dict[str, Any]] = [
        {
            "what": "correction",
            **asdict(fall),
            "day_before": fall.day_before.isoformat(),
            "day": fall.day.isoformat(),
        }
        for fall in seen.corrections
    ]
    supposed += [
        {"what": "vaccine_not_in_scenario", "vaccine": vaccine}
        for vaccine, days in seen.allocated.items()
        if days and vaccine not in scenario.vaccines
    ]
    supposed += [
        {
            "what": "regimen_not_known",
            "regimen": name,
            "from": str(scenario.regimens[name].first_dose_from),
        }
        for name in unknown
    ]
    added: dict[str, Any] = {}
    if question.deliveries == "observed":
        data["deliveries"], came = as_allocated(question)
        added |= came
        supposed.append({"what": "deliveries_of_file"})
    if question.deliveries == "scenario":
        for vaccine in scenario.vaccines:
            more, said = continued(scenario, vaccine, known.get(vaccine, {}), question)
            added |= more
            supposed += [*announced(scenario, vaccine, question), *said]
    return merge(data, {"deliveries": added}), supposed


def without_later_rules(
    data: Mapping[str, Any], scenario: Scenario, last: date
) -> tuple[dict[str, Any], list[str]]:
    """The data as if regimens that begin after a day were not known; the names of those.

    What ends as they begin goes on instead.
    """
    begins = {
        name: regimen.first_dose_from
        for name, regimen in scenario.regimens.items()
        if regimen.first_dose_from and regimen.first_dose_from > last
    }
    ends = {day - timedelta(days=1) for day in begins.values()}
    kept = {
        name: {key: value for key, value in said.items() if key != "first_dose_until"}
        if scenario.regimens[name].first_dose_until in ends
        else said
        for name, said in data.get("regimens", {}).items()
        if name not in begins
    }
    return ({**data, "regimens": kept} if begins else dict(data)), sorted(begins)


def announced(scenario: Scenario, vaccine: str, question: Question) -> list[dict[str, Any]]:
    """What the scenario knows ahead: doses of the vaccine after the first window, and whence.

    Those of its last day are given after it.
    """
    ahead = {
        f"deliveries.{name}.doses": delivery.doses * delivery.fraction_delivered.mean()
        for name, delivery in scenario.deliveries.items()
        if delivery.vaccine == vaccine
        and question.calibrate.last <= delivery.arrives <= question.predict.last
    }
    if not ahead:
        return []
    sources = [source_of(scenario, path) or "" for path in ahead]
    return [
        {
            "what": "deliveries_announced",
            "vaccine": vaccine,
            "doses": sum(ahead.values()),
            "sources": [text for text in dict.fromkeys(sources) if text],
        }
    ]


def as_allocated(question: Question) -> tuple[dict[str, Any], dict[str, Any]]:
    """The scenario's deliveries before the first allocation known, and the file's after it."""
    kept = dict(question.data.get("deliveries", {}))
    came: dict[str, Any] = {}
    for vaccine, known in question.observed.allocated.items():
        first = question.source.scenario.campaign.first_day
        days = sorted(day for day in known if first <= day <= question.predict.last)
        if not days:
            continue
        kept = {
            name: delivery
            for name, delivery in kept.items()
            if delivery["vaccine"] != vaccine or delivery["arrives"] <= days[0].isoformat()
        }
        if not any(delivery["vaccine"] == vaccine for delivery in kept.values()):
            came[f"allocated_{vaccine}_{days[0]:%m_%d}"] = _delivery(
                vaccine, days[0], known[days[0]]
            )  # the scenario knows of none before
        for before, day in pairwise(days):
            if known[day] > known[before]:
                came[f"allocated_{vaccine}_{day:%m_%d}"] = _delivery(
                    vaccine, day, known[day] - known[before]
                )
    return kept, came


def _delivery(vaccine: str, arrives: date, doses: float) -> dict[str, Any]:
    return {"vaccine": vaccine, "arrives": arrives.isoformat(), "doses": max(round(doses), 0)}


def continued(
    scenario: Scenario, vaccine: str, known: Mapping[date, int], question: Question
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Weekly deliveries of a vaccine at the rate known, where the scenario says no more."""
    end, last = question.calibrate.last, question.predict.last
    own = sorted(
        (delivery.arrives, name, delivery.doses)
        for name, delivery in scenario.deliveries.items()
        if delivery.vaccine == vaccine
    )
    if any(arrives > end for arrives, _name, _doses in own):
        return {}, []
    days = sorted(known)
    allocated = None
    start = end + timedelta(days=1)
    if days and (days[-1] - days[0]).days >= (_RATE_DAYS if own else _LEAST_RATE_DAYS):
        weekly = (known[days[-1]] - known[days[0]]) / (days[-1] - days[0]).days * 7
        name = f"known_{vaccine}"
        allocated = {"from": days[0].isoformat(), "to": days[-1].isoformat()}
    elif own:
        since = own[-1][0] - timedelta(days=_RATE_DAYS - 1)
        weekly = sum(doses for arrives, _name, doses in own if arrives >= since) / (_RATE_DAYS / 7)
        name = f"{own[-1][1]}_more"
        start = max(start, own[-1][0] + timedelta(days=7))
    else:
        return {}, []
    weeks = range(max((last - start).days // 7 + 1, 0))
    if not weekly or not weeks:
        return {}, []
    more = {
        f"{name}_{week + 1}": _delivery(vaccine, start + timedelta(days=7 * week), weekly)
        for week in weeks
    }
    return more, [
        {
            "what": "deliveries_continued",
            "vaccine": vaccine,
            "after": end.isoformat(),
            "doses_a_week": weekly,
            "as_allocated": allocated,
        }
    ]
