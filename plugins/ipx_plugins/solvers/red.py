"""Regularisation by denoising."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ipx import Problem, Solver, State
from ipx.toolkit import column, descend, filled_start, first_step
from ipx_plugins.solvers import PnPFISTAOptions
from ipx_plugins.solvers.schedule import denoised, penalty_at, settled, sigma_at, sigmas


@dataclass(frozen=True)
class REDState(State):
    """x, the denoised image, and the step for the data term ``(B,)``."""

    clean: Tensor
    step: Tensor
    table: Tensor  # sigma (steps, B)
    steps: int
    matches: object


class RED(Solver[PnPFISTAOptions, REDState]):
    """x+ = x - tau (grad f(x) + rho (x - D(x, sigma))), rho = lam / sigma^2.

    Romano, Elad, Milanfar 2017, equation 27 (gradient descent), with tau = 1 / (L + rho) and
    decreasing sigma. For an MMSE denoiser rho (x - D) is lam times the gradient of -log p.
    """

    iterations = 60

    def init(self, problem: Problem) -> REDState:
        """The start."""
        x = filled_start(problem)
        step = first_step(problem, x, problem.data.grad)
        return REDState(x, x, step, sigmas(problem, self.options, x, self.options.steps), 0, None)

    def step(self, problem: Problem, state: REDState) -> REDState:
        """One gradient step."""
        s = state
        sigma = sigma_at(s.table, s.steps)
        rho = penalty_at(problem, sigma)
        clean, matches = denoised(problem, self.options, s.x, sigma, s.steps, s.matches)
        g, step = descend(problem, s.x, s.step)
        slope = g + column(rho, s.x) * (s.x - clean)
        x = s.x - column(1 / (1 / step + rho), s.x) * slope
        return replace(s, x=x, clean=clean, step=step, steps=s.steps + 1, matches=matches)

    def residual(self, problem: Problem, before: REDState, after: REDState) -> Tensor:
        """Relative change of x; at least 1 within the schedule."""
        return settled(super().residual(problem, before, after), after.steps, after.table)
