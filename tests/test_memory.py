"""Claims about the memory that a process keeps."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS_OF_THE_SECOND = """
import resource
from sim.experiment.memory import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * 2**26
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

{prepare}
faults()
print(faults())
"""


def faults_of_the_second(prepare: str) -> int:
    """Pages that the system had to find for 64 MB when as much had just been given back."""
    code = FAULTS_OF_THE_SECOND.format(prepare=prepare)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to keep it")
def test_memory_that_is_done_with_is_used_again() -> None:
    # Without, each page of 64 MB is found anew: 16,384 of 4 KB, or 32 of 2 MB.
    without, kept = faults_of_the_second(""), faults_of_the_second("keep_memory()")
    assert without >= 32
    assert kept < without / 4


GIVEN_BACK = """
from sim.presentation.page.answers import give_back_memory

def megabytes():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))

pieces = [bytes(1000) for _ in range(100_000)]
last = bytes(1000)
del pieces
before = megabytes()
give_back_memory()
print(before - megabytes())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked for it")
def test_a_page_gives_back_what_lies_free_below_what_is_kept() -> None:
    # 100,000 pieces of 1,000 bytes lie below one that stays, so nothing is given back by itself.
    done = subprocess.run(
        [sys.executable, "-c", GIVEN_BACK], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) > 80
