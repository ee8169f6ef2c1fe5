"""DiffPIR: a diffusion run backwards by a denoiser, with the data in each step."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import Problem, Solver, State
from ipx_plugins.solvers import DIFFPIR as NEEDS
from ipx_plugins.solvers import DiffPIROptions
from ipx_plugins.solvers.common import column, start
from ipx_plugins.solvers.schedule import denoised, penalty_at, settled, sigma_at, sigmas


@dataclass(frozen=True)
class DiffPIRState(State):
    """x is the clean estimate, ``noisy`` the diffused image."""

    noisy: Tensor
    table: Tensor  # sigma (steps, B)
    steps: int
    matches: object


class DiffPIR(Solver[DiffPIROptions, DiffPIRState]):
    """d = D(n, sigma), x = prox_{f / rho}(d), n+ = x + sigma+ (sqrt(1 - zeta) e + sqrt(zeta) w).

    Zhu et al. 2023, algorithm 1, in the variance-exploding form: e = (n - x) / sigma is the noise
    that the step found, w fresh noise, the same for every image of a batch. It starts from the
    classical start with noise of the first sigma instead of from noise alone.
    """

    needs = NEEDS
    iterations = 20

    def init(self, problem: Problem) -> DiffPIRState:
        """The start and noise."""
        x = start(problem)
        table = sigmas(problem, self.options, x)
        noisy = x + column(sigma_at(table, 0), x) * self._noise(x, -1)
        return DiffPIRState(x, noisy, table, 0, None)

    def step(self, problem: Problem, state: DiffPIRState) -> DiffPIRState:
        """Denoiser, data, noise."""
        k, zeta = state.steps, self.options.zeta
        sigma, after = sigma_at(state.table, k), sigma_at(state.table, k + 1)
        clean, matches = denoised(problem, self.options, state.noisy, sigma, k, state.matches)
        if k >= self.options.steps:  # no more noise: the plain splitting, to its fixed point
            noisy = problem.data.prox(clean, 1 / penalty_at(problem, sigma), guess=clean)
            return DiffPIRState(clean, noisy, state.table, k + 1, matches)
        x = problem.data.prox(clean, 1 / penalty_at(problem, sigma), guess=clean)
        found = (state.noisy - x) / column(sigma, x)
        mixed = (1 - zeta) ** 0.5 * found + zeta**0.5 * self._noise(x, k)
        last = k == self.options.steps - 1
        noisy = x if last else x + column(after, x) * mixed
        return DiffPIRState(clean if last else x, noisy, state.table, k + 1, matches)

    def _noise(self, x: Tensor, step: int) -> Tensor:
        generator = torch.Generator().manual_seed(1000 * self.options.seed + step + 1)
        white = torch.randn(1, *x.shape[1:], generator=generator, dtype=torch.float64)
        return white.to(x)

    def residual(self, problem: Problem, before: DiffPIRState, after: DiffPIRState) -> Tensor:
        """Relative change of x."""
        return settled(super().residual(problem, before, after), after.steps, self.options)
