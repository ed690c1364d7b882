"""Processes that run the small campaign, in parts of 4 replications, to be ended on purpose."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomlkit
from small_campaign import SMALL

ROOT = Path(__file__).parent.parent
REPLICATIONS = 10
PART = 4
COMMAND = ("run", "small.toml", "--replications", str(REPLICATIONS), "--until", "2021-06-12")

_PROGRAM = f"""
import os, signal, sys
import sim.experiment.results
sim.experiment.results.REPLICATIONS_PER_PART = {PART}
from sim.cli import main

def nursery():
    # Once warm, a process for each line of arguments that comes in, born with all that takes long
    # to load. Tells its number and then what became of it.
    sys.argv = ["vaxsim", "run", "small.toml", "--replications", "1", "--workers", "1"]
    sys.argv += ["--out", "warm"]
    child(sys.argv)
    print("warm", flush=True)
    for line in sys.stdin:
        number = os.fork()
        if number == 0:
            os.setsid()
            os._exit(child(["vaxsim", *line.split()]))
        print(number, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), flush=True)

def kill_at_move(when, k):
    # Before or after the k-th file is moved into place
    move, moved = os.replace, 0
    def move_and_die(*files):
        nonlocal moved
        moved += 1
        if moved < k or when == "after":
            move(*files)
        if moved == k:
            os.kill(os.getpid(), signal.SIGKILL)
        if moved > k:
            move(*files)
    os.replace = move_and_die

def child(arguments):
    if arguments[1].startswith("kill-"):
        _, when, k = arguments.pop(1).split("-")
        kill_at_move(when, int(k))
    sys.argv, out = arguments, sys.stdout
    with open(os.devnull, "w") as sys.stdout:
        try:
            main()
        except SystemExit as end:
            return end.code or 0
        finally:
            sys.stdout = out

if __name__ == "__main__":
    nursery() if sys.argv[1:] == ["nursery"] else main()
"""


def write_program(folder: Path) -> Path:
    """The scenario, and vaxsim with small parts; the program's path."""
    (folder / "small.toml").write_text(tomlkit.dumps(SMALL))
    program = folder / "vaxsim_with_small_parts.py"
    program.write_text(_PROGRAM)
    return program


def start(program: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """vaxsim in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, str(program), *arguments],
        cwd=program.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def finish(program: Path, *arguments: str) -> str:
    """Run to the end; what it printed. Fails if it failed."""
    running = start(program, *arguments)
    printed, said = running.communicate(timeout=120)
    assert running.returncode == 0, said
    return printed


class Nursery:
    """Processes that start within milliseconds."""

    def __init__(self, program: Path) -> None:
        self._mother = start(program, "nursery")
        assert self._line() == "warm"

    def _line(self) -> str:
        assert self._mother.stdout is not None
        return self._mother.stdout.readline().strip()

    def run(self, arguments: Sequence[str], seconds: float = 60, how: int = signal.SIGKILL) -> int:
        """Its exit code, or minus the signal that has ended it; it is ended after some seconds."""
        assert self._mother.stdin is not None
        self._mother.stdin.write(" ".join(arguments) + "\n")
        self._mother.stdin.flush()
        number = int(self._line())
        ending = threading.Timer(seconds, self._end, (number, how))
        ending.start()
        code = int(self._line())
        ending.cancel()
        return code

    @staticmethod
    def _end(number: int, how: int) -> None:
        try:
            os.kill(number, how)
        except ProcessLookupError:
            return

    def close(self) -> None:
        """No more processes."""
        self._mother.communicate(timeout=60)


def everything(folder: Path) -> dict[str, Any]:
    """All files of a run, but for the time at which it was begun."""
    files: dict[str, Any] = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    manifest = json.loads(files.pop("manifest.json"))
    manifest.pop("created_at")
    return {**files, "manifest.json": manifest}
