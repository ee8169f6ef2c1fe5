"""Gradient descent with a separate step for each image, found by backtracking."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import (
    Problem,
    Solver,
    State,
    image_dot,
)
from ipx.toolkit import column, filled_start, first_step, gradient_of
from ipx_plugins.solvers import GradientOptions

_TRIALS = 30


@dataclass(frozen=True)
class GradientState(State):
    """x, the gradient there, and the step to try next ``(B,)``."""

    gradient: Tensor
    step: Tensor


class Gradient(Solver[GradientOptions, GradientState]):
    """x - t grad F(x), t so small that <grad F(x+) - grad F(x), x+ - x> <= |x+ - x|^2 / t.

    For a convex F the objective then never increases, F(x+) <= F(x) + <grad F(x+), x+ - x> <= F(x),
    since <grad F(x), x+ - x> = -|x+ - x|^2 / t. Unlike Armijo's, the test compares gradients, which
    are needed anyway and do not cancel near the minimum. The first trial is the Barzilai-Borwein
    step |s|^2 / <s, y>, s and y the last changes of x and of the gradient.
    """

    iterations = 500

    def init(self, problem: Problem) -> GradientState:
        """The start; the first trial step is 1 over the curvature of the data term."""
        x = filled_start(problem)
        step = first_step(problem, x, problem.data.grad)
        return GradientState(x, gradient_of(problem, x), step)

    def step(self, problem: Problem, state: GradientState) -> GradientState:
        """One accepted step; at most 30 halvings."""
        x, g, t = state.x, state.gradient, state.step
        moved, fresh = x, g
        for _ in range(_TRIALS):
            moved = x - column(t, x) * g
            fresh = gradient_of(problem, moved)
            s = moved - x
            curvature, square = image_dot(fresh - g, s), image_dot(s, s)
            good = curvature * t <= square
            if bool(good.all()):
                break
            t = torch.where(good, t, t / 2)
        trial = 2 * t
        if self.options.barzilai_borwein:
            safe = torch.where(curvature > 0, curvature, torch.ones_like(curvature))
            trial = torch.where(curvature > 0, (square / safe).clamp(min=t / 10, max=10 * t), trial)
        return GradientState(moved, fresh, torch.where(square > 0, trial, t))
