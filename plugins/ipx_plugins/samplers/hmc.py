"""Hamiltonian Monte Carlo."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import Problem, Random, Sampler, State, column, image_sum, temperature
from ipx_plugins.samplers import HMCOptions
from ipx_plugins.samplers.drift import curvature, slope_of
from ipx_plugins.samplers.metropolis import accepted, adapted, probability


@dataclass(frozen=True)
class HMCState(State):
    """x, U(x) and its gradient, the step length, and the probability of the last proposal."""

    energy: Tensor
    slope: Tensor
    step: Tensor
    chance: Tensor


class HMC(Sampler[HMCOptions, HMCState]):
    """Leapfrog steps of x' = p, p' = -grad U(x) from a normal p, and a Metropolis test.

    Neal 2011, figure 2, with unit mass, the energy U + |p|^2 / 2, and p of variance T. The number
    of leapfrog steps is uniform between 1 and ``leapfrogs``: paths of one length are a whole period
    for some direction of the posterior, and bring that back to where it was (section 5.4.3.2).
    """

    thin = 1

    def init(self, problem: Problem, start: Tensor) -> HMCState:
        """The start, and a first step of 1 / sqrt(L)."""
        slope = slope_of(problem)
        energy, largest = problem.objective(start), curvature(slope, start)
        size = start[0].numel() ** 0.25
        return HMCState(
            start, energy, slope(start), largest.rsqrt() / size, torch.ones_like(energy)
        )

    def step(self, problem: Problem, state: HMCState, random: Random) -> HMCState:
        """One proposal, accepted or not."""
        slope, t = slope_of(problem), temperature(problem)
        x, force = state.x, state.slope
        p = column(t.sqrt(), x) * random.normal(x)
        began = state.energy + image_sum(p**2) / 2
        h = column(state.step, x)
        for _ in range(1 + int(float(random.uniform(t)[0]) * self.options.leapfrogs)):
            p = p - h / 2 * force
            x = x + h * p
            force = slope(x)
            p = p - h / 2 * force
        energy = problem.objective(x)
        ratio = (began - energy - image_sum(p**2) / 2) / t
        take = accepted(ratio, random)
        which = column(take, x)
        return replace(
            state,
            x=torch.where(which, x, state.x),
            energy=torch.where(take, energy, state.energy),
            slope=torch.where(which, force, state.slope),
            chance=probability(ratio),
        )

    def adapted(self, problem: Problem, state: HMCState, step: int) -> HMCState:
        """The step length, moved towards the acceptance asked for."""
        return replace(state, step=adapted(state.step, state.chance, self.options.acceptance, step))
