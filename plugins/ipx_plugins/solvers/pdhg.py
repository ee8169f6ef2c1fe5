"""Primal-dual hybrid gradient: products with A and K only, no system to solve.

min f(x) + lam g(Kx). The prior is always dualised; the data term is, by what it has:

- proxed on the primal side where its prox is in closed form (Chambolle and Pock 2011);
- dualised too, behind A (the same algorithm on the stacked operator [K; A]);
- linearised (Condat 2013, algorithm 3.1; Vu 2013).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, cast

import torch
from torch import Tensor

from ipx import DataDual, Problem, Solver, State, image_norm, operator_norm
from ipx_plugins.solvers import PDHG as NEEDS
from ipx_plugins.solvers import PDHGOptions
from ipx_plugins.solvers.common import (
    DATA_PENALTY,
    SHARPER,
    AnyLinear,
    column,
    exact_prox,
    is_identity,
    outer,
    penalty,
    start,
    vector,
)

_QUICK = 20  # steps before sigma grows, once
Way = Literal["prox", "dual", "gradient"]


@dataclass(frozen=True)
class PDHGState(State):
    """x, dual p of Kx, dual q of Ax where there is one, dual step sigma ``(B,)`` of p."""

    p: Tensor
    q: Tensor | None
    sigma: Tensor
    seen: Tensor  # the image before relaxation; the prior's own copy where K = I
    way: Way
    part: AnyLinear
    scale: float  # |K|
    own: bool  # K = I
    quick: int  # steps before sigma grows, once; 0: never
    steps: int = 0


class PDHG(Solver[PDHGOptions, PDHGState]):
    """Over-relaxed PDHG; 1/tau = sigma |K|^2 (+ |A|^2 where dualised, + L where linearised)."""

    needs = NEEDS
    iterations = 500

    def init(self, problem: Problem) -> PDHGState:
        """Duals at zero."""
        x = start(problem)
        part = outer(problem).linear_part(problem.operator.image_shape)
        way: Way = "gradient"
        if exact_prox(problem):
            way = "prox"
        elif problem.data.can(DataDual) and not problem.data.quadratic:
            way = "dual"
        given = self.options.sigma
        sigma = penalty(problem, x) if given is None else vector(given, x)
        q = torch.zeros_like(problem.y) if way == "dual" else None
        p = torch.zeros_like(part.forward(x))
        norm = operator_norm(part, like=x)
        own = is_identity(part, x)
        quick = _QUICK if given is None and not own else 0
        return PDHGState(x, p, q, sigma, x, way, part, norm, own, quick)

    def step(self, problem: Problem, state: PDHGState) -> PDHGState:
        """x, then the duals at the extrapolated point, then relaxation."""
        s, part, prior, data = state, state.part, outer(problem), problem.data
        inverse = s.sigma * s.scale**2
        slope = part.adjoint(s.p)
        if s.q is not None:
            slope = slope + cast(AnyLinear, problem.operator).adjoint(s.q)
            inverse = inverse + DATA_PENALTY * data.operator_norm() ** 2
        elif s.way == "gradient":
            slope = slope + data.grad(s.x)
            inverse = inverse + vector(data.lipschitz(), s.x)
        tau = 1 / inverse.clamp_min(1e-12)
        x = s.x - column(tau, s.x) * slope
        if s.way == "prox":
            x = data.prox(x, tau, guess=s.x)
        ahead = 2 * x - s.x
        sigma = column(s.sigma, s.p)
        u = s.p + sigma * part.forward(ahead)
        p = prior.prox_conjugate(u, s.sigma, vector(problem.lam, x))
        over = self.options.relaxation if s.way != "gradient" else min(self.options.relaxation, 1.4)
        q = s.q
        if q is not None:
            moved = q + DATA_PENALTY * problem.operator.forward(ahead)
            q = torch.lerp(q, data.bridge(DataDual).prox_conjugate(moved, DATA_PENALTY), over)
        # by Moreau (u - p) / sigma is the prior's prox, its own copy of the image where K = I
        seen = (u - p) / sigma if s.own else x
        steps = s.steps + 1
        return replace(
            s,
            x=torch.lerp(s.x, x, over),
            p=torch.lerp(s.p, p, over),
            q=q,
            seen=seen,
            sigma=s.sigma * SHARPER if steps == s.quick else s.sigma,
            steps=steps,
        )

    def solution(self, problem: Problem, state: PDHGState) -> Tensor:
        """x before relaxation; where K = I the prior's own copy, which obeys a constraint."""
        return state.seen

    def residual(self, problem: Problem, before: PDHGState, after: PDHGState) -> Tensor:
        """Change of x and, in the units of x, of the dual: p / (sigma |K|)."""
        dual = image_norm(after.p - before.p) / (after.sigma * max(after.scale, 1e-12))
        change = torch.maximum(dual, image_norm(after.x - before.x))
        return change / image_norm(after.x).clamp_min(1e-12)
