"""Alternating direction method of multipliers.

min f(x) + lam g(Kx) is split with z = Kx, in one of three forms that the plan chooses:

- joint: f is quadratic and (A^T A + rho K^T K) x = b is solved, in closed form where possible.
  Only g is split off; total-variation deblurring takes about ten steps (Wang, Yang, Yin,
  Zhang 2008).
- consensus: f has a closed-form prox and gets its own copy w = x; K^T K is diagonal in a
  transform (SALSA; Afonso, Bioucas-Dias, Figueiredo 2011).
- split at A: f gets w = Ax and uses the prox of the noise (PIDAL; Figueiredo, Bioucas-Dias 2010);
  for A = S B with unknown borders or missing pixels, w = Bx (Almeida, Figueiredo 2013).

Systems without a closed form are solved by warm-started conjugate gradients.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ipx import (
    DataProx,
    DataQuadratic,
    DataSplit,
    Identity,
    LinearOperator,
    NormalSystem,
    Problem,
    ProxConjugate,
    Solver,
    State,
    operator_norm,
    using,
)
from ipx.toolkit import (
    SHARPER,
    column,
    filled_start,
    image_norm,
    is_identity,
    penalty,
    vector,
)
from ipx_plugins.solvers import DATA_PENALTY, ADMMOptions
from ipx_plugins.solvers.needs import ADMM_TOL

AnyLinear = LinearOperator[Any]
_QUICK = 8  # steps before the one increase of the penalties

REDUNDANT_TOL = 1e-3
"""The default tolerance for a redundant frame.

The image is within 0.01 dB of the minimiser then. The last parts of the multiplier, near the null
space of K^T, converge like 1/k and do not change it visibly.
"""


def _redundant(part: AnyLinear) -> bool:
    """True for a K with more than four values a pixel, such as undecimated wavelets."""
    return math.prod(part.data_shape) > 4 * math.prod(part.image_shape)


@dataclass(frozen=True)
class Copy:
    """The data term's own variable: w = Fx, scaled multiplier v, penalty eta."""

    w: Tensor
    v: Tensor
    eta: Tensor  # (B,)


@dataclass(frozen=True)
class ADMMState(State):
    """x, and z = Kx with scaled multiplier u and penalty rho ``(B,)``.

    ``back`` is K^T (z - u) of the state before.
    """

    z: Tensor
    u: Tensor
    back: Tensor
    rho: Tensor
    copy: Copy | None
    scale: float  # |K|
    own: bool  # K = I, and z is the picture
    steps: int = 0


@dataclass(frozen=True)
class _Way:
    """K, and the system (F^T F + rho K^T K) x = b.

    F is A (joint, split at A), B of A = S B (split at B) or the identity (consensus); ``front`` is
    F where f gets a copy Fx. ``split`` is True for a split at A or B.
    """

    part: AnyLinear
    system: NormalSystem
    front: AnyLinear | None
    split: bool = False


