"""The page in a real browser, as an analyst uses it, in both languages.

One server for all, with a small campaign (answers in a few hundredths of a second) and the plan.
Nothing may be asked of any other address than this machine's, and the browser's console must stay
without an error, in every test.
"""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sim.language import speaking
from sim.presentation import terminal
from sim.presentation.page import exports
from sim.presentation.page.answers import answered
from sim.scenario import Scenario
from sim.scenario_files import load_scenario
from tests.small_campaign import small_scenario

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PLAN = Path("scenarios/plan.toml")

pytest.importorskip("playwright", reason="Playwright is not installed (extra `test`)")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.timeout(180),
]
SECONDS = 40_000
"""milliseconds after which something has not come"""


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium, without whatever it does in the background."""
    return {
        "executable_path": CHROMIUM,
        "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--no-first-run",
        ],
    }  # fmt: skip


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, Any]:
    """English unless a test says otherwise; a common screen."""
    return {"locale": "en-GB", "viewport": {"width": 1280, "height": 900}}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with the small campaign and the plan."""
    small = tmp_path_factory.mktemp("page") / "small.toml"
    small.write_text(exports.scenario_file(small_scenario(), "small"), encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "sim", "app", str(small), str(PLAN), "--no-browser"]
    server = subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            assert server.poll() is None, "the server has ended"
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture
def reader(page: Any) -> Iterator[Any]:
    """A browser tab in which nothing goes wrong and nothing is asked of the outside."""
    wrong: list[str] = []
    asked: list[str] = []
    page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.set_default_timeout(SECONDS)
    yield page
    outside = [u for u in asked if not re.match(r"(http|ws)://127\.0\.0\.1:|data:|blob:", u)]
    assert asked
    assert outside == []
    assert wrong == []


REDRAWN = """previous => {
    const of = id => document.getElementById(id)?.dataset.of;
    const now = of("answer");
    return now && now !== previous && now === of("coverage") && now === of("reasons");
}"""


def settled(page: Any, previous: str = "") -> None:
    """Wait for another answer than the previous one, and until nothing is going on."""
    page.wait_for_function(REDRAWN, arg=previous)
    quiet(page)


def quiet(page: Any) -> None:
    """Wait until the page rests."""
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    page.wait_for_timeout(300)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()


def which(page: Any) -> str:
    return str(page.get_attribute("#answer", "data-of"))


def expected(code: str, agents: int) -> str:
    """The verdict with so many agents, found without the page."""
    changes = {"call_centre": {"pools": {"desk": {"agents": agents}}}}
    with speaking(code):
        return terminal.verdict(answered("", small_scenario(changes), 1).answer)


def open_panel(page: Any, name: str) -> None:
    page.get_by_text(name, exact=True).first.click()
    quiet(page)


@pytest.mark.parametrize("code", ["en", "th"])
def test_agents_are_changed_and_the_verdict_follows(reader: Any, url: str, code: str) -> None:
    reader.goto(f"{url}/?lang={code}")
    settled(reader)
    assert expected(code, 2) in reader.inner_text("#answer")
    # with the keyboard: the first slider is that of the agents
    slider = reader.get_by_role("slider").first
    slider.focus()
    before = which(reader)
    for _ in range(3):
        reader.keyboard.press("ArrowRight")
    reader.wait_for_function(
        "() => document.getElementById('answer').innerText.includes('desk.agents=5')"
    )
    settled(reader, before)
    assert expected(code, 5) in reader.inner_text("#answer")
    assert "set=call_centre.pools.desk.agents%3D5" in reader.url
    assert f"lang={code}" in reader.url


def test_thai_browsers_are_answered_in_thai(browser: Any, url: str) -> None:
    context = browser.new_context(locale="th-TH")
    page = context.new_page()
    page.goto(url)
    page.wait_for_function(REDRAWN, arg="", timeout=SECONDS)
    assert expected("th", 2) in page.inner_text("#answer")
    context.close()


