"""Claims about the command line: what it prints, where, and with which exit code."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from small_campaign import SMALL, small_scenario
from typer.testing import CliRunner, Result

from sim import __version__
from sim.cli import app
from sim.cli.options import EngineName
from sim.engine import ENGINES
from sim.experiment import feasibility, plan_arithmetic
from sim.experiment.answer import Answer, months
from sim.experiment.results import open_run
from sim.experiment.statistics import mean_interval, proportion_interval
from sim.model.records import REASONS
from sim.presentation.answer_view import verdict
from sim.presentation.terminal import amount, percent
from sim.scenario_files import load_scenario

ROOT = Path(__file__).parent.parent
PLAN = ROOT / "scenarios" / "plan.toml"
COMPILING = "vaxsim: compiling, for up to a minute; later runs find it done\n"


@pytest.fixture(scope="module")
def scenario_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("scenarios") / "small.toml"
    path.write_text(tomlkit.dumps(SMALL))
    return str(path)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def vaxsim(*args: str) -> Result:
    return CliRunner().invoke(app, list(args))


def process(*args: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sim", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def refused(result: Result) -> str:
    """The message of a user's error: exit code 2, nothing on standard output, no traceback."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())


# run ------------------------------------------------------------------------------------------


def test_answer_begins_with_the_ceiling_and_the_verdict_and_names_the_place_of_the_results(
    scenario_file: str, tmp_path: Path
) -> None:
    result = vaxsim("run", scenario_file, "--replications", "2", "--workers", "1", "--out", "run")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("At most, whatever the telephones: 900 of 1,000 people (90.0 %)")
    assert lines[2].startswith("No: in none of 2 replications is everyone fully vaccinated by 20")
    assert "What stands in the way: " in lines[2]
    order = [
        result.stdout.index(heading)
        for heading in ("Coverage by", "Doses up to", "Call centre", "Who is vaccinated", "Results")
    ]
    assert order == sorted(order)
    assert any(line.startswith("Results: run ") for line in lines)
    assert result.stderr in ("", COMPILING)  # a fresh installation compiles first
    assert len(open_run(tmp_path / "run").table("replications")) == 2


