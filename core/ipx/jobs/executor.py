"""Executors: run the units of a batch somewhere, and hand back what becomes of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from ipx.declare.declared import Declared
from ipx.declare.foreign import ExecutorSpec
from ipx.declare.options import NoOptions, Options
from ipx.declare.registry import registry
from ipx.errors import IpxError, MemoryExhaustedError, PluginError, UsageError
from ipx.files.atomic import sweep
from ipx.files.lookup import listing
from ipx.jobs.unit import Outcome, Unit, failed

U = TypeVar("U")
R = TypeVar("R")

Team = Callable[[Sequence[U]], Iterator[tuple[int, R | BaseException]]]
"""Runs the units of a batch, see `Executor.run`."""

PROCESSES = "processes"
"""The executor of ``--jobs``."""


@dataclass(frozen=True)
class Workers:
    """Where to run.

    Attributes:
        jobs: the number of workers, where the executor starts them.
        cluster: the value of ``--cluster``; empty for this machine.
        note: receives notes for the user.
        preload: modules that every unit needs.
    """

    jobs: int = 1
    cluster: str = ""
    note: Callable[[str], None] = lambda line: None
    preload: tuple[str, ...] = ()


class Executor(Declared):
    """Base of all executors: processes of this machine, or a cluster.

    The work is a function that can be pickled; it raises nothing and may be called again with the
    same unit, since a worker may die in the middle. Each worker imports and loads once.
    """

    kind: ClassVar[str] = "executor"
    tries: ClassVar[int] = 2
    """How often a unit is begun whose worker dies; the unit may be what kills it."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options if options is not None else NoOptions()

    def run(
        self, work: Callable[[U], R], units: Sequence[U], workers: Workers
    ) -> Iterator[tuple[int, R | BaseException]]:
        """Number and result of each unit, in the order in which they end.

        A unit that has no result, since its worker died too often or cannot run it, has the error
        instead. Closing the iterator stops the workers; what is in flight is not finished.

        Args:
            work: the work on a unit.
            units: the units.
            workers: how many, and where.

        Raises:
            IpxError: there are no workers, or all were lost; says what would help.
        """
        raise self.undefined("run")

    @contextmanager
    def team(self, work: Callable[[U], R], workers: Workers) -> Iterator[Team[U, R]]:
        """Workers for several batches, one after the other: a function that runs units as `run`.

        By default they start anew for each.
        """
        yield lambda units: self.run(work, units, workers)

    def died(self, exit_code: int | None) -> IpxError:
        """The error of a unit whose worker has died each time; signal 9 mostly means no memory."""
        if exit_code == -9:
            return MemoryExhaustedError(
                f"its process was killed {self.tries} times, mostly for want of memory; try fewer "
                "--jobs"
            )
        return PluginError(f"its process ended with status {exit_code} {self.tries} times")


def executor_for(cluster: str) -> Executor:
    """The executor that serves a cluster, or that of this machine if it is empty.

    Raises:
        UsageError: no plugin knows such a cluster.
    """
    specs = [s for s in registry().all("executor") if isinstance(s, ExecutorSpec)]
    if not cluster:
        return _made(registry().get("executor", PROCESSES))
    for spec in specs:
        if spec.serves(cluster):
            return _made(spec)
    known = [form for spec in specs for form in spec.shown]
    raise UsageError(f"no cluster is {cluster!r}; give {listing(known, 'or')}")


@contextmanager
def distributed(
    work: Callable[[Unit], Outcome], workers: Workers
) -> Iterator[Callable[[Sequence[Unit]], Generator[Outcome]]]:
    """A function that gives what becomes of each unit, in the order in which they end.

    It may be called again: workers stay until the body ends. Then what workers that died have left
    beside outputs is removed.

    Raises:
        IpxError: see `Executor.run`.
    """
    folders: set[Path] = set()
    try:
        with executor_for(workers.cluster).team(work, workers) as team:

            def run(units: Sequence[Unit]) -> Generator[Outcome]:
                folders.update(unit.target.parent for unit in units)
                for number, made in team(units):
                    yield failed(units[number], made) if isinstance(made, BaseException) else made

            yield run
    finally:
        for folder in folders:
            sweep(folder, again=True)


def cores() -> int:
    """The number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def _made(spec: Any) -> Executor:
    made: Executor = registry().create(spec)
    return made
