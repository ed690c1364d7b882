"""Claims about `vaxsim check`: doses that come too late, languages, what was changed, ceilings."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_campaign import small_scenario

from sim.experiment import feasibility
from sim.experiment import plan_arithmetic as arithmetic
from sim.presentation.answer_view import warnings
from sim.presentation.plan_check import check_data, check_text
from sim.scenario_files import load_scenario, raw_scenario

SCENARIOS = Path(__file__).parent.parent / "scenarios"
PLAN = SCENARIOS / "plan.toml"


def checked(*overrides: str, path: Path = PLAN) -> str:
    """The page, with its columns told apart by single spaces."""
    text = check_text(load_scenario(path, overrides), raw_scenario(path, overrides))
    return " ".join(text.split())


def section(heading: str, *overrides: str, path: Path = PLAN) -> list[str]:
    """Lines of one section, spaces as in `checked`."""
    text = check_text(load_scenario(path, overrides), raw_scenario(path, overrides))
    (found,) = [part for part in text.split("\n\n") if part.startswith(heading)]
    return [" ".join(line.split()) for line in found.splitlines()[1:]]


# Doses ----------------------------------------------------------------------------------------


def test_doses_expected_after_the_horizon_do_not_count() -> None:
    # 1 August and 150 days are 29 December; the horizon is 30 November. 56,000 + 303,000 are left.
    lines = section(
        "Doses", 'deliveries.august.delay_days={distribution="exponential", mean=150.0}'
    )
    assert "august astrazeneca after 30 November 2021 160,000 0" in lines
    assert "together by 30 November 2021 359,000 359,000" in lines
    assert "207,551 people get no first dose from these deliveries" in lines


@pytest.mark.parametrize(("days", "in_time"), [(121.4, True), (121.5, False)])
def test_a_delay_is_rounded_to_whole_days(days: float, in_time: bool) -> None:
    # 1 August and 121 days are 30 November, the horizon
    uniform = f'{{distribution="uniform", low=0.0, high={2 * days}}}'
    found = arithmetic.deliveries(load_scenario(PLAN, [f"deliveries.august.delay_days={uniform}"]))
    assert found.set_index("delivery")["in_time"]["august"] == in_time


def test_an_enormous_delay_is_no_error() -> None:
    late = 'deliveries.august.delay_days={distribution="exponential", mean=1e300}'
    assert "after 30 November 2021" in checked(late)


def test_usable_doses_are_those_of_whole_vials() -> None:
    # 95 doses are 9 vials; 3 % of 9 is 0.27 of a vial, which is not lost; 11 doses from each
    delivery = {"vaccine": "az", "arrives": small_scenario().campaign.first_day, "doses": 95}
    scenario = small_scenario(
        {
            "deliveries": {"extra": delivery},
            "vaccines": {"az": {"storage_loss": 0.03, "extra_doses_per_vial": 1}},
        }
    )
    found = arithmetic.deliveries(scenario).set_index("delivery")["usable"]
    assert found["extra"] == 99
    # 500 doses are 50 vials, of which 1.5 are lost: 1 at least
    assert found["first"] == 49 * 11


def test_ceiling_is_certain_unless_chance_can_bring_more() -> None:
    assert feasibility.ceiling_is_certain(load_scenario(PLAN))
    for change in (
        'deliveries.july.delay_days={distribution="uniform", low=0.0, high=9.0}',
        'deliveries.july.fraction_delivered={distribution="uniform", low=0.5, high=1.5}',
        "unit_types.hospital.walk_ins_per_day=5.0",
    ):
        assert not feasibility.ceiling_is_certain(load_scenario(PLAN, [change]))


def test_slots_are_those_of_the_model_and_walk_ins() -> None:
    # 60 a day and unit, 63 with 5 % overbooking, and 2 people without appointment; no Sundays
    scenario = small_scenario(
        {
            "appointments": {"overbooking": 0.05},
            "unit_types": {"hall": {"walk_ins_per_day": 2.0}},
        }
    )
    slots = arithmetic.slots_by_day(scenario)
    assert slots["2021-06-02"] == 0  # vaccination begins on the 3rd
    assert slots["2021-06-03"] == 2 * 65
    assert slots["2021-06-06"] == 0  # a Sunday


def test_what_the_ceiling_leaves_out_is_said_where_people_share_vials() -> None:
    # `run` says it in the line that `check` begins with, unless everybody can be reached.
    said = "where fewer come, or a vial is open for too long, doses are thrown away"
    for vial, shared in ((10, True), (1, False)):
        page = checked(f"vaccines.astrazeneca.doses_per_vial={vial}")
        assert (said in page) == shared
        assert ("Doses thrown away from opened vials come off that." in page) == shared


# Languages ------------------------------------------------------------------------------------


def test_calls_and_agents_are_told_by_language() -> None:
    # Thai: 151,500 bookings of 4 min and 35,900 inquiries of 3 min; 20 + 12 agents on 71 days of
    # 10 hours. Burmese: 83,020.4 bookings and 20,755.1 inquiries; 12 + 8 agents.
    lines = section("Telephone")
    assert "thai 187,400 32 11,895 22,720" in lines
    assert "burmese 103,776 20 6,572 14,200" in lines
    assert lines[-1] == "agents who speak several languages count in each of them"
    table = arithmetic.languages(load_scenario(PLAN)).set_index("language")
    thai = (151_500 * 4 + 35_900 * 3) / 60
    assert table.loc["thai", "hours_needed"] == pytest.approx(thai)
    assert table.loc["burmese", "hours_available"] == 20 * 710


def test_sums_over_languages_are_those_of_all_calls() -> None:
    scenario = load_scenario(PLAN)
    load, table = arithmetic.telephone_load(scenario), arithmetic.languages(scenario)
    assert table["calls"].sum() == pytest.approx(load.calls)
    assert table["hours_needed"].sum() == pytest.approx(load.hours_needed)
    assert load.hours_available == 40 * 710  # those who speak two languages once


def test_misspelt_language_is_warned_of() -> None:
    # 151,500 to book and a tenth of 303,000 to ask
    warning = "no agent speaks klingon: 181,800 calls to book or to ask cannot be answered"
    assert f"Warning: {warning}" in checked("groups.thai.language=klingon")
    assert "did you mean thai?" in checked("groups.thai.language=thia")
    data = check_data(
        load_scenario(PLAN, ["groups.thai.language=klingon"]),
        raw_scenario(PLAN, ["groups.thai.language=klingon"]),
    )
    assert data["warnings"] == [warning]
    assert [row["language"] for row in data["languages"]] == ["thai", "klingon", "burmese"]


def test_agents_who_are_never_there_speak_nothing() -> None:
    nobody = [f"call_centre.pools.{pool}.agents=0" for pool in ("bilingual", "burmese")]
    assert warnings(load_scenario(PLAN, nobody)) == warnings(
        load_scenario(SCENARIOS / "thai_agents_only.toml")
    )
    at_night = 'shifts=[{start="20:00", end="22:00", staff=9}]'
    assert warnings(
        load_scenario(
            PLAN,
            [nobody[0], f"call_centre.pools.burmese={{{at_night}}}"],
        )
    )


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_only_the_what_if_without_migrants_agents_has_a_warning(path: Path) -> None:
    assert bool(warnings(load_scenario(path))) == (path.stem == "thai_agents_only")


def test_language_in_which_nobody_calls_is_no_matter() -> None:
    # the 56,000 are booked in advance; without inquiries they do not call
    quiet = ("groups.registered.language=mon", "call_centre.inquiries_per_person=0.0")
    assert warnings(load_scenario(PLAN, quiet)) == []


# Changes --------------------------------------------------------------------------------------


def test_value_set_by_an_option_is_shown_as_such() -> None:
    lines = section(
        "Changed",
        "call_centre.lines=130",
        "call_centre.pools.thai.agents=30",
        "call_centre.patience_minutes.mean=4.0",
    )
    assert lines[:2] == [
        "call_centre.lines 130 set by --set",
        "call_centre.patience_minutes exponential (mean 4) mean: set by --set; distribution: "
        "assumed (2 to 30 minutes); the shape: general literature on telephone queues",
    ]
    assert lines[2] == "call_centre.pools.thai.agents 30 set by --set"
    assert "call_centre.lines 130 assumed" not in checked("call_centre.lines=130")


def test_value_changed_by_a_file_without_a_source_is_shown_as_such(tmp_path: Path) -> None:
    path = tmp_path / "more.toml"
    path.write_text(f'extends = "{PLAN}"\n[call_centre]\nlines = 130\n')
    (line,) = section("Changed", path=path)
    assert line == "call_centre.lines 130 changed in more.toml; no source given"


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_value_of_our_scenarios_has_a_source(path: Path) -> None:
    page = checked(path=path)
    assert "no source given" not in page
    assert "Changed without a source" not in page


def test_walk_ins_where_everybody_has_booked_are_warned_of() -> None:
    # 5 a day in each of the 15 hospitals; with one group that has not booked somebody can walk in
    walk_ins = "unit_types.hospital.walk_ins_per_day=5"
    booked = [f"groups.{name}.booked_in_advance=true" for name in ("thai", "migrant")]
    told = warnings(load_scenario(PLAN, [walk_ins, *booked]))
    assert len(told) == 1
    assert told[0].startswith("75 walk-ins a day are awaited, but nobody will walk in")
    assert not warnings(load_scenario(PLAN, [walk_ins, booked[0]]))
    assert not warnings(load_scenario(PLAN, booked))
