"""The solver ipx-example-solver: the algorithm."""

from __future__ import annotations

from dataclasses import dataclass

from ipx import Problem, Prox, Solver, State, using
from ipx.toolkit import column, descend, filled_start, first_step, vector
from torch import Tensor

from ipx_example_solver import IpxExampleSolverOptions


@dataclass(frozen=True)
class IpxExampleSolverState(State):
    """The image x, and the step for the data term, ``(B,)``."""

    step: Tensor


class IpxExampleSolver(Solver[IpxExampleSolverOptions, IpxExampleSolverState]):
    """x+ = prox_{t lam R}(x - t grad f(x)), t = 1 over the Lipschitz constant of grad f.

    It minimises f(x) + lam R(x) for a smooth f; R needs a prox only.
    """

    iterations = 200

    def init(self, problem: Problem) -> IpxExampleSolverState:
        """The data as an image, with what was not measured filled in."""
        x = filled_start(problem)
        return IpxExampleSolverState(x, first_step(problem, x, problem.data.grad))

    def step(self, problem: Problem, state: IpxExampleSolverState) -> IpxExampleSolverState:
        """Downhill on the data term, then the prior's prox."""
        x, prior = state.x, using(problem.prior, Prox)
        gradient, step = descend(problem, x, state.step)
        ahead = x - column(step, x) * gradient
        near = prior.prox(ahead, vector(problem.lam, x) * step)
        return IpxExampleSolverState(x + self.options.relaxation * (near - x), step)
