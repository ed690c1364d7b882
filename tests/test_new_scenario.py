"""Claims about `vaxsim new`: any plan's few facts make a scenario that loads, checks and runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from sim.cli import app
from sim.engine import get_engine
from sim.experiment.new_scenario import FACTS, FactError, read_facts, scenario_text
from sim.language import speaking
from sim.model.campaign import simulate
from sim.presentation.parameters import parameters
from sim.scenario import WEEKDAYS, Scenario
from sim.scenario_files import (
    Upload,
    leaf_values,
    load_scenario,
    raw_scenario,
    scenario_from_data,
    source_of,
    varied,
    with_values,
)

ROOT = Path(__file__).parent.parent
PLAN = ROOT / "scenarios" / "plan.toml"

PHU_FA = {
    "province": "Phu Fa",
    "population": "9,200",
    "people": "6,100",
    "start": "2021-09-01",
    "deadline": "2021-11-30",
    "units": "hospital=3,outside=2",
    "deliveries": "2021-09-01=4,000,2021-10-01=4,000",
    "interval_days": "56",
    "agents": "2",
}
"""An invented province: five units, one language, eight weeks between the doses."""


def written(answers: dict[str, str]) -> bytes:
    facts, assumed, wrong = read_facts(answers)
    assert not wrong
    return scenario_text(facts, assumed, "phu_fa.toml").encode()


def scenario(answers: dict[str, str]) -> Scenario:
    return load_scenario(Upload("phu_fa.toml", written(answers)))


def options(answers: dict[str, str]) -> list[str]:
    return [part for name, text in answers.items() for part in (option(name), text)]


def option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def vaxsim(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


# What is written ----------------------------------------------------------------------------


def test_the_facts_are_in_the_scenario() -> None:
    made = scenario(PHU_FA)
    assert made.campaign.province == "Phu Fa"
    assert made.campaign.population == 9200
    assert made.target == 6100
    assert made.languages == ["thai"]
    assert made.campaign.vaccination_from == date(2021, 9, 1)
    assert made.campaign.deadline == date(2021, 11, 30)
    assert [unit.type for unit in made.units.values()] == ["hospital"] * 3 + ["outside"] * 2
    assert [d.doses for d in made.deliveries.values()] == [4000, 4000]
    assert made.regimens["two_doses"].min_days == 56
    assert made.call_centre.pools["agents"].agents == 2
    # a week of booking before, unless said
    assert made.campaign.first_day == date(2021, 8, 25)
    # the last first dose that is on time needs 56 days more
    assert made.campaign.horizon >= date(2021, 11, 30) + timedelta(days=56)


def test_several_languages_make_groups_and_pools_of_their_own() -> None:
    made = scenario({**PHU_FA, "people": "thai=5000,lao=1000", "agents": "thai=6,lao=1"})
    assert {name: group.people for name, group in made.groups.items()} == {
        "thai": 5000,
        "lao": 1000,
    }
    assert {name: pool.languages for name, pool in made.call_centre.pools.items()} == {
        "thai": ["thai"],
        "lao": ["lao"],
    }
    together = scenario({**PHU_FA, "people": "thai=5000,lao=1000", "agents": "7"})
    assert together.call_centre.pools["agents"].languages == ["thai", "lao"]


def test_every_value_has_a_source_and_what_the_plan_says_is_not_assumed() -> None:
    made, raw = scenario(PHU_FA), raw_scenario(Upload("phu_fa.toml", written(PHU_FA)))
    sources = {
        path: source_of(made, path)
        for path, _value in leaf_values(raw)
        if path.split(".")[0] not in ("title", "description", "sources", "ranges", "not_varied")
        and not path.endswith(".title")
    }
    assert [path for path, source in sources.items() if not source] == []
    said = {path for path, source in sources.items() if source == "the plan of Phu Fa"}
    assert {"campaign.population", "groups.thai.people", "deliveries.delivery_1.doses"} <= said
    assert "call_centre.pools.agents.agents" in said
    assert (sources["campaign.first_day"] or "").startswith("assumed")  # not among the answers
    unsaid = {**PHU_FA}
    del unsaid["agents"]
    agents = source_of(scenario(unsaid), "call_centre.pools.agents.agents")
    assert (agents or "").startswith("assumed")


@pytest.mark.parametrize("left_out", [set(), {"agents", "interval_days"}])
@pytest.mark.parametrize("vaccine", ["astrazeneca", "other"])
def test_every_assumed_number_has_a_range_or_a_reason_for_none(
    left_out: set[str], vaccine: str
) -> None:
    answers = {key: text for key, text in PHU_FA.items() if key not in left_out}
    answers["vaccine"] = vaccine
    made, raw = scenario(answers), raw_scenario(Upload("a.toml", written(answers)))
    within = {path for found in varied(raw) for path in found.values}
    reasons = made.model_copy(update={"sources": made.not_varied})
    numbers = [
        path
        for path, value in leaf_values(raw)
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and path.split(".")[0] not in ("ranges", "not_varied")
    ]
    assumed = {path for path in numbers if (source_of(made, path) or "").startswith("assumed")}
    assert len(assumed) > 25
    assert [path for path in sorted(assumed - within) if not source_of(reasons, path)] == []
    for each in varied(raw):
        for share in (0.0, 1.0):
            with_values(raw, each.at(share))


def test_what_is_assumed_is_what_the_plan_of_samut_sakhon_assumes() -> None:
    # One set of assumptions: the template must not drift away from plan.toml.
    ours, plan = (dict(leaf_values(file_of(content))) for content in (written(PHU_FA), PLAN))
    starts = ("call_centre.", "appointments.", "supply.", "unit_types.hospital.")
    starts += ("unit_types.outside.",)
    facts = ("first_day", "last_day", "lines", "pools")
    same = {
        path
        for path in ours
        if path.startswith(starts) and not any(f".{fact}" in path for fact in facts)
    }
    assert len(same) > 60
    assert {path: ours[path] for path in same} == {path: plan.get(path) for path in same}
    vaccine = "vaccines.astrazeneca."
    assert {p: v for p, v in ours.items() if p.startswith(vaccine)} == {
        p: v for p, v in plan.items() if p.startswith(vaccine)
    }


def file_of(content: bytes | Path) -> dict[str, Any]:
    return tomllib.loads(
        content.decode() if isinstance(content, bytes) else content.read_text(encoding="utf-8")
    )


def test_a_written_scenario_is_its_own_round_trip() -> None:
    content = written(PHU_FA)
    again = raw_scenario(Upload("phu_fa.toml", content))
    assert scenario_from_data(again) == load_scenario(Upload("phu_fa.toml", content))


# Any plan -----------------------------------------------------------------------------------

names = st.from_regex("[a-z][a-z0-9_]{0,9}", fullmatch=True)


def pairs(keys: st.SearchStrategy[str], most: int) -> st.SearchStrategy[str]:
    numbers = st.dictionaries(keys, st.integers(1, most), min_size=1, max_size=3)
    return numbers.map(lambda found: ",".join(f"{key}={n:,}" for key, n in found.items()))


@st.composite
def plans(draw: st.DrawFn) -> dict[str, str]:
    """Facts of tiny plans: every fact is drawn, the defaults left to chance."""
    people = draw(st.dictionaries(names, st.integers(1, 60), min_size=1, max_size=3))
    start = draw(st.dates(date(2015, 1, 1), date(2060, 1, 1)))
    deadline = start + timedelta(days=draw(st.integers(0, 40)))
    defaults = [fact.name for fact in FACTS if fact.default and fact.name != "vaccinated_before"]
    unsaid = draw(st.sets(st.sampled_from(defaults)))
    lead_days = 7 if "booking_from" in unsaid else draw(st.integers(0, 20))
    booking = start - timedelta(days=lead_days)
    arrivals = draw(
        st.dictionaries(
            st.integers(0, (deadline - booking).days + 20), st.integers(1, 200), min_size=1,
            max_size=3,
        )
    )  # fmt: skip
    before = draw(st.integers(0, 50))
    opens = draw(st.integers(0, 22))
    call_opens = draw(st.integers(0, 21))
    words = st.text(
        st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=20
    )
    answers = {
        "province": draw(words.filter(lambda text: text.strip() and text.isprintable())),
        "population": str(sum(people.values()) + before + draw(st.integers(0, 100))),
        "vaccinated_before": str(before),
        "people": ",".join(f"{language}={n}" for language, n in people.items()),
        "start": start.isoformat(),
        "deadline": deadline.isoformat(),
        "booking_from": booking.isoformat(),
        "units": draw(st.one_of(st.integers(1, 3).map(str), pairs(names, 2))),
        "open_days": draw(
            st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True).map(",".join)
        ),
        "unit_hours": f"{opens:02d}:00-{draw(st.integers(opens + 1, 24)):02d}:00",
        "vaccine": draw(names),
        "deliveries": ",".join(
            f"{booking + timedelta(days=day)}={doses}" for day, doses in arrivals.items()
        ),
        "interval_days": str(draw(st.integers(1, 30))),
        "agents": draw(
            st.one_of(st.integers(1, 5).map(str), pairs(st.sampled_from(list(people)), 5))
        ),
        "call_hours": f"{call_opens:02d}:00-{draw(st.integers(max(call_opens, 5) + 1, 24)):02d}:00",
    }
    return {name: text for name, text in answers.items() if name not in unsaid}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plans())
def test_every_plan_loads_and_runs(answers: dict[str, str]) -> None:
    facts, _assumed, wrong = read_facts(answers)
    assert not wrong
    made = scenario(answers)
    assert made.target == sum(facts["people"].values())
    assert len(made.units) == sum(facts["units"].values())
    assert made.campaign.province == facts["province"]
    assert made.call_centre.opens < made.call_centre.closes
    until = made.campaign.first_day + timedelta(days=30)
    simulate(made, get_engine("compiled"), seed=1, replication=0, until=until)


# The command --------------------------------------------------------------------------------


def test_the_file_passes_check_and_runs() -> None:
    done = vaxsim("new", "phu_fa", *options(PHU_FA))
    assert done.exit_code == 0, done.stderr
    assert "Written: phu_fa.toml" in done.stdout
    assert "--unit-hours 08:00-16:00" in done.stdout  # what was assumed is said
    assert "--agents" not in done.stdout
    # half of 6,100 do not telephone; 84 of the 98 days from 25 August are no Sundays:
    # 1.5 x 3,050 / 84 = 54.5
    assert "--other-channels 55" in done.stdout
    assert "groups.*.telephone_share = 0.5" in done.stdout
    assert "unit_types.*.stations.vaccination.staff = 4, 6" in done.stdout
    checked = vaxsim("check", "phu_fa.toml")
    assert checked.exit_code == 0
    assert "The vaccination plan of Phu Fa" in checked.stdout
    ran = vaxsim("run", "phu_fa.toml", "--replications", "1", "--until", "2021-09-10", "--json")
    assert ran.exit_code == 0, ran.stderr


def test_a_delivery_after_the_deadline_is_warned_of() -> None:
    late = {**PHU_FA, "deliveries": "2021-09-01=4,000,2021-12-01=4,100"}
    done = vaxsim("new", "phu_fa", *options(late))
    assert done.exit_code == 0
    assert (
        "the 4,100 doses of 1 December 2021 come after the deadline, 30 November 2021"
        in done.stderr
    )
    assert "doses of 1 September" not in done.stderr


def test_the_next_commands_are_such_as_a_shell_takes() -> None:
    done = vaxsim("new", "phu fa", *options(PHU_FA))
    assert "Next: vaxsim check 'phu fa.toml', then vaxsim run 'phu fa.toml'" in done.stdout


def test_what_is_said_of_other_channels_is_not_assumed() -> None:
    made = scenario({**PHU_FA, "other_channels": "300"})
    assert made.other_channels.bookings_per_day == 300
    assert source_of(made, "other_channels.bookings_per_day") == "the plan of Phu Fa"


def test_the_province_is_named_after_the_file_unless_said() -> None:
    facts = {key: text for key, text in PHU_FA.items() if key != "province"}
    assert vaxsim("new", "phu_fa.toml", "--yes", *options(facts)).exit_code == 0
    assert load_scenario("phu_fa.toml").campaign.province == "Phu Fa"


def test_nothing_is_overwritten() -> None:
    Path("mine.toml").write_text("mine")
    done = vaxsim("new", "mine", *options(PHU_FA))
    assert done.exit_code == 2
    assert "mine.toml is there already" in done.stderr
    assert Path("mine.toml").read_text() == "mine"


def test_without_a_terminal_all_that_is_missing_is_named_at_once() -> None:
    done = vaxsim("new", "phu_fa", "--agents", "5")
    assert done.exit_code == 2
    missing = ["population", "people", "start", "deadline", "units", "deliveries"]
    assert ", ".join(map(option, missing)) in done.stderr
    assert not Path("phu_fa.toml").exists()


@pytest.mark.parametrize(
    ("name", "answer", "told"),
    [
        ("start", "2564-09-01", "is a Buddhist year: write 2021-09-01"),
        ("start", "๒๕๖๔-09-01", "is a Buddhist year: write 2021-09-01"),
        ("start", "1 September 2021", "write it as YYYY-MM-DD"),
        ("start", "2021-02-30", "is no date"),
        ("start", "1999-09-01", "not between 2000 and 2100"),
        ("deadline", "2021-08-01", "must lie between 2021-09-01"),
        ("population", "10,000,000,000", "must lie between 1 and 1,000,000,000"),
        ("population", "-5", "no whole number"),
        ("population", "1e6", "no whole number"),
        ("people", "10000000000", "must lie between 1 and 200,000,000"),
        ("people", "9,300", "more than the 9,200"),
        ("people", "Thai=5", "small letters"),
        ("people", "thai=5,thai=6", "given twice"),
        ("units", "0", "must lie between 1 and 5,000"),
        ("units", "hospital=3,outside", "is not written as NAME=NUMBER"),
        ("deliveries", "4000", "write DATE=DOSES"),
        ("deliveries", "2020-01-01=4000", "must lie between 2021-08-25"),
        ("deliveries", "2564-10-01=4000", "write 2021-10-01"),
        ("interval_days", "0", "must lie between 1 and 365"),
        ("agents", "burmese=3", "nobody speaks burmese: choose from thai"),
        ("open_days", "mon-fry", "no day of the week"),
        ("unit_hours", "16:00-08:00", "08:00-16:00"),
        ("unit_hours", "8-16", "08:00-16:00"),
        ("call_hours", "00:00-04:00", "between 05:00 and 23:00"),
        ("province", "a\nb", "control characters"),
        ("province", "\udc80", "control characters"),
        ("vaccine", "Astra Zeneca", "small letters"),
        ("people", "", "an answer is needed"),
    ],
)
def test_wrong_facts_are_told_and_nothing_is_written(name: str, answer: str, told: str) -> None:
    done = vaxsim("new", "phu_fa", *options({**PHU_FA, name: answer}))
    assert done.exit_code == 2
    assert option(name) in done.stderr
    assert told in done.stderr
    assert not Path("phu_fa.toml").exists()


def test_all_that_is_wrong_is_told_at_once() -> None:
    wrong = {"start": "2564-09-01", "population": "1e10", "deliveries": "2021-09-01=99,999,999,999"}
    done = vaxsim("new", "phu_fa", *options({**PHU_FA, **wrong}))
    assert all(option(name) in done.stderr for name in wrong)


def test_thai_digits_are_read() -> None:
    thai = str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙")
    in_thai = {
        key: text if key in ("province", "units") else text.translate(thai)
        for key, text in PHU_FA.items()
    }
    assert written(in_thai) == written(PHU_FA)


@pytest.mark.parametrize(
    "name", ["", " ", "a\nb", "..", "=1+1<script>", "a<b", "a|b", "c:d", "no/nan"]
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    assert vaxsim("new", name, *options(PHU_FA)).exit_code == 2
    assert list(Path().iterdir()) == []


def test_a_name_that_no_disk_takes_is_refused() -> None:
    # 100 Thai letters are 300 bytes, and names of files have at most 255
    done = vaxsim("new", "ก" * 100, *options(PHU_FA))
    assert done.exit_code == 2
    assert "the name of a file is too long" in done.stderr
    assert list(Path().iterdir()) == []


def test_an_example_of_a_name_is_a_word_that_is_no_number() -> None:
    # "nan" is a province of Thailand, and "not a number" to everybody else
    done = vaxsim("new", "=1+1", *options(PHU_FA))
    assert "such as my_province" in done.stderr


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
def test_no_fact_takes_an_empty_answer(fact: Any) -> None:
    with pytest.raises(FactError):
        fact.value("  ", {})


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_on_a_terminal_it_asks_and_asks_again_after_a_wrong_answer() -> None:
    answers = [
        "",  # the province: named after the file
        "9,200", "", "6,100", "2564-09-01", "2021-09-01", "2021-11-30", "", "5", "", "", "",
        "2021-09-01=4,000", "56", "", "", "",
    ]  # fmt: skip
    code, screen = on_a_terminal(["new", "phu_fa"], "".join(f"{line}\n" for line in answers))
    assert code == 0, screen
    assert "is a Buddhist year" in screen
    made = load_scenario("phu_fa.toml")
    assert made.campaign.province == "Phu Fa"
    assert len(made.units) == 5
    assert made.regimens["two_doses"].min_days == 56


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_who_stops_answering_has_written_nothing() -> None:
    code, screen = on_a_terminal(["new", "phu_fa"], "Phu Fa\n9,200\n\x04")
    assert code == 2
    assert "nothing was written" in screen
    assert not Path("phu_fa.toml").exists()


def on_a_terminal(args: list[str], typed: str) -> tuple[int, str]:
    """Exit code and screen of the command in a terminal of its own."""
    here, there = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "sim", *args], stdin=there, stdout=there, stderr=there
    )
    os.close(there)
    os.write(here, typed.encode())
    screen = b""
    while True:
        try:
            part = os.read(here, 4096)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        screen += part
    os.close(here)
    return process.wait(timeout=60), screen.decode()


def test_a_province_of_a_thai_speaker_is_written_in_thai() -> None:
    english = written(PHU_FA).decode()
    with speaking("th"):
        thai = written({**PHU_FA, "province": "จังหวัดภูฟ้า"}).decode()
    said, there = (tomllib.loads(text) for text in (english, thai))
    assert there["title"] == "แผนการฉีดวัคซีนของจังหวัดภูฟ้า"
    assert there["units"]["hospital_1"]["title"] == "โรงพยาบาล 1"
    assert there["sources"]["campaign.population"] == "แผนของจังหวัดภูฟ้า"
    # the same keys and values, but for the words
    words = {"title", "description", "sources", "ranges", "not_varied", "units", "campaign"}
    assert {key: said[key] for key in said if key not in words} == {
        key: there[key] for key in there if key not in words
    }
    assert list(said["sources"]) == list(there["sources"])
    for text in (*there["sources"].values(), *there["not_varied"].values()):
        assert is_thai(text), text
    for comment in re.findall(r"# (.*[A-Za-z]{3}.*)", thai):
        assert is_thai(comment) or "=" in comment or "[" in comment or "vaxsim" in comment, comment


def test_what_a_thai_plan_does_not_say_is_known_as_assumed() -> None:
    assumed = []
    for code in ("en", "th"):
        with speaking(code):
            upload = Upload("phu_fa.toml", written(PHU_FA))
            found = parameters(load_scenario(upload), raw_scenario(upload))
        assumed.append({path for each in found if each.assumed for path in each.paths})
    assert assumed[0] == assumed[1]
    assert "groups.thai.willing" in assumed[0]


def is_thai(text: str) -> bool:
    return any("\u0e01" <= letter <= "\u0e5b" for letter in text)
