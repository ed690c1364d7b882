"""The page in a real browser, as an analyst uses it, in both languages.

One server for all, with a small campaign (answers in a few hundredths of a second) and the plan.
Nothing may be asked of any other address than this machine's, and the browser's console must stay
without an error, in every test.
"""

from __future__ import annotations

import html
import http.client
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sim.language import _, named, speaking
from sim.presentation import answer_view
from sim.presentation.page import exports
from sim.presentation.page.answers import answered
from sim.presentation.page.state import PANELS
from sim.scenario import Scenario
from sim.scenario_files import load_scenario
from tests.small_campaign import small_scenario

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PLAN = Path("scenarios/plan.toml")

pytest.importorskip("playwright", reason="Playwright is not installed (extra `test`)")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.timeout(600),
]
SECONDS = 90_000
"""milliseconds after which something has not come, however slow the machine"""


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


RESTS = """() => {
    const state = document.querySelector("[data-testid=stApp]")?.dataset.testScriptState;
    window.since = state === "notRunning" ? window.since || performance.now() : 0;
    return window.since && performance.now() - window.since > 300;
}"""
"""Without a break for a while; a change takes a moment until the page begins to answer it."""


def quiet(page: Any) -> None:
    """Wait until the page rests."""
    page.evaluate("() => { window.since = 0 }")
    page.wait_for_function(RESTS)


def which(page: Any) -> str:
    return str(page.get_attribute("#answer", "data-of"))


def expected(code: str, agents: int) -> str:
    """The verdict with so many agents, found without the page."""
    changes = {"call_centre": {"pools": {"desk": {"agents": agents}}}}
    with speaking(code):
        return answer_view.verdict(answered("", small_scenario(changes), 1).answer)


def open_panel(page: Any, name: str) -> None:
    page.get_by_text(name, exact=True).first.click()
    page.get_by_role("heading", name=name, exact=True).wait_for()
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
    for _time in range(3):
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
    for _time in range(10):
        reader.keyboard.press("ArrowRight")
        reader.wait_for_timeout(120)
    reader.wait_for_function(
        "() => document.getElementById('answer').innerText.includes('pools.thai.agents=30')"
    )
    settled(reader, before)
    assert "pools.thai.agents=30" in reader.inner_text("#answer")  # 20 and ten more
    changed = load_scenario(PLAN, ["call_centre.pools.thai.agents=30"])
    verdict = answer_view.verdict(answered("", changed, 1).answer)
    assert verdict in reader.inner_text("#answer")


@pytest.mark.parametrize("code", ["en", "th"])
def test_headings_name_the_page_its_parts_and_theirs(reader: Any, url: str, code: str) -> None:
    """As a screen reader lists them: one of the page, then none that skips a level."""
    for panel, name in PANELS.items():
        reader.goto(f"{url}/?lang={code}&panel={panel}&pin=small")
        settled(reader)
        headings = reader.locator("h1, h2, h3, h4, h5, h6")
        found = headings.evaluate_all("all => all.map(e => [+e.tagName[1], e.innerText])")
        main = [h for h in found if h[0] == 1]
        with speaking(code):
            assert [text for _level, text in main] == [_("Vaccination campaign")]
            assert [2, _("Coverage over time")] in found
            assert [2, _(name)] in found
        levels = [level for level, _text in found if level > 1]
        assert levels[0] == 2
        assert all(below <= above + 1 for above, below in pairwise(levels))


def test_a_scenario_is_pinned_and_compared(reader: Any, url: str) -> None:
    reader.goto(url)
    settled(reader)
    before = which(reader)
    reader.get_by_role("button", name="Pin this scenario").click()
    reader.wait_for_url("**pin=small**")
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


def test_a_file_of_another_kind_is_told_in_thai(reader: Any, url: str, tmp_path: Path) -> None:
    other = tmp_path / "mine.json"
    other.write_text("{}", encoding="utf-8")
    reader.goto(f"{url}/?lang=th")
    settled(reader)
    with speaking("th"):
        reader.get_by_text(_("Open a scenario file")).click()
        told = "mine.json: " + _("a scenario is a TOML file: its name ends in .toml")
    reader.locator('input[type="file"]').set_input_files(other)
    reader.get_by_role("alert").filter(has_text=told).wait_for()
    assert set(reader.evaluate(ENGLISH)) == set()


