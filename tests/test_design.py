"""Claims about designs: which values `--vary` means, which points a design has, what is refused."""

from datetime import date
from typing import Any

import pytest
from small_campaign import small_scenario

from sim.experiment.design import Design, DesignError, Factor, factor, make_design, read_factor
from sim.scenario_files import ScenarioError, file_data, scenario_from_data

DATA = file_data(small_scenario())
AGENTS = "call_centre.pools.desk.agents"
STAFF = "unit_types.hall.stations.vaccination.staff"
WILLING = "groups.late.willing"


def levels(text: str) -> list[Any]:
    return list(read_factor(text, DATA).levels)


# Values ---------------------------------------------------------------------------------------


def test_a_range_has_both_ends() -> None:
    assert levels(f"{AGENTS}=20:120:20") == [20, 40, 60, 80, 100, 120]


def test_a_range_stops_at_its_last_step_before_the_end() -> None:
    assert levels(f"{AGENTS}=2:9:3") == [2, 5, 8]


def test_a_range_may_go_down() -> None:
    assert levels(f"{AGENTS}=6:2:-2") == [6, 4, 2]


def test_decimal_steps_do_not_drift() -> None:
    # adding 0.1 in binary would give 0.30000000000000004 and might miss 0.5
    assert levels(f"{WILLING}=0.1:0.5:0.1") == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_whole_numbers_stay_whole_where_the_field_is_whole() -> None:
    assert all(type(level) is int for level in levels(f"{AGENTS}=1:3:1"))
    assert all(type(level) is float for level in levels(f"{WILLING}=0:1:1"))


def test_dates_go_in_days() -> None:
    assert levels("deliveries.second.arrives=2021-06-10:2021-06-24:7") == [
        date(2021, 6, 10),
        date(2021, 6, 17),
        date(2021, 6, 24),
    ]


def test_a_list_has_its_values_as_set_reads_them() -> None:
    assert levels(f"{STAFF}=2,4,6") == [2, 4, 6]
    assert levels("supply.second_dose_policy=first_doses_first,reserve") == [
        "first_doses_first",
        "reserve",
    ]
    assert levels("call_centre.opens=08:00,09:00") == ["08:00", "09:00"]
    assert levels('unit_types.hall.open_days=["mon"],["mon", "tue"]') == [["mon"], ["mon", "tue"]]


def test_a_distribution_can_be_swept_as_a_constant_or_by_its_mean() -> None:
    assert levels("call_centre.booking_call_minutes=3:5:1") == [3.0, 4.0, 5.0]
    assert levels("call_centre.booking_call_minutes.mean=3:5:1") == [3.0, 4.0, 5.0]


