"""The built-in bridges: each maps a problem to one with one more capability.

A data bridge adds an implementation of a data capability, a class made with ``(operator, noise,
y)``; see `Problem.with_way`. A prior bridge replaces the prior by a wrapper, which copies the
traits of the prior except those that it changes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ipx.declare.adapters import DUAL_TOL
from ipx.declare.capabilities import (
    Adjoint,
    DataDual,
    DataGrad,
    DataProx,
    DataQuadratic,
    DataSplit,
    Diagonal,
    Grad,
    NoiseGrad,
    NoiseProx,
    Prox,
    ProxConjugate,
    Sampled,
    Scalar,
    Value,
    using,
)
from ipx.errors import PluginError
from ipx.numerics.tensors import column, image_norm, image_sum, per_image, vector
from ipx.parts.linear import LinearOperator, operator_norm
from ipx.parts.noise import Noise
from ipx.parts.normal import NormalSystem
from ipx.parts.operator import Operator
from ipx.parts.wrapped import IdentityPart, Wrapped
from ipx.solving.problem import Problem

# ---------------------------------------------------------------- the data term


class _Way:
    """Base of the implementations of data capabilities."""

    def __init__(self, operator: Operator[Any], noise: Noise[Any], y: Tensor) -> None:
        self.operator, self.noise, self.y = operator, noise, y


class ChainRule(_Way):
    """grad f(x) = A^T grad nll(A x, y)."""

    def grad(self, x: Tensor) -> Tensor:
        """The gradient, shape of x."""
        slope = using(self.noise, NoiseGrad).grad(self.operator.forward(x), self.y)
        return using(self.operator, Adjoint).adjoint(slope)


class AutogradData(_Way):
    """grad f(x) by reverse-mode differentiation of nll(A(x), y)."""

    def grad(self, x: Tensor) -> Tensor:
        """The gradient, shape of x; differentiable if x requires a gradient."""
        with torch.enable_grad():
            keep = x.requires_grad
            point = x if keep else x.detach().requires_grad_(True)
            pred = self.operator.forward(point)
            seed = using(self.noise, NoiseGrad).grad(pred, self.y)
            (gradient,) = torch.autograd.grad(pred, point, seed, create_graph=keep)
        return gradient


class Elementwise(_Way):
    """prox of f(x) = nll(d x, y), d diagonal: prox of the noise with step t d^2, divided by d."""

    def prox(self, v: Tensor, t: Scalar, guess: Tensor | None = None) -> Tensor:
        """argmin_u f(u) + |u - v|^2 / (2 t); v where d = 0."""
        d = using(self.operator, Diagonal).diagonal(v)
        step = per_image(t, v) * d * d
        seen = d != 0
        safe = torch.where(seen, d, torch.ones_like(d))
        tiny = torch.where(seen, step, torch.ones_like(v[:1]))
        moved = using(self.noise, NoiseProx).prox(safe * v, self.y, tiny) / safe
        return torch.where(seen, moved, v)


class Normal:
    """f(x) = 1/2 |A x - y|^2 by its normal equations.

    Attributes:
        system: (A^T A + rho K^T K) x = b.
        back: A^T y.
    """

    def __init__(self, operator: Operator[Any], noise: Noise[Any], y: Tensor) -> None:
        assert isinstance(operator, LinearOperator)  # it provides Adjoint
        self.system, self.y = NormalSystem(operator, y), y
        self.back = operator.adjoint(y)  # needed at every step


class NormalProx(Normal):
    """prox of f(x) = 1/2 |A x - y|^2."""

    def prox(self, v: Tensor, t: Scalar, guess: Tensor | None = None) -> Tensor:
        """(A^T A + I/t)^-1 (A^T y + v/t)."""
        return self.system.prox(v, self.y, self.back, 1 / per_image(t, v), guess)


class Split:
    """f(x) = nll(w, y) with the splitting w = A x: the prox of the noise, a linear system for x."""

    def __init__(self, operator: Operator[Any], noise: Noise[Any], y: Tensor) -> None:
        assert isinstance(operator, LinearOperator)  # it provides Adjoint
        self.noise, self.y = noise, y
        self.system = NormalSystem(operator, y)

    def prox(self, w: Tensor, t: Scalar) -> Tensor:
        """argmin_p nll(p, y) + |p - w|^2 / (2 t)."""
        return using(self.noise, NoiseProx).prox(w, self.y, t)


class SampledSplit(Split):
    """f(x) = nll(S w, y) with the splitting w = B x, for A = S B (Almeida, Figueiredo 2013).

    The system for x has no holes, which make that of A ill-conditioned.
    """

    def __init__(self, operator: Operator[Any], noise: Noise[Any], y: Tensor) -> None:
        self.noise, self.y, self.operator = noise, y, using(operator, Sampled)
        dense = self.operator.dense()
        assert isinstance(dense, LinearOperator)
        self.system = NormalSystem(dense, y)

    def prox(self, w: Tensor, t: Scalar) -> Tensor:
        """argmin_p nll(S p, y) + |p - w|^2 / (2 t): w where S does not look."""
        seen = self.operator.sample(w)
        return w + self.operator.scatter(super().prox(seen, t) - seen)


class Dual(_Way):
    """f(x) = nll(A x, y) in dual form: the prox of the conjugate of nll(., y)."""

    def prox_conjugate(self, u: Tensor, t: Scalar) -> Tensor:
        """argmin_w nll*(w) + |w - u|^2 / (2 t), by Moreau's identity."""
        step = per_image(t, u)
        return u - step * using(self.noise, NoiseProx).prox(u / step, self.y, 1 / step)


