"""Landweber's iteration, with a proximal map for a prior or a constraint."""

from __future__ import annotations

from ipx import Problem, Prox, Solver, State, using
from ipx.toolkit import column, filled_start, vector
from ipx_plugins.solvers import LandweberOptions


class Landweber(Solver[LandweberOptions, State]):
    """x+ = prox_{s lam R}(x - s A^T (A x - y)), s = relaxation / |A|^2.

    Without a prior it starts at zero, as with a constraint: the iterations then fit the large
    singular values first, and stop where the residual is down to the noise.
    """

    iterations = 500

    def init(self, problem: Problem) -> State:
        """A given start; else zero without a weight, and the data as an image with one."""
        if problem.x0 is None and not problem.prior.traits.weighted:
            return State(problem.start() * 0)
        return State(filled_start(problem))

    def step(self, problem: Problem, state: State) -> State:
        """One step."""
        x, length = state.x, vector(problem.data.lipschitz(), state.x).clamp_min(1e-8)
        step = self.options.relaxation / length
        moved = x - column(step, x) * problem.data.grad(x)
        return State(using(problem.prior, Prox).prox(moved, vector(problem.lam, x) * step))
