"""Retakes the README's pictures of the page: `python tests/page_pictures.py` (needs Chromium).

Writes notebooks/pictures/page_en.png and page_th.png: the plan as a reader sees it first.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).parent.parent / "notebooks" / "pictures"
SIZE = {"width": 1280, "height": 950}


def main() -> None:
    """Serve the plan and take a picture in each language."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "sim", "app", "--no-browser", "--port", str(port)]
    server = subprocess.Popen(command, cwd=PICTURES.parent.parent)
    try:
        while server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.2)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
                args=["--headless", "--no-sandbox", "--disable-gpu"],
            )
            for code in ("en", "th"):
                page = browser.new_page(viewport=SIZE)
                page.goto(f"http://127.0.0.1:{port}/?lang={code}")
                page.locator("#reasons").wait_for(timeout=60_000)
                page.locator(
                    '[data-testid="stApp"][data-test-script-state="notRunning"]'
                ).wait_for()
                page.wait_for_timeout(1000)
                page.screenshot(path=PICTURES / f"page_{code}.png")
            browser.close()
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


if __name__ == "__main__":
    main()
