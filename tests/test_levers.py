"""Claims about levers: what each size does to a scenario, to its ceiling, and what is refused."""

from pathlib import Path

import pytest
from campaigns import advance_group, campaign, day, delivery

from sim.experiment.changes import settings_that_differ, shared_out
from sim.experiment.feasibility import most_by
from sim.experiment.goals import Goal, read_goal
from sim.experiment.lever_kinds import FAMILIES
from sim.experiment.levers import Lever, LeverError, pulled, read_levers
from sim.experiment.unit_levers import slots_a_day
from sim.language import speaking
from sim.scenario import Scenario
from sim.scenario_files import file_data, load_scenario, scenario_from_data

PLAN = load_scenario(Path(__file__).parent.parent / "scenarios" / "plan.toml")
EVERYONE = read_goal("first_dose>=1.0 by 2021-08-14", PLAN)
FULLY = read_goal("full>=1.0 by 2021-08-14", PLAN)


def levers(
    text: str | None = None, scenario: Scenario = PLAN, goal: Goal = EVERYONE
) -> list[Lever]:
    return read_levers(text, scenario, goal)


def plan_with(**sizes: int) -> Scenario:
    return pulled(PLAN, [(lever, sizes[lever.name]) for lever in levers() if lever.name in sizes])


def first_doses_by_the_deadline(**sizes: int) -> int:
    return most_by(plan_with(**sizes), "first", EVERYONE.by)


# The plan's arithmetic ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sizes", "people"),
    [
        # June's 56,000 and July's 303,000 Thais, then 12 open days of 12,000 slots
        ({}, 503_000),
        # a tenth more doses: the slots of August still bind
        ({"extra_doses": 1}, 503_000),
        ({"deliveries": 100_000}, 503_000),
        # two Sundays of August more: 168,000 slots, so that the 519,000 doses bind
        ({"open_days": 1}, 519_000),
        # both: 359,000 + 14 x 12,000
        ({"open_days": 1, "extra_doses": 1}, 527_000),
        ({"open_days": 1, "deliveries": 100_000}, 527_000),
        # one vaccinator more at each of the 21 units: 14,520 x 12 slots, so doses bind
        ({"vaccinators": 21}, 519_000),
        # turns six days sooner and eleven doses: all of June's 61,600, July's 27 x 12,000 slots,
        # then 12 x 12,000
        ({"extra_doses": 1, "turns": 6}, 529_600),
    ],
)
def test_the_ceiling_says_what_the_plan_says(sizes: dict[str, int], people: int) -> None:
    assert first_doses_by_the_deadline(**sizes) == people


def test_one_vaccinator_more_at_each_unit_makes_14520_slots() -> None:
    # 15 x 5 x 120 + 4 x 7 x 120 + 2 x 9 x 120; a person takes 4 of 480 minutes
    assert slots_a_day(plan_with(vaccinators=21)) == 14_520


def test_other_stations_follow_where_they_become_the_narrowest() -> None:
    # hospital: 8 vaccinators give 960; registration (720 with 3) then needs 4, screening (640 with
    # 4) 6, observation (633 with 40 seats) 61
    lever = levers("vaccinators.hospital")[0]
    doubled = next(
        world
        for size in lever.sizes
        if (world := pulled(PLAN, [(lever, size)]))
        .unit_types["hospital"]
        .stations["vaccination"]
        .staff
        == 8
    )
    staff = {name: s.staff for name, s in doubled.unit_types["hospital"].stations.items()}
    assert staff == {"registration": 4, "screening": 6, "vaccination": 8, "observation": 61}
    assert doubled.unit_types["outside"] == PLAN.unit_types["outside"]


