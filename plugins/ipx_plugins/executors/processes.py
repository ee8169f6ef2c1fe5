"""Processes of this machine: each takes a unit when it has ended one."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from ipx import Executor, Team, Workers

U = TypeVar("U")
R = TypeVar("R")

PATIENCE = 10.0
"""Seconds in which a worker that is told to stop has to remove its unfinished files."""


@dataclass(frozen=True)
class Worker:
    """A process, and the pipe to it."""

    process: BaseProcess
    pipe: Connection


class Stopped(KeyboardInterrupt):
    """SIGTERM in a worker: it ends, and removes what is unfinished."""


class Processes(Executor):
    """Worker processes. One that dies is replaced, and its unit is begun again."""

    def run(
        self, work: Callable[[U], R], units: Sequence[U], workers: Workers
    ) -> Iterator[tuple[int, R | BaseException]]:
        """See `ipx.Executor.run`."""
        with self.team(work, workers) as team:
            yield from team(units)

    @contextlib.contextmanager
    def team(self, work: Callable[[U], R], workers: Workers) -> Iterator[Team[U, R]]:
        """See `ipx.Executor.team`. Processes start when there is a unit for them, and stay."""
        context, idle = _context(workers.preload), list[Worker]()

        def start() -> Worker:
            return idle.pop() if idle else _started(context, work)

        try:
            yield lambda units: self._ended(units, workers.jobs, start, idle)
        finally:
            _stop(idle)

    def _ended(
        self, units: Sequence[U], jobs: int, start: Callable[[], Worker], idle: list[Worker]
    ) -> Iterator[tuple[int, Any]]:
        """Number and result of each unit; workers without one go to ``idle``."""
        waiting, begun = deque(range(len(units))), [0] * len(units)
        busy: dict[Connection, tuple[Worker, int]] = {}
        try:
            while waiting or busy:
                while waiting and len(busy) < jobs:
                    worker, number = start(), waiting.popleft()
                    begun[number] += 1
                    busy[worker.pipe] = (worker, number)
                    with contextlib.suppress(OSError):  # it is dead, which is seen below
                        worker.pipe.send(units[number])
                for pipe in connection.wait(list(busy)):
                    assert isinstance(pipe, Connection)
                    worker, number = busy.pop(pipe)
                    try:
                        result = pipe.recv()
                    except (EOFError, OSError):
                        worker.process.join(PATIENCE)
                        pipe.close()
                        if begun[number] < self.tries:
                            waiting.appendleft(number)
                        else:
                            yield number, self.died(worker.process.exitcode)
                        continue
                    idle.append(worker)
                    yield number, result
        finally:
            _stop([worker for worker, _ in busy.values()])


def _context(preload: Sequence[str]) -> Any:
    """How processes start: forked from a server that has imported what all need, if possible.

    The server and its children ignore SIGINT, which a terminal sends to all.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver  # not on every system

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    if threading.current_thread() is not threading.main_thread():
        return context
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)
    return context


def _started(context: Any, work: Callable[[Any], Any]) -> Worker:
    mine, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work), daemon=True)
    process.start()
    theirs.close()
    return Worker(process, mine)


def _stop(team: Sequence[Worker]) -> None:
    """End the workers: idle ones see that the pipe is closed, busy ones are terminated."""
    for worker in team:
        worker.pipe.close()
        worker.process.terminate()
    for worker in team:
        worker.process.join(PATIENCE)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _serve(pipe: Connection, work: Callable[[Any], Any]) -> None:
    """The life of a worker: units from the pipe, results to it, until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(Stopped):
        signal.signal(signal.SIGTERM, _stopped)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        with contextlib.suppress(EOFError, OSError):
            while True:
                unit = pipe.recv()
                result = work(unit)
                pipe.send(result)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends by itself


def _stopped(number: int, frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would come in the clearing up
    raise Stopped


def _end_with_parent() -> None:
    """Terminate this process when its parent is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
