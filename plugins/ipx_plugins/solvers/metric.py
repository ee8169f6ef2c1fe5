"""An initial inverse Hessian for quasi-Newton steps, from the data term and a model of the prior.

M = A^T A + lam sum_j c_j P_j L^T L, with L and the projections P_j of `ipx.QuadraticModel`.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ipx import (
    DataQuadratic,
    Grad,
    LinearOperator,
    Problem,
    QuadraticModel,
    Spectrum,
    has,
    image_dot,
    using,
)
from ipx.toolkit import column, image_norm, vector

_TOL, _STEPS = 1e-2, 20
"""Where CG solves the linear systems: its relative residual and the largest number of steps."""
_FLAT = 1e-6
"""Least eigenvalue of M."""
_AHEAD = 1e-3
"""Length of the differences of gradients, relative to |x|."""


def modelled(problem: Problem) -> bool:
    """True if the prior has a quadratic model that can be solved together with the data term."""
    solvable = DataQuadratic in problem.data.capabilities
    return solvable and has(problem.prior, QuadraticModel)


def bends(problem: Problem, x: Tensor, seed: int = 0) -> tuple[Tensor, ...]:
    """lam c_j, ``(B,)`` each: curvature of lam R at x along white noise in P_j, over that of L."""
    prior, lam = using(problem.prior, QuadraticModel), vector(problem.lam, x)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, *x.shape[1:], generator=generator).to(x)
    slope, part = using(problem.prior, Grad).grad(x), prior.model_part(tuple(x.shape[1:]))
    found = []
    for d in prior.model_spaces(noise):
        length = _AHEAD * image_norm(x).clamp_min(1e-6) / image_norm(d).clamp_min(1e-12)
        d = column(length, x) * d
        rise = image_dot(using(problem.prior, Grad).grad(x + d) - slope, d)
        along = part.forward(d)
        size = image_dot(along, along).clamp_min(1e-30)
        found.append((lam * rise / size).abs().clamp_min(1e-8))
    return tuple(found)


def solved(problem: Problem, b: Tensor, factors: tuple[Tensor, ...]) -> Tensor:
    """About M^-1 b; b itself without ``factors``. All P_j are one batch."""
    if not factors:
        return b
    prior, system = using(problem.prior, QuadraticModel), problem.data.way(DataQuadratic).system
    part, linear = prior.model_part(tuple(b.shape[1:])), system.linear
    assert isinstance(part, LinearOperator)
    parts, weight = torch.cat(prior.model_spaces(b)), torch.cat(factors)
    near = None
    if has(linear, Spectrum):
        own = linear.spectrum(b)
        near = part.near(b, own.basis)
    if near is None:
        found = system.solve(parts, weight, part, iterations=_STEPS, tol=_TOL)
    else:  # L^T L with the border of the transform: closer than the model is anyway
        both = own + near.scaled(column(weight, parts))
        found = replace(both, gram=both.gram.clamp_min(_FLAT)).solve(parts)
    return found.view(len(factors), *b.shape).sum(0)
