"""The audit of a run: one line, the whole table, and the same as data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sim.experiment.results import Run, command
from sim.language import _, ngettext
from sim.model.ledger import LAWS
from sim.presentation.terminal import percent, table


def audit_line(run: Run) -> str:
    """How many checks there were in how many replications, and how to see them."""
    found = run.table("audit", ["replication", "passed"])
    n, replications = len(found), found["replication"].nunique()
    passed = int(found["passed"].sum())
    verdict = _("all passed") if passed == n else _("{n} failed").format(n=f"{n - passed:,}")
    line = ngettext(
        "Audit: {checks} checks in the one replication, {verdict}; {command}",
        "Audit: {checks} checks in each of {n} replications, {verdict}; {command}",
        replications,
    )
    return line.format(
        checks=f"{round(n / max(replications, 1)):,}",
        n=f"{replications:,}",
        verdict=verdict,
        command=command("show", run.folder, "--audit"),
    )


def over_replications(run: Run) -> pd.DataFrame:
    """One row a law and what it is about, in the order of LAWS.

    Sides are means over the replications, but of limits those of the closest case of all; a state
    is no such limit. `passed`: the number of replications.
    """
    rows: list[dict[str, Any]] = []
    for (law, what), group in run.table("audit").groupby(["law", "what"], sort=False):
        closest = group.iloc[int(np.argmax(group["difference"].to_numpy()))]
        limit = LAWS[str(law)].relation == "<=" and law != _STATE
        rows.append(
            {
                "law": law,
                "what": what,
                "cases": int(group["cases"].sum()),
                "left": float(closest["left"] if limit else group["left"].mean()),
                "right": float(closest["right"] if limit else group["right"].mean()),
                "difference": float(group["difference"].max()),
                "tolerance": float(closest["tolerance"]),
                "passed": int(group["passed"].sum()),
            }
        )
    order = list(LAWS)
    rows.sort(key=lambda row: order.index(row["law"]))
    return pd.DataFrame(rows)


_STATE = "time_in_state"


def audit_text(run: Run) -> str:
    """All laws with their two sides; below, what the sides are, and why they may differ at all."""
    found = over_replications(run).to_dict("records")
    differ = _("difference")
    rows = [("", "", _("cases"), _("left side"), "", _("right side"), differ, _("unit"))]
    for row in found:
        law = LAWS[row["law"]]
        difference = f"{row['difference']:g}" if law.relation == "=" else ""
        if row["law"] == _STATE:
            difference = percent(row["left"] / row["right"]) if row["right"] else ""
        rows.append(
            (
                row["law"],
                row["what"],
                f"{row['cases']:,}",
                _side(row["left"]),
                _SIGNS[law.relation],
                _side(row["right"]),
                difference,
                _(law.unit),
            )
        )
    n = run.settings.replications
    heading = ngettext(
        "Audit of {n} replication: {passed} of {laws} checks passed. Sides are sums over all cases "
        "of a replication; of limits, the case that comes closest",
        "Audit of {n} replications: {passed} of {laws} checks passed. Sides are sums over all "
        "cases of a replication (means); of limits, the case that comes closest",
        n,
    )
    passed = sum(row["passed"] for row in found)
    names = list(dict.fromkeys(row["law"] for row in found))
    explained = [
        (name, _(LAWS[name].left), _SIGNS[LAWS[name].relation], _(LAWS[name].right))
        for name in names
    ]
    tolerances = dict.fromkeys((LAWS[name].tolerance, LAWS[name].reason) for name in names)
    return "\n".join(
        [
            heading.format(n=f"{n:,}", passed=f"{passed:,}", laws=f"{n * len(found):,}"),
            *table(rows, "<<>>>>><"),
            "",
            _("What is compared"),
            *table(explained, "<<<<"),
            "",
            _("How much the sides may differ, and why"),
            *table([(f"{most:g}", _(why)) for most, why in tolerances], "<<"),
        ]
    )


_SIGNS = {"=": "=", "<=": "≤"}


def _side(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"


def audit_data(run: Run, every: bool = False) -> dict[str, object]:
    """The audit as one JSON object; `every`: with each law."""
    found = run.table("audit", ["replication", "passed"])
    data: dict[str, object] = {
        "checks": len(found),
        "replications": int(found["replication"].nunique()),
        "passed": int(found["passed"].sum()),
    }
    if every:
        data["laws"] = [
            {**row, "unit": LAWS[row["law"]].unit, "relation": LAWS[row["law"]].relation}
            for row in over_replications(run).to_dict("records")
        ]
    return data
