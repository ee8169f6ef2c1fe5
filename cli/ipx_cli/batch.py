"""The units of a batch as they end: a failure does not stop the others unless that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ipx.errors import InputError
from ipx.jobs.manifest import Manifest
from ipx.jobs.unit import Outcome, Unit, attempt
from ipx_cli import output

Row = dict[str, Any]

REASONS = {
    "diverged": "the iteration diverged; {} is its last good state",
    "doubtful": "{} is surely wrong: much of it lies far outside the range of the data",
    "unmixed": "the chains have not mixed, so that {} has no bounds",
}
"""Why a row of this status counts as failed."""


@dataclass
class Tally:
    """What became of the units so far, and how it is shown.

    Attributes:
        show: prints a row.
        blank: the keys of the row of a failed image.
        note: prints a note.
        manifest: receives each unit.
        codes: the exit status of each unit that has ended.
        rows: the row of each, by its number.
        stopped: the batch ends before all units have.
    """

    show: Callable[[Row], None]
    blank: Row
    note: Callable[[str], None]
    manifest: Manifest = field(default_factory=lambda: Manifest(None))
    codes: list[int] = field(default_factory=list)
    rows: dict[int, Row] = field(default_factory=dict)
    stopped: bool = False
    _said: set[str] = field(default_factory=set)

    def add(self, done: Outcome) -> int:
        """Show an outcome; its exit status. An image counts as failed for the `REASONS`, too."""
        source = str(done.unit.source)
        for line in done.notes:
            self.note(line)
        if done.row is None:
            line = done.error if done.error.startswith(source) else f"{source}: {done.error}"
            output.error(line)
            row: Row = {**self.blank, "input": source, "status": "failed", "error": line}
            code, why = done.code, line
        else:
            row = done.row
            reason = REASONS.get(row["status"])
            code, why = (0, "") if reason is None else (output.FAILED, reason.format(row["output"]))
            if why:
                output.error(f"{source}: {why}")
            self._remark(done, row)
        self.codes.append(code)
        self.rows[done.unit.number] = row
        self.show(row)
        with suppress(InputError) if done.lasting else nullcontext():  # told already
            self.manifest.add(done, str(row["status"]), code, why)
        return code

    def _remark(self, done: Outcome, row: Row) -> None:
        """Say what is assumed, or that nothing was to do; many inputs, one line."""
        if done.skipped:
            self.note(f"{done.unit.source}: done before, skipped")
            return
        for line in row.get("warnings", ()):
            if line not in self._said:
                self.note(line)
            self._said.add(line)

    @property
    def failed(self) -> int:
        """How many have failed."""
        return sum(code != 0 for code in self.codes)

    def status(self) -> int:
        """The exit status: 0 if none failed, that of the error if all failed with one, else 1."""
        kinds = set(self.codes)
        return 0 if not kinds else kinds.pop() if len(kinds) == 1 else output.FAILED

    def summary(self, total: int, done: str) -> str:
        """``30 of 32 restored, 2 failed``."""
        good, left = len(self.codes) - self.failed, total - len(self.codes)
        begun = f", {left} not begun" if left else ""
        return f"{good} of {total} {done}, {self.failed} failed{begun}"


def take(outcomes: Iterable[Outcome], tally: Tally, stop: bool = False) -> None:
    """Show each outcome.

    Args:
        outcomes: as they end.
        tally: shows them; it is ``stopped`` if the batch is to end here.
        stop: end with the first that fails. What makes every further one fail, such as a full
            disk, ends the batch in any case.
    """
    for outcome in outcomes:
        code = tally.add(outcome)
        if outcome.lasting or (code and stop):
            tally.stopped = True
            return


def run(
    outcomes: Iterable[Outcome], tally: Tally, total: int, done: str, stop: bool = False
) -> int:
    """Show each outcome, see `take`, and say how many failed if some of several have.

    Args:
        outcomes: as they end.
        tally: shows them.
        total: the number of units.
        done: what was done to an image, such as ``restored``.
        stop: end with the first that fails.

    Returns:
        The exit status, see `Tally.status`.
    """
    take(outcomes, tally, stop)
    if tally.failed and total > 1:
        tally.note(tally.summary(total, done))
    return tally.status()


def each(
    pairs: Iterable[tuple[Path, Path]], work: Callable[[Path, Path], Row]
) -> Iterable[Outcome]:
    """The outcomes of work on inputs and outputs, one after the other."""
    for number, (source, target) in enumerate(pairs):
        unit = Unit(number, source.name, source, target)
        yield attempt(unit, lambda u: Outcome(u, work(u.source, u.target)))