class ADMM(Solver[ADMMOptions, ADMMState]):
    """ADMM in scaled form, over-relaxed (Boyd et al. 2011, section 3)."""

    iterations = 200
    resumes = True

    def tolerance(self, problem: Problem) -> float:
        """`REDUNDANT_TOL` for a redundant frame K, else the usual one."""
        redundant = _redundant(self._way(problem).part)
        return REDUNDANT_TOL if redundant else super().tolerance(problem)

    def resumed(self, problem: Problem, state: ADMMState) -> ADMMState:
        """The state with the later penalty for this lam.

        rho is a multiple of lam, so that u keeps the multiplier relative to lam.
        """
        s = state
        if self.options.rho is None:
            s = s if s.own or s.steps >= _QUICK else self._sharpened(s)
            rho = penalty(problem, s.x)
            s = replace(s, rho=rho if s.own else SHARPER * rho)
        return replace(s, steps=max(s.steps, _QUICK))

    def init(self, problem: Problem) -> ADMMState:
        """The start x; z and w are proxes there, and the multipliers hold the differences."""
        x = filled_start(problem)
        way, prior = self._way(problem), using(problem.prior, ProxConjugate)
        given = self.options.rho
        rho = penalty(problem, x) if given is None else vector(given, x)
        copy = None
        if way.front is not None:
            w = way.front.forward(x)
            copy = Copy(w, torch.zeros_like(w), self._eta(problem, w))
            copy = self._copy(problem, way, copy, x)
        kx = way.part.forward(x)
        z = prior.prox_outer(kx, vector(problem.lam, x) / rho)
        u, own = kx - z, is_identity(way.part, x)
        norm = operator_norm(way.part, like=x)
        return ADMMState(x, z, u, way.part.adjoint(z - u), rho, copy, norm, own)

    def _way(self, problem: Problem) -> _Way:
        return problem.derived(ADMM, lambda: self._found(problem))

    def _found(self, problem: Problem) -> _Way:
        """The first form that the plan provides for in closed form, else the first."""
        data = problem.data
        part = using(problem.prior, ProxConjugate).linear_part(problem.operator.image_shape)
        assert isinstance(part, LinearOperator)
        forms: list[tuple[_Way, bool]] = []
        if DataQuadratic in data.capabilities:
            way = _Way(part, data.way(DataQuadratic).system, None)
            forms.append((way, way.system.closed(part)))
        if DataProx in data.capabilities:
            front = Identity(problem.operator.image_shape)
            way = _Way(part, NormalSystem(front, problem.y), front)
            proxed = problem.plan is not None and problem.plan.closed(DataProx)
            forms.append((way, proxed and way.system.closed(part)))
        if not forms:
            system = data.way(DataSplit).system
            return _Way(part, system, system.linear, split=True)
        return next((way for way, closed in forms if closed), forms[0][0])

    def _eta(self, problem: Problem, w: Tensor) -> Tensor:
        given = self.options.data_rho
        if given is not None:
            return vector(given, w)
        if problem.data.quadratic:
            return 0.02 * vector(problem.data.lipschitz(), w)
        return vector(DATA_PENALTY, w)

    def step(self, problem: Problem, state: ADMMState) -> ADMMState:
        """Update x, then w and z, then the multipliers."""
        s, prior = state, using(problem.prior, ProxConjugate)
        way, copy = self._way(problem), state.copy
        over = self._relaxation(way)
        back = way.part.adjoint(s.z - s.u)
        if copy is None or way.front is None:
            b = problem.data.way(DataQuadratic).back + column(s.rho, back) * back
            x = self._solve(way, s.x, b, s.rho)
        else:
            ratio = s.rho / copy.eta
            b = way.front.adjoint(copy.w - copy.v) + column(ratio, back) * back
            x = self._solve(way, s.x, b, ratio)
            copy = self._copy(problem, way, copy, x)
        kx = way.part.forward(x)
        moved = torch.lerp(s.z, kx, over).add_(s.u)
        z = prior.prox_outer(moved, vector(problem.lam, x) / s.rho)
        after = replace(s, x=x, z=z, u=moved - z, back=back, copy=copy, steps=s.steps + 1)
        quick = self.options.rho is None and not s.own and after.steps == _QUICK
        return self._sharpened(after) if quick else after

    def _solve(self, way: _Way, x: Tensor, b: Tensor, rho: Tensor) -> Tensor:
        """Solution of (F^T F + rho K^T K) x = b; CG solves for the change of x.

        At a fixed relative accuracy the errors shrink with the changes and are summable, so that
        the iteration converges to the exact solution (Eckstein and Bertsekas 1992, theorem 8).
        """
        if way.system.closed(way.part):
            return way.system.solve(b, rho, way.part)
        rest = b - way.system.matrix(rho, way.part)(x)
        return x + way.system.solve(rest, rho, way.part, iterations=30, tol=ADMM_TOL)

    def _copy(self, problem: Problem, way: _Way, copy: Copy, x: Tensor) -> Copy:
        """Update w by the prox of f (w = x) or that of the noise (w = Fx), and its multiplier."""
        assert way.front is not None
        moved = torch.lerp(copy.w, way.front.forward(x), self._relaxation(way)) + copy.v
        if way.split:
            w = problem.data.way(DataSplit).prox(moved, 1 / copy.eta)
        else:
            w = problem.data.prox(moved, 1 / copy.eta, guess=copy.w)
        return replace(copy, w=w, v=moved - w)

    def _relaxation(self, way: _Way) -> float:
        given = self.options.relaxation
        if given is None:
            return 1.5 if _redundant(way.part) else 1.8
        return given

    def _sharpened(self, s: ADMMState) -> ADMMState:
        """The state with the larger penalties of the later steps."""
        copy = s.copy
        if copy is not None and self.options.data_rho is None:
            copy = replace(copy, eta=copy.eta * SHARPER, v=copy.v / SHARPER)
        return replace(s, rho=s.rho * SHARPER, u=s.u / SHARPER, copy=copy)

    def with_penalty(self, state: ADMMState, penalty: Tensor, rescale: bool = True) -> ADMMState:
        """The state with this rho and, if ``rescale``, the scaled multiplier for it."""
        u = state.u * column(state.rho / penalty, state.u) if rescale else state.u
        return replace(state, rho=penalty, u=u)

    def damped(self, before: ADMMState, after: ADMMState, rate: Tensor) -> ADMMState:
        """``after`` with only a fraction ``rate`` of the change of the multiplier."""
        return replace(after, u=torch.lerp(before.u, after.u, rate))

    def solution(self, problem: Problem, state: ADMMState) -> Tensor:
        """x; where K = I, z, which satisfies a constraint exactly."""
        return state.z if state.own else state.x

    def residual(self, problem: Problem, before: ADMMState, after: ADMMState) -> Tensor:
        """The larger of the changes of K^T (z - u) / |K|^2 and of x, relative to |x|, ``(B,)``.

        x depends on z and u only through K^T (z - u). In a redundant frame, the part in the null
        space of K^T keeps changing long after x has converged.
        """
        moved = image_norm(after.back - before.back) / max(after.scale, 1e-12) ** 2
        if after.own:  # then z is the picture
            moved = torch.maximum(moved, image_norm(after.z - before.z))
        change = torch.maximum(moved, image_norm(after.x - before.x))
        return change / image_norm(after.x).clamp_min(1e-12)