# Every lever ----------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", [EVERYONE, FULLY], ids=["first", "full"])
def test_a_larger_size_never_lowers_the_ceiling_and_telephones_do_not_move_it(goal: Goal) -> None:
    # at a scenario in which everything else is plentiful, so that each has something to say
    assert goal.scope is not None
    for lever in levers(goal=goal):
        sizes = [0, *lever.sizes[:: max(len(lever.sizes) // 4, 1)], lever.largest]
        ceilings = [most_by(pulled(PLAN, [(lever, n)]), goal.scope, goal.by) for n in sizes]
        assert ceilings == sorted(ceilings), lever.name
        if not lever.supply:
            assert len(set(ceilings)) == 1, lever.name


def test_what_a_lever_sets_can_be_set_by_hand() -> None:
    for lever in levers(goal=FULLY):
        for size in (lever.sizes[0], lever.largest):
            world = pulled(PLAN, [(lever, size)])
            settings = settings_that_differ(PLAN, world)
            assert settings, lever.name
            again = scenario_from_data(file_data(PLAN), settings)
            kept = {"sources", "ranges", "not_varied"}
            assert again.model_dump(exclude=kept) == world.model_dump(exclude=kept), lever.name


def test_levers_add_what_their_size_says() -> None:
    doses = sum(d.doses for d in plan_with(deliveries=48_000).deliveries.values())
    assert doses == 519_000 + 48_000
    # 40 agents as 20 : 12 : 8; lines in proportion, 120 x 50 / 40
    centre = plan_with(agents=10).call_centre
    assert [pool.agents for pool in centre.pools.values()] == [25, 15, 10]
    assert centre.lines == 150
    assert plan_with(other_channels=500).other_channels.bookings_per_day == 6_500
    turns = [str(group.turn_from) for group in plan_with(turns=40).groups.values()]
    assert turns == ["2021-06-01", "2021-06-01", "2021-06-22"]  # not before vaccination begins
    listed = plan_with(registration=303_000).groups
    assert [group.booked_in_advance for group in listed.values()] == [True, True, False]
    arrives = [str(d.arrives) for d in plan_with(earlier_deliveries=10).deliveries.values()]
    assert arrives == ["2021-05-25", "2021-06-21", "2021-07-22"]  # not before the first day


def test_the_interval_matters_to_full_vaccination_only_and_ends_at_four_weeks() -> None:
    assert "interval" not in [lever.name for lever in levers()]
    (lever,) = levers("interval", goal=FULLY)
    assert pulled(PLAN, [(lever, lever.largest)]).regimens["az_az"].min_days == 28


def test_a_part_moves_alone() -> None:
    (lever,) = levers("deliveries.july")
    july = pulled(PLAN, [(lever, 10_000)]).deliveries
    assert [d.doses for d in july.values()] == [56_000, 313_000, 160_000]


def test_shifts_grow_like_staff_and_stay_to_a_later_closing() -> None:
    early = {"start": "08:00", "end": "12:00", "staff": 2}
    late = {"start": "12:00", "end": "16:00", "staff": 2}
    jab = {"kind": "vaccination", "staff": 0, "minutes": 4.0, "shifts": [early, late]}
    scenario = campaign({"unit_types": {"hall": {"stations": {"jab": jab}}}}, units={
        "hall": {"type": "hall", "district": "town"}
    })  # fmt: skip
    goal = read_goal("first_dose>=1", scenario)
    (staff,) = read_levers("vaccinators", scenario, goal)
    (hours,) = read_levers("hours", scenario, goal)
    assert slots_a_day(scenario) == 240  # 8 h x 2 / 4 min
    assert slots_a_day(pulled(scenario, [(staff, 1)])) == 360
    assert slots_a_day(pulled(scenario, [(hours, 1)])) == 270


def test_whole_numbers_are_shared_out_by_largest_remainders() -> None:
    assert shared_out(10, [1, 1, 1]) == [4, 3, 3]
    assert shared_out(7, [0, 2, 5]) == [0, 2, 5]


# What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("agent", "did you mean agents"),
        ("magic", f"levers are {', '.join(FAMILIES)}"),
        ("deliveries.may", "there is no lever 'deliveries.may'"),
        ("agents,agents", "named twice"),
        ("agents,agents.thai", "named twice"),
        ("agents<=many", "agents<=many: the bound must be a number"),
        ("agents<=nan", "agents<=nan: the bound must be a number"),
        ("agents<=", "agents<=: the bound must be a number"),
        ("agents<=-1", "agents<=-1: the bound must be at least 1, the smallest change in agents"),
        ("agents<=0.5", "agents<=0.5: the bound must be at least 1"),
        ("interval", "28 days are the least between two doses"),
        (" , ", "no lever is named"),
    ],
)
def test_levers_that_cannot_be_are_refused(text: str, said: str) -> None:
    with pytest.raises(LeverError, match=said.replace(".", r"\.")):
        levers(text)


def test_a_part_that_is_not_there_is_answered_with_the_parts() -> None:
    with pytest.raises(LeverError, match=r"agents\.thai, agents\.bilingual, agents\.burmese"):
        levers("agents.nobody")


def test_smaller_sizes_come_in_growing_steps_from_a_quarter_in_whole_vials() -> None:
    # agents go in twos, so one by one; doses in quarters of their step; turns in whole days
    by_name = {lever.name: lever for lever in levers("agents,deliveries,turns")}
    assert by_name["agents"].smaller(6) == [5, 4, 2]  # 1, 2, 4 less
    size = by_name["deliveries"].sizes[1]
    step = by_name["deliveries"].sizes[0] // 4
    assert by_name["deliveries"].smaller(size)[:2] == [size - step, size - 2 * step]
    assert by_name["turns"].smaller(3) == [2, 1]


def test_levers_are_said_in_thai_by_names_that_stay() -> None:
    with speaking("th"):
        found = {lever.name: lever.words(lever.sizes[0]) for lever in levers(goal=FULLY)}
        part = levers("deliveries.july")[0]
        words = part.words(part.sizes[0])
    assert list(found) == [lever.name for lever in levers(goal=FULLY)]
    for name, said in {**found, part.name: words}.items():
        assert not any("a" <= letter <= "z" for letter in said), (name, said)


def test_a_limit_leaves_smaller_sizes() -> None:
    assert levers("agents<=20")[0].largest == 20


def test_a_scenario_has_the_levers_that_can_move() -> None:
    # everyone registered, in turn from the first day, one delivery on it, units open every day,
    # vials of one dose
    scenario = campaign(groups={"early": advance_group(10)}, deliveries={"only": delivery(5)})
    goal = read_goal(f"first_dose>=1 by {day(5)}", scenario)
    assert [lever.name for lever in read_levers(None, scenario, goal)] == [
        "deliveries", "vaccinators", "hours", "agents", "lines", "other_channels",
    ]  # fmt: skip


def test_many_days_are_said_in_short() -> None:
    # an opening on Saturdays and Sundays added to other days; to all seven; to some of them
    hall = {"open_days": ["mon"]}
    (lever,) = levers("open_days", campaign({"unit_types": {"hall": hall}}))
    assert [lever.words(size) for size in lever.sizes] == [
        "units open on Sundays too",
        "units open on Saturdays and Sundays too",
        "units open on Friday – Sunday too",
        "units open on Thursday – Sunday too",
        "units open on Wednesday – Sunday too",
        "units open every day",
    ]
