"""Observers: they see each step of a run and may add to its result.

A function of `ipx.Progress` is an observer too, one that adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import Value, has
from ipx.numerics.tensors import column
from ipx.numerics.welford import Moments
from ipx.solving.problem import Problem
from ipx.solving.progress import Phase, Progress, Result


class Observer:
    """Base class: called before the first step, after each step, and with the result."""

    def enter(self, phase: Phase | str) -> None:
        """At the beginning of a phase without steps for observers, such as ``"noise level"``."""

    def part(self, kind: str, number: int, count: int) -> None:
        """At the beginning of a part of the work, such as a tile: ``number`` of ``count``."""

    def begin(self, progress: Progress) -> None:
        """Before the first step; ``progress.iteration`` is 0."""

    def __call__(self, progress: Progress) -> None:
        """After a step."""

    def finish(self, result: Result) -> Result:
        """The result with the observations added."""
        return result


AnyObserver = Observer | Callable[[Progress], None]


def announce(observers: Sequence[AnyObserver], phase: Phase | str) -> None:
    """Tell the observers that a phase begins."""
    for observer in observers:
        if isinstance(observer, Observer):
            observer.enter(phase)


def announce_part(observers: Sequence[AnyObserver], kind: str, number: int, count: int) -> None:
    """Tell the observers that a part of the work begins."""
    for observer in observers:
        if isinstance(observer, Observer):
            observer.part(kind, number, count)


class BestSoFar(Observer):
    """Returns the iterate of lowest objective among every tenth and the last.

    For a prior without `Value` it returns the last.
    """

    every = 10

    def begin(self, progress: Progress) -> None:
        self.on = has(progress.problem.prior, Value)
        self.lowest = torch.full_like(progress.residual, torch.inf)
        self.kept = progress.unknown

    def __call__(self, progress: Progress) -> None:
        if not self.on or not (progress.iteration % self.every == 0 or progress.last):
            return
        better = progress.active & (progress.objective < self.lowest)
        self.lowest = torch.where(better, progress.objective, self.lowest)
        self.kept = torch.where(column(better, self.kept), progress.unknown, self.kept)

    def finish(self, result: Result) -> Result:
        if not self.on:
            return result
        problem = result.problem
        diverged = torch.tensor([s == "diverged" for s in result.status]).to(self.lowest.device)
        take = (self.lowest < problem.objective(result.unknown)) | (
            diverged & self.lowest.isfinite()
        )
        return settled(result, torch.where(column(take, self.kept), self.kept, result.unknown))


def settled(result: Result, unknown: Tensor) -> Result:
    """The result with another unknown: its picture with known pixels restored, its objective."""
    problem = result.problem
    x = problem.picture(unknown)
    x = x if result.translated else problem.keep_known(x)
    objective = problem.objective(x if problem.code is None else unknown)
    return replace(result, x=x, unknown=unknown, objective=objective)


class History(Observer):
    """Records `ipx.Result.history`. It has to be the last of the observers.

    It records every ``every`` steps, and whenever another observer has computed the objective.

    Args:
        every: steps between two records; 0 computes no objective itself.
    """

    def __init__(self, every: int = 0) -> None:
        self.every = every

    def begin(self, progress: Progress) -> None:
        self.rows: list[dict[str, Any]] = []

    def __call__(self, progress: Progress) -> None:
        due = self.every and progress.iteration % self.every == 0
        if due or "objective" in vars(progress):
            self.rows.append(
                {
                    "iteration": progress.iteration,
                    "seconds": progress.seconds,
                    "objective": progress.objective.detach().cpu().tolist(),
                    "residual": progress.residual.detach().cpu().tolist(),
                }
            )

    def finish(self, result: Result) -> Result:
        return replace(result, history=self.rows)


class Statistics(Observer):
    """Mean and standard deviation over the iterates, as outputs ``mean`` and ``std``.

    An image is averaged until it is done. If that is within the first ``after`` steps, its mean is
    the image itself and its deviation 0.

    Args:
        after: steps left out at the beginning.
    """

    def __init__(self, after: int = 0) -> None:
        self.after = after

    def begin(self, progress: Progress) -> None:
        self.moments = Moments.zero(progress.x)  # of this run only

    def __call__(self, progress: Progress) -> None:
        if progress.iteration > self.after:
            self.moments = self.moments.add(progress.x, progress.active)

    def finish(self, result: Result) -> Result:
        some = column(self.moments.count > 0, result.x)
        found = {
            "mean": torch.where(some, self.moments.mean, result.x),
            "std": self.moments.variance.sqrt(),
        }
        return replace(result, outputs={**result.outputs, **found})


class Guard:
    """Checks which images are sound: finite, and the objective not grown a thousandfold.

    Every step checks the residual. Every tenth and the last check all values, as does a residual
    that is not finite. Every tenth checks the objective; that of the start is computed only then,
    since most trials of a tuner end before.
    """

    every = 10

    def __init__(self, problem: Problem, start: Tensor) -> None:
        self.start = start if has(problem.prior, Value) else None
        self.ceiling: Tensor | None = None

    def sound(self, progress: Progress) -> Tensor:
        """True per image that is sound, ``(B,)``."""
        finite = torch.isfinite(progress.residual)
        due = progress.iteration % self.every == 0
        if progress.last or due or not bool(finite.all()):
            finite = finite & torch.isfinite(progress.unknown.flatten(1)).all(1)
        if due and self.start is not None:
            self.ceiling, self.start = _ceiling(progress.problem, self.start), None
        if due and self.ceiling is not None:
            finite = finite & ~self._grown(progress, self.ceiling)
        return finite

    def _grown(self, progress: Progress, ceiling: Tensor) -> Tensor:
        """True per image whose objective is above the ceiling.

        It is infinite where an iterate does not satisfy a constraint yet: then the data term tells.
        """
        reached = progress.objective
        if bool(reached.isinf().any()):
            data = progress.problem.data.value(progress.unknown)
            reached = torch.where(reached.isinf(), data, reached)
        return ~(reached <= ceiling)  # NaN, too


def _ceiling(problem: Problem, start: Tensor) -> Tensor:
    """The objective above which an image counts as diverged, ``(B,)``."""
    first = problem.objective(start)
    scale = problem.data.value(torch.zeros_like(start))
    first = torch.where(torch.isfinite(first), first, scale)
    return 1e3 * torch.maximum(first, scale) + 1e-6
