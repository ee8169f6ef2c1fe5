"""Reports of a running job: figures at intervals, and notes for the user."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from ipx.numerics.metrics import psnr
from ipx.solving.progress import Progress

INTERVAL = 0.1
"""Smallest number of seconds between two reports."""


@dataclass(frozen=True)
class Report:
    """The progress of a job as plain numbers; see `ipx.Progress`.

    Attributes:
        iteration: number of the step, from 1.
        budget: the largest number of steps.
        seconds: wall-clock time since the start of the loop.
        objective: f + lam R; None if there is none.
        psnr: against the truth (dB); None without a truth.
        trial: number of the tuner's trial, from 1; 0 in the final solve.
    """

    iteration: int
    budget: int
    seconds: float
    objective: float | None
    psnr: float | None
    trial: int


@dataclass(frozen=True)
class Reporter:
    """The receiver of the reports of a job.

    Attributes:
        report: called at intervals while a solver runs; None for no reports.
        note: called with each note for the user.
        command: the command line, for the record.
    """

    report: Callable[[Report], None] | None = None
    note: Callable[[str], None] = lambda line: None
    command: Sequence[str] = ()


def reporting(report: Callable[[Report], None], truth: Tensor | None) -> Callable[[Progress], None]:
    """An observer that reports at most every `INTERVAL` seconds.

    Args:
        report: receives the reports.
        truth: the clean image ``(1, C, H, W)`` on the CPU, for the PSNR.
    """
    last = -math.inf

    def observe(p: Progress) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last < INTERVAL:
            return
        last = now
        quality = (
            None if truth is None else float(psnr(p.problem.physical.view(p.x).cpu(), truth)[0])
        )
        value = float(p.objective[0])
        objective = None if math.isnan(value) else value
        report(Report(p.iteration, p.budget, p.seconds, objective, quality, p.trial))

    return observe
