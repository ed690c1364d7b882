"""Claims about runs that are ended from outside: nothing is lost, and nothing differs in the end.

Real processes are killed at random moments, drawn anew each time; a failing test tells them.
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from campaign_processes import COMMAND, Nursery, everything, finish, start, write_program
from small_campaign import small_scenario

from sim.experiment.crews import WorkersLostError
from sim.experiment.packing import TABLE_NAMES
from sim.experiment.replications import Task
from sim.experiment.results import open_run
from sim.experiment.runs import carry_out
from sim.experiment.settings import RunSettings
from sim.experiment.work import LOSSES_ALLOWED, do_work

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

KILLS = 50


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_program(tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="module")
def nursery(program: Path) -> Iterator[Nursery]:
    found = Nursery(program)
    yield found
    found.close()


@pytest.fixture(scope="module")
def undisturbed(program: Path, nursery: Nursery) -> tuple[dict[str, Any], float]:
    """What a run holds that nobody has disturbed, and the seconds that it takes."""
    begun = time.monotonic()
    assert nursery.run([*COMMAND, "--workers", "1", "--out", "undisturbed"]) == 0
    return everything(program.parent / "undisturbed"), time.monotonic() - begun


# Killed at random moments ---------------------------------------------------------------------


def test_a_run_killed_at_random_moments_ends_with_the_bytes_of_an_undisturbed_run(
    nursery: Nursery, undisturbed: tuple[dict[str, Any], float], tmp_path: Path
) -> None:
    # 50 kills; one run takes several, sometimes in another folder; when it is finished, the next.
    expected, seconds = undisturbed
    folder, finished = tmp_path / "run-0", 0
    moments: list[float] = []
    while len(moments) < KILLS:
        moment = random.uniform(0, 0.6 * seconds)
        how = random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGINT])
        code = nursery.run([*COMMAND, "--workers", "1", "--out", str(folder)], moment, how)
        if code == 0:
            assert everything(folder) == expected, moments
            finished += 1
            folder = tmp_path / f"run-{finished}"
            continue
        moments.append(moment)
        assert code in (-signal.SIGKILL, -signal.SIGINT, 130), moments
        if random.random() < 0.3 and folder.exists():
            folder = folder.rename(tmp_path / f"moved-{len(moments)}")
    assert nursery.run([*COMMAND, "--workers", "1", "--out", str(folder)]) == 0
    assert everything(folder) == expected, moments


def test_a_run_in_processes_whose_parent_is_killed_ends_with_the_same_bytes(
    program: Path, undisturbed: tuple[dict[str, Any], float], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    many = ("run", "small.toml", "--replications", "40", "--until", "2021-06-12")
    for kept in (1, 3):  # while the workers go on with what they have
        running = start(program, *many, "--workers", "2", "--out", str(folder))
        await_kept(folder, kept)
        random.choice([os.kill, os.killpg])(running.pid, signal.SIGKILL)
        running.communicate(timeout=60)
        assert running.returncode == -signal.SIGKILL
    finish(program, *many, "--workers", "2", "--out", str(folder))
    finish(program, *many, "--workers", "1", "--out", str(tmp_path / "alone"))
    assert everything(folder) == everything(tmp_path / "alone")


def await_kept(folder: Path, replications: int) -> None:
    """Wait until so many replications are kept that are not yet in parts."""
    deadline = time.monotonic() + 60  # seconds
    while len(list(folder.glob("unfinished/*"))) < replications and time.monotonic() < deadline:
        time.sleep(0.002)


# Killed around a move of a file ---------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_killed_around_the_move_of_a_file_ends_with_the_same_bytes(
    nursery: Nursery, undisturbed: tuple[dict[str, Any], float], tmp_path: Path, when: str
) -> None:
    # The process kills itself before or after it moves its k-th file into place. It moves: the
    # manifest; 4 replications; a part of each table and the manifest; again both; 2 and these;
    # the manifest.
    written = len(TABLE_NAMES) + 1
    moves = 1 + (4 + written) + (4 + written) + (2 + written) + 1
    first, second = 1 + 4 + written, 1 + 2 * (4 + written)
    expected, _ = undisturbed
    for k in (1, 2, 5, 6, first, first + 1, second, second + 3, moves - 1, moves):
        command = [*COMMAND, "--workers", "1", "--out", str(tmp_path / f"run-{k}")]
        assert nursery.run([f"kill-{when}-{k}", *command]) == -signal.SIGKILL
        assert nursery.run(command) == 0
        assert everything(tmp_path / f"run-{k}") == expected, k
    command = [*COMMAND, "--workers", "1", "--out", str(tmp_path / "whole")]
    assert nursery.run([f"kill-{when}-{moves + 1}", *command]) == 0  # there are no more


# Lost workers ---------------------------------------------------------------------------------


def children(parent: int) -> list[int]:
    """Processes that a process has started and that have not ended."""
    try:
        numbers = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return []
    return [int(number) for number in numbers]


def workers_of(parent: int) -> list[int]:
    """Workers of a process: the children of its fork server."""
    return [worker for server in children(parent) for worker in children(server)]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no list of child processes here")
def test_killed_workers_cost_time_and_not_results(program: Path, tmp_path: Path) -> None:
    many = ("run", "small.toml", "--replications", "40", "--until", "2021-06-12")
    folder = tmp_path / "run"
    running = start(program, *many, "--workers", "2", "--out", str(folder))
    for kept in (1, 2):
        await_kept(folder, kept)
        os.kill(random.choice(workers_of(running.pid)), signal.SIGKILL)
    _, said = running.communicate(timeout=120)
    assert (running.returncode, said) == (0, "")
    finish(program, *many, "--workers", "1", "--out", str(tmp_path / "alone"))
    assert everything(folder) == everything(tmp_path / "alone")


class Deadly:
    """Stands for a scenario; the worker that reads it is killed."""

    campaign = small_scenario().campaign

    def __reduce__(self) -> Any:
        return _die, ()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_replication_that_ends_its_worker_every_time_is_named() -> None:
    deadly: Any = Deadly()
    scenarios = [deadly if number == 3 else small_scenario() for number in range(20)]
    tasks = [Task(each, RunSettings(), number) for number, each in enumerate(scenarios)]
    results = do_work(tasks, workers=2)
    assert [next(results)[0].replication for _ in range(3)] == [0, 1, 2]
    with pytest.raises(WorkersLostError, match=rf"replication 3 .* {LOSSES_ALLOWED + 1} times"):
        next(results)


# Full disks -----------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems cannot be mounted here (it needs an administrator)")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_run_on_a_full_disk_keeps_what_is_there_and_goes_on_when_there_is_room(
    program: Path,
    undisturbed: tuple[dict[str, Any], float],
    small_disk: Path,
    workers: str,
) -> None:
    # A replication takes about 30 kB until it is in a part: 200 kB are not enough for 10 of them
    folder = small_disk / "run"
    command = (*COMMAND, "--workers", workers, "--out", str(folder))
    for _ in range(2):  # still full
        running = start(program, *command)
        _, said = running.communicate(timeout=60)
        assert running.returncode == 2
        assert "cannot be written: No space left on device" in said
        assert f"of 10 replications are kept in {folder}" in said
        assert not (folder / ".part").exists()
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    finish(program, *command)
    assert everything(folder) == undisturbed[0]


def test_a_disk_that_is_full_from_the_beginning_is_an_error_and_holds_nothing(
    program: Path, small_disk: Path
) -> None:
    (small_disk / "big").write_bytes(bytes(190_000))
    running = start(program, *COMMAND, "--workers", "1", "--out", str(small_disk / "run"))
    _, said = running.communicate(timeout=60)
    assert running.returncode == 2
    assert "No space left on device" in said
    assert [path.name for path in small_disk.iterdir()] == ["big"]


def test_no_room_for_temporary_files_is_an_error_that_names_the_folder(
    program: Path, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small_disk / "big").write_bytes(bytes(190_000))
    monkeypatch.setenv("TMPDIR", str(small_disk))
    running = start(program, *COMMAND, "--workers", "2", "--out", str(tmp_path / "run"))
    _, said = running.communicate(timeout=60)
    assert running.returncode == 2
    assert f"No space left on device, perhaps for temporary files in {small_disk}" in said
    assert [path.name for path in small_disk.iterdir()] == ["big"]


def test_a_long_path_for_temporary_files_is_no_obstacle(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # names of sockets, by which processes are asked for workers, have at most 107 bytes on Linux
    long = tmp_path / ("temporary" * 12)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    finish(program, *COMMAND, "--workers", "2", "--out", str(tmp_path / "run"))
    assert len(open_run(tmp_path / "run").table("replications")) == 10


# Two processes --------------------------------------------------------------------------------


def test_a_second_process_on_the_same_folder_is_refused_and_harms_nothing(
    program: Path, tmp_path: Path
) -> None:
    many = ("run", "small.toml", "--replications", "40", "--until", "2021-06-12", "--workers", "1")
    folder = tmp_path / "run"
    first = start(program, *many, "--out", str(folder))
    await_kept(folder, 1)
    second = start(program, *many, "--out", str(folder))
    _, said = second.communicate(timeout=60)
    assert second.returncode == 2
    assert f"another process is writing into {folder}" in said
    _, said = first.communicate(timeout=60)
    assert first.returncode == 0, said
    assert len(open_run(folder).table("replications")) == 40
    finish(program, *many, "--out", str(tmp_path / "alone"))
    assert everything(folder) == everything(tmp_path / "alone")


def test_the_lock_of_a_killed_process_does_not_block(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()
    settings = RunSettings(replications=1, until=small_scenario().campaign.vaccination_from)
    run, simulated = carry_out(small_scenario(), settings, tmp_path / "run")
    assert simulated
    assert not (run.folder / ".lock").exists()
