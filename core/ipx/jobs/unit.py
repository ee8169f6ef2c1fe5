"""A unit of a batch: one input and its outputs, restored anywhere, any number of times.

A unit is idempotent: its outputs are written whole or not at all, and a unit that is done is
recognised by its record. Units and the work on them are plain values that go to other processes and
other machines. Imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ipx.errors import InputError
from ipx.files.atomic import one_line
from ipx.files.limits import pixel_limit
from ipx.jobs.told import lasting, told
from ipx.planning.request import Request, Table

if TYPE_CHECKING:
    from ipx.jobs.reporter import Report

SEEDS = 2**53  # exact in JSON

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Unit:
    """One input and its outputs.

    Attributes:
        number: its place in the batch, from 0.
        name: its path in the tree of inputs, with ``/``.
        source: the input.
        target: the restored image.
        truth: the clean image, if there is one.
        panel: the file of the panel, if one is asked for.
        report: the file of the report, likewise.
        std: the file of the standard deviation of draws, if it is named.
        seed: in place of that of the request.
        whole: its further outputs have its whole name, not its stem, which another unit has too.
    """

    number: int
    name: str
    source: Path
    target: Path
    truth: Path | None = None
    panel: Path | None = None
    report: Path | None = None
    std: Path | None = None
    seed: int | None = None
    whole: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a unit.

    Attributes:
        unit: the unit.
        row: the result, see `ipx.jobs.solve.solve_file`; None if it failed.
        error: why it failed, in one line.
        code: the exit status of the error; 0 if it did not fail.
        notes: for the user, one line each.
        skipped: it was done before.
        lasting: what made it fail will make the next one fail as well.
    """

    unit: Unit
    row: Table | None = None
    error: str = ""
    code: int = 0
    notes: tuple[str, ...] = ()
    skipped: bool = False
    lasting: bool = False


def failed(unit: Unit, error: BaseException) -> Outcome:
    """The outcome of a unit that an error has ended."""
    line, code = told(error)
    return Outcome(unit, None, line, code, lasting=lasting(error))


def attempt(unit: Unit, work: Callable[[Unit], Outcome]) -> Outcome:
    """The outcome of a unit, also if ``work`` raises; interruptions are raised.

    A plugin may raise anything, and even call ``sys.exit``.
    """
    try:
        return work(unit)
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except BaseException as e:
        return failed(unit, e)


def seed_of(name: str, seed: int) -> int:
    """The seed of a unit: made of its name and the seed of the run, so that order is nothing."""
    digest = hashlib.sha256(f"{seed}/{name}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % SEEDS


@dataclass(frozen=True)
class Solving:
    """The work on units: a function of a unit that gives its `Outcome`, for any process.

    Attributes:
        request: the restoration.
        argv: the command line, for the records.
        resume: skip what is done.
        force: replace files that ipx has not written.
        pixels: the largest number of pixels of an image; None for the usual one.
        expect: sha256 of the input in a record.
        threads: threads of each process; None leaves their number.
        folder: the present folder, to which paths are relative.
        token: of the run: components are kept from one of its units to the next.
        memory: bytes that are free for each of the processes; None for all that are free.
    """

    request: Request
    argv: tuple[str, ...] = ()
    resume: bool = False
    force: bool = False
    pixels: int | None = None
    expect: str | None = None
    threads: int | None = None
    folder: str = field(default_factory=os.getcwd)
    token: str = ""
    memory: int | None = None

    def __call__(self, unit: Unit) -> Outcome:
        """Restore a unit, in a process of its own or on another machine."""
        notes: list[str] = []
        with _one_at_a_time:
            done = attempt(unit, lambda each: self.restored(each, note=notes.append))
        return replace(done, notes=tuple(notes))

    def restored(
        self,
        unit: Unit,
        report: Callable[[Report], None] | None = None,
        note: Callable[[str], None] = lambda line: None,
    ) -> Outcome:
        """Restore a unit, or recognise that it is done.

        Args:
            unit: the unit.
            report: receives the progress.
            note: receives notes for the user.

        Raises:
            IpxError: nothing was written.
        """
        self._enter()
        request = self.request
        if unit.seed is not None:
            request = request.seeded(unit.seed)
        if self.resume:
            from ipx.jobs.resume import finished

            others = filter(None, (unit.panel, unit.report))
            row = finished("solve", request, unit.source, unit.target, unit.truth, others)
            if row is not None:
                return Outcome(unit, row, skipped=True)

        from ipx.jobs.outputs import Outputs
        from ipx.jobs.reporter import Reporter
        from ipx.jobs.solve import solve_file
        from ipx.numerics.free import sharing
        from ipx.solving.kept import keeping

        with (
            pixel_limit(self.pixels), keeping(self.token), sharing(self.memory), self._threads()
        ):  # fmt: skip
            row = solve_file(
                request,
                unit.source,
                unit.target,
                truth=unit.truth,
                others=Outputs(panel=unit.panel, report=unit.report, std=unit.std),
                reporter=Reporter(report, note, self.argv),
                expect=self.expect,
                force=self.force,
                whole=unit.whole,
            )
        return Outcome(unit, row)

    def _enter(self) -> None:
        """Be in the folder of the command; on another machine it is the same on a shared disk."""
        try:
            if os.getcwd() != self.folder:
                os.chdir(self.folder)
        except OSError as e:
            raise InputError(
                f"{self.folder}: cannot be entered: {one_line(e)}; all workers need the "
                "files under the same path"
            ) from e

    @contextmanager
    def _threads(self) -> Iterator[None]:
        if self.threads is None:
            yield
            return
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
