"""Diffusion posterior sampling with a denoiser for all noise levels."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import Denoise, PlanError, Problem, Random, Sampler, State, temperature, using
from ipx_plugins.samplers import DPSOptions


@dataclass(frozen=True)
class DPSState(State):
    """The last draw, and the picture from which each diffusion begins."""

    start: Tensor


class DPS(Sampler[DPSOptions, DPSState]):
    """A reversed diffusion from sigma_start to sigma_end whose score is that of prior and data.

    Chung et al. (ICLR 2023), with the data's variance of Song et al. (ICLR 2023): p(y | x_s) is
    taken for exp(-f(D(x_s)) / (T + s^2 |A|^2)), D the denoiser at level s. A step from s to r is

        x+ = x + (s^2 - r^2) (score + grad log p(y | x)) + sqrt((s^2 - r^2) r^2 / s^2) n,

    and the last is D(x). The diffusion is not scaled (variance exploding), and starts at the start
    of the chain with noise sigma_start. Each step of the chain is a whole diffusion.
    """

    independent = True
    draws = 16

    def init(self, problem: Problem, start: Tensor) -> DPSState:
        """The start."""
        return DPSState(start, start)

    def step(self, problem: Problem, state: DPSState, random: Random) -> DPSState:
        """One draw."""
        start = state.start
        x = start + self.options.sigma_start * random.normal(start)
        table = self._sigmas()
        for s, r in itertools.pairwise(table):
            clean, slope = self._scores(problem, x, s)
            move = s**2 - r**2
            drift = (clean - x) / s**2 - self.options.scale * slope
            x = x + move * drift + math.sqrt(move) * (r / s) * random.normal(x)
        return DPSState(using(problem.prior, Denoise).denoise(x, table[-1]), start)

    def _sigmas(self) -> list[float]:
        """Noise levels, falling by a constant ratio."""
        o = self.options
        ratio = (o.sigma_end / o.sigma_start) ** (1 / (o.steps - 1))
        return [o.sigma_start * ratio**k for k in range(o.steps)]

    def _scores(self, problem: Problem, x: Tensor, s: float) -> tuple[Tensor, Tensor]:
        """The denoised picture, and minus the gradient of log p(y | x)."""
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            clean = using(problem.prior, Denoise).denoise(point, s)
            if not clean.requires_grad:
                raise PlanError(
                    f"{type(problem.prior).__name__} has no derivative, which dps takes; a network "
                    "has, such as drunet"
                )
            spread = problem.data.operator_norm() ** 2 * s**2
            misfit = problem.data.value(clean) / (temperature(problem) + spread)
            (slope,) = torch.autograd.grad(misfit.sum(), point)
        return clean.detach(), slope
