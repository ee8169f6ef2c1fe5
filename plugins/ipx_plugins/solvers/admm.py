"""Alternating direction method of multipliers.

min f(x) + lam g(Kx) is split as z = Kx, and solved in one of three ways, the first that fits:

- joint: f is quadratic and (A^T A + rho K^T K) has a closed form. Only g is split off, and
  total-variation deblurring takes about ten steps (Wang, Yang, Yin, Zhang 2008).
- consensus: the prox of f is in closed form and K^T K is diagonal in a transform; f gets a copy
  w = x of its own (SALSA; Afonso, Bioucas-Dias, Figueiredo 2011).
- behind A: f gets w = Ax, and the noise's own prox (PIDAL; Figueiredo, Bioucas-Dias 2010).

What has no closed form is done by warm-started conjugate gradients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from ipx import (
    DataQuadratic,
    Identity,
    NoiseProx,
    Normal,
    Problem,
    Solver,
    State,
    conjugate_gradient,
    image_norm,
    operator_norm,
)
from ipx_plugins.solvers import ADMM as NEEDS
from ipx_plugins.solvers import ADMMOptions
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

_QUICK = 8  # steps before the penalties grow, once


@dataclass(frozen=True)
class Copy:
    """The data term's own variable: w = Fx, scaled multiplier v, penalty eta."""

    w: Tensor
    v: Tensor
    eta: Tensor  # (B,)


@dataclass(frozen=True)
class ADMMState(State):
    """x, z = Kx with scaled multiplier u and penalty rho ``(B,)``; ``back`` is the K^T (z - u) it
    came from.

    ``normal`` solves (F^T F + rho K^T K) x = b; F is A, or the identity for a consensus copy.
    """

    z: Tensor
    u: Tensor
    back: Tensor
    rho: Tensor
    copy: Copy | None
    normal: Normal
    part: AnyLinear
    scale: float  # |K|
    own: bool  # K = I, and z is the picture
    exact: bool  # the system has a closed form
    steps: int = 0


class ADMM(Solver[ADMMOptions, ADMMState]):
    """ADMM in scaled form, over-relaxed (Boyd et al. 2011, section 3)."""

    needs = NEEDS
    iterations = 200

    def init(self, problem: Problem) -> ADMMState:
        """z and w at their own prox, the rest in the multipliers: half a step done."""
        x = start(problem)
        part = outer(problem).linear_part(problem.operator.image_shape)
        given = self.options.rho
        rho = penalty(problem, x) if given is None else vector(given, x)
        normal, front = self._way(problem, part)
        copy = None
        if front is not None:
            w = front.forward(x)
            copy = Copy(w, torch.zeros_like(w), self._eta(problem, w))
            copy = self._copy(problem, front, copy, x)
        kx = part.forward(x)
        z = outer(problem).prox_outer(kx, vector(problem.lam, x) / rho)
        u, own = kx - z, is_identity(part, x)
        norm, exact = operator_norm(part, like=x), normal.exact_with(part)
        back = part.adjoint(z - u)
        return ADMMState(x, z, u, back, rho, copy, normal, part, norm, own, exact)

    def _way(self, problem: Problem, part: AnyLinear) -> tuple[Normal, AnyLinear | None]:
        """The linear system, and F where the data term gets a copy."""
        data = problem.data
        if data.quadratic:
            joint = cast(Normal, data.bridge(DataQuadratic))
            if joint.exact_with(part):
                return joint, None
        here = Identity(problem.operator.image_shape)
        consensus = Normal(here, problem.noise, start(problem))
        if exact_prox(problem) and consensus.exact_with(part):
            return consensus, here
        if data.quadratic:
            return joint, None
        behind = cast(AnyLinear, problem.operator)
        return Normal(behind, problem.noise, problem.y), behind

    def _eta(self, problem: Problem, w: Tensor) -> Tensor:
        given = self.options.data_rho
        if given is not None:
            return vector(given, w)
        if problem.data.quadratic:
            return 0.02 * vector(problem.data.lipschitz(), w)
        return vector(DATA_PENALTY, w)

    def step(self, problem: Problem, state: ADMMState) -> ADMMState:
        """x, then w and z, then the multipliers."""
        s, prior, over = state, outer(problem), self.options.relaxation
        normal, part, copy = s.normal, s.part, s.copy
        back = part.adjoint(s.z - s.u)
        if copy is None:
            b = normal.back + column(s.rho, back) * back
            x = self._solve(s, b, s.rho)
        else:
            ratio = s.rho / copy.eta
            b = normal.linear.adjoint(copy.w - copy.v) + column(ratio, back) * back
            x = self._solve(s, b, ratio)
            copy = self._copy(problem, normal.linear, copy, x)
        kx = part.forward(x)
        moved = torch.lerp(s.z, kx, over) + s.u
        z = prior.prox_outer(moved, vector(problem.lam, x) / s.rho)
        after = replace(s, x=x, z=z, u=moved - z, back=back, copy=copy, steps=s.steps + 1)
        quick = self.options.rho is None and not s.own and after.steps == _QUICK
        return self._sharpened(after) if quick else after

    def _solve(self, s: ADMMState, b: Tensor, rho: Tensor) -> Tensor:
        """(F^T F + rho K^T K) x = b; where by CG, for the change of x.

        A fixed share of an ever smaller change is an ever smaller error, so that the inexact
        steps sum up and the limit is the exact one (Eckstein and Bertsekas 1992, theorem 8).
        """
        front, part = s.normal.linear, s.part
        if s.exact:
            return s.normal.solve(b, rho, part)
        weight = column(rho, b)

        def system(x: Tensor) -> Tensor:
            return front.adjoint(front.forward(x)) + weight * part.adjoint(part.forward(x))

        return s.x + conjugate_gradient(system, b - system(s.x), None, 30, 1e-2)

    def _copy(self, problem: Problem, front: AnyLinear, copy: Copy, x: Tensor) -> Copy:
        """The data term's prox, at w for its own copy of x, at Ax for that of Ax."""
        moved = torch.lerp(copy.w, front.forward(x), self.options.relaxation) + copy.v
        if front is problem.operator:
            w = cast(NoiseProx, problem.noise).prox(moved, problem.y, 1 / copy.eta)
        else:
            w = problem.data.prox(moved, 1 / copy.eta, guess=copy.w)
        return replace(copy, w=w, v=moved - w)

    def _sharpened(self, s: ADMMState) -> ADMMState:
        """The penalties for the long run, in place of those for a quick start."""
        copy = s.copy
        if copy is not None and self.options.data_rho is None:
            copy = replace(copy, eta=copy.eta * SHARPER, v=copy.v / SHARPER)
        return replace(s, rho=s.rho * SHARPER, u=s.u / SHARPER, copy=copy)

    def solution(self, problem: Problem, state: ADMMState) -> Tensor:
        """x; where K = I the prior's own copy, which obeys a constraint exactly."""
        return state.z if state.own else state.x

    def residual(self, problem: Problem, before: ADMMState, after: ADMMState) -> Tensor:
        """Change of K^T (z - u), over |K|^2, and of x, relative to x.

        z - u is all that x sees of z and u, and of that only what K^T does not take to zero: in a
        redundant frame the rest changes long after the picture has stopped.
        """
        moved = image_norm(after.back - before.back) / max(after.scale, 1e-12) ** 2
        if after.own:  # then z is the picture
            moved = torch.maximum(moved, image_norm(after.z - before.z))
        change = torch.maximum(moved, image_norm(after.x - before.x))
        return change / image_norm(after.x).clamp_min(1e-12)
