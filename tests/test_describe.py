"""Claims about `vaxsim describe`, and about the pages that documents are made of.

What a description must hold is taken from the scenario and the code here, not from the description.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from sim.cli import app
from sim.experiment.measures import known_measures
from sim.experiment.self_check import CASES, cases_to_check, provenance
from sim.experiment.settings import DEFAULT_SEED, RunSettings
from sim.experiment.statistics import moments_of_quantiles
from sim.experiment.study import FORMAT
from sim.experiment.validation import validate
from sim.experiment.validation_cases import all_cases
from sim.language import days_of_week, short_date, speaking
from sim.model.campaign import Campaign
from sim.model.ledger import LAWS
from sim.model.records import TABLES
from sim.presentation.code_words import CONTRACT, chapters, order_of_day
from sim.presentation.data_words import LEFT_OUT
from sim.presentation.description import Described, description
from sim.presentation.document import (
    Code,
    Document,
    Drawing,
    Items,
    Listing,
    Paragraph,
    Picture,
    Section,
    Table,
    blocks_in,
    html,
    pieces,
)
from sim.presentation.markdown import markdown
from sim.presentation.validation_view import validation_data
from sim.random_streams import Stream, quantile_table
from sim.scenario import WEEKDAYS, Constant, Empirical, Exponential, Uniform
from sim.scenario_files import ABOUT_ITSELF, file_data, leaf_values, load_scenario, raw_scenario

SCENARIOS = Path(__file__).parent.parent / "scenarios"
PLAN = SCENARIOS / "plan.toml"


@cache
def page(name: str = "plan.toml", *overrides: str) -> Document:
    return description(Described.of(SCENARIOS / name, overrides))


def invoke(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["describe", *arguments])
    return result.exit_code, result.stdout, result.stderr


INLINE = ("code", "span", "strong", "em", "wbr")


class Reader(HTMLParser):
    """Words and tags of HTML, as a browser sees them; of drawings the title alone."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.cells: list[list[str]] = []
        self._open: list[str] = []
        self._in_cell = False
        self.feed(text)
        self.words = self.text.split()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in ("svg", "title"):
            self._open.append(tag)
        if tag == "tr":
            self.cells.append([])
        elif tag in ("td", "th"):
            self.cells[-1].append("")
            self._in_cell = True
        elif tag == "img":
            self.text += dict(attrs)["alt"] or ""
        if tag not in INLINE:
            self.text += " "

    def handle_endtag(self, tag: str) -> None:
        if tag in ("svg", "title") and self._open:
            self._open.pop()
        if tag not in INLINE:
            self.text += " "
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "svg":
            return
        self.text += data
        if self._in_cell:
            self.cells[-1][-1] += data


def of_markdown(text: str) -> Reader:
    return Reader(MarkdownIt("commonmark").enable("table").render(text))


def of_html(text: str) -> Reader:
    """The page without its frame."""
    (title,) = re.findall(r"<h1>.*?</h1>", text, re.DOTALL)
    (main,) = re.findall(r"<main.*</main>", text, re.DOTALL)
    main = re.sub(r"<nav.*</nav>", "", main, flags=re.DOTALL)  # Markdown has no contents
    (foot,) = re.findall(r"<footer>.*</footer>", text, re.DOTALL)
    return Reader(title + main + foot)


def rows_of(document: Document) -> Iterator[tuple[str, list[str]]]:
    """(caption, row) of all tables."""
    for block in blocks_in(document.blocks):
        if isinstance(block, Table):
            for row in block.rows:
                yield block.caption, ["".join(pieces(cell)) for cell in row]


def keys_in(document: Document) -> dict[str, list[str]]:
    """The row of every key that stands in a first cell."""
    return {
        piece: ["".join(pieces(cell)) for cell in row]
        for block in blocks_in(document.blocks)
        if isinstance(block, Table)
        for row in block.rows
        for piece in pieces(row[0])
        if isinstance(piece, Code)
    }


# --- what is in it --------------------------------------------------------------------------------


def world(data: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in data.items() if key not in ABOUT_ITSELF}


