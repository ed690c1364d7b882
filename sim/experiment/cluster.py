"""A crew on other machines: the workers of a dask scheduler (extra `cluster`)."""

# mypy: disable-error-code="no-untyped-call"
# (Dask's client has no types.)

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sim import __version__
from sim.experiment.crews import AHEAD, ClusterError, OnDays, WorkersLostError
from sim.experiment.packing import Packed, pack
from sim.experiment.replications import Task, replicate
from sim.experiment.settings import RunSettings
from sim.language import _
from sim.scenario import Scenario

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 5
"""How long to wait for the scheduler, and then for its first worker."""


class Cluster:
    """The workers of a dask scheduler. It gives out again by itself what lost workers had."""

    def __init__(self, address: str, on_days: OnDays) -> None:
        self._address = address
        self._on_days = on_days
        self._client = _connected(address)
        try:
            cores = _checked(self._client, address)
        except BaseException:
            self._client.close()
            raise
        self.ahead = AHEAD * max(cores, 4)  # more workers may come
        self._executor = self._client.get_executor(pure=False)

    def submit(self, task: Task) -> Future[Packed]:
        """Give out a task, with its scenario: data sent ahead would be lost with a worker."""
        packed: Future[Packed] = Future()

        def take(done: Future[Packed]) -> None:
            error = None if done.cancelled() else done.exception()
            if done.cancelled():
                packed.set_exception(self._gone())
            elif error is None:
                packed.set_result(done.result())
            elif type(error).__name__ == "KilledWorker":
                packed.set_exception(
                    WorkersLostError(
                        _(
                            "workers of {address} have ended again and again, perhaps for want of "
                            "memory, while at work on replication {replication}"
                        ).format(address=self._address, replication=task.replication)
                    )
                )
            else:
                packed.set_exception(error)

        scenario = _pickled(task.scenario)
        self._executor.submit(
            _work, scenario, task.settings, task.replication, task.tables
        ).add_done_callback(take)
        return packed

    def renew(self, days: int) -> None:
        """The scheduler does that."""

    def report(self, days: int) -> None:
        """Tell the days of the tasks that are done. Raises ClusterError without a scheduler."""
        if self._client.status not in ("running", "connecting"):
            raise self._gone()
        self._on_days(days)

    def _gone(self) -> ClusterError:
        return ClusterError(_("the scheduler {address} has gone").format(address=self._address))

    def close(self) -> None:
        """Cancel what is not done, and leave."""
        self._executor.shutdown(wait=False)
        self._client.close(timeout=2)


def _connected(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(
            _("--executor dask needs dask.distributed: pip install 'vaxsim[cluster]'")
        ) from None
    for name in [
        name for name in logging.root.manager.loggerDict if name.startswith("distributed")
    ]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # we say ourselves what matters
    try:
        with ThreadPoolExecutor(1) as thread:  # a notebook has a running loop in this one
            thread.submit(asyncio.run, _greet(address)).result()
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:  # TimeoutError is an OSError
        reason = str(error) if isinstance(error, ValueError) else _("no answer")
        raise ClusterError(
            _(
                "--scheduler {address} cannot be reached ({reason}); it should be like "
                "tcp://127.0.0.1:8786, as `dask scheduler` prints it"
            ).format(address=address, reason=reason)
        ) from None


async def _greet(address: str) -> None:
    """See whether a scheduler answers; the client would wait for ever for something else."""
    from distributed.comm.core import connect

    async with asyncio.timeout(CONNECT_SECONDS):
        connection = await connect(address, timeout=CONNECT_SECONDS)
        await connection.close()


def _checked(client: Client, address: str) -> int:
    """Number of cores. Raises ClusterError for no workers, or workers of another vaxsim."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        raise ClusterError(
            _(
                "the scheduler {address} has no workers: start some with `dask worker {address}`"
            ).format(address=address)
        ) from None
    try:
        versions: dict[str, str] = client.run(_version)
    except Exception as error:
        raise ClusterError(
            _(
                "the workers of {address} cannot import vaxsim ({error}): install it there too"
            ).format(address=address, error=error)
        ) from None
    for worker, version in versions.items():
        if version != __version__:
            raise ClusterError(
                _("worker {worker} has vaxsim {version}, not {this_version}").format(
                    worker=worker, version=version, this_version=__version__
                )
            )
    threads: dict[str, int] = client.nthreads()
    return sum(threads.values())


def _pickled(scenario: Scenario) -> bytes:
    return pickle.dumps(scenario)


# On a worker ----------------------------------------------------------------------------------


def _version() -> str:
    return __version__


def _work(scenario: bytes, settings: RunSettings, replication: int, names: Sequence[str]) -> Packed:
    return pack(replicate(Task(_scenario(scenario), settings, replication)), names)


@lru_cache(maxsize=4)
def _scenario(pickled: bytes) -> Scenario:
    found: Any = pickle.loads(pickled)
    assert isinstance(found, Scenario)
    return found
