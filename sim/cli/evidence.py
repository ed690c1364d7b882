"""What shows the program's validity in a document: options of `describe` and `report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli.console import UserError, progress, say_compiling
from sim.experiment.settings import DEFAULT_SEED, RunSettings
from sim.language import N_, _

if TYPE_CHECKING:
    from sim.presentation.verification_words import Evidence

Verification = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help=N_(
            "What `vaxsim validate --json` has printed (default: some quick cases, simulated now)."
        ),
    ),
]
NoVerification = Annotated[
    bool, typer.Option("--no-verification", help=N_("Simulate nothing for this document."))
]
Backtest = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help=N_("What `vaxsim backtest` has found, to be told, too.")),
]


def evidence(
    verification: Path | None,
    no_verification: bool,
    backtest: Path | None,
    scenario: Path | None = None,
) -> Evidence:
    """What these options name; where none names a validation, a short one is made.

    Raises UserError and RunError.
    """
    from sim.experiment.self_check import cases_to_check, folder_of_cases, provenance, self_check
    from sim.presentation.validation_view import validation_data
    from sim.presentation.verification_words import Evidence, read_backtest, read_verification

    if verification and no_verification:
        raise UserError(_("--verification or --no-verification, not both"))
    study = read_backtest(backtest) if backtest else None
    if verification:
        return Evidence(read_verification(verification), verification.name, study)
    folder = None if no_verification else folder_of_cases(scenario)
    if folder is None:
        return Evidence(backtest=study)
    with progress(_("{n} cases").format(n=len(cases_to_check())), 100) as on_percent:
        judged = self_check(folder, RunSettings(seed=DEFAULT_SEED), on_percent, say_compiling)
    data = {**provenance(DEFAULT_SEED, quick=True), **validation_data(judged)}
    return Evidence(data, backtest=study)