@pytest.mark.parametrize("name", ["plan.toml", "observed_2021.toml", "deliveries_uncertain.toml"])
def test_every_value_of_a_scenario_is_there_with_its_key(name: str) -> None:
    described = [row for c, row in rows_of(page(name)) if c.startswith(("Parameters", "Assumed"))]
    by_key = {key: row for row in described for key in row[0].split(", ")}
    for path, value in leaf_values(world(raw_scenario(SCENARIOS / name))):
        if path.endswith(".title"):
            continue
        holder = path if path in by_key else path.rpartition(".")[0]  # a distribution is one value
        assert holder in by_key, path
        said = by_key[holder][1].replace(",", "")
        if isinstance(value, bool):
            assert said == ("yes" if value else "no"), path
        elif isinstance(value, list) and value and set(value) <= set(WEEKDAYS):
            assert said == days_of_week(value).replace(",", ""), path
        elif isinstance(value, list):
            assert said.split() == [
                f"{each:g}" if isinstance(each, float) else str(each) for each in value
            ], path
        elif re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)):
            assert said == short_date(date.fromisoformat(str(value)), year=True), path
        else:
            assert (f"{value:.10g}" if isinstance(value, int | float) else str(value)) in said, path


@pytest.mark.parametrize("name", ["plan.toml", "observed_2021.toml"])
def test_every_value_left_at_its_default_is_there_by_pattern(name: str) -> None:
    keys = keys_in(page(name))
    data = world(file_data(load_scenario(SCENARIOS / name)))
    for path, _value in leaf_values(data):
        near = (path, path.rpartition(".")[0])  # or the distribution whose number it is
        found = any(fnmatchcase(each, key) for key in keys for each in near)
        assert found or path.endswith(".title"), path


def test_assumed_values_stand_apart_with_their_range_and_source() -> None:
    rows = {row[0]: row for c, row in rows_of(page()) if c.startswith("Assumed")}
    _key, value, unit, meaning, spread, source = rows["call_centre.redial_probability"]
    assert (value, unit) == ("0.7", "share")
    assert meaning.startswith("After giving up waiting") or meaning.startswith("After a busy")
    assert spread.startswith("0.5 – 0.9 (assumed")
    assert source == "assumed (0.5 to 0.9): no measured value found"
    # what the announcement says is no assumption
    known = {key for c, row in rows_of(page()) if c.startswith("Parameters") for key in [row[0]]}
    assert "deliveries.july.doses" in known
    assert "deliveries.july.doses" not in rows


def test_a_value_set_without_a_source_is_among_the_assumptions() -> None:
    rows = {
        row[0]: row
        for caption, row in rows_of(page("plan.toml", "deliveries.july.doses=70000"))
        if caption.startswith("Assumed")
    }
    assert rows["deliveries.july.doses"][1] == "70,000"
    assert rows["deliveries.july.doses"][5] == "set by --set"


def test_every_stream_is_there_with_its_frozen_number() -> None:
    rows = {row[0]: row for caption, row in rows_of(page()) if caption.startswith("Random streams")}
    assert {name: int(row[1]) for name, row in rows.items()} == {s.name: int(s) for s in Stream}
    assert all(row[2] for row in rows.values())


def test_every_measure_and_every_table_is_there() -> None:
    keys = keys_in(page())
    assert set(known_measures(load_scenario(PLAN))) <= keys.keys()
    assert set(TABLES) <= keys.keys()


def test_every_law_is_there() -> None:
    rows = {row[0]: row[1:] for caption, row in rows_of(page()) if caption == "Laws"}
    assert rows.keys() == LAWS.keys()
    assert all(
        rows[name][0] == law.left and rows[name][2] == law.right for name, law in LAWS.items()
    )


def test_every_unit_group_delivery_pool_and_regimen_is_there() -> None:
    keys, scenario = (
        keys_in(page("observed_2021.toml")),
        load_scenario(SCENARIOS / "observed_2021.toml"),
    )
    for things in (
        scenario.units, scenario.groups, scenario.deliveries, scenario.regimens,
        scenario.vaccines, scenario.call_centre.pools,
    ):  # fmt: skip
        assert things.keys() <= keys.keys()


