"""Proximal gradient descent with the gradient of the prior and the prox of the data term."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import (
    Grad,
    NoOptions,
    Problem,
    Solver,
    State,
    image_dot,
    using,
)
from ipx.toolkit import column, curvature_ahead, filled_start, vector

_TRIALS = 20
_DECREASE = 0.1


@dataclass(frozen=True)
class PGDState(State):
    """x, the objective there and the step to try next, both ``(B,)``."""

    objective: Tensor
    step: Tensor


class PGD(Solver[NoOptions, PGDState]):
    """x+ = prox_{t f}(x - t lam grad R(x)), t so small that F(x) - F(x+) >= 0.1 |x+ - x|^2 / t.

    Hurault, Leclaire, Papadakis 2022, algorithm 1, where R is the potential of a denoiser and the
    gradient step is that denoiser, relaxed. The objective never increases, convex or not. The
    first t is 1 over the curvature of lam R along its gradient; t grows by a tenth after each
    step. An image whose objective no longer decreases, up to rounding, stays unchanged.
    """

    iterations = 200

    def init(self, problem: Problem) -> PGDState:
        """The start, its objective and the first step size."""
        x = filled_start(problem)
        bend = curvature_ahead(x, lambda at: self._slope(problem, at)).abs()
        step = 1 / torch.where(bend > 0, bend, 1.0)
        return PGDState(x, problem.objective(x), step.clamp(1e-6, 1e6))

    def step(self, problem: Problem, state: PGDState) -> PGDState:
        """One step, its size halved until the objective decreases enough."""
        x, t = state.x, state.step
        g = self._slope(problem, x)
        moved, value = x, state.objective
        good = torch.zeros_like(t, dtype=torch.bool)
        for _ in range(_TRIALS):
            moved = problem.data.prox(x - column(t, x) * g, t, guess=x)
            value = problem.objective(moved)
            square = image_dot(moved - x, moved - x)
            good = state.objective - value >= _DECREASE * square / t
            if bool(good.all()):
                break
            t = torch.where(good, t, t / 2)
        moved = torch.where(column(good, x), moved, x)
        return PGDState(moved, torch.where(good, value, state.objective), 1.1 * t)

    def _slope(self, problem: Problem, x: Tensor) -> Tensor:
        return column(vector(problem.lam, x), x) * using(problem.prior, Grad).grad(x)
