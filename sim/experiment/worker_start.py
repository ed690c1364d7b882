"""How worker processes begin: with what they need loaded already, where the system allows it.

On Linux a worker is forked from a server process (`multiprocessing`'s fork server) that has loaded
everything once and has no threads of its own; loading takes longer than a replication of the plan.
Elsewhere each worker begins anew and loads for itself. Imports nothing that takes long, so that a
command can have the server loading while it loads what it needs itself.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from multiprocessing.context import BaseContext

_LOADED_BY_THE_SERVER = "sim.experiment.worker_code"


def worker_context() -> BaseContext:
    """The way in which this system's workers are started."""
    if sys.platform != "linux" or not _socket_fits():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_LOADED_BY_THE_SERVER])
    return context


def _socket_fits() -> bool:
    """Whether the server's socket can lie in the folder for temporary files: names have a limit."""
    name = os.path.join(tempfile.gettempdir(), "pymp-12345678", "listener-12345678")
    return len(os.fsencode(name)) < _LONGEST_SOCKET_NAME


_LONGEST_SOCKET_NAME = 108
"""bytes, its end included (unix(7))"""


def start_loading_workers() -> None:
    """Have workers ready sooner: let the server load in the background from now on."""
    if worker_context().get_start_method() == "forkserver":
        from multiprocessing import forkserver

        with ctrl_c_kept_from_new_processes():
            forkserver.ensure_running()


@contextlib.contextmanager
def ctrl_c_kept_from_new_processes() -> Iterator[None]:
    """Ctrl-C at a terminal goes to all its processes; ours waits, the new ones never get it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    with interrupts_put_off():
        resource_tracker.ensure_running()  # when it starts, it unblocks the signal here
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def interrupts_put_off() -> Iterator[None]:
    """Have Ctrl-C and SIGTERM come afterwards: what is begun here must not stop half-way.

    A thread that blocks them is not enough: any other thread may be given the signal, and its
    handler runs in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handlers:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
