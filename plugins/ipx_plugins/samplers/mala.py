"""The Metropolis-adjusted Langevin algorithm, with a proximal step for priors without gradient."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import Problem, Random, Sampler, State, column, image_sum, temperature
from ipx_plugins.samplers import MALAOptions
from ipx_plugins.samplers.drift import curvature_of, slope_of
from ipx_plugins.samplers.metropolis import accepted, adapted, probability


@dataclass(frozen=True)
class MALAState(State):
    """x, U(x) and the slope there, the step length, and the probability of the last proposal."""

    energy: Tensor
    slope: Tensor
    step: Tensor
    chance: Tensor


class MALA(Sampler[MALAOptions, MALAState]):
    """x' = x - g grad U(x) + sqrt(2 g T) n, accepted by the test of Metropolis and Hastings.

    Exact for U = f + lam R. For an R with a prox instead of a gradient, the proposals use its
    Moreau envelope (Pereyra 2016), and the test R itself.
    """

    thin = 10

    def init(self, problem: Problem, start: Tensor) -> MALAState:
        """The start, and a first step of 1 / (L n^(1/3))."""
        slope, largest = slope_of(problem), curvature_of(problem, 1.0, start)
        size = start[0].numel() ** (1 / 3)
        energy = problem.objective(start)
        return MALAState(start, energy, slope(start), 1 / (largest * size), torch.ones_like(energy))

    def step(self, problem: Problem, state: MALAState, random: Random) -> MALAState:
        """One proposal, accepted or not."""
        slope = slope_of(problem)
        x, g, t = state.x, column(state.step, state.x), temperature(problem)
        there = x - g * state.slope + (2 * g * column(t, x)).sqrt() * random.normal(x)
        energy, ahead = problem.objective(there), slope(there)
        forth = image_sum((there - x + g * state.slope) ** 2)
        back = image_sum((x - there + g * ahead) ** 2)
        ratio = (state.energy - energy + (forth - back) / (4 * state.step)) / t
        take = accepted(ratio, random)
        which = column(take, x)
        return replace(
            state,
            x=torch.where(which, there, x),
            energy=torch.where(take, energy, state.energy),
            slope=torch.where(which, ahead, state.slope),
            chance=probability(ratio),
        )

    def adapted(self, problem: Problem, state: MALAState, step: int) -> MALAState:
        """The step length, moved towards the acceptance asked for."""
        return replace(state, step=adapted(state.step, state.chance, self.options.acceptance, step))
