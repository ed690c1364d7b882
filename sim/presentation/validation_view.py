"""What `vaxsim validate` has found, as a table and as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.experiment.validation import (
    CONFIDENCE,
    QUICK_WIDTH,
    WIDTH,
    WIDTH_OF_SMALL_PROBABILITY,
    JudgedCase,
    JudgedQuantity,
    Judgement,
)
from sim.presentation.terminal import table

_VERDICTS = {"pass": "pass", "outside": "FAIL: outside", "too wide": "FAIL: too wide"}


def validation_text(cases: Sequence[JudgedCase], quick: bool) -> str:
    """A line a quantity, under its case; and what they amount to."""
    rows: list[tuple[str, str, str, str, str]] = [
        ("", "measured", f"{100 * CONFIDENCE:g} % interval", "exact", "verdict")
    ]
    headings: dict[int, str] = {}
    for case in cases:
        headings[len(rows)] = f"{case.case.name}: {case.case.queue} [{case.case.source}]"
        for judged in case.quantities:
            rows += [_row(judged, judgement) for judgement in judged.judgements]
        if case.engines_equal is not None:
            equal = "pass" if case.engines_equal else "FAIL: engines differ"
            rows.append(("first replication, reference engine", "", "", "equal", equal))
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
            between = "the same in all"
    verdict = _VERDICTS[judgement.verdict]
    if judgement is not judged.judgements[-1]:
        verdict = f"outside with seed {judgement.seed}; again:"
    return quantity.name, mean, between, _number(quantity.exact), verdict


def _number(value: float) -> str:
    """Six digits that count."""
    return f"{value:,.6g}"


def _summary(cases: Sequence[JudgedCase], quick: bool) -> list[str]:
    quantities = [q for case in cases for q in case.quantities]
    failed = [case.case.name for case in cases if not case.passed]
    again = sum(len(q.judgements) > 1 for q in quantities)
    compared = [case for case in cases if case.engines_equal is not None]
    engine = cases[0].engine
    width = f"{100 * WIDTH:g} % of the value (than {WIDTH_OF_SMALL_PROBABILITY:g} for " + (
        "probabilities under 0.1)"
    )
    lines = [
        f"{len(quantities) - sum(not q.passed for q in quantities)} of {len(quantities)} "
        f"quantities pass, in {len(cases) - len(failed)} of {len(cases)} cases"
        + (f". FAILED: {', '.join(failed)}." if failed else "."),
        f"Pass: the exact value is inside the interval, which is narrower than {width}.",
    ]
    if quick:
        lines.append(
            "This is the quick set: fewer replications, and intervals may be "
            f"{QUICK_WIDTH:g} times as wide."
        )
    lines.append(
        f"Chance: of {len(quantities)} right quantities, {len(quantities) * (1 - CONFIDENCE):.1f} "
        f"miss on average. Who misses is simulated again with the next seed ({again} here) and "
        "fails if it misses again."
    )
    if compared:
        equal = sum(bool(case.engines_equal) for case in compared)
        lines.append(
            f"Engines: all replications are simulated by the {engine} engine, the first one by the "
            f"reference engine, too: equal tables in {equal} of {len(compared)} cases."
        )
    else:
        lines.append(f"Engine: {engine}.")
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
    rows = [("case", "queue", "exact values from", "scenario")]
    rows += [(case.name, case.queue, case.source, case.file) for case in cases]
    return "\n".join(table(rows, "<<<<"))
