"""Claims about Ctrl-C while workers start: one line, exit code 130, and nothing is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from campaign_processes import ROOT, start, write_program

from sim.experiment.worker_start import interrupts_put_off

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="fork servers, lists of processes")

GOAL = ("goal", "small.toml", "--reach", "first_dose>=0.7")
RUN = ("run", "small.toml", "--replications", "5000")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_program(tmp_path_factory.mktemp("program"))


@pytest.mark.parametrize(
    ("command", "seconds"),
    [(GOAL, 0.0), (GOAL, 0.4), (GOAL, 0.8), (GOAL, 1.2), (RUN, 0.0), (RUN, 0.5), (RUN, 1.0)],
)
def test_ctrl_c_while_workers_start_ends_in_one_line_and_leaves_nothing(
    command: tuple[str, ...],
    seconds: float,
    program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    temporary, out = tmp_path / "temporary", tmp_path / "out"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    running = start(program, *command, "--workers", "2", "--out", str(out))
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    while running.poll() is None and not children.read_text():  # until the first helper is there
        time.sleep(0.01)
    time.sleep(seconds)
    os.killpg(running.pid, signal.SIGINT)  # as from a terminal: all processes get it
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    lines = [line for line in said.splitlines() if "compiling" not in line]
    assert len(lines) == 1, said
    assert lines[0].startswith("vaxsim: interrupted; ")
    assert out.exists() == ("kept in" in lines[0])
    assert list(temporary.iterdir()) == []
    assert ended_within(10, running.pid)


def test_ctrl_c_while_the_command_line_is_loaded_ends_in_one_line() -> None:
    # Python tells on standard error which module is loaded: here, one of the first that are ours
    command = [
        sys.executable,
        "-X",
        "importtime",
        "-m",
        "sim",
        "goal",
        "x.toml",
        "--reach",
        "full>=1",
    ]
    loading = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert loading.stderr is not None
    for line in loading.stderr:
        if "typer" in line:
            loading.send_signal(signal.SIGINT)
            break
    said = [line for line in loading.stderr if not line.startswith("import time:")]
    assert loading.wait(60) == 130
    assert said == ["vaxsim: interrupted; nothing was kept\n"]


def ended_within(seconds: float, group: int) -> bool:
    """Whether all processes of a group end."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_what_is_begun_ends_before_an_interrupt_is_heeded() -> None:
    ended = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been ignored

    def work() -> None:
        with interrupts_put_off():
            signal.raise_signal(signal.SIGINT)
            ended.append("to the end")

    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended
