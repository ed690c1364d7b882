"""What `vaxsim validate` has found, as a table and as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.experiment.validation import (
    CONFIDENCE,
    QUICK_WIDTH,
    SMALL_PROBABILITY,
    WIDTH,
    WIDTH_OF_SMALL_PROBABILITY,
    JudgedCase,
    JudgedQuantity,
    Judgement,
)
from sim.language import N_, _
from sim.presentation.terminal import table

_VERDICTS = {
    "pass": N_("pass"),
    "outside": N_("FAIL: outside"),
    "too wide": N_("FAIL: too wide"),
}


def validation_text(cases: Sequence[JudgedCase], quick: bool) -> str:
    """A line a quantity, under its case; and what they amount to."""
    rows: list[tuple[str, str, str, str, str]] = [
        (
            "",
            _("measured"),
            _("{level} % interval").format(level=f"{100 * CONFIDENCE:g}"),
            _("exact"),
            _("verdict"),
        )
    ]
    headings: dict[int, str] = {}
    for case in cases:
        headings[len(rows)] = f"{case.case.name}: {case.case.queue} [{case.case.source}]"
        for judged in case.quantities:
            rows += [_row(judged, judgement) for judgement in judged.judgements]
        if case.failure:
            rows.append((_("audit"), "", "", "", _("FAIL: {verdict}").format(verdict=case.failure)))
        if case.engines_equal is not None:
            equal = _("pass") if case.engines_equal else _("FAIL: engines differ")
            what = _("first replication, reference engine")
            if case.hour_only:
                what = _("an hour of it, reference engine")
            rows.append((what, "", "", _("equal"), equal))
    lines: list[str] = []
    for number, line in enumerate(table(rows, "<>>><")):
        lines += [headings[number]] if number in headings else []
        lines.append(line)
    return "\n".join([*lines, "", *_summary(cases, quick)])


def _row(judged: JudgedQuantity, judgement: Judgement) -> tuple[str, str, str, str, str]:
    estimate, quantity = judgement.estimate, judged.quantity
    mean = "–" if estimate.mean is None else _number(estimate.mean)
    between = ""
    if estimate.low is not None and estimate.high is not None:
        between = f"{_number(estimate.low)} – {_number(estimate.high)}"
        if estimate.low == estimate.high:
            between = _("the same in all")
    verdict = _(_VERDICTS[judgement.verdict])
    if judgement is not judged.judgements[-1]:
        verdict = _("outside with seed {seed}; again:").format(seed=judgement.seed)
    return quantity.name, mean, between, _number(quantity.exact), verdict


def _number(value: float) -> str:
    """Six digits that count."""
    return f"{value:,.6g}"


def _summary(cases: Sequence[JudgedCase], quick: bool) -> list[str]:
    quantities = [q for case in cases for q in case.quantities]
    failed = [case.case.name for case in cases if not case.passed]
    again = sum(len(q.judgements) > 1 for q in quantities)
    estimates = [q.judgements[-1].estimate for q in quantities]
    varying = sum(each.low != each.high for each in estimates)
    compared = [case for case in cases if case.engines_equal is not None]
    engine = cases[0].engine
    numbers = {
        "passed": sum(q.passed for q in quantities),
        "quantities": len(quantities),
        "passed_cases": len(cases) - len(failed),
        "cases": len(cases),
    }
    lines = [
        _(
            "{passed} of {quantities} quantities pass, in {passed_cases} of {cases} cases. "
            "FAILED: {failed}."
        ).format(**numbers, failed=", ".join(failed))
        if failed
        else _(
            "{passed} of {quantities} quantities pass, in {passed_cases} of {cases} cases."
        ).format(**numbers),
        _(
            "Pass: the exact value is inside the interval, which is narrower than {width} % of the "
            "value (than {least} for probabilities under {small})."
        ).format(
            width=f"{100 * WIDTH:g}",
            least=f"{WIDTH_OF_SMALL_PROBABILITY:g}",
            small=f"{SMALL_PROBABILITY:g}",
        ),
    ]
    if quick:
        lines.append(
            _(
                "This is the quick set: fewer replications, and intervals may be {times} times as "
                "wide; the engines are compared for an hour of large cases."
            ).format(times=f"{QUICK_WIDTH:g}")
        )
    lines.append(
        _(
            "Chance: {varying} of the quantities vary; of these, if right, {missed} miss on "
            "average. Who misses is simulated again with the next seed ({again} here) and fails if "
            "it misses again."
        ).format(
            varying=varying,
            missed=f"{varying * (1 - CONFIDENCE):.1f}",
            again=again,
        )
    )
    if compared:
        lines.append(
            _(
                "Engines: the {engine} engine simulates all replications, the reference engine the "
                "first one: equal tables in {equal} of {compared} cases."
            ).format(
                engine=engine,
                equal=sum(bool(case.engines_equal) for case in compared),
                compared=len(compared),
            )
        )
    else:
        lines.append(_("Engine: {engine}.").format(engine=engine))
    return lines


def validation_data(cases: Sequence[JudgedCase]) -> dict[str, Any]:
    """The same as one JSON object."""
    return {
        "passed": all(case.passed for case in cases),
        "confidence": CONFIDENCE,
        "cases": [
            {
                "name": case.case.name,
                "queue": case.case.queue,
                "source": case.case.source,
                "scenario": case.case.file,
                "changes": list(case.case.changes),
                "replications": case.replications,
                "engine": case.engine,
                "engines_equal": case.engines_equal,
                "failure": case.failure or None,
                "passed": case.passed,
                "quantities": [
                    {
                        "name": judged.quantity.name,
                        "exact": judged.quantity.exact,
                        "widest": judged.quantity.widest,
                        "passed": judged.passed,
                        "judgements": [
                            {
                                "seed": judgement.seed,
                                "mean": judgement.estimate.mean,
                                "low": judgement.estimate.low,
                                "high": judgement.estimate.high,
                                "observations": judgement.estimate.n,
                                "verdict": judgement.verdict,
                            }
                            for judgement in judged.judgements
                        ],
                    }
                    for judged in case.quantities
                ],
            }
            for case in cases
        ],
    }


def cases_text(cases: Sequence[Any]) -> str:
    """The cases there are."""
    rows = [(_("case"), _("queue"), _("exact values from"), _("scenario"))]
    rows += [(case.name, case.queue, case.source, case.file) for case in cases]
    return "\n".join(table(rows, "<<<<"))
