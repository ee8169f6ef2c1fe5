"""The progress line on stderr, removed when the image is done; into a file a line now and then."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ipx_cli.output import duration, note

if TYPE_CHECKING:
    from ipx.jobs.reporter import Report


EVERY = 30.0
"""Seconds between two lines where stderr is no terminal."""

BAR = 12
"""Columns of the bar on a terminal."""

WIDTH = 80
"""Columns of a line where stderr is no terminal."""

FEWEST = 12
"""Columns of the name that are shown in any case."""

IMPORTANCE = ("left", "steps", "psnr", "rate", "lam", "objective")
"""The figures, the most important first."""


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
        BarColumn(bar_width=BAR),
        TextColumn("{task.fields[figures]}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )
    with shown:
        task = shown.add_task(name, total=None, figures="")

        def show(report: Report) -> None:
            width = shown.console.width - BAR - 3  # columns of one space between the three
            words, found = told(name, report, after, width)
            shown.update(
                task,
                description=words,
                completed=report.iteration,
                total=report.budget or None,
                figures="  ".join(found),
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
            words, found = told(self.name, report, self.after, WIDTH - len("ipx: "))
            note("  ".join([words, *found]))


def told(name: str, report: Report, after: float | None, width: int) -> tuple[str, list[str]]:
    """The description and the figures of a report that fit into so many columns.

    The least important figures are left out, each as a whole; then the start of the name. Between
    two of them are two columns.
    """
    words, every = doing(report), figures(report, after)
    kept = [key for key in IMPORTANCE if key in every]
    least = min(len(name), FEWEST) + 2 + len(words)
    while kept and least + sum(2 + len(every[key]) for key in kept) > width:
        kept.pop()
    room = width - len(words) - 2 - sum(2 + len(every[key]) for key in kept)
    if len(name) > room:
        name = "..." + name[3 - max(room, FEWEST) :]
    return f"{name}: {words}", [text for key, text in every.items() if key in kept]


def doing(report: Report) -> str:
    """The part and phase in words, with the trial: ``choosing lam, trial 3 of about 8``.

    A search that takes more trials than usual has no known end.
    """
    phase = f"{report.part}, {report.phase}" if report.part else report.phase
    if not report.trial:
        return phase
    usual = report.usual is not None and report.trial <= report.usual
    count = f" of about {report.usual}" if usual else ""
    return f"{phase}, trial {report.trial}{count}"


def figures(report: Report, after: float | None = 0.0) -> dict[str, str]:
    """Weight, steps, rate, objective, PSNR and time left; none for a phase without steps.

    The time left is what is likely, or the most that it can be.
    """
    if not report.iteration:
        return {}
    rate = report.iteration / report.seconds if report.seconds > 0 else 0.0
    found = {} if report.lam is None or not report.trial else {"lam": f"lam {report.lam:.3g}"}
    found["steps"] = f"{report.iteration}/{report.budget}"
    found["rate"] = f"{rate:.3g} it/s"
    if report.objective is not None:
        found["objective"] = f"objective {report.objective:.5g}"
    if report.psnr is not None:
        found["psnr"] = f"{report.psnr:.2f} dB"
    own = " for this image" if after is None else ""
    for word, seconds in (("about", report.about), ("at most", report.left)):
        if seconds is not None:
            found["left"] = f"{word} {duration(seconds + (after or 0.0))} left{own}"
            break
    return found


class Pace:
    """The line of one image after the other, with the time that the images to come will take.

    They are taken to be as long as those that are done, so the first image tells of itself only.
    """

    def __init__(self, count: int) -> None:
        self.count, self.number, self.done, self.seconds = count, 0, 0, 0.0

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
