"""Priors with R(s x) = s^a R(x), whose normalising constant is known up to a factor."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ipx import PlanError, Problem, Value, using

NEAR = 1e-3
"""How near to a constant the measured degree has to be."""


def degree(problem: Problem, x: Tensor) -> float:
    """a, such as 1 for a norm and 2 for a square, measured at ``x``.

    Raises:
        PlanError: R is not homogeneous, so that its weight has no simple law.
    """
    prior = using(problem.prior, Value)
    base = prior.value(x).clamp_min(1e-30)
    found = [float((prior.value(s * x) / base).log2().mean()) / math.log2(s) for s in (0.5, 2.0)]
    if not all(math.isfinite(a) and a > 0 for a in found) or abs(found[0] - found[1]) > NEAR:
        raise PlanError(
            f"{type(problem.prior).__name__} is not homogeneous: R(2 x) is no fixed multiple of "
            "R(x), so that the law of its weight is not known; take a norm, such as tv, or a "
            "square, such as smooth"
        )
    return found[1]


def dimension(problem: Problem, x: Tensor) -> float:
    """The dimensions that R sees: without the constant of each channel if R is 0 there."""
    blind = float(using(problem.prior, Value).value(torch.ones_like(x[:1]))[0]) < 1e-6
    return float(x[0].numel() - (x.shape[1] if blind and x.ndim > 2 else 0))
