"""The weight of the prior: given, following from the noise, or chosen by a tuner; and the solve."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from ipx.declare import capabilities as cap
from ipx.errors import OptionError
from ipx.parts.component import has
from ipx.planning.plan import Plan
from ipx.solving.build import Description, build
from ipx.solving.loop import (
    Callback,
    Progress,
    Result,
    iterate,
    noise_reached,
    noise_variance,
    typical_reached,
)
from ipx.solving.problem import Problem
from ipx.solving.solver import Solver
from ipx.solving.tuner import Tuner

DENOISER_SHARE = 0.23
"""lam over the variance of the noise where the prior is a denoiser (Zhang et al. 2022)."""

FINEST = 0.255 / 255
"""Data are never taken for better than this."""

TRIAL = 5.0
"""Weights are compared on pictures that have settled to so many times the tolerance.

That takes about half of the time. For Gaussian noise only: with impulses it picks worse weights.
With 10, and little noise about holes, cross-validation takes what has not settled for a fit.
"""

NOISELESS_LAM = 1e-3
"""Weight of the prior when data are free of noise: it only fills what was not measured."""


def weigh(
    problem: Problem,
    algorithm: Solver[Any, Any],
    plan: Plan,
    lam: float | Sequence[float] | Tensor | str,
    tuner: Description,
    iterations: int | None,
    tol: float,
    callbacks: Sequence[Callback],
    keep: Literal["last", "best"] = "last",
) -> tuple[list[float] | None, list[dict[str, Any]], Result]:
    """Choose the weight where there is one, and solve."""
    count = problem.y.shape[0]

    def run(p: Problem, calls: Sequence[Callback] = (), every: int = 0, tol: float = tol) -> Result:
        # a prior without weight cannot hold the noise back: stopping at its level does
        settled = p.prior.weighted or p.hard or algorithm.own_prior
        early, ready = None if settled else noise_reached(), None
        if p.prior.typical(p.operator.physical.image_shape) is not None:
            early = ready = typical_reached()
        return iterate(
            p, algorithm, iterations=iterations, tol=tol, stop=early, callbacks=calls, plan=plan,
            record_every=every, ready=ready, keep=keep,
        )  # fmt: skip

    trials = itertools.count(1)

    def attempt(p: Problem) -> Result:
        number = next(trials)

        def tell(step: Progress) -> None:
            for call in callbacks:
                call(replace(step, trial=number))

        settled = TRIAL * tol if p.data.quadratic else tol
        return run(p, [tell] if callbacks else [], 10, settled)

    if not problem.prior.weighted:
        return None, [], run(problem.with_lam(1.0), callbacks)
    if isinstance(lam, str):
        if lam != "auto":
            raise OptionError(f"lam must be a number >= 0 or auto, not {lam!r}")
        told = _from_noise(problem)
        if told is not None:
            return told.tolist(), [], run(problem.with_lam(told), callbacks)
        if not problem.hard:
            chooser: Tuner[Any] = build("tuner", tuner)
            tuned = chooser.tune(problem, attempt)
            # from the plain start once more, so that a record with this lam gives the same bits
            result = run(problem.with_lam(tuned.lam), callbacks)
            return [float(v) for v in tuned.lam], tuned.trace, result
        lam = NOISELESS_LAM
    try:
        weights = torch.as_tensor(lam, dtype=problem.y.dtype, device=problem.y.device).reshape(-1)
    except (TypeError, ValueError, RuntimeError):
        raise OptionError(f"lam must be a number >= 0 or auto, not {lam!r}") from None
    if len(weights) not in (1, count) or not bool(((weights >= 0) & weights.isfinite()).all()):
        raise OptionError(f"lam must be >= 0, one number or one for each of {count} image(s)")
    weights = weights.expand(count).contiguous()
    return weights.tolist(), [], run(problem.with_lam(weights), callbacks)


def _from_noise(problem: Problem) -> Tensor | None:
    """The weight of a prior whose weight follows from the noise; None for the others."""
    share = problem.prior.lam_per_variance
    if share is None and has(problem.prior, cap.Denoise) and not has(problem.prior, cap.Value):
        share = DENOISER_SHARE
    if share is None:
        return None
    return share * noise_variance(problem).clamp_min(FINEST**2)
