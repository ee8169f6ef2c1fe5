"""The generalised risk estimate, projected on what the operator determines.

For y = A x + n, n ~ N(0, sigma^2 I), Eldar (IEEE TSP 57(2), 2009) estimates the error
|P (x_lam(y) - x)|^2 without bias, P the projection on the range of A^T. In the space of the data,
with r = A x_lam(y) - y and Q = (A A^T)^+, it is

    r . Q r + 2 sigma^2 tr(Q A J) - sigma^2 tr(Q),      J the Jacobian of y -> x_lam(y).

Small singular values of A, such as those of a blur, give it a variance that hides the minimum. Here
Q = (A A^T + floor |A|^2 I)^-1 (Ramani, Liu, Rosen, Nielsen, Fessler, IEEE TIP 21(8), 2012). That is
without bias as well, for the error weighted by s^2 / (s^2 + floor |A|^2) at each singular value s.
The trace comes from one probe b of random signs, b . Q A (x_lam(y + e b) - x_lam(y)) / e. The last
term does not depend on lam.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ipx import (
    LinearOperator,
    Problem,
    Result,
    Solve,
    conjugate_gradient,
    image_dot,
    known_count,
    noise_variance,
    vector,
)
from ipx_plugins.discrepancy import GSUREOptions
from ipx_plugins.discrepancy.freedom import probe_of
from ipx_plugins.discrepancy.search import LeastScore, Measured

_ITERATIONS, _TOL = 200, 1e-3  # of conjugate gradients, in the space of the data


class GSURE(LeastScore[GSUREOptions]):
    """The weight of the least estimated error in what the operator determines."""

    def measured(
        self, problem: Problem, result: Result, solve: Solve, before: Result | None
    ) -> Measured:
        """The estimate of the weighted error over the number of values, up to a constant."""
        forward, y = problem.operator.forward, problem.y
        predicted = forward(result.unknown)
        probe, size = probe_of(problem)
        moved = problem.changed(y=y + size * probe, lam=vector(problem.lam, y))
        probed = solve(moved, after=before, twin=result)
        change = (forward(probed.unknown) - predicted) / size
        residual = self._inverse(problem, predicted - y)
        freedom = image_dot(self._inverse(problem, probe.expand_as(y)), change)
        fitted = image_dot(predicted - y, residual)
        risk = fitted + 2 * noise_variance(problem) * freedom
        risk = risk / known_count(problem)
        return Measured(risk[None], probed=probed)

    def _inverse(self, problem: Problem, values: Tensor) -> Tensor:
        """(A A^T + floor |A|^2 I)^-1 times data."""
        operator: LinearOperator[Any] | Any = problem.operator
        floor = self.options.floor * problem.data.operator_norm() ** 2

        def system(v: Tensor) -> Tensor:
            out: Tensor = operator.forward(operator.adjoint(v)) + floor * v
            return out

        return conjugate_gradient(system, values, None, _ITERATIONS, _TOL)
