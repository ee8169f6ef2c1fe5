"""Adam, written out: six lines, no optimiser object, nothing shared between images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import Problem, Solver, State
from ipx_plugins.solvers import ADAM, AdamOptions
from ipx_plugins.solvers.common import start
from ipx_plugins.solvers.gradient import gradient_of


@dataclass(frozen=True)
class AdamState(State):
    """x, running means of the gradient and of its square, steps done."""

    mean: Tensor
    square: Tensor
    steps: int


class Adam(Solver[AdamOptions, AdamState]):
    """Kingma and Ba 2015, algorithm 1, with the step divided by 1 + k / decay.

    Each pixel moves by about one step, whatever the scale of the objective, so the step is
    in image units; it decays as 1/k, which sums to infinity and still vanishes. The
    right solver for gradients that are rough or learned, not the fastest for the others.
    """

    needs = ADAM
    iterations = 500

    def init(self, problem: Problem) -> AdamState:
        """Means at zero."""
        x = start(problem)
        return AdamState(x, torch.zeros_like(x), torch.zeros_like(x), 0)

    def step(self, problem: Problem, state: AdamState) -> AdamState:
        """One step."""
        o, k = self.options, state.steps + 1
        g = gradient_of(problem, state.x)
        mean = torch.lerp(g, state.mean, o.beta1)
        square = torch.lerp(g * g, state.square, o.beta2)
        size = o.step / (1 + state.steps / o.decay) / (1 - o.beta1**k)
        root = torch.sqrt(square / (1 - o.beta2**k) + 1e-24)
        return AdamState(state.x - size * mean / root, mean, square, k)
