"""The slope of f + lam R that Langevin steps follow, and its largest curvature."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ipx import (
    Grad,
    Problem,
    Prox,
    column,
    has,
    image_norm,
    using,
    vector,
)

Slope = Callable[[Tensor], Tensor]

POWER_STEPS = 15
"""Steps of the power method for the largest curvature."""


def smooth_slope(problem: Problem) -> Slope:
    """x -> gradient of f + lam R, for a differentiable R."""
    prior, lam = using(problem.prior, Grad), problem.lam

    def slope(x: Tensor) -> Tensor:
        return problem.data.grad(x) + column(vector(lam, x), x) * prior.grad(x)

    return slope


def envelope_slope(problem: Problem, smoothing: float) -> tuple[Slope, Tensor]:
    """x -> gradient of f + M, M the Moreau envelope of lam R, and its largest curvature ``(B,)``.

    The envelope's parameter is ``smoothing`` / L, L the largest curvature of f.
    """
    prior = using(problem.prior, Prox)
    steep = vector(problem.data.lipschitz(), problem.y).clamp_min(1e-6)
    mu = smoothing / steep
    weight = vector(problem.lam, problem.y) * mu

    def slope(x: Tensor) -> Tensor:
        return problem.data.grad(x) + (x - prior.prox(x, weight)) / column(mu, x)

    return slope, steep + 1 / mu


def slope_of(problem: Problem, smoothing: float, x: Tensor) -> tuple[Slope, Tensor]:
    """The slope with whatever the prior has, and its largest curvature near ``x``."""
    if has(problem.prior, Prox):
        return envelope_slope(problem, smoothing)
    slope = smooth_slope(problem)
    return slope, problem.derived(("curvature", slope_of), lambda: curvature(slope, x))


def curvature(slope: Slope, x: Tensor) -> Tensor:
    """The largest curvature at ``x`` per image, by the power method, with 20 % to spare, ``(B,)``.

    Products with the second derivative are differences of slopes.
    """
    rng = torch.Generator().manual_seed(0)
    v = torch.randn(x.shape[1:], generator=rng, dtype=torch.float64).to(x).expand_as(x)
    here, size = slope(x), image_norm(x).clamp_min(1.0)
    h = size * (1e-3 if x.dtype == torch.float32 else 1e-5)
    largest = torch.ones_like(h)
    for _ in range(POWER_STEPS):
        v = v / column(image_norm(v).clamp_min(1e-30), v)
        v = (slope(x + column(h, x) * v) - here) / column(h, x)
        largest = image_norm(v)
    return 1.2 * largest.clamp_min(1e-6)
