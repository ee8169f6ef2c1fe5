"""Exact draws of a Gaussian posterior, and Gibbs steps for its variances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ipx import (
    DataQuadratic,
    LinearOperator,
    Problem,
    QuadraticPrior,
    Random,
    Sampler,
    State,
    Value,
    column,
    known_count,
    temperature,
    using,
    vector,
)
from ipx_plugins.samplers import GibbsOptions


@dataclass(frozen=True)
class GibbsState(State):
    """x, the variance of the noise, and lam over that, the precision of the prior, ``(B,)``."""

    variance: Tensor
    precision: Tensor


class Gibbs(Sampler[GibbsOptions, GibbsState]):
    """x from exp(-|A x - y|^2 / (2 T) - d |L x|^2 / 2) by perturbing y and L x, then solving.

    (A^T A + T d L^T L) x = A^T (y + sqrt(T) n1) + T sqrt(d) L^T n2 (Orieux et al. 2012). With
    ``noise``, 1/T is then drawn from Gamma(a + m/2, b + |A x - y|^2 / 2); with ``weight``, d from
    Gamma(a + r/2, b + |L x|^2 / 2), r the rank of L. Without both all draws are independent.
    """

    thin = 1

    def __init__(self, options: GibbsOptions | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        self.independent = not (self.options.noise or self.options.weight)

    def init(self, problem: Problem, start: Tensor) -> GibbsState:
        """The start, the variance of the noise, and lam over it."""
        t = temperature(problem)
        return GibbsState(start, t, vector(problem.lam, problem.y) / t)

    def step(self, problem: Problem, state: GibbsState, random: Random) -> GibbsState:
        """One draw of the picture, then of the variances."""
        data, o = problem.data.way(DataQuadratic), self.options
        part = using(problem.prior, QuadraticPrior).quadratic_part(problem.image_shape)
        assert isinstance(part, LinearOperator)
        linear = data.system.linear
        t, d = state.variance, state.precision
        moved = linear.adjoint(random.normal(problem.y))
        pulled = part.adjoint(random.normal(part.forward(state.x)))
        right = data.back + column(t.sqrt(), moved) * moved + column(t * d.sqrt(), pulled) * pulled
        x = data.system.solve(right, t * d, part=part, guess=state.x, iterations=1000, tol=o.tol)
        if o.noise:
            rest = o.rate + problem.data.value(x)
            count = float(known_count(problem)[0])
            t = rest / random.gamma(o.shape + count / 2, rest)
        if o.weight:
            rest = o.rate + using(problem.prior, Value).value(x)
            d = random.gamma(o.shape + self._rank(problem, part) / 2, rest) / rest
        return GibbsState(x, t, d)

    def _rank(self, problem: Problem, part: object) -> float:
        """The rank of L: without the constant of each channel where L does not see it."""
        shape = problem.image_shape
        one = torch.ones(1, *shape, dtype=problem.y.dtype, device=problem.y.device)
        blind = float(part.forward(one).abs().max()) < 1e-6  # type: ignore[attr-defined]
        return one.numel() - (shape[0] if blind else 0)

    def statistics(self, problem: Problem, state: GibbsState) -> Mapping[str, Tensor]:
        """The noise level and lam, where they are drawn."""
        found = {}
        if self.options.noise:
            found["sigma"] = state.variance.sqrt()
        if self.options.weight:
            found["lam"] = state.variance * state.precision
        return found
