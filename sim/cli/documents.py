"""Commands that write a page to hand on: `describe`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.console import document_suffix, errors_reported
from sim.cli.evidence import Backtest, NoVerification, Verification, evidence
from sim.cli.options import Overrides, ScenarioFile
from sim.language import N_, _


def describe(
    scenario: ScenarioFile,
    overrides: Overrides = None,
    verification: Verification = None,
    no_verification: NoVerification = False,
    backtest: Backtest = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=N_("Write a file, .html or .md (default: print Markdown).")
        ),
    ] = None,
) -> None:
    """Describe the model and a scenario by the STRESS-DES checklist, for a referee."""
    with errors_reported():
        suffix = document_suffix(out, ".html", ".md")
        from sim.experiment.sources import put
        from sim.presentation.description import Described, description
        from sim.presentation.document import html
        from sim.presentation.markdown import markdown

        described = Described.of(scenario, overrides or ())
        found = evidence(verification, no_verification, backtest, scenario)
        page = description(replace(described, evidence=found))
        text = html(page) if suffix == ".html" else markdown(page)
        if out is None:
            print(text, end="")
        else:
            put(out, text.encode())
            print(_("Description: {file}").format(file=out))
