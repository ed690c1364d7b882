"""A page as PDF, printed by a browser of this machine, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from sim.experiment.results import RunError
from sim.experiment.sources import put
from sim.language import _

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Commands of browsers that print without a window."""

_PATIENCE_S = 120


def print_pdf(html: str, out: Path) -> None:
    """Print a self-contained page. Raises RunError where no browser is found, or it fails."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise RunError(
            _("--pdf needs one of these browsers, and none is installed: {browsers}").format(
                browsers=", ".join(BROWSERS)
            )
        )
    with tempfile.TemporaryDirectory() as folder:
        page, printed = Path(folder, "page.html"), Path(folder, "page.pdf")
        page.write_text(html, encoding="utf-8")
        try:
            subprocess.run(
                [
                    browser,
                    "--headless",
                    "--disable-gpu",
                    *(["--no-sandbox"] if _is_root() else []),  # it refuses to start as root
                    f"--user-data-dir={folder}/profile",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--no-pdf-header-footer",
                    f"--print-to-pdf={printed}",
                    page.as_uri(),
                ],
                check=True,
                capture_output=True,
                timeout=_PATIENCE_S,
            )
            content = printed.read_bytes()
        except (OSError, subprocess.SubprocessError) as error:
            raise RunError(
                _("{browser} could not print the page: {error}").format(
                    browser=browser, error=error
                )
            ) from None
    put(out, content)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
