"""Adam, written out: six lines, no optimiser object, nothing shared between images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import Problem, Solver, State, StochasticGrad, has
from ipx.toolkit import AdamMoments, column, filled_start, gradient_of, vector
from ipx_plugins.solvers import AdamOptions

_HOPELESS = 2.0**-10  # ten halvings without a finite gradient: the image is given up


@dataclass(frozen=True)
class AdamState(State):
    """x and what led to it.

    Attributes:
        moments: running means of the gradients.
        before: the last point whose gradient was finite.
        scale: of the step, ``(B,)``; halved for an image each time its gradient is not finite.
    """

    moments: AdamMoments
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

    iterations = 500

    def init(self, problem: Problem) -> AdamState:
        """Means at zero."""
        x = filled_start(problem)
        zero = AdamMoments.zero(x, self.options.beta1, self.options.beta2)
        return AdamState(x, zero, x, vector(1.0, x))

    def step(self, problem: Problem, state: AdamState) -> AdamState:
        """One step."""
        o, done = self.options, state.moments.steps
        g = _gradient(problem, state.x, done)
        fine = torch.isfinite(g.flatten(1)).all(1)
        now = state.moments.add(g)
        size = o.step * problem.prior.unit / (1 + done / o.decay) / now.bias
        moved = state.x - size * column(state.scale, g) * now.mean / now.rms(1e-24)
        if bool(fine.all()):
            return AdamState(moved, now, state.x, state.scale)
        good, scale = column(fine, g), torch.where(fine, state.scale, state.scale / 2)
        back = torch.where(column(scale > _HOPELESS, g), (state.x + state.before) / 2, torch.nan)
        kept = replace(
            now,
            mean=torch.where(good, now.mean, 0.0),  # the direction led astray
            square=torch.where(good, now.square, state.moments.square),
        )
        return AdamState(
            torch.where(good, moved, back), kept, torch.where(good, state.x, state.before), scale
        )

    def residual(self, problem: Problem, before: AdamState, after: AdamState) -> Tensor:
        """Relative change of x; 1 for an image that was set back."""
        change = super().residual(problem, before, after)
        return torch.where(after.scale < before.scale, change.clamp_min(1.0), change)


def _gradient(problem: Problem, x: Tensor, draw: int) -> Tensor:
    """Gradient of f + lam R; of a random R a new draw each step."""
    if not has(problem.prior, StochasticGrad):
        return gradient_of(problem, x)
    slope = problem.prior.grad_draw(x, draw)
    return problem.data.grad(x) + column(vector(problem.lam, x), x) * slope
