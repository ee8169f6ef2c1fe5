"""Bicubic interpolation as a solver."""

from __future__ import annotations

from ipx import NoOptions, Problem, Solver, State, using
from ipx_plugins.super_resolution import Coarse


class Bicubic(Solver[NoOptions, State]):
    """x = the bicubic interpolation of the data."""

    iterations = 1
    one_shot = True

    def init(self, problem: Problem) -> State:
        """The start; `step` does not use it."""
        return State(problem.start())

    def step(self, problem: Problem, state: State) -> State:
        """The picture."""
        y = problem.noise.centred(problem.y)
        return State(using(problem.operator, Coarse).interpolated(y))