def test_the_order_of_a_day_is_the_one_that_is_carried_out() -> None:
    steps = re.findall(r"^ +self\._(\w+),$", inspect.getsource(Campaign.run), re.MULTILINE)
    assert [name for name, _words in order_of_day()] == steps
    (items,) = [
        block.items
        for block in blocks_in(page().blocks)
        if isinstance(block, Items) and "deliver" in "".join(pieces(block.items[0]))
    ][:1]
    assert [pieces(item)[0] for item in items] == steps


def test_the_rules_of_both_days_are_told() -> None:
    said = [block.text for block in blocks_in(page().blocks) if isinstance(block, Listing)]
    rules = chapters(CONTRACT)
    assert {"One call-centre day", "One unit's session"} <= rules.keys()
    assert all(rules[name] in said for name in rules if name)


def test_all_items_of_the_checklist_have_a_heading() -> None:
    titles = [block.title for block in blocks_in(page().blocks) if isinstance(block, Section)]
    items = [title.split()[0] for title in titles if title[0].isdigit()]
    assert [item for item in items if "." in item] == [
        "1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "2.4", "2.5", "2.5.1", "2.5.2", "2.5.3", "2.5.4",
        "2.5.5", "3.1", "3.2", "3.3", "3.4", "4.1", "4.2", "4.3", "5.1", "5.2", "5.3", "5.4", "6.1",
    ]  # fmt: skip


def test_what_the_model_leaves_out_is_said() -> None:
    text = markdown(page())
    assert all(sentence in text for sentence in LEFT_OUT)


# --- what differs ---------------------------------------------------------------------------------


def test_a_base_case_says_that_it_is_one() -> None:
    assert "The scenario is the base case itself" in markdown(page())


def test_what_a_file_and_set_change_is_said_apart() -> None:
    document = page("likely.toml", "call_centre.lines=90")
    changed: dict[str, dict[str, list[str]]] = {}
    for caption, row in rows_of(document):
        if caption.startswith("What ") and " changes in " in caption:
            changed.setdefault(caption, {})[row[0]] = row[1:]
    assert list(changed) == [
        "What likely.toml changes in plan.toml",
        "What --set changes in likely.toml",
    ]
    first, second = changed.values()
    assert first["deliveries.july.doses"] == ["303000", "70000"]
    assert first["deliveries.july.announced_doses"] == ["not there", "303000"]
    assert second == {"call_centre.lines": ["120", "90"]}


def test_a_parent_that_is_no_whole_scenario_is_no_obstacle(tmp_path: Path) -> None:
    part = tmp_path / "part.toml"
    part.write_text('title = "A part"\n', encoding="utf-8")
    rest = PLAN.read_text(encoding="utf-8")
    (tmp_path / "whole.toml").write_text(f'extends = "part.toml"\n{rest}', encoding="utf-8")
    text = markdown(description(Described.of(tmp_path / "whole.toml")))
    assert "whole.toml extends part.toml, which is no whole scenario by itself" in text


# --- distributions --------------------------------------------------------------------------------


def test_moments_are_those_of_the_law_where_that_is_known() -> None:
    # uniform on 0 ... 10: 5 and 10 / sqrt(12); exponential: sd = mean, less a tail of 2**-26;
    # values 0, 1, 3 joined by lines: two halves, uniform on 0 ... 1 and on 1 ... 3
    for law, mean, sd, off in (
        (Uniform(distribution="uniform", low=0.0, high=10.0), 5.0, 10 / 12**0.5, 1e-6),
        (Exponential(distribution="exponential", mean=5.0), 5.0, 5.0, 2e-3),
        (Constant(distribution="constant", value=7.0), 7.0, 0.0, 1e-9),
        (Empirical(distribution="empirical", values=[0.0, 1.0, 3.0]), 1.25,
         ((1 / 3 + 13 / 3) / 2 - 1.25**2) ** 0.5, 1e-6),
        # 0 with 3/4, 4 with 1/4: mean 1, variance 3/4 x 1 + 1/4 x 9 = 3
        (Empirical(distribution="empirical", values=[4.0, 0.0], weights=[1.0, 3.0]),
         1.0, 3**0.5, 1e-9),
    ):  # fmt: skip
        found = moments_of_quantiles(quantile_table(law, 10**6), 10**6)
        assert found == pytest.approx((mean, sd), abs=off)


