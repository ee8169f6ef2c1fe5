"""Workers of Dask (dask.distributed): a scheduler's, of this machine, or of a Slurm cluster."""

from __future__ import annotations

import importlib
import logging
import queue
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from ipx import Executor, InputError, MissingExtraError, PluginError, Team, Workers

U = TypeVar("U")
R = TypeVar("R")

CONNECT = 20.0
"""Seconds in which a scheduler has to answer."""

PATIENCE = 300.0
"""Seconds without any worker after which a run is given up."""

LOOK = 2.0
"""Seconds between two looks at the workers while no unit ends."""


class Dask(Executor):
    """Units as tasks of Dask, which begins a task again whose worker has died."""

    def run(
        self, work: Callable[[U], R], units: Sequence[U], workers: Workers
    ) -> Iterator[tuple[int, R | BaseException]]:
        """See `ipx.Executor.run`."""
        with self.team(work, workers) as team:
            yield from team(units)

    @contextmanager
    def team(self, work: Callable[[U], R], workers: Workers) -> Iterator[Team[U, R]]:
        """See `ipx.Executor.team`."""
        distributed = _module("distributed", extra="dask")
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        with ExitStack() as after:
            client = _client(distributed, workers, after)
            workers.note(f"dashboard: {client.dashboard_link}")
            yield partial(_ended, client, work)


def _ended(client: Any, work: Callable[[U], R], units: Sequence[U]) -> Iterator[tuple[int, Any]]:
    """Number and result of each unit, as the tasks end."""
    ended: queue.Queue[Any] = queue.Queue()
    batch = secrets.token_hex(8)
    running: dict[str, tuple[int, Any]] = {}
    try:
        for number, unit in enumerate(units):
            future = client.submit(work, unit, pure=False, key=f"ipx-{batch}-{number}")
            running[future.key] = number, future
            future.add_done_callback(lambda done: ended.put(done.key))
        while running:
            key = _next(ended, client)
            number, future = running.pop(key)
            yield number, _result(future)
    finally:
        _give_up(client, running)


def _module(name: str, extra: str = "") -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as e:
        package = name.replace("_", "-")
        raise MissingExtraError.of("--cluster", package, extra=extra) from e


def _client(distributed: Any, workers: Workers, after: ExitStack) -> Any:
    """A client of the cluster that is asked for; both are closed with ``after``.

    Raises:
        InputError: no scheduler answers.
        MissingExtraError: a package is missing.
    """
    where: Any = workers.cluster
    if where == "local":
        where = after.enter_context(
            distributed.LocalCluster(
                n_workers=workers.jobs,
                threads_per_worker=1,
                processes=True,
                dashboard_address=":0",
                silence_logs=logging.CRITICAL,
            )
        )
    elif where == "slurm":
        queued = _module("dask_jobqueue")
        where = after.enter_context(queued.SLURMCluster())
        where.scale(jobs=workers.jobs)
    try:
        return after.enter_context(distributed.Client(where, timeout=CONNECT))
    except (OSError, TimeoutError, ValueError) as e:
        raise InputError(f"no scheduler of Dask answers at {workers.cluster}: {e}") from e


def _next(ended: queue.Queue[str], client: Any) -> str:
    """The key of the next task that has ended.

    Raises:
        PluginError: the scheduler, or all workers, are gone.
    """
    alone = time.monotonic()
    while True:
        with suppress(queue.Empty):
            return ended.get(timeout=LOOK)
        if client.status != "running":
            raise PluginError("the scheduler of Dask is gone; --resume goes on with another")
        if client.scheduler_info(n_workers=-1)["workers"]:
            alone = time.monotonic()
        elif time.monotonic() - alone > PATIENCE:
            raise PluginError(f"no worker has joined the cluster for {PATIENCE:.0f} s; start some")


def _result(future: Any) -> Any:
    """The result of a task, or its error."""
    try:
        error = future.exception(timeout=CONNECT)
        if error is None:
            return future.result(timeout=CONNECT)
    except Exception as e:  # the scheduler is gone, or the result was lost with its worker
        error = e
    if type(error).__name__ == "KilledWorker":
        return PluginError("its worker died several times; see the logs of the workers")
    if isinstance(error, ImportError):
        return PluginError(f"a worker lacks {error.name}; install the same ipx there: {error}")
    return error


def _give_up(client: Any, running: dict[str, tuple[int, Any]]) -> None:
    """Take back what has not begun."""
    with suppress(Exception):
        client.cancel([future for _, future in running.values()], force=True)
