"""Plug-and-play accelerated proximal gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import (
    DENOISER_SHARE,
    Problem,
    Solver,
    State,
    image_dot,
    image_norm,
)
from ipx.toolkit import column, descend, filled_start, first_step, momentum
from ipx_plugins.solvers import PnPFISTAOptions
from ipx_plugins.solvers.schedule import denoised, settled, sigma_at, sigmas, unit


@dataclass(frozen=True)
class PnPFISTAState(State):
    """x, the extrapolated point v, momentum parameter t and step ``(B,)``."""

    v: Tensor
    t: Tensor
    step: Tensor
    table: Tensor  # sigma (steps, B)
    steps: int
    matches: object
    change: Tensor  # |x+ - x| of the last step (B,)


class PnPFISTA(Solver[PnPFISTAOptions, PnPFISTAState]):
    """x+ = D(v - s grad f(v), sqrt(s lam)), v+ = x+ + (t - 1)/t+ (x+ - x).

    Kamilov, Mansour, Wohlberg 2017. Only the gradient of the data term is needed, so that every
    noise model with a gradient works. Momentum is dropped where it points uphill or the steps
    grow, since many denoisers are not contractions.
    """

    iterations = 40

    def init(self, problem: Problem) -> PnPFISTAState:
        """The start, without momentum."""
        x = filled_start(problem)
        step = first_step(problem, x, problem.data.grad)
        table = sigmas(problem, self.options, x, self.options.steps)
        far = torch.full_like(step, math.inf)
        return PnPFISTAState(x, x, torch.ones_like(step), step, table, 0, None, far)

    def step(self, problem: Problem, state: PnPFISTAState) -> PnPFISTAState:
        """Gradient step, denoiser, extrapolation."""
        s = state
        g, step = descend(problem, s.v, s.step)
        moved = s.v - column(step, s.v) * g
        # prox_{s lam R} is the denoiser at sqrt(s lam), where lam decreases with sigma
        sigma = (step * DENOISER_SHARE / unit(problem)).sqrt() * sigma_at(s.table, s.steps)
        x, matches = denoised(problem, self.options, moved, sigma, s.steps, s.matches)
        change = image_norm(x - s.x)
        drop = (image_dot(s.v - x, x - s.x) > 0) | (change > s.change)
        t, weight = momentum(s.t, drop)
        v = x + column(weight, x) * (x - s.x)
        return replace(
            s, x=x, v=v, t=t, step=step, steps=s.steps + 1, change=change, matches=matches
        )

    def residual(self, problem: Problem, before: PnPFISTAState, after: PnPFISTAState) -> Tensor:
        """Relative change of x; at least 1 within the schedule."""
        return settled(super().residual(problem, before, after), after.steps, after.table)
