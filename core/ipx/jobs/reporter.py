"""Reports of a running job: figures at intervals, and notes for the user."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ipx.numerics.metrics import psnr
from ipx.solving.observers import Observer
from ipx.solving.progress import Phase, Progress

INTERVAL = 0.1
"""Smallest number of seconds between two reports."""


@dataclass(frozen=True)
class Report:
    """The progress of a job as plain numbers; see `ipx.Progress`.

    Attributes:
        phase: what is done now; phases without steps have iteration 0.
        iteration: number of the step, from 1.
        budget: the largest number of steps.
        seconds: wall-clock time since the start of the loop.
        objective: f + lam R; None if there is none.
        psnr: against the truth (dB); None without a truth.
        trial: number of the tuner's trial, from 1; 0 in the final solve.
        trials: the largest number of trials; None if it is unknown.
        left: the largest number of seconds that the solves to come take; None where it is unknown.
        about: the number of seconds that is likely: in trials by their usual number, in the last
            solve by the slope of its residual; None where it is unknown.
        lam: the weight of this solve; None for a sum of priors, and without a weight.
        part: the part of the work, such as ``tile 3 of 12``; empty for the whole.
        usual: the usual number of trials; None if it is unknown.
    """

    phase: Phase | str
    iteration: int = 0
    budget: int = 0
    seconds: float = 0.0
    objective: float | None = None
    psnr: float | None = None
    trial: int = 0
    trials: int | None = None
    left: float | None = None
    about: float | None = None
    lam: float | None = None
    part: str = ""
    usual: int | None = None


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

    def enter(self, phase: Phase | str) -> None:
        """Report the beginning of a phase."""
        if self.report is not None:
            self.report(Report(phase))


class Reporting(Observer):
    """An observer that reports at most every `INTERVAL` seconds, and at the start of each phase.

    Args:
        report: receives the reports.
        truth: the clean image ``(1, C, H, W)`` on the CPU, for the PSNR.
        restarts: number of starts from which the whole is solved.
    """

    def __init__(
        self, report: Callable[[Report], None], truth: Tensor | None, restarts: int = 1
    ) -> None:
        self.report, self.truth, self.restarts = report, truth, restarts
        self.last = -math.inf
        self.starts = 0
        self.within = ""
        self.ahead = Ahead()
        self.slope = Slope()

    def enter(self, phase: Phase | str) -> None:
        """Report the phase."""
        self.starts += phase == "start"
        self.report(Report(phase, part=self.within))

    def part(self, kind: str, number: int, count: int) -> None:
        """A part of the work begins; those before have ended."""
        self.within, self.starts = f"{kind} {number} of {count}", 0
        self.ahead.part(number, count)

    def begin(self, progress: Progress) -> None:
        """A solve begins."""
        self.ahead.begin(progress)
        self.slope = Slope()

    def __call__(self, p: Progress) -> None:
        """Report the step, unless the last report is too recent."""
        self.ahead.step(p)
        self.slope.step(p)
        now = time.perf_counter()
        if now - self.last < INTERVAL:
            return
        self.last = now
        seen = p.problem.shown(p.x).cpu()
        quality = None if self.truth is None else float(psnr(seen, self.truth)[0])
        value = float(p.objective[0])
        more = max(self.restarts - max(self.starts, 1), 0)  # the reach of tiles is a start, too
        self.report(
            Report(
                phase=p.phase,
                iteration=p.iteration,
                budget=p.budget,
                seconds=p.seconds,
                objective=None if math.isnan(value) else value,
                psnr=quality,
                trial=p.trial,
                trials=p.trials,
                usual=p.usual,
                left=self.ahead.left(p, more),
                about=self._about(p, more),
                lam=_weight(p),
                part=self.within,
            )
        )

    def _about(self, p: Progress, more: int) -> float | None:
        """The likely number of seconds to come, with so many restarts; None if it is unknown."""
        if p.trial:
            return self.ahead.about(p, more)
        steps = None if more > 0 or self.within else self.slope.left(p)
        return None if steps is None else steps * p.seconds / p.iteration


def _weight(p: Progress) -> float | None:
    """The weight of the first image; None for a sum of priors, and for a prior without weight."""
    if len(p.problem.terms) != 1 or not p.problem.prior.traits.weighted:
        return None
    return float(torch.as_tensor(p.problem.lam).flatten()[0])


class Slope:
    """The steps until the residual is down to its tolerance, by the slope of its logarithm.

    The line is fitted to the later half of the steps so far.
    """

    fewest = 12
    """Number of steps from which on a slope is trusted."""

    def __init__(self) -> None:
        self.logs: list[float] = []

    def step(self, p: Progress) -> None:
        """A step: the residual of the slowest image counts."""
        slowest = float(p.residual.amax()) if p.tol > 0 else 0.0
        self.logs.append(math.log(slowest) if 0 < slowest < math.inf else math.nan)

    def left(self, p: Progress) -> float | None:
        """Steps to come, the budget at most; None where the residual does not fall."""
        recent = self.logs[len(self.logs) // 2 :]
        if len(self.logs) < self.fewest or not all(map(math.isfinite, recent)):
            return None
        slope, level = statistics.linear_regression(range(len(recent)), recent)
        if slope >= 0:
            return None
        steps = (math.log(p.tol) - level) / slope - (len(recent) - 1)
        return min(max(steps, 0.0), float(p.budget - p.iteration))


class Ahead:
    """The time that trials and solves to come take, as far as it is known.

    The next trials are taken to be as long as the longest so far, and their number is the usual
    one. Of the last solve, of restarts and of parts of the work such as tiles only the budget is
    known before they begin.
    """

    fewest = 2
    """Number of trials that have to end before a time is told."""

    last = 2
    """Steps of the last solve over those of a trial, which stops earlier: see `trials.TRIAL`."""

    def __init__(self) -> None:
        self.trials = 0  # that have ended
        self.longest = 0  # steps of such a trial
        self.steps = 0  # of all solves that have ended
        self.seconds = 0.0  # of these
        self.now: Progress | None = None
        self.parts = 0  # to come after the present one

    def part(self, number: int, count: int) -> None:
        """A part of the work begins; each takes as long as the budget of this one."""
        self.parts = count - number

    def begin(self, progress: Progress) -> None:
        """A solve begins: the one before has ended."""
        before, self.now = self.now, progress
        if before is None:
            return
        self.steps += before.iteration
        self.seconds += before.seconds
        if before.trial:
            self.trials += 1
            self.longest = max(self.longest, before.iteration)

    def step(self, progress: Progress) -> None:
        """A step of the present solve."""
        self.now = progress

    def about(self, p: Progress, restarts: int) -> float | None:
        """Seconds from step ``p`` of a trial on, with so many restarts to come.

        None if that is unknown: before `fewest` trials have ended, and without their usual number.
        """
        if not p.trial or p.usual is None or self.trials < self.fewest:
            return None
        own = max(self.longest - p.iteration, 0)
        others = max(p.usual - p.trial, 0) * self.longest
        final = min(self.last * self.longest, p.budget) * (1 + restarts + self.parts)
        return self._pace(p) * (own + others + final)

    def left(self, p: Progress, restarts: int) -> float | None:
        """The most seconds from step ``p`` of the last solve on; None in trials."""
        if p.trial:
            return None
        return self._pace(p) * (p.budget - p.iteration + (restarts + self.parts) * p.budget)

    def _pace(self, p: Progress) -> float:
        """Seconds a step."""
        return (self.seconds + p.seconds) / max(self.steps + p.iteration, 1)
