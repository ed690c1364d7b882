"""The levers as inputs in the side bar."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby
from typing import Any

import streamlit as st

from sim.language import _, long_date, weekday
from sim.presentation.page.desk import Desk
from sim.presentation.page.levers import SECTIONS, Lever
from sim.scenario import WEEKDAYS, clock

_TIMES = [clock(minutes) for minutes in range(0, 24 * 60 + 1, 30)]
_MOST_SHIFTS = 6
_A_SHIFT = {"start": "08:00", "end": "18:00", "staff": 10}
_A_MONDAY = date(2021, 5, 31)


def lever_inputs(desk: Desk) -> dict[str, Any]:
    """Show all levers; their values by key."""
    values: dict[str, Any] = {}
    for section, members in groupby(desk.levers, key=lambda lever: lever.section):
        with st.expander(_(SECTIONS[section]), expanded=section == "call_centre"):
            for group, part in groupby(members, key=lambda lever: lever.group):
                if group:
                    st.markdown(f"**{group}**")
                for lever in part:
                    begin = desk.values.get(lever.key, lever.value)
                    key = f"{desk.generation}/{lever.key}"
                    values[lever.key] = _input(lever, begin, key)
    return values


def _input(lever: Lever, begin: Any, key: str) -> Any:
    if lever.kind in ("slider", "share"):
        high = max(lever.high, begin)
        return st.slider(lever.label, lever.low, high, begin, key=key)
    if lever.kind == "number":
        return st.number_input(lever.label, lever.low, lever.high, begin, lever.step, key=key)
    if lever.kind == "date":
        return _date(lever, begin, key)
    if lever.kind == "choice":
        names = list(lever.options)
        return st.selectbox(
            lever.label, names, names.index(begin), format_func=lever.options.__getitem__, key=key
        )
    if lever.kind == "days":
        return _days(lever, begin, key)
    if lever.kind == "hours":
        return _hours(lever, begin, key)
    return _shifts(lever, begin, key)


def _date(lever: Lever, begin: date, key: str) -> date:
    """A date, which is also written as people say it: with its weekday, and the year they know."""
    day = st.date_input(lever.label, begin, lever.low, lever.high, format="DD/MM/YYYY", key=key)
    st.caption(_("{weekday}, {date}").format(weekday=weekday(day), date=long_date(day)))
    return day


def _days(lever: Lever, begin: list[str], key: str) -> list[str]:
    names = {
        day: weekday(_A_MONDAY + timedelta(days=i), short=True) for i, day in enumerate(WEEKDAYS)
    }
    chosen = st.pills(
        lever.label, WEEKDAYS, selection_mode="multi", default=begin,
        format_func=names.__getitem__, key=key,
    )  # fmt: skip
    return [day for day in WEEKDAYS if day in (chosen or [])]


def _hours(lever: Lever, begin: tuple[str, str], key: str) -> tuple[str, str]:
    options = sorted({*_TIMES, *begin})
    return st.select_slider(lever.label, options, begin, key=key)


def _shifts(lever: Lever, begin: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Any number of shifts, each from ... to with so many people; none: all day the same."""
    number = int(st.number_input(lever.label, 0, _MOST_SHIFTS, len(begin), key=key))
    shifts = []
    for i in range(number):
        had: dict[str, Any] = begin[i] if i < len(begin) else _A_SHIFT
        options = sorted({*_TIMES, had["start"], had["end"]})
        start, end = st.select_slider(
            _("Shift {n}: from, to").format(n=i + 1), options, (had["start"], had["end"]),
            key=f"{key}/{i}/hours",
        )  # fmt: skip
        staff = st.number_input(
            _("Shift {n}: agents").format(n=i + 1), 0, 100_000, had["staff"], key=f"{key}/{i}/staff"
        )
        shifts.append({"start": start, "end": end, "staff": int(staff)})
    return shifts
