"""Plug-and-play half-quadratic splitting (DPIR)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ipx import Problem, Solver, State
from ipx.toolkit import filled_start
from ipx_plugins.solvers import PnPOptions
from ipx_plugins.solvers.schedule import (
    cleaned_data,
    denoised,
    penalty_at,
    settled,
    sigma_at,
    sigmas,
    stabilised,
    stabilises,
    steps_of,
)


@dataclass(frozen=True)
class PnPHQSState(State):
    """The denoised image, sigma of all steps ``(steps, B)``, number of steps done."""

    table: Tensor
    steps: int
    matches: object


class PnPHQS(Solver[PnPOptions, PnPHQSState]):
    """v = prox_{f / rho}(x), x = D(v, sigma), with decreasing sigma and rho = lam / sigma^2.

    Zhang et al. 2022 (DPIR), equations 6a and 6b. There is no objective; the residual is the
    change of x in the last step, once sigma is constant. Where the noise is white but for what it
    finds with the image, and nothing else is to be undone, the last step is a plain denoising.
    Where a transform makes the noise white and nothing is to be undone, one denoising behind it is
    all (Anscombe 1948; Makitalo, Foi 2011).
    """

    iterations = 8

    def budget(self, problem: Problem) -> int:
        """The number of steps of the schedule; 1 behind a transform of the noise."""
        return 1 if stabilises(problem, self.options) else steps_of(problem, self.options)

    def schedule(self, problem: Problem) -> int | None:
        """The number of steps, unless sigma is constant."""
        return None if self.options.schedule == "constant" else self.budget(problem)

    def init(self, problem: Problem) -> PnPHQSState:
        """The start, with missing pixels filled in."""
        x = filled_start(problem)
        return PnPHQSState(x, sigmas(problem, self.options, x, self.budget(problem)), 0, None)

    def step(self, problem: Problem, state: PnPHQSState) -> PnPHQSState:
        """Prox of the data term, then denoiser."""
        sigma = sigma_at(state.table, state.steps)
        last = state.steps == len(state.table) - 1
        if stabilises(problem, self.options):
            done = stabilised(problem, self.options, sigma)
            return PnPHQSState(done, state.table, state.steps + 1, None)
        v = cleaned_data(problem, state.x) if last else None
        if v is None:
            v = problem.data.prox(state.x, 1 / penalty_at(problem, sigma), guess=state.x)
        x, matches = denoised(problem, self.options, v, sigma, state.steps, state.matches)
        return PnPHQSState(x, state.table, state.steps + 1, matches)

    def residual(self, problem: Problem, before: PnPHQSState, after: PnPHQSState) -> Tensor:
        """Relative change of x; at least 1 within the schedule."""
        return settled(super().residual(problem, before, after), after.steps, after.table)
