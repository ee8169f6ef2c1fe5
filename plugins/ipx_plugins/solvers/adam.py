"""Adam, written out: six lines, no optimiser object, nothing shared between images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from ipx import Problem, Solver, State, StochasticGrad, has
from ipx_plugins.solvers import ADAM, AdamOptions
from ipx_plugins.solvers.common import column, start, vector
from ipx_plugins.solvers.gradient import gradient_of

_HOPELESS = 2.0**-10  # ten halvings without a finite gradient: the image is given up


@dataclass(frozen=True)
class AdamState(State):
    """x and what led to it.

    Attributes:
        mean: running mean of the gradient.
        square: running mean of its square.
        steps: steps done.
        before: the last point whose gradient was finite.
        scale: of the step, ``(B,)``; halved for an image each time its gradient is not finite.
    """

    mean: Tensor
    square: Tensor
    steps: int
    before: Tensor
    scale: Tensor


class Adam(Solver[AdamOptions, AdamState]):
    """Kingma and Ba 2015, algorithm 1, with the step divided by 1 + k / decay.

    Each value moves by about one step, whatever the scale of the objective, so the step is in
    units of the unknown; it decays as 1/k, which sums to infinity and still vanishes. The right
    solver for gradients that are rough, learned or random, not the fastest for the others. An
    image whose gradient is not finite goes half the way back and takes half the steps from there,
    ten times; then it has diverged.
    """

    needs = ADAM
    iterations = 500

    def init(self, problem: Problem) -> AdamState:
        """Means at zero."""
        x = start(problem)
        zero = torch.zeros_like(x)
        return AdamState(x, zero, zero, 0, x, vector(1.0, x))

    def step(self, problem: Problem, state: AdamState) -> AdamState:
        """One step."""
        o, k = self.options, state.steps + 1
        g = _gradient(problem, state.x, state.steps)
        fine = torch.isfinite(g.flatten(1)).all(1)
        mean = torch.lerp(g, state.mean, o.beta1)
        square = torch.lerp(g * g, state.square, o.beta2)
        size = o.step * problem.prior.unit / (1 + state.steps / o.decay) / (1 - o.beta1**k)
        root = torch.sqrt(square / (1 - o.beta2**k) + 1e-24)
        moved = state.x - size * column(state.scale, mean) * mean / root
        if bool(fine.all()):
            return AdamState(moved, mean, square, k, state.x, state.scale)
        good, scale = column(fine, g), torch.where(fine, state.scale, state.scale / 2)
        back = torch.where(column(scale > _HOPELESS, g), (state.x + state.before) / 2, torch.nan)
        return AdamState(
            torch.where(good, moved, back),
            torch.where(good, mean, 0.0),  # the direction led astray
            torch.where(good, square, state.square),
            k,
            torch.where(good, state.x, state.before),
            scale,
        )

    def residual(self, problem: Problem, before: AdamState, after: AdamState) -> Tensor:
        """Relative change of x; 1 for an image that was set back."""
        change = super().residual(problem, before, after)
        return torch.where(after.scale < before.scale, change.clamp_min(1.0), change)


def _gradient(problem: Problem, x: Tensor, draw: int) -> Tensor:
    """Gradient of f + lam R; of a random R a new draw each step."""
    if not has(problem.prior, StochasticGrad):
        return gradient_of(problem, x)
    prior = cast(StochasticGrad, problem.prior)
    return problem.data.grad(x) + column(vector(problem.lam, x), x) * prior.grad_draw(x, draw)