def test_distributions_are_told_with_mean_and_sd() -> None:
    rows = {row[0]: row[1:] for caption, row in rows_of(page()) if caption.startswith("Distrib")}
    # lognormal of mean 4 and cv 0.6: sd 2.4
    law, unit, mean, sd = rows["call_centre.booking_call_minutes"]
    assert (law, unit) == ("lognormal: mean 4, cv 0.6", "min")
    assert np.allclose([float(mean), float(sd)], [4.0, 2.4], atol=2e-3)
    (triangular,) = [row for key, row in rows.items() if ".registration.minutes" in key]
    # triangular on 1, 2, 3: sd = sqrt(1 / 6)
    assert np.allclose([float(each) for each in triangular[2:]], [2, (1 / 6) ** 0.5], atol=5e-4)


# --- two forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plan.toml", "observed_2021.toml"])
def test_both_forms_say_the_same_words_in_the_same_order(name: str) -> None:
    in_html, in_markdown = of_html(html(page(name))), of_markdown(markdown(page(name)))
    assert in_html.words == in_markdown.words
    assert len(in_html.words) > 5000
    assert [row for row in in_html.cells if row] == [row for row in in_markdown.cells if row]


def test_a_page_is_one_file_that_asks_nobody_for_anything() -> None:
    text = html(page())
    assert "default-src 'none'" in text.replace("&#39;", "'")
    assert not re.search(r"(src|href)=\"(?!#|data:)", text)
    assert not {"script", "link", "iframe", "object", "form"} & set(Reader(text).tags)
    assert "@import" not in text
    assert "url(" not in text.replace("url(#tip)", "")


def test_the_same_bytes_in_another_process() -> None:
    command = [sys.executable, "-m", "sim", "describe", str(PLAN), "--no-verification"]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "LANG": "C.UTF-8", "LANGUAGE": ""}
    there = subprocess.run(command, capture_output=True, check=True, env=environment).stdout
    assert there.decode() == markdown(description(Described.of(PLAN)))


def test_a_page_says_its_language() -> None:
    with speaking("th"):
        assert '<html lang="th">' in html(Document("x", []))
    assert '<html lang="en">' in html(Document("x", []))


def test_what_the_code_says_is_marked_as_english_on_a_thai_page() -> None:
    with speaking("th"):
        text = html(description(Described.of(PLAN)))
    assert '<html lang="th">' in text
    marked = re.findall(r'<(?:p|pre|ol)[^>]* lang="en"[^>]*>([^<]*)', text)
    assert any(words.startswith("Each evening the waiting list") for words in marked)
    assert any(words.startswith("One row per caller") for words in marked)


NASTY = (
    "<script>alert(1)</script> </title></style><img src=x onerror=alert(1)> =1+1 "
    "[a](javascript:alert(1)) ![b](http://example.com/c) <http://example.com> **d** _e_ `f` | g "
    "$h$ &amp; \\ # i {{ 7*7 }} {% raw %}"
)


def test_html_markdown_and_formulas_in_a_scenario_stay_text(tmp_path: Path) -> None:
    file = tmp_path / "nasty.toml"
    quoted = json.dumps(NASTY)
    file.write_text(
        f'extends = "{PLAN}"\ntitle = {quoted}\n'
        f'description = "1. one\\n\\n# two\\n- three\\u001b[31m\\u202e\\n{quoted[1:-1]}"\n'
        f"[campaign]\nprovince = {quoted}\n[units]\nhospital_01.title = {quoted}\n"
        f'[sources]\n"campaign.province" = {quoted}\n',
        encoding="utf-8",
    )
    document = description(Described.of(file))
    harmless = description(Described.of(PLAN))
    for form, reader in ((html, of_html), (markdown, of_markdown)):
        text = form(document)
        seen, usual = reader(text), reader(form(harmless))
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert set(seen.tags) <= set(usual.tags)
        # the heading, the aims and the description; of tables: scenario, province (a fact and a
        # value), its source (of it, and among all), the unit
        assert " ".join(seen.words).count(NASTY) == 9
        assert "".join(cell for row in seen.cells for cell in row).count(NASTY) == 6
    assert "<h1>Description of the model: &lt;script&gt;" in html(document)