def test_ten_quick_changes_end_in_the_last_ones_answer(reader: Any, url: str) -> None:
    """On the plan, whose answer takes longer than the time between two of them."""
    reader.goto(f"{url}/?scenario=plan")
    settled(reader)
    before = which(reader)
    reader.get_by_role("slider").first.focus()
    for _ in range(10):
        reader.keyboard.press("ArrowRight")
        reader.wait_for_timeout(120)
    reader.wait_for_function(
        "() => document.getElementById('answer').innerText.includes('pools.thai.agents=30')"
    )
    settled(reader, before)
    assert "pools.thai.agents=30" in reader.inner_text("#answer")  # 20 and ten more
    changed = load_scenario(PLAN, ["call_centre.pools.thai.agents=30"])
    verdict = terminal.verdict(answered("", changed, 1).answer)
    assert verdict in reader.inner_text("#answer")


def test_a_scenario_is_pinned_and_compared(reader: Any, url: str) -> None:
    reader.goto(url)
    settled(reader)
    before = which(reader)
    reader.get_by_role("button", name="Pin this scenario").click()
    quiet(reader)
    reader.get_by_role("slider").first.focus()
    reader.keyboard.press("ArrowRight")
    settled(reader, before)
    open_panel(reader, "Compare")
    table = reader.locator("table", has_text="What differs")
    table.wait_for()
    assert table.locator("tbody td").all_inner_texts() == ["2", "3"]
    assert "pin=small" in reader.url


def test_a_link_reproduces_what_another_reader_sees(reader: Any, url: str, browser: Any) -> None:
    reader.goto(f"{url}/?set=call_centre.pools.desk.agents%3D4&seed=9&panel=doses&pin=small")
    settled(reader)
    other = browser.new_page()
    other.goto(reader.url)
    other.wait_for_function(REDRAWN, arg="", timeout=SECONDS)
    assert other.inner_text("#answer") == reader.inner_text("#answer")
    assert "seed 9" in other.inner_text("#answer")
    other.close()


def test_a_broken_file_is_told_and_a_good_one_is_answered(
    reader: Any, url: str, tmp_path: Path
) -> None:
    broken, good = tmp_path / "broken.toml", tmp_path / "=good.toml"
    broken.write_text('extends = "small.toml"\n[call_centre]\nlinse = 3\n', encoding="utf-8")
    good.write_text(
        'extends = "small.toml"\ntitle = "<b>Mine</b> <img src=x onerror=alert(1)>"\n'
        "[call_centre]\nlines = 3\n",
        encoding="utf-8",
    )
    reader.goto(url)
    settled(reader)
    before = which(reader)
    reader.get_by_text("Open a scenario file").click()
    reader.locator('input[type="file"]').set_input_files(broken)
    alert = reader.get_by_role("alert").filter(has_text="linse")
    alert.wait_for()
    assert "broken.toml:3: call_centre.linse = 3: is no known key" in alert.inner_text()
    assert which(reader) == before  # the page lives
    reader.locator('input[type="file"]').set_input_files(good)
    settled(reader, before)
    assert "<b>Mine</b> <img src=x" in reader.inner_text("#answer")  # text, and no tags
    assert reader.locator("#answer img").count() == 0


def test_a_file_of_100_megabytes_is_refused(reader: Any, url: str, tmp_path: Path) -> None:
    large = tmp_path / "large.toml"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    reader.goto(url)
    settled(reader)
    before = which(reader)
    reader.get_by_text("Open a scenario file").click()
    reader.locator('input[type="file"]').set_input_files(large)
    reader.get_by_text(re.compile("1.?MB or smaller|must be 1")).first.wait_for()
    assert which(reader) == before


