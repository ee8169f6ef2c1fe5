"""Accelerated proximal gradient descent (FISTA) with adaptive restart and backtracking."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import (
    Problem,
    Prox,
    Solver,
    State,
    image_dot,
    using,
)
from ipx.toolkit import column, filled_start, first_step, momentum, vector
from ipx_plugins.solvers import FISTAOptions

_TRIALS = 40


@dataclass(frozen=True)
class FISTAState(State):
    """x, the extrapolated point v, momentum parameter t ``(B,)`` and step ``(B,)``."""

    v: Tensor
    t: Tensor
    step: Tensor


class FISTA(Solver[FISTAOptions, FISTAState]):
    """x+ = prox_{s lam R}(v - s grad f(v)), v+ = x+ + (t - 1)/t+ (x+ - x).

    Beck and Teboulle 2009, equations 4.1 to 4.3. Momentum is dropped where it points uphill,
    <v - x+, x+ - x> > 0 (O'Donoghue and Candes 2015, gradient scheme), image by image. With a prior
    that is not convex there is none: it carries values across the thresholds of `l0`. The step
    is 1 over the Lipschitz constant. Where that is only a bound, backtracking halves the step until
    f's quadratic model holds, and each iteration first tries a slightly larger step.
    """

    iterations = 300

    def init(self, problem: Problem) -> FISTAState:
        """The start, without momentum."""
        x = filled_start(problem)
        if self.options.backtracking:
            step = first_step(problem, x, problem.data.grad)
        else:
            step = 1 / vector(problem.data.lipschitz(), x).clamp_min(1e-8)
        return FISTAState(x, x, torch.ones_like(step), step)

    def step(self, problem: Problem, state: FISTAState) -> FISTAState:
        """One proximal gradient step from v, then the extrapolation."""
        v, step = state.v, state.step
        gradient = problem.data.grad(v)
        search = self.options.backtracking and not problem.data.quadratic
        if search:
            step = 1.2 * step  # lets the step grow where the curvature has become small
        x = self._forward_backward(problem, v, gradient, step)
        for _ in range(_TRIALS if search else 0):
            d = x - v
            # f(x) <= f(v) + <grad f(v), d> + |d|^2 / 2s, in a form without cancellation
            bend = image_dot(problem.data.grad(x) - gradient, d)
            good = bend * step <= image_dot(d, d)
            if bool(good.all()):
                break
            step = torch.where(good, step, step / 2)
            x = self._forward_backward(problem, v, gradient, step)
        advance = x - state.x
        drop = (image_dot(v - x, advance) > 0) & self.options.restart
        drop = drop | (not problem.prior.traits.convex)
        t, weight = momentum(state.t, drop)
        return FISTAState(x, x + column(weight, x) * advance, t, step)

    def _forward_backward(self, problem: Problem, v: Tensor, g: Tensor, step: Tensor) -> Tensor:
        prior = using(problem.prior, Prox)
        return prior.prox(v - column(step, v) * g, vector(problem.lam, v) * step)

    def with_penalty(self, state: FISTAState, penalty: Tensor, rescale: bool = True) -> FISTAState:
        """The state with a step of 1 over the penalty."""
        return replace(state, step=1 / penalty)
