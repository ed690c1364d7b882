"""How the program was verified, for a description or a report: laws, theory, history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sim import __version__
from sim.experiment.study import Study
from sim.language import _, long_date, named
from sim.presentation.code_words import inline, module_words
from sim.presentation.document import Block, Code, Paragraph, Section, Table, Text


@dataclass(frozen=True)
class Evidence:
    """What a document can tell of the program's validity."""

    validation: Mapping[str, Any] | None = None
    """what `vaxsim validate --json` prints, or the same of a self-check"""
    file: str | None = None
    """it was read from; None: simulated for this document"""
    backtest: Study | None = None


def verification(evidence: Evidence) -> list[Block]:
    """What is checked and how, with all the results there are."""
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
        Section(_("Against theory"), against_theory(evidence, list_cases=True)),
        Section(_("Against history"), against_history(evidence)),
        Section(
            _("Against itself"),
            [
                Paragraph(
                    _(
                        "The tests compare the two engines on thousands of random days, "
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


def against_theory(evidence: Evidence, list_cases: bool = False) -> list[Block]:
    """What was measured in queues that have a formula, beside the exact values.

    `list_cases`: where nothing was measured, list the cases.
    """
    how = Paragraph(
        _(
            "vaxsim validate reduces scenarios to queues with a formula, simulates them through "
            "the whole program, on both engines, and compares with the exact values."
        )
    )
    if evidence.validation is None:
        return [how, *_how_to_have_results(), *([_cases()] if list_cases else [])]
    return [how, *_measured_by(evidence), *_measured(evidence.validation)]


def _how_to_have_results() -> list[Block]:
    return [
        Paragraph(
            [
                _("No results were given to this document. To have them here: "),
                Code(_VALIDATION),
                _(", then the option "),
                Code("--verification validation.json"),
                ".",
            ]
        )
    ]


def _cases() -> Table:
    from sim.experiment.validation_cases import all_cases

    return Table(
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
    )


def _measured_by(evidence: Evidence) -> list[Block]:
    """When and with what the results were made, and how far they reach."""
    from sim.experiment.validation import QUICK_WIDTH
    from sim.experiment.validation_cases import all_cases

    found = evidence.validation or {}
    blocks: list[Block] = []
    if evidence.file is None:
        words = _(
            "The {n} cases below were simulated when this document was made, with seed {seed}, by "
            "the program that made it: {program}. `vaxsim validate` has {all} cases."
        ).format(
            n=len(found["cases"]), all=len(all_cases()), seed=found["seed"], program=_program(found)
        )
        blocks.append(Paragraph(inline(words)))
    else:
        said = [_("Results of the file "), Code(evidence.file)]
        if "vaxsim" in found:
            said.append(
                _(", made on {day} with seed {seed} by {program}.").format(
                    day=long_date(date.fromisoformat(found["created_at"][:10])),
                    seed=found["seed"],
                    program=_program(found),
                )
            )
        else:
            said.append(_(", which does not say what made it."))
        blocks.append(Paragraph(said))
        blocks += _of_another_program(found)
    if found.get("quick"):
        blocks.append(
            Paragraph(
                _(
                    "This is the quick set: fewer replications, and intervals may be {times} times "
                    "as wide; the engines are compared for an hour of large cases."
                ).format(times=f"{QUICK_WIDTH:g}")
            )
        )
    return blocks


def _program(made: Mapping[str, Any]) -> str:
    """vaxsim 0.1.0, code 1a2b3c4d."""
    code = str(made.get("code") or "?")[:8]
    return _("vaxsim {version}, code {code}").format(version=made.get("vaxsim", "?"), code=code)


def _of_another_program(made: Mapping[str, Any]) -> list[Block]:
    """A remark where something was made by another version, or by other code of the same one."""
    from sim.experiment.run_writer import code_digest

    here = {"vaxsim": __version__, "code": code_digest()}
    if here == {key: made.get(key) for key in here}:
        return []
    words = _(
        "Remark: these results were not made by the program that made this document ({program}). "
        "What they say may not hold for it; make them again."
    )
    return [Paragraph(words.format(program=_program(here)))]


def _measured(found: Mapping[str, Any]) -> list[Block]:
    """A row a quantity, and what they amount to."""
    cases = found["cases"]
    failed = [case["name"] for case in cases if not case["passed"]]
    compared = [case for case in cases if case["engines_equal"] is not None]
    sums = [_("{passed} of {all} cases pass.").format(
        passed=len(cases) - len(failed), all=len(cases)
    )]  # fmt: skip
    if failed:
        sums.append(_("FAILED: {failed}.").format(failed=", ".join(failed)))
    if compared:
        sums.append(
            _("In {equal} of {compared} cases compared both engines gave equal tables.").format(
                equal=sum(case["engines_equal"] for case in compared), compared=len(compared)
            )
        )
    rows: list[list[Text]] = []
    for case in cases:
        queue = f"{case['queue']} [{case['source']}]"
        for quantity in case["quantities"]:
            rows.append([Code(case["name"]), queue, quantity["name"], *_judged(quantity)])
        if case.get("failure"):
            fails = _("FAIL: {verdict}").format(verdict=case["failure"])
            rows.append([Code(case["name"]), queue, _("audit"), "", "", "", fails])
    level = f"{100 * found['confidence']:g}"
    return [
        Paragraph(" ".join(sums)),
        Table(
            _("Measured against exact values ({level} % intervals)").format(level=level),
            [_("case"), _("what it reduces to"), _("quantity"), _("measured"), _("interval"),
             _("exact"), _("verdict")],
            rows,
            "<<<>>><",
        ),
    ]  # fmt: skip


def against_history(evidence: Evidence) -> list[Block]:
    """What a backtest is, and the one that was given."""
    how = Paragraph(
        _(
            "vaxsim backtest replays observed days, fits what is unknown on a first window, "
            "predicts a later one and sets the error beside those of two naive forecasts."
        )
    )
    study = evidence.backtest
    if study is None:
        how_to = Paragraph(
            [
                _("No results were given to this document. To have them here: "),
                Code("vaxsim backtest … --out FOLDER"),
                _(", then the option "),
                Code("--backtest FOLDER"),
                ".",
            ]
        )
        return [how, how_to]
    from sim.presentation.report import blocks_of
    from sim.presentation.study_views import study_sections

    made = study.manifest
    words = _("Backtest of the scenario “{title}”, made on {day} with seed {seed} by {program}:")
    return [
        how,
        Paragraph(
            words.format(
                title=named(str(made["title"])),
                day=long_date(date.fromisoformat(made["created_at"][:10])),
                seed=study.seed,
                program=_program(made),
            )
        ),
        *_of_another_program(made),
        *blocks_of(study_sections(study)),
    ]


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
        _measured(found)
        _measured_by(Evidence(found, str(path)))
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


def read_backtest(folder: Path) -> Study:
    """The backtest in a folder. Raises RunError where there is none, or none that can be told."""
    from sim.experiment.results import RunError
    from sim.experiment.study import open_study
    from sim.presentation.study_views import study_sections

    study = open_study(folder)
    if study.kind != "backtest":
        raise RunError(
            _("{folder} is no backtest but another study: {kind}").format(
                folder=folder, kind=study.kind
            )
        )
    try:
        study_sections(study)
    except (KeyError, TypeError, ValueError):  # made by other code of the same version
        raise RunError(
            _("{folder} was made by another program ({program}): make it again").format(
                folder=folder, program=_program(study.manifest)
            )
        ) from None
    return study