@pytest.mark.parametrize("code", ["en", "th"])
def test_titles_of_scenarios_can_be_read_whole(reader: Any, url: str, code: str) -> None:
    """The box cuts off what is longer than itself: then the title is below it."""
    reader.goto(f"{url}/?lang={code}&scenario=plan")
    settled(reader)
    with speaking(code):
        title = named(load_scenario(PLAN).title)
    box = reader.get_by_role("combobox").first
    assert box.input_value() == title
    below = reader.get_by_test_id("stSidebar").get_by_text(title, exact=True)
    cut = box.evaluate("e => e.scrollWidth > e.clientWidth")
    below.wait_for(state="visible" if cut else "hidden")  # not shown twice
    box.click()
    options = reader.get_by_role("option")
    options.filter(has_text=title).wait_for()
    cut = "all => all.filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText)"
    assert options.locator("div").evaluate_all(cut) == []


TOLD = """() => {
    const below = document.querySelector("[data-testid=stFileUploader]");
    const read = "[data-testid=stFileChip]>[role=alert],[data-testid=stTooltipErrorContent]";
    const said = e => e.textContent.replace(/^(Error|ผิดพลาด): /, "");
    return [getComputedStyle(below, "::after").content,
        ...[...document.querySelectorAll(read)].map(said)];
}"""
"""Why a file is refused, where it is shown, read aloud, and told under the pointer."""


@pytest.mark.parametrize("code", ["en", "th"])
def test_a_file_of_100_megabytes_is_refused(
    reader: Any, url: str, tmp_path: Path, code: str
) -> None:
    large = tmp_path / "large.toml"
    with large.open("wb") as file:
        file.truncate(100_000_000)
    reader.goto(f"{url}/?lang={code}")
    settled(reader)
    before = which(reader)
    with speaking(code):
        reader.get_by_text(_("Open a scenario file")).click()
        told = _("This file cannot be used: it must be TOML (*.toml), of at most 1 MB.")
    reader.locator('input[type="file"]').set_input_files(large)
    reader.locator("[data-testid=stFileChip][aria-invalid=true]").wait_for()
    quiet(reader)
    reader.mouse.move(0, 0)
    reader.get_by_test_id("stTooltipErrorHoverTarget").hover()
    reader.get_by_test_id("stTooltipErrorContent").wait_for()
    assert [text.strip('"') for text in reader.evaluate(TOLD)] == [told] * 3
    if code == "th":
        assert set(reader.evaluate(ENGLISH)) == set()
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


def test_every_file_is_prepared_and_saved(reader: Any, url: str) -> None:
    reader.goto(f"{url}/?panel=take_away")
    settled(reader)
    found = answered("", small_scenario(), 1)
    tables = zipfile.ZipFile(io.BytesIO(saved(reader, "Tables (CSV and Parquet, ZIP)")))
    daily = found.run.table("daily")["administered"].sum()
    assert pd.read_csv(tables.open("csv/daily.csv"))["administered"].sum() == daily
    parquet = pd.read_parquet(io.BytesIO(tables.read("parquet/daily.parquet")))
    assert parquet["administered"].sum() == daily
    pictures = zipfile.ZipFile(io.BytesIO(saved(reader, "Pictures (PNG and SVG, ZIP)")))
    starts = {Path(name).suffix: pictures.read(name)[:5] for name in pictures.namelist()}
    assert starts == {".png": b"\x89PNG\r", ".svg": b"<?xml"}
    report = saved(reader, "Report (HTML)").decode()
    assert answer_view.verdict(found.answer) in html.unescape(report)


def saved(page: Any, label: str) -> bytes:
    """A file of the last panel."""
    page.get_by_role("button", name=f"Prepare: {label}").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=f"Save: {label}").click()
    quiet(page)
    return Path(waiting.value.path()).read_bytes()


def test_an_ensemble_fills_in(reader: Any, url: str) -> None:
    reader.goto(f"{url}/?panel=ensemble")
    settled(reader)
    reader.get_by_role("button", name="Simulate them").click()
    reader.get_by_text("How likely by").first.wait_for()
    told = reader.inner_text('[data-testid="stMain"]')
    assert "median of 20 replications" in told, told


