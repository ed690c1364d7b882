"""Claims about the report: it says what the command line says, stands alone, and stays the same."""

import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from campaign_processes import ROOT
from small_campaign import small_scenario

from sim.experiment.answer import answer
from sim.experiment.comparison import comparison, open_comparison, plan_comparison
from sim.experiment.results import Run, RunError, open_run
from sim.experiment.runs import carry_out
from sim.experiment.settings import RunSettings
from sim.language import speaking
from sim.presentation import answer_view, terminal
from sim.presentation.document import (
    Listing,
    Paragraph,
    Table,
    blocks_in,
    fragment,
    html,
    pieces,
)
from sim.presentation.parameters import STATUS, parameters
from sim.presentation.pdf import BROWSERS
from sim.presentation.report import blocks_of, report, report_of_run
from sim.scenario_files import load_scenario, raw_scenario

HOSTILE = "=1+1 <script>alert('x')</script>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs") / "small"
    settings = RunSettings(replications=3, workers=1)
    return carry_out(small_scenario({"title": HOSTILE}), settings, folder)[0]


@pytest.fixture(scope="module")
def written(run: Run) -> str:
    return html(report_of_run(run))


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_report_begins_with_the_verdict_that_the_command_line_gives(
    run: Run, written: str
) -> None:
    verdict = answer_view.verdict(answer(run))
    first = re.search(r'<p class="answer">(.*?)</p>', written, re.DOTALL)
    assert first is not None
    assert unescape(first.group(1)) == verdict


def test_every_number_of_the_answer_is_in_the_report(run: Run, written: str) -> None:
    words = " ".join(Page(written).words)
    for topic in answer_view.measures_by_topic(run):
        for row in topic.rows:
            assert "".join(row[1]) in words, row
    for row in answer_view.who_and_why(answer(run)).rows:
        assert "".join(row[0]) in words


def test_every_picture_has_an_alternative_text_and_all_pictures_are_there(written: str) -> None:
    pictures = [attributes for tag, attributes in Page(written).tags if tag == "img"]
    assert len(pictures) == 7  # as `vaxsim plot` draws
    assert all(each["alt"] and each["src"].startswith("data:image/") for each in pictures)


def test_the_report_needs_nothing_else_and_runs_nothing(written: str) -> None:
    for tag, attributes in Page(written).tags:
        assert tag not in ("script", "link", "iframe", "object")
        for name in ("src", "href"):
            target = attributes.get(name, "#")
            assert target.startswith(("#", "data:image/")), target
    assert "default-src 'none'" in unescape(written)


def test_what_a_scenario_says_stays_text(written: str) -> None:
    assert "<script>" not in written
    assert "&lt;script&gt;" in written


def test_the_same_run_gives_the_same_bytes(run: Run, written: str) -> None:
    assert html(report_of_run(open_run(run.folder))) == written


def test_the_report_is_in_the_language_asked_for(run: Run) -> None:
    with speaking("th"):
        page = html(report_of_run(run))
    assert '<html lang="th">' in page
    assert "มิถุนายน" in page  # June, in the table of coverage


def test_differences_from_another_scenario_are_told(run: Run) -> None:
    other = small_scenario({"call_centre": {"lines": 4}})
    words = "".join(Page(html(report_of_run(run, other))).words)
    assert "call_centre.lines46" in words  # cells side by side: there 4, here 6


def test_a_comparison_has_a_report_wherever_its_folder_is(tmp_path: Path, run: Run) -> None:
    settings = RunSettings(replications=3, workers=1)
    more = small_scenario({"call_centre": {"lines": 12}, "title": "More lines"})
    other = carry_out(more, settings, run.folder.parent / "lines")[0]
    plan = plan_comparison([run, other], settings, out=tmp_path / "compared")
    made = plan.carry_out()
    assert open_comparison(tmp_path / "compared").differences.equals(made.differences)
    page = html(report(tmp_path / "compared"))
    assert "More lines" in page
    assert page.count("<img") == 2
    assert comparison(made.runs).base == made.base


def test_a_comparison_whose_run_has_become_another_is_refused(tmp_path: Path) -> None:
    settings = RunSettings(replications=2, workers=1)
    runs = [
        carry_out(small_scenario({"call_centre": {"lines": n}}), settings, tmp_path / str(n))[0]
        for n in (4, 5)
    ]
    made = plan_comparison(runs, settings, out=tmp_path / "compared").carry_out()
    # both have one title: the names tell them apart
    titles = [f"{each.scenario.title} ({name})" for name, each in made.runs.items()]
    assert report(tmp_path / "compared").title == f"A comparison: {' – '.join(titles)}"
    shutil.rmtree(tmp_path / "4")
    carry_out(small_scenario({"call_centre": {"lines": 6}}), settings, tmp_path / "4")
    with pytest.raises(RunError, match="is another run than the one compared"):
        report(tmp_path / "compared")


