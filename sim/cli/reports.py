"""The command that writes a report to print or to send on: `report`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.console import (
    UserError,
    document_suffix,
    errors_reported,
    folder_of_run,
    read_scenario_or_run,
)
from sim.cli.evidence import Backtest, NoVerification, Verification, evidence
from sim.language import N_, _, language


def report(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help=N_("Folder of a run, a comparison, a sweep or another study.")
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help=N_("Where to (default: beside the folder).")),
    ] = None,
    pdf: Annotated[
        bool, typer.Option("--pdf", help=N_("Print it as PDF, too (needs Chromium)."))
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="SCENARIO", help=N_("Tell all differences from this scenario (or run).")
        ),
    ] = None,
    verification: Verification = None,
    no_verification: NoVerification = False,
    backtest: Backtest = None,
) -> None:
    """Write a report as one HTML file: verdict, pictures, tables, assumptions, validity."""
    with errors_reported():
        folder = folder_of_run(folder) or folder
        path = _path(folder, out)
        base = read_scenario_or_run(against, None)[0] if against else None
        validity = None
        if folder_of_run(folder):
            validity = evidence(verification, no_verification, backtest)
        elif verification or backtest:
            raise UserError(
                _("{folder} is no run: leave out --verification and --backtest").format(
                    folder=folder
                )
            )
        from sim.experiment.sources import put
        from sim.presentation.document import html
        from sim.presentation.pdf import print_pdf
        from sim.presentation.report import report as report_of

        page, printed = html(report_of(folder, base, validity)), path.with_suffix(".pdf")
        if pdf:  # first, because it may fail
            print_pdf(page, printed)
        put(path, page.encode())
        print(_("Report: {file}").format(file=path))
        if pdf:
            print(_("PDF: {file}").format(file=printed))


def _path(folder: Path, out: Path | None) -> Path:
    """Where the report goes. Raises UserError where it cannot."""
    if out is None:
        whole = folder.resolve()
        return Path(os.path.relpath(whole.with_name(f"{whole.name}-report-{language()}.html")))
    document_suffix(out, ".html")
    return out