def test_a_stopped_ensemble_tells_what_is_there(reader: Any, url: str) -> None:
    reader.goto(f"{url}/?panel=ensemble&seed=4")
    settled(reader)
    reader.get_by_role("slider", name="Replications").focus()
    reader.keyboard.press("End")
    quiet(reader)
    reader.get_by_role("button", name="Simulate them").click()
    reader.get_by_text(re.compile("[1-9][0-9]? of 100 replications")).wait_for()
    reader.get_by_role("button", name="Stop").click()
    reader.get_by_text("How likely by").first.wait_for()
    number = re.search(r"median of ([0-9]+) replications?", reader.inner_text("body"))
    assert number is not None
    assert 1 <= int(number[1]) < 100
    assert reader.get_by_role("button", name="Simulate them").is_enabled()


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ("set=nonsense", "nonsense: write --set dotted.path=value"),
        ("set=call_centre.lines%3D-5", "must be a whole number between 1 and"),
        ("set=title%3D1%0A%5Bunits%5D", "[units]: write --set dotted.path=value"),
        ("scenario=../../etc/passwd&seed=abc", "cannot be: seed=abc, scenario=../../etc/passwd"),
        ("panel=%3Cimg%20src%3Dx%3E", "cannot be: panel=<img src=x>"),
    ],
)
def test_a_tampered_link_is_told_of(reader: Any, url: str, parameters: str, told: str) -> None:
    reader.goto(f"{url}/?{parameters}")
    reader.get_by_role("alert").filter(has_text=told).wait_for()
    quiet(reader)
    text = reader.inner_text("body")
    assert "Traceback" not in text
    assert "An error in vaxsim itself" not in text
    if parameters.startswith("set="):  # with the change taken back there is an answer again
        reader.get_by_role("button", name="Take all changes back").click()
    settled(reader)
    assert expected("en", 2) in reader.inner_text("#answer")


def test_thai_digits_in_a_link_are_numbers(reader: Any, url: str) -> None:
    reader.goto(f"{url}/?set=call_centre.pools.desk.agents%3D๔")
    settled(reader)
    assert expected("en", 4) in reader.inner_text("#answer")


def test_the_browser_goes_back_to_what_was_shown(reader: Any, url: str) -> None:
    from playwright.sync_api import expect

    reader.goto(url)
    settled(reader)
    before = which(reader)
    reader.get_by_role("slider").first.focus()
    reader.keyboard.press("ArrowRight")
    settled(reader, before)
    changed = which(reader)
    reader.go_back()
    settled(reader, changed)
    assert which(reader) == before
    expect(reader.get_by_role("slider").first).to_have_attribute("aria-valuetext", "2")


@pytest.mark.parametrize(("code", "scheme"), [("en", "light"), ("th", "dark")])
def test_every_panel_is_accessible(browser: Any, url: str, code: str, scheme: Any) -> None:
    """axe finds no serious fault, with all inputs open."""
    from axe_playwright_python.sync_playwright import Axe

    faults = []
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    for panel in PANELS:
        page.goto(f"{url}/?lang={code}&panel={panel}&pin=small&set=call_centre.lines%3D5")
        settled(page)
        if panel == "binds":
            open_all_inputs(page)
        found = Axe().run(page).response["violations"]
        faults += [
            f"{panel}: {fault['id']}: {fault['nodes'][0]['html'][:200]}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]
    context.close()
    assert faults == []


CONTRAST = """() => {
    const light = colour => {
        const of = colour.match(/[0-9.]+/g).slice(0, 3).map(c => c / 255);
        const [r, g, b] = of.map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    };
    const button = document.querySelector('button[kind="primary"]');
    const ground = light(getComputedStyle(button).backgroundColor);
    const ink = light(getComputedStyle(button.querySelector("p")).color);
    return Math.max(ground, ink) / Math.min(ground, ink);
}"""
"""WCAG 2: of the main button's text; axe does not judge it."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_main_button_can_be_read(browser: Any, url: str, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{url}/?panel=ensemble")
    settled(page)
    page.locator('button[kind="primary"]').wait_for()
    assert page.evaluate(CONTRAST) >= 4.5
    context.close()


def open_all_inputs(page: Any) -> None:
    """Open whatever is folded in the side bar."""
    for summary in page.locator('[data-testid="stSidebar"] summary').all():
        if summary.locator("xpath=..").get_attribute("open") is None:
            summary.click()
    quiet(page)


@pytest.mark.parametrize("code", ["en", "th"])
def test_a_telephone_shows_every_panel_without_scrolling_sideways(
    browser: Any, url: str, code: str
) -> None:
    """Wide tables and pictures are scrolled in their own frames."""
    context = browser.new_context(viewport={"width": 400, "height": 800})
    page = context.new_page()
    wide = []
    for panel in PANELS:
        page.goto(f"{url}/?lang={code}&panel={panel}&pin=small&set=call_centre.lines%3D5")
        settled(page)
        width = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        if width > 400:
            wide.append((panel, width))
    context.close()
    assert wide == []


ENGLISH = """() => {
    const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode, element = text.parentElement;
        if (!element.checkVisibility() || getComputedStyle(element).fontSize === "0px") continue;
        if (element.closest("style,script,code,pre,.about,[translate=no]")) continue;
        const told = text.textContent.replace(
            /Strategy Unit|Asgary et al|ZHAW Winterthur|Brown et al|Samut Sakhon/g, "");
        if (/[a-z]{3,} [a-z]{3,}/i.test(told)) found.push(text.textContent);
    }
    return found;
}"""
"""Texts with two English words in a row that are seen, but for code and proper names."""


def test_a_thai_page_has_no_english_words(reader: Any, url: str) -> None:
    english = set()
    for panel in PANELS:
        reader.goto(
            f"{url}/?lang=th&scenario=plan&panel={panel}&pin=plan&set=call_centre.lines%3D130"
        )
        settled(reader)
        if panel == "binds":
            open_all_inputs(reader)
        english |= set(reader.evaluate(ENGLISH))
    assert english == set()


NAMES = """() => [document.documentElement.lang, ...[...document.querySelectorAll("*")]
    .filter(e => e.checkVisibility() && !e.closest("code,pre,[translate=no],[data-key]"))
    .flatMap(e => ["aria-label", "aria-valuetext", "title", "placeholder", "alt"]
        .map(name => e.getAttribute(name)))
    .filter(name => /[a-z]{4}/i.test(name || "") && !name.includes("dotted.path=value"))]"""
"""The page's language, and what a screen reader says that has a Latin word."""