def chain_rule(problem: Problem) -> Problem:
    """Gradient of the data term by the chain rule."""
    return problem.with_way(DataGrad, ChainRule)


def autograd_data(problem: Problem) -> Problem:
    """Gradient of the data term by automatic differentiation."""
    return problem.with_way(DataGrad, AutogradData)


def elementwise(problem: Problem) -> Problem:
    """Prox of the data term pixel by pixel."""
    return problem.with_way(DataProx, Elementwise)


def normal_prox(problem: Problem) -> Problem:
    """Prox of the data term by its normal equations."""
    return problem.with_way(DataProx, NormalProx)


def normal_equations(problem: Problem) -> Problem:
    """Normal equations, for solvers that solve them jointly with the prior."""
    return problem.with_way(DataQuadratic, Normal)


def split(problem: Problem) -> Problem:
    """The data term with the splitting w = A x."""
    return problem.with_way(DataSplit, Split)


def sampled(problem: Problem) -> Problem:
    """The data term with the splitting w = B x, for A = S B."""
    return problem.with_way(DataSplit, SampledSplit)


def dual(problem: Problem) -> Problem:
    """Prox of the conjugate of nll(., y)."""
    return problem.with_way(DataDual, Dual)


# ---------------------------------------------------------------- the prior


class MoreauEnvelope(Wrapped):
    """The Moreau envelope M(x) = min_u R(u) + |u - x|^2 / (2 mu), mu = 0.01.

    Its gradient (x - prox_{mu R}(x)) / mu is 1/mu-Lipschitz, and R - mu L^2/2 <= M <= R for R
    with Lipschitz constant L.
    """

    gives = Grad
    mu = 0.01

    def value(self, x: Tensor) -> Tensor:
        """M(x)."""
        near = using(self.prior, Prox).prox(x, self.mu)
        value = using(self.prior, Value).value(near)
        return value + image_sum((near - x) ** 2) / (2 * self.mu)

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of M."""
        return (x - using(self.prior, Prox).prox(x, self.mu)) / self.mu


class AutogradPrior(Wrapped):
    """A prior with the gradient of its value by automatic differentiation."""

    gives = Grad

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of R; differentiable if x requires a gradient."""
        with torch.enable_grad():
            keep = x.requires_grad
            point = x if keep else x.detach().requires_grad_(True)
            value = using(self.prior, Value).value(point).sum()
            if not value.requires_grad:
                raise PluginError(
                    f"value of {self.prior.origin} cannot be differentiated, since it does not "
                    "compute with torch throughout; define grad"
                )
            (gradient,) = torch.autograd.grad(value, point, create_graph=keep)
        return gradient


class DualProx(Wrapped):
    """The prox of R(x) = g(Kx) by FISTA on its dual, min_p |x - t K^T p|^2 / (2 t) + g*(p).

    Beck and Teboulle (IEEE TIP 2009) for total variation, here for any g with a prox.
    """

    gives = Prox
    iterations = 1000

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """x - t K^T p at the dual solution p, to `ipx.declare.adapters.DUAL_TOL`."""
        on = using(self.prior, ProxConjugate)
        part = on.linear_part(tuple(x.shape[1:]))
        each = vector(t, x).clamp_min(1e-12)  # (B,)
        t = column(each, x)
        square = max(operator_norm(part, like=x) ** 2, 1e-30)  # type: ignore[arg-type]  # K is an operator
        step = 1 / (each * square)  # 1 / (t |K|^2) on the dual
        p = q = torch.zeros_like(part.forward(x))
        u, k = x, 1.0
        moving = torch.ones(x.shape[0], dtype=torch.bool, device=x.device)
        for _ in range(self.iterations):
            ahead = q + column(step, q) * part.forward(x - t * part.adjoint(q))
            fresh = on.prox_conjugate(ahead, step)
            k, last = (1 + (1 + 4 * k * k) ** 0.5) / 2, k
            q, p = fresh + (last - 1) / k * (fresh - p), fresh
            moved = x - t * part.adjoint(p)
            change = image_norm(moved - u) / image_norm(moved).clamp_min(1e-12)
            u = torch.where(column(moving, moved), moved, u)  # each image stops separately
            moving = moving & (change > DUAL_TOL)
            if not bool(moving.any()):
                break
        return u


def identity_part(problem: Problem) -> Problem:
    """The prior as g(Kx) with K = I."""
    return problem.changed(prior=IdentityPart(problem.prior))


def moreau_envelope(problem: Problem) -> Problem:
    """The prior, smoothed by its Moreau envelope."""
    return problem.changed(prior=MoreauEnvelope(problem.prior))


def autograd_prior(problem: Problem) -> Problem:
    """The prior with a gradient by automatic differentiation."""
    return problem.changed(prior=AutogradPrior(problem.prior))


def dual_prox(problem: Problem) -> Problem:
    """The prior with a prox by inner iterations."""
    return problem.changed(prior=DualProx(problem.prior))
