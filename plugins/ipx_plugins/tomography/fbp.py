"""Filtered back-projection as a solver."""

from __future__ import annotations

from ipx import Problem, Solver, State, using
from ipx_plugins.tomography import FBPOptions, FilteredBackprojection


class FBP(Solver[FBPOptions, State]):
    """x = the inversion formula of the geometry, its ramp filter windowed."""

    iterations = 1
    one_shot = True

    def init(self, problem: Problem) -> State:
        """The start; `step` does not use it."""
        return State(problem.start())

    def step(self, problem: Problem, state: State) -> State:
        """The picture."""
        operator = using(problem.operator, FilteredBackprojection)
        return State(operator.backproject(problem.noise.centred(problem.y), self.options.filter))