def test_a_thai_page_has_no_english_names(browser: Any, url: str) -> None:
    """Of Streamlit's buttons, side bar, dates; and none stays Thai where the reader goes on.

    The days of a calendar are named as the browser's language has it.
    """
    context = browser.new_context(locale="th-TH")
    reader, names = context.new_page(), []
    reader.set_default_timeout(SECONDS)
    reader.goto(f"{url}/?lang=th&scenario=plan")
    settled(reader)
    reader.get_by_role("combobox").first.fill("zzz")
    with speaking("th"):
        reader.get_by_text(_("Nothing found"), exact=True).wait_for()
    names += reader.evaluate(NAMES)
    reader.keyboard.press("Escape")
    open_all_inputs(reader)
    names += reader.evaluate(NAMES)
    reader.get_by_test_id("stDateInputCalendarButton").first.click()
    reader.get_by_role("dialog").wait_for()
    names += reader.evaluate(NAMES)
    reader.keyboard.press("Escape")
    reader.get_by_text("English", exact=True).click()
    reader.get_by_role("heading", name="What can be moved").wait_for()
    quiet(reader)
    assert set(names) - {"ไฟล์ฉากทัศน์ (TOML ไม่เกิน 1 MB) ต่อยอดจากรายการข้างต้นได้"} == {"th"}
    thai = "() => [...document.querySelectorAll('[aria-label]')].map(e => e.ariaLabel)"
    assert not any(re.search("[\u0e00-\u0e7f]", name) for name in reader.evaluate(thai))
    assert reader.evaluate("document.documentElement.lang") == "en"
    context.close()


@pytest.mark.parametrize("code", ["en", "th"])
def test_a_number_and_a_date_that_cannot_be_are_told(reader: Any, url: str, code: str) -> None:
    reader.goto(f"{url}/?lang={code}&scenario=plan")
    settled(reader)
    before = which(reader)
    open_all_inputs(reader)
    lines = reader.get_by_test_id("stNumberInputField").first
    lines.fill("-5")
    lines.press("Enter")
    most = lines.get_attribute("max")
    with speaking(code):
        told = _("This number cannot be. Write one from {low} to {high}.")
        number = _("Error: {text}").format(text=told.format(low="0", high=most))
        of_date = _("This date cannot be. Choose one up to {high}.").format(high="30/11/2021")
    said = reader.get_by_test_id("stNumberInputContainer").first
    said.get_by_text(number).wait_for(state="attached")
    reader.locator("[data-type=year]").first.click()
    reader.keyboard.type("2564")
    reader.keyboard.press("Tab")
    reader.get_by_text(of_date).first.wait_for(state="attached")
    quiet(reader)
    assert which(reader) == before


NAME_OF_FOCUSED = """() => {
    const focused = document.activeElement;
    return focused.getAttribute("aria-label") || focused.innerText?.slice(0, 40)
        || focused.closest("label")?.innerText || "";
}"""


def test_everything_is_reached_with_the_keyboard(reader: Any, url: str) -> None:
    reader.goto(url)
    settled(reader)
    missing = {"English", "Agents, desk", "Pin this scenario", "What binds"}
    reached = []
    # A round takes 20 presses; labels may still be drawn during the first ones.
    deadline = time.monotonic() + SECONDS / 1000
    while missing and time.monotonic() < deadline:
        reader.keyboard.press("Tab")
        reached.append(reader.evaluate(NAME_OF_FOCUSED).strip())
        missing = {wanted for wanted in missing if wanted not in reached[-1]}
    assert not missing, reached[-100:]


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
