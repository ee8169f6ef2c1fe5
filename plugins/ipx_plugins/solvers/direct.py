"""Quadratic problems in one step: closed form where there is one, else conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ipx import (
    DataQuadratic,
    Diagonal,
    LinearOperator,
    Problem,
    QuadraticPrior,
    Solver,
    Spectrum,
    State,
    has,
    using,
)
from ipx.toolkit import column, conjugate_gradient, vector
from ipx_plugins.solvers import DirectOptions


class Direct(Solver[DirectOptions, State]):
    """(A^T A + lam L^T L) x = A^T y, the minimiser of 1/2 |Ax - y|^2 + lam/2 |Lx|^2.

    With lam = 0, or with prior none, x = A^+ y, the minimum-norm solution.
    """

    iterations = 1
    one_shot = True

    def init(self, problem: Problem) -> State:
        """The start; `step` does not use it."""
        return State(problem.start())

    def step(self, problem: Problem, state: State) -> State:
        """The solution."""
        lam = vector(problem.lam if problem.prior.traits.informs else 0.0, state.x)
        weighted = lam > 0
        if not bool(weighted.any()):
            return State(self._pseudo_inverse(problem))
        x = self._regularised(problem, torch.where(weighted, lam, torch.ones_like(lam)))
        if not bool(weighted.all()):
            x = torch.where(column(weighted, x), x, self._pseudo_inverse(problem))
        return State(x)

    def _regularised(self, problem: Problem, lam: Tensor) -> Tensor:
        part = using(problem.prior, QuadraticPrior).quadratic_part(problem.operator.image_shape)
        assert isinstance(part, LinearOperator)
        o, normal = self.options, problem.data.way(DataQuadratic)
        return normal.system.solve(normal.back, lam, part, iterations=o.iterations, tol=o.tol)

    def _pseudo_inverse(self, problem: Problem) -> Tensor:
        normal = problem.data.way(DataQuadratic)
        a: LinearOperator[Any] = normal.system.linear
        b, rcond = normal.back, self.options.rcond
        rcond = 10 * torch.finfo(b.dtype).eps if rcond is None else rcond
        if has(a, Diagonal):
            square = a.diagonal(b) ** 2
            small = square <= rcond * square.amax()
            return torch.where(small, 0.0, b / torch.where(small, 1.0, square))
        if has(a, Spectrum):
            return a.spectrum(b).solve(b, rcond)
        # CG started at zero stays in the range of A^T and converges to the minimum-norm solution
        gram: Callable[[Tensor], Tensor] = lambda x: a.adjoint(a.forward(x))  # noqa: E731
        return conjugate_gradient(gram, b, None, self.options.iterations, self.options.tol)
