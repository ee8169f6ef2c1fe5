"""Limited-memory BFGS with curvature pairs and a line search for each image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import Problem, Solver, State, image_dot
from ipx_plugins.solvers import LBFGS as NEEDS
from ipx_plugins.solvers import LBFGSOptions
from ipx_plugins.solvers.common import column, start, vector
from ipx_plugins.solvers.gradient import gradient_of

_TRIALS = 30
_ARMIJO, _WOLFE = 0.1, 0.9
_DECREASE = 1e-4


@dataclass(frozen=True)
class LBFGSState(State):
    """x, its gradient, and the last pairs (s, y, 1 / <s, y>), oldest first.

    A pair without curvature is kept with weight 0 for its image: it then has no effect.
    """

    gradient: Tensor
    pairs: tuple[tuple[Tensor, Tensor, Tensor], ...]
    scale: Tensor  # (B,) of the initial inverse Hessian


class LBFGS(Solver[LBFGSOptions, LBFGSState]):
    """Two-loop recursion (Nocedal 1980) with a bisecting approximate Wolfe line search.

    The search compares slopes d^T grad F, not values: for a convex F a slope at the new point
    that is below a tenth of the first, and not more than that uphill, means enough decrease
    and enough curvature (the approximate Wolfe conditions of Hager and Zhang 2005), and
    slopes do not cancel near the minimum. For a prior that is not convex slopes tell too little:
    there the objective itself has to fall (Armijo), and a point that was backed up to is taken
    whatever its curvature.
    """

    needs = NEEDS
    iterations = 200

    def init(self, problem: Problem) -> LBFGSState:
        """No pairs; the scale is 1 over the data term's Lipschitz constant."""
        x = start(problem)
        lipschitz = vector(problem.data.lipschitz(), x).clamp_min(1e-8)
        return LBFGSState(x, gradient_of(problem, x), (), 1 / lipschitz)

    def step(self, problem: Problem, state: LBFGSState) -> LBFGSState:
        """One quasi-Newton step."""
        x, g = state.x, state.gradient
        d = self._direction(state)
        slope = image_dot(d, g)
        downhill = slope < 0
        d = torch.where(column(downhill, d), d, -column(state.scale, g) * g)
        slope = torch.where(downhill, slope, -state.scale * image_dot(g, g))
        moved, fresh = self._search(problem, x, d, slope)
        s, change = moved - x, fresh - g
        curvature, size = image_dot(s, change), image_dot(change, change)
        good = curvature > 1e-10 * size
        weight = torch.where(good, 1 / torch.where(good, curvature, 1.0), 0.0)
        scale = torch.where(good, curvature / torch.where(good, size, 1.0), state.scale)
        pairs = (*state.pairs, (s, change, weight))[-self.options.memory :]
        return LBFGSState(moved, fresh, pairs, scale)

    def _direction(self, state: LBFGSState) -> Tensor:
        q = -state.gradient
        kept = []
        for s, change, weight in reversed(state.pairs):
            a = weight * image_dot(s, q)
            q = q - column(a, q) * change
            kept.append(a)
        q = column(state.scale, q) * q
        for (s, change, weight), a in zip(state.pairs, reversed(kept), strict=True):
            q = q + column(a - weight * image_dot(change, q), q) * s
        return q

    def _search(
        self, problem: Problem, x: Tensor, d: Tensor, slope: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The new point and its gradient; each image has its own step and bracket."""
        convex = problem.prior.convex
        now = slope if convex else problem.objective(x)
        alive = torch.isfinite(slope) & torch.isfinite(now)
        t = torch.ones_like(slope)
        low, high = torch.zeros_like(t), torch.full_like(t, torch.inf)
        moved = x
        fresh = x
        for _ in range(_TRIALS):
            moved = x + column(t, x) * d
            fresh = gradient_of(problem, moved)
            there = image_dot(d, fresh)
            far = ~(there <= (2 * _ARMIJO - 1) * slope)  # beyond the minimum, or not finite
            near = there < _WOLFE * slope
            if not convex:
                rise = problem.objective(moved) - now
                far = ~((rise <= _DECREASE * t * slope) & torch.isfinite(there))
                near = ~far & near & high.isinf()
            if not bool(((far | near) & alive).any()):
                break
            high, low = torch.where(far, t, high), torch.where(near, t, low)
            middle = torch.where(high.isinf(), 2 * t, (low + high) / 2)
            t = torch.where(far | near, middle, t)
        return moved, fresh