def test_values_may_be_given_as_a_sequence() -> None:
    assert factor(AGENTS, range(1, 4), DATA).levels == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{AGENTS}=1:9:0", "with a step of 0 the range never ends"),
        (f"{AGENTS}=9:1:2", "the range is empty"),
        (f"{AGENTS}=9:1", "the range is empty"),
        (f"{AGENTS}=1.5:3", "is a whole number"),
        (f"{AGENTS}=1:nan:1", "FIRST:LAST:STEP"),
        (f"{AGENTS}=1:inf:1", "FIRST:LAST:STEP"),
        (f"{AGENTS}=few:many", "FIRST:LAST:STEP"),
        (f"{AGENTS}=1:2:3:4", "FIRST:LAST:STEP"),
        (f"{AGENTS}=0:1e12:1", "1,000,000,000,001 values"),
        (f"{AGENTS}=1,,2", "missing beside a comma"),
        (f"{AGENTS}=2,3,2", "2 is given twice"),
        (f"{AGENTS}=", "write PATH=VALUES"),
        (AGENTS, "write PATH=VALUES"),
        ("=1,2", "write PATH=VALUES"),
        ("deliveries.second.arrives=2021-06-10:2021-06-24", "FIRST:LAST:DAYS"),
        ("deliveries.second.arrives=2021-06-10:2021-06-31:7", "FIRST:LAST:DAYS"),
        ("deliveries.second.arrives=2021-06-24:2021-06-10:7", "the range is empty"),
    ],
)
def test_values_that_say_nothing_are_refused(text: str, message: str) -> None:
    with pytest.raises(DesignError, match="--vary") as caught:
        read_factor(text, DATA)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("call_centre.pools.desk.agent=1,2", f"did you mean {AGENTS}?"),
        ("call_center.lines=1,2", "did you mean call_centre?"),
        ("unit_types.hall.stations.vacination.staff=1,2", "vaccination?"),
        ("groups.late.first_calls.1.share=0:1:1", "its items are 0 to 0"),
        ("call_centre.lines.more=1,2", "not a table"),
    ],
)
def test_unknown_paths_are_refused(text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        read_factor(text, DATA)
    assert message in str(caught.value)


# Points ---------------------------------------------------------------------------------------


def test_a_grid_has_every_combination_the_last_factor_running_fastest() -> None:
    design = make_design([Factor("a", (1, 2)), Factor("b", ("x", "y", "z"))])
    assert list(design.points) == [(1, "x"), (1, "y"), (1, "z"), (2, "x"), (2, "y"), (2, "z")]
    assert design.values(4) == {"a": 2, "b": "y"}


def test_overrides_of_a_point_set_its_values() -> None:
    factors = (
        Factor(AGENTS, (7,)),
        Factor("campaign.deadline", (date(2021, 6, 18),)),
        Factor("unit_types.hall.open_days", (["mon", "tue"],)),
        Factor("call_centre.at_closing", ("cut_off",)),
        Factor("call_centre.patience_minutes", ({"distribution": "exponential", "mean": 2.5},)),
    )
    design = make_design(factors)
    scenario = scenario_from_data(DATA, design.overrides(0))
    assert scenario.call_centre.pools["desk"].agents == 7
    assert scenario.campaign.deadline == date(2021, 6, 18)
    assert scenario.units["north"].open_days == ["mon", "tue"]
    assert scenario.call_centre.at_closing == "cut_off"
    assert scenario.call_centre.patience_minutes.mean() == 2.5


@pytest.mark.parametrize("kind", ["lhs", "sobol"])
def test_drawn_designs_stay_in_their_ranges_and_reach_through_them(kind: str) -> None:
    factors = [Factor("a", low=10, high=12, integer=True), Factor("b", low=-1.0, high=1.0)]
    points = make_design(factors, kind, 64, seed=3).points
    assert len(points) == 64
    # a Latin hypercube and a Sobol' sequence both put a third of 64 points into each third
    for level in (10, 11, 12):
        assert 20 <= sum(a == level for a, _ in points) <= 23
    assert all(-1 <= b <= 1 for _, b in points)
    assert sum(b < 0 for _, b in points) == 32
    assert all(type(a) is int and type(b) is float for a, b in points)


def test_a_latin_hypercube_has_one_point_in_each_slice_of_each_factor() -> None:
    points = make_design([Factor("a", low=0, high=1), Factor("b", low=0, high=1)], "lhs", 10).points
    for column in zip(*points, strict=True):
        assert sorted(int(10 * value) for value in column) == list(range(10))


def test_levels_are_spread_evenly_in_a_drawn_design() -> None:
    points = make_design([Factor("a", (1, 2, 5, 9))], "lhs", 20).points
    assert all(points.count((level,)) == 5 for level in (1, 2, 5, 9))


def test_the_seed_decides_the_points() -> None:
    factors = [Factor("a", low=0, high=1)]
    designs = [make_design(factors, "lhs", 5, seed) for seed in (1, 1, 2)]
    assert designs[0] == designs[1]
    assert designs[0].points != designs[2].points


def test_a_drawn_design_has_ten_points_a_factor_unless_told() -> None:
    factors = [Factor("a", low=0, high=1), Factor("b", low=0, high=1)]
    assert len(make_design(factors, "lhs").points) == 20
    assert len(make_design(factors, "sobol").points) == 32  # the next power of two


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_design([]), "a sweep needs a factor"),
        (lambda: make_design([Factor("a", (1,)), Factor("a", (2,))]), "given twice"),
        (lambda: make_design([Factor("a", (1,))], "star"), "one of grid, lhs, sobol, not star"),
        (lambda: make_design([Factor("a", (1,))], points=5), "--points is for"),
        (lambda: make_design([Factor("a", low=0, high=1)]), "a grid needs a step"),
        (lambda: make_design([Factor("a", (1,))], "lhs", 0), "at least 1, not 0"),
        (lambda: make_design([Factor("a", (1,))], "lhs", -3), "at least 1, not -3"),
        (lambda: make_design([Factor("a", (1,))], "sobol", 30), "take 32"),
        (
            lambda: make_design([Factor("a", tuple(range(90))), Factor("b", tuple(range(80)))]),
            "the grid of 90 x 80 has 7,200 points, more than the 1,000 allowed",
        ),
        (lambda: make_design([Factor("a", (1,))], "lhs", 5000), "5,000 points"),
    ],
)
def test_designs_that_cannot_be_are_refused(make: Any, message: str) -> None:
    with pytest.raises(DesignError) as caught:
        make()
    assert message in str(caught.value)


def test_more_points_can_be_allowed() -> None:
    grid = make_design([Factor("a", tuple(range(1500)))], max_points=1500)
    assert isinstance(grid, Design)
    assert len(grid.points) == 1500
