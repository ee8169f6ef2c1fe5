"""Quadratic problems in one step: closed form where there is one, else conjugate gradients."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from ipx import (
    DataQuadratic,
    Diagonal,
    Normal,
    Problem,
    QuadraticPrior,
    Solver,
    Spectrum,
    State,
    conjugate_gradient,
    has,
)
from ipx_plugins.solvers import DIRECT, DirectOptions
from ipx_plugins.solvers.common import AnyLinear, column, vector


class Direct(Solver[DirectOptions, State]):
    """(A^T A + lam L^T L) x = A^T y, the minimiser of 1/2 |Ax - y|^2 + lam/2 |Lx|^2.

    With lam = 0, or a prior that says nothing, x = A^+ y, the solution of least norm.
    """

    needs = DIRECT
    iterations = 1
    one_shot = True

    def init(self, problem: Problem) -> State:
        """The start, which the step does not use."""
        return State(problem.start())

    def step(self, problem: Problem, state: State) -> State:
        """Solve."""
        normal = cast(Normal, problem.data.bridge(DataQuadratic))
        lam = vector(problem.lam if problem.prior.informs else 0.0, state.x)
        weighted = lam > 0
        if not bool(weighted.any()):
            return State(self._pseudo_inverse(normal))
        prior = cast(QuadraticPrior, problem.prior)
        part = prior.quadratic_part(problem.operator.image_shape)
        x = self._regularised(normal, torch.where(weighted, lam, torch.ones_like(lam)), part)
        if not bool(weighted.all()):
            x = torch.where(column(weighted, x), x, self._pseudo_inverse(normal))
        return State(x)

    def _regularised(self, normal: Normal, lam: Tensor, part: AnyLinear) -> Tensor:
        if normal.exact_with(part):
            return normal.solve(normal.back, lam, part)
        a, weight = normal.linear, column(lam, normal.back)

        def system(x: Tensor) -> Tensor:
            return a.adjoint(a.forward(x)) + weight * part.adjoint(part.forward(x))

        return self._cg(system, normal.back)

    def _pseudo_inverse(self, normal: Normal) -> Tensor:
        a, b = normal.linear, normal.back
        rcond = self.options.rcond
        rcond = 10 * torch.finfo(b.dtype).eps if rcond is None else rcond
        if has(a, Diagonal):
            square = cast(Diagonal, a).diagonal(b) ** 2
            small = square <= rcond * square.amax()
            return torch.where(small, 0.0, b / torch.where(small, 1.0, square))
        if has(a, Spectrum):
            return cast(Spectrum, a).spectrum(b).solve(b, rcond)
        # from zero, CG stays in the range of A^T: its limit has the least norm
        return self._cg(lambda x: a.adjoint(a.forward(x)), b)

    def _cg(self, system: object, b: Tensor) -> Tensor:
        return conjugate_gradient(system, b, None, self.options.iterations, self.options.tol)