def test_a_report_is_the_same_wherever_it_is_made(
    run: Run, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.folder)
    assert html(report(Path("."))) == written
    monkeypatch.chdir(run.folder.parent)
    assert html(report(Path(run.folder.name))) == written


def test_a_comparison_begins_with_its_answer_and_has_tables(tmp_path: Path, run: Run) -> None:
    settings = RunSettings(replications=3, workers=1)
    narrow = small_scenario({"call_centre": {"lines": 1}, "title": "One line"})
    other = carry_out(narrow, settings, tmp_path / "one")[0]
    made = plan_comparison([run, other], settings, out=tmp_path / "compared").carry_out()
    page = report(tmp_path / "compared")
    answered = page.blocks[0]
    assert isinstance(answered, Paragraph)
    row = made.differences.set_index("measure").loc["first_doses_by_deadline"]
    gained = f"One line, against {HOSTILE}: {row['difference']:+,.0f} people with a first dose"
    assert "".join(answered.text).startswith(gained.replace("-", "−"))
    tables = [block for block in page.blocks if isinstance(block, Table)]
    (found,) = (table for table in tables if table.caption.startswith("What comes of it"))
    headings = ["".join(row[0]) for row in found.rows if len(row) == 1]
    assert headings[0] == "Coverage by the deadline"
    words = "".join(Page(html(page)).words)
    assert all("".join(cell) in words for row in found.rows for cell in row)


def test_a_change_in_one_number_of_a_distribution_is_told_as_a_change() -> None:
    # its other numbers keep their sources, and must not hide that one has none
    file = ROOT / "scenarios" / "plan.toml"
    changes = ["call_centre.patience_minutes.mean=3"]
    chosen = [
        each
        for each in parameters(load_scenario(file, changes), raw_scenario(file, changes))
        if each.changed
    ]
    assert [each.paths for each in chosen] == [("call_centre.patience_minutes",)]
    assert chosen[0].source.startswith("mean: set by --set; ")
    assert chosen[0].assumed


def vaxsim(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from sim.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=cwd, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, timeout=120,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_writes_a_page_and_a_pdf_beside_the_run(tmp_path: Path, run: Run) -> None:
    shutil.copytree(run.folder, tmp_path / "small")
    browser = any(shutil.which(name) for name in BROWSERS)
    done = vaxsim("report", "small", "--lang", "th", *(["--pdf"] if browser else []), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = tmp_path / "small-report-th.html"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    if browser:
        assert page.with_suffix(".pdf").read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing",), "there is no such folder"),
        (("small", "--out", "report.txt"), "ends in .html"),
        (("small", "--out", "folder.html"), "is a folder"),
        (("small", "--against", "nothing.toml"), "nothing.toml"),
        (("compared", "--against", "small"), "compared is no run: leave out --against"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(
    tmp_path: Path, run: Run, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "small").symlink_to(run.folder)
    settings = RunSettings(replications=3, workers=1)
    plan_comparison([run, run], settings, out=tmp_path / "compared").carry_out()
    (tmp_path / "folder.html").mkdir()
    before = sorted(tmp_path.rglob("*"))
    done = vaxsim("report", *arguments, cwd=tmp_path)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_every_value_that_is_used_is_told_with_its_source(run: Run) -> None:
    tables = {
        block.caption: block
        for block in blocks_in(report_of_run(run).blocks)
        if isinstance(block, Table)
    }
    used = [each for each in parameters(run.scenario, run.manifest["scenario"]) if each.used]
    rows = [row for caption in STATUS.values() if caption in tables for row in tables[caption].rows]
    assert len(rows) == len(used) > 20
    assert all("".join(pieces(row[-1])) for row in rows)
    assert STATUS["unused"] not in tables  # `vaxsim describe` has them


def test_a_band_from_few_replications_says_so(run: Run) -> None:
    # 5 % of three replications is less than one
    page = html(report_of_run(run))
    assert "in brackets 5 to 95 % of the replications; from only 3 replications)" in page
    assert terminal.caution(3) == "from only 3 replications"
    assert terminal.caution(20) == ""  # a twentieth of 20 is one
    assert terminal.caution(1) == ""  # one gives no band at all


def test_lines_that_a_terminal_breaks_are_one_paragraph_of_a_report() -> None:
    # a line that goes on is indented; one below a table stands by itself
    below = Table("", ["a"], [["b"]])
    blocks = list(blocks_of([["one", "  two", "  three", "four"], [below, "  five"]]))
    assert blocks == [Paragraph("one two three"), Paragraph("four"), below, Paragraph("  five")]


def test_no_line_breaks_within_an_option() -> None:
    """A browser would break --set between its hyphens; what is around it stays escaped."""
    shown = fragment([Paragraph("by --set a=<b>"), Listing("vaxsim run --set a=1")])
    assert 'by <span class="whole">--set</span> a=&lt;b&gt;' in shown
    assert 'vaxsim run <span class="whole">--set</span> a=1' in shown
