"""How long the page takes from a moved slider to the redrawn answer, and what it holds.

    python tests/benchmarks/page_speed.py [SCENARIO] [--changes 20] [--memory 200] [--tabs 20]

Starts `vaxsim app` on a free port of this machine, opens it in Chromium, and moves the number of
agents with the keyboard: one change after the other, then with a second reader who does the same at
the same time, then many changes and tabs while the server's memory is watched. Where other work
goes on on the machine, the server's processor time says more than the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
_REDRAWN = """previous => {
    const of = id => document.getElementById(id)?.dataset.of;
    const now = of("answer");
    return now !== previous && now === of("coverage") && now === of("reasons");
}"""


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[tuple[str, int]]:
    """The page's address and the process that serves it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "sim", "app", *arguments, "--no-browser", "--port", str(port)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(url, timeout=1)
                break
            time.sleep(0.2)
        yield url, server.pid
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)


def opened(playwright, url: str) -> Page:  # type: ignore[no-untyped-def]
    """The page with its first answer."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    page = browser.new_page()
    page.goto(url)
    ready(page)
    return page


def ready(page: Page) -> None:
    """Wait until the page has its first answer and all its inputs."""
    page.wait_for_function(_REDRAWN, arg="", timeout=60_000)
    rested(page)


def rested(page: Page) -> None:
    """Wait until the server has nothing more to do for this page."""
    page.locator('[data-test-script-state="notRunning"]').wait_for()
    page.wait_for_timeout(1000)


def seconds_of_changes(page: Page, number: int) -> list[float]:
    """From the key that moves a slider to the redrawn verdict, curve and reasons."""
    page.get_by_role("slider").first.focus()
    taken = []
    for _ in range(number):
        page.wait_for_timeout(100)
        before = page.get_attribute("#answer", "data-of")
        begin = time.perf_counter()
        page.keyboard.press("ArrowRight")
        page.wait_for_function(_REDRAWN, arg=before, timeout=60_000, polling=10)
        taken.append(time.perf_counter() - begin)
    return taken


def processor_seconds(process: int) -> float:
    """Processor time that a process has taken so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def megabytes(process: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def told(what: str, seconds: list[float]) -> None:
    """Print the median and the extremes."""
    print(
        f"{what}: median {statistics.median(seconds):.2f} s, "
        f"{min(seconds):.2f} to {max(seconds):.2f}, {len(seconds)} changes",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", nargs="?", default="scenarios/plan.toml")
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--memory", type=int, default=200)
    parser.add_argument("--tabs", type=int, default=20)
    asked = parser.parse_args()
    with served(asked.scenario) as (url, process), sync_playwright() as playwright:
        page = opened(playwright, url)
        seconds_of_changes(page, 2)
        before = processor_seconds(process)
        told("one reader", seconds_of_changes(page, asked.changes))
        taken = (processor_seconds(process) - before) / asked.changes
        print(f"the server's processor time: {taken:.2f} s a change, panels included", flush=True)
        other = threading.Thread(target=_another_reader, args=(url, asked.changes))
        other.start()
        page.wait_for_timeout(3000)
        told("with a second reader", seconds_of_changes(page, asked.changes))
        other.join()
        rested(page)
        for done in range(0, asked.memory, 20):
            print(f"after {done} more changes: {megabytes(process):.0f} MB", flush=True)
            page.goto(f"{url}/?seed={3 + done}")  # of which nothing is remembered
            ready(page)
            seconds_of_changes(page, 20)
            rested(page)
        print(f"after {asked.memory} more changes: {megabytes(process):.0f} MB", flush=True)
        for tab in range(asked.tabs):
            other = page.context.browser.new_page()
            other.goto(f"{url}/?seed={1000 + tab}&panel=units")
            ready(other)
            other.close()
        rested(page)
        print(f"after {asked.tabs} more tabs, opened and closed: {megabytes(process):.0f} MB")


def _another_reader(url: str, number: int) -> None:
    with sync_playwright() as playwright:
        page = opened(playwright, f"{url}/?seed=2")
        told("the second reader", seconds_of_changes(page, number))


if __name__ == "__main__":
    main()
