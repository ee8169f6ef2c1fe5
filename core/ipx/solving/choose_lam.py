"""The weight of the prior, given, derived from the noise or chosen by a tuner, and the solve."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import Denoise, Value, has
from ipx.declare.traits import DENOISER_SHARE, LEAST_SIGMA
from ipx.errors import OptionError
from ipx.parts.prior import Prior
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import Description
from ipx.solving.build import build
from ipx.solving.loop import iterate
from ipx.solving.observers import AnyObserver, BestSoFar, History, Observer
from ipx.solving.problem import Problem, noise_variance
from ipx.solving.progress import Progress, Result
from ipx.solving.solver import Solver, State
from ipx.solving.stop import Stop, noise_reached, steps_made, typical_reached
from ipx.solving.tuner import Solve, Tuner

TRIAL = 5.0
"""Trials of a tuner stop at this multiple of the tolerance, which halves their time.

For a quadratic data term only: with impulse noise it picks worse weights. With 10, and little
noise around holes, cross-validation mistakes unfinished iterations for a fit.
"""

NOISELESS_LAM = 1e-3
"""Weight of the prior for data free of noise, where it only fills in what was not measured."""

INTERVAL_LAM = 0.2
"""Weight for data known up to an interval, where the prior chooses among the images that fit.

The data term is the distance from the interval. With total variation, whose slope in a pixel is at
most 4, a weight below 1/4 leaves that of the distance larger, and no pixel outside.
"""


@dataclass(frozen=True)
class Weighed:
    """A solution and its weight.

    Attributes:
        lam: one per image; of a sum of priors such a list for each; None without a weight.
        result: the solution.
        trace: the trials of the tuner, see `ipx.Restoration`.
        remarks: those of the tuner, see `ipx.Tuned`.
    """

    lam: list[Any] | None
    result: Result
    trace: list[dict[str, Any]]
    remarks: tuple[str, ...] = ()


def weigh(
    problem: Problem,
    algorithm: Solver[Any, Any],
    lam: float | Sequence[float] | Tensor | str,
    tuner: Description,
    settings: SolveSettings,
    observers: Sequence[AnyObserver] = (),
    window: Problem | None = None,
) -> Weighed:
    """Solve the attached problem with the weight ``lam``, or with one chosen for ``"auto"``.

    A tuner chooses it on ``window``, the same problem on a part of the data, if there is one.
    """

    def final(weight: float | Tensor) -> Result:
        return run(problem.with_lam(weight), algorithm, settings, observers)

    if not problem.prior.traits.weighted:
        return Weighed(None, final(1.0), [])
    if isinstance(lam, str):
        derived = from_noise(problem)
        if derived is not None:
            return Weighed(derived.tolist(), final(derived), [])
        told = fixed(problem)
        if told is None:
            chooser: Tuner[Any] = build("tuner", tuner)
            trials = Trials(settings, observers, chooser.most(problem))
            tuned = chooser.tune(window or problem, trials.by(algorithm))
            # solved again from the default start: a record with this lam gives the same bits
            # and gradients take the weight for a constant
            done = final(tuned.lam.detach())
            return Weighed(tuned.lam.tolist(), done, tuned.trace, tuned.remarks)
        lam = told
    weights = given(lam, problem.y)
    return Weighed(weights.tolist(), final(weights), [])


def run(
    p: Problem,
    algorithm: Solver[Any, Any],
    settings: SolveSettings,
    observers: Sequence[AnyObserver],
    looser: float = 1.0,
    state: State | None = None,
    twin: Result | None = None,
) -> Result:
    """One run; it stops early at the noise level without a weight, or at `Prior.typical`.

    Args:
        p: the problem.
        algorithm: the solver.
        settings: its iterations and tolerance.
        observers: see `ipx.iterate`.
        looser: a factor of the tolerance.
        state: the start.
        twin: take the same number of steps as this run, image by image.
    """
    settled = p.prior.traits.weighted or p.hard or algorithm.traits.own_prior
    early: Stop | None = None if settled else noise_reached()
    ready: Stop | None = None
    if p.prior.typical(p.image_shape) is not None:
        early = ready = typical_reached()
    tol = looser * (algorithm.tolerance(p) if settings.tol is None else settings.tol)
    iterations = settings.iterations
    if twin is not None:
        iterations, tol, early, ready = int(twin.iterations.max()), 0.0, steps_made(twin), None
    looking: list[AnyObserver] = list(observers)
    if settings.keep == "best":
        looking.append(BestSoFar())
    if observers:
        looking.append(History())
    return iterate(
        p, algorithm, iterations=iterations, tol=tol, stop=early, ready=ready,
        observers=looking, state=state,
    )  # fmt: skip


class _Trial(Observer):
    """Passes the steps of a trial on to an observer, with the number of the trial.

    ``most`` is the largest number of trials, None if it is unknown.
    """

    def __init__(self, observer: AnyObserver, number: int, most: int | None) -> None:
        self.observer, self.number, self.most = observer, number, most

    def begin(self, progress: Progress) -> None:
        if isinstance(self.observer, Observer):
            self.observer.begin(self._told(progress))

    def __call__(self, progress: Progress) -> None:
        self.observer(self._told(progress))

    def _told(self, progress: Progress) -> Progress:
        return replace(progress, phase="choosing lam", trial=self.number, trials=self.most)


class Trials:
    """Solves for tuners, numbered through.

    Args:
        settings: those of the solve.
        observers: they are told of the steps of each trial.
        most: the largest number of trials; None if it is unknown.
    """

    def __init__(
        self, settings: SolveSettings, observers: Sequence[AnyObserver], most: int | None
    ) -> None:
        self.settings, self.observers, self.most = settings, observers, most
        self.numbers = itertools.count(1)

    def by(self, algorithm: Solver[Any, Any]) -> Solve:
        """The function that a tuner calls to solve with a weight."""

        def attempt(
            problem: Problem, after: Result | None = None, twin: Result | None = None
        ) -> Result:
            number = next(self.numbers)
            told = [_Trial(o, number, self.most) for o in self.observers]
            looser = TRIAL if problem.data.quadratic else 1.0
            if not algorithm.resumes:
                start = twin or after
                begun = problem if start is None else problem.changed(x0=start.unknown)
                return run(begun, algorithm, self.settings, told, looser)
            state = None if after is None else algorithm.resumed(problem, after.state)
            return run(problem, algorithm, self.settings, told, looser, state, twin)

        return attempt


def given(lam: Any, y: Tensor) -> Tensor:
    """The weight as one number per image."""
    count = y.shape[0]
    try:
        weights = torch.as_tensor(lam, dtype=y.dtype, device=y.device).reshape(-1)
    except (TypeError, ValueError, RuntimeError):
        raise OptionError(f"lam must be a number >= 0 or auto, not {lam!r}") from None
    if len(weights) not in (1, count) or not bool(((weights >= 0) & weights.isfinite()).all()):
        raise OptionError(f"lam must be >= 0, one number or one for each of {count} image(s)")
    return weights.expand(count).contiguous()


def fixed(problem: Problem) -> float | None:
    """The weight for data free of noise, or known up to an interval; None where it is searched."""
    if problem.hard:
        return NOISELESS_LAM
    return INTERVAL_LAM if problem.noise.traits.interval else None


def from_noise(problem: Problem) -> Tensor | None:
    """The weight, for a prior whose weight follows from the noise; None for the others."""
    share = share_of(problem.prior)
    if share is None:
        return None
    return share * noise_variance(problem).clamp_min(LEAST_SIGMA**2)


def share_of(prior: Prior[Any]) -> float | None:
    """lam over the variance of the noise; None for a prior whose weight does not follow from it."""
    share = prior.traits.lam_per_variance
    if share is None and has(prior, Denoise) and not has(prior, Value):
        share = DENOISER_SHARE
    return share
