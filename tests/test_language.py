"""English and Thai: dates, locales, threads, and a catalog that lacks nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from datetime import date

import pytest
from translations import MO, ROOT, catalog, compiled, extracted, mismatched, untranslated

from sim import language
from sim.cli.options import Language
from sim.language import speaking
from sim.scenario_files import is_assumed

THE_DEADLINE = date(2021, 8, 14)


def test_thai_dates_have_buddhist_years() -> None:
    # 2021 + 543 = 2564, the year that the announcement itself is dated with
    with speaking("th"):
        assert language.long_date(THE_DEADLINE) == "14 สิงหาคม พ.ศ. 2564"
        assert language.short_date(THE_DEADLINE) == "14 ส.ค."
        assert language.short_date(THE_DEADLINE, year=True) == "14 ส.ค. 2564"
        assert language.month_and_year(THE_DEADLINE) == "สิงหาคม 2564"
        assert language.weekday(THE_DEADLINE) == "วันเสาร์"  # 14 August 2021 was a Saturday


def test_english_dates_are_day_month_year() -> None:
    assert language.long_date(THE_DEADLINE) == "14 August 2021"
    assert language.day_and_month(THE_DEADLINE) == "14 August"
    assert language.short_date(THE_DEADLINE) == "14 Aug"
    assert language.weekday(THE_DEADLINE) == "Saturday"
    assert language.weekday(THE_DEADLINE, short=True) == "Sat"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "th_TH.UTF-8"}, "th"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),  # no German here: English
        ({"LANG": "th_TH.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),  # LC_ALL beats LANG
        ({"LANG": "en_GB.UTF-8", "LC_MESSAGES": "th_TH"}, "th"),
        ({"LANGUAGE": "de:th:en", "LANG": "en_GB"}, "th"),  # the first that is spoken
    ],
)
def test_the_locale_chooses_the_language(environment: dict[str, str], expected: str) -> None:
    assert language.of_locale(environment) == expected


def test_a_language_belongs_to_its_thread() -> None:
    # two readers of one page at the same time, each in their own language
    heard: dict[str, str] = {}
    both = threading.Barrier(2, timeout=10)

    def read(code: str) -> None:
        with speaking(code):
            both.wait()
            heard[code] = language.short_date(THE_DEADLINE)
            both.wait()

    threads = [threading.Thread(target=read, args=(code,)) for code in ("en", "th")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"en": "14 Aug", "th": "14 ส.ค."}
    assert language.language() == "en"


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(KeyError, match="de: not a language"), speaking("de"):
        pass


def test_the_empty_text_stays_empty() -> None:
    # gettext gives the catalog's header for an empty message
    with speaking("th"):
        assert language._("") == ""


def test_the_command_line_offers_every_language() -> None:
    assert [each.value for each in Language] == list(language.LANGUAGES)


def test_every_text_is_translated() -> None:
    assert untranslated(catalog()) == []


def test_the_catalog_has_every_text_of_the_program() -> None:
    known = {message.id for message in catalog()}
    assert [message.id for message in extracted() if message.id not in known] == []


def test_placeholders_are_the_same_in_both_languages() -> None:
    assert list(mismatched(catalog())) == []


def test_the_compiled_catalog_is_that_of_the_texts() -> None:
    assert compiled(catalog()) == MO.read_bytes()


def test_what_is_assumed_is_assumed_in_either_language() -> None:
    # a scenario written in Thai says so in Thai, and is read by the same rule
    for message in catalog():
        if isinstance(message.id, str) and message.id.startswith("assumed"):
            assert is_assumed(str(message.string)), message.id
    assert not is_assumed("announcement: assumed by nobody")


@pytest.mark.parametrize(
    ("arguments", "english", "thai"),
    [
        (["run"], "SCENARIO is missing", "ขาด SCENARIO"),
        (["foo"], "No such command 'foo'.", "ไม่มีคำสั่ง 'foo'"),
        (["run", "x.toml", "--bogus"], "there is no option --bogus", "ไม่มีตัวเลือก --bogus"),
        (
            ["run", "x.toml", "--replications", "many"],
            "--replications: must be a whole number",
            "--replications: ต้องเป็นจำนวนเต็ม",
        ),
        (
            ["run", "x.toml", "--engine", "steam"],
            "--engine: 'steam' is none of 'compiled', 'reference'",
            "--engine: 'steam' ไม่ใช่ตัวเลือกที่มี: 'compiled', 'reference'",
        ),
        (["run", "x.toml", "--seed", "-3"], "--seed: must be at least 0", "--seed: ต้องไม่น้อยกว่า 0"),
        (["run", "x.toml", "--set"], "--set needs a value", "--set ต้องมีค่า"),
        (["show", "a", "b"], "not expected: b", "ไม่ควรมี: b"),
    ],
)
def test_a_wrong_command_line_is_told_in_the_language_spoken(
    arguments: list[str], english: str, thai: str
) -> None:
    for code, said in (("en", english), ("th", thai)):
        done = vaxsim(f"--lang={code}", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        first, second = done.stderr.splitlines()
        assert first.startswith(f"vaxsim: {said}")
        assert second.endswith("--help")  # where help is


def test_the_bare_command_prints_its_help() -> None:
    done = vaxsim()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: vaxsim [OPTIONS] COMMAND [ARGS]...")
    assert vaxsim("--lang", "th", "run", "--help").stdout.startswith("วิธีใช้: vaxsim run [ตัวเลือก]")


@pytest.mark.parametrize("command", ["run", "sweep", "sensitivity", "risk", "trace", "app"])
def test_help_has_no_types_of_python(command: str) -> None:
    # nor English words that are no part of what is to be written
    said = vaxsim("--lang", "th", command, "--help").stdout
    assert not re.search(r"<(int|float|str|path)\b|list\[| or ", said)


def vaxsim(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a shell runs it: `main` chooses the language before anything is read."""
    program = "import sys; from sim.cli import main; sys.argv[0] = 'vaxsim'; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        timeout=60, capture_output=True, text=True, check=False,
    )  # fmt: skip
