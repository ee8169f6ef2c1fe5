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


def slope_of(problem: Problem, smoothing: float = 1.0) -> Slope:
    """x -> gradient of f + lam R.

    An R without gradient is replaced by its Moreau envelope of the parameter ``smoothing`` / L, L
    the largest curvature of f.
    """
    if not has(problem.prior, Grad):
        return envelope_slope(problem, smoothing)
    prior, lam = using(problem.prior, Grad), problem.lam

    def slope(x: Tensor) -> Tensor:
        return problem.data.grad(x) + column(vector(lam, x), x) * prior.grad(x)

    return slope


def envelope_slope(problem: Problem, smoothing: float) -> Slope:
    """x -> gradient of f + M, M the Moreau envelope of lam R."""
    prior, mu = using(problem.prior, Prox), envelope(problem, smoothing)
    weight = vector(problem.lam, problem.y) * mu

    def slope(x: Tensor) -> Tensor:
        return problem.data.grad(x) + (x - prior.prox(x, weight)) / column(mu, x)

    return slope


def envelope(problem: Problem, smoothing: float) -> Tensor:
    """The parameter of the Moreau envelope, ``(B,)``."""
    return smoothing / _steepness(problem)


def envelope_curvature(problem: Problem, smoothing: float) -> Tensor:
    """The largest curvature of f + M, ``(B,)``."""
    return _steepness(problem) * (1 + 1 / smoothing)


def curvature_of(problem: Problem, smoothing: float, x: Tensor) -> Tensor:
    """The largest curvature near ``x`` of what `slope_of` is the slope of, ``(B,)``."""
    if not has(problem.prior, Grad):
        return envelope_curvature(problem, smoothing)
    return curvature(slope_of(problem, smoothing), x)


def _steepness(problem: Problem) -> Tensor:
    """The largest curvature of f, ``(B,)``."""
    return vector(problem.data.lipschitz(), problem.y).clamp_min(1e-6)


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
