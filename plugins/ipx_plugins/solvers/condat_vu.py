"""The primal-dual splitting of Condat and Vu: f by its gradient, bounds by projection, g(Kx) dual.

    x+ = P(x - tau (grad f(x) + K^T p))
    p+ = prox of sigma (lam g)* at p + sigma K (2 x+ - x)

It converges for 1 / tau >= sigma |K|^2 + L / 2, L the Lipschitz constant of grad f.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ipx import (
    Box,
    Problem,
    ProxConjugate,
    Sum,
    has,
    operator_norm,
    using,
)
from ipx.toolkit import SHARPER, column, filled_start, penalty, vector
from ipx_plugins.solvers import CondatVuOptions
from ipx_plugins.solvers.primal_dual import PrimalDual, PrimalDualState


class CondatVu(PrimalDual[CondatVuOptions, PrimalDualState]):
    """Over-relaxed; 1 / tau = sigma |K|^2 + L.

    In a sum with constraints such as `range`, x is projected onto these, so that they hold exactly
    in every iterate; K and g are those of all terms.
    """

    def init(self, problem: Problem) -> PrimalDualState:
        """The start within the bounds, with the dual at zero."""
        x = filled_start(problem).clamp(*_bounds(problem))
        part, given = self.part(problem), self.options.sigma
        sigma = SHARPER * penalty(problem, x) if given is None else vector(given, x)
        norm = operator_norm(part, like=x)
        return PrimalDualState(x, torch.zeros_like(part.forward(x)), sigma, x, norm)

    def step(self, problem: Problem, state: PrimalDualState) -> PrimalDualState:
        """Update x, then the dual at the extrapolated point, then relax."""
        s, part = state, self.part(problem)
        prior, over = using(problem.prior, ProxConjugate), self.options.relaxation
        tau = 1 / (s.sigma * s.scale**2 + vector(problem.data.lipschitz(), s.x)).clamp_min(1e-12)
        slope = problem.data.grad(s.x) + part.adjoint(s.p)
        x = (s.x - column(tau, s.x) * slope).clamp(*_bounds(problem))
        moved = s.p + column(s.sigma, s.p) * part.forward(2 * x - s.x)
        p = prior.prox_conjugate(moved, s.sigma, vector(problem.lam, x))
        return replace(s, x=torch.lerp(s.x, x, over), p=torch.lerp(s.p, p, over), seen=x)


def _bounds(problem: Problem) -> tuple[float, float]:
    """The intersection of the bounds of all constraints among the priors."""
    prior = problem.prior
    parts = prior.parts if isinstance(prior, Sum) else (prior,)
    boxes = [using(part, Box).bounds() for part in parts if has(part, Box)]
    lows, highs = [low for low, _ in boxes], [high for _, high in boxes]
    return max(lows, default=-torch.inf), min(highs, default=torch.inf)