def test_texts_that_look_like_lists_and_rules_stay_paragraphs() -> None:
    texts = [
        "1. one",
        "- two",
        "+ three",
        "# four",
        "=====",
        "> five",
        "---",
        "    six",
        "~~~",
        "7)",
    ]
    document = Document("x", [Paragraph(text) for text in texts])
    found = of_markdown(markdown(document))
    assert found.tags.count("p") == len(texts) + 1  # and the foot
    assert set(found.tags) == {"h1", "p", "hr"}
    assert found.words[1:-2] == " ".join(texts).split()


def test_code_may_hold_backticks_and_pipes() -> None:
    document = Document("x", [Table("t", ["a"], [[[Code("`|``"), " b"]]]), Listing("```\nx\n```")])
    cells = of_markdown(markdown(document)).cells
    assert cells == [["a"], ["`|`` b"]]
    assert of_html(html(document)).words == of_markdown(markdown(document)).words


def test_rows_that_do_not_fit_their_heading_are_an_error() -> None:
    with pytest.raises(ValueError, match="cells"):
        Table("t", ["a", "b"], [["1", "2", "3"]])
    with pytest.raises(ValueError, match="align"):
        Table("t", ["a", "b"], [["1", "2"]], "<")


# --- the command ----------------------------------------------------------------------------------


def test_markdown_is_printed_and_files_are_written(tmp_path: Path) -> None:
    code, printed, _ = invoke(str(PLAN), "--no-verification")
    assert code == 0
    assert printed == markdown(page())
    for name in ("a.md", "below/b.html"):
        code, said, _ = invoke(str(PLAN), "--no-verification", "--out", str(tmp_path / name))
        assert code == 0
        assert said == f"Description: {tmp_path / name}\n"
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == printed
    assert (tmp_path / "below/b.html").read_text(encoding="utf-8") == html(page())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such.toml"], "no_such.toml: does not exist"),
        ([str(PLAN), "--set", "call_centre.line=3"], "did you mean call_centre.lines"),
        ([str(PLAN), "--out", "x.pdf"], "ends in .html or .md"),
        ([str(PLAN), "--out", "folder.md"], "is a folder"),
        ([str(PLAN), "--verification", "none.json"], "none.json cannot be read"),
        ([str(PLAN), "--verification", "bad.json"], "is no result of a validation"),
        ([str(PLAN), "--verification", "list.json"], "is no result of a validation"),
        ([str(PLAN), "--verification", "empty.json"], "is no result of a validation"),
        ([str(PLAN), "--verification", "bad.json", "--no-verification"], "not both"),
        ([str(PLAN), "--backtest", "folder.md"], "is no study"),
        ([str(PLAN), "--backtest", "sought"], "is no backtest but another study: goal"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "bad.json").write_bytes(b"\xff{")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "empty.json").write_text('{"cases": []}')
    (tmp_path / "sought").mkdir()
    goal = {"format": FORMAT, "kind": "goal", "answer": {}}
    (tmp_path / "sought" / "study.json").write_text(json.dumps(goal))
    before = sorted(tmp_path.iterdir())
    code, printed, said = invoke(*arguments)
    assert (code, printed) == (2, "")
    assert message in said
    assert "Traceback" not in said
    assert sorted(tmp_path.iterdir()) == before


def test_results_of_a_validation_are_told(tmp_path: Path) -> None:
    (case,) = [case for case in all_cases() if case.name == "blocks"]
    judged = validate([case], SCENARIOS / "validation", RunSettings(workers=1), "reference", True)
    file = tmp_path / "validation.json"
    file.write_text(json.dumps(validation_data(judged)), encoding="utf-8")
    code, printed, said = invoke(str(PLAN), "--verification", str(file))
    assert code == 0, said
    assert "1 of 1 cases pass." in printed
    assert "both engines gave equal tables" not in printed  # one engine alone was asked
    rows = [row for row in of_markdown(printed).cells if row and row[0] == "blocks"]
    assert [row[2] for row in rows] == [quantity.name for quantity in case.quantities]
    assert all(row[6] == "pass" for row in rows)


