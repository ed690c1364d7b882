"""Where compiled code is kept: folders that cannot be written, damaged files, the first time."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sim

PACKAGE = Path(sim.__file__).parent

DRAW = """
from sim.compilation import when_compiling
from sim.random_streams import RandomStreams
when_compiling(lambda: print("compiling"))
print(RandomStreams(1, 0).blocks(1, 2).tolist())
"""
"""A program that needs a kernel, and says whether it had to be compiled."""


def draw(home: Path, **environment: str) -> list[str]:
    """Lines printed by DRAW, with the package found in `home`."""
    return lines_of(DRAW, home, **environment)


def lines_of(program: str, home: Path, **environment: str) -> list[str]:
    """Lines printed by a program, with the package found in `home`."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(home), **environment},
        cwd=home,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A folder in which DRAW has left its compiled code."""
    folder = tmp_path / "cache"
    assert draw(PACKAGE.parent, NUMBA_CACHE_DIR=str(folder))[0] == "compiling"
    return folder


def test_compilation_is_announced_the_first_time_only(cache: Path) -> None:
    assert len(draw(PACKAGE.parent, NUMBA_CACHE_DIR=str(cache))) == 1


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("rest", [0, 100])
def test_truncated_cache_is_compiled_anew_and_mended(cache: Path, kind: str, rest: int) -> None:
    good = draw(PACKAGE.parent, NUMBA_CACHE_DIR=str(cache))
    damaged = list(cache.rglob(f"*.{kind}"))
    assert damaged
    for path in damaged:
        path.write_bytes(path.read_bytes()[:rest])
    assert draw(PACKAGE.parent, NUMBA_CACHE_DIR=str(cache)) == ["compiling", *good]
    assert draw(PACKAGE.parent, NUMBA_CACHE_DIR=str(cache)) == good


def test_read_only_installation_without_a_home_keeps_compiled_code_in_a_temporary_folder(
    tmp_path: Path,
) -> None:
    # Files stand where folders would have to be made, so that not even root can make them.
    shutil.copytree(PACKAGE, tmp_path / "sim", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [tmp_path / "sim", *(tmp_path / "sim").iterdir()]:
        if folder.is_dir():
            (folder / "__pycache__").write_text("")
    (tmp_path / "home").write_text("")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    nowhere = str(tmp_path / "home" / "below")
    environment = {
        "HOME": nowhere,
        "XDG_CACHE_HOME": nowhere,
        "TMPDIR": str(temporary),
        "NUMBA_CACHE_DIR": "",
    }
    first = draw(tmp_path, **environment)
    assert first[0] == "compiling"
    assert list(temporary.rglob("*.nbi"))
    assert draw(tmp_path, **environment) == first[1:]
    (kept,) = temporary.iterdir()
    assert kept.stat().st_mode & 0o077 == 0  # nobody else can put code there


LOAD = """
from sim.compilation import load_compiled
from sim.random_streams import RandomStreams, fill_blocks
load_compiled()
print(len(fill_blocks.signatures))
print(RandomStreams(1, 0).blocks(1, 2).tolist())
hits, misses = fill_blocks.stats.cache_hits, fill_blocks.stats.cache_misses
print(sum(hits.values()), sum(misses.values()))
"""
"""A program that loads before it draws: what is there, what is drawn, how often loaded and not."""


def test_loading_takes_what_is_there_and_compiles_nothing(cache: Path, tmp_path: Path) -> None:
    drawn = draw(PACKAGE.parent, NUMBA_CACHE_DIR=str(cache))
    # one signature, loaded before the first call, so that the call has nothing more to load
    assert lines_of(LOAD, PACKAGE.parent, NUMBA_CACHE_DIR=str(cache)) == ["1", *drawn, "1 0"]
    # nothing to load: the call itself compiles
    assert lines_of(LOAD, PACKAGE.parent, NUMBA_CACHE_DIR=str(tmp_path / "empty")) == [
        "0",
        *drawn,
        "0 1",
    ]
    for path in cache.rglob("*.nb[ic]"):
        path.write_bytes(b"damaged")
    assert lines_of(LOAD, PACKAGE.parent, NUMBA_CACHE_DIR=str(cache)) == ["0", *drawn, "0 1"]


def test_a_change_in_the_file_of_a_kernel_that_another_file_uses_is_noticed(
    tmp_path: Path,
) -> None:
    shutil.copytree(PACKAGE, tmp_path / "sim", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "sim" / "user.py").write_text(
        "from sim.compilation import kernel\nfrom sim.used import number\n"
        "@kernel\ndef twice():\n    return 2 * number()\n"
    )
    for decorator, number in (("kernel", 3), ("kernel", 40), ("inlined_kernel", 500)):
        (tmp_path / "sim" / "used.py").write_text(
            f"from sim.compilation import {decorator}\n"
            f"@{decorator}\ndef number():\n    return {number}\n"
        )
        program = "from sim.user import twice; print(twice())"
        for _time in ("compiled", "from the cache"):
            assert lines_of(program, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")) == [
                str(2 * number)
            ]
