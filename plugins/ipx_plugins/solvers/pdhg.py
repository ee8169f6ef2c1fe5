"""Primal-dual hybrid gradient: products with A and K only, no linear system.

min f(x) + lam g(Kx). The prior is always dualised. The plan decides on the data term, which is

- kept on the primal side where it has a closed-form prox (Chambolle and Pock 2011);
- dualised as a function of Ax (the same algorithm on the stacked operator [K; A]);
- linearised (Condat 2013, algorithm 3.1; Vu 2013).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import (
    Adjoint,
    DataDual,
    DataProx,
    Problem,
    ProxConjugate,
    has,
    operator_norm,
    using,
)
from ipx.toolkit import (
    SHARPER,
    column,
    filled_start,
    is_identity,
    penalty,
    vector,
)
from ipx_plugins.solvers import DATA_PENALTY, PDHGOptions
from ipx_plugins.solvers.primal_dual import PrimalDual, PrimalDualState

_QUICK = 20  # steps before the one increase of sigma


@dataclass(frozen=True)
class PDHGState(PrimalDualState):
    """Besides, the dual q of Ax where there is one; ``seen`` is the prior's copy where K = I."""

    q: Tensor | None
    own: bool  # K = I
    quick: int  # steps before the one increase of sigma; 0: none
    steps: int = 0


class PDHG(PrimalDual[PDHGOptions, PDHGState]):
    """Over-relaxed; 1/tau = sigma |K|^2 (+ DATA_PENALTY |A|^2 if dualised, + L if linearised)."""

    def init(self, problem: Problem) -> PDHGState:
        """The start, with duals at zero."""
        x, part = filled_start(problem), self.part(problem)
        given = self.options.sigma
        sigma = penalty(problem, x) if given is None else vector(given, x)
        q = None
        if has(problem.data, DataDual) and not self._proxed(problem):
            q = torch.zeros_like(problem.y)
        p = torch.zeros_like(part.forward(x))
        norm = operator_norm(part, like=x)
        own = is_identity(part, x)
        quick = _QUICK if given is None and not own else 0
        return PDHGState(x, p, sigma, x, norm, q, own, quick)

    def step(self, problem: Problem, state: PDHGState) -> PDHGState:
        """Update x, then the duals at the extrapolated point, then relax."""
        s, data, part = state, problem.data, self.part(problem)
        prior, linearised = using(problem.prior, ProxConjugate), self._linearised(problem)
        inverse = s.sigma * s.scale**2
        slope = part.adjoint(s.p)  # what is not needed any more is dropped: volumes are large
        if s.q is not None:
            slope = slope + using(problem.operator, Adjoint).adjoint(s.q)
            inverse = inverse + DATA_PENALTY * data.operator_norm() ** 2
        elif linearised:
            slope = slope + data.grad(s.x)
            inverse = inverse + vector(data.lipschitz(), s.x)
        tau = 1 / inverse.clamp_min(1e-12)
        x = torch.addcmul(s.x, column(tau, s.x), slope, value=-1)
        del slope
        if self._proxed(problem):
            x = data.prox(x, tau, guess=s.x)
        ahead = torch.lerp(s.x, x, 2.0)
        over = min(self.options.relaxation, 1.4) if linearised else self.options.relaxation
        q = s.q
        if q is not None:
            moved = torch.add(q, problem.operator.forward(ahead), alpha=DATA_PENALTY)
            dual = data.way(DataDual).prox_conjugate(moved, DATA_PENALTY)
            q = _relaxed(q, dual, over, moved)
            del moved, dual
        sigma = column(s.sigma, s.p)
        slope = part.forward(ahead)
        del ahead
        u = torch.addcmul(s.p, sigma, slope)
        del slope
        p = prior.prox_conjugate(u, s.sigma, vector(problem.lam, x))
        # by Moreau (u - p) / sigma is the prior's prox, its own copy of the image where K = I
        seen = (u - p) / sigma if s.own else x
        p = _relaxed(s.p, p, over, u)
        steps = s.steps + 1
        return replace(
            s,
            x=torch.lerp(s.x, x, over),
            p=p,
            q=q,
            seen=seen,
            sigma=s.sigma * SHARPER if steps == s.quick else s.sigma,
            steps=steps,
        )

    def _linearised(self, problem: Problem) -> bool:
        """True if the plan provides neither a closed-form prox nor the dual of the data term."""
        return not (self._proxed(problem) or has(problem.data, DataDual))

    def _proxed(self, problem: Problem) -> bool:
        """True if the plan provides a closed-form prox; one by CG costs more than it saves."""
        return problem.plan is not None and problem.plan.closed(DataProx)


def _relaxed(before: Tensor, after: Tensor, over: float, spare: Tensor) -> Tensor:
    """before + over (after - before), in the memory of ``spare`` unless it is differentiated."""
    return torch.lerp(before, after, over, out=None if after.requires_grad else spare)