def test_what_another_program_has_measured_is_told_as_such(tmp_path: Path) -> None:
    quantity = {
        "name": "P(wait)",
        "exact": 0.2,
        "passed": False,
        "judgements": [{"mean": 0.3, "low": 0.25, "high": 0.35, "verdict": "outside"}],
    }
    case = {
        "name": "r1", "queue": "M/M/14", "source": "R1", "passed": False, "engines_equal": True,
        "quantities": [quantity],
    }  # fmt: skip
    found = {
        "cases": [case], "confidence": 0.99, **provenance(7, quick=True),
        "created_at": "2026-02-03T04:05:06+00:00",
    }  # fmt: skip
    file, remark = tmp_path / "v.json", "not made by the program that made this document"
    for made, differs in (({}, False), ({"code": "0123456789"}, True), ({"vaxsim": "0.0"}, True)):
        file.write_text(json.dumps(found | made), encoding="utf-8")
        code, printed, said = invoke(str(PLAN), "--verification", str(file))
        assert code == 0, said
        assert "made on 3 February 2026 with seed 7 by vaxsim" in printed
        assert "0 of 1 cases pass. FAILED: r1." in printed
        assert (remark in printed) == differs


def test_a_short_validation_is_made_for_a_description(tmp_path: Path) -> None:
    code, printed, said = invoke(str(PLAN))
    assert code == 0, said
    n = len(CASES)
    assert f"{n} of {n} cases pass. In {n} of {n} cases compared both engines" in printed
    assert f"with seed {DEFAULT_SEED}, by the program that made it: vaxsim" in printed
    rows = [row for row in of_markdown(printed).cells if row and row[0] in CASES]
    expected = [q.name for case in cases_to_check() for q in case.quantities]
    assert [row[2] for row in rows] == expected
    assert {row[6] for row in rows} == {"pass"}
    # of each reference case R1 to R10
    assert {case.source.split(";")[0] for case in cases_to_check()} >= {
        f"R{n}" for n in range(1, 11)
    }


def test_where_the_cases_are_not_there_it_says_how_to_get_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.toml").write_text(PLAN.read_text(encoding="utf-8"), encoding="utf-8")
    code, printed, said = invoke("plan.toml")
    assert code == 0, said
    assert "No results were given" in printed


def test_without_results_it_says_how_to_get_them() -> None:
    text = markdown(page())
    assert "`vaxsim backtest … --out FOLDER`" in text
    assert "`vaxsim validate --json > validation.json`" in text
    assert all(f"`{case.name}`" in text for case in all_cases())


# --- in a browser ---------------------------------------------------------------------------------

CHROMIUM = Path("/usr/bin/chromium")


@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium here")
def test_axe_finds_no_fault_and_the_browser_asks_nobody(tmp_path: Path) -> None:
    sync = pytest.importorskip("playwright.sync_api")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    square = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    extra = [
        Picture(square, "a white square", "A picture"),
        Drawing('<rect class="box" width="9" height="9"/>', 9, 9, "a square", "A drawing"),
        Paragraph("No.", "answer"),
        Paragraph("Small print.", "note"),
    ]
    file = tmp_path / "page.html"
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        # the whole page once; on a small dark screen its beginning, logic and laws
        for scheme, width, blocks in (
            ("light", 1280, page().blocks),
            ("dark", 390, [*page().blocks[:2], page().blocks[3].blocks[0], page().blocks[-1]]),
        ):
            document = Document("All blocks", [*extra, *blocks], contents=True)
            file.write_text(html(document), encoding="utf-8")
            # the policy of the page forbids scripts, so axe needs a context that lets it in
            for lets_scripts_in in (False, True):
                tab = browser.new_context(
                    bypass_csp=lets_scripts_in,
                    color_scheme=scheme,
                    viewport={"width": width, "height": 900},
                ).new_page()
                asked: list[str] = []
                complaints: list[str] = []
                tab.on("request", lambda request, asked=asked: asked.append(request.url))
                tab.on("console", lambda line, said=complaints: said.append(line.text))
                tab.goto(file.as_uri())
                assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
                assert complaints == []
                assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert axe.Axe().run(tab).response["violations"] == []
        browser.close()
