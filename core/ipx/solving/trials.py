"""One run of a solver on a weighted problem, and the numbered runs that tuners ask for."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ipx.planning.settings import SolveSettings
from ipx.solving.loop import iterate
from ipx.solving.observers import AnyObserver, BestSoFar, History, Observer
from ipx.solving.problem import Problem
from ipx.solving.progress import Progress, Result
from ipx.solving.solver import Solver, State
from ipx.solving.stop import Stop, noise_reached, steps_made, stops_at_noise
from ipx.solving.tuner import Solve

TRIAL = 5.0
"""Trials of a tuner stop at this multiple of the tolerance, which halves their time.

For a quadratic data term only: with impulse noise it picks worse weights. With 10, and little
noise around holes, cross-validation mistakes unfinished iterations for a fit.
"""


def run(
    p: Problem,
    algorithm: Solver[Any, Any],
    settings: SolveSettings,
    observers: Sequence[AnyObserver],
    looser: float = 1.0,
    state: State | None = None,
    twin: Result | None = None,
) -> Result:
    """One run; it stops early at the noise level without a weight.

    Args:
        p: the problem.
        algorithm: the solver.
        settings: its iterations and tolerance.
        observers: see `ipx.iterate`.
        looser: a factor of the tolerance.
        state: the start.
        twin: take the same number of steps as this run, image by image.
    """
    early: Stop | None = noise_reached() if stops_at_noise(p, algorithm.traits) else None
    tol = looser * (algorithm.tolerance(p) if settings.tol is None else settings.tol)
    iterations = settings.iterations
    if twin is not None:
        iterations, tol, early = int(twin.iterations.max()), 0.0, steps_made(twin)
    looking: list[AnyObserver] = list(observers)
    if settings.keep == "best":
        looking.append(BestSoFar())
    if observers:
        looking.append(History())
    return iterate(
        p, algorithm, iterations=iterations, tol=tol, stop=early, observers=looking,
        state=state,
    )  # fmt: skip


@dataclass(frozen=True)
class Count:
    """A number of trials: the largest, and the usual one; None where it is unknown."""

    most: int | None = None
    usual: int | None = None


class _Trial(Observer):
    """Passes the steps of a trial on to an observer, with the number of the trial.

    ``count`` is that of `Trials`.
    """

    def __init__(self, observer: AnyObserver, number: int, count: Count) -> None:
        self.observer, self.number, self.count = observer, number, count

    def begin(self, progress: Progress) -> None:
        if isinstance(self.observer, Observer):
            self.observer.begin(self._told(progress))

    def __call__(self, progress: Progress) -> None:
        self.observer(self._told(progress))

    def _told(self, progress: Progress) -> Progress:
        return replace(
            progress, phase="choosing lam", trial=self.number, trials=self.count.most,
            usual=self.count.usual,
        )  # fmt: skip


class Trials:
    """Solves for tuners, numbered through.

    Args:
        settings: those of the solve.
        observers: they are told of the steps of each trial.
        count: how many there may be.
        truth: see `ipx.Solve`.
    """

    def __init__(
        self,
        settings: SolveSettings,
        observers: Sequence[AnyObserver],
        count: Count = Count(),
        truth: Tensor | None = None,
    ) -> None:
        self.settings, self.observers, self.count, self.truth = settings, observers, count, truth
        self.numbers = itertools.count(1)

    def by(self, algorithm: Solver[Any, Any]) -> Solve:
        """The function that a tuner calls to solve with a weight."""
        return _Attempt(self, algorithm)


@dataclass(frozen=True)
class _Attempt:
    """The next trial by a solver."""

    trials: Trials
    algorithm: Solver[Any, Any]

    @property
    def truth(self) -> Tensor | None:
        return self.trials.truth

    def by(self, solver: Solver[Any, Any]) -> Solve:
        return self.trials.by(solver)

    def __call__(
        self, problem: Problem, after: Result | None = None, twin: Result | None = None
    ) -> Result:
        trials, algorithm = self.trials, self.algorithm
        number = next(trials.numbers)
        told = [_Trial(o, number, trials.count) for o in trials.observers]
        looser = TRIAL if problem.data.quadratic else 1.0
        if not algorithm.resumes:
            start = twin or after
            begun = problem if start is None else problem.changed(x0=start.unknown)
            return run(begun, algorithm, trials.settings, told, looser)
        state = None if after is None else algorithm.resumed(problem, after.state)
        return run(problem, algorithm, trials.settings, told, looser, state, twin)
