"""Plug-and-play unadjusted Langevin: a denoiser as the score of the prior."""

from __future__ import annotations

from torch import Tensor

from ipx import (
    DENOISER_SHARE,
    Denoise,
    Problem,
    Random,
    Sampler,
    State,
    column,
    temperature,
    using,
    vector,
)
from ipx_plugins.samplers import PnPULAOptions


class PnPULA(Sampler[PnPULAOptions, State]):
    """x+ = x - g grad f(x) + g a T (D(x) - x) / s^2 + g T (P(x) - x) / m + sqrt(2 g T) n.

    Laumont et al. 2022, algorithm 1: by Tweedie's formula (D(x) - x) / s^2 is the score of images
    with noise s. P projects on [low, high], without which the chain may leave. The weight of the
    prior is a = lam / (0.23 sigma^2), 1 for the automatic lam. For a D with the eigenvalue d the
    variance is, far inside [low, high], T / (c (1 - g c / 2)), c = curvature of f + a T (1 - d) /
    s^2.
    """

    thin = 5

    def init(self, problem: Problem, start: Tensor) -> State:
        """The start."""
        return State(start)

    def step(self, problem: Problem, state: State, random: Random) -> State:
        """One step."""
        o, x = self.options, state.x
        t = temperature(problem)
        share = vector(problem.lam, x) / (DENOISER_SHARE * t)
        pull = share * t / o.sigma**2  # the curvature of the prior's part
        steep = vector(problem.data.lipschitz(), x) + pull
        g = o.step / (steep + steep)  # the projection may be as steep as the rest together
        score = using(problem.prior, Denoise).denoise(x, o.sigma) - x
        inside = x.clamp(o.low, o.high) - x
        drift = column(pull, x) * score + column(steep, x) * inside - problem.data.grad(x)
        noise = column((2 * g * t).sqrt(), x) * random.normal(x)
        return State(x + column(g, x) * drift + noise)
