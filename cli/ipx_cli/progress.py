"""The progress line on stderr, on a terminal only, removed when the image is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipx.jobs.reporter import Report


@contextmanager
def line(name: str, quiet: bool) -> Iterator[Callable[[Report], None] | None]:
    """A function that shows a report; None when quiet or not on a terminal."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    shown = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[figures]}", markup=False),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )
    with shown:
        task = shown.add_task(name, total=None, figures="")

        def show(report: Report) -> None:
            rate = report.iteration / report.seconds if report.seconds > 0 else 0.0
            figures = [f"{report.iteration}/{report.budget}", f"{rate:.0f} it/s"]
            if report.objective is not None:
                figures.append(f"objective {report.objective:.5g}")
            if report.psnr is not None:
                figures.append(f"{report.psnr:.2f} dB")
            shown.update(
                task,
                description=f"{name}: choosing lam, trial {report.trial}" if report.trial else name,
                completed=report.iteration,
                total=report.budget,
                figures="  ".join(figures),
            )

        yield show
