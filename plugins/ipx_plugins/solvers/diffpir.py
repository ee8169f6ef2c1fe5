"""Plug-and-play as a short diffusion: denoise, fit the data, add noise again (DiffPIR)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import (
    DENOISER_SHARE,
    Problem,
    Random,
    Sampler,
    Solver,
    State,
    image_norm,
)
from ipx.toolkit import column, filled_start
from ipx_plugins.solvers import DiffPIRDrawsOptions, DiffPIROptions
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
    """x with noise of the next sigma, and the last denoised image, the solution."""

    clean: Tensor
    table: Tensor  # sigma (steps, B)
    steps: int
    matches: object


class DiffPIR(Solver[DiffPIROptions, DiffPIRState]):
    """x0 = D(x, sigma), z = prox_{f / rho}(x0), x+ = z + sigma+ (a (x - z) / sigma + b n).

    Zhu et al., CVPR-W 2023, algorithm 1, with rho = strength lam / (0.23 sigma^2); for automatic
    lam that is strength times the noise variance over sigma^2. a = sqrt(1 - zeta), b = sqrt(zeta),
    and n is new normal noise. Pictures lack the factor sqrt(alpha) of a variance-preserving
    diffusion. Iterations start at sigma_start, not at pure noise, and no noise is added before or
    after the last step. The solver is made for learned denoisers: traces of noise that a denoiser
    leaves enter all later steps. With zeta below 1 the result is closer to a posterior sample than
    to the mean: sharper, but farther from the truth. All images of a batch get the same noise, so
    that the result of an image does not depend on the batch.
    """

    iterations = 12

    def budget(self, problem: Problem) -> int:
        """The number of steps of the schedule."""
        return steps_of(problem, self.options)

    def schedule(self, problem: Problem) -> int | None:
        """The number of steps, unless sigma is constant."""
        return None if self.options.schedule == "constant" else self.budget(problem)

    def init(self, problem: Problem) -> DiffPIRState:
        """The start with noise of the first sigma."""
        clean = filled_start(problem)
        table = sigmas(problem, self.options, clean, self.budget(problem))
        x = clean + column(table[0], clean) * self._noise(clean, 0)
        return DiffPIRState(x, clean, table, 0, None)

    def step(self, problem: Problem, state: DiffPIRState) -> DiffPIRState:
        """Denoise, fit the data, add noise."""
        s = state
        sigma, after = (sigma_at(s.table, k) for k in (s.steps, s.steps + 1))
        clean, matches = denoised(problem, self.options, s.x, sigma, s.steps, s.matches)
        rho = self.options.strength / DENOISER_SHARE * penalty_at(problem, sigma)
        z = problem.data.prox(clean, 1 / rho, guess=clean)
        x = z
        if s.steps + 2 < len(s.table):  # no noise is added before the last step
            share = self.options.zeta
            kept = (1 - share) ** 0.5 * (s.x - z) / column(sigma, z)
            x = z + column(after, z) * (kept + share**0.5 * self._noise(z, s.steps + 1))
        return DiffPIRState(x, clean, s.table, s.steps + 1, matches)

    def solution(self, problem: Problem, state: DiffPIRState) -> Tensor:
        """The denoised image."""
        return state.clean

    def residual(self, problem: Problem, before: DiffPIRState, after: DiffPIRState) -> Tensor:
        """Relative change of the denoised image; at least 1 within the schedule."""
        change = image_norm(after.clean - before.clean)
        change = change / image_norm(after.clean).clamp_min(1e-12)
        return settled(change, after.steps, after.table)

    def _noise(self, like: Tensor, step: int) -> Tensor:
        """Standard normal noise for one image, a function of seed and step only."""
        rng = torch.Generator().manual_seed(1_000_003 * self.options.seed + step)
        return torch.randn(like.shape[1:], generator=rng, dtype=torch.float64).to(like)


class DiffPIRDraws(Sampler[DiffPIRDrawsOptions, State]):
    """Each step is a whole run of `DiffPIR` with another seed: an independent picture.

    The spread of the pictures is smaller than that of the posterior: the last steps add no noise.
    """

    independent = True
    draws = 16

    def init(self, problem: Problem, start: Tensor) -> State:
        """The start of the problem, from which each run begins anew."""
        return State(start)

    def step(self, problem: Problem, state: State, random: Random) -> State:
        """One draw."""
        values = self.options.to_mapping() | {"seed": random.whole()}
        solver = DiffPIR(DiffPIROptions.from_mapping(values))
        run = solver.init(problem)
        for _ in range(solver.budget(problem)):
            run = solver.step(problem, run)
        return State(run.clean)
