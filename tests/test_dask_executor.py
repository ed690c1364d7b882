"""Claims about runs on a cluster: a real scheduler and real workers, on this machine's loopback."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from campaign_processes import everything
from small_campaign import small_scenario
from typer.testing import CliRunner, Result

from sim.cli import app
from sim.experiment.runs import carry_out
from sim.experiment.settings import RunSettings

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

ROOT = Path(__file__).parent.parent
REPLICATIONS = 30


def start(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    """One of dask's own commands, logging into a file."""
    with (folder / f"{arguments[0]}-{time.monotonic_ns()}.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )


def stop(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        process.kill()
        process.wait()


def scheduler(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A scheduler on a free port, and its address."""
    process = start(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", folder=folder
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for log in folder.glob("scheduler-*.log"):
            found = re.search(r"Scheduler at:\s+(tcp://127\.0\.0\.1:\d+)", log.read_text())
            if found and int(found[1].rsplit(":", 1)[1]):
                return process, found[1]
        time.sleep(0.1)
    stop(process)
    raise AssertionError("the scheduler has not started")


def worker(address: str, folder: Path) -> subprocess.Popen[str]:
    return start(
        "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host",
        "127.0.0.1", folder=folder,
    )  # fmt: skip


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a scheduler with two workers; the folder in which they run."""
    folder = tmp_path_factory.mktemp("cluster")
    process, address = scheduler(folder)
    workers = [worker(address, folder) for _ in range(2)]
    yield address, folder
    stop(*workers, process)


def test_a_cluster_gives_the_same_bytes_as_this_machine_even_if_a_worker_is_killed(
    cluster: tuple[str, Path], tmp_path: Path
) -> None:
    address, folder = cluster
    third = worker(address, folder)
    scenario = small_scenario()
    carry_out(scenario, RunSettings(replications=REPLICATIONS, workers=1), tmp_path / "local")
    kept = tmp_path / "cluster" / "unfinished"

    def kill_in_the_middle() -> None:
        while len(list(kept.glob("*"))) < 3:
            time.sleep(0.005)
        third.kill()

    killing = threading.Thread(target=kill_in_the_middle, daemon=True)
    killing.start()
    settings = RunSettings(replications=REPLICATIONS, scheduler=address)
    carry_out(scenario, settings, tmp_path / "cluster")
    assert third.wait(10) == -signal.SIGKILL
    assert everything(tmp_path / "cluster") == everything(tmp_path / "local")


def vaxsim(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def small_file(folder: Path) -> str:
    import tomlkit
    from small_campaign import SMALL

    (folder / "small.toml").write_text(tomlkit.dumps(SMALL))
    return str(folder / "small.toml")


def test_the_command_line_uses_a_cluster(cluster: tuple[str, Path], tmp_path: Path) -> None:
    command = ("run", small_file(tmp_path), "--replications", "3")
    there = ("--executor", "dask", "--scheduler", cluster[0])
    for out, options in (("local", ("--workers", "1")), ("cluster", there)):
        result = vaxsim(*command, *options, "--out", str(tmp_path / out))
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
    assert everything(tmp_path / "cluster") == everything(tmp_path / "local")
    result = vaxsim("verify", str(tmp_path / "local"), *there)
    assert result.exit_code == 0, result.output


def test_a_sweep_on_a_cluster_gives_the_same_bytes_as_here(
    cluster: tuple[str, Path], tmp_path: Path
) -> None:
    command = (
        "sweep", small_file(tmp_path), "--vary", "call_centre.lines=2,4,6", "--replications", "4",
    )  # fmt: skip
    there = ("--executor", "dask", "--scheduler", cluster[0])
    for out, options in (("local", ("--workers", "1")), ("cluster", there)):
        result = vaxsim(*command, *options, "--out", str(tmp_path / out))
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
    assert files_of_sweep(tmp_path / "cluster") == files_of_sweep(tmp_path / "local")


def files_of_sweep(folder: Path) -> dict[str, bytes]:
    """All files by path; manifests without the time when they were begun."""
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert len([name for name in found if name.endswith(".parquet")]) > 3 * 10
    return {
        name: re.sub(rb'"created_at": "[^"]+"', b"", content) if name.endswith(".json") else content
        for name, content in found.items()
    }


def test_an_error_on_a_worker_is_the_error_here(cluster: tuple[str, Path], tmp_path: Path) -> None:
    # An engine that exists nowhere: the check of the settings here is gone round
    settings = RunSettings(replications=2, scheduler=cluster[0])
    object.__setattr__(settings, "engine", "steam")
    from sim.experiment.replications import Task
    from sim.experiment.work import do_work

    with pytest.raises(ValueError, match="unknown engine 'steam'"):
        next(do_work([Task(small_scenario(), settings, 0)], scheduler=cluster[0]))


def refused(tmp_path: Path, address: str) -> str:
    begun = time.monotonic()
    result = vaxsim(
        "run", small_file(tmp_path), "--out", str(tmp_path / "run"), "--replications", "2",
        "--executor", "dask", "--scheduler", address,
    )  # fmt: skip
    assert time.monotonic() - begun < 20
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()
    return result.stderr


def test_a_scheduler_that_is_not_there_is_refused_within_seconds(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert f"tcp://127.0.0.1:{port} cannot be reached" in refused(
        tmp_path, f"tcp://127.0.0.1:{port}"
    )


def test_something_else_that_listens_is_refused_within_seconds(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert "cannot be reached" in refused(tmp_path, address)


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "http://127.0.0.1:1", "127.0.0.1"])
def test_what_is_no_address_is_refused(tmp_path: Path, address: str) -> None:
    assert "cannot be reached" in refused(tmp_path, address)


def test_a_notebook_whose_event_loop_runs_is_told_the_same(tmp_path: Path) -> None:
    async def cell() -> None:
        assert "cannot be reached" in refused(tmp_path, "tcp://127.0.0.1:1")

    try:
        asyncio.get_running_loop()  # that of a browser's tests, in the same process
    except RuntimeError:
        asyncio.run(cell())
    else:
        assert "cannot be reached" in refused(tmp_path, "tcp://127.0.0.1:1")


def test_a_scheduler_without_workers_is_refused_saying_how_to_start_some(tmp_path: Path) -> None:
    process, address = scheduler(tmp_path)
    try:
        assert f"has no workers: start some with `dask worker {address}`" in refused(
            tmp_path, address
        )
    finally:
        stop(process)


def test_a_scheduler_that_ends_in_the_middle_is_told_and_the_run_goes_on_elsewhere(
    tmp_path: Path,
) -> None:
    process, address = scheduler(tmp_path)
    only = worker(address, tmp_path)
    running = subprocess.Popen(
        [
            sys.executable, "-m", "sim", "run", small_file(tmp_path), "--replications", "200",
            "--out", "run", "--executor", "dask", "--scheduler", address,
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    try:
        while running.poll() is None and len(list(tmp_path.glob("run/unfinished/*"))) < 3:
            time.sleep(0.02)
        stop(process)
        _, said = running.communicate(timeout=90)
    finally:
        stop(only, process, running)
    assert running.returncode == 2
    assert f"the scheduler {address} has gone" in said
    assert "of 200 replications are kept in run" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--executor", "dask"], "--executor dask needs --scheduler ADDRESS"),
        (["--scheduler", "tcp://127.0.0.1:8786"], "--scheduler needs --executor dask"),
        (["--executor", "steam"], "steam"),
    ],
)
def test_executor_and_scheduler_go_together(
    tmp_path: Path, options: list[str], message: str
) -> None:
    result = vaxsim("run", small_file(tmp_path), *options)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
