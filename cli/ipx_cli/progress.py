"""The progress line: on a terminal only, on stderr, gone when the picture is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipx.jobs.job import Step


@contextmanager
def line(name: str, quiet: bool) -> Iterator[Callable[[Step], None] | None]:
    """A function that shows a step; None where nobody would see it."""
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

        def step(s: Step) -> None:
            rate = s.iteration / s.seconds if s.seconds > 0 else 0.0
            figures = [f"{s.iteration}/{s.budget}", f"{rate:.0f} it/s"]
            if s.objective is not None:
                figures.append(f"objective {s.objective:.5g}")
            if s.psnr is not None:
                figures.append(f"{s.psnr:.2f} dB")
            shown.update(
                task,
                description=f"{name}: choosing lam, trial {s.trial}" if s.trial else name,
                completed=s.iteration,
                total=s.budget,
                figures="  ".join(figures),
            )

        yield step
