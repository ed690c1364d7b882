"""How the program was verified, for a description: laws, theory, history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sim.language import _
from sim.presentation.code_words import module_words
from sim.presentation.document import Block, Code, Paragraph, Section, Table


def verification(results: Mapping[str, Any] | None) -> list[Block]:
    """What is checked and how; with the results of `vaxsim validate --json`, if given."""
    return [
        Section(
            _("Laws checked in every replication"),
            [
                Paragraph(
                    _(
                        "Each compares two sides that are recorded apart. A replication in which "
                        "one does not hold ends with an error that says what, where and when."
                    )
                ),
                *_laws(),
            ],
        ),
        Section(_("Against theory"), _against_theory(results)),
        Section(
            _("Against history and against itself"),
            [
                Paragraph(
                    _(
                        "vaxsim backtest replays observed days, fits what is unknown on a first "
                        "window, predicts a later one and sets the error beside those of two naive "
                        "forecasts. The tests compare the two engines on thousands of random days, "
                        "break rules on purpose to see that it is noticed, and try relations that "
                        "must hold between scenarios (more agents, twice everything, units in "
                        "another order)."
                    )
                )
            ],
        ),
    ]


def _laws() -> list[Block]:
    from sim.model.ledger import LAWS

    signs = {"=": _("equal to"), "<=": _("at most")}
    return [
        *module_words("sim.model.audit"),
        Table(
            _("Laws"),
            [_("law"), _("this"), _("must be"), _("that"), _("unit")],
            [
                [Code(name), _(law.left), signs[law.relation], _(law.right), _(law.unit)]
                for name, law in LAWS.items()
            ],
        ),
    ]


_VALIDATION = "vaxsim validate --json > validation.json"


def _against_theory(verification: Mapping[str, Any] | None) -> list[Block]:
    from sim.experiment.validation_cases import all_cases

    how = _(
        "vaxsim validate reduces scenarios to queues with a formula, simulates them through the "
        "whole program, on both engines, and compares with the exact values."
    )
    if verification is None:
        return [
            Paragraph(how),
            Paragraph(
                [
                    _("No results were given to this description. To have them here: "),
                    Code(_VALIDATION),
                    _(", then "),
                    Code("vaxsim describe … --verification validation.json"),
                    ".",
                ]
            ),
            Table(
                _("The cases, with their exact values"),
                [_("case"), _("what it reduces to"), _("source"), _("exact values")],
                [
                    [
                        Code(case.name),
                        case.queue,
                        case.source,
                        "; ".join(f"{q.name}: {q.exact:,.6g}" for q in case.quantities),
                    ]
                    for case in all_cases()
                ],
            ),
        ]
    rows = [
        [
            Code(case["name"]),
            f"{case['queue']} [{case['source']}]",
            quantity["name"],
            *_judged(quantity),
        ]
        for case in verification["cases"]
        for quantity in case["quantities"]
    ]
    compared = [case for case in verification["cases"] if case["engines_equal"] is not None]
    equal = sum(case["engines_equal"] for case in compared)
    passed = sum(case["passed"] for case in verification["cases"])
    return [
        Paragraph(how),
        Paragraph(
            _("{passed} of {all} cases pass.").format(passed=passed, all=len(verification["cases"]))
        ),
        *(
            [
                Paragraph(
                    _("In {equal} of {compared} cases compared both engines gave equal tables.")
                    .format(equal=equal, compared=len(compared))
                )
            ]
            if compared
            else []
        ),
        Table(
            _("Measured against exact values ({level} % intervals)").format(
                level=f"{100 * verification['confidence']:g}"
            ),
            [_("case"), _("what it reduces to"), _("quantity"), _("measured"), _("interval"),
             _("exact"), _("verdict")],
            rows,
            "<<<>>><",
        ),
    ]  # fmt: skip


def _judged(quantity: Mapping[str, Any]) -> list[str]:
    last = quantity["judgements"][-1]
    shown = [
        "–" if last[name] is None else f"{last[name]:,.6g}" for name in ("mean", "low", "high")
    ]
    return [
        shown[0],
        f"{shown[1]} – {shown[2]}",
        f"{quantity['exact']:,.6g}",
        _("pass") if quantity["passed"] else _("FAIL: {verdict}").format(verdict=last["verdict"]),
    ]


def read_verification(path: Path) -> dict[str, Any]:
    """What `vaxsim validate --json` has printed into a file. Raises RunError if it is not that."""
    from sim.experiment.results import RunError

    asked = _("name a file made by: {command}").format(command=_VALIDATION)
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _against_theory(found)
    except OSError as error:
        raise RunError(
            _("{file} cannot be read: {reason}").format(file=path, reason=error.strerror)
            + f"; {asked}"
        ) from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise RunError(
            _("{file} is no result of a validation").format(file=path) + f"; {asked}"
        ) from None
    return found
