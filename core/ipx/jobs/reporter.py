"""What a running job tells: figures now and then, lines for the user."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from ipx.numerics.metrics import psnr
from ipx.solving.progress import Progress

INTERVAL = 0.1
"""Seconds between two reports."""


@dataclass(frozen=True)
class Report:
    """How far a job is, as plain numbers.

    Attributes:
        iteration: steps done, from 1.
        budget: steps allowed.
        seconds: since the loop began.
        objective: f + lam R of the present iterate; None where there is none.
        psnr: of the present picture against the truth (dB); None without a truth.
        trial: while lam is chosen the number of the trial, from 1; 0 in the final solve.
    """

    iteration: int
    budget: int
    seconds: float
    objective: float | None
    psnr: float | None
    trial: int


@dataclass(frozen=True)
class Reporter:
    """Where a job reports to.

    Attributes:
        report: called now and then while a solve runs; None where nobody looks.
        note: called with each line that the user should see.
        command: the command line, for the record.
    """

    report: Callable[[Report], None] | None = None
    note: Callable[[str], None] = lambda line: None
    command: Sequence[str] = ()


def reporting(report: Callable[[Report], None], truth: Tensor | None) -> Callable[[Progress], None]:
    """An observer that reports at most every `INTERVAL` seconds.

    Args:
        report: where to.
        truth: the clean picture ``(1, C, H, W)`` on the CPU, for the PSNR.
    """
    last = -math.inf

    def observe(p: Progress) -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last < INTERVAL:
            return
        last = now
        quality = None if truth is None else float(psnr(p.x.cpu(), truth)[0])
        value = float(p.objective[0])
        objective = None if math.isnan(value) else value
        report(Report(p.iteration, p.budget, p.seconds, objective, quality, p.trial))

    return observe
