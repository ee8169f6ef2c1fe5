"""Adam as explicit update equations, independent for each image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import Problem, Solver, State, StochasticGrad, has
from ipx.toolkit import AdamMoments, column, filled_start, gradient_of, vector
from ipx_plugins.solvers import AdamOptions

_HOPELESS = 2.0**-10  # ten halvings without a finite gradient: the image has diverged


@dataclass(frozen=True)
class AdamState(State):
    """x, the moments of the gradients, and what is needed to set an image back.

    Attributes:
        moments: running means of the gradient and of its square.
        before: the last point with a finite gradient.
        scale: factor on the step, ``(B,)``; halved for an image when its gradient is not finite.
    """

    moments: AdamMoments
    before: Tensor
    scale: Tensor


class Adam(Solver[AdamOptions, AdamState]):
    """Kingma and Ba 2015, algorithm 1, with the step divided by 1 + k / decay.

    Each value moves by about one step size, whatever the scale of the objective, so the step size
    is in units of the unknown. It decays as 1/k: it vanishes, but its sum diverges. Adam suits
    rough, learned or random gradients; for smooth ones other solvers are faster. An image whose
    gradient is not finite goes halfway back to the last finite point and halves its step size, up
    to ten times; then it has diverged.
    """

    iterations = 500

    def init(self, problem: Problem) -> AdamState:
        """The start, with moments at zero."""
        x = filled_start(problem)
        zero = AdamMoments.zero(x, self.options.beta1, self.options.beta2)
        return AdamState(x, zero, x, vector(1.0, x))

    def step(self, problem: Problem, state: AdamState) -> AdamState:
        """One step of Adam."""
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
            mean=torch.where(good, now.mean, 0.0),  # forget the direction
            square=torch.where(good, now.square, state.moments.square),
        )
        return AdamState(
            torch.where(good, moved, back), kept, torch.where(good, state.x, state.before), scale
        )

    def residual(self, problem: Problem, before: AdamState, after: AdamState) -> Tensor:
        """Relative change of x; at least 1 for an image that was set back."""
        change = super().residual(problem, before, after)
        return torch.where(after.scale < before.scale, change.clamp_min(1.0), change)


def _gradient(problem: Problem, x: Tensor, draw: int) -> Tensor:
    """Gradient of f + lam R; with draw number ``draw`` for a stochastic R."""
    if not has(problem.prior, StochasticGrad):
        return gradient_of(problem, x)
    slope = problem.prior.grad_draw(x, draw)
    return problem.data.grad(x) + column(vector(problem.lam, x), x) * slope
