"""Claims about the queue of work: tasks of several scenarios, in order, by whoever does them."""

import gc
import itertools
import multiprocessing.util
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from campaign_processes import everything
from small_campaign import small_scenario

from sim.engine import get_engine
from sim.experiment.packing import PackingError, pack, unpack
from sim.experiment.replications import Task, replicate
from sim.experiment.results import RunError, open_run
from sim.experiment.runs import Order, carry_out, carry_out_all
from sim.experiment.settings import RunSettings, SettingsError
from sim.experiment.work import do_work
from sim.model.campaign import Campaign
from sim.random_streams import RandomStreams

UNTIL = small_scenario().campaign.vaccination_from
SETTINGS = RunSettings(replications=6, workers=2, until=UNTIL)


@pytest.fixture(scope="module")
def scenarios() -> list[Any]:
    return [small_scenario({"call_centre": {"lines": lines}}) for lines in (2, 4, 6)]


@pytest.fixture
def exchange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which temporary files are made, but not multiprocessing's own."""
    multiprocessing.util.get_temp_dir()  # once a process
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_tasks_of_several_scenarios_come_back_in_order_and_as_if_done_alone(
    scenarios: list[Any], exchange: Path
) -> None:
    tasks = [Task(each, SETTINGS, number) for number in range(3) for each in scenarios]
    done = list(do_work(tasks, workers=2))
    assert [task for task, _ in done] == tasks
    for task, packed in done:
        assert packed == pack(replicate(task))
    assert list(exchange.iterdir()) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_only_the_tables_that_are_asked_for_are_handed_over(
    scenarios: list[Any], workers: int
) -> None:
    names = ("stock", "replications")
    task = Task(scenarios[0], SETTINGS, 0, tables=names)
    ((_, packed),) = do_work([task], workers)
    assert packed == pack(replicate(task), names)
    assert list(unpack(packed, names)) == list(names)


def test_tasks_are_taken_as_they_are_needed(scenarios: list[Any]) -> None:
    taken = 0

    def endless() -> Iterator[Task]:
        nonlocal taken
        for number in itertools.count():
            taken += 1
            yield Task(scenarios[0], SETTINGS, number)

    results = do_work(endless(), workers=2)
    for expected in range(12):
        assert next(results)[0].replication == expected
    results.close()
    assert taken <= 12 + 2 * 4  # 4 for each worker are given out ahead


def test_a_campaign_that_is_over_leaves_no_memory_in_use() -> None:
    # Without the collector of cycles: workers would hold campaign upon campaign until it comes
    gc.disable()
    try:
        campaign = Campaign(small_scenario(), get_engine("compiled"), RandomStreams(1, 0), UNTIL)
        campaign.run()
        people = weakref.ref(campaign.people)
        del campaign
        assert people() is None
    finally:
        gc.enable()


def test_leaving_early_leaves_no_files(scenarios: list[Any], exchange: Path) -> None:
    results = do_work([Task(scenarios[0], SETTINGS, number) for number in range(50)], workers=2)
    next(results)
    assert list(exchange.iterdir()) != []
    results.close()
    assert list(exchange.iterdir()) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_task_raises_is_raised_here(scenarios: list[Any], workers: int) -> None:
    settings = RunSettings(until=UNTIL)
    object.__setattr__(settings, "engine", "steam")
    with pytest.raises(ValueError, match="unknown engine 'steam'"):
        next(do_work([Task(scenarios[0], settings, 0)], workers=workers))


def test_no_tasks_are_no_work() -> None:
    assert list(do_work([], workers=2)) == []


def test_packed_tables_are_unpacked_as_they_were(scenarios: list[Any]) -> None:
    tables = replicate(Task(scenarios[0], SETTINGS, 0))
    found = unpack(pack(tables))
    assert {name: table.num_rows for name, table in found.items()} == {
        name: len(frame) for name, frame in tables.items()
    }


@pytest.mark.parametrize("cut", [0, 1, 1000, -9])
def test_cut_off_tables_are_noticed(scenarios: list[Any], cut: int) -> None:
    packed = pack(replicate(Task(scenarios[0], SETTINGS, 0)))
    with pytest.raises(PackingError):
        unpack(packed[:cut])


# Several runs through one queue ---------------------------------------------------------------


def test_runs_made_together_are_those_made_alone(scenarios: list[Any], tmp_path: Path) -> None:
    orders = [Order(each, SETTINGS, tmp_path / f"together-{i}") for i, each in enumerate(scenarios)]
    made = carry_out_all(orders)
    assert [simulated for _, simulated in made] == [True] * 3
    for i, each in enumerate(scenarios):
        alone, _ = carry_out(each, SETTINGS, tmp_path / f"alone-{i}")
        assert everything(alone.folder) == everything(made[i][0].folder)
    again = carry_out_all(orders)
    assert [simulated for _, simulated in again] == [False] * 3


def test_progress_of_runs_made_together_counts_every_day(
    scenarios: list[Any], tmp_path: Path
) -> None:
    orders = [Order(each, SETTINGS, tmp_path / f"{i}") for i, each in enumerate(scenarios)]
    seen: list[int] = []
    carry_out_all(orders, on_days=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] <= sum(order.days for order in orders) == 3 * 6 * 3


def test_nothing_is_simulated_if_one_of_the_orders_cannot_be(
    scenarios: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").write_text("precious")
    good = Order(scenarios[0], SETTINGS, tmp_path / "good")
    with pytest.raises(RunError, match="holds other files"):
        carry_out_all([good, Order(scenarios[1], SETTINGS, tmp_path / "taken")])
    late = RunSettings(until=scenarios[1].campaign.horizon.replace(year=2031))
    with pytest.raises(SettingsError, match="until must lie between"):
        carry_out_all([good, Order(scenarios[1], late, tmp_path / "late")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


def test_runs_made_together_keep_what_is_there_when_one_fails(
    scenarios: list[Any], tmp_path: Path
) -> None:
    orders = [Order(each, SETTINGS, tmp_path / f"{i}") for i, each in enumerate(scenarios)]
    calls = 0

    def interrupt(days: int) -> None:
        nonlocal calls
        calls += 1
        if days >= 30:  # in the second run: each has 6 times 3 days
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        carry_out_all(
            [Order(o.scenario, RunSettings(replications=6, workers=1, until=UNTIL), o.folder)
             for o in orders],
            on_days=interrupt,
        )  # fmt: skip
    assert len(caught.value.__notes__) == 1
    assert f"of 6 replications are kept in {tmp_path / '1'}" in caught.value.__notes__[0]
    open_run(tmp_path / "0")
    made = carry_out_all(orders)
    assert [simulated for _, simulated in made] == [False, True, True]
