"""The simultaneous iterative reconstruction technique."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import Adjoint, Box, Problem, Solver, State, using
from ipx_plugins.solvers import SIRTOptions


class SIRT(Solver[SIRTOptions, State]):
    """x+ = P(x + t C A^T R (y - A x)), P the projection onto the bounds of the prior.

    R and C are the inverse sums of the rows and columns of A (Gregor, Benson, IEEE TMI 27, 2008).
    It converges to a least-squares solution weighted by R. Stopping early at the noise level is
    the regularisation, so it starts at zero.
    """

    iterations = 500

    def init(self, problem: Problem) -> State:
        """A given start, else zero."""
        return State(problem.start() if problem.x0 is not None else problem.start() * 0)

    def step(self, problem: Problem, state: State) -> State:
        """One step for all rows at once."""
        operator = using(problem.operator, Adjoint)
        rows, columns = problem.derived(SIRT, lambda: self._weights(problem))
        residual = rows * (problem.y - operator.forward(state.x))
        moved = state.x + self.options.relaxation * columns * operator.adjoint(residual)
        return State(moved.clamp(*using(problem.prior, Box).bounds()))

    @staticmethod
    def _weights(problem: Problem) -> tuple[Tensor, Tensor]:
        """R and C; 0 for rows and columns of zeros."""
        operator = using(problem.operator, Adjoint)
        ones = torch.ones_like(problem.y[:1]), torch.ones_like(problem.start()[:1])
        return _inverse(operator.forward(ones[1])), _inverse(operator.adjoint(ones[0]))


def _inverse(sums: Tensor) -> Tensor:
    seen = sums > 1e-6 * sums.amax()
    return torch.where(seen, 1 / torch.where(seen, sums, 1.0), 0.0)
