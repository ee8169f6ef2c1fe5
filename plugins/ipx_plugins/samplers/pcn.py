"""Preconditioned Crank-Nicolson proposals for codes, with parallel tempering."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import Problem, Random, Sampler, State, column, image_sum, temperature, vector
from ipx_plugins.samplers import PCNOptions
from ipx_plugins.samplers.metropolis import accepted, adapted, probability


@dataclass(frozen=True)
class PCNState(State):
    """The coldest code, and for each temperature the code, its potential, step and chance."""

    codes: tuple[Tensor, ...]
    potentials: tuple[Tensor, ...]
    steps: tuple[Tensor, ...]
    chances: tuple[Tensor, ...]


class PCN(Sampler[PCNOptions, PCNState]):
    """z' = sqrt(1 - d^2) z + d n, accepted with min(1, exp((V(z) - V(z')) / t)).

    V = f / T beyond the normal prior of the code, whose proposals leave it invariant (Cotter et al.
    2013). Chains at the temperatures t = 1, r, r^2, ... swap neighbours with
    min(1, exp((1/t_i - 1/t_j) (V_i - V_j))) (Holden et al. 2022). No gradient is taken.
    """

    thin = 20

    def init(self, problem: Problem, start: Tensor) -> PCNState:
        """All temperatures start at the same code, with d = 0.1."""
        count, v = self.options.temperatures, self._potential(problem, start)
        one = torch.ones_like(v)
        return PCNState(start, (start,) * count, (v,) * count, (0.1 * one,) * count, (one,) * count)

    def step(self, problem: Problem, state: PCNState, random: Random) -> PCNState:
        """A proposal at each temperature, then the swap of one pair of neighbours."""
        scale = (temperature(problem) / vector(problem.lam, problem.y)).sqrt()
        codes, potentials, chances = [], [], []
        for k, (z, v, d) in enumerate(zip(state.codes, state.potentials, state.steps, strict=True)):
            noise = column(scale, z) * random.normal(z)
            there = column((1 - d**2).clamp_min(0).sqrt(), z) * z + column(d, z) * noise
            ahead = self._potential(problem, there)
            ratio = (v - ahead) / self.options.ratio**k
            take = accepted(ratio, random)
            codes.append(torch.where(column(take, z), there, z))
            potentials.append(torch.where(take, ahead, v))
            chances.append(probability(ratio))
        for k in range(len(codes) - 1):
            gap = self.options.ratio**-k - self.options.ratio ** -(k + 1)
            take = accepted(gap * (potentials[k] - potentials[k + 1]), random)
            for values in (codes, potentials):
                low, high, which = values[k], values[k + 1], column(take, values[k])
                values[k], values[k + 1] = (
                    torch.where(which, high, low), torch.where(which, low, high),
                )  # fmt: skip
        return replace(
            state, x=codes[0], codes=tuple(codes), potentials=tuple(potentials),
            chances=tuple(chances),
        )  # fmt: skip

    def adapted(self, problem: Problem, state: PCNState, step: int) -> PCNState:
        """Each temperature's d, moved towards the acceptance asked for."""
        target = self.options.acceptance
        steps = (
            adapted(d, c, target, step).clamp_max(1.0)
            for d, c in zip(state.steps, state.chances, strict=True)
        )
        return replace(state, steps=tuple(steps))

    def _potential(self, problem: Problem, z: Tensor) -> Tensor:
        """V = (f + lam R - lam |z|^2 / 2) / T: what is beyond the normal prior, ``(B,)``."""
        normal = vector(problem.lam, problem.y) * image_sum(z**2) / 2
        return (problem.objective(z) - normal) / temperature(problem)
