"""Conjugate gradients on A^T (A x - y) + lam grad R(x) = 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ipx import (
    Grad,
    LinearOperator,
    NoOptions,
    Prior,
    Problem,
    Prox,
    Scalar,
    Solver,
    State,
    Value,
    image_dot,
    using,
)
from ipx.toolkit import column, vector
from ipx_plugins.pca_gaussian import AffineGrad


@dataclass(frozen=True)
class CGState(State):
    """The iterate x, minus the gradient r, the direction p.

    Attributes:
        size: <r, M r>, M the preconditioner, ``(B,)``.
        origin: the proximal map of R at 0.
    """

    r: Tensor
    p: Tensor
    size: Tensor
    origin: Tensor


class ConjugateGradients(Solver[NoOptions, CGState]):
    """The minimiser of 1/2 |Ax - y|^2 + lam R(x) for a quadratic R, in any operator A.

    The preconditioner M = (I + t H)^-1, H the Hessian of R, t = lam / |A|^2, is the linear part of
    the proximal map of R. With A^T A = c I one step is enough.
    """

    iterations = 500

    def init(self, problem: Problem) -> CGState:
        """The start, and the direction of preconditioned steepest descent."""
        x = problem.start()
        r = -(problem.data.grad(x) + self._lam(problem, x) * using(problem.prior, Grad).grad(x))
        origin = using(problem.prior, Prox).prox(torch.zeros_like(x), self._length(problem, x))
        p = self._preconditioned(problem, r, origin)
        return CGState(x, r, p, image_dot(r, p), origin)

    def step(self, problem: Problem, state: CGState) -> CGState:
        """One step; an image whose gradient is zero stays."""
        x, p = state.x, state.p
        q = self._system(problem, p)
        curvature = image_dot(p, q)
        go = (curvature > 0) & (state.size > 0)
        length = torch.where(go, state.size / torch.where(go, curvature, 1.0), 0.0)
        r = state.r - column(length, x) * q
        z = self._preconditioned(problem, r, state.origin)
        size = image_dot(r, z)
        onward = torch.where(go, size / torch.where(go, state.size, 1.0), 0.0)
        moved, ahead = x + column(length, x) * p, z + column(onward, x) * p
        return CGState(moved, r, ahead, size, state.origin)

    def residual(self, problem: Problem, before: CGState, after: CGState) -> Tensor:
        """sqrt(<r, M r> / <b, M b>), b = A^T y, ``(B,)``: zero at the solution only.

        M makes little of the strong frequencies of H, where float32 rounds r.
        """
        back = -problem.data.grad(torch.zeros_like(after.x))
        scale = image_dot(back, self._preconditioned(problem, back, after.origin))
        return (after.size.clamp_min(0) / scale.clamp_min(1e-30)).sqrt()

    def _system(self, problem: Problem, p: Tensor) -> Tensor:
        """(A^T A + lam H) p."""
        a, prior = problem.operator, using(problem.prior, Grad)
        assert isinstance(a, LinearOperator)
        zero = torch.zeros_like(p)
        hessian = prior.grad(p) - problem.derived(("cg", "grad"), lambda: prior.grad(zero))
        return a.adjoint(a.forward(p)) + self._lam(problem, p) * hessian

    def _lam(self, problem: Problem, x: Tensor) -> Tensor:
        return column(vector(problem.lam, x), x)

    def _length(self, problem: Problem, x: Tensor) -> Tensor:
        """t = lam / c."""
        return vector(problem.lam, x) / max(problem.data.operator_norm() ** 2, 1e-12)

    def _preconditioned(self, problem: Problem, r: Tensor, origin: Tensor) -> Tensor:
        """(I + t H)^-1 r, which is c (c I + lam H)^-1 r."""
        return using(problem.prior, Prox).prox(r, self._length(problem, r)) - origin


class Affine(Prior[NoOptions]):
    """R(x) = 1/2 |Lx|^2 of another prior, whose gradient is affine."""

    provides = (AffineGrad, Value, Grad, Prox)

    def __init__(self, prior: Prior[Any]) -> None:
        super().__init__()
        self.prior, self.traits = prior, prior.traits

    def value(self, x: Tensor) -> Tensor:
        """R(x)."""
        return using(self.prior, Value).value(x)

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of R."""
        return using(self.prior, Grad).grad(x)

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """prox of R."""
        return using(self.prior, Prox).prox(x, t)


def affine_gradient(problem: Problem) -> Problem:
    """The problem with the fact that the gradient of its prior is affine."""
    return problem.changed(prior=Affine(problem.prior))
