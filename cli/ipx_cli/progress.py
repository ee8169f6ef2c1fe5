"""The progress line on stderr, removed when the image is done; into a file a line now and then."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ipx_cli.output import duration, note, number

if TYPE_CHECKING:
    from ipx.jobs.reporter import Report


EVERY = 30.0
"""Seconds between two lines where stderr is no terminal."""


@contextmanager
def line(
    name: str, quiet: bool, after: float | None = 0.0
) -> Iterator[Callable[[Report], None] | None]:
    """A function that shows a report; None when quiet.

    Where stderr is no terminal, it prints a line each `EVERY` seconds.

    Args:
        name: what is worked on.
        quiet: show nothing.
        after: seconds of the images to come, added to the time left; None if that is unknown, so
            that the time left is that of this image.
    """
    if quiet:
        yield None
        return
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield _Now(name, after)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    shown = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[figures]}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
    with shown:
        task = shown.add_task(name, total=None, figures="")

        def show(report: Report) -> None:
            shown.update(
                task,
                description=f"{name}: {doing(report)}",
                completed=report.iteration,
                total=report.budget or None,
                figures="  ".join(figures(report, after)),
            )

        yield show


class _Now:
    """Prints a report as a line, the first after `EVERY` seconds, then one in as many."""

    def __init__(self, name: str, after: float | None) -> None:
        self.name, self.after, self.last = name, after, time.monotonic()

    def __call__(self, report: Report) -> None:
        now = time.monotonic()
        if now - self.last >= EVERY:
            self.last = now
            note("  ".join([f"{self.name}: {doing(report)}", *figures(report, self.after)]))


def doing(report: Report) -> str:
    """The part and phase in words, with the trial: ``choosing lam, trial 3 of at most 28``."""
    phase = f"{report.part}, {report.phase}" if report.part else report.phase
    if not report.trial:
        return phase
    most = "" if report.trials is None else f" of at most {report.trials}"
    lam = "" if report.lam is None else f", lam {number(report.lam, 3)}"
    return f"{phase}, trial {report.trial}{most}{lam}"


def figures(report: Report, after: float | None = 0.0) -> list[str]:
    """Steps, rate, objective, PSNR and time left of a report; none for a phase without steps.

    The time left is that by the slope of the residual, or the most that it can be.
    """
    if not report.iteration:
        return []
    rate = report.iteration / report.seconds if report.seconds > 0 else 0.0
    found = [f"{report.iteration}/{report.budget}", f"{rate:.3g} it/s"]
    if report.objective is not None:
        found.append(f"objective {report.objective:.5g}")
    if report.psnr is not None:
        found.append(f"{report.psnr:.2f} dB")
    if report.about is not None:
        own = " for this image" if after is None else ""
        found.append(f"about {duration(report.about + (after or 0.0))} left{own}")
    elif report.left is not None:
        own = " for this image" if after is None else ""
        found.append(f"at most {duration(report.left + (after or 0.0))} left{own}")
    return found


class Pace:
    """The line of one image after the other, with the time that the images to come will take.

    They are taken to be as long as those that are done, so the first image tells of itself only.
    """

    def __init__(self, count: int) -> None:
        self.count, self.number, self.done, self.seconds = count, 0, 0, 0.0

    def skip(self) -> None:
        """An image is done already."""
        self.number += 1

    @contextmanager
    def line(self, name: str, quiet: bool) -> Iterator[Callable[[Report], None] | None]:
        """`line` of the next image, with its number if there are several."""
        self.number += 1
        rest = self.count - self.number
        mean = self.seconds / self.done if self.done else None
        after = 0.0 if not rest else None if mean is None else rest * mean
        shown = name if self.count == 1 else f"{self.number}/{self.count} {name}"
        began = time.perf_counter()
        with line(shown, quiet, after) as show:
            yield show
        self.done, self.seconds = self.done + 1, self.seconds + time.perf_counter() - began