def test_an_exported_scenario_gives_the_same_numbers_on_the_command_line(
    reader: Any, url: str, tmp_path: Path
) -> None:
    reader.goto(f"{url}/?set=call_centre.pools.desk.agents%3D4&seed=3&panel=take_away")
    settled(reader)
    with reader.expect_download() as waiting:
        reader.get_by_role("button", name="Scenario file (TOML)").click()
    file = tmp_path / "exported.toml"
    waiting.value.save_as(file)
    found = subprocess.run(
        [
            sys.executable, "-m", "sim", "run", str(file), "--seed", "3", "--replications", "1",
            "--json", "--out", str(tmp_path / "run"), "--lang", "en",
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert json.loads(found.stdout)["verdict"] in reader.inner_text("#answer")


def test_an_ensemble_fills_in_and_can_be_stopped(reader: Any, url: str) -> None:
    reader.goto(f"{url}/?panel=ensemble")
    settled(reader)
    reader.get_by_role("button", name="Simulate them").click()
    reader.get_by_text("How likely by").first.wait_for()
    assert "20 replications" in reader.inner_text('[data-testid="stMain"]')


def test_every_panel_is_accessible_on_light_and_dark_screens(browser: Any, url: str) -> None:
    """axe finds no serious fault, with all inputs open."""
    from axe_playwright_python.sync_playwright import Axe

    faults = []
    for scheme, panels in (("light", ["", "call_centre", "units"]), ("dark", ["compare"])):
        context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
        page = context.new_page()
        for panel in panels:
            page.goto(f"{url}/?panel={panel}&pin=small&set=call_centre.lines%3D5")
            settled(page)
            if not panel:
                for summary in page.locator('[data-testid="stSidebar"] summary').all():
                    if not summary.locator("xpath=..").get_attribute("open"):
                        summary.click()
                quiet(page)
            found = Axe().run(page).response["violations"]
            faults += [
                f"{scheme} {panel}: {fault['id']}: {fault['nodes'][0]['html'][:200]}"
                for fault in found
                if fault["impact"] in ("serious", "critical")
            ]
        context.close()
    assert faults == []


def test_everything_is_reached_with_the_keyboard(reader: Any, url: str) -> None:
    reader.goto(url)
    settled(reader)
    reached = set()
    for _ in range(60):
        reader.keyboard.press("Tab")
        reached.add(
            reader.evaluate(
                "() => document.activeElement.getAttribute('aria-label')"
                " || document.activeElement.innerText?.slice(0, 40)"
                " || document.activeElement.closest('label')?.innerText || ''"
            ).strip()
        )
    for wanted in ("English", "Agents, desk", "Pin this scenario", "What binds"):
        assert any(wanted in name for name in reached), (wanted, reached)


def test_two_tabs_do_not_disturb_each_other(reader: Any, url: str, browser: Any) -> None:
    reader.goto(url)
    settled(reader)
    other = browser.new_page()
    other.goto(f"{url}/?scenario=small&set=call_centre.pools.desk.agents%3D6")
    other.wait_for_function(REDRAWN, arg="", timeout=SECONDS)
    before = which(reader)
    reader.get_by_role("slider").first.focus()
    reader.keyboard.press("ArrowRight")
    settled(reader, before)
    assert "desk.agents=3" in reader.inner_text("#answer")
    assert "desk.agents=6" in other.inner_text("#answer")
    other.close()


def test_a_foreign_page_cannot_connect(url: str) -> None:
    """The handshake of a WebSocket that another site's page would make is refused."""
    address, port = url.removeprefix("http://").split(":")
    for origin, status in (("http://evil.example", 403), (url, 101)):
        connection = http.client.HTTPConnection(address, int(port), timeout=20)
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
            "Origin": origin,
        }
        connection.request("GET", "/_stcore/stream", headers=headers)
        assert connection.getresponse().status == status
        connection.close()


def test_the_scenario_of_these_tests_is_the_small_one() -> None:
    assert isinstance(small_scenario(), Scenario)
