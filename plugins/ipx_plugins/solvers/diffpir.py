"""Plug-and-play as a short diffusion: denoise, fit the data, add noise again (DiffPIR)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import (
    DENOISER_SHARE,
    Problem,
    Solver,
    State,
    image_norm,
)
from ipx.toolkit import column, filled_start
from ipx_plugins.solvers import DiffPIROptions
from ipx_plugins.solvers.schedule import (
    denoised,
    penalty_at,
    settled,
    sigma_at,
    sigmas,
    steps_of,
)


@dataclass(frozen=True)
class DiffPIRState(State):
    """x with noise of the next sigma in it, and the last denoised image, the solution."""

    clean: Tensor
    table: Tensor  # sigma (steps, B)
    steps: int
    matches: object


class DiffPIR(Solver[DiffPIROptions, DiffPIRState]):
    """x0 = D(x, sigma), z = prox_{f / rho}(x0), x+ = z + sigma+ (a (x - z) / sigma + b n).

    Zhu et al., CVPR-W 2023, algorithm 1, with rho = strength lam / (0.23 sigma^2), that is the
    variance of the noise over sigma^2 where lam is automatic; a = sqrt(1 - zeta), b = sqrt(zeta), n
    new normal noise, and pictures without the factor sqrt(alpha) of a diffusion that keeps the
    variance. It begins at sigma_start, the range of a denoiser, not at pure noise. No noise is
    added before the last step, nor after it. Made for learned denoisers: one that leaves traces
    of the noise is shown these traces again, the more often the more steps. With zeta below 1 the
    picture is more of a draw and less of a mean: sharper, and farther from the truth.
    All images of a batch get the same noise, so that each gives what it gives alone.
    """

    iterations = 12

    def budget(self, problem: Problem) -> int:
        """As many as the schedule has."""
        return steps_of(problem, self.options)

    def init(self, problem: Problem) -> DiffPIRState:
        """The start with noise of the first sigma."""
        clean = filled_start(problem)
        table = sigmas(problem, self.options, clean, self.budget(problem))
        x = clean + column(table[0], clean) * self._noise(clean, 0)
        return DiffPIRState(x, clean, table, 0, None)

    def step(self, problem: Problem, state: DiffPIRState) -> DiffPIRState:
        """Denoiser, data, noise."""
        s = state
        sigma, after = (sigma_at(s.table, k) for k in (s.steps, s.steps + 1))
        clean, matches = denoised(problem, self.options, s.x, sigma, s.steps, s.matches)
        rho = self.options.strength / DENOISER_SHARE * penalty_at(problem, sigma)
        z = problem.data.prox(clean, 1 / rho, guess=clean)
        x = z
        if s.steps + 2 < len(s.table):  # the last picture is denoised as the data leave it
            share = self.options.zeta
            kept = (1 - share) ** 0.5 * (s.x - z) / column(sigma, z)
            x = z + column(after, z) * (kept + share**0.5 * self._noise(z, s.steps + 1))
        return DiffPIRState(x, clean, s.table, s.steps + 1, matches)

    def solution(self, problem: Problem, state: DiffPIRState) -> Tensor:
        """The denoised image."""
        return state.clean

    def residual(self, problem: Problem, before: DiffPIRState, after: DiffPIRState) -> Tensor:
        """Relative change of the denoised image, 1 or more within the schedule."""
        change = image_norm(after.clean - before.clean)
        change = change / image_norm(after.clean).clamp_min(1e-12)
        return settled(change, after.steps, after.table)

    def _noise(self, like: Tensor, step: int) -> Tensor:
        """Normal numbers of one image, a function of seed and step only."""
        rng = torch.Generator().manual_seed(1_000_003 * self.options.seed + step)
        return torch.randn(like.shape[1:], generator=rng, dtype=torch.float64).to(like)