def test_json_is_one_object_with_the_promised_measures(scenario_file: str) -> None:
    result = vaxsim("run", scenario_file, "--replications", "3", "--workers", "1", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["verdict"].startswith("No: ")
    assert open_run(found["run"]).settings.replications == 3
    for name in (
        "first_doses_by_deadline",
        "fully_vaccinated_by_deadline",
        "doses_delivered",
        "doses_administered",
        "doses_wasted",
        "calls_offered",
        "calls_answered",
        "calls_abandoned",
        "calls_blocked",
    ):
        measure = found["measures"][name]
        assert measure["low"] <= measure["mean"] <= measure["high"]
    assert list(found["reasons"]) == list(REASONS)
    for reasons in (found["reasons"], found["reasons_first_dose"]):
        assert sum(reasons.values()) == pytest.approx(1000)
    assert found["reasons"]["vaccinated"] == pytest.approx(
        found["measures"]["fully_vaccinated_by_deadline"]["mean"]
    )


def test_one_replication_has_no_interval(scenario_file: str) -> None:
    text = vaxsim("run", scenario_file, "--replications", "1")
    assert text.exit_code == 0, text.output
    assert "one replication: no interval" in text.stdout
    found = json.loads(vaxsim("run", scenario_file, "--replications", "1", "--json").stdout)
    measure = found["measures"]["calls_offered"]
    assert measure["mean"] > 0
    assert measure["low"] is None
    assert measure["high"] is None


def test_the_same_command_again_shows_the_run_that_is_there(scenario_file: str) -> None:
    command = ("run", scenario_file, "--replications", "1")
    first, again, fresh = vaxsim(*command), vaxsim(*command), vaxsim(*command, "--fresh")
    assert "had been made before" not in first.stdout
    assert again.stdout == first.stdout + "This run had been made before; --fresh makes it again.\n"
    assert fresh.stdout == first.stdout


def test_a_changed_value_changes_the_run_and_its_folder(scenario_file: str) -> None:
    many = ("run", scenario_file, "--replications", "1", "--json")
    base = json.loads(vaxsim(*many).stdout)
    changed = json.loads(vaxsim(*many, "--set", "call_centre.pools.desk.agents=0").stdout)
    assert base["run"] != changed["run"]
    assert changed["measures"]["calls_answered"]["mean"] == 0
    assert changed["reasons"]["never_reached_call_centre"] > 0


def test_answer_tells_how_likely_it_is_and_what_is_possible_at_most(scenario_file: str) -> None:
    result = vaxsim("run", scenario_file, "--replications", "2", "--workers", "1")
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    # 2 units x 60 slots on the days of June 3 - 19 but Sundays are 15 x 120 = 1,800; 900 doses
    # for 1,000 people, 500 of them before the 12th; second doses 14 days after the first:
    # 120 on each of 3, 4 and 5 June
    assert "everyone has a first dose in 0 of 2 replications impossible: at most 900**" in text
    assert "everyone is fully vaccinated in 0 of 2 replications impossible: at most 360**" in text
    assert re.search(r"people with a first dose [\d.]+ [^;]*; at most 900\*\*", text)
    assert "** that slots, doses, turns, willingness and intervals allow, whatever" in text
    found = json.loads(
        vaxsim("run", scenario_file, "--replications", "2", "--workers", "1", "--json").stdout
    )
    assert found["ceiling"] == {
        "first_doses_by_deadline": 900,
        "fully_vaccinated_by_deadline": 360,
    }
    # Wilson interval of 0 in 2: z^2 / (2 + z^2)
    for name in ("probability", "probability_first_dose"):
        assert found[name] == {"mean": 0.0, "low": 0.0, "high": pytest.approx(0.6576, abs=1e-4)}


def test_what_chance_could_still_bring_is_not_called_impossible(scenario_file: str) -> None:
    varied = 'deliveries.second.fraction_delivered={distribution="uniform", low=0.5, high=1.5}'
    result = vaxsim("run", scenario_file, "--replications", "1", "--set", varied)
    text = " ".join(result.stdout.split())
    assert "everyone has a first dose in 0 of 1 replication 0.0 – 79.3 %" in text
    assert "** that slots, expected doses, turns, willingness and intervals allow, whatever" in text


def test_slots_and_doses_by_month_explain_what_is_missing_to_the_ceiling(
    scenario_file: str, tmp_path: Path
) -> None:
    result = vaxsim("run", scenario_file, "--replications", "2", "--workers", "1", "--out", "run")
    done = open_run(tmp_path / "run")
    (june,) = months(done).to_dict("records")
    in_time = done.table("stock").query("date <= '2021-06-20'")
    # 3 to 19 June but 2 Sundays: 15 days of 120 slots
    assert june["slots"] == 1800
    assert june["given"] == in_time["administered"].sum() / 2
    assert june["unused"] == june["slots"] - june["given"]
    assert june["on_hand"] == in_time[in_time["date"] == "2021-06-20"]["on_hand"].sum() / 2
    assert "1 – 20 June 2021 1,800" in " ".join(result.stdout.split())


def test_slots_of_a_walk_in_clinic_are_those_who_came(scenario_file: str, tmp_path: Path) -> None:
    # 20 walk in a day and unit on average, a Poisson number: slots are for those who came, not for
    # those expected; without appointments, whoever came and had no dose is all that is unused
    changes = (
        "unit_types.hall.slots_per_day=0",
        "unit_types.hall.walk_ins_per_day=20",
    )
    sets = [text for change in changes for text in ("--set", change)]
    vaxsim("run", scenario_file, "--replications", "3", "--workers", "1", "--out", "run", *sets)
    done = open_run(tmp_path / "run")
    (june,) = months(done).to_dict("records")
    daily = done.table("daily").query("date <= '2021-06-20'")
    came = daily["walk_ins"].sum() / 3
    assert june["slots"] == pytest.approx(came)
    assert june["unused"] == pytest.approx(came - june["given"])


def test_run_warns_of_callers_whom_nobody_understands(scenario_file: str) -> None:
    command = ("run", scenario_file, "--replications", "1", "--set", "groups.late.language=klingon")
    # 600 x 0.9 willing: 0.8 of them book by telephone, and a tenth calls to ask: 432 + 54 = 486
    warning = "no agent speaks klingon: 486 calls to book or to ask cannot be answered"
    assert f"\n\nWarning: {warning}\nNo: " in vaxsim(*command).stdout
    assert json.loads(vaxsim(*command, "--json").stdout)["warnings"] == [warning]


def test_hint_can_be_pasted_into_a_shell(scenario_file: str) -> None:
    result = vaxsim("run", scenario_file, "--replications", "1", "--out", "my run; $HOME")
    hint = next(line for line in result.stdout.splitlines() if line.startswith("Pictures:"))
    assert shlex.split(hint) == ["Pictures:", "vaxsim", "plot", "my run; $HOME"]
    assert "1 replication)" in result.stdout


def test_until_before_the_deadline_says_that_the_answer_is_unknown(scenario_file: str) -> None:
    result = vaxsim("run", scenario_file, "--replications", "1", "--until", "2021-06-10")
    assert result.exit_code == 0, result.output
    verdict_line = result.stdout.splitlines()[2]
    assert verdict_line.startswith("Unknown: the simulation ends on 10 June 2021, before the")


def test_everyone_vaccinated_is_a_yes(scenario_file: str) -> None:
    # one dose is enough, everybody is willing and books elsewhere, doses and slots for all
    changes = (
        "campaign.complete_with=one_dose",
        "groups.early.telephone_share=0.0",
        "groups.late.telephone_share=0.0",
        "groups.late.willing=1.0",
        "groups.late.first_calls.0.mean_days=0.2",
        "other_channels.bookings_per_day=1000",
        "deliveries.first.doses=1500",
        "appointments.no_show=0.0",
        "unit_types.hall.slots_per_day=200",
        "unit_types.hall.stations.registration.minutes=0.1",
        "unit_types.hall.stations.vaccination.minutes=0.2",
        "unit_types.hall.stations.observation.staff=400",
    )
    options = [part for change in changes for part in ("--set", change)]
    result = vaxsim("run", scenario_file, "--replications", "2", "--workers", "1", *options)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[:3] == [
        "At most, whatever the telephones: 1,000 of 1,000 people (100.0 %) with a first dose by "
        "20 June 2021, 1,000 fully vaccinated.",
        "",
        "Yes: in all 2 replications, everyone is fully vaccinated by 20 June 2021.",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--replications", "0"], "replications"),
        (["--replications", "-5"], "replications"),
        (["--replications", "many"], "replications"),
        (["--seed", "-1"], "seed"),
        (["--seed", str(2**64)], "seed"),
        (["--workers", "0"], "workers"),
        (["--engine", "steam"], "compiled"),
        (["--until", "soon"], "--until soon: not a date; write it as YYYY-MM-DD"),
        (["--until", "2021-02-30"], "not a date"),
        (["--until", "2020-01-01"], "until must lie between"),
        (["--until", "2031-01-01"], "until must lie between"),
        (["--set", "call_centre.lines=0"], "call_centre.lines"),
        (["--set", "call_centre.linse=9"], "linse"),
        (["--set", "nonsense"], "nonsense"),
        (["--colour", "red"], "colour"),
        (["--out", ""], "name a folder"),
        (["--out", " "], "name a folder"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_written(
    scenario_file: str, tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert message in refused(vaxsim("run", scenario_file, "--out", "run", *arguments))
    assert list(tmp_path.iterdir()) == []


def test_unknown_scenario_file_is_refused() -> None:
    assert "nowhere.toml" in refused(vaxsim("run", "nowhere.toml"))


def test_broken_scenario_file_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "broken.toml").write_text('title = "x"\ncampaign = = 3\n')
    assert "broken.toml:2" in refused(vaxsim("run", "broken.toml"))


def test_folder_with_other_files_is_refused(scenario_file: str, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    assert "holds other files" in refused(vaxsim("run", scenario_file, "--out", "."))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_folder_that_cannot_be_written_is_refused(scenario_file: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = refused(vaxsim("run", scenario_file, "--out", "file/run"))
    assert "cannot be written" in message or "cannot be used" in message


def test_folder_with_another_run_is_refused(scenario_file: str) -> None:
    command = ("run", scenario_file, "--replications", "1", "--out", "run")
    assert vaxsim(*command).exit_code == 0
    assert "another run (seed 1 and not 2)" in refused(vaxsim(*command, "--seed", "2"))


def test_error_of_ours_is_exit_1_with_a_short_message(
    scenario_file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("stock below zero on 2021-06-03")

    monkeypatch.setattr("sim.experiment.replications.check_conservation", broken)
    command = ("run", scenario_file, "--replications", "1", "--out", "run")
    result = vaxsim(*command)
    assert result.exit_code == 1
    assert "an error in vaxsim itself: AssertionError: stock below zero" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv("VAXSIM_TRACEBACK", "1")
    assert "Traceback" in vaxsim(*command).stderr


# check, plot, schema --------------------------------------------------------------------------


def test_check_shows_the_arithmetic_of_the_plan() -> None:
    result = vaxsim("check", str(PLAN))
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    # the announcement's numbers and what follows from them
    assert "together 15 x 480 + 4 x 720 + 2 x 960 = 12,000 a day" in text
    assert "enough for 91.6 % of the target of 566,551" in text
    assert "47,551 people get no first dose" in text
    assert "people with a first dose by 14 August 2021 503,000 88.8 %" in text
    assert "people fully vaccinated by 14 August 2021 0 0.0 %" in text
    assert "2021-07 27 324,000 324,000 27" in text
    assert "71 days, 710 hours" in text
    assert "call_centre.pools.*.agents" in text


def test_check_as_json_has_the_same_numbers() -> None:
    found = json.loads(vaxsim("check", str(PLAN), "--json").stdout)
    assert found["slots_per_day"] == 12000
    assert found["ceiling"] == {
        "first_by_deadline": 503000,
        "full_by_deadline": 0,
        "first_in_all": 519000,
    }
    assert all(entry["source"] for entry in found["sources"])


@pytest.mark.parametrize(
    ("changes", "ceiling"),
    [
        # Sundays: 519,000 < 12,000 a day; 8 weeks: those of June; 11 doses a vial: 570,900, but by
        # the deadline 56,000 + 303,000 x 1.1 and 12 (14) days of August still bind
        (["sunday"], (519_000, 0, 519_000)),
        (
            ["regimens.az_az.min_days=56", "regimens.az_az.target_days=56"],
            (503_000, 56_000, 519_000),
        ),
        (["vaccines.astrazeneca.extra_doses_per_vial=1"], (503_000, 0, 566_551)),
        (["sunday", "vaccines.astrazeneca.extra_doses_per_vial=1"], (527_000, 0, 566_551)),
        (["campaign.complete_with=one_dose"], (503_000, 503_000, 519_000)),
    ],
)
def test_ceilings_are_those_of_the_plan(changes: list[str], ceiling: tuple[int, ...]) -> None:
    week = '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]'
    sundays = [f"unit_types.{kind}.open_days={week}" for kind in ("hospital", "outside", "estate")]
    overrides = [o for change in changes for o in (sundays if change == "sunday" else [change])]
    found = feasibility.ceiling_of(load_scenario(PLAN, overrides))
    assert (found.first_by_deadline, found.full_by_deadline, found.first_in_all) == ceiling


def test_agents_needed_for_every_booking_by_telephone_are_those_of_the_plan() -> None:
    # 566,551 bookings at 5 minutes are 47,213 hours, 66.5 agents always busy
    changes = [
        "groups.registered.booked_in_advance=false",
        "groups.registered.first_calls=[{opens = 2021-05-25, share = 1.0, mean_days = 7.0}]",
        *(f"groups.{group}.telephone_share=1.0" for group in ("registered", "thai", "migrant")),
        "call_centre.booking_call_minutes=5.0",
        "call_centre.inquiries_per_person=0.0",
    ]
    load = plan_arithmetic.telephone_load(load_scenario(PLAN, changes))
    assert load.days == 71
    assert load.hours_needed == pytest.approx(47_213, abs=1)
    assert load.agents_needed == pytest.approx(66.5, abs=0.05)


def test_check_refuses_what_run_refuses(scenario_file: str) -> None:
    assert "groups.late.willing" in refused(
        vaxsim("check", scenario_file, "--set", "groups.late.willing=1.5")
    )


def test_plot_draws_into_the_run_and_prints_the_files(scenario_file: str, tmp_path: Path) -> None:
    vaxsim("run", scenario_file, "--replications", "1", "--out", "run")
    result = vaxsim("plot", "run", "--unit", "south")
    assert result.exit_code == 0, result.output
    files = result.stdout.split()
    assert len(files) == 14  # seven pictures, each as PNG and SVG
    assert all((tmp_path / file).is_file() for file in files)
    # the pictures do not make the folder another run
    assert vaxsim("run", scenario_file, "--replications", "1", "--out", "run").exit_code == 0


def test_plot_of_no_run_is_refused(tmp_path: Path) -> None:
    assert "no such folder" in refused(vaxsim("plot", "nothing"))
    assert "is no run" in refused(vaxsim("plot", str(tmp_path)))


def test_plot_into_an_unnamed_folder_is_refused(scenario_file: str) -> None:
    vaxsim("run", scenario_file, "--replications", "1", "--out", "run")
    assert "name a folder" in refused(vaxsim("plot", "run", "--out", ""))


def test_plot_of_an_unknown_unit_is_refused(scenario_file: str) -> None:
    vaxsim("run", scenario_file, "--replications", "1", "--out", "run")
    assert "no unit 'west'" in refused(vaxsim("plot", "run", "--unit", "west"))


def test_schema_is_a_json_schema() -> None:
    found = json.loads(vaxsim("schema").stdout)
    assert found["$schema"].startswith("https://json-schema.org/")
    assert "campaign" in json.dumps(found)


def test_version() -> None:
    assert vaxsim("--version").stdout == f"vaxsim {__version__}\n"


def test_engines_of_the_command_line_are_those_that_exist() -> None:
    assert {name.value for name in EngineName} == set(ENGINES)


# Words ----------------------------------------------------------------------------------------


def an_answer(successes: int, n: int, full: float = 0.0) -> Answer:
    reasons = {name: mean_interval([0.0] * n) for name in REASONS}
    reasons |= {"vaccinated": mean_interval([full] * n), "no_dose": mean_interval([60.0] * n)}
    reasons |= {"unwilling": mean_interval([0.4] * n)}
    return Answer(
        target=100,
        as_of=small_scenario().campaign.deadline,
        deadline_simulated=True,
        replications=n,
        successes={"first": successes, "full": successes},
        probability={
            "first": proportion_interval(successes, n),
            "full": proportion_interval(successes, n),
        },
        persons={"first": mean_interval([40.0] * n), "full": mean_interval([full] * n)},
        reasons={"first": reasons, "full": reasons},
    )


def test_verdict_is_yes_no_or_uncertain() -> None:
    assert verdict(an_answer(10, 10)).startswith("Yes: in all 10 replications")
    assert verdict(an_answer(0, 10)).startswith("No: in none of 10 replications")
    assert verdict(an_answer(0, 1)).startswith("No: in the one replication not everyone")
    # Wilson interval of 5 in 10: 23.7 to 76.3 %
    assert verdict(an_answer(5, 10)).startswith(
        "Uncertain: in 5 of 10 replications everyone is fully vaccinated by 20 June 2021 "
        "(probability 23.7 % to 76.3 %)"
    )


def test_verdict_names_only_what_matters() -> None:
    # 0.4 unwilling people are under 1 % of those who miss a dose
    assert verdict(an_answer(0, 10)).endswith("What stands in the way: for 60 there is no dose.")


def test_verdict_counts_the_people_of_smaller_reasons_together() -> None:
    """1 % of 604 is 6.04: the 4 who did not show up are told with whatever else is small."""
    answer = an_answer(0, 10)
    persons = {"no_dose": 600.0, "not_shown_up": 4.0, "unwilling": 0.0}
    answer.reasons["full"] |= {name: mean_interval([n] * 10) for name, n in persons.items()}
    told = "What stands in the way: for 600 there is no dose; 4 for other reasons."
    assert verdict(answer).endswith(told)


def test_nearly_all_is_not_rounded_to_all() -> None:
    assert percent(566_550 / 566_551) == "over 99.9 %"
    assert percent(1 / 566_551) == "under 0.1 %"
    assert percent(1.0) == "100.0 %"
    assert percent(0.0) == "0.0 %"


def test_amounts_are_written_as_their_units_ask() -> None:
    assert amount(0.5, "persons") == "0.5"
    assert amount(1234567.4, "calls") == "1,234,567"
    assert amount(2.0, "calls per booking") == "2.00"
    assert amount(0.25, "share") == "25.0 %"
    assert amount(3.14, "min") == "3.1 min"


# Real processes -------------------------------------------------------------------------------


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys, sim.cli\n"
        "heavy = {'numpy', 'pandas', 'numba', 'scipy', 'matplotlib', 'pydantic', 'pyarrow'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"


def test_the_answer_of_a_run_draws_nothing_and_loads_nothing_to_draw_with(
    scenario_file: str,
) -> None:
    script = (
        "import sys, sim.cli\n"
        f"sim.cli.app(['run', {scenario_file!r}, '--json'], standalone_mode=False)\n"
        "print([m for m in ('matplotlib', 'jinja2', 'streamlit') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines()[-1] == "[]"


def test_help_lists_the_commands() -> None:
    out, err = process("--help").communicate(timeout=60)
    assert {"run", "check", "plot", "schema"} <= set(re.findall(r"\w+", out))
    assert err == ""


@pytest.mark.parametrize("code", ["en", "th"])
@pytest.mark.parametrize("command", ["app", "compare", "run"])
def test_help_names_arguments_in_words_and_not_in_types(command: str, code: str) -> None:
    out, _err = process(command, "--help", "--lang", code).communicate(timeout=60)
    assert "list[" not in out
    assert "<path>" not in out


def test_quiet_where_standard_error_is_no_terminal(scenario_file: str) -> None:
    running = process("run", scenario_file, "--replications", "2", "--workers", "2", "--json")
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert err == ""
    assert json.loads(out)["replications"] == 2


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals of POSIX")
def test_progress_is_shown_on_a_terminal(scenario_file: str) -> None:
    import pty

    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "sim",
            "run",
            scenario_file,
            "--replications=2",
            "--workers=1",
            "--json",
        ],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the terminal is closed when the process ends
            break
        if not piece:
            break
        shown += piece
    assert running.stdout is not None
    assert json.loads(running.stdout.read())["replications"] == 2
    running.stdout.close()
    assert running.wait(60) == 0
    assert b"Simulating 2 x 30 days" in shown
    assert b"left" in shown


def test_closed_pipe_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    running = subprocess.run(
        [sys.executable, "-m", "sim", "schema"], stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert running.returncode == 0
    assert running.stderr == ""


def test_terminal_without_unicode_is_no_error(scenario_file: str) -> None:
    running = process(
        "run", scenario_file, "--replications", "2", "--workers", "1",
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert "Results: " in out


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("sent", "code", "workers"),
    [(signal.SIGINT, 130, "1"), (signal.SIGINT, 130, "2"), (signal.SIGTERM, 143, "2")],
)
def test_a_run_that_is_ended_says_in_one_line_what_is_kept(
    scenario_file: str, tmp_path: Path, sent: signal.Signals, code: int, workers: str
) -> None:
    command = ("run", scenario_file, "--replications", "5000", "--workers", workers, "--out", "run")
    # in a process group of its own, as from a terminal: the workers get the signal too
    running = process(*command, start_new_session=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("run/unfinished/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, sent)
    start = time.monotonic()
    _, err = running.communicate(timeout=60)
    assert time.monotonic() - start < 10
    assert running.returncode == code
    there = json.loads(vaxsim("show", "run", "--json").stdout)["replications_there"]
    assert err == (
        f"vaxsim: interrupted; {there:,} of 5,000 replications are kept in run; "
        "the same command goes on from there\n"
    )


@pytest.mark.skipif(os.name != "posix", reason="resource limits of POSIX")
def test_file_that_cannot_be_written_whole_is_an_error_and_nothing_is_kept(
    scenario_file: str, tmp_path: Path
) -> None:
    import resource

    def allow_no_large_files() -> None:  # as on a full disk: writing fails in the middle
        resource.setrlimit(resource.RLIMIT_FSIZE, (14_000, 14_000))

    vaxsim("run", scenario_file, "--replications", "1", "--out", "first")
    assert max(p.stat().st_size for p in (tmp_path / "first" / "tables").rglob("*")) > 14_000
    running = process(
        "run", scenario_file, "--replications", "1", "--out", "run",
        preexec_fn=allow_no_large_files,
    )  # fmt: skip
    _, err = running.communicate(timeout=60)
    assert running.returncode == 2
    assert "cannot be written: File too large" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="fork servers and lists of child processes")
def test_workers_end_with_their_parent(scenario_file: str) -> None:
    running = process(
        "run", scenario_file, "--replications", "5000", "--workers", "2", "--out", "run"
    )
    deadline = time.monotonic() + 60
    workers: list[int] = []
    while len(workers) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
        servers = children(running.pid)
        workers = [worker for server in servers for worker in children(server)]
    assert len(workers) == 2
    running.kill()
    running.communicate(timeout=60)
    deadline = time.monotonic() + 10
    while any(map(alive, servers + workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, servers + workers))


def children(number: int) -> list[int]:
    path = Path(f"/proc/{number}/task/{number}/children")
    if not path.exists():
        pytest.skip("no list of child processes here")
    return [int(each) for each in path.read_text().split()]


def alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
